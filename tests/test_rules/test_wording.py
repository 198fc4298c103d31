"""How rules stand on arrows: the text of each, with the names of the program."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

import autograd_tour as tour
from autograd_tour.record.rule import Constant, Symbol, apply
from autograd_tour.rules.definition import A, B, G, bind
from autograd_tour.rules.node import NodeView, Operand, is_compound
from autograd_tour.rules.spelling import spell
from autograd_tour.rules.table import DEFINITIONS, rule
from autograd_tour.rules.wording import short


def told(
    grad_fn: str,
    slot: int,
    *inputs: Any,
    result: Any = "",
    saved: Any = (),
    taken: frozenset[str] = frozenset(),
    **attributes: Any,
) -> str:
    """The text of a rule; an operand is a name or (name, shape, dtype)."""

    def operand(item: Any) -> Operand:
        name, *rest = item if isinstance(item, tuple) else (item,)
        return Operand(name, *(rest or [(4,)]), compound=is_compound(name))

    results = tuple(map(operand, result if isinstance(result, list) else [result]))
    view = NodeView(grad_fn, tuple(map(operand, inputs)), results, attributes, dict(saved), taken)
    return short(rule(view, slot))


def test_the_thermometer() -> None:
    eleven = ("t_p - t_c", (11,))
    assert told("PowBackward0", 0, eleven, exponent=2) == "× 2(t_p - t_c)"
    assert told("MulBackward0", 0, ("w", ()), ("t_u", (11,)), result=("", (11,))) == "× t_u, Σ over 11"
    assert told("MeanBackward0", 0, ("squared_diffs", (11,)), result=("loss", ())) == "÷ 11"
    assert told("SubBackward0", 1, "t_p", "t_c", alpha=1) == "× −1"
    assert told("AddBackward0", 1, "w * t_u", "b", alpha=1) == "× 1"


@pytest.mark.parametrize(
    ("text", "grad_fn", "slot", "inputs", "attributes"),
    [
        ("× 2x", "PowBackward0", 0, ["x"], {"exponent": 2}),
        ("× 3·t_p²", "PowBackward0", 0, ["t_p"], {"exponent": 3}),
        ("× 3(a + b)²", "PowBackward0", 0, ["a + b"], {"exponent": 3}),
        ("× 0.5/√x", "PowBackward0", 0, ["x"], {"exponent": 0.5}),
        ("× −1/x²", "PowBackward0", 0, ["x"], {"exponent": -1}),
        ("× 0", "PowBackward0", 0, ["x"], {"exponent": 0}),
        ("× 1[x > 0]", "ReluBackward0", 0, ["x"], {}),
        ("× 1[v - 1 > 0]", "ReluBackward0", 0, ["v - 1"], {}),
        ("× 1[input > 0]", "ReluBackward0", 0, [""], {}),
        ("× (a + b)", "MulBackward0", 1, ["a + b", "c"], {}),
        ("× f(a + b)", "MulBackward0", 1, ["f(a + b)", "c"], {}),
        ("× −a/b²", "DivBackward0", 1, ["a", "b"], {}),
        ("÷ (a * b)", "DivBackward0", 0, ["c", "a * b"], {}),
        ("× 20", "MulBackward1", 0, ["x"], {"other": 20.0}),
        ("× −0.5", "SubBackward0", 1, ["a", "b"], {"alpha": 0.5}),
        ("× (1 if x > 0 else 0.01)", "LeakyReluBackward0", 0, ["x"], {"negative_slope": 0.01}),
        ("× 1[−1 < x < 1]", "HardtanhBackward0", 0, ["x"], {"min_val": -1.0, "max_val": 1.0}),
        ("× 1[x ≥ 0]", "ClampBackward1", 0, ["x"], {"min": 0.0}),
        ("× σ(x)(1 − σ(x))", "SigmoidBackward0", 0, ["x"], {}),
        ("@ wᵀ", "MmBackward0", 0, ["x", "w"], {}),
        ("xᵀ @", "MmBackward0", 1, ["x", "w"], {}),
        ("(x + 1)ᵀ @", "MmBackward0", 1, ["x + 1", "w"], {}),
        ("to element [:, 1]", "SelectBackward0", 0, [("x", (2, 3))], {"dim": -1, "index": 1}),
        ("to slice [:, ::2]", "SliceBackward0", 0, [("x", (2, 3))], {"dim": 1, "start": 0, "end": 3, "step": 2}),
    ],
)  # fmt: skip
def test_texts(text: str, grad_fn: str, slot: int, inputs: list[Any], attributes: dict[str, Any]) -> None:
    assert told(grad_fn, slot, *inputs, **attributes) == text


def test_long_operands_are_written_through_the_result() -> None:
    assert told("SigmoidBackward0", 0, "w * t_u + b", result="p") == "× p(1 − p)"
    assert told("TanhBackward0", 0, "h", result="hidden") == "× (1 − tanh²(h))"


def test_a_transpose_is_turned_back() -> None:
    view = NodeView(
        "MmBackward0", (Operand("x", (2, 3)), Operand("W", (3, 4), transposed=True)), (Operand(),)
    )
    assert short(rule(view, 0)) == "@ W"


def test_complex_operands_are_conjugated_and_real_inputs_take_the_real_part() -> None:
    z, w, x = ("z", (3,), "complex64"), ("w", (3,), "complex64"), ("x", (3,), "float32")
    assert told("MulBackward0", 0, z, w, result=("", (3,), "complex64")) == "× conj(w)"
    assert told("AddBackward0", 0, z, w, alpha=1, result=("", (3,), "complex64")) == "× 1"
    assert told("SumBackward0", 0, z, result=("", (), "complex64")) == "broadcast to (3)"
    assert "Re" in told("MulBackward0", 0, x, w, result=("", (3,), "complex64"))


def test_a_sum_loss_is_no_mean() -> None:
    def loss() -> torch.Tensor:
        p = torch.tensor([1.0, 2.0], requires_grad=True)
        return F.mse_loss(p, torch.zeros(2), reduction="sum")

    node = next(node for node in tour.trace(loss).nodes if node.grad_fn == "MseLossBackward0")
    assert "mean" not in short(node.fused)
    assert short(node.fused).startswith("Σ ")


def test_a_normalisation_tells_all_of_its_rule() -> None:
    def loss() -> torch.Tensor:
        x = torch.arange(6.0).reshape(2, 3).requires_grad_()
        return F.layer_norm(x, (3,), torch.ones(3)).pow(2).sum()

    texts = {short(edge.rule) for edge in tour.trace(loss).select("gradient")}
    assert any("mean(u·x̂)" in text and "mean(u)" in text and "/√(var + ε)" in text for text in texts)


def test_the_probability_of_a_dropout_is_no_factor_of_its_product() -> None:
    def dropped() -> torch.Tensor:
        x = torch.ones(4, requires_grad=True)
        return F.dropout(x, 0.4).sum() + (x * 3).sum() + (2 / x).sum()

    rules = {short(edge.rule) for edge in tour.trace(dropped).select("gradient")}
    assert "× 0.4" not in rules
    assert "× 3" in rules


def test_what_is_not_known_gives_no_rule() -> None:
    assert told("NoSuchBackward0", 0, "x") == ""
    assert told("MulBackward0", 7, "a", "b") == ""
    assert told("MulBackward1", 0, "x") == ""  # the number is not known
    assert told("LeakyReluBackward0", 0, "x") == ""


def test_every_name_in_the_table_is_a_node_of_torch() -> None:
    known = {name.rpartition("::")[2] for name in dir(torch._C._functions)}
    assert not {name for name in DEFINITIONS if name not in known}


def test_numbers_are_written_as_people_do() -> None:
    assert spell(Constant(1e-5)) == "1e−5"
    assert spell(Constant(2.0)) == "2"
    assert spell(2 * apply("sqrt", Symbol("input", 0, "x"))) == "2√x"


def test_a_sum_of_many_is_bracketed_where_it_must_be() -> None:
    view = NodeView("", (Operand("a"), Operand("b")), (Operand("y"),))
    (bound,) = bind(G * (A - (B - A)), view, 0)
    assert short(bound) == "× (a − (b − a))"
