"""What is around an opened card steps back: grey and dashed, but a NaN stays red."""

from __future__ import annotations

from autograd_tour.views.outside import stepped_back
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene


def test_what_is_outside_is_grey_and_dashed_and_says_so():
    rows = (
        Row((Run("w", "paper"), Run("NaN", "error")), (Run("leaf", "paper"),), fill="forward"),
        Row(
            (Run("0.5", "backward"),),
            since=3,
            earlier=((0, (Run("grad", "muted"),)), (2, (Run("…", "backward"),))),
        ),
    )
    cards = tuple(Card(name, "leaf", rows, title=f"leaf {name}") for name in ("a", "b", "c"))
    label = Label((Run("× 2", "backward"),), 4)
    links = tuple(
        Link(f"{src}{dst}", src, dst, "backward", label, emphasis=emphasis)
        for src, dst, emphasis in (("a", "b", ""), ("b", "c", ""), ("c", "b", "alarm"))
    )
    scene = stepped_back(Scene(cards, links), {"a"})
    assert (scene.cards[0], scene.links[0]) == (cards[0], links[0])
    for card in scene.cards[1:]:
        assert card.emphasis == "faint"
        assert card.title.endswith("outside the opened card")
        first, second = card.rows
        assert [run.role for run in (*first.left, *first.right)] == ["muted", "error", "muted"]
        assert (first.fill, second.fill) == ("constant_fill", None)
        assert {run.role for _, runs in second.earlier for run in runs} == {"muted"}
        assert (second.since, [since for since, _ in second.earlier]) == (3, [0, 2])
    assert [link.emphasis for link in scene.links[1:]] == ["faint", "alarm"]
    assert scene.links[1].label == Label((Run("× 2", "muted"),), 4)
