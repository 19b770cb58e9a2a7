/* What an array argument may be, and new arrays: references, shapes, dtypes, masks,
 * layouts, overlap. Knows no neurons. */
#ifndef SNNC_ARRAYS_H
#define SNNC_ARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdio.h> /* NumPy's headers need it, and the stable ABI's don't bring it */

/* Python's stable ABI without the GIL, whose objects are opaque: NumPy's are from 2.5
 * on. */
#ifdef Py_TARGET_ABI3T
#define NPY_TARGET_VERSION NPY_2_5_API_VERSION
#else
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#endif
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL snnc_numpy_api
#include <numpy/arrayobject.h>

#ifndef PyDataType_TYPENUM /* before NumPy 2.5 */
#define PyDataType_TYPENUM(descr) ((descr)->type_num)
#endif

#include "snnc.h"

/* A critical section, where there is no GIL; each is a statement. */
#if defined(Py_GIL_DISABLED)
#define LOCK(object) Py_BEGIN_CRITICAL_SECTION(object)
#define UNLOCK() Py_END_CRITICAL_SECTION()
#else
#define LOCK(object) (void)(object)
#define UNLOCK() (void)0
#endif

/* SNNC_F32 and SNNC_F64 in NumPy's types. */
extern const int array_types[2];

/* NumPy's float32 or float64 as the core's type. */
static inline snnc_type array_real_type(int type)
{
    return type == NPY_FLOAT ? SNNC_F32 : SNNC_F64;
}

/* From so many bytes on array_new places arrays apart from others. */
enum { MIN_PLACED_BYTES = 32 * 1024 };

/* What array_dtype returns for "packed". */
enum { ARRAY_PACKED = -3 };

typedef struct {
    int ndim;
    npy_intp dims[NPY_MAXDIMS];
} shape;

/* The same array, with one more reference (not NULL). */
static inline PyArrayObject *array_incref(PyArrayObject *array)
{
    Py_INCREF((PyObject *)array);
    return array;
}

/* Gives a reference back; NULL has none. */
static inline void array_xdecref(PyArrayObject *array)
{
    Py_XDECREF((PyObject *)array);
}

/* Puts an owned array (or NULL) into a slot that owns another. */
static inline void array_replace(PyArrayObject **slot, PyArrayObject *array)
{
    PyArrayObject *last = *slot;
    *slot = array;
    array_xdecref(last);
}

PyObject *shape_tuple(int ndim, const npy_intp *dims);

/* A ValueError whose format takes a name and two shapes. */
void shape_error(const char *format, const char *name, int ndim, const npy_intp *dims,
                 const shape *other);

/* Broadcasts s with other dimensions; -1 (and s unchanged) if they don't agree. */
int shape_broadcast(shape *s, int ndim, const npy_intp *dims);

/* Whether the dimensions stay as they are when s broadcasts with them. */
static inline int shape_broadcasts_to(const shape *s, int ndim, const npy_intp *dims)
{
    if (s->ndim > ndim)
        return 0;
    for (int d = 1; d <= s->ndim; d++)
        if (s->dims[s->ndim - d] != 1 && s->dims[s->ndim - d] != dims[ndim - d])
            return 0;
    return 1;
}

static inline int shape_same_dims(int ndim, const npy_intp *a, const npy_intp *b)
{
    int same = 1;
    for (int d = 0; same && d < ndim; d++)
        same = a[d] == b[d];
    return same;
}

static inline int array_has_shape(PyArrayObject *array, int ndim, const npy_intp *dims)
{
    return PyArray_NDIM(array) == ndim &&
           shape_same_dims(ndim, PyArray_DIMS(array), dims);
}

/* The product of dimensions, or -1 if that many float64 are too many to address. */
static inline npy_intp shape_product(int ndim, const npy_intp *dims)
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

/* A new array, to be written while arrays at `count` addresses are read or written
 * too. A large one begins with a cache line, and at a place in its page away from
 * theirs, because of 4K aliasing: where addresses agree in their last 12 bits,
 * processors take a load for one of what was stored just before, and wait for it. That
 * may take three times as long. */
PyObject *array_new(int ndim, const npy_intp *dims, int type, const void *const *others,
                    int count);

/* Whether an object is a masked array: -1 with an exception. */
int array_is_masked(PyObject *object);

/* 0, or -1 with an exception: NumPy would drop the mask. */
int array_refuse_masked(const char *name, PyObject *object);

/* Names the argument in an error of its conversion. NumPy's own errors (and torch's, of
 * a tensor that can't be read) are said anew as "`name` is not `expected`: ..."; errors
 * of other classes come from the object's own code, and get a note. */
void array_name_in_error(const char *name, const char *expected);

/* What NumPy makes an array of, as one of real numbers of its own type, without a copy:
 * a new reference, or NULL with an exception that names the argument. */
PyArrayObject *array_real_numbers(PyObject *object, const char *name);

/* The same, but one of Python's own numbers becomes a double: `weak`, as it doesn't say
 * in which dtype to compute. */
PyArrayObject *array_operand(PyObject *object, const char *name, int *weak);

/* The array as regular elements of the type; itself where it is that already. */
PyArrayObject *array_as_type(PyArrayObject *array, int type, int copy);

/* Whether the core reads the array where it lies, if it is of a type that it knows: its
 * elements are aligned, native, and whole elements apart (where alignment is less than
 * size, as of double on i386, the latter doesn't follow). */
int array_is_regular(PyArrayObject *array);

/* The same, and of the type and contiguous. */
static inline int array_is_contiguous(PyArrayObject *array, int type)
{
    return PyArray_TYPE(array) == type && PyArray_IS_C_CONTIGUOUS(array) &&
           PyArray_ISBEHAVED_RO(array);
}

/* A dtype argument as NumPy's type number: -1 for None, -2 with an exception.
 * `for_spikes`: uint8, bool and ARRAY_PACKED are accepted too. */
int array_dtype(PyObject *object, const char *name, int for_spikes);

/* An array of the caller's for an output, as it is (borrowed), if it is just what is
 * needed: of that type and shape, contiguous and writeable. NULL with an exception that
 * names it. */
PyArrayObject *array_output(PyObject *given, const char *name, int type,
                            const shape *s);

/* Some bytes of memory. */
typedef struct {
    char *data;
    size_t size;
} extent;

static inline int extents_are_apart(extent a, extent b)
{
    return a.data + a.size <= b.data || b.data + b.size <= a.data;
}

/* Whether two arrays may share bytes, by the extents that they span. */
int array_overlap(PyArrayObject *a, PyArrayObject *b);

/* The core's type for arrays that it reads as they are, or -1. */
int array_core_type(PyArrayObject *array);

/* Puts several arrays of one shape, with their strides in elements, into as few
 * dimensions as describe them all, at the end of `dims` and `strides`: how many. */
int layout_merge(int ndim, const npy_intp *dims, int count,
                 ptrdiff_t (*strides)[NPY_MAXDIMS], size_t *merged);

/* The strides of an array among `ndim` merged dimensions; NULL where its neurons lie
 * one after the other. */
const ptrdiff_t *layout_strides(int ndim, const ptrdiff_t *strides);

/* A new 1-d array of `size` floats, placed as array_new does to avoid 4K aliasing with
 * `others`, of which those that are no arrays don't matter. NULL with an exception. */
PyObject *array_empty(Py_ssize_t size, PyObject *dtype, PyObject *const *others,
                      Py_ssize_t count);

/* A tuple of arrays (stolen), or NULL with an exception. */
static inline PyObject *array_tuple(PyObject *const *arrays, int count)
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

#endif
