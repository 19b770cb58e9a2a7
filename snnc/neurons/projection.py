"""Projection: weighted connections among neurons, with a delay and a decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snnc._arguments import at_least_one, frozen, real_array, shown
from snnc._product import Weights, compressed, is_sparse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from snnc.neurons.base import Floats

__all__ = ["Projection"]

_LONGEST = 2**31 - 1  # steps


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, dtypes included; or both None."""
    if a is None or b is None:
        return a is b
    return bool(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True))


def numbers(name: str, value: ArrayLike) -> Floats:
    """Copy a number or one for each neuron, in float64."""
    array = real_array(name, value).astype(np.float64)
    if array.ndim > 1:
        raise ValueError(f"{name} has shape {array.shape}; expected a number or one dimension")
    return frozen(array)


def _kept_weights(weight: Any) -> Weights:
    if is_sparse(weight):
        sparse = compressed("weight", weight)
        if sparse.shape[0] != sparse.shape[1]:
            raise ValueError(f"weight has shape {sparse.shape}; expected (n, n)")
        return Weights.sparse(sparse)
    array = real_array("weight", weight)
    if array.ndim < 2:
        return Weights.one_to_one(array)
    if array.ndim > 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"weight has shape {array.shape}; expected (n, n), or one-to-one a number or (n,)"
        )
    return Weights.dense(array)


class Projection:
    """Weighted connections among the neurons of a `Recurrent`, with a delay and a decay.

    .. code-block:: text

        i = decay i + W spk[t - delay]

    Parameters
    ----------
    weight : array_like, shape (n, n), or a sparse matrix
        The weight to each neuron (row) from each (column), as in ``weight @ spk`` and in
        ``torch.nn.Linear``; or anything with the ``tocsr`` of SciPy's sparse matrices. A number
        or (n,): one-to-one, each neuron's own spikes.
    delay : int, default 1
        After how many steps a spike arrives.
    decay : float or array_like, shape (n,), default 0
        What is left of the synaptic current after a step, in [0, 1]: exp(-dt/tau_syn) of an
        exponential synapse; 0 is a delta synapse.

    Attributes
    ----------
    weight, delay, decay
        As they were given; arrays are read-only. Of a sparse weight compressed rows (`data`,
        `indices`, `indptr`, `shape`), the entries of each row in ascending order of columns.

    Raises
    ------
    TypeError
        If `weight` or `decay` is no array of real numbers, or `delay` no integer.
    ValueError
        If `weight` isn't square, its sparse indices are out of range or order, `delay` is below
        1 or above 2**31 - 1, or `decay` is outside [0, 1] or not of one number for each neuron.

    Notes
    -----
    The product is summed from 0, in ascending order of presynaptic neurons, by those that spike
    only: one that doesn't adds nothing, even where its weight is inf. Weights are copied once; of
    a sparse matrix a presynaptic neuron whose weights are all equal keeps one. They are used in
    the dtype that a run computes in, which they don't decide.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> exc = snnc.Projection(np.full((3, 3), 0.1), delay=2, decay=np.exp(-1 / 5))
    >>> exc
    Projection(<float64 (3, 3)>, delay=2, decay=0.8187307530779818)
    >>> exc.weight.shape
    (3, 3)
    """

    __slots__ = ("_decay", "_delay", "_weights")

    def __init__(self, weight: Any, *, delay: int = 1, decay: ArrayLike = 0.0) -> None:
        self._delay = at_least_one("delay", delay)
        if self._delay > _LONGEST:
            raise ValueError(f"delay={delay!r}; expected an integer from 1 to {_LONGEST}")
        self._decay = numbers("decay", decay)
        if not np.all((self._decay >= 0) & (self._decay <= 1)):
            raise ValueError(f"decay={shown(self._decay)}; expected numbers in [0, 1]")
        self._weights = _kept_weights(weight)
        size = self._size
        if size is not None and self._decay.ndim and self._decay.size != size:
            raise ValueError(
                f"decay has shape {self._decay.shape}; expected a number, or {(size,)} as weight "
                f"is of {size} neurons"
            )

    @property
    def weight(self) -> Any:
        """The weights, (n, n), (n,), a number, or compressed sparse rows."""
        return self._weights.given()

    @property
    def delay(self) -> int:
        """After how many steps a spike arrives."""
        return self._delay

    @property
    def decay(self) -> Floats:
        """What is left of the current after a step."""
        return self._decay

    @property
    def _size(self) -> int | None:
        """How many neurons the weights connect; None: any."""
        data, indptr = self._weights.data, self._weights.indptr
        if indptr is not None:
            return len(indptr) - 1
        return len(data) if data.ndim else None

    def __repr__(self) -> str:
        weight = self._weights.data
        text = shown(weight) if weight.ndim == 0 else f"<{weight.dtype} {weight.shape}>"
        if self._weights.indptr is not None and self._weights.indices is not None:
            n, count = self._size, self._weights.indices.size
            text = f"<sparse {weight.dtype} {(n, n)}, {count} entries>"
        delay = f", delay={self._delay}" if self._delay != 1 else ""
        decay = f", decay={shown(self._decay)}" if np.any(self._decay) else ""
        return f"Projection({text}{delay}{decay})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Projection):
            return NotImplemented
        mine, others = self._weights, other._weights
        return (
            self._delay == other._delay
            and same(self._decay, other._decay)
            and same(mine.data, others.data)
            and same(mine.indptr, others.indptr)
            and same(mine.indices, others.indices)
        )

    __hash__ = None  # type: ignore[assignment]  # as arrays

    def _with(self, weight: Any, decay: Any) -> Projection:
        """Return another one with new weights (of a sparse one: its data) and decay."""
        if self._weights.is_sparse and not is_sparse(weight):
            old = self.weight
            data = real_array("weight", weight)
            if data.shape != old.data.shape:
                raise ValueError(
                    f"weight has shape {data.shape}; expected {old.data.shape}, the data of the "
                    "sparse matrix, or another one"
                )
            weight = old._replace(data=data)
        return Projection(weight, delay=self._delay, decay=decay)
