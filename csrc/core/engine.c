/* The forward pass: checks a call, cuts its neurons into strips that the row functions
 * can take, steps them through time, and places what they write. */
#include <string.h>

#include "engine.h"

#define real scalar
#define mask int
#define SNNC_SUFFIX SNNC_TYPE
#define scalar float
#define SNNC_TYPE f32
#include "inhibition.h"
#undef scalar
#undef SNNC_TYPE

#define scalar double
#define SNNC_TYPE f64
#include "inhibition.h"
#undef scalar
#undef SNNC_TYPE
#undef SNNC_SUFFIX
#undef mask
#undef real

enum {
    CACHED_BYTES = 256 * 1024, /* of a state: what stays in cache from step to step */
    TILE_STEPS = 16,           /* of a transposed tile: a cache line of float */
    BLOCK_STEPS = 4,           /* of a block, usually; and how many neurons are few: */
    FEW_NEURONS = 256,         /* see block_steps */
    MIN_CONTIGUOUS = 64,       /* fewer contiguous neurons go through a tile */

    CACHE_LINE = 64 /* bytes */
};

static const snnc_model_info models[SNNC_NUM_MODELS] = {
#define SNNC_LIST(...) {__VA_ARGS__}
#define SNNC_COUNT(...) (int)(sizeof((const char *const[])__VA_ARGS__) / sizeof(char *))
#define SNNC_MODEL(name, states, params, graded, undelayed, hard)                      \
    {#name, SNNC_COUNT(states), SNNC_COUNT(params), states, params, graded, undelayed, \
     hard},
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
        [SNNC_BAD_MODEL] = "no such model, or one without a backward pass",
        [SNNC_BAD_TYPE] = "no such type, or not a type to compute in",
        [SNNC_BAD_RESET] = "no such reset, or not of this model",
        [SNNC_BAD_RANGE] = "steps or neurons outside the call",
        [SNNC_BAD_SHAPE] = "strides without a shape of num_neurons neurons",
        [SNNC_BAD_INPUT] = "no input",
        [SNNC_BAD_STATE] = "no state_out or grad_start",
        [SNNC_BAD_PARAMETER] = "a parameter is missing",
        [SNNC_BAD_OUTPUT] = "an output or workspace is missing, or not of the model",
        [SNNC_BAD_SELECTION] = "selected neurons out of order or range",
        [SNNC_BAD_INHIBITION] =
            "groups, parameters or ranges don't fit, no workspace, or no backward pass",
        [SNNC_BAD_CHECKPOINT] = "no checkpoints, or steps don't begin and end at them",
        [SNNC_BAD_SURROGATE] = "no such surrogate",
        [SNNC_BAD_WEIGHTS] = "weights or spikes are missing, or not of such a kind",
        [SNNC_TOO_LARGE] = "more bytes than an address can count",
    };
    const int known = (int)status >= 0 && (int)status < SNNC_NUM_STATUSES;
    return known ? words[status] : "no such status";
}

static size_t size_of_group(const snnc_call *call)
{
    return snnc_mul_saturating(call->rivals,
                               call->rival_stride ? call->rival_stride : 1);
}

/* Tiles of the input, the spikes and every state, and the reset signals. */
size_t snnc_workspace_size(const snnc_call *call)
{
    return snnc_mul_saturating(size_of_group(call),
                               (SNNC_MAX_STATES + 3) * snnc_size_of(call->type));
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

void snnc_describe_sequence(const snnc_plan *p, snnc_sequence *s, const void *data,
                            ptrdiff_t step, const ptrdiff_t *strides, snnc_type type)
{
    const snnc_call *call = p->call;

    s->data = (char *)data; /* an input is never written: `advance` only reads x */
    s->step = step ? step : (ptrdiff_t)call->num_neurons;
    s->strides = call->ndim > 0 ? strides : NULL;
    s->type = type;
    s->tiled = type != call->type;
    if (s->strides) {
        const size_t inner = call->shape[call->ndim - 1];
        if (strides[call->ndim - 1] != 1 || inner < MIN_CONTIGUOUS ||
            (p->inhibited && inner % p->inhibited != 0))
            s->tiled = 1;
    }
}

void snnc_make_sequence(snnc_plan *p, snnc_sequence *s, const void *data,
                        ptrdiff_t step, const ptrdiff_t *strides, snnc_type type)
{
    snnc_describe_sequence(p, s, data, step, strides, type);
    if (s->strides && !s->tiled)
        p->run_length = p->call->shape[p->call->ndim - 1];
}

static int is_selection(const snnc_call *call)
{
    for (size_t j = 0; j < call->num_selected; j++)
        if (call->select[j] >= call->num_neurons ||
            (j > 0 && call->select[j] < call->select[j - 1]) ||
            (call->select_at && call->select_at[j] >= call->num_selected))
            return 0;
    return 1;
}

int snnc_is_shaped(const snnc_call *call)
{
    size_t product = 1;
    if (call->ndim < 0 || (call->ndim > 0 && !call->shape))
        return 0;
    for (int d = 0; d < call->ndim; d++)
        product = snnc_mul_saturating(product, call->shape[d]);
    return product == call->num_neurons;
}

static int has_strides(const snnc_call *call)
{
    int strided = call->x.strides || call->spk.strides;
    for (int k = 0; k < SNNC_MAX_STATES; k++)
        strided = strided || call->record[k].strides;
    return strided;
}

snnc_status snnc_check(const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1,
                       size_t n0, size_t n1)
{
    const size_t n = call->num_neurons;
    const snnc_model_info *info = snnc_model_at((int)call->model);

    if (!isa)
        return SNNC_BAD_ISA;
    if (!info)
        return SNNC_BAD_MODEL;
    if ((call->type != SNNC_F32 && call->type != SNNC_F64) || (int)call->x_type < 0 ||
        call->x_type >= SNNC_NUM_TYPES)
        return SNNC_BAD_TYPE;
    if ((int)call->reset < 0 || call->reset >= SNNC_NUM_RESETS ||
        (call->undelayed && !info->undelayed) ||
        (info->hard && call->reset != SNNC_ZERO))
        return SNNC_BAD_RESET;
    if (t0 > t1 || t1 > call->num_steps || n0 > n1 || n1 > n)
        return SNNC_BAD_RANGE;
    if (snnc_mul_saturating(snnc_mul_saturating(call->num_steps, n), sizeof(double)) >
            PTRDIFF_MAX ||
        call->first_step > PTRDIFF_MAX - call->num_steps)
        return SNNC_TOO_LARGE;
    if (has_strides(call) && !snnc_is_shaped(call))
        return SNNC_BAD_SHAPE;
    if (t0 < t1 && n0 < n1) {
        if (!call->x.data)
            return SNNC_BAD_INPUT;
        for (int k = 0; k < info->num_params; k++)
            if (!call->params[k])
                return SNNC_BAD_PARAMETER;
    }
    return SNNC_OK;
}

snnc_status snnc_check_run(const snnc_isa *isa, const snnc_call *call, size_t t0,
                           size_t t1, size_t n0, size_t n1)
{
    const size_t n = call->num_neurons;
    const snnc_status status = snnc_check(isa, call, t0, t1, n0, n1);
    const snnc_model_info *info = snnc_model_at((int)call->model);

    if (status != SNNC_OK)
        return status;
    if (call->spk.data && ((int)call->spk_type < 0 || call->spk_type > SNNC_U8))
        return SNNC_BAD_TYPE;
    if (call->bits) {
        const size_t rows = call->bits_rows ? call->bits_rows : call->num_steps;
        if (n0 % 8 || (n1 % 8 && n1 != n) || (t0 < t1 && t0 / rows != (t1 - 1) / rows))
            return SNNC_BAD_RANGE;
    }
    for (int k = 0; k < SNNC_MAX_STATES; k++) {
        if (k >= info->num_states && call->record[k].data)
            return SNNC_BAD_OUTPUT;
        if (k < info->num_states && n0 < n1 && !call->state_out[k])
            return SNNC_BAD_STATE;
        if (k < info->num_states && n0 < n1 && call->interval && !call->checkpoint[k])
            return SNNC_BAD_CHECKPOINT;
    }
    if (call->select && !is_selection(call))
        return SNNC_BAD_SELECTION;
    if (call->rivals && n0 < n1) {
        const size_t row = size_of_group(call);
        const size_t period = call->period > 1 ? call->period : 0;
        if (info->hard || n % row || n0 % row || n1 % row || period % row ||
            !call->workspace)
            return SNNC_BAD_INHIBITION;
    }
    return SNNC_OK;
}

snnc_row_fn *snnc_row_fn_for(const snnc_isa *isa, const snnc_call *call, int undelayed)
{
    /* The undelayed reset of SNNC_NONE does nothing. */
    return (*isa->rows[call->type])[call->model][call->reset]
                                   [undelayed && call->reset != SNNC_NONE];
}

/* The undelayed reset of inhibited neurons comes after the row functions, when it is
 * known who fires. */
static snnc_row_fn *row_fn(const snnc_isa *isa, const snnc_call *call)
{
    return snnc_row_fn_for(isa, call, call->undelayed && !call->rivals);
}

/* Whether two sequences are at nearly the same place in their pages, in every row of
 * the first: a block that writes one of them and reads the other is slow then. New
 * arrays are placed apart (binding/arrays.c). */
static int may_alias_4k(const snnc_sequence *a, const snnc_sequence *b)
{
    if (!a->data || !b->data || a->tiled ||
        b->tiled) /* what isn't wanted has no type */
        return 0;
    const uintptr_t ahead = (uintptr_t)a->data - (uintptr_t)b->data;
    const uintptr_t step = (uintptr_t)a->step * snnc_size_of(a->type);
    return step % SNNC_ALIAS_BYTES == 0 &&
           (ahead + SNNC_ALIAS_DISTANCE) % SNNC_ALIAS_BYTES < 2 * SNNC_ALIAS_DISTANCE;
}

/* How many steps rows take of a block of neurons before the next block. Few neurons may
 * keep their states in registers for long; the rows of many are read a few at a time,
 * of which processors see that they go on. */
static size_t block_steps(size_t num_neurons, int num_states, int recorded)
{
    if (num_neurons <= FEW_NEURONS)
        return 4 * BLOCK_STEPS;
    return recorded && num_states > 2 ? BLOCK_STEPS / 2 : BLOCK_STEPS;
}

static int any_may_alias_4k(const snnc_plan *p)
{
    int alias = may_alias_4k(&p->spk, &p->x);
    for (int k = 0; k < p->num_states; k++)
        alias = alias || may_alias_4k(&p->record[k], &p->x) ||
                may_alias_4k(&p->record[k], &p->spk);
    return alias;
}

/* Whether there are so many outputs that caches don't hold them until they are read. */
static int may_stream(const snnc_plan *p)
{
    const snnc_call *call = p->call;
    const size_t read = call->x.constant ? 0 : snnc_size_of(call->x_type);
    const size_t moved = snnc_mul_saturating(call->num_neurons, call->num_steps);
    return p->spikes == SNNC_REALS && !may_alias_4k(&p->spk, &p->x) &&
           (size_t)p->spk.step * p->size % CACHE_LINE == 0 &&
           snnc_mul_saturating(moved, read + p->size) >= SNNC_STREAMED_BYTES;
}

/* How rows write spikes: where they can, as they are wanted; else as bytes to a tile.
 */
static void choose_spikes(snnc_plan *p)
{
    const snnc_call *call = p->call;
    const int graded = models[call->model].graded;
    const int bytes = p->spk.type == SNNC_U8;
    const int gathered = call->count || call->first_spike || p->inhibited || p->fired;
    int tiled = 0;

    p->weight = NULL;
    if (call->graded && graded && !p->inhibited && call->spk_type != SNNC_U8)
        p->weight = call->params[graded];
    if (!p->spk.data && !call->bits && !gathered)
        p->spikes = SNNC_NO_SPIKES;
    else if (!p->spk.data && !gathered && p->period % 8 == 0 && p->run_length % 8 == 0)
        p->spikes = SNNC_BITS; /* strips begin with whole bytes */
    else {
        tiled = !p->spk.data || p->weight || call->bits || gathered ||
                (p->spk.tiled && (!bytes || p->spk.strides));
        p->spikes = tiled || bytes ? SNNC_BYTES : SNNC_REALS;
    }
    p->spk.tiled = tiled;
}

void snnc_make_plan(snnc_plan *p, const snnc_isa *isa, const snnc_call *call, size_t t0,
                    size_t t1, uint8_t *fired)
{
    const snnc_model_info *info = &models[call->model];
    const size_t n = call->num_neurons, steps = t1 - t0;

    p->call = call;
    p->isa = isa;
    p->tiles = isa->tiles[call->type];
    p->num_states = info->num_states;
    p->num_params = info->num_params;
    p->every = call->every ? call->every : 1;
    p->sampling = p->every > 1 || call->select;
    p->size = snnc_size_of(call->type);
    p->period = call->period > 1 ? call->period : 0;
    p->run_length = 0;
    p->inhibited = size_of_group(call);
    p->t0 = t0;
    p->t1 = t1;
    p->fired = fired;
    p->run = row_fn(isa, call);

    snnc_make_sequence(p, &p->x, call->x.data, call->x.step, call->x.strides,
                       call->x_type);
    snnc_make_sequence(p, &p->spk, call->spk.data, call->spk.step, call->spk.strides,
                       call->spk_type);
    p->recording = 0;
    for (int k = 0; k < p->num_states; k++) {
        snnc_sequence *const s = &p->record[k];
        s->data = NULL;
        s->tiled = 0;
        if (!call->record[k].data)
            continue;
        p->recording = 1;
        snnc_make_sequence(p, s, call->record[k].data, call->record[k].step,
                           call->select ? NULL : call->record[k].strides, call->type);
        if (call->select && !call->record[k].step)
            s->step = (ptrdiff_t)call->num_selected;
    }

    p->checkpoints_as_records = call->interval == 1 && !p->recording;
    for (int k = 0; k < p->num_states && p->checkpoints_as_records; k++) {
        snnc_make_sequence(p, &p->record[k], (char *)call->checkpoint[k] + n * p->size,
                           0, NULL, call->type);
        p->recording = p->every = 1;
        p->sampling = 0;
    }
    choose_spikes(p);
    p->streamed = may_stream(p);
    p->block_steps =
        any_may_alias_4k(p) ? 1 : block_steps(n, p->num_states, p->recording);

    int transposed = (p->x.tiled && p->x.strides) || (p->spk.tiled && p->spk.strides);
    size_t tile_bytes =
        (p->x.tiled ? p->size : 0) + (p->spk.tiled ? 1 : 0); /* of all tiles */
    for (int k = 0; k < p->num_states; k++) {
        transposed = transposed || p->record[k].tiled;
        tile_bytes += p->record[k].tiled ? p->size : 0;
    }

    /* Without tiles nothing bounds a strip. Long strips take few steps, short ones
     * more: where there are tiles to transpose, or few neurons. */
    p->strip = n;
    p->tile_steps = steps;
    if (p->inhibited) {
        p->strip = p->inhibited;
        p->tile_steps = 1;
    }
    else if (tile_bytes) {
        const size_t room = SNNC_SCRATCH_BYTES / tile_bytes;
        const size_t least_steps =
            snnc_min_size(steps, transposed ? TILE_STEPS : BLOCK_STEPS);
        const size_t widest = room / (least_steps ? least_steps : 1);
        /* At least 16 fit in; rows that write bits begin with whole bytes. */
        if (p->strip > widest)
            p->strip = widest - widest % (widest < STRIP_UNIT ? 8 : STRIP_UNIT);
        p->tile_steps = p->strip ? room / p->strip : 1;
        if (p->tile_steps > BLOCK_STEPS)
            p->tile_steps -= p->tile_steps % BLOCK_STEPS;
    }
}

void snnc_move_tile(const snnc_plan *p, const snnc_sequence *s, enum snnc_move move,
                    char *tile, size_t width, size_t t, size_t num_steps, size_t i,
                    size_t n)
{
    const ptrdiff_t item = (ptrdiff_t)snnc_size_of(s->type);
    const int per_neuron = p->period > 0;
    size_t run;
    ptrdiff_t stride;

    for (size_t done = 0; done < n; done += run) {
        const ptrdiff_t first = locate(p->call, s->strides, i + done, &run, &stride);
        char *const there = s->data + (first + (ptrdiff_t)t * s->step) * item;
        char *const here = tile + done * (move == SNNC_STORE_SPIKES ? 1 : p->size);
        run = snnc_min_size(run, n - done);
        if (move == SNNC_LOAD)
            p->tiles->load(here, width, there, s->type, s->step, stride, num_steps,
                           run);
        else if (move == SNNC_STORE)
            p->tiles->store(there, s->step, stride, here, width, num_steps, run);
        else
            p->tiles->store_spikes(
                there, s->type, s->step, stride, (const uint8_t *)here, width,
                num_steps, run,
                p->weight ? (const char *)p->weight +
                                (per_neuron ? (i + done) % p->period : 0) * p->size
                          : NULL,
                per_neuron);
    }
}

/* One step of one group of rivals. */
static void step_inhibited(const snnc_plan *p, const snnc_row *row, char *r)
{
    const snnc_call *call = p->call;
    const int mem = p->num_states - 1, per_neuron = p->period > 0;
    const size_t stride = call->rival_stride ? call->rival_stride : 1;
    const snnc_model_info *info = &models[call->model];
    const void *graded = info->graded ? row->params[info->graded] : NULL;

    (call->type == SNNC_F32 ? step_inhibited_f32 : step_inhibited_f64)(
        row, p->run, mem, graded, call->undelayed ? r : NULL, per_neuron, call->reset,
        stride);
}

/* Takes num_steps steps and moves the row on. */
static void take_steps(const snnc_plan *p, snnc_row *row, size_t num_steps,
                       char *signals)
{
    const ptrdiff_t size = (ptrdiff_t)p->size, steps = (ptrdiff_t)num_steps;

    row->num_steps = num_steps;
    if (p->inhibited)
        step_inhibited(p, row, signals);
    else
        p->run(row);
    row->x = (const char *)row->x + row->x_step * steps * size;
    row->spk =
        (char *)row->spk + row->spk_step * steps * (p->spikes == SNNC_REALS ? size : 1);
    for (int k = 0; k < p->num_states; k++) {
        char *const out = row->state_out[k];
        row->state_out[k] = out + row->state_step[k] * steps * size;
        row->state_in[k] = out + row->state_step[k] * (steps - 1) * size;
    }
}

/* How many of the call's steps before step t are sampled, one of `every`. */
static size_t sampled_before(const snnc_call *call, size_t every, size_t t)
{
    const size_t before = call->first_step;
    return every == 1 ? t : (before + t) / every - before / every;
}

/* How many rows of recorded states there are before step t of the call. */
static size_t recorded_before(const snnc_plan *p, size_t t)
{
    return sampled_before(p->call, p->every, t);
}

/* Steps from t on until one has been taken whose states are sampled. */
static size_t until_sampled(const snnc_plan *p, size_t t)
{
    return p->every - (p->call->first_step + t) % p->every;
}

/* The first of the selected neurons that is not before neuron i. */
static size_t selected_from(const snnc_call *call, size_t i)
{
    size_t low = 0, high = call->num_selected;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (call->select[middle] < i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Copies the states of selected neurons [j0, j1) of a strip that begins with neuron i.
 */
static void copy_selected(const snnc_plan *p, char *dst, const char *states, size_t i,
                          size_t j0, size_t j1)
{
    const snnc_call *call = p->call;
    for (size_t j = j0; j < j1; j++)
        memcpy(dst + (call->select_at ? call->select_at[j] : j) * p->size,
               states + (call->select[j] - i) * p->size, p->size);
}

/* Keeps the states before step t, from which a backward pass may start. */
static void keep_checkpoint(const snnc_plan *p, const snnc_row *row, size_t t, size_t i)
{
    const snnc_call *call = p->call;
    const size_t at = t / call->interval * call->num_neurons + i;

    if (t % call->interval == 0 && (t < call->num_steps || call->interval == 1))
        for (int k = 0; k < p->num_states; k++)
            memcpy((char *)call->checkpoint[k] + at * p->size, row->state_in[k],
                   row->n * p->size);
}

/* The byte with the bit of neuron i at step t. */
static uint8_t *bits_at(const snnc_plan *p, size_t t, size_t i)
{
    const snnc_call *call = p->call;
    const size_t row = call->bits_rows ? t % call->bits_rows : t;
    return call->bits + row * snnc_bits_width(call->num_neurons) + i / 8;
}

/* What is wanted of a tile of spikes. */
static void emit_spikes(const snnc_plan *p, char *tile, size_t t, size_t num_steps,
                        size_t i, size_t n)
{
    const snnc_call *call = p->call;
    if (p->spk.data)
        snnc_move_tile(p, &p->spk, SNNC_STORE_SPIKES, tile, n, t, num_steps, i, n);
    if (call->bits)
        p->isa->pack(bits_at(p, t, i), (ptrdiff_t)snnc_bits_width(call->num_neurons),
                     i % 8, (const uint8_t *)tile, num_steps, n);
    if (call->count)
        p->isa->count(call->count + i, (const uint8_t *)tile, num_steps, n);
    if (call->first_spike)
        p->isa->first(call->first_spike + i, (int64_t)(call->first_step + t),
                      (const uint8_t *)tile, num_steps, n);
}

char *snnc_address_of(const snnc_plan *p, const snnc_sequence *s, size_t t, size_t i)
{
    size_t run;
    ptrdiff_t stride;
    const ptrdiff_t offset =
        s->strides ? locate(p->call, s->strides, i, &run, &stride) : (ptrdiff_t)i;
    return s->data +
           (offset + (ptrdiff_t)t * s->step) * (ptrdiff_t)snnc_size_of(s->type);
}

/* Steps [t, t + num_steps) of the neurons [i, i + n), which no run or period divides.
 */
static void advance(const snnc_plan *p, char *scratch, size_t t, size_t num_steps,
                    size_t i, size_t n)
{
    const snnc_call *call = p->call;
    const size_t size = p->size, tile_bytes = num_steps * n * size;
    char *spk_tile = NULL, *tile[SNNC_MAX_STATES];
    size_t row_at = 0, j0 = 0, j1 = 0;
    int sampling = p->recording && p->sampling;
    snnc_row row;

    row.n = n;
    for (int k = 0; k < p->num_params; k++)
        row.params[k] =
            (const char *)call->params[k] + (p->period ? i % p->period : 0) * size;
    row.per_neuron = p->period > 0;

    row.x_step = call->x.constant ? 0 : p->x.tiled ? (ptrdiff_t)n : p->x.step;
    if (p->x.tiled) {
        row.x = scratch;
        snnc_move_tile(p, &p->x, SNNC_LOAD, scratch, n, call->x.constant ? 0 : t,
                       call->x.constant ? 1 : num_steps, i, n);
        scratch += tile_bytes;
    }
    else
        row.x = snnc_address_of(p, &p->x, call->x.constant ? 0 : t, i);

    row.spikes = p->spikes;
    row.streamed = p->streamed;
    row.block_steps = p->block_steps;
    row.recorded = p->recording && !p->sampling;
    row.spk_step = p->spk.tiled ? (ptrdiff_t)n : p->spk.step;
    if (p->spikes == SNNC_BITS) {
        row.spk_step = (ptrdiff_t)snnc_bits_width(call->num_neurons);
        row.spk = bits_at(p, t, i);
    }
    else if (p->spikes == SNNC_NO_SPIKES) {
        row.spk_step = 0;
        row.spk = scratch;
    }
    else if (!p->spk.tiled)
        row.spk = snnc_address_of(p, &p->spk, t, i);

    if (sampling && call->select) {
        j0 = selected_from(call, i);
        j1 = selected_from(call, i + n);
        sampling = j0 < j1;
    }
    if (p->recording)
        row_at = recorded_before(p, t);
    for (int k = 0; k < p->num_states; k++) {
        char *const final_state = (char *)call->state_out[k] + i * size;

        tile[k] = NULL;
        row.state_step[k] = 0;
        row.state_out[k] = final_state;
        row.state_in[k] = t == 0 && call->state_in[k]
                              ? (const char *)call->state_in[k] + i * size
                              : final_state;
        if (p->record[k].data && p->record[k].tiled) {
            tile[k] = scratch;
            scratch += tile_bytes;
        }
        if (p->record[k].data && !p->sampling) {
            const snnc_sequence *const s = &p->record[k];
            row.state_step[k] = s->tiled ? (ptrdiff_t)n : s->step;
            row.state_out[k] = s->tiled ? tile[k] : snnc_address_of(p, s, t, i);
            if (!s->tiled && t > p->t0)
                row.state_in[k] = (char *)row.state_out[k] - s->step * (ptrdiff_t)size;
        }
    }

    char *const signals = scratch; /* of inhibition; the spikes, in bytes, are last */
    if (p->inhibited)
        scratch += tile_bytes;
    if (p->spk.tiled)
        row.spk = spk_tile = p->fired ? (char *)p->fired + i : scratch;

    if (call->interval && t == 0)
        keep_checkpoint(p, &row, 0, i);
    for (size_t s = 0, taken, sampled = 0; s < num_steps; s += taken) {
        taken = num_steps - s;
        if (sampling)
            taken = snnc_min_size(taken, until_sampled(p, t + s));
        if (call->interval && !p->checkpoints_as_records)
            taken = snnc_min_size(taken, call->interval - (t + s) % call->interval);
        take_steps(p, &row, taken, signals);
        if (call->interval && !p->checkpoints_as_records)
            keep_checkpoint(p, &row, t + s + taken, i);
        if (!sampling || until_sampled(p, t + s) != taken)
            continue;
        for (int k = 0; k < p->num_states; k++) {
            const snnc_sequence *const record = &p->record[k];
            if (record->data && call->select)
                copy_selected(p, snnc_address_of(p, record, row_at + sampled, 0),
                              row.state_in[k], i, j0, j1);
            else if (record->data)
                memcpy(tile[k] ? tile[k] + sampled * n * size
                               : snnc_address_of(p, record, row_at + sampled, i),
                       row.state_in[k], n * size);
        }
        sampled++;
    }

    if (spk_tile)
        emit_spikes(p, spk_tile, t, num_steps, i, n);
    for (int k = 0; k < p->num_states; k++) {
        if (tile[k])
            snnc_move_tile(p, &p->record[k], SNNC_STORE, tile[k], n, row_at,
                           recorded_before(p, t + num_steps) - row_at, i, n);
        if (row.state_step[k] && (tile[k] || t + num_steps == p->t1))
            memcpy((char *)call->state_out[k] + i * size, row.state_in[k], n * size);
    }
}

int snnc_is_recorded(const snnc_call *call, size_t t, size_t *row)
{
    const size_t every = call->every ? call->every : 1;

    *row = sampled_before(call, every, t);
    return sampled_before(call, every, t + 1) > *row;
}

void snnc_record(const snnc_plan *p, const snnc_sequence *record, const char *states,
                 size_t row, size_t i, size_t n)
{
    if (p->call->select)
        copy_selected(p, snnc_address_of(p, record, row, 0), states, i,
                      selected_from(p->call, i), selected_from(p->call, i + n));
    else
        snnc_move_tile(p, record, SNNC_STORE, (char *)states, n, row, 1, i, n);
}

void snnc_advance(const snnc_plan *p, char *scratch, size_t t, size_t num_steps,
                  size_t i0, size_t i1)
{
    for (size_t i = i0, end; i < i1; i = end) {
        end = snnc_strip_end(p, i, i1, p->strip);
        advance(p, scratch, t, num_steps, i, end - i);
    }
}

snnc_row_fn *snnc_describe_row(const snnc_isa *isa, const snnc_call *call, size_t t0,
                               size_t num_steps, size_t n0, size_t n, snnc_row *row)
{
    const snnc_model_info *info = &models[call->model];
    const int bytes = call->spk_type == SNNC_U8, per_neuron = call->period > 1;
    const ptrdiff_t size = (ptrdiff_t)snnc_size_of(call->type);
    const ptrdiff_t step = (ptrdiff_t)call->num_neurons, start = (ptrdiff_t)t0;
    const size_t at = per_neuron ? n0 % call->period : 0;

    if ((n > 1 && num_steps > 1 && n * num_steps > SNNC_SMALL_RUN) || !call->spk.data ||
        call->x.strides || call->spk.strides || call->x_type != call->type ||
        (call->spk_type != call->type && !bytes) || (call->graded && !bytes) ||
        call->bits || call->count || call->first_spike || call->rivals ||
        call->interval || call->every > 1 || call->select ||
        (per_neuron && at + n > call->period))
        return NULL;
    row->recorded = 0;
    for (int k = 0; k < info->num_states; k++) {
        const snnc_output *record = &call->record[k];
        char *const final_state = (char *)call->state_out[k] + (ptrdiff_t)n0 * size;
        if (record->strides)
            return NULL;
        row->state_step[k] = 0;
        row->state_out[k] = final_state;
        row->state_in[k] = t0 == 0 && call->state_in[k]
                               ? (const char *)call->state_in[k] + (ptrdiff_t)n0 * size
                               : final_state;
        if (record->data) {
            row->recorded = 1;
            row->state_step[k] = record->step ? record->step : step;
            row->state_out[k] = (char *)record->data +
                                (start * row->state_step[k] + (ptrdiff_t)n0) * size;
        }
    }
    for (int k = 0; k < info->num_params; k++)
        row->params[k] = (const char *)call->params[k] + (ptrdiff_t)at * size;
    row->per_neuron = per_neuron;
    row->n = n;
    row->num_steps = num_steps;
    row->block_steps = block_steps(n, info->num_states, row->recorded);
    row->x_step = call->x.constant ? 0 : call->x.step ? call->x.step : step;
    row->spk_step = call->spk.step ? call->spk.step : step;
    row->x = (const char *)call->x.data + (start * row->x_step + (ptrdiff_t)n0) * size;
    row->spk = (char *)call->spk.data +
               (start * row->spk_step + (ptrdiff_t)n0) * (bytes ? 1 : size);
    row->spikes = bytes ? SNNC_BYTES : SNNC_REALS;
    row->streamed = 0;
    return row_fn(isa, call);
}

void snnc_keep_states(const snnc_call *call, const snnc_row *row, size_t n0)
{
    const ptrdiff_t size = (ptrdiff_t)snnc_size_of(call->type);

    for (int k = 0; k < models[call->model].num_states && row->recorded; k++)
        if (row->state_step[k])
            memcpy((char *)call->state_out[k] + (ptrdiff_t)n0 * size,
                   (char *)row->state_out[k] +
                       (ptrdiff_t)(row->num_steps - 1) * row->state_step[k] * size,
                   row->n * (size_t)size);
}

/* Returns 0, and does nothing, where that can't be done. */
static int run_directly(const snnc_isa *isa, const snnc_call *call, size_t t0,
                        size_t num_steps, size_t n0, size_t n)
{
    snnc_row row;
    snnc_row_fn *const run = snnc_describe_row(isa, call, t0, num_steps, n0, n, &row);

    if (!run)
        return 0;
    run(&row);
    snnc_keep_states(call, &row, n0);
    return 1;
}

/* The first multiple after i; of 0: none. */
static size_t next_multiple(size_t i, size_t of)
{
    return of ? i - i % of + of : SIZE_MAX;
}

size_t snnc_strip_end(const snnc_plan *p, size_t i, size_t end, size_t strip)
{
    return snnc_min_size(
        snnc_min_size(end, i + strip),
        snnc_min_size(next_multiple(i, p->period), next_multiple(i, p->run_length)));
}

/* A checked call, tile by tile. */
static void run_tiles(const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1,
                      size_t n0, size_t n1)
{
    _Alignas(64) char stack[SNNC_SCRATCH_BYTES];
    snnc_plan p;

    snnc_make_plan(&p, isa, call, t0, t1, NULL);
    char *const scratch = p.inhibited ? call->workspace : stack;
    const size_t cached = p.inhibited ? p.inhibited : CACHED_BYTES / p.size;
    for (size_t i0 = n0, i1; i0 < n1; i0 = i1) {
        i1 = snnc_min_size(n1, i0 + cached);
        for (size_t t = t0; t < t1; t += p.tile_steps) {
            const size_t num_steps = snnc_min_size(p.tile_steps, t1 - t);
            snnc_advance(&p, scratch, t, num_steps, i0, i1);
        }
    }
}

/* A checked call without steps: its states stay as they are. */
static void copy_states(const snnc_call *call, size_t n0, size_t n)
{
    const size_t size = snnc_size_of(call->type);
    for (int k = 0; k < models[call->model].num_states; k++)
        if (call->state_in[k] && call->state_in[k] != call->state_out[k])
            memcpy((char *)call->state_out[k] + n0 * size,
                   (const char *)call->state_in[k] + n0 * size, n * size);
}

snnc_status snnc_run(const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1,
                     size_t n0, size_t n1)
{
    const snnc_status status = snnc_check_run(isa, call, t0, t1, n0, n1);

    if (status != SNNC_OK || n0 == n1)
        return status;
    if (t0 == t1 && t0 == 0)
        copy_states(call, n0, n1 - n0);
    else if (t0 < t1 && !run_directly(isa, call, t0, t1 - t0, n0, n1 - n0))
        run_tiles(isa, call, t0, t1, n0, n1);
    return SNNC_OK;
}

/* (1 + e)^2 - (1 + 2e) is 0 if the square rounds by itself, and e^2 if it does not.
 */
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
        call.type = call.x_type = call.spk_type = (snnc_type)type;
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
