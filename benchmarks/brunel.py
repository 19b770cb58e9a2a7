"""Brunel's network, a second of biological time, compared with Brian2 and NEST.

N. Brunel, J. Comput. Neurosci. 8, 183-208 (2000): 10 000 excitatory and 2500 inhibitory neurons,
of which each has 1000 and 250 inputs and as many from outside; g = 5, eta = 2, steps of 0.1 ms.
All simulators draw networks and drives of their own: their rates are compared, not their spikes.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import snnc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

N_EXC, N_INH, FROM_EXC, FROM_INH = 10_000, 2500, 1000, 250
G, ETA, J = 5.0, 2.0, 0.1  # J in mV
TAU, DT, DELAY, T_REF, THRESHOLD, V_RESET = 20.0, 0.1, 1.5, 2.0, 20.0, 10.0  # ms, mV
STEPS, CHUNK, SKIPPED = 10_000, 100, 1000
RATE, MARGIN = 37.7, 2.0  # Hz: Brunel's own simulation
REPEATS = 5


class Sparse:
    """Weights in compressed sparse rows, as `snnc.Projection` takes them from SciPy."""

    def __init__(self, weight: float, sources: Any) -> None:
        n, inputs = sources.shape
        self.shape = (n, n)
        self.data = np.full(sources.size, weight, np.float32)
        self.indices = sources.ravel()
        self.indptr = np.arange(0, sources.size + 1, inputs)

    def tocsr(self) -> Sparse:
        """Return itself."""
        return self


def sources(rng: np.random.Generator) -> tuple[Any, Any]:
    """Draw the excitatory and the inhibitory inputs of each neuron."""
    n = N_EXC + N_INH
    exc = rng.integers(0, N_EXC, (n, FROM_EXC), dtype=np.int32)
    inh = rng.integers(N_EXC, n, (n, FROM_INH), dtype=np.int32)
    return exc, inh


class Snnc:
    """The network, and its drive by `snnc.spikegen.poisson`."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.rng = np.random.default_rng(0)
        exc, inh = sources(self.rng)
        self.impulse = np.float32(J * TAU / DT)  # an input of one step that raises v by J
        delay = round(DELAY / DT)
        lif = snnc.LIF(TAU, dt=DT, v_threshold=THRESHOLD, v_reset=V_RESET, t_ref=T_REF)
        self.net = snnc.Recurrent(
            lif,
            snnc.Projection(Sparse(float(self.impulse), exc), delay=delay),
            snnc.Projection(Sparse(-G * float(self.impulse), inh), delay=delay),
        )
        self.arrivals = np.full(N_EXC + N_INH, ETA, np.float32)  # in a step

    def __call__(self, steps: int) -> tuple[dict[str, float], float]:
        """Return seconds with and without the drive, and the rate in Hz."""
        begin, driving, spikes = perf_counter(), 0.0, 0
        state: tuple[Any, ...] = ()
        for t in range(0, steps, CHUNK):
            start = perf_counter()
            drive = snnc.spikegen.poisson(self.arrivals, CHUNK, rng=self.rng)
            drive *= self.impulse
            driving += perf_counter() - start
            rec = self.net.run(drive, *state, record="count", num_threads=self.threads)
            state = rec.state
            if t >= SKIPPED:
                spikes += int(rec.count.sum())
        seconds = perf_counter() - begin
        rate = spikes / ((N_EXC + N_INH) * (steps - SKIPPED) * DT * 1e-3)
        return {"snnc, network alone": seconds - driving, "snnc": seconds}, rate


def simulators() -> dict[str, Callable[[int], Any]]:
    """Return what makes a simulator for a number of threads, for those that are installed."""
    found: dict[str, Callable[[int], Any]] = {"snnc": Snnc}
    for name in ("brian2_brunel", "nest_brunel"):
        try:
            found[name] = import_module(f"benchmarks.peers.{name}").Simulator
        except ImportError:
            continue
    return found


def measured(threads: int, steps: int = STEPS, repeats: int = REPEATS) -> Iterator[dict[str, Any]]:
    """Run the simulators in turn."""
    made = {name: make(threads) for name, make in simulators().items()}
    seconds: dict[str, list[float]] = {}
    rates: dict[str, float] = {}
    for _ in range(repeats):
        for simulate in made.values():
            took, rate = simulate(steps)
            for way, each in took.items():
                seconds.setdefault(way, []).append(each)
                rates[way] = rate
    ways: dict[str, Any] = {}
    for way, each in seconds.items():
        ways[way] = {"us": median(each) * 1e6, "low": min(each) * 1e6, "high": max(each) * 1e6}
        if abs(rates[way] - RATE) > MARGIN:
            ways[way] = {"note": f"WRONG: {rates[way]:.1f} Hz"}
    yield {"name": f"Brunel's network, {steps * DT:.0f} ms", "ways": ways}


@contextmanager
def quiet() -> Iterator[TextIO]:
    """Send what simulators print to standard error; yield the standard output."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(stdout), "w") as file:
            yield file
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
