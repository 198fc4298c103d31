"""The record: plain, frozen, comparable."""

from __future__ import annotations

import copy
import pickle

import pytest

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Node, Step
from autograd_tour.record.ledger import POLICIES, Call, LeafAccount


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


def test_two_traces_of_one_program_are_equal(graph):
    assert tour.trace(thermometer) == graph
    assert tour.trace(thermometer, keep=2) != graph


def test_a_graph_can_be_hashed_copied_and_pickled(graph):
    assert hash(graph) == hash(tour.trace(thermometer))
    assert copy.deepcopy(graph) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph


@pytest.mark.parametrize("part", ["nodes", "edges", "passes", "style"])
def test_a_graph_cannot_be_changed(graph, part):
    with pytest.raises(AttributeError):
        setattr(graph, part, ())
    with pytest.raises(AttributeError):
        graph.nodes[0].op = "other"


def test_everything_repeated_is_a_tuple(graph):
    def lists(thing):
        if isinstance(thing, (list, dict, set)):
            return True
        parts = (
            thing
            if isinstance(thing, tuple)
            else [getattr(thing, f) for f in getattr(thing, "__struct_fields__", ())]
        )
        return any(map(lists, parts))

    assert not lists(graph)
    assert lists(Graph([1]))


def test_nodes_come_after_what_they_use(graph):
    places = {node.id: i for i, node in enumerate(graph.nodes)}
    assert all(places[edge.src] < places[edge.dst] for edge in graph.select("forward"))
    # Towards a leaf's own card the two ids may stand in either order.
    others = [e for e in graph.select("gradient") if graph.by_id()[e.dst].kind != "leaf"]
    assert all(places[edge.src] > places[edge.dst] for edge in others)
    assert [node.id for node in graph.nodes] == [f"n{i}" for i in range(len(graph.nodes))]


def test_edges_are_selected_by_kind_in_their_order(graph):
    edges = (Edge("a", "b", "forward"), Edge("b", "a", "gradient"), Edge("a", "b", "forward", (0, 1)))
    assert tuple(Graph(edges=edges).select("forward")) == edges[::2]
    assert list(Graph(edges=edges).select("saved")) == []
    assert len(list(graph.select("forward"))) + len(list(graph.select("gradient"))) == len(graph.edges)


def test_steps_are_those_of_the_last_backward_counted_from_one():
    first, last = BackwardPass((Step("a"),)), BackwardPass((Step("b"), Step("c")))
    assert list(Graph(passes=(first, last)).numbered_steps()) == [(1, Step("b")), (2, Step("c"))]
    assert list(Graph().numbered_steps()) == []


def test_a_node_knows_its_first_name_and_value():
    facts = TensorFacts((2,), "float32")
    node = Node("n0", "operation", names=("", "second"), values=(facts, None))
    assert node.name == "second"
    assert node.value is facts
    assert Node("n0", "leaf").name == ""
    assert Node("n0", "leaf").value is None


@pytest.mark.parametrize(("shape", "count"), [((), 1), ((3,), 3), ((2, 3), 6), ((2, 0, 3), 0)])
def test_a_tensor_knows_how_many_elements_it_has(shape, count):
    facts = TensorFacts(shape, "float32")
    assert facts.numel == count
    assert facts.has_values == (count == 0)
    assert TensorFacts(shape, "float32", first=(1.0,)).has_values


def test_an_account_has_calls_for_every_policy():
    account = LeafAccount("w", keep=(Call(),), zero_=(Call(), Call()), none=())
    assert [len(account.under(policy)) for policy in POLICIES] == [1, 2, 0]
