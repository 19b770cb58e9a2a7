/* The base of the neuron classes, which does a plain step without Python code. */
#ifndef SNNC_NEURON_TYPE_H
#define SNNC_NEURON_TYPE_H

#include "fast_path.h"

/* A new type, whose steps go by that table of row functions; NULL with an exception. */
PyObject *neuron_type(PyObject *module, const snnc_isa *isa);

#endif
