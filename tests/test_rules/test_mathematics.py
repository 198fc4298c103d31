"""Rules as equations: what they say, and that LaTeX and MathML are well-formed whatever a name looks like."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from autograd_tour.record.rule import Constant, Symbol, Words, apply
from autograd_tour.rules.mathematics import equation, latex, mathml
from autograd_tour.rules.node import NodeView, Operand
from autograd_tour.rules.table import rule
from tests.test_rules.test_rules_hold import every_form

X, W, Y = Operand("x", (2, 3), "float64"), Operand("W", (3, 4), "float64"), Operand("y", (2, 4), "float64")


def of(kind: str, slot: int, *inputs: Operand, output: Operand = Y, **attributes: object):
    given = rule(NodeView(kind, inputs, (output,), attributes), slot)
    assert given is not None
    return given


@pytest.mark.parametrize(
    ("given", "target", "text"),
    [
        (of("MmBackward0", 1, X, W), "W", "∂L/∂W = xᵀ · ∂L/∂y"),
        (of("MmBackward0", 0, X, W), "x", "∂L/∂x = ∂L/∂y · Wᵀ"),
        (of("MulBackward0", 0, Operand("w", ()), Operand("t_u", (11,)), output=Operand("y", (11,))), "w", "∂L/∂w = Σ (∂L/∂y ⊙ t_u) over 11 copies"),
        (of("AddBackward0", 1, X, X, alpha=1), "b", "∂L/∂b = ∂L/∂y"),
        (of("PowBackward0", 0, Operand("e", (3,)), exponent=2), "e", "∂L/∂e = ∂L/∂y ⊙ 2 · e"),
        (of("ReluBackward0", 0, X), "x", "∂L/∂x = ∂L/∂y ⊙ 1[x > 0]"),
        (of("TBackward0", 0, X), "x", "∂L/∂x = (∂L/∂y)ᵀ"),
        (of("SumBackward0", 0, X, output=Operand("s", ())), "x", "∂L/∂x = ∂L/∂y, broadcast to (2, 3)"),
        (of("DivBackward0", 1, X, X), "b", "∂L/∂b = ∂L/∂y ⊙ (−x/x²)"),
        (of("SoftmaxBackward0", 0, X, output=Operand("p", (2, 3)), dim=1), "x", "∂L/∂x = p ⊙ (∂L/∂y − Σ (p ⊙ ∂L/∂y) along dim 1)"),
        (Words("through the gates"), "h", "∂L/∂h = ∂L/∂y, through the gates"),
    ],
)  # fmt: skip
def test_an_equation_says_what_the_rule_does(given, target, text):
    assert equation(given, target, "y") == text


def test_the_same_stands_in_latex_and_mathml():
    given = of("MmBackward0", 1, X, W)
    derivative = r"\frac{\partial L}{\partial %s}"
    assert latex(given, "W", "y") == rf"{derivative % 'W'} = {{x}}^{{\mathsf{{T}}}} \cdot {derivative % 'y'}"
    root = ElementTree.fromstring(mathml(given, "W", "y"))
    assert "".join(root.itertext()) == "∂L∂W=xT·∂L∂y"


def test_each_output_has_its_own_gradient():
    every = apply("stack_all", Symbol("gradient", -1), dim=0)
    assert equation(every, "x", ["a", "b"]) == "∂L/∂x = stack(∂L/∂a, ∂L/∂b)"
    assert equation(Symbol("gradient", 1), "x", ["a", "b"]) == "∂L/∂x = ∂L/∂b"


NAMES = [
    "t_p",
    "θ",
    "größe",
    "x'",
    "a<b",
    "A & B",
    "{",
    "}",
    "100%",
    "$x$",
    "\\frac",
    "重み",
    "x^2",
    "#~",
    "\x00",
    "",
]


def balanced(text: str) -> bool:
    """Whether braces close, those that LaTeX prints left out."""
    depth = 0
    for char in re.sub(r"\\[{}\\]", "", text):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_escaped(name):
    given = Symbol("gradient") * (Symbol("input", 0, name) ** 2 + Constant(1e-5))
    ElementTree.fromstring(mathml(given, name, name))
    text = latex(given, name, name)
    assert balanced(text)
    assert not re.search(r"(?<!\\)[%$#&~]", text)


def test_every_rule_has_an_equation_in_all_three():
    for form in every_form():
        plain = equation(form, "x", ["y", "z"])
        assert plain.startswith("∂L/∂x = ")
        assert not any(hole in plain for hole in ("None", "attribute", "{", "()", "  ")), plain
        assert balanced(latex(form, "x", ["y", "z"])), plain
        root = ElementTree.fromstring(mathml(form, "x", ["y", "z"]))
        assert root.tag.endswith("math")
