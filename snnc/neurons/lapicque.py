"""Lapicque: its equations, parameters and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from snnc._arguments import cast, plain, shown
from snnc.neurons.base import Configuration, SpikingNeuron
from snnc.neurons.descriptors import Parameter, StateDescriptor
from snnc.neurons.torch_neuron import OF_LEAKY, OF_OTHERS, TorchNeuron

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import ClassVar, Unpack

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out, StepOptions
    from snnc.neurons.torch_neuron import Reset


class Lapicque(TorchNeuron):
    """Lapicque's neuron: an RC circuit, integrated by forward Euler, with a threshold.

    .. code-block:: text

        v   = x R q dt + (1 - dt/(R C)) mem        q = 1/(R C)
        mem = v - r threshold   ("subtract")
              v - r v           ("zero")
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
    assigning to one takes effect at once. Setting R, C or time_step re-derives beta; setting
    beta re-derives C.

    References
    ----------
    .. [1] L. Lapicque, "Recherches quantitatives sur l'excitation electrique des nerfs traitee
       comme une polarisation", J. Physiol. Pathol. Gen. 9, 620-635 (1907).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3)
    >>> rec = lif.run(np.float32(0.3), num_steps=100)
    >>> rec.spike_times(dt=1)
    array([26, 53, 81])
    """

    threshold = Parameter(
        "Membrane potential above which the neuron fires, in volt (inputs are in ampere). "
        'An infinite one gives NaN with "subtract" (0 times inf, as in snnTorch): a readout '
        'that is not to fire resets by "none".'
    )
    beta = Parameter(
        "Decay rate of the membrane, exp(-time_step/(R C)). With `beta` alone R is 1 and C "
        "follows; with one of `R` and `C` the other follows. All three are a ValueError. As the "
        "membrane is integrated by Euler's method, it decays by 1 + log(beta) a step."
    )
    R = Parameter("Resistance of the membrane, in ohm.")
    C = Parameter("Capacitance of the membrane, in farad.")
    time_step = Parameter("Duration of a step, in seconds.")
    mem = StateDescriptor()

    _clipped: ClassVar = ()
    _instead: ClassVar = {**OF_LEAKY, **OF_OTHERS, "dt": "write time_step"}

    def __init__(
        self,
        beta: ArrayLike = False,
        R: ArrayLike = False,
        C: ArrayLike = False,
        time_step: ArrayLike = 1,
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
    ) -> None:
        arguments = {**locals()}
        missing = {name for name in ("beta", "R", "C") if arguments[name] is False}
        if not missing:
            raise ValueError("beta, R and C were all given; any two of them determine the third")
        if "beta" in missing and len(missing) > 1:
            raise ValueError("expected beta, or R and C, or beta and one of them")
        self._setup({n: value for n, value in arguments.items() if n not in missing})

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        for name in ("R", "C", "time_step"):
            if name in new and np.any(new[name] == 0):
                raise ValueError(
                    f"{name}={shown(new[name])}; expected no zeros (the time constant is R C)"
                )
        if "beta" in new and np.any(new["beta"] <= 0):
            raise ValueError(
                f"beta={shown(new['beta'])}; expected values above 0: C follows from log(1/beta)"
            )
        if "beta" in new:
            options["primary"] = ("beta", "C" if "C" in new else "R")
            parameters.setdefault("R", np.ones(()))
        elif new.keys() & {"R", "C", "time_step"}:
            options["primary"] = ("R", "C")
        with np.errstate(all="ignore"):
            return {**parameters, **self._circuit(cast(parameters, np.float64), options)}

    @staticmethod
    def _circuit(p: dict[str, Floats], options: dict[str, Any]) -> dict[str, Floats]:
        """Derive the one of beta, R and C that follows from the other two, in their dtype.

        As torch does, but for the logarithm: in double, then rounded.
        """
        if "beta" not in options["primary"]:
            return {"beta": np.asarray(np.exp(-p["time_step"] / (p["R"] * p["C"])))}
        follows, known = ("R", "C") if "C" in options["primary"] else ("C", "R")
        log = np.log(1 / p["beta"], dtype=np.float64).astype(p["beta"].dtype)
        return {follows: np.asarray(p["time_step"] / (p[known] * log))}

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        p = cast(parameters, dtype)
        p |= self._circuit(p, options)
        rc = p["R"] * p["C"]
        return {**p, "dt": p["time_step"], "q": 1 / rc, "keep": 1 - p["time_step"] / rc}

    def _parameter_gradients(
        self, names: Iterable[str], parameters: Mapping[str, Floats], gradients: dict[str, Floats]
    ) -> dict[str, Floats]:
        p, g = cast(parameters, np.float64), gradients
        R, C, dt, beta = p["R"], p["C"], p["time_step"], p["beta"]
        by_rc = (g["keep"] * dt - g["q"]) / (R * C) ** 2  # of q = 1/(R C), keep = 1 - dt/(R C)
        by_c = by_rc * R
        return {
            "R": g["R"] + by_rc * C,
            "C": by_c,
            "time_step": g["dt"] - g["keep"] / (R * C),
            "beta": by_c * dt / (R * np.log(1 / beta) ** 2 * beta),  # C follows, with R held
            "threshold": g["threshold"],
        }

    def _arguments(self) -> dict[str, Any]:
        left_out = {"beta", "R", "C"} - {*self._options["primary"]}
        if "beta" not in left_out and self.R.ndim == 0 and self.R == 1:
            left_out.add("R")  # which it is by default
        return {k: v for k, v in super()._arguments().items() if k not in left_out}

    def _independent(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        all_three = {"beta", "R", "C"} <= parameters.keys()
        follows = {"beta", "R", "C"} - {*self._options["primary"]} if all_three else set()
        return {k: v for k, v in parameters.items() if k not in follows}

    def _dt(self, configuration: Configuration) -> Any:
        return plain(configuration.parameters["time_step"])

    init_lapicque = SpikingNeuron.reset_mem
    _example = "0.9"

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
