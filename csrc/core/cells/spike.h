/* What the cells share: the firing condition, the reset that follows its spike within
 * the step, and the adjoint of both. Cells are written once for numbers and vectors of
 * them: `real` is one or the other, `mask` what comparisons of it give, `scalar` the
 * type of constants; greater, select and spike are given with them. Adjoints are only
 * of vectors, with sums in double (sum, add) and round_to_float. They know nothing of
 * arrays. */

/* H(mem - threshold): where positive, not for NaN. As differences underflow gradually,
 * one is positive exactly if mem > threshold, which saves computing it. */
SNNC_INLINE mask NAME(fires)(real mem, real threshold)
{
    return NAME(greater)(mem, threshold);
}

/* H as a factor. */
SNNC_INLINE real NAME(reset_signal)(real mem, real threshold)
{
    return NAME(spike)(NAME(fires)(mem, threshold));
}

/* r * value and (1 - r) * value, of a mask r: chosen from products that don't wait for
 * it, where that is as fast. */
SNNC_INLINE real NAME(times)(mask r, real value)
{
#if defined(SNNC_SLOW_SELECT)
    return NAME(spike)(r) * value;
#else
    return NAME(select)(r, value, (scalar)0 * value);
#endif
}

SNNC_INLINE real NAME(times_not)(mask r, real value)
{
#if defined(SNNC_SLOW_SELECT)
    return ((scalar)1 - NAME(spike)(r)) * value;
#else
    return NAME(select)(r, (scalar)0 * value, value);
#endif
}

/* mem after the undelayed reset: of a neuron that fired (spk is 1) and had not been
 * reset already. A reset without a spike (d = -1) undoes itself, as in snnTorch. */
SNNC_INLINE real NAME(undelayed_reset)(real mem, real spk, real r, real threshold,
                                       int reset)
{
    const real d = spk - r;
    if (reset == SNNC_SUBTRACT)
        return mem - d * threshold;
    if (reset == SNNC_ZERO)
        return mem - d * mem;
    return mem;
}

#if defined(SNNC_ADJOINTS)
/* The adjoint of a step. "Gradient" is that of the loss with respect
 * to the thing named. Reset signals are constants, as in snnTorch. */
typedef struct {
    /* What the step read, and the mem that its spike tested. */
    real x, state[SNNC_MAX_STATES], param[SNNC_MAX_PARAMS], tested;
    /* The gradients of the spike, of the tested mem by way of the spike (as the
     * surrogate has it), and of the states after the step (mem: before an undelayed
     * reset); and the upstream gradient of the states before the step. */
    real grad_spk, grad_through_spike, grad_after[SNNC_MAX_STATES],
        upstream[SNNC_MAX_STATES];
    /* Outputs: the gradient of the input and of the states before the step (terms
     * are added to what is given one by one, as snnTorch does). To those of the
     * parameters the step's are added: long sums, so in double. */
    real grad_x, grad_before[SNNC_MAX_STATES];
    T(sum) grad_param[SNNC_MAX_PARAMS];
} NAME(adjoint);

/* The adjoint of the undelayed reset, mem' = mem - d threshold or mem - d mem: from the
 * gradient of mem' that of mem, and what is added to that of the spike. In doubles as
 * in snnTorch: spikes and their gradients are float32, and so is (`rounds`) the product
 * with a threshold without dimensions. */
SNNC_INLINE real NAME(undelayed_adjoint)(real grad_mem, real mem, real threshold,
                                         int rounds, real graded, real r, int reset,
                                         real *grad_spk, T(sum) * grad_threshold,
                                         T(sum) * grad_graded)
{
    const real spk = NAME(spike)(NAME(fires)(mem, threshold)) * graded;
    const real d = spk / graded - r, w = -grad_mem;
    const real of_threshold =
        rounds ? T(round_to_float)(w) * T(round_to_float)(threshold) : w * threshold;
    const real k = T(round_to_float)(reset == SNNC_SUBTRACT ? of_threshold : w * mem);

    *grad_spk = T(round_to_float)(*grad_spk + k / graded);
    T(add)(grad_graded, -k * ((spk / graded) / graded));
    if (reset == SNNC_SUBTRACT) {
        T(add)(grad_threshold, w * d);
        return grad_mem;
    }
    return grad_mem + w * d;
}
#endif
