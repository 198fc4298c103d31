"""The tour: stops on autograd, one file each, all on the template of :class:`Stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.registry import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd_tour.lessons.tour.base import Stop

__all__ = ["chosen", "stops"]


def stops() -> tuple[Stop, ...]:
    """All stops in their order, ours and those of entry points (``autograd_tour.lessons.tour``)."""
    return tuple(sorted(scan("autograd_tour.lessons.tour", "stop").values(), key=lambda stop: stop.number))


def chosen(words: Sequence[str]) -> tuple[Stop, ...]:
    """The stops that ``words`` name by number or by name, in their order; all of them for no word.

    Raises:
        UsageError: there is no such stop; the hint has near names.
    """
    every = stops()
    if not words:
        return every
    names = {str(stop.number): stop for stop in every} | {stop.name: stop for stop in every}
    for word in words:
        if _plain(word) not in names:
            numbers = f"{every[0].number} to {every[-1].number}"
            near = suggestion(word, [stop.name for stop in every])
            raise UsageError(f"there is no stop {word[:60]!r}", f"Stops have numbers, {numbers}. {near}")
    picked = {names[_plain(word)].number: names[_plain(word)] for word in words}
    return tuple(picked[number] for number in sorted(picked))


def _plain(word: str) -> str:
    """``word`` as it is looked up: ``06`` is 6."""
    return word.lstrip("0") if word.isascii() and word.isdigit() else word.lower()
