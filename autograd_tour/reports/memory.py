"""What is kept in memory for backward, as text: by line, by module, and what a checkpoint would save."""

from __future__ import annotations

from autograd_tour.record.graph import Graph
from autograd_tour.reports.tables import heading, table
from autograd_tour.views.kept import by_line, by_module, checkpoint_text, paths_text, remarks, summary
from autograd_tour.views.totals import in_bytes

__all__ = ["memory_report"]

ROWS = 500


def memory_report(graph: Graph) -> str | None:
    """The whole table, ``None`` if the record does not say what is kept."""
    memory = graph.memory
    if memory is None or not memory.blocks:
        return None
    first = summary(memory)
    parts = [f"{heading('Memory until backward')}  {first[:1].upper()}{first[1:]}."]
    parts += [f"  {remark}" for remark in remarks(memory)]
    parts.append(f"\n{_lines(graph)}")
    if modules := _modules(graph):
        parts.append(f"\n{modules}")
    return "\n".join(parts)


def _lines(graph: Graph) -> str:
    rows = by_line(graph)
    cells = [
        [
            in_bytes(row.size),
            str(row.storages),
            in_bytes(row.shared) if row.shared else "",
            in_bytes(row.anyway) if row.anyway else "",
            row.line.position if row.line is not None else "not known",
            row.line.text if row.line is not None else "",
            ", ".join(row.names[:3]),
        ]
        for row in rows[:ROWS]
    ]
    header = ["kept", "storages", "counted above", "lives anyway", "where", "code", "what, largest first"]
    return table(header, cells, right=[0, 1, 2, 3]) + _more(len(rows))


def _modules(graph: Graph) -> str:
    rows = by_module(graph)
    cells = [
        [
            in_bytes(row.size),
            f"{len(row.paths)} ×" if len(row.paths) > 1 else "",
            row.type,
            paths_text(row),
        ]
        for row in rows[:ROWS]
    ]
    if not cells:
        return ""
    lines = table(["kept by each", "", "module", "path"], cells, right=[0, 1]).splitlines()
    texts = ["", "", *(f"  {checkpoint_text(row)}" for row in rows[:ROWS])]
    width = max(map(len, lines))
    return "\n".join(
        f"{line:<{width}}{text}".rstrip() for line, text in zip(lines, texts, strict=True)
    ) + _more(len(rows))


def _more(total: int) -> str:
    return f"\n  … and {total - ROWS} more" if total > ROWS else ""
