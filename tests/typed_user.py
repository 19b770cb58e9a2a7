"""What a user's type checker sees: checked by mypy, not run.

With ``warn_unused_ignores`` each ``type: ignore`` is an error that must be found.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import snnc
from snnc import nn
from snnc.recording import Gradients

Floats = NDArray[Any]

lif = snnc.Leaky(0.9, reset_mechanism="zero")
x = np.zeros((5, 3), np.float32)

# Steps.
assert_type(lif(x[0], lif.init_leaky()), tuple[Floats, Floats])
spk, mem = lif(x[0], mem=0.0, out=(None, None), dtype=np.float64)
assert_type(mem, Floats)
assert_type(snnc.Lapicque(0.9)(x, 0), tuple[Floats, Floats])
assert_type(snnc.Synaptic(0.9, 0.8)(x, 0, 0), tuple[Floats, Floats, Floats])
assert_type(snnc.Alpha(0.9, 0.8)(x, 0, 0, mem=0), tuple[Floats, Floats, Floats, Floats])
brunel = snnc.LIF(20.0, dt=0.1, v_threshold=20.0, sigma=1.0, method="exact")
assert_type(brunel(x, 0.0, 0.0, rng=np.random.default_rng(0)), tuple[Floats, Floats, Floats])
snnc.Leaky(0.9, init_hidden=True)(x).sum()
lif(x, syn=x)  # type: ignore[call-overload]
snnc.Leaky(0.9, reset_mechanism="soft")  # type: ignore[arg-type]
snnc.Leaky(0.9, reset_delay="no")  # type: ignore[arg-type]
snnc.LIF(20.0, dt=0.1, v_threshold=20.0, method="rk4")  # type: ignore[arg-type]

# Parameters and options.
assert_type(lif.beta, Floats)
assert_type(lif.init_hidden, bool)
lif.beta = [0.5, 0.9]
lif.spike_grad = None
lif.spike_grad = snnc.surrogate.atan()
assert_type(brunel.v_reset, Floats)
assert_type(lif.learned, tuple[str, ...])
lif.alpha  # type: ignore[attr-defined]  # noqa: B018
lif.reset_mechanism = "soft"  # type: ignore[assignment]

# Runs.
rec = lif.run(x, mem=0, grad=True)
assert_type(rec, snnc.Recording)
assert_type(rec.spk, Floats)
assert_type(rec.count, NDArray[np.int64])
assert_type(rec.state.mem, Floats)
spk, mem = rec
lif.run(x, *rec.state)
lif.run(x, reset=3)  # type: ignore[call-arg]
rec.membrane  # type: ignore[attr-defined]  # noqa: B018
grads = lif.backward(rec, mem=np.ones(3))
assert_type(grads, Gradients)
assert_type(grads.beta, Floats)
brunel.backward(rec)  # type: ignore[attr-defined]

# Networks.
net = nn.Sequential(nn.Linear(3, 2, rng=0), lif)
assert_type(nn.Conv2d(1, 2, 3).weight, Any)
assert_type(net.run(x, num_steps=3)[-1].mem, Floats)
nn.Sequential(len)  # type: ignore[arg-type]
