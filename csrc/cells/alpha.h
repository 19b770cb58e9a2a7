/* Alpha: a spike response model with an alpha-shaped kernel, as the difference of two
 * exponentials. mem itself does not decay; the incoming one only decides the reset.
 *
 *     e = alpha syn_exc + x,   i = beta syn_inh - x,   v = tau (e + i)
 *     syn_exc = e - threshold r, syn_inh = i - i r, mem = v - (-syn_inh) r   (subtract,
 *                                                  with the incoming syn_inh)
 *     syn_exc = e - e r,         syn_inh = i - i r, mem = v - v r            (zero)
 *     syn_exc = e,               syn_inh = i,       mem = v                  (none) */
SNNC_INLINE int NAME(Alpha)(real x, real *state, const real *param, int reset,
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
