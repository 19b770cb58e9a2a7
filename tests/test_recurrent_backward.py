"""Gradients through closed loops: snnTorch's own, and the complex step through the reference."""

import numpy as np
import pytest
import reference
from support import assert_same, csr, golden, kind, make
from test_backward import ALPHA, SOFT, check_close, complex_step, constants_of, smooth_spike
from test_recurrent import recurrent

import snnc
from snnc import surrogate

N = 3


@pytest.mark.parametrize(
    "case",
    [case for case in golden("recurrent") if not case.args.get("inhibition")],
    ids=lambda case: case.name,
)
def test_snntorch(case):
    neuron, start = recurrent(case)
    a = case.arrays
    rec = neuron.run(a["x"], *start, grad=True)
    assert_same(rec.spk, a["spk"])
    cotangents = [a[f"cot_{name}"] for name in neuron.states]
    grads = neuron.backward(rec, *cotangents)
    names = [name.removeprefix("grad_") for name in a if name.startswith("grad_")]
    assert {"x", "spk0", "mem0"} < set(names)
    for name in names:
        check_close(grads._arrays[name], a[f"grad_{name}"], 1e-5)
    learned = {"recurrent.weight", "recurrent.bias"} if "recurrent.bias" in names else {"V"}
    assert learned <= set(neuron.learned)


LOOPS = {
    "dense": lambda rng: [(rng.normal(size=(N, N)), 1, 0.0)],
    "delayed": lambda rng: [(rng.normal(size=(N, N)), 3, 0.0), (rng.normal(size=(N, N)), 2, 0.5)],
    "late": lambda rng: [(rng.normal(size=(N, N)), 20, 0.25)],
    "sparse": lambda rng: [(rng.normal(size=(N, N)) * np.tri(N), 2, rng.random(N))],
    "one-to-one": lambda rng: [(rng.normal(size=N), 1, 0.75), (np.array(-0.5), 2, 0.0)],
}


def case_of(model, reset, delay, loop, shape, bias):
    rng = np.random.default_rng(len(loop) + 3)
    p = {
        "Lapicque": {"R": 1.0, "C": 5.0, "time_step": 1.0},
        "Leaky": {"beta": 0.9, "graded_spikes_factor": 1.3},
        "Synaptic": {"alpha": 0.8, "beta": 0.9},
        "Alpha": {"alpha": 0.9, "beta": 0.7},
    }[model] | {"threshold": 0.4}
    neuron = make(model, **p, **kind(model, reset, delay), spike_grad=surrogate.atan(ALPHA))
    projections = LOOPS[loop](rng)
    net = snnc.Recurrent(
        neuron,
        *(
            snnc.Projection(csr(w) if loop == "sparse" else w, delay=d, decay=decay)
            for w, d, decay in projections
        ),
        bias=bias,
    )
    x = rng.normal(0.9, 1.2, (12, *shape))
    delays = max(d for _, d, _ in projections)
    start = [rng.normal(0, 0.3, shape) for _ in neuron.states]
    past = (rng.random((delays, *shape)) < 0.4) * 1.5
    currents = [rng.normal(0, 0.3, shape) for _ in projections]
    return rng, p, net, projections, x, (*start, past, *currents)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("model", "reset", "delay"), SOFT)
def test_equals_the_complex_step(model, reset, delay, loop):
    shape = (2, N) if loop in ("dense", "sparse") else (N,)
    bias = np.array(0.2) if loop == "late" else np.array([0.1, -0.2, 0.3])
    rng, p, net, projections, x, start = case_of(model, reset, delay, loop, shape, bias)
    rec = net.run(x, *start, grad=True)
    assert np.count_nonzero(rec.spk) >= 2
    count = len(net.neuron.states)
    cotangents = [rng.normal(size=x.shape) for _ in ("spk", *net.neuron.states)]
    of_currents = [rng.normal(size=x.shape) if k else None for k in range(len(projections))]
    named = {f"i{k}": c for k, c in enumerate(of_currents) if c is not None}
    grads = net.backward(rec, *cotangents, **named)

    def of(x=x, start=start, p=p, projections=projections, bias=bias):
        constants = {k: np.asarray(v) for k, v in constants_of(model, p).items()}

        def one_step(x, states):
            return reference.step(
                model, x, states, constants, reset=reset, reset_delay=delay, spike=smooth_spike
            )

        wide = [np.asarray(s, complex) for s in start]
        records = reference.recurrent(
            one_step, x.astype(complex), wide[:count], wide[count], wide[count + 1 :],
            [(np.asarray(w, complex), d, np.asarray(c, complex)) for w, d, c in projections], bias,
        )  # fmt: skip
        spk, *states = records
        values = [spk, *states[:count], *states[count + 1 :]]
        return sum(
            np.sum(value * cotangent)
            for value, cotangent in zip(values, (*cotangents, *of_currents), strict=True)
            if cotangent is not None
        )

    tolerance = 1e-11 if delay or reset == "none" else 2e-6
    check_close(grads.x, complex_step(lambda z: of(x=z), x), tolerance)
    for k, name in enumerate(net.states):
        expected = complex_step(
            lambda z, k=k: of(start=[*start[:k], z, *start[k + 1 :]]), start[k]
        )
        check_close(grads._arrays[f"{name}0"], expected, tolerance)
    for name, value in p.items():
        expected = complex_step(lambda z, name=name: of(p={**p, name: z}), np.array(value))
        check_close(grads._arrays[name], expected, tolerance)
    check_close(grads.bias, complex_step(lambda z: of(bias=z), bias), tolerance)
    for k, (weight, d, decay) in enumerate(projections):

        def with_(weight=weight, decay=decay, k=k, d=d):
            return of(projections=[*projections[:k], (weight, d, decay), *projections[k + 1 :]])

        expected = complex_step(lambda z: with_(weight=z), np.asarray(weight))
        if loop == "sparse":
            expected = expected[np.nonzero(weight)]
        check_close(grads._arrays[f"weight{k}"], expected, tolerance)
        if np.any(decay):
            expected = complex_step(lambda z: with_(decay=z), np.asarray(decay))
            check_close(grads._arrays[f"decay{k}"], expected, tolerance)


def test_gradients_of_a_batch_of_many_spikes_are_those_of_few():
    """Sums of weights' gradients are of lists of spikes, or by BLAS where there are many."""
    rng = np.random.default_rng(0)
    for threshold in (0.05, 3.0):
        net = snnc.RLeaky(0.9, linear_features=70, threshold=threshold, rng=1)
        x = rng.normal(0.4, 1.0, (40, 9, 70))
        rec = net.run(x, grad=True, dtype=np.float64)
        assert (rec.spk.mean() > 0.3) == (threshold < 1)
        upstream = rng.normal(size=x.shape)
        grads = net.backward(rec, upstream)
        spikes = np.concatenate((np.zeros((1, 9, 70)), rec.spk[:-1]))
        expected = np.einsum("tba,tbc->ac", grads.x, spikes)
        check_close(grads._arrays["recurrent.weight"], expected, 1e-12)
        check_close(grads._arrays["recurrent.bias"], grads.x.sum(axis=(0, 1)), 1e-12)
        for num_threads in (1, 2):
            again = net.backward(rec, upstream, num_threads=num_threads)
            assert_same(again.x, grads.x)


def test_a_surrogate_of_ones_own():
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(0.4, 1.0, (2, 9, 4)).astype(np.float32)
    for delay in (1, 3):
        both = []
        for spike_grad in (surrogate.atan(2.0), lambda y: 1 / ((np.pi * y) ** 2 + 1)):
            net = snnc.Recurrent(
                snnc.Synaptic(0.9, 0.8, threshold=0.5, spike_grad=spike_grad),
                snnc.Projection(np.eye(4)[::-1], delay=delay),
            )
            rec = net.run(x, grad=True)
            both.append(net.backward(rec, upstream))
        for name, array in both[0]._arrays.items():
            check_close(both[1]._arrays[name], array, 1e-5)


def test_options_of_backward():
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(0.4, 1.0, (2, 9, 2, 4)).astype(np.float32)
    net = snnc.RLeaky(0.9, linear_features=4, rng=0, threshold=0.5, learn_beta=True)
    assert net.learned == ("beta", "recurrent.weight", "recurrent.bias")
    rec = net.run(x, grad=True)
    grads = net.backward(rec, upstream)
    assert list(grads._arrays) == ["x", "spk0", "mem0", "beta", "threshold", "recurrent.weight",
                                   "recurrent.bias"]  # fmt: skip
    last = np.zeros_like(upstream)
    last[-1] = upstream[-1]
    assert_same(net.backward(rec, upstream[-1]).x, net.backward(rec, last).x)
    assert_same(net.backward(rec, mem=upstream[-1]).x, net.backward(rec, mem=last).x)
    out = np.empty_like(x)
    assert net.backward(rec, upstream, wrt="x", out=out).x is out
    assert_same(out, grads.x)
    given = upstream.copy()
    assert_same(net.backward(rec, given, wrt="x", out=given).x, grads.x)
    moved = net.run(np.moveaxis(x, 0, 1), grad=True, time_axis=1)
    assert_same(np.moveaxis(net.backward(moved, np.moveaxis(upstream, 0, 1)).x, 1, 0), grads.x)
    again = net.run(x, grad=True, out=rec)  # whose arrays are filled again
    assert_same(net.backward(again, upstream).x, grads.x)
    net.reset_mechanism = "zero"
    other = net.run(x, grad=True, out=again)
    assert_same(other.spk, net.run(x).spk)
    one = net.run(x[:, :1, :1], grad=True)  # broadcast to the row
    assert net.backward(one, upstream[:, :1]).x.shape == (9, 1, 4)
    held = net.run(x[0], num_steps=9, grad=True)
    assert net.backward(held, upstream).x.shape == (9, 2, 4)
    none = net.run(x[:0], grad=True)
    assert not np.any(net.backward(none, upstream[:0])._arrays["recurrent.weight"])
    idle = snnc.RLeaky(0.9, linear_features=4, learn_recurrent=False)
    assert idle.learned == ()
    loop = snnc.Recurrent(snnc.Leaky(0.9), np.ones((4, 4)), bias=0.5)
    assert loop.learned == ("weight0", "bias")
    lif = snnc.Recurrent(snnc.LIF(20.0, dt=1.0, v_threshold=15.0))
    rival = snnc.RLeaky(0.9, linear_features=4, inhibition=True)
    for call, message in (
        (lambda: net.backward(net.run(x), upstream), "keeps nothing"),
        (lambda: net.backward(snnc.Leaky(0.9).run(x, grad=True), upstream), "of another neuron"),
        (lambda: snnc.Leaky(0.9).backward(rec, upstream), "keeps nothing|of a|this is a Leaky"),
        (lambda: loop.backward(other, upstream), "of another neuron"),
        (lambda: net.backward(held, upstream[:3]), "spk of shape"),
        (lambda: net.backward(held, upstream, wrt="weight0"), "wrt has 'weight0'"),
        (lambda: net.backward(held, upstream, out=x[:2]), "out: float32 of shape"),
        (lambda: loop.backward(loop.run(x, grad=True), past=upstream), "past: spikes have one"),
        (lambda: lif.run(x, grad=True), "a LIF has no gradient"),
        (lambda: rival.run(x, grad=True), "no gradient through inhibition"),
        (lambda: net.run(x, grad=True, checkpoint=0), "checkpoint=0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("shape", [(4, 0), (4, 0, 2), (4, 2, 0), (0, 2)])
def test_no_neurons_or_steps(shape):
    n = shape[-1]
    net = snnc.Recurrent(snnc.Leaky(0.9), np.zeros((n, n)), bias=np.zeros(n))
    rec = net.run(np.zeros(shape), grad=True)
    grads = net.backward(rec, np.zeros(shape), wrt=("x", "weight0", "bias"))
    assert grads.x.shape == shape
    assert grads.weight0.shape == (n, n)
    assert not grads.bias.any()


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("spk_dtype", [None, np.float64, np.uint8, np.bool_, "packed"])
def test_what_is_recorded_beside_changes_nothing(spk_dtype, every):
    """Spikes and gradients of a run with grad=True, whatever else it records, and of which."""
    rng = np.random.default_rng(4)
    x = rng.normal(0.2, 0.8, (30, 3, 9)).astype(np.float32)
    weight = rng.normal(size=(9, 9))
    upstream = rng.normal(size=x.shape)
    for net in (
        snnc.Recurrent(snnc.Synaptic(0.8, 0.9), weight, snnc.Projection(0.25, delay=3)),
        snnc.RLeaky(0.9, linear_features=9, rng=0),
        snnc.RSynaptic(0.8, 0.9, V=0.3, all_to_all=False),
    ):
        plain = net.run(x, record=tuple(dict.fromkeys(("spk", *net.states))), grad=True)
        expected = net.backward(plain, upstream)._arrays
        spk = plain.spk.astype(spk_dtype) if spk_dtype not in (None, "packed") else plain.spk
        for names in ((), net.states[:1], net.states[-1:], net.states[1:3], net.states):
            record = list(dict.fromkeys(("spk", *names)))
            rec = net.run(x, record=record, spk_dtype=spk_dtype, every=every, grad=True)
            found = rec.spk
            if spk_dtype == "packed":
                found = snnc.unpack_spikes(found, x.shape[1:]).astype(x.dtype)
            assert_same(found, spk)
            for name in set(names) - {"spk"}:
                assert_same(getattr(rec, name), getattr(plain, name)[every - 1 :: every])
            for name, gradient in net.backward(rec, upstream)._arrays.items():
                assert_same(gradient, expected[name])
