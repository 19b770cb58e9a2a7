/* See fast_path.h. */
#define NO_IMPORT_ARRAY
#include "fast_path.h"

#include <string.h>

#include "parallel.h"
#include "run.h"

/* Whether the object is an array that can be read as it is. */
static int is_ready(PyObject *object, int type)
{
    return PyArray_CheckExact(object) &&
           array_is_contiguous((PyArrayObject *)object, type);
}

/* An output of a call: spikes, states after each step (RUN_RECORD + k) or after the
 * last one (RUN_STATE + k). */
typedef struct {
    int number; /* of run.h */
    int given;  /* by the caller: a borrowed reference; else NULL, then a new array */
    PyObject *array;
    extent written;
} output;

enum { MAX_OUTPUTS = 1 + 2 * SNNC_MAX_STATES };

/* An output, with what is given for it in a tuple (or NULL), if anything. */
static output new_output(Py_ssize_t number, PyObject *out, Py_ssize_t i)
{
    PyObject *array = out ? PyTuple_GetItem(out, i) : NULL;
    const int given = array && array != Py_None;
    return (output){(int)number, given, given ? array : NULL, {NULL, 0}};
}

/* One step, or a sequence (whose time axis is the first), where nothing needs to be
 * converted, checked at length or copied. As run_call, but returns 1 if that was so and
 * it is done, 0 if it was not and nothing is (also where several threads would be
 * worthwhile), -1 with an exception. If 1, the new arrays are the caller's.
 * spk_type, overwritten: as of a request. */
static int fast_call(const snnc_isa *isa, PyObject *capsule, PyObject *input,
                     PyObject *const *states, int num_states, int sequence,
                     int spk_type, Py_ssize_t threads, PyObject *overwritten,
                     output *outputs, int num_outputs)
{
    cell *c = cell_get(capsule);
    PyArrayObject *const x = (PyArrayObject *)input;
    PyObject *params = NULL;
    extent read[1 + SNNC_MAX_STATES];
    int done = -1;

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
        n * num_steps > PARALLEL_CHUNK ||
        parallel_threads(threads, n, PARALLEL_UNIT, num_steps, 1) > 1 ||
        !shape_broadcasts_to(&c->shape, ndim, dims) || !is_ready(input, type))
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
        if (!is_ready(states[k], type) ||
            !array_has_shape((PyArrayObject *)states[k], ndim, dims))
            return 0;
        read[1 + k] = (extent){PyArray_DATA((PyArrayObject *)states[k]), n * size};
    }
    for (int i = 0; i < num_outputs; i++) {
        output *const o = &outputs[i];
        const int final = o->number >= RUN_STATE;
        PyArrayObject *const array = (PyArrayObject *)o->array;
        if (!o->given)
            continue;
        if (!is_ready(o->array, o->number == RUN_SPK ? spk_type : type) ||
            !PyArray_ISWRITEABLE(array) ||
            !array_has_shape(array, final ? ndim : all, final ? dims : all_dims))
            return 0;
        o->written.data = PyArray_DATA(array);
        o->written.size =
            final ? n * size : n * num_steps * (o->number == RUN_SPK ? spk_size : size);
        for (int b = 0; b < i; b++)
            if (outputs[b].given && !extents_are_apart(o->written, outputs[b].written))
                return 0;
        for (int b = 0; b < 1 + num_states; b++)
            if (!extents_are_apart(o->written, read[b]) &&
                !(final && b == 1 + o->number - RUN_STATE &&
                  o->written.data == read[b].data))
                return 0;
    }

    for (int i = 0; i < num_outputs; i++) {
        output *const o = &outputs[i];
        const int final = o->number >= RUN_STATE;
        if (o->given)
            continue;
        const void *others[1 + SNNC_MAX_STATES + MAX_OUTPUTS];
        const int large = n * num_steps * size >= MIN_PLACED_BYTES;
        int count = 0;
        for (int b = 0; large && b < 1 + num_states; b++)
            if (read[b].data)
                others[count++] = read[b].data;
        for (int b = 0; large && b < num_outputs; b++)
            if (outputs[b].array)
                others[count++] = outputs[b].written.data;
        o->array = array_new(final ? ndim : all, final ? dims : all_dims,
                             o->number == RUN_SPK ? spk_type : type, others, count);
        if (!o->array)
            goto done;
        o->written.data = PyArray_DATA((PyArrayObject *)o->array);
    }
    snnc_call call = SNNC_CALL_INIT;
    cell_describe(c, array_real_type(type), &call);
    if (!c->uniform) {
        params = cell_describe_params(c, capsule, ndim, dims, &call);
        if (!params)
            goto done;
    }
    call.x_type = call.type;
    call.spk_type = spk_type == type ? call.type : SNNC_U8;
    call.num_steps = num_steps;
    call.num_neurons = n;
    call.x.data = read[0].data;
    for (int i = 0; i < num_outputs; i++) {
        const int number = outputs[i].number;
        if (number == RUN_SPK)
            call.spk.data = outputs[i].written.data;
        else if (number < RUN_STATE)
            call.record[number - RUN_RECORD].data = outputs[i].written.data;
        else
            call.state_out[number - RUN_STATE] = outputs[i].written.data;
    }
    if (run_forget_tape(overwritten) < 0)
        goto done;
    for (int k = 0; k < num_states; k++) {
        call.state_in[k] = read[1 + k].data;
        if (!read[1 + k].data)
            memset(call.state_out[k], 0, n * size);
    }
    snnc_status status;
    if (!parallel_releases_gil(n * num_steps))
        status = snnc_run(isa, &call, 0, num_steps, 0, n);
    else {
        Py_BEGIN_ALLOW_THREADS
        status = snnc_run(isa, &call, 0, num_steps, 0, n);
        Py_END_ALLOW_THREADS
    }
    if (status == SNNC_OK)
        done = 1;
    else
        parallel_fail(status);
done:
    Py_XDECREF(params);
    for (int i = 0; i < num_outputs && done < 0; i++)
        if (!outputs[i].given)
            Py_XDECREF(outputs[i].array);
    return done;
}

/* The arrays of what fast_call has done. */
static PyObject *outputs_tuple(const output *outputs, int count)
{
    PyObject *arrays[MAX_OUTPUTS];

    for (int i = 0; i < count; i++) {
        arrays[i] = outputs[i].array;
        if (outputs[i].given)
            Py_INCREF(arrays[i]);
    }
    return array_tuple(arrays, count);
}

PyObject *fast_step(const snnc_isa *isa, PyObject *cell, PyObject *input,
                    PyObject *const *states, int num_states, PyObject *out)
{
    output outputs[MAX_OUTPUTS];
    const int count = 1 + num_states;
    int num_given = 0;

    if (out == Py_None)
        out = NULL;
    if (out && (!PyTuple_CheckExact(out) || PyTuple_Size(out) != count))
        return NULL;
    for (int i = 0; i < count; i++) {
        outputs[i] = new_output(i ? RUN_STATE + i - 1 : RUN_SPK, out, i);
        num_given += outputs[i].given;
    }
    if (fast_call(isa, cell, input, states, num_states, 0, -1, 1, NULL, outputs,
                  count) <= 0)
        return NULL;
    if (num_given == count) {
        Py_INCREF(out);
        return out;
    }
    return outputs_tuple(outputs, count);
}

PyObject *fast_run(const snnc_isa *isa, PyObject *cell, PyObject *x, PyObject *start,
                   int num_states, int spk_type, Py_ssize_t num_threads,
                   const Py_ssize_t *recorded, Py_ssize_t num_recorded,
                   PyObject *out_recorded, PyObject *out_states, PyObject *overwritten)
{
    output outputs[MAX_OUTPUTS];
    PyObject *states[SNNC_MAX_STATES];
    int count = 0;

    if (spk_type == ARRAY_PACKED || !PyArray_CheckExact(x) ||
        PyArray_NDIM((PyArrayObject *)x) == 0 || num_recorded > 1 + num_states)
        return NULL;
    const npy_intp num_steps = PyArray_DIM((PyArrayObject *)x, 0);
    for (Py_ssize_t i = 0; i < num_recorded; i++) {
        if (recorded[i] != RUN_SPK && recorded[i] < RUN_RECORD)
            return NULL;
        outputs[count++] = new_output(recorded[i], out_recorded, i);
    }
    for (int k = 0; k < num_states; k++) {
        states[k] = PyTuple_GetItem(start, k);
        outputs[count++] = new_output(RUN_STATE + k, out_states, k);
    }
    if (fast_call(isa, cell, x, states, num_states, 1, spk_type, num_threads,
                  overwritten, outputs, count) <= 0)
        return NULL;
    Py_INCREF(Py_None);
    return run_results(outputs_tuple(outputs, (int)num_recorded),
                       outputs_tuple(outputs + num_recorded, num_states), Py_None,
                       num_steps);
}
