"""Sums for a card: of tensors that cross its border in several places, and of what is inside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from autograd_tour.record.facts import Number, Stats, TensorFacts
from autograd_tour.record.graph import Attribute, Node
from autograd_tour.text import number

__all__ = ["add", "attributes", "remarks", "totals"]

_LEAVES, _NORM, _SAVED = "leaves", "norm of .grad", "saved bytes"

_BYTES = {"float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float16": 2, "bfloat16": 2, "int16": 2}
_BYTES |= dict.fromkeys(("bool", "int8", "uint8", "float8_e4m3fn", "float8_e5m2"), 1)


def add(parts: list[TensorFacts | None]) -> TensorFacts | None:
    """Facts of the sum of tensors of one shape: elements and mean add up, the other numbers do not."""
    known = [part for part in parts if part is not None]
    if len(known) < 2:
        return known[0] if known else None
    start = known[0]
    if any(part.shape != start.shape for part in known):
        return None
    count = min(len(part.first) for part in known)
    first = tuple(_total([part.first[i] for part in known]) for i in range(count))
    lasts = [part.last for part in known if part.last is not None]
    means = [part.stats.mean for part in known if part.stats is not None and part.stats.mean is not None]
    return TensorFacts(
        start.shape,
        start.dtype,
        start.device,
        start.layout,
        first=first,
        last=_total(lasts) if len(lasts) == len(known) else None,
        stats=Stats(mean=_total(means)) if len(means) == len(known) else None,
    )


def _total(numbers: list[Number]) -> Number:
    try:
        floats = [float(number) for number in numbers]
    except ValueError:
        return str(sum(complex(number) for number in numbers))
    total = math.fsum(floats) if all(map(math.isfinite, floats)) else sum(floats)
    if math.isfinite(total):
        return total
    return "nan" if math.isnan(total) else "inf" if total > 0 else "-inf"


def totals(members: Iterable[Node], grad: Callable[[str], TensorFacts | None]) -> dict[str, float]:
    """Totals over the members; one that is a card brings its own. ``grad`` has a leaf's ``.grad``."""
    found: dict[str, float] = {}
    norms: list[float] = []
    missing = 0
    kept: dict[str, int] = {}
    for node in members:
        if node.kind == "group":
            for key, value in node.attributes:
                if key == _NORM and not isinstance(value, tuple):
                    norms.append(float(value))
                elif isinstance(value, int):
                    found[key] = found.get(key, 0) + value
        if node.kind == "leaf":
            found[_LEAVES] = found.get(_LEAVES, 0) + 1
            after = grad(node.id)
            if after is not None and after.stats is not None and after.stats.norm is not None:
                norms.append(float(after.stats.norm))
            else:
                missing += after is not None
        for saved in node.saved:
            if saved.facts is not None and saved.state == "kept":
                size = max(saved.facts.numel, 0) * _BYTES.get(saved.facts.dtype, 4)
                kept[saved.of or f"{node.id}.{saved.name}"] = size
    if norms and not missing:
        found[_NORM] = math.hypot(*norms)
    if kept:
        found[_SAVED] = found.get(_SAVED, 0) + sum(kept.values())
    return found


def attributes(inside: Mapping[str, float]) -> tuple[tuple[str, Attribute], ...]:
    """Totals as the attributes of a card, from which :func:`totals` takes them for a card around it."""
    return tuple((key, value if math.isfinite(value) else str(value)) for key, value in inside.items())


def remarks(operations: int, inside: Mapping[str, float]) -> list[str]:
    """What a card says of its inside, of which ``inside`` has the totals."""
    notes = []
    if operations:
        notes.append(f"{operations:,} operation{'s' * (operations != 1)} folded".replace(",", " "))
    leaves, norm = int(inside.get(_LEAVES, 0)), inside.get(_NORM)
    if leaves:
        text = f"{leaves} leaf tensor{'s' * (leaves != 1)} inside"
        notes.append(f"{text}, ‖.grad‖ = {number(norm, 4)}" if norm is not None else text)
    if _SAVED in inside:
        notes.append(f"saved for backward: {_size(inside[_SAVED])}")
    return notes


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
