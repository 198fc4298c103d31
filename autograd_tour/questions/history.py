"""What the record of a program that trains says of each leaf, as questions about it need it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal, NamedTuple

from autograd_tour.questions.answers import read_number
from autograd_tour.questions.base import Mistake, Question, Subject, Wrong, first, numeric
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import SourceLine
from autograd_tour.record.run import OF_GRAD, Event, LeafChange, Run
from autograd_tour.text import number, one_line

__all__ = ["Draft", "History", "Leaf", "LeafEvent", "Moment", "as_printed", "of_number", "ordinal"]

ELSEWHERE = "what an earlier question asks for"
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Moment(NamedTuple):
    """What event number ``position`` of the run did to a leaf; -1 is the start."""

    leaf: int
    position: int
    part: Literal["grad", "value", "contribution"]


class LeafEvent(NamedTuple):
    """An event that changed a leaf, and how. ``position`` is its place in :attr:`Run.events`."""

    position: int
    event: Event
    change: LeafChange

    @property
    def contribution(self) -> Moment:
        """What a backward brought: to an empty ``.grad`` it is what is then in there."""
        part: Literal["grad", "contribution"] = "contribution" if first(self.change.before) else "grad"
        return Moment(self.change.leaf, self.position, part)

    @property
    def result(self) -> Moment:
        """What the event left."""
        return Moment(self.change.leaf, self.position, "grad" if self.event.kind in OF_GRAD else "value")


class Leaf(NamedTuple):
    """A leaf that has a name of its own. ``node`` is its card, empty if none is in sight."""

    number: int
    name: str
    node: str
    events: tuple[LeafEvent, ...]

    def last(self, position: int, *, grad: bool) -> LeafEvent | None:
        """The last event before ``position`` that changed its ``.grad``, or else its value."""
        earlier = (item for item in reversed(self.events) if item.position < position)
        return next((item for item in earlier if (item.event.kind in OF_GRAD) is grad), None)

    @property
    def deposits(self) -> list[LeafEvent]:
        """The backward calls that reached it."""
        return [item for item in self.events if item.event.kind == "backward"]


class Draft(NamedTuple):
    """A question, the moment whose number is its answer, and those whose numbers it tells."""

    question: Question
    answers: Moment | None = None
    given: tuple[Moment, ...] = ()


class History:
    """The run, leaf by leaf, and which of its numbers are asked for or told by questions so far.

    ``events`` are those up to the first backward call that is not told in full.
    """

    def __init__(self, subject: Subject, run: Run) -> None:
        self.run = run
        numbers = {event.backward_call for event in run.events if event.kind == "backward"}
        calls = next(count for count in range(len(numbers) + 1) if count + 1 not in numbers)
        self.events = tuple(event for event in run.events if event.backward_call <= calls)
        self.leaves = _leaves(subject, run, self.events)
        self.asked = {
            Moment(leaf.number, item.position, "grad")
            for leaf in self.leaves
            for item in leaf.deposits[:1]
            if item.event.graph == 0 and subject.graph.accumulator_of(leaf.node) in subject.asked
        }
        self.given: set[Moment] = set()
        self._files: set[str] = set()
        deeds: dict[SourceLine, set[str]] = {}
        for event in run.events:
            line = run.line(event)
            if event.kind != "forward" and line is not None:
                self._files.add(line.file)
                part = event.kind == "update" and event.call == event.inside  # of a step
                deeds.setdefault(line, set()).add("step" if part else event.kind)
        self._crowded = {line for line, kinds in deeds.items() if len(kinds) > 1}

    def amount(self, moment: Moment, value: float | None, *, dated: bool = False) -> str:
        """A number that a question tells, unless it is the answer of an earlier one.

        ``dated``: the sentence does not say of which moment it is, and several questions may ask for such.
        """
        if moment in self.asked:
            event = self.events[moment.position] if dated and moment.position >= 0 else None
            if event is not None and event.kind == "backward":
                return f"what the {ordinal(event.backward_call)} backward() left there ({ELSEWHERE})"
            return ELSEWHERE
        return "None" if value is None else number(value)

    def line(self, event: Event) -> str:
        """The line at which something happened; nothing if it is not known, or if it does several things, as
        ``trainer.fit(model)`` does.
        """
        line = self.run.line(event)
        if line is None or line in self._crowded or not line.text.strip():
            return ""
        file = "" if {line.file} == self._files else f"{one_line(PurePath(line.file).name, 40)}, "
        return f"{one_line(line.text.strip(), 60)} ({file}line {line.line})"

    def between(self, start: int, end: int) -> list[Event]:
        """The events after number ``start`` and before number ``end`` that change something."""
        return [event for event in self.events[start + 1 : end] if event.kind != "forward"]


def _leaves(subject: Subject, run: Run, events: Iterable[Event]) -> list[Leaf]:
    """The leaves whose names say which one is meant, the small ones first, and what happened to each."""
    count = Counter(leaf.name for leaf in run.leaves)
    drawn: Counter[str] = Counter()
    for graph in run.graphs:  # two cards of one name in one graph are two leaves
        drawn |= Counter(node.name for node in graph.nodes if node.kind == "leaf")
    cards = {node.name: node.id for node in subject.graph.nodes if node.kind == "leaf"}
    changes: dict[int, list[LeafEvent]] = {}
    for position, event in enumerate(events):
        for change in event.changes:
            changes.setdefault(change.leaf, []).append(LeafEvent(position, event, change))
    # What a hook does to a leaf during backward is the work of two lines at once.
    hooked = {c.leaf for event in run.events if event.inside == "backward" for c in event.changes}
    leaves = [
        (
            _size(leaf.value),
            Leaf(n, one_line(leaf.name, 60), cards.get(leaf.name, ""), tuple(changes.get(n, ()))),
        )
        for n, leaf in enumerate(run.leaves)
        if count[leaf.name] == 1 and drawn[leaf.name] == 1 and n not in hooked
    ]
    return [leaf for _, leaf in sorted(leaves, key=lambda item: item[0])]


def _size(facts: TensorFacts | None) -> int:
    return 0 if facts is None else facts.numel


def ordinal(count: int) -> str:
    """``first``, ``second``; ``12th`` after the tenth."""
    if count <= len(_ORDINALS):
        return _ORDINALS[count - 1]
    ending = "th" if count // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def as_printed(value: float) -> float:
    """``value`` as whoever reads it off the question has it."""
    read = read_number(number(value))
    assert isinstance(read, float)
    return read


def of_number(
    question_id: str,
    kind: str,
    prompt: str,
    answer: float,
    right: str,
    mistakes: Iterable[Mistake],
    node: str,
) -> Question | None:
    """A question whose answer is a number; ``None`` if the first of its mistakes cannot be told from it."""
    candidates = list(mistakes)
    betrays: tuple[Wrong, ...] = numeric(answer, candidates[:1])
    if not betrays:
        return None
    return Question(question_id, kind, prompt, number(answer), right, numeric(answer, candidates), node=node)
