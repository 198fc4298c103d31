"""The record of one autograd run: frozen, comparable with ``==``, free of torch.

A :class:`Graph` is a multigraph. Forward edges run from the producer of a tensor to its consumer;
gradient edges run the other way, from the node the engine executes to the nodes it hands
gradients to, exactly as ``grad_fn.next_functions`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts

__all__ = [
    "Attribute",
    "BackwardPass",
    "Change",
    "Cut",
    "Edge",
    "EdgeKind",
    "Graph",
    "Group",
    "Meta",
    "Node",
    "NodeKind",
    "Saved",
    "SourceLine",
    "State",
    "Step",
]

NodeKind = Literal["leaf", "constant", "operation", "accumulate", "output", "saved", "group"]
EdgeKind = Literal["forward", "gradient", "saved"]
SavedState = Literal["kept", "freed", "modified", "hooked", "recomputed", "none"]
Style = Literal["cards", "chain", "skeleton", "diff", "steps", "animation"]
State = Literal["", "same", "added", "gone", "changed"]
Change = tuple[str, str, str]
"""What it is that changed, how it was before, how it is now."""

Attribute = Number | tuple[Number | tuple[Number, ...], ...]
"""A plain value: a number, a truth value, text (``"mean"``, ``"float32"``), or a tuple of such. Numbers are
as in :data:`autograd_tour.record.facts.Number`, those below zero signed."""


class SourceLine(Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of the program: ``file`` is relative, ``line`` counts from 1."""

    file: str
    line: int
    text: str = ""
    function: str = ""


class Group(Struct, frozen=True, gc=False, omit_defaults=True):
    """A module of the program: its path (``encoder.layers.3``) and its class name."""

    path: str
    type: str = ""


class Saved(Struct, frozen=True, gc=False, omit_defaults=True):
    """A tensor that an operation keeps for its backward.

    ``name`` is torch's name for it (``self``, ``other``, ``result``), ``of`` the id of the node
    that produced it, or ``""`` if that is not known. ``state``: ``kept``; ``freed`` by an earlier
    backward; ``modified`` in place since it was saved; ``hooked``, held by a pack hook and never
    unpacked by looking; ``recomputed``, the same of ``torch.utils.checkpoint``: backward runs the forward
    again to have it; ``none``, a place that this run did not need.
    """

    name: str
    facts: TensorFacts | None = None
    of: str = ""
    state: SavedState = "kept"


class Cut(Struct, frozen=True, gc=False, omit_defaults=True):
    """Why a tensor is a constant although it was computed from one with a gradient.

    ``function`` is what cut it off (``detach``; whatever ran under ``no_grad``). ``of`` is the id of the
    node whose result that function was given, ``""`` if it is not in this graph; ``name`` is what the
    program calls that result, ``""`` if it has no name.
    """

    function: str
    of: str = ""
    name: str = ""


class Node(Struct, frozen=True, gc=False, omit_defaults=True):
    """A leaf, a constant, an operation (its ``grad_fn``), the accumulator of a leaf, or a folded group.

    ``op`` is what a person calls it (``w * t_u``), ``expr`` how another label refers to its
    result, ``grad_fn`` torch's name. ``values`` and ``names`` have one entry for each output slot.
    ``slots`` is the length of ``next_functions``: a slot without a gradient edge is a ``None``
    stub. ``formula`` has torch's derivative formula for each slot. ``where`` indexes
    ``Graph.source``; ``group`` is a path in ``Graph.groups``. ``call`` is the torch function the
    program called, which may have made several nodes. A ``group`` stands for ``folded`` operations;
    its slots are the tensors that cross its border. ``state`` and ``changes`` compare two runs, see
    :func:`autograd_tour.views.diff.diff`.

    ``attributes`` are the plain values that an operation keeps for its backward, by torch's names, sorted
    by them; what is ``None`` is left out. ``numbers`` are the plain numbers that the program gave to the
    call whose result this node made, in its order: the −inf of a ``masked_fill``. ``cut`` is set for a
    constant that was cut off, ``custom`` for a node of a custom ``autograd.Function``, ``compiled`` for
    one that stands for all that ``torch.compile`` made, ``second_order`` for one that a backward made
    which the program ran itself (``torch.autograd.grad(..., create_graph=True)``). ``notes`` are remarks
    for the reader and mean nothing else.
    """

    id: str
    kind: NodeKind
    op: str = ""
    expr: str = ""
    grad_fn: str = ""
    call: str = ""
    slots: int = 0
    values: tuple[TensorFacts | None, ...] = ()
    names: tuple[str, ...] = ()
    formula: tuple[str, ...] = ()
    where: int | None = None
    group: str = ""
    attributes: tuple[tuple[str, Attribute], ...] = ()
    saved: tuple[Saved, ...] = ()
    notes: tuple[str, ...] = ()
    folded: int = 0
    state: State = ""
    changes: tuple[Change, ...] = ()
    cut: Cut | None = None
    custom: bool = False
    compiled: bool = False
    second_order: bool = False
    numbers: tuple[Number, ...] = ()

    @property
    def name(self) -> str:
        """The first name the program gave to a result of this node, or ``""``."""
        return next((name for name in self.names if name), "")

    @property
    def value(self) -> TensorFacts | None:
        """Facts of the first output slot, the only one of nearly every node."""
        return self.values[0] if self.values else None


class Edge(Struct, frozen=True, gc=False, omit_defaults=True):
    """One arrow. ``slot`` is (slot at ``src``, slot at ``dst``).

    forward: (output of the producer, input of the consumer; -1 for an input that is not
    differentiable, such as an index). gradient: (position in ``src``'s ``next_functions``, which
    output of ``dst`` the gradient belongs to). ``rule`` is the vector-Jacobian product for people
    (``× 2(t_p − t_c)``). ``marks``: ``broadcast`` (summed to the smaller shape), ``routed`` (sent
    to some elements only), ``hooked`` (a tensor hook changed the value on its way), ``cut``.
    """

    src: str
    dst: str
    kind: EdgeKind
    slot: tuple[int, int] = (0, 0)
    rule: str = ""
    marks: tuple[str, ...] = ()
    state: State = ""


class Step(Struct, frozen=True, gc=False, omit_defaults=True):
    """One node executed by the engine.

    ``received`` has one entry per output slot of the node, ``sent`` one per ``next_functions``
    entry; ``None`` where no gradient flows. For an accumulator, ``before`` and ``after`` are the
    leaf's ``.grad`` around this step (``None`` for no gradient yet).
    """

    node: str
    received: tuple[TensorFacts | None, ...] = ()
    sent: tuple[TensorFacts | None, ...] = ()
    before: TensorFacts | None = None
    after: TensorFacts | None = None


class BackwardPass(Struct, frozen=True, gc=False, omit_defaults=True):
    """One recorded ``backward()``: the steps in the order in which the engine ran them."""

    steps: tuple[Step, ...] = ()


class Meta(Struct, frozen=True, gc=False, omit_defaults=True):
    """How the record was made. Nothing here changes between two runs of the same program.

    ``keep`` is the number of elements kept per tensor, ``None`` for all. ``notes`` are remarks for
    the reader (what could not be read, what was left out).
    """

    torch: str = ""
    keep: int | None = 16
    notes: tuple[str, ...] = ()


class Graph(Struct, frozen=True, omit_defaults=True):
    """One autograd run. ``nodes`` are in topological order: inputs before what uses them.

    ``outputs`` lists (node id, output slot) of the tensors the program returned. ``style`` says
    how a view wants to be drawn.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    passes: tuple[BackwardPass, ...] = ()
    source: tuple[SourceLine, ...] = ()
    outputs: tuple[tuple[str, int], ...] = ()
    meta: Meta = Meta()
    style: Style = "cards"

    def by_id(self) -> dict[str, Node]:
        """The nodes by id."""
        return {node.id: node for node in self.nodes}

    def numbered_steps(self) -> Iterator[tuple[int, Step]]:
        """The steps of the last recorded backward, counted from 1."""
        if self.passes:
            yield from enumerate(self.passes[-1].steps, start=1)

    def select(self, kind: EdgeKind) -> Iterator[Edge]:
        """The edges of one kind, in their fixed order."""
        return (edge for edge in self.edges if edge.kind == kind)
