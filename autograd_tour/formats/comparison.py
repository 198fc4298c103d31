"""Two graphs -> the files that say what differs."""

from __future__ import annotations

from autograd_tour.codec import dumps
from autograd_tour.drawing import picture, readable_dot, scene_of
from autograd_tour.errors import UsageError, suggestion
from autograd_tour.formats.base import Settings
from autograd_tour.graph import Graph
from autograd_tour.reports.diff import diff_report
from autograd_tour.views.diff import diff
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import SCREEN, fold, visible

__all__ = ["DIFF_FORMATS", "files_of_diff"]

DIFF_FORMATS = ("svg", "txt", "json", "dot")
USUAL = ("svg", "txt")


def files_of_diff(
    names: tuple[str, str], a: Graph, b: Graph, settings: Settings
) -> tuple[dict[str, str], Graph]:
    """File name -> content, and the comparison of the graphs as they are.

    The table and the JSON compare every node. The picture compares the folded graphs if one of them
    does not fit a screen, since two folded graphs still show where to look.

    Raises:
        UsageError: a format that a comparison has not, or nothing has the name to focus on.
        EngineError: the layout failed.
    """
    stem = f"{names[0]}-vs-{names[1]}-diff"
    wanted = dict.fromkeys(settings.formats or USUAL)
    for choice in wanted:
        if choice not in DIFF_FORMATS:
            raise UsageError(f"a diff cannot be written as {choice[:60]!r}", suggestion(choice, DIFF_FORMATS))
    whole = diff(a, b)
    files: dict[str, str] = {}
    shown = _shown(a, b, whole, settings) if {"svg", "dot"} & set(wanted) else whole
    for choice in wanted:
        if choice == "svg":
            files[f"{stem}.svg"] = picture(
                shown,
                theme=settings.theme,
                direction=settings.direction,
                engine=settings.engine,
                timeout=settings.timeout,
            )
        elif choice == "dot":
            files[f"{stem}.dot"] = readable_dot(scene_of(shown, settings.direction))
        elif choice == "txt":
            files[f"{stem}.txt"] = diff_report(whole, *names)
        else:
            files[f"{stem}.json"] = dumps(whole)
    return files, whole


def _shown(a: Graph, b: Graph, whole: Graph, settings: Settings) -> Graph:
    if settings.focus is not None:
        return diff(focus(a, settings.focus), focus(b, settings.focus))
    if not settings.fold or (settings.depth is None and max(visible(a), visible(b)) <= SCREEN):
        return whole
    return diff(fold(a, settings.depth), fold(b, settings.depth))
