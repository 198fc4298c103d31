"""``%%autograd``: what autograd did with a cell, as a picture below it."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from autograd_tour.drawing.room import room_for
from autograd_tour.errors import TourError, UsageError
from autograd_tour.formats.base import Settings
from autograd_tour.hosts.block import Block, BlockError
from autograd_tour.hosts.display import Page, image
from autograd_tour.hosts.outcome import Record
from autograd_tour.hosts.snippet import Snippet
from autograd_tour.record.trace import Trace

__all__ = ["load"]


class _Words(argparse.ArgumentParser):
    """Says what is wrong instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, "%%autograd? tells what there is")


def _parser() -> _Words:
    words = _Words(prog="%%autograd", add_help=False)
    words.add_argument("--view", default="graph")
    words.add_argument("--page", action="store_true")
    words.add_argument("--depth", type=int)
    words.add_argument("--focus")
    words.add_argument("--width", type=float)
    words.add_argument("--direction", default="auto", choices=("auto", "LR", "TB"))
    words.add_argument("--keep", type=int, default=16)
    words.add_argument("--height", type=int, default=640)
    return words


class CellPicture:
    """What stands below a cell: ``trace`` is the record."""

    def __init__(self, trace: Trace, view: str, settings: Settings) -> None:
        self.trace = trace
        self._view = view
        self._settings = settings

    def __repr__(self) -> str:
        return repr(self.trace)

    def _repr_html_(self) -> str:
        return image(Record("", self.trace), self._view, self._settings)


def load(shell: Any) -> None:
    """Called by ``%load_ext autograd_tour``."""

    def autograd(line: str, cell: str) -> object:
        """Trace a cell, and draw what autograd did: its last expression, else what it assigned last.

        Names that it binds are there afterwards; what it changed of tensors, optimizers and random numbers
        is as before.

        --view VIEW (graph, chain, outline, steps, run, accumulation)  --page  --depth N  --focus NAME
        --width PX  --direction auto|LR|TB  --keep N  --height PX (of the page)
        """
        try:
            return _pictured(_parser().parse_args(shlex.split(line)), cell, shell.user_ns)
        except TourError as error:
            raise error.with_traceback(None) from None  # a sentence: the traceback would be ours
        except (BlockError, ValueError) as error:
            raise UsageError(_sentence(error)) from None

    shell.register_magic_function(autograd, magic_kind="cell")


def _pictured(words: argparse.Namespace, cell: str, names: dict[str, Any]) -> object:
    from autograd_tour.lessons.produce import traced

    block = Block(Snippet(code=cell, file="the cell"))
    settings = Settings(
        formats=("html",),
        views=(words.view,),
        keep=words.keep,
        depth=words.depth,
        focus=words.focus,
        direction=words.direction,
        room=room_for(width=words.width),
    )
    try:
        trace = traced(lambda: block.value(names), settings, ledger=words.view == "accumulation")
    except TourError:
        if block.failure is not None:
            raise BlockError(block.failure) from None
        raise
    if words.page:
        return Page(trace, words.height, settings)
    return CellPicture(trace, words.view, settings)


def _sentence(error: Exception) -> str:
    if isinstance(error, BlockError):
        return f"line {error.failure.line} of the cell: {error.failure}"
    return str(error)
