"""Scene + places -> SVG: every shape, every text, for light and dark, for eyes and for screen readers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from msgspec.structs import replace

from autograd_tour.drawing.large import LARGE
from autograd_tour.drawing.layout import Course, Layout, Point, place
from autograd_tour.drawing.metrics import escape, fit
from autograd_tour.drawing.pause import collector_paused
from autograd_tour.drawing.scene import ARROW, BADGE, PADDING, Card, Link, Row, Run, Scene
from autograd_tour.drawing.theme import FONT, LIGHT, MONO, ThemeName, style_block, themed
from autograd_tour.text import one_line

__all__ = ["draw", "frame", "prefix_for", "text_element"]

MARGIN = 16.0
CAPTION = 20.0
"""Height of a line below the picture that says what is not in it, px."""
CAPTION_ROOM = 600.0
RADIUS = 8.0
SAYING = 26.0
"""Height of a line of what a frame says, px."""
TOOLTIP = 200
"""Most characters of what a reader sees when pointing at a card or a link."""

Moment = int | Callable[[str, int, int | None], str] | None
"""A frame of a film; or what to make of everything that changes (what is drawn, the first and the last
frame that show it); or ``None`` for the end, when all is known."""

_FLOW = {
    "forward": (LIGHT.forward, ""),
    "backward": (LIGHT.backward, ' stroke-dasharray="6 4"'),
    "constant": (LIGHT.muted, ' stroke-dasharray="1.5 4" stroke-linecap="round"'),
}


@collector_paused()
def draw(
    scene: Scene,
    *,
    theme: ThemeName = "auto",
    prefix: str | None = None,
    engine: str | None = None,
    timeout: float = 60.0,
    layout: Layout | None = None,
    moment: Moment = None,
) -> str:
    """The picture of ``scene`` as a standalone SVG document.

    ``prefix`` starts every id, so that several pictures can stand in one page; by default it
    follows from the content. Frames of a film share their ``layout``, and ``moment`` says which frame.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    prefix = prefix or prefix_for(_content(scene))
    layout = layout or place(scene, engine, timeout)
    painter = _Painter(prefix, moment)
    body = "".join(painter.picture(scene, layout)) if scene.cards else painter.nothing()
    width, height = (layout.width, layout.height) if scene.cards else (240.0, 40.0)
    captions, (caption_width, caption_height) = painter.captions(scene, MARGIN + height)
    body += captions
    return frame(
        body,
        max(width, caption_width) + 2 * MARGIN,
        height + caption_height + 2 * MARGIN,
        title=scene.title,
        desc=scene.desc,
        prefix=prefix,
        theme=theme,
        defs=painter.defs(),
    )


_UNSET = re.compile(r", (?:emphasis=''|since=0|earlier=\(\)|runs_at=0|captions=\(\))")


def _content(scene: Scene) -> str:
    """What tells this picture from others; of a large one the texts alone, which is quicker."""
    if len(scene.cards) < LARGE:
        return _UNSET.sub("", repr(scene))
    rows = [row for card in scene.cards for row in card.rows]
    return "\n".join(
        [scene.title, scene.desc, *(run.text for row in rows for run in (*row.left, *row.right))]
    )


def prefix_for(content: str) -> str:
    """An id prefix that is the same for the same content, in every process."""
    return "at-" + hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:8]


def frame(
    body: str,
    width: float,
    height: float,
    *,
    title: str,
    desc: str,
    prefix: str,
    theme: ThemeName,
    defs: str = "",
) -> str:
    """The SVG document around a drawing: names for screen readers, colours for the reader's theme."""
    w, h = _n(width), _n(height)
    document = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" width="{w}" height="{h}" '
        f'viewBox="0 0 {w} {h}" role="img" aria-labelledby="{prefix}-title {prefix}-desc" '
        f'font-family="{FONT}">\n<title id="{prefix}-title">{escape(title)}</title>\n'
        f'<desc id="{prefix}-desc">{escape(desc)}</desc>\n'
        f"{style_block(prefix, theme)}{f'<defs>{defs}</defs>' if defs else ''}\n"
        f'<rect width="{w}" height="{h}" fill="{LIGHT.paper}"/>\n{body}</svg>\n'
    )
    return themed(document, theme)


def text_element(run: Run, x: float, y: float) -> str:
    """One piece of text from ``x``, on the baseline ``y``; it takes just the width it was given."""
    if not run.text.strip():
        return ""
    text = run.text.strip(" ")
    width = run.width
    if len(text) != len(run.text):
        lead = len(run.text) - len(run.text.lstrip(" "))
        x += Run(" " * lead, run.role, run.bold, run.size, run.mono).width
        width = Run(text, run.role, run.bold, run.size, run.mono).width
    weight = ' font-weight="bold"' if run.bold else ""
    family = f' font-family="{MONO}"' if run.mono else ""
    length = f' textLength="{_n(width)}" lengthAdjust="spacingAndGlyphs"' if len(text) > 1 else ""
    colour = getattr(LIGHT, run.role)
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{run.size:g}"{weight}{family}{length} '
        f'xml:space="preserve" fill="{colour}">{escape(text)}</text>'
    )


def _n(value: float) -> str:
    """A coordinate: two decimals at most, the same text on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value != 0 else "0"


_ZERO = re.compile(r"(\.[1-9])0")


def _numbers(template: str, points: Sequence[Point]) -> str:
    """``template`` with its places, each ``%.2f``, filled in as :func:`_n` writes numbers."""
    text = template % tuple(chain.from_iterable(points))
    return _ZERO.sub(r"\1", text.replace(".00", ""))


def _curve(points: Sequence[Point]) -> str:
    """The path along Bézier points."""
    pieces = (len(points) - 1) // 3
    template = "M%.2f %.2f" + "C%.2f %.2f %.2f %.2f %.2f %.2f" * pieces
    return _numbers(template, points[: 3 * pieces + 1])


class _Painter:
    def __init__(self, prefix: str, moment: Moment = None) -> None:
        self.prefix = prefix
        self.moment = moment
        self.hatched = False

    def during(self, drawn: str, first: int, last: int | None = None) -> str:
        """What is to be seen in the frames from ``first`` to ``last``, or to the end."""
        if self.moment is None:
            return drawn if last is None else ""
        if isinstance(self.moment, int):
            return drawn if first <= self.moment and (last is None or self.moment <= last) else ""
        return self.moment(drawn, first, last)

    def captions(self, scene: Scene, top: float) -> tuple[str, Point]:
        """Lines below the picture, and the room they take: what is not in it; what a frame says."""
        notes = [Run(fit(note, CAPTION_ROOM, 12), "muted") for note in scene.notes]
        pieces, widths = [], [0.0, *(run.width for run in notes)]
        for number, run in enumerate(notes, start=1):
            pieces.append(text_element(run, MARGIN, top + CAPTION * number) + "\n")
        height = CAPTION * len(notes)
        for number, lines in enumerate(scene.captions):
            said = []
            for line, runs in enumerate(lines):
                x, y = MARGIN, top + height + SAYING * (line + 1)
                for run in runs:
                    said.append(text_element(run, x, y))
                    x += run.width
                widths.append(x - MARGIN)
            pieces.append(self.during("".join(said) + "\n", number, number))
        height += SAYING * max(map(len, scene.captions), default=0)
        return "".join(pieces), (max(widths), height)

    def defs(self) -> str:
        if not self.hatched:
            return ""
        return (
            f'<pattern id="{self.prefix}-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate(45)">'
            f'<path d="M0 0V6" stroke="{LIGHT.saved}" stroke-width="1.5"/></pattern>'
        )

    def nothing(self) -> str:
        return text_element(Run("Nothing to draw: the graph is empty.", "muted"), MARGIN, MARGIN + 24) + "\n"

    def picture(self, scene: Scene, layout: Layout) -> Iterator[str]:
        yield f'<g transform="translate({_n(MARGIN)} {_n(MARGIN)})">\n'
        # Links first, cards over them, labels last: an arrow never crosses a text.
        for link, course in zip(scene.links, layout.courses, strict=True):
            if course is not None and course.points:
                yield self.link(link, course)
        for card, centre, size in zip(scene.cards, layout.centres, layout.sizes, strict=True):
            yield "".join(self.card(card, centre, size))
        for link, course in zip(scene.links, layout.courses, strict=True):
            if course is not None and course.label is not None:
                yield self.during("".join(self.label(link, course.label)), link.since)
        yield "</g>\n"

    # ---- links ----------------------------------------------------------------------------

    def link(self, link: Link, course: Course) -> str:
        colour, dashes = _FLOW[link.flow]
        points = course.points
        d = _curve(points)
        tip = course.tip or points[-1]
        width = "1.5" if link.flow == "constant" else "1.8"
        if link.emphasis:
            strong = link.emphasis == "strong"
            colour, width = (colour, "4") if strong else (LIGHT.muted, "1")

        def line(colour: str, width: str) -> str:
            head = _arrow(points[-1], tip, colour)
            return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>{head}'

        drawn = self.during(line(colour, width), link.since + 1 if link.since else 0)
        if link.since:  # it waits, then something flows through it, then it is as in any picture
            waits = self.during(line(LIGHT.muted, "1"), 0, link.since - 1)
            drawn = waits + self.during(line(colour, "4"), link.since, link.since) + drawn
        ident = escape(f"{self.prefix}-{link.id}")
        return f'<g id="{ident}" class="edge {link.flow}"><title>{_tooltip(link.title)}</title>{drawn}</g>\n'

    def label(self, link: Link, centre: Point) -> Iterator[str]:
        width = link.label.width
        x, y = centre[0] - width / 2, centre[1]
        yield f'<g class="rule"><rect x="{_n(x - 3)}" y="{_n(y - 10)}" width="{_n(width + 6)}" height="20" '
        yield f'rx="4" fill="{LIGHT.paper}"/>'
        if link.label.step:
            yield self.disc(link.label.step, x + BADGE, y)
            x += 2 * BADGE + 4
        for run in link.label.runs:
            yield text_element(run, x, y + 4.2)
            x += run.width
        yield "</g>\n"

    def disc(self, number: int, x: float, y: float) -> str:
        digits = Run(str(number), "paper", bold=True, size=12 if number < 100 else 9)
        text = text_element(digits, x - digits.width / 2, y + digits.size * 0.355)
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(BADGE)}" fill="{LIGHT.backward}"/>{text}'

    # ---- cards ----------------------------------------------------------------------------

    def card(self, card: Card, centre: Point, size: Point) -> Iterator[str]:
        width, height = size
        left, top = centre[0] - width / 2, centre[1] - height / 2
        radius = 0.0 if card.shape in ("constant", "box") else RADIUS
        ident = escape(f"{self.prefix}-{card.id}")
        yield f'<g id="{ident}" class="node {card.shape}"><title>{_tooltip(card.title)}</title>'
        if card.shape == "group":  # a pile: more of the same lies under the card
            for shift in (6.0, 3.0):
                sheet = _band(left + shift, top + shift, width, height, radius, radius)
                yield f'<path d="{sheet}" fill="{LIGHT.paper}" stroke="{LIGHT.muted}"/>'
        outline = _band(left, top, width, height, radius, radius)
        yield f'<path d="{outline}" fill="{LIGHT.paper}"/>'
        y = top
        for i, row in enumerate(card.rows):
            upper = radius if i == 0 else 0.0
            lower = radius if i == len(card.rows) - 1 else 0.0
            stages = [*row.earlier, (row.since, row.left)]
            for stage, (first, runs) in enumerate(stages):
                last = stages[stage + 1][0] - 1 if stage + 1 < len(stages) else None
                if last is None or self.moment is not None:
                    shown = row if last is None else replace(row, left=runs, step=0)
                    drawn = "".join(self.row(shown, left, y, width, upper, lower))
                    yield self.during(drawn, first, last)
            y += row.height
        stroke, thickness = (LIGHT.forward, 2.5) if card.shape == "leaf" else (LIGHT.muted, 1.0)
        dashes = ""
        if card.emphasis:
            strong = card.emphasis == "strong"
            stroke, thickness = (LIGHT.ink, 3.5) if strong else (LIGHT.muted, 1.5)
            dashes = "" if strong else ' stroke-dasharray="7 5"'
        yield f'<path d="{outline}" fill="none" stroke="{stroke}" stroke-width="{thickness:g}"{dashes}/>'
        if card.runs_at:
            round_ = radius + 4 if radius else 0.0
            ring = _band(left - 4, top - 4, width + 8, height + 8, round_, round_)
            lit = f'<path d="{ring}" fill="none" stroke="{LIGHT.backward}" stroke-width="4"/>'
            yield self.during(lit, card.runs_at, card.runs_at)
        yield "</g>\n"

    def row(
        self, row: Row, left: float, top: float, width: float, upper: float, lower: float
    ) -> Iterator[str]:
        middle = top + row.height / 2
        if row.fill:
            band = _band(left, top, width, row.height, upper, lower)
            yield f'<path d="{band}" fill="{getattr(LIGHT, row.fill)}"/>'
        if row.mark == "hatched":
            self.hatched = True
            strip = _band(left + width - 34, top, 34, row.height, 0.0, lower)
            yield f'<path d="{strip}" fill="url(#{self.prefix}-hatch)"/>'
        x = left + PADDING
        if row.mark in ("tab", "hatched"):
            tab = _band(left, top, 5, row.height, 0.0, 0.0)
            yield f'<path d="{tab}" fill="{LIGHT.saved}"/>'
            x += 4
        if row.step:
            yield self.disc(row.step, x + BADGE, middle)
            x += 2 * BADGE + 4
        if row.mark == "cut":
            yield _scissors(x + 6, middle)
            x += 16
        for run in row.left:
            yield text_element(run, x, middle + run.size * 0.35)
            x += run.width
        x = left + width - PADDING - sum(run.width for run in row.right)
        for run in row.right:
            yield text_element(run, x, middle + run.size * 0.35)
            x += run.width


def _tooltip(text: str) -> str:
    return escape(text if len(text) <= TOOLTIP else one_line(text, TOOLTIP))


def _band(x: float, y: float, w: float, h: float, upper: float, lower: float) -> str:
    """A rectangle whose upper and lower corners have their own radius."""
    if not upper and not lower:
        return f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h{_n(-w)}z"
    u, b = _n(upper), _n(lower)
    return (
        f"M{_n(x)} {_n(y + upper)}a{u} {u} 0 0 1 {u} -{u}h{_n(w - 2 * upper)}a{u} {u} 0 0 1 {u} {u}"
        f"v{_n(h - upper - lower)}a{b} {b} 0 0 1 -{b} {b}h{_n(2 * lower - w)}a{b} {b} 0 0 1 -{b} -{b}z"
    )


def _arrow(start: Point, tip: Point, colour: str) -> str:
    dx, dy = tip[0] - start[0], tip[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    back = (tip[0] - ARROW * dx, tip[1] - ARROW * dy)
    side = (-dy * ARROW * 0.4, dx * ARROW * 0.4)
    corners = [tip, (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
    return f'<path d="{_numbers("M%.2f %.2fL%.2f %.2fL%.2f %.2fz", corners)}" fill="{colour}"/>'


def _scissors(x: float, y: float) -> str:
    """Scissors as a drawing: few fonts have the character."""
    return (
        f'<g class="cut" fill="none" stroke="{LIGHT.ink}" stroke-width="1.3" '
        f'transform="translate({_n(x)} {_n(y)})"><circle cx="-3.5" cy="-3" r="2"/>'
        '<circle cx="-3.5" cy="3" r="2"/><path d="M-2 -2L6 3.6M-2 2L6 -3.6"/></g>'
    )
