/* Lapicque: an RC circuit by forward Euler. q = 1/(R C), keep = 1 - dt/(R C).
 *
 *     v   = ((x R) q) dt + keep mem
 *     mem = v - r threshold (subtract), v - r v (zero), v (none) */
SNNC_INLINE mask NAME(Lapicque)(real x, real *state, const real *param, int reset,
                                int undelayed)
{
    const real threshold = param[0], R = param[1], q = param[2], dt = param[3],
               keep = param[4];
    const mask r = NAME(fires)(state[0], threshold);
    real mem = ((x * R) * q) * dt + keep * state[0];

    (void)undelayed;
    if (reset == SNNC_SUBTRACT)
        mem = mem - NAME(times)(r, threshold);
    else if (reset == SNNC_ZERO)
        mem = mem - NAME(spike)(r) * mem;
    state[0] = mem;
    return NAME(fires)(mem, threshold);
}

#if defined(SNNC_ADJOINTS)
/* Adds the gradients of the operands of ((x R) q) dt + keep mem, from its own, v. */
SNNC_INLINE void NAME(Lapicque_update_adjoint)(NAME(adjoint) * a, real v)
{
    const real R = a->param[1], q = a->param[2], dt = a->param[3], keep = a->param[4];

    a->grad_x += ((v * dt) * q) * R;
    a->grad_before[0] += v * keep;
    T(add)(&a->grad_param[1], ((v * dt) * q) * a->x);
    T(add)(&a->grad_param[2], (v * dt) * (a->x * R));
    T(add)(&a->grad_param[3], v * ((a->x * R) * q));
    T(add)(&a->grad_param[4], v * a->state[0]);
}

SNNC_INLINE void NAME(Lapicque_adjoint)(NAME(adjoint) * a, int reset)
{
    const real zero = {0};
    const real r = NAME(reset_signal)(a->state[0], a->param[0]);
    const real u = a->grad_after[0] + a->grad_through_spike;

    T(add)(&a->grad_param[0], -a->grad_through_spike);
    a->grad_x = zero;
    a->grad_before[0] = a->upstream[0];
    if (reset ==
        SNNC_ZERO) /* v - r v: in autograd's order, the term through r v first */
        NAME(Lapicque_update_adjoint)(a, -u * r);
    NAME(Lapicque_update_adjoint)(a, u);
    if (reset == SNNC_SUBTRACT)
        T(add)(&a->grad_param[0], -(u * r));
}
#endif
