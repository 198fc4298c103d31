"""The expression that a call stands in, read off the source by the position of its instruction.

While the program runs only (code, instruction) is noted. Its text is read when the record is put together.
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from types import CodeType

from autograd_tour.rules.titles import Expression, expression

__all__ = ["read"]

_Span = tuple[int, int, int, int]
"""First line, last line, first column, last column; lines from 1, columns in bytes."""

_ITERATED = ("GET_ITER", "FOR_ITER")
_UNPACKED = ("UNPACK_SEQUENCE", "UNPACK_EX")
_STORED = ("STORE_SUBSCR", "STORE_SLICE")
_SPREAD = ("LIST_EXTEND", "CALL_FUNCTION_EX", "SET_UPDATE")
_LONGEST = 4000


@lru_cache(maxsize=8192)
def read(code: CodeType, instruction: int) -> Expression | None:
    """The expression whose value the instruction at offset ``instruction`` of ``code`` computes.

    ``None`` where the source is not at hand, or is no longer that of the code.
    """
    span = _span(code, instruction)
    if span is None:
        return None
    kind = _instruction(code, instruction)
    if kind in (*_ITERATED, *_UNPACKED, *_STORED):
        return _from_statement(code.co_filename, span, kind)
    if _is_link(code.co_filename, span):
        return _from_chain(code.co_filename, span)
    text = _cut(code.co_filename, span)
    if kind == "LIST_EXTEND" and (starred := _starred(text)):
        return starred
    candidate = expression(text) if text else None
    return candidate if candidate is not None and not _misfit(candidate.tree, kind) else None


def _span(code: CodeType, instruction: int) -> _Span | None:
    span = next(islice(code.co_positions(), instruction // 2, None), None)
    if span is None or None in span:
        return None
    first, last, start, end = span
    return first or 0, last or 0, start or 0, end or 0


def _instruction(code: CodeType, offset: int) -> str:
    """The name of an instruction; a caller may stand in one of the caches behind its call."""
    raw = code.co_code
    while offset > 0 and dis.opname[raw[offset]] == "CACHE":
        offset -= 2
    return dis.opname[raw[offset]]


def _misfit(tree: ast.AST | None, kind: str) -> bool:
    """Whether the text cannot be what the instruction does: the file has changed."""
    if kind.startswith(("CALL", "PRECALL")):
        return not isinstance(tree, ast.Call | ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp)
    if kind.startswith("BINARY_OP"):
        return not isinstance(tree, ast.BinOp)
    if kind.startswith("LOAD_ATTR"):
        return not isinstance(tree, ast.Attribute)
    return isinstance(tree, ast.Name | ast.Constant)


def _is_link(file: str, span: _Span) -> bool:
    """Whether the place is that of the last name in a chain over several lines."""
    before = _cut(file, (max(span[0] - 1, 1), span[0], 0, span[2]))
    return before.rstrip().endswith(".")


def _cut(file: str, span: _Span) -> str:
    first, last, start, end = span
    lines = linecache.getlines(file)[first - 1 : last]
    if len(lines) != last - first + 1 or last < first:
        return ""
    raw = [line.encode() for line in lines]
    raw[-1] = raw[-1][:end]
    raw[0] = raw[0][start:]
    return b"".join(raw).decode(errors="replace") if sum(map(len, raw)) <= _LONGEST else ""


@lru_cache(maxsize=16)
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _around(file: str, span: _Span) -> list[ast.AST]:
    """The nodes of the file's tree that hold ``span``, the outermost first."""
    path: list[ast.AST] = []
    node: ast.AST | None = _tree(file)
    while node is not None:
        path.append(node)
        node = next((child for child in _children(node) if _holds(child, span)), None)
    return path[1:]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension | ast.keyword | ast.arguments | ast.withitem):
            yield from _children(child)  # some have no place of their own
        elif hasattr(child, "lineno"):
            yield child
        else:
            yield from _children(child)


def _holds(node: ast.AST, span: _Span) -> bool:
    first, last, start, end = span
    own = _span_of(node)
    return (own[0], own[2]) <= (first, start) and (last, end) <= (own[1], own[3])


def _span_of(node: ast.AST) -> _Span:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset  # type: ignore[attr-defined]


def _from_chain(file: str, span: _Span) -> Expression | None:
    """A link of a chain over several lines: its instruction has only the place of its last name."""
    same_end = [
        node
        for node in _around(file, span)
        if isinstance(node, ast.Call | ast.Attribute) and _ends(node) == (span[1], span[3])
    ]
    return expression(_cut(file, _span_of(same_end[-1]))) if same_end else None


def _ends(node: ast.AST) -> tuple[int, int]:
    span = _span_of(node)
    return span[1], span[3]


def _from_statement(file: str, span: _Span, kind: str) -> Expression | None:
    """A tensor that is iterated over, taken apart, or written into: the statement says it."""
    for node in reversed(_around(file, span)):
        match node:
            case ast.For() | ast.AsyncFor() if kind not in _STORED:
                head = f"for {_cut(file, _span_of(node.target))} in {_cut(file, _span_of(node.iter))}"
                return expression(head)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                part = node.generators[0]
                head = f"for {_cut(file, _span_of(part.target))} in {_cut(file, _span_of(part.iter))}"
                return expression(head)
            case ast.Assign():
                return expression(_cut(file, _span_of(node)))
            case ast.AugAssign():
                return expression(f"{_cut(file, _span_of(node.target))} = {_augmented(file, node)}")
            case ast.stmt():
                return None
    return None


def _augmented(file: str, node: ast.AugAssign) -> str:
    whole = expression(_cut(file, _span_of(node)))
    return whole.text if whole is not None else "…"


def _starred(text: str) -> Expression | None:
    """``*params`` of a call or a list that spreads one tensor."""
    whole = expression(text)
    tree = whole.tree if whole is not None else None
    items = tree.args if isinstance(tree, ast.Call) else getattr(tree, "elts", [])
    spread = [item for item in items if isinstance(item, ast.Starred)]
    if whole is None or len(spread) != 1:
        return None
    return expression(_segment(whole.text, spread[0]))


def _segment(text: str, node: ast.expr) -> str:
    return text.encode()[node.col_offset : node.end_col_offset].decode()
