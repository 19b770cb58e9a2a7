/* The only loop over time. Checks a call, cuts its neurons into strips that the row
 * functions can take, and places what they write. */
#include <string.h>

#include "rows.h"

#define real float
#define SNNC_SUFFIX f32
#include "inhibition.h"
#include "store.h"
#undef real
#undef SNNC_SUFFIX

#define real double
#define SNNC_SUFFIX f64
#include "inhibition.h"
#include "store.h"
#undef real
#undef SNNC_SUFFIX

enum {
    SCRATCH_BYTES = 16 * 1024, /* of stack */
    BLOCK_BYTES = 128 * 1024, /* of each state: what stays in cache from step to step */
    TILE_STEPS = 16,          /* of a transposed tile: a cache line of float */
    SHORTEST_RUN = 64         /* fewer contiguous neurons go through a tile */
};

static const snnc_model_info models[SNNC_NUM_MODELS] = {
#define SNNC_LIST(...) {__VA_ARGS__}
#define SNNC_COUNT(...) (int)(sizeof((const char *const[])__VA_ARGS__) / sizeof(char *))
#define SNNC_MODEL(name, states, params, undelayed) \
    {#name, SNNC_COUNT(states), SNNC_COUNT(params), states, params, undelayed},
#include "models.def"
#undef SNNC_MODEL
#undef SNNC_COUNT
#undef SNNC_LIST
};

const char *snnc_version(void)
{
    return SNNC_VERSION;
}

const snnc_model_info *snnc_model_at(int model)
{
    return model >= 0 && model < SNNC_NUM_MODELS ? &models[model] : NULL;
}

const char *snnc_strerror(snnc_status status)
{
    static const char *const words[SNNC_NUM_STATUSES] = {
        [SNNC_OK] = "no error",
        [SNNC_BAD_ISA] = "no table of row functions",
        [SNNC_BAD_MODEL] = "no such model",
        [SNNC_BAD_TYPE] = "no such type, or not a type to compute in",
        [SNNC_BAD_RESET] = "no such reset, or not of this model",
        [SNNC_BAD_RANGE] = "steps or neurons outside the call",
        [SNNC_BAD_SHAPE] = "strides without a shape of num_neurons neurons",
        [SNNC_BAD_INPUT] = "no input",
        [SNNC_BAD_STATE] = "no state_out",
        [SNNC_BAD_PARAMETER] = "a parameter is missing",
        [SNNC_BAD_OUTPUT] = "no such output of this model",
        [SNNC_BAD_INHIBITION] = "rows, parameters or cuts don't fit, or no workspace",
        [SNNC_TOO_LARGE] = "more bytes than an address can count",
    };
    const int known = (int)status >= 0 && (int)status < SNNC_NUM_STATUSES;
    return known ? words[status] : "no such status";
}

/* One of a call's sequences, as the loop sees it. `data` is NULL where there is none;
 * `staged`: it can't be read or written where it lies, but goes through a tile. */
typedef struct {
    char *data;
    ptrdiff_t step;
    const ptrdiff_t *strides;
    snnc_type type;
    int staged;
} sequence;

/* A checked call. */
typedef struct {
    const snnc_call *call;
    snnc_row_fn *row;
    int num_states, num_params;
    size_t size;      /* of a real */
    size_t period;    /* of the parameters; 0: one value for all */
    size_t run;       /* strips end at multiples of it; 0: anywhere */
    size_t inhibited; /* neurons in a row of rivals, or 0 */
    size_t t0, t1;
    size_t strip, tile_steps;
    sequence x, spk, record[SNNC_MAX_STATES];
} plan;

static size_t size_of(snnc_type type)
{
    return type == SNNC_F32 ? sizeof(float) : type == SNNC_F64 ? sizeof(double) : 1;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* a * b, or SIZE_MAX if that is too large to count. */
static size_t times(size_t a, size_t b)
{
    return b && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static size_t row_of_rivals(const snnc_call *call)
{
    return times(call->rivals, call->rival_stride ? call->rival_stride : 1);
}

/* Tiles of the input, the spikes and every state, and the reset signals. */
size_t snnc_workspace_size(const snnc_call *call)
{
    return times(row_of_rivals(call), (SNNC_MAX_STATES + 3) * size_of(call->type));
}

/* Where neuron i is, in elements from the first; how many neurons from there on (itself
 * included) are `stride` elements apart. */
static ptrdiff_t locate(const snnc_call *call, const ptrdiff_t *strides, size_t i,
                        size_t *run, ptrdiff_t *stride)
{
    ptrdiff_t offset = 0;
    if (!strides || call->ndim == 0) {
        *run = call->num_neurons - i;
        *stride = 1;
        return (ptrdiff_t)i;
    }
    const size_t inner = call->shape[call->ndim - 1];
    *run = inner - i % inner;
    *stride = strides[call->ndim - 1];
    for (int d = call->ndim - 1; d >= 0; d--) {
        offset += (ptrdiff_t)(i % call->shape[d]) * strides[d];
        i /= call->shape[d];
    }
    return offset;
}

static sequence make_sequence(plan *p, const void *data, ptrdiff_t step,
                              const ptrdiff_t *strides, snnc_type type)
{
    const snnc_call *call = p->call;
    sequence s = {NULL, step ? step : (ptrdiff_t)call->num_neurons, strides, type, 0};

    s.data = (char *)data; /* an input is never written: `advance` only reads x */
    if (strides && call->ndim > 0) {
        const size_t inner = call->shape[call->ndim - 1];
        s.staged = strides[call->ndim - 1] != 1 || inner < SHORTEST_RUN ||
                   (p->inhibited && inner % p->inhibited != 0);
        if (!s.staged)
            p->run = inner;
    }
    return s;
}

/* Everything is checked here, before the first write. */
static snnc_status make_plan(plan *p, const snnc_isa *isa, const snnc_call *call,
                             size_t t0, size_t t1, size_t n0, size_t n1)
{
    const size_t n = call->num_neurons;
    const snnc_model_info *info = snnc_model_at((int)call->model);
    int strided = call->x.strides || call->spk.strides;

    if (!isa)
        return SNNC_BAD_ISA;
    if (!info)
        return SNNC_BAD_MODEL;
    if (call->type != SNNC_F32 && call->type != SNNC_F64)
        return SNNC_BAD_TYPE;
    if (call->spk.data && ((int)call->spk_type < 0 || call->spk_type >= SNNC_NUM_TYPES))
        return SNNC_BAD_TYPE;
    if ((int)call->reset < 0 || call->reset >= SNNC_NUM_RESETS ||
        (call->undelayed && !info->undelayed))
        return SNNC_BAD_RESET;
    if (t0 > t1 || t1 > call->num_steps || n0 > n1 || n1 > n)
        return SNNC_BAD_RANGE;
    if (times(times(call->num_steps, n), sizeof(double)) > PTRDIFF_MAX)
        return SNNC_TOO_LARGE;
    for (int k = 0; k < SNNC_MAX_STATES; k++) {
        strided = strided || call->record[k].strides;
        if (k >= info->num_states && call->record[k].data)
            return SNNC_BAD_OUTPUT;
        if (k < info->num_states && n0 < n1 && !call->state_out[k])
            return SNNC_BAD_STATE;
    }
    if (strided) {
        size_t product = 1;
        if (call->ndim < 0 || (call->ndim > 0 && !call->shape))
            return SNNC_BAD_SHAPE;
        for (int d = 0; d < call->ndim; d++)
            product = times(product, call->shape[d]);
        if (product != n)
            return SNNC_BAD_SHAPE;
    }
    if (t0 < t1 && n0 < n1) {
        if (!call->x.data)
            return SNNC_BAD_INPUT;
        for (int k = 0; k < info->num_params; k++)
            if (!call->params[k])
                return SNNC_BAD_PARAMETER;
    }

    p->call = call;
    p->num_states = info->num_states;
    p->num_params = info->num_params;
    p->size = size_of(call->type);
    p->period = call->period > 1 ? call->period : 0;
    p->run = 0;
    p->inhibited = row_of_rivals(call);
    p->t0 = t0;
    p->t1 = t1;
    if (p->inhibited && n0 < n1 &&
        (n % p->inhibited || n0 % p->inhibited || n1 % p->inhibited ||
         p->period % p->inhibited || !call->workspace))
        return SNNC_BAD_INHIBITION;

    /* The undelayed reset of inhibited neurons comes after the row function; that of
     * SNNC_NONE does nothing. */
    const int undelayed = call->undelayed && !p->inhibited && call->reset != SNNC_NONE;
    p->row =
        (*isa->rows[call->type])[call->model][call->reset][undelayed][p->period > 0];

    p->x = make_sequence(p, call->x.data, call->x.step, call->x.strides, call->type);
    p->spk = make_sequence(p, call->spk.data, call->spk.step, call->spk.strides,
                           call->spk_type);
    int transposed = p->x.staged || p->spk.staged;
    int num_tiles = p->x.staged;
    for (int k = 0; k < p->num_states; k++) {
        p->record[k] = make_sequence(p, call->record[k].data, call->record[k].step,
                                     call->record[k].strides, call->type);
        transposed = transposed || p->record[k].staged;
        num_tiles += p->record[k].staged;
    }
    if (!p->spk.data || p->spk.type != call->type)
        p->spk.staged = 1;
    num_tiles += p->spk.staged;

    /* Long strips step by step; short ones for several steps where there are tiles to
     * transpose, or nothing else to sweep over. */
    const size_t room = SCRATCH_BYTES / p->size / (size_t)(num_tiles ? num_tiles : 1);
    const size_t steps = t1 - t0;
    if (p->inhibited) {
        p->strip = p->inhibited;
        p->tile_steps = 1;
    }
    else {
        p->strip =
            least(n, transposed ? room / least(steps ? steps : 1, TILE_STEPS) : room);
        p->tile_steps = !num_tiles ? steps : p->strip ? room / p->strip : 1;
        if (p->strip < n && !transposed)
            p->tile_steps = 1;
    }
    return SNNC_OK;
}

/* Copies between a sequence and its tile of num_steps rows of n neurons. */
static void move_tile(const plan *p, const sequence *s, int load, char *tile, size_t t,
                      size_t num_steps, size_t i, size_t n)
{
    const size_t item = load ? p->size : size_of(s->type);
    const ptrdiff_t tile_step = (ptrdiff_t)n;
    size_t run;
    ptrdiff_t stride;

    for (size_t done = 0; done < n; done += run) {
        const ptrdiff_t first = locate(p->call, s->strides, i + done, &run, &stride);
        run = least(run, n - done);
        char *there = s->data + (first + (ptrdiff_t)t * s->step) * (ptrdiff_t)item;
        char *here = tile + done * p->size;
        void *dst = load ? here : there;
        const void *src = load ? there : here;
        const ptrdiff_t dst_step = load ? tile_step : s->step;
        const ptrdiff_t src_step = load ? s->step : tile_step;
        const ptrdiff_t dst_stride = load ? 1 : stride, src_stride = load ? stride : 1;
        if (p->call->type == SNNC_F32)
            copy_block_f32(dst, s->type, dst_step, dst_stride, src, src_step,
                           src_stride, (ptrdiff_t)num_steps, (ptrdiff_t)run);
        else
            copy_block_f64(dst, s->type, dst_step, dst_stride, src, src_step,
                           src_stride, (ptrdiff_t)num_steps, (ptrdiff_t)run);
    }
}

static const void *param_named(const plan *p, const snnc_row *row, const char *name)
{
    const snnc_model_info *info = &models[p->call->model];
    for (int k = 0; k < info->num_params; k++)
        if (strcmp(info->params[k], name) == 0)
            return row->params[k];
    return NULL;
}

/* One step of one row of rivals. */
static void step_inhibited(const plan *p, const snnc_row *row, char *r)
{
    const snnc_call *call = p->call;
    const int mem = p->num_states - 1, per_neuron = p->period > 0;
    const size_t stride = call->rival_stride ? call->rival_stride : 1;
    const void *threshold = param_named(p, row, "threshold");
    const void *graded = param_named(p, row, "graded_spikes_factor");

    if (!call->undelayed)
        r = NULL;
    if (call->type == SNNC_F32) {
        if (r)
            reset_signals_f32((float *)r, row->state_in[mem], threshold, per_neuron,
                              row->n);
        p->row(row);
        inhibit_f32(row->spk, row->state_out[mem], threshold, graded, (float *)r,
                    per_neuron, call->reset, stride, row->n);
    }
    else {
        if (r)
            reset_signals_f64((double *)r, row->state_in[mem], threshold, per_neuron,
                              row->n);
        p->row(row);
        inhibit_f64(row->spk, row->state_out[mem], threshold, graded, (double *)r,
                    per_neuron, call->reset, stride, row->n);
    }
}

/* Steps [t, t + num_steps) of the neurons [i, i + n), which no run or period divides.
 */
static void advance(const plan *p, char *scratch, size_t t, size_t num_steps, size_t i,
                    size_t n)
{
    const snnc_call *call = p->call;
    const size_t size = p->size, tile_bytes = num_steps * n * size;
    const ptrdiff_t row_bytes = (ptrdiff_t)(n * size);
    size_t run;
    ptrdiff_t stride;
    const char *x;
    char *spk, *tile[SNNC_MAX_STATES] = {NULL}, *spk_tile = NULL;
    ptrdiff_t x_step, spk_step, state_step[SNNC_MAX_STATES];
    snnc_row row;

    row.n = n;
    row.x_step = row.spk_step = 0;
    for (int k = 0; k < p->num_params; k++)
        row.params[k] =
            (const char *)call->params[k] + (p->period ? i % p->period : 0) * size;

    if (p->x.staged) {
        x = scratch;
        x_step = call->x.held ? 0 : row_bytes;
        move_tile(p, &p->x, 1, scratch, call->x.held ? 0 : t,
                  call->x.held ? 1 : num_steps, i, n);
        scratch += tile_bytes;
    }
    else {
        x_step = call->x.held ? 0 : p->x.step * (ptrdiff_t)size;
        x = p->x.data + locate(call, p->x.strides, i, &run, &stride) * (ptrdiff_t)size +
            (ptrdiff_t)t * x_step;
    }
    if (p->spk.staged) {
        spk = spk_tile = scratch;
        spk_step = row_bytes;
        scratch += tile_bytes;
    }
    else {
        spk_step = p->spk.step * (ptrdiff_t)size;
        spk = p->spk.data +
              locate(call, p->spk.strides, i, &run, &stride) * (ptrdiff_t)size +
              (ptrdiff_t)t * spk_step;
    }
    for (int k = 0; k < p->num_states; k++) {
        const sequence *record = &p->record[k];
        char *held = (char *)call->state_out[k] + i * size;

        row.state_in[k] = t == 0 && call->state_in[k]
                              ? (const char *)call->state_in[k] + i * size
                              : held;
        if (!record->data) {
            row.state_out[k] = held;
            state_step[k] = 0;
        }
        else if (record->staged) {
            row.state_out[k] = tile[k] = scratch;
            state_step[k] = row_bytes;
            scratch += tile_bytes;
        }
        else {
            char *first =
                record->data +
                locate(call, record->strides, i, &run, &stride) * (ptrdiff_t)size;
            state_step[k] = record->step * (ptrdiff_t)size;
            row.state_out[k] = first + (ptrdiff_t)t * state_step[k];
            if (t > p->t0)
                row.state_in[k] = (char *)row.state_out[k] - state_step[k];
        }
    }

    for (size_t s = 0; s < num_steps; s++) {
        row.x = x;
        row.spk = spk;
        if (p->inhibited)
            step_inhibited(p, &row, scratch);
        else
            p->row(&row);
        x += x_step;
        spk += spk_step;
        for (int k = 0; k < p->num_states; k++) {
            row.state_in[k] = row.state_out[k];
            row.state_out[k] = (char *)row.state_out[k] + state_step[k];
        }
    }

    if (spk_tile && p->spk.data)
        move_tile(p, &p->spk, 0, spk_tile, t, num_steps, i, n);
    for (int k = 0; k < p->num_states; k++) {
        if (tile[k])
            move_tile(p, &p->record[k], 0, tile[k], t, num_steps, i, n);
        if (tile[k] || (p->record[k].data && t + num_steps == p->t1))
            memcpy((char *)call->state_out[k] + i * size, row.state_in[k], n * size);
    }
}

static size_t next_multiple(size_t i, size_t of)
{
    return of ? i - i % of + of : SIZE_MAX;
}

snnc_status snnc_run(const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1,
                     size_t n0, size_t n1)
{
    union {
        double aligned;
        char bytes[SCRATCH_BYTES];
    } stack;
    plan p;
    const snnc_status status = make_plan(&p, isa, call, t0, t1, n0, n1);

    if (status != SNNC_OK || n0 == n1)
        return status;
    if (t0 == t1) {
        for (int k = 0; k < p.num_states && t0 == 0; k++)
            if (call->state_in[k] && call->state_in[k] != call->state_out[k])
                memcpy((char *)call->state_out[k] + n0 * p.size,
                       (const char *)call->state_in[k] + n0 * p.size,
                       (n1 - n0) * p.size);
        return status;
    }

    char *const scratch = p.inhibited ? call->workspace : stack.bytes;
    const size_t block = p.inhibited ? p.inhibited : BLOCK_BYTES / p.size;
    for (size_t i0 = n0, i1; i0 < n1; i0 = i1) {
        i1 = least(n1, i0 + block);
        for (size_t t = t0; t < t1; t += p.tile_steps) {
            const size_t num_steps = least(p.tile_steps, t1 - t);
            for (size_t i = i0, end; i < i1; i = end) {
                end = least(least(i1, i + p.strip),
                            least(next_multiple(i, p.period), next_multiple(i, p.run)));
                advance(&p, scratch, t, num_steps, i, end - i);
            }
        }
    }
    return SNNC_OK;
}

/* (1 + e)^2 - (1 + 2e) is 0 if the square rounds by itself, and e^2 if it does not. */
int snnc_self_check(const snnc_isa *isa)
{
    enum { N = 37 }; /* whole vectors and a remainder */
    union {
        float f32[N];
        double f64[N];
    } x, mem, spk, params[SNNC_MAX_PARAMS];
    int ok = 1;

    for (int type = SNNC_F32; type <= SNNC_F64; type++) {
        snnc_call call = SNNC_CALL_INIT;
        const double e = type == SNNC_F32 ? 0x1p-12 : 0x1p-27;
        call.model = SNNC_Leaky;
        call.reset = SNNC_NONE;
        call.type = call.spk_type = (snnc_type)type;
        call.num_steps = 1;
        call.num_neurons = N;
        call.x.data = &x;
        call.state_out[0] = &mem;
        call.spk.data = &spk;
        for (int k = 0; k < models[SNNC_Leaky].num_params; k++)
            call.params[k] = &params[k];
        for (int i = 0; i < N; i++)
            for (int k = 0; k < models[SNNC_Leaky].num_params; k++) {
                if (type == SNNC_F32) {
                    params[k].f32[i] = mem.f32[i] = (float)(1 + e);
                    x.f32[i] = (float)-(1 + 2 * e);
                }
                else {
                    params[k].f64[i] = mem.f64[i] = 1 + e;
                    x.f64[i] = -(1 + 2 * e);
                }
            }
        if (snnc_run(isa, &call, 0, 1, 0, N) != SNNC_OK)
            return 0;
        for (int i = 0; i < N; i++)
            ok = ok && (type == SNNC_F32 ? mem.f32[i] == 0 : mem.f64[i] == 0);
    }
    return ok;
}
