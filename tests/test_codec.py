"""Traces survive JSON unchanged, and a damaged file says where it is damaged."""

from __future__ import annotations

import json

import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.codec import dumps, loads
from autograd_tour.errors import TraceFileError
from autograd_tour.lessons.thermometer import thermometer


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


def odd_numbers():
    x = torch.tensor([1.0, 0.0, -1.0, 5.0], requires_grad=True)
    return (x.log() + 1e30 * x).sum() + torch.tensor([1 + 2j], requires_grad=True).abs().sum()


@pytest.mark.parametrize("program", [thermometer, odd_numbers], ids=["thermometer", "nan, inf and complex"])
def test_a_trace_is_the_same_after_json(program):
    graph, ledger = tour.trace(program), tour.accumulate(program, calls=2)
    again = loads(dumps(graph, ledger))
    assert again.graph == graph
    assert again.ledger == ledger
    assert dumps(again.graph, again.ledger) == dumps(graph, ledger)


def test_numbers_that_json_lacks_are_kept():
    values = {str(n) for node in tour.trace(odd_numbers).nodes for f in node.values if f for n in f.first}
    assert {"nan", "-inf"} <= values
    json.loads(dumps(tour.trace(odd_numbers)), parse_constant=lambda name: pytest.fail(f"not JSON: {name}"))


def spoilt(graph, **changes):
    file = json.loads(dumps(graph))
    for path, value in changes.items():
        place = file
        *steps, last = path.split("__")
        for step in steps:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value
    return json.dumps(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[1, 2]", "not an autograd-tour trace"),
        ('{"nodes": []}', "not an autograd-tour trace"),
        ('{"format": "other", "schema": 1}', "not an autograd-tour trace"),
        ('{"format": "autograd-tour", "schema": 99}', "schema 99"),
        ("[" * 100_000 + "]" * 100_000, "not an autograd-tour trace|nested too deep"),
        ('{"format": "autograd-tour", "schema": 1, "graph": ' + "[" * 100_000, "damaged|deep|not valid"),
        (b"\xff\xfe\x00", "not valid JSON"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(text, says):
    with pytest.raises(TraceFileError, match=says) as caught:
        loads(text, "some.json")
    assert "some.json" in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"graph__nodes__0__kind": "leaves"}, r"\$.graph.nodes\[0\].kind"),
        ({"graph__nodes__2__values__0__shape": "eleven"}, r"\$.graph.nodes\[2\].values\[0\].shape"),
        ({"graph__edges__0__dst": "n99"}, r"\$.graph.edges\[0\].dst"),
        ({"graph__edges__1__src": "nowhere"}, r"\$.graph.edges\[1\].src"),
        ({"graph__nodes__1__id": "n0"}, r"\$.graph.nodes"),
        ({"graph__passes__0__steps__0__node": "n99"}, r"\$.graph.passes\[0\].steps\[0\].node"),
        ({"graph__outputs__0": ["n99", 0]}, r"\$.graph.outputs\[0\]"),
        ({"graph__nodes__3__where": 99}, r"\$.graph.nodes\[3\].where"),
    ],
)
def test_a_damaged_field_is_named(graph, changes, path):
    with pytest.raises(TraceFileError, match=path):
        loads(spoilt(graph, **changes))


def test_equal_traces_have_equal_bytes_and_others_do_not(graph):
    assert dumps(graph) == dumps(tour.trace(thermometer))
    assert dumps(graph) != dumps(replace(graph, outputs=()))
