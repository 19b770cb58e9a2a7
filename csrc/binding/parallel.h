/* One call of the core over several threads, in chunks of some milliseconds, with the
 * GIL or without: when to use how many threads, release the GIL and check signals. */
#ifndef SNNC_PARALLEL_H
#define SNNC_PARALLEL_H

#include "arrays.h"
#include "core/threads.h"

enum {
    PARALLEL_CHUNK = 1024 * 1024, /* neuron-steps, until it is known what they take */
    PARALLEL_UNIT = 64,  /* neurons: bytes of packed spikes and cache lines are whole */
    KEEP_GIL = 8 * 1024, /* neuron-steps for which releasing it costs more */
    CHUNKS_PER_SECOND = 200,              /* between which signals are checked */
    NEURON_STEPS_PER_THREAD = 128 * 1024, /* 20 us: what makes one more worthwhile */
    /* Fewer are slower: too many cache lines at the ends of ranges are shared by two
     * processors. */
    NEURONS_PER_THREAD = 2048
};

typedef struct {
    size_t n0, n1;
    snnc_status status;
} range;

/* The first member of every job. */
typedef struct parallel_job {
    snnc_status (*run)(const struct parallel_job *job,
                       size_t i); /* range i of a chunk */
    range *ranges;                /* of neurons, for one thread each */
    size_t num_ranges;
    size_t unit;                 /* ranges and slices are cut at multiples of it */
    size_t t0, t1;               /* the chunk of steps that the threads are at */
    size_t slice, num_slices;    /* of each range, where even a step takes too long */
    size_t work;                 /* neuron-steps of a chunk */
    size_t cost;                 /* of a neuron-step, or 0: one as neurons have */
    char *allocated, *workspace; /* the latter aligned within the former */
    size_t workspace_size;       /* of each range */
} parallel_job;

/* How many threads, of those that there may be, are worthwhile for so many steps that
 * cost so much, of neurons that come in units. */
static inline size_t parallel_threads(Py_ssize_t threads, size_t n, size_t unit,
                                      size_t steps, size_t cost)
{
    const size_t most[] = {SNNC_MAX_THREADS, n / unit, n / NEURONS_PER_THREAD,
                           n * steps * cost / NEURON_STEPS_PER_THREAD};
    size_t worthwhile = (size_t)threads;

    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        if (worthwhile > most[i])
            worthwhile = most[i];
    return worthwhile > 1 ? worthwhile : 1;
}

/* Cuts n neurons into ranges at multiples of `unit`, one for each thread. */
int parallel_partition(parallel_job *job, size_t n, size_t unit, size_t threads);

/* The neurons of range i in the slice at hand. */
range parallel_range(const parallel_job *job, size_t i);

/* Frees what parallel_partition has allocated. */
void parallel_release(parallel_job *job);

/* Whether so many neuron-steps are worth releasing the GIL for. */
static inline int parallel_releases_gil(size_t neuron_steps)
{
    return neuron_steps > KEEP_GIL;
}

/* The core's error as an exception: NULL. */
PyObject *parallel_fail(snnc_status status);

/* Runs all ranges of the chunk at hand, without the GIL where that is worthwhile. A
 * chunk of one step (of a backward pass: of one segment) may be so long that it is done
 * in slices. Signals are checked before each slice but the first of a call. */
int parallel_run(parallel_job *job, int first);

#endif
