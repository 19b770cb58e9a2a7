"""The product of spikes and weights: the bits of a plain sequential sum, whatever the form."""

import math
import mmap
import sys
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from support import assert_same, csr, run_isa

import snnc
from snnc import _core


def plain(spk, weight, bias=None, dtype=np.float32, sparse=False):
    """The sums of each row, input by input in ascending order; `spk` as numbers.

    Of a sparse matrix zeros aren't stored, and add nothing.
    """
    values, columns = np.asarray(spk, dtype), np.asarray(weight, dtype).T
    rows = values.reshape(math.prod(values.shape[:-1]), len(columns))
    start = np.zeros(columns.shape[1]) if bias is None else bias
    sums = np.array(np.broadcast_to(np.asarray(start, dtype), (len(rows), columns.shape[1])))
    with np.errstate(all="ignore"):
        for total, row in zip(sums, rows, strict=True):
            for i in np.flatnonzero(row):
                term = columns[i] * row[i]
                total += np.where(columns[i] == 0, -0.0, term) if sparse else term
    return sums.reshape(*np.shape(spk)[:-1], columns.shape[1])


FORMS = {
    "uint8": lambda spk, rng: (spk.astype(np.uint8),) * 2,
    "counts": lambda spk, rng: (spk * rng.integers(1, 256, spk.shape).astype(np.uint8),) * 2,
    "bool": lambda spk, rng: (spk != 0,) * 2,
    "any true byte": lambda spk, rng: (
        (spk * rng.integers(1, 256, spk.shape).astype(np.uint8)).view(bool),
        spk,
    ),
    "packed": lambda spk, rng: (np.packbits(spk, axis=-1, bitorder="little"), spk),
    "float32": lambda spk, rng: (spk.astype(np.float32),) * 2,
    "float64": lambda spk, rng: (spk.astype(np.float64),) * 2,
    "float16": lambda spk, rng: (spk.astype(np.float16),) * 2,
    "int64": lambda spk, rng: (-3 * spk.astype(np.int64),) * 2,
    "graded": lambda spk, rng: (
        (np.where(spk, rng.choice(GRADED, spk.shape), 0).astype(np.float32),) * 2
    ),
}
GRADED = (1.0, 1.0, -0.5, 3.25, 1e-40, np.nan, np.inf, -np.inf)


def drawn(rng, shape, dtype=np.float32):
    weight = rng.normal(size=shape).astype(dtype)
    weight[rng.random(shape) < 0.05] = rng.choice([np.inf, -np.inf, np.nan, -0.0, 0.0, 1e-310])
    return weight


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["dense", "C-contiguous", "sparse", "equal"])
def test_it_is_a_plain_sequential_sum(form, dtype, kind):
    rng = np.random.default_rng(len(form))
    for inputs in (1, 2, 9, 64, 65, 200):
        for outputs in (1, 10, 16, 33, 300):
            weight = drawn(rng, (outputs, inputs), dtype)
            if kind in ("sparse", "equal"):
                weight[rng.random(weight.shape) < 0.7] = 0
            if kind == "equal":
                weight = (weight != 0) * rng.normal(size=inputs).astype(dtype)
            for shape in ((), (1,), (5,), (2, 0), (3, 2)):
                density = rng.choice([0, 0.05, 0.3, 1])
                spk = (rng.random((*shape, inputs)) < density).astype(np.uint8)
                given, value = FORMS[form](spk, rng)
                bias = drawn(rng, outputs) if rng.random() < 0.5 else None
                wide = dtype == np.float64 or given.dtype == np.float64
                as_given = {"dense": np.asfortranarray, "C-contiguous": np.array}.get(kind, csr)
                used = np.float64 if wide else np.float32
                expected = plain(value, weight, bias, used, sparse=as_given is csr)
                assert_same(snnc.spike_product(given, as_given(weight), bias), expected)


@given(st.data())
def test_layouts_lists_and_out(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows, inputs, outputs = (data.draw(st.integers(0, n)) for n in (4, 20, 40))
    spk = (rng.random((rows, inputs)) < 0.4).astype(data.draw(st.sampled_from([np.uint8, float])))
    weight = rng.normal(size=(outputs, inputs))
    expected = plain(spk, weight, dtype=np.float64)
    layout = data.draw(st.sampled_from([
        lambda a: a.tolist() if a.size else a, np.asfortranarray, lambda a: a[::-1].copy()[::-1],
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2], lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: np.frombuffer(b"0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
        lambda a: np.concatenate((a, a), axis=-1)[..., : a.shape[-1]],
    ]))  # fmt: skip
    given, laid_out = layout(spk), layout(weight)
    if outputs:
        assert_same(snnc.spike_product(given, laid_out), expected)
    out = np.full((rows, outputs), 7.0)
    assert snnc.spike_product(spk, weight.T.copy().T, out=out) is out
    assert_same(out, expected)
    assert_same(snnc.spike_product(spk[:0], weight), expected[:0])


def test_rows_that_share_lists_and_threads():
    """More rows, and more spikes, than are listed at a time."""
    rng = np.random.default_rng(5)
    for rows, inputs, outputs in ((3000, 40, 5), (3, 70_000, 2), (200, 3000, 700), (1, 9, 3)):
        spk = (rng.random((rows, inputs)) < 0.3).astype(np.uint8)
        weight = rng.normal(size=(inputs, outputs)).astype(np.float32).T
        expected = snnc.spike_product(spk[-1], weight)
        assert_same(expected, plain(spk[-1], weight))
        for num_threads in (1, 2, 7, 64):
            result = snnc.spike_product(spk, weight, num_threads=num_threads)
            assert_same(result[-1], expected)
            assert_same(result[rows // 2], snnc.spike_product(spk[rows // 2], weight))


def test_every_instruction_set_gives_the_same_bits():
    code = (
        "import hashlib, numpy as np, snnc\n"
        "from snnc import _core\n"
        "rng, digest = np.random.default_rng(3), hashlib.sha256()\n"
        "for n in (1, 9, 64, 200):\n"
        "    for m in (1, 10, 63, 300):\n"
        "        for dtype in (np.float32, np.float64):\n"
        "            weight = rng.normal(size=(m, n)).astype(dtype)\n"
        "            spk = (rng.random((4, n)) < 0.4)\n"
        "            graded = spk * rng.normal(size=spk.shape)\n"
        "            for given in (spk, graded, graded.astype(np.float32), np.uint8(5) * spk):\n"
        "                digest.update(snnc.spike_product(given, weight).tobytes())\n"
        "print(digest.hexdigest(), _core.isa)\n"
    )
    results = {isa: run_isa(isa, "-c", code) for isa in _core.isas}
    for isa, result in results.items():
        assert result.stdout.split()[1:] == [isa], result.stderr
    assert len({result.stdout.split()[0] for result in results.values()}) == 1


def test_an_absent_spike_adds_nothing():
    weight = np.array([[np.inf, 1.0], [np.nan, 2.0]])
    for silent in (0.0, -0.0):
        assert_same(snnc.spike_product(np.array([silent, 1.0]), weight), np.array([1.0, 2.0]))
    assert_same(snnc.spike_product(np.zeros(2), weight), np.zeros(2))
    assert_same(snnc.spike_product(np.zeros(2, bool), weight, [-0.0, 1]), np.array([-0.0, 1.0]))


def test_the_dtype_is_the_widest():
    one, ones = np.ones(1, np.uint8), np.ones((1, 1))
    for spk in (one, one.astype(bool), one.astype(np.float32), one.astype(int), [1], [True]):
        for weight in (np.float32, np.float16, int, bool):
            assert snnc.spike_product(spk, ones.astype(weight)).dtype == np.float32
        assert snnc.spike_product(spk, ones).dtype == np.float64
        assert snnc.spike_product(spk, csr(ones)).dtype == np.float64
        assert snnc.spike_product(spk, csr(np.float32(ones))).dtype == np.float32
    assert snnc.spike_product(np.ones(1), np.float32(ones)).dtype == np.float64
    assert snnc.spike_product(np.ones(1), csr(np.float32(ones))).dtype == np.float64
    assert snnc.spike_product(one, np.float32(ones), np.ones(1)).dtype == np.float64


def test_no_copy_of_weights_that_lie_as_they_should():
    """A gigabyte of them: their copy would not fit beside them."""
    import tracemalloc

    spk, rows = np.zeros(1000, np.uint8), np.ones((1000, 2000), np.float32)
    for weight in (rows.T, rows[:, :1500].T):
        snnc.spike_product(spk, weight)
        tracemalloc.start()
        snnc.spike_product(spk, weight)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000


@pytest.mark.skipif(sys.platform != "linux" or sys.maxsize < 2**32, reason="64-bit Linux")
def test_more_weights_than_an_int32_counts():
    inputs, outputs = 2**18, 2**13 + 8  # of zeros, which take no memory
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
    memory = mmap.mmap(-1, 4 * inputs * outputs, flags=flags)
    weight = np.frombuffer(memory, np.float32).reshape(inputs, outputs)
    assert weight.size > 2**31
    weight[-1, -1], weight[-2, 5] = 3, 4
    spk = np.zeros((2, inputs), np.uint8)
    spk[0, -1], spk[1, -2:] = 1, 2
    result = snnc.spike_product(spk, weight.T)
    expected = np.zeros((2, outputs), np.float32)
    expected[:, -1], expected[1, 5] = (3, 6), 8
    assert_same(result, expected)


def test_entries_that_come_twice_are_added_in_their_order():
    big = np.float32(2**24)
    matrix = SimpleNamespace(
        shape=(1, 2), data=np.float32([1, big, -big, 1]), indices=[0, 1, 0, 0], indptr=[0, 4]
    )
    matrix.tocsr = lambda: matrix
    # Input 0: (1 - big) + 1 is 2 - big; input 1: + big.
    one_by_one = ((np.float32(1) - big) + np.float32(1)) + big
    assert_same(snnc.spike_product([1, 1], matrix), np.float32([one_by_one]))


def test_out_that_overlaps_what_is_read():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        memory = rng.normal(size=(40, 12)).astype(dtype)
        weight, bias = rng.normal(size=(12, 12)).astype(dtype), rng.normal(size=12).astype(dtype)
        expected = plain(memory, weight, bias, dtype)
        spk = memory.copy()
        assert snnc.spike_product(spk, weight, bias, out=spk) is spk
        assert_same(spk, expected)
        for rows in (weight, np.asfortranarray(weight)):
            both = rows.copy(order="K")
            out = both if both.flags.c_contiguous else both.T
            assert_same(snnc.spike_product(memory[:12], both, out=out),
                        plain(memory[:12], weight, None, dtype))  # fmt: skip
        own = bias.copy()
        assert_same(snnc.spike_product(memory[0], weight, own, out=own), expected[0])


W = np.ones((3, 4))


def sparse(**changes):
    matrix = SimpleNamespace(shape=(2, 3), data=np.ones(3), indices=np.array([0, 2, 1]),
                             indptr=np.array([0, 2, 3]))  # fmt: skip
    matrix.__dict__.update(changes)
    matrix.tocsr = lambda: matrix
    return matrix


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((np.ones(3), W), {}, ValueError, r"spk of shape \(3,\); weight asks for 4 inputs"),
        ((1.0, W), {}, ValueError, r"spk of shape \(\); weight asks for 4"),
        ((np.ones((2, 2), np.uint8), W), {}, ValueError, r"spk of shape \(2, 2\).*packed"),
        ((np.ones(4), np.ones(4)), {}, ValueError, "weight has 1 dimensions; expected 2"),
        ((np.ones(4), 1.0), {}, ValueError, "weight has 0 dimensions"),
        ((np.ones(4) * 1j, W), {}, TypeError, "spk has dtype complex128"),
        ((np.ma.ones(4), W), {}, TypeError, "spk is a masked array"),
        (("1111", W), {}, TypeError, "spk"),
        (([[1], [1, 2]], W), {}, ValueError, "spk is not an array"),
        ((np.ones(4), W * 1j), {}, TypeError, "weight has dtype complex128"),
        ((np.ones(4), W.astype(object)), {}, TypeError, "weight has dtype object"),
        ((np.ones(4), W.astype(np.longdouble)), {}, TypeError, "weight has dtype"),
        ((np.ones(4), np.ma.ones((3, 4))), {}, TypeError, "weight is a masked array"),
        ((np.ones(4), None), {}, TypeError, "weight"),
        ((np.ones(4), W, np.ones(2)), {}, ValueError, r"bias has shape \(2,\); expected \(3,\)"),
        ((np.ones(4), W, 1.0), {}, ValueError, r"bias has shape \(\); expected \(3,\)"),
        ((np.ones(4), W, "a"), {}, TypeError, "bias"),
        ((np.ones(4), W), {"out": np.ones(4)}, ValueError, r"out: product has shape \(4,\)"),
        ((np.ones(4), W), {"out": np.ones(3, int)}, ValueError, "out: product has dtype int64"),
        ((np.ones(4), W), {"out": [1.0] * 3}, TypeError, "out: product must be an array"),
        ((np.ones(4), W), {"out": np.ones(6)[::2]}, ValueError, "not C-contiguous"),
        ((np.ones(4), W), {"out": np.ma.ones(3)}, TypeError, "masked"),
        ((np.ones(4), W), {"num_threads": 0}, ValueError, "num_threads=0"),
        ((np.ones(3), sparse(shape=(2,))), {}, ValueError, r"weight has shape \(2,\)"),
        ((np.ones(3), sparse(shape=(2, "a"))), {}, TypeError, "weight.shape"),
        ((np.ones(3), sparse(shape=(2**31, 3))), {}, ValueError, "expected at most"),
        ((np.ones(3), sparse(data=np.ones(2))), {}, ValueError, r"shapes \(2,\), \(3,\)"),
        ((np.ones(3), sparse(data=np.ones(3) * 1j)), {}, TypeError, "weight.data has dtype comp"),
        ((np.ones(3), sparse(data=np.ma.ones(3))), {}, TypeError, "weight.data is a masked"),
        ((np.ones(3), sparse(indptr=np.array([0, 3]))), {}, ValueError, "weight: data, indices"),
        ((np.ones(3), sparse(indptr=np.array([0, 4, 3]))), {}, ValueError, "never decrease"),
        ((np.ones(3), sparse(indptr=np.array([1, 2, 3]))), {}, ValueError, "begin with 0"),
        ((np.ones(3), sparse(indptr=np.array([0, 2, 4]))), {}, ValueError, "end with 3"),
        ((np.ones(3), sparse(indptr=np.array([0.0, 2, 3]))), {}, TypeError, "weight.indptr has"),
        ((np.ones(3), sparse(indices=np.array([0, 2, 3]))), {}, ValueError, "expected 0 to 2"),
        ((np.ones(3), sparse(indices=np.array([0, -1, 1]))), {}, ValueError, "has -1 to 1"),
    ],
)
def test_errors_name_the_argument(arguments, options, kind, message):
    with pytest.raises(kind, match=message):
        snnc.spike_product(*arguments, **options)


def test_a_batch_that_was_packed_as_one_row_is_refused():
    lif = snnc.Leaky(0.9)
    packed = lif.run(np.ones((5, 2, 4), np.float32), spk_dtype="packed").spk
    weight = np.ones((3, 4))
    with pytest.raises(ValueError, match="spk: a packed row has spikes beyond its 4 inputs"):
        snnc.spike_product(packed, weight)
    rows = snnc.unpack_spikes(packed, 8).reshape(5, 2, 4)
    assert snnc.spike_product(rows, weight).shape == (5, 2, 3)


def test_errors_write_nothing():
    out = np.full((2, 3), 7.0)
    out.flags.writeable = False
    for spk, weight, bias in ((np.ones((2, 4)), W, None), (np.ones((2, 4)), W, np.ones(2))):
        with pytest.raises(ValueError, match="read-only|bias"):
            snnc.spike_product(spk, weight, bias, out=out)
    assert_same(out, np.full((2, 3), 7.0))


@pytest.mark.parametrize("dtype", [np.uint8, bool])
@pytest.mark.parametrize("shape", [(8, 8), (7, 30), (100, 129), (1, 5), (70, 1), (0, 5), (5, 0)])
def test_transposed_spikes(shape, dtype):
    """Spikes that lie in columns are copied into rows; also those of a part of an array."""
    rng = np.random.default_rng(0)
    num_inputs, rows = shape
    weight = rng.normal(size=(3, num_inputs))
    whole = (rng.random((num_inputs, 2 * rows + 3)) < 0.3).astype(dtype)
    for spk in (whole[:, 2 : 2 + rows].T, np.asfortranarray(whole.T), whole[:, : 2 * rows : 2].T):
        kept = spk.copy()
        assert_same(snnc.spike_product(spk, weight), plain(kept, weight, dtype=np.float64))


def test_density():
    """Which part of spikes isn't 0, whatever they are periodic in."""
    assert _core.density(np.zeros((0, 5), np.uint8)) == 0
    assert _core.density(np.zeros(7, np.uint8)) == 0
    for value in (1, 128, 255):
        assert _core.density(np.full(1600, value, np.uint8)) == 1
    for period in (2, 3, 8, 784, 1000):
        x = np.zeros((500, period), np.uint8)
        x[:, : period // 2] = 1
        assert abs(_core.density(x) - x.mean()) < 0.05
    few = (np.arange(200) % 4 == 0).astype(np.uint8)
    assert _core.density(few) == 0.25
    for wrong in (few[::2], few.astype(bool), few.astype(np.float32), few.tolist(), None):
        with pytest.raises(TypeError, match="expected contiguous uint8"):
            _core.density(wrong)


def test_private_calls_check_their_arguments():
    data, indptr, indices = np.ones(3), np.array([0, 2, 3]), np.array([0, 2, 1], np.int32)
    for arguments in (
        (np.ones(3), None, None, 1), (np.ones((3, 2)), None, None, None), (data, indptr, None, 3),
        (data, indptr, indices.astype(np.int64), 3), (data, indptr.astype(np.int32), indices, 3),
        (data, indptr, indices, 2), (data, indptr, indices, "3"), (data[:1], indptr, indices, 3),
        (data.astype(int), indptr, indices, 3), (data, np.array([0, 3, 2]), indices, 3),
        (data, np.zeros(0, np.int64), indices, 3), (data, indptr, indices, -1),
        ([1.0], None, None, None), (data, indptr, indices, 2**40),
    ):  # fmt: skip
        for function in (_core.weights, _core.transpose):
            with pytest.raises((TypeError, ValueError)):
                function(*arguments)
    for function in (_core.weights, _core.transpose, _core.product):
        with pytest.raises(TypeError, match="takes at least"):
            function(data)
