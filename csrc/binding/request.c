/* See request.h. */
#define NO_IMPORT_ARRAY
#include "request.h"

#include <string.h>

const char *const run_records[RUN_RECORD] = {"spk", "count", "first_spike", "events"};

const char *request_state_name(const run_job *j, int k)
{
    static const char *const currents[MAX_PROJECTIONS] = {
        "i0", "i1", "i2",  "i3",  "i4",  "i5",  "i6",  "i7",
        "i8", "i9", "i10", "i11", "i12", "i13", "i14", "i15"};
    const int own = j->cell->info->num_states;
    return k < own    ? j->cell->info->states[k]
           : k == own ? j->loop->past_name
                      : currents[k - own - 1];
}

/* Whether a state is the spikes under way, which have an axis of delays in front. */
static int is_past(const run_job *j, int k)
{
    return k == j->cell->info->num_states;
}

/* A shape with an axis of that length at `axis`. */
static shape with_axis(const shape *s, int axis, npy_intp length)
{
    shape longer = *s;
    memmove(longer.dims + axis + 1, longer.dims + axis,
            (size_t)(s->ndim - axis) * sizeof *s->dims);
    longer.dims[axis] = length;
    longer.ndim++;
    return longer;
}

static shape state_shape(const run_job *j, int k)
{
    return is_past(j, k) ? with_axis(&j->neurons, 0, (npy_intp)j->loop->delays)
                         : j->neurons;
}

static const char *input_name(const run_job *j)
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

/* Converts the neurons to record to a slice, or to indices (int64, and checked against
 * the number of neurons when that is known). */
static int convert_neurons(run_job *j)
{
    static const char expected[] = "a slice, or a sequence of indices";
    PyObject *neurons = j->request->neurons;

    if (!neurons || neurons == Py_None)
        return 0;
    if (PySlice_Check(neurons)) {
        if (PySlice_Unpack(neurons, &j->slice[0], &j->slice[1], &j->slice[2]) == 0)
            return 0;
        array_name_in_error("neurons", expected);
        return -1;
    }
    if (array_refuse_masked("neurons", neurons) < 0)
        return -1;
    PyArrayObject *given =
        (PyArrayObject *)PyArray_FromAny(neurons, NULL, 0, 0, 0, NULL);
    if (!given) {
        array_name_in_error("neurons", expected);
        return -1;
    }
    const int empty = PyArray_SIZE(given) == 0; /* of a list: float64 */
    if (PyArray_NDIM(given) != 1 ||
        (!empty && !PyTypeNum_ISINTEGER(PyArray_TYPE(given)))) {
        static const char mask[] = "for a boolean mask: np.flatnonzero(mask)";
        if (PyArray_SIZE(given) <= 8)
            PyErr_Format(PyExc_TypeError,
                         "neurons=%R; expected %s into the flattened neuron shape (%s)",
                         neurons, expected, mask);
        else
            PyErr_Format(PyExc_TypeError,
                         "neurons has dtype %S and %d axes; expected %s into the "
                         "flattened neuron shape (%s)",
                         PyArray_DESCR(given), PyArray_NDIM(given), expected, mask);
        array_xdecref(given);
        return -1;
    }
    j->indices = (PyArrayObject *)PyArray_FROMANY(
        (PyObject *)given, NPY_INT64, 1, 1,
        NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST | NPY_ARRAY_ENSURECOPY);
    const int64_t *at = j->indices ? PyArray_DATA(j->indices) : NULL;
    const int is_unsigned = PyTypeNum_ISUNSIGNED(PyArray_TYPE(given));
    array_xdecref(given);
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
int convert_operands(run_job *j)
{
    const run_request *request = j->request;
    const snnc_model_info *info = j->cell->info;
    int weak_x, weak[RUN_MOST_STATES] = {0};

    if (convert_neurons(j) < 0)
        return -1;
    j->x = array_operand(request->input, input_name(j), &weak_x);
    if (!j->x)
        return -1;
    for (int k = 0; k < j->num_states; k++) {
        PyObject *state = request->states[k];
        if (state == Py_None) {
            if (request->sequence)
                continue;
            PyErr_Format(
                PyExc_TypeError,
                "%s is missing: a step needs every state, at first as reset_mem() "
                "returns it (or let the neuron hold its states: init_hidden=True)",
                request_state_name(j, k));
            return -1;
        }
        j->start[k] = array_operand(state, request_state_name(j, k), &weak[k]);
        if (!j->start[k])
            return -1;
    }
    int all_weak = weak_x, wide = !weak_x && is_wide(info, PyArray_TYPE(j->x));
    for (int k = 0; k < j->num_states; k++)
        if (j->start[k] && !weak[k]) {
            all_weak = 0;
            wide = wide || is_wide(info, PyArray_TYPE(j->start[k]));
        }
    j->type = wide || (all_weak && info->hard) ? NPY_DOUBLE : NPY_FLOAT;
    if (request->type != -1)
        j->type = request->type;
    const int readable = array_core_type(j->x) >= 0 && PyArray_SIZE(j->x) != 1;
    PyArrayObject *x = readable
                           ? (PyArrayObject *)PyArray_View(j->x, NULL, &PyArray_Type)
                           : array_as_type(j->x, j->type, 0);
    if (!x)
        return -1;
    array_replace(&j->x, x);
    return 0;
}

int find_num_steps(run_job *j)
{
    const run_request *request = j->request;

    j->x_axis = j->out_axis = -1;
    if (!request->sequence) {
        j->num_steps = 1;
    }
    else if (request->num_steps == -1) {
        if (PyArray_NDIM(j->x) == 0) {
            PyErr_SetString(
                PyExc_TypeError,
                "x has no time axis (it is 0-d): pass an array of shape (T, ...), "
                "or num_steps= to take x as a constant input");
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

static const char not_held[] =
    "the neuron holds a %s of shape %R, but the input asks for %R: call reset_mem() "
    "before the shape changes";

/* Broadcasts the neuron shape with that of a start state. */
static int find_state(run_job *j, int k)
{
    shape *const neurons = &j->neurons;
    PyArrayObject *const state = j->start[k];
    const char *const name = request_state_name(j, k);
    int ndim = PyArray_NDIM(state);
    const npy_intp *dims = PyArray_DIMS(state);
    const int hidden = is_past(j, k) && j->loop->hides_past && ndim > 0;

    if (j->request->own_states) {
        if (neurons->ndim < NPY_MAXDIMS) {
            const shape whole = state_shape(j, k);
            if (!array_has_shape(state, whole.ndim, whole.dims)) {
                shape_error(not_held, name, ndim - hidden, dims + hidden,
                            hidden ? neurons : &whole);
                return -1;
            }
        }
        return 0;
    }
    if (is_past(j, k)) {
        if (dims[0] != (npy_intp)j->loop->delays) {
            const shape delays = {1, {(npy_intp)j->loop->delays}};
            shape_error(
                "%s of shape %R; expected the spikes of as many last steps as the "
                "largest delay on its first axis: %R",
                name, ndim, dims, &delays);
            return -1;
        }
        dims++;
        ndim--;
    }
    if (shape_broadcast(neurons, ndim, dims) < 0) {
        shape_error("%s of shape %R does not broadcast with the neuron shape %R", name,
                    PyArray_NDIM(state) - hidden, PyArray_DIMS(state) + hidden,
                    neurons);
        return -1;
    }
    return 0;
}

/* Broadcasts the neuron shape with a row of a closed loop. */
static int find_row(run_job *j)
{
    const npy_intp size = j->loop ? j->loop->row_size : -1;

    if (size < 0 || shape_broadcast(&j->neurons, 1, &size) == 0)
        return 0;
    shape_error("%s of shape %R does not broadcast with the input's neuron shape %R",
                "a row of the recurrence", 1, &size, &j->neurons);
    return -1;
}

/* Rows are on the last axis, which nothing else may lengthen. */
static int check_row(run_job *j)
{
    const npy_intp size = j->loop ? j->loop->row_size : -1;
    const shape *neurons = &j->neurons;

    if (size < 0 || (neurons->ndim && neurons->dims[neurons->ndim - 1] == size))
        return 0;
    shape_error("%s is of shape %R, but the neuron shape is %R: its last axis must be "
                "the same",
                "a row of the recurrence", 1, &size, neurons);
    return -1;
}

/* The neuron shape: of the input without time, the parameters and the states. */
int find_neurons(run_job *j)
{
    const shape *parameters = &j->cell->shape;
    shape *neurons = &j->neurons;

    neurons->ndim = 0;
    for (int d = 0; d < PyArray_NDIM(j->x); d++)
        if (d != j->x_axis)
            neurons->dims[neurons->ndim++] = PyArray_DIM(j->x, d);
    if (shape_broadcast(neurons, parameters->ndim, parameters->dims) < 0) {
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
            if (shape_broadcast(neurons, p.ndim, p.dims) < 0) {
                shape_error("%s of shape %R does not broadcast with the input's neuron "
                            "shape %R",
                            name, p.ndim, p.dims, neurons);
                return -1;
            }
        }
        PyErr_SetString(PyExc_ValueError, "parameters don't broadcast with the input");
        return -1;
    }
    if (find_row(j) < 0)
        return -1;
    for (int k = 0; k < j->num_states; k++)
        if (j->start[k] && PyArray_NDIM(j->start[k]) > 0 && find_state(j, k) < 0)
            return -1;
    if (check_row(j) < 0)
        return -1;
    j->n = shape_product(neurons->ndim, neurons->dims);
    if (j->n < 0) {
        shape_error(
            "%s of shape %R and the parameters make a neuron shape of %R, which is "
            "too large",
            input_name(j), PyArray_NDIM(j->x), PyArray_DIMS(j->x), neurons);
        return -1;
    }
    const npy_intp both[2] = {j->n, j->num_steps};
    if (shape_product(2, both) < 0) {
        PyErr_Format(PyExc_ValueError,
                     "%zd steps of %zd neurons are too many for an array",
                     (Py_ssize_t)j->num_steps, (Py_ssize_t)j->n);
        return -1;
    }
    const int more = j->sequence + (j->loop != NULL); /* axes: of time, of delays */
    if (neurons->ndim > NPY_MAXDIMS - more) {
        PyErr_Format(PyExc_ValueError,
                     "%s: %d neuron dimensions leave no room for %s among NumPy's %d",
                     input_name(j), neurons->ndim,
                     j->sequence ? "a time axis" : "delays", NPY_MAXDIMS);
        return -1;
    }
    if (j->sequence) {
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

int request_next(const run_job *j, int output)
{
    static const int first[] = {RUN_RECORD, RUN_STATE, RUN_CHECKPOINT, RUN_TOTAL};
    const int next = output + 1;
    for (int i = 0; i < 3; i++)
        if (next >= first[i] + j->num_states && next < first[i + 1])
            return first[i + 1];
    return next;
}

/* Output o: the caller's array, if it is exactly what is needed, or a new one. */
static int allocate_output(run_job *j, int o, PyObject *given, const char *name,
                           int type, const shape *s)
{
    j->given[o] = given && given != Py_None;
    if (!j->given[o]) {
        const void *others[1 + RUN_NUM_OUTPUTS] = {PyArray_DATA(j->x)};
        int count = 1;
        for (int i = 0; i < RUN_NUM_OUTPUTS; i = request_next(j, i)) {
            PyObject *const other =
                j->out[i] ? (PyObject *)j->out[i] : j->request->out[i];
            if (other && PyArray_Check(other))
                others[count++] = PyArray_DATA((PyArrayObject *)other);
        }
        j->out[o] = (PyArrayObject *)array_new(s->ndim, s->dims, type, others, count);
        return j->out[o] ? 0 : -1;
    }
    PyArrayObject *const a = array_output(given, name, type, s);
    if (!a)
        return -1;
    j->out[o] = array_incref(a);
    return 0;
}

/* The neurons to record in ascending order, and the place of each. */
static int read_selection(run_job *j)
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
        array_xdecref(order);
        array_xdecref(keys);
    }
    return failed;
}

/* A neuron shape with a time axis of that length. */
static shape timed(const run_job *j, npy_intp length)
{
    return with_axis(&j->neurons, j->out_axis, length);
}

/* What is given for an output of neuron shape: of a single neuron an earlier recording
 * has a scalar, which can't be filled. */
static PyObject *unless_scalar(const run_job *j, PyObject *given)
{
    const int scalar = j->sequence && j->neurons.ndim == 0 && given &&
                       PyArray_IsScalar(given, Generic);
    return scalar ? NULL : given;
}

npy_intp run_checkpoint_rows(npy_intp num_steps, npy_intp interval)
{
    return num_steps ? (num_steps - 1) / interval + 1 + (interval == 1) : 0;
}

/* An array that a backward pass needs: an earlier run's, if it fits. */
static int allocate_kept(run_job *j, int o, int type, const shape *s)
{
    PyObject *const old = j->request->out[o];
    const int fits = old && PyArray_Check(old) &&
                     array_is_contiguous((PyArrayObject *)old, type) &&
                     array_has_shape((PyArrayObject *)old, s->ndim, s->dims);
    return allocate_output(j, o, fits ? old : NULL, "grad", type, s);
}

static int allocate_checkpoints(run_job *j)
{
    const npy_intp rows = run_checkpoint_rows(j->num_steps, j->request->interval);
    const shape kept = with_axis(&j->neurons, 0, rows);
    const shape each = with_axis(&j->neurons, 0, j->num_steps);

    for (int k = 0; k < j->num_states; k++) {
        const shape start = state_shape(j, k);
        if (allocate_kept(j, RUN_CHECKPOINT + k, j->type,
                          k < j->cell->info->num_states ? &kept : &start) < 0)
            return -1;
    }
    return j->loop && (allocate_kept(j, RUN_TOTAL, j->type, &each) < 0 ||
                       allocate_kept(j, RUN_FIRED, NPY_UINT8, &each) < 0)
               ? -1
               : 0;
}

int allocate_outputs(run_job *j)
{
    const run_request *request = j->request;
    const int *wanted = request->wanted;
    const npy_intp every = request->every ? request->every : 1;
    const npy_intp before = request->first_step;

    j->packed = request->spk_type == ARRAY_PACKED;
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
        PyErr_Format(PyExc_ValueError,
                     "%zd steps after %zd earlier ones are too many to count",
                     (Py_ssize_t)j->num_steps, (Py_ssize_t)before);
        return -1;
    }
    j->num_recorded = (before + j->num_steps) / every - before / every;
    if ((j->indices || j->slice[2]) && read_selection(j) < 0)
        return -1;

    shape spk = j->neurons, recorded = j->neurons;
    if (j->sequence) {
        spk = timed(j, j->num_steps);
        recorded = timed(j, j->num_recorded);
    }
    j->packed = j->packed && wanted[RUN_SPK];
    if (j->packed)
        spk = (shape){2, {j->num_steps, (npy_intp)snnc_bits_width((size_t)j->n)}};
    if (j->select) {
        const npy_intp both[2] = {j->num_recorded, j->num_selected};
        recorded = (shape){2, {both[0], both[1]}};
        if (shape_product(2, both) < 0) {
            PyErr_Format(PyExc_ValueError,
                         "neurons: %zd steps of %zd of them are too many for an array",
                         (Py_ssize_t)both[0], (Py_ssize_t)both[1]);
            return -1;
        }
    }
    for (int o = RUN_SPK; o <= RUN_FIRST_SPIKE; o++)
        if (wanted[o] &&
            allocate_output(j, o,
                            o ? unless_scalar(j, request->out[o]) : request->out[o],
                            run_records[o], o ? NPY_INT64 : j->spk_type,
                            o ? &j->neurons : &spk) < 0)
            return -1;
    for (int k = 0; k < j->num_states; k++) {
        const int record = RUN_RECORD + k, state = RUN_STATE + k;
        const char *const name = request_state_name(j, k);
        const shape whole = state_shape(j, k);
        const shape each =
            is_past(j, k) ? with_axis(&whole, 0, j->num_recorded) : recorded;
        if (wanted[record] && is_past(j, k) && j->select) {
            PyErr_Format(PyExc_ValueError,
                         "neurons: %s is recorded of all neurons only", name);
            return -1;
        }
        if (wanted[record] &&
            allocate_output(j, record, request->out[record], name, j->type, &each) < 0)
            return -1;
        if (allocate_output(j, state, unless_scalar(j, request->out[state]), name,
                            j->type, &whole) < 0)
            return -1;
    }
    if (request->interval && allocate_checkpoints(j) < 0)
        return -1;
    if (wanted[RUN_EVENTS]) {
        npy_intp none = 0;
        j->event_step = (PyArrayObject *)PyArray_SimpleNew(1, &none, NPY_INT64);
        j->event_neuron = (PyArrayObject *)PyArray_SimpleNew(1, &none, NPY_INT64);
        if (!j->event_step || !j->event_neuron)
            return -1;
    }
    return 0;
}

static const char *output_name(const run_job *j, int output)
{
    if (output < RUN_RECORD)
        return run_records[output];
    if (output < RUN_STATE)
        return request_state_name(j, output - RUN_RECORD);
    return j->sequence ? "state" : request_state_name(j, output - RUN_STATE);
}

/* Whether the core can read a start state where it lies. */
static int is_whole(const run_job *j, int k, PyArrayObject *state)
{
    const shape s = state_shape(j, k);
    return array_is_contiguous(state, j->type) &&
           array_has_shape(state, s.ndim, s.dims);
}

/* Copies every input that an output of the caller's may overwrite before it is read. */
int copy_overlapping_inputs(run_job *j)
{
    for (int a = 0; a < RUN_NUM_OUTPUTS; a = request_next(j, a)) {
        PyArrayObject *output = j->out[a];
        if (!j->given[a])
            continue;
        for (int b = 0; b < a; b = request_next(j, b))
            if (j->given[b] && array_overlap(output, j->out[b])) {
                PyErr_Format(PyExc_ValueError, "out: %s and %s share memory",
                             output_name(j, b), output_name(j, a));
                return -1;
            }
        if (array_overlap(output, j->x)) {
            PyArrayObject *copy = array_as_type(j->x, j->type, 1);
            if (!copy)
                return -1;
            array_replace(&j->x, copy);
        }
        for (int k = 0; k < j->num_states; k++) {
            PyArrayObject *start = j->start[k];
            const int in_place = start && a == RUN_STATE + k &&
                                 PyArray_DATA(start) == PyArray_DATA(output) &&
                                 is_whole(j, k, start);
            if (start && !in_place && array_overlap(output, start)) {
                PyArrayObject *copy = array_as_type(start, j->type, 1);
                if (!copy)
                    return -1;
                array_replace(&j->start[k], copy);
            }
        }
    }
    return 0;
}

/* Copies a start state to an array that it broadcasts to; the axis of delays stays in
 * front. */
static int copy_start_state(const run_job *j, int k, PyArrayObject *to)
{
    PyArrayObject *const from = array_as_type(j->start[k], j->type, 0);
    if (!from)
        return -1;
    const int ndim = PyArray_NDIM(from), missing = PyArray_NDIM(to) - ndim;

    if (!is_past(j, k) || ndim == 0 || missing == 0) {
        const int failed = PyArray_CopyInto(to, from);
        array_xdecref(from);
        return failed;
    }
    shape s = {.ndim = 0};
    s.dims[s.ndim++] = PyArray_DIM(from, 0);
    for (int d = 0; d < missing; d++)
        s.dims[s.ndim++] = 1;
    for (int d = 1; d < ndim; d++)
        s.dims[s.ndim++] = PyArray_DIM(from, d);
    PyArray_Dims dims = {s.dims, s.ndim};
    PyArrayObject *const reshaped =
        (PyArrayObject *)PyArray_Newshape(from, &dims, NPY_CORDER);
    const int failed = reshaped ? PyArray_CopyInto(to, reshaped) : -1;
    array_xdecref(reshaped);
    array_xdecref(from);
    return failed;
}

/* The states before the run, as whole arrays: the start states where they are that
 * already; else written into a fresh state_out (start NULL: in place) or into a new
 * array. */
int prepare_start_states(run_job *j)
{
    for (int k = 0; k < j->num_states; k++) {
        PyArrayObject *whole = j->out[RUN_STATE + k];
        const int given = j->given[RUN_STATE + k];
        if (j->start[k] && is_whole(j, k, j->start[k]))
            continue;
        if (given) {
            const shape s = state_shape(j, k);
            whole = (PyArrayObject *)PyArray_SimpleNew(s.ndim, s.dims, j->type);
            if (!whole)
                return -1;
        }
        if (!j->start[k])
            memset(PyArray_DATA(whole), 0, (size_t)PyArray_NBYTES(whole));
        else if (copy_start_state(j, k, whole) < 0) {
            if (given)
                array_xdecref(whole);
            return -1;
        }
        array_replace(&j->start[k], given ? whole : NULL);
    }
    return 0;
}
