"""Statistics of spike trains, by hand, for every model and every form of spikes."""

import numpy as np
import pytest
from support import ALL, assert_same, make

import snnc
from snnc import spikestats

MODELS = pytest.mark.parametrize("model", sorted(ALL))
FORMS = [
    {"record": "spk"},
    {"record": "spk", "spk_dtype": np.uint8},
    {"record": "spk", "spk_dtype": "packed"},
    {"record": "events"},
]


def by_hand(spk):
    """Spike steps of each neuron."""
    return [np.flatnonzero(column) for column in spk.reshape(len(spk), -1).T]


@MODELS
def test_every_form_of_spikes(model):
    neuron = make(model)
    x = np.random.default_rng(2).uniform(0, 1.5, (400, 3, 5)).astype(np.float32)
    steps = by_hand(neuron.run(x).spk)
    assert max(map(len, steps)) >= 10
    for form in FORMS:
        rec = neuron.run(x, **form)
        assert len(spikestats.isi(rec)) == 15
        for intervals, k in zip(spikestats.isi(rec), steps, strict=True):
            np.testing.assert_array_equal(intervals, np.diff(k) * rec.dt)
        cv = spikestats.cv(rec)
        assert cv.shape == (3, 5)
        for value, k in zip(cv.ravel(), steps, strict=True):
            d = np.diff(k)
            expected = d.std() / d.mean() if d.size > 1 else np.nan
            np.testing.assert_allclose(value, expected, rtol=1e-12)
        rate = spikestats.firing_rate(rec, dt=0.5)
        assert_same(rate, np.array([len(k) / 200 for k in steps]).reshape(3, 5))
    counted = neuron.run(x, record="count")
    assert_same(spikestats.firing_rate(counted, dt=0.5), rate)


def test_units_of_time():
    lif = snnc.LIF(20.0, dt=0.1, v_threshold=15.0, t_ref=1.0)
    rec = lif.run(20.0, num_steps=3000)
    steps = np.flatnonzero(rec.spk)
    np.testing.assert_array_equal(spikestats.isi(rec), np.diff(steps * 0.1))
    np.testing.assert_array_equal(spikestats.isi(rec, dt=1), np.diff(steps))
    assert spikestats.firing_rate(rec) == len(steps) / (3000 * 0.1)
    assert spikestats.cv(rec) == 0


def test_silent_and_empty():
    lif = snnc.Leaky(0.9)
    rec = lif.run(np.zeros((10, 2), np.float32))
    assert [intervals.size for intervals in spikestats.isi(rec)] == [0, 0]
    assert np.isnan(spikestats.cv(rec)).all()
    assert spikestats.firing_rate(rec).tolist() == [0, 0]
    assert np.isnan(spikestats.firing_rate(lif.run(np.zeros((0, 2))))).all()
    assert spikestats.cv(lif.run(np.zeros((4, 0)))).shape == (0,)
    assert np.isnan(spikestats.cv(lif.run(np.zeros(4))))


def test_what_was_not_recorded_is_said():
    rec = snnc.Leaky(0.9).run(np.zeros((10, 2)), record="mem")
    for function in (spikestats.isi, spikestats.cv, spikestats.firing_rate):
        with pytest.raises(AttributeError, match="spk.*was not recorded"):
            function(rec)


@MODELS
def test_fi_curve(model):
    neuron = make(model)
    currents = np.linspace(0, 3, 8)
    rates = spikestats.fi_curve(neuron, currents, num_steps=500, discard=100)
    for current, rate in zip(currents, rates, strict=True):
        spk = neuron.run(current, num_steps=600).spk
        assert rate == spk[100:].sum() / (500 * neuron._dt(neuron._configuration))
    with pytest.raises(ValueError, match="num_steps=-1"):
        spikestats.fi_curve(neuron, currents, num_steps=-1)
    with pytest.raises(ValueError, match="init_hidden"):
        spikestats.fi_curve(make(model, init_hidden=True), currents, num_steps=5)
