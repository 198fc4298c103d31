"""Leaves whose memory the program has given out of torch: NumPy writes there, and no function is called."""

from __future__ import annotations

import torch
from msgspec.structs import replace
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import EventKind, LeafChange
from autograd_tour.tracer.follow.log import Draft, Log, Spot
from autograd_tour.tracer.follow.originals import storage_of
from autograd_tour.tracer.follow.tracks import Belonging, Tracks

__all__ = ["LENDING", "Lent", "is_zero", "same"]

LENDING = frozenset({"numpy", "__array__", "__dlpack__"})
"""Methods that give the memory of a tensor out."""


class Lent:
    """What is there is looked at before each event that is heard, and noted anew after it."""

    def __init__(self, tracks: Tracks, log: Log) -> None:
        self._tracks = tracks
        self._log = log
        self._known: dict[Belonging, TensorFacts | None] = {}
        self._spots: dict[Belonging, Spot] = {}
        self._unknown: set[int] = set()
        """Where memory begins that is no leaf's, or that of one which has not been met yet."""

    def lend(self, tensor: Tensor, spot: Spot) -> None:
        """The memory of ``tensor`` is given out at ``spot``."""
        belongings = self._tracks.belongings(tensor)
        if not belongings:
            self._unknown.add(storage_of(tensor))
            return
        self.catch_up()  # what was written through an array of before
        for belonging in belongings:
            self._known[belonging] = self._tracks.facts(belonging)
            self._spots[belonging] = Spot(spot.number, spot.frame, "numpy")

    def catch_up(self, moment: int | None = None) -> None:
        """Tell what has been written since; at the line that lent the memory, if it has lent it since.

        It was written before there were ``moment`` nodes, if that is given, else just now.
        """
        if not self._known:
            return
        drafts: dict[tuple[EventKind, Spot], Draft] = {}
        with torch._C.DisableTorchFunction():
            for belonging, facts in self._known.items():
                self._tracks.written(belonging)
                now = self._tracks.facts(belonging)
                if same(facts, now):
                    continue
                kind: EventKind = "update" if belonging.part == "value" else "gradient"
                spot = self._spots.get(belonging, Spot(call="numpy"))
                draft = drafts.get((kind, spot))
                if draft is None:
                    draft = drafts[kind, spot] = self._begun(kind, spot, moment)
                draft.add(LeafChange(belonging.leaf, facts, now))
                self._known[belonging] = now

    def _begun(self, kind: EventKind, spot: Spot, moment: int | None) -> Draft:
        if moment is None:
            return self._log.last(kind, spot)
        draft = self._log.begin(kind, spot)
        self._log.insert(draft, moment)
        return draft

    def settle(self) -> None:
        """What is there now is known: an event has told it, or it is not to be told."""
        if self._unknown:
            for number, track in enumerate(self._tracks.items):
                if storage_of(track.tensor) in self._unknown:
                    self._known[Belonging(number, "value")] = None
        for belonging in self._known:
            with torch._C.DisableTorchFunction():
                self._tracks.written(belonging)
                self._known[belonging] = self._tracks.facts(belonging)
        self._spots.clear()


def is_zero(facts: TensorFacts | None) -> bool:
    """Whether a tensor is there, and 0 in every element."""
    return facts is not None and facts.stats is not None and facts.stats.norm == 0


def same(before: TensorFacts | None, after: TensorFacts | None) -> bool:
    """Whether two facts of one tensor differ in nothing but how often it was changed in place."""
    if before is None or after is None:
        return before is after
    if not after.has_values:
        return False  # nobody knows
    return replace(before, version=0) == replace(after, version=0)
