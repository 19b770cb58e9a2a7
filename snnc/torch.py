"""snnTorch's neurons as PyTorch modules: ``import snnc.torch as snn`` (needs torch)."""

from __future__ import annotations

import copy
import inspect
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "snnc.torch needs PyTorch: pip install torch", name="torch"
    ) from None

import snnc
from snnc import _core
from snnc._snntorch import surrogate_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from torch import Tensor

__all__ = ["Alpha", "Lapicque", "Leaky", "RLeaky", "RSynaptic", "Synaptic"]

_RESETS = _core.resets  # by reset_mechanism_val, in whose order the core has them


class _Dynamics(torch.autograd.Function):  # type: ignore[misc]
    """A step or a sequence of a neuron of snnc's: spikes and states, and their gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        neuron: Any,
        learned: tuple[str, ...],
        sequence: bool,
        x: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        count = len(neuron.states)
        arrays = [t.detach().numpy() for t in (x, *tensors[:count])]
        ctx.neuron, ctx.learned, ctx.rec = neuron, learned, None
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *tensors)  # which are refused if they are changed meanwhile
        if sequence:
            ctx.rec = neuron.run(*arrays, grad=True)
        return _as_tensors(ctx.rec if sequence else neuron(*arrays))

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "create_graph=True: the gradients of snnc's neurons can't be differentiated again"
            )
        x, *tensors = ctx.saved_tensors
        neuron, rec = ctx.neuron, ctx.rec
        names = ("x", *(f"{name}0" for name in neuron.states), *ctx.learned)
        if rec is None:
            start = [t.detach().numpy() for t in tensors[: len(neuron.states)]]
            rec = neuron.run(x.detach().numpy()[None], *start, grad=True, record=())
        wanted = [
            name for name, needed in zip(names, ctx.needs_input_grad[3:], strict=True) if needed
        ]
        given = [None if g is None else g.resolve_neg().numpy() for g in upstream]
        found = neuron.backward(rec, *given, wrt=wanted)
        if ctx.rec is None and "x" in wanted:
            found._arrays["x"] = found._arrays["x"][0]
        gradients = []
        for name, tensor in zip(names, (x, *tensors), strict=True):
            gradient = found._arrays.get(name)
            if gradient is not None:
                gradient = torch.from_numpy(np.asarray(gradient))
                gradient = gradient.sum_to_size(tensor.shape).to(tensor.dtype)
            gradients.append(gradient)
        return None, None, None, *gradients


def _as_tensors(arrays: Any) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.asarray(array)) for array in arrays)


def _checked(name: str, value: Any) -> Tensor:
    """Return a tensor that the core can read where it lies."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name}={value!r}; expected a tensor")
    if value.device.type != "cpu":
        raise ValueError(
            f"{name} is on {value.device}, but snnc computes on the CPU: pass {name}.cpu(), or "
            "use snnTorch's neuron there"
        )
    if value.dtype in (torch.float32, torch.float64) and value.layout == torch.strided:
        return value.resolve_neg()
    if value.dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        return value.to(torch.float32)
    raise TypeError(
        f"{name} is a {value.layout} tensor of {value.dtype}; expected a strided one of float32, "
        "float64, integers or bool"
    )


# In the order of snnTorch's, by which optimizers know parameters.
_TENSORS = ("threshold", "graded_spikes_factor", "beta", "alpha", "time_step", "R", "C")


def _reset(value: str) -> Tensor:
    """Return the number of a reset, as snnTorch keeps it."""
    if value not in _RESETS:
        raise ValueError(f"reset_mechanism={value!r}; expected {', '.join(map(repr, _RESETS))}")
    return torch.tensor(_RESETS.index(value))


class Neuron(torch.nn.Module):  # type: ignore[misc]
    """What the modules share: parameters as snnTorch has them, and states that they keep."""

    _makes: ClassVar[Any]  # snnc's neuron
    _named: ClassVar[tuple[str, ...]]  # its parameters
    _flags: ClassVar[tuple[str, ...]] = ("reset_delay",)
    _made: tuple[dict[str, Any], dict[str, Any], Any] | None

    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "_makes"):  # whose constructor has snnTorch's arguments, in their order
            own = inspect.signature(cls._makes)
            kept = [p for name, p in own.parameters.items() if name != "rng"]
            cls.__signature__ = own.replace(parameters=kept)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = self.__signature__.bind(*args, **kwargs)
        given.apply_defaults()
        torch.nn.Module.__init__(self)
        self._setup(given.arguments)
        self._check()

    def _setup(self, arguments: Mapping[str, Any]) -> None:
        """Set everything from the constructor's arguments."""
        given = {**arguments}
        if given.pop("state_quant") is not False:
            raise ValueError("state_quant is not supported, only False: snnc does not quantise")
        self.register_buffer("reset_mechanism_val", _reset(given.pop("reset_mechanism")))
        given.setdefault("graded_spikes_factor", 1.0)
        for name in _TENSORS:
            if name in given:
                self._set_tensor(name, given.pop(name), given.pop(f"learn_{name}", False))
        for name, value in given.items():
            setattr(self, name, value)
        for name in self._makes.states:
            self.register_buffer(name, torch.zeros(0), persistent=False)
        self._made = None

    def _check(self) -> None:
        """Let snnc's neuron name a wrong argument, unless there are no values yet."""
        if all(tensor.device.type == "cpu" for tensor in self._tensors().values()):
            self._neuron()

    def _set_tensor(self, name: str, value: Any, is_learned: bool) -> None:
        tensor = value if isinstance(value, torch.Tensor) else torch.as_tensor(value)
        if is_learned:
            setattr(self, name, torch.nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    @property
    def spike_grad(self) -> Any:
        """The surrogate derivative of a spike: snnc's, also where snnTorch's was assigned."""
        return self._spike_grad

    @spike_grad.setter
    def spike_grad(self, value: Any) -> None:
        self._spike_grad = surrogate_of(value)

    @property
    def reset_mechanism(self) -> str:
        """How a spike resets mem: "subtract", "zero" or "none"."""
        return _RESETS[int(self._buffers["reset_mechanism_val"])]

    @reset_mechanism.setter
    def reset_mechanism(self, value: str) -> None:
        self.reset_mechanism_val = _reset(value)

    # ---- snnc's neuron ----

    def _tensors(self) -> dict[str, Tensor]:
        """Name the tensors that are parameters of snnc's neuron."""
        learned, fixed = self._parameters, self._buffers  # faster than attributes
        return {
            n: learned[n] if n in learned else fixed[n] if n in fixed else getattr(self, n)
            for n in self._named
        }

    def _options(self) -> dict[str, Any]:
        names = ("reset_mechanism", "spike_grad", "surrogate_disable", "inhibition", *self._flags)
        return {name: getattr(self, name) for name in names}

    def _make(self, values: dict[str, Any], options: dict[str, Any]) -> Any:
        return self._makes(**values, **options)

    def _neuron(self) -> Any:
        """Return snnc's neuron with the parameters as they are now, whoever changed them."""
        values = {n: _checked(n, t).detach().numpy() for n, t in self._tensors().items()}
        if "graded_spikes_factor" not in values and (self.graded_spikes_factor != 1).any():
            raise ValueError(f"graded_spikes_factor: a {type(self).__name__} has none")
        options = self._options()
        if self._made is not None and self._made[1] == options:
            old, _, neuron = self._made
            changed = {n: v for n, v in values.items() if not _same(v, old[n])}
            if not changed:
                return neuron
            neuron = copy.copy(neuron)
            for name, value in changed.items():
                part, _, name = name.rpartition(".")
                setattr(getattr(neuron, part) if part else neuron, name, value)
        else:
            with warnings.catch_warnings():  # training leaves [0, 1] all the time
                warnings.filterwarnings("ignore", "(alpha|beta) is clipped")
                neuron = self._make(values, options)
        self._made = {n: np.array(v) for n, v in values.items()}, options, neuron
        return neuron

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    # ---- states ----

    def reset_mem(self) -> Any:
        """Put the states that the neuron keeps back to rest, and return them."""
        for name in self._makes.states:
            setattr(self, name, torch.zeros_like(getattr(self, name)))
        states = tuple(getattr(self, name) for name in self._makes.states)
        return states if len(states) > 1 else states[0]

    def detach_hidden(self) -> None:
        """Detach the states that the neuron keeps from the graph of earlier steps."""
        for name in self._makes.states:
            setattr(self, name, getattr(self, name).detach())

    def _keep(self, name: str, state: Tensor) -> None:
        if name in self._buffers:  # faster than by setattr
            self._buffers[name] = state
        else:
            setattr(self, name, state)

    def _start(self, x: Tensor, shape: Any, given: tuple[Any, ...]) -> list[Tensor]:
        """Return the states to begin with."""
        states = []
        for name, value in zip(self._makes.states, given, strict=True):
            if value is not None and self.init_hidden:
                raise TypeError(f"{name} was passed, but the neuron holds it: init_hidden=True")
            state = _checked(name, getattr(self, name) if value is None else value)
            if state.shape != shape:
                # From rest: that of another batch, or of none yet.
                if value is not None and (state.requires_grad or state.any()):
                    raise ValueError(
                        f"{name} has shape {tuple(state.shape)}; expected {tuple(shape)}, that of "
                        "the neurons"
                    )
                state = torch.zeros(shape, dtype=x.dtype)
            states.append(state)
        return states

    # ---- calls ----

    def forward(self, input_: Tensor, *states: Tensor, **named_states: Tensor) -> Any:
        """Do a step: the spikes and the states, or with ``init_hidden`` the spikes."""
        return self._compute(input_, self._given(states, named_states), sequence=False)

    def run(self, x: Tensor, *states: Tensor, **named_states: Tensor) -> Any:
        """Do the steps of x (T, ...): what a call returns of each, (T, ...)."""
        return self._compute(x, self._given(states, named_states), sequence=True)

    def _given(self, states: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
        names = self._makes.states
        given = dict(zip(names, states, strict=False))
        if len(states) > len(names) or named.keys() - (set(names) - given.keys()):
            raise TypeError(
                f"a {type(self).__name__} takes the states {', '.join(names)}, each once; not "
                f"{len(states)} by position and {', '.join(named) or 'none'} by name"
            )
        return tuple({**given, **named}.get(name) for name in names)

    def _compute(self, x: Any, given: tuple[Any, ...], sequence: bool) -> Any:
        x = _checked("x" if sequence else "input_", x)
        if sequence and x.ndim == 0:
            raise ValueError("x is 0-d; expected (T, ...), with time first")
        parameters = self._tensors()
        shape = x.shape[1:] if sequence else x.shape
        if wide := [t.shape for n, t in parameters.items() if t.ndim and "." not in n]:
            shape = torch.broadcast_shapes(shape, *wide)
            if sequence:  # whose first axis stays time
                missing = 1 + len(shape) - x.ndim
                x = x.reshape(x.shape[0], *(1,) * missing, *x.shape[1:])
        states = self._start(x, shape, given)
        learned = {n: t for n, t in parameters.items() if t.requires_grad}
        tensors = (x, *states, *learned.values())
        neuron = self._neuron()
        if getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0:
            raise RuntimeError("snnc's neurons have no forward-mode gradients")
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
            if self.inhibition:
                raise ValueError(
                    "inhibition=True: there is no gradient through it; call the neuron under "
                    "torch.no_grad()"
                )
            outputs = _Dynamics.apply(neuron, tuple(learned), sequence, *tensors)
        else:
            call = neuron.run if sequence else neuron
            outputs = _as_tensors(call(*(t.detach().numpy() for t in (x, *states))))
        for name, state in zip(self._makes.states, outputs[-len(states) :], strict=True):
            if not sequence or len(state):
                self._keep(name, state[-1].clone() if sequence else state)
        return outputs if self.output or not self.init_hidden else outputs[0]

    def extra_repr(self) -> str:
        """Return the parameters."""
        shown = {
            n: f"{t.item():.6g}" if t.numel() == 1 and t.device.type != "meta" else tuple(t.shape)
            for n, t in self._tensors().items()
        }
        return ", ".join(f"{n}={value}" for n, value in shown.items())


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays have the same bits."""
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


class Leaky(Neuron):
    """snnTorch's `Leaky`, computed by snnc.

    Parameters
    ----------
    beta, threshold, graded_spikes_factor : float or Tensor
        As of `snnc.Leaky`: numbers, or one for each neuron.
    learn_beta, learn_threshold, learn_graded_spikes_factor : bool
        Whether the parameter is a ``torch.nn.Parameter``; else it is a buffer.
    spike_grad : callable, optional
        A surrogate of `snnc.surrogate` or of ``snntorch.surrogate``; by default ``atan()``.
    surrogate_disable, inhibition, reset_mechanism, reset_delay
        As of `snnc.Leaky`.
    init_hidden, output : bool
        Whether the neuron holds its states, and whether it returns them then.
    state_quant : False
        Not supported.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described. Calls: if a tensor is not a strided one of float32,
        float64, integers or bool on the CPU, or a state of another shape isn't at rest.

    Notes
    -----
    A call does a step, ``spk, mem = lif(x, mem)``; `run` does a sequence in one call, which is
    many times as fast. Both have gradients, which can't be differentiated again
    (``create_graph=True``). As in snnTorch a neuron goes on from the states of its last call where
    none are passed; `snnc.utils.reset` puts those of a whole network back to rest.

    Examples
    --------
    >>> import torch
    >>> import snnc.torch as snn
    >>> lif = snn.Leaky(beta=0.8, learn_beta=True)
    >>> x = torch.full((5, 2), 0.5)
    >>> mem = lif.reset_mem()
    >>> for step in range(5):
    ...     spk, mem = lif(x[step], mem)
    >>> spks, mems = lif.run(x, torch.zeros(2))
    >>> bool(torch.equal(mems[-1], mem))
    True
    >>> spks.sum().backward()
    >>> bool(lif.beta.grad > 0)
    True
    """

    _makes = snnc.Leaky
    _named = ("beta", "threshold", "graded_spikes_factor")

    init_leaky = Neuron.reset_mem


class Synaptic(Neuron):
    """snnTorch's `Synaptic`, computed by snnc.

    Parameters are those of `snnc.Synaptic`; for the rest see `Leaky`.

    Examples
    --------
    >>> import torch
    >>> import snnc.torch as snn
    >>> lif = snn.Synaptic(alpha=0.9, beta=0.8)
    >>> spks, syns, mems = lif.run(torch.full((5, 2), 0.25))
    >>> spks.sum(0)
    tensor([2., 2.])
    """

    _makes = snnc.Synaptic
    _named = ("alpha", "beta", "threshold")

    init_synaptic = Neuron.reset_mem


class Alpha(Neuron):
    """snnTorch's `Alpha`, computed by snnc.

    Parameters are those of `snnc.Alpha`; for the rest see `Leaky`. (`learn_alpha` works here.)

    Examples
    --------
    >>> import torch
    >>> import snnc.torch as snn
    >>> lif = snn.Alpha(alpha=0.9, beta=0.8, threshold=0.2)
    >>> spks, syn_excs, syn_inhs, mems = lif.run(torch.full((5, 2), 0.25))
    >>> spks.sum(0)
    tensor([1., 1.])
    """

    _makes = snnc.Alpha
    _named = ("alpha", "beta", "threshold")
    _flags = ()

    init_alpha = Neuron.reset_mem


class Lapicque(Neuron):
    """snnTorch's `Lapicque`, computed by snnc.

    Parameters are those of `snnc.Lapicque`; for the rest see `Leaky`. With `learn_beta` C (or R,
    where C is given) follows from beta at each call: in snnTorch a learned beta changes nothing.

    Examples
    --------
    >>> import torch
    >>> import snnc.torch as snn
    >>> lif = snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3)
    >>> spks, mems = lif.run(torch.full((110, 1), 0.2))
    >>> spks[:, 0].nonzero().T
    tensor([[98]])
    """

    _makes = snnc.Lapicque
    _flags = ()

    def _setup(self, arguments: Mapping[str, Any]) -> None:
        given = {**arguments}
        known = [name for name in ("beta", "R", "C") if given[name] is not False]
        if known not in (["beta"], ["R", "C"], ["beta", "R"], ["beta", "C"]):
            raise ValueError("expected beta, or R and C, or beta and one of them")
        for name in {"beta", "R", "C"}.difference(known):
            del given[name]
        learn_beta = given["learn_beta"]
        super()._setup(given)
        if learn_beta and "beta" not in known:
            raise ValueError("learn_beta=True: beta follows from R and C; give beta")
        with torch.no_grad():
            if "beta" not in known:
                value = torch.exp(torch.ones(1) * (-self.time_step / (self.R * self.C)))
                self.register_buffer("beta", value)
            elif "C" in known:
                value = self.time_step / (self.C * torch.log(1 / self.beta))
                self.register_buffer("R", value)
            else:
                if "R" not in known:
                    self.register_buffer("R", torch.tensor(1))
                value = self.time_step / (self.R * torch.log(1 / self.beta))
                self.register_buffer("C", value)
        # Those that the others follow from, which is what snnTorch's dynamics use.
        circuit = ("beta", "C" if "C" in known else "R") if learn_beta else ("R", "C")
        self._named = (*circuit, "time_step", "threshold")  # type: ignore[misc]

    def _neuron(self) -> Any:
        made = self._made
        neuron = super()._neuron()
        if self._made is not made and self._named[0] == "beta":  # the one that follows from it
            name = {"C": "R", "R": "C"}[self._named[1]]
            value = torch.from_numpy(np.array(getattr(neuron, name)))
            self._buffers[name] = value.to(self.beta.dtype)
        return neuron

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._check()
        super()._save_to_state_dict(*args, **kwargs)

    init_lapicque = Neuron.reset_mem


class _OneToOne(torch.nn.Module):  # type: ignore[misc]
    """Recurrent weights, one for each neuron or a number for all."""

    def __init__(self, V: Tensor) -> None:
        super().__init__()
        self.V = V


class _Recurrent(Neuron):
    """What RLeaky and RSynaptic share."""

    def _setup(self, arguments: Mapping[str, Any]) -> None:
        given = {**arguments}
        own = ("V", "all_to_all", "linear_features", "conv2d_channels", "kernel_size")
        V, all_to_all, size, *convolution = (given.pop(name) for name in own)
        learned = given.pop("learn_recurrent")
        for name, value in zip(own[3:], convolution, strict=True):
            if value is not None:
                raise ValueError(
                    f"{name}={value!r}: snnc's {type(self).__name__} has no convolutions; "
                    "expected None"
                )
        super()._setup(given)
        self.all_to_all, self.linear_features, self.learn_recurrent = all_to_all, size, learned
        if all_to_all:
            if size is None:
                raise TypeError("linear_features is missing: how many neurons there are")
            self.recurrent: Any = torch.nn.Linear(size, size)
            self.recurrent.requires_grad_(learned)
        else:
            self._set_tensor("V", V, learned)
            self.recurrent = _OneToOne(self.V)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = super()._tensors()
        if not self.all_to_all:
            return {**tensors, "V": self.V}
        weight, bias = self.recurrent.weight, self.recurrent.bias
        return {**tensors, "recurrent.weight": weight, "recurrent.bias": bias}

    def _make(self, values: dict[str, Any], options: dict[str, Any]) -> Any:
        if not self.all_to_all:
            return self._makes(all_to_all=False, **values, **options)
        own = {name: value for name, value in values.items() if "." not in name}
        neuron: Any = self._makes(linear_features=self.linear_features, **own, **options)
        for name in ("weight", "bias"):
            setattr(neuron.recurrent, name, values[f"recurrent.{name}"])
        return neuron


class RLeaky(_Recurrent):
    """snnTorch's `RLeaky`, computed by snnc.

    Parameters are those of `snnc.RLeaky`, and `recurrent` a ``torch.nn.Linear``; for the rest see
    `Leaky`. The recurrent current is added to the input before the membrane is computed, which
    snnTorch does last: the last bits of mem differ.

    Examples
    --------
    >>> import torch
    >>> import snnc.torch as snn
    >>> lif = snn.RLeaky(beta=0.9, V=0.5, all_to_all=False)
    >>> spks, mems = lif.run(torch.full((5, 2), 0.4))
    >>> spks.detach().sum(0)
    tensor([2., 2.])
    """

    _makes = snnc.RLeaky
    _named = ("beta", "threshold")

    init_rleaky = Neuron.reset_mem


class RSynaptic(_Recurrent):
    """snnTorch's `RSynaptic`, computed by snnc.

    Parameters are those of `snnc.RSynaptic`; for the rest see `RLeaky`.

    Examples
    --------
    >>> import torch
    >>> import snnc.torch as snn
    >>> lif = snn.RSynaptic(alpha=0.9, beta=0.8, V=0.5, all_to_all=False)
    >>> spks, syns, mems = lif.run(torch.full((5, 2), 0.25))
    >>> spks.detach().sum(0)
    tensor([3., 3.])
    """

    _makes = snnc.RSynaptic
    _named = ("alpha", "beta", "threshold")

    init_rsynaptic = Neuron.reset_mem
