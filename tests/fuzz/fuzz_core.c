/* The core under libFuzzer. Its bytes become a call whose arrays have no byte more than
 * snnc.h asks for. What a valid call writes, by every table, whole and in ranges, is
 * compared with what follows from single steps of contiguous arrays by the portable
 * table; spikes, inhibition, the undelayed reset and all that is written in other ways
 * are worked out here, from the header. A call with one thing wrong has to say which,
 * and to write nothing. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snnc.h"

enum {
    MAX_DIMS = 3,
    MAX_STEPS = 600,     /* more than the core counts in a byte */
    MAX_NEURONS = 70000, /* more than a block of the engine has */
    MAX_REALS = 1 << 17,
    MAX_SELECTED = 200,
    MAX_RIVALS = 40,
    MAX_TABLES = 8,
    MAX_LOOPS = 3,
    MAX_DELAY = 5,
    MAX_ARRAYS = 80
};

/* ---- the fuzzer's bytes ---- */

static const uint8_t *input;
static size_t input_left;
static uint32_t seed;

/* Uniform in [0, 1): for what arrays hold, and where the bytes have ended. */
static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) / 16777216.0;
}

/* The next bytes as a number less than n. */
static size_t below(size_t n)
{
    size_t value = 0;

    if (input_left == 0)
        return (size_t)(draw() * (double)n);
    for (size_t reach = 1; reach < n && input_left > 0; reach *= 256, input_left--)
        value = value * 256 + *input++;
    return value % n;
}

static int rarely(void)
{
    return below(8) == 7;
}

/* ---- arrays ---- */

enum { INT64 = SNNC_NUM_TYPES, SIZE, INT32, NUM_ITEMS };

static size_t size_of(int type)
{
    static const size_t sizes[NUM_ITEMS] = {
        [SNNC_F32] = 4,  [SNNC_F64] = 8, [SNNC_U8] = 1,           [SNNC_F16] = 2,
        [SNNC_BOOL] = 1, [INT64] = 8,    [SIZE] = sizeof(size_t), [INT32] = 4};
    return sizes[type];
}

static double half(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double magnitude = exponent == 31 ? (fraction ? (double)NAN : HUGE_VAL)
                             : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                            : ldexp(fraction, -24);
    return bits >> 15 ? -magnitude : magnitude;
}

static double real_at(int type, const void *data, size_t i)
{
    switch (type) {
    case SNNC_F32: return (double)((const float *)data)[i];
    case SNNC_F64: return ((const double *)data)[i];
    case SNNC_F16: return half(((const uint16_t *)data)[i]);
    case SNNC_BOOL: return ((const uint8_t *)data)[i] != 0;
    case INT64: return (double)((const int64_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}

static void put_real(int type, void *data, size_t i, double value)
{
    if (type == SNNC_F32)
        ((float *)data)[i] = (float)value;
    else if (type == SNNC_F64)
        ((double *)data)[i] = value;
    else
        ((uint8_t *)data)[i] = (uint8_t)value;
}

/* The same bits, but for NaNs. */
static int is_same(int type, const void *a, const void *b, size_t i)
{
    const size_t size = size_of(type);
    if (memcmp((const char *)a + i * size, (const char *)b + i * size, size) == 0)
        return 1;
    return (type == SNNC_F32 || type == SNNC_F64) && isnan(real_at(type, a, i)) &&
           isnan(real_at(type, b, i));
}

/* An array that a call is given: what it holds before the call, and what it has to hold
 * afterwards. */
typedef struct {
    const char *name;
    int type;
    size_t items;
    char *data, *before, *after;
} array;

static array arrays[MAX_ARRAYS];
static int num_arrays;

static void *exactly(size_t bytes)
{
    void *const data = malloc(bytes);
    if (!data)
        abort();
    return data;
}

/* Small numbers, such whose sums are often equal, those around a threshold, odd ones.
 */
static double draw_real(size_t kind)
{
    static const double odd[] = {0,           -0.0,  HUGE_VAL, -HUGE_VAL,
                                 (double)NAN, 1e-40, -1e38,    1e-310};
    enum { NUM_ODD = sizeof odd / sizeof *odd };

    switch (kind) {
    case 0: return draw();
    case 1: return (int)(draw() * 8) / 4.0;
    case 2: return draw() * 4 - 1;
    default: return draw() < 0.1 ? odd[(int)(draw() * NUM_ODD)] : draw() * 2 - 0.5;
    }
}

static array *new_array(const char *name, int type, size_t items)
{
    const size_t bytes = items * size_of(type), kind = below(4);
    if (num_arrays == MAX_ARRAYS)
        abort();
    array *const a = &arrays[num_arrays++];

    a->name = name;
    a->type = type;
    a->items = items;
    a->data = exactly(bytes);
    a->before = exactly(bytes);
    a->after = exactly(bytes);
    for (size_t i = 0; i < items; i++)
        switch (type) {
        case SNNC_F32:
        case SNNC_F64: put_real(type, a->before, i, draw_real(kind)); break;
        case SNNC_U8:
        case SNNC_BOOL: put_real(type, a->before, i, draw() * (kind ? 4 : 256)); break;
        case SNNC_F16: /* anything, no fractions, or around 1 */
            ((uint16_t *)a->before)[i] = kind > 1
                                             ? (uint16_t)(0x3800 + draw() * 0x800)
                                             : (uint16_t)((unsigned)(draw() * 0x10000) &
                                                          (kind ? 0xfc00 : 0xffff));
            break;
        case INT32: ((int32_t *)a->before)[i] = (int32_t)(draw() * 8); break;
        default: ((int64_t *)a->before)[i] = (int64_t)(draw() * 8) - 4;
        }
    return a;
}

static array *new_sizes(const char *name, const size_t *values, size_t items)
{
    array *const a = new_array(name, SIZE, items);
    memcpy(a->before, values, items * sizeof *values);
    return a;
}

static void expect_nothing(void)
{
    for (array *a = arrays; a < arrays + num_arrays; a++)
        memcpy(a->after, a->before, a->items * size_of(a->type));
}

static void restore_arrays(void)
{
    for (array *a = arrays; a < arrays + num_arrays; a++)
        memcpy(a->data, a->before, a->items * size_of(a->type));
}

static void free_arrays(void)
{
    for (; num_arrays > 0; num_arrays--) {
        array *const a = &arrays[num_arrays - 1];
        free(a->data);
        free(a->before);
        free(a->after);
    }
}

/* ---- the call ---- */

/* Where the values of a sequence are in their array. */
typedef struct {
    array *values;
    ptrdiff_t origin, step, strides[MAX_DIMS]; /* in items */
    int contiguous, strided, constant;
} sequence;

typedef struct {
    size_t t0, t1, n0, n1;
} range;

static struct {
    snnc_call call;
    const snnc_model_info *info;
    int graded;  /* the parameter of that name, or -1 */
    int options; /* whether there may be any */
    size_t way;  /* in which all sequences are laid out; 4: each in its own */
    size_t shape[MAX_DIMS];
    size_t row, unit; /* neurons: in a group of rivals; of which ranges are multiples */
    range range;
    sequence x, spk, record[SNNC_MAX_STATES];
    array *state_in[SNNC_MAX_STATES], *state_out[SNNC_MAX_STATES];
    array *checkpoint[SNNC_MAX_STATES], *param[SNNC_MAX_PARAMS];
    array *bits, *count, *first_spike, *select, *select_at;
} run;

static struct {
    snnc_backward_call call;
    range range;
    sequence grad_spk, grad_state[SNNC_MAX_STATES], grad_x;
    array *grad_start[SNNC_MAX_STATES], *grad_param[SNNC_MAX_PARAMS], *derivative;
} back;

/* The run in a closed loop. */
static struct {
    snnc_recurrent_call call;
    snnc_projection projections[MAX_LOOPS];
    size_t delays; /* the largest */
    array *bias, *past_in, *past_out, *past_record, *total, *fired;
    array *decay[MAX_LOOPS], *current_in[MAX_LOOPS], *current_out[MAX_LOOPS];
    sequence record[MAX_LOOPS];
} loop;

/* The same in contiguous arrays of the call's type, and what comes of it. Parameters
 * are one for each neuron, states those before each step and after the last. */
static struct {
    _Alignas(64) char x[MAX_REALS * 8];
    char param[SNNC_MAX_PARAMS][MAX_NEURONS * 8];
    char state[SNNC_MAX_STATES][(MAX_REALS + MAX_NEURONS) * 8];
    char tested[MAX_REALS * 8]; /* mem, by the spikes */
    uint8_t fired[MAX_REALS];
    char grad_spk[MAX_REALS * 8], grad_state[SNNC_MAX_STATES][MAX_REALS * 8];
    char grad_x[MAX_REALS * 8], grad_start[SNNC_MAX_STATES][MAX_NEURONS * 8];
    double grad_param[SNNC_MAX_PARAMS][MAX_NEURONS];
    char current[MAX_LOOPS][MAX_NEURONS * 8];
} plain;

static double plain_at(const char *reals, size_t i)
{
    return real_at(run.call.type, reals, i);
}

static void put_plain(char *reals, size_t i, double value)
{
    put_real(run.call.type, reals, i, value);
}

static void expect(int condition, const char *what)
{
    const snnc_call *c = &run.call;

    if (condition)
        return;
    fprintf(stderr, "fuzz_core: %s\n", what);
    if (run.info)
        fprintf(
            stderr,
            "%s, reset %d, undelayed %d, type %d, x_type %d, spk_type %d; %zu steps "
            "of neurons %zu to %zu of %zu, ndim %d; period %zu, rivals %zu x %zu, "
            "every %zu, selected %zu, interval %zu\n",
            run.info->name, c->reset, c->undelayed, c->type, c->x_type, c->spk_type,
            c->num_steps, run.range.n0, run.range.n1, c->num_neurons, c->ndim,
            c->period, c->rivals, c->rival_stride, c->every, c->num_selected,
            c->interval);
    abort();
}

static void expect_status(snnc_status status, snnc_status expected)
{
    if (status != expected)
        fprintf(stderr, "\"%s\", not \"%s\"\n", snnc_strerror(status),
                snnc_strerror(expected));
    expect(status == expected, "another status");
}

static void expect_arrays(void)
{
    for (array *a = arrays; a < arrays + num_arrays; a++) {
        if (memcmp(a->data, a->after, a->items * size_of(a->type)) == 0)
            continue;
        for (size_t i = 0; i < a->items; i++)
            if (!is_same(a->type, a->data, a->after, i)) {
                fprintf(stderr, "%s[%zu] of %zu: %g, not %g\n", a->name, i, a->items,
                        real_at(a->type, a->data, i), real_at(a->type, a->after, i));
                expect(0, "an array holds something else");
            }
    }
}

/* ---- a valid call ---- */

/* Puts a sequence of `rows` rows of `width` values somewhere: one after the other, or
 * apart; or (`shaped`) with strides, in some order of the axes. Only inputs may have
 * neurons that share a value. */
static void lay_out(sequence *s, const char *name, int type, size_t rows, size_t width,
                    int shaped, int is_input)
{
    enum { TIME = -1 };
    const size_t ways = shaped ? 4 : 2, way = (run.way < 4 ? run.way : below(4)) % ways;
    const int dims = way > 1 ? run.call.ndim : 1;
    int axes[MAX_DIMS + 1] = {TIME};
    ptrdiff_t extent = 1;

    s->contiguous = way == 0;
    s->strided = way > 1;
    s->constant = 0;
    s->origin = 0;
    for (int d = 0; d < dims; d++)
        axes[d + 1] = d;
    for (int d = dims; d > 0 && way == 3; d--) {
        const size_t other = below((size_t)d + 1);
        const int axis = axes[d];
        axes[d] = axes[other];
        axes[other] = axis;
    }
    for (int d = dims; d >= 0; d--) { /* the innermost first */
        const int axis = axes[d], varies = way > (axis == TIME ? 0 : 1);
        const size_t length = axis == TIME ? rows : way > 1 ? run.shape[axis] : width;
        const ptrdiff_t last = length ? (ptrdiff_t)length - 1 : 0;
        ptrdiff_t *const stride = axis == TIME ? &s->step : &s->strides[axis];

        *stride = 0;
        if (varies && is_input && axis != TIME && rarely())
            continue;
        *stride = extent + (varies && rarely() ? 1 + (ptrdiff_t)below(3) : 0);
        extent += *stride * last;
        if (varies && rarely()) {
            s->origin += *stride * last;
            *stride = -*stride;
        }
    }
    if (rows == 0 || width == 0)
        s->origin = extent = 0;
    s->values = new_array(name, type, (size_t)extent);
}

static void lay_out_output(sequence *s, const char *name, int type)
{
    lay_out(s, name, type, run.call.num_steps, run.call.num_neurons, 1, 0);
}

static void lay_out_input(sequence *s, const char *name, int type)
{
    const int constant = rarely();
    lay_out(s, name, type, constant ? 1 : run.call.num_steps, run.call.num_neurons, 1,
            1);
    s->constant = constant;
}

static size_t place(const sequence *s, size_t t, size_t i)
{
    ptrdiff_t at = s->origin + (s->constant ? 0 : (ptrdiff_t)t * s->step);
    if (!s->strided)
        return (size_t)(at + (ptrdiff_t)i);
    for (int d = run.call.ndim - 1; d >= 0; i /= run.shape[d--])
        at += (ptrdiff_t)(i % run.shape[d]) * s->strides[d];
    return (size_t)at;
}

static snnc_output as_output(const sequence *s)
{
    const snnc_output output = {
        s->values->data + s->origin * (ptrdiff_t)size_of(s->values->type),
        s->contiguous ? 0 : s->step, s->strided ? s->strides : NULL};
    return output;
}

static snnc_input as_input(const sequence *s)
{
    const snnc_output o = as_output(s);
    const snnc_input in = {o.data, s->constant ? 12345 : o.step, o.strides,
                           2 * s->constant};
    return in;
}

static int wants_option(void)
{
    return run.options && below(4) == 3;
}

static size_t draw_length(void)
{
    switch (below(6)) {
    case 0: return 1 + below(8);
    case 1: return 60 + below(12);
    case 2: return 16 << below(7);
    case 3: return 16 * (1 + below(32));
    case 4: return 1 + below(300);
    default: return rarely() ? 0 : 1 + below(40);
    }
}

static void choose_sizes(void)
{
    snnc_call *const c = &run.call;
    const size_t most = MAX_REALS >> (rarely() ? below(4) : 5 + below(4));

    c->ndim = (int)below(MAX_DIMS + 1);
    c->shape = c->ndim ? run.shape : NULL;
    c->num_neurons = 1;
    for (int d = 0; d < c->ndim; d++) {
        run.shape[d] = draw_length();
        if (c->num_neurons * run.shape[d] > most / 4)
            run.shape[d] = 1;
        c->num_neurons *= run.shape[d];
    }
    if (c->ndim == 1 && most == MAX_REALS)
        c->num_neurons = run.shape[0] = MAX_NEURONS / 2 - 2 + below(MAX_NEURONS / 2);
    c->num_steps = below(4) == 3 ? below(MAX_STEPS) : 1 + below(40);
    if (c->num_steps * c->num_neurons > most)
        c->num_steps = most / c->num_neurons;
}

/* The largest divisor of n that is not more than `most`. */
static size_t divisor(size_t n, size_t most)
{
    while (n % most != 0)
        most--;
    return most;
}

static void choose_rivals(void)
{
    snnc_call *const c = &run.call;
    const size_t stride = divisor(c->num_neurons, 1 + below(255));

    c->rivals = divisor(c->num_neurons / stride, 1 + below(MAX_RIVALS));
    c->rival_stride = stride > 1 || below(2) ? stride : 0;
    run.row = c->rivals * stride;
    c->workspace = exactly(snnc_workspace_size(c));
}

static void choose_params(void)
{
    snnc_call *const c = &run.call;
    const size_t n = c->num_neurons;

    switch (below(6)) {
    case 0:
    case 1: c->period = below(2); break;
    case 2: c->period = n; break;
    case 3: c->period = run.row * (1 + below(100)); break;
    case 4: c->period = run.row * (1 + below(n / run.row + 2)); break;
    default: c->period = SIZE_MAX - SIZE_MAX % run.row; break;
    }
    const size_t items = c->period > 1 ? (c->period < n ? c->period : n) : 1;
    for (int k = 0; k < run.info->num_params; k++) {
        run.param[k] = new_array(run.info->params[k], c->type, items);
        c->params[k] = run.param[k]->data;
        for (size_t i = 0; i < items && k == run.graded && !c->graded; i++)
            put_plain(run.param[k]->before, i, 1);
    }
}

static void choose_selection(void)
{
    snnc_call *const c = &run.call;
    const size_t n = c->num_neurons, stride = 1 + below(255);
    size_t chosen[MAX_SELECTED], m = 0;

    for (size_t i = below(n + 1); i < n && m < MAX_SELECTED;
         i += (size_t)(draw() * (double)stride))
        chosen[m++] = i;
    run.select = new_sizes("select", chosen, m);
    c->num_selected = m;
    c->select = (size_t *)run.select->data;
    if (below(2))
        return;
    const size_t first = below(MAX_SELECTED);
    for (size_t j = 0; j < m; j++)
        chosen[j] = (first + m - j) % m;
    run.select_at = new_sizes("select_at", chosen, m);
    c->select_at = (size_t *)run.select_at->data;
}

/* How many rows of recorded states there are before step t. */
static size_t recorded_before(size_t t)
{
    const snnc_call *c = &run.call;
    const size_t every = c->every ? c->every : 1;
    return (c->first_step + t) / every - c->first_step / every;
}

static void choose_states(void)
{
    snnc_call *const c = &run.call;
    const size_t n = c->num_neurons, recorded = below(3);

    for (int k = 0; k < run.info->num_states; k++) {
        const char *const name = run.info->states[k];
        const size_t way = below(3);

        run.state_out[k] = new_array(name, c->type, n);
        run.state_in[k] = way == 0 ? new_array(name, c->type, n) : run.state_out[k];
        c->state_out[k] = run.state_out[k]->data;
        c->state_in[k] = way < 2 ? run.state_in[k]->data : NULL;
        if (recorded == 2 || (recorded == 1 && below(2))) {
            lay_out(&run.record[k], "record", c->type, recorded_before(c->num_steps),
                    c->select ? c->num_selected : n, !c->select, 0);
            c->record[k] = as_output(&run.record[k]);
        }
        if (c->interval) {
            const size_t more = c->interval == 1 || c->num_steps % c->interval;
            run.checkpoint[k] = new_array("checkpoint", c->type,
                                          (c->num_steps / c->interval + more) * n);
            c->checkpoint[k] = run.checkpoint[k]->data;
        }
    }
}

static void choose_spikes(void)
{
    snnc_call *const c = &run.call;
    const size_t n = c->num_neurons, steps = c->num_steps;

    c->spk_type = below(4) ? c->type : (snnc_type)below(SNNC_U8 + 1);
    if (below(4)) {
        lay_out_output(&run.spk, "spk", c->spk_type);
        c->spk = as_output(&run.spk);
    }
    else if (rarely()) { /* of no spikes */
        c->spk.strides = run.spk.strides;
        c->spk_type = (snnc_type)below(65536);
    }
    if (wants_option()) {
        const size_t way = below(4);
        c->bits_rows = way == 0 ? 0 : way == 1 ? SIZE_MAX : 1 + below(steps + 2);
        const size_t rows = c->bits_rows && c->bits_rows < steps ? c->bits_rows : steps;
        run.bits = new_array("bits", SNNC_U8, rows * snnc_bits_width(n));
        c->bits = (uint8_t *)run.bits->data;
        run.unit *= 8;
    }
    if (wants_option()) {
        run.count = new_array("count", INT64, n);
        c->count = (int64_t *)run.count->data;
    }
    if (wants_option()) {
        run.first_spike = new_array("first_spike", INT64, n);
        c->first_spike = (int64_t *)run.first_spike->data;
    }
}

/* A valid call; `for_backward`: one that has a backward pass. */
static void choose_run(int for_backward)
{
    snnc_call *const c = &run.call;

    *c = (snnc_call)SNNC_CALL_INIT;
    c->model = (snnc_model)below(SNNC_NUM_MODELS);
    while (for_backward && snnc_model_at(c->model)->hard)
        c->model = (snnc_model)((c->model + 1) % SNNC_NUM_MODELS);
    run.info = snnc_model_at(c->model);
    run.options = below(3) > 0;
    run.way = below(5);
    run.graded = -1;
    for (int k = 0; k < run.info->num_params; k++)
        if (strcmp(run.info->params[k], "graded_spikes_factor") == 0)
            run.graded = k;
    c->type = (snnc_type)below(SNNC_F64 + 1);
    c->reset = run.info->hard ? SNNC_ZERO : (snnc_reset)below(SNNC_NUM_RESETS);
    c->undelayed = run.info->undelayed ? (int)below(3) : 0;
    c->graded = (int)below(3);
    choose_sizes();
    const size_t n = c->num_neurons;

    run.row = 1;
    if (!for_backward && !run.info->hard && n > 0 && wants_option())
        choose_rivals();
    run.unit = run.row;
    c->first_step = rarely() ? PTRDIFF_MAX - c->num_steps - below(9) : below(40);
    c->every = wants_option() ? 2 + below(below(4) ? 9 : 999) : below(2);
    if (for_backward || (c->num_steps > 0 && wants_option()))
        c->interval = rarely() ? SIZE_MAX : 1 + below(below(2) ? 3 : 90);
    choose_params();
    if (wants_option())
        choose_selection();
    choose_states();
    choose_spikes();
    c->x_type = below(2) ? c->type : (snnc_type)below(SNNC_NUM_TYPES);
    lay_out_input(&run.x, "x", c->x_type);
    c->x = as_input(&run.x);

    run.range.t1 = c->num_steps;
    run.range.n1 = n;
    if (rarely()) {
        run.range.n0 = below(n / run.unit + 1) * run.unit;
        run.range.n1 =
            run.range.n0 + below((n - run.range.n0) / run.unit + 1) * run.unit;
    }
}

/* ---- what has to come of it ---- */

static double rounded(double value)
{
    return run.call.type == SNNC_F32 ? (double)(float)value : value;
}

static double excess_at(size_t t, size_t i)
{
    return rounded(plain_at(plain.tested, t * run.call.num_neurons + i) -
                   plain_at(plain.param[0], i));
}

/* Whether each rival's mem - threshold is smaller, or as large and after this one's. */
static int is_winner(size_t t, size_t i)
{
    const size_t stride = run.call.rival_stride ? run.call.rival_stride : 1;
    const size_t first = i - i % run.row;
    const double own = excess_at(t, i);

    for (size_t j = first + i % stride; j < first + run.row; j += stride) {
        const double other = excess_at(t, j);
        if (!(other < own || (other == own && j >= i)))
            return 0;
    }
    return 1;
}

/* The spikes of step t, and the undelayed reset, from the states after the delayed. */
static void finish_step(size_t t)
{
    const snnc_call *c = &run.call;
    const size_t n = c->num_neurons, here = t * n, row = n * size_of(c->type);
    char *const mem = plain.state[run.info->num_states - 1];

    memcpy(plain.tested + t * row, mem + (t + 1) * row, row);
    for (size_t i = 0; i < n; i++) {
        const double tested = plain_at(plain.tested, here + i);
        expect(plain.fired[here + i] == (tested > plain_at(plain.param[0], i)),
               "a spike for no reason, or none");
        if (c->rivals && plain.fired[here + i])
            plain.fired[here + i] = (uint8_t)is_winner(t, i);
    }
    for (size_t i = 0; i < n && c->undelayed && c->reset != SNNC_NONE; i++) {
        const double threshold = plain_at(plain.param[0], i);
        const double tested = plain_at(plain.tested, here + i);
        const double g = run.graded < 0 ? 1 : plain_at(plain.param[run.graded], i);
        const double r = plain_at(mem, here + i) > threshold;
        const double spk =
            c->rivals ? plain.fired[here + i] : rounded(plain.fired[here + i] * g);
        const double d = rounded(rounded(spk / g) - r);
        const double factor = c->reset == SNNC_SUBTRACT ? threshold : tested;
        put_plain(mem, here + n + i, tested - rounded(d * factor));
    }
}

static double as_type(snnc_type type, double value)
{
    return type == SNNC_F32 ? (double)(float)value : value;
}

static void add(snnc_type type, void *sums, size_t j, double value, double weight)
{
    const double term = as_type(type, value * weight);
    put_real(type, sums, j, as_type(type, real_at(type, sums, j) + term));
}

/* Adds a spike of input i to the sums of all outputs. */
static void add_spike(const snnc_weights *w, snnc_type type, size_t i, double value,
                      void *sums)
{
    const size_t step = w->step ? (size_t)w->step : w->num_outputs;

    if (value == 0)
        return;
    if (w->kind == SNNC_ONE_TO_ONE)
        add(type, sums, i, value, real_at(type, w->data, w->shared ? 0 : i));
    for (size_t j = 0; w->kind == SNNC_DENSE && j < w->num_outputs; j++)
        add(type, sums, j, value, real_at(type, w->data, i * step + j));
    if (w->kind == SNNC_SPARSE)
        for (int64_t j = w->indptr[i]; j < w->indptr[i + 1]; j++)
            add(type, sums, (size_t)w->indices[j], value,
                real_at(type, w->data, w->shared ? i : (size_t)j));
}

/* The spike of neuron i in a step that may be before the first: what it counts. */
static double spike_at(ptrdiff_t t, size_t i)
{
    const snnc_call *c = &run.call;
    const size_t n = c->num_neurons;
    double spike = 0;

    if (t >= 0) {
        const int weighs = c->graded && run.graded >= 0 && !c->rivals;
        if (plain.fired[(size_t)t * n + i])
            spike = weighs ? plain_at(plain.param[run.graded], i) : 1;
    }
    else if (loop.past_in)
        spike = plain_at(loop.past_in->before, (size_t)(-1 - t) * n + i);
    return spike == 0 ? 0 : spike; /* not -0 */
}

/* In a closed loop: adds to the input of step t what the spikes before it cause. */
static void add_currents(size_t t)
{
    const snnc_recurrent_call *r = &loop.call;
    const size_t n = run.call.num_neurons, width = r->row_size;
    static char sums[MAX_NEURONS * 8];

    for (size_t i = 0; i < n && loop.bias; i++)
        put_plain(plain.x, t * n + i,
                  plain_at(plain.x, t * n + i) +
                      plain_at(loop.bias->before, i % width));
    for (size_t k = 0; k < r->num_projections; k++) {
        const snnc_projection *p = &r->projections[k];
        const ptrdiff_t then = (ptrdiff_t)t - (p->delay ? (ptrdiff_t)p->delay : 1);
        char *const current = plain.current[k];
        memset(sums, 0, sizeof sums);
        for (size_t i = 0; i < n; i++)
            add_spike(&p->weights, run.call.type, i % width, spike_at(then, i),
                      sums + i / width * width * size_of(run.call.type));
        for (size_t i = 0; i < n; i++) {
            const double decay = p->decay ? plain_at(loop.decay[k]->before,
                                                     p->per_neuron ? i % width : 0)
                                          : 0;
            const double left = decay > 0 ? rounded(decay * plain_at(current, i)) : 0;
            put_plain(current, i, left + plain_at(sums, i));
            put_plain(plain.x, t * n + i,
                      plain_at(plain.x, t * n + i) + plain_at(current, i));
        }
    }
}

static void expect_past(array *past, size_t row, ptrdiff_t newest)
{
    const size_t n = run.call.num_neurons;

    for (size_t age = 0; age < loop.delays; age++)
        for (size_t i = run.range.n0; i < run.range.n1; i++)
            put_plain(past->after, (row * loop.delays + age) * n + i,
                      spike_at(newest - (ptrdiff_t)age, i));
}

static void expect_record(size_t t, const sequence *s, const char *values);

/* What a closed loop writes in step t beside what its neurons do. */
static void expect_loop(size_t t)
{
    const snnc_recurrent_call *r = &loop.call;
    const size_t n = run.call.num_neurons, row = recorded_before(t);

    for (size_t k = 0; k < r->num_projections; k++)
        expect_record(t, &loop.record[k], plain.current[k]);
    if (loop.past_record && recorded_before(t + 1) > row)
        expect_past(loop.past_record, row, (ptrdiff_t)t);
    for (size_t i = run.range.n0; i < run.range.n1; i++) {
        if (loop.total)
            put_plain(loop.total->after, t * n + i, plain_at(plain.x, t * n + i));
        if (loop.fired)
            loop.fired->after[t * n + i] = (char)plain.fired[t * n + i];
    }
}

/* The call in the plain arrays, without its outputs. */
static snnc_call plain_call(void)
{
    const snnc_call *c = &run.call;
    snnc_call one = SNNC_CALL_INIT;

    one.model = c->model;
    one.reset = c->reset;
    one.undelayed = c->undelayed;
    one.type = one.x_type = c->type;
    one.num_steps = c->num_steps;
    one.num_neurons = one.period = c->num_neurons;
    one.x.data = plain.x;
    for (int k = 0; k < run.info->num_params; k++)
        one.params[k] = plain.param[k];
    return one;
}

/* All steps, one by one. */
static void compute_run(void)
{
    const snnc_call *c = &run.call;
    const size_t n = c->num_neurons, row = n * size_of(c->type);
    snnc_call one = plain_call();

    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < run.info->num_params; k++)
            put_plain(plain.param[k], i,
                      plain_at(run.param[k]->before, c->period ? i % c->period : 0));
        for (size_t t = 0; t < c->num_steps; t++)
            put_plain(plain.x, t * n + i,
                      real_at(c->x_type, run.x.values->before, place(&run.x, t, i)));
    }
    for (int k = 0; k < run.info->num_states; k++)
        memcpy(plain.state[k], run.state_in[k]->before, row);
    one.num_steps = 1;
    one.undelayed = c->undelayed && run.info->hard;
    one.graded = 1;
    one.spk_type = SNNC_U8;
    for (size_t t = 0; t < c->num_steps; t++) {
        one.x.data = plain.x + t * row;
        one.spk.data = plain.fired + t * n;
        add_currents(t);
        for (int k = 0; k < run.info->num_states; k++) {
            one.state_in[k] = plain.state[k] + t * row;
            one.state_out[k] = plain.state[k] + (t + 1) * row;
        }
        expect_status(snnc_run(snnc_isa_find("baseline"), &one, 0, 1, 0, n), SNNC_OK);
        if (!run.info->hard)
            finish_step(t);
        expect_loop(t);
    }
}

static void expect_spike(size_t t, size_t i)
{
    const snnc_call *c = &run.call;
    const int fired = plain.fired[t * c->num_neurons + i];

    if (c->spk.data) {
        const int weighs =
            c->graded && run.graded >= 0 && !c->rivals && c->spk_type != SNNC_U8;
        const double worth = weighs ? plain_at(plain.param[run.graded], i) : 1;
        put_real(c->spk_type, run.spk.values->after, place(&run.spk, t, i),
                 fired * worth);
    }
    if (c->bits) {
        const size_t row = c->bits_rows ? t % c->bits_rows : t;
        char *const byte =
            run.bits->after + row * snnc_bits_width(c->num_neurons) + i / 8;
        *byte = (char)((i % 8 ? *byte : 0) | fired << i % 8);
    }
    if (c->count)
        ((int64_t *)run.count->after)[i] += fired;
    if (c->first_spike && fired && ((int64_t *)run.first_spike->after)[i] < 0)
        ((int64_t *)run.first_spike->after)[i] = (int64_t)(c->first_step + t);
}

/* Values of all neurons, recorded after step t. */
static void expect_record(size_t t, const sequence *s, const char *values)
{
    const snnc_call *c = &run.call;
    const size_t row = recorded_before(t), all = c->num_neurons;
    const size_t *select = c->select ? (const size_t *)run.select->before : NULL;
    const size_t *select_at =
        c->select_at ? (const size_t *)run.select_at->before : NULL;

    if (!s->values || recorded_before(t + 1) == row)
        return;
    for (size_t j = 0; j < (select ? c->num_selected : all); j++) {
        const size_t i = select ? select[j] : j;
        if (i >= run.range.n0 && i < run.range.n1)
            put_plain(s->values->after, place(s, row, select_at ? select_at[j] : j),
                      plain_at(values, i));
    }
}

static void put_checkpoints(char *rows, int k)
{
    const snnc_call *c = &run.call;
    const size_t size = size_of(c->type), row = c->num_neurons * size;
    const size_t first = run.range.n0 * size, own = run.range.n1 * size - first;

    for (size_t t = 0; t < c->num_steps + (c->interval == 1); t++)
        if (t % c->interval == 0)
            memcpy(rows + t / c->interval * row + first,
                   plain.state[k] + t * row + first, own);
}

static void expect_run(void)
{
    const snnc_call *c = &run.call;
    const size_t n = c->num_neurons, size = size_of(c->type);
    const size_t first = run.range.n0, own = (run.range.n1 - first) * size;

    for (size_t t = 0; t < c->num_steps; t++)
        for (size_t i = first; i < run.range.n1; i++)
            expect_spike(t, i);
    for (int k = 0; k < run.info->num_states; k++) {
        for (size_t t = 0; t < c->num_steps; t++)
            expect_record(t, &run.record[k], plain.state[k] + (t + 1) * n * size);
        memcpy(run.state_out[k]->after + first * size,
               plain.state[k] + (c->num_steps * n + first) * size, own);
        if (c->interval)
            put_checkpoints(run.checkpoint[k]->after, k);
    }
}

/* ---- the run attacked ---- */

static const snnc_isa *tables[MAX_TABLES];
static int num_tables;

/* All that this machine can run, and the one that is used without asking. */
static void find_tables(void)
{
    tables[num_tables++] = snnc_isa_find(NULL);
    for (int i = 0; snnc_isa_name_at(i); i++)
        if (snnc_isa_find(snnc_isa_name_at(i)))
            tables[num_tables++] = snnc_isa_find(snnc_isa_name_at(i));
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Runs the call, at most so many steps and neurons at once. */
static void run_in_ranges(const snnc_isa *isa, size_t steps, size_t neurons)
{
    const snnc_call *c = &run.call;
    const range all = run.range;
    const size_t turn = c->bits && c->bits_rows ? c->bits_rows : SIZE_MAX;

    restore_arrays();
    if (all.t1 == 0 || steps < all.t1)
        expect_status(snnc_run(isa, c, 0, 0, all.n0, all.n1), SNNC_OK);
    expect_status(snnc_run(isa, c, all.t1, all.t1, all.n0, all.n1), SNNC_OK);
    for (size_t t = 0, end; t < all.t1; t = end) {
        end = t + least(least(steps, all.t1 - t), turn - t % turn);
        for (size_t i = all.n0, m; i < all.n1; i += m) {
            m = least(neurons, all.n1 - i);
            if (c->workspace)
                memset(c->workspace, 0xff, snnc_workspace_size(c));
            expect_status(snnc_run(isa, c, t, end, i, i + m), SNNC_OK);
        }
    }
    expect_arrays();
}

/* The events in the bits are the spikes. */
static void attack_events(void)
{
    const snnc_call *c = &run.call;
    const size_t n = c->num_neurons, room = below(least(n, 255) + 1) * c->num_steps;
    const int64_t first = (int64_t)c->first_step;
    const size_t width = snnc_bits_width(n);
    int64_t *const step = exactly(room * sizeof *step);
    int64_t *const neuron = exactly(room * sizeof *neuron);
    uint8_t *const bits = (uint8_t *)run.bits->data;
    size_t found = 0;

    for (size_t t = 0; t < c->num_steps && n % 8; t++) /* of no neuron: ignored */
        bits[t * width + width - 1] |= (uint8_t)(0xff << n % 8);
    const size_t events = snnc_events(bits, c->num_steps, n, first, step, neuron, room);
    for (size_t i = 0; i < c->num_steps * n; i++) {
        if (!plain.fired[i])
            continue;
        expect(found >= room || (step[found] == first + (int64_t)(i / n) &&
                                 neuron[found] == (int64_t)(i % n)),
               "an event is elsewhere");
        found++;
    }
    expect(found == events, "more or fewer events than spikes");
    free(step);
    free(neuron);
}

static void attack_run(void)
{
    const snnc_call *c = &run.call;
    const range *r = &run.range;
    const size_t steps = 1 + below(c->num_steps + 1);
    const size_t neurons =
        run.unit * (1 + below(least((r->n1 - r->n0) / run.unit, 255) + 1));

    compute_run();
    expect_nothing();
    expect_run();
    for (int i = 0; i < num_tables; i++) {
        run_in_ranges(tables[i], SIZE_MAX, SIZE_MAX);
        if (r->n1 - r->n0 < neurons * 100)
            run_in_ranges(tables[i], steps, neurons);
    }
    if (c->bits && (c->bits_rows == 0 || c->bits_rows >= c->num_steps) &&
        r->n1 - r->n0 == c->num_neurons)
        attack_events();
}

/* ---- the backward pass ---- */

static void *new_workspace(const snnc_backward_call *b)
{
    const size_t bytes = snnc_backward_workspace_size(b);
    void *const workspace = aligned_alloc(64, bytes);
    if (!workspace)
        abort();
    memset(workspace, 0xff, bytes);
    return workspace;
}

/* Of a call that was run, leaves nothing but what a backward pass uses. */
static void scramble(snnc_call *c)
{
    void *const nowhere = (void *)8;

    for (int k = 0; k < SNNC_MAX_STATES; k++) {
        c->state_in[k] = c->state_out[k] = c->record[k].data = nowhere;
        c->record[k].step = (ptrdiff_t)below(65536);
    }
    c->spk.data = nowhere;
    c->spk.step = (ptrdiff_t)below(65536);
    c->spk_type = (snnc_type)below(65536);
    c->bits = nowhere;
    c->count = c->first_spike = nowhere;
    c->select = c->select_at = nowhere;
    c->every = below(3);
    c->num_selected = below(65536);
    c->workspace = nowhere;
}

/* A backward pass through the run, valid too. */
static void choose_back(void)
{
    const snnc_call *c = &run.call;
    snnc_backward_call *const b = &back.call;
    const size_t n = c->num_neurons, kind = below(4);
    const int in_place = (int)below(4) - 1; /* where grad_x is: of this k */
    range *const r = &back.range;

    *b = (snnc_backward_call)SNNC_BACKWARD_INIT;
    b->call = *c;
    if (below(2))
        scramble(&b->call);
    b->surrogate = (snnc_surrogate)(below(2) ? SNNC_atan : below(SNNC_NUM_SURROGATES));
    b->surrogate_args[0] = draw_real(kind);
    b->surrogate_args[1] = draw_real(kind);
    b->round_to_float = (int)below(2);
    for (int k = -1; k < run.info->num_states; k++) { /* the spikes, then the states */
        sequence *const s = k < 0 ? &back.grad_spk : &back.grad_state[k];
        snnc_input *const given = k < 0 ? &b->grad_spk : &b->grad_state[k];
        if (below(2)) {
            given->strides = rarely() ? s->strides : NULL;
            continue;
        }
        if (k == in_place) {
            lay_out_output(s, "grad_x in place", c->type);
            back.grad_x = *s;
        }
        else
            lay_out_input(s, "a gradient", c->type);
        *given = as_input(s);
    }
    if (!back.grad_x.values && below(2))
        lay_out_output(&back.grad_x, "grad_x", c->type);
    if (back.grad_x.values)
        b->grad_x = as_output(&back.grad_x);
    for (int k = 0; k < run.info->num_states; k++) {
        back.grad_start[k] = new_array("grad_start", c->type, n);
        b->grad_start[k] = back.grad_start[k]->data;
    }
    for (int k = 0; k < run.info->num_params; k++)
        if (below(4) == 3) {
            back.grad_param[k] = new_array("grad_params", SNNC_F64, n);
            b->grad_params[k] = (double *)back.grad_param[k]->data;
        }
    *r = run.range;
    if (rarely())
        r->t1 = below(r->t1 / c->interval + 1) * c->interval;
    if (rarely())
        r->t0 = below(r->t1 / c->interval + 1) * c->interval;
    if (below(4) == 3) {
        back.derivative = new_array("derivative", c->type, (r->t1 - r->t0) * n);
        b->derivative = back.derivative->data;
    }
    b->workspace = new_workspace(b);
}

/* The values of a sequence as plain rows; NULL if it isn't given. */
static const void *plain_rows(char *rows, const sequence *s)
{
    const size_t n = run.call.num_neurons;

    for (size_t j = 0; s->values && j < run.call.num_steps * n; j++)
        put_plain(rows, j, plain_at(s->values->before, place(s, j / n, j % n)));
    return s->values ? rows : NULL;
}

/* All steps of the backward pass, one by one, from every state. The upstream gradients
 * of the last ones is added here. */
static void compute_back(void)
{
    const snnc_call *c = &run.call;
    const range *r = &back.range;
    const size_t n = c->num_neurons, row = n * size_of(c->type);
    const size_t last = c->num_steps ? c->num_steps - 1 : 0;
    snnc_backward_call one = SNNC_BACKWARD_INIT;

    one.call = plain_call();
    one.call.interval = 1;
    one.surrogate = back.call.surrogate;
    memcpy(one.surrogate_args, back.call.surrogate_args, sizeof one.surrogate_args);
    one.round_to_float = back.call.round_to_float;
    one.grad_spk.data = plain_rows(plain.grad_spk, &back.grad_spk);
    one.grad_x.data = plain.grad_x;
    for (int k = 0; k < run.info->num_states; k++) {
        char *const given = plain.grad_state[k], *const start = plain.grad_start[k];
        one.call.checkpoint[k] = plain.state[k];
        one.grad_state[k].data = plain_rows(given, &back.grad_state[k]);
        one.grad_start[k] = start;
        memcpy(start, back.grad_start[k]->before, row);
        for (size_t i = 0; i < n && back.call.grad_state[k].data; i++)
            if (r->t0 < r->t1 && r->t1 == c->num_steps) {
                put_plain(start, i, plain_at(start, i) + plain_at(given, last * n + i));
                put_plain(given, last * n + i, -0.0);
            }
    }
    for (int k = 0; k < run.info->num_params; k++) {
        one.grad_params[k] = plain.grad_param[k];
        if (back.grad_param[k])
            memcpy(plain.grad_param[k], back.grad_param[k]->before, n * sizeof(double));
        else
            memset(plain.grad_param[k], 0, n * sizeof(double));
    }
    one.workspace = new_workspace(&one);
    for (size_t t = r->t1; t-- > r->t0;) {
        if (back.derivative)
            one.derivative = back.derivative->before + (t - r->t0) * row;
        expect_status(snnc_backward(snnc_isa_find("baseline"), &one, t, t + 1, 0, n),
                      SNNC_OK);
    }
    free(one.workspace);
}

static void expect_back(void)
{
    const range *r = &back.range;
    const size_t n = run.call.num_neurons;

    for (size_t i = r->n0; i < r->n1; i++) {
        for (size_t t = r->t0; t < r->t1 && back.grad_x.values; t++)
            put_plain(back.grad_x.values->after, place(&back.grad_x, t, i),
                      plain_at(plain.grad_x, t * n + i));
        for (int k = 0; k < run.info->num_states; k++)
            put_plain(back.grad_start[k]->after, i, plain_at(plain.grad_start[k], i));
        for (int k = 0; k < run.info->num_params; k++)
            if (back.grad_param[k])
                ((double *)back.grad_param[k]->after)[i] = plain.grad_param[k][i];
    }
}

static void expect_excess(void)
{
    const range *r = &back.range;

    for (size_t t = r->t0; t < r->t1; t++)
        for (size_t i = r->n0; i < r->n1; i++)
            put_plain(back.derivative->after, (t - r->t0) * run.call.num_neurons + i,
                      excess_at(t, i));
}

typedef snnc_status backward_fn(const snnc_isa *isa, const snnc_backward_call *backward,
                                size_t t0, size_t t1, size_t n0, size_t n1);

/* Goes back, at most so many steps (as many as are between two checkpoints, or a
 * multiple) and neurons at once. */
static void backward_in_ranges(backward_fn *go, const snnc_isa *isa, size_t steps,
                               size_t neurons)
{
    const range all = back.range;
    const size_t row = run.call.num_neurons * size_of(run.call.type);
    snnc_backward_call b = back.call;

    restore_arrays();
    expect_status(go(isa, &b, all.t0, all.t0, all.n0, all.n1), SNNC_OK);
    for (size_t t = all.t1, start; t > all.t0; t = start) {
        start = (t - 1) / steps * steps;
        start = start > all.t0 ? start : all.t0;
        if (b.derivative)
            b.derivative = back.derivative->data + (start - all.t0) * row;
        for (size_t i = all.n0, m; i < all.n1; i += m) {
            m = least(neurons, all.n1 - i);
            memset(b.workspace, 0xff, snnc_backward_workspace_size(&b));
            expect_status(go(isa, &b, start, t, i, i + m), SNNC_OK);
        }
    }
    expect_arrays();
}

static void backward_by_all_tables(backward_fn *go, size_t steps, size_t neurons)
{
    for (int i = 0; i < num_tables; i++) {
        backward_in_ranges(go, tables[i], SIZE_MAX, SIZE_MAX);
        if (back.range.n1 - back.range.n0 < neurons * 100)
            backward_in_ranges(go, tables[i], steps, neurons);
    }
}

static void attack_back(void)
{
    const snnc_call *c = &run.call;
    const size_t neurons = 1 + below(256);
    const size_t steps = c->interval < c->num_steps
                             ? c->interval * (1 + below(c->num_steps / c->interval))
                             : SIZE_MAX;

    compute_run();
    for (int k = 0; k < run.info->num_states; k++)
        put_checkpoints(run.checkpoint[k]->before, k);
    compute_back();
    expect_nothing();
    expect_back();
    backward_by_all_tables(snnc_backward, steps, neurons);
    if (!back.derivative)
        return;
    expect_nothing();
    expect_excess();
    backward_by_all_tables(snnc_mem_shift, steps, neurons);
}

/* ---- wrong calls ---- */

/* A number that an enum with values less than `end` hasn't. */
static int unknown(int end)
{
    return below(2) ? end + (int)below(300) : -1 - (int)below(300);
}

/* Gives a call strides, and a shape that they don't fit. */
static void spoil_shape(snnc_call *c, const ptrdiff_t **strides)
{
    static const ptrdiff_t some[MAX_DIMS];
    static size_t shape[MAX_DIMS];

    *strides = some;
    shape[0] = c->num_neurons + 1;
    for (int d = 1; d < MAX_DIMS; d++)
        shape[d] = below(2) ? SIZE_MAX / (1 + below(3)) : 1 + below(3);
    c->ndim = below(4) ? 1 + (int)below(MAX_DIMS) : -1 - (int)below(1000);
    c->shape = c->ndim < 0 || below(2) ? shape : NULL;
}

/* Makes one thing of a call wrong that a run and a backward pass check alike, and says
 * what has to be answered: SNNC_OK if it doesn't become wrong. */
static snnc_status spoil_call(snnc_call *c, range *r)
{
    const size_t room = PTRDIFF_MAX / sizeof(double);

    switch (below(13)) {
    case 0: c->model = (snnc_model)unknown(SNNC_NUM_MODELS); return SNNC_BAD_MODEL;
    case 1: c->type = (snnc_type)unknown(SNNC_U8); return SNNC_BAD_TYPE;
    case 2: c->x_type = (snnc_type)unknown(SNNC_NUM_TYPES); return SNNC_BAD_TYPE;
    case 3: c->reset = (snnc_reset)unknown(SNNC_NUM_RESETS); return SNNC_BAD_RESET;
    case 4:
        c->undelayed = 1;
        c->reset = below(2) ? SNNC_SUBTRACT : SNNC_NONE;
        return run.info->hard || !run.info->undelayed ? SNNC_BAD_RESET : SNNC_OK;
    case 5:
        r->t1 = c->num_steps + 1 + below(1000);
        r->t0 = below(2) ? r->t1 : 0;
        return SNNC_BAD_RANGE;
    case 6:
        r->n1 = c->num_neurons + 1 + below(1000);
        r->n0 = below(2) ? r->n1 : 0;
        return SNNC_BAD_RANGE;
    case 7: *(below(2) ? &r->t0 : &r->n0) += 1 + r->t1 + r->n1; return SNNC_BAD_RANGE;
    case 8:
        if (below(2))
            c->num_steps = below(2) ? SIZE_MAX : room / c->num_neurons + 1 + below(9);
        else
            c->num_neurons = below(2) ? SIZE_MAX : room / c->num_steps + 1 + below(9);
        return SNNC_TOO_LARGE;
    case 9:
        c->first_step =
            below(2) ? SIZE_MAX : (size_t)PTRDIFF_MAX - c->num_steps + 1 + below(9);
        return SNNC_TOO_LARGE;
    case 10: c->x.data = NULL; return SNNC_BAD_INPUT;
    case 11: {
        snnc_output *const given =
            below(2) ? &c->spk : &c->record[below(SNNC_MAX_STATES)];
        spoil_shape(c, below(2) ? &given->strides : &c->x.strides);
        return SNNC_BAD_SHAPE;
    }
    default:
        c->params[below((size_t)run.info->num_params)] = NULL;
        return SNNC_BAD_PARAMETER;
    }
}

/* The same of what else a run checks. */
static snnc_status spoil_run(snnc_call *c, range *r)
{
    static size_t wrong[2];
    const size_t n = c->num_neurons, row = run.row, neurons = r->n1 - r->n0;
    const size_t k = below((size_t)run.info->num_states);

    switch (below(11)) {
    case 0:
        c->spk_type = (snnc_type)unknown(SNNC_F16);
        return c->spk.data ? SNNC_BAD_TYPE : SNNC_OK;
    case 1:
        r->n0 += 1 + below(least(neurons, 7));
        return c->bits ? SNNC_BAD_RANGE : SNNC_OK;
    case 2:
        r->n1 = r->n0 + 1 + below(7);
        return c->bits && neurons >= 8 ? SNNC_BAD_RANGE : SNNC_OK;
    case 3:
        c->bits_rows = 1 + below(r->t1);
        return c->bits && c->bits_rows < r->t1 ? SNNC_BAD_RANGE : SNNC_OK;
    case 4: c->state_out[k] = NULL; return SNNC_BAD_STATE;
    case 5:
        c->record[SNNC_MAX_STATES - 1].data = plain.x;
        return run.info->num_states < SNNC_MAX_STATES ? SNNC_BAD_OUTPUT : SNNC_OK;
    case 6:
        c->interval = 1 + below(9);
        c->checkpoint[k] = NULL;
        return SNNC_BAD_CHECKPOINT;
    case 7: /* out of order, or of range */
        wrong[0] = below(2) ? least(n - 1, 1 + below(9)) : 0;
        wrong[1] = wrong[0] ? below(wrong[0]) : n + below(2) * (SIZE_MAX - n);
        c->select = wrong;
        c->select_at = NULL;
        c->num_selected = 2;
        return SNNC_BAD_SELECTION;
    case 8:
        wrong[0] = 1 + below(9);
        c->select_at = wrong;
        c->num_selected = least(c->num_selected, 1);
        return c->num_selected ? SNNC_BAD_SELECTION : SNNC_OK;
    case 9:
        c->rivals = run.info->hard ? 1 : 2 + below(9);
        c->rival_stride = below(2) ? n : SIZE_MAX / (1 + below(9));
        c->period = 0;
        c->workspace = plain.x;
        return SNNC_BAD_INHIBITION;
    default:
        if (row == 1 || c->bits)
            return SNNC_OK;
        switch (below(4)) {
        case 0: c->workspace = NULL; break;
        case 1: c->period = row + 1; break;
        case 2: r->n0++; break;
        default: r->n1--;
        }
        return SNNC_BAD_INHIBITION;
    }
}

/* The same of what else a backward pass checks. */
static snnc_status spoil_back(snnc_backward_call *b, range *r)
{
    snnc_call *const c = &b->call;
    const size_t k = below((size_t)run.info->num_states);
    const int cuttable = c->interval > 1 && r->t1 - r->t0 > 1;

    switch (below(11)) {
    case 0:
        while (!snnc_model_at(c->model)->hard)
            c->model = (snnc_model)((c->model + 1) % SNNC_NUM_MODELS);
        c->reset = SNNC_ZERO;
        for (int j = 0; j < SNNC_MAX_PARAMS; j++)
            c->params[j] = c->params[0];
        return SNNC_BAD_MODEL;
    case 1: c->rivals = 1 + below(9); return SNNC_BAD_INHIBITION;
    case 2:
        b->surrogate = (snnc_surrogate)unknown(SNNC_NUM_SURROGATES);
        return SNNC_BAD_SURROGATE;
    case 3: {
        snnc_input *const given = below(2) ? &b->grad_spk : &b->grad_state[k];
        spoil_shape(c, below(2) ? &given->strides : &b->grad_x.strides);
        return SNNC_BAD_SHAPE;
    }
    case 4: c->interval = 0; return SNNC_BAD_CHECKPOINT;
    case 5: c->checkpoint[k] = NULL; return SNNC_BAD_CHECKPOINT;
    case 6: r->t0++; return cuttable ? SNNC_BAD_CHECKPOINT : SNNC_OK;
    case 7: r->t1 = r->t0 + 1; return cuttable ? SNNC_BAD_CHECKPOINT : SNNC_OK;
    case 8: b->grad_start[k] = NULL; return SNNC_BAD_STATE;
    case 9:
        b->workspace = NULL;
        return snnc_backward_workspace_size(b) ? SNNC_BAD_OUTPUT : SNNC_OK;
    default: /* a workspace that is too large */
        c->first_step = r->t0 = 0;
        c->num_steps = r->t1 = PTRDIFF_MAX / sizeof(double) / c->num_neurons - below(9);
        c->interval = SIZE_MAX;
        return snnc_backward_workspace_size(b) == SIZE_MAX ? SNNC_TOO_LARGE : SNNC_OK;
    }
}

enum { TURNS = 20 }; /* things made wrong, of one call after the other */

static void attack_run_wrongly(void)
{
    range whole = run.range;

    if (run.call.bits && run.call.bits_rows)
        whole.t1 = least(whole.t1, run.call.bits_rows);
    if (whole.t0 == whole.t1 || whole.n0 == whole.n1)
        return;
    expect_nothing();
    restore_arrays();
    for (int turn = 0; turn < TURNS; turn++) {
        snnc_call c = run.call;
        range r = whole;
        const snnc_status status = below(2) ? spoil_call(&c, &r) : spoil_run(&c, &r);
        const snnc_isa *const isa = tables[turn % num_tables];
        if (status == SNNC_OK)
            continue;
        expect_status(snnc_run(isa, &c, r.t0, r.t1, r.n0, r.n1), status);
        expect_status(snnc_run(NULL, &c, r.t0, r.t1, r.n0, r.n1), SNNC_BAD_ISA);
    }
    expect_arrays();
}

static void attack_back_wrongly(void)
{
    if (back.range.t0 == back.range.t1 || back.range.n0 == back.range.n1)
        return;
    expect_nothing();
    restore_arrays();
    for (int turn = 0; turn < TURNS; turn++) {
        snnc_backward_call b = back.call;
        range r = back.range;
        const snnc_status status =
            below(2) ? spoil_call(&b.call, &r) : spoil_back(&b, &r);
        const snnc_isa *const isa = tables[turn % num_tables];
        if (status == SNNC_OK)
            continue;
        expect_status(snnc_backward(isa, &b, r.t0, r.t1, r.n0, r.n1), status);
        expect_status(snnc_mem_shift(isa, &b, r.t0, r.t1, r.n0, r.n1), status);
        expect_status(snnc_backward(NULL, &b, r.t0, r.t1, r.n0, r.n1), SNNC_BAD_ISA);
    }
    snnc_backward_call b = back.call;
    const range *r = &back.range;
    b.derivative = NULL;
    expect_status(snnc_mem_shift(tables[0], &b, r->t0, r->t1, r->n0, r->n1),
                  SNNC_BAD_OUTPUT);
    expect_arrays();
}

/* ---- products and closed loops ---- */

/* Workspaces are aligned, so that their last bytes are not checked. */
static void *aligned(size_t bytes)
{
    void *const data = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!data)
        abort();
    return data;
}

static snnc_weights choose_weights(snnc_type type, size_t inputs, size_t outputs)
{
    snnc_weights w = SNNC_WEIGHTS_INIT;
    size_t items;

    w.kind = (snnc_weight_kind)below(inputs == outputs ? 3 : 2);
    w.num_inputs = inputs;
    w.num_outputs = outputs;
    if (w.kind == SNNC_DENSE) {
        const size_t step = outputs + below(4);
        w.step = below(2) ? (ptrdiff_t)step : 0;
        items = inputs ? (inputs - 1) * (w.step ? step : outputs) + outputs : 0;
    }
    else if (w.kind == SNNC_SPARSE) {
        array *const indptr = new_array("indptr", INT64, inputs + 1);
        int64_t *const end = (int64_t *)(void *)indptr->before;
        end[0] = 0;
        for (size_t i = 0; i < inputs; i++)
            end[i + 1] = end[i] + (outputs ? (int64_t)(draw() * 7) : 0);
        items = (size_t)end[inputs];
        array *const indices = new_array("indices", INT32, items);
        for (size_t j = 0; j < items; j++)
            ((int32_t *)(void *)indices->before)[j] =
                (int32_t)(draw() * (double)outputs);
        w.indptr = (int64_t *)(void *)indptr->data;
        w.indices = (int32_t *)(void *)indices->data;
        w.shared = (int)below(2);
        items = w.shared ? inputs : items;
    }
    else {
        w.shared = (int)below(2);
        items = w.shared ? 1 : inputs;
    }
    w.data = new_array("weights", type, items)->data;
    return w;
}

/* Spikes of which some are 0. */
static array *new_spikes(int type, size_t items)
{
    array *const spk = new_array("spk", type, items);
    const double density = draw() * draw();

    for (size_t i = 0; i < items; i++)
        if (draw() > density)
            put_real(type, spk->before, i, draw() < 0.1 ? -0.0 : 0.0);
    return spk;
}

static snnc_status spoil_product(snnc_product_call *p, size_t *r0, size_t *r1)
{
    const size_t inputs = p->weights.num_inputs, outputs = p->weights.num_outputs;
    const int is_used = *r0 < *r1 && outputs > 0;

    switch (below(9)) {
    case 0: p->type = (snnc_type)unknown(SNNC_U8); return SNNC_BAD_TYPE;
    case 1:
        p->weights.kind = (snnc_weight_kind)unknown(SNNC_NUM_WEIGHT_KINDS);
        return SNNC_BAD_WEIGHTS;
    case 2:
        p->weights.data = NULL;
        return inputs && outputs ? SNNC_BAD_WEIGHTS : SNNC_OK;
    case 3: p->weights.step = -1 - (ptrdiff_t)below(99); return SNNC_BAD_WEIGHTS;
    case 4: *r1 = p->num_rows + 1 + below(9); return SNNC_BAD_RANGE;
    case 5: *r0 = *r1 + 1 + below(9); return SNNC_BAD_RANGE;
    case 6:
        p->spk = p->bits = NULL;
        return inputs && is_used ? SNNC_BAD_INPUT : SNNC_OK;
    case 7: p->sum = NULL; return is_used ? SNNC_BAD_OUTPUT : SNNC_OK;
    default:
        p->weights.num_outputs = SIZE_MAX / 8 - below(99);
        p->weights.step = 0;
        p->weights.kind = SNNC_DENSE;
        return p->weights.data && inputs ? SNNC_TOO_LARGE : SNNC_OK;
    }
}

static void attack_product(void)
{
    enum { BITS = SNNC_NUM_TYPES };
    snnc_product_call p = SNNC_PRODUCT_INIT;
    size_t inputs = draw_length(), outputs = below(4) ? draw_length() : inputs;

    if (inputs * outputs > 1 << 15)
        *(below(2) ? &inputs : &outputs) = below(30);
    p.type = (snnc_type)below(SNNC_F64 + 1);
    p.weights = choose_weights(p.type, inputs, outputs);
    p.num_rows = below(6);
    const int forms[] = {(int)p.type, SNNC_U8, SNNC_BOOL, BITS}, form = forms[below(4)];
    const size_t width = form == BITS ? snnc_bits_width(inputs) : inputs;
    const size_t step = width + (below(2) ? below(5) : 0);
    array *const spk = new_spikes(form == BITS ? SNNC_U8 : form,
                                  p.num_rows ? (p.num_rows - 1) * step + width : 0);
    if (form == BITS)
        p.bits = (uint8_t *)spk->data;
    else
        p.spk = spk->data;
    p.spk_type = form == BITS ? SNNC_F32 : (snnc_type)form;
    p.spk_step = step > width || below(2) ? (ptrdiff_t)step : 0;
    array *const bias = below(2) ? new_array("bias", p.type, outputs) : NULL;
    p.bias = bias ? bias->data : NULL;
    array *const sum = new_array("sum", p.type, p.num_rows * outputs);
    p.sum = sum->data;
    p.workspace = aligned(snnc_product_workspace_size(&p));

    expect_nothing();
    restore_arrays();
    for (int turn = 0; turn < TURNS; turn++) {
        snnc_product_call wrong = p;
        size_t r0 = 0, r1 = p.num_rows;
        const snnc_status status = spoil_product(&wrong, &r0, &r1);
        if (status == SNNC_OK)
            continue;
        expect_status(snnc_product(tables[turn % num_tables], &wrong, r0, r1), status);
    }
    expect_status(snnc_product(NULL, &p, 0, p.num_rows), SNNC_BAD_ISA);
    expect_arrays();
    for (size_t r = 0; r < p.num_rows; r++) {
        char *const sums = sum->after + r * outputs * size_of(p.type);
        for (size_t j = 0; j < outputs; j++)
            put_real(p.type, sums, j, bias ? real_at(p.type, bias->before, j) : 0);
        for (size_t i = 0; i < inputs; i++)
            add_spike(&p.weights, p.type, i,
                      form == BITS
                          ? ((uint8_t)spk->before[r * step + i / 8] >> i % 8 & 1)
                          : real_at(form, spk->before, r * step + i),
                      sums);
    }
    for (int i = 0; i < num_tables; i++) {
        const size_t cut = below(p.num_rows + 1);
        restore_arrays();
        expect_status(snnc_product(tables[i], &p, cut, p.num_rows), SNNC_OK);
        expect_status(snnc_product(tables[i], &p, 0, cut), SNNC_OK);
        expect_arrays();
    }
    free(p.workspace);
}

static array *perhaps(const char *name, int type, size_t items)
{
    return below(2) ? new_array(name, type, items) : NULL;
}

static char *data_of(array *a)
{
    return a ? a->data : NULL;
}

/* The run that was chosen, in a closed loop. */
static void choose_loop(void)
{
    snnc_recurrent_call *const r = &loop.call;
    snnc_call *const c = &run.call;
    const size_t n = c->num_neurons, groups = n / run.row;
    const size_t most = n * c->num_steps > 1 << 14 ? 8 : 150;

    r->call = *c;
    r->row_size =
        n ? run.row * divisor(groups, 1 + below(most / run.row + 1)) : below(3);
    const size_t width = r->row_size;
    loop.delays = 1;
    r->num_projections = n ? below(MAX_LOOPS + 1) : 0;
    r->projections = loop.projections;
    loop.bias = perhaps("bias", c->type, width);
    r->bias = data_of(loop.bias);
    for (size_t k = 0; k < r->num_projections; k++) {
        snnc_projection *const p = &loop.projections[k];
        p->weights = choose_weights(c->type, width, width);
        p->delay = below(MAX_DELAY + 1);
        if (p->delay > loop.delays)
            loop.delays = p->delay;
        p->per_neuron = (int)below(2);
        loop.decay[k] = perhaps("decay", c->type, p->per_neuron ? width : 1);
        p->decay = data_of(loop.decay[k]);
        for (size_t j = 0; p->decay && j < loop.decay[k]->items; j++)
            put_plain(loop.decay[k]->before, j, (double)below(5) / 4);
        loop.current_in[k] = new_array("current", c->type, n);
        loop.current_out[k] =
            below(2) ? new_array("current", c->type, n) : loop.current_in[k];
        p->current_in = loop.current_in[k]->data;
        p->current_out = loop.current_out[k]->data;
        if (below(2)) {
            lay_out(&loop.record[k], "current record", c->type,
                    recorded_before(c->num_steps), c->select ? c->num_selected : n,
                    !c->select, 0);
            p->record = as_output(&loop.record[k]);
        }
    }
    const size_t past = loop.delays * n;
    if (below(2)) {
        loop.past_in = new_spikes((int)c->type, past);
        r->past_in = loop.past_in->data;
    }
    loop.past_out = below(3) ? perhaps("past", c->type, past) : loop.past_in;
    r->past_out = data_of(loop.past_out);
    loop.past_record = perhaps("past", c->type, recorded_before(c->num_steps) * past);
    r->past_record = data_of(loop.past_record);
    loop.total = perhaps("total", c->type, c->num_steps * n);
    r->total = data_of(loop.total);
    loop.fired = perhaps("fired", SNNC_U8, c->num_steps * n);
    r->fired = (uint8_t *)data_of(loop.fired);
    r->workspace = aligned(snnc_recurrent_workspace_size(r));
    run.range.n0 = 0;
    run.range.n1 = n;
}

static void run_loop(const snnc_isa *isa, size_t steps, size_t rows)
{
    const snnc_recurrent_call *r = &loop.call;
    const size_t all = r->row_size ? r->call.num_neurons / r->row_size : 0;
    const size_t end = r->call.num_steps;
    const size_t turn =
        r->call.bits && r->call.bits_rows ? r->call.bits_rows : SIZE_MAX;

    restore_arrays();
    memset(r->workspace, 0xff, snnc_recurrent_workspace_size(r));
    for (size_t t = 0, t1; t < end || t == 0; t = t1 + !end) {
        t1 = t + least(least(steps, end - t), turn - t % turn);
        for (size_t i = 0, m; i < all || i == 0; i += m + !all) {
            m = least(rows, all - i);
            expect_status(snnc_recurrent(isa, r, t, t1, i, i + m), SNNC_OK);
        }
    }
    expect_arrays();
}

static snnc_status spoil_loop(snnc_recurrent_call *r, snnc_projection *p, size_t *r0,
                              size_t *r1)
{
    const size_t k = r->num_projections ? below(r->num_projections) : 0;
    const int is_used = r->call.num_neurons > 0;

    r->projections = p;
    switch (below(9)) {
    case 0:
        r->row_size = r->call.num_neurons + 1 + below(9);
        return is_used ? SNNC_BAD_SHAPE : SNNC_OK;
    case 1: *r1 += 1 + below(9); return SNNC_BAD_RANGE;
    case 2: *r0 = *r1 + 1; return SNNC_BAD_RANGE;
    case 3:
        r->projections = NULL;
        return r->num_projections ? SNNC_BAD_WEIGHTS : SNNC_OK;
    case 4: p[k].weights.num_inputs++; break;
    case 5: p[k].weights.kind = (snnc_weight_kind)unknown(SNNC_NUM_WEIGHT_KINDS); break;
    case 6:
        p[k].current_out = NULL;
        return r->num_projections && is_used ? SNNC_BAD_STATE : SNNC_OK;
    case 7:
        p[k].delay = SIZE_MAX / 2;
        return r->num_projections ? SNNC_TOO_LARGE : SNNC_OK;
    default:
        r->workspace = NULL;
        return !is_used         ? SNNC_OK
               : r->call.rivals ? SNNC_BAD_INHIBITION
                                : SNNC_BAD_OUTPUT;
    }
    return r->num_projections ? SNNC_BAD_WEIGHTS : SNNC_OK;
}

static void attack_loop(void)
{
    const snnc_recurrent_call *r = &loop.call;
    const size_t n = run.call.num_neurons, size = size_of(run.call.type);
    const size_t rows = r->row_size ? n / r->row_size : 0;

    expect_nothing();
    restore_arrays();
    if (r->call.interval > 1) {
        expect_status(snnc_recurrent(tables[0], r, 0, 0, 0, rows), SNNC_BAD_CHECKPOINT);
        return;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        snnc_recurrent_call wrong = *r;
        snnc_projection projections[MAX_LOOPS];
        size_t r0 = 0, r1 = rows;
        memcpy(projections, loop.projections, sizeof projections);
        const snnc_status status = spoil_loop(&wrong, projections, &r0, &r1);
        if (status != SNNC_OK)
            expect_status(
                snnc_recurrent(tables[turn % num_tables], &wrong, 0, 0, r0, r1),
                status);
    }
    expect_arrays();
    for (size_t k = 0; k < r->num_projections; k++)
        memcpy(plain.current[k], loop.current_in[k]->before, n * size);
    compute_run();
    expect_run();
    for (size_t k = 0; k < r->num_projections; k++)
        memcpy(loop.current_out[k]->after, plain.current[k], n * size);
    if (loop.past_out)
        expect_past(loop.past_out, 0, (ptrdiff_t)run.call.num_steps - 1);
    size_t unit = 1; /* rows, so that bytes of bits are whole */
    while (unit < rows && unit * r->row_size % run.unit != 0)
        unit++;
    const size_t steps = 1 + below(run.call.num_steps + 1);
    for (int i = 0; i < num_tables; i++) {
        run_loop(tables[i], SIZE_MAX, SIZE_MAX);
        run_loop(tables[i], steps, unit * (1 + below(rows / unit + 1)));
    }
}

/* ---- what has no call ---- */

static void attack_surrogates(void)
{
    const snnc_surrogate surrogate = (snnc_surrogate)below(SNNC_NUM_SURROGATES);
    const snnc_type type = (snnc_type)below(SNNC_F64 + 1);
    const size_t n = below(200), size = size_of(type), kind = below(4);
    const double args[2] = {draw_real(kind), draw_real(kind)};
    array *const x = new_array("x", type, n);
    array *const derivative = new_array("derivative", type, n);

    expect_nothing();
    restore_arrays();
    expect_status(snnc_surrogate_derivative(NULL, surrogate, args, type, x->data,
                                            derivative->data, n),
                  SNNC_BAD_ISA);
    expect_status(snnc_surrogate_derivative(
                      tables[0], (snnc_surrogate)unknown(SNNC_NUM_SURROGATES), args,
                      type, x->data, derivative->data, n),
                  SNNC_BAD_SURROGATE);
    expect_status(snnc_surrogate_derivative(tables[0], surrogate, args,
                                            (snnc_type)unknown(SNNC_U8), x->data,
                                            derivative->data, n),
                  SNNC_BAD_TYPE);
    expect_arrays();
    for (size_t i = 0; i < n * size; i += size)
        snnc_surrogate_derivative(snnc_isa_find("baseline"), surrogate, args, type,
                                  x->before + i, derivative->after + i, 1);
    for (int i = 0; i < num_tables; i++) {
        restore_arrays();
        expect_status(snnc_surrogate_derivative(tables[i], surrogate, args, type,
                                                x->data, derivative->data, n),
                      SNNC_OK);
        expect_arrays();
    }
}

static void attack_names(void)
{
    const int index = (int)below(65536) - 32768;
    const size_t n = SIZE_MAX - below(65536);

    for (int i = 0; i < num_tables; i++)
        expect(snnc_self_check(tables[i]), "a fused multiply-add");
    expect(strcmp(snnc_version(), SNNC_VERSION) == 0, "another version");
    expect(snnc_strerror((snnc_status)index) != NULL, "a status without words");
    expect(!snnc_model_at(index) == (index < 0 || index >= SNNC_NUM_MODELS),
           "more or fewer models");
    expect(!snnc_surrogate_at(index) == (index < 0 || index >= SNNC_NUM_SURROGATES),
           "more or fewer surrogates");
    expect(!snnc_isa_name_at(index) || (index >= 0 && index < num_tables),
           "more tables");
    expect(!snnc_isa_name(NULL) && !snnc_isa_find(snnc_strerror(SNNC_OK)),
           "a table that isn't one");
    expect(snnc_bits_width(n) == n / 8 + (n % 8 > 0), "another width");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (num_tables == 0)
        find_tables();
    input = data;
    input_left = size;
    memset(&run, 0, sizeof run);
    memset(&back, 0, sizeof back);
    memset(&loop, 0, sizeof loop);
    seed = (uint32_t)below(65536);
    const size_t turn = below(16);
    if (turn == 15) {
        attack_surrogates();
        attack_names();
    }
    else if (turn > 12)
        attack_product();
    else if (turn > 8) {
        choose_run(0);
        choose_loop();
        attack_loop();
        free(run.call.workspace);
        free(loop.call.workspace);
    }
    else {
        const int goes_back = (int)below(2), is_wrong = below(3) == 2;
        choose_run(goes_back);
        if (goes_back) {
            choose_back();
            (is_wrong ? attack_back_wrongly : attack_back)();
        }
        else
            (is_wrong ? attack_run_wrongly : attack_run)();
        free(run.call.workspace);
        free(back.call.workspace);
    }
    free_arrays();
    return 0;
}
