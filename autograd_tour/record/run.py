"""A whole run of a program that trains: what happened to its leaves, event by event. Frozen plain data.

A loss that is only returned is a run too: of one forward, and of the one backward that recording runs.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.record.display import Displayed, amount
from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph, SourceLine

__all__ = [
    "OF_GRAD",
    "RENORMING",
    "Curve",
    "Event",
    "EventKind",
    "LeafChange",
    "ReturnedGradient",
    "Run",
    "RunLeaf",
    "StateChange",
]

EventKind = Literal["forward", "backward", "zeroing", "clipping", "gradient", "step", "update", "rebinding"]
"""``gradient``: the program changed ``.grad`` in another way than zeroing or clipping. ``update``: it changed
the values of leaves by hand, or an optimizer did before a backward or another step inside its own step.
``rebinding``: a leaf's name now stands for another tensor."""

RENORMING = "embedding_renorm_"
"""The call of an event: what ``max_norm`` of an embedding does to the rows that are looked up."""

OF_GRAD: frozenset[EventKind] = frozenset({"backward", "zeroing", "clipping", "gradient"})
"""The events that change ``.grad``; ``step``, ``update`` and ``rebinding`` change the values of leaves."""


class StateChange(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an optimizer remembers of one leaf, such as its ``momentum_buffer``, around a step."""

    name: str
    before: TensorFacts | None = None
    after: TensorFacts | None = None


class LeafChange(Struct, frozen=True, gc=False, omit_defaults=True):
    """What one event did to one leaf, ``leaf`` being its place in :attr:`Run.leaves`.

    ``before`` and ``after`` are its ``.grad`` where the event is of :data:`OF_GRAD`, else its value. ``None``
    is an empty ``.grad``. ``contribution`` is what a backward brought, ``None`` if that is not known or it
    brought nothing. ``grad`` is the ``.grad`` that an optimizer's step used, ``None`` if a closure made
    several; of a rebinding that of the other tensor.
    """

    leaf: int
    before: TensorFacts | None = None
    after: TensorFacts | None = None
    contribution: TensorFacts | None = None
    grad: TensorFacts | None = None
    state: tuple[StateChange, ...] = ()


class ReturnedGradient(Struct, frozen=True, gc=False, omit_defaults=True):
    """What ``torch.autograd.grad`` returned for one of its inputs: ``None`` if the loss does not use it.

    ``leaf`` is its place in :attr:`Run.leaves`, ``None`` for a tensor that the program computed.
    """

    name: str
    shape: tuple[int, ...] = ()
    gradient: TensorFacts | None = None
    leaf: int | None = None


class Event(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that happened.

    ``where`` is the place of its line in :attr:`Run.source`, ``call`` the function that the line called, as
    in ``SGD.step``. ``backward_call`` counts the backward calls that had begun, this one included; a forward
    has the number of its backward. ``inside`` is the call during which it happened, such as ``LBFGS.step``.
    ``graph`` (its place in :attr:`Run.graphs`) and ``loss`` are those of a forward or backward; the numbers
    in a graph are those of the first event that has it. ``settings`` are an optimizer's: ``lr`` and others.
    ``retained``: the graph was kept for another backward. ``creates_graph``: the backward was itself recorded
    by autograd (``create_graph=True``). ``returned`` has the gradients of a backward that returned them
    (``torch.autograd.grad``) and so deposited none; it is empty for any other.
    """

    kind: EventKind
    where: int | None = None
    call: str = ""
    backward_call: int = 0
    inside: str = ""
    graph: int | None = None
    loss: TensorFacts | None = None
    changes: tuple[LeafChange, ...] = ()
    settings: tuple[tuple[str, Number], ...] = ()
    retained: bool = False
    creates_graph: bool = False
    returned: tuple[ReturnedGradient, ...] = ()


class RunLeaf(Struct, frozen=True, gc=False, omit_defaults=True):
    """A leaf: its value and ``.grad`` when it was first seen, and at the end of the run."""

    name: str
    shape: tuple[int, ...] = ()
    value: TensorFacts | None = None
    grad: TensorFacts | None = None
    final_value: TensorFacts | None = None
    final_grad: TensorFacts | None = None


class Curve(Struct, frozen=True, gc=False, omit_defaults=True):
    """The backward calls of one line: their numbers, losses, and norms of ``.grad`` after each.

    ``norms`` has one row for each leaf of ``leaves``, or a single one, of all leaves together, if that is
    empty. ``of`` says how many calls there were: of many, some are left out evenly. ``returned``: the calls
    returned their gradients, and the norms are those of what they returned.
    """

    where: int | None = None
    calls: tuple[int, ...] = ()
    losses: tuple[Number | None, ...] = ()
    leaves: tuple[int, ...] = ()
    norms: tuple[tuple[Number | None, ...], ...] = ()
    of: int = 0
    returned: bool = False


class Run(Displayed, Struct, frozen=True, omit_defaults=True):
    """All that happened, in order, as far as it was followed in full: see ``notes``.

    ``backward_calls`` counts all of them. Graphs of one structure are stored once, with the numbers of the
    first. ``returned``: the program only returned its loss, and the backward is that of the recording.
    """

    leaves: tuple[RunLeaf, ...] = ()
    events: tuple[Event, ...] = ()
    graphs: tuple[Graph, ...] = ()
    source: tuple[SourceLine, ...] = ()
    backward_calls: int = 0
    curves: tuple[Curve, ...] = ()
    returned: bool = False
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """How many events, backward calls and leaves."""
        events = f"{amount(len(self.events), 'event')} and {amount(self.backward_calls, 'backward call')}"
        return f"Run of {events} on {amount(len(self.leaves), 'leaf', 'leaves')}"

    @property
    def trains(self) -> bool:
        """Whether the program itself called backward."""
        return not self.returned

    @property
    def first_graph(self) -> Graph:
        """The graph of the first backward, with a note if the program called several."""
        graph = self.graphs[0]
        note = f"the program called backward itself {self.backward_calls} times, of which this is the first"
        if self.returned or self.backward_calls < 2 or note in graph.meta.notes:
            return graph
        return replace(graph, meta=replace(graph.meta, notes=(*graph.meta.notes, note)))

    def untold(self) -> tuple[tuple[int, int] | None, ...]:
        """For each event the first and last of the backward calls before it that were not told in full.

        ``None`` where nothing is missing between it and the event before it.
        """
        in_full = {event.backward_call for event in self.events if event.kind == "backward"}
        gaps: list[tuple[int, int] | None] = []
        seen = 0
        for event in self.events:
            last = event.backward_call - (event.kind in ("forward", "backward"))
            missing = [call for call in range(seen + 1, last + 1) if call not in in_full]
            gaps.append((missing[0], missing[-1]) if missing else None)
            seen = max(seen, last)
        return tuple(gaps)

    def line(self, event: Event | Curve) -> SourceLine | None:
        """The line of the program at which ``event`` happened."""
        return None if event.where is None else self.source[event.where]
