"""Rules of views and copies that are met less often: diagonals, turns, and parts written into a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Expression, Words, apply
from autograd_tour.rules.definition import Definition, G, by_slot, define
from autograd_tour.rules.node import NodeView, Shape

__all__ = ["PARTS"]


def _dims(node: NodeView, rank: int) -> Shape | None:
    dim1, dim2 = node.integer("dim1"), node.integer("dim2")
    return None if dim1 is None or dim2 is None or not rank else (dim1 % rank, dim2 % rank)


def _embedded(node: NodeView, _: int) -> Expression | None:
    """A diagonal of the matrix that was made from it."""
    dims = _dims(node, len(node.output_shape or ()))
    return None if dims is None else apply("diagonal", G, offset=node.integer("offset") or 0, dims=dims)


def _narrowed(node: NodeView, _: int) -> Expression | None:
    shape, dim = node.shape(0), node.integer("dim")
    start, length = node.integer("start"), node.integer("length")
    if not shape or dim is None or start is None or length is None:
        return None
    start %= max(shape[dim % len(shape)], 1)
    return apply(
        "slice_gradient",
        G,
        dim=dim % len(shape),
        inside=f"{start or ''}:{start + length}",
        start=start,
        end=start + length,
        step=1,
        shape=shape,
    )


def _rotated(node: NodeView, _: int) -> Expression | None:
    turns, dims = node.integer("k"), node.integers("dims")
    return None if turns is None or dims is None else apply("rot90", G, turns=-turns, dims=dims)


def _written(part: str) -> Any:
    """A part of a copy was replaced: it gets nothing back, what replaced it all of it."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        shape = node.output_shape
        if slot > 1 or shape is None:
            return None
        options = _part(node, shape, part)
        if options is None:
            return None
        if part == "diagonal":
            return apply("diagonal" if slot else "zero_diagonal", G, **options)
        return apply("slice" if slot else "zero_slice", G, **options)

    return rule


def _part(node: NodeView, shape: Shape, part: str) -> dict[str, int | str | Shape | None] | None:
    if part == "diagonal":
        dims = _dims(node, len(shape))
        return None if dims is None else {"offset": node.integer("offset") or 0, "dims": dims}
    dim = node.integer("dim")
    if dim is None or not shape:
        return None
    dim %= len(shape)
    if part == "element":
        index = node.integer("index")
        return None if index is None else {"dim": dim, "index": index, "inside": str(index)}
    start, end, step = node.integer("start"), node.integer("end"), node.integer("step")
    last = None if end is None or end >= shape[dim] else end
    inside = f"{start or ''}:{'' if last is None else last}" + (f":{step}" if step not in (None, 1) else "")
    return {"dim": dim, "start": start or 0, "end": last, "step": step or 1, "inside": inside}


PARTS: Mapping[str, Definition] = {
    "DiagEmbedBackward0": by_slot(_embedded),
    "NarrowCopyBackward0": by_slot(_narrowed, routed=True),
    "Rot90Backward0": by_slot(_rotated),
    "DiagonalScatterBackward0": by_slot(_written("diagonal"), routed=True),
    "SelectScatterBackward0": by_slot(_written("element"), routed=True),
    "SliceScatterBackward0": by_slot(_written("slice"), routed=True),
    "AsStridedScatterBackward0": define(
        Words("0 where it was overwritten"), Words("taken where it was written"), routed=True
    ),
}
"""These rules, by the name of the grad_fn."""
