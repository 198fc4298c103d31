"""Modules and parameters have the path the reader knows, however the program holds and calls them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import autograd_tour as tour

x = torch.arange(18.0).reshape(3, 6) / 18


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
        self.decoder = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 6))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.decoder(self.encoder(x)) * self.scale

    def training_step(self, x):
        return F.mse_loss(self.decoder(self.encoder(x)) * self.scale, x)


class Trainer:
    def __init__(self):
        self.net = AutoEncoder()

    def step(self):
        return F.mse_loss(self.net.decoder(self.net.encoder(x)), x)


class Agent:
    def __init__(self):
        self.body, self.actor, self.critic = nn.Linear(6, 4), nn.Linear(4, 2), nn.Linear(4, 1)

    def loss(self):
        h = self.body(x).tanh()
        return self.actor(h).sum() + self.critic(h).sum()


PARTS = {
    f"{part}.{i}.{kind}" for part in ("encoder", "decoder") for i in (0, 2) for kind in ("weight", "bias")
}
GROUPS = {f"{part}.{i}" for part in ("encoder", "decoder") for i in range(3)}


def leaves(graph):
    return {node.name for node in graph.nodes if node.kind == "leaf"}


def groups(graph):
    return {node.group for node in graph.nodes if node.kind == "operation"} - {""}


def test_submodules_called_one_by_one_keep_their_path():
    def local():
        model = AutoEncoder()
        h = x
        for layer in model.encoder:
            h = layer(h)
        return h.sum()

    graph = tour.trace(local)
    assert leaves(graph) == {name for name in PARTS if name.startswith("encoder")}
    assert groups(graph) == {name for name in GROUPS if name.startswith("encoder")}
    assert {group.path: group.type for group in graph.groups}["encoder.1"] == "ReLU"


def test_a_method_of_a_model_and_of_an_object_that_has_one():
    model = AutoEncoder()
    graph = tour.trace(model.training_step, x)
    assert (leaves(graph), groups(graph)) == (PARTS | {"scale"}, GROUPS)
    graph = tour.trace(Trainer().step)
    assert (leaves(graph), groups(graph)) == (PARTS, GROUPS)
    # The same paths as when the model is called as a whole.
    graph = tour.trace(lambda: F.mse_loss(model(x), x))
    assert (leaves(graph), groups(graph)) == (PARTS | {"scale"}, GROUPS)


def test_several_models_that_one_object_holds():
    agent = Agent()
    graph = tour.trace(agent.loss)
    assert groups(graph) == {"body", "actor", "critic"}
    assert leaves(graph) == {f"{part}.{kind}" for part in groups(graph) for kind in ("weight", "bias")}
    graph = tour.trace(lambda: agent.actor(agent.body(x)).sum())
    assert groups(graph) == {"agent.body", "agent.actor"}


def test_parts_of_two_models_have_the_variables_of_the_models():
    def program():
        first, second = AutoEncoder(), AutoEncoder()
        return F.mse_loss(second.decoder(first.encoder(x)), x)

    graph = tour.trace(program)
    assert {name.partition(".")[0] for name in leaves(graph)} == {"first", "second"}
    assert "second.decoder.2" in groups(graph)
    assert "first.encoder.0.weight" in leaves(graph)


def test_layers_in_a_list_and_in_a_dict_are_told_apart():
    def program():
        layers = [nn.Linear(6, 6) for _ in range(3)]
        heads = {"a": nn.Linear(6, 1), "b": nn.Linear(6, 1)}
        h = x
        for layer in layers:
            h = layer(h)
        return heads["a"](h).sum() + heads["b"](h).sum()

    graph = tour.trace(program)
    expected = {"layers[0]", "layers[1]", "layers[2]", "heads['a']", "heads['b']"}
    assert groups(graph) == expected
    assert leaves(graph) == {f"{name}.{kind}" for name in expected for kind in ("weight", "bias")}


def test_modules_of_one_name_are_told_apart_by_a_number():
    def program():
        total = x.sum()
        for _ in range(2):
            layer = nn.Linear(6, 1)
            total = total + layer(x).sum()
        return total

    assert len(groups(tour.trace(program))) == 2


def test_a_parameter_that_is_used_without_its_module():
    def program():
        model = AutoEncoder()
        return F.linear(x, model.encoder[0].weight).sum() * model.scale

    assert leaves(tour.trace(program)) == {"encoder.0.weight", "scale"}


class Thorny:
    def __getattribute__(self, name):
        raise RuntimeError(name)


class Unbound:
    @property
    def __dict__(self):
        raise RuntimeError("a proxy for nothing")


class Silent:
    def __repr__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "make", [Thorny, Unbound, Silent, lambda: {Silent(): 1}, lambda: {Silent(): nn.ReLU()}]
)
def test_an_object_that_resists_is_left_alone(make):
    def program():
        thorny = make()  # noqa: F841
        layer = nn.Linear(6, 1)
        return layer(x).sum()

    assert leaves(tour.trace(program)) == {"weight", "bias"}


def test_the_outermost_name_is_the_one_that_the_reader_knows():
    def program():
        heads = {"<b>&\\N": nn.Linear(6, 1), "a\nb": nn.Linear(6, 1)}
        return sum(h(x).sum() for h in heads.values())

    assert groups(tour.trace(program)) == {"heads['<b>&\\\\N']", "heads['a\\nb']"}


def test_a_layer_that_lives_for_one_call_lends_its_place_to_no_other():
    class Maker(nn.Module):
        def forward(self, x):
            return nn.Linear(6, 6)(x)

    def program():
        maker = Maker()
        h = x
        for _ in range(20):
            h = maker(h)
            h = nn.LayerNorm(6)(h)
        return h.sum()

    graph = tour.trace(program)
    kinds = {group.path: group.type for group in graph.groups}
    for node in graph.nodes:
        if node.grad_fn == "NativeLayerNormBackward0":
            assert kinds[node.group] == "LayerNorm"


class _Secretive(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        return self.fc(x)

    def parameters(self, recurse=True):
        raise ValueError("ask somebody else")

    def named_parameters(self, *args, **kwargs):
        raise ValueError("ask somebody else")


def test_a_module_that_does_not_tell_its_parameters_is_traced_all_the_same():
    def program():
        net = _Secretive()
        return net(torch.ones(3, 2)).sum()

    graph = tour.trace(program)
    assert {graph.title(leaf) for leaf in graph.leaves.values()} == {"fc.weight", "fc.bias"}
    assert tour.explain(program).findings == ()


class Scaled(nn.Module):
    """Runs a module before torch knows it as one itself."""

    def __init__(self, x):
        start = nn.Linear(6, 1)(x).mean().detach()
        super().__init__()
        self.linear, self.start = nn.Linear(6, 2), start

    def forward(self, x):
        return self.linear(x) * self.start


unfinished = nn.Linear.__new__(nn.Linear)


def test_a_module_that_is_not_yet_one_stops_nothing():
    def program():
        assert type(unfinished) is nn.Linear
        net = Scaled(x)
        return net(x).sum()

    names = {node.op for node in tour.trace(program).nodes if node.kind == "leaf"}
    assert {"linear.weight", "linear.bias"} <= {name.removeprefix("net.") for name in names}

    def train():
        net = Scaled(x)
        net(x).sum().backward()

    assert tour.follow(train).backward_calls == 1
