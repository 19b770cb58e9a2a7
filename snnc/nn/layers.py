"""What layers without neurons share, and those that have no parameters: Flatten, Dropout."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc._arguments import generator, index, is_double, missing, real_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, ClassVar, Self

    from numpy.typing import ArrayLike, NDArray

    from snnc._arguments import RNGLike, SeedLike

    Floats = NDArray[Any]

__all__ = ["Dropout", "Flatten"]

# What torch's layers have, and what to write here.
OF_LAYERS = {
    **dict.fromkeys(("to", "cpu", "cuda"), "its arrays are NumPy's, on the CPU"),
    "zero_grad": "backward returns gradients, none are kept",
    "forward": "call it: layer(x)",
    "parameters": "they are its attributes weight and bias, where it has them",
    "state_dict": "Sequential(layer).state_dict() has its arrays",
    "load_state_dict": "Sequential(layer).load_state_dict sets its arrays",
    "reset_parameters": "make a new one, with rng=",
}


def floats(name: str, x: ArrayLike) -> Floats:
    """Return an array to compute with: float64 if x is, else float32."""
    array = real_numbers(name, x)
    return array.astype(np.float64 if is_double(array) else np.float32, copy=False)


def owned(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Copy an array of real numbers of that shape as floats."""
    array = real_numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    return array.astype(np.float64 if is_double(array) else np.float32)


def several(name: str, value: Any, count: int, least: int) -> tuple[int, ...]:
    """Return an integer for each of so many axes."""
    values = value if isinstance(value, (tuple, list)) else (value,) * count
    expected = f"an integer of at least {least}" + (f", or {count} of them" if count > 1 else "")
    numbers = tuple(index(name, v, expected) for v in values)
    if len(numbers) != count or min(numbers) < least:
        raise ValueError(f"{name}={value!r}; expected {expected}")
    return numbers


def refuse_unknown(obj: Any, cls: type, name: str, instead: str = "it can't be set") -> None:
    """Refuse to set what has no effect; subclasses may have attributes of their own."""
    if type(obj) is cls and not name.startswith("_") and not hasattr(cls, name):
        raise missing(a(obj), name, instead, obj)


def a(obj: Any) -> str:
    """Name its class, with the article."""
    name = type(obj).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


class Array:
    """A parameter or a buffer of a layer; what is assigned is copied, and must have its shape."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else layer.__dict__[f"_{self._name}"]

    def __set__(self, layer: Any, value: Any) -> None:
        shape = layer._shapes().get(self._name)
        if shape is None:
            raise missing(a(layer), self._name, "it was made without", layer)
        if value is not None or self._name != "bias":
            value = layer._placed(self._name, owned(self._name, value, shape))
        layer.__dict__[f"_{self._name}"] = value


class Step(NamedTuple):
    """How a layer's input is to be read."""

    timed: bool  # it has time before the axis of samples
    held: int = 1  # for how many steps it is the input
    tracks: bool = True  # whether running values follow


ONE_STEP = Step(False)


class Layer:
    """The base class of layers without neurons.

    The input of a step is (B, ...), samples first. Time comes before it, and all steps are
    computed at once.
    """

    training: bool = True
    """Whether it does what it does in training (Dropout, BatchNorm); see `Sequential.train`."""

    _trained: ClassVar[tuple[str, ...]] = ()  # arrays that training changes
    _kept: ClassVar[tuple[str, ...]] = ()  # other arrays of a state_dict
    _instead: ClassVar[Mapping[str, str]] = OF_LAYERS
    _takes_bytes: ClassVar[bool] = False  # spikes as uint8; else as real numbers
    _gives_bytes: ClassVar[bool] = False  # where it got them

    def __getattr__(self, name: str) -> Any:
        raise missing(a(self), name, self._instead.get(name), self)

    def __setattr__(self, name: str, value: Any) -> None:
        if type(self).__module__.startswith("snnc.nn"):
            refuse_unknown(self, type(self), name)
        super().__setattr__(name, value)

    def train(self, mode: bool = True) -> Self:
        """Put the layer into training (or evaluation) mode, and return it."""
        self.__dict__["training"] = bool(mode)
        return self

    def eval(self) -> Self:
        """Put the layer into evaluation mode, and return it."""
        return self.train(False)

    def __repr__(self) -> str:
        given = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = self._argument(name)
            if parameter.default is parameter.empty:
                given.append(repr(value))
            elif name != "rng" and value != parameter.default:
                given.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"

    def _argument(self, name: str) -> Any:
        """Say what the constructor would have to be given."""
        return self.__dict__.get(f"_{name}")

    # ---- arrays ----

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Say of which shapes its arrays are."""
        return {}

    def _placed(self, name: str, array: Floats) -> Floats:
        """Return an array in the order in which it is read."""
        return array

    def _arrays(self) -> dict[str, Floats]:
        """Name the arrays of a state_dict."""
        both = {name: getattr(self, name) for name in (*self._trained, *self._kept)}
        return {name: array for name, array in both.items() if array is not None}

    def _learned(self) -> tuple[str, ...]:
        """Name those that training changes."""
        return tuple(name for name in self._trained if getattr(self, name) is not None)

    # ---- forward and back ----

    def __call__(self, x: ArrayLike) -> Floats:
        """Apply the layer to the input of a step: float64 if x is, else float32."""
        y = self._forward(self._input("x", x), ONE_STEP)[0]
        return y if y.dtype.kind == "f" else y.astype(np.float32)

    def _input(self, name: str, x: ArrayLike) -> Floats:
        """Return an array as the layer takes it."""
        if self._takes_bytes:
            array = real_numbers(name, x)
            if array.dtype in (np.uint8, np.bool_):
                return array.view(np.uint8)
            x = array
        return floats(name, x)

    def backward(self, x: ArrayLike, grad: ArrayLike, *, wrt_x: bool = True) -> dict[str, Floats]:
        """Return the gradients of a loss, given that of what a call returned.

        Parameters
        ----------
        x : array_like
            What the layer was called with.
        grad : array_like
            The gradient of the loss with respect to what it returned.
        wrt_x : bool, default True
            Whether that with respect to x is wanted.

        Returns
        -------
        dict of ndarray
            Under the keys ``"weight"``, ``"bias"`` (of what there is) and ``"x"``.
        """
        x, grad = self._input("x", x), floats("grad", grad)
        y, saved = self._forward(x, ONE_STEP._replace(tracks=False))
        if grad.shape != y.shape:
            raise ValueError(f"grad of shape {grad.shape}; expected {y.shape}")
        return self._backward(saved, grad, wrt_x)

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        """Return what it gives, and what it needs to go back."""
        raise NotImplementedError

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        """Return the gradients of x, if it is wanted, and of what training changes."""
        raise NotImplementedError

    def _step_dims(self) -> tuple[int, ...] | None:
        """Say how many dimensions the input of a step may have; None: any."""
        return None

    def _can_be_cut(self, over_bytes: bool) -> bool:
        """Whether pieces of a sequence, one after the other, give the same bits."""
        return True

    def _width(self) -> int:
        """Return how many features it gives, if it says."""
        return 0

    def _varies(self) -> bool:
        """Whether one input gives another result at each step."""
        return False


class Flatten(Layer):
    """Axes of a step's input become one.

    Parameters
    ----------
    start_dim, end_dim : int, default 1 and -1
        The first and the last of them; 0 is the axis of samples.

    Raises
    ------
    TypeError
        If they are no integers.
    ValueError
        A call: if the input hasn't these axes, in this order.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.Flatten()(np.zeros((64, 12, 4, 4))).shape
    (64, 192)
    """

    _takes_bytes: ClassVar = True
    _gives_bytes: ClassVar = True

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self._start_dim, self._end_dim = index("start_dim", start_dim), index("end_dim", end_dim)

    def _step_dims(self) -> tuple[int, ...]:
        return 2, 3, 4

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        steps, own = (x.shape[:1], x.shape[1:]) if step.timed else ((), x.shape)
        first, last = (d + len(own) if d < 0 else d for d in (self._start_dim, self._end_dim))
        if not 0 <= first <= last < len(own):
            raise ValueError(f"a step's x has shape {own}; expected axes {self!r} has")
        whole = math.prod(own[first : last + 1])
        return x.reshape(*steps, *own[:first], whole, *own[last + 1 :]), x.shape

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        return {"x": grad.reshape(saved)} if wrt_x else {}


class Dropout(Layer):
    """In training each number becomes 0 with a probability, others are scaled up.

    Parameters
    ----------
    p : float, default 0.5
        The probability, in [0, 1].
    inplace : False
        For the order of torch's arguments.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where random numbers come from; None is seeded by the system.

    Raises
    ------
    ValueError
        If `p` isn't in [0, 1].

    Notes
    -----
    Other numbers are dropped at each step. In evaluation (``net.eval()``) nothing is.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> drop = snnc.nn.Dropout(0.5, rng=1)
    >>> drop(np.ones(6))
    array([0., 2., 2., 2., 0., 0.])
    >>> drop.eval()(np.ones(3))
    array([1., 1., 1.])
    """

    _takes_bytes: ClassVar = True
    _gives_bytes: ClassVar = True  # in evaluation

    def __init__(
        self,
        p: float = 0.5,
        inplace: bool = False,
        *,
        rng: RNGLike | SeedLike | None = None,
    ) -> None:
        number = real_numbers("p", p)
        if number.ndim or not 0 <= number <= 1:
            raise ValueError(f"p={p!r}; expected a number in [0, 1]")
        if inplace is not False:
            raise ValueError(f"inplace={inplace!r}; expected False: what is given stays as it is")
        self._p, self._inplace, self._rng = float(number), False, generator("rng", rng)

    def _varies(self) -> bool:
        return self.training and self._p > 0

    def _can_be_cut(self, over_bytes: bool) -> bool:
        return not self.training

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        if not self._varies():
            return x, None
        x = floats("x", x)
        kept = self._rng.random(x.shape, np.float32) >= self._p
        factor = kept * x.dtype.type(0 if self._p == 1 else 1 / (1 - self._p))
        return x * factor, factor

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        if not wrt_x:
            return {}
        return {"x": grad if saved is None else grad * saved.astype(grad.dtype, copy=False)}

    def backward(self, x: ArrayLike, grad: ArrayLike, *, wrt_x: bool = True) -> dict[str, Floats]:
        """Return the gradient of x, in evaluation; in training a network's run keeps it."""
        if self._varies():
            raise ValueError(
                "training: what a call dropped isn't kept; run it in a Sequential with grad=True"
            )
        return super().backward(x, grad, wrt_x=wrt_x)


def places(
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    sizes: tuple[int, ...],
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Yield the places in a window, with what all windows read there of the padded input."""
    for place in itertools.product(*map(range, kernel)):
        yield (
            place,
            tuple(
                slice(i * d, i * d + s * (size - 1) + 1, s)
                for i, s, d, size in zip(place, stride, dilation, sizes, strict=True)
            ),
        )


def chunks(count: int, size: int, most: int) -> list[slice]:
    """Cut a row of things of that many bytes into pieces that don't take more."""
    each = max(1, most // max(1, size))
    return [slice(i, min(i + each, count)) for i in range(0, count, each)]
