"""Weighted sums of all features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc import _core
from snnc._arguments import at_least_one, flag, is_double
from snnc._product import gradient_of_weights, linear_start, spike_product
from snnc.nn.layers import OF_LAYERS, Array, Layer

if TYPE_CHECKING:
    from typing import Any, ClassVar, Literal

    from numpy.typing import NDArray

    from snnc._arguments import RNGLike, SeedLike
    from snnc.nn.layers import Step

    Floats = NDArray[Any]

__all__ = ["Linear"]

_MODES = (None, "events", "blas", "auto")


class Linear(Layer):
    """Weighted sums, y = x W^T + b, of each sample at each step.

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axes of x and y.
    bias : bool, default True
        Whether there is a `bias`.
    mode : {None, "events", "blas", "auto"}
        How sums are computed. By default (None) over spikes (uint8 or bool, which layers of
        neurons send on) as `spike_product` does, in the time that the spikes take that there are,
        and over real numbers by BLAS. "events": always as `spike_product` does. "blas": always by
        BLAS. "auto": over spikes by whichever should be faster, by the shapes and by a sample of
        the spikes. With "blas" and "auto" last bits may depend on the number of rows, so runs are
        not cut in time to save memory.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where the start values come from; None is seeded by the system.

    Attributes
    ----------
    weight : ndarray of float32, shape (out_features, in_features)
    bias : ndarray of float32, shape (out_features,), or None
        What is assigned is copied: float64 as it is, other real numbers as float32.

    Raises
    ------
    TypeError, ValueError
        If a size is not an integer of at least 1, or what is assigned to `weight` or `bias` is
        not an array of real numbers of that shape.

    Notes
    -----
    Start values are uniform within 1/sqrt(in_features), as PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> fc = snnc.nn.Linear(3, 2, rng=0)
    >>> fc(np.ones((25, 64, 3), np.float32)).shape  # one product for all steps
    (25, 64, 2)
    """

    weight = Array("The weights, (out_features, in_features).")
    bias = Array("What is added to the weighted sums, (out_features,), or None.")

    _trained: ClassVar = ("weight", "bias")
    _takes_bytes: ClassVar = True
    _mode: str | None = None
    _instead: ClassVar = {
        **OF_LAYERS,
        "in_features": "write weight.shape[1]",
        "out_features": "write weight.shape[0]",
    }

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        mode: Literal["events", "blas", "auto"] | None = None,
        rng: RNGLike | SeedLike | None = None,
    ) -> None:
        shape = (
            at_least_one("out_features", out_features),
            at_least_one("in_features", in_features),
        )
        if mode not in _MODES:
            raise ValueError(f"mode={mode!r}; expected one of {', '.join(map(repr, _MODES))}")
        self._mode = mode
        weight, start = linear_start(*shape, rng)
        self._weight: Floats = self._placed("weight", weight)
        self._bias: Floats | None = start if flag("bias", bias) else None

    def _argument(self, name: str) -> Any:
        known = {"in_features": self._weight.shape[1], "out_features": self._weight.shape[0]}
        known |= {"mode": self._mode, "bias": self._bias is not None}
        return known.get(name)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": self._weight.shape, "bias": self._weight.shape[:1]}

    def _placed(self, name: str, array: Floats) -> Floats:
        return np.asfortranarray(array) if name == "weight" else array  # rows of inputs

    def _step_dims(self) -> tuple[int, ...]:
        return (2,)

    def _can_be_cut(self, over_bytes: bool) -> bool:
        return self._mode == "events" or (self._mode is None and over_bytes)

    def _width(self) -> int:
        return len(self._weight)

    def _by_events(self, x: Floats) -> bool:
        """Say whether sums over x are those of the weights of spikes."""
        if self._mode in ("events", "blas"):
            return self._mode == "events"
        if x.dtype != np.uint8 or self._mode is None:
            return x.dtype == np.uint8
        limit = _dense_from(x.size // x.shape[-1], *self._weight.shape)
        return limit >= 1 or _core.density(np.ascontiguousarray(x)) < limit

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        size = self._weight.shape[1]
        if x.ndim == 0 or x.shape[-1] != size:
            raise ValueError(f"x of shape {x.shape}; expected {size} on its last axis")
        by_events = self._by_events(x)
        dtype = np.float64 if is_double(x) else np.float32
        weight = self._weight.astype(dtype, copy=False)
        bias = None if self._bias is None else self._bias.astype(dtype, copy=False)
        if by_events:
            return spike_product(x, weight, bias), (x, by_events)
        real: Floats = _rows(x).astype(dtype, copy=False)
        y: Floats = real @ weight.T
        if bias is not None:
            y += bias
        return y.reshape(*x.shape[:-1], len(weight)), (x, by_events)

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        x, by_events = saved
        rows = _rows(grad)
        if by_events and x.dtype == np.uint8 and x.max(initial=0) <= 1:
            grads = {"weight": gradient_of_weights(rows, _rows(x))}
        else:
            grads = {"weight": rows.T @ _rows(x).astype(grad.dtype, copy=False)}
        if self._bias is not None:
            grads["bias"] = rows.sum(axis=0)
        if wrt_x:
            weight = self._weight.astype(grad.dtype, copy=False)
            grads["x"] = (rows @ weight).reshape(x.shape)
        return grads


def _dense_from(num_rows: int, num_outputs: int, num_inputs: int) -> float:
    """Return which part of the inputs has to spike for BLAS to be faster.

    From nanoseconds that were measured (Zen 3, AVX2): an input takes BLAS some time of each
    output, more where few rows share the weights, and its call some; a spike takes
    `spike_product` several times that.
    """
    shared = 1 + 14 / (num_rows + 6)
    of_call = 8000 / max(1, num_rows * num_inputs)
    return (0.5 + 0.028 * num_outputs * shared + of_call) / (2.4 + 0.1 * num_outputs)


def _rows(array: Floats) -> Floats:
    """Return it as a matrix: steps and samples make one long axis."""
    return array.reshape(-1, array.shape[-1])
