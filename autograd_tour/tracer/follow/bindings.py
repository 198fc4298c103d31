"""What the variables of the program stand for where it calls backward, and where it ends.

A name is bound without a sound where no function gives the value: ``a, b = b, a``, ``layers = [...]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from autograd_tour.record.run import LeafChange
from autograd_tour.tracer.follow.log import Draft, Log, Spot
from autograd_tour.tracer.follow.tracks import Track, Tracks, grad_facts
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.names import find_names, plain_path, variables
from autograd_tour.tracer.listen.paths import at_path, is_leaf, leaves_in, parameter_at, places_of_parameters
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.references import TensorRef

__all__ = ["Bindings"]

Space = Mapping[str, Any]


class Bindings:
    """Which tensors the names of leaves stand for; what is bound anew is told in ``log``."""

    def __init__(self, tracks: Tracks, log: Log, recorder: Recorder, record: ForwardRecord) -> None:
        self.tracks = tracks
        self.log = log
        self.recorder = recorder
        self.record = record
        self._in_sight: dict[int, TensorRef] = {}
        """The leaves that the program had in its variables at the last backward that was told."""

    def spaces(self, frame: FrameType) -> list[Space]:
        """The variables of the functions around ``frame``, the innermost first, and of their module."""
        frames = list(user_frames(frame, self.record.stop))
        return [*map(variables, frames), *(outermost.f_globals for outermost in frames[-1:])]

    def settle(self, frame: FrameType) -> None:
        """Note which leaves are where their names lead: only those names say later where a leaf has gone.

        A function that is called in a loop has other variables each time: those of its callers come first.
        """
        outwards = self.spaces(frame)[::-1]
        owned = [places_of_parameters(space) for space in outwards]
        for track in self.tracks.items:
            key = id(track.tensor)
            depths = (k for k, space in enumerate(outwards) if at_path(track.name, space) is track.tensor)
            homes = ((k, *places[key][1:]) for k, places in enumerate(owned) if key in places)
            track.depth, track.home = next(depths, -1), next(homes, None)
        self._in_sight = {id(leaf): TensorRef(leaf) for space in outwards for leaf in leaves_in(space)}
        self._in_sight |= {key: TensorRef(item.parameter) for places in owned for key, item in places.items()}

    def look(self, frame: FrameType) -> None:
        """Names that have been bound anew before a backward that is not told."""
        others = self._elsewhere(self.spaces(frame))
        self.tracks.exchange(others)
        for number in others:
            self.tracks[number].moving = True

    def before(self, frame: FrameType, computed: int) -> None:
        """Names that have been bound anew before a backward that has begun, as by ``a, b = b, a``.

        That was before there were ``computed`` nodes, the last of which is that of the loss.
        """
        with torch._C.DisableTorchFunction():
            others = self._elsewhere(self.spaces(frame))
            self._tell(others, computed)
            self.tracks.exchange(others)
            for track in self.tracks.items:
                track.moved_at = None

    def _tell(self, others: Mapping[int, Tensor], computed: int) -> None:
        drafts: dict[Spot, Draft] = {}
        for number, tensor in others.items():
            if self.tracks.is_successor(number, tensor):
                continue  # that has been told
            spot = self.tracks[number].moved_at or self.birth(tensor)
            if spot not in drafts:
                drafts[spot] = self.log.begin("rebinding", spot)
                drafts[spot].backward_call -= 1
            drafts[spot].add(self._change(number, tensor))
        # Places are numbered as they are met, and what is inserted comes before what was at that moment.
        for spot in sorted(drafts, key=lambda spot: spot.number, reverse=True):
            self.log.insert(drafts[spot], computed)

    def at_end(self, frame: FrameType, *, in_full: bool) -> None:
        """Where names lead when the program is over, which called backward last in ``frame``.

        The frame outlives its function, with its variables. ``in_full``: all was told, and this is too.
        """
        spaces = self.spaces(frame)
        if not in_full:
            self.tracks.lose()
        others = self._elsewhere(spaces)
        changes: dict[Spot, list[LeafChange]] = {}
        for number, tensor in others.items():
            if in_full and not self.tracks.is_successor(number, tensor):
                spot = self.tracks[number].moved_at or self.birth(tensor)
                changes.setdefault(spot, []).append(self._change(number, tensor))
        for spot in sorted(changes, key=lambda spot: spot.number):
            for change in changes[spot]:
                self.log.last("rebinding", spot).add(change)
        self.tracks.exchange(others)
        for track in self.tracks.items:
            if _at(track, spaces) is track.tensor:
                track.moving = track.astray = False
        self._name_the_rest(spaces)

    def _name_the_rest(self, spaces: list[Space]) -> None:
        """Leaves that were changed and are in no graph, such as those of an averaged model."""
        nameless = [track for track in self.tracks.items if not track.name]
        if not nameless:
            return
        names = find_names([track.tensor for track in nameless], spaces)
        for space in spaces:
            for key, item in places_of_parameters(space).items():
                names.setdefault(key, f"{item.module}.{plain_path(item.path)}")
        for track in nameless:
            self.tracks.call(self.tracks.find(track.tensor), names.get(id(track.tensor), ""))

    def _elsewhere(self, spaces: list[Space]) -> dict[int, Tensor]:
        """The leaves whose names lead to another leaf now, with that; no two of them to the same."""
        others: dict[int, Tensor] = {}
        for number, track in enumerate(self.tracks.items):
            other = _at(track, spaces)
            if (
                is_leaf(other)
                and other is not track.tensor
                and (other.shape, other.dtype) == (track.tensor.shape, track.tensor.dtype)
            ):
                others[number] = other
        staying = {id(track.tensor) for n, track in enumerate(self.tracks.items) if n not in others}
        times = Counter(map(id, others.values()))
        return {n: other for n, other in others.items() if times[id(other)] == 1 and id(other) not in staying}

    def birth(self, tensor: Tensor) -> Spot:
        """Where ``tensor`` was made; nowhere if it was there before, and only the name is new."""
        earlier = self._in_sight.get(id(tensor))
        followed = self.tracks.find(tensor) >= 0 or self.tracks.was_followed(tensor)
        if followed or (earlier is not None and earlier() is tensor):
            return Spot()
        birth = self.record.birth(tensor)
        return Spot(birth.spot, birth.frame)

    def _change(self, number: int, tensor: Tensor) -> LeafChange:
        after, grad = self.recorder.measure(tensor), grad_facts(tensor, self.recorder)
        return LeafChange(number, self.tracks.value(number), after, grad=grad)


def _at(track: Track, spaces: list[Space]) -> Any:
    """What the name of ``track`` leads to now, ``None`` where that cannot be known."""
    if track.home is not None and track.home[0] < len(spaces):
        depth, module, path = track.home
        return parameter_at(at_path(module, spaces[-1 - depth]), path)
    return at_path(track.name, spaces[-1 - track.depth]) if 0 <= track.depth < len(spaces) else None
