/* The row functions for AVX2 (x86-64, where the compiler can target it by pragma). */
#include "rows.h"

#if defined(SNNC_HAVE_AVX2)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define SNNC_VECTOR_BYTES 32
#include "table.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

const snnc_isa snnc_isa_avx2 = {.name = "avx2", SNNC_TABLE};

#else
typedef int snnc_isa_avx2_is_not_built; /* ISO C wants something in every file */
#endif
