/* Which tables of row functions this machine can run. */
#include <string.h>

#include "rows.h"

static int always(void)
{
    return 1;
}

/* __builtin_cpu_supports also checks that the system saves the vector registers. */
#if defined(SNNC_HAVE_AVX2)
static int have_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
}
#endif

#if defined(SNNC_HAVE_AVX512)
static int have_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/* VBMI2 excludes the first processors with AVX-512, which lower their clock for it. */
static int prefer_avx512(void)
{
    return have_avx512() && __builtin_cpu_supports("avx512vbmi2");
}
#endif

/* Slowest first; the last preferred one is used by default. */
static const struct {
    const snnc_isa *isa;
    int (*supported)(void);
    int (*preferred)(void);
} known[] = {
    {&snnc_isa_baseline, always, always},
#if defined(SNNC_HAVE_AVX2)
    {&snnc_isa_avx2, have_avx2, have_avx2},
#endif
#if defined(SNNC_HAVE_AVX512)
    {&snnc_isa_avx512, have_avx512, prefer_avx512},
#endif
};

enum { NUM_KNOWN = sizeof known / sizeof known[0] };

const snnc_isa *snnc_isa_find(const char *name)
{
    for (int i = NUM_KNOWN - 1; i >= 0; i--)
        if (!name && known[i].preferred())
            return known[i].isa;
        else if (name && strcmp(name, known[i].isa->name) == 0)
            return known[i].supported() ? known[i].isa : NULL;
    return NULL;
}

const char *snnc_isa_name_at(int index)
{
    return index >= 0 && index < NUM_KNOWN ? known[index].isa->name : NULL;
}

const char *snnc_isa_name(const snnc_isa *isa)
{
    return isa ? isa->name : NULL;
}
