"""What differs between two runs, as tables: structure first, then values."""

from __future__ import annotations

from collections import Counter

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.reports.tables import heading, table
from autograd_tour.rules.wording import short
from autograd_tour.text import one_line

__all__ = ["diff_report"]

ROWS = 2_000

_MARKS = {"added": "+", "gone": "\u2212", "changed": "\u2260"}


def diff_report(graph: Graph, a: str, b: str) -> str:
    """The text twin of the picture of two runs called ``a`` and ``b``."""
    title = f"autograd-tour diff: {a} → {b}"
    cards = [node for node in graph.nodes if node.kind != "accumulate"]
    counts = Counter(node.state for node in cards)
    summary = ", ".join(f"{counts[state]} {state}" for state in ("added", "gone", "changed", "same"))
    parts = [title, "=" * len(title), "", f"Nodes: {summary}."]
    parts += [f"Note: {one_line(note, 200)}." for note in graph.meta.remarks]
    structure = [
        *(
            [_MARKS[n.state], n.kind, _name(n), n.grad_fn, _where(graph, n), ""]
            for n in cards
            if n.state in ("added", "gone")
        ),
        *(
            [
                _MARKS["changed"],
                n.kind,
                _name(n),
                n.grad_fn,
                _where(graph, n),
                f"{c.what}: {c.before} → {c.after}",
            ]
            for n in cards
            for c in n.changes
            if c.kind == "structure"
        ),
    ]
    edges = [e for e in graph.edges if e.state != "same"]
    nodes = graph.by_id()

    def end(node: str) -> str:
        leaf = graph.leaf_of(node)
        return f"{_name(nodes[leaf])} .grad" if leaf else _name(nodes[node])

    arrows = [
        [_MARKS[e.state], e.kind, f"{end(e.src)} → {end(e.dst)}", short(e.rule)]
        for e in edges
        if "accumulate" not in (nodes[e.src].kind if e.kind == "gradient" else nodes[e.dst].kind)
    ]
    values = [
        [n.kind, _name(n), c.what, c.before, c.after]
        for n in cards
        for c in n.changes
        if c.kind != "structure"
    ]
    if not (structure or arrows or values):
        parts += ["", "Nothing differs."]
    if structure:
        parts.append(
            heading("Structure") + _table(["", "kind", "node", "grad_fn", "where", "change"], structure)
        )
    if arrows:
        parts.append(heading("Edges") + _table(["", "flow", "edge", "rule"], arrows))
    if values:
        parts.append(heading("Values") + _table(["kind", "node", "what", "before", "after"], values))
    return "\n".join(parts).rstrip() + "\n"


def _table(header: list[str], rows: list[list[str]]) -> str:
    more = f"\n  … and {len(rows) - ROWS} more" if len(rows) > ROWS else ""
    return table(header, rows[:ROWS]) + more


def _name(node: Node) -> str:
    return node.name or node.op or node.grad_fn or node.id


def _where(graph: Graph, node: Node) -> str:
    if node.where is None:
        return ""
    line = graph.source[node.where]
    return line.position
