/* All row functions of one instruction set, and SNNC_TABLE, the initializers of its
 * snnc_isa. Included once by that set's stub, which has chosen the compiler's target
 * and SNNC_VECTOR_BYTES. SNNC_FEW_DOUBLES: double rows only for models with hard resets
 * (SNNC_HARD_ONLY); the others are another table's. SNNC_STEP_BY_STEP: no sweeps, which
 * are there for speed alone; SNNC_MORE_SWEEPS: more kinds of them, of floats only. */
#include "spikes.h"

#define real float
#define SNNC_SUFFIX f32
#if !defined(SNNC_STEP_BY_STEP)
#define SNNC_MORE_SWEEPS
#endif
#include "rows.inc.h"
#include "store.h"
#include "surrogates.h"

#include "adjoints.inc.h"
#undef SNNC_MORE_SWEEPS
#undef real
#undef SNNC_SUFFIX

#define real double
#define SNNC_SUFFIX f64
#if defined(SNNC_FEW_DOUBLES)
#define SNNC_HARD_ONLY
#include "rows.inc.h"
#define SNNC_BOTH(name) {&name##_f32}
#else
#include "rows.inc.h"
#include "store.h"
#include "surrogates.h"

#include "adjoints.inc.h"
#define SNNC_BOTH(name) {&name##_f32, &name##_f64}
#endif
#undef real
#undef SNNC_SUFFIX

#define SNNC_TABLE                                                          \
    .rows = {&row_table_f32, &row_table_f64}, .tiles = SNNC_BOTH(tile_fns), \
    .adjoints = SNNC_BOTH(adjoint_fns), .pack = pack, .count = count, .first = first
