"""Losses of a network's outputs with their gradients, and accuracies: snnTorch's ``functional``.

The names, arguments and defaults are snnTorch's. What a name constructs is called with the
outputs of all steps and the targets, and returns the loss together with its gradient with
respect to the outputs:

>>> import numpy as np
>>> import snnc.functional as SF
>>> spk_out = np.zeros((4, 2, 3), np.float32)  # 4 steps, 2 samples, 3 classes
>>> spk_out[:, 0, 1] = 1  # sample 0: class 1 fires
>>> loss_fn = SF.ce_count_loss()
>>> loss, grad = loss_fn(spk_out, [1, 0])
>>> loss.round(3), grad.shape
(np.float32(0.567), (4, 2, 3))

Float64 outputs are computed in float64, all others in float32, and loss and gradient are of that
type. Targets are labels from 0; none is ignored (torch ignores -100). ``"mean"`` and ``"sum"``
give a scalar; snnTorch's `ce_rate_loss` and `mse_membrane_loss` give shape (1,), and always
float32. With a `weight`, ``"sum"`` sums; snnTorch's returns the losses unreduced, but for
`ce_temporal_loss`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import flag, frozen, is_double, real_array, real_numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Floats = NDArray[np.floating[Any]]
    Backward = Callable[[Floats], Floats]  # from a result's upstream gradient to its input's

__all__ = [
    "accuracy_rate",
    "accuracy_temporal",
    "binary_cross_entropy",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "cross_entropy",
    "l1_rate_sparsity",
    "mse",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
]


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("_"))})


# ---- arguments ----


def _outputs(spk_out: ArrayLike) -> Floats:
    """Return the outputs in the type to compute in."""
    array = real_numbers("spk_out", spk_out)
    if array.ndim != 3 or not array.size:
        raise ValueError(
            f"spk_out has shape {array.shape}; expected (T, batch, classes), none of them 0"
        )
    return _computing(array)


def _computing(array: NDArray[Any]) -> Floats:
    """Return an array in the type to compute in."""
    return array.astype(np.float64 if is_double(array) else np.float32, copy=False)


def _labels(targets: ArrayLike, shape: tuple[int, ...], num_classes: int) -> NDArray[np.integer]:
    array = real_numbers("targets", targets)
    if array.dtype.kind not in "iu":
        raise TypeError(f"targets has type {array.dtype}; expected integer labels")
    if array.shape != shape:
        raise ValueError(f"targets has shape {array.shape}; expected {shape}, one label a sample")
    wrong = array[(array < 0) | (array >= num_classes)]
    if wrong.size:
        raise ValueError(f"targets has label {wrong[0]}; expected 0 to {num_classes - 1}")
    return array


def _upstream(cot: ArrayLike | None, loss: Any) -> Floats:
    """Return the upstream gradient of a loss, in its type; by default ones."""
    if cot is None:
        return np.ones_like(loss)
    array = real_array("cot", cot)
    if array.shape != loss.shape:
        raise ValueError(f"cot has shape {array.shape}; expected {loss.shape}, that of the loss")
    return array.astype(loss.dtype)


def _choice(*choices: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{name}={value!r}; expected one of {', '.join(choices)}")
        return value

    return check


def _number(name: str, value: Any) -> Any:
    array = real_array(name, value)
    if array.ndim or not np.isfinite(array):
        raise ValueError(f"{name}={value!r}; expected a finite number")
    return value


def _tolerance(name: str, value: Any) -> Any:
    if _number(name, value) < 0:
        raise ValueError(f"{name}={value!r}; expected a number of steps, 0 or more")
    return value


def _vector(name: str, value: Any) -> Floats:
    array = real_array(name, value)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}; expected one dimension and not empty")
    return frozen(array)


def _weight(name: str, value: Any) -> Floats | None:
    return None if value is None else _vector(name, value)


def _class_weights(weight: Floats, num_classes: int, dtype: DTypeLike) -> Floats:
    if weight.shape != (num_classes,):
        raise ValueError(
            f"weight has shape {weight.shape}; expected ({num_classes},), one a class"
        )
    return weight.astype(dtype)


def _check_population(population_code: Any, num_classes: Any) -> None:
    if not flag("population_code", population_code):
        return
    if isinstance(num_classes, (bool, np.bool_)) or not isinstance(num_classes, (int, np.integer)):
        raise TypeError(
            f"num_classes={num_classes!r}; expected an integer, as population_code=True"
        )
    if num_classes < 1:
        raise ValueError(f"num_classes={num_classes!r}; expected 1 or more")


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "reduction": _choice("mean", "sum", "none"),
    "weight": _weight,
    "correct_rate": _number,
    "incorrect_rate": _number,
    "time_var_targets": flag,
    "target_is_time": flag,
    "multi_spike": flag,
    "tolerance": _tolerance,
    "inverse": _choice("negate", "reciprocal"),
}

# ---- what the losses share: each with its gradient ----


def _populations(z: Floats, population_code: bool, num_classes: int) -> Floats:
    """Sum the adjacent outputs (..., N) of each class's population, to (..., classes)."""
    if not population_code:
        return z
    if z.shape[-1] % num_classes:
        raise ValueError(
            f"spk_out has {z.shape[-1]} outputs; expected a multiple of num_classes={num_classes}"
        )
    sums: Floats = z.reshape(*z.shape[:-1], num_classes, -1).sum(-1)
    return sums


def _to_outputs(grad: Floats, shape: tuple[int, ...]) -> Floats:
    """Give the gradient of a sum, over a population or all steps too, to each of its terms."""
    each = np.repeat(grad, shape[-1] // grad.shape[-1], -1)
    return np.broadcast_to(each, shape).copy()


def _to_steps(steps: NDArray[np.integer], grad: Floats, shape: tuple[int, ...]) -> Floats:
    """Scatter gradients (F, batch, N) to their steps, 0 elsewhere; later ones overwrite."""
    out = np.zeros(shape, grad.dtype)
    for k, g in zip(steps, grad, strict=True):
        np.put_along_axis(out, k[None], g[None], 0)
    return out


def _is_class(labels: NDArray[np.integer], num_classes: int) -> NDArray[np.bool_]:
    """One-hot: (...) to (..., classes)."""
    hot: NDArray[np.bool_] = labels[..., None] == np.arange(num_classes)
    return hot


def _on_off(
    labels: NDArray[np.integer], num_classes: int, on: Any, off: Any, dtype: DTypeLike
) -> Floats:
    """Return the target of each class: `on` for the labelled one, `off` for the others."""
    if on > off:
        off = max(off, 0)  # snnTorch's: its default -1 is 0 here
    target: Floats = np.where(_is_class(labels, num_classes), on, off).astype(dtype)
    return target


def _cross_entropy(
    logits: Floats, labels: NDArray[np.integer], weight: Floats
) -> tuple[Floats, Backward]:
    """Of logits (..., classes): losses (...)."""
    correct = _is_class(labels, logits.shape[-1])
    shifted = logits - logits.max(-1, keepdims=True)  # exp of these can't overflow
    powers = np.exp(shifted)
    total = powers.sum(-1)
    losses = weight * (np.log(total) - np.where(correct, shifted, 0).sum(-1))
    slope = weight[..., None] * (powers / total[..., None] - correct)
    return losses, lambda g: slope * g[..., None]


def _squared_error(z: Floats, target: Floats, weight: Floats) -> tuple[Floats, Backward]:
    """Of values (..., classes): losses (..., classes), the rows weighted."""
    difference = z - target
    weighted = weight[..., None] * difference
    return weighted * difference, lambda g: 2 * weighted * g


def _spike_steps(spk: Floats, count: int) -> NDArray[np.intp]:
    """Return the steps (count, batch, N) of the first spikes; the last step where there is none.

    As in snnTorch, a step with the n-th spike of any neuron, in any sample, is ignored where the
    next ones are looked for.
    """
    left = spk != 0
    steps = []
    for _ in range(count):
        steps.append(np.where(left.any(0), left.argmax(0), len(spk) - 1))
        left[np.unique(steps[-1])] = False
    return np.stack(steps)


class _Loss(ABC):
    """A loss of outputs and targets; subclasses are dataclasses, their fields snnTorch's."""

    reduction: str
    weight: Any

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            if hasattr(self, name):
                object.__setattr__(self, name, check(name, getattr(self, name)))

    def __call__(
        self, spk_out: ArrayLike, targets: ArrayLike, *, cot: ArrayLike | None = None
    ) -> tuple[Any, Floats]:
        """Return the loss and its gradient.

        Parameters
        ----------
        spk_out : array_like, shape (T, batch, classes)
            The outputs: spikes, or membrane potentials where the loss is of these. With
            ``population_code``, several outputs a class.
        targets : array_like of int, shape (batch,)
            Labels, from 0. `mse_temporal_loss` takes spike times as well, and
            `mse_membrane_loss` labels (T, batch).
        cot : array_like, of the loss's shape, optional
            The upstream gradient: that of what is computed from the loss, with respect to the
            loss. By default ones.

        Returns
        -------
        loss : float32 or float64, or ndarray of it
            A scalar. With ``reduction="none"`` shape (batch,) of cross-entropies, else
            (batch, classes), or (spikes, batch, classes) with ``multi_spike``.
        grad : ndarray, of the shape of `spk_out`
            The gradient of ``sum(cot * loss)`` with respect to `spk_out`.

        Raises
        ------
        TypeError
            If `spk_out` or `cot` are not real numbers, or labels not integers.
        ValueError
            If a shape is wrong or has a 0, or a label is none of the classes.
        """
        out = _outputs(spk_out)
        losses, pullback = self._losses(out, targets)
        loss = losses if self.reduction == "none" else getattr(losses, self.reduction)()
        g = _upstream(cot, loss)
        if self.reduction == "mean":
            g = g / losses.size
        return loss, pullback(np.broadcast_to(g, losses.shape))

    @abstractmethod
    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        """Return the losses before the reduction, and their pullback to the outputs."""

    def _weights(self, labels: NDArray[np.integer], num_classes: int, dtype: DTypeLike) -> Floats:
        """Return each label's weight, or a 1 for all."""
        if self.weight is None:
            return np.ones((), dtype)
        weights: Floats = _class_weights(self.weight, num_classes, dtype)[labels]
        return weights

    def _labelled_cross_entropy(
        self, logits: Floats, targets: ArrayLike
    ) -> tuple[Floats, Backward]:
        """Cross-entropies of logits (..., batch, classes) with labels (batch,)."""
        batch, num_classes = logits.shape[-2:]
        labels = _labels(targets, (batch,), num_classes)
        weight = self._weights(labels, num_classes, logits.dtype)
        return _cross_entropy(logits, labels, self._normalised(weight))

    def _normalised(self, weight: Floats) -> Floats:
        return weight


class _PopulationLoss(_Loss):
    """A loss that may sum the outputs of each class's population."""

    population_code: bool
    num_classes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_population(self.population_code, self.num_classes)

    def _populations(self, z: Floats) -> Floats:
        return _populations(z, self.population_code, self.num_classes)


# ---- cross-entropies ----


@dataclass(frozen=True, eq=False)
class ce_rate_loss(_PopulationLoss):
    """Cross-entropy at each step, averaged over the steps.

    Parameters
    ----------
    population_code : bool, default False
        Whether each class has several adjacent outputs, whose spikes are summed at each step.
    num_classes : int
        The number of classes, with `population_code`.
    reduction : {"mean", "sum", "none"}
        Over the samples.
    weight : array_like, shape (classes,), optional
        By which a sample's loss is multiplied, according to its label. ``"mean"`` divides by the
        number of samples, not by the sum of the weights.

    Notes
    -----
    snnTorch's loss fails with `population_code` and no `weight`, and with one sums no
    populations, but weights the outputs by two numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> loss_fn = SF.ce_rate_loss()
    >>> loss_fn
    ce_rate_loss(population_code=False, num_classes=False, reduction='mean', weight=None)
    >>> loss, grad = loss_fn(np.eye(3).reshape(3, 1, 3), [0])
    >>> loss.round(3)
    np.float64(1.218)
    >>> grad.sum(0).round(3)
    array([[-0.667,  0.333,  0.333]])
    """

    population_code: bool = False
    num_classes: int = False
    reduction: str = "mean"
    weight: Any = None

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        logits = self._populations(out)
        losses, pullback = self._labelled_cross_entropy(logits, targets)
        return losses.mean(0), lambda g: _to_outputs(pullback(g / len(out)), out.shape)


@dataclass(frozen=True, eq=False)
class ce_count_loss(_PopulationLoss):
    """Cross-entropy of the spike counts.

    Parameters
    ----------
    population_code : bool, default False
        Whether each class has several adjacent outputs, whose spikes are summed.
    num_classes : int
        The number of classes, with `population_code`.
    reduction : {"mean", "sum", "none"}
        Over the samples.
    weight : array_like, shape (classes,), optional
        By which a sample's loss is multiplied, according to its label. ``"mean"`` divides by the
        number of samples, not by the sum of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk_out = np.zeros((10, 1, 6), np.uint8)
    >>> spk_out[:4, 0, 5] = 1
    >>> loss, grad = SF.ce_count_loss(population_code=True, num_classes=3)(spk_out, [2])
    >>> loss.round(3)
    np.float32(0.036)
    >>> grad[0].round(3)
    array([[ 0.018,  0.018,  0.018,  0.018, -0.035, -0.035]], dtype=float32)
    """

    population_code: bool = False
    num_classes: int = False
    reduction: str = "mean"
    weight: Any = None

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        counts = self._populations(out.sum(0))
        losses, pullback = self._labelled_cross_entropy(counts, targets)
        return losses, lambda g: _to_outputs(pullback(g), out.shape)


@dataclass(frozen=True, eq=False)
class ce_max_membrane_loss(_Loss):
    """Cross-entropy of each output's highest membrane potential over the steps.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over the samples.
    weight : array_like, shape (classes,), optional
        By which a sample's loss is multiplied, according to its label. ``"mean"`` divides by the
        number of samples, not by the sum of the weights.

    Notes
    -----
    Where several steps have the highest potential, the first one gets the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> mem_out = np.array([[[0.1, 0.9]], [[0.5, 0.2]]])
    >>> loss, grad = SF.ce_max_membrane_loss()(mem_out, [1])
    >>> loss.round(3)
    np.float64(0.513)
    >>> grad[:, 0].round(2)
    array([[ 0. , -0.4],
           [ 0.4,  0. ]])
    """

    reduction: str = "mean"
    weight: Any = None

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        steps = out.argmax(0)[None]
        highest = np.take_along_axis(out, steps, 0)[0]
        losses, pullback = self._labelled_cross_entropy(highest, targets)
        return losses, lambda g: _to_steps(steps, pullback(g)[None], out.shape)


@dataclass(frozen=True, eq=False)
class ce_temporal_loss(_Loss):
    """Cross-entropy of the first spikes' times, inverted: the labelled class is to fire first.

    Parameters
    ----------
    inverse : {"negate", "reciprocal"}
        What is taken of the step k of an output's first spike (of the last step if it is
        silent): -k or 1/(k + 1).
    reduction : {"mean", "sum", "none"}
        Over the samples.
    weight : array_like, shape (classes,), optional
        By which a sample's loss is multiplied, according to its label. Here ``"mean"`` divides by
        the sum of the samples' weights, as torch's cross-entropy does.

    Notes
    -----
    The gradient of a spike's time is taken to be -1 at that step, or at the last one if there is
    no spike, and 0 elsewhere. A spike is whatever isn't 0; snnTorch multiplies k + 1 by its
    value.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk_out = np.eye(3)[:, None]  # output n fires at step n
    >>> loss, grad = SF.ce_temporal_loss()(spk_out, [0])
    >>> loss.round(3)
    np.float64(0.408)
    >>> np.diagonal(grad[:, 0]).round(3)
    array([-0.335,  0.245,  0.09 ])
    """

    inverse: str = "negate"
    reduction: str = "mean"
    weight: Any = None

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        steps = _spike_steps(out, 1)
        times = steps[0].astype(out.dtype)
        negate = self.inverse == "negate"
        early = -times if negate else 1 / (times + 1)
        slope = 1 if negate else early * early  # of `early` in a spike
        losses, pullback = self._labelled_cross_entropy(early, targets)
        return losses, lambda g: _to_steps(steps, (slope * pullback(g))[None], out.shape)

    def _normalised(self, weight: Floats) -> Floats:
        # so that the mean over the samples is one over the weights
        return weight / weight.mean() if self.reduction == "mean" else weight


# ---- squared errors ----


@dataclass(frozen=True, eq=False)
class mse_count_loss(_PopulationLoss):
    """Squared error of the spike counts, over the number of steps.

    Parameters
    ----------
    correct_rate, incorrect_rate : float, default 1 and 0
        The fraction of steps in which the labelled class, and each other one, is to fire. The
        target is a whole number of spikes, rounded down, of all the outputs of a class.
    population_code : bool, default False
        Whether each class has several adjacent outputs, whose spikes are summed.
    num_classes : int
        The number of classes, with `population_code`.
    reduction : {"mean", "sum", "none"}
        Over samples and classes.
    weight : array_like, shape (classes,), optional
        By which a sample's losses are multiplied, according to its label.

    Notes
    -----
    snnTorch multiplies the weight of sample n's label with the losses of class n, and fails
    unless there are as many samples as classes.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk_out = np.ones((10, 1, 2), bool)
    >>> loss, grad = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)(spk_out, [0])
    >>> loss.round(3)  # 10 spikes each instead of 8 and 2
    np.float32(3.4)
    >>> grad[0]
    array([[0.2, 0.8]], dtype=float32)
    """

    correct_rate: float = 1
    incorrect_rate: float = 0
    population_code: bool = False
    num_classes: int = False
    reduction: str = "mean"
    weight: Any = None

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        num_steps, batch, num_outputs = out.shape
        counts = self._populations(out.sum(0))
        num_classes = counts.shape[-1]
        labels = _labels(targets, (batch,), num_classes)
        on, off = (
            int(num_steps * rate * (num_outputs / num_classes))
            for rate in (self.correct_rate, self.incorrect_rate)
        )
        target = _on_off(labels, num_classes, on, off, out.dtype)
        weight = self._weights(labels, num_classes, out.dtype)
        losses, pullback = _squared_error(counts, target, weight)
        return losses / num_steps, lambda g: _to_outputs(pullback(g / num_steps), out.shape)


@dataclass(frozen=True, eq=False)
class mse_membrane_loss(_Loss):
    """Squared error of the membrane potentials, averaged over the steps.

    Parameters
    ----------
    time_var_targets : bool, default False
        Whether the labels change from step to step, and have shape (T, batch).
    on_target, off_target : float, default 1 and 0
        The potential that the labelled class, and each other one, is to have. If `on_target` is
        the greater, a negative `off_target` is 0, as in snnTorch.
    reduction : {"mean", "sum", "none"}
        Over samples and classes.
    weight : array_like, shape (classes,), optional
        By which a sample's losses are multiplied, according to its label.

    Notes
    -----
    snnTorch takes sample t's target at step t with `time_var_targets`, and fails with fewer
    samples than steps. It multiplies the weight of sample n's label with the losses of class n,
    and fails unless there are as many samples as classes.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> mem_out = np.full((4, 1, 2), 0.5, np.float32)
    >>> loss, grad = SF.mse_membrane_loss(on_target=1.5)(mem_out, [1])
    >>> loss
    np.float32(0.625)
    >>> grad[0]
    array([[ 0.125, -0.25 ]], dtype=float32)
    """

    time_var_targets: bool = False
    on_target: float = 1
    off_target: float = 0
    reduction: str = "mean"
    weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _number("on_target", self.on_target)
        _number("off_target", self.off_target)

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        num_steps, batch, num_classes = out.shape
        shape = (num_steps, batch) if self.time_var_targets else (batch,)
        labels = _labels(targets, shape, num_classes)
        target = _on_off(labels, num_classes, self.on_target, self.off_target, out.dtype)
        weight = self._weights(labels, num_classes, out.dtype)
        losses, pullback = _squared_error(out, target, weight)
        return losses.mean(0), lambda g: pullback(g / num_steps)


@dataclass(frozen=True, eq=False)
class mse_temporal_loss(_Loss):
    """Squared error of the first spikes' times, as a fraction of num_steps.

    Parameters
    ----------
    target_is_time : bool, default False
        Whether the targets are not labels, but the steps at which each output is to fire: an
        array_like that broadcasts to (batch, classes), or with `multi_spike` of shape
        (spikes, batch, classes).
    on_target, off_target : int, default 0 and -1
        The step at which the labelled class, and each other one, is to fire; with `multi_spike`
        sequences of as many steps. See the notes on negative ones.
    tolerance : int, default 0
        Errors of fewer steps than these count as none.
    multi_spike : bool, default False
        Whether several spikes have targets, not the first one only.
    reduction : {"mean", "sum", "none"}
        Over samples and classes, and spikes.
    weight : array_like, shape (classes,), optional
        By which a sample's losses are multiplied, according to its label.

    Notes
    -----
    A silent output counts as firing at the last step. The gradient of a spike's time is taken to
    be -1 at that step and 0 elsewhere; if several spikes of an output are missing, all count as at
    the last step, and only the last one's gradient is used. A spike is whatever isn't 0; snnTorch
    multiplies its step, counted from 1, by its value.

    As in snnTorch, a negative target is counted from the last step, but a negative `off_target`
    less than `on_target` is 0: with the defaults every output is to fire at step 0. Give the step
    itself, ``off_target=num_steps - 1``. And as there, with `multi_spike` a step with the n-th
    spike of any output, in any sample, is ignored where the next ones are looked for.

    snnTorch multiplies the weight of sample n's label with the losses of class n, and fails
    unless there are as many samples as classes; it also changes the targets that it is given.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk_out = np.zeros((10, 1, 2), np.float32)
    >>> spk_out[4, 0, 1] = 1
    >>> loss, grad = SF.mse_temporal_loss(on_target=2, off_target=9)(spk_out, [1])
    >>> loss.round(3)  # 4 instead of 2; and 9, as there is no spike
    np.float32(0.02)
    >>> grad[4].round(3)
    array([[ 0.  , -0.02]], dtype=float32)
    """

    target_is_time: bool = False
    on_target: Any = 0
    off_target: Any = -1
    tolerance: float = 0
    multi_spike: bool = False
    reduction: str = "mean"
    weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_is_time:
            if self.weight is not None:
                raise ValueError("weight is by label; expected None, as target_is_time=True")
            return
        check = _vector if self.multi_spike else _number
        for name in ("on_target", "off_target"):
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if np.size(self.on_target) != np.size(self.off_target):
            raise ValueError(
                f"off_target has {np.size(self.off_target)} spikes; "
                f"expected {np.size(self.on_target)}, as on_target has"
            )

    def _losses(self, out: Floats, targets: ArrayLike) -> tuple[Floats, Backward]:
        num_steps, batch, num_classes = out.shape
        if self.target_is_time:
            target = self._times(targets, out)
            weight = np.ones((), out.dtype)
        else:
            labels = _labels(targets, (batch,), num_classes)
            pairs = zip(np.atleast_1d(self.on_target), np.atleast_1d(self.off_target), strict=True)
            target = np.stack([_on_off(labels, num_classes, *pair, out.dtype) for pair in pairs])
            weight = self._weights(labels, num_classes, out.dtype)
        target = np.where(target < 0, num_steps + target, target)
        steps = _spike_steps(out, len(target))
        near = np.abs(steps - target) < self.tolerance
        times = np.where(near, target, steps).astype(out.dtype)
        losses, pullback = _squared_error(times / num_steps, target / num_steps, weight)
        return (
            losses if self.multi_spike else losses[0],
            lambda g: _to_steps(steps, pullback(-g / num_steps), out.shape),
        )

    def _times(self, targets: ArrayLike, out: Floats) -> Floats:
        """Return targets that are times, as (spikes, batch, classes)."""
        array = real_numbers("targets", targets).astype(out.dtype)
        shape = out.shape[1:]
        try:
            if not self.multi_spike:
                return np.broadcast_to(array, shape)[None]
            if array.ndim == 3 and len(array):
                return np.broadcast_to(array, (len(array), *shape))
        except ValueError:
            pass
        wanted = f"(spikes, {shape[0]}, {shape[1]})" if self.multi_spike else f"{shape}"
        raise ValueError(f"targets has shape {array.shape}; expected {wanted}")


# ---- and without targets ----


# ---- torch's losses, of anything ----


class _TorchLoss(ABC):
    """A loss of an output and a target of any shape, whose last axis is classes."""

    reduction: str
    weight: Any

    def __post_init__(self) -> None:
        for name in ("reduction", "weight"):
            object.__setattr__(self, name, _CHECKS[name](name, getattr(self, name)))

    def __call__(
        self, output: ArrayLike, target: ArrayLike, *, cot: ArrayLike | None = None
    ) -> tuple[Any, Floats]:
        """Return the loss and its gradient.

        Parameters
        ----------
        output : array_like, shape (..., classes)
            What the loss is of: mean or summed spikes, membrane potentials, of each step or not.
        target : array_like
            Labels (...) of `cross_entropy`, else of the shape of `output`.
        cot : array_like, of the loss's shape, optional
            The upstream gradient; by default ones.

        Returns
        -------
        loss : float32 or float64, or ndarray of it
            A scalar; with ``reduction="none"`` one for each label, or each number.
        grad : ndarray, of the shape of `output`
            The gradient of ``sum(cot * loss)`` with respect to `output`.

        Raises
        ------
        TypeError
            If an argument is not of real numbers, or labels are not integers.
        ValueError
            If a shape is wrong or has a 0, or a label is none of the classes.
        """
        array = real_numbers("output", output)
        if array.ndim == 0 or not array.size:
            raise ValueError(f"output has shape {array.shape}; expected (..., classes), without 0")
        array = _computing(array)
        losses, pullback, count = self._losses(array, target)
        loss = losses if self.reduction == "none" else losses.sum()
        if self.reduction == "mean":
            loss = loss / count
        loss = np.asarray(loss, array.dtype)[()]
        g = _upstream(cot, loss)
        if self.reduction == "mean":
            g = g / count
        return loss, pullback(np.broadcast_to(g, losses.shape)).astype(array.dtype, copy=False)

    @abstractmethod
    def _losses(self, out: Floats, target: ArrayLike) -> tuple[Floats, Backward, Any]:
        """Return the losses, their pullback, and by what a mean divides."""

    def _class_weights(self, num_classes: int, dtype: DTypeLike) -> Floats:
        if self.weight is None:
            return np.ones(num_classes, dtype)
        return _class_weights(self.weight, num_classes, dtype)

    def _target(self, out: Floats, target: ArrayLike) -> Floats:
        array = real_numbers("target", target)
        if array.shape != out.shape:
            raise ValueError(f"target has shape {array.shape}; expected {out.shape}")
        return array.astype(out.dtype)


@dataclass(frozen=True, eq=False)
class cross_entropy(_TorchLoss):
    """Cross-entropy of logits, such as mean spikes, or membrane potentials of each step.

    Parameters
    ----------
    weight : array_like, shape (classes,), optional
        By which a label's loss is multiplied. ``"mean"`` divides by the sum of these, as
        ``torch.nn.functional.cross_entropy`` does.
    reduction : {"mean", "sum", "none"}
        Over the labels.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk = np.zeros((4, 2, 3), np.float32)  # 4 steps, 2 samples, 3 classes
    >>> spk[:, 0, 1] = 1
    >>> loss, grad = SF.cross_entropy()(spk.mean(0), [1, 0])
    >>> loss.round(3), grad.shape
    (np.float32(0.825), (2, 3))
    >>> grad_spk = np.broadcast_to(grad / len(spk), spk.shape)  # of the mean's terms
    """

    weight: Any = None
    reduction: str = "mean"

    def _losses(self, out: Floats, target: ArrayLike) -> tuple[Floats, Backward, Any]:
        num_classes = out.shape[-1]
        labels = _labels(target, out.shape[:-1], num_classes)
        weight = self._class_weights(num_classes, out.dtype)[labels]
        losses, pullback = _cross_entropy(out, labels, weight)
        return losses, pullback, weight.sum(dtype=out.dtype)


@dataclass(frozen=True, eq=False)
class mse(_TorchLoss):
    """Squared error.

    Parameters
    ----------
    weight : array_like, shape (classes,), optional
        By which errors of a class are multiplied; ``"mean"`` divides by their number.
    reduction : {"mean", "sum", "none"}
        Over all numbers.

    Examples
    --------
    >>> import snnc.functional as SF
    >>> loss, grad = SF.mse()([[1.0, 3.0]], [[1.0, 1.0]])
    >>> loss, grad
    (np.float64(2.0), array([[0., 2.]]))
    """

    weight: Any = None
    reduction: str = "mean"

    def _losses(self, out: Floats, target: ArrayLike) -> tuple[Floats, Backward, Any]:
        weight = self._class_weights(out.shape[-1], out.dtype)
        difference = out - self._target(out, target)
        weighted = weight * difference
        return weighted * difference, lambda g: 2 * weighted * g, out.size


@dataclass(frozen=True, eq=False)
class binary_cross_entropy(_TorchLoss):
    """Cross-entropy of probabilities, such as mean spikes, with targets in [0, 1].

    Parameters
    ----------
    weight : array_like, shape (classes,), optional
        By which losses of a class are multiplied; ``"mean"`` divides by their number.
    reduction : {"mean", "sum", "none"}
        Over all numbers.
    logits : bool, default False
        Whether the output is of logits, whose probabilities are 1 / (1 + exp(-output)), as of
        torch's ``binary_cross_entropy_with_logits``.

    Notes
    -----
    As torch's, logarithms of probabilities are at least -100.

    Examples
    --------
    >>> import snnc.functional as SF
    >>> loss, grad = SF.binary_cross_entropy()([[0.5, 0.25]], [[1.0, 0.0]])
    >>> loss.round(4), grad.round(4)
    (np.float64(0.4904), array([[-1.    ,  0.6667]]))
    """

    weight: Any = None
    reduction: str = "mean"
    logits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("logits", self.logits)

    def _losses(self, out: Floats, target: ArrayLike) -> tuple[Floats, Backward, Any]:
        weight, t = self._class_weights(out.shape[-1], out.dtype), self._target(out, target)
        if t.min() < 0 or t.max() > 1:
            raise ValueError(f"target has {t.min():g} to {t.max():g}; expected 0 to 1")
        if self.logits:
            small = np.exp(-np.abs(out))
            losses = np.maximum(out, 0) - out * t + np.log1p(small)
            p = np.where(out >= 0, 1, small) / (1 + small)
            slope = p - t
        else:
            if not (out.min() >= 0 and out.max() <= 1):
                raise ValueError(
                    f"output has {out.min():g} to {out.max():g}; expected probabilities, 0 to 1, "
                    "or logits=True"
                )
            with np.errstate(divide="ignore"):
                logs = (np.maximum(np.log(part), -100) for part in (out, 1 - out))
                yes, no = logs
            losses = -(t * yes + (1 - t) * no)
            slope = (out - t) / np.maximum((1 - out) * out, out.dtype.type(1e-12))
        slope = (weight * slope).astype(out.dtype, copy=False)
        return weight * losses, lambda g: slope * g, out.size


@dataclass(frozen=True, eq=False)
class l1_rate_sparsity:
    """A penalty on the number of spikes: their sum times a factor.

    Parameters
    ----------
    Lambda : float, default 1e-5
        The factor.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> loss, grad = SF.l1_rate_sparsity(Lambda=0.25)(np.ones((3, 1, 2)))
    >>> loss
    np.float64(1.5)
    >>> grad[0]
    array([[0.25, 0.25]])
    """

    Lambda: float = 1e-5

    def __post_init__(self) -> None:
        _number("Lambda", self.Lambda)

    def __call__(self, spk_out: ArrayLike, *, cot: ArrayLike | None = None) -> tuple[Any, Floats]:
        """Return the loss and its gradient.

        Parameters
        ----------
        spk_out : array_like, shape (T, batch, classes)
            Spikes.
        cot : float, default 1
            The upstream gradient.

        Returns
        -------
        loss : float32 or float64
        grad : ndarray, of the shape of `spk_out`
        """
        out = _outputs(spk_out)
        factor = out.dtype.type(self.Lambda)
        loss = factor * out.sum()
        return loss, np.full_like(out, factor * _upstream(cot, loss))


# ---- accuracies ----


def accuracy_rate(
    spk_out: ArrayLike,
    targets: ArrayLike,
    population_code: bool = False,
    num_classes: int = False,
) -> Any:
    """Return the fraction of samples whose labelled class fires most (of ties the first).

    Parameters
    ----------
    spk_out : array_like, shape (T, batch, classes)
        Spikes.
    targets : array_like of int, shape (batch,)
        Labels, from 0.
    population_code : bool, default False
        Whether each class has several adjacent outputs, whose spikes are summed.
    num_classes : int
        The number of classes, with `population_code`.

    Returns
    -------
    float64
        Between 0 and 1.

    Raises
    ------
    TypeError
        If `spk_out` are not real numbers, or `targets` not integers.
    ValueError
        If a shape is wrong or has a 0, or a label is none of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk_out = np.zeros((5, 4, 2))
    >>> spk_out[:3, :, 1] = 1
    >>> SF.accuracy_rate(spk_out, [1, 1, 0, 1])
    np.float64(0.75)
    """
    _check_population(population_code, num_classes)
    counts = _populations(_outputs(spk_out).sum(0), population_code, num_classes)
    return np.mean(counts.argmax(1) == _labels(targets, counts.shape[:1], counts.shape[1]))


def accuracy_temporal(spk_out: ArrayLike, targets: ArrayLike) -> Any:
    """Return the fraction of samples whose labelled class fires first (of ties the first).

    Parameters
    ----------
    spk_out : array_like, shape (T, batch, classes)
        Spikes; a silent output counts as firing at the last step.
    targets : array_like of int, shape (batch,)
        Labels, from 0.

    Returns
    -------
    float64
        Between 0 and 1.

    Raises
    ------
    TypeError
        If `spk_out` are not real numbers, or `targets` not integers.
    ValueError
        If a shape is wrong or has a 0, or a label is none of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc.functional as SF
    >>> spk_out = np.eye(5)[:, None, ::-1]  # output n fires at step 4 - n
    >>> SF.accuracy_temporal(spk_out, [4])
    np.float64(1.0)
    """
    out = _outputs(spk_out)
    (steps,) = _spike_steps(out, 1)
    return np.mean(steps.argmin(1) == _labels(targets, steps.shape[:1], steps.shape[1]))
