"""The tour as a handout: a PDF to print, with sheets to fill in and the answers at the end."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograd_tour.formats.to_pdf import compiled
from autograd_tour.formats.tour.content import Illustration, Tour
from autograd_tour.formats.tour.words import Block, answers, blocks, heading_of

__all__ = ["handout"]

TEMPLATE = Path(__file__).with_name("handout.typ")
COLUMN = 640.0
"""Width of the text in px: a picture that is narrower keeps its own size."""
NEW_PAGE = ("What happens",)
"""Headings before which a sheet ends, so that nothing beside a question answers it."""


def handout(tour: Tour) -> bytes:
    """One PDF of all stops.

    Raises:
        UsageError: the package typst is not installed.
    """
    stops = [
        {
            "title": _pieces(heading_of(stop)),
            "blocks": [item for block in blocks(stop) if block.kind != "sure" for item in _items(block)],
            "answers": [
                {"number": number, "pieces": _pieces(f"{question.answer}. {question.right}")}
                for number, question in answers(stop)
            ],
        }
        for stop in tour.stops
    ]
    return compiled(TEMPLATE, {"stops": stops}, "tour", "The tour of autograd")


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


def _picture(picture: Illustration) -> dict[str, Any]:
    root = ET.fromstring(picture.svg)  # noqa: S314 (of our own making)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    share = min(1.0, width / COLUMN, 780 / height * width / COLUMN)  # no taller than a page
    return {"svg": picture.svg, "width": round(100 * share), "alt": picture.summary}


def _pieces(text: str) -> list[dict[str, Any]]:
    """Text and code in turn: what stands between backticks is code."""
    return [{"text": piece, "code": bool(index % 2)} for index, piece in enumerate(text.split("`")) if piece]
