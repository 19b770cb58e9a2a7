/* The extension module snnc._core: a handful of private, positional functions over
 * marshal, and the tables that Python reads. Keywords, defaults and docstrings live in
 * Python. */
#include <stdlib.h>
#include <string.h>

#include "marshal.h"

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
    if (!is_tuple(args[4], num_params, "constants32") ||
        !is_tuple(args[5], num_params, "constants64"))
        return NULL;
    if (!PyTuple_Check(args[6])) {
        PyErr_Format(PyExc_TypeError, "parameters must be a tuple, not %R", args[6]);
        return NULL;
    }
    return marshal_cell(model, reset, undelayed, inhibition, args + 4, args[6]);
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
    out = args[OUT] == Py_None ? NULL : args[OUT];
    if (out && (!PyTuple_Check(out) || PyTuple_Size(out) != 1 + info->num_states)) {
        PyErr_Format(PyExc_TypeError,
                     "out must be a tuple of %d, (spk, *states) as they are returned, "
                     "not %R",
                     1 + info->num_states, out);
        return NULL;
    }
    if (args[DTYPE] == Py_None) {
        tuple = marshal_plain_step(isa, args[CELL], args[INPUT], args + STATES, out);
        if (tuple || PyErr_Occurred())
            return tuple;
    }

    memset(&request, 0, sizeof request);
    request.cell = args[CELL];
    request.input = args[INPUT];
    request.num_steps = request.spk_dtype = Py_None;
    request.dtype = args[DTYPE];
    request.held = args[HELD] == Py_True;
    request.states = args + STATES;
    request.wanted[MARSHAL_SPK] = 1;
    for (int k = -1; out && k < info->num_states; k++)
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

/* A number of steps or threads, or -1 with an exception. */
static Py_ssize_t index_argument(PyObject *object, const char *name, Py_ssize_t least)
{
    const Py_ssize_t value =
        PyIndex_Check(object) ? PyNumber_AsSsize_t(object, NULL) : -1;
    if (value >= least)
        return value;
    PyErr_Format(PyIndex_Check(object) ? PyExc_ValueError : PyExc_TypeError,
                 "%s=%R; expected an integer of at least %zd", name, object, least);
    return -1;
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
        SPREAD,
        COUNT
    };
    marshal_request request;
    marshal_result result;
    const snnc_model_info *info;
    PyObject *states[SNNC_MAX_STATES], *out_recorded = NULL, *out_states = NULL;
    PyObject *recorded, *final, *results = NULL;
    Py_ssize_t num_recorded, index[MARSHAL_STATE];

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
    if (args[OUT] != Py_None) {
        if (!is_tuple(args[OUT], 2, "out"))
            return NULL;
        out_recorded = PyTuple_GetItem(args[OUT], 0);
        out_states = PyTuple_GetItem(args[OUT], 1);
        if (!is_tuple(out_recorded, num_recorded, "out[0]") ||
            !is_tuple(out_states, info->num_states, "out[1]"))
            return NULL;
    }
    memset(&request, 0, sizeof request);
    request.cell = args[CELL];
    request.sequence = 1;
    request.input = args[X];
    request.held = args[HELD] == Py_True;
    request.num_steps = args[NUM_STEPS];
    request.dtype = args[DTYPE];
    request.spk_dtype = args[SPK_DTYPE];
    request.neurons = args[NEURONS];
    request.spread = args[SPREAD];
    request.time_axis = PyNumber_AsSsize_t(args[TIME_AXIS], NULL);
    if (request.time_axis == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "time_axis=%R; expected an integer",
                     args[TIME_AXIS]);
        return NULL;
    }
    request.every = index_argument(args[EVERY], "every", 1);
    if (request.every < 0)
        return NULL;
    request.first_step = index_argument(args[FIRST_STEP], "first_step", 0);
    if (request.first_step < 0)
        return NULL;
    request.num_threads = index_argument(args[NUM_THREADS], "num_threads", 1);
    if (request.num_threads < 0)
        return NULL;
    request.states = states;
    for (int k = 0; k < info->num_states; k++) {
        states[k] = PyTuple_GetItem(args[STATES], k);
        request.out[MARSHAL_STATE + k] =
            out_states ? PyTuple_GetItem(out_states, k) : NULL;
    }
    for (Py_ssize_t i = 0; i < num_recorded; i++) {
        index[i] = PyLong_AsSsize_t(PyTuple_GetItem(args[RECORD], i));
        if (index[i] < 0 || index[i] >= MARSHAL_RECORD + info->num_states) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "record=%R", args[RECORD]);
            return NULL;
        }
        request.wanted[index[i]] = 1;
        request.out[index[i]] = out_recorded ? PyTuple_GetItem(out_recorded, i) : NULL;
    }

    if (marshal_run(isa, &request, &result) < 0)
        return NULL;
    recorded = PyTuple_New(num_recorded);
    final = PyTuple_New(info->num_states);
    if (recorded && final) {
        for (Py_ssize_t i = 0; i < num_recorded; i++) {
            PyObject *array = result.out[index[i]];
            Py_XINCREF(array);
            PyTuple_SetItem(recorded, i, array);
        }
        for (int k = 0; k < info->num_states; k++) {
            Py_INCREF(result.out[MARSHAL_STATE + k]);
            PyTuple_SetItem(final, k, result.out[MARSHAL_STATE + k]);
        }
        results = Py_BuildValue("OOn", recorded, final, result.num_steps);
    }
    Py_XDECREF(recorded);
    Py_XDECREF(final);
    marshal_clear(&result);
    return results;
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

static PyMethodDef methods[] = {
    {"cell", (PyCFunction)(void (*)(void))core_cell, METH_FASTCALL,
     PyDoc_STR("cell(model, reset, undelayed, inhibition, constants32, constants64, "
               "parameters, /)")},
    {"step", (PyCFunction)(void (*)(void))core_step, METH_FASTCALL,
     PyDoc_STR("step(cell, input, out, dtype, held, /, *states)")},
    {"run", (PyCFunction)(void (*)(void))core_run, METH_FASTCALL,
     PyDoc_STR("run(cell, x, held, states, num_steps, time_axis, record, every, "
               "first_step, neurons, spk_dtype, out, dtype, num_threads, spread, /)")},
    {"events", (PyCFunction)(void (*)(void))core_events, METH_FASTCALL,
     PyDoc_STR("events(packed, num_neurons, first_step, /)")},
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

/* {model: (states, parameters, whether its reset may be undelayed)} */
static PyObject *model_table(void)
{
    PyObject *table = PyDict_New();
    for (int i = 0; table && i < SNNC_NUM_MODELS; i++) {
        const snnc_model_info *info = snnc_model_at(i);
        PyObject *states = tuple_of_names(info->states, info->num_states);
        PyObject *params = tuple_of_names(info->params, info->num_params);
        PyObject *row =
            states && params
                ? PyTuple_Pack(3, states, params, info->undelayed ? Py_True : Py_False)
                : NULL;
        if (!row || PyDict_SetItemString(table, info->name, row) < 0)
            Py_CLEAR(table);
        Py_XDECREF(row);
        Py_XDECREF(params);
        Py_XDECREF(states);
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

static int core_exec(PyObject *module)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "snnc does not run in subinterpreters");
        return -1;
    }
    import_array1(-1);
    if (choose_isa() < 0 ||
        add(module, "version", PyUnicode_FromString(snnc_version())) < 0 ||
        add(module, "compiler", PyUnicode_FromString(COMPILER)) < 0 ||
        add(module, "isa", PyUnicode_FromString(snnc_isa_name(isa))) < 0 ||
        add(module, "isas", isa_names()) < 0 ||
        add(module, "resets", tuple_of_names(reset_names, SNNC_NUM_RESETS)) < 0 ||
        add(module, "records", tuple_of_names(marshal_records, MARSHAL_RECORD)) < 0 ||
        add(module, "models", model_table()) < 0)
        return -1;
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
