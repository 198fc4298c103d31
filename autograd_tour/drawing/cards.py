"""The main picture: cards with forward values, gradients, mailboxes, saved tensors, and local rules."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from autograd_tour.drawing.bundle import bundled
from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.pause import collector_paused
from autograd_tour.drawing.scene import Card, Label, Link, Row, Run, Scene
from autograd_tour.drawing.wording import (
    describe_graph,
    elements,
    shape_text,
    short,
    tensor_runs,
    tensor_text,
)
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph, Node, Saved, Step
from autograd_tour.text import cut_text, one_line
from autograd_tour.views.steps import Timeline

__all__ = ["cards_scene"]

NAME_ROOM = 170.0
"""Widest name of a card in px; a longer one ends in an ellipsis."""
TEXT_ROOM = 190.0
RULE_ROOM = 150.0
OUTPUT_ROWS = 3
SAVED_ROWS = 3


@collector_paused()
def cards_scene(
    graph: Graph, direction: Literal["LR", "TB"] = "LR", timeline: Timeline | None = None
) -> Scene:
    """Cards and links for a graph in the style ``cards``; a ``timeline`` makes it a film."""
    artist = _Artist(graph, timeline)
    cards = [artist.card(node) for node in graph.nodes if artist.card_of[node.id] == node.id]
    folded = {node.id for node in graph.nodes if node.kind == "group"}
    links = bundled((link for edge in graph.edges if (link := artist.link(edge)) is not None), folded)
    title = _title(graph)
    return Scene(tuple(cards), tuple(links), title, describe_graph(graph), direction, graph.meta.notes)


def _title(graph: Graph) -> str:
    nodes = graph.by_id()
    names = [one_line(nodes[node].name, 60) for node, _ in graph.outputs if nodes[node].name]
    return f"Autograd graph of {', '.join(names[:3])}" if names else "Autograd graph"


class _Artist:
    def __init__(self, graph: Graph, timeline: Timeline | None = None) -> None:
        self.graph = graph
        self.timeline = timeline
        self.nodes = graph.by_id()
        self.steps: dict[str, tuple[int, Step]] = {step.node: (n, step) for n, step in graph.numbered_steps()}
        # A leaf's card stands for its accumulator too.
        self.card_of = {node.id: node.id for node in graph.nodes}
        self.accumulator: dict[str, str] = {}
        for edge in graph.select("gradient"):
            if self.nodes[edge.dst].kind == "leaf" and self.nodes[edge.src].kind == "accumulate":
                self.card_of[edge.src] = edge.dst
                self.accumulator[edge.dst] = edge.src
        self.outputs = {node for node, _ in graph.outputs}

    def card(self, node: Node) -> Card:
        if node.kind == "leaf":
            return self._leaf(node)
        if node.kind == "constant":
            return self._constant(node)
        return self._group(node) if node.kind == "group" else self._operation(node)

    # ---- cards ----------------------------------------------------------------------------

    def _leaf(self, node: Node) -> Card:
        name = fit(node.name or "unnamed", NAME_ROOM, 14, bold=True)
        rows = [
            Row(
                (Run(name, "paper", bold=True, size=14),), (Run("leaf", "paper"),), fill="forward", height=25
            ),
            Row(tensor_runs(node.value, "forward"), height=21),
        ]
        number, step = self.steps.get(self.accumulator.get(node.id, ""), (0, None))
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
        cut = node.cut
        name = fit(node.name or ("detached" if cut else "unnamed"), NAME_ROOM, 14, bold=True)
        kind = "cut" if cut else "constant"
        rows = [
            Row(
                (Run(name, "ink", bold=True, size=14),),
                (Run(kind, "muted"),),
                fill="constant_fill",
                height=25,
                mark="cut" if cut else "",
            ),
            Row(tensor_runs(node.value, "muted"), height=22),
        ]
        if cut:
            rows.append(Row((Run(fit(cut_text(cut), TEXT_ROOM, 12), "muted"),)))
        return Card(node.id, "constant", tuple(rows), title=f"{kind} {node.name}")

    def _operation(self, node: Node) -> Card:
        name = fit(node.op or node.grad_fn, NAME_ROOM, 14, bold=True)
        rows = [
            Row(
                (Run(name, bold=True, size=14),), (Run(fit(node.grad_fn, NAME_ROOM, 12), "muted"),), height=26
            )
        ]
        if node.where is not None:
            line = self.graph.source[node.where]
            text = fit(line.text or line.file, TEXT_ROOM - 40, 12)
            rows.append(Row((Run(f"line {line.line}  ", "muted"), Run(text, "muted")), height=18))
        rows += self._values(node)
        rows += [replace(self._saved(item), fact=f"{node.id}.saved") for item in node.saved[:SAVED_ROWS]]
        if len(node.saved) > SAVED_ROWS:
            more = f"saved  … {len(node.saved) - SAVED_ROWS} more"
            rows.append(Row((Run(more, "saved"),), fill="saved_fill", mark="tab"))
        rows += [Row((Run(fit(note, TEXT_ROOM, 12), "muted"),), height=18) for note in node.notes]
        gradient = self._gradient(node)
        lane = sum(row.height for row in gradient)
        title = f"{node.op} ({node.grad_fn})"
        return Card(
            node.id, "operation", (*rows, *gradient), lane=lane, title=title, runs_at=self._runs_at(node)
        )

    def _runs_at(self, node: Node) -> int:
        return self.timeline.ran.get(node.id, 0) if self.timeline is not None else 0

    def _group(self, node: Node) -> Card:
        name = fit(node.op, NAME_ROOM + 60, 14, bold=True)
        path = (Run(fit(node.group, 110, 12), "muted"),) if node.group and node.group != node.op else ()
        rows = [Row((Run(name, bold=True, size=14),), path, fill="constant_fill", height=26)]
        rows += [Row((Run(fit(note, TEXT_ROOM + 40, 12), "muted"),), height=18) for note in node.notes]
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
                rows.append(Row(tensor_runs(facts, "forward", name=fit(lead, 90, 12))))
        if len(node.values) > OUTPUT_ROWS:
            rows.append(Row((Run(f"… {len(node.values) - OUTPUT_ROWS} more outputs", "forward"),)))
        return rows

    def _saved(self, item: Saved) -> Row:
        origin = self.nodes.get(item.of)
        name = (origin.expr or origin.name or origin.op) if origin is not None else ""
        if origin is not None and origin.kind == "constant" and not origin.name:
            name = ""  # its shape says more
        if item.name in ("result", "output", "result0", "out"):
            name = origin.name if origin is not None and origin.name else "the result"
        if not name and item.facts is not None and item.facts.numel == 1 and item.facts.first:
            name = f"{item.name} = {elements(item.facts)}"  # a plain number that torch wrapped as a tensor
        text = fit(name or item.name, 110, 12)
        if not name and item.facts is not None and item.facts.shape:
            text += f" {shape_text(item.facts.shape)}"
        state = _STATES.get(item.state, "")
        runs = (Run(f"saved  {text}", "saved"), *((Run(state, "saved", bold=True),) if state else ()))
        mark: Literal["tab", "hatched"] = "hatched" if item.state == "freed" else "tab"
        return Row(runs, fill="saved_fill", mark=mark)

    def _gradient(self, node: Node) -> list[Row]:
        if not self.graph.passes:
            return []
        found = self.steps.get(node.id)
        if found is None:
            return [
                Row(
                    (Run("grad  ", "backward"), Run("not reached", "muted")),
                    fill="accumulated_fill",
                    height=22,
                )
            ]
        received = found[1].received
        rows = []
        for k, facts in enumerate(received[:OUTPUT_ROWS]):
            name = node.names[k] if k < len(node.names) else ""
            lead = "grad in  " if len(received) == 1 else f"grad {fit(name, 90, 12) or f'[{k}]'}  "
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
            row = Row((Run(lead, "backward"), *runs), fill="accumulated_fill", height=22, fact=fact)
            rows.append(row if self.timeline is None else _timed(row, lead, node, k, self.timeline))
        if len(received) > OUTPUT_ROWS:
            more = f"grad  … {len(received) - OUTPUT_ROWS} more"
            rows.append(Row((Run(more, "backward"),), fill="accumulated_fill", height=22))
        return rows

    # ---- links ----------------------------------------------------------------------------

    def link(self, edge: Edge) -> Link | None:
        src, dst = self.card_of[edge.src], self.card_of[edge.dst]
        if src == dst:
            return None  # leaf and accumulator share a card
        a, b = self.nodes[src], self.nodes[dst]
        if edge.kind == "forward":
            flow: Literal["forward", "constant"] = "constant" if a.kind == "constant" else "forward"
            return Link(
                f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}", src, dst, flow, title=f"{a.op} → {b.op}"
            )
        number = self.steps.get(edge.src, (0, None))[0]
        rule = fit(edge.rule, RULE_ROOM, 12)
        runs: tuple[Run, ...] = (Run(rule, "backward"),) if rule else ()
        if "hooked" in edge.marks:
            runs = (*runs, Run("  hook", "backward", bold=True))
        label = Label(runs, number)
        name = f"{a.grad_fn or a.op} → {b.grad_fn or b.op}: {edge.rule}"
        ident = f"{src}-{dst}-{edge.slot[0]}-{edge.slot[1]}-g"
        since = number if self.timeline is not None else 0
        return Link(ident, src, dst, "backward", label, True, ("g", "g"), name, since=since)


_STATES = {
    "freed": "  freed",
    "modified": "  ✕ modified in place",
    "hooked": "  behind a hook",
    "recomputed": "  recomputed in backward",
}


def _timed(row: Row, lead: str, node: Node, slot: int, timeline: Timeline) -> Row:
    """A row with an incoming gradient as a film shows it: empty until the gradient is complete."""
    numbers = timeline.arrivals(node, slot)
    if not numbers:
        return row
    stages: list[tuple[int, tuple[Run, ...]]] = [(0, (Run(lead.rstrip(), "muted"),))]
    stages += [(n, (Run(lead, "backward"), Run(said, "muted"))) for n, said in timeline.partial(numbers)]
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
