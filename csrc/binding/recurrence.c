/* See recurrence.h. */
#define NO_IMPORT_ARRAY
#include "recurrence.h"

#include <string.h>

static const char recurrence_name[] = "snnc.recurrence";

static void release(recurrence *r)
{
    for (int type = 0; type < 2; type++) {
        array_xdecref(r->bias[type]);
        for (Py_ssize_t k = 0; k < r->num_projections; k++)
            array_xdecref(r->projections[k].decay[type]);
    }
    for (Py_ssize_t k = 0; k < r->num_projections; k++)
        Py_XDECREF(r->projections[k].weights);
    Py_XDECREF(r->cell);
    Py_XDECREF(r->past);
    PyMem_Free(r);
}

static void free_recurrence(PyObject *capsule)
{
    release(PyCapsule_GetPointer(capsule, recurrence_name));
}

recurrence *recurrence_in(PyObject *capsule)
{
    return PyCapsule_IsValid(capsule, recurrence_name)
               ? PyCapsule_GetPointer(capsule, recurrence_name)
               : NULL;
}

/* Takes note of a row's size, if it isn't -1 (any): 0, or -1 with an exception. */
static int agree(recurrence *r, npy_intp size, const char *name)
{
    if (r->row_size < 0)
        r->row_size = size;
    if (size < 0 || size == r->row_size)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s is of %zd neurons, what came before it of %zd",
                 name, (Py_ssize_t)size, (Py_ssize_t)r->row_size);
    return -1;
}

/* One number, or one for each neuron of a row, in both types. */
static int read_numbers(recurrence *r, PyObject *object, const char *name,
                        PyArrayObject *numbers[2])
{
    PyArrayObject *const array = (PyArrayObject *)object;

    if (!PyArray_Check(object) || PyArray_NDIM(array) > 1 ||
        !(array_is_contiguous(array, NPY_DOUBLE) ||
          array_is_contiguous(array, NPY_FLOAT))) {
        PyErr_Format(PyExc_TypeError, "%s=%R", name, object);
        return -1;
    }
    for (int type = 0; type < 2; type++)
        if (!(numbers[type] = array_as_type(array, array_types[type], 0)))
            return -1;
    return PyArray_NDIM(array) ? agree(r, PyArray_SIZE(array), name) : 0;
}

static int read_projection(recurrence *r, PyObject *tuple)
{
    projection *const p = &r->projections[r->num_projections++];
    PyObject *capsule, *decay;
    Py_ssize_t delay;

    if (!PyArg_ParseTuple(tuple, "OnO", &capsule, &delay, &decay))
        return -1;
    weights *const w = weights_in(capsule);
    if (!w || delay < 1) {
        PyErr_Format(PyExc_TypeError, "projection %R", tuple);
        return -1;
    }
    Py_INCREF(capsule);
    p->weights = capsule;
    p->delay = (size_t)delay;
    p->size = (npy_intp)w->shape.num_inputs;
    if (w->shape.kind == SNNC_ONE_TO_ONE && w->shape.shared)
        p->size = -1;
    else if (w->shape.num_inputs != w->shape.num_outputs) {
        PyErr_SetString(PyExc_ValueError, "these weights aren't square");
        return -1;
    }
    if (p->delay > r->delays)
        r->delays = p->delay;
    if (agree(r, p->size, "weight") < 0)
        return -1;
    return decay == Py_None ? 0 : read_numbers(r, decay, "decay", p->decay);
}

PyObject *recurrence_new(PyObject *const args[4])
{
    recurrence *r = PyMem_Calloc(1, sizeof *r);
    PyObject *capsule = NULL;

    if (!r)
        return PyErr_NoMemory();
    r->delays = 1;
    r->row_size = -1;
    if (!cell_get(args[0]))
        goto fail;
    Py_INCREF(args[0]);
    r->cell = args[0];
    r->past_name = PyUnicode_AsUTF8AndSize(args[3], NULL);
    if (!r->past_name)
        goto fail;
    Py_INCREF(args[3]);
    r->past = args[3];
    r->hides_past = strcmp(r->past_name, "spk") == 0;
    if (!PyTuple_Check(args[2]) || PyTuple_Size(args[2]) > MAX_PROJECTIONS) {
        PyErr_Format(PyExc_TypeError, "projections=%R", args[2]);
        goto fail;
    }
    for (Py_ssize_t k = 0; k < PyTuple_Size(args[2]); k++)
        if (read_projection(r, PyTuple_GetItem(args[2], k)) < 0)
            goto fail;
    if (args[1] != Py_None && read_numbers(r, args[1], "bias", r->bias) < 0)
        goto fail;
    capsule = PyCapsule_New(r, recurrence_name, free_recurrence);
    if (capsule)
        return capsule;
fail:
    release(r);
    return NULL;
}
