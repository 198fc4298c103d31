"""DOT -> positions, through a layout engine in a process of its own with a time limit."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from autograd_tour.errors import EngineError, UsageError
from autograd_tour.text import one_line

__all__ = ["ENGINES", "ENVIRONMENT", "EngineInfo", "available", "choose", "lay_out", "lay_out_each"]

ENVIRONMENT = "AUTOGRAD_TOUR_ENGINE"
"""Names the engine to use when no option does."""

ENGINES = ("graphviz-pure", "dot", "pygraphviz")
"""In the order of preference. The first is embedded: the same bytes on every machine."""

_PYGRAPHVIZ = (
    "import sys, pygraphviz; g = pygraphviz.AGraph(string=sys.stdin.read()); "
    "sys.stdout.buffer.write(g.draw(format='json0', prog='dot'))"
)


@dataclass(frozen=True)
class EngineInfo:
    """One layout engine: its ``path`` is ``None`` if it is absent, and ``why`` says how it was judged."""

    name: str
    path: str | None
    version: str
    why: str


def _embedded() -> str | None:
    """The binary that pip put beside this interpreter, or anywhere on PATH."""
    name = "graphviz-pure"
    suffix = ".exe" if os.name == "nt" else ""
    for folder in _script_folders():
        path = Path(folder) / f"{name}{suffix}"
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return shutil.which(name)


def _script_folders() -> Iterator[str]:
    """Where pip puts programs, what is quickest to know first."""
    if sys.executable:  # empty where Python is embedded
        yield str(Path(sys.executable).parent)
    yield sysconfig.get_path("scripts")
    if os.name != "nt":
        yield sysconfig.get_path("scripts", f"{os.name}_user")


_FINDERS: dict[str, Callable[[], str | None]] = {
    "graphviz-pure": _embedded,
    "dot": lambda: shutil.which("dot"),
    "pygraphviz": lambda: sys.executable if importlib.util.find_spec("pygraphviz") else None,
}


@cache
def available() -> tuple[EngineInfo, ...]:
    """All engines, those that are there first, in the order of preference."""
    engines: list[EngineInfo] = []
    for name in ENGINES:
        path = _FINDERS[name]()
        why = "installed with autograd-tour" if name == "graphviz-pure" else "found on this machine"
        engines.append(
            EngineInfo(name, path, _version(name, path) if path else "", why if path else "not found")
        )
    return tuple(sorted(engines, key=lambda engine: engine.path is None))


def _version(name: str, path: str) -> str:
    command = (
        [path, "-c", "import pygraphviz; print(pygraphviz.__version__)"]
        if name == "pygraphviz"
        else [path, "-V"]
    )
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    text = (done.stdout + done.stderr).decode(errors="replace").strip()
    return next((word for word in text.split() if word[:1].isdigit()), "unknown")


def choose(name: str | None = None) -> tuple[str, str]:
    """(name, path) of the engine to use: ``name``, else the environment's, else the first there is.

    Raises:
        UsageError: ``name`` is not an engine.
        EngineError: the engine asked for, or every engine, is absent.
    """
    wanted = name or os.environ.get(ENVIRONMENT) or None
    if wanted is not None and wanted not in ENGINES:
        origin = "" if name else f" (from {ENVIRONMENT})"
        raise UsageError(
            f"unknown layout engine {wanted[:60]!r}{origin}", f"Choose one of: {', '.join(ENGINES)}"
        )
    for candidate in [wanted] if wanted else ENGINES:
        path = _FINDERS[candidate]()
        if path is not None:
            return candidate, path
    if wanted:
        raise EngineError(
            f"the layout engine {wanted!r} is not installed", "Leave out --engine to use the embedded one"
        )
    raise EngineError("no layout engine was found", "Install one with: pip install graphviz-pure")


def lay_out(dot: str, engine: str | None = None, timeout: float = 60.0) -> bytes:
    """Positions for ``dot`` as Graphviz's ``json0``.

    Raises:
        EngineError: no engine, it failed, or it took longer than ``timeout`` seconds.
    """
    return _positions(dot, *choose(engine), timeout)


@lru_cache(maxsize=32)  # a view that is written as SVG, PDF and PNG is laid out once
def _positions(dot: str, name: str, path: str, timeout: float) -> bytes:
    command = [path, "-c", _PYGRAPHVIZ] if name == "pygraphviz" else [path, "-Tjson0"]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"the layout engine {name} took longer than {timeout:g} s and was stopped",
            "Draw less of the graph, or allow more time with --timeout",
        ) from None
    except OSError as error:
        raise EngineError(
            f"the layout engine {name} cannot be started: {error.strerror}", f"Look at {path}"
        ) from None
    if done.returncode != 0 or not done.stdout.strip():
        message = one_line(done.stderr.decode(errors="replace").strip().partition("\n")[0], 200)
        raise EngineError(
            f"the layout engine {name} failed"
            + (f": {message}" if message else f" (exit code {done.returncode})"),
            "Try another one with --engine, or see: autograd-tour info",
        )
    return done.stdout


_BETWEEN = re.compile(rb"(?<=^\})\s*(?=^\{)", re.MULTILINE)
"""Where one answer ends and the next begins: nothing inside an answer stands at the start of a line."""


def lay_out_each(dots: Sequence[str], engine: str | None = None, timeout: float = 60.0) -> list[bytes]:
    """Positions for several graphs, by an engine that is started once where it can read them one by one.

    Raises:
        EngineError: see :func:`lay_out`, or there is not an answer for each.
    """
    if len(dots) < 2 or choose(engine)[0] == "pygraphviz":
        return [lay_out(dot, engine, timeout) for dot in dots]
    answers = _BETWEEN.split(lay_out("".join(dots), engine, timeout))
    if len(answers) != len(dots):
        raise EngineError(
            f"the layout engine answered {len(answers)} of {len(dots)} graphs", "See: autograd-tour info"
        )
    return answers
