"""snnc itself: the public calls, and the private ones they end in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import private
from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.problem import Array, Contenders, Problem, Training

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


def forward_backward(
    neuron: Any,
    x: Array,
    grad_spk: Array,
    wrt: tuple[str, ...],
    checkpoint: int,
    spk_dtype: Any,
    latest: dict[str, Any],
) -> Any:
    """Do a run with ``grad=True``, and its backward pass, into the arrays of the last ones."""
    rec = latest["rec"] = neuron.run(
        x,
        record="spk",
        spk_dtype=spk_dtype,
        grad=True,
        checkpoint=checkpoint,
        out=latest.get("rec"),
    )
    gradients = neuron.backward(rec, spk=grad_spk, wrt=wrt, out=latest.get("grad_x"))
    latest["grad_x"] = gradients.x
    return rec, gradients


def training(problem: Training) -> Contenders:
    """Offer the public calls, with the membrane kept every 16th step, and at every step."""
    neuron, x, wrt = problem.neuron, problem.x, problem.cell.wrt

    def outputs(returned: Any) -> Outputs:
        rec, gradients = returned
        return Outputs(rec.spk, None, tuple(getattr(gradients, name) for name in wrt))

    ways = {}
    for checkpoint in (16, 1):
        for dtype in (np.float32, np.uint8):
            latest: dict[str, Any] = {}
            call = partial(
                forward_backward, neuron, x, problem.grad_spk, wrt, checkpoint, dtype, latest
            )
            ways[f"checkpoint={checkpoint}, {dtype.__name__}"] = Way(call, outputs)
    return {"snnc run, backward": ways}
