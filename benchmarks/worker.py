"""One process of a benchmark: a number of threads, fixed before anything is imported.

``python -m benchmarks`` starts it; it writes its results as JSON and its progress to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.machine import pin


def main(arguments: list[str] | None = None) -> int:
    """Measure the groups that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    parser.add_argument("groups", nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only-snnc", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    processors = pin(options.threads)

    import snnc
    from benchmarks import cells, machine, measure, overhead, peers, timing

    budget = timing.QUICK if options.quick else timing.FULL
    result: dict[str, Any] = {"threads": options.threads, "processors": processors}
    snnc.set_num_threads(options.threads)
    result["snnc_threads"] = options.threads
    installed, missing = peers.load(("snnc_calls",) if options.only_snnc else peers.NAMES)
    result["missing"] = missing
    result["machine"] = machine.describe()
    wanted: dict[cells.Cell, None] = {}  # in order, and once where groups share a cell
    for group in options.groups:
        listed = cells.cells(group, threads=options.threads, quick=options.quick)
        wanted |= dict.fromkeys(listed)
    result["cells"] = []
    start = perf_counter()
    for i, cell in enumerate(wanted, 1):
        entries = measure.measure_cell(cell, installed, budget, options.threads)
        result["cells"].append(measure.as_json(cell, entries, options.threads))
        seconds = perf_counter() - start
        print(f"[{i}/{len(wanted)}, {seconds:.0f} s] {cell}", file=sys.stderr, flush=True)
    if "calls" in options.groups and options.threads == 1:
        result["calls"] = overhead.measure_calls(budget)
    result["seconds"] = perf_counter() - start
    options.output.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
