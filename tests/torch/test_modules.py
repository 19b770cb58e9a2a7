"""snnc.torch beside snnTorch 1.0.0: the same spikes, gradients and state_dicts."""

import copy
import doctest
import gc
import io
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))  # run by itself, with torch installed
import snntorch
import snntorch.surrogate
import torch
import torch.nn.utils.parametrizations
import torch.nn.utils.parametrize
import torch.nn.utils.prune
from support import golden
from torch import nn

import snnc
import snnc.torch as snn
from snnc import surrogate, utils

torch.set_num_threads(1)
STEPS, SHAPE = 25, (4, 5)
ALL = ("Leaky", "Synaptic", "Alpha", "Lapicque", "RLeaky", "RSynaptic")

USUAL = {
    "Leaky": {"beta": 0.9},
    "Synaptic": {"alpha": 0.8, "beta": 0.9},
    "Alpha": {"alpha": 0.9, "beta": 0.8, "threshold": 0.3},
    "Lapicque": {"R": 1.0, "C": 5.0, "threshold": 0.5},
    "RLeaky": {"beta": 0.9, "linear_features": 5},
    "RSynaptic": {"alpha": 0.8, "beta": 0.9, "linear_features": 5},
}
KINDS = [
    (model, reset, delay)
    for model in ALL
    for reset in ("subtract", "zero", "none")
    for delay in ((True, False) if model not in ("Alpha", "Lapicque") else (True,))
    if not (model == "RSynaptic" and not delay)  # which fails in snnTorch
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def quiet(make, *args, **kwargs):
    """What is made, without snnTorch's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args, **kwargs)


def pair(model, **arguments):
    """The two modules, with the same parameters."""
    arguments = {**USUAL[model], **arguments}
    theirs = quiet(getattr(snntorch, model), **arguments)
    ours = getattr(snn, model)(**arguments)
    ours.load_state_dict(theirs.state_dict())
    names = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_parameters()] == names
    return ours, theirs


def loop(neuron, x, states):
    """All outputs of a sequence, step by step."""
    steps = []
    for x_t in x:
        outputs = neuron(x_t, *states)
        steps.append(outputs)
        states = outputs if len(outputs) == len(states) else outputs[1:]
    return [torch.stack(each) for each in zip(*steps, strict=True)]


def data(neuron, seed=0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(STEPS, *SHAPE, generator=g, dtype=dtype) * 0.8 + 0.3
    states = [torch.randn(*SHAPE, generator=g, dtype=dtype) * 0.5 for _ in neuron._makes.states]
    if neuron._makes.states[0] == "spk":
        states[0] = (states[0] > 0).to(dtype)
    return x, states


def gradients(outputs, leaves, seed=1):
    """Of a fixed random sum of all outputs."""
    g = torch.Generator().manual_seed(seed)
    total = sum((each * torch.randn(each.shape, generator=g)).sum() for each in outputs)
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if each is None else each
        for leaf, each in zip(leaves, found, strict=True)
    ]


def close(ours, theirs, places=1e-5):
    scale = max(1.0, float(theirs.detach().abs().max()))
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert float((ours - theirs).detach().abs().max()) <= places * scale


@pytest.mark.parametrize(("model", "reset", "delay"), KINDS)
def test_steps_and_sequences(model, reset, delay):
    options = {"reset_mechanism": reset} | ({} if delay else {"reset_delay": False})
    learned = ["beta"] if model != "Lapicque" else []
    options |= {f"learn_{name}": True for name in (*learned, "threshold")}
    ours, theirs = pair(model, **options)
    x, states = data(ours)
    found = []
    for neuron, sequence in ((theirs, False), (ours, False), (ours, True)):
        leaves = [x.clone().requires_grad_(), *(s.clone().requires_grad_() for s in states)]
        first = leaves[0]
        outputs = neuron.run(*leaves) if sequence else loop(neuron, first, leaves[1:])
        leaves += list(neuron.parameters())
        assert all(output.requires_grad for output in outputs)
        found.append((outputs, gradients(outputs, leaves)))
    (expected, grads), *others = found
    assert 0 < expected[0].mean() < 1
    for outputs, own in others:
        assert torch.equal(outputs[0], expected[0])
        for one, other in zip(outputs, expected, strict=True):
            close(one, other, 2e-6)
        for one, other in zip(own, grads, strict=True):
            close(one, other)
    for one, other in zip(others[0][0], others[1][0], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("model", ALL)
def test_one_to_one_and_own_parameters(model):
    own = {"threshold": torch.linspace(0.2, 0.8, 5)}
    if model[0] == "R":
        own |= {"all_to_all": False, "V": torch.linspace(-0.5, 0.5, 5), "linear_features": None}
    ours, theirs = pair(model, **own)
    x, states = data(ours)
    expected = loop(theirs, x, states)
    for outputs in (loop(ours, x, states), ours.run(x, *states)):
        assert torch.equal(outputs[0], expected[0])
        for one, other in zip(outputs, expected, strict=True):
            close(one.detach(), other.detach(), 2e-6)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]


@pytest.mark.parametrize("model", ALL)
def test_state_dicts_go_both_ways(model):
    ours, theirs = pair(model, reset_mechanism="zero")
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
        assert ours.state_dict()[name].dtype == value.dtype
    theirs.load_state_dict(ours.state_dict())
    other = getattr(snn, model)(**USUAL[model])
    other.load_state_dict(ours.state_dict())
    assert other.reset_mechanism == "zero"  # as reset_mechanism_val says
    x, states = data(ours)
    for copied in (other, copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        for one, two in zip(copied.run(x, *states), ours.run(x, *states), strict=True):
            assert torch.equal(one, two)
    stream = io.BytesIO()
    torch.save(ours.state_dict(), stream)
    stream.seek(0)
    other.load_state_dict(torch.load(stream))
    assert repr(other).startswith(f"{model}(")


def module_of(case, **more):
    arguments = {
        name: torch.from_numpy(np.asarray(v)) if isinstance(v, np.ndarray) else v
        for name, v in (case.args | more).items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(snn, case.model)(**arguments)


@pytest.mark.parametrize("case", list(golden("recurrent")), ids=lambda case: case.name)
def test_goldens_of_recurrent_neurons(case):
    neuron = module_of(case)
    for name in ("weight", "bias"):
        if f"param_recurrent.{name}" in case.arrays:
            value = torch.from_numpy(case.arrays[f"param_recurrent.{name}"])
            getattr(neuron.recurrent, name).data = value
    a = case.arrays
    with torch.no_grad():
        states = [torch.from_numpy(a[f"{state}0"]) for state in neuron._makes.states]
        spk, *others = neuron.run(torch.from_numpy(a["x"]), *states)
    assert np.array_equal(spk.numpy(), a["spk"])
    for name, value in zip(neuron._makes.states[1:], others, strict=True):
        np.testing.assert_allclose(value.numpy(), a[name], rtol=0, atol=2e-6)


def tensors_of(case):
    """The input and the start states that a golden case has; those of others broadcast."""
    x = torch.from_numpy(case.arrays["x"])
    states = getattr(snnc, case.model).states
    start = [case.arrays.get(f"{name}0", np.zeros(())) for name in states]
    return x, [
        torch.from_numpy(np.broadcast_to(s, x.shape[1:]).astype(x.numpy().dtype)) for s in start
    ]


FORWARD = [
    case
    for case in golden("forward")
    if case.arrays["x"].dtype in (np.float32, np.float64)
    and not case.name.startswith(("mixed", "lost"))  # where snnc differs on purpose
]


@pytest.mark.parametrize("case", FORWARD, ids=lambda case: case.name)
def test_goldens_forward(case):
    neuron, (x, states) = module_of(case), tensors_of(case)
    with torch.no_grad():
        results = neuron.run(x, *states)
        steps = loop(neuron, x, states)
    names = ("spk", *neuron._makes.states)
    for name, result, step in zip(names, results, steps, strict=True):
        expected = case.arrays[name]
        assert np.array_equal(result.numpy(), step.numpy(), equal_nan=True)
        if name == "mem" and case.model == "Alpha":  # tau may differ
            np.testing.assert_allclose(result.numpy(), expected, rtol=1e-4, atol=1e-5)
        elif name == "mem" and case.model == "Lapicque" and x.dtype == torch.float64:
            # snnTorch multiplies R and C in float32.
            np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6, atol=1e-6)
        else:
            assert np.array_equal(result.numpy(), expected, equal_nan=True), name


BACKWARD = [
    case
    for case in golden("backward")
    if case.model in ALL and case.arrays["x"].dtype == np.float32
]


@pytest.mark.parametrize("case", BACKWARD, ids=lambda case: case.name)
def test_goldens_backward(case):
    given = surrogate.__dict__[case.surrogate["function"]](**case.surrogate["args"])
    learned = [name for name in ("alpha", "beta", "threshold") if f"grad_{name}" in case.arrays]
    learned = [name for name in learned if case.model != "Lapicque" or name == "threshold"]
    neuron = module_of(case, spike_grad=given, **{f"learn_{name}": True for name in learned})
    x, states = tensors_of(case)
    names = getattr(snnc, case.model).states
    for ways in (neuron.run, lambda x, *states: loop(neuron, x, states)):
        leaves = [t.clone().requires_grad_() for t in (x, *states)]
        outputs = ways(*leaves)
        assert np.array_equal(outputs[0].detach().numpy(), case.arrays["spk"])
        cotangents = [torch.from_numpy(case.arrays[f"cot_{name}"]) for name in ("spk", *names)]
        leaves += [getattr(neuron, name) for name in learned]
        found = torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True)
        for name, gradient in zip(("x", *(f"{n}0" for n in names), *learned), found, strict=True):
            expected = case.arrays.get(f"grad_{name}")
            if expected is not None and gradient is not None:
                error = np.abs(gradient.numpy() - expected).max(initial=0)
                assert error <= 1e-5 * max(1, np.abs(expected).max(initial=0)), name


def test_parameters_are_read_when_they_are_used():
    ours, theirs = pair("Leaky", learn_beta=True)
    x, states = data(ours)
    for neuron in (ours, theirs):
        with torch.no_grad():
            neuron.beta.mul_(0.5)
        neuron.threshold.data.fill_(0.3)  # which no version counter notices
    assert torch.equal(ours.run(x, *states)[0], loop(theirs, x, states)[0])
    spk, _ = ours.run(x, *states)
    ours.beta.data.fill_(0.9)
    outputs = ours.run(x.requires_grad_(), *states)
    with torch.no_grad():
        ours.beta.add_(0.01)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs[0].sum().backward()


class Net(nn.Module):
    """As in snnTorch's tutorials, with the neurons of a module."""

    def __init__(self, of, hidden=True):
        super().__init__()
        torch.manual_seed(3)
        self.fc1, self.fc2 = nn.Linear(8, 20), nn.Linear(20, 4)
        grad = snntorch.surrogate.fast_sigmoid(slope=25)
        self.lif1 = quiet(of.Leaky, beta=0.9, spike_grad=grad, learn_beta=True)
        self.lif2 = quiet(of.Synaptic, alpha=0.8, beta=0.9, spike_grad=grad)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        syn2, mem2 = self.lif2.init_synaptic()
        spks, mems = [], []
        for x_t in x:
            spk1, mem1 = self.lif1(self.fc1(x_t), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spks.append(spk2)
            mems.append(mem2)
        return torch.stack(spks), torch.stack(mems)


class Sequences(Net):
    def forward(self, x):
        spk1, _ = self.lif1.run(self.fc1(x))
        self.lif1.reset_mem()
        spk2, _, mem2 = self.lif2.run(self.fc2(spk1))
        self.lif2.reset_mem()
        return spk2, mem2


def test_the_usual_script():
    """Three steps of Adam, the last batch smaller than the others: one import is changed."""
    nets = [Net(snntorch), Net(snn), Sequences(snn)]
    results = []
    for net in nets:
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        g = torch.Generator().manual_seed(0)
        losses = []
        for batch in (16, 16, 7):
            x = torch.rand(12, batch, 8, generator=g) * 2
            target = torch.randint(4, (batch,), generator=g)
            spk, mem = net(x)
            loss = sum(nn.functional.cross_entropy(m, target) for m in mem)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        results.append((spk.detach(), torch.stack(losses), [p.detach() for p in net.parameters()]))
    (spk, losses, parameters), *others = results
    assert 0 < spk.mean() < 1
    for own in others:
        assert torch.equal(own[0], spk)
        close(own[1], losses)
        for one, other in zip(own[2], parameters, strict=True):
            close(one, other, 1e-4)


def test_held_states():
    for output in (False, True):
        ours, theirs = pair("Leaky", init_hidden=True, output=output)
        x = data(ours)[0]
        for x_t in x:
            one, other = ours(x_t), theirs(x_t)
            for a, b in zip(one if output else [one], other if output else [other], strict=True):
                assert torch.equal(a, b)
        assert torch.equal(ours.mem, theirs.mem)
        more = ours.run(x)
        assert torch.equal((more[0] if output else more)[0], (theirs(x[0])[0] if output else
                                                              theirs(x[0])))  # fmt: skip
    net = nn.Sequential(nn.Linear(5, 5), ours)
    net(x[0])
    ours.detach_hidden()
    assert not ours.mem.requires_grad
    utils.reset(net)
    assert not ours.mem.any()
    with pytest.raises(TypeError, match="mem was passed"):
        ours(x[0], ours.mem)
    with pytest.raises(TypeError, match="net is a Linear, which has no states"):
        utils.reset(nn.Linear(2, 2))


def test_bad_input_is_named_and_nothing_is_changed():
    neuron = snn.Leaky(0.9)
    x = torch.rand(3, 4)
    neuron(x)
    before = neuron.mem
    for call, error, message in (
        (lambda: neuron(x.numpy()), TypeError, "input_=(?s:.*)expected a tensor"),
        (lambda: neuron(x.to("meta")), ValueError, r"input_ is on meta.*\.cpu\(\)"),
        (lambda: neuron(x.to(torch.bfloat16)), TypeError, "input_ is .*bfloat16"),
        (lambda: neuron(x.to(torch.complex64)), TypeError, "input_ is .*complex64"),
        (lambda: neuron(x, torch.ones(4, 3)), ValueError, r"mem has shape \(4, 3\).*\(3, 4\)"),
        (lambda: neuron(x, torch.ones(4)), ValueError, r"mem has shape \(4,\)"),
        (lambda: neuron.run(torch.tensor(0.5)), ValueError, "x is 0-d"),
        (lambda: snn.Leaky(0.9, reset_mechanism="wrong"), ValueError, "reset_mechanism='wrong'"),
        (lambda: snn.Leaky(0.9, state_quant=True), ValueError, "state_quant"),
        (lambda: snn.Leaky(0.9, spike_grad=torch.sigmoid), ValueError, "spike_grad"),
        (lambda: snn.Leaky("wrong"), TypeError, "wrong|str"),
        (lambda: snn.RLeaky(0.9), TypeError, "linear_features"),
        (lambda: snn.Synaptic(0.9), TypeError, "beta"),
        (lambda: neuron(x, x, x), TypeError, "takes the states mem"),
        (lambda: neuron(x, x, mem=x), TypeError, "takes the states mem"),
        (lambda: neuron(x, syn=x), TypeError, "takes the states mem.* syn by name"),
        (lambda: snn.RLeaky(0.9, conv2d_channels=3, kernel_size=3), ValueError, "conv2d_channels"),
        (lambda: snn.Lapicque(), ValueError, "expected beta"),
        (lambda: setattr(neuron, "reset_mechanism", "wrong"), ValueError, "reset_mechanism"),
    ):
        with pytest.raises(error, match=message):
            call()
        assert neuron.mem is before
    inhibited = snn.Leaky(0.9, inhibition=True)
    with pytest.raises(ValueError, match=r"inhibition=True.*no_grad"):
        inhibited(x.clone().requires_grad_())
    with torch.no_grad():
        assert inhibited(x.clone().requires_grad_())[0].sum() <= 3


def test_gradients_once():
    neuron = snn.Leaky(0.9)
    x = torch.rand(6, 3).requires_grad_()
    with pytest.raises(RuntimeError, match="differentiated again"):
        torch.autograd.grad(neuron.run(x)[1].sum(), x, create_graph=True)


def test_snnc_imports_no_torch():
    code = "import sys, snnc, snnc.nn, snnc.optim; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_docstrings():
    results = doctest.testmod(snn)
    assert results.attempted > 20
    assert results.failed == 0


def test_surrogates_of_both():
    for theirs in (None, snntorch.surrogate.fast_sigmoid(slope=10), snntorch.surrogate.atan()):
        ours = snn.Leaky(0.9, spike_grad=theirs)
        assert isinstance(ours.spike_grad, (surrogate.atan, surrogate.fast_sigmoid))
    assert snn.Leaky(0.9, spike_grad=surrogate.SFS()).spike_grad == surrogate.SFS()


def test_parameters_of_more_dimensions_than_the_input():
    """Time stays the first axis, also where there are as many steps as samples."""
    for neuron in (
        snn.Leaky(torch.full((2, 3), 0.5), reset_mechanism="none", threshold=100.0),
        snn.RLeaky(0.5, V=torch.full((3,), 0.1), all_to_all=False, threshold=100.0),
    ):
        for shape in ((2, 3), (5, 3), (2,)):
            x = torch.rand(shape).requires_grad_()
            wide = (2, 3) if isinstance(neuron, snn.Leaky) else (3,)
            y = x.detach().reshape(shape[0], *(1,) * (len(wide) - x.ndim + 1), *shape[1:])
            y = y.expand(shape[0], *wide).clone().requires_grad_()
            neuron.run(x, *[torch.zeros(wide)] * len(neuron._makes.states))[-1].sum().backward()
            neuron.run(y, *[torch.zeros(wide)] * len(neuron._makes.states))[-1].sum().backward()
            expected = y.grad.reshape(shape[0], -1, *(3,) * (x.ndim - 1)).sum(1)
            close(x.grad, expected.reshape(shape))


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # by torch's forward-mode gradients
def test_what_a_neuron_has_not_is_refused_whenever_it_comes():
    neuron = snn.Synaptic(0.8, 0.9)
    state = neuron.state_dict() | {"graded_spikes_factor": torch.tensor(2.0)}
    neuron.load_state_dict(state)
    with pytest.raises(ValueError, match="graded_spikes_factor"):
        neuron(torch.ones(2))
    lif = snn.Leaky(0.9)
    with pytest.raises(ValueError, match="mem has shape"):  # which would get no gradient
        lif.run(torch.rand(5, 2, 3), torch.zeros(3, requires_grad=True))
    with torch.autograd.forward_ad.dual_level(), pytest.raises(RuntimeError, match="forward-mode"):
        lif(torch.autograd.forward_ad.make_dual(torch.rand(3), torch.ones(3)))


def test_a_learned_beta_of_lapicque_changes_c():
    ours = snn.Lapicque(beta=0.9, learn_beta=True)
    ours.beta.data.fill_(0.5)
    theirs = quiet(snntorch.Lapicque, beta=0.9)
    theirs.load_state_dict(ours.state_dict())
    x, mem = torch.ones(3), torch.full((3,), 0.5)
    assert torch.equal(ours(x, mem)[1].detach(), theirs(x, mem)[1])


def test_what_run_keeps_is_its_own():
    neuron = snn.Leaky(0.9)
    _, mems = neuron.run(torch.rand(100, 3))
    kept = neuron.mem.clone()
    mems.zero_()
    assert torch.equal(neuron.mem, kept)
    assert neuron.mem.untyped_storage().nbytes() == 12


def test_modules_elsewhere_and_otherwise():
    assert repr(snn.Leaky(0.9).half()).startswith("Leaky(beta=0.89")
    assert repr(snn.Leaky(torch.rand(3)).to("meta")).startswith("Leaky(beta=(3,)")
    with torch.device("meta"):
        snn.RLeaky(0.9, linear_features=3)
    neuron = snn.Leaky(0.9)
    neuron.spike_grad = snntorch.surrogate.fast_sigmoid(slope=10)
    assert neuron.spike_grad == surrogate.fast_sigmoid(slope=10)
    nn.utils.parametrize.register_parametrization(neuron := snn.Leaky(2.0, learn_beta=True),
                                                  "beta", nn.Sigmoid())  # fmt: skip
    neuron(torch.ones(3))[1].sum().backward()
    assert neuron.parametrizations.beta.original.grad is not None
    z = torch.rand(3, dtype=torch.complex64).conj().imag
    assert torch.equal(neuron(z, torch.zeros(3))[1], neuron(z.resolve_neg(), torch.zeros(3))[1])
    double = copy.deepcopy(snn.RLeaky(0.9, linear_features=3)).double()
    assert double.run(torch.ones(4, 3, dtype=torch.float64))[1].dtype == torch.float64


def test_layouts_and_zero_sizes():
    neuron = snn.Leaky(0.9)
    x, mem = torch.rand(5), torch.rand(5)
    assert torch.equal(neuron(x, mem=mem)[1], neuron(x, mem)[1])
    for shape in ((0, 4), (3, 0), (5, 0, 2)):
        for output in neuron.run(torch.zeros(shape), torch.zeros(shape[1:])):
            assert output.shape == shape
    x = torch.rand(2, 3, requires_grad=True)
    spk, mem = neuron(x.t())
    mem.sum().backward()
    assert torch.equal(x.grad, torch.ones(2, 3))
    single, _ = neuron(torch.tensor(2.0))
    assert single.shape == ()
    assert neuron(torch.ones(3, dtype=torch.int64))[1].dtype == torch.float32
    assert neuron(torch.ones(3, dtype=torch.float64))[1].dtype == torch.float64
    assert snnc.Leaky is snn.Leaky._makes


@pytest.mark.parametrize("model", ALL)
def test_storage_that_moves_after_the_forward_pass(model):
    """Sharing a tensor gives it other memory, and the old is freed."""
    for sequence in (False, True):
        neuron = quiet(getattr(snn, model), **USUAL[model])
        x, states = data(neuron)
        leaves = [(x if sequence else x[0]).clone().requires_grad_(), *states]
        outputs = (neuron.run if sequence else neuron)(*leaves)
        expected = torch.autograd.grad(outputs[-1].sum(), leaves[0], retain_graph=True)[0]
        for tensor in (leaves[0].data, *states, *(p.data for p in neuron.parameters())):
            tensor.share_memory_()
        found = torch.autograd.grad(outputs[-1].sum(), leaves[0])[0]
        assert torch.equal(found, expected)


@pytest.mark.parametrize("model", ALL)
def test_the_graph_is_freed_by_the_backward_pass(model):
    """And what it saves passes through hooks, as those of checkpoints."""
    neuron = quiet(getattr(snn, model), **USUAL[model])
    x, states = data(neuron)
    packed = []

    def pack(tensor):
        packed.append(tensor.numel())
        return tensor.detach().clone()

    for sequence in (False, True):
        call = neuron.run if sequence else neuron
        leaf = (x if sequence else x[0]).clone().requires_grad_()
        plain = torch.autograd.grad(call(leaf, *states)[-1].sum(), leaf)[0]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            outputs = call(leaf, *states)
        assert sum(packed) >= leaf.numel()
        kept = outputs[-1].grad_fn.kept  # by the graph itself
        arrays = [a for a in gc.get_referents(*kept) if isinstance(a, np.ndarray)]
        assert not arrays
        assert torch.equal(torch.autograd.grad(outputs[-1].sum(), leaf)[0], plain)
        with pytest.raises(RuntimeError, match="second time"):
            outputs[-1].sum().backward()


def test_a_recurrent_layer_that_does_more_is_refused():
    x = torch.zeros(3)
    for change in (
        lambda lif: lif.recurrent.register_forward_hook(lambda *_: None),
        lambda lif: lif.recurrent.register_forward_pre_hook(lambda *_: None),
        lambda lif: setattr(lif, "recurrent", nn.Identity()),
        lambda lif: setattr(lif, "recurrent", nn.Linear(3, 3, bias=False)),
        lambda lif: nn.utils.prune.random_unstructured(lif.recurrent, "weight", 0.5),
    ):
        lif = snn.RLeaky(0.9, linear_features=3)
        change(lif)
        with pytest.raises(TypeError, match=r"^recurrent"):
            lif(x)
    ours, theirs = pair("RLeaky", linear_features=3)
    for lif in (ours, theirs):  # this is computed before
        nn.utils.parametrizations.orthogonal(lif.recurrent, "weight")
    ours.load_state_dict(theirs.state_dict())
    x, states = torch.rand(3), [torch.ones(3), torch.zeros(3)]
    for one, other in zip(ours(x, *states), theirs(x, *states), strict=True):
        close(one.detach(), other.detach())
    ours(x, *states)[1].sum().backward()
    assert ours.recurrent.parametrizations.weight.original.grad is not None


def test_custom_surrogates_are_functions_of_tensors():
    def own(input_, grad_input, spikes):
        return grad_input * torch.exp(-torch.abs(input_)) * (1 + spikes)

    made = snntorch.surrogate.custom_surrogate(own)
    ours, theirs = (pair("Leaky", spike_grad=made)[i] for i in (0, 1))
    x = torch.rand(3, 4).mul(2).requires_grad_()
    grads = [
        torch.autograd.grad(lif(x, torch.zeros(3, 4))[0].sum(), x)[0] for lif in (ours, theirs)
    ]
    close(*grads)


def test_what_classes_and_the_module_have_not():
    for name in ("reset_hidden", "detach_hidden"):
        with pytest.raises(TypeError, match=rf"write lif.{name}\(\) of each"):
            getattr(snn.Leaky, name)
    lif = snn.Leaky(0.9, init_hidden=True)
    lif(torch.ones(3))
    lif.reset_hidden()
    assert not lif.mem.any()
    assert snn.utils.reset is utils.reset
    with pytest.raises(AttributeError, match="SLSTM': snntorch's works beside"):
        snn.SLSTM  # noqa: B018  # raises
    with pytest.raises(AttributeError, match="surrogate': import it from snntorch"):
        snn.surrogate  # noqa: B018  # raises


def test_parameters_of_each_neuron_may_widen():
    beta = torch.full((3,), 0.9, dtype=torch.float64)
    ours, theirs = pair("Leaky", beta=beta)
    x = torch.rand(4, 3)
    for one, other in zip(loop(ours, x, [torch.zeros(3)]), loop(theirs, x, [torch.zeros(3)]),
                          strict=True):  # fmt: skip
        assert torch.equal(one, other.to(one.dtype))
    assert ours(x[0], torch.zeros(3))[1].dtype == torch.float64
    leaf = x.clone().requires_grad_()
    ours.run(leaf, torch.zeros(3))[1].sum().backward()
    assert leaf.grad.dtype == torch.float32


def test_errors_name_what_they_are_about():
    lif = snn.Leaky(0.9)
    for value in (7, -1):
        lif.load_state_dict(lif.state_dict() | {"reset_mechanism_val": torch.tensor(value)})
        with pytest.raises(ValueError, match=f"reset_mechanism_val={value}; expected 0 to 2"):
            lif(torch.ones(3))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(TypeError, match="input_.float"):
        snn.Leaky(0.9)(nn.Linear(3, 3)(torch.ones(3)))
    with torch.device("meta"):
        assert snn.Leaky(0.9).to_empty(device="cpu") is not None
        assert snn.Synaptic(0.8, 0.9) is not None
    lif = snn.Leaky(0.9)
    with torch.device("meta"):
        lif(torch.ones(3, device="cpu"))


def test_states_of_inference_mode():
    lif = snn.Leaky(0.9, init_hidden=True)
    with torch.inference_mode():
        lif(torch.ones(3))
    x = torch.ones(3, requires_grad=True)
    lif(x)
    assert lif.mem.requires_grad
