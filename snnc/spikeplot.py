"""Plots of spikes and traces, named and shaped as snnTorch's ``spikeplot``; needs matplotlib.

The composite figures keep the names and the argument order that they have in snnTorch's
tutorials. NumPy arrays or recordings in, matplotlib objects out: no settings of matplotlib's are
changed. Colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import base64
import importlib
import io
import math
from typing import TYPE_CHECKING

import numpy as np

from snnc._arguments import at_least_one, missing_names, real_numbers
from snnc.recording import Recording

try:
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation
    from matplotlib.backends.backend_agg import FigureCanvasAgg
except ImportError as error:
    raise ImportError("snnc.spikeplot needs matplotlib: pip install matplotlib") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    Data = Recording | ArrayLike

__all__ = [
    "animator",
    "compare_plots",
    "plot_cur_mem_spk",
    "plot_current_pulse_response",
    "plot_mem",
    "plot_reset_comparison",
    "plot_snn_spikes",
    "plot_spk_cur_mem_spk",
    "plot_spk_mem_spk",
    "plot_step_current_response",
    "raster",
    "sliders",
    "spike_count",
    "traces",
]

__getattr__ = missing_names(
    "snnc.spikeplot", {"Camera": "animator and spike_count(animate=True) return animations"}
)

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
LINE: dict[str, Any] = {"alpha": 0.5, "linestyle": "dashed", "c": "black", "linewidth": 1.5}
MARK = {**LINE, "alpha": 0.4, "linestyle": "dotted", "zorder": 0}  # of a step

CURRENT = "Input Current ($I_{in}$)"
MEMBRANE = "Membrane Potential ($U_{mem}$)"


# ---- data ----


def _of_recording(name: str, rec: Recording, kind: str) -> NDArray[Any]:
    """Return what an argument takes of a recording, with time first: spikes, or a state."""
    if kind == "spk":
        if "spk" in rec._arrays and not rec._packed:
            return np.moveaxis(np.asarray(rec.spk), rec._time_axis, 0)
        step, neuron = rec.events()
        spikes = np.zeros((rec.num_steps, math.prod(rec._shape)), bool)
        spikes[step - rec._first_step, neuron] = True
        return spikes.reshape(rec.num_steps, *rec._shape)
    field = "v" if kind == "mem" and "v" in rec.state._fields else kind
    if field not in rec.state._fields:
        raise ValueError(f"{name} is a Recording, which has no {kind}: pass an array")
    if field not in rec._arrays:
        raise ValueError(f"{name} is a Recording without {field!r}: record it")
    states = np.asarray(getattr(rec, field))
    first = np.moveaxis(states, rec._time_axis, 0)
    return first if first.shape[1:] == rec._shape else states  # of some neurons: time is first


def _over_time(name: str, data: Data, kind: str) -> NDArray[Any]:
    """Return data as (T, N), of (T,), (T, N), or a recording."""
    if isinstance(data, Recording):
        array = _of_recording(name, data, kind)
        return array.reshape(len(array), math.prod(array.shape[1:]))
    array = real_numbers(name, data)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {array.shape}; expected (T,) or (T, N)")
    if kind == "spk" and array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"{name} contains NaN, which is neither a spike nor none")
    return array.reshape(len(array), math.prod(array.shape[1:]))


def _of_one_neuron(**data: tuple[Data, str]) -> list[NDArray[Any]]:
    """Check that all are (T,) or (T, 1), and equally long; return them as (T,)."""
    arrays = {name: _over_time(name, value, kind) for name, (value, kind) in data.items()}
    first, length = next((name, len(array)) for name, array in arrays.items())
    for name, array in arrays.items():
        if array.shape[1] != 1:
            raise ValueError(f"{name} is of {array.shape[1]} neurons; expected (T,) or (T, 1)")
        if len(array) != length:
            raise ValueError(f"{name} has {len(array)} steps; expected {length}, as {first}")
    return [array[:, 0] for array in arrays.values()]


def _place(name: str, value: Any) -> float | None:
    """Return where a line goes; None, and False as in the tutorials, is nowhere."""
    if value is None or value is False:
        return None
    array = real_numbers(name, value)
    if array.ndim or not np.isfinite(array):
        raise ValueError(f"{name}={value!r}; expected a number")
    return float(array)


# ---- single plots ----


def raster(data: Data, ax: Axes | None = None, **kwargs: Any) -> PathCollection:
    """Mark each spike by its step (x) and its neuron (y).

    Parameters
    ----------
    data : Recording, or array_like of shape (T,) or (T, N)
        Spikes: whatever isn't 0. A recording may have them in any form.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on pyplot's current axes.
    **kwargs
        Passed to ``Axes.scatter``, e.g. ``s=400``; by default black ticks (``marker="|"``),
        which are drawn fast: a million in half a second.

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
    >>> marks = snnc.spikeplot.raster(np.eye(5), s=400)
    >>> marks.get_offsets().shape
    (5, 2)
    """
    if isinstance(data, Recording):
        step, neuron = data.events()
    else:
        step, neuron = np.nonzero(_over_time("data", data, "spk"))
    if not kwargs.keys() & {"c", "color", "facecolor", "facecolors"}:
        kwargs["c"] = "black"
    kwargs.setdefault("marker", "|")
    return (plt.gca() if ax is None else ax).scatter(step, neuron, **kwargs)


def traces(
    data: Data,
    spk: Data | None = None,
    dim: tuple[int, int] = (3, 3),
    spk_height: float = 5,
    titles: Sequence[str] | None = None,
    *,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw the traces of several neurons in a grid, without axes, on a common scale.

    Parameters
    ----------
    data : Recording, or array_like of shape (T, N)
        Traces, such as membrane potentials (a recording's); the first ``dim[0] * dim[1]`` are
        drawn.
    spk : Recording, or array_like of shape (T, N), optional
        Spikes, drawn as excursions of `spk_height` on top of the traces.
    dim : (int, int), default (3, 3)
        Rows and columns of the grid.
    spk_height : float, default 5
        The height of a spike, in the units of `data`.
    titles : sequence of str, optional
        A title for each trace.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (dim[0], dim[1])

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers, or shapes don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> rec = snnc.Leaky(beta=[0.8, 0.9]).run(0.3, num_steps=50)
    >>> fig, axes = snnc.spikeplot.traces(rec, rec, dim=(1, 2))
    >>> axes.shape
    (1, 2)
    """
    every = _over_time("data", data, "mem")
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise TypeError(f"dim={dim!r}; expected (rows, columns)")
    rows, columns = (at_least_one("dim", n) for n in dim)
    count = min(rows * columns, every.shape[1])
    shown = every[:, :count].astype(np.float64)
    if spk is not None:
        spikes = _over_time("spk", spk, "spk")
        height = _place("spk_height", spk_height)
        if spikes.shape != every.shape:
            raise ValueError(f"spk has shape {spikes.shape}; expected that of data, {every.shape}")
        shown += (0.0 if height is None else height) * spikes[:, :count]
    titles = _texts("titles", titles)
    if titles is not None and len(titles) < count:
        raise ValueError(f"titles has {len(titles)} entries, fewer than there are traces")
    fig, axes = _panels(fig, rows, columns, sharey=True)
    for i, ax in enumerate(axes.flat):
        ax.axis("off")
        if i < count:
            ax.plot(shown[:, i], c=BLUE)
            if titles is not None:
                ax.set_title(titles[i])
    return fig, axes


def _texts(name: str, value: Any) -> list[str] | None:
    """Return a list of texts, or None."""
    if value is None:
        return None
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name}={value!r}; expected a sequence of str")
    return [str(text) for text in value]


def _canvas(fig: Figure | None, ax: Axes | None) -> tuple[Figure, Axes]:
    if ax is not None:
        found: Any = ax.figure if fig is None else fig
        return found, ax
    if fig is None:
        return plt.subplots()
    return fig, fig.gca()


def _number_of_steps(num_steps: Any, length: int) -> int:
    """Return how many steps to show; None, and snnTorch's False, are all."""
    if num_steps is None or num_steps is False:
        return length
    return min(at_least_one("num_steps", num_steps), length)


def spike_count(
    data: Data,
    fig: Figure | None = None,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    num_steps: int | None = None,
    animate: bool = False,
    interpolate: int = 1,
    gridshader: bool = True,
    interval: float = 25,
    time_step: float | None = None,
) -> LineCollection | FuncAnimation:
    """Draw how often each neuron has spiked, as horizontal lines with a dot; or animate it.

    Parameters
    ----------
    data : Recording, or array_like of shape (T, N)
        Spikes: whatever isn't 0 is one.
    fig, ax : matplotlib.figure.Figure and matplotlib.axes.Axes, optional
        Where to draw; by default a new figure of pyplot's.
    labels : sequence of str, optional
        A name for each neuron; by default its index.
    num_steps : int, optional
        Count the spikes of the first so many steps; by default of all.
    animate : bool, default False
        Whether to return an animation, in which the counts grow step by step.
    interpolate : int, default 1
        Frames of the animation for each step: with more, dots move smoothly.
    gridshader : bool, default True
        Whether every second row has a grey background.
    interval : float, default 25
        Milliseconds a frame.
    time_step : float, optional
        Seconds a step: the animation shows the time.

    Returns
    -------
    matplotlib.collections.LineCollection, or matplotlib.animation.FuncAnimation
        With `animate`: keep it while it is shown; ``anim.to_jshtml()`` is a movie for a notebook,
        ``anim.save("counts.gif", writer="pillow")`` writes one. Neither needs ffmpeg.

    Raises
    ------
    TypeError, ValueError
        If `data` is not an array of real numbers of that shape, or an argument doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> rec = snnc.Leaky(beta=[0.8, 0.9, 0.95]).run(0.2, num_steps=100)
    >>> lines = snnc.spikeplot.spike_count(rec, labels=["a", "b", "c"])
    >>> [float(end[0]) for _, end in lines.get_segments()]
    [0.0, 13.0, 16.0]
    """
    spikes = _over_time("data", data, "spk") != 0
    steps = _number_of_steps(num_steps, len(spikes))
    size = spikes.shape[1]
    frames = at_least_one("interpolate", interpolate)
    seconds = _place("time_step", time_step)
    labels = _texts("labels", labels)
    if not _place("interval", interval) or interval < 0:
        raise ValueError(f"interval={interval!r}; expected milliseconds above 0")
    if labels is not None and len(labels) != size:
        raise ValueError(f"labels has {len(labels)} entries; expected {size}, one a neuron")
    counts = np.zeros((steps + 1, size))
    np.cumsum(spikes[:steps], axis=0, out=counts[1:])

    fig, ax = _canvas(fig, ax)
    rows = np.arange(size)
    if gridshader:
        for row in rows[::2]:
            ax.axhspan(row - 0.5, row + 0.5, color="black", alpha=0.06, linewidth=0)
    lines = ax.hlines(rows, 0, counts[-1], color=BLUE, linewidth=3)
    (dots,) = ax.plot(counts[-1], rows, "o", color=BLUE)
    ax.set_yticks(rows, [str(row) for row in rows] if labels is None else labels)
    ax.set_ylim(max(size, 1) - 0.5, -0.5)
    ax.set_xlim(0, max(1.0, 1.05 * counts[-1].max(initial=0)))
    ax.set_xlabel("Spike Count")
    if not animate:
        return lines
    time = ax.text(0.98, 0.02, "", transform=ax.transAxes, ha="right")

    def update(frame: int) -> tuple[Any, ...]:
        step, part = divmod(frame, frames)
        now = counts[step]
        if part:
            now = now + (counts[step + 1] - now) * (part / frames)
        lines.set_segments([[(0, row), (x, row)] for row, x in enumerate(now)])
        dots.set_xdata(now)
        if seconds is not None:
            time.set_text(f"{frame / frames * seconds:.3f} s")
        return lines, dots, time

    return FuncAnimation(fig, update, frames=steps * frames + 1, interval=interval, blit=False)


def animator(
    data: Data,
    fig: Figure | None = None,
    ax: Axes | None = None,
    num_steps: int | None = None,
    interval: float = 40,
    cmap: str = "plasma",
) -> FuncAnimation:
    """Animate images over time, such as the spikes of an encoded image.

    Parameters
    ----------
    data : Recording, or array_like of shape (T, height, width)
        The images: a recording's spikes.
    fig, ax : matplotlib.figure.Figure and matplotlib.axes.Axes, optional
        Where to draw; by default a new figure of pyplot's.
    num_steps : int, optional
        Show the first so many steps; by default all.
    interval : float, default 40
        Milliseconds a frame.
    cmap : str, default "plasma"
        A colour map of matplotlib's.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Keep it while it is shown; ``anim.to_jshtml()`` is a movie for a notebook,
        ``anim.save("spikes.gif", writer="pillow")`` writes one. Neither needs ffmpeg.

    Raises
    ------
    TypeError, ValueError
        If `data` is not an array of real numbers of that shape, or an argument doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> image = np.linspace(0, 1, 64).reshape(8, 8)
    >>> spk = snnc.spikegen.rate(image, 10, rng=0)
    >>> anim = snnc.spikeplot.animator(spk)
    >>> len(anim.to_jshtml()) > 10_000
    True
    """
    if isinstance(data, Recording):
        images = _of_recording("data", data, "spk")
    else:
        images = real_numbers("data", data)
    if images.ndim != 3:
        raise ValueError(f"data has shape {images.shape}; expected (T, height, width)")
    if images.size == 0:
        raise ValueError(f"data of shape {images.shape} has no image to show")
    steps = _number_of_steps(num_steps, len(images))
    plt.get_cmap(cmap)  # or its error, before there is a figure
    if not _place("interval", interval) or interval < 0:
        raise ValueError(f"interval={interval!r}; expected milliseconds above 0")
    images = images[:steps].astype(np.float64)
    low, high = float(images.min()), float(images.max())
    fig, ax = _canvas(fig, ax)
    ax.axis("off")
    shown = ax.imshow(images[0], cmap=cmap, vmin=low, vmax=high if high > low else low + 1)

    def update(frame: int) -> tuple[Any]:
        shown.set_data(images[frame])
        return (shown,)

    return FuncAnimation(fig, update, frames=steps, interval=interval, blit=False)


def sliders(fig: Figure, update: Callable[..., object], **ranges: tuple[float, ...]) -> Any:
    """Put sliders below a figure, which is drawn again as they are moved.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Best one that pyplot doesn't know, ``matplotlib.figure.Figure()``: it is shown here alone.
        Large ones take longer to draw: 7 by 6 inches with ``dpi=80`` take 50 ms.
    update : callable
        Called with the value of each slider by its name: it changes what is drawn in `fig`
        (``line.set_ydata(...)``), which is faster than drawing all of it anew.
    **ranges : (low, high, step, start)
        The range of each slider, its step and where it starts: integers make one of integers.

    Returns
    -------
    ipywidgets.VBox, or matplotlib.figure.Figure
        As the last line of a notebook's cell either is shown: the figure alone, as it is at the
        start, where ipywidgets isn't installed. Where a notebook is only read, a picture of it is.

    Raises
    ------
    TypeError, ValueError
        If a range is not as described.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import snnc
    >>> fig = Figure()
    >>> (line,) = fig.subplots().plot(snnc.Leaky(0.9).run(0.2, num_steps=50).mem)
    >>> def update(beta):
    ...     line.set_ydata(snnc.Leaky(beta).run(0.2, num_steps=50).mem)
    >>> shown = snnc.spikeplot.sliders(fig, update, beta=(0.5, 0.99, 0.01, 0.9))
    """
    for name, given in ranges.items():
        numbers = isinstance(given, (tuple, list)) and all(
            isinstance(n, (int, float, np.integer, np.floating)) and math.isfinite(n)
            for n in given
        )
        if not numbers or len(given) != 4 or given[2] <= 0:
            raise ValueError(f"{name}={given!r}; expected (low, high, step, start)")
        if not given[0] <= given[3] <= given[1]:
            raise ValueError(f"{name}={given!r}; expected a start from low to high")
    update(**{name: start for name, (*_, start) in ranges.items()})
    try:
        ipywidgets: Any = importlib.import_module("ipywidgets")
    except ImportError:
        return fig

    canvas = FigureCanvasAgg(fig)

    def picture() -> bytes:
        file = io.BytesIO()
        canvas.print_figure(file, format="png", pil_kwargs={"compress_level": 1})
        return file.getvalue()

    class Sliders(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
        def __repr__(self) -> str:
            return f"sliders: {', '.join(ranges)}"

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            bundle = super()._repr_mimebundle_(**kwargs)
            return {**bundle, "image/png": base64.b64encode(image.value).decode()}

    image = ipywidgets.Image(value=picture(), format="png")
    each = {}
    for name, (low, high, step, start) in ranges.items():
        whole = all(isinstance(n, (int, np.integer)) for n in (low, high, step, start))
        kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        each[name] = kind(start, min=low, max=high, step=step, description=name)

    def move(_: object) -> None:
        update(**{name: slider.value for name, slider in each.items()})
        image.value = picture()

    for slider in each.values():
        slider.observe(move, names="value")
    return Sliders([image, *each.values()])


# ---- the tutorials' figures ----


def _panels(
    fig: Figure | None, rows: int, columns: int = 1, size: Any = None, **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """Make axes, in a new figure unless one is given."""
    if fig is None:
        return plt.subplots(rows, columns, squeeze=False, figsize=size, **options)
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def _stack(
    fig: Figure | None, ratios: Sequence[float], height: float, title: Any
) -> tuple[Figure, NDArray[Any]]:
    """Panels below each other with time in common; the last one says so."""
    fig, grid = _panels(fig, len(ratios), 1, (8, height), sharex=True, height_ratios=ratios)
    axes = grid[:, 0]
    if title is not None and title is not False:
        axes[0].set_title(title)
    axes[-1].set_xlabel("Time step")
    fig.align_ylabels(list(axes))
    return fig, axes


def _spikes(ax: Axes, spk: ArrayLike, label: str) -> None:
    raster(spk, ax, s=400)
    ax.set_ylabel(label, fontsize="small")
    ax.set_yticks([])


def _trace(ax: Axes, data: ArrayLike, label: str, colour: str, highest: Any = None) -> None:
    ax.plot(data, c=colour)
    ax.set_ylabel(label, fontsize="small")
    if highest is not None:
        ax.set_ylim(top=highest)


def _lines(axes: NDArray[Any], places: Sequence[float | None]) -> None:
    """Draw vertical lines through all panels."""
    for ax in axes:
        for x in places:
            if x is not None:
                ax.axvline(x, **MARK)


def _threshold(ax: Axes, value: float | None) -> None:
    if value is not None:
        ax.axhline(value, **LINE)


def plot_mem(
    mem: Data, title: str | None = None, *, fig: Figure | None = None
) -> tuple[Figure, NDArray[Any]]:
    """Draw a membrane potential over time: Tutorial 2.

    Parameters
    ----------
    mem : Recording, or array_like of shape (T,) or (T, 1)
        The membrane potential.
    title : str, optional
        The title of the figure.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (1,)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> cur = np.r_[np.zeros(10), np.full(190, 0.3)].astype(np.float32)
    >>> rec = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3).run(cur)
    >>> fig, axes = snnc.spikeplot.plot_mem(rec, "Lapicque's neuron")
    >>> len(axes[0].lines)
    1
    """
    (mem,) = _of_one_neuron(mem=(mem, "mem"))
    fig, axes = _stack(fig, [1], 4.8, title)
    _trace(axes[0], mem, MEMBRANE, BLUE)
    return fig, axes


def plot_step_current_response(
    cur: Data,
    mem: Data,
    vline1: float | None = None,
    *,
    title: str | None = None,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw an input current and the membrane potential: Tutorial 2.

    Parameters
    ----------
    cur, mem : Recording, or array_like of shape (T,) or (T, 1)
        The input current and the membrane potential.
    vline1 : float, optional
        Where a vertical line marks the step of the current.
    title : str, optional
        The title of the figure.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (2,)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> cur = np.r_[np.zeros(10), np.full(190, 0.3)].astype(np.float32)
    >>> rec = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3).run(cur)
    >>> fig, axes = snnc.spikeplot.plot_step_current_response(cur, rec, 10)
    >>> len(axes)
    2
    """
    return plot_current_pulse_response(cur, mem, title, vline1, fig=fig)


def plot_current_pulse_response(
    cur: Data,
    mem: Data,
    title: str | None = None,
    vline1: float | None = None,
    vline2: float | None = None,
    ylim_max1: float | None = None,
    *,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw a pulse of current and the membrane potential: Tutorial 2.

    Parameters
    ----------
    cur, mem : Recording, or array_like of shape (T,) or (T, 1)
        The input current and the membrane potential.
    title : str, optional
        The title of the figure.
    vline1, vline2 : float, optional
        Where vertical lines mark the pulse.
    ylim_max1 : float, optional
        The upper limit of the current's axis; by default it follows the data.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (2,)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> cur = np.r_[np.zeros(10), np.full(190, 0.3)].astype(np.float32)
    >>> rec = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3).run(cur)
    >>> fig, axes = snnc.spikeplot.plot_current_pulse_response(cur, rec, "A step", 10)
    >>> len(axes)
    2
    """
    cur, mem = _of_one_neuron(cur=(cur, "cur"), mem=(mem, "mem"))
    lines = _place("vline1", vline1), _place("vline2", vline2)
    highest = _place("ylim_max1", ylim_max1)
    fig, axes = _stack(fig, [1, 1], 6, title)
    _trace(axes[0], cur, CURRENT, ORANGE, highest)
    _trace(axes[1], mem, MEMBRANE, BLUE)
    _lines(axes, lines)
    return fig, axes


def compare_plots(
    cur1: Data,
    cur2: Data,
    cur3: Data,
    mem1: Data,
    mem2: Data,
    mem3: Data,
    vline1: float | None = None,
    vline2: float | None = None,
    vline3: float | None = None,
    vline4: float | None = None,
    title: str | None = None,
    *,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw three currents and the membrane potentials that they cause: Tutorial 2.

    Parameters
    ----------
    cur1, cur2, cur3, mem1, mem2, mem3 : Recording, or array_like of shape (T,) or (T, 1)
        Input currents and membrane potentials.
    vline1, vline2, vline3, vline4 : float, optional
        Where vertical lines mark the pulses.
    title : str, optional
        The title of the figure.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (2,)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> cur = np.r_[np.zeros(10), np.full(190, 0.3)].astype(np.float32)
    >>> rec = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3).run(cur)
    >>> half = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3).run(cur / 2)
    >>> fig, axes = snnc.spikeplot.compare_plots(cur, cur / 2, cur, rec, half, rec, 10)
    >>> len(axes[1].lines)
    4
    """
    series = _of_one_neuron(
        cur1=(cur1, "cur"), cur2=(cur2, "cur"), cur3=(cur3, "cur"),
        mem1=(mem1, "mem"), mem2=(mem2, "mem"), mem3=(mem3, "mem"),
    )  # fmt: skip
    given = {"vline1": vline1, "vline2": vline2, "vline3": vline3, "vline4": vline4}
    lines = [_place(name, value) for name, value in given.items()]
    fig, axes = _stack(fig, [1, 1], 6, title)
    for i, colour in enumerate((ORANGE, BLUE, GREEN)):
        _trace(axes[0], series[i], CURRENT, colour)
        _trace(axes[1], series[3 + i], MEMBRANE, colour)
    axes[0].legend(axes[0].lines, ["1", "2", "3"])
    _lines(axes, lines)
    return fig, axes


def plot_cur_mem_spk(
    cur: Data,
    mem: Data,
    spk: Data,
    thr_line: float | None = None,
    vline: float | None = None,
    title: str | None = None,
    *,
    ylim_max1: float | None = None,
    ylim_max2: float | None = None,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw an input current, the membrane potential and output spikes: Tutorials 2 and 3.

    Parameters
    ----------
    cur, mem, spk : Recording, or array_like of shape (T,) or (T, 1)
        Input current, membrane potential, output spikes.
    thr_line : float, optional
        The threshold: a dashed line in the panel of the membrane.
    vline : float, optional
        Where a vertical line goes through all panels.
    title : str, optional
        The title of the figure.
    ylim_max1, ylim_max2 : float, optional
        The upper limits of the current's and the membrane's axes; by default they follow the data.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

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
    >>> cur = np.r_[np.zeros(10), np.full(190, 0.3)].astype(np.float32)
    >>> rec = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3).run(cur)
    >>> fig, axes = snnc.spikeplot.plot_cur_mem_spk(cur, rec, rec, thr_line=1.0, title="LIF")
    >>> len(axes)
    3
    """
    cur, mem, spk = _of_one_neuron(cur=(cur, "cur"), mem=(mem, "mem"), spk=(spk, "spk"))
    threshold, line = _place("thr_line", thr_line), _place("vline", vline)
    tops = _place("ylim_max1", ylim_max1), _place("ylim_max2", ylim_max2)
    fig, axes = _stack(fig, [1, 1, 0.4], 6, title)
    _trace(axes[0], cur, CURRENT, ORANGE, tops[0])
    _trace(axes[1], mem, MEMBRANE, BLUE, tops[1])
    _threshold(axes[1], threshold)
    _spikes(axes[2], spk, "Output Spikes")
    _lines(axes, [line])
    return fig, axes


def plot_spk_mem_spk(
    spk_in: Data,
    mem: Data,
    spk: Data,
    title: str | None = None,
    *,
    threshold: float | None = None,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw input spikes, the membrane potential and output spikes: Tutorials 2 and 4.

    Parameters
    ----------
    spk_in, mem, spk : Recording, or array_like of shape (T,) or (T, 1)
        Input spikes, membrane potential, output spikes.
    title : str, optional
        The title of the figure.
    threshold : float, optional
        A dashed line in the panel of the membrane.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

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
    >>> rec = snnc.Alpha(alpha=0.8, beta=0.7, threshold=0.5).run(spk_in)
    >>> fig, axes = snnc.spikeplot.plot_spk_mem_spk(spk_in, rec, rec, "Alpha", threshold=0.5)
    >>> len(axes)
    3
    """
    spk_in, mem, spk = _of_one_neuron(spk_in=(spk_in, "spk"), mem=(mem, "mem"), spk=(spk, "spk"))
    level = _place("threshold", threshold)
    fig, axes = _stack(fig, [0.4, 1, 0.4], 6, title)
    _spikes(axes[0], spk_in, "Input Spikes")
    _trace(axes[1], mem, MEMBRANE, BLUE)
    _threshold(axes[1], level)
    _spikes(axes[2], spk, "Output Spikes")
    return fig, axes


def plot_reset_comparison(
    spk_in: Data,
    mem_rec: Data,
    spk_rec: Data,
    mem_rec0: Data,
    spk_rec0: Data,
    *,
    threshold: float | None = None,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw reset by subtraction beside reset to zero, on one input: Tutorial 2.

    Parameters
    ----------
    spk_in : Recording, or array_like of shape (T,) or (T, 1)
        Input spikes.
    mem_rec, spk_rec : Recording, or array_like of shape (T,) or (T, 1)
        Membrane potential and output spikes with reset by subtraction.
    mem_rec0, spk_rec0 : Recording, or array_like of shape (T,) or (T, 1)
        The same with reset to zero.
    threshold : float, optional
        A dashed line in the panels of the membrane.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (3, 2)

    Raises
    ------
    TypeError, ValueError
        If data are not arrays of real numbers of these shapes, or not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> spk_in = snnc.spikegen.rate_conv(np.full(100, 0.4, np.float32), rng=0)
    >>> recs = [snnc.Leaky(0.8, threshold=1.5, reset_mechanism=r).run(spk_in)
    ...         for r in ("subtract", "zero")]
    >>> fig, axes = snnc.spikeplot.plot_reset_comparison(
    ...     spk_in, recs[0], recs[0], recs[1], recs[1], threshold=1.5
    ... )
    >>> axes.shape
    (3, 2)
    """
    spk_in, *series = _of_one_neuron(
        spk_in=(spk_in, "spk"), mem_rec=(mem_rec, "mem"), spk_rec=(spk_rec, "spk"),
        mem_rec0=(mem_rec0, "mem"), spk_rec0=(spk_rec0, "spk"),
    )  # fmt: skip
    level = _place("threshold", threshold)
    options = {"sharex": True, "sharey": "row", "height_ratios": [0.4, 1, 0.4]}
    fig, axes = _panels(fig, 3, 2, (10, 6), gridspec_kw={"wspace": 0.05}, **options)
    for column, title in enumerate(("Reset by Subtraction", "Reset to Zero")):
        mem, spk = series[2 * column : 2 * column + 2]
        axes[0, column].set_title(title)
        _spikes(axes[0, column], spk_in, "Input Spikes")
        _trace(axes[1, column], mem, MEMBRANE, BLUE)
        _threshold(axes[1, column], level)
        _spikes(axes[2, column], spk, "Output Spikes")
        axes[2, column].set_xlabel("Time step")
    for ax in axes[:, 1]:
        ax.set_ylabel("")
    return fig, axes


def plot_snn_spikes(
    spk_in: Data,
    spk1_rec: Data,
    spk2_rec: Data,
    title: str | None = None,
    *,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw the spikes of a network: input, hidden layer and output layer (Tutorial 3).

    Parameters
    ----------
    spk_in, spk1_rec, spk2_rec : Recording, or array_like of shape (T, N) or (T, 1, N)
        Spikes of each layer, of a single sample.
    title : str, optional
        The title of the figure.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

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
    >>> rng = np.random.default_rng(0)
    >>> spk_in, hidden = (rng.random((2, 100, 50)) < 0.1).astype(np.float32)
    >>> fig, axes = snnc.spikeplot.plot_snn_spikes(spk_in, hidden, hidden[:, :10], "Network")
    >>> len(axes)
    3
    """
    layers = []
    for name, data in (("spk_in", spk_in), ("spk1_rec", spk1_rec), ("spk2_rec", spk2_rec)):
        array = data if isinstance(data, Recording) else real_numbers(name, data)
        if isinstance(array, Recording):
            if len(array._shape) > 1 and array._shape[0] != 1:
                raise ValueError(f"{name} is of {array._shape[0]} samples; expected a single one")
        elif array.ndim == 3 and array.shape[1] == 1:
            array = array[:, 0]  # a batch of one
        layers.append(_over_time(name, array, "spk"))
        if len(layers[-1]) != len(layers[0]):
            raise ValueError(
                f"{name} has {len(layers[-1])} steps; expected {len(layers[0])}, as spk_in"
            )
    fig, axes = _stack(fig, [1, 1, 0.4], 7, title)
    labels = ("Input Spikes", "Hidden Layer", "Output Spikes")
    for ax, layer, label in zip(axes, layers, labels, strict=True):
        few = layer.shape[1] <= 20  # of many, ticks would cover each other
        raster(layer, ax, **({"s": 50} if few else {"s": 0.8, "marker": ".", "linewidths": 0}))
        ax.set_ylabel(label, fontsize="small")
        ax.set_ylim(-0.5, layer.shape[1] - 0.5)
    return fig, axes


def plot_spk_cur_mem_spk(
    spk_in: Data,
    syn: Data,
    mem: Data,
    spk: Data,
    title: str | None = None,
    *,
    threshold: float | None = None,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw input spikes, synaptic current, membrane potential and output spikes: Tutorial 4.

    Parameters
    ----------
    spk_in, syn, mem, spk : Recording, or array_like of shape (T,) or (T, 1)
        Input spikes, synaptic current, membrane potential, output spikes.
    title : str, optional
        The title of the figure.
    threshold : float, optional
        A dashed line in the panel of the membrane.
    fig : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot's.

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
    >>> rec = snnc.Synaptic(alpha=0.9, beta=0.8).run(spk_in)
    >>> fig, axes = snnc.spikeplot.plot_spk_cur_mem_spk(
    ...     spk_in, rec, rec, rec, "Synaptic", threshold=1.0
    ... )
    >>> len(axes)
    4
    """
    spk_in, syn, mem, spk = _of_one_neuron(
        spk_in=(spk_in, "spk"), syn=(syn, "syn"), mem=(mem, "mem"), spk=(spk, "spk")
    )
    level = _place("threshold", threshold)
    fig, axes = _stack(fig, [0.4, 1, 1, 0.4], 7, title)
    _spikes(axes[0], spk_in, "Input Spikes")
    _trace(axes[1], syn, "Synaptic Current ($I_{syn}$)", ORANGE)
    _trace(axes[2], mem, MEMBRANE, BLUE)
    _threshold(axes[2], level)
    _spikes(axes[3], spk, "Output Spikes")
    return fig, axes
