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


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(2, 2)
        self.out = torch.nn.Linear(2, 1)
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.out(self.hidden(x)) * self.scale


def inside():
    model = Model()
    for layer in (model.hidden, model.out):
        torch.nn.init.xavier_uniform_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return model(x).sum()


other = Model()  # is not used by inside()
layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))


def of_layers():
    return layers(x).sum()


class Trainer:
    def __init__(self):
        self.net = Model()

    def step(self):
        return self.net(x).sum() + layers(x).sum()


trainer = Trainer()


def of_both():
    return trainer.step()
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
        ("of_net", "net.weight=1,1", "(1, 2)  float32  1, 1"),
        ("inside", "out.bias=7.5", "(1)     float32  7.5"),
        ("inside", "model.out.bias=7.5", "(1)     float32  7.5"),
        ("inside", "scale=7.5", "(1)     float32  7.5"),
        ("inside", "out.weight=7.5,1", "(1, 2)  float32  7.5, 1"),  # after it was initialised
        ("of_layers", "layers.1.bias=7.5", "(1)     float32  7.5"),
        ("of_layers", "1.bias=7.5", "(1)     float32  7.5"),
        ("of_both", "net.out.bias=7.5", "(1)     float32  7.5"),
        ("of_both", "out.bias=7.5", "(1)     float32  7.5"),
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
        ("x=1,2,3", "3 numbers do not fit, it has shape (2,)", "Give it 2 numbers"),
        ("x=1", "1 number does not fit, it has shape (2,)", "Give it 2 numbers"),
        ("w=1,2", "2 numbers do not fit, it has one number", "Give it one number"),
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


@pytest.mark.parametrize(
    ("target", "candidates"),
    [
        ("inside", ["model.hidden.bias", "model.out.bias"]),
        ("of_both", ["trainer.net.hidden.bias", "trainer.net.out.bias"]),
    ],
)
def test_a_short_name_of_several_parameters_lists_them(run, net, target, candidates):
    result = run("render", f"{net}:{target}", "--set", "bias=1", "-f", "txt", "-o", "-")
    assert result.returncode == 2
    message, hint = result.stderr.splitlines()
    assert message.endswith("--set bias: 2 parameters are called so")
    assert hint.endswith(f"Write which: {', '.join(candidates)}")


def test_two_numbers_for_one_name_are_refused(run, net):
    result = run("render", f"{net}:loss", "--set", "w=2", "--set", "w=3", "-f", "txt", "-o", "-")
    assert result.returncode == 2
    assert "--set gives w numbers twice" in result.stderr.splitlines()[0]


def test_a_saved_trace_has_no_program_to_run(run, net, tmp_path):
    assert run("render", f"{net}:loss", "-f", "json", "-o", str(tmp_path)).returncode == 0
    result = run("render", str(tmp_path / "net-loss.json"), "--set", "w=2", "-o", "-", "-f", "txt")
    assert result.returncode == 2
    assert "is a saved trace" in result.stderr


def test_questions_are_about_the_numbers_that_were_set(run):
    result = run("quiz", "thermometer", "--set", "w=2", "--json")
    assert "10398.9" in result.stdout
    assert "4517.3" not in result.stdout
