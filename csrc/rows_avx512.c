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
#include "spikes.h"

#define real float
#define SNNC_SUFFIX f32
#include "rows.inc.h"
#include "store.h"
#undef real
#undef SNNC_SUFFIX

#define real double
#define SNNC_SUFFIX f64
#include "rows.inc.h"
#include "store.h"
#undef real
#undef SNNC_SUFFIX

#if defined(__clang__)
#pragma clang attribute pop
#endif

#define TABLE                                                              \
    .name = "avx512", .rows = {&row_table_f32, &row_table_f64},            \
    .tiles = {&tile_fns_f32, &tile_fns_f64}, .pack = pack, .count = count, \
    .first = first

const snnc_isa snnc_isa_avx512 = {TABLE};
const snnc_isa snnc_isa_avx512_long = {TABLE, .narrower = &snnc_isa_avx2,
                                       .shortest = 256};

#else
typedef int snnc_isa_avx512_is_not_built; /* ISO C wants something in every file */
#endif
