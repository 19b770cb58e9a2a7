"""LIF: the leaky integrate-and-fire neuron of NumPy scripts, in physical units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, overload

import numpy as np

from snnc._arguments import generator, index, plain, real_numbers, shown
from snnc.neurons.base import Configuration, SpikingNeuron
from snnc.neurons.descriptors import Choice, Flag, Parameter, StateDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import ClassVar, Unpack

    from numpy.typing import ArrayLike, DTypeLike

    from snnc.neurons.base import Floats, Out, StepOptions

    class LIFOptions(StepOptions, total=False):
        rng: np.random.Generator | None

    from snnc.recording import Recording

__all__ = ["LIF"]


MOST_SKIPPED = 2**24

Method = Literal["euler", "exact"]
SpikeTest = Literal["after", "before"]


class _Derived(NamedTuple):
    """What every run asks of the parameters."""

    noisy: bool
    at_rest: tuple[Any, float]
    dt: Any


def operand(name: str, value: Any) -> Any:
    """Convert an input or a state once; Python's own numbers stay as they are."""
    return value if type(value) in (bool, int, float) else real_numbers(name, value)


def computing_dtype(operands: Iterable[Any], dtype: Any) -> np.dtype[Any]:
    """Say in which dtype the core is to compute, by its own rule for this model.

    That is float64, unless all arrays are of float32 or float16; Python's own numbers are weak.
    """
    if dtype is not None:
        try:
            found: np.dtype[Any] = np.dtype(dtype)
        except TypeError:
            raise TypeError(
                f"dtype={dtype!r} is not a dtype; expected float32 or float64"
            ) from None
        if found not in (np.float32, np.float64):
            raise ValueError(f"dtype={dtype!r}; expected float32 or float64")
        return found
    arrays = [each.dtype for each in operands if isinstance(each, (np.ndarray, np.generic))]
    narrow = arrays and all(d.kind == "f" and d.itemsize < 8 for d in arrays)
    return np.dtype(np.float32 if narrow else np.float64)


def _from_rest(
    configuration: Configuration,
    x: Any,
    states: tuple[Any, ...],
    dtype: Any,
    x_shape: tuple[int, ...] | None = None,
) -> tuple[Any, ...]:
    """Put v_rest in v's place: a number, or an array of the neuron shape and computing dtype."""
    v_rest = configuration.derived.at_rest[0]
    if isinstance(v_rest, float):
        return (v_rest, *states[1:])
    dtype = computing_dtype((x, *states), dtype)
    try:
        shapes = [array.shape for array in configuration.parameters.values()]
        neurons = np.broadcast_shapes(np.shape(x) if x_shape is None else x_shape, *shapes)
    except ValueError:
        return (v_rest, *states[1:])  # the core says what doesn't broadcast
    return (np.broadcast_to(v_rest, neurons).astype(dtype), *states[1:])


class Undrawn:
    """Puts a generator back to where it was, if there is an error."""

    def __init__(self, rng: Any) -> None:
        self._rng = rng if isinstance(rng, np.random.Generator) else None

    def __enter__(self) -> None:
        if self._rng is not None:
            self._before = self._rng.bit_generator.state

    def __exit__(self, error: Any, *details: object) -> None:
        if self._rng is not None and error is not None:
            self._rng.bit_generator.state = self._before


class LIF(SpikingNeuron):
    """Leaky integrate-and-fire neuron in physical units, with a refractory time.

    .. code-block:: text

        tau_m dv/dt = (v_rest - v) + R I

        integrate   v += ((v_rest - v) + R I) k        where ref is 0
                    v = v_reset, ref -= 1              where ref > 0
        test        v >= v_threshold: spk = 1, v = v_reset, ref = round(t_ref/dt)

    where k is dt/tau_m ("euler"), or 1 - exp(-dt/tau_m) ("exact").

    A step integrates, then tests (``spike_test="after"``), or tests the incoming v, then
    integrates (``"before"``).

    Parameters
    ----------
    {parameters}

    Raises
    ------
    ValueError
        If `tau_m` or `dt` is not positive, `t_ref` or `sigma` is negative, `v_reset` is not
        below `v_threshold`, or `dt` exceeds `tau_m` with ``method="euler"``.

    {calls}

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once. A run computes in float64, as NumPy scripts do, unless
    its input and states are float32 or float16: integers, bools and Python's own numbers don't
    narrow it (in float32 one spike train in twenty differs near the threshold).

    References
    ----------
    .. [1] W. Gerstner, W. M. Kistler, R. Naud and L. Paninski, "Neuronal Dynamics", chapter 1,
       Cambridge University Press (2014).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.LIF(20.0, dt=0.1, v_threshold=-50.0, v_rest=-70.0, t_ref=2.0)  # mV, ms
    >>> rec = lif.run(25.0, num_steps=1000)
    >>> rec.spike_times()  # ms
    array([32.1, 66.3])
    >>> rec.v[320:322].round(2)  # at the end of the step before the spike's, and of that
    array([-50., -70.])
    """

    tau_m = Parameter(
        "Membrane time constant, in the unit of time of `dt` and `t_ref`, whichever it is."
    )
    dt = Parameter("Duration of a step.")
    v_threshold = Parameter(
        "Membrane potential at which the neuron fires, in the unit of `v_rest` and `v_reset`."
    )
    R = Parameter("Membrane resistance: R times the input is a voltage.")
    v_rest = Parameter("Resting potential.")
    v_reset = Parameter(
        "Potential after a spike, below `v_threshold`; by default (None) `v_rest`.",
        default="v_rest",
    )
    t_ref = Parameter(
        "Refractory time: after a reset, round(t_ref/dt) integrations (halves to even) are "
        "skipped, v held at `v_reset`. To mean n steps pass ``t_ref=n*dt``. With "
        '``spike_test="before"`` that of the spike\'s own step is the first one skipped.'
    )
    sigma = Parameter(
        "White noise: an integration adds ``sigma*sqrt(dt)`` times a standard normal number "
        "to v. Calls and `run` need `rng` then."
    )
    method = Choice[Method](
        "Forward Euler, or the solution for an input that is constant over the step.",
        get_args(Method),
    )
    spike_test = Choice[SpikeTest](
        "Whether a step tests after integrating or before.", get_args(SpikeTest)
    )
    fire_at_threshold = Flag(
        "Whether v equal to `v_threshold` fires (``>=``), or only v above it (``>``)."
    )
    v = StateDescriptor()
    ref = StateDescriptor()

    _prepares = True
    _instead: ClassVar = {
        "beta": "write tau_m and dt, of which beta is 1 - dt/tau_m (or exp(-dt/tau_m), with "
        'method="exact")',
        "threshold": "write v_threshold",
        "reset_mechanism": "write v_reset; Leaky(reset_delay=False) resets by subtraction",
        "reset_delay": 'write spike_test="after" or "before"',
        "tau": "write tau_m",
        "tau_ref": "write t_ref",
        "v_th": "write v_threshold",
        "backward": "there is no gradient of this model",
        "spike_grad": "there is no gradient of this model",
        "surrogate_disable": "there is no gradient of this model",
        "learn_beta": "there is no gradient of this model",
        "learn_threshold": "there is no gradient of this model",
        "graded_spikes_factor": "multiply its spikes",
        "alpha": "it has no synaptic current: put snnc.Leaky(exp(-dt/tau_syn), "
        'reset_mechanism="none") before it',
        "learned": "there is no gradient of this model",
        "inhibition": "snnTorch's models have it",
    }
    _example = "20.0, dt=0.1, v_threshold=15.0"
    _of_calls: ClassVar = {
        "rng": "rng : numpy.random.Generator, optional\n    Required where `sigma` is not 0.\n",
        "dtype": "float32 if all arrays among the input and\n    the states are float32 or "
        "float16, else float64. Python's own numbers and the parameters\n    do not affect it",
    }

    def __init__(
        self,
        tau_m: ArrayLike,
        *,
        dt: ArrayLike,
        v_threshold: ArrayLike,
        R: ArrayLike = 1.0,
        v_rest: ArrayLike = 0.0,
        v_reset: ArrayLike | None = None,
        t_ref: ArrayLike = 0.0,
        method: Method = "euler",
        spike_test: SpikeTest = "after",
        fire_at_threshold: bool = True,
        sigma: ArrayLike = 0.0,
        init_hidden: bool = False,
        output: bool = False,
    ) -> None:
        self._setup(locals())

    @classmethod
    def _recorded(cls) -> tuple[str, ...]:
        return ("v",)

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        for name, least in (("tau_m", ">"), ("dt", ">"), ("t_ref", ">="), ("sigma", ">=")):
            value = parameters[name]
            if not np.all(value > 0 if least == ">" else value >= 0):
                raise ValueError(f"{name}={shown(value)}; expected {least} 0")
        p = parameters
        reset, threshold = p.get("v_reset", p["v_rest"]), p["v_threshold"]
        for dtype in (np.float64, np.float32):  # a neuron computes in either
            if not np.all(reset.astype(dtype) < threshold.astype(dtype)):
                raise ValueError(
                    f"v_reset={shown(reset)} must be below v_threshold={shown(threshold)} (as "
                    f"{np.dtype(dtype)}), or a neuron would fire at every step"
                )
        if options["method"] == "euler" and np.any(p["dt"] > p["tau_m"]):
            raise ValueError(
                f"dt={shown(p['dt'])} exceeds tau_m={shown(p['tau_m'])}: Euler's method "
                'overshoots then; take a smaller step, or method="exact"'
            )
        if not np.all(np.rint(p["t_ref"] / p["dt"]) <= MOST_SKIPPED):
            raise ValueError(
                f"t_ref={shown(p['t_ref'])} is more than {MOST_SKIPPED} steps of "
                f"dt={shown(p['dt'])}, up to which float32 counts"
            )
        if np.any((p["sigma"] != 0) & (p["R"] == 0)):
            raise ValueError(
                f"R={shown(p['R'])}; expected no zeros where sigma isn't 0: noise is added "
                "to the input"
            )
        return parameters

    def _kind(self, options: dict[str, Any]) -> tuple[str, bool, bool]:
        return "zero", options["spike_test"] == "after", False

    @staticmethod
    def _gain(p: Mapping[str, Floats], options: dict[str, Any]) -> Floats:
        """Of a step: dt/tau_m, or for the exact solution 1 - exp(-dt/tau_m)."""
        ratio = np.asarray(p["dt"] / p["tau_m"], np.float64)
        return ratio if options["method"] == "euler" else -np.expm1(-ratio)

    def _constants(
        self, parameters: dict[str, Floats], options: dict[str, Any], dtype: DTypeLike
    ) -> dict[str, Floats]:
        # Derived in double, then rounded, as Python's numbers are in a script. The cell fires
        # above its threshold: v >= t is v > the next number below t.
        p = {name: np.asarray(array, np.float64) for name, array in parameters.items()}
        threshold = np.asarray(p["v_threshold"], dtype)
        if options["fire_at_threshold"]:
            threshold = np.nextafter(threshold, np.asarray(-np.inf, dtype))
        constants = {
            "threshold": threshold,
            "v_rest": p["v_rest"],
            "v_reset": p.get("v_reset", p["v_rest"]),
            "R": p["R"],
            "k": self._gain(p, options),
            "num_ref": np.rint(p["t_ref"] / p["dt"]),
        }
        return {name: np.asarray(array, dtype) for name, array in constants.items()}

    def _derived(self, parameters: dict[str, Floats], options: dict[str, Any]) -> _Derived:
        v_rest = parameters["v_rest"]
        return _Derived(
            noisy=bool(np.any(parameters["sigma"] != 0)),
            at_rest=(plain(v_rest), 0.0),
            dt=plain(parameters["dt"]),
        )

    def _is_indirect(self, configuration: Configuration) -> bool:
        noisy: bool = configuration.derived.noisy
        return noisy

    def _dt(self, configuration: Configuration) -> Any:
        return configuration.derived.dt

    # ---- states ----

    _wide: ClassVar = "biu"

    def _rest(self) -> tuple[Any, ...]:
        return (plain(np.copy(self._parameters["v_rest"])), 0.0)

    def _held_rest(self) -> tuple[Any, ...]:
        return (None, 0.0)  # v_rest, whatever it is when the next step is done

    # ---- noise ----

    def _with_noise(
        self,
        configuration: Configuration,
        x: Any,
        steps: tuple[int, ...],
        states: Iterable[Any],
        dtype: np.dtype[Any],
        rng: np.random.Generator,
    ) -> Any:
        """Add noise to an input (*steps, ...); if shapes don't fit, the core will say so."""
        p, options, *_ = configuration
        own = x.shape[len(steps) :]
        shapes = [array.shape for array in p.values()]
        try:
            neurons = np.broadcast_shapes(own, *shapes, *map(np.shape, states))
        except ValueError:
            return x
        amplitude = np.asarray(p["sigma"] * np.sqrt(p["dt"]), np.float64)
        gain = p["R"] * self._gain(p, options)  # the input's, of a step
        scale = np.divide(
            amplitude, gain, where=amplitude != 0, out=np.zeros_like(amplitude + gain)
        )
        noise = rng.standard_normal((*steps, *neurons), dtype)
        noise *= scale
        noise += x.astype(dtype).reshape((*steps, *(1,) * (len(neurons) - len(own)), *own))
        return noise

    def _noisy(
        self,
        configuration: Configuration,
        x: Floats,
        states: Iterable[Any],
        num_steps: Any,
        time_axis: Any,
        dtype: np.dtype[Any],
        rng: np.random.Generator,
    ) -> tuple[Any, Any]:
        """Add noise to the input of a run."""
        axis = index("time_axis", time_axis)
        if num_steps is None:
            if not -x.ndim <= axis < x.ndim:
                return x, None  # which the core refuses
            x = np.moveaxis(x, axis, 0)
            noisy = self._with_noise(configuration, x, x.shape[:1], states, dtype, rng)
            return np.moveaxis(noisy, 0, axis), None
        steps = index("num_steps", num_steps)
        if steps < 0:
            return x, steps
        constant = np.broadcast_to(x, (steps, *x.shape))
        noisy = self._with_noise(configuration, constant, (steps,), states, dtype, rng)
        if noisy is constant or not -noisy.ndim <= axis < noisy.ndim:
            return x, steps
        return np.moveaxis(noisy, 0, axis), None

    # ---- calls ----

    if TYPE_CHECKING:

        @overload
        def __call__(
            self,
            input_: ArrayLike,
            v: ArrayLike,
            ref: ArrayLike,
            **options: Unpack[LIFOptions],
        ) -> tuple[Floats, Floats, Floats]: ...
        @overload
        def __call__(self, input_: ArrayLike, **options: Unpack[LIFOptions]) -> Floats | Any: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102  # for type checkers

    def _call(
        self,
        input_: ArrayLike,
        v: ArrayLike | None = None,
        ref: ArrayLike | None = None,
        *,
        out: Out = None,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> Any:
        configuration, held = self._configuration, self._held
        if held is not None:
            self._refuse_states((("v", v), ("ref", ref)))
        given = (v, ref) if held is None else held
        if not configuration.derived.noisy and given[0] is not None:  # the common way
            return self._step_from(configuration, held, input_, given, out, dtype)
        with Undrawn(rng):
            x, states, dtype = self._prepare_step(
                configuration, input_, given, held is not None, dtype, rng
            )
            held = None if held is None else states
            return self._step_from(configuration, held, x, states, out, dtype)

    def _prepare_step(
        self,
        configuration: Configuration,
        x: Any,
        states: tuple[Any, ...],
        holds: bool,
        dtype: Any,
        rng: Any,
    ) -> tuple[Any, tuple[Any, ...], Any]:
        from_rest = holds and states[0] is None
        if not configuration.derived.noisy:
            if from_rest:
                x = operand("input_", x)
                states = _from_rest(configuration, x, states, dtype)
            return x, states, dtype
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"rng={rng!r}; a step of a neuron with noise (sigma) needs a "
                "numpy.random.Generator"
            )
        x = operand("input_", x)
        if not holds:
            if any(state is None for state in states):  # which the core says
                return x, states, dtype
            states = tuple(map(operand, self.states, states))
        elif from_rest:
            states = _from_rest(configuration, x, states, dtype)
        dtype = computing_dtype((x, *states), dtype)
        shaped = () if holds else states  # what is held must fit, and isn't broadcast
        x = self._with_noise(configuration, np.asarray(x), (), shaped, dtype, rng)
        return x, states, dtype

    def _run(self, x: Any, *arguments: Any) -> Recording:
        if arguments[-1] is None:
            return super()._run(x, *arguments)
        with Undrawn(arguments[-1]):
            return super()._run(x, *arguments)

    def _prepare(
        self,
        configuration: Configuration,
        x: Any,
        begin: tuple[Any, ...],
        holds: bool,
        num_steps: Any,
        time_axis: Any,
        dtype: Any,
        rng: Any,
    ) -> tuple[Any, tuple[Any, ...], Any, Any]:
        noisy, at_rest, _ = configuration.derived
        if begin is self._nothing and rng is None and not noisy and type(at_rest[0]) is float:
            return x, at_rest, num_steps, dtype  # the common way, and the shortest
        if rng is not None:
            rng = generator("rng", rng)
        elif noisy:
            raise TypeError(
                "rng is missing: a neuron with noise (sigma) needs a numpy.random.Generator, or "
                "for a whole run a seed"
            )
        from_rest = begin[0] is None and type(at_rest[0]) is not float
        if noisy or from_rest:  # converted once, as the core and this function read them
            x = operand("x", x)
            begin = tuple(
                state if state is None else operand(name, state)
                for name, state in zip(self.states, begin, strict=True)
            )
        if from_rest:
            shape = list(np.shape(x))
            axis = index("time_axis", time_axis)
            if num_steps is None and -len(shape) <= axis < len(shape):
                del shape[axis]
            begin = _from_rest(configuration, x, begin, dtype, tuple(shape))
        begin = tuple(
            rest if state is None else state for state, rest in zip(begin, at_rest, strict=True)
        )
        if noisy:
            dtype = computing_dtype((x, *begin), dtype)
            given = () if holds else begin  # what is held must fit, and isn't broadcast
            x, num_steps = self._noisy(
                configuration, np.asarray(x), given, num_steps, time_axis, dtype, rng
            )
        return x, begin, num_steps, dtype
