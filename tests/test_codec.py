"""Traces survive JSON unchanged, and a damaged file says where it is damaged."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

import autograd_tour as tour
from autograd_tour.errors import TraceFileError
from autograd_tour.formats import Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.codec import dumps, loads
from autograd_tour.record.facts import Stats, TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Group, Meta, SourceLine, Step
from autograd_tour.record.ledger import Call, LeafAccount, Ledger
from autograd_tour.record.node import Cut, Node, Saved
from autograd_tour.record.rule import Constant, Symbol, Words, apply
from autograd_tour.record.trace import Trace
from tests.examples import examples


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
        ('{"format": "other", "schema": 2}', "not an autograd-tour trace"),
        ('{"format": "autograd-tour", "schema": 99}', "schema 99"),
        ('{"format": "autograd-tour", "schema": 1, "graph": {}}', "schema 1, this version reads schema 2"),
        ("[" * 100_000 + "]" * 100_000, "not an autograd-tour trace|nested too deep"),
        ('{"format": "autograd-tour", "schema": 2, "graph": ' + "[" * 100_000, "damaged|deep|not valid"),
        (b"\xff\xfe\x00", "not valid JSON"),
        ("\ufeff{}", "not valid JSON"),
        ("null", "not an autograd-tour trace"),
        ('{"format": "autograd-tour", "schema": "1", "graph": {}}', "not an autograd-tour trace"),
        ('{"format": "autograd-tour", "schema": 2}', "missing required field `graph`"),
        ('{"format": "autograd-tour", "schema": 2, "graph": {}} {}', "not valid JSON"),
        (
            '{"format": "autograd-tour", "schema": 2, "graph": {"new": '
            + "[" * 100_000
            + "]" * 100_000
            + "}}",
            "nested too deep",
        ),
        ('{"format": "autograd-tour", "schema": 2, "graph": {"nodes": [NaN]}}', "not valid JSON"),
        (
            '{"format": "autograd-tour", "schema": 2, "graph": {"nodes": [], "outputs": [["a\\nb", 0]]}}',
            "no node has the id",
        ),
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
        ({"graph__nodes__1__id": "n0"}, r"\$.graph.nodes\[1\].id"),
        ({"graph__nodes__2__id": ""}, r"\$.graph.nodes\[2\].id"),
        ({"graph__nodes__2__id": 'n2"><script>'}, r"\$.graph.nodes\[2\].id"),
        ({"graph__nodes__2__id": "n" * 1000}, r"\$.graph.nodes\[2\].id"),
        ({"graph__nodes__2__id": 2}, r"\$.graph.nodes\[2\].id"),
        ({"graph__nodes__2__slots": -1}, r"\$.graph.nodes\[2\].slots"),
        ({"graph__edges__3__slot": [-1, 0]}, r"\$.graph.edges\[3\].slot"),
        ({"graph__edges__3__slot": [0, -2]}, r"\$.graph.edges\[3\].slot"),
        ({"graph__edges__3__slot": [0]}, r"\$.graph.edges\[3\].slot"),
        ({"graph__edges__3__kind": "sideways"}, r"\$.graph.edges\[3\].kind"),
        ({"graph__outputs__0__1": -1}, r"\$.graph.outputs\[0\]"),
        ({"graph__nodes__3__where": -1}, r"\$.graph.nodes\[3\].where"),
        ({"graph__source__0__line": "one"}, r"\$.graph.source\[0\].line"),
        ({"graph__nodes": None}, r"\$.graph.nodes"),
        ({"graph__nodes__0__kind": "accumulate"}, r"\$.graph.edges\[\d\].kind"),
        ({"graph__nodes__1__kind": "leaf"}, r"\$.graph.edges\[\d\].kind"),
        ({"graph__nodes__2__kind": "accumulate"}, r"\$.graph.edges\[3\].kind"),
        (
            {"graph__nodes__10__kind": "accumulate", "graph__nodes__10__slots": 0},
            r"\$.graph.passes\[0\].steps\[0\]",
        ),
        ({"graph__nodes__3__kind": "accumulate"}, r"\$.graph.nodes\[3\].slots"),
        (
            {"graph__nodes__3__kind": "accumulate", "graph__nodes__3__slots": 0},
            r"\$.graph.passes\[0\].steps\[5\]",
        ),
        ({"graph__nodes__3__state": "same"}, r"\$.graph.nodes\[3\].state"),
        ({"graph__passes__0__steps__2__sent": [None]}, r"\$.graph.passes\[0\].steps\[2\].sent"),
        ({"graph__passes__0__steps__1__received": []}, r"\$.graph.edges\[17\].slot"),
        ({"graph__edges__17__slot": [1, 0]}, r"\$.graph.edges\[17\].slot"),
        ({"graph__edges__2__src": "n9"}, r"\$.graph.edges\[2\]"),
        ({"graph__passes__0__steps__1__node": "n10"}, r"\$.graph.passes\[0\].steps\[1\]"),
        ({"ledger": {"accounts": [{}]}}, r"\$.ledger.accounts\[0\]"),
        ({"graph__passes__0__steps__0__node": "n99"}, r"\$.graph.passes\[0\].steps\[0\].node"),
        ({"graph__outputs__0": ["n99", 0]}, r"\$.graph.outputs\[0\]"),
        ({"graph__nodes__3__where": 99}, r"\$.graph.nodes\[3\].where"),
        ({"graph__nodes__2__values__0__first": ["word"]}, r"\$.graph.nodes\[2\].values\[0\].first\[0\]"),
        ({"graph__nodes__2__values__0__last": "word"}, r"\$.graph.nodes\[2\].values\[0\].last"),
        ({"graph__nodes__2__values__0__stats__mean": ""}, r"\$.graph.nodes\[2\].values\[0\].stats.mean"),
        ({"graph__nodes__2__values__0__first": [1.0] * 12}, r"\$.graph.nodes\[2\].values\[0\].first"),
        ({"graph__nodes__3__numbers": ["two"]}, r"\$.graph.nodes\[3\].numbers\[0\]"),
        ({"graph__nodes__3__numbers": [10**400]}, r"\$.graph.nodes\[3\].numbers\[0\]"),
        ({"graph__nodes__3__attributes": [["alpha", 10**400]]}, r"\$.graph.nodes\[3\].attributes\[0\]\[1\]"),
        ({"graph__nodes__3__attributes": [["dims", [0, 10**400]]]}, r"nodes\[3\].attributes\[0\]\[1\]\[1\]"),
        ({"graph__passes__0__steps__0__sent__0__first": ["x"]}, r"\$.graph.passes\[0\].steps\[0\].sent\[0\]"),
        ({"graph__edges__17__rule": ["number", 10**400]}, r"\$.graph.edges\[17\].rule"),
    ],
)
def test_a_damaged_field_is_named(graph, changes, path):
    with pytest.raises(TraceFileError, match=path):
        loads(spoilt(graph, **changes))


LEDGER = {
    "a call is missing": ({"ledger__accounts__0__none": []}, r"\$.ledger.accounts\[0\].none"),
    "a word": (
        {"ledger__accounts__0__keep__1__after__first": ["x"]},
        r"accounts\[0\].keep\[1\].after.first\[0\]",
    ),
    "a loss": ({"ledger__losses__0__first": ["x"]}, r"\$.ledger.losses\[0\].first\[0\]"),
}


@pytest.mark.parametrize("case", LEDGER)
def test_a_damaged_field_of_the_ledger_is_named(graph, case):
    changes, path = LEDGER[case]
    with pytest.raises(TraceFileError, match=path):
        loads(spoilt(Trace(graph, tour.accumulate(thermometer, calls=2)), **changes))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (rb'"op":"x"', r"\$\.graph\.nodes\[0\]\.op"),
        (rb'"names":["w","x"]', r"\$\.graph\.nodes\[0\]\.names\[1\]"),
    ],
)
def test_a_byte_that_is_not_utf8_is_told_with_its_field(text, path):
    file = dumps(Graph((Node("n0", "leaf", op="x", names=("w", "x")),))).encode()
    file = json.dumps(json.loads(file), separators=(",", ":")).encode()
    assert file.count(text) == 1
    damaged = file.replace(text, text.replace(b'x"', b'\xff"'))
    with pytest.raises(TraceFileError, match=path) as caught:
        loads(damaged, "some.json")
    assert "not UTF-8" in caught.value.message


CALLS = {
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "clamp": lambda x, number: x.clamp(number, number),
}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("call", CALLS)
def test_a_rule_with_a_number_that_json_lacks_is_read_again(call, number):
    x = torch.ones(2, requires_grad=True)
    graph = tour.trace(lambda: CALLS[call](x, float(number)).sum())
    assert loads(dumps(graph)).graph == graph


def test_complex_numbers_and_those_that_are_not_finite_are_numbers():
    facts = TensorFacts((3,), "complex64", first=("(1+2j)", "nan", "-inf"), last="(nan-infj)")
    assert loads(dumps(Graph((Node("n0", "leaf", values=(facts,)),)))).graph.nodes[0].value == facts


def test_equal_traces_have_equal_bytes_and_others_do_not(graph):
    assert dumps(graph) == dumps(tour.trace(thermometer))
    assert dumps(graph) != dumps(replace(graph, outputs=()))


# ---- any graph there can be ---------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = (
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["nan", "inf", "-inf", "(1+2j)", "(nan-infj)", 10**300, -(2**63) - 1, 2**64])
)
ATTRIBUTES = (
    NUMBERS
    | TEXTS
    | st.lists(NUMBERS | TEXTS | st.lists(NUMBERS, max_size=2).map(tuple), max_size=2).map(tuple)
)
EXTENTS = st.lists(st.integers(-1, 2**62), max_size=3).map(tuple)
STATS = st.builds(Stats, *[st.none() | NUMBERS] * 4, *[st.none() | st.integers(0)] * 3)


def _is_real(value):
    """Numbers in rules are: what is complex is an operand."""
    return not (isinstance(value, str) and value.endswith("j)"))


SYMBOLS = st.builds(
    Symbol, st.sampled_from(["gradient", "input", "result", "saved"]), st.integers(0, 3), TEXTS
)
TREES = st.recursive(
    SYMBOLS | st.builds(Constant, NUMBERS.filter(_is_real)),
    lambda inner: (
        st.builds(lambda f, a, b: apply(f, a, b), st.sampled_from(["add", "mul", "div", "pow"]), inner, inner)
        | st.builds(lambda f, a: apply(f, a), st.sampled_from(["exp", "neg", "sqrt", "transpose"]), inner)
    ),
    max_leaves=6,
)
RULES = st.none() | st.builds(Words, TEXTS) | TREES
FACTS = st.builds(
    TensorFacts,
    EXTENTS,
    TEXTS,
    requires_grad=st.booleans(),
    version=st.integers(0),
    first=st.lists(NUMBERS, max_size=4).map(tuple),
    last=st.none() | NUMBERS,
    stats=st.none() | STATS,
).map(
    lambda facts: (
        replace(facts, first=facts.first[: facts.numel]) if min(facts.shape, default=0) >= 0 else facts
    )
)
MAYBE = st.none() | FACTS


@st.composite
def graphs(draw):
    """A valid graph: every reference finds what it names."""
    count = draw(st.integers(0, 4))
    lines = tuple(draw(st.lists(st.builds(SourceLine, TEXTS, st.integers(), TEXTS, TEXTS), max_size=2)))
    where = st.none() | st.integers(0, len(lines) - 1) if lines else st.none()
    kinds = [
        draw(st.sampled_from(["leaf", "constant", "operation", "accumulate", "group"])) for _ in range(count)
    ]
    nodes = tuple(
        draw(
            st.builds(
                Node,
                st.just(f"n{i}"),
                st.just(kinds[i]),
                op=TEXTS,
                grad_fn=TEXTS,
                slots=st.just(0) if kinds[i] == "accumulate" else st.integers(0, 3),
                values=st.lists(MAYBE, max_size=2).map(tuple),
                names=st.lists(TEXTS, max_size=2).map(tuple),
                where=where,
                attributes=st.lists(st.tuples(TEXTS, ATTRIBUTES), max_size=2).map(tuple),
                cut=st.none() | st.builds(Cut, TEXTS, TEXTS, TEXTS),
                custom=st.booleans(),
                compiled=st.booleans(),
                saved=st.lists(
                    st.builds(Saved, TEXTS, MAYBE, state=st.sampled_from(["kept", "freed"])), max_size=2
                ).map(tuple),
                notes=st.lists(TEXTS, max_size=1).map(tuple),
            )
        )
        for i in range(count)
    )
    meta = Meta(draw(TEXTS), draw(st.none() | st.integers(0)))
    if not nodes:
        return Graph(source=lines, meta=meta)
    edges = [edge for edge in draw(st.lists(links(nodes), max_size=5)) if edge is not None]
    for node in nodes:
        leaves = [other.id for other in nodes if other.kind == "leaf"]
        if node.kind == "accumulate" and leaves:
            edges.append(Edge(node.id, draw(st.sampled_from(leaves)), "gradient"))
    steps = [
        Step(
            node.id,
            tuple(draw(st.lists(MAYBE, min_size=4, max_size=4))),
            tuple(draw(st.lists(MAYBE, min_size=node.slots, max_size=node.slots))),
            draw(MAYBE),
            draw(MAYBE),
        )
        for node in draw(st.permutations(nodes))
        if draw(st.booleans())
    ]
    ids = st.sampled_from([node.id for node in nodes])
    return Graph(
        nodes,
        tuple(edges),
        tuple(draw(st.lists(st.builds(Group, TEXTS, TEXTS), max_size=2))),
        (BackwardPass(tuple(steps)),),
        lines,
        tuple(draw(st.lists(st.tuples(ids, st.integers(0, 3)), max_size=2))),
        meta,
    )


@st.composite
def links(draw, nodes):
    """An edge between two of the nodes, ``None`` where these two cannot have one."""
    a, b = sorted(draw(st.tuples(*[st.integers(0, len(nodes) - 1)] * 2)))
    made, used = nodes[a], nodes[b]
    run = ("operation", "group")
    if a == b or used.kind not in run:
        return None
    if made.kind in (*run, "accumulate") and used.slots and draw(st.booleans()):
        slot = (draw(st.integers(0, used.slots - 1)), draw(st.integers(0, 3)))
        return Edge(used.id, made.id, "gradient", slot, draw(RULES))
    if made.kind not in (*run, "leaf", "constant"):
        return None
    return Edge(made.id, used.id, "forward", draw(st.tuples(st.integers(0, 3), st.integers(-1, 3))))


CALL = st.builds(Call, MAYBE, MAYBE, MAYBE)


@st.composite
def ledgers(draw):
    """A valid ledger: every leaf has an entry for each call."""
    count = draw(st.integers(0, 2))
    calls = st.lists(CALL, min_size=count, max_size=count).map(tuple)
    accounts = st.lists(st.builds(LeafAccount, TEXTS, EXTENTS, calls, calls, calls), max_size=2)
    losses = st.lists(MAYBE, max_size=2)
    return Ledger(count, tuple(draw(accounts)), tuple(draw(losses)))


@settings(deadline=None)
@given(graphs(), st.none() | ledgers())
def test_any_graph_and_ledger_is_the_same_after_json(any_graph, ledger):
    text = dumps(any_graph, ledger)
    again = loads(text)
    assert again.graph == any_graph
    assert again.ledger == ledger
    assert dumps(again.graph, again.ledger) == text
    # 1, 1.0 and True are equal, and not the same.
    assert repr(astuple(again.graph)) == repr(astuple(any_graph))


@settings(deadline=None, max_examples=examples(25))
@given(graphs(), st.sampled_from(["graph", "chain", "torchviz"]))
def test_any_graph_that_can_be_read_can_be_drawn(any_graph, view):
    chosen = Settings(formats=("svg", "dot", "txt"), views=(view,))
    files = files_of_trace("x", loads(dumps(any_graph)), chosen)
    assert len(files) == 3
    assert all(files.values())


def test_half_a_surrogate_pair_becomes_the_replacement_character():
    odd = Graph((Node("n0", "leaf", names=("x\ud800y", "\ud83d\ude00")),))
    assert loads(dumps(odd)).graph.nodes[0].names == ("x\ufffdy", "😀")


def test_a_large_trace_is_read_again():
    count = 100_000
    nodes = tuple(Node(f"n{i}", "operation", op="mul", grad_fn="MulBackward0", slots=1) for i in range(count))
    edges = tuple(Edge(f"n{i}", f"n{i - 1}", "gradient") for i in range(1, count))
    large = Graph(nodes, edges, outputs=((nodes[-1].id, 0),))
    assert loads(dumps(large)).graph == large


def test_a_number_of_slots_that_no_node_can_have_stops_nothing():
    """Each slot of a node would be a line of the report, and a row of its card."""
    odd = loads(dumps(Graph((Node("n0", "operation", slots=2**60),), outputs=(("n0", 0),)))).graph
    files = files_of_trace("x", Trace(odd), Settings(formats=("svg", "dot", "txt"), views=("chain",)))
    assert "more" in files["x-chain.svg"]
    assert len(files["x-report.txt"].splitlines()) < 2_100
