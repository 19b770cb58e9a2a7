"""The docstrings of the classes: parts that each writes, and the descriptors' paragraphs."""

from __future__ import annotations

from typing import Any

WIDTH = 91  # of a line, beside its indentation of 8

# What the signature does not say by its default, and no descriptor stands for.
_TYPES = {"spike_grad": "callable", "v_reset": "float or array_like"}
_OTHERS = {"state_quant": "For the order of snnTorch's arguments; must be False."}

_CALLS = """
    Calls
    -----
    ``spk, {states} = neuron(input_, {states})`` does one step.

    input_ : array_like
        The weighted input of this step. It, the states and the parameters broadcast to the
        neuron shape.
    {states} : array_like
        The states after the last step; at first those of ``reset_mem()``. A neuron that holds
        its states (``init_hidden=True``) takes none.
    out : tuple of (ndarray or None), optional
        Arrays to fill, in the order of what is returned; None allocates. They must have exactly
        the neuron shape and the computing dtype and be C-contiguous. A state's own array may
        be its output: then it is updated in place.
    dtype : {{float32, float64}}, optional
        The dtype to compute in; by default float64 if the input or a state is, else float32.
        Python's own numbers and the parameters do not affect it.

    It returns spikes (0 or 1) and the states after this step, as arrays of the neuron shape, or
    as NumPy scalars where that is (); of a neuron that holds its states the spikes only, unless
    ``output=True``. A missing state, a state given to a neuron that holds its own, and an operand
    that is not an array of real numbers are a TypeError; shapes that don't broadcast, and an
    `out` that is not as described, a ValueError.

    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.{example}
    >>> {states} = lif.reset_mem()
    >>> spk, {states} = lif(np.zeros(3, np.float32), {states})
    >>> spk
    array([0., 0., 0.], dtype=float32)
"""


def _wrapped(text: str) -> list[str]:
    """Break a paragraph into lines."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _type(cls: Any, name: str, default: Any) -> str:
    """Say what an argument of the constructor may be, as numpydoc writes it."""
    kind = getattr(getattr(cls, name, None), "kind", _TYPES.get(name, ""))
    if name in _OTHERS:
        return "False"
    if name in cls._choices:
        others = [choice for choice in cls._choices[name] if choice != default]
        kind = "{" + ", ".join(f'"{choice}"' for choice in (default, *others)) + "}"
    if default is _REQUIRED:
        return kind
    if default is None or (default is False and kind != "bool"):
        return f"{kind}, optional"
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{kind}, default {shown}"


_REQUIRED: Any = object()


def assembled(cls: Any) -> str:
    """Return the docstring of a class, with its arguments in the order of its signature."""
    init = cls.__init__
    code, defaults = init.__code__, init.__defaults__ or ()
    count = code.co_argcount
    names = code.co_varnames[1 : count + code.co_kwonlyargcount]
    values = dict(zip(code.co_varnames[count - len(defaults) : count], defaults, strict=True))
    values.update(init.__kwdefaults__ or {})
    lines = []
    for name in names:
        text = _OTHERS.get(name) or " ".join(getattr(cls, name).__doc__.split())
        lines.append(f"{name} : {_type(cls, name, values.get(name, _REQUIRED))}")
        lines += [f"    {line}" for line in _wrapped(text)]
    calls = _CALLS.format(states=", ".join(cls.states), example=f"{cls.__name__}({cls._example})")
    return str(
        cls.__doc__.replace("    {parameters}", "\n".join(f"    {line}" for line in lines))
    ).replace("    {calls}", calls.strip("\n"))
