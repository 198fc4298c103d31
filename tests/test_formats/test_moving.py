"""Graphs worked out anew by the page's own JavaScript, against torch: every value and gradient of every node."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import torch

from autograd_tour import trace
from autograd_tour.formats.page.document import WEB
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.rules.forward import FORWARD
from autograd_tour.views.movable import Movable, movable
from tests.programs.differentiable import DifferentiableProgram

PROGRAMS = 1_000
PARTS = 10
RELATIVE = 1e-12
NOTHING = 1e-3
"""Less than this may be what is left where numbers around 1 cancel: it is compared as if it were this large."""

DRIVER = """
import { Machine } from "./machine.js";
import { readFileSync } from "node:fs";

const text = (value) => (Number.isFinite(value) ? value : String(value).replace("Infinity", "inf").replace("NaN", "nan"));
const plain = (item) => item && Array.from(item.data, text);
for (const line of readFileSync(0, "utf8").split("\\n").filter(Boolean)) {
  const { plan, changes } = JSON.parse(line);
  const machine = new Machine(plan);
  const agrees = machine.agrees();
  for (const [id, values] of changes) values.forEach((value, place) => machine.set(id, place, Number(value)));
  const { values, received, sent } = machine.run();
  const all = (map) => Object.fromEntries([...map].map(([id, list]) => [id, [...list].map(plain)]));
  console.log(JSON.stringify({ agrees, values: all(values), received: all(received), sent: Object.fromEntries([...sent].map(([id, item]) => [id, plain(item)])) }));
}
"""


@pytest.fixture(scope="session")
def compute(tmp_path_factory):
    """Runs plans with changes in node: what the page would show."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run the page's JavaScript")
    folder = tmp_path_factory.mktemp("web")
    (folder / "package.json").write_text('{"type": "module"}')
    for file in Path(str(WEB)).glob("*.js"):
        shutil.copy(file, folder)
    (folder / "driver.js").write_text(DRIVER)

    def run(asked):
        lines = [
            json.dumps({"plan": msgspec.to_builtins(plan), "changes": changes}) for plan, changes in asked
        ]
        done = subprocess.run(
            [node, str(folder / "driver.js")],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def plan_of(graph: Graph) -> Movable:
    plan = movable(graph)
    assert plan is not None
    return plan


def differing(computed: dict, graph: Graph) -> list[str]:
    """Where what was computed is not what torch recorded: tensor by tensor, by its largest element."""
    wrong = []
    for node in graph.nodes:
        _, step = graph.step(node.id)
        if node.kind != "operation" or step is None:
            continue
        for name, tensors in (("values", node.values), ("received", step.received)):
            for slot, facts in enumerate(tensors):
                if facts is not None and facts.first:  # inside of a call only what was saved is recorded
                    wrong += _difference(
                        f"{name} of {node.grad_fn} {node.id}", computed[name][node.id][slot], facts
                    )
    for _, step in graph.numbered_steps():
        leaf = graph.leaf_of(step.node)
        if leaf and step.received[0] is not None:
            wrong += _difference(f"gradient of {leaf}", computed["received"][leaf][0], step.received[0])
    return wrong


def _difference(name: str, computed: list, facts: TensorFacts) -> list[str]:
    assert len(computed) == facts.numel == len(facts.first), name
    pairs = [(float(a), float(b)) for a, b in zip(computed, facts.first, strict=True)]
    size = max((abs(b) for _, b in pairs if math.isfinite(b)), default=0.0)
    return [
        f"{name}: {a!r}, torch {b!r}"
        for a, b in pairs
        if not (a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= RELATIVE * max(size, NOTHING))
    ]


def asked_of(graph: Graph, moved: DifferentiableProgram) -> tuple[Movable, list]:
    """The plan of ``graph`` and the numbers of another program of the same steps, leaf by leaf."""
    plan = plan_of(graph)
    numbers = {_key(leaf.shape, leaf): other for leaf, other in zip(moved.before, moved.leaves, strict=True)}
    changes = [
        (item.id, numbers[item.shape, item.values].reshape(-1).tolist())
        for item in plan.tensors
        if item.kind == "leaf"
    ]
    return plan, changes


def _key(shape: torch.Size, leaf: torch.Tensor) -> tuple:
    return tuple(shape), tuple(leaf.reshape(-1).tolist())


def test_every_number_of_every_node_is_what_torch_records_at_other_values(compute):
    asked, truths = [], []
    for seed in range(25):
        program = DifferentiableProgram(seed)
        moved = program.moved(seed + 1)
        asked.append(asked_of(trace(program, keep=None), moved))
        truths.append(trace(moved, keep=None))
    for seed, (computed, truth) in enumerate(zip(compute(asked), truths, strict=True)):
        assert computed["agrees"], seed
        assert differing(computed, truth) == [], seed


def detached():
    w = torch.tensor(2.0, requires_grad=True)
    y = w * 3
    return (y - y.detach() * w) ** 2


def fan_out():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    return (x * x + 2 * x).sum()


def test_what_was_detached_follows_without_its_gradient(compute):
    (answer,) = compute([(plan_of(trace(detached)), [("n0", [5.0])])])
    assert answer["agrees"]
    w = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    y = w * 3
    ((y - y.detach() * w) ** 2).backward()
    assert answer["received"]["n0"][0] == pytest.approx([w.grad.item()], rel=RELATIVE)


def test_what_arrives_along_several_edges_is_added(compute):
    (answer,) = compute([(plan_of(trace(fan_out)), [("n0", [0.5, "nan"])])])
    assert answer["received"]["n0"][0] == [3.0, "nan"]


@pytest.mark.parametrize(
    "program",
    [
        lambda: (
            torch.ones(3, requires_grad=True).cumprod(0).sum()
        ),  # nobody has written down what it computes
        lambda: torch.ones(3, requires_grad=True) * 2,  # more than one element
        lambda: torch.ones(17, requires_grad=True).sum(),  # not recorded as a whole
        lambda: torch.view_as_real(torch.ones(2, dtype=torch.complex64, requires_grad=True)).sum(),
    ],
)
def test_there_is_no_plan_where_something_is_in_the_way(program):
    graph = trace(program, gradient=torch.ones(3)) if program().numel() > 1 else trace(program)
    assert movable(graph) is None


def test_a_record_that_is_not_of_this_program_does_not_agree(compute):
    plan = plan_of(trace(fan_out))
    other = msgspec.structs.replace(
        plan,
        checks=tuple(
            msgspec.structs.replace(check, first=(7.5,)) if check.of == "value" else check
            for check in plan.checks
        ),
    )
    assert [answer["agrees"] for answer in compute([(plan, []), (other, [])])] == [True, False]


def kinds_of(seed: int) -> set[str]:
    """The kinds of nodes that torch makes of a program."""
    kinds, waiting, seen = set(), [DifferentiableProgram(seed)().grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        kinds.add(node.name())
        waiting += [below for below, _ in node.next_functions]
    return kinds - {"torch::autograd::AccumulateGrad"}


@pytest.mark.slow
def test_a_thousand_random_programs_are_of_many_kinds_and_all_can_be_moved():
    kinds = set().union(*map(kinds_of, range(PROGRAMS)))
    assert len(kinds) >= 60
    assert kinds <= set(FORWARD)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS), ids=lambda part: f"part {part + 1} of {PARTS}")
def test_a_thousand_random_programs_come_out_as_torch_computes_them(compute, part):
    seeds = range(part, PROGRAMS, PARTS)
    asked, truths = [], []
    for seed in seeds:
        program = DifferentiableProgram(seed)
        graph, moved = trace(program, keep=None), program.moved(seed + 1)
        assert {node.grad_fn for node in graph.nodes if node.kind == "operation"} <= set(FORWARD)
        asked.append(asked_of(graph, moved))
        loss = moved()
        loss.backward()
        truths.append((loss.item(), moved.used))
    wrong = []
    for seed, (plan, changes), computed, (loss, leaves) in zip(
        seeds, asked, compute(asked), truths, strict=True
    ):
        if not computed["agrees"]:
            wrong.append(f"program {seed} does not agree with its own record")
        (result, _), *_ = plan.outputs
        if not math.isclose(
            computed["values"][result][0][0], loss, rel_tol=RELATIVE, abs_tol=RELATIVE * NOTHING
        ):
            wrong.append(f"program {seed}: {computed['values'][result]}, torch {loss!r}")
        grads = {_key(leaf.shape, leaf.detach()): leaf.grad for leaf in leaves}
        for leaf, values in changes:
            shape = next(item.shape for item in plan.tensors if item.id == leaf)
            facts = TensorFacts(
                shape, "float64", first=tuple(grads[shape, tuple(values)].reshape(-1).tolist())
            )
            given = computed["received"].get(leaf)
            wrong += (
                _difference(f"program {seed}, {leaf}", given[0], facts)
                if given
                else [f"{seed}: nothing arrives"]
            )
    assert wrong == []
