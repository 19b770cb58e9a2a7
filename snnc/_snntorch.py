"""Networks of snnTorch's, read by their attributes: neither it nor PyTorch is imported."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from snnc import surrogate
from snnc._arguments import in_layer, real_numbers
from snnc._snntorch_order import traced_order
from snnc.neurons import Alpha, Lapicque, Leaky, RLeaky, RSynaptic, Synaptic

if TYPE_CHECKING:
    from collections.abc import Iterable
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


# The attributes of torch's layers that are arguments of snnc's.
_KERNEL = ("kernel_size", "stride", "padding")
_CONVOLUTION = (
    "in_channels", "out_channels", *_KERNEL, "dilation", "groups", "padding_mode",
)  # fmt: skip
_BATCH_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
_LAYERS = {
    "Linear": (),
    **dict.fromkeys(("Conv1d", "Conv2d"), _CONVOLUTION),
    **dict.fromkeys(
        ("MaxPool1d", "MaxPool2d"), (*_KERNEL, "dilation", "return_indices", "ceil_mode")
    ),
    "AvgPool1d": (*_KERNEL, "ceil_mode", "count_include_pad"),
    "AvgPool2d": (*_KERNEL, "ceil_mode", "count_include_pad", "divisor_override"),
    **dict.fromkeys(("AdaptiveAvgPool1d", "AdaptiveAvgPool2d"), ("output_size",)),
    "Flatten": ("start_dim", "end_dim"),
    "Dropout": ("p",),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d"), _BATCH_NORM),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine"),
}


def from_snntorch(module: Any, *, example: Any = None, order: Iterable[Any] | None = None) -> Any:
    """Make the counterpart of a neuron of snnTorch's, or of a network of them.

    Parameters
    ----------
    module : snntorch neuron, layer of torch.nn, torch.nn.Sequential, or a class of one's own
        Read by attributes; neither package is needed here. Of torch's layers those that
        `snnc.nn` has, and ``Identity``, which is left out; `RLeaky` and `RSynaptic` with their
        recurrent weights.
    example : tensor, optional
        An input of a class of one's own. Its ``forward`` is called once, in evaluation mode, to
        see in which order it calls its layers: each must get what the one before returned, or
        that flattened. A loop over time is one pass through the network.
    order : iterable of str or layers, optional
        Instead, the names of its layers in that order (``"fc1"``, ``"block.lif1"``), among which
        there may be layers of `snnc.nn` for what ``forward`` does without a module, such as
        ``nn.Flatten()``.

    Returns
    -------
    neuron, layer or snnc.nn.Sequential
        With the same parameters (in their own precision) and options, the surrogate and
        ``reset_delay`` and ``inhibition`` included, which a ``state_dict`` doesn't hold; in a
        Sequential under the same names, so that state_dicts fit. There, neurons don't hold their
        states (``init_hidden``): a run starts at rest. Layers are in training mode where
        module's are.

    Raises
    ------
    TypeError
        If a module is of another kind, or a class of one's own comes without `example` or `order`.
    ValueError
        If it has an option that snnc has not, neurons are in a network twice (they share their
        states there), or ``forward`` does something else between two layers, which are named.

    Notes
    -----
    A ``reset_mechanism`` that was assigned after construction changes nothing in snnTorch but its
    label: the reset here is the one that the module does.

    Spikes are snnTorch's, bit for bit, for one and the same input current; those of a network up
    to the rounding of its sums, whose order no library promises. What ``forward`` does after its
    last layer can't be seen.

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

    A class with ``fc1``, ``lif1``, ... and a ``forward`` that calls them in a loop::

        net = snnc.from_snntorch(module, example=torch.rand(64, 784))
    """
    if example is not None or order is not None:
        if example is not None and order is not None:
            raise TypeError("example and order were both given; expected one of them")
        if not hasattr(module, "named_modules"):
            raise TypeError(f"module={type(module).__name__}; expected a torch.nn.Module")
        if order is None:
            order = traced_order(module, example, is_leaf)
        return _in_order(module, order)
    if type(module).__name__ == "Sequential" and hasattr(module, "named_children"):
        return _sequential(module)
    if type(module).__name__ in _LAYERS and not hasattr(module, "threshold"):
        _check_origin(module, ("torch.nn.",))
        return _layer(module)
    if hasattr(module, "named_children") and not is_leaf(module):
        raise TypeError(
            f"module={type(module).__name__} has a forward of its own, which may call its layers "
            "in any order: pass example=x (it is called once with that) or order=('fc1', 'lif1', "
            "...); or make the snnc.nn.Sequential by hand and load module.state_dict() into it"
        )
    if type(module).__name__ in _CLASSES:
        _check_origin(module, ("snntorch.", "snnc.torch"))
    return _neuron(module)


def _check_origin(module: Any, theirs: tuple[str, ...]) -> None:
    """Refuse a module of another class of that name, which may do something else."""
    origin = type(module).__module__
    if hasattr(module, "named_children") and not origin.startswith(theirs):
        raise TypeError(
            f"module={type(module).__name__} of {origin}; expected one of {theirs[0].rstrip('.')}"
        )


def is_leaf(module: Any) -> bool:
    """Whether a module is read as a whole: a neuron, or one without others in it."""
    is_neuron = type(module).__name__ in _CLASSES and hasattr(module, "threshold")
    return is_neuron or not any(True for _ in module.named_children())


def _array(name: str, value: Any) -> Any:
    """Copy a tensor, an array or a number."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.array(real_numbers(name, value))


def _sequential(module: Any) -> nn.Sequential:
    """Make the counterpart of a Sequential, or of one in it."""
    return _network(
        (name, child) for name, child in module._modules.items() if not _is_identity(child)
    )


def _in_order(module: Any, order: Iterable[Any]) -> nn.Sequential:
    """Make a network of a module's layers in that order."""
    from snnc.nn.layers import Layer

    known = dict(module.named_modules())
    named: list[tuple[str, Any]] = []
    for part in order:
        if isinstance(part, Layer):
            name, child = type(part).__name__.lower(), part
        elif part in known and part:
            name, child = part, known[part]
        else:
            listed = ", ".join(
                repr(name) for name, each in known.items() if name and is_leaf(each)
            )
            raise ValueError(f"order has {part!r}; expected names out of {listed}")
        if _is_identity(child):
            continue
        taken, count = {n for n, _ in named}, 2
        while name in taken:  # as of one pooling layer in two places
            name = f"{name.removesuffix(f'_{count - 1}')}_{count}"
            count += 1
        named.append((name, child))
    return _network(named)


def _is_identity(module: Any) -> bool:
    return type(module).__name__ == "Identity"


def _network(named: Iterable[tuple[str, Any]]) -> nn.Sequential:
    from snnc import nn
    from snnc.nn.layers import Layer

    layers: dict[str, Any] = {}
    made: dict[int, Any] = {}  # of modules, which may come more than once
    for name, child in named:
        try:
            again = made.get(id(child))
            if again is not None and not isinstance(again, Layer):
                raise ValueError("neurons that are in the network twice share their states there")
            is_made = isinstance(child, Layer)
            layer = again if again is not None else child if is_made else from_snntorch(child)
        except (TypeError, ValueError) as error:
            raise in_layer(name, error) from None
        if not isinstance(layer, (Layer, nn.Sequential)):
            layer.output = layer.init_hidden = False
        layers[name] = made[id(child)] = layer
    return nn.Sequential(**layers)


def _layer(module: Any) -> Any:
    """Make the counterpart of one of torch's layers."""
    from snnc import nn

    kind = type(module).__name__
    arguments = {name: getattr(module, name) for name in _LAYERS[kind]}
    arrays = {
        name: _array(name, getattr(module, name))
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        if getattr(module, name, None) is not None
    }
    if kind == "Linear":
        shape = arrays["weight"].shape
        if len(shape) != 2:
            raise ValueError(f"weight has shape {shape}; expected two dimensions")
        arguments = {"in_features": shape[1], "out_features": shape[0]}
    if kind in ("Linear", "Conv1d", "Conv2d", "LayerNorm", "BatchNorm1d", "BatchNorm2d"):
        arguments["bias"] = "bias" in arrays
    layer = getattr(nn, kind)(**arguments)
    for name, array in arrays.items():
        setattr(layer, name, array)
    layer.training = bool(getattr(module, "training", True))
    return layer


def _neuron(module: Any) -> Any:
    cls = _CLASSES.get(type(module).__name__)
    if cls is None or not hasattr(module, "threshold"):
        raise TypeError(
            f"module={type(module).__name__}; expected one of snnTorch's {', '.join(_CLASSES)}, "
            f"of torch.nn's {', '.join(_LAYERS)}, or a torch.nn.Sequential of these"
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
        arguments["spike_grad"] = surrogate_of(module.spike_grad)
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
