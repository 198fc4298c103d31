"""One traced program: all records of it, which travel as one."""

from __future__ import annotations

from msgspec import Struct

from autograd_tour.record.display import Displayed
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.run import Run

__all__ = ["Trace"]


class Trace(Displayed, Struct, frozen=True, omit_defaults=True):
    """The graph of a run and, where its backward calls were followed, the ledger of accumulation.

    ``run`` is there if the program calls backward itself: the graph is then that of its first backward, and
    the ledger tells its own calls.
    """

    graph: Graph = Graph()
    ledger: Ledger | None = None
    run: Run | None = None

    def summary(self) -> str:
        """Which records it holds."""
        parts = [part.summary() for part in (self.graph, self.ledger, self.run) if part is not None]
        return f"Trace: {'; '.join(parts)}"
