"""An expression of the program as text for people: on one line, whole or shortened at its own seams.

What is shortened is cut where the expression itself has parts: ``… − logvar.exp()`` for a long sum,
``F.relu(…, inplace=True)`` for a long call. So no text has a hole, and what tells two apart stays.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from autograd_tour.text import MINUS, one_line

__all__ = [
    "BRIEF_LIMIT",
    "EXPRESSION_LIMIT",
    "TITLE_LIMIT",
    "WITHIN_LIMIT",
    "Expression",
    "expression",
    "shape_title",
]

TITLE_LIMIT = 40
"""Most characters of a title."""

BRIEF_LIMIT = 24
"""Most characters of a title where room is short, and of an expression inside another label."""

WITHIN_LIMIT = 28
"""Characters that an expression may have in the title of one of its steps, however long that is called."""

EXPRESSION_LIMIT = 200
"""Most characters of an expression that is noted whole."""

_DOTS = "…"
_Replacement = tuple[int, int, str]
"""From which byte to which, and what stands there instead."""


class _Part(NamedTuple):
    start: int
    end: int
    dots: str
    collapsed: str
    """A call with its name and no arguments, ``""`` for anything else."""


class Expression:
    """Source text on one line, and how it is made shorter. Make one with :func:`expression`."""

    def __init__(self, text: str, tree: ast.expr | ast.stmt | None, statement: str = "") -> None:
        self.text = text
        self.tree = tree
        self.statement = statement
        """``a *= 2``, of which the text is ``a * 2``; ``""`` for what was no such statement."""
        self._raw = text.encode()
        self._titles: dict[tuple[int, bool], str] = {}

    def full(self) -> str:
        """All of it, as it stands in the source."""
        return one_line(self.text, EXPRESSION_LIMIT)

    def title(self, limit: int = TITLE_LIMIT, *, spaced: bool = False) -> str:
        """At most ``limit`` characters, with a real minus sign between what is subtracted.

        ``spaced``: with spaces around every operator, whatever the source has.
        """
        key = limit, spaced
        if key not in self._titles:
            self._titles[key] = self._shortened(limit, spaced)
        return self._titles[key]

    def _shortened(self, limit: int, spaced: bool) -> str:
        signs = list(self._signs(spaced))
        text = self._with(signs)
        replaced: list[_Replacement] = []
        # The longest part goes first; a call keeps its name if that is enough.
        for part in sorted(self._parts(), key=lambda part: part.start - part.end):
            for short in filter(None, (part.collapsed, part.dots)):
                if len(text) > limit:
                    kept = [other for other in replaced if other[0] != part.start]
                    replaced = [*kept, (part.start, part.end, short)]
                    text = self._with([*replaced, *_outside(signs, replaced)])
        if isinstance(self.tree, ast.BinOp) and [dots for *_, dots in replaced] == [_DOTS, _DOTS]:
            text = self._half(signs, min(replaced), limit) or text
        if isinstance(self.tree, ast.Call) and (len(text) > limit or text.endswith("(…, …)")):
            every = self._arguments(self.tree)
            receiver = [part for part in replaced if part[1] <= every[0]]
            text = self._with([*_outside(signs, [*receiver, every]), *receiver, every])
            text = text if len(text) <= limit else f"{self.function or self._text(self.tree.func)}({_DOTS})"
        return one_line(text, limit)

    def _half(self, signs: list[_Replacement], left: _Replacement, limit: int) -> str:
        """Of two long operands the second one whole, or shortened by itself, ``""`` if neither fits.

        Both as dots say nothing: ``… + …``.
        """
        whole = self._with([left, *_outside(signs, [left])])
        second = _operands(self.tree)[1]
        if len(whole) <= limit or not _operands(second):
            return whole if len(whole) <= limit else ""
        start, end = second.col_offset, second.end_col_offset or 0
        inner = Expression(self._text(second), _parsed(self._text(second)))
        short = inner.title(limit - len(whole) + end - start)
        second_short = (start, end, short)
        text = self._with([left, second_short, *_outside(signs, [left, second_short])])
        return "" if len(text) > limit or short.endswith(_DOTS) else text

    def name(self) -> str:
        """How a rule refers to the result: short, and seen to be more than a word where it is.

        ``""`` for a statement, which has no value, unless it writes into a tensor: that is the result.
        """
        if self.target:
            return self.target
        if not isinstance(self.tree, ast.expr) or isinstance(self.tree, ast.Starred):
            return ""
        return self.title(BRIEF_LIMIT, spaced=True)

    def argument(
        self, path: tuple[int | str, ...], method: bool, given: int, mixed: bool
    ) -> Expression | None:
        """The expression of one operand of the function called, ``None`` where that is not sure.

        ``path`` is its place among the ``given`` positional arguments, or its keyword. ``method``: the first
        one is what stands in front of the dot. ``mixed``: another one is a number, which an operator may
        have on either side.
        """
        node = _argument(self.tree, path, method, given, mixed)
        if node is None or isinstance(node, ast.Starred):
            return None
        return Expression(self._text(node), _parsed(self._text(node)))

    @property
    def target(self) -> str:
        """What a statement writes into a part of: ``self.out`` of ``self.out[0] = x``, else ``""``."""
        target = self.tree.targets[0] if isinstance(self.tree, ast.Assign) else None
        if not isinstance(target, ast.Subscript) or _long(target.value):
            return ""
        return self._text(target.value)

    @property
    def root(self) -> str:
        """The variable, or its attribute, at the beginning of what is called or indexed: ``self.out``."""
        node: ast.AST | None = self.tree.left if isinstance(self.tree, ast.BinOp) else self.tree
        while isinstance(node, ast.Call | ast.Subscript):
            method = node.func if isinstance(node, ast.Call) else None
            if method is not None and not isinstance(method, ast.Attribute):
                return ""
            node = method.value if isinstance(method, ast.Attribute) else node.value  # type: ignore[union-attr]
        return self._text(node) if isinstance(node, ast.Name | ast.Attribute) and not _long(node) else ""

    @property
    def function(self) -> str:
        """The last word of what is called, ``""`` if nothing is."""
        func = self.tree.func if isinstance(self.tree, ast.Call) else None
        return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""

    # ---- pieces of text -------------------------------------------------------------------

    def _text(self, node: ast.expr | ast.keyword) -> str:
        return self._raw[node.col_offset : node.end_col_offset].decode()

    def _with(self, replaced: list[_Replacement]) -> str:
        pieces, at = [], 0
        for start, end, text in sorted(replaced):
            pieces += [self._raw[at:start].decode(), text]
            at = end
        return "".join([*pieces, self._raw[at:].decode()])

    def _parts(self) -> Iterator[_Part]:
        """What may stand as dots: the operands that are expressions themselves, and values of a statement."""
        for node in _operands(self.tree):
            start, end = node.col_offset, node.end_col_offset or 0
            if not _long(node) or end - start <= len(_DOTS):
                continue
            # In front of a dot three more would be misread; a lone generator owns the brackets of its call.
            owned = isinstance(node, ast.GeneratorExp) and self._raw[start - 1 : start] != b"("
            bracketed = owned or self._raw[end : end + 1] in (b".", b"[")
            collapsed = f"{self._text(node.func)}({_DOTS})" if isinstance(node, ast.Call) else ""
            yield _Part(start, end, f"({_DOTS})" if bracketed else _DOTS, collapsed)

    def _arguments(self, call: ast.Call) -> _Replacement:
        return (call.func.end_col_offset or 0) + 1, (call.end_col_offset or 0) - 1, _DOTS

    def _signs(self, spaced: bool) -> Iterator[_Replacement]:
        """Operators that are written in another way; a number such as −1 keeps its own sign."""
        for node in ast.walk(self.tree) if self.tree is not None else ():
            if isinstance(node, ast.BinOp):
                start, end = node.left.end_col_offset or 0, node.right.col_offset
                between = self._raw[start:end].decode()
                sign = between.strip("() ")
                at = start + between.find(sign)
                text = MINUS if sign == "-" else sign
                tight = between.strip("()") == sign
                if text != sign or (spaced and tight):
                    yield at, at + len(sign), f" {text} " if spaced and tight else text
            elif isinstance(node, ast.UnaryOp) and not _is_number(node) and isinstance(node.op, ast.USub):
                yield node.col_offset, node.col_offset + 1, MINUS


def _outside(inner: list[_Replacement], outer: list[_Replacement]) -> list[_Replacement]:
    return [part for part in inner if not any(start <= part[0] < end for start, end, _ in outer)]


def _operands(tree: ast.AST | None) -> list[ast.expr]:
    match tree:
        case ast.BinOp():
            return [tree.left, tree.right]
        case ast.Compare():
            return [tree.left, *tree.comparators]
        case ast.UnaryOp():
            return _operands(tree.operand) or [tree.operand]  # `−…` would say nothing
        case ast.Attribute():
            return [tree.value]
        case ast.Subscript():
            return [tree.value, tree.slice]
        case ast.Call():
            receiver = [tree.func.value] if isinstance(tree.func, ast.Attribute) else []
            if receiver and not isinstance(receiver[0], ast.Call | ast.BinOp | ast.Subscript | ast.IfExp):
                receiver = []  # `F.relu`, `self.net`: a name, not a value on its way
            return [*receiver, *tree.args, *(keyword.value for keyword in tree.keywords)]
        case ast.Assign() | ast.Expr():
            return [tree.value]
        case ast.IfExp():
            return [tree.body, tree.orelse]
    return []


def _long(node: ast.expr) -> bool:
    """Not a name, a number or a path of names, which say more than dots do."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return not isinstance(node, ast.Name | ast.Constant)


def _argument(
    tree: ast.AST | None, path: tuple[int | str, ...], method: bool, given: int, mixed: bool
) -> ast.expr | None:
    first, *rest = path
    node: ast.expr | None = None
    if isinstance(tree, ast.Call):
        if isinstance(first, str):
            node = next((keyword.value for keyword in tree.keywords if keyword.arg == first), None)
        elif len(tree.args) + method <= given:
            receiver = [tree.func.value] if method and isinstance(tree.func, ast.Attribute) else []
            node = _item([*receiver, *tree.args], first) if len(receiver) == method else None
    elif isinstance(tree, ast.BinOp | ast.Compare) and mixed:
        tensors = [side for side in _operands(tree) if not _is_number(side)]
        node = tensors[0] if len(tensors) == 1 else None
    elif isinstance(first, int):
        node = _item(_operands(tree), first)
    if rest and node is not None:
        listed = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        node = _item(listed, rest[0]) if isinstance(rest[0], int) else None
    return node


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    )


def _item(items: list[ast.expr], index: int) -> ast.expr | None:
    if index >= len(items) or any(isinstance(item, ast.Starred) for item in items[: index + 1]):
        return None
    return items[index]


@lru_cache(maxsize=4096)
def expression(source: str) -> Expression | None:
    """The expression, assignment or head of a loop in ``source``; ``None`` for what is none of these."""
    text = _joined(source)
    tree = _parsed(text)
    if isinstance(tree, ast.AugAssign):
        value = _segment(text, tree.value)
        value = value if not isinstance(tree.value, ast.BinOp | ast.IfExp | ast.Compare) else f"({value})"
        sign = re.search(r"([-+*/@%&|^<>]+)=", _between(text, tree.target, tree.value))
        if sign is None:
            return None
        whole = f"{_segment(text, tree.target)} {sign[1]} {value}"
        return Expression(whole, _parsed(whole), one_line(text, TITLE_LIMIT))
    if isinstance(tree, ast.expr | ast.Assign):
        return Expression(text, tree)
    return Expression(text, None) if text.startswith(("for ", "*")) else None


def shape_title(shape: tuple[int, ...], kind: str = "tensor") -> str:
    """What a tensor is called that has no name and no source: ``tensor (6, 1)``."""
    extents = ", ".join("?" if extent < 0 else str(extent) for extent in shape)
    return f"{kind} ({extents})" if shape else f"scalar {kind}"


def _segment(text: str, node: ast.expr) -> str:
    return text.encode()[node.col_offset : node.end_col_offset].decode()


def _between(text: str, left: ast.expr, right: ast.expr) -> str:
    return text.encode()[left.end_col_offset : right.col_offset].decode()


def _parsed(text: str) -> ast.expr | ast.stmt | None:
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return statement.value if isinstance(statement, ast.Expr) else statement


def _joined(source: str) -> str:
    """``source`` on one line, without its comments."""
    if "\n" not in source and "#" not in source:
        return source.strip()
    pieces: list[str] = []
    row = column = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({source})").readline):
            if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
                continue
            start_row, start_column = token.start
            if start_row != row:
                gap = not pieces or pieces[-1] in tuple("([{.") or token.string in tuple(")]}.")
                if token.string in tuple(")]}") and pieces and pieces[-1] == ",":
                    pieces.pop()
                pieces.append("" if gap else " ")
            else:
                pieces.append(" " * (start_column - column))
            pieces.append(re.sub(r"\s*\n\s*", " ", token.string))
            row, column = token.end
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return " ".join(source.split())
    return "".join(pieces).strip()[1:-1].strip()
