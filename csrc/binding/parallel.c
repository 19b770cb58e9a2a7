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

int parallel_partition(parallel_job *c, size_t n, size_t unit, size_t threads)
{
    const range all = {0, n, SNNC_OK};

    c->unit = unit;
    c->num_ranges = threads;
    c->ranges = PyMem_Calloc(c->num_ranges, sizeof *c->ranges);
    if (c->workspace_size && c->workspace_size < PY_SSIZE_T_MAX / 2 / threads) {
        c->workspace_size = (c->workspace_size + 63) / 64 * 64;
        c->allocated = PyMem_Malloc(threads * c->workspace_size + 63);
        if (c->allocated)
            c->workspace = c->allocated + (64 - (uintptr_t)c->allocated % 64) % 64;
    }
    if (!c->ranges || (c->workspace_size && !c->allocated)) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < threads; i++) {
        c->ranges[i].n0 = cut(all, unit, i, threads);
        c->ranges[i].n1 = cut(all, unit, i + 1, threads);
    }
    return 0;
}

range parallel_range(const parallel_job *c, size_t i)
{
    range part = c->ranges[i];
    part.n0 = cut(c->ranges[i], c->unit, c->part, c->num_parts);
    part.n1 = cut(c->ranges[i], c->unit, c->part + 1, c->num_parts);
    return part;
}

void parallel_release(parallel_job *c)
{
    PyMem_Free(c->allocated);
    PyMem_Free(c->ranges);
}

PyObject *parallel_fail(snnc_status status)
{
    return PyErr_Format(PyExc_SystemError, "snnc: %s", snnc_strerror(status));
}

static void work(void *job, size_t i)
{
    parallel_job *const c = job;
    c->ranges[i].status = c->run(c, i);
}

/* How many neuron-steps the next chunk may have, after one of so many took so much of
 * the processors' time. */
static size_t next_work(size_t steps, clock_t taken, size_t threads)
{
    enum { MOST = 8 }; /* times as much, or as little: a measurement may mislead */
    const double aim = (double)CLOCKS_PER_SEC / CHUNKS_PER_SECOND * (double)threads;
    const double factor = taken > 0 ? aim / (double)taken : MOST;

    if (factor >= MOST)
        return steps < SIZE_MAX / MOST ? steps * MOST : SIZE_MAX;
    return factor * MOST <= 1 ? steps / MOST + 1 : (size_t)(factor * (double)steps) + 1;
}

int parallel_run(parallel_job *c, int first)
{
    const size_t count = c->num_ranges, n = c->ranges[count - 1].n1;
    const size_t total = n * (c->t1 - c->t0);

    c->num_parts = total > c->work ? (total - 1) / c->work + 1 : 1;
    if (c->num_parts > n / c->unit)
        c->num_parts = n / c->unit ? n / c->unit : 1;
    for (c->part = 0; c->part < c->num_parts; c->part++) {
        const int measured = total / c->num_parts >= c->work / 2;
        if (!first && PyErr_CheckSignals() < 0)
            return -1;
        first = 0;
        if (!parallel_releases_gil(total))
            threads_share(work, c, count);
        else {
            const clock_t start = measured ? clock() : 0;
            Py_BEGIN_ALLOW_THREADS
            threads_share(work, c, count);
            Py_END_ALLOW_THREADS
            if (measured && c->part + 1 == c->num_parts)
                c->work = next_work(total / c->num_parts, clock() - start, count);
        }
        for (size_t i = 0; i < count; i++)
            if (c->ranges[i].status != SNNC_OK) {
                parallel_fail(c->ranges[i].status);
                return -1;
            }
    }
    return 0;
}
