"""The norms of a training that was watched, as a file."""

from __future__ import annotations

from pathlib import Path

from autograd_tour.drawing.heat import heat_map
from autograd_tour.errors import UsageError, suggestion
from autograd_tour.formats.to_pdf import check_pdf, pdf
from autograd_tour.formats.to_png import png
from autograd_tour.formats.write import write_all
from autograd_tour.record.steps import Norms

__all__ = ["save_norms"]

ENDINGS = (".svg", ".png", ".pdf")
THEMES = ("auto", "light", "dark")


def save_norms(norms: Norms, path: Path, theme: str = "auto") -> Path:
    """Write the picture of ``norms`` to ``path``, as its ending says, whole or not at all.

    Raises:
        UsageError: another ending or theme, no such folder, or a PDF needs what is not installed.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"no picture ends with {path.name[-40:]!r}", f"Use one of {', '.join(ENDINGS)}")
    if theme not in THEMES:
        raise UsageError(f"there is no theme {theme[:40]!r}", suggestion(theme, THEMES))
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "Make it first, or choose another one")
    content: str | bytes
    if ending == ".svg":
        content = heat_map(norms, theme=theme)  # type: ignore[arg-type]
    else:
        drawn = heat_map(norms, theme="dark" if theme == "dark" else "light")
        if ending == ".pdf":
            check_pdf()
        content = png(drawn) if ending == ".png" else pdf([drawn], "Gradients, step by step")
    write_all(path.parent, {path.name: content})
    return path
