/* NumPy arrays to the core's structs and back: dtype, shape, layout, overlap,
 * allocation. All that users may pass is checked here; module.c only unpacks arguments.
 */
#ifndef SNNC_MARSHAL_H
#define SNNC_MARSHAL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdio.h> /* NumPy's headers need it, and the stable ABI's don't bring it */

#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL snnc_numpy_api
#include <numpy/arrayobject.h>

#include "snnc.h"

/* A critical section, where there is no GIL; each is a statement. */
#if defined(Py_GIL_DISABLED)
#define LOCK(object) Py_BEGIN_CRITICAL_SECTION(object)
#define UNLOCK() Py_END_CRITICAL_SECTION()
#else
#define LOCK(object) (void)(object)
#define UNLOCK() (void)0
#endif

/* What may come out of a call. MARSHAL_RECORD + k and MARSHAL_STATE + k: state k of the
 * model, at each recorded step and after the last one; MARSHAL_CHECKPOINT + k: before
 * every `interval`-th step. */
enum {
    MARSHAL_SPK,
    MARSHAL_COUNT,
    MARSHAL_FIRST_SPIKE,
    MARSHAL_EVENTS, /* a tuple of two arrays, the others are arrays */
    MARSHAL_RECORD,
    MARSHAL_STATE = MARSHAL_RECORD + SNNC_MAX_STATES,
    MARSHAL_CHECKPOINT = MARSHAL_STATE + SNNC_MAX_STATES,
    MARSHAL_NUM_OUTPUTS = MARSHAL_CHECKPOINT + SNNC_MAX_STATES
};

/* The names of those before the states. */
extern const char *const marshal_records[MARSHAL_RECORD];

/* What a call asks for; all references are borrowed. */
typedef struct {
    PyObject *cell;       /* what marshal_cell returned */
    int sequence;         /* a run: input and outputs have a time axis */
    PyObject *input;      /* any array-like */
    int type;             /* to compute in, NumPy's; -1: as the operands say */
    int spk_type;         /* NumPy's, or MARSHAL_PACKED; -1: the computing type */
    Py_ssize_t num_steps; /* -1: the input has a time axis */
    Py_ssize_t time_axis;
    PyObject *const *states;   /* array-likes; None: at rest, or in a step an error */
    int held;                  /* the neuron's own states: they must fit as they are */
    int wanted[MARSHAL_STATE]; /* of the outputs; final states always are */
    Py_ssize_t every, first_step, interval; /* 0: no checkpoints */
    PyObject *neurons; /* whose states are recorded: None (all), a slice, or indices */
    /* Arrays to fill. NULL or None: allocate; so do a scalar as a single neuron's state
     * after a run, and checkpoints that don't fit. */
    PyObject *out[MARSHAL_NUM_OUTPUTS];
    PyObject *overwritten; /* a Recording with arrays among `out`, NULL or None */
    Py_ssize_t num_threads;
} marshal_request;

/* New references, NULL where nothing was asked for. A result without dimensions is a
 * NumPy scalar, unless its array was given. */
typedef struct {
    PyObject *out[MARSHAL_NUM_OUTPUTS];
    Py_ssize_t num_steps;
} marshal_result;

/* A model with its reset and constants, as an immutable capsule. `constants` are two
 * tuples (float32, float64) of num_params array-likes in the order of models.def;
 * `parameters` is a tuple of (name, shape) of what users set, for errors. */
PyObject *marshal_cell(int model, int reset, int undelayed, int inhibition,
                       PyObject *const constants[2], PyObject *parameters);

/* Takes the tape from a Recording (NULL, None: from none) that is about to be written
 * into, as it wouldn't fit any longer: 0, or -1 with an exception. */
int marshal_forget(PyObject *recording);

/* The model of a cell, or NULL with an exception. */
const snnc_model_info *marshal_model(PyObject *cell);

/* Computes what is asked for: 0, or -1 with an exception and empty results. */
int marshal_run(const snnc_isa *isa, const marshal_request *request,
                marshal_result *result);

void marshal_clear(marshal_result *result);

/* What a way back reads and writes; all references are borrowed. Arrays are of the
 * computing type (x: any that the core reads; grad_params: double), of the neuron shape
 * with time before it (x held, grad_start, grad_params: without), of any strides but
 * for those that are only this function's: checkpoints, grad_start, grad_params and
 * derivative are contiguous. NULL or None: not given, not wanted. */
typedef struct {
    PyObject *cell, *x, *derivative, *grad_spk, *grad_x;
    int held;   /* x */
    int excess; /* write mem - threshold to `derivative`, and nothing else */
    Py_ssize_t num_steps, interval, t0, t1, num_threads;
    int surrogate;
    double surrogate_args[2];
    PyObject *const *checkpoints, *const *grad_states, *const *grad_start;
    PyObject *const *grad_params;
} marshal_back;

/* Goes back through steps [t0, t1): 0, or -1 with an exception. */
int marshal_backward(const snnc_isa *isa, const marshal_back *back);

/* The derivative of a surrogate at x, a new array of its type: NULL with an exception.
 */
PyObject *marshal_surrogate(const snnc_isa *isa, int surrogate, const double *args,
                            PyObject *x);

/* A new line of `size` floats, to be written while `beside` are read; those of them
 * that are no arrays don't matter. NULL with an exception. */
PyObject *marshal_empty(Py_ssize_t size, PyObject *dtype, PyObject *const *beside,
                        Py_ssize_t count);

/* The events in packed spikes, as MARSHAL_EVENTS. */
PyObject *marshal_events(PyObject *packed, Py_ssize_t num_neurons,
                         Py_ssize_t first_step);

/* One step, or a sequence (whose time axis is the first, and of which spikes and final
 * states are wanted), where nothing needs to be converted, checked at length or copied.
 * As marshal_run, but returns 1 if that was so and it is done, 0 if it was not and
 * nothing is (also where several threads would pay), -1 with an exception (then
 * `arrays` are of no use). `arrays` are the outputs, spikes and states: a NULL is
 * replaced by a new array. spk_type, overwritten: as of a request. */
int marshal_plain(const snnc_isa *isa, PyObject *cell, PyObject *input,
                  PyObject *const *states, int num_states, int sequence, int spk_type,
                  Py_ssize_t threads, PyObject *overwritten, PyObject **arrays);

/* A dtype argument as NumPy's type number: -1 for None, -2 with an exception. `narrow`:
 * for spikes, which may be MARSHAL_PACKED. */
enum { MARSHAL_PACKED = -3 };
int marshal_type(PyObject *object, const char *name, int narrow);

/* Whether an object is a masked array: -1 with an exception. */
int marshal_is_masked(PyObject *object);

#endif
