/* A step or a run: from array-likes to recorded arrays. All that users may pass is
 * checked here. Everything is converted, checked and allocated before the first write
 * to an array of the caller's. */
#ifndef SNNC_RUN_H
#define SNNC_RUN_H

#include "recurrence.h"

/* What may come out of a call. RUN_RECORD + k and RUN_STATE + k: state k, at each
 * recorded step and after the last one; RUN_CHECKPOINT + k: before every `interval`-th
 * step. States are those of the model; in a closed loop also the spikes under way and
 * the current of each projection (checkpoints of these are before the first step). */
enum {
    RUN_SPK,
    RUN_COUNT,
    RUN_FIRST_SPIKE,
    RUN_EVENTS, /* a tuple of two arrays, the others are arrays */
    RUN_RECORD,
    RUN_MOST_STATES = SNNC_MAX_STATES + 1 + MAX_PROJECTIONS,
    RUN_STATE = RUN_RECORD + RUN_MOST_STATES,
    RUN_CHECKPOINT = RUN_STATE + RUN_MOST_STATES,
    /* With them a closed loop's input, and its spikes as bytes, of each step. */
    RUN_TOTAL = RUN_CHECKPOINT + RUN_MOST_STATES,
    RUN_FIRED,
    RUN_NUM_OUTPUTS
};

/* The names of those before the states. */
extern const char *const run_records[RUN_RECORD];

/* What a call asks for; all references are borrowed. */
typedef struct {
    PyObject *cell;       /* what cell_new or recurrence_new returned */
    int sequence;         /* a run: input and outputs have a time axis */
    PyObject *input;      /* any array-like */
    int type;             /* to compute in, NumPy's; -1: as the operands say */
    int spk_type;         /* NumPy's, or ARRAY_PACKED; -1: the computing type */
    Py_ssize_t num_steps; /* -1: the input has a time axis */
    Py_ssize_t time_axis;
    PyObject *const *states; /* array-likes; None: at rest, or in a step an error */
    int own_states;        /* of the neuron (init_hidden): they must fit as they are */
    int wanted[RUN_STATE]; /* of the outputs; final states always are */
    Py_ssize_t every, first_step, interval; /* 0: no checkpoints */
    PyObject *neurons; /* whose states are recorded: None (all), a slice, or indices */
    /* Arrays to fill. A new one is allocated for NULL or None, for a NumPy scalar (a
     * single neuron's state after an earlier run), and for checkpoints that don't fit.
     */
    PyObject *out[RUN_NUM_OUTPUTS];
    PyObject *overwritten; /* a Recording with arrays among `out`, NULL or None */
    Py_ssize_t num_threads;
} run_request;

/* New references, NULL where nothing was asked for. A result without dimensions is a
 * NumPy scalar, unless its array was given. */
typedef struct {
    PyObject *out[RUN_NUM_OUTPUTS];
    Py_ssize_t num_steps;
} run_result;

/* How many states a cell or a recurrence has; 0 with an exception. */
int run_num_states(PyObject *cell);

/* Computes what is asked for: 0, or -1 with an exception and empty results. */
int run_call(const snnc_isa *isa, const run_request *request, run_result *result);

/* Drops the results that are there. */
void run_clear(run_result *result);

/* Sets the tape of a Recording (NULL, None: of none), which `backward` needs, to None
 * before its arrays are overwritten: 0, or -1 with an exception. */
int run_forget_tape(PyObject *recording);

/* The events in packed spikes, as RUN_EVENTS. */
PyObject *run_unpack_events(PyObject *packed, Py_ssize_t num_neurons,
                            Py_ssize_t first_step);

/* How many rows of checkpoints a run keeps. */
npy_intp run_checkpoint_rows(npy_intp num_steps, npy_intp interval);

/* The tuple that _core.run returns. Steals all its references; NULL if any is NULL. */
PyObject *run_results(PyObject *recorded, PyObject *final, PyObject *checkpoints,
                      Py_ssize_t num_steps);

#endif
