"""The page ``docs/library.md``: what ``explain`` says of the models of libraries."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGE", "Verdict", "page"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "library.md"


class Verdict(NamedTuple):
    """What came of one model: findings that are no notes, notes, or why it was not trained."""

    library: str
    name: str
    alarms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = ""
    parameters: int = 0
    seconds: float = 0.0


def page(verdicts: list[Verdict]) -> str:
    raise NotImplementedError
