"""Allocations that fail in the extension module, one after the other, in every kind of call.

Each is a MemoryError, or is done without: nothing crashes, and what neurons hold is as before.
Only those of the module fail: NumPy's own ufuncs don't survive theirs.
"""

import subprocess
import sys

import numpy as np
import pytest
from support import CLASSES, TORCH, assert_same, csr, make

import snnc
from snnc import _backward, _backward_loop, _core, _product, nn, recording, surrogate
from snnc.neurons import base, closed_loop, recurrent_torch, sequences, torch_neuron

_testcapi = pytest.importorskip("_testcapi")  # a part of CPython's own tests

X = np.random.default_rng(0).random((6, 4, 3)).astype(np.float32)
ENOUGH = 20  # in a row that change nothing: a call has no more of them


class Failing:
    """The extension module, of which in every call the n-th allocation fails."""

    nth = None  # none does

    def __getattr__(self, name):
        value = getattr(_core, name)
        if not callable(value) or isinstance(value, type):
            return value

        def call(*args):
            if self.nth is None:
                return value(*args)
            _testcapi.set_nomemory(self.nth, self.nth + 1)
            try:
                return value(*args)
            finally:
                _testcapi.remove_mem_hooks()

        return call


@pytest.fixture
def failing(monkeypatch):
    core = Failing()
    for module in (base, sequences, torch_neuron, closed_loop, recurrent_torch, _backward,
                   _backward_loop, _product, recording, surrogate):  # fmt: skip
        monkeypatch.setattr(module, "_core", core)
    return core


def each_failing(core, call):
    """Do a call with its first allocation failing, its second, ...: yield whether it failed."""
    call()  # as it is done once before, caches are filled
    done = nth = 0
    while done < ENOUGH:
        failed, core.nth = False, nth
        try:
            call()
        except MemoryError:
            failed = True
        finally:
            core.nth = None
        yield failed
        done = 0 if failed else done + 1
        nth += 1


def calls_of(model):
    """Every kind of call of a neuron, with one that holds its states."""
    neuron, wide = make(model), make(model, threshold=np.full((4, 3), 0.4))
    holds = make(model, init_hidden=True, output=True)
    states = [np.full((4, 3), 0.1, np.float32) for _ in neuron.states]
    rec, spk = neuron.run(X), np.empty((4, 3), np.float32)
    turn = iter(range(10**6))
    calls = [
        lambda: neuron(X[0].tolist(), *states, dtype=np.float32),
        lambda: neuron(X[0].astype(np.half), *states, out=(spk, *(None for _ in states))),
        lambda: neuron(X[0][::-1], *states, dtype=np.float64),
        lambda: wide.run(np.ones((2, next(turn) % 2 + 1, 4, 3), np.float32)),
        lambda: holds(X[0]),
        lambda: holds.run(X),
        lambda: next(holds.run_chunks([X])),
        lambda: neuron.run(X, record="spk"),
        lambda: neuron.run(X, out=rec),
        lambda: neuron.run(X, *(each[::-1] for each in states), out=rec),
        lambda: neuron.run(X.T, time_axis=2, record=("spk", "count", "first_spike", "events"),
                           every=2, neurons=[5, 1], spk_dtype="packed"),
        lambda: neuron.run(X, record=("events", neuron.states[0]), neurons=slice(0, 9, 2)),
        lambda: neuron.run(X, record="spk", spk_dtype="packed").events(),
        lambda: wide.run(X, num_threads=2),
        lambda: make(model, threshold=[0.2, 0.3, 0.4]),
        lambda: setattr(neuron, "threshold" if model in TORCH else "v_threshold", 0.5),
    ]  # fmt: skip
    if model in TORCH:
        learned = neuron.run(X, grad=True)
        own = make(model, spike_grad=np.ones_like)
        rival = make(model, inhibition=True, threshold=np.full(3, 0.4))
        calls += [
            lambda: neuron.run(X, grad=True, checkpoint=2),
            lambda: neuron.backward(learned, X, X),
            lambda: neuron.backward(learned, X[-1], wrt="x", out=np.empty_like(X)),
            lambda: own.backward(own.run(X, grad=True), X),
            lambda: neuron.spike_grad(X),
            lambda: rival.run(X),
        ]
    else:
        noisy = make(model, sigma=0.1)
        calls += [lambda: noisy.run(X, rng=0)]
    return calls, holds


IMPORTS = f"""
import importlib.util, os, _testcapi, numpy as np
import snnc
lif, spec, left, nth = snnc.Leaky(0.9), snnc._core.__spec__, {ENOUGH}, 0
while left:
    module = importlib.util.module_from_spec(spec)
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        spec.loader.exec_module(module)
        left -= 1
    except (MemoryError, ImportError):  # of NumPy's import_array
        left = {ENOUGH}
    finally:
        _testcapi.remove_mem_hooks()
    nth += 1
    assert lif(np.float32(2.0), 0.0, out=None)[0] == 1.0  # by the first module
assert nth > {ENOUGH} + 50, nth
for name in dir(snnc._core):
    assert type(getattr(module, name)) is type(getattr(snnc._core, name)), name
for name in ("isas", "models", "records", "resets", "surrogates", "version"):
    assert getattr(module, name) == getattr(snnc._core, name)
print(nth)
"""


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 13),
    reason="CPython 3.13.0 itself crashes where it runs out of memory while a type is made",
)
def test_import():
    """The module's tables, in a process of its own, as they are made anew."""
    result = subprocess.run([sys.executable, "-P", "-c", IMPORTS], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("model", sorted(CLASSES))
def test_neurons(model, failing):
    calls, holds = calls_of(model)
    for number, call in enumerate(calls):
        outcomes = []
        before = None
        for failed in each_failing(failing, call):
            assert not failed or before is None or holds._held is before, number
            before = holds._held
            outcomes.append(failed)
        assert any(outcomes), number


@pytest.mark.parametrize("model", sorted(CLASSES))
def test_steps_without_python(model):
    neuron = make(model, threshold=np.full(3, 0.4))
    x, states = X[0, 0], [np.zeros(3, np.float32) for _ in neuron.states]
    outcomes = []
    for nth in range(40):
        neuron(np.zeros((2, 3), np.float32), *(np.zeros((2, 3), np.float32) for _ in states))
        _testcapi.set_nomemory(nth, nth + 1)
        try:
            neuron(x, *states)
            outcomes.append(False)
        except MemoryError:
            outcomes.append(True)
        finally:
            _testcapi.remove_mem_hooks()
    assert any(outcomes)
    assert not outcomes[-1]


def test_products_and_closed_loops(failing):
    weight, spk = np.eye(3), X[0] > 0.5
    net = snnc.Recurrent(snnc.Synaptic(0.9, 0.8), weight, snnc.Projection(csr(weight), decay=0.5),
                         bias=0.1)  # fmt: skip
    holds = snnc.RLeaky(0.9, linear_features=3, rng=0, init_hidden=True)
    rec, learned = net.run(X), net.run(X, grad=True)
    calls = [
        lambda: snnc.spike_product(spk, weight),
        lambda: snnc.spike_product(spk, weight.T, np.ones(3), num_threads=2),
        lambda: snnc.spike_product(spk, csr(weight)),
        lambda: snnc.Projection(weight, decay=[0.1, 0.2, 0.3]),
        lambda: snnc.Recurrent(snnc.Leaky(0.9), weight, 0.5, bias=0.1).run(X),
        lambda: net.run(X, out=rec, num_threads=2),
        lambda: net.run(X, record=("past", "i0", "events", "count"), spk_dtype="packed"),
        lambda: net.run(X, grad=True),
        lambda: net.backward(learned, X),
        lambda: net(X[0], *rec.state),
        lambda: setattr(net, "weight1", [1, 2, 3]),
        lambda: holds(X[0]),
        lambda: holds.run(X),
    ]
    for number, call in enumerate(calls):
        outcomes, before = [], None
        for failed in each_failing(failing, call):
            assert not failed or before is None or holds._held is before, number
            before = holds._held
            outcomes.append(failed)
        assert any(outcomes), number


@pytest.mark.parametrize("model", ["Leaky", "RLeaky", "Recurrent"])
def test_a_run_that_fails_leaves_no_wrong_tape(model, failing):
    """An earlier recording that it was to overwrite gives its own gradients, or an error."""
    neuron = make(model)
    start = {name: 0.25 for name in neuron.states if name != "past"}
    recs = [neuron.run(X, grad=True)]
    expected = neuron.backward(recs[0], X)._arrays

    def overwrite():
        neuron.run(2 * X, **start, grad=True, out=recs[0], num_threads=2)

    outcomes = []
    for failed in each_failing(failing, overwrite):
        outcomes.append(failed)
        failing.nth = None
        if failed and recs[0]._tape is not None:
            for name, gradient in neuron.backward(recs[0], X)._arrays.items():
                assert_same(gradient, expected[name])
        recs[0] = neuron.run(X, grad=True)
    assert any(outcomes)


def test_networks(failing):
    net = nn.Sequential(
        fc1=nn.Linear(3, 5, rng=0),
        lif1=snnc.Leaky(0.9, init_hidden=True),
        fc2=nn.Linear(5, 2, rng=1),
        lif2=snnc.Synaptic(0.9, 0.8, learn_beta=True, init_hidden=True),
    )
    recs = net.run(X, grad=True)
    state = net.state_dict()

    def parts():
        return net["lif1"]._held, net["lif2"]._held, net["fc1"].weight, net["lif2"]._parameters

    for call in (
        lambda: net.run(X, grad=True),
        lambda: net.backward(recs, mem=np.ones((6, 4, 2))),
        lambda: net.load_state_dict(state),
    ):
        before = None
        for failed in each_failing(failing, call):
            now = parts()
            if failed and before is not None:
                assert all(a is b for a, b in zip(before, now, strict=True))
            before = now
