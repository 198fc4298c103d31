"""The rows of the table: what is compared with what, and how much it may cost at most."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.configured import CONFIGURED
from benchmarks.measure import BenchmarkError, Cost, alternate, middle, run_command, run_job
from benchmarks.peers import has

__all__ = ["ROWS", "Bench", "Result", "Row", "Runs", "measure", "prepare"]

Unit = Literal["ratio", "MB", "s", "peak"]
Side = Callable[["Bench"], list[Cost]]
"""Gives one cost, or ours and the peer's where one process measures both."""
Runs = dict[tuple[Side, Side | None], tuple[list[Cost], list[Cost]]]

_PEER_PICTURE = """
import subprocess, torchviz
from benchmarks.models import thermometer_loss
from benchmarks.peers import dot_program
loss, names = thermometer_loss()
with open("peer.dot", "w") as file:
    file.write(torchviz.make_dot(loss, names).source)
subprocess.run([dot_program(), "-Tsvg", "peer.dot", "-o", "peer.svg"], check=True)
"""
_LOADS_TORCH = """
import sys
from autograd_tour.cli import main
sys.argv[1:] = {!r}
try:
    main()
except SystemExit as end:
    sys.exit(33 if "torch" in sys.modules else end.code)
"""


@dataclass(frozen=True)
class Bench:
    """Where files go, how often each side runs, and whether everything is tiny."""

    folder: Path
    rounds: int = 3
    tiny: bool = False


@dataclass(frozen=True)
class Row:
    """One comparison.

    ``unit``: the ``ratio`` of CPU seconds; ``MB`` more at the peak than the peer; or what is not held
    against the peer, elapsed seconds (``s``) and ``peak`` memory in MB. Without a limit (``at_most`` is
    ``None``) it is information. ``needs`` is a package without which the row is skipped.
    """

    key: str
    what: str
    peer_name: str
    at_most: float | None
    ours: Side
    peer: Side | None = None
    unit: Unit = "ratio"
    needs: str = ""
    check: Callable[[Bench], str] | None = None


@dataclass(frozen=True)
class Result:
    """A row as measured: two costs in the row's unit, and the number that the limit is about."""

    row: Row
    ours: float | None = None
    peer: float | None = None
    value: float | None = None
    spread: tuple[float, float] | None = None
    remark: str = ""

    @property
    def ok(self) -> bool:
        """Whether the limit holds, if there is one."""
        limit = self.row.at_most
        return self.value is not None and (limit is None or self.value <= limit) and not self.remark


def job(name: str) -> Side:
    """One job of :mod:`benchmarks.jobs`."""
    return lambda bench: run_job([name, ".", *(["--tiny"] if bench.tiny else [])], bench.folder)


def python(*words: str) -> Side:
    """A whole Python process."""
    return lambda bench: [run_command([sys.executable, *words], bench.folder)]


def without_torch(*words: str) -> Callable[[Bench], str]:
    """What is wrong if our command with these words loads torch, ``""`` if it does not."""

    def check(bench: Bench) -> str:
        try:
            run_command([sys.executable, "-c", _LOADS_TORCH.format(list(words))], bench.folder)
        except BenchmarkError as error:
            return "loads torch" if "ended with 33" in str(error) else str(error)
        return ""

    return check


_OURS = ("-m", "autograd_tour")
_IMPORT = python("-c", "import torch")
_THERMOMETER = ("render", "thermometer", "-q", "-o")
_SAVED = ("render", "made/thermometer.json", "-q", "-o", "saved")
_LONG = job("long_chain")
_WALKED = job("walked_chain")

ROWS: tuple[Row, ...] = (
    Row(
        "help",
        "`autograd-tour --help`",
        "`import torch`",
        0.25,
        python(*_OURS, "--help"),
        _IMPORT,
        check=without_torch("--help"),
    ),
    Row(
        "saved",
        "`autograd-tour render saved.json`",
        "`import torch`",
        0.15,
        python(*_OURS, *_SAVED),
        _IMPORT,
        check=without_torch(*_SAVED),
    ),
    Row(
        "thermometer",
        "`autograd-tour render`: the thermometer as three SVGs, report and JSON",
        "a script with torchviz and `dot -Tsvg`",
        1.05,
        python(*_OURS, *_THERMOMETER, "rendered"),
        python("-c", _PEER_PICTURE),
        needs="torchviz",
    ),
    Row(
        "structure",
        "structure of the transformer, to DOT",
        "torchviz `make_dot(…).source`",
        0.6,
        job("dot_of_gpt"),
        needs="torchviz",
    ),
    Row(
        "record",
        "everything recorded on it",
        "plain forward + backward",
        1.25,
        job("recorded_gpt"),
    ),
    Row(
        "memory",
        "the same: memory at the peak",
        "plain forward + backward",
        150.0,
        job("recorded_run"),
        job("plain_run"),
        unit="MB",
    ),
    Row(
        "torchlens",
        "the same, in a fresh process",
        "torchlens: trace with gradients + `log_backward`",
        None,
        job("first_recorded_run"),
        job("torchlens_run"),
        needs="torchlens",
    ),
    Row(
        "explain",
        "`tour.explain` of it: the record, and all that is heard beside it",
        "plain forward + backward",
        3.0,
        job("explained_run"),
        job("plain_run"),
    ),
    Row(
        "watch",
        "`tour.watch`: a step of it with SGD",
        "the step alone",
        1.3,
        job("watched_steps"),
    ),
    Row(
        "step",
        "everything recorded of a transformer of 6 layers 512 wide, 128 tokens",
        "plain forward + backward",
        1.5,
        job("recorded_step"),
    ),
    *(
        Row(
            f"step-{key}",
            f"everything recorded of {model.name}",
            "plain forward + backward",
            1.4,
            job(f"recorded_{key}"),
            needs=model.package,
        )
        for key, model in CONFIGURED.items()
    ),
    Row(
        "followed-steps",
        "followed: 784-128-10 in batches of 64, 1,000 steps with SGD",
        "the loop alone",
        1.3,
        job("followed_steps"),
    ),
    Row(
        "followed-epochs",
        "followed: the thermometer by hand, 5,000 epochs",
        "the loop alone",
        1.3,
        job("followed_epochs"),
    ),
    Row(
        "folded",
        "default picture of the transformer (folded)",
        "torchviz's DOT through `dot -Tsvg`",
        0.25,
        job("folded_picture"),
        job("dot_picture"),
        needs="torchviz",
    ),
    Row(
        "slide",
        "picture of it for a slide (`--fit 1280x720`)",
        "torchviz's DOT through `dot -Tsvg`",
        0.25,
        job("slide_picture"),
        job("dot_picture"),
        needs="torchviz",
    ),
    Row(
        "unfolded",
        "picture of every operation",
        "torchviz's DOT through `dot -Tsvg`",
        1.0,
        job("whole_picture"),
        job("dot_picture"),
        needs="torchviz",
    ),
    Row(
        "unfolded-saved",
        "the same, beside torchviz with attributes and saved tensors, which it shows too",
        "torchviz's DOT with `show_attrs` and `show_saved` through `dot -Tsvg`",
        1.0,
        job("whole_picture"),
        job("dot_picture_with_saved"),
        needs="torchviz",
    ),
    Row(
        "chain",
        "chain of 100,000 nodes, to DOT",
        "torchviz, recursion limit lifted, 2 GB stack",
        0.4,
        job("dot_of_chain"),
        job("torchviz_dot_of_chain"),
        needs="torchviz",
    ),
    Row(
        "million",
        "chain of 1,000,000 nodes: made, traced, folded, drawn, freed",
        "made, and walked with a stack and a set",
        2.5,
        _LONG,
        _WALKED,
    ),
    Row(
        "million-memory",
        "the same: memory at the peak",
        "–",
        1200.0,
        _LONG,
        _WALKED,
        unit="peak",
    ),
)


def prepare(bench: Bench, rows: Sequence[Row]) -> None:
    """Make what some of the rows start from: saved traces, and torchviz's DOT."""
    keys = {row.key for row in rows}
    if keys & {"help", "saved"}:
        run_command([sys.executable, *_OURS, *_THERMOMETER, "made"], bench.folder)
    if keys & {"folded", "slide", "unfolded", "unfolded-saved"} and has("torchviz"):
        job("prepare")(bench)


def measure(row: Row, bench: Bench, done: Runs) -> Result:
    """Measure one row; two rows about the same runs share them through ``done``."""
    if row.needs and not has(row.needs):
        return Result(row, remark=f"skipped: {row.needs} is not installed")
    try:
        remark = row.check(bench) if row.check is not None else ""
        key = (row.ours, row.peer)
        if key not in done:
            peer = partial(row.peer, bench) if row.peer is not None else None
            done[key] = alternate(partial(row.ours, bench), peer, bench.rounds)
        return _result(row, *done[key], remark)
    except BenchmarkError as error:
        return Result(row, remark=f"failed: {error}")


def _result(row: Row, ours: Sequence[Cost], peer: Sequence[Cost], remark: str) -> Result:
    a, b = middle(ours), middle(peer) if peer else None
    if row.unit == "ratio":
        assert b is not None
        ratios = [x.cpu / y.cpu for x, y in zip(ours, peer, strict=True)]
        return Result(row, a.cpu, b.cpu, median(ratios), (min(ratios), max(ratios)), remark)
    if row.unit == "MB":
        assert b is not None
        return Result(row, a.peak, b.peak, a.peak - b.peak, None, remark)
    value = a.elapsed if row.unit == "s" else a.peak
    return Result(row, value, None, value, None, remark)
