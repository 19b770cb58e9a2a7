"""The base class of the neuron models: parameters, options, states and steps."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnc import _core, surrogate
from snnc._arguments import MOST_SHOWN, frozen, missing, real_array, shown
from snnc.neurons import docs
from snnc.neurons.descriptors import Flag, Option, Parameter, holds_none
from snnc.neurons.sequences import Sequences, columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import ClassVar, Self, TypedDict

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Floats = NDArray[Any]
    Out = tuple[Floats | None, ...] | None

    class StepOptions(TypedDict, total=False):
        """The keyword-only arguments of calls."""

        out: Out
        dtype: DTypeLike | None


_STATES = {name for states, *_ in _core.models.values() for name in states}

# Attributes of torch's modules: what to write here, for the AttributeError.
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


def _check_shapes(parameters: dict[str, Floats]) -> None:
    try:
        np.broadcast_shapes(*(array.shape for array in parameters.values()))
    except RuntimeError:
        pass  # more dimensions than this function takes: the core compares them as well
    except ValueError:
        listed = ", ".join(f"{name} {array.shape}" for name, array in parameters.items())
        raise ValueError(f"parameters don't broadcast with each other: {listed}") from None


class Configuration(NamedTuple):
    """What a neuron computes with.

    It is replaced as a whole, so what is read of it at once belongs together, whatever another
    thread assigns meanwhile.
    """

    parameters: Mapping[str, Floats]
    options: dict[str, Any]
    cell: Any  # the core's view of them
    derived: Any  # what else a model asks of them at every run


class _Signature:
    """The signature of a neuron's calls: the base class, in C, has none of its own."""

    def __get__(self, neuron: SpikingNeuron | None, owner: type | None = None) -> Any:
        import inspect

        if neuron is None:
            return None
        own = type(neuron).__call__ is _core.Neuron.__call__
        return inspect.signature(neuron._call if own else neuron.__call__)


class SpikingNeuron(Sequences, _core.Neuron):
    """The base class of the neuron models: what they share, and nothing to instantiate."""

    states: ClassVar[tuple[str, ...]]
    """The names of the states, in the order in which calls take and return them."""

    State: ClassVar[Any]

    _name: ClassVar[str]  # of the model in the core's table, of subclasses too
    _start_names: ClassVar[tuple[str, ...]]  # of gradients: mem0, ...

    # For the docstring: the arguments of a constructor, and what is special about calls.
    _example: ClassVar[str]
    _of_calls: ClassVar[Mapping[str, str]] = {}
    _described: ClassVar[Mapping[str, Parameter | Option[Any]]]  # parameters and options
    _instead: ClassVar[Mapping[str, str]] = {}  # of names of other models: what to write here
    _wide: ClassVar[str] = ""  # kinds of dtypes that compute in float64, beside float64
    _prepares: ClassVar[bool] = False  # whether a run needs `_prepare`
    _default: ClassVar[tuple[tuple[str, ...], tuple[int, ...]]]  # what is recorded
    _nothing: ClassVar[tuple[None, ...]]
    _step_in_core: ClassVar[Any] = None  # in place of _core.step
    _no_checkpoints: ClassVar[tuple[None, ...]]

    init_hidden = Flag(
        "Whether the neuron holds its states itself: calls neither take nor return them then."
    )
    output = Flag("With `init_hidden`, whether calls also return the states.")

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable
    __signature__ = _Signature()

    _configuration: Configuration
    _call: Any  # what the base class, in C, calls where it can't do a step itself

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
            cls._described = {
                name: descriptor
                for base in reversed(cls.__mro__)
                for name, descriptor in vars(base).items()
                if isinstance(descriptor, (Parameter, Option))
            }
            state: Any = namedtuple("State", cls.states, module=cls.__module__)  # type: ignore[misc]  # names of the class
            cls.State = state
            cls._recordable = cls.states
            cls._default = columns(cls.states, ("spk", *cls._recorded()))
            cls._nothing = cls._no_checkpoints = (None,) * len(cls.states)
            cls.State.__qualname__ = f"{cls.__qualname__}.State"
            cls._call.__name__ = "__call__"  # as errors name it
            cls._call.__qualname__ = f"{cls.__qualname__}.__call__"
            if cls.__doc__:  # there is none under python -OO
                cls.__doc__ = docs.assembled(cls)

    def _missing(self, name: str) -> Any:
        """Say what to write instead of an attribute that is not there."""
        cls = type(self).__name__
        if name == "_configuration":
            raise TypeError(f"{cls}.__init__ must call super().__init__() before all else")
        if name in getattr(self, "states", ()):  # comes here from `StateDescriptor`
            raise holds_none(self, name)
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
    def _parameters(self) -> Mapping[str, Floats]:
        return self._configuration.parameters

    @property
    def _options(self) -> dict[str, Any]:
        return self._configuration.options

    def _setup(self, arguments: Mapping[str, Any]) -> None:
        """Set all parameters and options from a constructor's arguments (`locals()`)."""
        parameters: dict[str, Any] = {}
        options: dict[str, Any] = {}
        for name, value in arguments.items():
            if name != "self":
                is_parameter = isinstance(self._described[name], Parameter)
                (parameters if is_parameter else options)[name] = value
        self._set(Configuration({}, {}, None, None), None, False, None)
        self._configure(parameters, options)

    def _configure(self, parameters: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Set some, with everything that follows from them, or raise and change nothing."""
        described: Mapping[str, Any] = self._described
        all_options = {
            **self._options,
            **{n: described[n].checked(value) for n, value in options.items()},
        }
        unset = {n for n, value in parameters.items() if value is None and described[n].default}
        new = {n: real_array(n, value) for n, value in parameters.items() if n not in unset}
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
        read_only = {name: frozen(array) for name, array in parameters.items()}
        cell = self._make_cell(read_only, options)
        configuration = Configuration(read_only, options, cell, self._derived(read_only, options))
        self._set(configuration, cell, self._is_indirect(configuration), held)

    def _take(self, other: Self) -> None:
        """Put another neuron's parameters and options into effect."""
        self._set(other._configuration, other._cell, other._indirect, self._held)

    def _derived(self, parameters: dict[str, Floats], options: dict[str, Any]) -> Any:
        """Derive what else every run asks for."""
        return None

    def _is_indirect(self, configuration: Configuration) -> bool:
        """Say whether calls must go through `_call`, as a step is more than arithmetic."""
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
        """Return the reset mechanism, whether it is undelayed, and whether there is inhibition."""
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
        cell, step = configuration.cell, self._step_in_core or _core.step
        if held is None:
            return step(cell, input_, out, dtype, False, *states)
        output = configuration.options["output"]
        if out is not None and not output:
            if not isinstance(out, tuple) or len(out) != 1:
                raise TypeError(
                    f"out={out!r}; expected a tuple of one array, (spk,), as the neuron holds its "
                    "states"
                )
            out = (*out, *(None for _ in states))
        result = step(cell, input_, out, dtype, True, *held)
        if self._held is not None:  # unless init_hidden was unset meanwhile
            self._held = tuple(map(np.copy, result[1:])) if output else result[1:]
        return result if output else result[0]

    def _prepare_step(
        self,
        configuration: Configuration,
        x: Any,
        states: tuple[Any, ...],
        holds: bool,
        dtype: Any,
        rng: Any,
    ) -> tuple[Any, tuple[Any, ...], Any]:
        """Do to the input, the states and the dtype what a model needs before a step."""
        if rng is not None:
            raise TypeError(f"rng={rng!r}: a {type(self).__name__} has no noise")
        return x, states, dtype

    def _refuse_states(self, named: Iterable[tuple[str, Any]]) -> None:
        for name, state in named:
            if state is not None:
                raise TypeError(
                    f"{name} was passed to a neuron that holds its states (init_hidden=True): "
                    f"assign to its {name} attribute instead"
                )
