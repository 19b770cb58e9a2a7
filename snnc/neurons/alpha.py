"""Alpha: its equations, parameters and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from snnc._arguments import cast
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.descriptors import Flag, Parameter, StateDescriptor
from snnc.neurons.torch_neuron import TorchNeuron

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Unpack

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out, StepOptions
    from snnc.neurons.torch_neuron import Reset


class Alpha(TorchNeuron):
    """Spike response neuron with an alpha-shaped kernel: a difference of two exponentials.

    .. code-block:: text

        e   = alpha syn_exc + x
        i   = beta syn_inh - x
        v   = tau (e + i)         tau = log(alpha)/(log(beta) - log(alpha)) + 1
        mem = v - v r             ("zero"; syn_exc = e - e r, syn_inh = i - i r)
              v - (-syn_inh) r    ("subtract", with the incoming syn_inh;
                                   syn_exc = e - threshold r, syn_inh = i - i r)
              v                   ("none"; syn_exc = e, syn_inh = i)
        spk = 1 if mem > threshold else 0

    where r is 1 if the incoming mem is above the threshold, else 0.

    Parameters
    ----------
    {parameters}

    Raises
    ------
    ValueError
        If any alpha, clipped, does not exceed its beta.

    {calls}

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once.

    References
    ----------
    .. [1] W. Gerstner, W. M. Kistler, R. Naud and L. Paninski, "Neuronal Dynamics", chapter 6,
       Cambridge University Press (2014).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Alpha(alpha=0.8, beta=0.7, threshold=0.5)
    >>> kernel = lif.run(np.float32([0, 0.85, 0, 0, 0, 0, 0])).mem
    >>> print(np.round(kernel, 3))
    [0.    0.    0.227 0.341 0.384 0.385 0.362]
    """

    alpha = Parameter(
        "Decay rate of the excitatory exponential; clipped to [0, 1], in the constructor "
        "with a warning. Must exceed `beta`."
    )
    beta = Parameter("Decay rate of the inhibitory exponential; clipped likewise.")
    learn_alpha = Flag("Whether training changes alpha.")
    syn_exc = StateDescriptor()
    syn_inh = StateDescriptor()
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
        reset_mechanism: Reset = "zero",
        state_quant: bool = False,
        output: bool = False,
    ) -> None:
        self._setup(locals())

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        alpha, beta = parameters["alpha"], parameters["beta"]
        for dtype in (np.float64, np.float32):  # a neuron computes in either
            a, b = (np.clip(p.astype(dtype), 0, 1) for p in (alpha, beta))
            if np.any(a <= b):
                raise ValueError(
                    f"alpha={alpha} must exceed beta={beta}, both clipped to [0, 1] and as "
                    f"{np.dtype(dtype)}"
                )
        return parameters

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = cast(parameters, dtype)
        # Logarithms in double, rounded, then the type's own arithmetic: as near to torch's
        # float32 tau as can be (mostly the same bits).
        alpha, beta = np.clip(p["alpha"], 0, 1), np.clip(p["beta"], 0, 1)
        log_alpha = np.log(alpha, dtype=np.float64).astype(alpha.dtype)
        log_beta = np.log(beta, dtype=np.float64).astype(beta.dtype)
        tau = log_alpha / (log_beta - log_alpha) + 1
        return {**p, "alpha": alpha, "beta": beta, "tau": tau}

    def _parameter_gradients(
        self, names: Iterable[str], parameters: Mapping[str, Floats], gradients: dict[str, Floats]
    ) -> dict[str, Floats]:
        p = cast(parameters, np.float64)
        alpha, beta = np.clip(p["alpha"], 0, 1), np.clip(p["beta"], 0, 1)
        log_alpha, difference = np.log(alpha), np.log(beta) - np.log(alpha)
        by_alpha = (1 / difference + log_alpha / difference**2) / alpha  # of tau
        by_beta = -log_alpha / (difference**2 * beta)
        through_tau = {
            **gradients,
            "alpha": gradients["alpha"] + gradients["tau"] * by_alpha,
            "beta": gradients["beta"] + gradients["tau"] * by_beta,
        }
        return super()._parameter_gradients(names, parameters, through_tau)

    init_alpha = SpikingNeuron.reset_mem
    _example = "0.9, 0.8"

    if TYPE_CHECKING:

        @overload
        def __call__(
            self,
            input_: ArrayLike,
            syn_exc: ArrayLike,
            syn_inh: ArrayLike,
            mem: ArrayLike,
            **options: Unpack[StepOptions],
        ) -> tuple[Floats, Floats, Floats, Floats]: ...
        @overload
        def __call__(self, input_: ArrayLike, **options: Unpack[StepOptions]) -> Floats | Any: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102  # for type checkers

    def _call(
        self,
        input_: ArrayLike,
        syn_exc: ArrayLike | None = None,
        syn_inh: ArrayLike | None = None,
        mem: ArrayLike | None = None,
        *,
        out: Out = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        return self._step(input_, (syn_exc, syn_inh, mem), out, dtype)
