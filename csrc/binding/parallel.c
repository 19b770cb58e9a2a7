/* See parallel.h. */
#define NO_IMPORT_ARRAY
#include "parallel.h"

#include <string.h>
#include <time.h>

/* Where the i-th of `count` equal parts of a range begins: at a multiple of `unit` from
 * its beginning. The part after the last begins where the range ends. */
static size_t cut(range whole, size_t unit, size_t i, size_t count)
{
    const size_t units = (whole.n1 - whole.n0) / unit;
    return i < count ? whole.n0 + units * i / count * unit : whole.n1;
}

int parallel_partition(parallel_job *job, size_t n, size_t unit, size_t threads)
{
    const range all = {0, n, SNNC_OK};

    job->unit = unit;
    job->num_ranges = threads;
    job->ranges = PyMem_Calloc(job->num_ranges, sizeof *job->ranges);
    if (job->workspace_size && job->workspace_size < PY_SSIZE_T_MAX / 2 / threads) {
        job->workspace_size = (job->workspace_size + 63) / 64 * 64;
        job->allocated = PyMem_Malloc(threads * job->workspace_size + 63);
        if (job->allocated)
            job->workspace =
                job->allocated + (64 - (uintptr_t)job->allocated % 64) % 64;
    }
    if (!job->ranges || (job->workspace_size && !job->allocated)) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < threads; i++) {
        job->ranges[i].n0 = cut(all, unit, i, threads);
        job->ranges[i].n1 = cut(all, unit, i + 1, threads);
    }
    return 0;
}

range parallel_range(const parallel_job *job, size_t i)
{
    range slice = job->ranges[i];
    slice.n0 = cut(job->ranges[i], job->unit, job->slice, job->num_slices);
    slice.n1 = cut(job->ranges[i], job->unit, job->slice + 1, job->num_slices);
    return slice;
}

void parallel_release(parallel_job *job)
{
    PyMem_Free(job->allocated);
    PyMem_Free(job->ranges);
}

PyObject *parallel_fail(snnc_status status)
{
    return PyErr_Format(PyExc_SystemError, "snnc: %s", snnc_strerror(status));
}

static void work(void *argument, size_t i)
{
    parallel_job *const job = argument;
    job->ranges[i].status = job->run(job, i);
}

/* How many neuron-steps the next chunk may have, after one of so many took so much of
 * the processors' time. */
static size_t next_work(size_t neuron_steps, clock_t taken, size_t threads)
{
    /* Times as much, or as little: a measurement may mislead. */
    enum { MAX_FACTOR = 8 };
    const double aim = (double)CLOCKS_PER_SEC / CHUNKS_PER_SECOND * (double)threads;
    const double factor = taken > 0 ? aim / (double)taken : MAX_FACTOR;

    if (factor >= MAX_FACTOR)
        return neuron_steps < SIZE_MAX / MAX_FACTOR ? neuron_steps * MAX_FACTOR
                                                    : SIZE_MAX;
    return factor * MAX_FACTOR <= 1 ? neuron_steps / MAX_FACTOR + 1
                                    : (size_t)(factor * (double)neuron_steps) + 1;
}

int parallel_run(parallel_job *job, int first)
{
    const size_t count = job->num_ranges, n = job->ranges[count - 1].n1;
    const size_t total = n * (job->t1 - job->t0);

    job->num_slices = total > job->work ? (total - 1) / job->work + 1 : 1;
    if (job->num_slices > n / job->unit)
        job->num_slices = n / job->unit ? n / job->unit : 1;
    for (job->slice = 0; job->slice < job->num_slices; job->slice++) {
        const int measured = total / job->num_slices >= job->work / 2;
        if (!first && PyErr_CheckSignals() < 0)
            return -1;
        first = 0;
        if (!parallel_releases_gil(job->cost ? total * job->cost : total))
            snnc_threads_run(work, job, count);
        else {
            const clock_t start = measured ? clock() : 0;
            Py_BEGIN_ALLOW_THREADS
            snnc_threads_run(work, job, count);
            Py_END_ALLOW_THREADS
            if (measured && job->slice + 1 == job->num_slices)
                job->work = next_work(total / job->num_slices, clock() - start, count);
        }
        for (size_t i = 0; i < count; i++)
            if (job->ranges[i].status != SNNC_OK) {
                parallel_fail(job->ranges[i].status);
                return -1;
            }
    }
    return 0;
}
