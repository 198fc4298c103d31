"""Sums for a card: of tensors that cross its border in several places, and of what is inside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable

from autograd_tour.record.facts import Number, Stats, TensorFacts
from autograd_tour.record.node import Node, Totals
from autograd_tour.record.numbers import exact_sum
from autograd_tour.text import number

__all__ = ["add", "in_bytes", "remarks", "totals"]

_BYTES = {"float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float16": 2, "bfloat16": 2, "int16": 2}
_BYTES |= dict.fromkeys(("bool", "int8", "uint8", "float8_e4m3fn", "float8_e5m2"), 1)


def add(parts: list[TensorFacts | None]) -> TensorFacts | None:
    """Facts of the sum of tensors of one shape: elements and mean add up, the other numbers do not."""
    summands = [part for part in parts if part is not None]
    if len(summands) < 2:
        return summands[0] if summands else None
    start = summands[0]
    if any(part.shape != start.shape for part in summands):
        return None
    count = min(len(part.first) for part in summands)
    first = tuple(_total([part.first[i] for part in summands]) for i in range(count))
    lasts = [part.last for part in summands if part.last is not None]
    means = [part.stats.mean for part in summands if part.stats is not None and part.stats.mean is not None]
    return TensorFacts(
        start.shape,
        start.dtype,
        start.device,
        start.layout,
        first=first,
        last=_total(lasts) if len(lasts) == len(summands) else None,
        stats=Stats(mean=_total(means)) if len(means) == len(summands) else None,
    )


def _total(numbers: list[Number]) -> Number:
    try:
        floats = [float(number) for number in numbers]
    except ValueError:
        return str(sum(complex(number) for number in numbers))
    total = exact_sum(floats) if all(map(math.isfinite, floats)) else sum(floats)
    if math.isfinite(total):
        return total
    return "nan" if math.isnan(total) else "inf" if total > 0 else "-inf"


def totals(
    members: Iterable[Node], grad: Callable[[str], TensorFacts | None], hooked: Iterable[str] = ()
) -> Totals:
    """Sums over the members; one that is a card brings its own.

    ``grad`` has a leaf's ``.grad``; ``hooked`` are the nodes that sent what a hook changed.
    """
    leaves = saved = own = elements = size = 0
    sending = Counter(hooked)
    norms: list[float] = []
    complete = True
    kept: dict[str, int] = {}
    for node in members:
        own += node.custom + sending.get(node.id, 0)
        if node.inside is not None:
            leaves += node.inside.leaves
            saved += node.inside.saved
            elements += node.inside.elements
            size += node.inside.size
            own += node.inside.own
            if node.inside.grad_norm is not None:
                norms.append(node.inside.grad_norm)
        if node.kind == "leaf":
            leaves += 1
            if node.value is not None:
                elements += max(node.value.numel, 0)
                size += _bytes(node.value)
            after = grad(node.id)
            if after is not None and after.stats is not None and after.stats.norm is not None:
                norms.append(float(after.stats.norm))
            elif after is not None:
                complete = False
        for item in node.saved:
            if item.facts is not None and item.state == "kept":
                kept[item.of or f"{node.id}.{item.name}"] = _bytes(item.facts)
    norm = math.hypot(*norms) if norms and complete else None
    return Totals(leaves, norm, saved + sum(kept.values()), own, elements, size)


def _bytes(facts: TensorFacts) -> int:
    return max(facts.numel, 0) * _BYTES.get(facts.dtype, 4)


def remarks(operations: int, inside: Totals, noun: str = "element") -> list[str]:
    """What a card says of its inside: how many operations, and the sums over them; leaves have a ``noun``."""
    notes = []
    if operations:
        notes.append(f"{operations:,} operation{'s' * (operations != 1)} folded".replace(",", " "))
    if inside.leaves:
        text = f"{inside.leaves} leaf tensor{'s' * (inside.leaves != 1)} inside"
        norm = inside.grad_norm
        notes.append(f"{text}, ‖.grad‖ = {number(norm, 4)}" if norm is not None else text)
    if inside.elements:
        count = f"{inside.elements:,}".replace(",", " ")
        notes.append(f"{count} {noun}{'s' * (inside.elements != 1)}, {in_bytes(inside.size)}")
    if inside.saved:
        notes.append(f"saved for backward: {in_bytes(inside.saved)}")
    return notes


def in_bytes(size: float) -> str:
    """``320 B``, ``4.1 kB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
