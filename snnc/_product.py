"""The product of spikes and weights, and weights as the core takes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc import _core, _threads
from snnc._arguments import generator, index, real_array, real_numbers

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc._arguments import RNGLike, SeedLike

    Floats = NDArray[Any]

__all__ = ["spike_product"]

_CACHED_BYTES = 1 << 19  # of gradients that those of weights are summed of
DENSE = 0.3  # spikes of which BLAS multiplies as fast

_MOST = 2**31 - 1  # inputs and outputs of sparse weights: what int32 counts


class Sparse(NamedTuple):
    """Compressed sparse rows, one for each output.

    SciPy has the same: ``scipy.sparse.csr_array((s.data, s.indices, s.indptr), shape=s.shape)``.
    """

    data: Floats
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    shape: tuple[int, int]

    def tocsr(self) -> Sparse:
        """Return itself."""
        return self


def is_sparse(weight: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy's, or something like it."""
    return type(weight) is not np.ndarray and hasattr(weight, "tocsr")


def compressed(name: str, weight: Any) -> Sparse:
    """Return a sparse matrix as arrays that are known to fit each other."""
    csr = weight.tocsr()
    shape = tuple(index(f"{name}.shape", n) for n in csr.shape)
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"{name} has shape {shape}; expected two dimensions, (outputs, inputs)")
    if max(shape) > _MOST:
        raise ValueError(f"{name} has shape {shape}; expected at most {_MOST} of each")
    data = real_array(f"{name}.data", csr.data)
    indptr, indices = (_integers(f"{name}.{part}", getattr(csr, part)) for part in _PLACES)
    rows, columns = shape
    if data.ndim != 1 or indices.shape != data.shape or indptr.shape != (rows + 1,):
        raise ValueError(
            f"{name}: data, indices and indptr have shapes {data.shape}, {indices.shape} and "
            f"{indptr.shape}; expected (n,), (n,) and {(rows + 1,)}"
        )
    if indptr[0] != 0 or indptr[-1] != data.size or np.any(indptr[1:] < indptr[:-1]):
        raise ValueError(
            f"{name}.indptr must begin with 0, never decrease, and end with {data.size}, the "
            "number of entries"
        )
    if data.size and not 0 <= indices.min() <= indices.max() < columns:
        raise ValueError(
            f"{name}.indices has {indices.min()} to {indices.max()}; expected 0 to {columns - 1}"
        )
    return Sparse(data, indptr.astype(np.int64), indices.astype(np.int32), (rows, columns))


_PLACES = ("indptr", "indices")


def _integers(name: str, value: Any) -> NDArray[Any]:
    array = real_numbers(name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected integers")
    return array


def gradient_of_weights(
    grad: Floats, spikes: NDArray[np.uint8], num_threads: int | None = None
) -> Floats:
    """Return the gradient of weights (outputs, inputs), which sums over rows.

    Of each input, the gradients (rows, outputs) of the sums in the rows in which it spiked, some
    rows at a time, whose gradients caches hold; or where many do, by BLAS.
    """
    if np.count_nonzero(spikes) > DENSE * spikes.size:
        product: Floats = grad.T @ spikes.astype(grad.dtype)
        return product
    threads = _threads.num_threads if num_threads is None else num_threads
    found = np.zeros((spikes.shape[1], grad.shape[1]), grad.dtype)
    size = max(1, _CACHED_BYTES // max(1, grad[:1].nbytes))
    for i in range(0, len(spikes), size):
        columns = spikes[i : i + size].T
        found += _core.product(columns, grad[i : i + size].T, None, None, threads)
    transposed: Floats = found.T
    return transposed


def linear_start(
    num_outputs: int, num_inputs: int, rng: RNGLike | SeedLike | None
) -> tuple[Floats, Floats]:
    """Draw the weights and the bias that PyTorch's linear layers start with, in float32."""
    rng = generator("rng", rng)
    bound = 1 / math.sqrt(num_inputs)
    weight = rng.uniform(-bound, bound, (num_outputs, num_inputs)).astype(np.float32)
    return weight, rng.uniform(-bound, bound, num_outputs).astype(np.float32)


class Weights:
    """Weights as the core keeps them: rows of inputs, read-only; of a sparse matrix, lists."""

    __slots__ = ("capsule", "data", "indices", "indptr", "num_outputs")

    def __init__(
        self,
        data: Floats,
        indptr: NDArray[np.int64] | None = None,
        indices: NDArray[np.int32] | None = None,
        num_outputs: int | None = None,
    ) -> None:
        self.data = data
        self.indptr = indptr
        self.indices = indices
        self.num_outputs = num_outputs
        for array in (data, indptr, indices):
            if array is not None:
                array.flags.writeable = False
        self.capsule = _core.weights(data, indptr, indices, num_outputs)

    def __reduce__(self) -> Any:
        return Weights, (self.data, self.indptr, self.indices, self.num_outputs)

    @classmethod
    def dense(cls, weight: Floats) -> Weights:
        """Copy weights (outputs, inputs)."""
        return cls(np.array(weight.T, order="C"), num_outputs=len(weight))

    @classmethod
    def one_to_one(cls, weight: Floats) -> Weights:
        """Copy one weight for each neuron, or a number for all."""
        return cls(np.array(weight))

    @classmethod
    def sparse(cls, weight: Sparse) -> Weights:
        """Copy sparse weights: a list of outputs for each input.

        Where all weights of each input are equal, one number is kept for each input.
        """
        data, indptr, indices = _core.transpose(weight.data, weight.indptr, weight.indices,
                                                weight.shape[1])  # fmt: skip
        counts = np.diff(indptr)
        each = np.zeros(counts.size, data.dtype)
        each[counts > 0] = data[indptr[:-1][counts > 0]]
        if data.size != each.size and np.array_equal(np.repeat(each, counts), data):
            data = each
        return cls(data, indptr, indices, weight.shape[0])

    def transposed(self) -> Weights:
        """Return the transpose of sparse weights."""
        given = self.given()
        return Weights(given.data, given.indptr, given.indices, given.shape[1])

    @property
    def is_sparse(self) -> bool:
        return self.indptr is not None

    def given(self) -> Any:
        """Return the weights as they are given: (outputs, inputs), one-to-one, or sparse."""
        if self.indptr is None or self.indices is None or self.num_outputs is None:
            return self.data.T
        data = self.data
        if data.size != self.indices.size:
            data = np.repeat(data, np.diff(self.indptr))
        parts = _core.transpose(data, self.indptr, self.indices, self.num_outputs)
        for array in parts:
            array.flags.writeable = False
        return Sparse(*parts, (self.num_outputs, self.indptr.size - 1))


def spike_product(
    spk: ArrayLike,
    weight: Any,
    bias: ArrayLike | None = None,
    *,
    out: Floats | None = None,
    num_threads: int | None = None,
) -> Floats:
    """Multiply spikes by weights: the sum of the weights of the inputs that spike.

    .. code-block:: text

        y[..., j] = bias[j] + the sum over i of spk[..., i] weight[j, i]

    in the time that the spikes take that there are, not all inputs.

    Parameters
    ----------
    spk : array_like, shape (..., n)
        Spikes of n inputs: uint8 (each counts by its value), bool, real numbers (graded spikes),
        or packed: uint8 of shape (..., ceil(n/8)), as ``run(..., spk_dtype="packed")`` returns
        those of n neurons. (A batch it packs as one row; `unpack_spikes` gives its rows.)
    weight : array_like, shape (m, n)
        The weight of each input for each of m outputs, as in ``torch.nn.Linear`` and in
        ``weight @ spk``; or a sparse matrix of SciPy's (anything with its ``tocsr``). A dense one
        is read where it lies if ``weight.T`` is C-contiguous, else it is transposed at each call,
        as a sparse one is (`nn.Linear` and `Projection` do that once).
    bias : array_like, shape (m,), optional
        What the sums start from; None is 0.
    out : ndarray, shape (..., m), optional
        An array to fill: C-contiguous and of the dtype of the result.
    num_threads : int, optional
        How many threads may share the rows; by default what `snnc.set_num_threads` says.

    Returns
    -------
    ndarray, shape (..., m)
        float64 if `spk`, `weight` or `bias` is, else float32.

    Raises
    ------
    TypeError
        If an argument is not an array of real numbers.
    ValueError
        If shapes don't fit each other, packed rows have more spikes than inputs, `out` is not as
        described, or the indices of a sparse `weight` are out of range or order.

    Notes
    -----
    Each sum starts from the bias and adds the inputs in ascending order (entries of a sparse row
    that come more than once in their stored order), each product and each sum rounded once: the
    same bits for every number of threads, density, form of spikes and processor. Those of
    ``weight @ spk``, by BLAS, depend on all these.

    An input that doesn't spike adds nothing, even if its weight is inf or NaN, of which BLAS makes
    NaN.

    BLAS is faster from about 30 % of spikes on.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> weight = np.array([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]])
    >>> snnc.spike_product(np.array([True, False, True]), weight)
    array([ 5., 50.])
    >>> spk = np.array([[1, 0, 0], [0, 3, 0]], np.uint8)
    >>> snnc.spike_product(spk, weight, bias=[0.5, 0.25])
    array([[ 1.5 , 10.25],
           [ 6.5 , 60.25]])
    """
    if is_sparse(weight):
        weight = Weights.sparse(compressed("weight", weight)).capsule
    product: Floats = _core.product(
        spk, weight, bias, out, _threads.num_threads if num_threads is None else num_threads
    )
    return product
