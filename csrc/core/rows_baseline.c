/* The row functions for what every machine of this architecture can run. */
#include "rows.h"

/* Not 32-bit ARM, whose vectors flush subnormals to zero, nor big-endian processors,
 * whose lanes are the other way round. */
#if defined(__GNUC__) && !defined(SNNC_ONE_ELEMENT) && \
    (defined(__SSE2__) || defined(__AARCH64EL__))
#define SNNC_VECTOR_BYTES 16
#else
#define SNNC_VECTOR_BYTES 0
#endif
#include "table.inc.h"

const snnc_isa snnc_isa_baseline = {.name = "baseline", SNNC_TABLE};
