"""The command with small stand-ins for the rooms behind it: quick, and no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autograd_tour import formats, lessons, views
from autograd_tour.cli.group import cli
from autograd_tour.record import codec
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views.look import ALL, Look

Run = Callable[..., Result]


@dataclass(frozen=True)
class Settings:
    formats: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    theme: str = "auto"
    direction: str = "auto"
    engine: str | None = None
    calls: int = 4
    keep: int | None = 16
    ceiling: float = 256
    timeout: float = 60.0
    fold: bool = True
    depth: int | None = None
    focus: str | None = None
    scale: float = 2.0
    room: object = None
    look: Look = ALL
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lesson:
    name: str
    summary: str = "A lesson."

    def files(self, settings: Settings) -> dict[str, str | bytes]:
        print(f"{self.name} prints")
        return drawn(self.name, settings)


def drawn(name: str, settings: Settings) -> dict[str, str | bytes]:
    """One file per format and view, with the settings as content."""
    files: dict[str, str | bytes] = {}
    for form in settings.formats or ("svg", "txt"):
        for view in settings.views or ("graph", "chain"):
            files[f"{name}-{view}.{form}"] = f"{settings}\n"
    return files


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder, with stand-ins for lessons, formats and views."""
    monkeypatch.chdir(tmp_path)
    known = {name: Lesson(name) for name in ("thermometer", "thermometer-params", "training")}
    monkeypatch.setattr(lessons, "registry", lambda: known, raising=False)
    monkeypatch.setattr(formats, "Settings", Settings, raising=False)
    monkeypatch.setattr(
        views,
        "registry",
        lambda: dict.fromkeys(("graph", "chain", "torchviz", "accumulation")),
        raising=False,
    )

    def traced(program: Callable[[], object], settings: Settings, *, ledger: bool = True) -> Any:
        program()
        return Trace()

    def files_of_trace(name: str, trace: Trace, settings: Settings) -> Any:
        return drawn(name, settings)

    for place, function in (("lessons", traced), ("formats", files_of_trace)):
        module = ModuleType(f"autograd_tour.{place}.produce")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def run(*words: str, **keywords: Any) -> Result:
        return CliRunner().invoke(cli, list(words), prog_name="autograd-tour", **keywords)

    return run


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A saved trace of one node."""
    path = tmp_path / "saved.json"
    path.write_text(codec.dumps(Graph(nodes=(Node("n0", "leaf", op="w"),))))
    return path
