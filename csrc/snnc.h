/* snnc: spiking neurons, stepped over plain buffers. This is the whole public C API; it
 * knows nothing of Python.
 *
 * THE MODELS. One neuron, one step; x is the input, thr the threshold, H(y) = 1 if y >
 * 0 else 0 (so a mem equal to thr, or NaN, does not fire), r = H(mem - thr) the reset
 * signal from the incoming mem. Parameters are used as they are given: clamping and the
 * derivation of q, keep and tau are the caller's.
 *
 *   Lapicque  v = ((x*R)*q)*dt + keep*mem       q = 1/(R*C), keep = 1 - dt/(R*C)
 *             subtract mem = v - r*thr;   zero mem = v - r*v;   none mem = v
 *   Leaky     subtract mem = (beta*mem + x) - r*thr
 *             zero     mem = beta*((1 - r)*mem) + x
 *             none     mem = beta*mem + x
 *   Synaptic  syn = alpha*syn + x,  v = beta*mem + syn
 *             subtract mem = v - r*thr;   zero mem = v - v*r;   none mem = v
 *   Alpha     e = alpha*syn_exc + x,  i = beta*syn_inh - x,  v = tau*(e + i)
 *             subtract syn_exc = e - thr*r, syn_inh = i - i*r, mem = v - (-syn_inh)*r
 *                      with the incoming syn_inh
 *             zero     syn_exc = e - e*r,   syn_inh = i - i*r, mem = v - v*r
 *             none     syn_exc = e,         syn_inh = i,       mem = v
 *
 *   then      spk = H(mem - thr), times graded_spikes_factor (g) where a model has it,
 *             and, if undelayed, with d = spk/g - r,
 *             subtract mem = mem - d*thr;   zero mem = mem - d*mem
 *
 *   LIF       integrates, then tests, if undelayed; else tests, then integrates.
 *             k is dt/tau or 1 - exp(-dt/tau), num_ref the integrations that a spike
 *             skips.
 *             integrate  v = v + ((v_rest - v) + R*x)*k
 *                        or, where ref > 0, v = v_reset, ref = ref - 1
 *             test       spk = H(v - thr); where it is 1, v = v_reset, ref = num_ref
 *
 * THE NUMBERS. Each operation above rounds once, in the type of the call, as bracketed
 * and left to right: no fused multiply-add, no flush to zero, resets as if by
 * product (but LIF's, which are a choice). So results are the same bits for every
 * instruction set, splitting of the neurons or steps, and memory layout; of a NaN only
 * the position is promised, not sign or payload.
 *
 * GRADIENTS are those of these equations, reset signals held constant; that of a
 * spike is passed on to mem times a surrogate's derivative at mem - thr. In the order
 * of operations of snnTorch's autograd, so that they are its bits: in doubles too what
 * an undelayed reset and the triangular surrogate pass back is rounded to float.
 *
 * THE CALLS never allocate, keep no state, set no errno. Whatever they return, they
 * have checked every argument before the first write. */
#ifndef SNNC_H
#define SNNC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNNC_VERSION "0.2.0"
const char *snnc_version(void);

enum { SNNC_MAX_STATES = 3, SNNC_MAX_PARAMS = 6 };

/* The models, in the order of models.def. */
typedef enum {
#define SNNC_MODEL(name, states, params, graded, undelayed, hard) SNNC_##name,
#include "models.def"
#undef SNNC_MODEL
    SNNC_NUM_MODELS
} snnc_model;

typedef enum { SNNC_SUBTRACT, SNNC_ZERO, SNNC_NONE, SNNC_NUM_RESETS } snnc_reset;

/* SNNC_F32 and SNNC_F64 are types of computing. Inputs may be SNNC_U8, SNNC_F16 (IEEE
 * half precision) and SNNC_BOOL (a byte that is 1 unless it is 0) too, spikes as
 * SNNC_U8 (1 where a neuron spiked, else 0). */
typedef enum {
    SNNC_F32,
    SNNC_F64,
    SNNC_U8,
    SNNC_F16,
    SNNC_BOOL,
    SNNC_NUM_TYPES
} snnc_type;

typedef enum {
    SNNC_OK,
    SNNC_BAD_ISA,
    SNNC_BAD_MODEL,
    SNNC_BAD_TYPE,
    SNNC_BAD_RESET,
    SNNC_BAD_RANGE,
    SNNC_BAD_SHAPE,
    SNNC_BAD_INPUT,
    SNNC_BAD_STATE,
    SNNC_BAD_PARAMETER,
    SNNC_BAD_OUTPUT,
    SNNC_BAD_SELECTION,
    SNNC_BAD_INHIBITION,
    SNNC_BAD_CHECKPOINT,
    SNNC_BAD_SURROGATE,
    SNNC_BAD_WEIGHTS,
    SNNC_TOO_LARGE,
    SNNC_NUM_STATUSES
} snnc_status;

/* 4K aliasing: a load waits for an earlier store whose address agrees with its own in
 * the bits below SNNC_ALIAS_BYTES. Arrays that a call reads and writes are best placed
 * SNNC_ALIAS_DISTANCE bytes or more apart, modulo SNNC_ALIAS_BYTES. */
enum { SNNC_ALIAS_BYTES = 4096, SNNC_ALIAS_DISTANCE = 256 };

/* What a status means, in words; never NULL. */
const char *snnc_strerror(snnc_status status);

/* A row of the table of models; lists of names end with NULL. */
typedef struct {
    const char *name;
    int num_states, num_params;
    const char *states[SNNC_MAX_STATES + 1];
    const char *params[SNNC_MAX_PARAMS + 1];
    int graded;    /* the parameter that is the value of a spike; 0: spikes are 1 */
    int undelayed; /* whether the reset may follow its spike within the step */
    int hard;      /* whether SNNC_ZERO is the only reset, and there is no inhibition */
} snnc_model_info;

/* NULL where there is no such model. */
const snnc_model_info *snnc_model_at(int model);

/* The row functions for one instruction set: constant, shared, never freed. */
typedef struct snnc_isa snnc_isa;

/* The table of that name ("baseline"; "avx2" and "avx512" on x86-64, unless the core
 * was compiled with SNNC_BASELINE_ONLY), or NULL where the name is unknown or this
 * machine or its system can't run it. A NULL name asks for what is fastest. */
const snnc_isa *snnc_isa_find(const char *name);

/* The names that snnc_isa_find knows on this platform, slowest first; NULL after the
 * last. */
const char *snnc_isa_name_at(int index);
const char *snnc_isa_name(const snnc_isa *isa);

/* One value per step and neuron, inside the caller's memory. Strides count elements. */
typedef struct {
    void *data;               /* NULL: not wanted */
    ptrdiff_t step;           /* from one step to the next; 0: a row's elements */
    const ptrdiff_t *strides; /* of the call's `shape`; NULL: neurons are contiguous */
} snnc_output;

typedef struct {
    const void *data;
    ptrdiff_t step; /* as above */
    const ptrdiff_t *strides;
    int constant; /* nonzero: the same input at every step, `step` is not used */
} snnc_input;

/* Every field zero: C++ takes no {0} where the first one is an enum. */
#ifdef __cplusplus
#define SNNC_ZEROED(type) type()
#else
#define SNNC_ZEROED(type) {0}
#endif

/* A run of num_steps steps of num_neurons neurons. Set what you need in a copy of
 * SNNC_CALL_INIT; a zero field means what its comment says. */
typedef struct {
    snnc_model model;
    snnc_reset reset; /* 0: subtract */
    snnc_type type;   /* of everything but x and spk; 0: float */
    int undelayed;    /* 0: a spike resets its neuron at the next step */

    size_t num_steps, num_neurons;
    int ndim; /* of `shape`, which only strides need: its product is num_neurons */
    const size_t *shape;

    snnc_input x;
    snnc_type x_type;

    /* The states before and after the run, contiguous. The two may be the same buffer;
     * a NULL state_in means that state_out holds the state before the run as well. */
    const void *state_in[SNNC_MAX_STATES];
    void *state_out[SNNC_MAX_STATES];

    /* Parameters in the order of models.def. Neuron i uses element i % period of each;
     * a period of 0 or 1 is one value for all. */
    const void *params[SNNC_MAX_PARAMS];
    size_t period;

    snnc_output spk;
    snnc_type spk_type;
    int graded; /* nonzero: spikes are multiplied by graded_spikes_factor; 0: it must be
                   1 */
    /* Spikes as rows of snnc_bits_width bytes: neuron i is bit i % 8 (1, 2, 4,
     * ...) of byte i / 8. NULL: not wanted. If bits_rows isn't 0, there are so many
     * rows only, and step t goes to row t % bits_rows. */
    uint8_t *bits;
    size_t bits_rows;
    int64_t *count; /* one per neuron: incremented by its number of spikes; NULL: not
                       wanted */
    int64_t *first_spike; /* one per neuron: where negative, set to the step of its
                             first spike */

    /* The states after every `every`-th step (0: each one), beginning with step every -
     * 1, in rows one after the other. A call that goes on from earlier ones says in
     * `first_step` how many steps there were: `every` and first_spike count them too.
     */
    snnc_output record[SNNC_MAX_STATES];
    size_t every, first_step;
    /* If not NULL: only these neurons' states, in ascending order (one may come more
     * than once), each at its place (NULL: in that order) of rows of num_selected. */
    const size_t *select, *select_at;
    size_t num_selected;

    /* Lateral inhibition (winner-take-all): in each group of `rivals` neurons, which
     * are `rival_stride` neurons apart (0: 1), only one may fire in a step, the one
     * with the largest mem - thr (the first of several; a NaN is largest). 0: none.
     * Blocks of rivals * rival_stride neurons are independent; spikes are 0 or 1,
     * whatever the graded_spikes_factor. */
    size_t rivals, rival_stride;
    void *workspace; /* snnc_workspace_size(call) bytes */

    /* The states before every `interval`-th step, beginning with the first, in rows of
     * num_neurons: what snnc_backward starts from. With an interval of 1 there is one
     * more row, the states after the last step, and the backward pass recomputes
     * nothing. 0: not wanted. */
    void *checkpoint[SNNC_MAX_STATES];
    size_t interval;
} snnc_call;

#define SNNC_CALL_INIT SNNC_ZEROED(snnc_call)

/* Bytes of workspace, aligned as the call's type, that a call (of any range of steps
 * and neurons) writes to. Only inhibition needs any. */
size_t snnc_workspace_size(const snnc_call *call);

/* Does steps [t0, t1) of neurons [n0, n1) of a call. A call may be cut into any such
 * ranges: those of the same neurons in the order of time, those of different neurons in
 * any order or at the same time (with a workspace each; inhibition: cut between rows;
 * bits: cut at multiples of 8 neurons, and of bits_rows steps).
 * state_out holds the states after step t1 - 1 then, or, of an empty range at t0 = 0,
 * the states before.
 *
 * Outputs may not overlap each other nor any input, but for a state_out that is its own
 * state_in. */
snnc_status snnc_run(const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1,
                     size_t n0, size_t n1);

/* The surrogates, in the order of surrogates.def. */
typedef enum {
#define SNNC_SURROGATE(name, num_args, divides, rounds) SNNC_##name,
#include "surrogates.def"
#undef SNNC_SURROGATE
    SNNC_NUM_SURROGATES
} snnc_surrogate;

/* A row of the table of surrogates. */
typedef struct {
    const char *name;
    int num_args;
} snnc_surrogate_info;

/* NULL where there is no such surrogate. */
const snnc_surrogate_info *snnc_surrogate_at(int surrogate);

/* The backward pass through a run. "Gradient" is that of the loss with respect to the
 * thing named; a strided one is as the run's input. NULL input gradients are zero, NULL
 * output gradients are not computed; only grad_start, input and output at once, must be
 * given. */
typedef struct {
    /* The run: its sizes, parameters, input and checkpoints; its states and its other
     * outputs are not used. A model with hard resets only, and inhibition, have no
     * gradient. */
    snnc_call call;

    snnc_surrogate surrogate;
    double surrogate_args[2];
    /* Nonzero: in doubles the undelayed reset's product with the threshold is rounded
     * to float, as snnTorch does for a threshold without dimensions. */
    int round_to_float;
    /* If not NULL: the derivative at each spike, computed by the caller, in rows of
     * num_neurons from step t0 on; `surrogate` is not used then, but must be valid. */
    void *derivative;

    /* The gradients of the loss with respect to each spike and to the states after each
     * step. */
    snnc_input grad_spk, grad_state[SNNC_MAX_STATES];

    /* In and out. On entry the gradient of the states after step t1 - 1, but for the
     * upstream gradient grad_state of the run's last step, which the call adds; on
     * return that of the states before step t0. */
    void *grad_start[SNNC_MAX_STATES];
    /* May be the very array of grad_spk or a grad_state. */
    snnc_output grad_x;
    double *grad_params[SNNC_MAX_PARAMS]; /* one per neuron: added, in double */
    void *workspace; /* snnc_backward_workspace_size() bytes; NULL, where these are 0 */
} snnc_backward_call;

#define SNNC_BACKWARD_INIT SNNC_ZEROED(snnc_backward_call)

/* Bytes of workspace, aligned to 64, that a valid call of any range of steps and
 * neurons writes to. */
size_t snnc_backward_workspace_size(const snnc_backward_call *backward);

/* The backward pass through steps t1 - 1, ..., t0 of neurons [n0, n1). They may be cut
 * as those of snnc_run, at multiples of the interval, but in descending order of steps;
 * concurrent calls need a workspace each. Segments of `interval` steps are recomputed
 * from their checkpoints, strip by strip (of an interval of 1 nothing is). */
snnc_status snnc_backward(const snnc_isa *isa, const snnc_backward_call *backward,
                          size_t t0, size_t t1, size_t n0, size_t n1);

/* Instead writes the mem - threshold that each spike tested to `derivative`, for a
 * surrogate that is the caller's own. */
snnc_status snnc_mem_shift(const snnc_isa *isa, const snnc_backward_call *backward,
                           size_t t0, size_t t1, size_t n0, size_t n1);

/* The derivative of n spikes at x = mem - threshold, of the type. `args` are two
 * numbers for every surrogate. */
snnc_status snnc_surrogate_derivative(const snnc_isa *isa, snnc_surrogate surrogate,
                                      const double *args, snnc_type type, const void *x,
                                      void *derivative, size_t n);

/* Weights from inputs to outputs, W. */
typedef enum {
    SNNC_DENSE,      /* row i of `data` has the weights of input i */
    SNNC_SPARSE,     /* compressed sparse rows: those of input i are data[j], of output
                        indices[j], for j from indptr[i] to indptr[i + 1] - 1 */
    SNNC_ONE_TO_ONE, /* input i has the weight data[i], of output i only; with `shared`
                        data[0] */
    SNNC_NUM_WEIGHT_KINDS
} snnc_weight_kind;

typedef struct {
    snnc_weight_kind kind; /* 0: dense */
    size_t num_inputs, num_outputs;
    const void *data;
    ptrdiff_t step; /* dense: from one row to the next, in elements; 0: num_outputs */
    /* Sparse: see snnc_is_sparse. */
    const int64_t *indptr;
    const int32_t *indices;
    int shared; /* nonzero: sparse: input i has the weight data[i] for all its outputs;
                   one-to-one: all have data[0] */
} snnc_weights;

#define SNNC_WEIGHTS_INIT SNNC_ZEROED(snnc_weights)

/* Nonzero if no indptr decreases, or begins other than at 0, or ends other than at
 * `count`, and all indices are of outputs. What uses the weights takes this for
 * granted. */
int snnc_is_sparse(const snnc_weights *weights, size_t count);

/* The transpose of a sparse matrix of one number of the type for each index: the arrays
 * of its compressed sparse rows, of which indptr has num_outputs + 1, the others as
 * many as those of `from`. Entries of a row keep the order that they had. */
void snnc_transpose(const snnc_weights *from, snnc_type type, void *data,
                    int64_t *indptr, int32_t *indices);

/* The transpose of a matrix of bytes, of which a row is `step` after the last one, as
 * rows of `rows` bytes. */
void snnc_transpose_bytes(uint8_t *dst, const uint8_t *src, size_t rows, size_t columns,
                          ptrdiff_t step);

/* The product of spikes and weights:
 *
 *   sum[r] = bias + the sum of spk[r][i] * W[i] over the inputs i that spike in row r
 *
 * in ascending order of inputs (those of an input in the order in which it lists them),
 * each product and each sum rounded once. An input that doesn't spike (0 or -0) adds
 * nothing, whatever its weight. */
typedef struct {
    snnc_type type; /* of weights, bias and sums: SNNC_F32 or SNNC_F64 */
    snnc_weights weights;
    size_t num_rows;
    /* Rows of num_inputs spikes: of the type, SNNC_U8 (by its value) or SNNC_BOOL; or,
     * where spk is NULL, bits in rows of snnc_bits_width bytes. From one row to the
     * next are spk_step elements (of bits: bytes); 0: those of a row. */
    const void *spk;
    snnc_type spk_type;
    const uint8_t *bits;
    ptrdiff_t spk_step;
    const void *bias; /* one for each output; NULL: 0 */
    void *sum;        /* rows of num_outputs */
    void *workspace;  /* snnc_product_workspace_size() bytes, aligned to 64 */
} snnc_product_call;

#define SNNC_PRODUCT_INIT SNNC_ZEROED(snnc_product_call)

/* Bytes of workspace that a call of any range of rows writes to. */
size_t snnc_product_workspace_size(const snnc_product_call *product);

/* Rows [r0, r1). Different rows may be done at the same time, with a workspace each. No
 * sum may overlap what is read. */
snnc_status snnc_product(const snnc_isa *isa, const snnc_product_call *product,
                         size_t r0, size_t r1);

/* A closed loop: the spikes of neurons, times weights, are a part of their own later
 * input. Rows of neurons (a batch) have the same weights and are independent. The input
 * of step t is
 *
 *   ((x[t] + bias) + current[0]) + current[1] ...
 *   current[k] = decay current[k] + the product of the weights and the spikes of step
 *                t - delay
 *
 * (0 for decay current, where decay is 0). A neuron that doesn't fire adds nothing,
 * whatever its weights and its graded_spikes_factor. */
typedef struct {
    snnc_weights weights; /* from and to the neurons of a row, by which the core sees
                             that they are as many */
    size_t delay;         /* in steps; 0: one */
    const void *decay;    /* NULL: 0 */
    int per_neuron; /* nonzero: a decay for each neuron of a row; 0: one for all */
    /* The current of each neuron before and after the run, as state_in and state_out.
     */
    const void *current_in;
    void *current_out;
    snnc_output record; /* after each step, as states are recorded */
} snnc_projection;

typedef struct {
    snnc_call call;   /* the neurons, with the input from outside; its own workspace
                         isn't used */
    size_t row_size;  /* neurons in a row; num_neurons is a multiple of it */
    const void *bias; /* one for each neuron of a row; NULL: none */
    size_t num_projections;
    const snnc_projection *projections;
    /* The spikes before and after the run that are under way: as many rows of
     * num_neurons as the largest delay has steps, the newest first. past_in NULL: there
     * are none; past_out NULL: unwanted. The two may be the same. */
    const void *past_in;
    void *past_out;
    /* The same after each step whose states are recorded, one after the other; NULL:
     * unwanted. */
    void *past_record;
    /* For a backward pass, rows of num_neurons (NULL: unwanted): the input of each
     * step, and 1 where a neuron fired in it, else 0. */
    void *total;
    uint8_t *fired;
    void *workspace; /* snnc_recurrent_workspace_size() bytes, aligned to 64 */
} snnc_recurrent_call;

#define SNNC_RECURRENT_INIT SNNC_ZEROED(snnc_recurrent_call)

/* Bytes of workspace for all ranges of a call together. It keeps what is under way from
 * one range of steps to the next. */
size_t snnc_recurrent_workspace_size(const snnc_recurrent_call *recurrent);

/* Steps [t0, t1) of the rows [r0, r1), which may be cut as by snnc_run (and so that r *
 * row_size is what it is cut at); different rows may be done at the same time. */
snnc_status snnc_recurrent(const snnc_isa *isa, const snnc_recurrent_call *recurrent,
                           size_t t0, size_t t1, size_t r0, size_t r1);

/* Bytes in a row of bits. */
size_t snnc_bits_width(size_t num_neurons);

/* Lists the spikes in num_steps rows of bits of num_neurons, sorted by step, then
 * by neuron: the step of each, from first_step on, and its neuron. Bits after those of
 * the last neuron are ignored. Returns how many spikes there are; writes those that
 * there is room for. */
size_t snnc_events(const uint8_t *bits, size_t num_steps, size_t num_neurons,
                   int64_t first_step, int64_t *step, int64_t *neuron, size_t room);

/* Nonzero if `isa` was compiled as THE NUMBERS promise: no multiply-add was fused. */
int snnc_self_check(const snnc_isa *isa);

#ifdef __cplusplus
}
#endif
#endif
