"""Cards and links, and a film of them, without places or colours."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = [
    "Card",
    "Direction",
    "Emphasis",
    "Film",
    "Frame",
    "Label",
    "Link",
    "Role",
    "Row",
    "Run",
    "Scene",
    "Shape",
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
    ``detail``: what the text tells that a page can hide alone.
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
    detail: Literal["", "value", "shape", "rule", "gradient"] = ""


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
    (``n1.uses``, ``n3.note``); or a result (``n3.value.0``). If ``room`` is not 0, the last
    text on the left gets what the others leave of so many px. ``detail``: what the row tells, where a picture
    can do without it, for want of room or as a reader chooses.
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
    detail: Literal["", "code", "saved", "sign", "remark", "tensor", "gradient"] = ""


class Card(Struct, frozen=True, gc=False):
    """A box. ``lane`` is the height of the rows at the bottom that belong to the gradient.

    ``minimum`` is its smallest width, px. ``emphasis``: a ``strong`` one has a thick border, a ``faint``
    one a dashed grey border. ``runs_at`` is the frame of a film in which it runs, 0 for none. ``path``: of
    the module that it stands for, by which it is called where its title has no room. ``is_input``: a tensor
    that the program works on, a batch or its labels, is left out last of all.
    """

    id: str
    shape: Shape
    rows: tuple[Row, ...]
    lane: float = 0.0
    title: str = ""
    minimum: float = 56.0
    emphasis: Emphasis = ""
    runs_at: int = 0
    path: str = ""
    is_input: bool = False


class Label(Struct, frozen=True, gc=False):
    """Text on a link, after the number of its step (0 for none).

    The number is a disc, as on a card, unless a ``letter`` tells this link from others of the same step.
    ``fact`` names the gradient that it speaks of: ``n3.sent.0``.
    """

    runs: tuple[Run, ...] = ()
    step: int = 0
    letter: str = ""
    fact: str = ""

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
    drawing may be asked for another one. ``column``: what stands above and below is wrapped at so many px, 0
    for the usual room.
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
    column: float = 0.0


class Film(Struct, frozen=True):
    """A scene that is told in frames, as many as it has captions; it ``plays`` by itself or is paged."""

    scene: Scene
    plays: bool = False
