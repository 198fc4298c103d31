"""Several nodes become one card, and what crosses its border stays true.

The border of a card is made of tensors: an output slot for each tensor made inside and used outside,
an input slot for each tensor made outside and used inside. The gradient of a tensor is the sum over
all edges that cross there, so a card receives and sends just what its members together do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Rule, Words
from autograd_tour.views.homes import Card, Homes, Tensor, Title, operations_in
from autograd_tour.views.particulars import parameter_notes, shapes_note
from autograd_tour.views.quotient import flow, topological
from autograd_tour.views.through import rule_through
from autograd_tour.views.totals import add, remarks, totals
from autograd_tour.views.units import Units

__all__ = ["contract"]


def contract(
    graph: Graph, parts: Mapping[str, str], titles: Mapping[str, Title], homes: Homes | None = None
) -> Graph:
    """A new graph in which the nodes with the same part are one card.

    ``parts`` maps the ids of the nodes to fold to a part, ``titles`` a part to its title. Nodes that
    are not in ``parts`` stay as they are. An accumulator goes where its leaf goes. The nodes of the
    result are in topological order, unless the parts make a loop. ``homes`` is told who went where.
    """
    contraction = _Contraction(graph, parts, titles)
    result = contraction.result()
    if homes is not None:
        cards = contraction.cards
        homes.bordered(cards.values())
        homes.moved(
            {node: card.id for node, card in contraction.homes.items()},
            {card.id: titles[part] for part, card in cards.items()},
        )
    return result


class _Contraction:
    def __init__(self, graph: Graph, parts: Mapping[str, str], titles: Mapping[str, Title]) -> None:
        self.graph = graph
        self.titles = titles
        self.nodes = graph.by_id()
        self._number = 0
        self.leaf_of, self.steps = graph.leaves, graph.steps
        leaf_of = self.leaf_of
        self.homes = homes = dict[str, Card]()
        self.cards = cards = dict[str, Card]()
        for node in graph.nodes:  # there may be a million: one look at each
            key = node.id
            part = parts.get(leaf_of.get(key, key))
            if not part:
                continue
            if part not in cards:
                cards[part] = Card(self._fresh(), titles[part])
            homes[key] = card = cards[part]
            card.members.append(node)
        self.hooked = [
            edge.src
            for edge in graph.edges
            if edge.marks and edge.kind == "gradient" and "hooked" in edge.marks
        ]
        home = homes.get
        self.crossing = [
            edge for edge in graph.edges if (start := home(edge.src)) is None or start is not home(edge.dst)
        ]
        self.consumers: dict[Tensor, int] = {}
        for edge in graph.select("gradient") if self.steps else ():
            if self.nodes[edge.dst].kind != "leaf" and edge.src in self.steps:
                tensor = (leaf_of.get(edge.dst, edge.dst), edge.slot[1])
                self.consumers[tensor] = self.consumers.get(tensor, 0) + 1

    def _fresh(self) -> str:
        """An id that no node has."""
        while f"f{self._number}" in self.nodes:
            self._number += 1
        self._number += 1
        return f"f{self._number - 1}"

    def card(self, node: str) -> Card | None:
        return self.homes.get(node)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each node in the order of the graph."""
        return {node.id: position for position, node in enumerate(self.graph.nodes)}

    @cached_property
    def units(self) -> Units:
        """The modules and calls of functions that the graph is made of."""
        return Units(self.graph)

    @cached_property
    def into(self) -> Mapping[str, Sequence[Edge]]:
        """Node -> the gradient edges that end there."""
        into: dict[str, list[Edge]] = {}
        for edge in self.graph.select("gradient"):
            into.setdefault(edge.dst, []).append(edge)
        return into

    def result(self) -> Graph:
        forward = self._forward()
        for result, slot in self.graph.outputs:
            card = self.card(result)
            if card is not None:
                card.outs.setdefault((self.graph.card_of(result), slot), len(card.outs))
        gradient = self._gradient()
        for card in self.cards.values():
            for node_id in card.title.results:
                if self.card(node_id) is card:
                    card.outs.setdefault((node_id, 0), len(card.outs))
        nodes: dict[str, Node] = {}
        card_of = self.homes.get
        for node in self.graph.nodes:
            card = card_of(node.id)
            if card is None:
                nodes[node.id] = self._kept(node)
            elif card.id not in nodes:
                nodes[card.id] = self._node(card)
        folded = replace(
            self.graph,
            nodes=tuple(nodes.values()),
            edges=(*forward, *gradient),
            passes=tuple(self._pass(run, gradient) for run in self.graph.passes[-1:]),
            outputs=tuple(self._output(*output) for output in self.graph.outputs),
        )
        return replace(folded, nodes=tuple(nodes[name] for name in _ordered(folded)))

    # ---- edges ----------------------------------------------------------------------------

    def _forward(self) -> list[Edge]:
        edges: dict[tuple[str, str, tuple[int, int]], Edge] = {}
        card_of = self.homes.get
        for edge in self.crossing:
            if edge.kind != "forward":
                continue
            a, b = card_of(edge.src), card_of(edge.dst)
            tensor = (edge.src, edge.slot[0])
            out = edge.slot[0] if a is None else a.outs.setdefault(tensor, len(a.outs))
            into = edge.slot[1]
            if b is not None:
                b.inputs.setdefault(tensor)
                differentiable = self.nodes[edge.src].kind != "constant"
                into = b.ins.setdefault(tensor, len(b.ins)) if differentiable else -1
            src, dst = a.id if a else edge.src, b.id if b else edge.dst
            edges.setdefault((src, dst, (out, into)), replace(edge, src=src, dst=dst, slot=(out, into)))
        return list(edges.values())

    def _gradient(self) -> list[Edge]:
        crossing: dict[tuple[str, str, tuple[int, int]], list[Edge]] = {}
        card_of = self.homes.get
        for edge in self.crossing:
            if edge.kind != "gradient":
                continue
            a, b = card_of(edge.src), card_of(edge.dst)
            tensor = (self.leaf_of.get(edge.dst, edge.dst), edge.slot[1])
            slot, out = edge.slot
            _, step = self.steps.get(edge.src, (0, None))
            sent = step.sent[slot] if step is not None and slot < len(step.sent) else None
            if a is not None:
                slot = a.ins.setdefault(tensor, len(a.ins))
            if b is not None:
                out = b.outs.setdefault(tensor, len(b.outs))
            if a is not None and step is not None:
                a.sent.setdefault(tensor, []).append(sent)
            if b is not None and step is not None:
                b.received.setdefault(tensor, []).append(sent)
            key = (a.id if a else edge.src, b.id if b else edge.dst, (slot, out))
            crossing.setdefault(key, []).append(edge)
        result = []
        for (src, dst, ends), edges in crossing.items():
            rule: Rule | None = Words(f"Σ of {len(edges)} gradients")
            if len(edges) == 1:
                rule = self._rule(edges[0])
            result.append(Edge(src, dst, "gradient", ends, rule, edges[0].marks))
        return result

    def _rule(self, edge: Edge) -> Rule | None:
        """A rule belongs to an operation; a module or function has one if there is one way through it."""
        card = self.card(edge.src)
        if card is None:
            return edge.rule
        if len(card.outs) == 1 and card.title.whole:
            return edge.whole
        if len(card.outs) != 1 or not card.title.units:
            return None
        return rule_through(edge, {node.id for node in card.members}, self.into)

    def _output(self, node: str, slot: int) -> tuple[str, int]:
        card = self.card(node)
        return (node, slot) if card is None else (card.id, card.outs[self.graph.card_of(node), slot])

    # ---- cards ----------------------------------------------------------------------------

    def _kept(self, node: Node) -> Node:
        """A node that is not folded; what it was cut from may be."""
        card = self.card(node.cut.of) if node.cut is not None else None
        return replace(node, cut=replace(node.cut, of=card.id)) if card is not None and node.cut else node

    def _node(self, card: Card) -> Node:
        title = card.title
        values: list[TensorFacts | None] = []
        names: list[str] = []
        for node_id, slot in card.outs:
            node = self.nodes[node_id]
            values.append(node.values[slot] if slot < len(node.values) else None)
            names.append(node.names[slot] if slot < len(node.names) else "")
        inside = totals(card.members, self._grad, self.hooked)
        operations = sum(map(operations_in, card.members))
        call = title.call or Node(card.id, "group")
        notes = self._particulars(card, values) if title.units else remarks(operations, inside)
        return Node(
            card.id,
            "group",
            op=title.op,
            expr=next((name for name in names if name), ""),
            brief=call.brief,
            expression=call.expression,
            where=call.where,
            scope=call.scope,
            call=call.call,
            grad_fn=title.op,
            slots=len(card.ins),
            values=tuple(values),
            names=tuple(names),
            group=title.group,
            notes=(*title.notes, *notes),
            folded=operations,
            inside=inside,
        )

    def _particulars(self, card: Card, values: Sequence[TensorFacts | None]) -> list[str]:
        """What the card of a module or a function says of it."""
        inputs = [(self.nodes[node], slot) for node, slot in card.inputs]
        inputs += [(node, 0) for node in card.members if self._is_given(node, card.title.units)]
        inputs.sort(key=lambda item: self.places[item[0].id])
        leaves_alone = all(node.kind == "leaf" for node, _ in inputs)
        into = [
            node.values[slot] if slot < len(node.values) else None
            for node, slot in inputs
            if node.kind != "leaf" or not node.group or leaves_alone  # another's parameter is no input
        ]
        inside = totals(card.members, self._grad, self.hooked)
        leaves = [node for node in card.members if node.kind == "leaf"]
        each = (
            parameter_notes(leaves, card.title.group, self._grad, self._rule_of_leaf)
            if inside.leaves == len(leaves)
            else []
        )
        operations = sum(map(operations_in, card.members))
        if each:
            inside = replace(inside, leaves=0)
        shapes = shapes_note(into, values)
        return [
            *filter(None, (shapes, *card.title.layer)),
            *each,
            *remarks(operations if operations > 1 else 0, inside, "parameter"),
        ]

    def _is_given(self, node: Node, units: Collection[str]) -> bool:
        """Whether a constant in the card of ``units`` was made elsewhere: indices, a batch without a name."""
        if node.kind != "constant" or node.cut is not None:
            return False
        return not set(units) & set(self.units.chain((node.group, node.scope)))

    def _rule_of_leaf(self, leaf: str) -> Rule | None:
        """What a card does to its gradient until it arrives at a leaf inside it."""
        arriving = self.into.get(self.graph.accumulator_of(leaf), ())
        return self._rule(arriving[0]) if len(arriving) == 1 else None

    def _grad(self, leaf: str) -> TensorFacts | None:
        """``.grad`` of a leaf after the recorded backward."""
        step = self.graph.step(self.graph.accumulator_of(leaf))[1]
        return step.after if step is not None else None

    # ---- the recorded backward ------------------------------------------------------------

    def _pass(self, run: BackwardPass, edges: Iterable[Edge]) -> BackwardPass:
        """A card runs where its first node ran, or later: when all that it waits for has run."""
        steps: dict[str, Step] = {}
        for step in run.steps:
            card = self.card(step.node)
            if card is None:
                steps[step.node] = step
            elif card.id not in steps:
                received = tuple(self._received(card, tensor) for tensor in card.outs)
                sent = tuple(add(card.sent.get(tensor, [])) for tensor in card.ins)
                steps[card.id] = Step(card.id, received, sent, number=step.number)
        order = topological(list(steps), [(edge.src, edge.dst) for edge in edges])
        return BackwardPass(tuple(steps[node] for node in order), run.count)

    def _received(self, card: Card, tensor: Tensor) -> TensorFacts | None:
        """All of what the tensor's maker received, if nothing of it came from inside the card."""
        crossing = card.received.get(tensor, [])
        node_id, slot = tensor
        step = self.graph.step(self.graph.accumulator_of(node_id) or node_id)[1]
        if step is not None and len(crossing) == self.consumers.get(tensor, 0) and slot < len(step.received):
            return step.received[slot]
        return add(crossing)


def _ordered(graph: Graph) -> list[str]:
    """The cards in topological order; an accumulator comes right after its leaf, as the tracer has it."""
    behind: dict[str, list[str]] = {}
    order: list[str] = []
    for node in graph.nodes:
        if leaf := graph.leaf_of(node.id):
            behind.setdefault(leaf, []).append(node.id)
        else:
            order.append(node.id)
    return [name for item in topological(order, flow(graph)) for name in (item, *behind.get(item, ()))]
