"""The program at a glance: a line for each call, and one arrow for what goes from one to another."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views.base import View
from autograd_tour.views.calls import by_calls
from autograd_tour.views.naming import module_heads, module_path, output_name, title_run
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Card, Link, Role, Row, Run, Scene, Shape
from autograd_tour.views.wording import describe_graph, elements

__all__ = ["view"]

ROOM = 190.0
"""Widest title, px."""
PATH_ROOM = 140.0
NAME_ROOM = 60.0
SIZE = 14.0
HEIGHT = 24.0
MINIMUM = 34.0
"""Least width of a card, px."""


class Outline(View):
    """A card of one line for each call, a module's with its path and class, its parameters inside.

    An arrow is dashed where no gradient comes back along it.
    """

    name = "outline"
    summary = "the program at a glance: a line for each call, an arrow for what goes where"

    def condensed(self, trace: Trace) -> Trace:
        """What one call made is one card, before anything else is folded."""
        return replace(trace, graph=by_calls(trace.graph))

    def picture(self, trace: Trace) -> Scene:
        """A card for each node, one arrow between two cards."""
        return _scene(trace.graph)


@collector_paused()
def _scene(graph: Graph) -> Scene:
    cards = tuple(_card(graph, node) for node in graph.nodes if graph.card_of(node.id) == node.id)
    links = []
    for (src, dst), gradient in _arrows(graph).items():
        flow: Literal["forward", "ungraded"] = "forward" if gradient else "ungraded"
        title = f"{graph.title(src)} → {graph.title(dst)}{'' if gradient else ': no gradient comes back'}"
        links.append(Link(f"{src}-{dst}", src, dst, flow, title=title))
    return Scene(
        cards, tuple(links), "Outline", describe_graph(graph), direction="TB", notes=graph.meta.remarks
    )


def _arrows(graph: Graph) -> dict[tuple[str, str], bool]:
    """(maker, user) -> whether a gradient came back that way, once for each two cards."""
    nodes = graph.by_id()
    cuts = ((node.cut.of, node.id) for node in graph.nodes if node.cut is not None)
    arrows = {(graph.card_of(of), node): False for of, node in cuts if of in nodes}
    for edge in graph.edges:
        if edge.kind == "forward":
            arrows.setdefault((graph.card_of(edge.src), graph.card_of(edge.dst)), False)
        elif edge.kind == "gradient":
            pair = graph.card_of(edge.dst), graph.card_of(edge.src)
            arrows[pair] = arrows.get(pair, False) or _flows(graph, edge)
    return {(src, dst): gradient for (src, dst), gradient in arrows.items() if src != dst}


def _flows(graph: Graph, edge: Edge) -> bool:
    """Whether a gradient went along ``edge``; where no backward was recorded, whether one would."""
    if not graph.passes:
        return True
    _, step = graph.step(edge.src)
    slot = edge.slot[0]
    return step is not None and (slot >= len(step.sent) or step.sent[slot] is not None)


def _card(graph: Graph, node: Node) -> Card:
    shape, fill, role = _look(node)
    mark: Literal["", "cut"] = "cut" if node.cut is not None else ""
    row = Row(_title(graph, node, role), _value(graph, node), fill=fill, height=HEIGHT, mark=mark)
    title, path = graph.title(node.id), module_path(node)
    return Card(node.id, shape, (row,), title=title, minimum=MINIMUM, path=path)


def _look(node: Node) -> tuple[Shape, Role | None, Role]:
    if node.kind == "leaf":
        return "leaf", "leaf_fill", "forward"
    if node.kind == "constant":
        return "constant", "constant_fill", "ink"
    # A pile is what was folded; what one call made is one thing.
    pile = node.kind == "group" and not node.expression and node.folded != 1
    return ("group" if pile else "operation"), None, "ink"


def _title(graph: Graph, node: Node, role: Role) -> tuple[Run, ...]:
    run = title_run(graph, node, role, ROOM, size=SIZE, bold=node.kind != "constant")
    return module_heads(node, replace(run, keep_end=False) if node.call else run, PATH_ROOM)


def _value(graph: Graph, node: Node) -> tuple[Run, ...]:
    """The value of a scalar, and what the program calls its result."""
    facts = node.value
    results = {slot for result, slot in graph.outputs if graph.card_of(result) == node.id}
    name = output_name(node, min(results)) if results and node.kind != "leaf" else ""
    value = elements(facts) if facts is not None and facts.numel == 1 and len(node.values) == 1 else ""
    runs = (Run(name, "forward", size=SIZE, room=NAME_ROOM),) if name else ()
    return (*runs, Run(f" = {value}" if name else value, "forward", size=SIZE)) if value else runs


view = Outline()
