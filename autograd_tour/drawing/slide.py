"""Slides of text and code as SVG: blocks one below the other, each whole, on as many slides as they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from autograd_tour.drawing.axes import label, n
from autograd_tour.drawing.metrics import fit, text_width, wrapped
from autograd_tour.drawing.shapes import texts
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.views.picture import Role, Run

__all__ = ["Block", "Kind", "slides"]

SIZE: Final = (1280.0, 720.0)
MARGIN: Final = 56.0
WIDTH: Final = SIZE[0] - 2 * MARGIN
TOP: Final = 112.0
HEADINGS: Final = (34.0, 30.0, 26.0, 22.0)
"""Sizes of a heading: the largest in which it has room, px."""
BOTTOM: Final = SIZE[1] - 34.0
BETWEEN: Final = 18.0
INSET: Final = 14.0
NUMBER: Final = 44.0
"""What the number of a line of code takes, px."""

Kind = Literal["title", "text", "note", "code", "output", "error", "choice", "sentence"]


@dataclass(frozen=True)
class Block:
    """A paragraph, or lines of code or output.

    ``marks`` stand below the lines of code with these numbers, from 1. With ``joined`` it stays on one slide
    with the block before it, if both have room there.
    """

    kind: Kind
    lines: tuple[str, ...]
    marks: tuple[tuple[int, str], ...] = ()
    joined: bool = False


@dataclass(frozen=True)
class _Look:
    size: float
    role: Role = "ink"
    bold: bool = False
    mono: bool = False
    fill: Role | None = None

    @property
    def leading(self) -> float:
        """From one baseline to the next, px."""
        return round(self.size * (1.26 if self.mono else 1.32))


_LOOKS: dict[Kind, _Look] = {
    "title": _Look(46, bold=True),
    "text": _Look(24),
    "note": _Look(22, "muted"),
    "code": _Look(20, mono=True, fill="constant_fill"),
    "output": _Look(20, "forward", mono=True, fill="leaf_fill"),
    "error": _Look(20, "error", mono=True, fill="accumulated_fill"),
    "choice": _Look(24),
    "sentence": _Look(27, bold=True, fill="accumulated_fill"),
}


@dataclass(frozen=True)
class _Line:
    """A line of a block as it is drawn: its number among lines of code, or a mark below one."""

    text: str
    number: str = ""
    mark: bool = False


def slides(heading: str, blocks: Sequence[Block], *, seed: str = "") -> tuple[str, ...]:
    """``blocks`` under ``heading`` on slides of 1280 × 720 px, light, with no text below 20 px.

    No block is cut: one that is longer than a slide goes on on the next. A long line is broken. ``seed``
    tells the ids of slides apart that say the same in one document.
    """
    pages = list(_pages(blocks))
    return tuple(
        _drawn(heading if len(pages) == 1 else f"{heading} ({number} of {len(pages)})", page, seed)
        for number, page in enumerate(pages, start=1)
    )


def _pages(blocks: Sequence[Block]) -> Iterator[list[tuple[Block, list[_Line]]]]:
    page: list[tuple[Block, list[_Line]]] = []
    used = 0.0
    for group in _groups(blocks):
        parts = [(block, part) for block in group for part in _parts(block)]
        together = sum(_height(block, lines) + BETWEEN for block, lines in parts)
        if page and together <= BOTTOM - TOP < used + together:
            yield page
            page, used = [], 0.0
        for block, lines in parts:
            height = _height(block, lines)
            if page and used + height > BOTTOM - TOP:
                yield page
                page, used = [], 0.0
            page.append((block, lines))
            used += height + BETWEEN
    if page:
        yield page


def _groups(blocks: Sequence[Block]) -> list[list[Block]]:
    groups: list[list[Block]] = []
    for block in blocks:
        if block.joined and groups:
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _parts(block: Block) -> Iterator[list[_Line]]:
    """The lines of a block, in as many parts as it needs slides."""
    lines = list(_lines(block))
    look = _LOOKS[block.kind]
    most = max(1, int((BOTTOM - TOP - 2 * INSET) // look.leading))
    for start in range(0, len(lines), most):
        yield lines[start : start + most]


def _lines(block: Block) -> Iterator[_Line]:
    look, marks = _LOOKS[block.kind], dict(block.marks)
    room = WIDTH - (2 * INSET if look.fill else 0.0) - (NUMBER if block.kind in ("code", "choice") else 0.0)
    for number, text in enumerate(block.lines, start=1):
        pieces = _broken(text, room, look)
        for position, piece in enumerate(pieces):
            first = "" if position or block.kind != "code" else str(number)
            yield _Line(piece, "□" if block.kind == "choice" and not position else first)
        if number in marks:
            yield from (_Line(piece, mark=True) for piece in wrapped(f"↑ {marks[number]}", room, look.size))


def _broken(text: str, room: float, look: _Look) -> list[str]:
    """``text`` in lines that have room; what goes on of a line of code is indented."""
    if not look.mono:
        return wrapped(text, room, look.size, bold=look.bold) or [""]
    most = int(room / (0.6 * look.size))
    lines = []
    while len(text) > most:
        cut = text.rfind(" ", most // 2, most + 1)
        cut = cut if cut > 0 else most
        lines.append(text[:cut].rstrip())
        text = f"    {text[cut:].lstrip()}"
    return [*lines, text]


def _height(block: Block, lines: Sequence[_Line]) -> float:
    look = _LOOKS[block.kind]
    return look.leading * len(lines) + (2 * INSET if look.fill else 0.0)


# ---- drawing ------------------------------------------------------------------------------------------


def _drawn(heading: str, page: Sequence[tuple[Block, list[_Line]]], seed: str) -> str:
    size = next((size for size in HEADINGS if text_width(heading, size, True) <= WIDTH), HEADINGS[-1])
    body = [label(MARGIN, 72, fit(heading, WIDTH, size, True), LIGHT.ink, size=size, bold=True)]
    body.append(f'<rect x="{n(MARGIN)}" y="88" width="{n(WIDTH)}" height="2" fill="{LIGHT.backward}"/>\n')
    top = TOP
    for block, lines in page:
        body += _block(block, lines, top)
        top += _height(block, lines) + BETWEEN
    words = " ".join(line.text for _, lines in page for line in lines)
    prefix = prefix_for(f"{seed} {heading} {words}")
    return frame("".join(body), *SIZE, title=heading, desc=words, prefix=prefix, theme="light")


def _block(block: Block, lines: Sequence[_Line], top: float) -> Iterator[str]:
    look = _LOOKS[block.kind]
    left = MARGIN
    if look.fill:
        box = f'x="{n(left)}" y="{n(top)}" width="{n(WIDTH)}" height="{n(_height(block, lines))}" rx="8"'
        yield f'<rect {box} fill="{getattr(LIGHT, look.fill)}"/>\n'
        left, top = left + INSET, top + INSET
    indent = NUMBER if block.kind in ("code", "choice") else 0.0
    for line in lines:
        middle = top + look.leading / 2
        if line.number == "□":
            box = f'x="{n(left + 4)}" y="{n(middle - 9)}" width="18" height="18"'
            yield f'<rect {box} fill="none" stroke="{LIGHT.ink}" stroke-width="2"/>\n'
        elif line.number:
            number = Run(line.number, "muted", size=look.size, mono=True)
            yield texts((number,), left + NUMBER - 16 - 0.6 * look.size * len(line.number), middle, 0.35)
        run = Run(line.text, look.role, look.bold, look.size, look.mono)
        if line.mark:
            run = Run(line.text, "error", True, look.size)
        yield texts((run,), left + indent, middle, 0.35)
        top += look.leading
