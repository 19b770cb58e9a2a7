"""What `run` returns: the recorded arrays, the final states, and spikes as events."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc import _core
from snnc._arguments import index, missing, real_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]

    class State(tuple[Floats, ...]):
        """A named tuple of a model's states: of those here, the ones that it has."""

        _fields: tuple[str, ...]

        mem: Floats
        syn: Floats
        syn_exc: Floats
        syn_inh: Floats
        v: Floats
        ref: Floats


__all__ = ["Gradients", "Recording", "unpack_spikes"]


class Loop(NamedTuple):
    """What a tape keeps of a closed loop, whose checkpoints are those of every step."""

    projections: tuple[Any, ...]
    bias: NDArray[Any] | None
    past: NDArray[Any]  # the spikes under way before the run, the newest first
    currents: tuple[NDArray[Any], ...]  # before the run
    total: NDArray[Any]  # the input of each step
    fired: NDArray[np.uint8]  # whether a neuron spiked in it


class Tape(NamedTuple):
    """What a run with ``grad=True`` keeps for the backward pass."""

    model: str
    cell: Any
    parameters: Mapping[str, NDArray[Any]]
    x: Any
    constant_x: bool  # without a time axis
    num_steps: int
    time_axis: int
    checkpoints: tuple[NDArray[Any], ...]  # of each state
    interval: int  # between them
    loop: Loop | None = None


def arrays_in(tape: Tape) -> list[NDArray[Any]]:
    """List the arrays of a tape that grow with the run, but for its input."""
    arrays = [*tape.checkpoints]
    if tape.loop is not None:
        arrays += [tape.loop.past, *tape.loop.currents, tape.loop.total, tape.loop.fired]
    return arrays


def with_arrays(tape: Tape, arrays: Sequence[NDArray[Any]]) -> Tape:
    """Return a tape with another input and other arrays, as they were listed; or with none."""
    if not arrays:
        none: Any = None
        loop = tape.loop and tape.loop._replace(past=none, currents=(), total=none, fired=none)
        return tape._replace(x=None, checkpoints=(), loop=loop)
    loop, count = tape.loop, len(arrays) - 1
    if loop is not None:
        count = len(_core.models[tape.model][0])
        past, *currents, total, fired = arrays[1 + count :]
        loop = loop._replace(past=past, currents=tuple(currents), total=total, fired=fired)
    return tape._replace(x=arrays[0], checkpoints=tuple(arrays[1 : 1 + count]), loop=loop)


class Recording:
    """The record of a run; made by a neuron's ``run``.

    Iterating yields the recorded arrays in the order of ``record``, so that
    ``spk, syn, mem = lif.run(x)`` unpacks it.

    Attributes
    ----------
    spk, syn, mem, ... : ndarray, shape (T, *neuron shape)
        What was recorded: spikes, and states after each step (of those that ``every`` and
        ``neurons`` chose). Time is on the axis that ``run`` was given as ``time_axis``.
    count, first_spike : ndarray of int64, shape (*neuron shape)
        How many spikes each neuron fired, and the step of its first one, or -1.
    state : named tuple of ndarray, shape (*neuron shape)
        The states after the last step; shares no memory with the recordings.
    steps : ndarray of int64
        The step index of each recorded state.
    num_steps : int
        How many steps were run.
    dt : float or ndarray
        The duration of a step: Lapicque's ``time_step``, LIF's ``dt``, else 1.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Leaky(beta=0.8)
    >>> rec = lif.run(np.full((50, 2), [0.3, 0.25], np.float32))
    >>> rec
    Recording(spk=float32 (50, 2), mem=float32 (50, 2))
    >>> step, neuron = rec.events()
    >>> step[:3], neuron[:3]
    (array([ 4,  7, 10]), array([0, 1, 0]))
    >>> rec.spike_times()[0][:3]
    array([ 4, 10, 16])
    """

    if TYPE_CHECKING:  # of these, the ones that were recorded
        spk: Floats
        mem: Floats
        syn: Floats
        syn_exc: Floats
        syn_inh: Floats
        v: Floats
        ref: Floats
        count: NDArray[np.int64]
        first_spike: NDArray[np.int64]

    state: State
    dt: Any
    _tape: Tape | None = None

    def __init__(
        self,
        arrays: dict[str, Any],
        state: Any,
        num_steps: int,
        time_axis: int,
        dt: Any,
        every: int,
        first_step: int,
        packed: bool,
    ) -> None:
        self._arrays = arrays
        self._time_axis = time_axis
        self.state = state
        self.num_steps = num_steps
        self.dt = dt
        self._every = every
        self._first_step = first_step
        self._packed = packed

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what `backward` needs: copies and pickles are of what was recorded."""
        return {**self.__dict__, "_tape": None}

    @property
    def steps(self) -> NDArray[np.int64]:
        """The step index of each recorded state."""
        first, every = self._first_step, self._every
        start = first + every - 1 - first % every
        return np.arange(start, first + self.num_steps, every, dtype=np.int64)

    if not TYPE_CHECKING:  # where there are only those above

        def __getattr__(self, name: str) -> Any:
            arrays = self.__dict__.get("_arrays", {})
            if name in arrays:
                return arrays[name]
            known = (*_core.records, *getattr(self.__dict__.get("state"), "_fields", ()))
            if name in known:
                recorded = ", ".join(map(repr, arrays)) or "nothing"
                raise AttributeError(
                    f"{name!r} was not recorded (only {recorded}): add it to record= in run",
                    name=name,
                    obj=self,
                )
            listed = ", ".join(arrays)
            raise missing("a Recording", name, f"recorded are {listed}" if listed else None, self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._arrays})

    def __iter__(self) -> Iterator[Floats]:
        return iter(self._arrays.values())

    def __repr__(self) -> str:
        shown = (
            f"{name}={len(a[0])}" if name == "events" else f"{name}={a.dtype} {a.shape}"
            for name, a in self._arrays.items()
        )
        return f"Recording({', '.join(shown)})"

    @property
    def _shape(self) -> tuple[int, ...]:
        """The neuron shape."""
        return np.shape(self.state[0])

    def events(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the spikes as steps and neurons, whatever form of spikes was recorded.

        Returns
        -------
        step, neuron : ndarray of int64, shape (number of spikes,)
            The step of each spike and the index of its neuron in the flattened (C order)
            neuron shape, sorted by step, then by neuron.
        """
        if "events" in self._arrays:
            step, neuron = self._arrays["events"]
            return step, neuron
        spk = self.spk
        num_neurons = int(np.prod(self._shape))
        if self._packed:
            step, neuron = _core.events(spk, num_neurons, self._first_step)
            return step, neuron
        spk = np.moveaxis(spk, self._time_axis, 0)
        step, neuron = np.nonzero(spk.reshape(len(spk), num_neurons))
        return (
            step.astype(np.int64, copy=False) + self._first_step,
            neuron.astype(np.int64, copy=False),
        )

    def spike_times(self, dt: Any = None) -> NDArray[Any] | list[NDArray[Any]]:
        """List when each neuron spiked.

        Parameters
        ----------
        dt : float or array_like that broadcasts to the neuron shape, optional
            The duration of a step; by default that of the recording. Step k is at k * dt.

        Returns
        -------
        ndarray, or list of ndarray
            The times of the spikes: one array if the recording is of a single neuron, else
            one for each neuron, in C order.
        """
        dt = self.dt if dt is None else dt
        try:
            each = np.broadcast_to(dt, self._shape).ravel()
        except ValueError:
            raise ValueError(
                f"dt of shape {np.shape(dt)} does not broadcast to the neuron shape {self._shape}"
            ) from None
        step, neuron = self.events()
        order = np.argsort(neuron, kind="stable")
        ends = np.cumsum(np.bincount(neuron, minlength=each.size))
        parts = np.split(step[order], ends)[: each.size]  # behind the last end is nothing
        times = [k * d for k, d in zip(parts, each, strict=True)]
        return times[0] if len(times) == 1 else times


def joined(recordings: Sequence[Recording]) -> Recording:
    """Return one recording of runs one after the other: of counts, spikes, all states."""
    first, last = recordings[0], recordings[-1]
    arrays: dict[str, Any] = {}
    for name in first._arrays:
        each = [rec._arrays[name] for rec in recordings]
        whole = name != "count"
        arrays[name] = np.concatenate(each, first._time_axis) if whole else np.sum(each, axis=0)
    num_steps = sum(rec.num_steps for rec in recordings)
    return Recording(
        arrays, last.state, num_steps, first._time_axis, first.dt, 1, 0, first._packed
    )


class Gradients:
    """The gradients of a loss; made by a neuron's ``backward``.

    Attributes
    ----------
    x, mem0, ..., beta, threshold, ... : ndarray or NumPy scalar
        With respect to the input, the start states and the parameters, as far as they were
        computed.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Leaky(beta=0.5, reset_mechanism="none")
    >>> rec = lif.run(np.zeros((3, 2), np.float32), grad=True)
    >>> grads = lif.backward(rec, mem=np.ones(2, np.float32), wrt=("x", "mem0"))
    >>> grads.x[:, 0], grads.mem0
    (array([0.25, 0.5 , 1.  ], dtype=float32), array([0.125, 0.125], dtype=float32))
    """

    if TYPE_CHECKING:  # of these, the ones that were computed
        x: Floats
        mem0: Floats
        syn0: Floats
        syn_exc0: Floats
        syn_inh0: Floats
        alpha: Floats
        beta: Floats
        threshold: Floats
        graded_spikes_factor: Floats
        R: Floats
        C: Floats
        time_step: Floats

    def __init__(self, arrays: dict[str, Any], known: tuple[str, ...]) -> None:
        self._arrays = arrays
        self._known = known

    if not TYPE_CHECKING:  # where there are only those above

        def __getattr__(self, name: str) -> Any:
            arrays = self.__dict__.get("_arrays", {})
            if name in arrays:
                return arrays[name]
            if name in self.__dict__.get("_known", ()):
                raise AttributeError(
                    f"the gradient of {name!r} was not computed (only of {', '.join(arrays)}): "
                    "add it to wrt= in backward",
                    name=name,
                    obj=self,
                )
            raise AttributeError(
                f"'Gradients' object has no attribute {name!r}", name=name, obj=self
            )

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._arrays})

    def __repr__(self) -> str:
        shown = (f"{name}={a.dtype} {a.shape}" for name, a in self._arrays.items())
        return f"Gradients({', '.join(shown)})"


def unpack_spikes(packed: ArrayLike, shape: int | tuple[int, ...]) -> NDArray[np.uint8]:
    """Unpack spikes that were recorded with ``spk_dtype="packed"``.

    Parameters
    ----------
    packed : array_like of uint8, shape (..., ceil(n/8))
        Eight neurons a byte: neuron i is bit i % 8, from the least significant on, of byte
        i // 8.
    shape : int or tuple of int
        The neuron shape, of n neurons.

    Returns
    -------
    ndarray of uint8, shape (..., *shape)
        1 where a neuron spiked, else 0.

    Raises
    ------
    TypeError
        If `packed` is not of uint8.
    ValueError
        If `packed` has not as many bytes a step as `shape` asks for.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Leaky(beta=0.9)
    >>> rec = lif.run(np.ones((2, 3, 4), np.float32), record="spk", spk_dtype="packed")
    >>> rec.spk
    array([[  0,   0],
           [255,  15]], dtype=uint8)
    >>> snnc.unpack_spikes(rec.spk, (3, 4)).shape
    (2, 3, 4)
    """
    packed = real_numbers("packed", packed)
    if packed.dtype != np.uint8 or packed.ndim == 0:
        raise TypeError(f"packed has dtype {packed.dtype}; expected an array of uint8")
    sizes = shape if isinstance(shape, Iterable) else (shape,)
    shape = tuple(index("shape", size, "integers") for size in sizes)
    num_neurons = math.prod(shape)
    width = (num_neurons + 7) // 8
    if min(shape, default=0) < 0 or packed.shape[-1] != width:
        raise ValueError(
            f"packed of shape {packed.shape} does not fit a neuron shape of {shape}, which "
            f"takes {width} bytes a step"
        )
    bits = np.unpackbits(packed, axis=-1, count=num_neurons, bitorder="little")
    return bits.reshape(packed.shape[:-1] + shape)
