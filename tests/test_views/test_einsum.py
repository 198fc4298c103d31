"""An einsum is one card, with the rule of all of it, and can be opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import autograd_tour as tour
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.record.codec import dumps, loads
from autograd_tour.record.rule import Apply, Symbol
from autograd_tour.record.trace import Trace
from autograd_tour.rules.mathematics import equation
from autograd_tour.rules.wording import short
from autograd_tour.views.fold import fold
from autograd_tour.views.opening import with_open


def leaf(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=dtype, requires_grad=True)


def card_of(program: Callable[[], Tensor]) -> tuple[str, list[str]]:
    """The title of the only folded card, and its rules."""
    graph = fold(tour.trace(program))
    (card,) = (node for node in graph.nodes if node.kind == "group")
    return card.op, [short(edge.rule) for edge in graph.select("gradient") if edge.src == card.id]


def test_it_is_one_card_with_the_call_for_a_title() -> None:
    a, b = leaf(2, 3, 4), leaf(2, 4, 5)
    title, rules = card_of(lambda: torch.einsum("bij,bjk->bik", a, b).sum())
    assert title == 'torch.einsum("bij,bjk->bik", a, b)'
    assert rules == ['einsum("bik,bjk->bij", g, b)', 'einsum("bik,bij->bjk", g, a)']


FACTORS: dict[str, list[tuple[int, ...]]] = {
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "ij,kj": [(2, 3), (4, 3)],
    "i,j->ji": [(2,), (3,)],
    "i,i->": [(3,), (3,)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 2)],
    "bhqd,bhkd->bhqk": [(1, 2, 3, 4), (1, 2, 5, 4)],
}


@pytest.mark.parametrize("pattern", FACTORS)
def test_its_rule_is_what_torch_sends(pattern: str) -> None:
    factors = [leaf(*shape) for shape in FACTORS[pattern]]
    made = torch.einsum(pattern, *factors)
    g = torch.randn_like(made)
    graph = fold(tour.trace(lambda: (torch.einsum(pattern, *factors) * g).sum()))
    (card,) = (node.id for node in graph.nodes if node.kind == "group")
    sent = torch.autograd.grad(made, factors, g)
    rules = {graph.title(edge.dst): edge.rule for edge in graph.select("gradient") if edge.src == card}
    assert len(rules) == len(factors)
    for number, expected in enumerate(sent):
        text = short(rules[f"factors[{number}]"])
        names = {"einsum": torch.einsum, "__builtins__": {}, "grad": g, "factors": factors}
        assert torch.allclose(eval(text, names), expected), text


@pytest.mark.parametrize(
    ("pattern", "shapes", "text"),
    [
        ("ii->i", [(3, 3)], "Σ of g × what each element was multiplied with"),
        ("...j,jk->...k", [(2, 3, 4), (4, 5)], "Σ of g × what each element was multiplied with"),
        ("ij,jk->ik", [(2, 1), (3, 4)], "Σ of g × what each element was multiplied with"),
        ("ij,i->i", [(3, 4), (3,)], 'einsum("i,i->i", g, y), repeated along j'),
        ("ijk->i", [(2, 3, 4)], "g, repeated along j, k"),
    ],
)
def test_what_no_einsum_tells_is_told_in_words(pattern: str, shapes: Any, text: str) -> None:
    x, y = leaf(*shapes[0]), leaf(*shapes[-1])
    programs = {1: lambda: torch.einsum(pattern, x).sum(), 2: lambda: torch.einsum(pattern, x, y).sum()}
    graph = fold(tour.trace(programs[len(shapes)]))
    cards = [node.id for node in graph.nodes if node.kind == "group"]
    rules = [short(edge.rule) for edge in graph.select("gradient") if edge.src in cards]
    assert not cards or rules[0] == text
    assert cards or len(shapes) == 1


def test_a_complex_factor_is_conjugated_and_one_that_comes_twice_has_a_sum() -> None:
    z, w, x = leaf(2, 3, dtype=torch.complex128), leaf(3, 2, dtype=torch.complex128), leaf(2, 3)
    _, rules = card_of(lambda: torch.einsum("ij,jk->ik", z, w).abs().sum())
    assert set(rules) == {"Σ of g × the conjugate of what each element was multiplied with"}
    assert card_of(lambda: torch.einsum("ij,ij->i", x, x).sum())[1] == ["Σ of 2 gradients"]


def test_calls_inside_each_other_and_in_a_loop_are_a_card_each() -> None:
    a, b = leaf(3, 3), leaf(3, 3)

    def looped() -> Tensor:
        y = a
        for _ in range(3):
            y = torch.einsum("ij,jk->ik", y, b)
        return y.sum()

    def nested() -> Tensor:
        return torch.einsum("ij,jk->ik", torch.einsum("ij,jk->ik", a, b), b).sum()

    for program, count in ((looped, 3), (nested, 2)):
        graph = fold(tour.trace(program))
        assert [node.folded for node in graph.nodes if node.kind == "group"] == [12] * count


def test_it_opens_and_next_functions_are_shown_as_they_are() -> None:
    a, b = leaf(2, 3), leaf(3, 4)
    graph = tour.trace(lambda: torch.einsum("ij,jk->ik", a, b).sum())
    opened = with_open(graph, ['torch.einsum("ij,jk->ik", a, b)'])
    assert sum(node.grad_fn == "PermuteBackward0" for node in opened.graph.nodes) > 1
    assert len(opened.inside) >= 12
    pictures = dict(chosen_views(Trace(graph), Settings(views=("graph", "chain"))))
    cards = {name: len(picture.cards) for name, picture in pictures.items()}
    assert cards["graph"] == 4
    assert cards["chain"] > 12


def test_the_rule_of_the_whole_is_saved_and_has_an_equation() -> None:
    a, b = leaf(2, 3), leaf(3, 4)
    graph = tour.trace(lambda: torch.einsum("ij,jk->ik", a, b).sum())
    again = loads(dumps(graph))
    assert [edge.whole for edge in again.graph.edges] == [edge.whole for edge in graph.edges]
    rule = next(edge.whole for edge in graph.edges if edge.whole is not None)
    assert rule == Apply(
        "einsum", (Symbol("gradient"), Symbol("input", 1, "b")), (("equation", "ik,jk->ij"),)
    )
    assert equation(rule, "a", "y", "loss") == '∂loss/∂a = einsum("ik,jk->ij", ∂loss/∂y, b)'
