"""What crosses the border of a folded card, as sums of what the nodes of the whole graph compute and send."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.record.graph import Edge
from autograd_tour.views.unfold import Opened

__all__ = ["sums"]


def sums(view: Opened) -> dict[str, tuple[str, ...]]:
    """Each fact of a folded card (``f0.value.0``, ``f0.grad.0``, ``f0.sent.1``) -> what it is the sum of.

    Those are facts of the whole graph. What a card sends comes in the order in which its frame tells it.
    """
    whole = view.whole
    into: dict[tuple[str, int], list[Edge]] = {}
    for edge in whole.select("gradient"):
        into.setdefault((whole.card_of(edge.dst), edge.slot[1]), []).append(edge)
    facts: dict[str, tuple[str, ...]] = {}
    for node in view.graph.nodes:
        if node.kind == "group":
            facts.update(_of_card(view, node.id, into))
    return facts


def _of_card(
    view: Opened, card: str, into: dict[tuple[str, int], list[Edge]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    members = view.members(card)
    for slot, tensor in enumerate(view.homes.outs.get(card, ())):
        node, output = tensor
        yield f"{card}.value.{slot}", (f"{node}.value.{output}",)
        arriving = into.get(tensor, [])
        outside = [edge for edge in arriving if edge.src not in members]
        all_of_it = len(outside) == len(arriving)  # and the 1 that backward starts from
        yield f"{card}.grad.{slot}", (f"{node}.grad.{output}",) if all_of_it else _sent(outside)
    ins = view.homes.ins.get(card, ())
    for edge in view.graph.select("gradient"):
        if edge.src == card:
            arriving = into.get(ins[edge.slot[0]], [])
            yield f"{card}.sent.{edge.slot[0]}", _sent([edge for edge in arriving if edge.src in members])


def _sent(edges: list[Edge]) -> tuple[str, ...]:
    return tuple(f"{edge.src}.sent.{edge.slot[0]}" for edge in edges)
