"""Two graphs -> the files that say what differs."""

from __future__ import annotations

from collections.abc import Collection

from autograd_tour.drawing import dot
from autograd_tour.errors import UsageError, suggestion
from autograd_tour.formats.base import PICTURES, Settings
from autograd_tour.formats.registry import check
from autograd_tour.formats.svg import drawn, on_paper
from autograd_tour.formats.to_pdf import pdf
from autograd_tour.formats.to_png import png
from autograd_tour.record.codec import dumps
from autograd_tour.record.graph import Graph
from autograd_tour.reports.diff import diff_report
from autograd_tour.views.comparison import diff_scene
from autograd_tour.views.diff import diff
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import SCREEN, fold, visible

__all__ = ["DIFF_FORMATS", "check_diff", "files_of_diff"]

DIFF_FORMATS = ("svg", "pdf", "png", "txt", "json", "dot")
USUAL = ("svg", "txt")


def files_of_diff(
    names: tuple[str, str], a: Graph, b: Graph, settings: Settings
) -> tuple[dict[str, str | bytes], Graph]:
    """File name -> content, and the comparison of the graphs as they are.

    The table and the JSON compare every node. The picture compares the folded graphs if one of them
    does not fit a screen, since two folded graphs still show where to look.

    Raises:
        UsageError: a format that a comparison has not, or nothing has the name to focus on.
        EngineError: the layout failed.
    """
    stem = f"{names[0]}-vs-{names[1]}-diff"
    wanted = dict.fromkeys(settings.formats or USUAL)
    check_diff(wanted)
    whole = diff(a, b)
    files: dict[str, str | bytes] = {}
    compared = _compared(a, b, whole, settings) if (PICTURES | {"dot"}) & set(wanted) else whole
    picture = diff_scene(compared)
    for choice in wanted:
        if choice == "svg":
            files[f"{stem}.svg"] = drawn(picture, settings)
        elif choice == "pdf":
            files[f"{stem}.pdf"] = pdf(on_paper(picture, settings))
        elif choice == "png":
            files[f"{stem}.png"] = png(on_paper(picture, settings)[0], settings.scale)
        elif choice == "dot":
            files[f"{stem}.dot"] = dot(picture, settings.direction)
        elif choice == "txt":
            files[f"{stem}.txt"] = diff_report(whole, *names)
        else:
            files[f"{stem}.json"] = dumps(whole)
    return files, whole


def check_diff(formats: Collection[str]) -> None:
    """Nothing, if a comparison can be written in these formats here.

    Raises:
        UsageError: a comparison has no such format, or it needs what is not installed.
    """
    for choice in formats:
        if choice not in DIFF_FORMATS:
            raise UsageError(f"a diff cannot be written as {choice[:60]!r}", suggestion(choice, DIFF_FORMATS))
    check(formats)


def _compared(a: Graph, b: Graph, whole: Graph, settings: Settings) -> Graph:
    if settings.focus is not None:
        return diff(focus(a, settings.focus), focus(b, settings.focus))
    if not settings.fold or (settings.depth is None and max(visible(a), visible(b)) <= SCREEN):
        return whole
    return diff(fold(a, settings.depth), fold(b, settings.depth))
