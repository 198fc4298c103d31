"""A gradient that is zero but for a small part has the statistics of all of it, though only the part is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.record.facts import TensorFacts
from autograd_tour.tracer import statistics
from autograd_tour.tracer.measure import measure

ROWS, WIDTH = 3000, 50


def looked_up(**options: object) -> Callable[[Tensor], Tensor]:
    indices = torch.tensor([[5, 7, 5], [0, ROWS - 1, 7]])

    def program(table: Tensor) -> Tensor:
        rows = nn.functional.embedding(indices, table, **options)
        return (rows * torch.linspace(-3, 2, WIDTH)).sum()

    return program


def classified(target: list[int], **options: object) -> Callable[[Tensor], Tensor]:
    def program(scores: Tensor) -> Tensor:
        return nn.functional.nll_loss(scores * 2, torch.tensor(target), **options)

    return program


LOOKUPS = [
    (looked_up(), (ROWS, WIDTH)),
    (looked_up(padding_idx=7), (ROWS, WIDTH)),
    (looked_up(scale_grad_by_freq=True), (ROWS, WIDTH)),
    (classified([4, 49_999, 4]), (3, 50_000)),
    (classified([-100, 2, -100]), (3, 50_000)),
    (classified([70_000, 2, 1], ignore_index=70_000, weight=torch.linspace(-1, 1, 50_000)), (3, 50_000)),
]


def sent_by(graph: tour.Graph, grad_fn: str) -> TensorFacts:
    node = next(node for node in graph.nodes if node.grad_fn == grad_fn)
    _, step = graph.step(node.id)
    assert step is not None
    return step.sent[0]


def told_and_true(
    program: Callable[[Tensor], Tensor], shape: tuple[int, ...]
) -> tuple[TensorFacts, TensorFacts]:
    """What the record says of the gradient that the first node sends, and what is measured by itself."""
    leaf = torch.zeros(shape).normal_(generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = program(leaf)
    fn = loss.grad_fn
    while fn.name() not in ("EmbeddingBackward0", "NllLossBackward0"):
        fn = fn.next_functions[0][0]
    caught = []
    with fn.register_hook(lambda sent, _: caught.append(measure(sent[0], gradient=True))):
        loss.backward()
    return sent_by(tour.trace(program, leaf), fn.name()), caught[0]


@pytest.mark.parametrize(("program", "shape"), LOOKUPS)
def test_its_statistics_are_those_of_all_elements(program, shape):
    told, true = told_and_true(program, shape)
    assert (told.first, told.last, told.shape) == (true.first, true.last, true.shape)
    assert (told.stats.min, told.stats.max) == (true.stats.min, true.stats.max)
    assert told.stats.norm == pytest.approx(true.stats.norm, rel=1e-6)
    assert (told.stats.nan, told.stats.inf, told.stats.zero) == (0, 0, None)


@pytest.mark.parametrize(("program", "shape"), LOOKUPS)
def test_only_the_part_is_read(program, shape, monkeypatch):
    read = []
    blocks = statistics._in_blocks
    monkeypatch.setattr(
        statistics, "_in_blocks", lambda tensor: read.append(tensor.numel()) or blocks(tensor)
    )
    leaf = torch.ones(shape, requires_grad=True)
    tour.trace(program, leaf)
    assert min(read) <= 4 * WIDTH


def test_a_nan_in_it_is_told():
    def program(table: Tensor) -> Tensor:
        return nn.functional.embedding(torch.tensor([1, 2]), table).sum() * torch.tensor(float("nan"))

    stats = sent_by(
        tour.trace(program, torch.ones(ROWS, WIDTH, requires_grad=True)), "EmbeddingBackward0"
    ).stats
    assert (stats.min, stats.max, stats.norm) == ("nan", "nan", "nan")


def test_nothing_looked_up_gives_zeros():
    def program(table: Tensor) -> Tensor:
        return nn.functional.embedding(torch.zeros(0, dtype=torch.long), table).sum()

    stats = sent_by(
        tour.trace(program, torch.ones(ROWS, WIDTH, requires_grad=True)), "EmbeddingBackward0"
    ).stats
    assert (stats.min, stats.max, stats.norm) == (0.0, 0.0, 0.0)


def test_a_hook_of_the_program_may_send_something_else():
    def program(table: Tensor) -> Tensor:
        rows = nn.functional.embedding(torch.tensor([1, 2]), table)
        rows.grad_fn.register_hook(lambda sent, _: (sent[0] - 4,))
        return rows.sum()

    stats = sent_by(
        tour.trace(program, torch.ones(ROWS, WIDTH, requires_grad=True)), "EmbeddingBackward0"
    ).stats
    assert (stats.min, stats.max) == (-4.0, -3.0)
    assert stats.norm == pytest.approx((16 * (ROWS - 2) * WIDTH + 9 * 2 * WIDTH) ** 0.5)


def test_indices_behind_a_hook_are_not_unpacked():
    unpacked = []

    def program(table: Tensor) -> Tensor:
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(1) or t):
            rows = nn.functional.embedding(torch.tensor([1, 2]), table)
        return rows.sum()

    tour.trace(program, torch.ones(ROWS, WIDTH, requires_grad=True))
    assert len(unpacked) == 1  # by the backward
