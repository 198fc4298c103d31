"""One block of code, run as it stands in its document."""

from __future__ import annotations

import ast
import linecache
import os
import traceback
from types import CodeType, FunctionType
from typing import Any

from msgspec.structs import replace

from autograd_tour.errors import TourError, message_of
from autograd_tour.hosts.outcome import Failure
from autograd_tour.hosts.snippet import Snippet, dedented, result_of
from autograd_tour.text import one_line

__all__ = ["Block", "BlockError"]

Names = dict[str, Any]


class BlockError(Exception):
    """Code of a document failed; ``failure`` has its line there."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Program:
    """A block that is called as a function is, each time with the names that there were before it.

    It has a function's attributes: tensors that the code does not mention have their names from there.
    """

    __closure__ = None

    def __init__(self, block: Block, code: CodeType, names: Names, *, explained: bool) -> None:
        self.__code__ = code
        self.__globals__ = names
        self._run = block.run if explained else block.value

    def __call__(self) -> object:
        """What the block is about."""
        return self._run(dict(self.__globals__))


class Block:
    """A block that is compiled once and runs as often as it is asked to.

    It runs as a function does whose names are those of the page, so that its lines and names are heard.
    ``number`` tells it from the other blocks of its context.

    Raises:
        BlockError: it is no Python.
    """

    def __init__(self, snippet: Snippet, number: int = 1) -> None:
        self.snippet = snippet
        self.failure: Failure | None = None
        self._file = "<block>" if number < 2 else f"<block {number}>"
        self._source = "\n" * (snippet.first_line - 1) + dedented(snippet.code)
        try:
            tree = ast.parse(self._source, self._file)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or snippet.first_line
            reason = getattr(error, "msg", None) or message_of(error) or type(error).__name__
            raise BlockError(self._failure(line, f"this is not valid Python: {reason}")) from None
        result = result_of(tree.body)
        body = tree.body[:-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else tree.body
        self._body = self._compiled(ast.Module(body, []), "exec")
        self._result = None if result is None else self._compiled(ast.Expression(result), "eval")
        self._last = tree.body[-1].lineno if tree.body else snippet.first_line

    def _compiled(self, tree: ast.Module | ast.Expression, mode: str) -> CodeType:
        code: CodeType = compile(tree, self._file, mode, dont_inherit=True)
        return code

    def value(self, names: Names) -> object:
        """Run the block, which may bind new ``names``; what it is about.

        Raises:
            BlockError: it failed, or is about nothing.
        """
        try:
            return self.run(names)
        except (KeyboardInterrupt, TourError):
            raise
        except BaseException as error:
            self.failure = self._of(error)
            raise BlockError(self.failure) from error

    def run(self, names: Names) -> object:
        """The same, with the errors of the block as they are."""
        lines = self._source.splitlines(keepends=True)
        linecache.cache[self._file] = (len(self._source), None, lines, self._file)
        process = os.getpid()
        try:
            FunctionType(self._body, names)()
            return None if self._result is None else FunctionType(self._result, names)()
        finally:
            if os.getpid() != process:  # a child that the block forked off came back
                os._exit(0)

    def program(self, names: Names, *, explained: bool = False) -> Program:
        """The block as something to trace, which leaves ``names`` as they are.

        Where it is ``explained`` its errors are evidence, and come out as they are.
        """
        return Program(self, self._body, names, explained=explained)

    @property
    def has_result(self) -> bool:
        """Whether the block is about something that can be traced."""
        return self._result is not None

    def at_result(self, error: TourError) -> Failure:
        """The failure of a block that ran, but could not be traced."""
        return replace(self._failure(self._last, error.message, error.hint), kind="result")

    def _of(self, error: BaseException) -> Failure:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == self._file and frame.lineno
        ]
        text = one_line(message_of(error), 300)
        kind = type(error).__name__
        if isinstance(error, SystemExit):
            return self._failure(lines[-1] if lines else self._last, "the code leaves the process", _NO_EXIT)
        hint = "Run the code on its own first"
        if isinstance(error, ModuleNotFoundError) and error.name:
            hint = f"Install {error.name.partition('.')[0]} where the document is built, or fix the import"
        return self._failure(lines[-1] if lines else self._last, f"{kind}: {text}" if text else kind, hint)

    def _failure(self, line: int, message: str, hint: str = "") -> Failure:
        return Failure(self.snippet.file, self.snippet.document_line(line), message, hint)


_NO_EXIT = "Take the call that ends the program out of the block"
