/* Tiles to and from the caller's arrays: widens, transposes, weighs. Included by a stub
 * once per type; knows nothing of neurons. Loops run along the shorter stride of the
 * caller's array, so that each of its cache lines is used up at once. */

/* Element i of an array of `type`. */
SNNC_INLINE scalar T(get)(const void *src, snnc_type type, ptrdiff_t i)
{
    switch (type) {
    case SNNC_F32: return (scalar)((const float *)src)[i];
    case SNNC_F64: return (scalar)((const double *)src)[i];
    case SNNC_F16: return (scalar)half_to_float(((const uint16_t *)src)[i]);
    case SNNC_BOOL: return (scalar)(((const uint8_t *)src)[i] != 0);
    default: return (scalar)((const uint8_t *)src)[i];
    }
}

SNNC_INLINE void T(put)(void *dst, snnc_type type, ptrdiff_t i, scalar value)
{
    switch (type) {
    case SNNC_F32: ((float *)dst)[i] = (float)value; break;
    case SNNC_F64: ((double *)dst)[i] = (double)value; break;
    default: ((uint8_t *)dst)[i] = (uint8_t)value;
    }
}

SNNC_INLINE void T(load_as)(scalar *tile, ptrdiff_t width, const void *src,
                            snnc_type type, ptrdiff_t step, ptrdiff_t stride,
                            ptrdiff_t num_steps, ptrdiff_t n)
{
    if (stride == 1)
        for (ptrdiff_t t = 0; t < num_steps; t++)
            for (ptrdiff_t i = 0; i < n; i++)
                tile[t * width + i] = T(get)(src, type, t * step + i);
    else if (step == 1)
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t t = 0; t < num_steps; t++)
                tile[t * width + i] = T(get)(src, type, t + i * stride);
    else
        for (ptrdiff_t t = 0; t < num_steps; t++)
            for (ptrdiff_t i = 0; i < n; i++)
                tile[t * width + i] = T(get)(src, type, t * step + i * stride);
}

static void T(load_tile)(void *tile, size_t width, const void *src, snnc_type type,
                         ptrdiff_t step, ptrdiff_t stride, size_t num_steps, size_t n)
{
#define AS(type)                                                                      \
    T(load_as)(tile, (ptrdiff_t)width, src, type, step, stride, (ptrdiff_t)num_steps, \
               (ptrdiff_t)n)
    switch (type) {
    case SNNC_F32: AS(SNNC_F32); break;
    case SNNC_F64: AS(SNNC_F64); break;
    case SNNC_F16: AS(SNNC_F16); break;
    case SNNC_BOOL: AS(SNNC_BOOL); break;
    default: AS(SNNC_U8);
    }
#undef AS
}

static void T(store_tile)(void *dst, ptrdiff_t step, ptrdiff_t stride, const void *tile,
                          size_t width, size_t num_steps, size_t n)
{
    const scalar *const src = tile;
    scalar *const to = dst;
    const ptrdiff_t rows = (ptrdiff_t)num_steps, columns = (ptrdiff_t)n;
    const ptrdiff_t pitch = (ptrdiff_t)width;

    if (step == 1)
        for (ptrdiff_t i = 0; i < columns; i++)
            for (ptrdiff_t t = 0; t < rows; t++)
                to[t + i * stride] = src[t * pitch + i];
    else
        for (ptrdiff_t t = 0; t < rows; t++)
            for (ptrdiff_t i = 0; i < columns; i++)
                to[t * step + i * stride] = src[t * pitch + i];
}

SNNC_INLINE void T(store_spikes_as)(void *dst, snnc_type type, ptrdiff_t step,
                                    ptrdiff_t stride, const uint8_t *tile,
                                    ptrdiff_t width, ptrdiff_t num_steps, ptrdiff_t n,
                                    const scalar *weight, ptrdiff_t weight_stride)
{
    if (step == 1)
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t t = 0; t < num_steps; t++)
                T(put)(dst, type, t + i * stride,
                       (scalar)tile[t * width + i] * weight[i * weight_stride]);
    else
        for (ptrdiff_t t = 0; t < num_steps; t++)
            for (ptrdiff_t i = 0; i < n; i++)
                T(put)(dst, type, t * step + i * stride,
                       (scalar)tile[t * width + i] * weight[i * weight_stride]);
}

static void T(store_spikes)(void *dst, snnc_type type, ptrdiff_t step, ptrdiff_t stride,
                            const uint8_t *tile, size_t width, size_t num_steps,
                            size_t n, const void *weight, int per_neuron)
{
    static const scalar one = 1;
    const scalar *const factor = weight ? (const scalar *)weight : &one;
    const ptrdiff_t factor_stride = weight ? per_neuron : 0;
#define AS(type)                                                        \
    T(store_spikes_as)(dst, type, step, stride, tile, (ptrdiff_t)width, \
                       (ptrdiff_t)num_steps, (ptrdiff_t)n, factor, factor_stride)
    switch (type) {
    case SNNC_F32: AS(SNNC_F32); break;
    case SNNC_F64: AS(SNNC_F64); break;
    default: AS(SNNC_U8);
    }
#undef AS
}

static const snnc_tile_fns T(tile_fns) = {T(load_tile), T(store_tile), T(store_spikes)};
