"""Rules of losses: each element's derivative, divided by what the reduction divides by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from autograd_tour.record.rule import Constant, Expression, Symbol, Words, apply
from autograd_tour.rules.definition import A, B, Definition, G, by_slot
from autograd_tour.rules.elementwise import ln
from autograd_tour.rules.node import NodeView
from autograd_tour.rules.normalisation import U, let
from autograd_tour.rules.pieces import Level, bracket, numeral
from autograd_tour.rules.spelling import plain_name

__all__ = ["LOSSES"]

Element = Callable[[NodeView, int], Expression | None]


def _reduction(node: NodeView) -> int | None:
    """0 keeps every element, 1 takes the mean, 2 the sum."""
    return node.integer("reduction")


def _loss(element: Element) -> Callable[[NodeView, int], Expression | None]:
    """The derivative of one element by the reduction of the loss."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        derivative, reduction = element(node, slot), _reduction(node)
        if derivative is None or reduction is None:
            return None
        g = G if reduction == 0 or node.shape(0) is None else apply("expand", G, shape=node.shape(0), dims=())
        if reduction != 1:
            return g * derivative
        count = node.elements()
        return None if not count else g * (derivative / count)

    return rule


def _reduced(element: Expression) -> Callable[[NodeView, int], Expression]:
    """What the loss computes: its elements, their mean or their sum."""

    def write(node: NodeView, _: int) -> Expression:
        match _reduction(node):
            case 1:
                return apply("mean", element)
            case 2:
                return apply("sum", element)
        return element

    return write


def _mse(node: NodeView, slot: int) -> Expression:
    return 2 * (node.input(slot) - node.input(1 - slot))


def _huber(node: NodeView, slot: int) -> Expression | None:
    """The difference, cut off where the loss turns into a line."""
    difference = node.input(slot) - node.input(1 - slot)
    beta, delta = node.number("beta"), node.number("delta")
    if delta is not None:
        return apply("clamp", difference, -delta, delta)
    if beta is None:
        return None
    if beta == 0:
        return apply("sign", difference)
    return apply("clamp", difference if beta == 1 else difference / beta, -1, 1)


def _weighted(node: NodeView, derivative: Expression) -> Expression:
    return derivative * node.kept("weight", "weight") if "weight" in node.saved else derivative


def _at_least(x: Expression, bound: float) -> Expression:
    return apply("clamp", x, bound, Constant("inf"))


def _bce(node: NodeView, slot: int) -> Expression | None:
    p, t = node.input(0), node.input(1)
    if slot == 1:
        return _weighted(node, ln((1 - p) / p))
    # Torch keeps the divisor away from 0, where p is 0 or 1.
    return _weighted(node, (p - t) / _at_least(p * (1 - p), 1e-12))


def _bce_logits(node: NodeView, slot: int) -> Expression | None:
    x, t = node.input(0), node.input(1)
    if "pos_weight" not in node.saved:
        return _weighted(node, -x if slot == 1 else apply("sigmoid", x) - t)
    p = node.kept("pos_weight", "pos_weight")
    if slot == 1:
        return _weighted(node, ln(apply("sigmoid", -x)) - p * ln(apply("sigmoid", x)))
    return _weighted(node, (1 - t) * apply("sigmoid", x) - p * t * apply("sigmoid", -x))


def _soft_margin(node: NodeView, slot: int) -> Expression | None:
    x, t = node.input(0), node.input(1) if node.operand(1).name else node.kept("target", "target")
    return -t * apply("sigmoid", -t * x) if slot == 0 else None


def _nll(node: NodeView, slot: int) -> Expression | None:
    """What the node divided by is fewer than the rows when some targets are ignored."""
    reduction, shape = _reduction(node), node.shape(0)
    if slot != 0 or reduction is None or shape is None:
        return None
    total = node.number("total_weight")
    target = node.kept("target", "target")
    weight: Expression = Constant(-1)
    if "weight" in node.saved:
        weight = -node.kept("weight", "weight")
    if reduction == 1:
        if not total:
            return None
        weight = weight / total
    skipped, where = _skipped(node), "at the target"
    if skipped is not None:
        where = f"{where}, 0 where it is {numeral(skipped)}"
    return apply("placed_at_target", G, target, weight, shape=shape, ignored=skipped, where=where)


def _skipped(node: NodeView) -> int | None:
    """The target that is ignored; ``None`` if the node counted all rows, so that it occurs in none."""
    ignored = node.integer("ignore_index")
    everywhere = (
        "weight" not in node.saved and _reduction(node) and node.number("total_weight") == _rows(node)
    )
    return None if everywhere else -100 if ignored is None else ignored


def _picked(node: NodeView, _: int) -> Expression | None:
    target, reduction = node.kept("target", "target"), _reduction(node)
    if reduction is None or "weight" in node.saved:
        return None
    picked = -apply("at_target", A, target, ignored=_skipped(node))
    if reduction == 1:
        return apply("mean", picked) if node.number("total_weight") == _rows(node) else None
    return apply("sum", picked) if reduction == 2 else picked


def _rows(node: NodeView) -> float:
    shape = node.shape(0) or ()
    return float(shape[0] if len(shape) > 1 else 1) * float(math.prod(shape[2:]))


def _share(node: NodeView) -> int | None:
    """What a margin loss divides by: the classes, and for a mean the rows too."""
    shape, reduction = node.shape(0), _reduction(node)
    if shape is None or reduction is None:
        return None
    return math.prod(shape if reduction == 1 else shape[-1:])


def _multi_margin(node: NodeView, slot: int) -> Words | None:
    """``max(0, margin − x[target] + x)^p`` for every other class, over the number of classes."""
    share, margin, power = _share(node), node.number("margin"), node.integer("p")
    if slot or share is None or margin is None or power not in (1, 2):
        return None
    x, weight = _score(node), "w[target]" if "weight" in node.saved else ""
    excess = f"{numeral(margin)} − {x}[target] + {x}[c]"
    factor = f"{weight or '1'}/{share}" if power == 1 else f"2{weight}({excess})/{share}"
    return Words(f"× {factor} at other classes c where {excess} > 0, minus their sum at the target")


def _multilabel_margin(node: NodeView, slot: int) -> Words | None:
    """``max(0, 1 − x[target] + x)`` for every target and every class that is none."""
    share, x = _share(node), _score(node)
    if slot or share is None:
        return None
    pairs = f"other classes c where 1 − {x}[t] + {x}[c] > 0"
    return Words(f"for each target t: × 1/{share} at {pairs}, minus their sum at t")


def _score(node: NodeView) -> str:
    """The name of the first input, as it stands before an index."""
    given = node.input(0)
    return bracket(plain_name(given), Level.ATOM) if isinstance(given, Symbol) else "x"


def _huber_forward(node: NodeView, slot: int) -> Expression | None:
    """Half the square up to a bound, a line beyond it."""
    beta, delta = node.number("beta"), node.number("delta")
    bound = beta if delta is None else delta
    if not bound:
        return None
    size, scale = apply("abs", U), 1.0 if delta is not None else 1 / bound
    square, line = U**2 / 2, bound * (size - bound / 2)
    if scale != 1:
        square, line = square / bound, size - bound / 2
    element = apply("where", apply("less", size, bound), square, line)
    return let(A - B, _reduced(element)(node, slot))


def _unweighted(element: Expression) -> Callable[[NodeView, int], Expression | None]:
    def write(node: NodeView, slot: int) -> Expression | None:
        return None if {"weight", "pos_weight"} & node.saved.keys() else _reduced(element)(node, slot)

    return write


def _defined(element: Element, fused: Callable[[NodeView, int], Expression | None] | None) -> Definition:
    return by_slot(_loss(element), fused=fused, pointwise=True)


_CROSS_ENTROPY = -B * _at_least(ln(A), -100) - (1 - B) * _at_least(ln(1 - A), -100)
_OF_LOGITS = ln(1 + apply("exp", A)) - B * A

LOSSES: Mapping[str, Definition] = {
    "MseLossBackward0": _defined(_mse, _reduced((A - B) ** 2)),
    "SmoothL1LossBackward0": _defined(_huber, _huber_forward),
    "HuberLossBackward0": _defined(_huber, _huber_forward),
    "BinaryCrossEntropyBackward0": _defined(_bce, _unweighted(_CROSS_ENTROPY)),
    "BinaryCrossEntropyWithLogitsBackward0": _defined(_bce_logits, _unweighted(_OF_LOGITS)),
    "SoftMarginLossBackward0": _defined(_soft_margin, None),
    "MultiMarginLossBackward0": by_slot(_multi_margin),
    "MultilabelMarginLossBackward0": by_slot(_multilabel_margin),
    "NllLossBackward0": by_slot(_nll, fused=_picked, routed=True),
    "NllLoss2DBackward0": by_slot(_nll, fused=_picked, routed=True),
}
"""The rules of losses, by the name of the grad_fn."""
