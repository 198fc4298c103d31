"""Layout engines: chosen, absent, slow, failing. Always the right error, never a hang."""

from __future__ import annotations

import os
import shutil
import xml.etree.ElementTree as ET

import pytest

import autograd_tour as tour
from autograd_tour.drawing import engine
from autograd_tour.errors import EngineError, UsageError
from autograd_tour.lessons.thermometer import thermometer
from tests.commands import answer


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


def fake(folder, monkeypatch, script):
    """An engine that does what ``script`` says."""
    path = folder / "dot"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    engine._positions.cache_clear()  # it may be another one under the same path
    monkeypatch.setitem(engine._FINDERS, "dot", lambda: str(path))


def test_the_embedded_engine_is_preferred():
    assert engine.choose()[0] == "graphviz-pure"
    assert engine.available()[0].name == "graphviz-pure"


def test_the_environment_chooses_where_no_option_does(monkeypatch):
    monkeypatch.setenv(engine.ENVIRONMENT, "dot")
    monkeypatch.setitem(engine._FINDERS, "dot", lambda: "/somewhere/dot")
    assert engine.choose() == ("dot", "/somewhere/dot")
    assert engine.choose("graphviz-pure")[0] == "graphviz-pure"


def test_an_unknown_engine_is_a_usage_error(monkeypatch):
    with pytest.raises(UsageError, match="unknown layout engine 'neato'"):
        engine.choose("neato")
    monkeypatch.setenv(engine.ENVIRONMENT, "neato")
    with pytest.raises(UsageError, match=engine.ENVIRONMENT):
        engine.choose()


def test_an_absent_engine_is_said_to_be_absent(monkeypatch):
    monkeypatch.setitem(engine._FINDERS, "dot", lambda: None)
    with pytest.raises(EngineError, match="'dot' is not installed"):
        engine.choose("dot")
    for name in engine.ENGINES:
        monkeypatch.setitem(engine._FINDERS, name, lambda: None)
    with pytest.raises(EngineError, match="no layout engine") as caught:
        engine.choose()
    assert "pip install" in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exec sleep 60", "took longer than 0.3 s"),
        ("echo broken >&2; exit 7", "failed: broken"),
        ("exit 7", "exit code 7"),
        ("echo this is no layout", "cannot be read"),
        ('echo \'{"bb": "x"}\'', "cannot be read"),
    ],
)
def test_an_engine_that_does_not_answer_is_an_engine_error(graph, tmp_path, monkeypatch, script, says):
    fake(tmp_path, monkeypatch, script)
    with pytest.raises(EngineError, match=says):
        tour.svg(graph, engine="dot", timeout=0.3 if "sleep" in script else 30)


def test_nothing_an_engine_says_leaks_out(graph, tmp_path, monkeypatch, capfd):
    real = engine.choose("graphviz-pure")[1]
    fake(tmp_path, monkeypatch, f'echo "warning: no font" >&2; exec {real} "$@"')
    assert tour.svg(graph, engine="dot") == tour.svg(graph)
    fake(tmp_path, monkeypatch, r'printf "\\033[31mline one\\nline two\\n" >&2; exit 1')
    with pytest.raises(EngineError) as caught:
        tour.svg(graph, engine="dot")
    assert capfd.readouterr() == ("", "")
    assert "line one" in str(caught.value)
    assert not [char for char in str(caught.value) if ord(char) < 32]


def test_an_engine_that_cannot_be_started_is_an_engine_error(graph, tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "exit 0")
    (tmp_path / "dot").write_bytes(b"\x7fELF but no more")
    with pytest.raises(EngineError, match="cannot be started"):
        tour.svg(graph, engine="dot")


def test_an_engine_that_hangs_is_stopped_with_what_it_started(graph, tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(EngineError, match="was stopped"):
        tour.svg(graph, engine="dot", timeout=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["--engine", "neato"], {}, 2, "neato"),
        ([], {"AUTOGRAD_TOUR_ENGINE": "neato"}, 2, "AUTOGRAD_TOUR_ENGINE"),
        (["--engine", "dot"], {"PATH": "/nowhere"}, 3, "not installed"),
        ([], {"AUTOGRAD_TOUR_ENGINE": "dot", "PATH": "/nowhere"}, 3, "not installed"),
    ],
)
def test_the_command_ends_with_the_errors_code_and_writes_nothing(
    tmp_path, arguments, environment, code, says
):
    trace = tmp_path / "x.json"
    trace.write_text(tour.dumps(tour.trace(thermometer)))
    words = ["render", str(trace), "-o", "new", *arguments]
    done = answer(*words, cwd=tmp_path, environment={**os.environ, **environment})
    assert done.returncode == code
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs a system Graphviz")
def test_a_second_engine_draws_every_card_and_every_arrow(graph):
    def count(svg):
        kinds = [e.get("class", "").split(" ")[0] for e in ET.fromstring(svg).iter() if e.get("class")]
        return kinds.count("node"), kinds.count("edge"), kinds.count("rule")

    assert count(tour.svg(graph, engine="dot")) == count(tour.svg(graph)) == (9, 14, 6)
