"""What torch sends beside a NaN, for operations that look at several elements: their rules say it there.

A formula that holds for numbers need not hold beside a NaN: a product divides by the element instead of
leaving it out, and no element equals a maximum that is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from autograd_tour.record.rule import Apply, Rule, Words, apply
from autograd_tour.rules.node import NodeView, Shape
from autograd_tour.rules.structure import places

__all__ = ["beside_nan"]


class _Beside(NamedTuple):
    """``text`` says what is sent. Elements that share ``dims`` with a NaN get ``sent``; without any
    it is what the formula gives. With ``whole`` a 0 among them undoes that.
    """

    text: str
    dims: Shape | None = None
    sent: str = ""
    whole: bool = False


def beside_nan(node: NodeView, slot: int, form: Rule) -> Rule:
    """``form``, and what it does not say by itself where an operand or a result of ``node`` has a NaN."""
    tell = _TELLING.get(node.grad_fn) if node.has_nan else None
    beside = tell(node, slot) if tell is not None else None
    if beside is None:
        return form
    if isinstance(form, Words):
        return replace(form, text=f"{form.text}; {beside.text}")
    if not isinstance(form, Apply):
        return form
    if form.function == "sum_to":  # the sum over a broadcast is the last deed
        inner = beside_nan(node, slot, form.arguments[0])
        return Apply(form.function, (inner,), form.options)  # type: ignore[arg-type]
    options = {"dims": beside.dims, "sent": beside.sent, "whole": beside.whole, "told": beside.text}
    return apply("beside_nan", form, node.input(min(slot, 1)), **options)


def _reduced(node: NodeView, _: int) -> _Beside:
    return _Beside("NaN to all that were compared with a NaN", places(node), "nan")


def _multiplied(node: NodeView, _: int) -> _Beside:
    dims = (node.integer("dim") or 0,) if node.grad_fn == "CumprodBackward0" else places(node)
    return _Beside("NaN to all that were multiplied with a NaN, if none is 0", dims, "nan", whole=True)


def _chosen(node: NodeView, _: int) -> _Beside:
    extreme = {"Max": "maximum", "Min": "minimum"}.get(node.grad_fn[:3], "median")
    return _Beside(f"a NaN counts as the {extreme}")


def _norm(node: NodeView, _: int) -> _Beside | None:
    given = node.number("ord")
    order = node.number("p") if given is None else given
    if order == 1:
        return _Beside("0 to a NaN")
    if order == float("inf"):
        return _Beside("0 to all that were compared with a NaN", places(node), "0")
    return None if order == 0 else _Beside("NaN to all that were reduced with a NaN")


def _pairs(node: NodeView, _: int) -> _Beside:
    euclidean = node.grad_fn.startswith("Euclidean")
    if not euclidean and node.number("p") in (1, float("inf")):
        return _Beside("NaN where a difference is NaN")
    return _Beside("NaN to both rows of a pair with a NaN")


def _matrix(_node: NodeView, _: int) -> _Beside:
    return _Beside("NaN to all of a matrix that has one", (-2, -1), "nan")


def _row(_: NodeView, slot: int) -> _Beside | None:
    return (_Beside("NaN to a whole row that has one"), _Beside("NaN where a row has one"), None)[slot]


def _equations(_node: NodeView, _: int) -> _Beside:
    return _Beside("a NaN goes on from one equation to the next")


_TELLING: Mapping[str, Callable[[NodeView, int], _Beside | None]] = {
    **dict.fromkeys(("AmaxBackward0", "AminBackward0", "AminmaxBackward0"), _reduced),
    **dict.fromkeys(("ProdBackward0", "ProdBackward1", "CumprodBackward0"), _multiplied),
    **dict.fromkeys(
        (f"{name}Backward{number}" for name in ("Max", "Min", "Median") for number in (0, 1)), _chosen
    ),
    **dict.fromkeys(
        ("LinalgVectorNormBackward0", "DistBackward0", *(f"NormBackward{number}" for number in range(4))),
        _norm,
    ),
    **dict.fromkeys(("CdistBackward0", "EuclideanDistBackward0"), _pairs),
    "LinalgDetBackward0": _matrix,
    "LinalgSolveTriangularBackward0": _equations,
    "NativeLayerNormBackward0": _row,
}
