"""Losses and optimizers beside PyTorch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import snnc
import snnc.functional as SF
from snnc import nn, optim


def compare(ours, theirs, output, target, dtype):
    x = torch.from_numpy(output.astype(dtype)).requires_grad_()
    expected = theirs(x, torch.from_numpy(np.asarray(target)))
    cot = torch.rand(expected.shape, dtype=x.dtype)
    expected.backward(cot)
    loss, grad = ours(output.astype(dtype), target, cot=cot.numpy())
    places = 1e-12 if dtype is np.float64 else 2e-6
    assert np.asarray(loss).dtype == grad.dtype == dtype
    for one, other in ((loss, expected.detach()), (grad, x.grad)):  # to the largest entry
        scale = max(1, float(other.abs().max()))
        np.testing.assert_allclose(one, other, rtol=0, atol=places * scale)


@pytest.mark.parametrize("shape", [(6, 5), (4, 6, 5)], ids=["one", "each step"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses(reduction, weighted, dtype, shape):
    rng = np.random.default_rng(0)
    weight = rng.random(5).astype(dtype) if weighted else None
    theirs = None if weight is None else torch.from_numpy(weight)
    wide = None if theirs is None else theirs.expand(shape)
    x, p, t = rng.normal(0, 3, shape), rng.random(shape), rng.random(shape).astype(dtype)
    p.flat[:2], t.flat[:2] = (0, 1), (0, 1)
    own = {"weight": weight, "reduction": reduction}

    def cross_entropy(x, labels):
        flat = F.cross_entropy(x.flatten(0, -2), labels.flatten(), theirs, reduction=reduction)
        return flat.reshape(labels.shape) if reduction == "none" else flat

    def binary(x, t):
        return F.binary_cross_entropy(x, t, wide, reduction=reduction)

    def binary_of_logits(x, t):
        return F.binary_cross_entropy_with_logits(x, t, wide, reduction=reduction)

    def squared(x, t):
        each = F.mse_loss(x, t, reduction="none") * (1 if wide is None else wide)
        return {"none": each, "sum": each.sum(), "mean": each.mean()}[reduction]

    compare(SF.cross_entropy(**own), cross_entropy, x, rng.integers(0, 5, shape[:-1]), dtype)
    compare(SF.binary_cross_entropy(**own), binary, p, t, dtype)
    compare(SF.binary_cross_entropy(**own, logits=True), binary_of_logits, x * 30, t, dtype)
    compare(SF.mse(**own), squared, x, t, dtype)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_optimizers(name, options):
    theirs = torch.nn.Linear(4, 3)
    net = nn.Sequential(nn.Linear(4, 3), snnc.Leaky(0.9))
    net.load_state_dict({f"0.{k}": v for k, v in theirs.state_dict().items()}, strict=False)
    ours = getattr(optim, name)(net, **options)
    other = getattr(torch.optim, name)(theirs.parameters(), **options)
    schedule = torch.optim.lr_scheduler.StepLR(other, 2, 0.5)
    for _ in range(7):
        grads = {k: np.random.default_rng(0).normal(size=p.shape) for k, p in
                 theirs.named_parameters()}  # fmt: skip
        for k, p in theirs.named_parameters():
            p.grad = torch.from_numpy(grads[k].astype(np.float32))
        clipped, norm = optim.clip_grad_norm({f"0.{k}": g for k, g in grads.items()}, 2.0)
        total = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 2.0)
        assert abs(norm - float(total)) < 1e-5 * norm
        ours.step(clipped)
        other.step()
        schedule.step()
        ours.lr = other.param_groups[0]["lr"]
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[f"0.{key}"], value, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
def test_norms(norm_type):
    grads = {"a": np.float32([3, -4]), "b": np.float64(12.0)}
    parameters = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(()))]
    for parameter, grad in zip(parameters, grads.values(), strict=True):
        parameter.grad = torch.from_numpy(np.array(grad, np.float32))
    for most in (1.0, 100.0):
        clipped, norm = optim.clip_grad_norm(grads, most, norm_type)
        total = torch.nn.utils.clip_grad_norm_(parameters, most, norm_type)
        if most == 1.0:
            assert abs(norm - float(total)) < 1e-5
            for mine, parameter in zip(clipped.values(), parameters, strict=True):
                np.testing.assert_allclose(mine, parameter.grad, rtol=1e-6)
        else:
            assert clipped["a"].tolist() == [3, -4]
    assert clipped["a"].dtype == np.float32
    assert grads["a"].tolist() == [3, -4]
