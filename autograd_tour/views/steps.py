"""One backward pass, frame by frame: which node runs, what comes in, what goes out, and where it lands."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.views.sums import arrivals
from autograd_tour.views.worked import Worked, operand_values, worked

__all__ = ["Deposit", "Frame", "Sent", "Timeline", "frames"]


class Sent(Struct, frozen=True):
    """A gradient on its way along ``edge``; ``worked`` is the local rule with its numbers."""

    edge: Edge
    facts: TensorFacts | None = None
    worked: Worked | None = None


class Deposit(Struct, frozen=True):
    """What an accumulator does to the ``.grad`` of ``leaf``, the id of a node.

    ``parts`` are what the contribution is the sum of, as they arrive.
    """

    leaf: str
    before: TensorFacts | None = None
    contribution: TensorFacts | None = None
    after: TensorFacts | None = None
    parts: tuple[TensorFacts, ...] = ()


class Frame(Struct, frozen=True):
    """The moment in which the engine runs one node; frame 0 is the moment before backward.

    ``received`` has an entry for each output slot of the node.
    """

    number: int
    node: str = ""
    received: tuple[TensorFacts | None, ...] = ()
    sent: tuple[Sent, ...] = ()
    deposit: Deposit | None = None


def frames(graph: Graph) -> tuple[Frame, ...]:
    """Frames 0 to n of the last recorded backward; only frame 0 if none was recorded."""
    nodes = graph.by_id()
    leaving: dict[str, list[Edge]] = {}
    for edge in graph.select("gradient"):
        leaving.setdefault(edge.src, []).append(edge)
    values = operand_values(graph)
    parts = arrivals(graph)

    def frame(number: int, step: Step) -> Frame:
        node = nodes[step.node]
        edges = leaving.get(step.node, [])
        if leaf := graph.leaf_of(node.id):
            contribution = step.received[0] if step.received else None
            arrived = parts.get((node.id, 0), ())
            hooked = any("hooked" in part.edge.marks for part in arrived)
            brought = () if hooked else tuple(part.facts for part in arrived)
            deposit = Deposit(leaf, step.before, contribution, step.after, brought)
            return Frame(number, node.id, step.received, (), deposit)
        operands = values.get(node.id, {})
        sent = tuple(
            Sent(edge, facts, worked(edge, node, step.received, facts, operands))
            for edge in edges
            if (facts := _at(step.sent, edge.slot[0])) is not None
        )
        return Frame(number, node.id, step.received, sent)

    return Frame(0), *(frame(number, step) for number, step in graph.numbered_steps())


def _at(facts: tuple[TensorFacts | None, ...], slot: int) -> TensorFacts | None:
    return facts[slot] if 0 <= slot < len(facts) else None


class Timeline:
    """When each node of a graph runs, and when each of its gradients arrives: numbers of frames."""

    def __init__(self, graph: Graph) -> None:
        self.ran: dict[str, int] = {step.node: number for number, step in graph.numbered_steps()}
        self._arrivals: dict[tuple[str, int], list[int]] = {}
        for edge in graph.select("gradient"):
            number, step = graph.step(edge.src)
            if step is not None and _at(step.sent, edge.slot[0]) is not None:
                self._arrivals.setdefault((edge.dst, edge.slot[1]), []).append(number)
        for numbers in self._arrivals.values():
            numbers.sort()

    def arrivals(self, node: Node, slot: int) -> list[int]:
        """The frames in which a part of the gradient of that output arrives, the last one completing it.

        The gradient that backward starts from arrives as its node runs.
        """
        numbers = self._arrivals.get((node.id, slot))
        return numbers or ([self.ran[node.id]] if node.id in self.ran else [])

    def partial(self, numbers: list[int]) -> Iterator[tuple[int, str]]:
        """(frame, what to say from then on) until the last part is there: ``1 of 3 arrived``."""
        for count, number in enumerate(numbers[:-1], start=1):
            if number != numbers[count]:
                yield number, f"{count} of {len(numbers)} arrived"
