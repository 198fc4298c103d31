"""What of a record is needed to work the graph out anew for other numbers of its leaves and constants.

A page does that: its expressions are those of :mod:`autograd_tour.rules`, written in short lists. A number is
itself; ``g0`` is the gradient of output 0, ``x1`` input 1, ``y0`` result 0, and ``s…`` a saved tensor; a
function is ``[word, argument, …, options]``, and ``["#", "inf"]`` a number that JSON does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node, Saved
from autograd_tour.record.rule import Apply, Constant, Expression, Symbol
from autograd_tour.rules.forward import forward
from autograd_tour.rules.node import NodeView, Operand
from autograd_tour.text import one_line
from autograd_tour.views.naming import output_name
from autograd_tour.views.worked import pieces

__all__ = ["MOST_ELEMENTS", "Movable", "Source", "movable"]

MOST_ELEMENTS = 20_000
"""In all tensors of a graph together: more take longer than a hand that drags can bear."""

_REAL = ("float64", "float32")

LONGEST_NAME, LONGEST_TITLE = 16, 60
"""Characters of a name before its numbers, and of a title in a sentence."""

Tree = float | str | list[Any]


class _ElsewhereError(Exception):
    """Something in the graph cannot be worked out anew from the record."""


class Source(Struct, frozen=True, omit_defaults=True):
    """A leaf or a constant with all its ``values``; a ``free`` one has real numbers, which can be others.

    ``before`` are those of its ``.grad`` before backward, ``None`` if it had none; a constant has no
    ``grad``.
    """

    id: str
    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    values: tuple[Number, ...]
    free: bool
    grad: bool = False
    before: tuple[Number, ...] | None = None


class Back(Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a node sends from ``slot`` to output ``output`` of ``to``, a node or a leaf.

    ``line`` is the arithmetic of one element: texts, and between them the symbols whose numbers stand there.
    It is empty where one element cannot tell it. ``summed``: what it comes to is added up over a broadcast.
    """

    slot: int
    to: str
    output: int
    rule: Tree
    line: tuple[str, ...] = ()
    summed: bool = False


class Work(Struct, frozen=True):
    """A node: where its inputs come from, what it computes for each output, and what it sends back.

    ``names`` and ``dtypes`` have an entry for each output, a name is "" where a card has none.
    A saved tensor is a result (``of``, ``slot``), or has ``values`` that stay; or it is a list of such.
    """

    id: str
    inputs: tuple[tuple[str, int] | None, ...]
    forward: tuple[Tree, ...]
    back: tuple[Back, ...]
    saved: Mapping[str, Any]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    title: str = ""


class Check(Struct, frozen=True, array_like=True):
    """What was recorded of a result (``value``) or of what arrives there (``grad``), as far as known."""

    of: str
    id: str
    slot: int
    first: tuple[Number, ...]
    dtype: str


class Movable(Struct, frozen=True):
    """A graph that can be worked out anew: its nodes in the order of forward, ``order`` is that of backward.

    ``aside``: the program computed something else besides, as ``item()`` and ``if w > 0`` do, which stays.
    """

    tensors: tuple[Source, ...]
    nodes: tuple[Work, ...]
    outputs: tuple[tuple[str, int], ...]
    order: tuple[str, ...]
    checks: tuple[Check, ...]
    aside: bool = False


def movable(graph: Graph) -> Movable | None:
    """The graph as it can be worked out anew; ``None`` if an operation, a tensor or a backward is in the way.

    That is a node without a rule for either direction, a tensor that is not recorded as a whole, one that was
    cut off by something else than ``detach``, a hook, a result of several elements, or too many elements.
    """
    if len(graph.passes) != 1 or not graph.outputs:
        return None
    if any(node.kind in ("group", "output", "saved") for node in graph.nodes):
        return None
    if sum(facts.numel for node in graph.nodes for facts in node.values if facts) > MOST_ELEMENTS:
        return None
    try:
        plan = _plan(graph)
    except _ElsewhereError:
        return None
    return plan if any(item.free for item in plan.tensors) and plan.order else None


def _plan(graph: Graph) -> Movable:
    nodes = graph.by_id()
    feeds: dict[str, list[Edge]] = {}
    leaving: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        target = {"forward": feeds, "gradient": leaving}.get(edge.kind)
        if target is not None:
            target.setdefault(edge.dst if edge.kind == "forward" else edge.src, []).append(edge)
    for node_id, slot in graph.outputs:
        facts = _facts(nodes[graph.card_of(node_id)], slot)
        _require(facts.numel == 1 and nodes[node_id].kind == "operation")
    operations = [node for node in graph.nodes if node.kind == "operation"]
    detached = [node for node in graph.nodes if _is_detached(node)]
    works = [_work(graph, node, feeds.get(node.id, []), leaving.get(node.id, [])) for node in operations]
    works += [_detached(graph, node) for node in detached]
    ran = {step.node for _, step in graph.numbered_steps()}
    return Movable(
        tuple(
            _source(graph, node)
            for node in graph.nodes
            if node.kind in ("leaf", "constant") and node not in detached
        ),
        tuple(_in_order(works)),
        graph.outputs,
        tuple(step.node for _, step in graph.numbered_steps() if nodes[step.node].kind == "operation"),
        tuple(check for node in operations if node.id in ran for check in _checks(graph, node)),
        graph.meta.aside,
    )


def _is_detached(node: Node) -> bool:
    return node.cut is not None and node.cut.function == "detach" and bool(node.cut.of)


def _detached(graph: Graph, node: Node) -> Work:
    """A constant that is the result of another node, without its history."""
    assert node.cut is not None
    facts, origin = _facts(node, 0), _facts(graph.node(node.cut.of), 0)
    _require(facts.shape == origin.shape and facts.dtype in _REAL)
    return Work(node.id, ((node.cut.of, 0),), ("x0",), (), {}, ("",), (facts.dtype,))


def _in_order(works: list[Work]) -> Iterator[Work]:
    """What is needed before what needs it: a cut does not count in the order of the graph."""
    waiting = {work.id: work for work in works}
    pending = list(reversed(works))
    while pending:
        work = pending[-1]
        before = [waiting[item[0]] for item in work.inputs if item is not None and item[0] in waiting]
        if work.id in waiting and before:
            pending += before
            continue
        pending.pop()
        if waiting.pop(work.id, None) is not None:
            yield work


def _require(holds: bool) -> None:
    if not holds:
        raise _ElsewhereError


def _facts(node: Node, slot: int) -> TensorFacts:
    facts = node.values[slot] if slot < len(node.values) else None
    if facts is None:
        raise _ElsewhereError
    return facts


def _whole(facts: TensorFacts | None) -> TensorFacts:
    """``facts``, all elements of which are recorded and no complex numbers."""
    if facts is None or facts.layout != "strided" or min(facts.shape, default=0) < 0:
        raise _ElsewhereError
    _require(len(facts.first) == facts.numel > 0 and "complex" not in facts.dtype)
    return facts


def _source(graph: Graph, node: Node) -> Source:
    facts = _whole(node.value)
    about = node.id, graph.title(node.id), node.kind, facts.dtype, facts.shape, facts.first
    if node.kind == "constant":
        _require(node.cut is None)
        return Source(*about, free=facts.dtype in _REAL)
    _, step = graph.step(graph.accumulator_of(node.id))
    before = _whole(step.before).first if step is not None and step.before is not None else None
    _require(facts.dtype in _REAL)
    return Source(*about, free=True, grad=step is not None, before=before)


def _work(graph: Graph, node: Node, feeds: list[Edge], leaving: list[Edge]) -> Work:
    _require(not (node.custom or node.compiled or node.second_order))
    _require(all(facts is not None and facts.dtype in _REAL for facts in node.values) and bool(node.values))
    inputs: list[tuple[str, int] | None] = [None] * node.slots
    nodes = graph.by_id()
    for edge in feeds:
        if 0 <= edge.slot[1] < node.slots:
            inputs[edge.slot[1]] = (edge.src, edge.slot[0])
    view = _view(node, [_facts(nodes[item[0]], item[1]) if item else None for item in inputs])
    results = []
    for output in range(len(node.values)):
        expression = forward(view, output)
        if expression is None:
            raise _ElsewhereError
        results.append(_tree(expression, node, inputs))
    back = tuple(_back(graph, edge, node, inputs) for edge in leaving)
    used = {*_saved_names(results), *_saved_names([item.rule for item in back])}
    names = tuple(one_line(output_name(node, output), LONGEST_NAME) for output in range(len(node.values)))
    dtypes = tuple(facts.dtype for facts in node.values if facts is not None)
    saved = {name: _kept(graph, node, name) for name in sorted(used)}
    title = one_line(graph.title(node.id), LONGEST_TITLE)
    return Work(node.id, tuple(inputs), tuple(results), back, saved, names, dtypes, title)


def _view(node: Node, facts: list[TensorFacts | None]) -> NodeView:
    """The node as its rules see it. A number that the program gave stands at the only slot that is free."""
    numbers = [value for value in node.numbers if isinstance(value, int | float)]
    free = [slot for slot, item in enumerate(facts) if item is None]
    wrapped = float(numbers[0]) if numbers and len(free) == 1 and node.slots == 2 else None
    attributes: dict[str, Any] = dict(node.attributes)
    for item in node.saved:
        if item.facts is not None and item.facts.shape == () and item.facts.first:
            attributes.setdefault(item.name, item.facts.first[0])
    if numbers and node.slots == 1:
        attributes.setdefault("other", numbers[0])
        attributes.setdefault("value", numbers[-1])
    operands = tuple(
        Operand(f"x{slot}", item.shape, item.dtype) if item is not None else Operand(number=wrapped)
        for slot, item in enumerate(facts)
    )
    outputs = tuple(
        Operand(f"y{slot}", item.shape, item.dtype) for slot, item in enumerate(node.values) if item
    )
    return NodeView(
        node.grad_fn, operands, outputs, attributes, {item.name.partition("[")[0]: "" for item in node.saved}
    )


def _back(graph: Graph, edge: Edge, node: Node, inputs: list[tuple[str, int] | None]) -> Back:
    _require(isinstance(edge.rule, Expression) and "hooked" not in edge.marks and "cut" not in edge.marks)
    assert isinstance(edge.rule, Expression)
    tree = _tree(edge.rule, node, inputs)
    summed = isinstance(edge.rule, Apply) and edge.rule.function == "sum_to"
    inner = edge.rule.arguments[0] if isinstance(edge.rule, Apply) and summed else edge.rule
    line = pieces(inner)
    texts = tuple(part if isinstance(part, str) else str(_tree(part, node, inputs)) for part in line)
    return Back(edge.slot[0], graph.card_of(edge.dst), edge.slot[1], tree, texts, summed)


def _tree(item: Expression, node: Node, inputs: list[tuple[str, int] | None]) -> Tree:
    if isinstance(item, Constant):
        return ["#", item.value] if isinstance(item.value, str) else float(item.value)
    if isinstance(item, Symbol):
        if item.role == "saved":
            return f"s{item.name}"
        if item.role == "input":
            _require(0 <= item.slot < len(inputs) and inputs[item.slot] is not None)
        return f"{ {'gradient': 'g', 'input': 'x', 'result': 'y'}[item.role] }{item.slot}"
    assert isinstance(item, Apply)
    options = {name: value for name, value in item.options if name not in _TOLD and value is not None}
    return [
        item.function,
        *(_tree(part, node, inputs) for part in item.arguments),
        *([options] if options else []),
    ]


_TOLD = frozenset(("inside", "where", "told", "count", "name", "along"))
"""Options that say something to a reader alone."""


def _saved_names(trees: Any) -> Iterator[str]:
    for tree in trees:
        if isinstance(tree, str) and tree.startswith("s"):
            yield tree[1:]
        elif isinstance(tree, list):
            yield from _saved_names(tree[1:])


def _kept(graph: Graph, node: Node, name: str) -> Any:
    """A saved tensor of a node, or a list of them with gaps."""
    single = next((item for item in node.saved if item.name == name), None)
    if single is not None:
        return _kept_one(graph, single)
    parts = {
        int(item.name[len(name) + 1 : -1]): item for item in node.saved if item.name.startswith(f"{name}[")
    }
    _require(bool(parts))
    return [_kept_one(graph, parts[k]) if k in parts else None for k in range(max(parts) + 1)]


def _kept_one(graph: Graph, item: Saved) -> dict[str, Any]:
    _require(item.state == "kept" and item.facts is not None)
    origin = graph.by_id().get(item.of)
    if origin is not None and origin.kind != "accumulate":
        return {"of": item.of, "slot": item.slot}
    facts = _whole(item.facts)
    return {"shape": facts.shape, "values": facts.first}


def _checks(graph: Graph, node: Node) -> Iterator[Check]:
    _, step = graph.step(node.id)
    assert step is not None
    for kind, tensors in (("value", node.values), ("grad", step.received)):
        for slot, facts in enumerate(tensors):
            if facts is not None and facts.first:
                yield Check(kind, node.id, slot, facts.first[:1], facts.dtype)
