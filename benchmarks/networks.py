"""Products of spikes and weights, and closed loops, compared with what others do.

``python -m benchmarks.networks GROUP THREADS`` prints one of `GROUPS` as JSON: for each case the
median and the quartiles of each way in microseconds, or what was wrong with its result.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import snnc
from benchmarks import brunel
from benchmarks.timing import FULL, QUICK, Budget, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Ways = dict[str, partial[Any]]

SHAPES = ((784, 1000), (1000, 1000), (2048, 2048), (1000, 10))
ROWS = (1, 25, 3200)
DENSITIES = (0.02, 0.05, 0.1, 0.2)

LOOPS = {100: 4000, 200: 4000, 1000: 1000, 4000: 300}
"""Steps for each number of neurons."""
TAU, DT, THRESHOLD, T_REF = 20.0, 0.1, 15.0, 20  # ms, ms, mV, steps
EXC_DECAY, INH_DECAY = 0.98, 0.99

BATCH, WIDTH, STEPS = 64, 256, 100
DIFFERING = 1e-3  # of the spikes, where the orders of sums differ
# With threads, in seconds. OpenBLAS's spin for 2**26 cycles, and until the system has moved the
# others' to processors of their own it takes as long again.
PAUSE = WARMING = 0.05


def peer(name: str) -> Any:
    """Import a module of ``benchmarks.peers``; None where what it needs isn't installed."""
    try:
        return import_module(f"benchmarks.peers.{name}")
    except ImportError:
        return None


def exact(weights: Array) -> Array:
    """Round to multiples of 2**-10, so that sums are equal in every order."""
    return np.round(weights * 1024) / 1024


def first(result: Any) -> Array:
    """Return what is compared: of several results the first."""
    return np.asarray(result[0] if isinstance(result, tuple) else result)


def compared(
    name: str, threads: int, ways: Ways, differing: float = 0.0, budget: Budget = FULL
) -> dict[str, Any]:
    """Time the ways of a case whose results are those of the last; each is called once before."""
    expected = np.copy(first(next(reversed(ways.values()))()))
    found: dict[str, Any] = {}
    right: Ways = {}
    for way, call in ways.items():
        wrong = np.mean(first(call()) != expected)
        if wrong > differing:
            found[way] = {"note": f"WRONG: {wrong:.2%} of the values differ"}
        else:
            right[way] = call
    waits = (PAUSE, WARMING) if threads > 1 else ()
    for way, timing in measure(right, budget, *waits).items():
        found[way] = {
            "us": timing.median * 1e6,
            "low": timing.low * 1e6,
            "high": timing.high * 1e6,
        }
    return {"name": name, "ways": {way: found[way] for way in ways}}


def products(
    threads: int,
    shapes: tuple[tuple[int, int], ...] = SHAPES,
    rows: tuple[int, ...] = ROWS,
    densities: tuple[float, ...] = DENSITIES,
    budget: Budget = FULL,
) -> Iterator[dict[str, Any]]:
    """Multiply uint8 spikes by weights; BLAS gets them as float32."""
    rng = np.random.default_rng(0)
    numba, torch = peer("numba_networks"), peer("torch_networks")
    for (n_in, n_out), n_rows, density in product(shapes, rows, densities):
        weight = exact(rng.uniform(-1, 1, (n_in, n_out))).astype(np.float32)
        spk = (rng.random((n_rows, n_in)) < density).astype(np.uint8)
        y = np.empty((n_rows, n_out), np.float32)
        ways: Ways = {
            "snnc": partial(snnc.spike_product, spk, weight.T, out=y, num_threads=threads)
        }
        if numba:
            ways["Numba"] = partial(numba.product(threads), spk, weight, np.empty_like(y))
        if torch:
            ways["embedding_bag, given indices"] = torch.product(spk, weight, threads)
        ways["NumPy"] = partial(np.matmul, spk.astype(np.float32), weight, out=np.empty_like(y))
        name = f"{n_in} x {n_out}, {n_rows} row{'s' if n_rows > 1 else ''}, {density:.0%}"
        yield compared(name, threads, ways, budget=budget)


def delta(weight: Array) -> Callable[[Array, Array], Array]:
    """Make synapses whose current lasts one step."""

    def current(x: Array, spk: Array) -> Array:
        total: Array = x + weight @ spk
        return total

    return current


def exponential(exc: Array, inh: Array) -> Callable[[Array, Array], Array]:
    """Make excitatory and inhibitory synapses, whose currents decay."""
    i_exc, i_inh = np.zeros(len(exc)), np.zeros(len(inh))

    def current(x: Array, spk: Array) -> Array:
        nonlocal i_exc, i_inh
        i_exc = EXC_DECAY * i_exc + exc @ spk
        i_inh = INH_DECAY * i_inh + inh @ spk
        total: Array = (x + i_exc) + i_inh
        return total

    return current


def numpy_loop(x: Array, synapses: partial[Callable[[Array, Array], Array]]) -> Array:
    """Step leaky integrate-and-fire neurons as a NumPy script does."""
    current = synapses()
    num_steps, n = x.shape
    v, wait, spk = np.zeros(n), np.zeros(n, int), np.zeros(n)
    raster = np.empty((num_steps, n), np.uint8)
    for t in range(num_steps):
        total = current(x[t], spk)
        free = wait == 0
        v[free] += (-v[free] + total[free]) * (DT / TAU)
        wait[~free] -= 1
        fired = v >= THRESHOLD
        v[fired] = 0.0
        wait[fired] = T_REF
        raster[t] = fired
        spk = fired.astype(float)
    return raster


def snnc_loop(
    lif: snnc.LIF, x: Array, synapses: partial[Callable[[Array, Array], Array]]
) -> Array:
    """Do the same with one of snnc's neurons in the loop."""
    current = synapses()
    num_steps, n = x.shape
    spk, v, ref = np.zeros(n), np.zeros(n), np.zeros(n)
    raster = np.empty((num_steps, n), np.uint8)
    for t in range(num_steps):
        lif(current(x[t], spk), v, ref, out=(spk, v, ref))
        raster[t] = spk
    return raster


def run(net: snnc.Recurrent, x: Array, out: snnc.Recording) -> Array:
    """Run a closed loop in one call."""
    return net.run(x, record="spk", spk_dtype=np.uint8, out=out).spk


def loops(
    threads: int, sizes: Mapping[int, int] = LOOPS, budget: Budget = FULL
) -> Iterator[dict[str, Any]]:
    """Run one network for a while; 0.1 % of the neurons spike in a step."""
    if threads > 1:  # a network by itself runs on one thread
        return
    numba = peer("numba_networks")
    lif = snnc.LIF(TAU, dt=DT, v_threshold=THRESHOLD, t_ref=T_REF * DT)
    for n, num_steps in sizes.items():
        rng = np.random.default_rng(0)
        strong = rng.random(n) < 0.4
        x = np.where(strong, rng.uniform(15.5, 30, n), rng.uniform(0, 12, n))
        x = x + rng.normal(0, 3, (num_steps, n))
        weight = exact(rng.normal(0, 0.1, (n, n))) * (rng.random((n, n)) < 0.2)
        exc, inh = np.maximum(weight, 0), np.minimum(weight, 0)
        kinds: dict[str, tuple[Any, ...]] = {
            "delta synapses": (
                snnc.Recurrent(lif, weight),
                partial(delta, weight),
                "delta_loop",
                (weight.T.copy(),),
            ),
            "exponential synapses": (
                snnc.Recurrent(
                    lif,
                    snnc.Projection(exc, decay=EXC_DECAY),
                    snnc.Projection(inh, decay=INH_DECAY),
                ),
                partial(exponential, exc, inh),
                "exponential_loop",
                (exc.T.copy(), inh.T.copy(), EXC_DECAY, INH_DECAY),
            ),
        }
        for kind, (net, synapses, compiled, arguments) in kinds.items():
            recording = net.run(x, record="spk", spk_dtype=np.uint8)
            ways: Ways = {"snnc": partial(run, net, x, recording)}
            if numba:
                loop = getattr(numba, compiled)
                ways["Numba"] = partial(loop, x, *arguments, DT / TAU, THRESHOLD, T_REF)
            ways["NumPy, lif(out=)"] = partial(snnc_loop, lif, x, synapses)
            ways["NumPy"] = partial(numpy_loop, x, synapses)
            name = f"{n} neurons, {num_steps} steps, {kind}"
            yield compared(name, threads, ways, budget=budget)


def forward_backward(
    layer: snnc.RLeaky, x: Array, grad_spk: Array, out: snnc.Recording, threads: int
) -> tuple[Array, ...]:
    """Run a layer, and do the backward pass."""
    rec = layer.run(x, grad=True, out=out, num_threads=threads)
    wrt = ("x", "recurrent.weight", "recurrent.bias")
    gradients = layer.backward(rec, grad_spk, wrt=wrt, num_threads=threads)
    return rec.spk, *(getattr(gradients, name) for name in wrt)


def training(threads: int, steps: int = STEPS, budget: Budget = FULL) -> Iterator[dict[str, Any]]:
    """Train a layer of RLeaky neurons, forward and backward."""
    rng = np.random.default_rng(0)
    layer = snnc.RLeaky(0.9, linear_features=WIDTH, rng=rng)
    x = (rng.random((steps, BATCH, WIDTH)) * 0.4).astype(np.float32)
    grad_spk = rng.random(x.shape).astype(np.float32)
    recording = layer.run(x, grad=True)
    ways: Ways = {"snnc": partial(forward_backward, layer, x, grad_spk, recording, threads)}
    if torch := peer("torch_networks"):
        weight, bias = layer.recurrent.weight.copy(), layer.recurrent.bias.copy()
        ways["snnTorch"] = torch.training(0.9, weight, bias, x, grad_spk, threads)
    name = f"RLeaky, B={BATCH}, n={WIDTH}, T={steps}"
    yield compared(name, threads, ways, DIFFERING, budget)


def modules(
    threads: int,
    width: int = 100,
    steps: int = 25,
    convolutional: tuple[int, int] = (32, 50),
    budget: Budget = FULL,
) -> Iterator[dict[str, Any]]:
    """Train networks of PyTorch's, with neurons of snnc.torch and of snnTorch."""
    if torch := peer("torch_training"):
        for name, ways in torch.cases(threads, BATCH, width, steps, convolutional):
            yield compared(name, threads, ways, DIFFERING, budget)


def layers(threads: int, **fewer: Any) -> Iterator[dict[str, Any]]:
    """Run and train networks of layers."""
    from benchmarks.layers import measured

    return measured(threads, **fewer)


def linear(threads: int, **fewer: Any) -> Iterator[dict[str, Any]]:
    """Apply linear layers to spikes, in each mode."""
    from benchmarks import layers

    return layers.linear(threads, **fewer)


GROUPS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "products": products,
    "loops": loops,
    "recurrent": training,
    "modules": modules,
    "linear": linear,
    "layers": layers,
    "brunel": brunel.measured,
}
QUICK_ARGUMENTS: dict[str, dict[str, Any]] = {
    "products": {"shapes": SHAPES[:1], "densities": (0.1,), "budget": QUICK},
    "loops": {"sizes": {100: 1000, 1000: 300}, "budget": QUICK},
    "recurrent": {"budget": QUICK},
    "modules": {"convolutional": (2, 5), "budget": QUICK},
    "linear": {"shapes": ((1000, 10),), "rows": (25,), "densities": (0.1,), "budget": QUICK},
    "layers": {"quick": True, "budget": QUICK},
    "brunel": {"repeats": 2},
}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("threads", type=int)
    parser.add_argument("--quick", action="store_true", help="fewer cases and repeats")
    options = parser.parse_args(arguments)
    fewer = QUICK_ARGUMENTS[options.group] if options.quick else {}
    with brunel.quiet() as stdout:
        rows = list(GROUPS[options.group](options.threads, **fewer))
        json.dump(rows, stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
