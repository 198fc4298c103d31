"""``autograd-tour info``: what is installed, and which layout engine is used."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from autograd_tour.cli.common import TourCommand, answer
from autograd_tour.errors import TourError

__all__ = ["command"]

_PACKAGES = ("torch", "graphviz", "graphviz-pure", "click", "msgspec", "resvg-py", "torchviz", "typst")


@click.command(
    "info",
    cls=TourCommand,
    examples=(
        ("autograd-tour info", "for people, and for a bug report"),
        ("autograd-tour info --json", "for programs"),
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(as_json: bool) -> None:
    """Tell versions, the layout engines found, and which one is used and why."""
    facts = _facts()
    if as_json:
        answer(json.dumps(facts, indent=2))
        return
    width = 16
    for name, version in facts["versions"].items():
        answer(f"{name:<{width}}{version or 'not installed'}")
    answer(f"{'formulas of':<{width}}torch {facts['formulas'] or 'unknown'}")
    answer("\nlayout engines:")
    for engine in facts["engines"]:
        mark = "*" if engine["name"] == facts["engine"] else " "
        description = f"{engine['version']:<10}{engine['why']}" if engine["path"] else engine["why"]
        answer(f"{mark} {engine['name']:<{width - 2}}{description}")
        if engine["path"]:
            answer(f"  {'':<{width - 2}}{engine['path']}")
    answer(f"\n{facts['engine'] or 'none'} is used: {facts['reason']}")


def _facts() -> dict[str, Any]:
    from autograd_tour import __version__
    from autograd_tour.drawing.engine import available

    used, reason = _used()
    return {
        "versions": {
            "autograd-tour": __version__,
            "Python": f"{platform.python_version()} ({sys.executable})",
            **{name: _version(name) for name in _PACKAGES},
        },
        "formulas": _formulas_version(),
        "engine": used,
        "reason": reason,
        "engines": [
            {"name": engine.name, "path": engine.path, "version": engine.version, "why": engine.why}
            for engine in available()
        ],
    }


def _used() -> tuple[str | None, str]:
    """The engine that ``render`` takes without ``--engine``, and why; no engine is no error here."""
    from autograd_tour.drawing.engine import ENVIRONMENT, choose

    try:
        name, _ = choose()
    except TourError as error:
        return None, str(error)
    if os.environ.get(ENVIRONMENT):
        return name, f"the environment variable {ENVIRONMENT} names it"
    return name, "the first in the list that is there"


def _version(package: str) -> str | None:
    # Asked of the installer's records: importing torch to read its version takes a second.
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _formulas_version() -> str | None:
    path = Path(__file__).parents[1] / "rules" / "formulas.json"
    try:
        version = json.loads(path.read_bytes()).get("torch")
    except (OSError, ValueError, AttributeError):
        return None
    return version if isinstance(version, str) else None
