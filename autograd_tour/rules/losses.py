"""Rules of losses: each element's derivative, divided by what the reduction divides by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autograd_tour.record.rule import Constant, Expression, apply
from autograd_tour.rules.definition import A, B, Definition, G, by_slot
from autograd_tour.rules.elementwise import ln
from autograd_tour.rules.node import NodeView
from autograd_tour.rules.normalisation import U, let

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


def _weighted(node: NodeView, derivative: Expression) -> Expression | None:
    if "pos_weight" in node.saved:
        return None
    return derivative * node.kept("weight", "weight") if "weight" in node.saved else derivative


def _bce(node: NodeView, slot: int) -> Expression | None:
    p, t = node.input(0), node.input(1)
    if slot == 1:
        return _weighted(node, ln((1 - p) / p))
    spread = p * (1 - p)
    return _weighted(node, (p - t) / (apply("clamp", spread, 1e-12, 1) if _at_an_end(node) else spread))


def _at_an_end(node: NodeView) -> bool:
    """Whether a probability is known to be 0 or 1, where torch divides by 1e-12."""
    stats = node.operand(0).stats
    return stats is not None and (bool(stats.zero) or stats.max == 1)


def _bce_logits(node: NodeView, slot: int) -> Expression | None:
    x, t = node.input(0), node.input(1)
    return _weighted(node, -x if slot == 1 else apply("sigmoid", x) - t)


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
    ignored = node.integer("ignore_index")
    weight: Expression = Constant(-1)
    if "weight" in node.saved:
        weight = -node.kept("weight", "weight")
    if reduction == 1:
        if not total:
            return None
        weight = weight / total
    where = "at the target" if _uses_all(node) else "at the target, 0 where it is ignored"
    skipped = -100 if ignored is None else ignored
    return apply("placed_at_target", G, target, weight, shape=shape, ignored=skipped, where=where)


def _uses_all(node: NodeView) -> bool:
    """Whether it is known that no target is ignored."""
    return node.integer("ignored_targets") == 0


def _picked(node: NodeView, _: int) -> Expression | None:
    ignored = node.integer("ignore_index")
    target, reduction = node.kept("target", "target"), _reduction(node)
    if reduction is None or "weight" in node.saved:
        return None
    skipped = -100 if ignored is None else ignored
    picked = -apply("at_target", A, target, ignored=skipped, skips=not _uses_all(node))
    if reduction == 1:
        return apply("mean", picked) if node.number("total_weight") == _rows(node) else None
    return apply("sum", picked) if reduction == 2 else picked


def _rows(node: NodeView) -> float:
    shape = node.shape(0) or ()
    return float(shape[0] if len(shape) > 1 else 1) * float(_product(shape[2:]))


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


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
        weighted = {"weight", "pos_weight"} & node.saved.keys()
        endless = "Logits" not in node.grad_fn and _at_an_end(node)  # the logarithms are cut off
        return None if weighted or endless else _reduced(element)(node, slot)

    return write


def _defined(element: Element, fused: Callable[[NodeView, int], Expression | None] | None) -> Definition:
    return by_slot(_loss(element), fused=fused, pointwise=True)


_CROSS_ENTROPY = -B * ln(A) - (1 - B) * ln(1 - A)
_OF_LOGITS = ln(1 + apply("exp", A)) - B * A

LOSSES: Mapping[str, Definition] = {
    "MseLossBackward0": _defined(_mse, _reduced((A - B) ** 2)),
    "SmoothL1LossBackward0": _defined(_huber, _huber_forward),
    "HuberLossBackward0": _defined(_huber, _huber_forward),
    "BinaryCrossEntropyBackward0": _defined(_bce, _unweighted(_CROSS_ENTROPY)),
    "BinaryCrossEntropyWithLogitsBackward0": _defined(_bce_logits, _unweighted(_OF_LOGITS)),
    "SoftMarginLossBackward0": _defined(_soft_margin, None),
    "NllLossBackward0": by_slot(_nll, fused=_picked, routed=True),
    "NllLoss2DBackward0": by_slot(_nll, fused=_picked, routed=True),
}
"""The rules of losses, by the name of the grad_fn."""
