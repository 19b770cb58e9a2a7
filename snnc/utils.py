"""Functions over whole networks, named as in snnTorch's ``utils``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from snnc._arguments import missing_names
from snnc.neurons import SpikingNeuron

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["reset"]

__getattr__ = missing_names(
    "snnc.utils",
    {
        "data_subset": "index the arrays, as x[::10]",
        "valid_split": "index the arrays, as x[:900], x[900:]",
    },
)


def _torch_modules(net: Any) -> list[Any]:
    """List the neurons of snnc.torch in a torch module."""
    loaded = sys.modules.get("snnc.torch")
    if loaded is None or not hasattr(net, "modules"):
        return []
    return [module for module in net.modules() if isinstance(module, loaded.Neuron)]


def _neurons(net: Any, place: str) -> Iterator[Any]:
    from snnc import nn
    from snnc.nn.sequential import neurons_of

    if isinstance(net, SpikingNeuron):
        yield net
    elif isinstance(net, nn.Sequential):
        yield from neurons_of(net._leaves()).values()
    elif modules := _torch_modules(net):
        yield from modules
    elif isinstance(net, (list, tuple)):
        for i, part in enumerate(net):
            yield from _neurons(part, f"{place}[{i}]")
    elif isinstance(net, dict):
        for key, part in net.items():
            yield from _neurons(part, f"{place}[{key!r}]")
    else:
        raise TypeError(
            f"{place} is a {type(net).__name__}, which has no states to reset; expected a neuron, "
            "an snnc.nn.Sequential, a torch module with neurons of snnc.torch, or lists, tuples "
            "and dicts of these"
        )


def reset(net: Any) -> None:
    """Put the states that neurons hold (``init_hidden=True``) back to rest.

    Parameters
    ----------
    net : neuron, Sequential, torch.nn.Module, or any nesting of lists, tuples and dicts of these
        Of a torch module the neurons of `snnc.torch` that it contains.
        Only these neurons are reset: unlike snnTorch's, not every instance of their classes.

    Raises
    ------
    TypeError
        If `net` holds anything else. Nothing is reset then.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> lif = snnc.Leaky(beta=0.9, init_hidden=True)
    >>> _ = lif(np.float32(0.5))
    >>> snnc.utils.reset([lif])
    >>> float(lif.mem)
    0.0
    """
    for neuron in list(_neurons(net, "net")):
        neuron.reset_mem()
