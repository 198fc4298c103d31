"""Other numbers for the tensors of a program: ``--set w=2`` runs torch anew."""

from __future__ import annotations

import pytest

from tests.commands import answer

NET = """
import torch

x = torch.tensor([1.0, 2.0])
y = 2 * x
w = torch.tensor(0.5, requires_grad=True)
net = torch.nn.Linear(2, 1)


def loss():
    b = torch.zeros(2).requires_grad_()
    return ((w * x + b - y) ** 2).mean()


def of_net():
    return net(x).sum()
"""


@pytest.fixture
def run(tmp_path):
    """The command itself, in an empty folder."""
    return lambda *words: answer(*words, cwd=tmp_path)


@pytest.fixture
def net(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(NET)
    return file


def rendered(run, *arguments):
    result = run("render", *arguments, "-f", "txt", "-o", "-")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_leaf_made_inside_a_built_in_program(run):
    text = rendered(run, "thermometer", "--set", "w=2", "--set", "b=-1")
    assert "loss = 9036.78" in text
    assert ".grad of w becomes 10295.3" in text


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("loss", "w=2", "w becomes 0."),
        ("loss", "x=3, 4", "float32  3, 4"),
        ("loss", "x=3, 4", "float32  6, 8"),  # what is computed from it when the file is loaded, too
        ("loss", "b=[1, 1]", "= 2.125."),
        ("of_net", "weight=1,1", "(1, 2)  float32  1, 1"),
    ],
)
def test_tensors_of_a_file_inside_and_outside_of_the_function(run, net, target, given, expected):
    assert expected in rendered(run, f"{net}:{target}", "--set", given)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("v=1", "no tensor that can be set has that name", "These can be set: "),
        ("w=two", "'two' is no number", "inf, nan"),
        ("w", "gives no tensor a number", "--set w=2"),
        ("x=1,2,3", "3 numbers do not fit, it has shape (2,)", "Give it 2 of them"),
    ],
)
def test_what_cannot_be_set_is_said_in_one_line_and_nothing_is_written(
    run, net, tmp_path, given, message, hint
):
    result = run("render", f"{net}:loss", "--set", given, "-o", str(tmp_path / "out"))
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[0]
    assert hint in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_saved_trace_has_no_program_to_run(run, net, tmp_path):
    assert run("render", f"{net}:loss", "-f", "json", "-o", str(tmp_path)).returncode == 0
    result = run("render", str(tmp_path / "net-loss.json"), "--set", "w=2", "-o", "-", "-f", "txt")
    assert result.returncode == 2
    assert "is a saved trace" in result.stderr


def test_questions_are_about_the_numbers_that_were_set(run):
    result = run("quiz", "thermometer", "--set", "w=2", "--json")
    assert "10398.9" in result.stdout
    assert "4517.3" not in result.stdout
