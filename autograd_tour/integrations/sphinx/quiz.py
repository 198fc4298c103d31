"""``.. autograd-quiz::``: questions about a block, each with its answer to be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes

from autograd_tour.errors import TourError
from autograd_tour.hosts.options import OPTIONS
from autograd_tour.integrations.sphinx.directive import BlockDirective

if TYPE_CHECKING:
    from autograd_tour.hosts.outcome import Record
    from autograd_tour.questions import Question

__all__ = ["QuizDirective", "sheet"]


class QuizDirective(BlockDirective):
    """Questions about what autograd does with a block; ``questions`` is how many at most."""

    option_spec: ClassVar = {**BlockDirective.option_spec, "questions": OPTIONS["depth"]}

    def run(self) -> list[nodes.Node]:
        """The source, if it is asked for, and what becomes the questions."""
        try:
            block = self.block(alt="", questions=self.options.get("questions", 5))
        except TourError as error:
            return self.refused(error)
        self.add_name(block)
        return [*self.source(), block]


def sheet(record: Record, most: int, *, openable: bool) -> list[nodes.Node]:
    """Questions about a record; answers open where they stand if they can, else they stand at the end."""
    from autograd_tour.questions import ask

    questions = _spread(ask(record.trace), most)
    asked = nodes.enumerated_list("", enumtype="arabic", prefix="", suffix=".", classes=["autograd-quiz"])
    answers = nodes.enumerated_list("", enumtype="arabic", prefix="", suffix=".")
    for question in questions:
        item = nodes.list_item("", nodes.paragraph("", question.prompt))
        if question.choices:
            choices = (nodes.list_item("", nodes.paragraph("", choice)) for choice in question.choices)
            item += nodes.bullet_list("", *choices)
        if openable:
            item += nodes.raw("", "<details><summary>Answer</summary>", format="html")
            item += _answer(question)
            item += nodes.raw("", "</details>", format="html")
        asked += item
        answers += nodes.list_item("", _answer(question))
    if not questions:
        return [nodes.paragraph("", "Nothing can be asked of this record.")]
    return [asked] if openable else [asked, nodes.rubric("", "Answers"), answers]


def _answer(question: Question) -> nodes.paragraph:
    return nodes.paragraph("", "", nodes.strong("", question.answer), nodes.Text(f" {question.right}"))


def _spread(questions: tuple[Question, ...], most: int) -> list[Question]:
    """At most so many, from the first to the last, of each kind before a second of one."""
    kinds: dict[str, list[Question]] = {}
    for question in questions:
        kinds.setdefault(question.kind, []).append(question)
    rounds = (
        item for turn in range(len(questions)) for kind in kinds.values() for item in kind[turn : turn + 1]
    )
    chosen = [item for _, item in zip(range(most), rounds, strict=False)]
    return [question for question in questions if question in chosen]
