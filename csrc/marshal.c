/* NumPy arrays to the core's structs and back. Order of events: everything is
 * converted, checked and allocated before the first write to an array of the caller's.
 */
#define NO_IMPORT_ARRAY
#include "marshal.h"

#include <string.h>

enum {
    SHORTEST_PERIOD = 256,      /* of parameters: shorter ones are tiled */
    STEPS_UNDER_GIL = 8 * 1024, /* neuron-steps for which releasing it is too dear */
    STEPS_PER_CALL = 8 * 1024 * 1024 /* about 10 ms: then signals are checked */
};

#if defined(Py_GIL_DISABLED)
#define LOCK(object) Py_BEGIN_CRITICAL_SECTION(object)
#define UNLOCK() Py_END_CRITICAL_SECTION()
#else
#define LOCK(object) {
#define UNLOCK() }
#endif

static const char cell_name[] = "snnc.cell";

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

static int same_shape(PyArrayObject *array, int ndim, const npy_intp *dims)
{
    return PyArray_NDIM(array) == ndim &&
           memcmp(PyArray_DIMS(array), dims, (size_t)ndim * sizeof *dims) == 0;
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

/* ---- operands ---- */

static int is_masked(PyObject *object)
{
    int masked = 0;
    PyObject *name = PyUnicode_FromString("numpy.ma");
    PyObject *module = name ? PyImport_GetModule(name) : NULL;
    PyObject *type = module ? PyObject_GetAttrString(module, "MaskedArray") : NULL;
    if (type)
        masked = PyObject_IsInstance(object, type);
    else if (PyErr_Occurred())
        masked = -1;
    Py_XDECREF(type);
    Py_XDECREF(module);
    Py_XDECREF(name);
    return masked;
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
        if (PyArray_Check(object)) {
            const int masked = is_masked(object);
            if (masked > 0)
                PyErr_Format(PyExc_TypeError,
                             "%s is a masked array; pass an array without a mask, e.g. "
                             "%s.filled(0)",
                             name, name);
            if (masked)
                return NULL;
        }
        array = (PyArrayObject *)PyArray_FromAny(object, NULL, 0, 0,
                                                 NPY_ARRAY_ENSUREARRAY, NULL);
        if (!array) {
            PyObject *type, *value, *traceback;
            PyErr_Fetch(&type, &value, &traceback);
            if (PyErr_GivenExceptionMatches(type, PyExc_ValueError) ||
                PyErr_GivenExceptionMatches(type, PyExc_TypeError)) {
                PyErr_Format(type, "%s is not an array of real numbers: %S", name,
                             value);
                Py_XDECREF(type);
                Py_XDECREF(value);
                Py_XDECREF(traceback);
            }
            else
                PyErr_Restore(type, value, traceback);
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

/* The array as aligned, native elements of the type; itself where it is that already.
 */
static PyArrayObject *as_type(PyArrayObject *array, int type, int copy)
{
    if (PyArray_TYPE(array) == type && PyArray_ISBEHAVED_RO(array) && !copy)
        return keep(array);
    PyArray_Descr *descr = PyArray_DescrFromType(type);
    return descr ? (PyArrayObject *)PyArray_FromArray(
                       array, descr,
                       NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST |
                           (copy ? NPY_ARRAY_ENSURECOPY : 0))
                 : NULL;
}

/* Whether the array's elements are `dims` of the type, one after the other. */
static int is_plain(PyArrayObject *array, int type, int ndim, const npy_intp *dims)
{
    return PyArray_TYPE(array) == type && PyArray_IS_C_CONTIGUOUS(array) &&
           PyArray_ISBEHAVED_RO(array) && same_shape(array, ndim, dims);
}

/* A dtype argument as a type number: -1 for None, -2 with an exception. */
static int type_argument(PyObject *object, const char *name, int narrow)
{
    PyArray_Descr *descr = NULL;
    int type;

    if (object == Py_None)
        return -1;
    if (!PyArray_DescrConverter(object, &descr)) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, "%s=%R is not a dtype", name, object);
        }
        return -2;
    }
    type = PyDataType_ISNOTSWAPPED(descr) ? descr->type_num : NPY_NOTYPE;
    Py_DECREF(descr);
    if (type == NPY_FLOAT || type == NPY_DOUBLE ||
        (narrow && (type == NPY_UINT8 || type == NPY_BOOL)))
        return type;
    PyErr_Format(PyExc_ValueError, "%s=%R; expected float32%s", name, object,
                 narrow ? ", float64, uint8 or bool" : " or float64");
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
    return PyCapsule_GetPointer(capsule, cell_name);
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
    PyArrayObject *plain = (PyArrayObject *)PyArray_GETCONTIGUOUS(graded);
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
static PyObject *expand(cell *c, int type, const shape *neurons)
{
    PyObject *expanded = NULL;
    shape block;
    const int lead = neurons->ndim - c->shape.ndim;
    int first = lead;
    npy_intp size, repeats = 1, outer;

    while (c->shape.dims[first - lead] == 1)
        first++;
    const int outermost = first > 0; /* dimensions before the block to repeat it over */
    block.ndim = neurons->ndim - first + outermost;
    memcpy(block.dims + outermost, neurons->dims + first,
           (size_t)(neurons->ndim - first) * sizeof(npy_intp));
    size = product(neurons->ndim - first, neurons->dims + first);
    outer = product(first, neurons->dims);
    if (c->inhibition && first > 1)
        repeats = product(first - 1, neurons->dims + 1);
    else if (!c->inhibition && size > 0 && size < SHORTEST_PERIOD)
        repeats = (SHORTEST_PERIOD + size - 1) / size;
    if (outermost)
        block.dims[0] = repeats < outer ? repeats : outer;

    if (c->expanded[type] &&
        same_shape((PyArrayObject *)PyTuple_GetItem(c->expanded[type], 0), block.ndim,
                   block.dims)) {
        Py_INCREF(c->expanded[type]);
        return c->expanded[type];
    }
    expanded = PyTuple_New(c->info->num_params);
    for (int k = 0; expanded && k < c->info->num_params; k++) {
        PyObject *array = PyArray_SimpleNew(block.ndim, block.dims, numpy_type[type]);
        PyArrayObject *constant =
            (PyArrayObject *)PyTuple_GetItem(c->constants[type], k);
        if (!array || PyArray_CopyInto((PyArrayObject *)array, constant) < 0) {
            Py_XDECREF(array);
            Py_CLEAR(expanded);
        }
        else
            PyTuple_SetItem(expanded, k, array);
    }
    if (expanded) {
        PyObject *last = c->expanded[type];
        Py_INCREF(expanded);
        c->expanded[type] = expanded;
        Py_XDECREF(last);
    }
    return expanded;
}

/* ---- a call ---- */

typedef struct {
    const marshal_request *request;
    cell *cell;
    int type, spk_type; /* NumPy's */
    npy_intp num_steps, n;
    int x_axis, out_axis; /* of time; -1: none */
    /* Owned references. An output in `given` is the caller's. */
    PyArrayObject *x, *start[SNNC_MAX_STATES];
    PyArrayObject *spk, *record[SNNC_MAX_STATES], *state[SNNC_MAX_STATES];
    int given_spk, given_record[SNNC_MAX_STATES], given_state[SNNC_MAX_STATES];
    PyObject *params;
    void *workspace;
    /* From here on nothing is zeroed in advance: it would cost a short step dear. */
    shape neurons;
    snnc_call call; /* what the core reads while it runs, with the arrays below */
    size_t dims[NPY_MAXDIMS];
    ptrdiff_t x_strides[NPY_MAXDIMS], out_strides[NPY_MAXDIMS];
} job;

static const char *input_name(const job *j)
{
    return j->request->sequence ? "x" : "input_";
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

/* Converts the operands: x, the start states (NULL where at rest), and the type to
 * compute in, which is float64 if any of them is. */
static int take_operands(job *j)
{
    const marshal_request *request = j->request;
    const snnc_model_info *info = j->cell->info;
    const int asked = type_argument(request->dtype, "dtype", 0);
    int weak;

    if (asked == -2)
        return -1;
    j->type = NPY_FLOAT;
    j->x = operand(request->input, input_name(j), &weak);
    if (!j->x)
        return -1;
    if (!weak && PyArray_TYPE(j->x) == NPY_DOUBLE)
        j->type = NPY_DOUBLE;
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
        j->start[k] = operand(state, info->states[k], &weak);
        if (!j->start[k])
            return -1;
        if (!weak && PyArray_TYPE(j->start[k]) == NPY_DOUBLE)
            j->type = NPY_DOUBLE;
    }
    if (asked != -1)
        j->type = asked;
    PyArrayObject *x = as_type(j->x, j->type, 0);
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
    else if (request->num_steps == Py_None) {
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
    else {
        PyObject *index = PyNumber_Index(request->num_steps);
        if (!index) {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, "num_steps=%R; expected an integer",
                         request->num_steps);
            return -1;
        }
        j->num_steps = PyLong_AsSsize_t(index);
        Py_DECREF(index);
        if (j->num_steps < 0) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError,
                         "num_steps=%R; expected a number of steps, from 0 to %zd",
                         request->num_steps, PY_SSIZE_T_MAX);
            return -1;
        }
    }
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
    if (j->request->sequence) {
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

/* One output: the caller's array, if it is exactly what is needed, or a new one. */
static int take_output(PyObject *given, const char *name, int type, const shape *s,
                       PyArrayObject **array, int *is_given)
{
    *is_given = given && given != Py_None;
    if (!*is_given) {
        *array = (PyArrayObject *)PyArray_SimpleNew(s->ndim, (npy_intp *)s->dims, type);
        return *array ? 0 : -1;
    }
    if (!PyArray_Check(given)) {
        PyErr_Format(PyExc_TypeError, "out: %s must be an array or None, not %R", name,
                     given);
        return -1;
    }
    const int masked = PyArray_CheckExact(given) ? 0 : is_masked(given);
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
    *array = keep(a);
    return 0;
}

static int take_outputs(job *j)
{
    const marshal_request *request = j->request;
    const snnc_model_info *info = j->cell->info;
    shape timed = j->neurons;

    j->spk_type = type_argument(request->spk_dtype, "spk_dtype", 1);
    if (j->spk_type == -2)
        return -1;
    if (j->spk_type == -1)
        j->spk_type = j->type;
    if (j->cell->graded && (j->spk_type == NPY_UINT8 || j->spk_type == NPY_BOOL)) {
        PyErr_Format(
            PyExc_ValueError,
            "spk_dtype=%R can't hold spikes weighted by a graded_spikes_factor; "
            "expected float32 or float64",
            request->spk_dtype);
        return -1;
    }
    if (request->sequence) {
        memmove(timed.dims + j->out_axis + 1, timed.dims + j->out_axis,
                (size_t)(timed.ndim - j->out_axis) * sizeof *timed.dims);
        timed.dims[j->out_axis] = j->num_steps;
        timed.ndim++;
    }
    if (request->spk && take_output(request->out_spk, "spk", j->spk_type, &timed,
                                    &j->spk, &j->given_spk) < 0)
        return -1;
    for (int k = 0; k < info->num_states; k++) {
        if (request->record[k] &&
            take_output(request->out_record[k], info->states[k], j->type, &timed,
                        &j->record[k], &j->given_record[k]) < 0)
            return -1;
        PyObject *given = request->out_state[k];
        if (request->sequence && j->neurons.ndim == 0 && given &&
            PyArray_IsScalar(given, Generic))
            given = NULL; /* the state of a single neuron in an earlier recording */
        if (take_output(given, info->states[k], j->type, &j->neurons, &j->state[k],
                        &j->given_state[k]) < 0)
            return -1;
    }
    return 0;
}

/* Copies every input that an output of the caller's may overwrite before it is read. */
static int separate(job *j)
{
    const int num_states = j->cell->info->num_states;
    PyArrayObject *outputs[1 + 2 * SNNC_MAX_STATES];
    const char *names[1 + 2 * SNNC_MAX_STATES];
    int num_outputs = 0, state_at[SNNC_MAX_STATES];

    if (j->given_spk) {
        names[num_outputs] = "spk";
        outputs[num_outputs++] = j->spk;
    }
    for (int k = 0; k < num_states; k++) {
        if (j->given_record[k]) {
            names[num_outputs] = j->cell->info->states[k];
            outputs[num_outputs++] = j->record[k];
        }
        state_at[k] = j->given_state[k] ? num_outputs : -1;
        if (j->given_state[k]) {
            names[num_outputs] =
                j->request->sequence ? "state" : j->cell->info->states[k];
            outputs[num_outputs++] = j->state[k];
        }
    }
    for (int a = 0; a < num_outputs; a++)
        for (int b = 0; b < a; b++)
            if (overlap(outputs[a], outputs[b])) {
                PyErr_Format(PyExc_ValueError, "out: %s and %s share memory", names[b],
                             names[a]);
                return -1;
            }
    for (int a = 0; a < num_outputs; a++) {
        if (overlap(outputs[a], j->x)) {
            PyArrayObject *copy = as_type(j->x, j->type, 1);
            if (!copy)
                return -1;
            replace(&j->x, copy);
        }
        for (int k = 0; k < num_states; k++) {
            PyArrayObject *start = j->start[k];
            const int in_place =
                start && a == state_at[k] &&
                PyArray_DATA(start) == PyArray_DATA(outputs[a]) &&
                is_plain(start, j->type, j->neurons.ndim, j->neurons.dims);
            if (start && !in_place && overlap(outputs[a], start)) {
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
        PyArrayObject *whole = j->state[k];
        if (j->start[k] && is_plain(j->start[k], j->type, neurons->ndim, neurons->dims))
            continue;
        if (j->given_state[k]) {
            whole = (PyArrayObject *)PyArray_SimpleNew(neurons->ndim, neurons->dims,
                                                       j->type);
            if (!whole)
                return -1;
        }
        if (!j->start[k])
            memset(PyArray_DATA(whole), 0, (size_t)PyArray_NBYTES(whole));
        else if (PyArray_CopyInto(whole, j->start[k]) < 0) {
            if (j->given_state[k])
                drop(whole);
            return -1;
        }
        replace(&j->start[k], j->given_state[k] ? whole : NULL);
    }
    return 0;
}

/* The strides of x and of the outputs over as few dimensions as describe them both;
 * none at all where the neurons of a step lie one after the other. */
static void describe_layout(job *j)
{
    const npy_intp size = PyArray_ITEMSIZE(j->x);
    const int ndim = j->neurons.ndim;
    const int x_ndim = PyArray_NDIM(j->x) - (j->x_axis >= 0);
    snnc_call *call = &j->call;
    ptrdiff_t out_step = 1, out_stride = 1;
    int kept = NPY_MAXDIMS; /* dimensions are gathered from the last to the first */

    call->x.data = PyArray_DATA(j->x);
    call->x.held = j->x_axis < 0 || PyArray_STRIDE(j->x, j->x_axis) == 0;
    if (!call->x.held)
        call->x.step = PyArray_STRIDE(j->x, j->x_axis) / size;
    if (j->out_axis <= 0 && j->x_axis <= 0 && PyArray_IS_C_CONTIGUOUS(j->x) &&
        x_ndim == ndim &&
        memcmp(PyArray_DIMS(j->x) + (j->x_axis == 0), j->neurons.dims,
               (size_t)ndim * sizeof(npy_intp)) == 0)
        return;

    for (int d = ndim - 1; d >= 0; d--) {
        const npy_intp length = j->neurons.dims[d];
        const int own = d - (ndim - x_ndim); /* the dimension of x, leaving out time */
        const int axis = own + (j->x_axis >= 0 && own >= j->x_axis);
        ptrdiff_t x_stride = 0;
        if (own >= 0 && PyArray_DIM(j->x, axis) != 1)
            x_stride = PyArray_STRIDE(j->x, axis) / size;
        if (d + 1 == j->out_axis) {
            out_step = out_stride;
            out_stride *= j->num_steps;
        }
        if (length != 1) {
            if (kept < NPY_MAXDIMS &&
                x_stride == j->x_strides[kept] * (ptrdiff_t)j->dims[kept] &&
                out_stride == j->out_strides[kept] * (ptrdiff_t)j->dims[kept]) {
                j->dims[kept] *= (size_t)length;
            }
            else {
                kept--;
                j->dims[kept] = (size_t)length;
                j->x_strides[kept] = x_stride;
                j->out_strides[kept] = out_stride;
            }
        }
        out_stride *= length;
    }
    if (j->out_axis == 0)
        out_step = out_stride;

    call->ndim = NPY_MAXDIMS - kept;
    call->shape = j->dims + kept;
    const int single = call->ndim == 0; /* one neuron: only its steps are apart */
    const int line = call->ndim == 1;
    if (!single && !(line && j->x_strides[kept] == 1))
        call->x.strides = j->x_strides + kept;
    for (int k = -1; k < j->cell->info->num_states; k++) {
        snnc_output *output = k < 0 ? &call->spk : &call->record[k];
        output->step = out_step;
        if (!single && !(line && j->out_strides[kept] == 1))
            output->strides = j->out_strides + kept;
    }
}

/* The core's view of it all. */
static int describe(job *j)
{
    const cell *c = j->cell;
    snnc_call *call = &j->call;

    memset(call, 0, sizeof *call);
    call->model = (snnc_model)c->model;
    call->reset = (snnc_reset)c->reset;
    call->type = j->type == NPY_FLOAT ? SNNC_F32 : SNNC_F64;
    call->undelayed = c->undelayed;
    call->num_steps = (size_t)j->num_steps;
    call->num_neurons = (size_t)j->n;
    if (j->n == 0)
        return 0;
    describe_layout(j);
    if (j->spk) {
        call->spk.data = PyArray_DATA(j->spk);
        call->spk_type = j->spk_type == NPY_FLOAT    ? SNNC_F32
                         : j->spk_type == NPY_DOUBLE ? SNNC_F64
                                                     : SNNC_U8;
    }
    for (int k = 0; k < c->info->num_states; k++) {
        call->state_in[k] = j->start[k] ? PyArray_DATA(j->start[k]) : NULL;
        call->state_out[k] = PyArray_DATA(j->state[k]);
        call->record[k].data = j->record[k] ? PyArray_DATA(j->record[k]) : NULL;
    }
    if (c->uniform) {
        for (int k = 0; k < c->info->num_params; k++)
            call->params[k] = call->type == SNNC_F32 ? (const void *)&c->value32[k]
                                                     : (const void *)&c->value64[k];
    }
    else {
        LOCK(j->request->cell)
        j->params = expand(j->cell, (int)call->type, &j->neurons);
        UNLOCK()
        if (!j->params)
            return -1;
        for (int k = 0; k < c->info->num_params; k++) {
            PyArrayObject *param = (PyArrayObject *)PyTuple_GetItem(j->params, k);
            call->params[k] = PyArray_DATA(param);
            call->period = (size_t)PyArray_SIZE(param);
        }
    }
    if (c->inhibition) {
        call->rivals = (size_t)j->neurons.dims[1];
        call->rival_stride = (size_t)product(j->neurons.ndim - 2, j->neurons.dims + 2);
        call->workspace = j->workspace = PyMem_Malloc(snnc_workspace_size(call));
        if (!j->workspace) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* Runs the core in pieces of about 10 ms, and asks for signals between them. */
static int execute(const snnc_isa *isa, const snnc_call *call)
{
    const size_t n = call->num_neurons, total = n * call->num_steps;
    const size_t steps = n == 0               ? call->num_steps
                         : n < STEPS_PER_CALL ? STEPS_PER_CALL / n
                                              : 1;
    snnc_status status = SNNC_OK;
    size_t t0 = 0, t1;

    do {
        t1 = call->num_steps - t0 < steps ? call->num_steps : t0 + steps;
        if (t0 > 0 && PyErr_CheckSignals() < 0)
            return -1;
        if (total > STEPS_UNDER_GIL) {
            Py_BEGIN_ALLOW_THREADS
            status = snnc_run(isa, call, t0, t1, 0, n);
            Py_END_ALLOW_THREADS
        }
        else
            status = snnc_run(isa, call, t0, t1, 0, n);
        t0 = t1;
    } while (status == SNNC_OK && t0 < call->num_steps);
    if (status != SNNC_OK) {
        PyErr_Format(PyExc_SystemError, "snnc_run: %s", snnc_strerror(status));
        return -1;
    }
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

int marshal_run(const snnc_isa *isa, const marshal_request *request,
                marshal_result *result)
{
    job j;
    int failed = -1;

    memset(&j, 0, offsetof(job, neurons));
    memset(result, 0, sizeof *result);
    j.request = request;
    j.cell = get_cell(request->cell);
    if (!j.cell)
        return -1;
    const int num_states = j.cell->info->num_states;

    if (take_operands(&j) < 0 || take_num_steps(&j) < 0 || find_neurons(&j) < 0 ||
        take_outputs(&j) < 0 || separate(&j) < 0 || take_starts(&j) < 0 ||
        describe(&j) < 0 || execute(isa, &j.call) < 0)
        goto done;
    result->num_steps = j.num_steps;
    failed = hand_over(&j.spk, j.given_spk, &result->spk);
    for (int k = 0; k < num_states && !failed; k++)
        failed = hand_over(&j.record[k], j.given_record[k], &result->record[k]) ||
                 hand_over(&j.state[k], j.given_state[k], &result->state[k]);
done:
    if (failed)
        marshal_clear(result);
    drop(j.x);
    drop(j.spk);
    for (int k = 0; k < num_states; k++) {
        drop(j.start[k]);
        drop(j.record[k]);
        drop(j.state[k]);
    }
    Py_XDECREF(j.params);
    PyMem_Free(j.workspace);
    return failed ? -1 : 0;
}

void marshal_clear(marshal_result *result)
{
    Py_CLEAR(result->spk);
    for (int k = 0; k < SNNC_MAX_STATES; k++) {
        Py_CLEAR(result->record[k]);
        Py_CLEAR(result->state[k]);
    }
}
