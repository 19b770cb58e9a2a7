"""Networks: linear layers and neurons in a row, run and trained over whole sequences.

No more than training takes: `snnc.functional` has losses, `snnc.optim` optimizers.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc._arguments import (
    at_least_one,
    in_layer,
    index,
    is_double,
    missing,
    missing_names,
    real_numbers,
)
from snnc._backward import sum_to
from snnc._product import linear_start
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.recurrent_torch import RecurrentTorch
from snnc.neurons.torch_neuron import TorchNeuron

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from snnc.recording import Recording

    Floats = NDArray[Any]
    Layer: TypeAlias = "Linear | SpikingNeuron"

__all__ = ["Linear", "Sequential", "batches"]

# What torch's modules have, and what to write here.
_OF_MODULES = {
    "forward": "write net.run(x, num_steps=...)",
    "parameters": "write net.state_dict(); optim.Adam(net) takes the network itself",
    "named_parameters": "write net.state_dict().items()",
    "modules": "write list(net)",
    "children": "write list(net)",
    "named_children": "write net.layers.items()",
    "zero_grad": "backward returns gradients, none are kept",
    **dict.fromkeys(("to", "cpu", "cuda"), "its arrays are NumPy's, on the CPU"),
    **dict.fromkeys(("train", "eval"), "it is the same in training and evaluation"),
    **dict.fromkeys(("append", "add_module"), "write net = nn.Sequential(*net, layer)"),
    "reset": "write snnc.utils.reset(net); a run starts at rest",
}

_OF_LINEAR = {
    **{name: _OF_MODULES[name] for name in ("zero_grad", "to", "cpu", "cuda", "train", "eval")},
    "in_features": "write weight.shape[1]",
    "out_features": "write weight.shape[0]",
    "forward": "call it: fc(x)",
    "parameters": "they are weight and bias",
    "state_dict": "they are weight and bias",
    "reset_parameters": "make a new one, with rng=",
}

__getattr__ = missing_names(
    "snnc.nn",
    {
        "Module": "write nn.Sequential(...); there is no base class of networks",
        "Parameter": "parameters are arrays; learn_... says which of a neuron training changes",
        **dict.fromkeys(
            ("Conv1d", "Conv2d", "MaxPool2d", "AvgPool2d", "BatchNorm1d", "BatchNorm2d"),
            "the layers are Linear and neurons",
        ),
        **dict.fromkeys(
            ("Flatten", "Dropout", "LayerNorm", "ReLU"), "the layers are Linear and neurons"
        ),
        "CrossEntropyLoss": "snnc.functional has losses, such as ce_rate_loss",
        "MSELoss": "snnc.functional has losses, such as mse_count_loss",
    },
)


class Linear:
    """Weighted sums, y = x W^T + b, of each sample at each step.

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axes of x and y.
    bias : bool, default True
        Whether there is a `bias`.
    rng : numpy.random.Generator or int, optional
        Where the start values come from; None is seeded by the system.

    Attributes
    ----------
    weight : ndarray of float32, shape (out_features, in_features)
    bias : ndarray of float32, shape (out_features,), or None
        What is assigned is copied: float64 as it is, other real numbers as float32.

    Raises
    ------
    TypeError, ValueError
        If a size is not an integer of at least 1, or what is assigned to `weight` or `bias` is
        not an array of real numbers of that shape.

    Notes
    -----
    Start values are uniform within 1/sqrt(in_features), as PyTorch's.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> fc = snnc.nn.Linear(3, 2, rng=0)
    >>> fc(np.ones((25, 64, 3), np.float32)).shape  # one product for all steps
    (25, 64, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        shape = (
            at_least_one("out_features", out_features),
            at_least_one("in_features", in_features),
        )
        weight, start = linear_start(*shape, rng)
        self._weight: Floats = weight
        self._bias: Floats | None = start if bias else None

    def __getattr__(self, name: str) -> Any:
        raise missing("a Linear", name, _OF_LINEAR.get(name), self)

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_unknown(self, Linear, name)
        super().__setattr__(name, value)

    @property
    def weight(self) -> Floats:
        """The weights, (out_features, in_features)."""
        return self._weight

    @weight.setter
    def weight(self, value: ArrayLike) -> None:
        self._weight = _owned("weight", value, self._weight.shape)

    @property
    def bias(self) -> Floats | None:
        """What is added to the weighted sums, (out_features,), or None."""
        return self._bias

    @bias.setter
    def bias(self, value: ArrayLike | None) -> None:
        self._bias = None if value is None else _owned("bias", value, self._weight.shape[:1])

    def __repr__(self) -> str:
        n, m = self.weight.shape
        return f"Linear({m}, {n}{'' if self.bias is not None else ', bias=False'})"

    def __call__(self, x: ArrayLike) -> Floats:
        """Apply the layer to x (..., in_features): float64 if x is, else float32."""
        x = _features(x, self.weight.shape[1])
        weight = self.weight.astype(x.dtype, copy=False)
        y: Floats = _rows(x) @ weight.T
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], len(weight))

    def backward(self, x: ArrayLike, grad: ArrayLike, *, wrt_x: bool = True) -> dict[str, Floats]:
        """Return the gradients of a loss, given that of y.

        Parameters
        ----------
        x : array_like, shape (..., in_features)
            What the layer was called with.
        grad : array_like, shape (..., out_features)
            The gradient of the loss with respect to what it returned.
        wrt_x : bool, default True
            Whether that with respect to x is wanted.

        Returns
        -------
        dict of ndarray
            Under the keys ``"weight"``, ``"bias"`` (if there is one) and ``"x"``.
        """
        n, m = self.weight.shape
        x, grad = _features(x, m), _features(grad, n, "grad")
        if grad.shape[:-1] != x.shape[:-1]:
            raise ValueError(f"grad of shape {grad.shape}; expected {(*x.shape[:-1], n)}")
        rows = _rows(grad)
        grads: dict[str, Floats] = {"weight": rows.T @ _rows(x).astype(grad.dtype, copy=False)}
        if self.bias is not None:
            grads["bias"] = rows.sum(axis=0)
        if wrt_x:
            weight = self.weight.astype(grad.dtype, copy=False)
            grads["x"] = (rows @ weight).reshape(*grad.shape[:-1], m)
        return grads


def _refuse_unknown(layer: Any, cls: type, name: str) -> None:
    """Refuse to set what has no effect; subclasses may have attributes of their own."""
    if type(layer) is cls and not name.startswith("_") and not hasattr(cls, name):
        raise missing(f"a {cls.__name__}", name, "it can't be set", layer)


def _owned(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Copy an array of real numbers of that shape as floats."""
    array = real_numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    return array.astype(np.float64 if is_double(array) else np.float32)


def _features(x: ArrayLike, size: int, name: str = "x") -> Floats:
    array = real_numbers(name, x)
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"{name} of shape {array.shape}; expected {size} on its last axis")
    return array.astype(np.float64 if is_double(array) else np.float32, copy=False)


def _rows(array: Floats) -> Floats:
    """Return it as a matrix: steps and samples make one long axis."""
    return array.reshape(-1, array.shape[-1])


class _Pass(NamedTuple):
    """What a run keeps of a layer for the backward pass: time is first."""

    layer: Any  # with the weights it had
    x: Any  # of a linear layer
    shape: tuple[int, ...]  # of what it gave to the next one
    constant: bool  # that has no time axis


class Recordings:
    """The recordings of a network's run: of its neurons, by name or place.

    ``recs["lif1"]`` is that of a layer, ``recs[-1]`` that of the last neurons, ``recs.state``
    the final states of all, for ``run(..., states=)``.
    """

    def __init__(
        self, layers: dict[str, Recording], tape: dict[str, _Pass], time_axis: int
    ) -> None:
        self._layers = layers
        self._tape = tape  # of each layer, for the backward pass
        self._time_axis = time_axis

    def __getitem__(self, key: str | int) -> Recording:
        if isinstance(key, str):
            if key in self._layers:
                return self._layers[key]
            available = ", ".join(map(repr, self._layers))
            raise KeyError(f"no neuron layer {key!r}; available: {available}")
        return list(self._layers.values())[key]

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._layers.values())

    def __repr__(self) -> str:
        return f"Recordings({', '.join(f'{k}={rec!r}' for k, rec in self._layers.items())})"

    @property
    def state(self) -> dict[str, Any]:
        """The final states of each layer of neurons."""
        return {name: rec.state for name, rec in self._layers.items()}


class Sequential:
    """Layers one after the other: linear ones and spiking neurons; the last must be a neuron.

    Parameters
    ----------
    *layers, **named_layers : Linear or neuron
        In order; those given by position are named "0", "1", ... as in PyTorch. One layer may be
        in several places: its parameters are shared, and its gradient is the sum of theirs,
        under the key of the first.

    Raises
    ------
    TypeError
        If a layer is something else.
    ValueError
        If there is none, the last is not a spiking neuron, or neurons that hold their states
        (``init_hidden=True``) are in two places.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> from snnc import nn
    >>> net = nn.Sequential(fc1=nn.Linear(64, 30, rng=1), lif1=snnc.Leaky(0.9),
    ...                     fc2=nn.Linear(30, 10, rng=2), lif2=snnc.Leaky(0.9))
    >>> x = np.random.default_rng(0).random((128, 64), np.float32)  # 128 images
    >>> recs = net.run(x, num_steps=25, grad=True)
    >>> recs[-1].spk.shape
    (25, 128, 10)
    >>> loss, grad = snnc.functional.ce_rate_loss()(recs["lif2"].mem, np.arange(128) % 10)
    >>> grads = net.backward(recs, mem=grad)
    >>> list(grads)
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """

    def __init__(self, *layers: Layer, **named_layers: Layer) -> None:
        self.layers: dict[str, Layer] = {str(i): layer for i, layer in enumerate(layers)}
        if twice := self.layers.keys() & named_layers.keys():
            raise ValueError(f"layers: {', '.join(twice)} is given by position and by name")
        self.layers |= named_layers
        for name, layer in self.layers.items():
            if not isinstance(layer, (Linear, SpikingNeuron)):
                raise TypeError(f"layer {name!r} is {layer!r}; expected a Linear or a neuron")
        if not self.layers or not isinstance(layer, SpikingNeuron):
            raise ValueError("the last layer must be a spiking neuron")
        self._check_places()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Say what to write instead."""
        raise TypeError(
            "a Sequential isn't called: net.run(x, num_steps=...) runs a whole sequence through it"
        )

    def __getattr__(self, name: str) -> Any:
        instead = _OF_MODULES.get(name)
        if name in self.__dict__.get("layers", ()):
            instead = f"write net[{name!r}]"
        raise missing("a Sequential", name, instead, self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("layers", ()):
            raise missing("a Sequential", name, f"write net.layers[{name!r}] = ...", self)
        if name != "layers":
            _refuse_unknown(self, Sequential, name)
        super().__setattr__(name, value)

    def __getitem__(self, key: str | int) -> Layer:
        return self.layers[key] if isinstance(key, str) else list(self.layers.values())[key]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    def __repr__(self) -> str:
        named = ", ".join(
            f"{layer!r}" if name.isdecimal() else f"{name}={layer!r}"
            for name, layer in self.layers.items()
        )
        return f"Sequential({named})"

    def _neurons(self) -> dict[str, SpikingNeuron]:
        return {n: layer for n, layer in self.layers.items() if isinstance(layer, SpikingNeuron)}

    def _first_places(self) -> dict[str, str]:
        """Name, for each place, the first one of its layer."""
        first: dict[int, str] = {}
        return {name: first.setdefault(id(layer), name) for name, layer in self.layers.items()}

    def _check_places(self) -> None:
        for name, first in self._first_places().items():
            layer = self.layers[name]
            if name != first and isinstance(layer, SpikingNeuron) and layer.init_hidden:
                raise ValueError(
                    f"layers {first!r} and {name!r} are the same neurons, which hold their states "
                    "(init_hidden=True): the second would go on from those of the first"
                )

    # ---- forward and back ----

    def run(
        self,
        x: ArrayLike,
        *,
        num_steps: int | None = None,
        time_axis: int | None = None,
        record: Mapping[str, Any] | str | Iterable[str] | None = None,
        grad: bool = False,
        states: Mapping[str, Any] | None = None,
        checkpoint: int = 16,
        num_threads: int | None = None,
    ) -> Recordings:
        """Run a sequence through all layers.

        Parameters
        ----------
        x : array_like, shape (T, ..., features), or (..., features) with `num_steps`
            The input, time first.
        num_steps : int, optional
            If given, `x` has no time axis: it is a constant input for that many steps, which the
            first linear layer multiplies once, not at each step.
        time_axis : int, optional
            Where time is in `x`, in recordings and in what `backward` is given; by default 0.
            Where `x` could as well be the samples of one step (2-d, before a `Linear`), this or
            `num_steps` must be given.
        record : str, iterable of str or dict, optional
            What the last layer records, as a neuron's ``run``; or a dict of that by the names of
            layers. By default the last one records spikes and states, the others nothing.
        grad : bool, default False
            Whether to keep what `backward` needs.
        states : dict, optional
            States to start from, by the names of layers; by default at rest. Neurons that hold
            their states go on from those.
        checkpoint, num_threads
            As for a neuron's ``run``.

        Returns
        -------
        Recordings

        Raises
        ------
        TypeError, ValueError
            As a neuron's ``run``, with the name of the layer; a ValueError too where `x` may or
            may not have a time axis.
        """
        self._check_places()
        axis = 0 if time_axis is None else index("time_axis", time_axis)
        if isinstance(self[0], Linear):
            x = real_numbers("x", x)
            if num_steps is None:
                _check_time(x, time_axis)
        neurons = self._neurons()
        last = list(neurons)[-1]
        wanted = _by_layer(record, last)
        states = {} if states is None else dict(states)
        for argument, names in (("record", wanted), ("states", states)):
            if unknown := names.keys() - neurons.keys():
                raise ValueError(
                    f"{argument}: no neuron layer {', '.join(map(repr, unknown))}; available: "
                    f"{', '.join(map(repr, neurons))}"
                )
        held_before = {name: neuron._held for name, neuron in neurons.items()}
        layers: dict[str, Recording] = {}
        tape: dict[str, _Pass] = {}
        current: Any = x
        name = ""
        try:
            for name, layer in self.layers.items():
                kept = None
                if isinstance(layer, Linear):
                    kept = current if num_steps is not None else np.moveaxis(current, axis, 0)
                    current = layer(kept)
                    if num_steps is None:
                        current = np.moveaxis(current, 0, axis)
                else:
                    own = _recorded(wanted[name], layer) if name in wanted else ()
                    rec = layers[name] = layer.run(
                        current,
                        *_as_states(states.get(name)),
                        num_steps=num_steps,
                        time_axis=axis,
                        record=own if name == last or "spk" in own else ("spk", *own),
                        grad=grad,
                        checkpoint=checkpoint,
                        num_threads=num_threads,
                    )
                    if name == last:
                        break
                    current, num_steps = rec.spk, None
                    if "spk" not in own:
                        del rec._arrays["spk"]
                if grad:
                    constant = num_steps is not None
                    shape = np.shape(current if constant else np.moveaxis(current, axis, 0))
                    tape[name] = _Pass(copy.copy(layer), kept, shape, constant)
            return Recordings(layers, tape, axis)
        except BaseException as error:
            for key, neuron in neurons.items():
                neuron._held = held_before[key]
            if isinstance(error, (TypeError, ValueError)):
                raise in_layer(name, error) from None
            raise

    def backward(
        self,
        recs: Recordings,
        spk: ArrayLike | Mapping[str, ArrayLike] | None = None,
        *,
        num_threads: int | None = None,
        **states: ArrayLike | Mapping[str, ArrayLike] | None,
    ) -> dict[str, Floats]:
        """Backpropagate through a run: gradients of all that training changes.

        Parameters
        ----------
        recs : Recordings
            Of ``run(..., grad=True)``.
        spk, **states : array_like or dict of array_like, optional
            The upstream gradient of the last layer's spikes and states, as for a neuron's
            ``backward``; or a dict of that by the names of layers.
        num_threads : int, optional
            As for a neuron's ``run``.

        Returns
        -------
        dict of ndarray
            With those keys of `state_dict` that training changes: weights, biases, and
            parameters of neurons with ``learn_...=True``. A layer that is in several places has
            the key of the first.

        Raises
        ------
        TypeError, ValueError
            If `recs` isn't of a run with ``grad=True`` of these layers, a keyword is neither
            that of a state nor one of the above, or as a neuron's ``backward``.
        """
        if not isinstance(recs, Recordings):
            raise TypeError(f"recs={recs!r}; expected what run returned")
        neurons = self._neurons()
        if list(recs._layers) != list(neurons):
            raise ValueError(
                f"recs is of {', '.join(recs._layers)}; expected layers {', '.join(neurons)}"
            )
        last = list(neurons)[-1]
        known = {state for neuron in neurons.values() for state in neuron.states}
        for name in states:
            if name not in known:
                raise TypeError(
                    f"backward got an unexpected keyword argument {name!r}; expected spk, "
                    f"num_threads, or a state of the layers ({', '.join(sorted(known))}). It "
                    "returns the gradients of all that training changes"
                )
        axis, first = recs._time_axis, self._first_places()
        given: dict[str, dict[str, Any]] = {name: {} for name in neurons}
        for name, value in (("spk", spk), *states.items()):
            for key, upstream in _by_layer(value, last).items():
                if key not in neurons:
                    raise ValueError(
                        f"{name}: no neuron layer {key!r}; available: "
                        f"{', '.join(map(repr, neurons))}"
                    )
                given[key][name] = upstream
        names = list(self.layers)
        trained = [k for k, name in enumerate(names) if self._trained(name, recs)]
        found: dict[str, Floats] = {}
        grad: Any = None  # of what the layer above read, time first
        for k in range(len(names) - 1, min(trained, default=len(names)) - 1, -1):
            name, wrt_x = names[k], k > trained[0]
            layer: Any = self.layers[name]
            if grad is not None:
                grad = _unbroadcast(grad, recs._tape[name])
            if isinstance(layer, Linear):
                kept = recs._tape[name]
                grads = kept.layer.backward(kept.x, grad, wrt_x=wrt_x)
            else:
                if grad is not None:
                    given[name]["spk"] = _add(name, grad, given[name].get("spk"), axis)
                wrt = (*self._trained(name, recs), *(("x",) if wrt_x else ()))
                try:
                    grads = layer.backward(
                        recs[name], **given[name], wrt=wrt, num_threads=num_threads
                    )._arrays
                except (TypeError, ValueError) as error:
                    raise in_layer(name, error) from None
                if wrt_x:
                    grads = {**grads, "x": np.moveaxis(grads["x"], axis, 0)}
            grad = grads.get("x")
            for key in self._trained(name, recs):
                full = f"{first[name]}.{key}"
                found[full] = found[full] + grads[key] if full in found else grads[key]
        return {key: np.asarray(found[key]) for key in self.state_dict() if key in found}

    def _trained(self, name: str, recs: Recordings) -> tuple[str, ...]:
        """Name those parameters of a layer, as it was in a run, that training changes."""
        layer = self.layers[name]
        if isinstance(layer, Linear):
            layer = recs._tape[name].layer if name in recs._tape else layer
            return ("weight",) if layer.bias is None else ("weight", "bias")
        return getattr(layer, "learned", ())

    # ---- parameters ----

    def state_dict(self) -> dict[str, Floats]:
        """Return copies of all parameters, under keys like ``"fc1.weight"``.

        ``np.savez(file, **net.state_dict())`` stores a network. A layer that is in several places
        has the keys of all.
        """
        return {
            f"{name}.{key}": np.array(value)
            for name, layer in self.layers.items()
            for key, value in _parameters(layer).items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set all parameters, or raise and change nothing.

        Parameters
        ----------
        state : mapping of str to array_like
            With the keys of `state_dict`: what it returned, an ``np.load`` of that, or the
            ``state_dict()`` of a PyTorch module whose layers have the same names (detached
            tensors on the CPU).

        Raises
        ------
        ValueError
            If keys are missing or unexpected (all are listed), shapes of weights differ, or
            the values for two places of one layer do.

        Notes
        -----
        snnTorch's ``reset_mechanism_val`` is set too; a ``graded_spikes_factor`` of 1 of a model
        that has none here is passed over. ``reset_delay`` and ``inhibition`` are not in a
        state_dict: see `snnc.from_snntorch`.
        """
        if not hasattr(state, "items"):
            raise TypeError(f"state={state!r}; expected a dict, as state_dict() returns it")
        given = {key: real_numbers(key, value) for key, value in state.items()}
        own = _keys(self.layers)
        resets: dict[str, str] = {}
        for key in [key for key in given if key not in own]:
            layer, name = _split_key(key, self.layers)
            if not isinstance(self.layers.get(layer), (TorchNeuron, RecurrentTorch)):
                continue
            if name == "reset_mechanism_val":
                value = given.pop(key)
                if value.ndim or value not in (0, 1, 2):
                    raise ValueError(f"{key}={value!r}; expected 0, 1 or 2")
                resets[layer] = ("subtract", "zero", "none")[int(value)]
            elif name == "graded_spikes_factor" and np.all(given[key] == 1):
                del given[key]
            elif name == "recurrent.V" and np.array_equal(given[key], given.get(f"{layer}.V", ())):
                del given[key]  # snnTorch's is there twice
        missing, unexpected = own.keys() - given.keys(), given.keys() - own.keys()
        if missing or unexpected:
            raise ValueError(
                f"missing keys: {', '.join(sorted(missing)) or 'none'}; unexpected keys: "
                f"{', '.join(sorted(unexpected)) or 'none'}"
            )
        places = self._first_places()
        for key, value in given.items():
            name, parameter = own[key]
            at = self.layers[name]
            shape = _parameters(at)[parameter].shape
            if (
                parameter.rpartition(".")[2].startswith(("weight", "bias"))
                and value.shape != shape
            ):
                raise ValueError(f"{key} has shape {value.shape}; expected {shape}")
            same = f"{places[name]}.{parameter}"
            if not np.array_equal(value, given[same], equal_nan=True):
                raise ValueError(f"{same} and {key} are of one layer, but their values differ")
        for name in [name for name in resets if resets[name] != resets.get(places[name])]:
            raise ValueError(f"{places[name]} and {name} are one layer, but their resets differ")
        new = {
            name: {key: given[f"{name}.{key}"] for key in _parameters(self.layers[name])}
            for name in dict.fromkeys(places.values())
        }
        _set_all(self.layers, new, resets)


def _unbroadcast(grad: Floats, kept: _Pass) -> Floats:
    """Sum the gradient of what the layer above read to the shape of what this one gave."""
    if kept.constant:  # the same at every step
        return sum_to(grad.sum(axis=0), kept.shape).astype(grad.dtype, copy=False)
    steps, *own = kept.shape
    new = (1,) * (grad.ndim - len(kept.shape))  # axes that came after time
    return sum_to(grad, (steps, *new, *own)).reshape(kept.shape)


def _add(name: str, grad: Floats, spikes: ArrayLike | None, axis: int) -> Floats:
    """Add the upstream gradient of a layer's spikes, at each step or at the last, to `grad`.

    That has time first; what is returned, on `axis`.
    """
    total = np.moveaxis(grad, 0, axis)
    if spikes is None:
        return total
    given = real_numbers(f"layer {name!r}: spk", spikes)
    total = total.copy()
    if given.shape == total.shape:
        total += given
    elif given.shape == grad.shape[1:]:
        np.moveaxis(total, axis, 0)[-1:] += given
    else:
        raise ValueError(
            f"layer {name!r}: spk of shape {given.shape}; expected {total.shape}, or "
            f"{grad.shape[1:]} for the last step only"
        )
    return total


def _check_time(x: Floats, time_axis: Any) -> None:
    """Refuse an input of a linear layer of which it isn't known whether it has a time axis."""
    if x.ndim < 2:
        raise ValueError(
            f"x has shape {x.shape}; expected (T, ..., features), or num_steps= to take x as a "
            "constant input"
        )
    if x.ndim == 2 and time_axis is None:
        n, size = x.shape
        raise ValueError(
            f"x of shape {x.shape} may be {n} steps or {n} samples of {size} features: pass "
            "time_axis=0 if its rows are steps, or num_steps= if they are samples of a constant "
            "input"
        )
    if not -x.ndim <= (time_axis or 0) < x.ndim:
        raise ValueError(
            f"time_axis={time_axis} is out of bounds for an array of {x.ndim} dimensions"
        )


def _by_layer(value: Any, last: str) -> dict[str, Any]:
    """Return what is given by the names of layers, or for the last one."""
    return dict(value) if hasattr(value, "keys") else {last: value}


def _recorded(record: Any, layer: SpikingNeuron) -> tuple[str, ...]:
    if record is None:
        return layer._default[0]
    return (record,) if isinstance(record, str) else tuple(record)


def _as_states(states: Any) -> tuple[Any, ...]:
    if states is None:
        return ()
    each = states if isinstance(states, (tuple, list)) else (states,)
    return tuple(float(s) if type(s) in (int, bool) else s for s in each)  # not a slip, by name


def _parameters(layer: Any) -> Mapping[str, Floats]:
    if isinstance(layer, Linear):
        both = {"weight": layer.weight, "bias": layer.bias}
        return {name: value for name, value in both.items() if value is not None}
    parameters: Mapping[str, Floats] = layer._parameters
    return parameters


def _keys(layers: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the keys of all parameters, with the layer and the parameter of each."""
    return {
        f"{name}.{parameter}": (name, parameter)
        for name, layer in layers.items()
        for parameter in _parameters(layer)
    }


def _split_key(key: str, layers: Mapping[str, Any]) -> tuple[str, str]:
    """Split a key that may be of no parameter."""
    found = [name for name in layers if key.startswith(f"{name}.")]
    name = max(found, key=len, default="")
    return name, key[len(name) + 1 :]


def _changed(layer: Any, values: Mapping[str, Floats], reset: str | None) -> Any:
    """Return a copy of a layer that has these parameters, some or all."""
    layer = copy.copy(layer)
    if isinstance(layer, Linear):
        for name, value in values.items():
            setattr(layer, name, value.astype(getattr(layer, name).dtype))
    else:
        options = {} if reset is None else {"reset_mechanism": reset}
        layer._configure(layer._independent(values), options)
    return layer


def _set_all(
    layers: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Floats]],
    resets: Mapping[str, str] | None = None,
) -> None:
    """Give layers parameters that fit, or change none: neurons may refuse some."""
    resets = {} if resets is None else resets
    changed = {}
    for name, own in values.items():
        try:
            changed[name] = _changed(layers[name], own, resets.get(name))
        except (TypeError, ValueError) as error:
            raise in_layer(name, error) from None
    for name, layer in changed.items():
        if isinstance(layer, Linear):
            layers[name].__dict__.update(layer.__dict__)
        else:
            layers[name]._take(layer)


def batches(
    x: ArrayLike,
    y: ArrayLike,
    batch_size: int,
    *,
    rng: np.random.Generator | int | None = None,
) -> Iterator[tuple[Floats, Floats]]:
    """Yield samples and their targets, some at a time.

    Parameters
    ----------
    x, y : array_like, shape (N, ...)
        Samples, and a target for each.
    batch_size : int
        How many at a time; the last batch may be smaller.
    rng : numpy.random.Generator or int, optional
        Shuffles them; None leaves them in order.

    Yields
    ------
    x, y : ndarray, shape (batch_size, ...)

    Raises
    ------
    TypeError, ValueError
        If `x` and `y` are not equally long, or `batch_size` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> [y.tolist() for x, y in snnc.nn.batches(np.zeros((5, 2)), np.arange(5), 2, rng=1)]
    [[4, 0], [1, 2], [3]]
    """
    x, y = real_numbers("x", x), real_numbers("y", y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(
            f"x has shape {x.shape} and y {y.shape}; expected as many targets as samples"
        )
    size = at_least_one("batch_size", batch_size)
    order = np.arange(len(x))
    if rng is not None:
        np.random.default_rng(rng).shuffle(order)
    return ((x[chosen], y[chosen]) for chosen in _cut(order, size))


def _cut(order: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    return (order[i : i + size] for i in range(0, len(order), size))
