"""NumPy as carefully as it allows: nothing is allocated, and the fewest passes over memory.

A step reads the incoming states and r, where the last step fired, and writes `mem`, where it is
recorded if it is; the other states are updated in place.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.problem import PACKED_BITORDER, Way

if TYPE_CHECKING:
    from benchmarks.equations import Array, Constants, States
    from benchmarks.problem import Contenders, Problem

EXACT = True


def leaky(x: Array, states: States, mem: Array, r: Array, c: Constants, work: Array) -> None:
    """Do one step of Leaky; `work` is scratch of the neurons' shape, as below."""
    np.multiply(states[0], c["beta"], out=mem)
    np.add(mem, x, out=mem)
    np.multiply(r, c["threshold"], out=work)
    np.subtract(mem, work, out=mem)


def lapicque(x: Array, states: States, mem: Array, r: Array, c: Constants, work: Array) -> None:
    """Do one step of Lapicque."""
    np.multiply(x, c["R"], out=work)
    np.multiply(work, c["q"], out=work)
    np.multiply(work, c["dt"], out=work)
    np.multiply(states[0], c["keep"], out=mem)
    np.add(work, mem, out=mem)
    np.multiply(r, c["threshold"], out=work)
    np.subtract(mem, work, out=mem)


def synaptic(x: Array, states: States, mem: Array, r: Array, c: Constants, work: Array) -> None:
    """Do one step of Synaptic."""
    syn, last = states
    np.multiply(syn, c["alpha"], out=syn)
    np.add(syn, x, out=syn)
    np.multiply(last, c["beta"], out=mem)
    np.add(mem, syn, out=mem)
    np.multiply(r, c["threshold"], out=work)
    np.subtract(mem, work, out=mem)


def alpha(x: Array, states: States, mem: Array, r: Array, c: Constants, work: Array) -> None:
    """Do one step of Alpha."""
    exc, inh, _ = states
    np.multiply(exc, c["alpha"], out=exc)
    np.add(exc, x, out=exc)
    np.multiply(inh, c["beta"], out=inh)
    np.subtract(inh, x, out=inh)
    np.add(exc, inh, out=mem)
    np.multiply(mem, c["tau"], out=mem)
    for state in (exc, inh, mem):
        np.multiply(state, r, out=work)
        np.subtract(state, work, out=state)


MODELS = {f.__name__.capitalize(): f for f in (leaky, lapicque, synaptic, alpha)}


class Layer:
    """A problem with its scratch arrays."""

    def __init__(self, problem: Problem) -> None:
        self.update = MODELS[problem.cell.model]
        self.packed = problem.cell.packed
        self.constants = problem.constants
        self.threshold = problem.constants["threshold"]
        self.work = np.empty_like(problem.states[0])
        self.reset = np.empty_like(self.work)
        self.fired = np.empty(self.work.shape, np.bool_)

    def step(self, x: Array, states: States, spk: Array) -> None:
        """Do one step in place."""
        np.greater(states[-1], self.threshold, out=self.fired)
        np.copyto(self.reset, self.fired)
        self.update(x, states, states[-1], self.reset, self.constants, self.work)
        np.greater(states[-1], self.threshold, out=self.fired)
        np.copyto(spk, self.fired)

    def sequence(self, x: Array, states: States, spk: Array, mem_rec: Array | None) -> None:
        """Run a sequence in place."""
        *others, mem = states
        last = mem
        np.greater(mem, self.threshold, out=self.fired)
        reset = self.reset
        np.copyto(reset, self.fired)
        for t, (x_t, spk_t) in enumerate(zip(x, spk, strict=True)):
            new = mem if mem_rec is None else mem_rec[t]
            self.update(x_t, (*others, last), new, reset, self.constants, self.work)
            last = new
            if spk.dtype == x.dtype:  # the spikes are the next reset
                np.greater(new, self.threshold, out=self.fired)
                np.copyto(spk_t, self.fired)
                reset = spk_t
                continue
            if self.packed:
                np.greater(new, self.threshold, out=self.fired)
                spk_t[:] = np.packbits(self.fired, bitorder=PACKED_BITORDER)
                np.copyto(reset, self.fired)
            else:
                np.greater(new, self.threshold, out=spk_t.view(np.bool_))
                np.copyto(reset, spk_t)
        if last is not mem:
            np.copyto(mem, last)


def contenders(problem: Problem) -> Contenders:
    """Offer the loop for all outputs."""
    layer = Layer(problem)
    if problem.cell.steps:
        call = partial(layer.sequence, problem.x, problem.states, problem.spk, problem.mem)
    else:
        call = partial(layer.step, problem.x, problem.states, problem.spk)
    return {"careful NumPy": {"": Way(call)}}
