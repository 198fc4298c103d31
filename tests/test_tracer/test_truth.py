"""What a record says where torch itself is silent: buffers, checkpoints, double backward, infinities, sums."""

from __future__ import annotations

import math

import pytest
import torch
from oracle import check
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import autograd_tour as tour
from autograd_tour.record import codec
from autograd_tour.record.graph import Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.rules.wording import short


def named(graph: Graph, name: str) -> Node:
    (node,) = [node for node in graph.nodes if node.name == name]
    return node


def constants(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes if node.kind == "constant"}


def made_by(graph: Graph, grad_fn: str) -> list[Node]:
    return [node for node in graph.nodes if node.grad_fn == grad_fn]


def steps_of(graph: Graph) -> dict[str, Step]:
    return {step.node: step for _, step in graph.numbered_steps()}


def mailbox(graph: Graph, leaf: str) -> Step:
    """The step that adds to the ``.grad`` of a leaf."""
    node = named(graph, leaf)
    (accumulator,) = [e.src for e in graph.select("gradient") if e.dst == node.id]
    return steps_of(graph)[accumulator]


# ---- buffers that a call updates ----------------------------------------------------------------


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.InstanceNorm1d])
def test_running_statistics_are_no_inputs_of_what_updates_them(kind, affine):
    norm = kind(3, affine=affine, track_running_stats=True)
    x = torch.randn(4, 3, 5, requires_grad=True)
    graph = check(lambda: norm(x).pow(2).sum())
    assert not constants(graph)
    norm.eval()
    graph = check(lambda: norm(x).pow(2).sum())
    buffers = [node.value.first for node in graph.nodes if node.kind == "constant"]
    assert buffers == [tuple(norm.running_mean.tolist()), tuple(norm.running_var.tolist())]


def test_a_buffer_has_the_values_that_it_had_when_it_was_read():
    mean, var = torch.zeros(3), torch.ones(3)
    x = torch.arange(12.0).reshape(4, 3).requires_grad_()

    def program():
        first = functional.batch_norm(x, mean, var)
        second = functional.batch_norm(x, mean, var, training=True)
        return (first + second + functional.batch_norm(x, mean, var)).sum()

    graph = tour.trace(program)
    read = [node.value.first for node in graph.nodes if node.name == "mean"]
    assert read == [(0.0, 0.0, 0.0), pytest.approx((0.45, 0.55, 0.65))]


def test_a_constant_changed_later_has_the_value_that_was_used():
    w = torch.ones(2, requires_grad=True)
    c = torch.tensor([1.0, 2.0])

    def program():
        y = w + c
        c.mul_(10)
        return (y + c).sum()

    graph = tour.trace(program)
    c.fill_(0)
    assert [node.value.first for node in graph.nodes if node.name == "c"] == [(1.0, 2.0), (10.0, 20.0)]


# ---- checkpoints --------------------------------------------------------------------------------


def test_what_a_checkpoint_holds_is_recomputed_and_other_hooks_hold_the_rest():
    w = torch.randn(3, requires_grad=True)
    graph = check(lambda: checkpoint(lambda v: v.sin().exp(), w, use_reentrant=False).sum())
    states = [item.state for node in graph.nodes for item in node.saved]
    assert states == ["recomputed", "recomputed"]
    assert "recomputed in backward" in tour.svg(graph)

    def offloaded():
        with torch.autograd.graph.save_on_cpu():
            return w.sin().sum()

    graph = check(offloaded)
    assert [item.state for node in graph.nodes for item in node.saved] == ["hooked"]


@pytest.mark.parametrize("filled", [False, True])
def test_parameters_inside_a_reentrant_checkpoint_have_their_mailbox(filled):
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True)
    if filled:
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, 0.1)
    before = {name: p.grad for name, p in net.named_parameters()}

    def program():
        return checkpoint(net, x, use_reentrant=True).sum()

    graph = tour.trace(program)
    assert all(p.grad is before[name] for name, p in net.named_parameters())
    copies = {name: None if grad is None else grad.clone() for name, grad in before.items()}
    (node,) = [node for node in graph.nodes if node.custom]
    plain = program()
    for name, parameter in net.named_parameters():
        parameter.grad = copies[name]
    plain.backward()
    for name, parameter in net.named_parameters():
        step = mailbox(graph, f"net.{name}")
        assert step.after.first == tuple(parameter.grad.reshape(-1).tolist())
        assert (step.before is None) == (not filled)
        leaf = named(graph, f"net.{name}")
        assert leaf.value.first == tuple(parameter.reshape(-1).tolist())
        assert [e.slot for e in graph.select("forward") if (e.src, e.dst) == (leaf.id, node.id)] == [(0, -1)]
        assert any("backward inside CheckpointFunctionBackward" in note for note in leaf.notes)
    assert any("adds to .grad of net.2.bias, net.2.weight" in note for note in node.notes)
    assert not any("not reached" in note for note in graph.meta.notes)
    order = [n.id for n in graph.nodes]
    assert all(order.index(e.src) < order.index(e.dst) for e in graph.select("forward"))
    assert "net.0.bias" in tour.svg(graph)


def test_a_leaf_elsewhere_of_a_layout_without_accumulator_is_no_hindrance():
    elsewhere = torch.eye(2).to_sparse_csr().requires_grad_()
    net, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    graph = tour.trace(checkpoint(net, x, use_reentrant=True).sum())
    assert elsewhere.grad is None
    assert len([n for n in graph.nodes if n.kind == "accumulate"]) == 3


def test_a_leaf_both_inside_a_reentrant_checkpoint_and_outside_gets_two_deposits():
    net, x = nn.Linear(2, 2), torch.ones(2, requires_grad=True)
    graph = tour.trace(lambda: net(checkpoint(net, x, use_reentrant=True)).sum())
    (weight,) = [n for n in graph.nodes if n.kind == "leaf" and n.value.shape == (2, 2)]
    deposits = [step for _, step in graph.numbered_steps() if step.node == graph.accumulator_of(weight.id)]
    assert len(deposits) == 2
    assert deposits[0].before is None
    assert deposits[1].before.first == deposits[0].after.first
    net(checkpoint(net, x, use_reentrant=True)).sum().backward()
    assert deposits[1].after.first == tuple(net.weight.grad.flatten().tolist())
    assert codec.loads(codec.dumps(graph)).graph == graph


def test_of_several_results_the_one_that_is_saved_has_its_name():
    def program():
        r, s = torch.ones(2, 2, requires_grad=True).unbind()
        return (s * s + 0 * r).sum()

    graph = tour.trace(program)
    product = next(n for n in graph.nodes if n.op == "s * s")
    assert {item.slot for item in product.saved} == {1}
    assert {graph.result_name(item.of, item.slot) for item in product.saved} == {"s"}


def test_a_constant_is_put_at_no_operation_that_may_not_have_taken_it():
    p, t, v = torch.ones(3, requires_grad=True), torch.zeros(3), torch.ones(3)
    graph = tour.trace(lambda: torch.nn.functional.gaussian_nll_loss(p, t, v))
    nodes = graph.by_id()
    product = next(n for n in graph.nodes if n.grad_fn == "MulBackward0")
    assert all(nodes[e.src].kind != "constant" for e in graph.select("forward") if e.dst == product.id)
    (edge,) = [e for e in graph.select("gradient") if e.src == product.id]
    assert short(edge.rule) == "× 0.5"


def test_what_is_left_in_a_workspace_is_not_recorded():
    net, x = nn.LSTM(3, 2), torch.ones(4, 1, 3)
    first, again = (codec.dumps(tour.trace(lambda: net(x)[0].sum())) for _ in range(2))
    assert first == again
    layer = next(n for n in codec.loads(first).graph.nodes if n.grad_fn == "MkldnnRnnLayerBackward0")
    (workspace,) = [item.facts for item in layer.saved if item.name == "result3"]
    assert workspace.dtype == "uint8"
    assert workspace.numel > 0
    assert not workspace.has_values


def test_a_reentrant_checkpoint_of_which_only_the_structure_is_read():
    net, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    graph = tour.trace(checkpoint(net, x, use_reentrant=True).sum(), keep=0)
    assert {n.value.shape for n in graph.nodes if n.kind == "leaf"} == {(1, 2), (1,)}
    assert {step.node for _, step in graph.numbered_steps()} <= {node.id for node in graph.nodes}
    assert len([n for n in graph.nodes if n.kind == "accumulate"]) == 3


class Writes(torch.autograd.Function):
    """Its backward writes to ``.grad`` of a leaf without an accumulator."""

    hidden: torch.Tensor

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        Writes.hidden.grad = gradient.clone()
        return gradient * 2


def test_a_gradient_that_was_written_by_hand_is_told():
    x = torch.ones(2, requires_grad=True)
    Writes.hidden = torch.ones(2, requires_grad=True)
    graph = tour.trace(lambda: Writes.apply(x).sum())
    assert Writes.hidden.grad is None
    assert any("wrote .grad itself" in note for note in graph.meta.notes)
    assert len([n for n in graph.nodes if n.kind == "leaf"]) == 1


# ---- double backward ----------------------------------------------------------------------------


def penalty() -> torch.Tensor:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.randn(4, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    return (slope.norm(dim=1) - 1).pow(2).mean()


def test_what_a_backward_in_the_program_made_is_set_apart():
    graph = check(penalty)
    kinds = {node.grad_fn: node.second_order for node in graph.nodes if node.kind == "operation"}
    assert kinds["TanhBackwardBackward0"] is True
    assert kinds["MeanBackward0"] is kinds["TanhBackward0"] is False
    inside = [node for node in graph.nodes if node.second_order]
    assert all("double backward: autograd.grad" in node.notes for node in inside)
    assert not any("double backward" in note for n in graph.nodes if n not in inside for note in n.notes)


def test_backward_with_create_graph_makes_such_nodes_too():
    x = torch.tensor(2.0, requires_grad=True)

    def program():
        y = torch.tensor(3.0, requires_grad=True)
        (x * y**3).backward(create_graph=True)
        return y.grad * 2

    graph = tour.trace(program)
    assert any(node.second_order and node.call == "backward" for node in graph.nodes)
    (last,) = [node for node in graph.nodes if node.id == graph.outputs[0][0]]
    assert not last.second_order


def test_parameters_that_the_loss_does_not_reach_are_told():
    graph = check(penalty)
    assert "not reached by this backward: net.2.bias (it leaves its .grad as it is)" in graph.meta.notes
    many = nn.ModuleList(nn.Linear(1, 1) for _ in range(4))
    x = torch.ones(1, 1)

    def program():
        unused = [layer(x) for layer in many]
        return unused[0].sum()

    (note,) = [note for note in tour.trace(program).meta.notes if "not reached" in note]
    assert note.endswith("3.weight and 0 more") is False
    assert note.count(",") == 5
    assert "3.bias (it leaves their .grad" in note
    many.append(nn.Linear(1, 1))
    (note,) = [note for note in tour.trace(program).meta.notes if "not reached" in note]
    assert "3.bias and 2 more (it leaves their .grad as it is)" in note


def test_what_a_later_backward_reaches_is_left_by_this_one_only():
    """The step of a GAN: the discriminator's loss does not reach the generator, which gets its own."""
    maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)

    def program():
        fake = maker(torch.ones(1, 2))
        judge(fake.detach()).sum().backward()
        judge(fake).sum().backward()
        assert maker.weight.grad is not None

    (note,) = [note for note in tour.trace(program).meta.notes if "maker" in note]
    assert note == "not reached by this backward: maker.weight, maker.bias (it leaves their .grad as it is)"


def test_frozen_parameters_and_such_of_modules_that_did_not_run_are_not_told():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].requires_grad_(False)
    graph = tour.trace(lambda: net(torch.ones(1, 2)).sum())
    assert not any("not reached" in note for note in graph.meta.notes)
    graph = tour.trace(lambda: net[1](torch.ones(1, 2)).sum())
    assert not any("not reached" in note for note in graph.meta.notes)


# ---- infinities that are meant ------------------------------------------------------------------


def test_an_infinity_that_the_program_asked_for_can_be_told_from_an_alarm():
    scores = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    mask = torch.tensor([False, True])
    full = torch.full((2,), -math.inf)

    def program():
        hidden = scores.masked_fill(mask, -math.inf)
        other = torch.where(mask, scores, full)
        return (hidden.softmax(-1) + other.softmax(-1)).sum()

    graph = tour.trace(program)
    hidden = named(graph, "hidden")
    assert hidden.numbers == ("-inf",)
    assert (hidden.value.stats.inf, hidden.value.stats.neg_inf) == (2, 2)
    assert constants(graph)["full"].value.first == ("-inf", "-inf")


@pytest.mark.parametrize("size", [4, 1000])
def test_infinities_below_zero_are_counted_apart(size):
    w = torch.ones(size, requires_grad=True)
    shift = torch.zeros(size)
    shift[:3] = torch.tensor([math.inf, -math.inf, -math.inf])
    (shifted,) = made_by(tour.trace(lambda: (w + shift).sum()), "AddBackward0")
    assert (shifted.value.stats.inf, shifted.value.stats.neg_inf) == (3, 2)
    (plain,) = made_by(tour.trace(lambda: (w + 1).sum()), "AddBackward0")
    assert plain.value.stats.neg_inf == 0


# ---- sums ---------------------------------------------------------------------------------------


def test_every_arrow_into_a_sum_has_what_it_contributes():
    x = torch.tensor(3.0, requires_grad=True)
    graph = check(lambda: x * x + x)
    (accumulator,) = made_by(graph, "AccumulateGrad")
    arrows = [e for e in graph.select("gradient") if e.dst == accumulator.id]
    steps = steps_of(graph)
    parts = [steps[e.src].sent[e.slot[0]].first[0] for e in arrows]
    assert parts == [3.0, 3.0, 1.0]
    assert len({(e.src, e.slot) for e in arrows}) == 3
    assert (steps[accumulator.id].received[0].first, steps[accumulator.id].after.first) == ((7.0,), (7.0,))


def test_a_shared_parameter_gets_a_number_for_each_use():
    table = nn.Embedding(3, 2)
    words = torch.tensor([0, 2])
    graph = check(lambda: functional.linear(table(words), table.weight).pow(2).sum())
    (accumulator,) = made_by(graph, "AccumulateGrad")
    steps = steps_of(graph)
    nodes = graph.by_id()
    parts = {
        nodes[e.src].grad_fn: steps[e.src].sent[e.slot[0]].first
        for e in graph.select("gradient")
        if e.dst == accumulator.id
    }
    assert parts.keys() == {"EmbeddingBackward0", "TBackward0"}
    total = [a + b for a, b in zip(*parts.values(), strict=True)]
    assert steps[accumulator.id].after.first == pytest.approx(total)
