"""Titles are the program's own words: the expression that made a node, read off its source."""

from __future__ import annotations

import math
import re

import pytest
import torch
import torch.nn.functional as F
from programs import basics, compiled, hooks, models, operators, threaded
from torch import nn

import autograd_tour as tour
from autograd_tour.rules.wording import short

PROGRAMS = [
    *basics.PROGRAMS,
    basics.sparse_gradient,
    basics.sparse_matrix,
    basics.nested,
    *hooks.HARMLESS,
    *models.PROGRAMS,
    models.checkpointed_reentrant,
    *operators.PROGRAMS,
    threaded.two_threads,
    threaded.hidden_behind_unused,
    compiled.compiled("eager"),
]
HOLE = re.compile(r"\(\s+\)|\[\s*\]|^\s*$|^[-+*/@^−]+$")
NO_NAMES = {"unnamed", "constant", "other", "mat2", "result1", "[0]", "( )"}


def operations(graph):
    return [node for node in graph.nodes if node.kind == "operation"]


def titles(program, *args):
    return [node.op for node in operations(tour.trace(program, *args))]


@pytest.fixture(scope="module")
def graphs():
    torch.manual_seed(0)
    return {program.__name__: tour.trace(program) for program in PROGRAMS}


def test_of_all_nodes_that_have_source_95_in_100_are_titled_by_it(graphs):
    with_source = [node for graph in graphs.values() for node in operations(graph) if node.where is not None]
    titled = [node for node in with_source if node.expression]
    assert len(with_source) > 800
    assert len(titled) >= 0.95 * len(with_source)
    # The title is that expression or a part of it, or the step inside of it.
    for node in titled:
        words = re.findall(r"\w+", node.op.rpartition(" in ")[2])
        assert all(word in node.expression for word in words), (node.op, node.expression)


def test_no_title_has_a_hole_and_no_name_is_a_word_of_torch_alone(graphs):
    for name, graph in graphs.items():
        for node in graph.nodes:
            if node.kind == "accumulate":
                continue
            assert node.expr or (name, node.grad_fn) == ("", ""), (name, node)
            for text in (node.op, node.expr, node.brief or node.op):
                assert not HOLE.search(text), (name, text)
                assert text not in NO_NAMES, (name, text)
            assert len(node.op) <= 60 if node.kind == "constant" else len(node.op) <= 56, node.op
            assert len(node.expression) <= 200


def test_every_line_has_its_file(graphs):
    assert all(
        line.file and line.line > 0 and line.text for graph in graphs.values() for line in graph.source
    )


def attention(x, W, mask, d):
    Q, K = x @ W, x @ W.T
    scores = Q @ K.transpose(-2, -1) / math.sqrt(d)
    weights = scores.masked_fill(mask == 0, float("-inf")).softmax(dim=-1)
    return (weights @ torch.ones(3, 1)).sum()


def test_attention_by_hand():
    x, W = torch.randn(3, 4), torch.randn(4, 4, requires_grad=True)
    graph = tour.trace(attention, x, W, torch.ones(3, 3).tril(), 4)
    assert [node.op for node in operations(graph)] == [
        "x @ W",
        "W.T",
        "x @ W.T",
        "K.transpose(-2, -1)",
        "Q @ K.transpose(-2, -1)",
        "Q @ K.transpose(-2, -1) / math.sqrt(d)",
        "scores.masked_fill(mask == 0, float(…))",
        "scores.masked_fill(…).softmax(dim=-1)",
        "weights @ torch.ones(3, 1)",
        "(weights @ torch.ones(3, 1)).sum()",
    ]
    constants = [node.op for node in graph.nodes if node.kind == "constant"]
    assert constants == ["x", "mask == 0", "torch.ones(3, 1)"]
    (divided,) = [node for node in graph.nodes if node.grad_fn == "DivBackward0"]
    assert (divided.brief, divided.name) == ("… / math.sqrt(d)", "scores")
    (masked,) = [node for node in graph.nodes if node.grad_fn == "MaskedFillBackward0"]
    assert masked.expression == 'scores.masked_fill(mask == 0, float("-inf"))'


def vae(mu, logvar):
    std = torch.exp(0.5 * logvar)
    z = mu + std * torch.ones(3)
    kld = -0.5 * torch.sum(
        1
        + logvar  # what is expected
        - mu.pow(2)
        - logvar.exp()
    )
    return kld + F.mse_loss(
        z,
        torch.zeros(3),
        reduction="sum",
    )


def test_a_loss_over_several_lines():
    leaf = torch.zeros(3, requires_grad=True)
    nodes = {node.grad_fn + node.op: node for node in operations(tour.trace(vae, leaf * 1, leaf.clone()))}
    texts = {node.op for node in nodes.values()}
    assert {
        "0.5 * logvar",
        "torch.exp(0.5 * logvar)",
        "std * torch.ones(3)",
        "1 + logvar",
        "mu.pow(2)",
        "1 + logvar − mu.pow(2)",
        "1 + logvar − mu.pow(2) − logvar.exp()",
        "torch.sum(…)",
        "-0.5 * torch.sum(…)",
        'F.mse_loss(z, …, reduction="sum")',
        "kld + F.mse_loss(…)",
    } <= texts
    whole = {node.expression for node in nodes.values()}
    assert "torch.sum(1 + logvar - mu.pow(2) - logvar.exp())" in whole
    assert 'F.mse_loss(z, torch.zeros(3), reduction="sum")' in whole


def chained(x):
    y = (
        x.sin()
        .cos()  # twice
        .sin()
    )
    y += x
    y = -y * x**2 - (x - 1)
    h = [row * 2 for row in y]
    first, *rest = y
    out = torch.zeros(2)
    out[0] = first.T
    return h[0] + rest[0] + out[1], f(x)(y)


def f(x):
    return lambda y: x / y


def test_chains_operators_loops_and_what_is_written_into():
    graph = tour.trace(chained, torch.tensor([0.5, 2.0], requires_grad=True))
    texts = [node.op for node in operations(graph)]
    expected = [
        "x.sin()", "x.sin().cos()", "x.sin().cos().sin()", "y + x", "−y", "x**2", "−y * x**2", "x − 1",
        "−y * x**2 − (x − 1)", "for row in y", "row * 2", "first, *rest = y", "out[0] = first.T", "x / y",
    ]  # fmt: skip
    assert [text for text in expected if not any(text in title for title in texts)] == []


def test_a_negated_expression_is_shortened_inside():
    def program():
        p, y = torch.tensor([0.5, 0.25], requires_grad=True), torch.tensor([1.0, 0.0])
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    assert titles(program)[-1] == "−(…).mean()"


def test_of_two_long_operands_the_second_is_shortened_by_itself():
    def program():
        user, film = torch.ones(3, 1, requires_grad=True), torch.ones(3, 1, requires_grad=True)
        return user.exp().log().exp().squeeze(1) + film.exp().log().squeeze(1)

    sums = [node for node in operations(tour.trace(program, gradient=torch.ones(3))) if "Add" in node.grad_fn]
    assert [(node.op, node.brief) for node in sums] == [
        ("… + film.exp().log().squeeze(1)", "… + (…).squeeze(1)")
    ]


def test_the_same_expression_on_one_line_twice_and_two_operators_are_told_apart():
    def program():
        a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
        return a * b + a * b * b - b.exp() * a

    assert titles(program) == [
        "a * b", "a * b", "a * b * b", "a * b + a * b * b", "b.exp()", "b.exp() * a",
        "a * b + a * b * b − b.exp() * a",
    ]  # fmt: skip


def test_the_inner_steps_of_a_composite_call_say_where_they_are():
    logits, y = torch.randn(3, 4, requires_grad=True), torch.tensor([0, 1, 2])
    graph = tour.trace(lambda: F.cross_entropy(logits, y))
    assert [(node.op, node.brief) for node in operations(graph)] == [
        ("log_softmax in F.cross_entropy(logits, y)", "log_softmax"),
        ("F.cross_entropy(logits, y)", "F.cross_entropy(…)"),
    ]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 5)
        self.body = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, x):
        h = F.relu(self.fc1(x))
        for _ in range(2):
            h = self.body[0](h)
        return self.body(h)


def test_modules_of_torch_are_titled_where_they_are_called():
    net, x = Net(), torch.randn(3, 4)
    assert titles(lambda: net(x).sum()) == [
        "transpose in self.fc1(x)", "self.fc1(x)", "F.relu(self.fc1(x))",
        "transpose in self.body[0](h)", "self.body[0](h)",
        "transpose in self.body[0](h)", "self.body[0](h)",
        "transpose in self.body(h)", "addmm in self.body(h)", "tanh in self.body(h)",
        "transpose in self.body(h)", "self.body(h)", "net(x).sum()",
    ]  # fmt: skip


def test_a_builtin_that_calls_again_and_again_makes_its_result_last():
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    assert titles(lambda: sum([a, b, a])) == ["add in sum([a, b, a])"] * 2 + ["sum([a, b, a])"]

    def looped():
        h = a
        for _ in range(3):
            h = torch.sigmoid(h)
        return h

    assert titles(looped) == ["torch.sigmoid(h)"] * 3


def test_a_rule_never_calls_a_nameless_operand_by_a_letter_that_another_card_has():
    def program():
        x, w = torch.ones(2, 3), torch.ones(3, requires_grad=True)
        return F.relu(x * w).sum()

    graph = tour.trace(program)
    (edge,) = [e for e in graph.select("gradient") if graph.by_id()[e.src].grad_fn == "ReluBackward0"]
    assert short(edge.rule) == "× 1[x * w > 0]"


def test_what_has_no_source_is_called_as_torch_calls_it():
    space: dict[str, object] = {"torch": torch}
    exec("def program():\n    w = torch.ones(3, requires_grad=True)\n    return (w * 2).sin().sum()", space)
    graph = tour.trace(space["program"])
    assert [node.op for node in operations(graph)] == ["w * 2", "sin(w * 2)", "sum(sin(w * 2))"]
    assert {node.expression for node in graph.nodes} == {""}


def test_source_that_was_changed_since_it_was_loaded_gives_no_false_title(tmp_path):
    file = tmp_path / "moving.py"
    file.write_text(
        "import torch\ndef program():\n    w = torch.ones(3, requires_grad=True)\n    return (w * 2).sum()\n"
    )
    space: dict[str, object] = {"__name__": "moving"}
    exec(compile(file.read_text(), str(file), "exec"), space)
    file.write_text("import torch\ndef program():\n    # nothing\n    return 'w' + 'v' if torch else None\n")
    graph = tour.trace(space["program"])
    assert [node.op for node in operations(graph)] == ["w * 2", "sum(w * 2)"]


def test_several_outputs_without_names_are_called_by_the_function():
    x = torch.randn(2, 3, requires_grad=True)
    graph = tour.trace(lambda: (torch.unbind(x)[0] * 2).sum())
    (rule,) = [
        short(e.rule) for e in graph.select("gradient") if graph.by_id()[e.src].grad_fn == "MulBackward0"
    ]
    assert rule == "× 2"
    (unbind,) = [node for node in operations(graph) if node.grad_fn == "UnbindBackward0"]
    assert unbind.names == ("", "")
    graph = tour.trace(lambda: (torch.unbind(x)[0] * torch.unbind(x)[1]).sum())
    rules = {
        short(e.rule) for e in graph.select("gradient") if graph.by_id()[e.src].grad_fn == "MulBackward0"
    }
    assert rules == {"× unbind[0]", "× unbind[1]"}


def test_a_variable_for_all_results_names_each_by_its_place():
    def program():
        m = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
        parts = torch.unbind(m)
        found = torch.linalg.eigh(m)
        return parts[0].sum() + found.eigenvalues.sum()

    nodes = {node.grad_fn: node for node in operations(tour.trace(program))}
    assert nodes["UnbindBackward0"].names == ("parts[0]", "parts[1]")
    assert nodes["LinalgEighBackward0"].names == ("found.eigenvalues", "found.eigenvectors")


def test_contents_before_and_after_a_change_in_place_are_told_apart():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        x = torch.tensor([3.0, 4.0])
        before = (w + x).sum()
        x.add_(1)
        after = (x - w).sum()
        x.add_(1)
        x.add_(1)
        return before * after * (w - x).sum()

    graph = tour.trace(program)
    contents = {node.op: node.value.first for node in graph.nodes if node.kind == "constant"}
    assert contents == {"x": (3.0, 4.0), "x (changed 3 times)": (6.0, 7.0), "x (changed)": (4.0, 5.0)}


def test_a_result_that_is_changed_in_place_is_told_from_what_it_was():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        h = w * 2
        before = (h + 1).sum()
        h.add_(5)
        h.mul_(2)
        return before * (h * h).sum()

    graph = tour.trace(program)
    assert [node.expr for node in graph.nodes if "h" in node.names] == [
        "h",
        "h (changed)",
        "h (changed 2 times)",
    ]
    (product,) = (node for node in graph.nodes if node.op == "h * h")
    rules = [edge.rule for edge in graph.select("gradient") if edge.src == product.id]
    assert {short(rule) for rule in rules} == {"× h (changed 2 times)"}
    once = tour.trace(lambda: torch.relu_(w * 2).sum())
    assert not [node for node in once.nodes if "changed" in node.expr]


def test_changes_of_a_whole_and_of_its_parts_are_counted_together():
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        y = x * 2
        y.add_(1)
        y[0] = 5.0
        y.mul_(3)
        y[1:].mul_(2)
        return (y * y).sum()

    graph = tour.trace(program)
    names = [node.expr for node in operations(graph)]
    assert names[:5] == ["y", "y (changed)", *(f"y (changed {n} times)" for n in (2, 3, 4))]
    assert [node.op for node in operations(graph)][:5] == [
        "x * 2",
        "y.add_(1)",
        "y[0] = 5.0",
        "y.mul_(3)",
        "y[1:].mul_(2)",
    ]
    (product,) = (node for node in graph.nodes if node.op == "y * y")
    rules = [edge.rule for edge in graph.select("gradient") if edge.src == product.id]
    assert {short(rule) for rule in rules} == {"× y (changed 4 times)"}


def test_a_product_in_place_is_the_result_though_torch_copies_what_it_overwrites():
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        y = x.clone()
        y.mul_(x)
        return y.sum()

    (product,) = (node for node in tour.trace(program).nodes if node.grad_fn == "MulBackward0")
    assert (product.op, product.expr, product.names) == ("y.mul_(x)", "y (changed)", ("y",))
    assert product.value is not None
    assert product.value.first == (1.0, 4.0)
