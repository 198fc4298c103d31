"""Pictures as PNG, for slides and wherever SVG is not taken."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.formats.base import Format, Settings, chosen_views
from autograd_tour.formats.frames import numbered
from autograd_tour.formats.svg import on_paper
from autograd_tour.formats.to_png import png
from autograd_tour.progress import counted
from autograd_tour.record.trace import Trace

__all__ = ["writer"]


class Png(Format):
    """The SVG in pixels, ``settings.scale`` for each px; light unless dark is asked for."""

    name = "png"
    summary = "a picture for each view, in pixels"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, bytes]:
        """``STEM-VIEW.png`` for each view; of a film a numbered one for each frame."""
        files: dict[str, bytes] = {}
        for name, picture in chosen_views(trace, settings):
            pictures = [png(svg, settings.scale) for svg in counted(on_paper(picture, settings), "frame")]
            if len(pictures) == 1:
                files[f"{stem}-{name}.png"] = pictures[0]
            else:
                files |= numbered(f"{stem}-{name}", "png", pictures)
        return files


writer = Png()
