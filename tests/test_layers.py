"""Layers without neurons: their gradients by differences, in networks and alone, and refusals."""

import copy
import pickle

import numpy as np
import pytest
from support import assert_same, golden

import snnc
from snnc import nn, optim
from snnc.nn.sequential import neurons_of

RNG = np.random.default_rng

LAYERS = {
    "Linear": (lambda: nn.Linear(5, 3, rng=0), (4, 5)),
    "Linear, no bias": (lambda: nn.Linear(5, 3, bias=False, rng=0), (4, 5)),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2, rng=0), (2, 4, 9)),
    "Conv1d, same": (lambda: nn.Conv1d(2, 3, 4, padding="same", dilation=2, rng=0), (2, 2, 9)),
    "Conv2d": (lambda: nn.Conv2d(2, 4, (3, 2), rng=0), (3, 2, 6, 5)),
    "Conv2d, strides": (
        lambda: nn.Conv2d(4, 2, 3, stride=(2, 1), padding=(1, 2), groups=2, bias=False, rng=0),
        (2, 4, 7, 6),
    ),
    "MaxPool1d": (lambda: nn.MaxPool1d(3, 2, 1), (2, 3, 8)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 3, 5, 6)),
    "MaxPool2d, ceil": (lambda: nn.MaxPool2d(3, 2, 1, 2, ceil_mode=True), (2, 3, 8, 9)),
    "AvgPool1d": (lambda: nn.AvgPool1d(3, 2, 1, count_include_pad=False), (2, 3, 8)),
    "AvgPool2d": (lambda: nn.AvgPool2d((2, 3), ceil_mode=True), (2, 3, 5, 8)),
    "AvgPool2d, divisor": (lambda: nn.AvgPool2d(2, 1, divisor_override=3), (2, 3, 4, 4)),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), (2, 3, 8)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((3, None)), (2, 3, 8, 5)),
    "Flatten": (lambda: nn.Flatten(), (3, 2, 4)),
    "Flatten, some": (lambda: nn.Flatten(1, 2), (3, 2, 4, 2)),
    "Dropout, eval": (lambda: nn.Dropout(0.5).eval(), (3, 4)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (5, 4)),
    "BatchNorm1d, length": (lambda: nn.BatchNorm1d(4, affine=False), (3, 4, 5)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(2, momentum=None), (3, 2, 4, 3)),
    "BatchNorm2d, eval": (lambda: nn.BatchNorm2d(2).eval(), (3, 2, 4, 3)),
    "BatchNorm2d, untracked": (
        lambda: nn.BatchNorm2d(2, track_running_stats=False).eval(), (3, 2, 4, 3),
    ),
    "LayerNorm": (lambda: nn.LayerNorm(5), (3, 5)),
    "LayerNorm, two axes": (lambda: nn.LayerNorm((4, 5), bias=False), (3, 4, 5)),
    "LayerNorm, plain": (lambda: nn.LayerNorm(5, elementwise_affine=False), (3, 5)),
}  # fmt: skip


@pytest.fixture(params=LAYERS)
def case(request):
    make, shape = LAYERS[request.param]
    layer = make()
    rng = RNG(0)
    for name in layer._trained:
        if (array := getattr(layer, name)) is not None:
            setattr(layer, name, rng.normal(size=array.shape))  # float64
    return layer, rng.normal(size=shape)


def differences(function, array):
    """The gradient of a function of an array that it reads, by central differences."""
    found = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        was = array[index]
        array[index] = was + 1e-5
        above = function()
        array[index] = was - 1e-5
        found[index] = (above - function()) / 2e-5
        array[index] = was
    return found


def test_gradients(case):
    layer, x = case
    untouched = copy.deepcopy(layer)
    y = layer(x)
    g = RNG(1).normal(size=y.shape)
    grads = untouched.backward(x, g)

    def loss():
        return np.sum(copy.copy(layer)(x) * g)

    np.testing.assert_allclose(grads["x"], differences(loss, x), rtol=1e-6, atol=1e-7)
    assert grads.keys() - {"x"} == set(layer._learned())
    for name in layer._learned():
        own = differences(loss, getattr(layer, name))
        np.testing.assert_allclose(grads[name], own, rtol=1e-6, atol=1e-7)
    assert "x" not in layer.backward(x, g, wrt_x=False)


def test_float32_and_spikes(case):
    layer, x = case
    spikes = (x > 0).astype(np.uint8)
    expected = copy.deepcopy(layer)(spikes.astype(np.float64))
    y = copy.deepcopy(layer)(spikes)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_time_is_a_loop_over_steps(case):
    """Also of statistics and running values, and their gradients; and of a held input."""
    layer, x = case
    whole, loop = copy.deepcopy(layer), copy.deepcopy(layer)
    xs = RNG(2).normal(size=(6, *x.shape))
    g = RNG(3).normal(size=(6, *layer(x).shape))
    net = nn.Sequential(whole)
    recs = net.run(xs, time_axis=0, grad=True)
    grads = net.backward(recs, y=g, wrt=("x", *(f"0.{name}" for name in layer._learned())))
    steps = []
    for t in range(6):
        before = copy.deepcopy(loop)
        np.testing.assert_allclose(recs.y[t], loop(xs[t]), rtol=1e-9, atol=1e-9)
        steps.append(before.backward(xs[t], g[t]))
    np.testing.assert_allclose(grads["x"], np.stack([s["x"] for s in steps]), rtol=1e-9, atol=1e-9)
    for name in layer._learned():
        np.testing.assert_allclose(grads[f"0.{name}"], sum(s[name] for s in steps), rtol=1e-8)
    for name, array in loop._arrays().items():
        np.testing.assert_allclose(getattr(whole, name), array, rtol=1e-6)
    held, tiled = nn.Sequential(copy.deepcopy(layer)), nn.Sequential(copy.deepcopy(layer))
    one = held.run(x, num_steps=6, grad=True)
    other = tiled.run(np.broadcast_to(x, (6, *x.shape)), time_axis=0, grad=True)
    np.testing.assert_allclose(one.y, other.y, rtol=1e-9)
    both = [n.backward(r, y=g, wrt="x")["x"] for n, r in ((held, one), (tiled, other))]
    np.testing.assert_allclose(both[0], both[1].sum(0), rtol=1e-8, atol=1e-9)
    for name, array in tiled[0]._arrays().items():
        np.testing.assert_allclose(getattr(held[0], name), array, rtol=1e-5)


def test_copies_and_representations(case):
    layer, x = case
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert_same(other(x), copy.deepcopy(layer)(x))
    again = eval(repr(layer), vars(nn))
    assert repr(again) == repr(layer)
    assert [a.shape for a in again._arrays().values()] == [
        a.shape for a in layer._arrays().values()
    ]
    with pytest.raises(AttributeError, match="has no attribute 'wieght': it can't be set"):
        layer.wieght = 1


def test_leading_axes():
    """Layers that work on the last axes take any before them."""
    for layer, shape in ((nn.Conv2d(2, 3, 3, rng=0), (2, 5, 5)), (nn.MaxPool1d(2), (2, 6)),
                         (nn.AvgPool2d(2), (2, 4, 4)), (nn.LayerNorm(3), (3,)),
                         (nn.AdaptiveAvgPool2d(2), (2, 4, 4))):  # fmt: skip
        x = RNG(0).normal(size=(2, 3, *shape))
        np.testing.assert_allclose(layer(x)[1, 2], layer(x[1, 2]), rtol=1e-12)
        assert layer(x[:0]).shape == (0, *layer(x).shape[1:])


def test_columns_are_cut(monkeypatch):
    from snnc.nn import convolution

    conv = nn.Conv2d(2, 4, 3, padding=1, rng=0)
    x, g = RNG(0).normal(size=(7, 2, 6, 6)), RNG(1).normal(size=(7, 4, 6, 6))
    whole = conv(x), conv.backward(x, g)
    monkeypatch.setattr(convolution, "WORKSPACE", 8 * 18 * 36 * 2)  # two images
    y, grads = conv(x), conv.backward(x, g)
    np.testing.assert_allclose(y, whole[0], rtol=1e-12)
    for name in grads:
        np.testing.assert_allclose(grads[name], whole[1][name], rtol=1e-12)


def test_the_largest_of_equal_numbers_and_nan():
    pool = nn.MaxPool2d(2)
    ones = np.ones((1, 2, 2))
    assert pool.backward(ones, np.full((1, 1, 1), 3.0))["x"].ravel().tolist() == [3, 0, 0, 0]
    ones[0, 0, 1] = np.nan
    assert np.isnan(pool(ones)).all()
    assert pool.backward(ones, np.full((1, 1, 1), 3.0))["x"].ravel().tolist() == [0, 3, 0, 0]
    assert nn.MaxPool1d(2, padding=1)(np.full((1, 1), -np.inf)).tolist() == [[-np.inf]]


def test_dropout():
    drop = nn.Dropout(0.25, rng=0)
    x = np.ones((200, 50), np.float32)
    net = nn.Sequential(drop)
    recs = net.run(x, num_steps=20, grad=True)
    kept = recs.y != 0
    assert recs.y.shape == (20, 200, 50)
    assert np.allclose(recs.y[kept], 1 / 0.75)
    assert abs(kept.mean() - 0.75) < 0.01
    assert not np.array_equal(recs.y[0], recs.y[1])  # others at each step
    grad = net.backward(recs, y=recs.y, wrt="x")["x"]
    np.testing.assert_allclose(grad, (kept / 0.75**2).sum(0), rtol=1e-5)
    with pytest.raises(ValueError, match="what a call dropped isn't kept"):
        drop.backward(x, x)
    assert net.eval() is net
    assert_same(net.run(x, num_steps=2).y[1], x)
    assert not nn.Dropout(1.0)(x).any()


NETWORKS = list(golden("networks"))


def network(case):
    """snnTorch's network, by the representations of its layers."""
    layers = []
    for i, text in enumerate(case.layers):
        name, _, arguments = text.partition("(")
        if str(i) in case.neurons:
            own = dict(case.neurons[str(i)])
            layers.append(getattr(snnc, own.pop("model"))(**own | {"init_hidden": False}))
            continue
        arguments = arguments.replace("padding=same", "padding='same'")
        arguments = arguments.replace("affine=True, bias=True", "affine=True")  # of BatchNorm
        layers.append(eval(f"{name}({arguments}", vars(nn)))
    net = nn.Sequential(*layers).eval()
    net.load_state_dict(
        {k.removeprefix("state_"): v for k, v in case.arrays.items() if k.startswith("state_")}
    )
    return net


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
def test_networks_of_snntorch(case):
    net, a = network(case), case.arrays
    record = dict.fromkeys(case.neurons, ("spk", "mem"))
    recs = net.run(a["x"], time_axis=0, record=record, grad=True)
    for name in record:
        assert np.array_equal(recs[name].spk, a[f"spk_{name}"])
        np.testing.assert_allclose(recs[name].mem, a[f"mem_{name}"], rtol=0, atol=1e-5)
    grads = net.backward(recs, mem=a["cot_mem"])
    expected = {k.removeprefix("grad_"): v for k, v in a.items() if k.startswith("grad_")}
    assert grads.keys() == expected.keys()
    for name, value in expected.items():
        assert np.abs(grads[name] - value).max() <= 1e-5 * max(1, np.abs(value).max()), name


def test_networks_in_networks():
    def block(rng):
        return nn.Sequential(fc=nn.Linear(6, 6, rng=rng), lif=snnc.Leaky(0.9))

    nested = nn.Sequential(a=block(1), b=block(2), readout=nn.Linear(6, 3, rng=3))
    flat = nn.Sequential(*nested["a"], *nested["b"], nested["readout"])
    x = RNG(0).random((8, 4, 6)).astype(np.float32) * 3
    one, other = (net.run(x, time_axis=0, grad=True) for net in (nested, flat))
    assert_same(one.y, other.y)
    assert one["b.lif"].spk is not None if "spk" in one["b.lif"]._arrays else True
    g = RNG(1).normal(size=one.y.shape).astype(np.float32)
    ours, theirs = nested.backward(one, y=g), flat.backward(other, y=g)
    assert list(ours) == [
        "a.fc.weight", "a.fc.bias", "b.fc.weight", "b.fc.bias", "readout.weight", "readout.bias",
    ]  # fmt: skip
    for mine, own in zip(ours.values(), theirs.values(), strict=True):
        assert_same(mine, own)
    before = nested.state_dict()
    optim.SGD(nested, lr=0.1).step(ours)
    assert not np.array_equal(nested["b"]["fc"].weight, before["b.fc.weight"])
    nested.load_state_dict(before)
    assert_same(nested["b"]["fc"].weight, before["b.fc.weight"])
    assert not nested.eval()["a"]["fc"].training


def test_the_gradient_of_the_input():
    lif = snnc.Leaky(0.9, spike_grad=snnc.surrogate.fast_sigmoid(5))
    net = nn.Sequential(nn.Linear(5, 4, rng=0), lif, nn.Linear(4, 2, rng=1))
    x = RNG(0).random((7, 3, 5)).astype(np.float32) * 3
    recs = net.run(x, time_axis=0, grad=True)
    g = RNG(1).normal(size=(7, 3, 2)).astype(np.float32)
    grads = net.backward(recs, y=g, wrt=("x", "0.weight"))
    assert list(grads) == ["x", "0.weight"]
    assert grads["x"].shape == x.shape
    later = net.run(np.moveaxis(x, 0, 1), time_axis=1, grad=True)
    own = net.backward(later, y=np.moveaxis(g, 0, 1), wrt="x")
    np.testing.assert_allclose(own["x"], np.moveaxis(grads["x"], 0, 1), rtol=1e-5, atol=1e-6)
    held = net.run(x[0], num_steps=7, grad=True)
    tiled = net.run(np.broadcast_to(x[0], x.shape), time_axis=0, grad=True)
    np.testing.assert_allclose(
        net.backward(held, y=g, wrt="x")["x"], net.backward(tiled, y=g, wrt="x")["x"].sum(0),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    first = nn.Sequential(snnc.Leaky(0.9))
    recs = first.run(x[0], num_steps=7, grad=True)
    mem = RNG(2).normal(size=(7, 3, 5)).astype(np.float32)
    assert first.backward(recs, mem=mem, wrt="x")["x"].shape == x[0].shape
    assert net.backward(held, y=g).keys() == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_a_part_of_a_state_dict():
    net = nn.Sequential(fc=nn.Linear(3, 2, rng=0), norm=nn.BatchNorm1d(2), lif=snnc.Leaky(0.9))
    state = net.state_dict()
    assert list(state)[:7] == [
        "fc.weight", "fc.bias", "norm.weight", "norm.bias", "norm.running_mean",
        "norm.running_var", "norm.num_batches_tracked",
    ]  # fmt: skip
    some = {"fc.weight": state["fc.weight"] + 1, "other": np.zeros(3)}
    keys = net.load_state_dict(some, strict=False)
    assert keys.unexpected_keys == ["other"]
    assert "fc.bias" in keys.missing_keys
    assert "fc.weight" not in keys.missing_keys
    assert_same(net["fc"].weight, some["fc.weight"])
    with pytest.raises(ValueError, match="unexpected keys: other"):
        net.load_state_dict(some)
    with pytest.raises(ValueError, match=r"norm.running_var has shape \(\); expected \(2,\)"):
        net.load_state_dict(state | {"norm.running_var": 1.0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels=3; expected a multiple of groups=2"),
        (lambda: nn.Conv2d(2, 3, 3, groups=2), "out_channels=3; expected a multiple"),
        (lambda: nn.Conv2d(2, 3, 0), "kernel_size=0; expected an integer of at least 1, or 2"),
        (lambda: nn.Conv2d(2, 3, (1, 2, 3)), r"kernel_size=\(1, 2, 3\); expected"),
        (lambda: nn.Conv2d(2, 3, 2.0), "kernel_size=2.0; expected an integer"),
        (lambda: nn.Conv2d(2, 3, 2, padding="full"), "padding='full'; expected integers, 'valid'"),
        (lambda: nn.Conv2d(2, 3, 2, 2, "same"), "padding='same' goes with stride=1"),
        (lambda: nn.Conv2d(2, 3, 2, padding_mode="reflect"), "padding_mode='reflect'"),
        (lambda: nn.Conv1d(2, 3, 3, padding=-1), "padding=-1; expected an integer of at least 0"),
        (lambda: nn.MaxPool2d(2, padding=2), "padding=2; expected at most half"),
        (lambda: nn.MaxPool2d(2, return_indices=True), "return_indices=True"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override=0"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), r"output_size=\(1, 2, 3\); expected 2"),
        (lambda: nn.Dropout(1.5), r"p=1.5; expected a number in \[0, 1\]"),
        (lambda: nn.Dropout(0.5, True), "inplace=True"),
        (lambda: nn.Dropout(rng="a"), "rng='a'"),
        (lambda: nn.BatchNorm1d(0), "num_features=0"),
        (lambda: nn.BatchNorm1d(2, momentum=2), "momentum=2"),
        (lambda: nn.LayerNorm(()), r"normalized_shape=\(\)"),
        (lambda: nn.Flatten(1.5), "start_dim=1.5; expected an integer"),
        (lambda: nn.Flatten(2)(np.zeros((3, 4))), r"a step's x has shape \(3, 4\)"),
        (lambda: nn.Conv2d(2, 3, 3)(np.zeros((3, 5, 5))), r"x has shape \(3, 5, 5\); expected"),
        (lambda: nn.Conv2d(2, 3, 3)(np.zeros((2, 2, 5))), "expected at least the kernel's size"),
        (lambda: nn.MaxPool2d(3)(np.zeros((1, 2, 2))), "expected at least a window"),
        (lambda: nn.MaxPool2d(3)(np.zeros(3)), r"x has shape \(3,\); expected \(..., channels"),
        (lambda: nn.AdaptiveAvgPool1d(1)(np.zeros((2, 0))), "of at least 1"),
        (lambda: nn.BatchNorm1d(3)(np.zeros((4, 2))), r"expected \(samples, 3\) or"),
        (lambda: nn.BatchNorm2d(3)(np.zeros((4, 3))), r"expected \(samples, 3, rows, columns\)"),
        (lambda: nn.BatchNorm1d(3)(np.zeros((1, 3))), "expected more than one number"),
        (lambda: nn.LayerNorm(3)(np.zeros((3, 4))), r"expected \(..., 3\)"),
        (lambda: nn.Conv2d(1, 1, 1)(np.zeros((1, 1, 1), complex)), "x has dtype complex"),
        (lambda: nn.Conv2d(1, 1, 1).backward(np.zeros((1, 2, 2)), np.zeros((1, 1, 1))), "grad of"),
        (lambda: setattr(nn.Conv2d(1, 1, 1), "weight", np.zeros(3)), r"weight has shape \(3,\)"),
        (lambda: setattr(nn.BatchNorm1d(2), "num_batches_tracked", -1), "num_batches_tracked=-1"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_what_networks_refuse():
    net = nn.Sequential(conv=nn.Conv2d(1, 2, 3, rng=0), flat=nn.Flatten(), lif=snnc.Leaky(0.9))
    images = np.zeros((6, 1, 5, 5), np.float32)
    with pytest.raises(ValueError, match="may be 6 steps or 6 samples of shape .1, 5, 5."):
        net.run(images)
    assert net.run(images, num_steps=3)[-1].spk.shape == (3, 6, 18)
    with pytest.raises(ValueError, match="layer 'conv': x has shape"):
        net.run(images[..., :2], num_steps=3)
    with pytest.raises(ValueError, match="layer 'flat'"):
        nn.Sequential(flat=nn.Flatten(4), lif=snnc.Leaky(0.9)).run(images, num_steps=2)
    readout = nn.Sequential(fc=nn.Linear(3, 2, rng=0))
    recs = readout.run(np.ones((4, 2, 3)), grad=True)
    with pytest.raises(ValueError, match=r"y of shape \(2, 2\); expected \(4, 2, 2\)"):
        readout.backward(recs, y=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="spk: no neuron layer 'fc'"):
        readout.backward(recs, np.zeros((4, 2, 2)))
    with pytest.raises(ValueError, match=r"run\(..., grad=True\)"):
        readout.backward(readout.run(np.ones((4, 2, 3))), y=np.zeros((4, 2, 2)))
    with pytest.raises(ValueError, match="wrt has 'w'; expected names out of x, fc.weight"):
        readout.backward(recs, y=np.zeros((4, 2, 2)), wrt="w")
    with pytest.raises(ValueError, match="y: the last layer, 'lif', has neurons"):
        net.backward(net.run(images, num_steps=3, grad=True), y=0)
    with pytest.raises(AttributeError, match="the last layer has neurons"):
        net.run(images, num_steps=3).y  # noqa: B018  # raises
    for grads in readout.backward(recs).values():  # of nothing that was given
        assert not grads.any()


# ---- sums over spikes ----


def test_modes_of_a_linear_layer():
    """Over spikes sums are those of spike_product; over real numbers BLAS's; or as forced."""
    rng = RNG(0)
    x = (rng.random((40, 30)) < 0.2).astype(np.uint8)
    by_mode = {
        mode: nn.Linear(30, 20, mode=mode, rng=0) for mode in (None, "events", "blas", "auto")
    }
    fc = by_mode[None]
    fc.bias = rng.normal(size=20).astype(np.float32)
    for other in by_mode.values():
        other.bias = fc.bias
    events = snnc.spike_product(x, fc.weight, fc.bias)
    blas = x.astype(np.float32) @ fc.weight.T + fc.bias
    assert not np.array_equal(events, blas)
    for mode, expected in ((None, events), ("events", events), ("blas", blas), ("auto", events)):
        assert_same(by_mode[mode](x), expected)
        assert_same(by_mode[mode](x.astype(bool)), expected)
    real = x.astype(np.float32)
    for mode, expected in ((None, blas), ("events", events), ("blas", blas), ("auto", blas)):
        assert_same(by_mode[mode](real), expected)
    dense = 1 - x
    many, few = np.tile(x, (100, 1)), dense[:1]  # of which BLAS is faster over the dense ones
    for spikes, mode in ((many, "events"), (1 - many, "blas"), (few, "events")):
        assert_same(by_mode["auto"](spikes), by_mode[mode](spikes))
    assert_same(by_mode["auto"](x[:, ::-1]), by_mode["events"](x[:, ::-1]))
    assert by_mode["auto"](x[:0]).shape == (0, 20)
    assert by_mode["auto"](x.astype(float)).dtype == np.float64
    g = rng.normal(size=(40, 20)).astype(np.float32)
    for spikes in (x, dense):
        grads = [layer.backward(spikes, g) for layer in by_mode.values()]
        for other in grads[1:]:
            for name in other:
                np.testing.assert_allclose(other[name], grads[0][name], rtol=1e-5, atol=1e-5)
    graded = x * np.uint8(3)  # each counts by its value
    np.testing.assert_allclose(fc(graded), fc(graded.astype(np.float32)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        fc.backward(graded, g)["weight"], fc.backward(graded.astype(np.float32), g)["weight"],
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip
    assert fc.weight.T.flags.c_contiguous
    fc.weight = np.ones((20, 30))
    assert fc.weight.T.flags.c_contiguous
    with pytest.raises(ValueError, match="mode='event'; expected one of None, 'events'"):
        nn.Linear(3, 2, mode="event")
    assert repr(by_mode["auto"]) == "Linear(30, 20, mode='auto')"


@pytest.mark.parametrize("record", [None, {"a": "spk", "b": ("spk", "mem")}])
def test_bits_depend_neither_on_cuts_nor_on_what_is_recorded(record):
    net = nn.Sequential(nn.Linear(6, 40, rng=0), a=snnc.Leaky(0.9), fc=nn.Linear(40, 40, rng=1),
                        b=snnc.Synaptic(0.8, 0.9), last=nn.Linear(40, 3, rng=2))  # fmt: skip
    x = RNG(0).random((20, 8, 6)).astype(np.float32) * 4
    whole = net.run(x, record=record, grad=True)
    assert 0.02 < net.run(x, record={"b": "spk"})["b"].spk.mean() < 0.9
    first = net.run(x[:7], record=record)
    rest = net.run(x[7:], states=first.state)
    assert_same(np.concatenate([first.y, rest.y]), whole.y)
    g = RNG(1).normal(size=whole.y.shape).astype(np.float32)
    grads = net.backward(whole, y=g)
    doubles = net.run(x.astype(np.float64), grad=True)
    assert doubles.y.dtype == np.float64
    for name, grad in net.backward(doubles, y=g).items():
        np.testing.assert_allclose(grads[name], grad, rtol=2e-3, atol=2e-3 * np.abs(grad).max())


def test_graded_spikes_are_not_counted():
    net = nn.Sequential(a=snnc.Leaky(0.9, graded_spikes_factor=0.5), fc=nn.Linear(6, 3, rng=0))
    x = RNG(0).random((5, 2, 6)).astype(np.float32) * 3
    spk = net.run(x, record={"a": "spk"})["a"].spk
    assert set(np.unique(spk)) == {0, 0.5}
    assert_same(net.run(x).y, net["fc"](spk))


CUT = {
    "two layers": lambda: (nn.Linear(6, 40, rng=0), snnc.Leaky(0.9), nn.Linear(40, 3, rng=1),
                           snnc.Synaptic(0.8, 0.9)),
    "a readout": lambda: (nn.Linear(6, 40, rng=0), snnc.Alpha(0.9, 0.8, threshold=0.3),
                          nn.LayerNorm(40), nn.Linear(40, 30, mode="events", rng=1),
                          nn.BatchNorm1d(30).eval(), snnc.Leaky(0.9), nn.Linear(30, 3, rng=2)),
    "held": lambda: (nn.Linear(6, 40, rng=0), snnc.Leaky(0.9, init_hidden=True),
                     nn.Linear(40, 3, rng=1), snnc.RLeaky(0.9, linear_features=3, rng=0)),
    "first": lambda: (snnc.Leaky(0.9), nn.Linear(6, 9, rng=1),
                      snnc.LIF(5.0, dt=1.0, v_threshold=0.5)),
}  # fmt: skip


@pytest.mark.parametrize("held", [False, True], ids=["sequence", "constant"])
@pytest.mark.parametrize("kind", CUT)
def test_long_runs_are_cut(kind, held, monkeypatch):
    """With the same bits, whatever is recorded; and their hidden spikes are never all there."""
    from snnc.nn import sequential

    x = RNG(0).random((4, 6) if held else (29, 4, 6)).astype(np.float32) * 4
    how = {"num_steps": 29} if held else {"time_axis": 0}
    sizes = []
    original = sequential._through

    def through(layer, current, *others):
        sizes.append(np.shape(current))
        return original(layer, current, *others)

    monkeypatch.setattr(sequential, "_through", through)
    for record in (None, {"1": ("mem", "count")} if kind != "first" else {"0": "spk"}):
        found = []
        for piece in (1 << 22, 3 * 4 * 4 * 40, 1):
            monkeypatch.setattr(sequential, "_PIECE", piece)
            net = nn.Sequential(*CUT[kind]())
            sizes.clear()
            recs = net.run(x, **how, record=record)
            after_neurons = sizes if kind == "first" else sizes[1:]
            longest = max(shape[0] for shape in after_neurons)
            assert longest == 29 if piece == 1 << 22 else longest < 29
            arrays = [a for rec in recs for a in (*rec, *rec.state)]
            arrays += [] if recs._y is None else [recs.y]
            held_states = [a for n in neurons_of(net._leaves()).values() for a in n._held or ()]
            found.append([*arrays, *held_states])
            assert [rec.num_steps for rec in recs] == [29] * len(recs)
        for other in found[1:]:
            for mine, own in zip(other, found[0], strict=True):
                assert_same(mine, own)


def test_what_is_not_cut(monkeypatch):
    from snnc.nn import sequential

    monkeypatch.setattr(sequential, "_PIECE", 1)
    monkeypatch.setattr(sequential._Run, "_in_pieces", lambda *_: pytest.fail("cut"))
    x = RNG(0).random((9, 4, 6)).astype(np.float32) * 4
    a, fc, b = snnc.Leaky(0.9), nn.Linear(6, 3, rng=0), snnc.Leaky(0.9)
    nn.Sequential(a, fc, b).run(x, grad=True)
    nn.Sequential(a, fc, b).run(x, record="first_spike")
    nn.Sequential(a, fc, b).run(x.astype(float))
    nn.Sequential(a, fc, b).run(np.moveaxis(x, 0, 1), time_axis=1)
    nn.Sequential(snnc.Leaky(0.9, graded_spikes_factor=2.0), fc, b).run(x)
    nn.Sequential(a, nn.Linear(6, 3, mode="blas", rng=0), b).run(x)
    nn.Sequential(a, nn.Dropout(), fc, b).run(x)
    nn.Sequential(a, nn.BatchNorm1d(6), b).run(x)
    nn.Sequential(fc, b).run(x)


def test_run_chunks():
    for kind in CUT:
        whole, parts = (nn.Sequential(*CUT[kind]()) for _ in range(2))
        x = RNG(0).random((29, 4, 6)).astype(np.float32) * 4
        chunks = [x[:5], x[5:6], x[6:]]
        recs = whole.run(x, time_axis=0)
        found = list(parts.run_chunks(chunks))
        for name in recs._layers:
            for array, *others in zip(recs[name], *(part[name] for part in found), strict=True):
                assert_same(np.concatenate(others), array)
        last = {name: found[-1][name].state for name in recs._layers}
        for name, state in last.items():
            for mine, own in zip(state, recs[name].state, strict=True):
                assert_same(mine, own)


@pytest.mark.parametrize("between", [(), (nn.Flatten(),)], ids=["at once", "flattened"])
def test_neurons_after_neurons_compute_as_with_real_spikes(between):
    """In float32, which bytes would widen where they are a LIF's input."""
    lif = snnc.LIF(5.0, dt=1.0, v_threshold=0.5)
    net = nn.Sequential(snnc.Leaky(0.9), *between, lif)
    x = RNG(0).random((9, 4, 6)).astype(np.float32) * 4
    recs = net.run(x, record=("spk", "v"))
    expected = lif.run(snnc.Leaky(0.9).run(x).spk, record=("spk", "v"))
    assert recs[-1].v.dtype == np.float32
    assert_same(recs[-1].v, expected.v)
    wide = net.run(x, states={list(net.layers)[-1]: (np.zeros((4, 6)), np.zeros((4, 6)))})
    assert wide[-1].v.dtype == np.float64
    listed = nn.Sequential(snnc.Leaky(0.9), nn.Linear(6, 2, rng=0)).run(x.tolist())
    assert listed.y.dtype == np.float64


# ---- what a review found ----


@pytest.mark.parametrize(
    "between",
    [
        lambda: nn.Dropout().eval(), lambda: nn.LayerNorm(40), lambda: nn.BatchNorm1d(40).eval(),
        lambda: nn.AvgPool1d(1), lambda: nn.MaxPool1d(1), lambda: nn.AdaptiveAvgPool1d(40),
        lambda: nn.Linear(40, 40, rng=5), lambda: nn.Flatten(),
    ],
)  # fmt: skip
def test_sums_over_real_numbers_are_not_cut(between, monkeypatch):
    """Of which BLAS's bits depend on how many rows there are."""
    from snnc.nn import sequential

    monkeypatch.setattr(sequential, "_PIECE", 1)
    net = nn.Sequential(nn.Linear(6, 40, rng=0), snnc.Leaky(0.9), between(),
                        nn.Linear(40, 5, rng=3), snnc.Leaky(0.9)).eval()  # fmt: skip
    x = RNG(1).random((301, 1, 6)).astype(np.float32) * 3
    assert_same(net.run(x, record="mem")[-1].mem, net.run(x, record="mem", grad=True)[-1].mem)


def test_iterators_of_names_are_read_once():
    net = nn.Sequential(nn.Linear(6, 40, rng=0), snnc.Leaky(0.9), nn.Linear(40, 3, rng=1),
                        snnc.Leaky(0.9))  # fmt: skip
    x = RNG(0).random((9, 4, 6)).astype(np.float32)
    for grad in (False, True):
        assert len(list(net.run(x, record=iter(["spk", "mem"]), grad=grad)[-1])) == 2
    chunks = net.run_chunks([x, x], record=iter(["spk", "mem"]))
    assert [len(list(recs[-1])) for recs in chunks] == [2, 2]


def test_statistics_follow_forward_passes_only():
    bn, x = nn.BatchNorm1d(3), RNG(0).normal(size=(5, 3))
    bn(x)
    before = {name: np.copy(array) for name, array in bn._arrays().items()}
    bn.backward(x, np.ones((5, 3)))
    for name, array in bn._arrays().items():
        assert_same(array, before[name])
    net = nn.Sequential(bn, nn.Linear(5, 2), snnc.Leaky(0.9))
    with pytest.raises(ValueError, match="layer '1'"):
        net.run(RNG(0).normal(size=(6, 4, 3)), time_axis=0)
    for name, array in bn._arrays().items():
        assert_same(array, before[name])
    bn.bias = None
    bn.weight = np.full(3, 5.0)
    assert bn.backward(x, np.ones((5, 3))).keys() == {"weight", "x"}
    np.testing.assert_allclose(bn(x), 5 * nn.BatchNorm1d(3)(x), rtol=1e-6)
    assert repr(nn.BatchNorm1d(3, bias=False)) == "BatchNorm1d(3, bias=False)"


def test_means_of_other_windows_see_no_infinity():
    x = np.zeros((1, 4, 4), np.float32)
    x[0, 0, 0] = np.inf
    assert nn.AdaptiveAvgPool2d(2)(x).tolist() == [[[np.inf, 0], [0, 0]]]


def test_optimizers_forget_what_has_another_shape():
    for make in (optim.Adam, lambda net: optim.SGD(net, lr=0.01, momentum=0.9)):
        net = nn.Sequential(l=snnc.Leaky(np.full(4, 0.9), learn_beta=True))
        optimizer = make(net)
        optimizer.step({"l.beta": np.ones(4)})
        net.load_state_dict(net.state_dict() | {"l.beta": 0.8})
        optimizer.step({"l.beta": np.float64(1.0)})
        assert net["l"].beta.shape == ()
    clipped, norm = optim.clip_grad_norm({"a": np.array([np.nan]), "b": np.array([1e6])}, 1.0)
    assert np.isnan(norm)
    assert np.isnan(clipped["b"]).all()
    np.testing.assert_allclose(
        optim.clip_grad_norm({"a": np.array([3, 4])}, 1.0)[0]["a"], [0.6, 0.8], rtol=1e-6
    )


def test_recordings_of_another_network():
    x = np.ones((3, 2, 2), np.float32)
    net = nn.Sequential(a=nn.Linear(2, 2), b=snnc.Leaky(0.9), c=nn.Linear(2, 2))
    other = nn.Sequential(a=nn.Linear(2, 2), b=snnc.Leaky(0.9), d=nn.Linear(2, 2))
    with pytest.raises(ValueError, match="recs is of a, b, d; expected a, b, c"):
        net.backward(other.run(x, grad=True), y=x)
    fc = nn.Linear(2, 2)
    tied = nn.Sequential(a=fc, b=fc, c=fc)
    given = {"b.weight": np.ones((2, 2)), "c.weight": np.zeros((2, 2))}
    with pytest.raises(ValueError, match="of one layer, but their values differ"):
        tied.load_state_dict(given, strict=False)
