/* A pool of threads for the parts of a call; it knows nothing of Python. */
#ifndef SNNC_THREADS_H
#define SNNC_THREADS_H

#include <stddef.h>

enum { SNNC_MAX_THREADS = 64 }; /* the caller's among them */

/* Locks and threads as the caller's system has them: those of Python's PyThread. */
typedef struct {
    void *(*new_lock)(void);              /* not taken; NULL without memory */
    int (*acquire)(void *lock, int wait); /* whether it was taken now */
    void (*release)(void *lock);          /* by any thread */
    unsigned long (*start)(void (*function)(void *), void *argument); /* -1: failed */
} snnc_threads_system;

/* Before all others: 0, or -1 without memory. */
int snnc_threads_init(const snnc_threads_system *system);

/* Calls work(job, part) for every part below count (SNNC_MAX_THREADS at most), and
 * returns when all have returned: on as many threads or fewer, this one among them.
 * Needs no GIL. */
void snnc_threads_run(void (*work)(void *job, size_t part), void *job, size_t count);

/* How many threads have been started. */
size_t snnc_threads_started(void);

/* In a forked child, which has none of its parent's threads: 0, or -1 without memory.
 */
int snnc_threads_reset_after_fork(void);

#endif
