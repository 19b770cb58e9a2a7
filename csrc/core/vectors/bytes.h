/* Bits to bytes by multiplication, where there are no masks of bytes. */

/* Eight bits as bytes of 0 and 1: each byte of the product has all bits, of which one
 * is kept and carried to the highest place. */
SNNC_INLINE uint64_t spread_eight(uint64_t bits)
{
    const uint64_t kept = (bits & 0xff) * 0x0101010101010101 & 0x8040201008040201;
    return (kept + 0x00406070787c7e7f) >> 7 & 0x0101010101010101;
}

SNNC_INLINE void store_bits_as_bytes(uint8_t *p, uint64_t bits, size_t n)
{
    for (; n >= 8; n -= 8, bits >>= 8, p += 8) {
        const uint64_t bytes = spread_eight(bits);
        for (int i = 0; i < 8; i++)
            p[i] = (uint8_t)(bytes >> 8 * i);
    }
    for (; n > 0; n--, bits >>= 1)
        *p++ = (uint8_t)(bits & 1);
}
