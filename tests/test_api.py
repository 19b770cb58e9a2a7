"""The classes: constructors, parameters, options, held states, recordings."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from support import CLASSES, TORCH, assert_same, make

import snnc
from snnc import _core

MODELS = pytest.mark.parametrize("model", TORCH)

# snnTorch 1.0.0's constructors: names, order and defaults.
REQUIRED = inspect.Parameter.empty
COMMON = {
    "spike_grad": None,
    "surrogate_disable": False,
    "init_hidden": False,
    "inhibition": False,
}
CONSTRUCTORS = {
    "Lapicque": {
        "beta": False, "R": False, "C": False, "time_step": 1, "threshold": 1.0, **COMMON,
        "learn_beta": False, "learn_threshold": False, "reset_mechanism": "subtract",
        "state_quant": False, "output": False,
    },
    "Leaky": {
        "beta": REQUIRED, "threshold": 1.0, **COMMON, "learn_beta": False,
        "learn_threshold": False, "reset_mechanism": "subtract", "state_quant": False,
        "output": False, "graded_spikes_factor": 1.0, "learn_graded_spikes_factor": False,
        "reset_delay": True,
    },
    "Synaptic": {
        "alpha": REQUIRED, "beta": REQUIRED, "threshold": 1.0, **COMMON, "learn_alpha": False,
        "learn_beta": False, "learn_threshold": False, "reset_mechanism": "subtract",
        "state_quant": False, "output": False, "reset_delay": True,
    },
    "Alpha": {
        "alpha": REQUIRED, "beta": REQUIRED, "threshold": 1.0, **COMMON, "learn_alpha": False,
        "learn_beta": False, "learn_threshold": False, "reset_mechanism": "zero",
        "state_quant": False, "output": False,
    },
}  # fmt: skip


@MODELS
def test_signature_of_a_call(model):
    neuron = make(model)
    assert [*inspect.signature(neuron).parameters] == ["input_", *neuron.states, "out", "dtype"]


@MODELS
@pytest.mark.parametrize("shape", [(), (5,), (3, 1)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_way_of_calling_gives_the_same(model, shape, dtype):
    rng = np.random.default_rng(4)
    neuron = make(model, threshold=rng.random(shape) + 0.2)
    x = rng.normal(0.3, 0.8, (3, 5)).astype(dtype)
    states = {name: rng.normal(0.3, 0.8, (3, 5)).astype(dtype) for name in neuron.states}
    fresh = [np.empty_like(x) for _ in range(1 + len(states))]
    expected = neuron.run(x[None], *states.values())
    expected = [expected.spk[0], *expected.state]
    for result in (
        neuron(x, *states.values()),
        neuron(x, *states.values(), out=None),
        neuron(x, *states.values(), dtype=dtype),
        neuron(input_=x, **states),
        neuron(x, *states.values(), out=tuple(fresh)),
        neuron(x, *states.values(), out=(None, *fresh[1:])),
        neuron(x, out=(fresh[0], *(None for _ in states)), **states),
        neuron(x.tolist(), *states.values(), dtype=dtype),
        neuron(np.asfortranarray(x), *states.values()),
    ):
        assert isinstance(result, tuple)
        for array, same in zip(result, expected, strict=True):
            assert_same(array, same)


def test_a_call_can_be_overridden():
    class Doubled(snnc.Leaky):
        def __call__(self, input_, mem):
            return super().__call__(2 * input_, mem)

    x, mem = np.ones(3, np.float32), np.zeros(3, np.float32)
    for array, same in zip(Doubled(0.5)(x, mem), snnc.Leaky(0.5)(2 * x, mem), strict=True):
        assert_same(array, same)


@MODELS
def test_constructor_is_snntorchs(model):
    parameters = inspect.signature(CLASSES[model]).parameters
    assert {name: p.default for name, p in parameters.items()} == CONSTRUCTORS[model]
    assert list(parameters) == list(CONSTRUCTORS[model])


@MODELS
def test_arguments_of_training(model):
    for name, default in CONSTRUCTORS[model].items():
        if name.startswith(("learn_", "surrogate_disable")):
            assert getattr(make(model, **{name: default}), name) is False
            neuron = make(model, **{name: True})
            assert getattr(neuron, name) is True
            assert f"{name}=True" in repr(neuron)
            setattr(neuron, name, np.False_)
            assert neuron == make(model)
            for other in (None, 0, "yes"):
                with pytest.raises(TypeError, match=f"{name}=.*expected True or False"):
                    make(model, **{name: other})
    for other in (True, 0, np.False_, None):
        with pytest.raises(ValueError, match="state_quant=.*not supported"):
            make(model, state_quant=other)
    assert make(model, spike_grad=abs).spike_grad is abs
    with pytest.raises(TypeError, match="spike_grad=False; expected a callable"):
        make(model, spike_grad=False)


def test_the_base_class_makes_no_neurons():
    with pytest.raises(TypeError, match="base class"):
        snnc.SpikingNeuron()


@MODELS
def test_states(model):
    expected = {"Synaptic": ("syn", "mem"), "Alpha": ("syn_exc", "syn_inh", "mem")}
    assert CLASSES[model].states == expected.get(model, ("mem",)) == _core.models[model][0]


# ---- parameters ----


@MODELS
def test_parameters_are_read_only_copies_in_their_own_precision(model):
    for name in make(model)._parameters:
        if name in ("R", "C", "beta") and model == "Lapicque":
            continue
        usual = getattr(make(model), name)
        assert usual.dtype == np.float64
        assert usual.shape == ()
        for dtype, kept in ((np.float32, np.float32), (np.float64, np.float64)):
            given = np.full(3, usual, dtype)
            neuron = make(model, **{name: given})
            value = getattr(neuron, name)
            assert value.dtype == kept
            given[:] = 99
            assert np.all(value != 99)
            with pytest.raises(ValueError, match="read-only"):
                value[0] = 1
            with pytest.raises(ValueError, match="WRITEABLE"):
                value.flags.writeable = True
            for other in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
                with pytest.raises(ValueError, match="WRITEABLE"):
                    getattr(other, name).flags.writeable = True
    assert make(model, threshold=2).threshold.dtype == np.float64
    assert make(model, threshold=np.float16(2)).threshold.dtype == np.float64


@MODELS
@pytest.mark.parametrize(
    "bad", ["a", None, 1j, [1, "a"], [[1], [1, 2]], object(), np.longdouble(1), np.ma.ones(3)]
)
def test_wrong_parameters_change_nothing(model, bad):
    neuron = make(model)
    for name in neuron._parameters:
        before = copy.deepcopy(neuron)
        with pytest.raises((TypeError, ValueError), match=name):
            setattr(neuron, name, bad)
        assert neuron == before
        if model != "Lapicque" or name in ("threshold", "time_step"):
            with pytest.raises((TypeError, ValueError), match=name):
                make(model, **{name: bad})


@MODELS
def test_parameters_that_do_not_broadcast_with_each_other(model):
    neuron = make(model, threshold=np.ones(3))
    name = "R" if model == "Lapicque" else "beta"
    with pytest.raises(ValueError, match=rf"{name} \(4,\)"):
        setattr(neuron, name, np.full(4, 0.5))
    assert getattr(neuron, name).shape == ()


@MODELS
def test_setting_a_parameter_takes_effect_at_once(model):
    x = np.random.default_rng(0).random((30, 4)).astype(np.float32)
    values = {"alpha": 0.95, "beta": 0.5, "threshold": 0.3, "R": 2.0, "C": 3.0, "time_step": 0.5,
              "graded_spikes_factor": 2.0}  # fmt: skip
    for name in make(model)._parameters:
        if name == "beta" and model == "Lapicque":
            continue
        neuron = make(model)
        before = neuron.run(x)
        for value in (values[name], np.full(4, values[name])):
            setattr(neuron, name, value)
            rec = neuron.run(x)
            assert not all(np.array_equal(a, b) for a, b in zip(rec, before, strict=True))
            for a, b in zip(rec, make(model, **{name: value}).run(x), strict=True):
                assert_same(a, b)


@MODELS
def test_setting_an_option_takes_effect_at_once(model):
    """In snnTorch assigning reset_mechanism changes a label, not the dynamics."""
    x = np.random.default_rng(0).random((30, 4)).astype(np.float32)
    for reset in _core.resets:
        neuron = make(model)
        neuron.reset_mechanism = reset
        assert neuron.reset_mechanism == reset
        for a, b in zip(neuron.run(x), make(model, reset_mechanism=reset).run(x), strict=True):
            assert_same(a, b)
    neuron.inhibition = True
    y = x.reshape(30, 2, 2)
    assert_same(neuron.run(y).spk, make(model, inhibition=True, reset_mechanism="none").run(y).spk)
    if _core.models[model][2]:
        neuron = make(model)
        neuron.reset_delay = False
        assert_same(neuron.run(x).mem, make(model, reset_delay=False).run(x).mem)
        assert not np.array_equal(neuron.run(x).mem, make(model).run(x).mem)
    else:
        assert not hasattr(neuron, "reset_delay")


@MODELS
def test_wrong_options_change_nothing(model):
    neuron = make(model)
    before = copy.deepcopy(neuron)
    for name in ("init_hidden", "inhibition", "output"):
        for bad in (1, "yes", None, np.ones(2, bool)):
            with pytest.raises(TypeError, match=f"{name}=.*expected True or False"):
                setattr(neuron, name, bad)
            with pytest.raises(TypeError, match=name):
                make(model, **{name: bad})
    for bad in ("Subtract", "", None, 0, ["zero"]):
        with pytest.raises(ValueError, match="reset_mechanism=.*subtract, zero, none"):
            neuron.reset_mechanism = bad
        with pytest.raises(ValueError, match="reset_mechanism"):
            make(model, reset_mechanism=bad)
    assert neuron == before


def test_lapicque_derives_what_is_not_given():
    lif = snnc.Lapicque(beta=0.9)
    assert lif.R == 1
    np.testing.assert_allclose(lif.C, -1 / np.log(0.9))
    lif = snnc.Lapicque(beta=0.9, R=2.0, time_step=1e-3)
    np.testing.assert_allclose(lif.C, -1e-3 / (2 * np.log(0.9)))
    lif = snnc.Lapicque(beta=0.9, C=2.0, time_step=1e-3)
    np.testing.assert_allclose(lif.R, -1e-3 / (2 * np.log(0.9)))
    lif = snnc.Lapicque(R=5, C=1e-3, time_step=1e-3)
    np.testing.assert_allclose(lif.beta, np.exp(-0.2))
    lif.R = 2.5
    np.testing.assert_allclose(lif.beta, np.exp(-0.4))
    lif.time_step = 2e-3
    np.testing.assert_allclose(lif.beta, np.exp(-0.8))
    lif.beta = 0.5
    assert lif.R == 2.5
    np.testing.assert_allclose(lif.C, 2e-3 / (2.5 * np.log(2)))
    lif.C = 1e-3
    np.testing.assert_allclose(lif.beta, np.exp(-0.8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0.9, "R": 1, "C": 1}, "beta, R and C were all given"),
        ({}, "expected beta, or R and C"),
        ({"R": 1}, "expected beta, or R and C"),
        ({"C": 1}, "expected beta, or R and C"),
        ({"R": 0, "C": 1}, "^R=0.0; expected no zeros"),
        ({"R": 1, "C": [1.0, 0.0]}, "^C=.1. 0..; expected no zeros"),
        ({"beta": 0.9, "time_step": 0}, "^time_step=0.0; expected no zeros"),
        ({"beta": 0}, "^beta=0.0; expected values above 0"),
        ({"beta": [0.5, -0.5]}, "^beta=. 0.5 -0.5.; expected values above 0"),
    ],
)
def test_lapicque_arguments_that_make_no_neuron(arguments, message):
    with pytest.raises(ValueError, match=message):
        snnc.Lapicque(**arguments)


@pytest.mark.parametrize("pair", [(0.5, 0.5), (0.5, 0.6), (1.5, 1.0), (2.0, 1.5), (0.0, -1.0)])
def test_alpha_must_exceed_beta(pair):
    with pytest.raises(ValueError, match=f"alpha={pair[0]} must exceed beta={pair[1]}"):
        snnc.Alpha(*pair)
    lif = snnc.Alpha(0.9, 0.8)
    with pytest.raises(ValueError, match="alpha=.* must exceed beta="):
        lif.beta = 0.95
    assert lif.beta == 0.8
    with pytest.raises(ValueError, match=r"alpha=0\.900000001 must exceed beta=0\.9,.*float32"):
        snnc.Alpha(0.900000001, 0.9)  # equal in float32, in which it would compute tau
    with pytest.raises(ValueError, match=r"alpha \(2,\), beta \(3,\)"):
        snnc.Alpha([0.9, 0.9], [0.1, 0.2, 0.3])


# ---- objects ----


def eval_repr(neuron):
    names = {"np": np, "float32": np.float32, "surrogate": snnc.surrogate, **CLASSES}
    return eval(repr(neuron), names)


VARIANTS = [
    {},
    {"threshold": 0.5},
    {"threshold": np.float32(0.3)},
    {"threshold": [0.1, 0.2]},
    {"spike_grad": snnc.surrogate.fast_sigmoid(slope=3)},
    {"threshold": np.float32([[0.1], [0.2]])},
    {"reset_mechanism": "none", "inhibition": True},
    {"init_hidden": True, "output": True},
]


@MODELS
@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_repr_is_the_constructor_call(model, arguments):
    neuron = make(model, **arguments)
    assert eval_repr(neuron) == neuron
    for name in arguments:
        assert f"{name}=" in repr(neuron)


def test_equality_is_by_name():
    """Whatever order parameters were set in."""
    a = snnc.Lapicque(beta=0.5, time_step=2.0, threshold=3.0)
    b = snnc.Lapicque(R=1.0, C=1.0)
    b.time_step, b.threshold, b.beta = 2.0, 3.0, 0.5
    assert a == b
    c = snnc.Lapicque(R=2.0, C=3.0)
    assert c != snnc.Lapicque(R=3.0, C=2.0)


@MODELS
def test_wrong_attributes_are_refused(model):
    neuron = make(model)
    wrong = {"treshold", "learn_alfa", "state_quant", "spike_gard", "weight"}
    every = {name for c in CLASSES.values() for name in make(c.__name__)._arguments()}
    for name in sorted(wrong | every - set(dir(neuron))):
        with pytest.raises(AttributeError, match=f"{model} has no attribute '{name}' to set"):
            setattr(neuron, name, 0.5)


class Named(snnc.Synaptic):
    """A user's subclass, with something of its own."""

    def __init__(self, name, alpha, beta):
        super().__init__(alpha, beta)
        self.name = name


def test_subclasses_of_users():
    lif = Named("a", 0.9, 0.8)
    x = np.random.default_rng(0).random((20, 3))
    assert_same(lif.run(x).mem, snnc.Synaptic(0.9, 0.8).run(x).mem)
    for other in (copy.deepcopy(lif), pickle.loads(pickle.dumps(lif))):
        assert other == lif
        assert other.name == "a"
        assert_same(other.run(x).mem, lif.run(x).mem)
    assert pickle.loads(pickle.dumps(lif.run(x))).state.mem.shape == (3,)
    assert repr(lif) == "Named(alpha=0.9, beta=0.8)"
    assert lif != snnc.Synaptic(0.9, 0.8)


def test_repr():
    assert repr(snnc.Synaptic(0.9, 0.8)) == "Synaptic(alpha=0.9, beta=0.8)"
    assert repr(snnc.Lapicque(0.9)) == "Lapicque(beta=0.9)"
    assert repr(snnc.Lapicque(R=5, C=1e-3)) == "Lapicque(R=5.0, C=0.001)"
    assert repr(snnc.Lapicque(beta=0.9, C=2)) == "Lapicque(beta=0.9, C=2.0)"
    assert repr(snnc.Leaky(0.9, reset_delay=False)) == "Leaky(beta=0.9, reset_delay=False)"
    lif = snnc.Lapicque(0.9)
    lif.beta = 0.8
    assert repr(lif) == "Lapicque(beta=0.8)"
    assert eval_repr(lif) == lif


@MODELS
def test_equality(model):
    neuron = make(model)
    assert neuron == make(model)
    assert neuron != make(model, threshold=0.25)
    assert neuron != make(model, threshold=neuron.threshold.astype(np.float32))
    assert neuron != make(model, threshold=np.full(2, neuron.threshold))
    assert neuron != make(model, inhibition=True)
    assert neuron != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(neuron)
    held = make(model, init_hidden=True)
    held(np.ones(3, np.float32))
    assert held == make(model, init_hidden=True)


@MODELS
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_copies_carry_everything(model, duplicate):
    neuron = make(model, threshold=[0.1, 0.2, 0.3], init_hidden=True, reset_mechanism="none")
    neuron(np.ones(3, np.float32))
    other = duplicate(neuron)
    assert other == neuron
    assert not other.threshold.flags.writeable
    assert_same(other.mem, neuron.mem)
    x = np.float32([0.1, 0.2, 0.3])
    assert_same(other(x), neuron(x))
    assert_same(other.mem, neuron.mem)
    neuron(x)
    assert not np.array_equal(other.mem, neuron.mem)
    other.threshold = 9
    assert neuron.threshold.shape == (3,)


# ---- held states ----


@MODELS
def test_a_missing_state_is_an_error_that_says_what_to_pass(model):
    neuron = make(model)
    states = [np.float32(0) for _ in neuron.states]
    for k, name in enumerate(neuron.states):
        with pytest.raises(TypeError, match=rf"{name} is missing.*reset_mem\(\).*init_hidden"):
            neuron(np.float32(0), *states[:k])
        with pytest.raises(AttributeError, match=f"holds no {name}.*init_hidden=True"):
            getattr(neuron, name)
        with pytest.raises(AttributeError, match=f"holds no {name}"):
            setattr(neuron, name, 0.0)


@MODELS
def test_rest(model):
    neuron = make(model)
    rest = neuron.reset_mem()
    named = getattr(neuron, f"init_{model.lower()}")()
    for state in (rest, named) if len(neuron.states) == 1 else (*rest, *named):
        assert_same(state, np.zeros((), np.float32))
    if len(neuron.states) > 1:
        assert isinstance(rest, tuple)
        assert len(rest) == len(neuron.states)


@MODELS
@pytest.mark.parametrize("output", [False, True])
def test_held_states_give_the_same_as_passed_ones(model, output):
    x = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    expected = make(model).run(x)
    neuron = make(model, init_hidden=True, output=output)
    for t, x_t in enumerate(x):
        result = neuron(x_t)
        if output:
            for value, name in zip(result, ("spk", *neuron.states), strict=True):
                assert_same(value, getattr(expected, name)[t])
            result[1][:] = 99  # what was returned is not what is held
        else:
            assert_same(result, expected.spk[t])
        for name in neuron.states:
            held = getattr(neuron, name)
            assert_same(held, getattr(expected, name)[t])
            with pytest.raises(ValueError, match="read-only"):
                held[:] = 99
    neuron.reset_mem()
    rec = neuron.run(x[:10])
    assert_same(neuron.run(x[10:]).mem, expected.mem[10:])
    assert_same(rec.mem, expected.mem[:10])
    rec.state.mem[:] = 99
    assert_same(neuron.mem, expected.mem[-1])


@MODELS
def test_held_states_refuse_others(model):
    neuron = make(model, init_hidden=True)
    neuron(np.ones(3, np.float32))
    before = [getattr(neuron, name) for name in neuron.states]
    for name in neuron.states:
        for call in (neuron, neuron.run):
            with pytest.raises(TypeError, match=f"{name} was passed to a neuron that holds"):
                call(np.ones((2, 3), np.float32), **{name: np.zeros(3)})
    for shape in ((4,), (1,), (2, 3), ()):
        for call in (neuron, lambda x: neuron.run(x, num_steps=2)):
            with pytest.raises(ValueError, match=r"holds a .* of shape \(3,\).*reset_mem\(\)"):
                call(np.ones(shape, np.float32))
    for name, value in zip(neuron.states, before, strict=True):
        assert_same(getattr(neuron, name), value)
    neuron.reset_mem()
    assert neuron(np.ones((2, 3), np.float32)).shape == (2, 3)


@MODELS
def test_held_states_can_be_set(model):
    neuron = make(model, init_hidden=True)
    x = np.float32([0.1, 0.2])
    for value in (0.25, np.float32(0.25), np.float32([0.25, 0.5]), [1, 2], np.float64(0.25)):
        start = [value if name == "mem" else 0.0 for name in neuron.states]
        expected = make(model)(x, *start)
        if isinstance(value, list):
            expected = make(model)(x, *start[:-1], np.array(value))
        neuron.reset_mem()
        neuron.mem = value
        assert_same(neuron(x), expected[0])
        assert_same(neuron.mem, expected[-1])
    given = np.float32([1, 2])
    neuron.mem = given
    given[:] = 9
    assert_same(neuron.mem, np.float32([1, 2]))
    for bad in ("a", None, 1j, np.ma.ones(2)):
        with pytest.raises(TypeError, match="mem"):
            neuron.mem = bad
    assert_same(neuron.mem, np.float32([1, 2]))


def test_out_of_a_neuron_that_holds_its_states():
    x = np.float32([0.5, 2.0])
    spk, mem = np.empty((2, 2), np.float32)
    lif = snnc.Leaky(0.9, init_hidden=True)
    assert lif(x, out=(spk,)) is spk
    with pytest.raises(TypeError, match="tuple of one array"):
        lif(x, out=(spk, mem))
    lif = snnc.Leaky(0.9, init_hidden=True, output=True)
    result = lif(x, out=(spk, mem))
    assert result[0] is spk
    assert result[1] is mem
    mem[:] = 9
    assert_same(lif.mem, x)


def test_what_reset_mem_returns_is_not_what_is_held():
    for lif in (snnc.Leaky(0.9, init_hidden=True), snnc.Alpha(0.9, 0.8, init_hidden=True)):
        for rest in (lif.reset_mem(), getattr(lif, f"init_{type(lif).__name__.lower()}")()):
            for state in rest if isinstance(rest, tuple) else (rest,):
                state[()] = 5
            assert lif.mem == 0


def test_turning_held_states_on_and_off():
    lif = snnc.Leaky(0.9)
    lif.init_hidden = True
    assert_same(lif(np.float32([2.0])), np.float32([1.0]))
    lif.threshold = 3.0
    assert_same(lif.mem, np.float32([2.0]))
    lif.init_hidden = False
    assert len(lif(np.float32([2.0]), lif.reset_mem())) == 2


def test_reset_names_what_has_no_states():
    lif = snnc.Leaky(0.9, init_hidden=True)
    with pytest.raises(TypeError, match=r"net\[0\] is a Linear, which has no states to reset"):
        snnc.utils.reset([snnc.nn.Linear(2, 2), lif])
    with pytest.raises(TypeError, match=r"net\['a'\]\[1\] is a int"):
        snnc.utils.reset({"a": (lif, 5)})


def test_reset_of_networks():
    a, b, c = (snnc.Leaky(0.9, init_hidden=True) for _ in range(3))
    other = snnc.Leaky(0.9, init_hidden=True)
    for lif in (a, b, c, other):
        lif(np.float32(0.5))
    snnc.utils.reset([a, (b, {"c": c})])
    assert a.mem == b.mem == c.mem == 0
    assert other.mem == np.float32(0.5)  # not every instance, as in snnTorch
    snnc.utils.reset(snnc.Leaky(0.9))
    for bad in (1, None, "ab", [other, 1], {"a": other, "b": {1, 2}}, snnc.Leaky):
        with pytest.raises(TypeError, match="net.* is a .*, which has no states to reset"):
            snnc.utils.reset(bad)
    assert other.mem == np.float32(0.5)


# ---- run and recordings ----


@MODELS
def test_recording(model):
    neuron = make(model)
    x = np.random.default_rng(0).uniform(0, 4, (30, 2, 3)).astype(np.float32)
    rec = neuron.run(x)
    names = ("spk", *neuron.states)
    assert [array is getattr(rec, name) for array, name in zip(rec, names, strict=True)]
    assert rec.state._fields == neuron.states
    assert_same(rec.state.mem, rec.mem[-1])
    assert_same(rec.steps, np.arange(30))
    assert rec.dt == 1
    assert repr(rec).startswith("Recording(spk=float32 (30, 2, 3), ")
    assert set(names) <= set(dir(rec))
    step, flat = rec.events()
    assert step.dtype == flat.dtype == np.int64
    assert list(zip(step, flat, strict=True)) == [
        (t, i) for t in range(30) for i in range(6) if rec.spk[t].flat[i]
    ]
    assert step.size > 0
    times = rec.spike_times(dt=0.5)
    assert len(times) == 6
    for i, spikes in enumerate(times):
        np.testing.assert_array_equal(spikes, 0.5 * np.flatnonzero(rec.spk.reshape(30, 6)[:, i]))
    for record, count in (("spk", 1), (["mem"], 1), (iter(["spk", "mem"]), 2), ([], 0)):
        assert len(list(neuron.run(x, record=record))) == count
    mem, spk = neuron.run(x, record=("mem", "spk"))
    assert_same(mem, rec.mem)
    assert_same(spk, rec.spk)
    again = pickle.loads(pickle.dumps(rec))
    assert_same(again.mem, rec.mem)
    assert_same(again.state.mem, rec.state.mem)


def test_what_was_not_recorded_says_how_to():
    rec = snnc.Synaptic(0.9, 0.8).run(np.zeros((3, 2)), record=("mem",))
    for name in ("spk", "syn"):
        with pytest.raises(AttributeError, match=f"'{name}' was not recorded.*record="):
            getattr(rec, name)
    with pytest.raises(AttributeError, match="not recorded"):
        rec.events()
    with pytest.raises(AttributeError, match="no attribute 'wrong'"):
        _ = rec.wrong


def test_wrong_record():
    lif = snnc.Synaptic(0.9, 0.8)
    for bad in ("wrong", ("spk", "counts"), "mem0"):
        with pytest.raises(ValueError, match="out of spk, count, first_spike, events, syn, mem"):
            lif.run(np.zeros((3, 2)), record=bad)
    with pytest.raises(TypeError, match="record=5; expected names"):
        lif.run(np.zeros((3, 2)), record=5)
    with pytest.raises(ValueError, match="twice"):
        lif.run(np.zeros((3, 2)), record=("spk", "spk"))


def test_wrong_states_of_run():
    lif = snnc.Leaky(0.9)
    x = np.zeros((3, 2))
    with pytest.raises(TypeError, match="at most 1 states"):
        lif.run(x, 0.0, 0.0)
    with pytest.raises(TypeError, match="mem by position and by keyword"):
        lif.run(x, 0.0, mem=0.0)
    for iterator in (iter(x), (row for row in x)):
        with pytest.raises(TypeError, match="x is an iterator .*whole sequence"):
            lif.run(iterator)
    for name in ("syn", "gard", "checkpoints"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            lif.run(x, **{name: 1})


def test_graded_spikes_need_floats():
    for graded in (2.0, [1.0, 1.5], np.ones((2, 4))[:, ::2] * [[1], [0]]):
        lif = snnc.Leaky(0.9, graded_spikes_factor=graded)
        for dtype in (np.uint8, np.bool_):
            with pytest.raises(ValueError, match="graded_spikes_factor"):
                lif.run(np.zeros((3, 2)), spk_dtype=dtype)
    for one in (1, [1.0, 1.0], np.float32(1)):
        lif = snnc.Leaky([0.9, 0.8], graded_spikes_factor=one)
        assert lif.run(np.full((9, 2), 5.0), spk_dtype=bool).spk.any()


def test_spike_times_of_lapicque_are_in_its_time():
    lif = snnc.Lapicque(R=5.1, C=5e-3, time_step=1e-3)
    rec = lif.run(np.full(200, 0.3, np.float32))
    np.testing.assert_array_equal(rec.spike_times(), 1e-3 * rec.events()[0])
    assert rec.dt == 1e-3
    lif = snnc.Lapicque(R=5.1, C=5e-3, time_step=[1e-3, 2e-3])
    rec = lif.run(np.full((200, 2), 0.3, np.float32))
    for times, dt, spk in zip(rec.spike_times(), (1e-3, 2e-3), rec.spk.T, strict=True):
        np.testing.assert_array_equal(times, dt * np.flatnonzero(spk))
    single = lif.run(np.full((200, 1), 0.3, np.float32), record="spk")
    assert len(single.spike_times()) == 2
    with pytest.raises(ValueError, match=r"dt of shape \(7,\).*\(2,\)"):
        rec.spike_times(dt=np.ones(7))


def test_show_config(capsys):
    snnc.show_config()
    printed = capsys.readouterr().out
    config = snnc.show_config("dicts")
    assert set(config) == {
        "snnc",
        "instruction set",
        "NumPy",
        "compiler",
        "Python",
        "platform",
        "threads",
    }
    for key, value in config.items():
        assert key in printed
        assert value in printed
    assert config["snnc"] == snnc.__version__
    with pytest.raises(ValueError, match="mode='x'"):
        snnc.show_config("x")


# ---- where snnc deliberately differs from snnTorch, its own side of README's table ----


def test_a_state_of_another_shape_broadcasts():
    _, mem = snnc.Leaky(0.9)(np.float32([[0.1, 0.2]]), np.float32([0.5, 0.6]))
    np.testing.assert_allclose(mem, [[0.55, 0.74]], rtol=1e-6)


def test_per_neuron_parameters_with_a_0d_input_keep_the_state():
    lif = snnc.Leaky(beta=np.float32([0.5, 0.9]), reset_mechanism="none")
    mem = lif.reset_mem()
    for _ in range(2):
        _, mem = lif(np.float32(1), mem)
    np.testing.assert_allclose(mem, [1.5, 1.9], rtol=1e-6)


def test_odd_dynamics_that_are_kept():
    lif = snnc.Leaky(1.0, reset_delay=False)  # adds a threshold back: 1.6 again above it
    np.testing.assert_allclose(lif.run(0.1, 2.5, num_steps=3).mem, [1.6, 1.7, 1.8], rtol=1e-6)
    lif = snnc.Leaky(0.5, reset_mechanism="zero")  # the input survives the reset
    np.testing.assert_allclose(lif(0.75, 2.0)[1], 0.75)


@MODELS
def test_final_states_and_held_ones_share_no_memory(model):
    neuron = make(model, init_hidden=True, output=True)
    x = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    for call in (
        lambda: neuron.run(x),
        lambda: neuron(x[0]),
        lambda: next(iter(neuron.run_chunks([x]))),
    ):
        result = call()
        held = [np.array(getattr(neuron, name)) for name in neuron.states]
        for array in (*result, *getattr(result, "state", ())):
            assert not any(np.shares_memory(array, state) for state in neuron._held)
            array[:] = 99
        for name, before in zip(neuron.states, held, strict=True):
            assert_same(getattr(neuron, name), before)


def _noisy_lif():
    return snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=3.0)


RANDOM = {
    "Linear": lambda rng: snnc.nn.Linear(3, 2, rng=rng).weight,
    "Conv1d": lambda rng: snnc.nn.Conv1d(1, 2, 3, rng=rng).weight,
    "Conv2d": lambda rng: snnc.nn.Conv2d(1, 2, 3, rng=rng).weight,
    "Dropout": lambda rng: snnc.nn.Dropout(rng=rng)(np.ones(50)),
    "batches": lambda rng: next(snnc.nn.batches(np.arange(50.0), np.arange(50), 50, rng=rng))[0],
    "RLeaky": lambda rng: snnc.RLeaky(0.9, linear_features=3, rng=rng).recurrent.weight,
    "RSynaptic": lambda rng: snnc.RSynaptic(0.9, 0.8, linear_features=3, rng=rng).recurrent.weight,
    "LIF.run": lambda rng: _noisy_lif().run(20.0, num_steps=50, rng=rng).v,
    "LIF.run_chunks": lambda rng: next(_noisy_lif().run_chunks([np.ones(50)], rng=rng)).v,
    "fi_curve": lambda rng: snnc.spikestats.fi_curve(_noisy_lif(), np.full(9, 15.0), 99, rng=rng),
    "rate": lambda rng: snnc.spikegen.rate(np.full(50, 0.5), 3, rng=rng),
    "rate_conv": lambda rng: snnc.spikegen.rate_conv(np.full(50, 0.5), rng=rng),
    "poisson": lambda rng: snnc.spikegen.poisson(np.full(50, 0.5), 3, rng=rng),
    "SSO": lambda rng: snnc.surrogate.SSO(rng=rng)(np.full(50, -1.0)),
}


@pytest.mark.parametrize("name", RANDOM)
def test_rng_is_what_default_rng_takes(name):
    """SPEC 7: seeds of every form, bit generators and generators; what is used, moves on."""
    draw = RANDOM[name]
    expected = draw(np.random.default_rng(3))
    for same in (
        3, np.int64(3), np.random.SeedSequence(3), np.random.PCG64(3),
        np.random.Generator(np.random.PCG64(3)),
    ):  # fmt: skip
        assert_same(draw(same), expected)
    assert_same(draw([3, 4]), draw(np.random.default_rng([3, 4])))
    rng = np.random.default_rng(3)
    draw(rng)
    assert not np.array_equal(draw(rng), expected)
    for wrong in ("seed", 1.5, -1):
        with pytest.raises(TypeError, match="rng=.*; expected an int of at least 0"):
            draw(wrong)
