"""No name, line or note of a program breaks a picture, a DOT file or a report."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing.engine import choose
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Edge, Graph, Group
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Words
from autograd_tour.reports.diff import diff_report
from autograd_tour.views.diff import diff
from tests.pictures import scene_of

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onload="alert(1)" x=\'',
    "cdata": "]]><!-- ",
    "dot escapes": r"\N \G \L {a|b} \\",
    "html label": "<b>x</b>",
    "control": "a\0b\x07c\x1b[31m\x7f",
    "surrogate": "x\ud800y",
    "noncharacter": "x\ufffey\uffff",
    "direction": "abc\u202edcba",
    "lines": "one\ntwo\r\nthree\ttab",
    "emoji": "👩‍🔬 温度計 🌡️",
    "long": "n" * 10_000,
}


@pytest.fixture(scope="module")
def plain():
    return tour.trace(thermometer)


def infected(graph, text, *, numbers=True):
    """The graph with ``text`` wherever a program, or whoever makes a record, can put one.

    Among ``numbers`` a file may have none.
    """
    odd = {"first": (text, 1.0), "last": text} if numbers else {}
    nodes = tuple(
        replace(
            node,
            op=text,
            expr=text,
            grad_fn=text,
            call=text,
            group=text,
            formula=(text,),
            values=tuple(facts and replace(facts, dtype=text, layout=text, **odd) for facts in node.values),
            names=tuple(text for _ in node.names),
            notes=(text,),
            attributes=((text, text),),
            saved=tuple(replace(item, name=text, of="") for item in node.saved),
        )
        for node in graph.nodes
    )
    edges = tuple(replace(edge, rule=Words(text)) for edge in graph.edges)
    source = tuple(replace(line, text=text, file=text, function=text) for line in graph.source)
    meta = replace(graph.meta, notes=(text,), torch=text)
    groups = (Group(text, text),)
    return replace(graph, nodes=nodes, edges=edges, groups=groups, source=source, meta=meta)


@pytest.mark.parametrize("view", ["graph", "chain", "outline", "torchviz"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_picture_stays_a_picture(plain, name, view):
    svg = tour.svg(infected(plain, HOSTILE[name]), view=view)
    svg.encode()
    root = ET.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    allowed = {"svg", "title", "desc", "style", "defs", "pattern", "rect", "g", "path", "text", "circle"}
    assert tags <= allowed
    keys = {key.lower() for element in root.iter() for key in element.attrib}
    assert not [key for key in keys if key.startswith("on") or "href" in key]
    cards = [e for e in root.iter() if e.get("class", "").startswith("node")]
    assert len(svg) < 60_000
    assert len(cards) == len(scene_of(plain, view=view).cards)


@pytest.mark.parametrize("name", HOSTILE)
def test_dot_is_read_by_every_engine_and_names_every_card(plain, name):
    text = tour.dot(infected(plain, HOSTILE[name]))
    engines = [choose("graphviz-pure")[1], *([dot] if (dot := shutil.which("dot")) else [])]
    for engine in engines:
        done = subprocess.run(
            [engine, "-Tplain"], input=text.encode(), capture_output=True, check=True, timeout=60
        )
        drawn = [line for line in done.stdout.decode().split("\n") if line.startswith("node ")]
        assert len(drawn) == len(plain.nodes) - 2


def engines():
    return [choose("graphviz-pure")[1], *([dot] if (dot := shutil.which("dot")) else [])]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "emoji"])
def test_dot_shows_just_the_text(plain, name):
    """Except for characters that Graphviz has no width for, which it may take apart."""
    odd = infected(plain, HOSTILE[name])
    wanted = sorted(
        " ".join("".join(run.text for run in (*row.left, *row.right)).split())
        for card in scene_of(odd).cards
        for row in card.rows
    )
    for engine in engines():
        done = subprocess.run(
            [engine, "-Tsvg"], input=tour.dot(odd).encode(), capture_output=True, check=True, timeout=60
        )
        root = ET.fromstring(done.stdout)
        nodes = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "node"]
        shown = [text.text or "" for g in nodes for text in g.iter("{http://www.w3.org/2000/svg}text")]
        squeezed = sorted("".join(line.split()) for line in shown if line.strip())
        assert squeezed == sorted("".join(line.split()) for line in wanted if line.strip())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_trace_reads_back(plain, name):
    odd = infected(plain, HOSTILE[name], numbers=False)
    again = tour.loads(tour.dumps(odd)).graph
    assert again == (infected(plain, "x\ufffdy", numbers=False) if name == "surrogate" else odd)


@pytest.mark.parametrize(
    "odd", ['"><script>alert(1)</script>', "node", "a b; c", "", "\ud800", "7.5", "n0:e"]
)
def test_an_id_made_by_hand_breaks_nothing(odd):
    graph = Graph((Node(odd, "operation", op="op"), Node("other", "operation")), outputs=((odd, 0),))
    graph = replace(graph, edges=(Edge(odd, "other", "forward"),))
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(tour.svg(graph)).iter()}
    assert "script" not in tags
    for engine in engines():
        done = subprocess.run(
            [engine, "-Tplain"], input=tour.dot(graph).encode(), capture_output=True, check=True, timeout=60
        )
        lines = [line.split(" ")[0] for line in done.stdout.decode().split("\n")]
        assert (lines.count("node"), lines.count("edge")) == (2, 1)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_comparison_is_a_picture_and_plain_text_too(plain, name):
    compared = diff(plain, infected(plain, HOSTILE[name]))
    ET.fromstring(tour.svg(compared))
    report = diff_report(compared, "a", "b")
    report.encode()
    assert not [char for char in report if ord(char) < 32 and char != "\n"]
    assert max(map(len, report.split("\n"))) < 1_000


# ---- real programs -------------------------------------------------------------------------


def hostile_names():
    """What a program can put into a trace: modules' names, a Function's name, lines of a file."""
    double = type(
        "<script>alert(1)</script>",
        (torch.autograd.Function,),
        {
            "forward": staticmethod(lambda ctx, x: x * 2),
            "backward": staticmethod(lambda ctx, grad: grad * 2),
        },
    )
    layers = torch.nn.ModuleDict({'<b>"]]>&': torch.nn.Linear(2, 2), r"\N{a|b}": torch.nn.Linear(2, 1)})

    def program():
        x = torch.ones(3, 2)
        for layer in layers.values():
            x = double.apply(layer(x))
        return x.sum()

    return program, layers


def test_a_program_with_hostile_names_is_drawn_and_told():
    program, layers = hostile_names()
    weight = next(iter(layers.values())).weight
    graph = tour.trace(program, names={"<i>\x00\ud800" + "w" * 10_000: weight})
    for view in ("graph", "chain", "torchviz"):
        root = ET.fromstring(tour.svg(graph, view=view))
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"script", "b", "i"}
        for engine in engines():
            text = tour.dot(graph, view=view).encode()
            subprocess.run([engine, "-Tplain"], input=text, capture_output=True, check=True, timeout=60)
    report = tour.report(graph)
    report.encode()
    assert not [char for char in report if ord(char) < 32 and char != "\n"]
    assert tour.report(tour.loads(tour.dumps(graph)).graph).count("\n") == report.count("\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_report_is_plain_text(plain, name):
    report = tour.report(infected(plain, HOSTILE[name]))
    report.encode()
    assert not [char for char in report if ord(char) < 32 and char != "\n"]
    assert max(map(len, report.split("\n"))) < 1_000
