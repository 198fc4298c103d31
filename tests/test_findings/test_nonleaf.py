"""The update that everybody writes first: ``w = w - lr * w.grad``."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour


def test_an_update_that_binds_its_leaf_anew_is_told_how_it_stays_a_leaf():
    def train() -> None:
        v = torch.zeros(1, requires_grad=True)
        for _ in range(2):
            ((v - 1) ** 2).mean().backward()
            v = v - 0.1 * v.grad

    found = [item for item in tour.explain(train).findings if item.kind == "grad-of-computed-tensor"]
    (finding,) = found
    assert "it bound v to the result" in finding.why
    assert finding.fix == "with torch.no_grad():\n    v -= 0.1 * v.grad"
    v = torch.zeros(1, requires_grad=True)
    for _ in range(2):  # the fix works
        v.grad = None
        ((v - 1) ** 2).mean().backward()
        namespace = {"torch": torch, "v": v}
        exec(finding.fix, namespace)
        v = namespace["v"]
    assert v.is_leaf
    assert v.item() == pytest.approx(0.36)


def test_another_line_that_reads_it_is_told_of_leaves_only():
    def train() -> None:
        w = torch.ones(1, requires_grad=True)
        h = w * 2
        (h**2).sum().backward()
        g = h.grad
        assert g is None

    (finding,) = (item for item in tour.explain(train).findings if item.kind == "grad-of-computed-tensor")
    assert "bound" not in finding.why
    assert "retain_grad" in finding.fix


class Neuron:
    def __init__(self) -> None:
        self.w = torch.tensor([1.0, 2.0], requires_grad=True)

    def update(self) -> None:
        self.w = self.w - 0.1 * self.w.grad


def test_an_attribute_that_an_update_binds_anew_is_told_so_too():
    neuron = Neuron()

    def train():
        for _ in range(2):
            (neuron.w**2).sum().backward()
            neuron.update()

    failed, read = tour.explain(train).findings
    assert failed.seen.startswith("the program raised TypeError: ")  # and not in forward
    assert read.kind == "grad-of-computed-tensor"
    assert read.fix == "with torch.no_grad():\n    self.w -= 0.1 * self.w.grad"
