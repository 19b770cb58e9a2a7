/* Whoever has nothing to do takes the next part, so a worker that wakes up late is not
 * waited for. Workers spin for a while after their last part before they sleep: to
 * wake one up takes longer than many runs, and in virtual machines it may wait for
 * milliseconds behind the very thread that has woken it up. */
#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L
#endif
#include <fenv.h>
#include <stdint.h>
#include <string.h>

#include "threads.h"

#if defined(_WIN32)
#include <windows.h>
typedef volatile long long atomic;
static uint64_t load(atomic *a)
{
    return (uint64_t)InterlockedOr64(a, 0);
}
static uint64_t exchange(atomic *a, uint64_t value)
{
    return (uint64_t)InterlockedExchange64(a, (long long)value);
}
static uint64_t add_one(atomic *a)
{
    return (uint64_t)InterlockedExchangeAdd64(a, 1);
}
static int replace_if(atomic *a, uint64_t old, uint64_t value)
{
    const long long was = (long long)old;
    return InterlockedCompareExchange64(a, (long long)value, was) == was;
}
#else
#include <sched.h>
#if !defined(__wasm__)
#include <signal.h>
#endif
#include <stdatomic.h>
typedef _Atomic uint64_t atomic;
static uint64_t load(atomic *a)
{
    return atomic_load(a);
}
static uint64_t exchange(atomic *a, uint64_t value)
{
    return atomic_exchange(a, value);
}
static uint64_t add_one(atomic *a)
{
    return atomic_fetch_add(a, 1);
}
static int replace_if(atomic *a, uint64_t old, uint64_t value)
{
    return atomic_compare_exchange_strong(a, &old, value);
}
#endif

/* Before a thread sleeps; a test sets smaller ones. */
#if !defined(SPIN_COUNT)
#define SPIN_COUNT 2048 /* about 50 us */
#endif
#if !defined(YIELD_COUNT)
#define YIELD_COUNT 8192 /* some ms */
#endif

/* Waits a moment for another thread, for the n-th time: spins at first, later yields
 * the processor. 0: the thread should sleep. */
static int wait_a_moment(int times)
{
    if (times >= SPIN_COUNT + YIELD_COUNT)
        return 0;
#if defined(_WIN32)
    if (times >= SPIN_COUNT)
        SwitchToThread();
    else
        YieldProcessor();
#else
    if (times >= SPIN_COUNT)
        sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    else
        __builtin_ia32_pause();
#elif defined(__aarch64__)
    else
        __asm__ volatile("isb");
#endif
#endif
    return 1;
}

typedef struct {
    size_t number; /* of the thread, from 1 on */
    void *wake;    /* binary semaphore, initially taken: wakes the worker */
    atomic asleep;
} worker;

static snnc_threads_system sys;

static struct {
    void *busy; /* a lock, taken while a call uses the workers */
    void *done; /* binary semaphore: wakes the caller when all parts are done */
    worker workers[SNNC_MAX_THREADS - 1];
    atomic num_workers;

    /* The job. It can't change before all parts that were claimed are finished: so who
     * has claimed one reads what belongs to it. */
    void (*work)(void *job, size_t part);
    void *job;
    fenv_t modes;     /* of its floating-point arithmetic */
    uint64_t count;   /* of parts */
    atomic unclaimed; /* bit i: part i is not yet claimed */
    atomic finished;  /* parts */
    atomic waiting;   /* whether the call sleeps until all are */
} pool;

/* Does a part, if there is one: its own, which may be in its cache, or that of a
 * thread that is late. */
static int do_part(size_t thread)
{
    for (;;) {
        const uint64_t unclaimed = load(&pool.unclaimed);
        size_t part = thread;
        if (!unclaimed)
            return 0;
        while (!(unclaimed >> part & 1))
            part = (part + 1) % SNNC_MAX_THREADS;
        if (!replace_if(&pool.unclaimed, unclaimed, unclaimed & ~((uint64_t)1 << part)))
            continue;
        const uint64_t count = pool.count;
        if (thread > 0)
            fesetenv(&pool.modes);
        pool.work(pool.job, part);
        if (add_one(&pool.finished) + 1 == count && exchange(&pool.waiting, 0))
            sys.release(pool.done);
        return 1;
    }
}

#if !defined(_WIN32) && !defined(__wasm__)
/* Signals are for threads of the caller's, but for those of a thread's own faults: a
 * handler of these (such as Python's faulthandler) must see them. */
static void block_signals(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t blocked;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
}
#else
static void block_signals(void) /* there are none */
{
}
#endif

static void run_worker(void *argument)
{
    worker *const w = argument;

    block_signals();
    for (;;) {
        for (int times = 0; wait_a_moment(times); times++)
            if (do_part(w->number))
                times = -1;
        exchange(&w->asleep, 1);
        /* A job may have been published before `asleep` was set, so look again. If the
         * caller has cleared `asleep` already, it also releases w->wake, and acquire
         * returns. */
        if (!load(&pool.unclaimed) || !exchange(&w->asleep, 0))
            sys.acquire(w->wake, 1);
    }
}

/* A lock that is taken, or NULL. */
static void *new_taken_lock(void)
{
    void *lock = sys.new_lock();
    if (lock)
        sys.acquire(lock, 1);
    return lock;
}

/* One more worker, if there can be. */
static int start_worker(void)
{
    const unsigned long failed = (unsigned long)-1;
    const size_t number = snnc_threads_started() + 1;
    worker *const w = &pool.workers[number - 1];

    w->number = number;
    if (!w->wake)
        w->wake = new_taken_lock();
    if (!w->wake || sys.start(run_worker, w) == failed)
        return 0;
    add_one(&pool.num_workers);
    return 1;
}

static void wait_until_finished(void)
{
    for (int times = 0; load(&pool.finished) < pool.count; times++) {
        if (wait_a_moment(times))
            continue;
        exchange(&pool.waiting, 1);
        /* The last part may have been finished before `waiting` was set, so look again.
         * A late release for an earlier job may wake this thread too early: the loop
         * checks. */
        if (load(&pool.finished) < pool.count || !exchange(&pool.waiting, 0))
            sys.acquire(pool.done, 1);
    }
}

void snnc_threads_run(void (*work)(void *job, size_t part), void *job, size_t count)
{
    size_t helpers = count - 1;

    /* While the workers are at another call, this one is done here. */
    if (count < 2 || !sys.acquire(pool.busy, 0)) {
        for (size_t i = 0; i < count; i++)
            work(job, i);
        return;
    }
    while (snnc_threads_started() < helpers && start_worker())
        ;
    if (helpers > snnc_threads_started())
        helpers = snnc_threads_started();
    fegetenv(&pool.modes);
    pool.work = work;
    pool.job = job;
    pool.count = count;
    exchange(&pool.finished, 0);
    exchange(&pool.unclaimed, ~(uint64_t)0 >> (SNNC_MAX_THREADS - count));
    for (size_t i = 0; i < helpers; i++)
        if (exchange(&pool.workers[i].asleep, 0))
            sys.release(pool.workers[i].wake);
    while (do_part(0))
        ;
    wait_until_finished();
    sys.release(pool.busy);
}

size_t snnc_threads_started(void)
{
    return (size_t)load(&pool.num_workers);
}

/* The locks, but for those of workers. */
static int make_locks(void)
{
    pool.busy = sys.new_lock();
    pool.done = new_taken_lock();
    return pool.busy && pool.done ? 0 : -1;
}

int snnc_threads_init(const snnc_threads_system *system)
{
    if (pool.busy && pool.done)
        return 0;
    sys = *system;
    return make_locks();
}

int snnc_threads_reset_after_fork(void)
{
    memset(&pool, 0, sizeof pool); /* its locks may be held for ever */
    return make_locks();
}
