"""trace(): what it takes, what it leaves behind (nothing), and how it stops."""

from __future__ import annotations

import dataclasses
import gc
import random
import weakref

import numpy as np
import pytest
import torch
from oracle import same
from programs import basics, hooks, models

import autograd_tour as tour
from autograd_tour.errors import ProgramError, UsageError
from autograd_tour.tracer.assemble import material
from autograd_tour.tracer.assemble.walk import walk


def grad_fns(graph):
    return [node.grad_fn for node in graph.nodes if node.kind == "operation"]


def accumulated(graph):
    """Leaf name -> ``.grad`` after its last step."""
    nodes = graph.by_id()
    leaf = {e.src: nodes[e.dst].name for e in graph.select("gradient") if nodes[e.dst].kind == "leaf"}
    return {leaf[step.node]: step.after for _, step in graph.numbered_steps() if step.node in leaf}


# ---- what it takes ----------------------------------------------------------------------------


def test_the_structure_alone_has_every_shape_and_type():
    a = torch.ones(3, 4, dtype=torch.float64, requires_grad=True)

    def program():
        values, _ = (a @ a.t()).sort(dim=1)
        return values.float().unbind(0)[1].sum()

    whole, bare = tour.trace(program), tour.trace(program(), backward=False, keep=0)
    assert len(whole.nodes) == len(bare.nodes)
    for node, plain in zip(whole.nodes, bare.nodes, strict=True):
        shapes = [(facts.shape, facts.dtype, facts.device) for facts in plain.values if facts]
        assert shapes == [(facts.shape, facts.dtype, facts.device) for facts in node.values if facts]
        assert bool(shapes) == (node.kind != "accumulate")
        assert not any(facts.has_values for facts in plain.values if facts)


def test_an_existing_loss_before_its_backward():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * 3).sum()
    graph = tour.trace(loss)
    assert grad_fns(graph) == ["MulBackward0", "SumBackward0"]
    assert accumulated(graph)["w"].first == (3.0, 3.0)
    assert w.grad is None
    assert graph.nodes[-1].value.first == (9.0,)
    loss.backward()
    assert w.grad.tolist() == [3.0, 3.0]


def test_an_existing_loss_after_its_backward_gives_the_structure_that_is_left():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = torch.exp(w).sum()
    loss.backward()
    kept = w.grad
    graph = tour.trace(loss, backward=False)
    assert grad_fns(graph) == ["ExpBackward0", "SumBackward0"]
    (exp,) = [node for node in graph.nodes if node.grad_fn == "ExpBackward0"]
    assert [saved.state for saved in exp.saved] == ["freed"]
    assert not graph.passes
    with pytest.raises(ProgramError, match="freed") as caught:
        tour.trace(loss)
    assert "retain_graph" in caught.value.hint
    assert w.grad is kept


def test_no_backward_records_no_steps_and_says_so():
    graph = tour.trace(basics.fan_out, backward=False)
    assert not graph.passes
    assert any("no backward" in note for note in graph.meta.notes)


def test_gradient_starts_the_backward_of_a_vector():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    graph = tour.trace(lambda: w * 3, gradient=torch.tensor([1.0, 10.0]))
    assert accumulated(graph)["w"].first == (3.0, 30.0)


def test_a_list_of_gradients_starts_from_several_outputs():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    graph = tour.trace(lambda: (w * 3, w.sum()), gradient=[torch.ones(2), torch.tensor(5.0)])
    assert accumulated(graph)["w"].first == (8.0, 8.0)


@dataclasses.dataclass
class Result:
    loss: torch.Tensor
    score: torch.Tensor | None = None


@pytest.mark.parametrize("nest", [dict, tuple, list, Result], ids=lambda kind: kind.__name__)
def test_nests_of_tensors(nest):
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        loss, score = (w * 3).sum(), (w * 2).sum()
        if nest is dict:
            return {"loss": loss, "more": [score]}
        return Result(loss, score) if nest is Result else nest((loss, score))

    graph = tour.trace(program)
    assert len(graph.outputs) == 2
    assert accumulated(graph)["w"].first == (5.0, 5.0)
    if nest in (dict, Result):
        named = [graph.by_id()[node].name for node, _ in graph.outputs]
        assert "loss" in named


def test_a_module_with_its_inputs():
    net = torch.nn.Linear(3, 1)
    x = torch.ones(1, 3)
    graph = tour.trace(net, x)
    assert {node.name for node in graph.nodes if node.kind == "leaf"} == {"weight", "bias"}


def test_keep_bounds_what_is_written_down_and_none_keeps_all():
    w = torch.arange(100.0).requires_grad_()
    for keep, count in ((1, 1), (16, 16), (None, 100)):
        graph = tour.trace(lambda: (w * 2).sum(), keep=keep)
        assert len(graph.nodes[0].value.first) == count
        assert graph.nodes[0].value.last == 99.0
        assert graph.meta.keep == keep


# ---- nothing is left behind --------------------------------------------------------------------


def test_nothing_keeps_the_loss_or_its_leaves_alive():
    made = []

    def program():
        w = torch.ones(3, requires_grad=True)
        loss = (w * 2).sum()
        made.extend([weakref.ref(w), weakref.ref(loss)])
        return loss

    graph = tour.trace(program)
    gc.collect()
    assert [ref() for ref in made] == [None, None]
    assert graph.nodes


def test_no_hook_is_left_on_a_tensor_a_node_or_a_module():
    net = models.ResNet()
    image = torch.randn(1, 3, 8, 8)
    losses = []

    def program():
        losses.append(net(image).sum())
        return losses[-1]

    tour.trace(program)
    stack, seen = [losses[0].grad_fn], set()
    while stack:
        fn = stack.pop()
        if fn is None or fn in seen:
            continue
        seen.add(fn)
        stack += [child for child, _ in fn.next_functions]
    calls = []
    for fn in seen:
        handle = fn.register_prehook(lambda grads: calls.append(1))
        assert len(handle.hooks_dict_ref()) == 1, "one of ours is still there"
        handle.remove()
    assert not any(parameter._backward_hooks for parameter in net.parameters())
    for module in net.modules():
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            assert not getattr(module, kind)


def test_random_states_are_as_found():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()

    def program():
        random.random()
        np.random.rand()
        return (torch.rand(3, requires_grad=True) * torch.rand(3)).sum()

    tour.trace(program)
    tour.accumulate(program, calls=2)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), states[2], strict=True))


def test_buffers_and_training_are_as_found():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    net.eval()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    objects = dict(net.named_buffers())
    x = torch.randn(5, 3)

    def program():
        net.train()
        return net(x).sum()

    tour.trace(program)
    assert not any(module.training for module in net.modules())
    for name, buffer in net.named_buffers():
        assert buffer is objects[name]
        assert torch.equal(buffer, before[name])


def test_a_checkpoint_that_runs_a_batch_norm_again_in_backward_leaves_its_buffers():
    net = torch.nn.BatchNorm1d(4)
    x = torch.randn(5, 4, requires_grad=True)
    for reentrant in (True, False):
        loss = torch.utils.checkpoint.checkpoint(net, x, use_reentrant=reentrant).pow(3).sum()
        before = net.running_mean.clone(), net.num_batches_tracked.clone()
        tour.trace(loss)
        assert torch.equal(net.running_mean, before[0])
        assert torch.equal(net.num_batches_tracked, before[1])


def test_grad_of_leaves_behind_a_reentrant_checkpoint_is_as_found():
    net = torch.nn.Linear(4, 4)
    net.bias.grad = kept = torch.full((4,), 7.0)
    x = torch.randn(5, 4, requires_grad=True)
    for look in (tour.trace, tour.accumulate):
        look(lambda: torch.utils.checkpoint.checkpoint(net, x, use_reentrant=True).sum())
        assert net.weight.grad is None
        assert net.bias.grad is kept
        assert kept.tolist() == [7.0] * 4


def test_grad_mode_and_default_dtype_are_as_found():
    def program():
        torch.set_default_dtype(torch.float64)
        loss = torch.ones(2, requires_grad=True).sum()
        torch.set_grad_enabled(False)
        return loss

    tour.trace(program)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_grad_that_was_there_is_the_same_object_and_the_record_adds_to_it():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = kept = torch.tensor([10.0, 20.0])
    graph = tour.trace(lambda: (w * 3).sum())
    assert w.grad is kept
    assert kept.tolist() == [10.0, 20.0]
    (step,) = [step for _, step in graph.numbered_steps() if step.after is not None]
    assert (step.before.first, step.received[0].first, step.after.first) == (
        (10.0, 20.0),
        (3.0, 3.0),
        (13.0, 23.0),
    )


def test_retained_grad_of_a_result_is_as_found():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2
    h.retain_grad()
    loss = (h * h).sum()
    tour.trace(loss)
    assert h.grad is None
    loss.backward()
    assert h.grad.tolist() == [4.0, 8.0]


@pytest.mark.parametrize(
    "program", [models.gpt_by_hand, models.resnet, models.checkpointed, hooks.tensor_hook]
)
def test_the_programs_own_backward_after_a_trace_is_the_same_to_the_last_bit(program):
    def leaves(loss):
        stack, seen, found = [loss.grad_fn], set(), []
        while stack:
            fn = stack.pop()
            if fn is not None and fn not in seen:
                seen.add(fn)
                found += [fn.variable] if hasattr(fn, "variable") else []
                stack += [child for child, _ in reversed(fn.next_functions)]
        return found

    torch.manual_seed(1)
    plain = program()
    plain.backward()
    torch.manual_seed(1)
    traced = program()
    tour.trace(traced)
    traced.backward()
    pairs = list(zip(leaves(plain), leaves(traced), strict=True))
    assert pairs
    assert all(torch.equal(a.grad, b.grad) for a, b in pairs)


def test_a_second_trace_of_the_same_program_is_equal_to_the_first():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        return (torch.sin(w) * w).sum()

    assert tour.trace(program) == tour.trace(program)


# ---- how it stops ------------------------------------------------------------------------------


def surroundings():
    return torch.is_grad_enabled(), torch.get_rng_state().tolist(), gc.isenabled()


@pytest.mark.parametrize(
    ("program", "says", "hint"),
    [
        (
            hooks.forward_raises,
            r"raised ValueError: cannot go on with \(2,\) at .*hooks\.py:\d+",
            "by itself",
        ),
        (hooks.backward_raises, "backward raised ValueError: no such gradient", "hook"),
        (hooks.exits, r"sys\.exit\(3\)", "Take the call out"),
        (lambda: None, "returned None", "return loss"),
        (lambda: 3.0, "returned float", "return loss"),
        (lambda: torch.ones(2).sum(), "needs no grad", "requires_grad=True"),
        (lambda: torch.ones(2, requires_grad=True) * 2, r"not a scalar: its shape is \(2,\)", "gradient="),
        (
            lambda: torch.ones(1, requires_grad=True, dtype=torch.complex64),
            "real",
            "backward(retain_graph=True)",
        ),
    ],
    ids=["forward", "backward", "exit", "none", "number", "no-grad", "vector", "complex"],
)
def test_what_stops_a_program_is_said_with_what_to_do(program, says, hint):
    before = surroundings()
    with pytest.raises(ProgramError, match=says) as caught:
        tour.trace(program)
    assert hint in caught.value.hint
    assert surroundings() == before


def test_ctrl_c_passes_and_cleans_up():
    before = surroundings()
    with pytest.raises(KeyboardInterrupt):
        tour.trace(hooks.interrupted)
    assert surroundings() == before


def test_an_error_in_backward_leaves_grad_and_hooks_as_found():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = kept = torch.tensor([5.0, 5.0])
    armed = [True]

    def maybe(grad):
        if armed:
            raise ValueError("not now")

    h = w * 2
    h.register_hook(maybe)
    loss = h.sum() + w.sum()
    with pytest.raises(ProgramError, match="not now"):
        tour.trace(loss)
    assert w.grad is kept
    assert kept.tolist() == [5.0, 5.0]
    armed.clear()
    loss.backward()
    assert w.grad.tolist() == [8.0, 8.0]


def test_ctrl_c_in_backward_leaves_grad_as_found():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2

    def interrupt(grad):
        raise KeyboardInterrupt

    h.register_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        tour.trace(h.sum() + w.sum())
    assert w.grad is None


def test_of_a_program_that_runs_backward_itself_the_first_backward_is_traced():
    net = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train():
        for _ in range(2):
            loss = net(torch.ones(3, 2)).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        return loss

    graph = tour.trace(train)
    first = net(torch.ones(3, 2)).pow(2).mean()
    first.backward()
    assert same(graph.nodes[-1].value, first.detach())
    deposits = {
        graph.node(graph.leaf_of(step.node)).name: step.after
        for step in graph.passes[0].steps
        if graph.leaf_of(step.node)
    }
    assert same(deposits["weight"], net.weight.grad)
    assert same(deposits["bias"], net.bias.grad)
    assert graph.meta.notes == ("the program called backward itself 2 times, of which this is the first",)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tour.trace(3), "not int"),
        (lambda: tour.trace([]), "not list"),
        (lambda: tour.trace(basics.scaled, keep=-1), "keep=-1"),
        (lambda: tour.trace(basics.scaled, names={"w": 3}), "names="),
        (
            lambda: tour.trace(lambda: torch.ones(2, requires_grad=True) * 2, gradient=torch.ones(3)),
            r"shape \(3,\)",
        ),
        (lambda: tour.trace(basics.scaled, gradient=1.0), "not a tensor"),
        (lambda: tour.trace(basics.several_losses, gradient=[torch.tensor(1.0)]), "1 tensor for 2 outputs"),
        (lambda: tour.accumulate(basics.scaled, calls=0), "calls=0"),
        (lambda: tour.accumulate(torch.ones(1)), "callable"),
    ],
)
def test_a_wrong_call_is_a_usage_error_with_a_hint(call, says):
    with pytest.raises(UsageError, match=says) as caught:
        call()
    assert caught.value.hint


def test_a_tensor_modified_after_it_was_saved_is_said_in_words():
    def program():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        h = torch.exp(w)
        loss = h.sum()
        h.add_(1)
        return loss

    with pytest.raises(ProgramError, match="modified in place") as caught:
        tour.trace(program)
    assert "backward=False" in caught.value.hint
    graph = tour.trace(program, backward=False)
    (exp,) = [node for node in graph.nodes if node.grad_fn == "ExpBackward0"]
    assert [saved.state for saved in exp.saved] == ["modified"]


def test_a_result_that_is_itself_a_leaf_is_remarked():
    made = lambda: torch.tensor(2.0, requires_grad=True)  # noqa: E731
    assert any("itself a leaf" in note for note in tour.trace(made).meta.notes)
    assert not any("itself a leaf" in note for note in tour.trace(lambda: made() * 2).meta.notes)


def test_the_structure_of_an_existing_loss_runs_nothing_of_its_classes():
    asked = []

    class Listening(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            asked.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    w = torch.ones(3).as_subclass(Listening).requires_grad_()
    loss = (w * 2).sum()
    asked.clear()
    graph = tour.trace(loss, backward=False, keep=0, names={"w": w})
    assert asked == []
    assert [node.name for node in graph.nodes if node.kind == "leaf"] == ["w"]
    assert grad_fns(graph)[:1] == ["MulBackward0"]


def test_nodes_that_torch_has_no_type_for_keep_names_of_their_own():
    class CppFunction:  # what torch calls the type of them all
        def __init__(self, name, *inputs):
            self.next_functions = tuple((node, 0) for node in inputs)
            self._name = name

        def name(self):
            return self._name

    last = CppFunction("torch::autograd::First", CppFunction("Second"), CppFunction("Third"))
    assert walk([last]).names == ["Second", "Third", "First"]


@pytest.mark.parametrize("large", [2, 20])
def test_a_changed_gradient_is_marked_on_its_arrow_in_a_graph_too_large_for_rules_too(monkeypatch, large):
    monkeypatch.setattr(material, "LARGE", large)
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: grad * 10)
    graph = tour.trace(((y * 3) + (x * 5)).sum())
    nodes = graph.by_id()
    marked = [edge for edge in graph.edges if "hooked" in edge.marks]
    assert [edge.kind for edge in marked] == ["gradient"]
    assert [(nodes[edge.src].grad_fn, nodes[edge.dst].grad_fn) for edge in marked] == [
        ("MulBackward0", "MulBackward0")
    ]
