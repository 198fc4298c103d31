"""A graph or ledger as a picture, in one word: the view, then the drawing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from autograd_tour.drawing import Direction, draw, frames, ready
from autograd_tour.drawing import dot as dot_of
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.picture import Chart, Film, Scene


def _seen(graph: Graph, view: str) -> Any:
    return picture_of(Trace(graph), "diff" if graph.compared else view)


def scene_of(graph: Graph, direction: Direction = "LR", view: str = "graph") -> Scene:
    """The cards and links of a view, with their texts in their room."""
    return ready(_seen(graph, view), direction)


def picture(graph: Graph, view: str = "graph", **options: Any) -> str:
    """A view as SVG."""
    return draw(_seen(graph, view), **options)


def dot(graph: Graph, direction: Direction = "LR", view: str = "graph") -> str:
    """A view as DOT."""
    return dot_of(_seen(graph, view), direction)


def film(graph: Graph, **options: Any) -> Iterator[str]:
    """Every frame as SVG."""
    steps = _seen(graph, "steps")
    assert isinstance(steps, Film)
    return frames(steps, **options)


def ledger_chart(ledger: Ledger, title: str = "", **options: Any) -> str:
    """The accumulation as SVG."""
    chart = picture_of(Trace(ledger=ledger), "accumulation")
    assert isinstance(chart, Chart)
    return draw(replace(chart, title=title), **options)
