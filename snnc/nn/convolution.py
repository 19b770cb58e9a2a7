"""Convolutions, as products of weights and columns of the input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import at_least_one, flag
from snnc._product import linear_start
from snnc.nn.layers import Array, Layer, chunks, places, several

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar

    from numpy.typing import NDArray

    from snnc._arguments import RNGLike, SeedLike
    from snnc.nn.layers import Step

    Floats = NDArray[Any]

__all__ = ["Conv1d", "Conv2d"]

WORKSPACE = 1 << 22
"""Bytes of columns at a time: of so many images, at least of one."""


class _Conv(Layer):
    """Convolutions over the last axes, of which there are `_axes`; computed over two."""

    weight = Array("The weights, (out_channels, in_channels / groups, *kernel_size).")
    bias = Array("What is added to the sums, (out_channels,), or None.")

    _axes: ClassVar[int]
    _trained: ClassVar = ("weight", "bias")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        rng: RNGLike | SeedLike | None = None,
    ) -> None:
        self._in_channels = at_least_one("in_channels", in_channels)
        self._out_channels = at_least_one("out_channels", out_channels)
        self._groups = at_least_one("groups", groups)
        for name in ("in_channels", "out_channels"):
            if (size := getattr(self, f"_{name}")) % self._groups:
                raise ValueError(f"{name}={size}; expected a multiple of groups={self._groups}")
        self._kernel_size = several("kernel_size", kernel_size, self._axes, 1)
        self._stride = several("stride", stride, self._axes, 1)
        self._dilation = several("dilation", dilation, self._axes, 1)
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise ValueError(f"padding={padding!r}; expected integers, 'valid' or 'same'")
            if padding == "same" and max(self._stride) > 1:
                raise ValueError("padding='same' goes with stride=1 only")
            self._padding: Any = padding
        else:
            self._padding = several("padding", padding, self._axes, 0)
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode={padding_mode!r}; expected 'zeros'")
        self._padding_mode = padding_mode
        own = (self._in_channels // self._groups, *self._kernel_size)
        weight, start = linear_start(self._out_channels, math.prod(own), rng)
        self._weight = weight.reshape(self._out_channels, *own)
        self._bias = start if flag("bias", bias) else None

    def _argument(self, name: str) -> Any:
        value = super()._argument(name)
        if name == "bias":
            return value is not None
        alike = isinstance(value, tuple) and len({*value}) == 1
        return value[0] if alike and name != "kernel_size" else value

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        own = (self._in_channels // self._groups, *self._kernel_size)
        return {"weight": (self._out_channels, *own), "bias": (self._out_channels,)}

    def _step_dims(self) -> tuple[int, ...]:
        return (2 + self._axes,)

    def _can_be_cut(self, over_bytes: bool) -> bool:
        return False

    # ---- over two axes ----

    def _two(self, values: tuple[int, ...], fill: int = 1) -> tuple[int, int]:
        rows, columns = values if len(values) == 2 else (fill, *values)
        return rows, columns

    def _margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return how many zeros there are before and after each axis."""
        if self._padding == "valid":
            return (0, 0), (0, 0)
        if self._padding == "same":
            size, between = self._two(self._kernel_size), self._two(self._dilation)
            totals = [d * (k - 1) for d, k in zip(between, size, strict=True)]
            rows, columns = ((n // 2, n - n // 2) for n in totals)
        else:
            rows, columns = ((n, n) for n in self._two(self._padding, 0))
        return rows, columns

    def _images(self, x: Floats) -> tuple[Floats, tuple[int, int]]:
        """Return the input as (images, channels, rows, columns), and the size of what it gives."""
        own = x.shape[-1 - self._axes :]
        if x.ndim <= self._axes or own[0] != self._in_channels:
            axes = "length" if self._axes == 1 else "rows, columns"
            raise ValueError(f"x has shape {x.shape}; expected (..., {self._in_channels}, {axes})")
        rows, columns = self._two(own[1:])
        sizes = tuple(
            (n + before + after - d * (k - 1) - 1) // s + 1
            for n, (before, after), d, k, s in zip(
                (rows, columns), self._margins(), self._two(self._dilation),
                self._two(self._kernel_size), self._two(self._stride), strict=True,
            )
        )  # fmt: skip
        if min(sizes) < 1:
            raise ValueError(
                f"x has shape {x.shape}; expected at least the kernel's size, with the padding"
            )
        return x.reshape(-1, self._in_channels, rows, columns), sizes  # type: ignore[return-value]  # two sizes

    def _places(self, sizes: tuple[int, int]) -> Iterator[tuple[Any, Any]]:
        """Yield the places of the kernel, with what they read of the padded images."""
        kernel, stride = self._two(self._kernel_size), self._two(self._stride)
        return places(kernel, stride, self._two(self._dilation), sizes)

    def _columns(self, images: Floats, sizes: tuple[int, int]) -> Floats:
        """Return, for each group, what each of its weights is multiplied with."""
        n, channels = images.shape[:2]
        padded = images
        if any(map(any, self._margins())):
            padded = np.pad(images, ((0, 0), (0, 0), *self._margins()))
        columns = np.empty((channels, *self._two(self._kernel_size), n, *sizes), images.dtype)
        by_channel = padded.transpose(1, 0, 2, 3)
        for place, read in self._places(sizes):
            columns[(slice(None), *place)] = by_channel[(..., *read)]
        return columns.reshape(self._groups, -1, n * math.prod(sizes))

    def _pieces(self, count: int, sizes: tuple[int, int], itemsize: int) -> list[slice]:
        columns = self._in_channels * math.prod((*self._kernel_size, *sizes))
        return chunks(count, columns * itemsize, WORKSPACE)

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        images, sizes = self._images(x)
        weight = self._weight.reshape(self._groups, self._out_channels // self._groups, -1)
        weight = weight.astype(x.dtype, copy=False)
        y = np.empty((len(images), self._out_channels, *sizes), x.dtype)
        for piece in self._pieces(len(images), sizes, x.itemsize):
            sums = weight @ self._columns(images[piece], sizes)
            y[piece] = sums.reshape(self._out_channels, -1, *sizes).transpose(1, 0, 2, 3)
        if self._bias is not None:
            y += self._bias.reshape(-1, 1, 1).astype(x.dtype, copy=False)
        lead, own = x.shape[: -1 - self._axes], sizes[2 - self._axes :]
        return y.reshape(*lead, self._out_channels, *own), (x, sizes)

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        x, sizes = saved
        images, _ = self._images(x)
        images = images.astype(grad.dtype, copy=False)
        rows = grad.reshape(len(images), self._out_channels, *sizes)
        weight = self._weight.reshape(self._groups, self._out_channels // self._groups, -1)
        weight = weight.astype(grad.dtype, copy=False)
        of_weight = np.zeros_like(weight)
        (top, bottom), (left, right) = self._margins()
        height, width = images.shape[2:]
        shape = (*images.shape[:2], top + height + bottom, left + width + right)
        padded = np.zeros(shape if wrt_x else (0,), grad.dtype)
        for piece in self._pieces(len(images), sizes, grad.itemsize):
            part = rows[piece].transpose(1, 0, 2, 3).reshape(*weight.shape[:2], -1)
            of_weight += part @ self._columns(images[piece], sizes).transpose(0, 2, 1)
            if not wrt_x:
                continue
            columns = (weight.transpose(0, 2, 1) @ part).reshape(
                self._in_channels, *self._two(self._kernel_size), -1, *sizes
            )
            target = padded[piece].transpose(1, 0, 2, 3)
            for place, read in self._places(sizes):
                target[(..., *read)] += columns[(slice(None), *place)]
        grads = {"weight": of_weight.reshape(self._weight.shape)}
        if self._bias is not None:
            grads["bias"] = rows.sum(axis=(0, 2, 3))
        if wrt_x:
            grads["x"] = padded[:, :, top : top + height, left : left + width].reshape(x.shape)
        return grads


class Conv2d(_Conv):
    """Weighted sums over images; x (..., in_channels, rows, columns).

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels the input and the result have.
    kernel_size : int or two of them
        The size of the kernel.
    stride, dilation : int or two of them, default 1
        How far apart places are, and elements of the kernel.
    padding : int or two of them, "valid" or "same", default 0
        How many zeros are added on each side.
    groups : int, default 1
        Into how many groups channels are divided, which don't see each other.
    bias : bool, default True
        Whether there is a `bias`.
    padding_mode : "zeros"
        For the order of torch's arguments.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Where the start values come from; None is seeded by the system.

    Attributes
    ----------
    weight : ndarray of float32, shape (out_channels, in_channels / groups, *kernel_size)
    bias : ndarray of float32, shape (out_channels,), or None
        What is assigned is copied: float64 as it is, other real numbers as float32.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, of a call, the input's shape doesn't fit.

    Notes
    -----
    Each place of the kernel is copied into a column, 4 MB of them at a time (at least those of
    one image), and columns are multiplied by BLAS. Start values are uniform within one over the
    root of the number of weights of a sum, as PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> conv = snnc.nn.Conv2d(1, 12, 5, rng=0)
    >>> conv(np.zeros((64, 1, 28, 28), np.float32)).shape
    (64, 12, 24, 24)
    """

    _axes = 2


class Conv1d(_Conv):
    """Weighted sums along an axis; x (..., in_channels, length).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, \
padding_mode, rng
        As of `Conv2d`, along one axis.

    Raises
    ------
    TypeError, ValueError
        As `Conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> conv = snnc.nn.Conv1d(2, 8, 5, padding="same", rng=0)
    >>> conv(np.zeros((64, 2, 100), np.float32)).shape
    (64, 8, 100)
    """

    _axes = 1
