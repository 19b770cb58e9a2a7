"""What the design promises about the parts: who knows whom, and what an import costs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

CSRC = ROOT / "csrc"
FILES = [p.relative_to(CSRC).as_posix() for p in CSRC.rglob("*") if p.suffix in (".c", ".h")]


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
    assert len(cells) == 6
    assert all(not own_includes(name) for name in cells)


def test_no_file_is_too_long():
    for folder, most in (("csrc/binding", 700), ("snnc/neurons", 600)):
        for path in (ROOT / folder).iterdir():
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

    assert main.main() == 0
    printed = capsys.readouterr().out
    assert "23 41 53 71 83 101 113 131 143 161 173 191" in printed
    assert "133 173" in printed
    for name in main.WAYS:
        assert name in printed
