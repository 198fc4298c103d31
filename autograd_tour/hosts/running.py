"""What the worker does with a snippet: run what stands before it, then trace it.

Only the worker loads this file: it needs torch.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

from autograd_tour.diagnosis import explain
from autograd_tour.errors import TourError
from autograd_tour.formats.base import Settings
from autograd_tour.hosts.block import Block, BlockError
from autograd_tour.hosts.outcome import Failure
from autograd_tour.hosts.protocol import Answer, Job
from autograd_tour.hosts.snippet import Snippet
from autograd_tour.lessons.produce import traced
from autograd_tour.record import codec
from autograd_tour.tracer.listen.frames import home, is_library
from autograd_tour.tracer.load.target import resolve

__all__ = ["Runner"]


class _Random(NamedTuple):
    """Which random numbers come next."""

    torch: Tensor
    python: tuple[Any, ...]

    @classmethod
    def here(cls) -> _Random:
        return cls(torch.get_rng_state(), random.getstate())

    def restore(self) -> None:
        torch.set_rng_state(self.torch)
        random.setstate(self.python)


@dataclass
class _Context:
    """What the blocks of a document share: their names, and the random numbers that come next."""

    names: dict[str, Any]
    random: _Random
    blocks: list[Snippet] = field(default_factory=list)
    modules: dict[str, ModuleType] = field(default_factory=dict)


class Runner:
    """Traces snippets one after the other."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], _Context] = {}

    def answer(self, job: Job) -> Answer:
        """The trace of a snippet, or why there is none. Never raises what the snippet raises."""
        snippet = job.snippet
        try:
            with _within(snippet.folder, job.path):
                return self._of_target(snippet) if snippet.target else self._of_code(snippet, job.earlier)
        except BlockError as error:
            return Answer(failure=error.failure, files=_files_behind(error, snippet.folder))
        except TourError as error:
            failure = Failure(snippet.file, snippet.line, error.message, error.hint)
            return Answer(failure=failure, files=_files_behind(error, snippet.folder))

    def _of_target(self, snippet: Snippet) -> Answer:
        _forget_own_modules()
        target = resolve(snippet.target)
        if snippet.explains:
            return _explained(target.program, snippet, tuple(target.notes))
        trace = traced(target.program, _settings(snippet))
        return Answer(codec.dumps(trace), tuple(target.notes), _own_files())

    def _of_code(self, snippet: Snippet, earlier: tuple[Snippet, ...]) -> Answer:
        context = self._context(snippet, earlier)
        block = Block(snippet, len(earlier) + 1)
        context.random.restore()
        if snippet.explains:
            return _explained(block.program(context.names, explained=True), snippet)
        try:
            trace = traced(block.program(context.names), _settings(snippet))
        except TourError as error:
            nothing = TourError("the block ends with nothing to trace, and calls no backward", _ABOUT)
            reason = error if block.has_result else nothing
            raise BlockError(block.failure or block.at_result(reason)) from error
        context.modules = dict(_own_modules())
        return Answer(codec.dumps(trace), (), _own_files())

    def _context(self, snippet: Snippet, earlier: tuple[Snippet, ...]) -> _Context:
        """What the blocks before have left; they run here if they have not yet."""
        context = self._contexts.get((snippet.file, snippet.context)) if snippet.context else None
        if context is None or tuple(context.blocks) != earlier[: len(context.blocks)]:
            context = _begun(earlier[0] if earlier else snippet)
        else:
            _forget_own_modules()  # those of the blocks that ran in between
            sys.modules.update(context.modules)
        for number, item in enumerate(earlier[len(context.blocks) :], len(context.blocks) + 1):
            context.random.restore()
            Block(item, number).value(context.names)
            context.random = _Random.here()
            context.blocks.append(item)
        if snippet.context:
            self._contexts[snippet.file, snippet.context] = context
        return context


_ABOUT = "End it with the loss, with a name that it binds, or with a function that takes no arguments"


def _begun(snippet: Snippet) -> _Context:
    """A context in which only the prelude ran."""
    _forget_own_modules()
    torch.manual_seed(snippet.seed)
    random.seed(snippet.seed)
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    prelude = Snippet(code=snippet.prelude, file=snippet.file, line=snippet.line)
    Block(prelude, 0).value(names)
    return _Context(names, _Random.here())


def _explained(program: Callable[[], object], snippet: Snippet, notes: tuple[str, ...] = ()) -> Answer:
    explanation = explain(program, keep=snippet.keep, ceiling=snippet.ceiling)
    text = msgspec.json.encode(explanation).decode()
    return Answer(text, (*notes, *explanation.notes), _own_files())


def _settings(snippet: Snippet) -> Settings:
    return Settings(formats=("json",), keep=snippet.keep, ceiling=snippet.ceiling, calls=snippet.calls)


@contextlib.contextmanager
def _within(folder: str, path: tuple[str, ...]) -> Iterator[None]:
    """Run in the document's folder, with the imports that the build has."""
    before, here = list(sys.path), os.getcwd()
    sys.path[:] = [*([folder] if folder else []), *path] or before
    try:
        if folder:
            os.chdir(folder)
        yield
    finally:
        os.chdir(here)
        sys.path[:] = before


def _own_modules() -> Iterator[tuple[str, ModuleType]]:
    """Name and module of all that is loaded and the user's own, which has a file."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name != "__main__" and _is_own(file):
            yield name, module


def _own_files() -> tuple[str, ...]:
    return tuple(sorted({os.path.abspath(str(module.__file__)) for _, module in _own_modules()}))


def _files_behind(error: BaseException, folder: str) -> tuple[str, ...]:
    """Files that an error depends on: those that ran, those it came through, those that are not there yet."""
    files = set(_own_files())
    link: BaseException | None = error
    while link is not None:
        passed = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(link.__traceback__)]
        if isinstance(link, SyntaxError) and link.filename:
            passed.append(link.filename)
        files |= {os.path.abspath(file) for file in passed if os.path.isfile(file) and _is_own(file)}
        if isinstance(link, ModuleNotFoundError) and link.name:
            stem = os.path.abspath(os.path.join(folder, link.name.replace(".", os.sep)))
            files |= {f"{stem}.py", os.path.join(stem, "__init__.py")}
        link = link.__cause__ or link.__context__
    return tuple(sorted(files))


def _is_own(file: str) -> bool:
    return not is_library(file) and not home(file)


def _forget_own_modules() -> None:
    """Two documents may each have a ``helper.py``."""
    for name, _ in list(_own_modules()):
        del sys.modules[name]
