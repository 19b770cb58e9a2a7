"""The neuron models: one file each, with its equations, over what all of them share.

Each class derives the constants that its step uses in one function, `_constants`, whenever a
parameter is set; the arithmetic on neurons is in C. Equations: each class's docstring, or snnc.h.
"""

from snnc.neurons.alpha import Alpha
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.lapicque import Lapicque
from snnc.neurons.leaky import Leaky
from snnc.neurons.lif import LIF
from snnc.neurons.projection import Projection
from snnc.neurons.recurrent import Recurrent
from snnc.neurons.recurrent_torch import RLeaky, RSynaptic
from snnc.neurons.synaptic import Synaptic

__all__ = [
    "LIF", "Alpha", "Lapicque", "Leaky", "Projection", "RLeaky", "RSynaptic", "Recurrent",
    "SpikingNeuron", "Synaptic",
]  # fmt: skip
