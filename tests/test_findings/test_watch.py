"""Watching a program changes nothing of it: torch's own checks, its gradients, its record."""

from __future__ import annotations

import sys
import warnings

import pytest
import torch
from programs import basics, loops, models
from programs.faults import changed, cut_off, numbers, trained

import autograd_tour as tour
from autograd_tour import explain
from autograd_tour.errors import UsageError
from autograd_tour.formats.explanation import terminal
from autograd_tour.record import codec
from autograd_tour.tracer.explained import observe


def test_torchs_own_check_of_versions_stays_on() -> None:
    """A pack hook that holds the tensor would turn this error into a wrong gradient in silence."""
    observed = observe(changed.added_in_place)
    assert observed.evidence.failure is not None
    assert "modified by an inplace operation" in observed.evidence.failure.text


def test_what_is_changed_in_silence_gives_the_gradient_that_torch_gives() -> None:
    w = torch.ones(3, requires_grad=True)
    gradients = []

    def program() -> None:
        h = torch.sigmoid(w)
        h.data.mul_(3)
        h.sum().backward()
        gradients.append(w.grad.clone())
        w.grad = None

    program()
    explain(program)
    assert torch.equal(gradients[0], gradients[1])


@pytest.mark.parametrize(
    "program",
    [basics.PROGRAMS[0], loops.mnist_loop, models.lstm, trained.never_zeroed],
    ids=lambda p: p.__name__,
)
def test_the_record_is_that_of_a_run_that_nobody_watches(program) -> None:
    torch.manual_seed(3)
    watched = observe(program).run
    torch.manual_seed(3)
    assert codec.dumps(tour.Trace(watched.graphs[0], None, watched)) == codec.dumps(
        tour.Trace((run := tour.follow(program)).graphs[0], None, run)
    )


def test_everything_is_as_found_after_an_error() -> None:
    net = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in net.parameters()]

    def program() -> None:
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        raise ValueError("enough")

    (finding,) = [item for item in explain(program).findings if item.level == "error"]
    assert finding.message == "enough"
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in net.parameters())


def test_numpy_writes_behind_torchs_back() -> None:
    pytest.importorskip("numpy")

    def program():
        w = torch.ones(3, requires_grad=True)
        h = torch.sigmoid(w)
        array = h.detach().numpy()
        array *= 3
        return h.sum()

    (finding,) = [item for item in explain(program).findings if item.level == "error"]
    assert finding.kind == "changed-in-silence"
    assert finding.lines[0].line.text == "array = h.detach().numpy()"


def test_an_array_that_is_only_read_is_no_finding() -> None:
    pytest.importorskip("numpy")

    def program():
        w = torch.ones(3, requires_grad=True)
        h = torch.sigmoid(w)
        h.detach().numpy().sum()
        return h.sum()

    assert explain(program).findings == ()


def test_only_what_can_run_can_be_explained() -> None:
    with pytest.raises(UsageError, match="takes a callable"):
        explain(torch.ones(1))


def test_an_interruption_is_no_finding() -> None:
    def program() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain(program)


def test_a_finding_marks_the_node_in_its_graph() -> None:
    explanation = explain(numbers.where_beside_sqrt)
    (finding,) = explanation.findings
    assert explanation.graphs[finding.graph].node(finding.node).grad_fn == "SqrtBackward0"


def test_a_cut_in_the_middle_is_marked_where_it_happened() -> None:
    explanation = explain(cut_off.encoder_detached)
    finding = explanation.findings[0]
    assert finding.about
    assert all("weight" in name or "bias" in name for name in finding.about)


@pytest.mark.parametrize(
    ("program", "grad_fn"),
    [
        (changed.added_in_place, "SigmoidBackward0"),
        (changed.returned_and_changed, "SigmoidBackward0"),
        (changed.step_between, "AddmmBackward0"),
        (changed.two_losses, "ExpBackward0"),
    ],
    ids=lambda item: getattr(item, "__name__", item),
)
def test_a_backward_that_failed_has_a_picture_of_its_graph(program, grad_fn) -> None:
    explanation = explain(program)
    (finding,) = explanation.findings
    assert explanation.graphs[finding.graph].node(finding.node).grad_fn == grad_fn


def test_a_number_that_was_only_logged_is_not_blamed() -> None:
    x = torch.tensor([1.0, 2.0])

    def program() -> None:
        w = torch.ones(2, requires_grad=True)
        frozen = torch.ones(2)
        float((w * x).sum())
        (frozen * x).sum().backward()

    (finding,) = explain(program).findings
    assert finding.kind == "loss-without-gradient"
    assert [item.role for item in finding.lines] == ["the loss without a gradient"]


def test_a_frozen_parameter_in_an_optimizer_is_a_note() -> None:
    def program() -> None:
        body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
        body.requires_grad_(False)
        optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
        head(body(torch.ones(1, 2))).sum().backward()
        optimizer.step()

    (finding,) = explain(program).findings
    assert (finding.kind, finding.level) == ("grad-none-frozen", "note")
    assert set(finding.about) == {"body.weight", "body.bias"}


def test_the_worst_comes_first() -> None:
    def program() -> None:
        dead = torch.tensor([-1.0], requires_grad=True)
        nan = torch.tensor([-1.0], requires_grad=True)
        return (torch.relu(dead) + torch.log(nan)).sum()

    assert [item.kind for item in explain(program).findings] == ["nan-forward", "dead-relu"]


def test_a_custom_function_that_is_not_the_same_twice_is_said_and_no_finding_is_built_on_it() -> None:
    class Noisy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * torch.rand_like(x)

        @staticmethod
        def backward(ctx, grad):
            return grad * 7

    w = torch.ones(3, requires_grad=True)
    explanation = explain(lambda: Noisy.apply(w).sum())
    assert [finding.kind for finding in explanation.findings] == []
    assert any("Noisy gives other results when it runs again" in note for note in explanation.notes)


def _raised() -> None:
    raise ValueError("boom")


def _raised_in_lines() -> None:
    raise ValueError("boom\nand more")


def _raised_in_a_hook() -> None:
    h = torch.ones(2, requires_grad=True) * 2
    h.register_hook(lambda gradient: _raised())
    h.sum().backward()


@pytest.mark.parametrize(
    ("program", "seen", "speaker"),
    [
        (_raised, "the program raised ValueError in forward: boom", ""),
        (_raised_in_lines, "the program raised ValueError in forward: boom", "the program says"),
        (_raised_in_a_hook, "the program raised ValueError in backward: boom", ""),
        (lambda: sys.exit(3), "the program left with exit(3)", ""),
        (lambda: {}["batch"], "the program raised KeyError in forward: 'batch'", ""),
        (lambda: torch.ones(2) @ torch.ones(3), "the program raised RuntimeError in forward: ", "torch says"),
        (lambda: torch.nn.Linear(2, 1)(torch.ones(3)), "the program raised RuntimeError", "torch says"),
    ],
)
def test_words_are_those_of_whoever_said_them(program, seen, speaker) -> None:
    (finding,) = explain(program).findings
    assert finding.seen.startswith(seen)
    assert finding.speaker == speaker
    text = "\n".join(terminal([finding]))
    assert [word for word in ("torch says", "the program says") if word in text] == [speaker][: bool(speaker)]


def _warns() -> torch.Tensor:
    h = torch.ones(2, requires_grad=True) * 2
    h.sum().backward(retain_graph=True)
    assert h.grad is None
    return h.sum()


@pytest.mark.parametrize("run", [explain, tour.follow], ids=["explain", "follow"])
def test_torch_warns_at_the_line_of_the_program(run) -> None:
    shown = warnings.showwarning
    with pytest.warns(UserWarning, match="not a leaf Tensor is being accessed") as caught:
        run(_warns)
    line = _warns.__code__.co_firstlineno + 3
    assert {(item.filename, item.lineno) for item in caught} == {(__file__, line)}
    assert warnings.showwarning is shown
