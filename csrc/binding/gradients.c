/* See gradients.h. */
#define NO_IMPORT_ARRAY
#include "gradients.h"

#include <string.h>

#include "parallel.h"
#include "run.h"

enum { BACKWARD_COSTS = 4 }; /* times as much as forward */

typedef struct {
    parallel_job parallel;
    const snnc_isa *isa;
    int mem_shift;
    size_t first; /* step of all chunks */
    snnc_backward_call call;
    PyObject *capsule, *params;
    PyArrayObject *kept[4 + 4 * SNNC_MAX_STATES + SNNC_MAX_PARAMS]; /* owned */
    int num_kept;
    shape neurons;
    size_t dims[NPY_MAXDIMS];
    ptrdiff_t strides[3 + SNNC_MAX_STATES][NPY_MAXDIMS];
} gradients_job;

static snnc_status run_back_range(const parallel_job *c, size_t i)
{
    const gradients_job *j = (const gradients_job *)c;
    const range part = parallel_range(c, i);
    snnc_backward_call call = j->call;

    if (c->workspace)
        call.workspace = c->workspace + i * c->workspace_size;
    if (call.derivative) /* its first row is of the first step of all chunks */
        call.derivative =
            (char *)call.derivative +
            (c->t0 - j->first) * call.call.num_neurons *
                (call.call.type == SNNC_F32 ? sizeof(float) : sizeof(double));
    return (j->mem_shift ? snnc_mem_shift : snnc_backward)(j->isa, &call, c->t0, c->t1,
                                                           part.n0, part.n1);
}

static void release_back_job(gradients_job *j)
{
    parallel_release(&j->parallel);
    while (j->num_kept > 0)
        array_xdecref(j->kept[--j->num_kept]);
    Py_XDECREF(j->params);
    Py_XDECREF(j->capsule);
    PyMem_Free(j);
}

/* An array with `steps` (-1: none) before the neuron shape: its data, and where it
 * isn't contiguous its strides too, with `input` those of time. `type` -1: any that the
 * core reads. NULL with an exception. */
static void *back_array(gradients_job *j, PyObject *object, const char *name, int type,
                        npy_intp steps, snnc_input *input, ptrdiff_t *strides)
{
    const shape *neurons = &j->neurons;
    PyArrayObject *array = (PyArrayObject *)object;
    const int timed = steps >= 0;
    int fits = PyArray_Check(object) && array_core_type(array) >= 0 &&
               (type == -1 || PyArray_TYPE(array) == type) &&
               PyArray_NDIM(array) == neurons->ndim + timed &&
               (!timed || PyArray_DIM(array, 0) == steps) &&
               (strides || PyArray_CHKFLAGS(array, NPY_ARRAY_CARRAY));
    for (int d = 0; fits && d < neurons->ndim; d++)
        fits = PyArray_DIM(array, d + timed) == neurons->dims[d];
    if (!fits) {
        PyErr_Format(PyExc_ValueError,
                     "%s has the wrong shape or dtype for backward: %R", name, object);
        return NULL;
    }
    if (strides) {
        const npy_intp size = PyArray_ITEMSIZE(array);
        if (timed) {
            input->step = PyArray_STRIDE(array, 0) / size;
            input->constant = input->step == 0;
        }
        for (int d = 0; d < neurons->ndim; d++)
            strides[d] =
                neurons->dims[d] == 1 ? 0 : PyArray_STRIDE(array, d + timed) / size;
    }
    j->kept[j->num_kept++] = array_incref(array);
    return PyArray_DATA(array);
}

static int is_given(PyObject *object)
{
    return object && object != Py_None;
}

/* Whether the threshold, the first of all constants, has no dimensions. */
static int has_scalar_threshold(const cell *c, int type)
{
    return PyArray_NDIM((PyArrayObject *)PyTuple_GetItem(c->constants[type], 0)) == 0;
}

/* The core's view of it all. */
static int describe_back(gradients_job *j, const gradients_request *back)
{
    enum { X, SPK, GRAD_X, STATE, COUNT = STATE + SNNC_MAX_STATES };
    cell *const c = cell_get(back->cell);
    snnc_backward_call *const b = &j->call;
    snnc_call *const call = &b->call;
    PyArrayObject *first = (PyArrayObject *)back->checkpoints[0];

    if (!c)
        return -1;
    Py_INCREF(back->cell);
    j->capsule = back->cell;
    const int timed = !back->untimed;
    if (!PyArray_Check(back->checkpoints[0]) || PyArray_NDIM(first) < timed) {
        PyErr_Format(PyExc_TypeError, "checkpoints: %R", back->checkpoints[0]);
        return -1;
    }
    const int type = PyArray_TYPE(first), num_states = c->info->num_states;
    const npy_intp steps = back->num_steps, rows = timed ? PyArray_DIM(first, 0) : 1;
    const npy_intp timed_steps = timed ? steps : -1, timed_rows = timed ? rows : -1;
    j->neurons.ndim = PyArray_NDIM(first) - timed;
    for (int d = 0; d < j->neurons.ndim; d++) /* none has no memory */
        j->neurons.dims[d] = PyArray_DIM(first, d + timed);
    const npy_intp n = shape_product(j->neurons.ndim, j->neurons.dims);
    if ((type != NPY_FLOAT && type != NPY_DOUBLE) || n < 0 || steps < 0 ||
        back->interval < 1 || rows != run_checkpoint_rows(steps, back->interval) ||
        back->t0 < 0 || back->t1 < back->t0 || back->t1 > steps) {
        PyErr_SetString(PyExc_ValueError, "checkpoints or steps don't fit");
        return -1;
    }

    cell_describe(c, array_real_type(type), call);
    call->num_steps = (size_t)steps;
    call->num_neurons = (size_t)n;
    call->interval = (size_t)back->interval;
    call->x.constant = back->constant_x;
    b->surrogate = (snnc_surrogate)back->surrogate;
    memcpy(b->surrogate_args, back->surrogate_args, sizeof b->surrogate_args);
    b->round_to_float = has_scalar_threshold(c, type == NPY_DOUBLE);
    memset(j->strides, 0, sizeof j->strides);

    call->x.data = back_array(j, back->x, "x", -1, back->constant_x ? -1 : timed_steps,
                              &call->x, j->strides[X]);
    if (!call->x.data)
        return -1;
    call->x_type = (snnc_type)array_core_type((PyArrayObject *)back->x);
    if (is_given(back->derivative) &&
        !(b->derivative = back_array(j, back->derivative, "derivative", type,
                                     back->t1 - back->t0, NULL, NULL)))
        return -1;
    if (is_given(back->grad_spk) &&
        !(b->grad_spk.data = back_array(j, back->grad_spk, "grad_spk", type,
                                        timed_steps, &b->grad_spk, j->strides[SPK])))
        return -1;
    snnc_input grad_x = {0};
    if (is_given(back->grad_x) &&
        !(b->grad_x.data = back_array(j, back->grad_x, "grad_x", type, timed_steps,
                                      &grad_x, j->strides[GRAD_X])))
        return -1;
    b->grad_x.step = grad_x.step;
    for (int k = 0; k < num_states; k++) {
        PyObject *given = back->grad_states[k];
        call->checkpoint[k] = back_array(j, back->checkpoints[k], c->info->states[k],
                                         type, timed_rows, NULL, NULL);
        b->grad_start[k] = back_array(j, back->grad_start[k], c->info->states[k], type,
                                      -1, NULL, NULL);
        if (!call->checkpoint[k] || !b->grad_start[k])
            return -1;
        if (is_given(given) && !(b->grad_state[k].data = back_array(
                                     j, given, c->info->states[k], type, timed_steps,
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
        layout_merge(j->neurons.ndim, j->neurons.dims, COUNT, j->strides, j->dims);
    call->shape = j->dims + NPY_MAXDIMS - call->ndim;
    call->x.strides = layout_strides(call->ndim, j->strides[X]);
    if (b->grad_spk.data)
        b->grad_spk.strides = layout_strides(call->ndim, j->strides[SPK]);
    if (b->grad_x.data)
        b->grad_x.strides = layout_strides(call->ndim, j->strides[GRAD_X]);
    for (int k = 0; k < num_states; k++)
        if (b->grad_state[k].data)
            b->grad_state[k].strides =
                layout_strides(call->ndim, j->strides[STATE + k]);
    if (!c->uniform && n > 0) {
        j->params =
            cell_describe_params(c, j->capsule, j->neurons.ndim, j->neurons.dims, call);
        return j->params ? 0 : -1;
    }
    return 0;
}

/* The last chunks come first. */
static int execute_back(gradients_job *j, const gradients_request *back)
{
    const size_t n = j->call.call.num_neurons, interval = (size_t)back->interval;
    const size_t first = (size_t)back->t0, last = (size_t)back->t1;
    parallel_job *const c = &j->parallel;

    j->first = first;
    if (n == 0 || first == last)
        return 0;
    c->workspace_size = snnc_backward_workspace_size(&j->call);
    if (parallel_partition(c, n, PARALLEL_UNIT,
                           parallel_threads(back->num_threads, n, PARALLEL_UNIT,
                                            last - first, BACKWARD_COSTS)) < 0)
        return -1;
    c->work = PARALLEL_CHUNK / BACKWARD_COSTS;
    for (c->t1 = last; c->t1 > first; c->t1 = c->t0) {
        const size_t least = c->t1 - 1 - (c->t1 - 1) % interval; /* one segment */
        const size_t chunk = c->work / n;
        c->t0 = chunk > c->t1 - first ? first : c->t1 - chunk;
        c->t0 = c->t0 < least ? (c->t0 + interval - 1) / interval * interval : least;
        if (parallel_run(c, c->t1 == last) < 0)
            return -1;
    }
    return 0;
}

int gradients_run(const snnc_isa *isa, const gradients_request *back)
{
    gradients_job *j = PyMem_Calloc(1, sizeof *j);

    if (!j) {
        PyErr_NoMemory();
        return -1;
    }
    j->parallel.run = run_back_range;
    j->isa = isa;
    j->mem_shift = back->mem_shift;
    const int failed = describe_back(j, back) < 0 || execute_back(j, back) < 0;
    release_back_job(j);
    return failed ? -1 : 0;
}

/* Whether it is an array of that type and of the shape of another. */
static int is_like(PyObject *object, int type, PyArrayObject *other)
{
    PyArrayObject *const array = (PyArrayObject *)object;

    return PyArray_CheckExact(object) && PyArray_TYPE(array) == type &&
           array_is_regular(array) &&
           array_has_shape(array, PyArray_NDIM(other), PyArray_DIMS(other));
}

PyObject *gradients_of_step(const snnc_isa *isa, gradients_request *back, int wants_x)
{
    cell *const c = cell_get(back->cell);
    PyArrayObject *const x = (PyArrayObject *)back->x;
    PyObject *made[1 + SNNC_MAX_STATES] = {NULL}, *const *states = back->checkpoints;
    const void *others[3 + 2 * SNNC_MAX_STATES];
    int num_others = 0, num_made = 0;

    if (!c)
        return NULL;
    if (!PyArray_CheckExact(back->x))
        Py_RETURN_NONE;
    const int type = PyArray_TYPE(x), num_states = c->info->num_states;
    if ((type != NPY_FLOAT && type != NPY_DOUBLE) || !is_like(back->x, type, x) ||
        (is_given(back->grad_spk) && !is_like(back->grad_spk, type, x)) ||
        !shape_broadcasts_to(&c->shape, PyArray_NDIM(x), PyArray_DIMS(x)))
        Py_RETURN_NONE;
    others[num_others++] = PyArray_DATA(x);
    if (is_given(back->grad_spk))
        others[num_others++] = PyArray_DATA((PyArrayObject *)back->grad_spk);
    for (int k = 0; k < num_states; k++) {
        PyObject *const given = back->grad_states[k];
        if (!is_like(states[k], type, x) ||
            !PyArray_IS_C_CONTIGUOUS((PyArrayObject *)states[k]) ||
            (is_given(given) && !is_like(given, type, x)))
            Py_RETURN_NONE;
        others[num_others++] = PyArray_DATA((PyArrayObject *)states[k]);
    }

    for (int i = 0; i <= num_states; i++) { /* of x, then of the states */
        if (i == 0 && !wants_x) {
            Py_INCREF(Py_None);
            made[num_made++] = Py_None;
            continue;
        }
        PyObject *array =
            array_new(PyArray_NDIM(x), PyArray_DIMS(x), type, others, num_others);
        if (!array)
            goto failed;
        made[num_made++] = array;
        others[num_others++] = PyArray_DATA((PyArrayObject *)array);
        /* Gradients of the last states are where the backward pass starts. */
        PyObject *const given = i ? back->grad_states[i - 1] : NULL;
        if (i && !is_given(given))
            memset(PyArray_DATA((PyArrayObject *)array), 0,
                   (size_t)PyArray_NBYTES((PyArrayObject *)array));
        else if (i &&
                 PyArray_CopyInto((PyArrayObject *)array, (PyArrayObject *)given) < 0)
            goto failed;
    }
    PyObject *const none[SNNC_MAX_STATES] = {NULL};
    back->untimed = 1;
    back->num_steps = back->t1 = 1;
    back->interval = 2; /* one step from each checkpoint */
    back->grad_x = made[0];
    back->grad_start = made + 1;
    back->grad_states = none;
    if (gradients_run(isa, back) == 0)
        return array_tuple(made, num_made);
failed:
    while (num_made > 0)
        Py_DECREF(made[--num_made]);
    return NULL;
}

PyObject *gradients_surrogate(const snnc_isa *isa, int surrogate, const double *args,
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
        isa, (snnc_surrogate)surrogate, args, array_real_type(PyArray_TYPE(from)),
        PyArray_DATA(from), PyArray_DATA((PyArrayObject *)array),
        (size_t)PyArray_SIZE(from));
    if (status == SNNC_OK)
        return array;
    Py_DECREF(array);
    return parallel_fail(status);
}
