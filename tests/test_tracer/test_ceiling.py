"""A ceiling on what a record holds: below it nothing changes, above it the record says what it left out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.errors import UsageError
from autograd_tour.record.facts import TensorFacts
from autograd_tour.tracer.measure import FEW, Recorder
from autograd_tour.views.diff import diff, differs

BYTES = 32
"""What one float takes in a record."""
SAID = "reached its ceiling"


def every(record: object) -> Iterator[TensorFacts]:
    """All facts in a record, each object once."""
    waiting, met = [record], set[int]()
    while waiting:
        item = waiting.pop()
        if isinstance(item, TensorFacts):
            if id(item) not in met:
                met.add(id(item))
                yield item
        elif isinstance(item, msgspec.Struct):
            waiting += [getattr(item, name) for name in item.__struct_fields__]
        elif isinstance(item, tuple):
            waiting += item


def without_elements(record: tour.Graph | tour.Ledger) -> object:
    def bare(item: object) -> object:
        if isinstance(item, dict):
            return {key: bare(value) for key, value in item.items() if key not in ("first", "notes")}
        return [bare(value) for value in item] if isinstance(item, list) else item

    return bare(msgspec.json.decode(msgspec.json.encode(record)))


def program(size: int = 500) -> torch.Tensor:
    """Several uses of one tensor, so that gradients are summed; one tensor is small."""
    w = torch.linspace(-1, 1, size).requires_grad_()
    b = torch.tensor([2.0, 3.0], requires_grad=True)
    h = torch.tanh(w * w)
    return (h * w).sum() + b.prod()


def test_a_tensor_is_whole_as_long_as_all_of_it_fits():
    recorder = Recorder(None, 10 * 100 * BYTES / 1e6)
    facts = [recorder.measure(torch.arange(100.0) + i) for i in range(12)]
    assert [len(one.first) for one in facts] == [100] * 10 + [FEW] * 2
    assert (facts[11].shape, facts[11].first, facts[11].last) == ((100,), (11.0, 12.0, 13.0, 14.0), 110.0)
    assert facts[11].stats.max == 110.0


def test_one_tensor_too_large_leaves_room_for_the_small_ones():
    recorder = Recorder(None, 0.1)
    sizes = (5_000, 1_000, 3_000, 2, 10)
    assert [len(recorder.measure(torch.zeros(size)).first) for size in sizes] == [FEW, 1_000, FEW, 2, 10]


def test_below_the_ceiling_nothing_changes_and_nothing_is_said():
    free, bounded = (tour.trace(program, keep=None, ceiling=ceiling) for ceiling in (math.inf, 1))
    assert free == bounded
    assert not free.meta.notes
    used = sum(len(facts.first) for facts in every(bounded)) * BYTES / 1e6
    assert used < 1
    assert tour.trace(program, keep=None, ceiling=used / 2).meta.notes
    assert "autograd" in tour.report(bounded)
    assert SAID not in tour.report(bounded)


@pytest.mark.parametrize("keep", [None, 100, 16])
@pytest.mark.parametrize("ceiling", [0, 0.001, 0.01, 0.05])
def test_the_elements_stay_below_the_ceiling_and_all_else_is_kept(keep, ceiling):
    graph, free = (tour.trace(program, keep=keep, ceiling=limit) for limit in (ceiling, math.inf))
    facts = list(every(graph))
    assert sum(len(one.first) * BYTES for one in facts) <= ceiling * 1e6 + len(facts) * FEW * BYTES
    assert without_elements(graph) == without_elements(free)
    for one, whole in zip(facts, every(free), strict=True):
        assert one.first == whole.first[: len(one.first)]
        assert len(one.first) in (FEW, len(whole.first))
    reached = any(len(one.first) < len(whole.first) for one, whole in zip(facts, every(free), strict=True))
    assert bool(graph.meta.notes) == reached


def test_the_note_is_in_the_report_and_in_the_picture():
    graph = tour.trace(program, keep=None, ceiling=0.05)
    (note,) = graph.meta.notes
    assert note == (
        "the record reached its ceiling of 0.05 MB: of tensors that did not fit only 4 elements are kept"
    )
    assert f"Note: {note}." in tour.report(graph)
    assert "reached its ceiling of 0.05 MB" in tour.svg(graph)


def test_two_runs_leave_out_the_same():
    first, second = (tour.dumps(tour.trace(program, keep=None, ceiling=0.05)) for _ in range(2))
    assert first == second


def test_gradients_do_not_notice_the_ceiling():
    w = torch.linspace(-1, 1, 3_000).requires_grad_()

    def loss() -> torch.Tensor:
        return (torch.tanh(w * w) * w).sum()

    loss().backward()
    plain, w.grad = w.grad.clone(), None
    for ceiling in (0, 0.1, 256):
        graph = tour.trace(loss, keep=None, ceiling=ceiling)
        assert w.grad is None
        loss().backward()
        assert torch.equal(w.grad, plain)
        w.grad = None
        after = [step.after for _, step in graph.numbered_steps() if step.after is not None]
        assert [facts.last for facts in after] == [plain[-1].item()]


def test_a_hook_is_found_wherever_the_ceiling_is_and_none_is_made_up():
    def hooked() -> torch.Tensor:
        w = torch.linspace(-1, 1, 100).requires_grad_()
        h = w.sin()
        h.register_hook(lambda gradient: gradient * 3)
        return (h * w + h).sum()

    def marked(graph: tour.Graph) -> list[tuple[str, str]]:
        return [(edge.src, edge.dst) for edge in graph.edges if "hooked" in edge.marks]

    expected = marked(tour.trace(hooked))
    assert expected
    for count in range(40):  # the ceiling lies once between any two tensors of the record
        ceiling = count * 100 * BYTES / 1e6
        assert marked(tour.trace(hooked, keep=None, ceiling=ceiling)) == expected
        assert not marked(tour.trace(lambda: program(100), keep=None, ceiling=ceiling))


def test_accumulation_has_a_ceiling_of_its_own():
    free = tour.accumulate(program, calls=3, keep=None, ceiling=1)
    low = tour.accumulate(program, calls=3, keep=None, ceiling=0.05)
    assert not free.notes
    # Of elements that were not kept nobody knows that they stayed the same.
    assert (free.steady, low.steady) == (True, False)
    assert without_elements(low) == without_elements(replace(free, steady=False))
    facts = list(every(low))
    assert {len(one.first) for one in facts} == {1, 2, FEW, 500}
    assert sum(len(one.first) * BYTES for one in facts) <= 0.05e6 + len(facts) * FEW * BYTES
    text = tour.report(tour.trace(program), low)
    assert "Note: the record of accumulation reached its ceiling of 0.05 MB" in text
    loaded = tour.loads(tour.dumps(tour.trace(program), low))
    assert loaded.ledger == low


def test_the_forward_pass_of_accumulation_takes_nothing_from_its_ceiling():
    def long() -> torch.Tensor:
        h = torch.ones(100, requires_grad=True)
        for _ in range(50):
            h = h * 2
        return h.sum()

    needed = (
        (100 * 9 + 1) * BYTES / 1e6
    )  # one leaf: before, contribution, after, once for each way of zeroing
    assert not tour.accumulate(long, calls=1, keep=None, ceiling=needed).notes


def test_complex_elements_are_text_and_count_for_more():
    recorder = Recorder(None, 0.02)
    assert len(recorder.measure(torch.zeros(300)).first) == 300
    assert len(recorder.measure(torch.zeros(300, dtype=torch.complex64)).first) == FEW


@pytest.mark.parametrize("ceiling", [-1, -0.5, math.nan])
def test_a_ceiling_below_zero_is_refused(ceiling):
    for call in (tour.trace, tour.accumulate):
        with pytest.raises(UsageError, match=f"ceiling={ceiling!r}"):
            call(program, ceiling=ceiling)


def test_accumulate_refuses_a_negative_keep():
    with pytest.raises(UsageError, match="keep=-1"):
        tour.accumulate(program, keep=-1)


def test_a_comparison_looks_at_what_both_records_kept():
    some, all_of_it = (tour.trace(program, keep=None, ceiling=ceiling) for ceiling in (0.05, 256))
    assert not differs(diff(some, all_of_it))
    assert differs(diff(some, tour.trace(lambda: program() * 2, keep=None, ceiling=0.05)))
