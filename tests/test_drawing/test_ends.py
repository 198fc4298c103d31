"""Long names end with whole words, and what is cut gets the room that its card has."""

from __future__ import annotations

import re

import pytest

import autograd_tour as tour
from autograd_tour.drawing.captions import narrowed
from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.sizes import card_width, fitted
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.fold import fold
from autograd_tour.views.naming import module_heads
from autograd_tour.views.picture import Card, Row, Run, Scene, within
from tests.lectures import lectures

PROGRAMS = dict(lectures())


@pytest.mark.parametrize(
    ("text", "room", "cut"),
    [
        ("transformer.wte.weight", 120, "…wte.weight"),
        ("model.layers.0 … 2", 90, "…layers.0 … 2"),
        ("image_text_contrastive_loss", 130, "…contrastive_loss"),
        ("LlamaDecoderLayer × 3", 120, "…DecoderLayer × 3"),
        ("blocks[0].2", 50, "…[0].2"),
        ("self.blocks[0].conv1", 60, "…conv1"),
        ("discriminator.0", 78, "discrimin….0"),
        ("discriminator", 50, "discri…"),
        ("head(out[:, -1])", 70, "head(…)"),
        ("torch.ones(16, 1)", 60, "…ones(…)"),
        ("its backward() is at custom_function.py:13", 180, "…is at custom_function.py:13"),
    ],
)
def test_a_name_that_keeps_its_end_begins_with_a_word_and_closes_what_it_opened(text, room, cut):
    assert fit(text, room, 12, bold=True, keep_end=True) == cut


def test_what_is_cut_gets_what_the_widest_row_leaves_it():
    wide = Row((Run("a row that is as wide as this one is"),))
    narrow = Row((within("∂loss/∂", "hidden_states", " = 2", "backward", 30.0),))
    alone, filled = (
        fitted(Scene((Card("a", "box", rows),))).cards[0] for rows in ((narrow,), (wide, narrow))
    )
    assert alone.rows[0].left[0].text == "∂loss/∂hid… = 2"
    assert filled.rows[1].left[0].text == "∂loss/∂hidden_states = 2"
    assert card_width(filled) == card_width(Card("a", "box", (wide,)))


def test_a_film_shortens_a_name_alike_in_every_frame():
    wide = Row((Run("a row that is as wide as this one is, and wider"),))
    lead = within("∂loss/∂", "hidden_states", "", "muted", 30.0)
    row = Row((lead, Run(" = 1.23456")), earlier=((0, (lead,)), (2, (lead, Run(" = 1.2 + …")))), since=3)
    _, filled = fitted(Scene((Card("a", "box", (wide, row)),))).cards[0].rows
    assert {runs[0].text for runs in (filled.left, *(runs for _, runs in filled.earlier))} == {
        "∂loss/∂hidden_states"
    }


def test_no_text_is_wider_than_the_card_that_it_fills():
    for name in ("discriminator_loss", "multihead", "vae"):
        for card in fitted(picture_of(Trace(tour.trace(PROGRAMS[name])), "graph")).cards:
            for row in card.rows:
                assert sum(text_width(run.text, run.size, run.bold) for run in row.left) <= card_width(card)


def test_the_line_of_an_own_backward_is_never_cut_off():
    graph = tour.trace(PROGRAMS["custom_function"])
    scene = fitted(picture_of(Trace(graph), "graph"))
    short = [link.label.runs[0] for link in scene.links if link.label.runs]
    (rule,) = [run for run in short if "custom_function.py:" in run.text]
    assert rule.keep_end
    notes = [row.left[0] for card in scene.cards for row in card.rows if row.detail == "remark"]
    assert all(note.keep_end for note in notes if "backward()" in note.text)


def test_a_frame_says_which_module_runs_and_cuts_no_number():
    graph = fold(tour.trace(PROGRAMS["cnn"]), 1)
    film = picture_of(Trace(graph), "steps")
    heads = [[run.text.strip() for run in caption[0]] for caption in film.scene.captions]
    (conv1,) = [head for head in heads if "conv1" in head]
    assert conv1[1:] == ["conv1", "Conv2d(1→6)"]
    whole = [caption[1] for caption in film.scene.captions if len(caption) > 1]
    narrow = [caption[1] for caption in narrowed(film.scene.captions, 480.0) if len(caption) > 1]
    assert any(a != b for a, b in zip(whole, narrow, strict=True))
    values = [line[-1].text for line in narrow]
    assert not any(re.search(r"\d…", text) for text in values)


def test_the_class_of_a_module_stands_apart_from_its_path_however_short():
    node = Node("n0", "group", "CLIPVisionEmbeddings", group="vision_model.embeddings")
    title = Run(node.op, bold=True, room=100.0, keep_end=True)
    row = Row(module_heads(node, title, 100.0))
    path, kind = fitted(Scene((Card("n0", "group", (row,)),))).cards[0].rows[0].left
    assert (path.text, kind.text) == ("…embeddings", "  …Embeddings")
