"""The main picture: cards with forward values, gradients, mailboxes, saved tensors, and local rules."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph, Node, Saved, Step
from autograd_tour.text import one_line
from autograd_tour.views.bundle import bundled
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene, within
from autograd_tour.views.steps import Timeline
from autograd_tour.views.wording import (
    describe_graph,
    elements,
    shape_text,
    short,
    tensor_runs,
    tensor_text,
)

__all__ = ["cards_scene"]

NAME_ROOM = 170.0
"""Widest name of a card in px; a longer one ends in an ellipsis."""
TEXT_ROOM = 190.0
RULE_ROOM = 150.0
SHORT_ROOM = 110.0
GRADIENT_ROOM = 90.0
OUTPUT_ROWS = 3
SAVED_ROWS = 3


@collector_paused()
def cards_scene(graph: Graph, timeline: Timeline | None = None) -> Scene:
    """Cards and links for a graph: all that was recorded; a ``timeline`` makes it a film."""
    artist = _Artist(graph, timeline)
    cards = [artist.card(node) for node in graph.nodes if graph.card_of(node.id) == node.id]
    folded = {node.id for node in graph.nodes if node.kind == "group"}
    links = bundled(
        (link for edge in graph.edges if (link := artist.link(edge)) is not None), folded, artist.ends
    )
    title = _title(graph)
    return Scene(tuple(cards), tuple(links), title, describe_graph(graph), notes=graph.meta.remarks)


def _title(graph: Graph) -> str:
    names = [one_line(graph.node(node).name, 60) for node, _ in graph.outputs if graph.node(node).name]
    return f"Autograd graph of {', '.join(names[:3])}" if names else "Autograd graph"


class _Artist:
    def __init__(self, graph: Graph, timeline: Timeline | None = None) -> None:
        self.graph = graph
        self.timeline = timeline
        self.nodes = graph.by_id()

    def card(self, node: Node) -> Card:
        if node.kind == "leaf":
            return self._leaf(node)
        if node.kind == "constant":
            return self._constant(node)
        return self._group(node) if node.kind == "group" else self._operation(node)

    # ---- cards ----------------------------------------------------------------------------

    def _leaf(self, node: Node) -> Card:
        name = Run(self.graph.title(node.id), "ink", True, 14, room=NAME_ROOM)
        rows = [
            Row((replace(name, role="paper"),), (Run("leaf", "paper"),), fill="forward", height=25),
            Row(tensor_runs(node.value, "forward"), height=21),
        ]
        number, step = self.graph.step(self.graph.accumulator_of(node.id))
        mailbox = Row(
            self._mailbox(step), fill="accumulated_fill", height=24, step=number, fact=f"{node.id}.mailbox"
        )
        when = number if self.timeline is not None else 0
        if self.timeline is not None and step is not None:
            mailbox = replace(mailbox, since=number, earlier=self._waiting_mailbox(step, self.timeline))
        return Card(node.id, "leaf", (*rows, mailbox), lane=24, title=f"leaf {node.name}", runs_at=when)

    def _waiting_mailbox(self, step: Step, timeline: Timeline) -> tuple[tuple[int, tuple[Run, ...]], ...]:
        """The mailbox before its accumulator ran: what is in it, and what has arrived at it."""
        holds = (Run(".grad  ", "backward"), Run(_content(step.before), "backward", bold=True))
        numbers = timeline.arrivals(self.nodes[step.node], 0)
        stages: list[tuple[int, tuple[Run, ...]]] = [(0, holds)]
        for number, said in timeline.partial(numbers):
            stages.append((number, (*holds, Run(f"  ← {said}", "backward"))))
        contribution = step.received[0] if step.received else None
        if numbers and numbers[-1] < timeline.ran[step.node]:
            stages.append((numbers[-1], (*holds, Run(f"  ← {_term(contribution)}", "backward"))))
        return tuple(stages)

    def _mailbox(self, step: Step | None) -> tuple[Run, ...]:
        lead = Run(".grad  ", "backward")
        if step is None:
            absent = "not reached" if self.graph.passes else "not recorded"
            return (lead, Run(absent, "muted"))
        contribution = step.received[0] if step.received else None
        sum_text = f"{_term(step.before)} + {_term(contribution)} = "
        return (lead, Run(sum_text, "backward"), Run(_content(step.after), "backward", bold=True))

    def _constant(self, node: Node) -> Card:
        cut = next((note for note in node.notes if note.startswith("cut")), "")
        name = Run(self.graph.title(node.id), "ink", True, 14, room=NAME_ROOM)
        kind = "cut" if cut else "constant"
        rows = [
            Row(
                (name,),
                (Run(kind, "muted"),),
                fill="constant_fill",
                height=25,
                mark="cut" if cut else "",
            ),
            Row(tensor_runs(node.value, "muted"), height=22),
        ]
        if cut:
            rows.append(Row((Run(cut.removeprefix("cut: "), "muted", room=TEXT_ROOM),)))
        return Card(node.id, "constant", tuple(rows), title=f"{kind} {node.name}")

    def _operation(self, node: Node) -> Card:
        name = Run(self.graph.title(node.id), "ink", True, 14, room=NAME_ROOM)
        rows = [Row((name,), (Run(node.grad_fn, "muted", room=NAME_ROOM),), height=26)]
        if node.where is not None:
            line = self.graph.source[node.where]
            code = Run(line.text or line.file, "muted", room=TEXT_ROOM - 40)
            rows.append(Row((Run(f"line {line.line}  ", "muted"), code), height=18))
        rows += self._values(node)
        rows += [replace(self._saved(item), fact=f"{node.id}.saved") for item in node.saved[:SAVED_ROWS]]
        if len(node.saved) > SAVED_ROWS:
            more = f"saved  … {len(node.saved) - SAVED_ROWS} more"
            rows.append(Row((Run(more, "saved"),), fill="saved_fill", mark="tab"))
        rows += [Row((Run(note, "muted", room=TEXT_ROOM),), height=18) for note in node.notes]
        gradient = self._gradient(node)
        lane = sum(row.height for row in gradient)
        title = f"{node.op} ({node.grad_fn})"
        return Card(
            node.id, "operation", (*rows, *gradient), lane=lane, title=title, runs_at=self._runs_at(node)
        )

    def _runs_at(self, node: Node) -> int:
        return self.timeline.ran.get(node.id, 0) if self.timeline is not None else 0

    def _group(self, node: Node) -> Card:
        name = Run(self.graph.title(node.id), "ink", True, 14, room=NAME_ROOM + 60)
        path = (Run(node.group, "muted", room=SHORT_ROOM),) if node.group and node.group != node.op else ()
        rows = [Row((name,), path, fill="constant_fill", height=26)]
        rows += [Row((Run(note, "muted", room=TEXT_ROOM + 40),), height=18) for note in node.notes]
        gradient = self._gradient(node)
        rows += self._values(node)
        lane = sum(row.height for row in gradient)
        title = f"{node.op}, folded"
        return Card(node.id, "group", (*rows, *gradient), lane=lane, title=title, runs_at=self._runs_at(node))

    def _values(self, node: Node) -> list[Row]:
        several = len(node.values) > 1
        rows = []
        for k, facts in enumerate(node.values[:OUTPUT_ROWS]):
            name = node.names[k] if k < len(node.names) else ""
            lead = name or (f"[{k}]" if several else "")
            if facts is not None:
                rows.append(Row(tensor_runs(facts, "forward", name=lead)))
        if len(node.values) > OUTPUT_ROWS:
            rows.append(Row((Run(f"… {len(node.values) - OUTPUT_ROWS} more outputs", "forward"),)))
        return rows

    def _saved(self, item: Saved) -> Row:
        origin = self.nodes.get(item.of)
        name = self.graph.result_name(origin.id, None) if origin is not None else ""
        if origin is not None and origin.kind == "constant" and not origin.name:
            name = ""  # its shape says more
        if item.name in ("result", "output", "result0", "out"):
            name = origin.name if origin is not None and origin.name else "the result"
        if not name and item.facts is not None and item.facts.numel == 1 and item.facts.first:
            name = f"{item.name} = {elements(item.facts)}"  # a plain number that torch wrapped as a tensor
        size = ""
        if not name and item.facts is not None and item.facts.shape:
            size = f" {shape_text(item.facts.shape)}"
        text = within("saved  ", name or item.name, size, "saved", SHORT_ROOM)
        state = {"freed": "  freed", "modified": "  ✕ modified in place", "hooked": "  behind a hook"}.get(
            item.state, ""
        )
        runs = (text, *((Run(state, "saved", bold=True),) if state else ()))
        mark: Literal["tab", "hatched"] = "hatched" if item.state == "freed" else "tab"
        return Row(runs, fill="saved_fill", mark=mark)

    def _gradient(self, node: Node) -> list[Row]:
        if not self.graph.passes:
            return []
        _, step = self.graph.step(node.id)
        if step is None:
            return [
                Row(
                    (Run("grad  ", "backward"), Run("not reached", "muted")),
                    fill="accumulated_fill",
                    height=22,
                )
            ]
        received = step.received
        rows = []
        for k, facts in enumerate(received[:OUTPUT_ROWS]):
            name = node.names[k] if k < len(node.names) else ""
            several = len(received) > 1
            lead = within("grad ", name or f"[{k}]" if several else "in", "  ", "backward", GRADIENT_ROOM)
            known = (
                facts is not None
                and bool(node.values)
                and node.values[min(k, len(node.values) - 1)] is not None
            )
            runs = (
                tensor_runs(facts, "backward", shape=not known)
                if facts is not None
                else (Run("none", "muted"),)
            )
            fact = f"{node.id}.grad.{k}"
            row = Row((lead, *runs), fill="accumulated_fill", height=22, fact=fact)
            rows.append(row if self.timeline is None else _timed(row, lead, node, k, self.timeline))
        if len(received) > OUTPUT_ROWS:
            more = f"grad  … {len(received) - OUTPUT_ROWS} more"
            rows.append(Row((Run(more, "backward"),), fill="accumulated_fill", height=22))
        return rows

    # ---- links ----------------------------------------------------------------------------

    def ends(self, link: Link) -> str:
        """What a link joins."""
        a, b = self.nodes[link.src], self.nodes[link.dst]
        if link.flow == "backward":
            return f"{a.grad_fn or a.op} → {b.grad_fn or b.op}"
        return f"{a.op} → {b.op}"

    def link(self, edge: Edge) -> Link | None:
        src, dst = self.graph.card_of(edge.src), self.graph.card_of(edge.dst)
        if src == dst:
            return None  # leaf and accumulator share a card
        if edge.kind == "forward":
            constant = self.nodes[src].kind == "constant"
            flow: Literal["forward", "constant"] = "constant" if constant else "forward"
            plain = Link(f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}", src, dst, flow)
            return replace(plain, title=self.ends(plain))
        number, _ = self.graph.step(edge.src)
        runs: tuple[Run, ...] = (Run(edge.rule, "backward", room=RULE_ROOM),) if edge.rule else ()
        if "hooked" in edge.marks:
            runs = (*runs, Run("  hook", "backward", bold=True))
        label = Label(runs, number)
        ident = f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}-g"
        since = number if self.timeline is not None else 0
        link = Link(ident, src, dst, "backward", label, True, ("g", "g"), since=since)
        return replace(link, title=f"{self.ends(link)}: {edge.rule}")


def _timed(row: Row, lead: Run, node: Node, slot: int, timeline: Timeline) -> Row:
    """A row with an incoming gradient as a film shows it: empty until the gradient is complete."""
    numbers = timeline.arrivals(node, slot)
    if not numbers:
        return row
    stages: list[tuple[int, tuple[Run, ...]]] = [(0, (replace(lead, text=lead.text.rstrip(), role="muted"),))]
    stages += [(n, (lead, Run(said, "muted"))) for n, said in timeline.partial(numbers)]
    return replace(row, since=numbers[-1], earlier=tuple(stages))


def _content(facts: TensorFacts | None) -> str:
    """A mailbox's content: ``None`` is an empty slot, a zero is a printed 0."""
    if facts is None:
        return "None"
    if not facts.has_values:
        return tensor_text(facts)
    return elements(facts) if facts.numel == 1 else f"[{elements(facts)}]"


def _term(facts: TensorFacts | None) -> str:
    """The same inside a sum: of more than two elements the first stands for all."""
    if facts is None or facts.numel <= 2 or not facts.first:
        return _content(facts)
    return f"[{short(facts.first[0])} …]"
