/* Which tables of row functions this machine can run. */
#include <string.h>

#include "rows.h"

static int always(void)
{
    return 1;
}

#if defined(SNNC_HAVE_AVX2)
static int have_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") !=
           0; /* asks the system too: saved registers */
}
#endif

/* Slowest first. */
static const struct {
    const snnc_isa *isa;
    int (*supported)(void);
} known[] = {
    {&snnc_isa_baseline, always},
#if defined(SNNC_HAVE_AVX2)
    {&snnc_isa_avx2, have_avx2},
#endif
};

enum { NUM_KNOWN = sizeof known / sizeof known[0] };

const snnc_isa *snnc_isa_find(const char *name)
{
    for (int i = NUM_KNOWN - 1; i >= 0; i--)
        if ((!name || strcmp(name, known[i].isa->name) == 0) && known[i].supported())
            return known[i].isa;
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
