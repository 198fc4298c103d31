"""The gradients that a backward call returned instead of depositing them, with the names of their tensors."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType

from torch import Tensor

from autograd_tour.record.run import ReturnedGradient
from autograd_tour.tracer.follow.backward import BackwardCall
from autograd_tour.tracer.follow.tracks import MOST_LEAVES, Tracks
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.names import first_name
from autograd_tour.tracer.recording import Request

__all__ = ["returned_gradients"]


def returned_gradients(
    backward: BackwardCall, tracks: Tracks, request: Request, record: ForwardRecord, frame: FrameType
) -> Iterator[ReturnedGradient]:
    """What ``backward``, called in ``frame``, returned; nothing where it deposited its gradients."""
    for item, gradient in backward.returned[:MOST_LEAVES]:
        if not isinstance(item, Tensor):
            continue  # an edge of the graph, which has no name
        number = tracks.find(item)
        name = tracks[number].name if number >= 0 else _name_of(item, request, record, frame)
        facts = None if gradient is None else request.recorder.measure(gradient, gradient=True)
        yield ReturnedGradient(name, tuple(item.shape), facts, number if number >= 0 else None)


def _name_of(tensor: Tensor, request: Request, record: ForwardRecord, frame: FrameType) -> str:
    """What the program calls a tensor that is no leaf that is followed; ``""`` if it has no name."""
    producer = record.producer(tensor)
    if producer is not None:
        call, position = producer
        if len(call.names) > position and call.names[position]:
            return call.names[position]
    if tensor.is_leaf and (name := request.leaf_names([tensor], record)[id(tensor)]):
        return name
    frames = reversed(list(user_frames(frame, record.stop)))
    return next((name for user in frames if (name := first_name(tensor, user))), "")
