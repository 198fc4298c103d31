"""Pictures as SVG: one file for each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autograd_tour.drawing import ThemeName, picture
from autograd_tour.drawing.chart import ledger_chart
from autograd_tour.formats.base import STEPS, Format, Settings, chosen_views
from autograd_tour.formats.frames import frames_of, numbered
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger

__all__ = ["drawn", "on_paper", "paper_theme", "writer"]

FILMS = ("steps", "animation")


class Svg(Format):
    """Scalable pictures that follow the reader's light or dark theme."""

    name = "svg"
    summary = "a picture for each view"

    def files(self, stem: str, graph: Graph, ledger: Ledger | None, settings: Settings) -> Mapping[str, str]:
        """``STEM-VIEW.svg`` for each view; of ``steps`` also a numbered one for each frame."""
        files: dict[str, str] = {}
        for name, what in chosen_views(graph, ledger, settings):
            if name == STEPS and isinstance(what, Graph):
                files |= numbered(f"{stem}-{name}", "svg", frames_of(what, settings))
            files[f"{stem}-{name}.svg"] = drawn(what, settings)
        return files


def drawn(what: Graph | Ledger, settings: Settings) -> str:
    """One picture as SVG.

    Raises:
        EngineError: the layout failed.
    """
    if isinstance(what, Ledger):
        return ledger_chart(what, theme=settings.theme)
    return picture(
        what,
        theme=settings.theme,
        direction=settings.direction,
        engine=settings.engine,
        timeout=settings.timeout,
    )


def paper_theme(theme: ThemeName) -> ThemeName:
    """The theme of a picture that cannot follow its reader: ``auto`` is light."""
    return "light" if theme == "auto" else theme


def on_paper(what: Graph | Ledger, settings: Settings) -> tuple[str, ...]:
    """One view as SVG for what neither moves nor follows its reader: a film is many pictures.

    Raises:
        UsageError: a film has no frames, or too many.
        EngineError: the layout failed.
    """
    still = replace(settings, theme=paper_theme(settings.theme))
    if isinstance(what, Graph) and what.style in FILMS:
        return frames_of(what, still)
    return (drawn(what, still),)


writer = Svg()
