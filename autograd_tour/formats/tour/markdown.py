"""The tour as Markdown, with pictures beside it; an answer is folded away until the reader opens it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from autograd_tour.formats.tour.content import PARTS, Tour, slug
from autograd_tour.formats.tour.given import given_for
from autograd_tour.formats.tour.words import Block, blocks, heading_of
from autograd_tour.questions import Question

__all__ = ["answer_folded", "block_markdown", "markdown_files"]


def markdown_files(tour: Tour) -> dict[str, str]:
    """``index.md``, a ``.md`` file for each stop, and its pictures as ``.svg``."""
    files = {"index.md": _map(tour)}
    for position, stop in enumerate(tour.stops):
        stem = slug(stop.number, stop.name)
        files[f"{stem}.md"] = _page(tour, position)
        files |= {f"{stem}-{number}.svg": picture.svg for number, picture in enumerate(stop.pictures, 1)}
    return files


def _map(tour: Tour) -> str:
    lines = ["# The tour of autograd", ""]
    for number, part in PARTS.items():
        stops = [stop for stop in tour.stops if stop.part == number]
        if stops:
            lines += [f"## {part}", ""]
            lines += [f"{stop.number}. [{stop.title}]({slug(stop.number, stop.name)}.md)" for stop in stops]
            lines.append("")
    return "\n".join(lines)


def _page(tour: Tour, position: int) -> str:
    stop = tour.stops[position]
    parts = [f"# {heading_of(stop)}", _ways(tour, position)]
    parts += [block_markdown(block, slug(stop.number, stop.name)) for block in blocks(stop)]
    parts += ["## What is given", _fenced(given_for(stop.hook, stop.transfer, *stop.more).lines, "python")]
    parts += ["## To read further", "\n".join(f"- {item}" for item in stop.reading)]
    return "\n\n".join(parts) + "\n"


def _ways(tour: Tour, position: int) -> str:
    ways = ["[Map](index.md)"]
    for other, word in ((position - 1, "Previous"), (position + 1, "Next")):
        if 0 <= other < len(tour.stops):
            stop = tour.stops[other]
            ways.append(f"[{word}: {stop.number} {stop.title}]({slug(stop.number, stop.name)}.md)")
    return " · ".join(ways)


def block_markdown(block: Block, stem: str) -> str:
    """One block; pictures are files called ``STEM-1.svg`` and so on."""
    if block.kind == "heading":
        return f"## {block.text}"
    if block.kind == "code":
        assert block.listing is not None
        return _fenced(tuple(_marked(block)), "python")
    if block.kind == "output":
        return _fenced(tuple(block.text.split("\n")), "text")
    if block.kind == "rule":
        return f"> **{block.text}**"
    if block.kind == "question":
        assert block.question is not None
        return f"{_asked(block, block.question)}\n\n{answer_folded(block.question)}"
    if block.kind == "picture":
        return f"![{block.text.replace('`', '')}]({stem}-{block.number + 1}.svg)\n\n*{block.text}*"
    return block.text


def _marked(block: Block) -> Iterator[str]:
    assert block.listing is not None
    for number, line in enumerate(block.listing.lines, start=1):
        yield line
        if number in block.marks:
            yield f"# ^ {block.marks[number]}"


def _fenced(lines: tuple[str, ...], language: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _asked(block: Block, question: Question) -> str:
    choices = "".join(f"\n- [ ] {choice}" for choice in question.choices)
    return f"**{block.number}.** {block.text}{question.prompt}{chr(10) + choices if choices else ''}"


def answer_folded(question: Question) -> str:
    """The answer behind a line that the reader opens, and what each foreseen wrong answer betrays."""
    wrong = "".join(
        f"\n- {item.answer}: {item.feedback}{f' (stop {item.stop})' if item.stop else ''}"
        for item in question.wrong
    )
    summary = escape("The answer")
    return (
        f"<details><summary>{summary}</summary>\n\n**{question.answer}**. {question.right}\n\n"
        f"Not so:\n{wrong}\n\n</details>"
    )
