"""What a node keeps for its backward: saved tensors and plain attributes, read without side effects."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from torch import Tensor

from autograd_tour.record.facts import Number
from autograd_tour.record.node import Attribute, SavedState
from autograd_tour.tracer.measure import bare, plain

__all__ = ["SavedTensorView", "read_attributes", "read_saved"]

PREFIX = "_saved_"
RAW = "_raw_saved_"
TEXT_LIMIT = 40
MOST_ITEMS = 16
"""A longer tuple is left out: nobody reads it."""


class SavedTensorView(NamedTuple):
    """One place for a saved tensor: torch's name for it, the tensor if it may be read, and its state."""

    name: str
    tensor: Tensor | None
    state: SavedState


@cache
def _fields(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the (tensor, plain) fields of a node type. Read once: ``dir`` is slow."""
    fields = dir(kind)
    tensors = tuple(name.removeprefix(RAW) for name in fields if name.startswith(RAW))
    others = (name.removeprefix(PREFIX) for name in fields if name.startswith(PREFIX))
    return tensors, tuple(name for name in others if name not in tensors)


def read_saved(fn: Any) -> list[SavedTensorView]:
    """The saved tensors of ``fn`` as they stand now.

    A tensor behind an unpack hook is reported as ``recomputed`` (checkpointing) or ``hooked`` (any other,
    such as offloading) and not touched: reading it would run the user's code.
    """
    kind: Any = type(fn)
    names = _fields(kind)[0]
    return [view for name in names for view in _read(fn, name)]


def _read(fn: Any, name: str) -> list[SavedTensorView]:
    try:
        raw = getattr(fn, RAW + name)
    except RuntimeError:
        return [SavedTensorView(name, None, "freed")]
    if isinstance(raw, (tuple, list)):
        whole = name == "tensors"  # a custom Function: `saved_tensors`, whatever the user put there
        if any(item is not None and item.unpack_hook is not None for item in raw):
            return [SavedTensorView(f"{name}[{i}]", None, _held(item)) for i, item in enumerate(raw)]
        return [
            SavedTensorView(f"{'saved' if whole else name}[{i}]", tensor, state)
            for i, (tensor, state) in enumerate(_unpack_all(fn, "saved_tensors" if whole else PREFIX + name))
        ]
    if raw is not None and raw.unpack_hook is not None:
        return [SavedTensorView(name, None, _held(raw))]
    (tensor, state), *_ = _unpack_all(fn, PREFIX + name)
    return [SavedTensorView(name, tensor, state)]


def _held(raw: Any) -> SavedState:
    """Who holds a tensor that was packed: a checkpoint, which has thrown it away, or another hook."""
    hook = raw.unpack_hook if raw is not None else None
    return "recomputed" if getattr(hook, "__module__", "") == "torch.utils.checkpoint" else "hooked"


def _unpack_all(fn: Any, attribute: str) -> list[tuple[Tensor | None, SavedState]]:
    try:
        value = getattr(fn, attribute)
    except RuntimeError as error:
        # Two messages, told apart by the one phrase that has been stable.
        return [(None, "modified" if "inplace" in str(error) else "freed")]
    items = value if isinstance(value, (tuple, list)) else (value,)
    return [(item, "kept") if isinstance(item, Tensor) else (None, "none") for item in items]


def read_attributes(fn: Any) -> tuple[tuple[str, Attribute], ...]:
    """The plain values a node keeps (``exponent``, ``dim``, sizes), sorted by name."""
    attributes: list[tuple[str, Attribute]] = []
    kind: Any = type(fn)
    for name in _fields(kind)[1]:
        try:
            value = _typed(getattr(fn, PREFIX + name))
        except (RuntimeError, TypeError):
            continue
        if value is not None:
            attributes.append((name, value))
    return tuple(attributes)


def _typed(value: object) -> Attribute | None:
    """``None`` for what is missing, no plain value, or too long to read."""
    if not isinstance(value, (tuple, list)):
        return _scalar(value)
    items: list[Number | tuple[Number, ...]] = []
    count = 0
    for item in value:
        inner = item if isinstance(item, (tuple, list)) else (item,)
        scalars = tuple(scalar for part in inner if (scalar := _scalar(part)) is not None)
        count += len(scalars)
        if len(scalars) < len(inner) or count > MOST_ITEMS:
            return None
        items.append(scalars if inner is item else scalars[0])
    return tuple(items)


def _scalar(value: object) -> Number | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _signed(value)
    if isinstance(value, (float, complex)):
        return plain(value)
    if isinstance(value, str):
        text = value
    elif type(value).__module__.partition(".")[0] == "torch" and not isinstance(value, Tensor):
        text = bare(value)
    else:
        return None
    # The text of an object might hold an address, different in every run.
    return text if 0 < len(text) <= TEXT_LIMIT and " at 0x" not in text else None


def _signed(value: int) -> int:
    """Torch hands out -1 as 2**64 - 1."""
    return value - 2**64 if value >= 2**63 else value
