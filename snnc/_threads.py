"""How many threads a long run may use."""

from __future__ import annotations

import os

from snnc import _core
from snnc._arguments import index

__all__ = ["set_num_threads"]

MAX_THREADS = _core.most_threads


def _number(name: str, value: object) -> int:
    expected = f"an integer from 1 to {MAX_THREADS}"
    number = index(name, value, expected)
    if not 1 <= number <= MAX_THREADS:
        raise ValueError(f"{name}={value!r}; expected {expected}")
    return number


def _asked() -> int:
    text = os.environ.get("SNNC_NUM_THREADS", "1")
    try:
        return _number("SNNC_NUM_THREADS", int(text))
    except ValueError:
        raise ImportError(
            f"SNNC_NUM_THREADS={text!r}; expected an integer from 1 to {MAX_THREADS}"
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
    Results are the same bits for every number. Runs of fewer than about 2000 neurons or 130 000
    neuron-steps (gradients: 33 000) a thread, and single steps, use fewer threads: they wouldn't
    gain. Threads are started when they are first needed; after a run they spin for some
    milliseconds, in wait for the next one, then sleep. A run that begins while they serve another
    thread of Python's uses its own thread only.

    Examples
    --------
    >>> import snnc
    >>> snnc.set_num_threads(2)
    >>> snnc.set_num_threads(1)
    """
    global num_threads
    num_threads = _number("n", n)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.reset_threads)
