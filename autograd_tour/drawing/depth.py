"""The gradients of one backward over the depth of a network: a row for each layer, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from autograd_tour.drawing.axes import Scale, label, line, n, nice_ticks
from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.text import number
from autograd_tour.views.depth import Layer, about, thinned

__all__ = ["depth_chart"]

WIDTH: Final = 736.0
MARGIN: Final = 20.0
NAMES: Final = 196.0
NUMBERS: Final = 84.0
ROW: Final = 21.0
TOP: Final = 104.0
TITLE: Final = "The gradient over the depth"


def depth_chart(layers: Sequence[Layer], *, theme: ThemeName = "auto", prefix: str | None = None) -> str:
    """``layers``, from the first to the last, as a standalone SVG document of 736 px.

    A layer is its name and the size of its gradient per element, which is positive and finite. Of many
    layers some are shown, the first and the last among them.
    """
    prefix = prefix or prefix_for(repr(layers))
    rows = thinned(layers)
    bottom = TOP + ROW * len(rows)
    scale = _scale([size for _, size in rows])
    pieces = [
        label(MARGIN, 34, TITLE, LIGHT.ink, size=20, bold=True),
        label(MARGIN, 57, about(layers), LIGHT.muted, size=13),
        *_axis(scale, bottom),
        *_rows(rows, scale),
    ]
    desc = f"{about(layers)} {', '.join(f'{name} {number(size, 3)}' for name, size in rows)}."
    return frame(pieces, WIDTH, bottom + 16, title=TITLE, desc=desc, prefix=prefix, theme=theme)


def _scale(sizes: Sequence[float]) -> Scale:
    low, high = min(sizes), max(sizes)
    return Scale(low, high, MARGIN + NAMES + 12, WIDTH - MARGIN - NUMBERS - 12, log=True)


def _axis(scale: Scale, bottom: float) -> Iterator[str]:
    """A line for each of a few powers of ten."""
    end = float("-inf")
    for tick in nice_ticks(scale.low, scale.high, 6, log=True):
        x, text = scale(tick), number(tick, 3)
        yield line(x, TOP - 12, x, bottom, LIGHT.muted, width=0.5)
        half = text_width(text, 12) / 2
        if x - half > end:
            yield label(x, TOP - 18, text, LIGHT.muted, anchor="middle")
            end = x + half + 8


def _rows(rows: Sequence[Layer], scale: Scale) -> Iterator[str]:
    places = [(scale(size), TOP + ROW * (k + 0.5)) for k, (_, size) in enumerate(rows)]
    way = "L".join(f"{n(x)} {n(y)}" for x, y in places)
    yield f'<path d="M{way}" fill="none" stroke="{LIGHT.backward}" stroke-width="1.5"/>\n'
    for (name, size), (x, y) in zip(rows, places, strict=True):
        yield f'<circle cx="{n(x)}" cy="{n(y)}" r="4.5" fill="{LIGHT.backward}"/>\n'
        yield label(MARGIN, y + 4, fit(name, NAMES - 10, 12, keep_end=True), LIGHT.ink)
        yield label(WIDTH - MARGIN, y + 4, number(size, 3), LIGHT.backward, anchor="end", bold=True)
