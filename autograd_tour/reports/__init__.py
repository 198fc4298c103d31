"""Text twins of the pictures: the grad_fn tree, the gradient table, the accumulation ledger."""

from autograd_tour.reports.trace import report

__all__ = ["report"]
