"""Pictures as PDF, for papers and handouts; text in them is text."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.formats.base import Format, Settings, chosen_views
from autograd_tour.formats.frames import numbered
from autograd_tour.formats.svg import on_paper
from autograd_tour.formats.to_pdf import check_pdf, pdf
from autograd_tour.progress import counted
from autograd_tour.record.trace import Trace
from autograd_tour.views.picture import Film

__all__ = ["writer"]


class Pdf(Format):
    """The SVG as a page of its size; light unless dark is asked for."""

    name = "pdf"
    summary = "a page for each view, with text that can be searched"

    def check(self) -> None:
        """Nothing, if PDF can be made here.

        Raises:
            UsageError: the package typst is not installed.
        """
        check_pdf()

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, bytes]:
        """``STEM-VIEW.pdf`` for each view; of a film a page for each frame.

        Of ``steps`` there are also a numbered file for each frame, and ``STEM-steps.tex`` with the lines
        that make a slide of Beamer of each page.
        """
        files: dict[str, bytes] = {}
        for name, picture in chosen_views(trace, settings):
            pages = on_paper(picture, settings)
            files[f"{stem}-{name}.pdf"] = pdf(pages, f"{stem}, {name}" if len(pages) > 1 else "")
            if isinstance(picture, Film) and not picture.plays:
                files |= numbered(f"{stem}-{name}", "pdf", [pdf([page]) for page in counted(pages, "frame")])
                files[f"{stem}-{name}.tex"] = _beamer(f"{stem}-{name}.pdf").encode()
        return files


def _beamer(name: str) -> str:
    """The lines of LaTeX's Beamer that make each page of a file a slide, as large as the paper."""
    return (
        "% Slides for Beamer, from autograd-tour: \\usepackage{pdfpages} belongs into the preamble,\n"
        "% and \\input of this file between two frames.\n"
        "{\\setbeamercolor{background canvas}{bg=}\\setbeamertemplate{navigation symbols}{}%\n"
        f"\\includepdf[pages=-]{{{name}}}}}\n"
    )


writer = Pdf()
