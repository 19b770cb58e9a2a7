/* The backward pass: arrays that Python has put into the right types and shapes. That
 * they are is checked, so that a mistake there is an error and not a crash. */
#ifndef SNNC_GRADIENTS_H
#define SNNC_GRADIENTS_H

#include "cell.h"

/* What a backward pass reads and writes; all references are borrowed. Arrays are of the
 * computing type (x: any that the core reads; grad_params: double), of the neuron shape
 * with time before it (a constant x, grad_start, grad_params: without), of any strides
 * but for those that are only this function's: checkpoints, grad_start, grad_params and
 * derivative are contiguous. NULL or None: not given, not wanted. */
typedef struct {
    PyObject *cell, *x, *derivative, *grad_spk, *grad_x;
    int constant_x;
    int untimed;   /* one step, whose arrays have no time axis */
    int mem_shift; /* write mem - threshold to `derivative`, and nothing else */
    Py_ssize_t num_steps, interval, t0, t1, num_threads;
    int surrogate;
    double surrogate_args[2];
    PyObject *const *checkpoints, *const *grad_states, *const *grad_start;
    PyObject *const *grad_params;
} gradients_request;

/* The backward pass through steps [t0, t1): 0, or -1 with an exception. */
int gradients_run(const snnc_isa *isa, const gradients_request *back);

/* The backward pass through one step, by the request's cell, x, states (as
 * checkpoints), grad_spk, grad_states (of any strides), grad_params and surrogate: a
 * tuple of the gradients of x (None unless it is wanted) and of the states, new arrays
 * of the neuron shape. None where an array has another type or shape, or a state isn't
 * contiguous; NULL with an exception. */
PyObject *gradients_of_step(const snnc_isa *isa, gradients_request *back, int wants_x);

/* The derivative of a surrogate at x, a new array of its type: NULL with an exception.
 */
PyObject *gradients_surrogate(const snnc_isa *isa, int surrogate, const double *args,
                              PyObject *x);

#endif
