/* The only loop over neurons: a strip of them over STEPS consecutive steps, states in
 * registers. Included by a stub once per type, with `real` and SNNC_SUFFIX set. A
 * template in the manner of an inlined function whose constant arguments vanish. */
#ifndef STEPS
#define STEPS 1
#endif

#include "cells/spike.h"

#include "cells/alpha.h"
#include "cells/lapicque.h"
#include "cells/leaky.h"
#include "cells/synaptic.h"

SNNC_INLINE real NAME(cell)(int model, real x, real *state, const real *param,
                            int reset, int undelayed)
{
    switch (model) {
#define SNNC_MODEL(name, states, params, has_undelayed) \
    case SNNC_##name: return NAME(name)(x, state, param, reset, undelayed);
#include "models.def"
#undef SNNC_MODEL
    }
    return (real)0;
}

SNNC_INLINE void NAME(sweep)(const snnc_row *row, int model, int num_states,
                             int num_params, int reset, int undelayed, int per_neuron)
{
    const size_t n = row->n;
    const ptrdiff_t x_step = row->x_step, spk_step = row->spk_step;
    const real *const x = row->x;
    real *const spk = row->spk;
    const real *in[SNNC_MAX_STATES], *params[SNNC_MAX_PARAMS];
    real *out[SNNC_MAX_STATES], shared[SNNC_MAX_PARAMS];

    for (int k = 0; k < num_states; k++) {
        in[k] = row->state_in[k];
        out[k] = row->state_out[k];
    }
    for (int k = 0; k < num_params; k++) {
        params[k] = row->params[k];
        shared[k] = per_neuron ? (real)0 : params[k][0];
    }
    SNNC_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        real state[SNNC_MAX_STATES], param[SNNC_MAX_PARAMS];
        for (int k = 0; k < num_states; k++)
            state[k] = in[k][i];
        for (int k = 0; k < num_params; k++)
            param[k] = per_neuron ? params[k][i] : shared[k];
        for (int t = 0; t < STEPS; t++)
            spk[t * spk_step + (ptrdiff_t)i] = NAME(cell)(
                model, x[t * x_step + (ptrdiff_t)i], state, param, reset, undelayed);
        for (int k = 0; k < num_states; k++)
            out[k][i] = state[k];
    }
}

/* The row functions and their table, from models.def. ROW_IF_1 keeps its argument and
 * ROW_IF_0 drops it: whether the model has undelayed resets. */
#define SNNC_LIST(...) \
    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define ROW_IF_0(a)
#define ROW_IF_1(a) a

#define ROW_NAME(name, reset, undelayed, per_neuron) \
    NAME(row_##name##_##reset##_##undelayed##per_neuron)
#define ROW(name, states, params, reset, undelayed, per_neuron)                   \
    static void ROW_NAME(name, reset, undelayed, per_neuron)(const snnc_row *row) \
    {                                                                             \
        NAME(sweep)(row, SNNC_##name, states, params, SNNC_##reset, undelayed,    \
                    per_neuron);                                                  \
    }
#define ROW_PAIR(name, states, params, reset, undelayed) \
    ROW(name, states, params, reset, undelayed, 0)       \
    ROW(name, states, params, reset, undelayed, 1)
#define SNNC_MODEL(name, states, params, has_undelayed)                \
    ROW_PAIR(name, states, params, SUBTRACT, 0)                        \
    ROW_PAIR(name, states, params, ZERO, 0)                            \
    ROW_PAIR(name, states, params, NONE, 0)                            \
    ROW_IF_##has_undelayed(ROW_PAIR(name, states, params, SUBTRACT, 1) \
                               ROW_PAIR(name, states, params, ZERO, 1))
#include "models.def"
#undef SNNC_MODEL

#define ROW_NAMES(name, reset, undelayed) \
    {ROW_NAME(name, reset, undelayed, 0), ROW_NAME(name, reset, undelayed, 1)}
static const snnc_row_table NAME(row_table) = {
#define SNNC_MODEL(name, states, params, has_undelayed)                           \
    [SNNC_##name] = {                                                             \
        [SNNC_SUBTRACT] = {ROW_NAMES(name, SUBTRACT, 0),                          \
                           ROW_IF_##has_undelayed(ROW_NAMES(name, SUBTRACT, 1))}, \
        [SNNC_ZERO] = {ROW_NAMES(name, ZERO, 0),                                  \
                       ROW_IF_##has_undelayed(ROW_NAMES(name, ZERO, 1))},         \
        [SNNC_NONE] = {ROW_NAMES(name, NONE, 0)}},
#include "models.def"
#undef SNNC_MODEL
};

#undef ROW_NAMES
#undef ROW_PAIR
#undef ROW
#undef ROW_NAME
#undef ROW_IF_1
#undef ROW_IF_0
#undef SNNC_LIST
