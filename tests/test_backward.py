"""Gradients: snnTorch's own, the complex step through the reference, and the rules of arrays."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from support import KINDS, TORCH, assert_same, golden, inject, kind, make, torch_cell

import snnc
from snnc import surrogate

pytestmark = pytest.mark.filterwarnings("ignore:(alpha|beta) is clipped")  # on purpose

CASES = [case for case in golden("backward") if case.model in TORCH]
SURROGATES = [case for case in golden("backward") if case.model == "surrogate"]
SOFT = [k for k in KINDS if k[0] in TORCH]
NEEDS_EXP = ("sigmoid", "spike_rate_escape")

# A threshold that is a 0-d float64 array is two numbers to snnTorch: float32 where it is
# subtracted, but as it is where spikes are tested (which matters to surrogates that aren't
# constant). snnc has one, so these cases are run with the first and gone back through with the
# second. Leaky's is a float32 number.
TWO_THRESHOLDS = {
    case.name
    for case in CASES
    if "-f64-scalar-subtract" in case.name
    and case.model != "Leaky"
    and case.name.endswith(("atan", "fast_sigmoid", "sfs", *NEEDS_EXP))
}


def spike_grad(case):
    return getattr(surrogate, case.surrogate["function"])(**case.surrogate["args"])


def neuron_of(case):
    """The golden case's neuron, with its cell."""
    args = {k: np.float32(v) if isinstance(v, float) else v for k, v in case.args.items()}
    if case.model == "Lapicque":
        args = {k: v for k, v in args.items() if k not in ("beta", "R", "C")}
        args |= {"R": case.arrays["R"], "C": case.arrays["C"]}
    neuron = make(case.model, **args, spike_grad=spike_grad(case))
    if "beta" in case.args and case.model == "Lapicque":
        neuron.beta = np.float32(case.args["beta"])
    subtracted = case.reset_mechanism == "subtract"  # else the threshold is only compared with
    inject(neuron, torch_cell(case, threshold=None if subtracted else neuron.threshold))
    return neuron


def use_full_threshold(case, neuron, rec):
    """Go back from a run of TWO_THRESHOLDS by the one that its spikes were tested with."""
    if case.reset_delay is not False:  # nothing is subtracted then
        rec._tape = rec._tape._replace(cell=torch_cell(case, threshold=neuron.threshold))
        return
    a = case.arrays  # what was tested is the mem that a delayed reset would have left
    delayed = copy.copy(neuron)
    delayed.reset_delay = True
    inject(delayed, torch_cell(case, undelayed=False))
    before = [
        np.concatenate((a[f"{name}0"][None], getattr(rec, name)[:-1])) for name in neuron.states
    ]
    *_, tested = delayed(a["x"], *before)
    derivatives = iter(neuron.spike_grad(tested - neuron.threshold)[::-1])
    neuron.spike_grad = lambda excess: next(derivatives)


def check_close(actual, expected, tolerance):
    """Within a part of the largest entry."""
    assert np.shape(actual) == np.shape(expected)
    error = np.abs(np.float64(actual) - expected)
    assert np.all(error <= tolerance * np.abs(expected).max(initial=0)), error.max()


def test_the_cases_are_all_there():
    assert len(CASES) == 245
    assert len(SURROGATES) == 31
    assert len(TWO_THRESHOLDS) == 16


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_snntorch(case):
    a = case.arrays
    neuron = neuron_of(case)
    start, two = (a[f"{name}0"] for name in neuron.states), case.name in TWO_THRESHOLDS
    rec = neuron.run(a["x"], *start, grad=True, checkpoint=1 if two else 16)
    assert_same(rec.spk.astype(np.float32), a["spk"])
    if two:
        use_full_threshold(case, neuron, rec)
    grads = neuron.backward(rec, **{name: a[f"cot_{name}"] for name in ("spk", *neuron.states)})

    wide, needs_exp = case.dtype == "float64", case.surrogate["function"] in NEEDS_EXP
    tolerance, of_parameters = 2e-6 if needs_exp else 0, 1e-5
    if wide and not needs_exp:
        of_parameters = 5e-14
    for name in ("x", *(f"{name}0" for name in neuron.states)):
        if name in case.no_gradient:
            assert not np.any(getattr(grads, name))
        elif tolerance:
            check_close(getattr(grads, name), a[f"grad_{name}"], tolerance)
        else:
            np.testing.assert_array_equal(getattr(grads, name), a[f"grad_{name}"])
    names = [name for name in neuron._parameters if f"grad_{name}" in a]
    assert names
    for name in names:
        scalar = name == "threshold" and a["grad_threshold"].ndim == 0  # summed in float32
        check_close(getattr(grads, name), a[f"grad_{name}"], 1e-4 if scalar else of_parameters)


@pytest.mark.parametrize("case", [c for c in SURROGATES if "error" not in vars(c)],
                         ids=lambda case: case.name)  # fmt: skip
def test_surrogates_equal_snntorch(case):
    """Through a neuron whose mem is its input and whose threshold is 0."""
    a = case.arrays
    lif = snnc.Leaky(0.0, 0.0, reset_mechanism="none", spike_grad=spike_grad(case))
    rec = lif.run(a["x"][None], np.zeros((), a["x"].dtype), grad=True)
    assert_same(rec.spk[0].astype(np.float32), a["spk"])
    grad_x = lif.backward(rec, spk=a["cot_spk"]).x[0]
    expected = a["grad_x"]
    derivative = lif.spike_grad(a["x"])
    assert derivative.dtype == grad_x.dtype == a["x"].dtype
    np.testing.assert_allclose(derivative * a["cot_spk"], grad_x, rtol=1e-6)
    if case.surrogate["function"] == "sigmoid":  # NaN in snnTorch where its exp overflows
        lost = np.isnan(expected) & ~np.isnan(a["x"])
        assert lost.any()
        assert np.all(np.abs(grad_x[lost]) < 1e-30)
        expected, grad_x = expected[~lost], grad_x[~lost]
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(grad_x), nan)
    if case.surrogate["function"] in NEEDS_EXP:
        check_close(grad_x[~nan], expected[~nan], 2e-6)
    else:
        np.testing.assert_array_equal(grad_x, expected)


# ---- the complex step through the reference ----

ALPHA = 1.7  # of the atan


def smooth_spike(y):
    """H(y0) + s(y) - s(y0): its derivative is the surrogate's."""
    y0 = y.real

    def s(y):
        return np.arctan(np.pi / 2 * ALPHA * y) / np.pi

    return (y0 > 0) + s(y) - s(y0)


def constants_of(model, p):
    """The cell's constants, once more."""
    if model == "Lapicque":
        rc = p["R"] * p["C"]
        return {"threshold": p["threshold"], "R": p["R"], "q": 1 / rc, "dt": p["time_step"],
                "keep": 1 - p["time_step"] / rc}  # fmt: skip
    if model == "Alpha":
        log_alpha, log_beta = np.log(p["alpha"]), np.log(p["beta"])
        return {**p, "tau": log_alpha / (log_beta - log_alpha) + 1}
    return p


def loss(model, x, states, constants, cotangents, reset, delay):
    total = 0
    for t, x_t in enumerate(x):
        spk, *states = reference.step(
            model, x_t, states, constants, reset=reset, reset_delay=delay, spike=smooth_spike
        )
        for value, cotangent in zip((spk, *states), cotangents, strict=True):
            total = total + np.sum(value * cotangent[t])
    return total


def complex_step(function, value):
    """The gradient of a function of an array, element by element."""
    gradient = np.empty(value.shape)
    for i in np.ndindex(value.shape):
        z = value.astype(complex)
        z[i] += 1e-40j
        gradient[i] = function(z).imag / 1e-40
    return gradient


@pytest.mark.parametrize("each", [False, True], ids=["shared", "per-neuron"])
@pytest.mark.parametrize(("model", "reset", "delay"), SOFT)
def test_equals_the_complex_step(model, reset, delay, each):
    rng = np.random.default_rng(8)
    steps, n = 12, 3
    parameters = {
        "Lapicque": {"R": [1.0, 1.2, 0.8], "C": [5.0, 3.0, 4.0], "time_step": [1.0, 0.8, 0.9]},
        "Leaky": {"beta": [0.9, 0.8, 0.7], "graded_spikes_factor": [1.3, 0.7, 1.1]},
        "Synaptic": {"alpha": [0.8, 0.6, 0.7], "beta": [0.9, 0.7, 0.8]},
        "Alpha": {"alpha": [0.9, 0.8, 0.85], "beta": [0.7, 0.6, 0.5]},
    }[model] | {"threshold": [0.4, 0.3, 0.35]}
    p = {k: np.array(v) if each else np.array(v[0]) for k, v in parameters.items()}
    neuron = make(model, **p, **kind(model, reset, delay), spike_grad=surrogate.atan(ALPHA))
    x = rng.normal(0.9 if model == "Lapicque" else 0.3, 0.5, (steps, n))
    start = [rng.normal(0, 0.3, n) for _ in neuron.states]
    cotangents = [rng.normal(size=(steps, n)) for _ in ("spk", *neuron.states)]
    rec = neuron.run(x, *start, grad=True, checkpoint=5)
    assert 3 <= np.count_nonzero(rec.spk) <= 33
    grads = neuron.backward(rec, *cotangents)

    def of(x=x, start=start, p=p):
        constants = {k: np.asarray(v) for k, v in constants_of(model, p).items()}
        return loss(model, x.astype(complex), [s.astype(complex) for s in start], constants,
                    cotangents, reset, delay)  # fmt: skip

    # In doubles too the backward pass through an undelayed reset has snnTorch's float32 in it.
    tolerance = 1e-12 if delay or reset == "none" else 1e-6
    check_close(grads.x, complex_step(lambda z: of(x=z), x), tolerance)
    for k, name in enumerate(neuron.states):
        expected = complex_step(
            lambda z, k=k: of(start=[*start[:k], z, *start[k + 1 :]]), start[k]
        )
        check_close(getattr(grads, f"{name}0"), expected, tolerance)
    for name, value in p.items():
        expected = complex_step(lambda z, name=name: of(p={**p, name: z}), value)
        check_close(getattr(grads, name), expected, tolerance)
    if model == "Lapicque":  # beta acts through C, with R held

        def by_beta(z):
            return of(p={**p, "C": p["time_step"] / (p["R"] * np.log(1 / z))})

        beta = np.asarray(neuron.beta)
        check_close(grads.beta, complex_step(by_beta, beta), tolerance)


# ---- what gradients don't depend on ----


def a_run(model, reset, delay, shape, dtype, seed=0, steps=37, **options):
    """A neuron, the arguments of a run of some shape, and cotangents of everything."""
    rng = np.random.default_rng(seed)
    each = {
        name: rng.uniform(0.97, 1.03, shape[-1:]) * np.asarray(value)
        for name, value in make(model)._parameters.items()
        if (model, name) != ("Lapicque", "beta")
    }
    neuron = make(model, **each, **kind(model, reset, delay), **options)
    x = rng.normal(0.3, 0.7, (steps, *shape)).astype(dtype)
    states = [rng.normal(0, 0.3, shape).astype(dtype) for _ in neuron.states]
    cotangents = [rng.normal(size=(steps, *shape)).astype(dtype) for _ in ("spk", *neuron.states)]
    return neuron, x, states, cotangents


def arrays(grads):
    return {name: np.asarray(a) for name, a in grads._arrays.items()}


def assert_equal_gradients(actual, expected):
    actual, expected = arrays(actual), arrays(expected)
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert_same(actual[name], array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("model", "reset", "delay"), SOFT)
def test_checkpoints_recordings_and_threads_change_no_bit(model, reset, delay, dtype):
    neuron, x, states, cotangents = a_run(model, reset, delay, (3, 70), dtype)
    expected = neuron.backward(neuron.run(x, *states, grad=True), *cotangents)
    assert all(np.all(np.isfinite(a)) for a in arrays(expected).values())
    for checkpoint in (1, 2, 5, 36, 37, 1000):
        rec = neuron.run(x, *states, grad=True, checkpoint=checkpoint)
        assert_equal_gradients(neuron.backward(rec, *cotangents), expected)
    for options in (
        {"record": "spk", "spk_dtype": np.float64 if model == "Leaky" else "packed"},
        {"record": ("count", neuron.states[-1]), "every": 3},
        {"record": ("events", *neuron.states), "neurons": [5, 2]},
        {"record": (), "num_threads": 2},
    ):
        rec = neuron.run(x, *states, grad=True, **options)
        assert_equal_gradients(neuron.backward(rec, *cotangents, num_threads=2), expected)
    # Every surrogate but the chosen one gives other gradients of the input.
    other = copy.copy(neuron)
    other.spike_grad = surrogate.straight_through_estimator()
    assert np.any(other.backward(rec, *cotangents).x != expected.x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("model", "reset", "delay"), SOFT)
def test_threads_change_no_bit_of_a_long_run(model, reset, delay, dtype):
    neuron, x, states, cotangents = a_run(model, reset, delay, (9000,), dtype, steps=40)
    rec = neuron.run(x, *states, grad=True, num_threads=4)
    axis = [np.moveaxis(a, 0, -1) for a in (x, *cotangents)]
    last = neuron.run(axis[0], *states, time_axis=-1, grad=True, num_threads=4)
    for spike_grad in (surrogate.atan(), surrogate.SFS(), lambda y: 1 / (1 + y * y)):
        neuron.spike_grad = spike_grad
        one, more = (neuron.backward(rec, *cotangents, num_threads=n) for n in (1, 4))
        assert_equal_gradients(more, one)
        moved = neuron.backward(last, *axis[1:], num_threads=4)
        assert_same(np.moveaxis(moved.x, -1, 0), one.x)


@pytest.mark.parametrize("model", ["Leaky", "Synaptic"])
def test_a_parameter_of_each_neuron_leaves_the_others_as_they_are(model):
    """The threshold among them, which is one float32 in the product with a cotangent."""
    x = np.random.default_rng(3).normal(0.3, 0.7, (50, 4))
    grads = []
    for beta in (0.9, np.full(4, 0.9)):
        neuron = make(model, beta=beta, threshold=0.7, reset_delay=False)
        grads.append(neuron.backward(neuron.run(x, grad=True), spk=x).x)
    assert_same(grads[0], grads[1])


LAYOUTS = {
    "plain": lambda a: a,
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": lambda a: np.frombuffer(b"0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("shape", [(), (5,), (3, 70)])
def test_a_loss_that_says_the_same_of_every_step(shape):
    """Broadcast arrays: the sum of all spikes, say."""
    lif = snnc.Synaptic(0.8, 0.9)
    x = np.random.default_rng(1).normal(0.3, 0.7, (20, *shape)).astype(np.float32)
    rec = lif.run(x, grad=True, checkpoint=3)
    one = np.ones((), np.float32)
    for wide in (one, np.random.default_rng(2).normal(size=shape).astype(np.float32)):
        given = np.broadcast_to(wide, x.shape)
        expected = lif.backward(rec, given.copy(), given.copy(), given.copy())
        assert_equal_gradients(lif.backward(rec, given, given, given), expected)
    constant = lif.run(np.broadcast_to(np.float32(0.4), x.shape), grad=True)
    copied = lif.run(np.full(x.shape, 0.4, np.float32), grad=True)
    assert_equal_gradients(lif.backward(constant, x), lif.backward(copied, x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("model", TORCH)
def test_layouts_change_no_bit(model, axis, layout):
    neuron, x, states, cotangents = a_run(model, "zero", True, (5, 66), np.float64)
    expected = neuron.backward(neuron.run(x, *states, grad=True), *cotangents)
    x, *cotangents = (LAYOUTS[layout](np.moveaxis(a, 0, axis)) for a in (x, *cotangents))
    before = copy.deepcopy((x, cotangents))
    rec = neuron.run(x, *states, grad=True, time_axis=axis, num_threads=2)
    grads = neuron.backward(rec, *cotangents)
    assert_same(np.moveaxis(grads.x, axis, 0), expected.x)
    for name, array in arrays(expected).items():
        if name != "x":
            assert_same(np.asarray(getattr(grads, name)), array)
    for now, then in zip((x, *cotangents), (before[0], *before[1]), strict=True):
        np.testing.assert_array_equal(now, then)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_gradients_are_linear_in_the_cotangents(data):
    model, reset, delay = data.draw(st.sampled_from(SOFT))
    shape = data.draw(st.sampled_from([(), (1,), (7,), (2, 65)]))
    neuron, x, states, a = a_run(model, reset, delay, (*shape, 1), np.float64, steps=9,
                                 seed=data.draw(st.integers(0, 9)))  # fmt: skip
    b = [np.roll(c, 1, axis=0) for c in a]
    rec = neuron.run(x, *states, grad=True, checkpoint=data.draw(st.integers(1, 10)))
    of_a, of_b = neuron.backward(rec, *a), neuron.backward(rec, *b)
    both = neuron.backward(rec, *(2 * p - 3 * q for p, q in zip(a, b, strict=True)))
    # Where an undelayed spike resets its neuron, snnTorch's float32 is in between.
    tolerance = 1e-12 if delay else 1e-5
    for name, array in arrays(both).items():
        expected = 2 * np.asarray(getattr(of_a, name)) - 3 * np.asarray(getattr(of_b, name))
        scale = max(np.abs(getattr(of_a, name)).max(), np.abs(getattr(of_b, name)).max(), 1e-9)
        np.testing.assert_allclose(array, expected, rtol=0, atol=20 * tolerance * scale)


@pytest.mark.parametrize(("model", "reset", "delay"), SOFT)
def test_omitted_cotangents_are_zero_and_the_last_step_alone_will_do(model, reset, delay):
    neuron, x, states, cotangents = a_run(model, reset, delay, (70,), np.float32)
    rec = neuron.run(x, *states, grad=True)
    names = ("spk", *neuron.states)
    for k, name in enumerate(names):
        zeros = [c if i == k else np.zeros_like(c) for i, c in enumerate(cotangents)]
        expected = neuron.backward(rec, *zeros)
        alone = neuron.backward(rec, **{name: cotangents[k]})
        last = neuron.backward(rec, **{name: cotangents[k][-1]})
        only = np.zeros_like(cotangents[k])
        only[-1] = cotangents[k][-1]
        of_last = neuron.backward(rec, **{name: only})
        for grads, other in ((alone, expected), (last, of_last)):
            for field, array in arrays(other).items():
                np.testing.assert_array_equal(getattr(grads, field), array)
    nothing = neuron.backward(rec)
    assert all(not np.any(a) for a in arrays(nothing).values())


def test_chunks_one_after_the_other():
    """The gradient of a chunk's start states is what the chunk before is told of its last."""
    neuron, x, states, cotangents = a_run(
        "Synaptic", "subtract", True, (66,), np.float64, steps=50
    )
    whole = neuron.backward(neuron.run(x, *states, grad=True), *cotangents)
    cuts = (0, 17, 33, 50)
    recs = list(neuron.run_chunks((x[a:b] for a, b in itertools.pairwise(cuts)), *states,
                                  grad=True, checkpoint=4))  # fmt: skip
    carry = dict.fromkeys(neuron.states)
    parts, beta = [], 0
    for rec, a, b in reversed(list(zip(recs, cuts, cuts[1:], strict=False))):
        given = {
            name: c[a:b].copy() for name, c in zip(("spk", "syn", "mem"), cotangents, strict=True)
        }
        for name, g in carry.items():
            if g is not None:
                given[name][-1] += g
        grads = neuron.backward(rec, **given)
        carry = {name: getattr(grads, f"{name}0") for name in neuron.states}
        parts.insert(0, grads.x)
        beta = beta + grads.beta
    np.testing.assert_allclose(np.concatenate(parts), whole.x, rtol=1e-12)
    np.testing.assert_allclose(carry["mem"], whole.mem0, rtol=1e-12)
    np.testing.assert_allclose(beta, whole.beta, rtol=1e-12)


# ---- shapes, broadcasting, outputs ----


@pytest.mark.parametrize("model", TORCH)
def test_gradients_of_what_was_broadcast(model):
    """Of x and states for each neuron; of a parameter in its own shape."""
    neuron, x, states, cotangents = a_run(model, "subtract", True, (4, 3, 8), np.float64)
    some_x, some_states = x[:, :1, :, :1], [s[:, :1] for s in states]
    narrow = neuron.run(some_x, *some_states[:-1], states[-1], grad=True, checkpoint=7)
    wide_states = [np.broadcast_to(s, (4, 3, 8)) for s in some_states[:-1]]
    wide = neuron.run(np.broadcast_to(some_x, x.shape), *wide_states, states[-1], grad=True)
    narrow, wide = (neuron.backward(rec, *cotangents) for rec in (narrow, wide))
    assert_equal_gradients(narrow, wide)
    assert narrow.x.shape == x.shape
    for name, parameter in neuron._parameters.items():
        assert getattr(narrow, name).shape == parameter.shape


def test_a_shared_parameter_gets_the_sum():
    neuron, x, states, cotangents = a_run("Leaky", "subtract", True, (4, 9), np.float64)
    each = snnc.Leaky(np.full((4, 9), 0.8), np.full((4, 9), 0.9))
    some = snnc.Leaky(np.full((4, 1), 0.8), np.full(9, 0.9))
    one = snnc.Leaky(0.8, 0.9)
    each, some, one = (
        lif.backward(lif.run(x, *states, grad=True), *cotangents) for lif in (each, some, one)
    )
    np.testing.assert_allclose(some.beta, each.beta.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(some.threshold, each.threshold.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(one.beta, each.beta.sum(), rtol=1e-12)
    assert one.beta.shape == ()


@pytest.mark.parametrize("steps", [0, 1, 17])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0)])
def test_odd_shapes(shape, steps):
    lif = snnc.Synaptic(0.8, 0.9)
    x = np.ones((steps, *shape), np.float32)
    grads = lif.backward(
        lif.run(x, grad=True), spk=np.ones_like(x), mem=np.ones(shape, np.float32)
    )
    assert grads.x.shape == x.shape
    assert grads.x.dtype == np.float32
    assert grads.mem0.shape == grads.syn0.shape == shape
    assert grads.alpha.shape == grads.threshold.shape == ()
    if steps == 0:
        np.testing.assert_array_equal(grads.mem0, np.ones(shape))
    held = lif.run(0.5, num_steps=steps, grad=True)
    grads = lif.backward(held, spk=np.ones(steps))
    assert grads.x.shape == (steps,)


def test_input_that_is_not_float32():
    """As the run computed: of a list, of bytes, of half precision."""
    lif = snnc.Leaky(0.9)
    x = np.random.default_rng(1).integers(0, 2, (40, 70))
    cotangent = np.random.default_rng(2).normal(size=x.shape)
    expected = lif.backward(lif.run(x.astype(np.float32), grad=True), spk=cotangent)
    for other in (x, x.astype(np.uint8), x.astype(bool), x.astype(np.float16), x.tolist()):
        assert_equal_gradients(lif.backward(lif.run(other, grad=True), spk=cotangent), expected)


def test_out():
    lif = snnc.Leaky(0.9)
    x = np.random.default_rng(1).normal(0.3, 0.7, (40, 70)).astype(np.float32)
    g = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
    rec = lif.run(x, grad=True)
    expected = lif.backward(rec, spk=g, mem=g)
    out = np.full_like(x, np.nan)
    grads = lif.backward(rec, spk=g, mem=g, out=out)
    assert grads.x is out
    assert_same(out, expected.x)
    for in_place in ("spk", "mem"):
        given = {"spk": g.copy(), "mem": g.copy()}
        grads = lif.backward(rec, **given, out=given[in_place])
        assert grads.x is given[in_place]
        assert_same(grads.x, expected.x)
        assert_same(grads.beta, expected.beta)
    buffer = np.zeros((41, 70), np.float32)
    buffer[1:] = g  # an output a row off what it is computed from
    grads = lif.backward(rec, spk=buffer[1:], mem=g, out=buffer[:-1])
    assert_same(buffer[:-1], expected.x)
    for apart in (np.empty((80, 140), np.float32)[::-2, ::2], np.empty((70, 40), np.float32).T):
        assert_same(lif.backward(rec, spk=g, mem=g, out=apart).x, expected.x)
    x_too = x.copy()
    rec = lif.run(x_too, grad=True)
    assert_same(lif.backward(rec, spk=g, mem=g, out=x_too).x, expected.x)
    for bad, error in (
        (np.empty((40, 71), np.float32), r"expected float32 of shape \(40, 70\)"),
        (np.empty((40, 70)), "out: float64"),
    ):
        with pytest.raises(ValueError, match=error):
            lif.backward(rec, spk=g, out=bad)
    with pytest.raises(TypeError, match="expected an array"):
        lif.backward(rec, spk=g, out=[1.0])
    for strides in ((0, 4), (4, 4), (276, 4), (4, 8), (-4, 8)):
        overlapping = np.lib.stride_tricks.as_strided(out, strides=strides)
        with pytest.raises(ValueError, match="may overlap itself"):
            lif.backward(rec, spk=g, out=overlapping)
    empty = np.empty((4, 3, 0), np.float32)
    assert lif.backward(lif.run(empty, grad=True), out=empty.copy()).x.shape == empty.shape
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        lif.backward(rec, spk=g, out=out)


def test_a_run_into_an_earlier_recording_reuses_its_checkpoints():
    lif = snnc.Synaptic(0.8, 0.9)
    rng = np.random.default_rng(1)
    x, y = rng.normal(0.3, 0.7, (2, 40, 70)).astype(np.float32)
    expected = lif.backward(lif.run(y, grad=True), spk=y)
    first = lif.run(x, grad=True)
    checkpoints = first._tape.checkpoints
    second = lif.run(y, grad=True, out=first)
    assert all(a is b for a, b in zip(second._tape.checkpoints, checkpoints, strict=True))
    assert_equal_gradients(lif.backward(second, spk=y), expected)
    with pytest.raises(ValueError, match="expected the Recording"):
        lif.backward(first, spk=x)  # whose arrays are the second's now
    third = lif.run(y, grad=True, checkpoint=5, out=second)
    assert_equal_gradients(lif.backward(third, spk=y), expected)
    with pytest.raises(ValueError, match="out"):
        lif.run(y[:5], grad=True, out=third)  # it doesn't fit: nothing happens to it
    assert_equal_gradients(lif.backward(third, spk=y), expected)
    free = lif.run(x, out=third)
    assert free._tape is None
    for over in (lambda y: {"spk": y}, lambda y: {"state": (y[-1], y[-2])}):
        y_too = y.copy()
        rec = lif.run(y_too, grad=True, record="spk", out=over(y_too))  # over its own input
        assert_equal_gradients(lif.backward(rec, spk=y), expected)


def test_wrt():
    lif = snnc.Leaky(0.9, graded_spikes_factor=0.7)
    x = np.random.default_rng(1).normal(0.3, 0.7, (40, 70)).astype(np.float32)
    rec = lif.run(x, grad=True)
    expected = lif.backward(rec, spk=x)
    assert list(arrays(expected)) == ["x", "mem0", "beta", "threshold", "graded_spikes_factor"]
    for wrt in ("x", "beta", "threshold", ("mem0", "x"), ("graded_spikes_factor",), ()):
        names = (wrt,) if isinstance(wrt, str) else wrt
        grads = lif.backward(rec, spk=x, wrt=wrt)
        assert {*arrays(grads)} == {*names}
        for name in names:
            assert_same(getattr(grads, name), getattr(expected, name))
    with pytest.raises(AttributeError, match="'beta' was not computed .only of x.*add it to wrt="):
        _ = lif.backward(rec, spk=x, wrt="x").beta
    with pytest.raises(AttributeError, match="no attribute 'alpha'"):
        _ = expected.alpha
    with pytest.raises(TypeError, match="wrt=5; expected names"):
        lif.backward(rec, wrt=5)
    with pytest.raises(ValueError, match="wrt has 'syn0'; expected .* x, mem0, beta, threshold"):
        lif.backward(rec, spk=x, wrt="syn0")
    assert "threshold" in dir(expected)


# ---- surrogates ----


def test_surrogates_of_pythons_own(monkeypatch):
    """A callable gives what the same in C gives, however the run is cut."""
    neuron, x, states, cotangents = a_run("Synaptic", "zero", False, (2, 70), np.float32)
    rec = neuron.run(x, *states, grad=True, checkpoint=3)
    for in_c, own in (
        (surrogate.atan(2.0), lambda y: surrogate.atan(2.0)(y)),
        (surrogate.heaviside(), surrogate.custom_surrogate(lambda y, g, s: g * s)),
        (surrogate.straight_through_estimator(), np.ones_like),
        (surrogate.LSO(slope=0.5), surrogate.SSO(mean=0.5 + 0.5 / 0.2 - 0.5, variance=0.0)),
    ):
        if isinstance(own, surrogate.SSO):
            in_c = surrogate.LSO(slope=0.0)
        neuron.spike_grad = in_c
        expected = neuron.backward(rec, *cotangents)
        neuron.spike_grad = own
        import snnc._backward as module

        for size in (module._MAX_SHIFTS, 1, 1000):
            module._MAX_SHIFTS, whole = size, module._MAX_SHIFTS
            try:
                grads = neuron.backward(rec, *cotangents)
            finally:
                module._MAX_SHIFTS = whole
            assert_equal_gradients(grads, expected)
    own = type("Own", (surrogate.fast_sigmoid,), {})(slope=3)
    other = type("Own", (surrogate.atan,), {"__call__": lambda self, x: np.ones_like(x)})()
    frozen = np.ones((2, 70), np.float32)
    frozen.flags.writeable = False
    for a, b in (
        (own, surrogate.fast_sigmoid(slope=3)),
        (other, surrogate.straight_through_estimator()),
        (lambda y: frozen, surrogate.straight_through_estimator()),
    ):
        neuron.spike_grad = a
        actual = neuron.backward(rec, *cotangents)
        neuron.spike_grad = b
        assert_equal_gradients(actual, neuron.backward(rec, *cotangents))
    random = []
    for checkpoint in (1, 3, 16):
        neuron.spike_grad = surrogate.SSO(rng=3)
        kept = neuron.run(x, *states, grad=True, checkpoint=checkpoint)
        random.append(neuron.backward(kept, *cotangents))
    assert_equal_gradients(random[0], random[1])
    assert_equal_gradients(random[0], random[2])
    neuron.surrogate_disable = True
    without = neuron.backward(rec, *cotangents)
    neuron.surrogate_disable = False
    neuron.spike_grad = np.zeros_like
    assert_equal_gradients(without, neuron.backward(rec, *cotangents))
    for bad in (lambda y: y[0], lambda y: y.astype(complex), lambda y: "no"):
        neuron.spike_grad = bad
        with pytest.raises(ValueError, match="spike_grad=.* returned .* expected real numbers"):
            neuron.backward(rec, *cotangents)
    steps = itertools.count()
    neuron.spike_grad = lambda y: np.ones_like(y) if next(steps) < len(x) - 1 else 1 / 0
    out = cotangents[0].copy()  # in place, but not before nothing can fail
    monkeypatch.setattr(module, "_MAX_SHIFTS", 1)  # a segment at a time
    with pytest.raises(ZeroDivisionError):
        neuron.backward(rec, out, *cotangents[1:], out=out)
    assert_same(out, cotangents[0])
    for bad in (3, surrogate.atan):
        with pytest.raises(TypeError, match="spike_grad=.*; expected a callable"):
            neuron.spike_grad = bad


def test_surrogate_objects():
    every = [getattr(surrogate, name) for name in surrogate.__all__]
    for make_it in every:
        s = make_it(np.negative) if make_it is surrogate.custom_surrogate else make_it()
        if make_it is not surrogate.custom_surrogate:
            assert eval(repr(s), vars(surrogate)) == s
            assert pickle.loads(pickle.dumps(s)) == s
            for x in (np.float32([[0.5, -2], [3, 0]]), np.float64(0.25), [1, -1], 0.5):
                d = s(x)
                assert d.shape == np.shape(x)
                assert d.dtype == (np.float32 if getattr(x, "dtype", None) == np.float32
                                   else np.float64)  # fmt: skip
    for bad in ("2", None, True):
        with pytest.raises(TypeError, match="alpha=.*; expected a number"):
            surrogate.atan(alpha=bad)
    with pytest.raises(ValueError, match="slope=inf; expected a finite number"):
        surrogate.fast_sigmoid(np.inf)
    with pytest.raises(TypeError, match="expected a callable"):
        surrogate.custom_surrogate(3)
    with pytest.raises(TypeError, match="x=1j; expected"):
        surrogate.atan()(1j)
    lif = snnc.Leaky(0.9, spike_grad=surrogate.fast_sigmoid(slope=25), learn_beta=True)
    assert repr(lif) == (
        "Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=25), learn_beta=True)"
    )
    assert lif == pickle.loads(pickle.dumps(lif))
    assert lif != snnc.Leaky(0.9, learn_beta=True)
    assert snnc.Leaky(0.9).spike_grad == surrogate.atan(alpha=2.0)


# ---- refusals ----


def test_refusals():
    lif = snnc.Leaky(0.9)
    x = np.ones((5, 3), np.float32)
    with pytest.raises(ValueError, match=r"expected the Recording that run\(..., grad=True\)"):
        lif.backward(lif.run(x), spk=x)
    with pytest.raises(ValueError, match="expected the Recording"):
        lif.backward(None)
    rec = lif.run(x, grad=True)
    with pytest.raises(ValueError, match="rec is of a Leaky; this is a Synaptic"):
        snnc.Synaptic(0.9, 0.8).backward(rec)
    with pytest.raises(ValueError, match=r"spk of shape \(3, 5\); expected \(5, 3\), or \(3,\)"):
        lif.backward(rec, spk=x.T)
    for bad in (1j, "a", np.ma.masked_array(x), [[object()]]):
        with pytest.raises(TypeError, match="mem"):
            lif.backward(rec, mem=bad)
    with pytest.raises(TypeError, match="backward got an unexpected keyword argument 'syn'"):
        lif.backward(rec, syn=x)
    with pytest.raises(TypeError, match="backward takes at most 1 states"):
        lif.backward(rec, x, x, x)
    with pytest.raises(ValueError, match="no gradient through inhibition"):
        snnc.Leaky(0.9, inhibition=True).run(x[None], grad=True)
    with pytest.raises(ValueError, match="a LIF has no gradient"):
        snnc.LIF(10.0, dt=1.0, v_threshold=1.0).run(x, grad=True)
    with pytest.raises(TypeError, match="grad=1; expected True or False"):
        lif.run(x, grad=1)
    for bad, error in ((0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match=f"checkpoint={bad}; expected an integer of at least 1"):
            lif.run(x, grad=True, checkpoint=bad)


def test_copies_and_pickles_are_of_what_was_recorded():
    lif = snnc.Leaky(0.9)
    x = np.random.default_rng(1).normal(0.3, 0.7, (40, 7)).astype(np.float32)
    rec = lif.run(x, grad=True)
    for other in (copy.copy(rec), copy.deepcopy(rec), pickle.loads(pickle.dumps(rec))):
        assert_same(other.mem, rec.mem)
        assert_same(other.state.mem, rec.state.mem)
        with pytest.raises(ValueError, match="expected the Recording"):
            lif.backward(other, spk=x)
    assert lif.backward(rec, spk=x).x.shape == x.shape


def test_parameters_are_those_of_the_run():
    lif = snnc.Leaky(0.9)
    x = np.random.default_rng(1).normal(0.3, 0.7, (40, 70)).astype(np.float32)
    rec = lif.run(x, grad=True)
    expected = lif.backward(rec, spk=x)
    lif.beta = 0.5
    assert_equal_gradients(lif.backward(rec, spk=x), expected)


def test_a_neuron_that_holds_its_states():
    lif = snnc.Leaky(0.9, init_hidden=True)
    free = snnc.Leaky(0.9)
    x = np.random.default_rng(1).normal(0.3, 0.7, (40, 70)).astype(np.float32)
    state = ()
    for _ in range(2):
        rec, other = lif.run(x, grad=True), free.run(x, *state, grad=True)
        assert_equal_gradients(lif.backward(rec, spk=x), free.backward(other, spk=x))
        state = other.state


# ---- one step, as snnc.torch goes back through it ----


def step_and_run(neuron, x, states, upstream, wrt):
    """The gradients of a call, and of a run of one step."""
    found = neuron._step_backward(x, states, upstream, wrt)
    rec = neuron.run(x[None], *states, grad=True)
    grads = neuron.backward(rec, *(None if g is None else g[None] for g in upstream), wrt=wrt)
    expected = {name: np.asarray(getattr(grads, name)) for name in wrt}
    expected |= {"x": expected["x"][0]} if "x" in wrt else {}
    return found, expected


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "broadcast", "0-d", "empty"])
@pytest.mark.parametrize("k", SOFT, ids=str)
def test_a_step_is_a_run_of_one(k, layout):
    rng = np.random.default_rng(0)
    neuron = make(k[0], **kind(*k))
    shape = {"0-d": (), "empty": (3, 0)}.get(layout, (40, 7))
    x, *states = (
        rng.normal(0.5, 1, shape).astype(np.float32) for _ in range(1 + len(neuron.states))
    )
    upstream = [rng.normal(size=shape).astype(np.float32) for _ in (x, *states)]
    if layout == "transposed":
        x, *upstream = (np.array(a.T, order="C").T for a in (x, *upstream))
    elif layout == "broadcast":
        upstream = [np.broadcast_to(a[:1], shape) for a in upstream]
    known = ("x", *neuron._start_names, *neuron._parameters)
    for spike_grad in (surrogate.fast_sigmoid(10), lambda x: 1 / (1 + np.abs(x))):
        neuron.spike_grad = spike_grad
        for some in (upstream, [upstream[0], *[None] * len(states)], [None, *upstream[1:]]):
            for wrt in (known, ("x",), known[1:2], known[-1:]):
                found, expected = step_and_run(neuron, x, tuple(states), tuple(some), wrt)
                for name in wrt:
                    assert_same(np.asarray(found[name]), expected[name])


def test_a_step_of_other_kinds_is_a_run_of_one_as_well():
    """What the fast way doesn't take: other dtypes, strides, parameters of each neuron."""
    rng = np.random.default_rng(0)
    neuron = snnc.Leaky(rng.random(4), threshold=rng.random(4))
    single, double = rng.random((3, 4)).astype(np.float32), rng.random((3, 4))
    swapped = single.astype(">f4")
    for x in (single, double, swapped, single[::-1], single.astype(np.float16)):
        for mem in (single, double, swapped, single[::-1]):
            for grad in (np.ones((3, 4), np.float32), double):
                found, expected = step_and_run(neuron, x, (mem,), (grad, None), ("x", "beta"))
                for name, value in expected.items():
                    assert_same(np.asarray(found[name]), value)
    neuron.surrogate_disable = True
    found, _ = step_and_run(neuron, single, (single,), (single, None), ("x",))
    assert not found["x"].any()
