"""Closed loops: neurons whose spikes, times weights, are a part of their later input."""

from __future__ import annotations

import copy
import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnc import _core
from snnc._arguments import at_least_one, frozen, missing, real_array, shown
from snnc._product import Weights, compressed, is_sparse
from snnc.neurons.base import Configuration, SpikingNeuron
from snnc.neurons.descriptors import StateDescriptor
from snnc.neurons.lif import LIF, Undrawn, computing_dtype, operand
from snnc.neurons.sequences import columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar, Self

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out
    from snnc.recording import Recording

__all__ = ["Projection", "Recurrent"]

_MOST_PROJECTIONS = 16


def _numbers(name: str, value: ArrayLike) -> Floats:
    """Copy a number or one for each neuron, in float64."""
    array = real_array(name, value).astype(np.float64)
    if array.ndim > 1:
        raise ValueError(f"{name} has shape {array.shape}; expected a number or one dimension")
    return frozen(array)


def _kept_weights(weight: Any) -> Weights:
    if is_sparse(weight):
        sparse = compressed("weight", weight)
        if sparse.shape[0] != sparse.shape[1]:
            raise ValueError(f"weight has shape {sparse.shape}; expected (n, n)")
        return Weights.sparse(sparse)
    array = real_array("weight", weight)
    if array.ndim < 2:
        return Weights.one_to_one(array)
    if array.ndim > 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"weight has shape {array.shape}; expected (n, n), or one-to-one a number or (n,)"
        )
    return Weights.dense(array)


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, dtypes included; or both None."""
    if a is None or b is None:
        return a is b
    return bool(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True))


class Projection:
    """Weighted connections among the neurons of a `Recurrent`, with a delay and a decay.

    .. code-block:: text

        i = decay i + W spk[t - delay]

    Parameters
    ----------
    weight : array_like, shape (n, n), or a sparse matrix
        The weight to each neuron (row) from each (column), as in ``weight @ spk`` and in
        ``torch.nn.Linear``; or anything with the ``tocsr`` of SciPy's sparse matrices. A number
        or (n,): one-to-one, each neuron's own spikes.
    delay : int, default 1
        After how many steps a spike arrives.
    decay : float or array_like, shape (n,), default 0
        What is left of the synaptic current after a step, in [0, 1]: exp(-dt/tau_syn) of an
        exponential synapse; 0 is a delta synapse.

    Attributes
    ----------
    weight, delay, decay
        As they were given; arrays are read-only. Of a sparse weight compressed rows (`data`,
        `indices`, `indptr`, `shape`), the entries of each row in ascending order of columns.

    Raises
    ------
    TypeError
        If `weight` or `decay` is no array of real numbers, or `delay` no integer.
    ValueError
        If `weight` isn't square, its sparse indices are out of range or order, `delay` is below
        1, or `decay` is outside [0, 1] or not of one number for each neuron.

    Notes
    -----
    The product is summed from 0, in ascending order of presynaptic neurons, by those that spike
    only: one that doesn't adds nothing, even where its weight is inf. Weights are copied once; of
    a sparse matrix a presynaptic neuron whose weights are all equal keeps one. They are used in
    the dtype that a run computes in, which they don't decide.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> exc = snnc.Projection(np.full((3, 3), 0.1), delay=2, decay=np.exp(-1 / 5))
    >>> exc
    Projection(<float64 (3, 3)>, delay=2, decay=0.8187307530779818)
    >>> exc.weight.shape
    (3, 3)
    """

    __slots__ = ("_decay", "_delay", "_weights")

    def __init__(self, weight: Any, *, delay: int = 1, decay: ArrayLike = 0.0) -> None:
        self._delay = at_least_one("delay", delay)
        self._decay = _numbers("decay", decay)
        if not np.all((self._decay >= 0) & (self._decay <= 1)):
            raise ValueError(f"decay={shown(self._decay)}; expected numbers in [0, 1]")
        self._weights = _kept_weights(weight)
        size = self._size
        if size is not None and self._decay.ndim and self._decay.size != size:
            raise ValueError(
                f"decay has shape {self._decay.shape}; expected a number, or {(size,)} as weight "
                f"is of {size} neurons"
            )

    @property
    def weight(self) -> Any:
        """The weights, (n, n), (n,), a number, or compressed sparse rows."""
        return self._weights.given()

    @property
    def delay(self) -> int:
        """After how many steps a spike arrives."""
        return self._delay

    @property
    def decay(self) -> Floats:
        """What is left of the current after a step."""
        return self._decay

    @property
    def _size(self) -> int | None:
        """How many neurons the weights connect; None: any."""
        data, indptr = self._weights.data, self._weights.indptr
        if indptr is not None:
            return len(indptr) - 1
        return len(data) if data.ndim else None

    def __repr__(self) -> str:
        weight = self._weights.data
        text = shown(weight) if weight.ndim == 0 else f"<{weight.dtype} {weight.shape}>"
        if self._weights.indptr is not None and self._weights.indices is not None:
            n, count = self._size, self._weights.indices.size
            text = f"<sparse {weight.dtype} {(n, n)}, {count} entries>"
        delay = f", delay={self._delay}" if self._delay != 1 else ""
        decay = f", decay={shown(self._decay)}" if np.any(self._decay) else ""
        return f"Projection({text}{delay}{decay})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Projection):
            return NotImplemented
        mine, others = self._weights, other._weights
        return (
            self._delay == other._delay
            and _same(self._decay, other._decay)
            and _same(mine.data, others.data)
            and _same(mine.indptr, others.indptr)
            and _same(mine.indices, others.indices)
        )

    __hash__ = None  # type: ignore[assignment]  # as arrays

    def _with(self, weight: Any, decay: Any) -> Projection:
        """Return another one with new weights (of a sparse one: its data) and decay."""
        if self._weights.is_sparse and not is_sparse(weight):
            old = self.weight
            data = real_array("weight", weight)
            if data.shape != old.data.shape:
                raise ValueError(
                    f"weight has shape {data.shape}; expected {old.data.shape}, the data of the "
                    "sparse matrix, or another one"
                )
            weight = old._replace(data=data)
        return Projection(weight, delay=self._delay, decay=decay)


class _Derived(NamedTuple):
    """What a run of a closed loop asks of its configuration."""

    inner: Configuration  # of the neuron itself, whose shapes include those of the weights


@functools.lru_cache(64)
def _state_type(names: tuple[str, ...]) -> Any:
    """Return the named tuple of states, which pickles by its names."""

    def __reduce__(state: Any) -> Any:
        return _state, (names, tuple(state))

    return type("State", (namedtuple("State", names),), {"__reduce__": __reduce__})


def _state(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return _state_type(names)(*values)


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
            inner.cell,
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
        return bool(self.neuron == other.neuron and mine == others and _same(bias, other_bias))

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


class Recurrent(ClosedLoop):
    """A neuron in a closed loop: its spikes, times weights, are a part of its later input.

    .. code-block:: text

        i<k>  = decay i<k> + W spk[t - delay]        of each projection k
        input = ((x + bias) + i0) + i1 ...

    Parameters
    ----------
    neuron : Lapicque, Leaky, Synaptic, Alpha or LIF
        The neurons, with parameters that broadcast to the neuron shape. What is assigned to its
        parameters later takes effect; ``init_hidden`` and ``output`` are those of this object.
    *projections : Projection, or array_like
        Connections among the neurons of a row, the last axis of the neuron shape; a bare weight
        stands for a projection with the defaults. At most 16.
    bias : float or array_like, shape (n,), optional
        Added to the input of each step.

    Attributes
    ----------
    neuron, projections
        As they were given.
    weight0, decay0, weight1, ... : ndarray
        The weights and the decay of each projection (of sparse weights their `data`), and `bias`,
        if there is one: assigning to one takes effect at once. Parameters of the neuron are
        found here too, as ``net.threshold``.
    states : tuple of str
        The neuron's, then ``"past"``, the spikes under way, of shape (largest delay, *neuron
        shape), the newest first; and ``"i0"``, ..., the current of each projection.

    Raises
    ------
    TypeError
        If `neuron` is no neuron, or a projection neither one nor an array of real numbers.
    ValueError
        If projections and bias are not of one number of neurons.

    Notes
    -----
    It is called and run as a neuron is, with the same options; all states are recorded by name
    (``record=("spk", "i0")``; "past" time first, as packed spikes are), by default those that the
    neuron records. Rows of a batch are independent and share the weights. Bits don't depend on
    how a run is cut, on threads, or the instruction set.

    A neuron may have noise (`LIF` with `sigma`): `rng` is as for the neuron itself.

    Examples
    --------
    An excitatory-inhibitory network with exponential synapses:

    >>> import numpy as np
    >>> import snnc
    >>> rng = np.random.default_rng(0)
    >>> n, n_exc, dt = 200, 160, 0.1
    >>> weight = rng.random((n, n)) * (rng.random((n, n)) < 0.2)
    >>> exc, inh = weight.copy(), -5 * weight
    >>> exc[:, n_exc:], inh[:, :n_exc] = 0, 0
    >>> net = snnc.Recurrent(
    ...     snnc.LIF(20.0, dt=dt, v_threshold=15.0, t_ref=2.0),
    ...     snnc.Projection(exc, delay=15, decay=np.exp(-dt / 5)),
    ...     snnc.Projection(inh, delay=15, decay=np.exp(-dt / 10)),
    ... )
    >>> rec = net.run(rng.normal(16, 4, (1000, n)), record=("count", "i0"), every=100)
    >>> rec.i0.shape, bool(rec.count.sum() > 0)
    ((10, 200), True)
    """

    _past_name: ClassVar = "past"

    def __init__(
        self, neuron: SpikingNeuron, *projections: Any, bias: ArrayLike | None = None
    ) -> None:
        if not isinstance(neuron, SpikingNeuron) or isinstance(neuron, ClosedLoop):
            raise TypeError(
                f"neuron={neuron!r}; expected a {', '.join(_core.models)} (projections follow it)"
            )
        if len(projections) > _MOST_PROJECTIONS:
            raise ValueError(f"{len(projections)} projections; expected at most 16")
        made = []
        for k, each in enumerate(projections):
            try:
                made.append(each if isinstance(each, Projection) else Projection(each))
            except (TypeError, ValueError) as error:
                raise _in_projection(k, error) from None
        self._connect(neuron, tuple(made), None if bias is None else _numbers("bias", bias))

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The connections, in the order in which their currents are added."""
        return self._loop[0]

    def _own_parameters(
        self, projections: tuple[Projection, ...], bias: Floats | None
    ) -> dict[str, Any]:
        own: dict[str, Any] = {}
        for k, projection in enumerate(projections):
            weight = projection.weight
            own[f"weight{k}"] = weight.data if projection._weights.is_sparse else weight
            own[f"decay{k}"] = projection.decay
        if bias is not None:
            own["bias"] = bias
        return own

    def _changed_loop(self, values: Mapping[str, Any]) -> Any:
        projections, bias = self._loop
        made = []
        for k, old in enumerate(projections):
            weight, decay = values.get(f"weight{k}"), values.get(f"decay{k}")
            if weight is not None or decay is not None:
                try:
                    old = old._with(
                        old.weight if weight is None else weight,
                        old.decay if decay is None else decay,
                    )
                except (TypeError, ValueError) as error:
                    raise _in_projection(k, error) from None
            made.append(old)
        if "bias" in values:
            bias = _numbers("bias", values["bias"])
        return tuple(made), bias

    # ---- states ----

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of the states, in the order in which calls take and return them."""
        currents = (f"i{k}" for k in range(len(self._loop[0])))
        return (*self.neuron.states, "past", *currents)

    @property
    def State(self) -> Any:
        """The named tuple of states."""
        return _state_type(self.states)

    @property
    def _recordable(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.states

    @property
    def _default(self) -> tuple[tuple[str, ...], tuple[int, ...]]:  # type: ignore[override]
        return columns(self.states, ("spk", *self.neuron._recorded()))

    @property
    def _nothing(self) -> tuple[None, ...]:  # type: ignore[override]
        return (None,) * len(self.states)

    def _loop_rest(self) -> tuple[Floats, ...]:
        return tuple(np.zeros((), np.float32) for _ in range(1 + len(self._loop[0])))

    def _rest(self) -> tuple[Any, ...]:
        return (*self.neuron._rest(), *self._loop_rest())

    def _held_rest(self) -> tuple[Any, ...]:
        return (*self.neuron._held_rest(), *self._loop_rest())

    def __repr__(self) -> str:
        projections, bias = self._loop
        parts = [repr(self.neuron), *map(repr, projections)]
        if bias is not None:
            parts.append(f"bias={shown(bias)}")
        return f"Recurrent({', '.join(parts)})"


def _in_projection(k: int, error: Exception) -> Exception:
    return type(error)(f"projection {k}: {error}")
