/* threads.c under stress, with locks that are watched: jobs of all sizes, from several
 * threads, on the heels of each other and apart. Built so that threads sleep at once,
 * and so that they hardly do. */
#include <fenv.h>
#include <stdint.h>

#include "threads.c"

enum { CALLERS = 3, JOBS = 20000 };

typedef struct {
    size_t count;
    int alive, mode;
    int done[THREADS_MOST];
} test_job;

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fail(const char *what)
{
    fprintf(stderr, "threads: %s\n", what);
    abort();
}

static void do_some(void *argument, size_t piece)
{
    test_job *const job = argument;
    if (!job->alive || piece >= job->count)
        fail("a piece that isn't one");
    if (fegetround() != job->mode)
        fail("another mode of arithmetic");
    for (volatile unsigned i = 0; i < piece * 50 % 700; i++)
        ;
    job->done[piece]++;
}

static void *call(void *argument)
{
    static const int modes[2] = {FE_TONEAREST, FE_UPWARD};
    unsigned seed = (unsigned)(uintptr_t)argument;

    for (int i = 0; i < JOBS; i++) {
        test_job job = {1 + draw(&seed) % (draw(&seed) % 8 ? 4 : THREADS_MOST),
                        1,
                        modes[draw(&seed) % 2],
                        {0}};
        fesetround(job.mode);
        threads_share(do_some, &job, job.count);
        for (size_t p = 0; p < THREADS_MOST; p++)
            if (job.done[p] != (p < job.count))
                fail("pieces that weren't done once");
        job.alive = 0;
        if (draw(&seed) % 64 == 0)
            for (volatile unsigned k = 0; k < draw(&seed) % 100000; k++)
                ;
    }
    return NULL;
}

int main(void)
{
    pthread_t callers[CALLERS];

    if (threads_init() != 0)
        return 1;
    for (uintptr_t i = 0; i < CALLERS; i++)
        pthread_create(&callers[i], NULL, call, (void *)(i + 1));
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    printf("threads: %d jobs, %zu workers\n", CALLERS * JOBS, threads_started());
    return threads_started() > 0 ? 0 : 1;
}
