"""Steps, runs and runs in chunks against the twin: every model, option, dtype and layout."""

import itertools
import math

import numpy as np
import reference
import support
from draw import DTYPES, STEPS, Draw, show
from memory import Memory, Pool, arrays_in, assert_fresh, share_memory
from outcome import frozen

from snnc import _core, unpack_spikes

# ---- what is expected ----


def is_weak(value):
    """Whether it is one of Python's own numbers, or left out."""
    return value is None or type(value) in (bool, int, float)


def computing_dtype(neuron, operands, dtype=None):
    """In which dtype a call computes."""
    if dtype is not None:
        return np.dtype(dtype)
    types = [np.asarray(value).dtype.type for value in operands if not is_weak(value)]
    if neuron._name == "LIF":  # integers and bools don't narrow it
        wide = not types or not {*types} <= {np.float32, np.float16}
    else:
        wide = np.float64 in types
    return np.dtype(np.float64 if wide else np.float32)


def is_graded(neuron):
    return bool(np.any(neuron._parameters.get("graded_spikes_factor", np.ones(())) != 1))


def is_noisy(neuron):
    return bool(np.any(neuron._parameters.get("sigma", np.zeros(())) != 0))


def at_rest(neuron):
    """States at rest, as values."""
    if neuron._name != "LIF":
        return [0.0 for _ in neuron.states]
    rest = neuron._parameters["v_rest"]
    return [rest if rest.ndim else rest.item(), 0.0]


def neuron_shape(neuron, own, states):
    """Of an input of this shape, start states and parameters."""
    arrays = (*(s for s in states if s is not None), *neuron._parameters.values())
    return np.broadcast_shapes(own, *map(np.shape, arrays))


class Twin:
    """A neuron's twin: its model in NumPy (reference.py), with the same parameters and states."""

    def __init__(self, neuron, dtype, own, states):
        self.dtype = dtype
        self.model = neuron._name
        self.reset, undelayed, self.inhibition = neuron._kind(neuron._options)
        self.delay = not undelayed
        self.shape = neuron_shape(neuron, own, states)
        self.parameters = dict(neuron._parameters)
        start = [r if s is None else s for s, r in zip(states, at_rest(neuron), strict=True)]
        with np.errstate(all="ignore"):
            self.states = [np.full(self.shape, np.asarray(s).astype(dtype)) for s in start]
            self.constants = neuron._constants(neuron._parameters, neuron._options, dtype)
        self.gain = neuron._gain(self.parameters, neuron._options) if is_noisy(neuron) else None

    def rows(self, x, rng=None):
        """Input (T, ...) in the neuron shape, with the noise that a neuron adds to it."""
        own = x.reshape(len(x), *(1,) * (len(self.shape) + 1 - x.ndim), *x.shape[1:])
        with np.errstate(all="ignore"):
            own = own.astype(self.dtype)
        if self.gain is not None:
            p = self.parameters
            size = np.asarray(p["sigma"] * np.sqrt(p["dt"]), np.float64)
            each = p["R"] * self.gain
            scale = np.divide(size, each, where=size != 0, out=np.zeros_like(size + each))
            noise = rng.standard_normal((len(x), *self.shape), self.dtype)
            noise *= scale
            own = noise + own
        return np.broadcast_to(own, (len(x), *self.shape))

    def step(self, x):
        """Do a step: the spikes as they are returned, and which neurons fired."""
        asked = []

        def spike(y):
            asked.append(reference.heaviside(y))
            return asked[0]

        spk, *self.states = reference.step(
            self.model, x, self.states, self.constants, reset=self.reset,
            reset_delay=self.delay, inhibition=self.inhibition, spike=spike,
        )  # fmt: skip
        return spk, (asked[0] if asked and not self.inhibition else spk) == 1

    def run(self, rows, names, options, first_step=0):
        """Do a run: what it records, by name."""
        n, steps, every = math.prod(self.shape), len(rows), int(options.get("every", 1))
        time_axis, packed = options.get("time_axis", 0), options.get("spk_dtype") == "packed"
        kind = np.dtype(bool if packed else options.get("spk_dtype") or self.dtype)
        neurons = options.get("neurons")
        if neurons is not None and not isinstance(neurons, slice):
            neurons = np.asarray(neurons, np.intp)
        spk = np.zeros((steps, *self.shape), kind) if "spk" in names else None
        count, first_spike = np.zeros(self.shape, np.int64), np.full(self.shape, -1)
        states = _core.models[self.model][0]
        kept = {name: [] for name in states if name in names}
        events = [np.zeros((2, 0), np.int64)]
        for t, x in enumerate(rows, first_step):
            spikes, fired = self.step(x)
            if spk is not None:
                with np.errstate(all="ignore"):
                    spk[t - first_step] = fired if packed else spikes.astype(kind)
            if "count" in names:
                count += fired
            if "first_spike" in names:
                first_spike[(first_spike < 0) & fired] = t
            if "events" in names:
                events.append([np.full(np.count_nonzero(fired), t), np.flatnonzero(fired)])
            for name, state in zip(states, self.states, strict=True):
                if name in kept and (t + 1) % every == 0:
                    kept[name].append(state if neurons is None else np.ravel(state)[neurons])
        found = {"spk": spk, "count": count, "first_spike": first_spike.astype(np.int64)}
        if packed and spk is not None:
            found["spk"] = np.packbits(spk.reshape(steps, n), axis=1, bitorder="little")
        elif spk is not None:
            found["spk"] = np.moveaxis(spk, 0, time_axis)
        found["events"] = tuple(np.concatenate(events, axis=1).astype(np.int64))
        for name, rows_of in kept.items():
            if neurons is None:
                array = np.array(rows_of, self.dtype).reshape(len(rows_of), *self.shape)
                found[name] = np.moveaxis(array, 0, time_axis)
            else:
                chosen = len(np.arange(n)[neurons])
                found[name] = np.array(rows_of, self.dtype).reshape(len(rows_of), chosen)
        return {name: found[name] for name in names}


def same(name, actual, expected):
    """The same bits, or an error that names what differs."""
    if frozen(np.asarray(actual)) == frozen(np.asarray(expected)):
        return
    try:
        support.assert_same(actual, expected)
    except AssertionError as error:
        kinds = [f"{np.asarray(a).dtype} {np.shape(a)}" for a in (actual, expected)]
        text = " ".join(str(error).split())
        raise AssertionError(f"{name}, {' for '.join(kinds)}, is not the twin's: {text}") from None


def compare(rec, expected, twin, options, steps, first_step=0):
    """A recording with what the twin has."""
    assert list(rec._arrays) == list(expected)
    for name, array in expected.items():
        if name == "events":
            for actual, other in zip(rec._arrays[name], array, strict=True):
                same(name, actual, other)
        else:
            same(name, rec._arrays[name], array)
    for name, actual, state in zip(rec.state._fields, rec.state, twin.states, strict=True):
        same(f"state.{name}", actual, state)
    taken = np.arange(first_step, first_step + steps)
    np.testing.assert_array_equal(
        rec.steps, taken[(taken + 1) % int(options.get("every", 1)) == 0]
    )
    assert rec.num_steps == steps
    if "spk" not in expected:
        return
    n = math.prod(twin.shape)
    if options.get("spk_dtype") == "packed":
        bits = np.unpackbits(expected["spk"], axis=1, bitorder="little")[:, :n]
        np.testing.assert_array_equal(unpack_spikes(rec.spk, twin.shape).reshape(steps, n), bits)
    else:
        bits = np.moveaxis(expected["spk"], options.get("time_axis", 0), 0).reshape(steps, n)
    at, which = expected["events"] if "events" in expected else np.nonzero(bits)
    if "events" not in expected:
        at = at + first_step
    same("events()", rec.events()[0], at)
    same("events()", rec.events()[1], which)


# ---- what is drawn ----


# Neuron shapes and steps for which threads are worthwhile, or whose spikes bypass the caches; and
# those of a run that is cut.
LARGE = (((4096,), 70), ((2, 4100), 70), ((9001,), 70), *3 * (((90, 101), 70),), ((65536,), 100))
HUGE = (((1 << 20,), 34), ((3, 350_003), 34))


class Case:
    """A neuron, and how input and start states for it are drawn."""

    def __init__(self, draw, models=tuple(support.CLASSES), size=None, **options):
        self.draw, self.large, self.huge = draw, size is not None, size in HUGE
        self.plain = not self.large and draw.maybe(0.3)  # the shortest way through the binding
        self.shape, self.steps = size or (draw.shape(), draw.choice(STEPS))
        if not self.large and draw.maybe(0.08):  # than a byte counts, or a tile takes
            self.steps = 300 if math.prod(self.shape) < 20 else 90
        self.neuron = draw.neuron(self.shape, models, **options)
        dtypes = (None, None, np.float32, "float64", np.dtype(np.float32), float)
        self.dtype = None if self.plain else dtypes[2] if self.huge else draw.choice(dtypes)

    def change_shape(self):
        """Another neuron shape, which the parameters broadcast to as well."""
        fixed = neuron_shape(self.neuron, (), ())
        fixed = (1,) * (len(self.shape) - len(fixed)) + fixed
        self.shape = tuple(
            n if f != 1 or n == 0 else self.draw.choice((1, 2, 3, n))
            for n, f in zip(self.shape, fixed, strict=True)
        )

    def input(self, dtypes=DTYPES):
        """Input of a run, time first: of a huge one a single step, to be held."""
        own = self.shape
        if self.huge:
            return self.draw.values((1, *own), np.float32) / 8  # so that spikes are few
        if self.plain:
            return self.draw.values((self.steps, *own), self.draw.choice(dtypes[:3]))
        if self.draw.maybe(0.4):
            own = self.draw.broadcast(own)
        return self.draw.values((self.steps, *own), self.draw.choice(dtypes), special=0.3)

    def states(self, dtype):
        """Start states: arrays that broadcast to the neuron shape, or None."""
        draw, found = self.draw, []
        for name in self.neuron.states:
            shape = self.shape if self.plain or draw.maybe(0.6) else draw.broadcast(self.shape)
            array = draw.values(shape, dtype if self.plain else draw.choice(DTYPES), special=0.2)
            if name == "ref":
                array = np.asarray(draw.numbers.integers(0, 3, shape), array.dtype)
            found.append(array if draw.maybe(0.7) else None)
        return found

    def arguments(self, *arrays):
        """Arrays as a call gets them, and the memory that they share, if they do."""
        if self.plain or self.huge:
            return None, arrays
        if self.draw.maybe(0.3):
            pool = Pool(self.draw, 12 * sum(a.size for a in arrays if a is not None))
            with np.errstate(all="ignore"):
                return pool, [None if a is None else pool.put(a) for a in arrays]
        return None, [None if a is None else self.draw.as_argument(a) for a in arrays]

    def sequence(self, inhibition=True):
        """A run: x and start states as arguments, options, input (T, ...), and the pool if any."""
        draw, x = self.draw, self.input()
        held, time_axis = self.huge or (not self.plain and draw.maybe(0.15)), 0
        if held:
            x = x[0] if len(x) else draw.values(x.shape[1:], np.float32)
        elif not self.plain and draw.maybe():
            time_axis = draw.randrange(-x.ndim, x.ndim)
            x = np.moveaxis(x, 0, time_axis)
        pool, (x, *states) = self.arguments(x, *self.states(x.dtype))
        rows = np.array(x)
        if held:
            rows = np.broadcast_to(rows, (self.steps, *rows.shape))
        rows = np.moveaxis(rows, time_axis, 0)
        shape = neuron_shape(self.neuron, rows.shape[1:], states)
        if inhibition:
            self.set_inhibition(shape)
        options = self.options(shape)
        if held:
            options["num_steps"] = draw.choice((int, np.int64))(self.steps)
            time_axis = draw.choice((0, draw.randint(-len(shape) - 1, len(shape))))
        if time_axis or (not self.plain and draw.maybe(0.2)):
            options["time_axis"] = time_axis
        return x, states, options, rows, pool

    def set_inhibition(self, shape):
        """Let rivals inhibit each other, where there are any."""
        if self.neuron._name in support.TORCH:
            some = not self.plain and self.draw.maybe(0.5 if self.large else 0.25)
            self.neuron.inhibition = len(shape) > 1 and some

    def options(self, shape):
        """Options of a run, without `out`."""
        draw, neuron = self.draw, self.neuron
        options = {} if self.dtype is None else {"dtype": self.dtype}
        names = ("spk", "count", "first_spike", "events", *neuron.states)
        if self.plain:
            options["record"] = draw.choice(("spk", ("spk",)))
        elif self.huge or draw.maybe(0.75):
            record = ["events", *draw.some(names[:2])] if self.huge else draw.some(names)
            options["record"] = draw.choice((tuple, list, iter))(record)
        if not self.plain and draw.maybe(0.4):
            options["every"] = draw.choice((int, np.int32))(draw.randint(1, self.steps + 2))
        if not self.plain and draw.maybe(0.2):
            options["neurons"] = self._selection(math.prod(shape))
        if draw.maybe(0.6):
            kinds = ("packed", np.uint8, bool, "u1", None, np.float32, "float64", np.dtype(float))
            options["spk_dtype"] = draw.choice(kinds[: 4 if self.huge else None])
        if draw.maybe(0.8 if self.large else 0.2):
            options["num_threads"] = draw.choice((2, 3, 64, 1)[: 3 if self.large else None])
        if neuron._name != "LIF" and not neuron.inhibition and not self.plain and draw.maybe(0.15):
            options |= {"grad": True, "checkpoint": draw.choice((1, 2, 3, 16, 1000))}
        return options

    def _selection(self, n):
        draw = self.draw
        if draw.maybe(0.3):
            ends = (draw.choice((None, draw.randint(-n - 2, n + 2))) for _ in range(2))
            return slice(*ends, draw.choice((None, 1, 2, -1, -3)))
        indices = [draw.randrange(-n, n) for _ in range(draw.choice((0, 1, 3, 20)))] if n else []
        if draw.maybe():
            indices.sort()
        return draw.choice((list, tuple, np.array))(indices)

    def noise(self):
        """Twice the same generator, for a neuron that needs one."""
        seed = self.draw.getrandbits(32)
        return [np.random.default_rng(seed) if is_noisy(self.neuron) else None for _ in range(2)]


def recorded(neuron, options):
    """What a run records, by name; an iterator is put back."""
    record = options.get("record")
    if record is None:
        return neuron._default[0]
    names = (record,) if isinstance(record, str) else tuple(record)
    if hasattr(record, "__next__"):
        options["record"] = iter(names)
    return names


def pass_states(draw, neuron, states):
    """States by position and by keyword; a keyword that is None may be left out.

    An int by position would be taken for a number of steps.
    """
    ints = [k for k, state in enumerate(states) if type(state) in (int, bool)]
    by_position = draw.randint(0, min(ints, default=len(states)))
    named = dict(zip(neuron.states[by_position:], states[by_position:], strict=True))
    return states[:by_position], {k: s for k, s in named.items() if s is not None or draw.maybe()}


def outputs(draw, expected, finals, states, pool):
    """Arrays to fill, for some (or all) of the results and final states.

    Start states themselves, each for its own final state or swapped, places in the pool, or new
    arrays. Those that share memory with each other are few.
    """
    taken, whole = [], draw.maybe()

    def array_for(like, k=None):
        if not whole and draw.maybe(0.3):
            return None
        like, given = np.asarray(like), np.full(np.shape(like), 77, np.asarray(like).dtype)
        k = k if k is None or draw.maybe(0.7) else draw.randrange(len(states))
        state = None if k is None else states[k]
        fits = isinstance(state, np.ndarray) and state.flags.carray and state.dtype.isnative
        if fits and (state.shape, state.dtype) == (like.shape, like.dtype) and draw.maybe(0.6):
            given = state
        elif pool is not None and draw.maybe(0.7):
            given = pool.place(like.shape, like.dtype)
        if share_memory([*taken, given]) and draw.maybe(0.9):
            given = np.full(like.shape, 77, like.dtype)
        taken.append(given)
        return given

    given = {name: array_for(array) for name, array in expected.items() if name != "events"}
    given["state"] = [array_for(final, k) for k, final in enumerate(finals)]
    return given


def refused(call, words, memory):
    """Whether a call fails that has to, and changes nothing."""
    try:
        call()
    except ValueError as error:
        if words not in str(error):
            raise
        memory.check()
        return
    raise AssertionError(f"no ValueError that says {words!r}")


# ---- the ways to run ----


def runs(draw):
    """One run, or two of other shapes."""
    case = Case(draw)
    run(draw, case)
    if draw.maybe(0.4):
        case.change_shape()
        run(draw, case)


def large(draw):
    """A run that threads share."""
    run(draw, Case(draw, size=draw.choice(LARGE)))


def huge(draw):
    """A run of a constant input over several chunks, of the model with the fastest reference."""
    run(draw, Case(draw, ("Leaky",), draw.choice(HUGE), graded_spikes_factor=1.0))


def run(draw, case):
    """A run into new arrays or given ones, and perhaps another one into its recording."""
    neuron = case.neuron
    x, states, options, rows, pool = case.sequence()
    twin = Twin(neuron, computing_dtype(neuron, (x, *states), case.dtype), rows.shape[1:], states)
    rng, of_twin = case.noise()
    options |= {} if rng is None else {"rng": rng}
    positional, named = pass_states(draw, neuron, states)
    names = recorded(neuron, options)

    def do():
        return draw.call(neuron.run, x, *positional, **named, **options)

    if is_graded(neuron) and options.get("spk_dtype") in ("packed", np.uint8, bool, "u1"):
        refused(do, "graded_spikes_factor", Memory(x, states))
        return
    expected = twin.run(twin.rows(rows, of_twin), names, options)
    given = {}
    if draw.maybe(0.8 if pool or case.plain else 0.2):
        given = outputs(draw, expected, twin.states, states, pool)
        options["out"] = given
    memory = Memory(x, states, given)
    if share_memory(arrays_in(given)):
        refused(do, "share memory", memory)
        return
    rec = do()
    compare(rec, expected, twin, options, len(rows))
    memory.check(given)
    results = {**rec._arrays, "state": tuple(rec.state)}
    for name, array in given.items():
        arrays, filled = (array, results[name]) if name == "state" else ([array], [results[name]])
        for a, b in zip(arrays, filled, strict=True):
            assert a is None or a is b, f"{name} is not the array that was given"
    assert_fresh(results, given, *(() if given else (x, states)))
    if rng is not None:
        assert rng.bit_generator.state == of_twin.bit_generator.state
    if not given and not case.large and draw.maybe(0.2):
        states, options = list(rec.state), {**options, "record": names, "out": rec}
        arrays = dict(rec._arrays)
        expected = twin.run(twin.rows(rows, of_twin), names, options)
        rec = draw.call(neuron.run, x, *states, **options)
        compare(rec, expected, twin, options, len(rows))
        for name, array in arrays.items():
            assert rec._arrays[name] is array or name == "events" or np.ndim(array) == 0


def chunks(draw):
    """A run in chunks: the same as one over the whole, but that each counts its own spikes."""
    case = Case(draw)
    neuron = case.neuron
    x = case.input()
    time_axis = draw.choice((0, draw.randrange(-x.ndim, x.ndim)))
    _, states = case.arguments(*case.states(x.dtype))
    cuts = sorted(draw.randint(0, case.steps) for _ in range(draw.randint(0, 4)))
    parts = [draw.laid_out(np.moveaxis(x[a:b], 0, time_axis))
             for a, b in itertools.pairwise((0, *cuts, case.steps))]  # fmt: skip
    rows = [np.moveaxis(np.array(part), time_axis, 0) for part in parts]
    dtype = computing_dtype(neuron, (x, *states), case.dtype)
    case.set_inhibition(neuron_shape(neuron, x.shape[1:], states))
    twin = Twin(neuron, dtype, x.shape[1:], states)
    options = case.options(twin.shape) | {"time_axis": time_axis}
    if is_graded(neuron):
        options.pop("spk_dtype", None)
    if "record" in options:
        options["record"] = tuple(options["record"]) if options["record"] != "spk" else "spk"
    rng, of_twin = case.noise()
    if rng is not None:
        options["rng"] = rng
    if draw.maybe(0.2):
        options["out"] = {"state": [np.empty(twin.shape, dtype) for _ in neuron.states]}
    positional, named = pass_states(draw, neuron, states)
    memory = Memory(parts, states)
    each = draw.choice((list, tuple, iter))(parts)
    recs = draw.call(neuron.run_chunks, each, *positional, **named, **options)
    draw.note(f"chunks: {show(parts)}")
    first_step, names = 0, recorded(neuron, options)
    for part, rec in zip(rows, recs, strict=True):
        expected = twin.run(twin.rows(part, of_twin), names, options, first_step)
        compare(rec, expected, twin, options, len(part), first_step)
        first_step += len(part)
    memory.check()


def steps(draw):
    """Some steps, each into new arrays or given ones, in place or overlapping."""
    case = Case(draw)
    case.steps = min(case.steps, 6)
    neuron = case.neuron
    x = case.input()
    states = case.states(x.dtype)
    states = [np.zeros((), np.float32) if s is None else s for s in states]
    rng, of_twin = case.noise()
    for x_t in x:
        pool, (x_t, *states) = case.arguments(np.asarray(x_t), *map(np.asarray, states))
        values = np.array(x_t)
        dtype = computing_dtype(neuron, (x_t, *states), case.dtype)
        case.set_inhibition(neuron_shape(neuron, values.shape, states))
        twin = Twin(neuron, dtype, values.shape, states)
        spk, _ = twin.step(twin.rows(values[None], of_twin)[0])
        options = {} if case.dtype is None else {"dtype": case.dtype}
        options |= {} if rng is None else {"rng": rng}
        given = None
        if draw.maybe(0.8 if pool or case.plain else 0.2):
            given = outputs(draw, {"spk": spk}, twin.states, states, pool)
            options["out"] = (given["spk"], *given["state"])
        positional, named = pass_states(draw, neuron, states)
        memory = Memory(x_t, states, given)

        def do(arguments=(x_t, *positional), keywords=named | options):
            return draw.call(neuron, *arguments, **keywords)

        if given and share_memory(arrays_in(given)):
            refused(do, "share memory", memory)
            return
        results = do()
        for name, a, b in zip(("spk", *neuron.states), results, (spk, *twin.states), strict=True):
            same(name, a, b)
        memory.check(given)
        assert_fresh(results, x_t, states, given)
        for a, b in zip(options.get("out", ()), results, strict=False):
            assert a is None or a is b
        states = list(results[1:])


def held(draw):
    """A neuron that holds its states: steps, runs, and values that are assigned to it."""
    case = Case(draw, init_hidden=True, output=draw.maybe())
    neuron = case.neuron
    states = held_at_rest(neuron)
    for _ in range(draw.randint(1, 4)):
        action = draw.choice(("run", "run", "step", "step", "assign", "reset"))
        if action == "reset":
            neuron.reset_mem()
            states = held_at_rest(neuron)
        elif action == "assign":
            k = draw.randrange(len(states))
            value = draw.as_argument(draw.values(case.shape, draw.choice(DTYPES)))
            draw.note(f"neuron.{neuron.states[k]} = {show(value)}")
            setattr(neuron, neuron.states[k], value)
            own = np.asarray(value).dtype
            wide = own.type is np.float64 or (neuron._name == "LIF" and own.kind in "biu")
            with np.errstate(all="ignore"):
                states[k] = np.array(value).astype(np.float64 if wide else np.float32)
            states[k] = float(value) if is_weak(value) else states[k]
        else:
            states = call_held(draw, case, states, action == "run")
        for name, state in zip(neuron.states, states, strict=True):
            value = getattr(neuron, name)
            assert (type(value) is float) == (type(state) is float)
            same(f"held {name}", value, state)


def held_at_rest(neuron):
    """States at rest, as the neuron holds them."""
    return [s if neuron._name == "LIF" else np.zeros((), np.float32) for s in at_rest(neuron)]


def call_held(draw, case, states, sequence):
    """A step or a run: the states after it."""
    neuron = case.neuron
    x = case.input()
    x = draw.as_argument(x if sequence else draw.values(case.shape, x.dtype))
    values = np.array(x)
    values = values if sequence else values[None]
    resting = states[0] is neuron._parameters.get("v_rest")  # fits any shape and dtype
    operands = [None if resting and k == 0 else s for k, s in enumerate(states)]
    shape = neuron_shape(neuron, values.shape[1:], ())
    case.set_inhibition(shape)
    twin = Twin(neuron, computing_dtype(neuron, (x, *operands), case.dtype), shape, states)
    options = case.options(twin.shape) if sequence else {}
    options |= {} if case.dtype is None else {"dtype": case.dtype}
    if is_graded(neuron):
        options.pop("spk_dtype", None)
    rng, of_twin = case.noise()
    options |= {} if rng is None else {"rng": rng}
    function, names = neuron.run if sequence else neuron, recorded(neuron, options)
    memory = Memory(x)
    if not all(np.shape(s) in ((), shape) for s in operands if s is not None):
        refused(lambda: draw.call(function, x, **options), "reset_mem", memory)
        return states
    result = draw.call(function, x, **options)
    memory.check()
    rows = twin.rows(values, of_twin)
    if sequence:
        expected = twin.run(rows, names, options)
        compare(result, expected, twin, options, len(rows))
        result = (result._arrays, tuple(result.state))
    else:
        spk, _ = twin.step(rows[0])
        result = result if neuron.output else (result,)
        expected = (spk, *twin.states) if neuron.output else (spk,)
        for name, a, b in zip(("spk", *neuron.states), result, expected, strict=False):
            same(name, a, b)
        assert len(result) == len(expected)
    for array in arrays_in(result):  # what was returned is the caller's own
        array.fill(55)
    return [np.array(s) for s in twin.states]


WAYS = (runs, runs, runs, chunks, chunks, steps, steps, held)


def check(draw: Draw):
    """One case."""
    ways = WAYS if draw.maybe(0.98) else (huge, *23 * (large,))
    draw.choice(ways)(draw)
