"""Runs in other processes, on Dask and joblib, and from files: the same bits as one run here."""

import importlib
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from support import ALL, ROOT, make

import snnc
from snnc import _threads

distributed = pytest.importorskip("distributed")
joblib = pytest.importorskip("joblib")
pytest.importorskip("tqdm")
pytest.importorskip("zarr")
get_reusable_executor = joblib.externals.loky.get_reusable_executor

SCRIPTS = ROOT / "examples" / "scaling_out"


@pytest.fixture(scope="module")
def scripts():
    """The scripts and what they share, as modules of this process and of joblib's."""
    names = ("cluster", "dask_sweep", "joblib_sweep", "memmap_chunks", "sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        get_reusable_executor().shutdown()  # processes that began without that path
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        get_reusable_executor().shutdown()


@pytest.fixture(scope="module")
def client(scripts):
    """A cluster of the examples', with another number of threads in this environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNC_NUM_THREADS", "3")
        with scripts.cluster.connect(None, 1) as client:
            patch.undo()
            yield client


@pytest.fixture(scope="module")
def address():
    """The scheduler of a cluster in processes that know nothing of the scripts."""
    with distributed.SubprocessCluster(
        n_workers=1, scheduler_kwargs={"dashboard_address": ":0"}, worker_kwargs={"nthreads": 1}
    ) as cluster:
        yield cluster.scheduler_address


def on_dask(client):
    return lambda function, *args: client.submit(function, *args, pure=False).result()


def on_joblib(client):
    return lambda function, *args: joblib.Parallel(2)([joblib.delayed(function)(*args)])[0]


ENGINES = pytest.mark.parametrize("engine", [on_dask, on_joblib])


def run_script(name, **options):
    """Run a script as a user does, with warnings as errors."""
    arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    return subprocess.run(
        [sys.executable, "-W", "error", SCRIPTS / f"{name}.py", *arguments],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


# ---- the scripts ----


def test_neurons_and_samples_on_a_cluster_that_runs(address):
    result = run_script(
        "dask_neurons", steps=50, neurons=1001, samples=37, blocks=3,
        scheduler=address,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    assert "1001 neurons in blocks of 334, 50 steps: " in result.stdout
    assert "37 samples in blocks of 13, 50 steps: " in result.stdout
    assert result.stdout.endswith("the same bits as one run here\n")


# Two million combinations: their counts alone are 16 MB.
SWEEP = {"betas": 100, "thresholds": 100, "strengths": 200, "steps": 10, "most_memory": 15}


def test_a_sweep_stays_within_its_memory():
    result = run_script("dask_sweep", rows=2, **SWEEP)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Warning" not in result.stderr
    assert result.stdout.startswith("2000000 combinations, 10 steps each\n")
    assert result.stdout.count("MiB of it in the sweep") == 2
    assert result.stdout.endswith("the same bits as one run here\n")


def test_a_sweep_that_needs_more_memory_says_so(address):
    """The same sweep as a single block, on workers that have to be sent the modules."""
    result = run_script("dask_sweep", rows=100, scheduler=address, **SWEEP)
    assert result.returncode == 1, result.stderr
    assert "the same bits as one run here" in result.stdout
    assert "a worker grew by more than --most-memory, 15 MiB" in result.stdout


def test_sweeps_of_both_engines_are_equal(scripts, monkeypatch):
    monkeypatch.setenv("SNNC_NUM_THREADS", "3")
    of = scripts.sweep.Sweep(7, 5, 11, 100)
    assert of.combinations == 7 * 5 * 11
    x = of.input()
    whole = scripts.sweep.summary(of.neuron(slice(None)), x)
    for i, beta in enumerate(np.linspace(0.5, 0.99, 7)):
        for j, threshold in enumerate(np.linspace(0.5, 2, 5)):
            count = snnc.Leaky(beta, threshold).run(x, record="count").count
            assert whole[i, j].tolist() == [count.sum(), np.count_nonzero(count)]
    assert whole[..., 0].min() < whole[..., 0].max()
    ours = scripts.joblib_sweep.run(of, 3, 2)
    theirs = scripts.dask_sweep.lazy(of, 2).compute(scheduler="sync")
    np.testing.assert_array_equal(ours, whole)
    np.testing.assert_array_equal(theirs, whole)
    of.check(whole, 4)
    whole[6, 2, 0] += 1
    with pytest.raises(AssertionError):
        of.check(whole, 4)


def test_joblib_script(scripts, capsys, monkeypatch):
    monkeypatch.setenv("SNNC_NUM_THREADS", "3")
    assert scripts.joblib_sweep.main(["--betas=9", "--steps=50"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("4500 combinations, 50 steps each\n")
    assert printed.endswith("the same bits as one run here\n")
    assert joblib.Parallel(2)(joblib.delayed(threads)() for _ in range(2)) == [1, 1]


@pytest.mark.parametrize(("steps", "chunk", "chunks"), [(100, 33, 4), (20, 50, 1)])
def test_files_chunk_by_chunk(steps, chunk, chunks, scripts, capsys):
    given = [f"--steps={steps}", f"--chunk={chunk}", "--neurons=21"]
    assert scripts.memmap_chunks.main(given) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["memmap", "zarray"]
    assert all(line.endswith(" spikes, the same bits as one run") for line in lines)
    assert printed.err.count(f" {chunks}/{chunks} ") == 2  # tqdm's bars


def test_a_size_is_positive(scripts, capsys):
    for main in (scripts.memmap_chunks.main, scripts.joblib_sweep.main, scripts.dask_sweep.main):
        with pytest.raises(SystemExit):
            main(["--steps=0"])
        expected = "argument --steps: invalid positive integer value: '0'"
        assert expected in capsys.readouterr().err


# ---- neurons in other processes ----


def threads():
    """How many threads a run may use in the process that calls it."""
    return _threads.num_threads


def test_workers_have_one_thread(client):
    for variable, number in client.run(
        lambda: (os.environ["SNNC_NUM_THREADS"], snnc._threads.num_threads)
    ).values():
        assert (variable, number) == ("1", 1)


def run_there(neuron, x):
    """Run and send back what the process is, what was recorded and the neuron."""
    return os.getpid(), neuron.run(x), neuron


@ENGINES
@pytest.mark.parametrize("model", ALL)
def test_neurons_go_on_in_another_process(engine, model, client):
    x = np.random.default_rng(0).uniform(-0.2, 0.8, (40, 6)).astype(np.float32)
    whole = make(model).run(x)
    neuron = make(model, init_hidden=True)
    here = neuron.run(x[:25])
    pid, there, returned = engine(client)(run_there, neuron, x[25:])
    assert pid != os.getpid()
    assert type(returned) is type(neuron)
    assert returned == neuron
    for name, recorded in whole._arrays.items():
        parts = getattr(here, name), getattr(there, name)
        np.testing.assert_array_equal(np.concatenate(parts), recorded)
    for name in neuron.states:
        np.testing.assert_array_equal(getattr(here.state, name), getattr(neuron, name))
        np.testing.assert_array_equal(getattr(whole.state, name), getattr(returned, name))


@ENGINES
def test_networks_go_on_in_another_process(engine, client):
    def made(**options):
        return snnc.nn.Sequential(
            fc1=snnc.nn.Linear(12, 30, rng=0),
            lif1=snnc.Synaptic(0.8, 0.9, **options),
            fc2=snnc.nn.Linear(30, 4, rng=1),
            lif2=snnc.Leaky(0.9, threshold=0.2, **options),
        )

    x = np.random.default_rng(0).random((40, 5, 12)) < 0.3
    whole = made().run(x)
    net = made(init_hidden=True)
    here = net.run(x[:25])
    pid, there, returned = engine(client)(run_there, net, x[25:])
    assert pid != os.getpid()
    assert whole["lif2"].spk.any()
    for layer in ("lif1", "lif2"):
        for name, recorded in whole[layer]._arrays.items():
            parts = getattr(here[layer], name), getattr(there[layer], name)
            np.testing.assert_array_equal(np.concatenate(parts), recorded)
        np.testing.assert_array_equal(whole[layer].state.mem, returned.layers[layer].mem)
        np.testing.assert_array_equal(here[layer].state.mem, net.layers[layer].mem)
