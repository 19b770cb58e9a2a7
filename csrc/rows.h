/* What the row functions (rows.inc.h, compiled once per instruction set) and the engine
 * agree on, and what every file of the core needs from its compiler. */
#ifndef SNNC_ROWS_H
#define SNNC_ROWS_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#include "snnc.h"

#if defined(__FAST_MATH__)
#error "snnc promises its bits: compile without -ffast-math"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error \
    "snnc promises its bits: arithmetic must be in the type of the operands (SSE2 on x86)"
#endif

/* Each product and each sum rounds by itself. GCC has no pragma: -ffp-contract=off. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#if defined(_MSC_VER)
#define SNNC_INLINE static __forceinline
#else
#define SNNC_INLINE static inline __attribute__((always_inline))
#endif

/* The next loop's iterations are independent: a state's buffers are the same or apart.
 */
#if defined(__clang__)
#define SNNC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SNNC_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define SNNC_INDEPENDENT __pragma(loop(ivdep))
#else
#define SNNC_INDEPENDENT
#endif

/* A file that is included once per type says what `real` is; NAME(f) is that type's f.
 */
#define SNNC_PASTE(a, b) a##_##b
#define SNNC_EXPAND(a, b) SNNC_PASTE(a, b)
#define NAME(name) SNNC_EXPAND(name, SNNC_SUFFIX)

/* One strip of n neurons: all pointers are to the first of them. */
typedef struct {
    size_t n;
    const void *x;
    const void *state_in[SNNC_MAX_STATES];
    void *state_out[SNNC_MAX_STATES];
    const void *params[SNNC_MAX_PARAMS];
    void *spk;
    ptrdiff_t x_step, spk_step; /* elements from a step to the next, for STEPS > 1 */
} snnc_row;

typedef void snnc_row_fn(const snnc_row *row);

/* Row functions by model, reset, whether the reset is undelayed, and whether each
 * neuron has parameters of its own. NULL: the model has no such reset, or (for
 * SNNC_NONE) it is the same as the delayed one. */
typedef snnc_row_fn *const snnc_row_table[SNNC_NUM_MODELS][SNNC_NUM_RESETS][2][2];

struct snnc_isa {
    const char *name;
    const snnc_row_table *rows[2]; /* by type: float, double */
};

extern const snnc_isa snnc_isa_baseline;
#if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
#define SNNC_HAVE_AVX2 1
extern const snnc_isa snnc_isa_avx2;
#endif

#endif
