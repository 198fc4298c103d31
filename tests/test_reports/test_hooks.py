"""What a hook of the program does to a gradient is told where its numbers stand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.node import Node
from autograd_tour.rules.wording import short
from autograd_tour.views.sums import added, is_changed, row


def ten_times(leaf: Tensor) -> None:
    assert leaf.grad is not None
    leaf.grad.mul_(10)


def forget(leaf: Tensor) -> None:
    leaf.grad = None


def program(hook):
    """A leaf with a hook that runs when its gradient has been added."""

    def run() -> Tensor:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        x.register_post_accumulate_grad_hook(hook)
        h = x * 3
        h.register_hook(lambda gradient: gradient + 1)
        return (h * 2).sum()

    return run


def test_the_report_names_a_hook_and_what_it_changed():
    text = tour.report(tour.trace(program(ten_times)))
    assert "× 2, then a hook" in text
    assert "× 3, then" not in text
    assert "9, 9          90, 90 (changed)" in text
    assert "changed" not in tour.report(tour.trace(program(lambda leaf: None)))


@pytest.mark.parametrize(
    ("hook", "says"),
    [(ten_times, "None + [9, 9], then changed to [90, 90]"), (forget, "None + [9, 9], then changed to None")],
)
def test_the_picture_has_no_sum_that_is_none(hook, says):
    graph = tour.trace(program(hook))
    (step,) = [step for _, step in graph.numbered_steps() if graph.leaf_of(step.node)]
    assert "".join(added(step.before, (), step.received[0], step.after)) == says
    picture = tour.svg(graph)
    assert "then changed to" in picture
    assert "≈" not in picture


def test_accumulation_knows_what_backward_brought_before_the_hook_changed_it():
    (account,) = tour.accumulate(program(ten_times), calls=2).accounts
    for call in (*account.keep, *account.zero_, *account.none):
        assert call.contribution.first == (9.0, 9.0)
        assert is_changed(call.before, call.contribution, call.after)
    assert [call.after.first for call in account.keep] == [(90.0, 90.0), (990.0, 990.0)]
    assert "(changed)" in tour.report(tour.trace(program(ten_times)), tour.accumulate(program(ten_times)))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_rounding_is_no_change(dtype):
    torch.manual_seed(0)
    for _ in range(50):
        a, b = (torch.randn(16).to(getattr(torch, dtype)) * 10**n for n in (-3, 3))
        facts = [TensorFacts((16,), dtype, first=tuple(t.tolist()), last=0.0) for t in (a, b, a + b)]
        assert not is_changed(*facts)
        assert is_changed(facts[0], facts[1], TensorFacts((16,), dtype, first=tuple((a + 2 * b).tolist())))
        assert not row(*facts)[2].endswith("(changed)")


def test_a_hook_of_a_module_is_told():
    net = nn.Sequential(nn.Linear(2, 1))
    net[0].register_full_backward_hook(lambda _module, sent, _received: (sent[0] * 2,))
    x = torch.ones(1, 2, requires_grad=True)
    graph = tour.trace(lambda: net(x * 2).sum())
    nodes: dict[str, Node] = graph.by_id()
    rules = {
        short(edge.rule)
        for edge in graph.select("gradient")
        if nodes[edge.src].grad_fn == "BackwardHookFunctionBackward"
    }
    assert rules == {"× 1, or what a backward hook of the module returns"}


def test_no_formula_is_referred_to_that_is_not_listed():
    def checkpointed() -> Tensor:
        w = torch.ones(2, requires_grad=True)
        segment = lambda x: torch.tanh(x) * 2  # noqa: E731
        return torch.utils.checkpoint.checkpoint(segment, w * 2, use_reentrant=True).sum()

    text = tour.report(tour.trace(checkpointed))
    assert "see formula" not in text
    assert "a backward of its own through what it runs again" in text


def test_a_batch_norm_in_evaluation_keeps_no_statistics_of_a_batch():
    norm, x = nn.BatchNorm1d(2), torch.randn(3, 2)

    def kept() -> set[str]:
        graph = tour.trace(lambda: norm(x).pow(2).sum())
        (node,) = [node for node in graph.nodes if "BatchNorm" in node.grad_fn]
        return {saved.name for saved in node.saved}

    assert {"result1", "result2"} <= kept()
    norm.eval()
    assert not {"result1", "result2"} & kept()
    assert {"running_mean", "running_var"} <= kept()
