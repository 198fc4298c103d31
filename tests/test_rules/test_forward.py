"""What nodes compute forward, in numbers: every kind of the table against the results of torch's own samples."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from forward_functions import FORWARD_FUNCTIONS
from live_nodes import LiveNode
from samples import live_nodes
from torch import Tensor
from torch_evaluator import FUNCTIONS, Evaluator

from autograd_tour.record.rule import Apply, Constant, Symbol
from autograd_tour.record.vocabulary import SIGNATURES
from autograd_tour.rules.forward import FORWARD, FORWARD_WORDS, forward
from autograd_tour.rules.table import DEFINITIONS

LATER = {"RsubBackward1", "MaskedFillBackward0"}
"""Kinds that compute with a number which only a record has, since the node does not keep it."""


@pytest.fixture(scope="module", autouse=True)
def _all_words():
    """The evaluator of rules with the words of forward, and nothing that stays alive afterwards."""
    FUNCTIONS.update(FORWARD_FUNCTIONS)
    yield
    for word in FORWARD_FUNCTIONS:
        del FUNCTIONS[word]
    live_nodes.cache_clear()
    real_nodes.cache_clear()


@cache
def real_nodes(kind: str) -> tuple[LiveNode, ...]:
    """The nodes of a kind whose operands and results were heard, and are real."""
    return tuple(
        node
        for node in live_nodes().get(kind, [])
        if node.results and not any(_odd(item) for item in (*node.inputs, *node.results))
    )


def _odd(item: object) -> bool:
    return isinstance(item, Tensor) and (item.is_complex() or item.layout is not torch.strided)


def test_the_table_has_sixty_kinds_that_have_rules_too():
    assert len(FORWARD) >= 60
    assert set(FORWARD) <= set(DEFINITIONS)


@pytest.mark.parametrize("kind", sorted(set(FORWARD) - LATER))
def test_what_a_node_computes_is_its_result(kind):
    compared, wrong = 0, []
    for node in real_nodes(kind):
        for number, result in enumerate(node.results):
            expression = forward(node.view, number) if isinstance(result, Tensor) else None
            if expression is None:
                continue
            compared += 1
            value = torch.as_tensor(Evaluator(node).value(expression))
            close = (1e-3, 1e-3) if result.dtype in (torch.float16, torch.bfloat16) else (1e-5, 1e-5)
            close = (1e-9, 1e-12) if result.dtype is torch.float64 else close
            same = value.shape == result.shape and torch.allclose(
                value.double(), result.double(), *close, equal_nan=True
            )
            if not same:
                wrong.append(
                    (expression, [str(x)[:80] for x in node.inputs], str(value)[:120], str(result)[:120])
                )
    assert not wrong, wrong[0]
    assert compared, "no sample reaches it"


def test_every_word_of_the_table_is_one_that_is_explained():
    words = {word for kind in FORWARD for node in real_nodes(kind) for word in _words(forward(node.view))}
    assert words <= {*SIGNATURES, *FORWARD_WORDS}
    assert set(FORWARD_WORDS) <= words


def _words(item: object) -> set[str]:
    if item is None or isinstance(item, Constant | Symbol):
        return set()
    assert isinstance(item, Apply)
    return {item.function}.union(*map(_words, item.arguments))
