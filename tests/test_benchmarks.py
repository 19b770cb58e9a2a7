"""The benchmarks' own parts: the grid, that the peers agree, the report and the picture.

Nothing here asserts a time.
"""

import importlib.util
import json
import os
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import (
    brunel,
    cells,
    equations,
    measure,
    networks,
    overhead,
    picture,
    private,
    report,
    timing,
)
from benchmarks.cells import Cell
from benchmarks.peers import careful_numpy, contenders, plain_numpy, snnc_calls
from benchmarks.problem import Outputs, Problem, Training, Way

NUMPY_PEERS = {"careful": careful_numpy, "plain": plain_numpy, "snnc": snnc_calls}
ONCE = timing.Budget(seconds=0, least=2, least_slow=2)

VARIED = [
    Cell(5, 30, model, output, dtype, per_neuron)
    for model in cells.MODELS
    for output in cells.OUTPUTS
    for dtype, per_neuron in (("float32", False), ("float64", True))
]
STEPS = [Cell(13, model=model, per_neuron=own) for model in cells.MODELS for own in (False, True)]
TRAINED = Cell(2 * cells.BATCH, 40, wrt=("x", "beta"))


def differing(peer, cell, threads=1):
    """The differing values, and wrong gradients, of each way."""
    problem = (Training if cell.wrt else Problem)(cell, threads)
    assert problem._spk.any()
    assert not problem._spk.all()
    return {
        (column, variant): sum(measure.check(problem, way)[1:])
        for column, variants in contenders(peer, problem).items()
        for variant, way in variants.items()
    }


# ---- the grid ----


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("group", cells.GROUPS)
def test_grid(group, threads, quick):
    listed = cells.cells(group, threads=threads, quick=quick)
    assert len(set(listed)) == len(listed)
    assert bool(listed) == (
        group in ("steps", "sequences", "training")
        or (threads == 1 and group not in ("calls", "memory", "encoders", *cells.NETWORKS))
    ) or (group, threads, quick) == ("steps", 2, True)
    for cell in listed:
        assert cell.model in cells.MODELS
        assert cell.output in cells.OUTPUTS
        assert cell.n >= 1
        assert cell.neuron_steps <= 100_000_000


def test_grid_covers_what_is_promised():
    steps = cells.cells("steps")
    assert {cell.n for cell in steps} == {10**k for k in range(7)}
    sequences = cells.cells("sequences")
    assert {cell.output for cell in sequences} == {*cells.OUTPUTS}
    assert {(cell.n, cell.steps) for cell in sequences} == {
        *((n, steps) for n in (1, 100, 1000, 10_000, 65_536) for steps in (25, 100, 1000)),
        (1_000_000, 25),
    }
    assert {cell.model for cell in cells.cells("models")} == {*cells.MODELS}
    assert {(cell.n, cell.steps, cell.wrt) for cell in cells.cells("training")} == {
        (64 * width, steps, wrt)
        for width in (64, 256, 1024) for steps in (64, 256) for wrt in (("x",), ("x", "beta"))
    }  # fmt: skip


def test_a_cell_says_what_it_is():
    cell = Cell(1000, 100, output="uint8+mem")
    assert str(cell) == "Leaky N=1000, T=100, float32, uint8+mem"
    assert (cell.neuron_steps, cell.record_mem, cell.packed) == (100_000, True, False)
    assert (cell.spk_dtype, Cell(1, dtype="float64").spk_dtype) == ("uint8", "float64")
    assert str(Cell(7, per_neuron=True)) == "Leaky step N=7, per-neuron float32, float"
    assert str(TRAINED) == "Leaky N=128, T=40, float32, gradients of x and beta"


# ---- the peers agree ----


@pytest.mark.parametrize("peer", NUMPY_PEERS)
@pytest.mark.parametrize("cell", [*VARIED, *STEPS], ids=str)
def test_numpy_and_snnc_agree(peer, cell):
    found = differing(NUMPY_PEERS[peer], cell)
    assert not any(found.values()), found
    if peer == "careful" or (peer == "snnc" and not cell.packed):
        assert found


def test_a_wrong_spike_is_found():
    problem = Problem(Cell(5, 30))
    way = careful_numpy.contenders(problem)["careful NumPy"][""]
    measure.check(problem, way)
    assert problem.differing(way, None) == 0
    problem.spk[3, 2] = 1 - problem.spk[3, 2]
    assert problem.differing(way, None) == 1

    late = replace(way, late=1)
    problem.spk[:] = np.roll(problem._spk, 1, axis=0)
    assert problem.differing(late, None) == 0
    assert problem.differing(way, None) > 0


def test_wrong_spikes_are_not_timed():
    def contenders(problem):
        def nothing():
            problem.spk[:] = 0

        way = snnc_calls.contenders(problem)["snnc run"][""]
        return {"wrong": {"": replace(way, call=partial(nothing))}}

    peer = SimpleNamespace(EXACT=True, contenders=contenders)
    entries = measure.measure_cell(Cell(5, 30), {"wrong": peer, "snnc": snnc_calls}, ONCE)
    assert entries["wrong"].timing is None
    assert entries["wrong"].note.startswith("WRONG: ")
    assert entries["snnc run"].timing.repeats >= 2


def test_gradients_agree():
    ways = [
        ("snnc run, backward", f"checkpoint={n}, {dtype}")
        for n in (16, 1)
        for dtype in ("float32", "uint8")
    ]
    assert differing(snnc_calls, TRAINED) == dict.fromkeys(ways, 0)
    assert contenders(careful_numpy, Training(TRAINED)) == {}


def test_wrong_gradients_are_not_timed():
    def training(problem):
        way = snnc_calls.training(problem)["snnc run, backward"]["checkpoint=1, uint8"]

        def wrong(name):
            returned = way.call()
            gradient = np.array(getattr(returned[1], name))
            gradient.flat[0] += 1e-4 * gradient.max()
            setattr(returned[1], name, gradient)
            return returned

        return {name: {"": replace(way, call=partial(wrong, name))} for name in ("x", "beta")}

    peer = SimpleNamespace(EXACT=False, training=training)
    entries = measure.measure_cell(TRAINED, {"wrong": peer, "snnc": snnc_calls}, ONCE)
    for name in ("x", "beta"):
        assert entries[name].timing is None
        assert entries[name].note == "WRONG: 1 gradients of it differ"
    assert entries["snnc run, backward"].timing.repeats >= 2


def test_expected_gradients():
    x, grad_spk = np.array([[0.7, 1.4], [0.6, -0.3]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    c = {"beta": np.float64(0.5), "threshold": np.float64(1)}
    spk = x > 1
    mem = np.stack([x[0], 0.5 * x[0] + x[1] - spk[0]])
    surrogate = 1 / (1 + (np.pi * (mem - 1)) ** 2)
    last = grad_spk[1] * surrogate[1]
    for through_reset in (False, True):
        kept = 0.5 - through_reset * surrogate[0]
        found = equations.leaky_gradients(x, spk, grad_spk, c, through_reset)
        expected = np.stack([grad_spk[0] * surrogate[0] + kept * last, last])
        np.testing.assert_allclose(found["x"][0], expected, rtol=1e-15)
        assert found["x"][1] == np.abs(expected).max()
        np.testing.assert_allclose(found["beta"], [(last * x[0]).sum()] * 2, rtol=1e-15)


def test_gradients_of_late_spikes():
    problem = Training(TRAINED)
    spk = problem._spk.reshape(problem.x.shape)
    spk = np.concatenate([np.zeros_like(spk[:1]), spk[:-1]])
    grad_spk = np.concatenate([problem.grad_spk[1:], np.zeros_like(problem.grad_spk[:1])])
    found = equations.leaky_gradients(
        problem.x, problem._spk.reshape(spk.shape), grad_spk, problem.constants, True
    )
    way = Way(partial(int), lambda _: Outputs(spk, None, (found["x"][0], found["beta"][0])), 1)
    assert (problem.differing(way, None), problem.inaccurate(way, None)) == (0, 0)
    assert problem.inaccurate(replace(way, late=0), None) > 0


if importlib.util.find_spec("numba"):

    def test_numba_gradients_agree():
        from benchmarks.peers import numba_training

        found = differing(numba_training, TRAINED)
        assert not any(found.values()), found
        assert len(found) >= 8

    def test_numba_agrees():
        from benchmarks.peers import numba_nests

        for cell in (Cell(300), Cell(300, 10, output="uint8")):
            found = differing(numba_nests, cell, threads=2)
            assert not any(found.values()), found
            assert len(found) >= 3


# ---- timing ----


def test_arguments_are_passed_as_they_are():
    seen = []

    def function(*args, **kwargs):
        seen.append((args, kwargs))

    loop = timing.loop_of(partial(function, 1, "two", out=(3,), f=4))
    assert loop(3) >= 0
    assert seen == [((1, "two"), {"out": (3,), "f": 4})] * 3
    assert loop(3, warm=1e-4) >= 0
    assert len(seen) > 6


def test_all_calls_are_timed_in_turn():
    order = []
    calls = {name: partial(order.append, name) for name in "ab"}
    timings = timing.measure(calls, ONCE)
    assert timings.keys() == {"a", "b"}
    for found in timings.values():
        assert found.repeats >= 2
        assert 0 <= found.low <= found.median <= found.high


def test_empty_calls():
    rows = overhead.measure_calls(ONCE)
    assert [row["cell"]["model"] for row in rows] == [*cells.MODELS]
    for row in rows:
        assert row["ns"].keys() == row["spread_ns"].keys()
        assert row["ns"].keys() >= {"snnc _core.step", "snnc out=", "empty __call__"}


# ---- report and picture ----


@pytest.fixture(scope="module")
def results():
    """A made-up result: snnc wins against the one peer, ties with the other, and loses."""

    def columns(**us):
        return {
            name.replace("_", " ").replace("trained", "run, backward"): {
                "variant": "strips of 256" if name == "Numba" else "",
                "differing": 2 if name == "JAX" else 0,
                "median_us": value,
                "low_us": value * 0.9,
                "high_us": value * 1.1,
                "repeats": 15,
                "inner": 1,
                "first_call_us": 2e6,
            }
            for name, value in us.items()
        }

    def row(cell, threads=1, **us):
        return measure.as_json(cell, {}, threads) | {"columns": columns(**us)}

    step = columns(snnc=2.0, JAX=30.0, Numba_in_place=0.5, careful_NumPy=5.0)
    step |= {"snnc out=": columns(x=1.0)["x"], "snnc _core.step": columns(x=0.125)["x"]}
    short = columns(snnc_run=15.0, Numba=10.0)
    short["snnc _core.run"] = columns(x=5.0)["x"]
    machine = {"load": [0.1], "environment": {"SNNC_ISA": "unset"}, "processor": "a made-up one"}
    worker = {
        "threads": 1,
        "snnc_threads": 1,
        "processors": [0],
        "missing": {"spyx_scan": "No module named 'spyx'"},
        "machine": machine,
        "cells": [
            measure.as_json(Cell(100), {}, 1) | {"columns": step},
            measure.as_json(Cell(10, 25), {}, 1) | {"columns": short},
            row(Cell(1000, 100), snnc_run=100.0, Numba=50.0, JAX=110.0, careful_NumPy=1000.0),
            row(Cell(1000, 100, "Alpha"), snnc_run=200.0, Numba=200.0),
            row(Cell(1000, 100, per_neuron=True), snnc_run=150.0, Numba=100.0),
            row(TRAINED, snnc_trained=125.0, JAX=500.0, Spyx=250.0, snnTorch=1e4),
            row(replace(TRAINED, wrt=("x",)), snnc_trained=100.0, Numba=150.0, Spyx=400.0),
        ],
    }
    two = worker | {"threads": 2, "cells": [row(Cell(1000, 100), 2, snnc_run=60.0, Numba=30.0)]}
    return json.loads(
        json.dumps(
            {
                "quick": False,
                "groups": [*cells.GROUPS],
                "machine": machine,
                "workers": [worker, two],
                "memory": {"n": 1, "steps": 2, "chunk": 3, "note": "not there"},
                "encoders": [
                    {
                        "name": "rate",
                        "ways": {
                            "NumPy": {"ns": 3.0, "bytes": 9.0},
                            "uint8": {"ns": 1.5, "bytes": 1.5},
                        },
                    },
                ],
                **{group: [made_up_network(1), made_up_network(2)] for group in cells.NETWORKS},
            }
        )
    )


def made_up_network(threads):
    wrong = {"note": "WRONG: 3.00% of the values differ"}
    ways = {"snnc": {"us": 2.0}, "Numba": {"us": 1.0 * threads}, "NumPy": wrong}
    return {"name": "a product", "threads": threads, "ways": ways}


def test_networks_of_several_ways_of_ours():
    ways = {"snnc.torch, run": {"us": 1.0}, "snnc.torch": {"us": 3.0}, "snnTorch": {"us": 6.0}}
    rows = [{"name": name, "threads": 1, "ways": some} for name, some in (
        ("a", ways), ("b", {k: v for k, v in ways.items() if "run" not in k}))]  # fmt: skip
    head, _, *lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in report.networks(rows).splitlines()
    ]
    assert head[-2:] == ["snnTorch : snnc.torch, run", "snnTorch : snnc.torch"]
    assert [line[-2:] for line in lines] == [["6.00 win", "2.00 win"], ["-", "2.00 win"]]


def test_marks():
    assert [report.mark(r) for r in (0.5, 0.79, 0.8, 1, 1.25, 1.26, 40)] == [
        "0.50 LOSS", "0.79 LOSS", "0.80 tie", "1.00 tie", "1.25 tie", "1.26 win", "40 win",
    ]  # fmt: skip


def test_report_shows_losses_as_losses(results):
    text = report.render(results)
    assert "a made-up one" in text
    assert "spyx_scan is missing: No module named 'spyx'" in text
    assert (
        "- 0.50 against Numba (snnc run): Leaky, N=1000, T=100, spikes as float32, 1 thread"
        in text
    )
    assert "2 threads" in text
    assert "0.50 LOSS" in text
    assert "1.10 tie" in text
    assert "10 win" in text
    assert "(2 differ)" in text
    assert "strips of 256" in text
    assert "not there" in text


def test_short_sequences_are_compared_through_the_private_call(results):
    rows = {(row.cell["n"], row.steps): row for row in report.rows_of(results)}
    assert rows[10, 25].snnc_column() == "snnc _core.run"
    assert rows[10, 25].ratio("snnc _core.run", "Numba") == 2
    assert rows[1000, 100].snnc_column() == "snnc run"


def test_relative_tables(results):
    text = report.render(results)
    models = text.split("## The models")[1].split("##")[0]
    assert [line.split("|")[1].strip() for line in models.splitlines() if "1000" in line] == [
        "Alpha", "Leaky",
    ]  # fmt: skip
    parameters = text.split("## Per-neuron parameters")[1].split("##")[0]
    assert "1.5" in parameters


def test_training_table(results):
    text = report.render(results)
    lines = text.split("## Forward and backward")[1].splitlines()[4:6]
    lines = [[part.strip() for part in line.split("|")[1:-1]] for line in lines]
    assert lines == [
        ["2", "40", "x", "100 ±20%", "0.0512", "-", "150 ±20%", "0.0341", "strips of 256",
         "1.50 win", "-", "400 ±20%", "4.00 win", "-", "-", "-"],
        ["2", "40", "x, beta", "125 ±20%", "0.041", "-", "-", "-", "-", "-",
         "500 ±20% (2 differ)", "250 ±20%", "2.00 win", "10000 ±20%", "80 win", "80%"],
    ]  # fmt: skip


def test_networks_table(results):
    text = report.render(results)
    for title in report.NETWORKS.values():
        lines = text.split(f"## {title}, us")[1].split("##")[0].split("\n")[4:6]
        assert [[part.strip() for part in line.split("|")[1:-1]] for line in lines] == [
            ["a product", str(threads), "2", str(threads),
             "WRONG: 3.00% of the values differ", f"{threads / 2:.2f} {verdict}", "-"]
            for threads, verdict in ((1, "LOSS"), (2, "tie"))
        ]  # fmt: skip
    assert [*report.NETWORKS] == [*cells.NETWORKS] == [*networks.GROUPS]


# ---- networks ----


def test_products_agree():
    rows = list(networks.products(1, ((20, 9), (3, 1)), (1, 3), (0.0, 0.4), ONCE))
    assert [row["name"] for row in rows][:2] == ["20 x 9, 1 row, 0%", "20 x 9, 1 row, 40%"]
    assert all("us" in way for row in rows for way in row["ways"].values())
    assert {"snnc", "NumPy"} <= rows[0]["ways"].keys()


def test_loops_agree():
    rows = list(networks.loops(1, {50: 400}, ONCE))
    assert [row["name"].split(", ")[2] for row in rows] == [
        "delta synapses", "exponential synapses",
    ]  # fmt: skip
    assert all("us" in way for row in rows for way in row["ways"].values())
    assert {"snnc", "NumPy", "NumPy, lif(out=)"} <= rows[0]["ways"].keys()


def test_loops_spike_and_what_differs_is_not_timed(monkeypatch):
    seen = []
    monkeypatch.setattr(networks, "numpy_loop", lambda x, _: np.zeros(x.shape, np.uint8))
    for row in networks.loops(1, {50: 400}, ONCE):
        assert "us" in row["ways"]["NumPy"]
        seen += [row["ways"]["snnc"]["note"], row["ways"]["NumPy, lif(out=)"]["note"]]
    assert len(seen) == 4
    assert all(note.startswith("WRONG: ") for note in seen)


def test_recurrent_layers_agree():
    (row,) = networks.training(1, 5, ONCE)
    assert all("us" in way for way in row["ways"].values())


def test_layers_agree():
    rows = list(networks.linear(1, shapes=((20, 9),), rows=(3,), densities=(0.0, 0.4),
                                budget=ONCE))  # fmt: skip
    assert [*rows[0]["ways"]] == ["snnc, auto", "snnc, events", "snnc, blas"]
    rows += networks.layers(1, quick=True, budget=ONCE)
    assert {"snnc", "NumPy's BLAS, neurons"} <= rows[2]["ways"].keys()
    assert len(rows) == 6
    assert all("us" in way for row in rows for way in row["ways"].values())


def test_brunel(monkeypatch, capfd):
    monkeypatch.setattr(brunel, "simulators", lambda: {"snnc": brunel.Snnc})
    for name, value in (("N_EXC", 400), ("N_INH", 100), ("FROM_EXC", 40), ("FROM_INH", 10)):
        monkeypatch.setattr(brunel, name, value)
    (row,) = brunel.measured(1, steps=3000, repeats=2)
    notes = [way["note"] for way in row["ways"].values()]  # so small a network fires faster
    assert len(notes) == 2
    assert all(note.startswith("WRONG: ") for note in notes)
    monkeypatch.setattr(brunel, "RATE", float(notes[0].split()[1]))
    (row,) = brunel.measured(1, steps=3000, repeats=2)
    assert [*row["ways"]] == ["snnc, network alone", "snnc"]
    assert row["ways"]["snnc"]["us"] > row["ways"]["snnc, network alone"]["us"] > 0


def test_networks_print_nothing_but_json(monkeypatch, capfd):
    def noisy(threads, **fewer):
        os.write(1, b"noise")
        yield {"name": "one", "ways": {}, "fewer": sorted(fewer)}

    monkeypatch.setitem(networks.GROUPS, "loops", noisy)
    assert networks.main(["loops", "1", "--quick"]) == 0
    printed = capfd.readouterr()
    assert json.loads(printed.out) == [{"name": "one", "ways": {}, "fewer": ["budget", "sizes"]}]
    assert "noise" in printed.err


def test_tables_line_up():
    lines = report.table(("a", "bb"), [("1", "2"), ("333", "4")]).splitlines()
    assert lines[0] == "|   a | bb |"
    assert len({len(line) for line in lines}) == 1


def test_picture_is_written(results, tmp_path):
    found = picture.lines(results, steps=True)
    assert found["snnc", 1] == {10: 25 * 10 / 15e-6, 1000: pytest.approx(1e9)}
    assert found["Numba", 2] == {1000: pytest.approx(100_000 / 30e-6)}
    assert picture.lines(results, steps=False)["snnc", 1] == {100: pytest.approx(1e8)}
    picture.draw(results, tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_main_writes_its_files(tmp_path, capsys, monkeypatch, results):
    from benchmarks import __main__ as main

    monkeypatch.setattr(main, "run_worker", lambda *a, **k: results["workers"][0])
    assert main.main(["--quick", "--only", "steps,sequences", "--output", str(tmp_path)]) == 0
    assert "LOSS" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "results.json", "report.md", "results.png",
    }  # fmt: skip
    with pytest.raises(SystemExit):
        main.main(["--only", "nothing"])
    assert "nothing is none of calls, steps" in capsys.readouterr().err


def test_worker_measures(tmp_path, monkeypatch):
    from benchmarks import machine, worker

    monkeypatch.setattr(worker, "pin", lambda threads: None)
    monkeypatch.setattr(cells, "cells", lambda group, **_: (Cell(3, 5), Cell(2)))
    output = tmp_path / "worker.json"
    assert worker.main(["steps", "--quick", "--only-snnc", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    assert [row["cell"]["n"] for row in written["cells"]] == [3, 2]
    assert written["machine"]["peers"]["numpy"] == np.__version__
    assert written["machine"].keys() == machine.describe().keys()
    assert json.loads(json.dumps(written)) == written


def test_private_calls_are_the_public_ones():
    problem = Problem(Cell(4, 6, output="float+mem"))
    ways = snnc_calls.contenders(problem)
    assert private.state_names("Alpha")[-1] == "mem"
    for column in ("snnc run", "snnc _core.run"):
        assert measure.check(problem, ways[column][""])[1] == 0
    assert next(iter(private.constants(problem.neuron, "float32"))) == "threshold"
