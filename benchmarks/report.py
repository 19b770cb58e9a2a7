"""The results as text: every cell, and whether snnc wins it, ties or loses.

``python -m benchmarks.report results.json`` prints the report of an earlier run.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.cells import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TIE = 1.25  # ratios from 1/TIE to TIE are ties
SHORT_US = 20.0  # sequences shorter than this (with Numba) are compared through the private call
TRAINING = "snnc run, backward"
PEERS = ("Numba", "careful NumPy", "plain NumPy", "JAX", "Spyx", "snnTorch")
VARIED = {
    "models": ("model", "Leaky", "The models"),
    "parameters": ("per_neuron", False, "Per-neuron parameters"),
    "float64": ("dtype", "float32", "float64"),
}
NETWORKS = {
    "products": "Products of spikes and weights",
    "loops": "Closed loops",
    "recurrent": "Recurrent layers, forward and backward",
    "modules": "Training in PyTorch",
    "linear": "Linear layers over spikes",
    "layers": "Networks of layers",
    "brunel": "Brunel's network",
}
STEP_PAIRS = (
    ("snnc _core.step", "Numba in place"),
    ("snnc out=", "Numba in place"),
    ("snnc out=", "careful NumPy"),
    ("snnc", "Numba allocating"),
    ("snnc", "plain NumPy"),
    ("snnc", "JAX"),
    ("snnc", "snnTorch"),
)
OUTPUT_NAMES = {
    "float": "spikes as {dtype}",
    "uint8": "spikes as uint8",
    "packed": "spikes packed, eight to a byte",
    "float+mem": "spikes and membrane as {dtype}",
    "uint8+mem": "spikes as uint8, membrane as {dtype}",
}


def mark(ratio: float) -> str:
    """Format how many times as fast snnc is: a win, a tie or a LOSS."""
    verdict = "win" if ratio > TIE else "tie" if ratio >= 1 / TIE else "LOSS"
    return f"{ratio:.{2 if ratio < 10 else 0}f} {verdict}"


class Row:
    """A measured cell of the JSON."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.cell: dict[str, Any] = data["cell"]
        self.threads: int = data["threads"]
        self.columns: dict[str, dict[str, Any]] = data["columns"]

    @property
    def steps(self) -> int:
        """The steps of a sequence; 0 if the cell is a single step."""
        steps: int = self.cell["steps"]
        return steps

    def usual(self, output: str | None = None) -> bool:
        """Whether this is Leaky in float32 with shared parameters, without gradients."""
        cell = self.cell
        usual = (cell["model"], cell["dtype"], cell["per_neuron"]) == ("Leaky", "float32", False)
        return usual and not cell["wrt"] and output in (None, cell["output"])

    def us(self, column: str) -> float | None:
        """Return a median in microseconds, or None."""
        return self.columns.get(column, {}).get("median_us")

    def rate(self, column: str) -> float | None:
        """Return 1e9 neuron-steps a second, or None."""
        us = self.us(column)
        return None if us is None else self.cell["n"] * max(self.steps, 1) / us / 1e3

    def snnc_column(self) -> str:
        """Return the snnc column with which sequences are compared."""
        if self.cell["wrt"]:
            return TRAINING
        numba = self.us("Numba")
        if numba is not None and numba < SHORT_US and "snnc _core.run" in self.columns:
            return "snnc _core.run"
        return "snnc run"

    def pairs(self) -> Iterator[tuple[str, str]]:
        """List what is compared: columns of snnc, and of peers."""
        if not self.steps:
            yield from STEP_PAIRS
        else:
            for peer in PEERS:
                yield self.snnc_column(), peer

    def ratio(self, ours: str, peer: str) -> float | None:
        """Return how many times faster snnc is, or None if either was not measured."""
        mine, theirs = self.us(ours), self.us(peer)
        return theirs / mine if mine and theirs else None

    def time(self, column: str) -> str:
        """Show a median, its spread, and what should be said of it."""
        found = self.columns.get(column)
        if found is None:
            return "-"
        if "median_us" not in found:
            return str(found.get("note", "-"))
        spread = (found["high_us"] - found["low_us"]) / found["median_us"]
        differing = f" ({found['differing']} differ)" if found["differing"] else ""
        return f"{number(found['median_us'])} ±{spread:.0%}{differing}"

    def compared(self, ours: str, peer: str) -> str:
        """Show a ratio with its mark."""
        ratio = self.ratio(ours, peer)
        return "-" if ratio is None else mark(ratio)

    def title(self) -> str:
        """Name the cell in one line."""
        cell = self.cell
        size = f"N={cell['n']}, T={cell['steps']}" if cell["steps"] else f"a step of N={cell['n']}"
        if cell["wrt"]:
            size = f"B={BATCH}, H={cell['n'] // BATCH}, T={cell['steps']}"
        own = ", per-neuron parameters" if cell["per_neuron"] else ""
        output = OUTPUT_NAMES[cell["output"]].format(dtype=cell["dtype"])
        if cell["wrt"]:
            output = f"gradients of {' and '.join(cell['wrt'])}"
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{cell['model']}, {size}, {output}{own}, {threads}"


def number(value: float | None) -> str:
    """Show three significant digits, without an exponent."""
    if value is None:
        return "-"
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table that is also readable as text."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "| " + " | ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (w + 1) + ":" for w in widths) + "|")
    return "\n".join(text)


def rows_of(results: dict[str, Any]) -> list[Row]:
    """Return the measured cells of all workers."""
    return [Row(cell) for worker in results["workers"] for cell in worker["cells"]]


# ---- sections ----


def machine(results: dict[str, Any]) -> str:
    """Say what everything was measured on, and by what rules."""
    lines = []
    for worker in results["workers"]:
        described = worker["machine"]
        variables = ", ".join(f"{k}={v}" for k, v in described["environment"].items())
        lines.append(
            f"- {worker['threads']} thread(s): processors {worker['processors']}, "
            f"snnc on {worker['snnc_threads']}, load {described['load']}, {variables}"
        )
        lines += [f"  - {peer} is missing: {why}" for peer, why in worker["missing"].items()]
    described = results["machine"]
    shown = ("date", "processor", "processors", "caches", "governor", "system", "python")
    lines += [f"- {name}: {described[name]}" for name in shown if name in described]
    for name in ("snnc", "blas", "peers"):
        values = described.get(name, {})
        lines.append(f"- {name}: " + ", ".join(f"{k} {v}" for k, v in values.items()))
    lines.append("")
    lines.append(
        "Times are medians in microseconds, ± the interquartile range; G/s is 1e9 neuron-steps\n"
        "a second. A ratio says how many times faster snnc is; from 0.8 to 1.25 it is a tie.\n"
        "Every way was checked for equal spikes before it was timed: bit for bit, but for JAX\n"
        "and Spyx, whose compiler contracts to fused multiply-adds (how many differ is shown).\n"
        "Spyx emits each spike a step late, which the check allows for. Numba is the fastest of\n"
        "its variants. All ways that compute in place share their arrays; in training snnc has\n"
        "those that it allocated at first. Gradients were checked to 1e-6 of the largest,\n"
        "against float64's given the spikes that came; Spyx's pass through the reset too, and\n"
        "were checked against those of its own equations."
    )
    return "\n".join(lines)


def steps(rows: Sequence[Row]) -> str:
    """Show single steps: the times, then the comparisons."""
    columns = list(dict.fromkeys(c for pair in STEP_PAIRS for c in pair))
    head = ["N", *columns, "Numba in place is"]
    times = [[str(r.cell["n"]), *map(r.time, columns), variant(r, "Numba in place")] for r in rows]
    ratios = [[str(r.cell["n"]), *(r.compared(*pair) for pair in STEP_PAIRS)] for r in rows]
    pair_head = ["N", *(f"{ours} : {peer}" for ours, peer in STEP_PAIRS)]
    return table(head, times) + "\n\n" + table(pair_head, ratios)


def variant(row: Row, column: str) -> str:
    """Name the variant that was the fastest."""
    return str(row.columns.get(column, {}).get("variant") or "-")


ONE_THREAD = "snnc run, 1 thread"


def sequences(rows: Sequence[Row]) -> str:
    """Show sequences that differ in their size only."""
    head = ["N", "T", "snnc run", "snnc _core.run", "run adds", "compared column", "G/s"]
    head += ["Numba", "G/s", "Numba variant"]
    shared = any(ONE_THREAD in r.columns for r in rows)
    if shared:
        head[5:5] = ["1 thread", "ratio"]
    present = [peer for peer in PEERS if any(peer in r.columns for r in rows)]
    head += [
        name for peer in present for name in ((peer, "ratio") if peer != "Numba" else ("ratio",))
    ]
    lines = []
    for row in rows:
        public, core = row.us("snnc run"), row.us("snnc _core.run")
        added = None if public is None or core is None else public - core
        ours = row.snnc_column()
        line = [
            str(row.cell["n"]),
            str(row.steps),
            row.time("snnc run"),
            row.time("snnc _core.run"),
            number(added),
            ours.removeprefix("snnc "),
            number(row.rate(ours)),
            row.time("Numba"),
            number(row.rate("Numba")),
            variant(row, "Numba"),
        ]
        for peer in present:
            if peer != "Numba":
                line.append(row.time(peer))
            line.append(row.compared(ours, peer))
        if shared:
            line[5:5] = [row.time(ONE_THREAD), row.compared("snnc run", ONE_THREAD)]
        lines.append(line)
    return table(head, lines)


def training(rows: Sequence[Row]) -> str:
    """Show runs forward and backward, and what the gradient of beta costs."""
    without = {(r.cell["n"], r.steps): r.us(TRAINING) for r in rows if len(r.cell["wrt"]) == 1}
    head = [
        "H",
        "T",
        "gradients of",
        TRAINING,
        "G/s",
        "snnc variant",
        "Numba",
        "G/s",
        "Numba variant",
    ]
    head += ["ratio"]
    head += ["JAX", "Spyx", "ratio to the best", "snnTorch", "ratio", "speed with beta / without"]
    lines = []
    for row in sorted(rows, key=lambda row: (row.cell["n"], row.steps, len(row.cell["wrt"]))):
        ours, base = row.us(TRAINING), without.get((row.cell["n"], row.steps))
        xla = min(("JAX", "Spyx"), key=lambda peer: row.us(peer) or math.inf)
        lines.append(
            [
                str(row.cell["n"] // BATCH),
                str(row.steps),
                ", ".join(row.cell["wrt"]),
                row.time(TRAINING),
                number(row.rate(TRAINING)),
                variant(row, TRAINING),
                row.time("Numba"),
                number(row.rate("Numba")),
                variant(row, "Numba"),
                row.compared(TRAINING, "Numba"),
                row.time("JAX"),
                row.time("Spyx"),
                row.compared(TRAINING, xla),
                row.time("snnTorch"),
                row.compared(TRAINING, "snnTorch"),
                f"{base / ours:.0%}" if "beta" in row.cell["wrt"] and base and ours else "-",
            ]
        )
    return table(head, lines)


def varied(rows: Sequence[Row], key: str, base: Any) -> list[Row]:
    """Pick the rows that differ from the usual in `key` only, and those to compare them with."""
    usual = {"dtype": "float32", "per_neuron": False, "output": "float"}
    some = [
        row
        for row in rows
        if row.threads == 1
        and not row.cell["wrt"]
        and all(row.cell[k] == v for k, v in usual.items() if k != key)
    ]

    def size(row: Row) -> tuple[Any, ...]:
        return (row.cell["n"], row.steps, key == "model" or row.cell["model"])

    other = {size(row) for row in some if row.cell[key] != base}
    some = [row for row in some if size(row) in other]
    return sorted(some, key=lambda row: (row.cell["model"], row.steps, row.cell["n"]))


def relative(rows: Sequence[Row], key: str, base: Any) -> str:
    """Show snnc's times relative to cells in which `key` is `base`, and the peers' times."""
    shared = ("n", "steps", "model", "output", "dtype", "per_neuron")
    index = {tuple(row.cell[name] for name in shared): row for row in rows}
    peers = ("Numba", "careful NumPy", "snnTorch")
    lines = []
    for row in rows:
        other = index[tuple(base if name == key else row.cell[name] for name in shared)]
        ours = "snnc run" if row.steps else "snnc out="
        mine, theirs = row.us(ours), other.us(ours)
        ratio = number(mine / theirs) if mine and theirs else "-"
        line = [row.cell["model"], str(row.cell["n"]), str(row.steps or "step")]
        line += [str(row.cell[key]), row.time(ours), ratio]
        for peer in peers:
            column = "Numba in place" if peer == "Numba" and not row.steps else peer
            line += [row.time(column), row.compared(ours, column)]
        lines.append(line)
    head = ["model", "N", "T", key, "snnc", f"relative to {base}"]
    head += [name for peer in peers for name in (peer, "ratio")]
    return table(head, lines)


def calls(results: dict[str, Any]) -> str:
    """Show what calls of one neuron cost, compared with empty calls."""
    lines = []
    for worker in results["workers"]:
        for row in worker.get("calls", ()):
            ns, spread = row["ns"], row["spread_ns"]["snnc _core.step"]
            step = ns["snnc _core.step"]
            fast = ns.get("empty METH_FASTCALL")
            adds = ns["snnc out="] - step
            lines.append(
                [
                    row["cell"]["model"],
                    f"{step:.0f} ±{spread / step:.0%}",
                    "no compiler" if fast is None else f"{fast:.0f}",
                    "-" if fast is None else f"{step / fast:.1f}",
                    f"{ns['snnc out=']:.0f}",
                    f"{adds:.0f}",
                    f"{ns['empty __call__']:.0f}",
                    f"{adds / ns['empty __call__']:.2f}",
                    f"{ns['snnc']:.0f}",
                    f"{ns['snnc run T=25'] - ns['snnc _core.run T=25']:.0f}",
                ]
            )
    head = ["model", "_core.step", "empty METH_FASTCALL", "ratio", "class, out="]
    head += ["class adds", "empty __call__", "ratio", "class, allocating", "run adds (T=25)"]
    return table(head, lines)


def instruction_sets(results: dict[str, Any]) -> str:
    """Compare the instruction sets that this machine has with the baseline."""
    found: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    for worker in results.get("isa", ()):
        for row in map(Row, worker["cells"]):
            key = (row.cell["model"], row.cell["n"], row.steps, row.cell["output"])
            us = row.us("snnc run")
            if us is not None:
                found.setdefault(key, {}).setdefault(worker["isa"], []).append(us)
    names = sorted({name for times in found.values() for name in times})
    lines = []
    for key, times in found.items():
        medians = {name: median(values) for name, values in times.items()}
        faster = [
            number(medians["baseline"] / medians[name])
            if name in medians and "baseline" in medians
            else "-"
            for name in names
            if name != "baseline"
        ]
        lines.append([*map(str, key), *(number(medians.get(name)) for name in names), *faster])
    head = ["model", "N", "T", "output", *names]
    head += [f"{name} : baseline" for name in names if name != "baseline"]
    return table(head, lines)


def memory(results: dict[str, Any]) -> str:
    """Show the peak of a long run in chunks."""
    found = results["memory"]
    size = f"N={found['n']}, T={found['steps']}, chunks of {found['chunk']}"
    if "note" in found:
        return f'run_chunks(record="count"), {size}: {found["note"]}'
    return (
        f'run_chunks(record="count"), {size}: {found["peak_bytes"] / 1e6:.1f} MB above what the '
        f"import takes (a chunk is {found['n'] * found['chunk'] * 4 / 1e6:.1f} MB), "
        f"{found['seconds']:.2f} s"
    )


def encoders(results: dict[str, Any]) -> str:
    """Show what random spikes cost, in nanoseconds and bytes a draw, compared with NumPy's."""
    lines = []
    for row in results["encoders"]:
        base = row["ways"]["NumPy"]
        for name, found in row["ways"].items():
            lines.append(
                [
                    f"{row['name']}: {name}",
                    f"{found['ns']:.2f}",
                    mark(base["ns"] / found["ns"]) if found is not base else "",
                    f"{found['bytes']:.2f}",
                ]
            )
    return table(["", "ns a draw", "NumPy : snnc", "bytes a draw"], lines)


def networks(rows: list[dict[str, Any]]) -> str:
    """Show what each way takes in each case, and how many times as fast snnc is."""
    ways = [*dict.fromkeys(way for row in rows for way in row["ways"])]
    ours = ["snnc"] if "snnc" in ways else [way for way in ways if way.startswith("snnc")]
    others = [way for way in ways if not way.startswith("snnc")]
    pairs = [(way, own) for way in others for own in ours]
    lines = []
    for row in rows:
        found = {way: row["ways"].get(way, {}) for way in ways}
        us = {way: each.get("us") for way, each in found.items()}
        ratios = [mark(us[way] / us[own]) if us[way] and us[own] else "-" for way, own in pairs]
        shown = [each.get("note") or number(us[way]) for way, each in found.items()]
        lines.append([row["name"], str(row["threads"]), *shown, *ratios])
    return table(["", "threads", *ways, *(f"{way} : {own}" for way, own in pairs)], lines)


def compile_times(rows: Sequence[Row]) -> str:
    """Show what first calls take, compilation included."""
    first: dict[str, list[float]] = {}
    for row in rows:
        for column, found in row.columns.items():
            first.setdefault(column, []).append(found.get("first_call_us", 0.0) / 1e6)
    lines = [
        [column, str(len(seconds)), f"{sum(seconds):.2f}", f"{max(seconds):.3f}"]
        for column, seconds in first.items()
    ]
    return table(["first calls of", "cells", "all, s", "slowest cell, s"], lines)


def verdicts(rows: Sequence[Row]) -> str:
    """Count wins, ties and losses, and list the losses."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    losses = []
    for row in rows:
        for ours, peer in row.pairs():
            ratio = row.ratio(ours, peer)
            if ratio is None:
                continue
            verdict = mark(ratio).split()[1]
            pair = ("snnc run" if ours == "snnc _core.run" else ours, peer)
            counts.setdefault(pair, Counter())[verdict] += 1
            if verdict == "LOSS":
                losses.append(f"- {ratio:.2f} against {peer} ({ours}): {row.title()}")
    lines = [
        [
            ours + (" or _core.run" if ours == "snnc run" else ""),
            peer,
            *(str(count[verdict]) for verdict in ("win", "tie", "LOSS")),
        ]
        for (ours, peer), count in sorted(counts.items())
    ]
    wrong = [
        f"- {column}: {found['note']}: {row.title()}"
        for row in rows
        for column, found in row.columns.items()
        if "note" in found
    ]
    text = table(["snnc", "against", "wins", "ties", "LOSSES"], lines)
    text += "\n\nBenchmark cases that snnc loses:\n" + ("\n".join(losses) or "- none")
    return text + ("\n\nNot timed, or wrong:\n" + "\n".join(wrong) if wrong else "")


def readme(rows: Sequence[Row]) -> str:
    """Return the short table for README: one thread, float32, microseconds."""
    lines = []
    for row in sorted(rows, key=lambda row: (row.steps, row.cell["n"])):
        if row.threads > 1 or row.steps not in (0, 100) or not row.usual("float"):
            continue
        if row.steps:
            ours, numba = "snnc run", "Numba"
            name = f"{row.steps} steps of {row.cell['n']}"
        else:
            ours, numba = "snnc out=", "Numba in place"
            name = f"a step of {row.cell['n']}"
        peers = (numba, "careful NumPy", "JAX", "Spyx", "snnTorch")
        lines.append(
            [
                name,
                number(row.us(ours)),
                *(number(row.us(peer)) for peer in peers),
                row.compared(ours, numba),
            ]
        )
    head = [
        "Leaky, float32",
        "snnc",
        "Numba",
        "NumPy, out=",
        "JAX",
        "Spyx",
        "snnTorch",
        "snnc : Numba",
    ]
    return table(head, lines)


def render(results: dict[str, Any]) -> str:
    """Lay out the report."""
    rows = rows_of(results)
    groups = results["groups"]
    parts = ["# Benchmarks of snnc" + (" (quick)" if results["quick"] else ""), machine(results)]
    if "calls" in groups:
        parts += ["## What a call costs: one neuron, nanoseconds", calls(results)]
    for threads in sorted({row.threads for row in rows}):
        mine = [row for row in rows if row.threads == threads and row.usual()]
        suffix = f"{threads} thread{'s' if threads > 1 else ''}, us"
        single = [row for row in mine if not row.steps]
        single.sort(key=lambda row: row.cell["n"])
        if "steps" in groups and single:
            parts += [f"## One step a call, Leaky, float32, {suffix}", steps(single)]
        for output, name in OUTPUT_NAMES.items():
            some = [row for row in mine if row.steps and row.cell["output"] == output]
            if "sequences" in groups and some:
                title = f"## Sequences, Leaky, {name.format(dtype='float32')}, {suffix}"
                parts += [title, sequences(some)]
        some = [row for row in rows if row.threads == threads and row.cell["wrt"]]
        if "training" in groups and some:
            title = f"## Forward and backward, Leaky, float32, B={BATCH}, {suffix}"
            parts += [title, training(some)]
    for group, (key, base, title) in VARIED.items():
        if group in groups:
            parts += [f"## {title}, 1 thread, us", relative(varied(rows, key, base), key, base)]
    if "isa" in groups:
        parts += ["## Instruction sets, `run`, 1 thread, us", instruction_sets(results)]
    if "memory" in groups:
        parts += ["## Memory", memory(results)]
    if "encoders" in groups:
        parts += ["## Random spikes, 1 thread", encoders(results)]
    for group, title in NETWORKS.items():
        if group in groups:
            parts += [f"## {title}, us", networks(results[group])]
    if rows:
        parts += ["## First calls: what compilation takes", compile_times(rows)]
        parts += ["## Wins, ties and losses", verdicts(rows)]
        parts += ["## In short (us)", readme(rows)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Print the report of the JSON that is named."""
    print(render(json.loads(Path(sys.argv[1]).read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
