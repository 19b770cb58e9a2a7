"""Where pickles of snnc 0.1 look for `LIF`: it is in `snnc.neurons` now."""

from snnc.neurons.lif import LIF

__all__ = ["LIF"]
