"""Seams: a folder that knows its own files, and the entry points of third parties."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module, metadata
from typing import Any

from autograd_tour.errors import UsageError, suggestion

__all__ = ["pick", "scan"]


@cache
def scan(package: str, attribute: str) -> Mapping[str, Any]:
    """Name -> object, for every module of ``package`` that has an object called ``attribute``.

    A tuple stands for several. Third parties add theirs as entry points of the group named like
    the package; ours win where a name is taken.

    Raises:
        UsageError: an entry point cannot be loaded, or what it loads has no name.
    """
    objects: dict[str, Any] = {}
    for module in pkgutil.iter_modules(import_module(package).__path__, package + "."):
        item = getattr(import_module(module.name), attribute, ())
        objects |= {member.name: member for member in _several(item)}
    for entry in _entry_points().select(group=package):
        try:
            for member in _several(entry.load()):
                objects.setdefault(member.name, member)
        except Exception as error:
            raise UsageError(
                f"the plugin {entry.name!r} ({entry.value}) cannot be loaded: {error}",
                f"Update or uninstall {entry.dist.name if entry.dist else 'the package it comes from'}",
            ) from error
    return dict(sorted(objects.items()))


@cache
def _entry_points() -> Any:
    """Those of all installed packages, each of which has to be looked into."""
    return metadata.entry_points()


def _several(item: Any) -> tuple[Any, ...]:
    return item if isinstance(item, tuple) else (item,)


def pick(kind: str, name: str, choices: Iterable[str]) -> str:
    """``name`` if it is one of ``choices``.

    Raises:
        UsageError: it is not; the message has all of them and the closest.
    """
    names = sorted(choices)
    if name in names:
        return name
    raise UsageError(f"unknown {kind} {name[:60]!r}", suggestion(name, names))
