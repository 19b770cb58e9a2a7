"""Networks of snnTorch's, read by their attributes: neither it nor PyTorch is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnc import surrogate
from snnc.neurons import Alpha, Lapicque, Leaky, Synaptic

if TYPE_CHECKING:
    from typing import Any

    from snnc import nn

__all__ = ["from_snntorch"]

_PARAMETERS = {
    Lapicque: ("beta", "R", "C", "time_step", "threshold"),
    Leaky: ("beta", "threshold", "graded_spikes_factor"),
    Synaptic: ("alpha", "beta", "threshold"),
    Alpha: ("alpha", "beta", "threshold"),
}
_CLASSES = {cls.__name__: cls for cls in _PARAMETERS}


def from_snntorch(module: Any) -> Any:
    """Make the counterpart of a neuron of snnTorch's, or of a network of them.

    Parameters
    ----------
    module : snntorch neuron, torch.nn.Linear, or torch.nn.Sequential of these
        Read by attributes; neither package is needed here.

    Returns
    -------
    neuron, snnc.nn.Linear or snnc.nn.Sequential
        With the same parameters (in their own precision) and options, the surrogate and
        ``reset_delay`` and ``inhibition`` included, which a ``state_dict`` doesn't hold; in a
        Sequential under the same names, so that state_dicts fit. There, neurons don't hold their
        states (``init_hidden``): a run starts at rest.

    Raises
    ------
    TypeError
        If a module is of another kind.
    ValueError
        If it has an option that snnc has not.

    Notes
    -----
    Spikes are snnTorch's, bit for bit, for one and the same input current; those of a network up
    to the rounding of its matrix products, whose order of summation no library promises.

    Examples
    --------
    Anything with the attributes will do:

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import snnc
    >>> class Leaky(SimpleNamespace):
    ...     pass
    >>> snnc.from_snntorch(Leaky(beta=np.float64(0.9), threshold=np.float64(1.0),
    ...                          reset_mechanism="zero", reset_delay=False))
    Leaky(beta=0.9, reset_mechanism='zero', reset_delay=False)
    """
    if type(module).__name__ == "Sequential" and hasattr(module, "named_children"):
        return _sequential(module)
    if type(module).__name__ == "Linear" and hasattr(module, "weight"):
        return _linear(module)
    return _neuron(module)


def _array(value: Any) -> Any:
    """Copy a tensor, an array or a number."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.array(value)


def _sequential(module: Any) -> nn.Sequential:
    from snnc import nn

    layers: dict[str, Any] = {}
    children = list(module.named_children())
    if len(children) != len(module):
        raise ValueError("a layer is in the network twice, and shares its states with itself")
    for name, child in children:
        try:
            layers[name] = from_snntorch(child)
        except (TypeError, ValueError) as error:
            raise type(error)(f"layer {name!r}: {error}") from None
        if not isinstance(layers[name], nn.Linear):
            layers[name].output = layers[name].init_hidden = False
    return nn.Sequential(**layers)


def _linear(module: Any) -> nn.Linear:
    from snnc import nn

    weight = _array(module.weight)
    linear = nn.Linear(weight.shape[1], weight.shape[0], module.bias is not None)
    linear.weight = weight
    if module.bias is not None:
        linear.bias = _array(module.bias)
    return linear


def _neuron(module: Any) -> Any:
    cls = _CLASSES.get(type(module).__name__)
    if cls is None or not hasattr(module, "threshold"):
        raise TypeError(
            f"module={type(module).__name__}; expected one of snnTorch's {', '.join(_CLASSES)}, "
            "a torch.nn.Linear, or a torch.nn.Sequential of these"
        )
    if getattr(module, "state_quant", False):
        raise ValueError(f"state_quant={module.state_quant!r}: snnc does not quantise states")
    names = _PARAMETERS[cls]
    tensors = {name: getattr(module, name) for name in names if hasattr(module, name)}
    arguments = {name: _array(value) for name, value in tensors.items()}
    if cls is Lapicque:  # whose beta follows from R and C, which its steps use
        del arguments["beta"]
    elif np.any(_array(getattr(module, "graded_spikes_factor", 1)) != 1) and cls is not Leaky:
        raise ValueError(f"graded_spikes_factor: snnc's {cls.__name__} has none")
    for option in ("reset_mechanism", "reset_delay", "inhibition", "init_hidden", "output"):
        if hasattr(module, option) and hasattr(cls, option):
            arguments[option] = getattr(module, option)
    for name, value in tensors.items():
        if getattr(value, "requires_grad", False) and hasattr(cls, f"learn_{name}"):
            arguments[f"learn_{name}"] = True
    arguments["surrogate_disable"] = getattr(module, "surrogate_disable", False)
    if getattr(module, "spike_grad", None) is not None and not arguments["surrogate_disable"]:
        arguments["spike_grad"] = _surrogate(module.spike_grad)
    return cls(**arguments)


def _surrogate(function: Any) -> Any:
    """Find what made one of snnTorch's surrogates, a closure over its arguments."""
    name = getattr(function, "__qualname__", "").partition(".")[0]
    theirs = str(getattr(function, "__module__", "")).startswith("snntorch")
    made = getattr(surrogate, name, None) if theirs and name in surrogate.__all__ else None
    if made is None:
        raise ValueError(
            f"spike_grad={function!r} is none of snntorch.surrogate's "
            f"({', '.join(surrogate.__all__)})"
        )
    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    arguments = {n: cell.cell_contents for n, cell in cells}
    if name == "custom_surrogate":
        return made(arguments["func"])
    return made(**arguments)
