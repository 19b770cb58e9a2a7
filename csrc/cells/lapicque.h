/* Lapicque: an RC circuit by forward Euler. q = 1/(R C), keep = 1 - dt/(R C).
 *
 *     v   = ((x R) q) dt + keep mem
 *     mem = v - r threshold (subtract), v - r v (zero), v (none) */
SNNC_INLINE int NAME(Lapicque)(real x, real *state, const real *param, int reset,
                               int undelayed)
{
    const real threshold = param[0], R = param[1], q = param[2], dt = param[3],
               keep = param[4];
    const real r = NAME(reset_signal)(state[0], threshold);
    real mem = ((x * R) * q) * dt + keep * state[0];

    (void)undelayed;
    if (reset == SNNC_SUBTRACT)
        mem = mem - r * threshold;
    else if (reset == SNNC_ZERO)
        mem = mem - r * mem;
    state[0] = mem;
    return NAME(fires)(mem, threshold);
}
