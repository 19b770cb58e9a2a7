"""Surrogate derivatives of a spike, under snnTorch's names, for ``spike_grad=``.

A spike is a step of the membrane potential, whose derivative is 0 almost everywhere. In the
backward pass a surrogate derivative replaces it: a function of x = mem - threshold. The objects
here are such functions, and any other callable on an array of x may be a ``spike_grad`` as well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from snnc import _core
from snnc._arguments import generator, missing_names, real_numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc._arguments import RNGLike, SeedLike

    Floats = NDArray[Any]

__getattr__ = missing_names(
    "snnc.surrogate",
    {
        "ATan": "write surrogate.atan(alpha=...)",
        "FastSigmoid": "write surrogate.fast_sigmoid(slope=...)",
        "Sigmoid": "write surrogate.sigmoid(slope=...)",
        "Triangular": "write surrogate.triangular(threshold=...)",
        "SpikeRateEscape": "write surrogate.spike_rate_escape(beta=..., slope=...)",
        "StraightThroughEstimator": "write surrogate.straight_through_estimator()",
    },
)

__all__ = [
    "LSO",
    "SFS",
    "SSO",
    "atan",
    "custom_surrogate",
    "fast_sigmoid",
    "heaviside",
    "sigmoid",
    "spike_rate_escape",
    "straight_through_estimator",
    "triangular",
]


def _floats(x: ArrayLike) -> Floats:
    array = real_numbers("x", x)
    dtype = np.float32 if array.dtype.type is np.float32 else np.float64
    return np.ascontiguousarray(array, dtype).reshape(array.shape)


class _Surrogate:
    """What surrogates share: arguments that are finite numbers, and don't change."""

    def __getattr__(self, name: str) -> Any:  # only for type checkers: arguments are in __dict__
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __init__(self, **arguments: Any) -> None:
        for name, value in arguments.items():
            number = isinstance(value, (int, float, np.integer, np.floating))
            if not number or isinstance(value, bool):
                raise TypeError(f"{name}={value!r}; expected a number")
            if not math.isfinite(value):
                raise ValueError(f"{name}={value!r}; expected a finite number")
        self.__dict__.update(arguments)
        own = next(c for c in type(self).__mro__ if c.__module__ == __name__)
        index = _core.surrogates.get(own.__name__)
        if index is not None:
            a, b, *_ = (*map(float, arguments.values()), 0.0, 0.0)
            self.__dict__["_compiled"] = index, (a, b)

    _compiled: tuple[int, tuple[float, float]] | None = None
    """The surrogate's place in the core's table and its arguments there; None: not there."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self!r} can't be changed", name=name, obj=self)

    def _arguments(self) -> dict[str, Any]:
        hidden = ("rng", "_compiled")
        return {name: value for name, value in vars(self).items() if name not in hidden}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Surrogate):
            return NotImplemented
        return type(self) is type(other) and self._arguments() == other._arguments()

    def __hash__(self) -> int:
        return hash((type(self), *self._arguments().items()))

    def __call__(self, x: ArrayLike) -> Any:
        """Return the derivative at x = mem - threshold, in float32 if x is, else in float64."""
        array = _floats(x)
        with np.errstate(all="ignore"):
            return self._derivative(array).astype(array.dtype, copy=False)[()]

    def _derivative(self, x: Floats) -> Floats:
        """Compute it: in C, where it needs neither exp nor random numbers."""
        assert self._compiled is not None
        derivative: Floats = _core.surrogate(*self._compiled, x)
        return derivative


class atan(_Surrogate):
    """The derivative of an arctangent: (alpha/2) / (1 + (pi/2 alpha x)^2), the default.

    Parameters
    ----------
    alpha : float, default 2.0
        Twice the derivative at the threshold.

    References
    ----------
    .. [1] W. Fang et al., "Incorporating learnable membrane time constant to enhance learning
       of spiking neural networks", ICCV 2021.

    Examples
    --------
    >>> import snnc
    >>> spike_grad = snnc.surrogate.atan(alpha=2.0)
    >>> spike_grad, float(spike_grad(0.0))
    (atan(alpha=2.0), 1.0)
    """

    def __init__(self, alpha: float = 2.0) -> None:
        super().__init__(alpha=alpha)


class fast_sigmoid(_Surrogate):
    """The derivative of a fast sigmoid: 1 / (slope abs(x) + 1)^2.

    Parameters
    ----------
    slope : float, default 25
        Larger values restrict the gradient to membrane potentials closer to the threshold.

    References
    ----------
    .. [1] F. Zenke and S. Ganguli, "SuperSpike: supervised learning in multilayer spiking
       neural networks", Neural Computation 30, 1514-1541 (2018).

    Examples
    --------
    >>> import snnc
    >>> lif = snnc.Leaky(0.9, spike_grad=snnc.surrogate.fast_sigmoid(slope=25))
    >>> float(lif.spike_grad(0.04))
    0.25
    """

    def __init__(self, slope: float = 25) -> None:
        super().__init__(slope=slope)


class straight_through_estimator(_Surrogate):
    """The derivative 1: the gradient of a spike is passed on as it is.

    Examples
    --------
    >>> import snnc
    >>> float(snnc.surrogate.straight_through_estimator()(-3.0))
    1.0
    """


class triangular(_Surrogate):
    """A derivative of threshold for x < 0, and of -threshold from 0 on.

    Parameters
    ----------
    threshold : float, default 1
        Its height.

    Notes
    -----
    The change of sign is snnTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.surrogate.triangular()(np.array([-0.5, 0.5]))
    array([ 1., -1.])
    """

    def __init__(self, threshold: float = 1) -> None:
        super().__init__(threshold=threshold)


class heaviside(_Surrogate):
    """A derivative of 1 where the neuron fires, x > 0, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.surrogate.heaviside()(np.array([-0.5, 0.0, 0.5]))
    array([0., 0., 1.])
    """


class LSO(_Surrogate):
    """Leaky spike operator: a derivative of 1 for x > 0, else `slope`.

    Parameters
    ----------
    slope : float, default 0.1
        The derivative below the threshold.

    Notes
    -----
    snnTorch's raises a TypeError, as it calls another surrogate's code.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.surrogate.LSO(slope=0.1)(np.array([-0.5, 0.5]))
    array([0.1, 1. ])
    """

    def __init__(self, slope: float = 0.1) -> None:
        super().__init__(slope=slope)


class SFS(_Surrogate):
    """Sparse fast sigmoid: that of `fast_sigmoid` where x > `B`, else 0.

    Parameters
    ----------
    slope : float, default 25
        As of `fast_sigmoid`.
    B : float, default 1
        Zero up to this x.

    References
    ----------
    .. [1] N. Perez-Nieves and D. F. M. Goodman, "Sparse spiking gradient descent", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.surrogate.SFS(slope=1, B=0.5)(np.array([0.0, 1.0]))
    array([0.  , 0.25])
    """

    def __init__(self, slope: float = 25, B: float = 1) -> None:
        super().__init__(slope=slope, B=B)


class sigmoid(_Surrogate):
    """The derivative of a sigmoid: slope e / (e + 1)^2, e = exp(-slope x).

    Parameters
    ----------
    slope : float, default 25
        Four times the derivative at the threshold.

    Notes
    -----
    Far below the threshold snnTorch's is NaN, once its exp overflows; this one tends to 0.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.surrogate.sigmoid(slope=4)(np.array([0.0, -1e6]))
    array([1., 0.])
    """

    def __init__(self, slope: float = 25) -> None:
        super().__init__(slope=slope)

    def _derivative(self, x: Floats) -> Floats:
        slope = x.dtype.type(self.slope)
        e = np.exp(-np.abs(slope * x))  # the derivative is even in x: this exp can't overflow
        derivative: Floats = slope * e / ((e + 1) * (e + 1))
        return derivative


class spike_rate_escape(_Surrogate):
    """The derivative of an escape rate: slope exp(-beta abs(x - 1)).

    Parameters
    ----------
    beta : float, default 1
        How fast it falls.
    slope : float, default 25
        Its largest value, at x = 1, as in snnTorch.

    References
    ----------
    .. [1] W. Gerstner and W. M. Kistler, "Spiking Neuron Models", Cambridge University Press
       (2002).

    Examples
    --------
    >>> import snnc
    >>> float(snnc.surrogate.spike_rate_escape(beta=1, slope=2)(1.0))
    2.0
    """

    def __init__(self, beta: float = 1, slope: float = 25) -> None:
        super().__init__(beta=beta, slope=slope)

    def _derivative(self, x: Floats) -> Floats:
        beta, slope = x.dtype.type(self.beta), x.dtype.type(self.slope)
        derivative: Floats = slope * np.exp(-beta * np.abs(x - 1))
        return derivative


class SSO(_Surrogate):
    """Stochastic spike operator: 1 for x > 0, else a random number about `mean`.

    It is (u - 0.5 + mean) variance, with u uniform in [0, 1).

    Parameters
    ----------
    mean : float, default 0
        Shifts the random number.
    variance : float, default 0.2
        Scales it.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where it comes from; None is seeded by the system, an int seeds this object.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.surrogate.SSO(rng=1)(np.array([0.5, -0.5])).round(3)
    array([1.  , 0.09])
    """

    def __init__(
        self,
        mean: float = 0,
        variance: float = 0.2,
        *,
        rng: RNGLike | SeedLike | None = None,
    ) -> None:
        super().__init__(mean=mean, variance=variance)
        self.__dict__["rng"] = generator("rng", rng)

    def _derivative(self, x: Floats) -> Floats:
        u = self.rng.random(x.shape)
        return np.where(x > 0, 1, (u - 0.5 + self.mean) * self.variance)


class custom_surrogate(_Surrogate):
    """A function of one's own in the form that snnTorch asks for.

    Parameters
    ----------
    custom_surrogate_function : callable
        Called as f(input_, grad_input, spikes) with arrays of mem - threshold, of ones, and of
        spikes; returns the derivative, an array of their shape.

    Notes
    -----
    A callable on mem - threshold alone may be a ``spike_grad`` as it is.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> def box(input_, grad_input, spikes):
    ...     return grad_input * (np.abs(input_) < 0.5)
    >>> snnc.surrogate.custom_surrogate(box)(np.array([-1.0, 0.25]))
    array([0., 1.])
    """

    def __init__(self, custom_surrogate_function: Callable[[Any, Any, Any], Any]) -> None:
        if not callable(custom_surrogate_function):
            raise TypeError(
                f"custom_surrogate_function={custom_surrogate_function!r}; expected a callable"
            )
        self.__dict__["custom_surrogate_function"] = custom_surrogate_function

    def _derivative(self, x: Floats) -> Floats:
        ones, spikes = np.ones_like(x), (x > 0).astype(x.dtype)
        return np.asarray(vars(self)["custom_surrogate_function"](x, ones, spikes))


def compiled(spike_grad: Any) -> tuple[int, tuple[float, float]] | None:
    """Return a surrogate's place in the core's table and its arguments; None: not there."""
    kind = type(spike_grad)
    if not isinstance(spike_grad, _Surrogate) or kind.__call__ is not _Surrogate.__call__:
        return None
    return spike_grad._compiled if kind._derivative is _Surrogate._derivative else None


def evaluate(spike_grad: Callable[[Any], Any], x: Floats) -> Floats:
    """Call a surrogate, or a callable of the user's, and check what it returns."""
    derivative = np.asarray(spike_grad(x))
    if derivative.dtype.kind not in "biuf" or derivative.shape != x.shape:
        raise ValueError(
            f"spike_grad={spike_grad!r} returned {derivative.dtype} of shape {derivative.shape}; "
            f"expected real numbers of the shape of its argument, {x.shape}"
        )
    return derivative
