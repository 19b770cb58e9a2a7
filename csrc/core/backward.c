/* The backward pass, segment by segment from the last, a strip of neurons at a time.
 * Unless every state was kept (interval 1), a segment is first recomputed from its
 * checkpoint, so that its states are in cache. */
#include <string.h>

#include "engine.h"

enum {
    STRIP_BYTES = 256 * 1024, /* of a strip's workspace: what stays in cache */
    SEGMENT = 16,             /* steps, where every state has been kept */
    /* Up to so many bytes of all neurons, blocks take SNNC_ADJOINT_STEPS steps. Up to
     * more where gradients of parameters are summed, as a block loads and stores the
     * sums once, and where so many bytes of all steps are in the caches: else the reads
     * of so many rows wait. */
    ROW_BYTES = 8 * 1024,
    SUMMED_ROW_BYTES = 48 * 1024,
    SUMMED_BYTES = 2 * 1024 * 1024,

    ALIGNMENT = 64
};

static const snnc_surrogate_info surrogates[SNNC_NUM_SURROGATES] = {
#define SNNC_SURROGATE(name, num_args, divides, rounds) {#name, num_args},
#include "surrogates.def"
#undef SNNC_SURROGATE
};

const snnc_surrogate_info *snnc_surrogate_at(int surrogate)
{
    return surrogate >= 0 && surrogate < SNNC_NUM_SURROGATES ? &surrogates[surrogate]
                                                             : NULL;
}

/* How a surrogate's value and an upstream gradient become one gradient. */
static const struct {
    int divides, rounds;
} products[SNNC_NUM_SURROGATES] = {
#define SNNC_SURROGATE(name, num_args, divides, rounds) {divides, rounds},
#include "surrogates.def"
#undef SNNC_SURROGATE
};

snnc_status snnc_surrogate_derivative(const snnc_isa *isa, snnc_surrogate surrogate,
                                      const double *args, snnc_type type, const void *x,
                                      void *derivative, size_t n)
{
    static const double zero = 0; /* of either type */
    snnc_surrogate_row row = {0};

    if (!isa)
        return SNNC_BAD_ISA;
    if (!snnc_surrogate_at((int)surrogate))
        return SNNC_BAD_SURROGATE;
    if (type != SNNC_F32 && type != SNNC_F64)
        return SNNC_BAD_TYPE;
    row.n = n;
    row.num_steps = 1;
    row.surrogate = surrogate;
    memcpy(row.args, args, sizeof row.args);
    row.reciprocal = products[surrogate].divides;
    row.tested = x;
    row.threshold = &zero;
    row.out = derivative;
    isa->adjoints[type]->surrogate(&row);
    return SNNC_OK;
}

/* A strip's workspace, in rows of as many reals as the strip has neurons. NULL: not
 * needed by this call. */
typedef struct {
    char *state[SNNC_MAX_STATES]; /* before a segment and after each of its steps */
    char *tested; /* after each step, where mem is not what spikes test */
    size_t rows;  /* all of them, with the tiles below */
} workspace_rows;

/* One array of the call, and its tile of a segment where it goes through one. */
typedef struct {
    snnc_sequence sequence;
    int constant; /* one row for all steps */
    char *tile;
} tiled_sequence;

/* A checked call. */
typedef struct {
    const snnc_backward_call *backward;
    snnc_plan forward;
    snnc_row_fn *delayed; /* where the reset isn't: its mem is what spikes test */
    snnc_adjoint_row_fn *adjoint;
    void (*surrogate)(const snnc_surrogate_row *row);
    int all_kept;        /* states are read from the run's own record of all steps */
    size_t steps, strip; /* of a segment; neurons */
    size_t block_steps;  /* of the adjoint's row */
    tiled_sequence x, grad_x, grad_spk, grad_state[SNNC_MAX_STATES];
    workspace_rows work;
} plan;

static char *carve(char **at, size_t rows, size_t bytes, workspace_rows *work)
{
    char *const here = *at;
    if (here)
        *at += rows * bytes;
    work->rows += rows;
    return here;
}

static void carve_tile(tiled_sequence *s, char **at, size_t steps, size_t bytes,
                       workspace_rows *work)
{
    s->tile =
        s->sequence.tiled ? carve(at, s->constant ? 1 : steps, bytes, work) : NULL;
}

/* Carves the workspace into rows of `bytes`, from `at` on. */
static void carve_workspace(plan *p, char *at, size_t bytes)
{
    const snnc_plan *f = &p->forward;
    const size_t steps = p->steps;
    workspace_rows *const work = &p->work;

    work->rows = 0;
    for (int k = 0; k < f->num_states; k++)
        work->state[k] = p->all_kept ? NULL : carve(&at, steps + 1, bytes, work);
    work->tested = p->delayed ? carve(&at, steps, bytes, work) : NULL;
    carve_tile(&p->x, &at, steps, bytes, work);
    carve_tile(&p->grad_x, &at, steps, bytes, work);
    carve_tile(&p->grad_spk, &at, steps, bytes, work);
    for (int k = 0; k < f->num_states; k++)
        carve_tile(&p->grad_state[k], &at, steps, bytes, work);
}

static void make_tiled_sequence(plan *p, tiled_sequence *s, const snnc_input *given,
                                snnc_type type)
{
    snnc_make_sequence(&p->forward, &s->sequence, given->data, given->step,
                       given->strides, type);
    s->sequence.tiled = s->sequence.tiled && given->data;
    s->constant = given->constant;
}

static void make_plan(plan *p, const snnc_isa *isa, const snnc_backward_call *b,
                      size_t t0, size_t t1)
{
    const snnc_call *call = &b->call;
    snnc_plan *const f = &p->forward;
    const snnc_adjoint_fns *const adjoints = isa->adjoints[call->type];
    const int undelayed = call->undelayed && call->reset != SNNC_NONE;

    p->backward = b;
    snnc_make_plan(f, isa, call, t0, t1, NULL);
    const snnc_input grad_x = {b->grad_x.data, b->grad_x.step, b->grad_x.strides, 0};
    make_tiled_sequence(p, &p->x, &call->x, call->x_type);
    make_tiled_sequence(p, &p->grad_x, &grad_x, call->type);
    make_tiled_sequence(p, &p->grad_spk, &b->grad_spk, call->type);
    for (int k = 0; k < f->num_states; k++)
        make_tiled_sequence(p, &p->grad_state[k], &b->grad_state[k], call->type);
    int parameters = 0; /* of which gradients are wanted: see snnc_adjoint_fns */
    for (int k = 0; k < f->num_params; k++) {
        const int of_spikes = k == 0 || k == snnc_model_at(call->model)->graded;
        if (b->grad_params[k] && parameters < 1 + of_spikes)
            parameters = 1 + of_spikes;
    }
    p->delayed = undelayed ? snnc_row_fn_for(isa, call, 0) : NULL;
    p->adjoint = parameters > 1
                     ? adjoints->adjoint_of_all[call->model]
                     : adjoints->adjoint[call->model][call->reset][parameters];
    p->surrogate = adjoints->surrogate;
    const size_t row = snnc_mul_saturating(call->num_neurons, f->size);
    const int many =
        parameters && snnc_mul_saturating(row, call->num_steps) <= SUMMED_BYTES;
    p->block_steps = f->block_steps;
    if (row <= (many ? SUMMED_ROW_BYTES : ROW_BYTES))
        p->block_steps = SNNC_ADJOINT_STEPS;
    p->all_kept = call->interval == 1 && !p->delayed;
    p->steps =
        snnc_min_size(call->interval == 1 ? SEGMENT : call->interval, call->num_steps);
    carve_workspace(p, NULL, 0);
    if (!p->work.rows) { /* nothing bounds strips and segments */
        p->steps = call->num_steps;
        p->strip = call->num_neurons;
        return;
    }
    p->strip = STRIP_BYTES / snnc_mul_saturating(p->work.rows, f->size);
    p->strip -= p->strip % STRIP_UNIT;
    if (p->strip < STRIP_UNIT)
        p->strip = STRIP_UNIT;
    p->strip = snnc_min_size(p->strip, call->num_neurons);
}

/* Bytes from one row of the workspace to the next. */
static size_t row_bytes(const plan *p)
{
    return (p->strip * p->forward.size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t snnc_backward_workspace_size(const snnc_backward_call *b)
{
    plan p;
    if (b->call.num_steps == 0 || b->call.num_neurons == 0)
        return 0;
    make_plan(&p, &snnc_isa_baseline, b, 0, b->call.num_steps);
    return snnc_mul_saturating(p.work.rows, row_bytes(&p));
}

/* Where mem - threshold, or the derivative there, is for step t. */
static char *derivative_at(const plan *p, size_t t, size_t i)
{
    const snnc_plan *f = &p->forward;
    return (char *)p->backward->derivative +
           ((t - f->t0) * f->call->num_neurons + i) * f->size;
}

/* The rows of one segment of a strip, of the steps [t0, t1) and neurons [i, i + n). */
typedef struct {
    size_t t0, t1, i, n, bytes;
    const void *param[SNNC_MAX_PARAMS];
} segment;

/* State k before step t of it. */
static char *state_before(const plan *p, const segment *s, int k, size_t t)
{
    const snnc_call *call = p->forward.call;
    if (p->all_kept)
        return (char *)call->checkpoint[k] +
               (t * call->num_neurons + s->i) * p->forward.size;
    return p->work.state[k] + (t - s->t0) * s->bytes;
}

/* From one step of the states to the next, in elements. */
static ptrdiff_t state_step(const plan *p, const segment *s)
{
    return (ptrdiff_t)(p->all_kept ? p->forward.call->num_neurons
                                   : s->bytes / p->forward.size);
}

/* The mem that the spikes of step t tested. */
static char *tested_at(const plan *p, const segment *s, size_t t)
{
    if (p->delayed)
        return p->work.tested + (t - s->t0) * s->bytes;
    return state_before(p, s, p->forward.num_states - 1, t + 1);
}

/* Fills (or empties) a sequence's tile, if it has one: with rows [t0, t1). */
static void move_rows(const plan *p, const segment *s, const tiled_sequence *from,
                      enum snnc_move move, size_t t0, size_t t1)
{
    if (from->tile && t0 < t1)
        snnc_move_tile(&p->forward, &from->sequence, move, from->tile,
                       s->bytes / p->forward.size, from->constant ? 0 : t0,
                       from->constant ? 1 : t1 - t0, s->i, s->n);
}

/* Row t of a sequence whose tile begins with row t0. */
static char *row_at(const plan *p, const segment *s, const tiled_sequence *of, size_t t,
                    size_t t0)
{
    if (of->tile)
        return of->tile + (of->constant ? 0 : t - t0) * s->bytes;
    return snnc_address_of(&p->forward, &of->sequence, of->constant ? 0 : t, s->i);
}

/* A sequence from row t on, whose tile begins with row t0. */
static snnc_backwards backwards(const plan *p, const segment *s,
                                const tiled_sequence *of, size_t t, size_t t0)
{
    snnc_backwards b = {NULL, 0};
    if (of->sequence.data) {
        b.last = row_at(p, s, of, t, t0);
        if (!of->constant)
            b.step =
                of->tile ? (ptrdiff_t)(s->bytes / p->forward.size) : of->sequence.step;
    }
    return b;
}

/* Recomputes the states of a segment from its checkpoint. */
static void recompute(const plan *p, const segment *s)
{
    const snnc_plan *f = &p->forward;
    const snnc_call *call = f->call;
    const int mem = f->num_states - 1;
    const size_t steps = s->t1 - s->t0, taken = p->delayed ? 1 : steps;
    const ptrdiff_t size = (ptrdiff_t)f->size;
    const snnc_backwards x = backwards(p, s, &p->x, s->t0, s->t0);
    snnc_row row;

    row.n = s->n;
    row.num_steps = taken;
    row.block_steps = f->block_steps;
    row.per_neuron = f->period > 0;
    row.spikes = SNNC_NO_SPIKES;
    row.streamed = 0;
    row.recorded = 1;
    row.spk_step = 0;
    row.spk = p->work.state[0]; /* not written */
    row.x_step = x.step;
    for (int k = 0; k < f->num_params; k++)
        row.params[k] = s->param[k];
    for (int k = 0; k < f->num_states; k++) {
        row.state_step[k] = (ptrdiff_t)s->bytes / size;
        memcpy(state_before(p, s, k, s->t0),
               (const char *)call->checkpoint[k] +
                   (s->t0 / call->interval * call->num_neurons + s->i) * f->size,
               s->n * f->size);
    }
    for (size_t t = s->t0; t < s->t1; t += taken) {
        row.x = (char *)x.last + x.step * (ptrdiff_t)(t - s->t0) * size;
        for (int k = 0; k < f->num_states; k++) {
            row.state_in[k] = state_before(p, s, k, t);
            row.state_out[k] = state_before(p, s, k, t + 1);
        }
        f->run(&row);
        if (p->delayed) { /* writes the other states once more */
            row.state_out[mem] = tested_at(p, s, t);
            p->delayed(&row);
        }
    }
}

/* The surrogate of the call, but for the strip. */
static snnc_surrogate_row surrogate_of(const plan *p, int surrogate)
{
    snnc_surrogate_row row = {0};
    row.surrogate = surrogate;
    memcpy(row.args, p->backward->surrogate_args, sizeof row.args);
    row.per_neuron = p->forward.period > 0;
    return row;
}

/* The backward pass through a segment whose states are there. */
static void backward_segment(const plan *p, const segment *s)
{
    const snnc_plan *f = &p->forward;
    const snnc_backward_call *b = p->backward;
    const size_t t0 = s->t0, t1 = s->t1, size = f->size;
    const size_t first = t0 > 0 ? t0 - 1 : 0; /* row of the states before it */
    const size_t num_upstream = t1 - 1 - first;
    const ptrdiff_t step = state_step(p, s);
    snnc_adjoint_row row;

    move_rows(p, s, &p->grad_spk, SNNC_LOAD, t0, t1);
    row.n = s->n;
    row.num_steps = t1 - t0;
    row.block_steps = p->block_steps;
    row.per_neuron = f->period > 0;
    row.reset = f->call->reset;
    row.undelayed = f->call->undelayed;
    row.rounds_threshold = b->round_to_float;
    row.x = backwards(p, s, &p->x, t1 - 1, t0);
    row.tested = (snnc_backwards){tested_at(p, s, t1 - 1), step};
    row.grad_spk = backwards(p, s, &p->grad_spk, t1 - 1, t0);
    row.grad_x = backwards(p, s, &p->grad_x, t1 - 1, t0);
    row.num_upstream = num_upstream;
    for (int k = 0; k < f->num_states; k++) {
        move_rows(p, s, &p->grad_state[k], SNNC_LOAD, first, t1 - 1);
        row.state[k] = (snnc_backwards){state_before(p, s, k, t1 - 1), step};
        row.upstream[k] =
            backwards(p, s, &p->grad_state[k], num_upstream ? t1 - 2 : 0, first);
        row.grad_state[k] = (char *)b->grad_start[k] + s->i * size;
    }
    for (int k = 0; k < f->num_params; k++) {
        row.params[k] = s->param[k];
        row.grad_params[k] = b->grad_params[k] ? b->grad_params[k] + s->i : NULL;
    }
    row.surrogate = surrogate_of(p, b->surrogate);
    row.divides = !b->derivative && products[b->surrogate].divides;
    row.rounds = !b->derivative && products[b->surrogate].rounds;
    row.derivative = (snnc_backwards){NULL, 0};
    if (b->derivative) {
        row.derivative.last = derivative_at(p, t1 - 1, s->i);
        row.derivative.step = (ptrdiff_t)f->call->num_neurons;
    }
    p->adjoint(&row);
    move_rows(p, s, &p->grad_x, SNNC_STORE, t0, t1);
}

/* Writes mem - threshold of a segment whose states are there. */
static void write_mem_shift(const plan *p, const segment *s)
{
    snnc_surrogate_row row = surrogate_of(p, SNNC_mem_shift);

    row.n = s->n;
    row.num_steps = s->t1 - s->t0;
    row.tested = tested_at(p, s, s->t0);
    row.tested_step = state_step(p, s);
    row.threshold = s->param[0];
    row.out = derivative_at(p, s->t0, s->i);
    row.out_step = (ptrdiff_t)p->forward.call->num_neurons;
    p->surrogate(&row);
}

/* Adds the upstream gradient of the states after the last step. */
static void add_last(const plan *p, const segment *s)
{
    const snnc_plan *f = &p->forward;
    const snnc_backward_call *b = p->backward;
    const size_t last = f->call->num_steps - 1;

    for (int k = 0; k < f->num_states; k++) {
        if (!b->grad_state[k].data)
            continue;
        move_rows(p, s, &p->grad_state[k], SNNC_LOAD, last, last + 1);
        const void *given = row_at(p, s, &p->grad_state[k], last, last);
        char *const sum = (char *)b->grad_start[k] + s->i * f->size;
        for (size_t j = 0; j < s->n; j++) {
            if (f->call->type == SNNC_F32)
                ((float *)sum)[j] += ((const float *)given)[j];
            else
                ((double *)sum)[j] += ((const double *)given)[j];
        }
    }
}

/* A checked call, strip by strip. */
static void backward_strips(const snnc_isa *isa, const snnc_backward_call *b, size_t t0,
                            size_t t1, size_t n0, size_t n1, int mem_shift)
{
    const snnc_call *call = &b->call;
    segment s;
    plan p;

    make_plan(&p, isa, b, t0, t1);
    const snnc_plan *f = &p.forward;
    s.bytes = row_bytes(&p);
    carve_workspace(&p, b->workspace, s.bytes);
    for (s.i = n0; s.i < n1; s.i += s.n) {
        s.n = snnc_strip_end(f, s.i, n1, p.strip) - s.i;
        for (int k = 0; k < f->num_params; k++)
            s.param[k] = (const char *)call->params[k] +
                         (f->period ? s.i % f->period * f->size : 0);
        if (t1 == call->num_steps && !mem_shift)
            add_last(&p, &s);
        for (s.t1 = t1; s.t1 > t0; s.t1 = s.t0) {
            s.t0 = (s.t1 - 1) / p.steps * p.steps;
            if (s.t0 < t0)
                s.t0 = t0; /* where every state has been kept, any step will do */
            move_rows(&p, &s, &p.x, SNNC_LOAD, s.t0, s.t1);
            if (!p.all_kept)
                recompute(&p, &s);
            if (mem_shift)
                write_mem_shift(&p, &s);
            else
                backward_segment(&p, &s);
        }
    }
}

/* The strides of the call itself have been checked. */
static int is_shaped(const snnc_backward_call *b)
{
    int strided = b->grad_spk.strides || b->grad_x.strides;
    for (int k = 0; k < SNNC_MAX_STATES; k++)
        strided = strided || b->grad_state[k].strides;
    return !strided || snnc_is_shaped(&b->call);
}

/* Everything is checked here, before the first write. */
static snnc_status check(const snnc_isa *isa, const snnc_backward_call *b, size_t t0,
                         size_t t1, size_t n0, size_t n1)
{
    const snnc_call *call = &b->call;
    const snnc_status status = snnc_check(isa, call, t0, t1, n0, n1);

    if (status != SNNC_OK)
        return status;
    const snnc_model_info *info = snnc_model_at((int)call->model);
    if (info->hard)
        return SNNC_BAD_MODEL;
    if (call->rivals)
        return SNNC_BAD_INHIBITION;
    if (!snnc_surrogate_at((int)b->surrogate))
        return SNNC_BAD_SURROGATE;
    if (!is_shaped(b))
        return SNNC_BAD_SHAPE;
    if (t0 == t1 || n0 == n1)
        return SNNC_OK;
    if (!call->interval || t0 % call->interval ||
        (t1 % call->interval && t1 != call->num_steps))
        return SNNC_BAD_CHECKPOINT;
    for (int k = 0; k < info->num_states; k++) {
        if (!call->checkpoint[k])
            return SNNC_BAD_CHECKPOINT;
        if (!b->grad_start[k])
            return SNNC_BAD_STATE;
    }
    const size_t needed = snnc_backward_workspace_size(b);
    if (needed == SIZE_MAX)
        return SNNC_TOO_LARGE;
    return b->workspace || !needed ? SNNC_OK : SNNC_BAD_OUTPUT;
}

snnc_status snnc_backward(const snnc_isa *isa, const snnc_backward_call *b, size_t t0,
                          size_t t1, size_t n0, size_t n1)
{
    const snnc_status status = check(isa, b, t0, t1, n0, n1);
    if (status == SNNC_OK && t0 < t1 && n0 < n1)
        backward_strips(isa, b, t0, t1, n0, n1, 0);
    return status;
}

snnc_status snnc_mem_shift(const snnc_isa *isa, const snnc_backward_call *backward,
                           size_t t0, size_t t1, size_t n0, size_t n1)
{
    const snnc_status status = check(isa, backward, t0, t1, n0, n1);
    if (status != SNNC_OK || t0 == t1 || n0 == n1)
        return status;
    if (!backward->derivative)
        return SNNC_BAD_OUTPUT;
    backward_strips(isa, backward, t0, t1, n0, n1, 1);
    return SNNC_OK;
}
