"""Numba: the loop nests that somebody who knows Numba well would try, for all four models.

A model is one jitted function of a neuron, with the roundings of snnc's cells; nests are made
from it for what is recorded. Neither fastmath nor contraction, so spikes are equal bit for bit.
Loops count in uint64: Numba's signed indices may be negative, which keeps LLVM from vectorising.
Entry points take nothing but arrays, one by one, for tuples and numbers are what costs Numba's
dispatcher most; parameters that all neurons share are compiled in.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange, set_num_threads, types, uint64
from numba.extending import overload

from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from benchmarks.problem import Contenders, Problem

EXACT = True

WIDTHS = (256, 1024, 4096)
HOPELESS = 10_000_000  # neuron-steps from which "neurons outside" is 50 times slower: seconds
SMALL = 256  # up to here, widths are compiled in too: passing them costs 0.1 us
EIGHT, MAGIC, SHIFT = uint64(8), np.uint64(0x0102040810204080), np.uint64(56)

# ---- a neuron ----


def at(value, j):
    """Return the parameter of a neuron: its own, or the one of all."""


def load(states, j):
    """Return the states of a neuron as a tuple, that is in registers."""


def save(states, j, values):
    """Write the states of a neuron to their arrays."""


@overload(at)
def _at(value, j):
    if isinstance(value, types.Array):
        return lambda value, j: value[j]
    return lambda value, j: value


@overload(load)
def _load(states, j):
    return {
        1: lambda states, j: (states[0][j],),
        2: lambda states, j: (states[0][j], states[1][j]),
        3: lambda states, j: (states[0][j], states[1][j], states[2][j]),
    }[len(states)]


@overload(save)
def _save(states, j, values):
    def one(states, j, values):
        states[0][j] = values[0]

    def two(states, j, values):
        states[0][j] = values[0]
        states[1][j] = values[1]

    def three(states, j, values):
        states[0][j] = values[0]
        states[1][j] = values[1]
        states[2][j] = values[2]

    return (one, two, three)[len(states) - 1]


@njit
def leaky(x, states, p, j):
    """Return the states of a Leaky neuron after a step; p: threshold, beta."""
    (mem,) = states
    threshold = at(p[0], j)
    v = at(p[1], j) * mem + x
    return (v - threshold if mem > threshold else v,)


@njit
def lapicque(x, states, p, j):
    """Return the states of a Lapicque neuron; p: threshold, R, q, dt, keep."""
    (mem,) = states
    threshold = at(p[0], j)
    v = x * at(p[1], j) * at(p[2], j) * at(p[3], j) + at(p[4], j) * mem
    return (v - threshold if mem > threshold else v,)


@njit
def synaptic(x, states, p, j):
    """Return the states of a Synaptic neuron; p: threshold, alpha, beta."""
    syn, mem = states
    threshold = at(p[0], j)
    syn = at(p[1], j) * syn + x
    v = at(p[2], j) * mem + syn
    return syn, v - threshold if mem > threshold else v


@njit
def alpha(x, states, p, j):
    """Return the states of an Alpha neuron; p: threshold, alpha, beta, tau."""
    exc, inh, mem = states
    e = at(p[1], j) * exc + x
    i = at(p[2], j) * inh - x
    v = at(p[3], j) * (e + i)
    if mem > at(p[0], j):
        return e - e, i - i, v - v  # zeros of their dtype
    return e, i, v


MODELS = {"Leaky": leaky, "Lapicque": lapicque, "Synaptic": synaptic, "Alpha": alpha}


# ---- nests ----


@njit
def pack(fired, packed):
    """Pack bytes of 0 or 1 to bits, eight at a time."""
    eights = fired.view(np.uint64)
    for i in range(packed.size):
        packed[i] = (eights[i] * MAGIC) >> SHIFT  # gathers the eight lowest bits


@cache
def nests(model: str, record_mem: bool, packed: bool) -> tuple[Callable[..., None], ...]:
    """Make the bodies of the nests: time within strips of neurons, the same parallel, neurons.

    And a strip, of which they are made. Strips of all neurons are the order "time outside". With
    `fours`, four steps are done at a time, the states staying in registers. Spikes that are
    packed go through a row of bytes.
    """
    cell = MODELS[model]

    @njit
    def one_step(x, t, states, spk, mem, p, a, b, fired):
        for j in range(a, b):
            new = cell(x[t, j], load(states, j), p, j)
            save(states, j, new)
            spike = new[-1] > at(p[0], j)
            if packed:
                fired[0, j - a] = spike
            else:
                spk[t, j] = spike
            if record_mem:
                mem[t, j] = new[-1]
        if packed:
            pack(fired[0], spk[t, a // EIGHT : (b + EIGHT - uint64(1)) // EIGHT])

    @njit
    def four_steps(x, t, states, spk, mem, p, a, b, fired):
        x0, x1, x2, x3 = x[t], x[t + 1], x[t + 2], x[t + 3]
        if packed:
            s0, s1, s2, s3 = fired[0], fired[1], fired[2], fired[3]
        else:
            s0, s1, s2, s3 = spk[t], spk[t + 1], spk[t + 2], spk[t + 3]
        if record_mem:
            m0, m1, m2, m3 = mem[t], mem[t + 1], mem[t + 2], mem[t + 3]
        first = a if packed else uint64(0)
        for j in range(a, b):
            threshold = at(p[0], j)
            new = cell(x0[j], load(states, j), p, j)
            s0[j - first] = new[-1] > threshold
            if record_mem:
                m0[j] = new[-1]
            new = cell(x1[j], new, p, j)
            s1[j - first] = new[-1] > threshold
            if record_mem:
                m1[j] = new[-1]
            new = cell(x2[j], new, p, j)
            s2[j - first] = new[-1] > threshold
            if record_mem:
                m2[j] = new[-1]
            new = cell(x3[j], new, p, j)
            s3[j - first] = new[-1] > threshold
            if record_mem:
                m3[j] = new[-1]
            save(states, j, new)
        if packed:
            for k in range(4):
                pack(fired[k], spk[t + k, a // EIGHT : (b + EIGHT - uint64(1)) // EIGHT])

    @njit
    def strip(x, states, spk, mem, p, a, b, fours):
        width = (b - a + EIGHT - uint64(1)) // EIGHT * EIGHT if packed else uint64(0)
        fired = np.zeros((4, width), np.uint8)
        t, steps = uint64(0), uint64(x.shape[0])
        if fours:
            while t + uint64(4) <= steps:
                four_steps(x, t, states, spk, mem, p, a, b, fired)
                t += uint64(4)
        while t < steps:
            one_step(x, t, states, spk, mem, p, a, b, fired)
            t += uint64(1)

    @njit
    def strips(x, states, spk, mem, p, width, fours):
        n, width = uint64(x.shape[1]), uint64(width)
        for a in range(uint64(0), n, width):
            strip(x, states, spk, mem, p, a, min(a + width, n), fours)

    @njit(parallel=True)
    def strips_parallel(x, states, spk, mem, p, width, fours):
        n = x.shape[1]
        for i in prange((n + width - 1) // width):
            a, b = uint64(i * width), uint64(min((i + 1) * width, n))
            strip(x, states, spk, mem, p, a, b, fours)

    @njit
    def neurons(x, states, spk, mem, p):
        for j in range(uint64(x.shape[1])):
            new = load(states, j)
            for t in range(uint64(x.shape[0])):
                new = cell(x[t, j], new, p, j)
                spk[t, j] = new[-1] > at(p[0], j)
                if record_mem:
                    mem[t, j] = new[-1]
            save(states, j, new)

    return strips, strips_parallel, neurons, strip


@cache
def steps(model: str) -> tuple[Callable[..., Any], ...]:
    """Make the bodies of a single step: in place, and returning new arrays."""
    cell = MODELS[model]

    @njit
    def in_place(x, states, spk, p):
        for j in range(uint64(x.size)):
            new = cell(x[j], load(states, j), p, j)
            save(states, j, new)
            spk[j] = new[-1] > at(p[0], j)

    @njit
    def into(x, states, spk, new_states, p):
        for j in range(uint64(x.size)):
            new = cell(x[j], load(states, j), p, j)
            save(new_states, j, new)
            spk[j] = new[-1] > at(p[0], j)

    return in_place, into


# ---- entry points ----


@cache
def entry(body: Any, call: str, arguments: str, parallel: bool, **compiled_in: Any) -> Any:
    """Compile ``def f(arguments): call``, in which `body` and what is compiled in are global."""
    namespace = {"body": body, "np": np, **compiled_in}
    exec(f"def f({arguments}):\n    {call}", namespace)
    return njit(namespace["f"], parallel=parallel)


def _tuple(names: list[str]) -> str:
    return f"({', '.join(names)},)"


def contenders(problem: Problem) -> Contenders:
    """Offer all nests and steps."""
    cell = problem.cell
    states = [f"s{i}" for i in range(len(problem.states))]
    parameters = [f"p{i}" for i in range(len(problem.constants))]
    arrays = [problem.x, problem.spk, *problem.states]
    names = ["x", "spk", *states]
    if problem.mem is not None:
        arrays.append(problem.mem)
        names.append("mem")
    compiled_in: dict[str, Any] = {}
    for name, value in zip(parameters, problem.constants.values(), strict=True):
        if value.ndim:
            arrays.append(value)
            names.append(name)
        else:
            compiled_in[name] = value[()]

    def way(body: Any, call: str, *more: Any, arguments: str = "", **options: Any) -> Way:
        signature = ", ".join(names) + arguments
        function = entry(body, call, signature, options.pop("parallel", False), **compiled_in)
        return Way(partial(function, *arrays, *more), **options)

    if not cell.steps:
        in_place, into = steps(cell.model)
        call = f"body(x, {_tuple(states)}, spk, {_tuple(parameters)})"
        variants = {"parameters compiled in": way(in_place, call)}
        if not cell.per_neuron:
            passed = entry(in_place, call, ", ".join([*names, *compiled_in]), False)
            variants["parameters passed"] = Way(partial(passed, *arrays, *compiled_in.values()))
        new = _tuple(["np.empty_like(x)"] * len(states))
        call = (
            f"spk, new = np.empty_like(x), {new}; "
            f"body(x, {_tuple(states)}, spk, new, {_tuple(parameters)}); "
            "return spk, new"
        )
        allocating = way(into, call, outputs=lambda returned: Outputs(returned[0], None))
        return {"Numba in place": variants, "Numba allocating": {"": allocating}}

    strips, strips_parallel, neurons, _ = nests(cell.model, cell.record_mem, cell.packed)
    mem = "mem" if cell.record_mem else "x"  # of the right type, but not written
    shared = f"x, {_tuple(states)}, spk, {mem}, {_tuple(parameters)}"
    found = {}
    if not cell.packed and cell.neuron_steps <= HOPELESS:
        found["neurons outside"] = way(neurons, f"body({shared})")
    cut = f"body({shared}, width, fours)"
    for fours, name in ((False, ""), (True, ", 4 steps a sweep")):
        if cell.n <= SMALL:
            found[f"time outside{name}"] = way(strips, f"body({shared}, x.shape[1], {fours})")
            continue
        for width in (cell.n, *(w for w in WIDTHS if w < cell.n)):
            order = "time outside" if width == cell.n else f"strips of {width}"
            found[order + name] = way(strips, cut, width, fours, arguments=", width, fours")
        if problem.threads == 1:
            continue
        share = -(-cell.n // (8 * problem.threads)) * 8
        for width in (share, *(w for w in WIDTHS if w < share)):
            found[f"prange, strips of {width}{name}"] = way(
                strips_parallel, cut, width, fours, arguments=", width, fours", parallel=True
            )
    set_num_threads(problem.threads)
    return {"Numba": found}
