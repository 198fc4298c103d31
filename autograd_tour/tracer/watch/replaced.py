"""Parameters of a model that others took the place of, and the lines that made optimizers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, NamedTuple

from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from autograd_tour.tracer.listen.registrations import registrations_heard

__all__ = ["Replaced", "Replacements"]


class Replaced(NamedTuple):
    """A parameter, its ``name`` in the module that had it, and what stands there now, if anything does."""

    parameter: Tensor
    name: str
    successor: Tensor | None
    spot: int


class Replacements:
    """Hears what torch tells of modules that get a part or a parameter, and optimizers when they are made."""

    def __init__(self, spot: Callable[[FrameType], int]) -> None:
        self.births: dict[int, int] = {}
        self._replaced: dict[int, Replaced] = {}
        self._spot = spot
        self._thread = threading.get_ident()

    def of(self, parameter: Tensor) -> Replaced | None:
        """How ``parameter`` was replaced, ``None`` if it was not."""
        return self._replaced.get(id(parameter))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Everything that is replaced or made inside is heard."""
        with registrations_heard(self._note), _making_replaced(self._making):
            yield

    def _making(self, optimizer: Optimizer, frame: FrameType) -> None:
        if threading.get_ident() == self._thread:
            self.births[id(optimizer)] = self._spot(frame)

    def _note(self, parameter: Tensor, name: str, successor: Tensor | None, frame: FrameType) -> None:
        if threading.get_ident() == self._thread:
            self._replaced[id(parameter)] = Replaced(parameter, name, successor, self._spot(frame))


@contextmanager
def _making_replaced(heard: Callable[[Optimizer, FrameType], None]) -> Iterator[None]:
    method = Optimizer.__init__

    @wraps(method)
    def made(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        if not is_dynamo_compiling():
            heard(self, sys._getframe(1))
        method(self, *args, **kwargs)

    Optimizer.__init__ = made  # type: ignore[method-assign]
    try:
        yield
    finally:
        Optimizer.__init__ = method  # type: ignore[method-assign]
