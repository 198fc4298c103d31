"""What became of a snippet: a record, or a failure with its line in the document."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from autograd_tour.errors import TraceFileError, UsageError, suggestion
from autograd_tour.hosts.keys import digest

if TYPE_CHECKING:
    from autograd_tour.findings.explanation import Explanation
    from autograd_tour.record.facts import TensorFacts
    from autograd_tour.record.trace import Trace
else:
    Trace = Any  # for whoever reads signatures: loading it is put off

__all__ = ["Failure", "Outcome", "Record"]


class Failure(Struct, frozen=True):
    """Why a snippet has no record.

    ``kind``: ``program`` (its code failed), ``result`` (it ran, but has nothing to trace), ``timeout``, or
    ``missing`` (it did not run). ``key`` is that of an error which was to be raised, and is kept.
    """

    file: str
    line: int
    message: str
    hint: str = ""
    kind: str = "program"
    key: str = ""

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class Record(Struct, frozen=True, dict=True):
    """The record of one snippet; ``key`` is the same as long as its code and options are.

    ``content`` is its trace, or the JSON of it, which is read when it is first needed: where all pictures
    are drawn already it never is. ``remarks`` are for whoever builds the document. Of a snippet that
    ``explains`` the JSON is that of its explanation.
    """

    key: str
    content: Trace | bytes
    remarks: tuple[str, ...] = ()
    explains: bool = False

    @cached_property
    def trace(self) -> Trace:
        """What happened.

        Raises:
            TraceFileError: the JSON is none of ours.
        """
        from autograd_tour.record import codec

        return codec.loads(self.content) if isinstance(self.content, bytes) else self.content

    @cached_property
    def explanation(self) -> Explanation:
        """What is wrong with the gradients; of a saved trace, what it shows.

        Raises:
            TraceFileError: the JSON is none of ours.
        """
        from autograd_tour.findings.explanation import Explanation, explanation_of

        if not (self.explains and isinstance(self.content, bytes)):
            return explanation_of(self.trace)
        try:
            return msgspec.json.decode(self.content, type=Explanation)
        except msgspec.DecodeError as error:
            raise TraceFileError(f"the record is damaged: {error}", "Delete it: it is made anew") from None

    def check(self) -> None:
        """Nothing, if what is recorded can be read.

        Raises:
            TraceFileError: it cannot.
        """
        _ = self.explanation if self.explains else self.trace

    @cached_property
    def digest(self) -> str:
        """The same as long as the trace is."""
        from autograd_tour.record import codec

        return digest(self.content if isinstance(self.content, bytes) else codec.dumps(self.content).encode())

    @cached_property
    def description(self) -> str:
        """What the picture shows, in sentences."""
        from autograd_tour.views.wording import describe_graph

        return describe_graph(self.trace.graph)

    def value(self, name: str) -> str:
        """The value of a tensor of the program, or the gradient of a leaf by ``NAME.grad``, as text.

        Raises:
            UsageError: nothing is called so, or it has no value.
        """
        from autograd_tour.views.wording import elements

        wanted, dot, grad = name.partition(".grad")
        facts = self._gradients.get(wanted) if dot and not grad else self._values.get(name)
        if facts is None:
            names = [*self._values, *(f"{leaf}.grad" for leaf in self._gradients)]
            raise UsageError(f"nothing in the record is called {name}", suggestion(name, names, 12))
        return elements(facts)

    @cached_property
    def _values(self) -> dict[str, TensorFacts]:
        values: dict[str, TensorFacts] = {}
        for node in self.trace.graph.nodes:
            for slot, facts in enumerate(node.values):
                label = self.trace.graph.result_name(node.id, slot)
                if label and facts is not None:
                    values[label] = facts
        return values

    @cached_property
    def _gradients(self) -> dict[str, TensorFacts]:
        graph = self.trace.graph
        steps = ((graph.leaf_of(step.node), step.after) for _, step in graph.numbered_steps())
        return {graph.node(leaf).name: after for leaf, after in steps if leaf and after is not None}


Outcome = Record | Failure
