"""A program that torch.compile has a part in."""

from __future__ import annotations

import os
import warnings

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.errors import ProgramError
from autograd_tour.tracer.engine.stepper import stepper
from tests.commands import fresh_answer


@pytest.fixture(autouse=True)
def _nothing_compiled_before():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Block(nn.Module):
    """One step of a residual network."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.project = nn.Linear(4, 4)

    def forward(self, x):
        return x + torch.tanh(self.project(self.norm(x)))


class Net(nn.Module):
    """Blocks in a row."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(2)])
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def donating():
    """A compiled function that saves what nobody else sees, and a leaf."""
    x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    return torch.compile(lambda x: (torch.tanh(x * 2).exp() * x).sin(), backend="aot_eager"), x


def test_what_is_compiled_and_run_backward_within_the_trace_can_be_retained():
    function, x = donating()

    def program():
        torch.autograd.grad(function(x).sum(), x)
        return function(x).sum()

    graph = tour.trace(program)
    (after,) = [step.after for _, step in graph.numbered_steps() if step.after is not None]
    twin = x.detach().clone().requires_grad_()
    (torch.tanh(twin * 2).exp() * twin).sin().sum().backward()
    assert after.first == pytest.approx(twin.grad.tolist())
    assert len(list(stepper(program))) > 2
    tour.accumulate(program, calls=2)
    assert torch._functorch.config.donated_buffer


def test_what_was_compiled_before_says_how_to_compile_it():
    function, x = donating()
    function(x).sum().backward()
    with pytest.raises(ProgramError, match="runs once only") as caught:
        tour.trace(function(x).sum())
    assert "donated_buffer = False before it is compiled" in caught.value.hint
    torch._dynamo.reset()
    with torch._functorch.config.patch(donated_buffer=False):
        function(x).sum().backward()
        graph = tour.trace(function(x).sum())
    assert [node.grad_fn for node in graph.nodes if node.compiled] == ["CompiledFunctionBackward"]


def test_nothing_is_said_about_a_run_without_the_trace_that_was_not_tried():
    class Refusing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("not in a trace")

    with pytest.raises(ProgramError, match="not in a trace") as caught:
        tour.trace(lambda: Refusing.apply(torch.ones(2, requires_grad=True)).sum())
    assert "same happens" not in caught.value.hint


@pytest.mark.parametrize("look", [tour.trace, lambda program: tour.accumulate(program, calls=2)])
def test_many_traces_of_a_compiled_model_compile_it_once_more(look):
    model, x = torch.compile(Net(), backend="aot_eager"), torch.randn(3, 4)
    program = lambda: model(x).pow(2).mean()  # noqa: E731
    program().backward()
    graphs = torch._dynamo.utils.counters["stats"]
    before = graphs["unique_graphs"]
    records = [look(program) for _ in range(3)]
    assert records[1] == records[0]
    assert graphs["unique_graphs"] <= before + 1
    program().backward()
    assert graphs["unique_graphs"] <= before + 1


def test_a_trace_within_a_trace_hears_its_own_modules_only():
    inner, outer = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 1), nn.Tanh())
    graphs = []

    def program():
        graphs.append(tour.trace(lambda: inner(torch.ones(1, 2)).sum()))
        return outer(torch.ones(1, 2)).sum()

    graph = tour.trace(program)
    assert [group.path for group in graphs[0].groups] == ["inner.0"]
    assert {"0", "1"} <= {group.path.rpartition(".")[2] for group in graph.groups}


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_names_and_lines_are_those_of_the_program(backend):
    torch.manual_seed(0)
    net = Net()
    net.blocks[1] = torch.compile(net.blocks[1], backend=backend)
    model, x = torch.compile(net, backend=backend), torch.randn(3, 4)
    for program in (lambda: model(x).mean(), lambda: net(x).mean()):
        graph = tour.trace(program)
        leaves = {node.name for node in graph.nodes if node.kind == "leaf"}
        assert leaves == {name for name, _ in Net().named_parameters()}
        texts = repr((graph.nodes, graph.groups, graph.source, graph.meta.notes))
        assert "_orig_mod" not in texts
        assert "eval_with_key" not in texts
        assert "GraphModule" not in texts


def test_no_warning_speaks_of_hooks_that_are_ours():
    model = torch.compile(nn.Linear(2, 1), backend="eager")
    model(torch.ones(1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tour.trace(lambda: model(torch.ones(1, 2)).sum())


def _training(compiled: str):
    """A loop in which a part is compiled, and its leaves."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(4, 2)
    model = torch.compile(net, backend="aot_eager") if compiled == "model" else net
    make = torch.compile(optimizer.step, backend="eager") if compiled == "step" else optimizer.step

    def step():
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        make()

    whole = torch.compile(step, backend="eager") if compiled == "whole" else step

    def train():
        for _ in range(3):
            whole()

    return train, list(net.parameters())


@pytest.mark.parametrize("compiled", ["model", "step", "whole"])
def test_training_that_is_compiled_is_followed_line_by_line(compiled, monkeypatch):
    plain, alone = _training("")
    plain()
    train, leaves = _training(compiled)
    before = [leaf.detach().clone() for leaf in leaves]
    compiled_codes: list[str] = []
    monkeypatch.setattr(
        torch._dynamo.convert_frame,
        "log_dynamo_start",
        lambda code, *_, **__: compiled_codes.append(code.co_filename),
        raising=True,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = tour.follow(train)
    assert not [item for item in caught if "autograd_tour" in str(item.message)]
    told = ["zeroing", "forward", "backward", "step"] * 3
    assert [event.kind for event in run.events] == told
    # Compiled code is at no line of what it was made of.
    forward = "whole()" if compiled == "whole" else "loss = model(x).pow(2).mean()"
    lines = ["optimizer.zero_grad()", forward, "loss.backward()", "make()"]
    assert [run.line(event).text for event in run.events] == lines * 3
    assert not any(event.returned for event in run.events)  # torch.compile asks for gradients of its own
    ends = {leaf.shape: leaf for leaf in run.leaves}
    for leaf in alone:
        end = ends[tuple(leaf.shape)]
        assert end.final_value.first == pytest.approx(leaf.flatten().tolist())
        assert end.final_grad.first == pytest.approx(leaf.grad.flatten().tolist())
    assert all(map(torch.equal, leaves, before))
    assert compiled_codes
    assert not [file for file in compiled_codes if file.startswith(os.path.dirname(tour.__file__))]


def test_what_must_be_compiled_whole_says_how_it_can_be_followed():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    make = torch.compile(optimizer.step, backend="eager", fullgraph=True)

    def train():
        net(torch.ones(1, 2)).sum().backward()
        make()

    with pytest.raises(ProgramError, match=r"torch\.compile refuses a part of the program") as caught:
        tour.follow(train)
    assert "fullgraph=True" in caught.value.hint
    with torch.compiler.set_stance("force_eager"):
        assert [event.kind for event in tour.follow(train).events] == ["forward", "backward", "step"]


@pytest.mark.slow
def test_hooks_that_the_program_does_not_have_are_not_warned_of(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\n\n\n"
        "def loss():\n"
        "    net = torch.compile(torch.nn.Linear(2, 1), backend='eager')\n"
        "    return net(torch.ones(3, 2)).sum()\n"
    )
    # In a process that loads what compiles only while the program runs.
    result = fresh_answer("explain", "net.py:loss", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
