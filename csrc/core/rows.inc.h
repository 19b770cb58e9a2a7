/* The forward loop over neurons: blocks of vectors over some steps, states in
 * registers. Included by a stub once per type, after the cells in vectors. Templates:
 * inlined functions whose constant arguments the compiler folds. */

/* Vectors in a block: as many as the registers hold with their states, inputs and
 * parameters, and whole bytes of bits. */
#define BLOCK_VECTORS(num_states, num_params, per_neuron)            \
    (SNNC_VECTOR_BYTES == 64 || T(LANES) < 4 ||                      \
             (num_states == 1 && (num_params) <= 3 && !(per_neuron)) \
         ? BLOCK_MOST                                                \
         : BLOCK_MOST / 2)
#define BLOCK_MOST (T(LANES) == 1 ? 8 : 4)

/* Bytes from the spikes of one step to those of the next. */
SNNC_INLINE ptrdiff_t T(spike_step)(const snnc_row *row)
{
    return row->spk_step * (row->spikes == SNNC_REALS ? (ptrdiff_t)sizeof(scalar) : 1);
}

/* Where the next step of a row is read and written. */
typedef struct {
    const scalar *x, *in[SNNC_MAX_STATES];
    scalar *out[SNNC_MAX_STATES];
    char *spk;
} T(place);

SNNC_INLINE void T(move_on)(T(place) * at, const snnc_row *row, size_t steps,
                            int num_states)
{
    at->x += row->x_step * (ptrdiff_t)steps;
    at->spk += T(spike_step)(row) * (ptrdiff_t)steps;
    SNNC_UNROLL
    for (int k = 0; k < num_states; k++) {
        at->in[k] = at->out[k] + row->state_step[k] * (ptrdiff_t)(steps - 1);
        at->out[k] += row->state_step[k] * (ptrdiff_t)steps;
    }
}

/* Some steps of the neurons [i, i + n): a whole block, or a part of one. */
SNNC_INLINE void T(block)(const snnc_row *row, const T(place) * at, size_t i, size_t n,
                          size_t steps, const T(vec) * shared, int part, int model,
                          int num_states, int num_params, int reset, int undelayed,
                          int per_neuron, int count)
{
    T(vec) state[BLOCK_MOST][SNNC_MAX_STATES], param[BLOCK_MOST][SNNC_MAX_PARAMS];
    T(vec_mask) fired[BLOCK_MOST] = {0};
    const int spikes = row->spikes, streamed = SNNC_STREAMS && row->streamed && !part;
    const int recorded = row->recorded;
    const ptrdiff_t x_step = row->x_step, spk_step = T(spike_step)(row);
    const scalar *input = at->x + i;
    char *spk = at->spk + (spikes == SNNC_REALS  ? i * sizeof(scalar)
                           : spikes == SNNC_BITS ? i / 8
                                                 : i);
    scalar *out[SNNC_MAX_STATES];

    SNNC_UNROLL
    for (int k = 0; k < num_states; k++) {
        out[k] = at->out[k] + i;
        SNNC_UNROLL
        for (int v = 0; v < count; v++)
            state[v][k] = T(load_lanes)(at->in[k] + i, n, v, part);
    }
    SNNC_UNROLL
    for (int v = 0; v < count; v++) {
        SNNC_UNROLL
        for (int k = 0; k < num_params; k++)
            param[v][k] = per_neuron ? T(load_lanes)((const scalar *)row->params[k] + i,
                                                     n, v, part)
                                     : shared[k];
    }
    for (;;) {
        SNNC_UNROLL
        for (int v = 0; v < count; v++) {
            if (part && (size_t)v * T(LANES) >= n)
                break;
            const T(vec) x = T(load_lanes)(input, n, v, part);
            fired[v] = NAME(cell)(model, x, state[v], param[v], reset, undelayed);
        }
        if (spikes == SNNC_REALS && streamed && T(is_aligned)(spk)) {
            SNNC_UNROLL
            for (int v = 0; v < count; v++)
                T(stream)((scalar *)spk + v * T(LANES), NAME(spike)(fired[v]));
        }
        else if (spikes == SNNC_REALS) {
            SNNC_UNROLL
            for (int v = 0; v < count; v++) {
                if (part && (size_t)v * T(LANES) >= n)
                    break;
                T(store_lanes)((scalar *)spk, NAME(spike)(fired[v]), n, v, part);
            }
        }
        else if (spikes == SNNC_BITS)
            store_bits((uint8_t *)spk, T(all_bits)(fired, count), n);
        else if (spikes == SNNC_BYTES && part)
            store_bits_as_bytes((uint8_t *)spk, T(all_bits)(fired, count), n);
        else if (spikes == SNNC_BYTES)
            T(store_bytes)((uint8_t *)spk, fired, count);
        if (--steps == 0)
            break;
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++) {
            if (!recorded)
                break;
            if (streamed && row->state_step[k] && T(is_aligned)(out[k])) {
                SNNC_UNROLL
                for (int v = 0; v < count; v++)
                    T(stream)(out[k] + v * T(LANES), state[v][k]);
            }
            else {
                SNNC_UNROLL
                for (int v = 0; v < count; v++)
                    T(store_lanes)(out[k], state[v][k], n, v, part);
            }
            out[k] += row->state_step[k];
        }
        input += x_step;
        spk += spk_step;
    }
    SNNC_UNROLL
    for (int k = 0; k < num_states; k++) { /* the last: read next, so not streamed */
        SNNC_UNROLL
        for (int v = 0; v < count; v++)
            T(store_lanes)(out[k], state[v][k], n, v, part);
    }
}

/* One neuron: only the latency of its own steps counts. */
SNNC_INLINE void T(chain)(const snnc_row *row, int model, int num_states,
                          int num_params, int reset, int undelayed)
{
    const int spikes = row->spikes;
    const ptrdiff_t x_step = row->x_step, spk_step = T(spike_step)(row);
    const scalar *x = row->x;
    char *spk = row->spk;
    scalar *out[SNNC_MAX_STATES], state[SNNC_MAX_STATES], param[SNNC_MAX_PARAMS];
    ptrdiff_t state_step[SNNC_MAX_STATES];

    SNNC_UNROLL
    for (int k = 0; k < num_states; k++) {
        state[k] = *(const scalar *)row->state_in[k];
        out[k] = row->state_out[k];
        state_step[k] = row->state_step[k];
    }
    SNNC_UNROLL
    for (int k = 0; k < num_params; k++)
        param[k] = *(const scalar *)row->params[k];
    for (size_t t = 0; t < row->num_steps; t++) {
        const int fired = T(cell)(model, *x, state, param, reset, undelayed);
        if (spikes == SNNC_REALS)
            *(scalar *)spk = T(spike)(fired);
        else if (spikes != SNNC_NO_SPIKES)
            *spk = (char)fired;
        x += x_step;
        spk += spk_step;
        SNNC_UNROLL
        for (int k = 0; k < num_states; k++) {
            *out[k] = state[k];
            out[k] += state_step[k];
        }
    }
}

SNNC_TEMPLATE void T(run_blocks)(const snnc_row *row, int model, int num_states,
                                 int num_params, int reset, int undelayed,
                                 int per_neuron)
{
    const int count =
        BLOCK_VECTORS(num_states, num_params, SNNC_VECTOR_BYTES == 32 && per_neuron);
    T(vec) shared[SNNC_MAX_PARAMS];
    T(place) at;
    const size_t width = (size_t)count * T(LANES), n = row->n;
    /* Parts of blocks are before the first whole one, as streaming stores begin at a
     * cache line (which is no longer than a block), and after the last. */
    const size_t past = (uintptr_t)row->spk / sizeof(scalar) % (64 / sizeof(scalar));
    const size_t lead =
        SNNC_STREAMS && row->streamed && past ? 64 / sizeof(scalar) - past : 0;
    const size_t head = lead < n ? lead : n, end = n - (n - head) % width;

    SNNC_UNROLL
    for (int k = 0; k < num_params; k++)
        shared[k] = T(broadcast)(*(const scalar *)row->params[k]);
    at.x = row->x;
    at.spk = row->spk;
    SNNC_UNROLL
    for (int k = 0; k < num_states; k++) {
        at.in[k] = row->state_in[k];
        at.out[k] = row->state_out[k];
    }
    for (size_t left = row->num_steps, steps; left > 0; left -= steps) {
        steps = left < row->block_steps ? left : row->block_steps;
        if (steps == 1) /* the compiler leaves out the loop over steps */
            for (size_t i = head; i < end; i += width)
                T(block)(row, &at, i, width, 1, shared, 0, model, num_states,
                         num_params, reset, undelayed, per_neuron, count);
        else
            for (size_t i = head; i < end; i += width)
                T(block)(row, &at, i, width, steps, shared, 0, model, num_states,
                         num_params, reset, undelayed, per_neuron, count);
        for (int edge = 0; edge < 2; edge++) {
            const size_t i = edge ? end : 0, left_over = (edge ? n : head) - i;
            if (left_over)
                T(block)(row, &at, i, left_over, steps, shared, 1, model, num_states,
                         num_params, reset, undelayed, per_neuron, count);
        }
        T(move_on)(&at, row, steps, num_states);
    }
    if (row->streamed)
        SNNC_END_STREAM();
}

/* With AVX2 parameters of all neurons have registers only if those of each neuron have
 * a loop of their own. */
SNNC_INLINE void T(run)(const snnc_row *row, int model, int num_states, int num_params,
                        int reset, int undelayed)
{
    if (row->n == 1)
        T(chain)(row, model, num_states, num_params, reset, undelayed);
    else if (SNNC_VECTOR_BYTES != 32)
        T(run_blocks)(row, model, num_states, num_params, reset, undelayed,
                      row->per_neuron);
    else if (row->per_neuron)
        T(run_blocks)(row, model, num_states, num_params, reset, undelayed, 1);
    else
        T(run_blocks)(row, model, num_states, num_params, reset, undelayed, 0);
}

/* The row functions and their table: one for each model, reset, and whether that is
 * undelayed. A model without resets of its own choice (`hard`) has the undelayed ones
 * of ZERO; NULL: there is none. */
#define EXISTS(reset, undelayed, has_undelayed, hard) \
    ((!(hard) || SNNC_##reset == SNNC_ZERO) &&        \
     (!(undelayed) || ((has_undelayed) && SNNC_##reset != SNNC_NONE)))
#define ROW(name, states, params, reset, undelayed, has_undelayed, hard)       \
    static void T(row_##name##_##reset##_##undelayed)(const snnc_row *row)     \
    {                                                                          \
        if (EXISTS(reset, undelayed, has_undelayed, hard))                     \
            T(run)(row, SNNC_##name, states, params, SNNC_##reset, undelayed); \
    }
#define ROWS_OF(WHAT, name, states, params, reset, has_undelayed, hard) \
    WHAT(name, states, params, reset, 0, has_undelayed, hard)           \
    WHAT(name, states, params, reset, 1, has_undelayed, hard)
#define SNNC_MODEL(name, states, params, graded, has_undelayed, hard) \
    ROWS_OF(ROW, name, states, params, SUBTRACT, has_undelayed, hard) \
    ROWS_OF(ROW, name, states, params, ZERO, has_undelayed, hard)     \
    ROWS_OF(ROW, name, states, params, NONE, has_undelayed, hard)
#include "models.def"
#undef SNNC_MODEL

#define ENTRY(name, states, params, reset, undelayed, has_undelayed, hard) \
    [SNNC_##name][SNNC_##reset][undelayed] =                               \
        EXISTS(reset, undelayed, has_undelayed, hard)                      \
            ? T(row_##name##_##reset##_##undelayed)                        \
            : NULL,
static const snnc_row_table T(row_table) = {
#define SNNC_MODEL(name, states, params, graded, has_undelayed, hard)   \
    ROWS_OF(ENTRY, name, states, params, SUBTRACT, has_undelayed, hard) \
    ROWS_OF(ENTRY, name, states, params, ZERO, has_undelayed, hard)     \
    ROWS_OF(ENTRY, name, states, params, NONE, has_undelayed, hard)
#include "models.def"
#undef SNNC_MODEL
};
#undef ENTRY
#undef ROWS_OF
#undef ROW
#undef EXISTS
#undef BLOCK_MOST
#undef BLOCK_VECTORS
