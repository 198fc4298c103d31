"""Gradients that add up: which parts arrive at a node, and sums that close as they are printed."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.numbers import exact_sum
from autograd_tour.text import closing, rounded
from autograd_tour.views.wording import shape_text, tensor_text

__all__ = ["MOST_PARTS", "Part", "added", "arrivals", "content", "is_changed", "row", "uses"]

MOST_PARTS = 3
"""Parts of a sum that are written out on a card."""

WRITTEN_IN_ROWS = 4
"""A tensor of up to so many elements stands in a table with all of them."""

WRITTEN_OUT = 2
"""A tensor of up to so many elements stands in a sum with all of them."""


class Part(Struct, frozen=True):
    """One of the gradients that arrive at a node: the edge it comes along, and what it is."""

    edge: Edge
    facts: TensorFacts


def arrivals(graph: Graph) -> dict[tuple[str, int], tuple[Part, ...]]:
    """(node, output slot) -> what arrives there along each edge, in the order in which it was sent."""
    leaving: dict[str, list[Edge]] = {}
    for edge in graph.select("gradient"):
        leaving.setdefault(edge.src, []).append(edge)
    parts: dict[tuple[str, int], list[Part]] = {}
    for _, step in graph.numbered_steps():
        for edge in leaving.get(step.node, ()):
            facts = step.sent[edge.slot[0]] if edge.slot[0] < len(step.sent) else None
            if facts is not None:
                parts.setdefault((edge.dst, edge.slot[1]), []).append(Part(edge, facts))
    return {target: tuple(items) for target, items in parts.items()}


def uses(graph: Graph, parts: Sequence[Part]) -> tuple[str, ...]:
    """The module that each part comes from, if there are several: a parameter that modules share."""
    modules = [graph.node(part.edge.src).group for part in parts]
    # A weight's transpose belongs to whoever asked for it, as the product it is for does.
    return tuple(modules) if len(set(modules)) > 1 and all(modules) else ()


def added(
    before: TensorFacts | None,
    parts: Sequence[TensorFacts],
    contribution: TensorFacts | None,
    after: TensorFacts | None,
    digits: int = 6,
    *,
    brief: bool = False,
) -> tuple[str, str]:
    """``.grad`` before, what is added and what comes out, as (``None + (3 + 3 + 1) = ``, ``7``).

    ``parts`` are what the contribution is the sum of. Digits are chosen so that the sum closes as printed;
    where rounding hides more than is printed, the sign is ``≈``. A sum that a hook changed afterwards has no
    sign: ``None + 5, then changed to 50``. Of a tensor of more than four elements, or of any where
    it is to be ``brief``, the first stands for all. A scalar has ``digits`` significant digits.
    """
    start, brought = content(before, digits=digits), content(contribution, digits=digits)
    if is_changed(before, contribution, after):
        return f"{start} + {_bracketed(brought)}, then changed to ", content(after, digits=digits)
    several = [facts for facts in parts if facts.first]
    terms = several if len(several) > 1 else [contribution] if contribution is not None else []
    sums = [_elements(before)] if before is not None else []
    sums += [_elements(facts) for facts in terms]
    result = _elements(after)
    # Where one is no real number, or has other elements than the rest, nothing can be added up.
    if after is None or result is None or any(not values or len(values) != len(result) for values in sums):
        return f"{start} + {_bracketed(brought)} = ", content(after, digits=digits)
    digits = digits if after.numel == 1 else 4
    columns = [
        closing([values[i] for values in sums if values is not None], result[i], digits)
        for i in range(len(result))
    ]
    columns = columns[:1] if brief else columns
    closed = all(total is not None for _, total in columns)
    many, vector = after.numel > len(columns), after.numel > 1

    def tensor(texts: Sequence[str]) -> str:
        inside = ", ".join(texts)
        return f"[{inside} …]" if many else f"[{inside}]" if vector else inside

    written = [tensor([texts[n] for texts, _ in columns]) for n in range(len(sums))]
    start = written.pop(0) if before is not None else "None"
    if len(written) > MOST_PARTS:
        written = [*written[: MOST_PARTS - 1], f"… {len(written)} parts"]
    brought = " + ".join(_bracketed(text) if n else text for n, text in enumerate(written))
    brought = f"({brought})" if len(written) > 1 else _bracketed(brought)
    total = tensor([rounded(result[0])]) if brief and vector else content(after, digits=digits)
    if closed:
        totals = [text for _, text in columns if text is not None]
        total = content(after, totals[0]) if many and not brief else tensor(totals)
    return f"{start} + {brought} {'=' if closed else '≈'} ", total


_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The distance from 1 to the next number of a dtype."""


def is_changed(
    before: TensorFacts | None, contribution: TensorFacts | None, after: TensorFacts | None
) -> bool:
    """Whether ``after`` is something else than the sum, by more than rounding: a hook has had its way."""
    if contribution is None:
        return False
    if after is None:
        return True
    count = min(len(facts.first) for facts in (before, contribution, after) if facts is not None)
    for i in range(count):
        try:
            terms = [float(facts.first[i]) for facts in (before, contribution) if facts is not None]
            total = float(after.first[i])
        except ValueError:
            continue  # complex
        if not all(map(math.isfinite, (*terms, total))):
            continue
        slack = 4 * _EPSILON.get(after.dtype, 2.0**-7) * sum(map(abs, terms))
        if abs(exact_sum(terms) - total) > slack + sys.float_info.min:
            return True
    return False


def _elements(facts: TensorFacts | None) -> list[float] | None:
    """The elements that stand for a tensor in a sum, ``None`` if they are no real numbers."""
    if facts is None or not facts.first:
        return None
    numbers = facts.first if facts.numel <= WRITTEN_OUT else facts.first[:1]
    try:
        return [float(value) for value in numbers]
    except ValueError:
        return None


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def content(facts: TensorFacts | None, first: str = "", digits: int = 6) -> str:
    """A ``.grad``: ``None`` is an empty slot, a zero a printed 0; of many elements the first and the last.

    ``first`` is how the first one is written, if that has been settled. A scalar has ``digits`` significant
    digits, or its integer part if that is longer.
    """
    if facts is None:
        return "None"
    if facts.numel == 0:
        return "empty"
    if not facts.first:
        return facts.dtype
    if facts.numel == 1:
        return rounded(facts.first[0], digits)
    texts = [first or rounded(facts.first[0]), *map(rounded, facts.first[1:4])]
    if len(facts.first) == facts.numel <= 4:
        return f"[{', '.join(texts)}]"
    last: Number = facts.last if facts.last is not None else facts.first[-1]
    return f"[{', '.join(texts[:2])} … {rounded(last)}]"


def row(
    before: TensorFacts | None,
    contribution: TensorFacts | None,
    after: TensorFacts | None,
    *,
    shape: bool = False,
) -> tuple[str, str, str]:
    """One backward call as three cells of a table, with digits such that the row closes as printed.

    Numbers have six digits or more. Behind what a hook changed stands ``(changed)``. A tensor whose elements
    are not all known, or are not real numbers, is written as it is everywhere else.
    """
    cells = [before, contribution, after]
    changed = is_changed(*cells)
    columns = [] if changed else _columns(cells)
    lead = f"{shape_text(after.shape)} " if shape and after is not None and after.shape else ""
    texts = [
        "None"
        if facts is None
        else lead + ", ".join(column[index] for column in columns)
        if columns
        else tensor_text(facts, shape=shape, digits=6)
        for index, facts in enumerate(cells)
    ]
    return texts[0], texts[1], f"{texts[2]} (changed)" if changed else texts[2]


def _columns(cells: Sequence[TensorFacts | None]) -> list[list[str]]:
    """The texts of before, contribution and after for each element; none if they cannot be made to close."""
    recorded = [facts for facts in cells if facts is not None]
    after = cells[-1]
    if after is None or len(recorded) < 2 or len({facts.numel for facts in recorded}) > 1:
        return []
    if after.numel > WRITTEN_IN_ROWS or any(len(facts.first) != facts.numel for facts in recorded):
        return []
    columns = []
    for i in range(after.numel):
        try:
            texts, total = closing([float(facts.first[i]) for facts in recorded[:-1]], float(after.first[i]))
        except ValueError:
            return []  # complex numbers
        if total is None:
            return []
        terms = iter(texts)
        columns.append(["" if facts is None else next(terms) for facts in cells[:-1]] + [total])
    return columns
