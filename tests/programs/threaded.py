"""Programs whose graph is made by more than one thread. torch numbers the nodes of each from 0."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor


def in_a_thread(work: Callable[[], Tensor]) -> Tensor:
    """What ``work`` returns, run in a thread of its own."""
    made: list[Tensor] = []
    thread = threading.Thread(target=lambda: made.append(work()))
    thread.start()
    thread.join()
    return made[0]


def numbers_from(start: int) -> None:
    """Make nodes that nobody uses until this thread's next one has the number ``start``."""
    waste = torch.ones(1, requires_grad=True)
    while torch._C._autograd._get_sequence_nr() < start:
        waste * 2


def two_threads() -> Tensor:
    """The same operations on other values, with the same numbers, in two threads."""
    here = torch.tensor([1.0, 2.0], requires_grad=True)
    there = torch.tensor([30.0, 40.0], requires_grad=True)
    start = torch._C._autograd._get_sequence_nr()

    def work() -> Tensor:
        numbers_from(start)
        return (there * 3) * 2

    mine = (here * 3) * 2
    return (mine + in_a_thread(work)).sum()


def hidden_behind_unused() -> Tensor:
    """Here the node of this thread that has the number is not part of the graph."""
    here = torch.tensor([1.0, 2.0], requires_grad=True)
    there = torch.tensor([30.0, 40.0], requires_grad=True)
    start = torch._C._autograd._get_sequence_nr()

    def work() -> Tensor:
        numbers_from(start)
        return there * 3

    unused = here * 5  # noqa: F841
    return in_a_thread(work).sum() + here.sum()
