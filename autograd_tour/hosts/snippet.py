"""A piece of a document whose autograd is to be drawn: its code or its program, and where it stands."""

from __future__ import annotations

import ast
import textwrap

from msgspec import Struct

from autograd_tour.hosts.options import PRELUDE

__all__ = ["Snippet", "dedented", "result_of"]


class Snippet(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Code of a document, a ``target`` as the command takes it (``file.py:name``), or a saved ``trace``.

    Paths are relative to ``folder``, and code runs there.

    ``file`` is the document and ``line`` its line in which the code begins, counted from 1: errors name
    them. Where its text comes from elsewhere, ``origin`` says from where, and ``line`` is there.
    Readers see the lines of the block, from ``first_line``. Snippets of one document with the same
    ``context`` share their names, in their order; without one a snippet stands alone. ``prelude`` runs
    first, with the random numbers of ``seed``. ``keep``, ``ceiling`` (MB) and ``calls`` are those of
    :class:`~autograd_tour.formats.Settings`; ``timeout`` is in seconds.
    Where it ``expects_error`` its error is kept too; where it ``explains``, it is asked what is wrong with
    its gradients, and an error is one of the findings.
    """

    code: str = ""
    target: str = ""
    trace: str = ""
    folder: str = ""
    file: str = ""
    origin: str = ""
    line: int = 1
    first_line: int = 1
    context: str = ""
    prelude: str = PRELUDE
    seed: int = 0
    keep: int | None = 16
    ceiling: float = 256.0
    calls: int = 4
    timeout: float = 60.0
    expects_error: bool = False
    explains: bool = False

    def document_line(self, block_line: int) -> int:
        """The line of the document for a line of the block, which readers count from ``first_line``."""
        return self.line + max(block_line - self.first_line, 0)


def dedented(code: str) -> str:
    """``code`` without the indentation that all its lines share, with one line end at its end."""
    return textwrap.dedent(code).rstrip() + "\n"


def result_of(body: list[ast.stmt]) -> ast.expr | None:
    """What a block is about: its last expression, else the name that it bound last.

    A function that can be called without arguments and is the last thing defined is called. ``None`` if
    there is nothing of the kind.
    """
    if not body:
        return None
    last = body[-1]
    if isinstance(last, ast.Expr):
        return last.value
    for statement in reversed(body):
        name = _bound_by(statement)
        if name is not None:
            return ast.copy_location(ast.Name(name, ast.Load()), statement)
        if isinstance(statement, ast.FunctionDef) and not _required(statement.args):
            function = ast.copy_location(ast.Name(statement.name, ast.Load()), statement)
            return ast.copy_location(ast.Call(function, [], []), statement)
    return None


def _bound_by(statement: ast.stmt) -> str | None:
    """The last name that an assignment binds."""
    if isinstance(statement, ast.Assign):
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        return names[-1] if names else None
    if isinstance(statement, ast.AnnAssign | ast.AugAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    return None


def _required(arguments: ast.arguments) -> bool:
    """Whether a function cannot be called without arguments."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    by_keyword = any(default is None for default in arguments.kw_defaults)
    return positional > len(arguments.defaults) or by_keyword
