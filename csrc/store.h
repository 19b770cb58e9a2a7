/* Moves blocks of values between the caller's arrays and scratch tiles: transposes,
 * narrows and widens. Included once per type; knows nothing of neurons. */

/* Element i of dst, an array of `type`. Spikes narrow to 0 and 1. */
SNNC_INLINE void NAME(put)(void *dst, snnc_type type, ptrdiff_t i, real value)
{
    if (type == SNNC_F32)
        ((float *)dst)[i] = (float)value;
    else if (type == SNNC_F64)
        ((double *)dst)[i] = (double)value;
    else
        ((uint8_t *)dst)[i] = value != (real)0;
}

SNNC_INLINE void NAME(copy_as)(void *dst, snnc_type type, ptrdiff_t dst_outer,
                               ptrdiff_t dst_inner, const real *src,
                               ptrdiff_t src_outer, ptrdiff_t src_inner,
                               ptrdiff_t num_outer, ptrdiff_t num_inner)
{
    for (ptrdiff_t i = 0; i < num_outer; i++)
        for (ptrdiff_t j = 0; j < num_inner; j++)
            NAME(put)(dst, type, i * dst_outer + j * dst_inner,
                      src[i * src_outer + j * src_inner]);
}

/* Copies num_steps x n values; strides count elements. Runs along the array's shorter
 * stride, so that each of its cache lines is used up at once. */
static void NAME(copy_block)(void *dst, snnc_type type, ptrdiff_t dst_step,
                             ptrdiff_t dst_stride, const real *src, ptrdiff_t src_step,
                             ptrdiff_t src_stride, ptrdiff_t num_steps, ptrdiff_t n)
{
    if (dst_stride == 1 && src_stride == 1) {
        if (type == SNNC_F32)
            NAME(copy_as)(dst, SNNC_F32, dst_step, 1, src, src_step, 1, num_steps, n);
        else if (type == SNNC_F64)
            NAME(copy_as)(dst, SNNC_F64, dst_step, 1, src, src_step, 1, num_steps, n);
        else
            NAME(copy_as)(dst, SNNC_U8, dst_step, 1, src, src_step, 1, num_steps, n);
    }
    else if (dst_step == 1 || src_step == 1)
        NAME(copy_as)(dst, type, dst_stride, dst_step, src, src_stride, src_step, n,
                      num_steps);
    else
        NAME(copy_as)(dst, type, dst_step, dst_stride, src, src_step, src_stride,
                      num_steps, n);
}
