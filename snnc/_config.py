"""What a bug report needs to know."""

from __future__ import annotations

import platform
import sys
from typing import Literal, overload

import numpy as np

from snnc import _core, _threads


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...


@overload
def show_config(mode: Literal["dicts"]) -> dict[str, str]: ...


def show_config(mode: str = "stdout") -> dict[str, str] | None:
    """Show how snnc was built and what it runs on.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print it, or return it as a dict of strings.

    Returns
    -------
    dict of str, or None

    Notes
    -----
    The environment variable ``SNNC_ISA`` (one of the available instruction sets) chooses the
    instruction set at import. Results are the same bits with each of them.

    Examples
    --------
    >>> import snnc
    >>> sorted(snnc.show_config("dicts"))
    ['NumPy', 'Python', 'compiler', 'instruction set', 'platform', 'snnc', 'threads']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode={mode!r}; expected 'stdout' or 'dicts'")
    config = {
        "snnc": _core.version,
        "instruction set": f"{_core.isa} (available: {', '.join(_core.isas)})",
        "threads": str(_threads.num_threads),
        "NumPy": np.__version__,
        "compiler": _core.compiler,
        "Python": sys.version.replace("\n", " "),
        "platform": platform.platform(),
    }
    if mode == "dicts":
        return config
    for name, value in config.items():
        print(f"{name + ':':17}{value}")
    return None
