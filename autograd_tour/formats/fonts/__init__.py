"""The fonts of PDF and PNG pictures: cut down from Arimo and Cousine by ``make.py``, see ``LICENSE.txt``.

Only these are used, so a picture has the same text, and the same bytes, on a machine without any font.
Their widths are Arial's, the widths that boxes are sized with.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

__all__ = ["FOLDER", "MONO_FAMILY", "SANS_FAMILY", "uncovered"]

FOLDER = Path(__file__).parent
SANS_FAMILY = "Tour Sans"
MONO_FAMILY = "Tour Mono"


@cache
def _covered() -> frozenset[str]:
    """The characters that the sans has, regular and bold."""
    ranges = json.loads((FOLDER / "covered.json").read_bytes())
    return frozenset(chr(code) for first, last in ranges for code in range(first, last + 1))


def uncovered(text: str) -> str:
    """The characters of ``text`` that our fonts do not have, in order, each once."""
    return "".join(sorted(set(text) - _covered() - set("\n\r\t")))
