"""What a format is, and the choices a reader makes about pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from autograd_tour.drawing import Room, ThemeName, Turn
from autograd_tour.drawing.extents import drawing_view
from autograd_tour.errors import UsageError
from autograd_tour.formats.readable import readable
from autograd_tour.progress import doing
from autograd_tour.record.trace import Trace
from autograd_tour.registry import pick
from autograd_tour.views import picture_of
from autograd_tour.views import registry as views
from autograd_tour.views.base import View
from autograd_tour.views.focus import called, focus
from autograd_tour.views.fold import composites, fold
from autograd_tour.views.joined import without
from autograd_tour.views.look import ALL, Look
from autograd_tour.views.opening import framed, with_open
from autograd_tour.views.picture import Frame, Picture, PictureSize

__all__ = [
    "ACCUMULATION",
    "DEFAULT_FORMATS",
    "DEFAULT_VIEWS",
    "PICTURES",
    "RUN",
    "Format",
    "Settings",
    "check_look",
    "chosen_views",
    "pick_view",
    "simplified",
]

ACCUMULATION = "accumulation"
"""The view that shows the ledger; a trace may have none."""

DIFF = "diff"
"""The picture of two graphs; see :func:`autograd_tour.views.diff.diff`."""

RUN = "run"
"""The view that shows the run of a program that trains; a trace may have none."""

DEFAULT_VIEWS = ("graph", "chain", ACCUMULATION, RUN)
DEFAULT_FORMATS = ("svg", "txt", "json")
PICTURES = frozenset({"svg", "pdf", "png"})
"""The formats that show a ledger or a run."""


@dataclass(frozen=True)
class Settings:
    """How to trace and draw. Empty ``formats`` and ``views`` mean the usual ones.

    ``keep`` elements per tensor (``None``: all), ``ceiling`` MB of elements in all, ``calls`` backward
    calls in the ledger, ``timeout`` seconds for one layout, ``scale`` pixels of a PNG for each px of the
    picture. ``fold`` large graphs to one screen, or modules at ``depth`` levels, but leave what has the names
    in ``open`` open; ``focus`` on a module, a name or a node and what is around it. Pictures are made for a
    ``room``, or as large as they are, and show what ``look`` asks for. ``pictures`` are those drawn already,
    for a format that tells their sizes.
    """

    formats: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    theme: ThemeName = "auto"
    direction: Turn = "auto"
    engine: str | None = None
    calls: int = 4
    keep: int | None = 16
    ceiling: float = 256
    timeout: float = 60.0
    fold: bool = True
    depth: int | None = None
    open: tuple[str, ...] = ()
    focus: str | None = None
    scale: float = 2.0
    room: Room | None = None
    look: Look = ALL
    pictures: tuple[PictureSize, ...] = ()


class Format(ABC):
    """A way to write a trace. One file with one object called ``writer`` adds one."""

    name: str
    """What ``-f`` takes."""
    endings: tuple[str, ...] = ()
    """How its files end; where nothing is said, with a dot and the name."""
    summary: str
    """One line for help texts."""
    tells_sizes: bool = False
    """Whether it tells how large the pictures are that other formats draw."""

    def check(self) -> None:  # noqa: B027 (most formats need nothing)
        """Nothing, if all that this format needs is installed.

        Raises:
            UsageError: something is missing; the hint says how to get it.
        """

    @abstractmethod
    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str | bytes]:
        """File name -> content, all names starting with ``stem``."""


def chosen_views(trace: Trace, settings: Settings) -> Iterator[tuple[str, Picture]]:
    """(view name, its picture) for the views asked for.

    Raises:
        UsageError: an unknown view, the trace has not what it shows, or nothing is called as a mark says.
        PictureError: a view of another package returned what cannot be drawn.
    """
    check_look(settings)
    if trace.graph.compared:  # a saved comparison: its states can be drawn in one way only
        with drawing_view(DIFF, trace.graph.meta.folding):
            yield DIFF, picture_of(trace, DIFF)
        return
    look = settings.look
    for name in look.mark:  # of the program itself: in a picture it may be inside a card
        called(trace.graph, name)
    whole = replace(trace, graph=without(trace.graph, look.joined)) if look.joined else trace
    seen: dict[bool, Simplified] = {}
    missing = {ACCUMULATION: trace.ledger is None, RUN: trace.run is None}
    for name in settings.views or DEFAULT_VIEWS:
        if settings.views or not missing.get(name, False):
            view = views()[pick_view(name)]
            start = trace if view.of_edges else whole
            if view.of_edges not in seen:
                seen[view.of_edges] = simplified(start, settings)
            simple = _seen_by(view, start, seen[view.of_edges], settings)
            picture = framed(picture_of(simple.trace, name, look), simple.frames)
            chosen, folding = readable(start, picture, view, settings, simple)
            with drawing_view(name, folding):
                yield name, chosen


def check_look(settings: Settings) -> None:
    """Nothing, if one of the views has the rows that are chosen.

    Raises:
        UsageError: none of them has rows to choose from.
    """
    if settings.views and settings.look.chooses_rows:
        choices = {name: views()[pick_view(name)].rows for name in settings.views}
        if not any(choices.values()):
            having = ", ".join(name for name, view in views().items() if view.rows)
            raise UsageError(
                f"the rows of {', '.join(choices)} cannot be chosen",
                f"--show, --only, --compact and --math: {having}",
            )


def _seen_by(view: View, trace: Trace, simple: Simplified, settings: Settings) -> Simplified:
    """What ``view`` is to show: ``simple``, or its own condensed ``trace``, which is folded after that."""
    if settings.focus is not None:
        return simple._replace(trace=view.condensed(simple.trace))
    condensed = view.condensed(trace)
    if condensed is not trace:
        return simplified(condensed, settings)
    if view.of_edges and settings.fold and not settings.open and composites(trace.graph) is not trace.graph:
        return Simplified(replace(trace, graph=fold(trace.graph, settings.depth, calls=False)))
    return simple


class Simplified(NamedTuple):
    """A trace as its pictures show it, and what stands around the insides of cards that are open."""

    trace: Trace
    frames: tuple[Frame, ...] = ()


def simplified(trace: Trace, settings: Settings) -> Simplified:
    """The trace as its pictures show it: in focus, folded, or as it is.

    Raises:
        UsageError: nothing is called as ``settings.focus`` says, or nothing folded as ``settings.open`` does.
    """
    graph = trace.graph
    with doing("folding"):
        if settings.focus is not None:
            return Simplified(replace(trace, graph=focus(graph, settings.focus)))
        if settings.open:
            result = with_open(graph, settings.open, settings.depth)
            return Simplified(replace(trace, graph=result.graph), result.frames)
        return Simplified(replace(trace, graph=fold(graph, settings.depth)) if settings.fold else trace)


def pick_view(name: str) -> str:
    """``name`` if one trace can be looked at so.

    Raises:
        UsageError: it is unknown, or needs two graphs.
    """
    if name == DIFF:
        raise UsageError("a diff needs two graphs, and this is one", "autograd-tour diff A B compares two")
    return pick("view", name, [view for view in views() if view != DIFF])
