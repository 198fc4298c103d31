"""What a view returns: a picture without places. Cards and links, a film of them, a chart, or a run.

Everything here is plain data. Nothing has a place or a colour: :func:`autograd_tour.drawing.draw` gives
it both, and it alone knows how wide a text is. A piece of text says how much room it may take.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.errors import PictureError
from autograd_tour.record.ledger import Ledger, Policy
from autograd_tour.record.run import EventKind

__all__ = [
    "Bar",
    "Card",
    "Chart",
    "ChartRow",
    "Direction",
    "Emphasis",
    "Film",
    "Frame",
    "Label",
    "Link",
    "LossCurve",
    "Part",
    "Picture",
    "PictureSize",
    "Role",
    "Row",
    "Run",
    "RunCell",
    "RunChart",
    "RunColumn",
    "RunLane",
    "Scene",
    "Shape",
    "check",
    "within",
]

Direction = Literal["LR", "TB"]
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
Emphasis = Literal["", "strong", "faint", "alarm"]

# ---- cards and links --------------------------------------------------------------------------


class Run(Struct, frozen=True, gc=False):
    """A piece of text in one style; sizes are px.

    Where ``room`` is not 0 the text takes at most so many px. A longer one gives way to ``brief``, if there
    is one, and ends in an ellipsis; or begins with it if ``keep_end``; or is cut at both ends so that
    ``around`` stays in sight. With ``part`` that holds for the characters from the first number to before
    the second; the rest stays. Before a text is cut its ``names`` lose their beginnings: the end tells them
    apart. A ``brief`` without a ``room`` stands where a picture has to be smaller, and is never cut.
    """

    text: str
    role: Role = "ink"
    bold: bool = False
    size: float = 12.0
    mono: bool = False
    room: float = 0.0
    part: tuple[int, int] | None = None
    brief: str = ""
    keep_end: bool = False
    around: str = ""
    names: tuple[str, ...] = ()


def within(
    before: str, text: str, after: str, role: Role, room: float, *, bold: bool = False, size: float = 12.0
) -> Run:
    """A run of which only ``text`` may be shortened, to ``room`` px."""
    return Run(
        f"{before}{text}{after}", role, bold, size, room=room, part=(len(before), len(before) + len(text))
    )


class Row(Struct, frozen=True, gc=False):
    """One line of a card: text from the left, text to the right edge, maybe on a coloured band.

    ``mark``: ``tab`` (a saved tensor), ``hatched`` (one that was freed), ``cut`` (scissors).
    ``step`` is the number of the backward step shown as a disc at the start, 0 for none.
    ``port`` names a row from which links start. In a film the row stands there from frame ``since``
    on; before it come the texts of ``earlier``, each from its own frame on. ``fact`` names what it tells
    (``n3.grad.0``, ``n1.mailbox``, ``n3.saved``), and its first text is a label; or what it adds to that
    (``n1.uses``, ``n3.note``). If ``room`` is not 0, the last
    text on the left gets what the others leave of so many px. ``detail``: what the row tells that a picture
    can do without where room is short.
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
    room: float = 0.0
    detail: Literal["", "code", "saved", "sign", "remark"] = ""


class Card(Struct, frozen=True, gc=False):
    """A box. ``lane`` is the height of the rows at the bottom that belong to the gradient.

    ``minimum`` is its smallest width, px. ``emphasis``: a ``strong`` one has a thick border, a ``faint``
    one a dashed grey border. ``runs_at`` is the frame of a film in which it runs, 0 for none.
    """

    id: str
    shape: Shape
    rows: tuple[Row, ...]
    lane: float = 0.0
    title: str = ""
    minimum: float = 56.0
    emphasis: Emphasis = ""
    runs_at: int = 0


class Label(Struct, frozen=True, gc=False):
    """Text on a link, after the number of its step (0 for none).

    The number is a disc, as on a card, unless a ``letter`` tells this link from others of the same step.
    """

    runs: tuple[Run, ...] = ()
    step: int = 0
    letter: str = ""

    @property
    def tag(self) -> str:
        """``4a``; ``""`` for no number."""
        return f"{self.step}{self.letter}" if self.step else ""


class Link(Struct, frozen=True, gc=False):
    """An arrow from ``src`` to ``dst``, ids of cards.

    ``flow``: ``forward`` solid blue, ``backward`` dashed orange, ``constant`` dotted grey, ``ungraded`` (no
    gradient comes back along it) dashed grey. A link against the direction of the layout is ``reverse``.
    ``ports``: a lane (``f`` or ``g``) or a row's.
    ``emphasis``: a ``strong`` one is thick, a ``faint`` one thin and grey, an ``alarm`` red. ``since`` is
    the frame of a film in which something flows through it; before that it waits.
    """

    id: str
    src: str
    dst: str
    flow: Literal["forward", "backward", "constant", "ungraded"]
    label: Label = Label()
    reverse: bool = False
    ports: tuple[str, str] = ("f", "f")
    title: str = ""
    emphasis: Emphasis = ""
    since: int = 0


class Frame(Struct, frozen=True, gc=False):
    """A line around ``cards``, ids, with a title: what was one card before it was opened."""

    title: str
    cards: tuple[str, ...]


class Scene(Struct, frozen=True):
    """Cards and links. ``title`` and ``desc`` say in words what it shows.

    ``heading`` stands above it, ``caption`` below it, then ``notes``, a line each. A film has ``captions``:
    for each of its frames lines of text. ``frames`` stand around some of the cards, no card in two of them.
    ``left_out`` names what was left out so that the rest is readable. ``direction`` is that of forward;
    drawing may be asked for another one.
    """

    cards: tuple[Card, ...] = ()
    links: tuple[Link, ...] = ()
    title: str = ""
    desc: str = ""
    direction: Direction = "LR"
    notes: tuple[str, ...] = ()
    heading: str = ""
    caption: str = ""
    captions: tuple[tuple[tuple[Run, ...], ...], ...] = ()
    frames: tuple[Frame, ...] = ()
    left_out: tuple[str, ...] = ()


class Film(Struct, frozen=True):
    """A scene that is told in frames, as many as it has captions; it ``plays`` by itself or is paged."""

    scene: Scene
    plays: bool = False


# ---- charts -----------------------------------------------------------------------------------


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


# ---- runs -------------------------------------------------------------------------------------


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
    """What a leaf holds from left to right: its value, or what is ``in_grad``.

    ``about`` says which of its elements is shown. ``cells`` has one entry for each column, ``None`` where
    nothing changes, ``states`` one more: what is there before each column, and at the end; ``""`` is not
    known. ``used``: the columns in which an optimizer's step used it.
    """

    leaf: str
    about: str
    in_grad: bool
    cells: tuple[RunCell | None, ...]
    states: tuple[str, ...]
    used: tuple[int, ...] = ()


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


Picture = Scene | Film | Chart | RunChart


class PictureSize(Struct, frozen=True):
    """How large the picture of ``view`` became, px, and its smallest text; how many ``cards`` it has.

    ``folded`` says what of the program is folded into cards, ``left_out`` what had no room.
    """

    view: str
    width: float
    height: float
    text: float
    cards: int = 0
    folded: str = ""
    left_out: tuple[str, ...] = ()


def check(picture: object) -> Picture:
    """``picture``, if it is one that can be drawn.

    Raises:
        PictureError: it is none, two cards have one id, a link joins no cards, a film has no frame, or a lane
            of a run does not fit its columns.
    """
    if isinstance(picture, Chart):
        return picture
    if isinstance(picture, RunChart):
        return _checked_run(picture)
    if not isinstance(picture, Scene | Film):
        raise PictureError(f"a {type(picture).__name__} is no picture: a Scene, Film, Chart or RunChart is")
    scene = picture.scene if isinstance(picture, Film) else picture
    if isinstance(picture, Film) and not scene.captions:
        raise PictureError("a film without captions has no frames")
    ids = {card.id for card in scene.cards}
    if len(ids) < len(scene.cards):
        raise PictureError("two cards have the same id")
    for link in scene.links:
        if link.src not in ids or link.dst not in ids:
            raise PictureError(f"the link {link.id[:60]!r} does not join two cards of the picture")
    return picture


def _checked_run(chart: RunChart) -> RunChart:
    count = len(chart.columns)
    for lane in chart.lanes:
        name = f"{lane.leaf[:60]}{'.grad' if lane.in_grad else ''}"
        if len(lane.cells) != count or len(lane.states) != count + 1:
            raise PictureError(f"the lane of {name} does not fit {count} columns")
        if not all(0 <= column < count for column in lane.used):
            raise PictureError(f"the lane of {name} is used in a column that is not there")
    return chart
