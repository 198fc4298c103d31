"""What is kept in memory for backward: bars beside the lines that keep it, and by module."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.errors import UsageError
from autograd_tour.record.graph import Graph
from autograd_tour.record.memory import Memory
from autograd_tour.record.trace import Trace
from autograd_tour.text import one_line
from autograd_tour.views.base import View
from autograd_tour.views.kept import (
    LineMemory,
    ModuleMemory,
    by_line,
    by_module,
    checkpoint_text,
    kept_most,
    paths_text,
    remarks,
    summary,
)
from autograd_tour.views.picture import Listing, ListingPart, ListingRow
from autograd_tour.views.totals import in_bytes

__all__ = ["view"]

MOST = (10, 6)
LESS = ((8, 4), (6, 3), (5, 2), (4, 1), (3, 0))
"""Lines and modules of a picture, and of one where room is short."""
CODE = 120
"""Characters of a line of code."""


class MemoryView(View):
    """Bars beside the code: what each line, and each module, keeps until backward."""

    name = "memory"
    summary = "what is kept in memory for backward, by line of the program and by module"

    def picture(self, trace: Trace) -> Listing:
        """The lines and modules that keep most; of a run in the graph that keeps most.

        Raises:
            UsageError: the trace says nothing of memory.
        """
        graph, which = kept_most(trace)
        memory = graph.memory
        if memory is None:
            raise UsageError(
                "this trace does not say what is kept in memory",
                "Trace a function with at most 20,000 nodes, not a tensor that exists, and keep elements",
            )
        listing = _listing(graph, memory, which, *MOST)
        return replace(listing, less=tuple(_listing(graph, memory, which, *most) for most in LESS))


def _listing(graph: Graph, memory: Memory, which: str, lines: int, modules: int) -> Listing:
    rows, groups = by_line(graph), by_module(graph)
    first = f"{summary(memory)}. {which}".rstrip()
    return Listing(
        (
            ListingPart(
                "By line",
                tuple(map(_line, rows[:lines])),
                (("main", "kept by autograd alone"), ("outline", "lives anyway")),
            ),
            ListingPart(
                "By module",
                tuple(map(_module, groups[:modules])),
                (("main", "a checkpoint of it saves this"), ("light", "it keeps this too")),
            ),
        ),
        "What is kept for backward",
        first[:1].upper() + first[1:],
        " ".join([first, *(f"{row.text}, {row.where}: {row.amount}." for row in map(_line, rows[:lines]))]),
        tuple(_notes(memory, rows[lines:], groups[modules:])),
    )


def _line(row: LineMemory) -> ListingRow:
    text = one_line(row.line.text, CODE) if row.line is not None and row.line.text else "a line not known"
    parts = [row.line.position] if row.line is not None else []
    parts += [f"in {row.line.function}"] if row.line is not None and row.line.function else []
    if row.shared:
        parts.append(f"and {in_bytes(row.shared)} counted at other lines")
    segments = ((float(row.size), "main"), (float(row.anyway), "outline"))
    return ListingRow(text, ", ".join(parts), segments, in_bytes(row.size))  # type: ignore[arg-type]


def _module(row: ModuleMemory) -> ListingRow:
    several = len(row.paths) > 1
    saves = min(row.saves, row.size)
    segments = ((float(saves), "main"), (float(row.size - saves), "light"))
    about = checkpoint_text(row)
    return ListingRow(
        f"{f'{len(row.paths)} × ' if several else ''}{row.type}",
        paths_text(row),
        segments,  # type: ignore[arg-type]
        f"{'each ' if several else ''}{in_bytes(row.size)}",
        (about[:1].upper() + about[1:],),
    )


def _notes(memory: Memory, lines: list[LineMemory], modules: list[ModuleMemory]) -> Iterator[str]:
    yield from remarks(memory)
    parts = []
    if lines:
        size = in_bytes(sum(row.size for row in lines))
        parts.append(f"{len(lines)} more {'line' if len(lines) == 1 else 'lines'} with {size}")
    if modules:
        count = sum(len(row.paths) for row in modules)
        parts.append(f"{count} more {'module' if count == 1 else 'modules'}")
    if parts:
        yield f"… and {' and '.join(parts)} in the report."


view = MemoryView()
