"""The layers of snnc.nn beside PyTorch's: arguments, results, gradients, running values."""

import numpy as np
import pytest
import torch

from snnc import nn

CASES = [
    ("Linear", (7, 3), {}, (5, 7)),
    ("Linear", (7, 3, False), {}, (5, 7)),
    ("Conv1d", (4, 6, 3), {}, (2, 4, 11)),
    ("Conv1d", (4, 6, 3, 2, 2, 2, 2), {}, (2, 4, 11)),
    ("Conv1d", (3, 2, 4), {"padding": "same"}, (2, 3, 11)),
    ("Conv2d", (1, 12, 5), {}, (2, 1, 12, 12)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0)}, (2, 4, 9, 8)),
    ("Conv2d", (4, 8, 3), {"groups": 4, "bias": False}, (2, 4, 7, 8)),
    ("Conv2d", (2, 3, 3), {"dilation": (2, 3), "padding": 2}, (2, 2, 9, 9)),
    ("Conv2d", (2, 3, (4, 3)), {"padding": "same"}, (2, 2, 9, 8)),
    ("Conv2d", (2, 3, 1), {"stride": 3}, (2, 2, 8, 8)),
    ("MaxPool1d", (2,), {}, (2, 3, 9)),
    ("MaxPool1d", (3, 2, 1), {"ceil_mode": True}, (2, 3, 8)),
    ("MaxPool1d", (4, 2), {"ceil_mode": True}, (2, 3, 3)),
    ("MaxPool2d", (2,), {}, (2, 3, 8, 9)),
    ("MaxPool2d", ((3, 2), 2, 1), {"dilation": 2}, (2, 3, 9, 8)),
    ("MaxPool2d", (3, 2, 1), {"ceil_mode": True}, (2, 3, 8, 9)),
    ("AvgPool1d", (3,), {}, (2, 3, 10)),
    ("AvgPool1d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, (2, 3, 10)),
    ("AvgPool2d", (2,), {}, (2, 3, 8, 9)),
    ("AvgPool2d", (3, 2, 1), {"ceil_mode": True}, (2, 3, 8, 8)),
    ("AvgPool2d", (3, 2, 1), {"count_include_pad": False}, (2, 3, 8, 8)),
    ("AvgPool2d", ((2, 3),), {"divisor_override": 5}, (2, 3, 8, 9)),
    ("AdaptiveAvgPool1d", (4,), {}, (2, 3, 10)),
    ("AdaptiveAvgPool2d", (1,), {}, (2, 3, 8, 9)),
    ("AdaptiveAvgPool2d", ((3, None),), {}, (2, 3, 8, 9)),
    ("Flatten", (), {}, (2, 3, 4, 5)),
    ("Flatten", (2,), {}, (2, 3, 4, 5)),
    ("Flatten", (0, 1), {}, (2, 3, 4)),
    ("BatchNorm1d", (4,), {}, (6, 4)),
    ("BatchNorm1d", (4,), {"affine": False, "momentum": 0.3}, (3, 4, 5)),
    ("BatchNorm1d", (4,), {"momentum": None}, (6, 4)),
    ("BatchNorm1d", (4,), {"bias": False}, (6, 4)),
    ("BatchNorm2d", (3,), {"eps": 0.1}, (2, 3, 4, 5)),
    ("BatchNorm2d", (3,), {"track_running_stats": False}, (2, 3, 4, 5)),
    ("LayerNorm", (5,), {}, (2, 3, 5)),
    ("LayerNorm", ((4, 5),), {"eps": 0.1, "bias": False}, (2, 4, 5)),
    ("LayerNorm", (5,), {"elementwise_affine": False}, (2, 5)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # by torch, of its copies
@pytest.mark.parametrize("spikes", [False, True], ids=["real", "spikes"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("name", "args", "options", "shape"), CASES)
def test_layers(name, args, options, shape, training, spikes):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **options).train(training)
    for parameter in theirs.parameters():
        parameter.data.normal_()
    layer = getattr(nn, name)(*args, **options)
    net = nn.Sequential(layer).train(training)
    net.load_state_dict({f"0.{key}": value for key, value in theirs.state_dict().items()})
    assert repr(getattr(nn, name)(*args, **options)) == repr(layer)
    x = torch.randn(4, *shape)  # steps
    if spikes:
        x = (x > 0.5).float()
    x.requires_grad_()
    expected = torch.stack([theirs(each) for each in x])
    g = torch.randn(expected.shape)
    expected.backward(g)
    given = x.detach().numpy()
    recs = net.run(given.astype(np.uint8) if spikes else given, time_axis=0, grad=True)
    np.testing.assert_allclose(recs.y, expected.detach(), rtol=1e-4, atol=1e-5)
    assert recs.y.dtype == np.float32
    keys = tuple(f"0.{key}" for key, _ in theirs.named_parameters())
    grads = net.backward(recs, y=g.numpy(), wrt=("x", *keys))
    for key, own in (("x", x), *zip(keys, theirs.parameters(), strict=True)):
        scale = max(1, float(own.grad.abs().max()))
        np.testing.assert_allclose(grads[key], own.grad, rtol=0, atol=2e-5 * scale)
    for key, value in theirs.state_dict().items():  # running values too
        np.testing.assert_allclose(net.state_dict()[f"0.{key}"], value, rtol=1e-5, atol=1e-6)
    theirs.load_state_dict(
        {k.removeprefix("0."): torch.from_numpy(v) for k, v in net.state_dict().items()}
    )


def test_start_values():
    for name, args in (("Conv2d", (4, 6, 3)), ("Conv1d", (4, 6, 3)), ("Linear", (9, 4))):
        theirs = getattr(torch.nn, name)(*args)
        ours = getattr(nn, name)(*args, rng=0)
        for key, value in theirs.state_dict().items():
            own = getattr(ours, key)
            assert own.shape == tuple(value.shape)
            assert (
                0.5 * float(value.abs().max()) < np.abs(own).max() < 2 * float(value.abs().max())
            )


@pytest.mark.parametrize("arguments", [(3, 2, 1), (2, 2, 1), (3, 1, 1), (3, 2, 1, 2)])
def test_the_largest_of_minus_infinities(arguments):
    """The gradient of a window of nothing else goes to its first element, not to the padding."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 9, 8)).astype(np.float32)
    x[rng.random(x.shape) < 0.8] = -np.inf
    theirs = torch.tensor(x, requires_grad=True)
    expected = torch.nn.MaxPool2d(*arguments)(theirs)
    assert np.isneginf(expected.detach().numpy()).any()
    grad = rng.normal(size=expected.shape).astype(np.float32)
    expected.backward(torch.tensor(grad))
    layer = nn.MaxPool2d(*arguments)
    assert np.array_equal(layer(x), expected.detach().numpy())
    np.testing.assert_allclose(layer.backward(x, grad)["x"], theirs.grad.numpy(), atol=1e-6)
