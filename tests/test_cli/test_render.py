"""``autograd-tour render``: what it reads, what it writes, and what it says."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from autograd_tour.cli import targets, trace_files
from autograd_tour.drawing.room import room_for
from autograd_tour.views.look import look_for

Run = Callable[..., Result]

ALL_OF_THERMOMETER = [
    "thermometer-graph.svg",
    "thermometer-chain.svg",
    "thermometer-graph.txt",
    "thermometer-chain.txt",
]


def paths(folder: str, names: list[str]) -> str:
    return "".join(f"{os.path.join(folder, name)}\n" for name in names)


def test_without_words_it_draws_the_thermometer_into_outputs(run: Run, tmp_path: Path) -> None:
    result = run("render")
    assert result.exit_code == 0
    assert result.stdout == paths("outputs", ALL_OF_THERMOMETER)
    assert sorted(os.listdir(tmp_path / "outputs")) == sorted(ALL_OF_THERMOMETER)


def test_what_a_program_prints_goes_to_stderr(run: Run) -> None:
    assert run("render").stderr == "thermometer prints\n"


def test_quiet_says_nothing_on_stdout(run: Run) -> None:
    assert run("render", "-q").stdout == ""


def test_json_tells_what_was_written(run: Run) -> None:
    answer = json.loads(run("render", "-f", "svg", "--view", "graph", "--json", "-o", "x").stdout)
    assert answer["targets"] == ["thermometer"]
    assert answer["written"] == [os.path.join("x", "thermometer-graph.svg")]


def test_every_option_reaches_the_settings(run: Run) -> None:
    words = (
        "--view graph -f svg -f dot --theme dark --direction TB --engine dot --calls 7 --keep all --timeout 5 "
        "--ceiling 64 --depth 2 --focus h.0 --scale 1.5 --fit 4:3 --min-text 14 "
        "--hide cuts,constants --title T --caption C --mark a --mark b"
    )
    look = look_for(hide=["constants", "cuts"], title="T", caption="C", mark=["a", "b"])
    result = run("render", *words.split(), "-o", "x")
    assert result.exit_code == 0
    expected = (
        "Settings(formats=('svg', 'dot'), views=('graph',), theme='dark', direction='TB', engine='dot', "
        "calls=7, keep=None, ceiling=64, timeout=5.0, fold=True, depth=2, focus='h.0', scale=1.5, "
        f"room={room_for('4:3', min_text=14.0)}, look={look}, open=())\n"
    )
    assert Path("x/thermometer-graph.dot").read_text() == expected
    run("render", "-f", "svg", "--view", "graph", "--no-fold", "-o", "y")
    assert "fold=False, depth=None, focus=None" in Path("y/thermometer-graph.svg").read_text()
    run("render", "-f", "svg", "--view", "graph", "--open", "a", "--open", "b", "-o", "z")
    assert "open=('a', 'b')" in Path("z/thermometer-graph.svg").read_text()


def test_several_targets_and_all_builtins(run: Run) -> None:
    both = run("render", "training", "thermometer", "-f", "svg", "--view", "graph")
    assert both.stdout == paths("outputs", ["training-graph.svg", "thermometer-graph.svg"])
    everything = run("render", "--all", "-f", "svg", "--view", "graph")
    names = ["thermometer-graph.svg", "thermometer-params-graph.svg", "training-graph.svg"]
    assert everything.stdout == paths("outputs", names)


def test_two_targets_of_one_name_are_refused(run: Run, trace: Path) -> None:
    Path("deep").mkdir()
    Path("deep/saved.json").write_bytes(trace.read_bytes())
    result = run("render", "saved.json", os.path.join("deep", "saved.json"))
    assert result.exit_code == 2
    assert "would both write saved-graph.svg" in result.stderr
    assert not Path("outputs").exists()


def test_a_saved_trace_keeps_its_name(run: Run, trace: Path) -> None:
    assert "saved-graph.svg" in run("render", "saved.json").stdout


def test_a_trace_comes_from_stdin(run: Run, trace: Path) -> None:
    assert "trace-graph.svg" in run("render", "-", input=trace.read_bytes()).stdout


def test_one_file_goes_to_stdout(run: Run, trace: Path) -> None:
    result = run("render", "saved.json", "-f", "svg", "--view", "graph", "-o", "-")
    assert result.stdout.startswith("Settings(")
    assert not Path("outputs").exists()


def test_more_than_one_file_cannot_go_to_stdout(run: Run) -> None:
    result = run("render", "-o", "-")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "this makes 4" in result.stderr
    assert run("render", "-o", "-", "--json").exit_code == 2


def test_a_program_of_ones_own_with_a_note(run: Run) -> None:
    Path("net.py").write_text(
        "import torch\nprint('hello')\nnet = torch.nn.Linear(2, 2)\ndef example():\n    return torch.ones(1, 2)\n"
    )
    result = run("render", "net.py:net")
    assert result.exit_code == 0
    assert "net-net-graph.svg" not in result.stderr
    assert result.stderr.startswith("hello\nnote: net returns shape (1, 2)")
    assert result.stdout == paths(
        "outputs", [name.replace("thermometer", "net") for name in ALL_OF_THERMOMETER]
    )


def test_a_program_that_changes_the_folder_does_not_move_the_output(run: Run, tmp_path: Path) -> None:
    Path("net.py").write_text("import os\nos.mkdir('away')\nos.chdir('away')\ndef loss(): return 1\n")
    assert run("render", "net.py:loss", "-o", "out").exit_code == 0
    assert (tmp_path / "out" / "net-loss-graph.svg").exists()


BAD = {
    "unknown target": (["thermometr"], 2, "unknown target 'thermometr'", "Did you mean 'thermometer'?"),
    "unknown format": (
        ["-f", "svgg"],
        2,
        "unknown format 'svgg'",
        "svg",
    ),
    "unknown view": (["--view", "grph"], 2, "unknown view 'grph'", "Did you mean 'graph'?"),
    "a view of two graphs": (["--view", "diff"], 2, "a diff needs two graphs", "autograd-tour diff A B"),
    "unknown theme": (["--theme", "blue"], 2, "'blue' is not one of", "--help"),
    "unknown option": (["--them", "dark"], 2, "No such option", "--help"),
    "unknown direction": (["--direction", "RL"], 2, "'RL' is not one of", "--help"),
    "unknown room": (
        ["--fit", "beamer"],
        2,
        "there is no room called 'beamer'",
        "16:9, 4:3, a4, a4-landscape",
    ),
    "two rooms": (["--fit", "a4", "--width", "736"], 2, "a room or a width, not both", "Leave --fit or"),
    "a size without a room": (["--min-text", "14"], 2, "needs a room to fit", "Add --fit 16:9"),
    "no width": (["--width", "nan"], 2, "no number of px", "--help"),
    "no calls": (["--calls", "0"], 2, "--calls", "--help"),
    "no depth": (["--depth", "0"], 2, "--depth", "--help"),
    "depth of nothing": (["--depth", "2", "--no-fold"], 2, "--no-fold folds nothing", "Leave one"),
    "ceiling 0": (["--ceiling", "0"], 2, "0 is not in the range", "--help"),
    "keep words": (["--keep", "some"], 2, "'some' is neither", "--help"),
    "endless time": (["--timeout", "nan"], 2, "no number of seconds", "--help"),
    "missing trace": (["savd.json"], 2, "there is no file savd.json", "Did you mean 'saved.json'?"),
    "folder as trace": (["folder.json"], 2, "folder.json is a folder", ".json file"),
    "missing program": (["nte.py:loss"], 2, "there is no file nte.py", "Did you mean 'net.py'?"),
    "missing name": (["net.py:los"], 2, "net.py has no los", "Did you mean 'loss'?"),
    "file without name": (["net.py"], 2, "does not say which function", "net.py:__main__ runs the file"),
    "missing file without name": (["nte.py"], 2, "there is no file nte.py", "file.py:name"),
    "another file": (["notes.md"], 2, "is not a .py or .json file", "file.py:name"),
    "a folder": (["folder"], 2, "folder is a folder", "file.py:name"),
    "program raises": (["net.py:bad"], 1, "net.py:3: ValueError: not today", "--debug"),
    "program exits": (["net.py:leaves"], 1, "exit(0)", "Take the call out"),
    "broken trace": (["broken.json"], 4, "broken.json is not valid JSON", "-f json"),
    "foreign trace": (["foreign.json"], 4, "not an autograd-tour trace", "-f json"),
    "deep trace": (["deep.json"], 4, "deep.json", "-f json"),
    "file for folder": (["-o", "notes.md"], 2, "notes.md is not a folder", "-o DIR"),
    "folder for file": (["-o", "blocked"], 2, "a folder of that name", "-o DIR"),
    "a very long name": (["x" * 10_000], 2, "unknown target", "thermometer-params"),
    "a very long path": (["x" * 10_000 + ".json"], 2, "cannot read", "path"),
    "control characters": (["\x1b[2J\x07.json"], 2, "there is no file \\x1b[2J\\x07.json", ""),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_its_exit_code(run: Run, trace: Path, case: str) -> None:
    words, code, message, hint = BAD[case]
    Path("net.py").write_text(
        "def loss(): return 1\ndef bad():\n    raise ValueError('not today')\ndef leaves(): raise SystemExit(0)\n"
    )
    Path("notes.md").write_text("mine")
    Path("broken.json").write_text('{"format": ')
    Path("foreign.json").write_text('{"hello": 1}')
    Path("deep.json").write_text("[" * 100_000)
    for folder in ("folder.json", "folder", "blocked", "blocked/thermometer-chain.svg", "outputs"):
        Path(folder).mkdir()
    for place in ("blocked", "outputs"):
        Path(place, "thermometer-graph.svg").write_text("what stood there")
    result = run("render", *words)
    assert result.exit_code == code
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line != "thermometer prints"]
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert max(map(len, lines)) < 600
    assert os.listdir("outputs") == ["thermometer-graph.svg"], "nothing is half-written"
    for place in ("blocked", "outputs"):
        assert Path(place, "thermometer-graph.svg").read_text() == "what stood there"


def test_a_trace_that_is_too_large_is_refused_before_it_is_read(run: Run) -> None:
    with open("huge.json", "wb") as file:
        file.truncate(trace_files.LARGEST_TRACE + 1)  # a hole: takes no room
    result = run("render", "huge.json")
    assert result.exit_code == 4
    assert "larger than 512 MB" in result.stderr


def test_an_endless_stdin_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_files, "LARGEST_TRACE", 1024**2)
    result = run("render", "-", input=io.BytesIO(b" " * (1024**2 + 1)))
    assert result.exit_code == 4
    assert "stdin is larger" in result.stderr


def test_debug_shows_the_traceback_as_well(run: Run) -> None:
    Path("net.py").write_text("def bad():\n    raise ValueError('not today')\n")
    result = run("render", "net.py:bad", "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "ValueError: not today" in result.stderr
    assert "error: net.py:2" in result.stderr


def test_an_error_of_ours_is_one_line_that_asks_for_a_report(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(target: str, settings: object, seconds: float, given: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(targets, "draw", broken)
    result = run("render")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: autograd-tour itself failed: ZeroDivisionError: one two"
    assert "--debug" in result.stderr


def test_an_interrupt_is_exit_130(run: Run) -> None:
    Path("net.py").write_text("def loss():\n    raise KeyboardInterrupt\n")
    result = run("render", "net.py:loss")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("environment", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_only_where_it_is_wanted(run: Run, environment: dict[str, str], colored: bool) -> None:
    result = run("render", "zzz", env={"NO_COLOR": None, "TERM": "xterm", **environment}, color=True)
    assert ("\x1b[" in result.stderr) is colored


@pytest.mark.skipif(os.name == "nt", reason="no such file names there")
@pytest.mark.parametrize("stem", ["a\\b", "a\x1b[2J", "a\nb", "a\u202eb"])
def test_a_name_that_a_terminal_or_another_system_cannot_bear_is_mended(
    run: Run, tmp_path: Path, trace: Path, stem: str
) -> None:
    trace.rename(tmp_path / f"{stem}.json")
    result = run("render", f"{stem}.json", "-f", "svg", "--view", "graph")
    assert result.exit_code == 0, result.stderr
    (name,) = os.listdir(tmp_path / "outputs")
    assert name.startswith("a-")
    assert name.isprintable()
    assert result.stdout == paths("outputs", [name])


@pytest.mark.parametrize("option", ["--focus", "--mark", "--open"])
def test_an_empty_name_is_refused(run: Run, option: str) -> None:
    result = run("render", option, "")
    assert result.exit_code == 2
    assert "no name" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_an_output_folder_that_is_a_link_is_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    run("render", "-o", "link", "-f", "svg", "--view", "graph")
    assert (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "real") == ["thermometer-graph.svg"]
