"""Run an input that is on disk, chunk by chunk, into spikes that are on disk.

The input and the packed spikes are an np.memmap each, then a Zarr array each. Of either, one chunk
at a time is in memory; `run_chunks` carries the states on. In the end both are read whole, to be
compared with one run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import arguments
import numpy as np
import zarr
from tqdm import tqdm

import snnc

if TYPE_CHECKING:
    from typing import Any


def run_chunked(neuron: snnc.Synaptic, x: Any, spikes: Any, size: int) -> Any:
    """Run `x` in chunks of `size` steps, write its spikes, and return the final states."""
    starts = range(0, x.shape[0], size)
    chunks = (x[start : start + size] for start in starts)
    recs = neuron.run_chunks(chunks, record="spk", spk_dtype="packed")
    for start, rec in zip(starts, tqdm(recs, total=len(starts)), strict=True):
        spikes[start : start + size] = rec.spk
    return rec.state


def memmap(path: Path, shape: tuple[int, int], dtype: str, size: int) -> Any:
    """Make an .npy file and map it."""
    return np.lib.format.open_memmap(path.with_suffix(".npy"), "w+", dtype, shape)


def zarray(path: Path, shape: tuple[int, int], dtype: str, size: int) -> Any:
    """Make a Zarr array whose chunks are those of the run."""
    store = path.with_suffix(".zarr")
    return zarr.create_array(store, shape=shape, dtype=dtype, chunks=(size, shape[1]))


def main(given: list[str] | None = None) -> int:
    """Run from and to both kinds of files, and compare with one run."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--steps", type=arguments.positive, default=10_000, help="(10000)")
    parser.add_argument("--neurons", type=arguments.positive, default=500, help="(500)")
    parser.add_argument(
        "--chunk", type=arguments.positive, default=1500, help="steps in a chunk (1500)"
    )
    options = parser.parse_args(given)
    shape = options.steps, options.neurons
    size = min(options.chunk, options.steps)
    neuron = snnc.Synaptic(alpha=0.8, beta=np.linspace(0.5, 0.99, options.neurons))
    with TemporaryDirectory() as folder:
        for make in (memmap, zarray):
            x = make(Path(folder, "x"), shape, "float32", size)
            spikes = make(Path(folder, "spikes"), (shape[0], -(-shape[1] // 8)), "uint8", size)
            rng = np.random.default_rng(0)
            for start in range(0, options.steps, size):
                part = min(size, options.steps - start), options.neurons
                x[start : start + size] = rng.random(part, np.float32) < 0.05
            state = run_chunked(neuron, x, spikes, size)
            whole = neuron.run(np.array(x), record="spk", spk_dtype="packed")
            assert np.array_equal(spikes, whole.spk)
            assert all(map(np.array_equal, state, whole.state))
            fired = int(np.bitwise_count(spikes[:]).sum())
            print(f"{make.__name__}: {fired} spikes, the same bits as one run")
            del x, spikes  # Windows removes no file that is mapped
    return 0


if __name__ == "__main__":
    sys.exit(main())
