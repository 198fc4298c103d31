"""The whole run in one picture: forward values, gradients, rules, mailboxes, saved tensors."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.graph import Graph
from autograd_tour.views.base import View

__all__ = ["view"]


class Whole(View):
    """Everything that was recorded."""

    name = "graph"
    summary = "the computation graph with values, gradients, local rules and .grad"

    def apply(self, graph: Graph) -> Graph:
        """The graph as it is, to be drawn as cards."""
        return replace(graph, style="cards")


view = Whole()
