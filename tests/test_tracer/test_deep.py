"""Looking at a deep graph must not make it deadly: a process of its own tells."""

from __future__ import annotations

import pytest

from tests.commands import script_answer

PROGRAM = """
import threading, torch
import autograd_tour as tour

def chain():
    x = torch.ones(1, requires_grad=True)
    y = x
    for i in range(60_000):
        y = y * 1.0001
        if i == 30_000:
            middle = y
    return y, middle

def go():
    y, middle = chain()
    graph = tour.trace(y, backward=False)
    assert sum(node.kind == "operation" for node in graph.nodes) == 60_000
    {after}

{run}
print("alive")
"""

SMALL_STACK = "threading.stack_size(512 * 1024); t = threading.Thread(target=go); t.start(); t.join()"


@pytest.mark.parametrize(
    ("after", "run"),
    [
        ("del y; del middle", "go()"),
        pytest.param("del middle; del y", "go()", marks=pytest.mark.slow),
        pytest.param("y.backward(); del y", "go()", marks=pytest.mark.slow),
        pytest.param("pass", SMALL_STACK, marks=pytest.mark.slow),
    ],
    ids=["loss-first", "middle-first", "after-backward", "small-stack"],
)
def test_a_deep_graph_is_freed_in_peace_after_a_trace(after, run, tmp_path):
    done = script_answer(PROGRAM.format(after=after, run=run), cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-2000:]


@pytest.mark.slow
def test_the_danger_is_real_without_the_measure(tmp_path):
    unsafe = "import autograd_tour.tracer.assemble.walk as walk\nwalk.CHAIN_LIMIT = 10**9\n"
    program = unsafe + PROGRAM.format(after="del y; del middle", run="go()").replace("60_000", "200_000")
    done = script_answer(program, cwd=tmp_path)
    assert done.returncode != 0, (
        "torch frees deep graphs safely now: tracer/assemble/walk.py's measure can go"
    )


def test_a_shallow_graph_is_left_untouched():
    import torch

    import autograd_tour as tour

    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(100):
        y = y * 1.5
    tour.trace(y)
    node = y.grad_fn
    while node is not None:
        assert not node.metadata
        node = node.next_functions[0][0] if node.next_functions else None


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_no_way_is_longer_than_the_limit_without_a_handover(monkeypatch, limit):
    import torch

    from autograd_tour.tracer.assemble import walk as walking

    monkeypatch.setattr(walking, "CHAIN_LIMIT", limit)
    made = [torch.ones(2, requires_grad=True)]
    for i in range(60):
        made.append(made[-1] + made[-1 - i * i % 7 % len(made)] if i % 3 else made[-1].sin() * torch.ones(2))
    skeleton = walking.walk([made[-1].grad_fn])
    longest: list[int] = []
    for fn, inputs in zip(skeleton.fns, skeleton.next, strict=True):
        handover = fn.metadata.get("autograd_tour.handover")
        lower = handover.nodes if handover is not None else ()
        ways = [longest[j] for j, _ in inputs if j >= 0 and skeleton.fns[j] not in lower]
        longest.append(1 + max(ways, default=0))
    assert max(longest) == limit


def test_inputs_that_are_asked_for_twice_are_the_same(monkeypatch):
    import torch

    from autograd_tour.tracer.assemble import walk as walking

    x = torch.ones(2, requires_grad=True)
    y = x
    for _ in range(20):
        y = torch.cat([y * 1.5, y + x]).view(2, -1).sum(1)

    def structure():
        skeleton = walking.walk([y.grad_fn])
        return skeleton.fns, skeleton.names, skeleton.next, skeleton.roots

    held = structure()
    monkeypatch.setattr(walking, "HELD", 3)
    assert structure() == held


FREED = """
import weakref
import torch
import autograd_tour as tour
from autograd_tour.tracer.assemble import assembly

class Canary:
    pass

def loss():
    result = (torch.ones(3, requires_grad=True) * 2).sum()
    canary = Canary()
    result.grad_fn.metadata["canary"] = canary
    alive.append(weakref.ref(canary))
    return {result}

def spied(*args):
    seen.append(alive[-1]() is not None)
    return build(*args)

alive, seen = [], []
build, assembly.bare_structure = assembly.bare_structure, spied
graph = tour.trace(loss(), backward=False, keep=0)
held = loss()
tour.trace(held, backward=False, keep=0)
print(*[node.op for node in graph.nodes], *seen, alive[-1]() is not None)
"""


@pytest.mark.parametrize("result", ["result", "[result]"])
def test_a_graph_that_nobody_holds_is_freed_before_its_structure_is_built(result, tmp_path):
    done = script_answer(FREED.replace("{result}", result), cwd=tmp_path)
    assert done.stdout.split() == ["leaf", "accumulate", "mul", "sum", "False", "True", "True"], done.stderr


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_where_memory_cannot_be_given_back_nothing_happens(monkeypatch, platform):
    from autograd_tour.tracer import heap

    asked = []

    def library(name):
        asked.append(name)
        return object()  # as musl's: without malloc_trim

    monkeypatch.setattr(heap.ctypes, "CDLL", library)
    monkeypatch.setattr(heap.sys, "platform", platform)
    heap.give_back()
    assert asked == [None] * (platform == "linux")
