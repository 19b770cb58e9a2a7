"""snnTorch: the loop over time of its tutorials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import snntorch
import torch
from snntorch import surrogate

from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.problem import Contenders, Problem, Training

EXACT = True


@torch.no_grad()
def step(neuron: Any, x: Any, states: tuple[Any, ...]) -> Any:
    """Do one step."""
    return neuron(x, *states)


@torch.no_grad()
def sequence(neuron: Any, x: Any, states: tuple[Any, ...], record_mem: bool) -> Any:
    """Step through a sequence, appending to lists."""
    spk_rec, mem_rec = [], []
    for x_t in x:
        spk, *states = neuron(x_t, *states)
        spk_rec.append(spk)
        mem_rec.append(states[-1])
    return torch.stack(spk_rec), torch.stack(mem_rec) if record_mem else None


def outputs(returned: Any) -> Outputs:
    """Return spikes and mem as arrays."""
    spk, mem = returned
    return Outputs(spk.numpy(), None if mem is None else mem.numpy())


def contenders(problem: Problem) -> Contenders:
    """Offer the loop for float32 and float spikes."""
    cell = problem.cell
    if cell.dtype != "float32" or not cell.output.startswith("float"):
        return {}
    if cell.model == "Lapicque" and cell.per_neuron:  # its constructor takes numbers only
        return {}
    torch.set_num_threads(problem.threads)
    names = {"Lapicque": ("R", "C"), "Leaky": ("beta",)}.get(cell.model, ("alpha", "beta"))
    parameters = {
        name: torch.from_numpy(np.array(getattr(problem.neuron, name), np.float32))
        for name in (*names, "threshold")
    }
    neuron = getattr(snntorch, cell.model)(**parameters)
    x = torch.from_numpy(problem.x)
    states = tuple(torch.from_numpy(state) for state in problem.initial_states())
    if not cell.steps:
        call = partial(step, neuron, x, states)
        return {"snnTorch": {"": Way(call, lambda r: Outputs(r[0].numpy(), None))}}
    return {"snnTorch": {"": Way(partial(sequence, neuron, x, states, cell.record_mem), outputs)}}


def forward_backward(neuron: Any, x: Any, mem: Any, grad_spk: Any, wrt: tuple[Any, ...]) -> Any:
    """Step through a sequence, and do the backward pass."""
    spk_rec = []
    for x_t in x:
        spk, mem = neuron(x_t, mem)
        spk_rec.append(spk)
    spk = torch.stack(spk_rec)
    return spk, torch.autograd.grad(spk, wrt, grad_spk)


def training(problem: Training) -> Contenders:
    """Offer the loop."""
    torch.set_num_threads(problem.threads)
    with_beta = "beta" in problem.cell.wrt
    neuron = snntorch.Leaky(
        float(problem.neuron.beta),
        float(problem.neuron.threshold),
        surrogate.atan(alpha=2.0),
        learn_beta=with_beta,
    )
    x = torch.from_numpy(problem.x).requires_grad_()
    wrt = (x, neuron.beta) if with_beta else (x,)
    mem, grad_spk = torch.zeros_like(x[0]), torch.from_numpy(problem.grad_spk)
    call = partial(forward_backward, neuron, x, mem.detach(), grad_spk, wrt)

    def outputs(returned: Any) -> Outputs:
        spk, gradients = returned
        return Outputs(spk.detach().numpy(), None, tuple(g.numpy() for g in gradients))

    return {"snnTorch": {"": Way(call, outputs)}}
