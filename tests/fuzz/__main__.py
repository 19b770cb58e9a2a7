"""Fuzzers: ``python tests/fuzz`` does a short run of all, ``--seconds 3600`` one of an hour.

Cases are run in child processes, a part of them under each instruction set, so that a crash is a
finding like any other. A finding begins with the command that runs its case again.
"""

import argparse
import faulthandler
import os
import subprocess
import sys
import time
import traceback
import warnings
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # where reference.py and support.py are

from draw import Draw

from snnc import _core

SHORT = {"forward": 2000, "backward": 1000, "loops": 800, "hostile": 2500, "errors": 800}  # cases
SLOWEST = 120  # seconds for one case: then it hangs


def child(fuzzer, first, last, most):
    """Run cases; print each one's seed, then what there is to say of it, and findings."""
    check = import_module(fuzzer).check
    warnings.simplefilter("ignore")  # NumPy's, of numbers that overflow
    faulthandler.enable()
    found = 0
    for seed in range(first, last):
        print(f"case {seed}", flush=True)
        faulthandler.dump_traceback_later(SLOWEST, exit=True)
        draw = Draw(fuzzer, seed)
        try:
            check(draw)
        except (Exception, KeyboardInterrupt) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            draw.notes.append(f"{type(error).__name__}: {error}")
            draw.notes.append(f"({Path(where.filename).name}, line {where.lineno})")
            report(fuzzer, seed, draw.notes)
            found += 1
        if found == most:
            break
    print("done", flush=True)


def report(fuzzer, seed, lines):
    """Print a finding."""
    isa = f"SNNC_ISA={os.environ['SNNC_ISA']} " if "SNNC_ISA" in os.environ else ""
    print(f"FOUND {isa}python tests/fuzz {fuzzer} --seed {seed} --cases 1")
    print("\n".join(f"    {line}" for line in lines), flush=True)


def run(fuzzer, first, last, isa, most):
    """Run cases in a child process, and in another one after a crash: how many findings."""
    environment = {**os.environ, "MALLOC_PERTURB_": "165"}  # shows what was freed, or never set
    if isa:
        environment["SNNC_ISA"] = isa
    if fuzzer in ("hostile", "errors"):
        environment["PYTHONMALLOC"] = "debug"
    found = 0
    while first < last and found < most:
        command = [sys.executable, str(Path(__file__).parent), "--child", fuzzer]
        result = subprocess.run(
            [*command, *map(str, (first, last, most - found))],
            check=False, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        lines = result.stdout.splitlines()
        for line in lines:
            if not line.startswith(("case ", "note ", "done")):
                print(line, flush=True)
        found += sum(line.startswith("FOUND ") for line in lines)
        if lines[-1:] == ["done"]:
            break
        begun = [i for i, line in enumerate(lines) if line.startswith("case ")]
        if not begun:
            raise SystemExit(result.stderr)
        seed = int(lines[begun[-1]].split()[1])
        told = [line.removeprefix("note ") for line in lines[begun[-1] + 1 :]]
        told.append(f"it ended with {result.returncode}")
        report(fuzzer, seed, told + result.stderr.splitlines()[-30:])
        found += 1
        first = seed + 1
    return found


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__)
    parser.add_argument("fuzzers", nargs="*", metavar="fuzzer", help=f"of {', '.join(SHORT)}")
    parser.add_argument("--cases", type=int, help="how many of each (default: a short run)")
    parser.add_argument("--seconds", type=float, default=0, help="go on for so long")
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--most", type=int, default=10, help="findings to stop a process after")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], *map(int, given.child[1:]))
        return
    for name in given.fuzzers:
        if name not in SHORT:
            parser.error(f"{name!r} is none of {', '.join(SHORT)}")
    isas = (None,) if "SNNC_ISA" in os.environ else (None, *_core.isas)
    start, seed, found = time.monotonic(), given.seed, 0
    while seed == given.seed or time.monotonic() - start < given.seconds:
        for fuzzer in given.fuzzers or SHORT:
            cases, began = given.cases or SHORT[fuzzer], time.monotonic()
            share = -(-cases // len(isas))
            for k, isa in enumerate(isas):
                first, last = seed + k * share, seed + min(cases, (k + 1) * share)
                if first < last:
                    found += run(fuzzer, first, last, isa, given.most)
            print(f"{fuzzer}: {cases} cases, {time.monotonic() - began:.1f} s", flush=True)
        seed += given.cases or max(SHORT.values())
    print(f"{found} findings")
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
