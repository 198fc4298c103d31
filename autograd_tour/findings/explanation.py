"""What explain() returns: the findings of one run as data, which shows itself where it is looked at."""

from __future__ import annotations

from collections.abc import Container
from importlib import import_module

from msgspec import Struct

from autograd_tour.findings import findings
from autograd_tour.findings.base import Finding, Subject
from autograd_tour.record.display import Displayed, amount
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace

__all__ = ["Explanation", "explanation_of"]


class Explanation(Displayed, Struct, frozen=True):
    """The findings about one run of a program, the worst first, and the graphs whose nodes they mark."""

    findings: tuple[Finding, ...]
    graphs: tuple[Graph, ...] = ()
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """How many findings there are, and the worst."""
        count = amount(len(self.findings), "finding")
        worst = f"; {self.findings[0].brief}" if self.findings else ""
        return f"Explanation: {count}{worst}"

    def _repr_markdown_(self) -> str:
        """The findings without pictures, code in fences."""
        text: str = import_module("autograd_tour.formats.explanation").sections(self.findings)
        return text

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """The line, the findings as text with markup, and with pictures, each if it is asked for."""
        bundle = super()._repr_mimebundle_(include, exclude)
        if (include is None or "text/markdown" in include) and "text/markdown" not in (exclude or ()):
            bundle["text/markdown"] = self._repr_markdown_()
        return bundle


def explanation_of(trace: Trace) -> Explanation:
    """What a record alone shows; where a value lost its history, only the program can tell."""
    graphs = trace.run.graphs if trace.run is not None else (trace.graph,)
    return Explanation(findings(Subject(graphs, trace.run)), graphs)
