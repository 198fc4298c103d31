"""``.grad`` of a computed tensor was read: only leaves have one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.graph import SourceLine

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each pair of lines, and for names of leaves that were bound anew."""
    for read in subject.evidence.reads:
        node, graph = subject.node_at(read.made_at)
        why = (
            f"backward deposits gradients in leaves only. This tensor is the result of {read.function}(), "
            f"so it is a step on "
            "the way: its gradient is used to compute those before it and is then dropped."
        )
        fix = "w = (torch.randn(3) * 0.1).requires_grad_()   # a leaf; or w.retain_grad() before backward"
        name = _updated(read.read_at) if read.made_at == read.read_at else None
        if name is not None:
            why += (
                f" When the line ran before, it bound {name} to the result, which is no leaf. "
                "A leaf that is changed in place stays one."
            )
            fix = f"with torch.no_grad():\n    {name} -= 0.1 * {name}.grad"
        yield Finding(
            "grad-of-computed-tensor",
            "warning",
            ".grad was read of a tensor that is no leaf, and is None",
            lines_of(("computed here", read.made_at), ("read here", read.read_at)),
            why,
            fix,
            node,
            graph,
        )


def _updated(line: SourceLine | None) -> str | None:
    """``w`` or ``self.w`` of a line that is ``w = …`` and reads ``w.grad``; ``None`` for any other."""
    try:
        (statement,) = ast.parse(line.text.strip() if line is not None else "").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(statement, ast.Assign) or not isinstance(
        statement.targets[0], ast.Name | ast.Attribute
    ):
        return None
    name = ast.unparse(statement.targets[0])
    read = f"{name}.grad"
    inner = ast.walk(statement.value)
    return (
        name if any(isinstance(part, ast.Attribute) and ast.unparse(part) == read for part in inner) else None
    )
