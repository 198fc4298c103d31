"""Ways to look at a Graph: pure functions from Graph to Graph, one file each."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.registry import scan
from autograd_tour.views.base import View

__all__ = ["View", "registry"]


def registry() -> Mapping[str, View]:
    """Name -> view, ours and those of entry points in the group ``autograd_tour.views``."""
    return scan("autograd_tour.views", "view")
