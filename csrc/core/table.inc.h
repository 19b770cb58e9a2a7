/* All row functions of one instruction set, and SNNC_TABLE, the initializers of its
 * snnc_isa. Included once by that set's stub, which has chosen the compiler's target
 * and SNNC_VECTOR_BYTES. SNNC_FLOATS_ONLY: but for forward rows, those of doubles are
 * another table's. */
/* With -O2 GCC vectorises only loops that need no remainder. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include "spikes.h"

#define scalar float
#define SNNC_TYPE f32
#include "type.inc.h"
#undef scalar
#undef SNNC_TYPE

#define scalar double
#define SNNC_TYPE f64
#if defined(SNNC_FLOATS_ONLY)
#define SNNC_ROWS_ONLY
#define SNNC_BOTH(name) {&name##_f32}
#else
#define SNNC_BOTH(name) {&name##_f32, &name##_f64}
#endif
#include "type.inc.h"
#undef scalar
#undef SNNC_TYPE

#define SNNC_TABLE                                                          \
    .rows = {&row_table_f32, &row_table_f64}, .tiles = SNNC_BOTH(tile_fns), \
    .adjoints = SNNC_BOTH(adjoint_fns), .pack = pack, .count = count, .first = first
