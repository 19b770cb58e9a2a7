"""Synaptic: its equations, parameters and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snnc._arguments import cast
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.descriptors import Option, Parameter
from snnc.neurons.torch_neuron import TorchNeuron, refuse_quantisation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Floats = NDArray[Any]


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
        With `init_hidden`, whether calls also return the states.
    reset_delay : bool, default True
        Whether a spike resets its neuron at the next step, not within its own.
    spike_grad : callable, optional
        The surrogate derivative of a spike in the backward pass: one of `snnc.surrogate`, or
        any callable on an array of mem - threshold; by default ``surrogate.atan(alpha=2.0)``.
    surrogate_disable : bool, default False
        If True, block gradients through spikes.
    learn_alpha, learn_beta, learn_threshold : bool, default False
        Whether these are parameters that training changes.
    state_quant : False
        For the order of snnTorch's arguments; must be False.

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

    alpha = Parameter("The decay rate of the synaptic current.")
    beta = Parameter("The decay rate of the membrane.")
    reset_delay = Option("Whether a spike resets its neuron at the next step.")
    learn_alpha = Option("Whether training changes alpha.")

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
        refuse_quantisation(state_quant)
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
        p = cast(parameters, dtype)
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
