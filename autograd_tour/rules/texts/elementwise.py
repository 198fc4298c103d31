"""Rules of the operations that work element by element: the incoming gradient times a derivative."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.rules.texts.operands import Operands, Rule, Term, show, template, times

__all__ = ["ELEMENTWISE"]

_SAME = template("× 1")
_ZERO = template("× 0")


def _sum(signs: tuple[int, int], scaled: int) -> Rule:
    """``self ± alpha·other`` and its relatives: ``alpha`` belongs to the slot ``scaled``."""

    def rule(operands: Operands, slot: int) -> str:
        alpha = operands.number("alpha")
        if not 0 <= slot < 2:
            return ""
        return f"× {show(signs[slot] * (1 if slot != scaled or alpha is None else alpha))}"

    return rule


def _divided(by_tensor: bool) -> Rule:
    plain = template("÷ {b:q}", "× −{a:f}/{b:p}²") if by_tensor else template("÷ {other:q}")

    def rule(operands: Operands, slot: int) -> str:
        return "× 0" if operands.text("rounding_mode") else plain(operands, slot)

    return rule


def power(base: Term, exponent: float) -> str:
    """``x``, ``x²``, ``√x``, ``x^5``: the exponent is positive."""
    match exponent:
        case 1:
            return f"{base:f}"
        case 2 | 3:
            return f"{base:p}{'²' if exponent == 2 else '³'}"
        case 0.5:
            return f"√{base:p}"
    return f"{base:p}^{show(exponent)}"


def _power(operands: Operands, _: int) -> str:
    exponent, base = operands.number("exponent"), operands.name(0)
    if exponent is None:
        return f"× n·{base:p}^(n − 1)"
    if exponent in (0, 1):
        return f"× {show(exponent)}"
    if exponent == 2:
        return f"× 2{base:d}"
    if exponent < 1:
        return f"× {show(exponent)}/{power(base, 1 - exponent)}"
    raised = power(base, exponent - 1)
    touching = len(base) == 1 or raised.startswith("(")
    return f"× {show(exponent)}{raised if touching else f'·{raised}'}"


def _scaled(*slots: str) -> Rule:
    """Templates multiplied by the attribute ``value``, as in addcmul; the first slot is not.

    A leading − in a template joins the factor.
    """
    plain = template(*slots)

    def rule(operands: Operands, slot: int) -> str:
        factor = operands.number("value")
        text = plain(operands, slot)
        if not text:
            return ""
        sign = -1 if text.startswith("−") else 1
        return f"× {times(sign * (1 if factor is None or slot == 0 else factor), text.removeprefix('−'))}"

    return rule


def _between(low: str, high: str, relation: str) -> Rule:
    """1 between two bounds, 0 outside."""

    def rule(operands: Operands, _: int) -> str:
        lower, upper, x = operands.number(low), operands.number(high), operands.name(0)
        if lower is None and upper is None:
            return "× 1"
        if upper is None:
            return f"× 1[{x} {relation.replace('<', '>').replace('≤', '≥')} {show(lower or 0.0)}]"
        if lower is None:
            return f"× 1[{x} {relation} {show(upper)}]"
        return f"× 1[{show(lower)} {relation} {x} {relation} {show(upper)}]"

    return rule


def _leaky_relu(operands: Operands, _: int) -> str:
    slope = operands.number("negative_slope")
    return f"× 1 if {operands.name(0)} > 0 else {'slope' if slope is None else show(slope)}"


def _elu(operands: Operands, _: int) -> str:
    alpha, scale = operands.number("alpha"), operands.number("scale")
    alpha, scale = 1.0 if alpha is None else alpha, 1.0 if scale is None else scale
    inner = operands.number("input_scale") or 1.0
    x = operands.name(0)
    exponential = f"exp({x})" if inner == 1 else f"exp({times(inner, f'{x:f}')})"
    return f"× {show(scale)} if {x} > 0 else {times(alpha * scale * inner, exponential)}"


def _celu(operands: Operands, _: int) -> str:
    alpha, x = operands.number("alpha"), operands.name(0)
    exponential = f"exp({x})" if alpha in (None, 1) else f"exp({x:f}/{show(alpha or 1)})"
    return f"× 1 if {x} > 0 else {exponential}"


def _softplus(operands: Operands, _: int) -> str:
    beta, x = operands.number("beta"), operands.name(0)
    return f"× σ({x})" if beta in (None, 1) else f"× σ({times(beta or 1, f'{x:f}')})"


def _gelu(operands: Operands, _: int) -> str:
    x = operands.name(0)
    if operands.text("approximate") == "tanh":
        # The derivative of the approximation, too long to write out on an arrow.
        return f"× gelu_tanh′({x})"
    return f"× (Φ({x}) + {x:f}·φ({x}))"


def _dropout(operands: Operands, _: int) -> str:
    dropped = operands.number("p")
    if dropped is None:
        return "× mask/(1 − p)"
    return "× 0" if dropped == 1 else f"× mask/{show(1 - dropped)}"


ELEMENTWISE: Mapping[str, Rule] = {
    # arithmetic
    "AddBackward0": _sum((1, 1), 1),
    "AddBackward1": _SAME,
    "SubBackward0": _sum((1, -1), 1),
    "SubBackward1": _SAME,
    "RsubBackward0": _sum((-1, 1), 0),
    "RsubBackward1": _sum((-1, 1), 0),
    "NegBackward0": template("× −1"),
    "MulBackward0": template("× {b:l}", "× {a:l}"),
    "MulBackward1": template("× {other:l}"),
    "DivBackward0": _divided(by_tensor=True),
    "DivBackward1": _divided(by_tensor=False),
    "DivBackward2": _divided(by_tensor=True),
    "DivBackward3": _divided(by_tensor=False),
    "PowBackward0": _power,
    "PowBackward1": template("× {b:f}·{a:p}^({b} − 1)", "× {a:p}^{b:p}·ln({a}) | × {y:f}·ln({a})"),
    "PowBackward2": template("× {self:p}^{x:p}·ln({self}) | × {y:f}·ln({self})"),
    "SqrtBackward0": template("× 1/(2√{x:p}) | × 1/(2{y:d})"),
    "RsqrtBackward0": template("× −1/(2·{x:p}^1.5)"),
    "ReciprocalBackward0": template("× −1/{x:p}²"),
    "AddcmulBackward0": _scaled("1", "{c:f}", "{b:f}"),
    "AddcdivBackward0": _scaled("1", "1/{c:q}", "−{b:f}/{c:p}²"),
    "LerpBackward0": template("× (1 − {weight:f})", "× {weight:l}"),
    "LerpBackward1": template("× (1 − {c:f})", "× {c:l}", "× ({b} − {a:f})"),
    "HypotBackward0": template("× {a:f}/{y:q}", "× {b:f}/{y:q}"),
    "Atan2Backward0": template("× {b:f}/({a:p}² + {b:p}²)", "× −{a:f}/({a:p}² + {b:p}²)"),
    "XlogyBackward0": template("× ln({b})", "× {a:f}/{b:q}"),
    "FmodBackward0": _SAME,
    "RemainderBackward0": _SAME,
    # exponentials, logarithms, trigonometry; a long operand is better written through the result
    "ExpBackward0": template("× exp({x}) | × {y:l}"),
    "Exp2Backward0": template("× 2^{x:p}·ln(2) | × {y:f}·ln(2)"),
    "Expm1Backward0": template("× exp({x})"),
    "LogBackward0": template("× 1/{x:q}"),
    "Log1PBackward0": template("× 1/(1 + {x})"),
    "Log2Backward0": template("× 1/({x:f}·ln(2))"),
    "Log10Backward0": template("× 1/({x:f}·ln(10))"),
    "LogaddexpBackward0": template("× exp({a} − {y:f})", "× exp({b} − {y:f})"),
    "SinBackward0": template("× cos({x})"),
    "CosBackward0": template("× −sin({x})"),
    "TanBackward0": template("× (1 + tan²({x})) | × (1 + {y:p}²)"),
    "AsinBackward0": template("× 1/√(1 − {x:p}²)"),
    "AcosBackward0": template("× −1/√(1 − {x:p}²)"),
    "AtanBackward0": template("× 1/(1 + {x:p}²)"),
    "SinhBackward0": template("× cosh({x})"),
    "CoshBackward0": template("× sinh({x})"),
    "AsinhBackward0": template("× 1/√({x:p}² + 1)"),
    "AcoshBackward0": template("× 1/√({x:p}² − 1)"),
    "AtanhBackward0": template("× 1/(1 − {x:p}²)"),
    "ErfBackward0": template("× 2·exp(−{x:p}²)/√π"),
    "ErfcBackward0": template("× −2·exp(−{x:p}²)/√π"),
    # activations
    "SigmoidBackward0": template("× σ({x})(1 − σ({x})) | × {y:m}(1 − {y:f})"),
    "TanhBackward0": template("× (1 − tanh²({x})) | × (1 − {y:p}²)"),
    "LogSigmoidBackward0": template("× σ(−{x:p})"),
    "ReluBackward0": template("× 1[{x} > 0]"),
    "ThresholdBackward0": template("× 1[{x} > {threshold}]"),
    "LeakyReluBackward0": _leaky_relu,
    "PreluKernelBackward0": template("× 1 if {a} > 0 else {b}", "× 0 if {a} > 0 else {a}"),
    "EluBackward0": _elu,
    "CeluBackward0": _celu,
    "SoftplusBackward0": _softplus,
    "GeluBackward0": _gelu,
    "SiluBackward0": template("× σ({x})(1 + {x:m}(1 − σ({x}))) | × (σ({x}) + {y:m}(1 − σ({x})))"),
    "HardtanhBackward0": _between("min_val", "max_val", "<"),
    "HardsigmoidBackward0": template("× 1/6 if −3 < {x} < 3 else 0"),
    "HardshrinkBackward0": template("× 1[abs({x}) > {lambd}]"),
    "SoftshrinkBackward0": template("× 1[abs({x}) > {lambd}]"),
    "NativeDropoutBackward0": _dropout,
    # gates and steps
    "AbsBackward0": template("× sign({x})"),
    "ClampBackward0": template("× 1[{b} ≤ {a} ≤ {c}]", "× 1[{a} < {b}]", "× 1[{a} > {c}]"),
    "ClampBackward1": _between("min", "max", "≤"),
    "ClampMinBackward0": _between("min", "", "≤"),
    "ClampMinBackward1": template("× 1[{a} ≥ {b}]", "× 1[{a} < {b}]"),
    "ClampMaxBackward0": _between("", "max", "≤"),
    "ClampMaxBackward1": template("× 1[{a} ≤ {b}]", "× 1[{a} > {b}]"),
    "MaximumBackward0": template("× 1[{a} > {b}], ties ½", "× 1[{b} > {a}], ties ½"),
    "MinimumBackward0": template("× 1[{a} < {b}], ties ½", "× 1[{b} < {a}], ties ½"),
    "FmaxBackward0": template("× 1[{a} ≥ {b}]", "× 1[{a} < {b}]"),
    "FminBackward0": template("× 1[{a} ≤ {b}]", "× 1[{a} > {b}]"),
    "WhereBackward0": template("× 1[condition]", "× 1[not condition]"),
    "MaskedFillBackward0": template("× 1[not mask]"),
    **dict.fromkeys(("FloorBackward0", "CeilBackward0", "RoundBackward0", "TruncBackward0"), _ZERO),
    **dict.fromkeys(("SignBackward0", "ZeroBackward0", "FillBackward0", "FillBackward2"), _ZERO),
    "FracBackward0": _SAME,
}
