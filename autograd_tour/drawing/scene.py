"""What a picture consists of before it has places: cards with rows of text, and links between them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.drawing.metrics import text_width

__all__ = ["Card", "Emphasis", "Label", "Link", "Role", "Row", "Run", "Scene", "Shape"]

Role = Literal[
    "ink",
    "forward",
    "backward",
    "saved",
    "muted",
    "error",
    "paper",
    "leaf_fill",
    "constant_fill",
    "saved_fill",
    "accumulated_fill",
]
Shape = Literal["leaf", "constant", "operation", "group", "box"]
Emphasis = Literal["", "strong", "faint"]

PADDING = 9.0
GAP = 14.0
HATCH = 34.0
"""Width of the hatched end of a row, px: its text ends before it."""
_MARKS = {"": 0.0, "tab": 4.0, "hatched": 4.0 + HATCH, "cut": 16.0}
"""The room that a mark takes in its row, px."""
ARROW = 9.0
"""Length of an arrow's head, px."""
BADGE = 8.5
"""Radius of the disc with a step number, px."""


class Run(Struct, frozen=True, gc=False):
    """A piece of text in one style; sizes are px."""

    text: str
    role: Role = "ink"
    bold: bool = False
    size: float = 12.0
    mono: bool = False

    @property
    def width(self) -> float:
        """Advance width in px."""
        return len(self.text) * self.size * 0.6 if self.mono else text_width(self.text, self.size, self.bold)


def _width(runs: tuple[Run, ...]) -> float:
    return runs[0].width if len(runs) == 1 else sum([run.width for run in runs])


class Row(Struct, frozen=True, gc=False):
    """One line of a card: text from the left, text to the right edge, maybe on a coloured band.

    ``mark``: ``tab`` (a saved tensor), ``hatched`` (one that was freed), ``cut`` (scissors).
    ``step`` is the number of the backward step shown as a disc at the start, 0 for none.
    ``port`` names a row from which links start. In a film the row stands there from frame ``since``
    on; before it come the texts of ``earlier``, each from its own frame on. ``fact`` names what it tells
    (``n3.grad.0``, ``n1.mailbox``, ``n3.saved``); its first text is a label.
    """

    left: tuple[Run, ...]
    right: tuple[Run, ...] = ()
    fill: Role | None = None
    height: float = 20.0
    mark: Literal["", "tab", "hatched", "cut"] = ""
    step: int = 0
    port: str = ""
    since: int = 0
    earlier: tuple[tuple[int, tuple[Run, ...]], ...] = ()
    fact: str = ""

    @property
    def width(self) -> float:
        """Smallest width of a card that holds this row, px."""
        left = _width(self.left)
        if self.earlier:
            left = max(left, *(_width(runs) for _, runs in self.earlier))
        right = _width(self.right) if self.right else 0.0
        extra = (2 * BADGE + 4 if self.step else 0) + _MARKS[self.mark]
        return 2 * PADDING + left + right + extra + (GAP if left and right else 0)


class Card(Struct, frozen=True, gc=False):
    """A box. ``lane`` is the height of the rows at the bottom that belong to the gradient.

    ``emphasis``: a ``strong`` one has a thick border, a ``faint`` one a dashed grey border. ``runs_at``
    is the frame of a film in which it runs, 0 for none.
    """

    id: str
    shape: Shape
    rows: tuple[Row, ...]
    lane: float = 0.0
    title: str = ""
    minimum: float = 56.0
    emphasis: Emphasis = ""
    runs_at: int = 0

    @property
    def width(self) -> float:
        """Width in px: the widest row decides."""
        return float(round(max([self.minimum, *[row.width for row in self.rows]]) + 0.5))

    @property
    def height(self) -> float:
        """Height in px."""
        return sum([row.height for row in self.rows])


class Label(Struct, frozen=True, gc=False):
    """Text on a link, after the number of its step (0 for none)."""

    runs: tuple[Run, ...] = ()
    step: int = 0

    @property
    def width(self) -> float:
        """Width in px with its disc."""
        return _width(self.runs) + (2 * BADGE + (4 if self.runs else 0) if self.step else 0)


class Link(Struct, frozen=True, gc=False):
    """An arrow from ``src`` to ``dst``.

    ``flow``: ``forward`` solid blue, ``backward`` dashed orange, ``constant`` dotted grey. A link
    against the direction of the layout is ``reverse``. ``ports``: a lane (``f`` or ``g``) or a row's.
    ``emphasis``: a ``strong`` one is thick, a ``faint`` one thin and grey. ``since`` is the frame of a
    film in which something flows through it; before that it waits.
    """

    id: str
    src: str
    dst: str
    flow: Literal["forward", "backward", "constant"]
    label: Label = Label()
    reverse: bool = False
    ports: tuple[str, str] = ("f", "f")
    title: str = ""
    emphasis: Emphasis = ""
    since: int = 0


class Scene(Struct, frozen=True):
    """A picture without places. ``title`` and ``desc`` say in words what it shows.

    A film has ``captions``: for each of its frames lines of text.
    """

    cards: tuple[Card, ...] = ()
    links: tuple[Link, ...] = ()
    title: str = ""
    desc: str = ""
    direction: Literal["LR", "TB"] = "LR"
    notes: tuple[str, ...] = ()
    captions: tuple[tuple[tuple[Run, ...], ...], ...] = ()
