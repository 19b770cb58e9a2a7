/* See cell.h. */
#define NO_IMPORT_ARRAY
#include "cell.h"

#include <string.h>

enum { MIN_PERIOD = 256 }; /* of parameters: shorter ones are repeated */

static const char cell_name[] = "snnc.cell";

static void free_cell(PyObject *capsule)
{
    cell *c = PyCapsule_GetPointer(capsule, cell_name);
    for (int type = 0; type < 2; type++) {
        Py_XDECREF(c->constants[type]);
        Py_XDECREF(c->expanded[type]);
    }
    Py_XDECREF(c->parameters);
    PyMem_Free(c);
}

cell *cell_get(PyObject *capsule)
{
    cell *c = PyCapsule_GetPointer(capsule, cell_name);
    if (!c)
        PyErr_Format(PyExc_TypeError,
                     "%R is no cell of a neuron: does the __init__ of its class call "
                     "super().__init__?",
                     capsule);
    return c;
}

const snnc_model_info *cell_model(PyObject *capsule)
{
    const cell *c = cell_get(capsule);
    return c ? c->info : NULL;
}

/* The constants of one type: a tuple of arrays, each of which must fit the cell's
 * shape. */
static PyObject *constant_arrays(cell *c, PyObject *constants, int type)
{
    PyObject *arrays = PyTuple_New(c->info->num_params);

    for (int k = 0; arrays && k < c->info->num_params; k++) {
        int weak;
        PyArrayObject *given =
            array_operand(PyTuple_GetItem(constants, k), c->info->params[k], &weak);
        PyArrayObject *array =
            given ? array_as_type(given, array_types[type], 0) : NULL;
        array_xdecref(given);
        if (!array) {
            Py_CLEAR(arrays);
        }
        else if (shape_broadcast(&c->shape, PyArray_NDIM(array), PyArray_DIMS(array)) <
                 0) {
            shape_error(
                "%s of shape %R does not broadcast with the other parameters' %R",
                c->info->params[k], PyArray_NDIM(array), PyArray_DIMS(array),
                &c->shape);
            array_xdecref(array);
            Py_CLEAR(arrays);
        }
        else {
            if (type == SNNC_F32 && PyArray_SIZE(array) == 1)
                memcpy(&c->value32[k], PyArray_DATA(array), sizeof *c->value32);
            else if (PyArray_SIZE(array) == 1)
                memcpy(&c->value64[k], PyArray_DATA(array), sizeof *c->value64);
            PyTuple_SetItem(arrays, k, (PyObject *)array);
        }
    }
    return arrays;
}

/* Whether any of these factors isn't 1; -1 with an exception. */
static int weighs_spikes(PyArrayObject *graded)
{
    PyArrayObject *plain =
        (PyArrayObject *)PyArray_FromArray(graded, NULL, NPY_ARRAY_CARRAY_RO);
    int weighs = plain ? 0 : -1;
    for (npy_intp i = 0; plain && i < PyArray_SIZE(plain); i++)
        weighs = weighs || ((const double *)PyArray_DATA(plain))[i] != 1;
    array_xdecref(plain);
    return weighs;
}

PyObject *cell_new(int model, int reset, int undelayed, int inhibition,
                   PyObject *const constants[2], PyObject *parameters)
{
    cell *c = PyMem_Calloc(1, sizeof *c);
    PyObject *capsule = c ? PyCapsule_New(c, cell_name, free_cell) : PyErr_NoMemory();

    if (!capsule) {
        PyMem_Free(c);
        return NULL;
    }
    c->info = snnc_model_at(model);
    c->model = model;
    c->reset = reset;
    c->undelayed = undelayed;
    c->inhibition = inhibition;
    Py_INCREF(parameters);
    c->parameters = parameters;
    for (int type = 0; type < 2; type++) {
        c->constants[type] = constant_arrays(c, constants[type], type);
        if (!c->constants[type]) {
            Py_DECREF(capsule);
            return NULL;
        }
    }
    c->uniform = shape_product(c->shape.ndim, c->shape.dims) == 1;
    if (c->info->graded)
        c->graded = weighs_spikes(
            (PyArrayObject *)PyTuple_GetItem(c->constants[SNNC_F64], c->info->graded));
    if (c->graded < 0)
        Py_CLEAR(capsule);
    return capsule;
}

/* The constants for a neuron shape, all with the period of the shortest trailing block
 * of neurons that covers them (short ones repeated, and with inhibition up to a group
 * of rivals): a tuple of arrays, kept until another shape is asked for. A new
 * reference.
 */
static PyObject *expand(cell *c, int type, int ndim, const npy_intp *dims)
{
    PyObject *expanded = c->expanded[type];
    shape block;
    const int lead = ndim - c->shape.ndim;
    int first = lead;
    npy_intp size, repeats = 1, outer;

    if (expanded && c->expanded_for[type].ndim == ndim &&
        shape_same_dims(ndim, c->expanded_for[type].dims, dims)) {
        Py_INCREF(expanded);
        return expanded;
    }
    while (c->shape.dims[first - lead] == 1)
        first++;
    const int outermost = first > 0; /* dimensions before the block to repeat it over */
    block.ndim = ndim - first + outermost;
    memcpy(block.dims + outermost, dims + first,
           (size_t)(ndim - first) * sizeof(npy_intp));
    size = shape_product(ndim - first, dims + first);
    outer = shape_product(first, dims);
    if (c->inhibition && first > 1)
        repeats = shape_product(first - 1, dims + 1);
    else if (!c->inhibition && size > 0 && size < MIN_PERIOD)
        repeats = (MIN_PERIOD + size - 1) / size;
    if (outermost)
        block.dims[0] = repeats < outer ? repeats : outer;

    if (!expanded || !array_has_shape((PyArrayObject *)PyTuple_GetItem(expanded, 0),
                                      block.ndim, block.dims)) {
        expanded = PyTuple_New(c->info->num_params);
        for (int k = 0; expanded && k < c->info->num_params; k++) {
            PyObject *array =
                PyArray_SimpleNew(block.ndim, block.dims, array_types[type]);
            PyArrayObject *constant =
                (PyArrayObject *)PyTuple_GetItem(c->constants[type], k);
            if (!array || PyArray_CopyInto((PyArrayObject *)array, constant) < 0) {
                Py_XDECREF(array);
                Py_CLEAR(expanded);
            }
            else
                PyTuple_SetItem(expanded, k, array);
        }
        if (!expanded)
            return NULL;
        Py_XDECREF(c->expanded[type]);
        c->expanded[type] = expanded;
    }
    c->expanded_for[type].ndim = ndim;
    memcpy(c->expanded_for[type].dims, dims, (size_t)ndim * sizeof *dims);
    Py_INCREF(expanded);
    return expanded;
}

PyObject *cell_describe_params(cell *c, PyObject *capsule, int ndim,
                               const npy_intp *dims, snnc_call *call)
{
    PyObject *params;
    LOCK(capsule);
    params = expand(c, (int)call->type, ndim, dims);
    UNLOCK();
    for (int k = 0; params && k < c->info->num_params; k++) {
        PyArrayObject *param = (PyArrayObject *)PyTuple_GetItem(params, k);
        call->params[k] = PyArray_DATA(param);
        call->period = (size_t)PyArray_SIZE(param);
    }
    return params;
}
