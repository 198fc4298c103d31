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
    unit = ", 1 on the diagonal" if node.option("unit") else ""
    return Piece(f"solve({parts[0].text}, {parts[1].text}{unit}{side})")


def _exp_block(_: Apply, parts: Parts) -> Piece:
    a, g = (part.text for part in parts)
    return Piece(f"upper right of exp([{a}, {g}; 0, {a}])", Level.CHOICE)


def _zeros_behind(node: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text} and zeros up to {node.option('size')}", Level.CHOICE)


def _inner_doubled(_: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text} with inner frequencies doubled", Level.CHOICE)


def _later_products(_: Apply, parts: Parts) -> Piece:
    g, x = (part.text for part in parts)
    return Piece(f"Σ of {g} from here on · the product of {x} up to there without its own", Level.CHOICE)


def _pairs_pulled(_: Apply, parts: Parts) -> Piece:
    pull = f"({_difference(parts)})/{bracket(parts[3], Level.POWER)}"
    return Piece(f"Σ {parts[0].text}·({pull}; 0 at 0) over the pairs", Level.CHOICE)


def _pairs_signed(_: Apply, parts: Parts) -> Piece:
    return Piece(f"Σ {parts[0].text}·sign({_difference(parts)}) over the pairs", Level.CHOICE)


def _difference(parts: Parts) -> str:
    """Of two sides, or of the rows of one."""
    if parts[1].text == parts[2].text:
        row = bracket(parts[1], Level.ATOM)
        return f"{row}[i] − {row}[j]"
    return f"{bracket(parts[1], Level.SUM)} − {bracket(parts[2], Level.PRODUCT)}"


def _shared(node: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text} {node.option('where')}", Level.CHOICE)


def _heads_repeated(node: Apply, parts: Parts) -> Piece:
    """As torch writes it: ``enable_gqa`` repeats the heads, each in its place."""
    return Piece(f"repeat_interleave({parts[0].text}, {node.option('count')})")


def _heads_summed(node: Apply, parts: Parts) -> Piece:
    of = bracket(parts[0], Level.MATRIX_PRODUCT)
    return Piece(f"Σ over groups of {node.option('count')} heads of {of}", Level.CHOICE)


def _at_target(node: Apply, parts: Parts) -> Piece:
    x, target = (part.text for part in parts)
    ignored = node.option("ignored")
    return Piece(f"picked({x}, {target}{'' if ignored is None else f'; 0 at {numeral(ignored)}'})")


def _triangle(name: str) -> Callable[[Apply, Parts], Piece]:
    """``triu(x)``, ``tril(x, −1)`` if it starts beside the diagonal."""

    def write(node: Apply, parts: Parts) -> Piece:
        shift = node.option("diagonal")
        return Piece(f"{name}({parts[0].text}{f', {numeral(shift)}' if shift else ''})")

    return write


def _einsum(node: Apply, parts: Parts) -> Piece:
    return Piece(f'einsum("{node.option("equation")}", {", ".join(part.text for part in parts)})')


def _beside_nan(node: Apply, parts: Parts) -> Piece:
    return Piece(f"{parts[0].text}; {node.option('told')}", Level.CHOICE)


def _finite(_: Apply, parts: Parts) -> Piece:
    return Piece(f"{bracket(parts[0], Level.RELATION)} finite", Level.RELATION)


def _is_nan(_: Apply, parts: Parts) -> Piece:
    return Piece(f"{bracket(parts[0], Level.RELATION)} is NaN", Level.RELATION)


def _constant(text: str) -> Callable[[Apply, Parts], Piece]:
    return lambda _node, _parts: Piece(text, Level.ATOM)


ARRAY_WRITERS: Mapping[str, Callable[[Apply, Parts], Piece]] = {
    "half": _half,
    "solve": _solve,
    "solve_triangular": _solve,
    "exp_block": _exp_block,
    "zeros_behind": _zeros_behind,
    "inner_doubled": _inner_doubled,
    "later_products": _later_products,
    "pairs_pulled": _pairs_pulled,
    "pairs_signed": _pairs_signed,
    "shared_by_equals": _shared,
    "heads_repeated": _heads_repeated,
    "heads_summed": _heads_summed,
    "at_target": _at_target,
    "upper": _triangle("triu"),
    "lower": _triangle("tril"),
    "beside_nan": _beside_nan,
    "einsum": _einsum,
    "finite": _finite,
    "is_nan": _is_nan,
    "imaginary_unit": _constant("1j"),
    "inverse_gaps": _constant("(1/(λ of the column − λ of the row); 0 on the diagonal)"),
}
"""The text of each function, from the texts of its arguments."""
