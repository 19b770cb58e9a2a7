/* Closed loops without Python: the same bits as products and steps one after the other,
 * by every table, whole and in ranges, and no byte touched but those that were given.
 */
#include "check.h"

enum { STEPS = 7, ROWS = 4, MOST = 130, DELAYS = 3, PROJECTIONS = 2 };
enum { BYTES = STEPS * ROWS * MOST * (int)sizeof(double) };

enum {
    X,
    SPK,
    STATE,
    RECORD = STATE + 3,
    WEIGHT,
    DECAY = WEIGHT + 2,
    BIAS,
    CURRENT,
    CURRENT_RECORD = CURRENT + 2,
    PAST = CURRENT_RECORD + 2,
    PAST_RECORD,
    TOTAL,
    FIRED,
    PARAM,
    NUM_BUFFERS = PARAM + SNNC_MAX_PARAMS
};
static guarded buffers[NUM_BUFFERS];
static _Alignas(64) char workspace[1 << 21];

typedef struct {
    snnc_recurrent_call call;
    snnc_projection projections[PROJECTIONS];
} loop;

static void *buffer(int which, size_t bytes, int at_end)
{
    return guarded_at(&buffers[which], bytes, at_end);
}

static void *filled(int which, snnc_type type, size_t n, double low, double high,
                    int at_end)
{
    void *data = buffer(which, n * size_of(type), at_end);
    for (size_t i = 0; i < n; i++) {
        const double value = low + (high - low) * draw();
        if (type == SNNC_F32)
            ((float *)data)[i] = (float)value;
        else
            ((double *)data)[i] = value;
    }
    return data;
}

/* A closed loop of n neurons a row, with everything wanted; the seed draws the same
 * again. */
static void make_loop(loop *l, int model, snnc_type type, size_t n, int graded,
                      int at_end)
{
    const snnc_model_info *info = snnc_model_at(model);
    const size_t size = size_of(type), all = ROWS * n;
    snnc_recurrent_call *const r = &l->call;
    snnc_call *const call = &r->call;

    memset(l, 0, sizeof *l);
    seed = (uint32_t)(n * 8 + (size_t)model);
    call->model = (snnc_model)model;
    call->reset = info->hard ? SNNC_ZERO : SNNC_SUBTRACT;
    call->type = call->x_type = call->spk_type = type;
    call->graded = graded;
    call->num_steps = STEPS;
    call->num_neurons = all;
    call->x.data = filled(X, type, STEPS * all, -1, 2, at_end);
    call->spk.data = buffer(SPK, STEPS * all * size, at_end);
    for (int k = 0; k < info->num_states; k++)
        call->state_out[k] = filled(STATE + k, type, all, -1, 1, at_end);
    for (int k = 0; k < info->num_params; k++)
        call->params[k] = filled(PARAM + k, type, 1, 0.3, 0.9, at_end);
    call->record[0].data = buffer(RECORD, STEPS * all * size, at_end);
    r->row_size = n;
    r->bias = filled(BIAS, type, n, -1, 1, at_end);
    r->num_projections = PROJECTIONS;
    r->projections = l->projections;
    for (int k = 0; k < PROJECTIONS; k++) {
        snnc_projection *const p = &l->projections[k];
        p->weights.kind = k ? SNNC_ONE_TO_ONE : SNNC_DENSE;
        p->weights.num_inputs = p->weights.num_outputs = n;
        p->weights.data = filled(WEIGHT + k, type, k ? n : n * n, -1, 1, at_end);
        p->delay = k ? DELAYS : 0;
        p->current_out = filled(CURRENT + k, type, all, -1, 1, at_end);
        if (k) {
            p->decay = filled(DECAY, type, n, 0, 1, at_end);
            p->per_neuron = 1;
        }
        p->record.data = buffer(CURRENT_RECORD + k, STEPS * all * size, at_end);
    }
    r->past_in = r->past_out = filled(PAST, type, DELAYS * all, -1, 0.5, at_end);
    r->past_record = buffer(PAST_RECORD, STEPS * DELAYS * all * size, at_end);
    r->total = buffer(TOTAL, STEPS * all * size, at_end);
    r->fired = buffer(FIRED, STEPS * all, at_end);
    r->workspace = workspace;
    CHECK(snnc_recurrent_workspace_size(r) + 16 <= sizeof workspace);
}

/* The results of a loop, in one place. */
typedef struct {
    char spk[BYTES], record[BYTES], current[2][BYTES], past[BYTES], total[BYTES];
    uint8_t fired[BYTES];
    char state[3][BYTES];
} results;

static void keep(results *to, const loop *l)
{
    const snnc_call *call = &l->call.call;
    const size_t all = call->num_neurons * size_of(call->type), bytes = STEPS * all;

    memset(to, 0, sizeof *to);
    memcpy(to->spk, call->spk.data, bytes);
    memcpy(to->record, call->record[0].data, bytes);
    for (int k = 0; k < PROJECTIONS; k++)
        memcpy(to->current[k], l->projections[k].record.data, bytes);
    memcpy(to->past, l->call.past_out, DELAYS * all);
    memcpy(to->total, l->call.total, bytes);
    memcpy(to->fired, l->call.fired, STEPS * call->num_neurons);
    for (int k = 0; k < snnc_model_at((int)call->model)->num_states; k++)
        memcpy(to->state[k], call->state_out[k], all);
}

/* One step of one row after the other: an input that is summed here, and snnc_run. */
static void check_totals(const loop *l, const results *r)
{
    const snnc_call *call = &l->call.call;
    const size_t n = l->call.row_size, all = call->num_neurons;
    int ok = 1;

    for (size_t t = 1; t < STEPS && call->type == SNNC_F64; t++)
        for (size_t i = 0; i < all; i++) {
            const double *const w = l->projections[0].weights.data;
            const double *const x = call->x.data, *const bias = l->call.bias;
            const double *const spk = (const double *)(const void *)r->spk;
            const double *const late = (const double *)(const void *)r->current[1];
            double sum = 0;
            for (size_t j = 0; j < n; j++) {
                const double spike = spk[(t - 1) * all + i / n * n + j];
                if (spike != 0)
                    sum += w[j * n + i % n] * spike;
            }
            ok = ok && ((const double *)(const void *)r->total)[t * all + i] ==
                           ((x[t * all + i] + bias[i % n]) + sum) + late[t * all + i];
        }
    CHECK(ok);
}

/* Spikes as bytes are those that are fed back, weighted where they are. */
static void test_bytes(const snnc_isa *isa, loop *l, const results *expected)
{
    static results other;
    const size_t items = STEPS * l->call.call.num_neurons;

    l->call.call.spk_type = SNNC_U8;
    CHECK(snnc_recurrent(isa, &l->call, 0, STEPS, 0, ROWS) == SNNC_OK);
    CHECK(memcmp(l->call.call.spk.data, expected->fired, items) == 0);
    keep(&other, l);
    memcpy(other.spk, expected->spk, sizeof other.spk);
    CHECK(memcmp(&other, expected, sizeof other) == 0);
}

/* An input of which a row isn't in one place: steps are its inner axis but one. */
static void test_strides(const snnc_isa *isa, loop *l, const results *expected)
{
    static results other;
    static char x[BYTES];
    snnc_call *const call = &l->call.call;
    const size_t half = l->call.row_size / 2, bytes = half * size_of(call->type);
    const size_t shape[] = {2 * ROWS, half};
    const ptrdiff_t strides[] = {STEPS * (ptrdiff_t)half, 1};

    if (l->call.row_size % 2)
        return;
    for (size_t t = 0; t < STEPS; t++)
        for (size_t i = 0; i < 2 * ROWS; i++)
            memcpy(x + (i * STEPS + t) * bytes,
                   (const char *)call->x.data + (t * 2 * ROWS + i) * bytes, bytes);
    call->x = (snnc_input){x, (ptrdiff_t)half, strides, 0};
    call->shape = shape;
    call->ndim = 2;
    CHECK(snnc_recurrent(isa, &l->call, 0, STEPS, 0, ROWS) == SNNC_OK);
    keep(&other, l);
    CHECK(memcmp(&other, expected, sizeof other) == 0);
}

static void test_loop(const snnc_isa *isa, int model, snnc_type type, size_t n,
                      int graded, int at_end)
{
    static results whole, first, other;
    static loop l;

    make_loop(&l, model, type, n, graded, at_end);
    CHECK(snnc_recurrent(snnc_isa_find("baseline"), &l.call, 0, STEPS, 0, ROWS) ==
          SNNC_OK);
    keep(&first, &l);
    check_totals(&l, &first);
    make_loop(&l, model, type, n, graded, at_end);
    CHECK(snnc_recurrent(isa, &l.call, 0, STEPS, 0, ROWS) == SNNC_OK);
    keep(&whole, &l);
    CHECK(memcmp(&whole, &first, sizeof whole) == 0);
    make_loop(&l, model, type, n, graded, at_end);
    for (size_t row = 0; row < ROWS; row++) /* each by itself, cut in time */
        for (size_t t = 0; t < STEPS; t += 3)
            CHECK(snnc_recurrent(isa, &l.call, t, t + 3 < STEPS ? t + 3 : STEPS, row,
                                 row + 1) == SNNC_OK);
    keep(&other, &l);
    CHECK(memcmp(&other, &whole, sizeof whole) == 0);
    make_loop(&l, model, type, n, graded,
              at_end); /* what isn't wanted changes nothing */
    l.call.total = NULL;
    l.call.fired = NULL;
    CHECK(snnc_recurrent(isa, &l.call, 0, STEPS, 0, ROWS) == SNNC_OK);
    l.call.total = first.total;
    l.call.fired = first.fired;
    keep(&other, &l);
    CHECK(memcmp(&other, &whole, sizeof whole) == 0);
    make_loop(&l, model, type, n, graded, at_end);
    test_bytes(isa, &l, &whole);
    make_loop(&l, model, type, n, graded, at_end);
    test_strides(isa, &l, &whole);
}

static void test_wrong_arguments(const snnc_isa *isa)
{
    static loop l;
    const size_t bytes = ROWS * 5 * sizeof(float);
    char before[ROWS * 5 * sizeof(float)];

#define WRONG(change, status)                                           \
    make_loop(&l, SNNC_Leaky, SNNC_F32, 5, 0, 1);                       \
    memcpy(before, l.call.call.state_out[0], bytes);                    \
    change;                                                             \
    CHECK(snnc_recurrent(isa, &l.call, 0, STEPS, 0, ROWS) == (status)); \
    CHECK(memcmp(before, buffer(STATE, bytes, 1), bytes) == 0)
    WRONG(l.call.row_size = 3, SNNC_BAD_SHAPE);
    WRONG(l.call.row_size = 0, SNNC_BAD_SHAPE);
    WRONG(l.call.row_size = 10, SNNC_BAD_RANGE);
    WRONG(l.call.call.type = SNNC_U8, SNNC_BAD_TYPE);
    WRONG(l.call.call.x.data = NULL, SNNC_BAD_INPUT);
    WRONG(l.call.call.interval = 2, SNNC_BAD_CHECKPOINT);
    WRONG(l.call.projections = NULL, SNNC_BAD_WEIGHTS);
    WRONG(l.projections[1].weights.data = NULL, SNNC_BAD_WEIGHTS);
    WRONG(l.projections[0].weights.num_outputs = 4, SNNC_BAD_WEIGHTS);
    WRONG(l.projections[1].weights.num_inputs = 4, SNNC_BAD_WEIGHTS);
    WRONG(l.projections[0].current_out = NULL, SNNC_BAD_STATE);
    WRONG(l.projections[0].delay = SIZE_MAX, SNNC_TOO_LARGE);
    WRONG(l.call.workspace = NULL, SNNC_BAD_OUTPUT);
    make_loop(&l, SNNC_Leaky, SNNC_F32, 5, 0, 1);
    CHECK(snnc_recurrent(NULL, &l.call, 0, 1, 0, 1) == SNNC_BAD_ISA);
    CHECK(snnc_recurrent(isa, &l.call, 0, 1, 0, ROWS + 1) == SNNC_BAD_RANGE);
    CHECK(snnc_recurrent(isa, &l.call, 0, 1, 2, 1) == SNNC_BAD_RANGE);
    CHECK(snnc_recurrent(isa, &l.call, 0, STEPS + 1, 0, 1) == SNNC_BAD_RANGE);
    CHECK(snnc_recurrent(isa, &l.call, 0, STEPS, 2, 2) == SNNC_OK);
}

int main(void)
{
    static const size_t sizes[] = {1, 5, 16, 64, 67, MOST};

    for (int i = 0; i < NUM_BUFFERS; i++)
        buffers[i] = guarded_new((size_t)MOST * MOST * sizeof(double));
    for (int i = 0; snnc_isa_name_at(i); i++) {
        const snnc_isa *isa = snnc_isa_find(snnc_isa_name_at(i));
        if (!isa)
            continue;
        test_wrong_arguments(isa);
        for (int model = 0; model < SNNC_NUM_MODELS; model++)
            for (int type = SNNC_F32; type <= SNNC_F64; type++)
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                    for (int graded = 0; graded <= 1; graded++)
                        test_loop(isa, model, (snnc_type)type, sizes[s], graded,
                                  (int)s % 2);
        printf("%s: tested\n", snnc_isa_name(isa));
    }
    printf("recurrent: %d passed, %d failed\n", checks - failures, failures);
    return failures > 0;
}
