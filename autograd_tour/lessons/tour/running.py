"""Runs the code of a stop: what it printed, and the error that it raised, where one is to be caught."""

from __future__ import annotations

import inspect
import textwrap
import warnings
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from autograd_tour.errors import StopRequest
from autograd_tour.formats.tour.content import CaughtError, Listing
from autograd_tour.lessons.tour.base import Code, Failing, Snippet
from autograd_tour.lessons.tour.complaints import complaint, node_of

Figure = tuple[str, Any]
"""What was printed: the label before it, and the value without torch."""

__all__ = ["Figure", "Printer", "body", "caught", "listing"]


class Printer:
    """The ``print`` of a snippet: keeps the text as Python's own would have it, and the figures."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.figures: list[tuple[str, Any]] = []

    def __call__(self, *parts: Any) -> None:
        """Keep ``parts``, the first one as the label of the last."""
        self.lines += " ".join(str(part) for part in parts).split("\n")
        if len(parts) > 1 and isinstance(parts[0], str):
            self.figures.append((parts[0].rstrip(" :="), _plain(parts[-1])))


def _plain(value: Any) -> Any:
    """``value`` without torch."""
    if isinstance(value, Tensor):
        return value.detach().tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@cache
def listing(snippet: Snippet) -> tuple[Listing, tuple[Figure, ...]]:
    """The code with what it prints, and the figures; a snippet runs once."""
    printer = Printer()
    _heard(snippet.code, printer)
    code = Listing(snippet.title, body(snippet.code), tuple(printer.lines), snippet.note, snippet.folded)
    return code, tuple(printer.figures)


@cache
def caught(failing: Failing) -> tuple[CaughtError, tuple[Figure, ...]]:
    """The error that ``failing`` raises, with the line that raised it, and the figures of the fix.

    Where nothing is raised it is the warning that torch gives.

    Raises:
        AssertionError: it raises nothing, no line or several are to blame, or explain finds something else:
            the stop is not true.
    """
    printer, lines = Printer(), body(failing.code)
    kind, message, raised = _complaint(failing.code, printer)
    assert kind, f"{failing.code.__qualname__} raises nothing and warns of nothing"
    causes = [line for line, text in enumerate(lines, start=1) if failing.cause in text]
    assert len(causes) == 1, f"{failing.cause!r} is on {len(causes)} lines of {failing.code.__qualname__}"
    mended = Printer()
    _heard(failing.fixed, mended)
    seen, roles = _explained(failing, message)
    error = CaughtError(
        Listing(failing.title, lines, tuple(printer.lines)),
        kind,
        message,
        raised,
        causes[0],
        failing.node,
        failing.about,
        Listing("The fix", body(failing.fixed), tuple(mended.lines)),
        seen,
        roles,
    )
    return error, (*printer.figures, *mended.figures)


def _explained(failing: Failing, message: str) -> tuple[str, dict[int, str]]:
    """What explain says was seen, and the part in it of each line, by number; both hold what the stop says.

    Raises:
        AssertionError: it finds nothing, another message, or another node: the stop is not true.
    """
    result = complaint(failing.code, Printer())
    assert result is not None, f"nothing is wrong with {failing.code.__qualname__}"
    finding, subject = result
    assert finding.message in ("", message), f"explain says {finding.message!r}, torch {message!r}"
    node = node_of(finding, subject)
    assert node in ("", failing.node), f"explain marks {node}, the stop says {failing.node}"
    first = _first_line(failing.code)
    roles = {marked.line.line - first + 1: marked.role for marked in finding.lines if marked.line.line}
    return finding.seen, roles


def _complaint(code: Code, printer: Printer) -> tuple[str, str, int]:
    """Class, message and line of the error, or else of the first warning; an empty class if there is none."""
    heard: list[warnings.WarningMessage] = []
    try:
        heard = _heard(code, printer)
    except (KeyboardInterrupt, StopRequest):
        raise
    except Exception as error:
        return type(error).__name__, str(error), _line_in(code, error.__traceback__)
    for warning in heard[:1]:
        line = warning.lineno - _first_line(code) + 1
        return warning.category.__name__, str(warning.message), line
    return "", "", 0


def _heard(code: Code, printer: Printer) -> list[warnings.WarningMessage]:
    """Run ``code``; the warnings that it gave, which are printed too."""
    with warnings.catch_warnings(record=True) as heard, torch.random.fork_rng():
        warnings.simplefilter("always")
        code(printer)
    for warning in heard:
        printer.lines.append(f"{warning.category.__name__}: {warning.message}")
    return heard


def _line_in(code: Callable[..., object], trace: TracebackType | None) -> int:
    """The line of the body of ``code``, from 1, at which the error came out of it."""
    wanted, line = inspect.unwrap(code).__code__, 0
    while trace is not None:
        if trace.tb_frame.f_code is wanted:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line - _first_line(code) + 1


def body(code: Callable[..., object]) -> tuple[str, ...]:
    """The lines in a function, without what is around them: its head, its docstring, a last ``return``."""
    lines = _source(code)[_head(code) :]
    text = textwrap.dedent("\n".join(lines)).strip("\n").split("\n")
    return tuple(text[:-1] if text[-1].startswith("return ") else text)


def _source(code: Callable[..., object]) -> list[str]:
    return [_without_pragma(line) for line in inspect.getsource(code).split("\n")]


def _without_pragma(line: str) -> str:
    """What a linter is told is no part of what is shown."""
    for pragma in ("  # noqa", "  # type:"):
        line = line.partition(pragma)[0]
    return line.rstrip()


def _head(code: Callable[..., object]) -> int:
    """How many lines stand before the body: the ``def`` and the docstring."""
    lines = _source(code)
    end = next(i for i, line in enumerate(lines) if line.endswith(":")) + 1
    if lines[end].lstrip().startswith('"""'):
        end = next(i for i in range(end, len(lines)) if lines[i].endswith('"""')) + 1
    return end


def _first_line(code: Callable[..., object]) -> int:
    """The line of the file at which the body begins."""
    _, start = inspect.getsourcelines(code)
    lines = _source(code)
    end = _head(code)
    while not lines[end].strip():
        end += 1
    return start + end
