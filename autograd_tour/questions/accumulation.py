"""What ``.grad`` is after one backward and after two, zeroed and not."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.ledger import LeafAccount
from autograd_tour.questions.base import Question, Run, first, numeric, where
from autograd_tour.text import number, one_line

__all__ = ["again", "sums"]

MOST = 2
SMALL = 4
"""A leaf with more elements than this is no matter for a question."""


def again(run: Run) -> Iterator[Question]:
    """``.grad`` after the second backward, without zeroing and with it."""
    if run.ledger is None or run.ledger.calls < 2:
        return
    small = [
        account
        for account in run.ledger.accounts
        if account.name and all(first(call.contribution) for call in account.keep[:2]) and _small(account)
    ]
    for account in small[:MOST]:
        yield _again(run, account)
    for account in small[:1]:
        yield _zeroed(run, account)


def _small(account: LeafAccount) -> bool:
    facts = account.keep[0].contribution
    return facts is not None and facts.numel <= SMALL


def _leaf(run: Run, name: str) -> str:
    return next((node.id for node in run.graph.nodes if node.kind == "leaf" and node.name == name), "")


def _again(run: Run, account: LeafAccount) -> Question:
    one, two = account.keep[0], account.keep[1]
    before, contribution, after = first(one.after), first(two.contribution), first(two.after)
    assert after is not None
    assert two.after is not None
    name = one_line(account.name, 60)
    wrong = numeric(
        after,
        (
            (contribution, "you assumed that backward overwrites .grad; it adds to it."),
            (0.0, "nothing empties .grad by itself; that is what zero_grad is for."),
            (
                before * contribution if before and contribution else None,
                "gradients of calls are added, not multiplied.",
            ),
            (
                (before + contribution) / 2 if before and contribution else None,
                "you assumed an average; .grad is a sum.",
            ),
        ),
    )
    return Question(
        f"again-{name}",
        "accumulation",
        f"backward() is called twice, after a fresh forward each time, and nothing is zeroed in between. "
        f"What is {name}.grad after the second call{where(two.after)}?",
        number(after),
        f"backward adds to .grad: {_told(before)} + {_told(contribution)} = {number(after)}.",
        wrong,
        node=_leaf(run, account.name),
    )


def _zeroed(run: Run, account: LeafAccount) -> Question:
    two = account.none[1]
    after, kept = first(two.after), first(account.keep[1].after)
    assert after is not None
    assert two.after is not None
    name = one_line(account.name, 60)
    wrong = numeric(
        after,
        (
            (kept, "you assumed that nothing was zeroed: that is the sum of both calls."),
            (0.0, "zero_grad came before backward, and backward puts the new gradient there."),
        ),
    )
    return Question(
        f"zeroed-{name}",
        "accumulation",
        f"backward(), then zero_grad(), then a fresh forward and backward() again. "
        f"What is {name}.grad now{where(two.after)}?",
        number(after),
        f"zero_grad() sets .grad to None, so only the second call counts: {number(after)}.",
        wrong,
        node=_leaf(run, account.name),
    )


def _told(value: float | None) -> str:
    return number(value) if value is not None else "None"


def sums(run: Run) -> Iterator[Question]:
    """A scalar that was broadcast: its gradient is a sum."""
    found = 0
    for frame in run.frames:
        for sent in frame.sent:
            broadcast = "broadcast" in sent.edge.marks and sent.edge.dst in run.leaf_of
            incoming = next((facts for facts in frame.received if facts is not None), None)
            answer = first(sent.facts)
            if not broadcast or incoming is None or answer is None or not answer or found == MOST:
                continue
            if sent.facts is None or sent.facts.numel != 1 or not sent.edge.rule.startswith("Σ"):
                continue
            many = incoming.numel
            one = first(incoming) or 0.0
            wrong = numeric(
                answer,
                (
                    (one, f"you took the first of the {many} gradients; all of them count."),
                    (answer / many, "you took the mean; broadcasting is undone by a sum."),
                ),
            )
            if not wrong:
                continue
            found += 1
            leaf = run.called(sent.edge.dst)
            yield Question(
                f"sum-{frame.node}-{sent.edge.dst}",
                "broadcast",
                f"{leaf} is one number and went into {many} elements of {run.called(frame.node)}. The "
                f"gradients that come back are {number(one, 4)} and {many - 1} more. What arrives at {leaf}?",
                number(answer),
                f"All {many} are added: {leaf} took part in every element.",
                wrong,
                tuple(sorted([number(answer), *(item.answer for item in wrong)])),
                0.0,
                run.leaf_of[sent.edge.dst],
                frame.number,
                f"{run.leaf_of[sent.edge.dst]}.mailbox",
            )
