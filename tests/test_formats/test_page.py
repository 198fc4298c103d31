"""The page as a file: one document, nothing fetched, nothing that breaks out of where it stands."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import pytest
import torch
from msgspec.structs import replace

from autograd_tour import accumulate, follow, trace
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import Settings
from autograd_tour.formats.page import document, pictures, script
from autograd_tour.formats.page.document import WEB, page
from autograd_tour.formats.page.script import bundled
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views.look import look_for
from tests.programs import basics, models

HOSTILE = [
    "</script><script>alert(1)</script>", "<!--<script>", '"><img src=x onerror=alert(1)>', "</style><b>",
    "' onmouseover='alert(1)", "{{ 7 * 7 }}{% raw %}", "</pre></title>", "\u2028\u2029", "</svg><h1>", "]]>",
    "&lt;script&gt;", "\x00\x1b[31m", "javascript:alert(1)", "\\u003c/script\\u003e", "url(http://x.example)",
]  # fmt: skip


class Elements(HTMLParser):
    """Every element with its attributes, and the text in each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.inside.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if self.inside:
            self.texts[self.inside[-1]][-1] += data


@pytest.fixture(scope="module")
def thermometer_page():
    return page("thermometer", Trace(trace(thermometer), accumulate(thermometer)), Settings())


def data_of(text: str) -> dict:
    return json.loads(re.search(r'id="tour-data">(.*?)</script>', text, re.DOTALL)[1])


def test_it_is_small_and_the_same_every_time(thermometer_page):
    assert len(thermometer_page.encode()) < 150_000
    assert thermometer_page == page(
        "thermometer", Trace(trace(thermometer), accumulate(thermometer)), Settings()
    )


def test_it_asks_for_nothing_else(thermometer_page):
    elements = Elements(thermometer_page)
    for tag, attributes in elements.found:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img", "video")
        assert not {"src", "href", "style", "srcset", "action"} & attributes.keys(), tag
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in thermometer_page
    assert not re.search(r"https?://(?!www\.w3\.org/)", thermometer_page)


def test_its_policy_lets_only_its_own_script_and_style_run(thermometer_page):
    elements = Elements(thermometer_page)
    policy = next(a["content"] for _, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy

    def digest(text):
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    (style,) = re.findall(r"<style>(.*?)</style>", thermometer_page, re.DOTALL)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', thermometer_page, re.DOTALL)
    assert digest(style) in policy
    assert digest(script) in policy


def test_without_script_the_picture_shows_the_end_and_the_text_twin_is_there(thermometer_page):
    elements = Elements(thermometer_page)
    hidden = [a for tag, a in elements.found if "data-script" in a]
    assert len(hidden) >= 3
    assert all("hidden" in attributes for attributes in hidden)
    assert "[data-t]{visibility:hidden}" in thermometer_page
    assert "4517.3" in "".join(elements.texts["pre"])
    assert "grad_fn tree" in "".join(elements.texts["pre"])
    assert "svg" in elements.texts


def test_every_frame_of_the_record_is_in_its_data(thermometer_page):
    picture = data_of(thermometer_page)["picture"]
    assert len(picture["captions"]) == len(picture["engine"]) == 8
    said = " ".join(text for line in picture["captions"][2] for _, _, text in line)
    assert "0.09091 × 2(35.2) = 6.4" in said
    assert {card.get("runs_at") for card in picture["cards"].values()} >= set(range(1, 8))


def test_the_ledger_has_every_call_under_every_policy(thermometer_page):
    ledger = data_of(thermometer_page)["ledger"]
    assert ledger["calls"] == 4
    w = ledger["accounts"][0]
    assert [w["keep"][k][2] for k in range(4)] == ["4517.3", "9034.6", "13551.9", "18069.2"]
    assert {w["zero_"][k][2] for k in range(4)} == {"4517.3"}


def test_a_large_program_is_small_and_can_be_opened_by_its_cards():
    torch.manual_seed(0)
    text = page("gpt", Trace(trace(models.gpt_by_hand)), Settings())
    assert len(text.encode()) < 1_000_000
    data = data_of(text)
    doors = {card["opens"] for card in data["picture"]["cards"].values() if card.get("opens")}
    assert doors
    assert doors <= data["packed"].keys()
    assert set(data["titles"]) == set(data["packed"])
    for key, packed in data["packed"].items():
        inside = json.loads(zlib.decompress(base64.b64decode(packed)))
        assert inside["key"] == key
        assert inside["svg"].startswith("<svg")
        assert len(inside["captions"]) == len(inside["engine"])
        assert inside["engine"] == sorted(inside["engine"])
    assert {key for _, key, _ in data["index"]} <= {"", *data["packed"]}


def test_a_trace_without_a_backward_says_so():
    text = page("structure", Trace(replace(trace(thermometer), passes=())), Settings())
    assert "No backward was recorded" in "".join(Elements(text).texts["p"])
    assert len(data_of(text)["picture"]["captions"]) == 1


def test_an_empty_graph_has_a_page():
    assert "Nothing to draw" in page("empty", Trace(Graph()), Settings())


@pytest.mark.parametrize("label", HOSTILE)
def test_no_text_of_a_program_breaks_out(label):
    node = Node("n0", "leaf", op=label, names=(label,))
    op = Node(
        "n1", "operation", op=label, grad_fn=label, where=0, group=label, notes=(label,), formula=(label,)
    )
    graph = Graph((node, op), source=(SourceLine(label, 1, label, label),))
    plain = Elements(
        page(
            "x",
            Trace(
                Graph((Node("n0", "leaf"), Node("n1", "operation", where=0)), source=(SourceLine("f", 1),))
            ),
            Settings(),
        )
    )
    found = Elements(page(label, Trace(graph), Settings()))
    count = lambda elements, tag: sum(name == tag for name, _ in elements.found)  # noqa: E731
    for tag in ("script", "style", "img", "pre", "title", "h1", "b", "svg", "meta"):
        if tag != "title":  # cards of a picture have titles of their own
            assert count(found, tag) == count(plain, tag), tag
    assert "49" not in "".join(found.texts["h1"])


def test_the_script_is_one_module_with_each_of_its_files_once():
    script = bundled(WEB)
    for file in WEB.iterdir():
        if file.name.endswith(".js") and file.name != "main.js":
            assert script.count(f"let ${file.name.removesuffix('.js')}=") == 1, file.name
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert "</script" not in script


@pytest.mark.parametrize(
    "program", [basics.complex_numbers, basics.nested, basics.several_losses, models.lstm]
)
def test_unusual_programs_have_a_page(program):
    text = page("x", Trace(trace(program)), Settings(direction="TB", theme="dark"))
    assert data_of(text)["picture"]["cards"]


def test_no_picture_is_drawn_after_the_first_that_has_no_room(monkeypatch):
    drawn = []
    draw = pictures._picture
    monkeypatch.setattr(
        pictures, "_picture", lambda picture, *rest: drawn.append(picture.key) or draw(picture, *rest)
    )
    monkeypatch.setattr(document, "ROOM", 30_000)
    torch.manual_seed(0)
    packed = data_of(page("gpt", Trace(trace(models.gpt_by_hand)), Settings()))["packed"]
    assert 0 < sum(map(len, packed.values())) <= 30_000
    assert drawn[: len(packed) + 1] == ["", *packed]
    assert len(drawn) == len(packed) + 2


# ---- what a reader chooses ----------------------------------------------------------------------------


def test_a_page_shows_the_rows_that_are_asked_for_and_marks_and_titles():
    look = look_for(
        show="value,grad", hide="constants", mark="w", title="A thermometer", caption="at the start"
    )
    plain = page("x", Trace(trace(thermometer)), Settings())
    chosen = page("x", Trace(trace(thermometer)), Settings(look=look))
    first = plain[plain.index("<svg") : plain.index("</svg>")]
    picture = chosen[chosen.index("<svg") : chosen.index("</svg>")]
    for text in ("thermometer.py:", ">saved", ">× ", 'class="node constant"'):
        assert text in first
        assert text not in picture
    for text in (">A thermometer<", ">at the start<", 'stroke-width="3.5"'):
        assert text in picture
        assert text not in first
    assert "35.2" in picture


def test_a_page_leaves_out_transposes_and_says_so():
    look = look_for(hide="transposes")
    chosen = page("x", Trace(trace(models.tied)), Settings(look=look))
    assert re.search("not shown: [1-9] transposes; arrows go across them", chosen)
    assert "not shown: " not in page("x", Trace(trace(models.tied)), Settings())


def test_a_page_of_one_way_has_arrows_of_one_way():
    chosen = page("x", Trace(trace(thermometer)), Settings(look=look_for(only="forward")))
    assert 'class="edge forward"' in chosen
    assert 'class="edge backward"' not in chosen


def test_a_mark_in_a_card_is_on_the_card_and_on_what_it_is_inside():
    look = look_for(mark="stages.0.1.conv2.weight", title="A ResNet")
    first, *inner = pictures.pictures(
        pictures.outermost(trace(models.resnet), Settings()), Settings(look=look)
    )
    assert first.svg.count('stroke-width="3.5"') <= 1
    assert any('stroke-width="3.5"' in picture.svg for picture in inner)
    assert not any("A ResNet</text>" in picture.svg for picture in inner)


def test_a_mark_that_is_nowhere_is_refused():
    with pytest.raises(UsageError, match="nothing"):
        page("x", Trace(trace(thermometer)), Settings(look=look_for(mark="nonsense")))


@pytest.mark.parametrize("calls", [1, 3])
def test_of_several_backwards_the_page_says_which_one_is_drawn(calls):
    w = torch.tensor(2.0, requires_grad=True)

    def train():
        for _ in range(calls):
            (w * w).backward()

    run = follow(train)
    text = page("run", Trace(run.first_graph, None, run), Settings())
    said = "the program called backward itself 3 times, of which this is the first"
    assert (said in text) == (calls == 3)


@pytest.mark.parametrize("file", sorted(WEB.glob("*.js")), ids=lambda file: file.stem)
def test_texts_of_a_script_keep_their_spaces(file):
    source = script._COMMENT.sub("", file.read_text(encoding="utf-8"))
    dense = script._plain(source)
    texts = [text for line in source.split("\n") for text in script._TEXT.findall(line)]
    assert [text for text in texts if text not in dense] == []
