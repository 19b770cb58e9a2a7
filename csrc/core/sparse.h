/* Sums over sparse weights, and values of spikes: what no vectors are made for.
 * Included once per type. */

/* Adds the weights of a list of spikes to sums. */
static void T(add_sparse)(scalar *sum, const snnc_weights *weights,
                          const snnc_spike_list *list)
{
    const scalar *const data = weights->data, *const value = list->value;
    const int64_t *const indptr = weights->indptr;
    const int32_t *const indices = weights->indices;

    for (size_t k = 0; k < list->count; k++) {
        const size_t i = list->index[k];
        const scalar spike = list->graded ? value[k] : (scalar)1;
        const int64_t end = indptr[i + 1];
        if (weights->shared) {
            const scalar term = data[i] * spike;
            for (int64_t j = indptr[i]; j < end; j++)
                sum[indices[j]] += term;
        }
        else
            for (int64_t j = indptr[i]; j < end; j++)
                sum[indices[j]] += data[j] * spike;
    }
}

static void T(add_one_to_one)(scalar *sum, const snnc_weights *weights,
                              const snnc_spike_list *list)
{
    const scalar *const data = weights->data, *const value = list->value;

    for (size_t k = 0; k < list->count; k++) {
        const size_t i = list->index[k];
        const scalar weight = data[weights->shared ? 0 : i];
        sum[i] += list->graded ? weight * value[k] : weight;
    }
}

/* The values of listed bytes. */
static void T(gather_bytes)(snnc_spike_list *list, const uint8_t *spk)
{
    scalar *const value = list->value;
    for (size_t k = 0; k < list->count; k++)
        value[k] = (scalar)spk[list->index[k]];
}

static void T(gather)(snnc_spike_list *list, const scalar *spk)
{
    scalar *const value = list->value;
    for (size_t k = 0; k < list->count; k++)
        value[k] = spk[list->index[k]];
}

static void T(weigh)(snnc_spike_list *list, const scalar *weight, size_t first,
                     size_t period)
{
    scalar *const value = list->value;
    size_t count = 0;
    int graded = 0;

    for (size_t k = 0; k < list->count; k++) {
        const size_t i = list->index[k];
        const scalar v = weight[period > 1 ? (first + i) % period : 0];
        graded = graded || v != 1;
        list->index[count] = (uint32_t)i;
        value[count] = v;
        count += v != 0;
    }
    list->count = count;
    list->graded = graded;
}

static void T(unlist)(const snnc_spike_list *list, scalar *spk)
{
    const scalar *const value = list->value;
    for (size_t k = 0; k < list->count; k++)
        spk[list->index[k]] = list->graded ? value[k] : 1;
}
