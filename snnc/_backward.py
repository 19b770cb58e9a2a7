"""The backward pass through a run: arrays for the core, and what follows from its results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from snnc import _core, _threads, surrogate
from snnc._arguments import real_numbers
from snnc.recording import Gradients, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any, ClassVar, Protocol

    from numpy.typing import ArrayLike, NDArray

    from snnc.recording import Recording

    Floats = NDArray[Any]

    class Differentiable(Protocol):
        """What the backward pass asks of a neuron."""

        states: ClassVar[tuple[str, ...]]
        spike_grad: Callable[[Any], Any]
        _name: ClassVar[str]
        _start_names: ClassVar[tuple[str, ...]]

        @property
        def _options(self) -> dict[str, Any]: ...

        def _parameter_gradients(
            self,
            names: Iterable[str],
            parameters: Mapping[str, Floats],
            gradients: dict[str, Floats],
        ) -> dict[str, Floats]: ...


_ZERO = np.zeros(())
DISABLED = (_core.surrogates["disabled"], (0.0, 0.0))
_MAX_SHIFTS = 1024 * 1024  # values of mem - threshold at a time, for surrogates of Python's


def _numbers(name: str, value: Any, dtype: np.dtype[Any]) -> Floats:
    if type(value) is np.ndarray and value.dtype is dtype and _core.is_regular(value):
        return value
    array = real_numbers(name, value).astype(dtype, copy=False)
    return array if _core.is_regular(array) else array.copy()


class Run:
    """A run of which the gradients are asked for."""

    def __init__(self, tape: Tape) -> None:
        first = tape.checkpoints[0]
        self.tape = tape
        self.dtype = first.dtype
        self.shape = first.shape[1:]
        self.axis = tape.time_axis
        if self.axis < 0:
            self.axis += len(self.shape) + 1
        self.timed = (*self.shape[: self.axis], tape.num_steps, *self.shape[self.axis :])

    def time_first(self, array: Floats) -> Floats:
        return np.moveaxis(array, self.axis, 0) if self.axis else array

    def x(self) -> Floats:
        """Return the input with time first (unless it is constant), in the neuron shape."""
        x = np.asarray(self.tape.x)
        timed = x.shape == self.timed and not self.tape.constant_x
        if timed and x.dtype == self.dtype and _core.is_regular(x):
            return self.time_first(x)
        if x.dtype not in (np.float32, np.float64, np.float16, np.uint8, np.bool_) or x.size == 1:
            x = x.astype(self.dtype)
        if not _core.is_regular(x):
            x = x.copy()
        if self.tape.constant_x:
            return np.broadcast_to(x, self.shape)
        x = np.moveaxis(x, self.tape.time_axis, 0)
        missing = len(self.shape) + 1 - x.ndim  # dimensions that it broadcasts to
        x = x.reshape(x.shape[0], *(1,) * missing, *x.shape[1:])
        return np.broadcast_to(x, (self.tape.num_steps, *self.shape))

    def upstream(self, name: str, value: ArrayLike | None) -> tuple[Floats | None, bool]:
        """Check the upstream gradient of `name`: for each step, or for the last one only."""
        if value is None:
            return None, False
        array = _numbers(name, value, self.dtype)
        if array.shape == self.timed:
            return self.time_first(array), False
        if array.shape == self.shape:
            return array, True
        raise ValueError(
            f"{name} of shape {array.shape}; expected {self.timed}, or {self.shape} for the last "
            "step only"
        )

    def upstream_of_steps(self, name: str, value: ArrayLike | None) -> Floats | None:
        """Check it, and where it is for the last step only, put zeros before it."""
        array, of_last = self.upstream(name, value)
        if not of_last:
            return array
        whole = np.zeros((self.tape.num_steps, *self.shape), self.dtype)
        whole[-1:] = array
        return whole

    def new_output(self, *others: Floats | None) -> Floats:
        line: Floats = _core.empty(math.prod(self.timed), self.dtype, *others)
        return line.reshape(self.timed)

    def check_output(self, out: Any) -> Floats:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out={out!r}; expected an array")
        if out.shape != self.timed or out.dtype != self.dtype or not _core.is_regular(out):
            raise ValueError(
                f"out: {out.dtype} of shape {out.shape}; expected {self.dtype} of shape "
                f"{self.timed}, aligned and in native byte order"
            )
        flags = out.flags
        if not flags.c_contiguous and _may_overlap_itself(out):
            raise ValueError(f"out of strides {out.strides} may overlap itself")
        if not flags.writeable:
            raise ValueError("out is read-only")
        return out


def _may_overlap_itself(array: Floats) -> bool:
    """Whether a step along an axis is shorter than what the axes of smaller steps span."""
    steps = zip(array.strides, array.shape, strict=True)
    span = array.itemsize
    for step, length in sorted((abs(step), length) for step, length in steps if length > 1):
        if step < span:
            return True
        span += step * (length - 1)
    return False


def names_in(wrt: str | Iterable[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if wrt is None:
        return known
    if not isinstance(wrt, str) and not hasattr(wrt, "__iter__"):
        raise TypeError(f"wrt={wrt!r}; expected names out of {', '.join(known)}")
    found = []
    for name in (wrt,) if isinstance(wrt, str) else wrt:
        if name not in known:
            raise ValueError(f"wrt has {name!r}; expected names out of {', '.join(known)}")
        found.append(known[known.index(name)])  # of str, whatever class was given
    return tuple(found)


def sum_to(array: Floats, shape: tuple[int, ...]) -> Floats:
    """Sum over the axes along which something of this shape was broadcast."""
    if array.shape == shape:
        return array
    if not shape:
        return np.asarray(np.add.reduce(array, axis=None))
    lead = array.ndim - len(shape)
    axes = (*range(lead), *(lead + d for d, n in enumerate(shape) if n == 1))
    total: Floats = np.sum(array, axis=axes).reshape(shape)
    return total


def _is_read_later(target: Floats, x: Floats, upstream: tuple[Floats | None, ...]) -> bool:
    """Whether the core still reads what it would write to `target`.

    Not so of an upstream gradient in the same place, of which it reads each step first.
    """
    if _core.may_overlap(target, (x,)):
        return True
    for array in upstream:
        if array is None or not _core.may_overlap(target, (array,)):
            continue
        same = array.shape == target.shape and array.strides == target.strides
        if not same or array.ctypes.data != target.ctypes.data:
            return True
    return False


def index_of(
    neuron: Differentiable, spike_grad: Callable[[Any], Any]
) -> tuple[int, tuple[float, float]] | None:
    """Return the surrogate that the core computes, with its arguments; None: one of Python's."""
    return DISABLED if neuron._options["surrogate_disable"] else surrogate.compiled(spike_grad)


def new_constants(
    model: str, learned: Collection[str], shape: tuple[int, ...]
) -> dict[str, Floats | None]:
    """Return arrays for the gradients of constants; None where those of `learned` need none."""
    arrays: dict[str, Floats | None] = dict.fromkeys(_core.models[model][1])
    if learned:
        of_spikes = {"threshold", "graded_spikes_factor"}  # alone these are faster
        wanted = of_spikes.intersection(learned)
        if not of_spikes.issuperset(learned):  # which may depend on all other constants
            wanted |= set(arrays) - of_spikes
        for name in wanted:
            arrays[name] = np.zeros(shape)
    return arrays


def of_parameters(
    neuron: Differentiable,
    parameters: Mapping[str, Floats],
    learned: Iterable[str],
    grad_constants: Mapping[str, Floats | None],
    dtype: np.dtype[Any],
) -> dict[str, Floats]:
    """Sum the gradients of constants over neurons, and make those of parameters of them."""
    shapes = [p.shape for p in parameters.values() if p.ndim]
    shape = np.broadcast_shapes(*shapes) if shapes else ()
    found = {}
    with np.errstate(all="ignore"):
        sums = {name: _ZERO if g is None else sum_to(g, shape)
                for name, g in grad_constants.items()}  # fmt: skip
        full = neuron._parameter_gradients(learned, parameters, sums)
        for name in learned:
            each = np.asarray(full[name])
            if each.shape != shape:
                each = np.broadcast_to(each, shape)
            found[name] = sum_to(each, parameters[name].shape).astype(dtype)
    return found


def tape_of(rec: Recording | Tape) -> Tape:
    """Return what a recording keeps for the backward pass."""
    if isinstance(rec, Tape):
        return rec
    tape: Tape | None = getattr(rec, "_tape", None)
    if tape is None:
        raise ValueError(
            "rec keeps nothing for a backward pass; expected the Recording that "
            "run(..., grad=True) returned, not a copy, nor one that was overwritten since as out="
        )
    return tape


def backward(
    neuron: Differentiable,
    rec: Recording,
    spk: ArrayLike | None,
    states: Mapping[str, ArrayLike | None],
    wrt: str | Iterable[str] | None,
    out: Floats | None,
    num_threads: int | None,
) -> Gradients:
    """Do what `TorchNeuron.backward` says."""
    tape = tape_of(rec)
    if tape.loop is not None or tape.model != neuron._name:
        raise ValueError(f"rec is of a {tape.model}; this is a {neuron._name}")
    run = Run(tape)
    known = ("x", *neuron._start_names, *tape.parameters)
    names = names_in(wrt, known)
    learned = [name for name in names if name in tape.parameters]

    grad_spk = run.upstream_of_steps("spk", spk)
    grad_states: list[Floats | None] = []
    grad_start: list[Floats] = []
    for name in neuron.states:
        array, of_last = run.upstream(name, states.get(name))
        grad_start.append(
            np.array(array, order="C") if of_last else np.zeros(run.shape, run.dtype)
        )
        grad_states.append(None if of_last else array)

    x = run.x()
    spike_grad = neuron.spike_grad  # read once, whatever another thread assigns meanwhile
    index = index_of(neuron, spike_grad)
    written = out  # by the core
    target: Floats | None = None  # the same, time first
    if out is not None:
        target = run.time_first(run.check_output(out))
        # A function of Python's may raise an error, which should change nothing.
        if index is None or _is_read_later(target, x, (grad_spk, *grad_states)):
            written = None
    if written is None and (out is not None or "x" in names):
        written = run.new_output(x, *tape.checkpoints, grad_spk, *grad_states)
        target = run.time_first(written)
    grad_constants = new_constants(tape.model, learned, run.shape)

    def call(function: Any, index: Any, derivative: Floats | None, t0: int, t1: int) -> None:
        function(
            tape.cell,
            x,
            tape.constant_x,
            tape.num_steps,
            tape.checkpoints,
            tape.interval,
            *index,
            derivative,
            grad_spk,
            tuple(grad_states),
            tuple(grad_start),
            target,
            tuple(grad_constants.values()),
            t0,
            t1,
            _threads.num_threads if num_threads is None else num_threads,
        )

    if index is not None:
        call(_core.backward, index, None, 0, tape.num_steps)
    elif math.prod(run.shape):  # a function of Python's, of mem - threshold, the last steps first
        size = math.prod(run.shape)
        segments = max(1, _MAX_SHIFTS // max(1, size * tape.interval))
        t1 = tape.num_steps
        while t1 > 0:
            last = (t1 - 1) // tape.interval
            t0 = max(0, last + 1 - segments) * tape.interval
            shifts = np.empty((t1 - t0, *run.shape), run.dtype)
            call(_core.mem_shift, DISABLED, shifts, t0, t1)
            for t in range(t1 - t0 - 1, -1, -1):  # so that random ones don't depend on the cut
                shifts[t] = surrogate.evaluate(spike_grad, shifts[t, ...].copy())
            call(_core.backward, DISABLED, shifts, t0, t1)
            t1 = t0

    if out is not None and written is not out:
        out[...] = written
    arrays: dict[str, Any] = {"x": written if out is None else out}
    arrays |= zip(neuron._start_names, grad_start)  # noqa: B905  # strict costs more
    if learned:
        arrays |= of_parameters(neuron, tape.parameters, learned, grad_constants, run.dtype)
    found: dict[str, Any] = {}
    for name in known:
        if name in names:
            array = arrays[name]
            found[name] = array if array.ndim else array[()]
    return Gradients(found, known)


def step_by_run(
    neuron: Any,
    x: Floats,
    states: tuple[Floats, ...],
    upstream: tuple[Floats | None, ...],
    wrt: tuple[str, ...],
) -> dict[str, Any]:
    """Backpropagate through a call, as through a run of one step."""
    rec = neuron.run(x[None], *states, grad=True, record=())
    timed = [None if grad is None else grad[None] for grad in upstream]
    grads = neuron.backward(rec, *timed, wrt=wrt)
    found = {name: np.asarray(getattr(grads, name)) for name in wrt}
    if "x" in found:
        found["x"] = found["x"][0]
    return found
