"""Whose code a file is, which frame of a stack is the program's, and how a file is called for the reader.

Everything that shows a line of the program asks here. Nothing here needs torch.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType, FrameType

__all__ = [
    "deepest_own",
    "home",
    "is_library",
    "is_ours",
    "program_frame",
    "relative",
    "user_frame",
    "user_frames",
]

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_LESSONS = os.path.join(_OURS, "lessons") + os.sep
_INSTALLED = re.compile(r".*[\\/](?:site|dist)-packages[\\/]")
_GENERATED = "<eval_with_key>"  # what torch.fx and torch.compile write and run
_CELL = re.compile(r".*[\\/]ipykernel_\d+[\\/]\d+\.py")
"""The file that a notebook's kernel says a cell is."""
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


@lru_cache(maxsize=1)
def _torch() -> str:
    spec = importlib.util.find_spec("torch")
    return os.path.dirname(spec.origin) + os.sep if spec is not None and spec.origin else os.sep * 2


@lru_cache(maxsize=4096)
def is_library(filename: str) -> bool:
    """Code that is not the program's: of torch, by torch, of this package but for its lessons, frozen."""
    if filename.startswith(_LESSONS):
        return False
    return filename.startswith((_torch(), _OURS, "<frozen", _GENERATED))


def is_ours(filename: str) -> bool:
    """Code of this package that is no lesson."""
    return filename.startswith(_OURS) and not filename.startswith(_LESSONS)


@lru_cache(maxsize=4096)
def home(filename: str) -> str:
    """What a file belongs to: the package installed it came with, or ``""`` for the user's own code."""
    if filename.startswith(_LESSONS):
        return ""  # the same, installed or from a checkout
    installed = _INSTALLED.match(filename)
    if installed is not None:
        return re.split(r"[\\/]", filename[installed.end() :], maxsplit=1)[0]
    return "python" if filename.startswith((_STANDARD, "<frozen")) else ""


@lru_cache(maxsize=4096)
def relative(filename: str) -> str:
    """A path that is the same on every machine: from the folder of the outermost package, installed or not.

    A file that belongs to no package has its bare name, a cell of a notebook that of
    :class:`~autograd_tour.record.graph.SourceLine`.
    """
    if filename.startswith("<"):
        return filename
    full = os.path.abspath(filename)
    if _CELL.fullmatch(full):
        return "<cell>"
    installed = _INSTALLED.match(full)
    if installed is not None:
        return full[installed.end() :].replace(os.sep, "/")
    folder = os.path.dirname(full)
    while os.path.isfile(os.path.join(folder, "__init__.py")) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return os.path.relpath(full, folder).replace(os.sep, "/")


def user_frame(frame: FrameType | None, stop: CodeType) -> FrameType | None:
    """The innermost frame of the program at or above ``frame``; ``None`` if ``stop`` comes first."""
    inner = None
    while frame is not None and frame.f_code is not stop:
        if not is_library(frame.f_code.co_filename) and not _is_rewritten(frame, inner):
            return frame
        inner, frame = frame, frame.f_back
    return None


def _is_rewritten(frame: FrameType, inner: FrameType | None) -> bool:
    """Whether ``frame`` runs what torch.compile made of many lines, so that it is at none of them.

    Where ``inner``, which it called, is neither compiled code nor a rest of the function, it is at a line
    that was left as it is.
    """
    if inner is None or not _was_rewritten(frame.f_code):
        return False
    code = inner.f_code
    return code.co_name.startswith(_REST) or code.co_filename.startswith((_GENERATED, _torch() + "_dynamo"))


_REST = "torch_dynamo_resume_in_"


@lru_cache(maxsize=4096)
def _was_rewritten(code: CodeType) -> bool:
    return any(name.startswith(("__compiled_fn_", "__resume_at_")) for name in code.co_names)


def user_frames(frame: FrameType | None, stop: CodeType) -> Iterator[FrameType]:
    """All frames of the program from ``frame`` outwards, the innermost first."""
    while (frame := user_frame(frame, stop)) is not None:
        yield frame
        frame = frame.f_back


def program_frame(
    frame: FrameType | None, stop: CodeType, module: FrameType | None, owner: str
) -> FrameType | None:
    """The frame with the line that helps the reader: the innermost whose code has the home ``owner``.

    ``module`` is the frame that called the forward which ``owner`` is the home of: no frame outside it
    counts, unless there is none inside.
    """
    deepest = inner = None
    while frame is not None and frame.f_code is not stop:
        file = frame.f_code.co_filename
        if not is_library(file) and not _is_rewritten(frame, inner):
            if home(file) == owner:
                return frame
            deepest = deepest or frame
        if frame is module and deepest is not None:
            return deepest
        inner, frame = frame, frame.f_back
    return deepest


def deepest_own(files: Sequence[str]) -> int | None:
    """Which frame of a stack, given by its files from the outermost on, is the user's.

    It is the innermost with the home of the outermost that is neither torch's nor ours.
    """
    own = [n for n, file in enumerate(files) if not is_library(file) and home(file) != "python"]
    same = [n for n in own if home(files[n]) == home(files[own[0]])]
    return same[-1] if same else None
