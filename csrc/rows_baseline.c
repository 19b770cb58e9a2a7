/* The row functions for what every machine of this architecture can run. */
#include "rows.h"

#define SNNC_VECTOR_BYTES 16
#if !defined(SNNC_HAVE_AVX2) /* which is what most x86-64 use */
#define SNNC_FUSED
#endif
#include "table.inc.h"

const snnc_isa snnc_isa_baseline = {.name = "baseline", SNNC_TABLE};
