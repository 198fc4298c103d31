"""What every moment of a run did to one leaf: lanes for its value, its ``.grad``, and what is kept of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import OF_GRAD, Event, LeafChange, ReturnedGradient, Run, StateChange
from autograd_tour.views.nonfinite import NonFinite
from autograd_tour.views.picture import Role, RunCell, RunLane
from autograd_tour.views.picture import Run as Text
from autograd_tour.views.run_columns import Moment
from autograd_tour.views.sums import added, content

__all__ = ["kept_of", "lanes_of"]

NOT_KNOWN = "not known"
"""Of what no elements were recorded: ``keep=0``, or a tensor without memory."""

WRITTEN_OUT = 2
"""A leaf of up to so many elements is written out; of a larger one stands one element."""

DIGITS, MOST_DIGITS = 4, 9
"""Of an element that stands for a larger leaf; more where two numbers that differ would look the same."""


def lanes_of(
    run: Run, leaf: int, moments: Sequence[Moment | None], *, kept: bool = True
) -> tuple[RunLane, ...]:
    """The lanes of value and ``.grad`` of one leaf; ``None`` among ``moments`` is what is left out.

    With ``kept`` one more follows for each tensor that an optimizer keeps of the leaf from step to step.
    """
    element = _element(run, leaf, moments)
    values = _Lane(run.leaves[leaf].value, element, ("", "forward"))
    grads = _Lane(run.leaves[leaf].grad, element, ("None", "backward"))
    for moment in moments:
        happened = [] if moment is None else list(_changes(moment, leaf))
        if moment is None:
            values.skip()
            grads.skip()
            continue
        values.add([pair for pair in happened if pair[0].kind not in OF_GRAD])
        grads.add([pair for pair in happened if pair[0].kind in OF_GRAD or pair[0].kind == "rebinding"])
        grads.returned([item for event in moment for item in event.returned if item.leaf == leaf])
    _after_gap(run, leaf, moments, values, grads)
    name = run.leaves[leaf].name or "a leaf"
    lanes = [values.lane(name), grads.lane(name)]
    names = kept_of(leaf, moments) if kept else ()
    kept_lanes = (_kept_lane(run, moments, leaf, what, element) for what in names)
    return (*lanes, *(lane.lane(name, what) for lane, what in zip(kept_lanes, names, strict=True)))


def _after_gap(run: Run, leaf: int, moments: Sequence[Moment | None], *lanes: _Lane) -> None:
    """Where nothing happens to a leaf any more after what is left out, it is as the last event left it."""
    last = max((i for i, moment in enumerate(moments) if moment is None), default=-1)
    following = moments[last + 1] if 0 <= last < len(moments) - 1 else None
    if following is None:
        return
    position = next(i for i, event in enumerate(run.events) if event is following[0])
    untold = run.untold()
    for lane in lanes:
        if lane.states[-1]:
            continue
        facts, since = (run.leaves[leaf].grad if lane.in_grad else run.leaves[leaf].value), 0
        for i, event in enumerate(run.events[:position]):
            for change in event.changes:
                of_grad = event.kind in OF_GRAD
                if change.leaf == leaf and (of_grad is lane.in_grad or event.kind == "rebinding"):
                    facts = change.grad if lane.in_grad and not of_grad else change.after
                    since = i + 1
        if not any(untold[since : position + 1]):
            lane.fill(lane.state(facts))


def kept_of(leaf: int, moments: Sequence[Moment | None]) -> tuple[str, ...]:
    """What optimizers keep of a leaf from step to step, in the order in which it came."""
    changes = (change for moment in moments for _, change in _changes(moment or (), leaf))
    return tuple(dict.fromkeys(item.name for change in changes for item in change.state))


def _kept_lane(run: Run, moments: Sequence[Moment | None], leaf: int, name: str, element: Element) -> _Lane:
    """A mailbox of an optimizer: only steps put something into it."""
    items = [
        [item for _, change in _changes(moment or (), leaf) for item in change.state if item.name == name]
        for moment in moments
    ]
    facts = next((item.after for entries in items for item in entries if item.after is not None), None)
    lane = _Lane(None, element.like(facts), ("None", "saved"))
    changes = (item for _, change in _changes(run.events, leaf) for item in change.state if item.name == name)
    first = next((item.before for item in changes), None)  # also where that step is left out
    lane.states = [lane.state(first)]
    for moment, entries in zip(moments, items, strict=True):
        if moment is None:
            lane.skip()
        else:
            lane.keep(entries[0] if entries else None)
    return lane


def _changes(moment: Moment, leaf: int) -> Iterator[tuple[Event, LeafChange]]:
    for event in moment:
        yield from ((event, change) for change in event.changes if change.leaf == leaf)


# ---- which element stands for a tensor -----------------------------------------------------------


class Element(Struct, frozen=True):
    """The element of a leaf that is shown, in row-major order; all of them where ``index`` is ``None``."""

    shape: tuple[int, ...]
    index: int | None

    def seen(self, facts: TensorFacts | None) -> TensorFacts | None:
        """``facts`` as they are, or of the element alone."""
        if facts is None or self.index is None or facts.numel <= WRITTEN_OUT or not facts.first:
            return facts
        return replace(facts, shape=(), first=facts.first[self.index : self.index + 1], stats=None)

    def like(self, facts: TensorFacts | None) -> Element:
        """The same element of what is kept of the leaf; of what has another shape, the first."""
        if facts is None or facts.shape == self.shape:
            return self
        return Element(facts.shape, None if facts.numel <= WRITTEN_OUT else 0)

    def text(self) -> str:
        """``[0, 2] of (4, 3)``; ``""`` where all elements are shown."""
        if self.index is None:
            return ""
        rest = self.index
        index: list[str] = []
        for extent in reversed(self.shape):
            rest, here = divmod(rest, extent)
            index.insert(0, str(here))
        extents = ", ".join(map(str, self.shape))
        return f"[{', '.join(index)}] of ({extents})"


def _element(run: Run, leaf: int, moments: Sequence[Moment | None]) -> Element:
    """The first element that ever has a gradient other than zero: a unit of ReLU may be dead."""
    shape = run.leaves[leaf].shape
    if math.prod(shape) <= WRITTEN_OUT:
        return Element(shape, None)
    firsts = [facts.first for moment in moments for facts in _gradients(moment or (), leaf)]
    brought = [
        any(first[i] not in (0, "nan") for first in firsts if i < len(first))
        for i in range(min(map(len, firsts), default=0))
    ]
    return Element(shape, brought.index(True) if True in brought else 0)


def _gradients(moment: Moment, leaf: int) -> Iterator[TensorFacts]:
    """What a moment brought to a leaf, and left there."""
    for event, change in _changes(moment, leaf):
        if event.kind in OF_GRAD:
            yield from (facts for facts in (change.contribution, change.after) if facts is not None)
    for item in (item for event in moment for item in event.returned):
        if item.leaf == leaf and item.gradient is not None:
            yield item.gradient


# ---- cells -----------------------------------------------------------------------------------------


class _Lane:
    """A lane that grows moment by moment; ``look`` is what stands for nothing in it, and its colour."""

    def __init__(self, start: TensorFacts | None, element: Element, look: tuple[str, Role]) -> None:
        self.element = element
        self.digits = 6 if element.index is None else DIGITS
        self.nothing, self.role = look
        self.in_grad = self.role == "backward"
        self.cells: list[RunCell | None] = []
        self.states = [self.state(start)]
        self.used: list[int] = []

    def lane(self, name: str, kept: str = "") -> RunLane:
        cells, states, used = tuple(self.cells), tuple(self.states), tuple(self.used)
        return RunLane(name, self.element.text(), self.in_grad, cells, states, used, kept)

    def skip(self) -> None:
        self.cells.append(None)
        self.states.append("")

    def add(self, happened: Sequence[tuple[Event, LeafChange]]) -> None:
        """What one moment did; several changes of one leaf do not share a moment."""
        if not happened:
            self.cells.append(None)
            self.states.append(self.states[-1])
            return
        event, change = happened[0]
        rebound = self.in_grad and event.kind == "rebinding"
        before = change.before
        if not rebound and not self.states[-1]:
            self.fill(self.state(before))  # after what was left out, this tells what it left
        if rebound:
            self._rebound(change.grad)
            return
        self.cells.append(self._cell(event, change))
        self.states.append(self.state(change.after))

    def returned(self, gradients: Sequence[ReturnedGradient]) -> None:
        """In the moment added last a backward returned its gradients: ``.grad`` stays as it is."""
        if gradients:
            gradient = gradients[0].gradient
            text = f"returned {self.state(gradient)}"
            result = Text(text, "error" if _odd(gradient) else self.role, bold=True)
            self.cells[-1] = RunCell(((result,), (Text("not in .grad", "muted"),), *_alarm(gradient)))

    def keep(self, item: StateChange | None) -> None:
        """What an optimizer's step did to what it keeps; ``None`` for a moment without one."""
        if item is None:
            self.cells.append(None)
            self.states.append(self.states[-1])
            return
        if not self.states[-1]:
            self.fill(self.state(item.before))
        self.cells.append(self._changed(item.before, item.after))
        self.states.append(self.state(item.after))

    def fill(self, state: str) -> None:
        """``state`` since what was left out last."""
        for i in reversed(range(len(self.states))):
            if self.states[i]:
                return
            self.states[i] = state

    def _rebound(self, grad: TensorFacts | None) -> None:
        """A new tensor has no gradient yet, another one may have."""
        state = self.state(grad)
        if self.states[-1] in (state, ""):
            self.cells.append(None)
        else:
            lines = ((Text(self.states[-1], "muted"),), (Text(f"→ {state}", "backward", bold=True),))
            self.cells.append(RunCell(lines, emptied=True))
        self.states.append(state)

    def state(self, facts: TensorFacts | None) -> str:
        """What a content is between two moments."""
        if facts is None:
            return self.nothing
        return self._text(self.element.seen(facts)) if facts.has_values else NOT_KNOWN

    def _text(self, facts: TensorFacts | None) -> str:
        return content(facts, digits=self.digits)

    def _cell(self, event: Event, change: LeafChange) -> RunCell:
        after = self.element.seen(change.after)
        if event.kind == "step" and change.grad is not None and event.inside != "backward":
            self.used.append(len(self.cells))
        if change.after is not None and not change.after.has_values:
            return RunCell(((Text(NOT_KNOWN, "muted"),),))
        if event.kind == "backward" and change.contribution is not None:
            before = self.element.seen(change.before)
            text, total = added(before, (), self.element.seen(change.contribution), after, self.digits)
            lines = ((Text(text.rstrip(), self.role),), (self._result(total, after),))
            return RunCell((*lines, *_alarm(change.after)))
        return self._changed(change.before, change.after, emptied=event.kind == "zeroing")

    def _changed(
        self, whole_before: TensorFacts | None, whole_after: TensorFacts | None, *, emptied: bool = False
    ) -> RunCell:
        """What was there, and below it what is there now."""
        before, after = self.element.seen(whole_before), self.element.seen(whole_after)
        if whole_after is not None and not whole_after.has_values:
            return RunCell(((Text(NOT_KNOWN, "muted"),),))
        if _elements(before) == _elements(after) and whole_after is not None:
            lines = ((Text(self._text(after), "muted"),), (Text("stays", "muted"),))
            return RunCell((*lines, *_alarm(whole_after)))
        if before is not None and not before.has_values:
            lines = ((Text(NOT_KNOWN, "muted"),), (self._result(f"→ {self.state(after)}", after),))
            return RunCell(lines, emptied=emptied)
        old, new = self._pair(before, after)
        lines = ((Text(old, "muted"),), (self._result(f"→ {new}", after),))
        return RunCell((*lines, *_alarm(whole_after)), emptied=emptied)

    def _pair(self, before: TensorFacts | None, after: TensorFacts | None) -> tuple[str, str]:
        """Two contents that differ, also as they are printed, as far as that can be."""
        for digits in range(self.digits, MOST_DIGITS + 1):
            pair = content(before, digits=digits), content(after, digits=digits)
            if pair[0] != pair[1]:
                return pair
        return self._text(before), self._text(after)

    def _result(self, text: str, facts: TensorFacts | None) -> Text:
        return Text(text, "error" if _odd(facts) else self.role, bold=True)


def _elements(facts: TensorFacts | None) -> tuple[object, ...] | None:
    return None if facts is None else facts.first


def _odd(facts: TensorFacts | None) -> bool:
    return facts is not None and any(value in ("nan", "inf", "-inf") for value in facts.first)


def _alarm(facts: TensorFacts | None) -> tuple[tuple[Text, ...], ...]:
    """How much of a tensor is not finite, where that is not told by its only element."""
    stats = facts.stats if facts is not None else None
    if facts is None or stats is None or facts.numel == 1 or not (stats.nan or stats.inf):
        return ()
    return ((Text(NonFinite(stats.nan or 0, stats.inf or 0, facts.numel).text(), "error", bold=True),),)
