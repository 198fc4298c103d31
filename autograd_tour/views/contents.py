"""What a fold without a name of its own is called: by what is in it, ``cholesky → solve``."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.text import friendly_name

__all__ = ["contents", "lines_of"]

MOST = 3
"""Operations that a title names."""

_LITTLE = """
    t T mT transpose permute view reshape flatten unsqueeze squeeze expand clone contiguous to alias getitem
    select slice unbind split chunk neg add sub rsub mul div truediv rtruediv detach unsafe_view reshape_alias
"""
_PLAIN = frozenset(_LITTLE.split())
"""What a title names only where there is nothing else."""


def contents(members: Sequence[Node], *, chain: bool = False) -> str:
    """The operations among ``members``, as the program calls them; of many the first and the last.

    In a ``chain`` each goes into the next. One call may have made several: six of ``cross_entropy`` are one.
    """
    called = [_called(node) for node in members]
    if len(set(called)) == 1 and len(called) > 1 and chain:
        alone = len({node.grad_fn for node in members}) == 1
        return f"{called[0]} × {len(called)}" if alone else called[0]
    names = list(dict.fromkeys(name for name in called if name not in _PLAIN)) or list(dict.fromkeys(called))
    if len(called) <= MOST:
        names = called
    between = " → " if chain else ", "
    if len(names) <= MOST:
        return between.join(names)
    return between.join([names[0], "…", names[-1]]) if chain else f"{', '.join(names[:MOST])}, …"


def _called(node: Node) -> str:
    if node.kind != "operation":
        return node.op or node.name or node.kind
    return node.call or friendly_name(node.grad_fn)


def lines_of(graph: Graph, members: Sequence[Node]) -> tuple[str, ...]:
    """Where in the program: ``lines 4–9 in cell()``, if that is one file and known of all operations."""
    lines = [graph.source[node.where] for node in members if node.where is not None]
    unknown = any(node.where is None and node.kind in ("operation", "group") for node in members)
    if unknown or not lines or len({line.file for line in lines}) > 1:
        return ()
    first, last = min(line.line for line in lines), max(line.line for line in lines)
    functions = {line.function for line in lines}
    within = f" in {functions.pop()}()" if len(functions) == 1 and lines[0].function.isidentifier() else ""
    return (f"line {first}{within}" if first == last else f"lines {first}–{last}{within}",)
