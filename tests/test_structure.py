"""What the design promises about the parts: who knows whom, and what an import costs."""

import ast
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import CLASSES, ROOT

import snnc
from snnc import _core

CSRC = ROOT / "csrc"
PACKAGE = Path(snnc.__file__).parent  # maybe that of a wheel
FILES = [p.relative_to(CSRC).as_posix() for p in CSRC.rglob("*") if p.suffix in (".c", ".h")]


# Of C, of the instruction sets, and of threads.
SYSTEM_HEADERS = {
    *("fenv.h", "float.h", "math.h", "stddef.h", "stdint.h", "string.h"),
    *("immintrin.h", "emmintrin.h", "arm_neon.h"),
    *("pthread.h", "sched.h", "signal.h", "stdatomic.h", "windows.h"),
}


def text(name):
    return (CSRC / name).read_text()


def own_includes(name):
    """The files of csrc that a file includes, as paths from there."""
    here = Path(name).parent
    found = (
        (here / included, Path(included))
        for included in re.findall(r'#\s*include\s*"([^"]+)"', text(name))
    )
    return {next(p for p in places if (CSRC / p).exists()).as_posix() for places in found}


def test_only_the_binding_knows_python():
    knows = {name for name in FILES if re.search(r"#\s*include\s*<(Python|numpy)", text(name))}
    assert knows
    assert all(name.startswith("binding/") for name in knows)
    outside = [name for name in FILES if not name.startswith("binding/")]
    for name in outside:
        assert not any(other.startswith("binding/") for other in own_includes(name)), name
        assert set(re.findall(r"#\s*include\s*<([^>]+)>", text(name))) <= SYSTEM_HEADERS, name


def test_the_binding_knows_the_core_by_its_api_and_its_threads():
    for name in FILES:
        if name.startswith("binding/"):
            core = {other for other in own_includes(name) if other.startswith("core/")}
            assert core <= {"core/threads.h"}, name


def test_includes_go_one_way():
    """No file includes itself, by way of others either."""
    graph = {name: own_includes(name) for name in FILES}

    def reached(name, seen):
        for other in graph.get(name, ()):
            if other not in seen:
                seen.add(other)
                reached(other, seen)
        return seen

    assert not [name for name in FILES if name in reached(name, set())]


def test_cells_know_nothing():
    cells = [name for name in FILES if name.startswith("core/cells/")]
    assert len(cells) == len(_core.models) + 1  # and what they share
    assert not [name for name in cells if re.search(r"#\s*include", text(name))]


def test_no_file_is_too_long():
    for folder, most in ((CSRC / "binding", 700), (PACKAGE / "neurons", 600)):
        for path in folder.iterdir():
            if path.suffix in (".c", ".h", ".py"):
                assert len(path.read_text().splitlines()) <= most, path


def python(code, **env):
    import os

    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        check=False, capture_output=True, text=True, env={**os.environ, **env},
    )  # fmt: skip


def test_import_without_docstrings():
    code = "import snnc; print(snnc.Leaky(0.9).run([1.0, 2.0]).spk)"
    result = subprocess.run(
        [sys.executable, "-OO", "-P", "-c", code], capture_output=True, text=True
    )
    assert result.stdout == "[0. 1.]\n", result.stderr


def test_import_loads_numpy_and_nothing_optional():
    result = python(
        "import sys, numpy; before = set(sys.modules); import snnc\n"
        "print(*sorted(m for m in set(sys.modules) - before))"
    )
    assert result.returncode == 0, result.stderr
    roots = {name.split(".")[0] for name in result.stdout.split()}
    assert roots - sys.stdlib_module_names == {"snnc"}  # which of the latter NumPy loads, varies
    assert "snnc.spikeplot" not in result.stdout


def test_spikeplot_without_matplotlib_says_what_to_install():
    result = python("import sys; sys.modules['matplotlib'] = None\nimport snnc; snnc.spikeplot")
    assert "ImportError: snnc.spikeplot needs matplotlib: pip install matplotlib" in result.stderr


def test_attributes_of_the_package():
    import snnc

    assert set(snnc.__all__) <= set(dir(snnc))
    assert all(hasattr(snnc, name) for name in snnc.__all__)
    assert snnc.spikeplot.raster
    with pytest.raises(AttributeError, match="no attribute 'wrong'"):
        _ = snnc.wrong


def test_wrong_instruction_set_is_an_import_error():
    for name in ("sse9", "", "AVX2"):
        result = python("import snnc", SNNC_ISA=name)
        assert result.returncode == 1
        assert "ImportError" in result.stderr
        assert "baseline" in result.stderr


def test_subinterpreters_are_refused():
    code = (
        "import importlib\n"
        "for name in ('_interpreters', '_xxsubinterpreters'):\n"
        "    try: i = importlib.import_module(name); break\n"
        "    except ImportError: pass\n"
        "s = i.create()\n"
        "try: r = i.run_string(s, 'import snnc._core')\n"
        "except Exception as e: r = e\n"
        "print(r)\n"
    )
    result = python(code)
    assert "ImportError" in result.stdout, result.stdout + result.stderr


def test_main(capsys):
    import snnc.__main__ as main

    assert main.main([]) == 0
    printed = capsys.readouterr().out
    assert "23 41 53 71 83 101 113 131 143 161 173 191" in printed
    assert "133 173" in printed
    for name in main.IMPLEMENTATIONS:
        assert name in printed


def test_main_draws_a_figure(tmp_path, capsys):
    import snnc.__main__ as main

    assert main.main(["--figure", str(tmp_path / "figure.png")]) == 0
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    for wrong in (tmp_path / "nowhere" / "figure.png", tmp_path / "figure.unknown"):
        assert main.main(["--figure", str(wrong)]) == 1
        assert f"--figure {wrong}: " in capsys.readouterr().err


# ---- Python ----


MODULES = {p.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", "."): p
           for p in PACKAGE.rglob("*.py") if p.name != "__main__.py"}  # fmt: skip
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}


def imports(path, lazy):
    """The modules of snnc that a module imports, with the names it takes of each."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if lazy else tree.body
    found = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "snnc":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    found.setdefault(whole, set())
                else:
                    found.setdefault(node.module, set()).add(alias.name)
    return found


def test_imports_go_one_way():
    graph = {name: set(imports(path, lazy=False)) - {"snnc"} for name, path in MODULES.items()}

    def reached(name, seen):
        for other in graph.get(name, ()):
            if other not in seen:
                seen.add(other)
                reached(other, seen)
        return seen

    assert not [name for name in MODULES if name in reached(name, set())]


LAYERS = (
    ("snnc._arguments",),
    ("snnc._threads", "snnc.surrogate", "snnc.recording"),
    ("snnc._product",),
    ("snnc._backward",),
    ("snnc._backward_loop",),
    tuple(name for name in MODULES if name.startswith("snnc.neurons")),
)  # and the rest


def test_a_layer_imports_those_below_it():
    rank = {name: i for i, names in enumerate(LAYERS) for name in names}
    for name in MODULES:
        mine = rank.get(name, len(LAYERS))
        for other in set(imports(MODULES[name], lazy=False)) & MODULES.keys() - {"snnc"}:
            theirs = rank.get(other, len(LAYERS))
            within = theirs == mine >= len(LAYERS) - 1  # neurons, and the rest
            assert theirs < mine or within, (name, other)


def test_no_module_takes_anothers_private_names():
    for name, path in MODULES.items():
        for module, names in imports(path, lazy=True).items():
            private = {n for n in names if n.startswith("_") and n != "_core"}
            assert not private, (name, module, private)


def test_torch_is_imported_by_its_own_modules_alone():
    imports_torch = re.compile(r"^ *(import|from) torch\b", re.MULTILINE)
    knows = [name for name, path in MODULES.items() if imports_torch.search(path.read_text())]
    assert sorted(knows) == ["snnc._torch", "snnc.torch"]
    code = "import sys; sys.modules['torch'] = None; import snnc.torch"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert "snnc.torch needs PyTorch: pip install torch" in result.stderr


@pytest.mark.parametrize("module", [snnc, snnc.functional])
def test_dir_shows_what_is_public(module):
    public = {name for name in dir(module) if not name.startswith("_")}
    assert public == set(module.__all__)


def test_pickles_of_before_the_move_load():
    """Of every class, made by version 0.1 while `snnc.neurons` and `snnc.lif` were files."""
    found = pickle.loads((ROOT / "tests" / "golden" / "pickles_0_1.pickle").read_bytes())
    assert found["neurons"].keys() == CLASSES.keys() == found["held"].keys()
    x = np.full((6, 3), 0.4, np.float32)
    for name, neuron in found["neurons"].items():
        assert type(neuron) is CLASSES[name]
        rec = neuron.run(x)
        for array, old in zip(rec, found["recs"][name], strict=True):
            np.testing.assert_array_equal(array, old)
        assert type(found["recs"][name].state) is neuron.State
        again = pickle.loads(pickle.dumps(neuron))
        assert again == neuron
        states = [getattr(found["held"][name], state) for state in neuron.states]
        assert all(state.shape == (3,) for state in states)
    assert found["net"].run(x[:, None])["lif"].spk.shape == (6, 1, 2)
    assert repr(found["adam"]).startswith("Adam(")
    assert found["grads"].x.shape == (6, 3)
    assert {type(loss).__name__ for loss in found["losses"]} == {
        name for name in snnc.functional.__all__ if name.endswith(("_loss", "_sparsity"))
    }
    assert {type(s).__name__ for s in found["surrogates"]} == set(snnc.surrogate.__all__)
    assert all(s(np.zeros(2)).shape == (2,) for s in found["surrogates"])
    assert repr(found["sgd"]).startswith("SGD(")
    assert found["recordings"]["lif"].spk.shape == (6, 1, 2)


@pytest.mark.parametrize("cls", CLASSES.values())
def test_docstrings_are_of_the_class_s_own_descriptors(cls):
    for name, descriptor in cls._described.items():
        assert getattr(cls, name) is descriptor
