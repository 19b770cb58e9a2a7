"""The threads among which a long run shares out its neurons: a pool of Python's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["set_num_threads"]

MOST = 64

_pool: ThreadPoolExecutor | None = None


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}={value!r}; expected an integer from 1 to {MOST}")
    number: int = value.__index__()
    if not 1 <= number <= MOST:
        raise ValueError(f"{name}={value!r}; expected an integer from 1 to {MOST}")
    return number


def _asked() -> int:
    text = os.environ.get("SNNC_NUM_THREADS", "1")
    try:
        return _number("SNNC_NUM_THREADS", int(text))
    except ValueError:
        raise ImportError(
            f"SNNC_NUM_THREADS={text!r}; expected an integer from 1 to {MOST}"
        ) from None


num_threads = _asked()


def set_num_threads(n: int) -> None:
    """Set how many threads a run may use where it isn't told (``num_threads=``).

    Parameters
    ----------
    n : int
        From 1 (the default, or what the environment variable ``SNNC_NUM_THREADS`` said at
        import) to 64. Not more than there are cores; 1 in a worker process or thread of
        another library that already keeps all of them busy.

    Raises
    ------
    TypeError, ValueError
        If `n` is not such a number.

    Notes
    -----
    Results are the same bits for every number. Runs too short to gain (fewer than about two
    million neuron-steps a thread), single steps, and runs of fewer than 64 neurons a thread use
    fewer threads. They are started when they are first needed.

    Examples
    --------
    >>> import snnc
    >>> snnc.set_num_threads(2)
    >>> snnc.set_num_threads(1)
    """
    global num_threads
    num_threads = _number("n", n)


def _forget_pool() -> None:
    """In a forked child: its parent's threads don't exist there."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def spread(work: Callable[[int], None], count: int) -> None:
    """Call work(0), ..., work(count - 1), one here and the others in the pool."""
    global _pool
    if _pool is None:
        from concurrent.futures import ThreadPoolExecutor

        _pool = ThreadPoolExecutor(MOST, thread_name_prefix="snnc")
    others = [_pool.submit(work, i) for i in range(1, count)]
    try:
        work(0)
    finally:  # an interrupt doesn't leave before they have finished their piece
        for other in others:
            other.exception()
    for other in others:
        other.result()
