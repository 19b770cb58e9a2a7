/* The product of spikes and weights without Python: the bits of a plain sequential sum,
 * by every table, for every kind of weights and form of spikes, whole and in ranges,
 * and no byte touched but those that were given. */
#include "check.h"

#include <math.h>

enum { MOST_INPUTS = 300, MOST_OUTPUTS = 300, MOST_ROWS = 5, GAP = 3 };
enum { MOST_WEIGHTS = (MOST_INPUTS + 1) * (MOST_OUTPUTS + GAP) };
enum { MOST_SPIKES = MOST_ROWS * (MOST_INPUTS + GAP) };

/* Forms of spikes. */
enum { REALS, GRADED, BYTES, COUNTS, TRUTHS, BITS, NUM_FORMS };
/* Kinds of weights. */
enum { DENSE, STRIDED, SPARSE, SHARED, ONE_TO_ONE, NUM_KINDS };

enum { SPK, WEIGHT, INDPTR, INDICES, BIAS, SUM, NUM_BUFFERS };
static guarded buffers[NUM_BUFFERS];
static char workspace[1 << 21];

static double real_at(const void *data, snnc_type type, size_t i)
{
    return type == SNNC_F32 ? (double)((const float *)data)[i]
                            : ((const double *)data)[i];
}

static void put(void *data, snnc_type type, size_t i, double value)
{
    if (type == SNNC_F32)
        ((float *)data)[i] = (float)value;
    else
        ((double *)data)[i] = value;
}

/* A number, now and then one that isn't ordinary. */
static double any_number(void)
{
    static const double others[] = {0.0, -0.0, HUGE_VAL, 1e-310, 0x1p-149};
    const double value = draw();
    return value < 0.02 ? others[(size_t)(value * 250)] : 4 * draw() - 2;
}

/* A buffer of exactly so many bytes, at a guard page. */
static void *buffer(int which, size_t bytes, int at_end)
{
    return guarded_at(&buffers[which], bytes, at_end);
}

static snnc_weights make_weights(int kind, snnc_type type, size_t inputs,
                                 size_t outputs, int at_end)
{
    const size_t size = size_of(type);
    snnc_weights w = SNNC_WEIGHTS_INIT;
    size_t count = inputs * outputs;

    w.num_inputs = inputs;
    w.num_outputs = outputs;
    if (kind == STRIDED && inputs) {
        w.step = (ptrdiff_t)(outputs + GAP);
        count = (inputs - 1) * (outputs + GAP) + outputs;
    }
    if (kind == ONE_TO_ONE) {
        w.kind = SNNC_ONE_TO_ONE;
        count = inputs;
    }
    if (kind == SPARSE || kind == SHARED) {
        int64_t *indptr = buffer(INDPTR, (inputs + 1) * sizeof *indptr, at_end);
        size_t num = 0;
        indptr[0] = 0;
        for (size_t i = 0; i < inputs; i++) {
            num += outputs ? (size_t)(draw() * 9) : 0;
            indptr[i + 1] = (int64_t)num;
        }
        int32_t *indices = buffer(INDICES, num * sizeof *indices, at_end);
        for (size_t j = 0; j < num; j++) /* in any order, some more than once */
            indices[j] = (int32_t)(draw() * (double)outputs);
        w.kind = SNNC_SPARSE;
        w.indptr = indptr;
        w.indices = indices;
        w.shared = kind == SHARED;
        count = w.shared ? inputs : num;
        CHECK(snnc_is_sparse(&w, num));
    }
    void *data = buffer(WEIGHT, count * size, at_end);
    for (size_t i = 0; i < count; i++)
        put(data, type, i, any_number());
    w.data = data;
    return w;
}

static const double graded[] = {2, -1.5, 0.25, 1, 1, (double)NAN, -0.0, HUGE_VAL};

/* Rows of spikes; in `value` what each counts. */
static void make_spikes(snnc_product_call *call, int form, int at_end, double density,
                        double *value)
{
    const size_t rows = call->num_rows, n = call->weights.num_inputs;
    const int wide = rows % 2 == 0; /* a gap from row to row */
    const size_t width = form == BITS ? snnc_bits_width(n) : n;
    const size_t step = width + (wide ? GAP : 0);
    const size_t item = form <= GRADED ? size_of(call->type) : 1;
    const size_t bytes = (rows ? (rows - 1) * step + width : 0) * item;
    uint8_t *spk = buffer(SPK, bytes, at_end);

    memset(spk, 0xff, bytes); /* what is between rows, and after the last bit */
    call->spk_step = wide ? (ptrdiff_t)step : 0;
    call->spk = form == BITS ? NULL : spk;
    call->bits = spk;
    call->spk_type = form <= GRADED ? call->type : form == TRUTHS ? SNNC_BOOL : SNNC_U8;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            const size_t at = r * step + i;
            double v = draw() < density;
            uint8_t *const byte = spk + r * step + i / 8;
            if (v != 0 && form == GRADED)
                v = graded[(size_t)(draw() * 8)];
            if (v != 0 && form == COUNTS)
                v = 1 + (int)(draw() * 255);
            if (form <= GRADED)
                put(spk, call->type, at, v);
            else if (form == BITS)
                *byte = (uint8_t)((*byte & ~(1u << i % 8)) | (unsigned)v << i % 8);
            else
                spk[at] = (uint8_t)(form == TRUTHS ? v * (1 + (int)(draw() * 255)) : v);
            value[r * n + i] = v;
        }
}

static double add_rounded(snnc_type type, double sum, double weight, double value)
{
    if (type == SNNC_F64)
        return sum + weight * value;
    const float product = (float)weight * (float)value;
    return (double)((float)sum + product);
}

/* The sum of output j of row r, worked out from the header. */
static double expected(const snnc_product_call *call, const double *value, size_t r,
                       size_t j)
{
    const snnc_weights *w = &call->weights;
    const size_t step = w->step ? (size_t)w->step : w->num_outputs;
    double sum = call->bias ? real_at(call->bias, call->type, j) : 0;

    for (size_t i = 0; i < w->num_inputs; i++) {
        const double v = value[r * w->num_inputs + i];
        if (v == 0)
            continue;
        if (w->kind == SNNC_DENSE)
            sum = add_rounded(call->type, sum,
                              real_at(w->data, call->type, i * step + j), v);
        else if (w->kind == SNNC_ONE_TO_ONE && i == j)
            sum = add_rounded(call->type, sum, real_at(w->data, call->type, i), v);
        for (int64_t k = w->kind == SNNC_SPARSE ? w->indptr[i] : 0;
             w->kind == SNNC_SPARSE && k < w->indptr[i + 1]; k++)
            if ((size_t)w->indices[k] == j)
                sum = add_rounded(
                    call->type, sum,
                    real_at(w->data, call->type, w->shared ? i : (size_t)k), v);
    }
    return sum;
}

static int same_number(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0;
}

static void test_product(const snnc_isa *isa, snnc_type type, int kind, int form,
                         size_t rows, size_t inputs, size_t outputs, double density)
{
    static double value[MOST_SPIKES];
    const int at_end = (int)((rows + inputs + outputs) % 2);
    const size_t size = size_of(type), bytes = rows * outputs * size;
    snnc_product_call call = SNNC_PRODUCT_INIT;
    int ok = 1;

    call.type = type;
    call.num_rows = rows;
    call.weights = make_weights(kind, type, inputs, outputs, at_end);
    make_spikes(&call, form, at_end, density, value);
    if (outputs % 3) {
        void *bias = buffer(BIAS, outputs * size, at_end);
        for (size_t j = 0; j < outputs; j++)
            put(bias, type, j, any_number());
        call.bias = bias;
    }
    char *const sum = buffer(SUM, bytes, at_end);
    call.sum = sum;
    const size_t room = snnc_product_workspace_size(&call);
    CHECK(room <= sizeof workspace - 128);
    call.workspace = workspace + (64 - (uintptr_t)workspace % 64) % 64;
    char *const after = (char *)call.workspace + room;
    for (int cut = 0; cut <= 1; cut++) {
        memset(sum, 0x55, bytes);
        memset(after, 0x55, 16);
        CHECK(snnc_product(isa, &call, 0, cut ? rows / 2 : rows) == SNNC_OK);
        if (cut)
            CHECK(snnc_product(isa, &call, rows / 2, rows) == SNNC_OK);
        for (size_t r = 0; r < rows; r++)
            for (size_t j = 0; j < outputs; j++)
                ok = ok && same_number(real_at(sum, type, r * outputs + j),
                                       expected(&call, value, r, j));
        CHECK(ok);
        for (int i = 0; i < 16; i++)
            ok = ok && after[i] == 0x55;
        CHECK(ok);
    }
}

static void test_wrong_arguments(const snnc_isa *isa)
{
    static float weight[12] = {1}, sum[8];
    static const uint8_t spk[6] = {1, 0, 1, 1, 1, 0};
    int64_t indptr[] = {0, 2, 1, 4};
    int32_t indices[] = {0, 3, 1, 2};
    snnc_product_call good = SNNC_PRODUCT_INIT, bad;

    good.weights.num_inputs = 3;
    good.weights.num_outputs = 4;
    good.weights.data = weight;
    good.num_rows = 2;
    good.spk = spk;
    good.spk_type = SNNC_U8;
    good.sum = sum;
    good.workspace = workspace + (64 - (uintptr_t)workspace % 64) % 64;
    CHECK(snnc_product(isa, &good, 0, 2) == SNNC_OK && sum[0] == 1 && sum[4] == 1);
    memset(sum, 0x55, sizeof sum);
#define WRONG(change, status) \
    bad = good;               \
    change;                   \
    CHECK(snnc_product(isa, &bad, 0, 2) == (status))
    CHECK(snnc_product(NULL, &good, 0, 2) == SNNC_BAD_ISA);
    CHECK(snnc_product(isa, &good, 1, 3) == SNNC_BAD_RANGE);
    CHECK(snnc_product(isa, &good, 1, 0) == SNNC_BAD_RANGE);
    WRONG(bad.type = SNNC_U8, SNNC_BAD_TYPE);
    WRONG(bad.spk_type = SNNC_F64, SNNC_BAD_TYPE);
    WRONG(bad.spk_type = SNNC_F16, SNNC_BAD_TYPE);
    WRONG(bad.spk_type = (snnc_type)77, SNNC_BAD_TYPE);
    WRONG(bad.weights.kind = SNNC_NUM_WEIGHT_KINDS, SNNC_BAD_WEIGHTS);
    WRONG(bad.weights.kind = (snnc_weight_kind)-1, SNNC_BAD_WEIGHTS);
    WRONG(bad.weights.kind = SNNC_ONE_TO_ONE, SNNC_BAD_WEIGHTS); /* 3 and 4 */
    WRONG(bad.weights.kind = SNNC_SPARSE, SNNC_BAD_WEIGHTS);
    WRONG(bad.weights.data = NULL, SNNC_BAD_WEIGHTS);
    WRONG(bad.weights.step = -4, SNNC_BAD_WEIGHTS);
    WRONG(bad.spk = NULL, SNNC_BAD_INPUT);
    WRONG(bad.sum = NULL, SNNC_BAD_OUTPUT);
    WRONG(bad.workspace = NULL, SNNC_BAD_OUTPUT);
    WRONG(bad.weights.num_inputs = SIZE_MAX, SNNC_TOO_LARGE);
    WRONG(bad.weights.num_inputs = (size_t)UINT32_MAX, SNNC_TOO_LARGE);
    WRONG(bad.weights.num_outputs = SIZE_MAX / 16, SNNC_TOO_LARGE);
    WRONG(bad.weights.step = PTRDIFF_MAX / 8, SNNC_TOO_LARGE);
    WRONG(bad.spk_step = PTRDIFF_MAX / 8, SNNC_TOO_LARGE);
    bad = good;
    bad.num_rows = SIZE_MAX;
    CHECK(snnc_product(isa, &bad, 0, 2) == SNNC_TOO_LARGE);
    for (size_t i = 0; i < sizeof sum; i++)
        CHECK(((char *)sum)[i] == 0x55);

    snnc_weights sparse = good.weights;
    sparse.kind = SNNC_SPARSE;
    sparse.indptr = indptr;
    sparse.indices = indices;
    CHECK(!snnc_is_sparse(&sparse, 4)); /* decreases */
    indptr[2] = 3;
    CHECK(snnc_is_sparse(&sparse, 4) && !snnc_is_sparse(&sparse, 5));
    indptr[0] = 1;
    CHECK(!snnc_is_sparse(&sparse, 4));
    indptr[0] = 0;
    indices[2] = 4;
    CHECK(!snnc_is_sparse(&sparse, 4));
    indices[2] = -1;
    CHECK(!snnc_is_sparse(&sparse, 4));
}

static void test_transpose_bytes(size_t rows, size_t columns, size_t gap)
{
    const size_t step = columns + gap;
    const size_t size = rows ? (rows - 1) * step + columns : 0;
    int ok = 1;

    for (int at_end = 0; at_end <= 1; at_end++) {
        uint8_t *const src = buffer(SPK, size, at_end);
        uint8_t *const dst = buffer(WEIGHT, rows * columns, at_end);
        for (size_t i = 0; i < size; i++)
            src[i] = (uint8_t)(draw() * 256);
        snnc_transpose_bytes(dst, src, rows, columns, (ptrdiff_t)step);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                ok = ok && dst[c * rows + r] == src[r * step + c];
    }
    CHECK(ok);
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 5, 16, 37, 64, 130, MOST_OUTPUTS};
    enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

    buffers[SPK] = guarded_new(MOST_SPIKES * sizeof(double));
    buffers[WEIGHT] = guarded_new(MOST_WEIGHTS * sizeof(double));
    buffers[INDPTR] = guarded_new((MOST_INPUTS + 1) * sizeof(int64_t));
    buffers[INDICES] = guarded_new(MOST_INPUTS * 9 * sizeof(int32_t));
    buffers[BIAS] = guarded_new(MOST_OUTPUTS * sizeof(double));
    buffers[SUM] = guarded_new(MOST_ROWS * MOST_OUTPUTS * sizeof(double));
    for (size_t rows = 0; rows < 20; rows++)
        for (size_t columns = 1; columns < 150; columns += 1 + columns / 9)
            test_transpose_bytes(rows, columns, (rows + columns) % 3);
    for (int i = 0; snnc_isa_name_at(i); i++) {
        const snnc_isa *isa = snnc_isa_find(snnc_isa_name_at(i));
        if (!isa)
            continue;
        test_wrong_arguments(isa);
        for (int type = SNNC_F32; type <= SNNC_F64; type++)
            for (int kind = 0; kind < NUM_KINDS; kind++)
                for (int form = 0; form < NUM_FORMS; form++)
                    for (size_t a = 0; a < NUM_SIZES; a++)
                        for (size_t b = 0; b < NUM_SIZES; b++) {
                            static const double densities[] = {0.1, 0, 1, 0.5};
                            const size_t n = sizes[a];
                            const size_t m = kind == ONE_TO_ONE ? n : sizes[b];
                            test_product(isa, (snnc_type)type, kind, form,
                                         (a + b) % (MOST_ROWS + 1), n, m,
                                         densities[(a + 3 * b) % 4]);
                        }
        printf("%s: tested\n", snnc_isa_name(isa));
    }
    printf("product: %d passed, %d failed\n", checks - failures, failures);
    return failures > 0;
}
