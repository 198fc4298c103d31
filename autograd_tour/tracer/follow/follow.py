"""From what was heard of a program that trains to its :class:`~autograd_tour.record.run.Run`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from autograd_tour.errors import ProgramError
from autograd_tour.record.display import amount
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import Event, LeafChange, Run, RunLeaf
from autograd_tour.tracer.assemble.nodes import listed
from autograd_tour.tracer.follow.follower import Follower
from autograd_tour.tracer.follow.log import MOST_EVENTS
from autograd_tour.tracer.follow.tracks import MOST_LEAVES
from autograd_tour.tracer.listen.run import outputs_in, tensors_in

__all__ = ["restore_all", "returned_outputs", "run_of", "run_of_graph"]


def returned_outputs(follower: Follower, result: Any) -> list[tuple[Tensor, str]]:
    """The losses that a program returned which called no backward.

    Raises:
        ProgramError: there is none; it says so if gradients came from where nobody listens.
    """
    if next(tensors_in(result), None) is None:
        if follower.elsewhere:
            raise ProgramError(
                "the program calls backward in other threads only, which are not followed",
                "Name a function that one thread runs, from the forward pass to the step",
            )
        if any(draft.kind in ("step", "gradient") for draft in follower.log.drafts):
            raise ProgramError(
                "the program uses gradients, but calls no backward that brings any",
                "Those of torch.func and those computed by hand are not followed: "
                "call loss.backward(), or name a function that returns the loss",
            )
    return outputs_in(result, follower.record)


def run_of(follower: Follower) -> Run:
    """The run of a program that called backward itself; it has ended."""
    spots = follower.record.sites.spots
    events = tuple(draft.recorded(spots) for draft in follower.log.drafts)
    curves = follower.courses.recorded(spots)
    return Run(
        follower.tracks.recorded(),
        events,
        tuple(follower.graphs.items),
        tuple(spots.lines),
        follower.log.backward_calls,
        curves,
        notes=tuple(_notes(follower)),
    )


def _notes(follower: Follower) -> Iterator[str]:
    calls, first = follower.log.backward_calls, follower.first
    if calls > first:
        later = [10**k for k in range(1, len(str(calls))) if 10**k > first]
        also = f", then {listed(list(map(str, later)), 8)}" if later else ""
        yield (
            f"{calls} backward calls: the first {first} are told in full{also}; "
            "of all others only the loss and the norms of .grad were noted"
        )
    if follower.elsewhere:
        yield "backward calls of other threads are not told"
    if follower.log.left_out:
        yield f"not told after the first {MOST_EVENTS} events: {amount(follower.log.left_out, 'event')}"
    if follower.tracks.left_out:
        rest = amount(len(follower.tracks.left_out), "leaf", "leaves")
        yield f"not followed after the first {MOST_LEAVES} leaves: {rest}"
    astray = [track.name for track in follower.tracks.items if track.astray]
    if astray:
        yield f"bound anew in calls that are not told, so that its end is not known: {listed(astray, 8)}"
    yield from follower.request.recorder.remarks("the record of the run")


def restore_all(follower: Follower, spared: Sequence[Tensor]) -> tuple[str, ...]:
    """Give back what the program changed; a note on what could not be."""
    changed = follower.originals.restore(spared)
    if not changed:
        return ()
    shapes = [f"one of shape {tuple(tensor.shape)}" for tensor in changed]
    what = "1 tensor" if len(changed) == 1 else f"{len(changed)} tensors"
    return (f"the program changed {what} of before in a way that could not be put back: {listed(shapes, 3)}",)


def run_of_graph(graph: Graph) -> Run:
    """The run of a program that only returned its loss: one forward, one backward."""
    leaves: list[RunLeaf] = []
    changes: list[LeafChange] = []
    for edge in graph.select("gradient"):
        _, step = graph.step(edge.src)
        if not graph.leaf_of(edge.src) or step is None:
            continue
        leaf = graph.node(edge.dst)
        name = leaf.name or leaf.op or leaf.id
        shape = leaf.value.shape if leaf.value is not None else ()
        leaves.append(RunLeaf(name, shape, leaf.value, step.before, leaf.value, step.after))
        contribution = step.received[0] if step.received else None
        changes.append(LeafChange(len(leaves) - 1, step.before, step.after, contribution))
    loss_id, slot = graph.outputs[0]
    values = graph.node(loss_id).values
    loss = values[slot] if slot < len(values) else None
    where = graph.node(loss_id).where
    events = [Event("forward", where, "", 1, graph=0, loss=loss)]
    if graph.passes:
        events.append(Event("backward", None, "", 1, "", 0, loss, tuple(changes)))
    notes = graph.meta.notes
    return Run(
        tuple(leaves), tuple(events), (graph,), graph.source, len(graph.passes), returned=True, notes=notes
    )
