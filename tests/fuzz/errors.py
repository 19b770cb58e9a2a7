"""Calls that fail, at every stage, on neurons that hold states: afterwards all is as before.

That is held states, parameters and options, networks, arrays given to be filled, inputs and random
generators; and the next good call does what it does for a copy that has seen no failure. Failing
allocations are in ../test_allocations.py: NumPy's own code doesn't survive them.
"""

import copy
import signal

import numpy as np
import support
from draw import Draw, show
from forward import is_noisy
from memory import Memory
from outcome import assert_unchanged, frozen, snapshot

import snnc
from snnc import nn, optim

N = 5  # neurons


# ---- what fails: a function, its positional arguments, its keywords ----


def no_array(draw, neuron):
    """What is no array of real numbers, or doesn't fit the neuron's shape."""
    x = np.zeros((4, N))
    own = [*neuron._parameters.values(), *(neuron._held or ())]
    if (N,) in map(np.shape, own) and draw.maybe(0.3):
        return draw.choice((np.zeros((4, N + 1)), np.zeros((4, N + 2), np.float32), [[0.5] * 4]))
    return draw.choice((
        x.astype(complex), x.astype(object), x.astype(str), np.ma.masked_array(x), "text", {},
        x.astype(np.longdouble), x.astype("M8[s]"), x.astype([("a", float)]), [[1], [2, 3]],
        object(), b"bytes", lambda: 0, [None, None], 1j,
    ))  # fmt: skip


# Values that the arguments of a run can't have.
WRONG = {
    "num_steps": (-1, 1.5, "a", 2**62, 2**70, [3], np.float64(2), -(2**70)),
    "time_axis": (99, -99, 1.5, "a", None, 2**70, [0]),
    "record": ("wrong", ("spk", "spk"), 5, ("spk", 3), [["spk"]], ("mem ",), {"spk": 1, "x": 2}),
    "every": (0, -1, 1.5, "a", None, [1]),
    "neurons": ([10**6], "a", 1.5, [[0]], [0.5], np.zeros(3, bool), [-(10**6)], [2**70], {}),
    "spk_dtype": (int, "wrong", "f2", ">f4", object, "Packed", [1], 3, complex),
    "grad": (1, "a", None, 0),
    "dtype": (int, "f2", ">f8", "wrong", object, complex, [1], "packed"),
    "num_threads": (0, 65, -1, 1.5, "a", 2**70, [1]),
    "rng": ("a", 1.5, -1, object()),
}


def bad_output(draw, neuron, x):
    """An `out=` for a run over x that is refused."""
    name, whole = neuron.states[0], np.full(x.shape, 7, x.dtype)
    read_only = whole.copy()
    read_only.flags.writeable = False
    states = tuple(np.full(x.shape[1:], 7, x.dtype) for _ in neuron.states)
    return draw.choice((
        {"spk": whole[:, :2]}, {"spk": whole.astype(np.int16)}, {"spk": read_only}, 5, [whole],
        {"spk": np.repeat(whole, 2, axis=1)[:, ::2]}, {"wrong": whole}, {"spk": whole.tolist()},
        {"spk": whole, name: whole}, {"state": states[:-1] or 5}, {"state": (*states[:-1], whole)},
        {"spk": whole.astype(whole.dtype.newbyteorder())}, {"spk": np.ma.masked_array(whole)},
        {"spk": whole, "state": (*states[:-1], whole[0])}, {"events": whole}, "text",
        snnc.Leaky(0.9).run(np.zeros((2, 2))),
    ))  # fmt: skip


def a_run(draw, neuron, x, rng):
    """A run of which one argument is wrong."""
    options = {"every": draw.choice((1, 2)), "num_threads": draw.choice((1, 2))}
    options["record"] = draw.choice(("spk", ("spk", neuron.states[0]), neuron.states, "count"))
    options = {name: options[name] for name in draw.some(list(options))}
    options |= {} if rng is None else {"rng": rng}
    name = draw.choice(("x", "x", "state", "out", *WRONG))
    if name == "out":
        rng_only = {} if rng is None else {"rng": rng}
        return neuron.run, [x], {"out": bad_output(draw, neuron, x), **rng_only}
    if draw.maybe(0.3):
        states = tuple(np.full(x.shape[1:], 7, np.float64) for _ in neuron.states)
        options |= {"out": {"state": states}, "dtype": np.float64}
    if name == "x":
        return neuron.run, [no_array(draw, neuron)], options
    if name == "state":
        states = [None] * len(neuron.states)
        states[draw.randrange(len(states))] = no_array(draw, neuron)
        return neuron.run, [x, *states], options
    wrong = draw.choice(WRONG[name])
    return neuron.run, [x[0] if name == "num_steps" else x], options | {name: wrong}


def a_step(draw, neuron, x, rng):
    """A step of which one argument is wrong."""
    held = neuron._held is not None
    states = [] if held else [np.full(N, 0.5, x.dtype) for _ in neuron.states]
    keywords = {} if rng is None else {"rng": rng}
    good = tuple(np.full(N, 7, x.dtype) for _ in ("spk", *neuron.states))
    good = good[:1] if held and not neuron.output else good
    bad, k = list(good), draw.randrange(len(good))
    bad[k] = draw.choice((good[k][:2], good[k].astype(int), [1.0], "text"))
    name = draw.choice(("input_", "state", "out", "dtype", "missing", "unknown"))
    if name == "input_":
        return neuron, [no_array(draw, neuron), *states], keywords | {"out": good}
    if name == "state":
        states = states or [None] * len(neuron.states)
        states[draw.randrange(len(states))] = no_array(draw, neuron)
    elif name == "out":
        keywords["out"] = draw.choice((tuple(bad), iter(good), 5, "text", (*good, good[0])))
    elif name == "dtype":
        keywords["dtype"] = draw.choice(WRONG["dtype"])
    elif name == "missing" and states:
        states.pop()
    else:
        keywords["unknown"] = 1
    return neuron, [x[0], *states], keywords


def an_assignment(draw, neuron, x, rng):
    """An attribute that is set to what it can't be."""
    names = [*neuron._parameters, *(n for n in neuron._options if hasattr(neuron, n))]
    name = draw.choice([*names, *neuron.states] if neuron._held is not None else names)

    def set_to(value):
        setattr(neuron, name, value)

    set_to.__self__ = neuron
    if name in neuron._options:
        return set_to, [draw.choice((5, "wrong", 1.5, [True]))], {}
    wrong = (1j, "text", [[1], [1, 2]], np.zeros(2, object), np.ma.masked_array([1.0]))
    if any(a.shape == (N,) for n, a in neuron._parameters.items() if n != name):
        wrong += (np.full(N + 1, 0.5),) if name in neuron._parameters else ()
    return set_to, [draw.choice(wrong)], {}


def too_large(draw, neuron, x, rng):
    """A run whose results no memory holds."""
    steps = draw.choice((2**43, 2**45, 2**50))
    record = draw.choice(("spk", neuron.states, ("count", neuron.states[0]), ("spk", "events")))
    if rng is None and draw.maybe():
        return neuron.run, [np.broadcast_to(x[:1], (steps, N))], {"record": record}
    options = {"record": record} if rng is None else {"record": record, "rng": rng}
    return neuron.run, [x[0]], {"num_steps": steps, **options}


def an_interrupt(draw, neuron, x, rng):
    """A run that would take for ever, and an alarm."""
    if rng is not None or not hasattr(signal, "setitimer"):
        return a_run(draw, neuron, x, rng)

    def stop(number, frame):
        raise KeyboardInterrupt("of the alarm")

    def run(x):
        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(0.001, 0.01))
        try:
            neuron.run(x, num_steps=2**40, record=())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    run.__self__ = neuron
    return run, [x[0]], {}


def of_chunks(draw, neuron, x, rng):
    """Chunks of which the first is no array, or which end in an interrupt at once."""

    def broken():
        raise KeyboardInterrupt("of the iterator")
        yield

    def run(chunks, **options):
        list(neuron.run_chunks(chunks, **options))

    run.__self__ = neuron
    options = {} if rng is None else {"rng": rng}
    return run, [draw.choice((broken(), [no_array(draw, neuron)], 5))], options


class Failing:
    """A surrogate that fails after some calls."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, y):
        self.calls -= 1
        if self.calls < 0:
            raise ZeroDivisionError("of the surrogate")
        return np.ones_like(y)


def failing_backward_pass(draw, neuron, x, rng):
    """A backward pass that is refused, or whose surrogate fails at some step."""
    lif = support.make("Leaky", spike_grad=Failing(draw.randint(0, 3)))
    rec = lif.run(x, grad=True, checkpoint=2)
    out = np.full(x.shape, 7, x.dtype)
    return lif.backward, *draw.choice((
        ([rec, x], {"out": out}), ([rec, x, x], {}), ([rec], {"wrt": "wrong"}), ([5, x], {}),
        ([rec, no_array(draw, lif)], {"out": out}), ([lif.run(x), x], {"out": out}),
        ([rec, x], {"out": out[:2]}), ([rec, x], {"num_threads": 0, "out": out}),
        ([rec, x], {"out": x.tolist()}), ([rec, x], {"wrt": 5, "out": out}),
    ))  # fmt: skip


OF_NEURONS = (a_run, a_run, a_run, a_run, a_step, a_step, a_step, an_assignment, an_assignment,
              of_chunks, too_large, failing_backward_pass)  # fmt: skip


def of_a_network(draw, net, x):
    """A run, a backward pass or new parameters, of which something is wrong for some layer."""
    state, sgd = net.state_dict(), optim.SGD(net, lr=1.0)
    rec = copy.deepcopy(net).run(x, grad=True)
    key, ones = draw.choice(list(state)), np.ones((3, N))
    return draw.choice((
        (net.run, [no_array(draw, net["lif1"])], {}),
        (net.run, [x[..., :2]], {}),
        (net.run, [x], {"record": {"lif2": "wrong"}}),
        (net.run, [x], {"record": {"lif2": ("spk", "spk"), "lif1": "count"}}),
        (net.run, [x], {"record": {"wrong": "spk"}}),
        (net.run, [x], {"states": {"lif2": (np.zeros(9),)}}),
        (net.run, [x], {"num_threads": 0}),
        (net.run, [x], {"grad": 1}),
        (net.run, [x[0]], {"num_steps": draw.choice((-1, 1.5, 2**45, 2**70))}),
        (net.backward, [rec], {"mem": np.zeros((9, 9))}),
        (net.backward, [5], {"mem": x}),
        (net.load_state_dict, [{k: v for k, v in state.items() if k != key}], {}),
        (net.load_state_dict, [{**state, key: np.zeros((7, 7, 7), complex)}], {}),
        (net.load_state_dict, [{**state, "lif2.alpha": np.float32(0)}], {}),
        (net.load_state_dict, [{**state, "wrong": np.float32(0)}], {}),
        (sgd.step, [{"fc1.weight": ones, "lif2.alpha": np.float32(1)}], {}),
        (sgd.step, [{"fc1.weight": ones, "wrong": np.float32(1)}], {}),
        (sgd.step, [{"fc1.weight": ones, "fc2.bias": np.ones(9)}], {}),
    ))  # fmt: skip


# ---- before and after ----


def fail(draw, function, args, keywords, *others):
    """Make a call that must fail, and see that it has changed nothing."""
    draw.note(f"{show(getattr(function, '__self__', function))} {function!r:.80}")
    draw.note(f"{show(args)}, {show(keywords)}")
    guarded = (getattr(function, "__self__", None), function, *args, *others)
    before, memory = snapshot(*guarded), Memory(args, keywords)
    try:
        function(*args, **keywords)
    except (TypeError, ValueError, MemoryError, OverflowError, AttributeError,
            KeyboardInterrupt, ZeroDivisionError) as error:  # fmt: skip
        draw.note(f"raises {error!r:.200}".replace("\n", " "))
    else:
        raise AssertionError("it did not fail")
    memory.check()
    assert_unchanged(before, *guarded)


def a_neuron(draw):
    """A neuron, most often one that holds states; and whether it has noise."""
    held = {"init_hidden": True, "output": draw.maybe()} if draw.maybe(0.85) else {}
    if draw.maybe(0.25):
        weight = draw.numbers.normal(size=(N, N))
        neuron = draw.choice((
            snnc.Recurrent(support.make("Synaptic", **held), weight, 0.5, bias=0.1),
            snnc.Recurrent(support.make("LIF", **held), snnc.Projection(weight, delay=3)),
            snnc.RLeaky(0.9, linear_features=N, rng=1, **held),
        ))  # fmt: skip
        return neuron, False
    if draw.maybe(0.3):
        sigma = draw.choice((0.0, 0.0, 0.3, np.linspace(0, 1, N)))
        neuron = support.make("LIF", v_rest=np.linspace(-0.5, 0, N), sigma=sigma, **held)
    else:
        neuron = draw.neuron((N,), **held)
    return neuron, is_noisy(neuron)


def good_calls(neuron, x, noisy):
    """What a run and a step return, and leave in the neuron."""
    options = {"rng": np.random.default_rng(5)} if noisy else {}
    states = () if neuron._held is not None else neuron._rest()
    results = [neuron.run(x, **options), neuron(x[0], *states, **options)]
    return frozen(results), frozen(neuron), repr(neuron)


def check(draw: Draw):
    """A failing call, and everything after it."""
    if draw.maybe(0.2):
        check_network(draw)
        return
    neuron, noisy = a_neuron(draw)
    x = draw.values((4, N), draw.choice((np.float32, np.float64)))
    rng = np.random.default_rng(draw.getrandbits(32)) if noisy else None
    if draw.maybe(0.6):
        neuron.run(x, **({"rng": 3} if noisy else {}))
    untouched = copy.deepcopy(neuron)
    kind = an_interrupt if draw.maybe(0.03) else draw.choice(OF_NEURONS)
    fail(draw, *kind(draw, neuron, x, rng), neuron, rng)
    after, expected = (good_calls(n, x, noisy) for n in (neuron, untouched))
    assert after == expected, "good calls afterwards aren't those of the copy"


def check_network(draw):
    """The same with a network whose neurons hold states."""
    net = nn.Sequential(
        fc1=nn.Linear(N, 3, rng=1),
        lif1=snnc.Leaky(0.9, init_hidden=True),
        fc2=nn.Linear(3, 4, rng=2),
        lif2=snnc.Alpha(0.9, 0.8, learn_alpha=True, init_hidden=draw.maybe()),
    )
    x = draw.numbers.normal(0.3, 1, (4, 1, N)).astype(np.float32)
    if draw.maybe(0.8):
        net.run(x)
    untouched = copy.deepcopy(net)
    fail(draw, *of_a_network(draw, net, x), net)
    assert frozen(net) == frozen(untouched), "the network is not as its copy"
    assert frozen(net.run(x)) == frozen(untouched.run(x)), "a run afterwards isn't the copy's"
