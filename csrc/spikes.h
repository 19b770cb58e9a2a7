/* What becomes of a tile of spikes, bytes of 0 and 1, where no array of them is wanted:
 * bits, counts, first spikes. Included by a stub once, before store.h. The only
 * intrinsics: they do the whole vectors, and the loop after them (all there is
 * elsewhere) the rest. */
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>

/* Packs whole vectors of n spikes; returns how many spikes that were. */
static size_t pack_vectors(uint8_t *dst, const uint8_t *src, size_t n)
{
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        const __m128i spikes = _mm_loadu_si128((const __m128i *)(src + i));
        const int bits =
            _mm_movemask_epi8(_mm_slli_epi16(spikes, 7)); /* of each byte */
        dst[i / 8] = (uint8_t)bits;
        dst[i / 8 + 1] = (uint8_t)(bits >> 8);
    }
    return i;
}
#else
static size_t pack_vectors(uint8_t *dst, const uint8_t *src, size_t n)
{
    (void)dst, (void)src, (void)n;
    return 0;
}
#endif

static void pack(uint8_t *dst, ptrdiff_t step, size_t bit, const uint8_t *tile,
                 size_t num_steps, size_t n)
{
    for (size_t t = 0; t < num_steps; t++, tile += n, dst += step) {
        uint8_t *to = dst;
        size_t i = 0;
        if (bit) {
            for (; i < n && bit + i < 8; i++)
                *to = (uint8_t)(*to | tile[i] << (bit + i));
            to++;
        }
        const size_t vectors = pack_vectors(to, tile + i, n - i);
        to += vectors / 8;
        for (i += vectors; i < n; to++) {
            unsigned byte = 0;
            for (size_t j = 0; j < 8 && i < n; j++, i++)
                byte |= (unsigned)tile[i] << j;
            *to = (uint8_t)byte;
        }
    }
}

static void count(int64_t *sum, const uint8_t *tile, size_t num_steps, size_t n)
{
    for (size_t t = 0; t < num_steps; t++, tile += n)
        for (size_t i = 0; i < n; i++)
            sum[i] += tile[i];
}

static void first(int64_t *step_of, int64_t step, const uint8_t *tile, size_t num_steps,
                  size_t n)
{
    for (size_t t = 0; t < num_steps; t++, step++, tile += n)
        for (size_t i = 0; i < n; i++)
            step_of[i] = tile[i] && step_of[i] < 0 ? step : step_of[i];
}

/* IEEE half precision: 112 is the difference between the biases of the exponents. */
SNNC_INLINE float half_to_float(uint16_t half)
{
    const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t infinite = magnitude >= 0x0f800000 ? 0x7f800000 : 0; /* or NaN */
    uint32_t bits;
    float value;
    memcpy(&value, &magnitude, sizeof value);
    value *= 0x1p112f;
    memcpy(&bits, &value, sizeof bits);
    bits |= infinite | sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}
