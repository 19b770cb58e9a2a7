/* Vectors of both types for one instruction set: what GCC's and Clang's vector types
 * lack. Included by a stub once, in its target region, with SNNC_VECTOR_BYTES set: 64
 * is AVX-512, 32 AVX2, 16 any other; 0: one element a vector, for other compilers. The
 * headers of the instruction sets have the only intrinsics:
 *
 * greater, at_least    a mask: where a > b, a >= b
 * select               where a mask says so, a; else b
 * spike                where a mask says so, 1; else 0
 * load_part, store_part   the first n lanes, at most all; the others are zeros
 * SNNC_STREAM          a store past the caches, of a whole vector to an aligned place
 * SNNC_END_STREAM      what was streamed is seen before what is stored after
 * widen                one half of a vector of floats (0: the first) as doubles
 * round_to_float       each lane as a float has it
 * bits                 one bit a lane, of the first lane the least significant
 * store_bytes          the lanes of some masks as bytes of 0 and 1
 * store_bits_as_bytes  n such bytes from their bits
 * bits_of_bytes        which of a vector of bytes aren't 0, as bits
 *
 * What they leave out (SNNC_HAVE_...) is below, in lanes.inc.h and in bytes.h for every
 * processor; bits_of_bytes only where it is fast. */
#include <string.h>

#if SNNC_VECTOR_BYTES
typedef float vec_f32 __attribute__((vector_size(SNNC_VECTOR_BYTES)));
typedef double vec_f64 __attribute__((vector_size(SNNC_VECTOR_BYTES)));
typedef uint64_t vec_words __attribute__((vector_size(SNNC_VECTOR_BYTES)));
#else
typedef float vec_f32;
typedef double vec_f64;
#endif
#if SNNC_VECTOR_BYTES == 64
typedef uint16_t vec_mask_f32; /* one bit a lane */
typedef uint8_t vec_mask_f64;
#elif SNNC_VECTOR_BYTES
typedef int32_t vec_mask_f32 __attribute__((vector_size(SNNC_VECTOR_BYTES)));
typedef int64_t vec_mask_f64 __attribute__((vector_size(SNNC_VECTOR_BYTES)));
#else
typedef int vec_mask_f32, vec_mask_f64;
#endif
enum {
    LANES_f32 = sizeof(vec_f32) / sizeof(float),
    LANES_f64 = sizeof(vec_f64) / sizeof(double)
};

#if SNNC_VECTOR_BYTES == 64
#include "vectors/avx512.h"
#elif SNNC_VECTOR_BYTES == 32
#include "vectors/avx2.h"
#elif SNNC_VECTOR_BYTES == 16 && defined(__SSE2__)
#include "vectors/sse2.h"
#elif SNNC_VECTOR_BYTES == 16
#include "vectors/neon.h"
#endif

#if !defined(SNNC_PART)
#define SNNC_PART SNNC_INLINE
#endif
#if !defined(SNNC_FIX_MASK)
#define SNNC_FIX_MASK(m) ((void)0)
#endif
#if SNNC_VECTOR_BYTES != 64
#include "vectors/bytes.h"
#endif
#if defined(SNNC_STREAM)
enum { SNNC_STREAMS = 1 };
#else
enum { SNNC_STREAMS = 0 };
#define SNNC_STREAM(p, v) memcpy((p), &(v), sizeof(v))
#define SNNC_END_STREAM() ((void)0)
#endif

#if SNNC_VECTOR_BYTES
#define LANE(v, i) (v)[i]
#else
#define LANE(v, i) (v)
#endif

#if !defined(SNNC_HAVE_WIDEN)
SNNC_INLINE vec_f64 widen_f32(vec_f32 v, int half)
{
    vec_f64 wide = {0};
    (void)half; /* of one element there is one */
    SNNC_UNROLL
    for (int i = 0; i < LANES_f64; i++)
        LANE(wide, i) = LANE(v, half * LANES_f64 + i);
    return wide;
}

SNNC_INLINE vec_f64 round_to_float_f64(vec_f64 v)
{
    SNNC_UNROLL
    for (int i = 0; i < LANES_f64; i++)
        LANE(v, i) = (float)LANE(v, i);
    return v;
}
#endif

SNNC_INLINE vec_f64 widen_f64(vec_f64 v, int half)
{
    (void)half;
    return v;
}

SNNC_INLINE vec_f32 round_to_float_f32(vec_f32 v)
{
    return v;
}

/* Doubles first, of which the sums of floats are made. */
#define scalar double
#define SNNC_TYPE f64
#include "lanes.inc.h"
#undef scalar
#undef SNNC_TYPE

#define scalar float
#define SNNC_TYPE f32
#include "lanes.inc.h"
#undef scalar
#undef SNNC_TYPE
