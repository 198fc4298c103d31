"""What nodes are called: by the expression of the program that made them, or else by what torch calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from autograd_tour.rules.labels import describe
from autograd_tour.rules.titles import BRIEF_LIMIT, TITLE_LIMIT, Expression, shape_title
from autograd_tour.text import friendly_name
from autograd_tour.tracer.listen.calls import CallRecord, Operand
from autograd_tour.tracer.listen.forward import ForwardRecord

if TYPE_CHECKING:
    from autograd_tour.tracer.assemble.drafts import Draft

__all__ = ["Title", "Titles"]


class Title(NamedTuple):
    """``op`` is the title, ``brief`` the same where room is short, ``name`` how rules refer to the result.

    ``expression`` is all of the source it was read from.
    """

    op: str
    name: str = ""
    brief: str = ""
    expression: str = ""


class Titles:
    """The titles of one record; each place of the program is read once."""

    def __init__(self, record: ForwardRecord | None) -> None:
        self.record = record
        self._by_spot: dict[int, Title | None] = {}
        self._used_as: dict[int, Expression] | None = None

    def operation(
        self, draft: Draft, grad_fn: str, texts: Sequence[str], attributes: Mapping[str, str], custom: str
    ) -> Title:
        """The title of the node ``grad_fn``; ``texts`` are its operands, ``custom`` the name of a Function."""
        call = draft.call
        alone = call.function if call is not None and draft.alone else ""
        plain = Title(custom) if custom else Title(*describe(grad_fn, alone, texts, attributes))
        function = alone if alone and not alone.startswith("_") else custom or friendly_name(grad_fn)
        plain = plain._replace(name=plain.name or f"{function}(…)")
        source = self._read(call.site.spot) if call is not None else None
        if call is None or source is None:
            return plain
        result = draft.makes_result or (not call.stop and friendly_name(grad_fn) in call.function)
        if result and call.whole:
            return source._replace(name=source.name or plain.name)
        step = friendly_name(grad_fn)
        room = TITLE_LIMIT - len(step) - len(" in ")
        assert self.record is not None
        outer = self.record.spots.expression(call.site.spot)
        whole = f"{step} in {outer.title(max(room, BRIEF_LIMIT))}" if outer is not None else step
        return Title(whole, plain.name, step, source.expression)

    def tensor(self, key: int, spot: int, shape: tuple[int, ...], kind: str = "tensor") -> Title:
        """The title of a tensor without a name, given by its ``id``: how it is used, how it was made, its shape."""
        used = self._uses().get(key)
        if used is not None:
            return _titled(used)
        source = self._read(spot)
        if source is not None and source.name:
            return source
        text = shape_title(shape, kind)
        return Title(text, text)

    def _read(self, spot: int) -> Title | None:
        if self.record is None or spot < 0:
            return None
        if spot not in self._by_spot:
            expression = self.record.spots.expression(spot)
            self._by_spot[spot] = _titled(expression) if expression is not None else None
        return self._by_spot[spot]

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
                    if argument is not None and argument.tree is not None:
                        self._used_as[key] = argument
        return self._used_as

    def _argument(self, call: CallRecord, operand: Operand) -> Expression | None:
        if self.record is None or not (call.site.direct and operand.path):
            return None
        expression = self.record.spots.expression(call.site.spot)
        numbers = [other for other in call.operands if other.text and not other.differentiable]
        mixed = bool(numbers) and all(other.constant < 0 for other in numbers)
        return expression.argument(operand.path, call.method, call.given, mixed) if expression else None


def _key(operand: Operand) -> int | None:
    if operand.constant >= 0:
        return -1 - operand.constant
    return id(operand.source) if isinstance(operand.source, Tensor) else None


def _titled(expression: Expression) -> Title:
    title = expression.title()
    brief = expression.title(BRIEF_LIMIT) if len(title) > BRIEF_LIMIT else ""
    return Title(title, expression.name(), brief, expression.full())
