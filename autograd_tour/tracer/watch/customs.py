"""Custom Functions of a program: a call of each is kept, and compared with differences afterwards."""

from __future__ import annotations

import inspect
import linecache
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from autograd_tour.record.graph import SourceLine
from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.listen.frames import home, is_library, relative

__all__ = [
    "Applied",
    "Customs",
    "Disagreement",
    "UnsteadyError",
    "arguments_of",
    "disagreement",
    "line_of_backward",
]

LARGEST = 10_000
"""Elements of all inputs together of a call that is kept."""
MOST = 20
"""Functions that are compared."""
_STEP = 1e-6
_TOLERANCE = 1e-3
_FLAT = 1e-7
_DIRECTIONS = 4


class Applied(NamedTuple):
    """The first call of a custom Function: copies of its arguments, and where it was called."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    spot: int


class UnsteadyError(Exception):
    """A Function gives other results when it runs again, so its differences say nothing."""


class Disagreement(NamedTuple):
    """The derivative along one direction, as the backward has it and as differences of the forward tell."""

    analytic: float
    numeric: float
    flat: bool
    reversed: bool


class Customs:
    """Hears ``autograd.Function.apply``, which no mode hears.

    ``saves`` is told the number of each of their nodes when its forward is over.
    """

    def __init__(self, spot: Callable[[FrameType], int], saves: Callable[[int], None]) -> None:
        self.applied: dict[type, Applied] = {}
        self.unsteady: list[str] = []
        self._spot = spot
        self._saves = saves
        self._thread = threading.get_ident()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Every custom Function that is applied inside is heard."""
        original = torch.autograd.Function.__dict__["apply"]
        heard, over = self._heard, self._over

        def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling():
                return original.__get__(None, cls)(*args, **kwargs)
            heard(cls, args, kwargs, sys._getframe(1))
            result = original.__get__(None, cls)(*args, **kwargs)
            over(result)
            return result

        never_compiled(apply)
        torch.autograd.Function.apply = classmethod(apply)  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            torch.autograd.Function.apply = original  # type: ignore[method-assign]

    def _heard(self, function: Any, args: Any, kwargs: Any, frame: FrameType) -> None:
        if function in self.applied or len(self.applied) >= MOST or threading.get_ident() != self._thread:
            return
        if line_of_backward(function) is None:
            return  # none of the program's own
        with torch._C.DisableTorchFunction():
            tensors = [item for item in tree_flatten((args, kwargs))[0] if isinstance(item, Tensor)]
            needing = [item for item in tensors if item.requires_grad]
            if not needing or sum(item.numel() for item in tensors) > LARGEST:
                return
            args, kwargs = tree_map(_copied, (args, kwargs))
            self.applied[function] = Applied(function, tuple(args), dict(kwargs), self._spot(frame))

    def _over(self, result: Any) -> None:
        if threading.get_ident() == self._thread:
            with torch._C.DisableTorchFunction():
                tensors = [item for item in tree_flatten(result)[0] if isinstance(item, Tensor)]
                for number in {item.grad_fn._sequence_nr() for item in tensors if item.grad_fn is not None}:
                    self._saves(number)


def _copied(item: Any) -> Any:
    if not isinstance(item, Tensor):
        return item
    return item.detach().clone().requires_grad_(item.requires_grad)


def line_of_backward(function: Any) -> SourceLine | None:
    """The ``def backward`` of a custom Function of the program itself; ``None`` for one of a package."""
    code = getattr(getattr(function, "backward", None), "__code__", None)
    if not isinstance(code, CodeType) or is_library(code.co_filename) or home(code.co_filename):
        return None
    lines = range(code.co_firstlineno, code.co_firstlineno + 8)  # code begins with its decorators
    texts = ((n, linecache.getline(code.co_filename, n).strip()) for n in lines)
    number, text = next((pair for pair in texts if pair[1].startswith("def ")), (code.co_firstlineno, ""))
    return SourceLine(relative(code.co_filename), number, text, "backward")


def arguments_of(applied: Applied) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the arguments in a call of a Function, and of those that need a gradient."""
    function = applied.function
    try:
        names = list(inspect.signature(function.forward).parameters)
    except (TypeError, ValueError):
        return (), ()
    if function.setup_context is torch.autograd.Function.setup_context:
        names = names[1:]  # its ctx
    given = applied.args
    if len(names) < len(given) or applied.kwargs:  # taken as *args
        names = [f"x{n}" for n in range(1, len(given) + 1)]
    pairs = list(zip(names, given, strict=False))
    needing = (name for name, item in pairs if isinstance(item, Tensor) and item.requires_grad)
    return tuple(name for name, _ in pairs), tuple(needing)


def disagreement(applied: Applied) -> Disagreement | None:
    """Compare backward and forward in float64 along random directions; ``None`` if they agree.

    It is also ``None`` where that cannot be told, since the Function fails so.

    Raises:
        UnsteadyError: it gives other results each time.
    """
    items, form = tree_flatten((applied.args, applied.kwargs))
    places = [n for n, item in enumerate(items) if isinstance(item, Tensor) and item.requires_grad]
    inputs = [items[n].detach().double().requires_grad_() for n in places if items[n].is_floating_point()]
    if len(inputs) != len(places):
        return None
    generator = torch.Generator().manual_seed(0)

    def forward(tensors: list[Tensor]) -> Tensor:
        filled = [item.double() if _is_float(item) else item for item in items]
        for n, tensor in zip(places, tensors, strict=True):
            filled[n] = tensor
        args, kwargs = tree_unflatten(filled, form)
        result = applied.function.apply(*args, **kwargs)
        outputs = [item for item in tree_flatten(result)[0] if _is_float(item)]
        return torch.cat([item.reshape(-1).double() for item in outputs])

    try:
        with torch.enable_grad():
            pairs = [
                pair for _ in range(_DIRECTIONS) if (pair := _pair(forward, inputs, generator)) is not None
            ]
    except UnsteadyError:
        raise
    except Exception:
        return None  # whatever the Function does not do with copies in float64
    if len(pairs) < _DIRECTIONS or all(_near(*pair) for pair in pairs):
        return None
    analytic, numeric = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    flat = all(abs(pair[1]) < _FLAT for pair in pairs)
    ratios = [pair[0] / pair[1] for pair in pairs if pair[1]]
    reversed_ = bool(ratios) and ratios[0] < 0 and all(_near(ratio, ratios[0]) for ratio in ratios)
    return Disagreement(analytic, numeric, flat, reversed_)


def _pair(
    forward: Callable[[list[Tensor]], Tensor], inputs: list[Tensor], generator: torch.Generator
) -> tuple[float, float] | None:
    """The derivative along one random direction by backward, and by differences; ``None`` at a kink."""
    result = forward(inputs)
    weights = _drawn(result, generator)
    directions = [_drawn(item, generator) for item in inputs]
    gradients: list[Any] = list(torch.autograd.grad((result * weights).sum(), inputs, allow_unused=True))
    pairs = zip(gradients, directions, strict=True)
    analytic = sum(float((item.double() * along).sum()) for item, along in pairs if item is not None)
    values: list[float] = []
    for step in (_STEP, 0.0, -_STEP, 0.0):
        moved = [
            (item + step * direction).detach().requires_grad_()
            for item, direction in zip(inputs, directions, strict=True)
        ]
        values.append(float((forward(moved).detach() * weights).sum()))
    if values[1] != values[3]:
        raise UnsteadyError
    ahead, behind = (values[0] - values[1]) / _STEP, (values[1] - values[2]) / _STEP
    if not _near(ahead, behind, 1e-2):
        return None
    return analytic, (values[0] - values[2]) / (2 * _STEP)


def _drawn(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, dtype=torch.float64) + 0.5


def _is_float(item: Any) -> bool:
    return isinstance(item, Tensor) and item.is_floating_point()


def _near(first: float, second: float, tolerance: float = _TOLERANCE) -> bool:
    return abs(first - second) <= tolerance * max(abs(first), abs(second), 1e-3)
