"""The formats there are."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.formats.base import Format
from autograd_tour.registry import scan

__all__ = ["registry"]


def registry() -> Mapping[str, Format]:
    """Name -> format, ours and those of entry points in the group ``autograd_tour.formats``."""
    return scan("autograd_tour.formats", "writer")
