"""Closed loops: against the models in NumPy, however a run is cut, recorded and laid out."""

import copy
import pickle
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from support import KINDS, TORCH, assert_same, csr, golden, interrupted, kind, make
from test_reference import constants

import snnc
from snnc import _core
from snnc._product import Weights

N, T = 7, 14
SHAPES = [(N,), (3, N), (2, 3, N)]
LOOPS = {
    "none": lambda rng: [],
    "dense": lambda rng: [(rng.normal(size=(N, N)), 1, 0.0)],
    "delayed": lambda rng: [(rng.normal(size=(N, N)), 4, 0.0), (rng.normal(size=(N, N)), 2, 0.5)],
    "decaying": lambda rng: [(np.float32(rng.normal(size=(N, N))), 1, rng.random(N).round(1))],
    "sparse": lambda rng: [(sparse(rng), 2, 0.0), (sparse(rng), 1, 0.9), (0.5, 1, 0.0)],
    "equal": lambda rng: [((sparse(rng) != 0) * rng.normal(size=N), 3, 0.25)],
    "one-to-one": lambda rng: [(rng.normal(size=N), 1, 0.75), (-0.25, 2, 0.0)],
}


def sparse(rng):
    return rng.normal(size=(N, N)) * (rng.random((N, N)) < 0.3)


def case(model, reset, delay, loop, dtype, shape, seed=0, **options):
    """A closed loop, input and start states, and what the reference makes of them."""
    seed = zlib.crc32(f"{model} {reset} {delay} {loop} {seed}".encode())
    rng = np.random.default_rng(seed)
    projections = LOOPS[loop](rng)
    bias = (None, 0.125, rng.normal(size=N))[rng.integers(3)] if loop != "none" else None
    neuron = make(model, threshold=0.4, **kind(model, reset, delay), **options)
    given = [
        weight
        if delay == 1 and np.ndim(decay) == 0 and decay == 0 and np.ndim(weight) < 2
        else snnc.Projection(
            csr(weight) if loop in ("sparse", "equal") and np.ndim(weight) == 2 else weight,
            delay=delay,
            decay=decay,
        )
        for weight, delay, decay in projections
    ]
    net = snnc.Recurrent(neuron, *given, bias=bias)
    delays = max([1, *(d for _, d, _ in projections)])
    x = rng.normal(0.1, 0.9, (T, *shape)).astype(dtype)
    states = [rng.normal(0, 0.8, shape).astype(dtype) for _ in neuron.states]
    past = (rng.random((delays, *shape)) < 0.3).astype(dtype) * rng.choice([1, 1, 2, -0.5])
    past = (past + 0).astype(dtype)  # no -0
    currents = [rng.normal(size=shape).astype(dtype) for _ in projections]

    def one_step(x, states):
        return reference.step(
            model, x, states, constants(neuron, dtype), reset=reset, reset_delay=delay,
            inhibition=options.get("inhibition", False),
        )  # fmt: skip

    expected = reference.recurrent(one_step, x, states, past, currents, projections, bias)
    return net, x, (*states, past, *currents), expected


def check(net, x, start, expected, **options):
    rec = net.run(x, *start, record=("spk", *net.states), **options)
    for array, other in zip(rec, expected, strict=True):
        assert_same(array, other)
    for last, other in zip(rec.state, expected[1:], strict=True):
        assert_same(last, other[-1])
    return rec


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("model", "reset", "delay"), KINDS)
def test_equals_the_reference(model, reset, delay, dtype, loop):
    for shape in SHAPES:
        net, x, start, expected = case(model, reset, delay, loop, dtype, shape)
        check(net, x, start, expected)
        for num_threads in (2, 5):
            check(net, x, start, expected, num_threads=num_threads)
        states = start
        for t, x_t in enumerate(x):
            spk, *states = net(x_t, *states)
            for value, other in zip((spk, *states), expected, strict=True):
                assert_same(value, other[t])


@pytest.mark.parametrize(("model", "reset", "delay"), [c for c in KINDS if c[0] in TORCH])
def test_inhibition(model, reset, delay):
    for shape in SHAPES[1:]:
        for loop in ("dense", "delayed", "sparse"):
            check(*case(model, reset, delay, loop, np.float32, shape, inhibition=True))


@pytest.mark.parametrize("graded", [0.5, -2.0, 0.0, [0.5, 1.0, 0.0, 2.0, -1.0, 1.0, 3.0]])
def test_graded_spikes_keep_their_value(graded):
    for loop in ("dense", "sparse", "one-to-one"):
        net, x, start, expected = case(
            "Leaky", "subtract", True, loop, np.float32, (3, N), graded_spikes_factor=graded
        )
        check(net, x, start, expected)
        counted = net.run(x, *start, record=("count", "mem"))  # spikes aren't recorded
        assert_same(counted.mem, expected[1])


MODELS = ("Synaptic", "zero", True), ("LIF", "zero", False), ("Leaky", "zero", False)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("loop", ["delayed", "sparse"])
def test_cutting(kind, loop):
    net, x, start, expected = case(*kind, loop, np.float64, (3, N))
    for cut in range(T + 1):
        first = net.run(x[:cut], *start)
        second = net.run(x[cut:], *first.state)
        for last, other in zip(second.state, expected[1:], strict=True):
            assert_same(last, other[-1])
        assert_same(np.concatenate((first.spk, second.spk)), expected[0])
    for size in (1, 3, 5, 14):
        chunks = (x[i : i + size] for i in range(0, T, size))
        recs = list(net.run_chunks(chunks, *start, record=("spk", *net.states, "events"), every=2))
        whole = net.run(x, *start, record=("spk", *net.states, "events"), every=2)
        for name in ("spk", *net.states):
            parts = [getattr(rec, name) for rec in recs]
            assert_same(np.concatenate(parts), getattr(whole, name))
        steps, neurons = (
            np.concatenate(parts) for parts in zip(*(r.events() for r in recs), strict=True)
        )
        assert_same(steps, whole.events()[0])
        assert_same(neurons, whole.events()[1])


@pytest.mark.parametrize("loop", ["dense", "delayed", "sparse"])
def test_recordings(loop):
    for shape in SHAPES:
        net, x, start, expected = case("Synaptic", "subtract", True, loop, np.float32, shape)
        named = dict(zip(("spk", *net.states), expected, strict=True))
        flat = expected[0].reshape(T, -1)
        for dtype in (np.float64, np.uint8, bool):
            assert_same(net.run(x, *start, spk_dtype=dtype).spk, expected[0].astype(dtype))
        packed = net.run(x, *start, record="spk", spk_dtype="packed")
        assert_same(snnc.unpack_spikes(packed.spk, shape), expected[0].astype(np.uint8))
        rec = net.run(x, *start, record=("count", "first_spike", "events", "i0"), every=3)
        assert_same(rec.count, expected[0].sum(axis=0).astype(np.int64))
        assert_same(rec.i0, named["i0"][2::3])
        step, neuron = rec.events()
        assert_same(step, np.nonzero(flat)[0])
        assert_same(neuron, np.nonzero(flat)[1])
        some = net.run(x, *start, record=("mem", "i0"), neurons=[5, 0, 5], every=2)
        for name in ("mem", "i0"):
            assert_same(getattr(some, name), named[name].reshape(T, -1)[1::2, [5, 0, 5]])
        with pytest.raises(ValueError, match="neurons: past is recorded of all neurons only"):
            net.run(x, *start, record="past", neurons=[1])
        for axis in range(-1, len(shape) + 1):
            moved = net.run(np.moveaxis(x, 0, axis), *start, time_axis=axis,
                            record=("spk", *net.states))  # fmt: skip
            for name, array in named.items():
                got = getattr(moved, name)
                assert_same(got if name == "past" else np.moveaxis(got, axis, 0), array)


def test_layouts_of_the_input():
    net, x, start, expected = case("Leaky", "zero", True, "dense", np.float32, (3, N))
    for given in (np.asfortranarray(x), x[::-1].copy()[::-1], np.repeat(x, 2, -1)[..., ::2]):
        check(net, given, start, expected)
    half = np.float16(x)
    rec = net.run(half, *start)
    assert_same(rec.spk, net.run(half.astype(np.float32), *start).spk)
    for one in (x[:, :1], x[:, :, :1], x[:, 0]):  # broadcast over the batch or a row
        full = np.broadcast_to(one if one.ndim == 3 else one[:, None], x.shape)
        assert_same(net.run(one, *start).mem, net.run(full.copy(), *start).mem)
    held = net.run(x[0], *start, num_steps=5)
    assert_same(held.mem, net.run(np.broadcast_to(x[0], (5, *x[0].shape)).copy(), *start).mem)


def test_start_states_broadcast():
    net, x, start, _ = case("Leaky", "zero", True, "delayed", np.float32, (3, N))
    mem, past, *currents = start
    at_rest = net.run(x)
    zeros = [np.zeros_like(state) for state in start]
    for states in ((), net.reset_mem(), zeros, [0.0, 0.0, 0.0, 0.0]):
        again = net.run(x, *states)
        for one, other in zip((*at_rest, *at_rest.state), (*again, *again.state), strict=True):
            assert_same(one, other)
    full = net.run(x, mem, np.repeat(past[:, :1], 3, axis=1), *currents)
    assert_same(net.run(x, mem, past[:, 0], *currents).spk, full.spk)  # (delay, n) for all rows
    assert_same(net.run(x, mem=mem, past=past).spk, net.run(x, mem, past).spk)


def test_out():
    net, x, start, expected = case("Synaptic", "zero", True, "delayed", np.float64, (3, N))
    rec = net.run(x, *start)
    arrays = [*rec, *rec.state]
    again = net.run(x, *start, out=rec)
    for one, other in zip((*again, *again.state), arrays, strict=True):
        assert one is other
    assert_same(again.spk, expected[0])
    state = [np.array(s) for s in start]
    spk = np.empty((T, 3, N))
    rec = net.run(x, *state, record="spk", out={"spk": spk, "state": tuple(state)})  # in place
    assert rec.spk is spk
    for mine, last in zip(state, expected[1:], strict=True):
        assert_same(mine, last[-1])
    states = [np.array(s) for s in start]
    out = (np.empty((3, N)), *states)
    for t in range(T):  # a step at a time, in place
        assert net(x[t], *states, out=out)[0] is out[0]
    for mine, last in zip(states, expected[1:], strict=True):
        assert_same(mine, last[-1])
    shared = np.array(start[0])
    with pytest.raises(ValueError, match="state and state share memory"):
        net.run(x, *start, record=(), out={"state": (shared, shared, *start[2:])})
    with pytest.raises(ValueError, match=r"out: past has shape \(3, 7\); expected \(4, 3, 7\)"):
        net.run(x, *start, out={"state": (None, None, np.empty((3, N)), None, None)})


def test_held_states():
    net, x, _, _ = case("Synaptic", "zero", True, "delayed", np.float32, (3, N))
    expected = net.run(x)
    net.init_hidden = True
    assert net.neuron.init_hidden
    for x_t, spk in zip(x, expected.spk, strict=True):
        assert_same(net(x_t), spk)
    assert_same(net.mem, expected.state.mem)
    assert_same(net.past, expected.state.past)
    assert_same(net.i1, expected.state.i1)
    more = snnc.Recurrent(net.neuron, *net.projections, bias=None if "bias" not in net._parameters
                          else net.bias)  # fmt: skip
    assert more == net
    assert float(more.mem) == 0
    snnc.utils.reset([net])
    assert_same(net.run(x).spk, expected.spk)
    net.past = np.zeros_like(net.past)
    before = [np.array(getattr(net, name)) for name in net.states]
    for call in (
        lambda: net.run(x[:, :2]),
        lambda: net(x[0], 0.0),
        lambda: net.run(x, mem=0.0),
        lambda: net.run(x * 1j),
        lambda: net.run(x, record="wrong"),
        lambda: net.run(x, out={"spk": x[:2]}),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()
    with interrupted(0.2), pytest.raises(KeyboardInterrupt):
        net.run(x[0], num_steps=2**40, record=())
    for name, value in zip(net.states, before, strict=True):
        assert_same(getattr(net, name), value)
    net.output = True
    result = net(x[0])
    assert len(result) == 1 + len(net.states)
    net.init_hidden = False
    with pytest.raises(AttributeError, match="holds no mem"):
        _ = net.mem


def test_pickling_and_copies():
    for loop in LOOPS:
        net, x, start, expected = case("LIF", "zero", False, loop, np.float64, (3, N))
        for other in (pickle.loads(pickle.dumps(net)), copy.copy(net), copy.deepcopy(net)):
            assert other == net
            assert other is not net
            check(other, x, start, expected)
        other.neuron.tau_m = 7.0
        assert other != net
        rec = pickle.loads(pickle.dumps(net.run(x)))
        assert rec.state._fields == net.states
    a = snnc.Recurrent(snnc.Leaky(0.5), snnc.Projection(np.ones((2, 2)), delay=2))
    for b in (
        snnc.Recurrent(snnc.Leaky(0.6), a.projections[0]),
        snnc.Recurrent(snnc.Leaky(0.5), snnc.Projection(np.ones((2, 2)))),
        snnc.Recurrent(snnc.Leaky(0.5), snnc.Projection(np.ones((2, 2)), delay=2, decay=0.5)),
        snnc.Recurrent(snnc.Leaky(0.5), snnc.Projection(np.eye(2), delay=2)),
        snnc.Recurrent(snnc.Leaky(0.5), snnc.Projection(csr(np.ones((2, 2))), delay=2)),
        snnc.Recurrent(snnc.Leaky(0.5), a.projections[0], bias=0.0),
        snnc.Leaky(0.5),
    ):
        assert a != b


def test_a_subclass_has_attributes_of_its_own():
    class Own(snnc.Recurrent):
        def __init__(self, neuron, *projections):
            super().__init__(neuron, *projections)
            self.label = "mine"

    class OwnLeaky(snnc.RLeaky):
        pass

    cell = OwnLeaky(0.9, linear_features=2, rng=0)
    cell.label = "mine"
    for net in (Own(snnc.Leaky(0.5), W), cell):
        for again in (copy.copy(net), copy.deepcopy(net)):
            assert again.label == "mine"
            assert again == net
            assert again.neuron is not net.neuron
    with pytest.raises(AttributeError, match="Recurrent has no attribute 'label' to set"):
        snnc.Recurrent(snnc.Leaky(0.5), W).label = "mine"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_recording_of_a_single_neuron_is_used_again(dtype):
    x = np.ones(5, dtype)
    for net in (
        snnc.RLeaky(0.9, 0.5, all_to_all=False),
        snnc.RSynaptic(0.9, 0.8, 0.5, all_to_all=False),
        snnc.Recurrent(snnc.Leaky(0.9), 0.5),
    ):
        rec = net.run(x)
        expected = [np.array(array) for array in (*rec, *rec.state)]
        again = net.run(x, out=rec)
        assert again.spk is rec.spk
        for array, value in zip((*again, *again.state), expected, strict=True):
            assert_same(array, value)
        out = tuple(np.empty(np.shape(state), dtype) for state in rec.state)
        again = net.run(x, out={"state": out})
        for array, value in zip(out, again.state, strict=True):
            assert_same(array, np.asarray(value))


def test_parameters():
    """They read as they were given, and take effect at once."""
    weight = np.arange(4.0).reshape(2, 2)
    net = snnc.Recurrent(snnc.Leaky(0.5), weight, snnc.Projection(csr(weight), decay=0.5), bias=1)
    assert_same(net.weight0, weight)
    assert_same(net.weight1, np.array([1.0, 2.0, 3.0]))
    assert_same(net.decay1, np.array(0.5))
    assert_same(net.bias, np.array(1.0))
    assert_same(net.beta, np.array(0.5))
    for array in (net.weight0, net.weight1, net.decay0, net.bias):
        assert not array.flags.writeable
    x = np.ones((6, 2))
    net.weight0 = -weight
    net.weight1 = [3, 2, 1]
    net.decay1, net.bias, net.beta = 0.25, [0.5, 0.75], 0.75
    same = snnc.Recurrent(
        snnc.Leaky(0.75),
        -weight,
        snnc.Projection(csr(np.array([[0, 3.0], [2, 1]])), decay=0.25),
        bias=[0.5, 0.75],
    )
    assert net == same
    assert_same(net.run(x).mem, same.run(x).mem)
    before = copy.deepcopy(net)
    for name, value in (
        ("weight0", np.ones((3, 3))), ("weight0", 1j), ("weight1", [1.0]), ("decay0", 2.0),
        ("decay0", [0.1, 0.2, 0.3]), ("bias", [1.0, 2.0, 3.0]), ("bias", "a"), ("beta", "a"),
        ("wrong", 1), ("weight2", weight), ("neuron", snnc.Leaky(0.9)), ("projections", ()),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError, AttributeError)):
            setattr(net, name, value)
        assert net == before
    given = weight.copy()
    net = snnc.Recurrent(snnc.Leaky(0.5), given)
    given[:] = 7
    assert_same(net.weight0, weight)  # a copy


def test_equal_weights_of_a_presynaptic_neuron_are_kept_once():
    weight = (np.random.default_rng(0).random((50, 50)) < 0.2) * np.arange(1.0, 51)
    projection = snnc.Projection(csr(weight))
    assert projection._weights.data.size == 50
    again = projection.weight
    assert_same(again.data, csr(weight).data)
    assert_same(again.indices, csr(weight).indices)
    assert_same(again.indptr, csr(weight).indptr.astype(np.int64))
    assert snnc.Projection(again) == projection
    assert repr(projection) == f"Projection(<sparse float64 (50, 50), {again.data.size} entries>)"


def test_noise_has_the_draws_of_the_bare_neuron():
    lif = snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=[1.0, 2.0, 3.0])
    net = snnc.Recurrent(lif, np.zeros((3, 3)))
    for x in (np.full((9, 3), 14.0), np.full((9, 1), 14.0), np.float32(np.full((9, 2, 3), 14))):
        bare, loop = lif.run(x, rng=3), net.run(x, rng=3)
        assert_same(loop.v, bare.v)
        rng, other = np.random.default_rng(5), np.random.default_rng(5)
        state, again = lif.reset_mem(), net.reset_mem()
        for x_t in x:
            spk, *state = lif(x_t, *state, rng=rng)
            fired, *again = net(x_t, *again, rng=other)
            assert_same(fired, spk)
            assert_same(again[0], state[0])
        chunks = list(net.run_chunks([x[:4], x[4:]], rng=3))
        assert_same(np.concatenate([rec.v for rec in chunks]), bare.v)
    given = net.run(np.full((9, 3), 14.0), np.zeros((4, 3)), rng=3)
    for wide in (
        {"ref": np.zeros((4, 3))},
        {"past": np.zeros((1, 4, 3))},
        {"i0": np.zeros((4, 3))},
    ):
        rec = net.run(np.full((9, 3), 14.0), rng=3, **wide)  # for each row that a state brings
        assert_same(rec.v, given.v)
        states = dict.fromkeys(net.states, 0.0) | wide
        _, v, *_ = net(np.full(3, 14.0), *states.values(), rng=np.random.default_rng(3))
        assert np.all(np.ptp(v, axis=0) > 0)
    wide = snnc.Recurrent(snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=1.0), np.zeros((3, 3)))
    rec = wide.run(np.full((9, 1), 14.0), rng=3)  # noise of its own for each neuron of a row
    assert len(np.unique(rec.v[0])) == 3
    with pytest.raises(TypeError, match="rng is missing"):
        net.run(np.ones((9, 3)))
    with pytest.raises(TypeError, match="a Leaky has no noise"):
        snnc.Recurrent(snnc.Leaky(0.5)).run(np.ones((9, 3)), rng=3)
    with pytest.raises(TypeError, match="a Leaky has no noise"):
        snnc.Recurrent(snnc.Leaky(0.5))(np.ones(3), 0.0, 0.0, rng=np.random.default_rng(3))
    rng = np.random.default_rng(5)
    before = rng.bit_generator.state
    with pytest.raises(ValueError, match="record has 'wrong'"):
        net.run(np.ones((9, 3)), rng=rng, record="wrong")
    with pytest.raises(ValueError, match="broadcast"):
        net(np.ones(4), *net.reset_mem(), rng=rng)
    assert rng.bit_generator.state == before


def test_a_lif_with_rest_of_its_own():
    lif = snnc.LIF(20.0, dt=1.0, v_threshold=-50.0, v_rest=[-70.0, -65.0, -60.0])
    net = snnc.Recurrent(lif, np.zeros((3, 3)))
    x = np.full((20, 3), 21.0)
    assert_same(net.run(x).v, lif.run(x).v)
    net.init_hidden = True
    assert_same(np.stack([net(x_t) for x_t in x]), lif.run(x).spk if not lif.init_hidden
                else snnc.LIF(20.0, dt=1.0, v_threshold=-50.0, v_rest=[-70.0, -65.0, -60.0])
                .run(x).spk)  # fmt: skip


def test_zero_sizes_and_no_steps():
    for shape in ((0, 3), (4, 0, 3)):
        net = snnc.Recurrent(snnc.Leaky(0.5), np.ones((3, 3)))
        rec = net.run(np.zeros(shape))
        assert rec.spk.shape == shape
        assert rec.state.past.shape == (1, *shape[1:])
    empty = snnc.Recurrent(snnc.Leaky(0.5), np.ones((0, 0)))
    assert empty.run(np.zeros((4, 0))).spk.shape == (4, 0)
    assert empty.run(np.zeros((4, 2, 0)), record=("i0", "past")).past.shape == (4, 1, 2, 0)
    net = snnc.Recurrent(snnc.Leaky(0.5), 0.5, snnc.Projection(np.ones((1, 1)), delay=3))
    rec = net.run(np.ones((5, 1)))
    assert rec.spk.shape == (5, 1)
    alone = snnc.Recurrent(snnc.Leaky(0.5), 0.5, snnc.Projection(0.25, delay=3))
    single = alone.run(np.ones(5), record=("spk", *alone.states))
    assert single.past.shape == (5, 3)
    assert_same(single.spk, rec.spk[:, 0])
    spk, mem, past, i0, i1 = alone(1.0, *alone.reset_mem())
    assert past.shape == (3,)
    assert isinstance(i1, np.float32)
    start = net.run(np.ones((0, 1)), 0.5, np.ones((3, 1)), 0.25, 0.125).state
    for value, expected in zip(start, (0.5, 1, 0.25, 0.125), strict=True):
        assert np.all(value == expected)


@pytest.mark.parametrize(
    ("projections", "bias"),
    [
        ([np.zeros((0, 0))], None),
        ([csr(np.zeros((0, 0)))], None),
        ([np.zeros(0)], None),
        ([0.5, snnc.Projection(0.25, decay=np.zeros(0))], None),
        ([0.5], np.zeros(0)),
        ([snnc.Projection(0.25, decay=np.zeros(5))], None),
    ],
)
def test_a_row_of_no_neurons_is_a_row(projections, bias):
    """And zeros as decays say how many neurons there are, as other decays do."""
    net = snnc.Recurrent(snnc.Leaky(0.5), *projections, bias=bias)
    if isinstance(projections[0], np.ndarray) and projections[0].ndim == 1:
        net = snnc.RLeaky(0.5, V=projections[0], all_to_all=False)
    for shape in ((4, 64), (4, 2, 64)):
        with pytest.raises(ValueError, match=r"row of the recurrence of shape \((0|5),\)"):
            net.run(np.ones(shape))
        with pytest.raises(ValueError, match=r"row of the recurrence of shape \((0|5),\)"):
            net(np.ones(shape), *net.reset_mem())


def test_the_dtype_is_that_of_input_and_states():
    net = snnc.Recurrent(snnc.Leaky(0.5), np.ones((3, 3)))
    x = np.ones((4, 3), np.float32)
    assert net.run(x).mem.dtype == np.float32
    for states in ((np.zeros(3), 0.0, 0.0), (0.0, np.zeros((1, 3)), 0.0), (0.0, 0.0, np.zeros(3))):
        assert net.run(x, *states).mem.dtype == np.float64
    lif = snnc.Recurrent(snnc.LIF(9.0, dt=1.0, v_threshold=1.0, sigma=0.5), np.ones((3, 3)))
    assert lif.run(x, rng=0).v.dtype == np.float32
    assert lif.run(x, past=np.zeros((1, 3)), rng=0).v.dtype == np.float64
    assert lif.run(np.ones((4, 3), int), rng=0).v.dtype == np.float64


BAD = SimpleNamespace(shape=(2, 3), data=np.ones(3), indices=[0, 2, 1], indptr=[0, 2, 3])
BAD.tocsr = lambda: BAD
ODD = SimpleNamespace(shape=(2, 2), data=np.ones(3), indices=[0, 1, 1], indptr=[0, 4, 3])
ODD.tocsr = lambda: ODD
W = np.ones((2, 2))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: snnc.Projection(np.ones((2, 3))), ValueError, r"weight has shape \(2, 3\)"),
        (lambda: snnc.Projection(np.ones((2, 2, 2))), ValueError, "weight has shape"),
        (lambda: snnc.Projection(W * 1j), TypeError, "weight has dtype complex128"),
        (lambda: snnc.Projection(W.astype(object)), TypeError, "weight has dtype object"),
        (lambda: snnc.Projection(W.astype(np.longdouble)), TypeError, "weight has dtype"),
        (lambda: snnc.Projection(np.ma.ones((2, 2))), TypeError, "weight is a masked array"),
        (lambda: snnc.Projection("a"), TypeError, "weight"),
        (lambda: snnc.Projection(None), TypeError, "weight"),
        (lambda: snnc.Projection(BAD), ValueError, r"weight has shape \(2, 3\)"),
        (lambda: snnc.Projection(ODD), ValueError, "weight.indptr must begin"),
        (lambda: snnc.Projection(W, delay=0), ValueError, "delay=0; expected an integer of at"),
        (lambda: snnc.Projection(W, delay=1.5), TypeError, "delay=1.5"),
        (lambda: snnc.Projection(W, delay=2**31), ValueError, r"delay=2147483648; expected"),
        (lambda: snnc.Projection(W, delay=2**64), ValueError, r"delay=18446744073709551616; ex"),
        (lambda: snnc.Projection(W, decay=1.5), ValueError, r"decay=1.5; expected numbers in"),
        (lambda: snnc.Projection(W, decay=-0.1), ValueError, "decay=-0.1"),
        (lambda: snnc.Projection(W, decay=np.nan), ValueError, "decay=nan"),
        (lambda: snnc.Projection(W, decay=[0.1] * 3), ValueError, r"decay has shape \(3,\)"),
        (lambda: snnc.Projection(W, decay=W), ValueError, r"decay has shape \(2, 2\)"),
        (lambda: snnc.Projection(W, decay="a"), TypeError, "decay"),
        (lambda: snnc.Recurrent(W), TypeError, "neuron=array"),
        (lambda: snnc.Recurrent(snnc.Leaky), TypeError, "neuron=<class"),
        (lambda: snnc.Recurrent(snnc.Recurrent(snnc.Leaky(0.5))), TypeError, "neuron=Recurrent"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), np.ones((2, 3))), ValueError, "projection 0: w"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W, "a"), TypeError, "projection 1: weight"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W, np.ones(3)), ValueError, "are of 2, 3 neur"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W, bias=[1, 2, 3]), ValueError, "of 2, 3 neur"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W, bias=W), ValueError, "bias has shape"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), *[W] * 17), ValueError, "17 projections"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W).run(np.ones((9, 3))), ValueError, r"row of t"),
        (lambda: snnc.Recurrent(snnc.Leaky([0.1] * 3), W).run(np.ones((9, 1))), ValueError, "row"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), np.ones((1, 1))).run(np.ones((9, 3))),
         ValueError, "last axis must be the same"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W).run(np.ones((9, 2)), past=np.ones((2, 2))),
         ValueError, r"past of shape \(2, 2\); expected the spikes of as many last steps"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W).run(np.ones((9, 2)), past=np.ones((1, 3))),
         ValueError, r"past of shape \(1, 3\) does not broadcast"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W).run(np.ones((9, 2)), i0=np.ones(3)),
         ValueError, "i0 of shape"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W).run(np.ones((9, 2)), i1=0.0), TypeError, "i1"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W)(np.ones(2), 0.0, 0.0), TypeError, "i0 is mis"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W)(np.ones(2), 0.0), TypeError, "past is"),
        (lambda: snnc.Recurrent(snnc.Leaky(0.5), W).wrong, AttributeError, "has no attribute"),
    ],
)  # fmt: skip
def test_errors_name_the_argument(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


# ---- RLeaky and RSynaptic ----

GOLDEN = list(golden("recurrent"))


def recurrent(case):
    """The neuron of a golden case, with its recurrent weights, and its start states."""
    neuron = getattr(snnc, case.model)(**case.args)
    for name in ("weight", "bias"):
        if f"param_recurrent.{name}" in case.arrays:
            setattr(neuron.recurrent, name, case.arrays[f"param_recurrent.{name}"])
    return neuron, [case.arrays[f"{state}0"] for state in neuron.states]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_snntorch(case):
    neuron, start = recurrent(case)
    a = case.arrays
    rec = neuron.run(a["x"], *start)
    assert_same(rec.spk, a["spk"])
    for name in neuron.states[1:]:
        np.testing.assert_allclose(getattr(rec, name), a[name], rtol=0, atol=2e-6)
    states = start
    for t, x in enumerate(a["x"]):
        states = neuron(x, *states)
        for name, value in zip(neuron.states, states, strict=True):
            assert_same(value, getattr(rec, name)[t])
    for value, last in zip(rec.state, states, strict=True):
        assert_same(value, last)


def test_the_goldens_have_every_kind():
    assert len(GOLDEN) == 28
    assert {case.model for case in GOLDEN} == {"RLeaky", "RSynaptic"}
    assert sum(case.args.get("inhibition", False) for case in GOLDEN) == 2


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("model", ["RLeaky", "RSynaptic"])
def test_recurrent_neurons_equal_the_reference(model, reset, delay, dtype, dense):
    rng = np.random.default_rng(3)
    options = {"threshold": 0.4, "reset_mechanism": reset, "reset_delay": delay}
    options |= {"linear_features": N, "rng": 5} if dense else {"all_to_all": False, "V": -0.3}
    decays = {"beta": 0.8} if model == "RLeaky" else {"alpha": 0.7, "beta": 0.8}
    neuron = getattr(snnc, model)(**decays, **options)
    x = rng.normal(0.1, 0.9, (T, 3, N)).astype(dtype)
    spk, *start = [rng.normal(0, 0.8, (3, N)).astype(dtype) for _ in neuron.states]
    spk = (spk > 0).astype(dtype)

    def one_step(x, states):
        p = {"threshold": 0.4, **decays}
        if model == "RLeaky" and reset == "zero":  # snnTorch's isn't Leaky's
            p = {"threshold": 0.4, "R": 1, "q": 1, "dt": 1, "keep": 0.8, "beta": 0.8}
            spk, mem = reference.step("Lapicque", x, states, p, reset=reset)
            if not delay:
                r = reference.heaviside(states[0] - np.asarray(0.4, dtype))
                mem = reference.undelayed(mem, spk, 1, r, 0.4, reset)
            return spk, mem
        return reference.step(model[1:], x, states, p, reset=reset, reset_delay=delay)

    weight = neuron.recurrent.weight if dense else neuron.V
    bias = neuron.recurrent.bias if dense else None
    spikes, *states, _, _ = reference.recurrent(
        one_step, x, start, spk[None], [np.zeros_like(spk)], [(weight, 1, 0.0)], bias
    )
    rec = neuron.run(x, spk, *start)
    for array, other in zip(rec, (spikes, *states), strict=True):
        assert_same(array, other)
    held = getattr(snnc, model)(**decays, **options, init_hidden=True, output=True)
    held.spk = spk
    for name, value in zip(neuron.states[1:], start, strict=True):
        setattr(held, name, value)
    for t, x_t in enumerate(x):
        result = held(x_t)
        for value, other in zip(result, (spikes, *states), strict=True):
            assert_same(value, other[t])
    for value, name in zip(result, neuron.states, strict=True):
        assert_same(getattr(held, name), value)
    whole = [np.array(s) for s in (spk, *start)]
    for _ in range(2):  # in place: spk is read before it is written
        for x_t in x:
            assert neuron(x_t, *whole, out=tuple(whole))[0] is whole[0]
        for value, other in zip(whole, (spikes, *states), strict=True):
            assert_same(value, other[-1])
        whole = [np.array(s) for s in (spk, *start)]
    again = neuron.run(x, *whole, out={"state": tuple(whole)})
    assert all(mine is given for mine, given in zip(again.state, whole, strict=True))
    for value, other in zip(whole, (spikes, *states), strict=True):
        assert_same(value, other[-1])
    chunks = list(neuron.run_chunks([x[:5], x[5:]], spk, *start, record=("mem", "spk")))
    assert_same(np.concatenate([c.mem for c in chunks]), states[-1])
    for copied in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert copied == neuron
        assert_same(copied.run(x, spk, *start).spk, spikes)


def test_recurrent_neurons_read_as_snntorchs():
    lif = snnc.RLeaky(0.9, linear_features=3, rng=0)
    assert_same(lif.beta, np.array(0.9))
    assert (lif.all_to_all, lif.linear_features, lif.learn_recurrent) == (True, 3, True)
    assert lif.recurrent.weight.dtype == lif.recurrent.bias.dtype == np.float32
    assert np.all(np.abs(lif.recurrent.weight) <= 1 / np.sqrt(3))
    fc = snnc.nn.Linear(3, 3, rng=0)
    assert_same(lif.recurrent.weight, fc.weight)
    assert_same(lif.recurrent.bias, fc.bias)
    assert repr(lif) == "RLeaky(beta=0.9, linear_features=3)"
    assert repr(lif.recurrent) == "<weight=float32 (3, 3), bias=float32 (3,)>"
    one = snnc.RSynaptic(0.9, 0.8, [0.5, 0.25], all_to_all=False, learn_recurrent=False)
    assert repr(one) == (
        "RSynaptic(alpha=0.9, beta=0.8, V=np.array([0.5 , 0.25]), all_to_all=False, "
        "learn_recurrent=False)"
    )
    assert_same(one.recurrent.V, one.V)
    assert one != snnc.RSynaptic(0.9, 0.8, [0.5, 0.25], all_to_all=False)
    one.V = 2.0
    one.recurrent.V = [1.0, 3.0]
    assert_same(one.V, np.array([1.0, 3.0]))
    for neuron in (lif, one):
        assert all(float(state) == 0 for state in neuron.reset_mem())
    spk, mem = lif.init_rleaky()
    spk, syn, mem = one.init_rsynaptic()
    lif.reset_mechanism = "zero"
    assert lif.run(np.ones((4, 3), np.float32), record="mem").mem.shape == (4, 3)
    for name, value in (("weight", np.ones((2, 2))), ("bias", np.ones(2)), ("bias", 1.0),
                        ("V", 1.0), ("weight", 1.0), ("wrong", 1.0)):  # fmt: skip
        with pytest.raises((ValueError, AttributeError), match=f"{name}|it has weight, bias"):
            setattr(lif.recurrent, name, value)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: snnc.RLeaky(0.9), TypeError, "linear_features is missing"),
        (lambda: snnc.RLeaky(0.9, all_to_all=False, linear_features=3), TypeError, "linear_feat"),
        (lambda: snnc.RLeaky(0.9, linear_features=0), ValueError, "linear_features=0"),
        (lambda: snnc.RLeaky(0.9, linear_features=1.5), TypeError, "linear_features=1.5"),
        (lambda: snnc.RLeaky(0.9, conv2d_channels=3), ValueError, "conv2d_channels=3"),
        (lambda: snnc.RSynaptic(0.9, 0.8, kernel_size=3), ValueError, "kernel_size=3"),
        (lambda: snnc.RLeaky(0.9, all_to_all=1), TypeError, "all_to_all=1"),
        (lambda: snnc.RLeaky(0.9, V="a", all_to_all=False), TypeError, "V"),
        (lambda: snnc.RLeaky(0.9, V=W, all_to_all=False), ValueError, r"V has shape \(2, 2\)"),
        (lambda: snnc.RLeaky(0.9, linear_features=3, state_quant=1), ValueError, "state_quant"),
        (lambda: snnc.RLeaky(0.9, linear_features=2)(np.ones(2), 0.0), TypeError, "mem is"),
        (lambda: snnc.RLeaky(0.9, linear_features=2)(np.ones(2)), TypeError, "is missing"),
        (lambda: snnc.RLeaky(0.9, linear_features=2)(np.ones(2), 0.0, 0.0, out=(None,)),
         TypeError, r"out must be a tuple of 2, \(spk, mem\)"),
        (lambda: snnc.RLeaky(0.9, linear_features=2).run(np.ones((4, 2)), np.ones(3)), ValueError,
         r"spk of shape \(3,\) does not broadcast"),
        (lambda: snnc.RLeaky(0.9, linear_features=2).run(np.ones((4, 2)), record="past"),
         ValueError, "record has 'past'"),
    ],
)  # fmt: skip
def test_recurrent_neurons_refuse(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_wrong_private_calls_keep_their_references():
    capsule = snnc.Projection(W)._weights.capsule
    cell = snnc.Leaky(0.5)._configuration.cell
    before = sys.getrefcount(capsule)
    ends = [(), (2**64, None), ("a", None), (0, None), (1, "a"), (1, np.ones(3))]
    for projection in [capsule, (cell, 1, None), *((capsule, *end) for end in ends)]:
        with pytest.raises((TypeError, ValueError, OverflowError, SystemError)):
            _core.recurrence(cell, None, (projection,), "past")
    del projection
    assert sys.getrefcount(capsule) == before


def test_only_who_asks_for_sparse_weights_has_them_put_together(monkeypatch):
    def refused(weights):
        raise AssertionError

    net = snnc.Recurrent(snnc.LIF(20.0, dt=1.0, v_threshold=1.0), csr(W), csr(2 * W))
    data = np.ones(4)
    with monkeypatch.context() as patched:
        patched.setattr(Weights, "given", refused)
        other = snnc.Recurrent(net.neuron, *net.projections, bias=0.5)
        assert other.v_threshold == 1
        assert other.bias == 0.5
        net.v_threshold = 2.0
        net.init_hidden = True
        assert "weight1" in net._parameters
        net.run(np.ones((3, 2)))
        with pytest.raises(AssertionError):
            net.weight0  # noqa: B018  # raises
    assert_same(net.weight0, data)
    assert_same(net._parameters["weight1"], 2 * data)


def test_numbers_too_large_for_float32_are_inf_without_a_warning():
    """As those of an input are (pytest makes an error of a warning)."""
    x, large = np.ones((3, 2), np.float32), np.full(2, 1e300)
    weight = np.full((2, 2), 1e300)
    one = snnc.Leaky(0.9)
    spk, narrow = np.ones(2, np.float32), {"dtype": np.float32}
    for mem in (
        one.run(x, large, **narrow).mem,
        one.run(x, np.float64(1e300), **narrow).mem,
        one.run(x, large[:1], **narrow).mem,
        snnc.Recurrent(one, 0.1, bias=large).run(x, record="mem").mem,
        snnc.Recurrent(one, 0.1, bias=1e300).run(x, record="mem").mem,
        snnc.Recurrent(one, 0.1).run(x, past=large[None], record="mem", **narrow).mem,
        *(
            snnc.Recurrent(one, each).run(x, past=spk[None], record="mem").mem
            for each in (weight, csr(weight), large, 1e300)
        ),
        snnc.RLeaky(0.9, V=1e300, all_to_all=False).run(x, spk).mem,
    ):
        assert mem.dtype == np.float32
        assert np.isinf(mem[0]).all()
    net = snnc.Recurrent(one, weight)
    gradients = net.backward(net.run(x, grad=True), np.ones_like(x))
    assert gradients.x.dtype == np.float32
