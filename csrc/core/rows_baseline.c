/* The row functions for what every machine of this architecture can run. */
#include "rows.h"

#if defined(__GNUC__) && !defined(SNNC_ONE_ELEMENT)
#define SNNC_VECTOR_BYTES 16
#else
#define SNNC_VECTOR_BYTES 0
#endif
#include "table.inc.h"

const snnc_isa snnc_isa_baseline = {.name = "baseline", SNNC_TABLE};
