"""Recurrent: any neuron in a closed loop, with projections of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snnc import _core
from snnc._arguments import shown
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.closed_loop import ClosedLoop, Parameters, state_type
from snnc.neurons.projection import Projection, numbers
from snnc.neurons.sequences import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import ClassVar

    from numpy.typing import ArrayLike

    from snnc._backward_loop import LoopGradients
    from snnc.neurons.base import Floats

__all__ = ["Recurrent"]

_MOST_PROJECTIONS = 16


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
        self._connect(neuron, tuple(made), None if bias is None else numbers("bias", bias))

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The connections, in the order in which their currents are added."""
        return self._loop[0]

    def _own_parameters(
        self, projections: tuple[Projection, ...], bias: Floats | None
    ) -> Parameters:
        own: dict[str, Any] = {}
        for k, projection in enumerate(projections):
            sparse = projection._weights.is_sparse
            own[f"weight{k}"] = projection if sparse else projection.weight
            own[f"decay{k}"] = projection.decay
        if bias is not None:
            own["bias"] = bias
        return Parameters(own)

    def _learned_of_loop(self) -> tuple[str, ...]:
        own = self._own_parameters(*self._loop)
        return tuple(name for name in own if not name.startswith("decay"))

    def _loop_gradients(self, gradients: LoopGradients, names: Iterable[str]) -> dict[str, Any]:
        found = {}
        for name in names:
            if name == "bias":
                found[name] = gradients.bias()
            elif name.startswith("weight"):
                found[name] = gradients.weight(int(name[6:]))
            else:
                found[name] = gradients.decay(int(name[5:]))
        return found

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
            bias = numbers("bias", values["bias"])
        return tuple(made), bias

    # ---- states ----

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]  # read-only
        """The names of the states, in the order in which calls take and return them."""
        currents = (f"i{k}" for k in range(len(self._loop[0])))
        return (*self.neuron.states, "past", *currents)

    @property
    def State(self) -> Any:
        """The named tuple of states."""
        return state_type(self.states)

    @property
    def _recordable(self) -> tuple[str, ...]:  # type: ignore[override]  # read-only
        return self.states

    @property
    def _default(self) -> tuple[tuple[str, ...], tuple[int, ...]]:  # type: ignore[override]  # read-only
        return columns(self.states, ("spk", *self.neuron._recorded()))

    @property
    def _nothing(self) -> tuple[None, ...]:  # type: ignore[override]  # read-only
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
