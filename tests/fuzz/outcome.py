"""What a call has returned and left behind, in a form that can be compared."""

import numpy as np

import snnc
from snnc import nn


def frozen(value):
    """A value by its bits: of a NaN only the position counts."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
        return array.dtype.str, array.shape, array.tobytes()
    if isinstance(value, snnc.Recording):
        return frozen({**value._arrays, "state": tuple(value.state)})
    if isinstance(value, (nn.Recordings, nn.Sequential)):
        return frozen(list(value))
    if isinstance(value, nn.Linear):
        return frozen((value.weight, value.bias))
    if issubclass(type(value), snnc.SpikingNeuron):
        try:
            parameters, options, *_ = value._configuration
        except TypeError:  # its class skipped the constructor
            parameters = options = None
        return frozen([parameters, options, value._held])
    if isinstance(value, dict):
        return tuple((str(name), frozen(item)) for name, item in value.items())
    if isinstance(value, (tuple, list)):
        return tuple(map(frozen, value))
    if hasattr(value, "_arrays"):  # gradients
        return frozen(value._arrays)
    return repr(value) if isinstance(value, (int, float, str)) else type(value).__name__


def snapshot(*values):
    """What a call that fails leaves as it was: neurons, networks and generators among these."""
    found = {}
    for value in values:
        kind = type(value)  # which an object may lie about
        if issubclass(kind, (snnc.SpikingNeuron, nn.Sequential)):
            found[f"a {kind.__name__}"] = frozen(value)
        elif issubclass(kind, np.random.Generator):
            found["a generator"] = str(np.random.Generator.bit_generator.__get__(value).state)
    return found


def assert_unchanged(before, *values):
    after = snapshot(*values)
    changed = [name for name in before if before[name] != after.get(name)]
    assert not changed, f"{' and '.join(changed)} changed"
