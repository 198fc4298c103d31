"""What an optimizer is set to, as far as it is numbers: ``lr`` and others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.record.facts import Number

__all__ = ["settings_of"]

_SETTINGS = ("lr", "momentum", "weight_decay", "betas", "alpha", "eps", "nesterov", "maximize")


def settings_of(optimizer: Optimizer) -> tuple[tuple[str, Number], ...]:
    """Its settings as far as they are numbers; where groups of parameters differ, that of each group."""
    by_group = [dict(_numbers(group)) for group in optimizer.param_groups]
    settings: list[tuple[str, Number]] = []
    for name in dict.fromkeys(name for numbers in by_group for name in numbers):
        values = [numbers.get(name) for numbers in by_group]
        if all(value == values[0] for value in values):
            settings.append((name, values[0] or 0))
        else:
            settings += [
                (f"{name} of group {n}", value) for n, value in enumerate(values, 1) if value is not None
            ]
    return tuple(settings)


def _numbers(group: dict[str, Any]) -> Iterator[tuple[str, Number]]:
    for name in _SETTINGS:
        value = group.get(name)
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, tuple):
            numbers = enumerate(value)  # Adafactor's first eps is None
            yield from ((f"{name}[{n}]", float(item)) for n, item in numbers if item is not None)
        elif isinstance(value, bool):
            if value:
                yield name, value
        elif isinstance(value, int | float) and (value or name == "lr"):
            yield name, value
