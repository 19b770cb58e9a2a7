"""The neuron models: parameters, options and states; the arithmetic on neurons is in C.

Each class derives the constants that its step uses in one function, `_constants`, whenever a
parameter is set. Equations: snnc.h, or each class's docstring.
"""

from __future__ import annotations

import functools
import warnings
from collections import namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnc import _core, _threads, surrogate
from snnc._arguments import (
    MOST_SHOWN,
    at_least_one,
    index,
    is_double,
    missing,
    real_numbers,
    shown,
)
from snnc.recording import Gradients, Recording, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import ClassVar, Self

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Floats = NDArray[Any]

__all__ = ["Alpha", "Lapicque", "Leaky", "SpikingNeuron", "Synaptic"]

_LONGEST_INTERVAL = 1 << 16  # steps: what an interrupt waits for in the backward pass
_DEFAULT_SURROGATE = surrogate.atan(alpha=2.0)
_ZERO = np.zeros(())
_INTS = {int, bool}

_STATES = {name for states, *_ in _core.models.values() for name in states}

# What torch's modules have, and what to write here.
_OF_MODULES = {
    "forward": "call it: neuron(input_, ...), or neuron.run(x) for a sequence",
    "parameters": "its parameters are attributes, as neuron.threshold; learned names those that "
    "training changes",
    "state_dict": "snnc.nn.Sequential(neuron).state_dict() has its parameters; pickle keeps all",
    "load_state_dict": "snnc.nn.Sequential(neuron).load_state_dict sets its parameters",
    "detach_hidden": "there is no graph to detach from; reset_mem() puts it to rest",
    "reset_hidden": "write reset_mem(), or snnc.utils.reset(net)",
    "mem_reset": "the reset is a part of each step",
    "fire": "the test for a spike is a part of each step",
    "backward": "there is no gradient of this model",
    **dict.fromkeys(("to", "cpu", "cuda"), "its arrays are NumPy's, on the CPU"),
    **dict.fromkeys(("train", "eval"), "it is the same in training and evaluation"),
    "requires_grad_": "gradients are asked for by run(..., grad=True)",
    "zero_grad": "backward returns gradients, none are kept",
}

_OF_LIF = {
    "tau_m": "write beta=exp(-dt/tau_m), or use snnc.LIF",
    "dt": "write beta=exp(-dt/tau_m), or use snnc.LIF",
    "v_threshold": "write threshold",
    "t_ref": "snnc.LIF has a refractory time",
}
_OF_LEAKY = {"alpha": "snnc.Synaptic has a synaptic current, which decays by alpha"}
_OF_OTHERS = {**_OF_LIF, "graded_spikes_factor": "only snnc.Leaky has one"}

_CALL_DOC = """
    Calls
    -----
    ``spk, {states} = neuron(input_, {states})`` does one step.

    input_ : array_like
        The weighted input of this step. It, the states and the parameters broadcast to the
        neuron shape.
    {states} : array_like
        The states after the last step; at first those of ``reset_mem()``. A neuron that holds
        its states (``init_hidden=True``) takes none.
    out : tuple of (ndarray or None), optional
        Arrays to fill, in the order of what is returned; None allocates. They must have exactly
        the neuron shape and the computing dtype and be C-contiguous. A state's own array may
        be its output: then it is updated in place.
    dtype : {{float32, float64}}, optional
        The dtype to compute in; by default float64 if the input or a state is, else float32.
        Python's own numbers and the parameters have no say in it.

    It returns spikes (0 or 1) and the states after this step, as arrays of the neuron shape, or
    as NumPy scalars where that is (); of a neuron that holds its states the spikes only, unless
    ``output=True``. A missing state, a state given to a neuron that holds its own, and an operand
    that is not an array of real numbers are a TypeError; shapes that don't broadcast, and an
    `out` that is not as described, a ValueError.

    >>> lif = snnc.{example}
    >>> {states} = lif.reset_mem()
    >>> spk, {states} = lif(np.zeros(3, np.float32), {states})
    >>> spk
    array([0., 0., 0.], dtype=float32)
    """


def _real(name: str, value: Any) -> Floats:
    """Copy a number or an array of real numbers: float32 as it is, others as float64."""
    array = real_numbers(name, value)
    return array.astype(np.float32 if array.dtype.type is np.float32 else np.float64)


def _frozen(array: Floats) -> Floats:
    """Return a read-only view, which can't be made writeable: its base is read-only too."""
    array.flags.writeable = False
    return array.view()


def _cast(parameters: dict[str, Floats], dtype: DTypeLike) -> dict[str, Floats]:
    return {name: np.asarray(array, dtype) for name, array in parameters.items()}


def _check_shapes(parameters: dict[str, Floats]) -> None:
    try:
        np.broadcast_shapes(*(array.shape for array in parameters.values()))
    except RuntimeError:
        pass  # more dimensions than this function takes: the core compares them as well
    except ValueError:
        listed = ", ".join(f"{name} {array.shape}" for name, array in parameters.items())
        raise ValueError(f"parameters don't broadcast with each other: {listed}") from None


def _plain(array: Floats) -> Any:
    """Return a number of Python's where it is one, else the array."""
    return array.item() if array.ndim == 0 else array


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r}; expected True or False")
    return bool(value)


def _refuse_quantisation(state_quant: Any) -> None:
    if state_quant is not False:
        raise ValueError(
            f"state_quant={state_quant!r} is not supported, only False: snnc does not quantise "
            "states"
        )


def _is_packed(spk_dtype: Any) -> bool:
    """Whether it says "packed", without asking code of the object's own."""
    return issubclass(type(spk_dtype), str) and str.__eq__(spk_dtype, "packed") is True


@functools.lru_cache(64)
def _columns(
    states: tuple[str, ...], names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Check the names to record; with each one's place in the core's order."""
    order = (*_core.records, *states)
    for name in names:
        if name not in order:
            raise ValueError(f"record: {name!r} is none of {', '.join(order)}")
    if len(set(names)) < len(names):
        raise ValueError(f"record={names!r} names something twice")
    indices = tuple(order.index(name) for name in names)
    return tuple(order[i] for i in indices), indices  # of str, whatever class was given


class Configuration(NamedTuple):
    """What a neuron computes with.

    It is replaced as a whole, so what is read of it at once belongs together, whatever another
    thread assigns meanwhile.
    """

    parameters: dict[str, Floats]
    options: dict[str, Any]
    cell: Any  # the core's view of them
    derived: Any  # what else a model asks of them at every run


class _Parameter:
    """A parameter: read as a read-only array, set with validation and at once in effect."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        return self if neuron is None else neuron._parameters[self._name]

    def __set__(self, neuron: SpikingNeuron, value: ArrayLike) -> None:
        neuron._configure({self._name: value}, {})


class _Option:
    """An option: a flag, or the name of a reset mechanism."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        return self if neuron is None else neuron._options[self._name]

    def __set__(self, neuron: SpikingNeuron, value: Any) -> None:
        neuron._configure({}, {self._name: value})


def _holds_none(neuron: SpikingNeuron, state: str) -> AttributeError:
    neuron._configuration  # noqa: B018  # an error, where __init__ was left out
    return AttributeError(
        f"this {type(neuron).__name__} holds no {state}: each call returns its states (or let the "
        "neuron hold them: init_hidden=True)",
        name=state,
        obj=neuron,
    )


class _State:
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
            raise _holds_none(neuron, self._name)
        return neuron._held

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        if neuron is None:
            return self
        state = self._held(neuron)[self._index]
        if state is None:
            state = neuron._rest()[self._index]
        return state if isinstance(state, float) else _frozen(np.array(state))

    def __set__(self, neuron: SpikingNeuron, value: ArrayLike) -> None:
        held = list(self._held(neuron))
        state = real_numbers(self._name, value)
        if type(value) in (bool, int, float):
            held[self._index] = float(state)  # doesn't say in which dtype to compute
        else:
            wide = is_double(state) or state.dtype.kind in neuron._wide
            held[self._index] = state.astype(np.float64 if wide else np.float32)
        neuron._held = tuple(held)


class _Signature:
    """The signature of a neuron's calls: the base class, in C, has none of its own."""

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        import inspect

        if neuron is None:
            return None
        own = type(neuron).__call__ is _core.Neuron.__call__
        return inspect.signature(neuron._call if own else neuron.__call__)


class SpikingNeuron(_core.Neuron):
    """The base class of the neuron models: what they share, and nothing to instantiate."""

    states: ClassVar[tuple[str, ...]]
    """The names of the states, in the order in which calls take and return them."""

    State: ClassVar[Any]

    _name: ClassVar[str]  # of the model in the core's table, of subclasses too
    _start_names: ClassVar[tuple[str, ...]]  # of gradients: mem0, ...

    _example: ClassVar[str]  # the arguments of a constructor, for the docstring
    _choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # of options that aren't flags
    _optional: ClassVar[frozenset[str]] = frozenset()  # parameters that may be None
    _instead: ClassVar[Mapping[str, str]] = {}  # of names of other models: what to write here
    _wide: ClassVar[str] = ""  # kinds of dtypes that compute in float64, beside float64
    _prepares: ClassVar[bool] = False  # whether a run needs `_prepare`
    _default: ClassVar[tuple[tuple[str, ...], tuple[int, ...]]]  # what is recorded
    _nothing: ClassVar[tuple[None, ...]]

    init_hidden = _Option("Whether the neuron holds its states itself.")
    output = _Option("Whether a call returns the states too if the neuron holds them.")

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable
    __signature__ = _Signature()

    _configuration: Configuration
    _call: Any  # what the base class calls where a step needs more than arithmetic

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse a keyword of another model's constructor with what to write instead."""
        if cls.__name__ in _core.models:  # subclasses may have their own
            for name in kwargs.keys() & cls._instead.keys():
                raise TypeError(f"{cls.__name__} has no {name}: {cls._instead[name]}")
        return super().__new__(cls)

    def __init__(self) -> None:
        raise TypeError(
            f"{type(self).__name__} is a base class: use one of {', '.join(_core.models)}"
        )

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__name__ in _core.models and not hasattr(cls, "states"):
            cls._name = cls.__name__
            cls.states = _core.models[cls.__name__][0]
            cls._start_names = tuple(f"{name}0" for name in cls.states)
            for index, name in enumerate(cls.states):
                setattr(cls, name, _State(name, index))
            state: Any = namedtuple("State", cls.states, module=cls.__module__)  # type: ignore[misc]
            cls.State = state
            cls._default = _columns(cls.states, ("spk", *cls._recorded()))
            cls._nothing = (None,) * len(cls.states)
            cls.State.__qualname__ = f"{cls.__qualname__}.State"
            cls._call.__name__ = "__call__"  # as errors name it
            cls._call.__qualname__ = f"{cls.__qualname__}.__call__"
            if cls.__doc__:  # there is none under python -OO
                example = f"{cls.__name__}({cls._example})"
                cls.__doc__ += _CALL_DOC.format(states=", ".join(cls.states), example=example)

    def _missing(self, name: str) -> Any:
        """Say what to write instead of an attribute that is not there."""
        cls = type(self).__name__
        if name == "_configuration":
            raise TypeError(f"{cls}.__init__ must call super().__init__() before all else")
        if name in getattr(self, "states", ()):  # comes here from `_State`
            raise _holds_none(self, name)
        own = f"init_{self._name.lower()}" if hasattr(self, "_name") else "reset_mem"
        if name in self._instead:
            instead = self._instead[name]
        elif name.startswith("init_") and name[5:] in map(str.lower, _core.models):
            instead = "write reset_mem()" + (f", or {own}()" if hasattr(type(self), own) else "")
        elif name in _STATES:
            instead = f"its states are {', '.join(self.states)}"
        else:
            instead = _OF_MODULES.get(name, "")
        raise missing(f"a {cls}", name, instead, self)

    def __setattr__(self, name: str, value: Any) -> None:
        known = name.startswith("_") or hasattr(type(self), name)
        if not known and type(self).__name__ in _core.models:  # subclasses may have their own
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r} to set", name=name, obj=self
            )
        super().__setattr__(name, value)

    @classmethod
    def _recorded(cls) -> tuple[str, ...]:
        """Name the states that `run` records unless it is told."""
        return cls.states

    # ---- configuration ----

    @property
    def _parameters(self) -> dict[str, Floats]:
        return self._configuration.parameters

    @property
    def _options(self) -> dict[str, Any]:
        return self._configuration.options

    def _setup(self, parameters: dict[str, Any], **options: Any) -> None:
        """Set all parameters and options; what constructors do."""
        self._set(Configuration({}, {}, None, None), None, False, None)
        self._configure(parameters, options)

    def _configure(self, parameters: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Set some, with everything that follows from them, or raise and change nothing."""
        all_options = {**self._options}
        for name, value in options.items():
            choices = self._choices.get(name)
            if name == "spike_grad":
                if value is not None and (not callable(value) or isinstance(value, type)):
                    raise TypeError(f"{name}={value!r}; expected a callable, or None")
                all_options[name] = value
            elif not choices:
                all_options[name] = _flag(name, value)
            elif isinstance(value, str) and value in choices:
                all_options[name] = value
            else:
                raise ValueError(f"{name}={value!r}; expected one of {', '.join(choices)}")
        unset = {n for n, value in parameters.items() if value is None and n in self._optional}
        new = {n: _real(n, value) for n, value in parameters.items() if n not in unset}
        kept = {n: array for n, array in self._parameters.items() if n not in unset}
        _check_shapes({**kept, **new})
        held = self._held
        if not all_options["init_hidden"]:
            held = None
        elif held is None:
            held = self._held_rest()
        self._adopt(self._complete({**kept, **new}, new, all_options), all_options, held)

    def _adopt(
        self, parameters: dict[str, Floats], options: dict[str, Any], held: tuple[Any, ...] | None
    ) -> None:
        """Put these into effect, as a whole, or raise and change nothing."""
        frozen = {name: _frozen(array) for name, array in parameters.items()}
        cell = self._make_cell(frozen, options)
        configuration = Configuration(frozen, options, cell, self._derived(frozen, options))
        self._set(configuration, cell, self._is_indirect(configuration), held)

    def _take(self, other: Self) -> None:
        """Put another neuron's parameters and options into effect."""
        self._set(other._configuration, other._cell, other._indirect, self._held)

    def _derived(self, parameters: dict[str, Floats], options: dict[str, Any]) -> Any:
        """Derive what else every run asks for."""
        return None

    def _is_indirect(self, configuration: Configuration) -> bool:
        """Say whether every call is left to Python."""
        return False

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        """Check parameters together, and derive those that follow from the `new` ones."""
        return parameters

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        """Derive what the step uses, for one dtype to compute in."""
        raise TypeError(f"{type(self).__name__} derives no constants")

    def _kind(self, options: dict[str, Any]) -> tuple[str, bool, bool]:
        """Say how it resets, whether within the step of the spike, and whether rivals inhibit."""
        raise TypeError(f"{type(self).__name__} has no reset")

    def _independent(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out, of all parameters, those that follow from the others."""
        return dict(parameters)

    def _make_cell(self, parameters: dict[str, Floats], options: dict[str, Any]) -> Any:
        """Build the core's view of the neuron."""
        shapes = tuple((name, array.shape) for name, array in parameters.items())
        names = _core.models[self._name][1]
        constants = []
        with np.errstate(all="ignore"):
            for dtype in (np.float32, np.float64):
                c = self._constants(parameters, options, dtype)
                constants.append(tuple(c[name] for name in names))
        return _core.cell(self._name, *self._kind(options), *constants, shapes)

    def _arguments(self) -> dict[str, Any]:
        """Say what the constructor would have to be given."""
        return {**self._parameters, **self._options}

    def __repr__(self) -> str:
        import inspect

        given = self._arguments()
        given_as = []
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name not in given:
                continue
            value, default = given[name], parameter.default
            if isinstance(value, np.ndarray):
                if value.ndim > 0:
                    text = shown(value) if value.size > MOST_SHOWN else f"np.{value!r}"
                    given_as.append(f"{name}={text}")
                    continue
                value = value.item() if value.dtype == np.float64 else value[()]
            if value != default or (default is False and value):
                module = "surrogate." if type(value).__module__ == surrogate.__name__ else ""
                given_as.append(f"{name}={module}{value!r}")
        return f"{type(self).__name__}({', '.join(given_as)})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, SpikingNeuron):
            return NotImplemented
        return (
            self._options == other._options and self._parameters.keys() == other._parameters.keys()
        ) and all(
            a.dtype == other._parameters[name].dtype
            and np.array_equal(a, other._parameters[name], equal_nan=True)
            for name, a in self._parameters.items()
        )

    def __getstate__(self) -> dict[str, Any]:
        parameters, options, *_ = self._configuration
        own = {"_held": self._held, "_parameters": parameters, "_options": options}
        return {**self.__dict__, **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = {**state}
        parameters = {name: np.array(array) for name, array in own.pop("_parameters").items()}
        self._adopt(parameters, own.pop("_options"), own.pop("_held"))
        self.__dict__.update(own)

    # ---- states ----

    def _rest(self) -> tuple[Floats, ...]:
        return tuple(np.zeros((), np.float32) for _ in self.states)

    def _held_rest(self) -> tuple[Any, ...]:
        """States at rest for the neuron to hold, which fit any neuron shape."""
        return self._rest()

    def reset_mem(self) -> Any:
        """Return states at rest; held states (``init_hidden=True``) are put to rest.

        Returns
        -------
        ndarray, or tuple of ndarray
            0-d float32 zeros, which broadcast to any neuron shape and never widen a dtype:
            one array for a model of one state, else a tuple in the order of ``states``. Of
            `LIF`, v_rest (a Python float, or an array) and 0.
        """
        rest = self._rest()
        if self._held is not None:
            self._held = self._held_rest()
        return rest[0] if len(rest) == 1 else rest

    def _step(
        self, input_: ArrayLike, states: tuple[Any, ...], out: Any, dtype: DTypeLike | None
    ) -> Any:
        """Do one step that the base class leaves to Python."""
        held = self._held
        if held is not None:
            self._refuse_states(zip(self.states, states, strict=True))
        return self._step_from(self._configuration, held, input_, states, out, dtype)

    def _step_from(
        self,
        configuration: Configuration,
        held: tuple[Any, ...] | None,
        input_: ArrayLike,
        states: tuple[Any, ...],
        out: Any,
        dtype: DTypeLike | None,
    ) -> Any:
        """Do one step from given states, or from those that the neuron holds."""
        if held is None:
            return _core.step(configuration.cell, input_, out, dtype, False, *states)
        output = configuration.options["output"]
        if out is not None and not output:
            if not isinstance(out, tuple) or len(out) != 1:
                raise TypeError(
                    f"out must be a tuple of 1, (spk,), as the call returns it, not {out!r}"
                )
            out = (*out, *(None for _ in states))
        result = _core.step(configuration.cell, input_, out, dtype, True, *held)
        if self._held is not None:  # unless init_hidden was unset meanwhile
            self._held = tuple(map(np.copy, result[1:])) if output else result[1:]
        return result if output else result[0]

    def _refuse_states(self, named: Iterable[tuple[str, Any]]) -> None:
        for name, state in named:
            if state is not None:
                raise TypeError(
                    f"{name} was passed to a neuron that holds its states (init_hidden=True): "
                    f"assign to its {name} attribute instead"
                )

    # ---- sequences ----

    def run(
        self,
        x: ArrayLike,
        *states: ArrayLike | None,
        num_steps: int | None = None,
        time_axis: int = 0,
        record: str | Iterable[str] | None = None,
        every: int = 1,
        neurons: slice | ArrayLike | None = None,
        spk_dtype: DTypeLike | None = None,
        grad: bool = False,
        checkpoint: int = 16,
        out: Recording | Mapping[str, Any] | None = None,
        dtype: DTypeLike | None = None,
        num_threads: int | None = None,
        rng: np.random.Generator | int | None = None,
        **named_states: ArrayLike | None,
    ) -> Recording:
        """Run a whole sequence in one call: the same bits as one call a step.

        Parameters
        ----------
        x : array_like, shape (T, ...)
            The input, time first. Any layout will do, and float32, float64, float16, uint8
            and bool are read as they are; other dtypes are converted first.
        *states, **named_states : array_like, optional
            The states to start from, by position (in the order of ``states``) or by name.
            They broadcast to the neuron shape; missing ones are at rest. A neuron that holds
            its states (``init_hidden=True``) takes none: it goes on from, and updates, those.
        num_steps : int, optional
            If given, `x` has no time axis and is held for that many steps.
        time_axis : int, default 0
            Where time is in `x`, and in all arrays of neuron shape with a time axis that
            come out of the run or are given as `out`.
        record : str or iterable of str, optional
            What to record: any of ``"spk"``, the names in ``states``, ``"count"`` (spikes of
            each neuron), ``"first_spike"`` (the step of each neuron's first, or -1) and
            ``"events"`` (for ``events()`` and ``spike_times()`` without an array of spikes);
            by default ``"spk"`` and all states. The less is recorded, the faster: a long
            run's time goes into memory.
        every : int, default 1
            Record the states only after steps every - 1, 2 every - 1, ...; spikes, counts and
            events see every step.
        neurons : slice or sequence of int, optional
            Record the states of these neurons only, by index into the flattened (C order)
            neuron shape, as arrays of shape (T, number of them).
        spk_dtype : {float32, float64, uint8, bool, "packed"}, optional
            The dtype of the recorded spikes; by default that of the states. ``"packed"`` is
            eight neurons a byte: uint8 of shape (T, ceil(n/8)), for `snnc.unpack_spikes`.
        grad : bool, default False
            Whether to keep what `backward` needs: the states every `checkpoint` steps, and `x`
            itself, which must not be changed before then.
        checkpoint : int, default 16
            With `grad`: the larger, the less is kept, but the more steps are done again at a time
            on the way back (of some neurons: its workspace grows). More than 65536 count as that
            many. 1 keeps the states of all
            steps, and does none again: the faster way where memory is fast. Gradients are the
            same bits for every value.
        out : Recording or dict, optional
            Arrays to fill: an earlier recording of the same shape, or a dict with names out
            of `record` and ``"state"`` (a tuple of final states) as keys. They must have
            exactly the shape and dtype of the result and be C-contiguous. After an
            interrupt, or where memory runs out in the midst of the run, their contents are
            unspecified. Fresh arrays beyond the caches often
            cost more than the computing: where runs are repeated, hand the last one over.
        dtype : {float32, float64}, optional
            The dtype to compute in; by default float64 if `x` or a state is, else float32.
            Python's own numbers and the parameters have no say in it.
        num_threads : int, optional
            How many threads may share the run; by default what `snnc.set_num_threads` says.
        rng : numpy.random.Generator or int, optional
            Where the noise of a `LIF` neuron with `sigma` comes from, which needs it; an int
            seeds this one run.

        Returns
        -------
        Recording
            Unpacks into the recorded arrays: ``spk, mem = lif.run(x)``. Its ``state`` holds
            the final states, from which another run may go on.

        Raises
        ------
        TypeError
            If an argument is not an array of real numbers, `x` has no time axis, or a state
            is passed to a neuron that holds its own.
        ValueError
            If shapes don't broadcast, or an option or an array of `out` is not as described.

        Examples
        --------
        >>> import numpy as np
        >>> import snnc
        >>> lif = snnc.Leaky(beta=[0.5, 0.9, 0.99])
        >>> rec = lif.run(0.3, num_steps=100, record="spk", spk_dtype=np.uint8)
        >>> rec.spk.shape, rec.spk.sum(axis=0)
        ((100, 3), array([ 0, 23, 29], dtype=uint64))
        >>> more = lif.run(0.3, *rec.state, num_steps=100, record=("count", "mem"), every=50)
        >>> more.count, more.mem.shape
        (array([ 0, 23, 29]), (2, 3))
        """
        held = self._held
        begin = self._start(held, states, named_states, "run")
        if hasattr(x, "__next__"):
            raise TypeError(
                f"x is an iterator ({type(x).__name__}): run needs the whole sequence, e.g. "
                "np.stack(list(x)); run_chunks takes it chunk by chunk"
            )
        return self._run(
            x, begin, held is not None, num_steps, time_axis, record, every, 0, neurons,
            spk_dtype, grad, checkpoint, out, dtype, num_threads, rng,
        )  # fmt: skip

    def run_chunks(
        self,
        chunks: Iterable[ArrayLike],
        *states: ArrayLike | None,
        num_steps: int | None = None,
        time_axis: int = 0,
        record: str | Iterable[str] | None = None,
        every: int = 1,
        neurons: slice | ArrayLike | None = None,
        spk_dtype: DTypeLike | None = None,
        grad: bool = False,
        checkpoint: int = 16,
        out: Recording | Mapping[str, Any] | None = None,
        dtype: DTypeLike | None = None,
        num_threads: int | None = None,
        rng: np.random.Generator | int | None = None,
        **named_states: ArrayLike | None,
    ) -> Iterator[Recording]:
        """Run a sequence that comes in chunks: the same bits as one run over the whole.

        Each chunk is run when its recording is asked for, so neither the input nor the
        output is ever whole in memory.

        Parameters
        ----------
        chunks : iterable of array_like, each of shape (T, ...)
            The input: a list, a generator, slices of an ``np.memmap``. T may differ from one
            chunk to the next.
        *states, num_steps, time_axis, record, every, neurons, spk_dtype, grad, checkpoint, out, \
dtype, num_threads, rng, **named_states
            As for `run`; the states are those before the first chunk.

        Yields
        ------
        Recording
            One for each chunk. Steps (``steps``, ``first_spike``, ``events()``,
            ``spike_times()``, and the phase of `every`) count from the start of the first
            chunk; ``count`` is the chunk's own.

        Raises
        ------
        TypeError, ValueError
            As `run`: at once for states that are refused, else with the first chunk that is.

        Examples
        --------
        A long recording on disk, a thousand steps at a time:

        >>> import numpy as np
        >>> import snnc
        >>> x = np.full((5000, 3), [0.1, 0.2, 0.3], np.float32)  # or np.load(f, mmap_mode="r")
        >>> lif = snnc.Leaky(beta=0.9)
        >>> count = 0
        >>> for rec in lif.run_chunks((x[t : t + 1000] for t in range(0, 5000, 1000)),
        ...                           record="count"):
        ...     count = count + rec.count
        >>> count
        array([   0,  681, 1153])

        With a progress bar: ``for rec in tqdm(lif.run_chunks(chunks), total=5):``.
        """
        held = self._held
        begin = self._start(held, states, named_states, "run_chunks")
        if rng is not None:
            rng = np.random.default_rng(rng)  # the same for all chunks

        def run_each() -> Iterator[Recording]:
            first_step = 0
            state = begin
            for chunk in chunks:
                rec = self._run(
                    chunk, state, held is not None, num_steps, time_axis, record, every,
                    first_step, neurons, spk_dtype, grad, checkpoint, out, dtype, num_threads, rng,
                )  # fmt: skip
                state = rec.state if self._held is None else self._held
                first_step += rec.num_steps
                yield rec

        return run_each()

    def _start(
        self,
        held: tuple[Any, ...] | None,
        states: tuple[ArrayLike | None, ...],
        named_states: dict[str, ArrayLike | None],
        method: str,
    ) -> tuple[Any, ...]:
        """Sort out the states to start from."""
        if not named_states and held is None:  # the common ways, without a loop
            if not states:
                return self._nothing
            if len(states) == len(self.states) and _INTS.isdisjoint(map(type, states)):
                return states
        start = self._name_states(states, named_states, method)
        for name, state in zip(self.states, states, strict=False):
            if type(state) in _INTS:
                raise TypeError(
                    f"{method} got {state!r} for {name} by position: for the number of steps "
                    f"write num_steps={state!r}, for the state {name}={state!r}"
                )
        if held is not None:
            self._refuse_states(start.items())
            return held
        return tuple(start.get(name) for name in self.states)

    def _name_states(
        self,
        states: tuple[ArrayLike | None, ...],
        named_states: dict[str, ArrayLike | None],
        method: str,
    ) -> dict[str, ArrayLike | None]:
        """Name what was given for states, by position or by keyword."""
        if len(states) > len(self.states):
            raise TypeError(
                f"{method} takes at most {len(self.states)} states ({', '.join(self.states)}), "
                f"{len(states)} were given"
            )
        given = dict(zip(self.states, states, strict=False))
        for name, state in named_states.items():
            if name not in self.states:
                raise TypeError(
                    f"{method} got an unexpected keyword argument {name!r} (the states of a "
                    f"{type(self).__name__} are {', '.join(self.states)})"
                )
            if name in given:
                raise TypeError(f"{method} got {name} by position and by keyword")
            given[name] = state
        return given

    def _run(
        self,
        x: Any,
        begin: tuple[Any, ...],
        holds: bool,
        num_steps: int | None,
        time_axis: int,
        record: str | Iterable[str] | None,
        every: int,
        first_step: int,
        neurons: Any,
        spk_dtype: DTypeLike | None,
        grad: bool,
        checkpoint: int,
        out: Recording | Mapping[str, Any] | None,
        dtype: DTypeLike | None,
        num_threads: int | None,
        rng: Any,
    ) -> Recording:
        configuration = self._configuration  # the run's, whatever is assigned meanwhile
        if type(time_axis) is not int:
            time_axis = index("time_axis", time_axis)
        if type(every) is not int:
            every = index("every", every)
        if grad is not False:
            checkpoint = self._interval(configuration, grad, checkpoint)
            if type(x) not in (bool, int, float):
                x = real_numbers("x", x)  # once: the backward pass reads the same
        if rng is not None or self._prepares:
            x, begin, num_steps, dtype = self._prepare(
                configuration, x, begin, holds, num_steps, time_axis, dtype, rng
            )
        if record is None:
            names, indices = self._default
        else:
            try:
                asked = (record,) if isinstance(record, str) else tuple(record)
                names, indices = _columns(self.states, asked)
            except TypeError:
                raise TypeError(
                    f"record={record!r}; expected names out of {(*_core.records, *self.states)}"
                ) from None
        given = None
        if out is not None:
            given = self._given(out, names, grad)
            if grad and isinstance(x, np.ndarray):  # which the backward pass reads again
                filled = [a for part in given[:3] for a in part if issubclass(type(a), np.ndarray)]
                if any(np.may_share_memory(x, array) for array in filled):
                    x = x.copy()
        arrays, state, steps, checkpoints = _core.run(
            configuration.cell,
            x,
            holds,
            begin,
            num_steps,
            time_axis,
            indices,
            every,
            first_step,
            neurons,
            spk_dtype,
            given,
            dtype,
            _threads.num_threads if num_threads is None else num_threads,
            checkpoint if grad else 0,
        )
        rec = Recording(
            dict(zip(names, arrays)),  # noqa: B905  # one array a name; strict costs more
            self.State(*state),
            steps,
            time_axis,
            self._dt(configuration),
            every,
            first_step,
            _is_packed(spk_dtype),
        )
        if checkpoints is not None:
            rec._tape = Tape(
                self._name,
                configuration.cell,
                configuration.parameters,
                x.view() if isinstance(x, np.ndarray) else x,
                num_steps is not None,
                steps,
                time_axis,
                checkpoints,
                checkpoint,
            )
        if holds and self._held is not None:  # unless init_hidden was unset meanwhile
            self._held = tuple(np.copy(s) for s in state)  # last, as nothing can fail after it
        return rec

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
        """Do to the input, the start states and the dtype what a model needs before a run."""
        raise TypeError(f"rng={rng!r}: a {type(self).__name__} has no noise")

    def _interval(self, configuration: Configuration, grad: Any, checkpoint: Any) -> int:
        """Return after how many steps states are kept; refuse it where there is no gradient."""
        raise ValueError(f"grad={grad!r}: a {type(self).__name__} has no gradient")

    def _dt(self, configuration: Configuration) -> Any:
        return 1

    def _given(
        self, out: Recording | Mapping[str, Any], names: tuple[str, ...], grad: bool
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...], Recording | None]:
        """Arrays to fill: for each recorded name, each state, and the checkpoints of each.

        With them the recording that holds them, whose tape goes with the first write.
        """
        arrays: Mapping[str, Any]
        checkpoints: tuple[Any, ...] = self._nothing
        if isinstance(out, Recording):
            arrays, state = out._arrays, out.state
            if grad and out._tape is not None and out._tape.model == self._name:
                checkpoints = out._tape.checkpoints
        elif type(out) is dict or isinstance(out, Mapping):  # asking the latter is slow
            arrays, state = out, out.get("state")
            for name in out:
                if name not in names and name != "state":
                    raise ValueError(
                        f"out: {name!r} is none of what is recorded ({', '.join(names)}), "
                        "nor 'state'"
                    )
                if name == "events":
                    raise ValueError("out: 'events' can't be given, as their number isn't known")
        else:
            raise TypeError(f"out={out!r}; expected a Recording or a dict of arrays")
        if state is None:
            state = (None,) * len(self.states)
        if not isinstance(state, (tuple, list)) or len(state) != len(self.states):
            raise ValueError(
                f"out: 'state' must be a tuple of {len(self.states)} "
                f"({', '.join(self.states)}), not {state!r}"
            )
        given = [None if name == "events" else arrays.get(name) for name in names]
        recording = out if isinstance(out, Recording) else None
        return tuple(given), tuple(state), checkpoints, recording


class TorchNeuron(SpikingNeuron):
    """The base class of snnTorch's models: their common parameter and options."""

    threshold = _Parameter("The membrane potential above which a neuron fires.")
    inhibition = _Option("Whether only one neuron of a row (axis 1) may fire in a step.")
    reset_mechanism = _Option('What a spike does to its neuron: "subtract", "zero", "none".')

    surrogate_disable = _Option("Whether spikes pass on no gradient at all.")
    learn_beta = _Option("Whether training changes beta.")
    learn_threshold = _Option("Whether training changes threshold.")

    _choices: ClassVar = {"reset_mechanism": _core.resets}
    _clipped: ClassVar[tuple[str, ...]] = ("alpha", "beta")  # parameters, to [0, 1]
    _instead: ClassVar = _OF_OTHERS

    def _setup(self, parameters: dict[str, Any], **options: Any) -> None:
        super()._setup(parameters, **options)
        for name in self._clipped:
            value = self._parameters.get(name, _ZERO)
            if np.any((value < 0) | (value > 1)):
                warnings.warn(f"{name} is clipped to [0, 1]: {name}={shown(value)}", stacklevel=3)

    @property
    def spike_grad(self) -> Callable[[Any], Any]:
        """What stands in for the derivative of a spike, a callable on mem - threshold."""
        return self._options["spike_grad"] or _DEFAULT_SURROGATE

    @spike_grad.setter
    def spike_grad(self, value: Callable[[Any], Any] | None) -> None:
        self._configure({}, {"spike_grad": value})

    @property
    def learned(self) -> tuple[str, ...]:
        """The names of the parameters that training changes: those with ``learn_...=True``."""
        return tuple(n for n in self._parameters if self._options.get(f"learn_{n}"))

    def _interval(self, configuration: Configuration, grad: Any, checkpoint: Any) -> int:
        _flag("grad", grad)
        if configuration.options["inhibition"]:
            raise ValueError(f"grad={grad!r}: there is no gradient through inhibition")
        return min(at_least_one("checkpoint", checkpoint), _LONGEST_INTERVAL)

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
        """Backpropagate through a run: the gradients of a loss, from what it says of the run.

        Parameters
        ----------
        rec : Recording
            Of this neuron, with ``run(..., grad=True)``.
        spk : array_like, shape (T, *neuron shape) or (*neuron shape), optional
            The gradient of the loss with respect to each spike, whatever was recorded (time is
            on the run's ``time_axis``), or to those of the last step only; None is 0.
        *states, **named_states : array_like, optional
            The same for the states after each step, by position or name, as for `run`.
        wrt : str or iterable of str, optional
            Which gradients to compute: ``"x"``, the start states (``"mem0"``, ...), and the names
            of parameters; by default all. Without parameters it is faster.
        out : ndarray, optional
            An array of the shape of ``x``'s gradient and of the run's dtype to put it into. It may
            be that of `spk` or of a state. After an interrupt its contents are unspecified.
        num_threads : int, optional
            As for `run`.

        Returns
        -------
        Gradients
            With the attributes `wrt` names: ``x`` (T, *neuron shape), ``mem0``, ... (*neuron
            shape) and ``beta``, ``threshold``, ... (each of its parameter's shape), in the run's
            dtype. Where an `x` or a state was broadcast, it is for each neuron.

        Raises
        ------
        TypeError
            If an argument is not an array of real numbers.
        ValueError
            If the run was without ``grad=True``, or shapes are not as described.

        Notes
        -----
        The parameters are those that the run had, and so is `x`, which must not have been changed
        since; the surrogate is this neuron's. Reset signals are constants, as in snnTorch; with
        ``reset_delay=False`` the spike that resets its neuron passes a gradient on.

        Gradients of parameters are summed in float64: for each neuron over time, from the last
        step to the first, then over neurons by NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> import snnc
        >>> lif = snnc.Leaky(beta=0.9)
        >>> x = np.full((25, 2), [0.2, 0.3], np.float32)
        >>> rec = lif.run(x, grad=True)
        >>> rec.spk.sum(axis=0)
        array([3., 5.], dtype=float32)
        >>> grads = lif.backward(rec, spk=np.ones((25, 2), np.float32))  # more spikes
        >>> grads
        Gradients(x=float32 (25, 2), mem0=float32 (2,), beta=float32 (), threshold=float32 (), \
graded_spikes_factor=float32 ())
        >>> bool(grads.beta > 0), bool(grads.threshold < 0)
        (True, True)
        """
        from snnc import _backward

        named = self._name_states(states, named_states, "backward")
        return _backward.backward(self, rec, spk, named, wrt, out, num_threads)

    def _parameter_gradients(
        self, names: Iterable[str], parameters: dict[str, Floats], gradients: dict[str, Floats]
    ) -> dict[str, Floats]:
        """Get the gradients of parameters from those of the constants, float64.

        Here both are the same, but that alpha and beta are clipped: no gradient outside.
        """
        found = {name: gradients[name] for name in names}
        for name in found.keys() & {*self._clipped}:
            value = parameters[name]
            if value.ndim or not 0 <= value.item() <= 1:
                found[name] = np.where((value >= 0) & (value <= 1), found[name], 0)
        return found

    def _kind(self, options: dict[str, Any]) -> tuple[str, bool, bool]:
        undelayed = not options.get("reset_delay", True)
        return options["reset_mechanism"], undelayed, options["inhibition"]


class Lapicque(TorchNeuron):
    """Lapicque's neuron: an RC circuit, integrated by forward Euler, with a threshold.

    .. code-block:: text

        v   = x R q dt + (1 - dt/(R C)) mem        q = 1/(R C)
        mem = v - r threshold   ("subtract")
              v - r v           ("zero")
              v                 ("none")
        spk = 1 if mem > threshold else 0

    where r is 1 if the incoming mem is above the threshold, else 0.

    Parameters
    ----------
    beta : float or array_like, optional
        The decay rate of the membrane, exp(-dt/(R C)). With `beta` alone R is 1 and C follows;
        with one of `R` and `C` the other follows. All three are a ValueError. As the
        membrane is integrated by Euler's method, it decays by 1 + log(beta) a step.
    R : float or array_like, optional
        Resistance of the membrane, in ohm.
    C : float or array_like, optional
        Capacitance of the membrane, in farad.
    time_step : float or array_like, default 1
        Duration of a step, in seconds.
    threshold : float or array_like, default 1.0
        Membrane potential above which the neuron fires, in volt (inputs are in ampere). An
        infinite one gives NaN with "subtract" (0 times inf, as in snnTorch): a readout that is not
        to fire resets by "none".
    init_hidden : bool, default False
        Whether the neuron holds its states itself: calls neither take nor return them then.
    inhibition : bool, default False
        Whether only the neuron with the largest mem - threshold of a row (axis 1) may fire.
    reset_mechanism : {"subtract", "zero", "none"}, default "subtract"
        What a spike does to its neuron, at the next step.
    output : bool, default False
        With `init_hidden`, whether calls return the states after all.
    spike_grad : callable, optional
        What stands in for the derivative of a spike on the way back: one of `snnc.surrogate`, or
        any callable on an array of mem - threshold; by default ``surrogate.atan(alpha=2.0)``.
    surrogate_disable : bool, default False
        Whether spikes pass on no gradient at all.
    learn_beta, learn_threshold : bool, default False
        Whether these are parameters that training changes.
    state_quant : False
        For the order of snnTorch's arguments; not supported at other than its default.

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once. Setting R, C or time_step re-derives beta; setting
    beta re-derives C.

    References
    ----------
    .. [1] L. Lapicque, "Recherches quantitatives sur l'excitation electrique des nerfs traitee
       comme une polarisation", J. Physiol. Pathol. Gen. 9, 620-635 (1907).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3)
    >>> rec = lif.run(np.float32(0.3), num_steps=100)
    >>> rec.spike_times(dt=1)
    array([26, 53, 81])
    """

    beta = _Parameter("The decay rate of the membrane, exp(-time_step/(R C)).")
    R = _Parameter("The resistance of the membrane.")
    C = _Parameter("The capacitance of the membrane.")
    time_step = _Parameter("The duration of a step.")

    _clipped: ClassVar = ()
    _instead: ClassVar = {**_OF_LEAKY, **_OF_OTHERS, "dt": "write time_step"}

    def __init__(
        self,
        beta: ArrayLike = False,
        R: ArrayLike = False,
        C: ArrayLike = False,
        time_step: ArrayLike = 1,
        threshold: ArrayLike = 1.0,
        spike_grad: Callable[[Any], Any] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: bool = False,
        output: bool = False,
    ) -> None:
        _refuse_quantisation(state_quant)
        given = {"beta": beta, "R": R, "C": C}
        given = {name: value for name, value in given.items() if value is not False}
        if len(given) == 3:
            raise ValueError("beta, R and C were all given; any two of them determine the third")
        if not given or given.keys() in ({"R"}, {"C"}):
            raise ValueError("expected beta, or R and C, or beta and one of them")
        self._setup(
            {**given, "time_step": time_step, "threshold": threshold},
            init_hidden=init_hidden,
            inhibition=inhibition,
            reset_mechanism=reset_mechanism,
            output=output,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
        )

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        for name in ("R", "C", "time_step"):
            if name in new and np.any(new[name] == 0):
                raise ValueError(f"{name} must not be 0: a time constant R C and its step")
        if "beta" in new and np.any(new["beta"] <= 0):
            raise ValueError("beta must be positive: C follows from log(1/beta)")
        if "beta" in new:
            options["primary"] = ("beta", "C" if "C" in new else "R")
            parameters.setdefault("R", np.ones(()))
        elif new.keys() & {"R", "C", "time_step"}:
            options["primary"] = ("R", "C")
        with np.errstate(all="ignore"):
            return {**parameters, **self._circuit(_cast(parameters, np.float64), options)}

    @staticmethod
    def _circuit(p: dict[str, Floats], options: dict[str, Any]) -> dict[str, Floats]:
        """Derive the one of beta, R and C that follows from the other two, in their dtype.

        As torch does, but for the logarithm: in double, then rounded.
        """
        if "beta" not in options["primary"]:
            return {"beta": np.asarray(np.exp(-p["time_step"] / (p["R"] * p["C"])))}
        follows, known = ("R", "C") if "C" in options["primary"] else ("C", "R")
        log = np.log(1 / p["beta"], dtype=np.float64).astype(p["beta"].dtype)
        return {follows: np.asarray(p["time_step"] / (p[known] * log))}

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = _cast(parameters, dtype)
        p |= self._circuit(p, options)
        rc = p["R"] * p["C"]
        return {**p, "dt": p["time_step"], "q": 1 / rc, "keep": 1 - p["time_step"] / rc}

    def _parameter_gradients(
        self, names: Iterable[str], parameters: dict[str, Floats], gradients: dict[str, Floats]
    ) -> dict[str, Floats]:
        p, g = _cast(parameters, np.float64), gradients
        R, C, dt, beta = p["R"], p["C"], p["time_step"], p["beta"]
        by_rc = (g["keep"] * dt - g["q"]) / (R * C) ** 2  # of q = 1/(R C), keep = 1 - dt/(R C)
        by_c = by_rc * R
        return {
            "R": g["R"] + by_rc * C,
            "C": by_c,
            "time_step": g["dt"] - g["keep"] / (R * C),
            "beta": by_c * dt / (R * np.log(1 / beta) ** 2 * beta),  # C follows, with R held
            "threshold": g["threshold"],
        }

    def _arguments(self) -> dict[str, Any]:
        left_out = {"beta", "R", "C"} - {*self._options["primary"]}
        if "beta" not in left_out and self.R.ndim == 0 and self.R == 1:
            left_out.add("R")  # which it is by default
        return {k: v for k, v in super()._arguments().items() if k not in left_out}

    def _independent(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        all_three = {"beta", "R", "C"} <= parameters.keys()
        follows = {"beta", "R", "C"} - {*self._options["primary"]} if all_three else set()
        return {k: v for k, v in parameters.items() if k not in follows}

    def _dt(self, configuration: Configuration) -> Any:
        return _plain(configuration.parameters["time_step"])

    init_lapicque = SpikingNeuron.reset_mem
    _example = "0.9"

    def _call(
        self,
        input_: ArrayLike,
        mem: ArrayLike | None = None,
        *,
        out: tuple[Floats | None, ...] | None = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (mem,), out, dtype)

    if TYPE_CHECKING:
        __call__ = _call


class Leaky(TorchNeuron):
    """First-order leaky integrate-and-fire neuron.

    .. code-block:: text

        mem = (beta mem + x) - r threshold   ("subtract")
              beta ((1 - r) mem) + x         ("zero": the input survives the reset)
              beta mem + x                   ("none")
        spk = graded_spikes_factor if mem > threshold else 0

    where r is 1 if the incoming mem is above the threshold, else 0.

    Parameters
    ----------
    beta : float or array_like
        Decay rate of the membrane, exp(-dt/tau_mem); clipped to [0, 1], in the constructor with a
        warning.
    threshold : float or array_like, default 1.0
        Membrane potential above which the neuron fires. An infinite one gives NaN with
        "subtract" (0 times inf, as in snnTorch): a readout that is not to fire resets by "none".
    init_hidden : bool, default False
        Whether the neuron holds its states itself: calls neither take nor return them then.
    inhibition : bool, default False
        Whether only the neuron with the largest mem - threshold of a row (axis 1) may fire.
    reset_mechanism : {"subtract", "zero", "none"}, default "subtract"
        What a spike does to its neuron.
    output : bool, default False
        With `init_hidden`, whether calls return the states after all.
    graded_spikes_factor : float or array_like, default 1.0
        The value of a spike.
    reset_delay : bool, default True
        Whether a spike resets its neuron at the next step, not within its own.
    spike_grad : callable, optional
        What stands in for the derivative of a spike on the way back: one of `snnc.surrogate`, or
        any callable on an array of mem - threshold; by default ``surrogate.atan(alpha=2.0)``.
    surrogate_disable : bool, default False
        Whether spikes pass on no gradient at all.
    learn_beta, learn_threshold, learn_graded_spikes_factor : bool, default False
        Whether these are parameters that training changes.
    state_quant : False
        For the order of snnTorch's arguments; not supported at other than its default.

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once.

    References
    ----------
    .. [1] J. K. Eshraghian et al., "Training spiking neural networks using lessons from deep
       learning", Proc. IEEE 111, 1016-1054 (2023).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Leaky(beta=0.8)
    >>> mem = lif.init_leaky()
    >>> for step in range(3):
    ...     spk, mem = lif(np.float32(0.5), mem)
    ...     print(spk, mem)
    0.0 0.5
    0.0 0.9
    1.0 1.22
    """

    beta = _Parameter("The decay rate of the membrane.")
    graded_spikes_factor = _Parameter("The value of a spike.")
    reset_delay = _Option("Whether a spike resets its neuron at the next step.")
    learn_graded_spikes_factor = _Option("Whether training changes graded_spikes_factor.")

    _instead: ClassVar = {**_OF_LIF, **_OF_LEAKY}

    def __init__(
        self,
        beta: ArrayLike,
        threshold: ArrayLike = 1.0,
        spike_grad: Callable[[Any], Any] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: bool = False,
        output: bool = False,
        graded_spikes_factor: ArrayLike = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
    ) -> None:
        _refuse_quantisation(state_quant)
        self._setup(
            {"beta": beta, "threshold": threshold, "graded_spikes_factor": graded_spikes_factor},
            init_hidden=init_hidden,
            inhibition=inhibition,
            reset_mechanism=reset_mechanism,
            output=output,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
            reset_delay=reset_delay,
        )

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = _cast(parameters, dtype)
        return {**p, "beta": np.clip(p["beta"], 0, 1)}

    init_leaky = SpikingNeuron.reset_mem
    _example = "0.9"

    def _call(
        self,
        input_: ArrayLike,
        mem: ArrayLike | None = None,
        *,
        out: tuple[Floats | None, ...] | None = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (mem,), out, dtype)

    if TYPE_CHECKING:
        __call__ = _call


class Synaptic(TorchNeuron):
    """Second-order leaky integrate-and-fire neuron: a synaptic current drives the membrane.

    .. code-block:: text

        syn = alpha syn + x
        v   = beta mem + syn
        mem = v - r threshold   ("subtract")
              v - v r           ("zero": syn stays)
              v                 ("none")
        spk = 1 if mem > threshold else 0

    where r is 1 if the incoming mem is above the threshold, else 0.

    Parameters
    ----------
    alpha : float or array_like
        Decay rate of the synaptic current, exp(-dt/tau_syn); clipped to [0, 1], in the constructor
        with a warning.
    beta : float or array_like
        Decay rate of the membrane, exp(-dt/tau_mem); clipped likewise.
    threshold : float or array_like, default 1.0
        Membrane potential above which the neuron fires. An infinite one gives NaN with
        "subtract" (0 times inf, as in snnTorch): a readout that is not to fire resets by "none".
    init_hidden : bool, default False
        Whether the neuron holds its states itself: calls neither take nor return them then.
    inhibition : bool, default False
        Whether only the neuron with the largest mem - threshold of a row (axis 1) may fire.
    reset_mechanism : {"subtract", "zero", "none"}, default "subtract"
        What a spike does to its neuron.
    output : bool, default False
        With `init_hidden`, whether calls return the states after all.
    reset_delay : bool, default True
        Whether a spike resets its neuron at the next step, not within its own.
    spike_grad : callable, optional
        What stands in for the derivative of a spike on the way back: one of `snnc.surrogate`, or
        any callable on an array of mem - threshold; by default ``surrogate.atan(alpha=2.0)``.
    surrogate_disable : bool, default False
        Whether spikes pass on no gradient at all.
    learn_alpha, learn_beta, learn_threshold : bool, default False
        Whether these are parameters that training changes.
    state_quant : False
        For the order of snnTorch's arguments; not supported at other than its default.

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once.

    References
    ----------
    .. [1] J. K. Eshraghian et al., "Training spiking neural networks using lessons from deep
       learning", Proc. IEEE 111, 1016-1054 (2023).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Synaptic(alpha=0.9, beta=0.8)
    >>> spk_in = np.tile(np.r_[0.2, np.zeros(9)], 20).astype(np.float32)
    >>> lif.run(spk_in).spike_times()
    array([ 23,  41,  53,  71,  83, 101, 113, 131, 143, 161, 173, 191])
    """

    alpha = _Parameter("The decay rate of the synaptic current.")
    beta = _Parameter("The decay rate of the membrane.")
    reset_delay = _Option("Whether a spike resets its neuron at the next step.")
    learn_alpha = _Option("Whether training changes alpha.")

    def __init__(
        self,
        alpha: ArrayLike,
        beta: ArrayLike,
        threshold: ArrayLike = 1.0,
        spike_grad: Callable[[Any], Any] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: bool = False,
        output: bool = False,
        reset_delay: bool = True,
    ) -> None:
        _refuse_quantisation(state_quant)
        self._setup(
            {"alpha": alpha, "beta": beta, "threshold": threshold},
            init_hidden=init_hidden,
            inhibition=inhibition,
            reset_mechanism=reset_mechanism,
            output=output,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_alpha=learn_alpha,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            reset_delay=reset_delay,
        )

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = _cast(parameters, dtype)
        return {**p, "alpha": np.clip(p["alpha"], 0, 1), "beta": np.clip(p["beta"], 0, 1)}

    init_synaptic = SpikingNeuron.reset_mem
    _example = "0.9, 0.8"

    def _call(
        self,
        input_: ArrayLike,
        syn: ArrayLike | None = None,
        mem: ArrayLike | None = None,
        *,
        out: tuple[Floats | None, ...] | None = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (syn, mem), out, dtype)

    if TYPE_CHECKING:
        __call__ = _call


class Alpha(TorchNeuron):
    """Spike response neuron with an alpha-shaped kernel: a difference of two exponentials.

    .. code-block:: text

        e   = alpha syn_exc + x
        i   = beta syn_inh - x
        v   = tau (e + i)         tau = log(alpha)/(log(beta) - log(alpha)) + 1
        mem = v - v r             ("zero"; syn_exc = e - e r, syn_inh = i - i r)
              v - (-syn_inh) r    ("subtract", with the incoming syn_inh;
                                   syn_exc = e - threshold r, syn_inh = i - i r)
              v                   ("none"; syn_exc = e, syn_inh = i)
        spk = 1 if mem > threshold else 0

    where r is 1 if the incoming mem is above the threshold, else 0.

    Parameters
    ----------
    alpha : float or array_like
        Decay rate of the excitatory exponential; clipped to [0, 1], in the constructor with a
        warning. Must exceed `beta`.
    beta : float or array_like
        Decay rate of the inhibitory exponential; clipped likewise.
    threshold : float or array_like, default 1.0
        Membrane potential above which the neuron fires. An infinite one gives NaN with
        "subtract" (0 times inf, as in snnTorch): a readout that is not to fire resets by "none".
    init_hidden : bool, default False
        Whether the neuron holds its states itself: calls neither take nor return them then.
    inhibition : bool, default False
        Whether only the neuron with the largest mem - threshold of a row (axis 1) may fire.
    reset_mechanism : {"zero", "subtract", "none"}, default "zero"
        What a spike does to its neuron, at the next step.
    output : bool, default False
        With `init_hidden`, whether calls return the states after all.
    spike_grad : callable, optional
        What stands in for the derivative of a spike on the way back: one of `snnc.surrogate`, or
        any callable on an array of mem - threshold; by default ``surrogate.atan(alpha=2.0)``.
    surrogate_disable : bool, default False
        Whether spikes pass on no gradient at all.
    learn_alpha, learn_beta, learn_threshold : bool, default False
        Whether these are parameters that training changes.
    state_quant : False
        For the order of snnTorch's arguments; not supported at other than its default.

    Raises
    ------
    ValueError
        If any alpha, clipped, does not exceed its beta.

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once.

    References
    ----------
    .. [1] W. Gerstner, W. M. Kistler, R. Naud and L. Paninski, "Neuronal Dynamics", chapter 6,
       Cambridge University Press (2014).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Alpha(alpha=0.8, beta=0.7, threshold=0.5)
    >>> kernel = lif.run(np.float32([0, 0.85, 0, 0, 0, 0, 0])).mem
    >>> print(np.round(kernel, 3))
    [0.    0.    0.227 0.341 0.384 0.385 0.362]
    """

    alpha = _Parameter("The decay rate of the excitatory exponential.")
    beta = _Parameter("The decay rate of the inhibitory exponential.")
    learn_alpha = _Option("Whether training changes alpha.")

    def __init__(
        self,
        alpha: ArrayLike,
        beta: ArrayLike,
        threshold: ArrayLike = 1.0,
        spike_grad: Callable[[Any], Any] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "zero",
        state_quant: bool = False,
        output: bool = False,
    ) -> None:
        _refuse_quantisation(state_quant)
        self._setup(
            {"alpha": alpha, "beta": beta, "threshold": threshold},
            init_hidden=init_hidden,
            inhibition=inhibition,
            reset_mechanism=reset_mechanism,
            output=output,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_alpha=learn_alpha,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
        )

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        alpha, beta = parameters["alpha"], parameters["beta"]
        for dtype in (np.float64, np.float32):  # a neuron computes in either
            a, b = (np.clip(p.astype(dtype), 0, 1) for p in (alpha, beta))
            if np.any(a <= b):
                raise ValueError(
                    f"alpha={alpha} must exceed beta={beta}, both clipped to [0, 1] and as "
                    f"{np.dtype(dtype)}"
                )
        return parameters

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = _cast(parameters, dtype)
        # Logarithms in double, rounded, then the type's own arithmetic: as near to torch's
        # float32 tau as can be (mostly the same bits).
        alpha, beta = np.clip(p["alpha"], 0, 1), np.clip(p["beta"], 0, 1)
        log_alpha = np.log(alpha, dtype=np.float64).astype(alpha.dtype)
        log_beta = np.log(beta, dtype=np.float64).astype(beta.dtype)
        tau = log_alpha / (log_beta - log_alpha) + 1
        return {**p, "alpha": alpha, "beta": beta, "tau": tau}

    def _parameter_gradients(
        self, names: Iterable[str], parameters: dict[str, Floats], gradients: dict[str, Floats]
    ) -> dict[str, Floats]:
        p = _cast(parameters, np.float64)
        alpha, beta = np.clip(p["alpha"], 0, 1), np.clip(p["beta"], 0, 1)
        log_alpha, difference = np.log(alpha), np.log(beta) - np.log(alpha)
        by_alpha = (1 / difference + log_alpha / difference**2) / alpha  # of tau
        by_beta = -log_alpha / (difference**2 * beta)
        through_tau = {
            **gradients,
            "alpha": gradients["alpha"] + gradients["tau"] * by_alpha,
            "beta": gradients["beta"] + gradients["tau"] * by_beta,
        }
        return super()._parameter_gradients(names, parameters, through_tau)

    init_alpha = SpikingNeuron.reset_mem
    _example = "0.9, 0.8"

    def _call(
        self,
        input_: ArrayLike,
        syn_exc: ArrayLike | None = None,
        syn_inh: ArrayLike | None = None,
        mem: ArrayLike | None = None,
        *,
        out: tuple[Floats | None, ...] | None = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (syn_exc, syn_inh, mem), out, dtype)

    if TYPE_CHECKING:
        __call__ = _call
