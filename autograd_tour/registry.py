"""Seams: a folder that knows its own files, and the entry points of third parties."""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
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
    for entry in _entry_points(package):
        try:
            for member in _several(entry.load()):
                objects.setdefault(member.name, member)
        except Exception as error:
            raise UsageError(
                f"the plugin {entry.name!r} ({entry.value}) cannot be loaded: {error}",
                f"Update or uninstall {entry.dist.name if entry.dist else 'the package it comes from'}",
            ) from error
    return dict(sorted(objects.items()))


def _entry_points(group: str) -> Iterable[Any]:
    """Those of all installed packages. To look for some of ours is quicker than the import that knows."""
    if not any(map(_has_ours, dict.fromkeys(sys.path))):
        return ()
    from importlib import metadata

    return metadata.entry_points(group=group)


@cache
def _has_ours(folder: str) -> bool:
    """Whether a package installed in ``folder`` has an entry point for us, or it cannot be looked into."""
    try:
        names = os.listdir(folder or ".")
    except FileNotFoundError:
        return False
    except OSError:
        return True  # an archive
    packages = (name for name in names if name.lower().endswith((".dist-info", "egg-info")))
    return any(_names_us(os.path.join(folder, name, "entry_points.txt")) for name in packages)


def _names_us(file: str) -> bool:
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            return "[autograd_tour" in lines.read()
    except OSError:
        return False


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
