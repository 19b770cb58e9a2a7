"""All that the benchmarks know of snnc's private parts: one place to follow its changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc import _core, _threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def state_names(model: str) -> tuple[str, ...]:
    """Return the names of a model's states; the last is "mem"."""
    return _core.models[model][0]


def constants(neuron: Any, dtype: str) -> dict[str, Array]:
    """Derive what the equations of a neuron use; the threshold comes first."""
    derived = neuron._constants(neuron._parameters, neuron._options, dtype)
    names = _core.models[type(neuron).__name__][1]
    return {
        name: np.asarray(derived[name], dtype)
        for name in names
        if name != "graded_spikes_factor"  # 1 in all cells
    }


def step(neuron: Any, x: Array, states: tuple[Array, ...], spk: Array) -> partial[Any]:
    """Return the private call of one step in place."""
    return partial(_core.step, neuron._cell, x, (spk, *states), None, False, *states)


def run(
    neuron: Any, x: Array, states: tuple[Array, ...], spk: Array, mem: Array | None, spk_dtype: Any
) -> partial[Any]:
    """Return the private call of a sequence, in place and into given arrays."""
    record: tuple[int, ...] = (0,)
    arrays: tuple[Array, ...] = (spk,)
    if mem is not None:
        record += (len(_core.records) + len(states) - 1,)
        arrays += (mem,)
    return partial(
        _core.run,
        neuron._cell,
        x,
        False,  # the neuron holds no states
        states,
        None,  # num_steps
        0,  # time_axis
        record,
        1,  # every
        0,  # first_step
        None,  # neurons
        spk_dtype,
        (arrays, states, (None,) * len(states), None),
        None,  # dtype
        _threads.num_threads,
        0,  # checkpoint: no gradients
    )
