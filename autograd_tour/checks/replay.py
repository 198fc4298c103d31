"""Running a program in float64, again and again, with its leaves moved a little.

The program itself is not changed, nor are its tensors: a ``TorchFunctionMode`` hears every torch function it
calls and hands on, in place of each tensor of lower precision, a twin in float64 that stays for the whole
run. What functions return is widened likewise, so a ``torch.tensor(0.1)`` is the float32 number that the
program computes with. Random numbers are drawn in the program's own type, so they are those of the record.

A derivative follows the graph, not the program: what was cut off from the graph is a constant to it. So the
first run notes what each cut call gave back (``detach``, ``item``, a comparison, all under ``no_grad``), and
the runs with moved leaves are given the same. Custom Functions are heard where ``apply`` is called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["Applied", "Replay", "Script", "listened"]

_WIDE = {
    torch.float32: torch.float64,
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.complex64: torch.complex128,
}
_CASTS = {
    "float": torch.float64,
    "half": torch.float64,
    "bfloat16": torch.float64,
    "cfloat": torch.complex128,
}
_DRAWS = frozenset(
    ("rand_like", "randn_like", "normal_", "uniform_", "exponential_", "cauchy_", "log_normal_", "bernoulli_")
)
"""Functions that draw other numbers in another type."""


@dataclass(frozen=True)
class Applied:
    """A call of a custom Function: its class, and its arguments with the leaves of the run as they were."""

    function: type[torch.autograd.Function]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass
class Script:
    """What the first run noted: the number of each call that was cut, with a copy of what it gave back."""

    cuts: dict[int, Any] = field(default_factory=dict)
    applied: list[Applied] = field(default_factory=list)


class Replay(TorchFunctionMode):
    """One run. ``leaves`` are those that were used, in the order of their first use.

    ``drawn`` is the type in which random numbers are drawn, ``None`` if the run is not widened. Without a
    ``script`` this is the first run, and writes one; with it, ``shifts`` are added to the leaves of these
    numbers wherever they go into the graph.
    """

    def __init__(
        self,
        drawn: torch.dtype | None,
        script: Script | None = None,
        shifts: Mapping[int, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.script = Script() if script is None else script
        self.leaves: list[Tensor] = []
        self._first = script is None
        self._drawn = drawn
        self._shifts = shifts or {}
        self._numbers: dict[int, int] = {}  # id of a leaf -> its place in `leaves`
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}  # the original too: its id must not be given away
        self._shifted: dict[int, Tensor] = {}
        self._calls = 0
        self._inside = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if is_dynamo_compiling():
            return func(*args, **kwargs)
        if self._drawn is not None and getattr(func, "__name__", "") in _CASTS and args:
            kind = _CASTS[func.__name__]
            return self.call(lambda tensor: tensor.to(kind), args[:1], {})
        if not _draws(func):
            return self.call(func, args, kwargs)
        if self._drawn is not None:
            func = _in_own_type(func, self._drawn)
        return self.call(func, args, kwargs, moved=False)  # what is filled now is not used yet

    def apply(self, function: Any, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A custom Function is applied; in its ``forward`` nothing is cut off."""

        def run(*args: Any, **kwargs: Any) -> Any:
            if self._first and not self._inside:
                self.script.applied.append(Applied(function, args, kwargs))
            self._inside += 1
            try:
                return original(*args, **kwargs)
            finally:
                self._inside -= 1

        return self.call(run, args, kwargs)

    def call(self, func: Callable[..., Any], args: Any, kwargs: Any, *, moved: bool = True) -> Any:
        """``func`` of the twins of its arguments, moved if that is asked for; its result, widened."""
        number = -1
        if not self._inside:
            number = self._calls
            self._calls += 1
        cut = not self._first and number in self.script.cuts
        with torch._C.DisableTorchFunction():
            args, kwargs = tree_map(lambda item: self._taken(item, moved=moved and not cut), (args, kwargs))
            if self._drawn is not None:
                args, kwargs = _widened_types(args, kwargs)
        result = func(*args, **kwargs)
        iterated = isinstance(result, Iterator)  # `a, b = tensor`
        if iterated:
            result = list(result)
        with torch._C.DisableTorchFunction():
            result = tree_map(self._widened, result)
            written: Any = args[0] if args and _is_in_place(func) else None
            outcome = result if written is None else written
            if cut and written is None:
                result = tree_map(_copied, self.script.cuts[number])
            elif cut:
                written.detach().copy_(self.script.cuts[number])
            elif self._first and number >= 0 and _is_cut((args, kwargs), outcome):
                self.script.cuts[number] = tree_map(_copied, outcome)
        return iter(result) if iterated else result

    def _taken(self, item: Any, *, moved: bool) -> Any:
        if not isinstance(item, Tensor):
            return item
        entry = self._twins.get(id(item))
        if entry is not None:
            item = entry[1]
        elif self._drawn is not None and item.dtype in _WIDE:
            twin = self._widened(item)
            self._twins[id(item)] = (item, twin)
            item = twin
        if not (item.is_leaf and item.requires_grad):
            return item
        number = self._numbers.get(id(item), -1)
        if number < 0:
            number = self._numbers[id(item)] = len(self.leaves)
            self.leaves.append(item)
        if not moved or number not in self._shifts or not torch.is_grad_enabled():
            return item
        if number not in self._shifted:
            self._shifted[number] = item + self._shifts[number]
        return self._shifted[number]

    def _widened(self, item: Any) -> Any:
        if not isinstance(item, Tensor) or self._drawn is None or item.dtype not in _WIDE:
            return item
        kind = _WIDE[item.dtype]
        if item.requires_grad and not item.is_leaf:
            return item.to(kind)
        return item.detach().to(kind).requires_grad_(item.requires_grad)


@contextmanager
def listened(replay: Replay) -> Iterator[Replay]:
    """Run the program in here. ``autograd.Function.apply``, which no mode hears, is replaced meanwhile."""
    original = torch.autograd.Function.__dict__["apply"]
    thread = threading.get_ident()

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        bound = original.__get__(None, cls)
        if threading.get_ident() != thread or is_dynamo_compiling():
            return bound(*args, **kwargs)
        return replay.apply(cls, bound, args, kwargs)

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[method-assign, assignment]
    try:
        with replay:
            yield replay
    finally:
        torch.autograd.Function.apply = original  # type: ignore[method-assign]


def _is_cut(args: Any, result: Any) -> bool:
    """Whether something of the graph went in, and nothing of it came out."""
    return any(map(_needs_grad, tree_leaves(args))) and not any(map(_needs_grad, tree_leaves(result)))


def _needs_grad(item: Any) -> bool:
    return isinstance(item, Tensor) and item.requires_grad


def _copied(item: Any) -> Any:
    return item.detach().clone() if isinstance(item, Tensor) else item


def _is_in_place(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _draws(func: Any) -> bool:
    return getattr(func, "__name__", "") in _DRAWS or getattr(func, "__module__", "") == "torch.nn.init"


def _in_own_type(func: Any, drawn: torch.dtype) -> Callable[..., Any]:
    """``func``, which draws random numbers, as it draws in the program's own type."""

    def narrow(item: Any) -> Any:
        wide = isinstance(item, Tensor) and item.dtype == torch.float64
        return item.detach().to(drawn) if wide else item

    def draw(*args: Any, **kwargs: Any) -> Any:
        narrowed, options = tree_map(narrow, (args, kwargs))
        result = func(*narrowed, **options)
        if not _is_in_place(func):
            return result
        target: Tensor = args[0] if args else kwargs["tensor"]
        target.detach().copy_(result)
        return target

    draw.__name__ = func.__name__
    return draw


def _widened_types(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """A type that is asked for is float64, unless no tensor says what it is asked for."""
    if not any(isinstance(item, Tensor) and item.is_floating_point() for item in tree_leaves((args, kwargs))):
        return args, kwargs
    wide: tuple[Any, Any] = tree_map(
        lambda item: _WIDE.get(item, item) if isinstance(item, torch.dtype) else item, (args, kwargs)
    )
    return wide
