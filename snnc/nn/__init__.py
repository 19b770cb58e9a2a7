"""Networks: layers and neurons in a row, run and trained over whole sequences.

`snnc.functional` has losses, `snnc.optim` optimizers.
"""

from snnc._arguments import missing_names
from snnc.nn.batches import batches
from snnc.nn.convolution import Conv1d, Conv2d
from snnc.nn.layers import Dropout, Flatten
from snnc.nn.linear import Linear
from snnc.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from snnc.nn.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from snnc.nn.sequential import Recordings as Recordings  # where old pickles look for it
from snnc.nn.sequential import Sequential

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "LayerNorm",
    "Linear",
    "MaxPool1d",
    "MaxPool2d",
    "Sequential",
    "batches",
]

__getattr__ = missing_names(
    "snnc.nn",
    {
        "Module": "write nn.Sequential(...); there is no base class of networks",
        "Parameter": "parameters are arrays; learn_... says which of a neuron training changes",
        **dict.fromkeys(
            ("ReLU", "Sigmoid", "Tanh", "GELU", "LeakyReLU"),
            "layers are linear, between them are neurons",
        ),
        "CrossEntropyLoss": "snnc.functional has losses, such as ce_rate_loss",
        "MSELoss": "snnc.functional has losses, such as mse_count_loss",
    },
)
