"""Gradients against the twin of the backward pass: every model, option, surrogate and layout."""

import math

import numpy as np
import reference_backward
import support
from draw import Draw
from forward import LARGE, Case, Twin, computing_dtype, is_graded, pass_states, recorded, same
from memory import Memory, Pool

from snnc import surrogate

FLOATS = (np.float32, np.float32, np.float64, np.float64, np.float16, np.int8)


def surrogates(draw):
    """A function that makes a surrogate: for the twin the same once more, as some are random."""
    number = draw.choice((0.5, 1.0, 2.0, 25.0, draw.uniform(0.1, 3)))
    seed = draw.getrandbits(32)
    if draw.maybe(0.4):
        return lambda: surrogate.atan(2.0)
    return draw.choice((
        lambda: surrogate.atan(number),
        lambda: surrogate.fast_sigmoid(number),
        surrogate.straight_through_estimator,
        lambda: surrogate.triangular(number),
        surrogate.heaviside,
        lambda: surrogate.LSO(number),
        lambda: surrogate.SFS(number, -0.5),
        lambda: surrogate.sigmoid(number),
        lambda: surrogate.spike_rate_escape(number, 2.0),
        lambda: surrogate.SSO(rng=seed),
        lambda: surrogate.custom_surrogate(lambda y, ones, spikes: ones - spikes),
        lambda: lambda y: 1 / (1 + y * y),
        lambda: lambda y: np.asarray(y) > 0,
        lambda: lambda y: y.copy(order="F").astype(np.float64),
    ))  # fmt: skip


def check(draw: Draw):
    """One run with `grad=True`, and one or two backward passes through it."""
    make = surrogates(draw)
    size = draw.choice(LARGE) if draw.maybe(0.02) else None
    case = Case(draw, support.TORCH, size, spike_grad=make(), surrogate_disable=draw.maybe(0.1))
    case.steps = min(case.steps, 600_000 // max(1, math.prod(case.shape)))
    neuron = case.neuron
    x, states, options, rows, pool = case.sequence(inhibition=False)
    twin = Twin(neuron, computing_dtype(neuron, (x, *states), case.dtype), rows.shape[1:], states)
    rows = twin.rows(rows)
    options |= {"grad": True, "checkpoint": draw.choice((1, 1, 2, 3, 5, 16, 16, 1000))}
    if is_graded(neuron):
        options.pop("spk_dtype", None)
    recorded(neuron, options)
    memory = Memory(x, states)
    positional, named = pass_states(draw, neuron, states)
    rec = draw.call(neuron.run, x, *positional, **named, **options)
    if draw.maybe(0.2):  # runs into its own recording, as into any other one
        rec = draw.call(neuron.run, x, *positional, **named, **options, out=rec)
    if draw.maybe(0.1):
        neuron.threshold = 5.0  # gradients are of the run's parameters
    memory.check()
    for _ in range(draw.choice((1, 1, 2))):
        memory = Memory(x, states)
        out = backward_pass(
            draw, neuron, rec, twin, rows, options.get("time_axis", 0), make(), x, pool
        )
        if out is not None and isinstance(x, np.ndarray) and np.may_share_memory(out, x):
            return  # there is nothing to go back from any more
        memory.check(out)
        neuron.spike_grad = make()


def backward_pass(draw, neuron, rec, twin, rows, time_axis, spike_grad, x, pool_of_x):
    """Gradients from random cotangents, in full or of the last step: returns its `out`."""
    shape, dtype, steps = twin.shape, twin.dtype, len(rows)
    timed = np.moveaxis(np.broadcast_to(0, (steps, *shape)), 0, time_axis).shape
    names = ("spk", *neuron.states)
    pool = Pool(draw, 16 * len(names) * rows.size) if draw.maybe(0.3) else None
    given, whole, last = {}, dict.fromkeys(names), dict.fromkeys(names)
    for name in names:
        kind = draw.choice((None, timed, timed, timed, shape))
        if kind is None:
            continue
        own = dtype if pool is not None else draw.choice((dtype, draw.choice(FLOATS)))
        array = draw.values(kind, own, special=0.1)
        given[name] = draw.as_argument(array) if pool is None else pool.put(array)
    for name, array in given.items():
        with np.errstate(all="ignore"):
            array = np.array(array).astype(dtype)
        if array.ndim > len(shape):
            whole[name] = np.moveaxis(array, time_axis, 0)
        elif name == "spk":
            whole[name] = np.zeros((steps, *shape), dtype)
            whole[name][-1:] = array
        else:
            last[name] = array
    reset, undelayed, _ = neuron._kind(neuron._options)
    grad_x, grad_start, sums = reference_backward.backward(
        twin.model, rows, twin.states, twin.constants, whole["spk"],
        [whole[n] for n in neuron.states], [last[n] for n in neuron.states],
        reset=reset, reset_delay=not undelayed,
        spike_grad=np.zeros_like if neuron.surrogate_disable else spike_grad,
    )  # fmt: skip

    known = ("x", *(f"{n}0" for n in neuron.states), *twin.parameters)
    keywords = {}
    if draw.maybe(0.6):
        of_dynamics = [n for n in known if n not in ("threshold", "graded_spikes_factor")]
        keywords["wrt"] = draw.choice((list, tuple))(draw.some(draw.choice((known, of_dynamics))))
        if len(keywords["wrt"]) == 1 and draw.maybe():
            keywords["wrt"] = keywords["wrt"][0]
    asked = keywords.get("wrt", known)
    if draw.maybe(0.3):
        keywords["num_threads"] = draw.choice((1, 2, 3))
    out = output(draw, timed, dtype, (x, *given.values()), pool if draw.maybe(0.3) else pool_of_x)
    if out is not None:
        keywords["out"] = out
    positional, named = pass_states(draw, neuron, [given.get(n) for n in neuron.states])
    memory = Memory(given, out)
    grads = draw.call(neuron.backward, rec, given.get("spk"), *positional, **named, **keywords)
    found = dict(grads._arrays)
    assert {*found} == ({asked} if isinstance(asked, str) else {*asked})
    if out is None:
        memory.check()
    else:
        assert found.setdefault("x", out) is out
        if out.flags.c_contiguous:
            memory.check(out)
    expected = {"x": np.moveaxis(grad_x, 0, time_axis)}
    expected |= {f"{n}0": g for n, g in zip(neuron.states, grad_start, strict=True)}
    for name in expected.keys() & found.keys():
        same(name, found[name], expected[name])
    terms = of_parameters(twin, sums)
    for name in twin.parameters.keys() & found.keys():
        check_sum(name, found[name], terms[name], twin.parameters[name].shape, dtype)
    return out


def output(draw, timed, dtype, read, pool):
    """An array for the gradient of x: fresh, in some layout, or one that is read as well."""
    kind = draw.choice(("none", "fresh", "strided", "read", "read", "pool", "pool", "pool"))
    if kind == "fresh":
        return np.full(timed, 55, dtype)
    if kind == "strided":
        order = draw.sample(range(len(timed)), len(timed))
        whole = np.full([2 * timed[d] for d in order], 55, dtype)
        view = whole[..., *(slice(None, None, draw.choice((2, -2))) for _ in order)]
        return view.transpose(np.argsort(order))
    if kind == "read":
        fits = [
            a
            for a in read
            if isinstance(a, np.ndarray)
            and (a.shape, a.dtype) == (timed, dtype)
            and a.dtype.isnative
            and a.flags.writeable
            and a.flags.aligned
            and 0 not in a.strides
        ]
        return draw.choice(fits) if fits else None
    return pool.place(timed, dtype) if kind == "pool" and pool is not None else None


def of_parameters(twin, g):
    """For each parameter the terms of its gradient, of each neuron, by the chain rule."""
    with np.errstate(all="ignore"):
        p = {name: a.astype(np.float64) for name, a in twin.parameters.items()}
        terms = {name: [g[name]] for name in p if name in g}
        if twin.model == "Lapicque":
            R, C, dt, beta = p["R"], p["C"], p["time_step"], p["beta"]
            of_rc = [g["keep"] * dt / (R * C) ** 2, -g["q"] / (R * C) ** 2]
            by_beta = dt / (R * np.log(1 / beta) ** 2 * beta)  # C follows from it
            terms["R"] += [t * C for t in of_rc]
            terms["C"] = [t * R for t in of_rc]
            terms["time_step"] = [g["dt"], -g["keep"] / (R * C)]
            terms["beta"] = [t * by_beta for t in terms["C"]]
            return terms
        if twin.model == "Alpha":
            a, b = np.clip(p["alpha"], 0, 1), np.clip(p["beta"], 0, 1)
            D = np.log(b) - np.log(a)
            terms["alpha"] += [g["tau"] * ((1 / D + np.log(a) / D**2) / a)]
            terms["beta"] += [g["tau"] * (-np.log(a) / (D**2 * b))]
        for name in terms.keys() & {"alpha", "beta"}:  # which are clipped
            inside = (p[name] >= 0) & (p[name] <= 1)
            terms[name] = [np.where(inside, t, 0.0) for t in terms[name]]
        return terms


def check_sum(name, actual, terms, shape, dtype):
    """The gradient of a parameter: bit for bit where it is one sum over time.

    A sum over neurons is NumPy's, in an order of its own, and comes before the chain rule or after
    it: there it may differ by a few roundings of the largest terms.
    """
    with np.errstate(all="ignore"):
        each, size = sum(terms), sum(map(np.abs, terms))
        lead = each.ndim - len(shape)
        axes = (*range(lead), *(lead + d for d, n in enumerate(shape) if n == 1))
        total, scale = (a.sum(axis=axes).reshape(shape) for a in (each, size))
        expected = total.astype(dtype)
    assert np.shape(actual) == shape
    assert np.asarray(actual).dtype == dtype
    if len(terms) == 1 and each.size == math.prod(shape):
        same(name, actual, expected)
        return
    compared = (scale < 1e290) & np.isfinite(expected)  # nothing has overflowed on the way
    error = np.where(compared, np.abs(np.float64(actual) - total), 0)
    bound = 2 * np.finfo(dtype).eps * np.abs(total) + 1e-12 * scale
    wrong = error > bound + 16 * np.finfo(dtype).tiny  # where terms lose digits
    if np.any(wrong):
        worst = np.unravel_index(np.argmax(wrong), shape)
        of = [f"{np.asarray(a)[worst]!r}" for a in (actual, total, scale, error)]
        raise AssertionError("{}: {} for {}, a sum of terms of {}: off by {}".format(name, *of))
