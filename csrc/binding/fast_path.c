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

/* One step, or a sequence (whose time axis is the first, and of which spikes and final
 * states are wanted), where nothing needs to be converted, checked at length or copied.
 * As run_call, but returns 1 if that was so and it is done, 0 if it was not and
 * nothing is (also where several threads would be worthwhile), -1 with an exception
 * (then `arrays` are of no use). `arrays` are the outputs, spikes and states: a NULL is
 * replaced by a new array. spk_type, overwritten: as of a request. */
static int fast_call(const snnc_isa *isa, PyObject *capsule, PyObject *input,
                     PyObject *const *states, int num_states, int sequence,
                     int spk_type, Py_ssize_t threads, PyObject *overwritten,
                     PyObject **arrays)
{
    cell *c = cell_get(capsule);
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
    for (int i = 0; i < 1 + num_states; i++) {
        if (!arrays[i])
            continue;
        if (!is_ready(arrays[i], i ? type : spk_type) ||
            !PyArray_ISWRITEABLE((PyArrayObject *)arrays[i]) ||
            !array_has_shape((PyArrayObject *)arrays[i], i ? ndim : all,
                             i ? dims : all_dims))
            return 0;
        written[i].data = PyArray_DATA((PyArrayObject *)arrays[i]);
        written[i].size = i ? n * size : n * num_steps * spk_size;
        for (int b = 0; b < 1 + num_states; b++)
            if ((b < i && arrays[b] && !extents_are_apart(written[i], written[b])) ||
                (!extents_are_apart(written[i], read[b]) &&
                 !(b == i && i > 0 && written[i].data == read[b].data)))
                return 0;
    }

    for (int i = 0; i < 1 + num_states; i++) {
        if (arrays[i])
            continue;
        const void *others[2 * (1 + SNNC_MAX_STATES)];
        const int large = n * num_steps * size >= MIN_PLACED_BYTES;
        int count = 0;
        for (int b = 0; large && b < 1 + num_states; b++) {
            if (read[b].data)
                others[count++] = read[b].data;
            if (arrays[b])
                others[count++] = written[b].data;
        }
        arrays[i] = array_new(i ? ndim : all, i ? dims : all_dims, i ? type : spk_type,
                              others, count);
        if (!arrays[i])
            goto done;
        allocated[num_allocated++] = arrays[i];
        written[i].data = PyArray_DATA((PyArrayObject *)arrays[i]);
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
    call.spk.data = written[0].data;
    if (run_forget_tape(overwritten) < 0)
        goto done;
    for (int k = 0; k < num_states; k++) {
        call.state_in[k] = read[1 + k].data;
        call.state_out[k] = written[1 + k].data;
        if (!read[1 + k].data)
            memset(written[1 + k].data, 0, n * size);
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
    if (done < 0)
        while (num_allocated > 0)
            Py_DECREF(allocated[--num_allocated]);
    return done;
}

PyObject *fast_step(const snnc_isa *isa, PyObject *cell, PyObject *input,
                    PyObject *const *states, int num_states, PyObject *out)
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
    if (fast_call(isa, cell, input, states, num_states, 0, -1, 1, NULL, arrays) <= 0)
        return NULL;
    if (num_given == 1 + num_states) {
        Py_INCREF(out);
        return out;
    }
    for (int i = 0; i < 1 + num_states; i++)
        if (given[i])
            Py_INCREF(arrays[i]);
    return array_tuple(arrays, 1 + num_states);
}

PyObject *fast_run(const snnc_isa *isa, PyObject *cell, PyObject *x, PyObject *start,
                   int num_states, int spk_type, Py_ssize_t num_threads,
                   PyObject *out_recorded, PyObject *out_states, PyObject *overwritten)
{
    PyObject *arrays[1 + SNNC_MAX_STATES] = {NULL}, *states[SNNC_MAX_STATES] = {NULL};
    int given[1 + SNNC_MAX_STATES] = {0};

    if (spk_type == ARRAY_PACKED || !PyArray_CheckExact(x) ||
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
    if (fast_call(isa, cell, x, states, num_states, 1, spk_type, num_threads,
                  overwritten, arrays) <= 0)
        return NULL;
    for (int i = 0; i < 1 + num_states; i++)
        if (given[i])
            Py_INCREF(arrays[i]);
    Py_INCREF(Py_None);
    return run_results(array_tuple(arrays, 1), array_tuple(arrays + 1, num_states),
                       Py_None, num_steps);
}
