/* The extension module snnc._core: a handful of private, positional functions over
 * marshal, and the tables that Python reads. Keywords, defaults and docstrings live in
 * Python. */
#include <stdlib.h>
#include <string.h>

#include "marshal.h"
#include "threads.h"

#include <structmember.h>

static const char *const reset_names[SNNC_NUM_RESETS] = {"subtract", "zero", "none"};

/* Chosen once, at import, and constant from then on. */
static const snnc_isa *isa;

static int check_count(const char *function, Py_ssize_t got, Py_ssize_t least)
{
    if (got >= least)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s takes at least %zd arguments (%zd given)",
                 function, least, got);
    return -1;
}

/* The index of a string in a list of names, or -1 with an exception. */
static int index_of(PyObject *string, const char *const *names, int count,
                    const char *argument)
{
    for (int i = 0; PyUnicode_Check(string) && i < count; i++)
        if (PyUnicode_CompareWithASCIIString(string, names[i]) == 0)
            return i;
    PyErr_Format(PyExc_ValueError, "%s=%R is not in the table", argument, string);
    return -1;
}

static int is_tuple(PyObject *object, Py_ssize_t size, const char *name)
{
    if (PyTuple_Check(object) && PyTuple_Size(object) == size)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s must be a tuple of %zd, not %R", name, size,
                 object);
    return 0;
}

static PyObject *core_cell(PyObject *Py_UNUSED(module), PyObject *const *args,
                           Py_ssize_t nargs)
{
    const char *names[SNNC_NUM_MODELS];
    int model, reset, undelayed, inhibition;

    if (check_count("cell", nargs, 7) < 0)
        return NULL;
    for (int i = 0; i < SNNC_NUM_MODELS; i++)
        names[i] = snnc_model_at(i)->name;
    model = index_of(args[0], names, SNNC_NUM_MODELS, "model");
    reset = model < 0 ? -1 : index_of(args[1], reset_names, SNNC_NUM_RESETS, "reset");
    undelayed = PyObject_IsTrue(args[2]);
    inhibition = PyObject_IsTrue(args[3]);
    if (model < 0 || reset < 0 || undelayed < 0 || inhibition < 0)
        return NULL;
    const int num_params = snnc_model_at(model)->num_params;
    if (snnc_model_at(model)->hard && (reset != SNNC_ZERO || inhibition)) {
        PyErr_Format(PyExc_ValueError, "%s has hard resets only, and no inhibition",
                     names[model]);
        return NULL;
    }
    if (!is_tuple(args[4], num_params, "constants32") ||
        !is_tuple(args[5], num_params, "constants64"))
        return NULL;
    if (!PyTuple_Check(args[6])) {
        PyErr_Format(PyExc_TypeError, "parameters must be a tuple, not %R", args[6]);
        return NULL;
    }
    return marshal_cell(model, reset, undelayed, inhibition, args + 4, args[6]);
}

/* A tuple of arrays (stolen), or NULL with an exception. */
static PyObject *tuple_of(PyObject *const *arrays, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; i < count; i++) {
        if (tuple)
            PyTuple_SetItem(tuple, i, arrays[i]);
        else
            Py_DECREF(arrays[i]);
    }
    return tuple;
}

/* A step by marshal_plain: NULL without an exception where it isn't plain. */
static PyObject *plain_step(PyObject *cell, PyObject *input, PyObject *const *states,
                            int num_states, PyObject *out)
{
    PyObject *arrays[1 + SNNC_MAX_STATES] = {NULL};
    int given[1 + SNNC_MAX_STATES] = {0}, num_given = 0;

    if (out != Py_None &&
        (!PyTuple_CheckExact(out) || PyTuple_Size(out) != 1 + num_states))
        return NULL;
    for (int i = 0; out != Py_None && i < 1 + num_states; i++) {
        arrays[i] = PyTuple_GetItem(out, i);
        given[i] = arrays[i] != Py_None;
        num_given += given[i];
        if (!given[i])
            arrays[i] = NULL;
    }
    if (marshal_plain(isa, cell, input, states, num_states, 0, -1, 1, NULL, arrays) <=
        0)
        return NULL;
    if (num_given == 1 + num_states) {
        Py_INCREF(out);
        return out;
    }
    for (int i = 0; i < 1 + num_states; i++)
        if (given[i])
            Py_INCREF(arrays[i]);
    return tuple_of(arrays, 1 + num_states);
}

static PyObject *core_step(PyObject *Py_UNUSED(module), PyObject *const *args,
                           Py_ssize_t nargs)
{
    enum { CELL, INPUT, OUT, DTYPE, HELD, STATES };
    marshal_request request;
    marshal_result result;
    const snnc_model_info *info;
    PyObject *tuple, *out;

    if (check_count("step", nargs, STATES) < 0)
        return NULL;
    info = marshal_model(args[CELL]);
    if (!info || check_count("step", nargs, STATES + info->num_states) < 0)
        return NULL;
    out = args[OUT];
    if (out != Py_None &&
        (!PyTuple_Check(out) || PyTuple_Size(out) != 1 + info->num_states)) {
        PyErr_Format(PyExc_TypeError,
                     "out must be a tuple of %d, (spk, *states) as they are returned, "
                     "not %R",
                     1 + info->num_states, out);
        return NULL;
    }
    const int type = marshal_type(args[DTYPE], "dtype", 0);
    if (type == -2)
        return NULL;
    if (type == -1) {
        tuple =
            plain_step(args[CELL], args[INPUT], args + STATES, info->num_states, out);
        if (tuple || PyErr_Occurred())
            return tuple;
    }

    memset(&request, 0, sizeof request);
    request.cell = args[CELL];
    request.input = args[INPUT];
    request.num_steps = request.spk_type = -1;
    request.type = type;
    request.held = args[HELD] == Py_True;
    request.states = args + STATES;
    request.wanted[MARSHAL_SPK] = 1;
    for (int k = -1; out != Py_None && k < info->num_states; k++)
        request.out[k < 0 ? MARSHAL_SPK : MARSHAL_STATE + k] =
            PyTuple_GetItem(out, 1 + k);
    if (marshal_run(isa, &request, &result) < 0)
        return NULL;
    tuple = PyTuple_New(1 + info->num_states);
    if (!tuple) {
        marshal_clear(&result);
        return NULL;
    }
    PyTuple_SetItem(tuple, 0, result.out[MARSHAL_SPK]);
    for (int k = 0; k < info->num_states; k++)
        PyTuple_SetItem(tuple, 1 + k, result.out[MARSHAL_STATE + k]);
    return tuple;
}

/* ---- a neuron that can be called ---- */

/* The base of the neuron classes: what a step reads of a neuron, so that the common
 * step needs no Python function. */
typedef struct {
    PyObject_HEAD
    PyObject *configuration; /* that the next two are a part of */
    PyObject *cell;          /* what core_cell returned */
    PyObject *held;          /* the states that the neuron holds, or None */
    char indirect;           /* whether every call is left to Python */
} neuron;

/* Names of Python's, made once. */
static PyObject *name_out, *name_call, *name_missing;

/* neuron(input_, *states, out=None): a plain step here, all else in the method _call.
 */
static PyObject *neuron_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    const neuron *n = (neuron *)self;
    const Py_ssize_t nargs = PyTuple_Size(args);
    PyObject *out = Py_None, *operands[1 + SNNC_MAX_STATES];

    if (kwargs && PyDict_Size(kwargs) == 1) {
        out = PyDict_GetItemWithError(kwargs, name_out);
        if (!out && PyErr_Occurred())
            return NULL;
    }
    else if (kwargs && PyDict_Size(kwargs) > 1)
        out = NULL;
    if (n->cell && n->held == Py_None && !n->indirect && nargs > 1 &&
        nargs <= 1 + SNNC_MAX_STATES && out) {
        for (Py_ssize_t i = 0; i < nargs; i++)
            operands[i] = PyTuple_GetItem(args, i);
        PyObject *cell, *result; /* a cell may be replaced in the meantime */
        LOCK(self);
        cell = n->cell;
        Py_INCREF(cell);
        UNLOCK();
        result = plain_step(cell, operands[0], operands + 1, (int)nargs - 1, out);
        Py_DECREF(cell);
        if (result || PyErr_Occurred())
            return result;
    }
    PyObject *method = PyObject_GetAttr(self, name_call);
    PyObject *result = method ? PyObject_Call(method, args, kwargs) : NULL;
    Py_XDECREF(method);
    return result;
}

/* An attribute; where there is none, the method _missing says what to write instead. (A
 * __getattr__ of Python's would make all attributes slower, thrice as much as this.) */
static PyObject *neuron_getattro(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(self, name), *method;

    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return value;
    PyErr_Clear();
    method = PyObject_GenericGetAttr(self, name_missing);
    if (method)
        value = PyObject_CallFunctionObjArgs(method, name, NULL);
    Py_XDECREF(method);
    return value;
}

/* _set(configuration, cell, indirect, held): all at once, and nothing can fail. */
static PyObject *neuron_set(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    neuron *const n = (neuron *)self;
    PyObject **const slots[] = {&n->configuration, &n->cell, &n->held}, *old[3];

    if (check_count("_set", nargs, 4) < 0)
        return NULL;
    PyObject *const new[] = {args[0], args[1], args[3]};
    LOCK(self);
    for (int i = 0; i < 3; i++) {
        Py_INCREF(new[i]);
        old[i] = *slots[i];
        *slots[i] = new[i];
    }
    n->indirect = args[2] == Py_True;
    UNLOCK();
    for (int i = 0; i < 3; i++)
        Py_XDECREF(old[i]);
    Py_RETURN_NONE;
}

static int neuron_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((neuron *)self)->configuration);
    Py_VISIT(((neuron *)self)->cell);
    Py_VISIT(((neuron *)self)->held);
    return 0;
}

static int neuron_clear(PyObject *self)
{
    Py_CLEAR(((neuron *)self)->configuration);
    Py_CLEAR(((neuron *)self)->cell);
    Py_CLEAR(((neuron *)self)->held);
    return 0;
}

static void neuron_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(self);
    neuron_clear(self);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef neuron_methods[] = {
    {"_set", (PyCFunction)(void (*)(void))neuron_set, METH_FASTCALL,
     PyDoc_STR("_set(configuration, cell, indirect, held, /)")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef neuron_members[] = {
    {"_configuration", T_OBJECT_EX, offsetof(neuron, configuration), 0, NULL},
    {"_cell", T_OBJECT, offsetof(neuron, cell), 0, NULL},
    {"_held", T_OBJECT, offsetof(neuron, held), 0, NULL},
    {"_indirect", T_BOOL, offsetof(neuron, indirect), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot neuron_slots[] = {
    {Py_tp_doc, "What a step reads of a neuron; called, it does a step."},
    {Py_tp_call, neuron_call},
    {Py_tp_getattro, neuron_getattro},
    {Py_tp_traverse, neuron_traverse},
    {Py_tp_clear, neuron_clear},
    {Py_tp_dealloc, neuron_dealloc},
    {Py_tp_methods, neuron_methods},
    {Py_tp_members, neuron_members},
    {0, NULL},
};

static PyType_Spec neuron_spec = {
    .name = "snnc._core.Neuron",
    .basicsize = sizeof(neuron),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = neuron_slots,
};

/* An integer, by its __index__, whose errors stay as they are: 0, or -1 with an
 * exception. */
static int take_index(PyObject *object, const char *name, Py_ssize_t *value)
{
    PyObject *index;

    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s=%R; expected an integer", name, object);
        return -1;
    }
    index = PyNumber_Index(object);
    if (!index)
        return -1;
    *value = PyLong_AsSsize_t(index);
    Py_DECREF(index);
    if (*value != -1 || !PyErr_Occurred())
        return 0;
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "%s=%R is beyond what an index can be", name,
                 object);
    return -1;
}

/* A number of steps or the like, or -1 with an exception. */
static Py_ssize_t index_argument(PyObject *object, const char *name, Py_ssize_t least)
{
    Py_ssize_t value;

    if (take_index(object, name, &value) < 0)
        return -1;
    if (value >= least)
        return value;
    PyErr_Format(PyExc_ValueError, "%s=%R; expected an integer of at least %zd", name,
                 object, least);
    return -1;
}

/* How many threads; -1 with an exception. */
static Py_ssize_t threads_argument(PyObject *object)
{
    const Py_ssize_t value = index_argument(object, "num_threads", 1);
    if (value <= THREADS_MOST)
        return value;
    PyErr_Format(PyExc_ValueError, "num_threads=%R; expected an integer from 1 to %d",
                 object, (int)THREADS_MOST);
    return -1;
}

/* What core_run returns, or NULL where an argument (stolen, as the arrays in it) is. */
static PyObject *run_results(PyObject *recorded, PyObject *final, PyObject *checkpoints,
                             Py_ssize_t num_steps)
{
    PyObject *results = PyTuple_New(4), *count = PyLong_FromSsize_t(num_steps);
    if (!results || !recorded || !final || !checkpoints || !count) {
        Py_XDECREF(results);
        Py_XDECREF(recorded);
        Py_XDECREF(final);
        Py_XDECREF(checkpoints);
        Py_XDECREF(count);
        return NULL;
    }
    PyTuple_SetItem(results, 0, recorded);
    PyTuple_SetItem(results, 1, final);
    PyTuple_SetItem(results, 2, count);
    PyTuple_SetItem(results, 3, checkpoints);
    return results;
}

/* A run by marshal_plain of which spikes are recorded: NULL without an exception where
 * it isn't plain. `out_recorded` and `out_states` are tuples, or NULL. */
static PyObject *plain_run(PyObject *cell, PyObject *x, PyObject *start, int num_states,
                           int spk_type, Py_ssize_t num_threads, PyObject *out_recorded,
                           PyObject *out_states, PyObject *overwritten)
{
    PyObject *arrays[1 + SNNC_MAX_STATES] = {NULL}, *states[SNNC_MAX_STATES];
    int given[1 + SNNC_MAX_STATES] = {0};

    if (spk_type == MARSHAL_PACKED || !PyArray_CheckExact(x) ||
        PyArray_NDIM((PyArrayObject *)x) == 0)
        return NULL;
    const npy_intp num_steps = PyArray_DIM((PyArrayObject *)x, 0);
    for (int i = 0; i < 1 + num_states; i++) {
        if (i > 0)
            states[i - 1] = PyTuple_GetItem(start, i - 1);
        if (out_states)
            arrays[i] = i ? PyTuple_GetItem(out_states, i - 1)
                          : PyTuple_GetItem(out_recorded, 0);
        given[i] = arrays[i] && arrays[i] != Py_None;
        if (!given[i])
            arrays[i] = NULL;
    }
    if (marshal_plain(isa, cell, x, states, num_states, 1, spk_type, num_threads,
                      overwritten, arrays) <= 0)
        return NULL;
    for (int i = 0; i < 1 + num_states; i++)
        if (given[i])
            Py_INCREF(arrays[i]);
    Py_INCREF(Py_None);
    return run_results(tuple_of(arrays, 1), tuple_of(arrays + 1, num_states), Py_None,
                       num_steps);
}

static PyObject *core_run(PyObject *Py_UNUSED(module), PyObject *const *args,
                          Py_ssize_t nargs)
{
    enum {
        CELL,
        X,
        HELD,
        STATES,
        NUM_STEPS,
        TIME_AXIS,
        RECORD,
        EVERY,
        FIRST_STEP,
        NEURONS,
        SPK_DTYPE,
        OUT,
        DTYPE,
        NUM_THREADS,
        INTERVAL,
        COUNT
    };
    marshal_request request;
    marshal_result result;
    const snnc_model_info *info;
    PyObject *states[SNNC_MAX_STATES], *out_recorded = NULL, *out_states = NULL;
    PyObject *out_checkpoints = NULL, *overwritten = NULL;
    PyObject *recorded, *final, *checkpoints, *results;
    Py_ssize_t num_recorded, time_axis, every, first_step, num_threads, interval;
    Py_ssize_t index[MARSHAL_STATE], num_steps = -1;

    if (check_count("run", nargs, COUNT) < 0)
        return NULL;
    info = marshal_model(args[CELL]);
    if (!info || !is_tuple(args[STATES], info->num_states, "states"))
        return NULL;
    if (!PyTuple_Check(args[RECORD]) || PyTuple_Size(args[RECORD]) > MARSHAL_STATE) {
        PyErr_Format(PyExc_TypeError, "record=%R", args[RECORD]);
        return NULL;
    }
    num_recorded = PyTuple_Size(args[RECORD]);
    for (Py_ssize_t i = 0; i < num_recorded; i++) {
        index[i] = PyLong_AsSsize_t(PyTuple_GetItem(args[RECORD], i));
        if (index[i] < 0 || index[i] >= MARSHAL_RECORD + info->num_states) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "record=%R", args[RECORD]);
            return NULL;
        }
    }
    if (args[OUT] != Py_None) {
        if (!is_tuple(args[OUT], 4, "out"))
            return NULL;
        overwritten = PyTuple_GetItem(args[OUT], 3);
        out_checkpoints = PyTuple_GetItem(args[OUT], 2);
        out_recorded = PyTuple_GetItem(args[OUT], 0);
        out_states = PyTuple_GetItem(args[OUT], 1);
        if (!is_tuple(out_recorded, num_recorded, "out[0]") ||
            !is_tuple(out_states, info->num_states, "out[1]") ||
            !is_tuple(out_checkpoints, info->num_states, "out[2]"))
            return NULL;
    }
    const int type = marshal_type(args[DTYPE], "dtype", 0);
    if (type == -2)
        return NULL;
    const int spk_type = marshal_type(args[SPK_DTYPE], "spk_dtype", 1);
    if (spk_type == -2)
        return NULL;
    if ((args[NUM_STEPS] != Py_None &&
         (num_steps = index_argument(args[NUM_STEPS], "num_steps", 0)) < 0) ||
        take_index(args[TIME_AXIS], "time_axis", &time_axis) < 0 ||
        (every = index_argument(args[EVERY], "every", 1)) < 0 ||
        (first_step = index_argument(args[FIRST_STEP], "first_step", 0)) < 0 ||
        (num_threads = threads_argument(args[NUM_THREADS])) < 0 ||
        (interval = index_argument(args[INTERVAL], "checkpoint", 0)) < 0)
        return NULL;
    if (interval == 0 && args[HELD] == Py_False && num_steps == -1 && time_axis == 0 &&
        num_recorded == 1 && index[0] == MARSHAL_SPK && args[NEURONS] == Py_None &&
        type == -1) {
        results =
            plain_run(args[CELL], args[X], args[STATES], info->num_states, spk_type,
                      num_threads, out_recorded, out_states, overwritten);
        if (results || PyErr_Occurred())
            return results;
    }
    memset(&request, 0, sizeof request);
    request.cell = args[CELL];
    request.sequence = 1;
    request.input = args[X];
    request.held = args[HELD] == Py_True;
    request.num_steps = num_steps;
    request.type = type;
    request.spk_type = spk_type;
    request.overwritten = overwritten;
    request.neurons = args[NEURONS];
    request.time_axis = time_axis;
    request.every = every;
    request.first_step = first_step;
    request.num_threads = num_threads;
    request.interval = interval;
    request.states = states;
    for (int k = 0; k < info->num_states; k++) {
        states[k] = PyTuple_GetItem(args[STATES], k);
        request.out[MARSHAL_STATE + k] =
            out_states ? PyTuple_GetItem(out_states, k) : NULL;
        request.out[MARSHAL_CHECKPOINT + k] =
            out_checkpoints ? PyTuple_GetItem(out_checkpoints, k) : NULL;
    }
    for (Py_ssize_t i = 0; i < num_recorded; i++) {
        request.wanted[index[i]] = 1;
        request.out[index[i]] = out_recorded ? PyTuple_GetItem(out_recorded, i) : NULL;
    }

    if (marshal_run(isa, &request, &result) < 0)
        return NULL;
    recorded = PyTuple_New(num_recorded);
    for (Py_ssize_t i = 0; recorded && i < num_recorded; i++) {
        PyObject *array = result.out[index[i]];
        Py_XINCREF(array);
        PyTuple_SetItem(recorded, i, array);
    }
    for (int k = 0; k < info->num_states; k++) {
        Py_INCREF(result.out[MARSHAL_STATE + k]);
        Py_XINCREF(result.out[MARSHAL_CHECKPOINT + k]);
    }
    final = tuple_of(&result.out[MARSHAL_STATE], info->num_states);
    if (interval)
        checkpoints = tuple_of(&result.out[MARSHAL_CHECKPOINT], info->num_states);
    else {
        Py_INCREF(Py_None);
        checkpoints = Py_None;
    }
    marshal_clear(&result);
    return run_results(recorded, final, checkpoints, result.num_steps);
}

/* A surrogate's place in the table and its two arguments; -1 with an exception. */
static int take_surrogate(PyObject *index, PyObject *args, int *surrogate,
                          double values[2])
{
    const Py_ssize_t i = index_argument(index, "surrogate", 0);

    if (i < 0 || !is_tuple(args, 2, "the surrogate's arguments"))
        return -1;
    if (i >= SNNC_NUM_SURROGATES) {
        PyErr_Format(PyExc_ValueError, "surrogate=%zd is not in the table", i);
        return -1;
    }
    *surrogate = (int)i;
    for (int k = 0; k < 2; k++) {
        values[k] = PyFloat_AsDouble(PyTuple_GetItem(args, k));
        if (values[k] == -1 && PyErr_Occurred())
            return -1;
    }
    return 0;
}

/* Reads the arguments that backward and excess have in common; -1 with an exception. */
static int take_back(PyObject *const *args, Py_ssize_t nargs, marshal_back *back,
                     PyObject **arrays)
{
    enum {
        CELL,
        X,
        HELD,
        NUM_STEPS,
        CHECKPOINTS,
        INTERVAL,
        SURROGATE,
        ARGS,
        DERIVATIVE,
        GRAD_SPK,
        GRAD_STATES,
        GRAD_START,
        GRAD_X,
        GRAD_PARAMS,
        T0,
        T1,
        NUM_THREADS,
        COUNT
    };
    const snnc_model_info *info;

    memset(back, 0, sizeof *back);
    if (check_count("backward", nargs, COUNT) < 0 ||
        !(info = marshal_model(args[CELL])))
        return -1;
    if (!is_tuple(args[CHECKPOINTS], info->num_states, "checkpoints") ||
        !is_tuple(args[GRAD_STATES], info->num_states, "grad_states") ||
        !is_tuple(args[GRAD_START], info->num_states, "grad_start") ||
        !is_tuple(args[GRAD_PARAMS], info->num_params, "grad_params") ||
        (back->num_steps = index_argument(args[NUM_STEPS], "num_steps", 0)) < 0 ||
        (back->interval = index_argument(args[INTERVAL], "interval", 1)) < 0 ||
        take_surrogate(args[SURROGATE], args[ARGS], &back->surrogate,
                       back->surrogate_args) < 0 ||
        (back->t0 = index_argument(args[T0], "t0", 0)) < 0 ||
        (back->t1 = index_argument(args[T1], "t1", 0)) < 0 ||
        (back->num_threads = threads_argument(args[NUM_THREADS])) < 0)
        return -1;
    back->cell = args[CELL];
    back->x = args[X];
    back->held = args[HELD] == Py_True;
    back->derivative = args[DERIVATIVE];
    back->grad_spk = args[GRAD_SPK];
    back->grad_x = args[GRAD_X];
    back->checkpoints = arrays;
    back->grad_states = arrays + SNNC_MAX_STATES;
    back->grad_start = arrays + 2 * SNNC_MAX_STATES;
    back->grad_params = arrays + 3 * SNNC_MAX_STATES;
    for (int k = 0; k < info->num_states; k++) {
        arrays[k] = PyTuple_GetItem(args[CHECKPOINTS], k);
        arrays[SNNC_MAX_STATES + k] = PyTuple_GetItem(args[GRAD_STATES], k);
        arrays[2 * SNNC_MAX_STATES + k] = PyTuple_GetItem(args[GRAD_START], k);
    }
    for (int k = 0; k < info->num_params; k++)
        arrays[3 * SNNC_MAX_STATES + k] = PyTuple_GetItem(args[GRAD_PARAMS], k);
    return 0;
}

static PyObject *go_back(PyObject *const *args, Py_ssize_t nargs, int excess)
{
    PyObject *arrays[3 * SNNC_MAX_STATES + SNNC_MAX_PARAMS];
    marshal_back back;

    if (take_back(args, nargs, &back, arrays) < 0)
        return NULL;
    back.excess = excess;
    if (marshal_backward(isa, &back) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *core_backward(PyObject *Py_UNUSED(module), PyObject *const *args,
                               Py_ssize_t nargs)
{
    return go_back(args, nargs, 0);
}

static PyObject *core_excess(PyObject *Py_UNUSED(module), PyObject *const *args,
                             Py_ssize_t nargs)
{
    return go_back(args, nargs, 1);
}

/* surrogate(index, args, x): the derivative at x, a float32 or float64 array. */
static PyObject *core_surrogate(PyObject *Py_UNUSED(module), PyObject *const *args,
                                Py_ssize_t nargs)
{
    double values[2];
    int surrogate;

    if (check_count("surrogate", nargs, 3) < 0 ||
        take_surrogate(args[0], args[1], &surrogate, values) < 0)
        return NULL;
    return marshal_surrogate(isa, surrogate, values, args[2]);
}

static PyObject *core_empty(PyObject *Py_UNUSED(module), PyObject *const *args,
                            Py_ssize_t nargs)
{
    if (nargs < 2)
        return PyErr_Format(PyExc_TypeError, "empty needs a size and a dtype");
    const Py_ssize_t size = index_argument(args[0], "size", 0);
    return size < 0 ? NULL : marshal_empty(size, args[1], args + 2, nargs - 2);
}

static PyObject *core_events(PyObject *Py_UNUSED(module), PyObject *const *args,
                             Py_ssize_t nargs)
{
    Py_ssize_t num_neurons, first_step;

    if (check_count("events", nargs, 3) < 0)
        return NULL;
    num_neurons = index_argument(args[1], "num_neurons", 0);
    first_step = num_neurons < 0 ? -1 : index_argument(args[2], "first_step", 0);
    return first_step < 0 ? NULL : marshal_events(args[0], num_neurons, first_step);
}

static PyObject *core_is_masked(PyObject *Py_UNUSED(module), PyObject *object)
{
    const int masked = marshal_is_masked(object);
    return masked < 0 ? NULL : PyBool_FromLong(masked);
}

static PyObject *core_threads_started(PyObject *Py_UNUSED(module),
                                      PyObject *Py_UNUSED(none))
{
    return PyLong_FromSize_t(threads_started());
}

static PyObject *core_forget_threads(PyObject *Py_UNUSED(module),
                                     PyObject *Py_UNUSED(none))
{
    if (threads_forget() < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"cell", (PyCFunction)(void (*)(void))core_cell, METH_FASTCALL,
     PyDoc_STR("cell(model, reset, undelayed, inhibition, constants32, constants64, "
               "parameters, /)")},
    {"step", (PyCFunction)(void (*)(void))core_step, METH_FASTCALL,
     PyDoc_STR("step(cell, input, out, dtype, held, /, *states)")},
    {"run", (PyCFunction)(void (*)(void))core_run, METH_FASTCALL,
     PyDoc_STR("run(cell, x, held, states, num_steps, time_axis, record, every, "
               "first_step, neurons, spk_dtype, out, dtype, num_threads, "
               "interval, /)")},
    {"backward", (PyCFunction)(void (*)(void))core_backward, METH_FASTCALL,
     PyDoc_STR("backward(cell, x, held, num_steps, checkpoints, interval, surrogate, "
               "args, derivative, grad_spk, grad_states, grad_start, grad_x, "
               "grad_params, t0, t1, num_threads, /)")},
    {"excess", (PyCFunction)(void (*)(void))core_excess, METH_FASTCALL,
     PyDoc_STR("As backward, but writes mem - threshold to `derivative` only.")},
    {"surrogate", (PyCFunction)(void (*)(void))core_surrogate, METH_FASTCALL,
     PyDoc_STR("surrogate(index, args, x, /)")},
    {"empty", (PyCFunction)(void (*)(void))core_empty, METH_FASTCALL,
     PyDoc_STR("empty(size, dtype, /, *beside): a line that is fast to write beside")},
    {"events", (PyCFunction)(void (*)(void))core_events, METH_FASTCALL,
     PyDoc_STR("events(packed, num_neurons, first_step, /)")},
    {"is_masked", core_is_masked, METH_O,
     PyDoc_STR("is_masked(object, /): whether it is a masked array")},
    {"threads_started", core_threads_started, METH_NOARGS,
     PyDoc_STR("threads_started(): how many, for longer runs")},
    {"forget_threads", core_forget_threads, METH_NOARGS,
     PyDoc_STR("forget_threads(): in a forked child, where there are none")},
    {NULL, NULL, 0, NULL},
};

#if defined(__clang__)
#define COMPILER "Clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "GCC " __VERSION__
#elif defined(_MSC_VER)
#define COMPILER "MSVC " Py_STRINGIFY(_MSC_FULL_VER)
#else
#define COMPILER "unknown"
#endif

static PyObject *tuple_of_names(const char *const *names, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (!name || PyTuple_SetItem(tuple, i, name) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* Adds a new reference (or NULL, with an exception) to the module. */
static int add(PyObject *module, const char *name, PyObject *value)
{
    const int status = value ? PyModule_AddObjectRef(module, name, value) : -1;
    Py_XDECREF(value);
    return status;
}

/* {model: (states, parameters, whether its reset may be undelayed, its resets)} */
static PyObject *model_table(void)
{
    PyObject *table = PyDict_New();
    for (int i = 0; table && i < SNNC_NUM_MODELS; i++) {
        const snnc_model_info *info = snnc_model_at(i);
        PyObject *states = tuple_of_names(info->states, info->num_states);
        PyObject *params = tuple_of_names(info->params, info->num_params);
        PyObject *resets = info->hard ? tuple_of_names(&reset_names[SNNC_ZERO], 1)
                                      : tuple_of_names(reset_names, SNNC_NUM_RESETS);
        PyObject *row = states && params && resets
                            ? PyTuple_Pack(4, states, params,
                                           info->undelayed ? Py_True : Py_False, resets)
                            : NULL;
        if (!row || PyDict_SetItemString(table, info->name, row) < 0)
            Py_CLEAR(table);
        Py_XDECREF(row);
        Py_XDECREF(resets);
        Py_XDECREF(params);
        Py_XDECREF(states);
    }
    return table;
}

/* {surrogate: its index in the table} */
static PyObject *surrogate_table(void)
{
    PyObject *table = PyDict_New();
    for (int i = 0; table && i < SNNC_NUM_SURROGATES; i++) {
        PyObject *index = PyLong_FromLong(i);
        if (!index ||
            PyDict_SetItemString(table, snnc_surrogate_at(i)->name, index) < 0)
            Py_CLEAR(table);
        Py_XDECREF(index);
    }
    return table;
}

static PyObject *isa_names(void)
{
    const char *names[16];
    int count = 0;
    for (int i = 0; count < 16 && snnc_isa_name_at(i); i++)
        if (snnc_isa_find(snnc_isa_name_at(i)))
            names[count++] = snnc_isa_name_at(i);
    return tuple_of_names(names, count);
}

static int choose_isa(void)
{
    const char *asked = getenv("SNNC_ISA");
    isa = snnc_isa_find(asked);
    if (!isa) {
        PyObject *available = isa_names();
        if (available)
            PyErr_Format(
                PyExc_ImportError,
                "SNNC_ISA=%s is unknown, or this machine can't run it; accepted "
                "here: %S",
                asked, available);
        Py_XDECREF(available);
        return -1;
    }
    if (!snnc_self_check(isa)) {
        PyErr_SetString(
            PyExc_ImportError,
            "snnc was compiled with fused multiply-add, which changes results: "
            "build it without -ffast-math and -ffp-contract=fast");
        return -1;
    }
    return 0;
}

/* Once in a process: a second import that fails leaves the first one's names. */
static int intern(PyObject **name, const char *text)
{
    if (!*name)
        *name = PyUnicode_InternFromString(text);
    return *name ? 0 : -1;
}

static int core_exec(PyObject *module)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "snnc does not run in subinterpreters");
        return -1;
    }
    import_array1(-1);
    const threads_system system = {PyThread_allocate_lock, PyThread_acquire_lock,
                                   PyThread_release_lock, PyThread_start_new_thread};
    if (threads_init(&system) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (intern(&name_out, "out") < 0 || intern(&name_call, "_call") < 0 ||
        intern(&name_missing, "_missing") < 0 || choose_isa() < 0 ||
        add(module, "Neuron", PyType_FromModuleAndSpec(module, &neuron_spec, NULL)) <
            0 ||
        add(module, "version", PyUnicode_FromString(snnc_version())) < 0 ||
        add(module, "compiler", PyUnicode_FromString(COMPILER)) < 0 ||
        add(module, "isa", PyUnicode_FromString(snnc_isa_name(isa))) < 0 ||
        add(module, "isas", isa_names()) < 0 ||
        add(module, "resets", tuple_of_names(reset_names, SNNC_NUM_RESETS)) < 0 ||
        add(module, "records", tuple_of_names(marshal_records, MARSHAL_RECORD)) < 0 ||
        add(module, "most_threads", PyLong_FromLong(THREADS_MOST)) < 0 ||
        add(module, "surrogates", surrogate_table()) < 0 ||
        add(module, "models", model_table()) < 0) {
        if (!PyErr_Occurred()) /* which PyType_FromModuleAndSpec may leave out */
            PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)core_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "snnc._core",
    .m_doc = "snnc's C core over NumPy arrays: private, see snnc.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
