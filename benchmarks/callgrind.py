"""Instructions a call and a neuron-step, counted by Valgrind: ``-m benchmarks.callgrind``.

Times vary with the machine and its load; these counts hardly do, so they are committed
(``callgrind.json``), and ``--check`` compares them with a new count. One process per
instruction set runs each call n and 3 n times. Between the two, and around them, it calls
`os.getppid`, at which Callgrind writes out what it counted: start-up and warm-up cancel.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cells import MODELS, OUTPUTS, Cell

COMMITTED = Path(__file__).parent / "callgrind.json"
STEPS = Cell(1000, 100)  # the sequence whose neuron-steps are counted
UNKNOWN = {"avx512"}  # to Valgrind
WARM_UP = 20  # calls, after which Python's interpreter has specialised itself
MARKS = 3  # a call: before it, after n times, after 3 n times more


def cases() -> dict[str, tuple[partial[Any], int]]:
    """List what is counted: name -> call, and the neuron-steps to divide by (1: per call)."""
    from dataclasses import replace

    from benchmarks.peers import snnc_calls
    from benchmarks.problem import Problem

    found = {}
    for model in MODELS:
        for cell in (Cell(1, model=model), Cell(1, 25, model=model)):
            for column, ways in snnc_calls.contenders(Problem(cell)).items():
                size = "N=1, T=25" if cell.steps else "N=1"
                found[f"per call: {model} {size}, {column}"] = (ways[""].call, 1)
        for output in OUTPUTS:
            cell = replace(STEPS, model=model, output=output)
            way = snnc_calls.contenders(Problem(cell))["snnc _core.run"][""]
            found[f"per neuron-step: {model} {output}"] = (way.call, cell.neuron_steps)
    return found


def count_here() -> None:
    """Make the calls, marked for Callgrind; what the process inside of Valgrind does."""
    from benchmarks.timing import loop_of, no_gc

    with no_gc():
        for call, neuron_steps in cases().values():
            loop = loop_of(call)
            loop(WARM_UP)
            times = repeats(neuron_steps)
            os.getppid()
            loop(times)
            os.getppid()
            loop(3 * times)
            os.getppid()


def repeats(neuron_steps: int) -> int:
    """Return how often a call is made first, and then three times as often."""
    return 100 if neuron_steps == 1 else 2


def count(isa: str) -> dict[str, float]:
    """Count all cases with an instruction set.

    Returns
    -------
    dict of float
        Instructions: per call to 1, per neuron-step to 0.001.
    """
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--dump-before=getppid",
                f"--callgrind-out-file={directory}/out",
                sys.executable,
                "-m",
                "benchmarks.callgrind",
                "--inside",
            ],
            check=True,
            capture_output=True,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "SNNC_ISA": isa, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )
        dumps = sorted(Path(directory).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        totals = [
            int(found[1])
            for path in dumps
            if (found := re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE))
        ]
    named = cases()
    if len(totals) < MARKS * len(named):
        raise RuntimeError(f"{len(totals)} dumps of Callgrind, expected {MARKS * len(named)}")
    counts = {}
    for i, (name, (_, neuron_steps)) in enumerate(named.items()):
        _, once, thrice = totals[MARKS * i : MARKS * (i + 1)]
        each = (thrice - once) / (2 * repeats(neuron_steps) * neuron_steps)
        counts[name] = round(each) if neuron_steps == 1 else round(each, 3)
    return counts


def show(results: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Print counts, and their ratios to earlier ones."""
    from benchmarks.report import table

    for isa, counts in results["instructions"].items():
        old = (before or {}).get("instructions", {}).get(isa, {})
        head = [isa, "instructions", *(["committed", "ratio"] if before else [])]
        lines = []
        for name, value in counts.items():
            line = [name, str(value)]
            if before:
                line += [str(old[name]), f"{value / old[name]:.3f}"] if name in old else ["-", "-"]
            lines.append(line)
        print(table(head, lines), end="\n\n")


def main() -> int:
    """Count and write, or compare; 1 if a count grew by more than 2 %."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.callgrind", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the committed counts")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        count_here()
        return 0

    import numpy as np

    from snnc import _core

    results: dict[str, Any] = {
        "built with": {
            "compiler": _core.compiler,
            "NumPy": np.__version__,
            "Python": platform.python_version(),
            "machine": platform.machine(),
        },
        "instructions": {isa: count(isa) for isa in sorted({*_core.isas} - UNKNOWN)},
    }
    if not options.check:
        show(results, None)
        COMMITTED.write_text(json.dumps(results, indent=1) + "\n")
        return 0
    before = json.loads(COMMITTED.read_text())
    show(results, before)
    if before["built with"] != results["built with"]:
        print(
            f"The committed counts were made with {before['built with']}, these with "
            f"{results['built with']}."
        )
    grown = [
        name
        for isa, counts in results["instructions"].items()
        for name, value in counts.items()
        if value > 1.02 * before["instructions"].get(isa, {}).get(name, float("inf"))
    ]
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
