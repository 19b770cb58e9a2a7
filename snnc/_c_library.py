"""Where the C core is, for programs that compile it in."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_include", "get_sources"]


def get_include() -> str:
    """Give the directory of ``snnc.h``, for programs in C, C++ or Cython.

    Returns
    -------
    str
        A directory of the package, or in an editable checkout ``csrc``. It holds what is
        included, the sources (`get_sources`), and ``snnc.pc`` for pkg-config.

    Raises
    ------
    FileNotFoundError
        If snnc was installed without it.

    See Also
    --------
    get_sources

    Examples
    --------
    >>> import snnc
    >>> from pathlib import Path
    >>> sorted(path.name for path in Path(snnc.get_include()).glob("snnc.*"))
    ['snnc.h', 'snnc.pc']
    """
    package = Path(__file__).resolve().parent
    places = (package / "include", package.parent / "csrc")
    for place in places:
        if (place / "snnc.h").is_file():
            return str(place)
    raise FileNotFoundError(
        f"snnc.h is neither in {places[0]} nor in {places[1]}; install snnc again, from a wheel "
        "or with `pip install -e .`"
    )


def get_sources() -> list[str]:
    """List the C files that a program which uses ``snnc.h`` compiles in.

    Returns
    -------
    list of str
        Their paths, in alphabetical order. They need the directory `get_include` for what they
        include, and C11.

    See Also
    --------
    get_include

    Examples
    --------
    >>> import snnc
    >>> from pathlib import Path
    >>> [Path(source).name for source in snnc.get_sources()][:3]
    ['backward.c', 'cpu.c', 'engine.c']
    """
    return sorted(str(path) for path in Path(get_include(), "core").glob("*.c"))
