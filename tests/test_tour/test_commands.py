"""The commands of the tour, as their users type them."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from autograd_tour.formats.tour.unchanged import RECEIPT, fingerprint, standing
from autograd_tour.lessons.tour import stops
from tests.commands import answer, fresh_answer


def test_two_stops_are_written_and_not_made_again(tmp_path):
    first = answer("tour", "2", "fan-out", "-o", "class", "-f", "txt", "-f", "html", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    names = sorted(path.name for path in (tmp_path / "class").iterdir())
    assert names == [
        "02-chain-rule.html", "02-chain-rule.txt", "03-fan-out.html", "03-fan-out.txt", "index.html", "lecturer.html",
        "review.html", RECEIPT,
    ]  # fmt: skip
    assert sorted(first.stdout.split()) == [f"class/{name}" for name in names]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "class").iterdir()}
    second = answer("tour", "2", "fan-out", "-o", "class", "-f", "txt", "-f", "html", cwd=tmp_path)
    assert second.returncode == 0
    assert "nothing has changed" in second.stderr
    assert sorted(second.stdout.split()) == sorted(first.stdout.split())
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "class").iterdir()} == before


def test_what_was_changed_by_hand_is_made_again(tmp_path):
    assert answer("tour", "3", "-o", ".", "-f", "txt", "-q", cwd=tmp_path).returncode == 0
    file = tmp_path / "03-fan-out.txt"
    text = file.read_text()
    file.write_text("mine\n")
    again = answer("tour", "3", "-o", ".", "-f", "txt", cwd=tmp_path)
    assert "nothing has changed" not in again.stderr
    assert file.read_text() == text


def test_a_tour_that_stands_is_told_without_torch(tmp_path):
    assert answer("tour", "3", "-o", ".", "-f", "txt", "-q", cwd=tmp_path).returncode == 0
    script = tmp_path / "sitecustomize.py"
    script.write_text(
        "import sys\nclass No:\n    def find_spec(self, name, *_):\n"
        "        if name == 'torch': raise RuntimeError('torch was loaded')\nsys.meta_path.insert(0, No())\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = fresh_answer("tour", "3", "-o", ".", "-f", "txt", cwd=tmp_path, PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
    assert "nothing has changed" in result.stderr


@pytest.mark.parametrize(
    "receipt", ["", "[]", "{}", '{"made_from": "MARK"}', '{"made_from": "MARK", "files": 3}', "\x00"]
)
def test_a_receipt_that_is_none_counts_for_nothing(tmp_path, receipt):
    mark = fingerprint((), ("html",), "auto")
    (tmp_path / RECEIPT).write_text(receipt.replace("MARK", mark))
    assert standing(tmp_path, mark) is None


def test_a_receipt_is_for_just_what_was_asked():
    marks = {
        fingerprint(words, forms, theme)
        for words in ((), ("3",))
        for forms in (("html",), ("md",))
        for theme in ("auto", "dark")
    }
    assert len(marks) == 8


@pytest.mark.parametrize("command", [("tour", "acumulation"), ("lesson", "acumulation")])
def test_an_unknown_stop_is_a_clear_line_with_a_near_name(tmp_path, command):
    result = answer(*command, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == "error: there is no stop 'acumulation'"
    assert "Did you mean 'accumulation'?" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("tour", "-f", "docx"), 2, "unknown format 'docx'"),
        (("tour", "3", "-o", "-"), 2, "-o - writes one file"),
        (("tour", "3", "-o", "-", "--json"), 2, "both want stdout"),
        (("tour", "3", "-o", "taken"), 2, "taken is not a folder"),
        (("lesson",), 2, "Missing argument"),
        (("lesson", "3", "4"), 2, "unexpected extra argument"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(tmp_path, words, code, says):
    (tmp_path / "taken").write_text("here")
    result = answer(*words, cwd=tmp_path)
    assert result.returncode == code
    assert says in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_one_text_goes_to_stdout(tmp_path):
    result = answer("tour", "3", "-f", "txt", "-o", "-", cwd=tmp_path)
    assert result.stdout.startswith("Stop 3: What if a tensor is used more than once?\n")
    assert answer("lesson", "fan-out", cwd=tmp_path).stdout == result.stdout


def test_what_was_written_is_told_as_json(tmp_path):
    result = answer("tour", "3", "-f", "md", "-o", "out", "--json", cwd=tmp_path)
    written = json.loads(result.stdout)
    assert written["targets"] == ["3"]
    assert "out/03-fan-out.md" in written["written"]


def test_the_stops_are_listed(tmp_path):
    lines = answer("lessons", cwd=tmp_path).stdout.splitlines()
    assert lines[0] == "What a gradient is"
    for stop in stops():
        assert any(line.split()[:2] == [str(stop.number), stop.name] for line in lines)
    listed = json.loads(answer("lessons", "--json", cwd=tmp_path).stdout)
    assert [item["number"] for item in listed] == [stop.number for stop in stops()]
    assert {"name", "title", "objective", "prerequisites", "part"} <= set(listed[0])


def terminal(words, answers, cwd):
    """What the command says on a terminal on which ``answers`` are typed, one at each prompt, then Enter."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "autograd_tour", *words]
    process = subprocess.Popen(
        command, cwd=cwd, env=os.environ | {"CI": "1"}, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    text, waiting, end = b"", list(answers), time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([master], [], [], 0.05)[0]:
            try:
                chunk = os.read(master, 4096)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            text += chunk
        elif text.endswith(b"> "):
            os.write(
                master, f"{waiting.pop(0) if waiting else ''}\n".encode()
            )  # Enter alone shows the answer
            text += b"\n"
    else:
        process.kill()
    os.close(master)
    return text.decode(), process.wait(30)


@pytest.mark.slow
def test_on_a_terminal_a_stop_asks_before_it_tells(tmp_path):
    answers = ("2", "3", "3", "7", "1", "each use moves y", "8", "2", "12")
    text, code = terminal(("lesson", "fan-out"), answers, tmp_path)
    assert code == 0
    assert "You counted x * x once" in text
    first, told = text.index("How many gradients come back"), text.index("It prints:")
    assert first < text.index("How sure are you? 1) a guess") < text.index("Right.") < told
    own = text.index("Why are the three gradients added")
    assert told < own < text.index("each use moves y") < text.index("the moves add up")
    assert text.index("That is the value of y") > told
    assert "Look again at stops 3 and 1 of the tour: autograd-tour lesson 3" in text  # certain weighs most
    assert "Answers" not in text
