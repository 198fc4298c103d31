"""The grad_fn tree as indented text, from the results to the leaves."""

from __future__ import annotations

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.text import one_line

__all__ = ["tree"]

LINES = 2_000
DEEPEST = 24


def tree(graph: Graph) -> str:
    """One line for each ``next_functions`` entry, in torch's notation ``[slot] Name, output``.

    A node met again is named with ``(see above)``. Below 24 levels nothing is indented further, and
    the text ends after 2,000 lines.
    """
    nodes = graph.by_id()
    edges = {(e.src, e.slot[0]): e for e in graph.select("gradient") if not graph.leaf_of(e.src)}
    lines: list[str] = []
    seen: set[str] = set()
    # (node or None for a stub, what leads to it, its indentation)
    pending: list[tuple[str | None, str, int]] = [(node, "", 1) for node, _ in reversed(graph.outputs)]
    while pending and len(lines) < LINES:
        node_id, lead, depth = pending.pop()
        margin = "  " * depth
        if node_id is None:
            lines.append(f"{margin}{lead}None")
            continue
        node = nodes[node_id]
        again = node_id in seen
        lines.append(
            f"{margin}{lead}{_name(node, nodes.get(graph.leaf_of(node_id)))}{' (see above)' if again else ''}"
        )
        if again:
            continue
        seen.add(node_id)
        inner = min(depth + 1, DEEPEST)
        # More slots than lines are left are not worth a look.
        slot_count = min(node.slots, LINES + 1 - len(lines))
        for slot in reversed(range(slot_count)):
            edge = edges.get((node_id, slot))
            output = f"output {edge.slot[1]} of " if edge is not None and edge.slot[1] else ""
            pending.append((edge.dst if edge is not None else None, f"[{slot}] {output}", inner))
    if pending:
        lines.append(f"  … {len(pending)} more {'branch' if len(pending) == 1 else 'branches'}")
    return "\n".join(lines)


def _name(node: Node, leaf: Node | None) -> str:
    grad_fn = one_line(node.grad_fn, 60)
    if leaf is not None:
        return f"{grad_fn} of {one_line(leaf.name or leaf.op or leaf.id, 60)}"
    return f"{grad_fn}    {one_line(node.op, 40)}" + (f" = {one_line(node.name, 40)}" if node.name else "")
