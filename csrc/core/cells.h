/* All cells, for one kind of `real` (cells/spike.h). */
#include "cells/spike.h"

#include "cells/alpha.h"
#include "cells/lapicque.h"
#include "cells/leaky.h"
#include "cells/lif.h"
#include "cells/synaptic.h"

SNNC_INLINE mask NAME(cell)(int model, real x, real *state, const real *param,
                            int reset, int undelayed)
{
    const mask none = {0};
    switch (model) {
#define SNNC_MODEL(name, states, params, graded, has_undelayed, hard) \
    case SNNC_##name: return NAME(name)(x, state, param, reset, undelayed);
#include "models.def"
#undef SNNC_MODEL
    }
    return none;
}
