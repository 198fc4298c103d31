"""What is noted of one call of a torch function: its operands, its results, the nodes it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.tracer.references import TensorRef

if TYPE_CHECKING:
    from autograd_tour.tracer.listen.scopes import FunctionRun

__all__ = [
    "BASE_OF",
    "CallRecord",
    "Constant",
    "Operand",
    "Path",
    "Site",
    "differentiates",
    "function_name",
    "in_python",
    "writes",
]

BASE_OF = "base of "
"""In front of the name of a view: what is meant is all of the tensor that it is a part of."""

Path = tuple[int | str, ...]
"""Which argument of a call: its position or keyword, and the position in it if it is a list."""


class Site(NamedTuple):
    """Where in the program a call stands.

    ``spot`` is the place that helps the reader, ``inner`` a deeper one, both as numbers of
    :class:`~autograd_tour.tracer.listen.spots.Spots`, -1 for none. ``direct``: the program itself called the
    torch function there. ``visit`` numbers the module that was called there, 0 if none was;
    ``frame`` tells two runs of one function apart. ``near``: it is only where the result was first used.
    """

    spot: int = -1
    inner: int = -1
    direct: bool = False
    visit: int = 0
    frame: int = 0
    near: bool = False


_DIFFERENTIATING = (torch.autograd.grad, torch.autograd.backward, Tensor.backward)


def function_name(func: Any) -> str:
    """What a person calls a torch function; of an attribute such as ``x.T`` its name."""
    name: str = getattr(func, "__name__", str(func))
    return (func.__self__.__name__ if name == "__get__" else name).strip("_")


def differentiates(func: Any) -> bool:
    """Whether ``func`` runs a backward: the nodes that it makes belong to a double backward."""
    func = getattr(func, "__wrapped__", func)  # while a program is followed, others stand for them
    return any(func is function for function in _DIFFERENTIATING)


def in_python(func: Any) -> bool:
    """Whether ``func`` is a function of torch in Python; methods of a tensor only turn their arguments."""
    return hasattr(func, "__code__") and getattr(func, "__module__", "") != "torch._tensor"


def writes(func: Any) -> bool:
    """Whether ``func`` changes its first argument in place."""
    name: str = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name == "__setitem__" or name.startswith("__i")
    return name.endswith("_")


class Operand:
    """One argument of a call: a tensor with a gradient, a constant tensor, or a Python number.

    ``source`` is what a differentiable one comes from: itself if it is a leaf, which has a ``name``, or
    the call that made it, as the result at ``position``. ``number`` is the value of what is no tensor.
    ``path`` is its place among the arguments.
    """

    __slots__ = (
        "constant", "differentiable", "name", "number", "path", "pointer", "position", "source"
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        differentiable: bool,
        constant: int = -1,
        pointer: int = 0,
        source: Tensor | CallRecord | None = None,
        position: int = 0,
        number: complex | float | int = 0,
        path: Path = (),
    ) -> None:
        self.name = name
        self.number = number
        self.differentiable = differentiable
        self.constant = constant
        self.pointer = pointer
        self.source = source
        self.position = position
        self.path = path

    @property
    def is_number(self) -> bool:
        """Whether it is no tensor."""
        return not self.differentiable and self.constant < 0

    @property
    def unknown(self) -> bool:
        """Made where nobody listened: before the trace, in another thread, by a custom Function."""
        return self.differentiable and self.source is None


class CallRecord:
    """One call of a torch function that made the graph nodes numbered ``start`` to ``stop`` - 1.

    ``outputs`` are the tensors of its result, ``output_numbers`` which output of their node they are, -1
    for one without a gradient. ``method``: it was called as a method of its first argument. ``given``
    counts the positional arguments. ``whole``: its result is that of the expression at its site, of which
    it may be an inner part. ``run`` is the call of the program's own function that made it.
    ``second_order``: it ran a backward, and its nodes are what that made. ``in_python``: the function is
    written in Python, and what it calls itself is not heard. ``base`` is the name of the tensor that it wrote
    into a part of, ``""`` if it did not or that has none. ``equation`` is that of an einsum. ``writes``:
    the function changes its first argument.
    """

    __slots__ = (
        "base",
        "equation",
        "function",
        "given",
        "group",
        "in_python",
        "method",
        "names",
        "operands",
        "output_numbers",
        "outputs",
        "run",
        "second_order",
        "site",
        "start",
        "stop",
        "whole",
        "writes",
    )

    def __init__(
        self, function: str, start: int, stop: int, site: Site, group: tuple[int, str] | None
    ) -> None:
        self.function = function
        self.start = start
        self.stop = stop
        self.site = site
        self.group = group
        self.method = False
        self.given = 0
        self.whole = site.direct
        self.names: tuple[str, ...] = ()
        self.outputs: tuple[TensorFacts, ...] = ()
        self.output_numbers: tuple[int, ...] = ()
        self.operands: list[Operand] = []
        self.run: FunctionRun | None = None
        self.second_order = False
        self.in_python = False
        self.base = ""
        self.equation = ""
        self.writes = False

    @property
    def made_one_node(self) -> bool:
        """Whether its operands are those of one node. What a backward was given are operands of none."""
        return self.stop - self.start == 1 and not self.second_order

    @property
    def one_node_made_all(self) -> bool:
        """Whether its results are sure to be outputs of one node, the last. A call such as
        ``hsplit`` makes a node for each.
        """
        numbers = [number for number in self.output_numbers if number >= 0]
        return len(set(numbers)) == len(numbers)


class Constant:
    """A tensor without gradient that an operation used: ``born`` is where it was made.

    ``group`` is the module that made it and ``run`` the call of a function, ``None`` where nobody listened.
    ``earlier`` is the number of the constant that the same tensor was before it was changed in place, or −1.
    ``given``: its memory was there before the program, or came from where nobody listens.
    """

    __slots__ = ("born", "cut_from", "earlier", "facts", "given", "group", "name", "ref", "run")

    def __init__(self, tensor: Tensor, facts: TensorFacts, name: str, born: Site) -> None:
        self.ref = TensorRef(tensor)
        self.facts = facts
        self.name = name
        self.born = born
        self.group: tuple[int, str] | None = None
        self.run: FunctionRun | None = None
        self.earlier = -1
        self.given = False
        self.cut_from: tuple[str, CallRecord | None, Tensor | None] | None = None
