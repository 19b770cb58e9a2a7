"""What is measured, as data. Knows no peer and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

Sizes = tuple[tuple[int, int], ...]

MODELS = ("Leaky", "Lapicque", "Synaptic", "Alpha")
OUTPUTS = ("float", "uint8", "packed", "float+mem", "uint8+mem")
"""What a sequence records: spikes in the computing dtype, as uint8 or eight to a byte; and mem."""

GROUPS = (
    "calls", "steps", "sequences", "models", "parameters", "float64", "training", "isa", "memory",
    "encoders", "products", "loops", "recurrent", "modules", "linear",
    "layers", "brunel",
)  # fmt: skip
"""What ``--only`` selects; "calls" and "isa" are measured in ways of their own, "memory" and those
after it by modules of their own."""

NETWORKS = ("products", "loops", "recurrent", "modules", "linear", "layers", "brunel")
"""The groups of ``benchmarks.networks``."""

SIZES: Sizes = (*product((1, 100, 1000, 10_000, 65_536), (25, 100, 1000)), (1_000_000, 25))
QUICK_SIZES: Sizes = ((1, 100), (100, 100), (1000, 100), (10_000, 100), (65_536, 25))
SOME_SIZES: Sizes = ((1000, 100), (10_000, 100))

BATCH = 64
LAYERS: Sizes = tuple(product((64, 256, 1024), (64, 256)))
"""Neurons of a layer, of which BATCH are trained at a time, and steps."""


@dataclass(frozen=True)
class Cell:
    """One thing to compute, which every peer does in its own ways.

    Attributes
    ----------
    n, steps : int
        How many neurons, and steps in one call; with steps=0 the call is a single step of a
        loop over time in Python.
    model : str
        One of `MODELS`.
    output : str
        One of `OUTPUTS`; a single step always returns float spikes and the states.
    dtype : {"float32", "float64"}
        What is computed in.
    per_neuron : bool
        Whether each neuron has parameters of its own.
    wrt : tuple of str
        Of what to compute gradients, ("x",) or ("x", "beta"), given those of the spikes: a call
        goes forward and backward through a layer of n / BATCH neurons. Ways return their spikes
        in any dtype.
    """

    n: int
    steps: int = 0
    model: str = "Leaky"
    output: str = "float"
    dtype: Literal["float32", "float64"] = "float32"
    per_neuron: bool = False
    wrt: tuple[str, ...] = ()

    @property
    def neuron_steps(self) -> int:
        """How often the equations of a neuron are computed in one call."""
        return self.n * max(self.steps, 1)

    @property
    def record_mem(self) -> bool:
        """Whether the membrane after each step is recorded."""
        return self.output.endswith("+mem")

    @property
    def packed(self) -> bool:
        """Whether spikes are eight to a byte."""
        return self.output == "packed"

    @property
    def spk_dtype(self) -> str:
        """The dtype of the array of spikes."""
        return self.dtype if self.output.startswith("float") else "uint8"

    def __str__(self) -> str:
        size = f"N={self.n}, T={self.steps}" if self.steps else f"step N={self.n}"
        kind = "per-neuron " if self.per_neuron else ""
        what = f"gradients of {' and '.join(self.wrt)}" if self.wrt else self.output
        return f"{self.model} {size}, {kind}{self.dtype}, {what}"


def cells(group: str, *, threads: int = 1, quick: bool = False) -> tuple[Cell, ...]:
    """List the cells of a group; empty for groups that are not measured cell by cell."""
    one_thread = threads == 1
    if group == "steps":
        numbers = (1, 100, 10_000) if quick else tuple(10**k for k in range(7))
        return tuple(Cell(n) for n in numbers if one_thread or n >= 100_000)
    if group == "sequences":
        if quick:
            outputs = ("float", "uint8", *(("float+mem",) if one_thread else ()))
            sizes = QUICK_SIZES if one_thread else QUICK_SIZES[-2:]
        else:
            outputs, sizes = OUTPUTS, SIZES
        return tuple(Cell(n, steps, output=output) for n, steps in sizes for output in outputs)
    if group == "training":
        return tuple(
            Cell(BATCH * width, steps, wrt=wrt)
            for width, steps in (LAYERS[:1] if quick else LAYERS)
            for wrt in (("x",), ("x", "beta"))
        )
    if not one_thread:
        return ()
    step_sizes = (1, 1000) if quick else (1, 1000, 100_000)
    some = (*((n, 0) for n in step_sizes), *(SOME_SIZES[:1] if quick else SOME_SIZES))
    if group == "models":
        return tuple(Cell(n, steps, model) for model in MODELS for n, steps in some)
    if group == "parameters":
        return tuple(
            Cell(n, steps, model, per_neuron=per_neuron)
            for model in (("Leaky",) if quick else MODELS)
            for n, steps in some[1:]
            for per_neuron in (False, True)
        )
    if group == "float64":
        return tuple(
            Cell(n, steps, model, dtype=dtype)
            for model in (("Leaky",) if quick else MODELS)
            for n, steps in some[1:]
            for dtype in ("float32", "float64")
        )
    if group == "isa":  # snnc alone, once with each instruction set
        return tuple(
            Cell(n, steps, model, output)
            for model in MODELS
            for n, steps in SOME_SIZES
            for output in OUTPUTS
        )
    return ()
