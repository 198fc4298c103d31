"""Results on the way inside of one call, as of ``total = sum(losses)``: only the last one is ``total``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any

from torch import Tensor

from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.frames import user_frames

__all__ = ["take_names_off"]


def take_names_off(
    names: tuple[str, ...],
    args: Iterable[Any],
    producer: Callable[[Tensor], tuple[CallRecord, int] | None],
    user: FrameType | None,
    stop: CodeType,
) -> None:
    """What ``names`` go to was computed from ``args``: one that was to have the same name never had it.

    In a loop it has: ``total = total + loss`` reads a variable of that name.
    """
    if len(names) != 1 or not names[0] or user is None:
        return
    for item in args:
        source = producer(item) if isinstance(item, Tensor) else None
        if source is not None and source[0].names == names and not _is_bound(names[0], item, user, stop):
            source[0].names = ()


def _is_bound(name: str, tensor: Tensor, user: FrameType, stop: CodeType) -> bool:
    frames = user_frames(user, stop)
    return any(frame.f_locals.get(name, frame.f_globals.get(name)) is tensor for frame in frames)
