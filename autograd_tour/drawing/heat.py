"""Norms of gradients over depth and steps: a row for each layer, a column for each step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from autograd_tour.drawing.axes import label, n
from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.record.steps import Norms
from autograd_tour.text import number

__all__ = ["heat_map"]

WIDTH: Final = 736.0
MARGIN: Final = 20.0
NAMES: Final = 196.0
SMALLEST: Final = 11.0
ROW: Final = 18.0
MOST_ROWS: Final = 28
MOST_COLUMNS: Final = 64
SHADES: Final = (0.08, 0.24, 0.42, 0.6, 0.8, 1.0)
"""How dense the fill is, from the least norm to the largest."""

Cell = float | None


class _Row(NamedTuple):
    name: str
    cells: list[Cell]


def heat_map(norms: Norms, *, theme: ThemeName = "auto", prefix: str | None = None) -> str:
    """``norms`` as a standalone SVG document of 736 px.

    Rows stand in the order of the model, the whole above them. Many parameters are taken together by module:
    the norm of a row is that of all its gradients. Many steps are taken together too: a column shows the
    largest of them. Shades are even on a logarithmic scale.
    """
    prefix = prefix or prefix_for(repr(norms))
    title = "Norms of the gradients, step by step"
    rows, columns = _rows(norms), _columns(norms)
    if not columns:
        text = "Nothing to draw: no step was made."
        body = label(MARGIN, 50, text, LIGHT.muted, size=14)
        return frame(body, 360, 84, title=title, desc=text, prefix=prefix, theme=theme)
    table = [_Row(row.name, [_largest([row.cells[k] for k in column]) for column in columns]) for row in rows]
    sizes = [c for row in table for c in row.cells if c is not None and 0 < c < math.inf]
    scale = (min(sizes), max(sizes)) if sizes else (1.0, 1.0)
    pieces = list(_heading(title, norms, len(rows)))
    top = 96.0
    width = (WIDTH - 2 * MARGIN - NAMES) / len(columns)
    for row in table:
        pieces.append(
            label(
                MARGIN,
                top + 13,
                fit(row.name, NAMES - 10, 12, keep_end=True),
                LIGHT.ink,
                bold=row is table[0],
            )
        )
        for k, cell in enumerate(row.cells):
            pieces.append(_cell(MARGIN + NAMES + k * width, top, width, ROW - 2, cell, scale))
        top += ROW + (8 if row is table[0] else 0)
    pieces += _axis(norms, columns, width, top)
    pieces += _legend(scale, top + 44)
    desc = _described(norms, table, columns)
    return frame(pieces, WIDTH, top + 66, title=title, desc=desc, prefix=prefix, theme=theme)


# ---- rows and columns ------------------------------------------------------------------------------


def _rows(norms: Norms) -> list[_Row]:
    """The whole, and below it the parameters, taken together by module where they are many."""
    names = list(norms.names)
    groups = {name: [i] for i, name in enumerate(names)}
    depth = max((name.count(".") for name in names), default=0)
    while len(groups) > MOST_ROWS and depth > 0:
        groups = {}
        for i, name in enumerate(names):
            groups.setdefault(".".join(name.split(".")[:depth]), []).append(i)
        depth -= 1
    if len(groups) > MOST_ROWS:
        items = list(groups.items())
        each = -(-len(items) // MOST_ROWS)
        chunks = [items[k : k + each] for k in range(0, len(items), each)]
        groups = {f"{chunk[0][0]} … {chunk[-1][0]}": [i for _, g in chunk for i in g] for chunk in chunks}
    every = [("all gradients", list(range(len(names)))), *groups.items()]
    return [_Row(name, [_together(row, members) for row in norms.rows]) for name, members in every]


def _together(row: Sequence[Cell], members: Sequence[int]) -> Cell:
    sizes = [size for i in members if (size := row[i]) is not None]
    return math.sqrt(math.fsum(size * size for size in sizes)) if sizes else None


def _columns(norms: Norms) -> list[range]:
    count = len(norms.rows)
    each = max(1, -(-count // MOST_COLUMNS))
    return [range(k, min(k + each, count)) for k in range(0, count, each)]


def _largest(cells: Sequence[Cell]) -> Cell:
    sizes = [cell for cell in cells if cell is not None]
    odd = [size for size in sizes if not math.isfinite(size)]
    return odd[0] if odd else max(sizes, default=None)


# ---- paint ------------------------------------------------------------------------------------------


def _heading(title: str, norms: Norms, rows: int) -> Iterator[str]:
    yield label(MARGIN, 34, title, LIGHT.ink, size=20, bold=True)
    steps = f"{norms.total} step{'s' if norms.total != 1 else ''}"
    kept = f", every {norms.stride}th kept" if norms.stride > 1 else ""
    merged = f", {len(norms.names)} parameters in {rows - 1} rows" if len(norms.names) > rows - 1 else ""
    yield label(
        MARGIN, 57, f"From the first layer down to the last, {steps}{kept}{merged}.", LIGHT.muted, size=13
    )
    yield label(
        MARGIN, 75, "Each is ‖.grad‖ as the step used it; the denser, the larger.", LIGHT.muted, size=13
    )


def _cell(x: float, y: float, width: float, height: float, cell: Cell, scale: tuple[float, float]) -> str:
    box = f'x="{n(x)}" y="{n(y)}" width="{max(width - 0.6, 0.5):.2f}" height="{n(height)}"'
    if cell is None:
        stroke = f'stroke="{LIGHT.muted}" stroke-width="0.5" stroke-opacity="0.4"'
        return f'<rect {box} fill="{LIGHT.paper}" {stroke}/>\n'
    if not math.isfinite(cell):
        return f'<rect {box} fill="{LIGHT.error}"/>\n'
    if cell == 0:
        return f'<rect {box} fill="{LIGHT.backward}"/>\n'
    return f'<rect {box} fill="{LIGHT.forward}" fill-opacity="{_shade(cell, scale):g}"/>\n'


def _shade(size: float, scale: tuple[float, float]) -> float:
    low, high = map(math.log10, scale)
    share = (math.log10(size) - low) / (high - low) if high > low else 1.0
    return SHADES[min(int(share * len(SHADES)), len(SHADES) - 1)]


def _axis(norms: Norms, columns: Sequence[range], width: float, top: float) -> Iterator[str]:
    left = MARGIN + NAMES
    last = len(columns) - 1
    ticks = sorted({0, last, *(round(last * k / 4) for k in range(1, 4))}) if last >= 8 else [0, last]
    for k in dict.fromkeys(ticks):
        text = str(norms.steps[columns[k][0]])
        anchor = "start" if k == 0 else "end" if k == last else "middle"
        x = left + (0 if k == 0 else (k + 1) * width if k == last else (k + 0.5) * width)
        yield label(x, top + 14, text, LIGHT.muted, size=SMALLEST, anchor=anchor)  # type: ignore[arg-type]
    yield label(MARGIN, top + 14, "step", LIGHT.muted, size=SMALLEST)


def _legend(scale: tuple[float, float], top: float) -> Iterator[str]:
    low, high = map(math.log10, scale)
    x = MARGIN
    for k, shade in enumerate(SHADES):
        box = f'x="{n(x)}" y="{n(top - 10)}" width="22" height="12"'
        yield f'<rect {box} fill="{LIGHT.forward}" fill-opacity="{shade:g}"/>\n'
        if k == 0 or k == len(SHADES) - 1:
            text = number(10 ** (low if k == 0 else high), 2)
            yield label(x + (0 if k == 0 else 22), top + 14, text, LIGHT.muted, size=SMALLEST,
                        anchor="start" if k == 0 else "end")  # fmt: skip
        x += 24
    marks: tuple[tuple[Cell, str], ...] = (
        (None, "no gradient"),
        (0.0, "0 in every element"),
        (math.nan, "NaN or Inf"),
    )
    x += 20
    for cell, meaning in marks:
        yield _cell(x, top - 10, 22, 12, cell, scale)
        yield label(x + 28, top, meaning, LIGHT.muted, size=12)
        x += 28 + 7 * len(meaning) + 14


def _described(norms: Norms, table: Sequence[_Row], columns: Sequence[range]) -> str:
    first, last = norms.steps[columns[0][0]], norms.steps[columns[-1][-1]]
    ends = [f"{row.name}: {_words(row.cells[0])}, at the end {_words(row.cells[-1])}" for row in table[:12]]
    return f"Norms of gradients from step {first} to step {last}. {'. '.join(ends)}."


def _words(cell: Cell) -> str:
    return "no gradient" if cell is None else number(cell, 3)
