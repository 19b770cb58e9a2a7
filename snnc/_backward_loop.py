"""The backward pass through a closed loop: that of the neurons, some steps at a time.

As spikes arrive after a delay, the gradients of so many steps as the shortest delay has follow
from those of later steps, by products with the weights: BLAS's, of sparse ones the core's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc import _core, _threads, surrogate
from snnc._backward import (
    DISABLED,
    Run,
    index_of,
    names_in,
    new_constants,
    of_parameters,
    sum_to,
    tape_of,
)
from snnc._product import DENSE, gradient_of_weights
from snnc.recording import Gradients

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc.recording import Loop, Recording

    Floats = NDArray[Any]

_MOST_PRODUCTS = 1 << 22  # of sparse weights' gradients at a time


class LoopGradients(NamedTuple):
    """What gradients of a loop's parameters follow from."""

    loop: Loop
    graded: Floats | None  # what a spike counts, None: 1
    num_threads: int
    x: Floats  # of the input, (T, neuron shape)
    sums: tuple[Floats, ...]  # of each projection's product

    def bias(self) -> Floats:
        """Sum over steps and rows."""
        assert self.loop.bias is not None
        return _per_neuron(self.x, self.loop.bias)

    def weight(self, k: int) -> Floats:
        """Sum products of the gradient at the neuron after and the spike of the one before."""
        weights, after = self.loop.projections[k]._weights, self.sums[k]
        if weights.is_sparse:
            given = weights.given()
            rows = np.repeat(np.arange(given.shape[0]), np.diff(given.indptr))
            return _of_entries(_rows(after), _rows(self._arriving(k)), rows, given.indices)
        if weights.data.ndim < 2:
            return _per_neuron(after * self._arriving(k), weights.data)
        return self._dense(k)

    def decay(self, k: int) -> Floats:
        """Sum products of the gradient of a current and what it was a step before."""
        projection = self.loop.projections[k]
        decay = projection.decay.astype(self.x.dtype)
        sums = self._arriving(k)
        if projection._weights.data.ndim:
            sums = _core.product(sums, projection._weights.capsule, None, None, self.num_threads)
        else:
            sums = sums * projection._weights.data
        current, found = self.loop.currents[k], np.zeros(projection.decay.shape)
        for gradient, arrived in zip(self.sums[k], sums, strict=True):
            found += _per_neuron((gradient * current)[None], projection.decay)
            current = decay * current + arrived
        return found.astype(self.x.dtype)

    def _arriving(self, k: int) -> Floats:
        """Return the spikes that arrive at each step."""
        steps, delay = len(self.x), self.loop.projections[k].delay
        early = min(delay, steps)
        spikes = np.empty_like(self.x)
        spikes[:early] = self.loop.past[delay - early : delay][::-1]
        late = spikes[early:]
        late[...] = self.loop.fired[: steps - early]
        if self.graded is not None:
            np.multiply(late, self.graded, out=late, where=late != 0)  # 0 times inf isn't NaN
        return spikes

    def _dense(self, k: int) -> Floats:
        steps, delay = len(self.x), self.loop.projections[k].delay
        after, fired = self.sums[k], self.loop.fired[: max(0, steps - delay)]
        if self.graded is not None or np.count_nonzero(fired) > DENSE * fired.size:
            product: Floats = _rows(after).T @ _rows(self._arriving(k))
            return product
        early = min(delay, steps)
        past = _rows(self.loop.past[delay - early : delay][::-1])
        found = gradient_of_weights(_rows(after[early:]), _rows(fired), self.num_threads)
        return _rows(after[:early]).T @ past + found


def _rows(array: Floats) -> Floats:
    """Make a matrix of it: steps and rows of neurons are one axis."""
    *rows, n = array.shape if array.ndim > 1 else (*array.shape, 1)
    return array.reshape(math.prod(rows), n)


def _per_neuron(array: Floats, parameter: Floats) -> Floats:
    """Sum over steps and rows, in double, to the shape of a number or one for each neuron."""
    return sum_to(array.astype(np.float64, copy=False), parameter.shape).astype(array.dtype)


def _of_entries(after: Floats, before: Floats, rows: Any, columns: Any) -> Floats:
    """Sum the products of the entries of a sparse matrix."""
    found = np.empty(len(rows), after.dtype)
    size = max(1, _MOST_PRODUCTS // max(1, len(after)))
    for i in range(0, len(rows), size):
        part = slice(i, i + size)
        found[part] = np.einsum("rj,rj->j", after[:, rows[part]], before[:, columns[part]])
    return found


class _Weights:
    """The weights of a projection as the backward pass multiplies by them."""

    def __init__(self, projection: Any, dtype: np.dtype[Any], num_threads: int) -> None:
        weights = projection._weights
        self._threads = num_threads
        self._sparse: Any = None  # transposed, as the core keeps them
        if weights.is_sparse:
            self._sparse = weights.transposed().capsule
        else:  # rows of the neurons after, by which BLAS multiplies fastest
            self._data = np.ascontiguousarray(weights.data.T, dtype)

    def back(self, gradient: Floats) -> Floats:
        """Multiply the gradient of sums, (..., n), by the weights from each neuron."""
        product: Floats
        if self._sparse is not None:
            product = _core.product(gradient, self._sparse, None, None, self._threads)
            return product.astype(gradient.dtype, copy=False)
        if self._data.ndim < 2:
            product = gradient * self._data
        else:
            product = (_rows(gradient) @ self._data).reshape(gradient.shape)
        return product


@np.errstate(all="ignore")
def backward(
    neuron: Any,
    rec: Recording,
    spk: ArrayLike | None,
    states: Mapping[str, ArrayLike | None],
    wrt: str | Iterable[str] | None,
    out: Floats | None,
    num_threads: int | None,
) -> Gradients:
    """Do what `ClosedLoop.backward` says."""
    tape = tape_of(rec)
    loop = tape.loop
    core_states = _core.models[tape.model][0]
    fits = loop is not None and len(tape.parameters) == len(neuron._parameters)
    if loop is None or not fits or tape.model != neuron._configuration.derived.model:
        raise ValueError(f"rec is of another neuron, not of this {type(neuron).__name__}")
    run = Run(tape)
    threads = _threads.num_threads if num_threads is None else num_threads
    known = ("x", *neuron._start_names, *tape.parameters)
    names = names_in(wrt, known)
    own = neuron._own_parameters(loop.projections, loop.bias)
    learned = [name for name in names if name in tape.parameters and name not in own]
    dtype, shape, steps = run.dtype, run.shape, tape.num_steps
    upstream = run.upstream_of_steps

    # Of each spike, and when its step is done of that step's input.
    given = upstream("spk", spk)
    grad_x = np.zeros((steps, *shape), dtype) if given is None else np.array(given, order="C")
    grad_states = tuple(upstream(name, states.get(name)) for name in core_states)
    grad_currents = [upstream(f"i{k}", states.get(f"i{k}")) for k in range(len(loop.projections))]
    if out is not None:
        run.check_output(out)
    grad_start = tuple(np.zeros(shape, dtype) for _ in core_states)
    grad_constants = new_constants(tape.model, learned, shape)
    spike_grad = neuron.spike_grad
    index = index_of(neuron, spike_grad)

    def through_neurons(t0: int, t1: int) -> None:
        derivative = None
        arguments = [
            tape.cell, loop.total, False, steps, tape.checkpoints, 1, *(index or DISABLED), None,
            grad_x, grad_states, grad_start, grad_x, tuple(grad_constants.values()), t0, t1,
            threads,
        ]  # fmt: skip
        if index is None and grad_x.size:  # a function of Python's, of mem - threshold
            derivative = np.empty((t1 - t0, *shape), dtype)
            arguments[8] = derivative
            _core.mem_shift(*arguments)
            for t in range(t1 - t0 - 1, -1, -1):
                derivative[t] = surrogate.evaluate(spike_grad, derivative[t, ...].copy())
        _core.backward(*arguments)

    weights = [_Weights(projection, dtype, threads) for projection in loop.projections]
    decays = [
        np.asarray(projection.decay, dtype) if np.any(projection.decay) else None
        for projection in loop.projections
    ]
    # The gradients of sums: of a projection that doesn't decay, those of the input.
    sums = tuple(
        grad_x if decay is None and given is None else np.empty_like(grad_x)
        for decay, given in zip(decays, grad_currents, strict=True)
    )

    def add_arrivals(target: Floats, t0: int, t1: int) -> None:
        """Add what the spikes of these steps do when they arrive."""
        for projection, weight, own_sums in zip(loop.projections, weights, sums, strict=True):
            first, last = max(t0 + projection.delay, 0), min(t1 + projection.delay, steps)
            if first < last:
                at = first - projection.delay - t0
                target[at : at + last - first] += weight.back(own_sums[first:last])

    def through_currents(t0: int, t1: int) -> None:
        for k, (decay, own_sums) in enumerate(zip(decays, sums, strict=True)):
            given = grad_currents[k]
            if own_sums is grad_x:
                continue
            for t in range(t1 - 1, t0 - 1, -1):
                own_sums[t] = grad_x[t]
                if given is not None:
                    own_sums[t] += given[t]
                if decay is not None and t + 1 < steps:
                    own_sums[t] += decay * own_sums[t + 1]

    stride = min((projection.delay for projection in loop.projections), default=max(1, steps))
    t1 = steps
    while t1 > 0:
        t0 = max(0, t1 - stride)
        add_arrivals(grad_x[t0:t1], t0, t1)
        through_neurons(t0, t1)
        through_currents(t0, t1)
        t1 = t0
    delays = len(loop.past)
    grad_past = np.zeros((delays, *shape), dtype)  # the oldest first
    add_arrivals(grad_past, -delays, 0)

    arrays: dict[str, Any] = {
        f"{name}0": array for name, array in zip(core_states, grad_start, strict=True)
    }
    arrays |= neuron._name_past(grad_past[::-1])
    for k, (decay, own_sums) in enumerate(zip(decays, sums, strict=True)):
        lasting = 0 if decay is None or not steps else decay * own_sums[0]
        arrays[f"i{k}0"] = np.zeros(shape, dtype) + lasting
    arrays["x"] = np.moveaxis(grad_x, 0, run.axis)
    if out is not None:
        out[...] = arrays["x"]
        arrays["x"] = out
    if learned:
        inner = {name: tape.parameters[name] for name in tape.parameters if name not in own}
        arrays |= of_parameters(neuron.neuron, inner, learned, grad_constants, dtype)
    graded = tape.parameters.get("graded_spikes_factor", np.ones(()))
    weighs = None if np.all(graded == 1) else graded.astype(dtype)
    of_loop = LoopGradients(loop, weighs, threads, grad_x, sums)
    arrays |= neuron._loop_gradients(of_loop, [name for name in names if name in own])
    found: dict[str, Any] = {}
    for name in known:
        if name in names:
            array = arrays[name]
            found[name] = array if array.ndim else array[()]
    return Gradients(found, known)
