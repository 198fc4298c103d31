"""Questions as sheets of A4: one to write on, one with the answers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from autograd_tour.drawing import Arrangement, arranged_for
from autograd_tour.drawing.room import MM, PT, ROUNDING, Room
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.formats.base import Settings, simplified
from autograd_tour.formats.fonts import SANS_FAMILY
from autograd_tour.formats.readable import SCREENS
from autograd_tour.formats.to_pdf import PT_PER_PX, Sheet, sheet, typeset
from autograd_tour.formats.worksheet import blank, marked
from autograd_tour.record.trace import Trace
from autograd_tour.text import one_line
from autograd_tour.views.fold import fold, visible
from autograd_tour.views.picture import Scene

if TYPE_CHECKING:
    from autograd_tour.questions import Question

__all__ = ["handouts"]

BELOW = Room("a4", 180 * MM, 225 * MM, least=9 * PT, most=11 * PT, printed=True)
"""What a picture has on a sheet of A4, below the lines for name and date."""
ALONE = Room("a4", 180 * MM, 262 * MM, least=9 * PT, most=11 * PT, printed=True)
"""What it has on a sheet of its own."""


class _Exercise(NamedTuple):
    """What is asked, and the picture that it is asked about, if that has room on a sheet."""

    questions: tuple[Question, ...]
    picture: Arrangement | None = None
    room: Room = BELOW


def handouts(name: str, trace: Trace, settings: Settings) -> tuple[bytes, bytes]:
    """The sheet to write on, and the sheet with the answers, each a PDF of pages of A4.

    A picture that does not fit below the head has the last page. A graph whose text would be too small there
    is folded further, and asked about as it is shown. Where that is not enough the picture is left out, and
    the sheet says so.

    Raises:
        EngineError: the layout failed.
        UsageError: what makes a PDF is not installed.
    """
    exercise = _exercise(trace, settings)
    asked = solved = None
    if exercise.picture is not None:
        scene, layout = blank(exercise.picture.scene, exercise.picture.layout, exercise.questions)
        asked = _drawn(Arrangement(scene, layout, exercise.picture.size), exercise.room)
        solved = _drawn(exercise.picture, exercise.room)
    return (
        _handout(f"Questions: {name}", exercise, asked, answered=False),
        _handout(f"Answers: {name}", exercise, solved, answered=True),
    )


def _exercise(trace: Trace, settings: Settings) -> _Exercise:
    from autograd_tour.questions import ask, for_paper  # every picture scans this folder

    first: tuple[Question, ...] | None = None
    for seen in _folded(trace, settings):
        questions = for_paper(ask(seen))
        first = questions if first is None else first
        if not seen.graph.nodes:
            break
        scene = marked(seen.graph, questions)
        alone = _fitting(scene, ALONE, settings)
        below = None if alone is None else _fitting(scene, BELOW, settings)
        if below is not None:
            return _Exercise(questions, below)
        if alone is not None:
            return _Exercise(questions, alone, ALONE)
    return _Exercise(first or ())


def _fitting(scene: Scene, room: Room, settings: Settings) -> Arrangement | None:
    """The scene with its places, if its text is large enough in ``room``."""
    arranged = arranged_for(scene, room, settings.direction, settings.engine, settings.timeout)
    return arranged if room.text(arranged.size) >= room.least - ROUNDING else None


def _folded(trace: Trace, settings: Settings) -> Iterator[Trace]:
    """The trace as its reader asked for it, then in fewer and fewer cards if nothing else was asked for."""
    first = simplified(trace, settings).trace
    yield first
    if settings.fold and settings.depth is None and settings.focus is None:
        count = visible(first.graph)
        for limit in SCREENS:
            graph = fold(trace.graph, limit=limit, runs=False)
            if visible(graph) < count:
                count = visible(graph)
                yield replace(trace, graph=graph)


def _drawn(arranged: Arrangement, room: Room) -> Sheet:
    """A picture on paper, which is light."""
    svg = draw_scene(arranged.scene, arranged.layout, theme="light", moment=0)
    drawn = sheet(ET.fromstring(svg))  # noqa: S314 (of our own making)
    return drawn | {"px": PT_PER_PX * room.scale(arranged.size)}


def _handout(title: str, exercise: _Exercise, picture: Sheet | None, *, answered: bool) -> bytes:
    title, questions = one_line(title, 80), exercise.questions
    note = ""
    if picture is None and questions:
        note = "The picture has no room on a sheet of paper with text of 9 pt: see the SVG beside this file."
    elif not questions:
        note = "There is nothing to ask."
    elif exercise.room is ALONE:
        note = "The picture is on the last page."
    listed = [_question(question) for question in questions]
    data: dict[str, Any] = {
        "title": title,
        "font": SANS_FAMILY,
        "answered": answered,
        "picture": picture,
        "alone": exercise.room is ALONE,
        "note": note,
        "questions": listed,
    }
    texts = [title, note, *(str(value) for item in listed for value in item.values())]
    texts += [text["text"] for text in picture["texts"]] if picture else []
    return typeset("handout", title, data, texts)


def _question(question: Question) -> dict[str, Any]:
    return {
        "prompt": question.prompt,
        "choices": question.choices,
        "answer": question.answer,
        "right": question.right,
    }
