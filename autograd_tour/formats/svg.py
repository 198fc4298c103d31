"""Pictures as SVG: one file for each view."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.drawing import picture
from autograd_tour.drawing.chart import ledger_chart
from autograd_tour.formats.base import STEPS, Format, Settings, chosen_views
from autograd_tour.formats.frames import frames_of, numbered
from autograd_tour.graph import Graph
from autograd_tour.ledger import Ledger

__all__ = ["writer"]


class Svg(Format):
    """Scalable pictures that follow the reader's light or dark theme."""

    name = "svg"
    summary = "a picture for each view"

    def files(self, stem: str, graph: Graph, ledger: Ledger | None, settings: Settings) -> Mapping[str, str]:
        """``STEM-VIEW.svg`` for each view; of ``steps`` also a numbered one for each frame."""
        drawn: dict[str, str] = {}
        for name, what in chosen_views(graph, ledger, settings):
            if name == STEPS and isinstance(what, Graph):
                drawn |= numbered(f"{stem}-{name}", "svg", frames_of(what, settings))
            drawn[f"{stem}-{name}.svg"] = self._draw(what, settings)
        return drawn

    def _draw(self, what: Graph | Ledger, settings: Settings) -> str:
        if isinstance(what, Ledger):
            return ledger_chart(what, theme=settings.theme)
        return picture(
            what,
            theme=settings.theme,
            direction=settings.direction,
            engine=settings.engine,
            timeout=settings.timeout,
        )


writer = Svg()
