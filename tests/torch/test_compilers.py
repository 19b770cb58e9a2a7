"""snnc.torch in torch.compile and torch.export, to which a neuron is one operator."""

import copy
import gc
import io
import subprocess
import sys

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import snnc
import snnc.torch as snn
from snnc import surrogate, utils

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's own
torch.set_num_threads(1)

MODELS = {
    "Leaky": {"beta": 0.9, "learn_beta": True},
    "Synaptic": {"alpha": 0.8, "beta": torch.linspace(0.5, 0.9, 5), "reset_delay": False},
    "Alpha": {"alpha": 0.9, "beta": 0.8, "threshold": 0.3},
    "Lapicque": {"beta": 0.8, "learn_beta": True, "reset_mechanism": "zero"},
    "RLeaky": {"beta": 0.9, "linear_features": 5},
    "RSynaptic": {"alpha": 0.8, "beta": 0.9, "all_to_all": False, "V": 0.5},
}


@pytest.fixture(autouse=True)
def _fresh():
    torch.manual_seed(0)
    torch._dynamo.reset()


def gradients(call, x, states, parameters):
    leaves = [each.clone().requires_grad_() for each in (x, *states)]
    outputs = call(*leaves)
    random = torch.Generator().manual_seed(1)
    total = sum((each * torch.rand(each.shape, generator=random)).sum() for each in outputs)
    return outputs, torch.autograd.grad(total, [*leaves, *parameters], allow_unused=True)


@pytest.mark.parametrize("sequence", [False, True], ids=["step", "run"])
@pytest.mark.parametrize("model", MODELS)
def test_a_whole_graph_with_gradients(model, sequence):
    neuron = getattr(snn, model)(**MODELS[model], spike_grad=surrogate.fast_sigmoid(10))
    call = neuron.run if sequence else neuron
    x = torch.rand((6, 4, 5) if sequence else (4, 5)) * 3
    states = [torch.rand(4, 5).round() for _ in neuron._makes.states]
    compiled = torch.compile(call, backend="aot_eager", fullgraph=True)
    for _ in range(2):
        found = gradients(compiled, x, states, neuron.parameters())
        expected = gradients(call, x, states, neuron.parameters())
        assert expected[0][0].any()
        assert any(each is not None and each.any() for each in expected[1])
        for ours, theirs in zip(found, expected, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                assert other is None or torch.equal(one, other)
        with torch.no_grad():  # parameters and options are read at each call
            neuron.threshold.mul_(0.5)


def test_there_is_no_graph_break():
    for model, arguments in MODELS.items():
        neuron = getattr(snn, model)(**arguments)
        found = torch._dynamo.explain(neuron)(torch.rand(2, 5))
        assert found.graph_break_count == 0


class Net(torch.nn.Module):
    def __init__(self, sequence=False, **options):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(8, 6), torch.nn.Linear(6, 3)
        self.lif1 = snn.Leaky(0.9, threshold=0.3, **options)
        self.lif2 = snn.Synaptic(0.8, 0.9, threshold=0.3, **options)
        self.sequence = sequence

    def forward(self, x):
        mem1, states = self.lif1.reset_mem(), self.lif2.reset_mem()
        if self.sequence:
            spk, _ = self.lif1.run(self.fc1(x), mem1)
            return self.lif2.run(self.fc2(spk), *states)[0]
        spks = []
        for x_t in x:
            spk, mem1 = self.lif1(self.fc1(x_t), mem1)
            spk, *states = self.lif2(self.fc2(spk), *states)
            spks.append(spk)
        return torch.stack(spks)


@pytest.mark.parametrize("sequence", [False, True], ids=["step", "run"])
def test_networks(sequence):
    """Also with the default compiler, and batches of other sizes."""
    net, x = Net(sequence), torch.rand(5, 4, 8)
    compiled = torch.compile(net, fullgraph=True)
    for batch in (4, 3, 3, 4):
        x = torch.rand(5, batch, 8)
        found = compiled(x)
        assert found.any()
        assert torch.equal(found, net(x))


@pytest.mark.parametrize("sequence", [False, True], ids=["step", "run"])
def test_exported_programs(sequence, tmp_path):
    net, x = Net(sequence, spike_grad=lambda_surrogate()), torch.rand(5, 4, 8)
    dynamic = ({1: torch.export.Dim.AUTO},)
    program = torch.export.export(net, (x,), dynamic_shapes=dynamic)
    stream = io.BytesIO()
    torch.export.save(program, stream)
    stream.seek(0)
    loaded = torch.export.load(stream).module()
    for batch in (4, 3):
        x = torch.rand(5, batch, 8)
        assert net(x).any()
        assert torch.equal(loaded(x), net(x))
    path = tmp_path / "program.pt2"
    torch.export.save(program, path)
    torch.save((x, net(x)), tmp_path / "expected")
    code = (
        "import sys, torch, snnc.torch\n"  # where the surrogate isn't known, nor needed
        "program = torch.export.load(sys.argv[1]).module()\n"
        "x, expected = torch.load(sys.argv[2])\n"
        "sys.exit(not torch.equal(program(x), expected))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, path, tmp_path / "expected"]
    subprocess.run(command, check=True)


def lambda_surrogate():
    return surrogate.custom_surrogate(lambda x, grad, spk: grad / (1 + abs(x)))


def test_held_states_are_carried_over():
    x = torch.full((2,), 0.4)
    expected = snn.Leaky(0.9, init_hidden=True)
    spikes = [expected(x) for _ in range(6)]
    assert torch.stack(spikes).any()
    compiled = torch.compile(snn.Leaky(0.9, init_hidden=True), backend="eager", fullgraph=True)
    held = snn.Leaky(0.9, init_hidden=True)
    held(x)
    utils.reset(held)  # to rest, of the shape of the neurons
    exported = torch.export.export(held, (x,)).module()
    for spk in spikes:
        assert torch.equal(compiled(x), spk)
        assert torch.equal(exported(x), spk)


def operator_arguments(neuron, x, states, sequence):
    tensors = neuron._tensors()
    flags = [name for name in neuron._flags if getattr(neuron, name)]
    text = "|".join((neuron._makes.__name__, " ".join(tensors), " ".join(flags), neuron._text()))
    return x, states, [*tensors.values()], text, sequence


@pytest.mark.parametrize("sequence", [False, True], ids=["step", "run"])
@pytest.mark.parametrize("model", MODELS)
def test_the_operator_is_what_torch_asks_of_one(model, sequence):
    neuron = getattr(snn, model)(**MODELS[model])
    x = torch.rand((6, 4, 5) if sequence else (4, 5), requires_grad=True)
    states = [torch.rand(4, 5).round().requires_grad_() for _ in neuron._makes.states]
    torch.library.opcheck(torch.ops.snnc.neuron, operator_arguments(neuron, x, states, sequence))


def test_other_tracers_see_the_operator():
    """A trace that looked into a neuron would keep one result as a constant."""
    neuron, mem = snn.Leaky(0.9), torch.zeros(3)
    x, other = torch.rand(3) * 3, torch.rand(3) * 3
    for context in (torch.enable_grad(), torch.no_grad()):
        with context:
            traced = torch.jit.trace(neuron, (x, mem))
            graph = make_fx(lambda x: neuron(x, mem))(x)
            for found in (traced(other, mem), graph(other)):
                for one, expected in zip(found, neuron(other, mem), strict=True):
                    assert torch.equal(one, expected)
    with pytest.raises(RuntimeError, match="snnc::neuron"):
        torch.func.vmap(lambda x: neuron(x, mem)[1])(torch.rand(2, 3))


def test_copies_have_their_own_surrogates():
    neuron = snn.Leaky(0.9, spike_grad=lambda_surrogate())
    copied = copy.deepcopy(neuron)
    assert copied._text() != neuron._text()
    x, mem = torch.rand(2, 3, requires_grad=True), torch.zeros(2, 3)
    expected = torch.autograd.grad(neuron(x, mem)[0].sum(), x)
    del neuron
    gc.collect()
    compiled = torch.compile(copied, backend="aot_eager", fullgraph=True)
    found = torch.autograd.grad(compiled(x, mem)[0].sum(), x)
    assert torch.equal(found[0], expected[0])


def test_what_is_refused():
    neuron = snn.Leaky(0.9, inhibition=True)
    x = torch.rand(2, 5, requires_grad=True)
    compiled = torch.compile(neuron, backend="aot_eager", fullgraph=True)
    spk, mem = compiled(x.detach())
    assert spk.sum() <= 2
    with pytest.raises(ValueError, match="inhibition=True"):
        compiled(x, torch.zeros(2, 5))[1].sum().backward()
    lif = torch.compile(snn.Leaky(0.9), backend="aot_eager", fullgraph=True)
    with pytest.raises(ValueError, match=r"mem has shape \(5,\)"):
        lif(x.detach(), torch.ones(5))
    assert torch.equal(lif(x.detach(), torch.zeros(5))[1], x.detach())
    mem = lif(x, torch.zeros(2, 5))[1]
    with pytest.raises(RuntimeError, match="differentia|double backward"):
        torch.autograd.grad(mem.sum(), x, create_graph=True)[0].sum().backward()


def test_surrogates_are_found_again():
    for spike_grad in (surrogate.atan(3), surrogate.fast_sigmoid(), surrogate.triangular(),
                       surrogate.sigmoid(2.5), surrogate.LSO(), surrogate.SFS(),
                       surrogate.spike_rate_escape(), lambda_surrogate()):  # fmt: skip
        text = snnc._torch.text_of(spike_grad)
        assert snnc._torch._surrogate_in(text) == spike_grad or "@" in text
    unknown = snnc._torch._surrogate_in("custom_surrogate@1")
    with pytest.raises(RuntimeError, match="isn't known here"):
        unknown(0.5)


def test_the_number_of_steps_of_an_exported_program_may_vary():
    class Run(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = snn.Leaky(0.9, threshold=0.3)

        def forward(self, x):
            return self.lif.run(x, torch.zeros(4))[0]

    net = Run()
    steps = torch.export.Dim("steps", min=2, max=100)
    exported = torch.export.export(net, (torch.rand(5, 4),), dynamic_shapes=({0: steps},))
    x = torch.rand(9, 4)
    assert torch.equal(exported.module()(x), net(x))


def test_modules_that_are_gone_leave_nothing():
    neuron = snn.RLeaky(0.9, linear_features=3)
    compiled = torch.compile(neuron, backend="eager", fullgraph=True)
    compiled(torch.ones(3))
    serial = neuron._counterpart.serial
    assert serial in snnc._torch._counterparts
    del neuron, compiled
    torch._dynamo.reset()
    gc.collect()
    assert serial not in snnc._torch._counterparts
