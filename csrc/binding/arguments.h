/* Arguments of _core's functions: the errors name them. */
#ifndef SNNC_ARGUMENTS_H
#define SNNC_ARGUMENTS_H

#include "arrays.h"

/* 0, or -1 with an exception where there are too few arguments. */
int argument_count(const char *function, Py_ssize_t got, Py_ssize_t least);

/* The index of a string in a list of names, or -1 with an exception. */
int argument_choice(PyObject *string, const char *const *names, int count,
                    const char *argument);

/* Whether it is a tuple of that size; 0 with an exception. */
int argument_is_tuple(PyObject *object, Py_ssize_t size, const char *name);

/* An integer, by its __index__, whose errors stay as they are: 0, or -1 with an
 * exception. */
int argument_integer(PyObject *object, const char *name, Py_ssize_t *value);

/* A number of steps or the like, or -1 with an exception. */
Py_ssize_t argument_size(PyObject *object, const char *name, Py_ssize_t least);

/* How many threads; -1 with an exception. */
Py_ssize_t argument_threads(PyObject *object);

#endif
