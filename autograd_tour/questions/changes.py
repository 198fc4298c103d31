"""What a line leaves in ``.grad``, and what a step makes of a value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from autograd_tour.questions.base import TOLERANCE, Mistake, Question, Wrong, first, mixed, plain, where
from autograd_tour.questions.history import Draft, History, Leaf, LeafEvent, Moment, as_printed, of_number
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import Event
from autograd_tour.text import number

__all__ = ["clipped", "emptied", "value"]

EXACT = 1e-4
"""Relative: a rule that gives what the record has to this is the rule."""
BUFFER = "momentum_buffer"


def emptied(history: History) -> Iterator[Draft]:
    """What zeroing leaves: ``None``, or a tensor of zeros."""
    for leaf in history.leaves:
        for item in leaf.events:
            line, before, after = history.line(item.event), item.change.before, item.change.after
            if item.event.kind != "zeroing" or not line or before is None or not first(before):
                continue
            if not any(deposit.position < item.position for deposit in leaf.deposits):
                continue  # what was there came from before the program
            if after is None or _is_zero(after):
                yield Draft(_emptied(leaf, item, line))


def _is_zero(facts: TensorFacts) -> bool:
    stats = facts.stats
    return first(facts) == 0.0 and (facts.numel == 1 or (stats is not None and stats.zero == facts.numel))


def _emptied(leaf: Leaf, item: LeafEvent, line: str) -> Question:
    none, zeros, same = "None: nothing is there any more", "a tensor of zeros", "what was there before"
    by_call = item.event.call.endswith("zero_grad")
    wrong = [Wrong(same, f"{line} empties it; what backward brought is gone.", 12)]
    if item.change.after is None:
        answer = none
        right = "There is no tensor left in .grad; the next backward puts a new one there."
        if by_call:
            right = f"zero_grad() takes the tensor away, unless set_to_none=False is said. {right}"
        wrong.append(Wrong(zeros, f"None is no tensor of zeros. {right}", 12))
    else:
        answer = zeros
        right = "The tensor in .grad stays, and each of its elements is 0."
        if by_call:
            right = f"With set_to_none=False zero_grad() fills it with zeros. {right}"
        wrong.append(Wrong(none, f"Zeros are not None. {right}", 12))
    return Question(
        f"emptied-{leaf.number}-{item.position}",
        "zeroing",
        f"backward() has filled {leaf.name}.grad. Then {line} runs. What does it leave in {leaf.name}.grad?",
        answer,
        right,
        tuple(wrong),
        mixed(f"emptied-{leaf.number}-{item.position}", none, zeros, same),
        0.0,
        leaf.node,
    )


# ---- clipping ----------------------------------------------------------------------------------


def clipped(history: History) -> Iterator[Draft]:
    """What clipping to a norm leaves of one element."""
    for position, event in enumerate(history.events):
        line = history.line(event)
        norms = _norms(event) if event.kind == "clipping" and event.call == "clip_grad_norm_" else None
        if norms is None or not line:
            continue
        for leaf in history.leaves:
            item = next((item for item in leaf.events if item.position == position), None)
            draft = None if item is None else _clipped(history, leaf, item, line, norms)
            if draft is not None:
                yield draft


def _norms(event: Event) -> tuple[float, float] | None:
    """The norm of all ``.grad`` of a clipping together, before and after; ``None`` if it scaled nothing."""
    sums = [0.0, 0.0]
    for change in event.changes:
        for k, facts in enumerate((change.before, change.after)):
            norm = None if facts is None or facts.stats is None else plain(facts.stats.norm)
            if norm is None:
                return None
            sums[k] += norm * norm
    before, after = math.sqrt(sums[0]), math.sqrt(sums[1])
    return (before, after) if before > after > 0 else None


def _clipped(
    history: History, leaf: Leaf, item: LeafEvent, line: str, norms: tuple[float, float]
) -> Draft | None:
    before, after = first(item.change.before), first(item.change.after)
    source = leaf.last(item.position, grad=True)
    if not before or not after or item.change.after is None or source is None:
        return None
    if not math.isclose(before * norms[1] / norms[0], after, rel_tol=EXACT):
        return None
    count = len(item.event.changes)
    grads = f"the .grad of {count} leaves together have" if count > 1 else f"{leaf.name}.grad has"
    quotient = f"{number(norms[1])} / {number(norms[0])}"
    question = of_number(
        f"clipped-{leaf.number}-{item.position}",
        "clipping",
        f"{line} runs: {grads} the norm {number(norms[0])} before it, and {number(norms[1])} after it. "
        f"Before it, {leaf.name}.grad{where(item.change.after)} is "
        f"{history.amount(source.result, before, dated=True)}. What is {leaf.name}.grad then?",
        after,
        f"The norm is too large, so every element is multiplied by {quotient}: {number(before)} × {quotient} "
        f"= {number(after)}.",
        (
            (before, "you left it as it was; the norm is that of all elements together, and all shrink.", 16),
            (
                math.copysign(norms[1], before),
                "you set it to the largest norm; that is no limit of each element.",
                16,
            ),
            (before * norms[1], f"you forgot to divide by the norm of before, {number(norms[0])}.", 16),
            (before / norms[0], f"that has the norm 1; it is to have {number(norms[1])}.", 16),
        ),
        leaf.node,
    )
    return None if question is None else Draft(question, item.result, (source.result,))


# ---- steps and updates -------------------------------------------------------------------------


def value(history: History) -> Iterator[Draft]:
    """What plain SGD makes of a value; where nothing steps so, whether a value grows or shrinks."""
    yield from _steps(history)
    yield from _directions(history)


class _Sgd(NamedTuple):
    """A step of SGD on one element: what it starts from, and what it multiplies by ``lr``."""

    value: float
    grad: float
    buffer: float | None
    lr: float
    momentum: float
    decay: float

    @property
    def decayed(self) -> float:
        return self.grad + self.decay * self.value

    @property
    def direction(self) -> float:
        return self.decayed + self.momentum * (self.buffer or 0.0)

    @property
    def is_gradient(self) -> bool:
        """Whether the direction is the gradient and nothing else."""
        return not self.decay and not (self.momentum and self.buffer is not None)

    @property
    def words(self) -> str:
        """The direction in numbers."""
        terms = [number(self.grad)]
        if self.decay:
            terms.append(f"{number(self.decay)} × {_in_brackets(self.value)}")
        if self.momentum and self.buffer is not None:
            terms.append(f"{number(self.momentum)} × {_in_brackets(self.buffer)}")
        return _in_brackets(self.grad) if self.is_gradient else f"({' + '.join(terms)})"

    def rounded(self) -> _Sgd:
        """The same with the numbers as they are printed."""
        buffer = None if self.buffer is None else as_printed(self.buffer)
        return self._replace(value=as_printed(self.value), grad=as_printed(self.grad), buffer=buffer)


def _in_brackets(number_value: float) -> str:
    text = number(number_value)
    return f"({text})" if number_value < 0 else text


def _sgd(item: LeafEvent) -> _Sgd | None:
    """The step, if it is one of SGD whose rule is known, and gives what the record has."""
    settings = {name: plain(setting) for name, setting in item.event.settings}
    if item.event.call != "SGD.step" or not settings.keys() <= {"lr", "momentum", "weight_decay"}:
        return None
    start, after, grad = first(item.change.before), first(item.change.after), first(item.change.grad)
    lr, momentum = settings.get("lr"), settings.get("momentum", 0.0)
    decay = settings.get("weight_decay", 0.0)
    memory = next((state.before for state in item.change.state if state.name == BUFFER), None)
    buffer = first(memory)
    if start is None or after is None or not grad or not lr or momentum is None or decay is None:
        return None
    if memory is not None and buffer is None:
        return None
    step = _Sgd(start, grad, buffer if momentum else None, lr, momentum, decay)
    change = -lr * step.rounded().direction
    is_rule = math.isclose(step.rounded().value + change, after, rel_tol=TOLERANCE / 2)
    return step if is_rule and math.isclose(change, after - start, rel_tol=TOLERANCE / 2) else None


def _steps(history: History) -> Iterator[Draft]:
    for leaf in history.leaves:
        for item in leaf.events:
            step = _sgd(item) if item.event.kind == "step" else None
            line, facts = history.line(item.event), item.change.after
            if step is None or not line or facts is None:
                continue
            grad, start = leaf.last(item.position, grad=True), leaf.last(item.position, grad=False)
            if grad is None or first(grad.change.after) != step.grad:
                continue  # a closure calls backward inside the step
            before = start.result if start is not None else Moment(leaf.number, -1, "value")
            given = (before, grad.result)
            prompt = _setting(history, leaf, item, step, given)
            for question in (
                _new_value(leaf, item, step, prompt, _unclipped(history, grad)),
                _amount_of_change(leaf, item, step, prompt),
            ):
                if question is not None:
                    yield Draft(question, item.result, given)


def _setting(history: History, leaf: Leaf, item: LeafEvent, step: _Sgd, given: tuple[Moment, Moment]) -> str:
    settings = ", ".join(f"{name}={number(setting)}" for name, setting in item.event.settings)
    memory = ""
    if step.momentum:
        memory = (
            f", and its {BUFFER} is {number(step.buffer)}"
            if step.buffer is not None
            else f", and there is no {BUFFER} yet"
        )
    elements = "" if item.change.after is None else where(item.change.after)
    return (
        f"{history.line(item.event)} is a step of SGD with {settings}. Before it, {leaf.name}{elements} "
        f"is {history.amount(given[0], step.value, dated=True)}, and {leaf.name}.grad is "
        f"{history.amount(given[1], step.grad, dated=True)}"
        f"{memory}."
    )


def _unclipped(history: History, grad: LeafEvent) -> Mistake:
    """What was in ``.grad`` before it was clipped, if it was."""
    before = first(grad.change.before) if grad.event.kind == "clipping" else None
    return before, f"that is with the .grad of before {history.line(grad.event) or 'the clipping'}.", 16


def _mistakes(step: _Sgd) -> Iterator[Mistake]:
    """Wrong changes of the value, the most usual first."""
    yield step.lr * step.direction, "you added; a step goes against the gradient, so it subtracts.", 1
    yield -step.direction, f"you left out the learning rate, lr={number(step.lr)}.", 14
    yield step.direction, "you added, and left out the learning rate.", 1
    if step.decay:
        yield (
            -step.lr * (step.direction - step.decay * step.value),
            f"you left out weight_decay={number(step.decay)}, which adds {number(step.decay)} × the value.",
            16,
        )
    if step.momentum and step.buffer is not None:
        yield -step.lr * step.decayed, f"you left out momentum={number(step.momentum)} and the {BUFFER}.", 16


def _new_value(leaf: Leaf, item: LeafEvent, step: _Sgd, prompt: str, unclipped: Mistake) -> Question | None:
    after = first(item.change.after)
    if not after or abs(step.lr * step.direction) <= 3 * TOLERANCE * max(abs(step.value), abs(after)):
        return None
    mistakes: list[Mistake] = [
        (step.value + change, remark, stop) for change, remark, stop in _mistakes(step) if change is not None
    ]
    if unclipped[0] is not None and step.is_gradient:
        mistakes.insert(1, (step.value - step.lr * unclipped[0], *unclipped[1:]))
    mistakes.append((step.value, "that is the value of before; the step changes it.", 14))
    return of_number(
        f"step-{leaf.number}-{item.position}",
        "step",
        f"{prompt} What is {leaf.name} after it?",
        after,
        f"A step subtracts lr × the {_what(step)}: {number(step.value)} {_minus(step)} = {number(after)}.",
        mistakes,
        leaf.node,
    )


def _amount_of_change(leaf: Leaf, item: LeafEvent, step: _Sgd, prompt: str) -> Question | None:
    """By how much: for a step so small that the value looks the same after it."""
    change = -step.lr * step.direction
    mistakes = [*_mistakes(step), (step.grad, "that is the gradient, not what the step makes of it.", 14)]
    return of_number(
        f"change-{leaf.number}-{item.position}",
        "step",
        f"{prompt} What does it add to {leaf.name}?",
        change,
        f"A step subtracts lr × the {_what(step)}: {_minus(step)} = {number(change)}.",
        mistakes,
        leaf.node,
    )


def _what(step: _Sgd) -> str:
    return "gradient" if step.is_gradient else "gradient with what SGD adds to it"


def _minus(step: _Sgd) -> str:
    return f"− {number(step.lr)} × {step.words}"


def _directions(history: History) -> Iterator[Draft]:
    for leaf in history.leaves:
        for item in leaf.events:
            line, facts = history.line(item.event), item.change.after
            source = leaf.last(item.position, grad=True)
            if item.event.kind not in ("step", "update", "rebinding") or not line or source is None:
                continue
            start, after = first(item.change.before), first(facts)
            grad = first(source.change.after)
            if not grad or start is None or after is None or facts is None or not (after - start) * grad < 0:
                continue
            if item.event.kind == "step" and first(item.change.grad) != grad:
                continue  # a closure calls backward inside the step
            if item.event.kind == "update" and item.event.inside.endswith(".step"):
                continue  # the line began before .grad was that
            larger, smaller, same = "larger", "smaller", "neither: the line changes only .grad"
            answer, other = (larger, smaller) if after > start else (smaller, larger)
            sign = "positive" if grad > 0 else "negative"
            right = f"It goes from {number(start)} to {number(after)}, against its gradient, which is {sign}."
            question = Question(
                f"direction-{leaf.number}-{item.position}",
                "step",
                f"{leaf.name}.grad{where(facts)} is {history.amount(source.result, grad, dated=True)} "
                f"when {line} runs. "
                f"Is {leaf.name}{where(facts)} larger or smaller after it?",
                answer,
                right,
                (
                    Wrong(other, f"That would be along the gradient. {right}", 1),
                    Wrong(same, f"It changes the value. {right}", 14),
                ),
                (larger, smaller, same),
                0.0,
                leaf.node,
            )
            yield Draft(question, None, (source.result,))
