"""Layers and neurons in a row, run and trained over whole sequences."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from snnc._arguments import in_layer, index, is_double, missing, real_numbers
from snnc._backward import names_in, sum_to
from snnc.neurons.base import SpikingNeuron
from snnc.neurons.recurrent_torch import RecurrentTorch
from snnc.neurons.torch_neuron import TorchNeuron
from snnc.nn.layers import Layer, Step, floats, refuse_unknown
from snnc.recording import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Self, TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from snnc.recording import Recording

    Floats = NDArray[Any]
    Leaf: TypeAlias = "Layer | SpikingNeuron"

__all__ = ["Sequential"]

_PIECE = 1 << 22  # bytes of a layer's input at a time, where a run is cut

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
    **dict.fromkeys(("append", "add_module"), "write net = nn.Sequential(*net, layer)"),
    "reset": "write snnc.utils.reset(net); a run starts at rest",
}


class _Pass(NamedTuple):
    """What a run keeps of a layer for the backward pass: time is first."""

    layer: Any  # with the weights it had
    saved: Any  # by a layer without neurons
    shape: tuple[int, ...]  # of what it gave to the next one
    constant: bool  # that has no time axis


class Keys(NamedTuple):
    """The keys of a state_dict that were not there, and those that are of nothing here."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Recordings:
    """The recordings of a network's run: of its neurons, by name or place.

    ``recs["lif1"]`` is that of a layer, ``recs[-1]`` that of the last neurons, ``recs.state``
    the final states of all, for ``run(..., states=)``. Where the last layer has no neurons,
    ``recs.y`` is what it gave, (T, ...).

    Examples
    --------
    >>> import numpy as np
    >>> import snnc
    >>> net = snnc.nn.Sequential(fc1=snnc.nn.Linear(3, 2, rng=0), lif1=snnc.Leaky(0.9))
    >>> recs = net.run(np.ones((4, 3)), num_steps=5)
    >>> recs["lif1"].spk.shape, list(recs.state)
    ((5, 4, 2), ['lif1'])
    """

    def __init__(
        self,
        layers: dict[str, Recording],
        tape: dict[str, _Pass],
        given: _Pass,
        time_axis: int,
        y: Floats | None,
    ) -> None:
        self._layers = layers
        self._tape = tape  # of each layer, for the backward pass
        self._given = given  # the network's input
        self._time_axis = time_axis
        self._y = y

    @property
    def y(self) -> Floats:
        """What the last layer gave, if it has no neurons."""
        if self._y is None:
            raise AttributeError("the last layer has neurons: recs[-1] is what they recorded")
        return self._y

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
    """Layers and spiking neurons one after the other.

    Parameters
    ----------
    *layers, **named_layers : layer of `snnc.nn`, neuron or Sequential
        In order; those given by position are named "0", "1", ... as in PyTorch, and those of a
        network in the network "block.fc1", ... One layer may be in several places: its parameters
        are shared, and its gradient is the sum of theirs, under the key of the first.

    Raises
    ------
    TypeError
        If a layer is something else.
    ValueError
        If there is none, or neurons that hold their states (``init_hidden=True``) are in two
        places.

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

    def __init__(self, *layers: Leaf | Sequential, **named_layers: Leaf | Sequential) -> None:
        self.layers: dict[str, Any] = {str(i): layer for i, layer in enumerate(layers)}
        if twice := self.layers.keys() & named_layers.keys():
            raise ValueError(f"layers: {', '.join(twice)} is given by position and by name")
        self.layers |= named_layers
        for name, layer in self.layers.items():
            if not isinstance(layer, (Layer, SpikingNeuron, Sequential)):
                raise TypeError(
                    f"layer {name!r} is {layer!r}; expected a layer of snnc.nn, a neuron or a "
                    "Sequential"
                )
        if not self.layers:
            raise ValueError("a Sequential has at least one layer")
        _check_places(self._leaves())

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
            refuse_unknown(self, Sequential, name)
        super().__setattr__(name, value)

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

    def train(self, mode: bool = True) -> Self:
        """Put all layers into training (or evaluation) mode, and return the network.

        Which matters to `Dropout` and `BatchNorm1d` and `BatchNorm2d`; new layers are in training
        mode, as PyTorch's.
        """
        for layer in self._leaves().values():
            if isinstance(layer, Layer):
                layer.train(mode)
        return self

    def eval(self) -> Self:
        """Put all layers into evaluation mode, and return the network."""
        return self.train(False)

    def _leaves(self) -> dict[str, Leaf]:
        """Name the layers, those of networks in the network too."""
        found: dict[str, Leaf] = {}
        for name, layer in self.layers.items():
            if isinstance(layer, Sequential):
                found |= {f"{name}.{key}": leaf for key, leaf in layer._leaves().items()}
            else:
                found[name] = layer
        return found

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
            If given, `x` has no time axis: it is a constant input for that many steps, and layers
            before the first neurons are computed once, not at each step (but `Dropout` in
            training, which drops others at each).
        time_axis : int, optional
            Where time is in `x`, in recordings and in what `backward` is given; by default 0.
            Where `x` could as well be the samples of one step (2-d before a `Linear`, 3-d before
            a `Conv1d`, 4-d before a `Conv2d`), this or `num_steps` must be given.
        record : str, iterable of str or dict, optional
            What the last layer records, as a neuron's ``run``; or a dict of that by the names of
            layers. By default the last one records spikes and states, the others nothing. What a
            last layer without neurons gives is there as ``recs.y``.
        grad : bool, default False
            Whether to keep what `backward` needs: `x` and the arrays of layers themselves, which
            must not be changed in place before then (assigning others is fine).
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
        axis = 0 if time_axis is None else index("time_axis", time_axis)
        leaves = self._leaves()
        _check_places(leaves)
        neurons = neurons_of(leaves)
        first, last = next(iter(leaves.values())), list(leaves)[-1]
        if isinstance(first, Layer):
            x = real_numbers("x", x)
            if num_steps is None:
                _check_time(x, time_axis, leaves.values())
            else:
                num_steps = index("num_steps", num_steps)
        wanted = _by_layer(record, last)
        if record is None and last in neurons:
            wanted = {last: None}
        for name, each in wanted.items():  # which may be iterators
            if name in neurons:
                wanted[name] = _recorded(each, neurons[name])
        states = {} if states is None else dict(states)
        for argument, names in (("record", wanted), ("states", states)):
            _check_names(argument, names, neurons)
        held_before = {name: neuron._held for name, neuron in neurons.items()}
        kept_before = {
            name: {f"_{key}": getattr(leaf, key) for key in leaf._kept}
            for name, leaf in leaves.items()
            if isinstance(leaf, Layer)
        }
        run = _Run(leaves, last, axis, wanted, grad, checkpoint, num_threads)
        try:
            return run.whole(x, num_steps, states)
        except BaseException as error:
            for key, neuron in neurons.items():
                neuron._held = held_before[key]
            for key, kept in kept_before.items():
                leaves[key].__dict__.update(kept)
            if isinstance(error, (TypeError, ValueError)):
                raise in_layer(run.at, error) from None
            raise

    def run_chunks(
        self,
        chunks: Iterable[ArrayLike],
        *,
        num_steps: int | None = None,
        time_axis: int = 0,
        record: Mapping[str, Any] | str | Iterable[str] | None = None,
        states: Mapping[str, Any] | None = None,
        num_threads: int | None = None,
    ) -> Iterator[Recordings]:
        """Run a sequence that comes in chunks: each goes on from the states of the one before.

        Parameters
        ----------
        chunks : iterable of array_like, each of shape (T, ...)
            The input: a list, a generator, slices of an ``np.memmap``. T may differ.
        num_steps, time_axis, record, states, num_threads
            As for `run`; the states are those before the first chunk.

        Yields
        ------
        Recordings
            One for each chunk, which is run when it is asked for.

        Raises
        ------
        TypeError, ValueError
            As `run`, with the first chunk that is refused.

        Examples
        --------
        >>> import numpy as np
        >>> import snnc
        >>> net = snnc.nn.Sequential(snnc.nn.Linear(3, 2, rng=0), snnc.Leaky(0.9))
        >>> x = np.ones((100, 4, 3), np.float32)
        >>> chunks = (x[t : t + 10] for t in range(0, 100, 10))
        >>> sum(recs[-1].spk.sum() for recs in net.run_chunks(chunks, record="spk")) > 0
        np.True_
        """
        if hasattr(record, "__next__"):  # which all chunks need
            record = tuple(record)  # type: ignore[arg-type]  # not None
        for chunk in chunks:
            recs = self.run(
                chunk,
                num_steps=num_steps,
                time_axis=time_axis,
                record=record,
                states=states,
                num_threads=num_threads,
            )
            states = _carried(recs._layers, self._leaves())
            yield recs

    def backward(
        self,
        recs: Recordings,
        spk: ArrayLike | Mapping[str, ArrayLike] | None = None,
        *,
        y: ArrayLike | None = None,
        wrt: str | Iterable[str] | None = None,
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
        y : array_like, shape of ``recs.y``, optional
            The upstream gradient of what a last layer without neurons gave.
        wrt : str or iterable of str, optional
            Of what to compute gradients: keys of `state_dict` that training changes, and ``"x"``,
            the network's input; by default all of the former.
        num_threads : int, optional
            As for a neuron's ``run``.

        Returns
        -------
        dict of ndarray
            With those keys of `state_dict` that training changes: weights, biases, and
            parameters of neurons with ``learn_...=True``. A layer that is in several places has
            the key of the first. With ``"x"``, if it was asked for.

        Raises
        ------
        TypeError, ValueError
            If `recs` isn't of a run with ``grad=True`` of these layers, a keyword is neither
            that of a state nor one of the above, or as a neuron's ``backward``.
        """
        if not isinstance(recs, Recordings):
            raise TypeError(f"recs={recs!r}; expected what run returned")
        leaves = self._leaves()
        neurons = neurons_of(leaves)
        if list(recs._layers) != list(neurons):
            raise ValueError(
                f"recs is of {', '.join(recs._layers)}; expected layers {', '.join(neurons)}"
            )
        names, axis, first = list(leaves), recs._time_axis, first_places(leaves)
        taped = names if isinstance(leaves[names[-1]], Layer) else names[:-1]
        if recs._tape and [*recs._tape] != taped:
            raise ValueError(f"recs is of {', '.join(recs._tape)}; expected {', '.join(taped)}")
        ends_with = leaves[names[-1]]
        if isinstance(ends_with, Layer) and names[-1] not in recs._tape:
            raise ValueError(
                "recs keeps nothing for a backward pass; expected that of run(..., grad=True)"
            )
        known = {state for neuron in neurons.values() for state in neuron.states}
        for name in states:
            if name not in known:
                raise TypeError(
                    f"backward got an unexpected keyword argument {name!r}; expected spk, y, wrt, "
                    f"num_threads, or a state of the layers ({', '.join(sorted(known))}). It "
                    "returns the gradients of all that training changes"
                )
        given: dict[str, dict[str, Any]] = {name: {} for name in neurons}
        for name, value in (("spk", spk), *states.items()):
            each = _by_layer(value, names[-1])
            _check_names(name, each, neurons)
            for key, upstream in each.items():
                given[key][name] = upstream
        wanted = {name: self._trained(name, recs) for name in names}
        keys = tuple(f"{first[name]}.{key}" for name in names for key in wanted[name])
        asked = keys if wrt is None else names_in(wrt, ("x", *keys))
        wanted = {
            n: tuple(k for k in own if f"{first[n]}.{k}" in asked) for n, own in wanted.items()
        }
        places = [k for k, name in enumerate(names) if wanted[name]]
        lowest = 0 if "x" in asked else min(places, default=len(names))

        found: dict[str, Floats] = {}
        grad: Any = None  # of what the layer above read, time first
        timed = True  # and if it was constant there, summed over time
        if isinstance(ends_with, Layer):
            grad = _upstream_of_y(y, recs)
        elif y is not None:
            raise ValueError(f"y: the last layer, {names[-1]!r}, has neurons: give spk or a state")
        for k in range(len(names) - 1, lowest - 1, -1):
            name, wrt_x = names[k], k > lowest or "x" in asked
            layer: Any = leaves[name]
            if grad is not None:
                grad = _unbroadcast(grad, timed, recs._tape[name])
            if isinstance(layer, Layer):
                kept = recs._tape[name]
                grads = kept.layer._backward(kept.saved, grad, wrt_x)
                timed = not kept.constant
            else:
                timed = True
                if grad is not None:
                    given[name]["spk"] = _add(name, grad, given[name].get("spk"), axis)
                own = (*wanted[name], *(("x",) if wrt_x else ()))
                try:
                    grads = layer.backward(
                        recs[name], **given[name], wrt=own, num_threads=num_threads
                    )._arrays
                except (TypeError, ValueError) as error:
                    raise in_layer(name, error) from None
                if wrt_x:
                    grads = {**grads, "x": _moved(grads["x"], axis, 0)}
            grad = grads.get("x")
            for key in wanted[name]:
                full = f"{first[name]}.{key}"
                found[full] = found[full] + grads[key] if full in found else grads[key]
        if "x" in asked:
            found["x"] = _unbroadcast(grad, timed, recs._given)
            if not recs._given.constant:
                found["x"] = _moved(found["x"], 0, axis)
        return {key: np.asarray(found[key]) for key in ("x", *self.state_dict()) if key in found}

    def _trained(self, name: str, recs: Recordings) -> tuple[str, ...]:
        """Name those parameters of a layer, as it was in a run, that training changes."""
        layer = self._leaves()[name]
        if isinstance(layer, Layer):
            return (recs._tape[name].layer if name in recs._tape else layer)._learned()
        return getattr(layer, "learned", ())

    # ---- parameters ----

    def state_dict(self) -> dict[str, Floats]:
        """Return copies of all parameters, under keys like ``"fc1.weight"``.

        ``np.savez(file, **net.state_dict())`` stores a network. A layer that is in several places
        has the keys of all.
        """
        return {
            f"{name}.{key}": np.array(value)
            for name, layer in self._leaves().items()
            for key, value in parameters_of(layer).items()
        }

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Keys:
        """Set all parameters, or raise and change nothing.

        Parameters
        ----------
        state : mapping of str to array_like
            With the keys of `state_dict`: what it returned, an ``np.load`` of that, or the
            ``state_dict()`` of a PyTorch module whose layers have the same names (detached
            tensors on the CPU).
        strict : bool, default True
            Whether all keys must be there, and no others; else those that are there are set.

        Returns
        -------
        named tuple
            ``missing_keys`` and ``unexpected_keys``.

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
        leaves = self._leaves()
        own = keys_of(leaves)
        resets: dict[str, str] = {}
        for key in [key for key in given if key not in own]:
            layer, name = _split_key(key, leaves)
            if not isinstance(leaves.get(layer), (TorchNeuron, RecurrentTorch)):
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
        if strict and (missing or unexpected):
            raise ValueError(
                f"missing keys: {', '.join(sorted(missing)) or 'none'}; unexpected keys: "
                f"{', '.join(sorted(unexpected)) or 'none'}"
            )
        places = first_places(leaves)
        given = {key: value for key, value in given.items() if key in own}
        shared: dict[str, Any] = {}  # by layers that are in several places
        for key, value in given.items():
            name, parameter = own[key]
            at = leaves[name]
            shape = parameters_of(at)[parameter].shape
            is_weight = parameter.rpartition(".")[2].startswith(("weight", "bias"))
            if (isinstance(at, Layer) or is_weight) and value.shape != shape:
                raise ValueError(f"{key} has shape {value.shape}; expected {shape}")
            same = f"{places[name]}.{parameter}"
            if not np.array_equal(value, shared.setdefault(same, value), equal_nan=True):
                raise ValueError(f"{same} and {key} are of one layer, but their values differ")
        for name in [name for name in resets if resets[name] != resets.get(places[name])]:
            raise ValueError(f"{places[name]} and {name} are one layer, but their resets differ")
        new: dict[str, dict[str, Any]] = {name: {} for name in dict.fromkeys(places.values())}
        for key, value in given.items():
            name, parameter = own[key]
            new[places[name]][parameter] = value
        new = {name: values for name, values in new.items() if values or name in resets}
        set_all(leaves, new, resets)
        return Keys(sorted(missing), sorted(unexpected))


def _unbroadcast(grad: Floats, timed: bool, kept: _Pass) -> Floats:
    """Sum the gradient of what the layer above read to the shape of what this one gave."""
    if kept.constant:  # the same at every step
        total = grad.sum(axis=0) if timed else grad
        return sum_to(total, kept.shape).astype(grad.dtype, copy=False)
    steps, *own = kept.shape
    new = (1,) * (grad.ndim - len(kept.shape))  # axes that came after time
    return sum_to(grad, (steps, *new, *own)).reshape(kept.shape)


def _add(name: str, grad: Floats, spikes: ArrayLike | None, axis: int) -> Floats:
    """Add the upstream gradient of a layer's spikes, at each step or at the last, to `grad`.

    That has time first; what is returned, on `axis`.
    """
    total = _moved(grad, 0, axis)
    if spikes is None:
        return total
    given = real_numbers(f"layer {name!r}: spk", spikes)
    total = total.copy()
    if given.shape == total.shape:
        total += given
    elif given.shape == grad.shape[1:]:
        _moved(total, axis, 0)[-1:] += given
    else:
        raise ValueError(
            f"layer {name!r}: spk of shape {given.shape}; expected {total.shape}, or "
            f"{grad.shape[1:]} for the last step only"
        )
    return total


def neurons_of(leaves: Mapping[str, Leaf]) -> dict[str, SpikingNeuron]:
    return {name: leaf for name, leaf in leaves.items() if isinstance(leaf, SpikingNeuron)}


def first_places(leaves: Mapping[str, Leaf]) -> dict[str, str]:
    """Name, for each place, the first one of its layer."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(leaf), name) for name, leaf in leaves.items()}


def _check_places(leaves: Mapping[str, Leaf]) -> None:
    for name, first in first_places(leaves).items():
        layer = leaves[name]
        if name != first and isinstance(layer, SpikingNeuron) and layer.init_hidden:
            raise ValueError(
                f"layers {first!r} and {name!r} are the same neurons, which hold their states "
                "(init_hidden=True): the second would go on from those of the first"
            )


class _Run:
    """A run through the layers of a network."""

    def __init__(
        self,
        leaves: dict[str, Leaf],
        last: str,
        axis: int,
        wanted: Mapping[str, Any],
        grad: bool,
        checkpoint: int,
        num_threads: int | None,
    ) -> None:
        self.leaves, self.last, self.axis, self.wanted = leaves, last, axis, wanted
        self.grad, self.checkpoint, self.num_threads = grad, checkpoint, num_threads
        self.graded = {name for name, leaf in leaves.items() if _is_graded(leaf)}
        self.at = ""  # the layer that is run
        self.spikes: Any = None  # bytes that neurons have sent on
        self.tape: dict[str, _Pass] = {}

    def whole(self, x: Any, num_steps: int | None, states: Mapping[str, Any]) -> Recordings:
        """Run all layers over all steps, or some steps at a time where memory is saved by it."""
        given = _described(x, num_steps is not None, self.axis)
        names = list(self.leaves)
        is_layer = [isinstance(leaf, Layer) for leaf in self.leaves.values()]
        first = is_layer.index(False) if not all(is_layer) else len(names)  # with neurons
        layers: dict[str, Recording] = {}
        x, num_steps = self._run(names[:first], x, num_steps, states, layers)
        steps = self._piece(names[first:], x, num_steps, states)
        if steps is None:
            x, num_steps = self._run(names[first:], x, num_steps, states, layers)
        else:
            x = self._in_pieces(names[first:], x, num_steps, states, layers, steps)
            num_steps = None
        y = None
        if isinstance(self.leaves[self.last], Layer):
            y = x if x.dtype.kind == "f" else x.astype(np.float32)
            if num_steps is not None:  # there were no neurons
                y = _moved(np.broadcast_to(y, (num_steps, *y.shape)), 0, self.axis)
        return Recordings(layers, self.tape, given, self.axis, y)

    def _run(
        self,
        names: Iterable[str],
        current: Any,
        num_steps: int | None,
        states: Mapping[str, Any],
        layers: dict[str, Recording],
    ) -> tuple[Any, int | None]:
        """Run some layers: what the last of them gives, and for how many steps if constant."""
        for name in names:
            self.at, layer, saved = name, self.leaves[name], None
            if isinstance(layer, Layer):
                are_spikes = current is self.spikes
                current, saved, num_steps = _through(layer, current, num_steps, self.axis)
                if are_spikes and current.dtype == np.uint8:  # of another shape
                    self.spikes = current
            else:
                own = self.wanted.get(name, ())
                start = _as_states(states.get(name))
                wide = _is_wide(layer, current, start)
                as_bytes = name != self.last and not wide and name not in self.graded
                rec = layers[name] = layer.run(
                    current,
                    *start,
                    num_steps=num_steps,
                    time_axis=self.axis,
                    record=own if name == self.last or "spk" in own else ("spk", *own),
                    spk_dtype=np.uint8 if as_bytes and "spk" not in own else None,
                    grad=self.grad,
                    checkpoint=self.checkpoint,
                    # As of real spikes, also where bytes would widen it (of LIF).
                    dtype=np.float32 if current is self.spikes and not wide else None,
                    num_threads=self.num_threads,
                )
                if name == self.last:
                    break
                current, num_steps = rec.spk, None
                if "spk" not in own:
                    del rec._arrays["spk"]
                elif as_bytes:  # as if it were not recorded
                    current = current.astype(np.uint8)
                self.spikes = current if as_bytes else None
            if self.grad:
                made = _described(current, num_steps is not None, self.axis)
                self.tape[name] = made._replace(layer=copy.copy(layer), saved=saved)
        return current, num_steps

    def _piece(
        self, names: list[str], current: Any, num_steps: int | None, states: Mapping[str, Any]
    ) -> int | None:
        """Return how many steps at a time fit into a cache; None: all, as cutting has no use.

        Or where bits would depend on it, as those of BLAS's products do.
        """
        if self.grad or self.axis != 0 or len(names) < 2 or np.ndim(current) == 0:
            return None
        width, over_bytes = 0, False
        for name in names:
            layer = self.leaves[name]
            if isinstance(layer, Layer):
                if not layer._can_be_cut(over_bytes):
                    return None
                over_bytes = over_bytes and layer._gives_bytes
                width = max(width, layer._width())
            else:
                own = self.wanted.get(name, ())
                start = _as_states(states.get(name))
                if {*own} - {"spk", "count", *layer.states}:
                    return None
                if name in self.graded or _is_wide(layer, current, start):
                    return None
                over_bytes = True
        rows: tuple[int, ...] = np.shape(current)
        total = num_steps
        if total is None:
            total, *rest = rows
            rows = tuple(rest)
        size = max(math.prod(rows), math.prod(rows[:-1]) * width)
        steps = max(1, _PIECE // max(1, 4 * size))
        # More steps than that fail at once, or take no memory.
        return steps if 2 * steps <= total <= 1 << 20 else None

    def _in_pieces(
        self,
        names: list[str],
        current: Any,
        num_steps: int | None,
        states: Mapping[str, Any],
        layers: dict[str, Recording],
        steps: int,
    ) -> Any:
        total = len(current) if num_steps is None else num_steps
        pieces: list[dict[str, Recording]] = []
        results = []
        for t in range(0, total, steps):
            count = min(steps, total - t)
            part = current[t : t + count] if num_steps is None else current
            own: dict[str, Recording] = {}
            y, _ = self._run(names, part, None if num_steps is None else count, states, own)
            states = _carried(own, self.leaves)
            for rec in pieces[-1].values() if pieces else ():
                del rec.state  # which is as large as a step
            pieces.append(own)
            results.append(y)
        for name in pieces[0]:
            layers[name] = joined([piece[name] for piece in pieces])
        return np.concatenate(results) if isinstance(self.leaves[self.last], Layer) else None


def _carried(layers: Mapping[str, Recording], leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return the states from which a run goes on, but for those that neurons hold themselves."""
    return {name: rec.state for name, rec in layers.items() if leaves[name]._held is None}


def _through(
    layer: Layer, current: Any, num_steps: int | None, axis: int
) -> tuple[Floats, Any, int | None]:
    """Run a layer without neurons: what it gives, what it saves, and if that is constant."""
    x = layer._input("x", current)
    if num_steps is None:
        x = _moved(x, axis, 0)
    elif layer._varies():
        x, num_steps = np.broadcast_to(x, (num_steps, *x.shape)), None
    timed = num_steps is None
    y, saved = layer._forward(x, Step(timed, 1 if num_steps is None else num_steps))
    return _moved(y, 0, axis) if timed else y, saved, num_steps


def _moved(array: Floats, source: int, destination: int) -> Floats:
    """Move an axis; NumPy takes as long as a small layer to move none."""
    return array if source == destination else np.moveaxis(array, source, destination)


def _is_graded(layer: Leaf) -> bool:
    """Whether the spikes that a layer sends on are other numbers than 0 and 1."""
    factor = None if isinstance(layer, Layer) else layer._parameters.get("graded_spikes_factor")
    return factor is not None and bool((factor != 1).any() if factor.ndim else factor != 1)


def _is_wide(layer: SpikingNeuron, x: Any, states: tuple[Any, ...]) -> bool:
    """Whether a layer computes in float64."""
    own = (x, *states, *(layer._held or ()))
    arrays = [np.asarray(a) for a in own if a is not None and type(a) not in (bool, int, float)]
    return any(map(is_double, arrays))


def _described(x: Any, constant: bool, axis: int) -> _Pass:
    """Keep the shape of what goes from one layer to the next, time first."""
    shape = np.shape(x)
    if not constant and len(shape) > 0 and axis != 0:
        shape = np.moveaxis(np.broadcast_to(0, shape), axis, 0).shape
    return _Pass(None, None, shape, constant)


def _upstream_of_y(y: Any, recs: Recordings) -> Floats:
    shape = recs.y.shape
    grad = np.zeros(shape, recs.y.dtype) if y is None else floats("y", y)
    if grad.shape != shape:
        raise ValueError(f"y of shape {grad.shape}; expected {shape}")
    return _moved(grad, recs._time_axis, 0)


def _check_names(argument: str, names: Mapping[str, Any], neurons: Mapping[str, Any]) -> None:
    if unknown := names.keys() - neurons.keys():
        raise ValueError(
            f"{argument}: no neuron layer {', '.join(map(repr, unknown))}; available: "
            f"{', '.join(map(repr, neurons))}"
        )


def _check_time(x: Floats, time_axis: Any, layers: Iterable[Any]) -> None:
    """Refuse an input of which it isn't known whether it has a time axis."""
    if x.ndim < 2:
        raise ValueError(
            f"x has shape {x.shape}; expected (T, ..., features), or num_steps= to take x as a "
            "constant input"
        )
    told = (layer._step_dims() if isinstance(layer, Layer) else () for layer in layers)
    dims = next((each for each in told if each is not None), ())  # of the samples of a step
    if x.ndim in dims and time_axis is None:
        n, *own = x.shape
        of = f"{own[0]} features" if len(own) == 1 else f"shape {tuple(own)}"
        raise ValueError(
            f"x of shape {x.shape} may be {n} steps or {n} samples of {of}: pass "
            "time_axis=0 if its rows are steps, or num_steps= if they are samples of a constant "
            "input"
        )
    if not -x.ndim <= (time_axis or 0) < x.ndim:
        raise ValueError(
            f"time_axis={time_axis} is out of bounds for an array of {x.ndim} dimensions"
        )


def _by_layer(value: Any, last: str) -> dict[str, Any]:
    """Return what is given by the names of layers, or for the last one."""
    if value is None:
        return {}
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


def parameters_of(layer: Any) -> Mapping[str, Floats]:
    if isinstance(layer, Layer):
        return layer._arrays()
    parameters: Mapping[str, Floats] = layer._parameters
    return parameters


def keys_of(layers: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the keys of all parameters, with the layer and the parameter of each."""
    return {
        f"{name}.{parameter}": (name, parameter)
        for name, layer in layers.items()
        for parameter in parameters_of(layer)
    }


def _split_key(key: str, layers: Mapping[str, Any]) -> tuple[str, str]:
    """Split a key that may be of no parameter."""
    found = [name for name in layers if key.startswith(f"{name}.")]
    name = max(found, key=len, default="")
    return name, key[len(name) + 1 :]


def _changed(layer: Any, values: Mapping[str, Floats], reset: str | None) -> Any:
    """Return a copy of a layer that has these parameters, some or all."""
    layer = copy.copy(layer)
    if isinstance(layer, Layer):
        for name, value in values.items():
            setattr(layer, name, value.astype(getattr(layer, name).dtype))
    else:
        options = {} if reset is None else {"reset_mechanism": reset}
        layer._configure(layer._independent(values), options)
    return layer


def set_all(
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
        if isinstance(layer, Layer):
            layers[name].__dict__.update(layer.__dict__)
        else:
            layers[name]._take(layer)
