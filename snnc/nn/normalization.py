"""Numbers of mean 0 and variance 1: over samples and steps, or over features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import at_least_one, flag, real_numbers
from snnc.nn.layers import Array, Layer

if TYPE_CHECKING:
    from typing import Any, ClassVar

    from numpy.typing import NDArray

    from snnc.nn.layers import Step

    Floats = NDArray[Any]

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm"]


def _number(name: str, value: Any, low: float, high: float) -> float:
    number = real_numbers(name, value)
    if number.ndim or not low <= number <= high:
        raise ValueError(f"{name}={value!r}; expected a number in [{low:g}, {high:g}]")
    return float(number)


def _normalised(x: Floats, mean: Floats, variance: Floats, eps: float) -> tuple[Floats, Floats]:
    """Return x of that mean and variance as numbers of mean 0 and variance 1, and the scale."""
    scale = (1 / np.sqrt(variance + eps)).astype(x.dtype)
    return (x - mean.astype(x.dtype)) * scale, scale


def _through(grad: Floats, normal: Floats, scale: Floats, axes: tuple[int, ...]) -> Floats:
    """Go back through a normalisation by the mean and the variance along axes."""
    mean = grad.mean(axis=axes, keepdims=True)
    along = (grad * normal).mean(axis=axes, keepdims=True)
    back: Floats = (grad - mean - normal * along) * scale
    return back


class _BatchNorm(Layer):
    weight = Array("What normalised numbers are multiplied with, (num_features,).")
    bias = Array("What is added to them, (num_features,).")
    running_mean = Array("The mean that evaluation takes, (num_features,).")
    running_var = Array("The variance that evaluation takes, (num_features,).")

    _dims: ClassVar[tuple[int, ...]]  # of a step's input
    _shown: ClassVar[str]
    _trained: ClassVar = ("weight", "bias")
    _kept: ClassVar = ("running_mean", "running_var", "num_batches_tracked")

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self._num_features = n = at_least_one("num_features", num_features)
        self._eps = _number("eps", eps, 0, np.inf)
        self._momentum = None if momentum is None else _number("momentum", momentum, 0, 1)
        self._affine = flag("affine", affine)
        self._track_running_stats = flag("track_running_stats", track_running_stats)
        self._weight = np.ones(n, np.float32) if affine else None
        self._bias = np.zeros(n, np.float32) if flag("bias", bias) and affine else None
        self._running_mean = np.zeros(n, np.float32) if track_running_stats else None
        self._running_var = np.ones(n, np.float32) if track_running_stats else None
        self._num_batches_tracked = np.zeros((), np.int64) if track_running_stats else None

    @property
    def num_batches_tracked(self) -> Any:
        """How many steps the running values are of."""
        return self._num_batches_tracked

    @num_batches_tracked.setter
    def num_batches_tracked(self, value: Any) -> None:
        number = real_numbers("num_batches_tracked", value)
        if number.ndim or number < 0 or number != np.floor(number):
            raise ValueError(f"num_batches_tracked={value!r}; expected an integer of at least 0")
        self._num_batches_tracked = number.astype(np.int64)

    def _argument(self, name: str) -> Any:
        if name == "bias":
            return self._bias is not None or not self._affine
        return super()._argument(name)

    def _step_dims(self) -> tuple[int, ...]:
        return self._dims

    def _can_be_cut(self, over_bytes: bool) -> bool:
        return not self.training

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        known = (*self._trained * self._affine, *self._kept[:2] * self._track_running_stats)
        return dict.fromkeys(known, (self._num_features,))

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        at = 1 + step.timed
        if x.ndim - step.timed not in self._dims or x.shape[at] != self._num_features:
            raise ValueError(
                f"a step's x has shape {x.shape[step.timed :]}; expected "
                f"{self._shown.format(self._num_features)}"
            )
        wide = tuple(-1 if d == at else 1 for d in range(x.ndim))
        tracked = self._running_mean is not None
        if self.training or not tracked:
            axes = tuple(d for d in range(x.ndim) if d != at and not (step.timed and d == 0))
            count = int(np.prod([x.shape[d] for d in axes]))
            if count < 2 and self.training:
                raise ValueError(
                    f"a step's x has shape {x.shape[step.timed :]}; expected more than one number "
                    "of each feature, for a variance in training"
                )
            mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
            variance = np.square(x - mean).mean(axis=axes, keepdims=True, dtype=np.float64)
            if self.training and tracked and step.tracks:
                self._track(mean, variance * (count / (count - 1)), step)
        else:
            axes = None
            mean = self._running_mean.reshape(wide)  # type: ignore[union-attr]  # as there are some
            variance = self._running_var.reshape(wide)  # type: ignore[union-attr]  # as there are some
        normal, scale = _normalised(x, mean, variance, self._eps)
        y = normal
        if self._weight is not None:
            y = normal * self._weight.reshape(wide).astype(x.dtype, copy=False)
        if self._bias is not None:
            y = y + self._bias.reshape(wide).astype(x.dtype, copy=False)
        return y, (normal, scale, axes, wide)

    def _track(self, mean: Floats, variance: Floats, step: Step) -> None:
        """Let the running values follow those of each step."""
        means, variances = (a.reshape(-1, self._num_features) for a in (mean, variance))
        running_mean, running_var = self._running_mean, self._running_var
        assert running_mean is not None
        assert running_var is not None
        dtypes = running_mean.dtype, running_var.dtype
        tracked = int(self._num_batches_tracked or 0)
        for own_mean, own_variance in zip(means, variances, strict=True):
            for _ in range(step.held):
                tracked += 1
                rate = 1 / tracked if self._momentum is None else self._momentum
                running_mean = running_mean + rate * (own_mean - running_mean)
                running_var = running_var + rate * (own_variance - running_var)
        self._running_mean = running_mean.astype(dtypes[0])
        self._running_var = running_var.astype(dtypes[1])
        self._num_batches_tracked = np.array(tracked, np.int64)

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        normal, scale, axes, wide = saved
        others = tuple(d for d, n in enumerate(wide) if n == 1)
        grads = {}
        if self._bias is not None:
            grads["bias"] = grad.sum(axis=others)
        if self._weight is not None:
            grads["weight"] = (grad * normal).sum(axis=others)
            grad = grad * self._weight.reshape(wide).astype(grad.dtype, copy=False)
        if wrt_x:
            grads["x"] = grad * scale if axes is None else _through(grad, normal, scale, axes)
        return grads


class BatchNorm2d(_BatchNorm):
    """Each channel gets mean 0 and variance 1 over the images of a step.

    A step's input is (samples, channels, rows, columns).

    Parameters
    ----------
    num_features : int
        How many channels x has.
    eps : float, default 1e-5
        What is added to variances.
    momentum : float or None, default 0.1
        The share of a step's statistics in the running ones; None: those are their means.
    affine : bool, default True
        Whether there are `weight` and `bias`.
    track_running_stats : bool, default True
        Whether there are running values, which evaluation takes; else it takes the step's own.
    bias : bool, default True
        Whether there is a `bias` with `affine`.

    Attributes
    ----------
    weight, bias, running_mean, running_var : ndarray of float32, shape (num_features,), or None
    num_batches_tracked : ndarray of int64, 0-d, or None
        How many steps the running values are of.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, of a call, the input's shape doesn't fit, or in
        training a feature has one number.

    Notes
    -----
    In training each step has its own mean and variance, as in a loop over time, and the running
    values follow step by step; an input that is held for T steps counts T times.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> norm = snnc.nn.BatchNorm2d(3)
    >>> y = norm(np.random.default_rng(0).random((8, 3, 4, 4)))
    >>> bool(np.abs(y.mean(axis=(0, 2, 3))).max() < 1e-6)
    True
    """

    _dims = (4,)
    _shown = "(samples, {0}, rows, columns)"


class BatchNorm1d(_BatchNorm):
    """Each feature gets mean 0 and variance 1 over the samples of a step.

    A step's input is (samples, features), or (samples, channels, length).

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, bias
        As of `BatchNorm2d`.

    Raises
    ------
    TypeError, ValueError
        As `BatchNorm2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> norm = snnc.nn.BatchNorm1d(1)
    >>> norm(np.array([[1.0], [3.0]])).round(3)
    array([[-1.],
           [ 1.]])
    >>> norm.running_mean
    array([0.2], dtype=float32)
    """

    _dims = (2, 3)
    _shown = "(samples, {0}) or (samples, {0}, length)"


class LayerNorm(Layer):
    """The last axes get mean 0 and variance 1, for each sample and step.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The shape of these axes.
    eps : float, default 1e-5
        What is added to variances.
    elementwise_affine : bool, default True
        Whether there is a `weight`.
    bias : bool, default True
        Whether there is a `bias` as well.

    Attributes
    ----------
    weight, bias : ndarray of float32, shape normalized_shape, or None

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, of a call, the input's shape doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.LayerNorm(2)(np.array([[1.0, 3.0], [5.0, 5.0]])).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """

    weight = Array("What normalised numbers are multiplied with, of normalized_shape.")
    bias = Array("What is added to them, of normalized_shape.")

    _trained: ClassVar = ("weight", "bias")

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        given = normalized_shape
        sizes = given if isinstance(given, (tuple, list)) else (given,)
        self._normalized_shape = tuple(at_least_one("normalized_shape", n) for n in sizes)
        if not self._normalized_shape:
            raise ValueError("normalized_shape=(); expected at least one axis")
        self._eps = _number("eps", eps, 0, np.inf)
        self._elementwise_affine = flag("elementwise_affine", elementwise_affine)
        has_bias = flag("bias", bias) and self._elementwise_affine
        shape = self._normalized_shape
        self._weight = np.ones(shape, np.float32) if self._elementwise_affine else None
        self._bias = np.zeros(shape, np.float32) if has_bias else None

    def _argument(self, name: str) -> Any:
        if name == "bias":
            return self._bias is not None or not self._elementwise_affine
        value = super()._argument(name)
        return value[0] if name == "normalized_shape" and len(value) == 1 else value

    def _step_dims(self) -> tuple[int, ...]:
        return (1 + len(self._normalized_shape),)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self._trained * self._elementwise_affine, self._normalized_shape)

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        count = len(self._normalized_shape)
        if x.shape[-count:] != self._normalized_shape:
            shape = ", ".join(map(str, self._normalized_shape))
            raise ValueError(f"x has shape {x.shape}; expected (..., {shape})")
        axes = tuple(range(x.ndim - count, x.ndim))
        mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
        variance = np.square(x - mean).mean(axis=axes, keepdims=True, dtype=np.float64)
        normal, scale = _normalised(x, mean, variance, self._eps)
        y = normal
        if self._weight is not None:
            y = normal * self._weight.astype(x.dtype, copy=False)
        if self._bias is not None:
            y = y + self._bias.astype(x.dtype, copy=False)
        return y, (normal, scale, axes)

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        normal, scale, axes = saved
        others = tuple(range(axes[0]))
        grads = {}
        if self._weight is not None:
            grads["weight"] = (grad * normal).sum(axis=others)
        if self._bias is not None:
            grads["bias"] = grad.sum(axis=others)
        if self._weight is not None:
            grad = grad * self._weight.astype(grad.dtype, copy=False)
        if wrt_x:
            grads["x"] = _through(grad, normal, scale, axes)
        return grads
