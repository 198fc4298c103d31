"""What a rule says is what torch does, also where an option or the data make it another rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import autograd_tour as tour
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Words
from autograd_tour.rules.mathematics import equation, latex
from autograd_tour.rules.wording import short


def leaf(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64).add_(0.5).requires_grad_()


def texts(program: Callable[[], Tensor], grad_fn: str) -> list[str]:
    """The rules on the edges of the node, slot by slot."""
    graph = tour.trace(program)
    nodes = graph.by_id()
    edges = [edge for edge in graph.select("gradient") if nodes[edge.src].grad_fn == grad_fn]
    assert edges, f"no {grad_fn}"
    return [short(edge.rule) for edge in sorted(edges, key=lambda edge: edge.slot)]


def node_of(program: Callable[[], Tensor], grad_fn: str) -> Node:
    (node,) = [node for node in tour.trace(program).nodes if node.grad_fn == grad_fn]
    return node


@pytest.mark.parametrize("power", [1, 2])
def test_a_margin_loss_divides_by_the_classes(power: int) -> None:
    def program() -> Tensor:
        return F.multi_margin_loss(x, torch.tensor([0]), p=power, reduction="sum")

    x = torch.tensor([[0.3, -0.2, 0.9]], requires_grad=True)
    (text,) = texts(program, "MultiMarginLossBackward0")
    program().backward()
    margins = [1 - 0.3 + -0.2, 1 - 0.3 + 0.9]
    slopes = [power * margin ** (power - 1) / 3 for margin in margins]
    assert x.grad is not None
    assert x.grad[0].tolist() == pytest.approx([-sum(slopes), *slopes])
    assert "slope ÷ the classes" in text
    assert "1" not in text


@pytest.mark.parametrize(
    ("upper", "unit", "matrix", "product"),
    [
        (True, False, "tril(Aᵀ)", "triu(−(s @ tᵀ))"),
        (False, False, "triu(Aᵀ)", "tril(−(s @ tᵀ))"),
        (True, True, "tril(Aᵀ; 1 on the diagonal)", "triu(−(s @ tᵀ), 1)"),
        (False, True, "triu(Aᵀ; 1 on the diagonal)", "tril(−(s @ tᵀ), −1)"),
    ],
)
def test_a_triangular_system_has_a_triangle(upper: bool, unit: bool, matrix: str, product: str) -> None:
    def program() -> Tensor:
        A, b = leaf(2, 2), leaf(2, 1)
        t = torch.linalg.solve_triangular(A, b, upper=upper, unitriangular=unit)
        return (t * 2).sum()

    to_matrix, to_side = texts(program, "LinalgSolveTriangularBackward0")
    assert to_side == f"solve({matrix}, g)"
    assert to_matrix == f"{product}, s = solve({matrix}, g)"
    edges = tour.trace(program).select("gradient")
    rules = [edge.rule for edge in edges if edge.rule is not None and "solve" in short(edge.rule)]
    for rule in rules:
        written = equation(rule, "A", "t")
        assert matrix.replace("; ", "; ") in written
        assert "1 on the diagonal" in latex(rule, "A", "t") or not unit


def test_a_triangle_says_where_it_begins() -> None:
    assert texts(lambda: leaf(3, 3).triu(1).sum(), "TriuBackward0") == ["× 1[upper triangle from diagonal 1]"]
    assert texts(lambda: leaf(3, 3).tril().sum(), "TrilBackward0") == ["× 1[lower triangle]"]


def test_heads_that_share_keys_are_summed_over() -> None:
    def program(heads: int) -> Callable[[], Tensor]:
        q, k, v = leaf(1, 4, 3, 8), leaf(1, heads, 3, 8), leaf(1, heads, 3, 8)
        return lambda: F.scaled_dot_product_attention(q, k, v, enable_gqa=heads != 4).sum()

    name = "ScaledDotProductFlashAttentionForCpuBackward0"
    _, to_keys, to_values = texts(program(2), name)
    assert "Σ over the heads" in to_keys
    assert "Σ over the heads" in to_values
    assert node_of(program(2), name).fused is None
    assert not any("heads" in text for text in texts(program(4), name))
    assert node_of(program(4), name).fused is not None


def test_its_own_gradient_counts_in_a_running_product() -> None:
    def program() -> Tensor:
        x = leaf(3)
        return x.cumprod(0).sum()

    (text,) = texts(program, "CumprodBackward0")
    assert text == "Σ g from here on · the product up to there, without its own, of x"


@pytest.mark.parametrize(
    ("grad_fn", "expected", "program"),
    [
        ("StackBackward0", "slice grad[0]", lambda g: torch.stack([g, g * 2])),
        ("CatBackward0", "slice grad[0:2]", lambda g: torch.cat([g, g * 2])),
        ("SplitBackward0", "cat of all grad", lambda g: torch.stack(g.split(1))),
        ("SliceScatterBackward0", "slice grad[1:]", lambda g: g.slice_scatter(g[1:] * 2, start=1)),
        ("SelectScatterBackward0", "slice grad[1]", lambda g: g.select_scatter(g[0] * 2, 0, 1)),
        ("CumprodBackward0", "Σ grad from here on · ", lambda g: g.cumprod(0)),
        ("CdistBackward0", "Σ grad·((g[None] − ", lambda g: torch.cdist(g[None], 2 * g[None])),
    ],
)
def test_no_rule_calls_the_gradient_as_the_program_calls_something(
    grad_fn: str, expected: str, program: Callable[[Tensor], Tensor]
) -> None:
    def named() -> Tensor:
        g = leaf(2)
        return program(g).sum()

    assert any(text.startswith(expected) for text in texts(named, grad_fn)), texts(named, grad_fn)


def test_words_never_say_g() -> None:
    from autograd_tour.rules.table import DEFINITIONS

    spoken = {
        item.text
        for entry in DEFINITIONS.values()
        for source in entry.slots
        for item in (source if isinstance(source, tuple) else (source,))
        if isinstance(item, Words)
    }
    assert len(spoken) > 20
    assert not [text for text in spoken if "g" in text.replace(",", " ").split() or "g₁" in text]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("ignore_index", "ignored"), [(2, True), (1, False), (-100, True), (-100, False)])
def test_an_ignored_target_gets_nothing(reduction: str, ignore_index: int, ignored: bool) -> None:
    def program() -> Tensor:
        x = leaf(2, 3)
        target = torch.tensor([0, ignore_index if ignored else 2])
        return F.nll_loss(x, target, ignore_index=ignore_index, reduction=reduction).sum()

    (text,) = texts(program, "NllLossBackward0")
    assert text.endswith("at the target, 0 where it is ignored" if ignored else "at the target")
    fused = node_of(program, "NllLossBackward0").fused
    if fused is not None:
        assert ("0 where ignored" in short(fused)) == ignored
        assert ("0 where ignored" in equation(fused, "x", "y")) == ignored


@pytest.mark.parametrize(
    ("grad_fn", "program", "usual", "exact"),
    [
        (
            "PowBackward1",
            lambda b, e: b**e,
            {"× e·b^(e − 1)", "× b^e·ln(b)"},
            {"× (0 if e = 0 else e·b^(e − 1))", "× (0 if b = 0 and e ≥ 0 else b^e·ln(b))"},
        ),
        (
            "Atan2Backward0",
            torch.atan2,
            {"× e/(b² + e²)", "× −b/(b² + e²)"},
            {"× (e/(b² + e²); 0 at 0)", "× (−b/(b² + e²); 0 at 0)"},
        ),
        (
            "BinaryCrossEntropyBackward0",
            lambda b, e: F.binary_cross_entropy(b.sin(), e.detach().clamp(0, 1), reduction="sum"),
            {"× (b.sin() − e.detach().clamp(0, 1))/(b.sin()·(1 − b.sin()))"},
            {"× (b.sin() − e.detach().clamp(0, 1))/clamp(b.sin()·(1 − b.sin()), 1e−12, 1)"},
        ),
    ],
)
def test_where_torch_has_a_rule_of_its_own_it_is_told(
    grad_fn: str, program: Callable[[Tensor, Tensor], Tensor], usual: set[str], exact: set[str]
) -> None:
    def with_numbers(*numbers: float) -> Callable[[], Tensor]:
        def run() -> Tensor:
            b, e = (torch.tensor(numbers, requires_grad=True) for _ in range(2))
            return program(b, e).sum()

        return run

    assert set(texts(with_numbers(0.5, 1.5), grad_fn)) == usual
    assert set(texts(with_numbers(0.0, 1.5), grad_fn)) == exact


def test_eigenvectors_that_are_not_returned_are_not_called_a_result() -> None:
    def program() -> Tensor:
        A = leaf(2, 2)
        return torch.linalg.eigvalsh(A).sum()

    (text,) = texts(program, "LinalgEighBackward0")
    assert text.startswith("eigenvectors @ ")
    assert text.endswith("@ eigenvectorsᵀ")
    assert "result" not in text
