"""Where a difference can come from: a custom Function whose backward is wrong, or a hook of the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from autograd_tour.checks.evaluator import Evaluator, replayed
from autograd_tour.checks.replay import Applied, Replay
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.verification import Suspect
from autograd_tour.tracer.assemble.naming import place_of_backward

__all__ = ["suspects"]

MANY = 1_000
"""Beyond so many elements gradcheck compares along random directions, which may miss a single one."""

_ONE_TRIANGLE = frozenset(("LinalgEighBackward0", "LinalgCholeskyExBackward0", "LinalgCholeskyBackward0"))


def suspects(graph: Graph, evaluator: Evaluator) -> tuple[Suspect, ...]:
    """The custom Functions that gradcheck refuses, each once, the places where a hook changed a
    gradient, and operations whose derivative is meant for symmetric matrices.
    """
    return (*_functions(graph, evaluator), *_hooks(graph), *_triangles(graph))


def _functions(graph: Graph, evaluator: Evaluator) -> Iterator[Suspect]:
    wrong: dict[type, None] = {}
    for applied in evaluator.script.applied:
        if applied.function not in wrong and not _passes(applied, evaluator):
            wrong[applied.function] = None
    for function in wrong:
        lines = dict.fromkeys(
            graph.source[node.where]
            for node in graph.nodes
            if node.custom and node.grad_fn == f"{function.__name__}Backward" and node.where is not None
        )
        yield Suspect("function", function.__name__, place_of_backward(function), tuple(lines))


def _hooks(graph: Graph) -> Iterator[Suspect]:
    hooked = dict.fromkeys(edge.dst for edge in graph.select("gradient") if "hooked" in edge.marks)
    for node in hooked:
        lines = _lines(graph, graph.node(graph.card_of(node)).where)
        yield Suspect("hook", graph.result_name(node), "", lines)


def _triangles(graph: Graph) -> Iterator[Suspect]:
    for node in graph.nodes:
        if node.grad_fn in _ONE_TRIANGLE:
            yield Suspect("triangle", graph.title(node.id), "", _lines(graph, node.where))


def _lines(graph: Graph, where: int | None) -> tuple[SourceLine, ...]:
    return (graph.source[where],) if where is not None else ()


def _double(tensor: Tensor) -> Tensor:
    kind = torch.complex128 if tensor.is_complex() else torch.float64
    return tensor.detach().to(kind, copy=True).requires_grad_()


def _passes(applied: Applied, evaluator: Evaluator) -> bool:
    """Whether gradcheck passes, or cannot tell."""
    items, form = tree_flatten((applied.args, dict(applied.kwargs)))
    places = [n for n, item in enumerate(items) if isinstance(item, Tensor) and item.requires_grad]
    inputs = tuple(_double(items[n]) for n in places)

    def function(*tensors: Tensor) -> Any:
        filled = list(items)
        for n, tensor in zip(places, tensors, strict=True):
            filled[n] = tensor
        args, kwargs = tree_unflatten(filled, form)
        return applied.function.apply(*args, **kwargs)  # type: ignore[no-untyped-call]

    try:
        with replayed(Replay(evaluator.drawn)):
            return torch.autograd.gradcheck(
                function,
                inputs,
                raise_exception=False,
                check_undefined_grad=False,
                check_grad_dtypes=False,
                fast_mode=sum(tensor.numel() for tensor in inputs) > MANY,
            )
    except Exception:
        return True
