"""What every view, format and lesson promises, ours and those of other packages."""

from __future__ import annotations

import functools
import importlib.metadata
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest

import autograd_tour as tour
from autograd_tour import formats, lessons, registry, views
from autograd_tour.drawing import dot, draw
from autograd_tour.errors import PictureError, TourError, UsageError
from autograd_tour.formats import Format, Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons import ProgramLesson
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.node import Node
from autograd_tour.record.run import Run as ProgramRun
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.views import picture_of
from autograd_tour.views.base import View
from autograd_tour.views.diff import diff
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import fold
from autograd_tour.views.picture import (
    Card,
    Chart,
    Film,
    Link,
    Listing,
    Row,
    Run,
    RunCell,
    RunChart,
    RunColumn,
    RunLane,
    Scene,
    check,
)
from autograd_tour.views.unfold import closed, opened
from tests.programs import basics, loops, models

VIEWS, FORMATS, LESSONS = views.registry(), formats.registry(), lessons.registry()
EVERYTHING = [
    pytest.param(item, id=f"{kind}-{name}")
    for kind, known in (("view", VIEWS), ("format", FORMATS), ("lesson", LESSONS))
    for name, item in known.items()
]
PROGRAMS = (basics.detached, basics.several_outputs, basics.several_losses, models.tied)
TRAINING = (loops.gan, loops.lbfgs, loops.step_in_backward)
"""Programs that call backward, zero_grad and step themselves."""
ALL_PROGRAMS = (*PROGRAMS, *TRAINING)
SMALL = {
    "empty": Graph(),
    "one leaf": Graph((Node("n0", "leaf", names=("w",)),)),
    "one operation": Graph((Node("n0", "operation", op="op", grad_fn="OpBackward0", slots=2),)),
    "one result": Graph((Node("n0", "operation"),), outputs=(("n0", 0),)),
    "one constant": Graph((Node("n0", "constant"),)),
    "one output": Graph((Node("n0", "output"),)),
    "one saved tensor": Graph((Node("n0", "saved"),)),
    "one group": Graph((Node("n0", "group", folded=3),)),
    "one accumulator": Graph((Node("n0", "accumulate", grad_fn="AccumulateGrad"),)),
}


OF_MORE_THAN_A_GRAPH = ("accumulation", "diff", "run")
"""Views that show what a graph alone has not."""
OF_A_LIVE_GRAPH = ("memory",)
"""Views that show what only a trace of a program has."""


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


@pytest.fixture(scope="module")
def real(request):
    """A trace of one of the programs, with its ledger and its run."""
    return traced(request.param)


@functools.cache
def traced(program):
    run = tour.follow(program)
    ledger = ledger_of(run, 2) if run.trains else tour.accumulate(program, calls=2)
    return Trace(run.graphs[0], ledger, run)


def seen(trace, name):
    """What a view is asked to show of a trace: a comparison needs two."""
    return Trace(diff(trace.graph, tour.trace(thermometer))) if name == "diff" else trace


def test_what_the_tour_needs_is_registered():
    assert {"graph", "chain", "torchviz", "accumulation", "run", "steps", "animation", "diff"} <= set(VIEWS)
    assert {"svg", "pdf", "png", "dot", "json", "txt"} <= set(FORMATS)
    assert {"thermometer", "thermometer-params", "training"} <= set(LESSONS)


@pytest.mark.parametrize("item", EVERYTHING)
def test_it_has_a_name_a_summary_and_a_docstring(item):
    assert item.name == item.name.strip().lower()
    assert item.name.replace("-", "").isalnum()
    assert item.summary
    assert len(item.summary) <= 100
    assert "\n" not in item.summary
    assert type(item).__doc__
    method = item.picture if isinstance(item, View) else item.files
    assert method.__doc__


@pytest.mark.parametrize("real", ALL_PROGRAMS, indirect=True, ids=lambda program: program.__name__)
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_pure_and_what_it_returns_can_be_drawn(real, name):
    trace = seen(real, name)
    before = tour.dumps(trace)
    first = VIEWS[name].picture(trace)
    assert VIEWS[name].picture(trace) == first
    assert tour.dumps(trace) == before
    assert check(first) is first
    assert "</svg>" in draw(first)
    if isinstance(first, Chart):
        assert first.rows
    elif isinstance(first, RunChart):
        assert first.columns
        assert first.lanes
    elif isinstance(first, Listing):
        assert first.parts
    else:
        assert dot(first).endswith("}\n")
        scene = first.scene if isinstance(first, Film) else first
        assert {node.id for node in trace.graph.nodes if node.kind == "operation"} <= {
            c.id for c in scene.cards
        }


@pytest.mark.parametrize("real", ALL_PROGRAMS, indirect=True, ids=lambda program: program.__name__)
def test_every_graph_made_of_a_graph_keeps_what_holds_for_graphs(real):
    graph = real.graph
    names = {node.group for node in graph.nodes} | {node.name for node in graph.nodes}
    made = [graph, fold(graph, limit=4), fold(graph, 1), *(focus(graph, name) for name in names - {""})]
    for each in made:
        validate(each)
        validate(diff(each, made[1]))
    shown = closed(graph, depth=1)
    for node in shown.graph.nodes:
        inside = opened(shown, node.id) if node.kind == "group" else None
        if inside is not None:
            validate(inside.graph)


@pytest.mark.parametrize("real", ALL_PROGRAMS, indirect=True, ids=lambda program: program.__name__)
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_every_view_of_every_program(real, name):
    everything = Settings(views=tuple(view for view in VIEWS if view != "diff"), scale=0.1)
    files = FORMATS[name].files("some-name", real, everything)
    assert files
    assert all(files.values())
    assert all(file.startswith("some-name") for file in files)


@pytest.mark.slow
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_comes_in_every_format_it_has(name, format_name):
    try:
        files = LESSONS[name].files(Settings(formats=(format_name,)))
    except UsageError as refused:
        assert refused.hint
    else:
        assert files
        assert all(file.startswith(name) for file in files)


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize(
    "name", [name for name in VIEWS if name not in OF_MORE_THAN_A_GRAPH + OF_A_LIVE_GRAPH]
)
def test_a_view_of_next_to_nothing_can_be_drawn(name, small):
    shown = picture_of(Trace(SMALL[small]), name)
    scene = shown.scene if isinstance(shown, Film) else shown
    assert len(scene.cards) <= len(SMALL[small].nodes) + 1
    assert "</svg>" in draw(shown)
    assert dot(shown).endswith("}\n")
    if not scene.cards:
        assert "Nothing to draw" in draw(shown)


@pytest.mark.parametrize("name", OF_MORE_THAN_A_GRAPH)
def test_a_view_that_has_nothing_to_show_says_what_to_do(graph, name):
    with pytest.raises(UsageError) as caught:
        picture_of(Trace(graph), name)
    assert caught.value.hint


@pytest.mark.parametrize("name", OF_A_LIVE_GRAPH)
def test_a_view_of_what_a_live_graph_keeps_says_what_to_do_without_it(name):
    with pytest.raises(UsageError) as caught:
        picture_of(Trace(Graph()), name)
    assert caught.value.hint


@pytest.mark.parametrize("program", [thermometer, loops.gan], ids=lambda program: program.__name__)
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_deterministic_and_names_its_files_after_the_trace(name, program):
    trace = traced(program)
    first = FORMATS[name].files("some-name", trace, Settings(scale=0.25))
    assert first == FORMATS[name].files("some-name", trace, Settings(scale=0.25))
    assert first
    assert all(file.startswith("some-name") for file in first)
    assert all(file.endswith(FORMATS[name].endings or (f".{name}",)) for file in first)


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_survives_next_to_nothing(name, small):
    assert all(FORMATS[name].files("x", Trace(SMALL[small], Ledger()), Settings()).values())
    without = FORMATS[name].files("x", Trace(SMALL[small]), Settings())
    assert without
    assert all(without.values())


# ---- other packages ----------------------------------------------------------------------


class Upside(View):
    """A view of another package."""

    name = "upside"
    summary = "upside down"

    def picture(self, trace):
        """One card for each operation, the last one first."""
        operations = [node for node in trace.graph.nodes if node.kind == "operation"]
        cards = [Card(node.id, "box", (Row((Run(node.op, room=60),)),)) for node in reversed(operations)]
        links = [Link(f"{a.id}-{b.id}", a.id, b.id, "forward") for a, b in pairwise(cards)]
        return Scene(tuple(cards), tuple(links), "upside down", "Operations, the last one first.")


class Count(Format):
    """A format of another package."""

    name = "count"
    summary = "how many nodes there are"
    endings = ("-count.md",)

    def files(self, stem, trace, settings):
        """``STEM-count.md``."""
        return {f"{stem}-count.md": f"{len(trace.graph.nodes)} nodes\n"}


class Broken(View):
    """A view of another package that returns what it should not."""

    name = "broken"
    summary = "no picture"

    def __init__(self, made):
        self.made = made

    def picture(self, trace):
        """What it was told to return."""
        return self.made


@pytest.fixture
def plugins(monkeypatch):
    """Entry points as other packages declare them; the registries forget them afterwards."""

    def install(*declared):
        monkeypatch.setattr(
            importlib.metadata,
            "entry_points",
            lambda group: [entry for kind, entry in declared if kind == group],
        )
        monkeypatch.setattr(registry, "_has_ours", lambda _folder: True)
        forget()

    def forget():
        registry.scan.cache_clear()

    yield install
    monkeypatch.undo()
    forget()


def entry(name, thing, *, fails=None):
    def load():
        if fails is not None:
            raise fails
        return thing

    return SimpleNamespace(
        name=name, value="their_package:thing", dist=SimpleNamespace(name="theirs"), load=load
    )


@pytest.mark.parametrize("name", ["theirs-1.0.dist-info", "theirs.egg-info", "EGG-INFO"])
def test_a_folder_with_a_package_that_has_an_entry_point_for_us_is_looked_into(tmp_path, name):
    (tmp_path / name).mkdir()
    assert not registry._has_ours(str(tmp_path))
    (tmp_path / name / "entry_points.txt").write_text("[console_scripts]\nautograd_tour = x:y\n")
    registry._has_ours.cache_clear()
    assert not registry._has_ours(str(tmp_path))
    (tmp_path / name / "entry_points.txt").write_text("[autograd_tour.views]\nx = theirs:x\n")
    registry._has_ours.cache_clear()
    assert registry._has_ours(str(tmp_path))


def test_an_archive_may_have_one_and_what_is_not_there_has_none(tmp_path):
    (tmp_path / "archive.zip").write_bytes(b"PK")
    assert registry._has_ours(str(tmp_path / "archive.zip"))
    assert not registry._has_ours(str(tmp_path / "nothing"))


def test_where_no_package_adds_anything_nothing_asks_for_entry_points():
    code = (
        "import sys\n"
        "from autograd_tour import formats, views\n"
        "formats.registry(), views.registry()\n"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_view_of_another_package_is_found(plugins, graph):
    plugins(("autograd_tour.views", entry("anything", Upside())))
    assert set(views.registry()) == set(VIEWS) | {"upside"}
    assert "</svg>" in tour.svg(graph, view="upside")
    assert set(formats.registry()) == set(FORMATS)
    folded = Settings(views=("upside",), formats=("svg", "dot", "pdf", "png"), depth=1)
    for program in PROGRAMS:
        assert len(files_of_trace("x", traced(program), folded)) == 4


def test_a_format_of_another_package_is_found_and_save_knows_its_ending(plugins, graph, tmp_path):
    plugins(("autograd_tour.formats", entry("anything", Count())))
    assert set(formats.registry()) == set(FORMATS) | {"count"}
    assert files_of_trace("x", Trace(graph), Settings(formats=("count",))) == {"x-count.md": "11 nodes\n"}
    assert tour.save(graph, tmp_path / "net-count.md").read_text() == "11 nodes\n"


def test_a_lesson_of_another_package_is_found_and_drawn(plugins):
    ours = ProgramLesson("mine", "a program of mine", thermometer)
    plugins(("autograd_tour.lessons", entry("anything", ours)))
    assert lessons.registry()["mine"] is ours
    files = ours.files(Settings(formats=("svg",), views=("graph", "steps")))
    assert {"mine-graph.svg", "mine-steps.svg", "mine-steps-07.svg"} <= set(files)


CARD = Card("a", "box", ())
COLUMN = RunColumn("backward", "backward 1")
CELL = RunCell(((Run("None + 1 ="),),))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (None, "a NoneType is no picture"),
        (Graph(), "a Graph is no picture"),
        ("<svg/>", "a str is no picture"),
        (Scene((CARD, CARD)), "two cards have the same id"),
        (Scene((CARD,), (Link("l", "a", "b", "forward"),)), "the link 'l' does not join two cards"),
        (Film(Scene((CARD,))), "no frames"),
        (ProgramRun(), "a Run is no picture"),
        (RunChart((COLUMN,), (RunLane("w", "", False, (), ("",)),)), "the lane of w does not fit 1 columns"),
        (RunChart((COLUMN,), (RunLane("w", "", True, (CELL,), ("",)),)), "the lane of w.grad does not fit"),
        (RunChart((COLUMN,), (RunLane("w", "", True, (CELL,), ("", ""), (1,)),)), "used in a column that"),
    ],
    ids=[
        *("nothing", "a graph", "text", "two cards", "a loose link", "no frames", "a record"),
        *("no cell", "no state", "no column"),
    ],
)
def test_what_is_no_picture_is_refused_and_the_view_is_named(plugins, graph, made, says):
    plugins(("autograd_tour.views", entry("anything", Broken(made))))
    with pytest.raises(PictureError, match=says) as caught:
        tour.svg(graph, view="broken")
    assert "'broken'" in caught.value.message
    assert isinstance(caught.value, TourError)


def test_another_package_may_bring_several_at_once(plugins):
    second = Upside()
    second.name = "second"
    plugins(("autograd_tour.views", entry("anything", (Upside(), second))))
    assert set(views.registry()) == set(VIEWS) | {"upside", "second"}


def test_our_own_wins_where_a_name_is_taken(plugins):
    thief = Upside()
    thief.name = "graph"
    plugins(("autograd_tour.views", entry("graph", thief)))
    assert views.registry()["graph"] is VIEWS["graph"]


@pytest.mark.parametrize(
    "broken",
    [
        entry("broken", None, fails=ImportError("no module named their_package")),
        entry("broken", None, fails=AttributeError("thing")),
        entry("broken", object()),
        entry("broken", None),
    ],
    ids=["not installed", "no such object", "not a view", "nothing"],
)
def test_a_plugin_that_cannot_be_used_is_named(plugins, broken):
    plugins(("autograd_tour.views", broken))
    with pytest.raises(UsageError, match="'broken'") as caught:
        views.registry()
    assert "theirs" in caught.value.hint


def test_folders_are_read_once(monkeypatch):
    before = [kind.registry() for kind in (views, formats, lessons)]
    monkeypatch.setattr("pkgutil.iter_modules", lambda *_: pytest.fail("read again"))
    assert all(
        kind.registry() is known for kind, known in zip((views, formats, lessons), before, strict=True)
    )
