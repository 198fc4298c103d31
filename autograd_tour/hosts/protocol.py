"""What a build and its worker say to each other: one message after the other over a pipe."""

from __future__ import annotations

from typing import BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from autograd_tour.hosts.outcome import Failure
from autograd_tour.hosts.snippet import Snippet

__all__ = ["Answer", "Job", "Ready", "receive", "send"]

Message = TypeVar("Message")


class Ready(Struct, frozen=True, tag=True):
    """The worker has loaded torch, and waits."""

    torch: str


class Job(Struct, frozen=True):
    """One snippet to trace, with the ``earlier`` ones of its context and the ``path`` for its imports."""

    snippet: Snippet
    earlier: tuple[Snippet, ...] = ()
    path: tuple[str, ...] = ()


class Answer(Struct, frozen=True, tag=True):
    """The trace or explanation of a snippet as JSON, or why there is none.

    ``files`` are those of the user that it ran.
    """

    content: str = ""
    remarks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    failure: Failure | None = None


def send(pipe: BinaryIO, message: Struct) -> None:
    """Write one message."""
    data = msgspec.msgpack.encode(message)
    pipe.write(len(data).to_bytes(8, "little") + data)
    pipe.flush()


def receive(pipe: BinaryIO, kind: type[Message]) -> Message | None:
    """Read one message; ``None`` if the other side is gone, or was interrupted while it wrote."""
    head = pipe.read(8)
    size = int.from_bytes(head, "little")
    data = pipe.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(data) < size:
        return None
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.DecodeError:
        return None
