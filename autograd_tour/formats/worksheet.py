"""Questions on paper: a picture with blanks and the questions below it, and the same with the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec.structs import replace

from autograd_tour.drawing import arrange, ready
from autograd_tour.drawing.layout import Layout
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.formats.base import Settings
from autograd_tour.record.graph import Graph
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.picture import Card, Label, Row, Run, Scene

if TYPE_CHECKING:
    from autograd_tour.questions import Question

__all__ = ["blank", "marked", "worksheets"]

WIDTH = 110
"""Characters of a line of a question."""
SIZE = 14.0
ROOM = 220.0
"""Widest list of what an operation keeps, px."""


def worksheets(graph: Graph, questions: Sequence[Question], settings: Settings) -> tuple[str, str]:
    """The sheet with questions, and the sheet with their answers: two SVG documents with the same places.

    Raises:
        EngineError: the layout failed.
    """
    scene = marked(graph, questions)
    arranged = arrange(
        replace(scene, captions=(_listed(questions, answered=True),), title=f"{scene.title}: answers"),
        settings.direction,
        room=settings.room,
        engine=settings.engine,
        timeout=settings.timeout,
        whole=True,  # what is asked about is in sight
    )
    asked, layout = blank(arranged.scene, arranged.layout, questions)
    asked = replace(
        asked,
        captions=(_listed(questions, answered=False),),
        title=f"{scene.title}: questions",
    )
    questioned, solved = (
        draw_scene(sheet, places, theme=settings.theme, moment=0, room=settings.room)
        for sheet, places in ((asked, layout), (arranged.scene, arranged.layout))
    )
    return questioned, solved


# ---- the picture with the numbers of questions ----------------------------------------------------


def marked(graph: Graph, questions: Sequence[Question]) -> Scene:
    """The cards of ``graph`` with the numbers of the questions that ask for a row.

    Every operation has one row that tells what it keeps, also if that is nothing: a row that is not there, or
    a second one, would answer a question.
    """
    scene = ready(cards_scene(graph))
    marks = _marks(questions)
    return replace(scene, cards=tuple(_marked(_with_saved(card), marks) for card in scene.cards))


def _marks(questions: Sequence[Question]) -> dict[str, Run]:
    """The numbers of the questions that ask for a fact."""
    numbers: dict[str, list[int]] = {}
    for number, question in enumerate(questions, start=1):
        if question.blank:
            numbers.setdefault(question.blank, []).append(number)
    return {
        fact: Run(f"  [{', '.join(map(str, asking))}]", "forward", bold=True)
        for fact, asking in numbers.items()
    }


def _marked(card: Card, marks: Mapping[str, Run]) -> Card:
    return replace(
        card,
        rows=tuple(
            replace(row, left=(*row.left, marks[row.fact])) if row.fact in marks else row for row in card.rows
        ),
    )


def _with_saved(card: Card) -> Card:
    """An operation's card with one row that tells what it keeps."""
    if card.shape != "operation":
        return card
    saved = [row for row in card.rows if row.detail == "saved"]
    names = ", ".join(_saved_name(row) for row in saved)
    state = saved[0].left[1:] if len(saved) == 1 else ()
    text = Run(f"saved  {names}" if names else "saved  no tensor seen", "saved", room=ROOM)
    row = Row(
        (text, *state), fill="saved_fill", mark="tab", fact=f"{card.id}.saved", detail="saved", height=20.0
    )
    if len(saved) == 1:
        row = saved[0]
    others = [other for other in card.rows if other.detail != "saved"]
    # Before the gradient, which has the lowest rows.
    position = next((i for i, other in enumerate(others) if other.fill == "accumulated_fill"), len(others))
    return replace(card, rows=(*others[:position], row, *others[position:]))


def _saved_name(row: Row) -> str:
    run = row.left[0]
    return run.text if run.part is None else run.text[slice(*run.part)]


# ---- the picture with blanks ------------------------------------------------------------------------


def blank(scene: Scene, layout: Layout, questions: Sequence[Question]) -> tuple[Scene, Layout]:
    """The marked ``scene`` without what would answer something, and its places.

    That are gradients, the contents of mailboxes, what is saved, rules and notes, the order of the steps, and
    if somebody asks what comes back through a tensor that was cut off, the arrows of backward.
    """
    marks = _marks(questions)
    cut = any(question.kind == "cut" for question in questions)
    kept = [i for i, link in enumerate(scene.links) if not (cut and link.flow == "backward")]
    links = [scene.links[i] for i in kept]
    asked = replace(
        scene,
        cards=tuple(
            replace(card, rows=tuple(_blank(row, marks) for row in card.rows)) for card in scene.cards
        ),
        links=tuple(replace(link, label=Label(), title="") for link in links),
        desc=" ".join(f"{number}. {question.prompt}" for number, question in enumerate(questions, start=1)),
    )
    return asked, replace(layout, courses=tuple(layout.courses[i] for i in kept))


def _blank(row: Row, marks: Mapping[str, Run]) -> Row:
    if not row.fact or ".value." in row.fact:
        return row
    if row.fact.endswith((".note", ".uses")) or row.detail == "sign":
        return replace(row, left=())
    label = Run("saved", "saved") if row.fact.endswith(".saved") else row.left[0]
    mark = (marks[row.fact],) if row.fact in marks else ()
    mark_of_row = "tab" if row.fact.endswith(".saved") else ""
    return replace(row, left=(label, Run("  ?", label.role, bold=True), *mark), step=0, mark=mark_of_row)


# ---- the questions below it -------------------------------------------------------------------------


def _listed(questions: Sequence[Question], *, answered: bool) -> tuple[tuple[Run, ...], ...]:
    """The questions as lines below the picture; with their answers, or with what there is to choose."""
    lines: list[tuple[Run, ...]] = []
    for number, question in enumerate(questions, start=1):
        first, *rest = wrap(question.prompt, WIDTH) or [""]
        lines.append((Run(f"{number}.  ", bold=True, size=SIZE), Run(first, size=SIZE)))
        lines += [(Run(f"      {line}", size=SIZE),) for line in rest]
        if answered:
            lines.append((Run(f"      {question.answer}   ", "backward", bold=True, size=SIZE),))
            lines += [(Run(f"      {line}", "muted", size=SIZE),) for line in wrap(question.right, WIDTH)]
        elif question.choices:
            offered = "    ".join(f"☐ {choice}" for choice in question.choices)
            lines += [(Run(f"      {line}", "muted", size=SIZE),) for line in wrap(offered, WIDTH)]
    return tuple(lines)
