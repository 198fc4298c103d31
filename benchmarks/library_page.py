"""The page ``docs/library.md``: what ``explain`` says of the models of libraries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import wrap
from typing import Literal, NamedTuple

__all__ = ["PAGE", "Remark", "Skip", "Verdict", "page"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "library.md"
WIDTH = 120

Skip = Literal["", "large", "slow", "not built"]


class Remark(NamedTuple):
    """A finding: its kind, and what was seen, with the first line."""

    kind: str
    brief: str


class Verdict(NamedTuple):
    """What came of one model: findings that are no notes, notes, or why it was not trained."""

    library: str
    name: str
    alarms: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    skip: Skip = ""
    reason: str = ""
    parameters: int = 0
    seconds: float = 0.0


_INTRODUCTION = """# What explain says of healthy models

`python -m benchmarks.library --page` makes this page. Models of torchvision, timm and transformers are built
from their configurations, tiny and without weights, and trained for three healthy steps each, which `explain`
follows. In a healthy training an error or a warning is a false alarm. A note is true, and may well be meant:
it is no alarm.
"""
_NOT_TRAINED = """
## Not trained

*Too large*: more than {largest} million parameters. *Too slow*: more than {seconds} s of CPU time for three
plain steps, or more than {all_seconds} s for `explain`. *Not built*: the tiny configuration does not fit the
model, or it wants other inputs than two pictures, or two rows of twelve words; the error is the library's.
"""


def page(verdicts: Sequence[Verdict], *, date: str, largest: int, seconds: float) -> str:
    """The whole page as Markdown; ``largest`` in parameters, ``seconds`` of CPU time for one model."""
    libraries = list(dict.fromkeys(verdict.library for verdict in verdicts))
    own = {name: [verdict for verdict in verdicts if verdict.library == name] for name in libraries}
    not_trained = _NOT_TRAINED.format(
        largest=largest // 1_000_000, seconds=f"{seconds / 4:g}", all_seconds=f"{seconds:g}"
    )
    lines = [
        _INTRODUCTION,
        *_counts(own),
        "",
        f"Made on {date} with {_versions(['torch', *libraries])}.",
        *_alarms(verdicts),
        *_notes(verdicts),
        not_trained,
    ]
    for library, items in own.items():
        lines += _skipped(library, items)
    lines += ["## Trained", ""]
    for library, items in own.items():
        names = ", ".join(item.name for item in items if not item.skip)
        lines += [*wrap(f"{library}: {names}", WIDTH), ""]
    return "\n".join(lines)


def _versions(packages: Iterable[str]) -> str:
    def of(name: str) -> str:
        try:
            return version(name).partition("+")[0]
        except PackageNotFoundError:
            return "of an unknown version"

    return ", ".join(f"{name} {of(name)}" for name in packages)


def _counts(own: dict[str, list[Verdict]]) -> Iterator[str]:
    yield "| library | models trained | with a false alarm | with a note | too large | too slow | not built |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    every = [verdict for items in own.values() for verdict in items]
    for name, items in [*own.items(), ("together", every)]:
        skips = Counter(item.skip for item in items)
        pairs = [(item.alarms, item.notes) for item in items]
        alarms, notes = (sum(map(bool, column)) for column in zip(*pairs, strict=True))
        numbers = (skips[""], alarms, notes, skips["large"], skips["slow"], skips["not built"])
        yield f"| {name} | {' | '.join(map(str, numbers))} |"


def _alarms(verdicts: Sequence[Verdict]) -> Iterator[str]:
    pairs = [(verdict, remark) for verdict in verdicts for remark in verdict.alarms]
    if pairs:
        yield "\n## False alarms\n"
        for verdict, remark in pairs:
            yield f"- {verdict.name}: {remark.brief} (`{remark.kind}`)"


def _notes(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Of each kind how many models have it, and the first."""
    models: dict[str, dict[str, Remark]] = {}
    for verdict in verdicts:
        for remark in verdict.notes:
            models.setdefault(remark.kind, {}).setdefault(verdict.name, remark)
    yield "\n## Notes\n"
    yield "| kind | models | for example |"
    yield "|---|--:|---|"
    for kind, remarks in sorted(models.items()):
        name, remark = next(iter(remarks.items()))
        yield f"| `{kind}` | {len(remarks)} | {name}: {remark.brief.replace('|', chr(92) + '|')} |"


def _skipped(library: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield f"### {library}"
    yield ""
    for skip, title in (("large", "Too large"), ("slow", "Too slow")):
        names = ", ".join(verdict.name for verdict in verdicts if verdict.skip == skip)
        if names:
            yield from (*wrap(f"{title}: {names}", WIDTH), "")
    for verdict in verdicts:
        if verdict.skip == "not built":
            yield f"- {verdict.name}: `{verdict.reason.replace('`', chr(39))}`"
    yield ""
