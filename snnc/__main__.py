"""``python -m snnc``: what is installed, Tutorial 4's two experiments, and how fast it is.

With ``--figure FILE`` it draws the first of these experiments instead.
"""

from __future__ import annotations

import argparse
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

import snnc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

ALPHA, BETA, THRESHOLD = np.float32(0.9), np.float32(0.8), np.float32(1)
LIF = snnc.Synaptic(ALPHA, BETA, THRESHOLD)
PERIODIC = np.tile(np.r_[0.2, np.zeros(9)], 20).astype(np.float32)
SIZES = ((100, 1000), (1000, 1000), (10_000, 200))


def tutorial_4() -> dict[str, list[int]]:
    """Run the two experiments of snnTorch's Tutorial 4: the steps at which each spikes."""
    synaptic = LIF.run(PERIODIC)
    pulse = np.r_[1, np.zeros(9)]
    late = np.r_[np.zeros(10), 1, np.zeros(89), np.tile(pulse, 10)].astype(np.float32)
    alpha = snnc.Alpha(alpha=0.8, beta=0.7, threshold=0.5).run(np.float32(0.85) * late)
    return {"Synaptic": _times(synaptic), "Alpha": _times(alpha)}


def draw_tutorial_4(path: str) -> None:
    """Write the figure of the first experiment."""
    from snnc import spikeplot

    spk, syn, mem = LIF.run(PERIODIC)
    title = "Synaptic neuron, with an input every ten steps"
    fig, _ = spikeplot.plot_spk_cur_mem_spk(PERIODIC, syn, mem, spk, title, threshold=1.0)
    fig.savefig(path)


def _times(rec: snnc.Recording) -> list[int]:
    return [int(step) for step in rec.events()[0]]


def numpy_loop(x: Floats, syn: Floats, mem: Floats, spk: Floats) -> None:
    """Step a Synaptic layer as carefully as NumPy allows: no allocation, the fewest passes."""
    fired = np.empty(mem.shape, np.bool_)
    reset = np.empty_like(mem)
    np.greater(mem, THRESHOLD, out=fired)
    np.copyto(reset, fired)
    for x_t, spk_t in zip(x, spk, strict=True):
        np.multiply(syn, ALPHA, out=syn)
        np.add(syn, x_t, out=syn)
        np.multiply(mem, BETA, out=mem)
        np.add(mem, syn, out=mem)
        np.multiply(reset, THRESHOLD, out=reset)
        np.subtract(mem, reset, out=mem)
        np.greater(mem, THRESHOLD, out=fired)
        np.copyto(spk_t, fired)
        np.copyto(reset, fired)


def snnc_steps(x: Floats, syn: Floats, mem: Floats, spk: Floats) -> None:
    """Step it with snnc as in snnTorch: each call allocates what it returns."""
    s, m = syn, mem
    spk_rec = []
    for x_t in x:
        spk_t, s, m = LIF(x_t, s, m)
        spk_rec.append(spk_t)
    np.concatenate(spk_rec, out=spk.reshape(-1))
    syn[:], mem[:] = s, m


def snnc_steps_out(x: Floats, syn: Floats, mem: Floats, spk: Floats) -> None:
    """Step it with snnc, in place."""
    for x_t, spk_t in zip(x, spk, strict=True):
        LIF(x_t, syn, mem, out=(spk_t, syn, mem))


def snnc_run(x: Floats, syn: Floats, mem: Floats, spk: Floats) -> None:
    """Run it with snnc in one call."""
    LIF.run(x, syn, mem, record="spk", out={"spk": spk, "state": (syn, mem)})


IMPLEMENTATIONS: dict[str, Callable[[Floats, Floats, Floats, Floats], None]] = {
    "NumPy loop (out=)": numpy_loop,
    "snnc steps": snnc_steps,
    "snnc steps (out=)": snnc_steps_out,
    "snnc run": snnc_run,
}


def compare(num_neurons: int, num_steps: int, seconds: float = 0.5) -> dict[str, float]:
    """Check that all agree bit for bit, then time them in turn: median us a step."""
    rng = np.random.default_rng(num_neurons)
    x = rng.uniform(0, 0.6, (num_steps, num_neurons)).astype(np.float32)
    outcomes = {}
    for name, way in IMPLEMENTATIONS.items():
        syn, mem = np.zeros((2, num_neurons), np.float32)
        spk = np.empty_like(x)
        way(x, syn, mem, spk)
        outcomes[name] = (spk, syn, mem)
    first, *others = outcomes.values()
    for other in others:
        for a, b in zip(first, other, strict=True):
            if not np.array_equal(a, b):
                raise RuntimeError("the implementations disagree")
    spk, syn, mem = first
    times: dict[str, list[float]] = {name: [] for name in IMPLEMENTATIONS}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["snnc run"]) < 5:
        for name, way in IMPLEMENTATIONS.items():
            start = time.perf_counter()
            way(x, syn, mem, spk)
            times[name].append(time.perf_counter() - start)
    return {name: 1e6 * median(t) / num_steps for name, t in times.items()}


def main(arguments: list[str] | None = None) -> int:
    """Print it all; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m snnc", description=__doc__)
    parser.add_argument("--figure", metavar="FILE", help="draw Tutorial 4's figure, as a PNG")
    options = parser.parse_args(arguments)
    if options.figure is not None:
        try:
            draw_tutorial_4(options.figure)
        except (ImportError, OSError, ValueError) as error:
            print(f"--figure {options.figure}: {error}", file=sys.stderr)
            return 1
        return 0
    snnc.show_config()
    print("\nsnnTorch's Tutorial 4: the steps at which the neuron spikes")
    for model, steps in tutorial_4().items():
        print(f"  {model + ':':10}", *steps)

    results = {size: compare(*size) for size in SIZES}
    print("\nA layer of Synaptic neurons, float32, spikes recorded: microseconds a step")
    print("  (in brackets: how many times faster than the NumPy loop)\n")
    print(f"  {'':20}" + "".join(f"{f'N={n}, T={t}':>20}" for n, t in SIZES))
    for name in IMPLEMENTATIONS:
        cells = []
        for size in SIZES:
            us = results[size][name]
            ratio = results[size]["NumPy loop (out=)"] / us
            cells.append(f"{f'{us:.2f} ({ratio:.1f})':>20}")
        print(f"  {name:20}" + "".join(cells))
    print(
        "\nAll four gave the same spikes and states, bit for bit. The NumPy loop allocates\n"
        "nothing and makes as few passes as it can. 'steps' is one call a step, as in\n"
        "snnTorch; 'out=' updates the states in place; 'run' is the whole sequence in one\n"
        "call. Medians, taken in turn in this one run; N neurons, T steps."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
