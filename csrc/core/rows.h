/* What the row functions (rows.inc.h, compiled once per instruction set) and the engine
 * agree on, and what every file of the core needs from its compiler.
 *
 * block       neurons whose states a row function keeps in registers for some steps
 * strip       neurons that one call of a row function takes, contiguous in memory
 * tile        a strip of some steps of an array that is not contiguous, transposed or
 *             converted in scratch memory
 * chain       one neuron, many steps
 * segment     the steps from one checkpoint to the next, which the backward pass
 *             recomputes; where the states of all steps were kept, some steps
 * row         the values of a strip at one step; also a row function's arguments */
#ifndef SNNC_ROWS_H
#define SNNC_ROWS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "snnc.h"

#if defined(__FAST_MATH__)
#error "snnc promises its bits: compile without -ffast-math"
#endif
/* Arithmetic is in the type of its operands. */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error \
    "snnc promises its bits: -msse2 -mfpmath=sse (x86), -fexcess-precision=fast (s390x)"
#endif

/* Each product and each sum rounds by itself. GCC has no pragma: -ffp-contract=off. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#if defined(_MSC_VER)
#define SNNC_INLINE static __forceinline
#define SNNC_NOINLINE static __declspec(noinline)
#else
#define SNNC_INLINE static inline __attribute__((always_inline))
#define SNNC_NOINLINE static __attribute__((noinline))
#endif

/* The loops over neurons are templates: inlined where their arguments are constants.
 * SNNC_NO_TEMPLATES: called with them, so that sanitizers have less to compile. */
#if defined(SNNC_NO_TEMPLATES)
#define SNNC_TEMPLATE SNNC_NOINLINE
#else
#define SNNC_TEMPLATE SNNC_INLINE
#endif

/* The next loop is unrolled whole: its bound is a small constant. */
#if defined(__clang__)
#define SNNC_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define SNNC_UNROLL _Pragma("GCC unroll 16")
#else
#define SNNC_UNROLL
#endif

/* Asks for the cache line there, which will be read soon. Any address will do. */
#if defined(__GNUC__)
#define SNNC_PREFETCH(p) __builtin_prefetch(p)
#else
#define SNNC_PREFETCH(p) ((void)(p))
#endif

/* Runs whose input and spikes take more bytes than this, which caches don't hold, use
 * streaming (non-temporal) stores. */
#if !defined(SNNC_STREAMED_BYTES)
#define SNNC_STREAMED_BYTES ((size_t)48 * 1024 * 1024)
#endif

/* Runs of more neuron-steps than this pay for a plan (engine.c). */
#if !defined(SNNC_SMALL_RUN)
#define SNNC_SMALL_RUN ((size_t)32 * 1024)
#endif

enum { SNNC_SCRATCH_BYTES = 12 * 1024 }; /* of stack, for the tiles of a run */

/* A file that is included once per type: T(f) is that type's f. One that is included
 * for numbers and for vectors of them says what `real` is: NAME(f) is that one's f. */
#define SNNC_PASTE(a, b) a##_##b
#define SNNC_EXPAND(a, b) SNNC_PASTE(a, b)
#define T(name) SNNC_EXPAND(name, SNNC_TYPE)
#define NAME(name) SNNC_EXPAND(name, SNNC_SUFFIX)

/* How a row function writes spikes: in the type of the call, as bytes, as bits (of
 * which the strip's first is bit 0 of its byte), or not. */
enum { SNNC_REALS, SNNC_BYTES, SNNC_BITS, SNNC_NO_SPIKES };

/* Some steps of a strip: all pointers are to its first neuron. x_step, spk_step and
 * state_step are strides in time, in elements. */
typedef struct {
    size_t n, num_steps;
    size_t block_steps; /* that one block takes before the next block does */
    const void *x;
    void *spk;
    ptrdiff_t x_step, spk_step;
    int spikes;   /* SNNC_REALS and so on */
    int streamed; /* outputs bypass the caches, where cache lines begin at the same
                     neurons in all rows of reals */
    const void *state_in[SNNC_MAX_STATES];
    void *state_out[SNNC_MAX_STATES];
    int recorded; /* states are kept after each step; else all state_step are 0 */
    ptrdiff_t state_step[SNNC_MAX_STATES]; /* of state_out */
    const void *params[SNNC_MAX_PARAMS];
    int per_neuron; /* parameters: one for each neuron; else one for all */
} snnc_row;

typedef void snnc_row_fn(const snnc_row *row);

/* By model, reset, and whether the reset is undelayed. NULL: the model has no such
 * reset, or (for SNNC_NONE) the undelayed one is the same as the delayed one. */
typedef snnc_row_fn *snnc_row_table[SNNC_NUM_MODELS][SNNC_NUM_RESETS][2];

/* The surrogates of some steps of a strip, of `tested` - `threshold`: derivatives, or
 * reciprocals of them (surrogates.def); with `reciprocal`, of what is the other. Steps
 * are in elements. */
typedef struct {
    size_t n, num_steps;
    int surrogate;
    double args[2];
    int reciprocal, per_neuron;
    const void *tested, *threshold;
    void *out;
    ptrdiff_t tested_step, out_step;
} snnc_surrogate_row;

/* A sequence of a strip, from its last step: `step` elements from one to the next. NULL
 * (and a step of 0): not given, or not wanted. */
typedef struct {
    void *last;
    ptrdiff_t step;
} snnc_backwards;

/* Some steps of a strip, the last first. */
typedef struct {
    size_t n, num_steps;
    size_t block_steps; /* at most SNNC_ADJOINT_STEPS */
    const void *params[SNNC_MAX_PARAMS];
    int per_neuron; /* parameters: one for each neuron; else one for all */
    int reset, undelayed, rounds_threshold;
    /* States before the step, and the mem that its spike tested. */
    snnc_backwards x, state[SNNC_MAX_STATES], tested;
    /* Upstream gradients: of the spikes, and of the states before the step, which the
     * last num_upstream steps have. */
    snnc_backwards grad_spk, upstream[SNNC_MAX_STATES];
    size_t num_upstream;
    /* The surrogate, or its values as given. Whether these are reciprocals, and the
     * products of derivatives and upstream gradients are rounded to float. */
    snnc_surrogate_row surrogate; /* but for the strip */
    snnc_backwards derivative;
    int divides, rounds;
    void *grad_state[SNNC_MAX_STATES]; /* after the last step; then before the first */
    snnc_backwards grad_x;
    double *grad_params[SNNC_MAX_PARAMS]; /* added to */
} snnc_adjoint_row;

typedef void snnc_adjoint_row_fn(const snnc_adjoint_row *row);

enum { SNNC_ADJOINT_STEPS = 16 }; /* in a block, at most */

/* The rows of the backward pass. */
typedef struct {
    /* By model, reset, and whether gradients of parameters of its dynamics are wanted;
     * by model, of the threshold and the graded factor too. NULL: the model has none.
     */
    snnc_adjoint_row_fn *adjoint[SNNC_NUM_MODELS][SNNC_NUM_RESETS][2];
    snnc_adjoint_row_fn *adjoint_of_all[SNNC_NUM_MODELS];
    void (*surrogate)(const snnc_surrogate_row *row);
} snnc_adjoint_fns;

/* What moves tiles (of num_steps rows, `width` values apart) to and from the caller's
 * arrays (whose strides count elements). */
typedef struct {
    void (*load)(void *tile, size_t width, const void *src, snnc_type type,
                 ptrdiff_t step, ptrdiff_t stride, size_t num_steps, size_t n);
    void (*store)(void *dst, ptrdiff_t step, ptrdiff_t stride, const void *tile,
                  size_t width, size_t num_steps, size_t n);
    /* Bytes of 0 and 1 as spikes of the type; times `weight` (not NULL), one for each
     * neuron or for all. */
    void (*store_spikes)(void *dst, snnc_type type, ptrdiff_t step, ptrdiff_t stride,
                         const uint8_t *tile, size_t width, size_t num_steps, size_t n,
                         const void *weight, int per_neuron);
} snnc_tile_fns;

/* The weights of so many coming inputs are prefetched. A list of inputs repeats its
 * last one as often after its end. */
enum { SNNC_AHEAD = 4 };

/* The sums of n outputs over the inputs that are listed. */
typedef struct {
    size_t n, count;
    const uint32_t *index; /* of inputs, ascending */
    const void *value;     /* of each one's spike; NULL: 1 */
    const void *weight;    /* of input 0 and the first output */
    ptrdiff_t step;        /* to the next input's, in elements */
    const void *start;     /* what sums start from; NULL: 0 */
    void *sum;             /* NULL: unwanted */
    /* In a closed loop, else NULL: the sums are added to a current in `sum`, which
     * decays first (`decay`, NULL: 0, is one for all or for each output; where it is 0,
     * to 0); and `total` is set to the input and the current. */
    const void *input, *decay;
    int per_neuron;
    void *total;
} snnc_sum_row;

/* Lists the inputs whose spike isn't 0: how many there are, and if any of them isn't 1
 * either. May write up to SNNC_AHEAD entries after the last. */
typedef size_t snnc_list_fn(const void *spk, size_t n, uint32_t *index, int *graded);

typedef struct {
    void (*sum)(const snnc_sum_row *row);
    snnc_list_fn *list; /* of reals */
} snnc_sum_fns;

struct snnc_isa {
    const char *name;
    const snnc_row_table *rows[2]; /* by type: float, double */
    const snnc_tile_fns *tiles[2];
    const snnc_adjoint_fns *adjoints[2];
    const snnc_sum_fns *sums[2];
    snnc_list_fn *list_bytes, *list_bits;
    /* Of num_steps rows of n bytes of 0 and 1. pack: the first is bit number `bit` (<
     * 8) of the byte dst, of which an earlier strip has written the lower ones. */
    void (*pack)(uint8_t *dst, ptrdiff_t step, size_t bit, const uint8_t *tile,
                 size_t num_steps, size_t n);
    void (*count)(int64_t *count, const uint8_t *tile, size_t num_steps, size_t n);
    void (*first)(int64_t *first, int64_t step, const uint8_t *tile, size_t num_steps,
                  size_t n);
};

extern const snnc_isa snnc_isa_baseline;
/* Not with SNNC_BASELINE_ONLY, which leaves two thirds of the row functions out: for a
 * small program, or one that is soon compiled. Nor GCC for Windows, which aligns no
 * more than 16 bytes of the stack but stores wider vectors there as if it did (its bug
 * 54412). */
#if !defined(SNNC_BASELINE_ONLY) && (defined(__x86_64__) || defined(_M_X64)) && \
    defined(__GNUC__) && (!defined(_WIN32) || defined(__clang__))
#define SNNC_HAVE_AVX2 1
#define SNNC_HAVE_AVX512 1
extern const snnc_isa snnc_isa_avx2, snnc_isa_avx512;
#endif

#endif
