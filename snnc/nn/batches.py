"""Samples and their targets, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import at_least_one, generator, real_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc._arguments import RNGLike, SeedLike

    Floats = NDArray[Any]

__all__ = ["batches"]


def batches(
    x: ArrayLike,
    y: ArrayLike,
    batch_size: int,
    *,
    rng: RNGLike | SeedLike | None = None,
) -> Iterator[tuple[Floats, Floats]]:
    """Yield samples and their targets, some at a time.

    Parameters
    ----------
    x, y : array_like, shape (N, ...)
        Samples, and a target for each.
    batch_size : int
        How many at a time; the last batch may be smaller.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Shuffles them; None leaves them in order.

    Yields
    ------
    x, y : ndarray, shape (batch_size, ...)

    Raises
    ------
    TypeError, ValueError
        If `x` and `y` are not equally long, or `batch_size` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> [y.tolist() for x, y in snnc.nn.batches(np.zeros((5, 2)), np.arange(5), 2, rng=1)]
    [[4, 0], [1, 2], [3]]
    """
    x, y = real_numbers("x", x), real_numbers("y", y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(
            f"x has shape {x.shape} and y {y.shape}; expected as many targets as samples"
        )
    size = at_least_one("batch_size", batch_size)
    order = np.arange(len(x))
    if rng is not None:
        generator("rng", rng).shuffle(order)
    return ((x[chosen], y[chosen]) for chosen in _cut(order, size))


def _cut(order: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    return (order[i : i + size] for i in range(0, len(order), size))
