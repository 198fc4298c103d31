"""Tensors are found wherever they are, whether they were there before or are new, and none is kept alive."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from autograd_tour.tracer import surroundings
from autograd_tour.tracer.surroundings import Buffers, LiveTensors


class Named(torch.Tensor):
    """A tensor of another class."""


@pytest.mark.parametrize("many", [0, 1_000_000_000])
@pytest.mark.parametrize("collected", [None, 0, 1, 2])
def test_a_second_look_finds_what_is_new_and_what_was_there(collected, many, monkeypatch):
    monkeypatch.setattr(surroundings, "MANY", many)
    old, live = torch.ones(2), LiveTensors()
    first = live.look()
    assert any(tensor is old for tensor in first)
    del first
    new = [torch.ones(1), torch.nn.Parameter(torch.ones(1)), torch.ones(1).as_subclass(Named)]
    if collected is not None:
        gc.collect(collected)
    for _ in range(2):
        seen = live.look()
        assert all(any(tensor is item for tensor in seen) for item in (old, *new))
        assert len(set(map(id, seen))) == len(seen)


@pytest.mark.parametrize("many", [0, 1_000_000_000])
def test_what_stands_for_a_tensor_while_it_is_compiled_is_none(many, monkeypatch):
    monkeypatch.setattr(surroundings, "MANY", many)
    layer, tensor = torch.nn.Linear(1, 1), torch.ones(1)
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(tensor)
    live = LiveTensors()
    seen = live.look()
    assert any(item is tensor for item in seen)
    assert not any(item is fake for item in seen)
    assert any(module() is layer for module in live.modules)


def test_a_look_keeps_nothing_alive():
    live, tensor = LiveTensors(), torch.ones(2)
    live.look()
    gone = weakref.ref(tensor)
    del tensor
    assert gone() is None
    assert all(item is not None for item in live.look())


def test_buffers_are_noted_from_the_look_that_was_made_already(monkeypatch):
    norm, live = torch.nn.BatchNorm1d(2), LiveTensors()
    live.look()
    scans, scan = [], gc.get_objects
    monkeypatch.setattr(gc, "get_objects", lambda *generation: scans.append(generation) or scan(*generation))
    with Buffers() as buffers:
        buffers.remember_all(live)
        norm.running_mean.add_(1)
    assert scans == []
    assert norm.running_mean.tolist() == [0, 0]
    with Buffers() as buffers:
        buffers.remember_all()
        norm.running_mean.add_(1)
    assert scans == [()]
    assert norm.running_mean.tolist() == [0, 0]
