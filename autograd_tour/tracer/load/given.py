"""Other numbers for the tensors of a program, by name: what ``--set w=2`` asks for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from autograd_tour.errors import UsageError
from autograd_tour.tracer.listen.arguments import flat
from autograd_tour.tracer.listen.frames import user_frame
from autograd_tour.tracer.listen.names import (
    assigned_names,
    is_module,
    is_numbered,
    isinstance_safe,
    namespaces_of,
)
from autograd_tour.tracer.load.models import Models, NamedParameter, named_in
from autograd_tour.tracer.load.program import close_matches

__all__ = ["Given", "read_values"]

Numbers = tuple[float, ...]
MOST_NAMES = 12


def read_values(words: Sequence[str]) -> dict[str, Numbers]:
    """``("w=2", "b=[0.5, 1]")`` as names and numbers.

    Raises:
        UsageError: a word is no ``NAME=NUMBERS``, something in it is no number, or a name comes twice.
    """
    values: dict[str, Numbers] = {}
    for word in words:
        name, sign, text = word.partition("=")
        parts = text.translate(str.maketrans("[](),;", "      ")).split()
        if not sign or not name.strip() or not parts:
            raise UsageError(
                f"--set {word[:60]} gives no tensor a number", "Write --set w=2 or --set 'w=1, 0.5'"
            )
        if name.strip() in values:
            raise UsageError(
                f"--set gives {name.strip()[:60]} numbers twice",
                "Leave one of them out: a tensor has one value",
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

    Tensors that were there before get theirs before anything is traced, and keep them; a parameter of a
    model that the program makes gets them when the model is first used.
    """

    def __init__(self, values: Mapping[str, Numbers]) -> None:
        self.values = dict(values)
        self.changed: set[str] = set()
        self.names: dict[str, None] = {}
        self._models = Models(_STOP)
        self._owners: dict[str, dict[str, int]] = {name: {} for name in values}

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
        if name in self.values:
            self._owners[name][name] = 0
            self._fill(name, tensor)

    def _fill(self, name: str, tensor: Tensor) -> None:
        numbers = self.values[name]
        if len(numbers) != tensor.numel():
            size = f"shape {tuple(tensor.shape)}" if tensor.dim() else "one number"
            fit = "1 number does not fit" if len(numbers) == 1 else f"{len(numbers)} numbers do not fit"
            need = "one number" if tensor.numel() == 1 else f"{tensor.numel()} numbers, row by row"
            raise UsageError(f"--set {name}: {fit}, it has {size}", f"Give it {need}")
        with torch._C.DisableTorchFunction(), torch.no_grad():
            tensor.data.copy_(torch.tensor(numbers, dtype=torch.float64).reshape(tensor.shape))
        self.changed.add(name)

    def use(self, parameters: Iterable[nn.Parameter], frame: FrameType) -> None:
        """Note that the program uses ``parameters`` in ``frame``: their models get their numbers now.

        Raises:
            UsageError: numbers do not fit, or a name may mean several parameters.
        """
        self._fill_models(self._models.met(parameters, frame))

    def _fill_models(self, parameters: Iterable[NamedParameter]) -> None:
        every = [item for item in parameters if not item.tensor.is_complex()]
        # Pictures call them so, too: `0.weight` would be misread.
        self.names |= dict.fromkeys(item.full if is_numbered(item.path) else item.path for item in every)
        for name, owners in self._owners.items():
            ranks = [(rank, item) for item in every if (rank := item.rank(name)) is not None]
            nearest = min([*owners.values(), *(rank for rank, _ in ranks)], default=0)
            chosen = [item for rank, item in ranks if rank == nearest]
            owners |= {item.full: nearest for item in chosen}
            several = sorted(full for full, rank in owners.items() if rank == nearest)
            if len(several) > 1:
                raise UsageError(
                    f"--set {name[:60]}: {len(several)} parameters are called so",
                    f"Write which: {', '.join(several[:MOST_NAMES])}",
                )
            for item in chosen:
                self._fill(name, item.tensor)

    def _there_already(self, program: Callable[[], object]) -> None:
        inner = inspect.unwrap(program)
        spaces = namespaces_of(inner)
        for space in spaces:
            for name, value in space.items():
                if isinstance(value, Tensor) and value.is_leaf:
                    self.put(name, value)
        if isinstance(inner, nn.Module):
            self._fill_models(named_in("", inner))
        for space in spaces[:-1]:  # of the other globals those that come into use
            for name, value in space.items():
                if is_module(value):
                    self._fill_models(named_in(name, value))

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
        frame = sys._getframe(1)
        if torch.is_grad_enabled() and not _initialises(func):
            parameters = [item for item in flat((args, kwargs or {})) if isinstance(item, nn.Parameter)]
            self._given.use(parameters, frame)
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not result.is_nested and result.is_leaf:
            names = assigned_names(frame, _STOP, None)
            if len(names) == 1 and not _is_of_a_module(result, frame):
                self._given.put(names[0], result)
        return result


def _initialises(func: Any) -> bool:
    """Whether a call makes a parameter, gives it its first numbers, or reads an attribute: that is no use."""
    name = getattr(func, "__name__", "")
    return name in ("__get__", "__set__", "_make_subclass") or name.rstrip("_") + "_" == name


def _is_of_a_module(result: Tensor, frame: FrameType) -> bool:
    """Whether a module is about to have ``result`` as a parameter: it gets its numbers with the model."""
    user = user_frame(frame, _STOP)
    owner = user.f_locals.get("self") if user is not None else None
    return isinstance(result, nn.Parameter) and isinstance_safe(owner, nn.Module)


_STOP = Given.around.__code__
