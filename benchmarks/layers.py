"""Networks of layers: products in each way, networks run and trained, compared with others."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import snnc
from benchmarks.networks import DIFFERING, compared, exact, peer
from benchmarks.timing import FULL, Budget
from snnc import functional as SF
from snnc import nn, optim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Ways = dict[str, partial[Any]]

SHAPES = ((784, 1000), (1000, 100), (1000, 10))
ROWS = (1, 25, 3200)
DENSITIES = (0.0, 0.02, 0.1, 0.2, 0.3, 0.5, 1.0)

SIZES = (784, 1000, 10)
TRAINED = (784, 100, 10)
DENSITY = 0.1
BETA = 0.9


def linear(
    threads: int,
    shapes: tuple[tuple[int, int], ...] = SHAPES,
    rows: tuple[int, ...] = ROWS,
    densities: tuple[float, ...] = DENSITIES,
    budget: Budget = FULL,
) -> Iterator[dict[str, Any]]:
    """Apply a Linear layer to uint8 spikes, in each mode."""
    snnc.set_num_threads(threads)
    rng = np.random.default_rng(0)
    for (n_in, n_out), n_rows, density in product(shapes, rows, densities):
        spk = (rng.random((n_rows, n_in)) < density).astype(np.uint8)
        ways: Ways = {}
        for mode in ("auto", "events", "blas"):
            layer = nn.Linear(n_in, n_out, mode=mode, rng=0)
            layer.weight, layer.bias = exact(layer.weight), exact(layer.bias)
            ways[f"snnc, {mode}"] = partial(layer, spk)
        name = f"{n_in} x {n_out}, {n_rows} row{'s' if n_rows > 1 else ''}, {density:.0%}"
        yield compared(name, threads, ways, budget=budget)


def network(sizes: tuple[int, int, int]) -> nn.Sequential:
    """Make a network of two layers, with weights whose sums are equal in every order."""
    net = nn.Sequential(
        fc1=nn.Linear(*sizes[:2], rng=0),
        lif1=snnc.Leaky(BETA),
        fc2=nn.Linear(*sizes[1:], rng=1),
        lif2=snnc.Leaky(BETA),
    )
    for name in ("fc1", "fc2"):
        net[name].weight, net[name].bias = exact(net[name].weight), exact(net[name].bias)
    return net


def run(net: nn.Sequential, x: Array) -> Array:
    """Run a network for its spikes."""
    return net.run(x, time_axis=0, record="spk")[-1].spk


def by_blas(x: Array, parameters: list[Array], neurons: snnc.Leaky) -> Array:
    """Do the same with NumPy's products and snnc's neurons."""
    w1, b1, w2, b2 = parameters
    rows = x.reshape(-1, x.shape[-1])
    hidden = neurons.run((rows @ w1 + b1).reshape(*x.shape[:2], -1), record="spk").spk
    current = hidden.reshape(len(rows), -1) @ w2 + b2
    return neurons.run(current.reshape(*x.shape[:2], -1), record="spk").spk


def inference(
    threads: int,
    steps: tuple[int, ...] = (25, 100),
    batches: tuple[int, ...] = (1, 128),
    budget: Budget = FULL,
) -> Iterator[dict[str, Any]]:
    """Run 784-1000-10 over spikes."""
    snnc.set_num_threads(threads)
    net = network(SIZES)
    numba, torch = peer("numba_networks"), peer("torch_training")
    parameters = [np.array(getattr(net[fc], name).T, order="C") for fc, name in (
        ("fc1", "weight"), ("fc1", "bias"), ("fc2", "weight"), ("fc2", "bias"))]  # fmt: skip
    for batch, num_steps in product(batches, steps):
        shape = (num_steps, batch, SIZES[0])
        x = (np.random.default_rng(0).random(shape) < DENSITY).astype(np.uint8)
        real = x.astype(np.float32)
        ways: Ways = {"snnc": partial(run, net, x)}
        if numba:
            y = np.empty((num_steps, batch, SIZES[2]), np.uint8)
            ways["Numba"] = partial(numba.layers(threads), x, *parameters, np.float32(BETA), y)
        ways["NumPy's BLAS, neurons"] = partial(by_blas, real, parameters, snnc.Leaky(BETA))
        if torch:
            ways["snnTorch"] = torch.inference(net.state_dict(), real, SIZES, threads)
        name = f"784-1000-10, {DENSITY:.0%} of spikes, B={batch}, T={num_steps}"
        yield compared(name, threads, ways, budget=budget)


def train(net: nn.Sequential, optimizer: optim.Adam, x: Array, target: Array, **how: Any) -> Array:
    """Do an iteration, with the sum of the losses of all steps, as in Tutorial 5."""
    recs = net.run(x, record=("spk", "mem"), grad=True, **how)
    mem = recs[-1].mem
    labels = np.broadcast_to(target, mem.shape[:2])
    _, grad = SF.cross_entropy()(mem, labels)
    optimizer.step(net.backward(recs, mem=grad * len(mem)))
    return recs[-1].spk


def training(
    threads: int, batch: int = 64, steps: int = 25, budget: Budget = FULL
) -> Iterator[dict[str, Any]]:
    """Train 784-100-10 with Adam, at a rate of 0, so that all iterations have the same spikes."""
    snnc.set_num_threads(threads)
    net, torch = network(TRAINED), peer("torch_training")
    rng = np.random.default_rng(0)
    target = rng.integers(0, TRAINED[2], batch)
    spk = (rng.random((steps, batch, TRAINED[0])) < DENSITY).astype(np.uint8)
    images = rng.random(spk.shape, np.float32)
    for kind, x, how in (
        ("spikes", spk, {"time_axis": 0}),
        ("real input", images, {"time_axis": 0}),
        ("a static image", images[0], {"num_steps": steps}),  # as in Tutorial 5
    ):
        ways: Ways = {"snnc": partial(train, net, optim.Adam(net, lr=0.0), x, target, **how)}
        if torch:
            real = np.array(np.broadcast_to(x, spk.shape), np.float32)
            ways["snnTorch"] = torch.of_snntorch(net.state_dict(), real, target, TRAINED, threads)
        name = f"training 784-100-10, {kind}, B={batch}, T={steps}, Adam"
        yield compared(name, threads, ways, DIFFERING, budget)


def measured(threads: int, quick: bool = False, budget: Budget = FULL) -> Iterator[dict[str, Any]]:
    """Run and train the networks."""
    small: dict[str, Any] = {"steps": (25,), "batches": (1,)} if quick else {}
    yield from inference(threads, **small, budget=budget)
    yield from training(threads, budget=budget)
