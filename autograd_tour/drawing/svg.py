"""Scene + places -> SVG: every shape, every text, for light and dark, for eyes and for screen readers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from autograd_tour.drawing.large import LARGE
from autograd_tour.drawing.layout import Layout, place
from autograd_tour.drawing.metrics import escape
from autograd_tour.drawing.paint import MARGIN, Moment, Painter
from autograd_tour.drawing.shapes import n
from autograd_tour.drawing.theme import FONT, LIGHT, ThemeName, style_block, themed
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Scene

__all__ = ["draw_scene", "frame", "prefix_for", "prefix_of"]


@collector_paused()
def draw_scene(
    scene: Scene,
    *,
    theme: ThemeName = "auto",
    prefix: str | None = None,
    engine: str | None = None,
    timeout: float = 60.0,
    layout: Layout | None = None,
    moment: Moment = None,
) -> str:
    """The picture of ``scene``, whose texts have their room, as a standalone SVG document.

    ``prefix`` starts every id, so that several pictures can stand in one page; by default it
    follows from the content. Frames of a film share their ``layout``, and ``moment`` says which frame.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    prefix = prefix or prefix_of(scene)
    layout = layout or place(scene, engine, timeout)
    painter = Painter(prefix, moment)
    body = list(painter.picture(scene, layout)) if scene.cards else [painter.nothing()]
    width, height = (layout.width, layout.height) if scene.cards else (240.0, 40.0)
    captions, (caption_width, caption_height) = painter.captions(scene, MARGIN + height)
    body.append(captions)
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


_UNSET = re.compile(
    r", (?:emphasis=''|since=0|earlier=\(\)|runs_at=0|captions=\(\)|fact='[^']*'"
    r"|room=[\d.]+, part=(?:None|\(\d+, \d+\))|brief='', keep_end=False, around='')"
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
) -> str:
    """The SVG document around a drawing: names for screen readers, colours for the reader's theme.

    ``body`` may be in pieces: a large drawing is put together once only.
    """
    w, h = n(width), n(height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" width="{w}" height="{h}" '
        f'viewBox="0 0 {w} {h}" role="img" aria-labelledby="{prefix}-title {prefix}-desc" '
        f'font-family="{FONT}">\n<title id="{prefix}-title">{escape(title)}</title>\n'
        f'<desc id="{prefix}-desc">{escape(desc)}</desc>\n'
        f"{style_block(prefix, theme)}{f'<defs>{defs}</defs>' if defs else ''}\n"
        f'<rect width="{w}" height="{h}" fill="{LIGHT.paper}"/>\n'
    )
    return themed("".join([head, *([body] if isinstance(body, str) else body), "</svg>\n"]), theme)
