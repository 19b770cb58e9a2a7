"""Plots: what is drawn, where, and that wrong data is refused."""

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
    with pytest.raises(TypeError, match=r"data is a Recording; .* such as data\.mem"):
        splt.traces(rec)
