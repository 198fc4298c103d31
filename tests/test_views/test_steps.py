"""Frames of a backward pass: each tells one step truly, and the numbers beside a rule work out."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings

from autograd_tour import trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Symbol, Words, apply
from autograd_tour.rules.wording import short
from autograd_tour.views.fold import fold
from autograd_tour.views.steps import Timeline, frames
from autograd_tour.views.worked import operand_values, worked
from tests.examples import examples
from tests.programs import basics, hooks, models, operators
from tests.programs.randomly import programs
from tests.rule_reader import evaluate
from tests.test_views.test_contract import graphs

PROGRAMS = [
    basics.square_by_product, basics.broadcast, basics.fan_out, basics.lists, basics.not_finite,
    hooks.tensor_hook, hooks.custom_function, models.lstm, operators.gru, operators.random_activations,
]  # fmt: skip


def of(graph: Graph, name: str) -> str:
    return next(node.id for node in graph.nodes if name in node.names)


def test_the_thermometer_runs_in_seven_frames_with_its_arithmetic():
    graph = trace(thermometer)
    told = frames(graph)
    assert [frame.number for frame in told] == list(range(8))
    lines = [[sent.worked.text for sent in frame.sent if sent.worked] for frame in told]
    assert lines == [
        [], ["1 ÷ 11 = 0.09091"], ["0.09091 × 2(35.2) = 6.4"], ["6.4 × 1 = 6.4"],
        ["6.4 × 1 = 6.4", "6.4 + … + 8.618 = 82.6"], [], ["6.4 × 35.7 + … (11 terms) = 4517.3"], [],
    ]  # fmt: skip
    deposits = [frame.deposit for frame in told if frame.deposit is not None]
    assert [deposit.leaf for deposit in deposits] == [of(graph, "b"), of(graph, "w")]
    for deposit in deposits:
        assert deposit.before is None
        assert deposit.after == deposit.contribution


def test_a_graph_without_a_backward_has_one_frame():
    graph = trace(thermometer, keep=0)
    assert [frame.node for frame in frames(Graph(graph.nodes, graph.edges))] == [""]


def holds(graph: Graph) -> None:
    """What is true of the frames of every graph."""
    steps = dict(graph.numbered_steps())
    told = frames(graph)
    assert [frame.node for frame in told[1:]] == [step.node for step in steps.values()]
    when = Timeline(graph)
    nodes = graph.by_id()
    for frame in told[1:]:
        step = steps[frame.number]
        assert frame.received == step.received
        for sent in frame.sent:
            assert sent.facts == step.sent[sent.edge.slot[0]]
            # What is sent arrives later than it is sent, and then counts.
            assert when.ran[sent.edge.dst] > frame.number or nodes[sent.edge.dst].kind == "leaf"
            assert frame.number in when.arrivals(nodes[sent.edge.dst], sent.edge.slot[1])
        for slot, facts in enumerate(frame.received):
            if facts is not None:
                assert when.arrivals(nodes[frame.node], slot)[-1] <= frame.number


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_frames_follow_the_record(program):
    torch.manual_seed(0)
    graph = trace(program)
    holds(graph)
    holds(fold(graph, limit=6))


@given(graph=graphs())
@settings(max_examples=examples(60), deadline=None)
def test_a_folded_card_runs_after_all_that_send_to_it(graph):
    for limit in (3, 8):
        folded = fold(graph, limit=limit)
        ran = Timeline(folded).ran
        for edge in folded.select("gradient"):
            if edge.src in ran and edge.dst in ran:
                assert ran[edge.src] < ran[edge.dst]


def works_out(graph: Graph) -> int:
    """Every line of arithmetic is true of the recorded numbers; how many lines there are."""
    count = 0
    for frame in frames(graph):
        for sent in frame.sent:
            if sent.worked is None or sent.worked.terms:
                continue
            line, _, result = sent.worked.text.rpartition(" = ")
            first, sign, factor = re.fullmatch(r"(\S+) ([×÷]) (.*)", line).groups()
            incoming, value = (float(text.replace("−", "-")) for text in (first, result))
            if not math.isfinite(value):
                continue
            factor = evaluate(factor, {})
            told = incoming * float(factor) if sign == "×" else incoming / float(factor)
            # As printed: the two sides of the line agree, and the right one is what was recorded.
            assert math.isclose(told, value, rel_tol=3e-3, abs_tol=1e-30), sent.worked.text
            recorded = float(sent.facts.first[sent.worked.element])
            assert math.isclose(value, recorded, rel_tol=1e-3), (sent.worked.text, recorded)
            count += 1
    return count


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_arithmetic_works_out(program):
    torch.manual_seed(0)
    graph = trace(program)
    exact = {basics.not_finite, hooks.custom_function, operators.random_activations}
    assert works_out(graph) or program in exact  # of these no line can be given


def activations() -> torch.Tensor:
    x = torch.tensor([-0.7, 0.4, 1.3], requires_grad=True)
    y = torch.tensor([0.3, 0.9, 0.6], requires_grad=True)
    h = torch.sigmoid(x) * torch.tanh(y) + torch.exp(-x) / y - torch.nn.functional.silu(x)
    k = torch.sin(h) ** 3 + h.abs().sqrt() + torch.nn.functional.softplus(-h) + torch.nn.functional.gelu(x)
    return (k / 2 + torch.nn.functional.leaky_relu(h, 0.1) + x * (x - 3) + torch.maximum(x, y)).mean()


def test_the_arithmetic_of_activations_and_negative_numbers_works_out():
    assert works_out(trace(activations)) >= 15


@given(program=programs())
@settings(max_examples=examples(40), deadline=None)
def test_the_arithmetic_of_any_program_works_out(program):
    works_out(trace(program))


def test_a_rule_that_looks_at_more_than_one_element_is_not_worked_out():
    def soft() -> torch.Tensor:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        p = (w @ x).softmax(0)
        return (p.norm() * x.prod()).logsumexp(0)

    told = {short(sent.edge.rule): sent.worked for frame in frames(trace(soft)) for sent in frame.sent}
    for rule, line in told.items():
        if any(sign in rule for sign in ("@", "softmax", "⊗", "‖", "g")):
            assert not line, rule


def test_a_value_that_is_not_known_leaves_the_rule_as_it_is():
    graph = trace(thermometer)
    nodes = graph.by_id()
    edge = next(edge for edge in graph.edges if short(edge.rule) == "× 2(t_p − t_c)")
    step = next(step for _, step in graph.numbered_steps() if step.node == edge.src)
    known = operand_values(graph)[edge.src]
    assert worked(edge, nodes[edge.src], step.received, step.sent[0], known)
    assert worked(edge, nodes[edge.src], step.received, step.sent[0], {}) is None


X, Y, G = Symbol("input", 0, "x"), Symbol("input", 1, "y"), Symbol("gradient")


@pytest.mark.parametrize(
    ("rule", "known", "result", "line"),
    [
        (G * (2 * X), [-3.0], -12.0, "2 × 2(−3) = −12"),
        (G * X**2, [-3.0], 18.0, "2 × (−3)² = 18"),
        (G * (Y * (1 - Y)), [0.0, 0.3], 0.42, "2 × 0.3(1 − 0.3) = 0.42"),
        (G * (-X / Y**2), [1.0, 4.0], -0.125, "2 × −1/4² = −0.125"),
        (G * apply("exp", X), [0.0], 2.0, "2 × exp(0) = 2"),
        (G / 8, [], 0.25, "2 ÷ 8 = 0.25"),
        (G * X, [7.0], 15.0, ""),  # the two sides differ
        (G * X, [], 14.0, ""),  # not known
        (G * (X - Y), [1000.1, 1000.0], 0.2, "2 × (1000.1 − 1000) = 0.2"),  # four digits would not do
        (G * apply("softmax", X), [1.0], 2.0, ""),
        (Words("somehow"), [1.0], 2.0, ""),
    ],
)  # fmt: skip
def test_numbers_take_the_place_of_names(rule, known, result, line):
    def facts(value: float) -> TensorFacts:
        return TensorFacts((), "float32", first=(value,), last=value)

    edge, node = Edge("a", "b", "gradient", rule=rule), Node("a", "operation")
    values = {("input", slot): facts(value) for slot, value in enumerate(known)}
    told = worked(edge, node, (facts(2.0),), facts(result), values)
    assert (told.text if told is not None else "") == line


def test_the_element_that_is_worked_out_is_the_first_that_is_not_finite():
    def program() -> torch.Tensor:
        x = torch.tensor([1.0, 4.0, 0.0, 0.0], requires_grad=True)
        return x.sqrt().sum()

    lines = [
        sent.worked for frame in frames(trace(program)) for sent in frame.sent if sent.worked is not None
    ]
    (line,) = [line for line in lines if "√" in line.text]
    assert line.element == 2
    assert line.text == "1 × 1/(2√0) = inf"
