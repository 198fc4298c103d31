"""What the record says a graph keeps, held against what torch's allocator gets back when the graph goes."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import autograd_tour as tour
from autograd_tour.record.codec import dumps, loads
from autograd_tour.record.trace import Trace
from autograd_tour.views.fold import fold
from autograd_tour.views.kept import by_line, by_module
from docs.programs import gpt

LOSS = 4
"""Bytes of the loss, which the caller holds and no node keeps."""

cnn = nn.Sequential(
    nn.Conv2d(3, 8, 3),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Dropout(0.3),
    nn.Flatten(),
    nn.Linear(392, 10),
)
images, labels = torch.randn(4, 3, 16, 16), torch.randint(10, (4,))


def cnn_loss() -> Tensor:
    return F.cross_entropy(cnn(images), labels)


def checkpointed(reentrant: bool) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        model, words = gpt.gpt, gpt.words
        x = model.tokens(words[:, :-1]) + model.positions(torch.arange(words.shape[1] - 1))
        for block in model.blocks:
            x = checkpoint(block, x, use_reentrant=reentrant)
        return F.cross_entropy(model.head(model.norm(x)).flatten(0, 1), words[:, 1:].flatten())

    return loss


def freed(loss: Callable[[], Tensor]) -> int:
    """The bytes that go with the graph, as torch's own profiler counts them."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as heard:
        box = [loss()]
        gc.collect()
        with record_function("the graph goes"):
            box.clear()
    (event,) = [event for event in heard.events() if event.name == "the graph goes"]
    return -event.cpu_memory_usage - LOSS


def memory_of(loss: Callable[[], Tensor]):
    memory = tour.trace(loss).memory
    assert memory is not None
    return memory


@pytest.mark.parametrize(
    "loss",
    [cnn_loss, gpt.loss, checkpointed(False), checkpointed(True)],
    ids=["cnn", "gpt", "checkpoint", "reentrant checkpoint"],
)
def test_what_only_the_graph_keeps_is_what_is_freed_with_it_to_the_byte(loss) -> None:
    freed(loss)  # what is made once and stays
    memory = memory_of(loss)
    assert memory.bytes_of("graph") == freed(loss)
    assert memory.unseen == 0


def test_parameters_buffers_and_inputs_are_told_apart() -> None:
    memory = memory_of(cnn_loss)
    used = [cnn[0].weight, cnn[1].weight, cnn[6].weight]
    assert memory.bytes_of("leaf") == sum(item.untyped_storage().nbytes() for item in used)
    assert memory.bytes_of("buffer") == sum(
        b.untyped_storage().nbytes() for b in (cnn[1].running_mean, cnn[1].running_var)
    )
    assert memory.bytes_of("input") == images.untyped_storage().nbytes() + labels.untyped_storage().nbytes()


def test_views_of_one_storage_are_counted_once_with_all_their_lines() -> None:
    w = torch.ones(100, requires_grad=True)

    def loss() -> Tensor:
        h = w * 2
        first = h[:50].exp() * h[50:]
        second = h.reshape(10, 10).pow(2)
        return first.sum() + second.sum()

    blocks = [block for block in memory_of(loss).blocks if block.size == 400 and block.owner == "graph"]
    assert len(blocks) == 1
    assert len(blocks[0].keepers) == 2
    rows = {row.line.text: row for row in by_line(tour.trace(loss))}
    assert rows["first = h[:50].exp() * h[50:]"].size >= 400
    assert rows["second = h.reshape(10, 10).pow(2)"].shared == 400


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("blocks.0", gpt.TransformerBlock),
        ("blocks.0.attention", gpt.Attention),
        ("blocks.0.mlp", nn.Sequential),
    ],
)
def test_a_checkpoint_saves_what_was_foretold(path, kind, monkeypatch) -> None:
    (row,) = [row for row in by_module(tour.trace(gpt.loss)) if path in row.paths]
    before = freed(gpt.loss)
    modules = [module for module in gpt.gpt.modules() if type(module) is kind]
    assert len(modules) == len(row.paths)
    for module in modules:
        monkeypatch.setattr(module, "forward", _checkpointed(module.forward))
    assert before - freed(gpt.loss) == len(modules) * row.saves > 0


def _checkpointed(forward):
    return lambda x: checkpoint(forward, x, use_reentrant=False, preserve_rng_state=False)


def test_an_input_that_nothing_keeps_counts_against_a_checkpoint() -> None:
    class Halves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x + 1).tanh().sigmoid()

    model = nn.Sequential(nn.Linear(1, 1000), Halves())
    rows = by_module(tour.trace(lambda: model(torch.ones(1, 1)).sum()))
    (row,) = [row for row in rows if row.type == "Halves"]
    assert row.size == 8000
    assert row.saves == 4000


def test_multiply_adds_are_half_of_torchs_flops() -> None:
    for model, given in (
        (gpt.gpt, (gpt.words[:, :-1],)),
        (cnn, (images,)),
        (nn.ConvTranspose2d(3, 5, 3), (images,)),
    ):
        with FlopCounterMode(display=False) as flops:
            model(*given)
        memory = memory_of(lambda model=model, given=given: model(*given).sum())
        whole = next(work for work in memory.work if not work.path)
        assert 2 * whole.multiply_adds == flops.get_total_flops() > 0


def test_attention_of_torch_is_counted_as_two_products() -> None:
    q, k, v = (torch.randn(2, 3, 5, 4, requires_grad=True) for _ in range(3))
    memory = memory_of(lambda: F.scaled_dot_product_attention(q, k, v).sum())
    assert memory.work[0].multiply_adds == 2 * 2 * 3 * 5 * 5 * 4


def test_what_pack_hooks_of_the_program_hold_is_not_touched_and_said() -> None:
    unpacked = []
    w = torch.ones(10, requires_grad=True)

    def loss() -> Tensor:
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: t.numpy(), lambda a: unpacked.append(a) or torch.tensor(a)
        ):
            return (w * 2).detach().requires_grad_().exp().sum()

    memory = tour.trace(loss, backward=False).memory
    assert memory.unseen == 1
    assert unpacked == []


def test_a_hook_that_holds_tensors_switches_torchs_check_off_and_the_record_does_not() -> None:
    def step(held: bool) -> None:
        w = torch.ones(3, requires_grad=True)
        with (
            torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t)
            if held
            else torch.enable_grad()
        ):
            h = torch.sigmoid(w)
        h += 1
        h.sum().backward()

    step(held=True)  # the trap: no error, and a wrong gradient
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        step(held=False)
    with pytest.raises(tour.TourError, match="inplace"):
        tour.trace(lambda: step(held=False))


def test_tensors_on_the_ctx_of_a_custom_function_are_kept_too() -> None:
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.factor = torch.full((50,), 2.0)
            return x * ctx.factor

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.factor

    w = torch.ones(50, requires_grad=True)
    assert memory_of(lambda: Scaled.apply(w).sum()).bytes_of("graph") == 200


def test_the_record_of_memory_is_the_same_twice_and_can_be_read_back() -> None:
    first, second = tour.trace(gpt.loss), tour.trace(gpt.loss)
    assert first.memory == second.memory
    assert loads(dumps(Trace(first))).graph.memory == first.memory
    assert fold(first).memory == first.memory


def test_where_nothing_was_read_nothing_is_said() -> None:
    assert tour.trace(gpt.loss, keep=0).memory is None
    assert tour.trace(gpt.loss()).memory is None


def test_every_graph_of_a_training_says_what_its_own_backward_freed() -> None:
    w = torch.ones(100, requires_grad=True)

    def train() -> None:
        for _ in range(2):
            (w * 2).exp().sum().backward()

    sizes = [graph.memory.bytes_of("graph") for graph in tour.follow(train).graphs]
    assert sizes == [408] * len(sizes)
    assert sizes
