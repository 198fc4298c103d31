"""Questions as files: as JSON, as a picture with blanks and one with answers, and as handouts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from autograd_tour.formats.base import Format, Settings, simplified
from autograd_tour.record.trace import Trace

__all__ = ["writer"]


class Quiz(Format):
    """Questions about the run, what is right, and what wrong answers betray."""

    name = "quiz"
    summary = "questions as JSON, and sheets with blanks and with answers; with -f pdf for A4 paper"
    endings = ("-quiz.json", "-question.svg", "-answer.svg", "-question.pdf", "-answer.pdf")

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str | bytes]:
        """``STEM-quiz.json``, ``STEM-question.svg`` and ``STEM-answer.svg``.

        If PDF is asked for too, ``STEM-question.pdf`` and ``STEM-answer.pdf``: sheets of A4 to write on.
        """
        # Every picture scans this folder: what only questions need is loaded when they are asked for.
        from autograd_tour.formats.worksheet import worksheets
        from autograd_tour.questions import ask, for_paper, listing

        seen = simplified(trace, settings).trace
        questions = for_paper(ask(seen))
        text = msgspec.json.format(msgspec.json.encode(listing(questions)), indent=2).decode()
        blank, solved = worksheets(seen.graph, questions, settings)
        files: dict[str, str | bytes] = {
            f"{stem}-quiz.json": f"{text}\n",
            f"{stem}-question.svg": blank,
            f"{stem}-answer.svg": solved,
        }
        if "pdf" in settings.formats:
            from autograd_tour.formats.handout import handouts

            files[f"{stem}-question.pdf"], files[f"{stem}-answer.pdf"] = handouts(stem, trace, settings)
        return files


writer = Quiz()
