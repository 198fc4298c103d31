"""The forms in which the tour can be written, each with the files that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autograd_tour.drawing.theme import ThemeName
from autograd_tour.formats.tour.content import Tour
from autograd_tour.progress import doing
from autograd_tour.registry import pick

__all__ = ["FORMS", "PAPER", "SLIDES", "check_forms", "tour_files"]

Files = Mapping[str, str | bytes]


def _html(tour: Tour, theme: ThemeName) -> Files:
    from autograd_tour.formats.tour.site import site

    return site(tour, theme)


def _md(tour: Tour, theme: ThemeName) -> Files:  # noqa: ARG001 - its pictures follow the reader
    from autograd_tour.formats.tour.markdown import markdown_files

    return markdown_files(tour)


def _ipynb(tour: Tour, theme: ThemeName) -> Files:  # noqa: ARG001
    from autograd_tour.formats.tour.notebook import notebook_files

    return notebook_files(tour)


def _txt(tour: Tour, theme: ThemeName) -> Files:  # noqa: ARG001
    from autograd_tour.formats.tour.text import text_files

    return text_files(tour)


def _pdf(tour: Tour, theme: ThemeName) -> Files:  # noqa: ARG001 - paper is light
    from autograd_tour.formats.tour.handout import handout

    return {"tour.pdf": handout(tour)}


def _slides(tour: Tour, theme: ThemeName) -> Files:  # noqa: ARG001 - what is projected is light
    from autograd_tour.formats.tour.slides import slide_files

    return slide_files(tour)


def _handouts(tour: Tour, theme: ThemeName) -> Files:  # noqa: ARG001
    from autograd_tour.formats.tour.handout import part_files

    return part_files(tour)


SLIDES = "slides"
"""The form that needs pictures of its own."""
PAPER = frozenset({"pdf", "handouts"})
"""The forms that need those anew whose text would be too small on paper."""

FORMS: Mapping[str, Callable[[Tour, ThemeName], Files]] = {
    "html": _html,
    "md": _md,
    "ipynb": _ipynb,
    "txt": _txt,
    "pdf": _pdf,
    SLIDES: _slides,
    "handouts": _handouts,
}


def check_forms(names: Sequence[str]) -> tuple[str, ...]:
    """The forms called so, each once; ``html`` if none is named.

    Raises:
        UsageError: there is no such form, or what it needs is not installed.
    """
    forms = tuple(dict.fromkeys(pick("format", name, FORMS) for name in names)) or ("html",)
    if PAPER.union({SLIDES}) & set(forms):
        from autograd_tour.formats.to_pdf import check_pdf

        check_pdf()
    return forms


def tour_files(tour: Tour, forms: Sequence[str], theme: ThemeName) -> dict[str, str | bytes]:
    """File name -> content, of all ``forms``."""
    files: dict[str, str | bytes] = {}
    for name in forms:
        with doing(name):
            files |= FORMS[name](tour, theme)
    return files
