"""The tour as plain text: for a terminal, and as files. The answers stand at the end of each stop."""

from __future__ import annotations

from textwrap import fill, indent

from autograd_tour.formats.tour.content import StopContent, Tour, slug
from autograd_tour.formats.tour.given import given_for
from autograd_tour.formats.tour.words import Block, answers, blocks, heading_of
from autograd_tour.questions import Question

__all__ = ["answer_lines", "block_text", "question_text", "stop_text", "text_files"]

WIDTH = 98


def text_files(tour: Tour) -> dict[str, str]:
    """A ``.txt`` file for each stop."""
    return {f"{slug(stop.number, stop.name)}.txt": stop_text(stop) for stop in tour.stops}


def stop_text(stop: StopContent) -> str:
    """One stop from its title to its answers."""
    title = heading_of(stop).replace("`", "")
    parts = [f"{title}\n{'=' * len(title)}"]
    parts += [text for block in blocks(stop) if (text := block_text(block))]
    parts.append(_heading("Answers"))
    parts += [
        _paragraph(f"{number}. {question.answer}. {question.right}") for number, question in answers(stop)
    ]
    needed = given_for(stop.hook, stop.transfer, *stop.more)
    parts += [_heading("What is given"), indent("\n".join(needed.lines), "    ")]
    parts += [_heading("To read further"), *(_paragraph(item) for item in stop.reading)]
    return "\n\n".join(parts) + "\n"


def block_text(block: Block) -> str:
    """One block; of a picture its description."""
    if block.kind == "heading":
        return _heading(block.text)
    if block.kind == "code":
        assert block.listing is not None
        lines = []
        for number, line in enumerate(block.listing.lines, start=1):
            lines.append(f"    {line}".rstrip())
            if number in block.marks:
                lines.append(f"    ^ {block.marks[number]}")
        return "\n".join(lines)
    if block.kind == "output":
        return "\n".join(f"    > {line}" for text in block.text.split("\n") for line in _wrapped(text))
    if block.kind == "question":
        assert block.question is not None
        prompt = _paragraph(f"{block.number}. {block.text}{block.question.prompt}")
        return f"{prompt}{question_text(block.question)}"
    if block.kind == "picture":
        assert block.picture is not None
        return _paragraph(f"[{block.picture.title}: {block.picture.summary}]")
    if block.kind == "rule":
        return indent(_paragraph(block.text, WIDTH - 4), "  | ")
    return _paragraph(block.text)


def question_text(question: Question) -> str:
    """What there is to choose from, a line each, with a line break before it; nothing for a number."""
    return "".join(
        f"\n   {position}) {choice.replace('`', '')}"
        for position, choice in enumerate(question.choices, start=1)
    )


def answer_lines(question: Question) -> str:
    """The right answer and why."""
    return _paragraph(f"It is {question.answer}. {question.right}")


def _heading(text: str) -> str:
    plain = text.replace("`", "")
    return f"{plain}\n{'-' * len(plain)}"


def _paragraph(text: str, width: int = WIDTH) -> str:
    return fill(text.replace("`", ""), width, break_long_words=False, break_on_hyphens=False)


def _wrapped(text: str) -> list[str]:
    """A printed line as it is, or, if it is longer than the page, in several."""
    return fill(text, WIDTH - 6, break_long_words=False, break_on_hyphens=False).split("\n") if text else [""]
