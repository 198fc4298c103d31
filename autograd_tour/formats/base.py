"""What a format is, and the choices a reader makes about pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograd_tour.drawing import Direction, ThemeName
from autograd_tour.errors import UsageError
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.registry import pick
from autograd_tour.views import registry as views
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import fold

__all__ = [
    "ACCUMULATION",
    "DEFAULT_FORMATS",
    "DEFAULT_VIEWS",
    "PICTURES",
    "STEPS",
    "Format",
    "Settings",
    "chosen_views",
    "pick_view",
    "shown_graph",
]

ACCUMULATION = "accumulation"
"""The one picture that is drawn from the ledger, not from the graph."""

DIFF = "diff"
"""The picture of two graphs; see :func:`autograd_tour.views.diff.diff`."""

STEPS = "steps"
"""The view that has a picture for each step of backward."""

DEFAULT_VIEWS = ("graph", "chain", ACCUMULATION)
DEFAULT_FORMATS = ("svg", "txt", "json")
PICTURES = frozenset({"svg", "pdf", "png"})
"""The formats that show a ledger as a chart."""


@dataclass(frozen=True)
class Settings:
    """How to trace and draw. Empty ``formats`` and ``views`` mean the usual ones.

    ``keep`` elements per tensor (``None``: all), ``ceiling`` MB of elements in all, ``calls`` backward
    calls in the ledger, ``timeout`` seconds for one layout, ``scale`` pixels of a PNG for each px of the
    picture. ``fold`` large graphs to one screen, or modules at ``depth`` levels; ``focus`` on a module,
    a name or a node and what is around it.
    """

    formats: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    theme: ThemeName = "auto"
    direction: Direction = "LR"
    engine: str | None = None
    calls: int = 4
    keep: int | None = 16
    ceiling: float = 256
    timeout: float = 60.0
    fold: bool = True
    depth: int | None = None
    focus: str | None = None
    scale: float = 2.0


class Format(ABC):
    """A way to write a trace. One file with one object called ``writer`` adds one."""

    name: str
    """What ``-f`` takes."""
    endings: tuple[str, ...] = ()
    """How its files end; where nothing is said, with a dot and the name."""
    summary: str
    """One line for help texts."""

    def check(self) -> None:  # noqa: B027 (most formats need nothing)
        """Nothing, if all that this format needs is installed.

        Raises:
            UsageError: something is missing; the hint says how to get it.
        """

    @abstractmethod
    def files(
        self, stem: str, graph: Graph, ledger: Ledger | None, settings: Settings
    ) -> Mapping[str, str | bytes]:
        """File name -> content, all names starting with ``stem``."""


def chosen_views(
    graph: Graph, ledger: Ledger | None, settings: Settings
) -> Iterator[tuple[str, Graph | Ledger]]:
    """(view name, what to draw) for the views asked for.

    Raises:
        UsageError: an unknown view, or the accumulation of a trace that has no ledger.
    """
    known = views()
    if graph.style == DIFF:  # a saved comparison: its states can be drawn in one way only
        yield DIFF, graph
        return
    shown = shown_graph(graph, settings)
    for name in settings.views or DEFAULT_VIEWS:
        pick_view(name)
        if name != ACCUMULATION:
            yield name, known[name].apply(shown)
        elif ledger is not None:
            yield name, ledger
        elif settings.views:
            hint = "Trace the program itself, not a saved graph of it"
            raise UsageError("this trace has no accumulation ledger", hint)


def shown_graph(graph: Graph, settings: Settings) -> Graph:
    """The graph as its pictures show it: in focus, folded, or as it is.

    Raises:
        UsageError: nothing is called as ``settings.focus`` says.
    """
    if settings.focus is not None:
        return focus(graph, settings.focus)
    return fold(graph, settings.depth) if settings.fold else graph


def pick_view(name: str) -> str:
    """``name`` if a graph can be looked at so.

    Raises:
        UsageError: it is unknown, or needs two graphs.
    """
    if name == DIFF:
        raise UsageError("a diff needs two graphs, and this is one", "autograd-tour diff A B compares two")
    return pick("view", name, [*views(), ACCUMULATION])
