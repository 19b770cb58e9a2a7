"""Errors: what they leave as it was, and what they say to write instead."""

import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from support import ALL, CLASSES, TORCH, assert_same, interrupted, make

import snnc
from snnc import nn, optim

MODELS = pytest.mark.parametrize("model", sorted(ALL))


# ---- an error changes nothing ----


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_a_refused_call_with_noise_draws_nothing(bits):
    noisy = snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=2.0)
    held = snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=2.0, init_hidden=True)
    rng = np.random.Generator(bits(3))
    x = np.zeros((5, 4))
    held(x[0], rng=rng)
    rng.standard_normal(7, np.float32)  # leaves half a draw in the generator
    state, v = rng.bit_generator.state, held.v
    for call in (
        lambda: noisy.run(x, np.zeros(3), rng=rng),
        lambda: noisy.run(x, out={"spk": x[:2]}, rng=rng),
        lambda: noisy.run(x, spk_dtype=np.int8, rng=rng),
        lambda: noisy.run(x, neurons=[9], rng=rng),
        lambda: noisy.run(x, num_threads=0, rng=rng),
        lambda: noisy.run(x, time_axis=9, rng=rng),
        lambda: noisy.run(x, dtype=np.float16, rng=rng),
        lambda: noisy.run(x * 1j, rng=rng),
        lambda: noisy.run(x, record="mem", rng=rng),
        lambda: next(noisy.run_chunks([x], np.zeros(3), rng=rng)),
        lambda: noisy(x[0], 0.0, np.zeros(3), rng=rng),
        lambda: noisy(x[0], 0.0, 0.0, out=(x[0, :2], None, None), rng=rng),
        lambda: held.run(x[:, :3], rng=rng),
        lambda: held(x[0, :3], rng=rng),
        lambda: held(x[0], 0.0, rng=rng),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()
        np.testing.assert_equal(rng.bit_generator.state, state)
    assert_same(held.v, v)
    with interrupted(0.1), pytest.raises(KeyboardInterrupt):
        noisy.run(np.zeros(1), num_steps=10**8, record=(), rng=rng)
    np.testing.assert_equal(rng.bit_generator.state, state)


def test_given_counts_are_written_to_when_nothing_can_fail_any_more():
    lif = snnc.Leaky(0.9)
    x = np.ones((5, 3), np.float32)
    count, first = np.full(3, 7), np.full(3, 7)
    for wrong in ({"state": (np.zeros(2, np.float32),)}, {"mem": x[0]}):
        with pytest.raises(ValueError, match="out: "):
            lif.run(x, record=("count", "first_spike", "mem"),
                    out={"count": count, "first_spike": first, **wrong})  # fmt: skip
        assert count.tolist() == first.tolist() == [7, 7, 7]


def test_a_recording_that_was_written_into_has_no_tape():
    lif = snnc.Leaky(0.9)
    x = np.ones((50, 3), np.float32)
    for grad in (True, False):
        rec = lif.run(x, grad=True)
        expected = lif.backward(rec, x).x
        for wrong in ({"time_axis": 7}, {"spk_dtype": np.int8}, {"neurons": [9]}):
            with pytest.raises(ValueError, match=".*"):
                lif.run(x, out=rec, grad=grad, **wrong)
            assert_same(lif.backward(rec, x).x, expected)  # nothing was written
        again = lif.run(2 * x, out=rec, grad=grad)
        assert again.spk is rec.spk
        with pytest.raises(ValueError, match="nothing for a backward pass"):
            lif.backward(rec, x)
        plain = lif.run(x, record="spk", grad=True)
        lif.run(x, record="spk", out=plain)  # the shortest way through
        with pytest.raises(ValueError, match="nothing for a backward pass"):
            lif.backward(plain, x)


def test_an_interrupted_run_leaves_no_tape_of_another():
    lif = snnc.Leaky(0.9)
    held = np.full(1000, 0.2, np.float32)
    rec = lif.run(held, num_steps=200_000, record="count", grad=True, checkpoint=100_000)
    lif.backward(rec, wrt="mem0")
    again = {"num_steps": 200_000, "record": "count", "grad": True, "checkpoint": 100_000}
    with interrupted(0.1), pytest.raises(KeyboardInterrupt):
        any(lif.run(2 * held, **again, out=rec) is None for _ in range(10_000))
    with pytest.raises(ValueError, match="nothing for a backward pass"):
        lif.backward(rec, wrt="mem0")


def test_held_states_move_on_when_nothing_can_fail_any_more(monkeypatch):
    """A MemoryError while the recording is made: neuron, network and chunks."""
    x = np.ones((5, 1, 3), np.float32)
    lif = snnc.Leaky(0.9, init_hidden=True)
    net = nn.Sequential(nn.Linear(3, 3, rng=0), snnc.Leaky(0.9, init_hidden=True),
                        snnc.Synaptic(0.9, 0.8, init_hidden=True))  # fmt: skip
    lif.run(x)
    net.run(x)
    held = [lif._held, net[1]._held, net[2]._held]

    def fail(*args, **kwargs):
        raise MemoryError

    for owner, name in ((snnc.neurons.sequences, "Recording"), (nn, "Recordings")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            for call in (lambda: lif.run(x), lambda: net.run(x),
                         lambda: next(lif.run_chunks([x]))):  # fmt: skip
                if name == "Recordings" and call.__code__.co_names[0] != "net":
                    continue
                with pytest.raises(MemoryError):
                    call()
    for before, now in zip(held, [lif._held, net[1]._held, net[2]._held], strict=True):
        assert all(a is b for a, b in zip(before, now, strict=True))


@pytest.mark.parametrize("v_rest", [-70.0, [-70.0, -65.0, -60.0]])
def test_errors_leave_what_lif_holds(v_rest):
    """At rest or not; and after an assignment it is still at rest."""
    arguments = {"tau_m": 20.0, "dt": 1.0, "v_threshold": -50.0, "v_rest": v_rest}
    lif, untouched = (snnc.LIF(**arguments, init_hidden=True) for _ in range(2))
    x = np.full((4, 3), 30.0)
    for _ in range(2):
        for call in (
            lambda: lif(x[0] * 1j),
            lambda: lif(x[0, :2], out=(x[0],)),
            lambda: lif(x[0], out=(x[0, :2],)),
            lambda: lif(x[0], dtype=np.int8),
            lambda: lif(x[0], 0.0),
            lambda: lif.run(x, out={"spk": x[:1]}),
            lambda: lif.run(x, time_axis=7),
            lambda: lif.run(x, 0.0),
        ):
            with pytest.raises((TypeError, ValueError)):
                call()
        assert_same(np.asarray(lif.v), np.asarray(untouched.v))
        assert_same(lif(x[0]), untouched(x[0]))
        assert_same(np.asarray(lif.v), np.asarray(untouched.v))


@pytest.mark.parametrize("v_rest", [-70.0, [-70.0, -65.0, -60.0]])
def test_lif_is_at_rest_whatever_is_assigned(v_rest):
    arguments = {"tau_m": 20.0, "dt": 1.0, "v_threshold": -50.0}
    lif = snnc.LIF(**arguments, v_rest=v_rest, init_hidden=True)
    lif.R, lif.tau_m = 2.0, 25.0
    x = np.full((2, 5, 3), 12.0)
    expected = snnc.LIF(25.0, dt=1.0, v_threshold=-50.0, v_rest=v_rest, R=2.0).run(x)
    assert_same(lif.run(x).v, expected.v)
    lif.reset_mem()
    lif.v_rest = np.subtract(v_rest, 1.0)  # at rest is v_rest, whatever it is then
    assert_same(np.broadcast_to(lif.v, (3,)), np.broadcast_to(np.subtract(v_rest, 1.0), (3,)))
    assert_same(lif(x[0]), np.zeros((5, 3)))
    assert lif.v.shape == (5, 3)


@pytest.mark.parametrize("model", TORCH)
@pytest.mark.parametrize("wrt", [None, "x"])
def test_backward_leaves_out_alone_when_a_surrogate_raises(model, wrt, monkeypatch):
    monkeypatch.setattr(snnc._backward, "_MAX_SHIFTS", 1)  # so that others come before it
    steps = 0

    def fails_in_the_last_of_its_steps(x):
        nonlocal steps
        steps += 1
        if steps == 5:
            raise ArithmeticError
        return np.ones_like(x)

    neuron = make(model, spike_grad=fails_in_the_last_of_its_steps)
    x = np.full((5, 3), 0.3, np.float32)
    rec = neuron.run(x, grad=True, checkpoint=1)
    out = np.full_like(x, 7)
    with pytest.raises(ArithmeticError):
        neuron.backward(rec, x, out=out, wrt=wrt)
    assert np.all(out == 7)


def test_optimizers_change_all_or_nothing():
    net = nn.Sequential(a=nn.Linear(2, 2, rng=0), lif=snnc.Leaky(0.9, learn_beta=True))
    optimizer = optim.Adam(net)
    before = net.state_dict()
    weight = np.ones((2, 2))
    for wrong in (
        {"a.weight": weight, "a.bias": np.ones(3)},
        {"a.weight": weight, "a.bias": "abc"},
        {"a.weight": weight, "lif.beta": 1j},
        {"a.weight": weight, "b.weight": weight},
    ):
        with pytest.raises((TypeError, ValueError), match="grads: "):
            optimizer.step(wrong)
        for key, value in net.state_dict().items():
            assert_same(value, before[key])
    assert optimizer._state == {}


# ---- an error says what to write ----


def test_steps_are_not_taken_for_a_state():
    x = np.zeros((3, 2), np.float32)
    for model in CLASSES:
        neuron = make(model)
        first = neuron.states[0]
        for call in (
            lambda n=neuron: n.run(x, 25),
            lambda n=neuron: n.run_chunks([x], 25),
            lambda n=neuron: n.run(x, *(0.0 for _ in n.states[1:]), 25),
            lambda n=neuron: make(
                type(n).__name__.replace("RecordedLIF", "LIF"), init_hidden=True
            ).run(x, 25),
        ):
            with pytest.raises(
                TypeError, match=f"25 for ({'|'.join(neuron.states)}) by position.*num_steps=25"
            ):
                call()
        assert neuron.run(x, **{first: 1}).spk.shape == (3, 2)
        assert neuron.run(x, 1.0, *(0.0 for _ in neuron.states[1:])).spk.shape == (3, 2)
    with pytest.raises(TypeError, match="positional argument"):
        nn.Sequential(snnc.Leaky(0.9)).run(x, 25)


def test_attributes_of_other_models_say_what_to_write():
    leaky, lif = snnc.Leaky(0.9), make("LIF")
    for call, words in (
        (lambda: leaky.init_synaptic(), r"reset_mem\(\), or init_leaky\(\)"),
        (lambda: lif.init_leaky(), r"write reset_mem\(\)"),
        (lambda: leaky.syn, "its states are mem"),
        (lambda: lif.mem, "its states are v, ref"),
        (lambda: lif.threshold, "write v_threshold"),
        (lambda: lif.beta, "write tau_m and dt"),
        (lambda: lif.backward, "no gradient"),
        (lambda: leaky.v_threshold, "write threshold"),
        (lambda: leaky.forward, "call it"),
        (lambda: leaky.parameters(), "attributes"),
        (lambda: leaky.anything, "has no attribute 'anything'$"),
    ):
        with pytest.raises(AttributeError, match=words):
            call()
    for call, words in (
        (lambda: snnc.LIF(beta=0.9), "LIF has no beta: write tau_m and dt"),
        (lambda: snnc.LIF(20.0, dt=1.0, threshold=1.0), "LIF has no threshold: write v_threshold"),
        (lambda: snnc.Leaky(tau_m=20.0), r"Leaky has no tau_m: write beta=exp\(-dt/tau_m\)"),
        (lambda: snnc.Lapicque(0.9, dt=1.0), "Lapicque has no dt: write time_step"),
        (lambda: lif.run(np.zeros((3, 2)), mem=0.5), "'mem' .the states of a .*LIF are v, ref."),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_names_of_snntorch_and_torch_say_what_to_write():
    net = nn.Sequential(fc1=nn.Linear(2, 2, rng=0), lif1=snnc.Leaky(0.9))
    for owner, name, words in (
        (snnc, "LeakyParallel", "snnc.Leaky"),
        (nn, "ReLU", "layers are linear, between them are neurons"),
        (nn, "Module", r"nn.Sequential\(...\)"),
        (optim, "RMSprop", "SGD, Adam and AdamW"),
        (optim, "clip_grad_norm_", r"grads, norm = clip_grad_norm\(grads, max_norm\)"),
        (snnc.utils, "data_subset", "index the arrays"),
        (net, "lif1", r"write net\['lif1'\]"),
        (net, "parameters", "state_dict"),
        (net, "forward", "net.run"),
        (net, "zero_grad", "backward returns gradients"),
        (net, "nothing", "has no attribute 'nothing'$"),
    ):
        with pytest.raises(AttributeError, match=words):
            getattr(owner, name)
    with pytest.raises(TypeError, match=r"net.run\(x, num_steps=...\)"):
        net(np.zeros((3, 2)))


def test_samples_or_steps():
    net = nn.Sequential(fc=nn.Linear(6, 3, rng=0), lif=snnc.Leaky(0.9))
    x = np.random.default_rng(0).random((4, 6)).astype(np.float32)
    with pytest.raises(
        ValueError, match=r"4 steps or 4 samples of 6 features: pass time_axis=0 .*num_steps="
    ):
        net.run(x)
    with pytest.raises(ValueError, match=r"\(6,\); expected .*features.*num_steps="):
        net.run(x[0])
    with pytest.raises(ValueError, match="expected .T, ..., features., or num_steps="):
        net.run(x[0], time_axis=0)
    assert net.run(x, time_axis=0)[-1].spk.shape == (4, 3)
    assert net.run(x, num_steps=5)[-1].spk.shape == (5, 4, 3)
    assert net.run(x[:, None])[-1].spk.shape == (4, 1, 3)
    for bad in (3, -4):
        with pytest.raises(ValueError, match=f"time_axis={bad} is out of bounds"):
            net.run(x[:, None], time_axis=bad)
    assert nn.Sequential(snnc.Leaky(0.9)).run(x)[-1].spk.shape == (4, 6)  # as a neuron's own run


def test_backward_of_networks_refuses_other_keywords():
    net = nn.Sequential(fc=nn.Linear(2, 2, rng=0), lif=snnc.Leaky(0.9))
    x = np.ones((3, 1, 2), np.float32)
    recs = net.run(x, grad=True)
    for wrong in ({"out": x}, {"syn": x}, {"anything": 1}):
        with pytest.raises(
            TypeError, match=f"unexpected keyword argument '{next(iter(wrong))}'.*mem"
        ):
            net.backward(recs, spk=x, **wrong)
    with pytest.raises(ValueError, match="num_threads=0"):
        net.backward(recs, spk=x, num_threads=0)
    one, two = (net.backward(recs, spk=x, num_threads=n) for n in (1, 2))
    assert_same(one["fc.weight"], two["fc.weight"])


def test_assigned_weights_are_checked_and_copied():
    fc = nn.Linear(3, 2, rng=0)
    given = np.ones((2, 3), np.float32)
    fc.weight = given
    given[:] = 2
    assert np.all(fc.weight == 1)
    for value, dtype in (
        ([[1, 2, 3]] * 2, np.float32),
        (np.ones((2, 3), ">f8"), np.float64),
        (np.ones((2, 3), ">f4"), np.float32),
        (np.ones((2, 3), int), np.float32),
    ):
        fc.weight = value
        assert fc.weight.dtype == dtype
    for wrong, words in (
        (np.ones((3, 2)), r"weight has shape \(3, 2\); expected \(2, 3\)"),
        ("abc", "weight='abc'; expected a real number"),
        ([[1, 2, 3], [1]], "weight is not an array of real numbers"),
        (given * 1j, "weight has dtype complex64"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            fc.weight = wrong
    with pytest.raises(ValueError, match=r"bias has shape \(3,\); expected \(2,\)"):
        fc.bias = np.ones(3)
    fc.bias = None
    assert "bias" not in nn.Sequential(fc, snnc.Leaky(0.9)).state_dict()
    fc.bias = [1, 2]
    assert_same(fc.bias, np.float32([1, 2]))


def test_integer_weights_can_be_trained():
    net = nn.Sequential(fc=nn.Linear(1, 1, bias=False), lif=snnc.Leaky(0.9))
    net["fc"].weight = np.ones((1, 1), int)
    optim.SGD(net, lr=0.5).step({"fc.weight": np.ones((1, 1))})
    assert net["fc"].weight == 0.5


def test_byte_order_is_no_precision():
    """Where Python decides in which dtype to compute, too."""
    held = snnc.Leaky(0.9, init_hidden=True)
    for dtype, found in ((">f8", np.float64), (">f4", np.float32), ("<f8", np.float64)):
        array = np.array([0.1, 0.2], dtype)
        held.mem = array
        assert held.mem.dtype == found
        leaky = snnc.Leaky(array)
        assert leaky.beta.dtype == found
        assert (
            snnc.LIF(20.0, dt=1.0, v_threshold=1.0, v_rest=array * 0).run(array).v.dtype == found
        )
        for options in ({"v_rest": np.zeros(2)}, {"sigma": [0.0, 1.0]}):
            lif = snnc.LIF(20.0, dt=1.0, v_threshold=1.0, **options)
            assert lif.run(array[None], rng=0).v.dtype == found
        assert nn.Linear(2, 3, rng=0)(array).dtype == found
        assert snnc.surrogate.atan()(array).dtype == found
    big = np.arange(6, dtype=">f8").reshape(2, 3)
    assert_same(snnc.Leaky(0.9).run(big).mem, snnc.Leaky(0.9).run(big.astype(float)).mem)


def test_parts_of_held_states():
    lif = snnc.Leaky(0.9, init_hidden=True)
    lif.run(np.full((9, 3), 0.1, np.float32))
    mem = lif.mem
    for change in (lambda: mem.__setitem__(1, 0), lambda: mem.__imul__(2), lambda: mem.sort()):
        with pytest.raises(ValueError, match="read-only"):
            change()
    with pytest.raises(ValueError, match="read-only"):
        lif.mem += 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        mem.flags.writeable = True
    m = lif.mem.copy()
    m[1] = 0
    lif.mem = m
    assert_same(lif.mem, m)
    m[:] = 9
    assert lif.mem[1] == 0


def test_decay_rates_beyond_1_are_clipped_with_a_warning():
    for make_it, words in (
        (lambda: snnc.Leaky(1.2), r"beta is clipped to \[0, 1\]: beta=1.2"),
        (lambda: snnc.Synaptic(-0.1, 0.9), "alpha is clipped"),
        (lambda: snnc.Alpha(1.1, 0.9), "alpha is clipped"),
        (lambda: snnc.Leaky([0.5, 1.5]), "beta is clipped"),
    ):
        with pytest.warns(UserWarning, match=words) as caught:
            make_it()
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lif = snnc.Leaky(1.0)
        lif.beta = 1.2  # optimizers leave [0, 1] all the time
        assert repr(lif) == "Leaky(beta=1.2)"
        snnc.Leaky(np.nan)
        assert_same(lif.run([1.0, 1.0]).mem, snnc.Leaky(1.0).run([1.0, 1.0]).mem)


def test_reprs_are_short():
    assert repr(snnc.Leaky(np.linspace(0.5, 0.9, 1000))) == "Leaky(beta=<float64 (1000,)>)"
    assert repr(snnc.Leaky(np.full(8, 0.5))).count("0.5") == 8
    f = np.float32
    imported = snnc.Leaky(f(0.5), f(1), graded_spikes_factor=f(1))
    assert repr(imported) == "Leaky(beta=np.float32(0.5))"
    net = nn.Sequential(lif=imported)
    assert repr(optim.Adam(net, lr=0.1)) == (
        f"Adam(net={net!r}, lr=0.1, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)"
    )
    assert repr(optim.SGD(net)) == f"SGD(net={net!r}, lr=0.001, momentum=0.0, weight_decay=0.0)"


def test_an_infinite_threshold_does_not_subtract():
    """0 * inf is NaN, as in snnTorch: a readout resets by "none"."""
    x = np.ones((2, 1), np.float32)
    assert np.isnan(snnc.Leaky(0.9, threshold=np.inf).run(x).mem).all()
    readout = snnc.Leaky(0.9, threshold=np.inf, reset_mechanism="none").run(x)
    assert_same(readout.mem, np.float32([[1], [1.9]]))


def test_many_elements_are_not_shown():
    """In errors and warnings, too: their dtype and shape are."""
    many = np.linspace(0.5, 1.9, 1000)
    for call, kind in (
        (lambda: snnc.Leaky(many), UserWarning),
        (lambda: snnc.LIF(20.0, dt=-many, v_threshold=1.0), ValueError),
        (lambda: snnc.LIF(0.1, dt=many, v_threshold=1.0), ValueError),
        (lambda: snnc.LIF(20.0, dt=1.0, v_threshold=1.0, v_reset=many), ValueError),
        (lambda: snnc.LIF(20.0, dt=1.0, v_threshold=1.0, t_ref=many * 1e8), ValueError),
        (lambda: snnc.Leaky(0.9).run(np.ones((3, 2)), neurons=many), TypeError),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(kind) as info:
                call()
        assert len(str(info.value)) < 300


def test_what_has_no_effect_cannot_be_set():
    net = nn.Sequential(fc=nn.Linear(2, 2, rng=0), lif=snnc.Leaky(0.9))
    other = snnc.Leaky(0.1)
    with pytest.raises(AttributeError, match=r"net\.layers\['lif'\]"):
        net.lif = other
    for layer in (net, net["fc"]):
        with pytest.raises(AttributeError, match="wieght"):
            layer.wieght = 1
    net.layers["lif"] = other
    assert net["lif"] is other

    class Own(nn.Sequential):
        pass

    own = Own(snnc.Leaky(0.9))
    own.note = "mine"
    assert own.note == "mine"
    assert pickle.loads(pickle.dumps(net)).layers.keys() == {"fc", "lif"}


def test_integers_of_every_function_follow_one_rule():
    lif, packed = snnc.Leaky(0.9), np.zeros((2, 1), np.uint8)
    x = np.zeros((3, 2), np.float32)
    for name, call in {
        "discard": lambda n: snnc.spikestats.fi_curve(
            snnc.LIF(20.0, dt=1.0, v_threshold=15.0), [1.0], num_steps=5, discard=n
        ),
        "shape": lambda n: snnc.unpack_spikes(packed, (n,)),
        "every": lambda n: lif.run(x, every=n),
        "num_steps": lambda n: lif.run(x, num_steps=n),
        "num_threads": lambda n: lif.run(x, num_threads=n),
        "checkpoint": lambda n: lif.run(x, grad=True, checkpoint=n),
    }.items():
        call(np.int64(2))
        for value in (True, 2.0, "2"):
            with pytest.raises(TypeError, match=name):
                call(value)
    for out_of_range in (-(10**30), 10**30):
        with pytest.raises(ValueError, match="every=-?10+ is out of range"):
            lif.run(x, every=out_of_range)


def test_integers_are_read_once():
    """What the backward pass and the recording go by is not the caller's object."""
    x = np.random.default_rng(0).random((6, 3)).astype(np.float32)
    lif = snnc.Leaky(0.9)
    three, one, two = np.array(3), np.array(1), np.array(2)
    expected = lif.backward(lif.run(x, grad=True, checkpoint=3), mem=x).beta
    rec = lif.run(x, grad=True, checkpoint=three)
    three[...] = 4
    assert lif.backward(rec, mem=x).beta == expected
    expected = lif.backward(lif.run(x, grad=True, time_axis=1), mem=x).beta
    rec = lif.run(x, grad=True, time_axis=one, every=two)
    one[...], two[...] = 0, 1
    assert lif.backward(rec, mem=x).beta == expected
    assert rec.steps.tolist() == [1]

    class Two:
        def __index__(self):
            return 2

    for spike_grad in (None, np.ones_like):
        lif = snnc.Leaky(0.9, spike_grad=spike_grad)
        given = lif.run(x[None], grad=True, checkpoint=Two(), time_axis=1, every=Two())
        same = lif.run(x[None], grad=True, checkpoint=2, time_axis=1, every=2)
        cotangent = x[None]
        assert_same(lif.backward(given, mem=cotangent).x, lif.backward(same, mem=cotangent).x)


def test_the_input_of_a_run_is_converted_once():
    class Changing:
        calls = 0

        def __array__(self, dtype=None, copy=None):
            self.calls += 1
            return np.full((4, 3), float(self.calls))

    lif = snnc.Leaky(0.9)
    given = Changing()
    rec = lif.run(given, grad=True)
    assert given.calls == 1
    ones = np.ones((4, 3))
    assert (
        lif.backward(rec, mem=ones).beta == lif.backward(lif.run(ones, grad=True), mem=ones).beta
    )
    x = np.ones((4, 3), np.float32)
    rec = lif.run(x, grad=True)
    x.resize((3, 4), refcheck=False)
    assert lif.backward(rec, mem=ones).x.shape == (4, 3)


@pytest.mark.parametrize("output", [True, False])
def test_init_hidden_unset_by_a_callback(output):
    lif = snnc.Leaky(0.9, init_hidden=True, output=output)

    class Unsetting:
        def __array__(self, dtype=None, copy=None):
            lif.init_hidden = False
            return np.ones((5, 3), np.float32)

    for use in (lif.run, lif):
        lif.init_hidden = True
        use(Unsetting())
        assert not lif.init_hidden
        lif(np.ones(3), np.zeros(3))


def test_states_by_layer_are_no_slip():
    net = nn.Sequential(lif=snnc.Leaky(0.9))
    x = np.ones((3, 1), np.float32)
    expected = net.run(x, states={"lif": 0.0})[-1].mem
    for states in (0, (0,), [0], False):
        assert_same(net.run(x, states={"lif": states})[-1].mem, expected)


def test_a_bias_that_came_after_the_run():
    net = nn.Sequential(fc=nn.Linear(3, 2, bias=False, rng=0), lif=snnc.Leaky(0.9))
    recs = net.run(np.ones((4, 1, 3), np.float32), grad=True)
    net["fc"].bias = [1, 2]
    assert list(net.backward(recs, mem=np.ones((4, 1, 2)))) == ["fc.weight"]


def test_names_of_other_classes_of_str():
    lif, x = snnc.Leaky(0.9), np.ones((5, 3), np.float32)
    rec = lif.run(x, record=np.str_("spk"), spk_dtype=np.str_("packed"))
    assert all(type(name) is str for name in rec._arrays)
    assert_same(rec.events()[0], lif.run(x).events()[0])
    lif.run(x, record=np.str_("mem"))
    assert all(type(name) is str for name in lif.run(x, record="mem")._arrays)


def test_containers_say_what_they_expect():
    net = nn.Sequential(fc=nn.Linear(3, 2, rng=0), lif=snnc.Leaky(0.9))
    for call, match in (
        (lambda: optim.SGD(net, 0.1).step([1]), "grads="),
        (lambda: net.load_state_dict(3), "state="),
        (lambda: optim.Adam(net, betas=3), "betas="),
        (lambda: optim.Adam(net, betas=("a", 1)), "betas="),
        (lambda: nn.batches([[1], [1, 2]], [1, 2], 1), "^x is not"),
        (lambda: nn.batches(np.ma.zeros(3), [1, 2, 3], 1), "^x is a masked"),
        (lambda: snnc.unpack_spikes([[1], [1, 2]], 3), "^packed is not"),
        (lambda: net["lif"].run(np.ones((3, 2)), neurons=slice("a")), "^neurons"),
        (lambda: net["lif"].run(np.ones((3, 2)), neurons=slice(None, None, 0)), "^neurons"),
    ):
        with pytest.raises((TypeError, ValueError), match=match):
            call()


@pytest.mark.parametrize(("beta", "C"), [(0.7151434231510583, 4.9769690366005195), (0.9, 3.3)])
def test_a_lapicque_survives_its_own_state_dict(beta, C):
    x = np.random.default_rng(0).random((200, 1)).astype(np.float32)
    for lif in (
        snnc.Lapicque(beta, C=C), snnc.Lapicque(beta, R=C), snnc.Lapicque(beta),
        snnc.Lapicque(R=beta, C=C),
    ):  # fmt: skip
        net = nn.Sequential(lif)
        before, shown = net.run(x)[0].mem, repr(net)
        net.load_state_dict(net.state_dict())
        assert_same(net.run(x)[0].mem, before)
        assert repr(net) == shown


def test_a_checkout_that_is_not_built_says_so_first(tmp_path):
    (tmp_path / "snnc").mkdir()
    for path in Path(snnc.__file__).parent.glob("*.py"):
        (tmp_path / "snnc" / path.name).write_text(path.read_text())
    code = (  # without the way to an editable installation
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'ditable' not in repr(f)]\n"
        "import snnc"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: snnc's extension module isn't built.")
    assert "pip install -e ." in last
    assert "another exception" not in result.stderr
