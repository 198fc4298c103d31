"""How functions of whole arrays are written inside a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autograd_tour.record.rule import Apply
from autograd_tour.rules.pieces import Level, Piece, bracket, numeral

__all__ = ["ARRAY_WRITERS"]

Parts = list[Piece]


def _half(node: Apply, parts: Parts) -> Piece:
    return Piece(
        f"{'first' if node.option('which') == 1 else 'second'} half of {parts[0].text}", Level.CHOICE
    )


def _solve(node: Apply, parts: Parts) -> Piece:
    side = "" if node.option("left") else ", from the right"
    return Piece(f"solve({parts[0].text}, {parts[1].text}{side})")


def _solve_triangular(node: Apply, parts: Parts) -> Piece:
    """Only a triangle of the matrix counts, and of its diagonal maybe ones."""
    unit = "; 1 on the diagonal" if node.option("unit") else ""
    matrix = f"{'triu' if node.option('upper') else 'tril'}({parts[0].text}{unit})"
    return _solve(node, [Piece(matrix), parts[1]])


def _triangle(node: Apply, parts: Parts) -> Piece:
    called, diagonal = "triu" if node.function == "upper" else "tril", node.option("diagonal")
    return Piece(f"{called}({parts[0].text}{f', {numeral(diagonal)}' if diagonal else ''})")


def _at_target(node: Apply, parts: Parts) -> Piece:
    ignored = "; 0 where ignored" if node.option("skips") else ""
    return Piece(f"picked({parts[0].text}, {parts[1].text}{ignored})")


def _exp_block(_: Apply, parts: Parts) -> Piece:
    a, g = (part.text for part in parts)
    return Piece(f"upper right of exp([{a}, {g}; 0, {a}])", Level.CHOICE)


def _zeros_behind(node: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text} and zeros up to {node.option('size')}", Level.CHOICE)


def _inner_doubled(_: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text} with inner frequencies doubled", Level.CHOICE)


_OTHERS = "the product up to there, without its own, of"


def _later_products(_: Apply, parts: Parts) -> Piece:
    return Piece(f"Σ {parts[0].text} from here on · {_OTHERS} {parts[1].text}", Level.CHOICE)


def _pairs_pulled(_: Apply, parts: Parts) -> Piece:
    pull = f"(({_difference(parts)})/{bracket(parts[3], Level.POWER)}; 0 at 0)"
    return Piece(f"Σ {bracket(parts[0], Level.PRODUCT)}·{pull} over the pairs", Level.CHOICE)


def _pairs_signed(_: Apply, parts: Parts) -> Piece:
    return Piece(
        f"Σ {bracket(parts[0], Level.PRODUCT)}·sign({_difference(parts)}) over the pairs", Level.CHOICE
    )


def _difference(parts: Parts) -> str:
    return f"{bracket(parts[1], Level.SUM)} − {bracket(parts[2], Level.PRODUCT)}"


def _shared(node: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text} {node.option('where')}", Level.CHOICE)


def _finite(_: Apply, parts: Parts) -> Piece:
    return Piece(f"{bracket(parts[0], Level.RELATION)} finite", Level.RELATION)


def _is_nan(_: Apply, parts: Parts) -> Piece:
    return Piece(f"{bracket(parts[0], Level.RELATION)} is NaN", Level.RELATION)


def _constant(text: str) -> Callable[[Apply, Parts], Piece]:
    return lambda _node, _parts: Piece(text, Level.PRODUCT if "/" in text else Level.ATOM)


ARRAY_WRITERS: Mapping[str, Callable[[Apply, Parts], Piece]] = {
    "half": _half,
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "upper": _triangle,
    "lower": _triangle,
    "at_target": _at_target,
    "exp_block": _exp_block,
    "zeros_behind": _zeros_behind,
    "inner_doubled": _inner_doubled,
    "later_products": _later_products,
    "pairs_pulled": _pairs_pulled,
    "pairs_signed": _pairs_signed,
    "shared_by_equals": _shared,
    "finite": _finite,
    "is_nan": _is_nan,
    "imaginary_unit": _constant("1j"),
    "inverse_gaps": _constant("1/(λ of the column − λ of the row)"),
}
"""The text of each function, from the texts of its arguments."""
