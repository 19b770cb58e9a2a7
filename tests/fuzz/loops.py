"""Closed loops against the twin: every model, weights of every kind, delays, decays and cuts."""

import numpy as np
import reference
import support
from draw import Draw
from forward import same
from memory import Memory
from reference import weighted

import snnc

SIZES = (1, 2, 3, 5, 7, 8, 9, 16, 17, 33, 64, 65, 130, 257, 1025)


def a_weight(draw, n, dtype):
    """A weight as it is given, and as a matrix or one for each neuron."""
    kind = draw.choice(("dense", "dense", "sparse", "equal", "each", "number"))
    if kind == "number":
        weight = draw.uniform(-1, 1)
        return weight, np.array(weight)
    shape = (n,) if kind == "each" else (n, n)
    weight = draw.values(shape, draw.choice((np.float32, np.float64, np.int8)), special=0.1)
    if kind == "sparse":
        weight = np.where(draw.numbers.random(shape) < draw.choice((0.1, 0.5)), weight, 0)
    if kind == "equal":
        weight = np.where(draw.numbers.random(shape) < 0.4, weight[0], 0)
    if kind in ("sparse", "equal"):
        weight = np.where(np.isfinite(weight), weight, 1)  # what isn't stored is 0 in the twin
        return support.csr(weight), weight
    laid_out = draw.laid_out(weight)  # which may repeat some entries
    return laid_out, np.array(laid_out)


def projections(draw, n, dtype):
    """Projections as they are given, and for the twin."""
    given, twins = [], []
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        weight, matrix = a_weight(draw, n, dtype)
        delay = draw.choice((1, 1, 1, 2, 3, 9))
        decay = draw.choice((0.0, 0.0, 0.5, 1.0, draw.numbers.random(n).round(1)))
        twins.append((matrix, delay, decay))
        plain = delay == 1 and np.ndim(decay) == 0 and decay == 0 and draw.maybe()
        given.append(weight if plain else snnc.Projection(weight, delay=delay, decay=decay))
    return given, twins


def check_torch(draw: Draw):
    """RLeaky or RSynaptic: the same as their neuron in a loop of the same weights."""
    dtype, n = draw.choice((np.float32, np.float64)), draw.choice(SIZES[:-2])
    model = draw.choice(("Leaky", "Synaptic"))
    decays = {"beta": 0.8} if model == "Leaky" else {"alpha": 0.7, "beta": 0.8}
    options = {
        "threshold": draw.choice((0.4, draw.numbers.random(n))),
        "reset_mechanism": draw.choice(("subtract", "none")),
        "reset_delay": draw.maybe(0.7),
    }
    weight = draw.values(draw.choice(((n, n), (n,), ())), draw.choice((np.float32, np.float64)))
    dense = weight.ndim == 2
    own = {"linear_features": n} if dense else {"all_to_all": False, "V": weight}
    layer = getattr(snnc, f"R{model}")(**decays, **options, **own)
    bias = None
    if dense:
        bias = layer.recurrent.bias = draw.numbers.normal(size=n)
        layer.recurrent.weight = weight
    net = snnc.Recurrent(getattr(snnc, model)(**decays, **options), weight, bias=bias)
    shape, steps = (*draw.choice(((), (3,), (2, 3))), n), draw.choice((0, 1, 2, 9))
    draw.note(f"{' '.join(repr(layer).split()):.300} of {dtype.__name__}, {steps} of {shape}")

    x = draw.values((steps, *shape), dtype, special=0.1)
    spk = (draw.numbers.random(shape) < 0.3).astype(dtype)
    start = [draw.values(shape, dtype) for _ in net.neuron.states]
    laid_out = [draw.laid_out(a) for a in (x, spk, *start)]
    x, spk, *start = (np.array(array) for array in laid_out)  # some entries may be repeated
    memory = Memory(laid_out)
    rec = layer.run(*laid_out, num_threads=draw.choice((1, 2, 3)))
    other = net.run(x, *start, spk[None], record=("spk", *net.neuron.states))
    for name in ("spk", *net.neuron.states):
        same(name, rec._arrays[name], other._arrays[name])
    values = laid_out[1:]
    for t in range(min(steps, 3)):
        values = layer(x[t], *values)
        for name, value in zip(layer.states, values, strict=True):
            same(f"{name} of a step", value, rec._arrays[name][t])
    memory.check()


def check(draw: Draw):
    """One closed loop, run whole, in parts, and step by step."""
    if draw.maybe(0.2):
        check_torch(draw)
        return
    dtype = draw.choice((np.float32, np.float64))
    n = draw.choice(SIZES)
    lead = draw.choice(((), (), (2,), (5,), (2, 3))) if n < 200 else ()
    shape, steps = (*lead, n), draw.choice((0, 1, 2, 5, 12))
    model = draw.choice(tuple(support.CLASSES))
    options = {} if model == "LIF" else {"reset_mechanism": draw.choice(("subtract", "zero"))}
    if model != "LIF" and lead and draw.maybe(0.2):
        options["inhibition"] = True
    if model == "Leaky" and draw.maybe(0.3):
        options["graded_spikes_factor"] = draw.choice((2.0, draw.numbers.random(n)))
    neuron = support.make(model, threshold=draw.choice((0.4, draw.numbers.random(n))), **options)
    given, twins = projections(draw, n, dtype)
    bias = draw.choice((None, 0.25, draw.numbers.normal(size=n)))
    net = snnc.Recurrent(neuron, *given, bias=bias)
    shown = " ".join(repr(net).split())
    draw.note(f"{shown:.300} of {dtype.__name__}, {steps} steps of {shape}")

    delays = max([1, *(delay for _, delay, _ in twins)])
    x = draw.values((steps, *shape), dtype, special=0.2)
    states = [draw.values(shape, dtype) for _ in neuron.states]
    past = np.where(draw.numbers.random((delays, *shape)) < 0.3, draw.choice((1, 1, 0.5)), 0)
    currents = [draw.values(shape, dtype) for _ in twins]
    laid_out = [draw.laid_out(a) for a in (x, *states, past.astype(dtype), *currents)]
    x, *start = (np.array(array) for array in laid_out)
    states, currents = start[: len(states)], start[len(states) + 1 :]
    reset, undelayed, inhibition = neuron._kind(neuron._options)
    with np.errstate(all="ignore"):
        constants = neuron._constants(neuron._parameters, neuron._options, dtype)

    def one_step(x, states):
        return reference.step(
            model, x, states, constants, reset=reset, reset_delay=not undelayed,
            inhibition=inhibition,
        )  # fmt: skip

    expected = [np.zeros((0, *np.shape(s)), dtype) for s in (np.zeros(shape), *start)]
    if steps:
        expected = reference.recurrent(one_step, x, states, start[len(states)], currents, twins,
                                       bias)  # fmt: skip
    names = ("spk", *net.states)
    memory = Memory(laid_out)
    record = draw.some(list(names))
    rec = net.run(*laid_out, record=record, num_threads=draw.choice((1, 1, 2, 3)))
    for name in record:
        same(name, rec._arrays[name], expected[names.index(name)])
    for name, value, last in zip(net.states, rec.state, expected[1:], strict=True):
        same(name, value, last[-1] if steps else start[net.states.index(name)])
    cut, every = draw.randint(0, steps), draw.choice((1, 2, 3))
    kinds = (np.uint8, bool, np.float64) if model != "Leaky" else (np.float64,)
    recs = net.run_chunks([x[:cut], x[cut:]], *start, record=("spk", "count", *net.states),
                          every=every, spk_dtype=draw.choice(kinds))  # fmt: skip
    parts = list(recs)
    for name in ("spk", *net.states):
        whole = expected[names.index(name)]
        whole = whole if name == "spk" else whole[every - 1 :: every]
        found = np.concatenate([part._arrays[name] for part in parts])
        same(name, found, whole.astype(found.dtype))
    values = start
    for t in range(min(steps, 3)):
        spk, *values = net(x[t], *values)
        for name, value, other in zip(names, (spk, *values), expected, strict=True):
            same(f"{name} of a step", value, other[t])
    memory.check()
    if twins and twins[0][0].ndim == 2:
        spikes = draw.values((4, n), draw.choice((np.uint8, dtype)), special=0.1)
        with np.errstate(all="ignore"):
            same("product", snnc.spike_product(spikes, np.asarray(twins[0][0], dtype)),
                 weighted(twins[0][0], spikes.astype(dtype)))  # fmt: skip
