"""The options of run and run_chunks: whatever is recorded, and how, the spikes are the same."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from support import ALL, assert_same, interrupted, make
from test_properties import assert_equal_records, everything, relaid, runs

import snnc
from snnc import _core

SPK_DTYPES = st.sampled_from([None, np.float32, np.float64, np.uint8, np.bool_, "packed"])


def expected_events(spk, first_step=0):
    step, neuron = np.nonzero(spk.reshape(len(spk), int(np.prod(spk.shape[1:]))))
    return step.astype(np.int64) + first_step, neuron.astype(np.int64)


def expected_count(spk):
    return (spk != 0).sum(axis=0, dtype=np.int64)


def expected_first(spk):
    if len(spk) == 0:
        return np.full(spk.shape[1:], -1, np.int64)
    return np.where((spk != 0).any(axis=0), (spk != 0).argmax(axis=0), -1).astype(np.int64)


@st.composite
def options(draw, n):
    """Options of a run of n neurons, with what they choose: every, and neurons as indices."""
    every = draw(st.integers(1, 7))
    neurons = draw(
        st.one_of(
            st.none(),
            st.lists(st.integers(-n, max(n - 1, 0)), max_size=8 if n else 0),
            st.slices(n),
        )
    )
    chosen = None
    if isinstance(neurons, slice):
        chosen = np.arange(n)[neurons]
    elif neurons is not None:
        chosen = np.arange(n)[np.asarray(neurons, int)]
    names = draw(st.permutations(["spk", "count", "first_spike", "events"]))
    names = names[: draw(st.integers(0, 4))]
    return every, neurons, chosen, names, draw(SPK_DTYPES)


def states_of(neuron, neurons):
    """The states that can be recorded of some neurons: not the spikes under way."""
    return [name for name in neuron.states if neurons is None or name != "past"]


def check(rec, plain, recorded, every, chosen, names, spk_dtype):
    """A recording with options says what the plain one does."""
    for name in recorded:
        whole = getattr(plain, name)[every - 1 :: every]
        if chosen is not None:
            n = int(np.prod(whole.shape[1:]))
            whole = whole.reshape(len(whole), n)[:, chosen]
        assert_same(getattr(rec, name), whole)
    assert_same(rec.steps, np.arange(every - 1, rec.num_steps, every, dtype=np.int64))
    for one, other in zip(rec.state, plain.state, strict=True):
        assert_same(one, other)
    spk = plain.spk
    if "spk" in names and spk_dtype == "packed":
        assert_same(snnc.unpack_spikes(rec.spk, spk.shape[1:]), spk.astype(np.uint8))
    elif "spk" in names:
        assert_same(rec.spk, spk.astype(spk_dtype or spk.dtype))
    if "count" in names:
        assert_same(rec.count, expected_count(spk))
    if "first_spike" in names:
        assert_same(rec.first_spike, expected_first(spk))
    if "spk" in names or "events" in names:
        for one, other in zip(rec.events(), expected_events(spk), strict=True):
            assert_same(one, other)
    if "events" in names and spk.shape[1:] == (1,):
        assert_same(rec.spike_times(), expected_events(spk)[0])


@given(runs(steps=st.integers(0, 30), loops=True), st.data())
def test_options_change_no_spike(case, data):
    neuron, x, states = case
    plain = neuron.run(x, *states, record=everything(neuron))
    n = int(np.prod(x.shape[1:]))
    every, neurons, chosen, names, spk_dtype = data.draw(options(n))
    recorded = states_of(neuron, neurons)
    recorded = recorded[data.draw(st.integers(0, len(recorded))) :]
    has_gradients = hasattr(getattr(neuron, "neuron", neuron), "learned")
    options_of_run = {
        "every": every,
        "neurons": neurons,
        "spk_dtype": spk_dtype,
        "record": [*names, *recorded],
        "grad": has_gradients and data.draw(st.booleans()),
    }
    rec = neuron.run(data.draw(relaid(x)), *states, **options_of_run)
    check(rec, plain, recorded, every, chosen, names, spk_dtype)
    if options_of_run["grad"]:
        whole = neuron.run(x, *states, grad=True)
        gradients = [neuron.backward(one, np.ones_like(x)) for one in (rec, whole)]
        for name, gradient in gradients[1]._arrays.items():
            assert_same(gradients[0]._arrays[name], gradient)
    again = neuron.run(x, *states, **options_of_run, out=rec)
    check(again, plain, recorded, every, chosen, names, spk_dtype)
    if x.shape[1:]:
        for name in ("count", "first_spike", *recorded):
            if name in rec._arrays:
                assert getattr(again, name) is getattr(rec, name)


@given(runs(steps=st.integers(0, 30), loops=True), st.data())
def test_every_with_a_time_axis(case, data):
    neuron, x, states = case
    axis = data.draw(st.integers(0, x.ndim - 1))
    every = data.draw(st.integers(1, 7))
    plain = neuron.run(x, *states, record=everything(neuron))
    rec = neuron.run(
        np.moveaxis(x, 0, axis), *states, every=every, time_axis=axis, spk_dtype=np.uint8,
        record=everything(neuron),
    )  # fmt: skip
    assert_same(np.moveaxis(rec.spk, axis, 0), plain.spk.astype(np.uint8))
    for name in neuron.states:
        at = 0 if name == "past" else axis  # whose first axes are time and delays
        moved = np.moveaxis(getattr(rec, name), at, 0)
        assert_same(moved, getattr(plain, name)[every - 1 :: every])
    packed = neuron.run(np.moveaxis(x, 0, axis), *states, time_axis=axis, spk_dtype="packed")
    assert_same(snnc.unpack_spikes(packed.spk, x.shape[1:]), plain.spk.astype(np.uint8))
    for one, other in zip(packed.events(), plain.events(), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_begin_with_whole_bytes(model, dtype):
    """However many steps and recordings leave so many neurons for a tile of scratch memory."""
    neuron = make(model)
    for steps in range(1, 18):
        x = np.random.default_rng(steps).uniform(0, 2, (200, steps)).astype(dtype)
        for record in ("spk", list(dict.fromkeys(("spk", *neuron.states)))):
            spk = neuron.run(x.T.copy(), record=record, spk_dtype=np.uint8).spk
            packed = neuron.run(x, time_axis=1, record=record, spk_dtype="packed").spk
            assert_same(packed, np.packbits(spk, axis=1, bitorder="little"))


@given(runs(steps=st.integers(0, 30), loops=True), st.data(), st.booleans())
def test_chunks_equal_the_whole(case, data, hidden):
    neuron, x, states = case
    every, neurons, _, _, spk_dtype = data.draw(options(int(np.prod(x.shape[1:]))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(x)), max_size=5)))
    chunks = np.split(x, cuts)
    recorded = ("spk", *states_of(neuron, neurons))
    record = ("count", "first_spike", "events", *recorded)
    arguments = {"every": every, "neurons": neurons, "spk_dtype": spk_dtype, "record": record}
    whole = neuron.run(x, *states, **arguments)
    if hidden:
        neuron.init_hidden = True
        for name, state in zip(neuron.states, states, strict=True):
            delays = max((p.delay for p in neuron.projections), default=1) if name == "past" else 0
            shape = (delays, *x.shape[1:]) if delays else x.shape[1:]
            setattr(neuron, name, np.broadcast_to(state, shape))
        if x.dtype == np.float32 or x.shape[1:]:
            states = ()
        else:
            return  # a held scalar is a Python number's weak float there
    parts = list(neuron.run_chunks(iter(chunks), *states, **arguments))
    for name in recorded:
        assert_same(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))
    assert_same(np.concatenate([p.steps for p in parts]), whole.steps)
    for i in range(2):
        assert_same(np.concatenate([p.events()[i] for p in parts]), whole.events()[i])
    assert_same(np.asarray(sum(p.count for p in parts), np.int64), whole.count)
    firsts = np.array([p.first_spike for p in parts])
    earliest = np.where(firsts < 0, len(x) + 1, firsts).min(axis=0)
    assert_same(np.where(earliest > len(x), -1, earliest).astype(np.int64), whole.first_spike)
    for one, other in zip(parts[-1].state, whole.state, strict=True):
        assert_same(one, other)
    if hidden:
        for name, other in zip(neuron.states, whole.state, strict=True):
            assert_same(getattr(neuron, name), other)


def test_chunks_come_one_by_one():
    lif = snnc.Leaky(0.9)
    asked = []

    def chunks():
        for t in range(3):
            asked.append(t)
            yield np.full((2, 4), 0.5, np.float32)

    recs = lif.run_chunks(chunks(), record="spk")
    assert asked == []
    assert next(recs).spk.shape == (2, 4)
    assert asked == [0]
    assert [rec.steps.tolist() for rec in recs] == [[2, 3], [4, 5]]
    assert list(lif.run_chunks([])) == []


def test_chunks_of_a_file(tmp_path):
    x = np.random.default_rng(0).uniform(0, 0.4, (100, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    file = np.load(tmp_path / "x.npy", mmap_mode="r")
    lif = snnc.Synaptic(0.9, 0.8)
    parts = [rec.spk for rec in lif.run_chunks(file[t : t + 30] for t in range(0, 100, 30))]
    assert_same(np.concatenate(parts), lif.run(x).spk)
    three_d = file.reshape(4, 25, 6)  # an array is iterated like any other sequence
    assert_same(np.concatenate([rec.spk for rec in lif.run_chunks(three_d)]), lif.run(x).spk)


def test_chunks_reuse_arrays():
    lif = snnc.Leaky(0.9)
    x = np.random.default_rng(1).uniform(0, 0.4, (40, 5)).astype(np.float32)
    out = lif.run(x[:10], record=("spk", "count"))
    copies = []
    for rec in lif.run_chunks(np.split(x, 4), record=("spk", "count"), out=out):
        assert rec.spk is out.spk
        assert rec.count is out.count
        copies.append(rec.spk.copy())
    assert_same(np.concatenate(copies), lif.run(x).spk)


def test_chunks_refuse_wrong_states_at_once():
    with pytest.raises(TypeError, match="at most 1 states"):
        snnc.Leaky(0.9).run_chunks([], 0.0, 0.0)
    with pytest.raises(TypeError, match="init_hidden"):
        snnc.Leaky(0.9, init_hidden=True).run_chunks([], 0.0)
    with pytest.raises(ValueError, match="reset_mem"):
        list(snnc.Leaky(0.9, init_hidden=True).run_chunks([np.zeros((2, 3)), np.zeros((2, 4))]))


@given(
    runs(loops=True),
    st.sampled_from([np.float16, np.uint8, np.bool_, np.int8, np.int64, np.uint16]),
    st.data(),
)
def test_input_of_other_dtypes(case, dtype, data):
    neuron, x, states = case
    y = np.abs(x).astype(dtype)
    plain = neuron.run(y.astype(np.float64), *states, dtype=x.dtype)
    assert_equal_records(plain, neuron.run(data.draw(relaid(y)), *states, dtype=x.dtype))
    axis = data.draw(st.integers(0, x.ndim - 1))
    moved = neuron.run(np.moveaxis(y, 0, axis), *states, dtype=x.dtype, time_axis=axis)
    assert_same(np.moveaxis(moved.spk, axis, 0), plain.spk)
    if len(y):
        held = neuron.run(y[0], *states, dtype=x.dtype, num_steps=3)
        assert_equal_records(held, neuron.run(np.stack([y[0]] * 3), *states, dtype=x.dtype))


def test_every_half_precision_number():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    lif = snnc.Leaky(0.0, reset_mechanism="none")
    for dtype in (np.float32, np.float64):
        with np.errstate(invalid="ignore"):
            expected = dtype(0) + halves.astype(dtype)
        assert_same(lif.run(halves, num_steps=1, dtype=dtype).mem[0], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 8, 63, 64, 65, 1000, 4099, 70_001])
def test_sizes_beyond_a_strip(n, dtype):
    rng = np.random.default_rng(n)
    x = rng.uniform(0, 0.5, (37, n)).astype(dtype)
    lif = snnc.Leaky(rng.uniform(0.5, 1, n), threshold=rng.uniform(0.5, 1, n))
    plain = lif.run(x)
    rec = lif.run(
        x, record=("spk", "count", "first_spike", "events", "mem"), spk_dtype="packed", every=5,
        neurons=slice(None, None, -3),
    )  # fmt: skip
    check(rec, plain, ["mem"], 5, np.arange(n)[::-3], ("spk", "count", "first_spike", "events"),
          "packed")  # fmt: skip
    for one, other in zip(
        lif.run(x, record="spk", spk_dtype="packed").events(), rec.events(), strict=True
    ):
        assert_same(one, other)
    for t in range(3):
        assert_same(lif.run(x[: t + 1]).spk[t], plain.spk[t])
    assert_same(lif.run(np.asfortranarray(x)).mem, plain.mem)


@pytest.fixture(scope="module")
def more_than_caches_hold():
    steps, n = 97, 65536 + 48
    x = np.random.default_rng(3).random((steps, n), np.float32)
    x *= 0.4
    return x


def offset_by(x, start):
    """An array like x, so many elements after the start of a cache line."""
    line = np.full(x.size + 32, np.nan, x.dtype)
    first = -line.ctypes.data % 64 // x.itemsize + start
    return line[first : first + x.size].reshape(x.shape)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("model", ["Lapicque", "Leaky", "Synaptic", "Alpha"])
def test_what_goes_past_the_caches(more_than_caches_hold, model, reset):
    """It is what comes in chunks that caches hold; wherever lines begin, in any threads."""
    x = more_than_caches_hold
    neuron = make(model, reset_mechanism=reset, threshold=0.2)
    spk, *states = (np.empty_like(x) for _ in range(1 + len(neuron.states)))
    first = neuron.run(x[:49], out={"spk": spk[:49]} | {
        name: state[:49] for name, state in zip(neuron.states, states, strict=True)
    }, record=("spk", *neuron.states))  # fmt: skip
    neuron.run(x[49:], *first.state, out={"spk": spk[49:]} | {
        name: state[49:] for name, state in zip(neuron.states, states, strict=True)
    }, record=("spk", *neuron.states))  # fmt: skip
    expected = dict(zip(("spk", *neuron.states), (spk, *states), strict=True))
    assert spk.any()
    for start in (0, 5):
        for record in (("spk",), tuple(expected)):
            out = {name: offset_by(x, start * (name != "mem")) for name in record}
            rec = neuron.run(x, record=record, out=out, num_threads=1 + start // 5)
            for name in record:
                assert_same(out[name], expected[name])
            for name in neuron.states:
                assert_same(getattr(rec.state, name), expected[name][-1])


def test_what_goes_past_the_caches_in_other_runs(more_than_caches_hold):
    """Neurons in two halves, which caches hold, do what all of them do."""
    x = more_than_caches_hold
    lif = snnc.Synaptic(0.9, 0.8, threshold=0.2)
    n = x.shape[1]
    halves = [slice(0, n // 2), slice(n // 2, n)]

    def same(run, *arguments, axis=-1):
        whole, *parts = (run(*(a[..., h] for a in arguments)) for h in (slice(None), *halves))
        for array, *pieces in zip(whole, *parts, strict=True):
            assert_same(array, np.concatenate(pieces, axis=axis))

    def run(**options):
        def arrays(x):
            rec = lif.run(x, **options)
            return [*rec, *rec.state]

        return arrays

    same(run(record="spk", num_steps=200), x[0])
    same(run(record=("spk", "syn", "mem"), num_steps=200), x[0])
    same(run(record=("spk", "mem")), x)
    same(run(record=("spk", "syn", "mem"), every=5), x)
    same(run(), x.astype(np.float16))
    same(run(time_axis=1), x.reshape(97, 1, n), axis=-1)

    def back(x, g):
        rec = lif.run(x, record="spk", grad=True, checkpoint=1)
        gradients = lif.backward(rec, spk=g, wrt=("x", "mem0"))
        return rec.spk, *rec.state, gradients.x, gradients.mem0

    same(back, x, x[::-1].copy())


@pytest.mark.parametrize("factor", [0.5, -2.0, 0.0, np.inf, np.nan])
def test_counts_count_spikes_not_their_weights(factor):
    x = np.random.default_rng(2).uniform(0, 0.5, (50, 9)).astype(np.float32)
    plain = snnc.Leaky(0.9).run(x)
    names = ("spk", "count", "first_spike", "events")
    rec = snnc.Leaky(0.9, graded_spikes_factor=factor).run(x, record=names)
    assert_same(rec.count, expected_count(plain.spk))
    assert_same(rec.first_spike, expected_first(plain.spk))
    for one, other in zip(rec.events(), plain.events(), strict=True):
        assert_same(one, other)
    with np.errstate(invalid="ignore"):
        assert_same(rec.spk, plain.spk * np.float32(factor))
    with pytest.raises(ValueError, match="packed.*graded_spikes_factor"):
        snnc.Leaky(0.9, graded_spikes_factor=factor).run(x, spk_dtype="packed")


def test_weights_per_neuron_in_any_layout():
    x = np.random.default_rng(3).uniform(0, 0.5, (20, 3, 5)).astype(np.float32)
    factor = np.linspace(0.5, 2, 5).astype(np.float32)
    plain = snnc.Leaky(0.9).run(x)
    lif = snnc.Leaky(0.9, graded_spikes_factor=factor)
    for spk_dtype in (None, np.float64):
        expected = (plain.spk * factor).astype(spk_dtype or np.float32)
        assert_same(lif.run(x, spk_dtype=spk_dtype).spk, expected)
        moved = lif.run(np.moveaxis(x, 0, 2), time_axis=2, spk_dtype=spk_dtype)
        assert_same(np.moveaxis(moved.spk, 2, 0), expected)


def test_wrong_options():
    lif = snnc.Leaky(0.9)
    x = np.zeros((4, 5), np.float32)
    for every in (0, -1, 1.5, "2", None):
        with pytest.raises((TypeError, ValueError), match="every="):
            lif.run(x, every=every)
    for neurons in ([5], [-6], [0, 99]):
        with pytest.raises(ValueError, match="neurons: index .* 5 neurons"):
            lif.run(x, neurons=neurons)
    for neurons in (1, [[0]], [0.5], np.ones(5, bool), "all"):
        with pytest.raises(TypeError, match="neurons="):
            lif.run(x, neurons=neurons)
    for number in (0, -1, 1.5, 65, 2**62):
        with pytest.raises((TypeError, ValueError), match="num_threads="):
            lif.run(x, num_threads=number)
    with pytest.raises(TypeError, match="spk_dtype='bits' is not a dtype; .*packed"):
        lif.run(x, spk_dtype="bits")
    rec = lif.run(x, record=("events", "count"))
    with pytest.raises(ValueError, match="events"):
        lif.run(x, record=("events", "count"), out={"events": None})
    again = lif.run(x, record=("events", "count"), out=rec)
    assert again.count is rec.count
    assert again.events()[0] is not rec.events()[0]
    with pytest.raises(AttributeError, match="'first_spike' was not recorded"):
        rec.first_spike  # noqa: B018  # raises
    with pytest.raises(AttributeError, match="'spk' was not recorded"):
        lif.run(x, record="mem").events()


def test_wrong_packed_spikes():
    packed = np.zeros((3, 2), np.uint8)
    with pytest.raises(TypeError, match="float64"):
        snnc.unpack_spikes([0.0], 1)
    for shape in (8, (4, 5), -1, ()):
        with pytest.raises(ValueError, match="packed of shape"):
            snnc.unpack_spikes(packed, shape)
    assert snnc.unpack_spikes(packed, (3, 5)).shape == (3, 3, 5)
    assert snnc.unpack_spikes(packed, 12).shape == (3, 12)
    assert snnc.unpack_spikes(np.zeros((3, 0), np.uint8), (0, 4)).shape == (3, 0, 4)


# ---- threads ----


@pytest.fixture
def threads_pay():
    """Input of a run that is long enough for seven threads."""
    x = np.random.default_rng(4).random((60, 40_000), np.float32) / 2
    snnc.Leaky(0.9).run(x, record="count", num_threads=7)
    assert _core.threads_started() >= 6
    return x


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_threads_change_no_bit(threads_pay, num_threads):
    x = threads_pay
    record = ("spk", "count", "first_spike", "events", "mem")
    beta = np.random.default_rng(5).uniform(0.8, 1, 40_000)
    for lif in (snnc.Leaky(0.9), snnc.Leaky(beta)):
        one = lif.run(x, record=record, spk_dtype="packed", every=7, num_threads=1)
        more = lif.run(x, record=record, spk_dtype="packed", every=7, num_threads=num_threads)
        for name in ("spk", "count", "first_spike", "mem"):
            assert_same(getattr(one, name), getattr(more, name))
        for a, b in zip((*one.events(), *one.state), (*more.events(), *more.state), strict=True):
            assert_same(a, b)


@pytest.mark.parametrize("shape", [(20, 2_000), (2_000, 20), (500, 10, 8)])
def test_threads_and_inhibition(threads_pay, shape):
    x = threads_pay.reshape(-1, *shape)
    lif = snnc.Synaptic(0.5, 0.9, inhibition=True)
    one = lif.run(x, spk_dtype="packed", num_threads=1)
    more = lif.run(x, spk_dtype="packed", num_threads=3)
    assert_equal_records(one, more)
    moved = lif.run(np.moveaxis(x, 0, -1), time_axis=-1, num_threads=2)
    assert_same(np.moveaxis(moved.mem, -1, 0), one.mem)


def test_as_many_threads_as_there_can_be():
    x = np.float32(np.random.default_rng(7).random(64 * 2048 + 64))
    lif = snnc.Leaky(0.9)
    one, most = (lif.run(x, num_steps=200, record="count", num_threads=n) for n in (1, 64))
    assert_same(one.count, most.count)
    assert _core.threads_started() == _core.most_threads - 1


def test_set_num_threads(threads_pay):
    lif = snnc.Leaky(0.9)
    one = lif.run(threads_pay)
    try:
        snnc.set_num_threads(2)
        assert snnc.show_config("dicts")["threads"] == "2"
        assert_equal_records(one, lif.run(threads_pay))
    finally:
        snnc.set_num_threads(1)
    for number in (0, 65, True, 1.0, "2", None):
        with pytest.raises((TypeError, ValueError), match="n="):
            snnc.set_num_threads(number)


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_the_environment_sets_the_number_of_threads():
    code = "import snnc; print(snnc.show_config('dicts')['threads'])"
    assert python(code, SNNC_NUM_THREADS="3").stdout == "3\n"
    assert python(code).stdout == "1\n"
    for wrong in ("0", "many", "65", ""):
        result = python(code, SNNC_NUM_THREADS=wrong)
        assert result.returncode
        assert f"ImportError: SNNC_NUM_THREADS='{wrong}'; expected an integer" in result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_threads_of_its_own():
    code = """if True:
        import os, warnings
        import numpy as np, snnc
        warnings.simplefilter("ignore")  # of forking a process with threads
        x = np.full((120, 40_000), 0.3, np.float32)
        lif = snnc.Leaky(0.9)
        one = lif.run(x, record="spk")
        lif.run(x, num_threads=2)
        assert snnc._core.threads_started() == 1
        pid = os.fork()
        assert snnc._core.threads_started() == (0 if pid == 0 else 1)
        same = np.array_equal(lif.run(x, num_threads=2).spk, one.spk)
        if pid == 0:
            os._exit(0 if same else 1)
        assert same and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_an_interrupt_stops_all_threads():
    lif = snnc.Leaky(0.9, init_hidden=True)
    held = lif.mem
    x = np.float32(0.3)
    shape = np.zeros(100_000, np.float32)
    with interrupted(0.2), pytest.raises(KeyboardInterrupt):
        lif.run(x + shape, num_steps=10**6, record="count", num_threads=2)
    assert_same(lif.mem, held)
    assert lif.run(x + shape, num_steps=3, num_threads=2).spk.shape == (3, 100_000)


def test_threads_that_sleep_and_wake():
    """Runs on the heels of each other and apart, of this and that many threads."""
    rng = np.random.default_rng(8)
    x = rng.random((35, 16_400), np.float32) / 2
    lif = snnc.Leaky(0.9)
    one = lif.run(x, record="count", num_threads=1)
    for i in range(200):
        more = lif.run(x, record="count", num_threads=int(rng.integers(2, 5)))
        assert np.array_equal(more.count, one.count)
        if i % 2 == 0:
            time.sleep(float(rng.choice([0, 1e-4, 1e-3, 0.02])))


def test_runs_in_several_threads_of_pythons(threads_pay):
    """The workers are at one of them, and the others are done without."""
    lif = snnc.Leaky(0.9)
    one = lif.run(threads_pay)

    def run(_):
        for _ in range(5):
            assert_equal_records(one, lif.run(threads_pay, num_threads=3))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))


@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory")
def test_without_threads_a_run_is_done_here():
    code = """if True:
        import resource
        import numpy as np, snnc
        x = np.full((120, 40_000), 0.3, np.float32)
        lif = snnc.Leaky(0.9)
        one, out = lif.run(x, record="count"), lif.run(x, record="count")
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, hard))  # a stack is larger
        lif.run(x, record="count", out=out, num_threads=4)
        assert snnc._core.threads_started() == 0
        assert np.array_equal(one.count, out.count)
    """
    result = python(code)
    assert result.returncode == 0, result.stderr


@given(runs(loops=True), st.integers(1, 5))
def test_threads_of_short_runs(case, num_threads):
    neuron, x, states = case
    assert_equal_records(neuron.run(x, *states), neuron.run(x, *states, num_threads=num_threads))


def test_plain_steps_equal_general_ones():
    """Every model's short way through a step, and the long way, give the same arrays."""
    rng = np.random.default_rng(6)
    for model in _core.models:
        for dtype in (np.float32, np.float64):
            for shape in ((1,), (7,), (3, 5), (9000,)):
                neuron = make(model)
                x = rng.uniform(-1, 2, shape).astype(dtype)
                states = [rng.uniform(-1, 2, shape).astype(dtype) for _ in neuron.states]
                short = neuron(x, *states)
                long = neuron(x, *states, dtype=dtype)
                for a, b in zip(short, long, strict=True):
                    assert_same(a, b)
                spk = np.empty_like(x)
                held = [state.copy() for state in states]
                out = (spk, *held)
                assert neuron(x, *held, out=out) is out
                for a, b in zip(out, long, strict=True):
                    assert_same(a, b)


@pytest.mark.parametrize("name", ["num_steps", "every", "num_threads", "time_axis", "checkpoint"])
def test_bools_are_no_integers(name):
    lif, x = snnc.Leaky(0.9), np.zeros((4, 5), np.float32)
    with pytest.raises(TypeError, match=f"{name}=True; expected an integer"):
        lif.run(x, grad=name == "checkpoint", **{name: True})
    with pytest.raises(TypeError, match="n=True; expected an integer"):
        snnc.set_num_threads(True)
