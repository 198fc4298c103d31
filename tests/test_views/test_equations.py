"""Rules as equations of derivatives: by request on the arrows, in the page, and only where they are sure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import autograd_tour as tour
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import Settings, check_look
from autograd_tour.formats.page.details import Details
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.equations import equation_of
from autograd_tour.views.look import look_for
from autograd_tour.views.steps import frames


def leaf(*shape: int) -> Tensor:
    return torch.ones(shape, requires_grad=True)


def equations(graph: Graph) -> list[str]:
    derivatives = Derivatives(graph)
    return [text for edge in graph.select("gradient") if (text := equation_of(graph, derivatives, edge))]


def layer() -> Tensor:
    x, W = torch.ones(2, 3), leaf(3, 4)
    y = x @ W
    loss = y.sum()
    return loss  # noqa: RET504


def test_a_product_of_matrices_is_what_books_say() -> None:
    assert equations(tour.trace(layer)) == [
        "∂loss/∂W = xᵀ · ∂loss/∂y",
        "∂loss/∂y = ∂loss/∂loss, broadcast to (2, 4)",
    ]


def again() -> Tensor:
    x, w = leaf(3), torch.full((3,), 2.0)
    x = x * w
    x = x.exp()
    loss = x.sum()
    return loss  # noqa: RET504


def parts() -> Tensor:
    x = leaf(3)
    loss = (x * x).sum()
    return loss  # noqa: RET504


def alike() -> Tensor:
    a, b = leaf(3), leaf(3)
    loss = ((a * 2).exp().tanh() * (b * 3).exp().tanh()).sum()
    return loss  # noqa: RET504


def test_a_name_never_stands_for_two_tensors() -> None:
    told = equations(tour.trace(again))
    assert "∂loss/∂x = ∂loss/∂(x * w) ⊙ w" in told  # the second x has that name too
    assert not any("exp" in text and "⊙ x" in text for text in told)
    for text in equations(tour.trace(alike)):
        left, _, right = text.partition(" = ")
        assert left not in right, text


def test_one_of_several_parts_is_not_said_to_be_all() -> None:
    assert equations(tour.trace(parts))[:2] == ["∂loss/∂x = ∂loss/∂(x * x) ⊙ x + …"] * 2


def hooked() -> Tensor:
    x = leaf(3)
    y = x * 2
    y.register_hook(lambda g: -g)
    loss = y.sum()
    return loss  # noqa: RET504


@pytest.mark.parametrize(
    "graph",
    [
        lambda: tour.trace(lambda: leaf(3) * 3, gradient=torch.ones(3)),
        lambda: tour.trace(hooked),
        lambda: tour.trace(thermometer, backward=False),
        lambda: tour.trace(layer, keep=0),
    ],
)
def test_what_is_not_sure_has_no_equation(graph: Callable[[], Graph]) -> None:
    assert equations(graph()) == []


def labels(graph: Graph, **words: object) -> set[str]:
    scene = cards_scene(graph, look=look_for(**words))
    return {"".join(run.text for run in link.label.runs) for link in scene.links if link.flow == "backward"}


def test_arrows_have_equations_on_request_and_rules_where_there_is_none() -> None:
    graph = tour.trace(thermometer)
    assert "∂loss/∂w = Σ (∂loss/∂(w * t_u) ⊙ t_u) over 11 copies" in labels(graph, math=True)
    assert "× t_u, Σ over 11" in labels(graph)
    assert labels(tour.trace(hooked), math=True) == labels(tour.trace(hooked))
    assert not any("=" in text for text in labels(graph))


def test_the_page_tells_them_in_the_details() -> None:
    graph = tour.trace(layer)
    details = Details(graph, frames(graph))
    rows = [
        row for node in graph.nodes for row in details.card(node, ()).rows if row.label == "as an equation"
    ]
    assert [row.text for row in rows] == equations(graph)
    assert all(row.since > 0 for row in rows)


def test_a_view_without_rules_says_that_it_has_none() -> None:
    with pytest.raises(UsageError, match="cannot be chosen"):
        check_look(Settings(views=("outline",), look=look_for(math=True)))
