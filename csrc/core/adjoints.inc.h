/* A strip of neurons, one step of the backward pass: the loop over neurons of the
 * backward pass, a template over the cells' adjoints. Included by type.inc.h. */

SNNC_INLINE void NAME(cell_adjoint)(int model, NAME(adjoint) * a, int reset)
{
    switch (model) {
#define ADJOINT_0(name) \
    case SNNC_##name: NAME(name##_adjoint)(a, reset); break;
#define ADJOINT_1(name)
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) ADJOINT_##hard(name)
#include "models.def"
#undef SNNC_MODEL
#undef ADJOINT_1
#undef ADJOINT_0
    }
}

/* Whether the gradient of parameter k is wanted: of none (0), of those of the model's
 * dynamics only (1), or of the threshold and the graded factor too (2). */
SNNC_INLINE int NAME(is_wanted)(int model, int k, int parameters)
{
    static const int factors[SNNC_NUM_MODELS] = {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) graded,
#include "models.def"
#undef SNNC_MODEL
    };
    const int of_spikes = k == 0 || k == factors[model];
    return parameters > of_spikes;
}

/* The adjoint of one step, or (`atan_sweep`) of several, the last first, with the
 * default surrogate and one value of each parameter for all neurons. All is read before
 * anything is written: the upstream gradient of a spike or state may be overwritten by
 * the gradient of the same step's input. */
SNNC_TEMPLATE void NAME(strip_adjoint)(const snnc_adjoint_row *row, int model,
                                       int num_states, int num_params, int reset,
                                       int parameters, int atan_sweep, int steps)
{
    const size_t n = row->n;
    const real *x[SNNC_SWEEP_STEPS], *grad_spk[SNNC_SWEEP_STEPS],
        *state[SNNC_SWEEP_STEPS * SNNC_MAX_STATES],
        *upstream[SNNC_SWEEP_STEPS * SNNC_MAX_STATES], *param[SNNC_MAX_PARAMS];
    const real *const grad_through_spike = row->grad_through_spike, *const tested =
                                                                        row->tested;
    const double args[2] = {row->args[0], row->args[1]};
    const real graded_factor = atan_sweep ? *(const real *)row->graded : 0;
    real *grad_x[SNNC_SWEEP_STEPS], *grad_state[SNNC_MAX_STATES];
    real shared[SNNC_MAX_PARAMS];
    double *grad_param[SNNC_MAX_PARAMS];

    SNNC_UNROLL
    for (int t = 0; t < steps; t++) {
        x[t] = (const real *)row->x - t * row->x_step;
        grad_spk[t] = (const real *)row->grad_spk - t * row->grad_spk_step;
        grad_x[t] = (real *)row->grad_x - t * row->grad_x_step;
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++) {
            state[t * num_states + k] =
                (const real *)row->state[k] - t * row->state_step;
            upstream[t * num_states + k] =
                (const real *)row->upstream[k] - t * row->upstream_step[k];
        }
    }
    SNNC_UNROLL
    for (int k = 0; k < num_states; k++)
        grad_state[k] = row->grad_state[k];
    SNNC_UNROLL
    for (int k = 0; k < num_params; k++) {
        param[k] = row->params[k];
        shared[k] = atan_sweep ? param[k][0] : 0;
        grad_param[k] = row->grad_params[k];
    }
    SNNC_IVDEP
    for (size_t i = 0; i < n; i++) {
        real input[SNNC_SWEEP_STEPS], mem[SNNC_SWEEP_STEPS], spk[SNNC_SWEEP_STEPS],
            grad_input[SNNC_SWEEP_STEPS],
            state_before[SNNC_SWEEP_STEPS * SNNC_MAX_STATES],
            upstream_value[SNNC_SWEEP_STEPS * SNNC_MAX_STATES];
        NAME(adjoint)
        a = {0}; /* zeroed: Clang 14 miscompiles unset fields carried between steps */

        SNNC_UNROLL
        for (int t = 0; t < steps; t++) {
            input[t] = x[t][i];
            spk[t] = grad_spk[t][i];
        }
        SNNC_UNROLL
        for (int j = 0; j < steps * num_states; j++) {
            state_before[j] = state[j][i];
            upstream_value[j] = upstream[j][i];
        }
        mem[0] = tested[i];
        SNNC_UNROLL
        for (int t = 1; t < steps;
             t++) /* mem after a step: the state before the next */
            mem[t] = state_before[t * num_states - 1];
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++)
            a.grad_before[k] = grad_state[k][i];
        SNNC_UNROLL
        for (int k = 0; k < num_params; k++) {
            a.param[k] = atan_sweep ? shared[k] : param[k][i];
            a.grad_param[k] =
                NAME(is_wanted)(model, k, parameters) ? grad_param[k][i] : 0;
        }
        SNNC_UNROLL
        for (int t = 0; t < steps; t++) {
            a.x = input[t];
            a.tested = mem[t];
            a.grad_spk = spk[t];
            a.grad_through_spike =
                atan_sweep ? NAME(atan)(mem[t] - shared[0], args[0], args[1]) *
                                 (spk[t] * graded_factor)
                           : grad_through_spike[i];
            SNNC_UNROLL
            for (int k = 0; k < num_states; k++) {
                a.state[k] = state_before[t * num_states + k];
                a.upstream[k] = upstream_value[t * num_states + k];
                a.grad_after[k] = a.grad_before[k];
            }
            NAME(cell_adjoint)(model, &a, reset);
            grad_input[t] = a.grad_x;
        }
        SNNC_UNROLL
        for (int t = 0; t < steps; t++)
            grad_x[t][i] = grad_input[t];
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++)
            grad_state[k][i] = a.grad_before[k];
        SNNC_UNROLL
        for (int k = 0; k < num_params; k++)
            if (NAME(is_wanted)(model, k, parameters))
                grad_param[k][i] = a.grad_param[k];
    }
}

SNNC_INLINE void NAME(strip_undelayed_adjoint)(const snnc_undelayed_row *row, int reset)
{
    const size_t n = row->n;
    const int rounds = row->rounds;
    const real *const mem = row->mem, *const tested = row->tested,
                      *const threshold = row->threshold, *const graded = row->graded,
                      *const upstream = row->upstream_spk;
    real *const grad_mem = row->grad_mem, *const grad_spk = row->grad_spk;
    double *const grad_threshold = row->grad_threshold, *const grad_graded =
                                                            row->grad_graded;

    SNNC_IVDEP
    for (size_t i = 0; i < n; i++) {
        real spk = upstream[i];
        double thr = grad_threshold[i], g = grad_graded[i];
        grad_mem[i] = NAME(undelayed_adjoint)(
            grad_mem[i], tested[i], threshold[i], rounds, graded[i],
            NAME(reset_signal)(mem[i], threshold[i]), reset, &spk, &thr, &g);
        grad_spk[i] = spk;
        grad_threshold[i] = thr;
        grad_graded[i] = g;
    }
}

static void NAME(undelayed_SUBTRACT)(const snnc_undelayed_row *row)
{
    NAME(strip_undelayed_adjoint)(row, SNNC_SUBTRACT);
}

static void NAME(undelayed_ZERO)(const snnc_undelayed_row *row)
{
    NAME(strip_undelayed_adjoint)(row, SNNC_ZERO);
}

/* The row functions and their tables, from models.def and surrogates.def. ADJOINT_0
 * keeps its arguments, of a model that has other resets than hard ones. */
#define SNNC_LIST(...) \
    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define ADJOINT_0(...) __VA_ARGS__
#define ADJOINT_1(...)

#define ROW_NAME(kind, name, reset, parameters) \
    NAME(kind##_##name##_##reset##_##parameters)
#define ROW(kind, name, states, params, reset, parameters, atan_sweep, steps)        \
    static void ROW_NAME(kind, name, reset, parameters)(const snnc_adjoint_row *row) \
    {                                                                                \
        NAME(strip_adjoint)(row, SNNC_##name, states, params, SNNC_##reset,          \
                            parameters, atan_sweep, steps);                          \
    }
#define ATAN_SWEEP_ROWS(name, states, params, reset)                                  \
    ROW(atan_sweep, name, states, params, reset, 0, 1, SNNC_ATAN_SWEEP_STEPS(states)) \
    ROW(atan_sweep, name, states, params, reset, 1, 1, SNNC_ATAN_SWEEP_STEPS(states))
#define ROWS(name, states, params, reset)              \
    ROW(adjoint, name, states, params, reset, 0, 0, 1) \
    ROW(adjoint, name, states, params, reset, 1, 0, 1) \
    ROW(adjoint, name, states, params, reset, 2, 0, 1) \
    ATAN_SWEEP_ROWS(name, states, params, reset)
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) \
    ADJOINT_##hard(ROWS(name, states, params, SUBTRACT) ROWS(     \
        name, states, params, ZERO) ROWS(name, states, params, NONE))
#include "models.def"
#undef SNNC_MODEL

#define SNNC_SURROGATE(name, num_args, divides, rounds)                            \
    static void NAME(surrogate_##name)(const snnc_surrogate_row *row)              \
    {                                                                              \
        const size_t n = row->n;                                                   \
        const real *const mem = row->tested, *const threshold = row->threshold,    \
                          *const spk = row->grad_spk, *const graded = row->graded; \
        real *const grad = row->grad_through_spike;                                \
        const double a = row->args[0], b = row->args[1];                           \
        SNNC_IVDEP                                                                 \
        for (size_t i = 0; i < n; i++) {                                           \
            const real s = NAME(name)(mem[i] - threshold[i], a, b);                \
            const real upstream = spk[i] * graded[i];                              \
            const real product = divides ? upstream / s : s * upstream;            \
            grad[i] = rounds ? (real)(float)product : product;                     \
        }                                                                          \
    }
#include "surrogates.def"
#undef SNNC_SURROGATE

#define ROW_NAMES(name, reset)                           \
    [SNNC_##reset] = {ROW_NAME(adjoint, name, reset, 0), \
                      ROW_NAME(adjoint, name, reset, 1), \
                      ROW_NAME(adjoint, name, reset, 2)}
#define ATAN_SWEEP_NAMES(name, reset)                       \
    [SNNC_##reset] = {ROW_NAME(atan_sweep, name, reset, 0), \
                      ROW_NAME(atan_sweep, name, reset, 1)}
static const snnc_adjoint_fns NAME(adjoint_fns) = {
    .adjoint =
        {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard)                     \
    ADJOINT_##hard([SNNC_##name] = {ROW_NAMES(name, SUBTRACT), ROW_NAMES(name, ZERO), \
                                    ROW_NAMES(name, NONE)}, )
#include "models.def"
#undef SNNC_MODEL
        },
    .atan_sweep =
        {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard)     \
    ADJOINT_##hard([SNNC_##name] = {ATAN_SWEEP_NAMES(name, SUBTRACT), \
                                    ATAN_SWEEP_NAMES(name, ZERO),     \
                                    ATAN_SWEEP_NAMES(name, NONE)}, )
#include "models.def"
#undef SNNC_MODEL
        },
    .undelayed = {[SNNC_SUBTRACT] = NAME(undelayed_SUBTRACT),
                  [SNNC_ZERO] = NAME(undelayed_ZERO)},
    .surrogate =
        {
#define SNNC_SURROGATE(name, num_args, divides, rounds) NAME(surrogate_##name),
#include "surrogates.def"
#undef SNNC_SURROGATE
        },
};

#undef ATAN_SWEEP_NAMES
#undef ROW_NAMES
#undef ROWS
#undef ATAN_SWEEP_ROWS
#undef ROW
#undef ROW_NAME
#undef ADJOINT_1
#undef ADJOINT_0
#undef SNNC_LIST
