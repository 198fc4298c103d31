"""The graphs of a program that trains: against torchviz, when backward runs alone, and their own sums."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

from torch import Tensor

from autograd_tour.checks import likeness, sums
from autograd_tour.checks.alone import Alone, Looks, Position
from autograd_tour.checks.subject import Run as Outputs
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import Run
from autograd_tour.record.trace import Trace
from autograd_tour.record.verification import Check
from autograd_tour.tracer.assemble.walk import root_of, walk

__all__ = ["Sights"]


class Sights:
    """What was seen of each graph of ``run``: that of the first backward call that has it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._calls: dict[int, int] = {}
        self._likeness: dict[int, Check] = {}
        for event in run.events:
            if event.kind == "backward" and event.graph is not None:
                self._calls.setdefault(event.graph, event.backward_call)

    def looks(self) -> Looks:
        """To be called while the program runs alone."""
        return {call: self._look(number) for number, call in self._calls.items()}

    def _look(self, number: int) -> Callable[[Sequence[Tensor]], None]:
        def look(outputs: Sequence[Tensor]) -> None:
            skeleton = walk(root_of(output)[0] for output in outputs)
            try:
                graph = self._run.graphs[number]
                self._likeness[number] = likeness.of_outputs(graph, Outputs(outputs, skeleton))
            finally:
                skeleton.release()
                gc.collect()  # make_dot leaves nodes in a cycle, and the program may swap their leaves

        return look

    def checks(self, alone: Alone) -> tuple[Check, ...]:
        """One for all graphs against torchviz and one for their sums; none where there is no graph."""
        if len(self._likeness) < len(self._calls) or not self._calls:
            return ()
        return (
            likeness.together([self._likeness[number] for number in self._calls]),
            sums.together([self._sums(alone, number, call) for number, call in self._calls.items()]),
        )

    def _sums(self, alone: Alone, number: int, call: int) -> Check:
        graph: Graph = self._run.graphs[number]
        moment = alone.moments.get(Position("backward", call))
        accumulators = (node.id for node in graph.nodes if node.kind == "accumulate")
        hooked = frozenset(accumulators if moment is not None and moment.hooked else ())
        return sums.check(Trace(graph), hooked=hooked)
