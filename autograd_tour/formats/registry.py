"""The formats there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autograd_tour.formats.base import Format
from autograd_tour.registry import pick, scan

__all__ = ["check", "registry"]


def registry() -> Mapping[str, Format]:
    """Name -> format, ours and those of entry points in the group ``autograd_tour.formats``."""
    return scan("autograd_tour.formats", "writer")


def check(names: Iterable[str]) -> None:
    """Nothing, if these formats exist and can be written here.

    Raises:
        UsageError: one is unknown, or needs what is not installed.
    """
    formats = registry()
    for name in names:
        formats[pick("format", name, formats)].check()
