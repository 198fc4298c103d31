"""What the variables of the program stand for where it calls backward, and where it ends.

A name is bound without a sound where no function gives the value: ``a, b = b, a``, ``layers = [...]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

from torch import Tensor

from autograd_tour.record.run import LeafChange
from autograd_tour.tracer.follow.log import Draft, Log, Spot
from autograd_tour.tracer.follow.tracks import Track, Tracks, grad_facts
from autograd_tour.tracer.listen.calls import Site
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.names import isinstance_safe, variables
from autograd_tour.tracer.listen.paths import at_path, parameter_at, places_of_parameters
from autograd_tour.tracer.measure import Recorder

__all__ = ["Space", "bound_at_end", "bound_before", "elsewhere", "placed", "spaces_of"]

Space = Mapping[str, Any]


def spaces_of(frames: Iterable[FrameType]) -> list[Space]:
    """The variables of ``frames``, the innermost first, and those of their modules."""
    every = list(frames)
    return [*map(variables, every), *(frame.f_globals for frame in every[-1:])]


def placed(tracks: Tracks, spaces: list[Space]) -> None:
    """Note which leaves are where their names lead: only those names say later where a leaf has gone.

    A function that is called in a loop has other variables each time, so those of its callers count first.
    """
    outwards = list(reversed(spaces))
    owned = [places_of_parameters(space) for space in outwards]
    for track in tracks.items:
        depths = (k for k, space in enumerate(outwards) if at_path(track.name, space) is track.tensor)
        homes = (
            (k, *places[id(track.tensor)]) for k, places in enumerate(owned) if id(track.tensor) in places
        )
        track.depth, track.home = next(depths, -1), next(homes, None)


def _at(track: Track, spaces: list[Space]) -> Any:
    """What the name of ``track`` leads to now, ``None`` where that cannot be known."""
    if track.home is not None and track.home[0] < len(spaces):
        depth, module, path = track.home
        return parameter_at(at_path(module, spaces[-1 - depth]), path)
    return at_path(track.name, spaces[-1 - track.depth]) if 0 <= track.depth < len(spaces) else None


def elsewhere(tracks: Tracks, spaces: list[Space]) -> dict[int, Tensor]:
    """The leaves whose names lead to another leaf now, with that; none of which two names lead to one."""
    others: dict[int, Tensor] = {}
    other: Any
    for number, track in enumerate(tracks.items):
        other = _at(track, spaces)
        if (
            isinstance_safe(other, Tensor)
            and other is not track.tensor
            and other.grad_fn is None
            and (other.shape, other.dtype) == (track.tensor.shape, track.tensor.dtype)
        ):
            others[number] = other
    staying = {id(track.tensor) for number, track in enumerate(tracks.items) if number not in others}
    times = Counter(map(id, others.values()))
    return {n: other for n, other in others.items() if times[id(other)] == 1 and id(other) not in staying}


def bound_before(
    tracks: Tracks, log: Log, recorder: Recorder, record: ForwardRecord, spaces: list[Space], computed: int
) -> None:
    """Names that have been bound anew before a backward that is told, as by ``a, b = b, a``.

    That was before there were ``computed`` nodes, the last of which is that of the loss.
    """
    others = elsewhere(tracks, spaces)
    drafts: dict[Spot, Draft] = {}
    for number, tensor in others.items():
        if tracks.is_successor(number, tensor):
            continue  # that has been told
        birth = Site() if tracks.find(tensor) >= 0 else record.birth(tensor)
        spot = Spot(birth.spot, birth.frame)
        if spot not in drafts:
            drafts[spot] = log.begin("rebinding", spot)
            drafts[spot].backward_call -= 1  # it was before the call that has begun
            log.insert(drafts[spot], computed)
        drafts[spot].add(_change(tracks, recorder, number, tensor))
    tracks.exchange(others)


def bound_at_end(
    tracks: Tracks, log: Log, recorder: Recorder, record: ForwardRecord, frame: FrameType, *, told: bool
) -> None:
    """Where names lead when the program is over, of which ``frame`` called backward last.

    The frame outlives its function, with its variables. If all was ``told`` what was not heard is an event.
    """
    spaces = spaces_of(user_frames(frame, record.stop))
    if not told:
        tracks.lose()
    others = elsewhere(tracks, spaces)
    for number, tensor in others.items():
        if told and not tracks.is_successor(number, tensor):
            birth = Site() if tracks.find(tensor) >= 0 else record.birth(tensor)
            event = log.last("rebinding", Spot(birth.spot, birth.frame))
            event.add(_change(tracks, recorder, number, tensor))
    tracks.exchange(others)
    for track in tracks.items:
        if _at(track, spaces) is track.tensor:
            track.moving = track.astray = False


def _change(tracks: Tracks, recorder: Recorder, number: int, tensor: Tensor) -> LeafChange:
    after, grad = recorder.measure(tensor), grad_facts(tensor, recorder)
    return LeafChange(number, tracks.value(number), after, grad=grad)
