"""Weighted sums of all features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnc._arguments import at_least_one, flag
from snnc._product import linear_start
from snnc.nn.layers import OF_LAYERS, Array, Layer

if TYPE_CHECKING:
    from typing import Any, ClassVar

    import numpy as np
    from numpy.typing import NDArray

    from snnc.nn.layers import Step

    Floats = NDArray[Any]

__all__ = ["Linear"]


class Linear(Layer):
    """Weighted sums, y = x W^T + b, of each sample at each step.

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axes of x and y.
    bias : bool, default True
        Whether there is a `bias`.
    rng : numpy.random.Generator or int, optional
        Where the start values come from; None is seeded by the system.

    Attributes
    ----------
    weight : ndarray of float32, shape (out_features, in_features)
    bias : ndarray of float32, shape (out_features,), or None
        What is assigned is copied: float64 as it is, other real numbers as float32.

    Raises
    ------
    TypeError, ValueError
        If a size is not an integer of at least 1, or what is assigned to `weight` or `bias` is
        not an array of real numbers of that shape.

    Notes
    -----
    Start values are uniform within 1/sqrt(in_features), as PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> fc = snnc.nn.Linear(3, 2, rng=0)
    >>> fc(np.ones((25, 64, 3), np.float32)).shape  # one product for all steps
    (25, 64, 2)
    """

    weight = Array("The weights, (out_features, in_features).")
    bias = Array("What is added to the weighted sums, (out_features,), or None.")

    _trained: ClassVar = ("weight", "bias")
    _instead: ClassVar = {
        **OF_LAYERS,
        "in_features": "write weight.shape[1]",
        "out_features": "write weight.shape[0]",
    }

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        shape = (
            at_least_one("out_features", out_features),
            at_least_one("in_features", in_features),
        )
        weight, start = linear_start(*shape, rng)
        self._weight: Floats = weight
        self._bias: Floats | None = start if flag("bias", bias) else None

    def _argument(self, name: str) -> Any:
        known = {"in_features": self._weight.shape[1], "out_features": self._weight.shape[0]}
        return known.get(name, self._bias is not None)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": self._weight.shape, "bias": self._weight.shape[:1]}

    def _step_dims(self) -> tuple[int, ...]:
        return (2,)

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        size = self._weight.shape[1]
        if x.ndim == 0 or x.shape[-1] != size:
            raise ValueError(f"x of shape {x.shape}; expected {size} on its last axis")
        y: Floats = _rows(x) @ self._weight.astype(x.dtype, copy=False).T
        if self._bias is not None:
            y += self._bias
        return y.reshape(*x.shape[:-1], len(self._weight)), x

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        rows = _rows(grad)
        grads = {"weight": rows.T @ _rows(saved).astype(grad.dtype, copy=False)}
        if self._bias is not None:
            grads["bias"] = rows.sum(axis=0)
        if wrt_x:
            weight = self._weight.astype(grad.dtype, copy=False)
            grads["x"] = (rows @ weight).reshape(saved.shape)
        return grads


def _rows(array: Floats) -> Floats:
    """Return it as a matrix: steps and samples make one long axis."""
    return array.reshape(-1, array.shape[-1])
