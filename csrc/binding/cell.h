/* A model with its reset and constants, as an immutable capsule that Python keeps, and
 * the constants expanded to a neuron shape. */
#ifndef SNNC_CELL_H
#define SNNC_CELL_H

#include "arrays.h"

typedef struct {
    const snnc_model_info *info;
    int model, reset, undelayed, inhibition;
    shape shape; /* that the constants broadcast to */
    int uniform; /* one value for all neurons, in value32 and value64 */
    int graded;  /* spikes may be other than 0 and 1 */
    float value32[SNNC_MAX_PARAMS];
    double value64[SNNC_MAX_PARAMS];
    PyObject *constants[2]; /* tuples of arrays, by type */
    PyObject *expanded[2];  /* the last expansion of each, or NULL */
    shape expanded_for[2];  /* the neuron shape that it was made for */
    PyObject *parameters;
} cell;

/* The cell in a capsule, or NULL with an exception. */
cell *cell_get(PyObject *capsule);

/* The model of a cell, or NULL with an exception. */
const snnc_model_info *cell_model(PyObject *capsule);

/* A model with its reset and constants, as an immutable capsule. `constants` are two
 * tuples (float32, float64) of num_params array-likes in the order of models.def;
 * `parameters` is a tuple of (name, shape) of what users set, for errors. */
PyObject *cell_new(int model, int reset, int undelayed, int inhibition,
                   PyObject *const constants[2], PyObject *parameters);

/* Sets what a cell determines of a call; its parameters too, where they are one value
 * each. */
static inline void cell_describe(const cell *c, snnc_type type, snnc_call *call)
{
    call->model = (snnc_model)c->model;
    call->reset = (snnc_reset)c->reset;
    call->type = type;
    call->undelayed = c->undelayed;
    call->graded = c->graded;
    for (int k = 0; c->uniform && k < c->info->num_params; k++)
        call->params[k] = type == SNNC_F32 ? (const void *)&c->value32[k]
                                           : (const void *)&c->value64[k];
}

/* Its parameters where neurons differ: a new reference to what keeps them. */
PyObject *cell_describe_params(cell *c, PyObject *capsule, int ndim,
                               const npy_intp *dims, snnc_call *call);

#endif
