"""LIF: the leaky integrate-and-fire neuron of NumPy scripts, in physical units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc.neurons import SpikingNeuron, _Option, _Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, ClassVar

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Floats = NDArray[Any]

__all__ = ["LIF"]


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
        try:
            self._compare(parameters, options)
        except ValueError as error:
            if "broadcast" not in str(error):
                raise
            # shapes that don't broadcast: said where all parameters are compared
        return parameters

    @staticmethod
    def _compare(p: dict[str, Floats], options: dict[str, Any]) -> None:
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
        if np.any((p["sigma"] != 0) & (p["R"] == 0)):
            raise ValueError("sigma needs an R that isn't 0: noise is added to the input")

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
        self._indirect = bool(np.any(self._parameters["sigma"] != 0))

    def _dt(self) -> Any:
        return self.dt.item() if self.dt.ndim == 0 else self.dt

    # ---- states ----

    def _rest(self) -> tuple[Any, ...]:
        v_rest = self._parameters["v_rest"]
        return (v_rest.item() if v_rest.ndim == 0 else np.copy(v_rest), 0.0)

    def _dtype(self, operands: Iterable[Any], dtype: DTypeLike | None) -> Any:
        """Say in which dtype to compute: Python's own numbers alone do in float64."""
        if dtype is None and all(map(_weak, operands)):
            return np.float64
        return dtype

    # ---- noise ----

    def _noise(
        self, shape: tuple[int, ...], operands: tuple[Any, ...], dtype: Any, rng: Any
    ) -> Any:
        """Noise as an input, in the dtype to compute in."""
        if dtype is None:
            arrays = (np.asarray(a) for a in operands if not _weak(a))
            wide = any(array.dtype == np.float64 for array in arrays)
            dtype = np.float64 if wide else np.float32
        p = self._parameters
        scale = p["sigma"] * np.sqrt(p["dt"]) / (p["R"] * self._gain(p, self._options))
        noise = rng.standard_normal(shape, np.dtype(dtype))
        noise *= scale
        return noise

    def _neurons(self, x_shape: tuple[int, ...], states: Iterable[Any]) -> tuple[int, ...]:
        """Return the neuron shape."""
        shapes = (array.shape for array in self._parameters.values())
        return np.broadcast_shapes(x_shape, *shapes, *map(np.shape, states))

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
        operands = (input_, *(self._held or (v, ref)))
        dtype = self._dtype(operands, dtype)
        if self._indirect:
            if not isinstance(rng, np.random.Generator):
                raise TypeError(
                    f"rng={rng!r}; a step of a neuron with noise (sigma) needs a "
                    "numpy.random.Generator"
                )
            neurons = self._neurons(np.shape(input_), operands[1:])
            input_ = np.asarray(input_) + self._noise(neurons, operands, dtype, rng)
        return self._step(input_, (v, ref), out, dtype)

    if TYPE_CHECKING:
        __call__ = _call

    def _prepare(
        self, x: Any, begin: tuple[Any, ...], num_steps: Any, time_axis: int, dtype: Any, rng: Any
    ) -> tuple[Any, tuple[Any, ...], Any, Any]:
        at_rest = zip(begin, self._rest(), strict=True)
        begin = tuple(rest if state is None else state for state, rest in at_rest)
        dtype = self._dtype((x, *begin), dtype)
        if self._indirect:
            if rng is None:
                raise TypeError(
                    "rng is missing: a neuron with noise (sigma) needs a "
                    "numpy.random.Generator, or for a whole run an int"
                )
            x, num_steps = self._noisy(x, begin, num_steps, time_axis, dtype, rng)
        return x, begin, num_steps, dtype

    def _noisy(
        self, x: Any, begin: tuple[Any, ...], num_steps: Any, time_axis: int, dtype: Any, rng: Any
    ) -> tuple[Any, Any]:
        """Add noise to the input of a run, step after step; what is wrong is said by the run."""
        rng = np.random.default_rng(rng)
        operands = (x, *begin)
        x = np.asarray(x)
        if num_steps is not None:
            if not hasattr(num_steps, "__index__") or num_steps < 0:
                return x, num_steps
            neurons = self._neurons(x.shape, begin)
            steps = int(num_steps)
        else:
            if not -x.ndim <= time_axis < x.ndim:
                return x, num_steps
            x = np.moveaxis(x, time_axis, 0)
            neurons = self._neurons(x.shape[1:], begin)
            steps = len(x)
            x = x.reshape(steps, *(1,) * (len(neurons) + 1 - x.ndim), *x.shape[1:])
        noise = self._noise((steps, *neurons), operands, dtype, rng)
        return np.moveaxis(x + noise, 0, time_axis), None
