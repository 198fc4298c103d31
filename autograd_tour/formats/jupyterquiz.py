"""Questions as the JSON that jupyterquiz shows in a notebook: ``display_quiz("STEM-jupyterquiz.json")``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from autograd_tour.formats.base import Format, Settings, simplified
from autograd_tour.record.trace import Trace

if TYPE_CHECKING:
    from autograd_tour.questions import Question

__all__ = ["writer"]


class Jupyterquiz(Format):
    """The same questions for a notebook."""

    name = "jupyterquiz"
    summary = "questions for jupyterquiz's display_quiz in a notebook"
    endings = ("-jupyterquiz.json",)

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM-jupyterquiz.json``."""
        from autograd_tour.questions import ask  # only questions need what they load

        questions = [_exported(question) for question in ask(simplified(trace, settings).trace)]
        # ASCII only: jupyterquiz opens the file in whatever encoding the machine has.
        return {f"{stem}-jupyterquiz.json": f"{json.dumps(questions, indent=2)}\n"}


def _exported(question: Question) -> dict[str, Any]:
    """One question for jupyterquiz."""
    from autograd_tour.questions import read_number

    replies = [(question.answer, True, question.right)]
    replies += [(wrong.answer, False, wrong.feedback) for wrong in question.wrong]
    if question.choices:
        feedback = {answer: (right, remark) for answer, right, remark in replies}
        answers = [
            {
                "answer": _plain(choice),
                "correct": feedback[choice][0],
                "feedback": _plain(feedback[choice][1]),
            }
            for choice in question.choices
        ]
        return {"question": _plain(question.prompt), "type": "multiple_choice", "answers": answers}
    answers = []
    for answer, right, remark in replies:
        value = read_number(answer)
        if isinstance(value, float) and math.isfinite(value):
            answers.append(_near(value, question.tolerance) | {"correct": right, "feedback": _plain(remark)})
    answers.append({"type": "default", "feedback": "Not yet."})
    return {"question": _plain(question.prompt), "type": "numeric", "answers": answers}


def _plain(text: str) -> str:
    """``text`` as HTML that shows it; jupyterquiz would also make mathematics of ``$`` and links of ``[``."""
    return escape(text).replace("$", "&#36;").replace("[", "&#91;")


def _near(value: float, tolerance: float) -> dict[str, Any]:
    """An interval around a number: its end is not in it, so it ends a little later."""
    if value == 0:
        return {"type": "value", "value": 0}
    reach = abs(value) * tolerance
    return {"type": "range", "range": [value - reach, math.nextafter(value + reach, math.inf)]}


writer = Jupyterquiz()
