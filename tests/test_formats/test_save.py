"""From Python: a trace or a ledger as a file, the ending says how."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace
from pypdfium2 import PdfDocument

import autograd_tour as tour
from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from tests.programs import training


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


@pytest.fixture(scope="module")
def ledger():
    return tour.accumulate(thermometer, calls=3)


@pytest.mark.parametrize("ending", ["svg", "dot", "json", "txt"])
def test_the_ending_says_the_format(graph, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    assert tour.save(graph, path) == path
    expected = {
        "svg": tour.svg(graph),
        "dot": tour.dot(graph),
        "json": tour.dumps(graph),
        "txt": tour.report(graph),
    }
    assert path.read_text(encoding="utf-8") == expected[ending]


def test_a_path_may_be_text_and_its_folder_new(graph, tmp_path):
    path = tour.save(graph, str(tmp_path / "new" / "x.svg"), view="chain", theme="dark", direction="TB")
    assert path.read_text() == tour.svg(graph, view="chain", theme="dark", direction="TB")


def test_a_ledger_is_a_chart_a_report_or_a_trace(ledger, tmp_path):
    assert "before each call" in tour.save(ledger, tmp_path / "x.txt").read_text()
    ET.fromstring(tour.save(ledger, tmp_path / "x.svg").read_text())
    assert tour.loads(tour.save(ledger, tmp_path / "x.json").read_text()).ledger == ledger
    with pytest.raises(UsageError, match=r"a ledger cannot be written as \.dot"):
        tour.save(ledger, tmp_path / "x.dot")


def test_a_ledger_goes_along_with_its_graph(graph, ledger, tmp_path):
    tour.save(graph, tmp_path / "x.json", ledger=ledger)
    read = tour.loads((tmp_path / "x.json").read_text())
    assert (read.graph, read.ledger) == (graph, ledger)
    assert "Accumulation" in tour.save(graph, tmp_path / "x.txt", ledger=ledger).read_text()


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("x.bmp", {}, "'.bmp'"),
        ("x", {}, "ending ''"),
        (
            "x.png",
            {"view": "steps", "scale": 0.1},
            "makes 8 files, and save.. writes one: trace-steps-00.png",
        ),
        ("x.png", {"view": "animation", "scale": 0.1}, "makes 8 files"),
        ("x-quiz.json", {}, "makes 3 files, and save.. writes one: trace-quiz.json, trace-question.svg"),
        ("x-answer.svg", {}, "makes 3 files"),
        ("x.svg", {"view": "chian"}, "unknown view 'chian'"),
        ("x.svg", {"view": "accumulation"}, "no accumulation ledger"),
        ("x.svg", {"view": "diff"}, "two graphs"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is(graph, tmp_path, name, options, says):
    with pytest.raises(UsageError, match=says) as caught:
        tour.save(graph, tmp_path / name, **options)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_format_may_have_endings_of_its_own(graph, ledger, tmp_path):
    path = tour.save(graph, tmp_path / "x-jupyterquiz.json", ledger=ledger)
    assert {"question", "type"} <= json.loads(path.read_text())[0].keys()
    assert tour.loads(tour.save(graph, tmp_path / "jupyterquiz.json").read_text()).graph == graph


def test_a_film_is_one_file_where_a_file_can_hold_it(graph, tmp_path):
    text = tour.save(graph, tmp_path / "x.svg", view="steps").read_text()
    assert text == tour.svg(graph, view="steps")
    assert text.count('data-fragment-index="7"') > 0
    assert len(PdfDocument(tour.save(graph, tmp_path / "x.pdf", view="steps"))) == 8


def test_what_is_refused_says_what_to_call(graph, tmp_path):
    with pytest.raises(UsageError) as caught:
        tour.save(graph, tmp_path / "x.png", view="steps", scale=0.1)
    assert "render TARGET -f png --view steps" in caught.value.hint


def test_a_trace_goes_as_one(graph, ledger, tmp_path):
    both = tour.Trace(graph, ledger)
    assert tour.loads(tour.save(both, tmp_path / "x.json").read_text()) == both
    assert tour.svg(both) == tour.svg(graph)
    assert tour.svg(both, view="accumulation") == tour.svg(ledger)


def test_files_are_named_after_the_trace_and_its_views(graph, ledger):
    everything = Settings(
        formats=("svg", "dot", "json", "txt"), views=("graph", "chain", "torchviz", "accumulation")
    )
    assert sorted(files_of_trace("net", Trace(graph, ledger), everything)) == [
        "net-accumulation.svg",
        "net-chain.dot",
        "net-chain.svg",
        "net-graph.dot",
        "net-graph.svg",
        "net-report.txt",
        "net-torchviz.dot",
        "net-torchviz.svg",
        "net.json",
    ]
    assert sorted(files_of_trace("net", Trace(graph, ledger), Settings())) == [
        "net-accumulation.svg",
        "net-chain.svg",
        "net-graph.svg",
        "net-report.txt",
        "net.json",
    ]
    assert "net-accumulation.svg" not in files_of_trace("net", Trace(graph), Settings())


def test_an_unknown_format_is_a_usage_error(graph):
    with pytest.raises(UsageError, match="unknown format 'sgv'") as caught:
        files_of_trace("net", Trace(graph), Settings(formats=("sgv",)))
    assert "'svg'" in caught.value.hint


def test_only_endings_that_can_be_saved_are_offered_and_all_files_are_counted(graph, tmp_path):
    with pytest.raises(UsageError) as caught:
        tour.save(graph, tmp_path / "x.bmp")
    assert "-answer.svg" not in caught.value.hint
    assert "-jupyterquiz.json" in caught.value.hint
    with pytest.raises(UsageError, match=r"trace-answer\.svg\. "):
        tour.save(graph, tmp_path / "x-quiz.json")


@pytest.fixture(scope="module")
def run():
    return tour.follow(training.hand)


def test_a_run_is_its_own_picture_a_report_or_a_trace(run, tmp_path):
    svg = tour.save(run, tmp_path / "x.svg").read_text()
    assert "update by hand" in svg
    assert svg == tour.svg(run) == tour.svg(Trace(run.graphs[0], None, run), view="run")
    assert tour.save(run, tmp_path / "x.svg", view="graph").read_text() == tour.svg(run.first_graph)
    assert tour.save(run, tmp_path / "x.txt").read_text() == tour.report(run)
    read = tour.loads(tour.save(run, tmp_path / "x.json").read_text())
    assert read.graph == run.first_graph == read.run.first_graph
    assert replace(read.run, graphs=run.graphs) == run
    assert read.ledger.policies == ("program",)
    assert read.ledger.calls == 3
    for ending in ("png", "pdf"):
        assert tour.save(run, tmp_path / f"x.{ending}").read_bytes()


def test_a_run_as_a_graph_is_its_first_and_no_graph_is_a_run(run, tmp_path):
    assert tour.save(run, tmp_path / "x.dot").read_text() == tour.dot(run.first_graph)
    with pytest.raises(UsageError, match=r"a run cannot be written as \.dot"):
        tour.save(run, tmp_path / "x.dot", view="run")
    with pytest.raises(UsageError, match="has no run") as caught:
        tour.save(run.graphs[0], tmp_path / "x.svg", view="run")
    assert caught.value.hint
    assert not (tmp_path / "x.svg").exists()


def test_a_ledger_beside_a_trace_leaves_its_run_there(run, ledger, tmp_path):
    trace = Trace(run.graphs[0], None, run)
    read = tour.loads(tour.save(trace, tmp_path / "x.json", ledger=ledger).read_text())
    assert (read.ledger, read.run) == (ledger, run)
