/* The backward loop over neurons: blocks of vectors over some steps, the last first,
 * gradients of states and sums of parameters' in registers. Included by a stub once per
 * type, after the cells' adjoints and the surrogates in vectors. Templates: inlined
 * functions whose constant arguments the compiler folds. */

#define BLOCK 2 /* vectors; more would need more registers than there are */
/* Neurons whose surrogates are computed at once. */
#define GROUP (16 * T(LANES))

/* Surrogates of one vector, or of its first n lanes. */
SNNC_INLINE void T(derive_vector)(const snnc_surrogate_row *row, const scalar *tested,
                                  const scalar *threshold, T(vec) shared, scalar *out,
                                  size_t n, int part, int surrogate)
{
    const T(vec) y = T(load_lanes)(tested, n, 0, part) -
                     (row->per_neuron ? T(load_lanes)(threshold, n, 0, part) : shared);
    const T(vec) one = T(broadcast)(1);
    T(vec) s = y;
    switch (surrogate) {
#define SNNC_SURROGATE(name, num_args, divides, rounds) \
    case SNNC_##name: s = NAME(name)(y, row->args[0], row->args[1]); break;
#include "surrogates.def"
#undef SNNC_SURROGATE
    }
    T(store_lanes)(out, row->reciprocal ? one / s : s, n, 0, part);
}

/* Surrogates of some steps of a strip. */
SNNC_INLINE void T(derive)(const snnc_surrogate_row *given, int surrogate)
{
    const snnc_surrogate_row copy = *given; /* which no store changes */
    const snnc_surrogate_row *const row = &copy;
    const scalar *tested = row->tested, *const threshold = row->threshold;
    const T(vec) shared = T(broadcast)(*threshold);
    const size_t n = row->n, end = n - n % T(LANES);
    scalar *out = row->out;

    for (size_t t = 0; t < row->num_steps; t++) {
        for (size_t i = 0; i < end; i += T(LANES))
            T(derive_vector)(row, tested + i, threshold + i, shared, out + i, T(LANES),
                             0, surrogate);
        if (end < n)
            T(derive_vector)(row, tested + end, threshold + end, shared, out + end,
                             n - end, 1, surrogate);
        tested += row->tested_step;
        out += row->out_step;
    }
}

static void T(surrogate)(const snnc_surrogate_row *row)
{
    switch (row->surrogate) {
#define SNNC_SURROGATE(name, num_args, divides, rounds) \
    case SNNC_##name: T(derive)(row, SNNC_##name); break;
#include "surrogates.def"
#undef SNNC_SURROGATE
    }
}

/* Keeps its arguments if the model has other resets than hard ones. */
#define KEEP_0(...) __VA_ARGS__
#define KEEP_1(...)

SNNC_INLINE void NAME(cell_adjoint)(int model, NAME(adjoint) * a, int reset)
{
    switch (model) {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) \
    KEEP_##hard(case SNNC_##name : NAME(name##_adjoint)(a, reset); break;)
#include "models.def"
#undef SNNC_MODEL
    }
}

/* Whether the gradient of parameter k is wanted: of none (0), of those of the model's
 * dynamics only (1), or of the threshold and the graded factor too (2). */
#define IS_WANTED(k) (parameters > ((k) == 0 || (k) == graded))

/* What all blocks of a row share: parameters, where neurons don't have their own; and a
 * block of what isn't given, and for what isn't wanted. */
typedef struct {
    T(vec) param[SNNC_MAX_PARAMS], zero[BLOCK], minus_zero[BLOCK], unwanted[BLOCK];
} T(adjoint_shared);

/* Where a step of a block is read and written. */
typedef struct {
    const scalar *x, *tested, *state[SNNC_MAX_STATES];
    const scalar *grad_spk, *derivative, *upstream[SNNC_MAX_STATES];
    scalar *grad_x;
} T(adjoint_place);

/* Neuron i of a sequence, t steps before the last; or what is in its place. */
SNNC_INLINE const scalar *T(back)(snnc_backwards of, size_t t, size_t i,
                                  const T(vec) * otherwise)
{
    return of.last ? (const scalar *)of.last - of.step * (ptrdiff_t)t + i
                   : (const scalar *)otherwise;
}

/* A step of a block. Each loop takes all its vectors, so that what is decided for them
 * is decided once. */
SNNC_INLINE void T(adjoint_step)(const snnc_adjoint_row *row, T(adjoint_place) at,
                                 NAME(adjoint) * block, size_t n, int part, int model,
                                 int num_states, int graded, int undelayed, int reset,
                                 int count)
{
    const int mem = num_states - 1;
    T(vec) spk[BLOCK], through[BLOCK];

#define EACH_VECTOR \
    SNNC_UNROLL     \
    for (int v = 0; v < count; v++)
#define LOAD(p) T(load_lanes)(p, n, v, part)
    EACH_VECTOR
    {
        spk[v] = LOAD(at.grad_spk);
    }
    if (undelayed && reset != SNNC_NONE && row->undelayed)
        EACH_VECTOR
        {
            NAME(adjoint) *const a = &block[v];
            T(sum) none = {0};
            a->grad_before[mem] = NAME(undelayed_adjoint)(
                a->grad_before[mem], LOAD(at.tested), a->param[0],
                row->rounds_threshold, graded ? a->param[graded] : T(broadcast)(1),
                NAME(reset_signal)(LOAD(at.state[mem]), a->param[0]), reset, &spk[v],
                &a->grad_param[0], graded ? &a->grad_param[graded] : &none);
        }
    EACH_VECTOR
    {
        through[v] = graded ? spk[v] * block[v].param[graded] : spk[v];
    }
    if (!at.derivative)
        EACH_VECTOR
        {
            const T(vec) y = LOAD(at.tested) - block[v].param[0];
            through[v] *= NAME(atan)(y, row->surrogate.args[0], 0);
        }
    else if (row->divides)
        EACH_VECTOR
        {
            through[v] /= LOAD(at.derivative);
        }
    else
        EACH_VECTOR
        {
            through[v] *= LOAD(at.derivative);
        }
    if (row->rounds)
        EACH_VECTOR
        {
            through[v] = T(round_to_float)(through[v]);
        }
    EACH_VECTOR
    {
        NAME(adjoint) *const a = &block[v];
        a->x = LOAD(at.x);
        a->tested = LOAD(at.tested);
        a->grad_spk = spk[v];
        a->grad_through_spike = through[v];
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++) {
            a->state[k] = LOAD(at.state[k]);
            a->upstream[k] = LOAD(at.upstream[k]);
            a->grad_after[k] = a->grad_before[k];
        }
        NAME(cell_adjoint)(model, a, reset);
        T(store_lanes)(at.grad_x, a->grad_x, n, v, part);
    }
#undef LOAD
#undef EACH_VECTOR
}

/* The steps from `done` before the last on of the neurons [i, i + n): a block, or
 * (`part`) the first lanes of one vector. `derivative`: theirs, if given or computed.
 * The upstream gradient of a spike or state may be overwritten by the gradient of the
 * same step's input. */
SNNC_INLINE void T(adjoint_block)(const snnc_adjoint_row *row, size_t done,
                                  size_t steps, size_t i, size_t n,
                                  snnc_backwards derivative, T(adjoint_shared) * shared,
                                  int part, int model, int num_states, int num_params,
                                  int graded, int undelayed, int reset, int parameters)
{
    const int count = part ? 1 : BLOCK;
    NAME(adjoint) block[BLOCK] = {0};
    T(adjoint_place) at;

    at.x = T(back)(row->x, done, i, NULL);
    at.tested = T(back)(row->tested, done, i, NULL);
    at.grad_spk = T(back)(row->grad_spk, done, i, shared->zero);
    at.derivative = derivative.last;
    at.grad_x = (scalar *)T(back)(row->grad_x, done, i, shared->unwanted);
    SNNC_UNROLL
    for (int k = 0; k < num_states; k++) {
        at.state[k] = T(back)(row->state[k], done, i, NULL);
        at.upstream[k] = T(back)(row->upstream[k], done, i, shared->minus_zero);
    }
    SNNC_UNROLL
    for (int v = 0; v < count; v++) {
        NAME(adjoint) *const a = &block[v];
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++)
            a->grad_before[k] =
                T(load_lanes)((scalar *)row->grad_state[k] + i, n, v, part);
        SNNC_UNROLL
        for (int k = 0; k < num_params; k++) {
            a->param[k] = shared->param[k];
            if (row->per_neuron)
                a->param[k] =
                    T(load_lanes)((const scalar *)row->params[k] + i, n, v, part);
            if (IS_WANTED(k) && row->grad_params[k])
                a->grad_param[k] = T(load_sum)(row->grad_params[k] + i, n, v, part);
        }
    }
    for (size_t t = done; t < done + steps; t++) {
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++)
            if (t == row->num_upstream)
                at.upstream[k] = (const scalar *)shared->minus_zero;
        T(adjoint_step)(row, at, block, n, part, model, num_states, graded, undelayed,
                        reset, count);
        at.x -= row->x.step;
        at.tested -= row->tested.step;
        at.grad_spk -= row->grad_spk.step;
        if (at.derivative)
            at.derivative -= derivative.step;
        at.grad_x -= row->grad_x.step;
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++) {
            at.state[k] -= row->state[k].step;
            at.upstream[k] -= row->upstream[k].step;
        }
    }
    SNNC_UNROLL
    for (int v = 0; v < count; v++) {
        const NAME(adjoint) *const a = &block[v];
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++)
            T(store_lanes_apart)((scalar *)row->grad_state[k] + i, a->grad_before[k], n,
                                 v, part);
        SNNC_UNROLL
        for (int k = 0; k < num_params; k++)
            if (IS_WANTED(k) && row->grad_params[k])
                T(store_sum)(row->grad_params[k] + i, a->grad_param[k], n, v, part);
    }
}

/* The surrogates of some of a row's steps and neurons. */
static snnc_backwards T(derivatives)(const snnc_adjoint_row *row, size_t done,
                                     size_t steps, size_t i, size_t n, T(vec) * out)
{
    snnc_surrogate_row surrogate = row->surrogate;
    snnc_backwards derivative = {out, -GROUP};

    surrogate.n = n;
    surrogate.num_steps = steps;
    surrogate.tested = T(back)(row->tested, done, i, NULL);
    surrogate.tested_step = -row->tested.step;
    surrogate.threshold = (const scalar *)row->params[0] + (row->per_neuron ? i : 0);
    surrogate.out = out;
    surrogate.out_step = GROUP;
    T(surrogate)(&surrogate);
    return derivative;
}

SNNC_TEMPLATE void T(run_back)(const snnc_adjoint_row *given, int model, int num_states,
                               int num_params, int graded, int undelayed, int reset,
                               int parameters)
{
    const snnc_adjoint_row copy = *given; /* which no store changes */
    const snnc_adjoint_row *const row = &copy;
    const size_t width = (size_t)BLOCK * T(LANES), n = row->n;
    T(vec) derivatives[SNNC_ADJOINT_STEPS * GROUP / T(LANES)];
    T(adjoint_shared) shared;

    SNNC_UNROLL
    for (int k = 0; k < num_params; k++)
        shared.param[k] = T(broadcast)(*(const scalar *)row->params[k]);
    for (int v = 0; v < BLOCK; v++) {
        shared.zero[v] = T(broadcast)(0);
        shared.minus_zero[v] = -shared.zero[v];
    }
    for (size_t done = 0, steps; done < row->num_steps; done += steps) {
        const size_t left = row->num_steps - done;
        steps = left < row->block_steps ? left : row->block_steps;
        for (size_t i = 0, first = 0; first < n; first += GROUP) {
            const size_t end = n - first < GROUP ? n : first + GROUP;
            snnc_backwards derivative = row->derivative;
            if (derivative.last)
                derivative.last = (void *)T(back)(derivative, done, first, NULL);
            else if (row->surrogate.surrogate != SNNC_atan)
                derivative =
                    T(derivatives)(row, done, steps, first, end - first, derivatives);
            for (size_t taken; i < end; i += taken) {
                const size_t left_over = end - i;
                const int part = left_over < width;
                taken = part ? T(in_vector)(left_over, 0) : width;
                if (part)
                    T(adjoint_block)(row, done, steps, i, taken, derivative, &shared, 1,
                                     model, num_states, num_params, graded, undelayed,
                                     reset, parameters);
                else
                    T(adjoint_block)(row, done, steps, i, taken, derivative, &shared, 0,
                                     model, num_states, num_params, graded, undelayed,
                                     reset, parameters);
                if (derivative.last)
                    derivative.last = (scalar *)derivative.last + taken;
            }
        }
    }
}

/* The row functions and their table, from models.def. With small vectors those with
 * gradients of parameters read the reset from the row, so compilers make them one. */
#define RESET(kind, parameters) \
    ((parameters) && SNNC_VECTOR_BYTES < 32 ? row->reset : SNNC_##kind)
#define ROW(name, states, params, graded, undelayed, reset, parameters)  \
    static void T(adjoint_##name##_##reset##_##parameters)(              \
        const snnc_adjoint_row *row)                                     \
    {                                                                    \
        T(run_back)(row, SNNC_##name, states, params, graded, undelayed, \
                    RESET(reset, parameters), parameters);               \
    }
#define ENTRY(name, states, params, graded, undelayed, reset, parameters) \
    [SNNC_##name][SNNC_##reset][parameters] =                             \
        T(adjoint_##name##_##reset##_##parameters),
#define ROWS_OF(WHAT, name, states, params, graded, undelayed) \
    WHAT(name, states, params, graded, undelayed, SUBTRACT, 0) \
    WHAT(name, states, params, graded, undelayed, SUBTRACT, 1) \
    WHAT(name, states, params, graded, undelayed, ZERO, 0)     \
    WHAT(name, states, params, graded, undelayed, ZERO, 1)     \
    WHAT(name, states, params, graded, undelayed, NONE, 0)     \
    WHAT(name, states, params, graded, undelayed, NONE, 1)
#define ROW_OF_ALL(name, states, params, graded, undelayed)                          \
    static void T(adjoint_##name)(const snnc_adjoint_row *row)                       \
    {                                                                                \
        T(run_back)(row, SNNC_##name, states, params, graded, undelayed, row->reset, \
                    2);                                                              \
    }
#define ENTRY_OF_ALL(name) [SNNC_##name] = T(adjoint_##name),
#define SNNC_MODEL(name, states, params, graded, undelayed, hard)     \
    KEEP_##hard(ROWS_OF(ROW, name, states, params, graded, undelayed) \
                    ROW_OF_ALL(name, states, params, graded, undelayed))
#include "models.def"
#undef SNNC_MODEL
static const snnc_adjoint_fns T(adjoint_fns) = {
    .adjoint =
        {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) \
    KEEP_##hard(ROWS_OF(ENTRY, name, states, params, graded, undelayed))
#include "models.def"
#undef SNNC_MODEL
        },
    .adjoint_of_all =
        {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) \
    KEEP_##hard(ENTRY_OF_ALL(name))
#include "models.def"
#undef SNNC_MODEL
        },
    .surrogate = T(surrogate),
};
#undef ENTRY_OF_ALL
#undef ROW_OF_ALL
#undef ROWS_OF
#undef ENTRY
#undef ROW
#undef RESET
#undef KEEP_1
#undef KEEP_0
#undef IS_WANTED
#undef GROUP
#undef BLOCK
