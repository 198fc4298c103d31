"""What a record and a picture depend on, as short names for files. Nothing here loads torch."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from autograd_tour.hosts.snippet import Snippet, dedented

__all__ = ["Versions", "digest", "digest_of_file", "picture_key", "snippet_key", "versions"]

_OURS = Path(__file__).parents[1]
_RECORDING = ("record", "rules", "tracer", "text.py", "lessons/produce.py")
_FINDING = (*_RECORDING, "findings", "diagnosis.py", "views")
_DRAWING = ("record", "rules", "text.py", "views", "drawing", "formats", "reports", "questions", "findings")


class Versions(Struct, frozen=True):
    """What made a record: numbers of ``torch`` and ``python``, ``recording`` is a digest of our own code."""

    torch: str
    python: str
    recording: str


@cache
def versions(explains: bool = False) -> Versions:
    """Those of here, also of what ``explains``; ``torch`` is ``""`` where it is not installed."""
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = ""
    recording = _fingerprint(_FINDING if explains else _RECORDING)
    return Versions(torch, "{}.{}".format(*sys.version_info[:2]), recording)


def snippet_key(snippet: Snippet, earlier: Sequence[Snippet] = (), folder: str = "") -> str:
    """The same as long as the code, what runs before it, and how it is traced are the same.

    Where the code stands does not matter, unless its ``folder`` is given: for code that uses files beside it.
    """
    essence = [_essence(item) for item in (*earlier, snippet)]
    return digest(msgspec.json.encode([*essence, folder] if folder else essence))


def picture_key(trace: str, *options: object) -> str:
    """The same as long as the digest of the trace, the options, and the code that draws are the same."""
    return digest("\0".join((trace, repr(options), _fingerprint(_DRAWING))).encode())


def digest_of_file(path: Path) -> str:
    """A digest of what is in a file; ``""`` if it cannot be read."""
    try:
        return digest(path.read_bytes())
    except OSError:
        return ""


def _essence(snippet: Snippet) -> dict[str, Any]:
    """What counts of a snippet, without what is as usual: by value, as one read from a file has copies."""
    code = dedented(snippet.code) if snippet.code else ""
    essence = replace(snippet, code=code, file="", origin="", folder="", line=1, context="", timeout=0.0)
    usual = asdict(Snippet())
    return {name: value for name, value in asdict(essence).items() if value != usual[name]}


def digest(data: bytes) -> str:
    """A short name for some bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


@cache
def _fingerprint(parts: Iterable[str]) -> str:
    """A digest of the source of some rooms: a checkout changes without a new version."""
    total = hashlib.sha256()
    for part in parts:
        path = _OURS / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in {".py", ".json", ".css", ".js", ".html", ".typ", ".j2"} and file.is_file():
                total.update(file.relative_to(_OURS).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:32]
