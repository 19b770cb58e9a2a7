"""A sweep of Leaky neurons: every combination of a beta, a threshold and a strength of input.

dask_sweep.py and joblib_sweep.py share it. A block of the sweep is some of the betas with all
thresholds and strengths: one neuron object whose parameters and input broadcast to that shape, so
nothing as large as the sweep is ever an array.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from arguments import positive

import snnc

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sweep:
    """How many values each axis has, and how many steps each combination is run."""

    betas: int
    thresholds: int
    strengths: int
    steps: int

    @property
    def combinations(self) -> int:
        """How many neurons the sweep is."""
        return self.betas * self.thresholds * self.strengths

    def neuron(self, rows: slice | NDArray[np.intp]) -> snnc.Leaky:
        """Return the neurons of some betas, of shape (rows, thresholds, 1)."""
        beta = np.linspace(0.5, 0.99, self.betas)[rows]
        threshold = np.linspace(0.5, 2, self.thresholds)
        return snnc.Leaky(beta[:, None, None], threshold[:, None])

    def input(self) -> NDArray[np.float32]:
        """Return the input, of shape (steps, strengths): spikes, times each strength."""
        spikes = np.random.default_rng(0).random((self.steps, 1)) < 0.2
        return spikes.astype(np.float32) * np.linspace(0.1, 1, self.strengths, dtype=np.float32)

    def blocks(self, rows: int) -> list[slice]:
        """Return the betas in blocks of so many."""
        return [slice(i, min(i + rows, self.betas)) for i in range(0, self.betas, rows)]

    def check(self, result: NDArray[np.int64], rows: int) -> None:
        """Assert that some betas, spread over all, have these results in one run here."""
        chosen = np.unique(np.linspace(0, self.betas - 1, rows).astype(int))
        assert np.array_equal(result[chosen], summary(self.neuron(chosen), self.input()))


def summary(neuron: snnc.Leaky, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Run a block and reduce it over strengths, to shape (rows, thresholds, 2).

    The last axis has the spikes at all strengths, and at how many strengths there are any.
    """
    count = neuron.run(x, record="count").count
    return np.stack((count.sum(axis=-1), (count > 0).sum(axis=-1)), axis=-1)


def peak_memory() -> int:
    """Return the most bytes of memory that this process has occupied so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where ru_maxrss begins at the peak of the parent process
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        assert found is not None
        return 1024 * int(found[1])
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of macOS, in bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the size of a sweep and of its blocks."""
    parser.add_argument("--betas", type=positive, default=40, help="values of beta (40)")
    parser.add_argument("--thresholds", type=positive, default=20, help="of threshold (20)")
    parser.add_argument("--strengths", type=positive, default=25, help="of the input (25)")
    parser.add_argument("--steps", type=positive, default=1000, help="of each run (1000)")
    parser.add_argument("--rows", type=positive, default=4, help="betas in a block (4)")
    parser.add_argument("--check", type=positive, default=3, help="betas to run again here (3)")


def made(options: argparse.Namespace) -> Sweep:
    """Make the sweep that the command line asks for."""
    return Sweep(options.betas, options.thresholds, options.strengths, options.steps)


def report(sweep: Sweep, result: NDArray[Any], seconds: float) -> None:
    """Print what was found, and what it took."""
    spikes, firing = result.sum(axis=(0, 1)).tolist()
    rate = sweep.combinations * sweep.steps / seconds
    print(f"{sweep.combinations} combinations, {sweep.steps} steps each")
    print(f"{spikes} spikes; {firing} combinations fire")
    print(f"{seconds:.2f} s, {rate:.3g} neuron-steps a second")
