/* What becomes of spikes where no array of them is wanted: bits, and of a tile of bytes
 * of 0 and 1 also counts and first spikes; and lists of them. Included by a stub once,
 * before store.h. */
#include "vectors.h"

/* n neurons' bits, of which the last byte's others are zeros. */
SNNC_INLINE void store_bits(uint8_t *p, uint64_t bits, size_t n)
{
    SNNC_UNROLL
    for (size_t i = 0; i < sizeof bits; i++) {
        if (i >= n / 8)
            break;
        p[i] = (uint8_t)(bits >> 8 * i);
    }
    if (n % 8)
        p[n / 8] = (uint8_t)(bits >> n / 8 * 8 & ((1u << n % 8) - 1));
}

/* Eight bytes of 0 and 1 as bits: one product gathers them in its highest byte. */
static uint8_t pack_eight(const uint8_t *src)
{
    uint64_t eight = 0;
    for (int j = 0; j < 8; j++)
        eight |= (uint64_t)src[j] << 8 * j;
    return (uint8_t)(eight * 0x0102040810204080 >> 56);
}

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
#if defined(SNNC_HAVE_BITS_OF_BYTES)
        for (; n - i >= SNNC_VECTOR_BYTES; i += SNNC_VECTOR_BYTES) {
            store_bits(to, bits_of_bytes(tile + i), SNNC_VECTOR_BYTES);
            to += SNNC_VECTOR_BYTES / 8;
        }
#endif
        for (; n - i >= 8; i += 8)
            *to++ = pack_eight(tile + i);
        if (i < n) {
            unsigned byte = 0;
            for (size_t j = 0; i < n; j++, i++)
                byte |= (unsigned)tile[i] << j;
            *to = (uint8_t)byte;
        }
    }
}

/* Sums, and places of first spikes, are gathered in bytes, as many steps as these can
 * count, of so many neurons at a time; and then widened. */
enum { GATHERED_STEPS = 255, GATHERED_NEURONS = 256 };

static void count(int64_t *total, const uint8_t *tile, size_t num_steps, size_t n)
{
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < GATHERED_NEURONS ? n - i : GATHERED_NEURONS;
        for (size_t t = 0; t < num_steps;) {
            uint8_t sum[GATHERED_NEURONS] = {0};
            for (size_t s = 0; s < GATHERED_STEPS && t < num_steps; s++, t++)
                for (size_t j = 0; j < m; j++)
                    sum[j] = (uint8_t)(sum[j] + tile[t * n + i + j]);
            for (size_t j = 0; j < m; j++)
                total[i + j] += sum[j];
        }
    }
}

static void first(int64_t *step_of, int64_t step, const uint8_t *tile, size_t num_steps,
                  size_t n)
{
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < GATHERED_NEURONS ? n - i : GATHERED_NEURONS;
        for (size_t t = 0, steps; t < num_steps; t += steps) {
            uint8_t place[GATHERED_NEURONS];
            steps = num_steps - t < GATHERED_STEPS ? num_steps - t : GATHERED_STEPS;
            memset(place, GATHERED_STEPS, sizeof place);
            for (size_t s = steps; s-- > 0;)
                for (size_t j = 0; j < m; j++)
                    place[j] = tile[(t + s) * n + i + j] ? (uint8_t)s : place[j];
            for (size_t j = 0; j < m; j++)
                if (place[j] < GATHERED_STEPS && step_of[i + j] < 0)
                    step_of[i + j] = step + (int64_t)(t + place[j]);
        }
    }
}

/* Lists the places of the bits that are set, of which the lowest is place `first`;
 * writes up to SNNC_AHEAD entries more. */
SNNC_INLINE size_t list_word(uint32_t *index, size_t first, uint64_t bits)
{
#if defined(__GNUC__) && (SNNC_VECTOR_BYTES >= 32 || defined(__aarch64__))
    /* Some at a time, since no processor predicts how many there are. */
    const size_t count = (size_t)__builtin_popcountll(bits);
    for (; bits; index += SNNC_AHEAD) {
        SNNC_UNROLL
        for (int i = 0; i < SNNC_AHEAD; i++, bits &= bits - 1)
            index[i] =
                (uint32_t)first + (uint32_t)__builtin_ctzll(bits | (uint64_t)1 << 63);
    }
#elif defined(__GNUC__)
    size_t count = 0;
    for (; bits; bits &= bits - 1)
        index[count++] = (uint32_t)(first + (size_t)__builtin_ctzll(bits));
#else
    size_t count = 0;
    for (; bits; bits >>= 1, first++)
        if (bits & 1)
            index[count++] = (uint32_t)first;
#endif
    return count;
}

SNNC_INLINE uint64_t load_word(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << 8 * i;
    return word;
}

/* Which of eight bytes aren't 0, as bits. */
SNNC_INLINE uint64_t bits_of_eight(uint64_t bytes)
{
    bytes |= bytes >> 4 & 0x0f0f0f0f0f0f0f0f;
    bytes |= bytes >> 2 & 0x0303030303030303;
    bytes |= bytes >> 1;
    return (bytes & 0x0101010101010101) * 0x0102040810204080 >> 56;
}

static size_t list_bytes(const void *spk, size_t n, uint32_t *index, int *graded)
{
    const uint8_t *const bytes = spk;
    size_t count = 0, i = 0;
    uint64_t any = 0;

#if defined(SNNC_HAVE_BITS_OF_BYTES)
    vec_words each, all = {0};
    for (; n - i >= sizeof each; i += sizeof each) {
        memcpy(&each, bytes + i, sizeof each);
        all |= each;
        count += list_word(index + count, i, bits_of_bytes(bytes + i));
    }
    if (n > i && i > 0) { /* the last vector, but what has been listed of it */
        memcpy(&each, bytes + n - sizeof each, sizeof each);
        all |= each;
        count +=
            list_word(index + count, i,
                      bits_of_bytes(bytes + n - sizeof each) >> (i + sizeof each - n));
        i = n;
    }
    SNNC_UNROLL
    for (size_t k = 0; k < sizeof each / sizeof any; k++)
        any |= all[k];
#endif
    for (; n - i >= 8; i += 8) {
        const uint64_t word = load_word(bytes + i, 8);
        any |= word;
        count += list_word(index + count, i, bits_of_eight(word));
    }
    if (n > i) {
        const uint64_t word = load_word(bytes + i, n - i);
        any |= word;
        count += list_word(index + count, i, bits_of_eight(word));
    }
    *graded = (any & 0xfefefefefefefefe) != 0;
    return count;
}

static size_t list_bits(const void *spk, size_t n, uint32_t *index, int *graded)
{
    const uint8_t *bits = spk;
    size_t count = 0, i = 0;

    *graded = 0;
    for (; n - i >= 64; i += 64, bits += 8)
        count += list_word(index + count, i, load_word(bits, 8));
    if (n > i)
        count += list_word(index + count, i,
                           load_word(bits, (n - i + 7) / 8) &
                               (((uint64_t)1 << (n - i)) - 1));
    return count;
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
