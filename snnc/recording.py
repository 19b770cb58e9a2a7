"""What `run` returns: the recorded arrays, the final states, and spikes as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Recording"]


class Recording:
    """The record of a run; made by a neuron's ``run``.

    Iterating yields the recorded arrays in the order of ``record``, so that
    ``spk, syn, mem = lif.run(x)`` unpacks it.

    Attributes
    ----------
    spk, syn, mem, ... : ndarray, shape (T, *neuron shape)
        What was recorded: spikes, and states after each step. Time is on the axis that
        ``run`` was given as ``time_axis``.
    state : named tuple of ndarray, shape (*neuron shape)
        The states after the last step; shares no memory with the recordings.
    steps : ndarray of int64, shape (T,)
        The step index of each recorded state.
    dt : float or ndarray
        The duration of a step: Lapicque's ``time_step``, else 1.

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

    state: Any
    dt: Any

    def __init__(
        self,
        arrays: dict[str, Any],
        state: tuple[Any, ...],
        *,
        num_steps: int,
        time_axis: int = 0,
        dt: Any = 1,
    ) -> None:
        self._arrays = arrays
        self._time_axis = time_axis
        self.state = state
        self._num_steps = num_steps
        self.dt = dt

    @property
    def steps(self) -> NDArray[np.int64]:
        """The step index of each recorded state."""
        return np.arange(self._num_steps, dtype=np.int64)

    def __getattr__(self, name: str) -> Any:
        arrays = self.__dict__.get("_arrays", {})
        if name in arrays:
            return arrays[name]
        if name == "spk" or name in getattr(self.__dict__.get("state"), "_fields", ()):
            recorded = ", ".join(map(repr, arrays)) or "nothing"
            raise AttributeError(
                f"{name!r} was not recorded (only {recorded}): pass a record= with {name!r} "
                "to run",
                name=name,
                obj=self,
            )
        raise AttributeError(f"'Recording' object has no attribute {name!r}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._arrays})

    def __iter__(self) -> Iterator[Any]:
        return iter(self._arrays.values())

    def __repr__(self) -> str:
        arrays = (f"{name}={a.dtype} {a.shape}" for name, a in self._arrays.items())
        return f"Recording({', '.join(arrays)})"

    def _spikes(self) -> NDArray[Any]:
        """Return the spikes as (T, neurons)."""
        spk: NDArray[Any] = np.moveaxis(self.spk, self._time_axis, 0)
        return spk.reshape(len(spk), -1 if spk.size else int(np.prod(spk.shape[1:])))

    def events(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Say who spiked when.

        Returns
        -------
        step, neuron : ndarray of int64, shape (number of spikes,)
            The step of each spike and the index of its neuron in the flattened (C order)
            neuron shape, sorted by step, then by neuron.
        """
        step, neuron = np.nonzero(self._spikes())
        return step.astype(np.int64, copy=False), neuron.astype(np.int64, copy=False)

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
        spk = np.moveaxis(self.spk, self._time_axis, 0)
        dt = self.dt if dt is None else dt
        try:
            each = np.broadcast_to(dt, spk.shape[1:]).ravel()
        except ValueError:
            raise ValueError(
                f"dt of shape {np.shape(dt)} does not broadcast to the neuron shape "
                f"{spk.shape[1:]}"
            ) from None
        step, neuron = self.events()
        order = np.argsort(neuron, kind="stable")
        ends = np.cumsum(np.bincount(neuron, minlength=each.size))
        parts = np.split(step[order], ends)[: each.size]  # behind the last end is nothing
        times = [k * d for k, d in zip(parts, each, strict=True)]
        return times[0] if len(times) == 1 else times
