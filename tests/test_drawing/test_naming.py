"""What cards call nodes: paths keep their end, expressions what tells them apart, nothing leaves its room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autograd_tour.drawing.metrics import fit, fit_around, text_width
from autograd_tour.drawing.sizes import fitted
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.node import Node, Saved
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.naming import line_row, output_name, saved_name, title_run
from autograd_tour.views.picture import Card, Row, Scene


def drawn(row: Row) -> list[str]:
    """The texts as drawing gives them room."""
    scene = fitted(Scene((Card("n0", "box", (row,)),)))
    return [run.text for run in scene.cards[0].rows[0].left]


def title_of(node: Node, room: float, size: float, bold: bool = True) -> str:
    return drawn(Row((title_run(Graph((node,)), node, "ink", room, size=size, bold=bold),)))[0]


def line_name(line: SourceLine, expression: str, room: float, size: float) -> tuple[str, str]:
    assert size == 12
    place, *text = drawn(line_row(line, expression, room))
    return place.strip(), text[0] if text else ""


PATH = "transformer.encoder.layers.3.self_attn.out_proj.weight"
LINE = "scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1]) + bias_of_the_position"


def test_a_long_path_loses_its_beginning():
    leaf = Node("n0", "leaf", PATH, PATH, names=(PATH,))
    shown = title_of(leaf, 170, 14)
    assert shown.startswith("…")
    assert shown.endswith("out_proj.weight")
    assert text_width(shown, 14, True) <= 170
    assert title_of(Node("n0", "group", PATH), 170, 14).endswith("out_proj.weight")


def test_an_expression_that_has_a_shorter_form_takes_it_where_it_must():
    node = Node("n0", "operation", "Q @ K.transpose(-2, -1) / math.sqrt(d)", brief="… / math.sqrt(d)")
    assert title_of(node, 170, 14) == "… / math.sqrt(d)"
    assert title_of(node, 400, 14) == node.op


def test_a_line_has_its_file_and_the_part_that_matters():
    line = SourceLine("toolkit/models/net.py", 12, LINE)
    assert line_name(line, "", 600, 12) == ("net.py:12", LINE)
    place, text = line_name(line, "k.transpose(-2, -1)", 190, 12)
    assert place == "net.py:12"
    assert "k.transpose(-2, -1)" in text
    assert text.startswith("…")
    assert text_width(place + "  " + text, 12) <= 190


@given(st.text(max_size=80), st.text(max_size=10), st.floats(30, 300))
def test_what_is_cut_at_either_end_fits(text, part, room):
    assert text_width(fit(text, room, 12, keep_end=True), 12) <= room + 0.01
    assert text_width(fit_around(text + part + text, part, room, 12), 12) <= room + 0.01


@given(st.text(max_size=60), st.integers(1, 10**6), st.text(max_size=80), st.floats(60, 300))
def test_a_place_never_leaves_its_room(file, number, text, room):
    place, shown = line_name(SourceLine(file, number, text), text[2:9], room, 12)
    assert text_width(place, 12) <= room + 0.01
    assert not shown or text_width(f"{place}  {shown}", 12) <= room + 0.01


def test_outputs_and_saved_tensors_have_no_name_of_torch_alone():
    facts = TensorFacts((2, 3), "float32", "cpu")
    split = Node("n0", "operation", "x.split(2)", call="split", values=(facts, facts), names=("left", ""))
    assert (output_name(split, 0), output_name(split, 1)) == ("left", "split[1]")
    assert output_name(Node("n0", "operation", "x * 2", values=(facts,), names=("",)), 0) == ""
    assert saved_name(Saved("other", facts), None) == "tensor (2, 3)"
    assert saved_name(Saved("result1", facts), None) == "result 1"
    assert saved_name(Saved("result", facts), None) == "the result"
    assert saved_name(Saved("other", TensorFacts((), "float32", "cpu", first=(0.5,))), None) == "0.5"
    origin = Node("n1", "constant", "torch.ones(6, 1)", "torch.ones(6, 1)")
    assert saved_name(Saved("mat2", facts), origin) == "torch.ones(6, 1)"


def test_a_saved_constant_with_a_path_loses_its_beginning():
    facts = TensorFacts((2, 3), "float32", "cpu")
    frozen = Node("n0", "constant", PATH, PATH, values=(facts,), names=(PATH,))
    saved = (Saved("weight", facts, of="n0"),)
    node = Node(
        "n1", "operation", "norm(x)", grad_fn="NormBackward0", values=(facts,), names=("",), saved=saved
    )
    card = cards_scene(Graph((frozen, node))).cards[1]
    texts = [text for row in card.rows for text in drawn(row)]
    (text,) = [text for text in texts if text.startswith("saved  ")]
    assert text.startswith("saved  …")
    assert "out_proj.weight" in text
