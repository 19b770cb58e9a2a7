"""Draws the figures of the page on models: python docs/figures.py."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import snnc

# Of each model: what a step's input passes through, and what is fed back.
BLOCKS = {
    "Leaky": (("mem", "β"),),
    "Synaptic": (("syn", "α"), ("mem", "β")),
    "Lapicque": (("mem", "1 − dt/(RC)"),),
}


def draw_blocks(path: Path) -> None:
    """Draw a diagram of each model: states that keep a part of themselves, threshold, reset."""
    fig, axes = plt.subplots(len(BLOCKS) + 1, 1, figsize=(7, 7))
    for ax, (name, states) in zip(axes, BLOCKS.items(), strict=False):
        _chain(ax, name, states)
    _alpha(axes[-1])
    fig.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(fig)


def _box(ax, x, y, text):
    ax.text(x, y, text, ha="center", va="center", zorder=5,
            bbox={"boxstyle": "round,pad=0.4", "fc": "#eef3fb", "ec": "#3465a4"})  # fmt: skip


def _arrow(ax, start, end, bend=0.0):
    ax.annotate("", end, start, arrowprops={
        "arrowstyle": "->", "connectionstyle": f"arc3,rad={bend}", "shrinkA": 14, "shrinkB": 14,
        "color": "#555"})  # fmt: skip


def _frame(ax, name):
    ax.set_xlim(-0.7, 8.5)
    ax.set_ylim(-1.2, 1.5)
    ax.axis("off")
    ax.text(-0.7, 1.25, name, weight="bold")


def _kept(ax, x, y, factor):
    """Draw how a state keeps a part of itself."""
    ax.annotate("", (x - 0.25, y + 0.3), (x + 0.25, y + 0.3), arrowprops={
        "arrowstyle": "->", "connectionstyle": "arc3,rad=1.4", "color": "#555"})  # fmt: skip
    ax.text(x, y + 0.95, f"× {factor}", ha="center", fontsize=9, color="#555")


def _threshold(ax, x, mem):
    _box(ax, x, 0, "> threshold")
    _arrow(ax, (mem, 0), (x - 0.4, 0))
    _arrow(ax, (x + 0.4, 0), (x + 2, 0))
    ax.text(x + 1.9, 0, "spk", ha="left", va="center")
    _arrow(ax, (x, -0.15), (mem, -0.15), bend=-0.45)
    ax.text((x + mem) / 2, -1.05, "reset, a step later", ha="center", fontsize=9, color="#555")


def _chain(ax, name, states):
    _frame(ax, name)
    ax.text(-0.4, 0, "x", ha="center", va="center")
    x = 0.0
    for state, factor in states:
        _arrow(ax, (x - 0.4, 0), (x + 1.6, 0))
        x += 1.6
        _box(ax, x, 0, state)
        _kept(ax, x, 0, factor)
    _threshold(ax, x + 2.2, x)


def _alpha(ax):
    _frame(ax, "Alpha")
    ax.text(-0.4, 0, "x", ha="center", va="center")
    for y, state, factor, sign in ((0.5, "exc", "α", "+"), (-0.6, "inh", "β", "−")):
        _arrow(ax, (-0.3, 0), (1.6, y))
        ax.text(0.55, y * 0.75, sign, fontsize=11, color="#555")
        _box(ax, 1.6, y, state)
        ax.text(1.6, y + (0.5 if y > 0 else -0.5), f"× {factor} a step", ha="center", va="center",
                fontsize=9, color="#555")  # fmt: skip
        _arrow(ax, (1.6, y), (3.4, 0))
    _box(ax, 3.6, 0, "mem = τ (exc + inh)")
    _threshold(ax, 6.3, 4.3)


def draw_kernels(path: Path) -> None:
    """Draw what one input of 1 at step 5 does to the membrane of each model, without spikes."""
    x = np.zeros(60, np.float32)
    x[5] = 1
    neurons = {
        "Leaky(β = 0.9)": snnc.Leaky(0.9, threshold=100),
        "Lapicque(R = 1, C = 10)": snnc.Lapicque(R=1, C=10, time_step=1, threshold=100),
        "Synaptic(α = 0.8, β = 0.9)": snnc.Synaptic(0.8, 0.9, threshold=100),
        "Alpha(α = 0.9, β = 0.8)": snnc.Alpha(0.9, 0.8, threshold=100),
    }
    fig, axes = plt.subplots(2, 2, figsize=(7, 4), sharex=True, layout="constrained")
    for ax, (name, neuron) in zip(axes.flat, neurons.items(), strict=True):
        ax.plot(neuron.run(x, record="mem").mem)
        ax.set_title(name, fontsize=10)
    for ax in axes[1]:
        ax.set_xlabel("step")
    for ax in axes[:, 0]:
        ax.set_ylabel("mem")
    fig.savefig(path, dpi=110)
    plt.close(fig)


if __name__ == "__main__":
    drawn = Path(__file__).parent / "drawn"
    drawn.mkdir(exist_ok=True)
    draw_blocks(drawn / "blocks.png")
    draw_kernels(drawn / "kernels.png")
