"""From the run of a program that trains to the ledger of its own backward calls."""

from __future__ import annotations

from autograd_tour.errors import ProgramError
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.ledger import Call, LeafAccount, Ledger
from autograd_tour.record.run import OF_GRAD, Event, Run

__all__ = ["deposits", "ledger_of"]


def deposits(run: Run) -> bool:
    """Whether a backward call of the run adds to ``.grad``: not where all return their gradients."""
    calls = [event for event in run.events if event.kind == "backward"]
    return not calls or any(not event.returned for event in calls)


def ledger_of(run: Run, calls: int) -> Ledger:
    """What the first ``calls`` backward calls of a program did to the ``.grad`` of each leaf.

    Between them ``.grad`` is as the program leaves it: ``before`` of a call is what it then holds. There are
    fewer calls where the program made fewer, or where fewer were told in full one after the other.

    Raises:
        ProgramError: no call deposits anything.
    """
    if not deposits(run):
        raise ProgramError(
            "no backward call of the program adds to .grad: torch.autograd.grad returns its gradients",
            "Its run tells them line by line: --view run, or tour.follow()",
        )
    backwards: list[Event] = []
    for event in run.events:
        if event.kind == "backward" and event.backward_call == len(backwards) + 1 <= calls:
            backwards.append(event)
    last = len(backwards)
    current: list[TensorFacts | None] = [leaf.grad for leaf in run.leaves]
    histories: list[list[Call]] = [[] for _ in run.leaves]
    losses: list[TensorFacts | None] = []
    for event in run.events:
        if event.backward_call > last:
            break
        if event.kind == "rebinding":
            for change in event.changes:
                current[change.leaf] = change.grad
        if event.kind in OF_GRAD:
            before = list(current)
            for change in event.changes:
                before[change.leaf], current[change.leaf] = change.before, change.after
        if event.kind == "backward":
            losses.append(event.loss)
            brought = {change.leaf: change.contribution for change in event.changes}
            for leaf, history in enumerate(histories):
                history.append(Call(before[leaf], brought.get(leaf), current[leaf]))
    accounts = [
        LeafAccount(leaf.name, leaf.shape, program=tuple(history))
        for leaf, history in zip(run.leaves, histories, strict=True)
    ]
    of = run.backward_calls if run.backward_calls > last else 0
    return Ledger(last, tuple(accounts), tuple(losses), run.notes, of=of)
