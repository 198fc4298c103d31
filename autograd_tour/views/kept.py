"""What is kept for backward, counted by line of the program and by module; every storage once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.memory import Block, Memory
from autograd_tour.record.trace import Trace
from autograd_tour.text import number
from autograd_tour.views.totals import in_bytes

__all__ = [
    "LineMemory",
    "ModuleMemory",
    "brief",
    "by_line",
    "by_module",
    "checkpoint_text",
    "kept_most",
    "largest",
    "paths_text",
    "remarks",
    "summary",
]


class LineMemory(Struct, frozen=True):
    """What a line keeps. ``line`` is ``None`` for operations whose line is not known.

    ``size`` is in bytes that only the graph keeps, in so many ``storages``; one that several lines keep is
    counted at the first of them. ``shared`` are bytes counted at an earlier line, ``anyway`` those that live
    in any case: parameters, buffers, inputs. ``names`` are those of the storages, the largest first.
    """

    line: SourceLine | None
    size: int = 0
    storages: int = 0
    shared: int = 0
    anyway: int = 0
    names: tuple[str, ...] = ()


class ModuleMemory(Struct, frozen=True):
    """What modules keep, with all inside them: several if they are alike, as the blocks of a transformer.

    All sizes are those of each one. ``saves`` are the bytes that a checkpoint of it would no longer keep
    until its backward, ``share`` the part of the multiply-adds of the whole forward that would run again,
    ``None`` if the whole has none.
    """

    paths: tuple[str, ...]
    type: str
    size: int
    saves: int
    multiply_adds: int
    share: float | None
    uncounted: bool = False


def largest(graphs: Iterable[Graph]) -> Graph:
    """The graph that keeps most until its backward; of equals the first."""
    return max(graphs, key=_kept, default=Graph())


def _kept(graph: Graph) -> int:
    return graph.memory.bytes_of("graph") if graph.memory is not None else 0


def kept_most(trace: Trace) -> tuple[Graph, str]:
    """The graph of a program that keeps most, and a sentence on which it is if a run has several."""
    run = trace.run
    if run is None or len(run.graphs) < 2:
        return trace.graph, ""
    graph = largest(run.graphs)
    position = run.graphs.index(graph)
    event = next(item for item in run.events if item.kind == "backward" and item.graph == position)
    line = run.line(event)
    at = f" at {line.position}" if line is not None else ""
    return (
        graph if position else trace.graph,
        f"Of {len(run.graphs)} graphs with a backward this one keeps most: that of call "
        f"{event.backward_call}{at}.",
    )


def by_line(graph: Graph) -> list[LineMemory]:
    """The lines that keep something, those first that keep most for the graph alone."""
    blocks = graph.memory.blocks if graph.memory is not None else ()
    own: dict[int | None, list[Block]] = {}
    shared: dict[int | None, int] = {}
    anyway: dict[int | None, int] = {}
    for block in blocks:
        lines = list(dict.fromkeys(keeper.where for keeper in block.keepers))
        if block.owner == "graph":
            own.setdefault(lines[0], []).append(block)
        for line in lines[1:] if block.owner == "graph" else lines:
            counted = shared if block.owner == "graph" else anyway
            counted[line] = counted.get(line, 0) + block.size
    rows = [
        LineMemory(
            None if line is None else graph.source[line],
            sum(block.size for block in own.get(line, ())),
            len(own.get(line, ())),
            shared.get(line, 0),
            anyway.get(line, 0),
            _names(own.get(line, ())),
        )
        for line in dict.fromkeys((*own, *shared, *anyway))
    ]
    return sorted(rows, key=lambda row: (-row.size, -row.shared, -row.anyway))


def _names(blocks: Iterable[Block]) -> tuple[str, ...]:
    largest = sorted(blocks, key=lambda block: -block.size)
    return tuple(dict.fromkeys(block.name for block in largest if block.name))


def by_module(graph: Graph) -> list[ModuleMemory]:
    """The modules that ran and keep something, those first that keep most."""
    memory = graph.memory
    if memory is None:
        return []
    types = {group.path: group.type for group in graph.groups}
    whole = next((work.multiply_adds for work in memory.work if not work.path), 0)
    alike: dict[tuple[object, ...], list[str]] = {}
    kept, inner = _sums(memory)
    for work in memory.work:
        size = kept[work.path]
        if work.path not in types or not size:
            continue
        saves = max(inner[work.path] - work.unkept, 0)
        share = work.multiply_adds / whole if whole else None
        numbers = (types[work.path], size, saves, work.multiply_adds, share, work.uncounted)
        alike.setdefault((re.sub(r"\d+", "0", work.path), *numbers), []).append(work.path)
    rows = [
        ModuleMemory(tuple(sorted(paths, key=_natural)), *numbers)  # type: ignore[arg-type]
        for (_, *numbers), paths in alike.items()
    ]
    return sorted(rows, key=lambda row: (-row.size * len(row.paths), _natural(row.paths[0])))


def _natural(path: str) -> list[tuple[bool, int, str]]:
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", path)
    ]


def _sums(memory: Memory) -> tuple[Counter[str], Counter[str]]:
    """By module: bytes that an operation inside is the first to keep, and those that nothing outside keeps.

    The latter were made inside too: what came from outside is an input, which a checkpoint keeps.
    """
    kept, inner = Counter[str](), Counter[str]()
    for block in memory.blocks:
        if block.owner != "graph":
            continue
        for path in _around(block.keepers[0].group):
            kept[path] += block.size
        if not any(keeper.checkpointed for keeper in block.keepers):
            homes = [set(_around(path)) for path in (block.made_in, *(k.group for k in block.keepers))]
            for path in set.intersection(*homes):
                inner[path] += block.size
    return kept, inner


def _around(path: str) -> Iterator[str]:
    """The path and those of all modules around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def checkpoint_text(row: ModuleMemory) -> str:
    """``checkpointing each saves 66 kB and costs its 425984 multiply-adds again, 8.3 % of the forward``."""
    it = "it" if len(row.paths) == 1 else "each"
    if not row.saves:
        return f"checkpointing {it} saves nothing"
    cost = "its forward again"
    if row.multiply_adds and row.share is not None:
        least = "at least " if row.uncounted else ""
        share = number(100 * row.share, 2 if row.share < 0.995 else 3)
        cost = f"{least}{_count(row.multiply_adds)} multiply-adds again, {share} % of the forward's"
    return f"checkpointing {it} saves {in_bytes(row.saves)} and costs {cost}"


def _count(value: int) -> str:
    for unit in ("", " thousand", " million"):
        if value < 1000:
            return f"{number(float(value), 3)}{unit}"
        value = value / 1000  # type: ignore[assignment]
    return f"{number(float(value), 3)} billion"


def summary(memory: Memory) -> str:
    """How much only the graph keeps, and what it needs that lives anyway, without a full stop."""
    own = [block for block in memory.blocks if block.owner == "graph"]
    storages = "storage" if len(own) == 1 else "storages"
    total = in_bytes(sum(block.size for block in own))
    return f"until backward autograd alone keeps {total} in {len(own)} {storages}{_others(memory)}"


def _others(memory: Memory) -> str:
    words = {"leaf": "leaves", "buffer": "buffers", "input": "inputs"}
    parts = [
        f"{in_bytes(size)} of {words[owner]}"
        for owner in words
        if (size := memory.bytes_of(owner))  # type: ignore[arg-type]
    ]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
    return f"; it also needs {listed}, which live anyway" if listed else ""


def brief(graph: Graph) -> tuple[str, ...]:
    """The most important of it: all, the line that keeps most, the checkpoint that saves most."""
    memory, rows = graph.memory, by_line(graph)
    if memory is None or not memory.bytes_of("graph"):
        return ()
    lines = [summary(memory)]
    if rows[0].line is not None:
        lines.append(f"most at {rows[0].line.position}: {rows[0].line.text} ({in_bytes(rows[0].size)})")
    saving = max(by_module(graph), key=lambda row: row.saves * len(row.paths), default=None)
    if saving is not None and saving.saves:
        lines.append(f"{saving.type} {paths_text(saving)}: {checkpoint_text(saving)}")
    return tuple(lines)


def paths_text(row: ModuleMemory) -> str:
    """``blocks.0``, or ``blocks.0 … blocks.11`` of several."""
    return row.paths[0] if len(row.paths) == 1 else f"{row.paths[0]} … {row.paths[-1]}"


def remarks(memory: Memory) -> Iterator[str]:
    """What is to be known of the numbers, a sentence each."""
    yield "A storage is counted once, at the first line that keeps it; a view has none of its own."
    if any(work.path for work in memory.work):
        yield (
            "A checkpoint keeps the inputs of its module, and runs the forward again in backward: "
            "then all of it is there once more."
        )
    if memory.unseen:
        tensors = "tensor is" if memory.unseen == 1 else "tensors are"
        yield f"{memory.unseen} saved {tensors} held by pack hooks of the program, and not counted."
