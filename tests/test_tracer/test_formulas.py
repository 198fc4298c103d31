"""The rules on the arrows, held against the gradients that torch computes."""

from __future__ import annotations

import json
import re
import string
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import autograd_tour as tour
from autograd_tour.rules import make_formulas
from autograd_tour.rules.formulas import (
    FUSED,
    POINTWISE,
    ROUTED,
    Operands,
    argument_names,
    formulas,
    rule,
    torch_version,
)
from autograd_tour.rules.texts import RULES
from tests.rule_reader import evaluate

Program = Callable[..., Tensor]


def seeded(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 7 * len(shape))
    values = torch.rand(shape, generator=generator, dtype=torch.float64)
    return (low + (high - low) * values).requires_grad_()


def real(seed: int) -> Tensor:
    return seeded(4, 3, seed=seed)


def positive(seed: int) -> Tensor:
    return seeded(4, 3, low=0.2, high=0.9, seed=seed)


def above_one(seed: int) -> Tensor:
    return seeded(4, 3, low=1.2, high=2.0, seed=seed)


# ---- a rule applied to a gradient ---------------------------------------------------------------


def apply(text: str, gradient: Tensor, like: Tensor, names: dict[str, Any]) -> Any:
    """The gradient that a rule describes, for an input such as ``like``."""
    words = text.split(" ", 1)
    if text.startswith("× "):
        return gradient * evaluate(words[1], names)
    if text.startswith("÷ "):
        return gradient / evaluate(words[1], names)
    if shape := re.fullmatch(r"(reshape|broadcast|Σ) to (\(.*\)|a scalar)", text):
        sizes = [int(part) for part in re.findall(r"\d+", shape[2])]
        assert sizes == list(like.shape)
        return {"reshape": gradient.reshape, "broadcast": gradient.expand, "Σ": gradient.sum_to_size}[
            shape[1]
        ](sizes)
    if place := re.fullmatch(r"to (?:element|slice) \[(.*)\]", text):
        result = torch.zeros_like(like)
        eval(
            f"result.__setitem__(index[{place[1]}], g)",
            {"result": result, "g": gradient, "index": _Index()},
        )
        return result
    if place := re.fullmatch(r"slice g\[(.*)\]", text):
        return eval(f"g[{place[1]}]", {"g": gradient})
    if right := re.fullmatch(r"@ (\w+?|\(.*\))(ᵀ?)( × .*)?", text):
        matrix = evaluate(right[1], names)
        matrix = matrix.mT if right[2] else matrix
        return gradient @ matrix * (evaluate(right[3][3:], names) if right[3] else 1)
    if left := re.fullmatch(r"(\w+?|\(.*\))(ᵀ?) @( × .*)?", text):
        matrix = evaluate(left[1], names)
        matrix = matrix.mT if left[2] else matrix
        return matrix @ gradient * (evaluate(left[3][3:], names) if left[3] else 1)
    if left := re.fullmatch(r"gᵀ @ (\w+)", text):
        return gradient.mT @ names[left[1]]
    if outer := re.fullmatch(r"⊗ (\w+|\(.*\))", text):
        return torch.outer(gradient, evaluate(outer[1], names))
    if order := re.fullmatch(r"permute \((.*)\)", text):
        return gradient.permute([int(part) for part in order[1].split(",")])
    if swap := re.fullmatch(r"swap dims (\d+), (\d+)", text):
        return gradient.transpose(int(swap[1]), int(swap[2]))
    if cast := re.fullmatch(r"cast to (\w+)", text):
        return gradient.to(getattr(torch, cast[1]))
    if text == "transpose":
        return gradient.mT
    if text == "g − softmax·Σg":
        return gradient - like.detach().softmax(-1) * gradient.sum(-1, keepdim=True)
    if soft := re.fullmatch(r"(\w+)·?\(g − Σ \1·g\)", text):
        s = names[soft[1]]
        return s * (gradient - (s * gradient).sum(-1, keepdim=True))
    raise AssertionError(f"the reader knows no rule like {text!r}")


class _Index:
    def __getitem__(self, key: Any) -> Any:
        return key


# ---- running a real operation -----------------------------------------------------------------


def attributes(node: Any) -> dict[str, str]:
    """What the node saved, as text: plain values and scalars, signed; "tensor" for a tensor."""
    result = {}
    for name in dir(node):
        value = getattr(node, name) if name.startswith("_saved_") else torch.empty(0)
        if isinstance(value, Tensor):
            if name.startswith("_saved_"):
                text = str(value.item()) if value.dim() == 0 else "tensor"
                result[name.removeprefix("_saved_")] = text
            continue
        values = [v - 2**64 if isinstance(v, int) and v >= 2**63 else v for v in _listed(value)]
        text = str(tuple(values)) if isinstance(value, (tuple, list)) else str(values[0])
        result[name.removeprefix("_saved_")] = text
    return result


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


def rules_and_gradients(
    program: Program, inputs: list[Tensor], labels: list[str], result: str
) -> tuple[str, Tensor, list[tuple[str, Tensor]], Tensor]:
    """The node's name, the incoming gradient, and (rule, torch's gradient) for each slot."""
    output = program(*inputs)
    node = output.grad_fn
    assert node is not None
    given = [tensor for tensor in inputs if tensor.requires_grad]
    gradient = seeded(*output.shape, seed=99).detach()
    expected = torch.autograd.grad(output, given, gradient, retain_graph=True)
    operands = Operands(
        tuple(labels),
        result,
        attributes(node),
        tuple(tuple(tensor.shape) for tensor in given),
        tuple(output.shape),
        tuple(str(tensor.dtype) for tensor in given),
    )
    assert len(node.next_functions) >= len(given)
    texts = [rule(node.name(), slot, operands) for slot in range(len(given))]
    return node.name(), gradient, list(zip(texts, expected, strict=True)), output.detach()


ONE: dict[str, tuple[Program, Callable[[int], Tensor]]] = {
    "AddBackward0": (lambda x: x + 2, real),
    "SubBackward0": (lambda x: x - 2, real),
    "RsubBackward1": (lambda x: 2 - x, real),
    "NegBackward0": (lambda x: -x, real),
    "ExpBackward0": (torch.exp, real),
    "Exp2Backward0": (torch.exp2, real),
    "Expm1Backward0": (torch.expm1, real),
    "LogBackward0": (torch.log, positive),
    "Log1PBackward0": (torch.log1p, positive),
    "Log2Backward0": (torch.log2, positive),
    "Log10Backward0": (torch.log10, positive),
    "SqrtBackward0": (torch.sqrt, positive),
    "RsqrtBackward0": (torch.rsqrt, positive),
    "ReciprocalBackward0": (torch.reciprocal, positive),
    "SinBackward0": (torch.sin, real),
    "CosBackward0": (torch.cos, real),
    "TanBackward0": (torch.tan, positive),
    "AsinBackward0": (torch.asin, positive),
    "AcosBackward0": (torch.acos, positive),
    "AtanBackward0": (torch.atan, real),
    "SinhBackward0": (torch.sinh, real),
    "CoshBackward0": (torch.cosh, real),
    "AsinhBackward0": (torch.asinh, real),
    "AcoshBackward0": (torch.acosh, above_one),
    "AtanhBackward0": (torch.atanh, positive),
    "ErfBackward0": (torch.erf, real),
    "ErfcBackward0": (torch.erfc, real),
    "SigmoidBackward0": (torch.sigmoid, real),
    "TanhBackward0": (torch.tanh, real),
    "LogSigmoidBackward0": (F.logsigmoid, real),
    "ReluBackward0": (torch.relu, real),
    "ThresholdBackward0": (lambda x: F.threshold(x, 0.5, 0.0), real),
    "LeakyReluBackward0": (lambda x: F.leaky_relu(x, 0.2), real),
    "EluBackward0": (lambda x: F.elu(x, 0.7), real),
    "CeluBackward0": (lambda x: F.celu(x, 0.5), real),
    "SoftplusBackward0": (lambda x: F.softplus(x, beta=2), real),
    "GeluBackward0": (F.gelu, real),
    "SiluBackward0": (F.silu, real),
    "HardtanhBackward0": (F.hardtanh, real),
    "HardsigmoidBackward0": (F.hardsigmoid, lambda seed: seeded(4, 3, low=-5.0, high=5.0, seed=seed)),
    "HardshrinkBackward0": (F.hardshrink, real),
    "SoftshrinkBackward0": (F.softshrink, real),
    "AbsBackward0": (torch.abs, real),
    "ClampBackward1": (lambda x: x.clamp(-1, 1), real),
    "ClampMinBackward0": (lambda x: torch.clamp_min(x, 0.5), real),
    "ClampMaxBackward0": (lambda x: torch.clamp_max(x, 0.5), real),
    "FloorBackward0": (torch.floor, real),
    "CloneBackward0": (torch.clone, real),
    "AliasBackward0": (torch.ops.aten.alias, real),
    "LinalgVectorNormBackward0": (torch.linalg.vector_norm, real),
    "SoftmaxBackward0": (lambda x: x.softmax(-1), real),
    "LogSoftmaxBackward0": (lambda x: x.log_softmax(-1), real),
    "SumBackward0": (torch.sum, real),
    "MeanBackward0": (torch.mean, real),
    "ProdBackward0": (torch.prod, positive),
    "ViewBackward0": (lambda x: x.view(2, 6), real),
    "UnsqueezeBackward0": (lambda x: x.unsqueeze(1), real),
    "TBackward0": (torch.t, real),
    "TransposeBackward0": (lambda x: x.transpose(0, 1), real),
    "PermuteBackward0": (lambda x: x.permute(1, 0), real),
    "SelectBackward0": (lambda x: x[:, 1], real),
    "SliceBackward0": (lambda x: x[:, ::2], real),
}
VARIANTS: list[tuple[Program, Callable[[int], Tensor]]] = [
    *((lambda x, n=n: x**n, positive) for n in (-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 2.5)),
    (lambda x: 2**x, real),
    (lambda x: x / 4, real),
    (lambda x: x * -3, real),
    (lambda x: x.div(2, rounding_mode="floor"), real),
    (F.relu6, real),
    (lambda x: F.gelu(x, approximate="tanh"), real),
    (lambda x: F.softplus(x), real),
    (lambda x: x.clamp(min=0), real),
    (lambda x: x.clamp(max=0), real),
    (lambda x: x.mean(0), real),
    (lambda x: x.mean(-1, keepdim=True), real),
    (lambda x: torch.linalg.vector_norm(x, 1), real),
    (lambda x: x[2], real),
    (lambda x: x[1:3], real),
    (lambda x: x[-1], real),
    (lambda x: x[..., -1], real),
    (lambda x: x.mT, lambda seed: seeded(2, 3, 4, seed=seed)),
    (lambda x: x.permute(2, 0, 1), lambda seed: seeded(2, 3, 4, seed=seed)),
    (lambda x: x.squeeze(), lambda seed: seeded(4, 1, 3, seed=seed)),
    (lambda x: x.expand(4, 3), lambda seed: seeded(1, 3, seed=seed)),
]
TWO: dict[str, tuple[Program, Callable[[int], Tensor], Callable[[int], Tensor]]] = {
    "AddBackward0": (lambda a, b: torch.add(a, b, alpha=2.5), real, real),
    "SubBackward0": (lambda a, b: torch.sub(a, b, alpha=2), real, real),
    "RsubBackward0": (lambda a, b: torch.rsub(a, b, alpha=3), real, real),
    "MulBackward0": (torch.mul, real, real),
    "DivBackward0": (torch.div, real, positive),
    "DivBackward2": (lambda a, b: torch.div(a, b, rounding_mode="trunc"), real, positive),
    "PowBackward1": (torch.pow, positive, real),
    "LerpBackward0": (lambda a, b: torch.lerp(a, b, 0.3), real, real),
    "HypotBackward0": (torch.hypot, real, real),
    "Atan2Backward0": (torch.atan2, real, real),
    "XlogyBackward0": (torch.xlogy, positive, positive),
    "LogaddexpBackward0": (torch.logaddexp, real, real),
    "MaximumBackward0": (torch.maximum, real, real),
    "MinimumBackward0": (torch.minimum, real, real),
    "FmaxBackward0": (torch.fmax, real, real),
    "FminBackward0": (torch.fmin, real, real),
    "ClampMinBackward1": (torch.clamp_min, real, real),
    "ClampMaxBackward1": (torch.clamp_max, real, real),
    "MseLossBackward0": (F.mse_loss, real, real),
    "HuberLossBackward0": (lambda a, b: F.huber_loss(a, b, delta=0.7), real, real),
    "SmoothL1LossBackward0": (lambda a, b: F.smooth_l1_loss(a, b, beta=0.5), real, real),
    "BinaryCrossEntropyBackward0": (F.binary_cross_entropy, positive, positive),
    "BinaryCrossEntropyWithLogitsBackward0": (F.binary_cross_entropy_with_logits, real, positive),
    "DistBackward0": (torch.dist, real, real),
    "CatBackward0": (lambda a, b: torch.cat([a, b], dim=-1), real, lambda seed: seeded(4, 5, seed=seed)),
    "StackBackward0": (lambda a, b: torch.stack([a, b], dim=1), real, real),
    "MmBackward0": (torch.mm, real, lambda seed: seeded(3, 5, seed=seed)),
    "MvBackward0": (torch.mv, real, lambda seed: seeded(3, seed=seed)),
    "DotBackward0": (torch.dot, lambda seed: seeded(3, seed=seed), lambda seed: seeded(3, seed=seed)),
}
THREE: dict[str, Program] = {
    "AddcmulBackward0": lambda a, b, c: torch.addcmul(a, b, c, value=-2),
    "AddcdivBackward0": lambda a, b, c: torch.addcdiv(a, b, c, value=3),
    "LerpBackward1": torch.lerp,
    "ClampBackward0": torch.clamp,
}


def check(program: Program, inputs: list[Tensor], *, expressions: bool) -> str:
    """Hold every rule of a node against torch; with ``expressions`` the operands are sums like u − v."""
    letters = string.ascii_lowercase[: len(inputs)]
    names: dict[str, Any] = dict(zip(letters, inputs, strict=True))
    labels = list(letters)
    if expressions:
        labels = [f"{letter}1 − {letter}2" for letter in letters]
        for letter, tensor in zip(letters, inputs, strict=True):
            names[f"{letter}2"] = torch.full_like(tensor, 0.25)
            names[f"{letter}1"] = tensor.detach() + 0.25
    name, gradient, pairs, output = rules_and_gradients(program, inputs, labels, "res")
    names = {key: value.detach() for key, value in names.items()} | {"res": output}
    for (text, expected), tensor in zip(pairs, inputs, strict=True):
        assert text, f"{name} has no rule"
        actual = apply(text, gradient, tensor, names)
        torch.testing.assert_close(
            actual.broadcast_to(expected.shape), expected, msg=lambda m, t=text: f"{name}: {t!r}\n{m}"
        )
    return name


@pytest.mark.parametrize("expressions", [False, True], ids=["names", "expressions"])
@pytest.mark.parametrize("grad_fn", ONE)
def test_one_operand(grad_fn: str, expressions: bool) -> None:
    program, make = ONE[grad_fn]
    assert check(program, [make(1)], expressions=expressions) == grad_fn


@pytest.mark.parametrize("expressions", [False, True], ids=["names", "expressions"])
@pytest.mark.parametrize("number", range(len(VARIANTS)))
def test_attribute_values(number: int, expressions: bool) -> None:
    program, make = VARIANTS[number]
    check(program, [make(2)], expressions=expressions)


@pytest.mark.parametrize("expressions", [False, True], ids=["names", "expressions"])
@pytest.mark.parametrize("grad_fn", TWO)
def test_two_operands(grad_fn: str, expressions: bool) -> None:
    program, first, second = TWO[grad_fn]
    assert check(program, [first(1), second(2)], expressions=expressions) == grad_fn


@pytest.mark.parametrize("expressions", [False, True], ids=["names", "expressions"])
@pytest.mark.parametrize("grad_fn", THREE)
def test_three_operands(grad_fn: str, expressions: bool) -> None:
    inputs = [real(1), real(2), positive(3)]
    if grad_fn == "ClampBackward0":
        inputs = [real(1), seeded(4, 3, low=-1.0, high=-0.5, seed=2), positive(3)]
    assert check(THREE[grad_fn], inputs, expressions=expressions) == grad_fn


def test_the_reader_can_fail() -> None:
    gradient, x = real(1).detach(), real(2).detach()
    right = apply("× cos(a)", gradient, x, {"a": x})
    torch.testing.assert_close(right, gradient * x.cos())
    assert not torch.allclose(apply("× sin(a)", gradient, x, {"a": x}), right)
    with pytest.raises(AssertionError, match="no rule like"):
        apply("somehow", gradient, x, {"a": x})


def test_products_with_a_bias() -> None:
    bias, left, right = seeded(4, 5, seed=1), real(2), seeded(3, 5, seed=3)
    program = lambda c, x, w: torch.addmm(c, x, w, alpha=2, beta=3)  # noqa: E731
    name, gradient, pairs, _ = rules_and_gradients(program, [bias, left, right], ["c", "x", "w"], "")
    assert name == "AddmmBackward0"
    assert [text for text, _ in pairs] == ["× 3", "@ wᵀ × 2", "xᵀ @ × 2"]
    matrices = {"x": left.detach(), "w": right.detach()}
    for (text, expected), tensor in zip(pairs, [bias, left, right], strict=True):
        torch.testing.assert_close(apply(text, gradient, tensor, matrices), expected)


def test_a_transpose_is_turned_back() -> None:
    assert rule("MmBackward0", 0, Operands(("x", "Wᵀ"))) == "@ W"
    assert rule("MmBackward0", 0, Operands(("x", "W"))) == "@ Wᵀ"
    assert rule("MmBackward0", 0, Operands(("x", "a + b"))) == "@ (a + b)ᵀ"


@pytest.mark.parametrize("dims", [None, 0, 1])
def test_var_and_std(dims: int | None) -> None:
    x = real(5)
    for function in (torch.var, torch.std):
        name, gradient, [(text, expected)], y = rules_and_gradients(
            lambda a, f=function: f(a, dim=dims), [x], ["x"], "y"
        )
        mean = x.detach().mean() if dims is None else x.detach().mean(dims, keepdim=True)
        if dims is not None:
            y, gradient = y.unsqueeze(dims), gradient.unsqueeze(dims)
        actual = apply(text, gradient, x, {"x": x.detach(), "mean": mean, "y": y})
        torch.testing.assert_close(actual, expected, msg=lambda m, n=name, t=text: f"{n}: {t}\n{m}")


def test_a_sum_of_one_axis_and_its_softmax() -> None:
    x = real(6)
    _, gradient, [(text, expected)], _ = rules_and_gradients(lambda a: a.sum(0), [x], ["x"], "")
    torch.testing.assert_close(apply(text, gradient, x, {}), expected)
    name, gradient, [(text, expected)], _ = rules_and_gradients(lambda a: a.logsumexp(-1), [x], ["x"], "")
    assert (name, text) == ("LogsumexpBackward0", "× softmax(x)")
    torch.testing.assert_close(apply(text, gradient.unsqueeze(-1), x, {"x": x.detach()}), expected)


def test_scalar_that_torch_keeps_as_an_attribute() -> None:
    name, gradient, [(text, expected)], _ = rules_and_gradients(torch.linalg.det, [seeded(3, 3)], ["A"], "d")
    assert (name, text) == ("LinalgDetBackward0", "× d·inv(A)ᵀ")
    matrix = seeded(3, 3).detach()
    torch.testing.assert_close(gradient * matrix.det() * torch.linalg.inv(matrix).mT, expected)
    node = torch.trapz(real(1)).grad_fn
    assert node is not None
    assert node.name() == "MulBackward1"
    assert rule("MulBackward1", 0, Operands(("x",), "", attributes(node))) == "× 1"
    assert rule("MulBackward1", 0, Operands(("x",), "", {"other": "0.5"})) == "× 0.5"


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy(reduction: str) -> None:
    x, target = real(7), torch.tensor([0, 2, -100, 1])
    loss = F.cross_entropy(x, target, reduction=reduction)
    node = loss.grad_fn
    assert node is not None
    assert node.name() == "NllLossBackward0"
    saved = attributes(node)
    expected = {"mean": "−1/3 at the target", "sum": "−1 at the target"}[reduction]
    assert rule(node.name(), 0, Operands(("x",), "", saved, ((4, 3),), ())) == expected
    (gradient,) = torch.autograd.grad(loss, x)
    probability = x.detach().softmax(-1)
    step = 1 / 3 if reduction == "mean" else 1.0
    picked = torch.zeros(4, 3, dtype=torch.float64)
    picked[0, 0] = picked[1, 2] = picked[3, 1] = -step
    torch.testing.assert_close(gradient, picked - probability * picked.sum(-1, keepdim=True))
    assert rule(node.name(), 0, Operands(("x",), "", {"reduction": "1"})) == "−1/n at the target"


def test_losses_with_weights_say_so() -> None:
    x, target, weight = real(7), torch.tensor([0, 2, 1, 1]), positive(1).detach()
    node = F.nll_loss(x, target, weight[0], reduction="sum").grad_fn
    assert node is not None
    assert rule(node.name(), 0, Operands(("x",), "", attributes(node))) == "−weight at the target"
    node = F.binary_cross_entropy_with_logits(x, positive(2), weight).grad_fn
    assert node is not None
    assert rule(node.name(), 0, Operands(("x",), "", attributes(node))) == ""


def test_selu_is_elu_with_its_constants_rounded() -> None:
    x = real(8)
    name, gradient, [(text, expected)], _ = rules_and_gradients(F.selu, [x], ["x"], "")
    assert (name, text) == ("EluBackward0", "× 1.051 if x > 0 else 1.758·exp(x)")
    torch.testing.assert_close(apply(text, gradient, x, {"x": x.detach()}), expected, rtol=1e-3, atol=1e-3)


def test_maximum_ties_share() -> None:
    a = torch.ones(2, requires_grad=True)
    torch.maximum(a, torch.ones(2)).sum().backward()
    assert a.grad is not None
    assert a.grad.tolist() == [0.5, 0.5]


# ---- names of arguments -----------------------------------------------------------------------

ORDERS: list[tuple[Callable[..., Tensor], list[tuple[int, ...]], list[str]]] = [
    (torch.mul, [(3,), (3,)], ["self", "other"]),
    (torch.sub, [(3,), (3,)], ["self", "other"]),
    (torch.addmm, [(4, 5), (4, 3), (3, 5)], ["self", "mat1", "mat2"]),
    (torch.baddbmm, [(2, 3, 5), (2, 3, 4), (2, 4, 5)], ["self", "batch1", "batch2"]),
    (torch.lerp, [(3,), (3,), (3,)], ["self", "end", "weight"]),
    (F.mse_loss, [(3,), (3,)], ["self", "target"]),
    (lambda x, w, b: F.layer_norm(x, (3,), w, b), [(4, 3), (3,), (3,)], ["input", "weight", "bias"]),
    (F.conv2d, [(1, 2, 5, 5), (3, 2, 3, 3), (3,)], ["input", "weight", "bias"]),
    (torch.clamp, [(3,), (3,), (3,)], ["self", "min", "max"]),
    (lambda *t: torch.cat(t), [(2,), (3,), (4,)], ["tensors[0]", "tensors[1]", "tensors[2]"]),
    (lambda *t: torch.stack(t), [(2,), (2,)], ["tensors[0]", "tensors[1]"]),
    (
        lambda a, b, c, d: torch._foreach_pow([a, b], [c, d])[1],
        [(2,)] * 4,
        ["self[0]", "self[1]", "exponent[0]", "exponent[1]"],
    ),
    (
        F.scaled_dot_product_attention,
        [(1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8)],
        ["query", "key", "value"],
    ),
]


@pytest.mark.parametrize("number", range(len(ORDERS)))
def test_slots_are_in_the_order_of_the_argument_names(number: int) -> None:
    program, shapes, names = ORDERS[number]
    inputs = [seeded(*shape, seed=i) for i, shape in enumerate(shapes)]
    node = program(*inputs).grad_fn
    assert node is not None
    assert list(argument_names(node.name(), len(node.next_functions))) == names
    for position, tensor in enumerate(inputs):
        frozen = [other.detach().requires_grad_(i != position) for i, other in enumerate(inputs)]
        stubs = program(*frozen).grad_fn.next_functions  # type: ignore[union-attr]
        assert [i for i, (before, _) in enumerate(stubs) if before is None] == [position], tensor.shape


def test_every_name_in_the_tables_is_a_node_of_torch() -> None:
    real_names = set(dir(torch._C._functions))
    known = {*RULES, *FUSED, *ROUTED, *POINTWISE}
    missing = {name for name in known if name not in real_names}
    assert not missing


def test_rules_only_for_slots_that_exist() -> None:
    for name in RULES:
        if name not in ("CatBackward0", "StackBackward0", "CopyBackwards"):
            assert rule(name, 4, Operands()) == "", name
        assert isinstance(rule(name, 0, Operands()), str)


def test_unknown_names_say_nothing() -> None:
    assert rule("NoSuchBackward0", 0, Operands()) == ""
    assert formulas("NoSuchBackward0", 2) == ("", "")
    assert argument_names("NoSuchBackward0", 2) == ()
    assert argument_names("MulBackward0", 5) == ()
    assert rule("MulBackward0", 7, Operands(("a", "b"))) == ""


def test_names_that_are_missing() -> None:
    assert rule("MulBackward0", 0, Operands()) == "× other"
    assert rule("MulBackward0", 1, Operands()) == "× x"
    assert rule("MulBackward0", 0, Operands(("x", ""), "", {"other": "2.0"})) == "× 2"
    assert rule("MulBackward0", 0, Operands(("x", ""), "", {"other": "tensor"})) == "× other"
    assert rule("torch::autograd::CopyBackwards", 1, Operands()) == "× 1"


def test_the_thermometer() -> None:
    square = Operands(("t_p − t_c",), "squared_diffs", {"exponent": "2"}, ((11,),), (11,))
    assert rule("PowBackward0", 0, square) == "× 2(t_p − t_c)"
    assert rule("MulBackward0", 0, Operands(("w", "t_u"))) == "× t_u"
    mean = Operands(("squared_diffs",), "loss", {"self_sym_numel": "11"}, ((11,),), ())
    assert rule("MeanBackward0", 0, mean) == "÷ 11"
    assert rule("SubBackward0", 1, Operands(("t_p", "t_c"), "", {"alpha": "1"})) == "× −1"
    assert rule("AddBackward0", 1, Operands(("w·t_u", "b"), "", {"alpha": "1"})) == "× 1"


def test_long_operands_are_written_through_the_result() -> None:
    label = "w·t_u + b"
    assert rule("SigmoidBackward0", 0, Operands((label,), "p")) == "× p(1 − p)"
    assert rule("TanhBackward0", 0, Operands(("h",), "hidden")) == "× (1 − tanh²(h))"


def test_complex_operands_get_no_real_rule() -> None:
    z = Operands(("z", "w"), "", {"self_sym_sizes": "(3,)"}, ((3,), (3,)), (), ("torch.complex64",) * 2)
    assert rule("MulBackward0", 0, z) == ""
    assert rule("AddBackward0", 0, z) == "× 1"
    assert rule("SumBackward0", 0, z) == "broadcast to (3)"


def test_signed_dimensions() -> None:
    saved = {"dim": str(2**64 - 1), "index": "1"}
    assert rule("SelectBackward0", 0, Operands(("x",), "", saved, ((2, 3),), (2,))) == "to element [:, 1]"


# ---- the file ---------------------------------------------------------------------------------


def test_the_file_is_whole() -> None:
    table = json.loads(make_formulas.FORMULAS_FILE.read_text(encoding="utf-8"))
    assert len(table["nodes"]) >= 640
    assert table["torch"] == torch_version()
    assert formulas("PowBackward0", 1) == ("pow_backward(grad, self, exponent)",)
    assert all(len(node["args"]) == len(node["formulas"]) for node in table["nodes"].values())
    assert table["nodes"]["CatBackward0"]["lists"] == [0]


@pytest.mark.slow
def test_the_file_is_what_the_script_makes() -> None:
    pytest.importorskip("yaml")
    if torch.__version__.partition("+")[0] != torch_version():
        pytest.skip("another torch than the one the file was made from")
    assert make_formulas.main(["--check"]) == 0


def test_a_missing_reader_of_yaml_is_named() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from autograd_tour.rules import make_formulas\nmake_formulas.main(['--check'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install PyYAML" in run.stderr


def test_the_probability_of_a_dropout_is_no_factor_of_its_product():
    def dropped() -> Tensor:
        x = torch.ones(4, requires_grad=True)
        return F.dropout(x, 0.4).sum() + (x * 3).sum() + (2 / x).sum()

    graph = tour.trace(dropped)
    rules = {edge.rule for edge in graph.select("gradient")}
    assert "× 0.4" not in rules
    assert "× 3" in rules
