"""What the card of a module says of shapes: all that it was given, and what it made of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.views.fold import fold


class Words(nn.Module):
    """An embedding and a recurrent layer, of which the second is given a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.lstm, self.head = nn.Embedding(7, 4), nn.LSTM(4, 5), nn.Linear(5, 2)

    def forward(self, indices: Tensor) -> Tensor:
        states = torch.zeros(1, 2, 5), torch.zeros(1, 2, 5)
        out, _ = self.lstm(self.words(indices), states)
        return self.head(out)


def shapes_of(program: Callable[[], Tensor]) -> dict[str, str]:
    folded = fold(tour.trace(program), 1)
    return {node.group: next((n for n in node.notes if "→" in n), "") for node in folded.nodes if node.group}


def test_a_module_that_is_given_integers_or_a_tuple_says_their_shapes() -> None:
    model = Words()
    assert shapes_of(lambda: model(torch.tensor([[1, 2], [3, 4], [0, 0]])).sum()) == {
        "words": "(3, 2) → (3, 2, 4)",
        "lstm": "(3, 2, 4), (1, 2, 5) → (3, 2, 5)",
        "head": "(3, 2, 5) → (3, 2, 2)",
    }


def test_a_leaf_that_a_module_is_given_beside_constants_is_one_of_its_inputs() -> None:
    layer, head = nn.LSTM(4, 5), nn.Linear(5, 2)
    x = torch.ones(3, 2, 4, requires_grad=True)
    shapes = shapes_of(lambda: head(layer(x, (torch.zeros(1, 2, 5), torch.zeros(1, 2, 5)))[0]).sum())
    assert shapes["layer"] == "(3, 2, 4), (1, 2, 5) → (3, 2, 5)"


def test_a_weight_that_two_modules_share_is_no_input_of_either() -> None:
    words, head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
    head.weight = words.weight
    shapes = shapes_of(lambda: head(words(torch.tensor([1, 2]))).sum())
    assert shapes == {"words": "(2) → (2, 4)", "head": "(2, 4) → (2, 7)"}
