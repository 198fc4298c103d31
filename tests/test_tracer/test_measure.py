"""Facts of a tensor: exact where elements are few, cheap where they are many, never a guess."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from oracle import same

import autograd_tour as tour
from autograd_tour.tracer.measure import Recorder, measure


def test_elements_and_statistics_of_a_small_tensor():
    facts = measure(torch.tensor([[3.0, -4.0], [0.0, 1.0]]), keep=3)
    assert (facts.shape, facts.dtype, facts.first, facts.last) == ((2, 2), "float32", (3.0, -4.0, 0.0), 1.0)
    stats = facts.stats
    assert (stats.min, stats.max, stats.mean, stats.zero, stats.nan, stats.inf) == (-4.0, 3.0, 0.0, 1, 0, 0)
    assert stats.norm == pytest.approx(math.sqrt(26))


@pytest.mark.parametrize("count", [5, 500, 5000, 200_000])
def test_nan_and_infinity_are_text_and_are_counted_where_that_is_cheap(count):
    tensor = torch.ones(count)
    tensor[1], tensor[2] = math.nan, math.inf
    facts = measure(tensor)
    assert facts.first[:3] == (1.0, "nan", "inf")
    assert (facts.stats.min, facts.stats.max) == ("nan", "nan")
    assert (facts.stats.nan, facts.stats.inf) == ((1, 1) if count < 100_000 else (None, None))


def test_an_infinity_alone_leaves_the_other_extreme():
    for count in (4, 400, 4000):
        tensor = torch.ones(count)
        tensor[0] = -math.inf
        stats = measure(tensor).stats
        assert (stats.min, stats.max, stats.nan, stats.inf) == ("-inf", 1.0, 0, 1)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float16,
        torch.bfloat16,
        torch.float64,
        torch.int8,
        torch.int64,
        torch.uint8,
        torch.bool,
        torch.complex64,
        torch.complex128,
    ],
)
@pytest.mark.parametrize("count", [3, 300, 3000])
def test_every_dtype_is_written_down_to_the_last_bit(dtype, count):
    tensor = (torch.rand(count, dtype=torch.float64) * 100).to(dtype)
    assert same(measure(tensor, None), tensor)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("count", [3, 300, 3000])
def test_eight_bit_floats_have_values_too(dtype, count):
    tensor = torch.linspace(0, 8, count).to(dtype)
    facts = measure(tensor, None)
    assert facts.first == tuple(tensor.float().tolist())
    assert facts.stats.max == 8.0


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(1200.0).reshape(10, 120).t(),
        torch.arange(2400.0).reshape(10, 2, 120)[:, 1],
        torch.arange(6.0).expand(300, 6),
        torch.arange(3200.0).flip(0)[::3],
        torch.arange(1200.0).reshape(2, 3, 200).permute(2, 0, 1),
        torch.view_as_complex(torch.arange(2400.0).reshape(1200, 2)).conj(),
        torch.view_as_complex(torch.arange(2400.0).reshape(1200, 2)).conj().imag,
    ],
    ids=["transposed", "sliced", "expanded", "strided", "permuted", "conjugate", "negative"],
)
def test_views_are_read_in_their_own_order(tensor):
    recorder = Recorder(None, math.inf)
    for _ in range(2):
        facts = measure(tensor, None, recorder=recorder)
        assert same(facts, tensor)
        assert facts.last == facts.first[-1]
        if not tensor.is_complex():
            assert (facts.stats.min, facts.stats.max) == (tensor.min().item(), tensor.max().item())
            assert facts.stats.mean == pytest.approx(tensor.mean().item())


def test_shapes_without_elements_and_without_memory():
    for tensor in (torch.zeros(0, 3), torch.zeros(5, device="meta"), torch.zeros(0).to_sparse()):
        facts = measure(tensor)
        assert facts.shape == tuple(tensor.shape)
        assert not facts.first
        assert facts.stats is None
    assert measure(torch.zeros((), device="meta")).device == "meta"
    assert measure(torch.tensor(2.5)).first == (2.5,)


def test_looking_changes_nothing():
    tensor = torch.ones(3000, requires_grad=True)
    version = tensor._version
    measure(tensor, None, recorder=Recorder(None, math.inf))
    assert (tensor._version, tensor.grad_fn, tensor.requires_grad) == (version, None, True)


def test_what_was_seen_is_forgotten_when_it_is_changed_or_freed():
    recorder = Recorder(None, math.inf)
    tensor = torch.ones(3000)
    assert measure(tensor, recorder=recorder).stats.max == 1.0
    tensor[5] = 7.0
    assert measure(tensor, recorder=recorder).stats.max == 7.0
    half = tensor[:1500]
    assert measure(half, recorder=recorder).stats.max == 7.0
    half.mul_(2)
    assert measure(tensor, recorder=recorder).stats.max == 14.0
    assert measure(tensor[1500:], recorder=recorder).stats.max == 1.0
    for value in range(20):  # the same memory is handed out again
        assert measure(torch.full((3000,), float(value)), recorder=recorder).stats.max == value


def test_a_view_of_what_was_seen_is_not_read_again(monkeypatch):
    from autograd_tour.tracer import measure as module

    reads = []
    read = module.stats_of_tensor
    monkeypatch.setattr(module, "stats_of_tensor", lambda *given: reads.append(1) or read(*given))
    recorder = Recorder(None, math.inf)
    tensor = torch.arange(900.0).reshape(10, 90)
    for view in (tensor, tensor.t(), tensor.view(900), tensor.view(9, 100)):
        assert measure(view, recorder=recorder).stats.max == 899.0
    assert len(reads) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("turn", [False, True])
def test_the_norm_of_millions_of_elements_is_right(dtype, turn):
    tensor = (torch.rand(3001, 1100) * 9).to(dtype)
    view = tensor[:, ::2].t() if turn else tensor
    exact = view.double().norm().item()
    assert measure(view).stats.norm == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("size", [1e-22, 1e-25, 1e22])
def test_the_norm_is_right_where_squares_leave_the_range_of_float32(size):
    tensor = torch.linspace(-1, 1, 200_003) * size
    assert measure(tensor).stats.norm == pytest.approx(tensor.double().norm().item(), rel=1e-6)
    tensor[7] = math.inf
    assert measure(tensor).stats.norm == "inf"
    assert measure(torch.zeros(200_003)).stats.norm == 0


REPEATED = [
    torch.tensor([3.0, -4.0, 0.0]).expand(500, 3),
    torch.tensor([[3.0], [math.nan], [0.0]]).expand(3, 400),
    torch.tensor([[math.inf], [-math.inf], [2.0]]).expand(2, 3, 400),
    torch.tensor([[1, 0], [5, 7]]).unsqueeze(1).expand(2, 600, 2),
    torch.tensor([True, False]).expand(700, 2),
    torch.tensor([1 + 2j, 0j]).expand(700, 2).conj(),
    torch.tensor([1 + 2j, 0j]).conj().imag.expand(700, 2),
    torch.tensor([1.5, 0.0], dtype=torch.bfloat16).expand(700, 2).t(),
]


@pytest.mark.parametrize("tensor", REPEATED)
def test_an_expanded_tensor_has_the_facts_of_its_copy(tensor):
    recorder = Recorder(16, math.inf)
    facts, copy = (
        measure(tensor, recorder=recorder),
        measure(tensor.clone(memory_format=torch.contiguous_format)),
    )
    assert (facts.shape, facts.first, facts.last) == (copy.shape, copy.first, copy.last)
    for name in ("min", "max", "nan", "inf", "zero", "neg_inf"):
        assert getattr(facts.stats, name) == getattr(copy.stats, name), name
    for name in ("mean", "norm"):
        value, expected = getattr(facts.stats, name), getattr(copy.stats, name)
        assert value == (expected if isinstance(expected, str | None) else pytest.approx(expected)), name


@pytest.mark.parametrize("shape", [(10**9,), (10**8, 10), (10, 10**8)])
def test_of_a_tensor_of_a_thousand_million_elements_what_is_stored_is_read(shape):
    """Reading all of them would leave out what takes more than one pass: mean and zeros."""
    stats = measure(torch.full((1,), 0.5).expand(shape)).stats
    assert (stats.min, stats.max, stats.mean, stats.nan, stats.inf, stats.zero) == (0.5, 0.5, 0.5, 0, 0, 0)
    assert stats.norm == 0.5 * math.sqrt(10**9)
    assert measure(torch.zeros(1).expand(shape)).stats.zero == 10**9
    assert measure(torch.full((1,), -math.inf).expand(shape)).stats.neg_inf == 10**9


@pytest.mark.parametrize("count", [4096 * 64 - 1, 4096 * 130, 4096 * 200 + 77])
@pytest.mark.parametrize("spot", [0, 300_000, -1])
def test_a_large_tensor_is_read_in_blocks_and_nothing_is_left_out(count, spot):
    spot = min(spot, count - 1)
    tensor = torch.randn(count)
    for value in (-50.0, 60.0, math.inf, math.nan):
        tensor[spot] = value
        stats, wide = measure(tensor).stats, tensor.double()
        extremes = float(wide.min()), float(wide.max())
        assert [float(stats.min), float(stats.max)] == pytest.approx(extremes, nan_ok=True)
        assert float(stats.norm) == pytest.approx(float(wide.norm()), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16, torch.float8_e5m2])
def test_extremes_and_norm_of_several_blocks_hold_in_every_precision(dtype):
    tensor = torch.randn(4096 * 130).to(dtype)
    for value in (None, math.inf, math.nan):
        if value is not None:
            tensor[300_000] = value
        stats, wide = measure(tensor).stats, tensor.double()
        assert [float(stats.min), float(stats.max)] == pytest.approx(
            [float(wide.min()), float(wide.max())], rel=0, nan_ok=True
        )
        assert float(stats.norm) == pytest.approx(float(wide.norm()), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("count", [65, 650, 99_000])
@pytest.mark.parametrize("kind", ["mixed", "positive", "negative"])
def test_zeros_are_counted_exactly(count, kind):
    tensor = torch.rand(count) + 0.5
    if kind == "mixed":
        tensor[::3], tensor[1] = 0.0, -0.0
    stats = measure(-tensor if kind == "negative" else tensor).stats
    assert stats.zero == int((tensor == 0).sum())


def test_a_gradient_is_measured_once_until_it_is_written_to_even_through_data():
    recorder, gradient = Recorder(4, 1.0), torch.ones(500)
    facts = recorder.measure(gradient, gradient=True)
    assert recorder.measure(gradient, gradient=True).first is facts.first
    gradient.data.mul_(2)  # counts no version
    assert recorder.measure(gradient, gradient=True).stats.mean == 2.0
    gradient.mul_(2)
    assert recorder.measure(gradient, gradient=True).stats.mean == 4.0


def test_a_gradient_measured_again_counts_against_the_ceiling_again():
    recorder, gradient = Recorder(100, 100 * 32 * 2.5 / 1e6), torch.ones(500)
    counts = [len(recorder.measure(gradient, gradient=True).first) for _ in range(4)]
    assert counts == [100, 100, 4, 4]
    assert recorder.reached


def test_a_gradient_without_memory_is_measured_at_every_node_that_it_passes():
    x = torch.randn(100, requires_grad=True)
    graph = tour.trace(lambda: (torch.sgn(x) * 2).abs().sum())
    sent = [facts for step in graph.passes[0].steps for facts in step.sent if facts is not None]
    assert sent[-1].stats.norm == 0.0


@pytest.mark.parametrize("value", [1e308, -1e308, 1e308 + 1e308j, 1e200j])
def test_sums_beyond_a_float_are_no_error_of_the_program(value):
    dtype = torch.complex128 if isinstance(value, complex) else torch.float64
    w = torch.tensor([value, value], dtype=dtype, requires_grad=True)
    graph = tour.trace(lambda: (w * 0.5 + w * 0.5).abs().mean())
    leaf = next(node for node in graph.nodes if node.kind == "leaf")
    assert leaf.value.numel == 2


def test_gradients_that_meet_may_be_beyond_a_float():
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    graph = tour.trace(lambda: (w * 1e308 + w * 1e308).sum())
    _, step = graph.step(next(iter(graph.leaves)))
    assert step.after.first == ("inf", "inf")


def test_the_mean_of_large_numbers_is_their_mean():
    stats = measure(torch.full((4,), 1.5e308, dtype=torch.float64)).stats
    assert stats.mean == pytest.approx(1.5e308)


@pytest.mark.parametrize("count", [40, 4000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_mean_and_norm_are_those_of_double_precision(count, dtype):
    tensor = torch.randn(count, generator=torch.Generator().manual_seed(1)).to(dtype)
    recorder = Recorder(16, 256)
    for view in (tensor, tensor.view(-1, 20).t(), tensor.view(-1, 4)[:, 1]):
        stats, wide = measure(view, recorder=recorder).stats, view.double()
        assert stats.mean == pytest.approx(math.fsum(wide.flatten().tolist()) / view.numel(), rel=1e-12)
        assert stats.norm == pytest.approx(math.hypot(*wide.flatten().tolist()), rel=1e-12)
        assert (stats.zero, stats.min, stats.max) == (0, wide.min().item(), wide.max().item())


def test_a_tensor_from_outside_is_measured_inside_a_transform_of_torch_func():
    recorder, outside, seen = Recorder(16, 256), torch.arange(3000.0), []

    def program(x):
        seen.append(recorder.measure(outside).stats)
        return (x * outside).sum()

    torch.func.grad(program)(torch.ones(3000))  # in here torch reads no elements
    torch.func.vmap(program)(torch.ones(2, 3000))
    seen.append(recorder.measure(outside + 1).stats)
    assert [stats and stats.mean for stats in seen] == [None, 1499.5, 1500.5]


def test_threads_that_measure_at_once_do_not_disturb_each_other():
    recorder = Recorder(16, 256)

    def means(value: int) -> set[object]:
        tensors = [torch.full((90_000,), float(value)) for _ in range(100)]
        return {recorder.measure(tensor).stats.mean for tensor in tensors}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(means, range(4))) == [{0.0}, {1.0}, {2.0}, {3.0}]


def test_memory_of_inference_mode_is_not_used_outside_of_it():
    recorder, tensor = Recorder(16, 256), torch.arange(3000.0)
    with torch.inference_mode():
        inside = recorder.measure(tensor).stats
    assert inside == recorder.measure(tensor.clone()).stats
