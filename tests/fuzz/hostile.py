"""Hostile objects in every place of every public call.

An object stands in for one argument and is told of each use that Python or NumPy makes of it. A
first call lists these uses; in another call like it one of them raises, returns something wrong,
or changes another argument or the neuron. Allowed are the result of a plain call and an exception:
the object's own, or a TypeError or ValueError about a value that is wrong. Nothing may crash, and
after an exception everything is as it was before.
"""

import contextlib
import contextvars
import copy
import pickle
import sys

import numpy as np
from calls import AT_ONCE, CALLS
from draw import Draw, show
from memory import Memory
from outcome import assert_unchanged, frozen, snapshot

import snnc
from snnc import nn, spikestats

# ---- places among nested arguments ----


def places(value, path=()):
    """The paths to all places in nested tuples, lists and dicts, containers included."""
    if type(value) in (tuple, list, dict):
        for key in value if type(value) is dict else range(len(value)):
            yield (*path, key)
            yield from places(value[key], (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def put(value, path, new):
    """The same arguments with something else in one place."""
    if not path:
        return new
    key, *rest = path
    if type(value) is dict:
        return {k: put(v, rest, new) if k == key else v for k, v in value.items()}
    return type(value)(put(v, rest, new) if i == key else v for i, v in enumerate(value))


# ---- objects that stand in ----

METHODS = (
    "__array__", "__index__", "__int__", "__float__", "__complex__", "__bool__", "__len__",
    "__iter__", "__next__", "__getitem__", "__setitem__", "__contains__", "__eq__", "__ne__",
    "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__repr__", "__str__", "__format__",
    "__call__", "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__",
    "__truediv__", "__rtruediv__", "__neg__", "__abs__", "__pow__", "__and__", "__or__",
    "__array_ufunc__", "__array_function__", "__array_finalize__", "__buffer__",
)  # fmt: skip
NUMPYS = (".__array_wrap__", ".__array_priority__")  # NumPy itself crashes where they raise
KINDS = ("delegates", "delegates", "inherits", "inherits", "lies", "is array-like")


class Watch:
    """What is told of each use of an object, by name, and acts at one of them."""

    def __init__(self, when=None, act=None):
        self.when = when  # which use, counted from 0; or the first of this name
        self.act = act
        self.acted = self.on = False
        self.uses = []

    def __call__(self, use):
        """None, or in a tuple what is to be returned instead."""
        if not self.on or use in NUMPYS:
            return None
        self.uses.append(use)
        if self.acted or self.when not in (use, len(self.uses) - 1):
            return None
        self.acted = True
        return self.act()


def stand_in(value, watch, kind):
    """An object that stands in for the value.

    It delegates to it or inherits from its type; it lies if its ``__class__`` is that type too.
    """
    base = type(value)
    methods = [name for name in METHODS if hasattr(base, name)]
    if kind == "inherits":
        with contextlib.suppress(TypeError):  # not of bool, None, dtypes and the like
            return _subclass_instance(
                value, watch, [name for name in methods if name != "__array_finalize__"]
            )

    def method(name):
        def use(self, *args, **keywords):
            instead = watch(name)
            return instead[0] if instead else getattr(base, name)(value, *args, **keywords)

        return use

    def get(self, name):
        instead = watch(f".{name}")
        if instead:
            return instead[0]
        if name == "__class__" and kind != "lies":
            return type(self)
        if name == "dtype" and isinstance(value, (type, np.dtype)):
            return np.dtype(value)
        return getattr(value, name)

    space = {name: method(name) for name in methods} | {"__getattribute__": get}
    if kind == "is array-like" and isinstance(value, (int, float)):
        space["__array__"] = lambda self, *args, **keywords: (watch("__array__") or [
            np.asarray(value)])[0]  # fmt: skip
    return type("Hostile", (), space)()


def _subclass_instance(value, watch, methods):
    """An instance of a subclass of the value's type, equal to the value."""

    def method(name):
        def use(self, *args, **keywords):
            instead = watch(name)
            return instead[0] if instead else getattr(super(kind, self), name)(*args, **keywords)

        return use

    def get(self, name):
        instead = watch(f".{name}")
        return instead[0] if instead else super(kind, self).__getattribute__(name)

    base = type(value)
    kind = type("Hostile", (base,), {n: method(n) for n in methods} | {"__getattribute__": get})
    if isinstance(value, np.ndarray):
        return value.view(kind)
    if isinstance(value, np.random.Generator):
        return kind(value.bit_generator)
    if isinstance(value, (int, float, str, tuple, list, dict, np.generic)):
        return kind(value)
    heir = kind.__new__(kind)
    if isinstance(value, snnc.SpikingNeuron):
        heir.__setstate__(copy.copy(value).__getstate__())
    else:
        vars(heir).update(vars(value))
    return heir


# ---- what they do ----


class Own(BaseException):
    """An exception that nobody expects."""


def exception(draw):
    kinds = (ValueError, TypeError, KeyboardInterrupt, MemoryError, RuntimeError, AttributeError,
             OverflowError, KeyError, IndexError, Own)  # fmt: skip
    undecodable = UnicodeDecodeError("utf-8", b"x", 0, 1, "hostile")
    return draw.choice((undecodable, *(kind("hostile") for kind in kinds)))


WRONG = (
    None, "x", -1, 2**100, 1.5, float("nan"), [], (), object(), np.zeros(3), True,
    np.zeros(0, complex), NotImplemented, np.zeros((2, 2)), {}, 10**18,
)  # fmt: skip
OF_ARRAYS = (
    ("turns the shape of", lambda a: setattr(a, "shape", a.shape[::-1])),
    ("flattens", lambda a: setattr(a, "shape", a.size)),
    ("adds an axis to", lambda a: setattr(a, "shape", (*a.shape, 1))),
    ("empties", lambda a: a.resize((0,) * a.ndim, refcheck=False)),
    ("shortens", lambda a: a.resize((2, 3)[: a.ndim], refcheck=False)),
    ("lengthens", lambda a: a.resize((300, 400)[: a.ndim], refcheck=False)),
    ("sets the dtype of", lambda a: setattr(a, "dtype", f"i{a.itemsize}")),
    ("narrows the dtype of", lambda a: setattr(a, "dtype", np.uint8)),
    ("makes read-only", lambda a: setattr(a.flags, "writeable", False)),
)
OF_CONTAINERS = (("clears", lambda container: container.clear()),)
OF_NEURONS = (
    ("sets the threshold of", lambda n: setattr(n, _threshold(n), np.full(4, 0.9))),
    ("widens the threshold of", lambda n: setattr(n, _threshold(n), np.full((300, 4), 0.9))),
    ("sets an option of", lambda n: setattr(n, *_option(n))),
    ("resets", lambda n: n.reset_mem()),
    ("runs", lambda n: n.run(np.ones((3, 4)), **({"rng": 3} if n._name == "LIF" else {}))),
    ("switches init_hidden of", lambda n: setattr(n, "init_hidden", not n.init_hidden)),
)


def _threshold(neuron):
    return "v_threshold" if neuron._name == "LIF" else "threshold"


def _option(neuron):
    return ("spike_test", "before") if neuron._name == "LIF" else ("reset_mechanism", "none")


def change(draw, arguments, path, neuron):
    """What changes another argument, or the neuron: a name, the place (None: the neuron), how."""
    others = [p for p in places(arguments) if len(p) > 1 and p != path]
    arrays = [p for p in others if type(at(arguments, p)) is np.ndarray]
    arrays = [p for p in arrays if at(arguments, p).flags.owndata]
    containers = [p for p in others if type(at(arguments, p)) in (list, dict)]
    containers = [p for p in containers if p != path[: len(p)]]  # NumPy crashes as it reads one
    choices = [(OF_ARRAYS, arrays)] * 3 + [(OF_CONTAINERS, containers)]
    choices = [choice for choice in choices if choice[1]]
    if neuron is not None:
        choices.append((OF_NEURONS, [None]))
    if not choices:
        return None
    acts, chosen = draw.choice(choices)
    (what, act), place = draw.choice(acts), draw.choice(chosen)
    return f"{what} {_named(place) if place else 'the neuron'}", place, act


def make_change(changed, arguments, neuron):
    """Do it, if that is possible."""
    _, place, act = changed
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        act(at(arguments, place) if place else neuron)


def _named(path):
    return ".".join(map(str, path[1:]))


# ---- outcomes ----


def outcome(function, arguments, watch=None):
    """A result, by its bits, and an exception: one of them is None."""
    args, keywords = arguments
    if watch is not None:
        watch.on = True
    try:
        result = function(*args, **keywords)
    except BaseException as error:
        return None, error
    finally:
        if watch is not None:
            watch.on = False
    return frozen(result), None


def neuron_of(function):
    """The neuron that a function is, or is a method of."""
    owner = getattr(function, "__self__", function)
    return owner if issubclass(type(owner), snnc.SpikingNeuron) else None


def swallows_exception(value, kind, use, error):
    """Whether Python or NumPy, at this use of such an object, let go of its exception."""

    def act():
        raise error

    asks = (
        np.asarray,
        np.dtype,
        np.shape,
        list,
        np.zeros,
        lambda o: np.array_equal(o, 1),
        contextvars.Context().get,
    )  # its %R, which CPython 3.11 once let go of
    for ask in asks:
        watch = Watch(use, act)
        probe = stand_in(value, watch, kind)
        watch.on = True
        try:
            ask(probe)
        except BaseException as other:
            if watch.acted and other is not error:
                return True
        else:
            if watch.acted:
                return True
    return False


def judge(result, raised, error, allowed, let_go):
    """An object has raised `error`; `allowed` are results."""
    if raised is error:
        return
    about_a_value = isinstance(error, (TypeError, ValueError, AttributeError))
    if raised is None:
        passed_over = isinstance(error, AttributeError) or let_go()
        assert passed_over or (about_a_value and result in allowed), f"{error!r} was lost"
        return
    told = isinstance(error, RuntimeError) and str(error) in str(raised)  # torch's, of a tensor
    assert about_a_value or told or let_go(), f"{error!r} became {raised!r}"
    assert isinstance(raised, (TypeError, ValueError, AttributeError)), repr(raised)


def assert_sound(error):
    """No exception, or none that says that something is wrong in C or with an exception."""
    broken = isinstance(error, SystemError) or "takes exactly 5 arguments" in str(error)
    assert not broken, f"{type(error).__name__}: {error}"


# ---- cases ----


class Case:
    """A call that can be made again and again, and the place of one of its arguments."""

    def __init__(self, draw):
        self.template, self.seed = draw.choice(CALLS), draw.getrandbits(64)
        _, arguments = self.fresh()
        path = draw.choice([path for path in places(arguments) if len(path) == 2])
        inner = list(places(at(arguments, path), path))
        self.path = draw.choice(inner) if inner and draw.maybe() else path
        self.kind = draw.choice(KINDS)
        self.of_name = path[0] == 1 and self.path == path and draw.maybe(0.15)
        self.value = path[-1] if self.of_name else at(arguments, self.path)

    def fresh(self):
        """The function, and [positional, by keyword]."""
        function, args, keywords = self.template(Draw("call", self.seed))
        return function, [list(args), keywords]

    def with_stand_in(self, watch):
        """The same with the object in its place, or as the name of a keyword."""
        function, (args, keywords) = self.fresh()
        if self.of_name:
            name = stand_in(self.value, watch, "inherits")
            keywords = {name if k == self.value else k: v for k, v in keywords.items()}
            return function, [args, keywords]
        return function, put([args, keywords], self.path, stand_in(self.value, watch, self.kind))

    def note(self, draw):
        function, arguments = self.fresh()
        draw.note(f"{show(neuron_of(function))} {function!r:.80}{show(arguments)}")
        place = f"the name {self.value}" if self.of_name else _named(self.path)
        draw.note(f"{place}: {show(self.value)}, as an object that {self.kind}")


def check(draw: Draw):
    """One call, with an object that acts at one of its uses."""
    if draw.maybe(0.02):
        without_constructor(draw)
        return
    case = Case(draw)
    case.note(draw)
    plain, failed = outcome(*case.fresh())
    assert failed is None, f"the plain call fails: {failed!r}"
    watch = Watch()
    undisturbed, failed = outcome(*case.with_stand_in(watch), watch)
    assert_sound(failed)
    if not watch.uses:
        return
    use = draw.choice(sorted({*watch.uses}))
    which = draw.choice([i for i, name in enumerate(watch.uses) if name == use])
    what = draw.choice(("raises", "raises", "returns", "changes", "changes"))
    attack = Watch(which)
    function, arguments = case.with_stand_in(attack)
    neuron = neuron_of(function)
    error, changed = exception(draw), change(draw, arguments, case.path, neuron)

    def act():
        if what == "raises":
            raise error
        if what == "returns":
            return (wrong,)
        make_change(changed, arguments, neuron)
        return None

    wrong = draw.choice(WRONG)
    if what == "changes" and changed is None:
        return
    done = {"raises": repr(error), "returns": show(wrong), "changes": changed and changed[0]}
    draw.note(f"use {which}, {use}: it {what if what != 'changes' else ''} {done[what]}")
    attack.act = act
    guarded = (
        function,
        getattr(function, "__self__", None),
        *arguments[0],
        *arguments[1].values(),
    )
    before, memory, lost = snapshot(*guarded), Memory(arguments), []
    hook, sys.unraisablehook = sys.unraisablehook, lost.append
    try:
        result, raised = outcome(function, arguments, attack)
    finally:
        sys.unraisablehook = hook
    assert not lost, f"an exception was passed over: {lost}"
    assert_sound(raised)
    if not attack.acted:  # some uses are of another number each time
        return
    if what == "raises":
        judge(result, raised, error, (plain, undisturbed),
              lambda: swallows_exception(case.value, case.kind, use, error))  # fmt: skip
    if what == "changes" and raised is None and case.template in AT_ONCE:
        function, others = case.fresh()
        make_change(changed, others, neuron_of(function))
        first, _ = outcome(function, others)
        assert result in (plain, undisturbed, first) or first is None, (
            "neither the plain result nor that of the change"
        )
    if raised is not None and not (what == "changes" and changed[1] is None):
        if what != "changes":
            memory.check()
        assert_unchanged(before, *guarded)


def without_constructor(draw):
    """A neuron whose class skips the constructor of its base."""
    kinds = ("Leaky", "Synaptic", "Alpha", "Lapicque", "LIF", "SpikingNeuron")
    base = getattr(snnc, draw.choice(kinds))
    neuron = type("Bare", (base,), {"__init__": lambda self: None})()
    x = np.zeros((3, 4), np.float32)
    rec = snnc.Leaky(0.9).run(x, grad=True)
    use, call = draw.choice((
        ("a step", lambda: neuron(x[0], x[0])), ("a step", lambda: neuron(x[0], *x)),
        ("run", lambda: neuron.run(x)), ("run_chunks", lambda: list(neuron.run_chunks([x]))),
        ("backward", lambda: neuron.backward(rec, x)), ("repr", lambda: repr(neuron)),
        ("==", lambda: neuron == neuron), ("reset_mem", lambda: neuron.reset_mem()),
        ("a copy", lambda: copy.copy(neuron)), ("a deep copy", lambda: copy.deepcopy(neuron)),
        ("a pickle", lambda: pickle.loads(pickle.dumps(neuron))),
        ("beta", lambda: neuron.beta), ("setting beta", lambda: setattr(neuron, "beta", 0.5)),
        ("mem", lambda: neuron.mem), ("reset", lambda: snnc.utils.reset([neuron])),
        ("a network", lambda: nn.Sequential(neuron).run(x)),
        ("fi_curve", lambda: spikestats.fi_curve(neuron, x[0], 3)),
    ))  # fmt: skip
    draw.note(f"{use} of a {base.__name__} without its constructor")
    try:
        call()
    except Exception as error:
        assert_sound(error)
