"""The tour as a handout: a PDF to print, with sheets to fill in and the answers at the end."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from typing import Any

from autograd_tour.drawing.room import PT, Room
from autograd_tour.formats.fonts import MONO_FAMILY, SANS_FAMILY
from autograd_tour.formats.to_pdf import Sheet, check_pdf, sheet, typeset
from autograd_tour.formats.tour.content import PARTS, Illustration, StopContent, Tour
from autograd_tour.formats.tour.words import Block, answers, blocks, heading_of
from autograd_tour.questions import Question

__all__ = ["PAGES", "handout", "part_files", "text_on_paper"]

DOCUMENT = "tour"
UPRIGHT, TURNED = (480.0, 600.0), (784.0, 490.0)
"""The greatest width and height of a picture between texts, and alone on a page that is turned, pt."""
SMALLEST = 9.0
"""Text of a picture that would be smaller there has a page of its own, pt."""
PAGES = tuple(
    Room("a page of the handout", width * PT, height * PT, least=SMALLEST * PT, most=12 * PT, printed=True)
    for width, height in (UPRIGHT, TURNED)
)
"""What a picture is drawn for whose text would be smaller: a page, and one that is turned."""
TURN = "Predict first, then turn the page."
NEW_PAGE = ("What happens",)
"""Headings before which a sheet ends, so that nothing beside a question answers it."""


def handout(tour: Tour) -> bytes:
    """One PDF of all stops, with the answers at its end.

    Raises:
        UsageError: the package typst is not installed.
    """
    return _typeset("The tour of autograd", f"{TURN} The answers are at the end.", tour.stops)


def part_files(tour: Tour) -> dict[str, bytes]:
    """``handout-1.pdf`` to write on, and ``answers-1.pdf``, for each part with a stop in ``tour``.

    Raises:
        UsageError: the package typst is not installed.
    """
    documents = {}
    for number, name in PARTS.items():
        stops = [stop for stop in tour.stops if stop.part == number]
        if stops:
            title = f"Part {number}: {name}"
            documents[f"handout-{number}.pdf"] = _typeset(title, TURN, stops, answered=False)
            documents[f"answers-{number}.pdf"] = _typeset(f"{title}, the answers", "", stops, sheets=False)
    return documents


def _typeset(
    title: str, about: str, stops: Sequence[StopContent], *, sheets: bool = True, answered: bool = True
) -> bytes:
    """The ``sheets`` of the stops, and behind them the answers if it is to be ``answered``."""
    check_pdf()
    sheets_data = [
        {
            "title": _pieces(heading_of(stop)),
            "blocks": [item for block in blocks(stop) if block.kind != "sure" for item in _items(block)]
            if sheets
            else [],
            "answers": [_answer(number, question) for number, question in answers(stop)] if answered else [],
        }
        for stop in stops
    ]
    data = {
        "stops": sheets_data,
        "title": title,
        "about": about,
        "sheets": sheets,
        "answered": answered,
        "sans": SANS_FAMILY,
        "mono": MONO_FAMILY,
    }
    return typeset(DOCUMENT, title, data, [title, json.dumps(sheets_data, ensure_ascii=False)])


def _answer(number: int, question: Question) -> dict[str, Any]:
    """The answer, and what each foreseen wrong one assumes."""
    return {
        "number": number,
        "pieces": _pieces(f"{question.answer}. {question.right}"),
        "wrong": [_pieces(f"Not “{item.answer}”: {item.feedback}") for item in question.wrong],
    }


def _items(block: Block) -> Iterator[dict[str, Any]]:
    if block.kind == "heading" and block.text in NEW_PAGE:
        yield {"kind": "page"}
    item: dict[str, Any] = {"kind": block.kind, "pieces": _pieces(block.text)}
    if block.listing is not None:
        item["lines"] = [
            {"text": line, "mark": block.marks.get(number, "")}
            for number, line in enumerate(block.listing.lines, start=1)
        ]
    if block.kind == "output":
        item["lines"] = [{"text": line, "mark": ""} for line in block.text.split("\n")]
    if block.question is not None:
        item["number"] = block.number
        item["pieces"] = _pieces(f"{block.text}{block.question.prompt}")
        item["choices"] = [_pieces(choice) for choice in block.question.choices]
    if block.picture is not None:
        item |= _picture(block.picture)
    yield item
    if block.kind == "own":
        yield {"kind": "lines"}
        yield {"kind": "page"}


def text_on_paper(svg: str) -> float:
    """The size of the smallest text of a picture in a handout, pt, on a page of its own if it needs one."""
    drawn = _on_paper(svg)["sheet"]
    return float(drawn["px"] * min(_sizes(drawn), default=SMALLEST))


def _picture(picture: Illustration) -> dict[str, Any]:
    return _on_paper(picture.printed or picture.svg)


def _sizes(drawn: Sheet) -> list[float]:
    """Of its texts, px."""
    return [text["size"] for text in drawn["texts"] if text["text"].strip()]


def _on_paper(svg: str) -> dict[str, Any]:
    root = ET.fromstring(svg)  # noqa: S314 (of our own making)
    drawn = sheet(root)
    sizes = _sizes(drawn)
    wanted = max(drawn["px"], SMALLEST / min(sizes, default=SMALLEST))
    upright, turned = (
        min(wanted, width / drawn["width"], height / drawn["height"]) for width, height in (UPRIGHT, TURNED)
    )
    wide = upright < wanted and upright * min(sizes, default=SMALLEST) < SMALLEST and turned > upright
    drawn["px"] = turned if wide else upright
    return {"sheet": drawn, "wide": wide}


def _pieces(text: str) -> list[dict[str, Any]]:
    """Text and code in turn: what stands between backticks is code."""
    return [{"text": piece, "code": bool(index % 2)} for index, piece in enumerate(text.split("`")) if piece]
