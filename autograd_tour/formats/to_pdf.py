"""SVG -> PDF. Shapes are converted; texts are set anew, each as one piece, so that it can be found again.

A converter of SVG places every letter of a stretched text by itself. It looks the same, and the search
of Chrome, for one, finds no word of it.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from autograd_tour.drawing.theme import MONO
from autograd_tour.errors import UsageError
from autograd_tour.formats.fonts import FOLDER, MONO_FAMILY, SANS_FAMILY, uncovered

__all__ = ["Sheet", "check_pdf", "pdf", "sheet", "typeset"]

PT_PER_PX = 0.75
LONGEST = 14_400.0
"""Longest side of a page that every reader of PDF shows, pt."""
VERSION: Final = "1.5"
"""Of PDF: pdflatex warns of each picture of a later one."""

Sheet = dict[str, Any]
"""A picture as data for typst."""
_SVG = "{http://www.w3.org/2000/svg}"
_MOVED = re.compile(r"translate\((-?[\d.]+) (-?[\d.]+)\)")


def pdf(pages: Sequence[str], title: str = "") -> bytes:
    """SVG pictures, at least one, as the pages of one PDF; each page is as large as its picture.

    Text stays text: it can be selected and searched. The document's title is ``title``, or that of
    the first picture, and each picture's description goes along for screen readers. A character
    that our fonts do not have is set in a font of the system.

    Raises:
        UsageError: the package typst, which makes the PDF, is not installed.
    """
    check_pdf()
    sheets = []
    for svg in pages:
        root = ET.fromstring(svg)  # noqa: S314 (of our own making)
        title = title or root.findtext(f"{_SVG}title", "")
        sheets.append(sheet(root))
    return typeset("document", title, {"sheets": sheets}, [_texts_of(sheet) for sheet in sheets])


def typeset(name: str, title: str, data: Mapping[str, Any], texts: Iterable[str]) -> bytes:
    """What the document ``name`` beside this file makes of ``data``; ``texts`` are all that it writes."""
    import typst

    main = Path(__file__).with_name(f"{name}.typ")
    fonts = typst.Fonts(
        include_system_fonts=bool(uncovered("".join(texts))),
        include_embedded_fonts=False,
        font_paths=[str(FOLDER)],
    )
    given = {"title": title, "data": json.dumps(data)}
    document = typst.compile(
        main, root=main.parent, font_paths=fonts, sys_inputs=given, format="pdf", pdf_standards=VERSION
    )
    assert isinstance(document, bytes)
    return document


def check_pdf() -> None:
    """Nothing, if PDF can be made here.

    Raises:
        UsageError: the package typst is not installed.
    """
    if find_spec("typst") is None:
        raise UsageError("PDF needs the package typst, which is not installed", "pip install typst")


def _texts_of(sheet: Sheet) -> str:
    return "".join(text["text"] for text in sheet["texts"])


def sheet(root: ET.Element) -> Sheet:
    """One page as data: its size in px, how many pt a px of the drawing is, its shapes and its texts."""
    left, top, width, height = (float(side) for side in root.get("viewBox", "0 0 1 1").split())
    scaled = PT_PER_PX * float(root.get("width", "0")) / width
    texts = list(_lifted(root, -left, -top, None))
    return {
        "width": width,
        "height": height,
        "px": min(scaled, LONGEST / max(width, height)),
        "alt": root.findtext(f"{_SVG}desc", ""),
        "texts": texts,
        "svg": ET.tostring(root, encoding="unicode"),
    }


def _lifted(parent: ET.Element, dx: float, dy: float, window: list[float] | None) -> Iterator[dict[str, Any]]:
    """The texts below ``parent``, which is moved by (``dx``, ``dy``) px; they are taken out of it.

    What stands in a group that is turned or scaled stays there. Of a picture within the picture, which is not
    scaled, only what is in its ``window`` (left, top, width, height) is in sight.
    """
    left = []
    for child in parent:
        moved = _MOVED.fullmatch(child.get("transform", "translate(0 0)"))
        if child.tag == f"{_SVG}text" and moved:
            yield _text(child, dx + float(moved[1]), dy + float(moved[2])) | {"window": window}
            continue
        if child.tag == f"{_SVG}g" and moved:
            yield from _lifted(child, dx + float(moved[1]), dy + float(moved[2]), window)
        if child.tag == f"{_SVG}svg":
            x, y, width, height = (float(child.get(side, "0")) for side in ("x", "y", "width", "height"))
            shown_x, shown_y, *_ = map(float, child.get("viewBox", "0 0").split())
            inner = [dx + x, dy + y, width, height]
            yield from _lifted(child, dx + x - shown_x, dy + y - shown_y, inner)
        left.append(child)
    parent[:] = left


def _text(element: ET.Element, dx: float, dy: float) -> dict[str, Any]:
    get, length = element.get, element.get("textLength")
    return {
        "text": element.text or "",
        "x": float(get("x", "0")) + dx,
        "y": float(get("y", "0")) + dy,
        "size": float(get("font-size", "12")),
        "weight": 700 if get("font-weight") == "bold" else 400,
        "font": MONO_FAMILY if get("font-family") == MONO else SANS_FAMILY,
        "fill": get("fill", "#000000"),
        "width": None if length is None else float(length),
        "anchor": get("text-anchor", "start"),
    }
