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
    tells_sizes = True
    summary = "a text report with every number of the pictures"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM-report.txt``."""
        text = report(
            trace.graph,
            trace.ledger,
            trace.run,
            title=stem,
            strip=strip(trace),
            pictures=settings.pictures,
        )
        return {f"{stem}-report.txt": text}


writer = Txt()
