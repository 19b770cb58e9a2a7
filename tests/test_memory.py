"""References and memory: nothing leaks, on success or on any way to fail."""

import contextlib
import gc
import pickle
import signal
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from support import CLASSES, TORCH, assert_same, csr, interrupted, make

import snnc
from snnc import _core


def ways_to_fail(neuron):
    """Calls that fail at every stage of the binding, each with its own arrays."""
    n = len(neuron.states)
    rest = [np.zeros(4, np.float32) for _ in range(n)]
    x = np.zeros(4, np.float32)
    out = [None] * (1 + n)
    wrong = np.zeros(5, np.float32)
    lif = isinstance(neuron, snnc.LIF)
    threshold, option = ("v_threshold", "method") if lif else ("threshold", "reset_mechanism")
    return [
        lambda: neuron(np.zeros(4, complex), *rest),
        lambda: neuron([[1], [2, 3]], *rest),
        lambda: neuron(x, *rest[:-1], np.zeros(4, complex)),
        lambda: neuron(x, *rest[:-1], wrong),
        lambda: neuron(x, *rest[:-1]),
        lambda: neuron(x, *rest, dtype=np.int8),
        lambda: neuron(x, *rest, dtype="wrong"),
        lambda: neuron(x.astype(float), *rest, out=(wrong, *out[1:])),
        lambda: neuron(x, *rest, out=(*out[:-1], wrong)),
        lambda: neuron(x, *rest, out=(x[::-1], *out[1:])),
        lambda: neuron(x, *rest, out=(x, *out[1:-1], x)),
        lambda: neuron(x, *rest, out=[]),
        lambda: neuron.run(x, num_steps=-1),
        lambda: neuron.run(x, num_steps="a"),
        lambda: neuron.run(x, num_steps=2**62),
        lambda: neuron.run(np.float32(1)),
        lambda: neuron.run(x, time_axis=5),
        lambda: neuron.run(x, spk_dtype=np.int8),
        lambda: neuron.run(x, out={"spk": wrong}),
        lambda: neuron.run(x, record="wrong"),
        lambda: neuron.run(x, grad=True, checkpoint=0),
        lambda: setattr(neuron, threshold, "wrong"),
        lambda: setattr(neuron, threshold, [[1], [1, 2]]),
        lambda: setattr(neuron, option, "wrong"),
    ]


def growth(call, repeats=100, rounds=25):
    """Bytes that stay allocated per call: of the rounds the least, as caches may fill first."""
    least = np.inf
    call()
    gc.freeze()  # so that the collections below look at what is new
    tracemalloc.start()
    try:
        for _ in range(rounds):
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(repeats):
                call()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
            least = min(least, (after - before) / repeats)
            if least < 4:
                break
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    return least


@pytest.mark.parametrize("model", sorted(CLASSES))
def test_failures_leak_nothing(model):
    neuron = make(model)
    for number, call in enumerate(ways_to_fail(neuron)):

        def fails(call=call):
            try:
                call()
            except (TypeError, ValueError):
                return
            raise AssertionError("it did not fail")

        assert growth(fails) < 4, number


@pytest.mark.parametrize("model", sorted(CLASSES))
def test_success_leaks_nothing(model):
    neuron = make(model, threshold=np.ones(4))
    inhibited = make(model, inhibition=True) if model in TORCH else neuron
    threshold = "threshold" if model in TORCH else "v_threshold"
    x = np.zeros((6, 4), np.float32)
    states = [np.zeros(4, np.float32) for _ in neuron.states]
    rec = neuron.run(x)
    calls = [
        lambda: neuron(x[0], *states),
        lambda: neuron(x[0].astype(np.half), *states, out=(None, *states)),
        lambda: neuron(0.5, *[0.0] * len(states)),
        lambda: neuron(x.T[:, :4].T, *states),
        lambda: neuron.run(x, *states),
        lambda: neuron.run(x.astype(float).T, time_axis=1, spk_dtype=bool),
        lambda: neuron.run(x, out=rec),
        lambda: neuron.run(x, *rec.state, out=rec),
        lambda: inhibited.run(x[:, None]),
        lambda: setattr(neuron, threshold, np.ones(4)),
        lambda: make(model),
        lambda: make(model, threshold=np.ones(4)).run(x),
    ]
    if model in TORCH:
        kept = neuron.run(x, grad=True)
        own = make(model, spike_grad=np.ones_like)
        one = own.run(x, grad=True)
        calls += [
            lambda: neuron.run(x, grad=True, checkpoint=2),
            lambda: neuron.backward(kept, spk=x, mem=x),
            lambda: neuron.backward(kept, spk=x[-1], wrt="x", out=np.zeros_like(x)),
            lambda: own.backward(one, x),
        ]
    for number, call in enumerate(calls):
        assert growth(call) < 4, number


OWN = np.random.default_rng(0).normal(0, 0.3, 4)
DENSE = np.random.default_rng(1).normal(0, 0.3, (4, 4))


def mixed(neuron, bias=None):
    projections = (snnc.Projection(csr(DENSE), delay=3, decay=0.5), snnc.Projection(OWN), DENSE)
    return snnc.Recurrent(neuron, *projections, bias=bias)


CLOSED_LOOPS = {
    "Synaptic": lambda: mixed(snnc.Synaptic(0.9, 0.8), OWN),
    "RLeaky": lambda: snnc.RLeaky(0.9, linear_features=4, rng=0),
    "RSynaptic": lambda: snnc.RSynaptic(0.9, 0.8, all_to_all=False),
}


@pytest.mark.parametrize("name", CLOSED_LOOPS)
def test_closed_loops_leak_nothing(name):
    net = CLOSED_LOOPS[name]()
    x = np.random.default_rng(1).random((6, 2, 4), np.float32)
    everything = tuple(dict.fromkeys(("spk", *net.states)))  # RLeaky's spk is a state
    rec = net.run(x, record=everything)
    states = [np.array(state) for state in rec.state]
    out = (*states,) if "spk" in net.states else (None, *states)
    calls = [
        lambda: CLOSED_LOOPS[name]().run(x),
        lambda: net(x[0], *states),
        lambda: net(x[0], *states, out=out),
        lambda: net.run(x, *states, spk_dtype="packed", num_threads=2),
        lambda: net.run(x, record=everything, out=rec),
        lambda: list(net.run_chunks([x, x], record="count")),
        lambda: pickle.loads(pickle.dumps(net)),
    ]
    kept = net.run(x, grad=True)
    calls += [
        lambda: net.run(x, grad=True),
        lambda: net.backward(kept, spk=x),
        lambda: net.backward(kept, spk=x[-1], wrt="x", out=np.zeros_like(x)),
    ]
    wrong = [
        lambda: net(x[0], states[0][:1]),
        lambda: net.run(x[..., :3], *states),
        lambda: net.run(x, *states, record="nothing"),
        lambda: net.run(x, *states, out={"spk": np.zeros(3)}),
        lambda: net.backward(rec, x),
        lambda: snnc.Recurrent(net.neuron, np.ones((4, 3))),
        lambda: snnc.Projection(csr(np.ones((3, 4)))),
    ]
    for call in wrong:
        with pytest.raises((TypeError, ValueError)):
            call()

        def fails(call=call):
            with contextlib.suppress(TypeError, ValueError):
                call()

        calls.append(fails)
    for at, call in enumerate(calls):
        assert growth(call) < 4, at


def test_products_leak_nothing():
    dense = np.random.default_rng(0).normal(0, 0.3, (4, 5))
    spk = np.random.default_rng(1).random((7, 5)) < 0.5
    y = np.empty((7, 4))
    calls = [
        lambda: snnc.spike_product(spk, dense),
        lambda: snnc.spike_product(spk, csr(dense), np.ones(4)),
        lambda: snnc.spike_product(np.packbits(spk, axis=-1, bitorder="little"), dense, out=y),
    ]
    for wrong in (dense.T, csr(dense.T), dense.astype(complex)):
        with pytest.raises((TypeError, ValueError)):
            snnc.spike_product(spk, wrong)

        def fails(wrong=wrong):
            with contextlib.suppress(TypeError, ValueError):
                snnc.spike_product(spk, wrong)

        calls.append(fails)
    for at, call in enumerate(calls):
        assert growth(call) < 4, at


@pytest.mark.parametrize("model", TORCH)
def test_a_failing_backward_pass_leaks_nothing(model):
    neuron = make(model)
    x = np.zeros((6, 4), np.float32)
    rec = neuron.run(x, grad=True)

    def failing(y):
        raise ValueError

    own = make(model, spike_grad=failing)
    for number, call in enumerate([
        lambda: neuron.backward(neuron.run(x), spk=x),
        lambda: neuron.backward(rec, spk=x[0, :3]),
        lambda: neuron.backward(rec, mem=x.astype(complex)),
        lambda: neuron.backward(rec, spk=x, out=x[1:]),
        lambda: neuron.backward(rec, spk=x, wrt="wrong"),
        lambda: neuron.backward(rec, spk=x, num_threads=0),
        lambda: own.backward(rec, spk=x),
    ]):  # fmt: skip

        def fails(call=call):
            with pytest.raises((TypeError, ValueError)):
                call()

        assert growth(fails) < 4, number


def test_references_of_arguments_are_returned():
    lif = snnc.Leaky(0.9, threshold=np.ones(4))
    x, mem, spk, out = (np.zeros(4, np.float32) for _ in range(4))
    arguments = [x, mem, spk, out, lif._cell, lif.threshold]
    before = [sys.getrefcount(a) for a in arguments]
    for _ in range(10):
        lif(x, mem, out=(spk, out))
        with pytest.raises(ValueError, match="share"):
            lif(x, mem, out=(spk, spk))
        lif.run(x[None], mem, out={"spk": spk[None], "state": (out,)})
    assert [sys.getrefcount(a) for a in arguments] == before


GOOD = object()
WRONG_WAYS_BACK = (
    None, np.zeros((6, 4), int), GOOD, 7, (np.zeros((1, 4)),) * 2, 0, 99, (1.0,),
    np.zeros((5, 4), np.float32), np.zeros((6, 4)), (None,), (np.zeros(4), np.zeros(4)),
    np.zeros((6, 5), np.float32), (np.zeros(4, np.float32),) * 3, -1, 7, 0,
)  # fmt: skip


WRONG_STEPS_BACK = (
    None, GOOD, (None,), (99, (0.0, 0.0)), (None,), GOOD, (np.zeros(4, np.float32),) * 3, -1,
)  # fmt: skip


def step_back():
    """Arguments of `_core.backward_step` that are as they should be."""
    x = np.zeros((2, 4), np.float32)
    params = tuple(np.zeros((2, 4)) for _ in range(3))
    return [snnc.Synaptic(0.9, 0.8)._cell, x, (x, x), (0, (0.0, 0.0)), (x, None, x), True, params,
            1]  # fmt: skip


UNTRUE = np.zeros(2)  # its truth is a ValueError


def backward_pass():
    """Arguments of `_core.backward` that are as they should be."""
    lif = snnc.Synaptic(0.9, 0.8)
    x = np.zeros((6, 4), np.float32)
    rec = lif.run(x, grad=True)
    start = tuple(np.zeros(4, np.float32) for _ in range(2))
    params = tuple(np.zeros(4) for _ in range(3))
    return [lif._cell, x, False, 6, rec._tape.checkpoints, 16, 0, (0.0, 0.0), None, x,
            (x, None), start, x.copy(), params, 0, 6, 1]  # fmt: skip


def places(*arrays):
    return [a.__array_interface__["data"][0] % 4096 for a in arrays]


@pytest.mark.parametrize("model", CLASSES)
@pytest.mark.parametrize("offset", [0, 16, 4080])
def test_large_outputs_are_placed_apart_in_their_pages(model, offset):
    """Where a store and a load agree in the last 12 bits of their addresses, the load waits."""
    neuron = make(model)
    raw = np.zeros(4 * 16384 + 2 * 4096, np.uint8)
    start = (offset - places(raw)[0]) % 4096
    x = raw[start : start + 4 * 16384].view(np.float32).reshape(4, 4096)
    beside = [[x, *neuron.run(x, record=("spk", *neuron.states))]]
    if model in TORCH:
        rec = neuron.run(x, record="spk", grad=True, checkpoint=1)
        beside.append([x, rec.spk, *rec._tape.checkpoints])
        found = neuron.backward(rec, spk=rec.spk, wrt="x").x
        beside.append([*rec._tape.checkpoints, rec.spk, found])
    mem = neuron.run(x, record=neuron.states[-1])
    given = {neuron.states[-1]: next(iter(mem))}
    beside.append([x, *neuron.run(x, record=("spk", neuron.states[-1]), out=given)])
    for arrays in beside:
        assert all(place % 64 == 0 for place in places(*arrays[1:]))
        ordered = sorted(places(*arrays))
        assert np.diff([*ordered, ordered[0] + 4096]).min() >= 256


def test_private_functions_check_their_arguments():
    assert _core.backward(*backward_pass()) is None
    assert [a.shape for a in _core.backward_step(*step_back())] == [(2, 4)] * 3
    for i, other in ((1, [0.0]), (1, np.zeros((2, 4))), (2, (None, np.zeros((2, 4), np.float32))),
                     (3, None), (4, (np.zeros(3), None, None))):  # fmt: skip
        arguments = step_back()
        arguments[i] = other
        assert _core.backward_step(*arguments) is None
    lif = snnc.Synaptic(0.9, 0.8)
    constants = (np.ones(3),) * 3
    none = (None, None)
    rest = (1, 0, None, None, None, None, 1, 0)
    for call in (
        lambda: _core.step(),
        lambda: _core.step(lif._cell, 0.0, None, None, False, 0.0),
        lambda: _core.step(None, 0.0, None, None, False, 0.0, 0.0),
        lambda: _core.step(object(), 0.0, None, None, False, 0.0, 0.0),
        lambda: _core.run(lif._cell),
        lambda: _core.run(lif._cell, [0.0], False, (), None, 0, (0,), *rest),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (9,), *rest),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, [0], *rest),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), 0, *rest[1:]),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), 1, -1, *rest[2:]),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), *rest[:6], 0, 0),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), *rest[:6], "1", 0),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), *rest[:7], -1),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), *rest[:4], (), *rest[5:]),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (-1,), *rest),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, ("spk",), *rest),
        lambda: _core.run(lif._cell, [0.0], False, none, None, 0, (0,) * 99, *rest),
        *(lambda bad=bad: _core.run(lif._cell, [0.0], False, none, None, 0, (0,), *rest[:4],
                                    bad, *rest[5:])
          for bad in ((None, none, none, None), ((None,), (), none, None),
                      ((None,), none, [None, None], None))),
        lambda: _core.Neuron._set(lif),
        lambda: _core.empty(1),
        lambda: _core.empty(-1, np.float32),
        lambda: _core.empty(2**61, np.float32),
        lambda: _core.empty(1, None),
        lambda: _core.empty(1, np.int8),
        lambda: _core.events(np.zeros((2, 2), np.uint8), 7, 0),
        lambda: _core.events(np.zeros((2, 2), np.uint8), -1, 0),
        lambda: _core.events(np.zeros(2, np.uint8), 16, 0),
        lambda: _core.events(np.zeros((2, 2), np.uint8)),
        lambda: _core.events(np.zeros((2, 2), np.uint8), 16, -1),
        lambda: _core.events(np.zeros((2, 2), np.uint8), "16", 0),
        lambda: _core.cell(),
        lambda: _core.cell("Wrong", "zero", False, False, constants, constants, ()),
        lambda: _core.cell("Synaptic", "wrong", False, False, constants, constants, ()),
        lambda: _core.cell(None, "zero", False, False, constants, constants, ()),
        lambda: _core.cell("Synaptic", "zero", UNTRUE, False, constants, constants, ()),
        lambda: _core.cell("Synaptic", "zero", False, UNTRUE, constants, constants, ()),
        lambda: _core.cell("LIF", "subtract", False, False, constants, constants, ()),
        lambda: _core.cell("LIF", "zero", False, True, constants, constants, ()),
        lambda: _core.cell("Synaptic", "zero", False, False, constants[:2], constants, ()),
        lambda: _core.cell("Synaptic", "zero", False, False, constants, None, ()),
        lambda: _core.cell("Synaptic", "zero", False, False, constants, constants, None),
        lambda: _core.cell("Synaptic", "zero", False, False, constants, (1.0, "a", 1.0), ()),
        lambda: _core.cell("Synaptic", "zero", False, False, constants,
                           (np.ones(3), np.ones(2), 1.0), ()),
        lambda: _core.backward(),
        lambda: _core.mem_shift(None, *backward_pass()[1:]),
        *(lambda i=i, bad=bad: _core.backward(*(bad if j == i else a
                                                 for j, a in enumerate(backward_pass())))
          for i, bad in enumerate(WRONG_WAYS_BACK) if bad is not GOOD),
        *(lambda i=i, bad=bad: _core.backward(*(bad if j == i else a
                                                 for j, a in enumerate(backward_pass())))
          for i in (3, 4, 5, 10, 11, 13, 14, 15, 16) for bad in (None, (), "3", -1)),
        lambda: _core.backward_step(),
        *(lambda i=i, bad=bad: _core.backward_step(*(bad if j == i else a
                                                      for j, a in enumerate(step_back())))
          for i, bad in enumerate(WRONG_STEPS_BACK) if bad is not GOOD),
        lambda: _core.surrogate("0", (0.0, 0.0), np.zeros(3)),
        lambda: _core.surrogate(),
        lambda: _core.surrogate(99, (0.0, 0.0), np.zeros(3)),
        lambda: _core.surrogate(-1, (0.0, 0.0), np.zeros(3)),
        lambda: _core.surrogate(0, (0.0,), np.zeros(3)),
        lambda: _core.surrogate(0, (0.0, "a"), np.zeros(3)),
        lambda: _core.surrogate(0, (0.0, 0.0), np.zeros(3, int)),
        lambda: _core.surrogate(0, (0.0, 0.0), [0.0]),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)):
            call()


def test_an_interrupt_stops_a_long_run_and_changes_no_held_state():
    """Ctrl-C: a KeyboardInterrupt between the chunks of a run that would take for ever."""
    lif = snnc.Leaky(0.9, init_hidden=True)
    lif(np.ones(1000, np.float32))
    before = lif.mem
    with interrupted(0.2), pytest.raises(KeyboardInterrupt):
        lif.run(np.zeros(1000, np.float32), num_steps=2**40, record=())
    assert_same(lif.mem, before)


def in_threads(call):
    """What four threads get of ten calls each."""
    results = []

    def work():
        for _ in range(10):
            results.append(call())  # noqa: PERF401 -- appended as they come

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40
    return results


def test_threads_on_their_own_arrays():
    x = np.random.default_rng(0).random((200, 300)).astype(np.float32)
    lif = snnc.Alpha(np.full(300, 0.9), 0.8, threshold=0.2)
    expected = lif.run(x)
    for rec in in_threads(lambda: lif.run(x)):
        assert_same(rec.mem, expected.mem)


def test_an_interrupt_stops_a_long_backward_pass():
    lif = snnc.Leaky(0.9)
    x = np.broadcast_to(np.float32(0.1), (1_000_000, 1000))
    rec = lif.run(x, record=(), grad=True, checkpoint=1000)
    with interrupted(0.05), pytest.raises(KeyboardInterrupt):
        lif.backward(rec, wrt="mem0")


def test_backward_passes_in_threads():
    x = np.random.default_rng(0).random((100, 300)).astype(np.float32)
    lif = snnc.Alpha(np.full(300, 0.9), 0.8, threshold=0.2)
    rec = lif.run(x, grad=True)
    expected = lif.backward(rec, spk=x)
    for grads in in_threads(lambda: lif.backward(rec, spk=x)):
        assert_same(grads.x, expected.x)
        assert_same(grads.alpha, expected.alpha)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_new_line_is_half_a_page_from_what_is_beside_it(dtype):
    raw = np.zeros(2 * 4096, np.uint8)
    for offset in range(0, 4096, 320):
        beside = raw[(offset - places(raw)[0]) % 4096 :][:64]
        (here,), (there,) = places(_core.empty(16384, dtype, beside)), places(beside)
        assert there == offset
        assert abs(here - there) % 4096 in range(2048 - 128, 2048 + 129)


def checks_during(call):
    """How often signals are handled while it is at work: when C code lets them be."""
    seen = []
    handler = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
    try:
        call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    return len(seen)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers that send signals")
def test_signals_are_looked_for_all_the_time():
    """In a run of one neuron, of many, and within one step or segment of very many."""
    lif = snnc.Leaky(0.9)
    one, many = np.float32(0.3), np.zeros(4000, np.float32)
    assert checks_during(lambda: lif.run(one, num_steps=2**25, record=())) >= 5
    assert checks_during(lambda: lif.run(np.zeros((2**24, 1), np.float32), record="spk")) >= 5
    assert checks_during(lambda: lif.run(many, num_steps=100_000, record="count")) >= 5
    rec = lif.run(many, num_steps=2**14, record=(), grad=True, checkpoint=2**14)
    assert checks_during(lambda: lif.backward(rec, wrt="mem0")) >= 5
    for few, steps in ((1, 2**23), (3, 2**22), (100, 2**20)):
        x = np.broadcast_to(np.float32(0.0), (steps, few))
        rec = lif.run(x, record=(), grad=True, checkpoint=2**40)
        assert checks_during(lambda x=x, rec=rec: lif.backward(rec, mem=x, wrt="mem0")) >= 5
    rec = lif.run(one, num_steps=2**24, record="spk", spk_dtype="packed")
    assert checks_during(rec.events) >= 5
    wide = np.broadcast_to(np.float32(0.3), 2**26)
    assert checks_during(lambda: lif.run(wide, num_steps=1, record="count")) >= 5


def test_no_neurons_are_quickly_done():
    """However many steps there are: nothing loops over them."""
    code = """if True:
        import numpy as np, snnc
        x = np.zeros(0, np.float32)
        for options in ({"record": "events"}, {"record": "spk", "spk_dtype": "packed"}):
            rec = snnc.Leaky(0.9).run(x, num_steps=2**45, **options)
            assert [len(a) for a in rec.events()] == [0, 0]
        lif = snnc.Leaky(0.9, spike_grad=np.ones_like)
        rec = lif.run(x, num_steps=2**45, record=(), grad=True, checkpoint=2**30)
        assert lif.backward(rec).x.shape == (2**45, 0)
    """
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


def test_a_workspace_too_large_to_count_is_no_memory():
    arguments = backward_pass()
    rec = snnc.Synaptic(0.9, 0.8).run(np.zeros((1, 4), np.float32), grad=True)
    x = np.broadcast_to(np.float32(0), (2**57, 4))
    arguments[1:6] = [x[0], True, 2**57, rec._tape.checkpoints, 2**57]
    arguments[9:11] = [x, (x, None)]
    arguments[12] = None
    arguments[15] = 2**57
    with pytest.raises(MemoryError):
        _core.backward(*arguments)
