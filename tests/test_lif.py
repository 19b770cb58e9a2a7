"""LIF against loops as people write them in NumPy, closed forms and theory, and its own rules."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from support import assert_same

import snnc

SETS = [  # tau_m, dt, v_rest, v_reset, v_threshold, R, skipped steps: ms, mV, and others
    (20.0, 0.1, -70.0, -75.0, -50.0, 1.0, 20),
    (10.0, 0.25, -65.0, -65.0, -55.0, 1.3, 0),
    (0.02, 1e-3, -0.065, -0.07, -0.05, 0.9, 3),
    (5.0, 1.0, 0.0, -0.5, 1.0, 1.0, 1),
]
PARAMETERS = pytest.mark.parametrize("p", SETS, ids=["mV, ms", "no t_ref", "V, s", "no units"])
NEURONS = pytest.mark.parametrize("n", [1, 1000])
SEEDS = pytest.mark.parametrize("seed", [0, 1, 2])


def lif(p, **options):
    tau, dt, rest, reset, threshold, R, skipped = p
    arguments = {"v_rest": rest, "v_reset": reset, "R": R, "t_ref": skipped * dt, **options}
    return snnc.LIF(tau, dt=dt, v_threshold=threshold, **arguments)


def drive(p, seed, *shape):
    """Noisy input around what just fires."""
    rest, threshold, R = p[2], p[4], p[5]
    rng = np.random.default_rng(seed)
    return (threshold - rest) / R * rng.normal(2.0, 1.0, shape)


# ---- the loops of notebooks/from_numpy_to_snnc.ipynb ----


@PARAMETERS
@SEEDS
def test_a_one_neuron_check_then_integrate(p, seed):
    tau, dt, rest, reset, threshold, R, skipped = p
    for current in (threshold - rest) / R * np.random.default_rng(seed).uniform(0.9, 3, 5):
        v, wait, spikes, trace = rest, 0, [], []
        for t in range(2000):
            if v >= threshold:
                spikes.append(t)
                v = reset
                wait = skipped
            if wait > 0:
                wait -= 1
            else:
                v += (-(v - rest) + R * current) * (dt / tau)
            trace.append(v)
        rec = lif(p, spike_test="before").run(float(current), num_steps=2000)
        np.testing.assert_array_equal(np.flatnonzero(rec.spk), spikes)
        np.testing.assert_array_equal(rec.v, trace)


@PARAMETERS
@NEURONS
@SEEDS
def test_b_neurons_first_masks_and_the_last_spike(p, n, seed):
    tau, dt, rest, reset, threshold, R, skipped = p
    current = drive(p, seed, n, 300)
    v, last = np.full(n, rest), np.full(n, -np.inf)
    spikes = np.zeros((n, 300), bool)
    for t in range(300):
        free = t - last > skipped
        v[free] += ((rest - v[free]) + R * current[free, t]) * (dt / tau)
        fired = v >= threshold
        v[fired] = reset
        last[fired] = t
        spikes[:, t] = fired
    rec = lif(p).run(current, time_axis=1, record="spk", spk_dtype=bool)
    np.testing.assert_array_equal(rec.spk, spikes)
    np.testing.assert_array_equal(rec.state.v, v)
    assert spikes.any()


@PARAMETERS
@NEURONS
@SEEDS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_c_current_in_spikes_and_voltage_out(p, n, seed, dtype):
    tau, dt, rest, reset, threshold, R, _ = p
    current = drive(p, seed, 300, n).astype(dtype)
    v = np.full(n, rest, dtype)
    spikes, trace = np.zeros((300, n), np.int8), np.zeros((300, n), dtype)
    for t in range(300):
        v = v + ((rest - v) + R * current[t]) * (dt / tau)
        spikes[t] = v > threshold
        v = np.where(spikes[t] == 1, reset, v).astype(dtype)
        trace[t] = v
    neuron = lif(p, t_ref=0.0, fire_at_threshold=False)
    spk, v = neuron.run(current, spk_dtype=np.uint8)
    assert_same(spk.view(np.int8), spikes)
    assert_same(v, trace)


@SEEDS
def test_d_batch_first_network_style(seed):
    x = np.random.default_rng(seed).normal(0.3, 0.5, (4, 100, 1000)).astype(np.float32)
    mem, spk = np.zeros((2, 4, 1000), np.float32)
    spikes = np.zeros_like(x)
    for t in range(100):
        mem = np.float32(0.9) * mem + x[:, t] - spk * np.float32(0.8)
        spk = (mem > np.float32(0.8)).astype(np.float32)
        spikes[:, t] = spk
    assert_same(snnc.Leaky(0.9, threshold=0.8).run(x, time_axis=1).spk, spikes)


@PARAMETERS
@NEURONS
@SEEDS
def test_e_closed_loop(p, n, seed):
    tau, dt, rest, reset, threshold, R, skipped = p
    external = drive(p, seed, 100, n)
    weights = np.random.default_rng(seed).normal(0, 1 / n, (n, n)) * (threshold - rest)
    v, wait, spk = np.full(n, rest), np.zeros(n, int), np.zeros(n)
    spikes = []
    for t in range(100):
        current = weights @ spk + external[t]
        v = np.where(wait > 0, v, v + ((rest - v) + R * current) * (dt / tau))
        wait = np.maximum(wait - 1, 0)
        spk = (v >= threshold).astype(float)
        v[spk == 1] = reset
        wait[spk == 1] = skipped
        spikes.append(spk)
    neuron = lif(p)
    v, ref, spk, current = np.full(n, rest), np.zeros(n), np.zeros(n), np.empty(n)
    for t in range(100):
        np.matmul(weights, spk, out=current)
        current += external[t]
        neuron(current, v, ref, out=(spk, v, ref))
        np.testing.assert_array_equal(spk, spikes[t])


@NEURONS
@SEEDS
@pytest.mark.parametrize(
    ("t_ref", "dt", "skipped"), [(2.0, 0.1, 19), (0.8, 0.1, 8), (5.0, 0.5, 9)]
)
def test_f_a_countdown_in_floats(n, seed, t_ref, dt, skipped):
    p = (20.0, dt, -70.0, -75.0, -50.0, 1.0, skipped)
    current = drive(p, seed, 600, n)
    v, left = np.full(n, -70.0), np.zeros(n)
    spikes = np.zeros((600, n), bool)
    for t in range(600):
        left -= dt
        free = left <= 0
        v = np.where(free, v + ((-70.0 - v) + current[t]) * (dt / 20.0), v)
        spikes[t] = v >= -50.0
        v[spikes[t]] = -75.0
        left[spikes[t]] = t_ref
    count, rest = 0, t_ref  # the recipe: how many steps this countdown skips
    while (rest := rest - dt) > 0:
        count += 1
    assert count == skipped
    np.testing.assert_array_equal(lif(p).run(current, spk_dtype=bool).spk, spikes)


@pytest.mark.parametrize("test", ["after", "before"])
@pytest.mark.parametrize("fire_at_threshold", [True, False])
def test_equal_to_the_threshold(test, fire_at_threshold):
    for threshold in (1.0, 0.0, -3.0, 1e-310):
        for dtype in (np.float32, np.float64):
            neuron = snnc.LIF(
                2.0, dt=1.0, v_threshold=threshold, v_rest=threshold - 1, spike_test=test,
                fire_at_threshold=fire_at_threshold,
            )  # fmt: skip
            v = np.full(3, threshold, dtype)
            held = np.ones(3, dtype)  # an input that keeps v where it is
            assert neuron(held, v, np.zeros(3, dtype))[0].tolist() == [fire_at_threshold] * 3


# ---- theory ----


def test_the_exact_method_is_the_closed_form():
    """From every step to the next, and over the whole way to the next spike."""
    tau, dt, rest, threshold = 20.0, 0.3, -70.0, -50.0
    neuron = snnc.LIF(tau, dt=dt, v_threshold=threshold, v_rest=rest, method="exact")
    current = np.linspace(21, 60, 100)
    spk, v = neuron.run(current, num_steps=2000)
    last = np.vstack([np.full(100, rest), v[:-1]]).astype(np.longdouble)
    limit = rest + current
    expected = limit + (last - limit) * np.exp(-np.longdouble(dt) / tau)
    free = spk == 0
    ulp = np.spacing(np.maximum(np.abs(limit), np.abs(rest)))
    assert np.max((np.abs(v - expected) / ulp)[free]) <= 2
    for k in range(100):
        first = np.flatnonzero(spk[:, k])[0]
        steps = np.arange(1, first + 1)
        closed = limit[k] + (rest - limit[k]) * np.exp(-steps * np.longdouble(dt) / tau)
        assert np.max(np.abs(v[:first, k] - closed)) <= 2 * np.sqrt(tau / dt) * ulp[k]


@pytest.mark.parametrize("t_ref", [0.0, 3.0])
def test_firing_rate_is_the_theoretical_one(t_ref):
    tau, dt, threshold = 20.0, 0.05, 15.0
    neuron = snnc.LIF(tau, dt=dt, v_threshold=threshold, t_ref=t_ref, method="exact")
    currents = np.linspace(10, 60, 26)
    rates = snnc.spikestats.fi_curve(neuron, currents, num_steps=40_000)
    with np.errstate(divide="ignore", invalid="ignore"):
        period = t_ref + tau * np.log(currents / (currents - threshold))
    expected = np.where(currents > threshold, 1 / period, 0)
    assert np.all(rates[currents <= threshold] == 0)
    above = currents > threshold
    # A period is a whole number of steps, at most one longer; a window cuts at most one spike.
    low = 1 / (1 / expected[above] + dt) - 1 / (40_000 * dt)
    assert np.all(rates[above] <= expected[above] + 1 / (40_000 * dt))
    assert np.all(rates[above] >= low)


# ---- parameters and options ----


def test_parameters_per_neuron_are_neurons_of_their_own():
    p = SETS[0]
    current = drive(p, 3, 500, 6)
    each = np.linspace(0.5, 1.5, 6)
    many = lif((20 * each, *p[1:]), R=each, t_ref=np.arange(6) * 0.1).run(current)
    for k in range(6):
        one = lif((20 * each[k], *p[1:]), R=each[k], t_ref=k * 0.1).run(current[:, k])
        assert_same(many.spk[:, k], one.spk)
        assert_same(many.v[:, k], one.v)


def test_v_reset_follows_v_rest_until_it_is_set():
    neuron = snnc.LIF(10.0, dt=1.0, v_threshold=5.0, v_rest=-1.0)
    assert neuron.v_reset == -1
    neuron.v_rest = -2.0
    assert neuron.v_reset == -2
    assert neuron.run(100.0, num_steps=1).v[0] == -2
    neuron.v_reset = -3.0
    neuron.v_rest = 0.0
    assert neuron.v_reset == -3
    assert neuron.run(100.0, num_steps=1).v[0] == -3
    assert "v_reset=-3.0" in repr(neuron)
    neuron.v_reset = None
    assert neuron.v_reset == 0
    assert "v_reset" not in repr(neuron)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tau_m": 0.0}, "tau_m=0.0; expected > 0"),
        ({"tau_m": [1.0, -1.0]}, "tau_m=.*expected > 0"),
        ({"tau_m": np.nan}, "tau_m=nan; expected > 0"),
        ({"dt": -0.1}, "dt=-0.1; expected > 0"),
        ({"t_ref": -1.0}, "t_ref=-1.0; expected >= 0"),
        ({"sigma": -1.0}, "sigma=-1.0; expected >= 0"),
        ({"dt": 11.0}, "dt=11.0 exceeds tau_m=10.0.*exact"),
        ({"v_reset": 15.0}, "v_reset=15.0 must be below v_threshold=15.0"),
        ({"v_rest": 20.0}, "v_reset=20.0 must be below"),
        ({"v_reset": 15 - 1e-9}, "float32"),
        ({"sigma": 1.0, "R": 0.0}, "^R=0.0; expected no zeros where sigma"),
        ({"t_ref": 2e6}, "t_ref=2000000.0 is more than"),
        ({"t_ref": np.inf}, "t_ref=inf"),
        ({"method": "rk4"}, "method='rk4'; expected one of euler, exact"),
        ({"spike_test": True}, "spike_test=True; expected one of after, before"),
        ({"v_rest": np.zeros(3), "R": np.ones(4)}, "broadcast"),
    ],
)
def test_wrong_arguments_are_refused_and_change_nothing(arguments, words):
    usual = {"tau_m": 10.0, "dt": 0.1, "v_threshold": 15.0}
    with pytest.raises(ValueError, match=words):
        snnc.LIF(**{**usual, **arguments})
    if len(arguments) == 1:
        neuron = snnc.LIF(**usual)
        before = copy.deepcopy(neuron)
        name, value = next(iter(arguments.items()))
        with pytest.raises(ValueError, match=words):
            setattr(neuron, name, value)
        assert neuron == before


def test_dt_beyond_tau_is_fine_for_the_exact_method():
    assert snnc.LIF(10.0, dt=30.0, v_threshold=1.0, method="exact").run(2.0, num_steps=1).spk[0]


def test_flags_and_required_arguments():
    with pytest.raises(TypeError, match="fire_at_threshold=1"):
        snnc.LIF(10.0, dt=0.1, v_threshold=1.0, fire_at_threshold=1)
    with pytest.raises(TypeError, match="dt"):
        snnc.LIF(10.0, v_threshold=1.0)
    names = [*inspect.signature(snnc.LIF).parameters]
    assert names == [
        "tau_m", "dt", "v_threshold", "R", "v_rest", "v_reset", "t_ref", "method", "spike_test",
        "fire_at_threshold", "sigma", "init_hidden", "output",
    ]  # fmt: skip
    for missing in ("inhibition", "reset_mechanism", "threshold", "reset_delay"):
        assert not hasattr(lif(SETS[0]), missing)


def test_copies_and_equality():
    neuron = lif(SETS[0], sigma=0.5, spike_test="before")
    for other in (copy.copy(neuron), copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert other == neuron
        assert repr(other) == repr(neuron)
        assert_same(
            other.run(30.0, num_steps=99, rng=1).v, neuron.run(30.0, num_steps=99, rng=1).v
        )
    assert eval(repr(neuron), {"LIF": snnc.LIF}) == neuron
    assert lif(SETS[0]) != neuron
    one, other = (snnc.LIF(9.0, dt=1.0, v_threshold=5.0, v_reset=v) for v in (None, -1.0))
    assert one != other
    assert other != one


# ---- states ----


def test_rest():
    neuron = lif(SETS[0])
    assert neuron.reset_mem() == (-70.0, 0.0)
    assert all(type(state) is float for state in neuron.reset_mem())
    v, ref = lif(SETS[0], v_rest=np.float32([-70, -71])).reset_mem()
    assert_same(v, np.float32([-70, -71]))
    assert ref == 0
    x = np.zeros(3, np.float32)
    assert_same(neuron(x, *neuron.reset_mem())[1], np.float32([-70] * 3))
    for rec in (neuron.run(x[None]), neuron.run(x[None], None, 0.0), neuron.run(x[None], ref=0)):
        assert_same(rec.v, np.float32([[-70] * 3]))


def test_run_records_spikes_and_v():
    rec = lif(SETS[0]).run(np.zeros((4, 2)))
    assert [*rec._arrays] == ["spk", "v"]
    assert rec.dt == 0.1
    assert rec.state._fields == ("v", "ref")
    both = lif(SETS[0]).run(np.zeros((4, 2)), record=("v", "ref", "count"))
    assert both.ref.shape == (4, 2)


@pytest.mark.parametrize("output", [False, True])
def test_held_states(output):
    x = drive(SETS[0], 1, 50, 7)
    passed, held = lif(SETS[0]), lif(SETS[0], init_hidden=True, output=output)
    v, ref = passed.reset_mem()
    for x_t in x:
        spk, v, ref = passed(x_t, v, ref)
        result = held(x_t)
        assert_same(result[0] if output else result, spk)
        assert_same(held.v, v)
        assert_same(held.ref, ref)
    rec = held.run(x)
    assert_same(rec.v, passed.run(x, v, ref).v)
    held.reset_mem()
    assert held.v == -70
    with pytest.raises(TypeError, match="init_hidden"):
        held(x[0], v)


def test_held_states_at_rest_fit_any_shape():
    for dtype in (np.float32, np.float64):
        x = np.full((4, 5, 2), 3, dtype)
        rest = np.array([-70.0, -71.0])
        held = lif(SETS[0], v_rest=rest, v_reset=-75.0, init_hidden=True)
        passed = lif(SETS[0], v_rest=rest, v_reset=-75.0)
        expected = passed.run(x)
        assert expected.v.dtype == dtype  # parameters never widen
        for _ in range(2):
            assert_same(held.run(x).v, expected.v)
            held.reset_mem()
            for t in range(4):
                held(x[t])
                assert_same(held.v, expected.v[t])
            with pytest.raises(ValueError, match="reset_mem"):
                held(x[0, :1])
            held.reset_mem()
            with pytest.raises(ValueError, match="does not broadcast"):
                held(np.zeros(3, dtype))
            assert held.v.tolist() == [-70, -71]


# ---- noise ----


@SEEDS
@NEURONS
def test_noise_is_the_loops(n, seed):
    """The same random numbers, added to v: the same v but for rounding."""
    tau, dt, rest, reset, threshold, R, skipped = p = SETS[0]
    current = drive(p, seed, 200, n)
    sigma = np.linspace(0, 2, n)
    neuron = lif(p, sigma=sigma)
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-5)):
        rng = np.random.default_rng(seed)
        v, wait = np.full(n, rest), np.zeros(n)
        rec = neuron.run(current.astype(dtype), rng=seed)
        for t in range(200):
            xi = rng.standard_normal(n, dtype)
            new = v + ((rest - v) + R * current[t]) * (dt / tau) + sigma * np.sqrt(dt) * xi
            v = np.where(wait > 0, reset, new)
            wait = np.maximum(wait - 1, 0)
            fired = v >= threshold
            v[fired] = reset
            wait[fired] = skipped
            np.testing.assert_allclose(rec.v[t], v, rtol=rtol)


def test_noise_keeps_the_rules_of_the_input():
    noisy = lif(SETS[0], sigma=[0.0, 1.0, 2.0], R=[0.0, 1.0, 1.0])
    x = np.ones((4, 3), int)
    quiet = noisy.run(x, rng=0)
    assert quiet.v.dtype == np.float64  # as in the loops that it replaces
    assert (quiet.v[:, 0] == -70).all()  # a neuron without noise, and without resistance
    for dtype in ("float64", float, np.dtype(float)):
        assert_same(noisy.run(x, rng=0, dtype=dtype).v, quiet.v)
    narrow = noisy.run(x, rng=0, dtype=np.float32).v
    assert narrow.dtype == np.float32
    assert_same(noisy.run(x.astype(np.float32), rng=0).v, narrow)
    spk = np.empty(3, np.float32)
    v, ref = np.full(3, -70, np.float32), np.zeros(3, np.float32)
    rng = np.random.default_rng(0)
    assert noisy(x[0].astype(np.half), v, ref, out=(spk, None, None), rng=rng)[0] is spk
    with pytest.raises(TypeError, match="masked"):
        noisy.run(np.ma.zeros((4, 3)), rng=0)
    with pytest.raises(TypeError, match="masked"):
        noisy(np.ma.zeros(3), v, ref, rng=rng)
    with pytest.raises(ValueError, match="v of shape"):
        noisy.run(x, np.zeros(4), rng=0)
    with pytest.raises(ValueError, match="dtype="):
        noisy.run(x, rng=0, dtype=np.float16)
    for bad in ("a", 1.5, -1, object()):
        with pytest.raises(TypeError, match="rng="):
            noisy.run(x, rng=bad)
        with pytest.raises(TypeError, match="rng="):
            lif(SETS[0]).run(x, rng=bad)
    held = lif(SETS[0], sigma=1.0, init_hidden=True)
    held(np.zeros(3), rng=rng)
    with pytest.raises(ValueError, match="reset_mem"):
        held(np.zeros(1), rng=rng)
    assert snnc.spikestats.fi_curve(lif(SETS[0], sigma=1.0), [20.0, 40.0], 2000, rng=1)[1] > 0


def test_noise_does_not_depend_on_how_it_is_run():
    neuron = lif(SETS[0], sigma=np.linspace(0.5, 2, 41))
    for dtype in (np.float32, np.float64):
        x = drive(SETS[0], 2, 60, 41).astype(dtype)
        whole = neuron.run(x, rng=np.random.default_rng(8))
        assert_same(neuron.run(x, rng=8).v, whole.v)
        rng = np.random.default_rng(8)
        for cut in (1, 17, 60):
            chunks = [x[t : t + cut] for t in range(0, 60, cut)]
            for seed in (8, np.random.default_rng(8)):
                parts = [rec.v for rec in neuron.run_chunks(chunks, rng=seed)]
                assert_same(np.concatenate(parts), whole.v)
        v, ref = neuron.reset_mem()
        for t, x_t in enumerate(x):
            spk, v, ref = neuron(x_t, v, ref, rng=rng)
            assert_same(v.astype(dtype), whole.v[t])
        moved = neuron.run(x.T, time_axis=-1, rng=8)
        assert_same(moved.v.T, whole.v)
        held = neuron.run(x[0], num_steps=60, rng=8)
        assert_same(held.v, neuron.run(np.tile(x[:1], (60, 1)), rng=8).v)


def test_noise_has_its_standard_deviation():
    neuron = snnc.LIF(10.0, dt=0.1, v_threshold=1e6, sigma=2.0, R=3.0)
    v = neuron.run(np.zeros(20_000), num_steps=400, rng=1, record="v").v
    after_one, settled = v[0].std(), v[-1].std()
    assert abs(after_one / (2 * np.sqrt(0.1)) - 1) < 0.03
    assert abs(settled / (2 * np.sqrt(10 / 2)) - 1) < 0.03  # sigma sqrt(tau/2)
    assert abs(v[-1].mean()) < 0.1


def test_rng_is_asked_for_and_refused_by_name():
    noisy, quiet = lif(SETS[0], sigma=1.0), lif(SETS[0])
    x = np.zeros(3)
    for rng in (None, 3):
        with pytest.raises(TypeError, match="rng=.*Generator"):
            noisy(x, x, x, rng=rng)
    with pytest.raises(TypeError, match="rng is missing"):
        noisy.run(x[None])
    with pytest.raises(TypeError, match="rng is missing"):
        list(noisy.run_chunks([x[None]]))
    assert_same(quiet.run(x[None], rng=3).v, quiet.run(x[None]).v)
    with pytest.raises(TypeError, match="rng=3: a Leaky has no noise"):
        snnc.Leaky(0.9).run(x[None], rng=3)
    for wrong in ({"num_steps": -1}, {"time_axis": 5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            noisy.run(x[None], rng=3, **wrong)
    with pytest.raises(TypeError, match="num_steps"):
        noisy.run(x[None], rng=3, num_steps=1.5)
    with pytest.raises(TypeError, match="time axis"):
        noisy.run(1.0, rng=3)


def test_copies_of_what_is_held_at_rest():
    """It fits any neuron shape: that of the parameters, and a batch of them."""
    for v_rest in (0.0, np.zeros(3)):
        neuron = snnc.LIF(20.0, dt=0.1, v_threshold=15.0, v_rest=v_rest, init_hidden=True)
        copies = copy.copy(neuron), copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))
        expected = neuron.run(np.ones((5, 2, 3)))
        for other in copies:
            assert_same(other.run(np.ones((5, 2, 3))).v, expected.v)


@pytest.mark.parametrize("halves", [1, 3, 5, 7, 4])
def test_halves_of_a_step_round_to_even(halves):
    neuron = snnc.LIF(1.0, dt=1.0, v_threshold=0.5, t_ref=halves / 2)
    spikes = neuron.run(np.ones((40, 1))).spike_times()
    assert set(np.diff(spikes)) == {1 + round(halves / 2)}  # Python's round does so too


def test_integers_that_are_assigned_compute_in_float64():
    rng = np.random.default_rng(0)
    x = (rng.random((500, 400)) * 40).astype(np.float32)
    v = rng.integers(-70, -60, 400)
    given = {"dt": 0.1, "v_threshold": -50.0, "v_rest": -70.0}
    holds = snnc.LIF(20.0, init_hidden=True, **given)
    holds.v = v
    expected = snnc.LIF(20.0, **given).run(x, v=v)
    found = holds.run(x)
    assert_same(found.spk, expected.spk)
    assert_same(found.v, expected.v)
    holds.v = np.array([2**25 + 1, 1])
    assert holds.v.tolist() == [2**25 + 1, 1]
    torch_like = snnc.Leaky(0.9, init_hidden=True)
    torch_like.mem = np.array([1, 2])
    assert torch_like.mem.dtype == np.float32


@pytest.mark.parametrize("hold", [False, True])
def test_input_is_converted_once_where_v_rest_is_an_array(hold):
    lif = snnc.LIF(20.0, dt=1.0, v_threshold=15.0, v_rest=np.zeros(3), init_hidden=hold)

    class Counted:
        calls = 0

        def __array__(self, dtype=None, copy=None):
            self.calls += 1
            return np.ones((4, 3), np.float32 if self.calls < 3 else np.float64)

    given = Counted()
    assert lif.run(given).v.dtype == np.float32
    assert given.calls == 1
    for call in (lif.run, lif) if hold else (lif.run,):
        with pytest.raises(ValueError, match=r"^(x|input_) is not an array of real numbers"):
            call([[1], [1, 2]])


def test_scalars_that_are_held_say_in_which_dtype_to_compute():
    """A 0-d state is a NumPy scalar, after a step of float32 one of float32."""
    lif = snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=1.0, init_hidden=True)
    rng = np.random.default_rng(0)
    lif(np.float32(0.5), rng=rng)
    assert lif(0.5, rng=rng).dtype == np.float32
    assert lif.v.dtype == np.float32
