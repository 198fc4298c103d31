"""The table as text: on the terminal, and as a page with the machine it was measured on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from benchmarks.rows import Result

__all__ = ["HEADER", "page", "rows_of_text", "write_page"]

HEADER = ("what", "ours", "peer", "", "measured", "at most", "ok?")

_INTRODUCTION = """# How fast

`make bench` measures this table and writes this page. Each figure is a ratio taken in one run: CPU
time of whole processes or of a piece of work in a process of its own, on one thread, ours and the
peer's in turn. Each row shows medians of {rounds} rounds; behind a ratio stand its lowest and its
highest round.
"""

_NOTES = """
The transformer has the size of GPT-2 small: 12 layers 768 wide with 12 heads, attention written out
by hand, dropout, a vocabulary of 50,257 shared by both ends, batch 1, 64 tokens. Its graph has 976
backward nodes, of which 196 are accumulators.

- *Structure to DOT*: an existing loss and the names of its parameters go in, DOT text comes out. Ours
  is a structure-only trace, the view in torchviz's style and `readable_dot`; torchviz's is
  `make_dot(loss, params).source`. Neither lays anything out.
- *Recording*: one plain forward and backward come first on either side. torchlens is asked for the
  gradients too (`save_grads="all"`), which is what its `draw_backward` draws.
- *Known models*: built from their configuration by `transformers` and `torchvision`, with random weights.
  Both sides run in one process, in turn, as for all that is recorded but the memory and the fresh process.
- *Followed*: `tour.follow(train)` beside `train()`. The small transformer has a vocabulary of 20,000 and is
  otherwise like the large one. Both sides run in one process, in turn.
- *Explained, watched*: `tour.explain(loss)` and a step inside `tour.watch(model, optimizer)`, which asks for
  the norm of every gradient. Neither runs anything a second time, or under a dispatch mode.
- *Pictures*: a finished trace goes in, an SVG comes out: folding, cards, layout and drawing, with the
  layout engine's own process counted. The peer is Graphviz alone, on DOT that is already made.
- *The long chain*: the making of the chain is in both sides, and its freeing. The memory is that of the whole
  process, torch included. The chain is freed when it has been traced, before it is folded.
"""


def rows_of_text(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """One row of words for each result, as in :data:`HEADER`."""
    return [_words(result) for result in results]


def _words(result: Result) -> tuple[str, ...]:
    row = result.row
    verdict = "yes" if result.ok else result.remark or ("no" if result.value is not None else "?")
    limit = ""
    if row.at_most is not None:
        limit = _number(row.at_most, row.unit, limit=True)
    elif result.ok:
        verdict = "information"
    if result.value is None:
        return (row.what, "", "", row.peer_name, "", limit, verdict)
    unit = "s" if row.unit in ("ratio", "s") else "MB"
    ours = f"{result.ours:.3g} {unit}" if unit == "s" else f"{result.ours:.0f} MB"
    peer = (
        "" if result.peer is None else f"{result.peer:.3g} {unit}" if unit == "s" else f"{result.peer:.0f} MB"
    )
    value = _number(result.value, row.unit)
    if result.spread is not None:
        value += f" ({result.spread[0]:.2f}–{result.spread[1]:.2f})"
    return (row.what, ours, peer, row.peer_name, value, limit, verdict)


def _number(value: float, unit: str, limit: bool = False) -> str:
    if unit == "ratio":
        return f"{value:g}" if limit else f"{value:.2f}"
    return {"MB": f"{value:+.0f} MB", "s": f"{value:.3g} s", "peak": f"{value:,.0f} MB"}[unit]


def page(results: Sequence[Result], machine: Sequence[tuple[str, str]], rounds: int) -> str:
    """The whole page as Markdown."""
    lines = [_INTRODUCTION.format(rounds=rounds)]
    lines.append("| " + " | ".join(("what", "ours", "peer's", "the peer", *HEADER[4:])) + " |")
    lines.append("|---|--:|--:|---|--:|--:|---|")
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows_of_text(results)
    ]
    lines += ["", "Measured on: " + ", ".join(f"{name} {value}" for name, value in machine) + "."]
    return "\n".join([*lines, *_floor(results)]) + "\n" + _NOTES


def _floor(results: Sequence[Result]) -> list[str]:
    """What part of torchlens's time the program itself takes, which no recorder can do without."""
    found = {result.row.key: result for result in results}
    plain, torchlens = found.get("record"), found.get("torchlens")
    if plain is None or torchlens is None or not plain.peer or not torchlens.peer:
        return []
    share = plain.peer / torchlens.peer
    text = (
        f"The program's own forward and backward, with nothing recorded, take {plain.peer:.3g} s in the same "
        f"run: {share:.2f} of torchlens."
    )
    return ["", *wrap(text, 104)]


def write_page(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
