/* vectors.h for SSE2, which every x86-64 has. */
#include <emmintrin.h>

#define SNNC_PART SNNC_NOINLINE /* smaller: processors with SSE2 alone are few */
#define SNNC_HAVE_BITS
#define SNNC_HAVE_BYTES
#define SNNC_HAVE_WIDEN
#define SNNC_HAVE_BITS_OF_BYTES

#define SNNC_SLOW_SELECT /* three instructions; a product takes one */

/* Hides from GCC that a mask is a comparison's: it has no select by those of doubles
 * there, and 12 fails for it. */
#if !defined(__clang__)
#define SNNC_FIX_MASK(m) __asm__("" : "+x"(m))
#endif

SNNC_INLINE vec_f64 widen_f32(vec_f32 v, int half)
{
    return (vec_f64)_mm_cvtps_pd(half ? _mm_movehl_ps((__m128)v, (__m128)v)
                                      : (__m128)v);
}

SNNC_INLINE vec_f64 round_to_float_f64(vec_f64 v)
{
    return (vec_f64)_mm_cvtps_pd(_mm_cvtpd_ps((__m128d)v));
}

SNNC_INLINE uint64_t bits_f32(vec_mask_f32 m)
{
    return (uint64_t)(unsigned)_mm_movemask_ps((__m128)m);
}

SNNC_INLINE uint64_t bits_f64(vec_mask_f64 m)
{
    return (uint64_t)(unsigned)_mm_movemask_pd((__m128d)m);
}

SNNC_INLINE void store_words(uint8_t *p, __m128i low, __m128i high, int count)
{
    const __m128i bytes = _mm_and_si128(_mm_packs_epi16(low, high), _mm_set1_epi8(1));
    if (count == 16)
        _mm_storeu_si128((__m128i *)p, bytes);
    else
        _mm_storel_epi64((__m128i *)p, bytes);
}

SNNC_INLINE void store_bytes_f32(uint8_t *p, const vec_mask_f32 *m, int count)
{
    const __m128i low = _mm_packs_epi32((__m128i)m[0], (__m128i)m[1]);
    if (count == 4)
        store_words(p, low, _mm_packs_epi32((__m128i)m[2], (__m128i)m[3]), 16);
    else
        store_words(p, low, low, 8);
}

SNNC_INLINE void store_bytes_f64(uint8_t *p, const vec_mask_f64 *m, int count)
{
    const __m128i low = _mm_packs_epi32((__m128i)m[0], (__m128i)m[1]);
    const __m128i high = _mm_packs_epi32((__m128i)m[2], (__m128i)m[3]);
    /* A lane is two equal words now: as one of 32 bits it is packed once more. */
    const __m128i words = _mm_packs_epi32(low, high);
    (void)count;
    store_words(p, words, words, 8);
}

SNNC_INLINE uint64_t bits_of_bytes(const uint8_t *p)
{
    const __m128i spikes = _mm_loadu_si128((const __m128i *)p);
    const __m128i silent = _mm_cmpeq_epi8(spikes, _mm_setzero_si128());
    return (uint16_t)~_mm_movemask_epi8(silent);
}
