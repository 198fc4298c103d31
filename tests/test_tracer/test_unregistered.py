"""Leaves and modules that a model has and torch does not register: plain attributes, lists and dicts."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.record.run import Run


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 1)
        self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.scale = torch.tensor(2.0, requires_grad=True)
        self.shifts = {"in": torch.zeros(2, requires_grad=True)}

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.shifts["in"]
        for layer in self.layers:
            x = layer(x)
        return self.head(x * self.scale).sum()


class Trainer:
    def __init__(self) -> None:
        self.model = nn.ModuleDict({"stack": Stack()})
        self.x = torch.ones(3, 2)

    @property
    def stack(self) -> Stack:
        return self.model["stack"]  # type: ignore[return-value]

    def run(self) -> None:
        for _ in range(2):
            self.stack(self.x).backward()
            with torch.no_grad():
                self.stack.scale -= 0.1 * self.stack.scale.grad
            self.stack.shifts["in"] = (
                (self.stack.shifts["in"] - 0.1 * self.stack.shifts["in"].grad).detach().requires_grad_()
            )


NAMES = {
    *("head.weight", "head.bias", "scale", "shifts['in']"),
    *(f"layers[{i}].{name}" for i in range(2) for name in ("weight", "bias")),
}


def test_each_has_the_path_by_which_the_model_holds_it():
    net = Stack()
    trace = tour.trace(lambda: net(torch.ones(1, 2)))
    assert {node.name for node in trace.nodes if node.kind == "leaf"} == NAMES
    modules = {node.group for node in trace.nodes if node.kind == "operation"}
    assert {"layers[0]", "layers[1]", "head"} <= modules


def changes_of(run: Run, name: str) -> list[tuple[str, str]]:
    """Kind and line of each event that changed the value of the leaf with that name."""
    number = [leaf.name for leaf in run.leaves].index(name)
    events = [
        event
        for event in run.events
        if event.kind in ("update", "rebinding") and any(item.leaf == number for item in event.changes)
    ]
    lines = [run.line(event) for event in events]
    return [
        (event.kind, line.text.strip() if line is not None else "")
        for event, line in zip(events, lines, strict=True)
    ]


def test_updates_and_rebindings_of_them_are_told_by_name():
    trainer = Trainer()
    before = trainer.stack.scale.item()
    run = tour.follow(trainer.run)
    assert {leaf.name for leaf in run.leaves} == {f"stack.{name}" for name in NAMES}
    assert (
        changes_of(run, "stack.scale") == [("update", "self.stack.scale -= 0.1 * self.stack.scale.grad")] * 2
    )
    assert [kind for kind, _ in changes_of(run, "stack.shifts['in']")] == ["rebinding"] * 2
    assert trainer.stack.scale.item() == before
    assert trainer.stack.shifts["in"].tolist() == [0, 0]


def test_parameters_that_two_models_exchange_are_each_told_at_that_line():
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.ones(1, 2)
    weights = first.weight.tolist(), second.weight.tolist()

    def train() -> None:
        for _ in range(2):
            (first(x) + 2 * second(x)).sum().backward()
            first.weight, second.weight = second.weight, first.weight

    run = tour.follow(train)
    told = [
        (
            run.leaves[change.leaf].name,
            change.before and change.before.first,
            change.after and change.after.first,
        )
        for event in run.events
        if event.kind == "rebinding"
        for change in event.changes
    ]
    one, two = (tuple(value[0]) for value in weights)
    there = [("first.weight", one, two), ("second.weight", two, one)]
    assert told == [*there, *((name, after, before) for name, before, after in there)]
    lines = [run.line(event) for event in run.events if event.kind == "rebinding"]
    assert all(line is not None and line.text.strip().startswith("first.weight, second") for line in lines)
    assert (first.weight.tolist(), second.weight.tolist()) == weights


def test_of_many_leaves_in_dicts_those_that_are_followed_have_names():
    shape = range(24)

    def train() -> None:
        layers = {f"l{i}": {f"p{j}": torch.ones(1, requires_grad=True) for j in shape} for i in shape}
        for _ in range(2):
            sum((p * p).sum() for layer in layers.values() for p in layer.values()).backward()
            layers = {
                key: {name: (p.detach() - 0.1 * p.grad).requires_grad_() for name, p in layer.items()}
                for key, layer in layers.items()
            }

    run = tour.follow(train)
    assert {leaf.name for leaf in run.leaves} <= {f"layers['l{i}']['p{j}']" for i in shape for j in shape}
    assert len(run.leaves) == 256


class Agent:
    def __init__(self) -> None:
        self.net = nn.Linear(2, 2)
        self.heads = [nn.Linear(2, 1), nn.Linear(2, 1)]


def test_layers_in_a_list_of_an_object_are_leaves_of_their_own():
    agent, x = Agent(), torch.ones(1, 2)

    def train() -> None:
        for i in range(4):
            agent.heads[i % 2](agent.net(x)).sum().backward()

    run = tour.follow(train)
    parts = ("net", "heads[0]", "heads[1]")
    names = {f"agent.{part}.{kind}" for part in parts for kind in ("weight", "bias")}
    assert {leaf.name for leaf in run.leaves} == names
    assert "rebinding" not in {event.kind for event in run.events}


def test_models_of_objects_in_a_list_that_take_turns_are_leaves_of_their_own():
    agents, x = [Agent(), Agent()], torch.ones(1, 2)

    def train() -> None:
        for _ in range(2):
            for agent in agents:
                agent.net(x).sum().backward()
                for parameter in agent.net.parameters():
                    with torch.no_grad():
                        parameter -= 0.1 * parameter.grad
                    parameter.grad = None

    run = tour.follow(train)
    names = {f"agents[{i}].net.{kind}" for i in range(2) for kind in ("weight", "bias")}
    assert {leaf.name for leaf in run.leaves} == names
    assert "rebinding" not in {event.kind for event in run.events}


def test_an_averaged_model_that_is_in_no_graph_has_its_names():
    net = nn.Linear(2, 1)
    average = torch.optim.swa_utils.AveragedModel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train() -> None:
        average.update_parameters(net)
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        average.update_parameters(net)

    names = {leaf.name for leaf in tour.follow(train).leaves}
    assert names == {
        *("net.weight", "net.bias", "average.module.weight", "average.module.bias"),
    }


def test_layers_that_are_replaced_are_told_in_the_order_of_the_lines():
    net, x = Stack(), torch.ones(1, 2)
    net.shifts["in"].requires_grad_(False)

    def train() -> None:
        for _ in range(2):
            net(x).backward()
            net.layers[1] = nn.Linear(2, 2)  # first
            net.layers[0] = nn.Linear(2, 2)  # second

    run = tour.follow(train)
    lines = [run.line(event) for event in run.events if event.kind == "rebinding"]
    assert [line.text.rpartition("# ")[2] for line in lines if line is not None] == ["first", "second"] * 2


class Hostile(nn.Module):
    """It holds itself, keys of markup, a leaf with NaN and something that raises when it is asked anything."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = [self]
        self.parts = {
            "</text><script>": nn.Linear(1, 1),
            "a'b\"\x1b[31m": torch.tensor(float("nan"), requires_grad=True),
        }
        vars(self)["thing"] = Raising()  # torch itself asks what is set as an attribute

    def forward(self, x: Tensor) -> Tensor:
        layer, nan = self.parts.values()
        return (layer(x) * nan).sum()


class Raising:
    def __getattribute__(self, name: str) -> object:
        raise ValueError(name)


def test_hostile_holders_have_names_that_are_only_text_and_all_is_put_back():
    net = Hostile()
    layer, nan = net.parts.values()
    weight = layer.weight.tolist()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)

    def train() -> None:
        for _ in range(2):
            net(torch.ones(1, 1)).backward()
            optimizer.step()
        raise KeyboardInterrupt

    def whole() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            train()

    run = tour.follow(whole)
    assert {leaf.name for leaf in run.leaves} >= {
        "parts['</text><script>'].weight",
        f"parts[{list(net.parts)[1]!r}]",
    }
    picture = tour.svg(run)
    assert "<script" not in picture
    assert "\x1b" not in picture
    with pytest.raises(KeyboardInterrupt):
        tour.follow(train)
    assert layer.weight.tolist() == weight
    assert nan.grad is None
    assert layer.weight.grad is None
