"""Rules read literally: what torch sends where a formula is no number, and words that are to be exact."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_wording import told

import autograd_tour as tour
from autograd_tour.rules.evaluate import evaluate
from autograd_tour.rules.wording import short

MATRIX = ("A", (3, 3))


@pytest.mark.parametrize(
    ("text", "grad_fn", "slot", "inputs", "attributes"),
    [
        ("× (0 if e = 0 else e·b^(e − 1))", "PowBackward1", 0, ["b", "e"], {}),
        ("× (0 if b = 0 and e ≥ 0 else b^e·ln(b))", "PowBackward1", 1, ["b", "e"], {}),
        ("× (0 if x = 0 and x ≥ 0 else x^x·ln(x))", "PowBackward1", 1, ["x", "x"], {}),
        ("× (0 if s ≥ 0 else 0^s·ln(0))", "PowBackward2", 0, ["s"], {"self": 0.0}),
        ("× 2^s·ln(2)", "PowBackward2", 0, ["s"], {"self": 2.0}),
        ("× ((x − mean(x))/(3y); 0 at 0)", "StdBackward0", 0, ["x"], {"result": "y"}),
        ("× (b/(a² + b²); 0 at 0)", "Atan2Backward0", 0, ["a", "b"], {}),
        ("× (−a/(a² + b²); 0 at 0)", "Atan2Backward0", 1, ["a", "b"], {}),
        ("Σ g·((a − b)/d; 0 at 0) over the pairs", "CdistBackward0", 0, ["a", "b"], {"p": 2.0, "result": "d"}),
        ("× (p − t)/max(p(1 − p), 1e−12)", "BinaryCrossEntropyBackward0", 0, ["p", "t"], {"reduction": 0}),
        ("Σ of g from here on · the product of x up to there without its own", "CumprodBackward0", 0, ["x"], {"dim": 0}),
        ("not handed on: a count has no slope", "LinalgVectorNormBackward0", 0, ["x"], {"ord": 0.0}),
        ("not handed on: a count has no slope", "DistBackward0", 1, ["a", "b"], {"p": 0.0}),
        ("× 1[upper triangle from diagonal 1]", "TriuBackward0", 0, [MATRIX], {"diagonal": 1}),
        ("× 1[lower triangle]", "TrilBackward0", 0, [MATRIX], {"diagonal": 0}),
        ("slice g[1:3]", "SliceScatterBackward0", 1, [("x", (5,)), ("y", (2,))], {"dim": 0, "start": 1, "end": 3, "step": 1, "result": ("", (5,))}),
    ],
)  # fmt: skip
def test_what_torch_sends_where_a_formula_is_no_number(text, grad_fn, slot, inputs, attributes) -> None:
    assert told(grad_fn, slot, *inputs, **attributes) == text


@pytest.mark.parametrize(
    ("text", "total", "attributes"),
    [
        ("× −1 at the target", 2.0, {"reduction": 2, "ignore_index": -100}),
        ("× −1 at the target, 0 where it is 2", 1.0, {"reduction": 2, "ignore_index": 2}),
        ("× −1 at the target, 0 where it is −100", 0.0, {"reduction": 0, "ignore_index": -100}),
        ("× −1/2 at the target", 2.0, {"reduction": 1, "ignore_index": 1}),
        ("× −1 at the target, 0 where it is −100", 1.0, {"reduction": 1, "ignore_index": -100}),
    ],
)
def test_an_ignored_target_is_told_where_there_may_be_one(text: str, total: float, attributes: Any) -> None:
    saved = {"target": "t"}
    assert told("NllLossBackward0", 0, ("x", (2, 3)), saved=saved, total_weight=total, **attributes) == text


@pytest.mark.parametrize("how", ["mean", "prod", "amax", "amin"])
def test_what_is_left_out_of_a_reduction_gets_nothing(how: str) -> None:
    def loss() -> torch.Tensor:
        x = torch.tensor([3.0, 4.0], requires_grad=True)
        return torch.scatter_reduce(x, 0, torch.tensor([0, 0]), torch.ones(2), how, include_self=False).sum()

    graph = tour.trace(loss)
    (edge,) = (e for e in graph.select("gradient") if graph.node(e.src).grad_fn == "ScatterReduceBackward0")
    assert short(edge.rule) == "0 at the indices"
    assert graph.steps[edge.src][1].sent[0].first == (0.0, 1.0)


def test_an_equal_that_was_left_out_counts_all_the_same() -> None:
    x, s = torch.tensor([5.0], requires_grad=True), torch.tensor([5.0, 1.0], requires_grad=True)
    torch.scatter_reduce(x, 0, torch.tensor([0, 0]), s, "amax", include_self=False).sum().backward()
    assert s.grad.tolist() == [0.5, 0.0]
    text = told(
        "ScatterReduceBackward0", 1, ("x", (1,)), ("s", (2,)), reduce="amax", dim=0, include_self=False
    )
    assert text == "to the maximum of those that met, shared on ties, what was left out counts"


def test_a_window_over_the_border_counts_padding_where_it_was_told_to() -> None:
    sizes = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}
    image = [("x", (1, 1, 5, 5))], {"result": ("", (1, 1, 3, 3))}
    counted = told("AvgPool2DBackward0", 0, *image[0], **image[1], **sizes, count_include_pad=True)
    assert counted == "÷ the elements in each window, padding counted"
    left_out = told("AvgPool2DBackward0", 0, *image[0], **image[1], **sizes, count_include_pad=False)
    assert left_out == "÷ the elements in each window"


def test_the_forward_of_a_loss_says_what_it_ignores() -> None:
    def loss() -> torch.Tensor:
        x = torch.tensor([[0.5, -1.5], [1.0, 3.0]], requires_grad=True)
        t = torch.tensor([0, 1])
        return F.nll_loss(x, t, ignore_index=1, reduction="sum") + F.nll_loss(x, t)

    notes = [short(node.fused) for node in tour.trace(loss).nodes if node.fused is not None]
    assert notes == ["Σ (−picked(x, t; 0 at 1))", "mean(−picked(x, t))"]


def test_a_triangular_system_is_that_of_its_triangle() -> None:
    given = {"result": ("x", (3, 1)), "left": True}
    text = told(
        "LinalgSolveTriangularBackward0", 1, MATRIX, ("b", (3, 1)), upper=False, unitriangular=False, **given
    )
    assert text == "solve(tril(A)ᵀ, g)"
    text = told(
        "LinalgSolveTriangularBackward0", 0, MATRIX, ("b", (3, 1)), upper=True, unitriangular=True, **given
    )
    assert text == "triu(−(s @ xᵀ), 1), s = solve(triu(A, 1)ᵀ, g, 1 on the diagonal)"


def test_grouped_heads_are_repeated_forward_and_summed_back() -> None:
    q, k, v = ("q", (1, 4, 3, 4)), ("k", (1, 2, 3, 4)), ("v", (1, 2, 3, 4))
    node = "ScaledDotProductFlashAttentionForCpuBackward0"
    texts = [told(node, slot, q, k, v, result=("y", (1, 4, 3, 4)), scale=1.0) for slot in range(3)]
    weights = "softmax(q @ repeat_interleave(k, 2)ᵀ)"
    assert texts[2] == f"{weights}ᵀ @, Σ over groups of 2 heads"
    where = f", u = g @ repeat_interleave(v, 2)ᵀ, P = {weights}"
    assert texts[1] == f"Σ over groups of 2 heads of (P·(u − Σ P·u))ᵀ @ q{where}"
    assert texts[0] == f"P·(u − Σ P·u) @ repeat_interleave(k, 2){where}"


def test_eigenvectors_are_called_so_where_the_program_has_them_not() -> None:
    text = told("LinalgEighBackward0", 0, MATRIX, result=["", ""])
    assert text.startswith("eigenvectors @ (diag(g) ")
    assert text.endswith(" @ eigenvectorsᵀ")


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 3.0])])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_words_of_a_margin_loss_are_its_gradient(p: int, weight: Any, reduction: str) -> None:
    x = torch.tensor([[0.3, -0.2, 0.9], [2.0, 1.0, 1.8]], requires_grad=True)
    t = torch.tensor([0, 0])
    F.multi_margin_loss(x, t, p=p, margin=0.5, weight=weight, reduction=reduction).backward()
    share = 6 if reduction == "mean" else 3
    w = "" if weight is None else "w[target]"
    factor = f"{w or 1}/{share}" if p == 1 else f"2{w}(0.5 − x[target] + x[c])/{share}"
    text = told(
        "MultiMarginLossBackward0",
        0,
        ("x", (2, 3)),
        p=p,
        margin=0.5,
        reduction=1 if reduction == "mean" else 2,
        saved={} if weight is None else {"weight": ""},
    )
    sides = "at other classes c where 0.5 − x[target] + x[c] > 0, minus their sum at the target"
    assert text == f"× {factor} {sides}"
    excess = 0.5 - x.detach()[:, :1] + x.detach()
    at_others = torch.where(excess > 0, torch.ones(2, 3) if p == 1 else 2 * excess, 0) / share
    at_others *= 1 if weight is None else weight[0]
    at_others[:, 0] = 0
    at_others[:, 0] = -at_others.sum(1)
    assert torch.allclose(x.grad, at_others)


def test_the_words_of_a_multilabel_margin_loss_are_its_gradient() -> None:
    x = torch.tensor([[0.3, -0.2, 0.9, 2.0]], requires_grad=True)
    F.multilabel_margin_loss(x, torch.tensor([[3, 0, -1, 1]]), reduction="sum").backward()
    text = told("MultilabelMarginLossBackward0", 0, ("x", (1, 4)), reduction=2)
    assert text == (
        "for each target t: × 1/4 at other classes c where 1 − x[t] + x[c] > 0, minus their sum at t"
    )
    expected = torch.zeros(4)
    for target in (3, 0):
        for other in (1, 2):
            if 1 - x[0, target] + x[0, other] > 0:
                expected[other] += 1 / 4
                expected[target] -= 1 / 4
    assert torch.equal(x.grad[0], expected)


@pytest.mark.parametrize(
    ("text", "grad_fn", "slot", "inputs", "attributes"),
    [
        ("slice grad[0:4]", "CatBackward0", 0, ["a", "b"], {"dim": 0, "result": ("", (8,))}),
        ("slice grad[:, 0]", "StackBackward0", 0, ["a", "b"], {"dim": 1, "result": ("", (4, 2))}),
        ("slice grad[1]", "SelectScatterBackward0", 1, ["a", ("b", ())], {"dim": 0, "index": 1, "result": ("", (4,))}),
        ("cat of all grad", "SplitBackward0", 0, ["a"], {"dim": 0}),
        ("stack of all grad", "UnbindBackward0", 0, ["a"], {"dim": 0}),
        ("slice grad[0:1, 0:4]", "BlockDiagBackward0", 0, ["a"], {}),
        ("Σ grad·((a − b)/y; 0 at 0) over the pairs", "CdistBackward0", 0, ["a", "b"], {"p": 2.0, "result": "y"}),
        ("Σ grad·sign(b − a) over the pairs", "CdistBackward0", 1, ["a", "b"], {"p": 1.0}),
        ("Σ of grad from here on · the product of x up to there without its own", "CumprodBackward0", 0, ["x"], {"dim": 0}),
        ("grad · the row used", "EmbeddingBagBackward0", 1, ["x", "w"], {}),
        ("solved with Rᵀ, from grad of Q and R", "LinalgQrBackward0", 0, [MATRIX], {}),
        ("the convolution of grad with the weight, and of the input with grad₁", "ConvolutionBackwardBackward0", 0, ["a", "b", "c"], {}),
    ],
)  # fmt: skip
def test_no_rule_calls_the_gradient_g_where_the_program_has_a_g(
    text, grad_fn, slot, inputs, attributes
) -> None:
    assert told(grad_fn, slot, *inputs, taken=frozenset("g"), **attributes) == text
    assert "grad" not in told(grad_fn, slot, *inputs, **attributes).replace("gradient", "")


def test_two_gradients_are_told_apart_where_the_program_has_a_g() -> None:
    text = told("LinalgEighBackward0", 0, MATRIX, result=["", "V"], taken=frozenset("g"))
    assert "diag(grad)" in text
    assert "@ grad₁" in text


def test_a_solution_gives_way_to_a_name_of_the_program() -> None:
    def loss() -> torch.Tensor:
        s = torch.tensor([[2.0, 0.5], [0.5, 3.0]], requires_grad=True)
        return torch.linalg.solve(s, torch.ones(2, 1)).sum()

    texts = [short(edge.rule) for edge in tour.trace(loss).select("gradient")]
    assert any("s′ = solve(sᵀ, g)" in text for text in texts)


def fused_notes(loss: Any) -> list[str]:
    return [short(node.fused) for node in tour.trace(loss).nodes if node.fused is not None]


def test_a_constant_weight_or_shift_stands_where_it_was_given() -> None:
    def loss() -> torch.Tensor:
        x = torch.tensor([[[1.0, 2.0, 5.0]]], requires_grad=True)
        w, b, k = torch.tensor([3.0]), torch.tensor([4.0]), torch.ones(3)
        y = F.layer_norm(x, (3,), weight=k), F.layer_norm(x, (3,), bias=k), F.group_norm(x, 1, w, b)
        z = (
            F.batch_norm(x, None, None, bias=b, training=True),
            torch.lerp(b, x, b),
            F.instance_norm(x, weight=w),
        )
        return sum(item.sum() for item in (*y, *z))  # type: ignore[return-value]

    where = ", x̂ = (x − mean(x))/√(var + ε)"
    notes = ["x̂·k", "x̂ + k", "x̂·w + b", "x̂ + b"]
    assert fused_notes(loss) == [f"{note}{where}" for note in notes] + ["b + b(x − b)"]


def test_words_about_pairs_and_limits_say_which_norm() -> None:
    assert told("PdistBackward0", 0, "x", p=2.0) == "Σ over the pairs of rows, along their difference"
    assert (
        told("PdistBackward0", 0, "x", p=1.0) == "Σ over the pairs of rows, by the 1-norm of their difference"
    )
    assert told("PdistBackward0", 0, "x", p=0.0) == "× 0"
    assert "the part along the slice" in told("RenormBackward0", 0, "x", p=2.0)
    assert "a part by the slope of its 1-norm" in told("RenormBackward0", 0, "x", p=1.0)


def test_a_triangular_solve_of_old_says_which_triangle() -> None:
    node, operands = "TriangularSolveBackward0", (("b", (3, 1)), MATRIX)
    flags: Any = {"upper": True, "transpose": False, "unitriangular": True}
    assert told(node, 0, *operands, **flags) == "solved with the upper triangle of A, transposed"
    assert told(node, 1, *operands, **flags).endswith("on that triangle, without the diagonal")
    assert told(node, 0, *operands, **flags | {"transpose": True}) == "solved with the upper triangle of A"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("U·diag(g)·Vᵀ", lambda a: torch.linalg.svdvals(a).sum()),
        ("eigenvectors @ diag(g) @ eigenvectorsᵀ", lambda a: torch.linalg.eigvalsh(a).sum()),
        ("V⁻ᴴ·diag(g)·Vᴴ", lambda a: torch.linalg.eigvals(a).real.sum()),
        ("to the minimum, shared on ties", lambda a: a.aminmax().min * 2),
        ("to the maximum, shared on ties", lambda a: a.aminmax().max * 2),
        ("× (torch.fft.rfft(a)/torch.fft.rfft(a).abs(); 0 at 0)", lambda a: torch.fft.rfft(a).abs().sum()),
    ],
)
def test_an_output_that_nothing_was_made_of_is_in_no_rule(text: str, result: Any) -> None:
    def loss() -> torch.Tensor:
        return result(torch.tensor([[2.0, 1.0], [1.0, 4.0]], requires_grad=True))

    texts = [short(edge.rule) for edge in tour.trace(loss).select("gradient") if edge.rule]
    assert text in texts, texts


def test_a_dropout_multiplies_by_its_scaled_mask() -> None:
    def loss() -> torch.Tensor:
        return F.dropout(torch.ones(6, requires_grad=True), 0.5).sum()

    texts = [short(edge.rule) for edge in tour.trace(loss).select("gradient") if edge.rule]
    assert "× (scaled mask)" in texts


def test_of_eigenvectors_alone_the_term_of_the_eigenvalues_is_left_out() -> None:
    matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    graph = tour.trace(lambda: torch.linalg.eigh(matrix)[1].abs().sum())
    (node,) = (node for node in graph.nodes if node.grad_fn == "LinalgEighBackward0")
    (edge,) = (edge for edge in graph.select("gradient") if edge.src == node.id)
    assert edge.rule is not None
    assert "diag(" not in str(edge.rule)
    assert "as_diagonal" not in str(edge.rule)
    assert "inverse_gaps" in str(edge.rule)


@pytest.mark.parametrize(
    ("kind", "program"),
    [
        ("LogitBackward0", lambda x: torch.logit(x, eps=0.2)),
        ("EluBackward1", lambda x: F.elu_(x * 1, 0.7)),
    ],
)
def test_a_rule_says_what_becomes_of_nan(kind: str, program: Any) -> None:
    x = torch.tensor([torch.nan, 0.1, 0.5], dtype=torch.float64, requires_grad=True)
    result = program(x)
    assert result.grad_fn.name() == kind
    (sent,) = torch.autograd.grad(result.sum(), x)
    graph = tour.trace(lambda: program(x).sum())
    (edge,) = (e for e in graph.select("gradient") if graph.node(e.src).grad_fn == kind)
    values = {"input": x.tolist(), "result": result.tolist(), "gradient": [1.0] * 3}
    assert edge.rule is not None
    for i, slope in enumerate(sent.tolist()):
        value = evaluate(edge.rule, lambda symbol, i=i: values[symbol.role][i])
        assert value == pytest.approx(slope, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("taken at the indices, Σ where it was broadcast", lambda s: torch.zeros(3, 4).index_put((torch.tensor([0, 1]),), s)),
        ("crop the padding, 0 where it was cut off", lambda s: F.pad(s, (-1, 2))),
        ("crop the padding", lambda s: F.pad(s, (1, 2))),
        ("× 1[s ≥ z or z is NaN]", lambda s: (lambda z: torch.fmax(s, z))(torch.tensor([math.nan, 1.0, 2.0, 3.0]))),
    ],
)  # fmt: skip
def test_what_a_strict_reader_missed(text: str, result: Any) -> None:
    s = torch.arange(4.0, requires_grad=True)
    texts = [short(edge.rule) for edge in tour.trace(lambda: result(s).sum()).select("gradient") if edge.rule]
    assert text in texts, texts


def test_rows_of_bags_are_divided_by_how_often_they_are() -> None:
    w, i = torch.ones(4, 2, requires_grad=True), torch.tensor([0, 1, 1])

    def loss() -> torch.Tensor:
        return F.embedding_bag(i, w, torch.tensor([0, 1]), mode="sum", scale_grad_by_freq=True).sum()

    texts = [short(edge.rule) for edge in tour.trace(loss).select("gradient") if edge.rule]
    assert "added to the rows used, ÷ how often each is, as the bags were reduced" in texts


def test_the_larger_of_two_beside_a_nan_gets_what_torch_sends() -> None:
    a = torch.tensor([1.0, 2.0, math.nan, 3.0], requires_grad=True)
    b = torch.tensor([2.0, 2.0, 1.0, 1.0])
    (sent,) = torch.autograd.grad(torch.maximum(a, b).sum(), a)
    graph = tour.trace(lambda: torch.maximum(a, b).sum())
    (edge,) = (e for e in graph.select("gradient") if graph.node(e.src).grad_fn == "MaximumBackward0")
    assert short(edge.rule) == "× (0 if a < b, ½ if a = b, else 1)"
    numbers = zip(a.tolist(), b.tolist(), strict=True)
    mine = [
        evaluate(edge.rule, lambda s, at=at: 1.0 if s.role == "gradient" else at[s.slot]) for at in numbers
    ]
    assert mine == sent.tolist() == [0.0, 0.5, 1.0, 1.0]


def test_two_inputs_with_one_label_are_called_as_torch_calls_them() -> None:
    x = torch.tensor([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    graph = tour.trace(lambda: F.triplet_margin_loss(x[:1], x[1:2], x[2:], swap=True))
    rules = [
        short(edge.rule)
        for edge in graph.select("gradient")
        if graph.node(edge.src).grad_fn == "MinimumBackward0"
    ]
    mine, other = "self of minimum", "other of minimum"
    assert rules == [f"× (0 if {a} > {b}, ½ if {a} = {b}, else 1)" for a, b in ((mine, other), (other, mine))]


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("transposed conv with w, stride 2, 2 groups", lambda x, w: F.conv1d(x, w, stride=2, padding=1, groups=2)),
        ("correlate with x, in steps of 2, 2 groups", lambda x, w: F.conv1d(x, w, dilation=2, groups=2)),
        ("correlate with x, g dilated by 3, 2 groups", lambda x, w: F.conv1d(x, w, stride=3, groups=2)),
        ("conv with w, stride 3", lambda x, w: F.conv_transpose1d(x[:, :4], w, stride=3)),
        ("correlate with x, x dilated by 3", lambda x, w: F.conv_transpose1d(x, w, stride=3)),
        ("correlate with x, in steps of 2", lambda x, w: F.conv_transpose1d(x, w, dilation=2)),
    ],
)  # fmt: skip
def test_a_convolution_says_how_it_walks(text: str, program: Any) -> None:
    x, w = torch.ones(1, 4, 8, requires_grad=True), torch.ones(4, 2, 3, requires_grad=True)
    assert text in [short(edge.rule) for edge in tour.trace(lambda: program(x, w).sum()).select("gradient")]


def test_the_backward_of_a_transposed_convolution_swaps_the_two() -> None:
    generator = torch.Generator().manual_seed(0)
    x, w, g = (torch.randn(1, 1, n, generator=generator).requires_grad_() for n in (4, 3, 9))
    v = torch.randn(1, 1, 3, generator=generator)

    def gradient() -> torch.Tensor:
        return torch.autograd.grad(F.conv_transpose1d(x, w, stride=2), w, g, create_graph=True)[0]

    to_g, to_x = torch.autograd.grad(gradient(), (g, x), v)
    torch.testing.assert_close(to_g, F.conv_transpose1d(x, v, stride=2))
    torch.testing.assert_close(to_x, F.conv1d(g, v, stride=2))
    texts = [short(edge.rule) for edge in tour.trace(lambda: (gradient() * v).sum()).select("gradient")]
    assert "the transposed convolution of grad with the weight, and of the input with grad₁" in texts
    assert "the convolution of the first gradient with grad₁" in texts


def test_the_weight_of_a_strided_transposed_convolution_gets_g_along_the_dilated_input() -> None:
    generator = torch.Generator().manual_seed(0)
    x, g = torch.randn(1, 1, 4, generator=generator), torch.randn(1, 1, 12, generator=generator)
    w = torch.randn(1, 1, 3, generator=generator).requires_grad_()
    (sent,) = torch.autograd.grad(F.conv_transpose1d(x, w, stride=3), w, g)
    dilated = torch.zeros(1, 1, 10)
    dilated[..., ::3] = x
    torch.testing.assert_close(sent, F.conv1d(g, dilated))


def test_the_matrix_of_an_affine_grid_gets_places_times_gradients() -> None:
    theta = torch.tensor([[[1.0, 0.5, 0.0], [0.0, 2.0, -1.0]]], requires_grad=True)
    grid = F.affine_grid(theta, (1, 1, 2, 3), align_corners=True)
    g = torch.arange(12.0).reshape(1, 2, 3, 2)
    (sent,) = torch.autograd.grad(grid, theta, g)
    places = [(x, y, 1.0) for y in (-1.0, 1.0) for x in (-1.0, 0.0, 1.0)]
    outer = sum(torch.outer(pair, torch.tensor(at)) for pair, at in zip(g.reshape(6, 2), places, strict=True))
    assert torch.equal(sent[0], outer)
    edges = tour.trace(lambda: F.affine_grid(theta, (1, 1, 2, 3), align_corners=True).sum()).select(
        "gradient"
    )
    text = "Σ over the pixels of g ⊗ (x, y, 1), the place of each in the output"
    assert text in [short(edge.rule) for edge in edges if edge.rule]


def test_a_part_that_was_transposed_is_not_transposed_twice() -> None:
    w, x = torch.ones(4, 2, requires_grad=True), torch.ones(3, 2, requires_grad=True)
    rules = {"F.linear": lambda: F.linear(x, w.split(2)[1]), ".T": lambda: x @ w.T, "mT": lambda: x @ w.mT}
    for text, program in rules.items():
        edges = tour.trace(lambda program=program: program().sum()).select("gradient")
        texts = [short(edge.rule) for edge in edges if edge.rule]
        assert ("@ split[1]" if text == "F.linear" else "@ w") in texts, texts


def test_a_transposed_matrix_with_a_name_of_its_own_keeps_it() -> None:
    w, x = torch.ones(4, 2, requires_grad=True), torch.ones(3, 2, requires_grad=True)

    def loss() -> torch.Tensor:
        turned = w.T
        return (x @ turned).sum()

    assert "@ turnedᵀ" in [short(edge.rule) for edge in tour.trace(loss).select("gradient") if edge.rule]


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("× 2(x − mean(x along dim 1))/2", lambda x: x.var(1)),
        ("× 2(x − mean(x))/5", lambda x: x.var()),
        ("× (the product of the others in x along dim 1)", lambda x: x.prod(1)),
        ("× (the product of the others in x)", lambda x: x.prod()),
        ("(g − mean(g) − x̂·mean(g·x̂))/√(var + ε)", lambda x: F.layer_norm(x, (3,))),
        ("y(g − Σ y·g along dim 0)", lambda x: (y := x.softmax(0)) * y),
        ("g − exp(y)·Σ g along dim 1", lambda x: (y := x.log_softmax(-1)) * y),
        ("× softmax(x along dim 1)", lambda x: x.logsumexp(1)),
        ("× softmax(x)", lambda x: x.logsumexp((0, 1))),
        ("y(g − Σ y·g)", lambda x: (y := x[0].softmax(0)) * y),
    ],
)
def test_what_is_about_rows_says_so_and_what_keeps_from_zero_is_there(text: str, program: Any) -> None:
    x = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]], requires_grad=True)
    rules = [edge.rule for edge in tour.trace(lambda: program(x).sum()).select("gradient") if edge.rule]
    assert text in [short(rule) for rule in rules]


def test_a_convolution_says_how_it_goes_over_its_input() -> None:
    x, w = torch.ones(1, 2, 8, 8), torch.ones(2, 1, 3, 3, requires_grad=True)
    programs = {
        "conv(x, w, padding 1, 2 groups) + b": {"padding": 1},
        "conv(x, w, stride (2, 1), padding (1, 2), dilation 2, 2 groups) + b": {
            "stride": (2, 1),
            "padding": (1, 2),
            "dilation": 2,
        },
        "conv(x, w, 2 groups) + b": {},
    }
    b = torch.zeros(2)
    for text, options in programs.items():
        assert fused_notes(lambda options=options: F.conv2d(x, w, b, groups=2, **options).sum()) == [text]


def test_a_batch_that_was_flattened_for_a_product_is_a_view_of_it() -> None:
    x, w = torch.ones(2, 3, 4), torch.ones(4, 5, requires_grad=True)
    programs = {"view(x)ᵀ @": lambda: x @ w, "xᵀ @": lambda: x[0] @ w, "view(r)ᵀ @": lambda: r @ w}
    r = x[0, 0]
    for text, program in programs.items():
        graph = tour.trace(lambda program=program: program().sum())
        assert text.replace("xᵀ @", "x[0]ᵀ @") in [short(e.rule) for e in graph.select("gradient") if e.rule]


def test_the_gradient_of_a_strided_weight_is_a_correlation_with_a_dilated_gradient() -> None:
    x, w = torch.arange(9.0).reshape(1, 1, 9), torch.ones(1, 1, 3, requires_grad=True)
    g = torch.tensor([[[1.0, 10.0, 100.0]]])
    (sent,) = torch.autograd.grad(F.conv1d(x, w, stride=3), w, g)
    assert torch.equal(sent, F.conv1d(x, g, dilation=3))
    (sent,) = torch.autograd.grad(F.conv1d(x, w, dilation=3), w, g)
    assert torch.equal(sent, F.conv1d(x, g, stride=3))


def test_a_factor_behind_a_product_of_matrices_is_a_deed_of_its_own() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 2, requires_grad=True)
    edges = tour.trace(lambda: torch.addmm(torch.ones(2, 2), a, b, alpha=2).sum()).select("gradient")
    assert "aᵀ @, × 2" in [short(edge.rule) for edge in edges if edge.rule]


def rules_of(program: Any, *grad_fns: str) -> list[str]:
    """The rules of the nodes of these kinds, of all if there are none."""
    graph = tour.trace(program)
    return [
        short(edge.rule)
        for edge in graph.select("gradient")
        if edge.rule and (not grad_fns or graph.node(edge.src).grad_fn in grad_fns)
    ]


def test_x_times_its_own_logarithm_says_no_more_than_that() -> None:
    t, x = torch.tensor([0.2, 0.8], requires_grad=True), torch.tensor([-1.0, -0.5])
    texts = rules_of(lambda: F.kl_div(x, t.softmax(0), reduction="sum"), "XlogyBackward0")
    assert texts == [
        "× (0 if t.softmax(0) = 0 else ln(t.softmax(0)))",
        "× (1 if 0 < abs(t.softmax(0)) < ∞ else NaN)",
    ]
    assert rules_of(lambda: (t**t).sum(), "PowBackward1")[1] == "× (0 if t = 0 else t^t·ln(t))"


def test_two_tensors_that_one_expression_made_are_two() -> None:
    t = torch.tensor([0.2, 0.8], requires_grad=True)
    texts = rules_of(lambda: torch.xlogy(F.dropout(t), F.dropout(t)).sum(), "XlogyBackward0")
    assert texts == ["× (0 if F.dropout(t) = 0 and F.dropout(t) ≤ 0 else ln(F.dropout(t)))", "× F.dropout(t)/F.dropout(t)"]  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "options"),
    [
        ("q @ kᵀ·0.5 + m", {"attn_mask": torch.zeros(3, 3)}),
        ("q @ kᵀ·0.5 masked by m", {"attn_mask": torch.ones(3, 3, dtype=torch.bool)}),
        ("q @ kᵀ·0.5 causally masked", {"is_causal": True}),
        ("q @ kᵀ·0.5", {}),
    ],
)
def test_attention_says_whether_its_mask_is_added(scores: str, options: Any) -> None:
    q, k, v = (torch.ones(1, 2, 3, 4, requires_grad=name == "q") for name in "qkv")
    m = options.pop("attn_mask", None)
    if m is None:
        graph = tour.trace(lambda: F.scaled_dot_product_attention(q, k, v, **options).sum())
    else:
        graph = tour.trace(lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=m).sum())
    (node,) = (node for node in graph.nodes if node.fused is not None)
    assert short(node.fused) == f"softmax({scores}) @ v"
    (edge,) = (edge for edge in graph.select("gradient") if edge.src == node.id)
    assert short(edge.rule) == f"0.5(P·(u − Σ P·u) @ k), u = g @ vᵀ, P = softmax({scores})"


NAN = math.nan
ROWS = ((1.0, NAN, 3.0), (4.0, 5.0, 6.0))
BESIDE_NAN: dict[str, tuple[str, Any, tuple[Any, ...], list[Any]]] = {
    "amax": ("NaN to all that were compared with a NaN", lambda x: x.amax(1), (ROWS,), [[NAN] * 3, [0, 0, 1]]),
    "amin": ("NaN to all that were compared with a NaN", lambda x: x.amin(1), (ROWS,), [[NAN] * 3, [1, 0, 0]]),
    "aminmax": ("NaN to all that were compared with a NaN", lambda x: sum(x.aminmax(dim=1)), (ROWS,), [[NAN] * 3, [1, 0, 1]]),
    "max": ("a NaN counts as the maximum", lambda x: x.max(), (ROWS,), [[0, 1, 0], [0, 0, 0]]),
    "min of rows": ("a NaN counts as the minimum", lambda x: x.min(1).values, (ROWS,), [[0, 1, 0], [1, 0, 0]]),
    "prod": ("NaN to all that were multiplied with a NaN, if none is 0", lambda x: x.prod(1), (ROWS,), [[NAN] * 3, [30, 24, 20]]),
    "prod beside a 0": ("NaN to all that were multiplied with a NaN, if none is 0", lambda x: x.prod(), ((0.0, NAN, 3.0),), [NAN, 0, NAN]),
    "cumprod": ("NaN to all that were multiplied with a NaN, if none is 0", lambda x: x.cumprod(0), ((1.0, 2.0, NAN, 4.0),), [NAN] * 4),
    "det": ("NaN to all of a matrix that has one", torch.linalg.det, (((2.0, 1.0), (NAN, 3.0)),), [[NAN, NAN], [NAN, NAN]]),
    "solve": ("a NaN goes on from one equation to the next", lambda a: torch.linalg.solve_triangular(a, torch.ones(2, 1), upper=True), (((2.0, NAN), (0.0, 3.0)),), [[NAN, -1 / 6], [0, NAN]]),
    "1-norm": ("0 to a NaN", lambda x: torch.linalg.vector_norm(x, 1), (ROWS,), [[1, 0, 1], [1, 1, 1]]),
    "2-norm": ("NaN to all that were reduced with a NaN", lambda x: x.norm(), (ROWS,), [[NAN] * 3, [NAN] * 3]),
    "largest": ("0 to all that were compared with a NaN", lambda x: torch.linalg.vector_norm(x, math.inf, 1), (ROWS,), [[0, 0, 0], [0, 0, 1]]),
    "dist": ("NaN to all that were reduced with a NaN", lambda x: torch.dist(x, torch.zeros(3)), (ROWS,), [[NAN] * 3, [NAN] * 3]),
    "cdist": ("NaN to both rows of a pair with a NaN", lambda x: torch.cdist(x, torch.zeros(1, 3)), (((NAN, 1.0, 2.0), (0.0, 3.0, 4.0)),), [[NAN] * 3, [0, 0.6, 0.8]]),
    "cdist by the 1-norm": ("NaN where a difference is NaN", lambda x: torch.cdist(x, torch.zeros(1, 3), 1.0), (ROWS,), [[1, NAN, 1], [1, 1, 1]]),
    "layer_norm": ("NaN to a whole row that has one", lambda x: F.layer_norm(x, (2,)), (((NAN, 1.0), (3.0, 3.0)),), [[NAN, NAN], [0, 0]]),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE_NAN)
def test_a_rule_that_looks_at_many_says_what_is_sent_beside_a_nan(name: str) -> None:
    told, function, (numbers,), expected = BESIDE_NAN[name]
    x = torch.tensor(numbers, requires_grad=True)
    graph = tour.trace(lambda: function(x).sum())
    (leaf,) = (node for node in graph.nodes if node.kind == "leaf")
    (text,) = (short(e.rule) for e in graph.select("gradient") if e.dst == graph.accumulator_of(leaf.id))
    assert text.endswith(f"; {told}")
    (sent,) = torch.autograd.grad(function(x).sum(), x)
    assert torch.allclose(sent, torch.tensor(expected).to(sent), equal_nan=True)
    finite = torch.tensor(numbers).nan_to_num(7.0).requires_grad_()
    texts = [short(edge.rule) for edge in tour.trace(lambda: function(finite).sum()).select("gradient")]
    assert not any("NaN" in text for text in texts)


def test_an_operand_that_nobody_named_is_called_as_torch_calls_it() -> None:
    q, k, v = (torch.ones(1, 2, 3, 4, requires_grad=name == "q") for name in "qkv")
    m = torch.zeros(3, 3, requires_grad=True)
    texts = rules_of(lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=m).sum(), "BmmBackward0")
    assert "@ (mat2 of bmm)ᵀ" in texts
    assert not any("input" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Σ g·((x[i] − x[j])/torch.cdist(x, x); 0 at 0) over the pairs", lambda x: torch.cdist(x, x)),
        ("routed to the k that were taken", lambda x: x.topk(1, largest=False).values),
        ("routed to the k-th smallest", lambda x: x.kthvalue(2).values),
        ("g·2(x − mean(x along dim 1))/2 + g₁/3", lambda x: sum(torch.var_mean(x, 1))),
        ("g·((x − mean(x along dim 0))/std; 0 at 0) + g₁/2", lambda x: sum(torch.std_mean(x, 0))),
        ("× ln(1 + x)", lambda x: torch.special.xlog1py(x, x)),
    ],
)
def test_what_another_strict_reader_missed(text: str, program: Any) -> None:
    x = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]], requires_grad=True)
    assert text in rules_of(lambda: program(x).sum())


def test_no_rule_calls_the_gradient_g_beside_a_layer_that_is_called_so() -> None:
    g, h, x = torch.nn.GroupNorm(2, 4), torch.nn.Linear(4, 4), torch.ones(2, 4)
    texts = rules_of(lambda: g(h(x)).pow(2).sum(), "NativeGroupNormBackward0")
    assert "u = grad·g.weight" in texts[0]


def test_the_negative_of_a_sum_of_calls_is_bracketed() -> None:
    a, b = torch.ones(1, 3, requires_grad=True), torch.ones(1, 3)
    graph = tour.trace(lambda: F.multilabel_soft_margin_loss(a, b))
    names = [node.expr for node in graph.nodes if node.grad_fn == "NegBackward0"]
    assert names == ["−a", "neg(…)"]


def test_a_function_that_writes_into_parts_has_steps_and_one_result() -> None:
    x = torch.ones(1, 1, 3, requires_grad=True)
    graph = tour.trace(lambda: F.pad(x, (1, 1), mode="circular").sum())
    titles = [node.op for node in graph.nodes if node.grad_fn == "CopySlices"]
    assert titles == [
        *['copy_slices in F.pad(x, …, mode="circular")'] * 2,
        'F.pad(x, (1, 1), mode="circular")',
    ]
