"""The extension module: private, positional, checked by `stubtest` against the build."""

from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import disjoint_base

version: Final[str]
compiler: Final[str]
isa: Final[str]
isas: Final[tuple[str, ...]]
resets: Final[tuple[str, ...]]
records: Final[tuple[str, ...]]
surrogates: Final[Mapping[str, int]]
models: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...], bool, tuple[str, ...]]]]

@disjoint_base
class Neuron:
    _cell: Any
    _held: tuple[Any, ...] | None
    _indirect: bool
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def cell(*args: Any) -> object: ...
def step(*args: Any) -> tuple[Any, ...]: ...
def run(*args: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], int, tuple[Any, ...] | None]: ...
def backward(*args: Any) -> None: ...
def excess(*args: Any) -> None: ...
def surrogate(*args: Any) -> Any: ...
def empty(*args: Any) -> Any: ...
def events(*args: Any) -> tuple[Any, Any]: ...
