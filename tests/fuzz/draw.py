"""Random cases from a seed: neurons with every option, and arrays of every dtype and layout.

Python's own generator chooses, so that a choice may be of anything; NumPy's fills arrays.
"""

import math
import random

import numpy as np
import support

from snnc import Recording, _core

SIZES = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 70, 129, 257)
STEPS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33, 40)
DTYPES = (np.float32, np.float32, np.float64, np.float16, np.uint8, bool, np.int8, np.int64)
SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40, -1e-310, 1.0, 0.5, 65504.0, 3e38)


def show(value):
    """A value as a message shows it: larger arrays by what they are."""
    if isinstance(value, np.ndarray) and value.size > 6:
        kind = "" if type(value) is np.ndarray else f"{type(value).__name__} "
        writeable = "" if value.flags.writeable else ", read-only"
        return f"<{kind}{value.dtype.str} {value.shape}, strides {value.strides}{writeable}>"
    if type(value) is tuple and len(value) < 9:
        return f"({''.join(f'{show(item)}, ' for item in value)})"
    if type(value) is list and len(value) < 9:
        return f"[{', '.join(map(show, value))}]"
    if type(value) is dict:
        return f"{{{', '.join(f'{k!r}: {show(v)}' for k, v in value.items())}}}"
    if isinstance(value, (Recording, np.random.Generator)):
        return f"<{type(value).__name__}>"
    with np.printoptions(threshold=12, edgeitems=2):
        shown = " ".join(repr(value).split())
    return shown if len(shown) < 400 else f"{shown[:400]}..."


class Own(np.ndarray):
    """A subclass of arrays, whose instances count as arrays."""


class Draw(random.Random):
    """What is drawn for one case."""

    def __init__(self, fuzzer, seed):
        super().__init__(f"{fuzzer} {seed}")
        self.numbers = np.random.default_rng(self.getrandbits(64))
        self.notes = []

    def maybe(self, probability=0.5):
        return self.random() < probability

    def some(self, items):
        """Any of the items, in any order."""
        return self.sample(items, self.randint(0, len(items)))

    def note(self, text):
        """Say something about the case: it is shown if the case fails, or crashes now."""
        self.notes.append(text)
        print(f"note {text}", flush=True)

    def call(self, function, *args, **keywords):
        """Call it, having noted how."""
        owner = getattr(function, "__self__", None)
        name = show(function) if owner is None else f"{show(owner)}.{function.__name__}"
        shown = [show(a) for a in args] + [f"{k}={show(v)}" for k, v in keywords.items()]
        self.note(f"{name}({', '.join(shown)})")
        return function(*args, **keywords)

    # ---- shapes ----

    def shape(self):
        """A neuron shape."""
        shape = [self.choice(SIZES) for _ in range(self.choice((0, 1, 1, 1, 2, 2, 3)))]
        while math.prod(shape) > 2000:
            shape[self.randrange(len(shape))] = self.choice((1, 2, 3))
        if shape and self.maybe(0.04):
            shape[self.randrange(len(shape))] = 0
        return tuple(shape)

    def broadcast(self, shape):
        """A shape that broadcasts to this one."""
        shape = shape[self.choice((0, 0, self.randint(0, len(shape)))) :]
        return tuple(1 if self.maybe(0.15) else n for n in shape)

    # ---- arrays ----

    def values(self, shape, dtype, special=0.0):
        """An array of numbers about 0.3, in so many of the cases with special values."""
        dtype = np.dtype(dtype)
        if dtype.kind == "b":
            return np.asarray(self.numbers.random(shape) < 0.4)
        if dtype.kind in "iu":
            return np.asarray(
                self.numbers.integers(0 if dtype.kind == "u" else -2, 4, shape, dtype)
            )
        array = np.asarray(self.numbers.normal(0.3, 0.7, shape))
        if self.maybe(0.2):  # so that some equal the threshold
            array = np.round(4 * array) / 4
        if array.size and self.maybe(special):
            where = self.numbers.integers(0, array.size, min(array.size, 12))
            array.flat[where] = self.numbers.choice(SPECIAL, where.size)
        return np.asarray(array, dtype)

    def laid_out(self, array):
        """The array in some layout: in a broadcast one some of its entries are repeated."""
        array = self.choice(LAYOUTS)(self, array)
        if self.maybe(0.1):
            array = array.view(Own)
        if self.maybe(0.1):
            array = array.view()
            array.flags.writeable = False
        return array

    def as_argument(self, array):
        """The array in some layout, or as numbers or lists."""
        array = np.asarray(array)
        if array.ndim == 0 and self.maybe(0.7):
            return self.choice((array[()], array.item(), array.item()))
        if 0 < array.size < 40 and self.maybe(0.07):
            return array.tolist()
        return self.laid_out(array)

    def _strided(self, array):
        steps = [self.choice((1, 1, 2, 3, -1, -2)) for _ in array.shape]
        view = np.zeros([abs(s) * n + 1 for s, n in zip(steps, array.shape, strict=True)],
                        array.dtype)  # fmt: skip
        view = view[..., *(slice(None, None, s) for s in steps)]
        view = view[..., *(slice(n) for n in array.shape)]
        view[...] = array
        return view

    def _permuted(self, array):
        order = self.sample(range(array.ndim), array.ndim)
        return array.transpose(order).copy().transpose(np.argsort(np.array(order, int)))

    def _broadcast(self, array):
        for axis in range(array.ndim):
            if self.maybe(0.4) and array.shape[axis]:
                array = np.broadcast_to(array.take([0], axis), array.shape)
        return array

    def _unaligned(self, array):
        return np.frombuffer(b"0" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)

    # ---- neurons ----

    def parameter(self, low, high, shape, special=()):
        """A number or an array of either precision, in [low, high] or with a special value."""
        if self.maybe() or 0 in shape:
            value = self.uniform(low, high)
            if self.maybe(0.3) and low <= round(4 * value) / 4 <= high:
                value = round(4 * value) / 4
            if special and self.maybe(0.1):
                value = self.choice(special)
            return self.choice((float, float, np.float32, np.float64, np.array))(value)
        array = self.numbers.uniform(low, high, self.broadcast(shape))
        if special and self.maybe(0.1):
            array.flat[self.randrange(array.size)] = self.choice(special)
        return self.laid_out(np.asarray(array, self.choice((np.float32, np.float64))))

    def neuron(self, shape, models=tuple(support.CLASSES), **options):
        """A neuron of any model, whose parameters broadcast to the shape."""
        model, shape = self.choice(models), () if self.maybe(0.3) else shape
        parameters = getattr(self, f"_{model}")(shape)
        if model in support.TORCH:
            options["threshold"] = self.parameter(0.05, 1.5, shape, (np.inf, np.nan, 0.0, -1.0))
            options["reset_mechanism"] = self.choice(_core.resets)
            if _core.models[model][2]:
                options["reset_delay"] = self.maybe(0.6)
        return support.CLASSES[model](**(parameters | options))

    def _Lapicque(self, shape):
        if self.maybe(0.3):
            return {"beta": self.parameter(0.05, 0.95, shape)}
        p = {"R": self.parameter(0.5, 2, shape), "C": self.parameter(1.5, 9, shape)}
        return p | {"time_step": self.parameter(0.3, 1.0, shape)}

    def _Leaky(self, shape):
        p = {"beta": self.parameter(-0.1, 1.2, shape, (0.0, 1.0, np.nan))}
        if self.maybe():
            p["graded_spikes_factor"] = self.parameter(-1, 2, shape, (0.0, np.inf, np.nan))
        return p

    def _Synaptic(self, shape):
        special = (0.0, 1.0, np.nan)
        return {name: self.parameter(-0.1, 1.2, shape, special) for name in ("alpha", "beta")}

    def _Alpha(self, shape):
        return {"alpha": self.parameter(0.7, 1.1, shape), "beta": self.parameter(0.02, 0.6, shape)}

    def _LIF(self, shape):
        p = {"tau_m": self.parameter(1.5, 9, shape), "dt": self.parameter(0.2, 1.0, shape)}
        p |= {"v_threshold": self.parameter(0.3, 1.5, shape)}
        p |= {"v_rest": self.parameter(-1, 0.1, shape), "R": self.parameter(0.5, 3, shape)}
        if self.maybe():
            p["v_reset"] = self.parameter(-1, 0.1, shape)
        if self.maybe():
            p["t_ref"] = self.parameter(0, 4, shape)
        if self.maybe(0.2):
            p["sigma"] = self.parameter(0.1, 1, shape, (0.0,))
        p |= {"method": self.choice(("euler", "exact")), "fire_at_threshold": self.maybe()}
        return p | {"spike_test": self.choice(("after", "before"))}


LAYOUTS = (
    lambda draw, a: a.copy(),
    lambda draw, a: a.copy(),
    lambda draw, a: a.copy(order="F"),
    lambda draw, a: a.astype(a.dtype.newbyteorder()),
    Draw._unaligned,
    Draw._strided,
    Draw._permuted,
    Draw._broadcast,
)
