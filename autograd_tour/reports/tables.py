"""Aligned text tables."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_tour.text import one_line

__all__ = ["heading", "table"]

CELL_LIMIT = 60


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: int = 2
) -> str:
    """Rows under a header, columns two spaces apart; the columns in ``right`` are right-aligned."""
    cells = [[one_line(cell, CELL_LIMIT) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        fields = (
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append((" " * indent + "  ".join(fields)).rstrip())
    lines.insert(1, " " * indent + "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def heading(text: str) -> str:
    """A section title with a rule below."""
    return f"\n{text}\n{'-' * len(text)}\n"
