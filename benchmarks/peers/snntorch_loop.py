"""snnTorch: the loop over time of its tutorials, without gradients."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import snntorch
import torch

from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.problem import Contenders, Problem

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
