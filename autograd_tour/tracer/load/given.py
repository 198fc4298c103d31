"""Other numbers for the tensors of a program, by name: what ``--set w=2`` asks for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from autograd_tour.errors import UsageError
from autograd_tour.tracer.listen.names import assigned_names, is_numbered, namespaces_of
from autograd_tour.tracer.listen.run import modules_in_sight
from autograd_tour.tracer.load.program import close_matches

__all__ = ["Given", "read_values"]

Numbers = tuple[float, ...]
MOST_NAMES = 12


def read_values(words: Sequence[str]) -> dict[str, Numbers]:
    """``("w=2", "b=[0.5, 1]")`` as names and numbers.

    Raises:
        UsageError: a word is no ``NAME=NUMBERS``, or something in it is no number.
    """
    values: dict[str, Numbers] = {}
    for word in words:
        name, sign, text = word.partition("=")
        parts = text.translate(str.maketrans("[](),;", "      ")).split()
        if not sign or not name.strip() or not parts:
            raise UsageError(
                f"--set {word[:60]} gives no tensor a number", "Write --set w=2 or --set 'w=1, 0.5'"
            )
        try:
            values[name.strip()] = tuple(map(float, parts))
        except ValueError:
            wrong = next(part for part in parts if not _is_number(part))
            hint = "Numbers are written as in Python: 2, -0.5, 1e-3, inf, nan"
            raise UsageError(f"--set {name.strip()}: {wrong[:40]!r} is no number", hint) from None
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class Given:
    """Gives tensors other numbers as the program makes them: those that a variable is about to hold.

    Parameters of modules, and tensors that were there before, get theirs before anything is traced, and keep
    them.
    """

    def __init__(self, values: Mapping[str, Numbers]) -> None:
        self.values = dict(values)
        self.changed: set[str] = set()
        self.names: dict[str, None] = {}

    def around(self, program: Callable[[], object]) -> Callable[[], object]:
        """``program`` with these numbers.

        It raises :class:`~autograd_tour.errors.UsageError` where a name is not met, or numbers do not fit.

        Raises:
            UsageError: numbers do not fit a tensor that is there already.
        """
        if not self.values:
            return program
        self._there_already(program)

        def moved() -> object:
            with self.making():
                result = program()
            self._check()
            return result

        return update_wrapper(moved, inspect.unwrap(program), assigned=("__name__", "__doc__"), updated=())

    @contextmanager
    def making(self) -> Iterator[None]:
        """While a file is loaded, or a program runs."""
        if not self.values:
            yield
            return
        with _Making(self):
            yield

    def put(self, name: str, tensor: Tensor) -> None:
        """Note that ``tensor`` is called ``name``, and give it its numbers if there are some for it."""
        if not name or tensor.is_complex() or tensor.layout != torch.strided:
            return
        self.names[name] = None
        numbers = self.values.get(name)
        if numbers is None:
            return
        if len(numbers) != tensor.numel():
            size = f"shape {tuple(tensor.shape)}" if tensor.dim() else "one number"
            raise UsageError(
                f"--set {name}: {len(numbers)} numbers do not fit, it has {size}",
                f"Give it {tensor.numel()} of them, row by row",
            )
        with torch._C.DisableTorchFunction(), torch.no_grad():
            tensor.data.copy_(torch.tensor(numbers, dtype=torch.float64).reshape(tensor.shape))
        self.changed.add(name)

    def _there_already(self, program: Callable[[], object]) -> None:
        inner = inspect.unwrap(program)
        for module in modules_in_sight(inner, ()):
            for name, parameter in module.named_parameters():
                self.put(name, parameter)
        for space in namespaces_of(inner):
            for name, value in space.items():
                if isinstance(value, Tensor) and value.is_leaf:
                    self.put(name, value)
                elif issubclass(type(value), nn.Module):
                    for path, parameter in value.named_parameters():
                        if is_numbered(path):  # this is how pictures call it
                            self.put(f"{name}.{path}", parameter)

    def _check(self) -> None:
        for name in self.values:
            if name not in self.changed:
                names = sorted(self.names)
                more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
                can = (
                    f"These can be set: {', '.join(names[:MOST_NAMES])}{more}" if names else "There are none"
                )
                raise UsageError(
                    f"--set {name[:60]}: no tensor that can be set has that name",
                    close_matches(name, names) + can,
                )


class _Making(TorchFunctionMode):
    """Hears what torch makes, and which variable it goes to."""

    def __init__(self, given: Given) -> None:
        super().__init__()
        self._given = given

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not result.is_nested and result.is_leaf:
            names = assigned_names(sys._getframe(1), _STOP, None)
            if len(names) == 1:
                self._given.put(names[0], result)
        return result


_STOP = Given.around.__code__
