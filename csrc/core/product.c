/* The product of spikes and weights: lists the spikes of some rows, then sums their
 * weights. */
#include "product.h"

#include <string.h>

#include "engine.h"

#define scalar float
#define SNNC_TYPE f32
#include "sparse.h"
#undef scalar
#undef SNNC_TYPE

#define scalar double
#define SNNC_TYPE f64
#include "sparse.h"
#undef scalar
#undef SNNC_TYPE

enum {
    LISTED_SPIKES = 64 * 1024, /* at a time, if a row hasn't more */
    LISTED_ROWS = 1024,        /* at a time */
    STRIP_BYTES = 2048,        /* of each input's weights, which several rows read */
    ALIGNMENT = 64             /* of the parts of a workspace */
};

/* The lists of some rows, in a workspace. */
typedef struct {
    size_t rows, room;               /* in rows, and in entries of lists */
    size_t value_at, index_at, size; /* in bytes */
} lists;

static size_t aligned(size_t bytes)
{
    return bytes > SIZE_MAX - ALIGNMENT
               ? SIZE_MAX
               : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t add_saturating(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static lists lay_out(const snnc_product_call *call)
{
    const size_t row = add_saturating(call->weights.num_inputs, SNNC_AHEAD);
    lists l;

    l.rows = snnc_min_size(call->num_rows, LISTED_ROWS);
    l.room = snnc_mul_saturating(l.rows, row);
    if (l.room > LISTED_SPIKES)
        l.room = row > LISTED_SPIKES ? row : LISTED_SPIKES;
    l.index_at = aligned(l.rows * sizeof(snnc_spike_list));
    l.value_at = add_saturating(l.index_at,
                                aligned(snnc_mul_saturating(l.room, sizeof(uint32_t))));
    l.size = call->spk && call->spk_type != SNNC_BOOL
                 ? add_saturating(l.value_at,
                                  snnc_mul_saturating(l.room, snnc_size_of(call->type)))
                 : l.value_at;
    return l;
}

size_t snnc_product_workspace_size(const snnc_product_call *call)
{
    return lay_out(call).size;
}

int snnc_is_sparse(const snnc_weights *weights, size_t count)
{
    const int64_t *const indptr = weights->indptr;

    if (indptr[0] != 0 || indptr[weights->num_inputs] != (int64_t)count)
        return 0;
    for (size_t i = 0; i < weights->num_inputs; i++)
        if (indptr[i + 1] < indptr[i])
            return 0;
    for (size_t j = 0; j < count; j++)
        if (weights->indices[j] < 0 ||
            (size_t)weights->indices[j] >= weights->num_outputs)
            return 0;
    return 1;
}

void snnc_transpose(const snnc_weights *from, snnc_type type, void *data,
                    int64_t *indptr, int32_t *indices)
{
    const size_t size = snnc_size_of(type), rows = from->num_outputs;

    /* indptr[j + 1] is where row j goes on, and in the end where it ends. */
    memset(indptr, 0, (rows + 1) * sizeof *indptr);
    for (int64_t k = 0; k < from->indptr[from->num_inputs]; k++)
        if ((size_t)from->indices[k] + 2 <= rows)
            indptr[from->indices[k] + 2]++;
    for (size_t j = 2; j <= rows; j++)
        indptr[j] += indptr[j - 1];
    for (size_t i = 0; i < from->num_inputs; i++)
        for (int64_t k = from->indptr[i]; k < from->indptr[i + 1]; k++) {
            const int64_t to = indptr[from->indices[k] + 1]++;
            indices[to] = (int32_t)i;
            memcpy((char *)data + (size_t)to * size,
                   (const char *)from->data + (size_t)k * size, size);
        }
}

/* Transposes eight rows of eight bytes, of which the first is the lowest of a word:
 * halves, quarters and eighths change places. */
static void transpose_eight(uint8_t *dst, size_t to, const uint8_t *src, ptrdiff_t from)
{
    uint64_t row[8];

    SNNC_UNROLL
    for (int i = 0; i < 8; i++)
        memcpy(&row[i], src + i * from, 8);
#define SWAP(i, k, mask)                                                   \
    do {                                                                   \
        const uint64_t swap = (row[i] >> 8 * (k) ^ row[(i) + (k)]) & mask; \
        row[(i) + (k)] ^= swap;                                            \
        row[i] ^= swap << 8 * (k);                                         \
    } while (0)
    SNNC_UNROLL
    for (int i = 0; i < 4; i++)
        SWAP(i, 4, 0x00000000ffffffff);
    SNNC_UNROLL
    for (int i = 0; i < 8; i += 4) {
        SWAP(i, 2, 0x0000ffff0000ffff);
        SWAP(i + 1, 2, 0x0000ffff0000ffff);
    }
    SNNC_UNROLL
    for (int i = 0; i < 8; i += 2)
        SWAP(i, 1, 0x00ff00ff00ff00ff);
#undef SWAP
    SNNC_UNROLL
    for (size_t i = 0; i < 8; i++)
        memcpy(dst + i * to, &row[i], 8);
}

void snnc_transpose_bytes(uint8_t *dst, const uint8_t *src, size_t rows, size_t columns,
                          ptrdiff_t step)
{
    enum { LINE = 64 }; /* of a cache: rows of dst that stay there */
    const uint16_t one = 1;
    uint8_t lowest;
    memcpy(&lowest, &one, 1); /* 0 where the highest byte of a word comes first */
    const size_t whole_rows = lowest ? rows - rows % 8 : 0;
    const size_t whole_columns = columns - columns % 8;

    for (size_t line = 0; line < whole_columns; line += LINE)
        for (size_t r = 0; r < whole_rows; r += 8)
            for (size_t c = line; c < whole_columns && c < line + LINE; c += 8)
                transpose_eight(dst + c * rows + r, rows, src + (ptrdiff_t)r * step + c,
                                step);
    for (size_t c = 0; c < columns; c++)
        for (size_t r = c < whole_columns ? whole_rows : 0; r < rows; r++)
            dst[c * rows + r] = src[(ptrdiff_t)r * step + (ptrdiff_t)c];
}

snnc_status snnc_check_weights(const snnc_weights *weights, snnc_type type)
{
    const size_t inputs = weights->num_inputs, outputs = weights->num_outputs;
    const size_t step = weights->step > 0 ? (size_t)weights->step : outputs;

    if (type != SNNC_F32 && type != SNNC_F64)
        return SNNC_BAD_TYPE;
    if ((int)weights->kind < 0 || weights->kind >= SNNC_NUM_WEIGHT_KINDS ||
        (weights->kind == SNNC_ONE_TO_ONE && inputs != outputs) || weights->step < 0 ||
        (weights->kind == SNNC_SPARSE && (!weights->indptr || !weights->indices)) ||
        (inputs && outputs && !weights->data))
        return SNNC_BAD_WEIGHTS;
    if (inputs > UINT32_MAX - SNNC_AHEAD || outputs > PTRDIFF_MAX / sizeof(double) ||
        (weights->kind == SNNC_SPARSE && outputs > INT32_MAX) ||
        (weights->kind == SNNC_DENSE &&
         snnc_mul_saturating(inputs, snnc_mul_saturating(step, sizeof(double))) >
             PTRDIFF_MAX))
        return SNNC_TOO_LARGE;
    return SNNC_OK;
}

/* The last entry is repeated after a list's end (see rows.h). */
static void end_list(snnc_spike_list *list)
{
    for (size_t i = 0; i < SNNC_AHEAD && list->count > 0; i++)
        list->index[list->count + i] = list->index[list->count - 1];
}

void snnc_list_spikes(const snnc_isa *isa, snnc_type type, snnc_spike_list *list,
                      const void *spk, snnc_type spk_type, int is_bits, size_t n)
{
    const int is_bytes = spk_type == SNNC_U8 || spk_type == SNNC_BOOL;
    snnc_list_fn *const fn = is_bits    ? isa->list_bits
                             : is_bytes ? isa->list_bytes
                                        : isa->sums[type]->list;

    list->count = fn(spk, n, list->index, &list->graded);
    end_list(list);
    if (spk_type == SNNC_BOOL)
        list->graded = 0;
    if (!list->graded)
        return;
    if (is_bytes)
        (type == SNNC_F32 ? gather_bytes_f32 : gather_bytes_f64)(list, spk);
    else if (type == SNNC_F32)
        gather_f32(list, spk);
    else
        gather_f64(list, spk);
}

void snnc_no_spikes(snnc_spike_list *list)
{
    list->count = 0;
    list->graded = 0;
    end_list(list);
}

void snnc_weigh_spikes(snnc_type type, snnc_spike_list *list, const void *weight,
                       size_t first, size_t period)
{
    if (type == SNNC_F32)
        weigh_f32(list, weight, first, period);
    else
        weigh_f64(list, weight, first, period);
    end_list(list);
}

void snnc_unlist_spikes(snnc_type type, const snnc_spike_list *list, void *spk,
                        size_t n)
{
    memset(spk, 0, n * snnc_size_of(type));
    if (type == SNNC_F32)
        unlist_f32(list, spk);
    else
        unlist_f64(list, spk);
}

void snnc_sum_dense(const snnc_isa *isa, snnc_type type, const snnc_weights *weights,
                    const snnc_spike_list *list, size_t j, const snnc_sum_row *row)
{
    snnc_sum_row own = *row;

    own.count = list->count;
    own.index = list->index;
    own.value = list->graded ? list->value : NULL;
    own.weight = snnc_value_at(weights->data, j, snnc_size_of(type));
    own.step = weights->step ? weights->step : (ptrdiff_t)weights->num_outputs;
    isa->sums[type]->sum(&own);
}

void snnc_sum_others(snnc_type type, const snnc_weights *weights,
                     const snnc_spike_list *list, const void *start, void *sum)
{
    const size_t bytes = weights->num_outputs * snnc_size_of(type);

    if (start)
        memcpy(sum, start, bytes);
    else
        memset(sum, 0, bytes);
    if (weights->kind == SNNC_SPARSE)
        type == SNNC_F32 ? add_sparse_f32(sum, weights, list)
                         : add_sparse_f64(sum, weights, list);
    else
        type == SNNC_F32 ? add_one_to_one_f32(sum, weights, list)
                         : add_one_to_one_f64(sum, weights, list);
}

static snnc_status check(const snnc_isa *isa, const snnc_product_call *call, size_t r0,
                         size_t r1)
{
    const size_t inputs = call->weights.num_inputs;
    const size_t outputs = call->weights.num_outputs;
    const size_t step = call->spk_step > 0 ? (size_t)call->spk_step : inputs;

    if (!isa)
        return SNNC_BAD_ISA;
    const snnc_status status = snnc_check_weights(&call->weights, call->type);
    if (status != SNNC_OK)
        return status;
    if (call->spk && call->spk_type != call->type && call->spk_type != SNNC_U8 &&
        call->spk_type != SNNC_BOOL)
        return SNNC_BAD_TYPE;
    if (r0 > r1 || r1 > call->num_rows)
        return SNNC_BAD_RANGE;
    if (snnc_mul_saturating(call->num_rows, snnc_mul_saturating(step, sizeof(double))) >
            PTRDIFF_MAX ||
        snnc_mul_saturating(call->num_rows,
                            snnc_mul_saturating(outputs, sizeof(double))) >
            PTRDIFF_MAX ||
        lay_out(call).size > PTRDIFF_MAX)
        return SNNC_TOO_LARGE;
    if (r0 < r1 && inputs && outputs && !call->spk && !call->bits)
        return SNNC_BAD_INPUT;
    if (r0 < r1 && outputs && (!call->sum || !call->workspace))
        return SNNC_BAD_OUTPUT;
    return SNNC_OK;
}

/* Lists the spikes of rows from r on, as far as there is room: how many rows. */
static size_t list_rows(const snnc_isa *isa, const snnc_product_call *call,
                        const lists *l, snnc_spike_list *list, size_t r, size_t r1)
{
    const size_t inputs = call->weights.num_inputs, size = snnc_size_of(call->type);
    const int is_bits = !call->spk;
    const ptrdiff_t item = is_bits ? 1 : (ptrdiff_t)snnc_size_of(call->spk_type);
    const ptrdiff_t step = call->spk_step ? call->spk_step
                           : is_bits      ? (ptrdiff_t)snnc_bits_width(inputs)
                                          : (ptrdiff_t)inputs;
    const char *const spk = is_bits ? (const char *)call->bits : call->spk;
    size_t rows = 0, used = 0;

    for (; rows < l->rows && r + rows < r1 && l->room - used >= inputs + SNNC_AHEAD;
         rows++) {
        snnc_spike_list *const own = &list[rows];
        own->index = (uint32_t *)((char *)call->workspace + l->index_at) + used;
        own->value = (char *)call->workspace + l->value_at + used * size;
        snnc_list_spikes(isa, call->type, own,
                         inputs ? spk + (ptrdiff_t)(r + rows) * step * item : NULL,
                         call->spk_type, is_bits, inputs);
        used += own->count + SNNC_AHEAD;
    }
    return rows;
}

snnc_status snnc_product(const snnc_isa *isa, const snnc_product_call *call, size_t r0,
                         size_t r1)
{
    const snnc_status status = check(isa, call, r0, r1);
    const size_t outputs = call->weights.num_outputs;

    if (status != SNNC_OK || outputs == 0)
        return status;
    const size_t size = snnc_size_of(call->type);
    const lists l = lay_out(call);
    snnc_spike_list *const list = call->workspace;
    for (size_t r = r0, rows; r < r1; r += rows) {
        rows = list_rows(isa, call, &l, list, r, r1);
        const int is_dense = call->weights.kind == SNNC_DENSE;
        const size_t width = rows > 1 && is_dense ? STRIP_BYTES / size : outputs;
        for (size_t j = 0; j < outputs; j += width)
            for (size_t i = 0; i < rows; i++) {
                char *const sum = (char *)call->sum + (r + i) * outputs * size;
                const snnc_sum_row row = {
                    .n = snnc_min_size(width, outputs - j),
                    .start = snnc_value_at(call->bias, j, size),
                    .sum = sum + j * size,
                };
                if (is_dense)
                    snnc_sum_dense(isa, call->type, &call->weights, &list[i], j, &row);
                else
                    snnc_sum_others(call->type, &call->weights, &list[i], call->bias,
                                    sum);
            }
    }
    return SNNC_OK;
}
