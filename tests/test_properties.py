"""Properties of every model: cutting time, batches and layouts changes no bit."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from support import KINDS, TORCH, assert_same, csr, kind, make

import snnc

settings.register_profile("snnc", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("snnc")

DTYPES = st.sampled_from([np.float32, np.float64])
DIMS = st.lists(st.integers(0, 6), max_size=3).map(tuple)


@st.composite
def neurons(draw, kinds=KINDS):
    model, *rest = draw(st.sampled_from(kinds))
    return make(model, **kind(model, *rest))


@st.composite
def closed_loops(draw, neuron, n):
    """The neuron, n of it in a row, in a closed loop of one or two projections."""
    values = st.floats(-2, 2, width=32)
    weights = [
        hnp.arrays(np.float64, (n, n), elements=values),
        hnp.arrays(np.float64, (n, n), elements=values).map(csr),
        hnp.arrays(np.float64, n, elements=values),
        values,
    ]
    projections = [
        snnc.Projection(
            draw(st.one_of(weights)),
            delay=draw(st.integers(1, 4)),
            decay=draw(st.sampled_from([0.0, 0.5, 1.0])),
        )
        for _ in range(draw(st.integers(1, 2)))
    ]
    bias = draw(st.sampled_from([None, 0.25]))
    return snnc.Recurrent(neuron, *projections, bias=bias)


@st.composite
def runs(draw, dims=DIMS, steps=st.integers(0, 20), kinds=KINDS, loops=False):
    """A neuron, its input (T, ...) and its start states, some of which broadcast.

    With `loops` it may be in a closed loop.
    """
    neuron, dtype, shape = draw(neurons(kinds)), draw(DTYPES), draw(dims)
    full = [shape] * len(neuron.states)
    if loops and shape and shape[-1] and draw(st.booleans()):
        neuron = draw(closed_loops(neuron, shape[-1]))
        past = (max(projection.delay for projection in neuron.projections), *shape)
        full = [past if name == "past" else shape for name in neuron.states]
    width = 32 if dtype is np.float32 else 64
    values = st.floats(-4, 4, width=width)
    x = draw(hnp.arrays(dtype, (draw(steps), *shape), elements=values))
    states = [
        draw(hnp.arrays(dtype, draw(st.sampled_from([own, ()])), elements=values)) for own in full
    ]
    return neuron, x, states


def everything(neuron):
    """What a run can record: also what a closed loop records only if it is asked for it."""
    return ("spk", *neuron.states)


def assert_equal_records(a, b):
    for one, other in zip((*a, *a.state), (*b, *b.state), strict=True):
        assert_same(one, other)


@given(runs(steps=st.integers(1, 20), loops=True))
def test_run_equals_steps(case):
    neuron, x, states = case
    rec = neuron.run(x, *states, record=everything(neuron))
    for t, x_t in enumerate(x):
        results = neuron(x_t, *states)
        for array, result in zip(rec, results, strict=True):
            assert_same(array[t], result)
        _, *states = results
    for state, last in zip(rec.state, states, strict=True):
        assert_same(state, last)


@given(runs(loops=True), st.data())
def test_run_in_two_parts(case, data):
    neuron, x, states = case
    cut = data.draw(st.integers(0, len(x)))
    record = everything(neuron)
    whole, first = (neuron.run(part, *states, record=record) for part in (x, x[:cut]))
    second = neuron.run(x[cut:], *first.state, record=record)
    for array, a, b in zip(whole, first, second, strict=True):
        assert_same(array, np.concatenate([a, b]))
    for state, last in zip(whole.state, second.state, strict=True):
        assert_same(state, last)


@given(runs(dims=st.tuples(st.integers(1, 6), st.integers(1, 6))), st.data())
def test_neurons_are_independent(case, data):
    neuron, x, states = case
    states = [np.broadcast_to(state, x.shape[1:]) for state in states]
    order = data.draw(st.permutations(range(x.shape[1])))
    keep = order[: data.draw(st.integers(1, len(order)))]
    whole = neuron.run(x, *states)
    part = neuron.run(x[:, keep], *(state[keep] for state in states))
    for array, kept in zip(whole, part, strict=True):
        assert_same(array[:, keep], kept)


@st.composite
def relaid(draw, x):
    """The same values in another memory layout."""
    axes = draw(st.permutations(range(x.ndim)))
    y = x.transpose(axes).copy(order="C").transpose(np.argsort(axes))
    for axis in range(x.ndim):
        if draw(st.booleans()):
            y = np.flip(np.flip(y, axis).copy(order="K"), axis)
        if draw(st.booleans()):
            y = np.repeat(y, 2, axis)[(slice(None),) * axis + (slice(None, None, 2),)]
    return y


@given(runs(loops=True), st.data())
def test_layout_changes_nothing(case, data):
    neuron, x, states = case
    plain = neuron.run(x, *states, record=everything(neuron))
    y = data.draw(relaid(x))
    other = [data.draw(relaid(state)) for state in states]
    before = y.copy()
    assert_equal_records(plain, neuron.run(y, *other, record=everything(neuron)))
    assert_same(y, before)


@given(runs(loops=True), st.data())
def test_time_axis(case, data):
    neuron, x, states = case
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    plain = neuron.run(x, *states, record=everything(neuron))
    y = data.draw(relaid(np.moveaxis(x, 0, axis)))
    record = everything(neuron)
    moved = neuron.run(y, *states, time_axis=axis, spk_dtype=np.uint8, record=record)
    assert_same(np.moveaxis(moved.spk, axis, 0), plain.spk.astype(np.uint8))
    for name in neuron.states:
        assert getattr(moved, name).flags.c_contiguous
        time_first = 0 if name == "past" else axis
        assert_same(np.moveaxis(getattr(moved, name), time_first, 0), getattr(plain, name))
    for one, other in zip(moved.state, plain.state, strict=True):
        assert_same(one, other)
    for one, other in zip(moved.events(), plain.events(), strict=True):
        assert_same(one, other)


@given(runs(loops=True), st.integers(0, 9))
def test_held_input_equals_a_repeated_one(case, num_steps):
    neuron, x, states = case
    if len(x) == 0:
        return
    repeated = np.repeat(x[:1], num_steps, axis=0)
    assert_equal_records(
        neuron.run(repeated, *states), neuron.run(x[0], *states, num_steps=num_steps)
    )
    view = np.broadcast_to(x[0], (num_steps, *x.shape[1:]))
    assert_equal_records(neuron.run(repeated, *states), neuron.run(view, *states))


@given(runs(loops=True), st.data())
def test_what_is_recorded_changes_nothing(case, data):
    neuron, x, states = case
    names = everything(neuron)
    record = data.draw(st.lists(st.sampled_from(names), unique=True))
    dtype = data.draw(st.sampled_from([None, np.float32, np.float64, np.uint8, np.bool_]))
    plain = neuron.run(x, *states, record=names)
    rec = neuron.run(x, *states, record=record, spk_dtype=dtype)
    assert [array.dtype for array in rec] == [
        np.dtype(dtype) if name == "spk" and dtype else plain.spk.dtype for name in record
    ]
    for name, array in zip(record, rec, strict=True):
        assert_same(array, getattr(plain, name).astype(array.dtype))
    for one, other in zip(rec.state, plain.state, strict=True):
        assert_same(one, other)


@given(
    runs(
        dims=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
        kinds=[case for case in KINDS if case[0] in TORCH],
    ),
    st.data(),
)
def test_inhibition_lets_one_of_each_row_fire(case, data):
    neuron, x, states = case
    neuron.inhibition = True
    rec = neuron.run(x, *states)
    assert np.all(rec.spk.sum(axis=2) <= 1)
    axis = data.draw(st.integers(0, 3))
    moved = neuron.run(np.moveaxis(x, 0, axis), *states, time_axis=axis)
    assert_same(np.moveaxis(moved.spk, axis, 0), rec.spk)
    assert_same(np.moveaxis(moved.mem, axis, 0), rec.mem)
    row = data.draw(st.integers(0, x.shape[1] - 1))
    alone = neuron.run(
        x[:, row : row + 1],
        *(np.broadcast_to(s, x.shape[1:])[row : row + 1] for s in states),
    )
    assert_same(alone.spk, rec.spk[:, row : row + 1])
