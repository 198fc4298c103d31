"""How large everything is, in px: the one place that knows how wide a text is."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.drawing.metrics import fit, fit_around, text_width
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene

__all__ = [
    "ARROW",
    "BADGE",
    "HATCH",
    "PADDING",
    "card_height",
    "card_width",
    "digits_size",
    "fitted",
    "label_width",
    "row_width",
    "run_width",
    "smallest_text",
    "tag_run",
    "tag_width",
]

PADDING = 9.0
GAP = 14.0
HATCH = 34.0
"""Width of the hatched end of a row, px: its text ends before it."""
_MARKS = {"": 0.0, "tab": 4.0, "hatched": 4.0 + HATCH, "cut": 16.0}
"""The room that a mark takes in its row, px."""
ARROW = 9.0
"""Length of an arrow's head, px."""
LEAST = 30.0
"""A text that has to share its row is left out where it would get less, px."""
NAME_SHARES = (0.8, 0.6, 0.5, 0.4, 0.3, 0.2)
LEAST_NAME = 50.0
"""What of the names in a text is tried to stay, and what stays at least, px."""
BADGE = 8.5
"""Radius of the disc with a step number, px."""


def run_width(run: Run) -> float:
    """Advance width of a text."""
    return len(run.text) * run.size * 0.6 if run.mono else text_width(run.text, run.size, run.bold)


def _width(runs: tuple[Run, ...]) -> float:
    return run_width(runs[0]) if len(runs) == 1 else sum([run_width(run) for run in runs])


def row_width(row: Row) -> float:
    """Smallest width of a card that holds this row."""
    left = _width(row.left)
    if row.earlier:
        left = max(left, *(_width(runs) for _, runs in row.earlier))
    right = _width(row.right) if row.right else 0.0
    extra = (2 * BADGE + 4 if row.step else 0) + _MARKS[row.mark]
    return 2 * PADDING + left + right + extra + (GAP if left and right else 0)


def card_width(card: Card) -> float:
    """Width of a card: the widest row decides."""
    return float(round(max([card.minimum, *[row_width(row) for row in card.rows]]) + 0.5))


def card_height(card: Card) -> float:
    """Height of a card."""
    return sum([row.height for row in card.rows])


def smallest_text(scene: Scene) -> float:
    """Size of the smallest text of a scene, px."""
    rows = [row for card in scene.cards for row in card.rows]
    runs = [run for row in rows for run in (*row.left, *row.right)]
    runs += [run for link in scene.links for run in link.label.runs]
    runs += [run for lines in scene.captions for line in lines for run in line]
    sizes = {run.size for run in runs if run.text}
    sizes |= {digits_size(step) for row in rows if (step := row.step)}
    sizes |= {
        digits_size(link.label.step) for link in scene.links if link.label.step and not link.label.letter
    }
    return min(sizes, default=12.0)


def digits_size(step: int) -> float:
    """Size of the number of a step in its disc, px."""
    return 12.0 if step < 100 else 9.0


def label_width(label: Label) -> float:
    """Width of a label with its disc or its letter."""
    return _width(label.runs) + (tag_width(label) + (4 if label.runs else 0) if label.step else 0)


def tag_width(label: Label) -> float:
    """Width of the number of a step on a link: of a disc, or of number and letter."""
    return run_width(tag_run(label)) if label.letter else 2 * BADGE


def tag_run(label: Label) -> Run:
    """Number and letter of a link as text."""
    return Run(label.tag, "backward", bold=True)


# ---- room ---------------------------------------------------------------------------------------


def fitted(scene: Scene) -> Scene:
    """The scene with every text in the room it may take, or that its card has. What fits is not copied."""
    # Many cards of a long chain share their rows; the first of them counts.
    first = {id(card.rows): card for card in reversed(scene.cards)}
    short = {key: _filled(card, _fitted_rows(card.rows)) for key, card in first.items()}
    cards, links = scene.cards, scene.links
    if any(short[key] is not card.rows for key, card in first.items()):
        rows = [short[id(card.rows)] for card in cards]
        cards = tuple(
            [
                card if card.rows is new else replace(card, rows=new)
                for card, new in zip(cards, rows, strict=True)
            ]
        )
    if any([link.label.runs for link in links]):  # noqa: C419 (a generator takes longer)
        links = tuple([_fitted_link(link) if link.label.runs else link for link in links])
    captions = tuple(tuple(_fitted(line) for line in caption) for caption in scene.captions)
    return replace(scene, cards=cards, links=links, captions=captions)


def _fitted_link(link: Link) -> Link:
    runs = _fitted(link.label.runs)
    return link if runs is link.label.runs else replace(link, label=replace(link.label, runs=runs))


def _fitted_rows(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    short = [_fitted_row(row) for row in rows]
    return rows if all(a is b for a, b in zip(rows, short, strict=True)) else tuple(short)


def _filled(card: Card, short: tuple[Row, ...]) -> tuple[Row, ...]:
    """The ``short`` rows of a card; what was cut gets what the widest of them leaves it."""
    if short is card.rows:
        return short
    width = card_width(replace(card, rows=short))
    return tuple([_widened(row, cut, width) for row, cut in zip(card.rows, short, strict=True)])


def _widened(row: Row, cut: Row, width: float) -> Row:
    """``row`` in a card of ``width`` px, where it took less when it was ``cut``."""
    slack = width - row_width(cut)
    if cut is row or slack < 1:
        return cut
    left = _grown(row.left, cut.left, slack)
    right = row.right if left is not row.left else _grown(row.right, cut.right, slack)
    stages = tuple(
        [
            (frame, _grown(runs, short, slack))
            for (frame, runs), (_, short) in zip(row.earlier, cut.earlier, strict=True)
        ]
    )
    room = row.room and _width(cut.left) + slack
    wide = _fitted_row(replace(row, left=left, right=right, earlier=stages, room=room))
    return wide if row_width(wide) <= width else cut


def _grown(runs: tuple[Run, ...], cut: tuple[Run, ...], by: float) -> tuple[Run, ...]:
    """The first of the texts that was ``cut`` gets so much more than it took."""
    for k, (run, short) in enumerate(zip(runs, cut, strict=False)):
        if run.text != short.text:
            piece = short if short.part is None else replace(short, text=short.text[slice(*short.part)])
            return (*runs[:k], replace(run, room=run_width(piece) + by), *runs[k + 1 :])
    return runs


def _fitted_row(row: Row) -> Row:
    if not (row.right or row.earlier or row.room):  # as in most rows where there are many
        left = _fitted(row.left)
        return row if left is row.left else replace(row, left=left)
    left, right = _fitted(_shared(row)), _fitted(row.right)
    earlier = row.earlier
    if earlier:
        stages = tuple([(frame, _fitted(runs)) for frame, runs in earlier])
        earlier = earlier if all(a[1] is b[1] for a, b in zip(earlier, stages, strict=True)) else stages
    if left is row.left and right is row.right and earlier is row.earlier:
        return row
    return replace(row, left=left, right=right, earlier=earlier)


def _shared(row: Row) -> tuple[Run, ...]:
    """The texts on the left, the last of which takes what the others leave of the row's room."""
    if not row.room or len(row.left) < 2:
        return row.left
    *others, last = row.left
    left = row.room - _width(_fitted(tuple(others)))
    if left < LEAST:
        return tuple(others)
    return (*others, replace(last, room=left))


def _fitted(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    for run in runs:
        if run.room and _short(run) is not run:
            return tuple([_short(run) if run.room else run for run in runs])
    return runs


def _short(run: Run) -> Run:
    if run.part is None:
        text = _cut(run, run.text)
        return run if text == run.text else replace(run, text=text)
    start, stop = run.part
    piece = run.text[start:stop]
    short = _cut(run, piece)
    if short == piece:
        return run
    return replace(run, text=f"{run.text[:start]}{short}{run.text[stop:]}", part=(start, start + len(short)))


def _cut(run: Run, text: str) -> str:
    """``text`` in the room that ``run`` gives it."""
    if run.brief and text_width(text, run.size, run.bold) > run.room:
        text = run.brief
    if run.names:
        return _named(run, text)
    if run.around:
        return fit_around(text, run.around, run.room, run.size)
    return fit(text, run.room, run.size, run.bold, keep_end=run.keep_end)


def _named(run: Run, text: str) -> str:
    """``text`` with its long names as short as its room wants, and then cut between two of its words."""

    def width(text: str) -> float:
        return text_width(text, run.size, run.bold)

    short = text
    for share in NAME_SHARES:
        if width(short) <= run.room:
            return short
        short = text
        for name in run.names:
            left = max(share * width(name), LEAST_NAME)
            short = short.replace(name, fit(name, left, run.size, run.bold, keep_end=True))
    if width(short) <= run.room:
        return short
    head = fit(short, run.room, run.size, run.bold).removesuffix("…")
    return f"{head.rpartition(' ')[0]} …" if " " in head else f"{head}…"
