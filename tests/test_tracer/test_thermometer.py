"""The first lesson's figures, as anyone can compute them with torch alone."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.rules.wording import short


def steps_by_name(graph):
    nodes = graph.by_id()
    return [nodes[step.node].grad_fn for _, step in graph.numbered_steps()]


def leaf_step(graph, name):
    """The accumulator's step of a leaf."""
    nodes = graph.by_id()
    (accumulator,) = [e.src for e in graph.select("gradient") if nodes[e.dst].name == name]
    (found,) = [step for _, step in graph.numbered_steps() if step.node == accumulator]
    return found


def test_loss_and_gradients_are_the_known_ones():
    graph = tour.trace(thermometer)
    (result,) = graph.outputs
    assert graph.by_id()[result[0]].value.first[0] == pytest.approx(1763.8848, rel=1e-6)
    assert leaf_step(graph, "w").after.first[0] == pytest.approx(4517.2969, rel=1e-6)
    assert leaf_step(graph, "b").after.first[0] == pytest.approx(82.6, rel=1e-6)


def test_one_params_tensor_gives_unbind_with_two_outputs():
    graph = tour.trace(thermometer_params)
    (unbind,) = [node for node in graph.nodes if node.grad_fn == "UnbindBackward0"]
    assert unbind.names == ("w", "b")
    assert [facts.first for facts in unbind.values] == [(1.0,), (0.0,)]
    assert leaf_step(graph, "params").after.first == pytest.approx((4517.2969, 82.6), rel=1e-6)


def test_steps_are_in_the_engines_order():
    assert steps_by_name(tour.trace(thermometer)) == [
        "MeanBackward0",
        "PowBackward0",
        "SubBackward0",
        "AddBackward0",
        "AccumulateGrad",
        "MulBackward0",
        "AccumulateGrad",
    ]


def test_names_labels_lines_and_saved_tensors_are_the_programs_own():
    graph = tour.trace(thermometer)
    nodes = {node.grad_fn: node for node in graph.nodes if node.kind == "operation"}
    assert nodes["MulBackward0"].op == "w * t_u"
    assert nodes["AddBackward0"].name == "t_p"
    assert nodes["PowBackward0"].op == "(t_p − t_c) ** 2"
    assert nodes["PowBackward0"].name == "squared_diffs"
    assert nodes["MeanBackward0"].name == "loss"
    line = graph.source[nodes["MulBackward0"].where]
    assert (line.file, line.text) == ("autograd_tour/lessons/thermometer.py", "return w * t_u + b")
    (saved,) = nodes["MulBackward0"].saved
    assert graph.by_id()[saved.of].name == "t_u"
    assert {n.name for n in graph.nodes if n.kind == "constant"} == {"t_u", "t_c"}


def test_rules_say_what_the_gradient_is_multiplied_by():
    graph = tour.trace(thermometer)
    nodes = graph.by_id()
    rules = {
        (nodes[e.src].grad_fn, e.slot[0]): short(e.rule)
        for e in graph.select("gradient")
        if nodes[e.src].kind == "operation"
    }
    assert rules == {
        ("MeanBackward0", 0): "÷ 11",
        ("PowBackward0", 0): "× 2(t_p − t_c)",
        ("SubBackward0", 0): "× 1",
        ("AddBackward0", 0): "× 1",
        ("AddBackward0", 1): "Σ over 11",
        ("MulBackward0", 0): "× t_u, Σ over 11",
    }


def test_accumulation_grows_without_zeroing_and_stays_with_it():
    ledger = tour.accumulate(thermometer, calls=4)
    w = {account.name: account for account in ledger.accounts}["w"]
    grown = [call.after.first[0] for call in w.keep]
    assert grown == pytest.approx([4517.3, 9034.6, 13551.9, 18069.2], rel=1e-5)
    for policy in ("zero_", "none"):
        assert [c.after.first[0] for c in w.under(policy)] == pytest.approx([4517.3] * 4, rel=1e-5)
    assert [c.before and c.before.first for c in w.zero_] == [None, (0.0,), (0.0,), (0.0,)]
    assert [c.before for c in w.none] == [None] * 4


def test_a_look_leaves_grad_as_found_and_backward_still_works():
    w = torch.tensor(2.0, requires_grad=True)
    w.grad = before = torch.tensor(7.0)
    kept = []

    def program():
        kept.append((w * w).sum())
        return kept[-1]

    graph = tour.trace(program)
    assert w.grad is before
    assert before.item() == 7.0
    assert leaf_step(graph, "w").before.first == (7.0,)
    assert leaf_step(graph, "w").after.first == (11.0,)
    kept[-1].backward()
    assert w.grad.item() == 11.0


def test_square_by_product_has_two_edges_into_one_accumulator():
    x = torch.tensor(3.0, requires_grad=True)
    graph = tour.trace(lambda: x * x + x)
    assert leaf_step(graph, "x").after.first == (7.0,)
    into = [e for e in graph.select("gradient") if graph.by_id()[e.dst].kind == "accumulate"]
    assert len(into) == 3
    assert len({e.dst for e in into}) == 1


def test_keep_0_reads_the_structure_alone():
    graph = tour.trace(thermometer, keep=0, backward=False)
    full = tour.trace(thermometer, backward=False)
    assert [node.grad_fn for node in graph.nodes] == [node.grad_fn for node in full.nodes]
    assert {(e.src, e.dst, e.slot) for e in graph.edges} == {(e.src, e.dst, e.slot) for e in full.edges}
    assert not any(facts.first for node in graph.nodes for facts in node.values if facts is not None)
