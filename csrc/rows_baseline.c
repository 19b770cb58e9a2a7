/* The row functions for what every machine of this architecture can run. */
#include "rows.h"

#define SNNC_VECTOR_BYTES 16
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

const snnc_isa snnc_isa_baseline = {
    .name = "baseline",
    .rows = {&row_table_f32, &row_table_f64},
    .tiles = {&tile_fns_f32, &tile_fns_f64},
    .pack = pack,
    .count = count,
    .first = first,
};
