/* See weights.h. */
#define NO_IMPORT_ARRAY
#include "weights.h"

#include <string.h>

static const char weights_name[] = "snnc.weights";

static void release(weights *w)
{
    array_xdecref(w->data[0]);
    array_xdecref(w->data[1]);
    array_xdecref(w->indptr);
    array_xdecref(w->indices);
    PyMem_Free(w);
}

static void free_weights(PyObject *capsule)
{
    release(PyCapsule_GetPointer(capsule, weights_name));
}

weights *weights_in(PyObject *capsule)
{
    return PyCapsule_IsValid(capsule, weights_name)
               ? PyCapsule_GetPointer(capsule, weights_name)
               : NULL;
}

/* A contiguous array of one type or another, and of ndim dimensions; NULL with an
 * exception. */
static PyArrayObject *array_of(PyObject *object, const char *name, int ndim, int type,
                               int other)
{
    PyArrayObject *const array = (PyArrayObject *)object;
    if (PyArray_Check(object) && PyArray_NDIM(array) == ndim &&
        (array_is_contiguous(array, type) || array_is_contiguous(array, other)))
        return array;
    PyErr_Format(PyExc_TypeError, "%s=%R", name, object);
    return NULL;
}

/* Reads arguments of compressed sparse rows: whether all is as it must be, or 0 with an
 * exception. */
static int read_sparse(PyObject *const args[4], snnc_weights *shape, int may_share)
{
    PyArrayObject *data = array_of(args[0], "data", 1, NPY_FLOAT, NPY_DOUBLE);
    PyArrayObject *indptr =
        data ? array_of(args[1], "indptr", 1, NPY_INT64, NPY_INT64) : NULL;
    PyArrayObject *indices =
        indptr ? array_of(args[2], "indices", 1, NPY_INT32, NPY_INT32) : NULL;
    const Py_ssize_t num_outputs = indices ? PyLong_AsSsize_t(args[3]) : -1;

    if (num_outputs == -1 && PyErr_Occurred())
        return 0;
    const npy_intp rows = PyArray_SIZE(indptr) - 1, count = PyArray_SIZE(indices);
    shape->kind = SNNC_SPARSE;
    shape->num_inputs = (size_t)rows;
    shape->num_outputs = (size_t)num_outputs;
    shape->data = PyArray_DATA(data);
    shape->indptr = PyArray_DATA(indptr);
    shape->indices = PyArray_DATA(indices);
    shape->shared = may_share && PyArray_SIZE(data) == rows && rows != count;
    if (rows >= 0 && num_outputs >= 0 && num_outputs <= INT32_MAX &&
        PyArray_SIZE(data) == (shape->shared ? rows : count) &&
        snnc_is_sparse(shape, (size_t)count))
        return 1;
    PyErr_SetString(PyExc_ValueError, "these are no compressed sparse rows");
    return 0;
}

PyObject *weights_new(PyObject *const args[4])
{
    const int is_dense = args[1] == Py_None && args[3] != Py_None;
    PyArrayObject *const data = (PyArrayObject *)args[0];
    weights *w = PyMem_Calloc(1, sizeof *w);
    PyObject *capsule;

    if (!w)
        return PyErr_NoMemory();
    if (args[1] != Py_None) {
        if (!read_sparse(args, &w->shape, 1))
            goto fail;
        w->indptr = array_incref((PyArrayObject *)args[1]);
        w->indices = array_incref((PyArrayObject *)args[2]);
    }
    else {
        const int is_number =
            !is_dense && PyArray_Check(args[0]) && PyArray_NDIM(data) == 0;
        const int ndim = is_dense ? 2 : is_number ? 0 : 1;
        if (!array_of(args[0], "data", ndim, NPY_FLOAT, NPY_DOUBLE))
            goto fail;
        w->shape.kind = is_dense ? SNNC_DENSE : SNNC_ONE_TO_ONE;
        w->shape.num_inputs = is_number ? 0 : (size_t)PyArray_DIM(data, 0);
        w->shape.num_outputs = is_number ? 0 : (size_t)PyArray_DIM(data, is_dense);
        w->shape.shared = is_number;
    }
    w->data[array_real_type(PyArray_TYPE(data))] = array_incref(data);
    capsule = PyCapsule_New(w, weights_name, free_weights);
    if (capsule)
        return capsule;
fail:
    release(w);
    return NULL;
}

PyObject *weights_transpose(PyObject *const args[4])
{
    PyArrayObject *const data = (PyArrayObject *)args[0];
    PyObject *arrays[3] = {NULL};
    snnc_weights from = SNNC_WEIGHTS_INIT;

    if (!read_sparse(args, &from, 0))
        return NULL;
    const npy_intp rows = (npy_intp)from.num_outputs + 1, count = PyArray_SIZE(data);
    arrays[0] = PyArray_SimpleNew(1, &count, PyArray_TYPE(data));
    arrays[1] = PyArray_SimpleNew(1, &rows, NPY_INT64);
    arrays[2] = PyArray_SimpleNew(1, &count, NPY_INT32);
    PyObject *result = NULL;
    if (arrays[0] && arrays[1] && arrays[2]) {
        snnc_transpose(&from, array_real_type(PyArray_TYPE(data)),
                       PyArray_DATA((PyArrayObject *)arrays[0]),
                       PyArray_DATA((PyArrayObject *)arrays[1]),
                       PyArray_DATA((PyArrayObject *)arrays[2]));
        result = PyTuple_Pack(3, arrays[0], arrays[1], arrays[2]);
    }
    for (int i = 0; i < 3; i++)
        Py_XDECREF(arrays[i]);
    return result;
}

PyObject *weights_describe(weights *w, PyObject *capsule, int type,
                           snnc_weights *described)
{
    const snnc_type real = array_real_type(type);
    PyArrayObject *data;

    LOCK(capsule);
    if (!w->data[real] && w->data[1 - real])
        w->data[real] = array_as_type(w->data[1 - real], type, 0);
    data = w->data[real];
    Py_XINCREF((PyObject *)data);
    UNLOCK();
    *described = w->shape;
    if (!data)
        return NULL;
    described->data = PyArray_DATA(data);
    if (w->indptr) {
        described->indptr = PyArray_DATA(w->indptr);
        described->indices = PyArray_DATA(w->indices);
    }
    return (PyObject *)data;
}
