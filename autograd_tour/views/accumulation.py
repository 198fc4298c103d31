"""What backward adds to ``.grad``, call by call, zeroed and not: the picture of the ledger."""

from __future__ import annotations

from autograd_tour.errors import UsageError
from autograd_tour.record.trace import Trace
from autograd_tour.views.base import View
from autograd_tour.views.chart_rows import rows_of, unchanged
from autograd_tour.views.picture import Chart

__all__ = ["view"]


class Accumulation(View):
    """A bar for each call, stacked from what the calls brought."""

    name = "accumulation"
    summary = "what is in .grad after each backward call, with and without zeroing"

    def picture(self, trace: Trace) -> Chart:
        """The numbers of the ledger, as rows of a chart.

        Raises:
            UsageError: the trace has no ledger.
        """
        if trace.ledger is None:
            hint = "Trace the program itself, not a saved graph of it"
            raise UsageError("this trace has no accumulation ledger", hint)
        return Chart(trace.ledger, *rows_of(trace.ledger), unchanged=unchanged(trace.ledger))


view = Accumulation()
