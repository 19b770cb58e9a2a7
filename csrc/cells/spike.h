/* What the cells share: the firing condition and the reset that follows its spike
 * within the step. Included once per type; knows nothing of arrays. */

/* H(mem - threshold): 1 if positive, else 0, also for NaN. As differences underflow
 * gradually, one is positive exactly if mem > threshold, which saves computing it. */
SNNC_INLINE int NAME(fires)(real mem, real threshold)
{
    return mem > threshold;
}

/* The same as a number. */
SNNC_INLINE real NAME(spike)(int fired)
{
    return fired ? (real)1 : (real)0;
}

/* H as a factor. Asked in the negative, as GCC would turn it round by itself,
 * once a step in a sweep, and compare twice. */
SNNC_INLINE real NAME(reset_signal)(real mem, real threshold)
{
    return !NAME(fires)(mem, threshold) ? (real)0 : (real)1;
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
