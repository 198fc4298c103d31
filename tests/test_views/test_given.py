"""What a module is given stays beside its card, also where it is looked at in another way inside."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autograd_tour import trace
from autograd_tour.views.fold import fold


class Reads(nn.Module):
    """Turns or converts what it is given, as the models of libraries do."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.table, self.out = way, nn.Embedding(9, 4), nn.Linear(4, 4)

    def forward(self, ids: Tensor) -> Tensor:
        if self.way == "view":
            ids = ids.view(-1, ids.shape[-1])
        if self.way == "to":
            ids = ids.to(torch.int64)
        if self.way == "own":
            ids = torch.arange(6).view(2, 3)
        return torch.tanh(self.out(torch.tanh(self.table(ids))))


def inputs(way: str, ids: Tensor | None = None) -> list[str]:
    net = nn.ModuleDict({"net": Reads(way)})
    if ids is not None:
        graph = trace(lambda: net["net"](ids).sum())
    else:

        def program() -> Tensor:
            ids = torch.randint(0, 9, (2, 3))
            return net["net"](ids).sum()

        graph = trace(program)
    return [node.name for node in fold(graph, depth=1).nodes if node.kind == "constant"]


@pytest.mark.parametrize("way", ["view", "to", "as it is"])
@pytest.mark.parametrize("outer", [True, False], ids=["made before", "made by the program"])
def test_what_is_given_stays_in_sight(way, outer):
    assert inputs(way, torch.tensor([[1, 2, 3], [4, 5, 6]]) if outer else None) == ["ids"]


def test_what_the_module_makes_itself_is_inside_its_card():
    assert inputs("own") == []
