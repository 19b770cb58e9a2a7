/* Alpha: a spike response model with an alpha-shaped kernel, as the difference of two
 * exponentials. mem itself does not decay; the incoming one only decides the reset.
 *
 *     e = alpha syn_exc + x,   i = beta syn_inh - x,   v = tau (e + i)
 *     syn_exc = e - threshold r, syn_inh = i - i r, mem = v - (-syn_inh) r   (subtract,
 *                                                  with the incoming syn_inh)
 *     syn_exc = e - e r,         syn_inh = i - i r, mem = v - v r            (zero)
 *     syn_exc = e,               syn_inh = i,       mem = v                  (none) */
SNNC_INLINE mask NAME(Alpha)(real x, real *state, const real *param, int reset,
                             int undelayed)
{
    const real threshold = param[0], alpha = param[1], beta = param[2], tau = param[3];
    const real r = NAME(reset_signal)(state[2], threshold);
    real exc = alpha * state[0] + x;
    real inh = beta * state[1] - x;
    real mem = tau * (exc + inh);

    (void)undelayed;
    if (reset == SNNC_SUBTRACT) {
        exc = exc - threshold * r;
        inh = inh - inh * r;
        mem = mem - (-state[1]) * r;
    }
    else if (reset == SNNC_ZERO) {
        exc = exc - exc * r;
        inh = inh - inh * r;
        mem = mem - mem * r;
    }
    state[0] = exc;
    state[1] = inh;
    state[2] = mem;
    return NAME(fires)(mem, threshold);
}

#if defined(SNNC_ADJOINTS)
/* Adds the gradients of the operands of e, i and v, from their own. */
SNNC_INLINE void NAME(Alpha_update_adjoint)(NAME(adjoint) * a, real e, real i, real v)
{
    const real alpha = a->param[1], beta = a->param[2], tau = a->param[3], x = a->x;
    const real exc = a->state[0], inh = a->state[1];

    e = e + v * tau;
    i = i + v * tau;
    a->grad_x = (a->grad_x - i) + e;
    a->grad_before[0] += e * alpha;
    a->grad_before[1] += i * beta;
    T(add)(&a->grad_param[1], e * exc);
    T(add)(&a->grad_param[2], i * inh);
    T(add)(&a->grad_param[3], v * ((alpha * exc + x) + (beta * inh - x)));
}

SNNC_INLINE void NAME(Alpha_adjoint)(NAME(adjoint) * a, int reset)
{
    const real zero = {0};
    const real beta = a->param[2], e = a->grad_after[0], i = a->grad_after[1];
    const real r = NAME(reset_signal)(a->state[2], a->param[0]);
    const real v = a->grad_after[2] + a->grad_through_spike;

    T(add)(&a->grad_param[0], -a->grad_through_spike);
    a->grad_x = zero;
    a->grad_before[0] = a->upstream[0];
    a->grad_before[1] = a->upstream[1];
    a->grad_before[2] = a->upstream[2] + (scalar)0; /* mem only decides the reset */
    if (reset == SNNC_SUBTRACT) { /* e - threshold r, i - i r, v - (-inh) r */
        const real j = -i * r;
        T(add)(&a->grad_param[0], -(e * r));
        a->grad_x = -j;
        a->grad_before[1] = (a->grad_before[1] + v * r) + j * beta;
        T(add)(&a->grad_param[2], j * a->state[1]);
    }
    else if (reset == SNNC_ZERO) /* e - e r, i - i r, v - v r: the products first */
        NAME(Alpha_update_adjoint)(a, -e * r, -i * r, -v * r);
    NAME(Alpha_update_adjoint)(a, e, i, v);
}
#endif
