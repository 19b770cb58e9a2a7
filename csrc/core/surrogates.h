/* The surrogates of surrogates.def: of y = mem - threshold, with up to two arguments of
 * their own, a and b. Included by a stub once per type; knows nothing of models. */

/* No derivative: the spike is a constant. */
SNNC_INLINE real NAME(disabled)(real y, double a, double b)
{
    (void)y, (void)a, (void)b;
    return T(broadcast)(0);
}

/* The identity: mem - threshold itself, or derivatives that the caller has computed. */
SNNC_INLINE real NAME(mem_shift)(real y, double a, double b)
{
    (void)a, (void)b;
    return y;
}

/* (1/(t t + 1)) (alpha/2), t = (pi/2 alpha) y */
SNNC_INLINE real NAME(atan)(real y, double alpha, double b)
{
    const real t = (scalar)(1.5707963267948966 * alpha) * y;
    (void)b;
    return ((scalar)1 / (t * t + (scalar)1)) * (scalar)(alpha / 2);
}

/* 1/(t t), t = slope |y| + 1 */
SNNC_INLINE real NAME(fast_sigmoid)(real y, double slope, double b)
{
    const real zero = {0};
    const real size = NAME(select)(NAME(greater)(zero, y), -y, y);
    const real t = (scalar)slope * size + (scalar)1;
    (void)b;
    return t * t;
}

SNNC_INLINE real NAME(straight_through_estimator)(real y, double a, double b)
{
    (void)y, (void)a, (void)b;
    return T(broadcast)(1);
}

/* As snnTorch has it: falling for y >= 0 */
SNNC_INLINE real NAME(triangular)(real y, double height, double b)
{
    const real zero = {0}, h = T(broadcast)((scalar)(float)height);
    (void)b;
    return NAME(select)(NAME(at_least)(y, zero), -h, h);
}

SNNC_INLINE real NAME(heaviside)(real y, double a, double b)
{
    const real zero = {0};
    (void)a, (void)b;
    return NAME(spike)(NAME(greater)(y, zero));
}

/* Leaky: a small slope below the threshold */
SNNC_INLINE real NAME(LSO)(real y, double slope, double b)
{
    const real zero = {0};
    (void)b;
    return NAME(select)(NAME(greater)(y, zero), T(broadcast)(1),
                        T(broadcast)((scalar)slope));
}

/* Sparse: fast_sigmoid's where y > B, else none */
SNNC_INLINE real NAME(SFS)(real y, double slope, double B)
{
    const real q = NAME(fast_sigmoid)(y, slope, 0);
    return NAME(select)(NAME(at_least)(T(broadcast)((scalar)B), y),
                        T(broadcast)((scalar)HUGE_VAL), q);
}
