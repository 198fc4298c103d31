"""Arrows between two cards: many as one that says how many, and letters for those that leave one card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from autograd_tour.views.picture import Label, Link, Run

__all__ = ["bundled", "lettered"]


def bundled(links: Iterable[Link], folded: set[str], ends: Callable[[Link], str]) -> list[Link]:
    """The links, those of one flow between the same two cards as one if a card is in ``folded``.

    ``ends`` says what a link joins, for the title of such an arrow.
    """
    if not folded:
        return list(links)
    together: dict[tuple[object, ...], list[Link]] = {}
    for number, link in enumerate(links):
        at_fold = link.src in folded or link.dst in folded
        key = (link.src, link.dst, link.flow) if at_fold else (number,)
        together.setdefault(key, []).append(link)
    return [several[0] if len(several) == 1 else _merged(several, ends) for several in together.values()]


def _merged(several: list[Link], ends: Callable[[Link], str]) -> Link:
    backward = several[0].flow == "backward"
    text = f"{len(several)} {'gradients' if backward else 'tensors'}"
    role = {"forward": "forward", "backward": "backward", "constant": "muted"}[several[0].flow]
    run = Run(text, role)  # type: ignore[arg-type]
    return replace(
        several[0], label=Label((run,), several[0].label.step), title=f"{ends(several[0])}: {text}"
    )


def lettered(links: Sequence[Link]) -> list[Link]:
    """The links, those of one step with a letter each: ``4a``, ``4b``; after z comes aa."""
    sent: dict[str, int] = {}
    result = []
    for link in links:
        if link.label.step:
            number = sent[link.src] = sent.get(link.src, -1) + 1
            link = replace(link, label=replace(link.label, letter=_letter(number)))  # noqa: PLW2901
        result.append(link)
    return result


def _letter(number: int) -> str:
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)
