"""What nodes are called: by the expression of the program that made them, or else in torch's words."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from types import CodeType
from typing import NamedTuple

from torch import Tensor

from autograd_tour.rules.titles import BRIEF_LIMIT, TITLE_LIMIT, WITHIN_LIMIT, Expression, shape_title
from autograd_tour.tracer.listen.calls import BASE_OF, CallRecord, Operand, Site
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.frames import is_library, relative

__all__ = ["SourceNames", "SourceTitle", "place_of_backward"]


class SourceTitle(NamedTuple):
    """``op`` is the title, ``brief`` the same where room is short, ``name`` how rules refer to the result.

    ``expression`` is all of the source it was read from, on one line. ``written``: that writes into a
    tensor, which is the result. ``statement``: how it stands there if ``op`` is what it computes. ``root``
    is the variable that what is called, or indexed, begins with.
    """

    op: str
    name: str = ""
    brief: str = ""
    expression: str = ""
    written: bool = False
    statement: str = ""
    root: str = ""


class SourceNames:
    """The titles of one record; each place of the program is read once."""

    def __init__(self, record: ForwardRecord | None) -> None:
        self.record = record
        self._by_spot: dict[int, SourceTitle | None] = {}
        self._used_as: dict[int, Expression] | None = None

    def operation(
        self,
        call: CallRecord | None,
        step: str,
        makes_result: bool,
        on_view: bool,
        without_source: Callable[[], tuple[str, str]],
    ) -> SourceTitle:
        """The title of a node that ``call`` made.

        ``step`` is what torch calls the operation, ``makes_result`` says that its result is that of the
        call, ``on_view`` that it is the base of a view that the call changed. ``without_source`` gives
        the title and the name it has where no source is at hand.
        """
        source = self._read(call.site.spot) if call is not None and not call.site.near else None
        # What writes into a part inside a function of torch is one of its steps.
        on_view = on_view and (call is None or call.writes or not call.stop)
        # Of a call that was not noted in detail only its function tells which node made the result.
        result = makes_result or on_view or (call is not None and not call.stop and step in call.function)
        whole = call is not None and call.whole and result
        if source is not None and whole and source.name and (source.written or not on_view):
            return source
        op, name = without_source()
        name = name or f"{step}(…)"
        if on_view and source is not None and call is not None and whole:
            # What is written is a part; the result is all of what it is a part of.
            called = f"{BASE_OF}{source.root}" if source.root and call.method else name
            return SourceTitle(source.statement or source.op, called, source.brief, source.expression)
        if call is None or source is None:
            return SourceTitle(op, name)
        if whole:
            return source._replace(name=name)
        return SourceTitle(self._within(step, call.site.spot), name, step, source.expression)

    def tensor(self, key: int, born: Site, shape: tuple[int, ...], kind: str = "tensor") -> SourceTitle:
        """The title of a tensor without a name: how it is used, how it was made, or its shape.

        ``key`` is the ``id`` of a leaf, or −1 − number of a constant.
        """
        used = self._uses().get(key)
        if used is not None:
            return _titled(used)
        source, text = self._read(born.spot), shape_title(shape, kind)
        if source is None:
            return SourceTitle(text, text)
        if born.direct and source.name:
            return source
        return SourceTitle(self._within(text, born.spot), text, text, source.expression)

    def _read(self, spot: int) -> SourceTitle | None:
        if self.record is None or spot < 0:
            return None
        if spot not in self._by_spot:
            expression = self.record.sites.spots.expression(spot)
            self._by_spot[spot] = _titled(expression) if expression is not None else None
        return self._by_spot[spot]

    def _within(self, part: str, spot: int) -> str:
        """``log_softmax in F.cross_entropy(logits, y)``."""
        expression = self.record.sites.spots.expression(spot) if self.record is not None else None
        room = max(TITLE_LIMIT - len(part) - len(" in "), WITHIN_LIMIT)
        return f"{part} in {expression.title(room)}" if expression is not None else part

    def _uses(self) -> dict[int, Expression]:
        """Id of a leaf, or −1 − number of a constant -> the argument that it is at its first use."""
        if self._used_as is None:
            self._used_as = {}
            for call in self.record.calls if self.record is not None else ():
                for operand in call.operands:
                    key = _key(operand)
                    if key is None or key in self._used_as:
                        continue
                    argument = self._argument(call, operand)
                    if argument is not None and argument.name():
                        self._used_as[key] = argument
        return self._used_as

    def _argument(self, call: CallRecord, operand: Operand) -> Expression | None:
        if self.record is None or not (call.site.direct and operand.path):
            return None
        expression = self.record.sites.spots.expression(call.site.spot)
        mixed = any(not other.differentiable and other.constant < 0 for other in call.operands)
        return expression.argument(operand.path, call.method, call.given, mixed) if expression else None


def place_of_backward(function: type) -> str:
    """``file:line`` of the ``def backward`` of a custom Function; ``""`` if it has none of its own."""
    code = getattr(getattr(function, "backward", None), "__code__", None)
    if not isinstance(code, CodeType) or is_library(code.co_filename):
        return ""
    # Code begins with its decorators.
    lines = range(code.co_firstlineno, code.co_firstlineno + 8)
    starts = (n for n in lines if linecache.getline(code.co_filename, n).lstrip().startswith("def "))
    return f"{relative(code.co_filename)}:{next(starts, code.co_firstlineno)}"


def _key(operand: Operand) -> int | None:
    if operand.constant >= 0:
        return -1 - operand.constant
    return id(operand.source) if isinstance(operand.source, Tensor) else None


def _titled(expression: Expression) -> SourceTitle:
    title = expression.title()
    brief = expression.title(BRIEF_LIMIT) if len(title) > BRIEF_LIMIT else ""
    written = isinstance(expression.tree, ast.Assign)
    return SourceTitle(
        title, expression.name(), brief, expression.full(), written, expression.statement, expression.root
    )
