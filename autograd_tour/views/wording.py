"""Tensors and whole runs in a few words, for cards and for the descriptions of pictures."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.text import number, one_line
from autograd_tour.views.nonfinite import NonFinite
from autograd_tour.views.picture import Role, Run, within

__all__ = ["describe_graph", "elements", "shape_text", "short", "tensor_runs", "tensor_text"]

NAME_ROOM = 90.0
"""Widest name of a result or a gradient before its numbers, px."""
WRITTEN_OUT = 4
"""A tensor of up to this many elements is written out."""


def shape_text(shape: tuple[int, ...]) -> str:
    """``(11)``, ``(5, 4)``; a ragged extent is ``?``. A scalar has none: never a bare ``()``."""
    return f"({', '.join('?' if extent < 0 else str(extent) for extent in shape)})" if shape else ""


def short(value: Number, digits: int = 4) -> str:
    """A number with ``digits`` significant digits; up to a million its integer part stays whole."""
    if isinstance(value, float) and 10**digits <= abs(value) < 10**6:
        return number(float(round(value)), 7)
    return number(value, digits)


def elements(facts: TensorFacts, digits: int = 4, *, counted: bool = False) -> str:
    """The elements as they fit: all of up to four, else the first two and the last; ``""`` if unknown.

    A larger tensor whose elements are all the same says so, and how many they are: ``11 × 0.0909``; where
    they are ``counted`` already, beside a shape, ``all 0.0909``.
    """
    total = facts.numel
    if total == 0:
        return "empty"
    if not facts.first:
        return ""
    if total == 1:
        return number(facts.first[0], 6)
    if total <= WRITTEN_OUT and len(facts.first) == total:
        return ", ".join(short(value, digits) for value in facts.first)
    last = facts.last if facts.last is not None else facts.first[-1]
    # A NaN makes least and greatest NaN, whatever the others are.
    stats = facts.stats if facts.stats is not None and facts.stats.nan in (None, 0, total) else None
    if stats is not None and stats.min is not None and stats.min == stats.max:
        return f"{'all' if counted else f'{total} ×'} {short(last, digits)}"
    return ", ".join(short(value, digits) for value in facts.first[:2]) + f" … {short(last, digits)}"


def tensor_text(facts: TensorFacts | None, *, shape: bool = True, digits: int = 4) -> str:
    """One tensor on one line: shape, elements, and its type if that is not float32."""
    return "None" if facts is None else " ".join(filter(None, _halves(facts, shape=shape, digits=digits)))


def _halves(facts: TensorFacts, *, shape: bool, digits: int = 4) -> tuple[str, str]:
    """How a tensor is laid out, with its shape; and its type and elements."""
    layout = "coo" if facts.layout == "sparse_coo" else one_line(facts.layout, 24)
    extents = shape_text(facts.shape) if shape else ""
    dtype = one_line(facts.dtype, 24) if facts.dtype != "float32" or not facts.first else ""
    numbers = elements(facts, digits, counted=bool(extents))
    first = (layout if facts.layout != "strided" else "", extents)
    return " ".join(filter(None, first)), " ".join(filter(None, (dtype, numbers)))


def tensor_runs(
    facts: TensorFacts | None,
    role: Role,
    *,
    name: str = "",
    shape: bool = True,
    odd: NonFinite | None = None,
    apart: bool = False,
) -> tuple[Run, ...]:
    """The same as runs of text, and behind it what of it is not finite, in red unless it was given so.

    A long ``name`` is shortened. With ``apart`` name, shape and numbers are texts of their own.
    """
    if apart and facts is not None:
        return (*_pieces(facts, role, name, shape=shape), *_alarm(odd))
    text = tensor_text(facts, shape=shape)
    scalar = facts is not None and facts.numel == 1 and facts.first
    behind = f"{' =' if scalar else ' '} {text}"
    named = replace(within("", name, behind, role, NAME_ROOM), keep_end=True)
    return (named if name else Run(text, role), *_alarm(odd))


def _pieces(facts: TensorFacts, role: Role, name: str, *, shape: bool) -> Iterator[Run]:
    """Name, shape and numbers of a tensor, each of which can be hidden alone."""
    extents, numbers = _halves(facts, shape=shape)
    if name:
        yield within("", name, " =" if facts.numel == 1 and facts.first else "", role, NAME_ROOM)
    if extents:
        yield Run(f"{' ' * bool(name)}{extents}", role, detail="shape")
    if numbers:
        yield Run(f"{' ' * bool(name or extents)}{numbers}", role, detail="value")


def _alarm(odd: NonFinite | None) -> tuple[Run, ...]:
    """What is not finite."""
    if odd is None:
        return ()
    return (Run(f"  {odd.text()}", "muted") if odd.given else Run(f"  {odd.text()}", "error", bold=True),)


def describe_graph(graph: Graph, limit: int = 12) -> str:
    """What a picture of ``graph`` shows, in sentences, for those who cannot see it."""
    nodes = graph.by_id()
    operations = sum(node.kind == "operation" for node in graph.nodes)
    leaves = sum(node.kind == "leaf" for node in graph.nodes) + sum(
        node.inside.leaves for node in graph.nodes if node.inside is not None
    )
    folded = [node for node in graph.nodes if node.kind == "group"]
    if not (operations or leaves or folded):
        return "An empty graph."
    operations += sum(node.folded for node in folded)
    sentences = [f"An autograd graph of {_count(operations, 'operation')} and {_count(leaves, 'leaf')}."]
    folded = [node for node in folded if node.folded]  # others hold inputs alone
    if folded:
        names = ", ".join(_short_name(node.op) for node in folded[:limit])
        names += " and more" if len(folded) > limit else ""
        inside = sum(node.folded for node in folded)
        sentences.append(
            f"Of the operations {inside} are folded into {_count(len(folded), 'card')}: {names}."
        )
    for node_id, slot in graph.outputs[:3]:
        node = nodes[graph.card_of(node_id)]
        facts = node.values[slot] if slot < len(node.values) else None
        value = f" = {tensor_text(facts)}" if facts else ""
        sentences.append(f"Its result is {_short_name(graph.result_name(node_id, slot))}{value}.")
    steps = list(graph.numbered_steps())
    if steps:
        ran = [nodes[step.node] for _, step in steps]
        order = [node.grad_fn for node in ran if node.kind != "accumulate"]
        more = f" and {len(order) - limit} more" if len(order) > limit else ""
        names_in_order = ", ".join(map(_short_name, order[:limit])) + more
        sentences.append(f"Backward runs {names_in_order}.")
    else:
        sentences.append("No backward was recorded.")
    for _, step in [item for item in steps if graph.leaf_of(item[1].node)][:limit]:
        name = _short_name(nodes[graph.leaf_of(step.node)].name) or "a leaf"
        sentences.append(f".grad of {name} becomes {tensor_text(step.after)}.")
    return " ".join(sentences)


def _short_name(name: str) -> str:
    """A name as it may stand in a sentence."""
    return one_line(name, 60)


def _count(amount: int, noun: str) -> str:
    plural = {"leaf": "leaves"}.get(noun, noun + "s")
    return f"{amount} {noun if amount == 1 else plural}"
