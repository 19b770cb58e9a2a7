"""Leaky: its equations, parameters and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from snnc._arguments import cast
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.descriptors import Flag, Parameter, StateDescriptor
from snnc.neurons.torch_neuron import OF_LEAKY, OF_LIF, TorchNeuron

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar, Unpack

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out, StepOptions
    from snnc.neurons.torch_neuron import Reset


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
    >>> lif = snnc.Leaky(beta=0.8)
    >>> mem = lif.init_leaky()
    >>> for step in range(3):
    ...     spk, mem = lif(np.float32(0.5), mem)
    ...     print(spk, mem)
    0.0 0.5
    0.0 0.9
    1.0 1.22
    """

    beta = Parameter(
        "Decay rate of the membrane, exp(-dt/tau_mem); clipped to [0, 1], in the "
        "constructor with a warning."
    )
    graded_spikes_factor = Parameter("The value of a spike.")
    reset_delay = Flag("Whether a spike resets its neuron at the next step, not within its own.")
    learn_graded_spikes_factor = Flag("Whether training changes graded_spikes_factor.")
    mem = StateDescriptor()

    _instead: ClassVar = {**OF_LIF, **OF_LEAKY}

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
        reset_mechanism: Reset = "subtract",
        state_quant: bool = False,
        output: bool = False,
        graded_spikes_factor: ArrayLike = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
    ) -> None:
        self._setup(locals())

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = cast(parameters, dtype)
        return {**p, "beta": np.clip(p["beta"], 0, 1)}

    init_leaky = SpikingNeuron.reset_mem
    _example = "0.9"
    _of_calls: ClassVar = {"spikes": "0 or `graded_spikes_factor`"}

    if TYPE_CHECKING:

        @overload
        def __call__(
            self, input_: ArrayLike, mem: ArrayLike, **options: Unpack[StepOptions]
        ) -> tuple[Floats, Floats]: ...
        @overload
        def __call__(self, input_: ArrayLike, **options: Unpack[StepOptions]) -> Floats | Any: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102  # for type checkers

    def _call(
        self,
        input_: ArrayLike,
        mem: ArrayLike | None = None,
        *,
        out: Out = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (mem,), out, dtype)
