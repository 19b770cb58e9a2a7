/* The backward pass, segment by segment from the last, a strip of neurons at a time.
 * Unless every state was kept (interval 1), a segment is first recomputed from its
 * checkpoint, so that its states are in cache. */
#include <string.h>

#include "engine.h"

enum {
    STRIP_BYTES = 256 * 1024, /* of a strip's workspace: what stays in cache */
    SEGMENT = 16,             /* steps, where every state has been kept */

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

static const snnc_adjoint_fns *adjoint_fns(const snnc_isa *isa, snnc_type type,
                                           size_t num_neurons)
{
    const int own = isa->adjoints[type] && num_neurons >= isa->min_neurons;
    return (own ? isa : isa->fallback)->adjoints[type];
}

snnc_status snnc_surrogate_derivative(const snnc_isa *isa, snnc_surrogate surrogate,
                                      const double *args, snnc_type type, const void *x,
                                      void *derivative, size_t n)
{
    enum { N = 64 };
    float one32[N], zero32[N];
    double one64[N], zero64[N];
    snnc_surrogate_row row;

    if (!isa)
        return SNNC_BAD_ISA;
    if (!snnc_surrogate_at((int)surrogate))
        return SNNC_BAD_SURROGATE;
    if (type != SNNC_F32 && type != SNNC_F64)
        return SNNC_BAD_TYPE;
    for (int i = 0; i < N; i++) {
        one32[i] = 1;
        one64[i] = 1;
        zero32[i] = 0;
        zero64[i] = 0;
    }
    memcpy(row.args, args, sizeof row.args);
    row.threshold = type == SNNC_F32 ? (void *)zero32 : zero64;
    row.graded = row.grad_spk = type == SNNC_F32 ? (void *)one32 : one64;
    for (size_t i = 0; i < n; i += N) {
        row.n = snnc_min_size(N, n - i);
        row.tested = (const char *)x + i * snnc_size_of(type);
        row.grad_through_spike = (char *)derivative + i * snnc_size_of(type);
        adjoint_fns(isa, type, n)->surrogate[surrogate](&row);
    }
    return SNNC_OK;
}

/* A strip's workspace, in rows of as many reals as the strip has neurons. NULL: not
 * needed by this call. */
typedef struct {
    char *state[SNNC_MAX_STATES]; /* before a segment and after each of its steps */
    char *tested; /* after each step, where mem is not what spikes test */
    char *grad_through_spike, *grad_undelayed; /* of a step */
    char *param[SNNC_MAX_PARAMS];              /* where all neurons have the same */
    char *zero, *minus_zero, *one;             /* for what isn't given */
    char *sink;                                /* for what isn't wanted */
    size_t rows;                               /* all of them, with the tiles below */
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
    const snnc_adjoint_fns *rows;
    void (*adjoint)(const snnc_adjoint_row *row);
    void (*surrogate)(const snnc_surrogate_row *row);
    void (*atan_sweep)(const snnc_adjoint_row *row); /* NULL: there is none */
    int graded;          /* the parameter of that name, or -1 */
    int all_kept;        /* states are read from the run's own record of all steps */
    size_t steps, strip; /* of a segment; neurons */
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
    work->grad_through_spike = carve(&at, 1, bytes, work);
    work->grad_undelayed = p->delayed ? carve(&at, 1, bytes, work) : NULL;
    for (int k = 0; k < f->num_params; k++)
        work->param[k] = f->period ? NULL : carve(&at, 1, bytes, work);
    work->zero = carve(&at, 1, bytes, work);
    work->minus_zero = carve(&at, 1, bytes, work);
    work->one = carve(&at, 1, bytes, work);
    work->sink = carve(&at, sizeof(double) / f->size, bytes, work);
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
    const int undelayed = call->undelayed && call->reset != SNNC_NONE;

    p->backward = b;
    snnc_make_plan(f, isa, call, t0, t1);
    const snnc_input grad_x = {b->grad_x.data, b->grad_x.step, b->grad_x.strides, 0};
    make_tiled_sequence(p, &p->x, &call->x, call->x_type);
    make_tiled_sequence(p, &p->grad_x, &grad_x, call->type);
    make_tiled_sequence(p, &p->grad_spk, &b->grad_spk, call->type);
    for (int k = 0; k < f->num_states; k++)
        make_tiled_sequence(p, &p->grad_state[k], &b->grad_state[k], call->type);
    int parameters = 0; /* of which gradients are wanted: see snnc_adjoint_fns */
    p->graded = -1;
    for (int k = 0; k < f->num_params; k++) {
        const int graded = k > 0 && k == snnc_model_at(call->model)->graded;
        if (graded)
            p->graded = k;
        if (b->grad_params[k] && (graded || k == 0))
            parameters = 2;
        else if (b->grad_params[k] && !parameters)
            parameters = 1;
    }
    p->delayed = undelayed ? snnc_row_fn_for(isa, call, 0, f->period > 0) : NULL;
    p->rows = adjoint_fns(isa, call->type, call->num_neurons);
    p->adjoint = p->rows->adjoint[call->model][call->reset][parameters];
    p->surrogate = p->rows->surrogate[b->derivative ? SNNC_mem_shift : b->surrogate];
    p->atan_sweep = NULL;
    if (!b->derivative && b->surrogate == SNNC_atan && !undelayed && !f->period &&
        parameters < 2)
        p->atan_sweep = p->rows->atan_sweep[call->model][call->reset][parameters];
    p->all_kept = call->interval == 1 && !p->delayed;
    p->steps =
        snnc_min_size(call->interval == 1 ? SEGMENT : call->interval, call->num_steps);
    carve_workspace(p, NULL, 0);
    const size_t row = snnc_mul_saturating(p->work.rows, f->size);
    p->strip = STRIP_BYTES / row / STRIP_UNIT * STRIP_UNIT;
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

/* Fills a row with one value of the type. */
static void fill(char *row, const void *value, size_t size, size_t n)
{
    memcpy(row, value, size);
    for (size_t done = 1; done < n; done *= 2) /* doubles what is there */
        memcpy(row + done * size, row, snnc_min_size(done, n - done) * size);
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
    const void *param[SNNC_MAX_PARAMS]; /* one for each neuron */
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

/* A row of a sequence, and how many bytes the next one is from it. */
typedef struct {
    char *row;
    ptrdiff_t step;
} cursor;

static cursor cursor_at(const plan *p, const segment *s, const tiled_sequence *of,
                        size_t t, size_t t0)
{
    const ptrdiff_t size = (ptrdiff_t)snnc_size_of(of->sequence.type);
    const ptrdiff_t step = of->tile ? (ptrdiff_t)s->bytes : of->sequence.step * size;
    const cursor c = {row_at(p, s, of, t, t0), of->constant ? 0 : step};
    return c;
}

/* Recomputes the states of a segment from its checkpoint. */
static void recompute(const plan *p, const segment *s)
{
    const snnc_plan *f = &p->forward;
    const snnc_call *call = f->call;
    const int mem = f->num_states - 1, each = f->period > 0;
    const size_t steps = s->t1 - s->t0, taken = p->delayed ? 1 : steps;
    const ptrdiff_t size = (ptrdiff_t)f->size;
    const cursor x = cursor_at(p, s, &p->x, s->t0, s->t0);
    snnc_row row;

    row.n = s->n;
    row.num_steps = taken;
    row.block_steps = f->block_steps;
    row.spikes = SNNC_NO_SPIKES;
    row.streamed = 0;
    row.recorded = 1;
    row.spk_step = 0;
    row.spk = p->work.sink;
    row.x_step = x.step / size;
    for (int k = 0; k < f->num_params; k++)
        row.params[k] =
            (const char *)call->params[k] + (each ? s->i % f->period : 0) * f->size;
    for (int k = 0; k < f->num_states; k++) {
        row.state_step[k] = (ptrdiff_t)s->bytes / size;
        memcpy(state_before(p, s, k, s->t0),
               (const char *)call->checkpoint[k] +
                   (s->t0 / call->interval * call->num_neurons + s->i) * f->size,
               s->n * f->size);
    }
    for (size_t t = s->t0; t < s->t1; t += taken) {
        row.x = x.row + x.step * (ptrdiff_t)(t - s->t0);
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

/* The backward pass through a segment whose states are there. */
static void backward_segment(const plan *p, const segment *s)
{
    const snnc_plan *f = &p->forward;
    const snnc_backward_call *b = p->backward;
    const workspace_rows *const work = &p->work;
    const size_t t0 = s->t0, t1 = s->t1, i = s->i, n = s->n, size = f->size;
    const size_t first = t0 > 0 ? t0 - 1 : 0; /* row of the states before it */
    const int mem = f->num_states - 1;
    snnc_adjoint_row row;
    snnc_undelayed_row undelayed;
    snnc_surrogate_row spikes;

    move_rows(p, s, &p->grad_spk, SNNC_LOAD, t0, t1);
    for (int k = 0; k < f->num_states; k++) {
        row.grad_state[k] = (char *)b->grad_start[k] + i * size;
        move_rows(p, s, &p->grad_state[k], SNNC_LOAD, first, t1 - 1);
    }
    for (int k = 0; k < f->num_params; k++) {
        row.params[k] = s->param[k];
        row.grad_params[k] =
            b->grad_params[k] ? b->grad_params[k] + i : (double *)work->sink;
    }
    const void *graded = p->graded < 0 ? work->one : row.params[p->graded];
    row.n = undelayed.n = spikes.n = n;
    undelayed.threshold = spikes.threshold = row.params[0];
    undelayed.graded = spikes.graded = graded;
    undelayed.rounds = b->round_to_float;
    undelayed.grad_mem = row.grad_state[mem];
    undelayed.grad_spk = work->grad_undelayed;
    undelayed.grad_threshold = row.grad_params[0];
    undelayed.grad_graded =
        p->graded < 0 ? (double *)work->sink : row.grad_params[p->graded];
    row.grad_through_spike = spikes.grad_through_spike = work->grad_through_spike;
    row.graded = graded;
    memcpy(row.args, b->surrogate_args, sizeof row.args);
    memcpy(spikes.args, b->surrogate_args, sizeof spikes.args);

    const cursor zero = {work->zero, 0}, sink = {work->sink, 0};
    const cursor nothing = {work->minus_zero, 0};
    cursor x = cursor_at(p, s, &p->x, t1 - 1, t0), upstream[SNNC_MAX_STATES];
    cursor grad_spk =
        b->grad_spk.data ? cursor_at(p, s, &p->grad_spk, t1 - 1, t0) : zero;
    cursor grad_x = b->grad_x.data ? cursor_at(p, s, &p->grad_x, t1 - 1, t0) : sink;
    for (int k = 0; k < f->num_states; k++)
        upstream[k] = b->grad_state[k].data && t1 > 1
                          ? cursor_at(p, s, &p->grad_state[k], t1 - 2, first)
                          : nothing;
    row.x_step = x.step / (ptrdiff_t)size;
    row.state_step = (ptrdiff_t)(p->all_kept ? f->call->num_neurons : s->bytes / size);
    row.grad_spk_step = grad_spk.step / (ptrdiff_t)size;
    row.grad_x_step = grad_x.step / (ptrdiff_t)size;
    const size_t sweep = (size_t)SNNC_ATAN_SWEEP_STEPS(f->num_states);
    int states_given = 0;
    for (int k = 0; k < f->num_states; k++) {
        row.upstream_step[k] = upstream[k].step / (ptrdiff_t)size;
        states_given = states_given || b->grad_state[k].data;
    }
    for (size_t t = t1, taken; t > t0; t -= taken) {
        const int sweeps =
            p->atan_sweep && t - t0 >= sweep && (t > sweep || !states_given);
        taken = sweeps ? sweep : 1;
        row.x = x.row;
        row.tested = spikes.tested = tested_at(p, s, t - 1);
        row.grad_spk = grad_spk.row;
        row.grad_x = grad_x.row;
        x.row -= x.step * (ptrdiff_t)taken;
        grad_spk.row -= grad_spk.step * (ptrdiff_t)taken;
        grad_x.row -= grad_x.step * (ptrdiff_t)taken;
        for (int k = 0; k < f->num_states; k++) {
            row.state[k] = state_before(p, s, k, t - 1);
            row.upstream[k] = t > 1 ? upstream[k].row : work->minus_zero;
            upstream[k].row -= upstream[k].step * (ptrdiff_t)taken;
        }
        if (sweeps) {
            p->atan_sweep(&row);
            continue;
        }
        if (p->delayed) {
            undelayed.mem = row.state[mem];
            undelayed.tested = row.tested;
            undelayed.upstream_spk = row.grad_spk;
            p->rows->undelayed[f->call->reset](&undelayed);
            row.grad_spk = work->grad_undelayed;
        }
        spikes.grad_spk = row.grad_spk;
        if (b->derivative) {
            spikes.tested = derivative_at(p, t - 1, i);
            spikes.threshold = work->zero;
        }
        p->surrogate(&spikes);
        p->adjoint(&row);
    }
    move_rows(p, s, &p->grad_x, SNNC_STORE, t0, t1);
}

/* Writes mem - threshold of a segment whose states are there. */
static void write_mem_shift(const plan *p, const segment *s)
{
    snnc_surrogate_row row;

    row.n = s->n;
    row.threshold = s->param[0];
    row.graded = row.grad_spk = p->work.one;
    row.args[0] = row.args[1] = 0;
    for (size_t t = s->t0; t < s->t1; t++) {
        row.tested = tested_at(p, s, t);
        row.grad_through_spike = derivative_at(p, t, s->i);
        p->rows->surrogate[SNNC_mem_shift](&row);
    }
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

/* The rows of a strip that hold one value each. */
static void fill_constants(const plan *p)
{
    static const float values32[3] = {0, -0.0f, 1};
    static const double values64[3] = {0, -0.0, 1};
    const snnc_call *call = p->forward.call;
    const size_t size = p->forward.size;
    const char *values =
        call->type == SNNC_F32 ? (const char *)values32 : (const char *)values64;

    fill(p->work.zero, values, size, p->strip);
    fill(p->work.minus_zero, values + size, size, p->strip);
    fill(p->work.one, values + 2 * size, size, p->strip);
    for (int k = 0; k < p->forward.num_params; k++)
        if (p->work.param[k])
            fill(p->work.param[k], call->params[k], size, p->strip);
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
    fill_constants(&p);
    for (s.i = n0; s.i < n1; s.i += s.n) {
        s.n = snnc_strip_end(f, s.i, n1, p.strip) - s.i;
        for (int k = 0; k < f->num_params; k++)
            s.param[k] = p.work.param[k] ? p.work.param[k]
                                         : (const char *)call->params[k] +
                                               s.i % f->period * f->size;
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
    if (snnc_backward_workspace_size(b) == SIZE_MAX)
        return SNNC_TOO_LARGE;
    return b->workspace ? SNNC_OK : SNNC_BAD_OUTPUT;
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
