/* What a request asks for, converted, checked and allocated: the first half of a run.
 */
#ifndef SNNC_REQUEST_H
#define SNNC_REQUEST_H

#include "parallel.h"
#include "run.h"

typedef struct {
    parallel_job parallel;
    const snnc_isa *isa;
    const run_request *request; /* only while the call is prepared */
    PyObject *capsule;          /* that keeps the cell alive */
    cell *cell;
    const recurrence *loop; /* NULL: none */
    int num_states;
    int sequence;
    int type, spk_type; /* NumPy's */
    int packed;
    npy_intp num_steps, n;
    npy_intp num_recorded; /* steps whose states are recorded */
    int x_axis, out_axis;  /* of time; -1: none */
    Py_ssize_t slice[3];   /* of neurons to record, where they aren't `indices` */
    /* Owned. An output is the caller's array if `given`. */
    PyArrayObject *x, *start[RUN_MOST_STATES];
    PyArrayObject *indices; /* of neurons to record, or NULL */
    PyArrayObject *out[RUN_NUM_OUTPUTS];
    int given[RUN_NUM_OUTPUTS];
    PyArrayObject *event_step, *event_neuron;
    npy_intp num_events;
    PyObject *params;
    npy_intp num_selected;
    size_t *select, *select_at;
    uint8_t *bits;
    snnc_recurrent_call recurrent; /* of a closed loop, with the arrays below */
    snnc_projection *projections;
    PyObject *weights[MAX_PROJECTIONS];
    PyArrayObject *bias;
    char *loop_memory;
    snnc_output record_layout; /* of recorded states, without their data */
    /* From here on nothing is zeroed in advance. */
    shape neurons;
    snnc_call call; /* what the core reads while it runs, with the arrays below */
    size_t dims[NPY_MAXDIMS];
    ptrdiff_t strides[3][NPY_MAXDIMS]; /* of x, spikes and recorded states */
} run_job;

/* The name of a state. */
const char *request_state_name(const run_job *j, int k);

/* The output after that one; there are outputs for as many states as the job has. */
int request_next(const run_job *j, int output);

/* From a request to a job, in this order: operands, steps, the neuron shape, outputs,
 * copies of what outputs overlap, start states. Each 0, or -1 with an exception. */
int convert_operands(run_job *j);
int find_num_steps(run_job *j);
int find_neurons(run_job *j);
int allocate_outputs(run_job *j);
int copy_overlapping_inputs(run_job *j);
int prepare_start_states(run_job *j);

#endif
