"""Synaptic: its equations, parameters and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from snnc._arguments import cast
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.descriptors import Flag, Parameter, StateDescriptor
from snnc.neurons.torch_neuron import TorchNeuron

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out, StepOptions
    from snnc.neurons.torch_neuron import Reset


def constants(parameters: dict[str, Floats], dtype: DTypeLike) -> dict[str, Floats]:
    """Derive what a step uses."""
    p = cast(parameters, dtype)
    return {**p, "alpha": np.clip(p["alpha"], 0, 1), "beta": np.clip(p["beta"], 0, 1)}


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
    {parameters}

    {calls}

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

    alpha = Parameter(
        "Decay rate of the synaptic current, exp(-dt/tau_syn); clipped to [0, 1], in the "
        "constructor with a warning."
    )
    beta = Parameter("Decay rate of the membrane, exp(-dt/tau_mem); clipped likewise.")
    reset_delay = Flag("Whether a spike resets its neuron at the next step, not within its own.")
    learn_alpha = Flag("Whether training changes alpha.")
    syn = StateDescriptor()
    mem = StateDescriptor()

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
        reset_mechanism: Reset = "subtract",
        state_quant: bool = False,
        output: bool = False,
        reset_delay: bool = True,
    ) -> None:
        self._setup(locals())

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        return constants(parameters, dtype)

    init_synaptic = SpikingNeuron.reset_mem
    _example = "0.9, 0.8"

    if TYPE_CHECKING:

        @overload
        def __call__(
            self, input_: ArrayLike, syn: ArrayLike, mem: ArrayLike, **options: Unpack[StepOptions]
        ) -> tuple[Floats, Floats, Floats]: ...
        @overload
        def __call__(self, input_: ArrayLike, **options: Unpack[StepOptions]) -> Floats | Any: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102  # for type checkers

    def _call(
        self,
        input_: ArrayLike,
        syn: ArrayLike | None = None,
        mem: ArrayLike | None = None,
        *,
        out: Out = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (syn, mem), out, dtype)
