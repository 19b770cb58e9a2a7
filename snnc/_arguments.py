"""Checks of arguments, and error messages, that several modules share."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from snnc import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from numpy.typing import DTypeLike, NDArray

    Floats = NDArray[Any]

    # What numpy.random.default_rng takes, with SPEC 7's names.
    SeedLike: TypeAlias = int | np.integer[Any] | Sequence[int] | np.random.SeedSequence
    RNGLike: TypeAlias = np.random.Generator | np.random.BitGenerator

MOST_SHOWN = 8  # elements of an array


def real_numbers(name: str, value: Any) -> NDArray[Any]:
    """Return a number, or what `asarray` takes, as an array of its own type, without a copy.

    Real numbers of at most 64 bits, or a TypeError (a ValueError of a ragged list) that names
    the argument. An error of another class comes from the object's own code: it gets a note.
    """
    array: NDArray[Any] = _core.real_numbers(name, value)
    return array


def shown(value: Any) -> str:
    """Show a parameter in a line: a number, a few of them, or an array's dtype and shape."""
    if isinstance(value, np.ndarray) and value.size > MOST_SHOWN:
        return f"<{value.dtype} {value.shape}>"
    return str(value)


def is_double(array: NDArray[Any]) -> bool:
    """Whether it is of float64, in either byte order."""
    return array.dtype.type is np.float64


def real_array(name: str, value: Any) -> Floats:
    """Copy a number or an array of real numbers: float32 as it is, others as float64."""
    array = real_numbers(name, value)
    return array.astype(np.float32 if array.dtype.type is np.float32 else np.float64)


def frozen(array: Floats) -> Floats:
    """Return a read-only view, which can't be made writeable: its base is read-only too."""
    array.flags.writeable = False
    return array.view()


def cast(parameters: Mapping[str, Floats], dtype: DTypeLike) -> dict[str, Floats]:
    return {name: np.asarray(array, dtype) for name, array in parameters.items()}


def plain(array: Floats) -> Any:
    """Return a number of Python's where it is one, else the array."""
    return array.item() if array.ndim == 0 else array


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r}; expected True or False")
    return bool(value)


def index(name: str, value: Any, expected: str = "an integer") -> int:
    """Return an integer; errors of its own ``__index__`` stay as they are."""
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name}={value!r}; expected {expected}")
    return operator.index(value)


def at_least_one(name: str, value: Any) -> int:
    """Return an integer of at least 1."""
    expected = "an integer of at least 1"
    number = index(name, value, expected)
    if number < 1:
        raise ValueError(f"{name}={value!r}; expected {expected}")
    return number


def generator(name: str, value: RNGLike | SeedLike | None) -> np.random.Generator:
    """Return the generator that `numpy.random.default_rng` makes of a seed, or a given one."""
    if isinstance(value, np.random.Generator):  # of which default_rng would ask more
        return value
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}={value!r}; expected an int of at least 0, a numpy.random.Generator, or what "
            "else numpy.random.default_rng takes"
        ) from None


def in_layer(name: str, error: Exception) -> Exception:
    """Return the error with the name of the layer that raised it.

    It is said anew with the name in front, or gets a note where its class may have another
    constructor.
    """
    if type(error) in (TypeError, ValueError):
        return type(error)(f"layer {name!r}: {error}")
    error.add_note(f"in layer {name!r}")
    return error


def missing(owner: str, name: str, instead: str | None, obj: Any = None) -> AttributeError:
    """Return the error for an attribute that is not there, with what to write instead."""
    hint = f": {instead}" if instead else ""
    return AttributeError(f"{owner} has no attribute {name!r}{hint}", name=name, obj=obj)


def missing_names(module: str, instead: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__``, for names that snnTorch or PyTorch has there."""

    def __getattr__(name: str) -> Any:
        raise missing(f"module {module!r}", name, instead.get(name))

    return __getattr__
