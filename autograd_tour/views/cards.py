"""The main picture: cards with forward values, gradients, mailboxes, saved tensors, and local rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from autograd_tour.record.display import amount
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node, Saved
from autograd_tour.rules.wording import short
from autograd_tour.text import cut_text, one_line, rounded
from autograd_tour.views.bundle import bundled, lettered
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.equations import equation_of
from autograd_tour.views.gradient_rows import GradientRows, numbered
from autograd_tour.views.look import ALL, Look
from autograd_tour.views.mailbox import Mailbox
from autograd_tour.views.naming import (
    line_row,
    module_heads,
    module_path,
    names_in,
    output_name,
    saved_name,
    title_run,
)
from autograd_tour.views.nonfinite import NonFinite, nonfinites
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Card, Emphasis, Label, Link, Role, Row, Run, Scene, within
from autograd_tour.views.steps import Timeline
from autograd_tour.views.sums import arrivals
from autograd_tour.views.wording import describe_graph, shape_text, tensor_runs

__all__ = ["Artist", "cards_scene", "holds_constants", "scene_by"]

NAME_ROOM = 190.0
"""Widest name of a card in px; a longer one ends in an ellipsis."""
TEXT_ROOM = 220.0
RULE_ROOM = 260.0
NOTE_ROOM = 300.0
"""Widest remark of a folded card: what happens to a parameter stands in one."""
EQUATION_ROOM = 520.0
SHORT_ROOM = 110.0
OUTPUT_ROWS = 3
SAVED_ROWS = 3

_STATES = {
    "freed": "  freed",
    "modified": "  ✕ modified in place",
    "hooked": "  behind a hook",
    "recomputed": "  recomputed in backward",
}


@collector_paused()
def cards_scene(graph: Graph, timeline: Timeline | None = None, look: Look = ALL) -> Scene:
    """Cards and links for a graph: what ``look`` asks for; a ``timeline`` makes it a film."""
    return scene_by(Artist(graph, timeline, look))


def scene_by(artist: Artist) -> Scene:
    """Cards and links as ``artist`` makes them."""
    graph = artist.graph
    cards = [artist.card(node) for node in graph.nodes if graph.card_of(node.id) == node.id]
    folded = {node.id for node in graph.nodes if node.kind == "group"}
    links = lettered(
        bundled(
            (link for edge in graph.edges if (link := artist.link(edge)) is not None), folded, artist.ends
        )
    )
    title = _title(graph)
    return Scene(tuple(cards), tuple(links), title, describe_graph(graph), notes=graph.meta.remarks)


def _title(graph: Graph) -> str:
    names = [one_line(graph.node(node).name, 60) for node, _ in graph.outputs if graph.node(node).name]
    return f"Autograd graph of {', '.join(names[:3])}" if names else "Autograd graph"


class Artist:
    """Makes the cards and links of one graph: what ``look`` asks for, as a film if it has a ``timeline``."""

    def __init__(self, graph: Graph, timeline: Timeline | None, look: Look) -> None:
        self.graph = graph
        self.look = look
        self.timeline = timeline
        self.nodes = graph.by_id()
        self.parts = arrivals(graph)
        self.odd = nonfinites(graph)
        self.derivatives = Derivatives(graph)
        self.mailbox = Mailbox(graph, timeline, self.parts, self.odd, self.derivatives)
        self.gradients = GradientRows(graph, self.derivatives, timeline, self.odd, look)

    def card(self, node: Node) -> Card:
        """The card of a node that has one."""
        if node.kind == "leaf":
            return self._leaf(node)
        if node.kind == "constant":
            return self._constant(node)
        return self._group(node) if node.kind == "group" else self._operation(node)

    # ---- cards ----------------------------------------------------------------------------

    def _leaf(self, node: Node) -> Card:
        name = title_run(self.graph, node, "paper", NAME_ROOM)
        rows = [
            Row((name,), (Run("leaf", "paper"),), fill="forward", height=25),
            *self._tensor(node, 0, "forward", height=21),
        ]
        mailbox = self.mailbox.rows(node) if self.look.shows("grad") else ()
        mailbox += self.mailbox.sign(node) if mailbox and self.look.shows("note") else ()
        lane = self._lane(rows, mailbox)
        number, _ = self.graph.step(self.graph.accumulator_of(node.id))
        when = number if self.timeline is not None else 0
        title = f"leaf {self.graph.title(node.id)}"
        return Card(node.id, "leaf", (*rows, *mailbox), lane=lane, title=title, runs_at=when)

    def _constant(self, node: Node) -> Card:
        name = title_run(self.graph, node, "ink", NAME_ROOM)
        kind = "cut" if node.cut is not None else "constant"
        mark: Literal["", "cut"] = "cut" if node.cut is not None else ""
        rows = [
            Row((name,), (Run(kind, "muted"),), fill="constant_fill", height=25, mark=mark),
            *self._tensor(node, 0, "muted", height=22),
        ]
        if node.cut is not None and self.look.shows("note"):
            rows.append(Row((Run(cut_text(node.cut), "muted", room=TEXT_ROOM),)))
        return Card(node.id, "constant", tuple(rows), title=f"{kind} {self.graph.title(node.id)}")

    def _operation(self, node: Node) -> Card:
        name = title_run(self.graph, node, "ink", NAME_ROOM)
        rows = [Row((name,), (Run(node.grad_fn, "muted", room=NAME_ROOM),), height=26)]
        if node.where is not None and self.look.shows("line"):
            rows.append(line_row(self.graph.source[node.where], node.expression, TEXT_ROOM))
        rows += self._values(node)
        rows += self._kept(node) if self.look.shows("saved") else []
        fused = (f"fused: {short(node.fused)}",) if node.fused is not None else ()
        notes = (*fused, *node.notes) if self.look.shows("note") else ()
        rows += _note_rows(node, notes, names=names_in(node.fused), keep_end=node.custom)
        gradient = self.gradients.rows(node)
        rows = self._numbered(rows, gradient, node)
        lane = self._lane(rows, gradient)
        title = f"{self.graph.title(node.id)} ({node.grad_fn})"
        return Card(
            node.id, "operation", (*rows, *gradient), lane=lane, title=title, runs_at=self._runs_at(node)
        )

    def _numbered(self, rows: list[Row], gradient: Sequence[Row], node: Node) -> list[Row]:
        """The number of the step on the title, where no row tells the gradient."""
        if gradient or self.look.only == "forward":
            return rows
        return [numbered(rows[0], self.graph, node, self.timeline), *rows[1:]]

    def _lane(self, rows: Sequence[Row], gradient: Sequence[Row]) -> float:
        """The height at which gradients meet a card: where it shows none, that of its last row."""
        if gradient or self.look.shows("grad") or self.look.only == "forward":
            return sum(row.height for row in gradient)
        return rows[-1].height if len(rows) > 1 else rows[-1].height / 2

    def _kept(self, node: Node) -> list[Row]:
        """A row for each saved tensor."""
        rows = [
            replace(self._saved(item, node.grad_fn), fact=f"{node.id}.saved")
            for item in node.saved[:SAVED_ROWS]
        ]
        if len(node.saved) > SAVED_ROWS:
            more = f"saved  … {len(node.saved) - SAVED_ROWS} more"
            rows.append(Row((Run(more, "saved"),), fill="saved_fill", mark="tab", detail="saved"))
        return rows

    def _runs_at(self, node: Node) -> int:
        return self.timeline.ran.get(node.id, 0) if self.timeline is not None else 0

    def _group(self, node: Node) -> Card:
        name = title_run(self.graph, node, "ink", NAME_ROOM + 60)
        rows = [Row(module_heads(node, name, NAME_ROOM), fill="constant_fill", height=26)]
        rows += _note_rows(node, node.notes, NOTE_ROOM)
        given = holds_constants(node)
        gradient = () if given else self.gradients.rows(node)
        rows += self._values(node)
        rows = self._numbered(rows, gradient, node)
        lane = self._lane(rows, gradient)
        title = f"{self.graph.title(node.id)}, folded"
        pile: Literal["group", "operation"] = "operation" if node.folded == 1 else "group"
        card = Card(node.id, pile, (*rows, *gradient), lane=lane, title=title, runs_at=self._runs_at(node))
        return replace(card, path=module_path(node))

    def _values(self, node: Node) -> list[Row]:
        rows = []
        for k, facts in enumerate(node.values[:OUTPUT_ROWS]):
            if facts is not None:
                rows += self._tensor(node, k, "forward", name=output_name(node, k))
        if rows and len(node.values) > OUTPUT_ROWS:
            rows.append(Row((Run(f"… {amount(len(node.values) - OUTPUT_ROWS, 'more output')}", "forward"),)))
        return rows

    def _tensor(
        self, node: Node, slot: int, role: Role, *, name: str = "", height: float = 20.0
    ) -> list[Row]:
        """A row with the value of a result, its shape, or both; none if neither is to be shown."""
        facts: TensorFacts | None = node.values[slot] if slot < len(node.values) else None
        odd, fact = self.odd.values.get((node.id, slot)), f"{node.id}.value.{slot}"
        value, shape = self.look.shows("value"), self.look.shows("shape")
        if self.look.only == "backward":
            return []
        if value:
            runs = tensor_runs(facts, role, name=name, shape=shape, odd=odd, apart=self.look.apart)
            return [Row(runs, height=height, fact=fact, detail="tensor")]
        if not shape or facts is None:
            return []
        extents = shape_text(facts.shape) or "scalar"
        run = within("", name, f" {extents}", role, NAME_ROOM) if name else Run(extents, role)
        return [Row((run,), height=height)]

    def _saved(self, item: Saved, grad_fn: str) -> Row:
        origin = self.nodes.get(item.of)
        nameless = origin is not None and origin.kind == "constant" and not origin.name
        size = f" {shape_text(item.facts.shape)}" if nameless and item.facts is not None else ""
        name = within("saved  ", saved_name(item, origin, grad_fn), size.rstrip(), "saved", SHORT_ROOM)
        if origin is not None and origin.kind in ("leaf", "constant") and origin.name:
            name = replace(name, keep_end=True)  # a path is told apart by its end
        state = _STATES.get(item.state, "")
        runs = (name, *((Run(state, "saved", bold=True),) if state else ()))
        mark: Literal["tab", "hatched"] = "hatched" if item.state == "freed" else "tab"
        return Row(runs, fill="saved_fill", mark=mark, detail="saved")

    # ---- links ----------------------------------------------------------------------------

    def ends(self, link: Link) -> str:
        """What a link joins."""
        a, b = self.nodes[link.src], self.nodes[link.dst]
        if link.flow == "backward":
            return f"{a.grad_fn or a.op} → {b.grad_fn or b.op}"
        return f"{a.op} → {b.op}"

    def link(self, edge: Edge) -> Link | None:
        """The arrow of an edge; none inside a card, or where only the other direction is shown."""
        src, dst = self.graph.card_of(edge.src), self.graph.card_of(edge.dst)
        if src == dst:
            return None  # leaf and accumulator share a card
        if self.look.only and (self.look.only == "forward") != (edge.kind == "forward"):
            return None
        if edge.kind == "forward":
            constant = self.nodes[src].kind == "constant" or holds_constants(self.nodes[src])
            flow: Literal["forward", "constant"] = "constant" if constant else "forward"
            plain = Link(f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}", src, dst, flow)
            return replace(plain, title=self.ends(plain))
        number, _ = self.graph.step(edge.src)
        rule, odd = short(edge.rule), self.odd.sent.get((edge.src, edge.slot[0]))
        formula = equation_of(self.graph, self.derivatives, edge) if self.look.math else ""
        text, room = (formula, EQUATION_ROOM) if formula else (rule, RULE_ROOM)
        visible = text and (self.look.shows("rule") or formula)
        runs: tuple[Run, ...] = (
            (Run(text, "backward", room=room, names=names_in(edge.rule), detail="rule"),) if visible else ()
        )
        if self.nodes[edge.src].custom:  # its own words end with the line of its backward()
            runs = tuple([replace(run, keep_end=True) for run in runs])
        runs = (*runs, *(self._summand(edge) if self.look.shows("grad") else ()), *_alarm(odd))
        if "hooked" in edge.marks:
            runs = (*runs, Run("  hook", "backward", bold=True))
        label = Label(runs, self.graph.number_in_whole(edge.src), fact=f"{edge.src}.sent.{edge.slot[0]}")
        ident = f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}-g"
        since = number if self.timeline is not None else 0
        emphasis: Emphasis = "alarm" if odd is not None else ""
        link = Link(ident, src, dst, "backward", label, True, ("g", "g"), emphasis=emphasis, since=since)
        return replace(link, title=f"{self.ends(link)}: {rule}")

    def _summand(self, edge: Edge) -> tuple[Run, ...]:
        """What an arrow brings to a sum: a reader adds up what the arrows say."""
        parts = self.parts.get((edge.dst, edge.slot[1]), ())
        part = next((part for part in parts if part.edge is edge), None)
        if len(parts) < 2 or part is None or not part.facts.first:
            return ()
        text = rounded(part.facts.first[0])
        sum_text = f" = {text}{'' if part.facts.numel == 1 else ' …'}"
        return (Run(sum_text, "backward", bold=True, detail="gradient"),)


def holds_constants(node: Node) -> bool:
    """Whether a folded card has nothing in it that could get a gradient."""
    inside = node.inside
    return node.kind == "group" and not node.folded and (inside is None or not inside.leaves)


def _note_rows(
    node: Node,
    notes: Sequence[str],
    room: float = TEXT_ROOM,
    names: tuple[str, ...] = (),
    *,
    keep_end: bool = False,
) -> list[Row]:
    runs = [Run(note, "muted", room=room, names=names, keep_end=keep_end) for note in notes]
    return [Row((run,), height=18, detail="remark", fact=f"{node.id}.note") for run in runs]


def _alarm(odd: NonFinite | None) -> tuple[Run, ...]:
    """Where a gradient that is not finite begins."""
    return (Run(f"  {odd.text()}", "error", bold=True),) if odd is not None and odd.begins else ()
