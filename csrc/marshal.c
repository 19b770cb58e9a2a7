/* NumPy arrays to the core's structs and back. Order of events: everything is
 * converted, checked and allocated before the first write to an array of the caller's.
 */
#define NO_IMPORT_ARRAY
#include "marshal.h"
#include "threads.h"

#include <string.h>
#include <time.h>

enum {
    SHORTEST_PERIOD = 256,          /* of parameters: shorter ones are tiled */
    STEPS_UNDER_GIL = 8 * 1024,     /* neuron-steps for which releasing it costs more */
    STEPS_OF_A_PIECE = 1024 * 1024, /* neuron-steps, until it is known what they take */
    PIECES_PER_SECOND = 200,        /* between which signals are checked */
    STEPS_PER_THREAD = 128 * 1024,  /* for which another one pays: 20 us */
    BACKWARD_COSTS = 4,             /* times as much as forward */
    /* Fewer are slower: the ends of their rows are fetched by two processors. */
    NEURONS_PER_THREAD = 2048
};

static const char cell_name[] = "snnc.cell";

const char *const marshal_records[MARSHAL_RECORD] = {"spk", "count", "first_spike",
                                                     "events"};

static const int numpy_type[2] = {NPY_FLOAT, NPY_DOUBLE};

/* ---- references to arrays ---- */

static PyArrayObject *keep(PyArrayObject *array)
{
    Py_INCREF((PyObject *)array);
    return array;
}

static void drop(PyArrayObject *array)
{
    Py_XDECREF((PyObject *)array);
}

/* Puts an owned array (or NULL) into a slot that owns another. */
static void replace(PyArrayObject **slot, PyArrayObject *array)
{
    PyArrayObject *last = *slot;
    *slot = array;
    drop(last);
}

/* ---- shapes ---- */

typedef struct {
    int ndim;
    npy_intp dims[NPY_MAXDIMS];
} shape;

static PyObject *shape_tuple(int ndim, const npy_intp *dims)
{
    PyObject *tuple = PyTuple_New(ndim);
    for (int d = 0; tuple && d < ndim; d++) {
        PyObject *length = PyLong_FromSsize_t(dims[d]);
        if (!length || PyTuple_SetItem(tuple, d, length) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* A ValueError whose format takes a name and two shapes. */
static void shape_error(const char *format, const char *name, int ndim,
                        const npy_intp *dims, const shape *other)
{
    PyObject *a = shape_tuple(ndim, dims);
    PyObject *b = shape_tuple(other->ndim, other->dims);
    if (a && b)
        PyErr_Format(PyExc_ValueError, format, name, a, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
}

/* Broadcasts s with other dimensions; -1 (and s unchanged) if they don't agree. */
static int broadcast(shape *s, int ndim, const npy_intp *dims)
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

/* Whether the dimensions stay as they are when s broadcasts with them. */
static int broadcasts_to(const shape *s, int ndim, const npy_intp *dims)
{
    if (s->ndim > ndim)
        return 0;
    for (int d = 1; d <= s->ndim; d++)
        if (s->dims[s->ndim - d] != 1 && s->dims[s->ndim - d] != dims[ndim - d])
            return 0;
    return 1;
}

static int same_dims(int ndim, const npy_intp *a, const npy_intp *b)
{
    int same = 1;
    for (int d = 0; same && d < ndim; d++)
        same = a[d] == b[d];
    return same;
}

static int same_shape(PyArrayObject *array, int ndim, const npy_intp *dims)
{
    return PyArray_NDIM(array) == ndim && same_dims(ndim, PyArray_DIMS(array), dims);
}

/* The product of dimensions, or -1 if that many float64 are too many to address. */
static npy_intp product(int ndim, const npy_intp *dims)
{
    const npy_intp most = NPY_MAX_INTP / (npy_intp)sizeof(double);
    npy_intp total = 1;
    for (int d = 0; d < ndim; d++)
        if (dims[d] == 0)
            return 0;
    for (int d = 0; d < ndim; d++) {
        if (total > most / dims[d])
            return -1;
        total *= dims[d];
    }
    return total;
}

/* ---- new arrays ---- */

enum { PAGE_BYTES = 4096, PLACES = 16, SMALLEST_PLACED = 32 * 1024 };

/* The place in a page that is furthest from those of `count` addresses. */
static size_t place_apart(const void *const *beside, int count)
{
    size_t best = 0, furthest = 0;
    for (size_t place = 0; place < PAGE_BYTES; place += PAGE_BYTES / PLACES) {
        size_t nearest = PAGE_BYTES;
        for (int i = 0; i < count; i++) {
            const size_t ahead = (place - (uintptr_t)beside[i]) % PAGE_BYTES;
            const size_t behind = (PAGE_BYTES - ahead) % PAGE_BYTES;
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

/* A new array, to be written while arrays at `count` addresses are read or written
 * beside it. A large one begins with a cache line, and at a place in its page apart
 * from theirs: where addresses agree in their last 12 bits, processors take a load for
 * one of what was stored just before, and wait for it. Which may take thrice the time.
 */
static PyObject *new_array(int ndim, const npy_intp *dims, int type,
                           const void *const *beside, int count)
{
    const npy_intp size = product(ndim, dims);
    const npy_intp item = type == NPY_FLOAT                       ? 4
                          : type == NPY_UINT8 || type == NPY_BOOL ? 1
                                                                  : 8;

    if (size < SMALLEST_PLACED / item || size > NPY_MAX_INTP / 8 - PAGE_BYTES)
        return PyArray_SimpleNew(ndim, (npy_intp *)dims, type); /* or its error */
    const npy_intp bytes = size * item + PAGE_BYTES - 1;
    PyObject *memory = PyArray_SimpleNew(1, (npy_intp *)&bytes, NPY_UINT8);
    if (!memory) {
        PyErr_Clear();
        return PyArray_SimpleNew(ndim, (npy_intp *)dims, type); /* or its error */
    }
    char *const data = PyArray_DATA((PyArrayObject *)memory);
    PyObject *array = PyArray_SimpleNewFromData(
        ndim, dims, type,
        data + (place_apart(beside, count) - (uintptr_t)data) % PAGE_BYTES);
    if (!array)
        Py_DECREF(memory);
    else if (PyArray_SetBaseObject((PyArrayObject *)array, memory) < 0)
        Py_CLEAR(array);
    return array;
}

/* ---- operands ---- */

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

int marshal_is_masked(PyObject *object)
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

/* 0, or -1 with an exception: NumPy would drop the mask. */
static int refuse_masked(const char *name, PyObject *object)
{
    const int masked =
        PyArray_Check(object) || PyList_Check(object) || PyTuple_Check(object)
            ? marshal_is_masked(object)
            : 0;
    if (masked > 0)
        PyErr_Format(PyExc_TypeError,
                     "%s %s a masked array; pass an array without a mask, e.g. "
                     "%s.filled(0)",
                     name, PyArray_Check(object) ? "is" : "holds", name);
    return masked ? -1 : 0;
}

/* Names the argument in an error of its conversion. NumPy's own errors (and torch's, of
 * a tensor that can't be read) are said anew as "`name` is not `expected`: ..."; errors
 * of other classes come from the object's own code, and get a note. */
static void name_in_error(const char *name, const char *expected)
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

/* An array of real numbers, as a new reference. `weak`: one of Python's own numbers,
 * which doesn't say in which dtype to compute. */
static PyArrayObject *operand(PyObject *object, const char *name, int *weak)
{
    PyArrayObject *array;

    *weak = 0;
    if (PyArray_CheckExact(object)) {
        array = keep((PyArrayObject *)object);
    }
    else if (PyFloat_CheckExact(object) || PyLong_CheckExact(object) ||
             PyBool_Check(object)) {
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
    else {
        if (refuse_masked(name, object) < 0)
            return NULL;
        array = (PyArrayObject *)PyArray_FromAny(object, NULL, 0, 0,
                                                 NPY_ARRAY_ENSUREARRAY, NULL);
        if (!array) {
            name_in_error(name, "an array of real numbers");
            return NULL;
        }
    }
    const int type = PyArray_TYPE(array);
    if (!(type == NPY_FLOAT || type == NPY_DOUBLE || type == NPY_HALF ||
          PyTypeNum_ISBOOL(type) || PyTypeNum_ISINTEGER(type))) {
        PyErr_Format(PyExc_TypeError,
                     "%s has dtype %S; expected float32, float64, float16, integers or "
                     "bool",
                     name, PyArray_DESCR(array));
        drop(array);
        return NULL;
    }
    return array;
}

/* Whether the elements are aligned, native, and whole elements apart: where alignment
 * is less than size, as of double on i386, the latter doesn't follow. */
static int is_regular(PyArrayObject *array)
{
    int regular = PyArray_ISBEHAVED_RO(array);
    for (int d = 0; regular && d < PyArray_NDIM(array); d++)
        regular = PyArray_DIM(array, d) <= 1 ||
                  PyArray_STRIDE(array, d) % PyArray_ITEMSIZE(array) == 0;
    return regular;
}

/* The array as regular elements of the type; itself where it is that already. */
static PyArrayObject *as_type(PyArrayObject *array, int type, int copy)
{
    const int regular = is_regular(array);
    if (PyArray_TYPE(array) == type && regular && !copy)
        return keep(array);
    PyArray_Descr *descr = PyArray_DescrFromType(type);
    return descr ? (PyArrayObject *)PyArray_FromArray(
                       array, descr,
                       NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST |
                           (copy || !regular ? NPY_ARRAY_ENSURECOPY : 0))
                 : NULL;
}

/* Whether the array's elements are `dims` of the type, one after the other. */
static int is_plain(PyArrayObject *array, int type, int ndim, const npy_intp *dims)
{
    return PyArray_TYPE(array) == type && PyArray_IS_C_CONTIGUOUS(array) &&
           PyArray_ISBEHAVED_RO(array) && same_shape(array, ndim, dims);
}

int marshal_type(PyObject *object, const char *name, int narrow)
{
    PyArray_Descr *descr = NULL;
    int type;

    if (object == Py_None)
        return -1;
    if (narrow && PyUnicode_Check(object) &&
        PyUnicode_CompareWithASCIIString(object, "packed") == 0)
        return MARSHAL_PACKED;
    const char *const accepted =
        narrow ? "float32, float64, uint8, bool or 'packed'" : "float32 or float64";
    if (!PyArray_DescrConverter(object, &descr)) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, "%s=%R is not a dtype; expected %s", name,
                         object, accepted);
        }
        return -2;
    }
    type = PyDataType_ISNOTSWAPPED(descr) ? descr->type_num : NPY_NOTYPE;
    Py_DECREF(descr);
    if (type == NPY_FLOAT || type == NPY_DOUBLE ||
        (narrow && (type == NPY_UINT8 || type == NPY_BOOL)))
        return type;
    PyErr_Format(PyExc_ValueError, "%s=%R; expected %s", name, object, accepted);
    return -2;
}

/* ---- overlap ---- */

/* Whether two arrays may share bytes, by the ranges that they span. */
static int overlap(PyArrayObject *a, PyArrayObject *b)
{
    const char *low[2], *high[2];
    PyArrayObject *const arrays[2] = {a, b};

    for (int i = 0; i < 2; i++) {
        low[i] = PyArray_BYTES(arrays[i]);
        high[i] = low[i] + PyArray_ITEMSIZE(arrays[i]);
        for (int d = 0; d < PyArray_NDIM(arrays[i]); d++) {
            const npy_intp length = PyArray_DIM(arrays[i], d);
            const npy_intp reach = (length - 1) * PyArray_STRIDE(arrays[i], d);
            if (length == 0)
                return 0;
            if (reach < 0)
                low[i] += reach;
            else
                high[i] += reach;
        }
    }
    return low[0] < high[1] && low[1] < high[0];
}

/* ---- cells ---- */

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

static cell *get_cell(PyObject *capsule)
{
    cell *c = PyCapsule_GetPointer(capsule, cell_name);
    if (!c)
        PyErr_Format(PyExc_TypeError,
                     "%R is no cell of a neuron: does the __init__ of its class call "
                     "super().__init__?",
                     capsule);
    return c;
}

const snnc_model_info *marshal_model(PyObject *capsule)
{
    const cell *c = get_cell(capsule);
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
            operand(PyTuple_GetItem(constants, k), c->info->params[k], &weak);
        PyArrayObject *array = given ? as_type(given, numpy_type[type], 0) : NULL;
        drop(given);
        if (!array) {
            Py_CLEAR(arrays);
        }
        else if (broadcast(&c->shape, PyArray_NDIM(array), PyArray_DIMS(array)) < 0) {
            shape_error(
                "%s of shape %R does not broadcast with the other parameters' %R",
                c->info->params[k], PyArray_NDIM(array), PyArray_DIMS(array),
                &c->shape);
            drop(array);
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
    drop(plain);
    return weighs;
}

PyObject *marshal_cell(int model, int reset, int undelayed, int inhibition,
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
    c->uniform = product(c->shape.ndim, c->shape.dims) == 1;
    for (int k = 0; k < c->info->num_params; k++)
        if (strcmp(c->info->params[k], "graded_spikes_factor") == 0) {
            c->graded = weighs_spikes(
                (PyArrayObject *)PyTuple_GetItem(c->constants[SNNC_F64], k));
            if (c->graded < 0) {
                Py_DECREF(capsule);
                return NULL;
            }
        }
    return capsule;
}

/* The constants for a neuron shape, all with the period of the shortest trailing block
 * of neurons that covers them (short ones repeated, and with inhibition up to a row of
 * rivals): a tuple of arrays, kept until another shape is asked for. A new reference.
 */
static PyObject *expand(cell *c, int type, int ndim, const npy_intp *dims)
{
    PyObject *expanded = c->expanded[type];
    shape block;
    const int lead = ndim - c->shape.ndim;
    int first = lead;
    npy_intp size, repeats = 1, outer;

    if (expanded && c->expanded_for[type].ndim == ndim &&
        same_dims(ndim, c->expanded_for[type].dims, dims)) {
        Py_INCREF(expanded);
        return expanded;
    }
    while (c->shape.dims[first - lead] == 1)
        first++;
    const int outermost = first > 0; /* dimensions before the block to repeat it over */
    block.ndim = ndim - first + outermost;
    memcpy(block.dims + outermost, dims + first,
           (size_t)(ndim - first) * sizeof(npy_intp));
    size = product(ndim - first, dims + first);
    outer = product(first, dims);
    if (c->inhibition && first > 1)
        repeats = product(first - 1, dims + 1);
    else if (!c->inhibition && size > 0 && size < SHORTEST_PERIOD)
        repeats = (SHORTEST_PERIOD + size - 1) / size;
    if (outermost)
        block.dims[0] = repeats < outer ? repeats : outer;

    if (!expanded || !same_shape((PyArrayObject *)PyTuple_GetItem(expanded, 0),
                                 block.ndim, block.dims)) {
        expanded = PyTuple_New(c->info->num_params);
        for (int k = 0; expanded && k < c->info->num_params; k++) {
            PyObject *array =
                PyArray_SimpleNew(block.ndim, block.dims, numpy_type[type]);
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

/* ---- a job for several threads ---- */

typedef struct {
    size_t n0, n1;
    snnc_status status;
} range;

/* The first member of every job. */
typedef struct crew {
    snnc_status (*run)(const struct crew *job, size_t i); /* range i of a piece */
    range *ranges; /* of neurons, for one thread each */
    size_t num_ranges;
    size_t unit;                 /* ranges and parts are cut at multiples of it */
    size_t t0, t1;               /* the piece that the threads are at */
    size_t part, num_parts;      /* of each range, where even a step takes too long */
    size_t work;                 /* neuron-steps of a piece */
    char *allocated, *workspace; /* the latter aligned within the former */
    size_t workspace_size;       /* of each range */
} crew;

/* How many threads, of those that there may be, pay for so many steps that cost so
 * much, of neurons that come in units. */
static size_t paying(Py_ssize_t threads, size_t n, size_t unit, size_t steps,
                     size_t cost)
{
    const size_t most[] = {THREADS_MOST, n / unit, n / NEURONS_PER_THREAD,
                           n * steps * cost / STEPS_PER_THREAD};
    size_t pays = (size_t)threads;

    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        if (pays > most[i])
            pays = most[i];
    return pays > 1 ? pays : 1;
}

/* Where the i-th of `count` equal parts of a range begins: at a multiple of `unit` from
 * its beginning. The part after the last begins where the range ends. */
static size_t cut(range whole, size_t unit, size_t i, size_t count)
{
    const size_t units = (whole.n1 - whole.n0) / unit;
    return i < count ? whole.n0 + units * i / count * unit : whole.n1;
}

/* Cuts n neurons into ranges at multiples of `unit`, one for each thread. */
static int cut_neurons(crew *c, size_t n, size_t unit, size_t threads)
{
    const range all = {0, n, SNNC_OK};

    c->unit = unit;
    c->num_ranges = threads;
    c->ranges = PyMem_Calloc(c->num_ranges, sizeof *c->ranges);
    if (c->workspace_size && c->workspace_size < PY_SSIZE_T_MAX / 2 / threads) {
        c->workspace_size = (c->workspace_size + 63) / 64 * 64;
        c->allocated = PyMem_Malloc(threads * c->workspace_size + 63);
        if (c->allocated)
            c->workspace = c->allocated + (64 - (uintptr_t)c->allocated % 64) % 64;
    }
    if (!c->ranges || (c->workspace_size && !c->allocated)) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < threads; i++) {
        c->ranges[i].n0 = cut(all, unit, i, threads);
        c->ranges[i].n1 = cut(all, unit, i + 1, threads);
    }
    return 0;
}

/* The neurons of range i that the part at hand is of. */
static range part_of(const crew *c, size_t i)
{
    range part = c->ranges[i];
    part.n0 = cut(c->ranges[i], c->unit, c->part, c->num_parts);
    part.n1 = cut(c->ranges[i], c->unit, c->part + 1, c->num_parts);
    return part;
}

static void release_crew(crew *c)
{
    PyMem_Free(c->allocated);
    PyMem_Free(c->ranges);
}

static PyObject *fail_run(snnc_status status)
{
    return PyErr_Format(PyExc_SystemError, "snnc: %s", snnc_strerror(status));
}

static void work(void *job, size_t i)
{
    crew *const c = job;
    c->ranges[i].status = c->run(c, i);
}

/* How many neuron-steps the next piece may have, after one of so many took so much of
 * the processors' time. */
static size_t next_work(size_t steps, clock_t taken, size_t threads)
{
    enum { MOST = 8 }; /* times as much, or as little: a measurement may mislead */
    const double aim = (double)CLOCKS_PER_SEC / PIECES_PER_SECOND * (double)threads;
    const double factor = taken > 0 ? aim / (double)taken : MOST;

    if (factor >= MOST)
        return steps < SIZE_MAX / MOST ? steps * MOST : SIZE_MAX;
    return factor * MOST <= 1 ? steps / MOST + 1 : (size_t)(factor * (double)steps) + 1;
}

/* All ranges of the piece at hand, without the GIL where that pays. A piece of one step
 * (back in time: of one segment) may be so long that it is done in parts. Signals are
 * checked before each but the first part of a call. */
static int run_piece(crew *c, int first)
{
    const size_t count = c->num_ranges, n = c->ranges[count - 1].n1;
    const size_t total = n * (c->t1 - c->t0);

    c->num_parts = total > c->work ? (total - 1) / c->work + 1 : 1;
    if (c->num_parts > n / c->unit)
        c->num_parts = n / c->unit ? n / c->unit : 1;
    for (c->part = 0; c->part < c->num_parts; c->part++) {
        const int measured = total / c->num_parts >= c->work / 2;
        if (!first && PyErr_CheckSignals() < 0)
            return -1;
        first = 0;
        if (total <= STEPS_UNDER_GIL)
            threads_share(work, c, count);
        else {
            const clock_t start = measured ? clock() : 0;
            Py_BEGIN_ALLOW_THREADS
            threads_share(work, c, count);
            Py_END_ALLOW_THREADS
            if (measured && c->part + 1 == c->num_parts)
                c->work = next_work(total / c->num_parts, clock() - start, count);
        }
        for (size_t i = 0; i < count; i++)
            if (c->ranges[i].status != SNNC_OK) {
                fail_run(c->ranges[i].status);
                return -1;
            }
    }
    return 0;
}

/* ---- a call ---- */

typedef struct {
    crew crew;
    const snnc_isa *isa;
    const marshal_request *request; /* only while the call is prepared */
    PyObject *capsule;              /* that keeps the cell alive */
    cell *cell;
    int sequence;
    int type, spk_type; /* NumPy's */
    int packed;
    npy_intp num_steps, n;
    npy_intp num_recorded; /* steps whose states are recorded */
    int x_axis, out_axis;  /* of time; -1: none */
    Py_ssize_t slice[3];   /* of neurons to record, where they aren't `indices` */
    /* Owned. An output is the caller's array if `given`. */
    PyArrayObject *x, *start[SNNC_MAX_STATES];
    PyArrayObject *indices; /* of neurons to record, or NULL */
    PyArrayObject *out[MARSHAL_NUM_OUTPUTS];
    int given[MARSHAL_NUM_OUTPUTS];
    PyArrayObject *event_step, *event_neuron;
    npy_intp num_events;
    PyObject *params;
    npy_intp num_selected;
    size_t *select, *select_at;
    uint8_t *bits;
    /* From here on nothing is zeroed in advance. */
    shape neurons;
    snnc_call call; /* what the core reads while it runs, with the arrays below */
    size_t dims[NPY_MAXDIMS];
    ptrdiff_t strides[3][NPY_MAXDIMS]; /* of x, spikes and recorded states */
} job;

static const char *input_name(const job *j)
{
    return j->sequence ? "x" : "input_";
}

/* An axis argument as one of `ndim` axes; -1 with an exception. */
static int normalize_axis(Py_ssize_t axis, int ndim)
{
    if (axis >= -ndim && axis < ndim)
        return (int)(axis < 0 ? axis + ndim : axis);
    PyErr_Format(PyExc_ValueError,
                 "time_axis=%zd is out of bounds for an array of %d dimensions", axis,
                 ndim);
    return -1;
}

/* The core's type for arrays that it reads as they are, or -1. */
static int core_type(PyArrayObject *array)
{
    if (!is_regular(array))
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

/* Converts the neurons to record to a slice, or to indices (int64, and checked against
 * the number of neurons when that is known). */
static int take_neurons(job *j)
{
    static const char expected[] = "a slice, or a sequence of indices";
    PyObject *neurons = j->request->neurons;

    if (!neurons || neurons == Py_None)
        return 0;
    if (PySlice_Check(neurons)) {
        if (PySlice_Unpack(neurons, &j->slice[0], &j->slice[1], &j->slice[2]) == 0)
            return 0;
        name_in_error("neurons", expected);
        return -1;
    }
    if (refuse_masked("neurons", neurons) < 0)
        return -1;
    PyArrayObject *given =
        (PyArrayObject *)PyArray_FromAny(neurons, NULL, 0, 0, 0, NULL);
    if (!given) {
        name_in_error("neurons", expected);
        return -1;
    }
    const int empty = PyArray_SIZE(given) == 0; /* of a list: float64 */
    if (PyArray_NDIM(given) != 1 ||
        (!empty && !PyTypeNum_ISINTEGER(PyArray_TYPE(given)))) {
        static const char mask[] = "of a mask: np.flatnonzero(mask)";
        if (PyArray_SIZE(given) <= 8)
            PyErr_Format(PyExc_TypeError,
                         "neurons=%R; expected %s into the flattened neuron shape (%s)",
                         neurons, expected, mask);
        else
            PyErr_Format(PyExc_TypeError,
                         "neurons has dtype %S and %d axes; expected %s into the "
                         "flattened neuron shape (%s)",
                         PyArray_DESCR(given), PyArray_NDIM(given), expected, mask);
        drop(given);
        return -1;
    }
    j->indices = (PyArrayObject *)PyArray_FROMANY(
        (PyObject *)given, NPY_INT64, 1, 1,
        NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST | NPY_ARRAY_ENSURECOPY);
    const int64_t *at = j->indices ? PyArray_DATA(j->indices) : NULL;
    const int is_unsigned = PyTypeNum_ISUNSIGNED(PyArray_TYPE(given));
    drop(given);
    for (npy_intp i = 0; at && is_unsigned && i < PyArray_SIZE(j->indices); i++)
        if (at[i] < 0) {
            PyErr_Format(PyExc_ValueError, "neurons: index %llu is out of bounds",
                         (unsigned long long)at[i]);
            return -1;
        }
    return at ? 0 : -1;
}

/* Whether an operand of this type asks for float64: float64 does, and of a model with
 * hard resets, which scripts compute in float64, all but float32 and float16. */
static int is_wide(const snnc_model_info *info, int type)
{
    return info->hard ? type != NPY_FLOAT && type != NPY_HALF : type == NPY_DOUBLE;
}

/* Converts the operands: x, the start states (NULL where at rest), and the type to
 * compute in, which is float64 if any of them is wide. Conversions may run Python code,
 * so no type or shape is read before the last of them; x is a view that no code can
 * reshape. */
static int take_operands(job *j)
{
    const marshal_request *request = j->request;
    const snnc_model_info *info = j->cell->info;
    int weak_x, weak[SNNC_MAX_STATES] = {0};

    if (take_neurons(j) < 0)
        return -1;
    j->x = operand(request->input, input_name(j), &weak_x);
    if (!j->x)
        return -1;
    for (int k = 0; k < info->num_states; k++) {
        PyObject *state = request->states[k];
        if (state == Py_None) {
            if (request->sequence)
                continue;
            PyErr_Format(
                PyExc_TypeError,
                "%s is missing: a step needs every state, at first as reset_mem() "
                "returns it (or let the neuron hold its states: init_hidden=True)",
                info->states[k]);
            return -1;
        }
        j->start[k] = operand(state, info->states[k], &weak[k]);
        if (!j->start[k])
            return -1;
    }
    int all_weak = weak_x, wide = !weak_x && is_wide(info, PyArray_TYPE(j->x));
    for (int k = 0; k < info->num_states; k++)
        if (j->start[k] && !weak[k]) {
            all_weak = 0;
            wide = wide || is_wide(info, PyArray_TYPE(j->start[k]));
        }
    j->type = wide || (all_weak && info->hard) ? NPY_DOUBLE : NPY_FLOAT;
    if (request->type != -1)
        j->type = request->type;
    const int readable = core_type(j->x) >= 0 && PyArray_SIZE(j->x) != 1;
    PyArrayObject *x = readable
                           ? (PyArrayObject *)PyArray_View(j->x, NULL, &PyArray_Type)
                           : as_type(j->x, j->type, 0);
    if (!x)
        return -1;
    replace(&j->x, x);
    return 0;
}

static int take_num_steps(job *j)
{
    const marshal_request *request = j->request;

    j->x_axis = j->out_axis = -1;
    if (!request->sequence) {
        j->num_steps = 1;
    }
    else if (request->num_steps == -1) {
        if (PyArray_NDIM(j->x) == 0) {
            PyErr_SetString(
                PyExc_TypeError,
                "x has no time axis (it is 0-d): pass an array of shape (T, ...), "
                "or num_steps= to hold x for that many steps");
            return -1;
        }
        j->x_axis = normalize_axis(request->time_axis, PyArray_NDIM(j->x));
        if (j->x_axis < 0)
            return -1;
        j->num_steps = PyArray_DIM(j->x, j->x_axis);
    }
    else
        j->num_steps = request->num_steps;
    return 0;
}

/* The neuron shape: of the input without time, the parameters and the states. */
static int find_neurons(job *j)
{
    const snnc_model_info *info = j->cell->info;
    const shape *parameters = &j->cell->shape;
    shape *neurons = &j->neurons;

    neurons->ndim = 0;
    for (int d = 0; d < PyArray_NDIM(j->x); d++)
        if (d != j->x_axis)
            neurons->dims[neurons->ndim++] = PyArray_DIM(j->x, d);
    if (broadcast(neurons, parameters->ndim, parameters->dims) < 0) {
        /* Which of them? Each is a (name, shape) of the user's. */
        for (Py_ssize_t i = 0; i < PyTuple_Size(j->cell->parameters); i++) {
            shape p = {0};
            PyObject *pair = PyTuple_GetItem(j->cell->parameters, i), *dims;
            const char *name;
            if (!PyArg_ParseTuple(pair, "sO!", &name, &PyTuple_Type, &dims))
                return -1;
            for (p.ndim = 0; p.ndim < PyTuple_Size(dims) && p.ndim < NPY_MAXDIMS;
                 p.ndim++)
                p.dims[p.ndim] = PyLong_AsSsize_t(PyTuple_GetItem(dims, p.ndim));
            if (broadcast(neurons, p.ndim, p.dims) < 0) {
                shape_error("%s of shape %R does not broadcast with the input's neuron "
                            "shape %R",
                            name, p.ndim, p.dims, neurons);
                return -1;
            }
        }
        PyErr_SetString(PyExc_ValueError, "parameters don't broadcast with the input");
        return -1;
    }
    for (int k = 0; k < info->num_states; k++) {
        PyArrayObject *state = j->start[k];
        if (!state || PyArray_NDIM(state) == 0)
            continue;
        if (j->request->held) {
            if (!same_shape(state, neurons->ndim, neurons->dims)) {
                shape_error(
                    "the neuron holds a %s of shape %R, but the input asks for %R: "
                    "call reset_mem() before the shape changes",
                    info->states[k], PyArray_NDIM(state), PyArray_DIMS(state), neurons);
                return -1;
            }
        }
        else if (broadcast(neurons, PyArray_NDIM(state), PyArray_DIMS(state)) < 0) {
            shape_error("%s of shape %R does not broadcast with the neuron shape %R",
                        info->states[k], PyArray_NDIM(state), PyArray_DIMS(state),
                        neurons);
            return -1;
        }
    }
    j->n = product(neurons->ndim, neurons->dims);
    if (j->n < 0) {
        shape_error(
            "%s of shape %R and the parameters make a neuron shape of %R, which is "
            "too large",
            input_name(j), PyArray_NDIM(j->x), PyArray_DIMS(j->x), neurons);
        return -1;
    }
    const npy_intp both[2] = {j->n, j->num_steps};
    if (product(2, both) < 0) {
        PyErr_Format(PyExc_ValueError, "%zd steps of %zd neurons are too many",
                     (Py_ssize_t)j->num_steps, (Py_ssize_t)j->n);
        return -1;
    }
    if (j->sequence) {
        if (neurons->ndim == NPY_MAXDIMS) {
            PyErr_Format(PyExc_ValueError,
                         "x: no room for a time axis beside %d dimensions",
                         neurons->ndim);
            return -1;
        }
        j->out_axis = normalize_axis(j->request->time_axis, neurons->ndim + 1);
        if (j->out_axis < 0)
            return -1;
    }
    if (j->cell->inhibition && neurons->ndim < 2) {
        PyObject *tuple = shape_tuple(neurons->ndim, neurons->dims);
        if (tuple)
            PyErr_Format(
                PyExc_ValueError,
                "inhibition=True needs a neuron shape of two or more dimensions "
                "(batch, neurons, ...), not %R",
                tuple);
        Py_XDECREF(tuple);
        return -1;
    }
    return 0;
}

/* Output o: the caller's array, if it is exactly what is needed, or a new one. */
static int take_output(job *j, int o, PyObject *given, const char *name, int type,
                       const shape *s)
{
    j->given[o] = given && given != Py_None;
    if (!j->given[o]) {
        const void *beside[1 + MARSHAL_NUM_OUTPUTS] = {PyArray_DATA(j->x)};
        int count = 1;
        for (int i = 0; i < MARSHAL_NUM_OUTPUTS; i++) {
            PyObject *const other =
                j->out[i] ? (PyObject *)j->out[i] : j->request->out[i];
            if (other && PyArray_Check(other))
                beside[count++] = PyArray_DATA((PyArrayObject *)other);
        }
        j->out[o] = (PyArrayObject *)new_array(s->ndim, s->dims, type, beside, count);
        return j->out[o] ? 0 : -1;
    }
    if (!PyArray_Check(given)) {
        PyErr_Format(PyExc_TypeError, "out: %s must be an array or None, not %R", name,
                     given);
        return -1;
    }
    const int masked = PyArray_CheckExact(given) ? 0 : marshal_is_masked(given);
    if (masked > 0)
        PyErr_Format(PyExc_TypeError, "out: %s is a masked array", name);
    if (masked)
        return -1;
    PyArrayObject *a = (PyArrayObject *)given;
    if (!same_shape(a, s->ndim, s->dims)) {
        shape_error("out: %s has shape %R; expected %R", name, PyArray_NDIM(a),
                    PyArray_DIMS(a), s);
        return -1;
    }
    if (PyArray_TYPE(a) != type || PyArray_ISBYTESWAPPED(a)) {
        PyObject *expected = (PyObject *)PyArray_DescrFromType(type);
        PyErr_Format(PyExc_ValueError, "out: %s has dtype %S; expected %S", name,
                     PyArray_DESCR(a), expected);
        Py_XDECREF(expected);
        return -1;
    }
    if (!PyArray_ISCARRAY(a)) {
        PyErr_Format(PyExc_ValueError,
                     "out: %s is %s; expected a C-contiguous, writeable "
                     "array",
                     name,
                     !PyArray_ISWRITEABLE(a)       ? "read-only"
                     : !PyArray_IS_C_CONTIGUOUS(a) ? "not C-contiguous"
                                                   : "not aligned");
        return -1;
    }
    j->out[o] = keep(a);
    return 0;
}

/* The neurons to record in ascending order, and the place of each. */
static int take_selection(job *j)
{
    Py_ssize_t start = j->slice[0], stop = j->slice[1];
    const Py_ssize_t stride = j->slice[2];
    const int64_t *indices = j->indices ? PyArray_DATA(j->indices) : NULL;
    int ascending = 1, failed = 0;

    j->num_selected = indices ? PyArray_SIZE(j->indices)
                              : PySlice_AdjustIndices(j->n, &start, &stop, stride);
    const size_t size =
        (size_t)(j->num_selected ? j->num_selected : 1) * sizeof(size_t);
    j->select = PyMem_Malloc(size);
    if (!j->select) {
        PyErr_NoMemory();
        return -1;
    }
    for (npy_intp i = 0; i < j->num_selected; i++) {
        const int64_t at = indices ? indices[i] : start + i * stride;
        if (at < -j->n || at >= j->n) {
            PyErr_Format(PyExc_ValueError,
                         "neurons: index %lld is out of bounds for %zd neurons",
                         (long long)at, (Py_ssize_t)j->n);
            return -1;
        }
        j->select[i] = (size_t)(at < 0 ? at + j->n : at);
        ascending = ascending && (i == 0 || j->select[i] >= j->select[i - 1]);
    }
    if (!ascending) {
        PyArrayObject *keys = (PyArrayObject *)PyArray_SimpleNewFromData(
            1, &j->num_selected, NPY_INTP, j->select);
        PyArrayObject *order =
            keys ? (PyArrayObject *)PyArray_ArgSort(keys, 0, NPY_STABLESORT) : NULL;
        j->select_at = order ? PyMem_Malloc(size) : NULL;
        if (order && !j->select_at)
            PyErr_NoMemory();
        failed = -1;
        if (j->select_at) {
            memcpy(j->select_at, PyArray_DATA(order), size);
            failed = PyArray_Sort(keys, 0, NPY_STABLESORT);
        }
        drop(order);
        drop(keys);
    }
    return failed;
}

/* A shape with a time axis of that length at out_axis. */
static shape timed(const job *j, npy_intp length)
{
    shape s = j->neurons;
    memmove(s.dims + j->out_axis + 1, s.dims + j->out_axis,
            (size_t)(s.ndim - j->out_axis) * sizeof *s.dims);
    s.dims[j->out_axis] = length;
    s.ndim++;
    return s;
}

/* What is given for an output of neuron shape: of a single neuron an earlier recording
 * has a scalar, which can't be filled. */
static PyObject *unless_scalar(const job *j, PyObject *given)
{
    const int scalar = j->sequence && j->neurons.ndim == 0 && given &&
                       PyArray_IsScalar(given, Generic);
    return scalar ? NULL : given;
}

/* How many rows of checkpoints a run keeps. */
static npy_intp checkpoint_rows(npy_intp num_steps, npy_intp interval)
{
    return num_steps ? (num_steps - 1) / interval + 1 + (interval == 1) : 0;
}

static int take_outputs(job *j)
{
    const marshal_request *request = j->request;
    const snnc_model_info *info = j->cell->info;
    const int *wanted = request->wanted;
    const npy_intp every = request->every ? request->every : 1;
    const npy_intp before = request->first_step;

    j->packed = request->spk_type == MARSHAL_PACKED;
    j->spk_type = j->packed                 ? NPY_UINT8
                  : request->spk_type == -1 ? j->type
                                            : request->spk_type;
    if (j->cell->graded && (j->spk_type == NPY_UINT8 || j->spk_type == NPY_BOOL)) {
        PyErr_Format(
            PyExc_ValueError,
            "spk_dtype=%s can't hold spikes weighted by a graded_spikes_factor; "
            "expected float32 or float64",
            j->packed                 ? "'packed'"
            : j->spk_type == NPY_BOOL ? "bool"
                                      : "uint8");
        return -1;
    }
    if (before > PY_SSIZE_T_MAX - j->num_steps) {
        PyErr_Format(PyExc_ValueError, "%zd steps after %zd others are too many",
                     (Py_ssize_t)j->num_steps, (Py_ssize_t)before);
        return -1;
    }
    j->num_recorded = (before + j->num_steps) / every - before / every;
    if ((j->indices || j->slice[2]) && take_selection(j) < 0)
        return -1;

    shape spk = j->neurons, recorded = j->neurons;
    if (j->sequence) {
        spk = timed(j, j->num_steps);
        recorded = timed(j, j->num_recorded);
    }
    j->packed = j->packed && wanted[MARSHAL_SPK];
    if (j->packed)
        spk = (shape){2, {j->num_steps, (npy_intp)snnc_bits_width((size_t)j->n)}};
    if (j->select) {
        const npy_intp both[2] = {j->num_recorded, j->num_selected};
        recorded = (shape){2, {both[0], both[1]}};
        if (product(2, both) < 0) {
            PyErr_Format(PyExc_ValueError, "neurons: %zd steps of %zd are too many",
                         (Py_ssize_t)both[0], (Py_ssize_t)both[1]);
            return -1;
        }
    }
    for (int o = MARSHAL_SPK; o <= MARSHAL_FIRST_SPIKE; o++)
        if (wanted[o] &&
            take_output(j, o, o ? unless_scalar(j, request->out[o]) : request->out[o],
                        marshal_records[o], o ? NPY_INT64 : j->spk_type,
                        o ? &j->neurons : &spk) < 0)
            return -1;
    for (int k = 0; k < info->num_states; k++) {
        const int record = MARSHAL_RECORD + k, state = MARSHAL_STATE + k;
        if (wanted[record] && take_output(j, record, request->out[record],
                                          info->states[k], j->type, &recorded) < 0)
            return -1;
        if (take_output(j, state, unless_scalar(j, request->out[state]),
                        info->states[k], j->type, &j->neurons) < 0)
            return -1;
    }
    if (request->interval) {
        shape kept = j->neurons;
        memmove(kept.dims + 1, kept.dims, (size_t)kept.ndim++ * sizeof *kept.dims);
        kept.dims[0] = checkpoint_rows(j->num_steps, request->interval);
        for (int k = 0; k < info->num_states; k++) {
            const int o = MARSHAL_CHECKPOINT + k;
            PyObject *const old = request->out[o]; /* of an earlier run, if it fits */
            const int fits =
                old && PyArray_Check(old) &&
                is_plain((PyArrayObject *)old, j->type, kept.ndim, kept.dims);
            if (take_output(j, o, fits ? old : NULL, info->states[k], j->type, &kept) <
                0)
                return -1;
        }
    }
    if (wanted[MARSHAL_EVENTS]) {
        npy_intp none = 0;
        j->event_step = (PyArrayObject *)PyArray_SimpleNew(1, &none, NPY_INT64);
        j->event_neuron = (PyArrayObject *)PyArray_SimpleNew(1, &none, NPY_INT64);
        if (!j->event_step || !j->event_neuron)
            return -1;
    }
    return 0;
}

static const char *output_name(const job *j, int output)
{
    if (output < MARSHAL_RECORD)
        return marshal_records[output];
    if (output < MARSHAL_STATE)
        return j->cell->info->states[output - MARSHAL_RECORD];
    return j->sequence ? "state" : j->cell->info->states[output - MARSHAL_STATE];
}

/* Copies every input that an output of the caller's may overwrite before it is read. */
static int separate(job *j)
{
    for (int a = 0; a < MARSHAL_NUM_OUTPUTS; a++) {
        PyArrayObject *output = j->out[a];
        if (!j->given[a])
            continue;
        for (int b = 0; b < a; b++)
            if (j->given[b] && overlap(output, j->out[b])) {
                PyErr_Format(PyExc_ValueError, "out: %s and %s share memory",
                             output_name(j, b), output_name(j, a));
                return -1;
            }
        if (overlap(output, j->x)) {
            PyArrayObject *copy = as_type(j->x, j->type, 1);
            if (!copy)
                return -1;
            replace(&j->x, copy);
        }
        for (int k = 0; k < j->cell->info->num_states; k++) {
            PyArrayObject *start = j->start[k];
            const int in_place =
                start && a == MARSHAL_STATE + k &&
                PyArray_DATA(start) == PyArray_DATA(output) &&
                is_plain(start, j->type, j->neurons.ndim, j->neurons.dims);
            if (start && !in_place && overlap(output, start)) {
                PyArrayObject *copy = as_type(start, j->type, 1);
                if (!copy)
                    return -1;
                replace(&j->start[k], copy);
            }
        }
    }
    return 0;
}

/* The states before the run, as whole arrays: the start states where they are that
 * already; else written into a fresh state_out (start NULL: in place) or into a new
 * array. */
static int take_starts(job *j)
{
    const shape *neurons = &j->neurons;

    for (int k = 0; k < j->cell->info->num_states; k++) {
        PyArrayObject *whole = j->out[MARSHAL_STATE + k];
        const int given = j->given[MARSHAL_STATE + k];
        if (j->start[k] && is_plain(j->start[k], j->type, neurons->ndim, neurons->dims))
            continue;
        if (given) {
            whole = (PyArrayObject *)PyArray_SimpleNew(neurons->ndim, neurons->dims,
                                                       j->type);
            if (!whole)
                return -1;
        }
        if (!j->start[k])
            memset(PyArray_DATA(whole), 0, (size_t)PyArray_NBYTES(whole));
        else if (PyArray_CopyInto(whole, j->start[k]) < 0) {
            if (given)
                drop(whole);
            return -1;
        }
        replace(&j->start[k], given ? whole : NULL);
    }
    return 0;
}

/* Puts several arrays of one shape, with their strides in elements, into as few
 * dimensions as describe them all, at the end of `dims` and `strides`: how many. */
static int merge_dimensions(int ndim, const npy_intp *dims, int count,
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

/* The strides of an array among `ndim` merged dimensions; NULL where its neurons lie
 * one after the other. */
static const ptrdiff_t *strides_unless_line(int ndim, const ptrdiff_t *strides)
{
    const ptrdiff_t *own = strides + NPY_MAXDIMS - ndim;
    return ndim == 0 || (ndim == 1 && own[0] == 1) ? NULL : own;
}

/* The layout of x and of the outputs. */
static void describe_layout(job *j)
{
    enum { X_STRIDES, SPK_STRIDES, RECORD_STRIDES, COUNT };
    const npy_intp size = PyArray_ITEMSIZE(j->x);
    const int ndim = j->neurons.ndim;
    const int x_ndim = PyArray_NDIM(j->x) - (j->x_axis >= 0);
    snnc_call *call = &j->call;
    ptrdiff_t spk_step = 1, spk_stride = 1, record_step = 1, record_stride = 1;

    call->x.data = PyArray_DATA(j->x);
    call->x_type = (snnc_type)core_type(j->x);
    call->x.held = j->x_axis < 0 || PyArray_STRIDE(j->x, j->x_axis) == 0;
    if (!call->x.held)
        call->x.step = PyArray_STRIDE(j->x, j->x_axis) / size;
    if (j->out_axis <= 0 && j->x_axis <= 0 && PyArray_IS_C_CONTIGUOUS(j->x) &&
        x_ndim == ndim &&
        (ndim == 0 ||
         same_dims(ndim, PyArray_DIMS(j->x) + (j->x_axis == 0), j->neurons.dims)))
        return;

    for (int d = ndim - 1; d >= 0; d--) {
        const int own = d - (ndim - x_ndim); /* the dimension of x, leaving out time */
        const int axis = own + (j->x_axis >= 0 && own >= j->x_axis);
        const int broadcasts = own < 0 || PyArray_DIM(j->x, axis) == 1;
        if (d + 1 == j->out_axis) {
            spk_step = spk_stride;
            spk_stride *= j->num_steps;
            record_step = record_stride;
            record_stride *= j->num_recorded;
        }
        j->strides[X_STRIDES][d] = broadcasts ? 0 : PyArray_STRIDE(j->x, axis) / size;
        j->strides[SPK_STRIDES][d] = spk_stride;
        j->strides[RECORD_STRIDES][d] = record_stride;
        spk_stride *= j->neurons.dims[d];
        record_stride *= j->neurons.dims[d];
    }
    if (j->out_axis == 0) {
        spk_step = spk_stride;
        record_step = record_stride;
    }

    call->ndim = merge_dimensions(ndim, j->neurons.dims, COUNT, j->strides, j->dims);
    call->shape = j->dims + NPY_MAXDIMS - call->ndim;
    call->x.strides = strides_unless_line(call->ndim, j->strides[X_STRIDES]);
    call->spk.step = spk_step;
    call->spk.strides = strides_unless_line(call->ndim, j->strides[SPK_STRIDES]);
    for (int k = 0; k < SNNC_MAX_STATES && !j->select; k++) {
        call->record[k].step = record_step;
        call->record[k].strides =
            strides_unless_line(call->ndim, j->strides[RECORD_STRIDES]);
    }
}

/* What a cell says of a call; its parameters too, where they are one value each. */
static void describe_cell(const cell *c, snnc_type type, snnc_call *call)
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
static PyObject *describe_params(cell *c, PyObject *capsule, int ndim,
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

/* The core's view of it all. */
static int describe(job *j)
{
    const cell *c = j->cell;
    PyArrayObject *const *out = j->out;
    snnc_call *call = &j->call;

    memset(call, 0, sizeof *call);
    describe_cell(c, j->type == NPY_FLOAT ? SNNC_F32 : SNNC_F64, call);
    call->num_steps = (size_t)j->num_steps;
    call->num_neurons = (size_t)j->n;
    call->every = (size_t)j->request->every;
    call->first_step = (size_t)j->request->first_step;
    call->interval = (size_t)j->request->interval;
    if (j->n == 0)
        return 0;
    describe_layout(j);
    if (out[MARSHAL_SPK] && j->packed) {
        call->bits = PyArray_DATA(out[MARSHAL_SPK]);
        call->spk.step = 0;
        call->spk.strides = NULL;
    }
    else if (out[MARSHAL_SPK]) {
        call->spk.data = PyArray_DATA(out[MARSHAL_SPK]);
        call->spk_type = j->spk_type == NPY_FLOAT    ? SNNC_F32
                         : j->spk_type == NPY_DOUBLE ? SNNC_F64
                                                     : SNNC_U8;
    }
    if (out[MARSHAL_COUNT])
        call->count = PyArray_DATA(out[MARSHAL_COUNT]);
    if (out[MARSHAL_FIRST_SPIKE])
        call->first_spike = PyArray_DATA(out[MARSHAL_FIRST_SPIKE]);
    call->select = j->select;
    call->select_at = j->select_at;
    call->num_selected = (size_t)j->num_selected;
    for (int k = 0; k < c->info->num_states; k++) {
        call->state_in[k] = j->start[k] ? PyArray_DATA(j->start[k]) : NULL;
        call->state_out[k] = PyArray_DATA(out[MARSHAL_STATE + k]);
        if (out[MARSHAL_CHECKPOINT + k])
            call->checkpoint[k] = PyArray_DATA(out[MARSHAL_CHECKPOINT + k]);
        if (out[MARSHAL_RECORD + k] && PyArray_SIZE(out[MARSHAL_RECORD + k]) > 0)
            call->record[k].data = PyArray_DATA(out[MARSHAL_RECORD + k]);
    }
    if (!c->uniform) {
        j->params = describe_params(j->cell, j->capsule, j->neurons.ndim,
                                    j->neurons.dims, call);
        if (!j->params)
            return -1;
    }
    if (c->inhibition) {
        call->rivals = (size_t)j->neurons.dims[1];
        call->rival_stride = (size_t)product(j->neurons.ndim - 2, j->neurons.dims + 2);
    }
    return 0;
}

/* ---- its execution ---- */

/* Cuts the neurons into ranges for the threads, where they are worth their wake-up: at
 * multiples of a byte of packed spikes, of a cache line, and of a row of rivals. */
static int share(job *j)
{
    const size_t n = (size_t)j->n;
    size_t unit = 64;

    if (j->call.rivals) {
        unit = j->call.rivals * j->call.rival_stride;
        while (unit % 8)
            unit *= 2;
        j->crew.workspace_size = snnc_workspace_size(&j->call);
    }
    return cut_neurons(
        &j->crew, n, unit,
        paying(j->request->num_threads, n, unit, (size_t)j->num_steps, 1));
}

static snnc_status run_range(const crew *c, size_t i)
{
    const job *j = (const job *)c;
    const range part = part_of(c, i);
    snnc_call call = j->call;

    if (c->workspace)
        call.workspace = c->workspace + i * c->workspace_size;
    return snnc_run(j->isa, &call, c->t0, c->t1, part.n0, part.n1);
}

static void release_job(job *j)
{
    release_crew(&j->crew);
    drop(j->x);
    for (int k = 0; k < SNNC_MAX_STATES; k++)
        drop(j->start[k]);
    for (int o = 0; o < MARSHAL_NUM_OUTPUTS; o++)
        drop(j->out[o]);
    drop(j->indices);
    drop(j->event_step);
    drop(j->event_neuron);
    Py_XDECREF(j->params);
    Py_XDECREF(j->capsule);
    PyMem_Free(j->select);
    PyMem_Free(j->select_at);
    PyMem_Free(j->bits);
    PyMem_Free(j);
}

static int resize_events(job *j, npy_intp length)
{
    PyArray_Dims dims = {&length, 1};
    PyArrayObject *const arrays[2] = {j->event_step, j->event_neuron};
    for (int i = 0; i < 2; i++) {
        PyObject *none = PyArray_Resize(arrays[i], &dims, 0, NPY_CORDER);
        if (!none)
            return -1;
        Py_DECREF(none);
    }
    return 0;
}

/* Appends the events of the piece at hand, whose first row of bits is given. */
static int gather_events(job *j, const uint8_t *bits)
{
    const size_t n = (size_t)j->n, num_steps = j->crew.t1 - j->crew.t0;
    const npy_intp first = (npy_intp)(j->call.first_step + j->crew.t0);
    const npy_intp found =
        (npy_intp)snnc_events(bits, num_steps, n, first, NULL, NULL, 0);
    const npy_intp room = PyArray_SIZE(j->event_step);

    if (j->num_events + found > room &&
        resize_events(j, j->num_events + found + room / 2) < 0)
        return -1;
    snnc_events(bits, num_steps, n, first,
                (int64_t *)PyArray_DATA(j->event_step) + j->num_events,
                (int64_t *)PyArray_DATA(j->event_neuron) + j->num_events,
                (size_t)found);
    j->num_events += found;
    return 0;
}

/* Steps of the next piece of a run, from those that are left. */
static size_t steps_of_piece(const job *j)
{
    const size_t n = (size_t)j->n, left = (size_t)j->num_steps - j->crew.t0;
    const size_t piece = n && j->crew.work < n ? 1 : n ? j->crew.work / n : left;
    return piece < left ? piece : left;
}

/* The bits that events are read from, where spikes aren't recorded as bits anyway. */
static int take_bits(job *j)
{
    const size_t rows = steps_of_piece(j);

    if (!j->event_step || j->packed || j->n == 0 || j->num_steps == 0)
        return 0;
    j->bits = PyMem_Malloc(rows * snnc_bits_width((size_t)j->n));
    if (!j->bits) {
        PyErr_NoMemory();
        return -1;
    }
    j->call.bits = j->bits;
    j->call.bits_rows = rows;
    return 0;
}

int marshal_forget(PyObject *recording)
{
    return recording && recording != Py_None
               ? PyObject_SetAttrString(recording, "_tape", Py_None)
               : 0;
}

/* The first writes: after all that may fail but the run itself. */
static int begin(job *j)
{
    PyArrayObject *const count = j->out[MARSHAL_COUNT];
    PyArrayObject *const first_spike = j->out[MARSHAL_FIRST_SPIKE];

    if (marshal_forget(j->request->overwritten) < 0)
        return -1;
    if (count)
        memset(PyArray_DATA(count), 0, (size_t)PyArray_NBYTES(count));
    if (first_spike) /* -1 */
        memset(PyArray_DATA(first_spike), 0xff, (size_t)PyArray_NBYTES(first_spike));
    return 0;
}

/* Runs the core in pieces of some milliseconds, between which signals are checked. */
static int execute(job *j)
{
    const size_t num_steps = (size_t)j->num_steps;
    const size_t width = snnc_bits_width((size_t)j->n), rows = j->call.bits_rows;
    crew *const c = &j->crew;

    do {
        size_t steps = steps_of_piece(j);
        if (rows && steps > rows - c->t0 % rows)
            steps = rows - c->t0 % rows;
        c->t1 = c->t0 + steps;
        if (run_piece(c, c->t0 == 0) < 0)
            return -1;
        if (j->event_step && j->n > 0 &&
            gather_events(j, j->call.bits + (rows ? c->t0 % rows : c->t0) * width) < 0)
            return -1;
        c->t0 = c->t1;
    } while (c->t0 < num_steps);
    return 0;
}

/* Hands an output over: the caller's array as it is, a 0-d one of ours as a scalar. */
static int hand_over(PyArrayObject **array, int given, PyObject **result)
{
    PyArrayObject *a = *array;
    *array = NULL;
    *result = !a || given ? (PyObject *)a : PyArray_Return(a);
    return a && !*result ? -1 : 0;
}

static int hand_over_events(job *j, PyObject **result)
{
    if (resize_events(j, j->num_events) < 0)
        return -1;
    *result = PyTuple_Pack(2, j->event_step, j->event_neuron);
    return *result ? 0 : -1;
}

int marshal_run(const snnc_isa *isa, const marshal_request *request,
                marshal_result *result)
{
    int failed = -1;

    memset(result, 0, sizeof *result);
    job *j = PyMem_Malloc(sizeof *j);
    if (!j) {
        PyErr_NoMemory();
        return -1;
    }
    memset(j, 0, offsetof(job, neurons));
    j->crew.run = run_range;
    j->crew.work = STEPS_OF_A_PIECE;
    j->isa = isa;
    j->request = request;
    j->sequence = request->sequence;
    j->cell = get_cell(request->cell);
    if (!j->cell)
        goto done;
    Py_INCREF(request->cell);
    j->capsule = request->cell;

    if (take_operands(j) < 0 || take_num_steps(j) < 0 || find_neurons(j) < 0 ||
        take_outputs(j) < 0 || separate(j) < 0 || take_starts(j) < 0 ||
        describe(j) < 0 || share(j) < 0 || take_bits(j) < 0 || begin(j) < 0 ||
        execute(j) < 0)
        goto done;
    result->num_steps = j->num_steps;
    failed = j->event_step ? hand_over_events(j, &result->out[MARSHAL_EVENTS]) : 0;
    for (int o = 0; o < MARSHAL_NUM_OUTPUTS && !failed; o++)
        if (o != MARSHAL_EVENTS)
            failed = hand_over(&j->out[o], j->given[o], &result->out[o]);
done:
    if (failed)
        marshal_clear(result);
    release_job(j);
    return failed ? -1 : 0;
}

void marshal_clear(marshal_result *result)
{
    for (int o = 0; o < MARSHAL_NUM_OUTPUTS; o++)
        Py_CLEAR(result->out[o]);
}

/* Counts events, or writes them where `step` isn't NULL, and looks for signals in
 * between; -1 with an exception. */
static npy_intp read_events(const uint8_t *bits, size_t num_steps, size_t num_neurons,
                            int64_t first_step, int64_t *step, int64_t *neuron,
                            size_t room)
{
    enum { PIECE_BYTES = 256 * 1024 }; /* some milliseconds */
    const size_t width = snnc_bits_width(num_neurons);
    const size_t piece = width ? 1 + PIECE_BYTES / width : 0;
    size_t found = 0;

    for (size_t t = 0; width && t < num_steps; t += piece) {
        const size_t rest = num_steps - t;
        found += snnc_events(bits + t * width, rest < piece ? rest : piece, num_neurons,
                             first_step + (int64_t)t, step ? step + found : NULL,
                             step ? neuron + found : NULL, step ? room - found : 0);
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
    return (npy_intp)found;
}

PyObject *marshal_events(PyObject *packed, Py_ssize_t num_neurons,
                         Py_ssize_t first_step)
{
    const npy_intp width = (npy_intp)snnc_bits_width((size_t)num_neurons);
    PyArrayObject *bits =
        (PyArrayObject *)PyArray_FROMANY(packed, NPY_UINT8, 2, 2, NPY_ARRAY_CARRAY_RO);
    PyArrayObject *step = NULL, *neuron = NULL;
    PyObject *events = NULL;

    if (!bits)
        return NULL;
    if (PyArray_DIM(bits, 1) != width) {
        PyErr_Format(PyExc_ValueError,
                     "packed spikes of %zd neurons have %zd bytes a row", num_neurons,
                     (Py_ssize_t)width);
        goto done;
    }
    const size_t n = (size_t)num_neurons, num_steps = (size_t)PyArray_DIM(bits, 0);
    const uint8_t *data = PyArray_DATA(bits);
    npy_intp found = read_events(data, num_steps, n, 0, NULL, NULL, 0);
    if (found < 0)
        goto done;
    step = (PyArrayObject *)PyArray_SimpleNew(1, &found, NPY_INT64);
    neuron = (PyArrayObject *)PyArray_SimpleNew(1, &found, NPY_INT64);
    if (step && neuron &&
        read_events(data, num_steps, n, first_step, PyArray_DATA(step),
                    PyArray_DATA(neuron), (size_t)found) >= 0)
        events = PyTuple_Pack(2, step, neuron);
done:
    drop(step);
    drop(neuron);
    drop(bits);
    return events;
}

/* ---- back in time ---- */

/* Python has put arrays into the right types and shapes: that they are is asserted
 * here, so that a mistake there is an error and not a crash. */

typedef struct {
    crew crew;
    const snnc_isa *isa;
    int excess;
    size_t first; /* step of all pieces */
    snnc_backward_call call;
    PyObject *capsule, *params;
    PyArrayObject *kept[4 + 4 * SNNC_MAX_STATES + SNNC_MAX_PARAMS]; /* owned */
    int num_kept;
    shape neurons;
    size_t dims[NPY_MAXDIMS];
    ptrdiff_t strides[3 + SNNC_MAX_STATES][NPY_MAXDIMS];
} back_job;

static snnc_status run_back_range(const crew *c, size_t i)
{
    const back_job *j = (const back_job *)c;
    const range part = part_of(c, i);
    snnc_backward_call call = j->call;

    call.workspace = c->workspace + i * c->workspace_size;
    if (call.derivative) /* its first row is of the first step of all pieces */
        call.derivative =
            (char *)call.derivative +
            (c->t0 - j->first) * call.call.num_neurons *
                (call.call.type == SNNC_F32 ? sizeof(float) : sizeof(double));
    return (j->excess ? snnc_excess : snnc_backward)(j->isa, &call, c->t0, c->t1,
                                                     part.n0, part.n1);
}

static void release_back_job(back_job *j)
{
    release_crew(&j->crew);
    while (j->num_kept > 0)
        drop(j->kept[--j->num_kept]);
    Py_XDECREF(j->params);
    Py_XDECREF(j->capsule);
    PyMem_Free(j);
}

/* An array with `steps` (-1: none) before the neuron shape: its data, and where it
 * isn't contiguous its strides too, with `input` those of time. `type` -1: any that the
 * core reads. NULL with an exception. */
static void *back_array(back_job *j, PyObject *object, const char *name, int type,
                        npy_intp steps, snnc_input *input, ptrdiff_t *strides)
{
    const shape *neurons = &j->neurons;
    PyArrayObject *array = (PyArrayObject *)object;
    const int timed = steps >= 0;
    int fits = PyArray_Check(object) && core_type(array) >= 0 &&
               (type == -1 || PyArray_TYPE(array) == type) &&
               PyArray_NDIM(array) == neurons->ndim + timed &&
               (!timed || PyArray_DIM(array, 0) == steps) &&
               (strides || PyArray_CHKFLAGS(array, NPY_ARRAY_CARRAY));
    for (int d = 0; fits && d < neurons->ndim; d++)
        fits = PyArray_DIM(array, d + timed) == neurons->dims[d];
    if (!fits) {
        PyErr_Format(PyExc_ValueError, "%s is not as a way back needs it: %R", name,
                     object);
        return NULL;
    }
    if (strides) {
        const npy_intp size = PyArray_ITEMSIZE(array);
        if (timed) {
            input->step = PyArray_STRIDE(array, 0) / size;
            input->held = input->step == 0;
        }
        for (int d = 0; d < neurons->ndim; d++)
            strides[d] =
                neurons->dims[d] == 1 ? 0 : PyArray_STRIDE(array, d + timed) / size;
    }
    j->kept[j->num_kept++] = keep(array);
    return PyArray_DATA(array);
}

static int is_given(PyObject *object)
{
    return object && object != Py_None;
}

/* Whether the threshold, the first of all constants, has no dimensions. */
static int has_plain_threshold(const cell *c, int type)
{
    return PyArray_NDIM((PyArrayObject *)PyTuple_GetItem(c->constants[type], 0)) == 0;
}

/* The core's view of it all. */
static int describe_back(back_job *j, const marshal_back *back)
{
    enum { X, SPK, GRAD_X, STATE, COUNT = STATE + SNNC_MAX_STATES };
    cell *const c = get_cell(back->cell);
    snnc_backward_call *const b = &j->call;
    snnc_call *const call = &b->call;
    PyArrayObject *first = (PyArrayObject *)back->checkpoints[0];

    if (!c)
        return -1;
    Py_INCREF(back->cell);
    j->capsule = back->cell;
    if (!PyArray_Check(back->checkpoints[0]) || PyArray_NDIM(first) == 0) {
        PyErr_Format(PyExc_TypeError, "checkpoints: %R", back->checkpoints[0]);
        return -1;
    }
    const int type = PyArray_TYPE(first), num_states = c->info->num_states;
    const npy_intp steps = back->num_steps, rows = PyArray_DIM(first, 0);
    j->neurons.ndim = PyArray_NDIM(first) - 1;
    memcpy(j->neurons.dims, PyArray_DIMS(first) + 1,
           (size_t)j->neurons.ndim * sizeof *j->neurons.dims);
    const npy_intp n = product(j->neurons.ndim, j->neurons.dims);
    if ((type != NPY_FLOAT && type != NPY_DOUBLE) || n < 0 || steps < 0 ||
        back->interval < 1 || rows != checkpoint_rows(steps, back->interval) ||
        back->t0 < 0 || back->t1 < back->t0 || back->t1 > steps) {
        PyErr_SetString(PyExc_ValueError, "checkpoints or steps don't fit");
        return -1;
    }

    describe_cell(c, type == NPY_FLOAT ? SNNC_F32 : SNNC_F64, call);
    call->num_steps = (size_t)steps;
    call->num_neurons = (size_t)n;
    call->interval = (size_t)back->interval;
    call->x.held = back->held;
    b->surrogate = (snnc_surrogate)back->surrogate;
    memcpy(b->surrogate_args, back->surrogate_args, sizeof b->surrogate_args);
    b->rounds = has_plain_threshold(c, type == NPY_DOUBLE);
    memset(j->strides, 0, sizeof j->strides);

    call->x.data = back_array(j, back->x, "x", -1, back->held ? -1 : steps, &call->x,
                              j->strides[X]);
    if (!call->x.data)
        return -1;
    call->x_type = (snnc_type)core_type((PyArrayObject *)back->x);
    if (is_given(back->derivative) &&
        !(b->derivative = back_array(j, back->derivative, "derivative", type,
                                     back->t1 - back->t0, NULL, NULL)))
        return -1;
    if (is_given(back->grad_spk) &&
        !(b->grad_spk.data = back_array(j, back->grad_spk, "grad_spk", type, steps,
                                        &b->grad_spk, j->strides[SPK])))
        return -1;
    snnc_input grad_x = {0};
    if (is_given(back->grad_x) &&
        !(b->grad_x.data = back_array(j, back->grad_x, "grad_x", type, steps, &grad_x,
                                      j->strides[GRAD_X])))
        return -1;
    b->grad_x.step = grad_x.step;
    for (int k = 0; k < num_states; k++) {
        PyObject *given = back->grad_states[k];
        call->checkpoint[k] = back_array(j, back->checkpoints[k], c->info->states[k],
                                         type, rows, NULL, NULL);
        b->grad_start[k] = back_array(j, back->grad_start[k], c->info->states[k], type,
                                      -1, NULL, NULL);
        if (!call->checkpoint[k] || !b->grad_start[k])
            return -1;
        if (is_given(given) && !(b->grad_state[k].data = back_array(
                                     j, given, c->info->states[k], type, steps,
                                     &b->grad_state[k], j->strides[STATE + k])))
            return -1;
    }
    for (int k = 0; k < c->info->num_params; k++)
        if (is_given(back->grad_params[k]) &&
            !(b->grad_params[k] =
                  back_array(j, back->grad_params[k], c->info->params[k], NPY_DOUBLE,
                             -1, NULL, NULL)))
            return -1;

    /* Arrays that aren't given must not stand in the way of merging. */
    const void *given[COUNT] = {call->x.data, b->grad_spk.data, b->grad_x.data};
    for (int k = 0; k < num_states; k++)
        given[STATE + k] = b->grad_state[k].data;
    for (int a = SPK; a < COUNT; a++)
        if (!given[a])
            memcpy(j->strides[a], j->strides[X], sizeof *j->strides);
    call->ndim =
        merge_dimensions(j->neurons.ndim, j->neurons.dims, COUNT, j->strides, j->dims);
    call->shape = j->dims + NPY_MAXDIMS - call->ndim;
    call->x.strides = strides_unless_line(call->ndim, j->strides[X]);
    if (b->grad_spk.data)
        b->grad_spk.strides = strides_unless_line(call->ndim, j->strides[SPK]);
    if (b->grad_x.data)
        b->grad_x.strides = strides_unless_line(call->ndim, j->strides[GRAD_X]);
    for (int k = 0; k < num_states; k++)
        if (b->grad_state[k].data)
            b->grad_state[k].strides =
                strides_unless_line(call->ndim, j->strides[STATE + k]);
    if (!c->uniform && n > 0) {
        j->params =
            describe_params(c, j->capsule, j->neurons.ndim, j->neurons.dims, call);
        return j->params ? 0 : -1;
    }
    return 0;
}

/* The last pieces first. */
static int execute_back(back_job *j, const marshal_back *back)
{
    const size_t n = j->call.call.num_neurons, interval = (size_t)back->interval;
    const size_t first = (size_t)back->t0, last = (size_t)back->t1;
    crew *const c = &j->crew;

    j->first = first;
    if (n == 0 || first == last)
        return 0;
    c->workspace_size = snnc_backward_workspace_size(&j->call);
    if (cut_neurons(c, n, 64,
                    paying(back->num_threads, n, 64, last - first, BACKWARD_COSTS)) < 0)
        return -1;
    c->work = STEPS_OF_A_PIECE / BACKWARD_COSTS;
    for (c->t1 = last; c->t1 > first; c->t1 = c->t0) {
        const size_t least = c->t1 - 1 - (c->t1 - 1) % interval; /* one segment */
        const size_t piece = c->work / n;
        c->t0 = piece > c->t1 - first ? first : c->t1 - piece;
        c->t0 = c->t0 < least ? (c->t0 + interval - 1) / interval * interval : least;
        if (run_piece(c, c->t1 == last) < 0)
            return -1;
    }
    return 0;
}

int marshal_backward(const snnc_isa *isa, const marshal_back *back)
{
    back_job *j = PyMem_Calloc(1, sizeof *j);

    if (!j) {
        PyErr_NoMemory();
        return -1;
    }
    j->crew.run = run_back_range;
    j->isa = isa;
    j->excess = back->excess;
    const int failed = describe_back(j, back) < 0 || execute_back(j, back) < 0;
    release_back_job(j);
    return failed ? -1 : 0;
}

PyObject *marshal_empty(Py_ssize_t size, PyObject *dtype, PyObject *const *beside,
                        Py_ssize_t count)
{
    const void *addresses[MARSHAL_NUM_OUTPUTS];
    const npy_intp dims[1] = {size};
    int known = 0;

    for (Py_ssize_t i = 0; i < count && known < MARSHAL_NUM_OUTPUTS; i++)
        if (PyArray_Check(beside[i]))
            addresses[known++] = PyArray_DATA((PyArrayObject *)beside[i]);
    const int type = marshal_type(dtype, "dtype", 0);
    if (type == -1)
        return PyErr_Format(PyExc_TypeError, "no dtype");
    return type < 0 ? NULL : new_array(1, dims, type, addresses, known);
}

PyObject *marshal_surrogate(const snnc_isa *isa, int surrogate, const double *args,
                            PyObject *x)
{
    PyArrayObject *const from = (PyArrayObject *)x;

    if (!PyArray_Check(x) ||
        (PyArray_TYPE(from) != NPY_FLOAT && PyArray_TYPE(from) != NPY_DOUBLE) ||
        !PyArray_CHKFLAGS(from, NPY_ARRAY_CARRAY_RO) || PyArray_ISBYTESWAPPED(from))
        return PyErr_Format(PyExc_TypeError, "x is no array of floats: %R", x);
    PyObject *array =
        PyArray_SimpleNew(PyArray_NDIM(from), PyArray_DIMS(from), PyArray_TYPE(from));
    if (!array)
        return NULL;
    const snnc_status status = snnc_surrogate_derivative(
        isa, (snnc_surrogate)surrogate, args,
        PyArray_TYPE(from) == NPY_FLOAT ? SNNC_F32 : SNNC_F64, PyArray_DATA(from),
        PyArray_DATA((PyArrayObject *)array), (size_t)PyArray_SIZE(from));
    if (status == SNNC_OK)
        return array;
    Py_DECREF(array);
    return fail_run(status);
}

/* ---- plain calls ---- */

/* Whether the object is an array that can be read (or also written) as it is. */
static int is_ready(PyObject *object, int type, int flags)
{
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_CheckExact(object) && PyArray_TYPE(array) == type &&
           PyArray_CHKFLAGS(array, flags) && !PyArray_ISBYTESWAPPED(array);
}

/* Some bytes of memory. */
typedef struct {
    char *data;
    size_t size;
} extent;

static int apart(extent a, extent b)
{
    return a.data + a.size <= b.data || b.data + b.size <= a.data;
}

int marshal_plain(const snnc_isa *isa, PyObject *capsule, PyObject *input,
                  PyObject *const *states, int num_states, int sequence, int spk_type,
                  Py_ssize_t threads, PyObject *overwritten, PyObject **arrays)
{
    cell *c = get_cell(capsule);
    PyArrayObject *const x = (PyArrayObject *)input;
    PyObject *allocated[1 + SNNC_MAX_STATES], *params = NULL;
    extent read[1 + SNNC_MAX_STATES], written[1 + SNNC_MAX_STATES];
    int num_allocated = 0, done = -1;

    /* Nothing is written before all this is so. */
    if (!c)
        return -1;
    if (num_states != c->info->num_states || c->inhibition ||
        !PyArray_CheckExact(input) || PyArray_NDIM(x) == 0)
        return 0;
    const int type = PyArray_TYPE(x), all = PyArray_NDIM(x), ndim = all - sequence;
    npy_intp all_dims[NPY_MAXDIMS]; /* of x before any Python code can run */
    const npy_intp *const dims = all_dims + sequence;
    memcpy(all_dims, PyArray_DIMS(x), (size_t)all * sizeof *all_dims);
    const size_t num_steps = sequence ? (size_t)all_dims[0] : 1;
    const size_t size = type == NPY_FLOAT ? sizeof(float) : sizeof(double);
    size_t n = 1; /* an array of these dimensions exists: no overflow */
    for (int d = 0; d < ndim; d++)
        n *= (size_t)dims[d];
    if (spk_type == -1)
        spk_type = type;
    if ((type != NPY_FLOAT && type != NPY_DOUBLE) || ndim == 0 || n * num_steps == 0 ||
        n * num_steps > STEPS_OF_A_PIECE || paying(threads, n, 64, num_steps, 1) > 1 ||
        !broadcasts_to(&c->shape, ndim, dims) ||
        !is_ready(input, type, NPY_ARRAY_CARRAY_RO))
        return 0;
    const size_t spk_size = spk_type == type ? size : 1;
    if (spk_type != type &&
        (c->graded || (spk_type != NPY_UBYTE && spk_type != NPY_BOOL)))
        return 0;
    read[0] = (extent){PyArray_DATA(x), n * num_steps * size};
    for (int k = 0; k < num_states; k++) {
        if (sequence && states[k] == Py_None) {
            read[1 + k] = (extent){NULL, 0};
            continue;
        }
        if (!is_ready(states[k], type, NPY_ARRAY_CARRAY_RO) ||
            !same_shape((PyArrayObject *)states[k], ndim, dims))
            return 0;
        read[1 + k] = (extent){PyArray_DATA((PyArrayObject *)states[k]), n * size};
    }
    for (int i = 0; i < 1 + num_states; i++) {
        if (!arrays[i])
            continue;
        if (!is_ready(arrays[i], i ? type : spk_type, NPY_ARRAY_CARRAY) ||
            !same_shape((PyArrayObject *)arrays[i], i ? ndim : all,
                        i ? dims : all_dims))
            return 0;
        written[i].data = PyArray_DATA((PyArrayObject *)arrays[i]);
        written[i].size = i ? n * size : n * num_steps * spk_size;
        for (int b = 0; b < 1 + num_states; b++)
            if ((b < i && arrays[b] && !apart(written[i], written[b])) ||
                (!apart(written[i], read[b]) &&
                 !(b == i && i > 0 && written[i].data == read[b].data)))
                return 0;
    }

    for (int i = 0; i < 1 + num_states; i++) {
        if (arrays[i])
            continue;
        const void *beside[2 * (1 + SNNC_MAX_STATES)];
        const int large = n * num_steps * size >= SMALLEST_PLACED;
        int count = 0;
        for (int b = 0; large && b < 1 + num_states; b++) {
            if (read[b].data)
                beside[count++] = read[b].data;
            if (arrays[b])
                beside[count++] = written[b].data;
        }
        arrays[i] = new_array(i ? ndim : all, i ? dims : all_dims, i ? type : spk_type,
                              beside, count);
        if (!arrays[i])
            goto done;
        allocated[num_allocated++] = arrays[i];
        written[i].data = PyArray_DATA((PyArrayObject *)arrays[i]);
    }
    snnc_call call = SNNC_CALL_INIT;
    describe_cell(c, type == NPY_FLOAT ? SNNC_F32 : SNNC_F64, &call);
    if (!c->uniform) {
        params = describe_params(c, capsule, ndim, dims, &call);
        if (!params)
            goto done;
    }
    call.x_type = call.type;
    call.spk_type = spk_type == type ? call.type : SNNC_U8;
    call.num_steps = num_steps;
    call.num_neurons = n;
    call.x.data = read[0].data;
    call.spk.data = written[0].data;
    if (marshal_forget(overwritten) < 0)
        goto done;
    for (int k = 0; k < num_states; k++) {
        call.state_in[k] = read[1 + k].data;
        call.state_out[k] = written[1 + k].data;
        if (!read[1 + k].data)
            memset(written[1 + k].data, 0, n * size);
    }
    snnc_status status;
    if (n * num_steps <= STEPS_UNDER_GIL)
        status = snnc_run(isa, &call, 0, num_steps, 0, n);
    else {
        Py_BEGIN_ALLOW_THREADS
        status = snnc_run(isa, &call, 0, num_steps, 0, n);
        Py_END_ALLOW_THREADS
    }
    if (status == SNNC_OK)
        done = 1;
    else
        fail_run(status);
done:
    Py_XDECREF(params);
    if (done < 0)
        while (num_allocated > 0)
            Py_DECREF(allocated[--num_allocated]);
    return done;
}
