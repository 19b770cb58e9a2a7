"""What a distribution says of itself, and how it refuses what is too old."""

import re
import subprocess
import sys
import tomllib

import pytest
from support import ROOT

import snnc

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_versions_agree():
    header = re.search(r'SNNC_VERSION "(.+)"', (ROOT / "csrc" / "snnc.h").read_text())[1]
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    assert snnc.__version__ == header == citation


def test_what_extras_and_groups_name_is_there():
    extras = PYPROJECT["project"]["optional-dependencies"]
    groups = PYPROJECT["dependency-groups"]
    entries = [one for some in (*extras.values(), *groups.values()) for one in some]
    included = {one["include-group"] for one in entries if isinstance(one, dict)}
    named = [re.fullmatch(r"snnc\[(.+)\]", one) for one in entries if isinstance(one, str)]
    assert {extra for match in named if match for extra in match[1].split(",")} <= extras.keys()
    assert included <= groups.keys()
    assert PYPROJECT["project"]["dependencies"] == ["numpy>=2.0"]


def test_every_package_is_listed():
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in ROOT.glob("snnc/**/__init__.py")}
    if not found:
        pytest.skip("tested without the source")
    assert found == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_an_older_numpy_is_named_at_import():
    code = "import numpy; numpy.__version__ = '1.26.4'; import snnc"
    result = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: snnc needs NumPy 2.0 or newer, and NumPy 1.26.4 is")


def run_setup(setuptools, numpy, *, free_threaded=False, python=(3, 11)):
    """Run setup.py among tools of these versions; it prints what it asks of setuptools."""
    code = f"""
import runpy, sys, sysconfig, types
sysconfig.get_config_var = {{"Py_GIL_DISABLED": {int(free_threaded)}}}.get
sys.version_info = {python}
commands = "setuptools.command.build_ext", "setuptools.command.build_py"
for name in ("setuptools", "setuptools.command", *commands, "numpy"):
    sys.modules[name] = types.ModuleType(name)
for name in commands:
    setattr(sys.modules[name], name.rpartition(".")[2], object)
sys.modules["setuptools"].__version__ = {setuptools!r}
sys.modules["setuptools"].Extension = lambda name, **asked: asked
def setup(ext_modules, options, **_):
    [extension] = ext_modules
    print(extension["define_macros"], extension["py_limited_api"], options)
sys.modules["setuptools"].setup = setup
sys.modules["numpy"].__version__ = numpy = {numpy!r}
sys.modules["numpy"].get_include = lambda: "numpy"
if numpy is None:
    sys.modules["numpy"] = None
runpy.run_path("setup.py")
"""
    return subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT
    )


@pytest.mark.parametrize(
    ("versions", "python", "expected"),
    [
        (("65.5.0", "2.0.0"), {}, "setuptools 77 or newer, and setuptools 65.5.0 is installed"),
        (("77.0.1", "1.26.4"), {}, "numpy 2.0 or newer, and numpy 1.26.4 is installed"),
        (("77.0.1", None), {}, "numpy 2.0 or newer, and numpy is not installed"),
        (
            ("84.1.0", "2.5.0"),
            {"free_threaded": True, "python": (3, 15)},
            "setuptools 84.2 or newer, and setuptools 84.1.0 is installed",
        ),
        (
            ("84.2.0", "2.4.9"),
            {"free_threaded": True, "python": (3, 15)},
            "numpy 2.5 or newer, and numpy 2.4.9 is installed",
        ),
    ],
)
def test_a_build_with_older_tools_ends_in_one_line(versions, python, expected):
    result = run_setup(*versions, **python)
    assert result.returncode == 1
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("versions", "python", "expected"),
    [
        (("77.0.1", "2.0.0"), {}, ("Py_LIMITED_API", "0x030B0000", "cp311")),
        (("77.0.1", "2.0.0"), {"python": (3, 14)}, ("Py_LIMITED_API", "0x030B0000", "cp311")),
        (("100.0", "10.0.0"), {"python": (3, 15)}, ("Py_LIMITED_API", "0x030B0000", "cp315")),
        (("77.0.1", "2.1.0"), {"free_threaded": True, "python": (3, 14)}, None),
        (
            ("84.2.0", "2.5.0"),
            {"free_threaded": True, "python": (3, 15)},
            ("Py_TARGET_ABI3T", "0x030F0000", "cp315"),
        ),
        (
            ("100.0", "10.0.0"),
            {"free_threaded": True, "python": (3, 16)},
            ("Py_TARGET_ABI3T", "0x030F0000", "cp315"),
        ),
    ],
)
def test_the_stable_abi_of_each_python(versions, python, expected):
    result = run_setup(*versions, **python)
    assert result.stderr == ""
    if expected is None:  # it has none
        assert result.stdout.strip() == "[] False {}"
    else:
        macro, value, tag = expected
        options = {"bdist_wheel": {"py_limited_api": tag}}
        assert result.stdout.strip() == f"[{(macro, value)}] True {options}"
