"""What was sent to a node against what it received: where they differ, a hook stands between."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.numbers import exact_sum

__all__ = ["Arrivals", "Destination"]

Destination = tuple[int, int]
"""(node, output slot) that a gradient is sent to."""

_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


class Arrivals:
    """Gathers what is on its way; ``changed`` has the destinations where something else came out.

    A single gradient has to come out as it went in. The sum of several is compared within rounding, by
    the elements that were kept and by the mean. No tensor is kept for this.
    """

    def __init__(self) -> None:
        self.changed: set[Destination] = set()
        self._waiting: dict[Destination, list[TensorFacts]] = {}

    def add(self, destination: Destination, facts: TensorFacts) -> None:
        """A gradient was sent to ``destination``."""
        self._waiting.setdefault(destination, []).append(facts)

    def compare(self, destination: Destination, received: TensorFacts | None) -> None:
        """The node at ``destination`` runs now, and this is what it received."""
        sent = self._waiting.pop(destination, None)
        if sent is None or received is None or not received.has_values:
            return
        if len(sent) == 1 and sent[0].first is received.first and sent[0].stats is received.stats:
            return  # measured where it was sent, and found here as it was there
        if not all(facts.has_values for facts in sent):
            return
        if not (_is_same(sent[0], received) if len(sent) == 1 else _is_sum(sent, received)):
            self.changed.add(destination)


def _is_same(sent: TensorFacts, received: TensorFacts) -> bool:
    both = min(len(sent.first), len(received.first))  # near its ceiling the record has less of the later one
    return (sent.shape, sent.dtype, sent.first[:both], sent.last) == (
        received.shape,
        received.dtype,
        received.first[:both],
        received.last,
    ) and (sent.stats is None or received.stats is None or _alike(sent, received))


def _alike(sent: TensorFacts, received: TensorFacts) -> bool:
    """Extremes do not depend on the order in which memory was read; sums may in the last bits."""
    a, b = sent.stats, received.stats
    assert a is not None and b is not None
    if (a.min, a.max, a.zero) != (b.min, b.max, b.zero):
        return False
    return not _numbers([a.norm, b.norm]) or math.isclose(*_numbers([a.norm, b.norm]), rel_tol=1e-5)


def _is_sum(sent: Sequence[TensorFacts], received: TensorFacts) -> bool:
    slack = 4 * len(sent) * _EPSILON.get(received.dtype, 2.0**-2)
    count = min(len(facts.first) for facts in (*sent, received))
    columns: list[list[Number | None]] = [[facts.first[n] for facts in sent] for n in range(count)]
    columns.append([facts.last for facts in sent])
    for parts, whole in zip(columns, [*received.first[:count], received.last], strict=True):
        numbers = _numbers([*parts, whole])
        if numbers:
            *summands, total = numbers
            if abs(exact_sum(summands) - total) > slack * exact_sum(list(map(abs, numbers))):
                return False
    means = _numbers([facts.stats.mean if facts.stats else None for facts in [*sent, received]])
    norms = _numbers([facts.stats.norm if facts.stats else None for facts in [*sent, received]])
    if means and norms:
        typical = exact_sum(norms) / math.sqrt(received.numel)
        return abs(exact_sum(means[:-1]) - means[-1]) <= slack * typical
    return True


def _numbers(items: Sequence[Number | None]) -> list[float]:
    """The items if all are finite real numbers, else nothing."""
    if all(isinstance(item, (int, float)) for item in items):
        return [float(item) for item in items if item is not None]
    return []
