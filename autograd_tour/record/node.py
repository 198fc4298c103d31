"""What a graph is made of: leaves, constants, operations, folded cards, and all that is known of them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.rule import Rule

__all__ = [
    "Attribute",
    "Change",
    "ChangeKind",
    "Cut",
    "Node",
    "NodeKind",
    "Saved",
    "SavedState",
    "State",
    "Totals",
]

NodeKind = Literal["leaf", "constant", "operation", "accumulate", "output", "saved", "group"]
SavedState = Literal["kept", "freed", "modified", "hooked", "recomputed", "none"]
State = Literal["", "same", "added", "gone", "changed"]
ChangeKind = Literal["structure", "value", "gradient", "grad"]
"""What differs: how the program is built; a result; a gradient on its way; what ``.grad`` holds."""


class Change(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that differs between two runs: in words what it is, how it was, how it is now."""

    kind: ChangeKind
    what: str
    before: str
    after: str


class Totals(Struct, frozen=True, gc=False, omit_defaults=True):
    """Sums over what is inside a folded card.

    ``leaves`` are leaf tensors with so many ``elements`` in so many ``size`` bytes, ``grad_norm`` is the
    Euclidean norm of their ``.grad`` taken together, ``None`` if that of one is not known, ``saved`` are
    bytes that are kept for backward, ``own`` the places where code of the program says what goes on: custom
    Functions, and hooks that changed a gradient.
    """

    leaves: int = 0
    grad_norm: float | None = None
    saved: int = 0
    own: int = 0
    elements: int = 0
    size: int = 0


Attribute = Number | tuple[Number | tuple[Number, ...], ...]
"""A plain value: a number, a truth value, text (``"mean"``, ``"float32"``), or a tuple of such. Numbers are
as in :data:`autograd_tour.record.facts.Number`, those below zero signed."""


class Saved(Struct, frozen=True, gc=False, omit_defaults=True):
    """A tensor that an operation keeps for its backward.

    ``name`` is torch's name for it (``self``, ``other``, ``result``), ``of`` the id of the node
    that produced it, or ``""`` if that is not known, ``slot`` which of its outputs it is. ``state``:
    ``kept``; ``freed`` by an earlier backward; ``modified`` in place since it was saved; ``hooked``, held
    by a pack hook and never unpacked by looking; ``recomputed``, the same of ``torch.utils.checkpoint``:
    backward runs the forward again to have it; ``none``, a place that this run did not need.
    """

    name: str
    facts: TensorFacts | None = None
    of: str = ""
    state: SavedState = "kept"
    slot: int = 0


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

    ``op`` is what a person calls it (``w * t_u``), ``brief`` the same in a few words if it is long,
    ``expression`` all of the source that ``op`` was read from, on one line, ``expr`` how another label
    refers to its result, ``grad_fn`` torch's name. ``values`` and ``names`` have one entry for each
    output slot. ``slots`` is the length of ``next_functions``: a slot without a gradient edge is a
    ``None`` stub. ``formula`` has torch's derivative formula for each slot. ``where`` indexes
    ``Graph.source``, ``inner`` too: a deeper line, in what ``where`` calls. ``group`` is a path in
    ``Graph.groups``, ``scope`` indexes ``Graph.scopes``; of a constant they tell where it was made, or which
    module has it as a buffer. ``fused`` is what the steps inside a node compute together, ``None`` where it
    is a single step. ``call`` is the torch function the program called, which may have made several nodes. A
    ``group`` stands for ``folded`` operations, ``inside`` has sums over them; its slots are the tensors that
    cross its border. ``state`` and ``changes`` compare two runs, see :func:`autograd_tour.views.diff.diff`.

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
    fused: Rule | None = None
    folded: int = 0
    inside: Totals | None = None
    state: State = ""
    changes: tuple[Change, ...] = ()
    expression: str = ""
    brief: str = ""
    inner: int | None = None
    cut: Cut | None = None
    custom: bool = False
    compiled: bool = False
    second_order: bool = False
    numbers: tuple[Number, ...] = ()
    scope: int | None = None

    @property
    def name(self) -> str:
        """The first name the program gave to a result of this node, or ``""``."""
        for name in self.names:
            if name:
                return name
        return ""

    @property
    def value(self) -> TensorFacts | None:
        """Facts of the first output slot, the only one of nearly every node."""
        return self.values[0] if self.values else None

    @property
    def module_path(self) -> str:
        """The path of what a folded card stands for if its title is the class of a module, or ``""``."""
        return self.group if self.kind == "group" and self.group != self.op and not self.call else ""
