"""Small samples of torch's operators: its own test inputs, cropped, rounded, and written as code."""

from __future__ import annotations

import itertools
import random
import sys
import types
import unittest
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["LETTERS", "Sample", "sample_of"]

LETTERS = ("x", "w", "v", "u")
"""What tensors with a gradient are called, in their order."""
MOST = 12
"""Elements of a tensor that a page can show."""
METHODS = {"expand", "where"}
"""Operators that torch's list calls with the tensor first, which only the method of that name takes so."""


class Sample(NamedTuple):
    """``code`` makes the leaves and then ``y``; ``function`` is the same from ``leaves`` to ``y``."""

    code: str
    function: Callable[..., Tensor]
    leaves: tuple[Tensor, ...]
    call: str


@cache
def operators() -> dict[str, Any]:
    """Torch's list of operators by name, the plain form of each."""
    if "expecttest" not in sys.modules:  # torch's list wants it for its own tests only
        stand_in = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]
        stand_in.assert_expected_inline = None  # type: ignore[attr-defined]
        sys.modules["expecttest"] = stand_in
    from torch.testing._internal.common_methods_invocations import op_db

    chosen = {}
    for op in op_db:
        if op.supports_autograd and torch.float64 in op.dtypes:
            chosen.setdefault(op.name, op)
    return chosen


def sample_of(name: str) -> Sample:
    """The first sample of an operator that is small and that gradcheck finds right.

    Raises:
        LookupError: there is none.
    """
    op = operators()[name]
    torch.manual_seed(0)
    random.seed(0)
    drawn = list(itertools.islice(op.sample_inputs_func(op, "cpu", torch.float64, requires_grad=True), 40))
    for plain, crop, digits in itertools.product((True, False), CROPS, (2, 5)):
        for given in drawn:
            written = _written(name, given, crop, digits)
            if written is not None and _holds(written, plain):
                return written
    raise LookupError(f"torch has no small sample of {name}")


def _row(tensors: list[Tensor]) -> list[Tensor]:
    """Of a single tensor the first row."""
    return [item.flatten()[:3] for item in tensors] if len(tensors) == 1 else tensors


def _corner(*extents: int) -> Callable[[list[Tensor]], list[Tensor]]:
    """The leading elements, as many as ``extents`` has for the last dimensions, and one of those before."""

    def crop(tensors: list[Tensor]) -> list[Tensor]:
        cropped = []
        for item in tensors:
            sizes = (
                *(1,) * (item.dim() - len(extents)),
                *extents[len(extents) - min(item.dim(), len(extents)) :],
            )
            part = item[tuple(slice(size) for size in sizes)]
            # An index that points beyond what is left is folded into it.
            cropped.append(part.remainder(max(sizes, default=1)) if part.dtype == torch.int64 else part)
        return cropped

    return crop


CROPS = (_row, _corner(3, 3), _corner(2, 2, 2), _corner(99, 99, 99))
"""How samples are made small, in the order in which that is tried."""


def _mapped(value: Any, small: dict[int, Tensor]) -> Any:
    """``value`` with small tensors in place of its own."""
    if isinstance(value, Tensor):
        return small[id(value)]
    if isinstance(value, list | tuple):
        return type(value)(_mapped(item, small) for item in value)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _written(name: str, given: Any, crop: Callable[..., list[Tensor]], digits: int) -> Sample | None:
    """One sample as code, ``None`` if it is none for a page."""
    whole = [given.input, *given.args, *given.kwargs.values()]
    tensors = [item.detach() for item in crop(list(_tensors(whole)))]
    tensors = [item.round(decimals=digits) if item.is_floating_point() else item for item in tensors]
    values = _mapped(whole, {id(old): new for old, new in zip(_tensors(whole), tensors, strict=True)})
    if tensors[0].numel() < 2 or any(not 0 < item.numel() <= MOST for item in tensors):
        return None
    leaves = [item for item in tensors if item.is_floating_point()]
    if len(leaves) > len(LETTERS) or len(tensors) - len(leaves) > 1:
        return None
    names = {id(item): letter for item, letter in zip(leaves, LETTERS, strict=False)}
    names |= {
        id(item): "mask" if item.dtype == torch.bool else "index" for item in tensors if id(item) not in names
    }
    lines = [f"{names[id(item)]} = {_literal(item)}" for item in tensors]
    line = _call(name, [_text(value, names) for value in values], list(given.kwargs))
    others = {names[id(item)]: item for item in tensors if not item.is_floating_point()}
    function = _function(line, [names[id(item)] for item in leaves], others)
    return Sample("\n".join([*lines, f"y = {line}"]), function, tuple(leaves), line.partition("(")[0])


def _call(name: str, texts: list[str], keys: list[str]) -> str:
    first = len(texts) - len(keys)
    words = [*texts[:first], *(f"{key}={text}" for key, text in zip(keys, texts[first:], strict=True))]
    if name in METHODS:
        return f"{words[0]}.{name}({', '.join(words[1:])})"
    place = "F" if name.startswith("nn.functional.") else "torch"
    return f"{place}.{name.removeprefix('nn.functional.')}({', '.join(words)})"


def _function(line: str, letters: list[str], others: dict[str, Tensor]) -> Callable[..., Any]:
    def function(*leaves: Tensor) -> Any:
        names = dict(zip(letters, leaves, strict=True))
        return eval(line, {"torch": torch, "F": F, **others, **names})  # noqa: S307 - written above

    return function


def _literal(item: Tensor) -> str:
    if item.is_floating_point():
        return f"torch.tensor({item.tolist()}, dtype=torch.float64, requires_grad=True)"
    return f"torch.tensor({item.tolist()})"


def _text(value: Any, names: dict[int, str]) -> str:
    if isinstance(value, Tensor):
        return names[id(value)]
    if isinstance(value, list | tuple):
        inner = ", ".join(_text(item, names) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    return repr(value)


def _holds(sample: Sample, plain: bool) -> bool:
    """Whether ``sample`` runs, has a finite result of a few elements, and gradients as gradcheck finds them.

    ``plain``: its result is one tensor.
    """
    leaves = [leaf.clone().requires_grad_() for leaf in sample.leaves]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            y = sample.function(*leaves)
            if plain and not isinstance(y, Tensor):
                return False
            first = y if isinstance(y, Tensor) else y[0]
            small = 0 < first.numel() <= MOST and bool(first.isfinite().all())
            return small and torch.autograd.gradcheck(sample.function, leaves, raise_exception=False)
        except (RuntimeError, IndexError, TypeError, ValueError):
            return False
