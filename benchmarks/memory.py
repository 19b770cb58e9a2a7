"""Peak memory of a long run in chunks: a process of its own, as its peak never decreases.

``python -m benchmarks.memory`` prints it as JSON.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import snnc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NUM_NEURONS, NUM_STEPS, CHUNK = 1000, 1_000_000, 1000


def peak_bytes() -> int:
    """Return the largest resident set that this process ever had."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def chunks(num_steps: int) -> Iterator[NDArray[np.float32]]:
    """Yield the input, the same chunk over and over."""
    chunk = np.random.default_rng(0).random((CHUNK, NUM_NEURONS), np.float32)
    chunk *= 0.6
    for _ in range(num_steps // CHUNK):
        yield chunk


def main() -> int:
    """Measure and print."""
    result: dict[str, Any] = {"n": NUM_NEURONS, "steps": NUM_STEPS, "chunk": CHUNK}
    lif = snnc.Leaky(0.9)
    before = peak_bytes()
    start = perf_counter()
    for _ in lif.run_chunks(chunks(NUM_STEPS), record="count"):
        pass
    result["seconds"] = perf_counter() - start
    result["peak_bytes"] = peak_bytes() - before
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
