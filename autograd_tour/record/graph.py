"""The record of one autograd run: frozen, comparable with ``==``, free of torch.

A :class:`Graph` is a multigraph. Forward edges run from the producer of a tensor to its consumer;
gradient edges run the other way, from the node the engine executes to the nodes it hands
gradients to, exactly as ``grad_fn.next_functions`` lists them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.record.display import Displayed, amount
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.memory import Memory
from autograd_tour.record.node import Node, State
from autograd_tour.record.rule import Rule

__all__ = [
    "BackwardPass",
    "Edge",
    "EdgeKind",
    "Graph",
    "Group",
    "Meta",
    "Scope",
    "SourceLine",
    "Step",
]

EdgeKind = Literal["forward", "gradient", "saved"]


class SourceLine(Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of the program: ``file`` is relative, ``line`` counts from 1.

    Code of a notebook or a page stands in no file that a reader knows: that is ``<cell>``, ``<block>``, and
    ``<block 2>`` where it goes on from another.
    """

    file: str
    line: int
    text: str = ""
    function: str = ""

    @property
    def position(self) -> str:
        """``net.py:12``, or ``line 12`` of what has no file."""
        if self.file in {"<block>", "<cell>"}:
            return f"line {self.line}"
        if self.file.startswith("<block "):
            return f"{self.file[1:-1]}, line {self.line}"
        return f"{self.file}:{self.line}"


class Group(Struct, frozen=True, gc=False, omit_defaults=True):
    """A module of the program: its path (``encoder.layers.3``) and its class name."""

    path: str
    type: str = ""


class Scope(Struct, frozen=True, gc=False, omit_defaults=True):
    """One call of a function of the program, in which nodes were made; or of a module called more than once.

    ``number`` counts, from 0, the calls of that function in ``outer``, the position in ``Graph.scopes`` of
    the call around it, ``None`` for the program itself. ``group`` is the module in whose forward it was
    called, ``""`` for none; without a ``function`` it is the module that was called.
    """

    function: str
    number: int = 0
    outer: int | None = None
    group: str = ""


class Edge(Struct, frozen=True, gc=False, omit_defaults=True):
    """One arrow. ``slot`` is (slot at ``src``, slot at ``dst``).

    forward: (output of the producer, input of the consumer; -1 for an input that is not
    differentiable, such as an index). gradient: (position in ``src``'s ``next_functions``, which
    output of ``dst`` the gradient belongs to). ``rule`` is the vector-Jacobian product, ``None`` where
    no friendly form is known. ``marks``: ``broadcast`` (summed to the smaller shape), ``routed`` (sent
    to some elements only), ``hooked`` (a tensor hook changed the value on its way), ``cut``. ``whole`` is
    that product for all of the call of a torch function that made ``src``, where it is known of one that made
    several nodes: from what the call returned to ``dst``.
    """

    src: str
    dst: str
    kind: EdgeKind
    slot: tuple[int, int] = (0, 0)
    rule: Rule | None = None
    marks: tuple[str, ...] = ()
    state: State = ""
    whole: Rule | None = None


class Step(Struct, frozen=True, gc=False, omit_defaults=True):
    """One node executed by the engine.

    ``received`` has one entry per output slot of the node, ``sent`` one per ``next_functions``
    entry; ``None`` where no gradient flows. For an accumulator, ``before`` and ``after`` are the
    leaf's ``.grad`` around this step (``None`` for no gradient yet). ``number`` is its place in the whole
    backward where this is a part of one, else 0.
    """

    node: str
    received: tuple[TensorFacts | None, ...] = ()
    sent: tuple[TensorFacts | None, ...] = ()
    before: TensorFacts | None = None
    after: TensorFacts | None = None
    number: int = 0


class BackwardPass(Struct, frozen=True, gc=False, omit_defaults=True):
    """One recorded ``backward()``: the steps in the order in which the engine ran them.

    ``count`` is that of the whole where these are a part of it, else 0.
    """

    steps: tuple[Step, ...] = ()
    count: int = 0

    @property
    def numbered(self) -> BackwardPass:
        """The same; each step has its number, which it keeps where others are left out."""
        if self.count:
            return self
        steps = tuple(replace(step, number=number) for number, step in enumerate(self.steps, start=1))
        return BackwardPass(steps, len(steps))


class Meta(Struct, frozen=True, gc=False, omit_defaults=True):
    """How the record was made. Nothing here changes between two runs of the same program.

    ``keep`` is the number of elements kept per tensor, ``None`` for all. ``notes`` are remarks for
    the reader (what could not be read, what was left out). ``folding`` says how much is folded into
    cards, ``""`` if nothing is. ``aside``: something may have been computed from tensors with a gradient
    but without one, as ``item()``, ``if w > 0`` and ``no_grad`` do; backward takes that for constant.
    """

    torch: str = ""
    keep: int | None = 16
    notes: tuple[str, ...] = ()
    folding: str = ""
    aside: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """All that the reader is to know: the notes, and how much is folded."""
        return (*self.notes, self.folding) if self.folding else self.notes


class Graph(Displayed, Struct, frozen=True, omit_defaults=True, dict=True):
    """One autograd run. ``nodes`` are in topological order: inputs before what uses them.

    ``outputs`` lists (node id, output slot) of the tensors the program returned. What must hold of all
    that is written down in :func:`autograd_tour.record.validate.validate`. ``memory`` is what the whole kept
    before its backward ran, also in a part of it; ``None`` where that was not read. Tables that follow from
    the fields are made when they are first asked for, and kept; they are not compared and not written.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    passes: tuple[BackwardPass, ...] = ()
    source: tuple[SourceLine, ...] = ()
    outputs: tuple[tuple[str, int], ...] = ()
    meta: Meta = Meta()
    scopes: tuple[Scope, ...] = ()
    memory: Memory | None = None

    def summary(self) -> str:
        """How many operations and leaves, and the first result."""
        operations = sum(max(node.folded, 1) for node in self.nodes if node.kind in ("operation", "group"))
        leaves = sum(node.kind == "leaf" for node in self.nodes)
        size = f"{amount(operations, 'operation')} and {amount(leaves, 'leaf', 'leaves')}"
        results = [(self.result_name(node, slot), self.node(node), slot) for node, slot in self.outputs[:1]]
        return f"Graph of {size}" + "".join(f"; {_named_value(*result)}" for result in results)

    # ---- nodes ----------------------------------------------------------------------------

    @cached_property
    def _nodes_by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def leaves(self) -> Mapping[str, str]:
        """Accumulator -> its leaf, for those that have one; see :meth:`leaf_of` and :meth:`card_of`."""
        leaves = {node.id for node in self.nodes if node.kind == "leaf"}
        accumulators = {node.id for node in self.nodes if node.kind == "accumulate"}
        back = (edge for edge in self.edges if edge.kind == "gradient" and edge.src in accumulators)
        return {edge.src: edge.dst for edge in back if edge.dst in leaves}

    @cached_property
    def _accumulators_by_leaf(self) -> dict[str, str]:
        return {leaf: accumulator for accumulator, leaf in self.leaves.items()}

    def by_id(self) -> Mapping[str, Node]:
        """The nodes by id."""
        return self._nodes_by_id

    def node(self, node_id: str) -> Node:
        """The node with that id, which must be there."""
        return self._nodes_by_id[node_id]

    def leaf_of(self, accumulator_id: str) -> str:
        """The leaf whose ``.grad`` an accumulator adds to; ``""`` for any other node, or if it is gone."""
        return self.leaves.get(accumulator_id, "")

    def accumulator_of(self, leaf_id: str) -> str:
        """The accumulator of a leaf, ``""`` if there is none."""
        return self._accumulators_by_leaf.get(leaf_id, "")

    def card_of(self, node_id: str) -> str:
        """The node whose card stands for this one: for an accumulator its leaf, else the node itself."""
        return self.leaves.get(node_id, node_id)

    # ---- names ----------------------------------------------------------------------------

    def title(self, node_id: str) -> str:
        """What heads the card of a node, never empty.

        That is the name of a leaf or constant, what a person calls an operation or a folded card, and
        for an accumulator the title of its leaf.
        """
        node = self._nodes_by_id[self.card_of(node_id)]
        if node.kind in ("leaf", "constant"):
            return node.name or node.op or node.kind
        return node.op or node.grad_fn or node.name or node.kind

    def result_name(self, node_id: str, slot: int | None = 0) -> str:
        """How a label elsewhere refers to an output: its variable, the module or the expression that made it.

        An accumulator is called like its leaf, one of several outputs without a name ``op[1]``. Where
        nobody knows which output is meant, ``slot`` is ``None``.
        """
        node = self._nodes_by_id[self.card_of(node_id)]
        if slot is not None and slot < len(node.names) and node.names[slot]:
            return node.names[slot]
        if slot is not None and max(len(node.names), len(node.values)) > 1:
            return f"{node.op or self.title(node.id)}[{slot}]"
        return node.expr or node.name or node.module_path or node.op or self.title(node.id)

    def line(self, node_id: str) -> SourceLine | None:
        """The line of the program that made a node; of a leaf, or its accumulator, the first that uses it."""
        card = self.card_of(node_id)
        where = self._nodes_by_id[card].where
        if where is None and self._nodes_by_id[card].kind == "leaf":
            users = (self._nodes_by_id[edge.dst] for edge in self.select("forward") if edge.src == card)
            where = next((user.where for user in users if user.where is not None), None)
        return self.source[where] if where is not None else None

    @property
    def compared(self) -> bool:
        """Whether this is two runs in one: then every node says whether it is new, gone or changed."""
        return bool(self.nodes) and self.nodes[0].state != ""

    # ---- backward -------------------------------------------------------------------------

    def numbered_steps(self) -> Iterator[tuple[int, Step]]:
        """The steps of the last recorded backward, counted from 1."""
        if self.passes:
            yield from enumerate(self.passes[-1].steps, start=1)

    @cached_property
    def steps(self) -> Mapping[str, tuple[int, Step]]:
        """Node -> the step in which it ran in the last backward, and its number; see :meth:`step`."""
        return {step.node: (number, step) for number, step in self.numbered_steps()}

    def step(self, node_id: str) -> tuple[int, Step | None]:
        """The step in which a node ran in the last backward, and its number; 0 if it did not run."""
        return self.steps.get(node_id, (0, None))

    def number_in_whole(self, node_id: str) -> int:
        """The number of a node's step in the whole backward if this is a part of it; 0 if it did not run."""
        number, step = self.step(node_id)
        return number if step is None else step.number or number

    @property
    def steps_in_whole(self) -> int:
        """How many steps the last recorded backward has, also where this is a part of it."""
        return (self.passes[-1].count or len(self.passes[-1].steps)) if self.passes else 0

    # ---- edges and parts ------------------------------------------------------------------

    def select(self, kind: EdgeKind) -> Iterator[Edge]:
        """The edges of one kind, in their fixed order."""
        return (edge for edge in self.edges if edge.kind == kind)

    def only(self, ids: Collection[str]) -> Graph:
        """The part among ``ids``, best a set: their nodes, edges between them, their steps and outputs."""
        return replace(
            self,
            nodes=tuple(node for node in self.nodes if node.id in ids),
            edges=tuple(edge for edge in self.edges if edge.src in ids and edge.dst in ids),
            passes=tuple(
                replace(run, steps=tuple(step for step in run.steps if step.node in ids))
                for run in self.passes
            ),
            outputs=tuple(output for output in self.outputs if output[0] in ids),
        )


def _named_value(name: str, node: Node, slot: int) -> str:
    """A result in a line: its name, and its value if it is one number."""
    facts = node.values[slot] if slot < len(node.values) else None
    number = facts.first[0] if facts is not None and facts.numel == 1 and facts.first else None
    value = f" = {number:.6g}" if isinstance(number, int | float) else ""
    return f"{name[:60] or 'the result'}{value}"
