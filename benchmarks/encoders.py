"""Random spikes compared with what NumPy draws: time, and the peak memory of a call.

``python -m benchmarks.encoders`` prints it as JSON.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.timing import FULL, measure
from snnc import spikegen

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = (
    (10**6, (1,)),
    (200_000, (5,)),
    (100, (784,)),
    (25, (128, 784)),
    (1000, (1000,)),
    (10, (1_000_000,)),
)
MEANS = (0.2, 2.0)
DRIVE = (1000, 12_500)


def numpy_rate(p: NDArray[np.float32], steps: int, rng: np.random.Generator) -> NDArray[np.bool]:
    """Encode as one does in NumPy."""
    drawn: NDArray[np.bool] = rng.random((steps, *p.shape)) < p
    return drawn


def peak(call: partial[Any]) -> int:
    """Return the largest number of bytes that a call had allocated."""
    tracemalloc.start()
    call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def measured(draws: int, ways: dict[str, partial[Any]]) -> dict[str, Any]:
    """Time ways in turn, in nanoseconds a draw, and their memory in bytes a draw."""
    timings = measure(ways, FULL)
    return {
        name: {"ns": timings[name].median * 1e9 / draws, "bytes": peak(way) / draws}
        for name, way in ways.items()
    }


def main() -> int:
    """Measure and print."""
    rng = np.random.default_rng(0)
    rows = []
    for steps, shape in SHAPES:
        p = rng.random(shape, np.float32)
        ways: dict[str, partial[Any]] = {"NumPy": partial(numpy_rate, p, steps, rng)}
        for dtype in ("float32", "uint8", "packed"):
            ways[dtype] = partial(spikegen.rate, p, steps, rng=rng, dtype=dtype)
        name = f"rate, {steps} steps of {' x '.join(map(str, shape))}"
        rows.append({"name": name, "ways": measured(steps * p.size, ways)})
    for mean in MEANS:
        means = np.full(DRIVE[1], mean, np.float32)
        drive: dict[str, partial[Any]] = {"NumPy": partial(rng.poisson, means, DRIVE)}
        for dtype in ("float32", "uint8"):
            drive[dtype] = partial(spikegen.poisson, means, DRIVE[0], rng=rng, dtype=dtype)
        name = f"poisson, mean {mean}, {DRIVE[0]} steps of {DRIVE[1]}"
        rows.append({"name": name, "ways": measured(DRIVE[0] * DRIVE[1], drive)})
    json.dump(rows, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
