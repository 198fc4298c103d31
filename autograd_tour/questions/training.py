"""Questions about the run of a program that trains: its own backward calls, zeroings and steps."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.questions import changes, deposits, program_lines
from autograd_tour.questions.base import Question, Subject
from autograd_tour.questions.history import History

__all__ = ["questions"]

KINDS = (
    deposits.zeroed,
    deposits.kept,
    deposits.rebound,
    deposits.third,
    deposits.sum_of_calls,
    changes.emptied,
    program_lines.when_emptied,
    changes.clipped,
    changes.value,
    program_lines.changes_value,
    program_lines.closure_calls,
)


def questions(subject: Subject) -> Iterator[Question]:
    """One question of each kind, if there is one that no other question answers."""
    if subject.run is None:
        return
    history = History(subject, subject.run)
    for kind in KINDS:
        for draft in kind(history):
            if draft.answers in history.given or draft.answers in history.asked:
                continue
            if draft.answers is not None:
                history.asked.add(draft.answers)
            history.given.update(draft.given)
            yield draft.question
            break
