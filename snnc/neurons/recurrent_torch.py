"""RLeaky and RSynaptic: snnTorch's recurrent neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnc import _core
from snnc._arguments import at_least_one, flag, frozen, missing, real_array, real_numbers
from snnc._backward import step_by_run
from snnc._product import linear_start
from snnc.neurons import synaptic
from snnc.neurons.closed_loop import ClosedLoop, Parameters, state_type
from snnc.neurons.leaky import Leaky
from snnc.neurons.projection import Projection
from snnc.neurons.sequences import columns
from snnc.neurons.synaptic import Synaptic
from snnc.neurons.torch_neuron import ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import ClassVar

    from numpy.typing import ArrayLike, DTypeLike

    from snnc._arguments import RNGLike, SeedLike
    from snnc._backward_loop import LoopGradients
    from snnc.neurons.base import Configuration, Floats, Out, SpikingNeuron
    from snnc.neurons.torch_neuron import Reset

__all__ = ["RLeaky", "RSynaptic"]


_NOT_HERE = ("graded_spikes_factor", "learn_graded_spikes_factor")  # which Leaky has


class Connections:
    """The recurrent weights of a neuron: `weight` and `bias`, or one-to-one `V`."""

    def __init__(self, loop: RecurrentTorch) -> None:
        self._of = loop

    def __getattr__(self, name: str) -> Any:
        own = self._of._own_parameters(*self._of._loop)
        for key in (name, f"recurrent.{name}"):
            if not name.startswith("_") and key in own:
                return own[key]
        listed = ", ".join(key.removeprefix("recurrent.") for key in own)
        raise missing("recurrent", name, f"it has {listed}", self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_of":
            object.__setattr__(self, name, value)
            return
        getattr(self, name)  # which says what there is
        own = self._of._own_parameters(*self._of._loop)
        self._of._configure({name if name in own else f"recurrent.{name}": value}, {})

    def __repr__(self) -> str:
        return f"<{', '.join(f'{n}={a.dtype} {a.shape}' for n, a in self._named().items())}>"

    def _named(self) -> dict[str, Any]:
        own = self._of._own_parameters(*self._of._loop)
        return {key.removeprefix("recurrent."): value for key, value in own.items()}


class Cell(NamedTuple):
    """The core's view of a neuron, and how its states follow from (spk, *those of the model)."""

    capsule: Any
    hidden: int  # how many states the core has before those of the model

    def from_own(self, states: Sequence[Any]) -> tuple[Any, ...]:
        """Order them as the core does: those of the model, spikes under way, a current."""
        spk, *own = states
        if spk is not None and type(spk) not in (bool, int, float):
            spk = real_numbers("spk", spk)
            spk = spk[None] if spk.ndim else spk  # steps under way: one
        return (*(None,) * self.hidden, *own, spk, None)

    def to_own(self, states: Sequence[Any]) -> tuple[Any, ...]:
        """Order the core's states as this neuron has them."""
        *own, past, _ = states
        return (past[0], *own[self.hidden :])


class RecurrentTorch(ClosedLoop):
    """The base class of RLeaky and RSynaptic."""

    _past_name: ClassVar = "spk"
    _model: ClassVar[type[SpikingNeuron]]
    _own_options: dict[str, Any]

    def _setup(self, arguments: Mapping[str, Any]) -> None:
        """Set everything from a constructor's arguments (`locals()`)."""
        given = {name: value for name, value in arguments.items() if name != "self"}
        own = {n: given.pop(n) for n in ("all_to_all", "linear_features", "learn_recurrent")}
        V, rng = given.pop("V"), given.pop("rng")
        cls = type(self).__name__
        for name in ("conv2d_channels", "kernel_size"):
            if (value := given.pop(name)) is not None:
                raise ValueError(
                    f"{name}={value!r}: snnc's {cls} has no convolutions; expected None"
                )
        own["all_to_all"] = flag("all_to_all", own["all_to_all"])
        own["learn_recurrent"] = flag("learn_recurrent", own["learn_recurrent"])
        size = own["linear_features"]
        bias = None
        if own["all_to_all"]:
            if size is None:
                raise TypeError(
                    f"linear_features is missing: {cls} with all_to_all=True needs to know how "
                    "many neurons there are"
                )
            own["linear_features"] = size = at_least_one("linear_features", size)
            weight, bias = linear_start(size, size, rng)
        elif size is not None:
            raise TypeError(
                f"linear_features={size!r}: with all_to_all=False each neuron has itself only"
            )
        else:
            weight = self._one_to_one(V)
        self._connect(self._model(**given), (Projection(weight),), bias)
        object.__setattr__(self, "_own_options", own)

    def _build(
        self, inner: Configuration, projections: tuple[Projection, ...], bias: Floats | None
    ) -> Configuration:
        if "graded_spikes_factor" in inner.parameters:  # which snnTorch's have not
            parameters = {**inner.parameters}
            del parameters["graded_spikes_factor"]
            inner = inner._replace(parameters=parameters)
        made = super()._build(inner, projections, bias)
        hidden = len(_core.models[self._core_model(inner)][0]) - len(self._model.states)
        return made._replace(cell=Cell(made.cell, hidden))

    def _core_model(self, inner: Configuration) -> str:
        """Name the model that the core steps."""
        return self._model.__name__

    @staticmethod
    def _one_to_one(V: ArrayLike) -> Floats:
        weight = real_array("V", V)
        if weight.ndim > 1:
            raise ValueError(f"V has shape {weight.shape}; expected a number or one dimension")
        return weight

    def _own_parameters(
        self, projections: tuple[Projection, ...], bias: Floats | None
    ) -> Parameters:
        (projection,) = projections
        if bias is None:
            return Parameters({"V": projection.weight})
        return Parameters({"recurrent.weight": projection.weight, "recurrent.bias": bias})

    def _learned_of_loop(self) -> tuple[str, ...]:
        own = self._own_parameters(*self._loop)
        return tuple(own) if self.learn_recurrent else ()

    def _loop_gradients(self, gradients: LoopGradients, names: Iterable[str]) -> dict[str, Any]:
        return {
            name: gradients.bias() if name == "recurrent.bias" else gradients.weight(0)
            for name in names
        }

    def _name_past(self, gradient: Floats) -> dict[str, Any]:
        return {"spk0": gradient[0]}

    def _name_upstream(
        self, states: tuple[Any, ...], named_states: Mapping[str, Any]
    ) -> dict[str, Any]:
        return self._name_states((None, *states), named_states, "backward")

    _step_backward = step_by_run

    def _changed_loop(self, values: Mapping[str, Any]) -> Any:
        (projection,), bias = self._loop
        if "V" in values:
            return (Projection(self._one_to_one(values["V"])),), None
        if "recurrent.weight" in values:
            size = self._own_options["linear_features"]
            weight = real_array("weight", values["recurrent.weight"])
            if weight.shape != (size, size):
                raise ValueError(f"weight has shape {weight.shape}; expected {(size, size)}")
            projection = Projection(weight)
        if "recurrent.bias" in values:
            assert bias is not None
            new = real_array("bias", values["recurrent.bias"])
            if new.shape != bias.shape:
                raise ValueError(f"bias has shape {new.shape}; expected {bias.shape}")
            bias = frozen(new)
        return (projection,), bias

    def _missing(self, name: str) -> Any:
        if name in _NOT_HERE:
            raise missing(f"a {type(self).__name__}", name, None, self)
        return super()._missing(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _NOT_HERE:
            raise missing(f"a {type(self).__name__}", name, "it can't be set", self)
        super().__setattr__(name, value)

    @property
    def recurrent(self) -> Connections:
        """The recurrent `weight` (n, n) and `bias` (n,), or one-to-one `V`."""
        return Connections(self)

    @property
    def learn_recurrent(self) -> bool:
        """Whether training changes the recurrent weights."""
        learns: bool = self._own_options["learn_recurrent"]
        return learns

    @property
    def all_to_all(self) -> bool:
        """Whether all neurons of a row are connected; else each with itself."""
        connects: bool = self._own_options["all_to_all"]
        return connects

    @property
    def linear_features(self) -> int | None:
        """How many neurons a row has, with `all_to_all`."""
        size: int | None = self._own_options["linear_features"]
        return size

    def _arguments(self) -> dict[str, Any]:
        own = {name: value for name, value in self._parameters.items() if name == "V"}
        return {**self.neuron._arguments(), **own, **self._own_options}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecurrentTorch):
            return NotImplemented
        return super().__eq__(other) is True and self._own_options == other._own_options

    __hash__ = None

    # ---- states: (spk, *those of the model), in the core (*those, spikes under way, current) ----

    def _rest(self) -> tuple[Floats, ...]:
        return (np.zeros((), np.float32), *self.neuron._rest())

    def _step_in_core(
        self, cell: Cell, input_: Any, out: Any, dtype: Any, holds: bool, *states: Any
    ) -> tuple[Any, ...]:
        if out is not None:  # (spk, spk as a state, *own)
            out = (out[0], *(None,) * cell.hidden, *out[2:], None, None)
        start = [*cell.from_own(states)[:-1], 0.0]  # a current that doesn't last
        start[: cell.hidden] = [0.0] * cell.hidden
        spk, *rest = _core.step(cell.capsule, input_, out, dtype, holds, *start)
        return (spk, *cell.to_own(rest))

    def _run_in_core(
        self,
        cell: Cell,
        x: Any,
        holds: bool,
        begin: tuple[Any, ...],
        num_steps: Any,
        time_axis: int,
        indices: tuple[int, ...],
        every: int,
        first_step: int,
        neurons: Any,
        spk_dtype: Any,
        given: Any,
        *others: Any,
    ) -> tuple[Any, ...]:
        indices = tuple(i + cell.hidden if i >= len(_core.records) else i for i in indices)
        out_spk = None
        if given is not None:
            recorded, final, checkpoints, overwritten = given
            out_spk = final[0] if isinstance(final[0], np.ndarray) else None
            whole = None if out_spk is None or out_spk.ndim == 0 else out_spk
            final = cell.from_own((whole, *final[1:]))
            if len(checkpoints) != len(final) + 2:  # of another reset, or none
                checkpoints = (None,) * (len(final) + 2)
            given = (recorded, final, checkpoints, overwritten)
        arrays, state, steps, kept = _core.run(
            cell.capsule, x, holds, cell.from_own(begin), num_steps, time_axis, indices, every,
            first_step, neurons, spk_dtype, given, *others,
        )  # fmt: skip
        spk, *own = cell.to_own(state)
        if out_spk is not None and out_spk.ndim == 0:
            out_spk[...] = spk
        return arrays, (spk if out_spk is None else out_spk, *own), steps, kept

    def _call(
        self,
        input_: ArrayLike,
        *states: ArrayLike | None,
        out: Out = None,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
        **named_states: ArrayLike | None,
    ) -> Any:
        count = len(self.states)
        if (out is not None and self._held is None) or self.output:
            if out is not None and (not isinstance(out, tuple) or len(out) != count):
                raise TypeError(
                    f"out must be a tuple of {count}, ({', '.join(self.states)}) as they are "
                    f"returned, not {out!r}"
                )
            out = None if out is None else (out[0], None, *out[1:])
        result = super()._call(input_, *states, out=out, dtype=dtype, rng=rng, **named_states)
        return (result[0], *result[2:]) if isinstance(result, tuple) else result


class RLeaky(RecurrentTorch):
    """First-order leaky integrate-and-fire neuron with recurrent connections, as snnTorch's.

    .. code-block:: text

        input = (x + bias) + the sum of the weights of the neurons that spiked last
                or, one-to-one, x + V spk
        the rest as Leaky

    Parameters
    ----------
    beta : float or array_like
        Decay rate of the membrane, as of `Leaky`.
    V : float or array_like, shape (n,), default 1.0
        The weight of each neuron's own last spike, with ``all_to_all=False``.
    all_to_all : bool, default True
        Whether all neurons of a row, the last axis of the neuron shape, are connected.
    linear_features : int
        How many neurons a row has; required with `all_to_all`.
    conv2d_channels, kernel_size : None
        For the order of snnTorch's arguments: there are no convolutions here.
    threshold, spike_grad, surrogate_disable, init_hidden, inhibition, learn_beta, \
learn_threshold, reset_mechanism, state_quant, output, reset_delay
        As of `Leaky`.
    learn_recurrent : bool, default True
        Whether training changes the recurrent weights.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where the recurrent weights come from; None is seeded by the system.

    Attributes
    ----------
    recurrent
        Its `weight` (n, n), to each neuron (row) from each, and `bias` (n,), start uniform
        within 1/sqrt(n), as PyTorch's; one-to-one it has `V`. What is assigned to them takes
        effect at once.

    Raises
    ------
    TypeError
        If `linear_features` is missing with `all_to_all`, or given without.
    ValueError
        If `conv2d_channels` or `kernel_size` is given, or a shape doesn't fit.

    Notes
    -----
    A step takes and returns the spikes: ``spk, mem = neuron(x, spk, mem)``; ``run`` and all else
    as of `Leaky`. snnTorch adds the recurrent sum to the membrane last, here it is a part of the
    input: the last bits of mem may differ, spikes only where mem is within them of the threshold.
    A neuron that didn't spike adds nothing, whatever its weight.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.RLeaky(beta=0.9, linear_features=3, rng=0)
    >>> spk, mem = lif.init_rleaky()
    >>> for step in range(4):
    ...     spk, mem = lif(np.full(3, 0.4, np.float32), spk, mem)
    >>> rec = lif.run(np.full((4, 3), 0.4, np.float32))
    >>> bool(np.all(rec.state.mem == mem)), lif.recurrent.weight.shape
    (True, (3, 3))
    """

    states: ClassVar = ("spk", "mem")
    _model: ClassVar = Leaky

    def __init__(
        self,
        beta: ArrayLike,
        V: ArrayLike = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: None = None,
        kernel_size: None = None,
        threshold: ArrayLike = 1.0,
        spike_grad: Callable[[Any], Any] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: Reset = "subtract",
        state_quant: bool = False,
        output: bool = False,
        reset_delay: bool = True,
        *,
        rng: RNGLike | SeedLike | None = None,
    ) -> None:
        self._setup(locals())

    init_rleaky = ClosedLoop.reset_mem

    # snnTorch's zero reset here is v - r v with v = beta mem + input, not Leaky's, which keeps the
    # input. It is Synaptic's, of a current that doesn't last.

    def _core_model(self, inner: Configuration) -> str:
        return "Synaptic" if inner.options["reset_mechanism"] == "zero" else "Leaky"

    def _inner_cell(self, inner: Configuration) -> Any:
        if self._core_model(inner) == "Leaky":
            return inner.cell
        options, parameters = inner.options, {**inner.parameters, "alpha": ZERO}
        both = (synaptic.constants(parameters, dtype) for dtype in (np.float32, np.float64))
        names = _core.models["Synaptic"][1]
        return _core.cell(
            "Synaptic",
            "zero",
            not options["reset_delay"],
            options["inhibition"],
            *(tuple(constants[name] for name in names) for constants in both),
            tuple((name, array.shape) for name, array in inner.parameters.items()),
        )


class RSynaptic(RecurrentTorch):
    """Second-order leaky integrate-and-fire neuron with recurrent connections, as snnTorch's.

    .. code-block:: text

        input = (x + bias) + the sum of the weights of the neurons that spiked last
                or, one-to-one, x + V spk
        the rest as Synaptic

    Parameters
    ----------
    alpha, beta : float or array_like
        Decay rates of the synaptic current and the membrane, as of `Synaptic`.
    V, all_to_all, linear_features, conv2d_channels, kernel_size, threshold, spike_grad, \
surrogate_disable, init_hidden, inhibition
        As of `RLeaky`.
    learn_alpha : bool, default False
        Whether training changes alpha.
    learn_beta, learn_threshold, learn_recurrent, reset_mechanism, state_quant, output, \
reset_delay, rng
        As of `RLeaky`.

    Raises
    ------
    TypeError, ValueError
        As `RLeaky`.

    Notes
    -----
    As of `RLeaky`. snnTorch's ``reset_delay=False`` fails; here it works as that of `Synaptic`.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.RSynaptic(alpha=0.9, beta=0.8, all_to_all=False, V=0.5)
    >>> spk, syn, mem = lif.init_rsynaptic()
    >>> for step in range(4):
    ...     spk, syn, mem = lif(np.full(3, 0.4, np.float32), spk, syn, mem)
    >>> mem
    array([2.4839997, 2.4839997, 2.4839997], dtype=float32)
    """

    states: ClassVar = ("spk", "syn", "mem")
    _model: ClassVar = Synaptic

    def __init__(
        self,
        alpha: ArrayLike,
        beta: ArrayLike,
        V: ArrayLike = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: None = None,
        kernel_size: None = None,
        threshold: ArrayLike = 1.0,
        spike_grad: Callable[[Any], Any] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: Reset = "subtract",
        state_quant: bool = False,
        output: bool = False,
        reset_delay: bool = True,
        *,
        rng: RNGLike | SeedLike | None = None,
    ) -> None:
        self._setup(locals())

    init_rsynaptic = ClosedLoop.reset_mem


for _cls in (RLeaky, RSynaptic):
    _recorded = _cls._model.states
    _cls.State = state_type(_cls.states)
    _cls._recordable = _recorded
    _cls._default = columns(_recorded, ("spk", *_recorded))
    _cls._nothing = (None,) * len(_cls.states)
