"""No name, line or note of a program breaks a picture, a DOT file or a report."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing.engine import choose
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.views import registry

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


def infected(graph, text):
    """The graph with ``text`` wherever a program can put one."""
    nodes = tuple(
        replace(
            node,
            op=text,
            expr=text,
            names=tuple(text for _ in node.names),
            notes=(text,),
            attributes=((text, text),),
            saved=tuple(replace(item, name=text) for item in node.saved),
        )
        for node in graph.nodes
    )
    edges = tuple(replace(edge, rule=text) for edge in graph.edges)
    source = tuple(replace(line, text=text, file=text, function=text) for line in graph.source)
    meta = replace(graph.meta, notes=(text,))
    return replace(graph, nodes=nodes, edges=edges, source=source, meta=meta)


@pytest.mark.parametrize("view", ["graph", "chain", "torchviz"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_picture_stays_a_picture(plain, name, view):
    svg = tour.svg(infected(plain, HOSTILE[name]), view=view)
    svg.encode()
    root = ET.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    allowed = {"svg", "title", "desc", "style", "defs", "pattern", "rect", "g", "path", "text", "circle"}
    assert tags <= allowed
    assert not [key for element in root.iter() for key in element.attrib if key.lower().startswith("on")]
    cards = [e for e in root.iter() if e.get("class", "").startswith("node")]
    assert len(cards) == len(registry()[view].apply(plain).nodes) - 2 * (view != "torchviz")


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


@pytest.mark.parametrize("name", HOSTILE)
def test_a_report_is_plain_text(plain, name):
    report = tour.report(infected(plain, HOSTILE[name]))
    report.encode()
    assert not [char for char in report if ord(char) < 32 and char != "\n"]
    assert max(map(len, report.split("\n"))) < 1_000
