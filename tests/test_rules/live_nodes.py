"""Nodes of live graphs, each with the numbers that its rules speak of and the gradients that torch sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_tour.rules.formulas import argument_names
from autograd_tour.rules.node import NodeView, Operand

__all__ = ["Listener", "LiveNode", "hand_made", "nodes_of"]


NOT_USED = {"NativeGroupNormBackward0": (1, 2)}
"""Outputs that get no gradient: ``group_norm`` hands the mean and 1/std to nobody."""


@dataclass(frozen=True)
class LiveNode:
    """A node as its rules see it, and the tensors behind the symbols of its rules.

    ``gradients`` came in, one for each output (``None`` for one that has none); ``sent`` is what torch's
    engine handed on, one for each slot, ``None`` where nothing is asked for.
    """

    view: NodeView
    inputs: tuple[Any, ...]
    results: tuple[Any, ...]
    saved: dict[str, Any]
    gradients: tuple[Tensor | None, ...]
    sent: tuple[Tensor | None, ...]

    @property
    def kind(self) -> str:
        return self.view.grad_fn

    def slots(self) -> list[int]:
        """The slots on which a gradient leaves."""
        return [slot for slot, tensor in enumerate(self.sent) if tensor is not None]


class Listener(TorchDispatchMode):
    """Keeps arguments and results of the operation that made each node, by the node's sequence number.

    Autograd makes the node, then calls the operation below it: it is heard after the number went up. What
    works in place is preceded by a copy, so the operation's name decides.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[int, dict[str, tuple[dict[str, Any], tuple[Any, ...]]]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        calls = self.calls.setdefault(torch._C._autograd._get_sequence_nr() - 1, {})
        name = _bare(func._schema.name.rpartition("::")[2])
        if name in calls:
            return func(*args, **(kwargs or {}))
        names = [argument.name for argument in func._schema.arguments]
        arguments = {
            key: _copied(value)
            for key, value in {**dict(zip(names, args, strict=False)), **(kwargs or {})}.items()
        }
        outcome = func(*args, **(kwargs or {}))
        results = outcome if isinstance(outcome, (tuple, list)) else (outcome,)
        calls[name] = (arguments, tuple(map(_copied, results)))
        return outcome

    def call(self, number: int, kind: str) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """The call that made the node; empty if none was heard."""
        calls, name = self.calls.get(number, {}), _bare(kind.rpartition("Backward")[0])
        for key in (name, f"{name}forward", *calls):
            if key in calls:
                return calls[key]
        return {}, ()


def _bare(name: str) -> str:
    return name.replace("_", "").lower()


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.layout is not torch.strided or value.is_nested:
            return value
        return value.detach().clone()
    if isinstance(value, (tuple, list)):
        return [_copied(item) for item in value]
    return value


def nodes_of(results: Iterable[Any], listener: Listener, wanted: Callable[[Any], bool]) -> Iterator[LiveNode]:
    """The nodes behind ``results`` that are ``wanted``, without leaves."""
    waiting = [item.grad_fn for item in results if isinstance(item, Tensor) and item.grad_fn is not None]
    seen: set[Any] = set()
    while waiting:
        fn = waiting.pop()
        if fn in seen:
            continue
        seen.add(fn)
        waiting += [following for following, _ in fn.next_functions if following is not None]
        if fn.name().endswith("AccumulateGrad") or not wanted(fn):
            continue
        node = _live(fn, listener)
        if node is not None:
            yield node


def _live(fn: Any, listener: Listener) -> LiveNode | None:
    name = fn.name().rpartition("::")[2]
    arguments, results = listener.call(fn._sequence_nr(), name)
    metadata = fn._input_metadata
    if any(item.is_nested_tensor for item in metadata):
        return None
    results = results[: len(metadata)]
    given = tuple(results) + (Ellipsis,) * (len(metadata) - len(results))
    slots = len(fn.next_functions)
    inputs = tuple(_argument(arguments, key) for key in argument_names(name, slots)) or (None,) * slots
    if len(inputs) != slots or any(
        item is not None and (not isinstance(item, Tensor) or tuple(item.shape) != tuple(known.shape))
        for item, known in zip(results, metadata, strict=False)
    ):
        inputs, results = (None,) * slots, ()
    saved = _saved(fn)
    kept = [saved.get(key) for key in argument_names(name, slots)] or [None] * slots
    inputs = tuple(
        _leaf_value(other if given is None and isinstance(other, Tensor) else given, edge)
        for given, other, edge in zip(inputs, kept, fn.next_functions, strict=True)
    )
    gradients = tuple(
        None if result is None or number in NOT_USED.get(name, ()) else _random(item)
        for number, (item, result) in enumerate(zip(metadata, given, strict=True))
    )
    sent = _sent(fn, gradients)
    if sent is None:
        return None
    view = NodeView(
        name,
        tuple(
            replace(_operand("abcdefghijklmnop"[slot % 16], value), origin=_origin(fn, slot))
            for slot, value in enumerate(inputs)
        ),
        tuple(
            Operand(f"y{number}" if len(metadata) > 1 else "y", tuple(item.shape), _dtype(item.dtype))
            for number, item in enumerate(metadata)
        ),
        _attributes(fn) | _scalars(saved),
        dict.fromkeys(saved, ""),
    )
    return LiveNode(view, inputs, results, saved, gradients, sent)


def _origin(fn: Any, slot: int) -> tuple[int, int] | None:
    """The same for slots that the same tensor came in at."""
    edge = fn.next_functions[slot]
    return (fn.next_functions.index(edge), edge[1]) if edge[0] is not None else None


def hand_made(kind: str, program: Any, leaves: tuple[Tensor, ...], **attributes: Any) -> LiveNode:
    """A node as another device makes it: what it computes, and sends, comes from ``program``."""
    result = program(*leaves)
    given = torch.randn_like(result)
    sent = torch.autograd.grad(result, leaves, given)
    inputs = tuple(leaf.detach() for leaf in leaves)
    operands = tuple(map(_operand, "abc", inputs))
    output = Operand("y", tuple(result.shape), _dtype(result.dtype))
    view = NodeView(kind, operands, (output,), attributes, {})
    return LiveNode(view, inputs, (result.detach(),), {}, (given,), sent)


def _argument(arguments: dict[str, Any], key: str) -> Any:
    head, _, position = key.partition("[")
    value = arguments.get(head)
    if not position or not isinstance(value, list):
        return value
    index = int(position.rstrip("]"))
    return value[index] if index < len(value) else None


def _leaf_value(given: Any, edge: tuple[Any, int]) -> Any:
    fn = edge[0]
    if given is None and fn is not None and fn.name().endswith("AccumulateGrad"):
        return fn.variable.detach()
    return given


def _operand(name: str, value: Any) -> Operand:
    if not isinstance(value, Tensor):
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        return Operand("" if value is None else name, number=number)
    nan = value.layout is torch.strided and value.is_floating_point() and bool(value.isnan().any())
    return Operand(name, tuple(value.shape), _dtype(value.dtype), nan=nan)


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _random(metadata: Any) -> Tensor | None:
    if not (metadata.dtype.is_floating_point or metadata.dtype.is_complex):
        return None
    return torch.randn(tuple(metadata.shape), dtype=metadata.dtype)


def _sent(fn: Any, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...] | None:
    """What the engine sends on from ``fn``: its hook sees every edge by itself, shapes and dtypes mended."""
    targets = [
        GradientEdge(following, number) for following, number in fn.next_functions if following is not None
    ]
    given = [(number, item) for number, item in enumerate(gradients) if item is not None]
    if not targets or not given:
        return None
    heard: list[tuple[Tensor | None, ...]] = []
    handle = fn.register_hook(lambda sent, _: heard.append(sent))
    try:
        torch.autograd.grad(
            [GradientEdge(fn, number) for number, _ in given],
            targets,
            [item for _, item in given],
            retain_graph=True,
            allow_unused=True,
        )
    except RuntimeError:
        return None
    finally:
        handle.remove()
    return tuple(heard[0]) if heard else None


@cache
def _fields(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = dir(kind)
    tensors = tuple(name.removeprefix("_raw_saved_") for name in names if name.startswith("_raw_saved_"))
    plain = tuple(name.removeprefix("_saved_") for name in names if name.startswith("_saved_"))
    return tensors, tuple(name for name in plain if name not in tensors)


def _saved(fn: Any) -> dict[str, Any]:
    """The saved tensors, and lists of them, by torch's name."""
    kept = {}
    for name in _fields(type(fn))[0]:
        try:
            value = getattr(fn, f"_saved_{name}")
        except (RuntimeError, AttributeError):
            continue
        if isinstance(value, Tensor):
            kept[name] = value.detach()
        elif isinstance(value, (tuple, list)) and any(isinstance(item, Tensor) for item in value):
            kept[name] = [item.detach() if isinstance(item, Tensor) else item for item in value]
    return kept


def _scalars(saved: dict[str, Any]) -> dict[str, float]:
    """Saved tensors that are a single number, such as the total weight of a loss."""
    return {
        name: float(value)
        for name, value in saved.items()
        if isinstance(value, Tensor) and value.dim() == 0 and not value.is_complex()
    }


def _attributes(fn: Any) -> dict[str, Any]:
    """The plain values, typed, without those that are ``None``."""
    values = {}
    for name in _fields(type(fn))[1]:
        try:
            value = _plain(getattr(fn, f"_saved_{name}"))
        except (RuntimeError, TypeError, AttributeError):
            continue
        if value is not None:
            values[name] = value
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return value - 2**64 if value >= 2**63 else value
    if isinstance(value, torch.dtype):
        return _dtype(value)
    if isinstance(value, (tuple, list)):
        items = tuple(_plain(item) for item in value)
        return items if all(item is not None for item in items) else None
    return str(value) if isinstance(value, complex) else None
