"""NumPy as one writes it first: an expression a line, each of which allocates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import equations
from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from benchmarks.cells import Cell
    from benchmarks.equations import Array, Constants, States
    from benchmarks.problem import Contenders, Problem

EXACT = True


def step(
    model: str, x: Array, states: States, constants: Constants, dtype: str
) -> tuple[Array, States]:
    """Do one step: spikes and states."""
    states = equations.step(model, x, states, constants)
    return (states[-1] > constants["threshold"]).astype(dtype), states


def sequence(
    cell: Cell, x: Array, states: States, constants: Constants
) -> tuple[Array, Array | None]:
    """Step through a sequence, appending to lists."""
    spk_rec, mem_rec = [], []
    for x_t in x:
        spk, states = step(cell.model, x_t, states, constants, cell.spk_dtype)
        spk_rec.append(spk)
        mem_rec.append(states[-1])
    return np.stack(spk_rec), np.stack(mem_rec) if cell.record_mem else None


def contenders(problem: Problem) -> Contenders:
    """Offer the loop; of sequences only with float spikes."""
    cell, x, constants = problem.cell, problem.x, problem.constants
    states = problem.initial_states()
    if not cell.output.startswith("float"):
        return {}
    if cell.steps:
        loop = partial(sequence, cell, x, states, constants)
        return {"plain NumPy": {"": Way(loop, lambda returned: Outputs(*returned))}}
    single = partial(step, cell.model, x, states, constants, cell.spk_dtype)
    return {"plain NumPy": {"": Way(single, lambda returned: Outputs(returned[0], None))}}
