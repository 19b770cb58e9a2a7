/* The row functions for what every machine of this architecture can run. */
#include "rows.h"

#define SNNC_VECTOR_BYTES 16
#if defined(SNNC_HAVE_AVX2) /* which nearly all processors of the kind have */
#define SNNC_STEP_BY_STEP
#endif
#include "table.inc.h"

const snnc_isa snnc_isa_baseline = {.name = "baseline", SNNC_TABLE};
