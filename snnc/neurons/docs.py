"""The docstrings of the classes: parts that each writes, and the descriptors' paragraphs."""

from __future__ import annotations

from typing import Any

from snnc.neurons.descriptors import Choice

WIDTH = 91  # of a line, beside its indentation of 8

# Arguments of constructors that are no attributes.
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
{rng}dtype : {{float32, float64}}, optional
    The dtype to compute in; by default {dtype}.

It returns the spikes ({spikes}) and the states after this step, as arrays of the neuron shape, or
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


# What models may say otherwise.
_OF_CALLS = {
    "spikes": "0 or 1",
    "rng": "",
    "dtype": "float64 if the input or a state is, else float32.\n    Python's own numbers and the "
    "parameters do not affect it",
}


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
    if name in _OTHERS:
        return "False"
    descriptor = cls._described[name]
    kind: str = descriptor.kind
    if isinstance(descriptor, Choice):
        others = [choice for choice in descriptor.choices if choice != default]
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
    parameters = []
    for name in names:
        text = _OTHERS.get(name) or cls._described[name].__doc__
        parameters.append(f"{name} : {_type(cls, name, values.get(name, _REQUIRED))}")
        parameters += [f"    {line}" for line in _wrapped(text)]
    example = f"{cls.__name__}({cls._example})"
    calls = _CALLS.format(
        states=", ".join(cls.states), example=example, **{**_OF_CALLS, **cls._of_calls}
    )
    parts = {"{parameters}": parameters, "{calls}": calls.strip("\n").split("\n")}
    lines = []
    for line in cls.__doc__.split("\n"):  # indented, but by Python 3.13 and later
        part = parts.get(line.strip(), [line.strip()])
        indentation = line[: len(line) - len(line.lstrip())]
        lines += [indentation + each if each else each for each in part]
    return "\n".join(lines)
