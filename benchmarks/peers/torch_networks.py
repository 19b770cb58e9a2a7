"""PyTorch and snnTorch: a product given its indices, and a recurrent layer that is trained."""

from __future__ import annotations

from functools import partial

import numpy as np
import snntorch
import torch


def bag(index, weight, begins):
    """Sum the weights of each row's spikes."""
    return torch.nn.functional.embedding_bag(index, weight, begins, mode="sum").numpy()


def product(spk, weight, threads):
    """Offer `embedding_bag` with its indices made beforehand."""
    torch.set_num_threads(threads)
    row, index = np.nonzero(spk)
    begins = np.searchsorted(row, np.arange(len(spk)))
    return partial(bag, *map(torch.from_numpy, (index, weight, begins)))


def forward_backward(layer, x, grad_spk):
    """Step through a sequence, and do the backward pass."""
    spk, mem = layer.init_rleaky()
    spk_rec = []
    for x_t in x:
        spk, mem = layer(x_t, spk, mem)
        spk_rec.append(spk)
    spk_rec = torch.stack(spk_rec)
    gradients = torch.autograd.grad(spk_rec, (x, *layer.recurrent.parameters()), grad_spk)
    return spk_rec.detach().numpy(), *(gradient.numpy() for gradient in gradients)


def training(beta, weight, bias, x, grad_spk, threads):
    """Offer snnTorch's loop over a sequence."""
    torch.set_num_threads(threads)
    layer = snntorch.RLeaky(beta, linear_features=len(bias))
    with torch.no_grad():
        layer.recurrent.weight.copy_(torch.from_numpy(weight))
        layer.recurrent.bias.copy_(torch.from_numpy(bias))
    x = torch.from_numpy(x).requires_grad_()
    return partial(forward_backward, layer, x, torch.from_numpy(grad_spk))
