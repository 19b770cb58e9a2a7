/* The product of spikes and weights: from array-likes to an array of sums. */
#ifndef SNNC_PRODUCT_CALL_H
#define SNNC_PRODUCT_CALL_H

#include "arrays.h"

/* spk (..., inputs), weight (outputs, inputs) or what weights_new returned, bias
 * (outputs,) or None, out (..., outputs) or None: a new reference. */
PyObject *product_call(const snnc_isa *isa, PyObject *spk, PyObject *weight,
                       PyObject *bias, PyObject *out, Py_ssize_t num_threads);

/* Which part of spikes, contiguous uint8, isn't 0: about, as a float. */
PyObject *product_density(PyObject *module, PyObject *spk);

#endif
