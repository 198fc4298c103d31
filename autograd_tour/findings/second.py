"""``backward through the graph a second time``: which node, and which backward freed it."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for the backward that failed."""
    freed, failure = subject.evidence.freed, subject.evidence.failure
    if freed is None or failure is None:
        return
    node, graph = subject.node_at(freed.made_at, freed.grad_fn)
    lines = lines_of(
        ("computed here", freed.made_at),
        ("freed by this backward", freed.freed_at),
        ("needed again by this backward", freed.backward_at),
    )
    start = (
        "A backward frees what its nodes saved, to give memory back. "
        f"{freed.grad_fn} was passed by two of them. "
    )
    if freed.again:
        kind = "second-backward-same-loss"
        why = (
            start
            + "It is the same loss both times: one call is enough, or the gradient would be counted twice."
        )
        fix = "loss.backward()      # once"
    elif freed.carried:
        kind = "second-backward-carried-over"
        why = start + (
            "The second loss was computed after the first backward, from a result of before it, such as a "
            "hidden state "
            "that is carried over. Cut it off between iterations. With retain_graph=True the graph would "
            "grow with every "
            "iteration, and fail or slow down later."
        )
        fix = "hidden = hidden.detach()   # at the start of each iteration"
    else:
        kind = "second-backward-two-losses"
        why = start + (
            "Two losses share it. Add them and call backward once: the gradients are the same, and the "
            "shared part is "
            "passed once instead of twice."
        )
        fix = "(loss_a + loss_b).backward()"
    yield Finding(
        kind,
        "error",
        "a second backward came to nodes that an earlier one had freed",
        lines,
        why,
        fix,
        node,
        graph,
        failure.text,
    )
