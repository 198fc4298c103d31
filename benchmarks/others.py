"""``python -m benchmarks.others``: what other tools show of one program, and what they do not.

Each tool draws the same program, in a process of its own. What is in the pictures is read off
them, and `docs/peers.md` has the table. A tool that cannot be installed has a row that says so.
"""

from __future__ import annotations

import html
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["DEEP", "FACTS", "TOOLS", "Net", "drawn", "main", "page", "row"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "peers.md"
DEEP = 3_000
SECONDS = 120


class Net(torch.nn.Module):
    """The program: a layer, a gate, a tensor that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.fc(x))
        return (hidden * hidden).mean()


class Chain(torch.nn.Module):
    """So many operations, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.w * x
        for _ in range(DEEP):
            y = y + 1
        return y.sum()


def _program(deep: bool) -> tuple[torch.nn.Module, Tensor]:
    torch.manual_seed(0)
    return (Chain(), torch.ones(1)) if deep else (Net(), torch.randn(2, 3))


def _autograd_tour(model: torch.nn.Module, x: Tensor, folder: Path) -> None:
    import autograd_tour as tour

    tour.save(tour.trace(model, x), folder / "graph.svg")


def _torchviz(model: torch.nn.Module, x: Tensor, folder: Path) -> None:
    from torchviz import make_dot  # type: ignore[import-untyped, unused-ignore]

    graph = make_dot(model(x), dict(model.named_parameters()), show_attrs=True, show_saved=True)
    graph.render(folder / "graph", format="svg", cleanup=True)


def _torchview(model: torch.nn.Module, x: Tensor, folder: Path) -> None:
    from torchview import draw_graph  # type: ignore[import-not-found, unused-ignore]

    graph = draw_graph(model, input_data=x, expand_nested=True, save_graph=False).visual_graph
    graph.render(folder / "graph", format="svg", cleanup=True)


def _torchlens(model: torch.nn.Module, x: Tensor, folder: Path) -> None:
    import torchlens  # type: ignore[import-not-found, unused-ignore]

    options = torchlens.options.CaptureOptions(save_grads="all")
    trace = torchlens.trace(model, x, capture=options)
    trace.log_backward(trace[trace.output_layers[0]].out)
    shared = {"vis_save_only": True, "vis_fileformat": "svg"}
    trace.draw(vis_outpath=str(folder / "forward"), **shared)
    trace.draw_backward(vis_outpath=str(folder / "backward"), **shared)


TOOLS: dict[str, Callable[[torch.nn.Module, Tensor, Path], None]] = {
    "autograd-tour": _autograd_tour,
    "torchviz": _torchviz,
    "torchview": _torchview,
    "torchlens": _torchlens,
}


class Drawn(NamedTuple):
    """What a tool wrote: its pictures, and what failed in whose place."""

    pictures: tuple[str, ...]
    error: str


def drawn(tool: str, *, deep: bool = False, path: str | None = None) -> Drawn:
    """The pictures of a tool, made in a process of its own; ``path`` is what it finds programs on."""
    with tempfile.TemporaryDirectory(prefix="autograd-tour-others-") as folder:
        words = [
            sys.executable,
            "-m",
            "benchmarks.others",
            "--draw",
            tool,
            folder,
            *(["deep"] if deep else []),
        ]
        environment = os.environ | ({} if path is None else {"PATH": path})
        try:
            done = subprocess.run(
                words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return Drawn((), f"more than {SECONDS} s")
        pictures = tuple(path.read_text(encoding="utf-8") for path in sorted(Path(folder).rglob("*.svg")))
        lines = done.stderr.strip().splitlines() or ["nothing written"]
        error = "" if done.returncode == 0 and pictures else lines[-1].partition(":")[0].rpartition(".")[2]
        return Drawn(pictures, error)


def _texts(picture: str) -> str:
    return html.unescape(
        re.sub(r"<[^>]+>", "\n", re.sub(r"<(title|desc|style)\b.*?</\1>", "", picture, flags=re.DOTALL))
    )


def _numbers() -> tuple[str, str]:
    """The loss, and what arrives at ``hidden``, to three digits as anybody prints them."""
    model, x = _program(deep=False)
    hidden = torch.relu(model.fc(x)).detach().requires_grad_()  # type: ignore[operator]
    loss = (hidden * hidden).mean()
    (gradient,) = torch.autograd.grad(loss, hidden)
    return f"{loss.item():.6f}"[:5], f"{gradient.abs().max().item():.6f}"[:5]


LOSS, GRADIENT = _numbers()
LINE = next(
    number
    for number, text in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), start=1)
    if "hidden = torch.relu(self.fc(x))" in text
)

FACTS: dict[str, Callable[[str, str], bool]] = {
    "the nodes of backward": lambda text, _: bool(re.search(r"ReluBackward|relu_back", text)),
    "the operations of forward": lambda text, _: bool(re.search(r"\brelu(?!_back)", text)),
    "values on the way forward (the loss)": lambda text, _: LOSS in text,
    "gradients on the way back (at `hidden`)": lambda text, _: GRADIENT in text,
    "names of parameters": lambda text, _: bool(re.search(r"\bweight\b", text)),
    "names of variables": lambda text, _: bool(re.search(r"\bhidden\b", text)),
    "file and line of each operation": lambda text, _: f"others.py:{LINE}" in text,
    "what a gradient is multiplied by": lambda text, _: "1[" in text or "> 0" in text,
    "shapes": lambda text, _: bool(re.search(r"2, ?2|2\s*[x×]\s*2", text)),
    "saved tensors": lambda text, _: bool(re.search(r"\bsaved\b|\bself\b", text)),
    "a description for screen readers": lambda _, whole: "<desc" in whole or "aria-label" in whole,
    "colours of a dark page": lambda _, whole: "prefers-color-scheme" in whole,
}
"""What is looked for: in the texts of all pictures of a tool, and in their whole source."""


def _installed(tool: str) -> str:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return ""


def row(tool: str) -> dict[str, str]:
    """All that is found of one tool, fact by fact."""
    first = drawn(tool)
    if first.error:
        return dict.fromkeys(FACTS, f"failed: {first.error}")
    text, whole = "\n".join(map(_texts, first.pictures)), "\n".join(first.pictures)
    cells = {name: "yes" if holds(text, whole) else "no" for name, holds in FACTS.items()}
    cells["the same bytes in two processes"] = "yes" if drawn(tool).pictures == first.pictures else "no"
    bare = drawn(tool, path=str(Path(sys.executable).parent))
    cells["draws without Graphviz on the system"] = "no" if bare.error else "yes"
    deep = drawn(tool, deep=True)
    cells[f"a chain of {DEEP:,} operations"] = f"no: {deep.error}" if deep.error else "yes"
    scripts = importlib.metadata.distribution(tool).entry_points.select(group="console_scripts")
    cells["a command"] = "yes" if list(scripts) else "no"
    return cells


def page(rows: dict[str, dict[str, str]]) -> str:
    """The table, a column for each tool."""
    heads = [f"{tool} {_installed(tool)}".strip() for tool in TOOLS]
    names = next(iter(rows.values())).keys()
    lines = [
        "# What others show, and what they do not",
        "",
        "`make others` draws one program with each tool, reads off the pictures what is in them, and writes",
        "this page:",
        "",
        "```{literalinclude} ../benchmarks/others.py",
        ":pyobject: Net",
        "```",
        "",
        f"| in the pictures | {' | '.join(heads)} |",
        f"|---|{'---|' * len(TOOLS)}",
    ]
    for name in names:
        cells = [rows[tool].get(name, "") if tool in rows else "not installed" for tool in TOOLS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        f"The loss is {LOSS}…, the largest gradient at `hidden` {GRADIENT}…: they count as shown where a",
        "picture has these digits. torchviz draws with attributes and saved tensors, torchview with nested",
        "modules, torchlens forward and backward as it does by itself, with gradients recorded; it has",
        "values, gradients and lines in its Python objects, and knows much of a model that is no matter of",
        "autograd.",
        f"A drawing may take {SECONDS} s. What the tools are best at is not in this table: torchviz is the",
        "shortest way to the structure of a graph, torchview to that of a module.",
    ]
    return "\n".join(lines) + "\n"


def _draw(tool: str, folder: str, deep: Any = False) -> None:
    warnings.simplefilter("ignore")
    model, x = _program(bool(deep))
    TOOLS[tool](model, x, Path(folder))


def main(arguments: list[str]) -> int:
    """Draw as a child, or else measure all that is installed and write the page."""
    if arguments[:1] == ["--draw"]:
        _draw(*arguments[1:])
        return 0
    PAGE.write_text(page({tool: row(tool) for tool in TOOLS if _installed(tool)}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
