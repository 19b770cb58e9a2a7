"""What snnTorch's models share: a threshold, resets, surrogates, the backward pass."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from snnc import _backward, _core, _threads
from snnc._arguments import at_least_one, flag, shown
from snnc.neurons.base import Configuration, SpikingNeuron
from snnc.neurons.descriptors import Choice, Flag, Parameter, SpikeGrad

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import ClassVar, Unpack

    from numpy.typing import ArrayLike, NDArray

    from snnc.neurons.sequences import NamedStates
    from snnc.recording import Gradients, Recording

    Floats = NDArray[Any]

_LONGEST_INTERVAL = 1 << 16  # steps: what an interrupt waits for in the backward pass
ZERO = np.zeros(())

Reset = Literal["subtract", "zero", "none"]

OF_LIF = {
    "tau_m": "write beta=exp(-dt/tau_m), or use snnc.LIF",
    "dt": "write beta=exp(-dt/tau_m), or use snnc.LIF",
    "v_threshold": "write threshold",
    "t_ref": "snnc.LIF has a refractory time",
}
OF_LEAKY = {"alpha": "snnc.Synaptic has a synaptic current, which decays by alpha"}
OF_OTHERS = {**OF_LIF, "graded_spikes_factor": "only snnc.Leaky has one"}


class TorchNeuron(SpikingNeuron):
    """The base class of snnTorch's models: their common parameter and options."""

    threshold = Parameter(
        "Membrane potential above which the neuron fires. An infinite one gives NaN with "
        '"subtract" (0 times inf, as in snnTorch): a readout that is not to fire resets by '
        '"none".'
    )
    spike_grad = SpikeGrad(
        "The surrogate derivative of a spike in the backward pass: one of `snnc.surrogate`, or "
        "any callable on an array of mem - threshold; by default ``surrogate.atan(alpha=2.0)``."
    )
    inhibition = Flag(
        "Winner-take-all: whether only the neuron with the largest mem - threshold of each sample "
        "(along axis 1) may fire."
    )
    reset_mechanism = Choice[Reset](
        "How a spike resets mem: in the next step, or with `reset_delay=False` (Leaky and "
        "Synaptic) in its own.",
        _core.resets,
    )
    surrogate_disable = Flag("If True, block gradients through spikes.")
    learn_beta = Flag("Whether training changes beta.")
    learn_threshold = Flag("Whether training changes threshold.")

    _clipped: ClassVar[tuple[str, ...]] = ("alpha", "beta")  # parameters, to [0, 1]
    _instead: ClassVar = OF_OTHERS

    def _setup(self, arguments: Mapping[str, Any]) -> None:
        arguments = {**arguments}
        state_quant = arguments.pop("state_quant")
        if state_quant is not False:  # which snnTorch's constructors take
            raise ValueError(
                f"state_quant={state_quant!r} is not supported, only False: snnc does not "
                "quantise states"
            )
        super()._setup(arguments)
        for name in self._clipped:
            value = self._parameters.get(name, ZERO)
            if np.any((value < 0) | (value > 1)):
                warnings.warn(f"{name} is clipped to [0, 1]: {name}={shown(value)}", stacklevel=3)

    @property
    def learned(self) -> tuple[str, ...]:
        """The names of the parameters that training changes: those with ``learn_...=True``."""
        return tuple(n for n in self._parameters if self._options.get(f"learn_{n}"))

    def _interval(self, configuration: Configuration, grad: Any, checkpoint: Any) -> int:
        flag("grad", grad)
        if configuration.options["inhibition"]:
            raise ValueError(f"grad={grad!r}: there is no gradient through inhibition")
        return min(at_least_one("checkpoint", checkpoint), _LONGEST_INTERVAL)

    def backward(
        self,
        rec: Recording,
        spk: ArrayLike | None = None,
        *states: ArrayLike | None,
        wrt: str | Iterable[str] | None = None,
        out: Floats | None = None,
        num_threads: int | None = None,
        **named_states: Unpack[NamedStates],
    ) -> Gradients:
        """Backpropagate through a run, from the upstream gradients of its spikes and states.

        Parameters
        ----------
        rec : Recording
            Of this neuron, with ``run(..., grad=True)``.
        spk : array_like, shape (T, *neuron shape) or (*neuron shape), optional
            The gradient of the loss with respect to each spike, whatever was recorded (time is
            on the run's ``time_axis``), or to those of the last step only; None is 0.
        *states, **named_states : array_like, optional
            The same for the states after each step, by position or name, as for `run`.
        wrt : str or iterable of str, optional
            Which gradients to compute: ``"x"``, the start states (``"mem0"``, ...), and the names
            of parameters; by default all. Without parameters it is faster.
        out : ndarray, optional
            An array of the shape of ``x``'s gradient and of the run's dtype to put it into. It may
            be that of `spk` or of a state. After an interrupt or a MemoryError its contents are
            unspecified.
        num_threads : int, optional
            As for `run`.

        Returns
        -------
        Gradients
            With the attributes `wrt` names: ``x`` (T, *neuron shape), ``mem0``, ... (*neuron
            shape) and ``beta``, ``threshold``, ... (each of its parameter's shape), in the run's
            dtype. Where an `x` or a state was broadcast, it is for each neuron.

        Raises
        ------
        TypeError
            If an argument is not an array of real numbers.
        ValueError
            If the run was without ``grad=True``, or shapes are not as described.

        Notes
        -----
        The parameters are those that the run had, and so is `x`, which must not have been changed
        since; the surrogate is this neuron's. No gradient flows through a reset, as in snnTorch,
        but with ``reset_delay=False``, where it flows through the spike.

        Gradients of parameters are summed in float64: for each neuron over time, from the last
        step to the first, then over neurons by NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> import snnc
        >>> lif = snnc.Leaky(beta=0.9)
        >>> x = np.full((25, 2), [0.2, 0.3], np.float32)
        >>> rec = lif.run(x, grad=True)
        >>> rec.spk.sum(axis=0)
        array([3., 5.], dtype=float32)
        >>> grads = lif.backward(rec, spk=np.ones((25, 2), np.float32))  # more spikes
        >>> grads
        Gradients(x=float32 (25, 2), mem0=float32 (2,), beta=float32 (), threshold=float32 (), \
graded_spikes_factor=float32 ())
        >>> bool(grads.beta > 0), bool(grads.threshold < 0)
        (True, True)
        """
        named = self._name_states(states, named_states, "backward")
        return _backward.backward(self, rec, spk, named, wrt, out, num_threads)

    def _step_backward(
        self,
        x: Floats,
        states: tuple[Floats, ...],
        upstream: tuple[Floats | None, ...],
        wrt: tuple[str, ...],
    ) -> dict[str, Any]:
        """Backpropagate through a call, all of whose arrays have the neuron shape.

        As through a run of one step. `upstream` is of the spikes, then of the states.
        """
        configuration = self._configuration
        parameters = configuration.parameters
        learned = [name for name in wrt if name in parameters]
        grad_constants = _backward.new_constants(self._name, learned, x.shape)
        arrays = _core.backward_step(
            configuration.cell,
            x,
            states,
            _backward.index_of(self, self.spike_grad),
            upstream,
            "x" in wrt,
            tuple(grad_constants.values()),
            _threads.num_threads,
        )
        if arrays is None:  # there is something that it doesn't do
            return _backward.step_by_run(self, x, states, upstream, wrt)
        found = dict(zip(("x", *self._start_names), arrays, strict=True))
        if learned:
            found |= _backward.of_parameters(
                self, parameters, learned, grad_constants, arrays[-1].dtype
            )
        return found

    def _parameter_gradients(
        self, names: Iterable[str], parameters: Mapping[str, Floats], gradients: dict[str, Floats]
    ) -> dict[str, Floats]:
        """Get the gradients of parameters from those of the constants, float64.

        Here they are equal, but for the clipping of alpha and beta: 0 outside [0, 1].
        """
        found = {name: gradients[name] for name in names}
        for name in self._clipped:
            if name not in found:
                continue
            value = parameters[name]
            if value.ndim or not 0 <= value.item() <= 1:
                found[name] = np.where((value >= 0) & (value <= 1), found[name], 0)
        return found

    def _kind(self, options: dict[str, Any]) -> tuple[str, bool, bool]:
        undelayed = not options.get("reset_delay", True)
        return options["reset_mechanism"], undelayed, options["inhibition"]
