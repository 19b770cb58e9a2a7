/* Products of spikes and weights, for those who have the lists of the spikes. */
#ifndef SNNC_PRODUCT_H
#define SNNC_PRODUCT_H

#include "rows.h"

/* The spikes of a row. */
typedef struct {
    size_t count;
    uint32_t *index; /* room for num_inputs + SNNC_AHEAD */
    void *value;     /* of each, of the type; room for num_inputs */
    int graded;      /* `value` counts; else all are 1 */
} snnc_spike_list;

/* Whether the core can use such weights. */
snnc_status snnc_check_weights(const snnc_weights *weights, snnc_type type);

/* Lists the spikes of a row of n inputs: of the type, SNNC_U8 or SNNC_BOOL; or bits, if
 * `is_bits`. */
void snnc_list_spikes(const snnc_isa *isa, snnc_type type, snnc_spike_list *list,
                      const void *spk, snnc_type spk_type, int is_bits, size_t n);

/* Makes a list empty. */
void snnc_no_spikes(snnc_spike_list *list);

/* Gives the spikes, which are 1, the values weight[(first + index) % period]; with a
 * period of 0 or 1 weight[0]. Those of 0 are none. */
void snnc_weigh_spikes(snnc_type type, snnc_spike_list *list, const void *weight,
                       size_t first, size_t period);

/* Writes the spikes of a row of n inputs, of the type. */
void snnc_unlist_spikes(snnc_type type, const snnc_spike_list *list, void *spk,
                        size_t n);

/* Dense sums of row->n outputs, of which the first is output j. `row` says what becomes
 * of them. */
void snnc_sum_dense(const snnc_isa *isa, snnc_type type, const snnc_weights *weights,
                    const snnc_spike_list *list, size_t j, const snnc_sum_row *row);

/* The sums of all outputs, of weights that aren't dense, from `start` on (NULL: 0). */
void snnc_sum_others(snnc_type type, const snnc_weights *weights,
                     const snnc_spike_list *list, const void *start, void *sum);

#endif
