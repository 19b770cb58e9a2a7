"""JAX: ``jax.lax.scan``, compiled by XLA, which contracts to fused multiply-adds.

So a few spikes differ. Inputs are on the device and results stay there.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from benchmarks.problem import Contenders, Problem, Training

EXACT = False

UNROLLS = (1, 4)


def leaky(x, states, threshold, beta):
    """Return the states of Leaky neurons after a step."""
    (mem,) = states
    return (beta * mem + x - jnp.where(mem > threshold, threshold, 0),)


def lapicque(x, states, threshold, R, q, dt, keep):
    """Return the states of Lapicque neurons after a step."""
    (mem,) = states
    return (x * R * q * dt + keep * mem - jnp.where(mem > threshold, threshold, 0),)


def synaptic(x, states, threshold, alpha, beta):
    """Return the states of Synaptic neurons after a step."""
    syn, mem = states
    syn = alpha * syn + x
    return syn, beta * mem + syn - jnp.where(mem > threshold, threshold, 0)


def alpha(x, states, threshold, alpha, beta, tau):
    """Return the states of Alpha neurons after a step."""
    exc, inh, mem = states
    keep = mem <= threshold
    exc = alpha * exc + x
    inh = beta * inh - x
    return tuple(jnp.where(keep, v, 0) for v in (exc, inh, tau * (exc + inh)))


MODELS = {f.__name__.capitalize(): f for f in (leaky, lapicque, synaptic, alpha)}


@cache
def compiled_step(model: str) -> Callable[..., Any]:
    """Compile a step: spikes and states."""

    @jax.jit
    def step(x, states, parameters):
        states = MODELS[model](x, states, *parameters)
        return (states[-1] > parameters[0]).astype(x.dtype), states

    return step


@cache
def compiled_scan(model: str, spk_dtype: str, record_mem: bool, unroll: int) -> Callable[..., Any]:
    """Compile a scan: spikes, mem or None, and final states."""

    @jax.jit
    def scan(x, states, parameters):
        def body(states, x_t):
            states = MODELS[model](x_t, states, *parameters)
            spk = (states[-1] > parameters[0]).astype(spk_dtype)
            return states, (spk, states[-1] if record_mem else None)

        states, (spk, mem) = jax.lax.scan(body, states, x, unroll=unroll)
        return spk, mem, states

    return scan


def wait(function: Callable[..., Any], *args: Any) -> Any:
    """Call, and wait for the spikes, with which all results come: JAX returns before."""
    returned = function(*args)
    returned[0].block_until_ready()
    return returned


def outputs(returned: Any) -> Outputs:
    """Return the spikes alone: mem differs in its last bits."""
    return Outputs(np.asarray(returned[0]), None)


def contenders(problem: Problem) -> Contenders:
    """Offer the scan for float32 and all outputs but packed ones and uint8 with mem."""
    cell = problem.cell
    if cell.dtype != "float32" or cell.output in ("packed", "uint8+mem"):
        return {}
    x, states, parameters = jax.device_put(
        (problem.x, problem.initial_states(), tuple(problem.constants.values()))
    )
    if not cell.steps:
        call = partial(wait, compiled_step(cell.model), x, states, parameters)
        return {"JAX": {"": Way(call, outputs)}}
    return {
        "JAX": {
            f"unroll={unroll}": Way(
                partial(
                    wait,
                    compiled_scan(cell.model, cell.spk_dtype, cell.record_mem, unroll),
                    x,
                    states,
                    parameters,
                ),
                outputs,
            )
            for unroll in UNROLLS
            if unroll <= cell.steps
        }
    }


# ---- with gradients ----


def surrogate(excess):
    """Return snnTorch's arctangent, alpha=2."""
    return 1 / (1 + (jnp.pi * excess) ** 2)


@jax.custom_vjp
def spike(excess):
    """Return a spike where the threshold is exceeded."""
    return (excess > 0).astype(excess.dtype)


spike.defvjp(lambda e: (spike(e), e), lambda e, grad: (grad * surrogate(e),))


def spikes(x, beta, threshold):
    """Scan; what is compared for the reset passes no gradient on."""

    def body(mem, x_t):
        (mem,) = leaky(x_t, (mem,), threshold, beta)
        return mem, spike(mem - threshold)

    return jax.lax.scan(body, jnp.zeros_like(x[0]), x)[1]


@jax.custom_vjp
def spikes_by_hand(x, beta, threshold):
    """Scan, with a backward pass written by hand."""
    return _forward(x, beta, threshold)[0]


def _forward(x, beta, threshold):
    def body(mem, x_t):
        (mem,) = leaky(x_t, (mem,), threshold, beta)
        return mem, (mem, (mem > threshold).astype(x.dtype))

    mem, spk = jax.lax.scan(body, jnp.zeros_like(x[0]), x)[1]
    return spk, (mem, beta, threshold)


def _backward(kept, grad_spk):
    mem, beta, threshold = kept

    def body(grad, given):
        grad = given + beta * grad
        return grad, grad

    given = grad_spk * surrogate(mem - threshold)
    grad_x = jax.lax.scan(body, jnp.zeros_like(mem[0]), given, reverse=True)[1]
    return grad_x, (grad_x[1:] * mem[:-1]).sum(), None


spikes_by_hand.defvjp(_forward, _backward)


@cache
def compiled_training(function: Callable[..., Any], with_beta: bool) -> Callable[..., Any]:
    """Compile a scan forward and backward: spikes, and the gradients of x, and of beta.

    They may take the place of earlier ones.
    """

    @partial(jax.jit, donate_argnames="earlier", keep_unused=True)
    def both(x, threshold, beta, grad_spk, earlier):
        if with_beta:
            spk, backward = jax.vjp(partial(function, threshold=threshold), x, beta)
        else:
            spk, backward = jax.vjp(lambda x: function(x, beta, threshold), x)
        return spk, *backward(grad_spk)

    return both


def into(function: Callable[..., Any], earlier: list[Any], *args: Any) -> Any:
    """Call and wait, putting spikes and the gradient of x where the last call's are."""
    returned = wait(function, *args, earlier)
    earlier[:] = returned[:2]
    return returned


def training_ways(
    name: str, function: Callable[..., Any], *args: Any, late: int = 0
) -> dict[str, Way]:
    """Offer a function that takes earlier results last: with them, and without."""

    def outputs(returned: Any) -> Outputs:
        spk, *gradients = map(np.asarray, returned)
        return Outputs(spk, None, tuple(gradients))

    earlier = [jnp.zeros_like(args[0]) for _ in range(2)]
    return {
        name: Way(partial(wait, function, *args, []), outputs, late),
        f"{name}, donated": Way(partial(into, function, earlier, *args), outputs, late),
    }


def training(problem: Training) -> Contenders:
    """Offer both scans. Unrolled they are three times slower, with jax.checkpoint slower too."""
    args = jax.device_put((problem.x, *problem.constants.values(), problem.grad_spk))
    with_beta = "beta" in problem.cell.wrt
    found: dict[str, Way] = {}
    for name, function in (("autodiff", spikes), ("by hand", spikes_by_hand)):
        found |= training_ways(name, compiled_training(function, with_beta), *args)
    return {"JAX": found}
