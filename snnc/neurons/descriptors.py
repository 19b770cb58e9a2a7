"""What is read and set on a neuron: parameters, options, the states that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np

from snnc import _core, surrogate
from snnc._arguments import flag, frozen, is_double, real_numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from snnc.neurons.base import SpikingNeuron

T = TypeVar("T")

_DEFAULT_SURROGATE = surrogate.atan(alpha=2.0)


class Parameter:
    """A parameter: read as a read-only array, set with validation and at once in effect.

    Its paragraph stands in the docstring of the class, too. One with a `default`, the name of
    another parameter, is that one's value where it is None.
    """

    kind = "float or array_like"

    def __init__(self, doc: str, default: str | None = None) -> None:
        self.__doc__ = doc
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, neuron: None, owner: type) -> Self: ...
    @overload
    def __get__(self, neuron: SpikingNeuron, owner: type) -> NDArray[Any]: ...
    def __get__(self, neuron: SpikingNeuron | None, owner: type) -> Self | NDArray[Any]:
        if neuron is None:
            return self
        parameters = neuron._parameters
        name = self._name
        return parameters[self.default if self.default and name not in parameters else name]

    def __set__(self, neuron: SpikingNeuron, value: ArrayLike | None) -> None:
        neuron._configure({self._name: value}, {})


class Option(Generic[T]):
    """An option; its paragraph stands in the docstring of the class, too."""

    kind: str  # as numpydoc writes it

    if TYPE_CHECKING:

        def checked(self, value: Any) -> Any:
            """Return the value as it is kept, or raise."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, neuron: None, owner: type) -> Self: ...
    @overload
    def __get__(self, neuron: SpikingNeuron, owner: type) -> T: ...
    def __get__(self, neuron: SpikingNeuron | None, owner: type) -> Self | T:
        if neuron is None:
            return self
        value: T = neuron._options[self._name]
        return value

    def __set__(self, neuron: SpikingNeuron, value: T) -> None:
        neuron._configure({}, {self._name: value})


class Flag(Option[bool]):
    """An option that is on or off."""

    kind = "bool"

    def checked(self, value: Any) -> bool:
        """Return True or False."""
        return flag(self._name, value)


class Choice(Option[T]):
    """An option that is one of some strings."""

    kind = "str"

    def __init__(self, doc: str, choices: tuple[Any, ...]) -> None:
        super().__init__(doc)
        self.choices = choices

    def checked(self, value: Any) -> Any:
        """Return one of the choices."""
        if isinstance(value, str) and value in self.choices:
            return value
        raise ValueError(f"{self._name}={value!r}; expected one of {', '.join(self.choices)}")


class SpikeGrad(Option["Callable[[Any], Any]"]):
    """The option that is a surrogate derivative; None stands for the default one."""

    kind = "callable"

    @overload
    def __get__(self, neuron: None, owner: type) -> Self: ...
    @overload
    def __get__(self, neuron: SpikingNeuron, owner: type) -> Callable[[Any], Any]: ...
    def __get__(self, neuron: SpikingNeuron | None, owner: type) -> Self | Callable[[Any], Any]:
        if neuron is None:
            return self
        value: Callable[[Any], Any] | None = neuron._options[self._name]
        return _DEFAULT_SURROGATE if value is None else value

    def __set__(self, neuron: SpikingNeuron, value: Callable[[Any], Any] | None) -> None:
        neuron._configure({}, {self._name: value})

    def checked(self, value: Any) -> Any:
        """Return a callable or None."""
        if value is not None and (not callable(value) or isinstance(value, type)):
            raise TypeError(f"{self._name}={value!r}; expected a callable, or None")
        return value


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

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._index = _core.models[owner.__name__][0].index(name)
        self.__doc__ = (
            f"The {name} that the neuron holds, with ``init_hidden=True``: a read-only copy. To "
            f"change a part of it: ``s = neuron.{name}.copy(); s[3] = 0; neuron.{name} = s``."
        )

    def _held(self, neuron: SpikingNeuron) -> tuple[Any, ...]:
        if neuron._held is None:
            raise holds_none(neuron, self._name)
        return neuron._held

    @overload
    def __get__(self, neuron: None, owner: type) -> Self: ...
    @overload
    def __get__(self, neuron: SpikingNeuron, owner: type) -> Any: ...
    def __get__(self, neuron: SpikingNeuron | None, owner: type) -> Any:
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
