"""What a frame says, in the width that it has: in smaller text, and then in less of it."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.room import BODY
from autograd_tour.drawing.sizes import run_width
from autograd_tour.views.picture import Run

__all__ = ["narrowed"]

Lines = tuple[tuple[Run, ...], ...]

SHORTEST = 40.0
"""No piece of a line is made shorter than this, px."""


def narrowed(captions: tuple[Lines, ...], width: float) -> tuple[Lines, ...]:
    """Captions whose lines take at most ``width`` px, as far as that can be, in text of at least BODY px."""
    return tuple(tuple(_narrowed(line, width) for line in lines) for lines in captions)


def _narrowed(line: tuple[Run, ...], width: float) -> tuple[Run, ...]:
    total = _width(line)
    if total <= width:
        return line
    runs = [replace(run, size=max(min(run.size, BODY), run.size * width / total)) for run in line]
    while (over := _width(runs) - width) > 0:
        widths = list(map(run_width, runs))
        widest = widths.index(max(widths))
        room = max(widths[widest] - over, SHORTEST)
        run = runs[widest]
        if run.brief and run_width(replace(run, text=run.brief)) < run_width(run):
            runs[widest] = replace(run, text=run.brief, brief="")
            continue
        text = fit(run.text, room, run.size, run.bold)
        if text == run.text:
            break
        runs[widest] = replace(run, text=text)
    return tuple(runs)


def _width(runs: tuple[Run, ...] | list[Run]) -> float:
    return sum(map(run_width, runs))
