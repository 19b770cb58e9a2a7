/* See arrays.h. */
#define NO_IMPORT_ARRAY
#include "arrays.h"

#include <string.h>

const int array_types[2] = {NPY_FLOAT, NPY_DOUBLE};

PyObject *shape_tuple(int ndim, const npy_intp *dims)
{
    PyObject *tuple = PyTuple_New(ndim);
    for (int d = 0; tuple && d < ndim; d++) {
        PyObject *length = PyLong_FromSsize_t(dims[d]);
        if (!length || PyTuple_SetItem(tuple, d, length) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

void shape_error(const char *format, const char *name, int ndim, const npy_intp *dims,
                 const shape *other)
{
    PyObject *a = shape_tuple(ndim, dims);
    PyObject *b = shape_tuple(other->ndim, other->dims);
    if (a && b)
        PyErr_Format(PyExc_ValueError, format, name, a, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
}

int shape_broadcast(shape *s, int ndim, const npy_intp *dims)
{
    shape merged;
    merged.ndim = s->ndim > ndim ? s->ndim : ndim;
    for (int d = 1; d <= merged.ndim; d++) {
        const npy_intp a = d <= s->ndim ? s->dims[s->ndim - d] : 1;
        const npy_intp b = d <= ndim ? dims[ndim - d] : 1;
        if (a != b && a != 1 && b != 1)
            return -1;
        merged.dims[merged.ndim - d] = a == 1 ? b : a;
    }
    s->ndim = merged.ndim;
    memcpy(s->dims, merged.dims, (size_t)merged.ndim * sizeof *merged.dims);
    return 0;
}

/* The offset in a page that is furthest from those of `count` addresses. */
static size_t offset_away_from(const void *const *others, int count)
{
    size_t best = 0, furthest = 0;
    for (size_t place = 0; place < SNNC_ALIAS_BYTES; place += SNNC_ALIAS_DISTANCE) {
        size_t nearest = SNNC_ALIAS_BYTES;
        for (int i = 0; i < count; i++) {
            const size_t ahead = (place - (uintptr_t)others[i]) % SNNC_ALIAS_BYTES;
            const size_t behind = (SNNC_ALIAS_BYTES - ahead) % SNNC_ALIAS_BYTES;
            const size_t distance = ahead < behind ? ahead : behind;
            nearest = distance < nearest ? distance : nearest;
        }
        if (nearest > furthest) {
            furthest = nearest;
            best = place;
        }
    }
    return best;
}

PyObject *array_new(int ndim, const npy_intp *dims, int type, const void *const *others,
                    int count)
{
    const npy_intp size = shape_product(ndim, dims);
    const npy_intp item = type == NPY_FLOAT                       ? 4
                          : type == NPY_UINT8 || type == NPY_BOOL ? 1
                                                                  : 8;

    if (size < MIN_PLACED_BYTES / item || size > NPY_MAX_INTP / 8 - SNNC_ALIAS_BYTES)
        return PyArray_SimpleNew(ndim, (npy_intp *)dims, type); /* or its error */
    const npy_intp bytes = size * item + SNNC_ALIAS_BYTES - 1;
    PyObject *memory = PyArray_SimpleNew(1, (npy_intp *)&bytes, NPY_UINT8);
    if (!memory) {
        PyErr_Clear();
        return PyArray_SimpleNew(ndim, (npy_intp *)dims, type); /* or its error */
    }
    char *const data = PyArray_DATA((PyArrayObject *)memory);
    PyObject *array = PyArray_SimpleNewFromData(
        ndim, dims, type,
        data + (offset_away_from(others, count) - (uintptr_t)data) % SNNC_ALIAS_BYTES);
    if (!array)
        Py_DECREF(memory);
    else if (PyArray_SetBaseObject((PyArrayObject *)array, memory) < 0)
        Py_CLEAR(array);
    return array;
}

/* Whether it is of that type, or a list or tuple (of lists ...) that holds one. No code
 * of the object's own is asked. */
static int holds_type(PyObject *object, PyTypeObject *type, int depth)
{
    if (PyType_IsSubtype(Py_TYPE(object), type))
        return 1;
    if (depth == 0 || !(PyList_Check(object) || PyTuple_Check(object)))
        return 0;
    const Py_ssize_t size =
        PyList_Check(object) ? PyList_Size(object) : PyTuple_Size(object);
    for (Py_ssize_t i = 0; i < size; i++)
        if (holds_type(PyList_Check(object) ? PyList_GetItem(object, i)
                                            : PyTuple_GetItem(object, i),
                       type, depth - 1))
            return 1;
    return 0;
}

int array_is_masked(PyObject *object)
{
    enum { DEPTH = 4 }; /* of lists, some of which hold themselves */
    int masked = 0;
    PyObject *name = PyUnicode_FromString("numpy.ma");
    PyObject *module = name ? PyImport_GetModule(name) : NULL;
    PyObject *type = module ? PyObject_GetAttrString(module, "MaskedArray") : NULL;
    if (type && PyType_Check(type))
        masked = holds_type(object, (PyTypeObject *)type, DEPTH);
    else if (PyErr_Occurred())
        masked = -1;
    Py_XDECREF(type);
    Py_XDECREF(module);
    Py_XDECREF(name);
    return masked;
}

int array_refuse_masked(const char *name, PyObject *object)
{
    const int masked =
        PyArray_Check(object) || PyList_Check(object) || PyTuple_Check(object)
            ? array_is_masked(object)
            : 0;
    if (masked > 0)
        PyErr_Format(PyExc_TypeError,
                     "%s %s a masked array; pass an array without a mask, e.g. "
                     "%s.filled(0)",
                     name, PyArray_Check(object) ? "is" : "holds", name);
    return masked ? -1 : 0;
}

void array_name_in_error(const char *name, const char *expected)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (type == PyExc_ValueError || type == PyExc_TypeError ||
        type == PyExc_RuntimeError) {
        PyErr_Format(type == PyExc_ValueError ? type : PyExc_TypeError,
                     "%s is not %s: %S", name, expected, value);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return;
    }
    PyObject *note = PyUnicode_FromFormat("while %s was converted to an array", name);
    PyObject *none = note ? PyObject_CallMethod(value, "add_note", "O", note) : NULL;
    if (!none)
        PyErr_Clear();
    Py_XDECREF(none);
    Py_XDECREF(note);
    PyErr_Restore(type, value, traceback);
}

PyArrayObject *array_real_numbers(PyObject *object, const char *name)
{
    PyArrayObject *array;

    if (PyArray_CheckExact(object)) {
        array = array_incref((PyArrayObject *)object);
    }
    else {
        if (array_refuse_masked(name, object) < 0)
            return NULL;
        array = (PyArrayObject *)PyArray_FromAny(object, NULL, 0, 0,
                                                 NPY_ARRAY_ENSUREARRAY, NULL);
        if (!array) {
            array_name_in_error(name, "an array of real numbers");
            return NULL;
        }
    }
    const int type = PyArray_TYPE(array);
    if (type == NPY_FLOAT || type == NPY_DOUBLE || type == NPY_HALF ||
        PyTypeNum_ISBOOL(type) || PyTypeNum_ISINTEGER(type))
        return array;
    if (PyArray_NDIM(array) == 0 && !PyArray_Check(object))
        PyErr_Format(PyExc_TypeError,
                     "%s=%R; expected a real number, or an array of them", name,
                     object);
    else
        PyErr_Format(PyExc_TypeError,
                     "%s has dtype %S; expected float32, float64, float16, integers or "
                     "bool",
                     name, PyArray_DESCR(array));
    array_xdecref(array);
    return NULL;
}

PyArrayObject *array_operand(PyObject *object, const char *name, int *weak)
{
    *weak = 0;
    if (PyFloat_CheckExact(object) || PyLong_CheckExact(object) ||
        PyBool_Check(object)) {
        PyArrayObject *array;
        const double value = PyFloat_AsDouble(object);
        if (value == -1 && PyErr_Occurred()) {
            PyErr_Format(PyExc_OverflowError, "%s is an int too large for float64",
                         name);
            return NULL;
        }
        *weak = 1;
        array = (PyArrayObject *)PyArray_SimpleNew(0, NULL, NPY_DOUBLE);
        if (array)
            memcpy(PyArray_DATA(array), &value, sizeof value);
        return array;
    }
    return array_real_numbers(object, name);
}

int array_is_regular(PyArrayObject *array)
{
    int regular = PyArray_ISBEHAVED_RO(array);
    for (int d = 0; regular && d < PyArray_NDIM(array); d++)
        regular = PyArray_DIM(array, d) <= 1 ||
                  PyArray_STRIDE(array, d) % PyArray_ITEMSIZE(array) == 0;
    return regular;
}

/* Doubles as floats. NumPy's cast warns of those that are inf then, but for an input,
 * which the core converts: a number is no error here. */
static PyArrayObject *narrowed(PyArrayObject *array)
{
    PyArrayObject *const from = (PyArrayObject *)PyArray_FROMANY(
        (PyObject *)array, NPY_DOUBLE, 0, 0, NPY_ARRAY_CARRAY_RO);
    PyArrayObject *const to =
        from ? (PyArrayObject *)PyArray_SimpleNew(PyArray_NDIM(from),
                                                  PyArray_DIMS(from), NPY_FLOAT)
             : NULL;

    if (to) {
        const double *const doubles = PyArray_DATA(from);
        float *const floats = PyArray_DATA(to);
        const npy_intp size = PyArray_SIZE(from);
        for (npy_intp i = 0; i < size; i++)
            floats[i] = (float)doubles[i];
    }
    array_xdecref(from);
    return to;
}

PyArrayObject *array_as_type(PyArrayObject *array, int type, int copy)
{
    const int regular = array_is_regular(array);
    if (PyArray_TYPE(array) == type && regular && !copy)
        return array_incref(array);
    if (PyArray_TYPE(array) == NPY_DOUBLE && type == NPY_FLOAT)
        return narrowed(array);
    PyArray_Descr *descr = PyArray_DescrFromType(type);
    return descr ? (PyArrayObject *)PyArray_FromArray(
                       array, descr,
                       NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST |
                           (copy || !regular ? NPY_ARRAY_ENSURECOPY : 0))
                 : NULL;
}

int array_dtype(PyObject *object, const char *name, int for_spikes)
{
    PyArray_Descr *descr = NULL;
    int type;

    if (object == Py_None)
        return -1;
    if (for_spikes && PyUnicode_Check(object) &&
        PyUnicode_CompareWithASCIIString(object, "packed") == 0)
        return ARRAY_PACKED;
    const char *const accepted =
        for_spikes ? "float32, float64, uint8, bool or 'packed'" : "float32 or float64";
    if (!PyArray_DescrConverter(object, &descr)) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, "%s=%R is not a dtype; expected %s", name,
                         object, accepted);
        }
        return -2;
    }
    type = PyDataType_ISNOTSWAPPED(descr) ? PyDataType_TYPENUM(descr) : NPY_NOTYPE;
    Py_DECREF(descr);
    if (type == NPY_FLOAT || type == NPY_DOUBLE ||
        (for_spikes && (type == NPY_UINT8 || type == NPY_BOOL)))
        return type;
    PyErr_Format(PyExc_ValueError, "%s=%R; expected %s", name, object, accepted);
    return -2;
}

PyArrayObject *array_output(PyObject *given, const char *name, int type, const shape *s)
{
    if (!PyArray_Check(given)) {
        PyErr_Format(PyExc_TypeError, "out: %s must be an array or None, not %R", name,
                     given);
        return NULL;
    }
    const int masked = PyArray_CheckExact(given) ? 0 : array_is_masked(given);
    if (masked > 0)
        PyErr_Format(PyExc_TypeError, "out: %s is a masked array", name);
    if (masked)
        return NULL;
    PyArrayObject *const a = (PyArrayObject *)given;
    if (!array_has_shape(a, s->ndim, s->dims)) {
        shape_error("out: %s has shape %R; expected %R", name, PyArray_NDIM(a),
                    PyArray_DIMS(a), s);
        return NULL;
    }
    if (PyArray_TYPE(a) != type || PyArray_ISBYTESWAPPED(a)) {
        PyObject *expected = (PyObject *)PyArray_DescrFromType(type);
        PyErr_Format(PyExc_ValueError, "out: %s has dtype %S; expected %S", name,
                     PyArray_DESCR(a), expected);
        Py_XDECREF(expected);
        return NULL;
    }
    if (!PyArray_ISCARRAY(a)) {
        PyErr_Format(PyExc_ValueError,
                     "out: %s is %s; expected a C-contiguous, writeable "
                     "array",
                     name,
                     !PyArray_ISWRITEABLE(a)       ? "read-only"
                     : !PyArray_IS_C_CONTIGUOUS(a) ? "not C-contiguous"
                                                   : "not aligned");
        return NULL;
    }
    return a;
}

/* The bytes that an array spans; of no elements none. */
static extent span(PyArrayObject *array)
{
    char *low = PyArray_BYTES(array), *high = low + PyArray_ITEMSIZE(array);

    for (int d = 0; d < PyArray_NDIM(array); d++) {
        const npy_intp length = PyArray_DIM(array, d);
        const npy_intp reach = (length - 1) * PyArray_STRIDE(array, d);
        if (length == 0)
            return (extent){low, 0};
        if (reach < 0)
            low += reach;
        else
            high += reach;
    }
    return (extent){low, (size_t)(high - low)};
}

int array_overlap(PyArrayObject *a, PyArrayObject *b)
{
    const extent first = span(a), second = span(b);
    return first.size && second.size && !extents_are_apart(first, second);
}

int array_core_type(PyArrayObject *array)
{
    if (!array_is_regular(array))
        return -1;
    switch (PyArray_TYPE(array)) {
    case NPY_FLOAT: return SNNC_F32;
    case NPY_DOUBLE: return SNNC_F64;
    case NPY_HALF: return SNNC_F16;
    case NPY_BOOL: return SNNC_BOOL;
    case NPY_UBYTE: return SNNC_U8;
    default: return -1;
    }
}

int layout_merge(int ndim, const npy_intp *dims, int count,
                 ptrdiff_t (*strides)[NPY_MAXDIMS], size_t *merged)
{
    int kept = NPY_MAXDIMS; /* dimensions are gathered from the last to the first */

    for (int d = ndim - 1; d >= 0; d--) {
        const ptrdiff_t inner = kept < NPY_MAXDIMS ? (ptrdiff_t)merged[kept] : 0;
        int goes_on = inner > 0;
        if (dims[d] == 1)
            continue;
        for (int a = 0; goes_on && a < count; a++)
            goes_on = strides[a][d] == strides[a][kept] * inner;
        if (goes_on) {
            merged[kept] *= (size_t)dims[d];
            continue;
        }
        kept--;
        merged[kept] = (size_t)dims[d];
        for (int a = 0; a < count; a++)
            strides[a][kept] = strides[a][d];
    }
    return NPY_MAXDIMS - kept;
}

const ptrdiff_t *layout_strides(int ndim, const ptrdiff_t *strides)
{
    const ptrdiff_t *own = strides + NPY_MAXDIMS - ndim;
    return ndim == 0 || (ndim == 1 && own[0] == 1) ? NULL : own;
}

enum { MAX_OTHERS = 16 }; /* of which array_empty takes account */

PyObject *array_empty(Py_ssize_t size, PyObject *dtype, PyObject *const *others,
                      Py_ssize_t count)
{
    const void *addresses[MAX_OTHERS];
    const npy_intp dims[1] = {size};
    int known = 0;

    for (Py_ssize_t i = 0; i < count && known < MAX_OTHERS; i++)
        if (PyArray_Check(others[i]))
            addresses[known++] = PyArray_DATA((PyArrayObject *)others[i]);
    const int type = array_dtype(dtype, "dtype", 0);
    if (type == -1)
        return PyErr_Format(PyExc_TypeError, "no dtype");
    return type < 0 ? NULL : array_new(1, dims, type, addresses, known);
}
