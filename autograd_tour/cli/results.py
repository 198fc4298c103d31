"""What a command answers: paths on stdout, JSON for programs, or the one file itself."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd_tour.cli.common import answer, check_stdout, give_up_stdout, writing_stdout
from autograd_tour.cli.stderr import say
from autograd_tour.errors import UsageError

if TYPE_CHECKING:
    from autograd_tour.views.picture import PictureSize

__all__ = ["to_folder", "to_stdout"]


def to_stdout(files: Mapping[str, str | bytes]) -> None:
    """Write the only file to stdout.

    Raises:
        UsageError: there are several.
    """
    if len(files) != 1:
        raise UsageError(
            f"-o - writes one file, and this makes {len(files)}: {', '.join(files)}",
            "Choose one with -f and --view, for instance -f svg --view graph",
        )
    (content,) = files.values()
    check_stdout()
    with writing_stdout():
        sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
        sys.stdout.flush()


def to_folder(
    folder: Path,
    files: Mapping[str, str | bytes],
    output: str,
    names: list[str],
    *,
    quiet: bool,
    as_json: bool,
    standing: Sequence[str] = (),
    pictures: Sequence[tuple[str, PictureSize]] = (),
) -> None:
    """Write the files and say so. If that cannot be said, what stood there before stands there again.

    ``folder`` is where ``output``, as the user wrote it, was when the command began. Files that are
    ``standing`` there already are said with them.

    Raises:
        UsageError: the files or stdout cannot be written.
    """
    from autograd_tour.formats.write import write_all

    paths = [str(Path(output) / name) for name in (*standing, *files)]

    def announce() -> None:
        try:
            _tell(paths, names, pictures, as_json=as_json)
        except BrokenPipeError:  # the reader has left; the files were asked for all the same
            give_up_stdout()

    write_all(folder, files, None if quiet else announce)


def _tell(
    paths: list[str], names: list[str], pictures: Sequence[tuple[str, PictureSize]], *, as_json: bool
) -> None:
    """Say what was written: a path on each line, or JSON, with how large each picture is."""
    if as_json:
        sizes = [{"target": name} | _size(size) for name, size in pictures]
        answer(json.dumps({"targets": names, "written": paths, "pictures": sizes}, indent=2))
        return
    for path in paths:
        answer(os.fsencode(path))
    picture = next((path for path in paths if path.endswith(".svg")), "")
    if picture and sys.stderr.isatty() and sys.stdout.isatty():
        say(f"\nOpen {picture} in a browser. What else there is: autograd-tour render --help")


def _size(size: PictureSize) -> dict[str, Any]:
    """How large a picture is, px, and what is not to be seen in it."""
    return {
        "view": size.view,
        "width": size.width,
        "height": size.height,
        "smallest_text": size.text,
        "cards": size.cards,
        "folded": size.folded,
        "left_out": list(size.left_out),
    }
