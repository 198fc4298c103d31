"""One module that is called again and again: its calls are one card, which opens into them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autograd_tour import trace
from autograd_tour.record.codec import dumps, loads
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views.fold import fold
from autograd_tour.views.homes import operations_in
from autograd_tour.views.opening import with_open
from autograd_tour.views.unfold import closed, opened

CALLS = 12


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block, self.head = Block(), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(CALLS):
            x = self.block(x)
        return self.head(x)


class Looping(nn.Module):
    """Called once, with a loop of its own: nothing of it is a call."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(20):
            x = torch.tanh(2 * x + 1)
        return x


@pytest.fixture(scope="module")
def shared() -> Graph:
    torch.manual_seed(0)
    net, x = Shared(), torch.randn(3, 8)
    return trace(lambda: net(x).square().mean())


def piles(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.kind == "group" and operations_in(node)]


def test_only_what_is_called_again_has_calls(shared):
    assert [(scope.function, scope.number, scope.group) for scope in shared.scopes] == [
        ("", number, "block") for number in range(CALLS)
    ]
    by_call = [node for node in shared.nodes if node.scope is not None and node.grad_fn == "ReluBackward0"]
    assert sorted(node.scope for node in by_call) == list(range(CALLS))
    assert loads(dumps(Trace(shared))).graph.scopes == shared.scopes
    looping = nn.Sequential(Looping(), Looping())
    assert trace(lambda: looping(torch.ones(2, requires_grad=True)).sum()).scopes == ()


def test_the_calls_are_one_card_with_the_values_of_the_first_and_the_last(shared):
    folded = fold(shared, depth=1)
    block, head = piles(folded)
    assert (block.op, block.group) == ("Block × 12", "block")
    assert operations_in(block) == 7 * CALLS
    results = [node for node in shared.nodes if node.grad_fn == "AddBackward0" and node.group == "block"]
    first, last = (next(node for node in results if node.scope == call) for call in (0, CALLS - 1))
    assert first.value is not None
    numbers = f"{first.value.first[0]:.4g}".replace("-", "−")
    assert any(note.startswith(f"from the first call: (3, 8) {numbers},") for note in block.notes)
    assert block.value == last.value
    assert "6 leaf tensors inside" in " ".join(block.notes)
    assert head.op == "Linear(8→2)"


def test_the_card_opens_into_its_calls_and_each_of_them_too(shared):
    shut = closed(shared, depth=1)
    whole = next(node.id for node in shut.graph.nodes if node.op == "Block × 12")
    inside = opened(shut, whole)
    assert inside is not None
    calls = [node for node in piles(inside.graph) if node.group == "block"]
    assert [node.notes[0] for node in calls] == [f"call {number + 1} of 12" for number in range(CALLS)]
    assert opened(inside, calls[3].id) is not None


def test_a_call_is_opened_by_its_number_and_has_a_frame(shared):
    current = with_open(shared, ["block[2]"], 1)
    (frame,) = current.frames
    assert frame.title == "block[2]  Block"
    assert [node.op for node in piles(current.graph) if node.group == "block"] == ["Block × 2", "Block × 9"]
    notes = [node.notes[0] for node in piles(current.graph) if node.group == "block"]
    assert notes == ["calls 1 to 2", "calls 4 to 12"]
    several = with_open(shared, ["block"], 1)
    assert sum(node.group == "block" for node in piles(several.graph)) == CALLS


def test_calls_with_something_between_them_stay_apart():
    torch.manual_seed(0)
    cell, xs = nn.ModuleDict({"cell": nn.Linear(6, 4)}), torch.randn(3, 2, 2)

    def program() -> Tensor:
        h = torch.zeros(2, 4)
        for x in xs:
            h = torch.tanh(cell["cell"](torch.cat([x, h], 1)))
        return h.sum()

    cards = [node for node in piles(fold(trace(program), depth=1)) if node.group == "cell"]
    assert [node.notes[0] for node in cards] == ["call 1 of 3", "call 2 of 3", "call 3 of 3"]


class Stages(nn.Module):
    """Attributes with numbers; ``widths`` are those of what each of them gives."""

    def __init__(self, widths: tuple[int, ...], name: str = "layer") -> None:
        super().__init__()
        self.names = [f"{name}{number}" for number in range(1, len(widths) + 1)]
        for at, (attribute, width) in enumerate(zip(self.names, widths, strict=True)):
            before = widths[max(at - 1, 0)]
            self.add_module(
                attribute, nn.Sequential(nn.Linear(before, width), nn.Tanh(), nn.Linear(width, width))
            )

    def forward(self, x: Tensor) -> Tensor:
        for name in self.names:
            x = self.get_submodule(name)(x)
        return x


def titles(net: nn.Module, width: int) -> list[str]:
    return [node.op for node in piles(fold(trace(lambda: net(torch.ones(2, width)).sum()), depth=1))]


def test_siblings_with_numbers_are_one_card_where_they_are_the_same():
    (row,) = piles(fold(trace(lambda: Stages((4, 4, 4))(torch.ones(2, 4)).sum()), depth=1))
    assert (row.group, row.op) == ("layer1 … 3", "Sequential × 3")


def test_stages_of_other_widths_are_shown_as_they_are():
    assert titles(Stages((4, 4, 6, 6)), 4) == ["Sequential × 2", "Sequential", "Sequential"]


def test_siblings_that_stand_beside_each_other_are_shown_as_they_are():
    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.critic1 = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
            self.critic2 = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.minimum(self.critic1(x), self.critic2(x))

    assert titles(Twins(), 4) == ["Sequential", "Sequential"]


def test_siblings_of_other_names_are_shown_as_they_are():
    class Coder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
            self.decoder = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.decoder(self.encoder(x))

    assert titles(Coder(), 4) == ["Sequential", "Sequential"]


def test_calls_of_a_module_in_a_recursion_are_counted_in_all() -> None:
    torch.manual_seed(0)
    net = Block()

    def deeper(x: Tensor, levels: int) -> Tensor:
        return x if levels == 0 else net(deeper(net(x) * 0.5, levels - 1))

    folded = fold(trace(lambda: deeper(torch.ones(2, 8), 3).sum()), 1)
    notes = [node.notes[0] for node in folded.nodes if node.kind == "group" and node.op == "Block"]
    assert notes == [f"call {number} of 6" for number in range(1, 7)]


def test_a_row_says_how_often_each_of_it_was_called() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*(Block() for _ in range(5)))
    split = nn.ModuleDict({"module": net})

    def loss() -> Tensor:
        return torch.cat([split["module"](part) for part in torch.ones(8, 8).chunk(4)]).sum()

    (row,) = piles(fold(trace(loss), 2))
    assert row.op == "Block × 5"
    assert row.notes[0] == "each was called 4 times"
