"""Spiking neurons over NumPy, stepped in C: snnTorch's models, bit for bit, without PyTorch.

>>> import numpy as np
>>> import snnc
>>> lif = snnc.Synaptic(alpha=0.9, beta=0.8)
>>> spk_in = np.tile(np.r_[0.2, np.zeros(9)], 20).astype(np.float32)
>>> spk, syn, mem = lif.run(spk_in)
>>> np.flatnonzero(spk)[:4]
array([23, 41, 53, 71])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy import __version__ as _numpy_version

if int(_numpy_version.split(".")[0]) < 2:  # before NumPy says so in a traceback of its own
    raise ImportError(
        f"snnc needs NumPy 2.0 or newer, and NumPy {_numpy_version} is installed: "
        'pip install "numpy>=2.0"'
    )
try:
    from snnc import _core
except ImportError as error:
    if "import name '_core'" in str(error):  # not one of NumPy's own modules of that name
        raise ImportError(
            "snnc's extension module isn't built. If this is a checkout of snnc, build it with "
            f"`pip install -e .`, or start Python in another directory. ({error})"
        ) from None
    raise

from snnc import spikestats, surrogate, utils
from snnc._arguments import missing
from snnc._c_library import get_include, get_sources
from snnc._config import show_config
from snnc._product import spike_product
from snnc._threads import set_num_threads
from snnc.neurons import (
    LIF,
    Alpha,
    Lapicque,
    Leaky,
    Projection,
    Recurrent,
    RLeaky,
    RSynaptic,
    SpikingNeuron,
    Synaptic,
)
from snnc.recording import Recording, unpack_spikes

if TYPE_CHECKING:
    from snnc import functional, nn, optim, spikegen, spikeplot
    from snnc._snntorch import from_snntorch

__version__ = _core.version

__all__ = [
    "LIF",
    "Alpha",
    "Lapicque",
    "Leaky",
    "Projection",
    "RLeaky",
    "RSynaptic",
    "Recording",
    "Recurrent",
    "SpikingNeuron",
    "Synaptic",
    "from_snntorch",
    "functional",
    "get_include",
    "get_sources",
    "nn",
    "optim",
    "set_num_threads",
    "show_config",
    "spike_product",
    "spikegen",
    "spikeplot",
    "spikestats",
    "surrogate",
    "unpack_spikes",
    "utils",
]

_LAZY = ("functional", "nn", "optim", "spikegen", "spikeplot")

# What snnTorch has at this place, and what to write here.
_OF_SNNTORCH = {
    **dict.fromkeys(("SLSTM", "SConv2dLSTM"), "there are no recurrent layers"),
    **dict.fromkeys(
        ("LeakyParallel", "StateLeaky", "LinearLeaky", "DeltaLeaky"),
        "snnc.Leaky runs whole sequences in one call, with resets",
    ),
    "GradedSpikes": "write snnc.Leaky(graded_spikes_factor=...)",
    **dict.fromkeys(("BatchNormTT1d", "BatchNormTT2d"), "there is no batch normalisation"),
    "backprop": "net.run(x, grad=True) and net.backward do backpropagation through time",
    **dict.fromkeys(
        ("export_nir", "import_nir", "export_to_nir", "import_from_nir"),
        "snnc.from_snntorch reads a network of snnTorch's",
    ),
    "quant": "states aren't quantised",
    "spikevision": "there are no data sets",
    "torch": "import snnc.torch (which needs PyTorch)",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return importlib.import_module(f"snnc.{name}")
    if name == "from_snntorch":
        from snnc._snntorch import from_snntorch

        return from_snntorch
    raise missing("module 'snnc'", name, _OF_SNNTORCH.get(name))


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("_"))})
