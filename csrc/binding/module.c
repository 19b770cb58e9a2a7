/* The extension module snnc._core: a handful of private, positional functions over
 * the other files here, and the tables that Python reads. Keywords, defaults and
 * docstrings live in Python. */
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "core/threads.h"
#include "fast_path.h"
#include "gradients.h"
#include "neuron_type.h"
#include "product.h"
#include "run.h"
#include "weights.h"

#include "arguments.def"
#define INDEX(index, name) index,
#define IN_SIGNATURE(index, name) #name ", "

static const char *const reset_names[SNNC_NUM_RESETS] = {"subtract", "zero", "none"};

/* Chosen once, at import, and constant from then on. */
static const snnc_isa *isa;

static PyObject *core_cell(PyObject *Py_UNUSED(module), PyObject *const *args,
                           Py_ssize_t nargs)
{
    const char *names[SNNC_NUM_MODELS];
    int model, reset, undelayed, inhibition;

    if (argument_count("cell", nargs, 7) < 0)
        return NULL;
    for (int i = 0; i < SNNC_NUM_MODELS; i++)
        names[i] = snnc_model_at(i)->name;
    model = argument_choice(args[0], names, SNNC_NUM_MODELS, "model");
    reset = model < 0 ? -1
                      : argument_choice(args[1], reset_names, SNNC_NUM_RESETS, "reset");
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
    if (!argument_is_tuple(args[4], num_params, "constants32") ||
        !argument_is_tuple(args[5], num_params, "constants64"))
        return NULL;
    if (!PyTuple_Check(args[6])) {
        PyErr_Format(PyExc_TypeError, "parameters must be a tuple, not %R", args[6]);
        return NULL;
    }
    return cell_new(model, reset, undelayed, inhibition, args + 4, args[6]);
}

static PyObject *core_step(PyObject *Py_UNUSED(module), PyObject *const *args,
                           Py_ssize_t nargs)
{
    enum { CELL, INPUT, OUT, DTYPE, OWN_STATES, STATES };
    run_request request;
    run_result result;
    PyObject *tuple, *out;

    if (argument_count("step", nargs, STATES) < 0)
        return NULL;
    const int num_states = run_num_states(args[CELL]);
    if (!num_states || argument_count("step", nargs, STATES + num_states) < 0)
        return NULL;
    out = args[OUT];
    if (out != Py_None &&
        (!PyTuple_Check(out) || PyTuple_Size(out) != 1 + num_states)) {
        PyErr_Format(PyExc_TypeError,
                     "out must be a tuple of %d, (spk, *states) as they are returned, "
                     "not %R",
                     1 + num_states, out);
        return NULL;
    }
    const int type = array_dtype(args[DTYPE], "dtype", 0);
    if (type == -2)
        return NULL;
    if (type == -1 && !recurrence_in(args[CELL])) {
        tuple = fast_step(isa, args[CELL], args[INPUT], args + STATES, num_states, out);
        if (tuple || PyErr_Occurred())
            return tuple;
    }

    memset(&request, 0, sizeof request);
    request.cell = args[CELL];
    request.input = args[INPUT];
    request.num_steps = request.spk_type = -1;
    request.type = type;
    request.own_states = args[OWN_STATES] == Py_True;
    request.states = args + STATES;
    request.wanted[RUN_SPK] = 1;
    for (int k = -1; out != Py_None && k < num_states; k++)
        request.out[k < 0 ? RUN_SPK : RUN_STATE + k] = PyTuple_GetItem(out, 1 + k);
    if (run_call(isa, &request, &result) < 0)
        return NULL;
    tuple = PyTuple_New(1 + num_states);
    if (!tuple) {
        run_clear(&result);
        return NULL;
    }
    PyTuple_SetItem(tuple, 0, result.out[RUN_SPK]);
    for (int k = 0; k < num_states; k++)
        PyTuple_SetItem(tuple, 1 + k, result.out[RUN_STATE + k]);
    return tuple;
}

static PyObject *core_run(PyObject *Py_UNUSED(module), PyObject *const *args,
                          Py_ssize_t nargs)
{
    enum { RUN_ARGUMENTS(INDEX) COUNT };
    run_request request;
    run_result result;
    PyObject *states[RUN_MOST_STATES], *out_recorded = NULL, *out_states = NULL;
    PyObject *out_checkpoints = NULL, *overwritten = NULL;
    PyObject *recorded, *final, *checkpoints, *results;
    Py_ssize_t num_recorded, time_axis, every, first_step, num_threads, interval;
    Py_ssize_t index[RUN_STATE], num_steps = -1;
    unsigned seen = 0; /* of what is recorded */

    if (argument_count("run", nargs, COUNT) < 0)
        return NULL;
    const int num_states = run_num_states(args[CELL]);
    const recurrence *const loop = recurrence_in(args[CELL]);
    const int num_checkpoints = num_states + (loop ? 2 : 0);
    if (!num_states || !argument_is_tuple(args[STATES], num_states, "states"))
        return NULL;
    if (!PyTuple_Check(args[RECORD]) || PyTuple_Size(args[RECORD]) > RUN_STATE) {
        PyErr_Format(PyExc_TypeError, "record=%R", args[RECORD]);
        return NULL;
    }
    num_recorded = PyTuple_Size(args[RECORD]);
    for (Py_ssize_t i = 0; i < num_recorded; i++) {
        index[i] = PyLong_AsSsize_t(PyTuple_GetItem(args[RECORD], i));
        const int known = index[i] >= 0 && index[i] < RUN_RECORD + num_states;
        if (!known || seen >> index[i] & 1) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "record=%R", args[RECORD]);
            return NULL;
        }
        seen |= 1u << index[i];
    }
    if (args[OUT] != Py_None) {
        if (!argument_is_tuple(args[OUT], 4, "out"))
            return NULL;
        overwritten = PyTuple_GetItem(args[OUT], 3);
        out_checkpoints = PyTuple_GetItem(args[OUT], 2);
        out_recorded = PyTuple_GetItem(args[OUT], 0);
        out_states = PyTuple_GetItem(args[OUT], 1);
        if (!argument_is_tuple(out_recorded, num_recorded, "out[0]") ||
            !argument_is_tuple(out_states, num_states, "out[1]") ||
            !argument_is_tuple(out_checkpoints, num_checkpoints, "out[2]"))
            return NULL;
    }
    const int type = array_dtype(args[DTYPE], "dtype", 0);
    if (type == -2)
        return NULL;
    const int spk_type = array_dtype(args[SPK_DTYPE], "spk_dtype", 1);
    if (spk_type == -2)
        return NULL;
    if ((args[NUM_STEPS] != Py_None &&
         (num_steps = argument_size(args[NUM_STEPS], "num_steps", 0)) < 0) ||
        argument_integer(args[TIME_AXIS], "time_axis", &time_axis) < 0 ||
        (every = argument_size(args[EVERY], "every", 1)) < 0 ||
        (first_step = argument_size(args[FIRST_STEP], "first_step", 0)) < 0 ||
        (num_threads = argument_threads(args[NUM_THREADS])) < 0 ||
        (interval = argument_size(args[INTERVAL], "checkpoint", 0)) < 0)
        return NULL;
    if (!loop && interval == 0 && args[OWN_STATES] == Py_False && num_steps == -1 &&
        time_axis == 0 && every == 1 && args[NEURONS] == Py_None && type == -1) {
        results = fast_run(isa, args[CELL], args[X], args[STATES], num_states, spk_type,
                           num_threads, index, num_recorded, out_recorded, out_states,
                           overwritten);
        if (results || PyErr_Occurred())
            return results;
    }
    memset(&request, 0, sizeof request);
    request.cell = args[CELL];
    request.sequence = 1;
    request.input = args[X];
    request.own_states = args[OWN_STATES] == Py_True;
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
    for (int k = 0; k < num_states; k++) {
        states[k] = PyTuple_GetItem(args[STATES], k);
        request.out[RUN_STATE + k] = out_states ? PyTuple_GetItem(out_states, k) : NULL;
        request.out[RUN_CHECKPOINT + k] =
            out_checkpoints ? PyTuple_GetItem(out_checkpoints, k) : NULL;
    }
    for (int i = 0; loop && out_checkpoints && i < 2; i++)
        request.out[RUN_TOTAL + i] = PyTuple_GetItem(out_checkpoints, num_states + i);
    for (Py_ssize_t i = 0; i < num_recorded; i++) {
        request.wanted[index[i]] = 1;
        request.out[index[i]] = out_recorded ? PyTuple_GetItem(out_recorded, i) : NULL;
    }

    if (run_call(isa, &request, &result) < 0)
        return NULL;
    recorded = PyTuple_New(num_recorded);
    for (Py_ssize_t i = 0; recorded && i < num_recorded; i++) {
        PyObject *array = result.out[index[i]];
        Py_XINCREF(array);
        PyTuple_SetItem(recorded, i, array);
    }
    for (int k = 0; k < num_states; k++) {
        Py_INCREF(result.out[RUN_STATE + k]);
    }
    final = array_tuple(&result.out[RUN_STATE], num_states);
    if (interval) {
        PyObject *kept[RUN_MOST_STATES + 2];
        for (int k = 0; k < num_checkpoints; k++) {
            const int own = k < num_states;
            kept[k] = result.out[own ? RUN_CHECKPOINT + k : RUN_TOTAL + k - num_states];
            Py_XINCREF(kept[k]);
        }
        checkpoints = array_tuple(kept, num_checkpoints);
    }
    else {
        Py_INCREF(Py_None);
        checkpoints = Py_None;
    }
    run_clear(&result);
    return run_results(recorded, final, checkpoints, result.num_steps);
}

/* A surrogate's place in the table and its two arguments; -1 with an exception. */
static int read_surrogate(PyObject *index, PyObject *args, int *surrogate,
                          double values[2])
{
    const Py_ssize_t i = argument_size(index, "surrogate", 0);

    if (i < 0 || !argument_is_tuple(args, 2, "the surrogate's arguments"))
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

/* Reads the arguments that backward and mem_shift have in common; -1 with an exception.
 */
static int read_backward_arguments(PyObject *const *args, Py_ssize_t nargs,
                                   gradients_request *back, PyObject **arrays)
{
    enum { BACKWARD_ARGUMENTS(INDEX) COUNT };
    const snnc_model_info *info;

    memset(back, 0, sizeof *back);
    if (argument_count("backward", nargs, COUNT) < 0 ||
        !(info = cell_model(args[CELL])))
        return -1;
    if (!argument_is_tuple(args[CHECKPOINTS], info->num_states, "checkpoints") ||
        !argument_is_tuple(args[GRAD_STATES], info->num_states, "grad_states") ||
        !argument_is_tuple(args[GRAD_START], info->num_states, "grad_start") ||
        !argument_is_tuple(args[GRAD_PARAMS], info->num_params, "grad_params") ||
        (back->num_steps = argument_size(args[NUM_STEPS], "num_steps", 0)) < 0 ||
        (back->interval = argument_size(args[INTERVAL], "interval", 1)) < 0 ||
        read_surrogate(args[SURROGATE], args[ARGS], &back->surrogate,
                       back->surrogate_args) < 0 ||
        (back->t0 = argument_size(args[T0], "t0", 0)) < 0 ||
        (back->t1 = argument_size(args[T1], "t1", 0)) < 0 ||
        (back->num_threads = argument_threads(args[NUM_THREADS])) < 0)
        return -1;
    back->cell = args[CELL];
    back->x = args[X];
    back->constant_x = args[CONSTANT_X] == Py_True;
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

static PyObject *run_gradients(PyObject *const *args, Py_ssize_t nargs, int mem_shift)
{
    PyObject *arrays[3 * SNNC_MAX_STATES + SNNC_MAX_PARAMS];
    gradients_request back;

    if (read_backward_arguments(args, nargs, &back, arrays) < 0)
        return NULL;
    back.mem_shift = mem_shift;
    if (gradients_run(isa, &back) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *core_backward(PyObject *Py_UNUSED(module), PyObject *const *args,
                               Py_ssize_t nargs)
{
    return run_gradients(args, nargs, 0);
}

static PyObject *core_backward_step(PyObject *Py_UNUSED(module), PyObject *const *args,
                                    Py_ssize_t nargs)
{
    enum { BACKWARD_STEP_ARGUMENTS(INDEX) COUNT };
    PyObject *states[SNNC_MAX_STATES], *upstream[SNNC_MAX_STATES],
        *params[SNNC_MAX_PARAMS];
    gradients_request back = {
        .checkpoints = states, .grad_states = upstream, .grad_params = params};
    const snnc_model_info *info;

    if (argument_count("backward_step", nargs, COUNT) < 0 ||
        !(info = cell_model(args[CELL])))
        return NULL;
    if (args[SURROGATE] == Py_None) /* one of Python's */
        Py_RETURN_NONE;
    if (!argument_is_tuple(args[STATES], info->num_states, "states") ||
        !argument_is_tuple(args[UPSTREAM], 1 + info->num_states, "upstream") ||
        !argument_is_tuple(args[GRAD_PARAMS], info->num_params, "grad_params") ||
        !argument_is_tuple(args[SURROGATE], 2, "surrogate") ||
        read_surrogate(PyTuple_GetItem(args[SURROGATE], 0),
                       PyTuple_GetItem(args[SURROGATE], 1), &back.surrogate,
                       back.surrogate_args) < 0 ||
        (back.num_threads = argument_threads(args[NUM_THREADS])) < 0)
        return NULL;
    back.cell = args[CELL];
    back.x = args[X];
    back.grad_spk = PyTuple_GetItem(args[UPSTREAM], 0);
    for (int k = 0; k < info->num_states; k++) {
        states[k] = PyTuple_GetItem(args[STATES], k);
        upstream[k] = PyTuple_GetItem(args[UPSTREAM], 1 + k);
    }
    for (int k = 0; k < info->num_params; k++)
        params[k] = PyTuple_GetItem(args[GRAD_PARAMS], k);
    return gradients_of_step(isa, &back, args[WANTS_X] == Py_True);
}

static PyObject *core_mem_shift(PyObject *Py_UNUSED(module), PyObject *const *args,
                                Py_ssize_t nargs)
{
    return run_gradients(args, nargs, 1);
}

/* surrogate(index, args, x): the derivative at x, a float32 or float64 array. */
static PyObject *core_surrogate(PyObject *Py_UNUSED(module), PyObject *const *args,
                                Py_ssize_t nargs)
{
    double values[2];
    int surrogate;

    if (argument_count("surrogate", nargs, 3) < 0 ||
        read_surrogate(args[0], args[1], &surrogate, values) < 0)
        return NULL;
    return gradients_surrogate(isa, surrogate, values, args[2]);
}

static PyObject *core_weights(PyObject *Py_UNUSED(module), PyObject *const *args,
                              Py_ssize_t nargs)
{
    return argument_count("weights", nargs, 4) < 0 ? NULL : weights_new(args);
}

static PyObject *core_recurrence(PyObject *Py_UNUSED(module), PyObject *const *args,
                                 Py_ssize_t nargs)
{
    return argument_count("recurrence", nargs, 4) < 0 ? NULL : recurrence_new(args);
}

static PyObject *core_transpose(PyObject *Py_UNUSED(module), PyObject *const *args,
                                Py_ssize_t nargs)
{
    return argument_count("transpose", nargs, 4) < 0 ? NULL : weights_transpose(args);
}

static PyObject *core_product(PyObject *Py_UNUSED(module), PyObject *const *args,
                              Py_ssize_t nargs)
{
    if (argument_count("product", nargs, 5) < 0)
        return NULL;
    const Py_ssize_t num_threads = argument_threads(args[4]);
    return num_threads < 0
               ? NULL
               : product_call(isa, args[0], args[1], args[2], args[3], num_threads);
}

static PyObject *core_empty(PyObject *Py_UNUSED(module), PyObject *const *args,
                            Py_ssize_t nargs)
{
    if (nargs < 2)
        return PyErr_Format(PyExc_TypeError, "empty needs a size and a dtype");
    const Py_ssize_t size = argument_size(args[0], "size", 0);
    return size < 0 ? NULL : array_empty(size, args[1], args + 2, nargs - 2);
}

static PyObject *core_events(PyObject *Py_UNUSED(module), PyObject *const *args,
                             Py_ssize_t nargs)
{
    Py_ssize_t num_neurons, first_step;

    if (argument_count("events", nargs, 3) < 0)
        return NULL;
    num_neurons = argument_size(args[1], "num_neurons", 0);
    first_step = num_neurons < 0 ? -1 : argument_size(args[2], "first_step", 0);
    return first_step < 0 ? NULL : run_unpack_events(args[0], num_neurons, first_step);
}

static PyObject *core_real_numbers(PyObject *Py_UNUSED(module), PyObject *const *args,
                                   Py_ssize_t nargs)
{
    const char *name;

    if (argument_count("real_numbers", nargs, 2) < 0 ||
        !(name = PyUnicode_AsUTF8AndSize(args[0], NULL)))
        return NULL;
    return (PyObject *)array_real_numbers(args[1], name);
}

static PyObject *core_is_regular(PyObject *Py_UNUSED(module), PyObject *array)
{
    if (!PyArray_Check(array))
        return PyErr_Format(PyExc_TypeError, "%R is not an array", array);
    return PyBool_FromLong(array_is_regular((PyArrayObject *)array));
}

static PyObject *core_may_overlap(PyObject *Py_UNUSED(module), PyObject *const *args,
                                  Py_ssize_t nargs)
{
    if (argument_count("may_overlap", nargs, 2) < 0)
        return NULL;
    if (!PyArray_Check(args[0]) || !PyTuple_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "may_overlap of %R and %R", args[0],
                            args[1]);
    for (Py_ssize_t i = 0; i < PyTuple_Size(args[1]); i++) {
        PyObject *const other = PyTuple_GetItem(args[1], i);
        if (PyArray_Check(other) &&
            array_overlap((PyArrayObject *)args[0], (PyArrayObject *)other))
            Py_RETURN_TRUE;
    }
    Py_RETURN_FALSE;
}

static PyObject *core_threads_started(PyObject *Py_UNUSED(module),
                                      PyObject *Py_UNUSED(none))
{
    return PyLong_FromSize_t(snnc_threads_started());
}

static PyObject *core_reset_threads(PyObject *Py_UNUSED(module),
                                    PyObject *Py_UNUSED(none))
{
    if (snnc_threads_reset_after_fork() < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"cell", (PyCFunction)(void (*)(void))core_cell, METH_FASTCALL,
     PyDoc_STR("cell(model, reset, undelayed, inhibition, constants32, constants64, "
               "parameters, /)")},
    {"step", (PyCFunction)(void (*)(void))core_step, METH_FASTCALL,
     PyDoc_STR("step(cell, input, out, dtype, own_states, /, *states)")},
    {"run", (PyCFunction)(void (*)(void))core_run, METH_FASTCALL,
     PyDoc_STR("run(" RUN_ARGUMENTS(IN_SIGNATURE) "/)")},
    {"backward", (PyCFunction)(void (*)(void))core_backward, METH_FASTCALL,
     PyDoc_STR("backward(" BACKWARD_ARGUMENTS(IN_SIGNATURE) "/)")},
    {"backward_step", (PyCFunction)(void (*)(void))core_backward_step, METH_FASTCALL,
     PyDoc_STR("backward_step(" BACKWARD_STEP_ARGUMENTS(
         IN_SIGNATURE) "/): new arrays of "
                       "the gradients of x and the states; None where it doesn't "
                       "apply")},
    {"mem_shift", (PyCFunction)(void (*)(void))core_mem_shift, METH_FASTCALL,
     PyDoc_STR("As backward, but writes mem - threshold to `derivative` only.")},
    {"surrogate", (PyCFunction)(void (*)(void))core_surrogate, METH_FASTCALL,
     PyDoc_STR("surrogate(index, args, x, /)")},
    {"weights", (PyCFunction)(void (*)(void))core_weights, METH_FASTCALL,
     PyDoc_STR("weights(data, indptr, indices, num_outputs, /)")},
    {"recurrence", (PyCFunction)(void (*)(void))core_recurrence, METH_FASTCALL,
     PyDoc_STR("recurrence(cell, bias, projections, past, /)")},
    {"transpose", (PyCFunction)(void (*)(void))core_transpose, METH_FASTCALL,
     PyDoc_STR("transpose(data, indptr, indices, num_outputs, /)")},
    {"product", (PyCFunction)(void (*)(void))core_product, METH_FASTCALL,
     PyDoc_STR("product(spk, weight, bias, out, num_threads, /)")},
    {"density", product_density, METH_O, PyDoc_STR("density(spk, /)")},
    {"empty", (PyCFunction)(void (*)(void))core_empty, METH_FASTCALL,
     PyDoc_STR(
         "empty(size, dtype, /, *others): placed to avoid 4K aliasing with them")},
    {"events", (PyCFunction)(void (*)(void))core_events, METH_FASTCALL,
     PyDoc_STR("events(packed, num_neurons, first_step, /)")},
    {"real_numbers", (PyCFunction)(void (*)(void))core_real_numbers, METH_FASTCALL,
     PyDoc_STR("real_numbers(name, value, /): as an array of its own type")},
    {"is_regular", core_is_regular, METH_O,
     PyDoc_STR("is_regular(array, /): whether the core reads it where it lies")},
    {"may_overlap", (PyCFunction)(void (*)(void))core_may_overlap, METH_FASTCALL,
     PyDoc_STR("may_overlap(array, others, /): whether any array of a tuple may share "
               "its memory")},
    {"threads_started", core_threads_started, METH_NOARGS,
     PyDoc_STR("threads_started(): the number of worker threads so far")},
    {"reset_threads", core_reset_threads, METH_NOARGS,
     PyDoc_STR("reset_threads(): in a forked child, which has none")},
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

static int core_exec(PyObject *module)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "snnc does not run in subinterpreters");
        return -1;
    }
    import_array1(-1);
    const snnc_threads_system system = {PyThread_allocate_lock, PyThread_acquire_lock,
                                        PyThread_release_lock,
                                        PyThread_start_new_thread};
    if (snnc_threads_init(&system) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (choose_isa() < 0 || add(module, "Neuron", neuron_type(module, isa)) < 0 ||
        add(module, "version", PyUnicode_FromString(snnc_version())) < 0 ||
        add(module, "compiler", PyUnicode_FromString(COMPILER)) < 0 ||
        add(module, "isa", PyUnicode_FromString(snnc_isa_name(isa))) < 0 ||
        add(module, "isas", isa_names()) < 0 ||
        add(module, "resets", tuple_of_names(reset_names, SNNC_NUM_RESETS)) < 0 ||
        add(module, "records", tuple_of_names(run_records, RUN_RECORD)) < 0 ||
        add(module, "most_threads", PyLong_FromLong(SNNC_MAX_THREADS)) < 0 ||
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

#define NAME "snnc._core"
#define DOC "snnc's C core over NumPy arrays: private, see snnc."

#ifdef Py_TARGET_ABI3T /* where a PyModuleDef is opaque (PEP 793) */
PyABIInfo_VAR(abi);
static PySlot exported[] = {
    PySlot_STATIC_DATA(Py_mod_abi, &abi),
    PySlot_STATIC_DATA(Py_mod_name, NAME),
    PySlot_STATIC_DATA(Py_mod_doc, DOC),
    PySlot_STATIC_DATA(Py_mod_methods, methods),
    PySlot_STATIC_DATA(Py_mod_slots, slots),
    PySlot_END,
};

PyMODEXPORT_FUNC PyModExport__core(void)
{
    return exported;
}
#else
static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = NAME,
    .m_doc = DOC,
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
#endif
