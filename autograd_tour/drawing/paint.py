"""Every card, link and label of a picture, with what of them each frame of a film shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from msgspec.structs import replace

from autograd_tour.drawing.around import around
from autograd_tour.drawing.layout import Course, Layout, Point
from autograd_tour.drawing.metrics import escape, escape_once, text_width, wrapped
from autograd_tour.drawing.piles import PILE, before_pile, piles
from autograd_tour.drawing.shapes import arrow, band, n, scissors, text_element, texts
from autograd_tour.drawing.sizes import (
    BADGE,
    HATCH,
    PADDING,
    digits_size,
    label_width,
    run_width,
    tag_run,
    tag_width,
)
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.text import one_line
from autograd_tour.views.picture import Card, Link, Row, Run, Scene

__all__ = ["MARGIN", "Moment", "Painter"]

MARGIN = 16.0
CAPTION = 20.0
"""Height of a line below the picture that says what is not in it, px."""
CAPTION_ROOM = 600.0
RADIUS = 8.0
HEADING = 18.0
LINE = 28.0
"""Size of what stands above a picture, and the height of a line of it, px."""
SAYING = 26.0
"""Height of a line of what a frame says, px."""
PARTS = {"code": "line", "saved": "saved", "sign": "note of-grad", "remark": "note", "tensor": "tensor"}
PARTS |= {"gradient": "grad", "value": "value", "shape": "shape", "rule": "rule"}
"""What a reader calls what a row or a text tells; of a page, where it can be hidden, the class ``of-…``."""
TOOLTIP = 200
"""Most characters of what a reader sees when pointing at a card or a link."""

Moment = int | Callable[[str, int, int | None], str] | None
"""A frame of a film; or what to make of everything that changes (what is drawn, the first and the last
frame that show it); or ``None`` for the end, when all is known."""

_FLOW = {
    "forward": (LIGHT.forward, ""),
    "backward": (LIGHT.backward, ' stroke-dasharray="6 4"'),
    "constant": (LIGHT.muted, ' stroke-dasharray="1.5 4" stroke-linecap="round"'),
    "ungraded": (LIGHT.muted, ' stroke-dasharray="6 4"'),
}


class Painter:
    """Draws one scene; ``moment`` is the frame to draw, or what to make of everything that changes."""

    def __init__(self, prefix: str, moment: Moment = None) -> None:
        self.prefix = prefix
        self.moment = moment
        self.hatched = False
        self.cuts: set[str] = set()

    def during(self, drawn: str, first: int, last: int | None = None) -> str:
        """What is to be seen in the frames from ``first`` to ``last``, or to the end."""
        if self.moment is None:
            return drawn if last is None else ""
        if isinstance(self.moment, int):
            return drawn if first <= self.moment and (last is None or self.moment <= last) else ""
        return self.moment(drawn, first, last)

    def captions(self, scene: Scene, top: float) -> tuple[str, Point]:
        """Lines below the picture, and the room they take: what is not in it; what a frame says."""
        caption = [Run(line) for line in wrapped(scene.caption, scene.column or CAPTION_ROOM, 12)]
        notes = caption + [Run(line, "muted") for line in _notes(scene)]
        pieces, widths = [], [0.0, *(run_width(run) for run in notes)]
        for number, run in enumerate(notes, start=1):
            pieces.append(text_element(run, MARGIN, top + CAPTION * number) + "\n")
        height = CAPTION * len(notes)
        for number, lines in enumerate(scene.captions):
            elements = []
            for line, runs in enumerate(lines):
                x, y = MARGIN, top + height + SAYING * (line + 1)
                elements.append(texts(runs, x, y))
                widths.append(sum(run_width(run) for run in runs))
            pieces.append(self.during("".join(elements) + "\n", number, number))
        height += SAYING * max(map(len, scene.captions), default=0)
        return "".join(pieces), (max(widths), height)

    def heading(self, scene: Scene) -> tuple[str, Point]:
        """What stands above the picture, and the room it takes."""
        room = scene.column or CAPTION_ROOM
        lines = [Run(line, bold=True, size=HEADING) for line in wrapped(scene.heading, room, HEADING)]
        drawn = [text_element(run, MARGIN, MARGIN + LINE * i - 8) for i, run in enumerate(lines, start=1)]
        return "\n".join(drawn), (max(map(run_width, lines), default=0.0), LINE * len(lines))

    def defs(self) -> str:
        """What the picture refers to."""
        if not self.hatched:
            return ""
        return (
            f'<pattern id="{self.prefix}-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate(45)">'
            f'<path d="M0 0V6" stroke="{LIGHT.saved}" stroke-width="1.5"/></pattern>'
        )

    def nothing(self) -> str:
        """A picture of no cards."""
        return text_element(Run("Nothing to draw: the graph is empty.", "muted"), MARGIN, MARGIN + 24) + "\n"

    def picture(self, scene: Scene, layout: Layout) -> Iterator[str]:
        """Everything but the lines below it."""
        yield f'<g transform="translate({n(MARGIN)} {n(MARGIN)})">\n'
        if callable(self.moment):  # a page can hide other constants
            self.cuts = {card.id for card in scene.cards if any(row.mark == "cut" for row in card.rows)}
        frames = [around(frame, scene, layout) for frame in scene.frames]
        yield from (line for line, _ in frames)
        # Links first, cards over them, labels last: an arrow never crosses a text.
        corners = piles(scene, layout)
        for link, course in zip(scene.links, layout.courses, strict=True):
            if course is not None and course.points:
                yield self.link(
                    link, before_pile(course, corners[link.dst]) if link.dst in corners else course
                )
        yield from (title for _, title in frames)
        for card, centre, size in zip(scene.cards, layout.centres, layout.sizes, strict=True):
            yield self.card(card, centre, size)
        for link, course in zip(scene.links, layout.courses, strict=True):
            if course is not None and course.label is not None:
                yield self.during(self.label(link, course.label), link.since)
        yield "</g>\n"

    def named(self, drawn: str, fact: str) -> str:
        """Texts as a page can find them again: by what they tell."""
        return f'<g data-fact="{escape(fact)}">{drawn}</g>' if fact and callable(self.moment) else drawn

    def part(self, drawn: str, detail: str) -> str:
        """What a page can hide, as a group of its own."""
        return f'<g class="of-{PARTS[detail]}">{drawn}</g>' if detail and callable(self.moment) else drawn

    def texts(self, runs: tuple[Run, ...], x: float, middle: float, drop: float = 0.0) -> str:
        """Pieces of text one after the other; those that a page can hide alone are groups of their own."""
        if not callable(self.moment) or not any(run.detail for run in runs):
            return texts(runs, x, middle, drop)
        drawn = ""
        for run in runs:
            drawn += self.part(texts((run,), x, middle, drop), run.detail)
            x += run_width(run)
        return drawn

    # ---- links ----------------------------------------------------------------------------

    def link(self, link: Link, course: Course) -> str:
        """The line of a link and its arrow."""
        colour, dashes = _FLOW[link.flow]
        points = course.points
        tip = course.tip or points[-1]
        width = "1.5" if link.flow == "constant" else "1.8"
        if link.emphasis == "alarm":
            colour, width = LIGHT.error, "2.2"
        elif link.emphasis:
            strong = link.emphasis == "strong"
            colour, width = (colour, "4") if strong else (LIGHT.muted, "1")

        def line(colour: str, width: str) -> str:
            return arrow(points, tip, colour, f' stroke-width="{width}"{dashes}')

        drawn = self.during(line(colour, width), link.since + 1 if link.since else 0)
        if link.since:  # it waits, then something flows through it, then it is as in any picture
            waits = self.during(line(LIGHT.muted, "1"), 0, link.since - 1)
            drawn = waits + self.during(line(colour, "4"), link.since, link.since) + drawn
        ident = escape_once(f"{self.prefix}-{link.id}")
        kind = f"{link.flow}{' cut' * (link.src in self.cuts)}"
        return f'<g id="{ident}" class="edge {kind}"><title>{_tooltip(link.title)}</title>{drawn}</g>\n'

    def label(self, link: Link, centre: Point) -> str:
        """What stands on a link."""
        width = label_width(link.label)
        x, y = centre[0] - width / 2, centre[1]
        drawn = (
            f'<g class="rule"><rect x="{n(x - 3)}" y="{n(y - 10)}" width="{n(width + 6)}" height="20" '
            f'rx="4" fill="{LIGHT.paper}"/>'
        )
        if link.label.step:
            drawn += (
                texts((tag_run(link.label),), x, y + 4.2)
                if link.label.letter
                else self.disc(link.label.step, x + BADGE, y)
            )
            x += tag_width(link.label) + 4
        return f"{drawn}{self.named(self.texts(link.label.runs, x, y + 4.2), link.label.fact)}</g>\n"

    def disc(self, number: int, x: float, y: float) -> str:
        """The number of a step."""
        digits, width = _digits(number)
        text = text_element(digits, x - width / 2, y + digits.size * 0.355)
        return f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(BADGE)}" fill="{LIGHT.backward}"/>{text}'

    # ---- cards ----------------------------------------------------------------------------

    def card(self, card: Card, centre: Point, size: Point) -> str:
        """A card with its rows."""
        width, height = size
        left, top = centre[0] - width / 2, centre[1] - height / 2
        radius = 0.0 if card.shape in ("constant", "box") else RADIUS
        ident = escape_once(f"{self.prefix}-{card.id}")
        kind = f"{card.shape}{' cut' * (card.id in self.cuts)}"
        drawn = [f'<g id="{ident}" class="node {kind}"><title>{_tooltip(card.title)}</title>']
        if card.shape == "group":  # a pile: more of the same lies under the card
            for shift in (PILE, PILE / 2):
                sheet = band(left + shift, top + shift, width, height, radius, radius)
                drawn.append(f'<path d="{sheet}" fill="{LIGHT.paper}" stroke="{LIGHT.muted}"/>')
        outline = band(left, top, width, height, radius, radius)
        drawn.append(f'<path d="{outline}" fill="{LIGHT.paper}"/>')
        y = top
        for i, row in enumerate(card.rows):
            upper = radius if i == 0 else 0.0
            lower = radius if i == len(card.rows) - 1 else 0.0
            if self.moment is None:
                drawn.append(self.row(row, left, y, width, upper, lower))
            else:
                drawn += self.stages(row, left, y, width, upper, lower)
            y += row.height
        stroke, thickness = (LIGHT.forward, 2.5) if card.shape == "leaf" else (LIGHT.muted, 1.0)
        dashes = ""
        if card.emphasis:
            strong = card.emphasis == "strong"
            stroke, thickness = (LIGHT.ink, 3.5) if strong else (LIGHT.muted, 1.5)
            dashes = "" if strong else ' stroke-dasharray="7 5"'
        drawn.append(
            f'<path d="{outline}" fill="none" stroke="{stroke}" stroke-width="{thickness:g}"{dashes}/>'
        )
        if card.runs_at:
            round_ = radius + 4 if radius else 0.0
            ring = band(left - 4, top - 4, width + 8, height + 8, round_, round_)
            lit = f'<path d="{ring}" fill="none" stroke="{LIGHT.backward}" stroke-width="4"/>'
            drawn.append(self.during(lit, card.runs_at, card.runs_at))
        drawn.append("</g>\n")
        return "".join(drawn)

    def stages(
        self, row: Row, left: float, top: float, width: float, upper: float, lower: float
    ) -> Iterator[str]:
        """A row of a film as it is told, from its first frame to the end."""
        stages = [*row.earlier, (row.since, row.left)]
        for stage, (first, runs) in enumerate(stages):
            last = stages[stage + 1][0] - 1 if stage + 1 < len(stages) else None
            if last is not None and last < first:
                continue  # the next stage begins in the same frame
            stage_row = row if last is None else replace(row, left=runs, step=0, fact="")
            drawn = self.row(stage_row, left, top, width, upper, lower)
            alarm = not first and any(run.role == "error" for run in stage_row.left)
            if callable(self.moment) and (row.mark in ("tab", "hatched") or alarm):
                drawn = f'<g class="kept">{drawn}</g>'  # a page that asks hides it
            yield self.during(drawn, first, last)

    def row(self, row: Row, left: float, top: float, width: float, upper: float, lower: float) -> str:
        """One row of a card; ``upper`` and ``lower`` are the radii of its corners."""
        drawn = ""
        middle = top + row.height / 2
        if row.fill:
            outline = band(left, top, width, row.height, upper, lower)
            drawn += f'<path d="{outline}" fill="{getattr(LIGHT, row.fill)}"/>'
        x = left + PADDING
        if row.mark == "hatched":
            self.hatched = True
            strip = band(left + width - HATCH, top, HATCH, row.height, 0.0, lower)
            drawn += f'<path d="{strip}" fill="url(#{self.prefix}-hatch)"/>'
        if row.mark in ("tab", "hatched"):
            tab = band(left, top, 5, row.height, 0.0, 0.0)
            drawn += f'<path d="{tab}" fill="{LIGHT.saved}"/>'
            x += 4
        if row.step:
            drawn += self.disc(row.step, x + BADGE, middle)
            x += 2 * BADGE + 4
        if row.mark == "cut":
            drawn += scissors(x + 6, middle)
            x += 16
        drawn += self.named(self.texts(row.left, x, middle, 0.35), row.fact)
        if row.right:
            x = left + width - PADDING - sum([run_width(run) for run in row.right])
            drawn += texts(row.right, x, middle, 0.35)
        return self.part(drawn, row.detail)


def _notes(scene: Scene) -> Iterator[str]:
    """The lines of the notes and of what was left out; where room is short, as many on a line as fit."""
    room = scene.column or CAPTION_ROOM
    lines = [line for note in scene.notes for line in wrapped(note, room, 12, bold=False)]
    if not scene.left_out:
        yield from lines
        return
    last = f"left out to fit: {', '.join(scene.left_out)}"
    longer = f"{lines[-1]}; {last}" if lines else last
    if text_width(longer, 12) <= room:
        yield from (*lines[:-1], longer)
    else:
        yield from (*lines, *wrapped(last, room, 12, bold=False))


@lru_cache(maxsize=1024)
def _digits(number: int) -> tuple[Run, float]:
    digits = Run(str(number), "paper", bold=True, size=digits_size(number))
    return digits, run_width(digits)


def _tooltip(text: str) -> str:
    return escape(text if len(text) <= TOOLTIP else one_line(text, TOOLTIP))
