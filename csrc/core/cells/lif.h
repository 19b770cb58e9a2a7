/* LIF: leaky integrate-and-fire in physical units, with a hard reset and a refractory
 * time. `ref` says how many integrations are still skipped; k is dt/tau_m (Euler), or
 * 1 - exp(-dt/tau_m) (exact for an input constant over the step). A step integrates,
 *
 *     v = v_reset, ref = ref - 1              where ref > 0
 *     v = v + ((v_rest - v) + R x) k          elsewhere
 *
 * and tests, v > threshold, which sets v = v_reset and ref = num_ref: after integrating
 * where the reset is undelayed, else before. */
SNNC_INLINE mask NAME(LIF)(real x, real *state, const real *param, int reset,
                           int undelayed)
{
    const real threshold = param[0], v_rest = param[1], v_reset = param[2],
               R = param[3], k = param[4], num_ref = param[5];
    real v = state[0], ref = state[1];
    const real zero = {0};
    mask fired = {0};

    (void)reset;
    if (!undelayed) {
        fired = NAME(fires)(v, threshold);
        v = NAME(select)(fired, v_reset, v);
        ref = NAME(select)(fired, num_ref, ref);
    }
    const mask skips = NAME(greater)(ref, zero);
    const real integrated = v + ((v_rest - v) + R * x) * k;
    v = NAME(select)(skips, v_reset, integrated);
    ref = NAME(select)(skips, ref - (scalar)1, ref);
    if (undelayed) {
        fired = NAME(fires)(v, threshold);
        v = NAME(select)(fired, v_reset, v);
        ref = NAME(select)(fired, num_ref, ref);
    }
    state[0] = v;
    state[1] = ref;
    return fired;
}
