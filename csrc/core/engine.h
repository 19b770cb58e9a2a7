/* What the files of the engine share: a checked call as its loops see it. */
#ifndef SNNC_ENGINE_H
#define SNNC_ENGINE_H

#include "rows.h"

enum { STRIP_UNIT = 64 }; /* strips are multiples of it */

/* One of a call's sequences, as the loop sees it. `data` is NULL where there is none;
 * `tiled`: it isn't read or written where it lies, but goes through a tile. */
typedef struct {
    char *data;
    ptrdiff_t step;
    const ptrdiff_t *strides;
    snnc_type type;
    int tiled;
} snnc_sequence;

/* A checked call. */
typedef struct {
    const snnc_call *call;
    snnc_row_fn *run;
    const snnc_isa *isa;
    const snnc_tile_fns *tiles;
    int spikes;         /* how rows write them */
    const void *weight; /* of spikes, or NULL */
    int num_states, num_params;
    int recording; /* any state */
    int sampling;  /* states are recorded not at every step, or not of every neuron */
    int streamed;  /* outputs bypass the caches (non-temporal stores) */
    int checkpoints_as_records; /* checkpoints of every step are written as recordings
                                   are */
    size_t every;
    size_t size;       /* of a real */
    size_t period;     /* of the parameters; 0: one value for all */
    size_t run_length; /* strips end at multiples of it; 0: anywhere */
    size_t inhibited;  /* neurons in a group of rivals, or 0 */
    size_t t0, t1;
    uint8_t *fired; /* for each neuron, where its spike is written as a byte too, of the
                       last step that was taken; or NULL */
    size_t strip, tile_steps;
    size_t block_steps; /* of rows */
    snnc_sequence x, spk, record[SNNC_MAX_STATES];
} snnc_plan;

static inline size_t snnc_size_of(snnc_type type)
{
    static const unsigned char sizes[SNNC_NUM_TYPES] = {
        [SNNC_F32] = 4, [SNNC_F64] = 8, [SNNC_U8] = 1, [SNNC_F16] = 2, [SNNC_BOOL] = 1};
    return sizes[type];
}

static inline size_t snnc_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* a * b, or SIZE_MAX if that is too large to count. */
static inline size_t snnc_mul_saturating(size_t a, size_t b)
{
    const size_t half = (size_t)1
                        << sizeof(size_t) * 4; /* so small ones don't divide */
    return (a | b) >= half && b && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

/* The address of value i of that size; of NULL: NULL. */
static inline void *snnc_value_at(const void *p, size_t i, size_t size)
{
    return p ? (char *)p + i * size : NULL;
}

/* Checks what a run and its backward pass have in common: all but states and outputs.
 */
snnc_status snnc_check(const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1,
                       size_t n0, size_t n1);

/* The same, and all else of a run. */
snnc_status snnc_check_run(const snnc_isa *isa, const snnc_call *call, size_t t0,
                           size_t t1, size_t n0, size_t n1);

/* Whether `shape` is one of num_neurons neurons: only strides need it. */
int snnc_is_shaped(const snnc_call *call);

/* The row function of a call's model and reset. */
snnc_row_fn *snnc_row_fn_for(const snnc_isa *isa, const snnc_call *call, int undelayed);

/* How a checked call is cut into tiles. With `fired` it is stepped one by one. */
void snnc_make_plan(snnc_plan *p, const snnc_isa *isa, const snnc_call *call, size_t t0,
                    size_t t1, uint8_t *fired);

/* Steps [t, t + num_steps), at most tile_steps, of the neurons [i0, i1); with
 * SNNC_SCRATCH_BYTES, or the call's workspace. */
void snnc_advance(const snnc_plan *p, char *scratch, size_t t, size_t num_steps,
                  size_t i0, size_t i1);

/* Describes one step, one neuron, or a small run to the row function that is returned,
 * where it reads and writes the call's own arrays and nothing else is wanted: there is
 * nothing to plan then. NULL where that is not so. */
snnc_row_fn *snnc_describe_row(const snnc_isa *isa, const snnc_call *call, size_t t0,
                               size_t num_steps, size_t n0, size_t n, snnc_row *row);

/* After its last step: states that were recorded are final ones too. */
void snnc_keep_states(const snnc_call *call, const snnc_row *row, size_t n0);

void snnc_make_sequence(snnc_plan *p, snnc_sequence *s, const void *data,
                        ptrdiff_t step, const ptrdiff_t *strides, snnc_type type);

/* The same, of a sequence that strips need not be cut for. */
void snnc_describe_sequence(const snnc_plan *p, snnc_sequence *s, const void *data,
                            ptrdiff_t step, const ptrdiff_t *strides, snnc_type type);

/* Whether the states after step t are recorded, and in which row. */
int snnc_is_recorded(const snnc_call *call, size_t t, size_t *row);

/* Records states of the neurons [i, i + n) in a row. */
void snnc_record(const snnc_plan *p, const snnc_sequence *record, const char *states,
                 size_t row, size_t i, size_t n);

/* Where neuron i of step t of a sequence is that needs no tile. */
char *snnc_address_of(const snnc_plan *p, const snnc_sequence *s, size_t t, size_t i);

/* Copies between a sequence and its tile (of rows of `width` values): num_steps rows,
 * from row t on, of the neurons [i, i + n). */
enum snnc_move { SNNC_LOAD, SNNC_STORE, SNNC_STORE_SPIKES };
void snnc_move_tile(const snnc_plan *p, const snnc_sequence *s, enum snnc_move move,
                    char *tile, size_t width, size_t t, size_t num_steps, size_t i,
                    size_t n);

/* Where a strip of at most `strip` neurons from i on ends, at the latest at `end`. */
size_t snnc_strip_end(const snnc_plan *p, size_t i, size_t end, size_t strip);

#endif
