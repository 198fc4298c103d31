"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from autograd_tour.errors import UsageError
from autograd_tour.formats.waiting import WaitingSignals

__all__ = ["write_all"]

_HINT = "Name a folder you can write to with -o DIR"


def write_all(
    folder: str | os.PathLike[str],
    files: Mapping[str, str | bytes],
    announce: Callable[[], object] | None = None,
) -> list[Path]:
    r"""Write every file of ``files`` (name to content) into ``folder``, or none; the paths, in order.

    ``folder`` is made if it is missing. Text is written as UTF-8 with ``\n`` line ends. Each file
    goes into a temporary file beside its place first, so a full disk shows before anything is
    replaced. A ``folder`` that is a symbolic link is followed; a link in the place of a file is replaced
    by the file, what it points to is left alone. Files that ``files`` does not name are never touched.

    ``announce`` is called when all files are there; what it raises undoes them. Signals that end the process
    (Ctrl-C, SIGTERM) wait until all is written, or nothing is.

    Raises:
        UsageError: the folder cannot be made or written, something that is not a file stands in a
            file's place, the disk is full, or a name is not a plain file name. What stood there
            before still stands there.
    """
    with WaitingSignals() as signals:
        return _write_all(Path(folder), files, announce, signals)


def _write_all(
    directory: Path,
    files: Mapping[str, str | bytes],
    announce: Callable[[], object] | None,
    signals: WaitingSignals,
) -> list[Path]:
    for name in files:
        _check_name(name)
    contents = {directory / name: _as_bytes(content) for name, content in files.items()}
    new_folders = _make_folder(directory)
    staged: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            if path.is_dir() and not path.is_symlink():
                raise UsageError(f"cannot write {path}: a folder of that name is in its place", _HINT)
            # Noted before it exists: a write that stops halfway leaves a file to be removed.
            staged[path] = path.with_name(f".{secrets.token_hex(8)}.tmp")
            _write_new(staged[path], content, _mode(path))
            signals.stop()
        _replace_all(staged, announce, signals)
    except OSError as error:
        _remove_folders(new_folders, staged.values())
        raise UsageError(f"cannot write in {directory}: {_reason(error)}", _HINT) from error
    except BaseException:
        _remove_folders(new_folders, staged.values())
        raise
    return list(contents)


def _check_name(name: str) -> None:
    if name in {"", ".", ".."} or any(mark in name for mark in "/\\\0"):
        raise UsageError(f"{name!r} is not a plain file name")


def _as_bytes(content: str | bytes) -> bytes:
    # Half a surrogate pair can come from a program's names; it must not stop the other files.
    return content if isinstance(content, bytes) else content.encode("utf-8", "replace")


def _make_folder(folder: Path) -> list[Path]:
    """Make ``folder``; the folders that were not there before, outermost first."""
    try:
        missing = [part for part in (folder, *folder.parents) if not part.exists()][::-1]
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        inside = next(
            (part for part in (folder, *folder.parents) if part.exists() and not part.is_dir()), folder
        )
        raise UsageError(f"cannot write in {folder}: {inside} is not a folder", _HINT) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot make the folder {folder}: {_reason(error)}", _HINT) from error
    return missing


def _mode(path: Path) -> int:
    """The rights that stood at ``path``; for a new file what the user's umask leaves."""
    with suppress(OSError):
        return path.stat(follow_symlinks=False).st_mode & 0o777 if not path.is_symlink() else 0o666
    return 0o666


def _write_new(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(content)


def _replace_all(
    staged: Mapping[Path, Path], announce: Callable[[], object] | None, signals: WaitingSignals
) -> None:
    """Move every temporary file into its place; if one cannot move, or all be told, put back what was."""
    backups: dict[Path, Path | None] = {}
    try:
        for path, temporary in staged.items():
            backups[path] = _second_name(path)
            temporary.replace(path)
        with signals.at_once():
            if announce is not None:
                announce()
    except BaseException:
        for path, backup in backups.items():
            with suppress(OSError):
                if backup is not None:
                    backup.replace(path)
                elif not staged[path].exists():  # moved, and nothing stood there before
                    path.unlink()
        raise
    finally:
        for backup in backups.values():
            if backup is not None:
                with suppress(OSError):
                    backup.unlink(missing_ok=True)


def _second_name(path: Path) -> Path | None:
    """A second name for the file at ``path``, so that replacing it loses nothing; ``None`` if none."""
    if not os.path.lexists(path):
        return None
    backup = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        os.link(path, backup, follow_symlinks=False)
    except (OSError, NotImplementedError):
        # A file system without hard links: a copy does as well.
        _write_new(backup, path.read_bytes(), _mode(path))
    return backup


def _remove_folders(folders: list[Path], temporaries: Iterable[Path]) -> None:
    for temporary in temporaries:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
