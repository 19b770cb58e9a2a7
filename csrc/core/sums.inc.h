/* Sums of the weights of inputs that spike, and lists of these. Included by a stub once
 * per type. */

/* Vectors of sums that registers hold beside what is added to them. */
#if SNNC_VECTOR_BYTES == 64 || defined(__aarch64__)
#define SUM_MOST 16
#else
#define SUM_MOST 8
#endif

/* What becomes of the sums of the outputs [j, j + n). */
SNNC_INLINE void T(finish_sums)(const snnc_sum_row *row, size_t j, size_t n, int part,
                                T(vec) * sum, int count)
{
    const scalar *const decay = row->decay;
    scalar *const current = row->sum;

    if (decay) {
        const T(vec) zero = T(broadcast)(0), shared = T(broadcast)(*decay);
        SNNC_UNROLL
        for (int v = 0; v < count; v++) {
            const T(vec) d =
                row->per_neuron ? T(load_lanes)(decay + j, n, v, part) : shared;
            const T(vec) left = d * T(load_lanes)(current + j, n, v, part);
            sum[v] = NAME(select)(NAME(greater)(d, zero), left, zero) + sum[v];
        }
    }
    if (current) {
        SNNC_UNROLL
        for (int v = 0; v < count; v++)
            T(store_lanes)(current + j, sum[v], n, v, part);
    }
    if (row->input) {
        const scalar *const input = row->input;
        SNNC_UNROLL
        for (int v = 0; v < count; v++)
            T(store_lanes)((scalar *)row->total + j,
                           T(load_lanes)(input + j, n, v, part) + sum[v], n, v, part);
    }
}

/* The outputs [j, j + n): `count` vectors of them, or a part of one. */
SNNC_INLINE void T(sum_vectors)(const snnc_sum_row *row, size_t j, size_t n, int part,
                                int graded, int count)
{
    T(vec) sum[SUM_MOST];
    const scalar *const start = row->start, *const value = row->value;
    const scalar *const weight = row->weight ? (const scalar *)row->weight + j : NULL;
    const uint32_t *const index = row->index;
    const ptrdiff_t step = row->step;
    const size_t spikes = row->count;

    SNNC_UNROLL
    for (int v = 0; v < count; v++)
        sum[v] = start ? T(load_lanes)(start + j, n, v, part) : T(broadcast)((scalar)0);
    for (size_t k = 0; k < spikes; k++) {
        const scalar *const from = weight + step * (ptrdiff_t)index[k];
        const scalar *const next = weight + step * (ptrdiff_t)index[k + SNNC_AHEAD];
        const T(vec) each = T(broadcast)(graded ? value[k] : (scalar)1);
        SNNC_UNROLL
        for (int v = 0; v < count; v++) {
            if ((size_t)v * sizeof *sum % 64 == 0)
                SNNC_PREFETCH(next + v * T(LANES));
            const T(vec) term = T(load_lanes)(from, n, v, part);
            sum[v] += graded ? term * each : term;
        }
    }
    T(finish_sums)(row, j, n, part, sum, count);
}

SNNC_TEMPLATE void T(sum_outputs)(const snnc_sum_row *row, int graded)
{
    const size_t n = row->n;
    const int most = graded ? 4 : SUM_MOST; /* few spikes are graded */
    size_t j = 0;

    for (; n - j >= (size_t)most * T(LANES); j += (size_t)most * T(LANES))
        T(sum_vectors)(row, j, (size_t)most * T(LANES), 0, graded, most);
#define SUM_SOME(count)                                                       \
    if ((count) < most && n - j >= (size_t)(count) * T(LANES)) {              \
        T(sum_vectors)(row, j, (size_t)(count) * T(LANES), 0, graded, count); \
        j += (size_t)(count) * T(LANES);                                      \
    }
    SUM_SOME(8)
    SUM_SOME(4)
    SUM_SOME(2)
    SUM_SOME(1)
#undef SUM_SOME
    if (n > j)
        T(sum_vectors)(row, j, n - j, 1, graded, 1);
}

static void T(sum_weights)(const snnc_sum_row *row)
{
    if (row->value)
        T(sum_outputs)(row, 1);
    else
        T(sum_outputs)(row, 0);
}

/* A NaN is a spike; one of -0 is none. */
static size_t T(list)(const void *spk, size_t n, uint32_t *index, int *graded)
{
    enum { COUNT = 4 }; /* vectors at a time */
    const T(vec) zero = T(broadcast)(0), one = T(broadcast)(1);
    size_t count = 0;

    *graded = 0;
    for (size_t i = 0; i < n; i += (size_t)COUNT * T(LANES)) {
        const int part = n - i < (size_t)COUNT * T(LANES);
        T(vec_mask) silent[COUNT], plain[COUNT];
        SNNC_UNROLL
        for (int v = 0; v < COUNT; v++) {
            const T(vec) x = T(load_lanes)((const scalar *)spk + i, n - i, v, part);
            silent[v] = NAME(at_least)(x, zero) & NAME(at_least)(zero, x);
            plain[v] = NAME(at_least)(x, one) & NAME(at_least)(one, x);
        }
        const uint64_t all = UINT64_MAX >> (64 - COUNT * T(LANES));
        const uint64_t bits = ~T(all_bits)(silent, COUNT) & all;
        if (bits) {
            *graded = *graded || bits != T(all_bits)(plain, COUNT);
            count += list_word(index + count, i, bits);
        }
    }
    return count;
}

static const snnc_sum_fns T(sum_fns) = {T(sum_weights), T(list)};
#undef SUM_MOST
