"""A small reader: the text of a local rule, evaluated as mathematics."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["evaluate"]


def _derivative_of_gelu_tanh(x: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(F.gelu(x, approximate="tanh").sum(), x)[0]


FUNCTIONS: dict[str, Any] = {
    "exp": torch.exp,
    "ln": lambda x: torch.log(torch.as_tensor(x, dtype=torch.float64)),
    "cos": torch.cos,
    "sin": torch.sin,
    "cosh": torch.cosh,
    "sinh": torch.sinh,
    "tan": torch.tan,
    "tanh": torch.tanh,
    "sigma": torch.sigmoid,
    "Phi": lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "phi": lambda x: torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
    "sqrt": lambda x: x**0.5,
    "sign": torch.sign,
    "abs": torch.abs,
    "norm": lambda x: x.norm(),
    "clamp": lambda x, limit: x.clamp(-limit, limit),
    "gelu_tanh_prime": _derivative_of_gelu_tanh,
    "one_if": lambda condition: torch.as_tensor(condition).to(torch.float64),
    "both": lambda low, x, high, strict: (low < x) & (x < high) if strict else (low <= x) & (x <= high),
    "softmax": lambda x: x.softmax(-1),
    "pi": math.pi,
}


def to_python(text: str) -> str:
    """Turn the notation of the rules into Python: products that are not written, roots, superscripts."""
    for old, new in {
        "−": "-",
        "·": "*",
        "²": "**2",
        "³": "**3",
        "^": "**",
        "√π": "sqrt(pi)",
        "±": "",
    }.items():
        text = text.replace(old, new)
    text = (
        text.replace("gelu_tanh′", "gelu_tanh_prime")
        .replace("σ", "sigma")
        .replace("≤", "<=")
        .replace("≥", ">=")
    )
    text = text.replace("Φ", "Phi").replace("φ", "phi")
    text = re.sub(r"tan(h?)\*\*2\(((?:[^()]|\([^()]*\))*)\)", r"(tan\1(\2))**2", text)
    text = re.sub(r"‖(.+?)‖", r"norm(\1)", text)
    text = re.sub(r"√([\w.]+)", r"sqrt(\1)", text).replace("√(", "sqrt(")
    text = re.sub(r"1\[(.+?) (<=?) (.+?) \2 (.+?)\]", _both, text)
    text = re.sub(r"1\[([^\]]+?) = ([^\]]+?)\]", r"one_if(\1 == \2)", text)
    text = re.sub(r"1\[(.+?)\]", r"one_if(\1)", text)
    if " if " in text and _bracketed(text):
        text = text[1:-1]
    text = re.sub(r"^0 if (.+?), ½ if (.+?) = (.+?), else 1$", r"1 - one_if(\1) - 0.5*one_if(\2 == \3)", text)
    text = re.sub(r"^(.*) if (\S+) < (.+) < (\S+) else (.*)$", r"(\1)*one_if(both(\2, \3, \4, True))", text)
    text = re.sub(r"^(.*) if (.+) else (.*)$", r"(\1)*one_if(\2) + (\3)*(1 - one_if(\2))", text)
    text = re.sub(r"\)\(", ")*(", text)
    # 2x, 2(x + 1), y(1 − y): a number, or a single letter, stands against what it multiplies.
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)(?=[a-df-zA-Z(])", r"\1*", text)
    return re.sub(r"(?<![\w.])([a-z])\(", r"\1*(", text)


def _bracketed(text: str) -> bool:
    """Whether one pair of brackets is around all of ``text``."""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and at < len(text) - 1:
            return False
    return text.startswith("(")


def _both(match: re.Match[str]) -> str:
    low, relation, middle, high = match.groups()
    return f"one_if(both({low}, {middle}, {high}, {relation == '<'}))"


def _of_numbers_too(function: Any) -> Any:
    if not callable(function):
        return function
    return lambda *given: function(
        *(
            torch.as_tensor(item, dtype=torch.float64) if isinstance(item, int | float) else item
            for item in given
        )
    )


READABLE = {name: _of_numbers_too(function) for name, function in FUNCTIONS.items()}


def evaluate(text: str, names: dict[str, Any]) -> Any:
    """The value of a rule's factor, with tensors or numbers for its names."""
    return eval(to_python(text), {**READABLE, "__builtins__": {}}, names)
