/* The row functions for AVX-512 (x86-64, where the compiler can target it by pragma).
 */
#include "rows.h"

#if defined(SNNC_HAVE_AVX512)

#if defined(__clang__)
#pragma clang attribute push(                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

#define SNNC_VECTOR_BYTES 64
#include "table.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

const snnc_isa snnc_isa_avx512 = {.name = "avx512", SNNC_TABLE};

#else
typedef int snnc_isa_avx512_is_not_built; /* ISO C wants something in every file */
#endif
