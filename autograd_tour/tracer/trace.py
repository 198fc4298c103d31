"""trace(): the one entry. A program goes in, a Graph comes out, nothing stays behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autograd_tour.errors import UsageError
from autograd_tour.record.graph import BackwardPass, Graph, Group, Meta
from autograd_tour.tracer.assemble.attribution import attribute
from autograd_tour.tracer.assemble.build import Builder
from autograd_tour.tracer.assemble.drafts import LARGE
from autograd_tour.tracer.assemble.walk import root_of, walk
from autograd_tour.tracer.engine.backward import record_backward, start_gradients
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.names import caller_namespaces, find_name
from autograd_tour.tracer.listen.run import (
    LeafNames,
    check_outputs,
    modules_in_sight,
    run_forward,
    tensors_in,
)
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.surroundings import (
    ONE_AT_A_TIME,
    Buffers,
    collector_paused,
    random_state_restored,
    switches_restored,
)

__all__ = ["outputs_of", "record_of", "trace"]


def trace(
    program: Any,
    *args: Any,
    backward: bool = True,
    gradient: Any = None,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Graph:
    """Record one autograd run of ``program`` as plain data.

    Args:
        program: a callable that returns a loss or any nest of tensors; or a tensor (or nest of
            tensors) that already exists, of which is read what can still be read.
        *args: what the callable is called with.
        backward: also run one real backward and record the gradient on every edge.
        gradient: what the backward of a non-scalar starts with, shaped like the output, as in
            ``Tensor.backward(gradient)``; a list for several outputs.
        keep: elements written down per tensor; ``None`` keeps all. 0 reads the structure only: shapes,
            no values, saved tensors or local rules, as fast as drawing a bare graph needs it.
        ceiling: MB that the elements written down may take in memory. Of a tensor that does not fit any
            more only the first few elements, the last and the statistics are kept, and a note in
            ``meta.notes`` says so.
        names: names for tensors, before those that are found by themselves.

    Afterwards everything is as found: ``.grad`` of every leaf, the random states, buffers of
    modules, hooks; the graph is retained, so the program's own backward still works. Only on a
    graph deeper than 500 nodes some nodes keep a private entry in ``metadata``: it makes the graph
    as safe to free as it was before it was looked at.

    Raises:
        ProgramError: the program raised, its result has no gradient to follow, it is not a scalar
            and there is no ``gradient``, or its graph has been freed.
        UsageError: ``program`` is neither callable nor a tensor, ``keep`` or ``ceiling`` is
            negative, or ``gradient`` has another shape than the output.
    """
    recorder = Recorder(keep, ceiling)
    caller = caller_namespaces(1)
    switches = switches_restored(modules_in_sight(program, args))
    with ONE_AT_A_TIME, random_state_restored(), collector_paused(), switches, Buffers() as buffers:
        record, outputs = outputs_of(program, args, recorder, buffers)
        if record is None and backward:
            buffers.remember_all()
        return record_of(program, args, record, outputs, caller, backward, gradient, recorder, names)


def outputs_of(
    program: Any, args: tuple[Any, ...], recorder: Recorder, buffers: Buffers
) -> tuple[ForwardRecord | None, list[tuple[Tensor, str]]]:
    """What was heard of the program, ``None`` for a tensor that exists, and its outputs with their names."""
    if callable(program) and not isinstance(program, Tensor):
        return run_forward(program, args, recorder, buffers)
    if not isinstance(program, Tensor) and not any(True for _ in tensors_in(program)):
        raise UsageError(
            f"trace() takes a callable or a tensor, not {type(program).__name__}",
            "For example trace(lambda: loss_fn(model(x), y))",
        )
    return None, check_outputs(program)


def record_of(
    program: Any,
    args: tuple[Any, ...],
    record: ForwardRecord | None,
    outputs: list[tuple[Tensor, str]],
    caller: list[dict[str, Any]],
    backward: bool,
    gradient: Any,
    recorder: Recorder,
    names: Mapping[str, Tensor] | None,
) -> Graph:
    """The record of what has been run, with a backward if that is wanted; ``outputs`` is empty then."""
    tensors = [tensor for tensor, _ in outputs]
    start = start_gradients(tensors, gradient) if backward else None
    roots = [root_of(tensor) for tensor in tensors]
    skeleton = walk(fn for fn, _ in roots)
    try:
        leaves = [
            fn.variable
            for fn, name in zip(skeleton.fns, skeleton.names, strict=True)
            if name == "AccumulateGrad"
        ]
        calls = attribute(skeleton, record, zip(skeleton.roots, tensors, strict=True))
        if record is not None:
            record.settle(calls)
        leaf_names = LeafNames(leaves, names, program, args, record, caller)
        builder = Builder(skeleton, record, recorder, leaf_names, calls)
        places = [(i, k) for i, (_, k) in zip(skeleton.roots, roots, strict=True)]
        del roots
        for (i, k), (tensor, name) in zip(places, outputs, strict=True):
            known = name or ("" if record is not None else find_name(tensor, caller))
            builder.drafts.take_output(i, k, tensor, known)
        builder.build(last=start is None)
        passes: tuple[BackwardPass, ...] = ()
        if start is not None:
            where = {id(tensor): place for tensor, place in zip(tensors, places, strict=True)}
            begun = [(tensor, item, where[id(tensor)]) for tensor, item in zip(*start, strict=True)]
            run, changed = record_backward(skeleton, begun, builder.ids, recorder, fresh=record is not None)
            builder.mark_hooked(changed)
            passes = (run,)
            del begun
        return Graph(
            nodes=tuple(builder.nodes),
            edges=tuple(builder.edges),
            groups=_groups(record),
            passes=passes,
            source=tuple(record.sites.spots.lines) if record is not None else (),
            outputs=tuple((builder.ids[i], k) for i, k in places),
            meta=_meta(recorder.keep, _remarks(record, start is not None, builder)),
        )
    finally:
        outputs.clear()
        skeleton.release()


def _groups(record: ForwardRecord | None) -> tuple[Group, ...]:
    types = record.modules.types() if record is not None else {}
    return tuple(Group(path, kind) for path, kind in types.items())


def _meta(keep: int | None, notes: tuple[str, ...]) -> Meta:
    return Meta(torch.__version__.partition("+")[0], keep, notes)


def _remarks(record: ForwardRecord | None, backward: bool, builder: Builder) -> tuple[str, ...]:
    remarks = []
    if builder.drafts.recorder.keep == 0:
        remarks.append("only the structure was read")
    elif not builder.drafts.thorough:
        count = len(builder.ids)
        remarks.append(f"{count} nodes are more than {LARGE}: saved tensors and local rules were not read")
    if record is not None and record.abridged:
        remarks.append(f"values and names were recorded for the first {len(record.calls)} calls only")
    if record is not None and record.threads:
        remarks.append("several threads ran: values and source lines are shown where they are sure")
    if record is None:
        remarks.append("traced from an existing tensor: source lines and some values are not known")
    if not backward:
        remarks.append("no backward was recorded")
    if builder.drafts.all and all(builder.drafts.is_leaf(i) for i in range(len(builder.ids))):
        remarks.append("the result is itself a leaf: nothing that autograd follows was computed")
    remarks += builder.drafts.recorder.remarks()
    return tuple(remarks)
