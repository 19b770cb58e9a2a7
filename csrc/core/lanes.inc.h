/* Vectors of one type: what every instruction set shares, and what it needs where it
 * has no intrinsics. Included by vectors.h once per type. */
#include "numbers.inc.h"

SNNC_INLINE T(vec) T(load)(const scalar *p)
{
    T(vec) v;
    memcpy(&v, p, sizeof v);
    return v;
}

SNNC_INLINE void T(store)(scalar *p, T(vec) v)
{
    memcpy(p, &v, sizeof v);
}

SNNC_INLINE T(vec) T(broadcast)(scalar value)
{
    const T(vec) zero = {0};
    return value - zero; /* which is value, and not a sum: -0 + 0 is 0 */
}

#if SNNC_VECTOR_BYTES && !defined(SNNC_HAVE_MASKS)
SNNC_INLINE T(vec_mask) T(greater_vec)(T(vec) a, T(vec) b)
{
    T(vec_mask) m = a > b;
    SNNC_FIX_MASK(m);
    return m;
}

SNNC_INLINE T(vec_mask) T(at_least_vec)(T(vec) a, T(vec) b)
{
    T(vec_mask) m = a >= b;
    SNNC_FIX_MASK(m);
    return m;
}

SNNC_INLINE T(vec) T(spike_vec)(T(vec_mask) fired)
{
    return (T(vec))(fired & (T(vec_mask))T(broadcast)(1));
}
#endif

#if SNNC_VECTOR_BYTES && !defined(SNNC_HAVE_SELECT)
SNNC_INLINE T(vec) T(select_vec)(T(vec_mask) chosen, T(vec) a, T(vec) b)
{
    return (T(vec))((chosen & (T(vec_mask))a) | (~chosen & (T(vec_mask))b));
}
#endif

#if !defined(SNNC_HAVE_PARTS)
SNNC_PART T(vec) T(load_part)(const scalar *p, size_t n)
{
    T(vec) v = {0};
    SNNC_UNROLL
    for (int i = 0; i < T(LANES); i++)
        LANE(v, i) = (size_t)i < n ? p[i] : 0;
    return v;
}

SNNC_PART void T(store_part)(scalar *p, T(vec) v, size_t n)
{
    SNNC_UNROLL
    for (int i = 0; i < T(LANES); i++)
        if ((size_t)i < n)
            p[i] = LANE(v, i);
}
#endif

#if !defined(SNNC_HAVE_BITS)
SNNC_INLINE uint64_t T(bits)(T(vec_mask) m)
{
    uint64_t bits = 0;
    SNNC_UNROLL
    for (int i = 0; i < T(LANES); i++)
        bits |= (uint64_t)(LANE(m, i) & 1) << i;
    return bits;
}
#endif

SNNC_INLINE void T(stream)(scalar *p, T(vec) v)
{
    SNNC_STREAM(p, v);
}

/* Whether a whole vector may be streamed there. */
SNNC_INLINE int T(is_aligned)(const void *p)
{
    return (uintptr_t)p % sizeof(T(vec)) == 0;
}

SNNC_INLINE uint64_t T(all_bits)(const T(vec_mask) * m, int count)
{
    uint64_t bits = 0;
    SNNC_UNROLL
    for (int v = 0; v < count; v++)
        bits |= T(bits)(m[v]) << v * T(LANES);
    return bits;
}

#if !defined(SNNC_HAVE_BYTES)
SNNC_INLINE void T(store_bytes)(uint8_t *p, const T(vec_mask) * m, int count)
{
    store_bits_as_bytes(p, T(all_bits)(m, count), (size_t)count * T(LANES));
}
#endif

/* How many of the first n lanes of several vectors are in vector v. */
SNNC_INLINE size_t T(in_vector)(size_t n, int v)
{
    const size_t before = (size_t)v * T(LANES);
    return n <= before ? 0 : n - before < T(LANES) ? n - before : T(LANES);
}

/* Vector v of several; `part`: of which only n lanes exist. */
SNNC_INLINE T(vec) T(load_lanes)(const scalar *p, size_t n, int v, int part)
{
    const T(vec) zero = {0};
    const size_t left = T(in_vector)(n, v);

    if (part && v > 0 && !left)
        return zero;
    p += v * T(LANES);
    return part ? T(load_part)(p, left) : T(load)(p);
}

SNNC_INLINE void T(store_lanes)(scalar *p, T(vec) value, size_t n, int v, int part)
{
    p += v * T(LANES);
    if (part)
        T(store_part)(p, value, T(in_vector)(n, v));
    else
        T(store)(p, value);
}

/* The same, parts in a function of their own: smaller, for what is stored once in many
 * steps. */
SNNC_NOINLINE void T(store_part_apart)(scalar *p, T(vec) value, size_t n, int v)
{
    T(store_lanes)(p, value, n, v, 1);
}

SNNC_INLINE void T(store_lanes_apart)(scalar *p, T(vec) value, size_t n, int v,
                                      int part)
{
    if (part)
        T(store_part_apart)(p, value, n, v);
    else
        T(store_lanes)(p, value, n, v, 0);
}

/* A sum in double for each lane of a vector. */
enum { T(SUM_PARTS) = T(LANES) / LANES_f64 };
typedef struct {
    vec_f64 part[T(SUM_PARTS)];
} T(sum);

SNNC_INLINE void T(add)(T(sum) * sum, T(vec) term)
{
    SNNC_UNROLL
    for (int h = 0; h < T(SUM_PARTS); h++)
        sum->part[h] += T(widen)(term, h);
}

SNNC_INLINE T(sum) T(load_sum)(const double *p, size_t n, int v, int part)
{
    T(sum) sum;
    SNNC_UNROLL
    for (int h = 0; h < T(SUM_PARTS); h++)
        sum.part[h] = load_lanes_f64(p, n, v * T(SUM_PARTS) + h, part);
    return sum;
}

SNNC_INLINE void T(store_sum)(double *p, T(sum) sum, size_t n, int v, int part)
{
    SNNC_UNROLL
    for (int h = 0; h < T(SUM_PARTS); h++)
        store_lanes_apart_f64(p, sum.part[h], n, v * T(SUM_PARTS) + h, part);
}
