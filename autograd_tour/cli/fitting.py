"""What the command says of pictures that were made for a room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from autograd_tour.cli.stderr import printable, say

if TYPE_CHECKING:
    from autograd_tour.drawing.room import Fit

__all__ = ["say_fits"]

LARGER = "A larger room: --fit 16:9 or --width 736; --min-text PX says that smaller text will do"
REMEDY = "--depth 1 or --focus NAME draws less of a graph; --min-text PX says that smaller text will do"


def say_fits(name: str, results: Iterable[Fit], *, quiet: bool) -> None:
    """How large the text of each picture of ``name`` is, and what to do where it is too small."""
    small = cardless = False
    for result in results:
        line = printable(f"{name}: {result.summary}")
        if result.small:
            small, cardless = True, cardless or result.cardless
            say(f"warning: {line}, {result.shortfall}")
        elif not quiet:
            say(line)
    if small:
        say(f"hint: {LARGER if cardless else REMEDY}")
