"""Every instruction set gives the same bits: the goldens under each, and each against each."""

import pytest
from support import ROOT, run_isa

from snnc import _core

# Runs every model over random input, special values and odd lengths; prints a hash.
HASH = """
import hashlib, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from support import KINDS, csr, kind, make
import snnc
from snnc import _core, surrogate

digest = hashlib.sha256()
rng = np.random.default_rng(11)
for model, *rest in KINDS:
    for dtype in (np.float32, np.float64):
        for n in (1, 7, 8, 33, 64, 257, 1000):
            x = rng.normal(0.3, 0.8, (20, n)).astype(dtype)
            x[3, n // 2] = np.inf
            x[5, 0] = np.nan
            for thr in (0.5, rng.random(n)):
                neuron = make(model, threshold=thr, **kind(model, *rest))
                for array in neuron.run(x, record=("spk", *neuron.states)):
                    canonical = np.where(np.isnan(array), np.nan, array).astype(dtype)
                    digest.update(canonical.tobytes())
                for form in (np.uint8, "packed"):
                    rec = neuron.run(x, record=("spk", "count", "first_spike"), spk_dtype=form)
                    for array in rec:
                        digest.update(array.tobytes())
                if model == "LIF":
                    continue
                cotangents = rng.normal(size=(1 + len(neuron.states), 20, n))
                for name in ("atan", "SFS"):
                    neuron.spike_grad = getattr(surrogate, name)()
                    rec = neuron.run(x, grad=True, checkpoint=7)
                    for array in neuron.backward(rec, *cotangents)._arrays.values():
                        canonical = np.where(np.isnan(array), np.nan, array).astype(dtype)
                        digest.update(canonical.tobytes())
rng = np.random.default_rng(7)
for dtype in (np.float32, np.float64):
    for n in (1, 9, 64, 200):
        weight = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.3)
        net = snnc.Recurrent(snnc.Synaptic(0.8, 0.9), weight,
                             snnc.Projection(csr(weight), delay=3, decay=0.7), bias=0.1)
        x = rng.normal(0.3, 0.8, (20, 3, n)).astype(dtype)
        for array in net.run(x, record=("spk", *net.states)):
            digest.update(array.tobytes())
        for layer in (snnc.RLeaky(0.9, linear_features=n, rng=1, threshold=0.5),
                      snnc.RSynaptic(0.8, 0.9, V=rng.normal(size=n), all_to_all=False,
                                     reset_delay=False, reset_mechanism="zero")):
            rec = layer.run(x, grad=True)
            gradients = layer.backward(rec, rng.normal(size=x.shape))
            for array in (*rec, *gradients._arrays.values()):
                digest.update(array.tobytes())
print(digest.hexdigest(), _core.isa)
"""


@pytest.mark.parametrize("isa", _core.isas)
def test_goldens(isa):
    arguments = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    names = ("golden", "backward", "recurrent", "recurrent_backward")
    tests = (str(ROOT / "tests" / f"test_{name}.py") for name in names)
    result = run_isa(isa, *arguments, "-k", "snntorch or public or constants", *tests)
    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


def test_all_equal():
    """Those asked for by name, and what is chosen by itself: it may mix them."""
    isas = (*_core.isas, None)
    results = {isa: run_isa(isa, "-c", HASH, str(ROOT / "tests")) for isa in isas}
    for isa, result in results.items():
        assert result.stdout.split()[1:] == [isa or _core.isa], result.stderr
    assert len({result.stdout.split()[0] for result in results.values()}) == 1
