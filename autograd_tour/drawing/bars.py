"""What bars are stacked from: where their parts are, and how far they reach."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.views.picture import Bar, ChartRow, Part

__all__ = ["range_of", "stack", "whose"]


def stack(parts: tuple[Part, ...]) -> Iterator[tuple[Part, float, float]]:
    """(part, low, high): positive parts upwards from zero, negative ones downwards; zeros have no height."""
    up = down = 0.0
    for part in parts:
        if part.value > 0:
            yield part, up, up + part.value
            up += part.value
        elif part.value < 0:
            yield part, down + part.value, down
            down += part.value


def whose(part: Part, bar: Bar) -> str:
    """The call that brought a part of ``bar``."""
    return f"call {part.call}" if part.call > 0 else "before" if part.call == 0 else f"1 to {bar.call - 1}"


def range_of(row: ChartRow) -> tuple[float, float]:
    """The lowest and the highest place of all bars of a row; zero is among them."""
    low = high = 0.0
    for _, bars in row.bars:
        low, high = min([low, *map(_lowest, bars)]), max([high, *map(_highest, bars)])
    return low, high


def _lowest(bar: Bar) -> float:
    return min([bar.level, *(low for _, low, _ in stack(bar.parts))])


def _highest(bar: Bar) -> float:
    return max([bar.level, *(high for _, _, high in stack(bar.parts))])
