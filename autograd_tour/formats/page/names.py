"""What the cards of one picture are called where they are told apart by words alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autograd_tour.record.node import Node
from autograd_tour.text import one_line

__all__ = ["CardName", "card_names", "title_of"]


class CardName(NamedTuple):
    """A title, the module path where it is needed, and ``2 of 3`` where that is not enough."""

    title: str
    path: str = ""
    ordinal: str = ""

    def whole(self) -> str:
        """For who hears the picture: ``TransformerBlock, blocks.3``."""
        return ", ".join(filter(None, self))

    def brief(self) -> str:
        """For the way to an opened card: ``blocks.3``."""
        return ", ".join(filter(None, (self.path or self.title, self.ordinal)))


def title_of(node: Node) -> str:
    """What stands large on a card."""
    return one_line(node.op, 120) or node.kind


def card_names(nodes: Sequence[Node]) -> dict[str, CardName]:
    """The id of each card -> its name, no two of which are the same whole, nor brief among folded cards."""
    titles = Counter(map(title_of, nodes))
    names = {}
    for node in nodes:
        title = title_of(node)
        needed = node.group != title and (node.kind == "group" or titles[title] > 1)
        names[node.id] = CardName(title, one_line(node.group, 120) if needed else "")
    folded = {node.id: names[node.id] for node in nodes if node.kind == "group"}
    names |= _numbered(folded, CardName.brief)
    return _numbered(names, CardName.whole)


def _numbered(names: dict[str, CardName], text: Callable[[CardName], str]) -> dict[str, CardName]:
    """The names, with an ordinal where several say the same ``text``."""
    total = Counter(map(text, names.values()))
    count: Counter[str] = Counter()
    numbered = {}
    for card, name in names.items():
        same = text(name)
        count[same] += 1
        ordinal = f"{count[same]} of {total[same]}"
        numbered[card] = name if total[same] == 1 else name._replace(ordinal=ordinal)
    return numbered
