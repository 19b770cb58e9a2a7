"""Every example in a docstring, of the README and of the documentation does what it shows."""

import ast
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


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def run_blocks(page):
    """Run a page's Python blocks, in one namespace: a comment after an expression is its repr."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        lines = block.splitlines()
        for statement in ast.parse(block).body:
            source = ast.get_source_segment(block, statement)
            exec(compile(source, str(page), "exec"), names)
            comment = lines[statement.end_lineno - 1][statement.end_col_offset :].strip(" #")
            if isinstance(statement, ast.Expr) and comment:
                assert repr(eval(source, names)) == comment
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages(page):
    run_blocks(page)


def test_readme():
    names = run_blocks(ROOT / "README.md")
    assert names["spikes"] == [23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191]


def test_pages_for_those_who_come():
    assert run_blocks(ROOT / "docs" / "from_numpy.md")["same"]
    assert run_blocks(ROOT / "docs" / "from_snntorch.md")["ported"] == [
        23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191,
    ]  # fmt: skip
