"""What gradients are derivatives of: ``∂loss/∂t_p``, and what the sign of a leaf's gradient says.

A gradient is a derivative of what backward starts from if that is one number, backward starts with 1, and all
that it went through is torch's own: a custom Function and a hook may send on what they like. Where one of
these does not hold, nothing is said here.
"""

from __future__ import annotations

import math

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Apply, Expression, Rule
from autograd_tour.rules.node import is_compound
from autograd_tour.views.sums import arrivals

__all__ = ["Derivatives"]

RESULT = "result"
"""What the end of a program is called that has no name there."""

_SMOOTH = frozenset(
    (
        "add",
        "sub",
        "mul",
        "div",
        "neg",
        "pow",
        "exp",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "sigmoid",
        "normal_cdf",
        "normal_density",
        "matmul",
        "outer",
        "transpose",
        "sum",
        "mean",
        "softmax",
        "logsumexp",
        "sum_to",
        "expand",
        "reshape",
        "permute",
        "swap_dims",
        "beside",
        "element_gradient",
        "slice_gradient",
        "slice",
        "stack_all",
        "cat_all",
        "flip",
        "roll",
        "copies_summed",
        "crop",
        "placed_at_target",
    )
)
"""Functions without a jump: a derivative made of these alone holds on both sides of where it is taken."""

_JUMPING = (
    "Angle",
    "Atan2",
    "Bernoulli",
    "Cdist",
    "Ceil",
    "Copysign",
    "DivBackward2",
    "DivBackward3",
    "Floor",
    "Fmod",
    "Frac",
    "Frexp",
    "Ldexp",
    "Nextafter",
    "Remainder",
    "Round",
    "Sgn",
    "Sign",
    "Trunc",
)
"""Operations that jump where their derivative does not show it: how their ``grad_fn`` begins.

``DivBackward2`` and ``3`` are divisions with a ``rounding_mode``, by a tensor and by a number.
"""


class Derivatives:
    """The gradients of the last backward of one graph, as derivatives of its only result."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = graph.by_id()
        self._leaving: dict[str, list[Edge]] = {}
        for edge in graph.select("gradient"):
            self._leaving.setdefault(edge.src, []).append(edge)
        self._output = graph.outputs[0] if len(graph.outputs) == 1 else ("", 0)
        self.result = self._result()
        """What the derivatives are of, as the program calls it; ``""`` if they are no derivatives."""
        self._own = self._behind_own_code() if self.result else set()
        self._parts = arrivals(graph) if self.result else {}
        self._aside = graph.meta.aside or any(node.cut is not None for node in graph.nodes)

    def of(self, node_id: str, slot: int = 0) -> str:
        """``∂loss/∂t_p`` for what arrives at an output of a node, ``""`` where it is no derivative."""
        name = self.name(node_id, slot)
        received = self._received(node_id, slot)
        if not name or received is None or received.dtype.startswith("complex"):
            return ""
        if (node_id, slot) in self._own:
            return ""
        above, below = (f"({text})" if is_compound(text) else text for text in (self.result, name))
        return f"∂{above}/∂{below}"

    def name(self, node_id: str, slot: int = 0) -> str:
        """What a derivative calls an output: as the program does, but as the result only if it is that."""
        if not self.result:
            return ""
        if (node_id, slot) == self._output:
            return self.result
        node = self._nodes[self._graph.card_of(node_id)]
        if node.kind == "group" and not (slot < len(node.names) and node.names[slot]):
            return ""  # its title is that of a module
        name = self._graph.result_name(node_id, slot)
        if name == self.result:
            name = node.op
        return "" if name == self.result else name

    def along(self, edge: Edge) -> str:
        """The same for what ``edge`` brings, if that is all that arrives there."""
        return self.of(edge.dst, edge.slot[1]) if self.parts(edge) == 1 else ""

    def parts(self, edge: Edge) -> int:
        """How many gradients arrive where ``edge`` leads, and are added there."""
        return len(self._parts.get((edge.dst, edge.slot[1]), ()))

    def sign(self, leaf: Node) -> tuple[str, str] | None:
        """(``loss falls if w``, ``falls a little``) for a leaf of one element; ``None`` where it is not sure.

        It is sure where what was computed from the leaf has no jump and no kink, and all has a gradient.
        """
        accumulator = self._graph.accumulator_of(leaf.id)
        facts = self._received(accumulator, 0)
        if facts is None or facts.numel != 1 or not facts.first or not leaf.name or self._aside:
            return None
        if not self.of(accumulator) or not self._smooth(accumulator):
            return None
        slope = float(facts.first[0])
        if not math.isfinite(slope) or slope == 0 or not self._ends_finite():
            return None
        return f"{self.result} falls if {leaf.name}", f"{'falls' if slope > 0 else 'rises'} a little"

    # ---- what holds -----------------------------------------------------------------------

    def _result(self) -> str:
        node_id, slot = self._output
        facts = self._received(node_id, slot)
        if facts is None or facts.numel != 1 or facts.first != (1.0,) or facts.dtype.startswith("complex"):
            return ""
        names = self._nodes[self._graph.card_of(node_id)].names
        if slot < len(names) and names[slot]:
            return names[slot]
        return "" if any(RESULT in node.names for node in self._graph.nodes) else RESULT

    def _received(self, node_id: str, slot: int) -> TensorFacts | None:
        _, step = self._graph.step(node_id)
        return step.received[slot] if step is not None and slot < len(step.received) else None

    def _ends_finite(self) -> bool:
        """Whether the result is known, and a number."""
        node_id, slot = self._output
        values = self._nodes[self._graph.card_of(node_id)].values
        facts = values[slot] if slot < len(values) else None
        return facts is not None and bool(facts.first) and math.isfinite(float(facts.first[0]))

    def _behind_own_code(self) -> set[tuple[str, int]]:
        """(node, output) of what code of the program had a say in: its Functions, its hooks."""
        behind: set[tuple[str, int]] = set()
        for _, step in self._graph.numbered_steps():
            node = self._nodes[step.node]
            own = node.custom or (node.inside is not None and node.inside.own > 0)
            own = own or any((step.node, slot) in behind for slot in range(len(step.received)))
            for edge in self._leaving.get(step.node, ()):
                if own or "hooked" in edge.marks:
                    behind.add((edge.dst, edge.slot[1]))
        return behind

    def _smooth(self, accumulator: str) -> bool:
        """Whether every rule on the way from the result to a leaf is known and has no jump."""
        arriving: dict[str, list[Edge]] = {}
        for edges in self._leaving.values():
            for edge in edges:
                arriving.setdefault(edge.dst, []).append(edge)
        seen, waiting = {accumulator}, [accumulator]
        while waiting:
            for edge in arriving.get(waiting.pop(), ()):
                if not _is_smooth(edge.rule) or self._nodes[edge.src].grad_fn.startswith(_JUMPING):
                    return False
                if edge.src not in seen:
                    seen.add(edge.src)
                    waiting.append(edge.src)
        return True


def _is_smooth(rule: Rule | Expression | None) -> bool:
    if isinstance(rule, Apply):
        return rule.function in _SMOOTH and all(map(_is_smooth, rule.arguments))
    return isinstance(rule, Expression)
