"""Plots of spikes and traces, named and shaped as snnTorch's ``spikeplot``; needs matplotlib.

The composite figures keep the names and the argument order that they have in snnTorch's
tutorials. NumPy arrays in, matplotlib objects out; the current pyplot state is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import real_numbers
from snnc.recording import Recording

try:
    import matplotlib.pyplot as plt
except ImportError as error:
    raise ImportError("snnc.spikeplot needs matplotlib: pip install matplotlib") from error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

__all__ = ["plot_spk_cur_mem_spk", "plot_spk_mem_spk", "raster", "traces"]


def _per_neuron(name: str, data: ArrayLike) -> NDArray[Any]:
    """Check that data is (T,) or (T, N), and return it as (T, N)."""
    if isinstance(data, Recording):
        example = f"{name}.{data.state._fields[-1]}"
        raise TypeError(f"{name} is a Recording; pass one of its arrays, such as {example}")
    array = real_numbers(name, data)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {array.shape}; expected (T,) or (T, N)")
    return array.reshape(len(array), -1) if array.size else array.reshape(len(array), 0)


def raster(data: Recording | ArrayLike, ax: Axes | None = None, **kwargs: Any) -> PathCollection:
    """Mark each spike by its step (x) and its neuron (y).

    Parameters
    ----------
    data : Recording, or array_like of shape (T,) or (T, N)
        Spikes: whatever isn't 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on pyplot's current axes.
    **kwargs
        Passed to ``Axes.scatter``, e.g. ``s=400, c="black", marker="|"``.

    Returns
    -------
    matplotlib.collections.PathCollection

    Raises
    ------
    TypeError
        If `data` is not an array of real numbers.
    ValueError
        If `data` has other than one or two dimensions.
    AttributeError
        If a Recording has neither spikes nor events.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> marks = snnc.spikeplot.raster(np.eye(5), s=400, c="black", marker="|")
    >>> marks.get_offsets().shape
    (5, 2)
    """
    if isinstance(data, Recording):
        step, neuron = data.events()
    else:
        step, neuron = np.nonzero(_per_neuron("data", data))
    return (plt.gca() if ax is None else ax).scatter(step, neuron, **kwargs)


def traces(
    data: ArrayLike,
    spk: ArrayLike | None = None,
    dim: tuple[int, int] = (3, 3),
    spk_height: float = 5,
    titles: Sequence[str] | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw the traces of several neurons in a grid, without axes, on a common scale.

    Parameters
    ----------
    data : array_like, shape (T, N)
        Traces, such as membrane potentials; the first ``dim[0] * dim[1]`` are drawn.
    spk : array_like, shape (T, N), optional
        Spikes, drawn as excursions of `spk_height` on top of the traces.
    dim : (int, int), default (3, 3)
        Rows and columns of the grid.
    spk_height : float, default 5
        The height of a spike, in the units of `data`.
    titles : sequence of str, optional
        A title for each trace.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (dim[0], dim[1])

    Raises
    ------
    ValueError
        If shapes don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> rec = snnc.Leaky(beta=[0.8, 0.9]).run(0.3, num_steps=50)
    >>> fig, axes = snnc.spikeplot.traces(rec.mem, rec.spk, dim=(1, 2))
    >>> axes.shape
    (1, 2)
    """
    shown = _per_neuron("data", data)
    if spk is not None:
        spikes = _per_neuron("spk", spk)
        if spikes.shape != shown.shape:
            raise ValueError(f"spk has shape {spikes.shape}; expected that of data, {shown.shape}")
        shown = shown + spk_height * spikes
    rows, columns = dim
    if titles is not None and len(titles) < min(rows * columns, shown.shape[1]):
        raise ValueError(f"titles has {len(titles)} entries, fewer than there are traces")
    fig, axes = plt.subplots(rows, columns, sharey=True, squeeze=False)
    for i, ax in enumerate(axes.flat):
        ax.axis("off")
        if i < shown.shape[1]:
            ax.plot(shown[:, i])
            if titles is not None:
                ax.set_title(titles[i])
    return fig, axes


def _stack(ratios: Sequence[float], height: float, title: str) -> tuple[Figure, NDArray[Any]]:
    """Panels below each other with time in common; the last one says so."""
    fig, axes = plt.subplots(
        len(ratios), 1, figsize=(8, height), sharex=True, height_ratios=ratios
    )
    axes[0].set_title(title)
    axes[-1].set_xlabel("Time step")
    return fig, axes


def _spikes(ax: Axes, spk: ArrayLike, label: str) -> None:
    raster(spk, ax, s=400, c="black", marker="|")
    ax.set_ylabel(label)
    ax.set_yticks([])


def _trace(ax: Axes, data: ArrayLike, label: str) -> None:
    ax.plot(data)
    ax.set_ylabel(label)


def _membrane(ax: Axes, mem: ArrayLike, threshold: float | None) -> None:
    _trace(ax, mem, "Membrane Potential ($U_{mem}$)")
    if threshold is not None:
        ax.axhline(threshold, alpha=0.25, linestyle="dashed", c="black", linewidth=2)


def _of_one_neuron(**data: ArrayLike) -> list[NDArray[Any]]:
    """Check that all are (T,) or (T, 1), and equally long; return them as (T,)."""
    arrays = {name: _per_neuron(name, value) for name, value in data.items()}
    length = len(next(iter(arrays.values())))
    for name, array in arrays.items():
        if array.shape[1] != 1:
            raise ValueError(f"{name} is of {array.shape[1]} neurons; expected (T,) or (T, 1)")
        if len(array) != length:
            raise ValueError(
                f"{name} has {len(array)} steps; expected {length}, as {next(iter(arrays))}"
            )
    return [array[:, 0] for array in arrays.values()]


def plot_spk_cur_mem_spk(
    spk_in: ArrayLike,
    syn: ArrayLike,
    mem: ArrayLike,
    spk: ArrayLike,
    title: str,
    *,
    threshold: float | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw Tutorial 4's first figure: input spikes, current, membrane and output spikes.

    Parameters
    ----------
    spk_in, syn, mem, spk : array_like, shape (T,) or (T, 1)
        Input spikes, synaptic current, membrane potential, output spikes.
    title : str
        The title of the figure.
    threshold : float, optional
        A dashed line in the panel of the membrane.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (4,)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> spk_in = np.tile(np.r_[0.2, np.zeros(9)], 20)
    >>> spk, syn, mem = snnc.Synaptic(alpha=0.9, beta=0.8).run(spk_in)
    >>> fig, axes = snnc.spikeplot.plot_spk_cur_mem_spk(
    ...     spk_in, syn, mem, spk, "Synaptic", threshold=1.0
    ... )
    >>> len(axes)
    4
    """
    spk_in, syn, mem, spk = _of_one_neuron(spk_in=spk_in, syn=syn, mem=mem, spk=spk)
    fig, axes = _stack([0.4, 1, 1, 0.4], 7, title)
    _spikes(axes[0], spk_in, "Input Spikes")
    _trace(axes[1], syn, "Synaptic Current ($I_{syn}$)")
    _membrane(axes[2], mem, threshold)
    _spikes(axes[3], spk, "Output Spikes")
    return fig, axes


def plot_spk_mem_spk(
    spk_in: ArrayLike,
    mem: ArrayLike,
    spk: ArrayLike,
    title: str,
    *,
    threshold: float | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw Tutorial 4's second figure: input spikes, membrane and output spikes.

    Parameters
    ----------
    spk_in, mem, spk : array_like, shape (T,) or (T, 1)
        Input spikes, membrane potential, output spikes.
    title : str
        The title of the figure.
    threshold : float, optional
        A dashed line in the panel of the membrane.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (3,)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> spk_in = np.tile(np.r_[0.85, np.zeros(9)], 10)
    >>> spk, _, _, mem = snnc.Alpha(alpha=0.8, beta=0.7, threshold=0.5).run(spk_in)
    >>> fig, axes = snnc.spikeplot.plot_spk_mem_spk(spk_in, mem, spk, "Alpha", threshold=0.5)
    >>> len(axes)
    3
    """
    spk_in, mem, spk = _of_one_neuron(spk_in=spk_in, mem=mem, spk=spk)
    fig, axes = _stack([0.4, 1, 0.4], 6, title)
    _spikes(axes[0], spk_in, "Input Spikes")
    _membrane(axes[1], mem, threshold)
    _spikes(axes[2], spk, "Output Spikes")
    return fig, axes
