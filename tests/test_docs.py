"""Every example in a docstring, and every Python block of the README, does what it shows."""

import doctest
import importlib
import pkgutil
import re

import pytest
from support import CLASSES, ROOT

import snnc

MODULES = ["snnc", *(m.name for m in pkgutil.walk_packages(snnc.__path__, "snnc."))]
OTHERS = ("_core", "__main__", "snnc.torch", "snnc._torch")  # the last two: tests/torch
MODULES = [name for name in MODULES if not name.endswith(OTHERS)]


@pytest.fixture(autouse=True)
def _agg(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_documented():
    """Every public class and function has a docstring with an example."""
    for name in MODULES[1:]:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            if public != "SpikingNeuron":
                assert ">>>" in getattr(module, public).__doc__, f"{name}.{public}"
    for cls in CLASSES.values():
        states = ", ".join(cls.states)
        assert f">>> spk, {states} = lif(" in cls.__doc__


README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readme():
    assert BLOCKS
    names = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)
    assert names["spikes"] == [23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191]
    assert names["same"]
    assert names["ported"] == names["spikes"]
