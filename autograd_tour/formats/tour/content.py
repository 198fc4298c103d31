"""What the stops of the tour came to when they ran: plain data, which every format of the tour tells."""

from __future__ import annotations

from msgspec import Struct

from autograd_tour.formats.page.pictures import Caption
from autograd_tour.questions import Question
from autograd_tour.views.movable import Movable
from autograd_tour.views.walk import Walk

__all__ = [
    "PARTS",
    "CaughtError",
    "Illustration",
    "Listing",
    "Recall",
    "StopContent",
    "Teaching",
    "Tour",
    "slug",
]

PARTS = {
    1: "What a gradient is",
    2: "What autograd keeps",
    3: "Training",
    4: "Where gradients stop or turn",
    5: "Make",
}
"""The parts of the tour, by number."""


class Listing(Struct, frozen=True):
    """Code that ran, line by line, and what it printed. ``note`` says what to look at.

    What is ``folded`` is seen when the reader opens it.
    """

    title: str
    lines: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    note: str = ""
    folded: bool = False


class CaughtError(Struct, frozen=True):
    """An error that was caught live. ``raised`` and ``cause`` are numbers of lines of ``code``, from 1.

    ``kind`` is the class of the exception, ``node`` the ``grad_fn`` that it is about, ``fixed`` the code
    with the fix, which ran too. ``seen`` is what `autograd-tour explain` says of the code, ``roles`` the part
    of each line in it, by its number.
    """

    code: Listing
    kind: str
    message: str
    raised: int
    cause: int
    node: str
    about: str
    fixed: Listing
    seen: str = ""
    roles: dict[int, str] = {}


class Illustration(Struct, frozen=True):
    """A picture: ``svg`` stands by itself; ``stage`` stands in a page, with groups for its frames.

    ``captions`` has the lines of each frame, as pieces (role, 1 if bold, text), nothing for a picture that
    does not move; ``runs`` the card that runs in each frame, ``""`` for none. ``plan`` is what its numbers
    follow from when a reader changes some, ``None`` where they cannot be worked out anew. ``walk`` is the
    loop that a picture of a run shows, where it can be gone through anew. The text of a ``wide`` one is
    as small as it may be: it is to be scrolled where it has no room. ``printed`` is drawn for a page of a
    handout, ``""`` if ``svg`` can be read there.
    """

    title: str
    summary: str
    svg: str
    stage: str
    captions: tuple[Caption, ...] = ()
    runs: tuple[str, ...] = ()
    plan: Movable | None = None
    walk: Walk | None = None
    wide: bool = False
    printed: str = ""


class Teaching(Struct, frozen=True):
    """What a stop says once its code has run, and so with its numbers.

    ``predict`` is asked before anything is told. ``explain`` asks for a line in one's own words, which
    ``rule`` and ``explanation`` follow. ``transfer`` is asked of code not seen before, ``recall`` by later
    stops, without anything beside it.
    """

    predict: tuple[Question, ...]
    explain: str
    rule: str
    explanation: tuple[str, ...]
    transfer: Question
    recall: Question


class Recall(Struct, frozen=True):
    """A question of an earlier stop, asked again."""

    stop: int
    title: str
    question: Question


class StopContent(Struct, frozen=True):
    """One stop of the tour, with all that it came to. ``later`` are the stops that ask its recall again.

    ``slides`` are its pictures as large as a slide: of each the one for reveal.js, then its pages for a PDF,
    one for each frame of a film. Nothing where none are to be made.
    """

    number: int
    part: int
    name: str
    title: str
    objective: str
    misconception: str
    prerequisites: tuple[int, ...]
    hook: Listing
    pictures: tuple[Illustration, ...]
    errors: tuple[CaughtError, ...]
    more: tuple[Listing, ...]
    transfer: Listing
    teaching: Teaching
    recall: tuple[Recall, ...]
    reading: tuple[str, ...]
    later: tuple[int, ...] = ()
    slides: tuple[tuple[str, ...], ...] = ()


class Tour(Struct, frozen=True):
    """The stops that were asked for, in order. ``titles`` has those of all stops, by number."""

    stops: tuple[StopContent, ...]
    titles: dict[int, str]


def slug(number: int, name: str) -> str:
    """How the names of a stop's files start: ``06-accumulation``."""
    return f"{number:02}-{name}"
