"""The four models in plain NumPy, one line an equation: what spikes are checked against.

It is also the peer "plain NumPy": what one writes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
