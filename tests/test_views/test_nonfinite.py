"""Where NaN and Inf begin, and what the program put there itself."""

from __future__ import annotations

import math

import torch

from autograd_tour import Graph, trace
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.nonfinite import nonfinites
from autograd_tour.views.wording import elements


def masked_root() -> torch.Tensor:
    x = torch.tensor([0.0, 1.0, 4.0], requires_grad=True)
    chosen = torch.tensor([False, True, True])
    y = torch.where(chosen, x.sqrt(), torch.zeros(3))
    return y.sum()


def masked_scores() -> torch.Tensor:
    scores = torch.arange(9.0).reshape(3, 3).requires_grad_()
    mask = torch.tril(torch.ones(3, 3))
    hidden = scores.masked_fill(mask == 0, float("-inf"))
    return hidden.softmax(-1).pow(2).sum()


def added_mask() -> torch.Tensor:
    scores = torch.arange(4.0).reshape(2, 2).requires_grad_()
    bias = torch.tensor([[0.0, float("-inf")], [0.0, 0.0]])
    hidden = scores + bias
    return hidden.softmax(-1).pow(2).sum()


def logarithm() -> torch.Tensor:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    lower = torch.log(x)
    product = lower * x
    return product.sum()


def of(graph: Graph, op: str) -> str:
    return next(node.id for node in graph.nodes if op in (node.grad_fn, node.name))


def texts(graph: Graph, role: str) -> list[str]:
    scene = cards_scene(graph)
    runs = [run for card in scene.cards for row in card.rows for run in (*row.left, *row.right)]
    runs += [run for link in scene.links for run in link.label.runs]
    return [run.text.strip() for run in runs if run.role == role]


def test_a_nan_begins_where_what_came_in_was_finite() -> None:
    graph = trace(masked_root)
    odd = nonfinites(graph)
    root = of(graph, "SqrtBackward0")
    assert not odd.values
    assert odd.sent[root, 0].nan == 1
    assert odd.sent[root, 0].begins
    assert list(odd.sent) == [(root, 0)]
    assert [mark.nan for mark in odd.received.values()] == [1]
    assert not any(mark.begins for mark in odd.received.values())


def test_it_is_drawn_in_red_with_its_count_and_its_arrow_too() -> None:
    graph = trace(masked_root)
    assert texts(graph, "error") == ["1 of 3 is NaN", "1 of 3 is NaN, begins here"]
    assert [link.emphasis for link in cards_scene(graph).links if link.flow == "backward"].count("alarm") == 1


def test_an_infinity_of_a_mask_is_told_and_does_not_alarm() -> None:
    for program, place, count in ((masked_scores, "MaskedFillBackward0", 3), (added_mask, "AddBackward0", 1)):
        graph = trace(program)
        mark = nonfinites(graph).values[of(graph, place), 0]
        assert (mark.inf, mark.sign, mark.given, mark.begins) == (count, -1, True, False)
        assert not texts(graph, "error")
        assert any("−inf, as given" in text for text in texts(graph, "muted"))


def test_an_infinity_that_was_computed_alarms_and_what_becomes_of_it_does_too() -> None:
    graph = trace(logarithm)
    odd = nonfinites(graph)
    first = odd.values[of(graph, "LogBackward0"), 0]
    assert (first.inf, first.sign, first.given, first.begins) == (1, -1, False, True)
    product = odd.values[of(graph, "MulBackward0"), 0]
    assert (product.nan, product.begins) == (1, True)
    passed_on = odd.values[of(graph, "SumBackward0"), 0]
    assert (passed_on.nan, passed_on.begins) == (1, False)
    assert "NaN" in texts(graph, "error")
    assert "1 of 2 is −inf, begins here" in texts(graph, "error")


def test_counts_do_not_read_as_products() -> None:
    for text in texts(trace(logarithm), "error"):
        assert "×" not in text
        assert "✕" not in text


def test_a_tensor_with_one_nan_is_not_said_to_be_all_the_same() -> None:
    x = torch.tensor([1.0, math.nan, 3.0, 5.0, 3.0], requires_grad=True)
    (leaf,) = (node for node in trace(lambda: x.sum()).nodes if node.kind == "leaf")
    assert elements(leaf.value) == "1, nan … 3"
    y = torch.full((5,), math.nan, requires_grad=True)
    (leaf,) = (node for node in trace(lambda: y.sum()).nodes if node.kind == "leaf")
    assert elements(leaf.value) == "5 × nan"
