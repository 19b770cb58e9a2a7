/* A cell in a closed loop: its projections and bias, as an immutable capsule that takes
 * a cell's place in calls. */
#ifndef SNNC_RECURRENCE_H
#define SNNC_RECURRENCE_H

#include "cell.h"
#include "weights.h"

enum { MAX_PROJECTIONS = 16 };

typedef struct {
    PyObject *weights; /* a capsule */
    npy_intp size;     /* of a row of neurons; 0: any */
    size_t delay;
    PyArrayObject *decay[2]; /* by type, of one or `size` numbers; NULL: 0 */
} projection;

typedef struct {
    PyObject *cell; /* a capsule */
    Py_ssize_t num_projections;
    projection projections[MAX_PROJECTIONS];
    npy_intp row_size;      /* -1: any */
    size_t delays;          /* the largest */
    PyArrayObject *bias[2]; /* by type, of one or row_size numbers; NULL: none */
    PyObject *past;         /* what the spikes under way are called: a str */
    const char *past_name;  /* in it */
    int hides_past;         /* which has one step: users give it without its axis */
} recurrence;

/* recurrence(cell, bias, projections, past), a capsule: the bias is None or an array of
 * one number or of one for each neuron of a row; each projection (weights, delay,
 * decay), of which decay is such an array. */
PyObject *recurrence_new(PyObject *const args[4]);

/* The recurrence in a capsule, or NULL without an exception. */
recurrence *recurrence_in(PyObject *capsule);

#endif
