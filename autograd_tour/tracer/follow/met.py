"""Leaves that are met in a graph for the first time, and names that a program has bound anew."""

from __future__ import annotations

from collections.abc import Iterable, Set
from types import FrameType
from typing import NamedTuple

from torch import Tensor

from autograd_tour.record.run import LeafChange
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.follow.bindings import Bindings
from autograd_tour.tracer.follow.log import Log
from autograd_tour.tracer.follow.tracks import Tracks, grad_facts
from autograd_tour.tracer.listen.names import find_names
from autograd_tour.tracer.recording import Request

__all__ = ["looked_up", "met_leaves"]


def met_leaves(skeleton: Skeleton, bindings: Bindings, request: Request, frame: FrameType) -> list[Tensor]:
    """Follow the leaves of a graph; gives those that a custom Function may reach besides.

    Its backward is called in ``frame``.
    """
    tracks, record = bindings.tracks, bindings.record
    meeting = _Meeting(tracks, bindings.log, request, bindings)
    computed = skeleton.fns[skeleton.roots[0]]._sequence_nr()
    bindings.before(frame, computed)
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
    tracks.are_there(present)
    spaces = bindings.spaces(frame)
    others = find_names([leaf for leaf in strangers if not names[id(leaf)]], spaces)
    for leaf in strangers:
        meeting.meet(leaf, names[id(leaf)] or others.get(id(leaf), ""), present, computed)
    bindings.settle(frame)
    return inner


def looked_up(skeleton: Skeleton, bindings: Bindings, unchanged: Iterable[int], frame: FrameType) -> None:
    """Find leaves of a graph whose backward is not told behind the names of those that are followed.

    Where it has leaves that nobody follows, those with an ``unchanged`` norm of ``.grad`` that are not in it,
    or whose name was bound anew before, may have been replaced by them.
    """
    tracks, leaves = bindings.tracks, skeleton.leaves()
    present = {id(leaf) for leaf in leaves}
    tracks.are_there(present)
    bindings.look(frame)
    strangers = [leaf for leaf in leaves if tracks.find(leaf) < 0]
    absent = {n for n, track in enumerate(tracks.items) if id(track.tensor) not in present}
    if not strangers or not absent:
        return
    spaces = bindings.spaces(frame)
    others = find_names(strangers, spaces)
    for leaf in strangers:
        number = tracks.names.get(others.get(id(leaf), ""), -1)
        if number in absent:
            tracks.rebind(number, leaf)
            tracks[number].moving = True
            absent.discard(number)
    doubtful = {*unchanged, *(n for n in absent if tracks[n].successor is not None or tracks[n].moving)}
    for number in absent & doubtful:
        tracks[number].astray = tracks.any_bound_anew = True


class _Meeting(NamedTuple):
    """Where a new leaf is entered."""

    tracks: Tracks
    log: Log
    request: Request
    bindings: Bindings

    def meet(self, leaf: Tensor, name: str, present: Set[int], computed: int) -> None:
        """A new leaf. Where another of that name is not ``present`` any more, the name was bound anew.

        That was before there were ``computed`` nodes, the last of which is that of the loss.
        """
        number = self.tracks.names.get(name, -1)
        if number < 0 or id(self.tracks[number].tensor) in present:
            self.tracks.call(self.tracks.add(leaf), name)
            return
        if not self.tracks.is_successor(number, leaf):
            before = self.tracks.value(number)
            draft = self.log.begin("rebinding", self.bindings.birth(leaf))
            draft.backward_call -= 1  # it was before the call that has begun
            recorder = self.request.recorder
            draft.add(LeafChange(number, before, recorder.measure(leaf), grad=grad_facts(leaf, recorder)))
            self.log.insert(draft, computed)
        self.tracks.rebind(number, leaf)
