/* Sums over sparse weights, of which no vectors are made. Included once per type. */

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
        sum[i] += list->graded ? data[i] * value[k] : data[i];
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
