"""Leaves that are met in a graph for the first time, and names that a program has bound anew."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import LeafChange
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.follow.log import Log, Spot
from autograd_tour.tracer.follow.tracks import Tracks
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.recording import Request

__all__ = ["met_leaves"]


def met_leaves(
    skeleton: Skeleton, tracks: Tracks, log: Log, request: Request, record: ForwardRecord
) -> list[Tensor]:
    """Follow the leaves of a graph; gives those that a custom Function may reach besides."""
    meeting = _Meeting(tracks, log, request, record)
    leaves = skeleton.leaves()
    inner: list[Tensor] = []
    if any(hasattr(fn, "_forward_cls") for fn in skeleton.fns):
        inner = [leaf for _, leaf in record.modules.parameters() if leaf.requires_grad]
    strangers = [leaf for leaf in [*leaves, *inner] if tracks.find(leaf) < 0]
    nameless = [track.tensor for track in tracks.items if not track.name]
    names = request.leaf_names([*strangers, *nameless], record)
    for leaf in nameless:
        tracks.call(tracks.find(leaf), names[id(leaf)])
    present = {id(leaf) for leaf in leaves}
    computed = skeleton.fns[skeleton.roots[0]]._sequence_nr()
    for leaf in strangers:
        meeting.meet(leaf, names[id(leaf)], present, computed)
    return inner


class _Meeting(NamedTuple):
    """Where a new leaf is entered."""

    tracks: Tracks
    log: Log
    request: Request
    record: ForwardRecord

    def meet(self, leaf: Tensor, name: str, present: Set[int], computed: int) -> None:
        """A new leaf. Where another of that name is not ``present`` any more, the name was bound anew.

        That was before there were ``computed`` nodes, the last of which is that of the loss.
        """
        number = self.tracks.names.get(name, -1)
        if number < 0 or id(self.tracks[number].tensor) in present:
            self.tracks.call(self.tracks.add(leaf), name)
            return
        track = self.tracks[number]
        if track.successor != id(leaf):
            birth = self.record.birth(leaf)
            before: TensorFacts = self.request.recorder.measure(track.tensor)
            draft = self.log.begin("rebinding", Spot(birth.spot, birth.frame))
            draft.add(LeafChange(number, before, self.request.recorder.measure(leaf)))
            self.log.insert(draft, computed)
        self.tracks.rebind(number, leaf)
