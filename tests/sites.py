"""Sites of documents, written and built as their authors do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.commands import FROZEN, PRELOADED, SERVER, forked, signalled
from tests.workers import forked_in_place

SERVER.set_forkserver_preload([*PRELOADED, "tests.loaded_sphinx", FROZEN])


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def build(folder: Path, builder: str = "html", *options: str, path: str = "") -> subprocess.CompletedProcess:
    """Build as ``sphinx-build`` does, in a process that has loaded Sphinx and torch by then."""
    if path:
        return fresh_build(folder, builder, *options, path=path)
    return forked(_sphinx, _words(builder, options), folder, 600)


def interrupted_build(folder: Path, file: str, builder: str = "html") -> subprocess.CompletedProcess:
    """The same, but Ctrl-C comes once ``file`` is there."""
    return signalled(_sphinx, _words(builder, ()), folder, signal.SIGINT, file, 600)


def fresh_build(
    folder: Path, builder: str = "html", *options: str, path: str = ""
) -> subprocess.CompletedProcess:
    """The same in a process that has loaded nothing, and finds modules in ``path`` first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, *sys.path)))}
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *_words(builder, options)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def _words(builder: str, options: tuple[str, ...]) -> tuple[str, ...]:
    return ("-q", "-b", builder, "-d", "_trees", *options, ".", f"_{builder}")


def _sphinx(words: tuple[str, ...]) -> None:
    from sphinx.cmd.build import main

    from autograd_tour.hosts import process

    process.subprocess = forked_in_place(of_this_process=True)
    sys.exit(main(words))


def contents(folder: Path) -> dict[str, bytes]:
    names = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [path for path in names if path.suffix in {".html", ".svg", ".png", ".pdf", ".txt", ".css"}]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}
