"""What several test modules use: the golden cases, and bit-for-bit comparison."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import snnc
from snnc import _core
from snnc.neurons.sequences import columns

CLASSES = {name: getattr(snnc, name) for name in _core.models}
LOOPS = {cls.__name__: cls for cls in (snnc.Recurrent, snnc.RLeaky, snnc.RSynaptic)}
ALL = CLASSES | LOOPS
TORCH = sorted(name for name in CLASSES if name != "LIF")  # snnTorch's models
ROOT = Path(__file__).parent.parent


class RecordedLIF(snnc.LIF):
    """A LIF neuron that records all its states unless it is told, as the other models do."""

    _default = columns(snnc.LIF.states, ("spk", *snnc.LIF.states))


def make(model, **arguments):
    """A neuron of that model, with usual parameters where none are given."""
    usual = {
        "Lapicque": {"R": 1.0, "C": 5.0},
        "Leaky": {"beta": 0.9},
        "Synaptic": {"alpha": 0.8, "beta": 0.9},
        "Alpha": {"alpha": 0.9, "beta": 0.8, "threshold": 0.2},
        "RLeaky": {"beta": 0.9, "V": 0.25, "all_to_all": False},
        "RSynaptic": {"alpha": 0.8, "beta": 0.9, "V": 0.25, "all_to_all": False},
        "LIF": {"tau_m": 5.0, "dt": 1.0, "v_threshold": 0.5, "v_rest": -0.25, "t_ref": 2.0},
    }
    if model == "Recurrent":
        return snnc.Recurrent(make("Synaptic", **arguments), 0.25, snnc.Projection(-0.25, delay=2))
    if model == "LIF":
        if "threshold" in arguments:
            arguments["v_threshold"] = arguments.pop("threshold")
        return RecordedLIF(**{**usual[model], **arguments})
    return ALL[model](**{**usual[model], **arguments})


class csr:
    """A sparse matrix with the zeros left out, as much of SciPy's as snnc asks for."""

    def __init__(self, matrix):
        rows, columns = np.nonzero(matrix)
        indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(matrix)))))
        self.shape, self.data = np.shape(matrix), np.asarray(matrix)[rows, columns]
        self.indices, self.indptr = columns.astype(np.int32), indptr.astype(np.int32)

    def tocsr(self):
        return self


def run_isa(isa, *arguments):
    """Run Python with an instruction set, None: with the one that is chosen by itself."""
    env = {name: value for name, value in os.environ.items() if name != "SNNC_ISA"}
    if isa:
        env["SNNC_ISA"] = isa
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        check=False, capture_output=True, text=True, env=env, cwd=ROOT,
    )  # fmt: skip


# Every kind of reset of every model: (model, reset, whether it is delayed).
KINDS = [
    (model, reset, delay)
    for model, (_, _, undelayed, resets) in _core.models.items()
    for reset in resets
    for delay in (True, False)[: 1 + undelayed]
]


def kind(model, reset, delay):
    """Its arguments of the constructor."""
    if model == "LIF":
        return {"spike_test": "before" if delay else "after"}
    return {"reset_mechanism": reset} | ({} if delay else {"reset_delay": False})


def assert_same(actual, expected):
    """Equal shape, dtype and bits; of a NaN only the position counts."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if actual.dtype.kind == "f":
        nan = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(actual), nan)
        bits = f"u{actual.dtype.itemsize}"
        actual = np.where(nan, 0, actual).astype(actual.dtype).view(bits)
        expected = np.where(nan, 0, expected).astype(expected.dtype).view(bits)
    np.testing.assert_array_equal(actual, expected)


def golden(file):
    """The cases of a file of tests/golden."""
    with np.load(Path(__file__).parent / "golden" / f"{file}.npz") as z:
        for text in z["meta"]:
            meta = json.loads(text)
            arrays = {role: z[key] for role, key in meta["arrays"].items()}
            args = {
                k: z[v[1:]] if isinstance(v, str) and v.startswith("@") else v
                for k, v in meta.get("args", {}).items()
            }
            yield SimpleNamespace(**{**meta, "args": args, "arrays": arrays})


def torch_constants(case):
    """The constants of a golden case's cell, rounded as torch rounded them.

    A Python float is a float32 number there, an int exact, an array keeps its own precision;
    tau and Lapicque's R, C and time_step were recorded. Returned for both computing dtypes.
    """
    a = case.arrays
    p = {
        k: np.float32(v) if isinstance(v, float) else np.asarray(v)
        for k, v in case.args.items()
        if not isinstance(v, (bool, str))
    }
    p.setdefault("threshold", np.float32(1))
    if p["threshold"].ndim == 0:  # r * threshold is float32 then
        p["threshold"] = np.float32(p["threshold"])
    if case.model == "Leaky":
        p.setdefault("graded_spikes_factor", np.float32(1))
    for name in ("alpha", "beta"):
        if name in p:
            p[name] = np.clip(p[name], 0, 1)
    both = []
    for dtype in (np.float32, np.float64):
        c = dict(p)
        if case.model == "Alpha":
            c["tau"] = a["tau"]
        if case.model == "Lapicque":
            with np.errstate(all="ignore"):
                # torch keeps these in float32 unless they are float64 arrays with dimensions
                wide = any(a[k].dtype == np.float64 and a[k].ndim for k in ("R", "C", "time_step"))
                R, C, dt = (
                    a[k].astype(np.float64 if wide else np.float32)
                    if a[k].dtype != np.float64 or wide
                    else a[k]
                    for k in ("R", "C", "time_step")
                )
                rc = R * C
                c |= {"R": R, "dt": dt, "q": 1 / rc, "keep": 1 - dt / rc}
        names = _core.models[case.model][1]
        both.append(tuple(np.asarray(c[name], dtype) for name in names))
    return both


def torch_cell(case, *, threshold=None, undelayed=None):
    """The golden case's cell, through the private call.

    If given, with another threshold in float64, or another delay of the reset.
    """
    constants = torch_constants(case)
    if threshold is not None:
        constants[1] = (np.float64(threshold), *constants[1][1:])
    return _core.cell(
        case.model,
        case.reset_mechanism,
        case.reset_delay is False if undelayed is None else undelayed,
        case.args.get("inhibition", False),
        *constants,
        (),
    )


def inject(neuron, cell):
    """Give a neuron another cell, of constants that no constructor derives."""
    neuron._configuration = neuron._configuration._replace(cell=cell)
    neuron._cell = cell


@contextmanager
def interrupted(seconds):
    """Send this thread a SIGINT after so long; also where the process was told to ignore it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    here = threading.get_ident()
    timer = threading.Timer(seconds, lambda: signal.pthread_kill(here, signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGINT, handler)
