"""Optimizers for networks of `snnc.nn`, with PyTorch's names, defaults and arithmetic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from snnc import nn
from snnc._arguments import missing_names, real_numbers
from snnc.nn.sequential import keys_of, parameters_of, set_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[Any]

__all__ = ["SGD", "Adam"]

__getattr__ = missing_names(
    "snnc.optim",
    dict.fromkeys(("AdamW", "Adamax", "RMSprop", "Adagrad"), "the optimizers are SGD and Adam")
    | {"lr_scheduler": "assign to the optimizer's lr"},
)


class _Optimizer(ABC):
    """What optimizers share: a network, and an update of each of its parameters."""

    def __init__(self, net: nn.Sequential, lr: float) -> None:
        if not isinstance(net, nn.Sequential):
            raise TypeError(f"net={net!r}; expected an snnc.nn.Sequential")
        _at_least("lr", lr, 0)
        self.net = net
        self.lr = float(lr)
        self._state: dict[str, Any] = {}

    def step(self, grads: Mapping[str, Floats]) -> None:
        """Change the parameters, given their gradients from the network's ``backward``.

        Raises
        ------
        TypeError
            If a gradient is not an array of real numbers.
        ValueError
            If a key is not one of the network's parameters (a layer that is in several places
            has the keys of the first), a shape differs, or a neuron can't have the value that
            follows. Nothing is changed then.
        """
        if not hasattr(grads, "items"):
            raise TypeError(f"grads={grads!r}; expected a dict, as the network's backward returns")
        places, leaves = self.net._first_places(), self.net._leaves()
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
            change, state[key] = self._change(np.array(given, value.dtype), state.get(key))
            new.setdefault(name, {})[parameter] = (value - change).astype(value.dtype)
        set_all(leaves, new)
        self._state = state

    def __repr__(self) -> str:
        shown = ((name, value) for name, value in vars(self).items() if not name.startswith("_"))
        net, *others = (f"{name}={value!r}" for name, value in shown)
        return f"{type(self).__name__}({', '.join((net, *others))})"

    @abstractmethod
    def _change(self, grad: Floats, state: Any) -> tuple[Floats, Any]:
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

    def __init__(self, net: nn.Sequential, lr: float = 1e-3, momentum: float = 0.0) -> None:
        super().__init__(net, lr)
        _at_least("momentum", momentum, 0)
        self.momentum = float(momentum)

    def _change(self, grad: Floats, state: Any) -> tuple[Floats, Any]:
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
    ) -> None:
        super().__init__(net, lr)
        if not isinstance(betas, (tuple, list)) or not all(isinstance(b, Real) for b in betas):
            raise TypeError(f"betas={betas!r}; expected two numbers in [0, 1)")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas={betas!r}; expected two numbers in [0, 1)")
        _at_least("eps", eps, 0)
        self.betas = (float(betas[0]), float(betas[1]))
        self.eps = float(eps)

    def _change(self, grad: Floats, state: Any) -> tuple[Floats, Any]:
        beta1, beta2 = self.betas
        zero = np.zeros_like(grad)
        step, mean, square = state or (0, zero, zero)
        step += 1
        mean = mean + (grad - mean) * (1 - beta1)
        square = square * beta2 + (grad * grad) * (1 - beta2)
        root = np.sqrt(square) / math.sqrt(1 - beta2**step) + self.eps
        return mean / root * (self.lr / (1 - beta1**step)), (step, mean, square)
