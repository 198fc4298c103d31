"""Graphs as DOT text, for any Graphviz and for editing by hand."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.drawing import readable_dot, scene_of
from autograd_tour.formats.base import Format, Settings, chosen_views
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger

__all__ = ["writer"]


class Dot(Format):
    """DOT with all the text of the picture. The ledger is a chart, not a graph, and has none."""

    name = "dot"
    summary = "each graph view as DOT text"

    def files(self, stem: str, graph: Graph, ledger: Ledger | None, settings: Settings) -> Mapping[str, str]:
        """``STEM-VIEW.dot`` for each view of the graph."""
        return {
            f"{stem}-{name}.dot": readable_dot(scene_of(what, settings.direction))
            for name, what in chosen_views(graph, ledger, settings)
            if isinstance(what, Graph)
        }


writer = Dot()
