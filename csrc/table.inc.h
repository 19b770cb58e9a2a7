/* All that a table has of functions, for both types. Included once by the stub of an
 * instruction set, which has chosen the compiler's target and SNNC_VECTOR_BYTES; with
 * what its snnc_isa holds of them. */
#include "spikes.h"

#define real float
#define SNNC_SUFFIX f32
#include "rows.inc.h"
#include "store.h"
#if !defined(SNNC_FORWARD_ONLY)
#include "surrogates.h"

#include "adjoints.inc.h"
#endif
#undef real
#undef SNNC_SUFFIX

#define real double
#define SNNC_SUFFIX f64
#include "rows.inc.h"
#include "store.h"
#if !defined(SNNC_FORWARD_ONLY)
#include "surrogates.h"

#include "adjoints.inc.h"
#endif
#undef real
#undef SNNC_SUFFIX

#define SNNC_TABLE                                                                     \
    .rows = {&row_table_f32, &row_table_f64}, .tiles = {&tile_fns_f32, &tile_fns_f64}, \
    .pack = pack, .count = count, .first = first
#define SNNC_ADJOINTS .adjoints = {&adjoint_fns_f32, &adjoint_fns_f64}
