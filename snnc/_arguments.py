"""What every module asks of an argument that is an array of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


def real_numbers(name: str, value: Any) -> NDArray[Any]:
    """Return a number, or what `asarray` takes, as an array of its own type, without a copy.

    Real numbers of at most 64 bits, or a TypeError (a ValueError of a ragged list) that names
    the argument.
    """
    if isinstance(value, np.ndarray) and hasattr(value, "mask"):  # without importing numpy.ma
        raise TypeError(f"{name} is a masked array; expected a number or an array")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # of torch: a tensor elsewhere
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{name} is not an array of real numbers: {error}") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        shown = f" has dtype {array.dtype}" if isinstance(value, np.ndarray) else f"={value!r}"
        raise TypeError(f"{name}{shown}; expected a real number or an array of them")
    return array
