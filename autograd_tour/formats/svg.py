"""Pictures as SVG: one file for each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autograd_tour.drawing import ThemeName, draw
from autograd_tour.formats.base import Format, Settings, chosen_views
from autograd_tour.formats.frames import frames_of, numbered
from autograd_tour.record.trace import Trace
from autograd_tour.views.picture import Film, Picture

__all__ = ["drawn", "on_paper", "paper_theme", "writer"]


class Svg(Format):
    """Scalable pictures that follow the reader's light or dark theme; frames do not: a slide has its own."""

    name = "svg"
    summary = "a picture for each view"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM-VIEW.svg`` for each view; of a film that is paged also a numbered one for each frame."""
        files: dict[str, str] = {}
        for name, picture in chosen_views(trace, settings):
            chosen = settings
            if isinstance(picture, Film) and not picture.plays:
                chosen = _still(settings)
                files |= numbered(f"{stem}-{name}", "svg", frames_of(picture, chosen))
            files[f"{stem}-{name}.svg"] = drawn(picture, chosen)
        return files


def drawn(picture: Picture, settings: Settings) -> str:
    """One picture as SVG.

    Raises:
        EngineError: the layout failed.
    """
    return draw(
        picture,
        theme=settings.theme,
        direction=settings.direction,
        engine=settings.engine,
        timeout=settings.timeout,
        room=settings.room,
    )


def paper_theme(theme: ThemeName) -> ThemeName:
    """The theme of a picture that cannot follow its reader: ``auto`` is light."""
    return "light" if theme == "auto" else theme


def on_paper(picture: Picture, settings: Settings) -> tuple[str, ...]:
    """One view as SVG for what neither moves nor follows its reader: a film is many pictures.

    Raises:
        UsageError: a film has no frames, or too many.
        EngineError: the layout failed.
    """
    still = _still(settings)
    if isinstance(picture, Film):
        return frames_of(picture, still)
    return (drawn(picture, still),)


def _still(settings: Settings) -> Settings:
    return replace(settings, theme=paper_theme(settings.theme))


writer = Svg()
