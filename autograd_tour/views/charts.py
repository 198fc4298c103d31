"""Charts: ``.grad`` after each call, what happens to the leaves of a run, bars beside lines of code."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.record.ledger import Ledger, Policy
from autograd_tour.record.run import EventKind
from autograd_tour.text import one_line
from autograd_tour.views.scene import Run

__all__ = [
    "Bar",
    "Chart",
    "ChartRow",
    "Fill",
    "Listing",
    "ListingPart",
    "ListingRow",
    "LossCurve",
    "Part",
    "RunCell",
    "RunChart",
    "RunColumn",
    "RunLane",
]


class Part(Struct, frozen=True, gc=False):
    """One segment of a bar: what ``call`` brought; 0 is what was there before, -1 several calls."""

    value: float
    text: str
    call: int


class Bar(Struct, frozen=True, gc=False):
    """``.grad`` after one call. ``state`` is ``none`` for no gradient, ``odd`` for no number to draw.

    ``before`` is ``None`` for an empty slot, ``gone`` what zeroing threw away, ``None`` for nothing.
    The last of ``parts`` is what this call brought. ``level`` is ``after`` as a number.
    """

    call: int
    before: str | None
    gone: str | None
    after: str
    state: Literal["bar", "none", "odd"]
    level: float = 0.0
    parts: tuple[Part, ...] = ()


class ChartRow(Struct, frozen=True, gc=False):
    """One number through all calls, under each policy; ``index`` has the place of one element."""

    leaf: str
    index: str
    norm: bool
    stacked: bool
    bars: tuple[tuple[Policy, tuple[Bar, ...]], ...]


class Chart(Struct, frozen=True):
    """What is in ``.grad`` after each call of ``ledger``: ``rows``, and how many leaves are left out.

    ``unchanged`` says what stays as it is, ``""`` if nothing is known to.
    """

    ledger: Ledger
    rows: tuple[ChartRow, ...] = ()
    left_out: int = 0
    title: str = ""
    unchanged: str = ""


class RunColumn(Struct, frozen=True, gc=False):
    """One moment of a run: an event, or several in a row that did the same to other leaves.

    ``kind`` is ``gap`` where events are left out. ``head`` says in a word or two what happened, ``code`` are
    its lines of the program, ``where`` their file and numbers, ``about`` what else is known, a line each.
    ``begins``: an iteration begins here.
    """

    kind: EventKind | Literal["gap"]
    head: str
    code: tuple[str, ...] = ()
    where: str = ""
    about: tuple[str, ...] = ()
    begins: bool = False


class RunCell(Struct, frozen=True, gc=False):
    """What a moment did in one lane, in lines of text; what was ``emptied`` is its first line."""

    lines: tuple[tuple[Run, ...], ...]
    emptied: bool = False


class RunLane(Struct, frozen=True, gc=False):
    """What a leaf holds from left to right: its value, what is ``in_grad``, or a mailbox of its optimizer.

    Of that ``kept`` is the name, such as ``momentum_buffer``. ``about`` says which of its elements is shown.
    ``cells`` has one entry for each column, ``None`` where
    nothing changes, ``states`` one more: what is there before each column, and at the end; ``""`` is not
    known. ``used``: the columns in which an optimizer's step used it.
    """

    leaf: str
    about: str
    in_grad: bool
    cells: tuple[RunCell | None, ...]
    states: tuple[str, ...]
    used: tuple[int, ...] = ()
    kept: str = ""

    @property
    def content(self) -> str:
        """What it holds of its leaf: ``value``, ``.grad``, or the name of what an optimizer keeps."""
        return self.kept or (".grad" if self.in_grad else "value")

    @property
    def name(self) -> str:
        """``w``, ``w.grad``, ``momentum_buffer of w``."""
        leaf = one_line(self.leaf, 60)
        return f"{self.kept} of {leaf}" if self.kept else f"{leaf}{'.grad' if self.in_grad else ''}"


class LossCurve(Struct, frozen=True, gc=False):
    """The losses of one line that calls backward: (number of the call, loss), ``None`` if not finite."""

    name: str
    points: tuple[tuple[int, float | None], ...]


class RunChart(Struct, frozen=True):
    """What happened to the leaves of a program from moment to moment. ``notes`` are lines below it.

    ``less`` are pictures of the same with ever less in them, for where room is short.
    """

    columns: tuple[RunColumn, ...] = ()
    lanes: tuple[RunLane, ...] = ()
    curves: tuple[LossCurve, ...] = ()
    title: str = ""
    summary: str = ""
    desc: str = ""
    notes: tuple[str, ...] = ()
    less: tuple[RunChart, ...] = ()


Fill = Literal["main", "light", "outline"]


class ListingRow(Struct, frozen=True, gc=False):
    """A line of code, or what else is listed, with its bar: stacked ``segments`` and ``amount`` in words.

    ``where`` stands below it, and then ``about``, a text each that may take some lines.
    """

    text: str
    where: str = ""
    segments: tuple[tuple[float, Fill], ...] = ()
    amount: str = ""
    about: tuple[str, ...] = ()


class ListingPart(Struct, frozen=True):
    """Rows under a ``heading``, with bars of one scale; ``legend`` says what their fills mean."""

    heading: str
    rows: tuple[ListingRow, ...]
    legend: tuple[tuple[Fill, str], ...] = ()


class Listing(Struct, frozen=True):
    """Bars beside the code. ``notes`` are lines below it.

    ``less`` are pictures of the same with ever less in them, for where room is short.
    """

    parts: tuple[ListingPart, ...] = ()
    title: str = ""
    summary: str = ""
    desc: str = ""
    notes: tuple[str, ...] = ()
    less: tuple[Listing, ...] = ()
