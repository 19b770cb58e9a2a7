"""The core as a C library: what `snnc.get_include()` has is compiled, and gives snnc's bits."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from support import ROOT

import snnc
from snnc import _core

EXAMPLES = ROOT / "examples" / "c_library"
PAGE = (ROOT / "docs" / "c_library.md").read_text()
INCLUDE = Path(snnc.get_include())
PC = (INCLUDE / "snnc.pc").read_text()
EXACT = re.search(r"^exact=(.+)$", PC, re.MULTILINE)[1].split()
# Optimized, the row functions take minutes to compile; their bits don't depend on it.
QUICK = ["-O0", "-DSNNC_NO_TEMPLATES"]


def compiler(variable, *others):
    """What the environment or Python was built with, or one of the usual names; None: none.

    By paths, for a test puts programs of these names before them.
    """
    found = os.environ.get(variable) or sysconfig.get_config_var(variable) or ""
    for command in (shlex.split(found), *([name] for name in others)):
        if command and shutil.which(command[0]):
            return [shutil.which(word) or word for word in command]
    return None


CC = compiler("CC", "cc", "gcc", "clang")
CXX = compiler("CXX", "c++", "g++", "clang++")
needs_c = pytest.mark.skipif(CC is None, reason="no C compiler")
needs_cpp = pytest.mark.skipif(CC is None or CXX is None, reason="no C++ compiler")
needs_nm = pytest.mark.skipif(shutil.which("nm") is None, reason="no nm: it is in binutils")


def output(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def compile_core(folder, *options):
    """A static library of the core, as the page makes it."""

    def compile_one(source):
        made = folder / f"{Path(source).stem}.o"
        output(*CC, *QUICK, *EXACT, *options, f"-I{INCLUDE}", "-c", source, "-o", str(made))
        return str(made)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, snnc.get_sources()))
    output("ar", "rcs", str(folder / "libsnnc.a"), *objects)
    return str(folder / "libsnnc.a")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compile_core(tmp_path_factory.mktemp("core"))


def build(compile_it, source, library, folder):
    program = str(folder / Path(source).stem)
    options = ["-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}"]
    output(*compile_it, *options, str(source), library, "-lm", "-o", program)
    return program


def picture(spk, mem):
    """What the programs print: a row for each step, and the bits of mem."""
    assert spk.size / 20 < spk.sum() < spk.size / 2
    rows = ["".join("|" if one else "." for one in row) for row in spk]
    return rows, [float(value) for value in mem]


def printed(text):
    lines = text.splitlines()
    rows = [line for line in lines if set(line) <= {"|", "."}]
    return rows, [float.fromhex(line) for line in lines[len(rows) :]]


def ramps(divisor):
    """The programs' input."""
    t, i = np.ogrid[:40, :10]
    return ((37 * t + 11 * i) % 64 / divisor).astype(np.float32)


def expected_of_c():
    rec = snnc.Leaky(beta=0.9).run(ramps(128), record="spk")
    return picture(rec.spk, rec.state.mem)


def expected_of_cpp():
    beta = np.arange(1, 11, dtype=np.float32) / 16
    rec = snnc.Leaky(beta=beta).run(ramps(64), record="spk")
    return picture(rec.spk, rec.state.mem)


# ---- what there is ----


def test_all_of_the_core_is_there_and_nothing_else():
    names = {path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*") if path.is_file()}
    kept = ROOT / "csrc"
    core = {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()}
    core = {name for name in core if not name.startswith("binding/")}
    assert {"snnc.h", "snnc.pc", "models.def", "surrogates.def", "core/engine.c"} <= names
    if INCLUDE.name == "include":  # of a wheel
        assert names == core
    for name in core:
        assert (INCLUDE / name).read_bytes() == (kept / name).read_bytes(), name


def test_sources():
    sources = snnc.get_sources()
    assert {Path(source).parent for source in sources} == {INCLUDE / "core"}
    assert sorted(Path(source).name for source in sources) == sorted(
        path.name for path in (ROOT / "csrc" / "core").glob("*.c")
    )


def test_an_installation_without_the_core_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("snnc._c_library.__file__", str(tmp_path / "snnc" / "_c_library.py"))
    with pytest.raises(FileNotFoundError, match=r"snnc\.h is neither in .*include nor in .*csrc"):
        snnc.get_include()


# ---- pkg-config ----


def test_version_of_the_pkg_config_file():
    header = (INCLUDE / "snnc.h").read_text()
    assert re.search(r"^Version: (.+)$", PC, re.MULTILINE)[1] == snnc.__version__
    assert re.search(r'SNNC_VERSION "(.+)"', header)[1] == snnc.__version__


def test_pkg_config():
    if shutil.which("pkg-config") is None:
        pytest.skip("no pkg-config")

    def ask(*options):
        env = {**os.environ, "PKG_CONFIG_PATH": str(INCLUDE)}
        return shlex.split(output("pkg-config", *options, "snnc", env=env))

    assert ask("--modversion") == [_core.version]
    assert ask("--cflags") == [f"-I{INCLUDE}", *EXACT]
    assert ask("--libs") == ["-lm"]
    assert ask("--variable=sourcedir") == [str(INCLUDE / "core")]


def test_build_systems_find_the_pkg_config_file():
    """By the entry point, of a wheel: it names the folder beside this package."""
    (found,) = {point.value for point in entry_points(group="pkg_config", name="snnc")}
    assert found == "snnc.include"
    if INCLUDE.name == "include":
        assert INCLUDE.parent == Path(snnc.__file__).resolve().parent


# ---- the examples ----


@needs_c
def test_c(library, tmp_path):
    program = build([*CC, "-std=c11"], EXAMPLES / "leaky.c", library, tmp_path)
    assert printed(output(program)) == expected_of_c()


@needs_cpp
def test_cpp(library, tmp_path):
    program = build([*CXX, "-std=c++11"], EXAMPLES / "leaky.cpp", library, tmp_path)
    assert printed(output(program)) == expected_of_cpp()


@needs_c
def test_cython(tmp_path):
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")
    for name in ("leaky.pyx", "setup.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    cflags = shlex.join([*QUICK, "-DSNNC_BASELINE_ONLY"])
    output(
        *(sys.executable, "setup.py", "build_ext", "--inplace"),
        cwd=tmp_path,
        env={**os.environ, "CFLAGS": cflags, "PYTHONPATH": str(Path(snnc.__file__).parent.parent)},
    )
    (made,) = (*tmp_path.glob("leaky*.so"), *tmp_path.glob("leaky*.pyd"))
    spec = spec_from_file_location("leaky", made)
    leaky = module_from_spec(spec)
    spec.loader.exec_module(leaky)

    x = np.random.default_rng(0).uniform(0, 0.5, (50, 33)).astype(np.float32)
    mem, spk = np.zeros(33, np.float32), np.empty_like(x)
    for part in (slice(0, 20), slice(20, 20), slice(20, 50)):
        leaky.run(x[part], mem, spk[part], 0.9, threshold=0.75)
    rec = snnc.Leaky(beta=0.9, threshold=0.75).run(x)
    assert 0 < spk.sum() < spk.size
    assert (spk == rec.spk).all()
    assert (mem == rec.state.mem).all()
    with pytest.raises(ValueError, match="mem has 32 neurons; x has 33"):
        leaky.run(x, mem[1:], spk, 0.9)
    with pytest.raises(ValueError, match=r"spk is of shape \(49, 33\); x is of shape \(50, 33\)"):
        leaky.run(x, mem, spk[1:], 0.9)


@needs_c
def test_an_error_has_words(library, tmp_path):
    right = (EXAMPLES / "leaky.c").read_text()
    (tmp_path / "wrong.c").write_text(right.replace("state_out[0] = mem;", "state_out[0] = NULL;"))
    program = build([*CC, "-std=c11"], tmp_path / "wrong.c", library, tmp_path)
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("snnc: ")
    assert "no state_out" in result.stderr


NAMES = """
#include <stdio.h>
#include "snnc.h"
int main(void)
{
    const char *name;
    for (int i = 0; (name = snnc_isa_name_at(i)); i++)
        puts(name);
    puts(snnc_version());
    return 0;
}
"""


@needs_c
def test_baseline_only(library, tmp_path):
    (tmp_path / "names.c").write_text(NAMES)
    smaller = compile_core(tmp_path, "-DSNNC_BASELINE_ONLY")
    program = build([*CC, "-std=c11"], tmp_path / "names.c", smaller, tmp_path)
    assert output(program).split() == ["baseline", snnc.__version__]
    program = build([*CC, "-std=c11"], tmp_path / "names.c", library, tmp_path)
    *names, version = output(program).split()
    assert names[0] == "baseline"
    assert set(_core.isas) <= set(names)


@needs_c
def test_fast_math_is_refused(tmp_path):
    command = [*CC, "-ffast-math", f"-I{INCLUDE}", "-c", str(INCLUDE / "core" / "engine.c")]
    result = subprocess.run(
        [*command, "-o", str(tmp_path / "x.o")], capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "compile without -ffast-math" in result.stderr


# ---- symbols ----


def defined(path, *options):
    """The external symbols that a file defines, without what macOS puts before each."""
    lines = output("nm", *options, "-g", "--defined-only", "-P", path).splitlines()
    names = {line.split()[0] for line in lines if len(line.split()) > 1}
    return {name.removeprefix("_") for name in names} if sys.platform == "darwin" else names


@needs_c
@needs_nm
def test_symbols_of_the_core(library):
    names = defined(library)
    assert {"snnc_run", "snnc_backward", "snnc_threads_run", "snnc_isa_baseline"} <= names
    assert not [name for name in names if not name.startswith("snnc_")]


@needs_nm
@pytest.mark.skipif(sys.platform == "win32", reason="a .pyd has a list of exports")
def test_symbols_of_the_extension():
    dynamic = [] if sys.platform == "darwin" else ["-D"]
    expected = [{"PyInit__core"}]
    if sys.version_info >= (3, 15):
        expected.append({"PyModExport__core"})  # where it was compiled for abi3t
    assert defined(_core.__file__, *dynamic) in expected


# ---- the page ----


@needs_cpp
def test_commands_of_the_page(tmp_path):
    """As they stand there, by compilers that optimise less than these ask for."""
    if shutil.which("pkg-config") is None:
        pytest.skip("no pkg-config")
    bin = tmp_path / "bin"
    bin.mkdir()
    quick = [*QUICK, "-DSNNC_BASELINE_ONLY"]
    for name, real in (("cc", CC), ("c++", CXX), ("python", [sys.executable])):
        options = quick if name != "python" else []
        (bin / name).write_text(f'#!/bin/sh\nexec {shlex.join(real)} "$@" {shlex.join(options)}\n')
        (bin / name).chmod(0o755)
    shutil.copytree(EXAMPLES, tmp_path / "work")
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    env = {
        **os.environ,
        "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(snnc.__file__).parent.parent),
    }
    text = output("sh", "-euc", "".join(blocks), cwd=tmp_path / "work", env=env)
    rows, mem = (a + b for a, b in zip(expected_of_c(), expected_of_cpp(), strict=True))
    assert [line for line in text.splitlines() if set(line) <= {"|", "."}] == rows
    assert [float.fromhex(line) for line in text.splitlines() if "0x" in line] == mem
