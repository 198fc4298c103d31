"""NaN and Inf: where they begin, where they are passed on, and which the program itself put there."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from autograd_tour.record.facts import Stats, TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node

__all__ = ["NonFinite", "NonFinites", "nonfinites"]


_ONLY_PUT = frozenset(
    (
        "MaskedFillBackward0",
        "MaskedFillBackward1",
        "WhereBackward0",
        "IndexFillBackward0",
        "ScatterBackward1",
        "ConstantPadNdBackward0",
        "FillBackward0",
        "FillBackward2",
    )
)
"""Nodes that compute nothing: an infinity that none of their tensors had is the number that was put there."""


class NonFinite(Struct, frozen=True):
    """The elements of one tensor that are no finite numbers, of ``total``.

    ``sign`` is that of the infinities: 1, -1, or 0 for both or unknown. ``begins``: what it was computed from
    has none. ``given``: the program put these infinities there, as a mask does.
    """

    nan: int = 0
    inf: int = 0
    total: int = 1
    sign: int = 0
    begins: bool = False
    given: bool = False

    def text(self) -> str:
        """``2 of 4 are NaN``, ``10 of 25 are −inf``; ``""`` for a single element, whose value says it."""
        infinity = {1: "inf", -1: "−inf"}.get(self.sign, "±inf")
        parts = [f"{count} of {self.total} {'is' if count == 1 else 'are'} {name}" for count, name in
                 ((self.nan, "NaN"), (self.inf, infinity)) if count]  # fmt: skip
        if self.total == 1:
            parts = ["NaN" if self.nan else infinity]
        return ", ".join(parts) + (", as given" if self.given else ", begins here" if self.begins else "")


class NonFinites(Struct, frozen=True):
    """``values`` and ``received`` by (node, output slot), ``sent`` by (node, input slot)."""

    values: dict[tuple[str, int], NonFinite] = {}
    received: dict[tuple[str, int], NonFinite] = {}
    sent: dict[tuple[str, int], NonFinite] = {}


def nonfinites(graph: Graph) -> NonFinites:
    """Every tensor of the record that holds a NaN or an infinity."""
    values = _values(graph)
    received: dict[tuple[str, int], NonFinite] = {}
    sent: dict[tuple[str, int], NonFinite] = {}
    arriving = {(edge.dst, edge.slot[1]) for edge in graph.select("gradient")}
    for _, step in graph.numbered_steps():
        seen = False
        for slot, facts in enumerate(step.received):
            if (odd := _odd(facts)) is not None:
                seen = True
                started = (step.node, slot) not in arriving
                received[step.node, slot] = _marked(odd, begins=started, given=False)
        for slot, facts in enumerate(step.sent):
            if (odd := _odd(facts)) is not None:
                sent[step.node, slot] = _marked(odd, begins=not seen, given=False)
    return NonFinites(values, received, sent)


def _values(graph: Graph) -> dict[tuple[str, int], NonFinite]:
    if not any(_odd(facts) for node in graph.nodes for facts in node.values):
        return {}
    makers: dict[str, list[tuple[str, int]]] = {}
    for edge in graph.select("forward"):
        makers.setdefault(edge.dst, []).append((edge.src, edge.slot[0]))
    marks: dict[tuple[str, int], NonFinite] = {}
    for node in graph.nodes:
        before = [mark for output in makers.get(node.id, ()) if (mark := marks.get(output)) is not None]
        for slot, facts in enumerate(node.values):
            odd = _odd(facts)
            if odd is None:
                continue
            given = not odd.nan and (node.kind in ("leaf", "constant") or _is_given(odd, node, before))
            worse = [mark for mark in before if not mark.given]
            begins = not given and not any(mark.nan if odd.nan else mark.inf for mark in worse)
            marks[node.id, slot] = _marked(odd, begins=begins, given=given)
    return marks


def _is_given(odd: NonFinite, node: Node, before: Iterable[NonFinite]) -> bool:
    """Whether these infinities are those of an input, or of the number that fills the masked places.

    As many of them, of the same sign: what is more was computed here.
    """
    marks = list(before)
    if any(not mark.given for mark in marks):
        return False
    if any(
        mark.sign == odd.sign and math.isclose(mark.inf / mark.total, odd.inf / odd.total) for mark in marks
    ):
        return True
    return not marks and node.grad_fn in _ONLY_PUT


def _sign_of(value: object) -> int:
    """The sign of an infinite number, 0 for any other value."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0
    return 0 if not math.isinf(number) else 1 if number > 0 else -1


def _odd(facts: TensorFacts | None) -> NonFinite | None:
    if facts is None:
        return None
    stats = facts.stats
    if stats is not None and (stats.nan or stats.inf):
        return NonFinite(stats.nan or 0, stats.inf or 0, max(facts.numel, 1), _signs(stats, facts))
    if stats is None and facts.numel == 1 and facts.first:
        value = facts.first[0]
        if value == "nan":
            return NonFinite(nan=1)
        return NonFinite(inf=1, sign=_sign_of(value)) if _sign_of(value) else None
    return None


def _signs(stats: Stats, facts: TensorFacts) -> int:
    """The sign of the infinities, as far as the extremes tell: NaN hides them."""
    if not stats.inf:
        return 0
    low, high = _sign_of(stats.min), _sign_of(stats.max)
    if not low and not high:
        signs = {_sign_of(value) for value in facts.first} - {0}
        return signs.pop() if len(signs) == 1 and len(facts.first) == facts.numel else 0
    return low + high if low != high else low


def _marked(odd: NonFinite, *, begins: bool, given: bool) -> NonFinite:
    return NonFinite(odd.nan, odd.inf, odd.total, odd.sign, begins, given)
