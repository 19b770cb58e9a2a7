"""Spyx: its LIF neuron, the same as Leaky but for when spikes come out.

Spyx emits the spike of the incoming membrane, that is each spike one step later than snnTorch;
the last step's never comes. The check compares accordingly. Its other neurons have other
equations than snnTorch's. Its gradient also passes through the reset, unlike all others' here:
it is checked by equations of its own, with the same surrogate.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import jax
from flax import nnx
from spyx import axn, nn

from benchmarks.cells import BATCH
from benchmarks.peers.jax_scan import outputs, surrogate, training_ways, wait
from benchmarks.problem import PARAMETERS, Way

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from benchmarks.problem import Contenders, Problem, Training

EXACT = False


def split(n: int) -> Any:
    """Make a layer of n neurons: what is fixed, and its weights, of which beta is the only one."""
    parameters = PARAMETERS["Leaky"]
    return nnx.split(
        nn.LIF(
            (n,),
            parameters["beta"],
            parameters["threshold"],
            axn.custom(surrogate),
            rngs=nnx.Rngs(0),
        )
    )


@cache
def compiled_run(n: int) -> Callable[..., Any]:
    """Compile ``spyx.nn.run`` of a layer of n neurons."""
    graph, weights = split(n)

    @jax.jit
    def run(weights, x, state):
        return nn.run(nnx.merge(graph, weights), x, state)

    return partial(run, weights)


@cache
def compiled_training(n: int, with_beta: bool) -> Callable[..., Any]:
    """Compile a run forward and backward."""
    graph, weights = split(n)

    @partial(jax.jit, donate_argnames="earlier", keep_unused=True)
    def both(weights, x, grad_spk, earlier):
        def run(x, weights=weights):
            return nn.run(nnx.merge(graph, weights), x)[0]

        spk, backward = jax.vjp(run, *((x, weights) if with_beta else (x,)))
        return spk, *jax.tree.leaves(backward(grad_spk))

    return partial(both, weights)


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


def training(problem: Training) -> Contenders:
    """Offer the run."""
    cell = problem.cell
    x, grad_spk = jax.device_put((problem.x, problem.grad_spk))
    function = compiled_training(cell.n // BATCH, "beta" in cell.wrt)
    return {"Spyx": training_ways("run", function, x, grad_spk, late=1)}
