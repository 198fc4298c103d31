"""Where variables lead: to a tensor itself, or to one in a list, a dict or an object that they hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from types import ModuleType
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer

from autograd_tour.tracer.listen.owned import MANY, items_of, named_parameters_of, unregistered_leaves_of

__all__ = [
    "Patience",
    "at_path",
    "fields_of",
    "is_leaf",
    "leaves_in",
    "parameter_at",
    "path_to",
    "paths_to",
    "places_of_parameters",
]

MOST = 4 * MANY * MANY
"""Most of all that one variable holds."""

_STEP = re.compile(r"\[(-?\d+|'[^']*'|\"[^\"]*\")\]|\.([^\W\d]\w*)")
_NAME = re.compile(r"[^\W\d]\w*")


class Patience:
    """How many items are still looked at deep inside of what variables hold."""

    def __init__(self, most: int) -> None:
        self.left = most

    def counted(self, items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """``items``, each of which costs one."""
        for item in items:
            self.left -= 1
            yield item


def path_to(
    thing: object, space: Mapping[str, Any], *, deep: bool = False, patience: Patience | None = None
) -> str:
    """The first variable of ``space`` that leads to ``thing``: ``w``, ``layers[0]``; ``""`` if none does.

    ``deep``: also ``layers[0]['w']``, ``net.w`` and ``net.layers[0]['w']``, as long as there is ``patience``.
    No code of what they hold is run.
    """
    deep = deep and (patience is None or patience.left > 0)
    for name, value in list(space.items()):
        if _is_private(name):
            continue
        if value is thing:
            return name
        steps = _inside(value) if deep else items_of(value)
        if deep and patience is not None:
            steps = patience.counted(steps)
        path = next((step for step, item in steps if item is thing), None)
        if path is not None:
            return name + path
    return ""


def paths_to(things: Iterable[object], space: Mapping[str, Any]) -> dict[int, str]:
    """``id`` of each of ``things`` -> what a deep ``path_to`` gives, of those that ``space`` leads to."""
    wanted = set(map(id, things))
    paths: dict[int, str] = {}
    for name, value in list(space.items()) if wanted else ():
        if _is_private(name):
            continue
        for step, item in chain([("", value)], _inside(value)):
            if id(item) in wanted:
                paths.setdefault(id(item), name + step)
    return paths


def _is_private(name: str) -> bool:
    return name.startswith("_") and (name.strip("_") == "" or name == "__builtins__")


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """What a collection or an object holds, and what collections in it hold, two steps further."""
    yield from islice(_deeper("", [*items_of(value), *_attributes(value)], 2), MOST)


def _deeper(path: str, items: Iterable[tuple[str, Any]], further: int) -> Iterator[tuple[str, Any]]:
    for step, item in items:
        yield path + step, item
        if further:
            yield from _deeper(path + step, items_of(item), further - 1)


def is_leaf(value: Any) -> bool:
    """Whether it is a tensor that no operation made. torch refuses to say it of some views."""
    try:
        return issubclass(type(value), Tensor) and value.grad_fn is None
    except RuntimeError:
        return False


def leaves_in(space: Mapping[str, Any]) -> Iterator[Tensor]:
    """The leaves that variables of ``space`` lead to, not those of modules."""
    for value in list(space.values()):
        yield from (item for item in (value, *(inner for _, inner in _inside(value))) if is_leaf(item))


class Place(NamedTuple):
    """Where a parameter is: the path of a module that a variable leads to, and that in the module."""

    parameter: Tensor
    module: str
    path: str


def places_of_parameters(space: Mapping[str, Any]) -> dict[int, Place]:
    """``id`` of each parameter of a module in ``space``, or leaf in a plain attribute of one -> its place."""
    places: dict[int, Place] = {}
    for name, value in list(space.items()):
        for path, module in _modules_at(name, value):
            for inner, parameter in (*named_parameters_of(module), *unregistered_leaves_of(module)):
                places.setdefault(id(parameter), Place(parameter, path, inner))
    return places


def _modules_at(name: str, value: Any) -> Iterator[tuple[str, nn.Module]]:
    """The modules that a variable leads to, also in a list, dict or object, or in one of these in such."""
    further: list[tuple[str, Any]] = []
    for step, item in (("", value), *items_of(value), *_attributes(value)):
        if issubclass(type(item), nn.Module):
            if "_modules" in vars(item):
                yield name + step, item
        elif step:
            further.append((name + step, item))
    for path, outer in further:
        for step, item in (*items_of(outer), *_attributes(outer)):
            if issubclass(type(item), nn.Module) and "_modules" in vars(item):
                yield path + step, item


def parameter_at(module: Any, path: str) -> Any:
    """What ``module`` has at ``path``, ``None`` if it has nothing there."""
    registered = _registered_at(module, path)
    if registered is None and issubclass(type(module), nn.Module) and "_modules" in vars(module):
        return dict(unregistered_leaves_of(module)).get(path)
    return registered


def _registered_at(module: Any, path: str) -> Any:
    *steps, last = path.split(".")
    for step in (*steps, ""):
        if not issubclass(type(module), nn.Module) or "_modules" not in vars(module):
            return None
        if step:
            module = module._modules.get(step)
    return module._parameters.get(last)


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    return [(f".{key}", item) for key, item in list((fields_of(value) or {}).items())]


def fields_of(value: Any) -> dict[str, Any] | None:
    """The attributes of a plain object, no module, optimizer or tensor.

    A proxy would compute its ``__dict__``.
    """
    if issubclass(type(value), (nn.Module, Optimizer, Tensor, ModuleType, type, list, tuple, dict, str)):
        return None
    try:
        fields = object.__getattribute__(value, "__dict__")
    except Exception:
        return None
    return fields if type(fields) is dict and len(fields) <= MANY else None


def at_path(path: str, space: Mapping[str, Any]) -> Any:
    """What ``path`` leads to in ``space``; ``None`` if it leads nowhere."""
    name = _NAME.match(path)
    if name is None or name.group() not in space:
        return None
    return _followed(space[name.group()], path[name.end() :])


def _followed(value: Any, steps: str) -> Any:
    while steps:
        step = _STEP.match(steps)
        if step is None:
            return None
        places = dict(_attributes(value) if step.group(2) else items_of(value))
        key = f".{step.group(2)}" if step.group(2) else f"[{ast.literal_eval(step.group(1))!r}]"
        if key not in places:
            return None
        value, steps = places[key], steps[step.end() :]
    return value
