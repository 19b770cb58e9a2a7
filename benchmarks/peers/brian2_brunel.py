"""Brian2: Brunel's network as a C++ program of its own, compiled once."""

from __future__ import annotations

import tempfile

import brian2 as b2
import numpy as np

from benchmarks import brunel


class Simulator:
    """The network, built; a call runs the program and takes the time of its loop over steps."""

    def __init__(self, threads):
        self.threads = threads
        self.directory = tempfile.TemporaryDirectory()
        self.steps = None

    def build(self, steps):
        """Write and compile the program."""
        b2.set_device("cpp_standalone", directory=self.directory.name, build_on_run=False)
        b2.prefs.devices.cpp_standalone.openmp_threads = 0 if self.threads == 1 else self.threads
        b2.defaultclock.dt = brunel.DT * b2.ms
        tau, j, g = brunel.TAU * b2.ms, brunel.J * b2.mV, brunel.G
        n = brunel.N_EXC + brunel.N_INH
        group = b2.NeuronGroup(
            n,
            "dv/dt = -v / tau : volt (unless refractory)",
            threshold="v > theta",
            reset="v = v_reset",
            refractory=brunel.T_REF * b2.ms,
            method="exact",
            namespace={
                "tau": tau,
                "theta": brunel.THRESHOLD * b2.mV,
                "v_reset": brunel.V_RESET * b2.mV,
            },
        )
        exc, inh = brunel.sources(np.random.default_rng(0))
        parts = [group]
        for sources, weight in ((exc, j), (inh, -g * j)):
            synapses = b2.Synapses(
                group,
                group,
                on_pre="v_post += weight",
                delay=brunel.DELAY * b2.ms,
                namespace={"weight": weight},
            )
            order = np.argsort(sources, axis=None, kind="stable")  # those of a source together
            targets = np.repeat(np.arange(n), sources.shape[1])
            synapses.connect(i=sources.ravel()[order], j=targets[order])
            parts.append(synapses)
        rate = brunel.ETA / (brunel.FROM_EXC * brunel.DT * b2.ms)
        parts.append(b2.PoissonInput(group, "v", brunel.FROM_EXC, rate, weight=j))
        self.monitor = b2.SpikeMonitor(group, record=False)
        b2.Network(*parts, self.monitor).run(steps * brunel.DT * b2.ms)
        b2.device.build(directory=self.directory.name, run=False, with_output=False)
        self.steps = steps

    def __call__(self, steps):
        """Return seconds and the rate in Hz."""
        if steps != self.steps:
            self.build(steps)
        b2.device.run(self.directory.name, with_output=False)
        n = brunel.N_EXC + brunel.N_INH
        rate = self.monitor.num_spikes / (n * steps * brunel.DT * 1e-3)
        return {"Brian2": b2.device._last_run_time}, float(rate)
