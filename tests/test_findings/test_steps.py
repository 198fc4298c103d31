"""tour.watch: what it hears of a training that runs as ever, and that it leaves nothing behind."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour import watching
from autograd_tour.drawing.heat import heat_map
from autograd_tour.errors import UsageError
from autograd_tour.record.steps import Norms
from tests.commands import answer

x = torch.linspace(-1, 1, 64).reshape(16, 4)
y = x.sum(1, keepdim=True).sin()


def network(depth: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [layer for _ in range(depth) for layer in (nn.Linear(4, 4), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(4, 1))


def loss_of(model: nn.Module) -> torch.Tensor:
    return ((model(x) - y) ** 2).mean()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 5) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()


def kinds(watch: watching.Watching) -> list[str]:
    return [finding.kind for finding in watch.findings]


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tour.GradientWarning)
        yield


def hooks_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    of_tensors = [parameter._post_accumulate_grad_hooks or () for parameter in model.parameters()]
    return (
        sum(map(len, of_tensors))
        + len(optimizer._optimizer_step_pre_hooks)
        + len(optimizer._optimizer_step_post_hooks)
    )


def test_norms_are_those_of_grad_at_each_step_and_training_is_as_ever() -> None:
    model, plain = network(), network()
    optimizer, other = (torch.optim.AdamW(m.parameters(), lr=0.1) for m in (model, plain))
    expected = []
    for _ in range(4):
        other.zero_grad()
        loss_of(plain).backward()
        expected.append(plain[0].weight.grad.norm().item())
        other.step()
    with tour.watch(model, optimizer) as w:
        train(model, optimizer, 4)
    assert w.norms.steps == (1, 2, 3, 4)
    assert w.norms.names == tuple(name for name, _ in model.named_parameters())
    assert w.norms.of("0.weight") == pytest.approx(expected)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))
    assert w.findings == []
    with pytest.raises(KeyError):
        w.norms.of("nothing")


def test_no_hook_stays_also_after_an_error_and_after_so_many_steps() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), tour.watch(model, optimizer):
        train(model, optimizer, 1)
        raise ZeroDivisionError
    assert hooks_of(model, optimizer) == 0
    with tour.watch(model, optimizer, steps=2) as w:
        train(model, optimizer, 5)
        assert hooks_of(model, optimizer) == 0
    assert w.norms.total == 2


def test_gradients_that_nobody_emptied_are_told_with_both_lines_as_they_arise() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    heard = []
    with tour.watch(model, optimizer, on_finding=heard.append) as w:
        for _ in range(3):
            loss_of(model).backward()  # the line that adds
            optimizer.step()
            if len(heard) == 1:
                break
    assert kinds(w) == ["zero-grad-missing"]
    assert heard == w.findings
    assert w.norms.total == 2
    added, used = w.findings[0].lines
    assert added.line.text == "loss_of(model).backward()  # the line that adds"
    assert used.line.text == "optimizer.step()"


@pytest.mark.parametrize("to_none", [True, False])
def test_accumulation_over_micro_batches_and_clipping_is_no_fault(to_none) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    with tour.watch(model, optimizer) as w:
        for _ in range(5):
            for _ in range(3):
                (loss_of(model) / 3).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
            optimizer.zero_grad(set_to_none=to_none)
    assert w.findings == []
    whole = [sum(norm**2 for norm in row) ** 0.5 for row in w.norms.rows]
    assert whole == pytest.approx([0.01] * 5, rel=1e-3)  # as the step used them


def test_a_warning_comes_from_the_line_of_the_program() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.warns(tour.GradientWarning, match="zero_grad|earlier step") as caught,
        tour.watch(model, optimizer),
    ):
        for _ in range(2):
            loss_of(model).backward()
            optimizer.step()
    assert caught[0].filename.endswith("test_steps.py")


def test_missing_zero_and_nonfinite_gradients_are_told_by_name() -> None:
    model = nn.ModuleDict({"net": network(), "unused": nn.Linear(2, 2), "dead": nn.Linear(4, 1)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tour.watch(model, optimizer) as w:
        for step in range(5):
            optimizer.zero_grad()
            loss = loss_of(model["net"]) + 0 * model["dead"](x).sum()
            (loss * float("inf") if step == 4 else loss).backward()
            optimizer.step()
    assert kinds(w) == ["grad-none", "gradient-zero", "nonfinite-gradient"]
    assert w.findings[0].about == ("unused.weight", "unused.bias")
    assert w.findings[1].about == ("dead.weight", "dead.bias")
    assert "net.0.weight" in w.findings[2].about
    assert w.norms.of("unused.weight") == (None,) * 5


def test_of_few_steps_what_was_missing_in_all_is_told_at_the_end() -> None:
    model = nn.ModuleDict({"net": network(), "unused": nn.Linear(2, 2)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tour.watch(model, optimizer) as w:
        train(model["net"], optimizer, 1)
        assert w.findings == []
    assert kinds(w) == ["grad-none"]


def test_an_optimizer_of_another_model_and_a_step_without_backward() -> None:
    model, other = network(), network()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    with tour.watch(model, optimizer) as w:
        loss_of(model).backward()
        optimizer.step()
        optimizer.step()
    assert kinds(w)[:2] == ["optimizer-of-other-parameters", "step-without-gradient"]


def test_one_scaled_branch_is_no_vanishing() -> None:
    parts = nn.ModuleList([nn.Linear(4, 4) for _ in range(7)])
    optimizer = torch.optim.SGD(parts.parameters(), lr=0.0)
    with tour.watch(parts, optimizer) as w:
        h = 1e-8 * parts[0](torch.ones(3, 4)) + torch.ones(3, 4)
        for layer in parts[1:]:
            h = h + layer(h)
        h.mean().backward()
        optimizer.step()
    assert kinds(w) == []


def test_vanishing_over_depth_and_a_spike_over_steps() -> None:
    deep = network(8)
    with torch.no_grad():
        for layer in deep[::2]:
            layer.weight.mul_(0.05)
    optimizer = torch.optim.SGD(deep.parameters(), lr=0.0)
    with tour.watch(deep, optimizer) as w:
        train(deep, optimizer, 1)
    assert kinds(w) == ["vanishing"]
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with tour.watch(model, optimizer) as w:
        for step in range(20):
            optimizer.zero_grad()
            (loss_of(model) * (1000 if step == 15 else 1)).backward()
            optimizer.step()
    assert kinds(w) == ["gradient-spike"]
    assert "step 16" in w.findings[0].seen


def test_gradient_scalers_are_understood() -> None:
    for fused in (False, True):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
        loss_of(model).backward()
        true = model[0].weight.grad.norm().item()
        optimizer.zero_grad()
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        with tour.watch(model, optimizer) as w:
            for factor in (1.0, float("inf")):
                optimizer.zero_grad()
                scaler.scale(loss_of(model) * factor).backward()
                scaler.step(optimizer)
                scaler.update()
        assert w.norms.of("0.weight")[0] == pytest.approx(true, rel=1e-4)
        assert w.findings == []


def test_closures_half_precision_sparse_and_compiled() -> None:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    with tour.watch(model, optimizer) as w:
        optimizer.step(closure)
        optimizer.step(closure)
    assert (w.norms.total, w.findings) == (2, [])
    half = nn.Linear(4, 1).to(torch.bfloat16)
    table = nn.Embedding(5, 4, sparse=True)
    both = nn.ModuleDict({"table": table, "low": half})
    optimizer = torch.optim.SGD(both.parameters(), lr=0.1)
    with tour.watch(both, optimizer) as w:
        half(table(torch.tensor([1, 1])).bfloat16()).sum().backward()
        expected = table.weight.grad.to_dense().norm().item()
        optimizer.step()
    assert w.norms.of("table.weight") == (pytest.approx(expected, rel=1e-3),)
    compiled = torch.compile(network(), backend="aot_eager")
    optimizer = torch.optim.SGD(compiled.parameters(), lr=0.1)
    with tour.watch(compiled, optimizer) as w:
        train(compiled, optimizer, 3)
    assert (w.norms.total, w.norms.names[0], w.findings) == (3, "0.weight", [])


def test_the_table_of_a_long_run_stays_small(monkeypatch) -> None:
    monkeypatch.setattr(watching, "MOST_STEPS", 16)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with tour.watch(model, optimizer) as w:
        train(model, optimizer, 100)
    norms = w.norms
    assert len(norms.rows) <= 16
    assert norms.steps == tuple(range(1, 101, norms.stride))
    assert norms.total == 100


def test_what_cannot_be_watched_is_a_clear_error() -> None:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(UsageError, match="not Linear"):
        tour.watch(model, model)
    with pytest.raises(UsageError, match="not SGD"):
        tour.watch(optimizer, optimizer)
    with pytest.raises(UsageError, match="0 steps"):
        tour.watch(model, optimizer, steps=0)
    with pytest.raises(UsageError, match="requires a gradient"):
        tour.watch(model.requires_grad_(False), optimizer)


# ---- the picture -------------------------------------------------------------------------------------


def test_the_picture_is_readable_in_a_column_of_the_web(tmp_path) -> None:
    model = network(8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tour.watch(model, optimizer) as w:
        train(model, optimizer, 30)
    svg = w.save(tmp_path / "watch.svg").read_text()
    assert 'width="736"' in svg
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)) >= 11
    assert "prefers-color-scheme:dark" in svg
    assert svg.count("<text") >= 19  # a name for each of 18 parameters, and for all
    for x_, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg):
        assert float(x_) + float(width) <= 736
    assert w.save(tmp_path / "watch.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="no picture ends"):
        w.save(tmp_path / "watch.gif")
    with pytest.raises(UsageError, match="no folder"):
        w.save(tmp_path / "nowhere" / "watch.svg")


def test_many_parameters_are_taken_together_by_module_and_many_steps_by_column() -> None:
    names = tuple(f"blocks.{i}.linear{k}.weight" for i in range(12) for k in range(4))
    rows = tuple(tuple(float(i + 1) for i in range(48)) for _ in range(300))
    svg = heat_map(Norms(names, tuple(range(1, 301)), rows, 300))
    assert "48 parameters in 12 rows" in svg
    assert svg.count("<rect") < 13 * 64 + 20
    assert "blocks.11" in svg


def test_odd_numbers_have_marks_of_their_own_and_nothing_is_no_picture() -> None:
    svg = heat_map(Norms(("a", "b", "c"), (1,), ((float("nan"), 0.0, None),), 1))
    assert 'fill="#a30000"' in svg
    assert "Nothing to draw" in heat_map(Norms(("a",), (), ()))


def test_a_parameter_that_the_model_does_not_have_any_more_is_told_as_that() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model[4] = nn.Linear(4, 1)
    with pytest.warns(watching.GradientWarning), tour.watch(model, optimizer) as w:
        train(model, optimizer, 4)
    (finding,) = [item for item in w.findings if item.kind == "grad-none"]
    assert finding.about == ("optimizer.param_groups[0].params[4]", "optimizer.param_groups[0].params[5]")
    assert "a layer was replaced after the optimizer was made" in finding.why
    assert "after the model is complete" in finding.fix


@pytest.mark.parametrize("moment", ["backward", "before the step", "after the step"])
def test_an_interrupt_in_the_middle_leaves_parameters_and_hooks_as_they_are_without_it(moment) -> None:
    def interrupted(watched: bool) -> tuple[nn.Module, torch.optim.Optimizer]:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        watch = tour.watch(model, optimizer) if watched else nullcontext()
        with pytest.raises(KeyboardInterrupt), watch:
            train(model, optimizer, 3)
            if moment == "backward":
                model[0].weight.register_hook(_interrupt)
            elif moment == "before the step":
                optimizer.register_step_pre_hook(_interrupt)
            else:
                optimizer.register_step_post_hook(_interrupt)
            train(model, optimizer, 3)
        return model, optimizer

    (watched, optimizer), (plain, alone) = interrupted(True), interrupted(False)
    for one, other in zip(watched.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.equal(one.grad, other.grad)
    assert hooks_of(watched, optimizer) == hooks_of(plain, alone)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


INTERRUPTED = """
import os
import signal
import sys
from contextlib import nullcontext

import torch
import autograd_tour as tour

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in the background
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def train(watched=True):
    try:
        with tour.watch(model, optimizer) if watched else nullcontext():
            for step in range(10):
                optimizer.zero_grad()
                model(torch.ones(3, 2)).mean().backward()
                if step == 4:
                    os.kill(os.getpid(), signal.SIGINT)
                optimizer.step()
    finally:
        hooks = [p._post_accumulate_grad_hooks or {} for p in model.parameters()]
        print(step, sum(map(len, hooks)), len(optimizer._optimizer_step_post_hooks), file=sys.stderr)

if __name__ == "__main__":
    train("plain" not in sys.argv)
"""


TWICE = """
import os, runpy, sys
import torch._dynamo  # once for both, with what an optimizer loads
import autograd_tour

for word in ("watched", "plain"):
    child = os.fork()
    if child == 0:
        sys.argv[1:] = [word]
        os.dup2(os.open(word, os.O_WRONLY | os.O_CREAT), 2)
        runpy.run_path("script.py", run_name="__main__")
        sys.exit()
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")
def test_a_script_that_is_interrupted_ends_as_it_does_without_being_watched(tmp_path) -> None:
    (tmp_path / "script.py").write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "-c", TWICE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    watched, plain = ((tmp_path / word).read_text() for word in ("watched", "plain"))
    assert watched.splitlines()[0] == plain.splitlines()[0] == "4 0 0"
    assert watched.endswith("KeyboardInterrupt\n")
    first, second = map(int, done.stdout.split())
    assert first == second != 0


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")
@pytest.mark.slow
def test_a_watched_loop_that_is_interrupted_while_it_is_explained_ends_with_130(tmp_path) -> None:
    (tmp_path / "script.py").write_text(INTERRUPTED)
    done = answer("explain", "script.py:train", "-f", "md", cwd=tmp_path)
    assert done.returncode == 130
    assert done.stderr.splitlines()[0] == "4 0 0"
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]
