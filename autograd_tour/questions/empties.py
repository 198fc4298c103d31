"""None or 0: what ``.grad`` is of a tensor that was computed, and of a leaf that gets zeros."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.questions.base import Question, Subject, Wrong, first, mixed
from autograd_tour.views.steps import Frame

__all__ = ["questions"]


def questions(subject: Subject) -> Iterator[Question]:
    """A leaf whose gradient is 0 throughout, and a named result that is no leaf."""
    for kind in (_zero_leaf, _result):
        question = next((q for frame in subject.frames if (q := kind(subject, frame)) is not None), None)
        if question is not None:
            yield question


def _zero_leaf(subject: Subject, frame: Frame) -> Question | None:
    deposit = frame.deposit
    if deposit is None or deposit.before is not None or deposit.after is None or subject.vague(frame.node):
        return None
    facts = deposit.after
    zero = facts.numel == 1 or (facts.stats is not None and facts.stats.zero == facts.numel)
    if first(facts) != 0 or not zero or frame.node in subject.zeros:
        return None
    name = subject.called(frame.node)
    zeros, none = "a tensor of zeros" if facts.numel > 1 else "0", "None"
    question_id = f"zero-{frame.node}"
    subject.asked.add(frame.node)
    return Question(
        question_id,
        "none-or-0",
        f"All that comes back to {name} in this backward is 0. {name}.grad was None before. "
        "What is it after?",
        zeros,
        f"The graph leads to {name}, so its accumulator ran and put there what came: zeros are a gradient.",
        (
            Wrong(none, "None is what is there when no backward reached the leaf; this one did.", 12),
            Wrong("1", "1 is where backward starts from; what comes back here is 0.", 1),
        ),
        mixed(question_id, zeros, none, "1"),
        0.0,
        subject.graph.leaf_of(frame.node),
        frame.number,
        f"{subject.graph.leaf_of(frame.node)}.mailbox",
    )


def _result(subject: Subject, frame: Frame) -> Question | None:
    if not frame.node:
        return None
    node = subject.nodes[frame.node]
    outputs = {output for output, _ in subject.graph.outputs}
    gradient = next((first(facts) for facts in frame.received if facts is not None), None)
    if node.kind != "operation" or not node.name or node.id in outputs or not gradient or node.slots < 1:
        return None
    if subject.vague(node.id) or len(node.values) != 1 or not subject.arrivals.get((node.id, 0)):
        return None
    names = [other.name for other in subject.graph.nodes]
    if names.count(node.name) != 1:
        return None
    answer, same, zero = "None", "the gradient that passed through it", "0"
    question_id = f"computed-{node.id}"
    return Question(
        question_id,
        "none-or-0",
        f"{node.name} is computed, and {node.name}.retain_grad() is not called. What does torch hold in "
        f"{node.name}.grad after backward()?",
        answer,
        "Only leaves keep their gradient. Of a computed tensor it is handed on and thrown away, unless "
        "retain_grad() asks for it before backward.",
        (
            Wrong(same, "It passed through on its way back; nobody keeps it there.", 5),
            Wrong(zero, "None says that nothing is kept; 0 would say that it does not move the loss.", 5),
        ),
        mixed(question_id, answer, same, zero),
        0.0,
        node.id,
        0,
    )
