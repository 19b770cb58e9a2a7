"""What is read and set on a neuron: parameters, options, the states that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snnc._arguments import frozen, is_double, real_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from snnc.neurons.base import SpikingNeuron


class Parameter:
    """A parameter: read as a read-only array, set with validation and at once in effect.

    Its paragraph stands in the docstring of the class, too.
    """

    kind = "float or array_like"

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        return self if neuron is None else neuron._parameters[self._name]

    def __set__(self, neuron: SpikingNeuron, value: ArrayLike) -> None:
        neuron._configure({self._name: value}, {})


class Option:
    """An option: a flag, or the name of a reset mechanism."""

    kind = "bool"

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        return self if neuron is None else neuron._options[self._name]

    def __set__(self, neuron: SpikingNeuron, value: Any) -> None:
        neuron._configure({}, {self._name: value})


def holds_none(neuron: SpikingNeuron, state: str) -> AttributeError:
    """Return the error for a state of a neuron that holds none."""
    neuron._configuration  # noqa: B018  # an error, where __init__ was left out
    return AttributeError(
        f"this {type(neuron).__name__} holds no {state}: each call returns its states (or let the "
        "neuron hold them: init_hidden=True)",
        name=state,
        obj=neuron,
    )


class StateDescriptor:
    """A state that the neuron holds (init_hidden=True): a read-only copy out, validated in."""

    def __init__(self, name: str, index: int) -> None:
        self._name = name
        self._index = index
        self.__doc__ = (
            f"The {name} that the neuron holds, with ``init_hidden=True``: a read-only copy. To "
            f"change a part of it: ``s = neuron.{name}.copy(); s[3] = 0; neuron.{name} = s``."
        )

    def _held(self, neuron: SpikingNeuron) -> tuple[Any, ...]:
        if neuron._held is None:
            raise holds_none(neuron, self._name)
        return neuron._held

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        if neuron is None:
            return self
        state = self._held(neuron)[self._index]
        if state is None:
            state = neuron._rest()[self._index]
        return state if isinstance(state, float) else frozen(np.array(state))

    def __set__(self, neuron: SpikingNeuron, value: ArrayLike) -> None:
        held = list(self._held(neuron))
        state = real_numbers(self._name, value)
        if type(value) in (bool, int, float):
            held[self._index] = float(state)  # doesn't say in which dtype to compute
        else:
            wide = is_double(state) or state.dtype.kind in neuron._wide
            held[self._index] = state.astype(np.float64 if wide else np.float32)
        neuron._held = tuple(held)
