"""What gradients are said to be derivatives of, and what a sign is said to mean: only where it is sure."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.diff import diff
from autograd_tour.views.fold import fold
from autograd_tour.views.picture import Card, Scene

Program = Callable[[], Tensor]


def texts(scene: Scene) -> list[str]:
    return ["".join(run.text for run in row.left) for card in scene.cards for row in card.rows]


def gradients(graph: Graph) -> list[str]:
    """The rows with a gradient, without their numbers."""
    scene = cards_scene(graph)
    rows = [row for card in scene.cards for row in card.rows if ".grad." in row.fact]
    return [row.left[0].text.rstrip(" =") for row in rows]


def sentences(program: Program) -> list[str]:
    return [text for text in texts(cards_scene(tour.trace(program))) if " falls if " in text]


def leaf(value: float) -> Tensor:
    return torch.tensor(value, requires_grad=True)


def test_every_gradient_says_what_it_is_the_derivative_of() -> None:
    assert gradients(tour.trace(thermometer)) == [
        "∂loss/∂(w * t_u)",
        "∂loss/∂t_p",
        "∂loss/∂(t_p − t_c)",
        "∂loss/∂squared_diffs",
        "∂loss/∂loss",
    ]
    assert "∂loss/∂loss = 1" in texts(cards_scene(tour.trace(thermometer)))
    assert "∂loss/∂squared_diffs  11 × 0.09091" in texts(cards_scene(tour.trace(thermometer)))


def test_a_result_that_is_called_by_its_expression_has_brackets() -> None:
    def program() -> Tensor:
        x = torch.tensor(3.0, requires_grad=True)
        return x * x + x

    graph = tour.trace(program)
    end = graph.outputs[0][0]
    nodes = tuple(replace(node, names=("x * x + x",)) if node.id == end else node for node in graph.nodes)
    assert "∂(x * x + x)/∂(x * x)" in gradients(replace(graph, nodes=nodes))


def test_the_end_has_its_own_name_or_is_called_the_result() -> None:
    def costly() -> Tensor:
        w = leaf(2.0)
        cost = w * w
        return cost  # noqa: RET504

    def nameless() -> Tensor:
        return leaf(2.0).exp()

    def taken() -> Tensor:
        w = leaf(2.0)
        result = w * 3
        return result * w

    def again() -> Tensor:
        w = leaf(2.0)
        loss = w * 3
        loss = loss * w
        return loss  # noqa: RET504

    assert gradients(tour.trace(costly)) == ["∂cost/∂cost"]
    assert gradients(tour.trace(nameless)) == ["∂result/∂result"]
    assert set(gradients(tour.trace(taken))) == {"grad in"}
    assert gradients(tour.trace(again)) == ["∂loss/∂(w * 3)", "∂loss/∂loss"]


class Straight(torch.autograd.Function):
    """A step whose backward says that it is none."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


def estimated() -> Tensor:
    w = leaf(0.3)
    before = w * 2
    after = Straight.apply(before)
    loss = after * after
    return loss  # noqa: RET504


def hooked() -> Tensor:
    w = leaf(0.3)
    before = w * 2
    before.register_hook(lambda g: -g)
    loss = before * 3
    return loss  # noqa: RET504


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (lambda: tour.trace(lambda: torch.stack((leaf(1.0), leaf(2.0))) * 3, gradient=torch.ones(2)), ["grad in"]),
        (lambda: tour.trace(lambda: leaf(2.0) * 3, gradient=torch.tensor(-1.0)), ["grad in"]),
        (lambda: tour.trace(estimated), ["∂loss/∂loss", "∂loss/∂after", "grad in"]),
        (lambda: tour.trace(hooked), ["∂loss/∂loss", "grad in"]),
    ],
)  # fmt: skip
def test_what_is_no_derivative_is_not_called_one(graph: Callable[[], Graph], expected: list[str]) -> None:
    assert list(dict.fromkeys(reversed(gradients(graph())))) == expected


def test_what_is_folded_is_not_forgotten() -> None:
    def deep() -> Tensor:
        w = leaf(0.3)
        y = w * 2
        for _ in range(30):
            y = torch.sin(y)
            y = Straight.apply(y)
        loss = y * y
        return loss  # noqa: RET504

    folded = fold(tour.trace(deep), limit=6)
    assert any(node.kind == "group" and node.inside is not None and node.inside.own for node in folded.nodes)
    derivatives = Derivatives(folded)
    first = next(node for node in folded.nodes if node.kind in ("operation", "group"))
    assert derivatives.result == "loss"
    assert derivatives.of(first.id) == ""


def several() -> Tensor:
    w, v = leaf(2.0), torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * v).sum() - 7 * w
    return loss  # noqa: RET504


def test_the_sign_of_a_leaf_of_one_element_says_which_way_the_loss_falls() -> None:
    assert sentences(thermometer) == ["loss falls if w falls a little", "loss falls if b falls a little"]
    assert sentences(several) == ["loss falls if w rises a little"]


def flat() -> Tensor:
    w = leaf(2.0)
    loss = w * 0
    return loss  # noqa: RET504


def endless() -> Tensor:
    w = leaf(0.0)
    loss = torch.log(w * w)
    return loss  # noqa: RET504


def bent() -> Tensor:
    w = leaf(0.0)
    loss = w + 2 * torch.relu(-w)
    return loss  # noqa: RET504


def at_the_edge() -> Tensor:
    w = leaf(0.0)
    loss = w.clamp(min=0)
    return loss  # noqa: RET504


def cut() -> Tensor:
    w = leaf(2.0)
    loss = w - 2 * w.detach()
    return loss  # noqa: RET504


def cut_on_the_way() -> Tensor:
    w = leaf(2.0)
    with torch.no_grad():
        constant = w * 2
    other = constant + 1
    loss = w - other
    return loss  # noqa: RET504


def as_number() -> Tensor:
    w = leaf(2.0)
    loss = w - 2 * w.item()
    return loss  # noqa: RET504


def branching() -> Tensor:
    w = leaf(2.0)
    loss = w * (5 if w >= 2 else -5)
    return loss  # noqa: RET504


@pytest.mark.parametrize(
    "program",
    [flat, endless, bent, at_the_edge, cut, cut_on_the_way, as_number, branching, estimated, hooked],
)
def test_nothing_is_said_of_a_sign_where_it_is_not_sure(program: Program) -> None:
    assert sentences(program) == []


def _copied(other: Tensor, w: Tensor) -> Tensor:
    with torch.no_grad():
        other.copy_(w)
    return other


ASIDE: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda w: w.item(), "float": float, "int": int, "complex": lambda w: complex(w).real,
    "exp": lambda w: math.exp(w), "round": lambda w: round(float(w), 3), "format": lambda w: float(f"{w:.4f}"),
    "repr": lambda w: float(repr(w).split("(")[1].split(",")[0]), "index": lambda w: range(9)[w.long()],
    "contains": lambda w: 4 if 1.0 in w else 2, "norm": lambda w: float(w.norm()) ** 2,
    "tensor": lambda w: torch.tensor(float(w)), "copied": lambda w: w.new_tensor(w),
    "leaf": lambda w: torch.tensor(w, requires_grad=True), "deep": copy.deepcopy, "copy": copy.copy,
    "indices": lambda w: torch.stack((w, torch.tensor(1.0))).sort(descending=True).indices[0] + 1,
    "parameter": torch.nn.Parameter, "computed": lambda w: torch.nn.Parameter(w * 2),
    "unsqueezed": lambda w: torch.nn.Parameter(w[None]).sum(),
    "copied into": lambda w: torch.zeros((), requires_grad=True).data.copy_(w),
    "a leaf copied into": lambda w: _copied(torch.zeros((), requires_grad=True), w),
    "gumbel": lambda w: torch.nn.functional.gumbel_softmax(torch.stack((w, 1 - w)), hard=True)[0],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:To copy construct", "ignore:Converting a tensor")
@pytest.mark.parametrize("name", ASIDE)
def test_nothing_is_said_of_a_sign_where_python_was_given_a_value(name: str) -> None:
    def program() -> Tensor:
        w = leaf(1.0)
        loss = w - 3 * ASIDE[name](w)
        return loss  # noqa: RET504

    assert sentences(program) == []


def test_a_call_that_gives_the_same_tensor_or_asks_for_a_shape_takes_nothing_aside() -> None:
    def program() -> Tensor:
        w = leaf(1.0)
        same = w.float().contiguous().to("cpu")
        loss = same * 3 + torch.ones_like(same) + same.new_zeros(())
        return loss  # noqa: RET504

    assert sentences(program) == ["loss falls if w falls a little"]


def test_a_parameter_of_its_own_numbers_has_a_sign() -> None:
    def program() -> Tensor:
        w = torch.nn.Parameter(torch.tensor(2.0))
        loss = w * w
        return loss  # noqa: RET504

    assert sentences(program) == ["loss falls if w falls a little"]


def test_a_loss_that_exists_already_was_not_heard() -> None:
    w = leaf(2.0)
    graph = tour.trace(w - 2 * w.item(), names={"w": w})
    assert not any("falls" in text for text in texts(cards_scene(graph)))


def numbers(cards: tuple[Card, ...]) -> list[int]:
    return sorted(row.step for card in cards for row in card.rows if row.step)


def test_the_number_of_a_step_is_on_one_card_and_arrows_have_letters() -> None:
    scene = cards_scene(tour.trace(thermometer))
    assert numbers(scene.cards) == [1, 2, 3, 4, 5, 6, 7]
    tags = sorted(link.label.tag for link in scene.links if link.flow == "backward")
    assert tags == ["1a", "2a", "3a", "4a", "4b", "6a"]


def test_a_comparison_says_it_too() -> None:
    scene = picture_of(Trace(diff(tour.trace(thermometer), tour.trace(thermometer))), "diff")
    assert isinstance(scene, Scene)
    told = [text for text in texts(scene) if text.startswith("∂loss/")]
    assert "∂loss/∂t_p  6.4, 7.618 … 8.618" in told
    assert "∂loss/∂loss  1" in told


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "abs": torch.abs, "relu": torch.relu, "clamp": lambda w: w.clamp(0.0, 1.0), "frac": torch.frac,
    "floor": lambda w: w.floor() + w, "maximum": lambda w: torch.maximum(w, torch.tensor(1.0)),
    "max": lambda w: torch.stack((w, 2 * w)).max(), "where": lambda w: torch.where(w > 0, w, -w),
    "hardtanh": torch.nn.functional.hardtanh, "leaky": lambda w: torch.nn.functional.leaky_relu(w, -1.0),
    "elu": torch.nn.functional.elu, "softplus": torch.nn.functional.softplus, "power": lambda w: w**3 - w,
    "remainder": lambda w: torch.remainder(w, 1.0), "fmod": lambda w: torch.fmod(w, 0.5),
    "atan2": lambda w: torch.atan2(w, torch.tensor(-1.0, dtype=w.dtype)), "division": lambda w: 1 / (w + 3), "sin": torch.sin,
    "softmax": lambda w: torch.stack((w, w * w)).softmax(0)[0], "norm": lambda w: torch.stack((w, w)).norm(),
    "mean": lambda w: (w * torch.arange(5.0)).mean(), "huber": lambda w: torch.nn.functional.smooth_l1_loss(w, torch.tensor(0.0)),
    "l1": lambda w: torch.nn.functional.l1_loss(w, torch.tensor(1.0)), "sort": lambda w: torch.stack((w, -w)).sort().values[0],
    "prod": lambda w: torch.stack((w, w + 1)).prod(), "gelu": torch.nn.functional.gelu, "hardswish": torch.nn.functional.hardswish,
}  # fmt: skip


ONE = torch.tensor(1.0, dtype=torch.float64)

STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": torch.floor, "ceil": torch.ceil, "trunc": torch.trunc, "round": torch.round, "sign": torch.sign,
    "sgn": torch.sgn, "angle": torch.angle, "copysign": lambda w: torch.copysign(ONE, w),
    "floored": lambda w: torch.div(w, ONE, rounding_mode="floor"), "cdist": lambda w: torch.cdist(w.view(1, 1), ONE.view(1, 1), p=0).sum(),
    "truncated": lambda w: torch.div(w, 1, rounding_mode="trunc"),
}  # fmt: skip
"""Functions whose derivative is 0 on both sides of a jump."""


def added(function: Callable[[Tensor], Tensor], times: float) -> Callable[[Tensor], Tensor]:
    return lambda w: 2 * w + times * function(w)


FUNCTIONS |= {f"{name} × {times}": added(STEPS[name], times) for name in STEPS for times in (-3.0, 3.0)}


@pytest.mark.parametrize("at", [-1.0, 0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_where_a_sign_is_told_the_loss_does_fall(name: str, at: float) -> None:
    function = FUNCTIONS[name]

    def program() -> Tensor:
        w = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        loss = function(w)
        return loss  # noqa: RET504

    for sentence in sentences(program):
        step = -1e-4 if sentence.endswith("w falls a little") else 1e-4
        before, after = (function(torch.tensor(w, dtype=torch.float64)) for w in (at, at + step))
        assert after < before, sentence


def test_most_smooth_functions_have_a_sign() -> None:
    def told(name: str) -> bool:
        def program() -> Tensor:
            w = torch.tensor(0.5, requires_grad=True)
            return FUNCTIONS[name](w)

        return bool(sentences(program))

    smooth = ("exp", "tanh", "sigmoid", "power", "division", "sin", "mean")
    assert [name for name in smooth if not told(name)] == []
    assert [name for name in ("abs", "relu", "clamp", "maximum", "where", "sort") if told(name)] == []
