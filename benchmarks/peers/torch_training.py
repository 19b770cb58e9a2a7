"""Networks of snnTorch's tutorials, with its neurons or with those of snnc.torch, in training."""

from __future__ import annotations

from functools import partial

import numpy as np
import snntorch
import snntorch.functional
import snntorch.surrogate
import snntorch.utils
import torch
from torch import nn

import snnc
import snnc.torch


class Loop(nn.Module):
    """Two layers and a loop over time, as in Tutorial 5; x (T, B, inputs), or (B, inputs)."""

    def __init__(self, neurons, num_steps, sizes=(784, 100, 10)):
        super().__init__()
        torch.manual_seed(0)
        self.num_steps = num_steps
        self.fc1, self.fc2 = nn.Linear(*sizes[:2]), nn.Linear(*sizes[1:])
        self.lif1, self.lif2 = neurons.Leaky(beta=0.9), neurons.Leaky(beta=0.9)

    def forward(self, x):
        """Return spikes and membranes of the last layer."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk_rec, mem_rec = [], []
        for step in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1(x[step] if x.ndim == 3 else x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec), torch.stack(mem_rec)

    def loss(self, x, target):
        """Return the spikes, and the sum of the losses of all steps."""
        spk, mem = self(x)
        loss = torch.zeros(())
        for step in range(self.num_steps):
            loss += nn.functional.cross_entropy(mem[step], target)
        return spk, loss


class Sequences(Loop):
    """The same, whole sequences at a time: a static input goes through the first layer once."""

    def forward(self, x):
        """Return spikes and membranes of the last layer."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        current = self.fc1(x)
        if x.ndim == 2:
            current = current.expand(self.num_steps, *current.shape)
        spk1, _ = self.lif1.run(current, mem1)
        return self.lif2.run(self.fc2(spk1), mem2)

    def loss(self, x, target):
        """Return the spikes, and the sum of the losses of all steps."""
        spk, mem = self(x)
        mean = nn.functional.cross_entropy(mem.flatten(0, 1), target.repeat(self.num_steps))
        return spk, mean * self.num_steps


class ConvolutionalLoop(nn.Sequential):
    """The network of Tutorial 6, and its loop over time; x (B, 1, 28, 28)."""

    def __init__(self, neurons, num_steps):
        torch.manual_seed(0)
        options = {"beta": 0.5, "spike_grad": snntorch.surrogate.fast_sigmoid(slope=25)}
        super().__init__(
            nn.Conv2d(1, 12, 5),
            nn.MaxPool2d(2),
            neurons.Leaky(**options, init_hidden=True),
            nn.Conv2d(12, 64, 5),
            nn.MaxPool2d(2),
            neurons.Leaky(**options, init_hidden=True),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, 10),
            neurons.Leaky(**options, init_hidden=True, output=True),
        )
        self.num_steps = num_steps
        self.reset = (snntorch if neurons is snntorch else snnc).utils.reset

    def spikes(self, x):
        """Return the spikes of the last layer."""
        self.reset(self)
        return torch.stack([self(x)[0] for _ in range(self.num_steps)])

    def loss(self, x, target):
        """Return the spikes, and the tutorial's loss."""
        spk = self.spikes(x)
        return spk, snntorch.functional.ce_rate_loss()(spk, target)


class ConvolutionalSequences(ConvolutionalLoop):
    """The same, a layer at a time, for so many steps as convolutions are fast with."""

    images = 320

    def spikes(self, x):
        """Return the spikes of the last layer."""
        self.reset(self)
        conv1, pool1, lif1, conv2, pool2, lif2, flatten, fc, lif3 = self
        constant = pool1(conv1(x))
        spk_rec = []
        for step in range(0, self.num_steps, chunk := max(1, self.images // len(x))):
            steps = min(chunk, self.num_steps - step)
            spk = lif1.run(constant.expand(steps, *constant.shape))
            current = pool2(conv2(spk.flatten(0, 1)))
            spk = lif2.run(current.unflatten(0, (steps, -1)))
            current = fc(flatten(spk.flatten(0, 1)))
            spk_rec.append(lif3.run(current.unflatten(0, (steps, -1)))[0])
        return torch.cat(spk_rec)


def train(net, optimizer, x, target):
    """Do an iteration of a script; returns the spikes."""
    spk, loss = net.loss(x, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return spk.detach().numpy()


def training(net, x, target):
    """Offer an iteration, with a rate of 0, so that all that follow have the same spikes."""
    return partial(train, net, torch.optim.Adam(net.parameters(), lr=0.0), x, target)


def differentiate(call, x, mem, grad_spk):
    """Do a step or a sequence, and the backward pass."""
    spk, _ = call(x, mem)
    torch.autograd.grad(spk, x, grad_spk)
    return spk.detach().numpy()


def loop_over(lif, x, mem):
    """Do a sequence step by step."""
    spk_rec = []
    for x_t in x:
        spk, mem = lif(x_t, mem)
        spk_rec.append(spk)
    return torch.stack(spk_rec), mem


def steps(net, x):
    """Run a network without gradients."""
    with torch.no_grad():
        return net(x)[0].numpy()


def loaded(state, num_steps, sizes, threads):
    """Return snnTorch's loop of a network with these parameters."""
    torch.set_num_threads(threads)
    net = Loop(snntorch, num_steps, sizes)
    net.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in state.items()}, strict=False)
    return net


def inference(state, x, sizes, threads):
    """Offer a run of a network with these parameters."""
    return partial(steps, loaded(state, len(x), sizes, threads), torch.from_numpy(x))


def of_snntorch(state, x, target, sizes, threads):
    """Offer an iteration of the training of a network with these parameters."""
    net = loaded(state, len(x), sizes, threads)
    return training(net, torch.from_numpy(x), torch.from_numpy(target))


def cases(threads, batch, width, num_steps, convolutional):
    """Yield names and ways: of a step, a sequence, and iterations of training scripts."""
    torch.set_num_threads(threads)
    snnc.set_num_threads(threads)
    random = torch.Generator().manual_seed(0)
    ours, theirs = snnc.torch.Leaky(0.9), snntorch.Leaky(0.9)
    mem = torch.zeros(batch, width)
    x = (torch.rand(num_steps, batch, width, generator=random) * 0.5).requires_grad_()
    grad_spk = torch.rand(x.shape, generator=random)
    sizes = f"{batch} x {width}"
    x_0, grad_0 = x[0].detach().requires_grad_(), grad_spk[0]
    yield (
        f"Leaky {sizes}, {num_steps} steps, forward and backward",
        {
            "snnc.torch, run": partial(differentiate, ours.run, x, mem, grad_spk),
            "snnc.torch": partial(differentiate, partial(loop_over, ours), x, mem, grad_spk),
            "snnTorch": partial(differentiate, partial(loop_over, theirs), x, mem, grad_spk),
        },
    )
    yield (
        f"Leaky {sizes}, a step, forward and backward",
        {
            "snnc.torch": partial(differentiate, ours, x_0, mem, grad_0),
            "snnTorch": partial(differentiate, theirs, x_0, mem, grad_0),
        },
    )
    target = torch.randint(10, (batch,), generator=random)
    for kind, shape in (("", (num_steps, batch, 784)), (", static input", (batch, 784))):
        x = torch.rand(shape, generator=random) * 2
        yield (
            f"784-{width}-10, B={batch}, T={num_steps}{kind}, an iteration with Adam",
            {
                way: training(net(neurons, num_steps, (784, width, 10)), x, target)
                for way, net, neurons in (
                    ("snnc.torch, run", Sequences, snnc.torch),
                    ("snnc.torch", Loop, snnc.torch),
                    ("snnTorch", Loop, snntorch),
                )
            },
        )
    batch, num_steps = convolutional
    x = torch.rand(batch, 1, 28, 28, generator=random)
    target = torch.randint(10, (batch,), generator=random)
    yield (
        f"convolutional network of Tutorial 6, B={batch}, T={num_steps}, an iteration with Adam",
        {
            way: training(net(neurons, num_steps), x, target)
            for way, net, neurons in (
                ("snnc.torch, run", ConvolutionalSequences, snnc.torch),
                ("snnc.torch", ConvolutionalLoop, snnc.torch),
                ("snnTorch", ConvolutionalLoop, snntorch),
            )
        },
    )
