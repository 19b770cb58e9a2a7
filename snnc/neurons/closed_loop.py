"""Closed loops: neurons whose spikes, times weights, are a part of their later input."""

from __future__ import annotations

import copy
import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnc import _core
from snnc._arguments import frozen, missing
from snnc.neurons.base import Configuration, SpikingNeuron
from snnc.neurons.descriptors import StateDescriptor
from snnc.neurons.lif import LIF, Undrawn, computing_dtype, operand
from snnc.neurons.projection import same

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar, Self

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out
    from snnc.neurons.projection import Projection
    from snnc.recording import Recording


class _Derived(NamedTuple):
    """What a run of a closed loop asks of its configuration."""

    inner: Configuration  # of the neuron itself, whose shapes include those of the weights


@functools.lru_cache(64)
def state_type(names: tuple[str, ...]) -> Any:
    """Return the named tuple of states, which pickles by its names."""

    def __reduce__(state: Any) -> Any:
        return _state, (names, tuple(state))

    return type("State", (namedtuple("State", names),), {"__reduce__": __reduce__})


def _state(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return state_type(names)(*values)


class ClosedLoop(SpikingNeuron):
    """The base class of neurons in a closed loop: a neuron and its projections."""

    neuron: SpikingNeuron
    _loop: tuple[tuple[Projection, ...], Floats | None]  # projections and bias
    _made: tuple[Any, Any, Configuration] | None  # of which neuron and loop, and what
    _kept: tuple[Any, ...] | None  # the states that it holds
    _prepares: ClassVar = True
    _past_name: ClassVar[str]  # in errors

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} is a base class: use Recurrent")

    # ---- configuration ----

    def _connect(
        self, neuron: SpikingNeuron, projections: tuple[Projection, ...], bias: Floats | None
    ) -> None:
        """Set everything, or raise and change nothing."""
        if bias is not None:
            bias = frozen(bias)
        self._build(neuron._configuration, projections, bias)
        put = object.__setattr__
        put(self, "neuron", neuron)
        put(self, "_loop", (projections, bias))
        put(self, "_made", None)
        put(self, "_kept", None)
        put(self, "_indirect", True)

    def _build(
        self, inner: Configuration, projections: tuple[Projection, ...], bias: Floats | None
    ) -> Configuration:
        sizes = [p._size for p in projections] + [
            len(a) for a in (bias, *(p.decay for p in projections)) if a is not None and a.ndim
        ]
        known = {n for n in sizes if n is not None}
        if len(known) > 1:
            raise ValueError(
                f"projections and bias are of {', '.join(map(str, sorted(known)))} neurons; "
                "expected one number of them"
            )
        cell = _core.recurrence(
            self._inner_cell(inner),
            bias,
            tuple(
                (p._weights.capsule, p.delay, p.decay if np.any(p.decay) else None)
                for p in projections
            ),
            self._past_name,
        )
        own = self._own_parameters(projections, bias)
        with_row = inner
        if known:
            row = np.broadcast_to(0.0, tuple(known))
            with_row = inner._replace(parameters={**inner.parameters, "row": row})
        return Configuration({**inner.parameters, **own}, inner.options, cell, _Derived(with_row))

    def _inner_cell(self, inner: Configuration) -> Any:
        """Return the core's view of the neuron."""
        return inner.cell

    def _own_parameters(
        self, projections: tuple[Projection, ...], bias: Floats | None
    ) -> dict[str, Any]:
        """Name the parameters beside the neuron's."""
        raise NotImplementedError

    @property
    def _configuration(self) -> Configuration:  # type: ignore[override]
        try:
            neuron, loop, made = self.neuron, self._loop, self._made
        except AttributeError:
            raise TypeError(
                f"{type(self).__name__}.__init__ must call super().__init__() before all else"
            ) from None
        inner = neuron._configuration
        if made is None or made[0] is not inner or made[1] is not loop:
            made = (inner, loop, self._build(inner, *loop))
            object.__setattr__(self, "_made", made)
        return made[2]

    @property
    def _held(self) -> tuple[Any, ...] | None:
        if not self._configuration.options["init_hidden"]:
            object.__setattr__(self, "_kept", None)
            return None
        if self._kept is None:
            object.__setattr__(self, "_kept", self._held_rest())
        return self._kept

    @_held.setter
    def _held(self, states: tuple[Any, ...] | None) -> None:
        object.__setattr__(self, "_kept", states)

    def _configure(self, parameters: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        own = self._own_parameters(*self._loop)
        changed = {name: value for name, value in parameters.items() if name in own}
        others = {name: value for name, value in parameters.items() if name not in own}
        loop = self._changed_loop(changed) if changed else self._loop
        self._build(self.neuron._configuration, *loop)
        if others or options:
            self.neuron._configure(others, options)
        object.__setattr__(self, "_loop", loop)

    def _changed_loop(self, values: Mapping[str, Any]) -> Any:
        """Return projections and bias with new values of some parameters."""
        raise NotImplementedError

    def _take(self, other: Self) -> None:
        self.neuron._take(other.neuron)
        object.__setattr__(self, "_loop", other._loop)

    def _independent(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        own = self._own_parameters(*self._loop)
        inner = {name: value for name, value in parameters.items() if name not in own}
        return {
            **self.neuron._independent(inner),
            **{name: value for name, value in parameters.items() if name in own},
        }

    def _dt(self, configuration: Configuration) -> Any:
        return self.neuron._dt(configuration.derived.inner)

    @property
    def _no_checkpoints(self) -> tuple[None, ...]:  # type: ignore[override]
        return (None,) * (len(self.neuron.states) + len(self._loop[0]) + 2)

    # ---- attributes ----

    def _state_descriptor(self, name: str) -> StateDescriptor:
        descriptor = StateDescriptor()
        descriptor._name, descriptor._index = name, self.states.index(name)
        return descriptor

    def _missing(self, name: str) -> Any:
        """Find what the loop or its neuron has."""
        if "neuron" in self.__dict__:
            if name in self.states:
                return self._state_descriptor(name).__get__(self, type(self))
            if name in (own := self._own_parameters(*self._loop)):
                return own[name]
            if not name.startswith("_") and hasattr(type(self.neuron), name):
                return getattr(self.neuron, name)
        raise missing(f"a {type(self).__name__}", name, None, self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.states:
            self._state_descriptor(name).__set__(self, value)
        elif name in self._own_parameters(*self._loop):
            self._configure({name: value}, {})
        elif name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        elif name != "neuron" and hasattr(type(self.neuron), name):
            setattr(self.neuron, name, value)
        else:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r} to set", name=name, obj=self
            )

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, ClosedLoop):
            return NotImplemented
        (mine, bias), (others, other_bias) = self._loop, other._loop
        return bool(self.neuron == other.neuron and mine == others and same(bias, other_bias))

    __hash__ = None

    def __getstate__(self) -> dict[str, Any]:
        return {"neuron": self.neuron, "_loop": self._loop, "_kept": self._kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._connect(copy.copy(state["neuron"]), *state["_loop"])
        object.__setattr__(self, "_kept", state["_kept"])

    # ---- calls ----

    def _prepare(
        self,
        configuration: Configuration,
        x: Any,
        begin: tuple[Any, ...],
        holds: bool,
        num_steps: Any,
        time_axis: int,
        dtype: Any,
        rng: Any,
    ) -> tuple[Any, tuple[Any, ...], Any, Any]:
        neuron = self.neuron
        if rng is None and not neuron._prepares:
            return x, begin, num_steps, dtype
        own, others = self._split(begin)
        if rng is not None:
            x, own, others, dtype = self._as_noise_needs("x", x, own, others, dtype)
        inner = configuration.derived.inner
        x, own, num_steps, dtype = neuron._prepare(
            inner, x, own, holds, num_steps, time_axis, dtype, rng
        )
        return x, (*own, *others), num_steps, dtype

    def _split(self, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split states into the neuron's and the loop's."""
        count = len(self.neuron.states)
        own = states[:count]
        if all(state is None for state in own):
            own = self.neuron._nothing
        return own, states[count:]

    def _as_noise_needs(
        self, name: str, x: Any, own: tuple[Any, ...], others: tuple[Any, ...], dtype: Any
    ) -> tuple[Any, tuple[Any, ...], tuple[Any, ...], Any]:
        """Convert all operands, as the dtype of noise depends on all, and say which it is."""
        count = len(own)
        names = self.states
        if not isinstance(self.neuron, LIF) or not self._configuration.derived.inner.derived.noisy:
            return x, own, others, dtype
        x = operand(name, x)
        states = tuple(
            state if state is None else operand(each, state)
            for each, state in zip(names, (*own, *others), strict=True)
        )
        given = (state for state in states if state is not None)
        return x, states[:count], states[count:], computing_dtype((x, *given), dtype)

    def _call(
        self,
        input_: ArrayLike,
        *states: ArrayLike | None,
        out: Out = None,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
        **named_states: ArrayLike | None,
    ) -> Any:
        configuration, held = self._configuration, self._held
        named = self._name_states(states, named_states, "a call")
        if held is not None:
            self._refuse_states(named.items())
        start = tuple(named.get(name) for name in self.states) if held is None else held
        if rng is None and not self.neuron._prepares:
            return self._step_from(configuration, held, input_, start, out, dtype)
        own, others = self._split(start)
        with Undrawn(rng):
            x, own, others, dtype = self._as_noise_needs("input_", input_, own, others, dtype)
            x, own, dtype = self.neuron._prepare_step(
                configuration.derived.inner, x, own, held is not None, dtype, rng
            )
            start = (*own, *others)
            held = None if held is None else start
            return self._step_from(configuration, held, x, start, out, dtype)

    def _run(self, x: Any, *arguments: Any) -> Recording:
        if arguments[-1] is None:
            return super()._run(x, *arguments)
        with Undrawn(arguments[-1]):
            return super()._run(x, *arguments)

    def _interval(self, configuration: Configuration, grad: Any, checkpoint: Any) -> int:
        raise ValueError(f"grad={grad!r}: a {type(self).__name__} has no gradient")
