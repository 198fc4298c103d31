"""What ``.grad`` is after one backward and after two, zeroed and not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from autograd_tour.questions.base import TOLERANCE, Question, Subject, first, numeric, where
from autograd_tour.record.ledger import LeafAccount
from autograd_tour.text import closing, number, one_line

__all__ = ["again", "sum_text"]

SMALL = 4
"""A leaf with more elements than this is no matter for a question."""


def again(subject: Subject) -> Iterator[Question]:
    """``.grad`` after the second backward, without zeroing and with it.

    Only of a program that returns its loss: one that trains does not start afresh in each call.
    """
    ledger = subject.ledger
    if ledger is None or ledger.calls < 2 or "program" in ledger.policies or subject.run is not None:
        return
    count = Counter(account.name for account in ledger.accounts)
    small = [
        account
        for account in ledger.accounts
        if account.name
        and count[account.name] == 1
        and all(first(call.contribution) for call in account.keep[:2])
        and all(first(calls[1].after) is not None for calls in (account.keep, account.none))  # no overflow
        and _small(account)
    ]
    for account in small[:1]:
        yield _again(subject, account)
    # What one leaf taught is not asked of the next: the other question is about another leaf, if it can be.
    for account in small[1:2] or small[:1]:
        yield _zeroed(subject, account)


def _small(account: LeafAccount) -> bool:
    facts = account.keep[0].contribution
    return facts is not None and facts.numel <= SMALL


def _leaf(subject: Subject, name: str) -> str:
    return next((node.id for node in subject.graph.nodes if node.kind == "leaf" and node.name == name), "")


def _begin(subject: Subject, account: LeafAccount) -> str:
    """What .grad is after the first call; not again where an earlier question asks for just that."""
    leaf = _leaf(subject, account.name)
    name, facts = one_line(account.name, 60), account.keep[0].after
    if facts is None or subject.graph.accumulator_of(leaf) in subject.asked:
        return f"After the first backward(), {name}.grad is what arrived there, as an earlier question asks"
    return f"After the first backward(), {name}.grad is {_grad_text(first(facts))}{where(facts)}"


def _brings(account: LeafAccount) -> str:
    earlier, later = first(account.keep[0].contribution), first(account.keep[1].contribution)
    same = earlier is not None and later is not None and math.isclose(earlier, later, rel_tol=TOLERANCE / 10)
    return "the same gradient again" if same else f"the gradient {_grad_text(later)}"


def _again(subject: Subject, account: LeafAccount) -> Question:
    first_call, second_call = account.keep[0], account.keep[1]
    before, contribution, after = (
        first(first_call.after),
        first(second_call.contribution),
        first(second_call.after),
    )
    assert after is not None
    assert second_call.after is not None
    name = one_line(account.name, 60)
    wrong = numeric(
        after,
        (
            (contribution, "you assumed that backward overwrites .grad; it adds to it.", 6),
            (0.0, "nothing empties .grad by itself; that is what zero_grad is for.", 12),
            (
                before * contribution if before and contribution else None,
                "gradients of calls are added, not multiplied.",
                6,
            ),
            (
                (before + contribution) / 2 if before and contribution else None,
                "you assumed an average; .grad is a sum.",
                15,
            ),
        ),
    )
    return Question(
        f"again-{name}",
        "accumulation",
        f"{_begin(subject, account)}. Nothing is zeroed; a fresh forward and a second backward() bring "
        f"{_brings(account)}. What is {name}.grad now{where(second_call.after)}?",
        number(after),
        f"backward adds to .grad: {sum_text((before, contribution), after)}.",
        wrong,
        node=_leaf(subject, account.name),
    )


def _zeroed(subject: Subject, account: LeafAccount) -> Question:
    two = account.none[1]
    after, kept = first(two.after), first(account.keep[1].after)
    assert after is not None
    assert two.after is not None
    name = one_line(account.name, 60)
    wrong = numeric(
        after,
        (
            (kept, "you assumed that nothing was zeroed: that is the sum of both calls.", 12),
            (0.0, "zero_grad came before backward, and backward puts the new gradient there.", 14),
        ),
    )
    return Question(
        f"zeroed-{name}",
        "accumulation",
        f"{_begin(subject, account)}. Then zero_grad() is called; a fresh forward and a second backward() "
        f"bring {_brings(account)}. What is {name}.grad now{where(two.after)}?",
        number(after),
        f"zero_grad() sets .grad to None, so only the second call counts: {number(after)}.",
        wrong,
        node=_leaf(subject, account.name),
    )


def sum_text(terms: Sequence[float | None], after: float) -> str:
    """The sum with digits such that it closes as printed."""
    texts, total = closing([value for value in terms if value is not None], after)
    printed = iter(texts)
    parts = [next(printed) if value is not None else "None" for value in terms]
    return f"{' + '.join(parts)} {'=' if total is not None else '≈'} {total or number(after)}"


def _grad_text(value: float | None) -> str:
    return number(value) if value is not None else "None"
