/* vectors.h for NEON of 64-bit ARM. */
#include <arm_neon.h>

#define SNNC_HAVE_BITS
#define SNNC_HAVE_BYTES
#define SNNC_HAVE_WIDEN

SNNC_INLINE vec_f64 widen_f32(vec_f32 v, int half)
{
    return (vec_f64)(half ? vcvt_high_f64_f32((float32x4_t)v)
                          : vcvt_f64_f32(vget_low_f32((float32x4_t)v)));
}

SNNC_INLINE vec_f64 round_to_float_f64(vec_f64 v)
{
    return (vec_f64)vcvt_f64_f32(vcvt_f32_f64((float64x2_t)v));
}

SNNC_INLINE uint64_t bits_f32(vec_mask_f32 m)
{
    const vec_mask_f32 places = {1, 2, 4, 8};
    return vaddvq_u32((uint32x4_t)(m & places));
}

SNNC_INLINE uint64_t bits_f64(vec_mask_f64 m)
{
    const vec_mask_f64 places = {1, 2};
    return vaddvq_u64((uint64x2_t)(m & places));
}

SNNC_INLINE void store_bytes_f32(uint8_t *p, const vec_mask_f32 *m, int count)
{
    const uint8x16_t one = vdupq_n_u8(1);
    const uint16x8_t low = vuzp1q_u16((uint16x8_t)m[0], (uint16x8_t)m[1]);
    if (count == 4) {
        const uint16x8_t high = vuzp1q_u16((uint16x8_t)m[2], (uint16x8_t)m[3]);
        vst1q_u8(p, vandq_u8(vuzp1q_u8((uint8x16_t)low, (uint8x16_t)high), one));
    }
    else
        vst1_u8(p, vand_u8(vmovn_u16(low), vget_low_u8(one)));
}

SNNC_INLINE void store_bytes_f64(uint8_t *p, const vec_mask_f64 *m, int count)
{
    vec_mask_f32 half[2];
    half[0] = (vec_mask_f32)vuzp1q_u32((uint32x4_t)m[0], (uint32x4_t)m[1]);
    half[1] = (vec_mask_f32)vuzp1q_u32((uint32x4_t)m[2], (uint32x4_t)m[3]);
    (void)count;
    store_bytes_f32(p, half, 2);
}
