"""What is noted of one call of a torch function: its operands, its results, the nodes it made."""

from __future__ import annotations

import weakref

from torch import Tensor

from autograd_tour.record.facts import TensorFacts

__all__ = ["CallRecord", "Constant", "Operand"]


class Operand:
    """One argument of a call: a tensor with a gradient, a constant tensor, or a Python number.

    ``source`` is what a differentiable one comes from: itself if it is a leaf, which has a ``name``, or
    the call that made it, as the result at ``position``. ``number`` is the value of what is no tensor.
    """

    __slots__ = ("constant", "differentiable", "name", "number", "pointer", "position", "source")

    def __init__(
        self,
        name: str,
        differentiable: bool,
        constant: int = -1,
        pointer: int = 0,
        source: Tensor | CallRecord | None = None,
        position: int = 0,
        number: complex | float | int = 0,
    ) -> None:
        self.name = name
        self.number = number
        self.differentiable = differentiable
        self.constant = constant
        self.pointer = pointer
        self.source = source
        self.position = position

    @property
    def unknown(self) -> bool:
        """Made where nobody listened: before the trace, in another thread, by a custom Function."""
        return self.differentiable and self.source is None


class CallRecord:
    """One call of a torch function that made the graph nodes numbered ``start`` to ``stop`` - 1.

    ``outputs`` are the tensors of its result, ``places`` which output of their node they are, -1 for
    one without a gradient.
    """

    __slots__ = ("function", "group", "names", "operands", "outputs", "places", "start", "stop", "where")

    def __init__(
        self, function: str, start: int, stop: int, where: int | None, group: tuple[int, str] | None
    ) -> None:
        self.function = function
        self.start = start
        self.stop = stop
        self.where = where
        self.group = group
        self.names: tuple[str, ...] = ()
        self.outputs: tuple[TensorFacts, ...] = ()
        self.places: tuple[int, ...] = ()
        self.operands: list[Operand] = []

    @property
    def one_node_made_all(self) -> bool:
        """Whether its results are sure to be outputs of one node, the last. A call such as
        ``hsplit`` makes a node for each.
        """
        places = [place for place in self.places if place >= 0]
        return len(set(places)) == len(places)


class Constant:
    """A tensor without gradient that an operation used."""

    __slots__ = ("cut_from", "facts", "name", "ref", "where")

    def __init__(self, tensor: Tensor, facts: TensorFacts, name: str) -> None:
        self.ref = weakref.ref(tensor)
        self.facts = facts
        self.name = name
        self.cut_from: tuple[str, CallRecord | None, Tensor | None] | None = None
