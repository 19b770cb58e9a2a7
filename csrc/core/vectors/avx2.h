/* vectors.h for AVX2. */
#include <immintrin.h>

#define SNNC_HAVE_PARTS
#define SNNC_HAVE_SELECT
#define SNNC_HAVE_BITS
#define SNNC_HAVE_BYTES
#define SNNC_HAVE_WIDEN
#define SNNC_HAVE_BITS_OF_BYTES
#define SNNC_STREAM(p, v) _mm256_stream_si256((void *)(p), (__m256i)(v))
#define SNNC_END_STREAM() _mm_sfence()

/* Lanes are moved as floats, of which a double is two. */
SNNC_INLINE vec_f32 load_part_f32(const float *p, size_t n)
{
    static const int32_t edge[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const __m256i first = _mm256_loadu_si256((const __m256i *)(edge + 8 - n));
    return (vec_f32)_mm256_maskload_ps(p, first);
}

SNNC_INLINE vec_f64 load_part_f64(const double *p, size_t n)
{
    return (vec_f64)load_part_f32((const float *)p, 2 * n);
}

/* Not by a masked store, which AMD's processors do slowly. */
SNNC_INLINE void store_part_f32(float *p, vec_f32 v, size_t n)
{
    __m128 left = _mm256_castps256_ps128((__m256)v);
    if (n >= 8) {
        _mm256_storeu_ps(p, (__m256)v);
        return;
    }
    if (n & 4) {
        _mm_storeu_ps(p, left);
        left = _mm256_extractf128_ps((__m256)v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, left);
        left = _mm_movehl_ps(left, left);
        p += 2;
    }
    if (n & 1)
        _mm_store_ss(p, left);
}

SNNC_INLINE void store_part_f64(double *p, vec_f64 v, size_t n)
{
    store_part_f32((float *)p, (vec_f32)v, 2 * n);
}

SNNC_INLINE vec_f64 widen_f32(vec_f32 v, int half)
{
    return (vec_f64)_mm256_cvtps_pd(half ? _mm256_extractf128_ps((__m256)v, 1)
                                         : _mm256_castps256_ps128((__m256)v));
}

SNNC_INLINE vec_f64 round_to_float_f64(vec_f64 v)
{
    return (vec_f64)_mm256_cvtps_pd(_mm256_cvtpd_ps((__m256d)v));
}

/* Not the select of integers that compilers make of and, or: its results reach
 * arithmetic later. */
SNNC_INLINE vec_f32 select_vec_f32(vec_mask_f32 chosen, vec_f32 a, vec_f32 b)
{
    return (vec_f32)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)chosen);
}

SNNC_INLINE vec_f64 select_vec_f64(vec_mask_f64 chosen, vec_f64 a, vec_f64 b)
{
    return (vec_f64)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)chosen);
}

SNNC_INLINE uint64_t bits_f32(vec_mask_f32 m)
{
    return (uint64_t)(unsigned)_mm256_movemask_ps((__m256)m);
}

SNNC_INLINE uint64_t bits_f64(vec_mask_f64 m)
{
    return (uint64_t)(unsigned)_mm256_movemask_pd((__m256d)m);
}

/* Two vectors of lanes as one of half as wide ones. Packing is done in each half of a
 * register, so the middle quarters change places. */
SNNC_INLINE __m256i narrow_f64(vec_mask_f64 a, vec_mask_f64 b)
{
    const __m256 even = _mm256_shuffle_ps((__m256)a, (__m256)b, 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xd8);
}

SNNC_INLINE __m256i narrow_f32(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
}

/* 16 lanes of 2 bytes as bytes of 0 and 1. */
SNNC_INLINE __m128i bytes_of(__m256i words)
{
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words),
                                          _mm256_extracti128_si256(words, 1));
    return _mm_and_si128(bytes, _mm_set1_epi8(1));
}

SNNC_INLINE void store_bytes_f32(uint8_t *p, const vec_mask_f32 *m, int count)
{
    if (count == 4) {
        const __m256i low = _mm256_packs_epi32((__m256i)m[0], (__m256i)m[1]);
        const __m256i high = _mm256_packs_epi32((__m256i)m[2], (__m256i)m[3]);
        const __m256i bytes = _mm256_permutevar8x32_epi32(
            _mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256((__m256i *)p, _mm256_and_si256(bytes, _mm256_set1_epi8(1)));
    }
    else {
        const __m256i words = narrow_f32((__m256i)m[0], (__m256i)m[1]);
        _mm_storeu_si128((__m128i *)p, bytes_of(words));
    }
}

SNNC_INLINE void store_bytes_f64(uint8_t *p, const vec_mask_f64 *m, int count)
{
    const __m256i low = narrow_f64(m[0], m[1]);
    if (count == 4) {
        const __m256i words = narrow_f32(low, narrow_f64(m[2], m[3]));
        _mm_storeu_si128((__m128i *)p, bytes_of(words));
    }
    else
        _mm_storel_epi64((__m128i *)p, bytes_of(narrow_f32(low, low)));
}

SNNC_INLINE uint64_t bits_of_bytes(const uint8_t *p)
{
    const __m256i spikes = _mm256_loadu_si256((const __m256i *)p);
    const __m256i silent = _mm256_cmpeq_epi8(spikes, _mm256_setzero_si256());
    return ~(uint32_t)_mm256_movemask_epi8(silent);
}
