"""From what was heard of a program to its graph, with a backward if that is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from autograd_tour.errors import UsageError
from autograd_tour.record.graph import Graph, Group, Meta
from autograd_tour.tracer.assemble.assembly import assemble
from autograd_tour.tracer.assemble.bare import Bare
from autograd_tour.tracer.assemble.examined import Examined, examine
from autograd_tour.tracer.assemble.inner import Assembled, InnerLeaf
from autograd_tour.tracer.assemble.material import LARGE, Material, Result
from autograd_tour.tracer.assemble.memory import with_lines
from autograd_tour.tracer.assemble.nodes import listed
from autograd_tour.tracer.assemble.walk import Skeleton, root_of, walk
from autograd_tour.tracer.engine.backward import (
    Backward,
    OwnBackward,
    record_backward,
    start_gradients,
)
from autograd_tour.tracer.heap import give_back
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.names import find_name, namespaces_of
from autograd_tour.tracer.listen.run import LeafNames, check_outputs, run_forward, tensors_in
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.surroundings import Buffers, LiveTensors

__all__ = ["Request", "outputs_of", "record_of"]


@dataclass(slots=True)
class Request:
    """What is to be recorded, and where its tensors may have names.

    ``names`` are those given by the caller, ``caller`` the namespaces of the frame that asked, ``live`` what
    was alive when somebody looked last.
    """

    program: Any
    args: tuple[Any, ...]
    names: Mapping[str, Tensor] | None
    caller: list[dict[str, Any]]
    recorder: Recorder
    live: LiveTensors = field(default_factory=LiveTensors)

    def forget(self) -> None:
        """Let go of the program, which may be a tensor with a large graph."""
        self.program = None

    def leaf_names(self, leaves: list[Tensor], record: ForwardRecord | None) -> Mapping[int, str]:
        """The names of ``leaves`` by their ``id``."""
        return LeafNames(leaves, self.names, self.program, self.args, record, self.caller)


def outputs_of(request: Request, buffers: Buffers) -> tuple[ForwardRecord | None, list[tuple[Tensor, str]]]:
    """What was heard of the program, ``None`` for a tensor that exists, and its outputs with their names."""
    program = request.program
    if callable(program) and not isinstance(program, Tensor):
        return run_forward(program, request.args, request.recorder, buffers)
    if not isinstance(program, Tensor) and not any(True for _ in tensors_in(program)):
        raise UsageError(
            f"trace() takes a callable or a tensor, not {type(program).__name__}",
            "For example trace(lambda: loss_fn(model(x), y))",
        )
    return None, check_outputs(program)


def record_of(
    request: Request,
    record: ForwardRecord | None,
    outputs: list[tuple[Tensor, str]],
    *,
    backward: bool,
    gradient: Any = None,
    own: OwnBackward | None = None,
) -> Graph:
    """The record of what has been run, with a backward if that is wanted; ``outputs`` is empty then.

    With ``own`` the backward is that of the program, which does to ``.grad`` and the graph what it does.
    """
    tensors = [tensor for tensor, _ in outputs]
    start: tuple[list[Tensor], list[Tensor | None]] | None = None
    if own is not None:
        start = tensors, own.gradients
    elif backward:
        start = start_gradients(tensors, gradient)
    roots = [root_of(tensor) for tensor in tensors]
    skeleton = walk(fn for fn, _ in roots)
    try:
        gradient_edges = [(i, k) for i, (_, k) in zip(skeleton.roots, roots, strict=True)]
        del roots
        results = _results(request, record, outputs, gradient_edges)
        if record is not None:
            record.begin(skeleton.numbers())
        leaf_names = request.leaf_names(skeleton.leaves(), record)
        spaces = namespaces_of(request.program)
        material = Material.gather(skeleton, record, request.recorder, leaf_names, results, spaces)
        examined = None if material.structure_only else examine(material, request.live.of_before())
        heard: Backward | None = None
        if start is not None:
            where = {id(tensor): edge for tensor, edge in zip(tensors, gradient_edges, strict=True)}
            begun = [(tensor, item, where[id(tensor)]) for tensor, item in zip(*start, strict=True)]
            fresh = record is not None
            heard = record_backward(
                skeleton, begun, request.recorder, fresh=fresh, own=own, live=request.live
            )
            del begun
        source = examined if examined is not None else Bare(material)
        if examined is None:
            # Nobody may hold the graph any more: then what is built next takes its place in memory.
            del results
            material, tensors, start = replace(material, results=()), [], None
            request.forget()
            _let_go(skeleton, outputs)
        built = _assembled(request, material, source, heard)
        memory = with_lines(examined.memory, material) if examined is not None else None
        return Graph(
            nodes=built.nodes,
            edges=built.edges,
            groups=_groups(record),
            passes=(heard.recorded(built.ids),) if heard is not None else (),
            source=tuple(record.sites.spots.lines) if record is not None else (),
            scopes=tuple(record.runs.scopes) if record is not None else (),
            memory=memory,
            outputs=tuple((built.ids[i], k) for i, k in gradient_edges),
            meta=_meta(
                request.recorder.keep,
                (*_remarks(material, heard), *request.recorder.remarks()),
                record,
                examined,
            ),
        )
    finally:
        _let_go(skeleton, outputs)


def _let_go(skeleton: Skeleton, outputs: list[tuple[Tensor, str]]) -> None:
    large = len(skeleton.fns) > LARGE
    outputs.clear()
    skeleton.release()
    if large:
        give_back()


def _results(
    request: Request,
    record: ForwardRecord | None,
    outputs: list[tuple[Tensor, str]],
    gradient_edges: list[tuple[int, int]],
) -> list[Result]:
    return [
        Result(i, k, tensor, name or ("" if record is not None else find_name(tensor, request.caller)))
        for (i, k), (tensor, name) in zip(gradient_edges, outputs, strict=True)
    ]


def _groups(record: ForwardRecord | None) -> tuple[Group, ...]:
    types = record.modules.types() if record is not None else {}
    return tuple(Group(path, kind) for path, kind in types.items())


def _meta(
    keep: int | None, notes: tuple[str, ...], record: ForwardRecord | None, examined: Examined | None
) -> Meta:
    aside = record is None or record.aside or record.threads or (examined is not None and examined.opaque)
    return Meta(torch.__version__.partition("+")[0], keep, notes, aside=aside)


def _assembled(
    request: Request, material: Material, source: Examined | Bare, heard: Backward | None
) -> Assembled:
    if heard is None:
        return assemble(source)
    leaves = [item.leaf for item in heard.inner]
    names = request.leaf_names(leaves, material.record) if leaves else {}
    inner = [
        InnerLeaf(
            item.parent,
            request.recorder.measure(item.leaf),
            material.leaf_names.get(id(item.leaf)) or names[id(item.leaf)],
        )
        for item in heard.inner
    ]
    return assemble(source, heard.hooked, inner)


def _remarks(material: Material, heard: Backward | None) -> Iterator[str]:
    record, recorder = material.record, material.recorder
    if recorder.keep == 0:
        yield "only the structure was read"
    elif not material.thorough:
        count = len(material)
        yield f"{count} nodes are more than {LARGE}: saved tensors and local rules were not read"
    if record is not None and record.abridged:
        yield f"values and names were recorded for the first {len(record.calls)} calls only"
    if record is not None and record.threads:
        yield "several threads ran: values and source lines are shown where they are sure"
    if record is None:
        yield "traced from an existing tensor: source lines and some values are not known"
    if heard is None:
        yield "no backward was recorded"
    if not material.structure_only and all(map(material.is_leaf, range(len(material)))):
        yield "the result is itself a leaf: nothing that autograd follows was computed"
    if heard is not None and heard.written:
        names = _names(material, heard.written)
        yield f"a custom Function's backward wrote .grad itself, which is not recorded: {names}"
    if heard is not None:
        yield from _alterations(material, heard)
    if unreached := _unreached(material, heard):
        whose = "its" if len(unreached) == 1 else "their"
        yield f"not reached by this backward: {listed(unreached, 6)} (it leaves {whose} .grad as it is)"


def _names(material: Material, leaves: Sequence[Tensor]) -> str:
    return listed([material.leaf_names.get(id(leaf)) or "a leaf without a name" for leaf in leaves], 6)


def _alterations(material: Material, heard: Backward) -> Iterator[str]:
    """What hooks of the program, such as an optimizer's step in backward, wrote to."""
    if heard.altered.restored:
        names = _names(material, heard.altered.restored)
        changed = f"hooks of the program changed {names} in this backward"
        yield f"{changed}: that was put back, what else they do was not"
    if heard.altered.lost:
        names = _names(material, heard.altered.lost)
        yield f"hooks of the program changed {names} in this backward, which was not put back"


def _unreached(material: Material, heard: Backward | None) -> list[str]:
    """Parameters of modules that ran that get no gradient from this loss."""
    used = list(material.record.modules.parameters()) if material.record is not None else []
    if not used or (heard is None and any(hasattr(fn, "_forward_cls") for fn in material.skeleton.fns)):
        return []  # only a backward shows what a custom Function leads to
    reached = {id(leaf) for leaf in material.skeleton.leaves()}
    if heard is not None:
        reached |= {id(item.leaf) for item in heard.inner} | {id(leaf) for leaf in heard.written}
    return [
        material.leaf_names.get(id(parameter)) or path
        for path, parameter in used
        if parameter.requires_grad and id(parameter) not in reached
    ]
