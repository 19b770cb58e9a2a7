"""Measure a cell: each way of each peer is checked for equal results, then all are timed in turn.

Of a peer's variants only the fastest three of a first first are timed to the end, and of those the
one with the lowest median counts: what snnc is compared with is the best of what was tried.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.peers import contenders
from benchmarks.problem import Problem, Training
from benchmarks.timing import estimate, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.cells import Cell
    from benchmarks.peers import Peer
    from benchmarks.problem import Way
    from benchmarks.timing import Budget, Timing

TOO_SLOW = 5.0  # seconds a call
LONG = 0.3
DIFFERING = 1e-4  # of the neuron-steps, where a peer contracts multiply-adds; 4 at least
FINALISTS = 3
# With threads, in seconds. OpenMP's and snnc's spin for some milliseconds; and to wake
# one up on another processor takes a virtual machine as long.
PAUSE = WARMING = 0.01
PRELIMINARY = 3  # of which the shortest counts; one if it takes long


@dataclass
class Entry:
    """The result of one column of a cell.

    Attributes
    ----------
    variant : str
        Which of the ways it was.
    timing : Timing or None
        None where it wasn't timed; `note` says why.
    first_call : float
        Seconds of all variants' first calls, compilation included.
    preliminary_timing : dict of float
        Seconds a call of each variant, roughly.
    differing : int
        How many spikes (and values of mem) differ from the plain equations'.
    note : str
    """

    variant: str = ""
    timing: Timing | None = None
    first_call: float = 0.0
    preliminary_timing: dict[str, float] = field(default_factory=dict)
    differing: int = 0
    note: str = ""


def check(problem: Problem, way: Way) -> tuple[float, int, int]:
    """Make the first call of a way; the seconds it took, what differs, and wrong gradients."""
    problem.reset()
    start = perf_counter()
    returned = way.call()
    seconds = perf_counter() - start
    return seconds, problem.differing(way, returned), problem.inaccurate(way, returned)


def preliminary_timing(problem: Problem, variants: Mapping[str, Way], exact: bool) -> Entry:
    """Check all variants and time each once; those that fail or are slow are not timed again."""
    entry = Entry()
    allowed = 0 if exact else max(4, int(DIFFERING * problem.cell.neuron_steps))
    for variant, way in variants.items():
        seconds, differing, inaccurate = check(problem, way)
        entry.first_call += seconds
        if differing > allowed or inaccurate:
            what = f"{inaccurate} gradients" if inaccurate else f"{differing} values"
            entry.note = f"WRONG: {what} of {variant or 'it'} differ"
            entry.differing = differing
            return entry
        entry.differing = max(entry.differing, differing)
        first = estimate(way.call)[0]
        for _ in range(PRELIMINARY - 1 if first < LONG else 0):
            first = min(first, estimate(way.call)[0])
        entry.preliminary_timing[variant] = first
        if first > TOO_SLOW:
            entry.note = f"not timed: {first:.1f} s a call"
    return entry


def measure_cell(
    cell: Cell, peers: Mapping[str, Peer], budget: Budget, threads: int = 1
) -> dict[str, Entry]:
    """Measure a cell.

    Returns
    -------
    dict of Entry
        For each column of the table, in the order of `peers`.
    """
    problem = Training(cell, threads) if cell.wrt else Problem(cell, threads)
    entries: dict[str, Entry] = {}
    finalists = {}
    for peer in peers.values():
        for column, variants in contenders(peer, problem).items():
            entry = preliminary_timing(problem, variants, peer.EXACT)
            entries[column] = entry
            if not entry.note:
                fastest = sorted(
                    entry.preliminary_timing, key=entry.preliminary_timing.__getitem__
                )
                for variant in fastest[:FINALISTS]:
                    finalists[column, variant] = variants[variant].call
    waits = (PAUSE, WARMING) if threads > 1 else ()
    for (column, variant), timing in measure(finalists, budget, *waits).items():
        entry = entries[column]
        if entry.timing is None or timing.median < entry.timing.median:
            entry.variant, entry.timing = variant, timing
    return entries


def as_json(cell: Cell, entries: Mapping[str, Entry], threads: int) -> dict[str, Any]:
    """Return a measured cell as JSON holds it; times in microseconds."""
    columns = {}
    for column, entry in entries.items():
        value: dict[str, Any] = {"variant": entry.variant, "differing": entry.differing}
        if entry.timing is not None:
            value |= {
                "median_us": us(entry.timing.median),
                "low_us": us(entry.timing.low),
                "high_us": us(entry.timing.high),
                "repeats": entry.timing.repeats,
                "inner": entry.timing.inner,
            }
        value["first_call_us"] = us(entry.first_call)
        if len(entry.preliminary_timing) > 1:
            value["first_look_us"] = {k: us(v) for k, v in entry.preliminary_timing.items()}
        if entry.note:
            value["note"] = entry.note
        columns[column] = value
    return {"cell": asdict(cell), "threads": threads, "columns": columns}


def us(seconds: float) -> float:
    """Return microseconds, with four significant digits."""
    return float(f"{seconds * 1e6:.4g}")
