"""Memory around the arrays of a call: what has changed, what overlaps, and arrays that do."""

import itertools
import math

import numpy as np


def arrays_in(value):
    """All arrays in nested tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from arrays_in(item)


def address(array):
    return array.__array_interface__["data"][0]


class Memory:
    """The bytes of all arrays that a call is given: of the whole buffers that they lie in."""

    def __init__(self, *values):
        self.before = {}
        for array in arrays_in(values):
            while isinstance(array.base, np.ndarray):
                array = array.base
            self.before[id(array)] = array, array.tobytes()

    def check(self, *filled):
        """Nothing has changed but C-contiguous arrays that were to be filled."""
        filled = list(arrays_in(filled))
        for owner, before in self.before.values():
            now, expected = owner.tobytes(), bytearray(before)
            for array in filled:
                at = address(array) - address(owner)
                if 0 <= at < len(expected) or array.nbytes == 0:
                    expected[at : at + array.nbytes] = now[at : at + array.nbytes]
            assert now == bytes(expected), "memory has changed that the call was not to fill"


class Pool:
    """Memory in which arrays are placed anywhere, so that they overlap."""

    def __init__(self, draw, size):
        self.draw = draw
        self.bytes = draw.numbers.integers(0, 256, draw.randint(size // 3, size) + 100, np.uint8)

    def place(self, shape, dtype, aligned=True):
        """An array somewhere in it, of the values that are there."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if size + dtype.alignment > self.bytes.nbytes:
            return np.zeros(shape, dtype)
        at = self.draw.randint(0, self.bytes.nbytes - size - dtype.alignment)
        if aligned:
            at += -(address(self.bytes) + at) % dtype.alignment
        return self.bytes[at : at + size].view(dtype).reshape(shape)

    def put(self, array):
        """The array, copied to some place in it and perhaps backwards."""
        if array.dtype == bool:  # whose bytes must stay 0 or 1
            return array
        view = self.place(array.shape, array.dtype, self.draw.maybe(0.8))
        if self.draw.maybe(0.4):
            view = view[..., *(slice(None, None, self.draw.choice((1, -1))) for _ in array.shape)]
        view[...] = array
        return view


def share_memory(arrays):
    """Whether any two of these contiguous arrays do."""
    arrays = [a for a in arrays if a.size]
    return any(np.may_share_memory(a, b) for a, b in itertools.combinations(arrays, 2))


def assert_fresh(results, *given):
    """What a call has made shares no memory, with each other or with what it was given."""
    given = list(arrays_in(given))
    made = [a for a in arrays_in(results) if not any(a is g for g in given)]
    assert not share_memory(made), "two results share memory"
    for a, b in itertools.product(made, given):
        assert not np.may_share_memory(a, b), "a result shares memory with an argument"
