/* Inhibition: of a group of neurons only one may fire. Included once per type. */
#include "numbers.inc.h"

#include "cells/spike.h"

/* The reset signals of a group, from the incoming mem. */
static void NAME(reset_signals)(real *r, const real *mem, const real *threshold,
                                int per_neuron, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r[i] = NAME(reset_signal)(mem[i], threshold[per_neuron ? i : 0]);
}

/* A group of n neurons, in which those `stride` apart are rivals. Keeps the spike of
 * the first of the largest mem - threshold (a NaN is largest, and does not fire) and
 * silences the others; `r` is not NULL if the reset is undelayed. */
static void NAME(inhibit)(uint8_t *spk, real *mem, const real *threshold,
                          const real *graded, const real *r, int per_neuron, int reset,
                          size_t stride, size_t n)
{
    for (size_t column = 0; column < stride; column++) {
        size_t winner = column;
        real largest = mem[column] - threshold[per_neuron ? column : 0];
        for (size_t i = column + stride; i < n; i += stride) {
            const real y = mem[i] - threshold[per_neuron ? i : 0];
            if (y > largest || (y != y && largest == largest)) {
                largest = y;
                winner = i;
            }
        }
        for (size_t i = column; i < n; i += stride) {
            const size_t p = per_neuron ? i : 0;
            spk[i] = i == winner && NAME(fires)(mem[i], threshold[p]);
            if (r)
                mem[i] = NAME(undelayed_reset)(
                    mem[i], NAME(spike)(spk[i]) / (graded ? graded[p] : (real)1), r[i],
                    threshold[p], reset);
        }
    }
}

/* One step of a group. Its row function resets with a delay and lets every neuron fire;
 * inhibition comes after it and before the undelayed reset, because the winner is known
 * only when the whole group is. `r` is room for the reset signals of an undelayed
 * reset, else NULL; `graded` may be NULL. */
static void NAME(step_inhibited)(const snnc_row *row, snnc_row_fn *run, int mem,
                                 const void *graded, void *r, int per_neuron, int reset,
                                 size_t stride)
{
    const real *const threshold = row->params[0];

    if (r)
        NAME(reset_signals)(r, row->state_in[mem], threshold, per_neuron, row->n);
    run(row);
    NAME(inhibit)((uint8_t *)row->spk, row->state_out[mem], threshold, graded, r,
                  per_neuron, reset, stride, row->n);
}
