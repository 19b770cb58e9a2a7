"""Statistics of spike trains, of any neuron's recording, packed spikes included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import generator, index

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc._arguments import RNGLike, SeedLike
    from snnc.neurons import SpikingNeuron
    from snnc.recording import Recording

__all__ = ["cv", "fi_curve", "firing_rate", "isi"]


def _each(function: Any, times: Any) -> Any:
    """Apply a function to the one array of spike times, or to each of a list."""
    return [function(t) for t in times] if isinstance(times, list) else function(times)


def isi(rec: Recording, dt: Any = None) -> NDArray[Any] | list[NDArray[Any]]:
    """Return the intervals between successive spikes of each neuron.

    Parameters
    ----------
    rec : Recording
        With spikes or events.
    dt : float or array_like, optional
        The duration of a step; by default the recording's.

    Returns
    -------
    ndarray, or list of ndarray
        In the unit of `dt`: one array for a single neuron, else one for each neuron in C order,
        each one shorter than the neuron has spikes (or empty).

    Raises
    ------
    AttributeError
        If neither spikes nor events were recorded.

    Examples
    --------
    >>> import snnc
    >>> rec = snnc.LIF(20.0, dt=0.1, v_threshold=15.0).run(20.0, num_steps=1000)
    >>> snnc.spikestats.isi(rec).round(1)
    array([27.7, 27.7])
    """
    intervals: NDArray[Any] | list[NDArray[Any]] = _each(np.diff, rec.spike_times(dt))
    return intervals


def cv(rec: Recording) -> Any:
    """Return the coefficient of variation of each neuron's interspike intervals.

    It is their standard deviation over their mean: 0 for a clock, 1 for a Poisson process.

    Parameters
    ----------
    rec : Recording
        With spikes or events.

    Returns
    -------
    ndarray of float64, shape (*neuron shape), or float64
        NaN where there are fewer than two intervals.

    Raises
    ------
    AttributeError
        If neither spikes nor events were recorded.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.LIF(20.0, dt=0.1, v_threshold=15.0)
    >>> float(snnc.spikestats.cv(lif.run(20.0, num_steps=2000)))
    0.0
    """

    def of(intervals: NDArray[Any]) -> float:
        return float(np.std(intervals) / np.mean(intervals)) if intervals.size > 1 else np.nan

    values = np.asarray(_each(of, isi(rec, 1)), np.float64)
    return values.reshape(rec._shape)[()]


def firing_rate(rec: Recording, dt: Any = None) -> Any:
    """Return how many spikes per unit of time each neuron fires, on average over the recording.

    Parameters
    ----------
    rec : Recording
        With ``count``, spikes or events.
    dt : float or array_like that broadcasts to the neuron shape, optional
        The duration of a step; by default the recording's.

    Returns
    -------
    ndarray of float64, shape (*neuron shape), or float64
        Spikes per unit of `dt` (with `dt` in ms, times 1000 is hertz); NaN of no steps.

    Raises
    ------
    AttributeError
        If neither counts, spikes nor events were recorded.

    Examples
    --------
    >>> import snnc
    >>> lif = snnc.LIF(20.0, dt=0.1, v_threshold=15.0)  # ms, mV
    >>> rec = lif.run([20.0, 40.0], num_steps=10_000, record="count")
    >>> snnc.spikestats.firing_rate(rec) * 1000  # Hz
    array([ 36., 106.])
    """
    if "count" in rec._arrays:
        count = np.asarray(rec.count)
    else:
        _, neuron = rec.events()
        size = int(np.prod(rec._shape))
        count = np.bincount(neuron, minlength=size).reshape(rec._shape)
    duration = np.asarray(rec.dt if dt is None else dt, np.float64) * rec.num_steps
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(count, duration)[()]


def fi_curve(
    neuron: SpikingNeuron,
    currents: ArrayLike,
    num_steps: int,
    discard: int = 0,
    *,
    rng: RNGLike | SeedLike | None = None,
) -> Any:
    """Return the firing rate of a neuron at each of several constant inputs.

    Parameters
    ----------
    neuron : SpikingNeuron
        Any model; it starts from rest at each input, and is not changed.
    currents : array_like
        The inputs, of a shape with which the neuron's parameters broadcast.
    num_steps : int
        For how many steps spikes are counted.
    discard : int, default 0
        How many steps come before them.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where the noise of a `LIF` neuron with `sigma` comes from.

    Returns
    -------
    ndarray of float64
        Spikes per unit of time, of the shape of `currents` with the parameters.

    Raises
    ------
    ValueError
        If `num_steps` or `discard` is negative, or the neuron holds its states.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.LIF(20.0, dt=0.1, v_threshold=15.0)
    >>> snnc.spikestats.fi_curve(lif, [10.0, 20.0, 30.0], num_steps=10_000) * 1000
    array([ 0., 36., 71.])
    """
    if neuron.init_hidden:
        raise ValueError("neuron has init_hidden=True; expected one that does not hold its states")
    discard = index("discard", discard)
    if discard < 0:
        raise ValueError(f"discard={discard}; expected an integer of at least 0")
    if rng is not None:
        rng = generator("rng", rng)  # the same for both runs
    start = neuron.run(currents, num_steps=discard, record=(), rng=rng)
    rec = neuron.run(currents, *start.state, num_steps=num_steps, record="count", rng=rng)
    return firing_rate(rec)
