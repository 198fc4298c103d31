"""Questions as files: as JSON, and as a sheet with blanks and a sheet with answers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from autograd_tour.formats.base import Format, Settings, simplified
from autograd_tour.record.trace import Trace

__all__ = ["writer"]


class Quiz(Format):
    """Questions about the run, what is right, and what wrong answers betray."""

    name = "quiz"
    summary = "questions as JSON, and sheets with blanks and with answers"
    endings = ("-quiz.json", "-question.svg", "-answer.svg")

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM-quiz.json``, ``STEM-question.svg`` and ``STEM-answer.svg``."""
        # Every picture scans this folder: what only questions need is loaded when they are asked for.
        from autograd_tour.formats.worksheet import worksheets
        from autograd_tour.questions import ask

        seen = simplified(trace, settings).trace
        questions = ask(seen)
        listed = [
            {"number": number, **msgspec.to_builtins(question), "tolerance": question.tolerance}
            for number, question in enumerate(questions, start=1)
        ]
        text = msgspec.json.format(msgspec.json.encode(listed), indent=2).decode()
        blank, solved = worksheets(seen.graph, questions, settings)
        return {f"{stem}-quiz.json": f"{text}\n", f"{stem}-question.svg": blank, f"{stem}-answer.svg": solved}


writer = Quiz()
