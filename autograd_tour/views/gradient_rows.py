"""The rows of an operation with the gradients that come in, and the number of the step in which it runs."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.look import Look
from autograd_tour.views.naming import output_name
from autograd_tour.views.nonfinite import NonFinites
from autograd_tour.views.picture import Row, Run, within
from autograd_tour.views.steps import Timeline
from autograd_tour.views.wording import tensor_runs

__all__ = ["GradientRows", "numbered"]

ROOM = 120.0
"""Widest name of a gradient, px."""
MOST = 3
"""Gradients of one node that have a row each."""

Runs = tuple[Run, ...]


class GradientRows:
    """Makes the rows of every operation of one graph; with a ``timeline`` they fill up as backward runs."""

    def __init__(
        self, graph: Graph, derivatives: Derivatives, timeline: Timeline | None, odd: NonFinites, look: Look
    ) -> None:
        self._graph = graph
        self._derivatives = derivatives
        self._timeline = timeline
        self._odd = odd
        self._look = look

    def rows(self, node: Node) -> list[Row]:
        """``∂loss/∂t_p  6.4, 7.618 … 8.618`` for each output; in the first the number of the step."""
        if not self._graph.passes or not self._look.shows("grad"):
            return []
        _, step = self._graph.step(node.id)
        if step is None:
            absent = (Run("grad  ", "backward"), Run("not reached", "muted"))
            fact = f"{node.id}.grad.0"
            return [Row(absent, fill="accumulated_fill", height=22, fact=fact, detail="gradient")]
        rows = [self._row(node, k, facts) for k, facts in enumerate(step.received[:MOST])]
        if len(step.received) > MOST:
            more = f"grad  … {len(step.received) - MOST} more"
            rows.append(Row((Run(more, "backward"),), fill="accumulated_fill", height=22, detail="gradient"))
        if rows:
            rows[0] = numbered(rows[0], self._graph, node, self._timeline)
        return rows

    def _row(self, node: Node, slot: int, facts: TensorFacts | None) -> Row:
        value = node.values[min(slot, len(node.values) - 1)] if node.values else None
        has_value = facts is not None and value is not None
        size = self._look.shows("shape") and not (has_value and self._look.shows("value"))
        odd = self._odd.received.get((node.id, slot))
        runs = tensor_runs(facts, "backward", shape=size, odd=odd) if facts else (Run("none", "muted"),)
        lead = self._lead(node, slot)
        fact = f"{node.id}.grad.{slot}"
        row = Row((lead, *runs), fill="accumulated_fill", height=22, fact=fact, detail="gradient")
        return row if self._timeline is None else _timed(row, lead, self._timeline, node, slot)

    def _lead(self, node: Node, slot: int) -> Run:
        """What the gradient is the derivative of; where it is none, the output that it belongs to."""
        _, step = self._graph.step(node.id)
        if derivative := self._derivatives.of(node.id, slot):
            facts = step.received[slot] if step is not None else None
            scalar = facts is not None and facts.numel == 1 and facts.first
            return within("", derivative, " = " if scalar else "  ", "backward", ROOM)
        name = output_name(node, slot) if step is not None and len(step.received) > 1 else "in"
        return within("grad ", name, "  ", "backward", ROOM)


def numbered(row: Row, graph: Graph, node: Node, timeline: Timeline | None) -> Row:
    """``row`` with the number of the step in which ``node`` runs; in a film from that frame on."""
    number, _ = graph.step(node.id)
    row = replace(row, step=graph.number_in_whole(node.id))
    if timeline is None or not number:
        return row
    return replace(row, since=number, earlier=(*row.earlier, (row.since, row.left)))


def _timed(row: Row, lead: Run, timeline: Timeline, node: Node, slot: int) -> Row:
    """A row with an incoming gradient as a film shows it: empty until the gradient is complete."""
    numbers = timeline.arrivals(node, slot)
    if not numbers:
        return row
    stages: list[tuple[int, Runs]] = [(0, (replace(lead, text=lead.text.rstrip(" ="), role="muted"),))]
    stages += [(n, (lead, Run(text, "muted"))) for n, text in timeline.partial(numbers)]
    return replace(row, since=numbers[-1], earlier=tuple(stages))
