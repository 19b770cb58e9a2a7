"""A cell made concrete: neuron, input, states and output arrays, and the spikes that must come.

The arrays are shared by all peers that compute in place, so they use the same memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

import snnc
from benchmarks import equations, private
from benchmarks.cells import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import partial

    from numpy.typing import NDArray

    from benchmarks.cells import Cell

    Array = NDArray[Any]

PARAMETERS: dict[str, dict[str, float]] = {
    "Leaky": {"beta": 0.9, "threshold": 1.0},
    "Lapicque": {"R": 1.0, "C": 5.0, "threshold": 0.2},
    "Synaptic": {"alpha": 0.9, "beta": 0.8, "threshold": 8.0},
    "Alpha": {"alpha": 0.9, "beta": 0.8, "threshold": 0.2},
}
"""Inputs are uniform between 0 and 0.6: with these, 12 to 25 % of the neurons fire in a step.
For training they go up to 0.4, and 13 % fire."""

PACKED_BITORDER: Final = "little"
"""Neuron 8 k + i is bit i of byte k, as in ``np.packbits(spk, axis=-1, bitorder="little")``."""

ACCURACY = 1e-6
"""By how much gradients may differ from float64's, relative to the largest."""


class Outputs(NamedTuple):
    """What a call computed: spikes (any non-zero value is one), and mem if it was recorded.

    And gradients, in the order of the cell's `wrt`.
    """

    spk: Array
    mem: Array | None = None
    gradients: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Way:
    """One implementation of a problem.

    Attributes
    ----------
    call : functools.partial
        What is timed. Its arguments are passed as they are, without the partial's overhead.
    outputs : callable, optional
        Says what a call computed, given what it returned; by default the problem's own arrays.
    late : int
        By how many steps spikes lag snnTorch's. Where it isn't 0, the same spike resets its
        neuron, and the gradient flows through the reset too.
    """

    call: partial[Any]
    outputs: Callable[[Any], Outputs] | None = None
    late: int = 0


Contenders = dict[str, dict[str, Way]]
"""What a peer offers for a problem: column of the table -> variant -> implementation. The fastest
variant counts."""


def make_neuron(cell: Cell) -> Any:
    """Build snnc's neuron for a cell; with `per_neuron`, parameters spread by 5 %."""
    parameters: dict[str, Any] = PARAMETERS[cell.model]
    if cell.per_neuron:
        spread = np.linspace(0.95, 1.05, cell.n)
        parameters = {
            name: value * spread if name in ("threshold", "C") else np.full(cell.n, value)
            for name, value in parameters.items()
        }
    return getattr(snnc, cell.model)(**parameters)


@lru_cache(maxsize=1)  # cells that differ in their outputs only come one after the other
def _data(cell: Cell) -> tuple[Array, tuple[Array, ...], Array, Array]:
    """Input, initial states, and the spikes and mem that follow by the plain equations."""
    constants = private.constants(make_neuron(cell), cell.dtype)
    threshold = constants["threshold"]
    names = private.state_names(cell.model)
    rng = np.random.default_rng(cell.n + cell.steps)
    x = rng.random((max(cell.steps, 1), cell.n), np.float32).astype(cell.dtype)
    x *= 0.4 if cell.wrt else 0.6
    if cell.steps:
        initial = tuple(np.zeros(cell.n, cell.dtype) for _ in names)
    else:  # some are above the threshold, so that one step shows resets
        initial = tuple((rng.random(cell.n) * 1.5 * threshold).astype(cell.dtype) for _ in names)
    spk = np.empty(x.shape, np.bool_)
    mem = np.empty_like(x)
    states = initial
    for t, x_t in enumerate(x):
        states = equations.step(cell.model, x_t, states, constants)
        spk[t] = states[-1] > threshold
        mem[t] = states[-1]
    return x, initial, spk, mem


class Problem:
    """A cell with its arrays.

    Attributes
    ----------
    cell : Cell
    threads : int
        The number of threads that peers may use.
    neuron : snnc neuron
    constants : dict of ndarray
        What the equations use, by name: 0-d, or one for each neuron; the threshold first.
    x : ndarray
        The input: (n,) for a single step, else (steps, n).
    states : tuple of ndarray
        Where peers that compute in place find and leave the states.
    spk, mem : ndarray
        Where they write; `mem` is None where the cell does not record it.
    """

    def __init__(self, cell: Cell, threads: int = 1) -> None:
        self.cell = cell
        self.threads = threads
        self.neuron = make_neuron(cell)
        self.constants = private.constants(self.neuron, cell.dtype)
        shared = replace(cell, output="float", wrt=cell.wrt[:1])
        x, self._initial, self._spk, self._mem = _data(shared)
        self.x = x if cell.steps else x[0]
        self.states = tuple(np.copy(state) for state in self._initial)
        width = -(-cell.n // 8) if cell.packed else cell.n
        self.spk = np.empty((*self.x.shape[:-1], width), cell.spk_dtype)
        self.mem = np.empty_like(self.x) if cell.record_mem else None

    def initial_states(self) -> tuple[Array, ...]:
        """Return copies of the states to start from."""
        return tuple(np.copy(state) for state in self._initial)

    def reset(self) -> None:
        """Restore the initial states, and fill the outputs with invalid values."""
        for state, initial in zip(self.states, self._initial, strict=True):
            state[:] = initial
        self.spk.fill(0x55)
        if self.mem is not None:
            self.mem.fill(np.nan)

    def differing(self, way: Way, returned: Any) -> int:
        """Count the spikes, and values of mem, that differ from the plain equations'."""
        if way.outputs is None:
            spk, mem = self.spk, self.mem
        else:
            spk, mem, _ = way.outputs(returned)
        if way.outputs is None and self.cell.packed:
            spk = np.unpackbits(spk, axis=-1, count=self.cell.n, bitorder=PACKED_BITORDER)
        fired = (spk if spk.dtype == np.bool_ else spk != 0).reshape(self._spk.shape)
        steps = len(fired) - way.late
        wrong = np.count_nonzero(fired[way.late :] != self._spk[:steps])
        if mem is not None:
            wrong += np.count_nonzero(mem.reshape(self._mem.shape) != self._mem)
        return int(wrong)

    def inaccurate(self, way: Way, returned: Any) -> int:
        """Count the gradients that are wrong; there are none but in training."""
        return 0


class Training(Problem):
    """A cell with gradients; all arrays are (steps, BATCH, neurons of the layer).

    Attributes
    ----------
    grad_spk : ndarray
        The gradient of a loss with respect to the spikes.
    spk, spk_uint8, grad_x : ndarray
        Where peers write that compute in place.
    """

    def __init__(self, cell: Cell, threads: int = 1) -> None:
        super().__init__(cell, threads)
        shape = (cell.steps, BATCH, cell.n // BATCH)
        self.x, self.spk = self.x.reshape(shape), self.spk.reshape(shape)
        self.spk_uint8 = np.empty(shape, np.uint8)
        self.grad_spk = np.random.default_rng(cell.n).random(shape, np.float32)
        self.grad_x = np.empty_like(self.x)

    def reset(self) -> None:
        """Do as any problem, with more outputs."""
        super().reset()
        self.spk_uint8.fill(0x55)
        self.grad_x.fill(np.nan)

    @cached_property
    def _expected(self) -> dict[str, tuple[Array, float]]:
        spk = self._spk.reshape(self.x.shape)
        return equations.leaky_gradients(self.x, spk, self.grad_spk, self.constants)

    def _expected_of(self, way: Way, spk: Array) -> dict[str, tuple[Array, float]]:
        if not way.late and np.array_equal(spk, self._spk.reshape(spk.shape)):
            return self._expected
        spk, grad_spk = (  # the last steps' spikes never come
            np.concatenate([array[way.late :], np.zeros_like(array[: way.late])])
            for array in (spk, self.grad_spk)
        )
        return equations.leaky_gradients(
            self.x, spk, grad_spk, self.constants, through_reset=bool(way.late)
        )

    def inaccurate(self, way: Way, returned: Any) -> int:
        """Count the gradients that are wrong, given the spikes that came."""
        assert way.outputs is not None
        spk, _, gradients = way.outputs(returned)
        expected = self._expected_of(way, (spk != 0).reshape(self.x.shape))
        wrong = 0
        for name, found in zip(self.cell.wrt, gradients, strict=True):
            right, size = expected[name]
            error = np.abs(np.reshape(found, right.shape) - right)
            wrong += int(np.count_nonzero(~(error <= ACCURACY * size)))  # nor is NaN
        return wrong
