"""The backward pass once more in plain NumPy: a reference for the adjoints, bit for bit.

"Gradient" is that of the loss with respect to the thing named. Every line rounds as its
counterpart in C does; parameters are the cells' constants, as in reference.py. Sums over time are
float64, from the last step to the first, for each neuron.
"""

import numpy as np
from reference import MODELS, heaviside, undelayed

# ---- surrogates: the gradient of mem - threshold = y, from the upstream gradient ----


def atan(y, upstream, alpha):
    t = y.dtype.type(np.pi / 2 * alpha) * y
    return ((1 / (t * t + 1)) * y.dtype.type(alpha / 2)) * upstream


def fast_sigmoid(y, upstream, slope):
    t = y.dtype.type(slope) * np.abs(y) + 1
    return upstream / (t * t)


def straight_through_estimator(y, upstream):
    return upstream


def triangular(y, upstream, threshold):
    height = y.dtype.type(np.float32(threshold))
    product = np.where(y >= 0, -height, height) * upstream
    return product.astype(np.float32).astype(y.dtype)


def heaviside_(y, upstream):
    return heaviside(y) * upstream


def LSO(y, upstream, slope):
    return np.where(y > 0, 1, y.dtype.type(slope)) * upstream


def SFS(y, upstream, slope, B):
    return fast_sigmoid(y, upstream, slope) * ~(y <= y.dtype.type(B))


SURROGATES = {
    f.__name__.rstrip("_"): f
    for f in (atan, fast_sigmoid, straight_through_estimator, triangular, heaviside_, LSO, SFS)
}


def surrogate(y, upstream, spike_grad):
    """By a surrogate of snnc.surrogate that is compiled, or by any callable on y."""
    function = SURROGATES.get(type(spike_grad).__name__)
    if function is None:
        return np.asarray(spike_grad(y.copy())).astype(y.dtype) * upstream
    return function(y, upstream, *(v for k, v in vars(spike_grad).items() if k[0] != "_"))


# ---- models: of one step ----
#
# Each takes the step's input, the states before it, the parameters, the reset signals r, the
# gradients of the states after the step and, by themselves, the upstream gradients of the states
# before it (`given`). It returns the gradients of x and of the states before, and adds to sums.


def Lapicque(x, states, p, reset, r, after, given, sums):
    (mem,), (u,) = states, after
    grad_x, before = np.zeros_like(u), given[0]
    for v in (-u * r, u) if reset == "zero" else (u,):
        grad_x = grad_x + ((v * p["dt"]) * p["q"]) * p["R"]
        before = before + v * p["keep"]
        sums["R"] += ((v * p["dt"]) * p["q"]) * x
        sums["q"] += (v * p["dt"]) * (x * p["R"])
        sums["dt"] += v * ((x * p["R"]) * p["q"])
        sums["keep"] += v * mem
    if reset == "subtract":
        sums["threshold"] += -(u * r)
    return grad_x, (before,)


def Leaky(x, states, p, reset, r, after, given, sums):
    (mem,), (u,) = states, after
    kept = 1 - r
    if reset == "zero":
        before = given[0] + (u * p["beta"]) * kept
        sums["beta"] += u * (kept * mem)
    else:
        before = given[0] + u * p["beta"]
        sums["beta"] += u * mem
    if reset == "subtract":
        sums["threshold"] += -(u * r)
    return u, (before,)


def Synaptic(x, states, p, reset, r, after, given, sums):
    (syn, mem), (y, u) = states, after
    y = y + u
    grad_x, (of_syn, of_mem) = y, given
    if reset == "zero":
        v = -u * r
        grad_x = v + y
        of_syn = of_syn + v * p["alpha"]
        of_mem = of_mem + v * p["beta"]
        sums["alpha"] += v * syn
        sums["beta"] += v * mem
    of_syn = of_syn + y * p["alpha"]
    of_mem = of_mem + u * p["beta"]
    sums["alpha"] += y * syn
    sums["beta"] += u * mem
    if reset == "subtract":
        sums["threshold"] += -(u * r)
    return grad_x, (of_syn, of_mem)


def Alpha(x, states, p, reset, r, after, given, sums):
    (exc, inh, _), (e, i, v) = states, after
    grad_x, (of_exc, of_inh, of_mem) = np.zeros_like(v), given
    updates = [(e, i, v)]
    if reset == "subtract":
        j = -i * r
        sums["threshold"] += -(e * r)
        grad_x = -j
        of_inh = (of_inh + v * r) + j * p["beta"]
        sums["beta"] += j * inh
    elif reset == "zero":
        updates.insert(0, (-e * r, -i * r, -v * r))
    for e, i, v in updates:
        e = e + v * p["tau"]
        i = i + v * p["tau"]
        grad_x = (grad_x - i) + e
        of_exc = of_exc + e * p["alpha"]
        of_inh = of_inh + i * p["beta"]
        sums["alpha"] += e * exc
        sums["beta"] += i * inh
        sums["tau"] += v * ((p["alpha"] * exc + x) + (p["beta"] * inh - x))
    return grad_x, (of_exc, of_inh, of_mem + 0)  # mem only decides the reset


ADJOINTS = {f.__name__: f for f in (Lapicque, Leaky, Synaptic, Alpha)}


def undelayed_adjoint(grad_mem, u, p, graded, r, reset, spk, sums, rounds):
    """Of the reset that follows its spike within the step: gradients of mem before it and spk."""
    real = u.dtype
    fired = heaviside(u - p["threshold"]) * graded
    d, w = fired / graded - r, -grad_mem
    if reset == "zero":
        k = w * u
    elif rounds:
        k = (w.astype(np.float32) * p["threshold"].astype(np.float32)).astype(real)
    else:
        k = w * p["threshold"]
    k = k.astype(np.float32).astype(real)
    spk = (spk + k / graded).astype(np.float32).astype(real)
    sums["graded_spikes_factor"] += -k * ((fired / graded) / graded)
    if reset == "subtract":
        sums["threshold"] += w * d
        return grad_mem, spk
    return grad_mem + w * d, spk


def backward(model, x, start, constants, spk, cotangents, last, *, reset, reset_delay, spike_grad):
    """Do the backward pass through all steps of x (T, *neuron shape) from whole start states.

    `spk` and `cotangents` are upstream gradients of spikes and states, (T, *neuron shape) each, or
    None; `last` those of the states after the last step alone. Returns the gradient of x,
    those of the start states, and the sums of each constant, by name, for each neuron.
    """
    dtype, shape = x.dtype, x.shape[1:]
    step, adjoint = MODELS[model], ADJOINTS[model]
    rounds = np.ndim(constants["threshold"]) == 0
    with np.errstate(all="ignore"):
        p = {k: np.broadcast_to(np.asarray(v, dtype), shape) for k, v in constants.items()}
        graded = p.get("graded_spikes_factor", np.ones(shape, dtype))
        taken, states = [], [np.asarray(s) for s in start]
        for x_t in x:
            before = states
            r, states = step(x_t, before, p, reset)
            states = list(states)
            u = states[-1]
            if not reset_delay:
                fired = heaviside(u - p["threshold"]) * graded
                states[-1] = undelayed(u, fired, graded, r, p["threshold"], reset)
            taken.append((before, r, u))

        sums = dict.fromkeys((*p, "graded_spikes_factor"))
        sums = {name: np.zeros(shape) for name in sums}
        grad_x = np.zeros_like(x)
        zero = np.zeros(shape, dtype)
        carry = [
            g if g is not None else zero if c is None or not len(x) else zero + c[-1]
            for c, g in zip(cotangents, last, strict=True)
        ]
        for t in range(len(x) - 1, -1, -1):
            before, r, u = taken[t]
            grad_spk = zero if spk is None else spk[t]
            *rest, grad_mem = carry
            if not reset_delay and reset != "none":
                grad_mem, grad_spk = undelayed_adjoint(
                    grad_mem, u, p, graded, r, reset, grad_spk, sums, rounds
                )
            y = u - p["threshold"]
            f = surrogate(y, grad_spk * graded, spike_grad)
            sums["threshold"] += -f
            sums["graded_spikes_factor"] += grad_spk * heaviside(y)
            given = [
                np.full(shape, -0.0, dtype) if c is None or t == 0 else c[t - 1]
                for c in cotangents
            ]
            after = (*rest, grad_mem + f)
            grad_x[t], carry = adjoint(x[t], before, p, reset, r, after, given, sums)
    return grad_x, list(carry), sums
