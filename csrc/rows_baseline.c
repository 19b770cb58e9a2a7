/* The row functions for what every machine of this architecture can run. */
#include "rows.h"

#define SNNC_VECTOR_BYTES 16
#include "table.inc.h"

const snnc_isa snnc_isa_baseline = {.name = "baseline", SNNC_TABLE};
