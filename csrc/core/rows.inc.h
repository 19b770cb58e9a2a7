/* The forward loop over neurons: a strip of them over one or several consecutive steps,
 * states in registers. Included by a stub once per type, with `real` and SNNC_SUFFIX
 * set. A template: an inlined function whose constant arguments the compiler folds. */

#include "cells/spike.h"

#include "cells/alpha.h"
#include "cells/lapicque.h"
#include "cells/leaky.h"
#include "cells/lif.h"
#include "cells/synaptic.h"

SNNC_INLINE int NAME(cell)(int model, real x, real *state, const real *param, int reset,
                           int undelayed)
{
    switch (model) {
#define SNNC_MODEL(name, states, params, graded, has_undelayed, hard) \
    case SNNC_##name: return NAME(name)(x, state, param, reset, undelayed);
#include "models.def"
#undef SNNC_MODEL
    }
    return 0;
}

/* All inputs are read before a spike is written, and a sweep's states are updated in
 * place or (`traced`) written after each step: so compilers see by themselves that
 * steps and neurons don't interfere. */
SNNC_INLINE void NAME(strip)(const snnc_row *row, int model, int num_states,
                             int num_params, int reset, int undelayed, int spikes,
                             int per_neuron, int steps, int traced)
{
    const size_t n = row->n;
    const real *x[SNNC_SWEEP_STEPS], *in[SNNC_MAX_STATES], *params[SNNC_MAX_PARAMS];
    real *out[SNNC_SWEEP_STEPS * SNNC_MAX_STATES], shared[SNNC_MAX_PARAMS];
    real *reals[SNNC_SWEEP_STEPS];
    uint8_t *bytes[SNNC_SWEEP_STEPS];
    const int written = traced ? steps : 1; /* states, of so many steps */

    for (int t = 0; t < steps; t++) {
        x[t] = (const real *)row->x + t * row->x_step;
        reals[t] = (real *)row->spk + t * row->spk_step;
        bytes[t] = (uint8_t *)row->spk + t * row->spk_step;
    }
    for (int k = 0; k < num_states; k++) {
        for (int t = 0; t < written; t++)
            out[t * num_states + k] =
                (real *)row->state_out[k] + t * row->state_step[k];
        in[k] = steps > 1 && !traced ? out[k] : row->state_in[k];
    }
    for (int k = 0; k < num_params; k++) {
        params[k] = row->params[k];
        shared[k] = per_neuron ? (real)0 : params[k][0];
    }
    SNNC_IVDEP
    for (size_t i = 0; i < n; i++) {
        real state[SNNC_MAX_STATES], param[SNNC_MAX_PARAMS], input[SNNC_SWEEP_STEPS];
        real after[SNNC_SWEEP_STEPS * SNNC_MAX_STATES];
        int fired[SNNC_SWEEP_STEPS];
        for (int k = 0; k < num_states; k++)
            state[k] = in[k][i];
        for (int k = 0; k < num_params; k++)
            param[k] = per_neuron ? params[k][i] : shared[k];
        for (int t = 0; t < steps; t++)
            input[t] = x[t][i];
        for (int t = 0; t < steps; t++) {
            fired[t] = NAME(cell)(model, input[t], state, param, reset, undelayed);
            for (int k = 0; k < num_states; k++)
                after[(traced ? t : 0) * num_states + k] = state[k];
        }
        for (int t = 0; t < steps; t++)
            if (spikes == SNNC_BYTES)
                bytes[t][i] = (uint8_t)fired[t];
            else
                reals[t][i] = NAME(spike)(fired[t]);
        for (int j = 0; j < written * num_states; j++)
            out[j][i] = after[j];
    }
}

/* Makes `part`, a copy of a strip, begin with its neuron i; but not the spikes. */
SNNC_INLINE void NAME(begin_at)(snnc_row *part, const snnc_row *row, size_t i,
                                int num_states, int num_params, int per_neuron)
{
    part->x = (const real *)row->x + i;
    for (int k = 0; k < num_states; k++) {
        part->state_in[k] = (const real *)row->state_in[k] + i;
        part->state_out[k] = (real *)row->state_out[k] + i;
    }
    for (int k = 0; k < num_params && per_neuron; k++)
        part->params[k] = (const real *)row->params[k] + i;
}

#if defined(SNNC_STREAMED)
/* A sweep, or (`traced`) a trace, whose spikes bypass the caches (non-temporal stores),
 * a line at a time, as do the states but the last ones, which are read next. What is
 * not whole lines is an ordinary sweep's. */
SNNC_INLINE void NAME(streamed)(const snnc_row *row, snnc_row_fn *ordinary, int model,
                                int num_states, int num_params, int reset, int traced)
{
    enum { LINE = SNNC_VECTOR_BYTES / sizeof(real), LAST = SNNC_SWEEP_STEPS - 1 };
    _Alignas(SNNC_VECTOR_BYTES) real spk[SNNC_SWEEP_STEPS * LINE],
        after[SNNC_MAX_STATES][SNNC_SWEEP_STEPS * LINE];
    const size_t n = row->n, past = (uintptr_t)row->spk / sizeof(real) % LINE;
    snnc_row line = *row, edge = *row;
    size_t i = past ? LINE - past : 0;

    if (i > 0) {
        edge.n = i < n ? i : n;
        ordinary(&edge);
    }
    line.n = LINE;
    line.spk = spk;
    line.spk_step = LINE;
    for (; i + LINE <= n; i += LINE) {
        NAME(begin_at)(&line, row, i, num_states, num_params, 0);
        for (int k = 0; k < num_states && traced; k++) {
            line.state_out[k] = after[k];
            line.state_step[k] = LINE;
        }
        NAME(strip)(&line, model, num_states, num_params, reset, 0, SNNC_REALS, 0,
                    SNNC_SWEEP_STEPS, traced);
        for (int t = 0; t < SNNC_SWEEP_STEPS; t++)
            stream_line((real *)row->spk + t * row->spk_step + i, spk + t * LINE);
        for (int k = 0; k < num_states && traced; k++) {
            real *const out = (real *)row->state_out[k] + i;
            for (int t = 0; t < LAST; t++)
                stream_line(out + t * row->state_step[k], after[k] + t * LINE);
            memcpy(out + LAST * row->state_step[k], after[k] + LAST * LINE,
                   LINE * sizeof(real));
        }
    }
    end_stream();
    if (i < n) {
        NAME(begin_at)(&edge, row, i, num_states, num_params, 0);
        edge.n = n - i;
        edge.spk = (real *)row->spk + i;
        ordinary(&edge);
    }
}
#endif

/* One neuron: nothing to sweep over, only the latency of its own steps. */
SNNC_INLINE void NAME(chain)(const snnc_row *row, int model, int num_states,
                             int num_params, int reset, int undelayed, int spikes)
{
    const size_t num_steps = row->num_steps;
    const ptrdiff_t x_step = row->x_step, spk_step = row->spk_step;
    const real *x = row->x;
    real *reals = row->spk, *out[SNNC_MAX_STATES];
    uint8_t *bytes = row->spk;
    real state[SNNC_MAX_STATES], param[SNNC_MAX_PARAMS];
    ptrdiff_t state_step[SNNC_MAX_STATES];

    for (int k = 0; k < num_states; k++) {
        state[k] = *(const real *)row->state_in[k];
        out[k] = row->state_out[k];
        state_step[k] = row->state_step[k];
    }
    for (int k = 0; k < num_params; k++)
        param[k] = *(const real *)row->params[k];
    for (size_t t = 0; t < num_steps; t++) {
        const int fired = NAME(cell)(model, *x, state, param, reset, undelayed);
        if (spikes == SNNC_BYTES)
            *bytes = (uint8_t)fired;
        else
            *reals = NAME(spike)(fired);
        x += x_step;
        reals += spk_step;
        bytes += spk_step;
        for (int k = 0; k < num_states; k++) {
            *out[k] = state[k];
            out[k] += state_step[k];
        }
    }
}

/* Bytes of 0 and 1 by way of reals, for a type so wide that they would be many vectors:
 * a row function that writes reals, a few neurons at a time, and a loop that narrows
 * them. */
SNNC_NOINLINE void NAME(narrowed)(const snnc_row *row, snnc_row_fn *reals,
                                  int num_states, int num_params, int per_neuron,
                                  int steps)
{
    real spk[SNNC_NARROWED_BYTES / sizeof(real)];
    const size_t width = sizeof spk / sizeof *spk / (size_t)steps;
    snnc_row part = *row;

    part.spk = spk;
    part.spk_step = (ptrdiff_t)width;
    for (size_t i = 0; i < row->n; i += width) {
        const size_t n = row->n - i < width ? row->n - i : width;
        part.n = n;
        NAME(begin_at)(&part, row, i, num_states, num_params, per_neuron);
        reals(&part);
        for (int t = 0; t < steps; t++) {
            uint8_t *const bytes = (uint8_t *)row->spk + t * row->spk_step + i;
            SNNC_IVDEP
            for (size_t j = 0; j < n; j++)
                bytes[j] = (uint8_t)(int)spk[(size_t)t * width + j];
        }
    }
}

/* The row functions and their table, from models.def. ROW_IF_1 keeps its argument and
 * ROW_IF_0 drops it: whether the model has undelayed resets. ROW_UNLESS_0 and
 * ROW_UNLESS_1 are the opposite: whether there are other resets than hard ones.
 * ROW_BUILT_0 and ROW_BUILT_1: whether such models are built at all. */
#define SNNC_LIST(...) \
    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define ROW_IF_0(...)
#define ROW_IF_1(...) __VA_ARGS__
#define ROW_UNLESS_0(...) __VA_ARGS__
#define ROW_UNLESS_1(...)
#if defined(SNNC_HARD_ONLY)
#define ROW_BUILT_0 ROW_IF_0
#else
#define ROW_BUILT_0 ROW_IF_1
#endif
#define ROW_BUILT_1 ROW_IF_1

#define ROW_NAME(kind, spikes, name, reset, undelayed) \
    NAME(kind##_##spikes##_##name##_##reset##_##undelayed)
/* Whether bytes go by way of reals; vectors with masks do without. */
#define NARROWS (sizeof(real) > sizeof(float) && SNNC_VECTOR_BYTES < 64)
#define ROW(kind, spikes, name, states, params, reset, undelayed, per_neuron, steps,   \
            traced)                                                                    \
    static void ROW_NAME(kind, spikes, name, reset, undelayed)(const snnc_row *row)    \
    {                                                                                  \
        if (SNNC_##spikes == SNNC_BYTES && NARROWS)                                    \
            NAME(narrowed)(row, ROW_NAME(kind, REALS, name, reset, undelayed), states, \
                           params, per_neuron, steps);                                 \
        else                                                                           \
            NAME(strip)(row, SNNC_##name, states, params, SNNC_##reset, undelayed,     \
                        SNNC_##spikes, per_neuron, steps, traced);                     \
    }
#define ROW_PAIR(kind, spikes, name, reset, undelayed) \
    {ROW_NAME(kind, spikes, name, reset, undelayed),   \
     ROW_NAME(kind##_each, spikes, name, reset, undelayed)}
#define ROWS_OF(kind, spikes, name, states, params, reset, undelayed, steps, traced) \
    ROW(kind, spikes, name, states, params, reset, undelayed, 0, steps, traced)      \
    ROW(kind##_each, spikes, name, states, params, reset, undelayed, 1, steps, traced)

/* SWEEPS_0 and TRACES_00 are those of models that have other resets than hard ones; a
 * sweep of others (more values than registers) is slower than single steps. TRACES_00
 * are those of delayed resets. */
#define SWEEPS_1(name, states, params, reset, undelayed)
#define SWEEP_PAIR_1(spikes, name, reset, undelayed) {NULL, NULL}
#if defined(SNNC_STEP_BY_STEP)
#define SWEEPS_0 SWEEPS_1
#define SWEEP_PAIR_0 SWEEP_PAIR_1
#else
#define SWEEPS_0(name, states, params, reset, undelayed)                               \
    ROWS_OF(sweep, REALS, name, states, params, reset, undelayed, SNNC_SWEEP_STEPS, 0) \
    ROWS_OF(sweep, BYTES, name, states, params, reset, undelayed, SNNC_SWEEP_STEPS, 0)
#define SWEEP_PAIR_0(spikes, name, reset, undelayed) \
    ROW_PAIR(sweep, spikes, name, reset, undelayed)
#endif
#define TRACES_01(name, states, params, reset)
#define TRACES_10 TRACES_01
#define TRACES_11 TRACES_01
#define TRACE_NAMES_01(name, reset) {NULL, NULL}, NULL, NULL
#define TRACE_NAMES_10 TRACE_NAMES_01
#define TRACE_NAMES_11 TRACE_NAMES_01
#if defined(SNNC_STREAMED)
#define STREAM(kind, of, name, states, params, reset, traced)                         \
    static void ROW_NAME(kind, REALS, name, reset, 0)(const snnc_row *row)            \
    {                                                                                 \
        NAME(streamed)(row, ROW_NAME(of, REALS, name, reset, 0), SNNC_##name, states, \
                       params, SNNC_##reset, traced);                                 \
    }
#define STREAM_NAME ROW_NAME
#else
#define STREAM(kind, of, name, states, params, reset, traced)
#define STREAM_NAME(kind, spikes, name, reset, undelayed) NULL
#endif
#if defined(SNNC_MORE_SWEEPS)
#define TRACES_00(name, states, params, reset)                                \
    ROW(trace, REALS, name, states, params, reset, 0, 0, SNNC_SWEEP_STEPS, 1) \
    ROW(trace, BYTES, name, states, params, reset, 0, 0, SNNC_SWEEP_STEPS, 1) \
    STREAM(stream, sweep, name, states, params, reset, 0)                     \
    STREAM(stream_trace, trace, name, states, params, reset, 1)
#define TRACE_NAMES_00(name, reset)                                                   \
    {ROW_NAME(trace, REALS, name, reset, 0), ROW_NAME(trace, BYTES, name, reset, 0)}, \
        STREAM_NAME(stream, REALS, name, reset, 0),                                   \
        STREAM_NAME(stream_trace, REALS, name, reset, 0)
#else
#define TRACES_00 TRACES_01
#define TRACE_NAMES_00 TRACE_NAMES_01
#endif

#define ROWS_WRITING(spikes, name, states, params, reset, undelayed)                 \
    ROWS_OF(step, spikes, name, states, params, reset, undelayed, 1, 0)              \
    static void ROW_NAME(chain, spikes, name, reset, undelayed)(const snnc_row *row) \
    {                                                                                \
        NAME(chain)(row, SNNC_##name, states, params, SNNC_##reset, undelayed,       \
                    SNNC_##spikes);                                                  \
    }
#define ROWS(name, states, params, reset, undelayed, hard)      \
    ROWS_WRITING(REALS, name, states, params, reset, undelayed) \
    ROWS_WRITING(BYTES, name, states, params, reset, undelayed) \
    SWEEPS_##hard(name, states, params, reset, undelayed)       \
        TRACES_##undelayed##hard(name, states, params, reset)
#define SNNC_MODEL(name, states, params, graded, has_undelayed, hard)                 \
    ROW_BUILT_##hard(                                                                 \
        ROWS(name, states, params, ZERO, 0,                                           \
             hard) ROW_IF_##has_undelayed(ROWS(name, states, params, ZERO, 1, hard))  \
            ROW_UNLESS_##hard(                                                        \
                ROWS(name, states, params, SUBTRACT, 0, hard)                         \
                    ROWS(name, states, params, NONE, 0, hard) ROW_IF_##has_undelayed( \
                        ROWS(name, states, params, SUBTRACT, 1, hard))))
#include "models.def"
#undef SNNC_MODEL

#define ROW_NAMES(name, reset, undelayed, hard)                 \
    {                                                           \
        {ROW_PAIR(step, REALS, name, reset, undelayed),         \
         ROW_PAIR(step, BYTES, name, reset, undelayed)},        \
            {SWEEP_PAIR_##hard(REALS, name, reset, undelayed),  \
             SWEEP_PAIR_##hard(BYTES, name, reset, undelayed)}, \
            TRACE_NAMES_##undelayed##hard(name, reset),         \
        {                                                       \
            ROW_NAME(chain, REALS, name, reset, undelayed),     \
                ROW_NAME(chain, BYTES, name, reset, undelayed)  \
        }                                                       \
    }
static const snnc_row_table NAME(row_table) = {
#define SNNC_MODEL(name, states, params, graded, has_undelayed, hard)                \
    ROW_BUILT_##hard(                                                                \
        [SNNC_##name] = {                                                            \
            [SNNC_ZERO] = {ROW_NAMES(name, ZERO, 0, hard),                           \
                           ROW_IF_##has_undelayed(ROW_NAMES(name, ZERO, 1, hard))},  \
            ROW_UNLESS_##hard([SNNC_SUBTRACT] = {ROW_NAMES(name, SUBTRACT, 0, hard), \
                                                 ROW_IF_##has_undelayed(ROW_NAMES(   \
                                                     name, SUBTRACT, 1, hard))},     \
                              [SNNC_NONE] = {ROW_NAMES(name, NONE, 0, hard)})}, )
#include "models.def"
#undef SNNC_MODEL
};

#undef ROW_NAMES
#undef ROWS
#undef ROWS_WRITING
#undef STREAM_NAME
#undef STREAM
#undef TRACE_NAMES_00
#undef TRACES_00
#undef TRACE_NAMES_11
#undef TRACE_NAMES_10
#undef TRACE_NAMES_01
#undef TRACES_11
#undef TRACES_10
#undef TRACES_01
#undef SWEEP_PAIR_0
#undef SWEEPS_0
#undef SWEEP_PAIR_1
#undef SWEEPS_1
#undef ROWS_OF
#undef ROW_PAIR
#undef ROW
#undef NARROWS
#undef ROW_NAME
#undef ROW_BUILT_1
#undef ROW_BUILT_0
#undef ROW_IF_1
#undef ROW_IF_0
#undef ROW_UNLESS_1
#undef ROW_UNLESS_0
#undef SNNC_LIST
