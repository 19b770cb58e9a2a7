"""Networks of snnTorch's that people have, read here: classes with a forward, all layers."""

import numpy as np
import pytest
import snntorch
import torch
from snntorch import surrogate, utils
from support import golden
from torch import nn
from torch.nn import functional as F

import snnc
import snnc.torch


class Net(nn.Module):
    """Tutorial 5's, with a loop over time, or of a static input."""

    def __init__(self, neurons=snntorch, num_steps=6):
        super().__init__()
        torch.manual_seed(0)
        self.num_steps = num_steps
        self.lif2 = neurons.Leaky(beta=0.8, threshold=0.3, reset_mechanism="zero")
        self.fc1, self.fc2 = nn.Linear(12, 20), nn.Linear(20, 4)
        self.lif1 = neurons.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=10))

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spks = []
        for step in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1(x if x.ndim == 2 else x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spks.append(spk2)
        return torch.stack(spks)


class Block(nn.Module):
    def __init__(self, size, step=None):
        super().__init__()
        self.conv = nn.Conv2d(size, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.lif = snntorch.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x):
        return self.lif(self.norm(self.conv(x)))


class Convolutional(nn.Module):
    """Blocks, a pooling layer in two places, and a reshape."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = Block(1), Block(4)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4 * 3 * 3, 5)
        self.lif = snntorch.Leaky(beta=0.9, threshold=0.2, init_hidden=True, output=True)

    def step(self, x):
        x = F.max_pool2d(self.b(self.pool(self.a(x))), 2)
        return self.lif(self.fc(self.drop(x.flatten(1))))

    def forward(self, x):
        utils.reset(self)
        return torch.stack([self.step(x)[0] for _ in range(4)])


@pytest.mark.parametrize("neurons", [snntorch, snnc.torch], ids=["snntorch", "snnc.torch"])
@pytest.mark.parametrize("static", [False, True])
def test_a_class_by_example(static, neurons):
    module = Net(neurons)
    x = torch.rand(*(() if static else (6,)), 3, 12) * 3
    module.lif1.mem = torch.ones(3, 20)
    net = snnc.from_snntorch(module, example=x)
    assert list(net.layers) == ["fc1", "lif1", "fc2", "lif2"]
    assert torch.equal(module.lif1.mem, torch.ones(3, 20))
    assert module.training
    assert net["lif1"].spike_grad == snnc.surrogate.fast_sigmoid(10)
    held = {"num_steps": 6} if static else {"time_axis": 0}
    expected = module(x).detach()
    assert expected.any()
    assert np.array_equal(net.run(x.numpy(), **held)[-1].spk, expected)
    by_name = snnc.from_snntorch(module, order=("fc1", "lif1", "fc2", "lif2"))
    assert np.array_equal(by_name.run(x.numpy(), **held)[-1].spk, expected)
    net.load_state_dict(module.state_dict())
    assert {key for key, _ in module.named_parameters()} <= net.state_dict().keys()


def test_time_on_another_axis():
    class Second(Net):
        def forward(self, x):
            return super().forward(x.transpose(0, 1))

    x = torch.rand(3, 6, 12)
    net = snnc.from_snntorch(Second(), example=x)
    assert list(net.layers) == ["fc1", "lif1", "fc2", "lif2"]


class Whole(Convolutional):
    """Without a functional call."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4 * 7 * 7, 5)

    def step(self, x):
        x = self.b(self.pool(self.a(x)))
        return self.lif(self.fc(self.drop(x.flatten(1))))


def test_blocks_and_a_reshape():
    module = Whole().train()
    x = torch.rand(3, 1, 14, 14) * 4
    for _ in range(3):
        module(x)  # running values
    module.eval()
    net = snnc.from_snntorch(module, example=x)
    assert list(net.layers) == [
        "a.conv", "a.norm", "a.lif", "pool", "b.conv", "b.norm", "b.lif", "flatten", "drop", "fc",
        "lif",
    ]  # fmt: skip
    expected = module(x).detach()
    assert expected.any()
    assert np.array_equal(net.run(x.numpy(), num_steps=4)[-1].spk, expected)
    assert not net["drop"].training
    net.load_state_dict(module.state_dict())


def test_what_a_forward_does_beside_its_layers():
    x = torch.rand(3, 12)

    class Functional(Net):
        def forward(self, x):
            spk, _ = self.lif1(self.fc1(x))
            return self.lif2(self.fc2(F.relu(spk)))

    class Skip(Net):
        def forward(self, x):
            cur = self.fc1(x)
            spk, _ = self.lif1(cur)
            return self.lif2(self.fc2(spk + cur))

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = nn.Linear(12, 12), snntorch.Leaky(0.9)

        def forward(self, x):
            spk, _ = self.lif(self.fc(x))
            return self.lif(self.fc(spk))

    class Before(Net):
        def forward(self, x):
            return self.lif1(self.fc1(x * 2))

    class Nothing(Net):
        def forward(self, x):
            return x

    class Other(Net):
        def __init__(self):
            super().__init__()
            self.act = nn.GELU()

        def forward(self, x):
            return self.lif1(self.act(self.fc1(x)))

    class InPlace(Net):
        def forward(self, x):
            cur = self.fc1(x)
            cur.mul_(3)
            return self.lif1(cur)

    class Transposed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(12, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.b(self.a(x).t())

    class Decayed(Net):
        def forward(self, x):
            mem = self.lif1.init_leaky()
            for _ in range(3):
                spk, mem = self.lif1(self.fc1(x), mem)
                mem = mem * 0.5
            return spk

    for kind, error, message in (
        (InPlace, ValueError, "something else between 'fc1' and 'lif1'"),
        (Transposed, ValueError, "something else between 'a' and 'b'"),
        (Decayed, ValueError, "changes the states of 'lif1' between two steps"),
        (Functional, ValueError, "something else between 'lif1' and 'fc2'"),
        (Skip, ValueError, "something else between 'lif1' and 'fc2'"),
        (Twice, ValueError, "calls 'fc' twice in a step"),
        (Before, ValueError, "something else before 'fc1'"),
        (Nothing, ValueError, "called none of the module's layers"),
        (Other, TypeError, "layer 'act': module=GELU; expected"),
    ):
        module = kind()
        with pytest.raises(error, match=message):
            snnc.from_snntorch(module, example=x)
        assert not module.fc1._forward_hooks if hasattr(module, "fc1") else True
    with pytest.raises(TypeError, match=r"pass example=x .* or order=\('fc1', .*state_dict"):
        snnc.from_snntorch(Net())
    with pytest.raises(ValueError, match="order has 'fc3'; expected names out of 'lif2', 'fc1'"):
        snnc.from_snntorch(Net(), order=("fc3",))
    with pytest.raises(TypeError, match="example and order were both given"):
        snnc.from_snntorch(Net(), order=("fc1",), example=x)
    with pytest.raises(ValueError, match="layer 'lif1_2': neurons that are in the network twice"):
        snnc.from_snntorch(Net(), order=("fc1", "lif1", "lif1"))


def test_order_with_layers_for_what_is_functional():
    module = Convolutional().eval()
    x = torch.rand(3, 1, 14, 14) * 4
    with pytest.raises(ValueError, match=r"something else between 'b.lif' and 'drop'"):
        snnc.from_snntorch(module, example=x)
    order = ("a.conv", "a.norm", "a.lif", "pool", "b.conv", "b.norm", "b.lif",
             snnc.nn.MaxPool2d(2), snnc.nn.Flatten(), "drop", "fc", "lif")  # fmt: skip
    net = snnc.from_snntorch(module, order=order)
    expected = module(x).detach()
    assert np.array_equal(net.run(x.numpy(), num_steps=4)[-1].spk, expected)
    pooled = snnc.from_snntorch(module, order=("a.conv", "pool", "pool", "a.lif"))
    assert list(pooled.layers) == ["a.conv", "pool", "pool_2", "a.lif"]


@pytest.mark.parametrize("case", list(golden("networks")), ids=lambda case: case.name)
def test_sequential_networks(case):
    """As they are given, and by an example."""
    layers = []
    for i, text in enumerate(case.layers):
        if str(i) in case.neurons:
            own = dict(case.neurons[str(i)])
            layers.append(getattr(snntorch, own.pop("model"))(**own))
            continue
        name, _, arguments = text.partition("(")
        arguments = arguments.replace("padding=same", "padding='same'")
        arguments = arguments.replace("affine=True, bias=True", "affine=True")
        layers.append(eval(f"{name}({arguments}", vars(nn)))
    module = nn.Sequential(*layers).eval()
    module.load_state_dict(
        {
            k.removeprefix("state_"): torch.from_numpy(np.asarray(v))
            for k, v in case.arrays.items()
            if k.startswith("state_")
        }
    )
    for example in (None, torch.from_numpy(case.arrays["x"][0])):
        net = snnc.from_snntorch(module, example=example)
        last = max(case.neurons, key=int)
        recs = net.run(case.arrays["x"], time_axis=0)
        assert np.array_equal(recs[last].spk, case.arrays[f"spk_{last}"])
        state = net.state_dict()
        module.load_state_dict(
            {k: torch.from_numpy(v) for k, v in state.items() if k in module.state_dict()},
            strict=False,
        )


def test_recurrent_networks():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(12, 8),
        snntorch.RLeaky(beta=0.9, linear_features=8, init_hidden=True),
        nn.Identity(),
        nn.Sequential(nn.Linear(8, 3), snntorch.Synaptic(0.8, 0.9, init_hidden=True)),
    )
    x = torch.rand(5, 4, 12) * 3
    net = snnc.from_snntorch(module)
    assert list(net._leaves()) == ["0", "1", "3.0", "3.1"]
    expected = torch.stack([module(each) for each in x]).detach()
    assert expected.any()
    assert np.array_equal(net.run(x.numpy(), time_axis=0)[-1].spk, expected)
    net.load_state_dict(module.state_dict())


def test_classes_of_ones_own_that_have_a_layers_name():
    class Linear(nn.Linear):
        def forward(self, x):
            return torch.relu(super().forward(x))

    class Flatten(nn.Module):
        pass

    class Leaky(snntorch.Leaky):
        pass

    for module in (Linear(3, 2), Flatten(), Leaky(0.9)):
        with pytest.raises(TypeError, match=r"layer '0': module=.* of .*test_from_snntorch"):
            snnc.from_snntorch(nn.Sequential(module))
    with pytest.raises(ValueError, match="layer '0': return_indices=True"):
        snnc.from_snntorch(nn.Sequential(nn.MaxPool1d(2, return_indices=True)))


def test_states_and_inputs_by_keyword():
    class Keywords(Net):
        def forward(self, x):
            mem = self.lif1.init_leaky()
            for _ in range(3):
                spk, mem = self.lif1(input_=self.fc1(x), mem=mem)
            return spk

    net = snnc.from_snntorch(Keywords(), example=torch.rand(3, 12))
    assert list(net.layers) == ["fc1", "lif1"]


def test_batch_normalisation_without_a_bias():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, bias=False), nn.Linear(3, 2))
    net = snnc.from_snntorch(module)
    net.load_state_dict(module.state_dict())
    assert net[1].bias is None
