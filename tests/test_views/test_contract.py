"""Folding nodes into cards keeps what crosses their border, for any graph and any choice of parts."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from autograd_tour.record.facts import Stats, TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Group, Step
from autograd_tour.record.node import Node, Saved
from autograd_tour.record.rule import Words
from autograd_tour.views.contract import contract
from autograd_tour.views.homes import Title, operations_in
from autograd_tour.views.quotient import flow, is_topological, split_loops
from autograd_tour.views.totals import add
from tests.examples import examples


def fact(*numbers: float) -> TensorFacts:
    return TensorFacts((len(numbers),), "float32", first=numbers, last=numbers[-1])


@st.composite
def graphs(draw: st.DrawFn, most: int = 24) -> Graph:
    """A DAG of leaves with accumulators, constants and operations, with a recorded backward."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    tensors: list[tuple[str, str, str]] = []  # maker, where its gradient goes, kind
    sent: dict[str, list[TensorFacts | None]] = {}
    paths = ("", "", "a", "a.0", "a.1", "b", "b.0.c")
    for i in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(("leaf", "constant", "operation", "operation", "operation")))
        name = f"n{i}"
        if kind == "leaf":
            nodes += [Node(name, "leaf"), Node(f"a{i}", "accumulate", grad_fn="AccumulateGrad")]
            edges += [Edge(name, f"a{i}", "forward"), Edge(f"a{i}", name, "gradient")]
            sent[f"a{i}"] = []
            tensors.append((name, f"a{i}", kind))
            continue
        if kind == "constant":
            nodes.append(Node(name, "constant"))
            if tensors and draw(st.booleans()):  # a cut: computed, but no gradient goes back
                edges.append(Edge(draw(st.sampled_from(tensors))[0], name, "forward"))
            tensors.append((name, "", kind))
            continue
        inputs = draw(st.lists(st.sampled_from(tensors), max_size=3)) if tensors else []
        sent[name] = []
        for slot, (maker, back, _) in enumerate(inputs):
            edges.append(Edge(maker, name, "forward", (0, slot)))
            sent[name].append(fact(float(len(edges)), 0.5) if back else None)
            if back:
                edges.append(Edge(name, back, "gradient", (slot, 0), rule=Words(f"rule {len(edges)}")))
        grad_fn = draw(st.sampled_from(("Sin", "Mul", "Add")))
        group = draw(st.sampled_from(paths))
        nodes.append(Node(name, "operation", op=name, grad_fn=grad_fn, slots=len(inputs), group=group))
        tensors.append((name, name, kind))
    arriving: dict[str, list[TensorFacts | None]] = {}
    for edge in edges:
        if edge.kind == "gradient" and edge.dst in sent:
            arriving.setdefault(edge.dst, []).append(sent[edge.src][edge.slot[0]])
    order = [node.id for node in reversed(nodes) if node.id in sent]
    operations = [node.id for node in nodes if node.kind == "operation"]
    steps = tuple(
        Step(name, (add(arriving.get(name, [])),), tuple(sent[name]), after=add(arriving.get(name, [])))
        for name in order
    )
    return Graph(
        tuple(nodes),
        tuple(edges),
        tuple(Group(path, path.upper()) for path in paths if path),
        (BackwardPass(steps),),
        outputs=((operations[-1], 0),) if operations else (),
    )


@st.composite
def parted(draw: st.DrawFn) -> tuple[Graph, dict[str, str], dict[str, Title]]:
    graph = draw(graphs())
    ids = [node.id for node in graph.nodes if node.kind != "accumulate"]
    parts = {name: part for name in ids if (part := draw(st.sampled_from(("", "", "p", "q", "r"))))}
    return graph, parts, {part: Title(f"part {part}") for part in "pqr"}


def part_of(graph: Graph, parts: dict[str, str]) -> dict[str, str]:
    """Node -> its part or itself, accumulators with their leaves."""
    leaves = {e.src: e.dst for e in graph.edges if e.kind == "gradient" and e.src.startswith("a")}
    return {n.id: parts.get(leaves.get(n.id, n.id), n.id) for n in graph.nodes}


def what_is_not_folded_stays_and_every_part_is_one_card(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], folded: Graph
) -> None:
    home = part_of(graph, parts)
    assert len({node.id for node in folded.nodes}) == len(folded.nodes)
    alone = {node for node in graph.nodes if home[node.id] == node.id}
    assert {node for node in folded.nodes if node.kind != "group"} == alone
    assert Counter(n.op for n in folded.nodes if n.kind == "group") == Counter(
        f"part {p}" for p in set(parts.values())
    )
    assert sum(map(operations_in, folded.nodes)) == sum(n.kind == "operation" for n in graph.nodes)
    known = {node.id for node in folded.nodes}
    assert {e.src for e in folded.edges} | {e.dst for e in folded.edges} <= known
    assert {step.node for step in folded.passes[0].steps} <= known
    assert all(node in known for node, _ in folded.outputs)
    assert len(folded.outputs) == len(graph.outputs)


def every_tensor_that_crosses_a_border_is_one_edge(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], folded: Graph
) -> None:
    home = part_of(graph, parts)
    cards = {n.id: n.op.removeprefix("part ") if n.kind == "group" else n.id for n in folded.nodes}
    leaves = {e.src: e.dst for e in graph.edges if e.kind == "gradient" and e.src.startswith("a")}
    wanted = set()
    for e in graph.edges:
        a, b = home[e.src], home[e.dst]
        if a == b:
            continue
        made, used = (e.src, e.slot[1]) if e.kind == "forward" else (leaves.get(e.dst, e.dst), e.slot[0])
        wanted.add((e.kind, a, b, made, used if (b if e.kind == "forward" else a) not in "pqr" else "once"))
    assert Counter((kind, a, b) for kind, a, b, _, _ in wanted) == Counter(
        (e.kind, cards[e.src], cards[e.dst]) for e in folded.edges
    )
    assert len({(e.kind, e.src, e.dst, e.slot) for e in folded.edges if e.slot[1] >= 0}) == sum(
        e.slot[1] >= 0 for e in folded.edges
    )


def a_card_receives_and_sends_the_sums_over_what_crosses(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], folded: Graph
) -> None:
    home = part_of(graph, parts)
    steps = {step.node: step for step in graph.passes[0].steps}
    received: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for e in graph.select("gradient"):
        if home[e.src] != home[e.dst] and e.slot[0] < len(steps[e.src].sent):
            facts = steps[e.src].sent[e.slot[0]]
            if facts is not None:
                received[home[e.dst]] += facts.first[0]  # type: ignore[assignment]
                sent[home[e.src]] += facts.first[0]  # type: ignore[assignment]
    for node in folded.nodes:
        step = next((s for s in folded.passes[0].steps if s.node == node.id), None)
        if node.kind == "group" and step is not None:
            part = node.op.removeprefix("part ")
            assert len(step.received) == len(node.values)
            assert len(step.sent) == node.slots
            assert sum(f.first[0] for f in step.received if f) == pytest.approx(received[part])
            assert sum(f.first[0] for f in step.sent if f) == pytest.approx(sent[part])
        elif step is not None:
            assert step == steps[node.id], "what was not folded keeps its step, accumulators their totals"


def cards_are_in_topological_order_where_there_is_no_loop(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], folded: Graph
) -> None:
    pairs = flow(graph)
    split = split_loops([node.id for node in graph.nodes], pairs, parts)
    names = {node: f"{part}{number}" for node, (part, number) in split.items()}
    unlooped = contract(graph, names, {name: titles[name[0]] for name in names.values()})
    assert is_topological(
        [node.id for node in unlooped.nodes], [pair for pair in flow(unlooped) if pair[0] != pair[1]]
    )


def a_folded_graph_folds_again_to_the_same_totals(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], folded: Graph
) -> None:
    everything = {node.id: "all" for node in folded.nodes if node.kind != "accumulate"}
    twice = contract(folded, everything, {"all": Title("all")})
    at_once = contract(graph, dict.fromkeys(part_of(graph, {}), "all"), {"all": Title("all")})
    (card,), (direct,) = twice.nodes, at_once.nodes
    assert card.folded == direct.folded == sum(n.kind == "operation" for n in graph.nodes)
    assert dict(card.attributes).keys() == dict(direct.attributes).keys()
    assert dict(card.attributes).get("leaves") == dict(direct.attributes).get("leaves")
    assert twice.edges == ()


@given(parted())
@settings(max_examples=examples(200), deadline=None)
def test_what_holds_for_any_parts_of_any_graph(
    case: tuple[Graph, dict[str, str], dict[str, Title]],
) -> None:
    graph, parts, titles = case
    copy = replace(graph)
    folded = contract(graph, parts, titles)
    assert graph == copy
    for holds in (
        what_is_not_folded_stays_and_every_part_is_one_card,
        every_tensor_that_crosses_a_border_is_one_edge,
        a_card_receives_and_sends_the_sums_over_what_crosses,
        cards_are_in_topological_order_where_there_is_no_loop,
        a_folded_graph_folds_again_to_the_same_totals,
    ):
        holds(graph, parts, titles, folded)


def test_parts_that_make_a_loop_end_in_a_graph_all_the_same() -> None:
    nodes = tuple(Node(name, "operation") for name in "abc")
    edges = (Edge("a", "b", "forward"), Edge("b", "c", "forward"))
    folded = contract(Graph(nodes, edges), {"a": "p", "c": "p"}, {"p": Title("loop")})
    assert [node.op or node.id for node in folded.nodes] == ["loop", "b"]
    assert {(e.src, e.dst) for e in folded.edges} == {("f0", "b"), ("b", "f0")}


def test_a_card_tells_leaves_gradients_and_memory_inside() -> None:
    kept = Saved("self", TensorFacts((10,), "float64"), of="w")
    nodes = (
        Node("w", "leaf"),
        Node("wa", "accumulate"),
        Node("m", "operation", saved=(kept,)),
        Node("s", "operation", saved=(kept,)),
    )
    edges = (
        Edge("w", "m", "forward"),
        Edge("m", "s", "forward"),
        Edge("s", "m", "gradient"),
        Edge("m", "wa", "gradient"),
        Edge("wa", "w", "gradient"),
    )
    after = TensorFacts((2,), "float32", first=(3.0, 4.0), stats=Stats(norm=5.0))
    steps = (
        Step("s", (fact(1.0),), (fact(1.0),)),
        Step("m", (fact(1.0),), (fact(3.0),)),
        Step("wa", after=after),
    )
    graph = Graph(nodes, edges, passes=(BackwardPass(steps),), outputs=(("s", 0),))
    folded = contract(graph, dict.fromkeys(("w", "m", "s"), "p"), {"p": Title("all", notes=("said first",))})
    (card,) = folded.nodes
    assert card.notes == (
        "said first",
        "2 operations folded",
        "1 leaf tensor inside, ‖.grad‖ = 5",
        "saved for backward: 80 B",
    )
    again = contract(folded, {card.id: "p"}, {"p": Title("again")})
    assert again.nodes[0].notes == card.notes[1:]
    assert again.nodes[0].id != card.id


def test_sums_hold_for_what_numbers_cannot_say() -> None:
    assert add([]) is None
    assert add([None, fact(1.0, 2.0)]) == fact(1.0, 2.0)
    total = add([fact(1.0, math.inf), TensorFacts((2,), "float32", first=(1e-20, "-inf"), last="-inf")])
    assert total is not None
    assert total.first == (1.0, "nan")
    assert add([fact(1.0), fact(1.0, 2.0)]) is None, "tensors of two shapes have no sum"
    complex_sum = add(
        [TensorFacts((), "complex64", first=("(1+2j)",)), TensorFacts((), "complex64", first=("(1-2j)",))]
    )
    assert complex_sum is not None
    assert complex(str(complex_sum.first[0])) == 2
