"""The neurons once more in plain NumPy, operation for operation: a reference for csrc/core/cells.

Every line rounds as its counterpart in C does. Parameters are the cells' constants, in the
order and under the names of csrc/models.def; arrays of any broadcastable shape.
"""

import numpy as np


def heaviside(y):
    return (y.real > 0).astype(y.dtype)


def undelayed(mem, spk, graded, r, threshold, reset):
    d = spk / graded - r
    if reset == "subtract":
        return mem - d * threshold
    if reset == "zero":
        return mem - d * mem
    return mem


def Lapicque(x, states, p, reset):
    (mem,) = states
    r = heaviside(mem - p["threshold"])
    v = ((x * p["R"]) * p["q"]) * p["dt"] + p["keep"] * mem
    if reset == "subtract":
        v = v - r * p["threshold"]
    elif reset == "zero":
        v = v - r * v
    return r, (v,)


def Leaky(x, states, p, reset):
    (mem,) = states
    r = heaviside(mem - p["threshold"])
    if reset == "subtract":
        mem = (p["beta"] * mem + x) - r * p["threshold"]
    elif reset == "zero":
        mem = p["beta"] * ((1 - r) * mem) + x
    else:
        mem = p["beta"] * mem + x
    return r, (mem,)


def Synaptic(x, states, p, reset):
    syn, mem = states
    r = heaviside(mem - p["threshold"])
    syn = p["alpha"] * syn + x
    mem = p["beta"] * mem + syn
    if reset == "subtract":
        mem = mem - r * p["threshold"]
    elif reset == "zero":
        mem = mem - mem * r
    return r, (syn, mem)


def Alpha(x, states, p, reset):
    exc, inh, mem = states
    r = heaviside(mem - p["threshold"])
    e = p["alpha"] * exc + x
    i = p["beta"] * inh - x
    v = p["tau"] * (e + i)
    if reset == "subtract":
        return r, (e - p["threshold"] * r, i - i * r, v - (-inh) * r)
    if reset == "zero":
        return r, (e - e * r, i - i * r, v - v * r)
    return r, (e, i, v)


def LIF(x, states, p, undelayed):
    """Integrate, then test, or first test: (spk, states)."""
    v, ref = states
    spk = np.zeros_like(v)
    for integrates in (True, False) if undelayed else (False, True):
        if integrates:
            skipped = ref > 0
            v = np.where(skipped, p["v_reset"], v + ((p["v_rest"] - v) + p["R"] * x) * p["k"])
            ref = np.where(skipped, ref - 1, ref)
        else:
            spk = heaviside(v - p["threshold"])
            v = np.where(spk == 1, p["v_reset"], v)
            ref = np.where(spk == 1, p["num_ref"], ref)
    return spk, (v, ref)


MODELS = {f.__name__: f for f in (Lapicque, Leaky, Synaptic, Alpha, LIF)}


def step(
    model, x, states, constants, *, reset, reset_delay=True, inhibition=False, spike=heaviside
):
    """One step: (spk, *states), in the dtype of x and the states; of mem - threshold `spike`."""
    with np.errstate(all="ignore"):
        dtype = x.dtype
        p = {name: np.asarray(value, dtype) for name, value in constants.items()}
        x, *states = np.broadcast_arrays(x, *states, *p.values())[: 1 + len(states)]
        if model == "LIF":
            spk, states = LIF(x, states, p, not reset_delay)
            return (spk, *states)
        r, states = MODELS[model](x, states, p, reset)
        *rest, mem = states
        y = mem - p["threshold"]
        spk = spike(y)
        graded = p.get("graded_spikes_factor", np.ones((), dtype))
        if inhibition:  # NumPy's argmax too takes the first of ties, and a NaN before all
            winner = np.expand_dims(np.argmax(y, axis=1), 1) if y.size else 0
            spk = spk * (np.arange(y.shape[1]).reshape(1, -1, *[1] * (y.ndim - 2)) == winner)
            spk = spk.astype(dtype)
        else:
            spk = spk * graded
        if not reset_delay:
            mem = undelayed(mem, spk, graded, r, p["threshold"], reset)
        return (spk, *rest, mem)


def run(model, x, states, constants, **options):
    """All steps of x (T, ...): [spk, *states], each (T, neuron shape)."""
    records = None
    for x_t in x:
        spk, *states = step(model, x_t, states, constants, **options)
        records = records or [[] for _ in range(1 + len(states))]
        for record, value in zip(records, (spk, *states), strict=True):
            record.append(value)
    return [np.stack(record) for record in records]


def weighted(weight, spk):
    """The sums of each neuron, one presynaptic neuron after the other; those that spike only."""
    weight = np.asarray(weight, spk.dtype)
    if weight.ndim < 2:
        return np.where(spk == 0, 0, weight * spk).astype(spk.dtype)
    rows = spk.reshape(-1, spk.shape[-1])
    sums = np.zeros_like(rows)
    for total, row in zip(sums, rows, strict=True):
        for i in np.flatnonzero(row):
            total += weight[:, i] * row[i]
    return sums.reshape(spk.shape)


def recurrent(one_step, x, states, past, currents, projections, bias=None):
    """A closed loop over x (T, ...): [spk, *states, past, *currents], each (T, ...).

    `one_step(x, states)` is that of the neuron; projections are (weight, delay, decay).
    """
    records = None
    dtype = x.dtype
    with np.errstate(all="ignore"):
        for total in x:
            if bias is not None:
                total = total + np.asarray(bias, dtype)
            new = []
            for (weight, delay, decay), current in zip(projections, currents, strict=True):
                decay = np.asarray(decay, dtype)
                left = np.where(decay.real > 0, decay * current, 0).astype(dtype)
                new.append(left + weighted(weight, past[delay - 1]))
                total = total + new[-1]
            currents = new
            spk, *states = one_step(total, states)
            past = np.concatenate(((spk + 0)[None], past[:-1]))  # a weighted 0 may be -0
            values = (spk, *states, past, *currents)
            records = records or [[] for _ in values]
            for record, value in zip(records, values, strict=True):
                record.append(value)
    return [np.stack(record) for record in records]
