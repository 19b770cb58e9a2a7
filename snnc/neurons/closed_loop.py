"""Closed loops: neurons whose spikes, times weights, are a part of their later input."""

from __future__ import annotations

import copy
import functools
from collections import namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnc import _backward_loop, _core
from snnc._arguments import frozen, missing
from snnc.neurons.base import Configuration, SpikingNeuron
from snnc.neurons.descriptors import Option, Parameter, StateDescriptor
from snnc.neurons.lif import LIF, Undrawn, computing_dtype, operand
from snnc.neurons.projection import Projection, same
from snnc.recording import Loop, Tape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import ClassVar, Self

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out
    from snnc.recording import Gradients, Recording


class _Derived(NamedTuple):
    """What a run of a closed loop asks of its configuration."""

    inner: Configuration  # of the neuron itself, whose shapes include those of the weights
    cell: Any  # the core's view of the neuron
    model: str  # of which it is one


class Parameters(Mapping[str, Any]):
    """Parameters by name. A projection stands for its sparse weights.

    Their `data`, in the order of rows, is put together each time that it is asked for: it is as
    large as the matrix, which is kept once.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        return value.weight.data if isinstance(value, Projection) else value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def after(self, others: Mapping[str, Any]) -> Parameters:
        """Return others and these."""
        return Parameters({**others, **self._values})


@functools.lru_cache(64)
def state_type(names: tuple[str, ...]) -> Any:
    """Return the named tuple of states, which pickles by its names."""

    def __reduce__(state: Any) -> Any:
        return _state, (names, tuple(state))

    return type("State", (namedtuple("State", names),), {"__reduce__": __reduce__})


def _state(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return state_type(names)(*values)


def _check_row(parameters: Mapping[str, Floats], size: int) -> None:
    for name, array in parameters.items():
        if array.ndim and array.shape[-1] not in (1, size):
            raise ValueError(
                f"{name} has shape {array.shape}; expected one that broadcasts with a row of "
                f"{size} neurons"
            )


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
        """Set everything of a new object."""
        if bias is not None:
            bias = frozen(bias)
        put = object.__setattr__
        put(self, "neuron", neuron)
        self._build(neuron._configuration, projections, bias)
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
        inner_cell = self._inner_cell(inner)
        cell = _core.recurrence(
            inner_cell,
            bias,
            tuple(
                (p._weights.capsule, p.delay, p.decay if p.decay.ndim or p.decay else None)
                for p in projections
            ),
            self._past_name,
        )
        own = self._own_parameters(projections, bias)
        with_row = inner
        if known:
            _check_row(inner.parameters, *known)
            row = np.broadcast_to(0.0, tuple(known))
            with_row = inner._replace(parameters={**inner.parameters, "row": row})
        derived = _Derived(with_row, inner_cell, self._core_model(inner))
        return Configuration(own.after(inner.parameters), inner.options, cell, derived)

    def _core_model(self, inner: Configuration) -> str:
        """Name the model that the core steps."""
        return self.neuron._name

    def _inner_cell(self, inner: Configuration) -> Any:
        """Return the core's view of the neuron."""
        return inner.cell

    def _own_parameters(
        self, projections: tuple[Projection, ...], bias: Floats | None
    ) -> Parameters:
        """Name the parameters beside the neuron's."""
        raise NotImplementedError

    @property
    def _configuration(self) -> Configuration:  # type: ignore[override]  # read-only
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
        tried = copy.copy(self.neuron)  # as a neuron that doesn't fit should stay as it is
        if others or options:
            tried._configure(others, options)
        self._build(tried._configuration, *loop)
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
    def _no_checkpoints(self) -> tuple[None, ...]:  # type: ignore[override]  # read-only
        return (None,) * (len(self.neuron.states) + len(self._loop[0]) + 3)

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
        elif isinstance(own := getattr(type(self.neuron), name, None), Parameter):
            self._configure({name: value}, {})
        elif isinstance(own, Option):
            self._configure({}, {name: value})
        elif not type(self).__module__.startswith("snnc."):  # subclasses may have their own
            object.__setattr__(self, name, value)
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
        return {**self.__dict__, "_made": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._connect(copy.copy(state["neuron"]), *state["_loop"])
        made, own = self._made, {**state}
        own["neuron"], own["_made"] = self.neuron, made
        self.__dict__.update(own)

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
        inner = self._inner_for(configuration, others, holds)
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

    def _inner_for(
        self, configuration: Configuration, others: tuple[Any, ...], holds: bool
    ) -> Configuration:
        """Return the neuron's configuration, as wide as the states of the loop make it.

        Noise is drawn for each neuron. States that are held must fit, and widen nothing.
        """
        inner: Configuration = configuration.derived.inner
        if holds or all(state is None for state in others):
            return inner
        past, *currents = map(np.shape, others)
        row = inner.parameters["row"].shape if "row" in inner.parameters else ()
        try:
            wide = np.broadcast_to(0.0, np.broadcast_shapes(row, past[1:], *currents))
        except ValueError:  # which the core will say
            return inner
        return inner._replace(parameters={**inner.parameters, "row": wide})

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
            inner = self._inner_for(configuration, others, held is not None)
            x, own, dtype = self.neuron._prepare_step(inner, x, own, held is not None, dtype, rng)
            start = (*own, *others)
            held = None if held is None else start
            return self._step_from(configuration, held, x, start, out, dtype)

    def _run(self, x: Any, *arguments: Any) -> Recording:
        if arguments[-1] is None:
            return super()._run(x, *arguments)
        with Undrawn(arguments[-1]):
            return super()._run(x, *arguments)

    # ---- gradients ----

    @property
    def learned(self) -> tuple[str, ...]:
        """The names of the parameters that training changes."""
        if not hasattr(self.neuron, "learned"):
            return ()  # there is no gradient
        return (*self.neuron.learned, *self._learned_of_loop())

    def _learned_of_loop(self) -> tuple[str, ...]:
        """Name those of the loop."""
        raise NotImplementedError

    @property
    def _start_names(self) -> tuple[str, ...]:  # type: ignore[override]  # read-only
        return tuple(f"{name}0" for name in self.states)

    def _interval(self, configuration: Configuration, grad: Any, checkpoint: Any) -> int:
        self.neuron._interval(configuration, grad, checkpoint)
        return 1  # all states are kept

    def _tape(self, configuration: Configuration, *kept: Any) -> Tape:
        *others, checkpoints, interval = kept
        _, cell, model = configuration.derived
        count = len(_core.models[model][0])
        states, (past, *currents, total, fired) = checkpoints[:count], checkpoints[count:]
        loop = Loop(*self._loop, past, tuple(currents), total, fired)
        tape: Any = Tape  # of which type checkers count the arguments
        made: Tape = tape(model, cell, configuration.parameters, *others, states, interval, loop)
        return made

    def _checkpoints_of(self, tape: Tape) -> tuple[Any, ...]:
        loop = tape.loop
        if loop is None or len(loop.currents) != len(self._loop[0]):
            return self._no_checkpoints
        return (*tape.checkpoints, loop.past, *loop.currents, loop.total, loop.fired)

    def backward(
        self,
        rec: Recording,
        spk: ArrayLike | None = None,
        *states: ArrayLike | None,
        wrt: str | Iterable[str] | None = None,
        out: Floats | None = None,
        num_threads: int | None = None,
        **named_states: ArrayLike | None,
    ) -> Gradients:
        """Backpropagate through a run, and through the loop.

        Parameters
        ----------
        rec : Recording
            Of this neuron, with ``run(..., grad=True)``, which keeps the states, the input and
            the spikes of all steps, whatever `checkpoint` says.
        spk, *states, **named_states : array_like, optional
            The gradients of the loss with respect to each spike, to the neuron's states and to
            the currents, as for a neuron without a loop.
        wrt : str or iterable of str, optional
            Which gradients to compute: ``"x"``, the start states (``"mem0"``, ...), and the names
            of parameters, those of the neuron and those of the loop; by default all.
        out : ndarray, optional
            As for a neuron without a loop.
        num_threads : int, optional
            As for `run`. Products with dense weights are BLAS's, which has threads of its own.

        Returns
        -------
        Gradients
            As for a neuron without a loop. Those of sparse weights are of the `data` of the
            projection's ``weight``, whose rows are sorted by column. Of weights that aren't
            sparse, inf times a gradient of 0 is NaN, though a neuron that doesn't spike adds
            nothing.

        Raises
        ------
        TypeError, ValueError
            As for a neuron without a loop; if the neuron has no gradient.
        """
        named = self._name_upstream(states, named_states)
        return _backward_loop.backward(self, rec, spk, named, wrt, out, num_threads)

    def _name_upstream(
        self, states: tuple[Any, ...], named_states: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Name the upstream gradients of states."""
        named = self._name_states(states, named_states, "backward")
        if named.get("past") is not None:
            raise ValueError("past: spikes have one upstream gradient, spk")
        return named

    def _name_past(self, gradient: Floats) -> dict[str, Any]:
        """Name the gradient of the spikes under way before a run, the newest first."""
        return {"past0": gradient}

    def _loop_gradients(
        self, gradients: _backward_loop.LoopGradients, names: Iterable[str]
    ) -> dict[str, Any]:
        """Compute the gradients of those parameters of the loop."""
        raise NotImplementedError
