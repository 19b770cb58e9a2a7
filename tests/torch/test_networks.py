"""The networks of snnTorch's tutorials, trained with one import changed, and with `run`."""

import pytest
import snntorch
import torch

import snnc.torch
from benchmarks import networks
from benchmarks.peers.torch_training import (
    ConvolutionalLoop,
    ConvolutionalSequences,
    Loop,
    Sequences,
)
from benchmarks.timing import Budget

torch.set_num_threads(1)


def trained(net, batches):
    """The spikes and losses of some iterations, and the parameters after them."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    spikes, losses = [], []
    for x, target in batches:
        spk, loss = net.loss(x, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        spikes.append(spk.detach())
        losses.append(loss.detach())
    return spikes, losses, [p.detach() for p in net.parameters()]


def assert_same_training(nets, batches):
    (spikes, losses, parameters), *others = [trained(net, batches) for net in nets]
    assert 0.01 < torch.cat(spikes, 1).mean() < 0.9
    for own in others:
        for one, other in zip(own[0], spikes, strict=True):  # sums have no order of their own
            assert (one != other).sum() <= 1
        for ours, theirs in ((own[1], losses), (own[2], parameters)):
            for one, other in zip(ours, theirs, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def batches_of(*shape, smaller):
    """Three batches, of which the last is smaller."""
    random = torch.Generator().manual_seed(1)
    return [
        (
            torch.rand(*shape[:-2], size, shape[-1], generator=random) * 3,
            torch.randint(10, (size,), generator=random),
        )
        for size in (shape[-2], shape[-2], smaller)
    ]


@pytest.mark.parametrize("shape", [(6, 8, 20), (8, 20)], ids=["a sequence", "a static input"])
def test_two_layers(shape):
    sizes = (20, 30, 10)
    nets = [
        kind(neurons, 6, sizes)
        for kind, neurons in ((Loop, snntorch), (Loop, snnc.torch), (Sequences, snnc.torch))
    ]
    assert_same_training(nets, batches_of(*shape, smaller=5))


def test_the_convolutional_network_of_tutorial_6():
    random = torch.Generator().manual_seed(1)
    batches = [
        (
            torch.rand(size, 1, 28, 28, generator=random) * 8,
            torch.randint(10, (size,), generator=random),
        )
        for size in (3, 2)
    ]
    nets = [
        kind(neurons, 7)
        for kind, neurons in (
            (ConvolutionalLoop, snntorch),
            (ConvolutionalLoop, snnc.torch),
            (ConvolutionalSequences, snnc.torch),
        )
    ]
    for net in nets:
        net[-1].threshold.fill_(0.1)  # at which the last layer spikes before it has learned
    nets[-1].images = 9  # in several pieces
    assert_same_training(nets, batches)


def test_state_dicts_of_networks_go_both_ways():
    theirs, ours = ConvolutionalLoop(snntorch, 2), ConvolutionalLoop(snnc.torch, 2)
    assert [*theirs.state_dict()] == [*ours.state_dict()]
    for one, other in ((theirs, ours), (ours, theirs)):
        other.load_state_dict(one.state_dict())


def test_the_benchmark_compares_what_is_equal():
    once = Budget(seconds=0.0, least=2, least_slow=2)
    rows = list(networks.modules(1, 10, 4, (2, 3), once))
    assert len(rows) == 5
    assert all("us" in way for row in rows for way in row["ways"].values())
