/* All row functions of one type: the cells of numbers, for single neurons and the
 * backward pass, and those of vectors. Included by table.inc.h once per type, with
 * `scalar` and SNNC_TYPE set. */
#include "lanes.inc.h"

#define real scalar
#define mask int
#define SNNC_SUFFIX SNNC_TYPE
#define SNNC_ADJOINTS
#include "cells.h"
#if !defined(SNNC_ROWS_ONLY)
#include "store.h"
#include "surrogates.h"

#include "adjoints.inc.h"
#endif
#undef SNNC_ADJOINTS
#undef SNNC_SUFFIX
#undef mask
#undef real

#if SNNC_VECTOR_BYTES
#define real T(vec)
#define mask T(vec_mask)
#define SNNC_SUFFIX T(vec)
#include "cells.h"
#undef mask
#undef real
#else
#define SNNC_SUFFIX SNNC_TYPE
#endif
#include "rows.inc.h"
#undef SNNC_SUFFIX
