"""Plots: what is drawn, where, and that wrong data is refused."""

import base64
import sys

import numpy as np
import pytest

import snnc

plt = pytest.importorskip("matplotlib.pyplot")
splt = snnc.spikeplot


@pytest.fixture(autouse=True)
def _agg():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("data", [np.eye(4), np.eye(4, dtype=bool), np.eye(4).tolist()])
def test_raster(data):
    fig, ax = plt.subplots()
    artist = splt.raster(data, ax, s=400, c="black", marker="|")
    assert artist.axes is ax
    np.testing.assert_array_equal(artist.get_offsets(), [[i, i] for i in range(4)])
    assert splt.raster(data).axes is plt.gca()


def test_raster_of_one_neuron():
    offsets = splt.raster([0, 1, 0, 1]).get_offsets()
    np.testing.assert_array_equal(offsets, [[1, 0], [3, 0]])
    np.testing.assert_array_equal(splt.raster(np.zeros((4, 0))).get_offsets(), np.empty((0, 2)))


@pytest.mark.parametrize("shape", [(), (2, 2, 2)])
def test_wrong_dimensions(shape):
    for call in (splt.raster, splt.traces):
        with pytest.raises(ValueError, match=r"data has shape .*expected \(T,\) or \(T, N\)"):
            call(np.zeros(shape))


def test_traces():
    data, spk = np.arange(12.0).reshape(4, 3), np.zeros((4, 3))
    spk[2, 1] = 1
    fig, axes = splt.traces(data, spk, (2, 2), 7, ["a", "b", "c"])
    assert axes.shape == (2, 2)
    np.testing.assert_array_equal(axes[0, 1].lines[0].get_ydata(), [1, 4, 14, 10])
    assert axes[1, 0].get_title() == "c"
    assert not axes[1, 1].lines
    assert axes[0, 0].get_ylim() == axes[1, 0].get_ylim()
    with pytest.raises(ValueError, match="spk has shape"):
        splt.traces(data, spk[:2])
    with pytest.raises(ValueError, match="titles has 1"):
        splt.traces(data, titles=["a"])


def texts(axes):
    return [ax.get_ylabel() for ax in axes], axes[0].get_title(), axes[-1].get_xlabel()


def test_plot_spk_cur_mem_spk():
    spk_in = np.tile(np.r_[0.2, np.zeros(9)], 20).astype(np.float32)
    spk, syn, mem = snnc.Synaptic(0.9, 0.8).run(spk_in)
    fig, axes = splt.plot_spk_cur_mem_spk(spk_in, syn, mem, spk, "a title")
    labels, title, xlabel = texts(axes)
    assert labels == ["Input Spikes", "Synaptic Current ($I_{syn}$)",
                      "Membrane Potential ($U_{mem}$)", "Output Spikes"]  # fmt: skip
    assert (title, xlabel) == ("a title", "Time step")
    assert tuple(fig.get_size_inches()) == (8, 7)
    for ax, shown in ((axes[1], syn), (axes[2], mem)):  # limits follow the data
        low, high = ax.get_ylim()
        assert low < shown.min() <= shown.max() < high < 1.1 * shown.max()
    np.testing.assert_array_equal(axes[1].lines[0].get_ydata(), syn)
    np.testing.assert_array_equal(axes[2].lines[0].get_ydata(), mem)
    assert len(axes[2].lines) == 1  # no threshold was given
    np.testing.assert_array_equal(
        axes[3].collections[0].get_offsets()[:, 0],
        [23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191],
    )


def test_plot_spk_mem_spk():
    spk_in = np.tile(np.r_[0.85, np.zeros(9)], 10).astype(np.float32)[:, None]
    spk, _, _, mem = snnc.Alpha(0.8, 0.7, threshold=0.5).run(spk_in)
    fig, axes = splt.plot_spk_mem_spk(spk_in, mem, spk, "b", threshold=0.7)
    labels, title, xlabel = texts(axes)
    assert labels == ["Input Spikes", "Membrane Potential ($U_{mem}$)", "Output Spikes"]
    assert (title, xlabel) == ("b", "Time step")
    assert tuple(fig.get_size_inches()) == (8, 6)
    assert axes[1].get_ylim()[1] > 0.7
    assert list(axes[1].lines[1].get_ydata()) == [0.7, 0.7]
    assert axes[1].lines[1].get_linestyle() == "--"


def test_composite_figures_refuse_what_is_not_of_one_neuron():
    x, two = np.zeros(5), np.zeros((5, 2))
    for arguments, message in (
        ((x, two, x), "mem is of 2 neurons"),
        ((x, x[:4], x), "mem has 4 steps; expected 5, as spk_in"),
        ((x, x, np.zeros((5, 1, 1))), "spk has shape"),
        ((np.zeros(()), x, x), "spk_in has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            splt.plot_spk_mem_spk(*arguments, "title")
        with pytest.raises(ValueError, match=message):
            splt.plot_spk_cur_mem_spk(arguments[0], x, *arguments[1:], "title")
    with pytest.raises(TypeError, match="mem has dtype complex128"):
        splt.plot_spk_mem_spk(x, x * 1j, x, "title")


def test_raster_of_a_recording():
    lif = snnc.Leaky(0.9)
    x = np.full((9, 2, 2), 0.6, np.float32)
    expected = np.transpose(lif.run(x).events())
    for options in ({}, {"record": "events"}, {"record": "spk", "spk_dtype": "packed"}):
        rec = lif.run(x, **options)
        np.testing.assert_array_equal(splt.raster(rec).get_offsets(), expected)
    with pytest.raises(AttributeError, match="'spk' was not recorded"):
        splt.raster(lif.run(x, record="mem"))
    with pytest.raises(ValueError, match="data is a Recording without 'mem'"):
        splt.traces(rec)


def test_raster_draws_every_one_of_many_spikes():
    spk = np.random.default_rng(0).random((2000, 1000)) < 0.5
    marks = splt.raster(spk)
    assert len(marks.get_offsets()) == spk.sum() > 990_000
    np.testing.assert_array_equal(marks.get_offsets(), np.transpose(np.nonzero(spk)))
    marks.figure.canvas.draw()


def test_raster_takes_any_option_of_scatter():
    assert splt.raster(np.eye(3), color="red").get_facecolor()[0].tolist() == [1, 0, 0, 1]
    assert splt.raster(np.eye(3), marker="o", s=9, label="a").get_sizes().tolist() == [9]


FORMS = [
    {}, {"spk_dtype": np.uint8}, {"spk_dtype": bool}, {"spk_dtype": "packed"}, {"time_axis": 1},
    {"record": ("events", "mem")},
]  # fmt: skip


@pytest.mark.parametrize("options", FORMS)
def test_recordings_in_any_form(options):
    lif = snnc.Leaky(0.9, threshold=0.5)
    x = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    expected = lif.run(x)
    rec = lif.run(x.T if "time_axis" in options else x, **options)
    one = lif.run(x[:, :1].T if "time_axis" in options else x[:, :1], **options)
    fig, axes = splt.traces(rec, rec, (1, 3), 300)
    for i in range(3):
        np.testing.assert_array_equal(
            axes[0, i].lines[0].get_ydata(),
            expected.mem[:, i].astype(float) + 300 * expected.spk[:, i],
        )
    lines = splt.spike_count(rec)
    counts = [float(end[0]) for _, end in lines.get_segments()]
    assert counts == expected.spk.sum(axis=0).tolist()
    fig, axes = splt.plot_cur_mem_spk(x[:, 0], one, one)
    np.testing.assert_array_equal(axes[1].lines[0].get_ydata(), expected.mem[:, 0])
    np.testing.assert_array_equal(
        axes[2].collections[0].get_offsets()[:, 0], np.flatnonzero(expected.spk[:, 0])
    )


def test_recordings_of_chunks_and_other_models():
    x = np.random.default_rng(0).random((20, 1)).astype(np.float32)
    parts = list(snnc.Leaky(0.9, threshold=0.5).run_chunks(np.split(x, 2), spk_dtype="packed"))
    whole = snnc.Leaky(0.9, threshold=0.5).run(x)
    fig, axes = splt.traces(parts[1], parts[1], (1, 1))
    np.testing.assert_array_equal(
        axes[0, 0].lines[0].get_ydata(), (whole.mem.astype(float) + 5 * whole.spk)[10:, 0]
    )
    lif = snnc.LIF(20.0, dt=1.0, v_threshold=15.0)
    rec = lif.run(np.full(50, 20.0), record=("spk", "v", "ref"))
    fig, axes = splt.plot_mem(rec, "LIF")
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), rec.v)
    synaptic = snnc.Synaptic(0.9, 0.8).run(x[:, 0])
    fig, axes = splt.plot_spk_cur_mem_spk(synaptic, synaptic, synaptic, synaptic)
    np.testing.assert_array_equal(axes[1].lines[0].get_ydata(), synaptic.syn)
    some = snnc.Leaky(0.9).run(np.ones((2, 9, 4)), time_axis=1, neurons=[3, 5])
    fig, axes = splt.traces(some, dim=(1, 2))
    np.testing.assert_array_equal(axes[0, 1].lines[0].get_ydata(), some.mem[:, 1])


def test_small_integers_do_not_overflow():
    spk = np.ones((4, 2), np.uint8)
    for data in (np.zeros((4, 2), np.uint8), np.zeros((4, 2), np.float16), np.zeros((4, 2), bool)):
        fig, axes = splt.traces(data, spk, (1, 2), spk_height=1e6)
        assert axes[0, 0].lines[0].get_ydata().tolist() == [1e6] * 4


def test_spike_count():
    spk = np.array([[1, 0, 1], [0, 0, 2], [1, 0, 0]], np.uint8)
    fig, ax = plt.subplots()
    lines = splt.spike_count(spk, fig, ax, ["a", "b", "c"])
    assert lines.axes is ax
    assert [float(end[0]) for _, end in lines.get_segments()] == [2, 0, 2]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "c"]
    assert len(ax.patches) == 2  # shades of every second row
    assert splt.spike_count(spk, num_steps=1).get_segments()[0][1][0] == 1
    assert not splt.spike_count(spk, gridshader=False).axes.patches
    assert splt.spike_count(np.zeros((3, 0))).get_segments() == []
    with pytest.raises(ValueError, match="labels has 1"):
        splt.spike_count(spk, labels=["a"])
    with pytest.raises(ValueError, match="interpolate"):
        splt.spike_count(spk, animate=True, interpolate=0)
    with pytest.raises(ValueError, match="data has shape"):
        splt.spike_count(np.zeros((2, 2, 2)))


def frames(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.n_frames


def test_spike_count_as_an_animation(tmp_path):
    spk = np.array([[1, 0], [0, 0], [1, 1]], np.uint8)
    fig, ax = plt.subplots()
    anim = splt.spike_count(spk, fig, ax, animate=True, interpolate=2, time_step=1e-3)
    lines, dots, time = anim._func(3)  # between the first and the second step's end
    assert dots.get_xdata().tolist() == [1, 0]
    lines, dots, time = anim._func(5)
    assert dots.get_xdata().tolist() == [1.5, 0.5]
    assert time.get_text() == "0.003 s"
    anim.save(tmp_path / "counts.gif", writer="pillow")
    assert frames(tmp_path / "counts.gif") >= 4  # equal ones may be one
    assert "<img" in anim.to_jshtml()


def test_animator(tmp_path):
    images = np.arange(5 * 4 * 3).reshape(5, 4, 3)
    fig, ax = plt.subplots()
    anim = splt.animator(images, fig, ax)
    (shown,) = anim._func(4)
    np.testing.assert_array_equal(shown.get_array(), images[4])
    assert shown.get_clim() == (0, 59)
    assert shown.axes is ax
    anim.save(tmp_path / "images.gif", writer="pillow")
    assert frames(tmp_path / "images.gif") == 5
    assert "<img" in anim.to_jshtml()
    rec = snnc.Leaky(0.9).run(
        np.full((6, 4, 3), 0.5, np.float32), record="spk", spk_dtype="packed"
    )
    anim = splt.animator(rec, num_steps=3)
    (shown,) = anim._func(2)
    np.testing.assert_array_equal(shown.get_array(), snnc.unpack_spikes(rec.spk, (4, 3))[2])
    assert len(list(anim.new_frame_seq())) == 3
    anim.to_jshtml()
    for wrong in (np.zeros((3, 3)), np.zeros((0, 2, 2)), np.zeros((2, 0, 2))):
        with pytest.raises(ValueError, match="data"):
            splt.animator(wrong)
    with pytest.raises(TypeError, match="data"):
        splt.animator(np.zeros((2, 2, 2), complex))


def composites():
    """Each of the tutorials' figures, of one neuron, with all that its tutorial passes."""
    x = np.random.default_rng(0).random(50).astype(np.float32)
    rec = snnc.Synaptic(0.9, 0.8, threshold=2.0).run(x)
    mem, spk, syn = rec.mem, rec.spk, rec.syn
    return {
        "plot_mem": (mem, "title"),
        "plot_step_current_response": (x, mem, 10),
        "plot_current_pulse_response": (x, mem, "title", 10, 20, 0.7),
        "compare_plots": (x, x, x, mem, mem, mem, 10, 20, 15, 30, "title"),
        "plot_cur_mem_spk": (x, mem, spk, 2.0, 20, "title"),
        "plot_spk_mem_spk": (spk, mem, spk, "title"),
        "plot_reset_comparison": (spk, mem, spk, mem, spk),
        "plot_snn_spikes": (spk, spk.copy(), spk, "title"),
        "plot_spk_cur_mem_spk": (spk, syn, mem, spk, "title"),
    }


@pytest.mark.parametrize("name", composites())
def test_composite_figures(name):
    """Titles are honoured, a figure of one's own is filled, and nothing global is changed."""
    function, arguments = getattr(splt, name), composites()[name]
    before, numbers = dict(plt.rcParams), plt.get_fignums()
    own = plt.Figure()
    fig, axes = function(*arguments, fig=own)
    assert fig is own
    assert plt.get_fignums() == numbers
    assert set(own.axes) == set(axes.flat)
    own.canvas.draw()
    if any(isinstance(given, str) for given in arguments):
        assert axes.flat[0].get_title() == "title"
    elif name != "plot_reset_comparison":
        fig, axes = function(*arguments, title="mine")
        assert axes.flat[0].get_title() == "mine"
    fig, axes = function(*arguments)
    assert plt.get_fignums() == [fig.number] or fig.number in plt.get_fignums()
    assert dict(plt.rcParams) == before
    shown = {line.get_color() for ax in axes.flat for line in ax.lines}
    assert shown <= {splt.BLUE, splt.ORANGE, splt.GREEN, "black"}
    for data in arguments:
        if np.ndim(data):
            wrong = [d[:-1] if d is data else d for d in arguments]
            if name != "plot_mem":
                with pytest.raises(ValueError, match="steps; expected"):
                    function(*wrong)
            break


def test_lines_of_composite_figures():
    given = composites()
    fig, axes = splt.plot_cur_mem_spk(*given["plot_cur_mem_spk"], ylim_max1=3, ylim_max2=4)
    assert axes[0].get_ylim()[1] == 3
    assert axes[1].get_ylim()[1] == 4
    threshold, line = axes[1].lines[1:]
    assert set(threshold.get_ydata()) == {2.0}
    assert set(line.get_xdata()) == {20}
    assert threshold.get_color() == "black"
    assert threshold.get_linestyle() == "--"
    assert all(set(ax.lines[-1].get_xdata()) == {20} for ax in axes)
    fig, axes = splt.plot_current_pulse_response(*given["plot_current_pulse_response"])
    assert axes[0].get_ylim()[1] == 0.7
    assert [line.get_xdata()[0] for line in axes[1].lines[1:]] == [10, 20]
    fig, axes = splt.compare_plots(*given["compare_plots"])
    assert [line.get_xdata()[0] for line in axes[0].lines[3:]] == [10, 20, 15, 30]
    fig, axes = splt.plot_cur_mem_spk(*given["plot_cur_mem_spk"][:3], False, False, False)
    assert len(axes[1].lines) == 1
    fig, axes = splt.plot_reset_comparison(*given["plot_reset_comparison"], threshold=2.0)
    assert [set(ax.lines[1].get_ydata()) for ax in axes[1]] == [{2.0}, {2.0}]
    spk_in = np.zeros((9, 1, 40))
    fig, axes = splt.plot_snn_spikes(spk_in, spk_in, spk_in[..., :10])
    assert axes[2].get_ylim() == (-0.5, 9.5)
    for wrong in (np.ones(3), np.nan, "a"):
        before = len(plt.get_fignums())
        with pytest.raises((TypeError, ValueError), match="threshold"):
            splt.plot_spk_mem_spk(*given["plot_spk_mem_spk"], threshold=wrong)
        assert len(plt.get_fignums()) == before


def drawing():
    """A figure with a line, and what its sliders change."""
    fig = plt.Figure(figsize=(2, 2))
    ax = fig.subplots()
    (line,) = ax.plot([0.0, 0.0])
    ax.set_ylim(0, 9)
    values = []

    def update(beta, steps):
        values.append((beta, steps))
        line.set_ydata([beta, steps])

    return fig, update, values


def test_sliders():
    pytest.importorskip("ipywidgets")
    fig, update, values = drawing()
    shown = splt.sliders(fig, update, beta=(0.0, 1.0, 0.1, 0.5), steps=(1, 9, 1, 3))
    image, beta, steps = shown.children
    assert values == [(0.5, 3)]
    before = bytes(image.value)
    assert before.startswith(b"\x89PNG")
    beta.value = 0.75
    steps.value = 7
    assert values == [(0.5, 3), (0.75, 3), (0.75, 7)]
    assert type(steps.value) is int
    assert bytes(image.value) != before
    bundle = shown._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]) == bytes(image.value)
    assert repr(shown) == "sliders: beta, steps"
    for wrong in ((0, 1, 1), (0, 1, 0, 0), (0, 1, 1, 2), (2, 1, 1, 1)):
        with pytest.raises(ValueError, match="beta="):
            splt.sliders(fig, update, beta=wrong, steps=(1, 9, 1, 3))


def test_sliders_without_widgets_are_a_figure(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    fig, update, values = drawing()
    assert splt.sliders(fig, update, beta=(0.0, 1.0, 0.1, 0.5), steps=(1, 9, 1, 3)) is fig
    assert values == [(0.5, 3)]


def test_what_is_not_there_is_not_guessed():
    """A recording is no current, and Leaky has no synaptic one."""
    rec = snnc.Leaky(0.9).run(np.full(50, 0.3))
    zeros = np.zeros(50)
    for call, match in (
        (lambda: splt.plot_spk_cur_mem_spk(zeros, rec, rec, rec), "syn is a Recording, which has"),
        (lambda: splt.plot_cur_mem_spk(rec, rec, rec), "cur is a Recording, which has no cur"),
        (lambda: splt.raster([0, np.nan]), "data contains NaN"),
        (lambda: splt.spike_count([[np.nan], [0]]), "data contains NaN"),
        (lambda: splt.traces(np.zeros((5, 4)), np.ones((5, 10))), "spk has shape"),
        (lambda: splt.traces(np.zeros((5, 4)), dim=9), "dim=9"),
        (lambda: splt.traces(np.zeros((5, 4)), dim=(1, 2, 3)), "dim="),
        (lambda: splt.traces(np.zeros((5, 4)), titles=3), "titles=3"),
        (lambda: splt.spike_count(np.zeros((5, 4)), labels=3), "labels=3"),
        (lambda: splt.spike_count(np.zeros((5, 4)), interval=0, animate=True), "interval=0"),
        (lambda: splt.animator(np.zeros((5, 4, 4)), interval=-5), "interval=-5"),
        (lambda: splt.animator(np.zeros((5, 4, 4)), cmap="nope"), "nope"),
    ):
        before = plt.get_fignums()
        with pytest.raises((TypeError, ValueError), match=match):
            call()
        assert plt.get_fignums() == before
    some = snnc.Leaky(0.9).run(np.zeros((50, 6)), neurons=[4, 5])
    with pytest.raises(ValueError, match="spk has shape"):
        splt.traces(some, some, dim=(1, 2))
    batch = snnc.Leaky(0.9).run(np.zeros((20, 2, 3)))
    with pytest.raises(ValueError, match="spk1_rec is of 2 samples"):
        splt.plot_snn_spikes(np.zeros((20, 3)), batch, np.zeros((20, 3)))


def test_slider_ranges():
    pytest.importorskip("ipywidgets")
    fig, update, values = drawing()
    whole = tuple(np.array([1, 9, 1, 3]))
    shown = splt.sliders(fig, update, beta=(0.0, 1.0, 0.1, 0.5), steps=whole)
    assert type(shown.children[2].value) is int
    for wrong in (0.5, ("0", 1, 1, 0), (0, np.inf, 0.1, 0.5), (0, 1, 1, 2), None):
        with pytest.raises(ValueError, match="beta="):
            splt.sliders(fig, update, beta=wrong, steps=(1, 9, 1, 3))
