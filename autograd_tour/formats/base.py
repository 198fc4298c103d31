"""What a format is, and the choices a reader makes about pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograd_tour.drawing import Direction, ThemeName
from autograd_tour.errors import UsageError
from autograd_tour.graph import Graph
from autograd_tour.ledger import Ledger
from autograd_tour.registry import pick
from autograd_tour.views import registry as views
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import fold

__all__ = ["ACCUMULATION", "DEFAULT_FORMATS", "DEFAULT_VIEWS", "Format", "Settings", "chosen_views"]

ACCUMULATION = "accumulation"
"""The one picture that is drawn from the ledger, not from the graph."""

DEFAULT_VIEWS = ("graph", "chain", ACCUMULATION)
DEFAULT_FORMATS = ("svg", "txt", "json")


@dataclass(frozen=True)
class Settings:
    """How to trace and draw. Empty ``formats`` and ``views`` mean the usual ones.

    ``keep`` elements per tensor (``None``: all), ``calls`` backward calls in the ledger,
    ``timeout`` seconds for one layout. ``fold`` large graphs to one screen, or modules at ``depth``
    levels; ``focus`` on a module, a name or a node and what is around it.
    """

    formats: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    theme: ThemeName = "auto"
    direction: Direction = "LR"
    engine: str | None = None
    calls: int = 4
    keep: int | None = 16
    timeout: float = 60.0
    fold: bool = True
    depth: int | None = None
    focus: str | None = None


class Format(ABC):
    """A way to write a trace. One file with one object called ``format`` adds one."""

    name: str
    """What ``-f`` takes, and the ending of its files."""
    summary: str
    """One line for help texts."""

    @abstractmethod
    def files(
        self, stem: str, graph: Graph, ledger: Ledger | None, settings: Settings
    ) -> Mapping[str, str | bytes]:
        """File name -> content, all names starting with ``stem``."""


def chosen_views(graph: Graph, ledger: Ledger | None, settings: Settings) -> Iterator[tuple[str, Graph | Ledger]]:
    """(view name, what to draw) for the views asked for.

    Raises:
        UsageError: an unknown view, or the accumulation of a trace that has no ledger.
    """
    known = views()
    shown = graph
    if settings.focus is not None:
        shown = focus(graph, settings.focus)
    elif settings.fold:
        shown = fold(graph, settings.depth)
    for name in settings.views or DEFAULT_VIEWS:
        pick("view", name, [*known, ACCUMULATION])
        if name != ACCUMULATION:
            yield name, known[name].apply(shown)
        elif ledger is not None:
            yield name, ledger
        elif settings.views:
            raise UsageError("this trace has no accumulation ledger", "Trace the program itself, not a saved graph of it")
