"""The core against reference.py, over every model, option and kind of parameter."""

import zlib

import numpy as np
import pytest
import reference
from support import KINDS, TORCH, assert_same, kind, make

from snnc import _core

pytestmark = pytest.mark.filterwarnings("ignore:(alpha|beta) is clipped")  # on purpose

T, SHAPE = 12, (3, 5, 7)

# What shapes parameters may have: the shape that the model's first and its second parameter have.
SHAPES = {
    "scalar": ((), ()),
    "shape (1,)": ((1,), ()),
    "neuron": ((7,), (7,)),
    "mixed": ((), (7,)),
    "channel": ((5, 1), (1, 1)),
    "batch": ((3, 1, 1), ()),
    "crossed": ((5, 1), (7,)),
    "all": (SHAPE, (5, 7)),
}
INHIBITED = [case for case in KINDS if case[0] in TORCH]


def parameters(model, rng, shapes):
    """Random parameters of those shapes, the threshold of the second."""
    first, second = SHAPES[shapes]
    p = {"threshold": rng.uniform(0.1, 1.0, second)}
    if model == "Lapicque":
        return p | {"R": rng.uniform(0.5, 2, first), "C": rng.uniform(2, 9, second)}
    if model == "LIF":
        p |= {"tau_m": rng.uniform(2, 9, first), "v_rest": rng.uniform(-1, 0, second)}
        return p | {"t_ref": rng.integers(0, 5, first), "R": rng.uniform(0.5, 2, second)}
    p["beta"] = rng.uniform(0, 0.6, second)
    if model == "Leaky":
        return p | {"beta": rng.uniform(0, 1.2, first)}
    return p | {"alpha": rng.uniform(0.65, 1.0, first)}


def constants(neuron, dtype):
    with np.errstate(all="ignore"):
        return neuron._constants(neuron._parameters, neuron._options, dtype)


def case(model, reset, delay, dtype, shapes, shape=SHAPE, special=False, **options):
    """A neuron, its input and start states, and what the reference makes of them."""
    rng = np.random.default_rng(zlib.crc32(f"{model} {reset} {delay} {shapes}".encode()))
    options |= kind(model, reset, delay)
    p = parameters(model, rng, shapes)
    if special and p["threshold"].size > 3:
        p["threshold"].flat[3] = np.inf
    neuron = make(model, **p, **options)
    x = rng.normal(0.2, 0.8, (T, *shape)).astype(dtype)
    if special:
        values = [np.nan, np.inf, -np.inf, -0.0, 1e-40, np.finfo(dtype).max]
        where = rng.integers(0, x.size, 60)
        x.flat[where] = np.resize(values, where.size)
    states = [rng.normal(0, 0.8, shape).astype(dtype) for _ in neuron.states]
    if special:  # ties with the threshold, at the start and after the first step
        threshold = np.broadcast_to(p["threshold"], shape).astype(dtype)
        states[0 if model == "LIF" else -1][0] = threshold[0]
        if model == "Leaky":
            states[-1][-1], x[0, -1] = 0, threshold[-1]
    expected = reference.run(
        model,
        x,
        states,
        constants(neuron, dtype),
        reset=reset,
        reset_delay=delay,
        inhibition=options.get("inhibition", False),
    )
    return neuron, x, states, expected


def check(neuron, x, states, expected):
    rec = neuron.run(x, *states)
    for array, other in zip(rec, expected, strict=True):
        assert_same(array, other)
    for last, other in zip(rec.state, expected[1:], strict=True):
        assert_same(last, other[-1])
    steps = []
    for x_t in x:
        spk, *states = neuron(x_t, *states)
        steps.append((spk, *states))
    for arrays, other in zip(zip(*steps, strict=True), expected, strict=True):
        assert_same(np.stack(arrays), other)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("model", "reset", "delay"), KINDS)
def test_equals_the_reference(model, reset, delay, dtype, shapes):
    check(*case(model, reset, delay, dtype, shapes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("model", "reset", "delay"), KINDS)
def test_nan_inf_and_subnormals(model, reset, delay, dtype):
    check(*case(model, reset, delay, dtype, "mixed", special=True))


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (2, 3, 7), (3, 5, 7), (1, 5, 7), (3, 1, 7)])
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(("model", "reset", "delay"), INHIBITED)
def test_inhibition(model, reset, delay, shape, special):
    shapes = "crossed" if shape[1:] == (5, 7) else "scalar"
    for dtype in (np.float32, np.float64):
        check(*case(model, reset, delay, dtype, shapes, shape, special, inhibition=True))


def test_inhibition_takes_the_first_of_ties_and_a_nan_silences_its_row():
    lif = make("Leaky", beta=1.0, threshold=0.5, inhibition=True, reset_mechanism="none")
    spk, _ = lif(np.float32([[1, 2, 2, 0], [1, np.nan, 2, 0], [0, 0, 0, 0]]), np.float32(0))
    np.testing.assert_array_equal(spk, [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("graded", [0.5, 2.0, -1.0, 0.0, [0.5, 3.0, 1.0, 0.0, 2.0, 1.0, 0.1]])
@pytest.mark.parametrize("inhibition", [True, False])
def test_graded_spikes(graded, delay, inhibition):
    rng = np.random.default_rng(5)
    x = rng.normal(0.4, 0.5, (T, 3, 7)).astype(np.float32)
    neuron = make("Leaky", graded_spikes_factor=graded, reset_delay=delay, inhibition=inhibition)
    states = [np.zeros((3, 7), np.float32)]
    for reset in _core.resets:
        neuron.reset_mechanism = reset
        expected = reference.run(
            "Leaky", x, states, constants(neuron, np.float32),
            reset=reset, reset_delay=delay, inhibition=inhibition,
        )  # fmt: skip
        check(neuron, x, states, expected)


def test_the_reference_has_every_model():
    assert reference.MODELS.keys() == _core.models.keys()
    assert len(KINDS) == len(TORCH) * len(_core.resets) + 2 * len(_core.resets) + 2
