/* Synaptic: second-order leaky integrate-and-fire; the new syn drives mem at once.
 *
 *     syn = alpha syn + x
 *     v   = beta mem + syn
 *     mem = v - r threshold (subtract), v - v r (zero: syn stays), v (none) */
SNNC_INLINE mask NAME(Synaptic)(real x, real *state, const real *param, int reset,
                                int undelayed)
{
    const real threshold = param[0], alpha = param[1], beta = param[2];
    const mask r = NAME(fires)(state[1], threshold);
    const real syn = alpha * state[0] + x;
    real mem = beta * state[1] + syn;

    if (reset == SNNC_SUBTRACT)
        mem = mem - NAME(times)(r, threshold);
    else if (reset == SNNC_ZERO)
        mem = mem - mem * NAME(spike)(r);
    const mask fired = NAME(fires)(mem, threshold);
    if (undelayed)
        mem = NAME(undelayed_reset)(mem, NAME(spike)(fired), NAME(spike)(r), threshold,
                                    reset);
    state[0] = syn;
    state[1] = mem;
    return fired;
}

#if defined(SNNC_ADJOINTS)
SNNC_INLINE void NAME(Synaptic_adjoint)(NAME(adjoint) * a, int reset)
{
    const real alpha = a->param[1], beta = a->param[2], syn = a->state[0],
               mem = a->state[1];
    const real r = NAME(reset_signal)(mem, a->param[0]);
    const real u = a->grad_after[1] + a->grad_through_spike;
    const real y = a->grad_after[0] + u;

    T(add)(&a->grad_param[0], -a->grad_through_spike);
    a->grad_x = y;
    a->grad_before[0] = a->upstream[0];
    a->grad_before[1] = a->upstream[1];
    if (reset ==
        SNNC_ZERO) { /* v - v r: in autograd's order, the term through v r first */
        const real v = -u * r;
        a->grad_x = v + y;
        a->grad_before[0] += v * alpha;
        a->grad_before[1] += v * beta;
        T(add)(&a->grad_param[1], v * syn);
        T(add)(&a->grad_param[2], v * mem);
    }
    a->grad_before[0] += y * alpha;
    a->grad_before[1] += u * beta;
    T(add)(&a->grad_param[1], y * syn);
    T(add)(&a->grad_param[2], u * mem);
    if (reset == SNNC_SUBTRACT)
        T(add)(&a->grad_param[0], -(u * r));
}
#endif
