"""Parameters of a module, also of one whose own ``parameters()`` raises: the program may never call it.

And what looks like them: leaves and modules in plain attributes, lists and dicts, which torch registers not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import Tensor, nn

__all__ = [
    "FIELDS_OF_MODULES",
    "MANY",
    "items_of",
    "leaves_of",
    "named_modules_of",
    "named_parameters_of",
    "parameters_of",
    "unregistered_leaves_of",
]

FIELDS_OF_MODULES = frozenset(vars(nn.Module()))
"""The attributes that every module has."""

MANY = 64
"""Most items of a collection, or attributes of an object, that are searched."""


def named_parameters_of(module: nn.Module, *, recurse: bool = True) -> list[tuple[str, nn.Parameter]]:
    """(path, parameter) of each of them, as ``module`` itself says, or else as torch has registered it."""
    try:
        return list(module.named_parameters(recurse=recurse))
    except Exception:
        return list(nn.Module.named_parameters(module, recurse=recurse))


def parameters_of(module: nn.Module) -> list[nn.Parameter]:
    """The same without paths."""
    try:
        return list(module.parameters())
    except Exception:
        return [parameter for _, parameter in nn.Module.named_parameters(module)]


def named_modules_of(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """(path, part) of ``module`` and all in it; ``layers[0]`` of a list that torch does not look into.

    What is registered comes first.
    """
    registered = list(module.named_modules())
    return [*registered, *_unregistered(registered)]


def unregistered_leaves_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """(path, leaf) of each tensor that wants a gradient and is in a plain attribute or a list or dict of one.

    So are the parameters of modules that are there. No code of theirs is run.
    """
    registered = list(nn.Module.named_modules(module))
    strangers = _unregistered(registered)
    for path, part in chain(registered, strangers):
        for step, item in _plainly_held(part):
            if issubclass(type(item), Tensor) and item.requires_grad and item.is_leaf:
                yield _joined(path, step), item
    for path, part in strangers:
        for name, parameter in part._parameters.items():
            if parameter is not None:
                yield _joined(path, name), parameter


def leaves_of(module: nn.Module) -> list[Tensor]:
    """The parameters of ``module``, and what looks like them."""
    return [*parameters_of(module), *(leaf for _, leaf in unregistered_leaves_of(module))]


def _unregistered(registered: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """(path, module) of those that only plain attributes of ``registered`` ones lead to, and their parts."""
    parts = list(registered)
    seen = {id(part) for _, part in parts}
    for path, part in parts:  # which grows meanwhile
        for step, item in _plainly_held(part):
            if issubclass(type(item), nn.Module) and "_modules" in vars(item):
                inside = nn.Module.named_modules(item, prefix=_joined(path, step))
                fresh = [(name, child) for name, child in inside if id(child) not in seen]
                seen.update(id(child) for _, child in fresh)
                parts += fresh
    return parts[len(registered) :]


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step


def _plainly_held(module: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        if name not in FIELDS_OF_MODULES:
            yield name, value
            yield from ((name + step, item) for step, item in items_of(value))


def items_of(value: Any) -> Iterator[tuple[str, Any]]:
    """(step, item) of a small list, tuple or dict: ``[0]``, ``['w']``; nothing of anything else."""
    kind = type(value)
    if issubclass(kind, (list, tuple)):
        if len(value) <= MANY:
            yield from ((f"[{i}]", item) for i, item in enumerate(value))
    elif kind is dict and len(value) <= MANY:
        plain = ((key, item) for key, item in list(value.items()) if type(key) in (str, int))
        yield from ((f"[{key!r}]", item) for key, item in plain)
