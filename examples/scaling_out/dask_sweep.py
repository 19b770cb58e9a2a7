"""Sweep parameters of Leaky neurons on a Dask cluster, within bounded memory.

A task of Dask is a block of betas. The graph has no parameters: a worker makes those of its block,
runs them with record="count" and sends back the counts reduced over strengths. So a worker holds
one block at a time, whatever the size of the sweep, and its peak is checked against --most-memory.

10^7 combinations: python dask_sweep.py --betas 200 --thresholds 200 --strengths 250
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING

import arguments
import cluster
import dask.array as da
import numpy as np
import sweep

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


def run_block(of: sweep.Sweep, block_info: Any = None) -> NDArray[np.int64]:
    """Make a block's neurons and input in the worker, and run them."""
    first, last = block_info[None]["array-location"][0]
    return sweep.summary(of.neuron(slice(first, last)), of.input())


def lazy(of: sweep.Sweep, rows: int) -> da.Array:
    """Return the results of a sweep, none of them computed yet."""
    lengths = tuple(block.stop - block.start for block in of.blocks(rows))
    meta = np.empty((0, 0, 0), np.int64)
    return da.map_blocks(run_block, of, chunks=(lengths, of.thresholds, 2), meta=meta)


def main(given: list[str] | None = None) -> int:
    """Run a sweep and check a part of it, and the memory that the workers took."""
    parser = arguments.parser(__doc__)
    sweep.add_arguments(parser)
    cluster.add_arguments(parser)
    parser.add_argument(
        "--most-memory", type=float, default=64, metavar="MIB",
        help="by how much a worker may grow in the sweep (64)",
    )  # fmt: skip
    options = parser.parse_args(given)
    of = sweep.made(options)
    with cluster.connect(options.scheduler, options.workers) as client:
        for module in (arguments, sweep):  # for workers on other machines
            client.upload_file(module.__file__)
        before = client.run(sweep.peak_memory)
        start = perf_counter()
        result = lazy(of, options.rows).compute()
        seconds = perf_counter() - start
        peaks = client.run(sweep.peak_memory)
    sweep.report(of, result, seconds)
    grown = {worker: (peak - before.get(worker, 0)) / 2**20 for worker, peak in peaks.items()}
    for worker, peak in peaks.items():
        print(f"{worker}: peak {peak / 2**20:.0f} MiB, {grown[worker]:.1f} MiB of it in the sweep")
    of.check(result, options.check)
    print("the same bits as one run here")
    if max(grown.values()) > options.most_memory:
        print(f"a worker grew by more than --most-memory, {options.most_memory:g} MiB")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
