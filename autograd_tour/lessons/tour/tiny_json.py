"""The graph of a small autograd as JSON that ``autograd_tour.loads`` reads; no class of ours is used."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["as_json"]

_NAMES = {"+": "AddBackward0", "*": "MulBackward0", "**": "PowBackward0"}


def as_json(result: Any, names: dict[int, str]) -> str:
    """What led to ``result``, after its ``backward()``; ``names`` has names by ``id``.

    Each value has ``data``, ``grad``, ``parents``, ``slopes`` and ``op``, which is empty for a leaf.
    """
    order: list[Any] = []
    _visit(result, order)
    ids = {id(value): f"n{number}" for number, value in enumerate(order)}
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for value in order:
        node = ids[id(value)]
        name = names.get(id(value), "")
        if not value.op:
            accumulator = f"{node}a"
            nodes += [
                {"id": node, "kind": "leaf", "op": name, "names": [name], "values": [_facts(value.data)]},
                {"id": accumulator, "kind": "accumulate", "op": "accumulate", "grad_fn": "AccumulateGrad"},
            ]
            edges += [
                {"src": node, "dst": accumulator, "kind": "forward"},
                {"src": accumulator, "dst": node, "kind": "gradient"},
            ]
            continue
        nodes.append(
            {
                "id": node,
                "kind": "operation",
                "op": name or value.op,
                "names": [name],
                "grad_fn": _NAMES[value.op],
                "slots": len(value.parents),
                "values": [_facts(value.data)],
            }
        )
        for slot, parent in enumerate(value.parents):
            target = ids[id(parent)] + ("" if parent.op else "a")
            edges += [
                {"src": ids[id(parent)], "dst": node, "kind": "forward", "slot": [0, slot]},
                {"src": node, "dst": target, "kind": "gradient", "slot": [slot, 0]},
            ]
    graph = {
        "nodes": nodes,
        "edges": edges,
        "passes": [{"steps": _steps(order, ids)}],
        "outputs": [[ids[id(result)], 0]],
    }
    return json.dumps({"format": "autograd-tour", "schema": 2, "graph": graph})


def _visit(value: Any, order: list[Any]) -> None:
    """Parents first, each once."""
    if all(value is not other for other in order):
        for parent in value.parents:
            _visit(parent, order)
        order.append(value)


def _steps(order: list[Any], ids: dict[int, str]) -> list[dict[str, Any]]:
    """What each node received and sent, from the result back; leaves come last."""
    operations = [
        {
            "node": ids[id(value)],
            "received": [_facts(value.grad)],
            "sent": [_facts(slope * value.grad) for slope in value.slopes],
        }
        for value in reversed(order)
        if value.op
    ]
    leaves = [
        {"node": f"{ids[id(value)]}a", "received": [_facts(value.grad)], "after": _facts(value.grad)}
        for value in reversed(order)
        if not value.op
    ]
    return operations + leaves


def _facts(number: float) -> dict[str, Any]:
    return {"shape": [], "dtype": "float64", "first": [number], "last": number}
