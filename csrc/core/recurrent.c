/* Closed loops: each step lists the spikes of the one before, adds their weights to the
 * input, and steps the neurons. */
#include <string.h>

#include "engine.h"
#include "product.h"

enum {
    ALIGNMENT = 64,
    /* Of the input, which is summed soon before it is read: parts of a long row, of
     * which memory is read in long runs, or several short rows. */
    STRIP_BYTES = 32 * 1024,
    GROUP_BYTES = 4096,
    INHIBITED_VALUES = SNNC_MAX_STATES + 3 /* of a neuron, as snnc_workspace_size */
};

/* What a call keeps in its workspace, each part for all neurons. */
typedef struct {
    size_t delays; /* the largest */
    size_t rows;
    /* Lists of spikes: a ring of `delays` steps, of every row. */
    snnc_spike_list *lists;
    char *index, *value, *total, *sums, *inhibition;
    uint8_t *fired;
    size_t sparse; /* projections up to the last whose weights aren't dense */
    size_t bytes;
} state;

/* The next part of a workspace (NULL: it is only measured). */
static char *part(state *s, char *workspace, size_t count, size_t size)
{
    const size_t bytes = snnc_mul_saturating(count, size), at = s->bytes;
    const size_t padded = bytes > SIZE_MAX - ALIGNMENT
                              ? SIZE_MAX
                              : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    s->bytes = at > SIZE_MAX - padded ? SIZE_MAX : at + padded;
    return workspace ? workspace + at : NULL;
}

static size_t delay_of(const snnc_projection *projection)
{
    return projection->delay ? projection->delay : 1;
}

static state lay_out(const snnc_recurrent_call *r, char *workspace)
{
    const snnc_call *call = &r->call;
    const size_t n = call->num_neurons, size = snnc_size_of(call->type);
    state s = {.delays = 1};

    for (size_t k = 0; k < r->num_projections; k++)
        if (delay_of(&r->projections[k]) > s.delays)
            s.delays = delay_of(&r->projections[k]);
    s.rows = r->row_size ? n / r->row_size : 0;
    const size_t lists = snnc_mul_saturating(s.delays, s.rows);
    s.lists = (snnc_spike_list *)(void *)part(&s, workspace, lists, sizeof *s.lists);
    s.index = part(&s, workspace, lists,
                   snnc_mul_saturating(r->row_size + SNNC_AHEAD, sizeof(uint32_t)));
    s.value = part(&s, workspace, snnc_mul_saturating(s.delays, n), size);
    s.total = part(&s, workspace, n, size);
    for (size_t k = 0; k < r->num_projections; k++)
        if (r->projections[k].weights.kind != SNNC_DENSE)
            s.sparse = k + 1;
    s.sums = part(&s, workspace, snnc_mul_saturating(s.sparse, n), size);
    s.fired = (uint8_t *)part(&s, workspace, n, 1);
    if (call->rivals) /* as much as a group of them asks for, at its place */
        s.inhibition = part(&s, workspace, n, INHIBITED_VALUES * size);
    return s;
}

size_t snnc_recurrent_workspace_size(const snnc_recurrent_call *r)
{
    return lay_out(r, NULL).bytes;
}

static snnc_status check(const snnc_isa *isa, const snnc_recurrent_call *r,
                         const snnc_call *call, size_t t0, size_t t1, size_t r0,
                         size_t r1)
{
    const size_t n = r->row_size;

    if (n ? call->num_neurons % n : call->num_neurons)
        return SNNC_BAD_SHAPE;
    if (r0 > r1 || (n ? r1 > call->num_neurons / n : r1 > 0))
        return SNNC_BAD_RANGE;
    const snnc_status status = snnc_check_run(isa, call, t0, t1, r0 * n, r1 * n);
    if (status != SNNC_OK)
        return status;
    if (call->interval > 1)
        return SNNC_BAD_CHECKPOINT;
    if (r->num_projections && !r->projections)
        return SNNC_BAD_WEIGHTS;
    for (size_t k = 0; k < r->num_projections; k++) {
        const snnc_projection *const p = &r->projections[k];
        const snnc_status own = snnc_check_weights(&p->weights, call->type);
        if (own != SNNC_OK)
            return own;
        if (p->weights.num_inputs != n || p->weights.num_outputs != n)
            return SNNC_BAD_WEIGHTS;
        if (r0 < r1 && n && !p->current_out)
            return SNNC_BAD_STATE;
    }
    if (lay_out(r, NULL).bytes > PTRDIFF_MAX)
        return SNNC_TOO_LARGE;
    return r0 < r1 && !r->workspace ? SNNC_BAD_OUTPUT : SNNC_OK;
}

/* Where the sums of a projection are whose weights aren't dense. */
static char *sparse_sum(const snnc_recurrent_call *r, const state *s, size_t k)
{
    return s->sums + k * r->call.num_neurons * snnc_size_of(r->call.type);
}

/* The input of all neurons at step t. */
static char *total_at(const snnc_recurrent_call *r, const state *s, size_t t)
{
    return r->total
               ? (char *)r->total + t * r->call.num_neurons * snnc_size_of(r->call.type)
               : s->total;
}

/* Row `row` of the spikes of a step, which is counted from -delays on. */
static snnc_spike_list *list_at(const state *s, size_t step_and_delays, size_t row)
{
    return s->lists + step_and_delays % s->delays * s->rows + row;
}

/* Where row `row` of a list is kept. */
static void place_list(const snnc_recurrent_call *r, const state *s, size_t slot,
                       size_t row)
{
    snnc_spike_list *const list = &s->lists[slot * s->rows + row];
    const size_t size = snnc_size_of(r->call.type), at = slot * s->rows + row;

    list->index = (uint32_t *)(void *)(s->index + at * (r->row_size + SNNC_AHEAD) *
                                                      sizeof(uint32_t));
    list->value = s->value + at * r->row_size * size;
}

/* Writes the spikes of a step to a row of an array of them. */
static void put_spikes(const snnc_recurrent_call *r, const state *s,
                       size_t step_and_delays, void *array, size_t to, size_t r0,
                       size_t r1)
{
    const size_t n = r->row_size, size = snnc_size_of(r->call.type);
    char *const first = (char *)array + to * r->call.num_neurons * size;

    for (size_t row = r0; row < r1; row++)
        snnc_unlist_spikes(r->call.type, list_at(s, step_and_delays, row),
                           first + row * n * size, n);
}

/* Before the first step: currents and spikes as the call begins with. */
static void begin(const snnc_isa *isa, const snnc_recurrent_call *r, const state *s,
                  size_t r0, size_t r1)
{
    const snnc_call *call = &r->call;
    const size_t n = r->row_size, size = snnc_size_of(call->type);
    const size_t at = r0 * n * size, bytes = (r1 - r0) * n * size;

    for (size_t slot = 0; slot < s->delays; slot++)
        for (size_t row = r0; row < r1; row++) {
            /* Step -1 is the newest, and in the last slot. */
            const size_t back = s->delays - 1 - slot;
            snnc_spike_list *const list = &s->lists[slot * s->rows + row];
            place_list(r, s, slot, row);
            if (r->past_in)
                snnc_list_spikes(isa, call->type, list,
                                 (const char *)r->past_in +
                                     (back * call->num_neurons + row * n) * size,
                                 call->type, 0, n);
            else
                snnc_no_spikes(list);
        }
    for (size_t k = 0; k < r->num_projections; k++) {
        const snnc_projection *const p = &r->projections[k];
        char *const current = (char *)p->current_out + at;
        if (p->current_in && p->current_in != p->current_out)
            memcpy(current, (const char *)p->current_in + at, bytes);
    }
}

/* The sparse sums of a row at step t, of each projection that has such weights. */
static void sum_sparse(const snnc_recurrent_call *r, const state *s, size_t t,
                       size_t row)
{
    const size_t size = snnc_size_of(r->call.type);

    for (size_t k = 0; k < s->sparse; k++) {
        const snnc_projection *const p = &r->projections[k];
        if (p->weights.kind != SNNC_DENSE)
            snnc_sum_others(r->call.type, &p->weights,
                            list_at(s, t + s->delays - delay_of(p), row), NULL,
                            sparse_sum(r, s, k) + row * r->row_size * size);
    }
}

/* Sets `total` to the input of neurons [j0, j1) of a row at step t: that from outside,
 * and the currents. */
static void sum_input(const snnc_isa *isa, const snnc_recurrent_call *r, const state *s,
                      const snnc_plan *plan, const snnc_sequence *x, char *total,
                      size_t t, size_t row, size_t j0, size_t j1)
{
    const snnc_call *call = &r->call;
    const size_t at = row * r->row_size + j0, size = snnc_size_of(call->type);
    const size_t x_step = call->x.constant ? 0 : t, n = j1 - j0;
    const snnc_sum_fns *const fns = isa->sums[call->type];
    snnc_sum_row sums = {.n = n, .total = total};

    if (x->tiled) {
        snnc_move_tile(plan, x, SNNC_LOAD, total, n, x_step, 1, at, n);
        sums.input = total;
    }
    else
        sums.input = snnc_address_of(plan, x, x_step, at);
    if (r->bias) {
        sums.start = snnc_value_at(r->bias, j0, size);
        fns->sum(&sums);
        sums.start = NULL;
        sums.input = total;
    }
    for (size_t k = 0; k < r->num_projections; k++) {
        const snnc_projection *const p = &r->projections[k];
        const int kept = p->decay || p->record.data || t + 1 == call->num_steps;
        sums.sum = kept ? (char *)p->current_out + at * size : NULL;
        sums.decay = snnc_value_at(p->decay, p->per_neuron ? j0 : 0, size);
        sums.per_neuron = p->per_neuron;
        if (p->weights.kind == SNNC_DENSE)
            snnc_sum_dense(isa, call->type, &p->weights,
                           list_at(s, t + s->delays - delay_of(p), row), j0, &sums);
        else {
            sums.start = sparse_sum(r, s, k) + at * size;
            fns->sum(&sums);
            sums.start = NULL;
        }
        sums.input = total;
    }
    if (sums.input != total)
        memcpy(total, sums.input, n * size);
}

/* What is recorded of the currents of step t, and of spikes up to it. */
static void record_step(const snnc_recurrent_call *r, const state *s,
                        const snnc_plan *plan, size_t t, size_t r0, size_t r1)
{
    const snnc_call *call = &r->call;
    const size_t size = snnc_size_of(call->type);
    const size_t n0 = r0 * r->row_size, n1 = r1 * r->row_size;
    size_t row;

    if (!snnc_is_recorded(call, t, &row))
        return;
    for (size_t back = 0; r->past_record && back < s->delays; back++)
        put_spikes(r, s, t + s->delays - back, r->past_record, row * s->delays + back,
                   r0, r1);
    for (size_t k = 0; k < r->num_projections; k++) {
        const snnc_projection *const p = &r->projections[k];
        snnc_sequence record;
        if (!p->record.data)
            continue;
        snnc_describe_sequence(plan, &record, p->record.data, p->record.step,
                               call->select ? NULL : p->record.strides, call->type);
        if (call->select && !p->record.step)
            record.step = (ptrdiff_t)call->num_selected;
        snnc_record(plan, &record, (char *)p->current_out + n0 * size, row, n0,
                    n1 - n0);
    }
}

/* Which parameter spikes are weighted by, or 0. */
static int graded_by(const snnc_call *call)
{
    return call->graded && !call->rivals ? snnc_model_at((int)call->model)->graded : 0;
}

/* Whether spikes can be read where they are recorded, and needn't be bytes too. Not
 * graded ones: bytes don't hold them, and reals are NaN where 0 was multiplied by inf.
 */
static int are_spikes_plain(const snnc_recurrent_call *r)
{
    const snnc_call *call = &r->call;
    return !r->fired && call->spk.data && !call->spk.strides && !graded_by(call) &&
           (call->spk_type == call->type || call->spk_type == SNNC_U8);
}

/* Lists the spikes of step t, from bytes or from where they are recorded. */
static void list_fired(const snnc_isa *isa, const snnc_recurrent_call *r,
                       const state *s, const uint8_t *fired, size_t t, size_t r0,
                       size_t r1)
{
    const snnc_call *call = &r->call;
    const size_t n = r->row_size;
    const ptrdiff_t step =
        call->spk.step ? call->spk.step : (ptrdiff_t)call->num_neurons;
    const int graded = graded_by(call);

    for (size_t row = r0; row < r1; row++) {
        snnc_spike_list *const list = list_at(s, t + s->delays, row);
        if (!fired) {
            const ptrdiff_t at = (ptrdiff_t)t * step + (ptrdiff_t)(row * n);
            const size_t size = snnc_size_of(call->spk_type);
            snnc_list_spikes(isa, call->type, list,
                             (const char *)call->spk.data + at * (ptrdiff_t)size,
                             call->spk_type == SNNC_U8 ? SNNC_BOOL : call->type, 0, n);
            continue;
        }
        snnc_list_spikes(isa, call->type, list, fired + row * n, SNNC_BOOL, 0, n);
        if (graded)
            snnc_weigh_spikes(call->type, list, call->params[graded], row * n,
                              call->period);
    }
}

/* The neurons that were stepped last. To describe a row costs as much as to step a
 * hundred of them, so one description is moved on. */
typedef struct {
    snnc_row_fn *run; /* NULL: they are stepped by the plan */
    snnc_row row;
    size_t t, n0;
} last_step;

/* Makes it step t, not the first one of the call, of the neurons [n0, n0 + n). */
static void move_on(last_step *last, const snnc_plan *plan, size_t t, size_t n0,
                    size_t n)
{
    const size_t period = plan->call->period;
    const ptrdiff_t steps = (ptrdiff_t)(t - last->t), size = (ptrdiff_t)plan->size;
    const ptrdiff_t further = (ptrdiff_t)n0 - (ptrdiff_t)last->n0;
    const ptrdiff_t spk_size = (ptrdiff_t)snnc_size_of(plan->call->spk_type);
    snnc_row *const row = &last->row;

    row->n = n;
    row->spk = (char *)row->spk + (steps * row->spk_step + further) * spk_size;
    for (int k = 0; k < plan->num_states; k++) {
        row->state_out[k] =
            (char *)row->state_out[k] + (steps * row->state_step[k] + further) * size;
        row->state_in[k] = (char *)row->state_out[k] - row->state_step[k] * size;
    }
    for (int k = 0; k < plan->num_params && row->per_neuron; k++)
        row->params[k] =
            (const char *)row->params[k] +
            ((ptrdiff_t)(n0 % period) - (ptrdiff_t)(last->n0 % period)) * size;
}

/* Steps the neurons [n0, n1), whose input is `total`. */
static void step_neurons(const snnc_isa *isa, const snnc_plan *plan, last_step *last,
                         const char *total, char *scratch, size_t t, size_t n0,
                         size_t n1)
{
    if (!last->run) {
        snnc_advance(plan, scratch, t, 1, n0, n1);
        return;
    }
    if (t == plan->t0)
        snnc_describe_row(isa, plan->call, t, 1, n0, n1 - n0, &last->row);
    else
        move_on(last, plan, t, n0, n1 - n0);
    last->t = t;
    last->n0 = n0;
    last->row.x = total;
    last->run(&last->row);
    if (t + 1 == plan->t1)
        snnc_keep_states(plan->call, &last->row, n0);
}

/* Whether parameters repeat: then one row of them is described at a time. */
static int has_period(const snnc_call *call)
{
    return call->period > 1 && call->period < call->num_neurons;
}

/* Step t of the rows [r0, r1): several short rows at once, or parts of a long one, so
 * that the input is still in cache when the neurons read it. */
static void step_rows(const snnc_isa *isa, const snnc_recurrent_call *r, const state *s,
                      const snnc_plan *plan, const snnc_sequence *x, last_step *last,
                      char *scratch, size_t t, size_t r0, size_t r1)
{
    const snnc_call *call = plan->call;
    const size_t n = r->row_size, size = plan->size, strip = STRIP_BYTES / size;
    const size_t group = GROUP_BYTES / size;
    const size_t most = group > n && !has_period(call) ? group / n : 1;
    char *const first = total_at(r, s, t) + r0 * n * size;
    /* Nobody else reads the input: one strip's memory does for all. */
    const int is_kept = r->total || !last->run;

    for (size_t row = r0, rows; row < r1; row += rows) {
        rows = snnc_min_size(most, r1 - row);
        for (size_t i = 0; i < rows; i++)
            sum_sparse(r, s, t, row + i);
        for (size_t j0 = 0, j1; j0 < n; j0 = j1) {
            const size_t at = row * n + j0;
            char *const total = is_kept ? first + (at - r0 * n) * size : first;
            j1 = snnc_min_size(j0 + strip, n);
            for (size_t i = 0; i < rows; i++)
                sum_input(isa, r, s, plan, x, total + i * n * size, t, row + i, j0, j1);
            if (!call->rivals)
                step_neurons(isa, plan, last, total, scratch, t, at,
                             (row + rows - 1) * n + j1);
        }
    }
    if (call->rivals)
        step_neurons(isa, plan, last, first, scratch, t, r0 * n, r1 * n);
}

snnc_status snnc_recurrent(const snnc_isa *isa, const snnc_recurrent_call *r, size_t t0,
                           size_t t1, size_t r0, size_t r1)
{
    _Alignas(64) char stack[SNNC_SCRATCH_BYTES];
    const size_t n0 = r0 * r->row_size, n1 = r1 * r->row_size;
    snnc_call call = r->call;
    last_step last = {0};
    snnc_sequence x;
    snnc_plan plan;

    call.workspace = r->workspace; /* of which each group of rivals has its part */
    const snnc_status status = check(isa, r, &call, t0, t1, r0, r1);
    if (status != SNNC_OK || n0 == n1)
        return status;
    const state s = lay_out(r, r->workspace);
    if (t0 == 0)
        begin(isa, r, &s, r0, r1);
    if (t0 < t1) {
        call.x = (snnc_input){.data = total_at(r, &s, 0), .constant = !r->total};
        call.x_type = call.type;
        snnc_make_plan(&plan, isa, &call, t0, t1, are_spikes_plain(r) ? NULL : s.fired);
        plan.streamed = 0; /* spikes are read at once */
        if (!plan.fired && !(has_period(&call) && call.period % r->row_size))
            last.run = snnc_describe_row(isa, &call, t0, 1, n0, 1, &last.row);
        snnc_describe_sequence(&plan, &x, r->call.x.data, r->call.x.step,
                               r->call.x.strides, r->call.x_type);
        if (x.strides && call.shape[call.ndim - 1] % r->row_size)
            x.tiled = 1; /* the neurons of a row don't lie in one run */
    }
    else if (t0 == 0)
        snnc_run(isa, &call, 0, 0, n0, n1); /* which copies the states */
    char *const scratch =
        s.inhibition ? s.inhibition + n0 * INHIBITED_VALUES * snnc_size_of(call.type)
                     : stack;
    for (size_t t = t0; t < t1; t++) {
        if (r->fired)
            plan.fired = r->fired + t * call.num_neurons;
        step_rows(isa, r, &s, &plan, &x, &last, scratch, t, r0, r1);
        list_fired(isa, r, &s, plan.fired, t, r0, r1);
        record_step(r, &s, &plan, t, r0, r1);
    }
    for (size_t back = 0; r->past_out && t1 == call.num_steps && back < s.delays;
         back++)
        put_spikes(r, &s, t1 + s.delays - 1 - back, r->past_out, back, r0, r1);
    return SNNC_OK;
}
