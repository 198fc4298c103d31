"""What recording does once, or not at all, where it did it again and again. Nothing here looks at a clock."""

import gc

import pytest
import torch
from torch import nn
from torch._guards import TracingContext, tracing

from autograd_tour import follow, trace
from autograd_tour.tracer import compiled
from autograd_tour.tracer.assemble import rules, storages, values
from autograd_tour.tracer.engine import arrivals, listener
from autograd_tour.tracer.follow import curves, entries
from autograd_tour.tracer.listen import run, sites
from autograd_tour.tracer.scratch import FULL_LIMIT, is_ordinary
from autograd_tour.views import fold


def counted(monkeypatch, owner, name):
    calls, function = [], getattr(owner, name)

    def count(*args, **kwargs):
        calls.append(args)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, count)
    return calls


def test_a_node_of_torchs_own_is_heard_once_and_a_leaf_before_and_after(monkeypatch):
    entered = counted(monkeypatch, listener.Listener, "enter")
    passed = counted(monkeypatch, listener.Listener, "passed")
    w = torch.ones(3, requires_grad=True)
    graph = trace(lambda: (w * w).sum())
    assert (len(entered), len(passed)) == (1, 2)
    assert [step.received[0].first for step in graph.passes[0].steps] == [(1.0,), (1.0,) * 3, (2.0,) * 3]


def test_beside_a_function_of_the_program_every_node_is_heard_before_and_after(monkeypatch):
    class Writes(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return g.mul_(5)  # what it received is no more

    passed = counted(monkeypatch, listener.Listener, "passed")
    w = torch.ones(3, requires_grad=True)
    graph = trace(lambda: (Writes.apply(w * 2) * 3).sum())
    assert passed == []
    received = {graph.node(step.node).grad_fn: step.received[0].first for step in graph.passes[0].steps}
    assert received["WritesBackward"] == (3.0,) * 3


def test_a_strided_tensor_is_not_asked_for_the_parts_of_a_sparse_one(monkeypatch):
    asked = []
    strided = torch.ones(4)
    for name in ("_indices", "crow_indices", "ccol_indices"):
        monkeypatch.setattr(torch.Tensor, name, lambda *_, name=name: asked.append(name), raising=False)
    assert [item.size for item in storages.storages_of(strided)] == [16]
    assert asked == []


def test_layers_alike_share_their_rules(monkeypatch):
    worked_out = counted(monkeypatch, rules, "_rules")
    x = torch.ones(3, requires_grad=True)

    def program():
        h = x
        for _ in range(6):
            h = torch.tanh(h)
        return h.sum()

    graph = trace(program)
    tanh = [edge.rule for edge in graph.select("gradient") if graph.node(edge.src).grad_fn == "TanhBackward0"]
    assert len(tanh) == 6
    assert len(worked_out) == 3  # of tanh(x), of the five of tanh(h), and of the sum


def test_a_square_and_a_product_of_two_that_are_called_alike_are_told_apart(monkeypatch):
    worked_out = counted(monkeypatch, rules, "_rules")
    x = torch.ones(3, requires_grad=True)

    def program():
        h = torch.tanh(x)
        earlier = h
        h = torch.tanh(h)  # of the same name
        return (h * h).sum() + (earlier * h).sum()

    trace(program)
    same = {tuple(item.origin == node.inputs[0].origin for item in node.inputs) for node, _ in worked_out}
    assert {(True, True), (True, False)} <= same


def test_rules_that_differ_in_the_sign_of_a_zero_alone_are_told_apart():
    x = torch.ones(3, requires_grad=True)
    graph = trace(lambda: (x * 0.0 + x * -0.0).sum())
    scaled = [repr(edge.rule) for edge in graph.select("gradient") if "Mul" in graph.node(edge.src).grad_fn]
    assert len(scaled) == 2
    assert sum("-0.0" in rule for rule in scaled) == 1


def test_a_backward_of_a_followed_loop_is_looked_at_once_and_not_at_all_where_it_is_only_counted(monkeypatch):
    looked_at = counted(monkeypatch, entries, "BackwardCall")
    noted = counted(monkeypatch, curves.Courses, "add")
    w = torch.ones(2, requires_grad=True)

    def train():
        for _ in range(40):
            w.grad = None
            (w * w).sum().backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)

    run = follow(train)
    assert len(looked_at) == 11  # eight are told in full, the tenth is, and all is heard around it
    assert len(noted) == run.backward_calls == 40
    assert run.curves[0].calls == tuple(range(1, 41))


def test_between_those_told_in_full_a_gradient_is_read_once_and_code_is_looked_up_once(monkeypatch):
    w = torch.ones(20, requires_grad=True)
    norms = counted(monkeypatch, curves, "_norm_of_many")
    looked_up = counted(monkeypatch, sites.Sites, "helpful")
    seen = []

    def train():
        for _ in range(40):
            w.grad = None
            (w * w).sum().backward()
            seen.append((len(norms), len(looked_up)))
            with torch.no_grad():
                w.sub_(0.1 * w.grad)

    run = follow(train)
    assert [after[0] for after in seen] == list(range(1, 41))
    assert len({after[1] for after in seen[15:]}) == 1
    assert len(run.curves[0].norms[0]) == 40


def test_torch_is_heard_to_compile_where_it_does():
    assert not compiled.is_compiling()
    with tracing(TracingContext(None)):
        assert compiled.is_compiling()
    assert not compiled.is_compiling()


def test_a_backward_that_torch_refuses_between_those_told_in_full_is_not_counted():
    w = torch.ones(2, requires_grad=True)

    def train():
        for n in range(40):
            if n == 20:
                with pytest.raises(RuntimeError):
                    (w * w).backward()  # no scalar
            w.grad = None
            (w * w).sum().backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)

    assert follow(train).backward_calls == 40


def test_a_bare_structure_is_not_asked_for_modules(monkeypatch):
    asked = counted(monkeypatch, fold, "Modules")
    y = torch.ones((), requires_grad=True)
    for _ in range(200):
        y = y * 2
    graph = trace(y, backward=False, keep=0)
    assert len(fold.fold(graph).nodes) < 40
    assert asked == []


def test_only_what_lies_plainly_in_memory_is_read_the_short_way():
    plain = torch.randn(4, 3)
    assert all(map(is_ordinary, (plain, plain.t(), nn.Parameter(plain), plain[1:, ::2])))
    with torch.inference_mode():
        inferred = torch.ones(3)
    odd = (
        plain.to_sparse(),
        torch.empty(3, device="meta"),
        torch.randn(2, dtype=torch.complex64).conj(),
        torch.randn(2, dtype=torch.complex64).conj().imag,
        torch._efficientzerotensor(3),
        inferred,
    )
    assert not any(map(is_ordinary, odd))


def test_small_tensors_are_copied_into_memory_that_is_used_again(monkeypatch):
    made = counted(monkeypatch, torch, "empty")
    x = torch.ones(3000, requires_grad=True)
    trace(lambda: ((x * 2).tanh() * 3).sum())
    assert len([args for args in made if args[0] == FULL_LIMIT]) == 1


def test_a_gradient_found_as_it_was_sent_is_not_compared(monkeypatch):
    compared = counted(monkeypatch, arrivals, "_is_same")
    x = torch.ones(3000, requires_grad=True)
    trace(lambda: ((x * 2).tanh() * 3).sum())
    assert len(compared) == 1  # that of the loss, which is small


def test_no_module_is_gone_through_for_names_where_every_leaf_was_given_one(monkeypatch):
    asked = counted(monkeypatch, run, "parameter_names")
    net, x = nn.Linear(2, 2), torch.ones(3, 2)
    given = trace(net(x).sum(), backward=False, keep=0, names=dict(net.named_parameters(prefix="mine")))
    assert {node.name for node in given.nodes if node.kind == "leaf"} == {"mine.weight", "mine.bias"}
    assert not asked
    found = trace(net(x).sum(), backward=False, keep=0, names={"mine": net.weight})
    assert {node.name for node in found.nodes if node.kind == "leaf"} == {"mine", "bias"}
    assert len(asked) == 1


def test_a_shape_is_looked_up_once_and_taken_for_no_other(monkeypatch):
    looked_up = counted(monkeypatch, values, "_from_metadata")
    small, wide = torch.ones(3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    ragged = [
        torch.nested.nested_tensor([torch.ones(1), torch.ones(n)], requires_grad=True, layout=torch.jagged)
        for n in (2, 3)
    ]
    double = torch.ones(3, dtype=torch.float64, requires_grad=True)
    nodes = [(t * 2).grad_fn for t in (small, small, ragged[0], wide, ragged[1], small, double, wide)]
    assert values.outlines(nodes) == [values.outline(node) for node in nodes]
    ours = len(looked_up) - len(nodes)
    assert ours == 5, "three shapes, and both ragged ones"


def test_the_collector_rests_while_a_graph_is_folded(monkeypatch):
    at_work = []
    chains = fold.by_order.chains
    monkeypatch.setattr(
        fold.by_order, "chains", lambda *given: (at_work.append(gc.isenabled()), chains(*given))[1]
    )
    w = torch.ones((), requires_grad=True)
    total = w
    for i in range(200):
        total = (total.sin, total.cos, total.exp, total.tanh)[i * i % 7 % 4]()
    fold.fold(trace(total, backward=False, keep=0))
    assert at_work == [False]
    assert gc.isenabled()
