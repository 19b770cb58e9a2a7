"""Sweep parameters of Leaky neurons in processes of this machine, with joblib.

A task is a neuron object with the parameters of some betas, which is pickled to a process; the
counts come back reduced over strengths, in order, while others still run.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING

import arguments
import numpy as np
import sweep
from joblib import Parallel, delayed
from tqdm import tqdm

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


def run(of: sweep.Sweep, rows: int, processes: int) -> NDArray[np.int64]:
    """Return the results of a sweep, block by block over processes."""
    os.environ["SNNC_NUM_THREADS"] = "1"  # which the processes inherit: each occupies a core
    x = of.input()
    blocks = of.blocks(rows)
    tasks = (delayed(sweep.summary)(of.neuron(block), x) for block in blocks)
    results: Any = Parallel(processes, return_as="generator")(tasks)
    return np.concatenate(list(tqdm(results, total=len(blocks))))


def main(given: list[str] | None = None) -> int:
    """Run a sweep and check a part of it."""
    parser = arguments.parser(__doc__)
    sweep.add_arguments(parser)
    parser.add_argument("--processes", type=arguments.positive, default=2, help="to start (2)")
    options = parser.parse_args(given)
    of = sweep.made(options)
    start = perf_counter()
    result = run(of, options.rows, options.processes)
    sweep.report(of, result, perf_counter() - start)
    of.check(result, options.check)
    print("the same bits as one run here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
