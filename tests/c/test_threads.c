/* threads.c under stress, with locks that are checked: jobs of all sizes, from several
 * threads, back to back and with pauses. Built twice: with the normal spin counts, and
 * with ones so small that workers sleep after every job. */
#include "core/threads.c"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLERS = 3, JOBS = 20000 };

typedef struct {
    size_t count;
    pthread_t caller;
    int alive, mode;
    int done[SNNC_MAX_THREADS];
} test_job;

static void fail(const char *what)
{
    fprintf(stderr, "threads: %s\n", what);
    abort();
}

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    int held;
} watched_lock;

static int locks_left = INT_MAX, starts_left = INT_MAX; /* the next ones fail */

static void *new_lock(void)
{
    if (locks_left-- <= 0)
        return NULL;
    watched_lock *lock = calloc(1, sizeof *lock);
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_cond_init(&lock->released, NULL);
    return lock;
}

static int acquire(void *argument, int wait)
{
    watched_lock *const lock = argument;
    pthread_mutex_lock(&lock->mutex);
    while (lock->held && wait)
        pthread_cond_wait(&lock->released, &lock->mutex);
    const int acquired = !lock->held;
    lock->held = 1;
    pthread_mutex_unlock(&lock->mutex);
    return acquired;
}

static void release(void *argument)
{
    watched_lock *const lock = argument;
    pthread_mutex_lock(&lock->mutex);
    if (!lock->held)
        fail("a lock is released that isn't held");
    lock->held = 0;
    pthread_cond_signal(&lock->released);
    pthread_mutex_unlock(&lock->mutex);
}

typedef struct {
    void (*function)(void *);
    void *argument;
} beginning;

static void *begin(void *argument)
{
    const beginning b = *(beginning *)argument;
    free(argument);
    b.function(b.argument);
    return NULL;
}

static unsigned long start(void (*function)(void *), void *argument)
{
    if (starts_left-- <= 0)
        return (unsigned long)-1;
    beginning *b = malloc(sizeof *b);
    pthread_t thread;
    b->function = function;
    b->argument = argument;
    if (pthread_create(&thread, NULL, begin, b) != 0)
        return (unsigned long)-1;
    pthread_detach(thread);
    return 0;
}

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void do_some(void *argument, size_t part)
{
    test_job *const job = argument;
    if (!job->alive || part >= job->count)
        fail("a part that isn't one");
    if (fegetround() != job->mode)
        fail("another mode of arithmetic");
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (sigismember(&blocked, SIGSEGV) || sigismember(&blocked, SIGABRT))
        fail("a fault that would not be seen");
    if (!pthread_equal(pthread_self(), job->caller) && !sigismember(&blocked, SIGINT))
        fail("a worker that takes the caller's signals");
    for (volatile unsigned i = 0; i < part * 50 % 700; i++)
        ;
    job->done[part]++;
}

static void *call(void *argument)
{
    static const int modes[2] = {FE_TONEAREST, FE_UPWARD};
    unsigned seed = (unsigned)(uintptr_t)argument;

    for (int i = 0; i < JOBS; i++) {
        test_job job = {1 + draw(&seed) % (draw(&seed) % 8 ? 4 : SNNC_MAX_THREADS),
                        pthread_self(),
                        1,
                        modes[draw(&seed) % 2],
                        {0}};
        fesetround(job.mode);
        snnc_threads_run(do_some, &job, job.count);
        for (size_t p = 0; p < SNNC_MAX_THREADS; p++)
            if (job.done[p] != (p < job.count))
                fail("parts that weren't done once");
        job.alive = 0;
        if (draw(&seed) % 64 == 0)
            for (volatile unsigned k = 0; k < draw(&seed) % 100000; k++)
                ;
    }
    return NULL;
}

static void share(size_t count)
{
    test_job job = {count, pthread_self(), 1, fegetround(), {0}};
    snnc_threads_run(do_some, &job, count);
    for (size_t p = 0; p < count; p++)
        if (job.done[p] != 1)
            fail("a part that wasn't done once");
}

/* Where the system has no locks or threads to give, jobs are done by those there are.
 */
static void run_short_of_threads(const snnc_threads_system *system)
{
    for (int locks = 0; locks < 2; locks++) {
        locks_left = locks;
        if (snnc_threads_init(system) == 0)
            fail("two locks of too few");
    }
    locks_left = 2;
    if (snnc_threads_init(system) != 0 || snnc_threads_init(system) != 0)
        fail("no locks");
    share(4); /* no lock for a worker */
    locks_left = INT_MAX;
    starts_left = 0;
    share(4);
    if (snnc_threads_started() != 0)
        fail("a worker that wasn't started");
    starts_left = 1;
    share(4);
    if (snnc_threads_started() != 1)
        fail("not as many workers as there can be");
    starts_left = INT_MAX;
}

int main(void)
{
    pthread_t callers[CALLERS];

    const snnc_threads_system system = {new_lock, acquire, release, start};
    run_short_of_threads(&system);
    for (uintptr_t i = 0; i < CALLERS; i++)
        pthread_create(&callers[i], NULL, call, (void *)(i + 1));
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    printf("threads: %d jobs, %zu workers\n", CALLERS * JOBS, snnc_threads_started());
    return snnc_threads_started() > 0 ? 0 : 1;
}
