"""What the figures depend on: the machine, versions, BLAS, the environment; and pinning."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import snnc

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "XLA_FLAGS",
    "JAX_PLATFORMS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "SNNC_ISA",
    "PYTHONHASHSEED",
)


def environment(threads: int) -> dict[str, str]:
    """Return the environment for a process that may use so many threads."""
    eigen = "true" if threads > 1 else "false"
    count = str(threads)
    return {
        **os.environ,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={eigen}",
        "JAX_PLATFORMS": "cpu",
        "PYTHONHASHSEED": "0",
    }


def pin(threads: int) -> list[int] | None:
    """Keep this process on so many of its processors, where the system can.

    JAX's threads can only be limited this way.

    Returns
    -------
    list of int or None
        The processors, or None where it can't.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    processors = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, processors)
    return processors


def describe() -> dict[str, Any]:
    """Return all that is known, for the JSON and the head of the report."""
    from benchmarks.peers import versions

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "caches": _caches(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        "load": [round(load, 2) for load in _load()],
        "system": platform.platform(),
        "python": sys.version.replace("\n", " "),
        "snnc": snnc.show_config("dicts"),
        "blas": _blas(),
        "peers": versions(),
        "environment": {name: os.environ.get(name, "unset") for name in VARIABLES},
    }


def _load() -> tuple[float, ...]:
    return os.getloadavg() if hasattr(os, "getloadavg") else ()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _processor() -> str:
    found: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    if "model name" not in found:
        return platform.processor() or platform.machine()
    detail = ", ".join(
        f"{name} {found[name]}" for name in ("cpu family", "model", "stepping") if name in found
    )
    return f"{found['model name']} ({detail})"


def _caches() -> dict[str, str]:
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_read(str(index / name)) for name in ("level", "type", "size"))
        caches[f"L{level} {kind}"] = size or "unknown"
    return caches


def _blas() -> dict[str, Any]:
    config: Any = np.show_config(mode="dicts")
    found = {k: str(v) for k, v in config["Build Dependencies"]["blas"].items() if k != "pc file"}
    kept = {name: found[name] for name in ("name", "version", "openblas configuration")
            if name in found}  # fmt: skip
    try:
        import threadpoolctl
    except ImportError:
        kept["threadpoolctl"] = "not installed: kernel and threads unknown"
    else:
        np.ones((2, 2)) @ np.ones((2, 2))
        for pool in threadpoolctl.threadpool_info():
            kept[f"{pool['user_api']} {pool.get('internal_api', '')}"] = (
                f"{pool.get('version')}, {pool.get('architecture', '')}, "
                f"{pool['num_threads']} threads"
            )
    return kept
