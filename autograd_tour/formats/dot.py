"""Graphs as DOT text, for any Graphviz and for editing by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autograd_tour.drawing import dot
from autograd_tour.formats.base import Format, Settings, chosen_views
from autograd_tour.record.trace import Trace
from autograd_tour.views.picture import Film, Scene

__all__ = ["writer"]


class Dot(Format):
    """DOT with all the text of the picture. A ledger or a run is no graph, and has none."""

    name = "dot"
    summary = "each graph view as DOT text"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM-VIEW.dot`` for each view of the graph."""
        return {
            f"{stem}-{name}.dot": dot(picture, settings.direction)
            for name, picture in chosen_views(trace, replace(settings, room=None))
            if isinstance(picture, Scene | Film)
        }


writer = Dot()
