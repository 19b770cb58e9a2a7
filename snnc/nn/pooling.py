"""The largest or the mean of each window of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import flag, index
from snnc.nn.layers import Layer, places, several

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar

    from numpy.typing import NDArray

    from snnc.nn.layers import Step

    Floats = NDArray[Any]

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d",
]  # fmt: skip


class _Windows(Layer):
    """Windows over the last axes, of which there are `_axes`."""

    _axes: ClassVar[int]

    def _step_dims(self) -> tuple[int, ...]:
        return (2 + self._axes,)


class _Pool(_Windows):
    """Windows of a given size."""

    def _set(
        self, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
    ) -> None:
        self._kernel_size = several("kernel_size", kernel_size, self._axes, 1)
        self._stride = (
            self._kernel_size if stride is None else several("stride", stride, self._axes, 1)
        )
        self._padding = several("padding", padding, self._axes, 0)
        self._dilation = several("dilation", dilation, self._axes, 1)
        self._ceil_mode = flag("ceil_mode", ceil_mode)
        if any(2 * p > k for p, k in zip(self._padding, self._kernel_size, strict=True)):
            raise ValueError(f"padding={padding!r}; expected at most half of kernel_size")

    def _argument(self, name: str) -> Any:
        value = super()._argument(name)
        if name == "stride" and value == self._kernel_size:
            return None
        return value[0] if isinstance(value, tuple) and len({*value}) == 1 else value

    def _sizes(self, x: Floats) -> tuple[int, ...]:
        """Return how many windows there are along each axis."""
        if x.ndim <= self._axes:
            raise ValueError(
                f"x has shape {x.shape}; expected (..., channels, "
                f"{'length' if self._axes == 1 else 'rows, columns'})"
            )
        sizes = []
        for n, k, s, p, d in zip(
            x.shape[-self._axes :], self._kernel_size, self._stride, self._padding,
            self._dilation, strict=True,
        ):  # fmt: skip
            left = n + 2 * p - d * (k - 1) - 1
            size = (left + (s - 1 if self._ceil_mode else 0)) // s + 1
            if self._ceil_mode and (size - 1) * s >= n + p:  # it would begin in the padding
                size -= 1
            if size < 1:
                raise ValueError(
                    f"x has shape {x.shape}; expected at least a window, with the padding"
                )
            sizes.append(size)
        return tuple(sizes)

    def _padded(self, x: Floats, sizes: tuple[int, ...], value: float) -> Floats:
        margins = [(0, 0)] * (x.ndim - self._axes)
        for n, size, k, s, p, d in zip(
            x.shape[-self._axes :], sizes, self._kernel_size, self._stride, self._padding,
            self._dilation, strict=True,
        ):  # fmt: skip
            margins.append((p, max(0, (size - 1) * s + d * (k - 1) + 1 - n - p)))
        return np.pad(x, margins, constant_values=value) if any(map(any, margins)) else x

    def _places(self, sizes: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield, for each place in a window, where it is in the padded input."""
        for _, read in places(self._kernel_size, self._stride, self._dilation, sizes):
            yield (..., *read)

    def _unpadded(self, padded: Floats, shape: tuple[int, ...]) -> Floats:
        own = zip(self._padding, shape[-self._axes :], strict=True)
        place: tuple[Any, ...] = (..., *(slice(p, p + n) for p, n in own))
        unpadded: Floats = padded[place]
        return unpadded


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self._set(kernel_size, stride, padding, dilation, ceil_mode)
        if return_indices is not False:
            raise ValueError(f"return_indices={return_indices!r}; expected False")
        self._return_indices = False

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        sizes = self._sizes(x)
        padded = self._padded(x, sizes, -np.inf)
        y: Floats = np.empty(0)
        largest: Floats = np.empty(0)  # the place of the first that is
        for k, place in enumerate(self._places(sizes)):
            values = padded[place]
            if k == 0:
                y = values.copy()
                count = np.prod(self._kernel_size)
                largest = np.zeros(y.shape, np.uint8 if count <= 256 else np.intp)
                continue
            larger = (values > y) | np.isnan(values)
            np.copyto(y, values, where=larger)
            np.copyto(largest, largest.dtype.type(k), where=larger)
        if any(self._padding):
            nothing = np.isneginf(y)  # of which the first is still padding, perhaps
            if nothing.any():
                np.copyto(largest, self._first_inside(x, sizes), "unsafe", where=nothing)
        return y, (x.shape, padded.shape, sizes, largest)

    def _first_inside(self, x: Floats, sizes: tuple[int, ...]) -> NDArray[np.intp]:
        """Return the first place of each window that isn't padding."""
        inside = self._padded(np.ones(x.shape[-self._axes :], bool), sizes, False)
        first = np.zeros(sizes, np.intp)
        for k, place in reversed(list(enumerate(self._places(sizes)))):
            first[inside[place]] = k
        return first

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        if not wrt_x:
            return {}
        shape, padded_shape, sizes, largest = saved
        padded = np.zeros(padded_shape, grad.dtype)
        for k, place in enumerate(self._places(sizes)):
            padded[place] += np.where(largest == k, grad, 0)
        return {"x": self._unpadded(padded, shape)}


class _AvgPool(_Pool):
    def _set_divisor(self, count_include_pad: Any, divisor_override: Any) -> None:
        self._count_include_pad = flag("count_include_pad", count_include_pad)
        self._divisor_override = divisor_override
        if divisor_override is not None and index("divisor_override", divisor_override) == 0:
            raise ValueError("divisor_override=0; expected another integer, or None")

    def _divisors(self, shape: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
        """Return by what the sum of each window is divided."""
        if self._divisor_override is not None:
            return self._divisor_override
        divisors: Any = 1
        for n, size, k, s, p in zip(
            shape[-self._axes :], sizes, self._kernel_size, self._stride, self._padding,
            strict=True,
        ):  # fmt: skip
            begin = np.arange(size) * s - p
            end = np.minimum(begin + k, n + p)
            if not self._count_include_pad:
                begin, end = np.maximum(begin, 0), np.minimum(end, n)
            divisors = np.multiply.outer(divisors, end - begin)
        return divisors

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        sizes = self._sizes(x)
        padded = self._padded(x, sizes, 0)
        y = np.zeros((*x.shape[: -self._axes], *sizes), x.dtype)
        for place in self._places(sizes):
            y += padded[place]
        y /= self._divisors(x.shape, sizes)
        return y, (x.shape, padded.shape, sizes)

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        if not wrt_x:
            return {}
        shape, padded_shape, sizes = saved
        padded = np.zeros(padded_shape, grad.dtype)
        each = (grad / self._divisors(shape, sizes)).astype(grad.dtype, copy=False)
        for place in self._places(sizes):
            padded[place] += each
        return {"x": self._unpadded(padded, shape)}


class _AdaptiveAvgPool(_Windows):
    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        is_one = not isinstance(output_size, (tuple, list))
        each: Any = (output_size,) * self._axes if is_one else output_size
        if len(each) != self._axes:
            raise ValueError(f"output_size={output_size!r}; expected {self._axes} integers")
        self._output_size = tuple(
            None if n is None else several("output_size", n, 1, 1)[0] for n in each
        )

    def _argument(self, name: str) -> Any:
        sizes = self._output_size
        return sizes[0] if len({*sizes}) == 1 else sizes

    def _windows(self, shape: tuple[int, ...]) -> list[list[slice]]:
        """Return, for each axis, what is averaged."""
        if len(shape) <= self._axes or 0 in shape[-self._axes :]:
            raise ValueError(
                f"x has shape {shape}; expected (..., channels, "
                f"{'length' if self._axes == 1 else 'rows, columns'}) of at least 1"
            )
        windows = []
        for n, given in zip(shape[-self._axes :], self._output_size, strict=True):
            size = n if given is None else given
            windows.append([slice(i * n // size, -(-(i + 1) * n // size)) for i in range(size)])
        return windows

    def _forward(self, x: Floats, step: Step) -> tuple[Floats, Any]:
        y = x
        for axis, windows in zip(range(-self._axes, 0), self._windows(x.shape), strict=True):
            first = np.moveaxis(y, axis, 0)
            y = np.stack([first[each].mean(axis=0, dtype=x.dtype) for each in windows], axis)
        return y, x.shape

    def _backward(self, saved: Any, grad: Floats, wrt_x: bool) -> dict[str, Floats]:
        if not wrt_x:
            return {}
        for axis, windows in zip(range(-self._axes, 0), self._windows(saved), strict=True):
            shape = list(grad.shape)
            shape[axis] = saved[axis]
            spread, first = np.zeros(shape, grad.dtype), np.moveaxis(grad, axis, 0)
            target = np.moveaxis(spread, axis, 0)
            for each, part in zip(windows, first, strict=True):
                target[each] += part / (each.stop - each.start)
            grad = spread
        return {"x": grad}


class MaxPool2d(_MaxPool):
    """The largest number of each window; x (..., channels, rows, columns).

    Parameters
    ----------
    kernel_size : int or two of them
        The size of a window.
    stride : int or two of them, optional
        How far apart windows are; by default their size.
    padding : int or two of them, default 0
        How many minus infinities are added on each side, at most half a window.
    dilation : int or two of them, default 1
        How far apart the elements of a window are.
    return_indices : False
        For the order of torch's arguments.
    ceil_mode : bool, default False
        Whether there are windows that reach beyond the end.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, of a call, the input's shape doesn't fit.

    Notes
    -----
    Of equal numbers, as of spikes, the first gets the gradient, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.MaxPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
    array([[[ 5.,  7.],
            [13., 15.]]])
    """

    _axes = 2


class MaxPool1d(_MaxPool):
    """The largest number of each window; x (..., channels, length).

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode
        As of `MaxPool2d`, along one axis.

    Raises
    ------
    TypeError, ValueError
        As `MaxPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.MaxPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]]))
    array([[[3., 2.]]])
    """

    _axes = 1


class AvgPool2d(_AvgPool):
    """The mean of each window; x (..., channels, rows, columns).

    Parameters
    ----------
    kernel_size : int or two of them
        The size of a window.
    stride : int or two of them, optional
        How far apart windows are; by default their size.
    padding : int or two of them, default 0
        How many zeros are added on each side, at most half a window.
    ceil_mode : bool, default False
        Whether there are windows that reach beyond the end.
    count_include_pad : bool, default True
        Whether zeros that were added count.
    divisor_override : int, optional
        By what sums are divided, instead of by how many numbers there are.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, of a call, the input's shape doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.AvgPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """

    _axes = 2

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self._set(kernel_size, stride, padding, 1, ceil_mode)
        self._set_divisor(count_include_pad, divisor_override)


class AvgPool1d(_AvgPool):
    """The mean of each window; x (..., channels, length).

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As of `AvgPool2d`, along one axis.

    Raises
    ------
    TypeError, ValueError
        As `AvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.AvgPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]]))
    array([[[2., 1.]]])
    """

    _axes = 1

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self._set(kernel_size, stride, padding, 1, ceil_mode)
        self._set_divisor(count_include_pad, None)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means of as many windows as the result is to have; x (..., channels, rows, columns).

    Parameters
    ----------
    output_size : int or None, or two of them
        How many along each axis; None is as many as the input has.

    Raises
    ------
    TypeError, ValueError
        If `output_size` is not as described, or, of a call, the input's shape doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.AdaptiveAvgPool2d(1)(np.arange(16.0).reshape(1, 4, 4))
    array([[[7.5]]])
    """

    _axes = 2


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means of as many windows as the result is to have; x (..., channels, length).

    Parameters
    ----------
    output_size : int or None
        How many; None is as many as the input has.

    Raises
    ------
    TypeError, ValueError
        As `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> snnc.nn.AdaptiveAvgPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]]))
    array([[[2., 1.]]])
    """

    _axes = 1
