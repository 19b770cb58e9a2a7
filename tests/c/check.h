/* What the tests of the core share: checks, memory between guard pages, numbers. */
#ifndef SNNC_CHECK_H
#define SNNC_CHECK_H

#define _DEFAULT_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snnc.h"

static int failures, checks;

#define CHECK(condition)                                                            \
    do {                                                                            \
        checks++;                                                                   \
        if (!(condition)) {                                                         \
            failures++;                                                             \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                           \
    } while (0)

/* A buffer between two pages that can't be touched. `at_end`: it ends where the second
 * page starts, else it starts where the first one ends. */
typedef struct {
    char *pages;
    size_t room;
} guarded;

static guarded guarded_new(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g;
    g.room = (bytes + page - 1) / page * page;
    g.pages =
        mmap(NULL, g.room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.pages == MAP_FAILED ||
        mprotect(g.pages + page, g.room, PROT_READ | PROT_WRITE))
        abort();
    g.pages += page;
    return g;
}

static void *guarded_at(const guarded *g, size_t bytes, int at_end)
{
    return g->pages + (at_end ? g->room - bytes : 0);
}

static size_t size_of(snnc_type type)
{
    return type == SNNC_F32 ? 4 : type == SNNC_F64 ? 8 : 1;
}

static uint32_t seed;

/* Uniform in [0, 1). */
static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) / 16777216.0;
}

#endif
