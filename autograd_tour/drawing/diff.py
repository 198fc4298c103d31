"""Two runs in one picture: what is new stands out, what is gone is a dashed shadow, the rest is quiet."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from autograd_tour.drawing.bundle import bundled
from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.scene import Card, Emphasis, Label, Link, Role, Row, Run, Scene, Shape
from autograd_tour.drawing.wording import tensor_text
from autograd_tour.record.graph import Change, Edge, Graph, Node, State, Step
from autograd_tour.text import one_line

__all__ = ["diff_scene"]

NAME_ROOM = 170.0
TEXT_ROOM = 150.0
CHANGE_ROWS = 6

_MARKS: dict[State, tuple[str, Role]] = {
    "added": ("+", "forward"),
    "gone": ("\u2212", "muted"),
    "changed": ("\u2260", "error"),
}
_EMPHASIS: dict[State, Emphasis] = {"added": "strong", "gone": "faint"}
_SHAPES: dict[str, Shape] = {"leaf": "leaf", "constant": "constant", "group": "group"}


def diff_scene(graph: Graph, direction: Literal["LR", "TB"] = "LR") -> Scene:
    """Cards and links for a result of :func:`autograd_tour.views.diff.diff`."""
    artist = _Artist(graph)
    cards = [artist.card(node) for node in graph.nodes if node.kind != "accumulate"]
    folded = {node.id for node in graph.nodes if node.kind == "group"}
    links = [link for edge in graph.edges if (link := artist.link(edge)) is not None]
    # Edges of different states must not become one arrow.
    together = [
        link
        for state in ("", "strong", "faint")
        for link in bundled((link for link in links if link.emphasis == state), folded)
    ]
    return Scene(
        tuple(cards), tuple(together), "Two autograd graphs", _describe(graph), direction, graph.meta.notes
    )


class _Artist:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = graph.by_id()
        self.steps: dict[str, Step] = {step.node: step for _, step in graph.numbered_steps()}
        owners = [e for e in graph.select("gradient") if self.nodes[e.src].kind == "accumulate"]
        self.card_of = {node.id: node.id for node in graph.nodes} | {e.src: e.dst for e in owners}
        self.accumulator = {e.dst: e.src for e in owners}

    def card(self, node: Node) -> Card:
        gone, new = node.state == "gone", node.state == "added"
        ink: Role = "muted" if gone else "ink"
        cut = node.cut is not None
        name = node.op or node.name or node.grad_fn or node.kind
        if node.kind in ("leaf", "constant"):
            name = node.name or ("detached" if cut else "unnamed")
        name = fit(name, NAME_ROOM, 14, bold=True)
        mark, role = _MARKS.get(node.state, ("", ink))
        head = (Run(f"{mark}  ", role, bold=True, size=18),) if mark else ()
        kind = (
            node.kind
            if node.kind in ("leaf", "constant")
            else node.grad_fn
            if node.grad_fn != node.op
            else ""
        )
        fill: Role = "leaf_fill" if node.kind == "leaf" else "constant_fill"
        rows = [
            Row(
                (*head, Run(name, ink, bold=mark != "", size=14)),
                (Run(fit(kind, NAME_ROOM, 12), "muted"),) if kind else (),
                fill=None if gone else fill,
                height=27,
                mark="cut" if cut else "",
            )
        ]
        backward = [change for change in node.changes if change[0].startswith((".grad", "gradient"))]
        others = [change for change in node.changes if change not in backward]
        rows += [_changed(change, "forward") for change in others[:CHANGE_ROWS]]
        if len(others) > CHANGE_ROWS:
            rows.append(Row((Run(f"… {len(others) - CHANGE_ROWS} more", "muted"),), height=18))
        if not any(what.startswith("value") for what, _, _ in others) and node.value is not None:
            value = fit(tensor_text(node.value), 230, 12)
            rows.append(Row((Run(value, "forward" if new else "muted"),)))
        lane = [_changed(change, "backward") for change in backward] or self._gradient(node, new)
        shape = _SHAPES.get(node.kind, "operation")
        title = f"{node.state}: {node.op or node.name}"
        height = sum(row.height for row in lane)
        emphasis = _EMPHASIS.get(node.state, "")
        return Card(node.id, shape, (*rows, *lane), lane=height, title=title, emphasis=emphasis)

    def _gradient(self, node: Node, new: bool) -> list[Row]:
        if node.kind == "constant" or not self.graph.passes:
            return []
        step = self.steps.get(self.accumulator.get(node.id, "") if node.kind == "leaf" else node.id)
        role: Role = "backward" if new else "muted"
        if step is None:
            return [Row((Run("not reached by backward", "muted"),), height=22)]
        if node.kind == "leaf":
            facts, lead = step.after, ".grad  "
        else:
            facts, lead = next((item for item in step.received if item is not None), None), "grad in  "
        text = fit(tensor_text(facts, shape=False) if facts is not None else "none", 210, 12)
        return [Row((Run(lead, role), Run(text, role)), height=22)]

    def link(self, edge: Edge) -> Link | None:
        src, dst = self.card_of[edge.src], self.card_of[edge.dst]
        if src == dst:
            return None
        a, b = self.nodes[src], self.nodes[dst]
        mark, role = _MARKS.get(edge.state, ("", "ink"))
        marked = edge.state in ("added", "gone")
        label = Label((Run(mark, role, bold=True, size=16),)) if marked else Label()
        ident = f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}"
        emphasis = _EMPHASIS.get(edge.state, "")
        if edge.kind == "forward":
            flow: Literal["forward", "constant"] = "constant" if a.kind == "constant" else "forward"
            title = f"{a.op or a.name} → {b.op or b.name}: {edge.state}"
            return Link(ident, src, dst, flow, label, title=title, emphasis=emphasis)
        ports = ("g", "g")
        title = f"gradient {a.op or a.name} → {b.op or b.name}: {edge.state}"
        return Link(f"{ident}-g", src, dst, "backward", label, True, ports, title, emphasis)


def _changed(change: Change, role: Role) -> Row:
    """``what  before → after``: before struck small and grey, after bold."""
    what, before, after = (fit(text, TEXT_ROOM, 12) for text in change)
    runs = (
        Run(f"{what}  ", role),
        Run(before, "muted"),
        Run("  →  ", "ink", bold=True),
        Run(after, role, bold=True),
    )
    return Row(runs, fill="accumulated_fill" if role == "backward" else None, height=22)


def _describe(graph: Graph) -> str:
    cards = [node for node in graph.nodes if node.kind != "accumulate"]
    if not cards:
        return "Two empty graphs."
    counts = Counter(node.state for node in cards)
    if counts["same"] == len(cards):
        return f"Two runs with the same {len(cards)} nodes and the same numbers."
    parts = [f"{counts[state]} {state}" for state in ("added", "gone", "changed", "same") if counts[state]]
    said = [f"Two runs as one graph. Of its {len(cards)} nodes {', '.join(parts)}."]
    for node in [node for node in cards if node.state in ("added", "gone")][:8]:
        word = "New" if node.state == "added" else "Gone"
        said.append(f"{word}: {node.kind} {_said(node)}.")
    for node in [node for node in cards if node.changes][:8]:
        changes = (
            "{} {} → {}".format(*(one_line(text, 60) for text in change)) for change in node.changes[:3]
        )
        said.append(f"{_said(node)}: {'; '.join(changes)}.")
    return " ".join(said)


def _said(node: Node) -> str:
    return one_line(node.name or node.op or node.grad_fn, 60)
