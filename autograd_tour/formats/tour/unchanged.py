"""Whether a tour that stands in a folder is the one that would be written: then nothing has to run again.

Nothing here loads torch.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import autograd_tour

__all__ = ["RECEIPT", "fingerprint", "receipt", "standing"]

RECEIPT = "tour-files.json"
"""The file beside a tour that says what it was made from, and the digest of each file."""

_PACKAGES = ("torch", "graphviz-pure", "jinja2", "typst", "numpy")
_GROUPS = ("autograd_tour.lessons.tour", "autograd_tour.views")
_SOURCES = {".py", ".js", ".css", ".html", ".typ", ".json"}


def fingerprint(words: Sequence[str], forms: Sequence[str], theme: str) -> str:
    """One value for all that a tour depends on: what was asked for, our own files, torch and Python."""
    parts: list[Any] = [sorted(words), sorted(forms), theme, sys.version, platform.machine()]
    parts += [_version(name) for name in _PACKAGES]
    parts += [
        (entry.value, entry.dist.version if entry.dist else "")
        for group in _GROUPS
        for entry in metadata.entry_points(group=group)
    ]
    digest = hashlib.sha256(repr(parts).encode())
    folder = Path(autograd_tour.__file__).parent
    for path in sorted(item for item in folder.rglob("*") if item.suffix in _SOURCES):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def receipt(files: Mapping[str, str | bytes], mark: str) -> dict[str, str]:
    """The receipt of ``files``, a file of its own."""
    digests = {name: _digest(content) for name, content in files.items()}
    return {RECEIPT: json.dumps({"made_from": mark, "files": digests}, indent=1) + "\n"}


def standing(folder: Path, mark: str) -> list[str] | None:
    """The files in ``folder``, if they were made from just that and are as they were; else ``None``."""
    try:
        kept = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
        if kept["made_from"] != mark:
            return None
        names = list(kept["files"])
        if all(_digest((folder / name).read_bytes()) == digest for name, digest in kept["files"].items()):
            return [*names, RECEIPT]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # no receipt, or none of ours
    return None


def _digest(content: str | bytes) -> str:
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    return hashlib.sha256(raw).hexdigest()
