"""A film as SVG: one layout, so every card keeps its place in all frames, and a camera may go along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.camera import Camera
from autograd_tour.drawing.layout import Layout
from autograd_tour.drawing.paint import Moment
from autograd_tour.drawing.room import Room
from autograd_tour.drawing.svg import draw_scene, frame, prefix_of
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.views.picture import Scene

__all__ = ["Reel", "animated", "film", "fragments"]

SECONDS = 2.5
"""How long a frame of an animation stays."""


class Reel(Struct, frozen=True):
    """A film ready to be drawn: a scene with its places, in sight as a whole or through a ``camera``."""

    scene: Scene
    layout: Layout
    room: Room | None = None
    camera: Camera | None = None

    def drawn(self, moment: Moment, theme: ThemeName, prefix: str | None = None) -> str:
        """One document: a frame, or all of them, of which ``moment`` makes what it likes."""
        if self.camera is None:
            return draw_scene(
                self.scene, self.layout, theme=theme, prefix=prefix, moment=moment, room=self.room
            )
        prefix = prefix or prefix_of(self.scene)
        numbers: Iterable[int] = [moment] if isinstance(moment, int) else range(len(self.scene.captions))
        pieces, defs = [], []
        for number in numbers:
            drawn, used = self.camera.drawn(number, f"{prefix}-{number}")
            pieces.append(moment(drawn, number, number) if callable(moment) else drawn)
            defs.append(used)
        return frame(
            pieces,
            *self.camera.size,
            title=self.scene.title,
            desc=self.scene.desc,
            prefix=prefix,
            theme=theme,
            defs="".join(defs),
            room=self.room,
        )


def film(reel: Reel, *, theme: ThemeName = "auto") -> Iterator[str]:
    """An SVG document for each frame, from before backward to its end."""
    scene = reel.scene
    for number, caption in enumerate(scene.captions):
        description = ". ".join("".join(run.text for run in line) for line in caption)
        title = f"{scene.title}, frame {number} of {len(scene.captions) - 1}"
        yield replace(reel, scene=replace(scene, title=title, desc=description)).drawn(number, theme)


def fragments(reel: Reel, *, theme: ThemeName = "auto") -> str:
    """All frames as one SVG document, to stand inline in a slide of reveal.js.

    What appears is a ``fragment`` whose ``data-fragment-index`` is the number of its frame.
    """
    return reel.drawn(_fragment, theme)


def animated(reel: Reel, *, theme: ThemeName = "auto") -> str:
    """All frames as one SVG document that plays by itself, again and again, :data:`SECONDS` a frame.

    Where the reader wants less motion it stands still and shows the end.
    """
    frame_count = len(reel.scene.captions)
    spans: dict[tuple[int, int], str] = {}

    def played(drawn: str, first: int, last: int | None) -> str:
        end = frame_count - 1 if last is None else last
        if (first, end) == (0, frame_count - 1):
            return drawn
        name = spans.setdefault((first, end), f"f{first}-{end}")
        return f'<g class="{name}">{drawn}</g>'

    prefix = prefix_of(reel.scene)
    document = reel.drawn(played, theme, prefix)
    rules = [_span(prefix, name, span, frame_count) for span, name in spans.items()]
    still = "".join(
        f"#{prefix} .{name}{{display:none}}" for (_, end), name in spans.items() if end < frame_count - 1
    )
    moving, quiet = "(prefers-reduced-motion:no-preference)", "(prefers-reduced-motion:reduce)"
    style = f"<style>@media {moving}{{{''.join(rules)}}}@media {quiet}{{{still}}}</style>"
    return document.replace("</desc>\n", f"</desc>\n{style}", 1)


def _span(prefix: str, name: str, span: tuple[int, int], frame_count: int) -> str:
    """Keyframes that show a group from its first frame to the end of its last one."""
    start, stop = (100 * span[0] / frame_count, 100 * (span[1] + 1) / frame_count)
    keys = [(0.0, int(span[0] == 0)), (start, 1), (stop, 0), (100.0, int(span[1] == frame_count - 1))]
    if span[1] == frame_count - 1:
        keys.pop(2)
    steps = "".join(f"{at:.4g}%{{opacity:{seen}}}" for at, seen in dict(keys).items())
    play = f"{name} {SECONDS * frame_count:g}s step-end infinite"
    return f"@keyframes {prefix}-{name}{{{steps}}}#{prefix} .{name}{{animation:{prefix}-{play}}}"


def _fragment(drawn: str, first: int, last: int | None) -> str:
    """reveal.js shows a fragment from its index on; what is gone again later is covered, or current only."""
    if last is not None and first == last == 0:
        # Shown before the first fragment: reveal.js has no class for that but the one that fades away.
        return f'<g class="fragment fade-out" data-fragment-index="1">{drawn}</g>'
    if first == 0:
        return drawn
    kind = "fragment current-visible" if last == first else "fragment"
    return f'<g class="{kind}" data-fragment-index="{first}">{drawn}</g>'
