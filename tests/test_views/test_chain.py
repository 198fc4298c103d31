"""The chain view is torch's own ``next_functions``, entry for entry."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.drawing import arrange
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from tests.pictures import scene_of


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, unused):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2, None


def leaf(*shape):
    return torch.ones(shape, requires_grad=True)


def shared():
    x = leaf(3)
    h = x.exp()
    return (h * h + h * x + torch.cat([h, torch.ones(1), h])[:3]).sum()


def numbered_outputs():
    first, _, third = leaf(3).unbind()
    _, high = torch.aminmax(leaf(2, 2))
    return third * first - high


def in_place():
    x = leaf(4) * 2
    x[1:3].mul_(3)
    x += 1
    return x.sum()


def several_results():
    h = leaf(3).sin()
    return h.sum(), h


PROGRAMS = {
    "thermometer": thermometer,
    "params": thermometer_params,
    "shared": shared,
    "numbered outputs": numbered_outputs,
    "custom Function": lambda: Double.apply(leaf(3), torch.ones(3)).sum(),
    "lstm": lambda: nn.LSTM(3, 4, 2)(torch.ones(5, 2, 3))[0].sum(),
    "in place": in_place,
    "several results": several_results,
    "a leaf": lambda: leaf(),
    "cross-entropy": lambda: nn.functional.cross_entropy(
        nn.Linear(4, 3)(torch.ones(5, 4)), torch.zeros(5, dtype=int)
    ),
}


def root(tensor):
    return tensor.grad_fn or torch.autograd.graph.get_gradient_edge(tensor).node


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_entry_is_torchs_own(name):
    torch.manual_seed(0)
    result = PROGRAMS[name]()
    results = result if isinstance(result, tuple) else (result,)
    view = tour.trace(result, backward=False)
    nodes = view.by_id()
    gradients = list(view.select("gradient"))
    leaves = {edge.src: edge.dst for edge in gradients if nodes[edge.dst].kind == "leaf"}
    entries = {(edge.src, edge.slot[0]): edge for edge in gradients if nodes[edge.dst].kind != "leaf"}
    assert len(leaves) + len(entries) == len(gradients)
    drawn = {(link.src, link.dst, link.ports[0]) for link in scene_of(view, view="chain").links}
    assert drawn == {(edge.src, edge.dst, f"s{slot}") for (_, slot), edge in entries.items()}

    partner = {}
    pending = [(root(tensor), node) for tensor, (node, _) in zip(results, view.outputs, strict=True)]
    while pending:
        fn, node = pending.pop()
        if fn in partner:
            assert partner[fn] == node
            continue
        partner[fn] = node
        assert nodes[node].grad_fn == fn.name().rpartition("::")[2]
        assert nodes[node].slots == len(fn.next_functions)
        if hasattr(fn, "variable"):
            assert nodes[leaves[node]].value.shape == tuple(fn.variable.shape)
        for slot, (follower, number) in enumerate(fn.next_functions):
            if follower is None:
                assert (node, slot) not in entries
            else:
                assert entries[node, slot].slot == (slot, number)
                pending.append((follower, entries[node, slot].dst))
    assert len(set(partner.values())) == len(partner)
    assert {node.id for node in view.nodes if node.kind != "leaf"} == set(partner.values())
    assert set(leaves.values()) == {node.id for node in view.nodes if node.kind == "leaf"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_card_lists_its_next_functions(name):
    torch.manual_seed(0)
    result = PROGRAMS[name]()
    scene = scene_of(tour.trace(result, backward=False), view="chain")
    drawn = sorted(
        (card.title, *("".join(run.text for run in row.left) for row in card.rows if row.port))
        for card in scene.cards
    )
    pending = [root(tensor) for tensor in (result if isinstance(result, tuple) else (result,))]
    seen = {}
    while pending:
        fn = pending.pop()
        if fn in seen:
            continue
        listed = [
            f"[{slot}]  ({follower.name().rpartition('::')[2] if follower else None}, {number})"
            for slot, (follower, number) in enumerate(fn.next_functions)
        ]
        listed[8:] = [f"… {len(listed) - 8} more"] if len(listed) > 8 else []
        seen[fn] = (fn.name().rpartition("::")[2], *listed)
        pending += [follower for follower, _ in fn.next_functions if follower]
    assert drawn == sorted(seen.values())


def test_a_stub_says_which_constant_it_is_for():
    def program():
        w, x = leaf(3), torch.ones(3)
        y = w * x
        fixed = y.detach()
        return (y * fixed + 2.0).sum()

    drawn = scene_of(tour.trace(program), view="chain")
    beside = {
        card.title: ["".join(run.text for run in row.right) for row in card.rows if row.port]
        for card in drawn.cards
    }
    assert beside["MulBackward0"] in (["", "x, a constant"], ["", "fixed, cut off"])
    both = [text for card in drawn.cards for row in card.rows if row.port for text in [row.right] if text]
    assert sorted(run.text for (run,) in both) == ["fixed, cut off", "x, a constant"]
    assert beside["SumBackward0"] == [""]


def test_the_chain_runs_as_the_graph_does():
    graph = tour.trace(thermometer)
    whole, chain = (scene_of(graph, view=view) for view in ("graph", "chain"))
    assert [card.title for card in chain.cards][-1] == "MeanBackward0"
    assert all(link.reverse for link in chain.links)
    assert all(link.reverse for link in whole.links if link.flow == "backward")


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_backward_goes_up_or_to_the_left_in_both(direction):
    graph = tour.trace(thermometer)
    axis = 0 if direction == "LR" else 1
    for view in ("graph", "chain"):
        arranged = arrange(scene_of(graph, direction, view), direction)
        ways = [
            (course.points[0][axis], course.points[-1][axis])
            for link, course in zip(arranged.scene.links, arranged.layout.courses, strict=True)
            if link.flow == "backward"
        ]
        assert ways
        assert all(start > end for start, end in ways)
