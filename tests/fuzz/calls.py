"""Calls of everything that is public, with arguments that they accept.

Each function here draws one: what is called, its positional arguments and its keywords, in which
nested tuples, lists and dicts have places of their own.
"""

import copy
import operator
from types import SimpleNamespace

import numpy as np
from support import TORCH, csr, make

import snnc
from snnc import functional, nn, optim, spikestats, surrogate


def method_of(owner, function):
    """A function that counts as a method of its owner, for who looks for the neuron."""
    function.__self__ = owner
    return function


def a_neuron(draw, models=("LIF", *TORCH), **options):
    each = {"threshold": np.array([0.5, 0.6, 0.7, 0.8])} if draw.maybe() else {}
    return make(draw.choice(models), **each, **options)


def floats(draw, *shape):
    return draw.numbers.normal(0.3, 0.7, shape).astype(draw.choice((np.float32, np.float64)))


def step(draw):
    neuron = a_neuron(draw)
    x = floats(draw, 4)
    states = [floats(draw, 4).astype(x.dtype) for _ in neuron.states]
    keywords = {}
    if draw.maybe():
        keywords["out"] = (np.full(4, 9, x.dtype), *(draw.choice((None, s)) for s in states))
    if draw.maybe(0.3):
        keywords["dtype"] = draw.choice((x.dtype, x.dtype.type))
    return neuron, [x, *states], keywords


def held_step(draw):
    neuron = a_neuron(draw, init_hidden=True, output=draw.maybe())
    if draw.maybe():
        neuron(np.float32([1, 2, 3, 4]))
    return neuron, [floats(draw, 4)], {}


def run(draw):
    neuron = a_neuron(draw, init_hidden=draw.maybe(0.3))
    x = floats(draw, 6, 4)
    states = [] if neuron.init_hidden else [floats(draw, 4) for _ in neuron.states]
    options = {
        "time_axis": 0,
        "record": ("spk", "count", neuron.states[0], "events"),
        "every": 2,
        "neurons": [1, 3, 0],
        "spk_dtype": draw.choice(("packed", np.uint8, np.dtype(bool), np.float32)),
        "dtype": draw.choice((np.float64, np.dtype(np.float64))),
        "num_threads": 1,
    }
    if neuron._name != "LIF":
        options |= {"grad": True, "checkpoint": 2}
    options = {name: options[name] for name in draw.some(list(options))}
    if {"record", "dtype"} <= options.keys() and not neuron.init_hidden:
        states_out = tuple(np.full(4, 9.0) for _ in neuron.states)
        options["out"] = {"count": np.full(4, 9), "state": states_out}
    if draw.maybe(0.3):
        x, options["num_steps"] = x[0].copy(), 6
    if states and draw.maybe():
        options[neuron.states[-1]] = states.pop()
    return neuron.run, [x, *states], options


def plain_run(draw):
    """What the shortest way through the binding takes."""
    neuron = a_neuron(draw)
    x = floats(draw, 6, 4)
    states = [floats(draw, 4).astype(x.dtype) for _ in neuron.states]
    options = {"record": draw.choice(("spk", ("spk",), ["spk"]))}
    if draw.maybe(0.6):
        options["spk_dtype"] = draw.choice((np.uint8, bool, x.dtype))
    if draw.maybe():
        spk = np.full((6, 4), 9, options.get("spk_dtype", x.dtype))
        options["out"] = {"spk": spk, "state": tuple(states)}
    return neuron.run, [x, *states], options


def chunks(draw):
    neuron = a_neuron(draw)

    def whole(*args, **keywords):
        return list(neuron.run_chunks(*args, **keywords))

    given = [floats(draw, 3, 4).astype(np.float32) for _ in range(3)]
    return method_of(neuron, whole), [given], {"record": ("events", "count"), "every": 2}


def noise(draw):
    neuron = a_neuron(draw, ("LIF",), sigma=0.3)
    rng = np.random.default_rng(draw.getrandbits(32))
    x = floats(draw, 6, 4)
    if draw.maybe():
        return neuron, [x[0].copy(), *neuron.reset_mem()], {"rng": rng, "out": (None,) * 3}
    options = {"rng": rng, "num_steps": None, "time_axis": 0, "record": ("v", "count")}
    return neuron.run, [x], options


def backward(draw):
    neuron = a_neuron(draw, TORCH)
    if draw.maybe(0.3):
        neuron.spike_grad = Squared()
    x = floats(draw, 6, 4)
    rec = neuron.run(x, grad=True, checkpoint=2)
    keywords = {"wrt": draw.choice(("x", ("x", "threshold"), ["mem0"]))}
    if draw.maybe():
        keywords["out"] = np.full((6, 4), 9, x.dtype)
    if draw.maybe(0.3):
        keywords["num_threads"] = 2
    return neuron.backward, [rec, floats(draw, 6, 4), floats(draw, 4)], keywords


class Squared:
    """A surrogate of one's own."""

    def __call__(self, y):
        return 1 / (1 + y * y)


def construct(draw):
    each, kind = np.array([0.5, 0.6, 0.7, 0.8]), draw.choice(("LIF", *TORCH))
    keywords = {"init_hidden": False, "output": False}
    if kind == "LIF":
        keywords |= {"dt": 0.1, "v_threshold": each, "v_rest": -1, "t_ref": 0.5, "sigma": 0.0}
        return snnc.LIF, [10.0], keywords | {"method": "exact", "spike_test": "before"}
    keywords |= {"threshold": each, "inhibition": False, "reset_mechanism": "zero"}
    keywords |= {"spike_grad": surrogate.atan(1.0), "learn_beta": True}
    first = {"Lapicque": (0.5, 2.0), "Leaky": (0.9,)}.get(kind, (np.float32(0.9), 0.4))
    return getattr(snnc, kind), list(first), keywords


def assign(draw):
    neuron = a_neuron(draw, init_hidden=draw.maybe())
    name, value = draw.choice((
        *((n, np.array(v)) for n, v in neuron._parameters.items()),
        *((n, v) for n, v in neuron._options.items() if v is not None and hasattr(neuron, n)),
    ))  # fmt: skip
    if neuron.init_hidden and draw.maybe():
        name, value = neuron.states[0], np.ones(4)

    def set_to(value):
        setattr(neuron, name, value)
        return neuron

    return method_of(neuron, set_to), [value], {}


def of_recording(draw):
    lif = snnc.Leaky(0.9)
    rec = lif.run(floats(draw, 9, 4), spk_dtype=draw.choice((None, "packed")))
    return draw.choice((
        (rec.spike_times, [0.5], {}),
        (spikestats.isi, [rec, np.array(0.5)], {}),
        (spikestats.cv, [rec], {}),
        (spikestats.firing_rate, [rec, 0.5], {}),
        (spikestats.fi_curve, [lif, np.array([0.1, 0.5]), 9, 2], {}),
        (snnc.unpack_spikes, [np.array([[3], [7]], np.uint8), (2, 2)], {}),
        (snnc.utils.reset, [[lif, {"a": lif}]], {}),
        (snnc.set_num_threads, [1], {}),
        (operator.eq, [lif, snnc.Leaky(0.9)], {}),
    ))  # fmt: skip


def of_surrogate(draw):
    kind = getattr(surrogate, draw.choice(("atan", "fast_sigmoid", "sigmoid", "triangular")))
    return (kind, [2.0], {}) if draw.maybe() else (kind(), [floats(draw, 4)], {})


class Leaky(SimpleNamespace):
    """A neuron as snnTorch has it."""


def network(draw):
    net = nn.Sequential(
        fc=nn.Linear(4, 3, rng=1), lif1=snnc.Leaky(0.9, init_hidden=draw.maybe(0.3)),
        fc2=nn.Linear(3, 2, rng=2), lif2=snnc.Leaky(0.8, learn_beta=True),
    )  # fmt: skip
    x, state = floats(draw, 5, 4), net.state_dict()
    grads = {key: np.ones_like(state[key]) for key in ("fc.weight", "lif2.beta")}
    options = {
        "record": {"lif2": ("spk", "mem"), "lif1": "count"}, "states": {"lif2": (np.ones(2),)},
        "num_threads": 1, "time_axis": 0, "grad": True, "checkpoint": 3,
    }  # fmt: skip
    theirs = Leaky(beta=np.array(0.9), threshold=np.array(1.0), reset_mechanism="zero")
    return draw.choice((
        (net.run, [x], options),
        (net.run, [x[0].copy()], {"num_steps": 4, "record": "spk"}),
        (net.backward, [net.run(x, time_axis=0, grad=True)],
         {"mem": np.ones((5, 2)), "spk": np.ones(2), "num_threads": 1}),
        (net.load_state_dict, [state], {}),
        (nn.Linear, [4, 3], {"bias": True, "rng": 1}),
        (net["fc"], [x], {}),
        (net["fc"].backward, [x, np.ones((5, 3), x.dtype)], {"wrt_x": True}),
        (batches, [np.zeros((5, 2)), np.arange(5), 2], {"rng": 1}),
        (optim.SGD(net, lr=0.1).step, [grads], {}),
        (optim.Adam(net).step, [grads], {}),
        (optim.SGD, [net], {"lr": 0.1, "momentum": 0.5}),
        (optim.Adam, [net], {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8}),
        (set_weight, [net["fc"], np.ones((3, 4))], {}),
        (snnc.from_snntorch, [theirs], {}),
    ))  # fmt: skip


def set_weight(linear, value):
    linear.weight = value


def batches(*args, **keywords):
    return list(nn.batches(*args, **keywords))


def loss(draw):
    out, targets = floats(draw, 5, 3, 2), np.array([0, 1, 1])
    return draw.choice((
        (functional.ce_rate_loss(), [out, targets], {}),
        (functional.ce_count_loss(), [np.abs(out), targets], {}),
        (functional.mse_count_loss, [0.8, 0.2], {}),
        (functional.mse_count_loss(0.8, 0.2), [np.abs(out), targets], {}),
        (functional.mse_membrane_loss(), [out, targets], {}),
        (functional.accuracy_rate, [np.abs(out), targets], {}),
    ))  # fmt: skip


def product(draw):
    """Spikes of two rows of five inputs, times weights for three outputs."""
    spk = (draw.numbers.random((2, 5)) < 0.4).astype(draw.choice((np.uint8, bool, float)))
    weight = floats(draw, 3, 5)
    given = draw.choice((weight, np.asfortranarray(weight), csr(weight)))
    keywords = {"bias": floats(draw, 3), "num_threads": 2}
    keywords = {name: keywords[name] for name in draw.some(list(keywords))}
    if draw.maybe():
        wide = {
            spk.dtype,
            weight.dtype,
            *(keywords["bias"].dtype for _ in keywords if "bias" in keywords),
        }
        dtype = np.float64 if np.dtype(np.float64) in wide else np.float32
        keywords["out"] = np.full((2, 3), 9, dtype)
    return snnc.spike_product, [spk, given], keywords


def a_loop(draw, **options):
    """Four neurons in a closed loop."""
    weight = draw.choice((floats(draw, 4, 4), csr(floats(draw, 4, 4)), floats(draw, 4), 0.5))
    if draw.maybe(0.3):
        return snnc.RLeaky(0.9, linear_features=4, rng=1, **options)
    return snnc.Recurrent(a_neuron(draw, **options), snnc.Projection(weight, delay=2), bias=0.1)


def recurrent(draw):
    """Steps, runs, gradients and constructors of closed loops."""
    net = a_loop(draw, init_hidden=draw.maybe(0.3))
    x = floats(draw, 6, 4)
    states = [] if net.init_hidden else [np.asarray(s) for s in net.run(x[:1]).state]
    keywords = {"record": ("spk", *net._recordable), "num_threads": 2, "every": 2}
    if draw.maybe(0.3) and hasattr(net.neuron, "learned"):
        rec = copy.copy(net).run(x, grad=True)
        return net.backward, [rec, x], {"wrt": ("x", net.learned[-1]), "out": np.full_like(x, 9)}
    each, loop = np.array([0.1, 0.2, 0.3, 0.4]), a_loop(draw)
    name = draw.choice([n for n in ("threshold", "v_threshold", "bias") if n in loop._parameters])

    def set_to(value):
        setattr(loop, name, value)
        return loop

    return draw.choice((
        (net.run, [x, *states], {n: keywords[n] for n in draw.some(list(keywords))}),
        (net.run, [x, *states], {}),
        (net, [x[0].copy(), *states], {}),
        (snnc.Projection, [floats(draw, 4, 4)], {"delay": 2, "decay": each}),
        (snnc.Projection, [csr(floats(draw, 4, 4))], {"decay": 0.5}),
        (snnc.Recurrent, [snnc.Leaky(0.9), floats(draw, 4, 4), each], {"bias": each}),
        (snnc.RLeaky, [0.9], {"V": each, "all_to_all": False}),
        (method_of(loop, set_to), [each], {}),
    ))  # fmt: skip


AT_ONCE = (
    step,
    held_step,
    run,
    plain_run,
    product,
)  # which compute nothing before all has been read
CALLS = (*2 * (*AT_ONCE, run, plain_run, backward, noise, recurrent), chunks, construct, assign,
         of_recording, of_surrogate, network, network, loss)  # fmt: skip
