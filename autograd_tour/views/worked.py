"""A local rule worked out for one element, with numbers in place of names: ``0.09091 × 2(35.2) = 6.4``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Edge, Graph, Node
from autograd_tour.text import number

__all__ = ["Known", "operand_values", "worked"]

Known = dict[str, str]
"""The name of an operand, as rules write it -> the first element of its value."""

_SUMMED = re.compile(r"(?:^|, )Σ over (\d+)$")
_ELEMENTWISE = frozenset(
    (
        "exp",
        "ln",
        "cos",
        "sin",
        "tan",
        "cosh",
        "sinh",
        "tanh",
        "sign",
        "abs",
        "if",
        "else",
        "π",
        "σ",
        "Φ",
        "φ",
    )
)
"""Words of rules that act on each element alone: one element is enough to work them out."""

_WORD = re.compile(r"[^\W\d_²³]\w*")
_LETTER = "[^\\W⁰¹²³⁴⁵⁶⁷⁸⁹]"  # Python counts a superscript as one
_SHAPELESS = ("× ", "÷ ")


def operand_values(graph: Graph) -> dict[str, Known]:
    """For every node that has a forward input: what its rules call its inputs and results."""
    nodes = graph.by_id()
    found: dict[str, Known] = {}
    for edge in graph.select("forward"):
        maker, slot = nodes[edge.src], edge.slot[0]
        name = maker.expr if len(maker.names) < 2 else maker.names[slot] if slot < len(maker.names) else ""
        facts = maker.values[slot] if slot < len(maker.values) else None
        _note(found.setdefault(edge.dst, {}), name, facts)
    for node in graph.nodes:
        if node.id in found and (node.name or node.expr):
            _note(found[node.id], node.name or node.expr, node.value)
    return found


def _note(known: Known, name: str, facts: TensorFacts | None) -> None:
    if name and facts is not None and facts.first and not isinstance(facts.first[0], str):
        text = short(facts.first[0])
        known.setdefault(f"−{name[1:]}" if name.startswith("-") else name, text)


def short(value: Number) -> str:
    """Four significant digits; the integer part stays whole up to a million."""
    if isinstance(value, float) and 10**4 <= abs(value) < 10**6:
        return number(float(round(value)), 7)
    return number(value, 4)


def worked(
    edge: Edge, node: Node, received: Iterable[TensorFacts | None], sent: TensorFacts | None, known: Known
) -> str:
    """The arithmetic of the first element sent along ``edge``, ``""`` where one element cannot tell it.

    ``received`` is what came into ``node`` and ``known`` comes from :func:`operand_values`. Of a sum over
    a broadcast the terms are shown. A hook on the way, a rule that looks at more than one element,
    and an operand whose value was not recorded have no such line.
    """
    arrived = [facts for facts in received if facts is not None]
    if len(arrived) != 1 or sent is None or node.kind != "operation" or "hooked" in edge.marks:
        return ""
    incoming = arrived[0]
    if not _plain(incoming) or not _plain(sent):
        return ""
    rule, summed = edge.rule, ""
    if match := _SUMMED.search(rule):
        rule, summed = rule[: match.start()], match[1]
    elif not _matches(incoming, sent):
        return ""
    result = number(sent.first[0]) if sent.numel == 1 else short(sent.first[0])
    if not rule:
        return f"{_terms(incoming)} = {result}" if summed and sent.numel == 1 else ""
    factor = _with_numbers(rule, known)
    if not factor:
        return ""
    line = f"{short(incoming.first[0])} {factor}"
    if not summed:
        return f"{line} = {result}"
    return f"{line} + … ({summed} terms) = {result}" if sent.numel == 1 else ""


def _plain(facts: TensorFacts) -> bool:
    return bool(facts.first) and not isinstance(facts.first[0], str)


def _matches(incoming: TensorFacts, sent: TensorFacts) -> bool:
    """Whether the first element sent comes from the first one received."""
    return incoming.shape == sent.shape or incoming.numel == 1


def _terms(facts: TensorFacts) -> str:
    if facts.numel == len(facts.first) <= 3:
        return " + ".join(map(_signed, facts.first))
    last = facts.last if facts.last is not None else facts.first[-1]
    return f"{_signed(facts.first[0])} + … + {_signed(last)}"


def _signed(value: Number) -> str:
    text = short(value)
    return f"({text})" if text.startswith("−") else text


def _with_numbers(rule: str, known: Known) -> str:
    if not rule.startswith(_SHAPELESS):
        return ""
    names = sorted(known, key=len, reverse=True)
    text = rule
    if names:
        # A single letter may stand against what it multiplies, as in 2x and y(1 − y).
        behind = [rf"(?!{_LETTER}|\.\w{'' if len(name) == 1 else '|[([]'})" for name in names]
        pieces = [rf"(?<![^\W\d]){re.escape(name)}{end}" for name, end in zip(names, behind, strict=True)]
        text = re.sub("|".join(pieces), lambda match: _put(match, rule, known), rule)
    text = re.sub(r"\(\((−?[\d.]+(?:e−?\d+)?)\)\)", r"(\1)", text)
    text = re.sub(r"^([×÷] )\((\d[\d.]*(?:e−?\d+)?)\)$", r"\1\2", text)
    left = [word for word in _WORD.findall(text) if word not in _ELEMENTWISE and not _exponent(word)]
    return "" if left or "…" in text or "softmax" in text or "‖" in text or "mask" in text else text


def _put(match: re.Match[str], rule: str, known: Known) -> str:
    value = known[match[0]]
    touching = match.start() > 0 and rule[match.start() - 1].isdigit()
    inside = rule[match.start() - 1] == "(" and rule[match.end() : match.end() + 1] == ")"
    return f"({value})" if touching or (value.startswith("−") and not inside) else value


def _exponent(word: str) -> bool:
    return re.fullmatch(r"e\d*", word) is not None
