"""The picture: neuron-steps a second against N, a line a peer, on logarithmic axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report import rows_of

if TYPE_CHECKING:
    from pathlib import Path

# Okabe and Ito's colours, which the colour-blind can tell apart too; and a marker each.
STYLES = {
    "snnc": ("#D55E00", "o"),
    "Numba": ("#0072B2", "s"),
    "careful NumPy": ("#009E73", "^"),
    "plain NumPy": ("#56B4E9", "v"),
    "JAX": ("#CC79A7", "D"),
    "Spyx": ("#E69F00", "P"),
    "snnTorch": ("#000000", "X"),
}
STEP_COLUMNS = {"snnc": "snnc out=", "Numba": "Numba in place"}
RUN_COLUMNS = {"snnc": "snnc run"}


def lines(results: dict[str, Any], *, steps: bool) -> dict[tuple[str, int], dict[int, float]]:
    """Collect rates of Leaky, float32, spikes only.

    Returns
    -------
    dict
        (peer, threads) -> N -> neuron-steps a second. Of sequences the ones of 100 steps, or
        where there are none, of the most steps there are.
    """
    columns = RUN_COLUMNS if steps else STEP_COLUMNS
    found: dict[tuple[str, int], dict[int, tuple[int, float]]] = {}
    for row in rows_of(results):
        cell = row.cell
        if not row.usual("float") or bool(row.steps) != steps or row.steps > 100:
            continue
        for peer in STYLES:
            rate = row.rate(columns.get(peer, peer))
            if rate is not None:
                line = found.setdefault((peer, row.threads), {})
                line[cell["n"]] = max(line.get(cell["n"], (0, 0.0)), (row.steps, rate * 1e9))
    return {key: {n: rate for n, (_, rate) in sorted(line.items())} for key, line in found.items()}


def draw(results: dict[str, Any], path: Path) -> None:
    """Write the picture."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = {
        "One step a call, in place": lines(results, steps=False),
        "Sequences of 100 steps (the largest N: 25)": lines(results, steps=True),
    }
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10, 4.4), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (title, found) in zip(axes, panels.items(), strict=True):
            for (peer, threads), line in found.items():
                colour, marker = STYLES[peer]
                if threads > 1 and peer not in ("snnc", "Numba"):
                    continue
                ax.plot(
                    list(line),
                    list(line.values()),
                    color=colour,
                    marker=marker,
                    markersize=5,
                    markerfacecolor="white" if threads > 1 else colour,
                    linewidth=2 if peer == "snnc" else 1.2,
                    linestyle=(0, (3, 1.5)) if threads > 1 else "-",
                    zorder=3 if peer == "snnc" else 2,
                    label=f"{peer}, {threads} threads" if threads > 1 else peer,
                )
            ax.set(xscale="log", yscale="log", title=title, xlabel="number of neurons N")
            ax.grid(color="0.9")
        axes[0].set_ylabel("neuron-steps a second")
        handles: dict[str, Any] = {}
        for ax in axes:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        if handles:
            names = sorted(handles, key=lambda name: [*STYLES].index(name.split(",")[0]))
            figure.legend([handles[name] for name in names], names, handlelength=3.5,
                          loc="outside right center", frameon=False)  # fmt: skip
        figure.suptitle("Leaky, float32, spikes only: higher is better")
        figure.savefig(path, dpi=150)
