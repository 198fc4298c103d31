"""The published form of a trace: fresh, true of every trace that is written, and enough to draw what others write."""

from __future__ import annotations

import inspect
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import autograd_tour as tour
from autograd_tour.errors import TraceFileError
from autograd_tour.record.codec import SCHEMA, dumps, loads
from autograd_tour.record.schema import schema_text
from autograd_tour.views.diff import diff
from autograd_tour.views.fold import fold
from tests.commands import answer
from tests.programs import basics, loops

ROOT = Path(__file__).parents[1]
SAVED = sorted(
    path for path in (ROOT / "outputs").glob("*.json") if '"autograd-tour"' in path.read_text()[:60]
)


@pytest.fixture(scope="module")
def form():
    """A validator of the schema that is published."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs/trace.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(form, text):
    return [f"{error.json_path}: {error.message[:200]}" for error in form.iter_errors(json.loads(text))]


def test_the_published_schema_is_what_the_command_writes(tmp_path):
    published = (ROOT / "docs/trace.schema.json").read_text(encoding="utf-8")
    assert schema_text() == published, "make it anew with: autograd-tour schema > docs/trace.schema.json"
    done = answer("schema", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, published, "")


def test_there_are_saved_traces():
    assert {path.name for path in SAVED} >= {"thermometer.json", "thermometer-params.json"}


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.name)
def test_a_saved_trace_has_the_published_form(form, path):
    assert faults(form, path.read_text(encoding="utf-8")) == []


PROGRAMS = [item for item in vars(basics).values() if inspect.isfunction(item)]
LOOPS = [loops.gan, loops.lbfgs, loops.policy_gradient, loops.momentum_by_hand]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda item: item.__name__)
def test_what_is_traced_has_the_published_form(form, program):
    trace = tour.Trace(tour.trace(program), tour.accumulate(program, calls=2))
    assert faults(form, dumps(trace)) == []


@pytest.mark.parametrize("program", LOOPS, ids=lambda item: item.__name__)
def test_what_is_followed_has_the_published_form(form, program):
    run = tour.follow(program)
    assert faults(form, dumps(tour.Trace(run.graphs[0], run=run))) == []


def test_a_folded_graph_and_a_comparison_have_the_published_form(form):
    torch.manual_seed(0)
    gpt = tour.trace(runpy.run_path(str(ROOT / "docs/programs/gpt.py"))["loss"])
    assert faults(form, dumps(fold(gpt))) == []
    before, after = tour.trace(basics.scaled), tour.trace(basics.detached)
    assert faults(form, dumps(diff(before, after))) == []


def saved(**changes):
    file = json.loads(dumps(tour.trace(basics.scaled)))
    return file | changes


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (lambda file: file.update(format="other"), "$.format"),
        (lambda file: file.update(schema=SCHEMA + 1), "$.schema"),
        (lambda file: file.pop("graph"), "$"),
        (lambda file: file["graph"]["nodes"][0].update(kind="leaves"), "$.graph.nodes[0].kind"),
        (lambda file: file["graph"]["nodes"][0].pop("id"), "$.graph.nodes[0]"),
        (lambda file: file["graph"]["edges"][0].update(slot=[0]), "$.graph.edges[0].slot"),
        (
            lambda file: file["graph"]["passes"][0]["steps"][0].update(node=7),
            "$.graph.passes[0].steps[0].node",
        ),
    ],
)
def test_the_form_and_the_reader_refuse_the_same(form, spoil, path):
    file = saved()
    spoil(file)
    assert [error.json_path for error in form.iter_errors(file)] == [path]
    with pytest.raises(TraceFileError):
        loads(json.dumps(file))


def test_the_policy_holds_for_fields_that_are_not_known_and_fields_that_are_left_out(form):
    file = saved(produced_by="something newer")
    file["graph"]["nodes"][0]["colour"] = "red"
    assert not list(form.iter_errors(file))
    assert loads(json.dumps(file)).graph == tour.trace(basics.scaled)
    least = {"format": "autograd-tour", "schema": SCHEMA, "graph": {"nodes": [{"id": "a", "kind": "leaf"}]}}
    assert not list(form.iter_errors(least))
    assert loads(json.dumps(least)).graph.node("a").value is None


def test_a_trace_that_micrograd_wrote_is_drawn(form, tmp_path):
    pytest.importorskip("micrograd")
    script = ROOT / "docs/programs/micrograd_trace.py"
    assert len([line for line in script.read_text().splitlines() if line]) <= 42
    text = subprocess.run([sys.executable, script], capture_output=True, check=True, timeout=60).stdout
    assert not list(form.iter_errors(json.loads(text)))
    assert (ROOT / "docs/programs/micrograd.json").read_bytes() == text
    (tmp_path / "micrograd.json").write_bytes(text)
    done = answer("render", "micrograd.json", "-f", "svg", "-o", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    picture = (tmp_path / "micrograd-graph.svg").read_text(encoding="utf-8")
    # loss = (w x + b)²: 2 · 0.5 goes back to y, and from there 1 to b, x to w, w to x.
    for words in ("w * x", "y = float64 0.5", "loss = float64 0.25"):
        assert words in picture
    graph = loads(text).graph
    grads = {graph.title(leaf): graph.step(key)[1].after.first for key, leaf in graph.leaves.items()}
    assert grads == {"w": (2.0,), "b": (1.0,), "x": (-3.0,)}
