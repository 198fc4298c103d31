"""What a view is: a pure function from a Graph to a Graph, with a name."""

from __future__ import annotations

from abc import ABC, abstractmethod

from autograd_tour.record.graph import Graph

__all__ = ["View"]


class View(ABC):
    """A way to look at a Graph. One file with one object called ``view`` adds one."""

    name: str
    """What ``--view`` takes."""
    summary: str
    """One line for help texts."""

    @abstractmethod
    def apply(self, graph: Graph) -> Graph:
        """A new Graph; the one given is not changed."""
