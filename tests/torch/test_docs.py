"""The two columns of the documentation: snnTorch's code, and what it becomes, do the same."""

import re

import numpy as np
import pytest
import snntorch
import torch
from support import ROOT

import snnc

PAGE = (ROOT / "docs" / "from_snntorch.md").read_text()
COLUMNS = [block for block in re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL) if "# snnc" in block]
LOOP, NET, INSIDE = COLUMNS


def run_columns(block, left, right):
    """Run each column with the names that it needs, and return what it has made."""
    lines = block.splitlines()
    width = lines[0].index("# snnc")
    for names, column in (
        (left, [line[:width] for line in lines]),
        (right, [line[width:] for line in lines]),
    ):
        exec(compile("\n".join(line.rstrip() for line in column), "column", "exec"), names)
    return left, right


def test_loop():
    period = np.r_[np.float32(0.2), np.zeros(9, np.float32)]
    left, right = run_columns(
        LOOP,
        {"spk_period": torch.from_numpy(period), "spk_rec": []},
        {"spk_period": period, "spk_rec": []},
    )
    assert np.array_equal(left["spk_rec"].numpy(), right["spk_rec"])
    assert right["spk_rec"].sum() == 12


@pytest.fixture
def _seeded():
    torch.manual_seed(0)


@pytest.mark.usefixtures("_seeded")
def test_class_net():
    x = np.random.default_rng(0).random((32, 784), np.float32)
    left = {"nn": torch.nn, "snn": snntorch, "torch": torch}
    left, right = run_columns(NET, left, {"nn": snnc.nn, "snnc": snnc, "x": x})
    theirs, net = left["Net"](), right["net"]
    torch_net = theirs  # the page's name for it
    line = re.search(r"^net\.load_state_dict\(.*\)", PAGE, re.MULTILINE)[0]
    exec(line, {"net": net, "torch_net": torch_net})
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    assert expected.any()
    assert np.mean(net.run(x, num_steps=25)[-1].spk != expected) < 1e-3  # products of BLAS


@pytest.mark.usefixtures("_seeded")
def test_inside_pytorch():
    left, right = run_columns(
        INSIDE, {"nn": torch.nn, "torch": torch}, {"nn": torch.nn, "torch": torch}
    )
    theirs, net = left["Net"](), right["Net"]()
    net.load_state_dict(theirs.state_dict())
    x = torch.rand(25, 32, 784)
    expected = theirs(x)
    assert expected.any()
    assert (net(x) != expected).float().mean() < 1e-3
