"""``.grad`` of a computed tensor was read: only leaves have one."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each pair of lines, and for names of leaves that were bound anew."""
    for read in subject.evidence.reads:
        node, graph = subject.node_at(read.made_at)
        why = (
            f"backward deposits gradients in leaves only. This tensor is the result of {read.function}(), "
            f"so it is a step on "
            "the way: its gradient is used to compute those before it and is then dropped."
        )
        fix = "w = (torch.randn(3) * 0.1).requires_grad_()   # a leaf; or w.retain_grad() before backward"
        yield Finding(
            "grad-of-computed-tensor",
            "warning",
            ".grad was read of a tensor that is no leaf, and is None",
            lines_of(("computed here", read.made_at), ("read here", read.read_at)),
            why,
            fix,
            node,
            graph,
        )
