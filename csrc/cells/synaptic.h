/* Synaptic: second-order leaky integrate-and-fire; the new syn drives mem at once.
 *
 *     syn = alpha syn + x
 *     v   = beta mem + syn
 *     mem = v - r threshold (subtract), v - v r (zero: syn stays), v (none) */
SNNC_INLINE int NAME(Synaptic)(real x, real *state, const real *param, int reset,
                               int undelayed)
{
    const real threshold = param[0], alpha = param[1], beta = param[2];
    const real r = NAME(reset_signal)(state[1], threshold);
    const real syn = alpha * state[0] + x;
    real mem = beta * state[1] + syn;

    if (reset == SNNC_SUBTRACT)
        mem = mem - r * threshold;
    else if (reset == SNNC_ZERO)
        mem = mem - mem * r;
    const int fired = NAME(fires)(mem, threshold);
    if (undelayed)
        mem = NAME(undelayed_reset)(mem, NAME(spike)(fired), (real)1, r, threshold,
                                    reset);
    state[0] = syn;
    state[1] = mem;
    return fired;
}
