"""Two runs in one picture: what is new stands out, what is gone is a dashed shadow, the rest is quiet."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from msgspec.structs import replace

from autograd_tour.errors import UsageError
from autograd_tour.record.display import amount
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Change, Node, State
from autograd_tour.record.trace import Trace
from autograd_tour.text import one_line
from autograd_tour.views.base import View
from autograd_tour.views.bundle import bundled
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.naming import title_run
from autograd_tour.views.picture import Card, Emphasis, Label, Link, Role, Row, Run, Scene, Shape, within
from autograd_tour.views.wording import tensor_text

__all__ = ["diff_scene", "view"]

NAME_ROOM = 170.0
TEXT_ROOM = 150.0
VALUE_ROOM = 230.0
GRADIENT_ROOM = 210.0
CHANGE_ROWS = 6

_MARKS: dict[State, tuple[str, Role]] = {
    "added": ("+", "forward"),
    "gone": ("\u2212", "muted"),
    "changed": ("\u2260", "error"),
}
_EMPHASIS: dict[State, Emphasis] = {"added": "strong", "gone": "faint"}
_SHAPES: dict[str, Shape] = {"leaf": "leaf", "constant": "constant", "group": "group"}


class Comparison(View):
    """What is added, gone or changed from one run to another."""

    name = "diff"
    summary = "two runs in one picture: what is added, gone or changed"

    def picture(self, trace: Trace) -> Scene:
        """The nodes and edges of both runs.

        Raises:
            UsageError: the trace is of one run.
        """
        if trace.graph.nodes and not trace.graph.compared:
            raise UsageError(
                "a diff needs two graphs, and this is one", "autograd-tour diff A B compares two"
            )
        return diff_scene(trace.graph)


def diff_scene(graph: Graph) -> Scene:
    """Cards and links for a result of :func:`autograd_tour.views.diff.diff`."""
    artist = _Artist(graph)
    cards = [artist.card(node) for node in graph.nodes if node.kind != "accumulate"]
    folded = {node.id for node in graph.nodes if node.kind == "group"}
    links = [link for edge in graph.edges if (link := artist.link(edge)) is not None]
    # Edges of different states must not become one arrow.
    together = [
        link
        for state in ("", "strong", "faint")
        for link in bundled((link for link in links if link.emphasis == state), folded, artist.ends)
    ]
    return Scene(
        tuple(cards), tuple(together), "Two autograd graphs", _describe(graph), notes=graph.meta.remarks
    )


class _Artist:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = graph.by_id()
        self.derivatives = Derivatives(graph)

    def card(self, node: Node) -> Card:
        gone, new = node.state == "gone", node.state == "added"
        ink: Role = "muted" if gone else "ink"
        mark, role = _MARKS.get(node.state, ("", ink))
        name = title_run(self.graph, node, ink, NAME_ROOM, bold=mark != "")
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
                (*head, name),
                (Run(kind, "muted", room=NAME_ROOM),) if kind else (),
                fill=None if gone else fill,
                height=27,
                mark="cut" if node.cut is not None else "",
            )
        ]
        backward = [change for change in node.changes if change.kind in ("gradient", "grad")]
        others = [change for change in node.changes if change not in backward]
        rows += [_changed(change, "forward") for change in others[:CHANGE_ROWS]]
        if len(others) > CHANGE_ROWS:
            rows.append(Row((Run(f"… {len(others) - CHANGE_ROWS} more", "muted"),), height=18))
        if not any(change.kind == "value" for change in others) and node.value is not None:
            role = "forward" if new else "muted"
            rows.append(Row((Run(tensor_text(node.value), role, room=VALUE_ROOM),)))
        lane = [_changed(change, "backward") for change in backward] or self._gradient(node, new)
        shape = _SHAPES.get(node.kind, "operation")
        title = f"{node.state}: {node.op or node.name}"
        height = sum(row.height for row in lane)
        emphasis = _EMPHASIS.get(node.state, "")
        return Card(node.id, shape, (*rows, *lane), lane=height, title=title, emphasis=emphasis)

    def _gradient(self, node: Node, new: bool) -> list[Row]:
        if node.kind == "constant" or not self.graph.passes:
            return []
        _, step = self.graph.step(self.graph.accumulator_of(node.id) if node.kind == "leaf" else node.id)
        role: Role = "backward" if new else "muted"
        if step is None:
            return [Row((Run("not reached by backward", "muted"),), height=22)]
        if node.kind == "leaf":
            facts, lead = step.after, ".grad  "
        else:
            received = enumerate(step.received)
            slot, facts = next(((k, item) for k, item in received if item is not None), (0, None))
            lead = f"{self.derivatives.of(node.id, slot) or 'grad in'}  "
        text = tensor_text(facts, shape=False) if facts is not None else "none"
        return [Row((Run(lead, role, room=GRADIENT_ROOM), Run(text, role, room=GRADIENT_ROOM)), height=22)]

    def ends(self, link: Link) -> str:
        """What a link joins."""
        a, b = self.nodes[link.src], self.nodes[link.dst]
        return f"{'gradient ' if link.flow == 'backward' else ''}{a.op or a.name} → {b.op or b.name}"

    def link(self, edge: Edge) -> Link | None:
        src, dst = self.graph.card_of(edge.src), self.graph.card_of(edge.dst)
        if src == dst or "accumulate" in (self.nodes[src].kind, self.nodes[dst].kind):
            return None  # an accumulator whose leaf is gone has no card
        mark, role = _MARKS.get(edge.state, ("", "ink"))
        marked = edge.state in ("added", "gone")
        label = Label((Run(mark, role, bold=True, size=16),)) if marked else Label()
        ident = f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}"
        emphasis = _EMPHASIS.get(edge.state, "")
        if edge.kind == "forward":
            constant = self.nodes[src].kind == "constant"
            flow: Literal["forward", "constant"] = "constant" if constant else "forward"
            link = Link(ident, src, dst, flow, label, emphasis=emphasis)
        else:
            link = Link(f"{ident}-g", src, dst, "backward", label, True, ("g", "g"), "", emphasis)
        return replace(link, title=f"{self.ends(link)}: {edge.state}")


def _changed(change: Change, role: Role) -> Row:
    """``what  before → after``: before struck small and grey, after bold."""
    runs = (
        within("", change.what, "  ", role, TEXT_ROOM),
        Run(change.before, "muted", room=TEXT_ROOM),
        Run("  →  ", "ink", bold=True),
        Run(change.after, role, bold=True, room=TEXT_ROOM),
    )
    return Row(runs, fill="accumulated_fill" if role == "backward" else None, height=22)


def _describe(graph: Graph) -> str:
    cards = [node for node in graph.nodes if node.kind != "accumulate"]
    if not cards:
        return "Two empty graphs."
    counts = Counter(node.state for node in cards)
    if counts["same"] == len(cards):
        return f"Two runs with the same {amount(len(cards), 'node')} and the same numbers."
    parts = [f"{counts[state]} {state}" for state in ("added", "gone", "changed", "same") if counts[state]]
    sentences = [f"Two runs as one graph. Of its {amount(len(cards), 'node')} {', '.join(parts)}."]
    for node in [node for node in cards if node.state in ("added", "gone")][:8]:
        word = "New" if node.state == "added" else "Gone"
        sentences.append(f"{word}: {node.kind} {_short_title(node)}.")
    for node in [node for node in cards if node.changes][:8]:
        changes = "; ".join(map(_in_words, node.changes[:3]))
        sentences.append(f"{_short_title(node)}: {changes}.")
    return " ".join(sentences)


def _in_words(change: Change) -> str:
    what, before, after = (one_line(text, 60) for text in (change.what, change.before, change.after))
    return f"{what} {before} → {after}"


def _short_title(node: Node) -> str:
    return one_line(node.name or node.op or node.grad_fn, 60)


view = Comparison()
