/* Inhibition: of the neurons of a row only one may fire. Included once per type. It
 * comes after the row function (which resets with a delay and lets every neuron fire)
 * and before the undelayed reset, because the winner is known only when the whole row
 * is. */
#include "cells/spike.h"

/* The reset signals of a row, from the incoming mem. */
static void NAME(reset_signals)(real *r, const real *mem, const real *threshold,
                                int per_neuron, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r[i] = NAME(reset_signal)(mem[i], threshold[per_neuron ? i : 0]);
}

/* A row of n neurons, in which those `stride` apart are rivals. Keeps the spike of the
 * first of the largest mem - threshold (a NaN is largest, and does not fire) and
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
                mem[i] = NAME(undelayed_reset)(mem[i], NAME(spike)(spk[i]),
                                               graded ? graded[p] : (real)1, r[i],
                                               threshold[p], reset);
        }
    }
}
