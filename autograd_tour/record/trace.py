"""One traced program: all records of it, which travel as one."""

from __future__ import annotations

from msgspec import Struct

from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger

__all__ = ["Trace"]


class Trace(Struct, frozen=True, omit_defaults=True):
    """The graph of a run and, where its backward calls were followed, the ledger of accumulation."""

    graph: Graph = Graph()
    ledger: Ledger | None = None
