"""The command itself: help, version, unknown commands, and ``info``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import autograd_tour
from autograd_tour.cli import group as cli_room
from autograd_tour.cli.group import cli
from autograd_tour.drawing import engine

Run = Callable[..., Result]

COMMANDS = sorted(cli_room._COMMANDS)


def test_every_file_of_a_command_is_known() -> None:
    shared = {"__init__", "common", "fitting", "group", "guard", "looks", "options", "results", "signals"}
    shared |= {"status", "stderr", "targets", "trace_files"}
    files = {path.stem for path in Path(cli_room.__file__).parent.glob("*.py")} - shared
    assert files == set(COMMANDS)


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=["itself", *COMMANDS])
def test_help_starts_with_examples_and_explains_every_option(run: Run, words: list[str]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Examples:"
    assert lines[1].startswith(f"  autograd-tour {' '.join(words)}".rstrip())
    assert any(line.startswith("Usage: autograd-tour") for line in lines)
    command = cli.get_command(None, words[0]) if words else cli  # type: ignore[arg-type]
    assert command is not None
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_itself_says(name: str) -> None:
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    summary = (command.help or "").partition("\n")[0]
    listed = cli_room._COMMANDS[name]
    assert listed.split()[:3] == summary.split()[:3]


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"autograd-tour {autograd_tour.__version__}\n"


def test_no_words_show_the_help(run: Run) -> None:
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("Examples:")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("rendr", "Did you mean 'render'?"),
        ("net.py:loss", "autograd-tour render net.py:loss"),
        ("trace.json", "autograd-tour render trace.json"),
    ],
)
def test_an_unknown_command_is_told_with_what_was_meant(run: Run, word: str, hint: str) -> None:
    result = run(word)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: there is no command {word}\nhint: ")
    assert hint in result.stderr


def test_info_tells_versions_and_marks_the_engine_in_use(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.ENVIRONMENT, raising=False)
    result = run("info")
    assert result.exit_code == 0
    assert f"autograd-tour   {autograd_tour.__version__}" in result.stdout
    assert "\n* graphviz-pure" in result.stdout
    assert "graphviz-pure is used: " in result.stdout


def test_info_answers_in_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENVIRONMENT, "graphviz-pure")
    facts = json.loads(run("info", "--json").stdout)
    assert set(facts) == {"versions", "formulas", "engine", "reason", "engines"}
    assert facts["versions"]["torch"]
    assert facts["formulas"][0].isdigit()
    assert engine.ENVIRONMENT in facts["reason"]


def test_info_works_without_any_usable_engine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENVIRONMENT, "crayons")
    result = run("info")
    assert result.exit_code == 0
    assert "none is used: unknown layout engine 'crayons'" in result.stdout
