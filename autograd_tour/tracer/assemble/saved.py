"""What a node keeps for its backward: saved tensors and plain attributes, read without side effects."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.record.graph import SavedState

__all__ = ["PREFIX", "SavedTensorView", "plain_fields", "read_attributes", "read_saved"]

PREFIX = "_saved_"
RAW = "_raw_saved_"
TEXT_LIMIT = 40


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


def plain_fields(kind: type) -> tuple[str, ...]:
    """Names of the plain values that nodes of a type keep."""
    return _fields(kind)[1]


def read_saved(fn: Any) -> list[SavedTensorView]:
    """The saved tensors of ``fn`` as they stand now.

    A tensor behind an unpack hook (checkpointing, offloading) is reported as ``hooked`` and not
    touched: reading it would run the user's code.
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
            return [SavedTensorView(f"{name}[{i}]", None, "hooked") for i in range(len(raw))]
        return [
            SavedTensorView(f"{'saved' if whole else name}[{i}]", tensor, state)
            for i, (tensor, state) in enumerate(_unpack_all(fn, "saved_tensors" if whole else PREFIX + name))
        ]
    if raw is not None and raw.unpack_hook is not None:
        return [SavedTensorView(name, None, "hooked")]
    (tensor, state), *_ = _unpack_all(fn, PREFIX + name)
    return [SavedTensorView(name, tensor, state)]


def _unpack_all(fn: Any, attribute: str) -> list[tuple[Tensor | None, SavedState]]:
    try:
        value = getattr(fn, attribute)
    except RuntimeError as error:
        # Two messages, told apart by the one phrase that has been stable.
        return [(None, "modified" if "inplace" in str(error) else "freed")]
    items = value if isinstance(value, (tuple, list)) else (value,)
    return [(item, "kept") if isinstance(item, Tensor) else (None, "none") for item in items]


def read_attributes(fn: Any) -> tuple[tuple[str, str], ...]:
    """The plain values a node keeps (``exponent``, ``dim``, sizes) as text, sorted by name."""
    found: list[tuple[str, str]] = []
    kind: Any = type(fn)
    for name in _fields(kind)[1]:
        try:
            value = getattr(fn, PREFIX + name)
        except (RuntimeError, TypeError):
            continue
        text = _text(value)
        if text and len(text) <= TEXT_LIMIT:
            found.append((name, text))
    return tuple(found)


def _text(value: object) -> str:
    if value is None or isinstance(value, Tensor):
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(_signed(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, (tuple, list)):
        texts = [_text(item) for item in value]
        return "(" + ", ".join(texts) + ")" if all(texts) else ""
    if isinstance(value, (str, complex)):
        return str(value)
    if type(value).__module__.partition(".")[0] == "torch" and " at 0x" not in (text := str(value)):
        return text
    return ""  # an object whose text might hold an address, different in every run


def _signed(value: int) -> int:
    """Torch hands out -1 as 2**64 - 1."""
    return value - 2**64 if value >= 2**63 else value
