"""assert_gradients_flow: which parameter, why, and the line; as a helper and as a fixture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from programs.faults import changed, cut_off, numbers, trained
from torch import nn

from autograd_tour.errors import UsageError
from autograd_tour.testing import assert_gradients_flow

ROOT = Path(__file__).resolve().parents[2]
x = torch.ones(5, 3)


class Three(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        cut = self.a(x).detach()
        return cut + self.b(x)


def message_of(program, **options) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_gradients_flow(program, **options)
    return str(caught.value)


def test_a_sound_model_passes_and_keeps_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    assert_gradients_flow(lambda: model(x).mean())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_says_which_parameter_why_and_which_line() -> None:
    model = Three()
    text = message_of(lambda: model(x).sum())
    assert "a.weight, a.bias: .grad is None after backward" in text
    assert "cut here: test_findings/test_testing.py" in text or "test_testing.py" in text
    assert "cut = self.a(x).detach()" in text
    assert "why: detach() gives the same numbers without their history." in text
    assert "c.weight, c.bias: .grad is None after backward" in text
    assert "b.weight" not in text


def test_what_is_meant_can_be_ignored() -> None:
    model = Three()
    assert_gradients_flow(lambda: model(x).sum(), ignore=["a.*", "c.*"])
    text = message_of(lambda: model(x).sum(), ignore="c.*")
    assert "a.weight" in text
    assert "c.weight" not in text
    assert_gradients_flow(lambda: model(x).sum(), ignore=["grad-none-cut", "grad-none-unused"])


def test_frozen_parameters_are_meant() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    assert_gradients_flow(lambda: model(x).sum())


def test_a_gradient_of_zero_does_not_flow() -> None:
    model = nn.Linear(3, 1)
    text = message_of(lambda: (model(x) * 0).sum())
    assert "weight: the gradient arrives and is 0 in every element" in text.replace("bias, ", "").replace(
        ", bias", ""
    )
    assert "first used" in text


@pytest.mark.parametrize(
    ("program", "kind", "line"),
    [
        (cut_off.detached_loss, "loss-without-gradient", "loss = out.detach().mean()"),
        (changed.added_in_place, "in-place", "h += 1"),
        (numbers.log_of_zero, "inf-forward", "torch.log(w)"),
        (trained.never_zeroed, "zero-grad-missing", "loss.backward()"),
    ],
)
def test_other_faults_have_their_kind_and_line(program, kind, line) -> None:
    text = message_of(program)
    assert f"[{kind}]" in text
    assert line in text


def test_what_is_no_program_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="takes a callable"):
        assert_gradients_flow(torch.ones(1))


def _python(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Where the package is installed, pytest would load its plugin by itself, and -p a second time.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_importing_it_loads_neither_torch_nor_pytest() -> None:
    script = "import autograd_tour.testing, sys; sys.exit('torch' in sys.modules or 'pytest' in sys.modules)"
    assert _python("-c", script).returncode == 0


@pytest.mark.slow
def test_pytest_has_it_as_a_fixture(tmp_path) -> None:
    (tmp_path / "test_model.py").write_text(
        "import torch\n"
        "def test_sound(assert_gradients_flow):\n"
        "    model = torch.nn.Linear(2, 1)\n"
        "    assert_gradients_flow(lambda: model(torch.ones(1, 2)).sum())\n"
        "def test_cut(assert_gradients_flow):\n"
        "    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))\n"
        "    assert_gradients_flow(lambda: model[1](model[0](torch.ones(1, 2)).detach()).sum())\n"
    )
    outcome = _python(
        "-m", "pytest", "-q", "-p", "autograd_tour.integrations.pytest_plugin", "-p", "no:cacheprovider", str(tmp_path),
        cwd=tmp_path,
    )  # fmt: skip
    assert "1 failed, 1 passed" in outcome.stdout, outcome.stdout
    assert ".grad is None after backward" in outcome.stdout
    assert "test_model.py:7" in outcome.stdout


def test_the_plugin_is_declared_where_pytest_looks() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    assert (
        '[project.entry-points.pytest11]\nautograd-tour = "autograd_tour.integrations.pytest_plugin"'
        in declared
    )
