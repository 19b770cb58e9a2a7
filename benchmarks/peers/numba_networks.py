"""Numba: products of spikes and weights, layers and closed loops, as an expert would write them.

All are driven by events: only the weights of the neurons that spike are read.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange, set_num_threads

__all__ = ["delta_loop", "exponential_loop", "layers", "product", "set_num_threads"]


@njit
def which(spk, index):
    """List the inputs that spike: how many."""
    count = 0
    for i in range(spk.size):
        if spk[i]:
            index[count] = i
            count += 1
    return count


@njit
def add_eight(index, count, weight, out):
    """Add rows of (in, out) weights, eight a pass."""
    k = 0
    while k + 8 <= count:
        w0, w1 = weight[index[k]], weight[index[k + 1]]
        w2, w3 = weight[index[k + 2]], weight[index[k + 3]]
        w4, w5 = weight[index[k + 4]], weight[index[k + 5]]
        w6, w7 = weight[index[k + 6]], weight[index[k + 7]]
        for j in range(out.size):
            four = (((out[j] + w0[j]) + w1[j]) + w2[j]) + w3[j]
            out[j] = (((four + w4[j]) + w5[j]) + w6[j]) + w7[j]
        k += 8
    for m in range(k, count):
        w0 = weight[index[m]]
        for j in range(out.size):
            out[j] += w0[j]


def rows_of_eight(spk, weight, y):
    """Multiply rows of spikes by (in, out) weights."""
    for b in prange(spk.shape[0]):
        index = np.empty(spk.shape[1], np.int64)
        count = which(spk[b], index)
        out = y[b]
        out[:] = 0
        add_eight(index, count, weight, out)
    return y


one_thread, many_threads = njit(rows_of_eight), njit(rows_of_eight, parallel=True)


@njit
def fire(current, mem, beta, spk):
    """Step Leaky neurons with threshold 1, which subtract it in the next step."""
    for j in range(mem.size):
        reset = np.float32(1) if mem[j] > 1 else np.float32(0)
        mem[j] = (beta * mem[j] + current[j]) - reset
        spk[j] = mem[j] > 1


def rows_of_layers(x, w1, b1, w2, b2, beta, y):
    """Run two layers, sample by sample, from event to event."""
    num_steps, batch, n_in = x.shape
    for b in prange(batch):
        index = np.empty(max(n_in, b1.size), np.int64)
        hidden, out = np.empty_like(b1), np.empty_like(b2)
        mem1, mem2 = np.zeros_like(b1), np.zeros_like(b2)
        spk = np.empty(b1.size, np.uint8)
        for t in range(num_steps):
            hidden[:] = b1
            add_eight(index, which(x[t, b], index), w1, hidden)
            fire(hidden, mem1, beta, spk)
            out[:] = b2
            add_eight(index, which(spk, index), w2, out)
            fire(out, mem2, beta, y[t, b])
    return y


layers_one_thread = njit(rows_of_layers)
layers_many_threads = njit(rows_of_layers, parallel=True)


def layers(threads):
    """Return the network of two layers for so many threads."""
    set_num_threads(threads)
    return layers_one_thread if threads == 1 else layers_many_threads


def product(threads):
    """Return the product for so many threads."""
    set_num_threads(threads)
    return one_thread if threads == 1 else many_threads


@njit
def delta_loop(x, weight, k, threshold, t_ref):
    """Step leaky integrate-and-fire neurons with delta synapses; `weight` is (from, to)."""
    num_steps, n = x.shape
    v, wait = np.zeros(n), np.zeros(n, np.int64)
    index, count, current = np.empty(n, np.int64), 0, np.empty(n)
    spk = np.empty((num_steps, n), np.uint8)
    for t in range(num_steps):
        current[:] = 0
        for c in range(count):
            row = weight[index[c]]
            for i in range(n):
                current[i] += row[i]
        count = 0
        for i in range(n):
            if wait[i] > 0:
                wait[i] -= 1
            else:
                v[i] += (-v[i] + (x[t, i] + current[i])) * k
            fired = v[i] >= threshold
            spk[t, i] = fired
            if fired:
                v[i] = 0
                wait[i] = t_ref
                index[count] = i
                count += 1
    return spk


@njit
def exponential_loop(x, exc, inh, exc_decay, inh_decay, k, threshold, t_ref):
    """Do the same with an excitatory and an inhibitory current that decay."""
    num_steps, n = x.shape
    v, wait = np.zeros(n), np.zeros(n, np.int64)
    index, count = np.empty(n, np.int64), 0
    i_exc, i_inh, s_exc, s_inh = np.zeros(n), np.zeros(n), np.empty(n), np.empty(n)
    spk = np.empty((num_steps, n), np.uint8)
    for t in range(num_steps):
        s_exc[:] = 0
        s_inh[:] = 0
        for c in range(count):
            row = exc[index[c]]
            for i in range(n):
                s_exc[i] += row[i]
            row = inh[index[c]]
            for i in range(n):
                s_inh[i] += row[i]
        count = 0
        for i in range(n):
            i_exc[i] = exc_decay * i_exc[i] + s_exc[i]
            i_inh[i] = inh_decay * i_inh[i] + s_inh[i]
            if wait[i] > 0:
                wait[i] -= 1
            else:
                v[i] += (-v[i] + ((x[t, i] + i_exc[i]) + i_inh[i])) * k
            fired = v[i] >= threshold
            spk[t, i] = fired
            if fired:
                v[i] = 0
                wait[i] = t_ref
                index[count] = i
                count += 1
    return spk
