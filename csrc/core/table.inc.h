/* All row functions of one instruction set, and SNNC_TABLE, the initializers of its
 * snnc_isa. Included once by that set's stub, which has chosen the compiler's target
 * and SNNC_VECTOR_BYTES. */
/* With -O2 GCC vectorises only loops that need no remainder. Not without vector types:
 * with -O1 GCC 12 then changes bits of sums in double. */
#if defined(__GNUC__) && !defined(__clang__) && SNNC_VECTOR_BYTES
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
/* Scheduled twice, code is hardly faster where the processor does that too, but
 * compresses worse, which is 24 kB of the wheel. */
#if defined(__x86_64__)
#pragma GCC optimize("no-schedule-insns2")
#endif
#endif

#include "spikes.h"

#define scalar float
#define SNNC_TYPE f32
#include "type.inc.h"
#undef scalar
#undef SNNC_TYPE

#define scalar double
#define SNNC_TYPE f64
#include "type.inc.h"
#undef scalar
#undef SNNC_TYPE

#define SNNC_BOTH(name) {&name##_f32, &name##_f64}
#define SNNC_TABLE                                                                \
    .rows = SNNC_BOTH(row_table), .tiles = SNNC_BOTH(tile_fns),                   \
    .adjoints = SNNC_BOTH(adjoint_fns), .sums = SNNC_BOTH(sum_fns), .pack = pack, \
    .count = count, .first = first, .list_bytes = list_bytes, .list_bits = list_bits
