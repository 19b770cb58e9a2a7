/* vectors.h for AVX-512 (F, BW, DQ, VL). */
#include <immintrin.h>

#define SNNC_HAVE_PARTS
#define SNNC_HAVE_MASKS
#define SNNC_HAVE_SELECT
#define SNNC_HAVE_BITS
#define SNNC_HAVE_BYTES
#define SNNC_HAVE_WIDEN
#define SNNC_HAVE_BITS_OF_BYTES
#define SNNC_STREAM(p, v) _mm512_stream_si512((void *)(p), (__m512i)(v))
#define SNNC_END_STREAM() _mm_sfence()

SNNC_INLINE uint64_t first_bits(size_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
}

SNNC_INLINE vec_f32 load_part_f32(const float *p, size_t n)
{
    return (vec_f32)_mm512_maskz_loadu_ps((__mmask16)first_bits(n), p);
}

SNNC_INLINE vec_f64 load_part_f64(const double *p, size_t n)
{
    return (vec_f64)_mm512_maskz_loadu_pd((__mmask8)first_bits(n), p);
}

SNNC_INLINE void store_part_f32(float *p, vec_f32 v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)first_bits(n), (__m512)v);
}

SNNC_INLINE void store_part_f64(double *p, vec_f64 v, size_t n)
{
    _mm512_mask_storeu_pd(p, (__mmask8)first_bits(n), (__m512d)v);
}

SNNC_INLINE vec_mask_f32 greater_vec_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
}

SNNC_INLINE vec_mask_f64 greater_vec_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GT_OQ);
}

SNNC_INLINE vec_mask_f32 at_least_vec_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ);
}

SNNC_INLINE vec_mask_f64 at_least_vec_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GE_OQ);
}

SNNC_INLINE vec_f32 select_vec_f32(vec_mask_f32 chosen, vec_f32 a, vec_f32 b)
{
    return (vec_f32)_mm512_mask_blend_ps(chosen, (__m512)b, (__m512)a);
}

SNNC_INLINE vec_f64 select_vec_f64(vec_mask_f64 chosen, vec_f64 a, vec_f64 b)
{
    return (vec_f64)_mm512_mask_blend_pd(chosen, (__m512d)b, (__m512d)a);
}

SNNC_INLINE vec_f32 spike_vec_f32(vec_mask_f32 fired)
{
    return (vec_f32)_mm512_maskz_mov_ps(fired, _mm512_set1_ps(1));
}

SNNC_INLINE vec_f64 spike_vec_f64(vec_mask_f64 fired)
{
    return (vec_f64)_mm512_maskz_mov_pd(fired, _mm512_set1_pd(1));
}

SNNC_INLINE vec_f64 widen_f32(vec_f32 v, int half)
{
    return (vec_f64)_mm512_cvtps_pd(half ? _mm512_extractf32x8_ps((__m512)v, 1)
                                         : _mm512_castps512_ps256((__m512)v));
}

SNNC_INLINE vec_f64 round_to_float_f64(vec_f64 v)
{
    return (vec_f64)_mm512_cvtps_pd(_mm512_cvtpd_ps((__m512d)v));
}

/* Clang 14 would store the bits of several masks byte by byte. */
#if defined(__clang__)
#define IN_A_REGISTER(bits) __asm__("" : "+r"(bits))
#else
#define IN_A_REGISTER(bits) ((void)0)
#endif

SNNC_INLINE uint64_t bits_f32(vec_mask_f32 m)
{
    uint64_t bits = m;
    IN_A_REGISTER(bits);
    return bits;
}

SNNC_INLINE uint64_t bits_f64(vec_mask_f64 m)
{
    uint64_t bits = m;
    IN_A_REGISTER(bits);
    return bits;
}
#undef IN_A_REGISTER

SNNC_INLINE void store_bits_as_bytes(uint8_t *p, uint64_t bits, size_t n)
{
    const __m512i bytes = _mm512_maskz_set1_epi8(bits, 1);
    if (n == 64)
        _mm512_storeu_si512(p, bytes);
    else
        _mm512_mask_storeu_epi8(p, first_bits(n), bytes);
}

SNNC_INLINE uint64_t bits_of_bytes(const uint8_t *p)
{
    const __m512i spikes = _mm512_loadu_si512(p);
    return _mm512_test_epi8_mask(spikes, spikes);
}

SNNC_INLINE void store_bytes_f32(uint8_t *p, const vec_mask_f32 *m, int count)
{
    const __m128i one = _mm_set1_epi8(1);
    SNNC_UNROLL
    for (int v = 0; v < count; v++)
        _mm_storeu_si128((__m128i *)(p + 16 * v), _mm_maskz_mov_epi8(m[v], one));
}

SNNC_INLINE void store_bytes_f64(uint8_t *p, const vec_mask_f64 *m, int count)
{
    const __m128i one = _mm_set1_epi8(1);
    SNNC_UNROLL
    for (int v = 0; v < count; v += 2)
        _mm_storeu_si128((__m128i *)(p + 8 * v),
                         _mm_maskz_mov_epi8(_mm512_kunpackb(m[v + 1], m[v]), one));
}
