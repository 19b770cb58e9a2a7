"""Optimizers for networks of `snnc.nn`, with PyTorch's names, defaults and arithmetic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from snnc import nn
from snnc._arguments import missing_names, real_numbers
from snnc.nn.sequential import first_places, keys_of, parameters_of, set_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[Any]

__all__ = ["SGD", "Adam", "AdamW", "clip_grad_norm"]

__getattr__ = missing_names(
    "snnc.optim",
    dict.fromkeys(("Adamax", "RMSprop", "Adagrad"), "the optimizers are SGD, Adam and AdamW")
    | {
        "lr_scheduler": "assign to the optimizer's lr",
        "clip_grad_norm_": "write grads, norm = clip_grad_norm(grads, max_norm)",
    },
)


class _Optimizer(ABC):
    """What optimizers share: a network, and an update of each of its parameters."""

    weight_decay = 0.0  # of those that were pickled before there was one

    def __init__(self, net: nn.Sequential, lr: float) -> None:
        if not isinstance(net, nn.Sequential):
            raise TypeError(f"net={net!r}; expected an snnc.nn.Sequential")
        _at_least("lr", lr, 0)
        self.net = net
        self.lr = float(lr)  # may be assigned, as a schedule does
        self._state: dict[str, Any] = {}

    def step(self, grads: Mapping[str, Floats]) -> None:
        """Change the parameters, given their gradients from the network's ``backward``.

        Raises
        ------
        TypeError
            If a gradient is not an array of real numbers, or `lr` not a number.
        ValueError
            If a key is not one of the network's parameters (a layer that is in several places
            has the keys of the first), a shape differs, or a neuron can't have the value that
            follows. Nothing is changed then.
        """
        if not hasattr(grads, "items"):
            raise TypeError(f"grads={grads!r}; expected a dict, as the network's backward returns")
        _at_least("lr", self.lr, 0)
        leaves = self.net._leaves()
        places = first_places(leaves)
        keys = keys_of(leaves)
        new: dict[str, dict[str, Floats]] = {}
        state = dict(self._state)
        for key, grad in grads.items():
            if key not in keys:
                raise ValueError(f"grads: {key!r} is no parameter of the network")
            name, parameter = keys[key]
            value = parameters_of(leaves[name])[parameter]
            if places[name] != name:
                raise ValueError(
                    f"grads: {key!r} is of layer {places[name]!r}, which is in two places: its "
                    f"gradient is '{places[name]}.{parameter}'"
                )
            given = real_numbers(f"grads: {key}", grad)
            if given.shape != value.shape:
                raise ValueError(f"grads: {key} has shape {given.shape}; expected {value.shape}")
            own = np.array(given, value.dtype)
            change, state[key] = self._change(own, value, state.get(key))
            if change.shape != value.shape:  # the state is of what was there before
                change, state[key] = self._change(own, value, None)
            new.setdefault(name, {})[parameter] = (value - change).astype(value.dtype)
        set_all(leaves, new)
        self._state = state

    def __repr__(self) -> str:
        shown = ((name, value) for name, value in vars(self).items() if not name.startswith("_"))
        net, *others = (f"{name}={value!r}" for name, value in shown)
        return f"{type(self).__name__}({', '.join((net, *others))})"

    @abstractmethod
    def _change(self, grad: Floats, value: Floats, state: Any) -> tuple[Floats, Any]:
        """Return what is to be subtracted from a parameter, and the new state for it."""


def _at_least(name: str, value: float, least: float) -> None:
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}={value!r}; expected a number")
    if not value >= least:
        raise ValueError(f"{name}={value!r}; expected at least {least}")


class SGD(_Optimizer):
    """Stochastic gradient descent, with momentum.

    Parameters
    ----------
    net : Sequential
        The network whose parameters it changes.
    lr : float, default 1e-3
        The learning rate.
    momentum : float, default 0
        Momentum factor.
    weight_decay : float, default 0
        How many times a parameter is added to its gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> net = snnc.nn.Sequential(snnc.nn.Linear(2, 1, rng=0), snnc.Leaky(0.9, learn_beta=True))
    >>> optimizer = snnc.optim.SGD(net, lr=0.1)
    >>> optimizer.step({"1.beta": np.float32(1.0)})
    >>> round(float(net["1"].beta), 6)
    0.8
    """

    def __init__(
        self,
        net: nn.Sequential,
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(net, lr)
        _at_least("momentum", momentum, 0)
        _at_least("weight_decay", weight_decay, 0)
        self.momentum, self.weight_decay = float(momentum), float(weight_decay)

    def _change(self, grad: Floats, value: Floats, state: Any) -> tuple[Floats, Any]:
        if self.weight_decay:
            grad = grad + value * self.weight_decay
        if self.momentum and state is not None:
            grad = state * self.momentum + grad
        return grad * self.lr, grad if self.momentum else None


class Adam(_Optimizer):
    """The Adam optimizer.

    Parameters
    ----------
    net : Sequential
        The network whose parameters it changes.
    lr : float, default 1e-3
        The learning rate.
    betas : tuple of float, default (0.9, 0.999)
        Decay rates of the running averages of gradients and of their squares.
    eps : float, default 1e-8
        Added to the denominator.
    weight_decay : float, default 0
        How many times a parameter is added to its gradient.

    References
    ----------
    .. [1] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> net = snnc.nn.Sequential(snnc.nn.Linear(2, 1, rng=0), snnc.Leaky(0.9, learn_beta=True))
    >>> optimizer = snnc.optim.Adam(net, lr=0.01)
    >>> optimizer.step({"1.beta": np.float32(123.0)})
    >>> round(float(net["1"].beta), 6)
    0.89
    """

    def __init__(
        self,
        net: nn.Sequential,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(net, lr)
        if not isinstance(betas, (tuple, list)) or not all(isinstance(b, Real) for b in betas):
            raise TypeError(f"betas={betas!r}; expected two numbers in [0, 1)")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas={betas!r}; expected two numbers in [0, 1)")
        _at_least("eps", eps, 0)
        _at_least("weight_decay", weight_decay, 0)
        self.betas = (float(betas[0]), float(betas[1]))
        self.eps, self.weight_decay = float(eps), float(weight_decay)

    def _change(self, grad: Floats, value: Floats, state: Any) -> tuple[Floats, Any]:
        if self.weight_decay:
            grad = grad + value * self.weight_decay
        return self._adam(grad, state)

    def _adam(self, grad: Floats, state: Any) -> tuple[Floats, Any]:
        beta1, beta2 = self.betas
        zero = np.zeros_like(grad)
        step, mean, square = state or (0, zero, zero)
        step += 1
        mean = mean + (grad - mean) * (1 - beta1)
        square = square * beta2 + (grad * grad) * (1 - beta2)
        root = np.sqrt(square) / math.sqrt(1 - beta2**step) + self.eps
        return mean / root * (self.lr / (1 - beta1**step)), (step, mean, square)


class AdamW(Adam):
    """The Adam optimizer, whose weight decay is no part of the gradient.

    Parameters
    ----------
    net, lr, betas, eps
        As of `Adam`.
    weight_decay : float, default 0.01
        By how many times `lr` a parameter decays in a step.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> net = snnc.nn.Sequential(snnc.nn.Linear(2, 1, rng=0), snnc.Leaky(0.9, learn_beta=True))
    >>> optimizer = snnc.optim.AdamW(net, lr=0.01)
    >>> optimizer.step({"1.beta": np.float32(123.0)})
    >>> round(float(net["1"].beta), 6)
    0.88991
    """

    def __init__(
        self,
        net: nn.Sequential,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(net, lr, betas, eps, weight_decay)

    def _change(self, grad: Floats, value: Floats, state: Any) -> tuple[Floats, Any]:
        change, state = self._adam(grad, state)
        return change + value * (self.lr * self.weight_decay), state


def clip_grad_norm(
    grads: Mapping[str, Floats], max_norm: float, norm_type: float = 2.0
) -> tuple[dict[str, Floats], float]:
    """Scale gradients down, so that all together have at most a norm.

    Parameters
    ----------
    grads : mapping of str to ndarray
        What a network's ``backward`` returned; it stays as it is.
    max_norm : float
        The largest norm.
    norm_type : float, default 2.0
        Of which norm; ``inf`` is the largest absolute value.

    Returns
    -------
    clipped : dict of ndarray
        The gradients, times ``max_norm / (norm + 1e-6)`` where that is below 1.
    norm : float
        The norm that they had.

    Raises
    ------
    TypeError, ValueError
        If a gradient or an argument is not of real numbers, or one is negative.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> grads = {"a": np.array([3.0]), "b": np.array(4.0)}
    >>> grads, norm = snnc.optim.clip_grad_norm(grads, 1.0)
    >>> norm, grads["a"].round(3)
    (5.0, array([0.6]))
    """
    _at_least("max_norm", max_norm, 0)
    _at_least("norm_type", norm_type, 0)
    arrays = {key: real_numbers(f"grads: {key}", grad) for key, grad in grads.items()}
    flat = [np.abs(array, dtype=np.float64).ravel() for array in arrays.values()]
    norm = float(np.linalg.norm(np.concatenate(flat), norm_type)) if flat else 0.0
    factor = max_norm / (norm + 1e-6)
    factor = 1.0 if factor >= 1 else factor  # NaN stays
    clipped = {}
    for key, array in arrays.items():
        real = array if array.dtype.kind == "f" else array.astype(np.float64)
        clipped[key] = np.asarray(real * real.dtype.type(factor))
    return clipped, norm
