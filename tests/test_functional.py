"""Losses, their gradients and accuracies: snnTorch's numbers, and what differs from them."""

import inspect
import re

import numpy as np
import pytest
from support import golden

import snnc
from snnc import functional as SF

CASES = {case.name: case for case in golden("functional")}
OTHERS = {
    # snnTorch raises, or mixes samples with classes: see the tests of what differs
    name
    for name, case in CASES.items()
    if hasattr(case, "error") or name.endswith("weight-square")
}
LOSSES = sorted(set(CASES) - OTHERS - {name for name in CASES if name.startswith("accuracy")})
ACCURACIES = sorted(name for name in CASES if name.startswith("accuracy"))
LABELS = [1, 0, 3]


def loss_of(case, **changes):
    return getattr(SF, case.function)(**{**case.args, **changes})


def called(loss_fn, case, **cot):
    """The loss and gradient of a golden case's arrays."""
    names = [name for name in ("out", "targets") if name in case.arrays]
    return loss_fn(*(case.arrays[name] for name in names), **cot)


def assert_close(actual, expected):
    """Equal but for the order of sums, relative to the largest entry."""
    rtol = 1e-13 if np.asarray(expected).dtype == np.float64 else 2e-6
    atol = rtol * np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def some(shape=(5, 3, 4), dtype=np.float64):
    return np.random.default_rng(5).normal(0.3, 1, shape).astype(dtype)


def sparse():
    """Graded spikes: not every neuron's first one is at the first step."""
    return np.where(some() > 0.5, some(), 0)


# ---- as snnTorch ----


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_are_snntorchs(name):
    case = CASES[name]
    out, value = case.arrays["out"], case.arrays["value"]
    loss, grad = called(loss_of(case), case)
    assert loss.shape == (() if value.size == 1 else value.shape)
    assert loss.dtype == grad.dtype == out.dtype
    assert_close(np.reshape(loss, value.shape), value)
    cot = case.arrays["cot"].reshape(loss.shape)
    assert_close(called(loss_of(case), case, cot=cot)[1], case.arrays["grad_out"])


@pytest.mark.parametrize("name", ACCURACIES)
def test_accuracies_are_snntorchs(name):
    case = CASES[name]
    function = getattr(SF, case.function)
    accuracy = function(case.arrays["out"], case.arrays["targets"], **case.args)
    assert accuracy == case.arrays["value"]
    assert accuracy.dtype == np.float64


def test_every_case_is_tested():
    assert len(CASES) == 67
    assert len(OTHERS) == 11
    of_torch = {"binary_cross_entropy", "cross_entropy", "mse"}  # tests/torch
    assert {CASES[name].function for name in LOSSES + ACCURACIES} | of_torch == set(SF.__all__)


def test_signatures():
    signatures = {
        "ce_rate_loss": "population_code=False, num_classes=False, reduction='mean', weight=None",
        "ce_count_loss": "population_code=False, num_classes=False, reduction='mean', weight=None",
        "ce_max_membrane_loss": "reduction='mean', weight=None",
        "ce_temporal_loss": "inverse='negate', reduction='mean', weight=None",
        "mse_count_loss": "correct_rate=1, incorrect_rate=0, population_code=False, "
        "num_classes=False, reduction='mean', weight=None",
        "mse_membrane_loss": "time_var_targets=False, on_target=1, off_target=0, "
        "reduction='mean', weight=None",
        "mse_temporal_loss": "target_is_time=False, on_target=0, off_target=-1, tolerance=0, "
        "multi_spike=False, reduction='mean', weight=None",
        "l1_rate_sparsity": "Lambda=1e-05",
    }
    for name, expected in signatures.items():
        cls = getattr(SF, name)
        parameters = inspect.signature(cls).parameters.values()
        assert ", ".join(f"{p.name}={p.default!r}" for p in parameters) == expected
        assert repr(cls()) == f"{name}({expected})"
    rate = ["spk_out", "targets", "population_code", "num_classes"]
    assert list(inspect.signature(SF.accuracy_rate).parameters) == rate
    assert list(inspect.signature(SF.accuracy_temporal).parameters) == rate[:2]


# ---- other than snnTorch ----


@pytest.mark.parametrize("name", sorted(n for n in OTHERS if re.match("mse.*weight", n)))
def test_weights_of_squared_errors_are_the_samples(name):
    """Where snnTorch multiplies the columns with them, or can't."""
    case = CASES[name]
    weight, targets = case.args["weight"], case.arrays["targets"]
    losses, _ = called(loss_of(case, weight=None, reduction="none"), case)
    rows = np.broadcast_to(weight[targets][:, None], losses.shape)
    loss, grad = called(loss_of(case, reduction="none"), case)
    assert_close(loss, losses * rows)
    plain = loss_of(case, weight=None, reduction="none")
    assert_close(grad, called(plain, case, cot=rows)[1])
    mean, grad_mean = called(loss_of(case, reduction="mean"), case)
    assert_close(mean, loss.mean())
    assert_close(grad_mean, grad / loss.size)
    if hasattr(case, "error"):
        assert "must match the size" in case.error
    else:  # as many samples as classes: what snnTorch has done
        columns = np.broadcast_to(weight[targets], losses.shape)
        assert_close((losses * columns).mean(), case.arrays["value"])
        cot = columns / losses.size * case.arrays["cot"]
        assert_close(called(plain, case, cot=cot)[1], case.arrays["grad_out"])


def test_populations_are_summed_at_each_step():
    case = CASES["ce_rate_loss-population"]
    assert "TypeError" in case.error
    out, targets = case.arrays["out"], case.arrays["targets"]
    loss, grad = called(loss_of(case), case)
    pairs = out.reshape(8, 5, 3, 2).sum(-1)
    expected, expected_grad = SF.ce_rate_loss()(pairs, targets)
    assert loss == expected
    np.testing.assert_array_equal(grad, np.repeat(expected_grad, 2, -1))


def test_membrane_targets_that_change():
    case = CASES["mse_membrane_loss-moving"]
    assert "IndexError" in case.error
    with pytest.raises(ValueError, match=r"targets has shape \(5,\); expected \(8, 5\)"):
        called(loss_of(case), case)
    out = case.arrays["out"]
    labels = np.random.default_rng(4).integers(0, 6, (8, 5))
    options = {"weight": np.arange(1.0, 7.0), "on_target": 0.7, "off_target": 0.1}
    loss, grad = loss_of(case, **options)(out, labels)
    still = loss_of(case, **options, time_var_targets=False)
    each = [still(out[t : t + 1], labels[t]) for t in range(8)]
    assert_close(loss, np.float32(np.mean([value for value, _ in each])))
    assert_close(grad, np.concatenate([g for _, g in each]) / 8)


@pytest.mark.parametrize(
    "name", ["ce_rate_loss", "ce_count_loss", "ce_max_membrane_loss", "ce_temporal_loss"]
)
def test_mean_and_sum_of_weighted_cross_entropies(name):
    weight, x = np.array([0.5, 2.0, 1.0, 3.0]), some()
    cls = getattr(SF, name)
    losses, _ = cls(reduction="none", weight=weight)(x, LABELS)
    total, _ = cls(reduction="sum", weight=weight)(x, LABELS)
    mean, _ = cls(weight=weight)(x, LABELS)
    assert_close(total, losses.sum())
    over = weight[LABELS].sum() if name == "ce_temporal_loss" else 3
    assert_close(mean, losses.sum() / over)


def test_a_spike_is_whatever_is_not_zero():
    spk = np.random.default_rng(3).random((9, 4, 5)) < 0.2
    graded = np.where(spk, some(spk.shape), 0)
    for loss_fn in (SF.ce_temporal_loss(), SF.mse_temporal_loss(off_target=8)):
        loss, grad = loss_fn(graded, [0, 1, 2, 3])
        expected, expected_grad = loss_fn(spk.astype(np.float64), [0, 1, 2, 3])
        assert loss == expected
        np.testing.assert_array_equal(grad, expected_grad)
    assert SF.accuracy_temporal(graded, [0, 1, 2, 3]) == SF.accuracy_temporal(spk, [0, 1, 2, 3])


# ---- by hand ----


def test_spike_times_by_hand():
    spk = np.zeros((10, 1, 3))
    spk[[2, 4], 0, 0] = 1
    spk[[3, 8], 0, 1] = 1
    none = {"target_is_time": True, "reduction": "none"}
    loss, grad = SF.mse_temporal_loss(**none)(spk, [1, 4, -2])
    np.testing.assert_allclose(loss, [[0.01, 0.01, 0.01]])
    expected = np.zeros((10, 1, 3))
    expected[2, 0, 0], expected[3, 0, 1], expected[9, 0, 2] = -0.02, 0.02, -0.02
    np.testing.assert_allclose(grad, expected, atol=1e-15)
    loss, grad = SF.mse_temporal_loss(**none, tolerance=1.5)(spk, [0, 4, -2])
    np.testing.assert_allclose(loss, [[0.04, 0, 0]])
    assert np.flatnonzero(grad).tolist() == [2 * 3]
    loss, _ = SF.mse_temporal_loss(**none, multi_spike=True)(spk, np.full((2, 1, 3), 1))
    np.testing.assert_allclose(loss[:, 0], [[0.01, 0.04, 0.64], [0.09, 0.49, 0.64]])
    targets = np.array([[-1, 5, -1]])
    SF.mse_temporal_loss(target_is_time=True)(spk, targets)
    assert targets.tolist() == [[-1, 5, -1]]


def test_spikes_of_the_same_step_are_passed_over():
    spk = np.zeros((10, 2, 2))
    spk[[1, 5], 0, 0] = spk[[5, 7], 1, 1] = 1  # one's second spike, the other's first
    loss_fn = SF.mse_temporal_loss(target_is_time=True, multi_spike=True, reduction="none")
    loss, _ = loss_fn(spk, np.zeros((2, 2, 2)))
    np.testing.assert_allclose(np.sqrt(loss[:, [0, 1], [0, 1]]) * 10, [[1, 5], [9, 7]])


def test_targets_of_classes():
    mem = np.zeros((1, 1, 2))
    for on, off, expected in [(2, 1, [1, 4]), (1, 2, [4, 1]), (2, -1, [0, 4]), (-1, -1, [1, 1])]:
        loss_fn = SF.mse_membrane_loss(on_target=on, off_target=off, reduction="none")
        np.testing.assert_array_equal(loss_fn(mem, [1])[0], [expected])


def test_large_outputs():
    big = np.array([[[1e30, -1e30, 0]]], np.float32)
    for loss_fn in (SF.ce_rate_loss(), SF.ce_count_loss(), SF.ce_max_membrane_loss()):
        loss, grad = loss_fn(big, [2])
        assert loss == np.float32(1e30)
        np.testing.assert_array_equal(grad, [[[1, 0, -1]]])


# ---- gradients ----

DIFFERENTIABLE = [
    (cls, options)
    for cls, own in [
        (SF.ce_rate_loss, [{}, {"population_code": True, "num_classes": 2}]),
        (SF.ce_count_loss, [{}, {"population_code": True, "num_classes": 2}]),
        (SF.ce_max_membrane_loss, [{}]),
        (SF.mse_count_loss, [{}, {"population_code": True, "num_classes": 2}]),
        (SF.mse_membrane_loss, [{"on_target": 1.5}]),
    ]
    for options in own
]
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


@REDUCTIONS
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("cls", "options"), DIFFERENTIABLE)
def test_gradients_are_differences(cls, options, weighted, reduction):
    classes = options.get("num_classes", 4)
    weight = np.linspace(0.5, 2, classes) if weighted else None
    loss_fn = cls(**options, reduction=reduction, weight=weight)
    x, labels = some(), np.array(LABELS) % classes
    loss, _ = loss_fn(x, labels)
    cot = np.random.default_rng(6).normal(size=loss.shape)
    _, grad = loss_fn(x, labels, cot=cot)
    expected = np.empty_like(x)
    h = 1e-5
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[index] += h
        below[index] -= h
        expected[index] = np.sum(cot * (loss_fn(above, labels)[0] - loss_fn(below, labels)[0]))
    np.testing.assert_allclose(grad, expected / (2 * h), atol=1e-8)


ALL = [getattr(SF, name) for name in SF.__all__ if "loss" in name]
LOSS = pytest.mark.parametrize("cls", ALL)


@LOSS
@REDUCTIONS
def test_gradients_are_linear_in_the_cotangent(cls, reduction):
    loss_fn, x = cls(reduction=reduction), sparse()
    loss, grad = loss_fn(x, LABELS)
    assert grad.any()
    np.testing.assert_array_equal(loss_fn(x, LABELS, cot=np.ones(loss.shape))[1], grad)
    a, b = np.random.default_rng(6).normal(size=(2, *loss.shape))
    grad_a, grad_b = (loss_fn(x, LABELS, cot=cot)[1] for cot in (a, b))
    assert_close(loss_fn(x, LABELS, cot=2 * a - b)[1], 2 * grad_a - grad_b)


def test_cotangent_of_the_sparsity():
    loss, grad = SF.l1_rate_sparsity(0.5)(some(), cot=3)
    assert_close(loss, 0.5 * some().sum())
    np.testing.assert_array_equal(grad, np.full((5, 3, 4), 1.5))


# ---- types and arrays ----


@LOSS
def test_types(cls):
    spk = np.random.default_rng(3).random((6, 3, 4)) < 0.4
    expected, expected_grad = cls()(spk.astype(np.float32), LABELS)
    assert expected.dtype == expected_grad.dtype == np.float32
    for dtype in (bool, np.uint8, np.int64, np.float16, ">f4"):
        loss, grad = cls()(spk.astype(dtype), LABELS)
        assert loss.dtype == grad.dtype == np.float32
        assert loss == expected
        np.testing.assert_array_equal(grad, expected_grad)
    wide, _ = cls()(spk.astype(">f8"), np.array(LABELS, np.uint8))
    assert wide.dtype == np.float64
    assert wide == cls()(spk.astype(float).tolist(), LABELS)[0]
    np.testing.assert_allclose(wide, expected, rtol=1e-5)


@LOSS
@REDUCTIONS
def test_inputs_are_unchanged_and_results_are_new(cls, reduction):
    x, labels, weight = sparse(), np.array(LABELS), np.linspace(1, 2, 4)
    loss_fn = cls(reduction=reduction, weight=weight)
    assert not np.shares_memory(loss_fn.weight, weight)
    loss, _ = loss_fn(x, labels)
    cot = np.full(loss.shape, 2.0)
    before = [array.copy() for array in (x, labels, weight, cot)]
    for array in (x, labels, cot):
        array.flags.writeable = False
    loss, grad = loss_fn(x, labels, cot=cot)
    for array, was in zip((x, labels, weight, cot), before, strict=True):
        np.testing.assert_array_equal(array, was)
    assert grad.flags.writeable
    grad[:] = 0
    assert loss_fn(x, labels)[1].any()


def test_losses_are_constant():
    loss_fn = SF.ce_count_loss(weight=[1.0, 2.0])
    with pytest.raises(AttributeError):
        loss_fn.reduction = "sum"
    with pytest.raises(ValueError, match="read-only"):
        loss_fn.weight[0] = 3
    assert len({loss_fn, SF.ce_count_loss()}) == 2


def test_accuracies_of_what_a_neuron_records():
    x = np.random.default_rng(2).uniform(0, 0.4, (50, 8, 3))
    x[:, np.arange(8), np.arange(8) % 3] += 0.4
    labels = np.arange(8) % 3
    spk = snnc.Leaky(0.8).run(x, spk_dtype=np.uint8).spk
    assert SF.accuracy_rate(spk, labels) == 1
    assert SF.accuracy_temporal(spk, labels) == np.mean(
        [np.argmin([np.flatnonzero(c)[0] for c in spk[:, b].T]) == labels[b] for b in range(8)]
    )
    assert SF.accuracy_rate(spk, (labels + 1) % 3) == 0


# ---- errors ----

X = np.zeros((5, 3, 4), np.float32)
CALLS = [
    (np.zeros((5, 3)), LABELS, ValueError, r"spk_out has shape \(5, 3\); expected \(T, batch"),
    (np.zeros((0, 3, 4)), LABELS, ValueError, r"spk_out has shape \(0, 3, 4\)"),
    (np.zeros((5, 0, 4)), [], ValueError, r"spk_out has shape \(5, 0, 4\)"),
    (np.zeros((5, 3, 0)), LABELS, ValueError, r"spk_out has shape \(5, 3, 0\)"),
    (X + 1j, LABELS, TypeError, "spk_out has dtype"),
    (X.astype(object), LABELS, TypeError, "spk_out has dtype"),
    (np.ma.masked_array(X), LABELS, TypeError, "spk_out is a masked array"),
    ([[1.0], [1.0, 2.0]], LABELS, ValueError, "spk_out is not an array"),
    (X, [0, 1], ValueError, r"targets has shape \(2,\); expected \(3,\)"),
    (X, np.zeros((3, 4), int), ValueError, r"targets has shape \(3, 4\); expected \(3,\)"),
    (X, [0, 1, 4], ValueError, "targets has label 4; expected 0 to 3"),
    (X, [0, -1, 1], ValueError, "targets has label -1; expected 0 to 3"),
    (X, [0.0, 1.0, 2.0], TypeError, "targets has type float64; expected integer labels"),
    (X, [True, False, True], TypeError, "targets has type bool"),
    (X, "abc", TypeError, "targets="),
]


@pytest.mark.parametrize(("x", "targets", "error", "message"), CALLS)
def test_wrong_arrays(x, targets, error, message):
    for function in (*(cls() for cls in ALL), SF.accuracy_rate, SF.accuracy_temporal):
        with pytest.raises(error, match=message):
            function(x, targets)
    if "spk_out" in message:
        with pytest.raises(error, match=message):
            SF.l1_rate_sparsity()(x)


CONSTRUCTED = [
    ({"reduction": "max"}, ValueError, "reduction='max'; expected one of mean, sum, none"),
    ({"reduction": None}, ValueError, "reduction=None"),
    ({"weight": 2.0}, ValueError, r"weight has shape \(\); expected one dimension"),
    ({"weight": []}, ValueError, r"weight has shape \(0,\)"),
    ({"weight": [1j]}, TypeError, "weight has dtype complex128"),
    ({"weight": "a"}, TypeError, "weight='a'"),
    ({"population_code": 1}, TypeError, "population_code=1; expected True or False"),
    ({"population_code": True}, TypeError, "num_classes=False; expected an integer"),
    ({"population_code": True, "num_classes": 2.0}, TypeError, "num_classes=2.0"),
    ({"population_code": True, "num_classes": 0}, ValueError, "num_classes=0; expected 1 or more"),
    ({"correct_rate": np.nan}, ValueError, "correct_rate=nan; expected a finite number"),
    ({"incorrect_rate": [1, 2]}, ValueError, r"incorrect_rate=\[1, 2\]; expected a finite"),
    ({"time_var_targets": None}, TypeError, "time_var_targets=None"),
    ({"on_target": [1, 2]}, ValueError, r"on_target=\[1, 2\]; expected a finite number"),
    ({"off_target": "a"}, TypeError, "off_target='a'"),
    ({"tolerance": -1}, ValueError, "tolerance=-1; expected a number of steps"),
    ({"multi_spike": True}, ValueError, r"on_target has shape \(\)"),
    (
        {"multi_spike": True, "on_target": [1, 2], "off_target": [3]},
        ValueError,
        "off_target has 1 spikes; expected 2, as on_target has",
    ),
    ({"target_is_time": True, "weight": [1.0]}, ValueError, "weight is by label; expected None"),
    ({"inverse": "no"}, ValueError, "inverse='no'; expected one of negate, reciprocal"),
    ({"Lambda": None}, TypeError, "Lambda=None"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), CONSTRUCTED)
def test_wrong_constructor_arguments(arguments, error, message):
    tried = 0
    for cls in (*ALL, SF.l1_rate_sparsity):
        if set(arguments) <= set(inspect.signature(cls).parameters):
            tried += 1
            with pytest.raises(error, match=message):
                cls(**arguments)
    assert tried


def test_wrong_sizes():
    for cls in ALL:
        with pytest.raises(ValueError, match=r"weight has shape \(3,\); expected \(4,\), one a"):
            cls(weight=[1.0, 2.0, 3.0])(X, LABELS)
        with pytest.raises(ValueError, match=r"cot has shape \(2,\); expected \(\), that of the"):
            cls()(X, LABELS, cot=[1.0, 2.0])
        with pytest.raises(TypeError, match="cot="):
            cls()(X, LABELS, cot=1j)
    population = {"population_code": True, "num_classes": 3}
    for function in (
        SF.ce_rate_loss(**population),
        SF.ce_count_loss(**population),
        SF.mse_count_loss(**population),
        lambda x, targets: SF.accuracy_rate(x, targets, **population),
    ):
        with pytest.raises(ValueError, match="spk_out has 4 outputs; expected a multiple of num_"):
            function(X, LABELS)
    with pytest.raises(TypeError, match="num_classes=False"):
        SF.accuracy_rate(X, LABELS, population_code=True)
    given = SF.mse_temporal_loss(target_is_time=True)
    with pytest.raises(ValueError, match=r"targets has shape \(3,\); expected \(3, 4\)"):
        given(X, LABELS)
    with pytest.raises(TypeError, match="targets="):
        given(X, "abc")
    several = SF.mse_temporal_loss(target_is_time=True, multi_spike=True)
    for shape in [(3, 4), (0, 3, 4), (2, 3, 5)]:
        with pytest.raises(ValueError, match=r"targets has shape .* expected \(spikes, 3, 4\)"):
            several(X, np.zeros(shape))


# ---- torch's, of anything ----

OF_TORCH = {
    "cross_entropy": (SF.cross_entropy, np.int64([[0, 3, 1], [2, 2, 0]])),
    "mse": (SF.mse, None),
    "binary_cross_entropy": (SF.binary_cross_entropy, None),
    "logits": (lambda **own: SF.binary_cross_entropy(**own, logits=True), None),
}


@pytest.mark.parametrize("weight", [None, np.float64([0.5, 2.0, 1.0, 0.0])])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", OF_TORCH)
def test_gradients_of_torchs_losses(name, reduction, weight):
    make, target = OF_TORCH[name]
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.9, (2, 3, 4))
    target = rng.random(x.shape) if target is None else target
    loss_fn = make(weight=weight, reduction=reduction)
    cot = rng.normal(size=np.shape(loss_fn(x, target)[0]))
    _, grad = loss_fn(x, target, cot=cot)
    for index in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][index] += 1e-6
        moved[1][index] -= 1e-6
        above, below = (np.sum(cot * loss_fn(each, target)[0]) for each in moved)
        assert abs((above - below) / 2e-6 - grad[index]) < 1e-7
    assert loss_fn(x.astype(np.float32), target)[1].dtype == np.float32


def test_torchs_losses_refuse():
    x = np.full((2, 3), 0.5)
    for make, target, words in (
        (SF.cross_entropy(), [0], r"targets has shape \(1,\); expected \(2,\)"),
        (SF.cross_entropy(), [0, 3], "targets has label 3; expected 0 to 2"),
        (SF.cross_entropy(), [0.5, 1.0], "expected integer labels"),
        (SF.mse(), x[0], r"target has shape \(3,\); expected \(2, 3\)"),
        (SF.binary_cross_entropy(), x * 4, "target has 2 to 2; expected 0 to 1"),
        (SF.mse(weight=[1.0, 2.0]), x, r"weight has shape \(2,\); expected \(3,\), one a class"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            make(x, target)
    with pytest.raises(ValueError, match="output has -1 to -1; expected probabilities"):
        SF.binary_cross_entropy()(-2 * x, x)
    with pytest.raises(ValueError, match="output has nan to nan; expected probabilities"):
        SF.binary_cross_entropy()(np.nan * x, x)
    for bad in (np.zeros((0, 3)), 1.0):
        with pytest.raises(ValueError, match="output has shape"):
            SF.mse()(bad, bad)
    with pytest.raises(ValueError, match="reduction='max'"):
        SF.mse(reduction="max")
    with pytest.raises(TypeError, match="logits=1"):
        SF.binary_cross_entropy(logits=1)
    with pytest.raises(ValueError, match="cot has shape"):
        SF.mse()(x, x, cot=np.ones(3))
