# cython: language_level=3, boundscheck=False
"""Leaky neurons as a module of one's own, with the C core compiled in."""

cdef extern from *:
    """
    #include "snnc.h"
    static const snnc_call unset = SNNC_CALL_INIT; /* an initializer is no expression */
    """
    ctypedef enum snnc_model:
        SNNC_Leaky

    ctypedef enum snnc_status:
        SNNC_OK

    ctypedef struct snnc_isa:
        pass

    ctypedef struct snnc_input:
        const void *data

    ctypedef struct snnc_output:
        void *data

    ctypedef struct snnc_call:  # those of its fields that are set here
        snnc_model model
        size_t num_steps, num_neurons
        snnc_input x
        void *state_out[3]
        const void *params[6]
        snnc_output spk

    const snnc_call unset
    const snnc_isa *snnc_isa_find(const char *name)
    int snnc_self_check(const snnc_isa *isa)
    const char *snnc_strerror(snnc_status status)
    snnc_status snnc_run(
        const snnc_isa *isa, const snnc_call *call, size_t t0, size_t t1, size_t n0, size_t n1
    ) nogil


cdef const snnc_isa *isa = snnc_isa_find(NULL)
if not snnc_self_check(isa):
    raise ImportError("snnc was compiled with fused multiply-add")


def run(const float[:, ::1] x, float[::1] mem, float[:, ::1] spk, float beta, float threshold=1):
    """Step neurons through x, of shape (steps, neurons): mem is updated, spk is written."""
    cdef float graded_spikes_factor = 1
    cdef snnc_call call = unset
    cdef snnc_status status

    if mem.shape[0] != x.shape[1]:
        raise ValueError(f"mem has {mem.shape[0]} neurons; x has {x.shape[1]}")
    if spk.shape[0] != x.shape[0] or spk.shape[1] != x.shape[1]:
        raise ValueError(
            f"spk is of shape ({spk.shape[0]}, {spk.shape[1]}); "
            f"x is of shape ({x.shape[0]}, {x.shape[1]})"
        )
    if x.shape[0] == 0 or x.shape[1] == 0:
        return
    call.model = SNNC_Leaky
    call.num_steps, call.num_neurons = x.shape[0], x.shape[1]
    call.x.data = &x[0, 0]
    call.spk.data = &spk[0, 0]
    call.state_out[0] = &mem[0]
    call.params[0], call.params[1], call.params[2] = &threshold, &beta, &graded_spikes_factor
    with nogil:
        status = snnc_run(isa, &call, 0, call.num_steps, 0, call.num_neurons)
    if status != SNNC_OK:
        raise ValueError(snnc_strerror(status).decode())
