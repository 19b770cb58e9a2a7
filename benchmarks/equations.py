"""The four models in plain NumPy, one line an equation: what spikes are checked against.

It is also the peer "plain NumPy": what one writes first. And Leaky's gradients, in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]
    States = tuple[Array, ...]
    Constants = Mapping[str, Array]


def leaky(x: Array, states: States, c: Constants) -> States:
    """Leaky, subtracting the threshold."""
    (mem,) = states
    reset = mem > c["threshold"]
    return ((c["beta"] * mem + x) - reset * c["threshold"],)


def lapicque(x: Array, states: States, c: Constants) -> States:
    """Lapicque, subtracting the threshold."""
    (mem,) = states
    reset = mem > c["threshold"]
    return ((x * c["R"] * c["q"] * c["dt"] + c["keep"] * mem) - reset * c["threshold"],)


def synaptic(x: Array, states: States, c: Constants) -> States:
    """Synaptic, subtracting the threshold."""
    syn, mem = states
    reset = mem > c["threshold"]
    syn = c["alpha"] * syn + x
    return syn, (c["beta"] * mem + syn) - reset * c["threshold"]


def alpha(x: Array, states: States, c: Constants) -> States:
    """Alpha, reset to zero."""
    exc, inh, mem = states
    reset = mem > c["threshold"]
    exc = c["alpha"] * exc + x
    inh = c["beta"] * inh - x
    mem = c["tau"] * (exc + inh)
    return exc - exc * reset, inh - inh * reset, mem - mem * reset


MODELS = {f.__name__.capitalize(): f for f in (leaky, lapicque, synaptic, alpha)}


def step(model: str, x: Array, states: States, constants: Constants) -> States:
    """Return the states after a step; a neuron fires where the last one exceeds its threshold."""
    return MODELS[model](x, states, constants)


def leaky_gradients(
    x: Array, spk: Array, grad_spk: Array, c: Constants, through_reset: bool = False
) -> dict[str, tuple[Array, float]]:
    """Return gradients of x and beta, in float64, and what their errors are relative to.

    The membrane is computed from the given spikes: one that differs by rounding would change all
    later steps. Their surrogate is snnTorch's arctangent with alpha=2. Errors are relative to the
    largest entry, and for beta, which is a sum, to that of its terms' magnitudes.
    """
    beta, threshold = (float(c[name]) for name in ("beta", "threshold"))
    mem = np.zeros((len(x) + 1, *x.shape[1:]))  # mem[t] is before step t
    for t, x_t in enumerate(x):
        mem[t + 1] = beta * mem[t] + x_t - (threshold * spk[t - 1] if t else 0)
    grad_x = np.empty(x.shape)
    grad_mem = np.zeros(x.shape[1:])
    grad_beta = size = 0.0
    for t in reversed(range(len(x))):
        surrogate = 1 / (1 + (np.pi * (mem[t + 1] - threshold)) ** 2)
        kept = beta - threshold * surrogate if through_reset else beta
        grad_mem = grad_x[t] = grad_spk[t] * surrogate + kept * grad_mem
        terms = grad_mem * mem[t]
        grad_beta += terms.sum()
        size += np.abs(terms).sum()
    return {"x": (grad_x, np.abs(grad_x).max()), "beta": (np.array(grad_beta), size)}
