"""The whole run in one picture: forward values, gradients, rules, mailboxes, saved tensors."""

from __future__ import annotations

from autograd_tour.record.trace import Trace
from autograd_tour.views.base import View
from autograd_tour.views.brief import brief_scene
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.look import Look
from autograd_tour.views.picture import Scene

__all__ = ["view"]


class Whole(View):
    """Everything that was recorded."""

    name = "graph"
    summary = "the computation graph with values, gradients, local rules and .grad"

    rows = True
    briefer = True

    def picture(self, trace: Trace) -> Scene:
        """A card for each node, an arrow for each edge."""
        return cards_scene(trace.graph)

    def chosen(self, trace: Trace, look: Look) -> Scene:
        """The same with the rows and arrows that ``look`` asks for."""
        return brief_scene(trace.graph, look) if look.brief else cards_scene(trace.graph, look=look)


view = Whole()
