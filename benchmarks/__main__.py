"""``python -m benchmarks``: measure, print tables, and write JSON, the report and a picture."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import cells, machine, picture, report

THREADS = (1, 2)
ROUNDS = 3  # in which the instruction sets take turns, a process each
HERE = Path(__file__).parent


def run_worker(
    groups: list[str], *arguments: str, threads: int = 1, quick: bool, **env: str
) -> Any:
    """Measure groups in a process of its own, and return what it wrote."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "worker.json"
        command = [sys.executable, "-m", "benchmarks.worker", *groups, *arguments]
        command += ["--threads", str(threads), "--output", str(output)]
        subprocess.run(
            [*command, *(["--quick"] if quick else [])],
            check=True,
            env={**machine.environment(threads), **env},
            cwd=HERE.parent,
        )
        return json.loads(output.read_text())


def measure_isas(quick: bool) -> list[dict[str, Any]]:
    """Run snnc with each instruction set, in turn."""
    from snnc import _core

    return [
        {"isa": isa, **run_worker(["isa"], "--only-snnc", quick=True, SNNC_ISA=isa)}
        for _ in range(1 if quick else ROUNDS)
        for isa in _core.isas
    ]


def measure_apart(module: str, *arguments: str, **env: str) -> Any:
    """Run a module of ``benchmarks`` in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
        cwd=HERE.parent,
    )
    return json.loads(done.stdout)


def measure_networks(group: str, threads: int, quick: bool) -> list[dict[str, Any]]:
    """Measure a group of networks."""
    arguments = [group, str(threads), *(["--quick"] if quick else [])]
    rows = measure_apart("networks", *arguments, **machine.environment(threads))
    return [{**row, "threads": threads} for row in rows]


def worker_measures(group: str, threads: int, quick: bool) -> bool:
    """Whether a group has something for a worker with so many threads."""
    if group == "calls":
        return threads == 1
    return group != "isa" and bool(cells.cells(group, threads=threads, quick=quick))


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 1 if a peer gave wrong spikes or gradients."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells and repeats: 4 minutes")
    everything = ",".join(cells.GROUPS)
    parser.add_argument(
        "--only", default=everything, metavar="GROUP,...", help=f"some of {everything}"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write; by default benchmarks/results"
    )
    options = parser.parse_args(arguments)
    groups = options.only.split(",")
    if unknown := {*groups} - {*cells.GROUPS}:
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(cells.GROUPS)}")
    directory = options.output or HERE / ("results-quick" if options.quick else "results")
    directory.mkdir(parents=True, exist_ok=True)

    results: dict[str, Any] = {
        "quick": options.quick,
        "groups": groups,
        "machine": machine.describe(),
        "workers": [],
    }
    for threads in THREADS:
        if threads > (os.cpu_count() or 1):
            print(f"{threads} threads: this machine has fewer processors", file=sys.stderr)
            continue
        mine = [g for g in groups if worker_measures(g, threads, options.quick)]
        if mine:
            results["workers"].append(run_worker(mine, threads=threads, quick=options.quick))
        for group in (g for g in groups if g in cells.NETWORKS):
            results.setdefault(group, []).extend(measure_networks(group, threads, options.quick))
    if "isa" in groups:
        results["isa"] = measure_isas(options.quick)
    for group in ("memory", "encoders"):
        if group in groups:
            results[group] = measure_apart(group)

    text = report.render(results)
    print(text)
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (directory / "report.md").write_text(text)
    try:
        picture.draw(results, directory / "results.png")
    except ImportError:
        print("no picture: matplotlib is not installed", file=sys.stderr)
    print(f"written: {directory}/results.json, report.md, results.png", file=sys.stderr)
    return int("WRONG" in text)


if __name__ == "__main__":
    sys.exit(main())
