"""The order in which a class's forward calls its layers, by one pass under hooks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Call(NamedTuple):
    name: str
    given: Any  # tensors, which are kept: no other has their memory meanwhile
    states: tuple[Any, ...]
    returned: tuple[Any, ...]
    versions: tuple[int, int]  # of what was given and of the first that was returned


def traced_order(module: Any, example: Any, is_leaf: Callable[[Any], bool]) -> list[Any]:
    """List the names of the layers that a call of the module calls, with layers that reshape.

    The module is as before when this returns: its modes and the states that it holds.
    """
    leaves = _leaves(module, "", is_leaf)
    calls: list[_Call] = []
    hooks = []
    modes = [(each, each.training) for each in module.modules()]
    held = [(leaf, name, getattr(leaf, name)) for leaf in leaves.values() for name in _held(leaf)]
    for name, leaf in leaves.items():

        def keep(_: Any, args: Any, kwargs: Any, output: Any, name: str = name) -> None:
            inputs = (*args, *kwargs.values())
            returned = output if isinstance(output, tuple) else (output,)
            versions = inputs[0]._version, returned[0]._version
            calls.append(_Call(name, inputs[0], inputs[1:], returned, versions))

        hooks.append(leaf.register_forward_hook(keep, with_kwargs=True))
    try:
        module.eval()
        module(example)
    finally:
        for hook in hooks:
            hook.remove()
        for each, training in modes:
            each.training = training
        for leaf, name, value in held:
            setattr(leaf, name, value)
    if not calls:
        raise ValueError("example: forward called none of the module's layers")
    return _checked(calls, example)


def _leaves(module: Any, prefix: str, is_leaf: Callable[[Any], bool]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, child in module.named_children():
        if is_leaf(child):
            found[prefix + name] = child
        else:
            found |= _leaves(child, f"{prefix}{name}.", is_leaf)
    return found


def _held(leaf: Any) -> list[str]:
    return [name for name in ("spk", "syn", "syn_exc", "syn_inh", "mem") if hasattr(leaf, name)]


def _checked(calls: list[_Call], example: Any) -> list[Any]:
    """Return the order of one step, of which each layer gets what the one before returned."""
    from snnc import nn

    names = [call.name for call in calls]
    step = next((i for i, name in enumerate(names) if name in names[:i]), len(names))
    order: list[Any] = []
    for i, call in enumerate(calls):
        at = i % step
        if call.name != names[at]:
            raise ValueError(
                f"forward calls {names[i]!r} where it called {names[at]!r} before, after "
                f"{names[i - 1]!r}: a layer is called twice in a step, or not in each; pass order="
            )
        before = calls[i - 1].returned[0] if at else example
        place = f"between {names[i - 1]!r} and {call.name!r}" if at else f"before {call.name!r}"
        if at == 0 and i and _shares(call.given, calls[i - 1].returned[0]):
            raise ValueError(
                f"forward calls {call.name!r} twice in a step: with what {names[i - 1]!r} "
                "returned; pass order="
            )
        reshaped = _is_reshaped(call.given, before, at == 0)
        changed = at and call.versions[0] != calls[i - 1].versions[1]
        if reshaped is None or changed:
            raise ValueError(
                f"forward does something else {place} (a functional call such as F.max_pool2d, a "
                "skip connection, an operation): make a module of it, or pass order="
            )
        if i >= step and not _are_same(call.states, calls[i - step].returned):
            raise ValueError(
                f"forward changes the states of {call.name!r} between two steps; pass order= if "
                "that doesn't matter"
            )
        if i < step:
            order += [nn.Flatten(), call.name] if reshaped else [call.name]
    if len(calls) % step:
        raise ValueError(f"forward ends with {names[-1]!r}, in the middle of a step; pass order=")
    return order


def _are_same(states: tuple[Any, ...], returned: tuple[Any, ...]) -> bool:
    """Whether a step goes on from what was returned by the one before."""
    known = [id(each) for each in returned]
    return all(each is None or id(each) in known for each in states)


def _shares(tensor: Any, other: Any) -> bool:
    if tensor is other:
        return True
    return bool(tensor.numel() == other.numel() and tensor.data_ptr() == other.data_ptr())


def _is_reshaped(given: Any, before: Any, is_input: bool) -> bool | None:
    """Whether a layer got what came before flattened; None: if it got something else."""
    kinds = [(tuple(before.shape), tuple(before.stride()))]
    if is_input:  # the same at each step, or of a step, with time first or second
        start, size = before.data_ptr(), before.numel() * before.element_size()
        if not start <= given.data_ptr() < start + max(1, size):
            return None
        if given.numel() != before.numel():
            kinds = [tuple((*each[:k], *each[k + 1 :]) for each in kinds[0]) for k in (0, 1)]  # type: ignore[misc]  # tuples of two
    elif not _shares(given, before):
        return None
    if (tuple(given.shape), tuple(given.stride())) in kinds:
        return False
    flattened = [(*shape[:1], math.prod(shape[1:])) for shape, _ in kinds]
    return True if tuple(given.shape) in flattened and given.stride()[-1:] == (1,) else None
