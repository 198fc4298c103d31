"""The corners of autograd, one test each: what the record says there, and that looking did no harm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from msgspec.structs import replace
from oracle import check, untraced
from programs import basics, hooks, models, threaded
from programs.compiled import compiled, compiled_module

import autograd_tour as tour
from autograd_tour.errors import ProgramError
from autograd_tour.rules.wording import short
from tests.commands import script_answer


def named(graph, grad_fn):
    """All nodes of one kind, in order."""
    return [node for node in graph.nodes if node.grad_fn == grad_fn]


def one(graph, grad_fn):
    (node,) = named(graph, grad_fn)
    return node


def gradient_edges(graph, node):
    return [edge for edge in graph.select("gradient") if edge.src == node.id]


def step_of(graph, node):
    (step,) = [step for _, step in graph.numbered_steps() if step.node == node.id]
    return step


DEEP = """
import threading, torch
import autograd_tour as tour

def program():
    y = torch.ones(1, requires_grad=True)
    for i in range({length}):
        y = y * 1.0001
        if i == {length} // 2:
            middle.append(y)
    if keep_loss:
        kept.append(y)
    return y

middle, kept = [], []

def go():
    graph = tour.trace(program, backward={backward})
    assert sum(node.kind == "operation" for node in graph.nodes) == {length}
    {after}
    middle.clear()
    kept.clear()

keep_loss = {keep_loss}
{run}
print("alive")
"""

SMALL_THREAD = "threading.stack_size(512 * 1024); t = threading.Thread(target=go); t.start(); t.join()"


@pytest.mark.parametrize(
    ("after", "keep_loss", "backward", "run"),
    [
        ("pass", False, False, "go()"),
        ("kept[0].backward()", True, False, "go()"),
        ("kept.clear(); middle[0].backward()", True, False, "go()"),
        ("middle.clear()", True, True, "go()"),
        ("pass", True, False, SMALL_THREAD),
    ],
    ids=["freed", "loss-outlives-the-trace", "middle-kept-alive", "with-backward", "small-thread"],
)
@pytest.mark.slow
def test_01_a_chain_of_60000_nodes_that_a_program_made_is_freed_in_peace(
    after, keep_loss, backward, run, tmp_path
):
    code = DEEP.format(length=60_000, after=after, keep_loss=keep_loss, backward=backward, run=run)
    done = script_answer(code, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-2000:]


def test_02_two_graphs_in_a_row_do_not_mix_up_ids_or_values():
    for n in range(1, 30):
        w = torch.tensor(float(n), requires_grad=True)
        graph = tour.trace(lambda w=w: w * w + 1)
        assert graph.nodes[0].value.first == (float(n),)
        assert graph.nodes[-1].value.first == (n * n + 1.0,)
        (after,) = [step.after for _, step in graph.numbered_steps() if step.after is not None]
        assert after.first == (2.0 * n,)


def test_03_negative_integers_are_not_read_as_unsigned():
    w = torch.randn(2, 3, requires_grad=True)
    graph = tour.trace(lambda: w.softmax(dim=-1).sum())
    assert dict(one(graph, "SoftmaxBackward0").attributes)["dim"] == -1


def test_04_saved_tensors_behind_hooks_are_not_unpacked_by_looking():
    hooks.unpacked.clear()
    graph = tour.trace(hooks.packed_saves, backward=False)
    assert hooks.unpacked == []
    assert {saved.state for saved in one(graph, "MulBackward0").saved} == {"hooked"}
    tour.trace(hooks.packed_saves)
    assert len(hooks.unpacked) == 3, "backward itself unpacks each once: the result of exp, and both factors"


def test_04_a_checkpoint_is_not_run_again_by_looking():
    runs = []

    def inner(x):
        runs.append(1)
        return torch.exp(x) * x

    def program():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        return torch.utils.checkpoint.checkpoint(inner, w, use_reentrant=False).sum()

    tour.trace(program, backward=False)
    assert len(runs) == 1
    runs.clear()
    tour.trace(program)
    assert len(runs) == 2, "once forward, once by backward itself"


def test_05_freed_and_modified_saves_are_said():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = torch.exp(w)
    loss = (h * h).sum()
    loss.backward()
    graph = tour.trace(loss, backward=False)
    assert {saved.state for saved in one(graph, "MulBackward0").saved} == {"freed"}
    h = torch.exp(w)
    loss = h.sum()
    with torch.no_grad():
        h.mul_(2)
    graph = tour.trace(loss, backward=False)
    assert [(saved.state, saved.facts) for saved in one(graph, "ExpBackward0").saved] == [("modified", None)]


def test_06_repeated_edges_stubs_and_unused_outputs_are_all_there():
    graph = tour.trace(basics.square_by_product)
    square = one(graph, "MulBackward0")
    assert [(edge.slot, edge.dst) for edge in gradient_edges(graph, square)] == [
        ((0, 0), "n1"),
        ((1, 0), "n1"),
    ]
    graph = tour.trace(basics.scaled)
    scaled = one(graph, "MulBackward0")
    assert scaled.slots == 2
    assert [edge.slot[0] for edge in gradient_edges(graph, scaled)] == [0]
    assert step_of(graph, scaled).sent[1] is None
    graph = tour.trace(basics.unused_outputs)
    unbind = one(graph, "UnbindBackward0")
    assert len(unbind.values) == 6
    received = step_of(graph, unbind).received
    assert [facts is not None for facts in received] == [True, False, True, False, False, False]


def test_06_a_leaf_that_the_loss_does_not_use_is_not_drawn():
    graph = tour.trace(basics.unused_leaf)
    assert [node.name for node in graph.nodes if node.kind == "leaf"] == ["w"]


@pytest.mark.parametrize(
    ("program", "grad_fn", "count"),
    [(hooks.tensor_hook, "MulBackward0", 2), (hooks.tensor_hook_on_fan_out, "MulBackward0", 2)],
)
def test_07_a_tensor_hook_is_marked_on_the_edges_that_it_changed(program, grad_fn, count):
    graph = check(program)
    hooked = [edge for edge in graph.select("gradient") if "hooked" in edge.marks]
    assert len(hooked) == count
    assert {edge.dst for edge in hooked} == {named(graph, grad_fn)[0].id}


def test_07_a_hook_on_a_leaf_is_marked_before_the_accumulator():
    graph = check(hooks.leaf_hook)
    (edge,) = [edge for edge in graph.select("gradient") if "hooked" in edge.marks]
    assert graph.by_id()[edge.dst].kind == "accumulate"
    assert step_of(graph, one(graph, "MulBackward0")).sent[0].first == (3.0, 3.0)
    assert step_of(graph, graph.by_id()[edge.dst]).received[0].first == (-3.0, -3.0)


@pytest.mark.parametrize(
    "program",
    [
        hooks.looking_hook,
        basics.fan_out,
        basics.half,
        basics.not_finite,
        models.gpt_by_hand,
        models.checkpointed,
    ],
)
def test_07_without_a_change_nothing_is_marked(program):
    graph = tour.trace(program)
    assert graph.passes[0].steps
    assert not [edge for edge in graph.select("gradient") if "hooked" in edge.marks]


def test_08_what_a_broadcast_sums_is_marked_and_said():
    graph = check(basics.broadcast)
    nodes = graph.by_id()
    bias = next(node for node in graph.nodes if node.name == "bias")
    accumulator = next(edge.src for edge in graph.select("gradient") if edge.dst == bias.id)
    (edge,) = [edge for edge in graph.select("gradient") if edge.dst == accumulator]
    assert edge.marks == ("broadcast",)
    assert short(edge.rule) == "Σ over 2"
    step = step_of(graph, nodes[edge.src])
    assert (step.received[0].shape, step.sent[edge.slot[0]].shape) == ((2, 2), (2,))


def test_09_a_custom_function_is_recorded_by_its_own_backward():
    graph = check(hooks.custom_function)
    node = one(graph, "ScaleBackward")
    assert node.op == "Scale.apply(w, 2.0)"
    assert "custom Function" in node.notes
    assert step_of(graph, node).sent[0].first == (5.0, 5.0)


def test_09_an_unused_output_of_a_custom_function():
    graph = check(hooks.custom_function_unused_output)
    step = step_of(graph, one(graph, "BothBackward"))
    assert [facts is not None for facts in step.received] == [True, False]
    assert step.sent[0].first == (2.0, 2.0)


def test_10_views_and_in_place_changes_keep_their_own_nodes_and_values():
    graph = check(basics.in_place_on_a_view, minimum=3)
    (copy,) = named(graph, "CopySlices")
    assert any("in place" in note for note in copy.notes)
    graph = check(basics.in_place, minimum=4)
    values = [node.value.first for node in graph.nodes if node.kind == "operation"]
    assert values == [(2.0, -4.0, 6.0), (3.0, -3.0, 7.0), (9.0, -9.0, 21.0), (9.0, 0.0, 21.0), (30.0,)]


def test_11_a_compiled_region_is_one_node_and_says_that_it_is_opaque():
    graph = tour.trace(compiled("aot_eager"))
    (node,) = [node for node in graph.nodes if node.grad_fn.startswith("CompiledFunction")]
    assert any("opaque" in note for note in node.notes)
    assert [n.grad_fn for n in graph.nodes if n.kind == "operation"] == [
        "CompiledFunctionBackward",
        "SumBackward0",
    ]
    (after,) = [step.after for _, step in graph.numbered_steps() if step.after is not None]
    assert after.first == pytest.approx((2 * torch.tensor([0.5, 1.5]).cos()).tolist())


def test_11_a_compiled_region_of_the_eager_backend_keeps_its_nodes():
    graph = tour.trace(compiled("eager"))
    kinds = [node.grad_fn for node in graph.nodes if node.kind == "operation"]
    assert kinds == ["SinBackward0", "MulBackward0", "AddBackward0", "SumBackward0"]


@pytest.mark.parametrize("backend", ["aot_eager", "eager"])
@pytest.mark.parametrize("make", [compiled, compiled_module])
def test_11_a_compiled_program_has_the_same_graph_traced_and_untraced(make, backend):
    program = make(backend)
    kinds = []
    for loss in (program(), program()):
        fn, names = loss.grad_fn, []
        while fn is not None:
            names.append(fn.name())
            fn = fn.next_functions[0][0] if fn.next_functions else None
        kinds.append(names)
    graph = tour.trace(program)
    inputs = {edge.dst: edge.src for edge in reversed(list(graph.select("forward"))) if edge.slot == (0, 0)}
    nodes, place, names = graph.by_id(), graph.outputs[0][0], []
    while place:
        names.append(nodes[place].grad_fn)
        place = inputs.get(place, "")
    assert kinds[0] == kinds[1]
    assert [name for name in names if name] == [k for k in kinds[0] if "AccumulateGrad" not in k]


@pytest.mark.parametrize(
    "program",
    [
        basics.nested,
        basics.sparse_gradient,
        basics.sparse_matrix,
        basics.complex_numbers,
        basics.half,
        basics.nothing_in_it,
    ],
)
def test_12_unusual_tensors_are_recorded(program):
    graph = check(program)
    kinds = {facts.dtype for node in graph.nodes for facts in node.values if facts is not None}
    layouts = {facts.layout for node in graph.nodes for facts in node.values if facts is not None}
    shapes = {facts.shape for node in graph.nodes for facts in node.values if facts is not None}
    assert {
        basics.nested: "nested" in layouts,
        basics.sparse_gradient: True,
        basics.sparse_matrix: "sparse_coo" in layouts,
        basics.complex_numbers: "complex64" in kinds,
        basics.half: {"float16", "bfloat16", "float32"} <= kinds,
        basics.nothing_in_it: (0, 3) in shapes,
    }[program]


def test_12_a_sparse_gradient_says_its_layout():
    graph = tour.trace(basics.sparse_gradient)
    (after,) = [step.after for _, step in graph.numbered_steps() if step.after is not None]
    assert after.layout == "sparse_coo"
    assert after.shape == (4, 2)


@pytest.mark.parametrize("program", [hooks.forward_raises, hooks.backward_raises])
def test_13_after_an_exception_the_next_trace_is_as_good_as_new(program):
    good = tour.trace(basics.fan_out)
    with pytest.raises(ProgramError):
        tour.trace(program)
    assert tour.trace(basics.fan_out) == good


def test_15_threads_of_the_program_do_not_lend_their_numbers_to_other_nodes():
    for program in (threaded.two_threads, threaded.hidden_behind_unused):
        # In a thread that has numbered no node yet: its numbers are counted up to in the program's own.
        with ThreadPoolExecutor(1) as fresh:
            graph = fresh.submit(check, program).result()
        (there,) = [node for node in graph.nodes if node.kind == "leaf" and node.value.first == (30.0, 40.0)]
        (first,) = [
            edge.dst
            for edge in graph.select("forward")
            if edge.src == there.id and edge.dst != "n5" and graph.by_id()[edge.dst].kind == "operation"
        ]
        node = graph.by_id()[first]
        assert not node.value.has_values or node.value.first == (90.0, 120.0)
        assert node.name == ""


def test_15_two_traces_in_two_threads_are_those_of_one():
    import threading

    alone = tour.trace(basics.fan_out)
    found = []
    threads = [threading.Thread(target=lambda: found.append(tour.trace(basics.fan_out))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A remark that several threads ran may stand in the notes: it is true.
    assert [replace(graph, meta=alone.meta) for graph in found] == [alone] * 4


def test_16_a_gradient_inside_the_loss_and_a_double_backward():
    graph = check(models.gradient_penalty, minimum=5)
    assert any("BackwardBackward" in node.grad_fn for node in graph.nodes)
    x = torch.tensor(2.0, requires_grad=True)

    def second():
        (grad,) = torch.autograd.grad(x**3, x, create_graph=True)
        return grad

    graph = tour.trace(second)
    (after,) = [step.after for _, step in graph.numbered_steps() if step.after is not None]
    assert after.first == (12.0,)
    assert x.grad is None


def test_18_a_cut_is_a_constant_that_says_where_it_was_cut():
    graph = check(basics.detached)
    (cut,) = [node for node in graph.nodes if node.kind == "constant"]
    assert (cut.name, cut.value.first) == ("target", (3.0, 6.0))
    assert cut.cut is not None
    assert cut.cut.function == "detach"
    graph = check(basics.cut_by_no_grad)
    (cut,) = [node for node in graph.nodes if node.kind == "constant"]
    assert cut.name == "scale"
    graph = check(basics.inference_constant)
    (constant,) = [node for node in graph.nodes if node.kind == "constant"]
    assert (constant.name, constant.value.first) == ("factor", (4.0, 6.0))


def test_19_what_cannot_be_traced_says_what_to_do():
    w = torch.ones(2, requires_grad=True)
    for loss, says in ((torch.ones(1), "needs no grad"), (w * 2, "not a scalar")):
        with pytest.raises(ProgramError, match=says) as caught:
            tour.trace(loss)
        assert caught.value.hint


def test_20_a_module_trained_in_place_keeps_its_statistics():
    net = models.ResNet()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    image = torch.randn(2, 3, 8, 8)
    random = torch.get_rng_state()
    tour.trace(lambda: net(image).sum())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert net.training


def test_an_evaluated_batch_norm_after_a_trained_one_gets_the_same_gradient():
    def program():
        norm = torch.nn.BatchNorm1d(3)
        x = torch.randn(4, 3, requires_grad=True)
        first = norm(x).pow(2).sum()
        return first + norm.eval()(x).pow(3).sum()

    check(program)


def test_nothing_is_added_to_torch_by_the_oracle_itself():
    """The oracle's plain run gives what an ordinary backward gives."""
    run = untraced(basics.fan_out)
    torch.manual_seed(0)
    w = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    h = torch.sin(w)
    ((h * 0.1).sum() + (h * 0.7).sum() + (h * h).sum()).backward()
    (grad,) = run.grads.values()
    assert torch.equal(grad, w.grad)
