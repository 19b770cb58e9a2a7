"""The peers: what they are and the ways in which they compute a problem.

Those of ``benchmarks.networks`` and ``benchmarks.brunel`` are imported there. A module of `NAMES`
has ``EXACT`` (whether its spikes must be equal bit for bit; else a few may differ, and the table
says how many) and ``contenders(problem)``, which is empty for problems that the peer can't or
shouldn't compute; and ``training(problem)``, the same for problems with gradients. Either may be
missing.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from benchmarks.problem import Contenders, Problem

NAMES = (
    "snnc_calls",
    "numba_nests",
    "numba_training",
    "careful_numpy",
    "plain_numpy",
    "jax_scan",
    "spyx_scan",
    "snntorch_loop",
)


class Peer(Protocol):
    """What the module of a peer offers, beside `contenders` and `training`."""

    EXACT: bool


def contenders(peer: Peer, problem: Problem) -> Contenders:
    """Return the ways in which a peer computes a problem."""
    offer = getattr(peer, "training" if problem.cell.wrt else "contenders", None)
    return offer(problem) if offer is not None else {}


def load(names: tuple[str, ...] = NAMES) -> tuple[dict[str, Peer], dict[str, str]]:
    """Import the peers that are installed; say why the others are missing."""
    installed: dict[str, Peer] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            installed[name] = import_module(f"{__name__}.{name}")
        except ImportError as error:
            missing[name] = str(error)
    return installed, missing


def versions() -> dict[str, str]:
    """Return the versions of what the peers need, "not installed" where that is so."""
    names = (
        "numpy", "numba", "llvmlite", "jax", "jaxlib", "spyx", "flax", "torch", "snntorch",
        "brian2", "nest-simulator",
    )  # fmt: skip
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
