"""NEST: Brunel's network."""

from __future__ import annotations

from time import perf_counter

import nest

from benchmarks import brunel


class Simulator:
    """The network; a call goes on from where the last one stopped."""

    def __init__(self, threads):
        nest.set_verbosity("M_ERROR")
        nest.ResetKernel()
        nest.resolution = brunel.DT
        nest.local_num_threads = threads
        n = brunel.N_EXC + brunel.N_INH
        neuron = {
            "tau_m": brunel.TAU,
            "t_ref": brunel.T_REF,
            "E_L": 0.0,
            "V_m": 0.0,
            "V_th": brunel.THRESHOLD,
            "V_reset": brunel.V_RESET,
            "C_m": 1.0,
        }
        neurons = nest.Create("iaf_psc_delta", n, params=neuron)
        exc, inh = neurons[: brunel.N_EXC], neurons[brunel.N_EXC :]
        rate = brunel.ETA / brunel.DT * 1e3
        drive = nest.Create("poisson_generator", params={"rate": rate})
        self.recorder = nest.Create("spike_recorder")
        weak = {"weight": brunel.J, "delay": brunel.DELAY}
        strong = {"weight": -brunel.G * brunel.J, "delay": brunel.DELAY}
        nest.Connect(drive, neurons, syn_spec=weak)
        for sources, indegree, synapse in (
            (exc, brunel.FROM_EXC, weak),
            (inh, brunel.FROM_INH, strong),
        ):
            rule = {"rule": "fixed_indegree", "indegree": indegree}
            nest.Connect(sources, neurons, rule, synapse)
        nest.Connect(neurons[:100], self.recorder)
        nest.Simulate(brunel.SKIPPED * brunel.DT)

    def __call__(self, steps):
        """Return seconds and the rate in Hz of the first hundred neurons."""
        before = self.recorder.n_events
        start = perf_counter()
        nest.Simulate(steps * brunel.DT)
        seconds = perf_counter() - start
        rate = (self.recorder.n_events - before) / (100 * steps * brunel.DT * 1e-3)
        return {"NEST": seconds}, rate
