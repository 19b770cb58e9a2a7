"""Spike trains from data and targets, named and shaped as snnTorch's ``spikegen``.

NumPy arrays in, NumPy arrays out, with time as the first axis. What is random takes ``rng=``
(an int seed, a `numpy.random.Generator`, or whatever `numpy.random.default_rng` takes) and gives
the same train for the same seed on every machine, at once or in chunks of time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import at_least_one, generator, index, real_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc._arguments import RNGLike, SeedLike

__all__ = [
    "delta",
    "from_one_hot",
    "latency",
    "latency_code",
    "latency_code_linear",
    "latency_code_log",
    "latency_interpolate",
    "poisson",
    "rate",
    "rate_conv",
    "rate_interpolate",
    "target_rate_code",
    "targets_convert",
    "targets_latency",
    "targets_rate",
    "to_one_hot",
    "to_one_hot_inverse",
]

BLOCK = 1 << 16  # draws at a time: their 16 bits each stay in cache
NARROW = 512  # neurons
LARGEST_MEAN = 10.0  # of Poisson counts found by comparisons; NumPy is faster beyond it


# ---- arguments ----


def _floats(name: str, data: Any) -> NDArray[Any]:
    """Return data as an array of floats: its own, else float32; a NaN is a ValueError."""
    array = real_numbers(name, data)
    if type(data) in (bool, int, float) or array.dtype.kind != "f":
        array = array.astype(np.float32)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    _refuse_nan(name, array)
    return array


def _refuse_nan(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"{name} contains NaN")


def _number(name: str, value: Any, lowest: float, highest: float = math.inf) -> float:
    """Return a finite number in a range, which includes its ends."""
    array = real_numbers(name, value)
    if array.ndim or not (lowest <= array <= highest and np.isfinite(array)):
        end = f" from {lowest:g} to {highest:g}" if highest < math.inf else ""
        least = f" of at least {lowest:g}" if not end and lowest > -math.inf else ""
        raise ValueError(f"{name}={value!r}; expected a number{end}{least}")
    return float(array)


def _between(name: str, value: Any) -> float:
    """Return a number in (0, 1)."""
    if not 0 < _number(name, value, 0, 1) < 1:
        raise ValueError(f"{name}={value!r}; expected a number between 0 and 1")
    return float(value)


def _steps(name: str, value: Any) -> int | None:
    """Return a number of steps, or None where it isn't given: None, or snnTorch's False."""
    if value is None or value is False:
        return None
    steps = index(name, value, "an integer of at least 0")
    if steps < 0:
        raise ValueError(f"{name}={value!r}; expected an integer of at least 0")
    return steps


def _first(first_spike_time: Any, num_steps: int | None) -> int:
    first = _steps("first_spike_time", first_spike_time)
    if first is None:
        return 0
    if num_steps is not None and first > max(num_steps - 1, 0):
        raise ValueError(
            f"first_spike_time={first} is beyond the last step, {num_steps - 1} "
            f"(num_steps={num_steps})"
        )
    return first


def _dtype_of(dtype: Any, default: Any, accepted: tuple[Any, ...], packed: bool) -> Any:
    """Return a dtype, or "packed"."""
    if dtype is None:
        return np.dtype(default)
    if packed and isinstance(dtype, str) and str(dtype) == "packed":
        return "packed"
    names = ", ".join(np.dtype(each).name for each in accepted) + (", 'packed'" if packed else "")
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype={dtype!r} is not a dtype; expected {names}") from None
    if found.type not in accepted:
        raise ValueError(f"dtype={dtype!r}; expected {names}")
    return found.newbyteorder("=")


SPIKES = (np.float16, np.float32, np.float64, np.uint8, np.bool)
COUNTS = (np.float32, np.float64, np.uint8, np.int32, np.int64)


# ---- random counts ----


class _Chances:
    """Draws counts, where P(count > k) is chances[k], which falls with k.

    Sixteen random bits are compared with the upper 16 bits of each probability; where they are
    equal, more bits decide. So probabilities count with all their bits, and a draw costs a
    quarter of a double's.
    """

    def __init__(self, chances: NDArray[Any], repeats: int = 1) -> None:  # (k, steps, neurons)
        size = chances.shape[2]
        self.repeated = repeats > 1 and 0 < size < NARROW  # NumPy is slow along short axes
        if self.repeated:
            chances = np.tile(chances, min(repeats, BLOCK // size or 1))
        with np.errstate(over="ignore"):  # what is above 1 counts as 1
            self.scaled = chances * chances.dtype.type(65536)
        self.whole = np.clip(self.scaled, 0, 65535).astype(np.uint16)
        self.different = len(chances)
        if self.different > 1:  # those after the first of all zeros compare alike
            self.different = min(self.different, 1 + self.whole.any(axis=(1, 2)).sum())

    def draw(self, bits: NDArray[Any], ties: _Ties, columns: slice) -> NDArray[Any]:
        """Return the counts of bits, (steps, neurons), as uint8."""
        if self.repeated:
            rows = len(self.whole[0, 0]) // bits.shape[1]
            if len(bits) > 1 and len(bits) <= rows:
                flat = bits.reshape(1, bits.size)
                return self._draw(flat, ties, slice(bits.size)).reshape(bits.shape)
        return self._draw(bits, ties, columns)

    def _draw(self, bits: NDArray[Any], ties: _Ties, columns: slice) -> NDArray[Any]:
        whole = self.whole[:, :, columns]
        counts: NDArray[np.uint8] = (bits < whole[0]).view(np.uint8)
        tied = bits == whole[0]
        for chance in whole[1 : self.different]:
            counts += bits < chance
            tied |= bits == chance
        if tied.any():
            step, neuron = np.divmod(np.flatnonzero(tied), bits.shape[1])
            here = step if whole.shape[1] > 1 else 0
            own, drawn = whole[:, here, neuron], bits[step, neuron]
            rest = self.scaled[:, :, columns][:, here, neuron] - own
            more = ties.random(len(step))
            counts[step, neuron] = ((drawn < own) | ((drawn == own) & (more < rest))).sum(axis=0)
        return counts


class _Bits:
    """Sixteen random bits a draw: four draws a word, however many are asked for at once."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.left = rng, np.empty(0, "<u2")

    def draw(self, rows: int, width: int) -> NDArray[np.uint16]:
        size = rows * width
        missing = size - self.left.size
        if missing > 0:
            words = self.rng.integers(0, 2**64, -(-missing // 4), np.uint64)
            new = words.astype("<u8", copy=False).view("<u2")
            self.left = np.concatenate((self.left, new)) if self.left.size else new
        drawn, self.left = self.left[:size], self.left[size:].copy()
        return drawn.reshape(rows, width)


class _Ties:
    """The bits that decide ties: a generator of its own, so that chunks don't change draws."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.seed = rng.integers(2**63)
        self.rng: np.random.Generator | None = None  # made when it is needed

    def random(self, size: int) -> NDArray[np.float64]:
        if self.rng is None:
            self.rng = np.random.default_rng(self.seed)
        return self.rng.random(size)


def _blocks(
    num_neurons: int, chances: Callable[[int, int], _Chances], rng: np.random.Generator
) -> Callable[[int, int], Iterator[tuple[slice, slice, NDArray[Any]]]]:
    """Return a function of a range of steps that gives its counts, in the order of time."""
    ties, bits = _Ties(rng), _Bits(rng)
    width = min(num_neurons, BLOCK)
    height = max(1, BLOCK // max(1, num_neurons))

    def counts(begin: int, end: int) -> Iterator[tuple[slice, slice, NDArray[Any]]]:
        for t in range(begin, end, height):
            steps = slice(t - begin, min(t + height, end) - begin)
            of_these = chances(t, begin + steps.stop)
            for n in range(0, num_neurons, width or 1):
                columns = slice(n, min(n + width, num_neurons))
                drawn = bits.draw(steps.stop - steps.start, columns.stop - n)
                yield steps, columns, of_these.draw(drawn, ties, columns)

    return counts


def _train(
    counts: Callable[[int, int], Iterator[tuple[slice, slice, NDArray[Any]]]],
    silent: int,
    num_steps: int,
    shape: tuple[int, ...],
    dtype: Any,
    chunk: int,
) -> Iterator[NDArray[Any]]:
    """Yield the counts of each chunk of steps, after silent ones."""
    neurons = math.prod(shape)
    row = ((neurons + 7) // 8,) if dtype == "packed" else shape
    for begin in range(0, max(num_steps, 1), chunk):
        end = min(begin + chunk, num_steps)
        quiet = min(max(silent - begin, 0), end - begin)
        spikes = np.empty((end - begin, *row), np.uint8 if dtype == "packed" else dtype)
        spikes[:quiet] = 0
        rows = spikes[quiet:].reshape(end - begin - quiet, math.prod(row))
        for steps, columns, counted in counts(begin + quiet - silent, end - silent):
            if dtype == "packed":
                begins, ends = columns.start // 8, (columns.stop + 7) // 8
                rows[steps, begins:ends] = _packed(counted)
            else:
                if spikes.dtype.kind in "ui" and counted.max() > np.iinfo(spikes.dtype).max:
                    raise OverflowError(
                        f"a count of {counted.max()} does not fit dtype {spikes.dtype}"
                    )
                rows[steps, columns] = counted
        yield spikes


def _packed(spikes: NDArray[Any]) -> NDArray[np.uint8]:
    """Pack rows, filled up to whole bytes: NumPy packs short ones slowly."""
    rows, size = spikes.shape
    if size % 8:
        whole = np.zeros((rows, (size + 7) // 8 * 8), np.uint8)
        whole[:, :size] = spikes
        spikes = whole
    return np.packbits(spikes, bitorder="little").reshape(rows, spikes.shape[1] // 8)


def _generate(
    counts_of: Callable[[np.random.Generator], Any],
    rng: Any,
    chunks: Any,
    silent: int,
    num_steps: int,
    shape: tuple[int, ...],
    dtype: Any,
) -> Any:
    """Return a train, or an iterator over its chunks of so many steps."""
    chunk = None if chunks is None else at_least_one("chunks", chunks)
    rng = generator("rng", rng)
    if chunk is not None:
        return _train(counts_of(rng), silent, num_steps, shape, dtype, chunk)
    drawn_from = rng.bit_generator.state
    try:
        return next(_train(counts_of(rng), silent, num_steps, shape, dtype, max(num_steps, 1)))
    except BaseException:
        rng.bit_generator.state = drawn_from
        raise


def rate_conv(
    data: ArrayLike,
    *,
    rng: RNGLike | SeedLike | None = None,
    dtype: Any = None,
    chunks: int | None = None,
) -> Any:
    """Draw a spike for each element of data, with the element as its probability.

    Parameters
    ----------
    data : array_like
        Probabilities, of any shape; time is the first axis. Below 0 they count as 0, above 1 as
        1, as in snnTorch.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where randomness comes from; by default from the system's entropy, different each time.
    dtype : float32, float64, float16, uint8, bool or "packed", optional
        Of the spikes; by default that of `data` (float32 if they aren't floats). "packed" spikes
        are bits, see `unpack_spikes`.
    chunks : int, optional
        Yield the same spikes in chunks of so many steps. Draw
        nothing else from a Generator meanwhile.

    Returns
    -------
    ndarray, shape as `data`, or an iterator over chunks of it

    Raises
    ------
    TypeError, ValueError
        If `data` contains NaN or isn't an array of real numbers, or an argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.rate_conv([0.0, 0.5, 0.5, 1.0], rng=1, dtype=bool)
    array([False, False, False,  True])
    """
    given = _floats("data", data)
    if given.ndim == 0:
        if chunks is not None:
            raise ValueError("chunks of data without an axis; its first one is time")
        return rate(given, 1, rng=rng, dtype=dtype)[0]
    return rate(given, time_var_input=True, rng=rng, dtype=dtype, chunks=chunks)


def rate(
    data: ArrayLike,
    num_steps: int | None = None,
    gain: float = 1,
    offset: float = 0,
    first_spike_time: int = 0,
    time_var_input: bool = False,
    *,
    rng: RNGLike | SeedLike | None = None,
    dtype: Any = None,
    chunks: int | None = None,
) -> Any:
    """Encode data as spike rates: in each step an element spikes with itself as the probability.

    Parameters
    ----------
    data : array_like
        Features, of any shape; with `time_var_input` time is the first axis. The probability is
        ``data * gain + offset``, of which what is below 0 counts as 0, above 1 as 1.
    num_steps : int, optional
        The number of steps; required, unless `time_var_input`.
    gain, offset : float, default 1 and 0
        Scale and shift the features (snnTorch drops both if `time_var_input`).
    first_spike_time : int, default 0
        No spikes before this step. With `time_var_input` so many silent steps are put in front.
    time_var_input : bool, default False
        Whether `data` has a time axis.
    rng, dtype, chunks
        As of `rate_conv`.

    Returns
    -------
    ndarray, shape (num_steps, *data.shape), or an iterator over chunks of it
        With `time_var_input`, shape (first_spike_time + len(data), *data.shape[1:]).

    Raises
    ------
    TypeError, ValueError
        If `data` contains NaN or isn't an array of real numbers, if `num_steps` is missing or
        given beside `time_var_input`, or another argument is invalid.

    Notes
    -----
    Each spike takes 16 random bits, and more where these don't decide, so that probabilities
    count with all their bits: two to three times as fast as ``rng.random(shape) < data``, where
    there are many (a call takes 50 microseconds more).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> image = np.array([0.1, 0.5, 0.9], np.float32)
    >>> spk = snnc.spikegen.rate(image, 1000, rng=0)
    >>> spk.shape, spk.dtype
    ((1000, 3), dtype('float32'))
    >>> spk.mean(axis=0).round(2)
    array([0.09, 0.49, 0.9 ], dtype=float32)
    >>> parts = snnc.spikegen.rate(image, 1000, rng=0, chunks=300)
    >>> np.array_equal(np.concatenate(list(parts)), spk)
    True
    """
    given = _floats("data", data)
    steps = _steps("num_steps", num_steps)
    kind = _dtype_of(dtype, given.dtype, SPIKES, packed=True)
    gain, offset = _number("gain", gain, -math.inf), _number("offset", offset, -math.inf)
    if time_var_input:
        if steps is not None:
            raise ValueError(
                f"num_steps={num_steps!r} together with time_var_input=True: data has its own "
                "number of steps"
            )
        if given.ndim == 0:
            raise ValueError(
                "data is 0-d; with time_var_input=True expected time as its first axis"
            )
        silent = _first(first_spike_time, None)
        steps, shape = silent + len(given), given.shape[1:]
        moving = given.reshape(len(given), math.prod(shape))
    else:
        if steps is None:
            raise ValueError(
                "num_steps is missing (or pass time_var_input=True if the first axis of data is "
                "time)"
            )
        silent, shape = _first(first_spike_time, steps), given.shape
        constant = _probability(given.reshape(1, given.size), gain, offset, repeats=steps)

    def chances(begin: int, end: int) -> _Chances:
        return _probability(moving[begin:end], gain, offset) if time_var_input else constant

    neurons = math.prod(shape)
    return _generate(
        lambda own: _blocks(neurons, chances, own), rng, chunks, silent, steps, shape, kind
    )


def _probability(data: NDArray[Any], gain: float, offset: float, repeats: int = 1) -> _Chances:
    wide = data.astype(np.float32) if data.dtype == np.float16 else data
    if gain != 1 or offset != 0:
        with np.errstate(all="ignore"):
            wide = wide * wide.dtype.type(gain) + wide.dtype.type(offset)
        if np.isnan(wide).any():
            raise ValueError(
                f"data * gain + offset is not a number: data is infinite, or gain={gain} or "
                f"offset={offset} beyond {wide.dtype}"
            )
    return _Chances(wide[None], repeats)


def delta(
    data: ArrayLike,
    threshold: float = 0.1,
    padding: bool = False,
    off_spike: bool = False,
    *,
    dtype: Any = None,
) -> NDArray[Any]:
    """Spike where data has risen by at least a threshold since the step before.

    Parameters
    ----------
    data : array_like, shape (T, ...)
        A signal over time.
    threshold : float, default 0.1
        The smallest change that makes a spike (snnTorch's documentation says "exceeds").
    padding : bool, default False
        If True, the first step is compared with itself (no spike), else with 0.
    off_spike : bool, default False
        If True, -1 where it has fallen by at least the threshold.
    dtype : float32, float64, float16, uint8, bool or "packed", optional
        Of the spikes; by default that of `data` (float32 if it isn't of floats). With
        `off_spike` a float.

    Returns
    -------
    ndarray, shape (T, ...), or (T, ceil(n / 8)) of packed spikes

    Raises
    ------
    TypeError, ValueError
        If `data` has no time axis, contains NaN or isn't an array of real numbers, or another
        argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.delta([1.0, 2.0, 2.75, 3.0, 1.0], threshold=0.5, off_spike=True)
    array([ 1.,  1.,  1.,  0., -1.])
    """
    given = _floats("data", data)
    if given.ndim == 0:
        raise ValueError("data is 0-d; expected shape (T, ...)")
    signal = _exact(real_numbers("data", data), given)
    least = _number("threshold", threshold, -math.inf)
    kind = _dtype_of(dtype, given.dtype, SPIKES, packed=True)
    if off_spike and (kind == "packed" or kind.kind != "f"):
        raise ValueError(f"dtype={dtype!r}; expected a float with off_spike=True (spikes of -1)")
    change = signal.copy()
    with np.errstate(all="ignore"):  # inf - inf: no spike
        change[1:] -= signal[:-1]
        if padding:
            change[:1] -= signal[:1]
        on: NDArray[np.bool] = change >= least
        off: NDArray[np.bool] = change <= -least
    if off_spike:
        return on.astype(kind) - off
    return _as_spikes(on, kind)


def _exact(array: NDArray[Any], floats: NDArray[Any]) -> NDArray[Any]:
    """Return integers as such, as far as their differences can't overflow; else the floats."""
    if array.dtype.kind not in "biu":
        return floats
    small = array.dtype.itemsize < 8 or (
        array.size == 0 or (array.min() > -(2**62) and array.max() < 2**62)
    )
    return array.astype(np.int64 if small else np.float64)


def _as_spikes(spikes: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return spikes, (T, ...), as another type or as bits."""
    if isinstance(dtype, str):  # "packed"
        rows = spikes.astype(bool).reshape(len(spikes), math.prod(spikes.shape[1:]))
        return _packed(rows)
    return spikes.astype(dtype, copy=False)


def _latency_arguments(
    data: Any, num_steps: Any, threshold: Any, tau: Any, first_spike_time: Any, normalize: bool
) -> tuple[NDArray[Any], int | None, float, float, int]:
    array = _floats("data", data)
    if array.dtype == np.float16:  # whose eps is larger than epsilon
        array = array.astype(np.float32)
    steps = _steps("num_steps", num_steps)
    if normalize and not steps:
        raise ValueError("num_steps is missing: normalize needs it")
    threshold = _between("threshold", threshold)
    tau = _number("tau", tau, 0)
    if tau == 0:
        raise ValueError(f"tau={tau}; expected a number above 0")
    return array, steps, threshold, tau, _first(first_spike_time, steps)


def latency_code_linear(
    data: ArrayLike,
    num_steps: int | None = None,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
) -> NDArray[Any]:
    """Return spike times that fall linearly with the features: ``tau * (1 - data)``.

    Parameters
    ----------
    data : array_like
        Features, of any shape.
    num_steps : int, optional
        Required with `normalize`.
    threshold : float, default 0.01
        Features below it spike when a feature equal to it would. In (0, 1).
    tau : float, default 1
        The time of a feature of 0, in steps; above 0.
    first_spike_time : int, default 0
        Added to all times.
    normalize : bool, default False
        If True, `tau` is such that a feature of 0 would spike in the last step.

    Returns
    -------
    ndarray of floats, shape as `data`
        Times in steps, not rounded; float32 for float16.

    Raises
    ------
    TypeError, ValueError
        If `data` contains NaN or isn't an array of real numbers, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.latency_code_linear([1.0, 0.75, 0.0], num_steps=11, normalize=True)
    array([0. , 2.5, 9.9])
    """
    array, steps, threshold, tau, first = _latency_arguments(
        data, num_steps, threshold, tau, first_spike_time, normalize
    )
    if normalize:
        assert steps is not None
        tau = steps - 1 - first
    with np.errstate(all="ignore"):
        times: NDArray[Any] = np.minimum(-tau * (array - 1), -tau * (threshold - 1)) + first
    if not np.isfinite(times).all():
        raise ValueError(f"data or tau={tau} is too large for finite spike times")
    earliest = times.min(initial=0)
    if normalize and earliest < 0:  # of features above 1
        assert steps is not None
        times = (times - earliest) * (1 / (times.max() - earliest)) * (steps - 1)
    return times


def latency_code_log(
    data: ArrayLike,
    num_steps: int | None = None,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    epsilon: float = 1e-7,
) -> NDArray[Any]:
    """Return when a leaky neuron fires that is driven by the features: an RC circuit's times.

    ``tau * log(data / (data - threshold))``, the time at which a membrane of time constant `tau`
    that is charged towards `data` reaches `threshold`.

    Parameters
    ----------
    data, num_steps, threshold, first_spike_time
        As of `latency_code_linear`.
    tau : float, default 1
        The time constant, in steps; above 0.
    normalize : bool, default False
        If True, times are scaled so that the latest is the last step.
    epsilon : float, default 1e-7
        Features are at least ``threshold + epsilon``.

    Returns
    -------
    ndarray of floats, shape as `data`
        Times in steps, not rounded; float32 for float16.

    Raises
    ------
    TypeError, ValueError
        If `data` contains NaN or isn't an array of real numbers, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.latency_code_log([1.0, 0.5, 0.02], tau=5.0).round(2)
    array([0.05, 0.1 , 3.47])
    """
    array, steps, threshold, tau, first = _latency_arguments(
        data, num_steps, threshold, tau, first_spike_time, normalize
    )
    times: NDArray[Any]
    least = threshold + _number("epsilon", epsilon, 0)
    if not array.dtype.type(least) > array.dtype.type(threshold):
        raise ValueError(
            f"epsilon={epsilon!r} is too small: threshold + epsilon is threshold={threshold} in "
            f"{array.dtype}"
        )
    charged = np.maximum(array, least)
    with np.errstate(all="ignore"):
        ratio = charged / (charged - threshold)
        times = tau * np.log(ratio.astype(np.float64)).astype(ratio.dtype)  # rounded once
    if first:
        times = times + first
    if normalize and times.size:
        assert steps is not None
        with np.errstate(all="ignore"):
            times = (times - first) * (steps - first - 1) / (times - first).max() + first
    if not np.isfinite(times).all():
        raise ValueError(f"data or tau={tau} is too large for finite spike times")
    return times


def latency_code(
    data: ArrayLike,
    num_steps: int | None = None,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
) -> tuple[NDArray[Any], NDArray[np.bool]]:
    """Return spike times, the larger a feature the earlier, and which features are too small.

    Parameters
    ----------
    data, num_steps, threshold, tau, first_spike_time, normalize, epsilon
        As of `latency_code_log`.
    linear : bool, default False
        Whether times are `latency_code_linear`'s or `latency_code_log`'s.

    Returns
    -------
    times : ndarray of floats, shape as `data`
        In steps, not rounded.
    small : ndarray of bool, shape as `data`
        Which features are below `threshold`.

    Raises
    ------
    TypeError, ValueError
        If `data` contains NaN or isn't an array of real numbers, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> times, small = snnc.spikegen.latency_code([0.5, 0.001], num_steps=5, normalize=True)
    >>> times, small
    (array([0.00701913, 4.        ]), array([False,  True]))
    """
    array = _floats("data", data)
    arguments = (array, num_steps, threshold, tau, first_spike_time, normalize)
    times = latency_code_linear(*arguments) if linear else latency_code_log(*arguments, epsilon)
    return times, array < threshold


def latency(
    data: ArrayLike,
    num_steps: int | None = None,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    interpolate: bool = False,
    bypass: bool = False,
    epsilon: float = 1e-7,
    *,
    dtype: Any = None,
) -> NDArray[Any]:
    """Encode each feature as the time of a single spike: the larger, the earlier.

    Parameters
    ----------
    data : array_like
        Features from 0 to 1, of any shape.
    num_steps : int, optional
        The number of steps; required, unless `bypass`.
    threshold, tau, first_spike_time, normalize, linear, epsilon
        As of `latency_code`; times are rounded to steps (halves to even).
    on_target, off_target : float, default 1 and 0
        The value of a spike, and the least value of anything else (below 0 it changes nothing,
        as in snnTorch).
    clip : bool, default False
        If True, features below `threshold` don't spike.
    interpolate : bool, default False
        If True, values rise from `off_target` to `on_target` until the spike: see
        `latency_interpolate`.
    bypass : bool, default False
        If True, spikes after the last step are left out, instead of an error, and `num_steps`
        may be missing: the latest spike is in the last step.
    dtype : float32, float64, float16, uint8, bool or "packed", optional
        Of the spikes; by default that of `data` (float32 if it isn't of floats, and always in
        snnTorch). Other than floats only with spikes of 1 and 0.

    Returns
    -------
    ndarray, shape (num_steps, *data.shape), or (num_steps, ceil(n / 8)) of packed spikes

    Raises
    ------
    TypeError, ValueError
        If `data` contains what isn't from 0 to 1 or isn't an array of real numbers, if a spike
        falls after the last step, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.latency([1.0, 0.5, 0.0], 5, normalize=True, linear=True, dtype="uint8")
    array([[1, 0, 0],
           [0, 0, 0],
           [0, 1, 0],
           [0, 0, 0],
           [0, 0, 1]], dtype=uint8)
    """
    features = _floats("data", data)
    if features.size and not (features.min() >= 0 and features.max() <= 1):
        raise ValueError(f"data ranges from {features.min()} to {features.max()}; expected 0 to 1")
    on, off = (
        _number("on_target", on_target, -math.inf),
        _number("off_target", off_target, -math.inf),
    )
    kind = _dtype_of(dtype, features.dtype, SPIKES, packed=True)
    for name, target in (("on_target", on), ("off_target", off)):
        with np.errstate(over="ignore"):
            if kind != "packed" and kind.kind == "f" and not np.isfinite(kind.type(target)):
                raise ValueError(f"{name}={target} is too large for {kind}")
    if (kind == "packed" or kind.kind != "f") and (on != 1 or off > 0 or interpolate):
        raise ValueError(
            f"dtype={dtype!r}; expected a float with these on_target, off_target or interpolate"
        )
    times, small = latency_code(
        features, num_steps, threshold, tau, first_spike_time, normalize, linear, epsilon
    )
    steps = _steps("num_steps", num_steps)
    latest = int(np.rint(times.max(initial=0)))
    if steps is None:
        if not bypass:
            raise ValueError(
                "num_steps is missing (or pass bypass=True, for as many as the latest spike needs)"
            )
        steps = latest + 1
    if latest >= steps and not bypass:
        raise ValueError(
            f"the latest spike is in step {latest}, beyond num_steps={steps}: pass "
            "normalize=True, a smaller tau, or bypass=True to leave such spikes out"
        )
    if interpolate:
        return latency_interpolate(times, steps, on, off).astype(kind, copy=False)
    step = np.rint(times)
    left = step < steps
    if clip:
        left &= ~small
    spikes = np.zeros((steps, *features.shape), bool)
    np.put_along_axis(spikes, np.where(left, step, 0).astype(np.int64)[None], left[None], axis=0)
    if on == 1 and off <= 0:
        return _as_spikes(spikes, kind)
    with np.errstate(over="ignore"):
        values: NDArray[Any] = np.maximum(spikes.astype(kind) * on, off)
        return values.astype(kind, copy=False)


def latency_interpolate(
    spike_time: ArrayLike, num_steps: int, on_target: float = 1, off_target: float = 0
) -> NDArray[Any]:
    """Return values that rise linearly until each spike's step, and are off after it.

    Parameters
    ----------
    spike_time : array_like
        Times in steps, of any shape, rounded to steps; beyond `num_steps` there is no spike.
    num_steps : int
        The number of steps.
    on_target, off_target : float, default 1 and 0
        The value at a spike, and where there is none.

    Returns
    -------
    ndarray of floats, shape (num_steps, *spike_time.shape)

    Raises
    ------
    TypeError, ValueError
        If `spike_time` contains NaN or negative times or isn't an array of real numbers, if
        `on_target` is below `off_target`, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.latency_interpolate([0.0, 2.0], 4)
    array([[1. , 0. ],
           [0. , 0.5],
           [0. , 1. ],
           [0. , 0. ]])
    """
    given = _floats("spike_time", spike_time)
    times = np.rint(given.astype(np.float32) if given.dtype == np.float16 else given)
    if times.size and times.min() < 0:
        raise ValueError(f"spike_time contains {times.min()}; expected times of at least 0")
    steps = _steps("num_steps", num_steps)
    if steps is None:
        raise TypeError(f"num_steps={num_steps!r}; expected an integer of at least 0")
    on, off = (
        _number("on_target", on_target, -math.inf),
        _number("off_target", off_target, -math.inf),
    )
    if on < off:
        raise ValueError(f"on_target={on_target} is below off_target={off_target}")
    step = np.arange(steps, dtype=times.dtype).reshape(steps, *(1,) * times.ndim)
    reached = step / np.where((times == 0) | (times > steps), 0.5, times).astype(times.dtype)
    values: NDArray[Any] = np.where(times == 0, step == 0, reached).astype(times.dtype)
    values = values * (on - off) + off
    values[values > on] = off
    with np.errstate(over="ignore"):
        return values.astype(given.dtype, copy=False)


def rate_interpolate(
    spike_time: ArrayLike,
    num_steps: int,
    on_target: float = 1,
    off_target: float = 0,
    epsilon: float = 1e-7,
) -> NDArray[np.float32]:
    """Return values that rise linearly from the step after a spike until the next one.

    Parameters
    ----------
    spike_time : array_like, shape (n,)
        The steps with spikes; those from `num_steps` on are left out (snnTorch's result is then
        too short).
    num_steps : int
        The number of steps.
    on_target, off_target : float, default 1 and 0
        The value at a spike, and in the step after one, and after the last.
    epsilon : float
        Has no effect; it belongs to snnTorch's arguments.

    Returns
    -------
    ndarray of float32, shape (num_steps,)

    Raises
    ------
    TypeError, ValueError
        If `spike_time` isn't a 1-d array of real numbers, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.rate_interpolate([0, 3], 5)
    array([1. , 0. , 0.5, 1. , 0. ], dtype=float32)
    """
    times = _floats("spike_time", spike_time)
    steps = _steps("num_steps", num_steps)
    if steps is None:
        raise TypeError(f"num_steps={num_steps!r}; expected an integer of at least 0")
    if times.ndim != 1:
        raise ValueError(f"spike_time has shape {times.shape}; expected (n,)")
    on, off = (
        _number("on_target", on_target, -math.inf),
        _number("off_target", off_target, -math.inf),
    )
    values, last = np.full(steps, off, np.float32), -1
    for step in np.unique(times[(times >= 0) & (times < steps) & (times % 1 == 0)]).astype(int):
        gap = step - last - 1
        rise = (on - off) / gap if gap else 0.0
        values[last + 1 : step] = off + rise * np.arange(gap)
        values[step], last = on, step
    return values


def to_one_hot(targets: ArrayLike, num_classes: int) -> NDArray[np.float32]:
    """Return a row for each class index, with a 1 at it.

    Parameters
    ----------
    targets : array_like of integers, shape (batch,)
        Class indices; whole numbers of a float type too.
    num_classes : int
        The number of classes.

    Returns
    -------
    ndarray of float32, shape (batch, num_classes)

    Raises
    ------
    TypeError, ValueError
        If `targets` aren't class indices below `num_classes`.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.to_one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    classes = real_numbers("targets", targets)
    count = at_least_one("num_classes", num_classes)
    if classes.ndim != 1:
        raise ValueError(f"targets has shape {classes.shape}; expected (batch,)")
    with np.errstate(invalid="ignore"):
        wrong = classes[~((classes >= 0) & (classes < count) & (classes % 1 == 0))]
    if wrong.size:
        raise ValueError(f"targets contains {wrong[0]}; expected integers from 0 to {count - 1}")
    rows: NDArray[np.bool] = classes[:, None] == np.arange(count)
    return rows.astype(np.float32)


def to_one_hot_inverse(one_hot_targets: ArrayLike) -> NDArray[Any]:
    """Return 1 where there is 0, and 0 where there isn't.

    Parameters
    ----------
    one_hot_targets : array_like
        Of any shape.

    Returns
    -------
    ndarray, shape and dtype as `one_hot_targets`

    Raises
    ------
    TypeError, ValueError
        If it isn't an array of real numbers.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.to_one_hot_inverse([[1.0, 0.0, 0.0]])
    array([[0., 1., 1.]])
    """
    array = real_numbers("one_hot_targets", one_hot_targets)
    _refuse_nan("one_hot_targets", array)
    empty: NDArray[np.bool] = array == 0
    return empty.astype(array.dtype)


def from_one_hot(one_hot_label: ArrayLike) -> NDArray[np.int64]:
    """Return where a one-hot row has its 1: the index along the first axis, as snnTorch does.

    Parameters
    ----------
    one_hot_label : array_like, shape (num_classes,)
        For rows, shape (batch, num_classes), the result is the *row* of each 1, which is hardly
        what one wants: ``np.argmax(one_hot, axis=1)`` gives their classes.

    Returns
    -------
    ndarray of int64, shape (number of ones,)

    Raises
    ------
    TypeError, ValueError
        If it isn't an array of real numbers, or has no axis.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.from_one_hot([0, 0, 0, 1, 0])
    array([3])
    """
    array = real_numbers("one_hot_label", one_hot_label)
    _refuse_nan("one_hot_label", array)
    if array.ndim == 0:
        raise ValueError("one_hot_label has no axis; expected shape (num_classes,)")
    return np.nonzero(array == 1)[0]


def target_rate_code(
    num_steps: int,
    first_spike_time: int = 0,
    rate: float = 1,
    firing_pattern: str = "regular",
    *,
    rng: RNGLike | SeedLike | None = None,
    dtype: Any = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return a spike train of a given rate, and its spike times.

    Parameters
    ----------
    num_steps : int
        The number of steps.
    first_spike_time : int, default 0
        No spikes before this step.
    rate : float, default 1
        Spikes per step, from 0 to 1.
    firing_pattern : {"regular", "uniform", "poisson"}, default "regular"
        Every ``1 / rate`` steps; as many at random times (which may fall into one step); or each
        step with the same probability.
    rng
        As of `rate_conv`, for the random patterns.
    dtype : float32, float64, float16, uint8 or bool, optional
        Of the spikes; by default float32.

    Returns
    -------
    spikes : ndarray, shape (num_steps,)
    times : ndarray of int64, shape (number of spikes,)
        Of "uniform" not sorted, and not without repeats.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> spikes, times = snnc.spikegen.target_rate_code(8, rate=0.3)
    >>> times
    array([0, 3, 6])
    """
    steps = _steps("num_steps", num_steps)
    if steps is None:
        raise TypeError(f"num_steps={num_steps!r}; expected an integer of at least 0")
    rate = _number("rate", rate, 0, 1)
    first = _steps("first_spike_time", first_spike_time) or 0
    if first > steps:
        raise ValueError(f"first_spike_time={first} is beyond num_steps={steps}")
    pattern = _pattern(firing_pattern)
    own = generator("rng", rng)
    kind = _dtype_of(dtype, np.float32, SPIKES, packed=False)
    times: NDArray[Any] = np.empty(0)
    if pattern == "poisson":
        times = first + np.flatnonzero(own.random(steps - first) < rate)
    elif rate > 0:
        times = np.arange(first, steps, 1 / rate).astype(np.float32)  # rounded as torch's
        if pattern == "uniform":
            times = own.random(len(times)) * (steps - first) + first
    found = times[times < steps].astype(np.int64)
    spikes = np.zeros(steps, kind)
    spikes[found] = 1
    return spikes, found


def _pattern(firing_pattern: Any) -> str:
    patterns = ("regular", "uniform", "poisson")
    name = firing_pattern.lower() if isinstance(firing_pattern, str) else None
    if name not in patterns:
        raise ValueError(f"firing_pattern={firing_pattern!r}; expected one of {patterns}")
    return name


def targets_rate(
    targets: ArrayLike,
    num_classes: int,
    num_steps: int | None = None,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    *,
    rng: RNGLike | SeedLike | None = None,
    dtype: Any = None,
) -> NDArray[Any]:
    """Encode class indices as the firing rates of output neurons, one for each class.

    Parameters
    ----------
    targets : array_like of integers, shape (batch,)
        Class indices.
    num_classes : int
        The number of classes.
    num_steps : int, optional
        The number of steps; required where rates aren't 1 and 0, or `first_spike_time` isn't 0.
    first_spike_time : int, default 0
        No spikes before this step.
    correct_rate, incorrect_rate : float, default 1 and 0
        Spikes per step of the class's neuron, and of the others; the first not below the second.
    on_target, off_target : float, default 1 and 0
        The value of a spike, and the least value of anything else.
    firing_pattern, rng
        As of `target_rate_code`.
    interpolate : bool, default False
        If True, values rise from `off_target` to `on_target` between spikes: see
        `rate_interpolate`.
    epsilon : float
        Has no effect; it belongs to snnTorch's arguments.
    dtype : float32, float64, float16, uint8, bool or "packed", optional
        By default float32. Other than floats only with spikes of 1 and 0.

    Returns
    -------
    ndarray, shape (num_steps, batch, num_classes), or (num_steps, ceil(n / 8)) of packed spikes
        Where rates are 1 and 0 and `first_spike_time` is 0 nothing changes with time: shape
        (batch, num_classes). Where rates are others snnTorch's result has five dimensions, or is
        an error.

    Raises
    ------
    TypeError, ValueError
        If `targets` aren't class indices, or another argument is missing or invalid.

    Examples
    --------
    >>> import snnc
    >>> target = snnc.spikegen.targets_rate([0, 2], 3, num_steps=4, correct_rate=0.5)
    >>> target.shape
    (4, 2, 3)
    >>> target[:, 1, 2]
    array([1., 0., 1., 0.], dtype=float32)
    """
    one_hot = to_one_hot(targets, num_classes)
    steps = _steps("num_steps", num_steps)
    correct = _number("correct_rate", correct_rate, 0, 1)
    incorrect = _number("incorrect_rate", incorrect_rate, 0, 1)
    if incorrect > correct:
        raise ValueError(f"incorrect_rate={incorrect} is above correct_rate={correct}")
    on, off = (
        _number("on_target", on_target, -math.inf),
        _number("off_target", off_target, -math.inf),
    )
    _pattern(firing_pattern)
    own = generator("rng", rng)
    kind = _dtype_of(dtype, np.float32, SPIKES, packed=True)
    if (kind == "packed" or kind.kind != "f") and (on != 1 or off != 0 or interpolate):
        raise ValueError(
            f"dtype={dtype!r}; expected a float with these on_target, off_target or interpolate"
        )
    first = _first(first_spike_time, steps)
    constant = correct == 1 and incorrect == 0
    if steps is None and (first or not constant):
        raise ValueError(
            "num_steps is missing; without it correct_rate must be 1, incorrect_rate 0 and "
            "first_spike_time 0"
        )
    if constant:
        values = np.where(one_hot == 1, on, off) if on <= off else np.maximum(one_hot * on, off)
        if first == 0:
            return _as_spikes(values, kind)
        assert steps is not None
        over_time = np.array(np.broadcast_to(values, (steps, *values.shape)))
        over_time[:first] = off
        return _as_spikes(over_time, kind)
    assert steps is not None
    if on < off:
        raise ValueError(f"on_target={on} is below off_target={off}")
    rows: list[NDArray[Any]] = []
    for chance in (correct, incorrect):
        spikes, times = target_rate_code(steps, first, chance, firing_pattern, rng=own)
        row = rate_interpolate(times, steps, on, off) if interpolate else spikes
        rows.append(row[:, None, None])
    values = np.where(one_hot == 1, *rows)
    return _as_spikes(values if interpolate else np.maximum(values * on, off), kind)


def targets_latency(
    targets: ArrayLike,
    num_classes: int,
    num_steps: int | None = None,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    interpolate: bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
    bypass: bool = False,
    *,
    dtype: Any = None,
) -> NDArray[Any]:
    """Encode class indices as spike times of output neurons: that of the class fires first.

    Parameters
    ----------
    targets : array_like of integers, shape (batch,)
        Class indices.
    num_classes : int
        The number of classes.
    num_steps, first_spike_time, on_target, off_target, interpolate, threshold, tau
        As of `latency`, of the one-hot rows.
    clip, normalize, linear, epsilon, bypass, dtype
        As of `latency`; by default float32.

    Returns
    -------
    ndarray, shape (num_steps, batch, num_classes)

    Raises
    ------
    TypeError, ValueError
        If `targets` aren't class indices, or another argument is invalid.

    Examples
    --------
    >>> import snnc
    >>> target = snnc.spikegen.targets_latency([1], 3, num_steps=5, normalize=True)
    >>> target.argmax(axis=0)
    array([[4, 0, 4]])
    """
    return latency(
        to_one_hot(targets, num_classes),
        num_steps,
        threshold,
        tau,
        first_spike_time,
        on_target,
        off_target,
        clip,
        normalize,
        linear,
        interpolate,
        bypass,
        epsilon,
        dtype=dtype,
    )


def targets_convert(
    targets: ArrayLike,
    num_classes: int,
    code: str = "rate",
    num_steps: int | None = None,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    bypass: bool = False,
    *,
    rng: RNGLike | SeedLike | None = None,
    dtype: Any = None,
) -> NDArray[Any]:
    """Encode class indices as `targets_rate` or `targets_latency` do.

    Parameters
    ----------
    targets : array_like of integers, shape (batch,)
        Class indices.
    num_classes : int
        The number of classes.
    code : {"rate", "latency"}, default "rate"
        Which of the two.
    num_steps, first_spike_time, on_target, off_target, interpolate, epsilon, dtype
        As of either (snnTorch drops `on_target` and those after it with "latency").
    correct_rate, incorrect_rate, firing_pattern, rng
        As of `targets_rate`.
    threshold, tau, clip, normalize, linear, bypass
        As of `targets_latency`.

    Returns
    -------
    ndarray, shape (num_steps, batch, num_classes) or (batch, num_classes)

    Raises
    ------
    TypeError, ValueError
        If `targets` aren't class indices, or another argument is missing or invalid.

    Examples
    --------
    >>> import snnc
    >>> snnc.spikegen.targets_convert([2], 3, on_target=1.0, off_target=0.25)
    array([[0.25, 0.25, 1.  ]], dtype=float32)
    """
    if not isinstance(code, str):
        raise TypeError(f"code={code!r}; expected 'rate' or 'latency'")
    if code == "rate":
        return targets_rate(
            targets,
            num_classes,
            num_steps,
            first_spike_time,
            correct_rate,
            incorrect_rate,
            on_target,
            off_target,
            firing_pattern,
            interpolate,
            epsilon,
            rng=rng,
            dtype=dtype,
        )
    if code == "latency":
        return targets_latency(
            targets,
            num_classes,
            num_steps,
            first_spike_time,
            on_target,
            off_target,
            interpolate,
            threshold,
            tau,
            clip,
            normalize,
            linear,
            epsilon,
            bypass,
            dtype=dtype,
        )
    raise ValueError(f"code={code!r}; expected 'rate' or 'latency'")


def poisson(
    rate: ArrayLike,
    num_steps: int,
    *,
    rng: RNGLike | SeedLike | None = None,
    dtype: Any = None,
    chunks: int | None = None,
) -> Any:
    """Draw how many spikes of a Poisson process arrive in each step: a background drive.

    Parameters
    ----------
    rate : array_like
        The expected number of spikes in a step, one for each neuron: for `n` inputs that fire
        at `f` in a step of `dt`, ``n * f * dt``. At least 0.
    num_steps : int
        The number of steps.
    rng, chunks
        As of `rate_conv`.
    dtype : float32, float64, uint8, int32 or int64, optional
        Of the counts; by default that of `rate` (float32 if it isn't of floats).

    Returns
    -------
    ndarray, shape (num_steps, *rate.shape), or an iterator over chunks of it

    Raises
    ------
    TypeError, ValueError
        If `rate` is negative, infinite, NaN or not an array of real numbers, or another argument
        is invalid.
    OverflowError
        If a count does not fit an integer `dtype`.

    Notes
    -----
    Where all rates are at most 10, counts are found by comparing 16 random bits (and more where
    these don't decide) with the distributions': several times as fast as `Generator.poisson`,
    which draws all of them where one rate is larger.

    Examples
    --------
    A thousand inputs of 2 Hz each, in steps of 0.1 ms, for two seconds:

    >>> import numpy as np
    >>> import snnc
    >>> rate = np.full(100, 1000 * 2 * 1e-4)
    >>> counts = snnc.spikegen.poisson(rate, 20_000, rng=0, dtype=np.uint8)
    >>> counts.shape, int(counts.max())
    ((20000, 100), 5)
    >>> float(counts.mean().round(2)), float(counts.var().round(2))
    (0.2, 0.2)
    """
    means = _floats("rate", rate)
    flat = means.reshape(-1).astype(np.float64)
    if flat.size and not (flat.min() >= 0 and flat.max() <= 1e15):
        worst = flat.min() if flat.min() < 0 else flat.max()
        raise ValueError(f"rate contains {worst}; expected numbers from 0 to 1e15")
    steps = _steps("num_steps", num_steps)
    if steps is None:
        raise TypeError(f"num_steps={num_steps!r}; expected an integer of at least 0")
    kind = _dtype_of(
        dtype, np.float32 if means.dtype == np.float16 else means.dtype, COUNTS, False
    )
    largest = flat.max(initial=0.0)
    if largest <= LARGEST_MEAN:
        most = np.arange(1, int(largest + 12 * math.sqrt(largest)) + 30)[:, None]
        each = np.exp(-flat) * np.cumprod(flat / most, axis=0)  # P(count = 1), P(count = 2), ...
        more = np.minimum(np.cumsum(each[::-1], axis=0)[::-1], 1)  # P(count > 0), ...
        shared = _Chances(more[:, None], repeats=steps)

    def counts_of(own: np.random.Generator) -> Any:
        if largest <= LARGEST_MEAN:
            return _blocks(flat.size, lambda begin, end: shared, own)
        return lambda begin, end: _poisson(flat, own, end - begin)

    return _generate(counts_of, rng, chunks, 0, steps, means.shape, kind)


def _poisson(
    means: NDArray[Any], rng: np.random.Generator, num_steps: int
) -> Iterator[tuple[slice, slice, NDArray[Any]]]:
    height = max(1, BLOCK // means.size)
    for t in range(0, num_steps, height):
        rows = min(height, num_steps - t)
        yield slice(t, t + rows), slice(None), rng.poisson(means, (rows, means.size))
