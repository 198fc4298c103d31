"""``backward through the graph a second time``: which node, and which backward freed it."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import FreedNode

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for the backward that failed."""
    freed, failure = subject.evidence.freed, subject.evidence.failure
    if freed is None or failure is None:
        return
    if freed.returned:
        yield _of_returned(subject, freed, failure.message)
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
        if freed.freed_at is not None and freed.freed_at == freed.backward_at:
            why = start + (
                "It is the same loss each time this line runs: it was computed once, and what has changed "
                "since is not in it. Each backward needs a forward of its own."
            )
            fix = (
                "for _ in range(steps):\n"
                "    loss = ((model(x) - y) ** 2).mean()   # in the loop, not before it\n"
                "    loss.backward()"
            )
        else:
            why = start + (
                "It is the same loss both times: one call is enough. A second one would bring the same "
                "gradient again."
            )
            fix = "loss.backward()      # once"
    elif freed.carried and freed.freed_at != freed.backward_at:
        kind = "second-backward-two-losses"
        why = start + (
            "Two losses were computed from the same result, the second one after the first backward. If the "
            "first is not to train what made that result, as the loss of a discriminator is not to train the "
            "generator, give it the result without its history; else keep the graph for the second."
        )
        fix = (
            "loss_a = judge(fake.detach()).mean()   # a backward of loss_a ends at fake\n"
            "loss_a.backward()                      # or, to train both: loss_a.backward(retain_graph=True)\n"
            "loss_b = judge(fake).mean()\n"
            "loss_b.backward()"
        )
    elif freed.carried:
        kind = "second-backward-carried-over"
        why = start + (
            "The second loss was computed after the first backward, from a result of before it, such as a "
            "hidden state that is carried over, or a list that still has the results of before. Cut it off "
            "between iterations. With retain_graph=True the graph would grow with every iteration, and fail "
            "or slow down later."
        )
        fix = (
            "hidden = hidden.detach()    # at the start of each iteration\n"
            "hidden = tuple(h.detach() for h in hidden)   # or so, of the two of an LSTM\n"
            "results.clear()             # or so, if it is a list to which each iteration appends"
        )
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


def _of_returned(subject: Subject, freed: FreedNode, message: str) -> Finding:
    """Of what is left of a loss whose backward the program has called before it handed it over."""
    node, graph = subject.node_at(freed.made_at, freed.grad_fn)
    why, fix = (_BEFORE, _STEP) if freed.freed_at is None else (_INSIDE, _RETAINED)
    return Finding(
        "second-backward-of-result",
        "error",
        "the program differentiated its loss itself, which freed the graph of what it returned",
        lines_of(("computed here", freed.made_at), ("freed by this backward", freed.freed_at)),
        f"A backward frees what its nodes saved, and of {freed.grad_fn} nothing is left. {why}",
        fix,
        node,
        graph,
        message,
    )


_BEFORE = (
    "That is most likely no fault of the program: the loss was named after its backward had run, as "
    "where a whole script runs when its file is loaded. Name a function that runs the step, with its "
    "backward: it is followed as it is."
)
_STEP = (
    "def train():            # and then: autograd-tour explain FILE.py:train\n"
    "    loss = loss_fn(model(x), y)\n"
    "    loss.backward()"
)
_INSIDE = "What the program returned is computed from it, so it has no gradient any more."
_RETAINED = (
    "grad, = torch.autograd.grad(loss, w, retain_graph=True)   # or create_graph=True, to differentiate grad"
)
