"""Sites of documents, written and built as their authors do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def build(folder: Path, builder: str = "html", *options: str, path: str = "") -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, *sys.path)))}
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-b", builder, "-d", "_trees", *options, ".", f"_{builder}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    names = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [path for path in names if path.suffix in {".html", ".svg", ".png", ".pdf", ".txt", ".css"}]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}
