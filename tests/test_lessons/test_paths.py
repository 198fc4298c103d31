"""The paths over the surface of (w, b): those of plain torch, of every optimizer that can walk there."""

from __future__ import annotations

import math

import pytest
import torch

from autograd_tour.lessons.optimizers import found_optimizers
from autograd_tour.lessons.paths import path_of_lbfgs, paths_of_all
from autograd_tour.lessons.thermometer import t_c, t_u, t_un

STEPS = 30
ELSEWHERE = {"Muon", "SparseAdam"}
"""They need a matrix, or sparse gradients."""


@pytest.fixture(scope="module")
def paths():
    return {path.name: path for path in paths_of_all(t_un.double(), t_c.double(), 0.01, STEPS)}


def loss_of(params, u):
    return ((params[0] * u + params[1] - t_c.double()) ** 2).mean()


def test_every_optimizer_but_two_walks_here(paths):
    assert set(paths) == set(found_optimizers()) - ELSEWHERE


@pytest.mark.parametrize("name", sorted(set(found_optimizers()) - ELSEWHERE - {"LBFGS"}))
def test_a_path_is_that_of_plain_torch(paths, name):
    params = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = found_optimizers()[name]([params], lr=0.01)
    expected = [params.tolist()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss_of(params, t_un.double()).backward()
        optimizer.step()
        expected.append(params.tolist())
    path = paths[name]
    assert [list(point) for point in path.points] == expected
    assert path.loss == pytest.approx(loss_of(params, t_un.double()).item(), rel=1e-12)
    assert path.lr == 0.01


def test_what_flies_off_on_raw_readings_gets_a_smaller_lr():
    raw = {path.name: path for path in paths_of_all(t_u.double(), t_c.double(), 0.01, STEPS)}
    smaller = {name for name, path in raw.items() if path.lr not in (0.01, None)}
    assert {"SGD", "ASGD"} <= smaller
    assert "Adam" not in smaller
    for name in smaller:
        params = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
        optimizer = found_optimizers()[name]([params], lr=0.01)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss_of(params, t_u.double()).backward()
            optimizer.step()
        assert not loss_of(params, t_u.double()).item() < loss_of((1.0, 0.0), t_u.double()).item()
        assert math.isfinite(raw[name].loss)


def test_lbfgs_evaluates_its_closure_as_often_as_torch_says():
    path = path_of_lbfgs(t_un.double(), t_c.double())
    params = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([params])

    def closure():
        optimizer.zero_grad()
        loss = loss_of(params, t_un.double())
        loss.backward()
        return loss

    optimizer.step(closure)
    assert len(path.points) - 1 == optimizer.state[params]["func_evals"]
    assert list(path.points[-1]) == params.tolist()
