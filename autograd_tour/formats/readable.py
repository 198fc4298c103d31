"""Which picture of a program is drawn for a room where the usual one is too small."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from autograd_tour.drawing import MOST, best_for
from autograd_tour.errors import UsageError
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.base import View
from autograd_tour.views.calls import by_calls
from autograd_tour.views.fold import SCREEN, fold, inputs_alike, noted, visible
from autograd_tour.views.look import Look
from autograd_tour.views.opening import framed, with_open
from autograd_tour.views.picture import Film, Frame, Picture, Scene
from autograd_tour.views.statements import by_statements
from autograd_tour.views.unfold import Opened

if TYPE_CHECKING:
    from autograd_tour.formats.base import Settings, Simplified

__all__ = ["readable"]

SCREENS = (20, 14, 10, 7)
"""Cards of a graph that is folded further since its text would be too small in its room."""
FEW = 14
"""A graph of so few cards is not, in a view that shows all rows or none: they are what it is for."""

LEVELS = (2, 1)
"""So deep is folded what is around a block that is open, where room is short."""

Candidate = tuple[Scene | Film, str]
"""A picture, and what in it is folded."""

Brief = Literal["", "numbers", "lines"]
_BRIEF: tuple[Brief, ...] = ("numbers", "lines")


def readable(
    trace: Trace,
    picture: Picture,
    view: View,
    settings: Settings,
    simple: Simplified,
) -> tuple[Picture, str]:
    """``picture``, or one of ``trace`` with less in it, if its text is too small, and what in it is folded.

    ``simple`` is what ``picture`` shows: the trace as it is folded or in focus.
    """
    room = settings.room
    if room is None or room.endless or not isinstance(picture, Scene | Film):
        return picture, simple.trace.graph.meta.folding if isinstance(picture, Scene | Film) else ""
    if isinstance(picture, Film) and not math.isinf(room.height):
        return picture, simple.trace.graph.meta.folding  # a camera goes along instead
    pictures: list[Candidate] = []

    def scenes() -> Iterator[Scene]:
        for candidate in _candidates(trace, picture, view, settings, simple):
            pictures.append(candidate)
            drawn = candidate[0]
            yield drawn.scene if isinstance(drawn, Film) else drawn

    number = best_for(scenes(), room, settings.direction, engine=settings.engine, timeout=settings.timeout)
    return pictures[number]


def _candidates(
    trace: Trace,
    picture: Scene | Film,
    view: View,
    settings: Settings,
    simple: Simplified,
) -> Iterator[Candidate]:
    """``picture``, then others for a room where it is too small, in the order in which they are wanted.

    What one call made is one card; then cards are brief; then what one statement made is one card, and the
    graph is folded further. A reader who says how it is folded or what is in focus gets that; around a block
    that is open more may be folded. No card is made of operations that only came one after the other.
    """
    yield picture, simple.trace.graph.meta.folding
    look = settings.look
    brief: Brief = "numbers" if view.briefer and not look.show else ""
    if not settings.fold or settings.depth is not None or settings.focus is not None or settings.open:
        ways: tuple[Brief, ...] = _BRIEF if brief else ()
        for way in ways:
            yield from _drawn(simple.trace, view, look, way, simple.frames)
        for less in _less_deep(trace, view, settings, simple):
            for way in ("", *ways):
                yield from _drawn(replace(trace, graph=less.graph), view, look, way, less.frames)
        return
    graph = view.condensed(trace).graph
    if not brief and visible(graph) <= FEW:
        return

    def drawn(graph: Graph, brief: Brief) -> Iterator[Candidate]:
        return _drawn(replace(trace, graph=graph), view, look, brief)

    graphs = [_start(graph, simple.trace.graph)]
    for condensed in () if view.of_edges else _CONDENSED:
        smaller = condensed(graphs[-1])
        if visible(smaller) < visible(graphs[-1]):
            graphs.append(noted(smaller))
            if brief and condensed is by_calls:
                yield from drawn(graphs[-1], "")
            yield from drawn(graphs[-1], brief)
        elif brief and condensed is by_calls:
            yield from drawn(graphs[0], brief)
    natural = len(graphs) - 1
    statements = graphs[-1] if view.of_edges else by_statements(graphs[-1], whole=True)
    if visible(statements) < visible(graphs[-1]):
        graphs.append(noted(statements))
        yield from drawn(graphs[-1], brief)
    for limit in SCREENS:
        if limit < visible(graphs[-1]):
            graphs.append(fold(graphs[-1], limit=limit, runs=False))
            yield from drawn(graphs[-1], brief)
    for candidate in graphs[natural:] if brief else ():
        yield from drawn(candidate, "lines")


def _less_deep(trace: Trace, view: View, settings: Settings, simple: Simplified) -> Iterator[Opened]:
    """What is to be open, and all else folded at fewer levels than a screen has room for."""
    if not settings.open or settings.depth is not None or settings.focus is not None:
        return
    fewest = visible(simple.trace.graph)
    for depth in LEVELS:
        try:
            less = with_open(view.condensed(trace).graph, settings.open, depth)
        except UsageError:  # at so few levels it is inside a card
            return
        if visible(less.graph) < fewest:
            fewest = visible(less.graph)
            yield less


def _start(graph: Graph, folded: Graph) -> Graph:
    """``graph``, or what it is ``folded`` to if more than its calls is too much for a screen."""
    if visible(graph) <= SCREEN:
        return graph
    return graph if visible(graph) <= MOST and visible(by_calls(graph)) <= SCREEN else folded


_CONDENSED: tuple[Callable[[Graph], Graph], ...] = (
    by_calls,
    by_statements,
    partial(by_statements, modules=True),
    inputs_alike,
    partial(inputs_alike, fewest=2),
)
"""Each makes a graph of fewer cards of what those before it left."""


def _drawn(
    trace: Trace, view: View, look: Look, brief: Brief = "", frames: tuple[Frame, ...] = ()
) -> Iterator[Candidate]:
    """The picture of ``trace``, if it is one of cards, and not of too many to be looked at closely."""
    if visible(trace.graph) > MOST:
        return
    picture = framed(picture_of(trace, view.name, replace(look, brief=brief) if brief else look), frames)
    if isinstance(picture, Scene | Film):
        yield picture, trace.graph.meta.folding
