"""Questions on paper: a picture with blanks and the questions below it, and the same with the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec.structs import replace

from autograd_tour.drawing import arrange, ready
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.formats.base import Settings
from autograd_tour.record.graph import Graph
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.picture import Card, Row, Run, Scene

if TYPE_CHECKING:
    from autograd_tour.questions import Question

__all__ = ["worksheets"]

WIDTH = 110
"""Characters of a line of a question."""
SIZE = 14.0
_GIVEN = ("grad", "mailbox", "saved")


def worksheets(graph: Graph, questions: Sequence[Question], settings: Settings) -> tuple[str, str]:
    """The sheet with questions, and the sheet with their answers: two SVG documents with the same places.

    On the first every gradient, every content of a mailbox, what is saved, and the order of the steps
    are left out: each of them would answer something.

    Raises:
        EngineError: the layout failed.
    """
    numbers: dict[str, list[int]] = {}
    for number, question in enumerate(questions, start=1):
        numbers.setdefault(question.blank, []).append(number)
    numbers.pop("", None)
    scene = ready(cards_scene(graph))
    title = scene.title
    marks = {fact: _mark(fact_numbers) for fact, fact_numbers in numbers.items()}
    arranged = arrange(
        replace(
            _with_rows(scene, marks, blank=False),
            captions=(_listed(questions, answered=True),),
            title=f"{title}: answers",
        ),
        settings.direction,
        room=settings.room,
        engine=settings.engine,
        timeout=settings.timeout,
        whole=True,  # what is asked about is in sight
    )
    asked = _with_rows(scene, marks, blank=True)
    asked = replace(
        asked,
        captions=(_listed(questions, answered=False),),
        title=f"{title}: questions",
        desc=" ".join(f"{number}. {question.prompt}" for number, question in enumerate(questions, start=1)),
        links=tuple(replace(link, label=replace(link.label, step=0, letter="")) for link in scene.links),
        direction=arranged.scene.direction,
    )
    blank, solved = (
        draw_scene(sheet, arranged.layout, theme=settings.theme, moment=0, room=settings.room)
        for sheet in (asked, arranged.scene)
    )
    return blank, solved


def _mark(numbers: Sequence[int]) -> Run:
    return Run(f"  [{', '.join(map(str, numbers))}]", "forward", bold=True)


def _with_rows(scene: Scene, marks: Mapping[str, Run], *, blank: bool) -> Scene:
    """The scene with the numbers of questions in its rows, and with ``?`` for what they tell."""

    def row(original: Row) -> Row:
        if not original.fact:
            return original
        mark = (marks[original.fact],) if original.fact in marks else ()
        if not blank:
            return replace(original, left=(*original.left, *mark))
        label = Run("saved", "saved") if original.fact.endswith(".saved") else original.left[0]
        return replace(original, left=(label, Run("  ?", label.role, bold=True), *mark), step=0, mark="")

    def card(original: Card) -> Card:
        return replace(original, rows=tuple(row(item) for item in original.rows))

    return replace(scene, cards=tuple(card(original) for original in scene.cards))


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
