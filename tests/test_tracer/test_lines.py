"""The line that is shown is the one that helps: in the forward it belongs to, always with its file."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.errors import ProgramError
from autograd_tour.tracer.listen.frames import deepest_own, home, is_library, relative

LAYERS = """
import torch
from torch import nn

class Conv1D(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(n, n)), nn.Parameter(torch.zeros(n))

    def forward(self, x):
        size = x.size()
        y = torch.addmm(self.bias, x.view(-1, size[-1]), self.weight)
        return y.view(size)

class Gelu(nn.Module):
    def forward(self, input):
        return 0.5 * input * (1.0 + torch.tanh(input))
"""

MODEL = """
from torch import nn
import einfold
from toolkit.layers import Conv1D, Gelu
from toolkit.loss import squared

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn, self.act, self.out = Conv1D(3), Gelu(), nn.Linear(3, 1)

    def forward(self, hidden):
        hidden = self.c_attn(hidden)
        for _ in range(2):
            hidden = einfold.swap(hidden)
        hidden = self.act(hidden)
        return squared(self.out(hidden))
"""

LOSS = """
def squared(value):
    return (value * value).mean()
"""

EINFOLD = """
def swap(x):
    y = x.transpose(-2, -1)
    return y.clone().transpose(-2, -1)
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with a model and another one with a helper, as they are when they are installed."""
    folder = tmp_path / "lib" / "site-packages"
    for name, text in {
        "toolkit/__init__": "", "toolkit/layers": LAYERS, "toolkit/model": MODEL, "toolkit/loss": LOSS,
        "einfold/__init__": EINFOLD,
    }.items():  # fmt: skip
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module("toolkit.model")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("toolkit", "einfold")]:
        del sys.modules[name]


def lines(graph):
    found = []
    for node in graph.nodes:
        if node.kind == "operation":
            where = graph.source[node.where]
            inner = f"{graph.source[node.inner].file}" if node.inner is not None else ""
            found.append((node.op, f"{where.file}:{where.text}", inner))
    return found


def test_an_installed_model_is_shown_in_its_own_forward(installed):
    net = installed.Model()
    graph = tour.trace(lambda: net(torch.ones(2, 3)))
    model, layers = "toolkit/model.py:", "toolkit/layers.py:"
    attn = (model + "hidden = self.c_attn(hidden)", "toolkit/layers.py")
    fold = (model + "hidden = einfold.swap(hidden)", "einfold/__init__.py")
    gelu = (layers + "return 0.5 * input * (1.0 + torch.tanh(input))", "")
    out = (model + "return squared(self.out(hidden))", "")
    loss = ("toolkit/loss.py:return (value * value).mean()", "")
    inside = "transpose in einfold.swap(hidden)"
    # The input needs no gradient, so the view of it in c_attn makes no node.
    assert lines(graph) == [
        ("addmm in self.c_attn(hidden)", *attn),
        ("self.c_attn(hidden)", *attn),
        *[(inside, *fold), ("clone in einfold.swap(hidden)", *fold), (inside, *fold)],
        *[(inside, *fold), ("clone in einfold.swap(hidden)", *fold), ("einfold.swap(hidden)", *fold)],
        ("0.5 * input", *gelu),
        ("torch.tanh(input)", *gelu),
        ("1.0 + torch.tanh(input)", *gelu),
        ("0.5 * input * (1.0 + torch.tanh(input))", *gelu),
        ("transpose in self.out(hidden)", *out),
        ("self.out(hidden)", *out),
        ("value * value", *loss),
        ("(value * value).mean()", *loss),
    ]
    # What a helper calls its results is its own affair.
    assert not {"x", "y"} & {name for node in graph.nodes for name in node.names}


def test_a_module_of_the_user_is_shown_inside(installed):
    class Mine(nn.Module):
        def forward(self, x):
            return torch.sin(x)

    net, x = nn.Sequential(Mine(), nn.Tanh()), torch.ones(3, requires_grad=True)
    assert [line for _, line, _ in lines(tour.trace(lambda: net(x).sum()))] == [
        "test_lines.py:return torch.sin(x)",
        "test_lines.py:assert [line for _, line, _ in lines(tour.trace(lambda: net(x).sum()))] == [",
        "test_lines.py:assert [line for _, line, _ in lines(tour.trace(lambda: net(x).sum()))] == [",
    ]


def test_whose_file_is_whose(tmp_path):
    torch_file = torch.nn.functional.__file__
    ours = sys.modules["autograd_tour.tracer.trace"].__file__
    assert is_library(torch_file)
    assert is_library(ours)
    assert not is_library(sys.modules["autograd_tour"].__file__.replace("__init__", "lessons/thermometer"))
    assert home("/env/lib/python3.11/site-packages/timm/models/vit.py") == "timm"
    assert home(str(tmp_path / "net.py")) == ""
    assert home(importlib.__file__) == "python"
    # The user's frame of a stack is the innermost of the home of the outermost one.
    other = "/env/lib/python3.11/site-packages/einops/einops.py"
    mine = str(tmp_path / "net.py")
    assert deepest_own([ours, mine, other, mine, other, torch_file]) == 3
    assert deepest_own([importlib.__file__, other, torch_file]) == 1
    assert deepest_own([ours, torch_file]) is None


def test_where_a_program_raised_is_the_users_own_line(installed):
    def program():
        return installed.squared(torch.ones(3, requires_grad=True).view(2))

    with pytest.raises(ProgramError, match=r"test_lines\.py:\d+: return installed\.squared"):
        tour.trace(program)


def test_a_file_has_one_name_installed_and_from_a_checkout(tmp_path, monkeypatch):
    layouts = [tmp_path / "checkout", tmp_path / "lib" / "python3.11" / "site-packages"]
    for folder in layouts:
        file = folder / "toolkit" / "lessons" / "stop.py"
        file.parent.mkdir(parents=True)
        for package in (file.parent, file.parent.parent):
            (package / "__init__.py").write_text("")
        file.write_text("x = 1\n")
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        assert relative(str(file)) == "toolkit/lessons/stop.py"
    script = tmp_path / "checkout" / "net.py"
    assert relative(str(script)) == "net.py"
    assert relative("<string>") == "<string>"
    monkeypatch.chdir(Path(__file__).parents[2])
    assert relative(sys.modules["autograd_tour"].__file__) == "autograd_tour/__init__.py"


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


class Same(torch.autograd.Function):
    """Nothing can be heard of what its forward calls."""

    @staticmethod
    def forward(ctx, x):
        with torch._C.DisableTorchFunction():
            return x * 1

    @staticmethod
    def backward(ctx, grad):
        return grad


def custom(graph):
    return [node for node in graph.nodes if "custom Function" in node.notes]


def test_a_custom_function_stands_where_it_is_called():
    square = Square.apply
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def helper(x):
        result = square(x)
        return result  # noqa: RET504

    def program():
        first = helper(w)
        return Square.apply(
            Square.apply(first)  # used by a custom Function alone
        ).sum()

    nodes = custom(graph := tour.trace(program))
    assert [node.op for node in nodes] == [
        "square(x)",
        "Square.apply(first)",
        "Square.apply(Square.apply(first))",
    ]
    assert [graph.source[node.where].function for node in nodes] == ["helper", "program", "program"]
    number = Square.backward.__code__.co_firstlineno + 1
    assert all(f"its backward() is at test_lines.py:{number}" in node.notes for node in nodes)


def test_a_custom_function_that_makes_the_result_is_known_too():
    w = torch.tensor(3.0, requires_grad=True)
    (node,) = custom(tour.trace(lambda: Square.apply(w)))
    assert (node.op, node.value.first) == ("Square.apply(w)", (9.0,))


def test_a_custom_function_of_which_nothing_was_heard_stands_where_it_is_used_first():
    def program():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        same = Same.apply(w)
        return (same * 3).sum()

    (node,) = custom(graph := tour.trace(program))
    assert node.op == "Same"
    assert graph.source[node.where].text == "return (same * 3).sum()"
    assert node.names == ("same",)


@pytest.mark.slow
def test_a_lesson_gives_the_same_bytes_installed_and_from_a_checkout(tmp_path):
    program = (
        "import autograd_tour as tour; from autograd_tour.record.codec import dumps;"
        "from autograd_tour.lessons.thermometer import thermometer; print(dumps(tour.trace(thermometer)))"
    )
    package, texts = Path(sys.modules["autograd_tour"].__file__).parent, []
    for folder in (tmp_path / "checkout", tmp_path / "lib" / "site-packages"):
        shutil.copytree(package, folder / "autograd_tour", ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(folder)},
        )
        texts.append(done.stdout)
    assert texts[0] == texts[1]
    assert "autograd_tour/lessons/thermometer.py" in texts[0]
