"""A question about one run: what is asked, what is right, and what a wrong answer betrays."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.node import Node
from autograd_tour.record.run import Run
from autograd_tour.text import number, one_line
from autograd_tour.views.steps import Frame, frames
from autograd_tour.views.sums import arrivals
from autograd_tour.views.worked import operand_values

__all__ = ["TOLERANCE", "Mistake", "Question", "Subject", "Wrong", "mixed", "numeric"]

TOLERANCE = 0.002
"""Relative. Pictures show four significant digits, and a product of such numbers is off by a little more."""

Mistake = tuple[float | None, str, int]
"""A wrong number, what whoever gives it has assumed, and the stop of the tour that removes the assumption."""


class Wrong(Struct, frozen=True, omit_defaults=True):
    """A wrong answer, and what whoever gives it has assumed.

    ``stop`` is the number of the tour's stop that removes the assumption, 0 for none.
    """

    answer: str
    feedback: str
    stop: int = 0


class Question(Struct, frozen=True, omit_defaults=True):
    """One question. With ``choices`` the answer is one of them, else a number or ``None``.

    ``right`` explains the right answer. ``node`` is the card it is about; ``frame`` the frame of the film
    (:mod:`autograd_tour.views.steps`) that shows the answer, 0 for none. ``blank`` names what a worksheet
    leaves out: ``NODE.grad.SLOT``, ``NODE.mailbox`` or ``NODE.saved``. ``frames`` has a frame for each of the
    choices, in which its card is lit: where there are pictures, one chooses the next one. ``given`` tells the
    numbers that the answer is computed from, where there is no picture to look them up in.
    """

    id: str
    kind: str
    prompt: str
    answer: str
    right: str
    wrong: tuple[Wrong, ...] = ()
    choices: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    node: str = ""
    frame: int = 0
    blank: str = ""
    frames: tuple[int, ...] = ()
    given: str = ""


class Subject:
    """What questions are about: one recorded run, with its steps and names that can be told apart."""

    def __init__(self, graph: Graph, ledger: Ledger | None, run: Run | None = None) -> None:
        self.graph = graph
        self.ledger = ledger
        self.run = run
        self.frames: tuple[Frame, ...] = frames(graph)
        self.nodes = graph.by_id()
        self.operands = operand_values(graph)
        self.received = {frame.node: frame.received for frame in self.frames}
        self.arrivals = arrivals(graph)
        self.asked: set[str] = set()
        """Nodes of which an earlier question asks what arrives there."""
        self.answers: dict[str, str] = {}
        """Gradients that questions ask for, as printed, and what the first such question says they go to."""
        self.given: set[str] = set()
        """Nodes of which a question tells what arrives there, so that none may ask for it."""
        self.zeros: set[str] = set()
        """Nodes of which a question asks for an element that is 0."""
        self._names, self._vague = _distinct_names(graph)

    def called(self, node_id: str) -> str:
        """What a person calls a node: a leaf for its accumulator, and what its card is headed with.

        Cards headed alike are told apart by their module or their value.
        """
        return self._names[self.graph.card_of(node_id)]

    def vague(self, node_id: str) -> bool:
        """Whether several nodes are called the same, so that nobody knows which one is meant."""
        return self.graph.card_of(node_id) in self._vague

    def result(self, node: Node) -> str:
        """What the result of a node is called: its variable, or the expression that made it."""
        return one_line(self.graph.result_name(node.id, None), 60)


def _distinct_names(graph: Graph) -> tuple[dict[str, str], set[str]]:
    """The name of each node, and those that share theirs even with all that their cards say."""
    nodes = [node for node in graph.nodes if graph.card_of(node.id) == node.id]
    names = {node.id: one_line(node.module_path or graph.title(node.id), 60) for node in nodes}
    for more in (_module, _value):
        count = Counter(names.values())
        longer = {node.id: more(node) for node in nodes if count[names[node.id]] > 1}
        names |= {node_id: f"{names[node_id]} {text}" for node_id, text in longer.items() if text}
    count = Counter(names.values())
    return names, {node_id for node_id, name in names.items() if count[name] > 1}


def _module(node: Node) -> str:
    return f"of module {one_line(node.group, 60)}" if node.group and node.kind == "operation" else ""


def _value(node: Node) -> str:
    value = first(node.value) if node.value is not None and node.value.numel == 1 else None
    return f"with value {number(value)}" if value is not None else ""


def plain(value: Number | None) -> float | None:
    """A finite number, or nothing."""
    if value is None or isinstance(value, str | bool):
        return None
    return float(value) if math.isfinite(value) else None


def first(facts: TensorFacts | None) -> float | None:
    """The first element, if it is a finite number."""
    return plain(facts.first[0]) if facts is not None and facts.first else None


def target_of(subject: Subject, edge: Edge) -> str:
    """What a person calls the tensor that the gradient on an edge belongs to."""
    node = subject.nodes[subject.graph.card_of(edge.dst)]
    return subject.called(node.id) if node.kind == "leaf" else subject.result(node)


def where(facts: TensorFacts) -> str:
    """Which of its elements is meant, behind the name of a tensor."""
    return "" if facts.numel == 1 else f" (the first of its {facts.numel} elements)"


def mixed(question_id: str, *choices: str) -> tuple[str, ...]:
    """The choices in an order that tells nothing, the same in every run."""
    return tuple(
        sorted(choices, key=lambda choice: hashlib.sha256(f"{question_id} {choice}".encode()).digest())
    )


def element_name(name: str, facts: TensorFacts, position: int) -> str:
    """``x[0, 2]``: how a program writes the element at ``position``; ``(x + 1)[2]`` of an expression."""
    if not facts.shape:
        return name
    bracketed = f"({name})" if _has_operator(name) else name
    return f"{bracketed}[{', '.join(map(str, facts.index(position)))}]"


def _has_operator(name: str) -> bool:
    """Whether an index behind ``name`` would belong to its last operand only."""
    depth = 0
    for character in name:
        depth += (character in "([{") - (character in ")]}")
        if not depth and character in " +-−*/@<>=":
            return True
    return False


def numeric(answer: float, candidates: Iterable[Mistake]) -> tuple[Wrong, ...]:
    """The candidates that can be told from the answer and from each other, each with its feedback."""
    values = [answer]
    wrong = []
    for value, assumed, stop in candidates:
        if value is None or not math.isfinite(value):
            continue
        if all(abs(value - other) > 3 * TOLERANCE * max(abs(value), abs(other)) for other in values):
            values.append(value)
            wrong.append(Wrong(number(value), f"You said {number(value)}: {assumed}", stop))
    return tuple(wrong)
