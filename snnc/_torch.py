"""snnc's neurons over PyTorch's tensors: with autograd, and as an operator for compilers.

A step or a sequence of a neuron is a function of tensors: the input, the states before, and those
that its parameters are read from. Called as usual it is a ``torch.autograd.Function``, whose calls
take the least time. While ``torch.compile``, ``torch.export`` and the like trace, it is the custom
operator ``snnc::neuron``, which they don't look into.
"""

from __future__ import annotations

import copy
import functools
import itertools
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakValueDictionary

import numpy as np
import torch

from snnc import _core, neurons, surrogate
from snnc._backward import tape_of
from snnc.recording import arrays_in, with_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

RESETS = _core.resets  # by reset_mechanism_val, in whose order the core has them
_Seen = tuple[tuple[Any, ...], Any, Any]  # where a tensor is and how, a view, and what it held
_SMALL = 256  # elements that are compared as bytes, which is faster
_counterparts: WeakValueDictionary[str, Counterpart] = WeakValueDictionary()

FLAGS = ("surrogate_disable", "inhibition", "reset_delay")
OF_ALL = ("graded_spikes_factor", "reset_mechanism_val")
"""Tensors that snnTorch's modules all have, beside those of a model."""

_FLOATS = (torch.float32, torch.float64)
_WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def checked(name: str, value: Any) -> Tensor:
    """Return a tensor that the core can read where it lies."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name}={value!r}; expected a tensor")
    if not value.is_cpu:
        raise ValueError(
            f"{name} is on {value.device}, but snnc computes on the CPU: pass {name}.cpu(), or "
            "use snnTorch's neuron there"
        )
    if value.dtype in _FLOATS and value.layout == torch.strided:
        return value.resolve_neg()
    if value.dtype in _WHOLE:
        return value.to(torch.float32)
    hint = f": pass {name}.float()" if value.is_floating_point() else ""
    raise TypeError(
        f"{name} is a {value.layout} tensor of {value.dtype}; expected a strided one of float32, "
        f"float64, integers or bool{hint}"
    )


def array_of(tensor: Tensor) -> Any:
    """Return a tensor's values, without a copy."""
    return tensor.detach().numpy()


def _as_tensors(arrays: Iterable[Any]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.asarray(array)) for array in arrays)


def of_dtype(x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return x in the dtype to compute in, which parameters of each neuron may widen."""
    if x.dtype is torch.float32:
        for name, t in tensors.items():
            if t.ndim and t.dtype is torch.float64 and "." not in name:
                return x.to(torch.float64)
    return x


def shape_of(x: Tensor, tensors: Mapping[str, Tensor], sequence: bool) -> Any:
    """Return the neuron shape, to which x and the parameters broadcast."""
    shape = x.shape[1:] if sequence else x.shape
    wide = [t.shape for n, t in tensors.items() if t.ndim and "." not in n]
    return torch.broadcast_shapes(shape, *wide) if wide else shape


def _spread(x: Tensor, shape: Any) -> Tensor:
    """Return a sequence whose first axis is time also where the neuron shape has more others."""
    missing = 1 + len(shape) - x.ndim
    return x.reshape(x.shape[0], *(1,) * missing, *x.shape[1:]) if missing else x


def _started(name: str, state: Tensor, shape: Any, dtype: torch.dtype) -> Tensor:
    """Return a state of the neuron shape; one that is at rest may have another."""
    if state.shape == shape:
        return state
    if state.requires_grad or state.any():
        raise ValueError(
            f"{name} has shape {tuple(state.shape)}; expected {tuple(shape)}, that of the neurons"
        )
    return torch.zeros(shape, dtype=dtype, device="cpu")


def inputs_of(
    names: Sequence[str], sequence: bool, x: Tensor, states: Sequence[Tensor], shape: Any
) -> list[Tensor]:
    """Return x and the states, as `compute` takes them, of a neuron of that shape."""
    named = zip(names, states, strict=True)
    start = [_started(name, state, shape, x.dtype) for name, state in named]
    return [_spread(x, shape) if sequence else x, *start]


# ---- snnc's neuron of a module ----


def placeholder(parameter: str) -> float:
    """Return a value with which a neuron can be made before it gets its own."""
    return 0.75 if parameter == "alpha" else 0.5  # Alpha's must be above beta


class Counterpart:
    """snnc's neuron with the parameters and options that a module has at the moment."""

    def __init__(self, neuron: Any) -> None:
        self._now: tuple[Any, dict[str, Any], dict[str, _Seen]] = neuron, {}, {}
        self.serial = uuid4().hex  # by which compiled calls find it
        _counterparts[self.serial] = self

    @property
    def latest(self) -> Any:
        """The neuron with the parameters that the module had last."""
        return self._now[0]

    def neuron(self, tensors: Mapping[str, Tensor], options: dict[str, Any]) -> Any:
        """Return it. Those returned before stay as they are: a backward pass may want them."""
        neuron, old, seen = self._now
        if old == options:
            for name, t in tensors.items():
                memory, view, bits = seen[name]
                # In the same place there may be other bits, whoever wrote them.
                if _memory(t) != memory or not _holds(view, bits):
                    break
            else:
                return neuron
        values = {name: array_of(checked(name, t)) for name, t in tensors.items()}
        reset = int(values.pop("reset_mechanism_val"))
        if not 0 <= reset < len(RESETS):
            raise ValueError(f"reset_mechanism_val={reset}; expected 0 to {len(RESETS) - 1}")
        graded = values["graded_spikes_factor"]
        if not hasattr(neuron, "graded_spikes_factor"):
            del values["graded_spikes_factor"]
            if np.any(graded != 1):
                raise ValueError(f"graded_spikes_factor: a {type(neuron).__name__} has none")
        holds = {"init_hidden": False, "output": False}  # which the module does itself
        neuron = copy.copy(neuron)
        neuron._configure(values, {**options, **holds, "reset_mechanism": RESETS[reset]})
        self._now = neuron, options, {name: _seen(t) for name, t in tensors.items()}
        return neuron

    def __reduce__(self) -> Any:  # views of tensors aren't copied
        return Counterpart, (self._now[0],)


def _memory(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()


def _seen(tensor: Tensor) -> _Seen:
    view = array_of(tensor.resolve_neg())
    bits = view.tobytes() if view.size <= _SMALL else np.array(view)
    return () if tensor.is_neg() else _memory(tensor), view, bits


def _holds(view: Any, bits: Any) -> bool:
    """Whether an array has the same bits, or at least numbers that are equal and not NaN."""
    return bool(view.tobytes() == bits if type(bits) is bytes else np.array_equal(view, bits))


# ---- with autograd ----


def compute(
    neuron: Any, sequence: bool, inputs: Sequence[Tensor], tensors: Mapping[str, Tensor]
) -> tuple[Tensor, ...]:
    """Do a step or a sequence of x and start states: the spikes and the states."""
    if getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0:
        raise RuntimeError("snnc's neurons have no forward-mode gradients")
    if torch.is_grad_enabled():
        learned = {name: t for name, t in tensors.items() if t.requires_grad}
        if learned or any([t.requires_grad for t in inputs]):  # noqa: C419  # a list is faster
            _refuse_inhibition(neuron)
            outputs: tuple[Tensor, ...] = _Dynamics.apply(
                neuron, sequence, (*learned,), *inputs, *learned.values()
            )
            return outputs
    return _as_tensors((neuron.run if sequence else neuron)(*map(array_of, inputs)))


def _refuse_inhibition(neuron: Any) -> None:
    if neuron._options["inhibition"]:
        raise ValueError(
            "inhibition=True: there is no gradient through it; call the neuron under "
            "torch.no_grad()"
        )


class _Dynamics(torch.autograd.Function):  # type: ignore[misc]  # PyTorch may be absent
    """A step or a sequence, of x, the start states and the learned parameters."""

    @staticmethod
    def forward(
        ctx: Any, neuron: Any, sequence: bool, learned: tuple[str, ...], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        count = 1 + len(neuron.states)
        arrays = [array_of(t) for t in tensors[:count]]
        # All arrays are saved as tensors: autograd frees them, refuses those that were changed
        # meanwhile, and lets hooks move them.
        if sequence:
            outputs = neuron.run(*arrays, grad=True)
            tape = tape_of(outputs)
            kept = _as_tensors(arrays_in(tape))
            ctx.save_for_backward(tensors[0], *kept, *tensors[count:])
            tape = with_arrays(tape, ())
        else:
            outputs, tape = neuron(*arrays), None
            ctx.save_for_backward(*tensors)
        ctx.kept = neuron, learned, tape, [(t.shape, t.dtype) for t in tensors]
        return _as_tensors(outputs)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "create_graph=True: the gradients of snnc's neurons can't be differentiated again"
            )
        neuron, learned, tape, kinds = ctx.kept
        saved = ctx.saved_tensors
        arrays = [array_of(t) for t in saved[: len(saved) - len(learned)]]
        if tape is not None:
            tape = with_arrays(tape, arrays)
        names = ("x", *neuron._start_names, *learned)
        wanted = tuple(itertools.compress(names, ctx.needs_input_grad[3:]))
        found = _gradients(neuron, tape, arrays, upstream, wanted)
        gradients = [
            _as_gradient(found[name], *kind) if name in wanted else None
            for name, kind in zip(names, kinds, strict=True)
        ]
        return None, None, None, *gradients


def _gradients(
    neuron: Any,
    tape: Any,
    arrays: Sequence[Any],
    upstream: Sequence[Tensor | None],
    wanted: tuple[str, ...],
) -> Mapping[str, Any]:
    """Return the gradients of a run, or if there is none, of a step from the arrays."""
    given = tuple([None if g is None else g.resolve_neg().numpy() for g in upstream])
    if tape is None:
        x, *states = arrays
        found: dict[str, Any] = neuron._step_backward(x, tuple(states), given, wanted)
        return found
    grads = neuron.backward(tape, *given, wrt=wanted)
    return {name: getattr(grads, name) for name in wanted}


def _as_gradient(array: Any, shape: Any, dtype: Any) -> Tensor:
    gradient = torch.from_numpy(np.asarray(array))
    if gradient.shape != shape:
        gradient = gradient.sum_to_size(shape)
    return gradient if gradient.dtype is dtype else gradient.to(dtype)


# ---- as an operator ----

_functions: WeakValueDictionary[str, Any] = WeakValueDictionary()


def text_of(spike_grad: Any) -> str:
    """Write down a surrogate: what an exported program keeps of it."""
    name = type(spike_grad).__name__
    if surrogate.compiled(spike_grad) is None:  # of Python's: known in this process only
        text = f"{name}@{uuid4()}"
        _functions[text] = spike_grad
        return text
    arguments = {n: float(v) for n, v in vars(spike_grad).items() if not n.startswith("_")}
    return " ".join([name, *(f"{n}={v!r}" for n, v in arguments.items())])


class _OfTensors:
    """A function of tensors as one of arrays."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *arrays: Any) -> Any:
        return self._function(*map(torch.from_numpy, arrays)).detach().numpy()


def of_tensors(made: Any, spike_grad: Any) -> Any:
    """Return a surrogate that calls the function of one of snnTorch's with tensors."""
    own = isinstance(made, surrogate.custom_surrogate) and made is not spike_grad
    if not own:
        return made
    return surrogate.custom_surrogate(_OfTensors(vars(made)["custom_surrogate_function"]))


def _surrogate_in(text: str) -> Any:
    name, _, is_function = text.partition("@")
    if is_function:
        return _functions.get(text) or surrogate.custom_surrogate(_unknown)
    name, *arguments = text.split()
    values = {n: float(v) for n, _, v in (each.partition("=") for each in arguments)}
    return getattr(surrogate, name)(**values)


def _unknown(*_: Any) -> Any:
    raise RuntimeError(
        "spike_grad was a function of Python's in the process that exported this program, and "
        "isn't known here"
    )


@functools.lru_cache(64)
def _counterpart(model: str, names: str, size: int | None, serial: str) -> Counterpart:
    """Return the counterpart of a module that isn't here: of an exported program."""
    parameters = [name for name in names.split() if "." not in name and name not in OF_ALL]
    own: dict[str, Any] = {name: placeholder(name) for name in parameters}
    if model.startswith("R"):
        own |= {"all_to_all": size is not None, "linear_features": size}
    return Counterpart(getattr(neurons, model)(**own))


def _read(tensors: list[Tensor], text: str) -> tuple[Any, dict[str, Tensor]]:
    """Return snnc's neuron, and what its parameters are read from."""
    model, names, flags, spike_grad, serial = text.split("|")
    named = dict(zip(names.split(), tensors, strict=True))
    size = len(named["recurrent.weight"]) if "recurrent.weight" in named else None
    counterpart = _counterparts.get(serial) or _counterpart(model, names, size, serial)
    known = (name for name in FLAGS if hasattr(counterpart.latest, name))
    options = {name: name in flags.split() for name in known}
    return counterpart.neuron(named, {"spike_grad": _surrogate_in(spike_grad), **options}), named


def is_watched() -> bool:
    """Whether something else than autograd looks on, and must see an operator."""
    return bool(
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._len_torch_dispatch_stack() > 0  # make_fx, fake tensors
        or torch._C._are_functorch_transforms_active()
    )


def call_operator(
    model: str,
    text: str,
    sequence: bool,
    x: Tensor,
    states: list[Tensor],
    tensors: Mapping[str, Tensor],
    flags: list[str],
) -> tuple[Tensor, ...]:
    """Do what `compute` does, of a module that is known by its class and its text."""
    text = f"{model}|{' '.join(tensors)}|{' '.join(flags)}|{text}"
    return tuple(_operator(x, states, [*tensors.values()], text, sequence))


_ARGUMENTS = "Tensor x, Tensor[] states, Tensor[] tensors, str text, bool sequence"


@torch.library.custom_op("snnc::neuron", mutates_args=(), schema=f"({_ARGUMENTS}) -> Tensor[]")  # type: ignore[untyped-decorator]  # PyTorch may be absent
def _operator(
    x: Tensor,
    states: list[Tensor],
    tensors: list[Tensor],
    text: str,
    sequence: bool,
) -> list[Tensor]:
    neuron, named = _read(tensors, text)
    with torch.no_grad():
        shape = shape_of(x, named, sequence)
        inputs = inputs_of(neuron.states, sequence, x, states, shape)
        return [*compute(neuron, sequence, inputs, named)]


@_operator.register_fake  # type: ignore[untyped-decorator]  # PyTorch may be absent
def _(
    x: Tensor,
    states: list[Tensor],
    tensors: list[Tensor],
    text: str,
    sequence: bool,
) -> list[Tensor]:
    model, names, *_ = text.split("|")
    shape = shape_of(x, dict(zip(names.split(), tensors, strict=True)), sequence)
    dtype = functools.reduce(torch.promote_types, (state.dtype for state in states), x.dtype)
    whole = (*x.shape[:1], *shape) if sequence else shape
    count = len(states) + ("spk" not in getattr(neurons, model).states)
    return [x.new_empty(whole, dtype=dtype) for _ in range(count)]


@torch.library.custom_op(  # type: ignore[untyped-decorator]  # PyTorch may be absent
    "snnc::neuron_backward",
    mutates_args=(),
    schema=f"({_ARGUMENTS}, Tensor?[] upstream, bool[] wanted) -> Tensor[]",
)
def _backward_operator(
    x: Tensor,
    states: list[Tensor],
    tensors: list[Tensor],
    text: str,
    sequence: bool,
    upstream: list[Tensor | None],
    wanted: list[bool],
) -> list[Tensor]:
    neuron, named = _read(tensors, text)
    _refuse_inhibition(neuron)
    with torch.no_grad():
        shape = shape_of(x, named, sequence)
        inputs = inputs_of(neuron.states, sequence, x, states, shape)
        arrays = [array_of(t) for t in inputs]
        tape = tape_of(neuron.run(*arrays, grad=True, record=())) if sequence else None
        of = dict(zip(("x", *neuron._start_names, *named), (*inputs, *tensors), strict=True))
        names = tuple(itertools.compress(of, wanted))
        found = _gradients(neuron, tape, arrays, upstream, names)
        gradients = [
            _as_gradient(found[name], of[name].shape, of[name].dtype).contiguous()
            for name in names
        ]
        if wanted[0]:
            gradients[0] = gradients[0].reshape(x.shape)
        return gradients


@_backward_operator.register_fake  # type: ignore[untyped-decorator]  # PyTorch may be absent
def _(
    x: Tensor,
    states: list[Tensor],
    tensors: list[Tensor],
    text: str,
    sequence: bool,
    upstream: list[Tensor | None],
    wanted: list[bool],
) -> list[Tensor]:
    return [t.new_empty(t.shape) for t in itertools.compress((x, *states, *tensors), wanted)]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, states, tensors, *ctx.others = inputs
    ctx.count = len(states)
    ctx.save_for_backward(x, *states, *tensors)


def _backward(ctx: Any, upstream: list[Tensor | None]) -> tuple[Any, ...]:
    x, *tensors = ctx.saved_tensors
    states, tensors = tensors[: ctx.count], tensors[ctx.count :]
    of_x, of_states, of_tensors, *_ = ctx.needs_input_grad
    wanted = [of_x, *of_states, *of_tensors]
    computed = iter(_backward_operator(x, states, tensors, *ctx.others, upstream, wanted))
    found = [next(computed) if needed else None for needed in wanted]
    return found[0], found[1 : 1 + ctx.count], found[1 + ctx.count :], None, None


_operator.register_autograd(_backward, setup_context=_setup_context)
