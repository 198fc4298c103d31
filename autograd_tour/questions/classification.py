"""Cross entropy: what goes back to the logits is softmax minus one-hot."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autograd_tour.questions.base import Mistake, Question, Subject, element_name, numeric, plain, target_of
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Apply
from autograd_tour.text import number
from autograd_tour.views.steps import Frame, Sent

__all__ = ["questions"]

EXACT = 1e-3


def questions(subject: Subject) -> Iterator[Question]:
    """The logit of the target class of the first sample."""
    losses = {
        edge.dst: edge.src
        for edge in subject.graph.select("gradient")
        if isinstance(edge.rule, Apply) and edge.rule.function == "placed_at_target"
    }
    for frame in subject.frames:
        loss = losses.get(frame.node)
        if loss is None or len(frame.sent) != 1 or subject.vague(frame.sent[0].edge.dst):
            continue
        question = _question(subject, frame, frame.sent[0], subject.nodes[loss])
        if question is not None:
            yield question
            return


def _question(subject: Subject, frame: Frame, sent: Sent, loss: Node) -> Question | None:
    node, facts = subject.nodes[frame.node], sent.facts
    logs = node.value
    target = _target_class(loss)
    started = subject.received.get(loss.id, (None,))[0]
    if facts is None or logs is None or target is None or len(logs.shape) not in (1, 2):
        return None
    classes, count = logs.shape[-1], logs.shape[0] if len(logs.shape) == 2 else 1
    attributes = dict(loss.attributes)
    divisor = count if attributes.get("reduction") == 1 else 1
    log, answer = _element(logs, target), _element(facts, target)
    if log is None or answer is None or plain(started.first[0] if started and started.first else None) != 1:
        return None
    if dict(node.attributes).get("dim") not in (len(logs.shape) - 1, -1) or classes < 2:
        return None
    p = math.exp(log)
    if not math.isclose((p - 1) / divisor, answer, rel_tol=EXACT) or abs(p - 1) < 1e-3:
        return None
    logits = element_name(target_of(subject, sent.edge), facts, target)
    wrong = numeric(answer, _mistakes(p, divisor, log))
    if not target:  # what later questions tell of a gradient is its first element
        subject.asked.add(sent.edge.dst)
    mean = f", and the loss is the mean over {divisor} samples" if divisor > 1 else ""
    sample = "the first sample" if count > 1 else "the sample"
    share = f" ÷ {divisor}" if divisor > 1 else ""
    return Question(
        f"softmax-{node.id}",
        "cross-entropy",
        f"{subject.called(loss.id)}: softmax gives {sample} the probability {number(p)} for its class, "
        f"{target}{mean}. What gradient goes back to the logit of that class, {logits}?",
        number(answer),
        f"Softmax minus one-hot: ({number(p)} − 1){share} = {number(answer)}. It is below 0: the step "
        "raises the logit of the right class.",
        wrong,
        node=node.id,
        frame=frame.number,
    )


def _mistakes(p: float, divisor: int, log: float) -> list[Mistake]:
    return [
        (p / divisor, "you left out the one-hot: 1 is taken away at the target class.", 2),
        (p - 1, f"you forgot to divide by {divisor}; the loss is a mean.", 4),
        ((1 - p) / divisor, "the size is right; the sign is not: it is softmax minus one-hot.", 2),
        ((p - 1) * divisor, f"you multiplied by {divisor}; the mean divides by it.", 2),
        (1 - p, "that is one-hot minus softmax, and not divided by the number of samples.", 2),
        (p, "that is the probability; its one-hot and the mean are missing.", 2),
        (p * (1 - p), "that is the slope of softmax alone, without that of the logarithm.", 2),
        (-1 / divisor, "that is the gradient at the log-probability, before log_softmax.", 2),
        (-log, "that is the loss of the sample, not a gradient.", 1),
        (0.0, "the logit moves the loss as long as its probability is not 1.", 2),
    ]


def _target_class(loss: Node) -> int | None:
    """The class of the first sample."""
    targets = next((item.facts for item in loss.saved if item.name == "target"), None)
    value = targets.first[0] if targets is not None and targets.first else None
    return value if type(value) is int and value >= 0 else None


def _element(facts: TensorFacts, position: int) -> float | None:
    return plain(facts.first[position]) if position < len(facts.first) else None
