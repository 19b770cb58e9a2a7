/* Weights that Python keeps for many calls, as an immutable capsule. */
#ifndef SNNC_WEIGHTS_H
#define SNNC_WEIGHTS_H

#include "arrays.h"

typedef struct {
    snnc_weights shape;     /* all but its arrays */
    PyArrayObject *data[2]; /* by type; NULL: the other one's not yet converted */
    PyArrayObject *indptr, *indices; /* of sparse ones */
} weights;

/* The weights in a capsule; NULL without an exception if it is something else. */
weights *weights_in(PyObject *capsule);

/* weights(data, indptr, indices, num_outputs), a capsule. Dense: `data` has a row for
 * each input, and no indptr (None). Sparse: compressed sparse rows, one for each input;
 * `data` one number for each input or for each of `indices`. One-to-one: neither indptr
 * nor num_outputs (None), `data` one number for each neuron, or 0-d: one for all. The
 * arrays are float32 or float64, int64 and int32, and kept as they are: nothing may
 * write to them. */
PyObject *weights_new(PyObject *const args[4]);

/* transpose(data, indptr, indices, num_outputs): compressed sparse rows of the
 * transposed matrix, (data, indptr, indices); entries of a row stay in their order. */
PyObject *weights_transpose(PyObject *const args[4]);

/* The weights as the core sees them, converted to NumPy's type once: a new reference to
 * what keeps them, or NULL with an exception. */
PyObject *weights_describe(weights *w, PyObject *capsule, int type,
                           snnc_weights *described);

#endif
