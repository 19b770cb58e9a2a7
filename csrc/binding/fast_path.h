/* Calls that need no conversion: a second way to the core, for arrays that are as they
 * should be. What it does not take goes the general way, by run.h. */
#ifndef SNNC_FAST_PATH_H
#define SNNC_FAST_PATH_H

#include "cell.h"

/* A step by the fast path: NULL without an exception where it isn't plain. */
PyObject *fast_step(const snnc_isa *isa, PyObject *cell, PyObject *input,
                    PyObject *const *states, int num_states, PyObject *out);

/* A run by the fast path: NULL without an exception where it isn't plain. `recorded`
 * are numbers of run.h; `out_recorded` and `out_states` are tuples, or NULL. */
PyObject *fast_run(const snnc_isa *isa, PyObject *cell, PyObject *x, PyObject *start,
                   int num_states, int spk_type, Py_ssize_t num_threads,
                   const Py_ssize_t *recorded, Py_ssize_t num_recorded,
                   PyObject *out_recorded, PyObject *out_states, PyObject *overwritten);

#endif
