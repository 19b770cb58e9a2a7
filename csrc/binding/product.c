/* See product.h. */
#define NO_IMPORT_ARRAY
#include "product.h"

#include <string.h>

#include "parallel.h"
#include "weights.h"

typedef struct {
    parallel_job parallel;
    const snnc_isa *isa;
    snnc_product_call call;
    PyArrayObject *spk, *bias, *out; /* owned, as the next */
    PyArrayObject *weight;           /* (outputs, inputs); NULL: `kept` */
    PyObject *kept;                  /* what keeps the weights of the call */
    shape shape;                     /* of the sums */
} product_job;

static snnc_status run_rows(const parallel_job *c, size_t i)
{
    const product_job *j = (const product_job *)c;
    const range part = parallel_range(c, i);
    snnc_product_call call = j->call;

    call.workspace = c->workspace + i * c->workspace_size;
    return snnc_product(j->isa, &call, part.n0, part.n1);
}

static int is_double(PyArrayObject *array)
{
    return array && PyArray_TYPE(array) == NPY_DOUBLE;
}

/* Converts the operands; NumPy's type to compute in, or -1 with an exception. */
static int convert(product_job *j, PyObject *spk, const weights *w, PyObject *weight,
                   PyObject *bias)
{
    j->spk = array_real_numbers(spk, "spk");
    if (!j->spk)
        return -1;
    if (!w) {
        j->weight = array_real_numbers(weight, "weight");
        if (!j->weight)
            return -1;
    }
    if (bias != Py_None) {
        j->bias = array_real_numbers(bias, "bias");
        if (!j->bias)
            return -1;
    }
    return is_double(j->spk) || is_double(j->weight) || is_double(j->bias) ||
                   (w && w->data[SNNC_F64] && !w->data[SNNC_F32])
               ? NPY_DOUBLE
               : NPY_FLOAT;
}

/* The weights as rows of inputs: where they lie, if that is how they lie (transposed),
 * else copied. */
static int transpose_weight(product_job *j, int type)
{
    snnc_weights *const weights = &j->call.weights;
    const npy_intp size = type == NPY_FLOAT ? sizeof(float) : sizeof(double);
    PyArrayObject *w = (PyArrayObject *)PyArray_Transpose(j->weight, NULL);

    if (!w)
        return -1;
    array_replace(&j->weight, w);
    const npy_intp inputs = PyArray_DIM(w, 0), outputs = PyArray_DIM(w, 1);
    const npy_intp step = PyArray_STRIDE(w, 0);
    const int fits = PyArray_TYPE(w) == type && array_is_regular(w) &&
                     (outputs <= 1 || PyArray_STRIDE(w, 1) == size) &&
                     (inputs <= 1 || (step > 0 && step / size >= outputs));
    if (!fits) {
        PyArray_Descr *descr = PyArray_DescrFromType(type);
        w = descr ? (PyArrayObject *)PyArray_FromArray(
                        w, descr, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST)
                  : NULL;
        if (!w)
            return -1;
        array_replace(&j->weight, w);
    }
    weights->num_inputs = (size_t)inputs;
    weights->num_outputs = (size_t)outputs;
    weights->data = PyArray_DATA(w);
    weights->step = inputs > 1 ? PyArray_STRIDE(w, 0) / size : 0;
    return 0;
}

/* An operand as the core reads it: contiguous, of its own type or of another. */
static int make_contiguous(PyArrayObject **slot, int type)
{
    if (array_is_contiguous(*slot, type))
        return 0;
    if (PyArray_ITEMSIZE(*slot) == 1 && PyArray_TYPE(*slot) == type &&
        PyArray_NDIM(*slot) == 2 && PyArray_STRIDE(*slot, 0) == 1) {
        const npy_intp *const dims = PyArray_DIMS(*slot);
        PyArrayObject *const copy = (PyArrayObject *)PyArray_SimpleNew(2, dims, type);
        if (!copy)
            return -1;
        snnc_transpose_bytes(PyArray_DATA(copy), PyArray_DATA(*slot), (size_t)dims[1],
                             (size_t)dims[0], PyArray_STRIDE(*slot, 1));
        array_replace(slot, copy);
        return 0;
    }
    PyArray_Descr *descr = PyArray_DescrFromType(type);
    PyArrayObject *array =
        descr ? (PyArrayObject *)PyArray_FromArray(
                    *slot, descr, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST)
              : NULL;
    if (!array)
        return -1;
    array_replace(slot, array);
    return 0;
}

/* Spikes of the inputs, or packed: bytes of eight inputs each. */
static int describe_spikes(product_job *j, int type)
{
    const npy_intp inputs = (npy_intp)j->call.weights.num_inputs;
    const npy_intp width = (npy_intp)snnc_bits_width((size_t)inputs);
    const int given = PyArray_TYPE(j->spk), ndim = PyArray_NDIM(j->spk);
    const npy_intp last = ndim ? PyArray_DIM(j->spk, ndim - 1) : -1;
    const int packed = given == NPY_UBYTE && last == width && last != inputs;

    if (last != inputs && !packed) {
        PyObject *dims = shape_tuple(ndim, PyArray_DIMS(j->spk));
        if (dims)
            PyErr_Format(PyExc_ValueError,
                         "spk of shape %S; weight asks for %zd inputs on its last axis "
                         "(packed, as uint8: %zd)",
                         dims, (Py_ssize_t)inputs, (Py_ssize_t)width);
        Py_XDECREF(dims);
        return -1;
    }
    const int bytes = given == NPY_UBYTE || given == NPY_BOOL;
    if (make_contiguous(&j->spk, bytes ? given : type) < 0)
        return -1;
    j->shape.ndim = ndim;
    memcpy(j->shape.dims, PyArray_DIMS(j->spk), (size_t)ndim * sizeof *j->shape.dims);
    const npy_intp rows = shape_product(ndim - 1, j->shape.dims);
    const npy_intp both[2] = {rows, (npy_intp)j->call.weights.num_outputs};
    j->shape.dims[ndim - 1] = both[1];
    if (rows < 0 || shape_product(2, both) < 0) {
        PyErr_Format(PyExc_ValueError,
                     "spk: %zd rows of %zd outputs are too many for an array",
                     (Py_ssize_t)rows, (Py_ssize_t)both[1]);
        return -1;
    }
    j->call.num_rows = (size_t)rows;
    if (packed) {
        j->call.bits = PyArray_DATA(j->spk);
        for (npy_intp r = 1; inputs % 8 && r <= rows; r++)
            if (j->call.bits[r * width - 1] >> inputs % 8) {
                PyErr_Format(
                    PyExc_ValueError,
                    "spk: a packed row has spikes beyond its %zd inputs; expected "
                    "bytes for each row (a batch that was packed as one row is "
                    "unpacked by snnc.unpack_spikes)",
                    (Py_ssize_t)inputs);
                return -1;
            }
    }
    else {
        j->call.spk = PyArray_DATA(j->spk);
        j->call.spk_type = given == NPY_BOOL    ? SNNC_BOOL
                           : given == NPY_UBYTE ? SNNC_U8
                                                : array_real_type(type);
    }
    return 0;
}

static int describe_bias(product_job *j, int type)
{
    const npy_intp outputs = (npy_intp)j->call.weights.num_outputs;

    if (!j->bias)
        return 0;
    if (!array_has_shape(j->bias, 1, &outputs)) {
        const shape expected = {1, {outputs}};
        shape_error("%s has shape %R; expected %R", "bias", PyArray_NDIM(j->bias),
                    PyArray_DIMS(j->bias), &expected);
        return -1;
    }
    if (make_contiguous(&j->bias, type) < 0)
        return -1;
    j->call.bias = PyArray_DATA(j->bias);
    return 0;
}

/* Whether the sums would overwrite what is still to be read: then they are made in a
 * new array. */
static int is_read_later(const product_job *j, PyArrayObject *out)
{
    PyArrayObject *const kept = j->weight ? j->weight : (PyArrayObject *)j->kept;
    return array_overlap(out, j->spk) || array_overlap(out, kept) ||
           (j->bias && array_overlap(out, j->bias));
}

static int execute(product_job *j, Py_ssize_t num_threads)
{
    const size_t inputs = j->call.weights.num_inputs;
    const size_t outputs = j->call.weights.num_outputs, rows = j->call.num_rows;
    /* What a row costs, in neuron-steps, where some of the inputs spike. */
    const size_t cost = 1 + inputs / 8 + outputs + outputs * (inputs / 64);
    size_t threads = (size_t)num_threads;

    if (rows == 0 || outputs == 0)
        return 0;
    const size_t worthwhile =
        rows > SIZE_MAX / cost ? SIZE_MAX : rows * cost / NEURON_STEPS_PER_THREAD;
    threads = threads > rows ? rows : threads;
    threads = threads > worthwhile ? worthwhile : threads;
    j->parallel.work = PARALLEL_CHUNK;
    j->parallel.workspace_size = snnc_product_workspace_size(&j->call);
    if (parallel_partition(&j->parallel, rows, 1, threads ? threads : 1) < 0)
        return -1;
    j->parallel.t1 = cost > SIZE_MAX / rows ? SIZE_MAX / rows : cost;
    return parallel_run(&j->parallel, 1);
}

static int prepare(product_job *j, PyObject *spk, PyObject *weight, PyObject *bias,
                   PyObject *out)
{
    weights *const w = weights_in(weight);
    const int type = convert(j, spk, w, weight, bias);

    if (type < 0)
        return -1;
    j->call.type = array_real_type(type);
    if (w) {
        j->kept = weights_describe(w, weight, type, &j->call.weights);
        if (!j->kept)
            return -1;
    }
    else {
        if (PyArray_NDIM(j->weight) != 2) {
            PyErr_Format(PyExc_ValueError,
                         "weight has %d dimensions; expected 2, (outputs, inputs)",
                         PyArray_NDIM(j->weight));
            return -1;
        }
        if (transpose_weight(j, type) < 0)
            return -1;
    }
    if (describe_spikes(j, type) < 0 || describe_bias(j, type) < 0)
        return -1;
    if (out != Py_None) {
        PyArrayObject *const given = array_output(out, "product", type, &j->shape);
        if (!given)
            return -1;
        if (!is_read_later(j, given))
            j->out = array_incref(given);
    }
    if (!j->out)
        j->out = (PyArrayObject *)array_new(j->shape.ndim, j->shape.dims, type,
                                            &j->call.spk, 1);
    if (!j->out)
        return -1;
    j->call.sum = PyArray_DATA(j->out);
    return 0;
}

PyObject *product_density(PyObject *Py_UNUSED(module), PyObject *spk)
{
    enum { MOST = 256 }; /* words that are looked at */
    PyArrayObject *const array = (PyArrayObject *)spk;

    if (!PyArray_Check(spk) || !array_is_contiguous(array, NPY_UBYTE)) {
        PyErr_Format(PyExc_TypeError, "spk: %R; expected contiguous uint8", spk);
        return NULL;
    }
    const uint8_t *const bytes = PyArray_DATA(array);
    const size_t words = (size_t)PyArray_SIZE(array) / 8;
    const size_t seen = words < MOST ? words : MOST;
    size_t place = 0, found = 0;
    for (size_t i = 0; i < seen; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * place, 8);
        word |= word >> 4 & 0x0f0f0f0f0f0f0f0f;
        word |= word >> 2 & 0x0303030303030303;
        word = (word | word >> 1) & 0x0101010101010101;
        found += (size_t)(word * 0x0101010101010101 >> 56);
        /* By the golden section, so that no period of the spikes matters. */
        const uint64_t part = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15 >> 32;
        place = words > MOST ? (size_t)((double)words * 0x1p-32 * (double)part) : i + 1;
    }
    return PyFloat_FromDouble(seen ? (double)found / (8 * (double)seen) : 0);
}

PyObject *product_call(const snnc_isa *isa, PyObject *spk, PyObject *weight,
                       PyObject *bias, PyObject *out, Py_ssize_t num_threads)
{
    product_job *j = PyMem_Calloc(1, sizeof *j);
    PyObject *result = NULL;

    if (!j)
        return PyErr_NoMemory();
    j->parallel.run = run_rows;
    j->isa = isa;
    if (prepare(j, spk, weight, bias, out) == 0 && execute(j, num_threads) == 0) {
        result = out == Py_None ? (PyObject *)j->out : out;
        if (result == out && result != (PyObject *)j->out &&
            PyArray_CopyInto((PyArrayObject *)out, j->out) < 0)
            result = NULL;
        Py_XINCREF(result);
    }
    parallel_release(&j->parallel);
    array_xdecref(j->spk);
    array_xdecref(j->weight);
    array_xdecref(j->bias);
    array_xdecref(j->out);
    Py_XDECREF(j->kept);
    PyMem_Free(j);
    return result;
}
