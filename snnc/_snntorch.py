"""Networks of snnTorch's, read by their attributes: neither it nor PyTorch is imported."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from snnc import surrogate
from snnc._arguments import in_layer, real_numbers
from snnc.neurons import Alpha, Lapicque, Leaky, RLeaky, RSynaptic, Synaptic

if TYPE_CHECKING:
    from typing import Any

    from snnc import nn

__all__ = ["from_snntorch"]

_PARAMETERS = {
    Lapicque: ("beta", "R", "C", "time_step", "threshold"),
    Leaky: ("beta", "threshold", "graded_spikes_factor"),
    Synaptic: ("alpha", "beta", "threshold"),
    Alpha: ("alpha", "beta", "threshold"),
    RLeaky: ("beta", "threshold"),
    RSynaptic: ("alpha", "beta", "threshold"),
}
_CLASSES = {cls.__name__: cls for cls in _PARAMETERS}

# The reset that a module does: what it was constructed with, whatever is assigned later.
_RESETS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}


def from_snntorch(module: Any) -> Any:
    """Make the counterpart of a neuron of snnTorch's, or of a network of them.

    Parameters
    ----------
    module : snntorch neuron, torch.nn.Linear, or torch.nn.Sequential of these
        Read by attributes; neither package is needed here. `RLeaky` and `RSynaptic` too, with
        their recurrent weights.

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
        If it has an option that snnc has not, or neurons are in a network twice (they share their
        states there).

    Notes
    -----
    A ``reset_mechanism`` that was assigned after construction changes nothing in snnTorch but its
    label: the reset here is the one that the module does.

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


def _array(name: str, value: Any) -> Any:
    """Copy a tensor, an array or a number."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.array(real_numbers(name, value))


def _sequential(module: Any) -> nn.Sequential:
    from snnc import nn

    layers: dict[str, Any] = {}
    made: dict[int, Any] = {}  # of modules, which may come more than once
    for name, child in module._modules.items():
        try:
            if type(child).__name__ == "Sequential":
                raise TypeError(
                    "networks in networks aren't read: list its layers in the outer one"
                )
            if id(child) in made and not isinstance(made[id(child)], nn.Linear):
                raise ValueError("neurons that are in the network twice share their states there")
            layer = made[id(child)] if id(child) in made else from_snntorch(child)
        except (TypeError, ValueError) as error:
            raise in_layer(name, error) from None
        if not isinstance(layer, nn.Linear):
            layer.output = layer.init_hidden = False
        layers[name] = made[id(child)] = layer
    return nn.Sequential(**layers)


def _linear(module: Any) -> nn.Linear:
    from snnc import nn

    weight = _array("weight", module.weight)
    if weight.ndim != 2:
        raise ValueError(f"weight has shape {weight.shape}; expected two dimensions")
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = weight
    linear.bias = None if module.bias is None else _array("bias", module.bias)
    return linear


def _neuron(module: Any) -> Any:
    cls = _CLASSES.get(type(module).__name__)
    if cls is None or not hasattr(module, "threshold"):
        raise TypeError(
            f"module={type(module).__name__}; expected one of snnTorch's {', '.join(_CLASSES)}, "
            "a torch.nn.Linear, or one torch.nn.Sequential of these"
        )
    if getattr(module, "state_quant", False):
        raise ValueError(f"state_quant={module.state_quant!r}: snnc does not quantise states")
    names = _PARAMETERS[cls]
    tensors = {name: getattr(module, name) for name in names if hasattr(module, name)}
    arguments = {name: _array(name, value) for name, value in tensors.items()}
    if cls is Lapicque:  # whose beta follows from R and C, which its steps use
        del arguments["beta"]
    elif cls is not Leaky and np.any(_graded(module) != 1):
        raise ValueError(f"graded_spikes_factor: snnc's {cls.__name__} has none")
    own = getattr(cls, "_model", cls)  # of which a recurrent one is
    for option in ("reset_mechanism", "reset_delay", "inhibition", "init_hidden", "output"):
        if hasattr(module, option) and hasattr(own, option):
            arguments[option] = getattr(module, option)
    arguments["reset_mechanism"] = _reset(module)
    for name, value in tensors.items():
        if getattr(value, "requires_grad", False) and hasattr(own, f"learn_{name}"):
            arguments[f"learn_{name}"] = True
    arguments["surrogate_disable"] = getattr(module, "surrogate_disable", False)
    if getattr(module, "spike_grad", None) is not None and not arguments["surrogate_disable"]:
        arguments["spike_grad"] = _surrogate(module.spike_grad)
    weights = _recurrent(module, arguments) if own is not cls else {}
    with warnings.catch_warnings():  # training leaves [0, 1] all the time
        warnings.filterwarnings("ignore", "(alpha|beta) is clipped")
        neuron = cls(**arguments)
    for name, value in weights.items():
        setattr(neuron.recurrent, name, value)
    return neuron


def _recurrent(module: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Read recurrent connections: arguments of the constructor, and weights to be set."""
    recurrent = module.recurrent
    if hasattr(recurrent, "V"):
        learned = recurrent.V
        arguments |= {"all_to_all": False, "V": _array("V", recurrent.V)}
        weights = {}
    else:
        learned = recurrent.weight
        weights = {name: _array(name, getattr(recurrent, name)) for name in ("weight", "bias")}
        shape = weights["weight"].shape
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(
                f"recurrent has weights of shape {shape}; expected (n, n), as there are no "
                "convolutions here"
            )
        arguments["linear_features"] = shape[0]
    arguments["learn_recurrent"] = bool(getattr(learned, "requires_grad", False))
    return weights


def _graded(module: Any) -> Any:
    return _array("graded_spikes_factor", getattr(module, "graded_spikes_factor", 1))


def _reset(module: Any) -> str:
    """Name the reset that a module does."""
    label: str = module.reset_mechanism
    done = _RESETS.get(getattr(getattr(module, "state_function", None), "__name__", ""), label)
    if done != label and getattr(module, "reset_delay", True) is False:
        raise ValueError(
            f"reset_mechanism was changed from {done!r} to {label!r} after construction, and with "
            "reset_delay=False snnTorch does a part of each: construct it anew"
        )
    return done


def surrogate_of(spike_grad: Any) -> Any:
    """Return the surrogate that is snnc's, or snnTorch's, or the default one."""
    if spike_grad is None:
        return surrogate.atan()
    if type(spike_grad).__module__ == surrogate.__name__:
        return spike_grad
    return _surrogate(spike_grad)


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
