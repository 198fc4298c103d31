"""What the words after ``render`` or ``verify`` stand for: a built-in, a program, or a saved trace."""

from __future__ import annotations

import gc
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograd_tour.cli.guard import guarded, limited, stdout_to_stderr
from autograd_tour.cli.trace_files import read_file, read_stdin, stem
from autograd_tour.errors import UsageError
from autograd_tour.progress import doing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd_tour.findings import Finding
    from autograd_tour.formats import Settings
    from autograd_tour.lessons import Lesson
    from autograd_tour.lessons.base import ProgramLesson
    from autograd_tour.lessons.tour.base import Stop
    from autograd_tour.record.graph import Graph
    from autograd_tour.record.trace import Trace
    from autograd_tour.record.verification import Verification

__all__ = [
    "Drawn",
    "Explained",
    "TargetRecord",
    "Verified",
    "builtin_names",
    "chosen_stops",
    "draw",
    "explained",
    "find",
    "verified",
]


@dataclass(frozen=True)
class Drawn:
    """The files of one target, all in memory. ``name`` starts the name of each, ``strip`` tells findings."""

    target: str
    name: str
    files: dict[str, str | bytes]
    notes: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetRecord:
    """The record of one target: traced now, or read from a file."""

    name: str
    trace: Trace
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What came out of the checks of one target."""

    verification: Verification
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explained:
    """The findings about one target, and the graphs whose nodes they mark. ``name`` starts names of files."""

    name: str
    findings: tuple[Finding, ...]
    graphs: tuple[Graph, ...]
    notes: tuple[str, ...] = ()


def builtin_names() -> tuple[str, ...]:
    """Every built-in, in the order of the registry."""
    _load_tracer()
    from autograd_tour import lessons

    return tuple(lessons.registry())


def chosen_stops(words: Sequence[str]) -> tuple[Stop, ...]:
    """The stops of the tour that ``words`` name; all of them for no word.

    Raises:
        UsageError: there is no such stop.
    """
    _load_tracer()
    from autograd_tour.lessons.tour import chosen

    return chosen(words)


def draw(target: str, settings: Settings, seconds: float, given: Sequence[str] = ()) -> Drawn:
    """Trace and draw ``target``; nothing is written. A program may run for ``seconds``.

    ``given`` are other numbers for its tensors: ``w=2``.

    Raises:
        TourError: there is no such target, it failed, or it could not be drawn.
    """
    with doing(target):
        if not _is_record(target):
            lesson = _with_given(_builtin(target), given)
            with stdout_to_stderr(), limited(seconds, f"drawing {target}"):
                return Drawn(target, target, dict(lesson.files(settings)))
        from autograd_tour.findings import strip
        from autograd_tour.formats.produce import files_of_trace

        record = _record(target, settings, seconds, given=given)
        with limited(seconds, f"drawing {record.name}"):
            files = files_of_trace(record.name, record.trace, settings)
        return Drawn(target, record.name, dict(files), record.notes, strip(record.trace))


def find(
    target: str, settings: Settings, seconds: float, *, ledger: bool = False, given: Sequence[str] = ()
) -> TargetRecord:
    """The trace of ``target``, with its ``ledger`` if that is asked for; nothing is drawn.

    ``given`` are other numbers for its tensors: ``w=2``.

    Raises:
        TourError: there is no such target, it failed, or it is no single program.
    """
    if _is_record(target):
        with doing(target):
            return _record(target, settings, seconds, ledger=ledger, given=given)
    lesson = _with_given(_program_lesson(target), given)
    from autograd_tour.lessons.base import ProgramLesson
    from autograd_tour.lessons.produce import traced

    assert isinstance(lesson, ProgramLesson)

    keep_less = "Keep less of each tensor: --keep 16"
    with doing(target), stdout_to_stderr(), limited(seconds, f"tracing {target}", keep_less):
        return TargetRecord(target, traced(lesson.program, settings, ledger=ledger))


def verified(target: str, seconds: float, elements: int, ceiling: float) -> Verified:
    """Hold the record of ``target`` against what does not depend on it, within ``seconds``.

    Raises:
        TourError: there is no such target, it failed, or it is no single program.
    """
    if ":" in target:
        _load_tracer()
        from autograd_tour.checks.verify import verify
        from autograd_tour.tracer.load.target import resolve

        with guarded(seconds):
            named_program = resolve(target)
            verification = verify(named_program.program, elements=elements, ceiling=ceiling)
        return Verified(verification, tuple(named_program.notes))
    if _is_record(target):
        from autograd_tour.checks.saved import verify_saved

        return Verified(verify_saved(_saved(target, seconds).trace))
    lesson = _program_lesson(target)
    from autograd_tour.checks.verify import verify

    with stdout_to_stderr():
        return Verified(verify(lesson.program, elements=elements, ceiling=ceiling))


def explained(target: str, seconds: float, ceiling: float) -> Explained:
    """What is wrong with the gradients of ``target``, within ``seconds``; of a saved trace, what it shows.

    Raises:
        TourError: there is no such target, or it is no single program.
    """
    if _is_record(target) and ":" not in target:
        from autograd_tour.findings import Subject, findings

        record = _saved(target, seconds)
        run = record.trace.run
        graphs = run.graphs if run is not None else (record.trace.graph,)
        return Explained(
            record.name,
            findings(Subject(graphs, run)),
            graphs,
            ("a saved trace tells numbers only; where a value lost its history, only the program can tell",),
        )
    _load_tracer()
    from autograd_tour.diagnosis import explain

    if ":" not in target:
        lesson = _program_lesson(target)
        with stdout_to_stderr(), limited(seconds, f"explaining {target}"):
            result = explain(lesson.program, ceiling=ceiling)
        return Explained(target, result.findings, result.graphs, result.notes)
    from autograd_tour.tracer.load.target import resolve

    with guarded(seconds):
        with doing("loading"):
            named_program = resolve(target)
        with doing("explaining"):
            result = explain(named_program.program, ceiling=ceiling)
    notes = (*named_program.notes, *result.notes)
    return Explained(named_program.name, result.findings, result.graphs, notes)


def _is_record(target: str) -> bool:
    """Whether ``target`` is a program or a saved trace, not a built-in."""
    return target == "-" or ":" in target or target.lower().endswith(".json")


def _record(
    target: str, settings: Settings, seconds: float, *, ledger: bool = True, given: Sequence[str] = ()
) -> TargetRecord:
    if ":" in target:
        return _of_program(target, settings, seconds, ledger=ledger, given=given)
    if given:
        raise UsageError(f"--set needs a program to run, and {target} is a saved trace", "Name file.py:name")
    return _saved(target, seconds)


def _with_given(lesson: Lesson, given: Sequence[str]) -> Lesson:
    """A built-in program with other numbers for its tensors."""
    if not given:
        return lesson
    from autograd_tour.lessons.base import ProgramLesson
    from autograd_tour.tracer.load.given import Given, read_values

    if not isinstance(lesson, ProgramLesson):
        raise UsageError(
            f"{lesson.name} is no single program, so --set has nothing to set", "Name one that is"
        )
    return ProgramLesson(lesson.name, lesson.summary, Given(read_values(given)).around(lesson.program))


def _saved(target: str, seconds: float) -> TargetRecord:
    if target == "-":
        return _of_trace("stdin", "trace", read_stdin(), seconds)
    path = Path(target)
    return _of_trace(target, stem(path), read_file(path), seconds)


def _load_tracer() -> None:
    """Load the tracer, and torch with it, before anything of a program is there.

    Without NumPy, which nothing here needs, torch says so on stderr. What the tracer looks through again and
    again for tensors is from then on what is made later: no object of torch's own.
    """
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy", category=UserWarning)
    import autograd_tour.tracer  # noqa: F401

    gc.freeze()


def _builtin(target: str) -> Lesson:
    if target.endswith(".py") or os.path.exists(target):  # pathlib raises at long names
        raise _not_named(target)
    _load_tracer()
    from autograd_tour import lessons
    from autograd_tour.registry import pick

    registry = lessons.registry()
    try:
        pick("target", target, registry)
    except UsageError as error:
        hint = f"{error.hint}. A program of yours: file.py:name; a trace: file.json"
        raise UsageError(error.message, hint.lstrip(". ")) from None
    return registry[target]


def _program_lesson(target: str) -> ProgramLesson:
    lesson = _builtin(target)
    from autograd_tour.lessons.base import ProgramLesson

    if not isinstance(lesson, ProgramLesson):
        raise UsageError(f"{target} is no single program, so it has no graph", "Name one that is, or a trace")
    return lesson


def _of_program(
    target: str, settings: Settings, seconds: float, *, ledger: bool, given: Sequence[str] = ()
) -> TargetRecord:
    _load_tracer()
    from autograd_tour.lessons.produce import traced
    from autograd_tour.tracer.load.given import Given, read_values
    from autograd_tour.tracer.load.target import resolve

    numbers = Given(read_values(given))
    with guarded(seconds):
        with doing("loading"), numbers.making():
            named_program = resolve(target)
        trace = traced(numbers.around(named_program.program), settings, ledger=ledger)
    return TargetRecord(named_program.name, trace, tuple(named_program.notes))


def _of_trace(source: str, stem: str, text: bytes, seconds: float) -> TargetRecord:
    from autograd_tour.record import codec

    trace_again = "Trace again and keep less of each tensor: --keep 16"
    with doing("reading"), limited(seconds, f"reading {source}", trace_again):
        return TargetRecord(stem or "trace", codec.loads(text, source=source))


def _not_named(target: str) -> UsageError:
    """A file without the name of an object in it: look what could be meant, without running it."""
    if os.path.isdir(target):
        return UsageError(f"{target} is a folder", "Name a function in a file: folder/file.py:name")
    if not os.path.exists(target):
        return UsageError(
            f"there is no file {target}", "Name a function in a file that is there: file.py:name"
        )
    if not target.endswith(".py"):
        return UsageError(
            f"{target} is not a .py or .json file", "A trace ends in .json, a program is file.py:name"
        )
    import ast

    try:
        body = ast.parse(Path(target).read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        body = []
    names = [item.name for item in body if isinstance(item, ast.FunctionDef | ast.ClassDef)]
    choices = [f"{target}:{name}" for name in names if not name.startswith("_")]
    whole = f"{target}:__main__ runs the file as a script"
    hint = f"Name one: {', '.join(choices[:6])}; {whole}" if choices else whole
    return UsageError(f"{target} does not say which function to trace", hint)
