"""Networks: linear layers and neurons in a row, run and trained over whole sequences.

No more than training takes: `snnc.functional` has losses, `snnc.optim` optimizers.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc._arguments import real_numbers
from snnc._backward import _sum_to
from snnc.neurons import SpikingNeuron, TorchNeuron, _check_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from snnc.recording import Recording

    Floats = NDArray[Any]

__all__ = ["Linear", "Sequential", "batches"]


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

    Raises
    ------
    TypeError, ValueError
        If a size is not an integer of at least 1.

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

    weight: Floats
    bias: Floats | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            _check_count(name, size)
        rng = np.random.default_rng(rng)
        bound = 1 / math.sqrt(in_features)
        self.weight = rng.uniform(-bound, bound, (out_features, in_features)).astype(np.float32)
        self.bias = rng.uniform(-bound, bound, out_features).astype(np.float32) if bias else None

    def __repr__(self) -> str:
        n, m = self.weight.shape
        return f"Linear({m}, {n}{'' if self.bias is not None else ', bias=False'})"

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the sums of x (..., in_features): float64 if x is, else float32."""
        x = _features(x, self.weight.shape[1])
        weight = self.weight.astype(x.dtype, copy=False)
        y: Floats = _rows(x) @ weight.T
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], len(weight))

    def backward(self, x: ArrayLike, grad: Floats, *, wrt_x: bool = True) -> dict[str, Floats]:
        """Return the gradients of a loss, given that of y.

        Parameters
        ----------
        x : array_like, shape (..., in_features)
            What the layer was called with.
        grad : ndarray, shape (..., out_features)
            The gradient of the loss with respect to what it returned.
        wrt_x : bool, default True
            Whether that with respect to x is wanted.

        Returns
        -------
        dict of ndarray
            Under the keys ``"weight"``, ``"bias"`` (if there is one) and ``"x"``.
        """
        x = _features(x, self.weight.shape[1])
        rows = _rows(grad)
        grads: dict[str, Floats] = {"weight": rows.T @ _rows(x).astype(grad.dtype, copy=False)}
        if self.bias is not None:
            grads["bias"] = rows.sum(axis=0)
        if wrt_x:
            weight = self.weight.astype(grad.dtype, copy=False)
            grads["x"] = (rows @ weight).reshape(*grad.shape[:-1], weight.shape[1])
        return grads


def _features(x: ArrayLike, size: int) -> Floats:
    array = real_numbers("x", x)
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"x of shape {array.shape}; expected {size} on its last axis")
    return array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False)


def _rows(array: Floats) -> Floats:
    """Return it as a matrix: steps and samples make one long axis."""
    return array.reshape(-1, array.shape[-1])


class _Pass(NamedTuple):
    """What a run keeps of a layer for the way back."""

    layer: Any  # with the weights it had
    x: Any
    shape: tuple[int, ...]  # of what it gave to the next one
    held: bool  # that has no time axis


class Recordings:
    """The recordings of a network's run: of its neurons, by name or place.

    ``recs["lif1"]`` is that of a layer, ``recs[-1]`` that of the last neurons, ``recs.state``
    the final states of all, for ``run(..., states=)``.
    """

    def __init__(self, layers: dict[str, Recording], tape: dict[str, _Pass]) -> None:
        self._layers = layers
        self._tape = tape  # of each layer, for the way back

    def __getitem__(self, key: str | int) -> Recording:
        if isinstance(key, str):
            if key in self._layers:
                return self._layers[key]
            raise KeyError(f"{key!r} is none of {', '.join(self._layers)}")
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
    """Layers one after the other: linear ones and neurons, of which the last ones are neurons.

    Parameters
    ----------
    *layers, **named_layers : Linear or neuron
        In order; those given by position are named "0", "1", ... as in PyTorch.

    Raises
    ------
    TypeError
        If a layer is something else.
    ValueError
        If there is none, or the last is not one of neurons.

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

    def __init__(self, *layers: Any, **named_layers: Any) -> None:
        self.layers: dict[str, Any] = dict(zip(map(str, range(len(layers))), layers, strict=True))
        if twice := self.layers.keys() & named_layers.keys():
            raise ValueError(f"layers: {', '.join(twice)} is given by position and by name")
        self.layers |= named_layers
        for name, layer in self.layers.items():
            if not isinstance(layer, (Linear, SpikingNeuron)):
                raise TypeError(f"layer {name!r} is {layer!r}; expected a Linear or a neuron")
        if not self.layers or not isinstance(layer, SpikingNeuron):
            raise ValueError("expected layers of which the last is one of neurons")

    def __getitem__(self, key: str | int) -> Any:
        return self.layers[key] if isinstance(key, str) else list(self.layers.values())[key]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers.values())

    def __repr__(self) -> str:
        named = ", ".join(
            f"{layer!r}" if name.isdecimal() else f"{name}={layer!r}"
            for name, layer in self.layers.items()
        )
        return f"Sequential({named})"

    def _neurons(self) -> dict[str, SpikingNeuron]:
        return {n: layer for n, layer in self.layers.items() if isinstance(layer, SpikingNeuron)}

    # ---- forward and back ----

    def run(
        self,
        x: ArrayLike,
        num_steps: int | None = None,
        record: Mapping[str, Any] | str | Iterable[str] | None = None,
        grad: bool = False,
        *,
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
            If given, `x` has no time axis and is held for that many steps: a linear layer that it
            meets multiplies it once, not at each step.
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
        """
        neurons = self._neurons()
        last = list(neurons)[-1]
        wanted = _by_layer(record, last)
        states = {} if states is None else dict(states)
        for argument, names in (("record", wanted), ("states", states)):
            if unknown := names.keys() - neurons.keys():
                raise ValueError(
                    f"{argument}: {', '.join(map(repr, unknown))} is none of the layers of "
                    f"neurons, {', '.join(neurons)}"
                )
        held_before = {name: neuron._held for name, neuron in neurons.items()}
        layers: dict[str, Recording] = {}
        tape: dict[str, _Pass] = {}
        current: Any = x
        name = ""
        try:
            for name, layer in self.layers.items():
                below = current
                if isinstance(layer, Linear):
                    current = layer(below)
                else:
                    own = _recorded(wanted[name], layer) if name in wanted else ()
                    rec = layers[name] = layer.run(
                        below,
                        *_as_states(states.get(name)),
                        num_steps=num_steps,
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
                    shape = np.shape(current)
                    tape[name] = _Pass(copy.copy(layer), below, shape, num_steps is not None)
        except BaseException as error:
            for key, neuron in neurons.items():
                neuron._held = held_before[key]
            if isinstance(error, (TypeError, ValueError)):
                raise type(error)(f"layer {name!r}: {error}") from None
            raise
        return Recordings(layers, tape)

    def backward(
        self,
        recs: Recordings,
        spk: ArrayLike | Mapping[str, ArrayLike] | None = None,
        **states: ArrayLike | Mapping[str, ArrayLike] | None,
    ) -> dict[str, Floats]:
        """Backpropagate through a run: gradients of all that training changes.

        Parameters
        ----------
        recs : Recordings
            Of ``run(..., grad=True)``.
        spk, **states : array_like or dict of array_like, optional
            What the loss says of the last layer's spikes and states, as for a neuron's
            ``backward``; or a dict of that by the names of layers.

        Returns
        -------
        dict of ndarray
            With those keys of `state_dict` that training changes: weights, biases, and
            parameters of neurons with ``learn_...=True``.
        """
        if not isinstance(recs, Recordings):
            raise TypeError(f"recs={recs!r}; expected what run returned")
        neurons = self._neurons()
        if list(recs._layers) != list(neurons):
            raise ValueError(
                f"recs is of {', '.join(recs._layers)}; expected layers {', '.join(neurons)}"
            )
        last = list(neurons)[-1]
        given: dict[str, dict[str, Any]] = {name: {} for name in neurons}
        for name, value in (("spk", spk), *states.items()):
            for layer, cotangent in _by_layer(value, last).items():
                if layer not in neurons:
                    raise ValueError(f"{name}: {layer!r} is none of {', '.join(neurons)}")
                given[layer][name] = cotangent
        names = list(self.layers)
        trained = [k for k, name in enumerate(names) if self._trained(name)]
        found: dict[str, Floats] = {}
        grad: Any = None  # of what the layer above read
        for k in range(len(names) - 1, min(trained, default=len(names)) - 1, -1):
            name, layer, wrt_x = names[k], self.layers[names[k]], k > trained[0]
            if grad is not None:
                grad = _unbroadcast(grad, recs._tape[name])
            if isinstance(layer, Linear):
                kept = recs._tape[name]
                grads = kept.layer.backward(kept.x, grad, wrt_x=wrt_x)
            else:
                if grad is not None:
                    given[name]["spk"] = _add(name, grad, given[name].get("spk"))
                wrt = (*self._trained(name), *(("x",) if wrt_x else ()))
                try:
                    grads = layer.backward(recs[name], **given[name], wrt=wrt)._arrays
                except (TypeError, ValueError) as error:
                    raise type(error)(f"layer {name!r}: {error}") from None
            grad = grads.get("x")
            found |= {f"{name}.{key}": grads[key] for key in self._trained(name)}
        return {key: np.asarray(found[key]) for key in self.state_dict() if key in found}

    def _trained(self, name: str) -> tuple[str, ...]:
        """Name those parameters of a layer that training changes."""
        layer = self.layers[name]
        if isinstance(layer, Linear):
            return ("weight",) if layer.bias is None else ("weight", "bias")
        return layer.learned if isinstance(layer, TorchNeuron) else ()

    # ---- parameters ----

    def state_dict(self) -> dict[str, Floats]:
        """Return copies of all parameters, under keys like ``"fc1.weight"``.

        ``np.savez(file, **net.state_dict())`` stores a network.
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
            If keys are missing or unexpected (all are listed), or shapes of weights differ.

        Notes
        -----
        snnTorch's ``reset_mechanism_val`` is set too; a ``graded_spikes_factor`` of 1 of a model
        that has none here is passed over. ``reset_delay`` and ``inhibition`` are not in a
        state_dict: see `snnc.from_snntorch`.
        """
        given = {key: real_numbers(key, value) for key, value in state.items()}
        own = {key: value.shape for key, value in self.state_dict().items()}
        resets: dict[str, str] = {}
        for key in [key for key in given if key not in own]:
            layer, _, name = key.rpartition(".")
            if not isinstance(self.layers.get(layer), TorchNeuron):
                continue
            if name == "reset_mechanism_val":
                value = given.pop(key)
                if value.ndim or value not in (0, 1, 2):
                    raise ValueError(f"{key}={value!r}; expected 0, 1 or 2")
                resets[layer] = ("subtract", "zero", "none")[int(value)]
            elif name == "graded_spikes_factor" and np.all(given[key] == 1):
                del given[key]
        missing, unexpected = own.keys() - given.keys(), given.keys() - own.keys()
        if missing or unexpected:
            raise ValueError(
                f"missing keys: {', '.join(sorted(missing)) or 'none'}; unexpected keys: "
                f"{', '.join(sorted(unexpected)) or 'none'}"
            )
        for key, value in given.items():
            if isinstance(self.layers[key.rpartition(".")[0]], Linear) and value.shape != own[key]:
                raise ValueError(f"{key} has shape {value.shape}; expected {own[key]}")
        new = {
            name: {key: given[f"{name}.{key}"] for key in _parameters(layer)}
            for name, layer in self.layers.items()
        }
        _set_all(self.layers, new, resets)


def _unbroadcast(grad: Floats, kept: _Pass) -> Floats:
    """Sum the gradient of what the layer above read to the shape of what this one gave."""
    if kept.held:  # the same at every step
        return _sum_to(grad.sum(axis=0), kept.shape).astype(grad.dtype, copy=False)
    steps, *own = kept.shape
    new = (1,) * (grad.ndim - len(kept.shape))  # axes that came after time
    return _sum_to(grad, (steps, *new, *own)).reshape(kept.shape)


def _add(name: str, grad: Floats, spikes: ArrayLike | None) -> Floats:
    """Add what the loss itself says of a layer's spikes, at each step or at the last."""
    if spikes is None:
        return grad
    spikes = np.asarray(spikes)
    grad = grad.copy()
    if spikes.shape == grad.shape:
        grad += spikes
    elif spikes.shape == grad.shape[1:]:
        grad[-1:] += spikes
    else:
        raise ValueError(
            f"layer {name!r}: spk of shape {spikes.shape}; expected {grad.shape}, or "
            f"{grad.shape[1:]} for the last step only"
        )
    return grad


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
    return tuple(states) if isinstance(states, (tuple, list)) else (states,)


def _parameters(layer: Any) -> dict[str, Floats]:
    if isinstance(layer, Linear):
        both = {"weight": layer.weight, "bias": layer.bias}
        return {name: value for name, value in both.items() if value is not None}
    parameters: dict[str, Floats] = layer._parameters
    return parameters


def _set(layer: Any, values: Mapping[str, Floats], reset: str | None = None) -> None:
    """Give a layer parameters, some or all, at once; arrays of its own, not the old ones."""
    if isinstance(layer, Linear):
        for name, value in values.items():
            setattr(layer, name, np.array(value, getattr(layer, name).dtype))
    else:
        options = {} if reset is None else {"reset_mechanism": reset}
        layer._configure(layer._independent(values), options)


def _set_all(
    layers: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Floats]],
    resets: Mapping[str, str] | None = None,
) -> None:
    """Give layers parameters that fit, or change none: neurons may refuse some."""
    resets = {} if resets is None else resets
    for name, own in values.items():
        if not isinstance(layers[name], Linear):
            _set(copy.copy(layers[name]), own, resets.get(name))
    for name, own in values.items():
        _set(layers[name], own, resets.get(name))


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
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(f"x of shape {x.shape} and y of {y.shape}; expected as many targets")
    _check_count("batch_size", batch_size)
    order = np.arange(len(x))
    if rng is not None:
        np.random.default_rng(rng).shuffle(order)
    return ((x[chosen], y[chosen]) for chosen in _cut(order, batch_size))


def _cut(order: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    return (order[i : i + size] for i in range(0, len(order), size))
