"""Arguments whose conversion runs Python code: it may raise, or change what was passed."""

import sys
import threading

import numpy as np
import pytest
from support import ALL, assert_same, make

import snnc
from snnc import nn

MODELS = pytest.mark.parametrize("model", sorted(ALL))


def reshaping(x, shape, method, result):
    """An object that reshapes x in place when it is asked for something."""

    def ask(self, *args, **kwargs):
        x.resize(shape, refcheck=False)  # as x.shape = shape, which NumPy 2.5 warns of
        return result

    return type("Reshaping", (), {method: property(ask) if method == "dtype" else ask})()


@MODELS
@pytest.mark.parametrize(
    ("argument", "method", "result"),
    [
        ("spk_dtype", "dtype", np.dtype(np.float32)),
        ("dtype", "dtype", np.dtype(np.float32)),
        ("neurons", "__array__", np.array([0, 1])),
        ("every", "__index__", 1),
        ("time_axis", "__index__", 0),
        ("num_threads", "__index__", 1),
        ("state", "__array__", np.zeros((), np.float32)),
    ],
)
def test_input_that_is_reshaped_by_another_argument(model, argument, method, result):
    """It is read as it is after the last of them, or refused: never in two shapes."""
    for record in (("spk",), ("spk", "count", "v" if model == "LIF" else "mem")):
        neuron = make(model)
        x = np.full((1000, 2), 0.3, np.float32)
        other = reshaping(x, (2, 1000), method, result)
        if argument == "state":
            rec = neuron.run(x, other, *(0.0 for _ in neuron.states[1:]), record=record)
        else:
            rec = neuron.run(x, record=record, **{argument: other})
        assert rec.spk.shape[0] in (2, 1000)
        assert rec.num_steps == rec.spk.shape[0]
        again = neuron.run(np.full(rec.spk.shape, 0.3, np.float32), record="spk")
        assert_same(rec.spk, again.spk.astype(rec.spk.dtype))


def test_masked_arrays_are_recognised_by_type():
    """Not by an attribute `mask`, which others have too: pandas.Series.mask is a method."""

    class Masking:
        mask = None

        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return np.array(self.array, dtype)

    class Subclass(np.ndarray):
        mask = None

    noisy = snnc.LIF(20.0, dt=1.0, v_threshold=15.0, sigma=2.0)
    x = np.full((50, 3), 10.0)
    v, ref = np.zeros(3), np.zeros(3)
    for wrap in (Masking, lambda array: array.view(Subclass)):
        for options in ({}, {"time_axis": 1}, {"num_steps": 7}):
            expected = noisy.run(x, rng=0, **options)
            assert_same(noisy.run(wrap(x), rng=0, **options).v, expected.v)
        quiet, loud = (
            noisy(given, v, ref, rng=np.random.default_rng(0)) for given in (x[0], wrap(x[0]))
        )
        assert_same(quiet[1], loud[1])
        assert np.any(loud[1] != snnc.LIF(20.0, dt=1.0, v_threshold=15.0)(x[0], v, ref)[1])
        leaky = snnc.Leaky(0.9, threshold=wrap(np.ones(3)))
        assert_same(leaky.threshold, np.ones(3))
        fc = nn.Linear(3, 3, rng=0)
        assert_same(fc(wrap(x)), fc(x))
    masked = np.ma.masked_array(x, mask=False)
    for call in (
        lambda: noisy.run(masked, rng=0),
        lambda: snnc.Leaky(0.9).run([masked, masked]),
        lambda: snnc.Leaky(0.9).run(([masked], [masked])),
        lambda: snnc.Leaky(0.9)([masked[0]], 0.0),
        lambda: noisy.run([masked], rng=0),
        lambda: snnc.Leaky(0.9).run(x, neurons=np.ma.array([0, 1])),
        lambda: snnc.Leaky(beta=[masked[0], masked[1]]),
        lambda: fc([masked]),
        lambda: noisy.run(masked, rng=0, num_steps=3),
        lambda: noisy(masked[0], v, ref, rng=np.random.default_rng(0)),
        lambda: snnc.Leaky(0.9, threshold=masked),
        lambda: fc(masked),
    ):
        with pytest.raises(TypeError, match="(is|holds) a masked array; pass an array"):
            call()


class JSONDecodeError(ValueError):
    """As json's: its constructor takes other arguments than a message."""

    def __init__(self, msg, doc, pos):
        super().__init__(f"{msg} at {pos} of {doc}")


ERRORS = [
    KeyboardInterrupt(),
    MemoryError(),
    OverflowError("own"),
    UnicodeDecodeError("ascii", b"\xff", 0, 1, "own"),
    JSONDecodeError("own", "doc", 3),
]


def raising(method, error):
    def fail(self, *args, **kwargs):
        raise error

    return type("Raising", (), {method: fail})()


def calls_with(method, wrong):
    """Calls that ask `wrong` for something by that method."""
    lif, x = snnc.Leaky(0.9), np.zeros((4, 2), np.float32)
    noisy = snnc.LIF(5.0, dt=1.0, v_threshold=1.0, sigma=1.0)
    held = snnc.Leaky(0.9, init_hidden=True)
    fc, net = nn.Linear(2, 2, rng=0), nn.Sequential(nn.Linear(2, 2, rng=0), snnc.Leaky(0.9))
    if method == "__array__":
        return [
            lambda: lif(wrong, 0.0),
            lambda: lif(x[0], wrong),
            lambda: lif.run(wrong),
            lambda: lif.run(x, wrong),
            lambda: lif.run(x, neurons=wrong),
            lambda: noisy.run(wrong, rng=0),
            lambda: noisy(wrong, 0.0, 0.0, rng=np.random.default_rng(0)),
            lambda: snnc.Leaky(wrong),
            lambda: setattr(lif, "threshold", wrong),
            lambda: setattr(held, "mem", wrong),
            lambda: fc(wrong),
            lambda: setattr(fc, "weight", wrong),
            lambda: net.run(wrong, num_steps=2),
            lambda: lif.backward(lif.run(x, grad=True), wrong),
            lambda: snnc.optim.SGD(net).step({"0.bias": wrong}),
            lambda: snnc.functional.ce_rate_loss()(wrong, np.zeros(2, int)),
        ]
    return [
        lambda: lif.run(x, num_steps=wrong),
        lambda: lif.run(x, time_axis=wrong),
        lambda: lif.run(x, every=wrong),
        lambda: lif.run(x, num_threads=wrong),
        lambda: lif.run(x, grad=True, checkpoint=wrong),
        lambda: lif.run(x, neurons=slice(wrong)),
        lambda: noisy.run(x, num_steps=wrong, rng=0),
        lambda: noisy.run(x, time_axis=wrong, rng=0),
        lambda: nn.Linear(wrong, 2),
        lambda: nn.batches(x, x, wrong),
        lambda: net.run(x, time_axis=wrong),
        lambda: snnc.set_num_threads(wrong),
    ]


@pytest.mark.parametrize("method", ["__array__", "__index__"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_of_the_objects_own_stay_as_they_are(method, error):
    for number, call in enumerate(calls_with(method, raising(method, error))):
        with pytest.raises(type(error)) as info:
            call()
        assert info.value is error, number


def test_a_note_says_which_argument_it_was():
    error = UnicodeDecodeError("ascii", b"\xff", 0, 1, "own")
    wrong = raising("__array__", error)
    with pytest.raises(UnicodeDecodeError) as info:
        snnc.Leaky(0.9).run(np.zeros((3, 2), np.float32), wrong)
    assert info.value.__notes__ == ["while mem was converted to an array"]
    net = nn.Sequential(fc=nn.Linear(2, 2, rng=0), lif=snnc.Leaky(0.9))
    with pytest.raises(UnicodeDecodeError) as info:
        net.run(np.zeros((3, 1, 2)), states={"lif": wrong})
    assert info.value.__notes__[-1] == "in layer 'lif'"


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError])
def test_numpys_errors_name_the_argument(kind):
    """And torch's RuntimeError, of a tensor that needs a gradient."""
    wrong = raising("__array__", kind("Use tensor.detach().numpy() instead."))
    for call in calls_with("__array__", wrong)[:4]:
        with pytest.raises((TypeError, ValueError), match=r"^(input_|x|mem) is not .*detach"):
            call()
    with pytest.raises(ValueError, match="^neurons is not a slice, or a sequence of indices: "):
        snnc.Leaky(0.9).run(np.zeros((3, 2)), neurons=[[1], [1, 2]])


@MODELS
def test_a_keyword_whose_comparison_raises(model):
    class Name(str):
        __slots__ = ()

        def __hash__(self):
            return hash("out")

        def __eq__(self, other):
            raise LookupError("own")

    neuron = make(model)
    with pytest.raises(LookupError, match="own"):
        neuron(np.zeros(2, np.float32), *(0.0 for _ in neuron.states), **{Name("out"): None})


def test_a_subclass_that_was_not_set_up():
    class Forgetful(snnc.Leaky):
        def __init__(self):
            pass

    lif = Forgetful()
    x = np.zeros(2, np.float32)
    for call in (
        lambda: lif(x, x),
        lambda: lif(x, x, dtype=float),
        lambda: lif.run(x),
        lambda: lif.beta,
        lambda: lif.init_hidden,
        lambda: repr(lif),
        lambda: setattr(lif, "threshold", 2),
    ):
        with pytest.raises(TypeError, match="__init__ must call super"):
            call()


def test_neurons_beyond_what_is_there():
    lif, x = snnc.Leaky(0.9), np.zeros((3, 4), np.float32)
    for dtype in (np.uint64, np.uint32, np.int64, np.int8):
        for bad in {np.iinfo(dtype).max, np.iinfo(dtype).min} - {0}:
            with pytest.raises(ValueError, match=f"neurons: index {bad} is out of bounds"):
                lif.run(x, neurons=np.array([0, bad], dtype))
        assert lif.run(x, neurons=np.array([3, 0], dtype)).mem.shape == (3, 2)


@MODELS
def test_bools_are_one_whatever_their_bytes_are(model):
    """As NumPy reads them: on every path, whole arrays, steps, strided and held ones."""
    neuron = make(model)
    odd = np.array([[0, 1, 2, 255, 128, 3]] * 5, np.uint8).view(np.bool_)
    good = odd.astype(np.float64 if model == "LIF" else np.float32)
    pairs = [
        (odd, good),
        (odd[:, ::2], good[:, ::2]),
        (odd.T, good.T),
        (odd[:1, 2:3], good[:1, 2:3]),
    ]
    for x, expected in pairs:
        assert_same(neuron.run(x).spk, neuron.run(expected).spk)
        assert_same(neuron.run(x).state[0], neuron.run(expected).state[0])
        start = [np.zeros((), expected.dtype) for _ in neuron.states]
        for one, other in zip(neuron(x[0], *start), neuron(expected[0], *start), strict=True):
            assert_same(one, other)
        if model != "LIF":
            g = np.ones(x.shape, expected.dtype)
            a, b = (neuron.run(each, grad=True) for each in (x, expected))
            for one, other in zip(
                neuron.backward(a, g)._arrays.values(),
                neuron.backward(b, g)._arrays.values(),
                strict=True,
            ):
                assert_same(one, other)


def test_parameters_of_a_run_are_read_once():
    """A recording belongs to the parameters that the run had, whatever is assigned meanwhile."""
    lif = snnc.Leaky(0.5)
    x = np.zeros((50, 8), np.float32)
    x[0] = 1
    wrong, stop = [], threading.Event()

    def assign():
        while not stop.is_set():
            lif.beta = 0.25
            lif.beta = 0.5

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=assign)
    thread.start()
    try:
        for _ in range(1500):
            rec = lif.run(x, grad=True)
            beta = np.float32(rec.mem[1, 0])
            if beta != np.float32(rec._tape.parameters["beta"]):
                wrong.append(beta)
            if lif.backward(rec, mem=np.ones(8, np.float32), wrt="mem0").mem0[0] != beta**50:
                wrong.append(beta)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not wrong


def test_parameters_set_by_a_callback_of_the_run():
    """Such as an argument's own code: the run's cell and its tape still belong together."""
    lif = snnc.Leaky(0.5)
    x = np.zeros((5, 2), np.float32)
    x[0] = 1

    class Assigning:
        def __array__(self, dtype=None, copy=None):
            lif.beta = 0.25
            return np.zeros(2, np.float32)

    rec = lif.run(x, Assigning(), grad=True)
    assert rec.mem[1, 0] == np.float32(rec._tape.parameters["beta"]) == 0.5
    assert_same(
        lif.backward(rec, mem=np.ones((2,), np.float32)).mem0, np.full(2, 0.5**5, np.float32)
    )
