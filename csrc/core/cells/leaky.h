/* Leaky: first-order leaky integrate-and-fire.
 *
 *     mem = (beta mem + x) - r threshold   (subtract)
 *     mem = beta ((1 - r) mem) + x         (zero: the input survives the reset)
 *     mem = beta mem + x                   (none) */
SNNC_INLINE mask NAME(Leaky)(real x, real *state, const real *param, int reset,
                             int undelayed)
{
    const real threshold = param[0], beta = param[1], graded = param[2];
    const mask r = NAME(fires)(state[0], threshold);
    real mem = state[0];

    if (reset == SNNC_SUBTRACT)
        mem = (beta * mem + x) - NAME(times)(r, threshold);
    else if (reset == SNNC_ZERO)
        mem = beta * NAME(times_not)(r, mem) + x;
    else
        mem = beta * mem + x;
    const mask fired = NAME(fires)(mem, threshold);
    if (undelayed)
        mem = NAME(undelayed_reset)(mem, NAME(spike)(fired) * graded / graded,
                                    NAME(spike)(r), threshold, reset);
    state[0] = mem;
    return fired;
}

#if defined(SNNC_ADJOINTS)
SNNC_INLINE void NAME(Leaky_adjoint)(NAME(adjoint) * a, int reset)
{
    const real beta = a->param[1], mem = a->state[0];
    const real r = NAME(reset_signal)(mem, a->param[0]);
    const real u = a->grad_after[0] + a->grad_through_spike;

    T(add)(&a->grad_param[0], -a->grad_through_spike);
    T(add)(&a->grad_param[2],
           a->grad_spk * NAME(spike)(NAME(fires)(a->tested, a->param[0])));
    a->grad_x = u;
    if (reset == SNNC_ZERO) {
        a->grad_before[0] = a->upstream[0] + (u * beta) * ((scalar)1 - r);
        T(add)(&a->grad_param[1], u * (((scalar)1 - r) * mem));
    }
    else {
        a->grad_before[0] = a->upstream[0] + u * beta;
        T(add)(&a->grad_param[1], u * mem);
    }
    if (reset == SNNC_SUBTRACT)
        T(add)(&a->grad_param[0], -(u * r));
}
#endif
