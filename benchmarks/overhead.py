"""The overhead of a call: snnc's calls of N=1 compared with empty calls of the same signature."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict
from functools import partial
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import private
from benchmarks.cells import MODELS, Cell
from benchmarks.measure import us
from benchmarks.problem import Problem
from benchmarks.timing import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.timing import Budget


class EmptyOneState:
    """What Python makes of a call with the signature of a model of one state."""

    def __call__(
        self, input_: Any, mem: Any = None, *, out: Any = None, dtype: Any = None
    ) -> None:
        """Do nothing."""


class EmptyTwoStates:
    """The same, of a model of two states."""

    def __call__(
        self, input_: Any, syn: Any = None, mem: Any = None, *, out: Any = None, dtype: Any = None
    ) -> None:
        """Do nothing."""


class EmptyThreeStates:
    """The same, of a model of three states."""

    def __call__(
        self,
        input_: Any,
        syn_exc: Any = None,
        syn_inh: Any = None,
        mem: Any = None,
        *,
        out: Any = None,
        dtype: Any = None,
    ) -> None:
        """Do nothing."""


EMPTY = (EmptyOneState, EmptyTwoStates, EmptyThreeStates)


def empty_fastcall() -> Callable[..., None] | None:
    """Compile ``empty.c`` and return its function, or None where that does not work."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / f"empty{suffix}")
        command = ["cc", "-O2", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}"]
        if sys.platform == "darwin":
            command += ["-undefined", "dynamic_lookup"]
        source = str(Path(__file__).parent / "empty.c")
        try:
            subprocess.run([*command, source, "-o", path], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        spec = spec_from_file_location("empty", path, loader=ExtensionFileLoader("empty", path))
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        function: Callable[..., None] = module.empty
        return function


def measure_calls(budget: Budget) -> list[dict[str, Any]]:
    """Time, for each model, calls of one neuron and empty calls with the same arguments.

    Returns
    -------
    list of dict
        One a model, with the median nanoseconds of each call under "ns".
    """
    empty = empty_fastcall()
    rows = []
    for model in MODELS:
        problem = Problem(Cell(1, model=model))
        neuron, x, states, spk = problem.neuron, problem.x, problem.states, problem.spk
        step = private.step(neuron, x, states, spk)
        sequence = Problem(Cell(1, 25, model=model))
        arrays = {"spk": sequence.spk, "state": sequence.states}
        run = partial(
            sequence.neuron.run, sequence.x, *sequence.states, record=("spk",), out=arrays
        )
        core_run = private.run(
            sequence.neuron, sequence.x, sequence.states, sequence.spk, None, None
        )
        calls = {
            "snnc _core.step": step,
            "snnc out=": partial(neuron, x, *states, out=(spk, *states)),
            "empty __call__": partial(EMPTY[len(states) - 1](), x, *states, out=(spk, *states)),
            "snnc": partial(neuron, x, *problem.initial_states()),
            "snnc _core.run T=25": core_run,
            "snnc run T=25": run,
        }
        if empty is not None:
            calls["empty METH_FASTCALL"] = partial(empty, *step.args)
        timings = measure(calls, budget)
        rows.append(
            {
                "cell": asdict(problem.cell),
                "ns": {name: us(1e3 * timing.median) for name, timing in timings.items()},
                "spread_ns": {
                    name: us(1e3 * (timing.high - timing.low)) for name, timing in timings.items()
                },
            }
        )
    return rows
