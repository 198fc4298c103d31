"""What every view, format and lesson promises, ours and those of other packages."""

from __future__ import annotations

import importlib.metadata
from types import SimpleNamespace

import pytest

import autograd_tour as tour
from autograd_tour import formats, lessons, registry, views
from autograd_tour.drawing import picture, readable_dot, scene_of
from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph, Node
from autograd_tour.record.ledger import Ledger
from autograd_tour.views.base import View

VIEWS, FORMATS, LESSONS = views.registry(), formats.registry(), lessons.registry()
EVERYTHING = [
    pytest.param(item, id=f"{kind}-{name}")
    for kind, known in (("view", VIEWS), ("format", FORMATS), ("lesson", LESSONS))
    for name, item in known.items()
]
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


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


def test_what_the_tour_needs_is_registered():
    assert {"graph", "chain", "torchviz"} <= set(VIEWS)
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
    method = item.apply if isinstance(item, View) else item.files
    assert method.__doc__


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_pure(graph, name):
    before = tour.dumps(graph)
    first = VIEWS[name].apply(graph)
    assert VIEWS[name].apply(graph) == first
    assert tour.dumps(graph) == before
    assert first.nodes


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_next_to_nothing_can_be_drawn(name, small):
    shown = VIEWS[name].apply(SMALL[small])
    assert len(shown.nodes) <= len(SMALL[small].nodes) + 1
    assert "</svg>" in picture(shown)
    assert readable_dot(scene_of(shown)).endswith("}\n")
    if not shown.nodes:
        assert "Nothing to draw" in picture(shown)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_deterministic_and_names_its_files_after_the_trace(graph, name):
    ledger = tour.accumulate(thermometer, calls=2)
    first = FORMATS[name].files("some-name", graph, ledger, Settings())
    assert first == FORMATS[name].files("some-name", graph, ledger, Settings())
    assert first
    assert all(file.startswith("some-name") for file in first)
    assert all(file.endswith(FORMATS[name].endings or (f".{name}",)) for file in first)


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_survives_next_to_nothing(name, small):
    assert all(FORMATS[name].files("x", SMALL[small], Ledger(), Settings()).values())
    without = FORMATS[name].files("x", SMALL[small], None, Settings())
    assert without
    assert all(without.values())


# ---- other packages ----------------------------------------------------------------------


class Upside(View):
    """A view of another package."""

    name = "upside"
    summary = "upside down"

    def apply(self, graph):
        """The graph itself."""
        return graph


@pytest.fixture
def plugins(monkeypatch):
    """Entry points as other packages declare them; the registries forget them afterwards."""

    def install(*declared):
        monkeypatch.setattr(
            importlib.metadata,
            "entry_points",
            lambda group: [entry for kind, entry in declared if kind == group],
        )
        registry.scan.cache_clear()

    yield install
    monkeypatch.undo()
    registry.scan.cache_clear()


def entry(name, thing, *, fails=None):
    def load():
        if fails is not None:
            raise fails
        return thing

    return SimpleNamespace(
        name=name, value="their_package:thing", dist=SimpleNamespace(name="theirs"), load=load
    )


def test_a_view_of_another_package_is_found(plugins, graph):
    plugins(("autograd_tour.views", entry("anything", Upside())))
    assert set(views.registry()) == set(VIEWS) | {"upside"}
    assert "</svg>" in tour.svg(graph, view="upside")
    assert set(formats.registry()) == set(FORMATS)


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
