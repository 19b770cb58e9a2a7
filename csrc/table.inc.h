/* All that a table has of functions. Included once by the stub of an instruction set,
 * which has chosen the compiler's target and SNNC_VECTOR_BYTES; with what its snnc_isa
 * holds of them. SNNC_FLOATS: only floats', which gain most from wide vectors; doubles'
 * are another table's. SNNC_STEP_BY_STEP: without what is there for speed alone, the
 * sweeps; more kinds of them (SNNC_MORE_SWEEPS) are of floats only. */
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

#if defined(SNNC_FLOATS)

#define SNNC_TABLE                                      \
    .rows = {&row_table_f32}, .tiles = {&tile_fns_f32}, \
    .adjoints = {&adjoint_fns_f32}, .pack = pack, .count = count, .first = first

#else

#define real double
#define SNNC_SUFFIX f64
#include "rows.inc.h"
#include "store.h"
#include "surrogates.h"

#include "adjoints.inc.h"
#undef real
#undef SNNC_SUFFIX

#define SNNC_TABLE                                                                     \
    .rows = {&row_table_f32, &row_table_f64}, .tiles = {&tile_fns_f32, &tile_fns_f64}, \
    .adjoints = {&adjoint_fns_f32, &adjoint_fns_f64}, .pack = pack, .count = count,    \
    .first = first

#endif
