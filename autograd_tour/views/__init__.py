"""Ways to look at a trace: pure functions to a picture without places, one file each."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.errors import PictureError
from autograd_tour.record.trace import Trace
from autograd_tour.registry import pick, scan
from autograd_tour.views.base import View
from autograd_tour.views.look import ALL, Look, dressed
from autograd_tour.views.picture import Picture, check

__all__ = ["View", "picture_of", "registry"]


def registry() -> Mapping[str, View]:
    """Name -> view, ours and those of entry points in the group ``autograd_tour.views``."""
    return scan("autograd_tour.views", "view")


def picture_of(trace: Trace, name: str = "graph", look: Look = ALL) -> Picture:
    """What the view called ``name`` makes of ``trace``, as ``look`` asks for.

    Raises:
        UsageError: there is no such view, the trace has not what it shows, or nothing is called as
            ``look.mark`` says.
        PictureError: a view of another package returned what is no picture.
    """
    registered = registry()
    view = registered[pick("view", name, registered)]
    picture = view.chosen(trace, look) if look.chooses_rows else view.picture(trace)
    try:
        checked = check(picture)
        return checked if look == ALL else dressed(checked, trace.graph, look)
    except PictureError as error:
        raise PictureError(
            f"the view {name!r} cannot be drawn: {error.message}", "Update the package it is from"
        ) from None
