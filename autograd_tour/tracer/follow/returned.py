"""What a backward call brought to leaves or returned, with names, and where its loss was computed."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType

from torch import Tensor

from autograd_tour.record.run import ReturnedGradient
from autograd_tour.tracer.follow.backward import BackwardCall
from autograd_tour.tracer.follow.log import Spot
from autograd_tour.tracer.follow.tracks import MOST_LEAVES, Tracks
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.names import first_name
from autograd_tour.tracer.recording import Request

__all__ = ["grads_of_leaves", "maker_of", "returned_gradients"]


def grads_of_leaves(backward: BackwardCall, tracks: Tracks) -> list[Tensor | None]:
    """The ``.grad`` of each leaf that is followed, or what was returned for it."""
    if backward.inputs is None:
        return tracks.grads()
    grads: list[Tensor | None] = [None] * len(tracks.items)
    for item, gradient in () if backward.batched else backward.returned:
        number = tracks.owner(item)
        if number >= 0:
            grads[number] = gradient
    return grads


def maker_of(loss: Tensor, record: ForwardRecord) -> Spot:
    """The place where ``loss`` was computed.

    A library that trains divides what the program's own line has computed, by 1 if nothing is accumulated:
    that line tells more, if it has the same number.
    """
    producer = record.producer(loss)
    if producer is None:
        return Spot()
    last, fn = producer[0], loss.grad_fn
    call = last
    while fn is not None and record.sites.is_trained(call.site):
        inputs = [child for child, _ in fn.next_functions if child is not None]
        fn = inputs[0] if len(inputs) == 1 else None
        maker = record.maker(fn._sequence_nr()) if fn is not None else None
        if maker is None or not _is_same_number(maker, last):
            return Spot(last.site.spot, last.site.frame)
        call = maker
    return Spot(call.site.spot, call.site.frame)


def _is_same_number(call: CallRecord, other: CallRecord) -> bool:
    return (
        bool(call.outputs) and bool(other.outputs) and call.outputs[0].first == other.outputs[0].first != ()
    )


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
