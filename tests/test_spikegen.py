"""Encoders against snnTorch's recorded results, against probabilities, and given bad input."""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_same, golden

import snnc
from snnc import spikegen

# Where snnTorch's result is a defect; what is returned here is tested below.
MENDED = {
    "latency-f64-00",
    "rate_interpolate-06",
    *(f"{name}-{i}" for name in ("targets_rate", "targets_convert-rate")
      for i in ("07", "08", "09", "11", "12")),
    "targets_convert-latency-06", "targets_convert-latency-07",  # arguments that it drops
}  # fmt: skip
CASES = list(golden("spikegen"))
LOGS = ("latency", "latency_code", "latency_code_log", "targets_latency", "targets_convert")


def call(case):
    a = case.arrays
    inputs = [a[name] if name in a else case.scalars[name] for name in case.inputs]
    return getattr(spikegen, case.function)(*inputs, **case.options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_goldens(case):
    if case.name in MENDED:
        return
    if hasattr(case, "error"):
        with pytest.raises((TypeError, ValueError)):
            call(case)
        return
    results = call(case)
    results = results if isinstance(results, tuple) else (results,)
    for i, result in enumerate(results):
        expected = case.arrays[f"out{i}"]
        if case.name == "target_rate_code-01" and i == 1:  # no spikes: floats in snnTorch
            expected = expected.astype(np.int64)
        assert result.dtype == expected.dtype
        assert result.shape == expected.shape
        if case.function in LOGS and expected.dtype == np.float32:
            ulps = np.abs(result - expected) / np.spacing(np.maximum(result, expected))
            assert ulps.max(initial=0) <= 1
        else:
            assert_same(result, expected)


def test_goldens_are_all_there():
    assert len(CASES) == 148
    assert {case.name for case in CASES} >= MENDED


def test_arguments_are_as_in_snntorch():
    names = "num_steps gain offset first_spike_time time_var_input"
    assert list(inspect.signature(spikegen.rate).parameters)[1:6] == names.split()
    names = (
        "data num_steps threshold tau first_spike_time on_target off_target clip normalize linear "
        "interpolate bypass epsilon"
    )
    assert list(inspect.signature(spikegen.latency).parameters)[:13] == names.split()
    names = (
        "targets num_classes code num_steps first_spike_time correct_rate incorrect_rate "
        "on_target off_target firing_pattern interpolate epsilon threshold tau clip normalize "
        "linear bypass"
    )
    assert list(inspect.signature(spikegen.targets_convert).parameters)[:18] == names.split()
    names = (
        "targets num_classes num_steps first_spike_time on_target off_target interpolate "
        "threshold tau clip normalize linear epsilon bypass"
    )
    assert list(inspect.signature(spikegen.targets_latency).parameters)[:14] == names.split()


# ---- mended ----


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    data = np.linspace(0, 1, 12, dtype=dtype).reshape(3, 4)
    assert spikegen.rate(data, 5, rng=0).dtype == dtype
    assert spikegen.rate_conv(data, rng=0).dtype == dtype
    assert spikegen.delta(data).dtype == dtype
    for options in ({}, {"on_target": 2, "off_target": 0.5}, {"interpolate": True}):
        assert spikegen.latency(data, 5, normalize=True, linear=True, **options).dtype == dtype
    times, _ = spikegen.latency_code(data, 5, normalize=True)
    assert times.dtype == (np.float64 if dtype == np.float64 else np.float32)
    swapped = data.astype(np.dtype(dtype).newbyteorder())
    assert_same(spikegen.rate(swapped, 5, rng=0), spikegen.rate(data, 5, rng=0))
    assert_same(
        spikegen.latency(swapped, 5, normalize=True), spikegen.latency(data, 5, normalize=True)
    )


@pytest.mark.parametrize(
    "data", [[0, 1], [True, False], np.arange(2, dtype=np.uint8), 1, True, 0.5]
)
def test_what_is_no_array_of_floats_gives_float32(data):
    assert spikegen.rate(data, 5, rng=0).dtype == np.float32
    assert spikegen.rate_conv(data, rng=0).dtype == np.float32
    assert spikegen.latency(data, 5, normalize=True).dtype == np.float32
    assert spikegen.poisson(data, 5, rng=0).dtype == np.float32
    if np.ndim(data):
        assert spikegen.delta(data).dtype == np.float32


def test_unsigned_data_does_not_wrap():
    data = np.array([200, 100, 150], np.uint8)
    assert spikegen.delta(data, 10, off_spike=True).tolist() == [1, -1, 1]


def test_delta_of_integers_is_exact():
    for start in (2**24, 2**40, 2**60):
        data = np.array([start, start + 5, start + 6, start + 1])
        assert spikegen.delta(data, 5, off_spike=True)[1:].tolist() == [1, 0, -1]
    assert spikegen.delta(np.array([0, 2**64 - 1], np.uint64), 1).tolist() == [0, 1]


def test_latency_interpolate_of_half_precision():
    found = spikegen.latency_interpolate(np.float16([3001.0]), 4000)
    assert np.flatnonzero(found == 1).tolist() == np.flatnonzero(found.max() == found).tolist()
    assert found.dtype == np.float16
    assert spikegen.latency_interpolate(np.float16([3.0]), 70_000).shape == (70_000, 1)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float64, "packed"])
def test_targets_in_other_forms(dtype):
    for make in (
        lambda **o: spikegen.targets_rate([0, 2], 9, 6, correct_rate=0.5, **o),
        lambda **o: spikegen.targets_rate([0, 2], 9, 6, first_spike_time=2, **o),
        lambda **o: spikegen.targets_rate(
            [0, 2], 9, 6, correct_rate=0.5, firing_pattern="poisson", rng=1, **o
        ),
        lambda **o: spikegen.targets_convert([0, 2], 9, "rate", 6, correct_rate=0.5, **o),
        lambda **o: spikegen.targets_latency([0, 2], 9, 6, normalize=True, **o),
        lambda **o: spikegen.targets_convert([0, 2], 9, "latency", 6, normalize=True, **o),
    ):
        whole, found = make(), make(dtype=dtype)
        if dtype == "packed":
            assert_same(snnc.unpack_spikes(found, (2, 9)), whole.astype(np.uint8))
        else:
            assert found.dtype == dtype
            assert_same(found.astype(np.float32), whole)


def test_latency_of_doubles():
    (case,) = (case for case in CASES if case.name == "latency-f64-00")
    assert_same(call(case), case.arrays["out0"].astype(np.float64))


def test_targets_of_other_rates():
    targets = [3, 0]
    one_hot = spikegen.to_one_hot(targets, 5)
    for num_steps, options in itertools.product(
        (5, 7), ({}, {"on_target": 1.5, "off_target": 0.5})
    ):
        found = spikegen.targets_rate(
            targets, 5, num_steps, correct_rate=0.5, incorrect_rate=0.25, **options
        )
        assert found.shape == (num_steps, 2, 5)
        assert found.dtype == np.float32
        own = np.arange(num_steps) % 2 == 0
        others = np.arange(num_steps) % 4 == 0
        on = np.where(one_hot == 1, own[:, None, None], others[:, None, None])
        high, low = options.get("on_target", 1), options.get("off_target", 0)
        assert_same(found, np.where(on, high, low).astype(np.float32))
        converted = spikegen.targets_convert(
            targets, 5, "rate", num_steps, correct_rate=0.5, incorrect_rate=0.25, **options
        )
        assert_same(converted, found)
    risen = spikegen.targets_rate([1], 2, 7, correct_rate=0.25, interpolate=True)
    assert risen.shape == (7, 1, 2)
    assert_same(risen[:, 0, 1], spikegen.rate_interpolate([0, 4], 7))
    assert not risen[:, 0, 0].any()


def test_targets_convert_passes_everything_on():
    options = {"num_steps": 6, "normalize": True, "on_target": 1.5, "off_target": 0.5,
               "interpolate": True, "epsilon": 1e-3}  # fmt: skip
    found = spikegen.targets_convert([0, 1], 3, "latency", **options)
    assert_same(found, spikegen.targets_latency([0, 1], 3, **options))
    assert found.min() == 0.5


def test_spikes_beyond_the_steps_are_no_targets():
    assert spikegen.rate_interpolate([9.0], 5).tolist() == [0] * 5
    assert spikegen.rate_interpolate([1.0, 9.0], 5).tolist() == [0, 1, 0, 0, 0]
    assert spikegen.rate_interpolate([4.0], 5).tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_gain_and_offset_of_data_that_vary_in_time():
    data = np.full((4, 100), 0.25, np.float32)
    assert spikegen.rate(data, gain=4, time_var_input=True, rng=0).all()
    assert not spikegen.rate(data, offset=-0.25, time_var_input=True, rng=0).any()
    assert spikegen.rate(data, first_spike_time=2, time_var_input=True, rng=0).shape == (6, 100)


def test_arguments_are_not_changed():
    times = np.array([0.0, 2.5, 9.0], np.float32)
    data = np.linspace(0, 1, 8, dtype=np.float32)
    kept = times.copy(), data.copy()
    spikegen.latency_interpolate(times, 5)
    spikegen.latency(data, 9, normalize=True, interpolate=True)
    spikegen.rate(data, 3, gain=2, rng=0)
    spikegen.delta(data, padding=True)
    assert_same(times, kept[0])
    assert_same(data, kept[1])


# ---- random ----


def test_spikes_come_at_their_rates():
    chance = np.array([0, 1e-9, 2**-20, 0.001, 0.1, 0.5, 1 - 2**-20, 1], np.float32)
    data = np.repeat(chance, 20_000).reshape(8, -1)
    for train in (
        spikegen.rate(data, 50, rng=1, dtype=bool),
        spikegen.rate_conv(np.broadcast_to(data, (50, *data.shape)), rng=1, dtype=bool),
    ):
        counts = train.sum(axis=(0, 2))
        wide = chance.astype(np.float64)
        error = 5 * np.sqrt(1e6 * wide * (1 - wide)) + 1e-3
        assert (np.abs(counts - 1e6 * wide) <= error).all()
        assert counts[0] == 0
        assert counts[-1] == 10**6


def test_all_bits_of_a_probability_count():
    """Where 16 bits tie, others decide: chances that a draw of 16 or 24 bits would miss."""
    for chance in (2.0**-17, 0.5 + 2.0**-18, 1 - 2.0**-17, 1e-7):
        whole = np.floor(chance * 65536)
        bits = np.full((200, 500), min(whole, 65535), np.uint16)
        ties = spikegen._Ties(np.random.default_rng(3))
        drawn = spikegen._Chances(np.full((1, 1, 500), chance)).draw(bits, ties, slice(None))
        expected = chance * 65536 - whole
        assert abs(drawn.mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / 1e5) + 1e-9
    two = np.repeat([[[0.75]], [[0.5 + 2.0**-18]]], 500, axis=2)  # P(count > 0), P(count > 1)
    bits = np.full((200, 500), 32768, np.uint16)
    drawn = spikegen._Chances(two).draw(
        bits, spikegen._Ties(np.random.default_rng(3)), slice(None)
    )
    assert abs(drawn.mean() - 1.25) < 0.01


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.7, 2.0, 9.5, 30.0])
def test_poisson(mean):
    counts = spikegen.poisson(np.full(500, mean), 1000, rng=1)
    assert counts.shape == (1000, 500)
    assert counts.dtype == np.float64
    assert abs(counts.mean() - mean) <= 5 * np.sqrt(mean / counts.size)
    if mean == 0:
        return
    chance = np.exp(-mean) * np.cumprod(np.r_[1, mean / np.arange(1, 80)])
    found = np.bincount(counts.ravel().astype(int), minlength=80)[:80] / counts.size
    assert (np.abs(found - chance) <= 5 * np.sqrt(chance / counts.size) + 5 / counts.size).all()


def test_poisson_of_many_means():
    means = np.array([0.0, 0.1, 3.0, 10.0], np.float32)
    counts = spikegen.poisson(np.tile(means, (50, 1)), 2000, rng=1, dtype=np.int64)
    error = 5 * np.sqrt(means / 1e5) + 1e-12
    assert (np.abs(counts.mean(axis=(0, 1)) - means) <= error).all()


TRAINS = {
    "rate": lambda **o: spikegen.rate(DATA, 23, first_spike_time=3, **o),
    "moving": lambda **o: spikegen.rate(MOVING, time_var_input=True, first_spike_time=2, **o),
    "rate_conv": lambda **o: spikegen.rate_conv(MOVING, **o),
    "poisson": lambda **o: spikegen.poisson(DATA * 3, 23, **o),
    "many": lambda **o: spikegen.poisson(DATA * 30, 23, **o),
    "single": lambda **o: spikegen.rate(0.5, 23, **o),
    "none": lambda **o: spikegen.rate(np.empty((2, 0), np.float32), 23, **o),
}
DATA = np.random.default_rng(0).random((5, 7)).astype(np.float32)
MOVING = np.random.default_rng(0).random((23, 5, 7))


@pytest.mark.parametrize("block", [1, 8, 24, 1 << 17])
@pytest.mark.parametrize("name", TRAINS)
def test_chunks_are_the_same_train(name, block, monkeypatch):
    monkeypatch.setattr(spikegen, "BLOCK", block if name not in ("poisson", "many") else 64)
    make = TRAINS[name]
    whole = make(rng=5)
    for chunks in (1, 4, 22, 23, 100):
        pieces = list(make(rng=5, chunks=chunks))
        assert all(len(piece) == chunks for piece in pieces[:-1])
        assert_same(np.concatenate(pieces), whole)
    once, cut = np.random.default_rng(1), np.random.default_rng(1)
    make(rng=once)
    list(make(rng=cut, chunks=5))
    assert once.bit_generator.state == cut.bit_generator.state


@pytest.mark.parametrize("name", ["rate", "moving", "rate_conv", "single", "none"])
@pytest.mark.parametrize("block", [8, 1 << 17])
def test_forms_of_spikes(name, block, monkeypatch):
    monkeypatch.setattr(spikegen, "BLOCK", block)
    make = TRAINS[name]
    whole = make(rng=5)
    assert set(np.unique(whole)) <= {0, 1}
    for dtype in (np.float16, np.float32, np.float64, np.uint8, bool, "uint8", ">f4"):
        found = make(rng=5, dtype=dtype)
        assert found.dtype == np.dtype(dtype).newbyteorder("=")
        assert_same(found, whole.astype(found.dtype))
    packed = make(rng=5, dtype="packed")
    assert packed.dtype == np.uint8
    assert_same(snnc.unpack_spikes(packed, whole.shape[1:]), whole.astype(np.uint8))


def test_latency_and_delta_in_other_forms():
    data = DATA / DATA.max()
    for whole, packed, small in (
        [spikegen.latency(data, 9, normalize=True, dtype=d) for d in (None, "packed", bool)],
        [spikegen.delta(MOVING, dtype=d) for d in (np.float32, "packed", np.uint8)],
    ):
        assert_same(snnc.unpack_spikes(packed, whole.shape[1:]), whole.astype(np.uint8))
        assert_same(small.astype(whole.dtype), whole)


@pytest.mark.parametrize("name", TRAINS)
def test_generators(name):
    make = TRAINS[name]
    assert_same(make(rng=3), make(rng=np.random.default_rng(3)))
    assert_same(make(rng=3), make(rng=np.random.SeedSequence(3)))
    assert_same(make(rng=np.random.PCG64(3)), make(rng=3))
    if name not in ("none",):
        assert not np.array_equal(make(rng=None), make(rng=None)) or name == "single"
        assert not np.array_equal(make(rng=3), make(rng=4)) or name == "single"
    for bits in (np.random.MT19937, np.random.Philox, np.random.SFC64):
        assert make(rng=np.random.Generator(bits(1))).shape == make(rng=1).shape


@given(st.data())
def test_any_cut_of_any_shape(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 9), max_size=3)))
    num_steps, chunks = data.draw(st.integers(0, 20)), data.draw(st.integers(1, 25))
    chance = np.random.default_rng(0).random(shape)
    whole = spikegen.rate(chance, num_steps, rng=2)
    assert whole.shape == (num_steps, *shape)
    assert_same(
        np.concatenate(list(spikegen.rate(chance, num_steps, rng=2, chunks=chunks))), whole
    )


def test_an_error_leaves_the_generator_alone():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    for bad in (
        lambda: spikegen.rate([np.nan], 3, rng=rng),
        lambda: spikegen.rate([0.5], 3, rng=rng, dtype=int),
        lambda: spikegen.rate([0.5], 3, rng=rng, chunks=0),
        lambda: spikegen.rate([[0.5], [np.inf]], gain=0, time_var_input=True, rng=rng),
        lambda: spikegen.poisson([1e5], 3, rng=rng, dtype=np.uint8),
        lambda: spikegen.rate([0.5], 2**62, rng=rng),
        lambda: spikegen.targets_rate([0], 2, 3, correct_rate=2, rng=rng),
        lambda: spikegen.target_rate_code(5, 9, firing_pattern="poisson", rng=rng),
    ):
        with pytest.raises((TypeError, ValueError, OverflowError, MemoryError)):
            bad()
        assert rng.bit_generator.state == before


def test_firing_patterns():
    spikes, times = spikegen.target_rate_code(1000, 100, 0.25, "poisson", rng=0)
    assert_same(np.flatnonzero(spikes), times)
    assert times.min() >= 100
    assert 150 < len(times) < 300
    spikes, times = spikegen.target_rate_code(1000, 100, 0.25, "Uniform", rng=0)
    assert len(times) == 225
    assert_same(np.flatnonzero(spikes), np.unique(times))
    assert times.min() >= 100
    one = spikegen.targets_rate([0], 2, 50, correct_rate=0.5, firing_pattern="poisson", rng=1)
    assert_same(one, spikegen.targets_rate(
        [0], 2, 50, correct_rate=0.5, firing_pattern="poisson", rng=np.random.default_rng(1)
    ))  # fmt: skip


def test_values_at_the_ends_of_their_types():
    """No warning, which pytest makes an error, where the result is right."""
    assert spikegen.rate_conv(np.float32([1e36, -1e36]), rng=0).tolist() == [1, 0]
    assert spikegen.delta(np.float32([-3e38, 3e38]), 1).tolist() == [0, 1]
    assert spikegen.delta(np.float16([1, 6e4]), 1e5).tolist() == [0, 0]
    assert spikegen.poisson(np.float16([0.5]), 10, rng=0).dtype == np.float32


def test_bits_are_not_wasted_on_few_neurons():
    """Four draws come of each 64 bits, whatever a step is."""
    for shape, steps in (((), 4000), ((3,), 1000), ((4,), 1000)):
        rng, words = np.random.default_rng(0), np.random.default_rng(0)
        data = np.zeros(shape)
        spikegen.rate(data, steps, rng=rng)
        words.integers(2**63)
        words.integers(0, 2**64, -(-steps * data.size // 4), np.uint64)
        assert rng.bit_generator.state == words.bit_generator.state


# ---- sizes and bad input ----


def test_zero_sizes():
    empty = np.empty((3, 0))
    assert spikegen.rate(empty, 4).shape == (4, 3, 0)
    assert spikegen.rate([0.5], 0).shape == (0, 1)
    assert spikegen.rate_conv(np.empty((0, 3))).shape == (0, 3)
    assert spikegen.rate_conv(np.empty((0, 9)), dtype="packed").shape == (0, 2)
    assert len(list(spikegen.rate_conv(np.empty((0, 3)), chunks=2))) == 1
    assert spikegen.latency(empty, 4).shape == (4, 3, 0)
    assert spikegen.latency(empty, bypass=True).shape == (1, 3, 0)
    assert spikegen.latency(empty, 4, normalize=True).shape == (4, 3, 0)
    assert spikegen.latency(empty, 4, normalize=True, linear=True).shape == (4, 3, 0)
    assert spikegen.delta(empty).shape == (3, 0)
    assert spikegen.delta(np.empty((0, 3))).shape == (0, 3)
    assert spikegen.to_one_hot([], 3).shape == (0, 3)
    assert spikegen.latency_interpolate(empty, 4).shape == (4, 3, 0)
    assert spikegen.rate_interpolate([], 0).shape == (0,)
    assert spikegen.poisson(empty, 4, rng=0).shape == (4, 3, 0)
    assert spikegen.delta(np.empty((0, 9)), dtype="packed").shape == (0, 2)
    assert spikegen.latency(0.5, 4).shape == (4,)
    assert spikegen.rate_conv(1.0) == 1
    assert spikegen.targets_latency([], 3, 5, normalize=True).shape == (5, 0, 3)


GOOD = [0.25, 0.5]
BAD = [
    ("data", lambda bad: spikegen.rate(bad, 3)),
    ("data", lambda bad: spikegen.rate_conv(bad)),
    ("data", lambda bad: spikegen.latency(bad, 3)),
    ("data", lambda bad: spikegen.latency_code(bad)),
    ("data", lambda bad: spikegen.latency_code_linear(bad)),
    ("data", lambda bad: spikegen.latency_code_log(bad)),
    ("data", lambda bad: spikegen.delta(bad)),
    ("rate", lambda bad: spikegen.poisson(bad, 3)),
    ("spike_time", lambda bad: spikegen.latency_interpolate(bad, 3)),
    ("spike_time", lambda bad: spikegen.rate_interpolate(bad, 3)),
    ("targets", lambda bad: spikegen.to_one_hot(bad, 3)),
    ("targets", lambda bad: spikegen.targets_rate(bad, 3)),
    ("targets", lambda bad: spikegen.targets_latency(bad, 3)),
    ("targets", lambda bad: spikegen.targets_convert(bad, 3)),
    ("one_hot_label", lambda bad: spikegen.from_one_hot(bad)),
    ("one_hot_targets", lambda bad: spikegen.to_one_hot_inverse(bad)),
]
NO_NUMBERS = [
    np.ma.array([0.5, 0.5], mask=[0, 1]), [0.5j], np.array([0.5], np.longdouble), ["a"], None,
    [[1], [1, 2]], np.array([None]), object(),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function"), BAD)
def test_what_are_no_numbers(name, function):
    for bad in NO_NUMBERS:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}"):
            function(bad)
    if not name.startswith("one_hot"):
        with pytest.raises(ValueError, match=f"^{name} contains"):
            function([0.5, np.nan])


NUMBER_OF_STEPS = [
    lambda n: spikegen.rate(GOOD, n),
    lambda n: spikegen.latency(GOOD, n),
    lambda n: spikegen.latency_code(GOOD, n),
    lambda n: spikegen.latency_interpolate(GOOD, n),
    lambda n: spikegen.rate_interpolate(GOOD, n),
    lambda n: spikegen.poisson(GOOD, n),
    lambda n: spikegen.target_rate_code(n),
    lambda n: spikegen.targets_rate([0], 3, n),
    lambda n: spikegen.targets_latency([0], 3, n),
    lambda n: spikegen.targets_convert([0], 3, num_steps=n),
]


@pytest.mark.parametrize("function", NUMBER_OF_STEPS)
@pytest.mark.parametrize("bad", [-1, 2.5, "3", True, [3], np.float32(3)])
def test_numbers_of_steps(function, bad):
    with pytest.raises((TypeError, ValueError), match=r"^num_steps="):
        function(bad)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("num_steps is missing", lambda: spikegen.rate(GOOD)),
        ("num_steps is missing", lambda: spikegen.latency(GOOD)),
        ("num_steps is missing", lambda: spikegen.latency_code(GOOD, normalize=True)),
        ("num_steps is missing", lambda: spikegen.targets_rate([0], 2, correct_rate=0.5)),
        ("num_steps is missing", lambda: spikegen.targets_rate([0], 2, first_spike_time=1)),
        ("num_steps=3 together", lambda: spikegen.rate(GOOD, 3, time_var_input=True)),
        ("data is 0-d", lambda: spikegen.rate(0.5, time_var_input=True)),
        ("data is 0-d", lambda: spikegen.delta(0.5)),
        ("chunks of data without", lambda: spikegen.rate_conv(0.5, chunks=2)),
        ("one_hot_label has no axis", lambda: spikegen.from_one_hot(1)),
        ("first_spike_time=3 is beyond", lambda: spikegen.rate(GOOD, 3, first_spike_time=3)),
        ("first_spike_time=9 is", lambda: spikegen.latency(GOOD, 3, first_spike_time=9)),
        ("first_spike_time=-1", lambda: spikegen.rate(GOOD, 3, first_spike_time=-1)),
        ("first_spike_time=9 is beyond", lambda: spikegen.target_rate_code(8, 9)),
        ("gain=nan", lambda: spikegen.rate(GOOD, 3, np.nan)),
        ("gain=", lambda: spikegen.rate(GOOD, 3, [1, 2])),
        ("offset=inf", lambda: spikegen.rate(GOOD, 3, 1, np.inf)),
        ("data contains NaN", lambda: spikegen.rate([np.nan], 3)),
        ("data \\* gain", lambda: spikegen.rate([np.inf], 3, 0)),
        ("data ranges", lambda: spikegen.latency([0.5, 1.5], 3)),
        ("data ranges", lambda: spikegen.latency([-0.5], 3)),
        ("threshold=0", lambda: spikegen.latency(GOOD, 3, 0)),
        ("threshold=1", lambda: spikegen.latency_code_linear(GOOD, threshold=1)),
        ("threshold=nan", lambda: spikegen.delta(GOOD, np.nan)),
        ("tau=0", lambda: spikegen.latency_code(GOOD, tau=0)),
        ("tau=-1", lambda: spikegen.latency_code(GOOD, tau=-1)),
        ("epsilon=0 is too small", lambda: spikegen.latency([0.5, 0], 9, epsilon=0)),
        ("epsilon=1e-10 is too small",
         lambda: spikegen.latency(np.float32([0.5, 0]), 4, epsilon=1e-10, normalize=True)),
        ("data or tau", lambda: spikegen.latency(np.float32([0.5, 0]), 4, tau=1e39)),
        ("data or tau", lambda: spikegen.latency_code_log(np.float32([np.inf, 0.5]), 10)),
        ("data or tau", lambda: spikegen.latency_code_linear(np.float32([np.inf, 0.5]), 10)),
        ("on_target=0.0 is below",
         lambda: spikegen.targets_rate([0], 2, 3, correct_rate=0.5, on_target=0, off_target=1)),
        ("rng='x'", lambda: spikegen.targets_rate([0], 2, rng="x")),
        ("code=", lambda: spikegen.targets_convert([0], 2, np.array(["rate", "x"]))),
        ("dtype='uint8'; expected a float",
         lambda: spikegen.targets_rate([0], 2, off_target=0.5, dtype="uint8")),
        ("data .* gain .*gain=1e\\+39", lambda: spikegen.rate(np.float32([0, 0.5]), 2, 1e39)),
        ("one_hot_targets contains NaN", lambda: spikegen.to_one_hot_inverse([np.nan, 0])),
        ("one_hot_label contains NaN", lambda: spikegen.from_one_hot([np.nan, 0])),
        ("targets contains inf", lambda: spikegen.to_one_hot([np.inf, 0], 3)),
        ("the latest spike", lambda: spikegen.latency([0.5], 0)),
        ("on_target=1000000.0 is too",
         lambda: spikegen.latency(np.float16([0.5]), 5, on_target=1e6)),
        ("epsilon=-1", lambda: spikegen.latency_code(GOOD, epsilon=-1)),
        ("the latest spike is in step 14", lambda: spikegen.latency(GOOD, 3, 0.2, 9)),
        ("on_target=0", lambda: spikegen.latency_interpolate(GOOD, 3, 0, 1)),
        ("spike_time contains -1", lambda: spikegen.latency_interpolate([-1], 3)),
        ("spike_time has shape", lambda: spikegen.rate_interpolate([[1]], 3)),
        ("targets contains 3", lambda: spikegen.to_one_hot([0, 3], 3)),
        ("targets contains -1", lambda: spikegen.to_one_hot([-1], 3)),
        ("targets contains 0.5", lambda: spikegen.to_one_hot([0.5], 3)),
        ("targets has shape", lambda: spikegen.to_one_hot([[0]], 3)),
        ("num_classes=0", lambda: spikegen.to_one_hot([0], 0)),
        ("num_classes=True", lambda: spikegen.to_one_hot([0], True)),
        ("rate=2", lambda: spikegen.target_rate_code(8, rate=2)),
        ("firing_pattern='x'", lambda: spikegen.target_rate_code(8, firing_pattern="x")),
        ("firing_pattern=1", lambda: spikegen.targets_rate([0], 2, firing_pattern=1)),
        ("correct_rate=1.5", lambda: spikegen.targets_rate([0], 2, 3, correct_rate=1.5)),
        ("incorrect_rate=0.5 is above",
         lambda: spikegen.targets_rate([0], 2, 3, correct_rate=0.2, incorrect_rate=0.5)),
        ("code='x'", lambda: spikegen.targets_convert([0], 2, "x")),
        ("rate contains -1", lambda: spikegen.poisson([-1.0], 3)),
        ("rate contains inf", lambda: spikegen.poisson([np.inf], 3)),
        ("rng='a'", lambda: spikegen.rate(GOOD, 3, rng="a")),
        ("rng=-1", lambda: spikegen.poisson(GOOD, 3, rng=-1)),
        ("chunks=0", lambda: spikegen.rate(GOOD, 3, chunks=0)),
        ("chunks=True", lambda: spikegen.rate(GOOD, 3, chunks=True)),
        ("dtype='x'", lambda: spikegen.rate(GOOD, 3, dtype="x")),
        ("dtype='packed'", lambda: spikegen.poisson(GOOD, 3, dtype="packed")),
        ("dtype=<class 'bool'>", lambda: spikegen.poisson(GOOD, 3, dtype=bool)),
        ("dtype=<class 'numpy.int8'>", lambda: spikegen.rate(GOOD, 3, dtype=np.int8)),
        ("dtype='uint8'; expected", lambda: spikegen.delta(GOOD, off_spike=True, dtype="uint8")),
        ("dtype='packed'; expected a float",
         lambda: spikegen.latency(GOOD, 3, on_target=2, dtype="packed")),
        ("a count of ", lambda: spikegen.poisson([1000.0], 3, rng=0, dtype="uint8")),
    ],
)  # fmt: skip
def test_errors_name_the_argument(name, function):
    with pytest.raises((TypeError, ValueError, OverflowError), match=f"^{name}"):
        function()
