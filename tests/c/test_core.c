/* The C core without Python. What it computes is compared with snnTorch and with NumPy
 * from Python; here: that it touches no byte but those it was given, that a neuron's
 * results don't depend on its neighbours, the cut or the layout, and that wrong
 * arguments change nothing. */
#include "check.h"

enum { STEPS = 9, LONGEST = 130, MAX_REALS = STEPS * LONGEST };

/* Everything a call reads and writes. */
enum {
    X,
    SPK,
    RECORD,
    START = RECORD + 3,
    STATE = START + 3,
    PARAM = STATE + 3,
    CHECKPOINT = PARAM + SNNC_MAX_PARAMS, /* and of the backward pass: */
    GIVEN_SPK = CHECKPOINT + 3,
    GIVEN,
    GRAD_X = GIVEN + 3,
    GRAD_START,
    GRAD_PARAM = GRAD_START + 3,
    NUM_BUFFERS = GRAD_PARAM + SNNC_MAX_PARAMS
};
static guarded buffers[NUM_BUFFERS];

static void fill(void *data, snnc_type type, size_t n, double low, double high)
{
    for (size_t i = 0; i < n; i++) {
        const double value = low + (high - low) * draw();
        if (type == SNNC_F32)
            ((float *)data)[i] = (float)value;
        else
            ((double *)data)[i] = value;
    }
}

/* A call of n neurons whose buffers end (or start) at guard pages. */
static snnc_call make_call(const snnc_model_info *info, int model, int reset,
                           int undelayed, snnc_type type, int per_neuron, size_t n,
                           int at_end)
{
    const size_t size = size_of(type);
    snnc_call call = SNNC_CALL_INIT;

    call.model = (snnc_model)model;
    call.reset = (snnc_reset)reset;
    call.undelayed = undelayed;
    call.type = call.x_type = call.spk_type = type;
    call.graded = n % 3 == 0;
    call.num_steps = STEPS;
    call.num_neurons = n;
    call.x.data = guarded_at(&buffers[X], STEPS * n * size, at_end);
    fill(guarded_at(&buffers[X], STEPS * n * size, at_end), type, STEPS * n, -1, 3);
    call.spk.data = guarded_at(&buffers[SPK], STEPS * n * size, at_end);
    for (int k = 0; k < info->num_states; k++) {
        void *start = guarded_at(&buffers[START + k], n * size, at_end);
        fill(start, type, n, -2, 2);
        call.state_in[k] = start;
        call.state_out[k] = guarded_at(&buffers[STATE + k], n * size, at_end);
        call.record[k].data =
            guarded_at(&buffers[RECORD + k], STEPS * n * size, at_end);
    }
    call.period = per_neuron ? n : 0;
    for (int k = 0; k < info->num_params; k++) {
        const size_t count = per_neuron ? n : 1;
        void *param = guarded_at(&buffers[PARAM + k], count * size, at_end);
        fill(param, type, count, 0.25, 1);
        call.params[k] = param;
    }
    return call;
}

/* The same call for other outputs: a copy of its results, to compare with. Rows begin
 * with a cache line, so that ranges of them begin anywhere in one. */
typedef struct {
    _Alignas(64) char spk[MAX_REALS * 8];
    char record[3][MAX_REALS * 8], state[3][LONGEST * 8];
} results;

static void redirect(snnc_call *call, results *r)
{
    memset(r, 0, sizeof *r);
    call->spk.data = r->spk;
    for (int k = 0; k < SNNC_MAX_STATES; k++) {
        call->state_out[k] = r->state[k];
        if (call->record[k].data)
            call->record[k].data = r->record[k];
    }
}

static int same_results(const snnc_call *a, const snnc_call *b, int num_states)
{
    const size_t size = size_of(a->type), n = a->num_neurons;
    int same = memcmp(a->spk.data, b->spk.data, STEPS * n * size) == 0;
    for (int k = 0; k < num_states; k++)
        same = same && memcmp(a->state_out[k], b->state_out[k], n * size) == 0 &&
               memcmp(a->record[k].data, b->record[k].data, STEPS * n * size) == 0;
    return same;
}

static void test_lengths(const snnc_isa *isa, int model, int reset, int undelayed,
                         snnc_type type, int per_neuron)
{
    static results single, in_ranges, unrecorded;
    const snnc_model_info *info = snnc_model_at(model);

    for (size_t n = 0; n <= LONGEST; n++) {
        snnc_call call =
            make_call(info, model, reset, undelayed, type, per_neuron, n, n % 2 == 0);
        snnc_call other = call;
        CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_OK);

        /* one neuron after the other, by the portable table */
        redirect(&other, &single);
        for (size_t i = 0; i < n; i++)
            CHECK(snnc_run(snnc_isa_find("baseline"), &other, 0, STEPS, i, i + 1) ==
                  SNNC_OK);
        CHECK(same_results(&call, &other, info->num_states));

        /* in ranges of steps and neurons */
        redirect(&other, &in_ranges);
        for (size_t i = 0; i < n; i += 33)
            for (size_t t = 0; t < STEPS; t += 2)
                CHECK(snnc_run(isa, &other, t, t + 2 < STEPS ? t + 2 : STEPS, i,
                               i + 33 < n ? i + 33 : n) == SNNC_OK);
        CHECK(same_results(&call, &other, info->num_states));

        /* no spikes, nothing recorded (or the first state only), in place */
        redirect(&other, &unrecorded);
        other.spk.data = NULL;
        other.spk_type = (snnc_type)1000000000;
        for (int k = 0; k < info->num_states; k++) {
            memcpy(other.state_out[k], call.state_in[k], n * size_of(type));
            other.state_in[k] = k % 2 ? NULL : other.state_out[k];
            if (k > 0 || n % 2)
                other.record[k].data = NULL;
        }
        CHECK(snnc_run(isa, &other, 0, STEPS, 0, n) == SNNC_OK);
        for (int k = 0; k < info->num_states; k++)
            CHECK(memcmp(call.state_out[k], other.state_out[k], n * size_of(type)) ==
                  0);
    }
}

/* (n, T) arrays instead of (T, n), and spikes of other types. */
static void test_layouts(const snnc_isa *isa, int model, snnc_type type)
{
    static results transposed;
    static char x[MAX_REALS * 8];
    const snnc_model_info *info = snnc_model_at(model);
    const size_t size = size_of(type);
    const ptrdiff_t stride = STEPS;

    for (size_t n = 1; n <= LONGEST; n += 7) {
        snnc_call call = make_call(info, model, SNNC_ZERO, 0, type, 1, n, 1);
        snnc_call other = call;
        CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_OK);

        for (int spk_type = SNNC_F32; spk_type <= SNNC_U8; spk_type++) {
            const size_t item = size_of((snnc_type)spk_type);
            redirect(&other, &transposed);
            other.spk_type = (snnc_type)spk_type;
            other.ndim = 1;
            other.shape = &n;
            other.x.data = x;
            other.x.step = other.spk.step = 1;
            other.x.strides = other.spk.strides = &stride;
            for (int k = 0; k < info->num_states; k++) {
                other.record[k].step = 1;
                other.record[k].strides = &stride;
            }
            for (size_t t = 0; t < STEPS; t++)
                for (size_t i = 0; i < n; i++)
                    memcpy(x + (i * STEPS + t) * size,
                           (const char *)call.x.data + (t * n + i) * size, size);
            CHECK(snnc_run(isa, &other, 0, STEPS, 0, n) == SNNC_OK);
            for (size_t t = 0; t < STEPS; t++)
                for (size_t i = 0; i < n; i++) {
                    const size_t here = i * STEPS + t, there = t * n + i;
                    const int fired = type == SNNC_F32
                                          ? ((float *)call.spk.data)[there] != 0
                                          : ((double *)call.spk.data)[there] != 0;
                    static const double zero;
                    CHECK((memcmp(transposed.spk + here * item, &zero, item) != 0) ==
                          fired);
                    for (int k = 0; k < info->num_states; k++)
                        CHECK(memcmp(transposed.record[k] + here * size,
                                     (char *)call.record[k].data + there * size,
                                     size) == 0);
                }
            for (int k = 0; k < info->num_states; k++)
                CHECK(memcmp(other.state_out[k], call.state_out[k], n * size) == 0);
        }
    }
}

static double real_at(const void *data, snnc_type type, size_t i)
{
    return type == SNNC_F32 ? (double)((const float *)data)[i]
                            : ((const double *)data)[i];
}

/* Input in other types, packed spikes, counts, first spikes, and samples of the states:
 * all as the plain call says. */
static void test_options(const snnc_isa *isa, int model, snnc_type type, int per_neuron)
{
    static results sampled;
    static uint8_t bytes[MAX_REALS], bits[STEPS * (LONGEST / 8 + 1)];
    static uint16_t halves[MAX_REALS];
    static const uint16_t half[3] = {0, 0x3c00, 0x4000}; /* 0, 1, 2 */
    static int64_t count[LONGEST], first[LONGEST], event[2][MAX_REALS];
    const snnc_model_info *info = snnc_model_at(model);
    const size_t size = size_of(type);

    for (size_t n = 1; n <= LONGEST; n += 3) {
        snnc_call call = make_call(info, model, info->hard ? SNNC_ZERO : SNNC_SUBTRACT,
                                   0, type, per_neuron, n, 1);
        snnc_call other = call;
        const size_t every = 1 + n % 4, first_step = n % 5, width = (n + 7) / 8;
        size_t select[LONGEST], select_at[LONGEST], num_selected = 0, events = 0;

        for (size_t i = 0; i < STEPS * n; i++) {
            bytes[i] = (uint8_t)(3 * draw());
            halves[i] = half[bytes[i]];
            if (type == SNNC_F32)
                ((float *)guarded_at(&buffers[X], STEPS * n * size, 1))[i] = bytes[i];
            else
                ((double *)guarded_at(&buffers[X], STEPS * n * size, 1))[i] = bytes[i];
        }
        for (size_t i = 0; i < n; i++)
            for (int twice = draw() < 0.3 ? 2 : 1; twice > 0 && num_selected < n;
                 twice--)
                if (draw() < 0.5)
                    select[num_selected++] = i;
        for (size_t j = 0; j < num_selected; j++)
            select_at[j] = num_selected - 1 - j;
        CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_OK);

        redirect(&other, &sampled);
        memset(bits, 0xff, sizeof bits);
        for (size_t i = 0; i < n; i++) {
            count[i] = (int64_t)i;
            first[i] = -1;
        }
        other.x_type = n % 2 ? SNNC_U8 : SNNC_F16;
        other.x.data = n % 2 ? (void *)bytes : (void *)halves;
        other.spk.data = NULL;
        other.bits = bits;
        other.count = count;
        other.first_spike = first;
        other.every = every;
        other.first_step = first_step;
        if (n % 3) {
            other.select = select;
            other.select_at = n % 3 == 1 ? select_at : NULL;
            other.num_selected = num_selected;
        }
        for (size_t i = 0; i < n; i += 40)
            for (size_t t = 0; t < STEPS; t += 7)
                CHECK(snnc_run(isa, &other, t, t + 7 < STEPS ? t + 7 : STEPS, i,
                               i + 40 < n ? i + 40 : n) == SNNC_OK);

        for (size_t t = 0; t < STEPS; t++)
            for (size_t i = 0; i < width * 8; i++) {
                const int bit = bits[t * width + i / 8] >> i % 8 & 1;
                const int fired = i < n && real_at(call.spk.data, type, t * n + i) != 0;
                CHECK(bit == fired);
                if (fired) {
                    event[0][events] = (int64_t)(first_step + t);
                    event[1][events++] = (int64_t)i;
                }
            }
        for (size_t i = 0; i < n; i++) {
            int64_t spikes = 0, earliest = -1;
            for (size_t e = events; e-- > 0;)
                if (event[1][e] == (int64_t)i) {
                    spikes++;
                    earliest = event[0][e];
                }
            CHECK(count[i] == (int64_t)i + spikes && first[i] == earliest);
        }

        int64_t step[MAX_REALS], neuron[MAX_REALS];
        for (size_t t = 0; n % 8 && t < STEPS; t++) /* bits of no neuron are ignored */
            bits[t * width + width - 1] |= (uint8_t)(0xff << n % 8);
        CHECK(snnc_events(bits, STEPS, n, (int64_t)first_step, step, neuron, 0) ==
              events);
        CHECK(snnc_events(bits, STEPS, n, (int64_t)first_step, step, neuron,
                          MAX_REALS) == events);
        CHECK(memcmp(step, event[0], events * sizeof *step) == 0);
        CHECK(memcmp(neuron, event[1], events * sizeof *neuron) == 0);

        size_t row = 0;
        for (size_t t = 0; t < STEPS; t++) {
            if ((first_step + t + 1) % every)
                continue;
            for (int k = 0; k < info->num_states; k++) {
                const char *all = (const char *)call.record[k].data + t * n * size;
                if (!other.select)
                    CHECK(memcmp(sampled.record[k] + row * n * size, all, n * size) ==
                          0);
                else
                    for (size_t j = 0; j < num_selected; j++)
                        CHECK(memcmp(sampled.record[k] +
                                         (row * num_selected +
                                          (other.select_at ? select_at[j] : j)) *
                                             size,
                                     all + select[j] * size, size) == 0);
            }
            row++;
        }
        for (int k = 0; k < info->num_states; k++) {
            CHECK(memcmp(call.state_out[k], other.state_out[k], n * size) == 0);
            const size_t used =
                row * (other.select ? num_selected : n) * size; /* and nothing behind */
            static const char zeros[LONGEST * 8];
            CHECK(used == sizeof sampled.record[k] ||
                  memcmp(sampled.record[k] + used, zeros, size) == 0);
        }
    }
}

/* At most one of the rivals fires, and it is one that would fire alone at the first
 * step. */
static void test_inhibition(const snnc_isa *isa, int model, int undelayed,
                            snnc_type type)
{
    static results inhibited;
    static double workspace[LONGEST * (SNNC_MAX_STATES + 3)];
    const snnc_model_info *info = snnc_model_at(model);
    size_t fired = 0;

    for (size_t rivals = 1; rivals <= 10; rivals++)
        for (size_t stride = 1; stride <= 4; stride++) {
            const size_t row = rivals * stride, n = 3 * row;
            snnc_call call =
                make_call(info, model, SNNC_SUBTRACT, undelayed, type, 1, n, 1);
            snnc_call other = call;
            CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_OK);
            redirect(&other, &inhibited);
            other.rivals = rivals;
            other.rival_stride = stride;
            other.workspace = workspace;
            CHECK(snnc_workspace_size(&other) <= sizeof workspace);
            for (size_t i = 0; i < n; i += row)
                CHECK(snnc_run(isa, &other, 0, STEPS, i, i + row) == SNNC_OK);
            for (size_t first = 0; first < n; first += row)
                for (size_t column = 0; column < stride; column++)
                    for (size_t t = 0; t < STEPS; t++) {
                        int spikes = 0;
                        for (size_t i = first + column; i < first + row; i += stride) {
                            const size_t at = t * n + i;
                            const double spk =
                                type == SNNC_F32 ? (double)((float *)other.spk.data)[at]
                                                 : ((double *)other.spk.data)[at];
                            const double alone =
                                type == SNNC_F32 ? (double)((float *)call.spk.data)[at]
                                                 : ((double *)call.spk.data)[at];
                            spikes += spk != 0;
                            fired += spk != 0;
                            CHECK(t > 0 || spk == 0 || alone != 0);
                        }
                        CHECK(spikes <= 1);
                    }
        }
    CHECK(fired > 0);
}

static void test_wrong_arguments(const snnc_isa *isa)
{
    static results r;
    static const size_t five = 5, six = 6, falling[] = {2, 1};
    static const ptrdiff_t one = 1;
    const snnc_model_info *info = snnc_model_at(SNNC_Leaky);
    snnc_call good = make_call(info, SNNC_Leaky, SNNC_SUBTRACT, 0, SNNC_F32, 1, 6, 1);
    redirect(&good, &r);
    memset(&r, 0xa5, sizeof r);

#define REFUSED(change, status)                                  \
    do {                                                         \
        snnc_call call = good;                                   \
        change;                                                  \
        CHECK(snnc_run(isa, &call, 0, STEPS, 0, 6) == (status)); \
    } while (0)
    REFUSED(call.model = SNNC_NUM_MODELS, SNNC_BAD_MODEL);
    REFUSED(call.model = (snnc_model)-1, SNNC_BAD_MODEL);
    REFUSED(call.type = SNNC_U8, SNNC_BAD_TYPE);
    REFUSED(call.type = (snnc_type)-1, SNNC_BAD_TYPE);
    REFUSED(call.spk_type = SNNC_NUM_TYPES, SNNC_BAD_TYPE);
    REFUSED(call.reset = SNNC_NUM_RESETS, SNNC_BAD_RESET);
    REFUSED(call.num_steps = STEPS - 1, SNNC_BAD_RANGE);
    REFUSED(call.num_neurons = 5, SNNC_BAD_RANGE);
    REFUSED(call.num_steps = SIZE_MAX / 4, SNNC_TOO_LARGE);
    REFUSED(call.num_steps = SIZE_MAX, SNNC_TOO_LARGE);
    REFUSED(call.x.data = NULL, SNNC_BAD_INPUT);
    REFUSED(call.state_out[0] = NULL, SNNC_BAD_STATE);
    REFUSED(call.model = SNNC_LIF, SNNC_BAD_RESET); /* which has hard ones only */
    REFUSED(call.params[2] = NULL, SNNC_BAD_PARAMETER);
    REFUSED(call.record[1].data = r.record[1], SNNC_BAD_OUTPUT);
    REFUSED(call.x_type = SNNC_NUM_TYPES, SNNC_BAD_TYPE);
    REFUSED(call.spk_type = SNNC_F16, SNNC_BAD_TYPE);
    REFUSED(call.first_step = SIZE_MAX, SNNC_TOO_LARGE);
    REFUSED((call.bits = (uint8_t *)r.spk, call.bits_rows = 3), SNNC_BAD_RANGE);
    REFUSED((call.select = &six, call.num_selected = 1), SNNC_BAD_SELECTION);
    REFUSED((call.select = falling, call.num_selected = 2), SNNC_BAD_SELECTION);
    REFUSED((call.select = &five, call.select_at = &five, call.num_selected = 1),
            SNNC_BAD_SELECTION);
    REFUSED(call.x.strides = &one, SNNC_BAD_SHAPE);
    REFUSED((call.x.strides = &one, call.ndim = 1), SNNC_BAD_SHAPE);
    REFUSED((call.x.strides = &one, call.ndim = 1, call.shape = &five), SNNC_BAD_SHAPE);
    REFUSED((call.spk.strides = &one, call.ndim = -1), SNNC_BAD_SHAPE);
    REFUSED((call.rivals = 2, call.period = 0), SNNC_BAD_INHIBITION);
    REFUSED((call.rivals = 4, call.period = 0, call.workspace = r.record),
            SNNC_BAD_INHIBITION);
    REFUSED((call.rivals = 3, call.period = 2, call.workspace = r.record),
            SNNC_BAD_INHIBITION);
    REFUSED((call.rivals = SIZE_MAX, call.rival_stride = 3), SNNC_BAD_INHIBITION);
#undef REFUSED
    CHECK(snnc_run(NULL, &good, 0, STEPS, 0, 6) == SNNC_BAD_ISA);
    CHECK(snnc_run(isa, &good, 2, 1, 0, 6) == SNNC_BAD_RANGE);
    CHECK(snnc_run(isa, &good, 0, STEPS, 4, 3) == SNNC_BAD_RANGE);
    good.bits = (uint8_t *)r.spk;
    CHECK(snnc_run(isa, &good, 0, STEPS, 1, 6) == SNNC_BAD_RANGE);
    CHECK(snnc_run(isa, &good, 0, STEPS, 0, 5) == SNNC_BAD_RANGE);
    good.model = SNNC_Lapicque;
    good.undelayed = 1;
    CHECK(snnc_run(isa, &good, 0, STEPS, 0, 6) == SNNC_BAD_RESET);
    for (size_t i = 0; i < sizeof r; i++)
        if (((unsigned char *)&r)[i] != 0xa5) {
            CHECK(!"a refused call wrote something");
            break;
        }
}

/* ---- back in time ---- */

/* What a backward pass computes. */
typedef struct {
    char x[MAX_REALS * 8], start[3][LONGEST * 8];
    double params[SNNC_MAX_PARAMS][LONGEST];
} gradients;

/* The backward pass through a call, from random gradients; parameters' begin at 1. */
static snnc_backward_call make_backward(const snnc_call *call, int at_end)
{
    const snnc_model_info *info = snnc_model_at((int)call->model);
    const size_t n = call->num_neurons, size = size_of(call->type);
    snnc_backward_call b = SNNC_BACKWARD_INIT;

    b.call = *call;
    b.surrogate = n % 2 ? SNNC_atan : SNNC_fast_sigmoid;
    b.surrogate_args[0] = 2;
    void *given = guarded_at(&buffers[GIVEN_SPK], STEPS * n * size, at_end);
    fill(given, call->type, STEPS * n, -1, 1);
    b.grad_spk.data = given;
    b.grad_x.data = guarded_at(&buffers[GRAD_X], STEPS * n * size, at_end);
    for (int k = 0; k < info->num_states; k++) {
        given = guarded_at(&buffers[GIVEN + k], STEPS * n * size, at_end);
        fill(given, call->type, STEPS * n, -1, 1);
        b.grad_state[k].data = given;
        b.grad_start[k] = guarded_at(&buffers[GRAD_START + k], n * size, at_end);
    }
    for (int k = 0; k < info->num_params; k++)
        b.grad_params[k] = guarded_at(&buffers[GRAD_PARAM + k], n * 8, at_end);
    return b;
}

/* Runs the backward pass in ranges of steps and neurons, and copies its results. */
static void go_back(const snnc_isa *isa, const snnc_backward_call *b, size_t steps,
                    size_t neurons, gradients *found)
{
    static guarded workspace;
    const snnc_model_info *info = snnc_model_at((int)b->call.model);
    const size_t n = b->call.num_neurons, size = size_of(b->call.type);
    const size_t bytes = snnc_backward_workspace_size(b);
    snnc_backward_call call = *b;

    if (bytes > workspace.room)
        workspace = guarded_new(bytes); /* an earlier one is left */
    call.workspace = guarded_at(&workspace, bytes, workspace.room % 64 == 0);
    for (int k = 0; k < info->num_states; k++)
        memset(call.grad_start[k], 0, n * size);
    for (int k = 0; k < info->num_params; k++)
        for (size_t i = 0; call.grad_params[k] && i < n; i++)
            call.grad_params[k][i] = 1;
    for (size_t i = 0; i < n; i += neurons)
        for (size_t t = STEPS; t > 0;) {
            const size_t t0 = (t - 1) / steps * steps;
            CHECK(snnc_backward(isa, &call, t0, t, i,
                                i + neurons < n ? i + neurons : n) == SNNC_OK);
            t = t0;
        }
    memset(found, 0, sizeof *found);
    if (call.grad_x.data)
        memcpy(found->x, call.grad_x.data, STEPS * n * size);
    for (int k = 0; k < info->num_states; k++)
        memcpy(found->start[k], call.grad_start[k], n * size);
    for (int k = 0; k < info->num_params; k++)
        if (call.grad_params[k])
            memcpy(found->params[k], call.grad_params[k], n * sizeof(double));
}

static void transpose(char *to, const void *from, size_t n, size_t size, int back)
{
    for (size_t t = 0; t < STEPS; t++)
        for (size_t i = 0; i < n; i++)
            memcpy(to + (back ? t * n + i : i * STEPS + t) * size,
                   (const char *)from + (back ? i * STEPS + t : t * n + i) * size,
                   size);
}

static void test_backward(const snnc_isa *isa, int model, int reset, int undelayed,
                          snnc_type type, int per_neuron)
{
    static gradients expected, other;
    static char derivative[MAX_REALS * 8], arrays[6][MAX_REALS * 8];
    const snnc_model_info *info = snnc_model_at(model);
    const size_t size = size_of(type);
    const ptrdiff_t stride = STEPS;

    for (size_t n = 1; n <= LONGEST; n += 3) {
        const int at_end = n % 8 == 1;
        const size_t interval = 1 + n % 5 + (n % 7 == 0) * 20;
        snnc_call call =
            make_call(info, model, reset, undelayed, type, per_neuron, n, at_end);
        const size_t rows = (STEPS + interval - 1) / interval + (interval == 1);
        for (int k = 0; k < info->num_states; k++)
            call.checkpoint[k] =
                guarded_at(&buffers[CHECKPOINT + k], rows * n * size, at_end);
        call.interval = interval;
        if (n % 3)
            call.record[info->num_states - 1].data = NULL;
        CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_OK);
        for (int k = 0; k < info->num_states; k++)
            CHECK(memcmp(call.checkpoint[k], call.state_in[k], n * size) == 0);

        snnc_backward_call b = make_backward(&call, at_end);
        go_back(isa, &b, STEPS, n, &expected);
        CHECK(expected.params[0][0] != 1); /* of the threshold */

        go_back(snnc_isa_find("baseline"), &b, STEPS, 1, &other);
        CHECK(memcmp(&other, &expected, sizeof other) == 0);
        go_back(isa, &b, interval, 33, &other);
        CHECK(memcmp(&other, &expected, sizeof other) == 0);

        /* not all is wanted, and that in the place of what was given */
        snnc_backward_call less = b;
        for (int k = 0; k < info->num_params; k++)
            less.grad_params[k] = k == (int)(n % 4) ? b.grad_params[k] : NULL;
        memcpy(arrays[0], b.grad_spk.data, STEPS * n * size);
        less.grad_spk.data = less.grad_x.data = arrays[0];
        go_back(isa, &less, STEPS, n, &other);
        CHECK(memcmp(other.x, expected.x, sizeof other.x) == 0);
        for (int k = 0; k < info->num_params; k++)
            CHECK(!less.grad_params[k] || memcmp(other.params[k], expected.params[k],
                                                 sizeof other.params[k]) == 0);
        less = b;
        less.grad_x.data = NULL;
        go_back(isa, &less, STEPS, n, &other);
        CHECK(memcmp(other.start, expected.start, sizeof other.start) == 0);

        /* (n, T) arrays */
        snnc_backward_call layout = b;
        layout.call.ndim = 1;
        layout.call.shape = &n;
        transpose(arrays[0], call.x.data, n, size, 0);
        transpose(arrays[1], b.grad_spk.data, n, size, 0);
        layout.call.x.data = arrays[0];
        layout.grad_spk.data = arrays[1];
        layout.grad_x.data = arrays[2];
        layout.call.x.step = layout.grad_spk.step = layout.grad_x.step = 1;
        layout.call.x.strides = layout.grad_spk.strides = layout.grad_x.strides =
            &stride;
        for (int k = 0; k < info->num_states; k++) {
            transpose(arrays[3 + k], b.grad_state[k].data, n, size, 0);
            layout.grad_state[k].data = arrays[3 + k];
            layout.grad_state[k].step = 1;
            layout.grad_state[k].strides = &stride;
        }
        go_back(isa, &layout, interval, 40, &other);
        transpose(other.x, arrays[2], n, size, 1);
        CHECK(memcmp(&other, &expected, sizeof other) == 0);

        /* a surrogate of the caller's: the same in other words */
        if (b.surrogate == SNNC_atan) {
            static char workspace[1 << 20];
            snnc_backward_call own = b;
            own.workspace = workspace;
            own.derivative = derivative;
            CHECK(snnc_backward_workspace_size(&own) <= sizeof workspace);
            CHECK(snnc_mem_shift(isa, &own, 0, STEPS, 0, n) == SNNC_OK);
            CHECK(snnc_surrogate_derivative(isa, SNNC_atan, own.surrogate_args, type,
                                            derivative, derivative,
                                            STEPS * n) == SNNC_OK);
            go_back(isa, &own, STEPS, n, &other);
            CHECK(memcmp(&other, &expected, sizeof other) == 0);
        }
    }
}

static void test_backward_wrong_arguments(const snnc_isa *isa)
{
    static char workspace[1 << 18];
    const snnc_model_info *info = snnc_model_at(SNNC_Synaptic);
    const size_t n = 9, two = 2;
    const ptrdiff_t stride = 1;
    snnc_call call =
        make_call(info, SNNC_Synaptic, SNNC_SUBTRACT, 0, SNNC_F32, 0, n, 1);
    call.interval = 4;
    for (int k = 0; k < 2; k++)
        call.checkpoint[k] = guarded_at(&buffers[CHECKPOINT + k], 3 * n * 4, 1);
    CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_OK);
    snnc_backward_call good = make_backward(&call, 1), bad;
    good.workspace = workspace;
    CHECK(snnc_backward_workspace_size(&good) <= sizeof workspace);
    for (int k = 0; k < 2; k++)
        memset(good.grad_start[k], 1, n * 4);
    memset(good.grad_x.data, 1, STEPS * n * 4);

#define REFUSED(change, status, t0, t1)                            \
    do {                                                           \
        bad = good;                                                \
        change;                                                    \
        CHECK(snnc_backward(isa, &bad, t0, t1, 0, n) == (status)); \
        CHECK(snnc_mem_shift(isa, &bad, t0, t1, 0, n) != SNNC_OK); \
        CHECK(*(unsigned char *)good.grad_x.data == 1 &&           \
              *(unsigned char *)good.grad_start[0] == 1);          \
    } while (0)
    for (int k = 0; k < SNNC_MAX_PARAMS; k++)
        good.call.params[k] = call.params[0];
    REFUSED(bad.call.model = SNNC_LIF;
            bad.call.reset = SNNC_ZERO, SNNC_BAD_MODEL, 0, STEPS);
    REFUSED(bad.call.model = SNNC_NUM_MODELS, SNNC_BAD_MODEL, 0, STEPS);
    REFUSED(bad.call.type = SNNC_U8, SNNC_BAD_TYPE, 0, STEPS);
    REFUSED(bad.surrogate = SNNC_NUM_SURROGATES, SNNC_BAD_SURROGATE, 0, STEPS);
    REFUSED(bad.call.rivals = 9, SNNC_BAD_INHIBITION, 0, STEPS);
    REFUSED(bad.call.interval = 0, SNNC_BAD_CHECKPOINT, 0, STEPS);
    REFUSED(bad.call.checkpoint[1] = NULL, SNNC_BAD_CHECKPOINT, 0, STEPS);
    REFUSED(, SNNC_BAD_CHECKPOINT, 3, STEPS);
    REFUSED(, SNNC_BAD_CHECKPOINT, 0, 5);
    REFUSED(, SNNC_BAD_RANGE, 0, STEPS + 1);
    REFUSED(bad.grad_start[1] = NULL, SNNC_BAD_STATE, 0, STEPS);
    REFUSED(bad.call.x.data = NULL, SNNC_BAD_INPUT, 0, STEPS);
    REFUSED(bad.call.params[2] = NULL, SNNC_BAD_PARAMETER, 0, STEPS);
    REFUSED(bad.workspace = NULL, SNNC_BAD_OUTPUT, 0, STEPS);
    REFUSED(bad.grad_spk.strides = &stride, SNNC_BAD_SHAPE, 0, STEPS);
    REFUSED(bad.grad_state[0].strides = &stride; bad.call.ndim = 1;
            bad.call.shape = &two, SNNC_BAD_SHAPE, 0, STEPS);
    REFUSED(bad.call.spk.strides = &stride;
            bad.call.ndim = 1, SNNC_BAD_SHAPE, 0, STEPS);
#undef REFUSED
    bad = good; /* with one segment of one neuron, of which every state would be kept */
    bad.call.num_neurons = 1;
    bad.call.num_steps = bad.call.interval = PTRDIFF_MAX / sizeof(double);
    CHECK(snnc_backward_workspace_size(&bad) == SIZE_MAX);
    CHECK(snnc_backward(isa, &bad, 0, bad.call.num_steps, 0, 1) == SNNC_TOO_LARGE);
    CHECK(snnc_mem_shift(isa, &bad, 0, bad.call.num_steps, 0, 1) == SNNC_TOO_LARGE);
    CHECK(snnc_backward(NULL, &good, 0, STEPS, 0, n) == SNNC_BAD_ISA);
    CHECK(snnc_backward(isa, &good, 4, 4, 0, n) == SNNC_OK);
    CHECK(*(unsigned char *)good.grad_x.data == 1);
    call.checkpoint[0] = NULL;
    CHECK(snnc_run(isa, &call, 0, STEPS, 0, n) == SNNC_BAD_CHECKPOINT);

    const double args[2] = {2, 0};
    float y[3] = {-1, 0, 1}, found[3];
    CHECK(snnc_surrogate_derivative(NULL, SNNC_atan, args, SNNC_F32, y, found, 3) ==
          SNNC_BAD_ISA);
    CHECK(snnc_surrogate_derivative(isa, SNNC_NUM_SURROGATES, args, SNNC_F32, y, found,
                                    3) == SNNC_BAD_SURROGATE);
    CHECK(snnc_surrogate_derivative(isa, SNNC_atan, args, SNNC_U8, y, found, 3) ==
          SNNC_BAD_TYPE);
    CHECK(snnc_surrogate_derivative(isa, SNNC_atan, args, SNNC_F32, y, found, 3) ==
              SNNC_OK &&
          found[1] == 1 && found[0] == found[2]);
    CHECK(!snnc_surrogate_at(-1) && !snnc_surrogate_at(SNNC_NUM_SURROGATES));
    CHECK(strcmp(snnc_surrogate_at(SNNC_atan)->name, "atan") == 0);
}

static void test_no_steps(const snnc_isa *isa)
{
    static results r;
    const snnc_model_info *info = snnc_model_at(SNNC_Synaptic);
    snnc_call call = make_call(info, SNNC_Synaptic, SNNC_NONE, 0, SNNC_F64, 0, 9, 1);
    redirect(&call, &r);
    CHECK(snnc_run(isa, &call, 0, 0, 0, 9) == SNNC_OK);
    for (int k = 0; k < 2; k++)
        CHECK(memcmp(call.state_in[k], call.state_out[k], 9 * sizeof(double)) == 0);
}

static void test_names(void)
{
    const char *name;
    int count = 0;
    for (; (name = snnc_isa_name_at(count)); count++) {
        const snnc_isa *isa = snnc_isa_find(name);
        CHECK(!isa || strcmp(snnc_isa_name(isa), name) == 0);
    }
    CHECK(count >= 1 && snnc_isa_find("baseline") && snnc_isa_find(NULL));
    CHECK(!snnc_isa_find("mmx") && !snnc_isa_find("") && !snnc_isa_name_at(-1));
    CHECK(!snnc_isa_name(NULL));
    CHECK(!snnc_model_at(-1) && !snnc_model_at(SNNC_NUM_MODELS));
    CHECK(strcmp(snnc_model_at(SNNC_Alpha)->name, "Alpha") == 0);
    CHECK(strcmp(snnc_version(), SNNC_VERSION) == 0);
    for (int status = -1; status <= SNNC_NUM_STATUSES; status++)
        CHECK(snnc_strerror((snnc_status)status) &&
              *snnc_strerror((snnc_status)status));
    for (int model = 0; model < SNNC_NUM_MODELS; model++) {
        const snnc_model_info *info = snnc_model_at(model);
        CHECK(info->num_states <= SNNC_MAX_STATES &&
              info->num_params <= SNNC_MAX_PARAMS);
        CHECK(info->hard || strcmp(info->states[info->num_states - 1], "mem") == 0);
        CHECK(strcmp(info->params[0], "threshold") == 0);
    }
}

int main(void)
{
    for (int i = 0; i < NUM_BUFFERS; i++)
        buffers[i] = guarded_new(MAX_REALS * 8);
    test_names();
    for (int i = 0; snnc_isa_name_at(i); i++) {
        const snnc_isa *isa = snnc_isa_find(snnc_isa_name_at(i));
        if (!isa) {
            printf("%s: this machine can't run it\n", snnc_isa_name_at(i));
            continue;
        }
        CHECK(snnc_self_check(isa));
        test_wrong_arguments(isa);
        test_no_steps(isa);
        test_backward_wrong_arguments(isa);
        for (int type = SNNC_F32; type <= SNNC_F64; type++)
            for (int model = 0; model < SNNC_NUM_MODELS; model++) {
                const snnc_model_info *info = snnc_model_at(model);
                test_layouts(isa, model, (snnc_type)type);
                test_options(isa, model, (snnc_type)type, 0);
                test_options(isa, model, (snnc_type)type, 1);
                for (int undelayed = 0; undelayed <= info->undelayed; undelayed++) {
                    if (!info->hard)
                        test_inhibition(isa, model, undelayed, (snnc_type)type);
                    for (int reset = 0; reset < SNNC_NUM_RESETS; reset++)
                        for (int per_neuron = 0;
                             per_neuron <= 1 && (!info->hard || reset == SNNC_ZERO);
                             per_neuron++)
                            test_lengths(isa, model, reset, undelayed, (snnc_type)type,
                                         per_neuron);
                    for (int each = 0; each < 2 * SNNC_NUM_RESETS && !info->hard;
                         each++)
                        test_backward(isa, model, each / 2, undelayed, (snnc_type)type,
                                      each % 2);
                }
            }
        printf("%s: tested\n", snnc_isa_name(isa));
    }
    printf("core: %d passed, %d failed\n", checks - failures, failures);
    return failures > 0;
}
