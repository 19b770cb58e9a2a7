"""The extension module: what pyproject.toml can't say."""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py


def require(name, version, oldest):
    """End the build in one line where what it takes is too old: without build isolation it may."""
    numbers = [int(number) for number in re.findall(r"\d+", version or "")[:2]]
    if numbers < [int(number) for number in oldest.split(".")]:
        found = "is not installed" if version is None else f"{version} is installed"
        raise SystemExit(
            f"snnc is built with {name} {oldest} or newer, and {name} {found}: "
            f'pip install "{name}>={oldest}", or let pip build in isolation'
        )


# One wheel for every Python from 3.11 on, where an older one than 3.15 makes it: there its file
# has a name for which 3.11 doesn't look. Without the GIL, Python has a stable ABI from 3.15 on
# (PEP 803), and NumPy for it from 2.5 on; before, every version has a wheel of its own.
stable_abi = "cp311" if sys.version_info < (3, 15) else "cp315"
abi_macros = [("Py_LIMITED_API", "0x030B0000")]
oldest_setuptools, oldest_numpy = "77", "2.0"
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    if stable_abi == "cp315":
        abi_macros = [("Py_TARGET_ABI3T", "0x030F0000")]
        oldest_setuptools, oldest_numpy = "84.2", "2.5"
    else:
        stable_abi, abi_macros = None, []

require("setuptools", setuptools.__version__, oldest_setuptools)
try:
    import numpy
except ModuleNotFoundError:
    numpy = None
require("numpy", getattr(numpy, "__version__", None), oldest_numpy)

SOURCES = sorted(path.as_posix() for path in Path("csrc").glob("*/*.c"))
HEADERS = [p.as_posix() for p in Path("csrc").rglob("*") if p.suffix in (".h", ".def", ".pc")]
EXACT = re.search(r"^exact=(.+)$", Path("csrc/snnc.pc").read_text(), re.MULTILINE)[1]

if sys.platform == "win32":
    flags = ["/O2", "/std:c11", "/fp:precise"]
else:
    flags = (
        f"-std=c11 -O2 {EXACT} -fvisibility=hidden"
        # Debug information would be most of the wheel, unwind tables of row functions 25 kB.
        " -g0 -fno-asynchronous-unwind-tables"
    ).split()
    if platform.machine() == "s390x":
        flags.append("-fexcess-precision=fast")  # where -std=c11 computes float in double

if sys.platform == "win32":
    compiler = 'Build Tools for Visual Studio 2022, with "Desktop development with C++"'
elif sys.platform == "darwin":
    compiler = "xcode-select --install"
elif shutil.which("dnf"):
    compiler = "dnf install gcc python3-devel"
else:
    compiler = "apt install gcc libc6-dev python3-dev, or what your system calls them"


def is_gcc(command):
    """Whether a command compiles by GCC, and not by what says that it is compatible."""
    command = [*command, "-dM", "-E", "-x", "c", os.devnull]
    try:
        macros = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:  # which compiling says better
        return False
    return "__GNUC__" in macros and "__clang__" not in macros


class BuildWithHint(build_ext):
    """Compiles several files at a time, and says what to install where a compiler is missing."""

    def build_extensions(self):
        """Build, or say what that takes."""
        compile_some = self.compiler.compile

        def compile_all(sources, *args, **kwargs):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                lists = pool.map(lambda one: compile_some([one], *args, **kwargs), sources)
                return [name for names in lists for name in names]

        if sys.platform != "win32":  # whose compiler is set up at its first use
            self.compiler.compile = compile_all
            if is_gcc(self.compiler.compiler_so):
                # By its default it copies the loops for every way to come to them: a tenth of
                # the wheel, for no time that could be measured.
                for extension in self.extensions:
                    extension.extra_compile_args += ["--param=max-jump-thread-duplication-stmts=6"]
        try:
            super().build_extensions()
        except Exception as error:
            raise SystemExit(
                f"snnc is compiled from C, and that failed ({error}); "
                f"it takes a C compiler and Python's headers: {compiler}"
            ) from error


class BuildWithCore(build_py):
    """Copies the C core into the package, where `snnc.get_include()` finds it."""

    def copies(self):
        """Give the path of each copy, with that of its original: in an editable install, none."""
        if self.editable_mode:
            return {}
        core = (Path(name) for name in SOURCES + HEADERS if not name.startswith("csrc/binding"))
        include = Path(self.build_lib, "snnc", "include")
        return {str(include / path.relative_to("csrc")): str(path) for path in core}

    def run(self):
        """Build, and copy."""
        super().run()
        for copy, original in self.copies().items():
            self.mkpath(str(Path(copy).parent))
            self.copy_file(original, copy, preserve_mode=False)

    def get_outputs(self, include_bytecode=True):
        """List the copies too."""
        return super().get_outputs(include_bytecode) + list(self.copies())


setup(
    cmdclass={"build_ext": BuildWithHint, "build_py": BuildWithCore},
    version=re.search(r'SNNC_VERSION "(.+)"', Path("csrc/snnc.h").read_text())[1],
    ext_modules=[
        Extension(
            "snnc._core",
            sources=SOURCES,
            depends=HEADERS,
            include_dirs=["csrc", numpy.get_include()],
            extra_compile_args=flags,
            define_macros=abi_macros,
            libraries=[] if sys.platform == "win32" else ["m"],  # modes of arithmetic
            extra_link_args=["-Wl,-s"] if sys.platform == "linux" else [],  # no names of rows
            py_limited_api=bool(stable_abi),
        )
    ],
    options={"bdist_wheel": {"py_limited_api": stable_abi}} if stable_abi else {},
)
