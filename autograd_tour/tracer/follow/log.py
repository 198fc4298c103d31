"""The events of a run while it happens: what belongs to one is put together, lines are read at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.run import Event, EventKind, LeafChange, ReturnedGradient
from autograd_tour.tracer.listen.forward import sequence_nr
from autograd_tour.tracer.listen.spots import Spots

__all__ = ["MOST_EVENTS", "Draft", "Log", "Spot"]

MOST_EVENTS = 400
"""More than this nobody reads; what comes after is counted, and told in a note."""


_TRAINING: frozenset[EventKind] = frozenset({"step", "update", "gradient"})


@dataclass(frozen=True)
class Spot:
    """Where the program stands: the number of its place, the run of its function, what its line called."""

    number: int = -1
    frame: int = 0
    call: str = ""


@dataclass
class Draft:
    """An event in the making."""

    kind: EventKind
    spot: Spot
    backward_call: int
    moment: int = 0
    """How many nodes there were when it happened."""
    inside: str = ""
    graph: int | None = None
    loss: TensorFacts | None = None
    changes: dict[int, LeafChange] = field(default_factory=dict)
    settings: tuple[tuple[str, Number], ...] = ()
    retained: bool = False
    creates_graph: bool = False
    returned: tuple[ReturnedGradient, ...] = ()

    def add(self, change: LeafChange) -> None:
        """A leaf was changed; what an earlier part of the same event found there was there before."""
        earlier = self.changes.get(change.leaf)
        self.changes[change.leaf] = change if earlier is None else replace(change, before=earlier.before)

    def recorded(self, spots: Spots) -> Event:
        """The event as the record has it."""
        return Event(
            self.kind,
            spots.line(self.spot.number),
            self.spot.call,
            self.backward_call,
            self.inside,
            self.graph,
            self.loss,
            tuple(self.changes[leaf] for leaf in sorted(self.changes)),
            self.settings,
            self.retained,
            self.creates_graph,
            self.returned,
        )


class Log:
    """All events so far.

    ``backward_calls`` counts those that have begun, ``inside`` has what runs now. ``trained``: values of
    leaves were changed after a backward.
    """

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.backward_calls = 0
        self.inside: list[str] = []
        self.left_out = 0
        self.trained = False

    @property
    def full(self) -> bool:
        """Whether there is room for no more."""
        return len(self.drafts) >= MOST_EVENTS

    def begin(self, kind: EventKind, spot: Spot) -> Draft:
        """A new event, not yet in the log."""
        inside = self.inside[-1] if self.inside else ""
        return Draft(kind, spot, self.backward_calls, sequence_nr(), inside)

    def add(self, draft: Draft) -> None:
        """``draft`` has happened."""
        self.trained |= draft.kind in _TRAINING and self.backward_calls > 0
        if self.full:
            self.left_out += 1
        else:
            self.drafts.append(draft)

    def since(self, draft: Draft) -> list[Draft]:
        """What has been told after ``draft``."""
        later = (n for n, other in enumerate(self.drafts, start=1) if other is draft)
        return self.drafts[next(later, len(self.drafts)) :]

    def withdraw(self, draft: Draft) -> None:
        """``draft`` has not happened after all."""
        if any(other is draft for other in self.drafts):
            self.drafts = [other for other in self.drafts if other is not draft]

    def insert(self, draft: Draft, moment: int) -> None:
        """``draft`` happened when there were ``moment`` nodes."""
        draft.moment = moment
        self.trained |= draft.kind in _TRAINING and self.backward_calls > 0
        if self.full:
            self.left_out += 1
            return
        later = (i for i, other in enumerate(self.drafts) if other.moment >= moment)
        self.drafts.insert(next(later, len(self.drafts)), draft)

    def last(self, kind: EventKind, spot: Spot) -> Draft:
        """The event to which one more change of ``kind`` at ``spot`` belongs: the last one, or a new one."""
        draft = self.drafts[-1] if self.drafts else None
        inside = self.inside[-1] if self.inside else ""
        moment = (kind, spot, inside, self.backward_calls)
        if draft is not None and (draft.kind, draft.spot, draft.inside, draft.backward_call) == moment:
            return draft
        draft = self.begin(kind, spot)
        self.add(draft)
        return draft
