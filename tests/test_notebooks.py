"""The notebooks, executed on the installed package; what they find is checked from within."""

import re

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from support import ROOT, golden

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# Appended as a last cell, so that it sees the notebook's variables.
CHECKS = {
    "tutorial_1_spike_encoding": """
        assert (clipped.sum(axis=0) <= 1).all() and clipped.sum() == (images >= 0.01).sum()
        assert np.array_equal(on_off, [0, 0, 0, 0, 1, -1, 1, -1, 1, 0, 0])
        assert spike_rand.shape == (200, 100) and 1800 < spike_rand.sum() < 2200
        assert counts.shape == (128, 8, 8) and 4000 < counts[sample].sum() < 6000
    """,
    "tutorial_2_lif_neuron": """
        decays = record(lif1, np.zeros((100, 1), np.float32), 0.9)[0]
        assert np.array_equal(decays[1:, 0], {lapicque})
        assert np.array_equal(mem_step[1:, 0], {lapicque_step})
        assert np.array_equal(traces[1][1:, 0], {pulse1})
        assert np.array_equal(traces[2][1:, 0], {pulse2})
        assert np.array_equal(traces[3][1:, 0], {pulse3})
        assert np.array_equal(mem_spike[1:, 0], {lapicque_spike})
        assert np.array_equal(mem_reset[1:, 0], {lapicque_reset})
        assert np.allclose(by_hand[False][0][:, 0], {uncontrolled}, rtol=1e-6, atol=1e-6)
        assert np.allclose(by_hand[True][0][:, 0], {reset_2}, rtol=1e-6, atol=1e-6)
        assert np.allclose(U_trace, 0.9 * 0.8 ** np.arange(100))
        assert periodic == [37, 64, 92, 119, 147, 174]
        cur = np.concatenate((np.zeros(10), np.full(190, 0.3))).astype(np.float32)[:, None]
        assert np.array_equal(record(lif2, cur)[0][1:, 0], {periodic})
        assert np.array_equal(record(lif3, cur)[0][1:, 0], {threshold})
        assert len(low_threshold) == 18
        fig.savefig("sliders.png")
    """,
    "tutorial_3_feedforward_network": """
        assert np.array_equal(rec.mem, {leaky_mem}) and np.array_equal(rec.spk, {leaky_spk})
        assert spk_in.shape == (200, 1, 784) and spk_in.sum() == 78086
        assert spk1_rec.sum() == 21791
        assert counts.tolist() == [14, 0, 34, 16, 12, 52, 0, 0, 0, 5]
        assert spk_fig.sum() == 13
    """,
    "tutorial_4_advanced_neurons": """
        SYNAPTIC = [23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191]
        assert np.flatnonzero(spk_run).tolist() == SYNAPTIC
        assert np.array_equal(syn_run, {syn})
        assert np.array_equal(mem_run, {mem})
        assert spk_run.dtype == syn_run.dtype == mem_run.dtype == np.float32
        assert syn_run.argmax() == 150 and abs(syn_run.max() - 0.307067931) < 1e-9
        assert mem_run.argmax() == 161 and abs(mem_run.max() - 1.02918375) < 1e-8
        assert np.flatnonzero(spk_rec).tolist() == [133, 173]
        assert np.array_equal(mem_rec, {alpha_mem})
        assert not mem_rec[134:141].any() and not mem_rec[174:181].any()
        assert abs(mem_rec[123] - 0.499304) < 1e-6 and abs(mem_rec[163] - 0.499304) < 1e-6
        assert len(lif1.run(right).spike_times()) == 12
        assert len(lif1.run(wrong).spike_times()) == 26
        assert counts.shape == (60, 60)
    """,
    # Its sections assert that their spikes are equal.
    "from_numpy_to_snnc": """
        assert sum(rec.spk.sum() for rec in [lif.run(current)]) > 0
        assert sorted(set(loop(3000)[0] for loop, _, _ in loops.values())) == [137, 138]
        intervals = set(np.diff(loop(3000))[0] for loop, _, _ in loops.values())
        assert sorted(intervals) == [179, 180, 181]
    """,
    "tutorial_5_training": """
        assert final > 0.95 and untrained < 0.3
        assert losses[0] > 40 and np.mean(losses[-22:]) < 6
        assert confusion.sum() == 397 and np.trace(confusion) == round(final * 397)
        assert recs["lif2"].spk.sum(axis=0).argmax() == labels[i]
    """,
    "inference_of_a_trained_network": """
        assert accuracy[0] < accuracy[9] and accuracy[99] > 0.93
        whole = net.run(x, record="count")[-1].count
        parts = sum(recs[-1].count for recs in net.run_chunks(np.split(x, 20), record="count"))
        assert np.array_equal(whole, parts)
        assert early > 0.9 and 5 < steps.mean() < 30
        assert operations.mean() > dense
    """,
    "recurrent_networks": """
        assert np.array_equal(rec.spk, spikes) and 500 < spikes.sum() < 5000
        assert 300 < rates["A"] < 400 and 320 < peaks["A"] < 345
        assert 55 < rates["B"] < 63 and 165 < peaks["B"] < 210
        assert 36 < rates["C"] < 39
        assert 4.5 < rates["D"] < 6.5 and 15 < peaks["D"] < 30
        assert curves["RLeaky"][-1] > 0.85
        assert curves["RLeaky"][-1] > curves["Leaky"][-1] + 0.05
    """,
}


def literal(array):
    """An expression for a float32 array, exact."""
    data = np.asarray(array, np.float32).ravel().tobytes()
    return f"np.frombuffer(bytes.fromhex({data.hex()!r}), np.float32)"


def expected():
    cases = {case.name: case.arrays for case in golden("tutorial4")}
    second = {case.name: case.arrays for case in golden("tutorial2")}
    third = {case.name: case.arrays for case in golden("tutorial3")}
    return {
        "lapicque": literal(second["lapicque"]["mem"]),
        "lapicque_step": literal(second["lapicque_step"]["mem"]),
        "pulse1": literal(second["lapicque_pulse1"]["mem"]),
        "pulse2": literal(second["lapicque_pulse2"]["mem"]),
        "pulse3": literal(second["lapicque_pulse3"]["mem"]),
        "lapicque_spike": literal(second["lapicque_spike"]["mem"]),
        "lapicque_reset": literal(second["lapicque_reset"]["mem"]),
        "uncontrolled": literal(second["lif_uncontrolled"]["mem"]),
        "reset_2": literal(second["reset_2"]["mem"]),
        "periodic": literal(second["periodic"]["mem"]),
        "threshold": literal(second["threshold"]["mem"]),
        "leaky_mem": literal(third["leaky"]["mem"]),
        "leaky_spk": literal(third["leaky"]["spk"]),
        "syn": literal(cases["synaptic"]["syn"]),
        "mem": literal(cases["synaptic"]["mem"]),
        "alpha_mem": literal(cases["alpha"]["mem"]),
    }


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


# Figures of training depend on how matrix products sum.
TRAINED = ("tutorial_5_training", "inference_of_a_trained_network", "recurrent_networks")


def without_figures(printed):
    return re.sub(r" *[\d.]+", " #", printed)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's packages, these two
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    committed = [cell.get("outputs") for cell in notebook.cells if cell.cell_type == "code"]
    assert any(committed)
    lines = CHECKS[path.stem].format(**expected()).splitlines()
    source = "\n".join(line.strip() for line in lines)
    notebook.cells.append(nbformat.v4.new_code_cell(source))
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    # What it prints is what was committed, but for times, and for figures of training.
    executed = [cell.outputs for cell in notebook.cells[:-1] if cell.cell_type == "code"]
    assert not [output for each in executed for output in each if output.get("name") == "stderr"]
    for before, after in zip(committed, executed, strict=True):
        if " ms " not in text(before):
            same = without_figures if path.stem in TRAINED else str
            assert same(text(after)) == same(text(before))


def test_every_notebook_is_checked():
    assert {path.stem for path in NOTEBOOKS} == set(CHECKS)
