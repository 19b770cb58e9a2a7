"""Spyx: its LIF neuron, the same as Leaky but for when spikes come out.

Spyx emits the spike of the incoming membrane, that is each spike one step later than snnTorch;
the last step's never comes. The check compares accordingly. Its other neurons have other
equations than snnTorch's.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import jax
from flax import nnx
from spyx import nn

from benchmarks.peers.jax_scan import outputs, wait
from benchmarks.problem import PARAMETERS, Way

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from benchmarks.problem import Contenders, Problem

EXACT = False


@cache
def compiled_run(n: int) -> Callable[..., Any]:
    """Compile ``spyx.nn.run`` of a layer of n neurons."""
    parameters = PARAMETERS["Leaky"]
    layer = nn.LIF((n,), parameters["beta"], parameters["threshold"], rngs=nnx.Rngs(0))
    graph, weights = nnx.split(layer)

    @jax.jit
    def run(weights, x, state):
        return nn.run(nnx.merge(graph, weights), x, state)

    return partial(run, weights)


def contenders(problem: Problem) -> Contenders:
    """Offer the sequence of Leaky neurons, float32 spikes only, a batch of one."""
    cell = problem.cell
    if (cell.model, cell.dtype, cell.output) != ("Leaky", "float32", "float"):
        return {}
    if not cell.steps or cell.per_neuron:
        return {}
    x, state = jax.device_put((problem.x[:, None], problem.initial_states()[0][None]))
    call = partial(wait, compiled_run(cell.n), x, state)
    return {"Spyx": {"": Way(call, outputs, late=1)}}
