"""Run a program's file or import its module, and say in one line what went wrong if it fails."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from autograd_tour.errors import ProgramError, StopRequest, TourError, UsageError, message_of
from autograd_tour.tracer.limits import recursion_limit_kept
from autograd_tour.tracer.listen.failures import described, exit_text
from autograd_tour.tracer.listen.frames import deepest_own

__all__ = ["SCRIPT", "Loaded", "close_matches", "find_object", "load", "script"]

SCRIPT = "__main__"
"""What a file is called that runs as a script."""

_SCRIPTS = "running it"

_LONGEST = 300


@dataclass(frozen=True)
class Loaded:
    """A module that was run: ``display_name`` is the user's word for it, its imports start in ``folder``."""

    module: ModuleType
    display_name: str
    stem: str
    folder: Path

    @contextmanager
    def running(self, what: str) -> Iterator[None]:
        """Run the program's own code in here: its folder is importable, its errors are ProgramErrors."""
        with _guarded(what, self.folder, self.display_name):
            yield


def load(location: str) -> Loaded:
    """The module in the file ``location``, or of the dotted name ``location``."""
    # os.path answers False where pathlib raises: a name may be too long for any file.
    if location.endswith(".py") or "/" in location or os.sep in location or os.path.exists(location):
        return _load_file(location)
    if not all(part.isidentifier() for part in location.split(".")):
        raise UsageError(f"{location!r} is neither a Python file nor a module's name", _near(Path(location)))
    return _load_module(location)


def find_object(loaded: Loaded, name: str, traceable: Callable[[object], bool]) -> object:
    """What ``name`` (dots allowed) stands for in ``loaded``; ``traceable`` picks what errors propose."""
    target: object = loaded.module
    for part in name.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            own = {
                key: value
                for key, value in vars(target).items()
                if not key.startswith("_")
                and getattr(value, "__module__", None) in {None, loaded.module.__name__}
            }
            names = [key for key, value in own.items() if traceable(value)]
            has = (
                f"It has: {', '.join(names[:12])}"
                if names
                else "It has no function, module or tensor to trace"
            )
            raise UsageError(
                f"{loaded.display_name} has no {name}", close_matches(part, names) + has
            ) from None
    return target


def close_matches(word: str, candidates: Iterable[str]) -> str:
    """``Did you mean 'x'? ``, or nothing if nothing comes close."""
    near = difflib.get_close_matches(word[:60], list(candidates), n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


def script(location: str) -> tuple[str, Callable[[], None]]:
    """A stem for files' names, and what runs the file ``location``, or the module of that dotted name, as
    ``python file`` and ``python -m name`` do, each time anew.

    Raises:
        UsageError: there is none, or it cannot be read.
        ProgramError: it is not valid Python, or, when it runs, raises or leaves with an error's code.
    """
    spec = None if location.endswith(".py") else _spec_of(location)
    file = location if spec is None else spec.origin
    if file is None or not file.endswith(".py"):
        raise UsageError(f"{location} has no file to run", "Name a module in it: package.module:__main__")
    path, code = _compiled(file)
    folder = path.parent if spec is None else Path.cwd()

    def program() -> None:
        module, outer = ModuleType(SCRIPT), sys.modules[SCRIPT]
        module.__file__ = str(path)
        if spec is not None:
            module.__spec__, module.__package__ = spec, spec.parent
        sys.modules[SCRIPT] = module
        try:
            with _guarded(_SCRIPTS, folder, location), _good_ends():
                exec(code, module.__dict__)  # noqa: S102  running the user's program is the point
        finally:
            sys.modules[SCRIPT] = outer

    return path.stem if spec is None else location.rpartition(".")[2], program


def _spec_of(name: str) -> ModuleSpec:
    """Where the module ``name`` is, as seen from here; of a package its ``__main__``."""
    with _guarded("importing it", Path.cwd(), name), _modules_named(name):
        spec = importlib.util.find_spec(name)
    if spec is None:
        raise UsageError(f"there is no module {name}", _near(_file_of(name)))
    if spec.submodule_search_locations is not None:
        return _spec_of(f"{name}.{SCRIPT}")
    return spec


def _load_file(file: str) -> Loaded:
    path, code = _compiled(file)
    module = _new_module(path)
    sys.modules[module.__name__] = module
    try:
        with _guarded("loading it", path.parent, file):
            exec(code, module.__dict__)  # noqa: S102  running the user's program is the point
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise
    return Loaded(module, file, path.stem, path.parent)


def _compiled(file: str) -> tuple[Path, CodeType]:
    """Where a Python file is, and its code."""
    path = Path(file)
    if os.path.isdir(path):
        raise UsageError(f"{file} is a folder", "Name a Python file in it: folder/file.py:name")
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no file {file}", _near(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {file}: {reason}", "Check the path and its rights") from None
    path = Path(os.path.abspath(path))  # a link keeps its own name and folder
    # Compiled here, not by the import system: that would leave a __pycache__ in the user's folder.
    try:
        return path, compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"{file}:{error.lineno}" if error.lineno else file
        raise ProgramError(
            f"{where} is not valid Python: {error.msg}", "Try it first: python " + file
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProgramError(f"{file} is not valid Python: {_line(error)}", "Name a .py file") from None


def _new_module(path: Path) -> ModuleType:
    """An empty module for ``path``, under a name that hides nothing (a ``torch.py`` must not)."""
    name, count = path.stem, 1
    while name in sys.modules and getattr(sys.modules[name], "__file__", None) != str(path):
        count += 1
        name = f"{path.stem}_{count}"
    spec = importlib.util.spec_from_file_location(name, path) or importlib.util.spec_from_loader(name, None)
    if spec is None:
        raise UsageError(f"{path} cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    return module


def _load_module(name: str) -> Loaded:
    folder = Path.cwd()
    with _guarded("importing it", folder, name), _modules_named(name):
        module = importlib.import_module(name)
    return Loaded(module, name, name.rpartition(".")[2], folder)


@contextmanager
def _modules_named(name: str) -> Iterator[None]:
    """That there is no module ``name``, or no package for it, is a mistake of the target, not a program's."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UsageError(
            f"there is no module {name}"
            if error.name == name
            else f"there is no module {error.name} for {name}",
            _near(_file_of(name)),
        ) from None


def _file_of(name: str) -> Path:
    return Path(*name.split(".")).with_suffix(".py")


def _near(path: Path) -> str:
    """Which Python files stand where ``path`` was looked for."""
    folder = path.parent
    if not os.path.isdir(folder):
        return f"There is no folder {folder} either; you are in {Path.cwd()}"
    files = sorted(entry.name for entry in folder.glob("*.py") if entry.is_file())
    if not files:
        return f"There is no Python file in {folder.resolve()}"
    same = [file for file in files if file.lower() == path.name.lower()]
    close = f"Did you mean {same[0]!r}? " if same else close_matches(path.name, files)
    return f"{close}Python files there: {', '.join(files[:8])}"


@contextmanager
def _guarded(what: str, folder: Path, display_name: str) -> Iterator[None]:
    """The program runs in here as ``python`` runs it: its folder is importable, there are no arguments."""
    with _children_leave(), _errors_told(what, folder, display_name):
        yield


@contextmanager
def _good_ends() -> Iterator[None]:
    """A script may end with ``sys.exit(main())``; leaving with 0 says that nothing went wrong."""
    try:
        yield
    except SystemExit as error:
        if error.code not in (None, 0):
            raise


@contextmanager
def _errors_told(what: str, folder: Path, display_name: str) -> Iterator[None]:
    entry, arguments = str(folder), sys.argv
    sys.path.insert(0, entry)
    sys.argv = [display_name]
    try:
        with recursion_limit_kept():
            yield
    except (TourError, KeyboardInterrupt, StopRequest):
        raise
    except SystemExit as error:
        where = _deepest(error.__traceback__, folder)
        hint = 'Put what a script does on its own under: if __name__ == "__main__":'
        if what == _SCRIPTS:
            hint = (
                "A script is run without arguments: give each a default, "
                f"or name a function of it, {display_name}:name"
            )
        elif " " not in what:  # a function was called
            hint = "Take the call out of the function, or trace one that does not come to it"
        raise ProgramError(
            f"{where or display_name}: the program left with {exit_text(error)} while {_doing(what)}", hint
        ) from error
    except BaseException as error:
        where = _deepest(error.__traceback__, folder)
        hint = "Run the program on its own first; --debug shows the whole traceback"
        if " " not in what:  # of what is only imported explain says no more
            hint = (
                "If gradients have to do with it, autograd-tour explain says why; --debug shows the traceback"
            )
        if isinstance(error, ModuleNotFoundError) and error.name:
            hint = (
                f"Install {error.name.partition('.')[0]} where autograd-tour is installed, or fix the import"
            )
        if isinstance(error, ImportError) and "no known parent package" in message_of(error):
            hint = _as_package(where, folder, SCRIPT if what == _SCRIPTS else "name")
        message = (
            f"{where or display_name}: {described(error, _line(error).rstrip('.'))}, while {_doing(what)}"
        )
        raise ProgramError(message, hint) from error
    finally:
        sys.argv = arguments
        if entry in sys.path:
            sys.path.remove(entry)


@contextmanager
def _children_leave() -> Iterator[None]:
    """A child that the program forked and that comes back ends here: only its parent answers."""
    process, code = os.getpid(), 1
    try:
        yield
        code = 0
    except ProgramError as error:
        left = error.__cause__
        if isinstance(left, SystemExit):
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        elif os.getpid() != process:
            _say(f"a process that the program forked failed: {error.message}")
        raise
    finally:
        if os.getpid() != process:
            _say()
            os._exit(code)


def _say(*lines: str) -> None:
    """The last words of a process that goes without Python's own way out."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with suppress(OSError):
        os.write(2, "".join(f"{line}\n" for line in lines).encode(errors="replace"))


def _as_package(where: str, folder: Path, name: str) -> str:
    """How to name a file that imports from its own package."""
    package = folder / where.rpartition(":")[0]
    package = package.parent if package.suffix else folder
    outermost = package
    while (outermost.parent / "__init__.py").is_file() and outermost != outermost.parent:
        outermost = outermost.parent
    names = [*package.relative_to(outermost.parent).parts, Path(where.rpartition(":")[0]).stem or "module"]
    return (
        "A file by itself belongs to no package, so it has no relative imports. "
        f"In {outermost.parent}, name it as a part of one: {'.'.join(names)}:{name}"
    )


def _doing(what: str) -> str:
    return what if " " in what else f"running {what}"


def _deepest(trace: TracebackType | None, folder: Path) -> str:
    """``file:line`` of the frame that is the user's, ``""`` if there is none."""
    stack = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    own = deepest_own([file for file, _ in stack])
    if own is None:
        return ""
    file, line = stack[own]
    path = Path(file)
    return f"{path.relative_to(folder) if path.is_relative_to(folder) else path}:{line}"


def _line(error: BaseException) -> str:
    """The message of ``error`` on one line."""
    text = " ".join(message_of(error).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
