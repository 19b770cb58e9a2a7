"""Run the neurons, or the samples, of one large input in blocks on a Dask cluster.

Neurons don't depend on each other, nor samples of a network, so blocks of either give the bits of
one run. The input is made by the workers; here it comes back whole, to be run once more.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import arguments
import cluster
import dask.array as da
import numpy as np

import snnc

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


def run_neurons(x: NDArray[Any], beta: NDArray[Any]) -> NDArray[Any]:
    """Run a block: all steps of some neurons, each with its own beta."""
    return snnc.Leaky(beta).run(x, record="spk", spk_dtype=np.uint8).spk


def run_samples(x: NDArray[Any], net: snnc.nn.Sequential) -> NDArray[Any]:
    """Run a block: all steps of some samples, through the network that came by pickle."""
    return net.run(x, record="count")[-1].count


def over_neurons(steps: int, neurons: int, block: int) -> None:
    """Run (steps, neurons) in blocks of neurons, and compare."""
    rng = da.random.default_rng(0)
    x = rng.uniform(0, 0.4, (steps, neurons), chunks=(steps, block)).astype(np.float32)
    beta = da.linspace(0.5, 0.99, neurons, chunks=block)
    spikes = da.map_blocks(run_neurons, x, beta, meta=np.empty((0, 0), np.uint8))
    x, beta, spikes = da.compute(x, beta, spikes)
    assert np.array_equal(spikes, run_neurons(x, beta))
    print(f"{neurons} neurons in blocks of {block}, {steps} steps: {spikes.sum()} spikes")


def over_samples(steps: int, samples: int, block: int) -> None:
    """Run (steps, samples, features) through a network in blocks of samples, and compare."""
    net = snnc.nn.Sequential(
        snnc.nn.Linear(64, 100, rng=0),
        snnc.Leaky(0.9),
        snnc.nn.Linear(100, 10, rng=1),
        snnc.Leaky(0.9),
    )
    rng = da.random.default_rng(1)
    x = rng.random((steps, samples, 64), chunks=(steps, block, 64)) < 0.2
    count = da.map_blocks(
        run_samples, x, net, drop_axis=0, chunks=(x.chunks[1], 10), meta=np.empty((0, 0), int)
    )
    x, count = da.compute(x, count)
    assert np.array_equal(count, run_samples(x, net))
    print(f"{samples} samples in blocks of {block}, {steps} steps: {count.sum()} spikes come out")


def main(given: list[str] | None = None) -> int:
    """Run both and compare each with one run here."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--steps", type=arguments.positive, default=200, help="of each run (200)")
    parser.add_argument("--neurons", type=arguments.positive, default=10_000, help="(10000)")
    parser.add_argument("--samples", type=arguments.positive, default=512, help="(512)")
    parser.add_argument(
        "--blocks", type=arguments.positive, default=4, help="to cut each into (4)"
    )
    cluster.add_arguments(parser)
    options = parser.parse_args(given)
    with cluster.connect(options.scheduler, options.workers):
        for run, size in ((over_neurons, options.neurons), (over_samples, options.samples)):
            run(options.steps, size, -(-size // options.blocks))
    print("the same bits as one run here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
