"""snnTorch's own results, bit for bit: through a run, through steps and by reference.py."""

import numpy as np
import pytest
import reference
from support import TORCH, assert_same, golden, torch_cell, torch_constants

import snnc
from snnc import _core

pytestmark = pytest.mark.filterwarnings("ignore:(alpha|beta) is clipped")  # on purpose

CASES = [case for file in ("forward", "tutorial2", "tutorial3", "tutorial4")
         for case in golden(file) if case.model != "function"]  # fmt: skip

# Where snnc deliberately differs: per-neuron float64 parameters don't widen float32 input, and
# a state is never lost because its shape differs from the input's.
NOT_WIDENED = {f"mixed-{model}-x_f32-p_f64" for model in TORCH}
NOT_LOST = {f"lost-state-{model}" for model in TORCH}


def operands(case):
    """The input and start states, in the dtype that snnTorch computed in."""
    x = case.arrays["x"]
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    states = _core.models[case.model][0]
    return (
        x.astype(dtype),
        [case.arrays.get(f"{name}0", np.zeros((), np.float32)) for name in states],
        ["spk", *states],
    )


def by_run(case, x, states):
    first = len(_core.records)
    record = (0, *range(first, first + len(states)))
    recorded, final, _, _ = _core.run(
        torch_cell(case), x, False, tuple(states), None, 0, record, 1, 0, None, None, None, None,
        1, 0,
    )  # fmt: skip
    for last, record in zip(final, recorded[1:], strict=True):
        assert_same(last, record[-1])
    return recorded


def by_steps(case, x, states):
    cell, records = torch_cell(case), []
    for x_t in x:
        spk, *states = _core.step(cell, x_t, None, x.dtype, False, *states)
        records.append((spk, *states))
    return [np.array(record, x.dtype) for record in zip(*records, strict=True)]


def by_reference(case, x, states):
    which = x.dtype == np.float64
    constants = dict(zip(_core.models[case.model][1], torch_constants(case)[which], strict=True))
    return reference.run(
        case.model,
        x,
        [np.asarray(state, x.dtype) for state in states],
        constants,
        reset=case.reset_mechanism,
        reset_delay=case.reset_delay is not False,
        inhibition=case.args.get("inhibition", False),
    )


WAYS = pytest.mark.parametrize("way", [by_run, by_steps, by_reference])


def check(case, results, names):
    for name, result in zip(names, results, strict=True):
        expected = case.arrays[name]
        if name == "spk":  # float32 in snnTorch, whatever the states are
            assert set(np.unique(result)) == set(np.unique(expected))
            result = result.astype(np.float32)
        assert_same(result, expected)


def test_the_cases_are_all_there():
    assert len(CASES) == 267 + 9 + 1 + 2
    assert {case.name for case in CASES} >= NOT_WIDENED | NOT_LOST


@WAYS
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_snntorch(case, way):
    x, states, names = operands(case)
    if case.name in NOT_WIDENED:
        with pytest.raises(AssertionError):
            check(case, way(case, x, states), names)
        return
    if case.name in NOT_LOST:
        with pytest.raises(AssertionError):
            check(case, way(case, x, states), names)
        states = [np.zeros((), np.float32) for _ in states]
    check(case, way(case, x, states), names)


@WAYS
@pytest.mark.parametrize("name", sorted(NOT_WIDENED))
def test_parameters_do_not_widen(name, way):
    case = next(case for case in CASES if case.name == name)
    x, states, names = operands(case)
    narrow = way(case, x, states)
    for field, result in zip(names, narrow, strict=True):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, case.arrays[field], rtol=1e-5, atol=1e-6)
    if case.model != "Lapicque":  # whose first product is float32 in snnTorch even so
        wide = way(case, x.astype(np.float64), [np.asarray(s, np.float64) for s in states])
        check(case, wide, names)


FUNCTIONS = {c.name: c for f in ("tutorial2", "tutorial3") for c in golden(f)
             if c.model == "function"}  # fmt: skip


def test_tutorial_3_function_is_leaky():
    """The hand-written neuron tests the spike before the update: Leaky's, one step later."""
    case = FUNCTIONS["lif_step"]
    lif = snnc.Leaky(beta=np.float32(case.beta))
    rec = lif.run(case.arrays["x"] * np.float32(case.w))
    assert_same(rec.mem, case.arrays["mem"][:, 0])
    assert_same(rec.spk[:-1], case.arrays["spk"][1:, 0])


@pytest.mark.parametrize("name", ["lif_uncontrolled", "reset_2"])
def test_tutorial_2_functions_are_lapicque_but_for_rounding(name):
    case = FUNCTIONS[name]
    mechanism = "subtract" if case.reset else "none"
    lif = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3, reset_mechanism=mechanism)
    rec = lif.run(case.arrays["x"])
    np.testing.assert_allclose(rec.mem, case.arrays["mem"][:, 0], rtol=2e-6, atol=1e-6)
    assert_same(rec.spk[:-1], case.arrays["spk"][1:, 0])


def test_tutorial_2_decay():
    trace = FUNCTIONS["leaky1"].arrays["trace"]
    rec = snnc.Lapicque(R=5, C=1e-3, time_step=1e-3).run(0.0, np.float64(0.9), num_steps=99)
    np.testing.assert_allclose(rec.mem, trace[1:], rtol=1e-13)


# ---- the constants, from the public arguments ----


def public(case):
    """The neuron as a user makes it, with parameters in torch's precision."""
    args = {k: np.float32(v) if isinstance(v, float) else v for k, v in case.args.items()}
    return snnc.__dict__[case.model](**args)


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.model in ("Leaky", "Synaptic") and c.name not in NOT_WIDENED
     and not c.name.endswith("x_f64-p0d_f64")],  # torch rounds that threshold to float32
    ids=lambda case: case.name,
)  # fmt: skip
def test_public_constructor(case):
    x, states, names = operands(case)
    if case.name in NOT_LOST:
        states = [np.zeros((), np.float32) for _ in states]
    rec = public(case).run(x, *states)
    check(case, [getattr(rec, name) for name in names], names)


def in_range(case):
    a = np.clip(case.args["alpha"], 0, 1)
    b = np.clip(case.args["beta"], 0, 1)
    return not np.any(np.isnan(a) | np.isnan(b) | (a <= b))


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.model == "Alpha" and in_range(c)
     and c.name not in NOT_WIDENED | NOT_LOST],
    ids=lambda case: case.name,
)  # fmt: skip
def test_alpha_constants(case):
    """syn_exc and syn_inh are the golden's bits; mem is within the error of torch's tau.

    tau cancels as beta nears alpha: in float32 relative 4e-6 to 1e-5 off.
    """
    x, states, _ = operands(case)
    rec = public(case).run(x, *states)
    assert_same(rec.syn_exc, case.arrays["syn_exc"])
    assert_same(rec.syn_inh, case.arrays["syn_inh"])
    assert_same(rec.spk.astype(np.float32), case.arrays["spk"])
    np.testing.assert_allclose(rec.mem, case.arrays["mem"], rtol=1e-5)


def test_alpha_tau_of_tutorial_4():
    alpha = snnc.Alpha(0.8, 0.7)
    constants = alpha._constants(alpha._parameters, alpha._options, np.float32)
    assert float(constants["tau"]).hex() == "0x1.55e6640000000p+1"


# From a 0-d float64 beta torch derives constants in float64, for a float32 run too.
WIDE_BETA = {"mixed-Lapicque-x_f32-p0d_f64"}


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.model == "Lapicque" and c.name not in NOT_WIDENED | NOT_LOST],
    ids=lambda case: case.name,
)
def test_lapicque_constants(case):
    neuron = public(case)
    np.testing.assert_allclose(neuron.R, case.arrays["R"], rtol=3e-7)
    np.testing.assert_allclose(neuron.C, case.arrays["C"], rtol=3e-7)
    np.testing.assert_allclose(neuron.time_step, case.arrays["time_step"], rtol=3e-7)
    x, states, names = operands(case)
    if x.dtype == np.float32 and case.name not in WIDE_BETA:
        rec = neuron.run(x, *states)
        check(case, [getattr(rec, name) for name in names], names)
