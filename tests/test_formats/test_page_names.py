"""Cards of a page are told apart by words alone."""

from __future__ import annotations

from autograd_tour.formats.page.names import card_names
from autograd_tour.record.node import Node


def test_a_name_says_as_much_as_tells_a_card_from_the_others():
    nodes = [
        Node("f0", "group", op="Block", group="h.0"),
        Node("f1", "group", op="Block", group="h.1"),
        Node("f2", "group", op="Block", group="h.1"),
        Node("f3", "group", op="5 operations"),
        Node("n0", "operation", op="x + y", group="h.2"),
        Node("n1", "operation", op="x + y", group="h.3"),
        Node("n2", "operation", op="x + y"),
        Node("n3", "operation", op="x + y"),
        Node("n4", "leaf", op="w", group="h.4"),
        Node("n5", "constant"),
    ]
    names = card_names(nodes)
    assert [name.whole() for name in names.values()] == [
        "Block, h.0", "Block, h.1, 1 of 2", "Block, h.1, 2 of 2", "5 operations", "x + y, h.2", "x + y, h.3",
        "x + y, 1 of 2", "x + y, 2 of 2", "w", "constant",
    ]  # fmt: skip
    assert [names[card].brief() for card in ("f0", "f1", "f2", "f3")] == [
        "h.0", "h.1, 1 of 2", "h.1, 2 of 2", "5 operations",
    ]  # fmt: skip
