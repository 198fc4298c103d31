"""The built-in stops of the tour, one file each."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.lessons.base import Lesson, ProgramLesson
from autograd_tour.registry import scan

__all__ = ["Lesson", "ProgramLesson", "registry"]


def registry() -> Mapping[str, Lesson]:
    """Name -> lesson, ours and those of entry points in the group ``autograd_tour.lessons``."""
    return scan("autograd_tour.lessons", "lesson")
