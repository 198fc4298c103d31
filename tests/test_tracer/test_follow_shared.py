"""Memory that several leaves or gradients share, and calls that write where nobody expects it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing._internal.two_tensor import TwoTensor

import autograd_tour as tour
from autograd_tour.checks.courses import gaps_in
from autograd_tour.record.run import Run
from autograd_tour.views.run_columns import column


def leaf(*values: float) -> Tensor:
    return torch.tensor(values, requires_grad=True)


def changes_of(run: Run, name: str) -> list[tuple[str, list[float] | None, list[float] | None]]:
    """What happened to the leaf with that name, event by event."""
    number = [item.name for item in run.leaves].index(name)
    return [
        (
            event.kind,
            *(None if facts is None else list(facts.first) for facts in (change.before, change.after)),
        )
        for event in run.events
        for change in event.changes
        if change.leaf == number
    ]


def one_grad_of_two() -> None:
    w, v = leaf(1.0), leaf(3.0)
    (w * 2).sum().backward()
    v.grad = w.grad
    assert w.grad is not None
    w.grad *= 3
    (w * v).sum().backward()


def flat() -> None:
    memory = torch.zeros(4)
    w, v = memory[:2].requires_grad_(), memory[2:].requires_grad_()
    for _ in range(2):
        ((w - 1) ** 2 + (v + 1) ** 2).sum().backward()
        with torch.no_grad():
            memory.add_(0.5)
            w.sub_(0.25)


def swapped() -> None:
    a, b = leaf(1.0), leaf(3.0)
    (a * 2).sum().backward()
    (b * 5).sum().backward()
    torch.utils.swap_tensors(a, b)
    (a * 7).sum().backward()


def renormed() -> None:
    torch.manual_seed(0)
    embedding = nn.Embedding(5, 3, max_norm=0.5)
    optimizer = torch.optim.SGD(embedding.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        embedding(torch.tensor([1, 2])).sum().backward()
        optimizer.step()


def renormed_bag() -> None:
    torch.manual_seed(0)
    w = torch.randn(5, 3, requires_grad=True)
    for _ in range(3):
        w.grad = None
        nn.functional.embedding_bag(torch.tensor([[1, 2]]), w, max_norm=0.5).sum().backward()
        with torch.no_grad():
            assert w.grad is not None
            w -= 0.1 * w.grad


@pytest.mark.parametrize("program", [one_grad_of_two, flat, swapped, renormed, renormed_bag])
def test_what_one_event_leaves_the_next_one_finds(program: Callable[[], None]):
    assert gaps_in(tour.follow(program)) == ()
    (check, *_) = tour.verify(program).checks
    assert check.outcome == "ok"


def test_a_change_of_a_grad_that_two_leaves_have_is_told_of_both():
    run = tour.follow(one_grad_of_two)
    assert changes_of(run, "w")[1] == ("gradient", [2.0], [6.0])
    assert changes_of(run, "v")[:2] == [("gradient", None, [2.0]), ("gradient", [2.0], [6.0])]


def test_a_change_of_flat_memory_is_told_of_each_leaf_in_it_and_that_of_one_of_it_alone():
    run = tour.follow(flat)
    updates = [item for item in changes_of(run, "w") if item[0] == "update"]
    assert updates[:2] == [("update", [0.0, 0.0], [0.5, 0.5]), ("update", [0.5, 0.5], [0.25, 0.25])]
    updates = [item for item in changes_of(run, "v") if item[0] == "update"]
    assert updates == [("update", [0.0, 0.0], [0.5, 0.5]), ("update", [0.5, 0.5], [1.0, 1.0])]


def test_tensors_that_are_swapped_swap_their_grad():
    run = tour.follow(swapped)
    assert changes_of(run, "a") == [
        ("backward", None, [2.0]),
        ("update", [1.0], [3.0]),
        ("gradient", [2.0], [5.0]),
        ("backward", [5.0], [12.0]),
    ]


def test_rows_that_an_embedding_shrinks_are_an_update_at_its_line_and_are_put_back():
    torch.manual_seed(0)
    embedding = nn.Embedding(5, 3, max_norm=0.5)
    before, norms = embedding.weight.detach().clone(), embedding.weight.detach().norm(dim=1)
    assert norms[1] > 0.5

    def train() -> None:
        embedding(torch.tensor([1])).sum().backward()

    run = tour.follow(train)
    (update,) = (event for event in run.events if event.kind == "update")
    assert (update.call, column((update,), run, None).head) == ("embedding_renorm_", "update by max_norm")
    line = run.line(update)
    assert line is not None
    assert line.text.strip() == "embedding(torch.tensor([1])).sum().backward()"
    assert torch.equal(embedding.weight, before)
    tour.trace(lambda: embedding(torch.tensor([1])).sum())
    assert torch.equal(embedding.weight, before)


def test_norms_of_sparse_gradients_are_noted_with_rows_that_are_there_twice_added_up():
    def train() -> None:
        table = nn.Embedding(3, 2, sparse=True)
        nn.init.ones_(table.weight)
        for _ in range(12):
            table.weight.grad = None
            (3 * table(torch.tensor([0, 0, 2]))).sum().backward()

    (curve,) = tour.follow(train).curves
    assert curve.norms == ((pytest.approx((2 * 6**2 + 2 * 3**2) ** 0.5),) * 12,)
    (check, *_) = tour.verify(train).checks
    assert check.outcome == "ok"


def test_of_a_gradient_that_is_no_tensor_of_torchs_own_there_is_no_norm():
    w = nn.Parameter(TwoTensor(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])))
    plain = leaf(2.0)

    def train() -> None:
        for _ in range(3):
            (w * 2).sum().backward()
            (plain * 5).sum().backward()

    run = tour.follow(train)
    names = [item.name for item in run.leaves]
    assert names == ["w", "plain"]
    of_w, of_plain = (
        {names[number]: course for number, course in zip(curve.leaves, curve.norms, strict=True)}
        for curve in run.curves
    )
    assert of_w == {"w": (None, None, None)}
    assert of_plain == {"w": (None, None, None), "plain": (5.0, 10.0, 15.0)}
    assert w.grad is None
