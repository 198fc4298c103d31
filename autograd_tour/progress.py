"""What is being done right now, told to whoever listens: the command shows it on a terminal.

Nobody listens to a library call, and then it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["counted", "doing", "heard_by"]

Item = TypeVar("Item")
Listener = Callable[[Sequence[str]], None]
"""Gets what is being done, the whole first and then its part: ``("net.py:loss", "png", "frame 7 of 20")``."""

_listeners: list[Listener] = []
_tasks: list[str] = []


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Until the block ends ``listener`` is told whenever something begins or is done."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def doing(task: str) -> Iterator[None]:
    """``task`` is being done until the block ends."""
    if not _listeners:
        yield
        return
    _tasks.append(task)
    _tell()
    try:
        yield
    finally:
        _tasks.pop()
        _tell()


def counted(items: Sequence[Item], name: str) -> Iterator[Item]:
    """The items, one after the other: while one of several is worked on ``frame 7 of 20`` is being done."""
    if len(items) == 1:
        yield from items
        return
    for number, item in enumerate(items, start=1):
        with doing(f"{name} {number} of {len(items)}"):
            yield item


def _tell() -> None:
    for listener in _listeners:
        listener(tuple(_tasks))
