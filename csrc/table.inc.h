/* All that a table has of functions. Included once by the stub of an instruction set,
 * which has chosen the compiler's target and SNNC_VECTOR_BYTES; with what its snnc_isa
 * holds of them. SNNC_FLOAT_STEPS: only the steps of floats, which gain most from wide
 * vectors; the rest is another table's. SNNC_FUSED: the fused sweeps too. */
#include "spikes.h"

#define real float
#define SNNC_SUFFIX f32
#include "rows.inc.h"
#include "store.h"
#if !defined(SNNC_FLOAT_STEPS)
#include "surrogates.h"

#include "adjoints.inc.h"
#undef SNNC_FUSED /* of doubles there are none */
#endif
#undef real
#undef SNNC_SUFFIX

#if defined(SNNC_FLOAT_STEPS)

#define SNNC_TABLE                                                                    \
    .rows = {&row_table_f32}, .tiles = {&tile_fns_f32}, .pack = pack, .count = count, \
    .first = first

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
