"""What is only noted, since it may be meant; and what is said of a run beside its lines."""

from __future__ import annotations

import importlib
import socket
import sys

import pytest
import torch
from programs.faults import again, in_practice, numbers, steps, trained
from torch import nn
from torch.autograd.gradcheck import GradcheckError
from torch.nn.parallel import DistributedDataParallel

from autograd_tour import explain


def notes(program) -> list:
    findings = explain(program).findings
    assert [item.brief for item in findings if item.level != "note"] == []
    return list(findings)


def test_a_hook_that_changes_a_gradient_is_noted_with_its_line() -> None:
    (note,) = notes(again.hook_that_clips)
    assert note.kind == "hook-changes-gradient"
    assert [item.role for item in note.lines] == ["registered here", "of the tensor here"]
    assert "register_hook" in note.lines[0].line.text
    assert notes(again.hook_that_only_looks) == []


@pytest.mark.parametrize("program", in_practice.COPIES, ids=lambda program: program.__name__)
def test_a_copy_that_follows_a_model_is_told_as_one(program) -> None:
    (note,) = notes(program)
    assert note.kind == "grad-none-copy"
    assert [item.role for item in note.lines] == ["written here"]
    assert "not meant to train" in note.why
    assert "requires_grad_(False)" in note.fix


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (again.straight_through_by_a_function, "step function"),
        (again.reversed_on_purpose, "negative multiple"),
    ],
)
def test_a_backward_that_is_meant_to_differ_is_noted(program, words) -> None:
    (note,) = notes(program)
    assert note.kind == "custom-backward-differs"
    assert words in note.why


@pytest.mark.parametrize(
    ("program", "function"), [(again.wrong_power, again.Cube), (again.forgotten_factor, again.Scaled)]
)
def test_a_custom_backward_that_disagrees_is_told_with_both_numbers_and_its_line(program, function) -> None:
    (finding,) = explain(program).findings
    assert (finding.kind, finding.level) == ("custom-backward-differs", "warning")
    first = function.backward.__code__.co_firstlineno
    assert finding.lines[0].line.line - first in (0, 1)  # below its decorator
    assert finding.lines[1].line.text.startswith("return")


class Weighted(torch.autograd.Function):
    """A sum of two inputs with a number, whose backward forgets the number."""

    @staticmethod
    def forward(ctx, left, right, factor):
        return left + factor * right

    @staticmethod
    def backward(ctx, gradient):
        return gradient, gradient, None


class Together(torch.autograd.Function):
    """The same of any arguments, with a context of its own."""

    @staticmethod
    def forward(*terms):
        return 2 * sum(terms)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.count = len(inputs)

    @staticmethod
    def backward(ctx, gradient):
        return (gradient,) * ctx.count


@pytest.mark.parametrize("kind", [Weighted, Together, again.Cube])
def test_the_check_that_is_advised_can_be_run_as_it_stands(kind) -> None:
    tensors = [torch.tensor([0.5, 1.5], requires_grad=True) for _ in range(1 if kind is again.Cube else 2)]
    given = {"left": tensors[0], "right": tensors[-1], "factor": 3.0, "x1": tensors[0], "x2": tensors[-1]}
    arguments = (*tensors, 3.0) if kind is Weighted else tensors
    (finding,) = explain(lambda: kind.apply(*arguments).sum()).findings
    space = {"torch": torch, kind.__name__: kind, **given, "x": tensors[0], "value": tensors[0]}
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        exec(finding.fix, space)


def test_a_function_that_is_not_the_same_twice_is_not_compared() -> None:
    class Noisy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value * torch.rand(())

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    assert explain(lambda: Noisy.apply(torch.ones(3, requires_grad=True)).sum()).findings == ()


def test_parameters_that_would_stop_a_reducer_are_noted() -> None:
    (note,) = notes(steps.one_head_at_a_time)
    assert note.kind == "would-stop-reducer"
    assert set(note.about) == {"second.weight", "second.bias"}


def test_a_reducer_that_stopped_is_explained_with_the_parameters() -> None:
    if not torch.distributed.is_available():
        pytest.skip("torch was built without distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    try:
        net = DistributedDataParallel(steps.WithAnotherHead())

        def program() -> None:
            for _ in range(2):
                net(steps.x).mean().backward()

        finding = explain(program).findings[0]
    finally:
        torch.distributed.destroy_process_group()
    assert finding.kind == "reducer-stopped"
    assert "second.weight" in " ".join(finding.about)
    assert "Expected to have finished reduction" in finding.message


def test_what_a_sum_keeps_is_counted() -> None:
    def program() -> None:
        net, total = nn.Linear(2, 1), 0.0
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net(steps.x).pow(2).mean().backward()
            optimizer.step()
            total = total + net(steps.x).exp().mean()

    (finding,) = [item for item in explain(program).findings if item.kind == "graph-kept"]
    # exp saved its result: 3 numbers of 4 bytes; linear its input, which the program holds
    assert "One iteration keeps 4 nodes, and 36 bytes" in finding.why
    (freed,) = explain(trained.total_of_losses).findings
    assert "and 0 bytes" in freed.why


def test_infinities_that_reach_nothing_are_noted() -> None:
    (note,) = notes(numbers.scores_with_an_additive_mask)
    assert note.kind == "inf-forward"


def test_methods_that_were_replaced_are_back() -> None:
    methods = nn.Module.train, torch.amp.GradScaler.step, torch.autograd.Function.__dict__["apply"]
    explain(steps.scaled_as_it_should)
    assert (nn.Module.train, torch.amp.GradScaler.step, torch.autograd.Function.__dict__["apply"]) == methods
    assert "set_" not in torch.Tensor.__dict__
    assert not torch.nn.modules.module._global_forward_hooks


def test_a_softmax_at_its_end_is_only_noted_where_leaves_learn_by_another_way() -> None:
    (note,) = notes(numbers.hard_attention_beside_another_way)
    assert note.kind == "saturated"
    assert "by other ways" in note.why


class Freeing(torch.optim.SGD):
    """Empties ``.grad`` when it has used it."""

    def step(self, closure=None) -> None:
        super().step(closure)
        self.zero_grad()


class FreeingByHand(torch.optim.Optimizer):
    def __init__(self, parameters, lr=0.1) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.add_(parameter.grad, alpha=-0.1)
            parameter.grad = None


@pytest.mark.parametrize("kind", [Freeing, FreeingByHand])
def test_an_optimizer_that_empties_what_it_has_used_wastes_nothing(kind) -> None:
    def program() -> None:
        net = nn.Linear(2, 1)
        optimizer = kind(net.parameters(), lr=0.1)
        for _ in range(2):
            net(steps.x).pow(2).mean().backward()
            optimizer.step()

    assert not explain(program).findings


def test_a_hook_that_empties_before_the_step_does() -> None:
    def program() -> None:
        net = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(lambda *_: optimizer.zero_grad())
        for _ in range(2):
            net(steps.x).pow(2).mean().backward()
            optimizer.step()

    assert [item.kind for item in explain(program).findings] == ["zero-grad-before-step"]


def test_a_gradient_that_overflows_is_not_said_to_meet_an_infinite_slope() -> None:
    def program() -> None:
        w = torch.tensor([200.0, -300.0], requires_grad=True)
        ((w.half() * 2).float().pow(2).mean() * 65536).backward()

    (finding,) = [item for item in explain(program).findings if item.kind == "inf-backward"]
    assert finding.level == "warning"
    assert "as large as 3.93216e7" in finding.why
    assert "beyond the largest number of float16, 65504, or its slope" in finding.why


class Adapted(nn.Module):
    """A layer that stays as it is, and a small one beside it that is trained."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.base_layer = layer.requires_grad_(False)
        self.adapter = nn.Linear(2, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base_layer(x) + self.adapter(x)


def test_a_layer_that_is_wrapped_is_not_replaced() -> None:
    def program() -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        model[1] = Adapted(model[1])
        optimizer = torch.optim.AdamW(model.parameters())
        for _ in range(2):
            model(steps.x).pow(2).mean().backward()
            optimizer.step()
            optimizer.zero_grad()

    assert [item.kind for item in notes(program)] == ["grad-none-frozen"]


class SharpnessAware(torch.optim.Optimizer):
    """Goes uphill, asks there for the gradient, and lets another optimizer step with it from where it was."""

    def __init__(self, parameters) -> None:
        super().__init__(parameters, {"rho": 0.05})
        self.base = torch.optim.SGD(self.param_groups, lr=0.1)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def step(self, closure) -> None:
        before = [(p, p.clone()) for group in self.param_groups for p in group["params"]]
        for parameter, _ in before:
            parameter.add_(parameter.grad, alpha=0.05)
        self.zero_grad()
        with torch.enable_grad():
            closure()
        for parameter, value in before:
            parameter.copy_(value)
        self.base.step()


def test_an_optimizer_that_steps_inside_another_one_takes_no_turns() -> None:
    def program() -> None:
        net = nn.Linear(2, 1)
        optimizer = SharpnessAware(net.parameters())

        def closure() -> torch.Tensor:
            loss = net(steps.x).pow(2).mean()
            loss.backward()
            return loss

        for _ in range(4):
            closure()
            optimizer.step(closure)
            optimizer.zero_grad()

    assert not explain(program).findings


ENGINE = """
def run(net, optimizer, x):
    for _ in range(4):
        optimizer.zero_grad()
        loss = net(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        report((loss * 1).item())

def report(number):
    pass
"""


def test_what_a_library_computes_of_its_loss_at_one_line_is_no_sum(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "some_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(folder)
    engine = importlib.import_module("some_engine")
    net = nn.Linear(2, 1)

    def program() -> None:
        engine.run(net, torch.optim.SGD(net.parameters(), lr=0.1), steps.x)

    try:
        assert not explain(program).findings
    finally:
        sys.modules.pop("some_engine")
