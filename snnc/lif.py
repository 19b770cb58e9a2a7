"""LIF: the leaky integrate-and-fire neuron of NumPy scripts, in physical units."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from snnc.neurons import SpikingNeuron, _Option, _Parameter, _plain

if TYPE_CHECKING:
    from typing import Any, ClassVar

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Floats = NDArray[Any]

__all__ = ["LIF"]


MOST_SKIPPED = 2**24


def _weak(value: Any) -> bool:
    """Whether it is one of Python's own numbers, which don't say in which dtype to compute."""
    return value is None or type(value) in (bool, int, float)


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
    tau_m : float or array_like
        Membrane time constant, in the unit of time of `dt` and `t_ref`, whichever it is.
    dt : float or array_like
        Duration of a step.
    v_threshold : float or array_like
        Membrane potential at which the neuron fires, in the unit of `v_rest` and `v_reset`.
    R : float or array_like, default 1.0
        Membrane resistance: R times the input is a voltage.
    v_rest : float or array_like, default 0.0
        Resting potential.
    v_reset : float or array_like, optional
        Potential after a spike, below `v_threshold`; by default `v_rest`.
    t_ref : float or array_like, default 0.0
        Refractory time: after a reset, round(t_ref/dt) integrations (halves to even) are
        skipped, v held at `v_reset`. To mean n steps pass ``t_ref=n*dt``. With
        ``spike_test="before"`` the integration of the spike's own step is the first.
    method : {"euler", "exact"}, default "euler"
        Forward Euler, or the solution for an input that is constant over the step.
    spike_test : {"after", "before"}, default "after"
        Whether a step tests after integrating or before.
    fire_at_threshold : bool, default True
        Whether v equal to `v_threshold` fires (``>=``), or only v above it (``>``).
    sigma : float or array_like, default 0.0
        White noise: an integration adds ``sigma*sqrt(dt)`` times a standard normal number to v.
        Calls and `run` need `rng` then.
    init_hidden : bool, default False
        Whether the neuron holds its states itself: calls neither take nor return them then.
    output : bool, default False
        With `init_hidden`, whether calls return the states after all.

    Raises
    ------
    ValueError
        If `tau_m` or `dt` is not positive, `t_ref` or `sigma` is negative, `v_reset` is not
        below `v_threshold`, or `dt` exceeds `tau_m` with ``method="euler"``.

    Notes
    -----
    Parameters broadcast to the neuron shape, are copied, and are read-only arrays when read;
    assigning to one takes effect at once. Input and states that are all Python's own numbers
    compute in float64; arrays and NumPy scalars decide as for the other models.

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

    tau_m = _Parameter("The membrane time constant.")
    dt = _Parameter("The duration of a step.")
    v_threshold = _Parameter("The membrane potential at which the neuron fires.")
    R = _Parameter("The membrane resistance.")
    v_rest = _Parameter("The resting potential.")
    t_ref = _Parameter("The refractory time.")
    sigma = _Parameter("The standard deviation of the noise, per square root of time.")
    method = _Option('How it is integrated: "euler" or "exact".')
    spike_test = _Option('Whether a step tests "after" integrating or "before".')
    fire_at_threshold = _Option("Whether v equal to the threshold fires.")

    _prepares = True
    _choices: ClassVar = {"method": ("euler", "exact"), "spike_test": ("after", "before")}
    _optional = frozenset({"v_reset"})
    _example = "20.0, dt=0.1, v_threshold=15.0"

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
        method: str = "euler",
        spike_test: str = "after",
        fire_at_threshold: bool = True,
        sigma: ArrayLike = 0.0,
        init_hidden: bool = False,
        output: bool = False,
    ) -> None:
        self._setup(
            {
                "tau_m": tau_m,
                "dt": dt,
                "v_threshold": v_threshold,
                "R": R,
                "v_rest": v_rest,
                "v_reset": v_reset,
                "t_ref": t_ref,
                "sigma": sigma,
            },
            method=method,
            spike_test=spike_test,
            fire_at_threshold=fire_at_threshold,
            init_hidden=init_hidden,
            output=output,
        )

    @property
    def v_reset(self) -> Any:
        """The potential after a spike; assign None to follow `v_rest`."""
        return self._parameters.get("v_reset", self._parameters["v_rest"])

    @v_reset.setter
    def v_reset(self, value: ArrayLike | None) -> None:
        self._configure({"v_reset": value}, {})

    @classmethod
    def _recorded(cls) -> tuple[str, ...]:
        return ("v",)

    def _complete(
        self, parameters: dict[str, Floats], new: dict[str, Floats], options: dict[str, Any]
    ) -> dict[str, Floats]:
        for name, least in (("tau_m", ">"), ("dt", ">"), ("t_ref", ">="), ("sigma", ">=")):
            value = parameters[name]
            if not np.all(value > 0 if least == ">" else value >= 0):
                raise ValueError(f"{name}={value}; expected {least} 0")
        p = parameters
        reset, threshold = p.get("v_reset", p["v_rest"]), p["v_threshold"]
        for dtype in (np.float64, np.float32):  # a neuron computes in either
            if not np.all(reset.astype(dtype) < threshold.astype(dtype)):
                raise ValueError(
                    f"v_reset={reset} must be below v_threshold={threshold} (as "
                    f"{np.dtype(dtype)}), or a neuron would fire at every step"
                )
        if options["method"] == "euler" and np.any(p["dt"] > p["tau_m"]):
            raise ValueError(
                f"dt={p['dt']} exceeds tau_m={p['tau_m']}: Euler's method overshoots then; "
                'take a smaller step, or method="exact"'
            )
        if not np.all(np.rint(p["t_ref"] / p["dt"]) <= MOST_SKIPPED):
            raise ValueError(
                f"t_ref={p['t_ref']} is more than {MOST_SKIPPED} steps of "
                f"dt={p['dt']}, up to which float32 counts"
            )
        if np.any((p["sigma"] != 0) & (p["R"] == 0)):
            raise ValueError("sigma needs an R that isn't 0: noise is added to the input")
        return parameters

    def _kind(self, options: dict[str, Any]) -> tuple[str, bool, bool]:
        return "zero", options["spike_test"] == "after", False

    @staticmethod
    def _gain(p: dict[str, Floats], options: dict[str, Any]) -> Floats:
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

    def _configure(self, parameters: Any, options: Any) -> None:
        super()._configure(parameters, options)
        self._remember()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._remember()
        if state["_held"] and state["_held"][0] is state["_parameters"]["v_rest"]:
            self._held = self._at_rest  # which the identity says

    def _remember(self) -> None:
        """Find out what every run asks for; `_ruled`: the core's rule for dtypes is ours."""
        self._indirect = bool(np.any(self._parameters["sigma"] != 0))
        self._ruled = not self._indirect and self._parameters["v_rest"].ndim == 0
        self._at_rest = self._held_rest()
        self._duration = _plain(self._parameters["dt"])

    def _dt(self) -> Any:
        return self._duration

    # ---- states ----

    def _rest(self) -> tuple[Any, ...]:
        return (_plain(np.copy(self._parameters["v_rest"])), 0.0)

    def _dtype(self, operands: tuple[Any, ...], dtype: Any) -> Any:
        """Say in which dtype to compute: Python's own numbers alone do in float64."""
        if dtype is not None:
            return dtype
        rest = self._parameters["v_rest"]  # as a held state
        given = [each for each in operands if not _weak(each) and each is not rest]
        if not given:
            return np.float64
        if self._ruled:
            return None
        wide = any(getattr(np.asarray(each), "dtype", None) == np.float64 for each in given)
        return np.float64 if wide else np.float32

    def _held_rest(self) -> tuple[Any, ...]:
        return (_plain(self._parameters["v_rest"]), 0.0)

    def _expanded(self, states: tuple[Any, ...], x_shape: tuple[int, ...], dtype: Any) -> Any:
        """Give held states that are at rest with an array `v_rest` the neuron shape."""
        if states[0] is not self._parameters["v_rest"]:
            return states
        shapes = (p.shape for p in self._parameters.values())
        try:
            neurons = np.broadcast_shapes(x_shape, *shapes)
        except ValueError:
            return states  # the core says what doesn't broadcast
        return (np.broadcast_to(states[0], neurons).astype(dtype), states[1])

    # ---- noise ----

    def _with_noise(
        self, x: Any, steps: tuple[int, ...], states: tuple[Any, ...], dtype: Any, rng: Any
    ) -> Any:
        """Add noise to an input (*steps, ...), or leave it: what is wrong the core will say."""
        if hasattr(x, "mask"):
            return x
        try:
            dtype = np.dtype(dtype)
            if dtype not in (np.float32, np.float64):
                return x
            array = np.asarray(x)
            if array.dtype.kind not in "biuf":
                return x
            own = array.shape[len(steps) :] if array.ndim >= len(steps) else ()
            shapes = [p.shape for p in self._parameters.values()]
            if self._held is None:
                shapes += map(np.shape, states)
            neurons = np.broadcast_shapes(own, *shapes)
        except (TypeError, ValueError):
            return x
        p = self._parameters
        amplitude = np.asarray(p["sigma"] * np.sqrt(p["dt"]), np.float64)
        gain = p["R"] * self._gain(p, self._options)  # the input's, of a step
        scale = np.divide(
            amplitude, gain, where=amplitude != 0, out=np.zeros_like(amplitude + gain)
        )
        noise = rng.standard_normal((*steps, *neurons), dtype)
        noise *= scale
        array = array.astype(dtype).reshape(*steps, *(1,) * (len(neurons) - len(own)), *own)
        noise += array
        return noise

    # ---- calls ----

    def _call(
        self,
        input_: ArrayLike,
        v: ArrayLike | None = None,
        ref: ArrayLike | None = None,
        *,
        out: tuple[Floats | None, ...] | None = None,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> Any:
        states = self._held or (v, ref)
        dtype = self._dtype((input_, *states), dtype)
        if self._indirect:
            if not isinstance(rng, np.random.Generator):
                raise TypeError(
                    f"rng={rng!r}; a step of a neuron with noise (sigma) needs a "
                    "numpy.random.Generator"
                )
            input_ = self._with_noise(input_, (), states, dtype, rng)
        held = self._held
        if held is None or held[0] is not self._parameters["v_rest"]:
            return self._step(input_, (v, ref), out, dtype)
        try:
            self._held = self._expanded(held, np.shape(input_), dtype)
            return self._step(input_, (v, ref), out, dtype)
        except BaseException:
            self._held = held
            raise

    if TYPE_CHECKING:
        __call__ = _call

    def _prepare(
        self, x: Any, begin: tuple[Any, ...], num_steps: Any, time_axis: int, dtype: Any, rng: Any
    ) -> tuple[Any, tuple[Any, ...], Any, Any]:
        if begin is self._nothing and type(x) is np.ndarray and rng is None and self._ruled:
            return x, self._at_rest, num_steps, dtype  # the common way, and the shortest
        if rng is not None and not isinstance(rng, (np.random.Generator, int, np.integer)):
            raise TypeError(f"rng={rng!r}; expected a numpy.random.Generator or an int")
        dtype = self._dtype((x, *begin), dtype)
        if begin[0] is self._parameters["v_rest"]:
            shape = list(np.shape(x))
            if num_steps is None and shape and -len(shape) <= time_axis < len(shape):
                del shape[time_axis]
            begin = self._expanded(begin, tuple(shape), dtype)
        begin = tuple(
            rest if state is None else state
            for state, rest in zip(begin, self._at_rest, strict=True)
        )
        if self._indirect:
            if rng is None:
                raise TypeError(
                    "rng is missing: a neuron with noise (sigma) needs a "
                    "numpy.random.Generator, or for a whole run an int"
                )
            x, num_steps = self._noisy(x, begin, num_steps, time_axis, dtype, rng)
        return x, begin, num_steps, dtype

    def _noisy(
        self, x: Any, begin: tuple[Any, ...], num_steps: Any, time_axis: Any, dtype: Any, rng: Any
    ) -> tuple[Any, Any]:
        """Add noise to the input of a run; what is wrong is left for the run to say."""
        generator = np.random.default_rng(rng)
        try:
            axis = operator.index(time_axis)
            steps = None if num_steps is None else operator.index(num_steps)
            ndim = np.ndim(x)
        except (TypeError, ValueError):
            return x, num_steps
        if steps is None:
            if hasattr(x, "mask") or not -ndim <= axis < ndim:
                return x, num_steps
            x = np.moveaxis(np.asarray(x), axis, 0)
            noisy = self._with_noise(x, x.shape[:1], begin, dtype, generator)
            return np.moveaxis(noisy, 0, axis), None
        if steps < 0 or hasattr(x, "mask"):
            return x, num_steps
        held = np.broadcast_to(x, (steps, *np.shape(x)))
        noisy = self._with_noise(held, (steps,), begin, dtype, generator)
        if noisy is held or not -noisy.ndim <= axis < noisy.ndim:
            return x, num_steps
        return np.moveaxis(noisy, 0, axis), None
