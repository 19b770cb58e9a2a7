"""snnc itself: the public calls, and the private ones they end in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import private
from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.problem import Contenders, Problem

EXACT = True


def contenders(problem: Problem) -> Contenders:
    """Offer the private call, the public one in place, and for steps the one that allocates."""
    neuron, x, states, spk = problem.neuron, problem.x, problem.states, problem.spk
    cell = problem.cell
    if not cell.steps:
        in_place = partial(neuron, x, *states, out=(spk, *states))
        allocating = partial(neuron, x, *problem.initial_states())
        return {
            "snnc _core.step": {"": Way(private.step(neuron, x, states, spk))},
            "snnc out=": {"": Way(in_place)},
            "snnc": {"": Way(allocating, lambda returned: Outputs(returned[0], None))},
        }
    spk_dtype = "packed" if cell.packed else getattr(np, cell.spk_dtype)
    out: dict[str, Any] = {"spk": spk, "state": states}
    record: tuple[str, ...] = ("spk",)
    if problem.mem is not None:
        out["mem"] = problem.mem
        record += ("mem",)
    public = partial(neuron.run, x, *states, record=record, spk_dtype=spk_dtype, out=out)
    core = private.run(neuron, x, states, spk, problem.mem, spk_dtype)
    found = {"snnc run": {"": Way(public)}, "snnc _core.run": {"": Way(core)}}
    if problem.threads > 1:  # to compare with, in the same process
        one = partial(public.func, *public.args, **public.keywords, num_threads=1)
        found["snnc run, 1 thread"] = {"": Way(one)}
    return found
