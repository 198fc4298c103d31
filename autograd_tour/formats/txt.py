"""The text report: the picture's twin for terminals, diffs and screen readers."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.findings import strip
from autograd_tour.formats.base import Format, Settings
from autograd_tour.record.trace import Trace
from autograd_tour.reports import report

__all__ = ["writer"]


class Txt(Format):
    """The grad_fn tree, the gradients step by step, what was saved, the formulas, the ledger, the run."""

    name = "txt"
    summary = "a text report with every number of the pictures"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM-report.txt``."""
        return {
            f"{stem}-report.txt": report(trace.graph, trace.ledger, trace.run, title=stem, strip=strip(trace))
        }


writer = Txt()
