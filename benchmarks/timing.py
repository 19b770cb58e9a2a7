"""Medians of calls that take nanoseconds to seconds, taken in turn."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping
    from functools import partial

K = TypeVar("K", bound="Hashable")

SLOW = 0.1  # seconds
WARM = 0.002
SHORT = 200e-6  # shorter calls are repeated in an inner loop until it takes this long


@dataclass(frozen=True)
class Budget:
    """How long to measure a call: so many seconds, but at least so many times."""

    seconds: float = 0.2
    least: int = 15  # at least 2, as quartiles need; likewise least_slow
    least_slow: int = 5  # for calls over SLOW
    most: int = 200


QUICK = Budget(seconds=0.02, least=5, least_slow=3)
FULL = Budget()


@dataclass(frozen=True)
class Timing:
    """Seconds a call: the median and the quartiles of the repeats."""

    median: float
    low: float
    high: float
    repeats: int
    inner: int

    @classmethod
    def of(cls, samples: list[float], inner: int) -> Timing:
        """Summarise repeats, each the mean of `inner` calls."""
        low, _, high = quantiles(samples, n=4, method="inclusive")
        return cls(median(samples), low, high, len(samples), inner)


def loop_of(call: partial[Any]) -> Callable[..., float]:
    """Make a function that makes a call so many times and returns the seconds it took.

    The call is written out, its arguments being local variables: nothing else is timed. For
    `warm` seconds calls come before them that aren't timed: they bring back what other calls have
    driven out of the caches, and wake up threads and processors.
    """
    values = {f"a{i}": value for i, value in enumerate(call.args)}
    keywords = {f"k{i}": name for i, name in enumerate(call.keywords)}
    passed = [*values, *(f"{name}={local}" for local, name in keywords.items())]
    values |= {local: call.keywords[name] for local, name in keywords.items()}
    source = (
        f"def loop(count, warm, f, {', '.join(values)}):\n"
        "    start = perf_counter()\n"
        "    while perf_counter() - start < warm:\n"
        f"        f({', '.join(passed)})\n"
        "    start = perf_counter()\n"
        "    for _ in repeat(None, count):\n"
        f"        f({', '.join(passed)})\n"
        "    return perf_counter() - start\n"
    )
    namespace: dict[str, Any] = {}
    exec("from itertools import repeat\nfrom time import perf_counter\n" + source, namespace)
    loop = namespace["loop"]
    return lambda count, warm=0.0: float(loop(count, warm, call.func, **values))


@contextmanager
def no_gc() -> Iterator[None]:
    """Keep the garbage collector from running in between."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def estimate(call: partial[Any]) -> tuple[float, int]:
    """Return the seconds a call takes, roughly, and for how many calls to loop."""
    loop = loop_of(call)
    count = 1
    with no_gc():
        seconds = loop(1)
        while seconds < SHORT / 2:
            count *= 2 if seconds > SHORT / 20 else 10
            seconds = loop(count)
    return seconds / count, max(1, round(SHORT * count / seconds)) if count > 1 else 1


def measure(
    calls: Mapping[K, partial[Any]], budget: Budget, pause: float = 0.0, warming: float = WARM
) -> dict[K, Timing]:
    """Time calls in turn, so that what disturbs the machine disturbs all of them.

    Each round has a new random order, as each call finds the caches as the last one left them.
    Before each there is a pause, in which threads that the last has left waiting for more go to
    sleep, and stop keeping a processor busy; and calls that aren't timed, `warming` seconds.
    """
    loops, inner, repeats, warm = {}, {}, {}, {}
    for key, call in calls.items():
        seconds, inner[key] = estimate(call)
        loops[key] = loop_of(call)
        warm[key] = warming if seconds < SLOW else 0.0
        least = budget.least if seconds < SLOW else budget.least_slow
        wanted = int(budget.seconds / (seconds * inner[key] + max(warm[key], seconds) + pause))
        repeats[key] = max(least, min(budget.most, wanted))
    samples: dict[K, list[float]] = {key: [] for key in calls}
    rounds = max(repeats.values(), default=0)
    order, shuffle = list(loops.items()), Random(0).shuffle
    with no_gc():
        for i in range(1, rounds + 1):
            shuffle(order)
            for key, loop in order:
                if len(samples[key]) < i * repeats[key] // rounds:  # spread over all rounds
                    sleep(pause)
                    samples[key].append(loop(inner[key], warm[key]) / inner[key])
    return {key: Timing.of(samples[key], inner[key]) for key in calls}
