"""The array contract: what may be passed, what comes back, what is refused, what is written."""

import itertools
import tracemalloc

import numpy as np
import pytest
from support import CLASSES, TORCH, assert_same, make

import snnc

# Of closed loops, those whose states have the shape of the neurons.
MODELS = pytest.mark.parametrize("model", [*sorted(CLASSES), "RLeaky", "RSynaptic"])
SHAPE = (3, 4)


def example(model, dtype=np.float32, shape=SHAPE, **arguments):
    """A neuron, the input of a step, and states."""
    rng = np.random.default_rng(3)
    neuron = make(model, **arguments)
    x = rng.normal(0.3, 0.8, shape).astype(dtype)
    return neuron, x, [rng.normal(0, 0.8, shape).astype(dtype) for _ in neuron.states]


def outputs(neuron):
    """What a step returns: of a closed loop the spikes are a state too."""
    return tuple(dict.fromkeys(("spk", *neuron.states)))


def sequence(model, dtype=np.float32, num_steps=9, shape=SHAPE):
    """A neuron and an input (T, ...)."""
    x = np.random.default_rng(4).normal(0.3, 0.8, (num_steps, *shape)).astype(dtype)
    return make(model), x


def layouts(x):
    """The same values in every kind of memory."""
    yield np.asfortranarray(x)
    yield np.repeat(x, 2, axis=-1)[..., ::2]
    yield np.flip(np.flip(x).copy())
    yield x.astype(x.dtype.newbyteorder())
    packed = np.zeros(x.shape, [("pad", "u1"), ("value", x.dtype)])
    packed["value"] = x
    yield packed["value"]
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen
    yield x.view(np.matrix) if x.ndim == 2 else x
    yield x.tolist() if x.dtype == np.float64 else x


# ---- operands ----


@MODELS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_step_takes_any_layout_and_changes_no_input(model, dtype):
    neuron, x, states = example(model, dtype)
    expected = neuron(x, *states)
    operands = [x, *states]
    for i, operand in enumerate(operands):
        for other in layouts(operand):
            given = list(operands)
            given[i] = other
            before = np.array(other, copy=True)
            for result, right in zip(neuron(*given), expected, strict=True):
                assert_same(result, right)
            np.testing.assert_array_equal(np.asarray(other), before)


@MODELS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_run_takes_any_layout_and_changes_no_input(model, dtype):
    neuron, x = sequence(model, dtype)
    expected = neuron.run(x)
    for other in layouts(x):
        before = np.array(other, copy=True)
        for result, right in zip(neuron.run(other), expected, strict=True):
            assert_same(result, right)
        np.testing.assert_array_equal(np.asarray(other), before)


@MODELS
def test_states_by_position_and_by_keyword(model):
    neuron, x, states = example(model)
    named = dict(zip(neuron.states, states, strict=True))
    for a, b in zip(neuron(x, *states), neuron(x, **named), strict=True):
        assert_same(a, b)
    for a, b in zip(neuron.run(x[None], *states), neuron.run(x[None], **named), strict=True):
        assert_same(a, b)


NARROW = [np.bool_, np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64, np.half]


@MODELS
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_dtypes_are_converted_and_compute_in_float32(model, dtype):
    """LIF computes in float64 for integers and bools, as the loops that it replaces do."""
    wide = np.float64 if model == "LIF" and dtype is not np.half else np.float32
    neuron, _, states = example(model)
    x = np.array([[0, 1, 2, 1]] * 3).astype(dtype)
    for a, b in zip(neuron(x, *states), neuron(x.astype(wide), *states), strict=True):
        assert_same(a, b)
    integers = [np.ones(SHAPE, dtype) for _ in states]
    assert all(result.dtype == wide for result in neuron(x, *integers))
    rec = neuron.run(np.stack([x, x]))
    for a, b in zip(rec, neuron.run(np.stack([x, x]).astype(wide)), strict=True):
        assert_same(a, b)


REFUSED = {
    "complex": np.ones(4, np.complex64),
    "longdouble": np.ones(4, np.longdouble),
    "object": np.array([1, None, 2, 3], object),
    "str": np.array(["a"] * 4),
    "datetime": np.zeros(4, "M8[s]"),
    "structured": np.zeros(4, [("a", "f4")]),
    "None": [None] * 4,
    "text": "1.0",
    "ragged": [[1, 2], [3]],
    "masked": np.ma.masked_array(np.ones(4, np.float32), mask=[0, 1, 0, 0]),
    "masked subclass": np.ma.masked_array(np.ones(4), mask=False),
    "iterator": iter([1.0]),
    "complex number": 1j,
}


@MODELS
@pytest.mark.parametrize("what", REFUSED)
def test_other_operands_are_refused_by_name(model, what):
    neuron = make(model)
    bad, x = REFUSED[what], np.zeros(4, np.float32)
    rest = [np.zeros(4, np.float32) for _ in neuron.states]
    errors = (TypeError, ValueError) if what == "ragged" else TypeError
    with pytest.raises(errors, match="input_"):
        neuron(bad, *rest)
    with pytest.raises(errors, match=r"\bx\b"):
        neuron.run(bad)
    for k, name in enumerate(neuron.states):
        states = [*rest[:k], bad, *rest[k + 1 :]]
        with pytest.raises(errors, match=rf"\b{name}\b"):
            neuron(x, *states)
        with pytest.raises(errors, match=rf"\b{name}\b"):
            neuron.run(x[None], *states)


def test_a_huge_int_is_refused_by_name():
    with pytest.raises(OverflowError, match="input_"):
        snnc.Leaky(0.9)(10**400, 0.0)


@MODELS
def test_computing_dtype(model):
    neuron = make(model)
    n = len(neuron.states)

    f32, f64 = np.float32(0.3), np.float64(0.3)
    weak = np.float64 if model == "LIF" else np.float32  # Python's numbers
    for result in neuron(0.2, *[0.0] * n):
        assert result.dtype == weak
    assert neuron(True, *[0] * n)[0].dtype == weak
    assert neuron(1, *[0] * n)[0].dtype == weak
    assert neuron.run(1.5, num_steps=3).spk.dtype == weak
    assert neuron(f32, *[0.5] * n)[0].dtype == np.float32
    assert neuron(f64, *[0.5] * n)[0].dtype == np.float64  # a NumPy scalar is not
    assert neuron(np.array(0.3), *[f32] * n)[0].dtype == np.float64
    assert neuron(f32, *[f32] * (n - 1), f64)[0].dtype == np.float64
    assert neuron([0.3, 0.2], *[f32] * n)[0].dtype == np.float64  # a list is np.asarray(list)
    assert neuron(np.ones(2, np.float32), *neuron._rest())[0].dtype == np.float32
    x = np.ones(3)
    for step in x:
        assert neuron(step, *[f32] * n)[0].dtype == np.float64
    assert neuron(f64, *[f64] * n, dtype=np.float32)[0].dtype == np.float32
    assert neuron(f32, *[f32] * n, dtype="float64")[0].dtype == np.float64
    assert neuron(f32, *[f32] * n, dtype=float)[0].dtype == np.float64
    assert neuron.run(np.ones(3, np.float32), dtype=np.float64).spk.dtype == np.float64
    assert neuron.run(np.ones(3), dtype=np.float32).spk.dtype == np.float32


def test_parameters_never_widen():
    lif = snnc.Leaky(beta=np.full(4, 0.9), threshold=np.ones(4))
    assert lif.beta.dtype == np.float64
    assert lif(np.zeros(4, np.float32), lif.reset_mem())[0].dtype == np.float32


def test_dtype_override_computes_in_it():
    lif = snnc.Leaky(beta=0.9)
    x = np.random.default_rng(0).random((20, 3))
    assert_same(lif.run(x, dtype=np.float32).mem, lif.run(x.astype(np.float32)).mem)
    y = x.astype(np.float32)
    assert_same(lif.run(y, dtype=np.float64).mem, lif.run(y.astype(np.float64)).mem)


@pytest.mark.parametrize("bad", [np.int32, "int8", np.float16, np.complex64, ">f4", bool])
def test_wrong_dtype_arguments(bad):
    lif = snnc.Leaky(beta=0.9)
    for call in (lambda: lif(0.1, 0.1, dtype=bad), lambda: lif.run([0.1], dtype=bad)):
        with pytest.raises(ValueError, match="dtype=.*expected float32 or float64"):
            call()
    if bad is not bool:
        with pytest.raises(ValueError, match="spk_dtype=.*expected float32, float64, uint8"):
            lif.run([0.1], spk_dtype=bad)
    for call in (lambda: lif(0.1, 0.1, dtype="wrong"), lambda: lif.run([0.1], spk_dtype="wrong")):
        with pytest.raises(TypeError, match="dtype='wrong'"):
            call()


# ---- shapes ----


@MODELS
def test_a_single_neuron_gives_scalars(model):
    neuron = make(model)
    for x in (0.2, np.float32(0.2), np.array(0.2, np.float32)):
        for result in neuron(x, *neuron._rest(), dtype=np.float32):
            assert isinstance(result, np.float32)
    rec = neuron.run(np.ones(5, np.float32))
    assert all(isinstance(state, np.float32) for state in rec.state)
    assert all(array.shape == (5,) for array in rec)


@pytest.mark.parametrize("model", TORCH)
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0), (3, 2, 0), (3, 0, 2)])
def test_no_neurons_that_inhibit_each_other(model, shape):
    neuron = make(model, inhibition=True)
    for result in neuron(np.zeros(shape, np.float32), *neuron._rest()):
        assert_same(result, np.zeros(shape, np.float32))
    for array in neuron.run(np.zeros((5, *shape)), num_threads=2):
        assert_same(array, np.zeros((5, *shape)))


@MODELS
@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0), (2, 0, 3)])
def test_no_neurons(model, shape):
    neuron = make(model)
    for result in neuron(np.zeros(shape, np.float32), *neuron._rest()):
        assert_same(result, np.zeros(shape, np.float32))
    rec = neuron.run(np.zeros((5, *shape)))
    for array in rec:
        assert_same(array, np.zeros((5, *shape)))
    assert all(events.size == 0 for events in rec.events())
    assert rec.spike_times() == []


@MODELS
def test_no_steps(model):
    neuron = make(model)
    x = np.zeros((0, 3, 4), np.float32)
    start = [np.float32(k + 0.5) for k in range(len(neuron.states))]
    rec = neuron.run(x, *start)
    for array in rec:
        assert_same(array, x)
    for state, value in zip(rec.state, start, strict=True):
        assert_same(state, np.full((3, 4), value))
    whole = [np.full((3, 4), value) for value in start]
    rec = neuron.run(x, *whole)
    for state, value in zip(rec.state, whole, strict=True):
        assert_same(state, value)
        assert not np.shares_memory(state, value)
    assert rec.steps.size == 0
    assert neuron.run(0.5, num_steps=0).spk.shape == (0,)


@MODELS
def test_broadcasting(model):
    neuron = make(model, threshold=np.float32([[0.2], [0.4]]))  # (2, 1)
    x = np.random.default_rng(1).random((6, 3)).astype(np.float32)  # neurons (3,)
    states = [np.zeros((4, 1, 1), np.float32) + k for k in range(len(neuron.states))]
    rec = neuron.run(x, *states)
    assert rec.spk.shape == (6, 4, 2, 3)
    full = neuron.run(
        np.ascontiguousarray(np.broadcast_to(x[:, None, None], (6, 4, 2, 3))),
        *(np.ascontiguousarray(np.broadcast_to(s, (4, 2, 3))) for s in states),
    )
    for a, b in zip(rec, full, strict=True):
        assert_same(a, b)
    step = neuron(x[0], *states)
    for a, b in zip(step, full, strict=True):
        assert_same(a, b[0])


def test_the_sweep_of_the_contract():
    """1000 combinations of parameters in one call equal 1000 runs."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 0.5, 200).astype(np.float32)
    a, b, thr = rng.random((3, 10))
    rec = snnc.Synaptic(a[:, None, None], b[:, None], thr).run(x)
    assert rec.spk.shape == (200, 10, 10, 10)
    for i, j, k in itertools.product(range(10), repeat=3):
        one = snnc.Synaptic(a[i], b[j], thr[k]).run(x)
        for whole, single in zip(rec, one, strict=True):
            assert_same(whole[:, i, j, k], single)


def test_a_short_input_is_never_expanded():
    """(T,) input with (N,) parameters: no (T, N) copy, whatever is not recorded."""
    x = np.random.default_rng(0).random(1000).astype(np.float32)
    lif = snnc.Leaky(beta=np.linspace(0.1, 0.9, 10_000).astype(np.float32))
    lif.run(x[:2], record=())
    tracemalloc.start()
    try:
        lif.run(x, record=())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 10_000  # the final state and little else; (T, N) would be 4e7


@MODELS
def test_layouts_are_not_copied(model):
    neuron = make(model)
    x = np.zeros((100, 64, 500), np.float32)
    views = [(x, 1), (x.transpose(1, 2, 0), 0), (x.transpose(2, 0, 1), -1), (x[:, ::2], 0)]
    for view, axis in views:
        neuron.run(view[:1, :1, :1], time_axis=axis)
        tracemalloc.start()
        try:
            neuron.run(view, time_axis=axis, record=())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < view.nbytes / 4


@MODELS
def test_shapes_that_do_not_broadcast(model):
    neuron = make(model)
    x = np.zeros((2, 3), np.float32)
    rest = [np.float32(0) for _ in neuron.states]
    for k, name in enumerate(neuron.states):
        states = [*rest[:k], np.zeros(4, np.float32), *rest[k + 1 :]]
        with pytest.raises(ValueError, match=rf"{name} of shape \(4,\).*\(2, 3\)"):
            neuron(x, *states)
        with pytest.raises(ValueError, match=rf"{name} of shape \(4,\).*\(2, 3\)"):
            neuron.run(x[None], *states)
    threshold = "v_threshold" if model == "LIF" else "threshold"
    setattr(neuron, threshold, np.ones(5))
    with pytest.raises(ValueError, match=r"threshold of shape \(5,\).*\(2, 3\)"):
        neuron(x, *rest)
    with pytest.raises(ValueError, match=r"threshold of shape \(5,\).*\(2, 3\)"):
        neuron.run(x[None])


def test_the_parameter_that_does_not_broadcast_is_named():
    x = np.zeros((2, 3), np.float32)
    for lif, name in (
        (snnc.Lapicque(R=1.0, C=np.ones(4)), "C"),
        (snnc.Lapicque(R=np.ones(4), C=2.0), "R"),
        (snnc.Alpha(alpha=np.full(4, 0.9), beta=0.8), "alpha"),
        (snnc.Alpha(alpha=0.9, beta=np.full(4, 0.8)), "beta"),
        (snnc.Leaky(0.9, graded_spikes_factor=np.ones(4)), "graded_spikes_factor"),
    ):
        with pytest.raises(ValueError, match=rf"^{name} of shape \(4,\)"):
            lif.run(x, num_steps=2)


@pytest.mark.parametrize("num_steps", [2**62, 2**63 - 1])
def test_sizes_that_overflow(num_steps):
    lif = snnc.Leaky(beta=0.9)
    for record in (None, ()):
        with pytest.raises(ValueError, match="too many"):
            lif.run(np.zeros((4, 4), np.float32), num_steps=num_steps, record=record)
    wide = np.broadcast_to(np.float32(0), (2**31, 1))
    with pytest.raises(ValueError, match="too large"):
        lif(wide, np.broadcast_to(np.float32(0), (2**31,)))


def test_no_neurons_for_many_steps():
    """Nothing is done for a step without neurons, nor kept for one that isn't recorded."""
    lif = snnc.Leaky(0.9)
    assert lif.run(np.zeros(0, np.float32), num_steps=2**50).spk.shape == (2**50, 0)
    tracemalloc.start()
    try:
        lif.run(np.float32(0.5), num_steps=10**6, record=())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10**5


def test_parameters_of_many_dimensions():
    x = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    for lead in (40, 62):
        beta = np.float32([0.5, 0.9]).reshape((2,) + (1,) * lead)
        many = snnc.Leaky(beta).run(x)
        assert many.mem.shape == (3, 2, *(1,) * (lead - 1), 5)
        for k, b in enumerate(beta.ravel()):
            assert_same(many.mem[:, k].reshape(3, 5), snnc.Leaky(b).run(x).mem)
    beta = np.float32([0.5, 0.9]).reshape((2,) + (1,) * 63)
    assert snnc.Leaky(beta)(np.float32(1), np.float32(0))[1].shape == beta.shape


def test_too_many_dimensions():
    x = np.zeros((1,) * 64, np.float32)
    assert snnc.Leaky(0.9)(x, np.float32(0))[0].shape == x.shape
    assert snnc.Leaky(0.9).run(x).spk.shape == x.shape
    with pytest.raises(ValueError, match="no room for a time axis"):
        snnc.Leaky(0.9).run(x, num_steps=2)


@pytest.mark.parametrize(
    ("num_steps", "error"),
    [(-1, ValueError), (2**64, ValueError), (1.5, TypeError), ("3", TypeError), ([3], TypeError)],
)
def test_wrong_num_steps(num_steps, error):
    with pytest.raises(error, match="num_steps="):
        snnc.Leaky(0.9).run(0.5, num_steps=num_steps)


def test_num_steps_takes_any_integer():
    assert snnc.Leaky(0.9).run(0.5, num_steps=np.int8(3)).spk.shape == (3,)


def test_input_without_a_time_axis():
    with pytest.raises(TypeError, match="no time axis.*num_steps"):
        snnc.Leaky(0.9).run(np.float32(0.5))


@pytest.mark.parametrize("axis", [2, -3, 2**40])
def test_wrong_time_axis(axis):
    with pytest.raises(ValueError, match=f"time_axis={axis}"):
        snnc.Leaky(0.9).run(np.zeros((3, 4)), time_axis=axis)
    with pytest.raises(ValueError, match=f"time_axis={axis}"):
        snnc.Leaky(0.9).run(np.zeros(4), num_steps=3, time_axis=axis)
    with pytest.raises(TypeError, match=r"time_axis=1\.5"):
        snnc.Leaky(0.9).run(np.zeros((3, 4)), time_axis=1.5)


def test_time_axis_with_num_steps_and_broadcasting():
    lif = snnc.Leaky(beta=np.float32([[0.5], [0.9]]))
    x = np.random.default_rng(0).random((3,)).astype(np.float32)
    plain = lif.run(x, num_steps=7)
    for axis in (0, 1, 2, -1, -2, -3):
        rec = lif.run(x, num_steps=7, time_axis=axis)
        assert_same(np.moveaxis(rec.mem, axis, 0), plain.mem)


def test_inhibition_needs_two_dimensions():
    lif = snnc.Leaky(0.9, inhibition=True)
    for shape in ((), (5,)):
        with pytest.raises(ValueError, match="inhibition.*two or more dimensions"):
            lif(np.zeros(shape, np.float32), np.float32(0))
        with pytest.raises(ValueError, match="inhibition.*two or more dimensions"):
            lif.run(np.zeros((2, *shape), np.float32))


# ---- outputs and overlap ----


@MODELS
def test_out_returns_the_same_objects(model):
    neuron, x, states = example(model)
    expected = neuron(x, *states)
    out = tuple(np.full(SHAPE, 9, np.float32) for _ in expected)
    results = neuron(x, *states, out=out)
    assert all(a is b for a, b in zip(results, out, strict=True))
    for result, right in zip(results, expected, strict=True):
        assert_same(result, right)
    for k in range(len(out)):
        some = tuple(np.empty(SHAPE, np.float32) if i == k else None for i in range(len(out)))
        results = neuron(x, *states, out=some)
        assert results[k] is some[k]
        for result, right in zip(results, expected, strict=True):
            assert_same(result, right)


@MODELS
def test_0d_out_is_filled(model):
    neuron = make(model)
    out = tuple(np.empty((), np.float32) for _ in outputs(neuron))
    results = neuron(np.float32(3), *neuron._rest(), out=out)
    assert all(a is b for a, b in zip(results, out, strict=True))
    for a, b in zip(out, neuron(np.float32(3), *neuron._rest()), strict=True):
        assert a[()] == b


@MODELS
def test_in_place(model):
    neuron, x, states = example(model)
    expected = neuron(x, *states)
    given = dict(zip(neuron.states, states, strict=True))
    names = outputs(neuron)
    results = neuron(x, *states, out=tuple(given.get(name) for name in names))
    for name, result in zip(names, results, strict=True):
        assert result is given.get(name, result)
    for result, right in zip(results, expected, strict=True):
        assert_same(result, right)


@MODELS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1, 5, 64, 100])
def test_outputs_that_overlap_inputs(model, length, dtype):
    """Whatever an output overlaps, wholly or shifted, the result is as if it didn't."""
    neuron, x, states = example(model, dtype, (length,))
    expected = neuron(x, *states)
    names = ["input_", *neuron.states]
    for source, target, shift in itertools.product(
        range(len(names)), range(len(expected)), [-3, -1, 0, 1, 3]
    ):
        room = np.zeros(length + 8, dtype)
        operands = [x.copy(), *(state.copy() for state in states)]
        room[4 : 4 + length] = operands[source]
        operands[source] = room[4 : 4 + length]
        out = [None] * len(expected)
        out[target] = room[4 + shift : 4 + shift + length]
        for result, right in zip(neuron(*operands, out=tuple(out)), expected, strict=True):
            assert_same(result, right)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_states_swapped_among_the_outputs(order):
    neuron, x, states = example("Alpha")
    expected = neuron(x, *states)
    results = neuron(x, *states, out=(None, *(states[i] for i in order)))
    for result, right in zip(results, expected, strict=True):
        assert_same(result, right)


@MODELS
def test_a_broadcast_state_that_overlaps_its_output(model):
    neuron, x, states = example(model)
    for k in range(len(states)):
        room = np.zeros(SHAPE, np.float32)
        room[1] = states[k][1]
        given = [*states[:k], room[1], *states[k + 1 :]]
        expected = neuron(x, *[np.array(g) for g in given])
        out = [None] * len(outputs(neuron))
        out[outputs(neuron).index(neuron.states[k])] = room
        for result, right in zip(neuron(x, *given, out=tuple(out)), expected, strict=True):
            assert_same(result, right)


@MODELS
def test_outputs_that_overlap_each_other(model):
    neuron, x, states = example(model)
    n = len(outputs(neuron))
    for a, b in itertools.combinations(range(n), 2):
        room = np.zeros((4, 4), np.float32)
        for first, second in ((room[:3], room[:3]), (room[:3], room[1:])):
            out = [None] * n
            out[a], out[b] = first, second
            with pytest.raises(ValueError, match="share memory"):
                neuron(x, *states, out=tuple(out))
            assert not room.any()


BAD_OUT = {
    "shape": (np.zeros((4, 3), np.float32), "shape"),
    "dtype": (np.zeros(SHAPE, np.float64), "dtype float64"),
    "int": (np.zeros(SHAPE, np.int32), "dtype int32"),
    "order": (np.zeros(SHAPE[::-1], np.float32).T, "not C-contiguous"),
    "stride": (np.zeros((3, 8), np.float32)[:, ::2], "not C-contiguous"),
    "byte order": (np.zeros(SHAPE, ">f4"), "dtype >f4"),
    "list": ([[0.0] * 4] * 3, "must be an array"),
    "number": (0.0, "must be an array"),
    "scalar": (np.float32(0), "must be an array"),
    "other scalar": (np.int8(0), "must be an array"),
}
READ_ONLY = np.zeros(SHAPE, np.float32)
READ_ONLY.flags.writeable = False
BAD_OUT["read-only"] = (READ_ONLY, "read-only")
BAD_OUT["masked"] = (np.ma.zeros(SHAPE, np.float32), "masked array")
UNALIGNED = np.zeros(12 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(SHAPE)
BAD_OUT["unaligned"] = (UNALIGNED, "not aligned")


@MODELS
@pytest.mark.parametrize("what", BAD_OUT)
def test_wrong_out_is_refused_by_name_and_nothing_is_written(model, what):
    neuron, x, states = example(model)
    bad, message = BAD_OUT[what]
    names = outputs(neuron)
    for k, name in enumerate(names):
        out = [np.full(SHAPE, 7, np.float32) for _ in names]
        out[k] = bad
        with pytest.raises((TypeError, ValueError), match=f"out: {name} .*{message}"):
            neuron(x, *states, out=tuple(out))
        assert all(np.all(out[i] == 7) for i in range(len(names)) if i != k)
        recorded = {name: bad[None] if isinstance(bad, np.ndarray) else bad}
        with pytest.raises((TypeError, ValueError), match=f"out: {name} .*{message}"):
            neuron.run(x[None], *states, out=recorded)
    with pytest.raises((TypeError, ValueError), match=message):
        neuron.run(x[None], *states, out={"state": (bad,) * len(states)})


@pytest.mark.parametrize("out", [(), (None,), (None,) * 4, [None] * 3, np.zeros(3), "abc", {}])
def test_out_of_a_step_is_a_tuple_of_all(out):
    neuron, x, states = example("Synaptic")
    with pytest.raises(TypeError, match="out must be a tuple of 3"):
        neuron(x, *states, out=out)


def test_the_closed_loop_allocates_nothing():
    rng = np.random.default_rng(0)
    n = 40
    lif = snnc.Leaky(beta=0.9)
    W = rng.normal(0, 0.6, (n, n)).astype(np.float32)
    spk, mem, cur = (np.zeros(n, np.float32) for _ in range(3))
    mem += 1.5
    other_spk, other_mem = spk.copy(), mem.copy()

    def loop(steps):
        for _ in range(steps):
            np.matmul(W, spk, out=cur)
            lif(cur, mem, out=(spk, mem))

    spk[:] = other_spk[:] = rng.random(n) < 0.5
    for _ in range(50):
        other_spk, other_mem = lif(W @ other_spk, other_mem)
    loop(50)
    assert_same(spk, other_spk)
    assert_same(mem, other_mem)
    tracemalloc.start()
    try:
        loop(5)
        before, _ = tracemalloc.get_traced_memory()
        loop(500)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 2000  # not one array of these, which would be 160 bytes a step
    assert after - before < 1000


# ---- outputs of run ----


@MODELS
def test_run_reuses_an_earlier_recording(model):
    neuron, x = sequence(model, num_steps=20)
    whole = neuron.run(x)
    rec = neuron.run(x[:10])
    arrays, states = list(rec), list(rec.state)
    more = neuron.run(x[10:], *rec.state, out=rec)
    assert all(a is b for a, b in zip(more, arrays, strict=True))
    assert all(a is b for a, b in zip(more.state, states, strict=True))
    for array, right in zip(more, whole, strict=True):
        assert_same(array, right[10:])
    for state, right in zip(more.state, whole.state, strict=True):
        assert_same(state, right)


@MODELS
def test_run_reuses_a_recording_of_a_single_neuron(model):
    neuron = make(model)
    x = np.random.default_rng(0).random(20).astype(np.float32)
    whole = neuron.run(x)
    rec = neuron.run(x[:10])
    more = neuron.run(x[10:], *rec.state, out=rec)
    assert all(a is b for a, b in zip(more, rec, strict=True))
    assert all(isinstance(state, np.float32) for state in more.state)
    for array, right in zip(more, whole, strict=True):
        assert_same(array, right[10:])
    zero_d = tuple(np.empty((), np.float32) for _ in neuron.states)
    filled = neuron.run(x, out={"state": zero_d})
    assert all(a is b for a, b in zip(filled.state, zero_d, strict=True))
    for a, b in zip(zero_d, whole.state, strict=True):
        assert a[()] == b


@MODELS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_run_out_with_every_overlap(model, axis):
    """Start states out of the recordings, x among the outputs: as if nothing overlapped."""
    neuron, x = sequence(model, num_steps=6)
    x = np.ascontiguousarray(np.moveaxis(x, 0, axis))
    first = neuron.run(x, time_axis=axis)
    last = [np.take(getattr(first, name), -1, axis) for name in neuron.states]
    right = neuron.run(x, *last, time_axis=axis)
    starts = [np.moveaxis(getattr(first, name), axis, 0)[-1] for name in neuron.states]
    arrays = (getattr(first, name) for name in neuron.states)
    assert all(np.shares_memory(a, b) for a, b in zip(starts, arrays, strict=True))
    again = neuron.run(x, *starts, time_axis=axis, out=first)
    for a, b in zip((*again, *again.state), (*right, *right.state), strict=True):
        assert_same(a, b)
    for name in outputs(neuron):
        same = x.copy()
        rec = neuron.run(same, time_axis=axis, out={name: same})
        assert getattr(rec, name) is same
        for a, b in zip(rec, neuron.run(x, time_axis=axis), strict=True):
            assert_same(a, b)


def test_run_outputs_that_overlap_each_other():
    lif, x = sequence("Synaptic")
    room = np.zeros((10, *SHAPE), np.float32)
    with pytest.raises(ValueError, match="share memory"):
        lif.run(x, out={"syn": room[:9], "mem": room[1:]})
    with pytest.raises(ValueError, match="share memory"):
        lif.run(x, out={"spk": room[:9], "state": (room[3], None)})
    with pytest.raises(ValueError, match="share memory"):
        lif.run(x, out={"state": (room[3], room[3])})
    assert not room.any()


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([], TypeError, "Recording or a dict"),
        ((), TypeError, "Recording or a dict"),
        ({"count": None}, ValueError, "out has 'count'; expected names"),
        ({"syn": None}, ValueError, "out has 'syn'; expected names"),
        ({"state": np.zeros(3)}, ValueError, "'state' must be a tuple of 1"),
        ({"state": (None, None)}, ValueError, "'state' must be a tuple of 1"),
    ],
)
def test_wrong_out_of_run(out, error, message):
    with pytest.raises(error, match=message):
        snnc.Leaky(0.9).run(np.zeros((3, 4)), out=out)
    with pytest.raises(ValueError, match="out has 'mem'; expected names out of what is recorded"):
        snnc.Leaky(0.9).run(np.zeros((3, 4)), record="spk", out={"mem": np.zeros((3, 4))})


def test_final_states_share_no_memory_with_recordings():
    for axis in (0, 1):
        rec = snnc.Alpha(0.9, 0.8).run(np.ones((3, 4), np.float32), time_axis=axis)
        for state, array in itertools.product(rec.state, rec):
            assert not np.shares_memory(state, array)


def test_wrong_steps_write_nothing():
    """Arguments are checked before the first write, held states included."""
    lif = snnc.Leaky(0.9, init_hidden=True)
    lif(np.ones(4, np.float32))
    before = lif.mem
    out = np.full(4, 7, np.float32)
    for wrong in (
        lambda: lif(np.ones(5, np.float32), out=(out,)),
        lambda: lif(np.ones(4, np.complex64), out=(out,)),
        lambda: lif(np.ones(4, np.float32), np.zeros(4), out=(out,)),
        lambda: lif.run(np.ones((2, 5), np.float32)),
        lambda: lif.run(np.ones((2, 4), np.float32), out={"spk": np.zeros(3)}),
        lambda: lif.run(np.ones((2, 4), np.float32), np.zeros(4)),
        lambda: lif.run(np.ones((2, 4), np.float32), record="wrong"),
    ):
        with pytest.raises((TypeError, ValueError)):
            wrong()
        assert_same(lif.mem, before)
        assert np.all(out == 7)


def test_tensors_and_other_array_likes():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.ones(3, np.float32)

    spk, mem = snnc.Leaky(0.9)(Tensor(), Tensor())
    assert_same(mem, np.full(3, np.float32(1.9)))


@MODELS
def test_one_neuron_for_many_shapes(model):
    """Its parameters are expanded to each, also where only lengths differ."""
    threshold = np.array([[0.3], [0.9]])
    neuron = make(model, threshold=threshold)
    rng = np.random.default_rng(0)
    for shape in ((2, 3), (2, 5), (4, 2, 3), (4, 2, 5), (1, 2, 3), (2, 1), (2, 3)):
        x = rng.random((6, *shape))
        for dtype in (np.float32, np.float64):
            fresh = make(model, threshold=threshold).run(x.astype(dtype))
            for one, other in zip(neuron.run(x.astype(dtype)), fresh, strict=True):
                assert_same(one, other)


@pytest.mark.parametrize("form", [np.uint8, np.bool_, "packed"])
def test_weighted_spikes_fit_no_bytes(form):
    """Also where nothing else keeps a run from the shortest way through."""
    lif = snnc.Leaky(0.9, graded_spikes_factor=2.0)
    x = np.ones((3, 4), np.float32)
    for record in ("spk", ("spk", "mem")):
        with pytest.raises(ValueError, match="can't hold spikes weighted"):
            lif.run(x, record=record, spk_dtype=form)


@MODELS
def test_reversed_views_that_overlap_outputs(model):
    """Longer than what is read at once, as an input and as a state."""
    neuron, n = make(model), 20_000
    values = np.random.default_rng(1).random(3 * n).astype(np.float32)
    backwards = slice(2 * n - 1, n - 1, -1)
    states = [np.full(n, 0.25, np.float32) for _ in neuron.states]
    for place in range(2):
        operands = [states[0], *states]
        for start in (0, n // 2, n, n + 7, 3 * n // 2, 2 * n):  # of the output
            operands[place * len(states)] = values[backwards]
            expected = neuron(*operands)
            memory = values.copy()
            operands[place * len(states)] = memory[backwards]
            out = (memory[start : start + n], *(None for _ in outputs(neuron)[1:]))
            for one, other in zip(neuron(*operands, out=out), expected, strict=True):
                assert_same(one, other)


@MODELS
def test_parameters_longer_than_a_strip_in_later_rows(model):
    """Each row of a batch has the parameters of its first: where tiles cut rows, too."""
    n = 6000
    rng = np.random.default_rng(2)
    neuron = make(model, threshold=rng.uniform(0.2, 0.9, n))
    x = rng.random((5, 3, n)).astype(np.float32)
    together = neuron.run(x, record=("count", "spk"), spk_dtype="packed")
    whole = neuron.run(x)
    for row in range(3):
        alone = neuron.run(x[:, row])
        assert_same(whole.spk[:, row], alone.spk)
        assert_same(together.count[row], alone.spk.sum(axis=0).astype(np.int64))
