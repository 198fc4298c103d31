"""How large a run is drawn: widths of columns, heights of lanes, and how many bands are read best."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.room import BODY, Room
from autograd_tour.drawing.sizes import run_width
from autograd_tour.views.picture import RunCell, RunChart, RunColumn

__all__ = [
    "ABOUT",
    "ABOVE",
    "BESIDE",
    "CODE",
    "CURVES",
    "GAP",
    "HEAD",
    "MARGIN",
    "PAD",
    "PLOT",
    "ROW",
    "Band",
    "Heading",
    "Layout",
    "fitting",
    "lane_height",
    "wrapped",
]

MARGIN: Final = 24.0
MOST_NAME: Final = 130.0
MOST_START: Final = 150.0
PAD: Final = 6.0
HEAD: Final = 20.0
CODE: Final = 15.0
ABOUT: Final = 14.0
ROW: Final = 15.0
GAP: Final = 8.0
BETWEEN: Final = 26.0
ABOVE: Final = 30.0  # over the curves: what they are
PLOT: Final = 84.0
CURVES: Final = ABOVE + PLOT + 62.0
BESIDE: Final = 4.0  # around a cell
GAIN: Final = 1.03
"""Text that is larger by less than this is not worth what was left out for it."""
NARROW: Final = 80.0
NARROW_GAP: Final = 58.0
USUAL: Final = {86.0: 1.0, 96.0: 1.02, 140.0: 1.05}
"""Room for the texts above a column, px, and how welcome it is: the more, the less code is wrapped."""
A_LITTLE: Final = 20.0
A_HAIR: Final = 0.5
"""So that a text that is as wide as its room is not cut by rounding, px."""
"""A text that needs only so much more is not wrapped, px."""
NARROWEST: Final = (320, 560)
"""The least width that is tried in a room, and without one, px."""
SLIDE: Final = (1280.0, 720.0)
COLUMN: Final = 736.0
"""Width of a text column on the web, px."""


@dataclass(frozen=True)
class Heading:
    """The lines above a column, in the room it has."""

    code: tuple[str, ...]
    about: tuple[str, ...]

    @property
    def height(self) -> float:
        """In px, with the coloured head."""
        return HEAD + CODE * len(self.code) + ABOUT * len(self.about) + 12


@dataclass(frozen=True)
class Band:
    """Columns beside each other. ``lefts`` has their left edges, ``head`` is the height of the headings."""

    columns: tuple[int, ...]
    lefts: dict[int, float]
    top: float
    head: float


class Layout:
    """Where everything of a picture stands.

    Of all widths that one is taken whose text is large enough in ``room``, and largest on a slide and in a
    column of the web together.
    """

    def __init__(self, chart: RunChart, room: Room | None = None) -> None:
        self.chart = chart
        self.room = None if room is None or room.endless else room
        self.heights = [
            max([ROW + 4 + BESIDE, *(lane_height(cell) for cell in lane.cells if cell is not None)])
            for lane in chart.lanes
        ]
        self.lanes = sum(self.heights) + GAP * sum(lane.content != "value" for lane in chart.lanes)
        self.start = self._start(range(len(chart.columns) + 1))
        names = [text_width(lane.leaf, 13, True) for lane in chart.lanes]
        names += [text_width(lane.about, 11) for lane in chart.lanes]
        self.name = min(MOST_NAME, max(names, default=0.0) + A_HAIR)
        contents = [text_width(lane.content, 12) for lane in chart.lanes]
        self.lane = MARGIN + self.name + 14 + max(contents, default=0.0)
        self.left = 0.0
        self.bands: list[Band] = []
        self.notes: list[str] = []
        self.headings: list[Heading] = []
        self.widths: list[float] = []
        self.width = self.height = self.bottom = 0.0
        self._arrange(*max(product(USUAL, range(NARROWEST[self.room is None], 1281, 40)), key=self._worth))

    @property
    def text(self) -> float:
        """How large text is in the room, px."""
        return BODY if self.room is None else self.room.text((self.width, self.height))

    def _start(self, columns: Iterable[int]) -> float:
        """What the states before these columns take at most, px."""
        states = [text_width(lane.states[i], 12) for lane in self.chart.lanes for i in columns]
        return min(MOST_START, max([36.0, *states]))

    def _worth(self, trial: tuple[float, int]) -> tuple[float, float]:
        size = self._size(trial)
        return (0.0 if self.room is None else min(self.text, self.room.least)), size

    def _size(self, trial: tuple[float, int]) -> float:
        """How large the text is that is laid out within so many px, with so much room for headings."""
        self._arrange(*trial)
        on_slide = min(SLIDE[0] / self.width, SLIDE[1] / self.height)
        ends = [max(band.lefts.values()) for band in self.bands]
        tidy = 1.0 if ends[0] >= max(ends) - 60 else 0.98  # a short band comes last
        return (2 * on_slide + min(1.0, COLUMN / self.width)) * USUAL[trial[0]] * tidy

    def _arrange(self, usual: float, limit: float) -> None:
        chart = self.chart
        cells = [[lane.cells[i] for lane in chart.lanes] for i in range(len(chart.columns))]
        self.widths = [
            _column_width(column, column_cells, *self._rooms(column, usual))
            for column, column_cells in zip(chart.columns, cells, strict=True)
        ]
        self.headings = [_heading(c, w) for c, w in zip(chart.columns, self.widths, strict=True)]
        rows = self._banded(limit)
        self.width = max(self.left + sum(self.widths[i] for i in row) for row in rows) + MARGIN
        if self.chart.curves:
            self.width = max(self.width, 560.0)
        top = 74.0 + 17 * (len(wrapped(self.chart.summary, self.width - 2 * MARGIN, 13, 2)) - 1)
        self.bands = []
        for row in rows:
            lefts: dict[int, float] = {}
            x = self.left
            for i in row:
                lefts[i] = x
                x += self.widths[i]
            head = max(self.headings[i].height for i in row)
            self.bands.append(Band(tuple(row), lefts, top, head))
            top += head + self.lanes + BETWEEN
        self.bottom = top - BETWEEN + 8
        inner = self.width - 2 * MARGIN
        self.notes = [text for note in self.chart.notes for text in wrapped(note, inner, 12, 3)]
        curves = CURVES if self.chart.curves else 0.0
        self.height = self.bottom + curves + 17 * len(self.notes) + 14

    def _rooms(self, column: RunColumn, usual: float) -> tuple[float, float]:
        """What texts above a column take, and how narrow it may be: little, in a room, for a gap."""
        narrow = column.kind == "gap" and self.room is not None
        return (NARROW_GAP, NARROW_GAP) if narrow else (usual, NARROW)

    def _banded(self, limit: float) -> list[list[int]]:
        """The columns of each band; in a room a single one has no more before it than it needs."""
        all_columns = range(len(self.chart.columns) + 1)
        for columns in (all_columns[:1], all_columns) if self.room is not None else (all_columns,):
            self.start = self._start(columns)
            self.left = self.lane + 10 + self.start + 14
            rows = self._rows(limit - MARGIN - self.left)
            if len(rows) == 1:
                break
        return rows

    def _rows(self, room: float) -> list[list[int]]:
        """The columns of each band: as many as have room, but it rather begins where an iteration does."""
        rows: list[list[int]] = [[]]
        for i in range(len(self.widths)):
            row = rows[-1]
            if row and sum(self.widths[k] for k in (*row, i)) > room:
                begins = [k for k in (*row[1:], i) if self.chart.columns[k].begins]
                seam = row.index(begins[-1]) if begins and begins[-1] != i else len(row)
                if seam < len(row) / 2:
                    seam = len(row)
                rows[-1:] = [row[:seam], row[seam:]]
            rows[-1].append(i)
        return [row for row in rows if row]


def fitting(chart: RunChart, room: Room | None) -> Layout:
    """The layout with the most in it whose text is large enough in ``room``, or else the largest."""
    best = Layout(chart, room)
    if best.room is None:
        return best
    worth = GAIN * best.text
    for less in chart.less:
        if best.text >= best.room.least:
            break
        layout = Layout(less, room)
        if layout.text >= best.room.least or layout.text > worth:
            best, worth = layout, GAIN * layout.text
    return best


def lane_height(cell: RunCell) -> float:
    """What a cell takes of the height of its lane, px."""
    return ROW * len(cell.lines) + 4 + BESIDE


def _column_width(column: RunColumn, cells: Sequence[RunCell | None], usual: float, least: float) -> float:
    lines = [line for cell in cells if cell is not None for line in cell.lines]
    contents = [sum(run_width(run) for run in line) + 2 * (PAD + BESIDE) for line in lines]
    head = text_width(column.head, 12, True) + 2 * PAD + BESIDE
    words = [text_width(text, 12) + 2 * PAD for text in column.code]
    words += [text_width(text, 11) + 2 * PAD for text in (column.where, *column.about)]
    return max([least, head, *contents, *(width if width <= usual + A_LITTLE else usual for width in words)])


def _heading(column: RunColumn, width: float) -> Heading:
    room = width - PAD
    several = 1 if len(column.code) > 1 else 4
    code = [text for part in column.code for text in wrapped(part, room, 12, several, _CODE_SEAM)]
    about = [fit(column.where, room, 11, keep_end=True)] if column.where else []
    about += [text for part in column.about for text in wrapped(part, room, 11, 4)]
    return Heading(tuple(code), tuple(about))


_OPERATOR = re.compile(r"\*\*|//|[-+*/=]=")
"""Two signs that stay together."""
_WORD_SEAM = re.compile(r" ")
_CODE_SEAM = re.compile(r"[ ,=+*/_]|\((?!\))|\.(?!\d)")


def wrapped(text: str, room: float, size: float, lines: int, seam: re.Pattern[str] = _WORD_SEAM) -> list[str]:
    """``text`` on at most so many lines of ``room`` px, each broken behind a ``seam`` if there is one."""
    texts: list[str] = []
    while text and len(texts) < lines - 1 and text_width(text, size) > room:
        end = len(fit(text, room + text_width("…", size), size)) - 1
        ends = [match.end() for match in seam.finditer(text, 0, end + 1) if match.end() <= end + 1]
        ends = [i for i in ends if not _OPERATOR.match(text, i - 1)]
        fitting = [i for i in ends if text_width(text[:i].rstrip(), size) <= room]
        cut = fitting[-1] if fitting else 0
        if cut <= end / 3 and text_width(seam.split(text[cut:], 1)[0], size) > room:
            cut = max(end, 1)  # rather inside a word that no line has room for than after a few signs
        texts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*texts, fit(text, room, size)] if text else texts
