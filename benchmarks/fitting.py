"""How large text is on a slide and in a column: from left to right and scaled down, and made to fit.

``python -m benchmarks.fitting`` draws the lecture programs, prints a table and writes ``docs/fitting.md``.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from autograd_tour import Trace, trace
from autograd_tour.drawing import arrange
from autograd_tour.drawing.room import Room, room_for
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.views.picture import Scene
from tests.lectures import collisions, lectures

__all__ = ["PAGE", "Row", "page", "rows"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "fitting.md"
ROUNDS = 3
ROOMS = {"1280×720": room_for("1280x720"), "736 px": room_for(width=736.0)}

_INTRODUCTION = """# How readable

`python -m benchmarks.fitting` draws the lecture programs of `tests/programs/lecture` and writes this page.
The text is the smallest in the picture of all that was recorded, in px: *scaled*, as it would be if the
usual picture from left to right were scaled down to the room; and *made to fit*, as `--fit 1280x720` and
`--width 736` make it. It is to be at least 18 px on a slide and 11 px in a column. *Cards* are those of
the usual picture, and those that are left on the slide; *left out* is what the slide says of itself. In none
of these pictures does a card or a label lie on another one, or leave the picture:
`tests/test_formats/test_lecture.py` holds that, and the sizes.
"""


class Row(NamedTuple):
    """One program: px of text (scaled, made to fit) by room; cards before and after; what is left out."""

    program: str
    texts: tuple[tuple[float, float], ...]
    cards: tuple[int, int]
    left_out: tuple[str, ...]
    times: float
    """Processor seconds that fitting to the slide takes, in those that the usual picture takes."""


def rows() -> Iterator[Row]:
    """A row for each lecture program, with collisions as an error."""
    for name, program in lectures():
        record = Trace(trace(program))
        usual, plain = _timed(record, None)
        texts, pictures, seconds = [], [], []
        for room in ROOMS.values():
            assert room is not None
            picture, took = _timed(record, room)
            arranged = arrange(picture, room=room)
            wrong = collisions(arranged)
            if wrong:
                raise SystemExit(f"{name}: {'; '.join(wrong)}")
            texts.append((room.text(arrange(usual, "LR").size), room.text(arranged.size)))
            pictures.append((picture, arranged.scene))
            seconds.append(took)
        picture, drawn = pictures[0]
        yield Row(
            name, tuple(texts), (len(usual.cards), len(picture.cards)), drawn.left_out, seconds[0] / plain
        )


def _timed(record: Trace, room: Room | None) -> tuple[Scene, float]:
    """The picture for a room, and the processor's seconds until everything in it has its place.

    Each round allows layouts another time, so that none is remembered from the one before.
    """
    seconds = []
    for number in range(ROUNDS):
        timeout = 61.0 + number
        start = _seconds()
        (_, picture), *_ = chosen_views(record, Settings(views=("graph",), room=room, timeout=timeout))
        assert isinstance(picture, Scene)
        arrange(picture, room=room, timeout=timeout)
        seconds.append(_seconds() - start)
    return picture, median(seconds)


def _seconds() -> float:
    """What the processor spent on this process and on those it started."""
    spent = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in spent)


def page(results: list[Row]) -> str:
    """The page in Markdown."""
    heads = [f"{name}, {when}" for name in ROOMS for when in ("scaled", "made to fit")]
    lines = [f"| program | {' | '.join(heads)} | cards | left out |"]
    lines.append("|---|" + "--:|" * (len(heads) + 1) + "---|")
    for row in results:
        cells = [f"{text:.1f}" for pair in row.texts for text in pair]
        cards = f"{row.cards[0]} → {row.cards[1]}" if row.cards[0] != row.cards[1] else str(row.cards[0])
        lines.append(f"| {row.program} | {' | '.join(cells)} | {cards} | {', '.join(row.left_out)} |")
    least = [min(row.texts[i][1] for row in results) for i in range(len(ROOMS))]
    times = sorted(row.times for row in results)
    reached = f"{least[0]:.1f} px on the slide, {least[1]:.1f} px in the column"
    cost = f"{median(times):.1f} times as long as for the usual picture"
    end = f"""
The smallest: {reached}. Fitting lays out at most four times. To find the picture and its places takes {cost}
(median of {len(times)} programs, at most {times[-1]:.1f} times).
"""
    return "\n".join([_INTRODUCTION, *lines]) + "\n" + end


def main() -> None:
    """Print the page and write it."""
    text = page(list(rows()))
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
