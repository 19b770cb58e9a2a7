/* All row functions of one type: the cells of numbers, for single neurons, and those of
 * vectors, with the adjoints. Included by table.inc.h once per type, with `scalar` and
 * SNNC_TYPE set. */
#include "store.h"

#if SNNC_VECTOR_BYTES
#define real scalar
#define mask int
#define SNNC_SUFFIX SNNC_TYPE
#include "cells.h"
#undef SNNC_SUFFIX
#undef mask
#undef real
#define SNNC_SUFFIX T(vec)
#else
#define SNNC_SUFFIX SNNC_TYPE
#endif

#define real T(vec)
#define mask T(vec_mask)
#define SNNC_ADJOINTS
#include "cells.h"
#include "surrogates.h"

/* How many names models.def lists. */
#define SNNC_LIST(...) \
    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#include "adjoints.inc.h"
#include "rows.inc.h"
#include "sums.inc.h"
#undef SNNC_LIST
#undef SNNC_ADJOINTS
#undef SNNC_SUFFIX
#undef mask
#undef real
