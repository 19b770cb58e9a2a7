"""Builds leaky.pyx: pip install cython setuptools snnc, then python setup.py build_ext -i."""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

import snnc

if sys.platform == "win32":
    exact = ["/std:c11", "/fp:precise"]
else:
    exact = ["-std=c11", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]

leaky = Extension(
    "leaky",
    sources=["leaky.pyx", *snnc.get_sources()],
    include_dirs=[snnc.get_include()],
    libraries=[] if sys.platform == "win32" else ["m"],
    extra_compile_args=exact,
)
setup(name="leaky", ext_modules=cythonize([leaky]))
