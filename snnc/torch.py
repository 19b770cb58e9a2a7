"""snnTorch's neurons as PyTorch modules: ``import snnc.torch as snn`` (needs torch)."""

from __future__ import annotations

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
from snnc import _torch, utils
from snnc._arguments import missing_names
from snnc._snntorch import surrogate_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from torch import Tensor

__all__ = ["Alpha", "Lapicque", "Leaky", "RLeaky", "RSynaptic", "Synaptic", "utils"]

__getattr__ = missing_names(
    "snnc.torch",
    {
        **dict.fromkeys(
            (
                "BatchNormTT1d", "BatchNormTT2d", "DeltaLeaky", "GradedSpikes", "LeakyParallel",
                "LinearLeaky", "SConv2dLSTM", "SLSTM", "StateLeaky",
            ),
            "snntorch's works beside these neurons",
        ),
        **dict.fromkeys(
            ("functional", "spikegen", "spikeplot", "surrogate"),
            "import it from snntorch, or from snnc",
        ),
    },
)  # fmt: skip

# In the order of snnTorch's, as in a state_dict; optimizers know parameters by theirs.
_TENSORS = (
    "threshold", "graded_spikes_factor", "reset_mechanism_val", "beta", "alpha", "time_step", "R",
    "C",
)  # fmt: skip


def _reset(value: str) -> Tensor:
    """Return the number of a reset, as snnTorch keeps it."""
    if value not in _torch.RESETS:
        expected = ", ".join(map(repr, _torch.RESETS))
        raise ValueError(f"reset_mechanism={value!r}; expected {expected}")
    return torch.tensor(_torch.RESETS.index(value))


def _made(cls: Any, arguments: Mapping[str, Any]) -> Any:
    """Make snnc's neuron, which says what is wrong with an argument."""
    values = {**arguments}
    for name, value in arguments.items():
        if isinstance(value, torch.Tensor):
            here = value.device.type == "cpu"  # else there are no values that can be read
            values[name] = (
                _torch.array_of(_torch.checked(name, value))
                if here
                else np.full(value.shape, _torch.placeholder(name))
            )
    with warnings.catch_warnings():  # training leaves [0, 1] all the time
        warnings.filterwarnings("ignore", "(alpha|beta) is clipped")
        return cls(**values)


class _OfOneNeuron:
    """A method that snnTorch's classes have for all their neurons."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, neuron: Any, owner: type) -> Any:
        if neuron is None:
            name = self._function.__name__
            raise TypeError(
                f"{owner.__name__}.{name}() would be of all neurons of the class; write "
                f"lif.{name}() of each, or snnc.utils.reset(net)"
            )
        return self._function.__get__(neuron)


class Neuron(torch.nn.Module):  # type: ignore[misc]  # PyTorch may be absent
    """What the modules share: parameters as snnTorch has them, and states that they keep."""

    _makes: ClassVar[Any]  # snnc's neuron
    _named: tuple[str, ...]  # its parameters
    _flags: ClassVar[tuple[str, ...]] = _torch.FLAGS
    _counterpart: _torch.Counterpart

    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "_makes"):  # whose constructor has snnTorch's arguments, in their order
            own = inspect.signature(cls._makes)
            kept = [p for name, p in own.parameters.items() if name != "rng"]
            cls.__signature__ = own.replace(parameters=kept)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        torch.nn.Module.__init__(self)
        self.spike_grad = given["spike_grad"]
        given["spike_grad"] = self.spike_grad
        self._counterpart = _torch.Counterpart(_made(self._makes, given))  # or says what is wrong
        for name in ("init_hidden", "output", *self._flags):
            setattr(self, name, given[name])
        for name in self._makes.states:
            self.register_buffer(name, torch.zeros(0), persistent=False)
        given["reset_mechanism_val"] = _reset(given["reset_mechanism"])
        self._set_tensors({"graded_spikes_factor": 1.0, **given})

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.spike_grad = self._spike_grad

    def _set_tensors(self, given: dict[str, Any]) -> None:
        """Set the parameters, which are known to be right."""
        for name in _TENSORS:
            if name in given:
                self._set_tensor(name, given[name], given.get(f"learn_{name}", False))

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
        self._spike_grad = _torch.of_tensors(surrogate_of(value), value)
        self._spike_grad_text = _torch.text_of(self._spike_grad)  # for compilers

    @property
    def reset_mechanism(self) -> str:
        """How a spike resets mem: "subtract", "zero" or "none"."""
        return _torch.RESETS[int(self._buffers["reset_mechanism_val"])]

    @reset_mechanism.setter
    def reset_mechanism(self, value: str) -> None:
        self.reset_mechanism_val = _reset(value)

    # ---- snnc's neuron ----

    def _tensors(self) -> dict[str, Tensor]:
        """Name the tensors that snnc's neuron follows from."""
        learned, fixed = self._parameters, self._buffers  # faster than attributes
        return {
            n: learned[n] if n in learned else fixed[n] if n in fixed else getattr(self, n)
            for n in self._named
        }

    def _neuron(self, tensors: Mapping[str, Tensor]) -> Any:
        """Return snnc's neuron with the parameters and options as they are now."""
        options = {name: getattr(self, name) for name in self._flags}
        return self._counterpart.neuron(tensors, {"spike_grad": self._spike_grad, **options})

    def _text(self) -> str:
        return f"{self._spike_grad_text}|{self._counterpart.serial}"

    # ---- states ----

    def reset_mem(self) -> Any:
        """Put the states that the neuron keeps back to rest, and return them."""
        for name in self._makes.states:
            setattr(self, name, torch.zeros_like(getattr(self, name)))
        states = tuple(getattr(self, name) for name in self._makes.states)
        return states if len(states) > 1 else states[0]

    @_OfOneNeuron
    def reset_hidden(self) -> None:
        """Put the states that the neuron keeps back to rest."""
        self.reset_mem()

    @_OfOneNeuron
    def detach_hidden(self) -> None:
        """Detach the states that the neuron keeps from the graph of earlier steps."""
        for name in self._makes.states:
            setattr(self, name, getattr(self, name).detach())

    def _start(
        self, shape: Any, dtype: Any, given: tuple[Any, ...], watched: bool
    ) -> list[Tensor]:
        """Return the states to begin with."""
        states = []
        for name, value in zip(self._makes.states, given, strict=True):
            if value is None:
                value = getattr(self, name)
                if value.shape != shape:  # that of another batch, or of none yet
                    value = torch.zeros(shape, dtype=dtype, device="cpu")
                elif not watched and value.is_inference():
                    value = value.clone()  # which autograd may save
            elif self.init_hidden:
                raise TypeError(f"{name} was passed, but the neuron holds it: init_hidden=True")
            states.append(_torch.checked(name, value))
        return states

    # ---- calls ----

    def forward(self, input_: Tensor, *states: Tensor, **named_states: Tensor) -> Any:
        """Do a step: the spikes and the states, or with ``init_hidden`` the spikes."""
        return self._compute("input_", input_, self._given(states, named_states), sequence=False)

    def run(self, x: Tensor, *states: Tensor, **named_states: Tensor) -> Any:
        """Do the steps of x (T, ...): what a call returns of each, (T, ...)."""
        return self._compute("x", x, self._given(states, named_states), sequence=True)

    def _given(self, states: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
        names = self._makes.states
        if not named and len(states) == len(names):
            return states
        given = dict(zip(names, states, strict=False))
        if len(states) > len(names) or named.keys() - (set(names) - given.keys()):
            raise TypeError(
                f"a {type(self).__name__} takes the states {', '.join(names)}, each once; not "
                f"{len(states)} by position and {', '.join(named) or 'none'} by name"
            )
        return tuple({**given, **named}.get(name) for name in names)

    def _compute(self, name: str, x: Any, given: tuple[Any, ...], sequence: bool) -> Any:
        x = _torch.checked(name, x)
        if sequence and x.ndim == 0:
            raise ValueError("x is 0-d; expected (T, ...), with time first")
        tensors = self._tensors()
        x = _torch.of_dtype(x, tensors)
        shape = _torch.shape_of(x, tensors, sequence)
        watched = _torch.is_watched()
        states = self._start(shape, x.dtype, given, watched)
        names = self._makes.states
        if watched:
            flags = [name for name in self._flags if getattr(self, name)]
            outputs = _torch.call_operator(
                self._makes.__name__, self._text(), sequence, x, states, tensors, flags
            )
        else:
            inputs = _torch.inputs_of(names, sequence, x, states, shape)
            outputs = _torch.compute(self._neuron(tensors), sequence, inputs, tensors)
        for name, state in zip(names, outputs[-len(names) :], strict=True):
            if not sequence or state.shape[0]:
                kept = state[-1].clone() if sequence else state
                if watched or name not in self._buffers:
                    setattr(self, name, kept)
                else:  # faster
                    self._buffers[name] = kept
        return outputs if self.output or not self.init_hidden else outputs[0]

    def extra_repr(self) -> str:
        """Return the parameters."""
        tensors = self._tensors()
        shown = {
            n: f"{t.item():.6g}" if t.numel() == 1 and t.device.type != "meta" else tuple(t.shape)
            for n, t in tensors.items()
            if n not in _torch.OF_ALL
        }
        return ", ".join(f"{n}={value}" for n, value in shown.items())


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
    _named = ("beta", "threshold", *_torch.OF_ALL)

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
    _named = ("alpha", "beta", "threshold", *_torch.OF_ALL)

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
    _named = ("alpha", "beta", "threshold", *_torch.OF_ALL)
    _flags = _torch.FLAGS[:2]

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
    _flags = _torch.FLAGS[:2]
    _followed: Any = None  # snnc's neuron, whose R or C was taken

    def _set_tensors(self, given: dict[str, Any]) -> None:
        known = [name for name in ("beta", "R", "C") if given[name] is not False]
        super()._set_tensors({n: v for n, v in given.items() if v is not False or n in known})
        learn_beta = given["learn_beta"]
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
        self._named = (*circuit, "time_step", "threshold", *_torch.OF_ALL)

    def _neuron(self, tensors: Mapping[str, Tensor]) -> Any:
        neuron = super()._neuron(tensors)
        if self._named[0] == "beta" and neuron is not self._followed:
            self._followed = neuron
            name = {"C": "R", "R": "C"}[self._named[1]]  # which follows from it
            value = torch.from_numpy(np.array(getattr(neuron, name)))
            self._buffers[name] = value.to(self.beta.dtype)
        return neuron

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._neuron(self._tensors())
        super()._save_to_state_dict(*args, **kwargs)

    init_lapicque = Neuron.reset_mem


class _OneToOne(torch.nn.Module):  # type: ignore[misc]  # PyTorch may be absent
    """Recurrent weights, one for each neuron or a number for all."""

    def __init__(self, V: Tensor) -> None:
        super().__init__()
        self.V = V

    def forward(self, spk: Tensor) -> Tensor:
        """Return the recurrent current."""
        return spk * self.V


class _Recurrent(Neuron):
    """What RLeaky and RSynaptic share."""

    def _set_tensors(self, given: dict[str, Any]) -> None:
        super()._set_tensors(given)
        for name in ("all_to_all", "linear_features", "learn_recurrent"):
            setattr(self, name, given[name])
        if self.all_to_all:
            self.recurrent: Any = torch.nn.Linear(self.linear_features, self.linear_features)
            self.recurrent.requires_grad_(self.learn_recurrent)
        else:
            self._set_tensor("V", given["V"], self.learn_recurrent)
            self.recurrent = _OneToOne(self.V)

    def _tensors(self) -> dict[str, Tensor]:
        tensors, recurrent = super()._tensors(), self.recurrent
        # It isn't called: what else it does is refused.
        kind = torch.nn.Linear if self.all_to_all else _OneToOne
        known = isinstance(recurrent, kind) and type(recurrent).forward is kind.forward
        if not known or recurrent._forward_hooks or recurrent._forward_pre_hooks:
            raise TypeError(
                f"recurrent={recurrent!r}; expected what the constructor made, without hooks: "
                "snnc reads its weights and doesn't call it"
            )
        if not self.all_to_all:
            return {**tensors, "V": recurrent.V}
        if recurrent.bias is None:
            raise TypeError("recurrent has no bias; expected one, of zeros if need be")
        weight, bias = self.recurrent.weight, self.recurrent.bias
        return {**tensors, "recurrent.weight": weight, "recurrent.bias": bias}


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
    _named = ("beta", "threshold", *_torch.OF_ALL)

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
    _named = ("alpha", "beta", "threshold", *_torch.OF_ALL)

    init_rsynaptic = Neuron.reset_mem
