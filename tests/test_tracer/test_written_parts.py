"""What is written into a part of a tensor: which part, from the source, and what the tensor is called after it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import autograd_tour as tour
from autograd_tour.rules.wording import short

Program = Callable[[Tensor, Tensor], Tensor]


def written(program: Program) -> list[tuple[str, str]]:
    """Titles of what wrote into a part, each with the name of all of it."""
    w, x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.tensor(2.0, requires_grad=True)
    graph = tour.trace(lambda: program(w, x).sum())
    return [
        (node.op, node.expr) for node in graph.nodes if node.grad_fn in ("CopySlices", "IndexPutBackward0")
    ]


def twice(w: Tensor, x: Tensor) -> Tensor:
    a = w.clone()
    a[0] = x
    a[1] = x
    return a * w


def augmented(w: Tensor, x: Tensor) -> Tensor:
    a = w.clone()
    a[1:] *= x
    return a * w


def through_a_view(w: Tensor, x: Tensor) -> Tensor:
    a = w.clone()
    v = a[1:]
    v.mul_(x)
    return a * w


def without_a_name(w: Tensor, x: Tensor) -> Tensor:
    v = (w * 2)[1:]
    v[0] = x
    return v * x


def of_an_object(w: Tensor, x: Tensor) -> Tensor:
    thing = SimpleNamespace(out=w * 1)
    thing.out[0] = x
    thing.out[1:].add_(x)
    return thing.out * w


def made_empty(w: Tensor, x: Tensor) -> Tensor:
    out = torch.zeros(2)
    for i in range(2):
        out[i] = w[i] * x
    return out * out


def at_indices(w: Tensor, x: Tensor) -> Tensor:
    a = w.clone()
    a[torch.tensor([0, 2])] = x
    return a * w


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (twice, [("a[0] = x", "a (changed)"), ("a[1] = x", "a (changed 2 times)")]),
        (augmented, [("a[1:] *= x", "a (changed)"), ("a[1:] = a[1:]", "a (changed 2 times)")]),
        (through_a_view, [("v.mul_(x)", "a (changed)")]),
        (without_a_name, [("v[0] = x", "base of v")]),
        (of_an_object, [("thing.out[0] = x", "thing.out"), ("thing.out[1:].add_(x)", "thing.out (changed)")]),
        (made_empty, [("out[i] = w[i] * x", "out"), ("out[i] = w[i] * x", "out (changed)")]),
        (at_indices, [("a[torch.tensor([0, 2])] = x", "a (changed)")]),
    ],
)
def test_a_title_says_what_is_written_where(program: Program, expected: list[tuple[str, str]]) -> None:
    assert written(program) == expected


def test_a_rule_says_that_what_was_overwritten_gets_nothing() -> None:
    w, x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.tensor(2.0, requires_grad=True)

    def loss() -> Tensor:
        a = w.clone()
        a[1:] = x
        a[0].mul_(x)
        return a.sum()

    graph = tour.trace(loss)
    edges = [edge for edge in graph.select("gradient") if graph.node(edge.src).grad_fn == "CopySlices"]
    assert [short(edge.rule) for edge in edges] == [
        "0 where it was overwritten, × 1 elsewhere",
        "its part where it was written, Σ where it was repeated",
        "× 1 outside the view written to; inside, as the operation on the view says",
        "the part in the view, as the operation on the view says",
    ]
    gradients = torch.autograd.grad(loss(), (w, x))
    assert [g.tolist() for g in gradients] == [[2.0, 0.0, 0.0], 3.0]
