/* What the cells share: the firing condition and the reset that follows its spike
 * within the step. Included once per type; knows nothing of arrays. */

/* 1 if y > 0, else 0: strict, and 0 for NaN. */
SNNC_INLINE real NAME(heaviside)(real y)
{
    return y > (real)0 ? (real)1 : (real)0;
}

/* mem after the undelayed reset: of a neuron that fired and had not been reset already.
 * A reset without a spike (d = -1) undoes itself, as in snnTorch. */
SNNC_INLINE real NAME(undelayed_reset)(real mem, real spk, real graded, real r,
                                       real threshold, int reset)
{
    const real d = spk / graded - r;
    if (reset == SNNC_SUBTRACT)
        return mem - d * threshold;
    if (reset == SNNC_ZERO)
        return mem - d * mem;
    return mem;
}
