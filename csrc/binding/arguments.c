/* See arguments.h. */
#define NO_IMPORT_ARRAY
#include "arguments.h"

#include "core/threads.h"

int argument_count(const char *function, Py_ssize_t got, Py_ssize_t least)
{
    if (got >= least)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s takes at least %zd arguments (%zd given)",
                 function, least, got);
    return -1;
}

int argument_choice(PyObject *string, const char *const *names, int count,
                    const char *argument)
{
    for (int i = 0; PyUnicode_Check(string) && i < count; i++)
        if (PyUnicode_CompareWithASCIIString(string, names[i]) == 0)
            return i;
    PyErr_Format(PyExc_ValueError, "unknown %s=%R", argument, string);
    return -1;
}

int argument_is_tuple(PyObject *object, Py_ssize_t size, const char *name)
{
    if (PyTuple_Check(object) && PyTuple_Size(object) == size)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s must be a tuple of %zd, not %R", name, size,
                 object);
    return 0;
}

int argument_integer(PyObject *object, const char *name, Py_ssize_t *value)
{
    PyObject *index;

    if (!PyIndex_Check(object) || PyBool_Check(object)) {
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
    PyErr_Format(PyExc_ValueError, "%s=%R is out of range", name, object);
    return -1;
}

Py_ssize_t argument_size(PyObject *object, const char *name, Py_ssize_t least)
{
    Py_ssize_t value;

    if (argument_integer(object, name, &value) < 0)
        return -1;
    if (value >= least)
        return value;
    PyErr_Format(PyExc_ValueError, "%s=%R; expected an integer of at least %zd", name,
                 object, least);
    return -1;
}

Py_ssize_t argument_threads(PyObject *object)
{
    Py_ssize_t value;

    if (argument_integer(object, "num_threads", &value) < 0)
        return -1;
    if (value >= 1 && value <= SNNC_MAX_THREADS)
        return value;
    PyErr_Format(PyExc_ValueError, "num_threads=%R; expected an integer from 1 to %d",
                 object, (int)SNNC_MAX_THREADS);
    return -1;
}
