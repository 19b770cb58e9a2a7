/* What threads.c wants of Python, for its test: locks that must be held when they are
 * released, and threads. */
#ifndef FAKE_PYTHON_H
#define FAKE_PYTHON_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOWAIT_LOCK, WAIT_LOCK };

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    int held;
} *PyThread_type_lock;

typedef struct {
    void (*function)(void *);
    void *argument;
} fake_start;

static PyThread_type_lock PyThread_allocate_lock(void)
{
    PyThread_type_lock lock = calloc(1, sizeof *lock);
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_cond_init(&lock->released, NULL);
    return lock;
}

static int PyThread_acquire_lock(PyThread_type_lock lock, int wait)
{
    pthread_mutex_lock(&lock->mutex);
    while (lock->held && wait)
        pthread_cond_wait(&lock->released, &lock->mutex);
    const int acquired = !lock->held;
    lock->held = 1;
    pthread_mutex_unlock(&lock->mutex);
    return acquired;
}

static void PyThread_release_lock(PyThread_type_lock lock)
{
    pthread_mutex_lock(&lock->mutex);
    if (!lock->held) {
        fprintf(stderr, "a lock is released that isn't held\n");
        abort();
    }
    lock->held = 0;
    pthread_cond_signal(&lock->released);
    pthread_mutex_unlock(&lock->mutex);
}

static void *fake_run(void *argument)
{
    const fake_start start = *(fake_start *)argument;
    free(argument);
    start.function(start.argument);
    return NULL;
}

static unsigned long PyThread_start_new_thread(void (*function)(void *), void *argument)
{
    fake_start *start = malloc(sizeof *start);
    pthread_t thread;
    start->function = function;
    start->argument = argument;
    if (pthread_create(&thread, NULL, fake_run, start) != 0)
        return (unsigned long)-1;
    pthread_detach(thread);
    return 0;
}

#endif
