/* Comparisons and choices of numbers of one type, as vectors have them. */
SNNC_INLINE int T(greater)(scalar a, scalar b)
{
    return a > b;
}

SNNC_INLINE int T(at_least)(scalar a, scalar b)
{
    return a >= b;
}

SNNC_INLINE scalar T(select)(int chosen, scalar a, scalar b)
{
    return chosen ? a : b;
}

SNNC_INLINE scalar T(spike)(int fired)
{
    return fired ? (scalar)1 : (scalar)0;
}
