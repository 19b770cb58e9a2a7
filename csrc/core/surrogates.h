/* The surrogates of surrogates.def: of y = mem - threshold, with up to two arguments of
 * their own, a and b. Included by a stub once per type; knows nothing of models. */

/* No derivative: the spike is a constant. */
SNNC_INLINE real NAME(disabled)(real y, double a, double b)
{
    (void)y, (void)a, (void)b;
    return 0;
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
    const real t = (real)(1.5707963267948966 * alpha) * y;
    (void)b;
    return ((real)1 / (t * t + (real)1)) * (real)(alpha / 2);
}

/* 1/(t t), t = slope |y| + 1 */
SNNC_INLINE real NAME(fast_sigmoid)(real y, double slope, double b)
{
    const real t = (real)slope * (y < 0 ? -y : y) + (real)1;
    (void)b;
    return t * t;
}

SNNC_INLINE real NAME(straight_through_estimator)(real y, double a, double b)
{
    (void)y, (void)a, (void)b;
    return 1;
}

/* As snnTorch has it: falling for y >= 0 */
SNNC_INLINE real NAME(triangular)(real y, double height, double b)
{
    const real h = (real)(float)height;
    (void)b;
    return y >= 0 ? -h : h;
}

SNNC_INLINE real NAME(heaviside)(real y, double a, double b)
{
    (void)a, (void)b;
    return y > 0 ? (real)1 : (real)0;
}

/* Leaky: a small slope below the threshold */
SNNC_INLINE real NAME(LSO)(real y, double slope, double b)
{
    (void)b;
    return y > 0 ? (real)1 : (real)slope;
}

/* Sparse: fast_sigmoid's where y > B, else none */
SNNC_INLINE real NAME(SFS)(real y, double slope, double B)
{
    const real q = NAME(fast_sigmoid)(y, slope, 0);
    return y <= (real)B ? (real)HUGE_VAL : q;
}
