/* A job in the core's terms, its execution, and its results: the second half of a run.
 */
#define NO_IMPORT_ARRAY
#include "run.h"

#include <string.h>

#include "request.h"

/* The layout of x and of the outputs. */
static void describe_layout(run_job *j)
{
    enum { X_STRIDES, SPK_STRIDES, RECORD_STRIDES, COUNT };
    const npy_intp size = PyArray_ITEMSIZE(j->x);
    const int ndim = j->neurons.ndim;
    const int x_ndim = PyArray_NDIM(j->x) - (j->x_axis >= 0);
    snnc_call *call = &j->call;
    ptrdiff_t spk_step = 1, spk_stride = 1, record_step = 1, record_stride = 1;

    call->x.data = PyArray_DATA(j->x);
    call->x_type = (snnc_type)array_core_type(j->x);
    call->x.constant = j->x_axis < 0 || PyArray_STRIDE(j->x, j->x_axis) == 0;
    if (!call->x.constant)
        call->x.step = PyArray_STRIDE(j->x, j->x_axis) / size;
    if (j->out_axis <= 0 && j->x_axis <= 0 && PyArray_IS_C_CONTIGUOUS(j->x) &&
        x_ndim == ndim &&
        (ndim == 0 ||
         shape_same_dims(ndim, PyArray_DIMS(j->x) + (j->x_axis == 0), j->neurons.dims)))
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

    call->ndim = layout_merge(ndim, j->neurons.dims, COUNT, j->strides, j->dims);
    call->shape = j->dims + NPY_MAXDIMS - call->ndim;
    call->x.strides = layout_strides(call->ndim, j->strides[X_STRIDES]);
    call->spk.step = spk_step;
    call->spk.strides = layout_strides(call->ndim, j->strides[SPK_STRIDES]);
    if (!j->select) {
        j->record_layout.step = record_step;
        j->record_layout.strides =
            layout_strides(call->ndim, j->strides[RECORD_STRIDES]);
    }
}

/* The core's view of it all. */
static int describe(run_job *j)
{
    const cell *c = j->cell;
    PyArrayObject *const *out = j->out;
    snnc_call *call = &j->call;

    memset(call, 0, sizeof *call);
    cell_describe(c, array_real_type(j->type), call);
    call->num_steps = (size_t)j->num_steps;
    call->num_neurons = (size_t)j->n;
    call->every = (size_t)j->request->every;
    call->first_step = (size_t)j->request->first_step;
    call->interval = (size_t)j->request->interval;
    if (j->n == 0)
        return 0;
    describe_layout(j);
    if (out[RUN_SPK] && j->packed) {
        call->bits = PyArray_DATA(out[RUN_SPK]);
        call->spk.step = 0;
        call->spk.strides = NULL;
    }
    else if (out[RUN_SPK]) {
        call->spk.data = PyArray_DATA(out[RUN_SPK]);
        const int real = j->spk_type == NPY_FLOAT || j->spk_type == NPY_DOUBLE;
        call->spk_type = real ? array_real_type(j->spk_type) : SNNC_U8;
    }
    if (out[RUN_COUNT])
        call->count = PyArray_DATA(out[RUN_COUNT]);
    if (out[RUN_FIRST_SPIKE])
        call->first_spike = PyArray_DATA(out[RUN_FIRST_SPIKE]);
    call->select = j->select;
    call->select_at = j->select_at;
    call->num_selected = (size_t)j->num_selected;
    for (int k = 0; k < c->info->num_states; k++) {
        call->state_in[k] = j->start[k] ? PyArray_DATA(j->start[k]) : NULL;
        call->state_out[k] = PyArray_DATA(out[RUN_STATE + k]);
        if (out[RUN_CHECKPOINT + k])
            call->checkpoint[k] = PyArray_DATA(out[RUN_CHECKPOINT + k]);
        if (out[RUN_RECORD + k] && PyArray_SIZE(out[RUN_RECORD + k]) > 0) {
            call->record[k] = j->record_layout;
            call->record[k].data = PyArray_DATA(out[RUN_RECORD + k]);
        }
    }
    if (!c->uniform) {
        j->params = cell_describe_params(j->cell, j->loop ? j->loop->cell : j->capsule,
                                         j->neurons.ndim, j->neurons.dims, call);
        if (!j->params)
            return -1;
    }
    if (c->inhibition) {
        call->rivals = (size_t)j->neurons.dims[1];
        call->rival_stride =
            (size_t)shape_product(j->neurons.ndim - 2, j->neurons.dims + 2);
    }
    return 0;
}

/* A number for each neuron of a row, from an array of as many, or of one. */
static PyArrayObject *spread(PyArrayObject *numbers, npy_intp size)
{
    if (PyArray_NDIM(numbers) == 1)
        return array_incref(numbers);
    PyArrayObject *row =
        (PyArrayObject *)PyArray_SimpleNew(1, &size, PyArray_TYPE(numbers));
    if (row && PyArray_CopyInto(row, numbers) < 0) {
        array_xdecref(row);
        return NULL;
    }
    return row;
}

/* The core's view of projection k. */
static int describe_projection(run_job *j, Py_ssize_t k)
{
    const projection *const from = &j->loop->projections[k];
    snnc_projection *const to = &j->projections[k];
    const int state = j->cell->info->num_states + 1 + (int)k;
    PyArrayObject *const decay = from->decay[j->call.type];
    PyArrayObject *const recorded = j->out[RUN_RECORD + state];

    j->weights[k] = weights_describe(weights_in(from->weights), from->weights, j->type,
                                     &to->weights);
    if (!j->weights[k])
        return -1;
    if (from->size < 0) /* one number for any row */
        to->weights.num_inputs = to->weights.num_outputs = j->recurrent.row_size;
    to->delay = from->delay;
    to->decay = decay ? PyArray_DATA(decay) : NULL;
    to->per_neuron = decay && PyArray_NDIM(decay) > 0;
    to->current_in = j->start[state] ? PyArray_DATA(j->start[state]) : NULL;
    to->current_out = PyArray_DATA(j->out[RUN_STATE + state]);
    if (recorded && PyArray_SIZE(recorded) > 0) {
        to->record = j->record_layout;
        to->record.data = PyArray_DATA(recorded);
    }
    return 0;
}

/* The core's view of a closed loop. */
static int describe_loop(run_job *j)
{
    enum { ALIGNMENT = 64 };
    snnc_recurrent_call *const r = &j->recurrent;
    const shape *neurons = &j->neurons;
    const int past = j->cell->info->num_states;
    PyArrayObject *const bias = j->loop ? j->loop->bias[j->call.type] : NULL;
    PyArrayObject *const recorded = j->out[RUN_RECORD + past];

    if (!j->loop || j->n == 0)
        return 0;
    r->call = j->call;
    r->row_size = neurons->ndim ? (size_t)neurons->dims[neurons->ndim - 1] : 1;
    j->parallel.cost = 1 + r->row_size / 64; /* where some of the neurons spike */
    j->parallel.work = PARALLEL_CHUNK / j->parallel.cost + 1; /* never 0 */
    r->num_projections = (size_t)j->loop->num_projections;
    j->projections = PyMem_Calloc(MAX_PROJECTIONS, sizeof *j->projections);
    if (!j->projections) {
        PyErr_NoMemory();
        return -1;
    }
    r->projections = j->projections;
    if (bias) {
        j->bias = spread(bias, (npy_intp)r->row_size);
        if (!j->bias)
            return -1;
        r->bias = PyArray_DATA(j->bias);
    }
    r->past_out = PyArray_DATA(j->out[RUN_STATE + past]);
    r->past_in = j->start[past] ? PyArray_DATA(j->start[past]) : r->past_out;
    if (recorded && PyArray_SIZE(recorded) > 0)
        r->past_record = PyArray_DATA(recorded);
    if (j->out[RUN_TOTAL]) {
        r->total = PyArray_DATA(j->out[RUN_TOTAL]);
        r->fired = PyArray_DATA(j->out[RUN_FIRED]);
    }
    for (Py_ssize_t k = 0; k < j->loop->num_projections; k++)
        if (describe_projection(j, k) < 0)
            return -1;
    const size_t bytes = snnc_recurrent_workspace_size(r);
    j->loop_memory =
        bytes < PY_SSIZE_T_MAX - ALIGNMENT ? PyMem_Malloc(bytes + ALIGNMENT) : NULL;
    if (!j->loop_memory) {
        PyErr_NoMemory();
        return -1;
    }
    r->workspace = j->loop_memory +
                   (ALIGNMENT - (uintptr_t)j->loop_memory % ALIGNMENT) % ALIGNMENT;
    return 0;
}

/* Cuts the neurons into ranges, one for each thread that is worth its wake-up, at
 * multiples of a byte of packed spikes, of a cache line, of a group of rivals, and of a
 * row of a closed loop. */
static int partition(run_job *j)
{
    const size_t n = (size_t)j->n, row = j->recurrent.row_size;
    size_t unit = PARALLEL_UNIT;

    if (j->call.rivals) { /* of which a row is a part */
        unit = j->call.rivals * j->call.rival_stride;
        j->parallel.workspace_size = j->loop ? 0 : snnc_workspace_size(&j->call);
    }
    else if (row)
        unit = row;
    while (unit % 8)
        unit *= 2;
    return parallel_partition(&j->parallel, n, unit,
                              parallel_threads(j->request->num_threads, n, unit,
                                               (size_t)j->num_steps, j->parallel.cost));
}

static snnc_status run_range(const parallel_job *c, size_t i)
{
    const run_job *j = (const run_job *)c;
    const range part = parallel_range(c, i);
    snnc_call call = j->call;

    if (j->loop && j->n > 0) {
        snnc_recurrent_call r = j->recurrent;
        r.call.bits = j->call.bits; /* which were allocated later */
        r.call.bits_rows = j->call.bits_rows;
        return snnc_recurrent(j->isa, &r, c->t0, c->t1, part.n0 / r.row_size,
                              part.n1 / r.row_size);
    }
    if (c->workspace)
        call.workspace = c->workspace + i * c->workspace_size;
    return snnc_run(j->isa, &call, c->t0, c->t1, part.n0, part.n1);
}

static void release_job(run_job *j)
{
    parallel_release(&j->parallel);
    array_xdecref(j->x);
    for (int k = 0; k < j->num_states; k++)
        array_xdecref(j->start[k]);
    for (int o = 0; o < RUN_NUM_OUTPUTS; o = request_next(j, o))
        array_xdecref(j->out[o]);
    for (int k = 0; j->loop && k < MAX_PROJECTIONS; k++)
        Py_XDECREF(j->weights[k]);
    array_xdecref(j->bias);
    PyMem_Free(j->projections);
    PyMem_Free(j->loop_memory);
    array_xdecref(j->indices);
    array_xdecref(j->event_step);
    array_xdecref(j->event_neuron);
    Py_XDECREF(j->params);
    Py_XDECREF(j->capsule);
    PyMem_Free(j->select);
    PyMem_Free(j->select_at);
    PyMem_Free(j->bits);
    PyMem_Free(j);
}

static int resize_events(run_job *j, npy_intp length)
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

/* Appends the events of the chunk at hand, whose first row of bits is given. */
static int gather_events(run_job *j, const uint8_t *bits)
{
    const size_t n = (size_t)j->n, num_steps = j->parallel.t1 - j->parallel.t0;
    const npy_intp first = (npy_intp)(j->call.first_step + j->parallel.t0);
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

/* Steps of the next chunk of a run, from those that are left. Several, of some of the
 * neurons at a time (parallel_run), so that their states stay in caches; but where bits
 * of all are kept, or neurons wait for each other. */
static size_t steps_of_chunk(const run_job *j)
{
    const size_t n = (size_t)j->n, left = (size_t)j->num_steps - j->parallel.t0;
    const size_t least = j->event_step || j->loop ? 1 : 32;
    const size_t chunk = n ? j->parallel.work / n : left;

    return chunk >= left ? left : chunk > least ? chunk : least < left ? least : left;
}

/* The bits that events are read from, where spikes aren't recorded as bits anyway. */
static int allocate_bits(run_job *j)
{
    const size_t rows = steps_of_chunk(j);

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

int run_forget_tape(PyObject *recording)
{
    return recording && recording != Py_None
               ? PyObject_SetAttrString(recording, "_tape", Py_None)
               : 0;
}

/* Keeps the spikes under way and the currents before the run. */
static void keep_start(run_job *j)
{
    for (int k = j->cell->info->num_states; k < j->num_states; k++) {
        PyArrayObject *const kept = j->out[RUN_CHECKPOINT + k];
        PyArrayObject *const start = j->start[k] ? j->start[k] : j->out[RUN_STATE + k];
        memcpy(PyArray_DATA(kept), PyArray_DATA(start), (size_t)PyArray_NBYTES(kept));
    }
}

/* The first writes to the caller's arrays: from here on only the run itself can fail.
 */
static int clear_outputs(run_job *j)
{
    PyArrayObject *const count = j->out[RUN_COUNT];
    PyArrayObject *const first_spike = j->out[RUN_FIRST_SPIKE];

    if (run_forget_tape(j->request->overwritten) < 0)
        return -1;
    if (count)
        memset(PyArray_DATA(count), 0, (size_t)PyArray_NBYTES(count));
    if (j->out[RUN_TOTAL])
        keep_start(j);
    if (first_spike) /* -1 */
        memset(PyArray_DATA(first_spike), 0xff, (size_t)PyArray_NBYTES(first_spike));
    return 0;
}

/* Runs the core in chunks of some milliseconds, between which signals are checked. */
static int execute(run_job *j)
{
    const size_t num_steps = (size_t)j->num_steps;
    const size_t width = snnc_bits_width((size_t)j->n), rows = j->call.bits_rows;
    parallel_job *const c = &j->parallel;

    do {
        size_t steps = steps_of_chunk(j);
        if (rows && steps > rows - c->t0 % rows)
            steps = rows - c->t0 % rows;
        c->t1 = c->t0 + steps;
        if (parallel_run(c, c->t0 == 0) < 0)
            return -1;
        if (j->event_step && j->n > 0 &&
            gather_events(j, j->call.bits + (rows ? c->t0 % rows : c->t0) * width) < 0)
            return -1;
        c->t0 = c->t1;
    } while (c->t0 < num_steps);
    return 0;
}

/* Moves an output into the result: the caller's array as it is, a new 0-d one as a
 * NumPy scalar. */
static int return_output(PyArrayObject **array, int given, PyObject **result)
{
    PyArrayObject *a = *array;
    *array = NULL;
    *result = !a || given ? (PyObject *)a : PyArray_Return(a);
    return a && !*result ? -1 : 0;
}

static int return_events(run_job *j, PyObject **result)
{
    if (resize_events(j, j->num_events) < 0)
        return -1;
    *result = PyTuple_Pack(2, j->event_step, j->event_neuron);
    return *result ? 0 : -1;
}

int run_num_states(PyObject *capsule)
{
    const recurrence *const loop = recurrence_in(capsule);
    const snnc_model_info *const info = cell_model(loop ? loop->cell : capsule);
    return !info ? 0 : info->num_states + (loop ? 1 + (int)loop->num_projections : 0);
}

int run_call(const snnc_isa *isa, const run_request *request, run_result *result)
{
    int failed = -1;

    memset(result, 0, sizeof *result);
    run_job *j = PyMem_Malloc(sizeof *j);
    if (!j) {
        PyErr_NoMemory();
        return -1;
    }
    memset(j, 0, offsetof(run_job, neurons));
    j->parallel.run = run_range;
    j->parallel.work = PARALLEL_CHUNK;
    j->parallel.cost = 1;
    j->isa = isa;
    j->request = request;
    j->sequence = request->sequence;
    j->loop = recurrence_in(request->cell);
    j->cell = cell_get(j->loop ? j->loop->cell : request->cell);
    if (!j->cell)
        goto done;
    j->num_states =
        j->cell->info->num_states + (j->loop ? 1 + (int)j->loop->num_projections : 0);
    Py_INCREF(request->cell);
    j->capsule = request->cell;

    if (convert_operands(j) < 0 || find_num_steps(j) < 0 || find_neurons(j) < 0 ||
        allocate_outputs(j) < 0 || copy_overlapping_inputs(j) < 0 ||
        prepare_start_states(j) < 0 || describe(j) < 0 || describe_loop(j) < 0 ||
        partition(j) < 0 || allocate_bits(j) < 0 || clear_outputs(j) < 0 ||
        execute(j) < 0)
        goto done;
    result->num_steps = j->num_steps;
    failed = j->event_step ? return_events(j, &result->out[RUN_EVENTS]) : 0;
    for (int o = 0; o < RUN_NUM_OUTPUTS && !failed; o = request_next(j, o))
        if (o != RUN_EVENTS)
            failed = return_output(&j->out[o], j->given[o], &result->out[o]);
done:
    if (failed)
        run_clear(result);
    release_job(j);
    return failed ? -1 : 0;
}

void run_clear(run_result *result)
{
    for (int o = 0; o < RUN_NUM_OUTPUTS; o++)
        Py_CLEAR(result->out[o]);
}

/* Counts events, or writes them where `step` isn't NULL, and looks for signals in
 * between; -1 with an exception. */
static npy_intp read_events(const uint8_t *bits, size_t num_steps, size_t num_neurons,
                            int64_t first_step, int64_t *step, int64_t *neuron,
                            size_t room)
{
    enum { CHUNK_BYTES = 256 * 1024 }; /* some milliseconds */
    const size_t width = snnc_bits_width(num_neurons);
    const size_t chunk = width ? 1 + CHUNK_BYTES / width : 0;
    size_t found = 0;

    for (size_t t = 0; width && t < num_steps; t += chunk) {
        const size_t rest = num_steps - t;
        found += snnc_events(bits + t * width, rest < chunk ? rest : chunk, num_neurons,
                             first_step + (int64_t)t, step ? step + found : NULL,
                             step ? neuron + found : NULL, step ? room - found : 0);
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
    return (npy_intp)found;
}

PyObject *run_unpack_events(PyObject *packed, Py_ssize_t num_neurons,
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
    array_xdecref(step);
    array_xdecref(neuron);
    array_xdecref(bits);
    return events;
}

PyObject *run_results(PyObject *recorded, PyObject *final, PyObject *checkpoints,
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
