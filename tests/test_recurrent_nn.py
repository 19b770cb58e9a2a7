"""Closed loops as layers of networks, trained, and read from snnTorch."""

from types import SimpleNamespace

import numpy as np
import pytest
from support import assert_same, csr
from test_backward import check_close

import snnc
from snnc import nn, optim, spikestats

T, B = 9, 3


def network(**options):
    return nn.Sequential(
        fc1=nn.Linear(5, 4, rng=0),
        loop=snnc.Recurrent(
            snnc.Leaky(0.9, threshold=0.3, learn_beta=True),
            np.eye(4)[::-1],
            snnc.Projection(csr(np.tri(4) * 0.5), delay=2, decay=0.5),
            bias=0.1,
        ),
        fc2=nn.Linear(4, 3, rng=1),
        lif=snnc.RSynaptic(0.8, 0.9, linear_features=3, rng=2, **options),
    )


def test_layers_after_layers():
    net, x = network(), np.random.default_rng(0).random((T, B, 5), np.float32)
    recs = net.run(x, record={"loop": ("spk", "i1"), "lif": ("spk", "mem")})
    first = net["loop"].run(net["fc1"](x))
    assert_same(recs["loop"].spk, first.spk)
    last = net["lif"].run(net["fc2"](first.spk.astype(np.uint8)))
    assert_same(recs["lif"].mem, last.mem)
    part = net.run(x[:4])
    rest = net.run(x[4:], states=part.state)
    assert_same(rest[-1].spk, last.spk[4:])
    static = net.run(x[0], num_steps=4)
    assert static[-1].spk.shape == (4, B, 3)
    moved = net.run(np.moveaxis(x, 0, 1), time_axis=1)
    assert_same(np.moveaxis(moved[-1].spk, 1, 0), last.spk)


def test_gradients_go_through_them():
    net, x = network(), np.random.default_rng(0).random((T, B, 5))
    upstream = np.random.default_rng(1).normal(size=(T, B, 3))
    recs = net.run(x, grad=True)
    grads = net.backward(recs, mem=upstream)
    assert list(grads) == ["fc1.weight", "fc1.bias", "loop.beta", "loop.weight0", "loop.weight1",
                           "loop.bias", "fc2.weight", "fc2.bias", "lif.recurrent.weight",
                           "lif.recurrent.bias"]  # fmt: skip
    last = net["lif"].backward(recs["lif"], mem=upstream)
    assert_same(grads["lif.recurrent.weight"], last._arrays["recurrent.weight"])
    of_spikes = net["fc2"].backward(net.run(x, record={"loop": "spk"})["loop"].spk, last.x)["x"]
    own = net["loop"].backward(recs["loop"], of_spikes)
    check_close(grads["loop.weight1"], own.weight1, 1e-12)
    before = net.state_dict()
    optim.Adam(net, lr=0.01).step(grads)
    after = net.state_dict()
    changed = {key for key in before if np.any(before[key] != after[key])}
    assert changed == {key for key in grads if np.any(grads[key])}
    assert net["loop"].projections[1].weight.shape == (4, 4)
    losses = []
    net, target = network(threshold=5.0), np.random.default_rng(2).random((B, 3))
    optimizer = optim.Adam(net, lr=0.02)
    for _ in range(30):
        recs = net.run(x, grad=True)
        error = recs[-1].mem[-1] - target
        losses.append(np.sum(error**2))
        optimizer.step(net.backward(recs, mem=2 * error))
    assert losses[-1] < 0.1 * losses[0]


def test_state_dicts():
    net, other = network(), network()
    optimizer = optim.SGD(other, lr=0.5)
    optimizer.step({"loop.weight1": np.ones(10), "lif.recurrent.bias": np.ones(3)})
    assert other["loop"] != net["loop"]
    state = net.state_dict()
    assert state["loop.weight1"].shape == (10,)
    other.load_state_dict(state)
    assert other["loop"] == net["loop"]
    assert other["lif"] == net["lif"]
    theirs = {**state, "lif.graded_spikes_factor": 1.0, "lif.reset_mechanism_val": 1}
    other.load_state_dict(theirs)
    assert other["lif"].reset_mechanism == "zero"
    one = nn.Sequential(lif=snnc.RLeaky(0.9, [0.5, 0.25], all_to_all=False))
    twice = {**one.state_dict(), "lif.recurrent.V": np.array([0.5, 0.25])}
    one.load_state_dict(twice)
    with pytest.raises(ValueError, match=r"unexpected keys: lif.recurrent.V"):
        one.load_state_dict({**twice, "lif.recurrent.V": np.array([0.5, 0.5])})
    before = other.state_dict()
    for key, value in (("lif.recurrent.weight", np.ones((2, 2))), ("loop.weight1", np.ones(9)),
                           ("loop.weight0", 0.5), ("lif.recurrent.bias", np.ones(1)),
                       ("loop.decay1", 1.5)):  # fmt: skip
        with pytest.raises(ValueError, match=f"{key} has shape|layer 'loop.*decay=1.5"):
            other.load_state_dict({**state, key: value})
        with pytest.raises(ValueError, match="grads: "):
            optimizer.step({key: np.ones((5, 5))})
    for key, value in before.items():
        assert_same(other.state_dict()[key], value)


def test_held_states_and_reset():
    net = nn.Sequential(snnc.RLeaky(0.9, linear_features=4, rng=0, init_hidden=True))
    x = np.random.default_rng(0).random((T, B, 4), np.float32)
    first = net.run(x)[-1].spk
    assert np.any(net[0].mem)
    snnc.utils.reset(net)
    assert float(net[0].mem) == 0
    assert_same(net.run(x)[-1].spk, first)
    held = net[0].mem
    with pytest.raises(ValueError, match="layer '0'"):
        net.run(x[:, :2])
    assert_same(net[0].mem, held)


def test_statistics_and_plots():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    lif = snnc.LIF(20.0, dt=0.1, v_threshold=15.0)
    net = snnc.Recurrent(lif, snnc.Projection(np.eye(4)[::-1], decay=0.9))
    rec = net.run(np.full((2000, 4), 20.0))
    assert rec.dt == 0.1
    assert spikestats.firing_rate(rec).shape == (4,)
    assert len(spikestats.isi(rec)) == 4
    rates = spikestats.fi_curve(net, np.array([[10.0], [20.0]]), 500)
    assert rates.shape == (2, 4)
    artist = snnc.spikeplot.raster(rec)
    assert artist is not None
    plt.close("all")


class RLeaky(SimpleNamespace):
    """A neuron as snnTorch has it."""


class RSynaptic(SimpleNamespace):
    """A neuron as snnTorch has it."""


def tensor(array, requires_grad=False):
    class Tensor(np.ndarray):
        pass

    made = np.asarray(array).view(Tensor)
    made.requires_grad = requires_grad
    return made


def test_from_snntorch():
    weight, bias = np.arange(9.0).reshape(3, 3), np.ones(3)
    module = RLeaky(
        beta=np.array(0.9), threshold=np.array(1.0), graded_spikes_factor=np.array(1.0),
        reset_mechanism="zero", reset_delay=False, inhibition=False, all_to_all=True,
        recurrent=SimpleNamespace(weight=tensor(weight, True), bias=bias),
    )  # fmt: skip
    lif = snnc.from_snntorch(module)
    assert_same(lif.recurrent.weight, weight)
    assert_same(lif.recurrent.bias, bias)
    assert (lif.reset_mechanism, lif.reset_delay, lif.learn_recurrent) == ("zero", False, True)
    module = RSynaptic(
        alpha=np.array(0.8), beta=np.array(0.9), threshold=np.array(1.0), all_to_all=False,
        reset_mechanism="subtract", recurrent=SimpleNamespace(V=np.array([0.5, 0.25])),
    )  # fmt: skip
    one = snnc.from_snntorch(module)
    assert one == snnc.RSynaptic(0.8, 0.9, [0.5, 0.25], all_to_all=False, learn_recurrent=False)
    module.graded_spikes_factor = np.array(2.0)
    with pytest.raises(ValueError, match="graded_spikes_factor: snnc's RSynaptic has none"):
        snnc.from_snntorch(module)
    del module.graded_spikes_factor
    module.recurrent = SimpleNamespace(weight=np.ones((2, 2, 3, 3)), bias=np.ones(2))
    with pytest.raises(ValueError, match="no convolutions here"):
        snnc.from_snntorch(module)
