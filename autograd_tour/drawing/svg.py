"""Scene + places -> SVG: every shape, every text, for light and dark, for eyes and for screen readers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from autograd_tour.drawing.large import LARGE
from autograd_tour.drawing.layout import Layout, Point
from autograd_tour.drawing.metrics import escape
from autograd_tour.drawing.paint import MARGIN, Moment, Painter
from autograd_tour.drawing.room import Room
from autograd_tour.drawing.shapes import n
from autograd_tour.drawing.theme import FONT, LIGHT, ThemeName, style_block, themed
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Scene

__all__ = ["draw_scene", "frame", "prefix_for", "prefix_of", "size_of"]


@collector_paused()
def draw_scene(
    scene: Scene,
    layout: Layout,
    *,
    theme: ThemeName = "auto",
    prefix: str | None = None,
    moment: Moment = None,
    room: Room | None = None,
) -> str:
    """The picture of ``scene``, whose texts have their room, as a standalone SVG document.

    ``prefix`` starts every id, so that several pictures can stand in one page; by default it
    follows from the content. Frames of a film share their ``layout``, and ``moment`` says which frame.
    """
    prefix = prefix or prefix_of(scene)
    painter = Painter(prefix, moment)
    body = list(painter.picture(scene, layout)) if scene.cards else [painter.nothing()]
    body.append(painter.captions(scene, MARGIN + _height(scene, layout))[0])
    heading, (_, above) = painter.heading(scene)
    if heading:
        body = [heading, f'<g transform="translate(0 {n(above)})">', *body, "</g>\n"]
    width, height = size_of(scene, layout)
    return frame(
        body,
        width,
        height,
        title=scene.title,
        desc=scene.desc,
        prefix=prefix,
        theme=theme,
        defs=painter.defs(),
        room=room,
    )


def size_of(scene: Scene, layout: Layout) -> Point:
    """Width and height of the whole picture, with its margins and the lines below it, px."""
    _, (caption_width, caption_height) = Painter("").captions(scene, 0.0)
    _, (heading_width, above) = Painter("").heading(scene)
    width = layout.width if scene.cards else 240.0
    return (
        max(width, caption_width, heading_width) + 2 * MARGIN,
        above + _height(scene, layout) + caption_height + 2 * MARGIN,
    )


def _height(scene: Scene, layout: Layout) -> float:
    return layout.height if scene.cards else 40.0


_UNSET = re.compile(
    r", (?:emphasis=''|frames=\(\)|heading=''|caption=''|left_out=\(\)|since=0|earlier=\(\)|runs_at=0"
    r"|captions=\(\)|column=0\.0"
    r"|fact='[^']*'|detail='[a-z]*'|fact='[^']*', room=[\d.]+"
    r"|room=0\.0, part=None, brief='[^']*', keep_end=False, around='', names=\(\)"
    r"|room=[\d.]+, part=(?:None|\(\d+, \d+\))"
    r"|brief='', keep_end=False, around='', names=\((?:'[^']*',? ?)*\))"
)
"""What does not tell a picture from others: fields at rest, and the room that a text might have taken."""


def _content(scene: Scene) -> str:
    """What tells this picture from others; of a large one the texts alone, which is quicker."""
    if len(scene.cards) < LARGE:
        return _UNSET.sub("", repr(scene))
    rows = [row for card in scene.cards for row in card.rows]
    return "\n".join(
        [scene.title, scene.desc, *(run.text for row in rows for run in (*row.left, *row.right))]
    )


def prefix_of(scene: Scene) -> str:
    """The prefix of a picture that is not told another one."""
    return prefix_for(_content(scene))


def prefix_for(content: str) -> str:
    """An id prefix that is the same for the same content, in every process."""
    return "at-" + hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:8]


def frame(
    body: str | Sequence[str],
    width: float,
    height: float,
    *,
    title: str,
    desc: str,
    prefix: str,
    theme: ThemeName,
    defs: str = "",
    room: Room | None = None,
) -> str:
    """The SVG document around a drawing: names for screen readers, colours for the reader's theme.

    ``body`` may be in pieces: a large drawing is put together once only. In a ``room`` the drawing, which
    is ``width`` × ``height`` px, is scaled, and stands in the middle.
    """
    outer, inner = _hung(width, height, room)
    left, top, w, h = (n(side) for side in inner)
    corner = "" if room is None else f' x="{left}" y="{top}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" width="{n(outer[0])}" '
        f'height="{n(outer[1])}" viewBox="{left} {top} {w} {h}" role="img" '
        f'aria-labelledby="{prefix}-title {prefix}-desc" '
        f'font-family="{FONT}">\n<title id="{prefix}-title">{escape(title)}</title>\n'
        f'<desc id="{prefix}-desc">{escape(desc)}</desc>\n'
        f"{style_block(prefix, theme)}{f'<defs>{defs}</defs>' if defs else ''}\n"
        f'<rect{corner} width="{w}" height="{h}" fill="{LIGHT.paper}"/>\n'
    )
    return themed("".join([head, *([body] if isinstance(body, str) else body), "</svg>\n"]), theme)


def _hung(width: float, height: float, room: Room | None) -> tuple[Point, tuple[float, float, float, float]]:
    """The size of the document, and the part of the plane that it shows: left, top, width, height."""
    if room is None:
        return (width, height), (0.0, 0.0, width, height)
    scale, outer = room.scale((width, height)), room.document((width, height))
    w, h = outer[0] / scale, outer[1] / scale
    return outer, ((width - w) / 2, (height - h) / 2, w, h)
