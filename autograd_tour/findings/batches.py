"""Micro-batches of unequal size whose gradients are added with one weight."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of

__all__ = ["findings"]

_FIX = (
    "loss = loss_fn(model(x), y) * len(x) / size   # size: elements of all micro-batches of this step\n"
    "loss.backward()"
)


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line that averages over them."""
    for batch in subject.evidence.unequal:
        node, graph = subject.node_at(batch.line)
        sizes = [f"{size:,}" for size in batch.sizes[:6]]
        several = f"{', '.join(sizes[:-1])} and {sizes[-1]}"
        yield Finding(
            "unequal-micro-batches",
            "warning",
            f"means over {several} elements were added to .grad with the same weight before one step",
            lines_of(("averaged here", batch.line), ("added to .grad here", batch.backward_at)),
            "Each mean divides by the size of its own micro-batch, and then all of them count the same. "
            "So an "
            "element of a small micro-batch counts more than one of a large micro-batch, and the "
            "gradient is not "
            "that of the mean over all of them. No error is raised.",
            _FIX,
            node,
            graph,
        )
