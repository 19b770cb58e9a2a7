"""Numba, forward and backward: pairs of loop nests that an expert would try, for Leaky.

The first of a pair is made of the nests for sequences. It saves the membrane after each step, or
only before each 16th, from which the second recomputes it. Both loop over blocks of neurons, the
smallest a cache line: "neurons outside". All arrays are allocated beforehand.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange, set_num_threads, uint64

from benchmarks.peers.numba_nests import HOPELESS, leaky, nests
from benchmarks.problem import Outputs, Way

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from benchmarks.problem import Array, Contenders, Training

EXACT = True

WIDTHS = (16, 256, 1024, 4096)
EVERY = 16
LANES = 64  # of the sum over neurons; they divide their number
ONE, PI = np.float32(1), np.float32(np.pi)


@njit
def total(terms):
    """Sum over neurons, in float64 and in lanes, which LLVM vectorises."""
    lanes = np.zeros(LANES)
    for i in range(uint64(0), uint64(terms.size), uint64(LANES)):
        for k in range(uint64(LANES)):
            lanes[k] += terms[i + k]
    return lanes.sum()


@cache
def pairs(p: tuple[Any, Any], with_beta: bool, parallel: bool) -> dict[str, tuple[Any, Any]]:
    """Make the nests, forward and backward, that store the membrane and that compute it again.

    `mem` has a row more than x, zeros at first, so that the membranes before a step and after it
    are neighbours; or a row for every 16 steps, the membrane before them. `state`, `grad_mem` and
    `terms` (of beta's gradient, summed over time) have a value for each neuron.
    """
    threshold, beta = p
    _, _, _, stored = nests("Leaky", True, False)
    _, _, _, unstored = nests("Leaky", False, False)

    @njit
    def forward(x, spk, mem, state, a, b, fours):
        state[a:b] = 0
        mem[0, a:b] = 0
        stored(x, (state,), spk, mem[1:], p, a, b, fours)

    @njit
    def forward_again(x, spk, mem, state, a, b, fours):
        state[a:b] = 0
        for i in range(len(mem)):
            mem[i, a:b] = state[a:b]
            t0, t1 = i * EVERY, (i + 1) * EVERY
            unstored(x[t0:t1], (state,), spk[t0:t1], x, p, a, b, fours)

    @njit(error_model="numpy")  # with Python's, LLVM can't vectorise a division
    def gradient(mem, grad_spk, grad_mem):
        z = PI * (mem - threshold)
        return grad_spk / (ONE + z * z) + beta * grad_mem

    # Functions of rows: LLVM doesn't vectorise what goes over an array's rows in reverse.

    @njit(error_model="numpy")
    def step_back(m0, m1, g, x, grad_mem, terms, first, a, b):
        for j in range(a, b):
            grad = gradient(m1[j - first], g[j], grad_mem[j])
            x[j] = grad
            grad_mem[j] = grad
            if with_beta:
                terms[j] += grad * m0[j - first]

    @njit(error_model="numpy")
    def four_back(m0, m1, m2, m3, m4, g, x, grad_mem, terms, first, a, b):
        g0, g1, g2, g3 = g
        x0, x1, x2, x3 = x
        for j in range(a, b):
            i = j - first
            grad3 = gradient(m4[i], g3[j], grad_mem[j])
            grad2 = gradient(m3[i], g2[j], grad3)
            grad1 = gradient(m2[i], g1[j], grad2)
            grad0 = gradient(m1[i], g0[j], grad1)
            x3[j], x2[j], x1[j], x0[j] = grad3, grad2, grad1, grad0
            grad_mem[j] = grad0
            if with_beta:
                terms[j] = (
                    ((terms[j] + grad3 * m3[i]) + grad2 * m2[i]) + grad1 * m1[i]
                ) + grad0 * m0[i]

    @njit
    def steps_back(m, first, g, x, grad_mem, terms, a, b, fours):
        """Do the backward pass over some steps; column 0 of m, the membrane, is neuron `first`."""
        t = len(x)
        while fours and t >= 4:
            t -= 4
            four_back(
                m[t], m[t + 1], m[t + 2], m[t + 3], m[t + 4],
                (g[t], g[t + 1], g[t + 2], g[t + 3]), (x[t], x[t + 1], x[t + 2], x[t + 3]),
                grad_mem, terms, first, a, b,
            )  # fmt: skip
        while t > 0:
            t -= 1
            step_back(m[t], m[t + 1], g[t], x[t], grad_mem, terms, first, a, b)

    @njit
    def steps_again(x, m, state, a, b, fours):
        """Compute the membrane of some steps from that before them, which is in m[0]."""
        t, steps = 0, len(x)
        while fours and t + 4 <= steps:
            x0, x1, x2, x3 = x[t], x[t + 1], x[t + 2], x[t + 3]
            m1, m2, m3, m4 = m[t + 1], m[t + 2], m[t + 3], m[t + 4]
            for j in range(a, b):
                new = leaky(x0[j], (state[j],), p, j)
                m1[j - a] = new[0]
                new = leaky(x1[j], new, p, j)
                m2[j - a] = new[0]
                new = leaky(x2[j], new, p, j)
                m3[j - a] = new[0]
                new = leaky(x3[j], new, p, j)
                m4[j - a] = new[0]
                state[j] = new[0]
            t += 4
        while t < steps:
            x0, m1 = x[t], m[t + 1]
            for j in range(a, b):
                (new,) = leaky(x0[j], (state[j],), p, j)
                state[j] = new
                m1[j - a] = new
            t += 1

    @njit
    def backward(x, mem, state, grad_spk, grad_x, grad_mem, terms, a, b, fours):
        grad_mem[a:b] = 0
        terms[a:b] = 0
        steps_back(mem, uint64(0), grad_spk, grad_x, grad_mem, terms, a, b, fours)

    @njit
    def backward_again(x, mem, state, grad_spk, grad_x, grad_mem, terms, a, b, fours):
        grad_mem[a:b] = 0
        terms[a:b] = 0
        again = np.empty((EVERY + 1, b - a), np.float32)
        for i in range(len(mem) - 1, -1, -1):
            t0, t1 = i * EVERY, min((i + 1) * EVERY, len(x))
            again[0] = mem[i, a:b]
            state[a:b] = mem[i, a:b]
            steps_again(x[t0:t1], again, state, a, b, fours)
            g, grad = grad_spk[t0:t1], grad_x[t0:t1]
            steps_back(again, a, g, grad, grad_mem, terms, a, b, fours)

    def pair(forward: Any, backward: Any) -> tuple[Any, Any]:
        @njit(parallel=parallel)
        def all_forward(x, spk, mem, state, width, fours):
            n = x.shape[1]
            for i in prange((n + width - 1) // width):
                a, b = uint64(i * width), uint64(min((i + 1) * width, n))
                forward(x, spk, mem, state, a, b, fours)

        @njit(parallel=parallel)
        def all_backward(x, mem, state, grad_spk, grad_x, grad_mem, terms, width, fours):
            n = x.shape[1]
            for i in prange((n + width - 1) // width):
                a, b = uint64(i * width), uint64(min((i + 1) * width, n))
                backward(x, mem, state, grad_spk, grad_x, grad_mem, terms, a, b, fours)
            return total(terms) if with_beta else 0.0

        return all_forward, all_backward

    return {
        "membrane stored": pair(forward, backward),
        "membrane computed again": pair(forward_again, backward_again),
    }


def forward_backward(
    forward: Callable[..., None],
    backward: Callable[..., float],
    x: Array,
    spk: Array,
    mem: Array,
    rows: tuple[Array, ...],
    grad_spk: Array,
    grad_x: Array,
    width: int,
    fours: bool,
) -> float:
    """Do both, and return the gradient of beta."""
    state, grad_mem, terms = rows
    forward(x, spk, mem, state, width, fours)
    return backward(x, mem, state, grad_spk, grad_x, grad_mem, terms, width, fours)


def training(problem: Training) -> Contenders:
    """Offer all pairs."""
    steps, n, threads = problem.cell.steps, problem.cell.n, problem.threads
    x, grad_spk, grad_x, *spikes = (
        array.reshape(steps, n)
        for array in (problem.x, problem.grad_spk, problem.grad_x, problem.spk, problem.spk_uint8)
    )
    rows = tuple(np.empty(n, np.float32) for _ in range(3))
    mems = np.empty((steps + 1, n), np.float32), np.empty((-(-steps // EVERY), n), np.float32)
    p = tuple(value[()] for value in problem.constants.values())
    with_beta = "beta" in problem.cell.wrt
    share = -(-n // (LANES * threads)) * LANES
    found = {}
    for parallel in (False, True)[:threads]:
        most = share if parallel else n
        for (name, pair), mem in zip(pairs(p, with_beta, parallel).items(), mems, strict=True):
            for width in (most, *(w for w in WIDTHS if w < most)):
                if width > WIDTHS[-1] and mem is mems[1]:  # what is computed leaves the caches
                    continue
                if width == WIDTHS[0] and steps * n > HOPELESS:
                    continue
                for spk in spikes:
                    for fours in (False, True):
                        variant = (
                            ("prange, " if parallel else "")
                            + ("time outside" if width == n else f"strips of {width}")
                            + f", {name}, {spk.dtype}"
                            + (", 4 steps a sweep" if fours else "")
                        )
                        call = partial(
                            forward_backward, *pair, x, spk, mem, rows, grad_spk, grad_x,
                            width, fours,
                        )  # fmt: skip

                        def outputs(returned: Any, spk: Array = spk) -> Outputs:
                            return Outputs(spk, None, (grad_x, returned)[: 1 + with_beta])

                        found[variant] = Way(call, outputs)
    set_num_threads(threads)
    return {"Numba": found}
