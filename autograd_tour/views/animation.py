"""The frames of backward as a picture that plays by itself."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.graph import Graph
from autograd_tour.views.base import View

__all__ = ["view"]


class Animation(View):
    """The same frames as ``steps``, one after the other without a hand on them."""

    name = "animation"
    summary = "the steps of backward as one SVG that plays by itself"

    def apply(self, graph: Graph) -> Graph:
        """The graph as it is, to be drawn as an animation."""
        return replace(graph, style="animation")


view = Animation()
